# SPDX-License-Identifier: Apache-2.0
"""A persistent peer that crashes and comes back after 3 s is a peer again within 5 s."""

import time
import unittest

from harness import STACKS, wait_until
from subject import SubjectTest


class PersistentTest(SubjectTest):
    # SPEC-TEST SW-40, SW-41
    def check(self, stack):
        for way in ("crash", "orderly"):
            with self.subTest(way=way):
                peer = self.peer(stack)
                subject = self.subject(profile=STACKS[stack][1], persistent=[peer.full_addr])
                peer.wait("peer_added", id=subject.id)
                if way == "crash":
                    peer.kill()
                else:
                    peer.stop()
                time.sleep(3)
                peer = self.peer(stack, port=peer.port, key_seed=self.seed)
                started = time.monotonic()
                peer.wait("peer_added", 5, id=subject.id, outbound="false")
                self.assertLess(time.monotonic() - started, 5)
                peer.send(subject.id, 0x21, 1025, 9)
                peer.wait_message(subject.id, 0x21, 1025, 9)

    def peer(self, stack, **kw):
        kw["key_seed"] = self.seed
        return super().peer(stack, **kw)

    seed = "5a" * 32

    def back(self, stack):
        self.yard_only("Go waits 5 to 8 s between its attempts")
        self.check(stack)

    def test_they_are_persistent_for_us_and_we_restart(self):
        """The other way round: we crash and return, and the Go peer that dials us finds us."""
        for stack in ("tendermint-0.22", "cometbft-v0.40"):
            with self.subTest(stack=stack):
                profile = STACKS[stack][1]
                subject = self.subject(profile=profile, key_seed="6b" * 32)
                peer = self.peer(stack, persistent=[subject.full_addr])
                peer.wait("peer_added", id=subject.id)
                # v0.22.8 puts a peer into its set after telling the reactors; one that dies in
                # between stays there, dead, and is never dialed again
                wait_until("it has us in its set", lambda: peer.peers()["n"] == "1", 5)
                subject.crash()
                peer.wait("peer_removed", 15, id=subject.id)
                since = peer.mark()
                again = self.subject(profile=profile, key_seed="6b" * 32, port=subject.port)
                self.assertEqual(again.id, subject.id)
                peer.wait("peer_added", 25, since, id=subject.id)
                peer.send(again.id, 0x20, 5, 5)
                peer.wait_message(again.id, 0x20, 5, 5)


def add_tests():
    for stack in STACKS:
        word = stack.replace("-", "_").replace(".", "_")
        setattr(PersistentTest, "test_back_" + word, lambda self, s=stack: self.back(s))


add_tests()

if __name__ == "__main__":
    unittest.main()
