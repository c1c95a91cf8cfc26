# SPDX-License-Identifier: Apache-2.0
"""More connections than the system has descriptors for."""

import time
import unittest

from harness import HostileTest

LIMIT = 128


class Descriptors(HostileTest):
    def test_exhaustion(self):
        target = self.target("--p2p.handshake_timeout", "4s", descriptors=LIMIT)
        self.assertEqual(len(target.events("few_descriptors")), 1)
        friend = self.friend(target)
        attack = self.attack(target, count=600, spread=600)
        attack.wait_ready()

        # It waits, it does not spin.
        busy, begun = target.cpu(), time.monotonic()
        time.sleep(2)
        self.assertLess(target.cpu() - busy, 0.5 * (time.monotonic() - begun))
        self.assertLessEqual(target.fds(), LIMIT)
        self.check_friend(friend)

        # Whoever is silent leaves at the deadline, and the next ones get in.
        attack.wait_closed(LIMIT, 30)
        attack.end()
        self.join(target)
        self.check_friend(friend)
        self.check_nothing_left(target, peers=1)


if __name__ == "__main__":
    unittest.main()
