# SPDX-License-Identifier: Apache-2.0
"""Slow-loris: each stage of the handshake byte by byte, and huge lengths said at each stage."""

import time
import unittest

from harness import PROFILES, HostileTest, pick

COUNT = pick(200, 40)
STAGES = ("eph", "auth", "info")
# (stage, bytes sent at once, reason in the log by profile)
DECLARED = (
    ("eph", 0, {"tendermint": "PROFILE_UNKNOWN", "cometbft": "PROFILE_UNKNOWN"}),
    ("auth", 0, {"tendermint": "AUTH_TOO_LONG", "cometbft": "AUTH_TOO_LONG"}),
    ("info", 0, {"tendermint": "NI_TOO_LONG", "cometbft": "NI_TOO_LONG"}),
    ("up", 0, {"tendermint": "PACKET_TOO_LONG", "cometbft": "PACKET_TOO_LONG"}),
    ("up", 1, {"tendermint": "FRAME_LENGTH", "cometbft": "FRAME_LENGTH"}),
)
MEMORY_MAX = 4096  # bytes of a connection before it has proven who it is


class Loris(HostileTest):
    def test_byte_by_byte_at_each_stage(self):
        """Progress does not prolong anything: the deadline is one for the whole handshake."""
        target = self.target("--p2p.handshake_timeout", "3s", "--p2p.max_num_inbound_peers", 5000,
                             "--pending_handshakes", 5000)
        friend = self.friend(target)
        attacks = [self.attack(target, profile=profile, stage=stage, first=first, drip=200,
                               count=COUNT, spread=COUNT)
                   for profile in PROFILES for stage in STAGES for first in (0, 20)]
        for attack in attacks:
            self.assertEqual(attack.wait_ready()["refused"], 0)
        self.join_often(target, 3)
        for attack in attacks:
            attack.wait_closed(COUNT, 10)
            attack.end()
        # Lines about such connections are rationed, the first are there.
        target.wait_events(1, "connection_refused", reason="HANDSHAKE_TIMEOUT", fault="remote")
        self.check_friend(friend)
        self.check_nothing_left(target, peers=1)

    def test_huge_lengths_at_each_stage(self):
        target = self.target("--p2p.max_num_inbound_peers", 5000)
        friend = self.friend(target)
        before = target.rss()
        for profile in PROFILES:
            for stage, first, reason in DECLARED:
                with self.subTest(profile=profile, stage=stage, first=first):
                    time.sleep(0.5)  # lines are rationed, ten a second: leave room for one of these
                    attack = self.attack(target, profile=profile, stage=stage, act="declare",
                                         first=first, count=COUNT, spread=COUNT)
                    attack.wait_ready()
                    attack.wait_closed(COUNT, 30)
                    attack.end()
                    event = "peer_removed" if stage == "up" else "connection_refused"
                    target.wait_events(1, event, reason=reason[profile])
        self.assertLess(target.rss() - before, 32 << 20)
        self.join(target)
        self.check_friend(friend)
        self.check_nothing_left(target, peers=1)


if __name__ == "__main__":
    unittest.main()
