# SPDX-License-Identifier: Apache-2.0
"""Peer exchange with the PEX reactors of the real stacks.

Our seed brings them together, on one port for both wires; their seeds serve us; and nodes that are
no seeds tell each other of third ones.
"""

import unittest

from harness import wait_until
from pexrig import MEET, PexRigTest
from subject import STAND_IN


@unittest.skipIf(STAND_IN, "a seed of ours is needed")
class PexTest(PexRigTest):
    def all_meet(self, peers):
        """Every program of the real stacks has every other one as a peer."""
        for peer in peers:
            for other in peers:
                if other is not peer:
                    peer.wait("peer_added", MEET, id=other.id)

    def meet(self, stacks):
        """Peers that know only our seed find each other."""
        seed = self.seed()
        peers = [self.peer(stack, extra=["--pex", "--seed", seed.full_addr]) for stack in stacks]
        self.watch(*peers)
        self.all_meet(peers)
        self.assertTrue(seed.alive())

    # SPEC-TEST SEED-01 PEX-01
    def test_cometbft_of_three_versions(self):
        self.meet(["cometbft-v0.38", "cometbft-v0.40", "cometbft-v1.0"])

    def test_tendermint_0_22(self):
        self.meet(["tendermint-0.22", "tendermint-0.22", "tendermint-0.22"])

    # SPEC-TEST BOOK-26
    def test_one_port_for_both_wires(self):
        """Two networks of one name on two wires share a seed; nobody hears of the other wire."""
        seed = self.seed(extra=["--crawl_period", "1s"])
        wires = [[self.peer(s, extra=["--pex", "--seed", seed.full_addr]) for s in stacks]
                 for stacks in (("tendermint-0.22", "tendermint-0.22"),
                                ("cometbft-v0.38", "cometbft-v1.0"))]
        for wire in wires:
            self.all_meet(wire)
        self.assertEqual(seed.profiles_served(), {"tendermint", "cometbft"})
        for wire, others in (wires, wires[::-1]):
            for peer in wire:
                for other in others:
                    self.assertNotIn(other.id, peer.log_text(), peer.name)

    def test_we_find_them_through_their_seed(self):
        seed = self.peer("cometbft-v0.38", name="go-seed", extra=["--pex", "--seed-mode"])
        peer = self.peer("cometbft-v0.40", name="go-peer",
                         extra=["--pex", "--seed", seed.full_addr])
        yard = self.yard(extra=["--p2p.seeds", seed.full_addr])
        self.watch(seed, peer)
        peer.wait("peer_added", MEET, id=yard.id)

    def tell(self, stack, profile):
        """One of theirs tells us of another one; one of ours tells one of theirs of another."""
        first = self.peer(stack, name="first", extra=["--pex"])
        second = self.peer(stack, name="second", extra=["--pex"], persistent=[first.full_addr])
        first.wait("peer_added", id=second.id)
        yard = self.yard(profiles=[profile], persistent=[first.full_addr])
        second.wait("peer_added", MEET, id=yard.id)
        third = self.peer(stack, name="third", extra=["--pex"], persistent=[yard.full_addr])
        self.watch(first, second, third)
        third.wait("peer_added", id=yard.id)
        for other in (first, second):
            third.wait("peer_added", MEET, id=other.id)

    def test_ordinary_nodes_of_tendermint_0_22(self):
        self.tell("tendermint-0.22", "tendermint")

    def test_ordinary_nodes_of_cometbft(self):
        self.tell("cometbft-v0.38", "cometbft")

    def test_a_seed_that_closes_before_it_answers(self):
        """A v0.22.8 seed never delivers its answer.  We hold nothing against it and come again."""
        seed = self.peer("tendermint-0.22", name="go-seed", extra=["--pex", "--seed-mode"])
        yard = self.yard(profiles=["tendermint"], extra=["--p2p.seeds", seed.full_addr])
        for visit in (1, 2):
            wait_until("visit %d" % visit,
                       lambda: len(seed.find("peer_added", id=yard.id)) >= visit, 60, 0.2)
        self.assertTrue(yard.alive())


if __name__ == "__main__":
    unittest.main()
