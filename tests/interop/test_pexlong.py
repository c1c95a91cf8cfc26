# SPDX-License-Identifier: Apache-2.0
"""Ten minutes of peer exchange with the real intervals: `make interop-long`.

One seed of ours, on one port for both wires, is the only seed of four CometBFT v0.38 validators,
of p2p stacks of CometBFT v0.40 and v1.0, of two stacks and a complete node of Tendermint v0.22.8,
and of one of us on each wire.  A third one of us has a complete CometBFT node in seed mode as its
only seed.  Once all have met, nobody may lose a connection to us, nobody may hold anything against
us nor we against them, every validator makes blocks, and our requests, by the validators' clock,
keep their distance.  SY_LONG_S (seconds, default 600) shortens the run for work on the test.
"""

import os
import re
import time
import unittest

from harness import wait_until
from pexrig import (GO_COMPLAINT, OUR_COMPLAINT, PEX_DEBUG, Seed, Validators, complaints,
                    request_times)
from subject import STAND_IN, SubjectTest, Yard

HOLD = float(os.environ.get("SY_LONG_S", "600"))
MEET = 120
GAP = 10.0      # seconds; the least that a Go node bears between two requests
PEX = ["--p2p.pex", "true"]
ALL_CHANNELS = "20,21,22,23,30,38,40"


@unittest.skipIf(STAND_IN, "a seed of ours is needed")
class PexLongTest(SubjectTest):
    def yard(self, name, profiles, seed):
        node = Yard(name, self.log_dir, profiles=profiles,
                    extra=PEX + ["--p2p.seeds", seed.full_addr])
        self.addCleanup(node.finish)
        return node

    def stack(self, stack, name, seed):
        return self.peer(stack, name=name, channels=ALL_CHANNELS,
                         extra=["--pex", "--seed", seed.full_addr])

    def removals(self, yard, others):
        """The lines that tell of an end between this one of us and some others."""
        return [line for line in yard.log_text().splitlines()
                if "event=peer_removed" in line and any(o in line for o in others)]

    # SPEC-TEST PEX-12
    def test_ten_minutes(self):
        seed = self.own(Seed("seed", self.log_dir))
        net = Validators(self, "cometbft-v0.38", 4, [seed.full_addr], extra=PEX_DEBUG).wait_ready()
        go_seed = self.node("cometbft-v0.38", seeds=[seed.full_addr], seed_mode=True).wait_ready()
        comets = [self.stack(s, s, seed) for s in ("cometbft-v0.40", "cometbft-v1.0")]
        tms = [self.stack("tendermint-0.22", "tendermint", seed) for _ in range(2)]
        tm_node = self.node("tendermint-0.22", seeds=[seed.full_addr]).wait_ready()
        ours = [self.yard("yard-cometbft", ("cometbft", "tendermint"), seed),
                self.yard("yard-other", ("cometbft",), go_seed),
                self.yard("yard-tendermint", ("tendermint",), seed)]
        wires = [(net.nodes, comets, ours[:2]), ([tm_node], tms, ours[2:])]
        theirs = net.nodes + [go_seed, tm_node] + comets + tms

        net.wait_full_mesh(MEET)
        for nodes, stacks, yards in wires:
            for yard in yards:
                for peer in stacks:
                    peer.wait("peer_added", MEET, id=yard.id)
                for node in nodes:
                    wait_until("%s lists %s" % (node.name, yard.name),
                               lambda: yard.id in node.peer_ids(), MEET)
        lasting = [p.id for nodes, stacks, _ in wires for p in nodes + stacks]

        kept = {y.id: len(self.removals(y, lasting)) for y in ours}
        since = [p.mark() for p in comets + tms]
        heights = [n.height() for n in net.nodes]
        started = time.monotonic()
        while time.monotonic() - started < HOLD:
            time.sleep(min(5, HOLD))
            for thing in theirs + ours + [seed]:
                self.assertTrue(thing.alive(), "%s ended" % thing.name)
            self.assertTrue(net.is_full_mesh())
            for nodes, _, yards in wires:
                for node in nodes:
                    self.assertLessEqual({y.id for y in yards}, node.peer_ids(), node.name)

        for yard in ours:
            gone = self.removals(yard, lasting)[kept[yard.id]:]
            self.assertEqual(gone, [], "%s lost peers" % yard.name)
        for peer, mark in zip(comets + tms, since):
            for yard in ours:
                self.assertEqual(peer.find("peer_removed", mark, id=yard.id), [], peer.name)
        for thing in ours + [seed]:
            self.assertEqual(complaints(thing, OUR_COMPLAINT), [], thing.name)
        for thing in theirs:
            self.assertEqual(complaints(thing, GO_COMPLAINT, ours + [seed]), [], thing.name)
        elsewhere = sum(len(complaints(thing, GO_COMPLAINT)) for thing in theirs)
        self.assertEqual(seed.profiles_served(), {"tendermint", "cometbft"})
        blocks = [n.height() - h for n, h in zip(net.nodes, heights)]
        self.assertGreater(min(blocks), HOLD / 10)
        requests, least = self.check_requests(net, ours + [seed])
        served = len(re.findall("seed: answered", seed.log_text()))
        visits = len(re.findall("detail=\"?peer exchange done", seed.log_text()))
        print("%.0f s: %d-%d blocks; our requests to the validators: %d, least distance %.1f s; "
              "the seed answered %d visitors and made %d visits; complaints of the others about "
              "each other: %d"
              % (HOLD, min(blocks), max(blocks), requests, least, served, visits, elsewhere))

    def check_requests(self, net, ours):
        """By the clocks of the validators: (how many requests of ours, the least distance)."""
        count, gaps = 0, []
        for node in net.nodes:
            for one in ours:
                times = request_times(node, one.id)
                count += len(times)
                gaps += [b - a for a, b in zip(times, times[1:])]
        self.assertGreater(len(gaps), 0, "nobody asked twice")
        self.assertGreaterEqual(min(gaps), GAP)
        return count, min(gaps)


if __name__ == "__main__":
    unittest.main()
