# SPDX-License-Identifier: Apache-2.0
"""`yard probe` learns a real peer's identity and says at which stage and why it was refused."""

import socket
import time
import unittest

from harness import NETWORK, STACKS, id_of_seed, key_seed
from subject import SubjectTest, Yard


class ProbeTest(SubjectTest):
    def setUp(self):
        self.yard_only("there is nothing to probe with")
        super().setUp()

    def accepted(self, status, doc, peer, profile):
        self.assertEqual(status, 0, doc)
        self.assertEqual(doc["profile"], profile)
        self.assertEqual(doc["id"], peer.id)
        self.assertEqual(doc["node_info"]["network"], NETWORK)
        self.assertFalse(doc.get("error"), doc)
        names = [step["name"] for step in doc["steps"]]
        self.assertEqual(len(names), len(set(names)), names)
        for step in doc["steps"]:
            self.assertGreaterEqual(step["ms"], 0, step)

    def test_learns_everything_by_itself(self):
        for stack, (_, profile) in STACKS.items():
            with self.subTest(stack=stack):
                peer = self.peer(stack, channels="33,44")
                status, doc = Yard.probe(peer.full_addr)
                self.accepted(status, doc, peer, profile)
                peer.wait("peer_added")  # it accepted us, which only mirroring its channels can do

    def test_told_the_chain_id_and_profile(self):
        for stack, (_, profile) in STACKS.items():
            with self.subTest(stack=stack):
                peer = self.peer(stack)
                status, doc = Yard.probe(peer.full_addr, "--chain-id", NETWORK,
                                         "--profile", profile)
                self.accepted(status, doc, peer, profile)

    def refused(self, code, stage, full_addr, *args):
        status, doc = Yard.probe(full_addr, *args)
        self.assertNotEqual(status, 0, doc)
        self.assertIn(code, str(doc["error"]["code"]), doc)
        self.assertEqual(doc["error"]["stage"], stage, doc)
        self.assertTrue(doc["error"]["text"], doc)

    def test_wrong_network(self):
        for stack in STACKS:
            with self.subTest(stack=stack):
                peer = self.peer(stack)
                self.refused("NI_NETWORK", "node_info", peer.full_addr, "--chain-id", "other-net")
                peer.wait("inbound_refused")

    def test_wrong_id(self):
        other = id_of_seed(key_seed(99))
        for stack in STACKS:
            with self.subTest(stack=stack):
                peer = self.peer(stack)
                self.refused("ID_MISMATCH", "identity", "%s@%s" % (other, peer.addr),
                             "--chain-id", NETWORK, "--profile", STACKS[stack][1])

    def test_nobody_listens(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))  # bound, not listening: a connect is refused
            self.refused("CONNECT", "connect", "%s@127.0.0.1:%d" % ("0" * 40, s.getsockname()[1]))

    def test_silence(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            started = time.monotonic()
            self.refused("TIMEOUT", "handshake", "%s@127.0.0.1:%d" % ("0" * 40, s.getsockname()[1]),
                         "--timeout", "2", "--profile", "cometbft")
            self.assertLess(time.monotonic() - started, 10)

    def test_wrong_version(self):
        """Told the chain id, it does not mirror versions, and both sides refuse."""
        for stack, (_, profile) in STACKS.items():
            with self.subTest(stack=stack):
                if profile == "tendermint":
                    option, code = ["--version", "1.22.8"], "NI_VERSION_MAJOR"
                else:
                    option, code = ["--block-version", "12"], "NI_BLOCK_VERSION"
                peer = self.peer(stack, extra=option)
                self.refused(code, "node_info", peer.full_addr, "--chain-id", NETWORK,
                             "--profile", profile)
                peer.wait("inbound_refused")


if __name__ == "__main__":
    unittest.main()
