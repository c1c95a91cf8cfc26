# SPDX-License-Identifier: Apache-2.0
"""Peer exchange with complete nodes: through our seed, and through theirs."""

import time
import unittest

from harness import wait_until
from pexrig import MEET, PexRigTest, Validators, met
from subject import STAND_IN


@unittest.skipIf(STAND_IN, "a seed of ours is needed")
class PexNodesTest(PexRigTest):
    def test_their_complete_seed_node_serves_us(self):
        """A complete CometBFT node in seed mode brings two of us together."""
        seed = self.node("cometbft-v0.38", seed_mode=True).wait_ready()
        yards = [self.yard("yard-%d" % i, extra=["--p2p.seeds", seed.full_addr]) for i in (1, 2)]
        self.watch(seed)
        for me, other in (yards, yards[::-1]):
            wait_until("%s finds %s" % (me.name, other.name),
                       lambda: met(me, other.id), MEET, 0.2)

    def test_validators_form_a_full_mesh(self):
        """Four validators whose only seed is ours, on CometBFT v0.38, and their blocks."""
        seed = self.seed()
        started = time.monotonic()
        net = Validators(self, "cometbft-v0.38", 4, [seed.full_addr]).wait_ready()
        self.watch(*net.nodes)
        net.wait_full_mesh(MEET)
        print("full mesh after %.1f s" % (time.monotonic() - started))
        net.wait_blocks(3, 60)
        self.assertEqual(seed.profiles_served(), {"cometbft"})

    def test_a_complete_node_of_tendermint_0_22(self):
        """Its only seed is ours; it finds the one other node that we know of."""
        seed = self.seed()
        peer = self.peer("tendermint-0.22", extra=["--pex", "--seed", seed.full_addr],
                         channels="20,21,22,23,30,38,40")
        wait_until("the seed has served it",
                   lambda: "seed: answered" in seed.log_text(), 20, 0.1)
        node = self.node("tendermint-0.22", seeds=[seed.full_addr]).wait_ready()
        self.watch(peer, node)
        peer.wait("peer_added", MEET, id=node.id)
        wait_until("the node lists the peer", lambda: peer.id in node.peer_ids(), 10, 0.2)


if __name__ == "__main__":
    unittest.main()
