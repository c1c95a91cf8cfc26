# SPDX-License-Identifier: Apache-2.0
"""crawl, over networks of real processes."""

import csv
import io
import json
import socket
import time
import unittest

from harness import Node, YardTest

LOCAL = ("--p2p.addr_book_strict", "false", "--p2p.allow_duplicate_ip", "true")
MONIKER = '=1+"2", a name'


class Crawl(YardTest):
    def network(self, count):
        """A seed and nodes that have all met; every other one speaks one protocol only."""
        home = self.dir / "seed"
        home.mkdir()
        self.seed = Node(self, home, "--chain-id", "cli-net", "--crawl_period", "1s", *LOCAL,
                         command="seed")
        nodes = []
        for i in range(count):
            profiles = ("--profiles", '["tendermint"]') if i % 2 else ()
            nodes.append(self.node("--p2p.seeds", self.seed.full, "--moniker", MONIKER, *profiles,
                                   *LOCAL, name=f"n{i}"))
        deadline = time.monotonic() + 30
        for node in nodes:
            while not all(f"id={n.id}" in node.log() for n in nodes if n is not node):
                self.assertLess(time.monotonic(), deadline, node.log())
                time.sleep(0.05)
        return nodes

    def crawl(self, *args, status=0):
        out, err = self.run_yard("crawl", "--format", "json", "--timeout", "5", *args,
                                 status=status)
        self.assertEqual(err, "")
        return json.loads(out)

    def test_finds_everybody(self):
        nodes = self.network(4)
        found = self.crawl(nodes[0].full)
        self.assertEqual(found["network"], "cli-net")
        by_id = {node["id"]: node for node in found["nodes"]}
        for node in nodes:
            entry = by_id[node.id]
            self.assertEqual(entry["addr"], node.addr)
            self.assertTrue(entry["reached"])
            self.assertTrue(entry["accepted"])
            self.assertGreaterEqual(entry["told"], 2)
            self.assertIsNone(entry["error"])
            self.assertEqual(entry["node_info"]["moniker"], MONIKER)
        self.assertEqual([sorted(by_id[n.id]["profiles"]) for n in nodes],
                         [["cometbft", "tendermint"], ["tendermint"]] * 2)
        summary = found["summary"]
        self.assertTrue(summary["complete"])
        self.assertGreaterEqual(summary["reached"], 4)
        self.assertEqual(summary["prefixes"], {"127.0.0.0/16": summary["reached"]})
        self.assertEqual(sum(summary["versions"].values()), summary["reached"])

        # Whoever is gone is known and not reached.
        nodes[3].stop()
        found = self.crawl(nodes[0].full)
        entry = {node["id"]: node for node in found["nodes"]}[nodes[3].id]
        self.assertEqual((entry["reached"], entry["told"], entry["node_info"]),
                         (False, None, None))
        self.assertEqual(entry["error"]["code"], "CONNECT")
        self.assertGreaterEqual(found["summary"]["errors"]["CONNECT"], 1)

        # A spreadsheet gets the same, and no formula.
        out, _ = self.run_yard("crawl", "--format", "csv", "--chain-id", "cli-net", nodes[0].full)
        rows = {row["id"]: row for row in csv.DictReader(io.StringIO(out, newline=""))}
        self.assertEqual(set(rows), {node["id"] for node in found["nodes"]})
        self.assertEqual(rows[nodes[0].id]["moniker"], "'" + MONIKER)
        self.assertEqual(rows[nodes[0].id]["reached"], "1")
        self.assertEqual(rows[nodes[3].id]["error"], "CONNECT")
        self.assertEqual(rows[nodes[3].id]["version"], "")
        out, _ = self.run_yard("crawl", nodes[0].full)
        self.assertRegex(out, r'^network "cli-net": known=\d+ reached=\d+ accepted=\d+ answered=')
        self.assertIn("127.0.0.0/16", out)
        for node in nodes[:3]:
            self.assertNotIn("REACTOR_CAUSE", node.log())

    def test_beginning_with_a_seed(self):
        nodes = self.network(3)
        found = self.crawl(self.seed.full)
        answered = {node["id"] for node in found["nodes"] if node["told"] is not None}
        self.assertLessEqual({n.id for n in nodes} | {self.seed.id}, answered)

    def test_another_network_is_reached_and_refused(self):
        ours = self.node(*LOCAL, name="ours")
        self.home("theirs", chain_id="other-net")
        theirs = Node(self, self.dir / "theirs", *LOCAL)
        found = self.crawl(f"{ours.full},{theirs.full}")
        entry = {node["id"]: node for node in found["nodes"]}[theirs.id]
        self.assertTrue(entry["reached"])
        self.assertFalse(entry["accepted"])
        self.assertEqual(entry["node_info"]["network"], "other-net")
        self.assertEqual(entry["error"]["code"], "NI_NETWORK")
        self.assertEqual(found["summary"]["networks"], {"cli-net": 1, "other-net": 1})

    def test_a_node_that_says_nothing_does_not_stop_it(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        node = self.node(*LOCAL)
        name = f"{'ab' * 20}@127.0.0.1:{silent.getsockname()[1]}"
        found = self.crawl("--timeout", "1", f"{node.full},{name}")
        entry = {entry["id"]: entry for entry in found["nodes"]}["ab" * 20]
        self.assertFalse(entry["reached"])
        self.assertIn(entry["error"]["code"], ("HANDSHAKE_TIMEOUT", "REMOTE_CLOSED"))

    def test_ends_when_no_address_of_the_last_node_can_be_dialed(self):
        node = self.node(*LOCAL)
        visitor = self.node(*LOCAL, name="visitor")
        visitor.stop()
        ourselves = f"{visitor.id}@127.0.0.1:1,{visitor.id}@127.0.0.2:1"
        found = self.crawl("--home", str(visitor.home), "--profile", "cometbft", "--parallel",
                           "1", "--time", "20", f"{node.full},{ourselves}")
        entry = {entry["id"]: entry for entry in found["nodes"]}[visitor.id]
        self.assertEqual(entry["error"]["code"], "SELF")
        self.assertTrue(found["summary"]["complete"])

    def test_usage(self):
        name = f"{'ab' * 20}@127.0.0.1:1"
        for args in (["--format", "xml", name], ["--timeout", "0", name], ["--parallel", "0", name],
                     ["--profile", "x", name], ["127.0.0.1:1"], [""], []):
            with self.subTest(args=args):
                _, err = self.run_yard("crawl", *args, status=2)
                self.assertIn("crawl: ", err)
        _, err = self.run_yard("crawl", name, status=1)
        self.assertIn("none of the 1 nodes", err)
        out, _ = self.run_yard("crawl", "--help")
        for option in ("--format", "--chain-id", "--timeout", "--time", "--parallel", "--max"):
            self.assertIn(option, out)


if __name__ == "__main__":
    unittest.main()
