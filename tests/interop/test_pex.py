# SPDX-License-Identifier: Apache-2.0
"""Peer exchange with the PEX reactors of the real stacks: our seed brings them together."""

import unittest

from harness import NETWORK, Process, wait_until
from subject import STAND_IN, SubjectTest, Yard, yard_path

# A Go node asks its seed at once, hears of others, and dials them at its next round of 30 s.
MEET = 75


class Seed(Process):
    """A running `yard seed`."""

    def __init__(self, name, log_dir):
        home = log_dir / (name + "-home")
        cmd = [yard_path(), "seed", "--home", home, "--chain-id", NETWORK, "--moniker", name,
               "--p2p.laddr", "tcp://127.0.0.1:0", "--p2p.allow_duplicate_ip", "true",
               "--p2p.addr_book_strict", "false", "--log_level", "info"]
        super().__init__(name, [str(c) for c in cmd], log_dir)
        ready = self.wait("ready", 20)
        self.id, self.addr = ready["id"], ready["addr"]

    @property
    def full_addr(self):
        return "%s@%s" % (self.id, self.addr)


@unittest.skipIf(STAND_IN, "a seed of ours is needed")
class PexTest(SubjectTest):
    def meet(self, stacks):
        """Peers that know only our seed find each other."""
        seed = self.own(Seed("seed", self.log_dir))
        peers = [self.peer(stack, extra=["--pex", "--seed", seed.full_addr]) for stack in stacks]
        for peer in peers:
            others = [p for p in peers if p is not peer]
            for other in others:
                wait_until("%s finds %s" % (peer.name, other.name),
                           lambda: peer.find("peer_added", id=other.id), MEET, 0.2)
        log = seed.log_text()
        self.assertNotIn("fault=remote", log)
        self.assertTrue(seed.alive())

    # SPEC-TEST SEED-01 PEX-01
    def test_cometbft_of_three_versions(self):
        self.meet(["cometbft-v0.38", "cometbft-v0.40", "cometbft-v1.0"])

    def test_tendermint_0_22(self):
        self.meet(["tendermint-0.22", "tendermint-0.22", "tendermint-0.22"])

    def test_we_find_them_through_their_seed(self):
        seed = self.peer("cometbft-v0.38", name="go-seed", extra=["--pex", "--seed-mode"])
        peer = self.peer("cometbft-v0.40", name="go-peer",
                         extra=["--pex", "--seed", seed.full_addr])
        yard = self.own(Yard("yard", self.log_dir, profiles=["cometbft"],
                             extra=["--p2p.pex", "true", "--p2p.seeds", seed.full_addr]))
        peer.wait("peer_added", MEET, id=yard.id)


if __name__ == "__main__":
    unittest.main()
