# SPDX-License-Identifier: Apache-2.0
"""Connections that say nothing."""

import time
import unittest

from harness import JOIN_MAX_S, SANITIZED, HostileTest, need_descriptors, pick, wait_until

COUNT = pick(10000, 1000)
MEMORY_MAX = 4096  # bytes of ours for each
# Red zones and quarantine are the sanitizer's; the exact figure is the release build's.
MEMORY_SANITIZED_MAX = 4 * MEMORY_MAX


class Silent(HostileTest):
    def hold(self, profiles):
        """All of them at once, in a pool that is large enough."""
        need_descriptors(COUNT)
        target = self.target("--profiles", profiles, "--pending_handshakes", COUNT + 1000,
                             "--p2p.handshake_timeout", "120s")
        self.join(target)
        wait_until("the newcomer is gone", lambda: target.fds() == target.base_fds)
        before = target.rss()
        attack = self.attack(target, count=COUNT, spread=COUNT)
        ready = attack.wait_ready()
        self.assertEqual((ready["open"], ready["refused"]), (COUNT, 0))
        wait_until(lambda: f"{target.fds()} descriptors",
                   lambda: target.fds() == target.base_fds + COUNT)
        each = (target.rss() - before) / COUNT
        self.tell(f"{COUNT} connections in {ready['ms']} ms, {each:.0f} bytes each")
        self.assertLess(each, MEMORY_SANITIZED_MAX if SANITIZED else MEMORY_MAX)

        self.join_often(target, 5, longest=JOIN_MAX_S)
        idle = target.cpu()
        time.sleep(1)
        self.assertLess(target.cpu() - idle, 0.3)
        self.assertEqual(attack.state()["closed"], 0)
        attack.end()
        self.check_nothing_left(target)

    def test_held_with_recognition(self):
        self.hold('["cometbft", "tendermint"]')

    # Here the node speaks first: a handshake is in progress for each.
    def test_held_with_one_profile(self):
        self.hold('["cometbft"]')

    def test_more_than_the_pool_holds(self):
        target = self.target()
        friend = self.friend(target)
        need_descriptors(COUNT)
        attack = self.attack(target, count=COUNT, spread=COUNT)
        self.join_often(target, 5, longest=JOIN_MAX_S)
        attack.wait_ready()
        attack.wait_closed(COUNT - 256)
        self.join_often(target, 5, longest=JOIN_MAX_S)
        attack.end()
        self.check_friend(friend)
        self.check_nothing_left(target, peers=1)

    def test_one_prefix_never_drives_out_another(self):
        target = self.target("--pending_handshakes", 64)
        other = self.attack(target, count=10, spread=10, net=1)
        other.wait_ready()
        attack = self.attack(target, count=pick(5000, 500), spread=1)
        attack.wait_ready()
        attack.wait_closed(pick(5000, 500) - 54)
        self.assertEqual(other.state()["closed"], 0)
        self.join(target)
        for a in (attack, other):
            a.end()
        self.check_nothing_left(target)

    def test_gone_at_the_deadline(self):
        target = self.target("--p2p.handshake_timeout", "2s")
        attack = self.attack(target, count=200, spread=200)
        attack.wait_ready()
        attack.wait_closed(200, 30)
        self.check_nothing_left(target)


if __name__ == "__main__":
    unittest.main()
