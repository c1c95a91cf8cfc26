# SPDX-License-Identifier: Apache-2.0
"""Connecting and closing, pings, and peers that send but do not read or do not go on."""

import time
import unittest

from harness import (CHANNEL, PROFILES, SANITIZED, HostileTest, pick, wait_until)

MEBI = 1 << 20
ALLOCATOR = 3 if SANITIZED else 1.3  # resident bytes for each byte of ours


class Floods(HostileTest):
    def test_connect_and_close(self):
        target = self.target()
        friend = self.friend(target)
        attacks = [self.attack(target, act="churn", count=pick(20000, 2000), spread=100 * (i + 1))
                   for i in range(2)]
        self.join_often(target, 5)
        made = sum(attack.wait_ready()["closed"] for attack in attacks)
        for attack in attacks:
            attack.end()
        self.tell(f"{made} connections made and closed")
        self.join(target)
        self.check_friend(friend)
        self.check_nothing_left(target, peers=1)

    def test_pings(self):
        target = self.target("--p2p.max_num_inbound_peers", 100)
        friend = self.friend(target)
        for profile in PROFILES:
            attack = self.attack(target, profile=profile, stage="up", act="ping", count=20,
                                 spread=20)
            attack.wait_ready()
            self.join_often(target, 2)
            attack.wait_closed(20)
            attack.end()
        target.wait_events(40, "peer_removed", reason="PING_FLOOD")
        self.check_friend(friend)
        self.check_nothing_left(target, peers=1)

    def test_peers_that_stop_reading(self):
        """Each has its echoes dropped when its queue is full, then misses its pong."""
        count = pick(100, 20)
        target = self.target("--p2p.max_num_inbound_peers", 1000, "--p2p.send_rate", 0,
                             "--p2p.recv_rate", 0, "--ping_interval", "4s", "--pong_timeout", "3s",
                             "--memory_max", 256 * MEBI)
        friend = self.friend(target)
        before = target.rss()
        attack = self.attack(target, stage="up", act="mute", count=count, spread=count,
                             channel=CHANNEL)
        attack.wait_ready()
        self.join_often(target, 3)
        attack.wait_closed(count, 60)
        self.assertLess(target.rss() - before, 256 * MEBI * ALLOCATOR)
        attack.end()
        self.check_friend(friend)
        self.check_nothing_left(target, peers=1)

    def test_a_lagging_peer_costs_no_processor_time(self):
        """Its queue is full and its socket takes nothing: nobody tries again and again."""
        target = self.target("--p2p.max_num_inbound_peers", 100, "--p2p.recv_rate", 0)
        friend = self.friend(target)
        attack = self.attack(target, stage="up", act="mute", size=16 * MEBI, count=10, spread=10,
                             channel=CHANNEL)
        attack.wait_ready()
        self.wait_quiet(attack)
        state = attack.state()
        self.assertEqual((state["open"], state["received"]), (10, 0))
        busy, begun = target.cpu(), time.monotonic()
        time.sleep(2)
        share = (target.cpu() - busy) / (time.monotonic() - begun)
        self.tell(f"{share * 100:.1f} % of a processor, after {state['sent'] / MEBI:.0f} MiB")
        self.assertLess(share, 0.2 if SANITIZED else 0.05)
        attack.end()
        self.check_friend(friend)
        self.check_nothing_left(target, peers=1)

    def test_half_of_the_largest_message(self):
        """More than the node's memory in unfinished messages: it stays inside its budget, and an
        honest newcomer still gets in."""
        count, limit = pick(1000, 100), pick(256, 64) * MEBI
        target = self.target("--p2p.max_num_inbound_peers", 2000, "--p2p.recv_rate", 0,
                             "--memory_max", limit)
        friend = self.friend(target)
        before = target.rss()
        attack = self.attack(target, stage="up", act="half", size=2 * MEBI, count=count,
                             spread=count, channel=CHANNEL)
        attack.wait_ready()
        self.wait_quiet(attack)
        grown = target.rss() - before
        self.tell(f"{count} halves of 4 MiB, {attack.state()}, grown by {grown / MEBI:.0f} MiB")
        self.assertLess(grown, limit * ALLOCATOR + 32 * MEBI)
        self.join_often(target, 3)
        attack.end()
        self.check_friend(friend)
        self.check_nothing_left(target, peers=1)

    @staticmethod
    def wait_quiet(attack):
        """Until nothing more is sent."""
        last = [None]

        def is_quiet():
            time.sleep(0.5)
            now = attack.state()
            same, last[0] = now == last[0], now
            return same
        wait_until("the attacker comes to rest", is_quiet, 120)


if __name__ == "__main__":
    unittest.main()
