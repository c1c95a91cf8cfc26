# SPDX-License-Identifier: Apache-2.0
"""Messages of all sizes come back intact from us, whoever dialed, on every p2p stack."""

import unittest

from harness import STACKS
from subject import STAND_IN, SubjectTest

CHANNELS = (0x20, 0x21, 0x80)
SIZES = (1, 1023, 1024, 1025, 1 << 20)


def sizes_of(channel):
    # A Go receiver refuses a final fragment of 1024 bytes on a channel above 0x7f (its limit for a
    # packet is computed for a small channel number), so Go cannot echo these to Go.  To us they
    # may be sent, and we answer with fragments that it takes.
    if STAND_IN and channel >= 0x80:
        return [n for n in SIZES if n % 1024] + [(1 << 20) - 1]
    return SIZES


# SPEC-TEST MX-20, MX-21, MX-22, MX-23, MX-24, MX-25
class EchoTest(SubjectTest):
    def check_echo(self, peer, subject):
        # 0 bytes on an idle connection: the Go sender can lose an empty message otherwise
        since = peer.mark()
        peer.send(subject.id, 0x20, 0, 1)
        peer.wait_message(subject.id, 0x20, 0, 1, since=since)

        # every size on every channel at once
        since, expected = peer.mark(), []
        for size in SIZES:
            for channel in CHANNELS:
                if size in sizes_of(channel):
                    expected.append((channel, size))
        expected += [(c, n) for c in CHANNELS for n in sizes_of(c) if n not in SIZES]
        for channel, size in expected:
            peer.send(subject.id, channel, size, 1000 * channel + size % 997)
        for channel, size in expected:
            peer.wait_message(subject.id, channel, size, 1000 * channel + size % 997, 30, since)

        # each came back once, in the order of its channel
        messages = peer.find("message", since)
        self.assertEqual(len(messages), len(expected))
        for channel in CHANNELS:
            got = [int(e["len"]) for e in messages if e["ch"] == "0x%02x" % channel]
            self.assertEqual(got, [n for c, n in expected if c == channel], "on 0x%02x" % channel)

        # and many small ones
        since = peer.mark()
        peer.send(subject.id, 0x21, 100, 50_000, 300)
        peer.wait_message(subject.id, 0x21, 100, 50_299, timeout=20, since=since)
        self.assertEqual(len(peer.find("message", since)), 300)
        self.assertEqual(peer.find("peer_removed"), [])

    def they_dial(self, stack):
        subject = self.subject(profile=STACKS[stack][1])
        peer = self.peer(stack, dial=[subject.full_addr])
        added = peer.wait("peer_added", id=subject.id, outbound="true")
        self.assertEqual(added["network"], "interop-net")
        self.assertEqual(added["channels"], "202180ff")
        self.check_echo(peer, subject)

    def we_dial(self, stack):
        peer = self.peer(stack)
        subject = self.subject(profile=STACKS[stack][1], persistent=[peer.full_addr])
        peer.wait("peer_added", id=subject.id, outbound="false")
        self.check_echo(peer, subject)


def add_tests():
    for stack in STACKS:
        word = stack.replace("-", "_").replace(".", "_")
        setattr(EchoTest, "test_they_dial_" + word, lambda self, s=stack: self.they_dial(s))
        setattr(EchoTest, "test_we_dial_" + word, lambda self, s=stack: self.we_dial(s))


add_tests()

if __name__ == "__main__":
    unittest.main()
