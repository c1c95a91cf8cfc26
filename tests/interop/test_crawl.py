# SPDX-License-Identifier: Apache-2.0
"""`yard crawl` over a network of complete CometBFT nodes."""

import json
import subprocess
import unittest

from harness import NETWORK
from pexrig import MEET, PexRigTest, Seed, Validators
from subject import STAND_IN, yard_path


@unittest.skipIf(STAND_IN, "there is nothing to crawl with")
class CrawlTest(PexRigTest):
    def crawl(self, *args):
        done = subprocess.run([yard_path(), "crawl", "--format", "json", *args], timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_finds_a_network_of_validators(self):
        """From our seed, and from one of them, all the others are found."""
        # Not watched: who asks which network this is names a wrong one first, and is refused.
        seed = self.own(Seed("seed", self.log_dir))
        net = Validators(self, "cometbft-v0.38", 3, [seed.full_addr]).wait_ready()
        self.watch(*net.nodes)
        net.wait_full_mesh(MEET)
        for start in (seed.full_addr, net.nodes[0].full_addr):
            found = self.crawl(start)
            self.assertEqual(found["network"], NETWORK)
            nodes = {node["id"]: node for node in found["nodes"]}
            self.assertLessEqual(net.ids, set(nodes))
            for node in net.nodes:
                entry = nodes[node.id]
                self.assertTrue(entry["reached"], entry)
                self.assertTrue(entry["accepted"], entry)
                self.assertEqual(entry["profiles"], ["cometbft"])
                self.assertRegex(entry["node_info"]["version"], r"^0\.38\.")
                self.assertIsNotNone(entry["told"], entry)


if __name__ == "__main__":
    unittest.main()
