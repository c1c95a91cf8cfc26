# SPDX-License-Identifier: Apache-2.0
"""One listener serves both Tendermint profiles at once, and a dialer finds the right one."""

import unittest

from harness import STACKS
from subject import SubjectTest


class ProfilesTest(SubjectTest):
    def check_all_echo(self, subject, peers):
        marks = [p.mark() for p in peers]
        for i, peer in enumerate(peers):
            for channel in (0x20, 0x80):
                peer.send(subject.id, channel, 1 << 20, 10 * i + channel)
                peer.send(subject.id, channel, 77, 10 * i + channel)
        for i, peer in enumerate(peers):
            for channel in (0x20, 0x80):
                for size in (1 << 20, 77):
                    peer.wait_message(subject.id, channel, size, 10 * i + channel, 30, marks[i])
            self.assertEqual(peer.find("peer_removed"), [])

    # SPEC-TEST PR-01, PR-02
    def test_they_dial_one_listener(self):
        subject = self.subject()
        peers = [self.peer(stack, dial=[subject.full_addr]) for stack in STACKS]
        for peer in peers:
            peer.wait("peer_added", id=subject.id, outbound="true")
        self.check_all_echo(subject, peers)

    # SPEC-TEST PR-08, PR-10
    def test_we_dial_and_find_the_profile(self):
        """The first attempt at a peer may use the wrong profile; the second then uses the other."""
        peers = [self.peer(stack) for stack in STACKS]
        subject = self.subject(persistent=[p.full_addr for p in peers])
        for peer in peers:
            peer.wait("peer_added", 15, id=subject.id, outbound="false")
        self.check_all_echo(subject, peers)

    # SPEC-TEST PR-03
    def test_profile_not_allowed(self):
        """A listener with one profile refuses the other and goes on serving its own."""
        for allowed, stack, other in (("tendermint", "tendermint-0.22", "cometbft-v0.38"),
                                      ("cometbft", "cometbft-v0.38", "tendermint-0.22")):
            with self.subTest(allowed=allowed):
                subject = self.subject(profile=allowed)
                stranger = self.peer(other)
                stranger.dial(subject.full_addr)
                stranger.wait("dial_failed", 25)
                peer = self.peer(stack, dial=[subject.full_addr])
                peer.wait("peer_added", id=subject.id)
                self.assertEqual(stranger.find("peer_added"), [])


if __name__ == "__main__":
    unittest.main()
