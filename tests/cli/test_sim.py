# SPDX-License-Identifier: Apache-2.0
"""sim: the same seed is the same run, and what a run leaves behind."""

import csv
import re
import unittest
from xml.etree import ElementTree

from harness import YardTest

LAST = re.compile(r"^nodes=(\d+) seed=(\d+) events=(\d+) trace=([0-9a-f]{64})$")


class Sim(YardTest):
    def sim(self, *flags):
        """(lines, trace) of a run."""
        out, _ = self.run_yard("sim", *flags)
        lines = out.splitlines()
        match = LAST.match(lines[-1])
        self.assertIsNotNone(match, lines[-1])
        return lines, match.group(4)

    def test_same_seed_same_trace(self):
        _, one = self.sim("--nodes", 12, "--seed", 5, "--minutes", 2)
        _, again = self.sim("--nodes", 12, "--seed", 5, "--minutes", 2)
        _, other = self.sim("--nodes", 12, "--seed", 6, "--minutes", 2)
        self.assertEqual(one, again)
        self.assertNotEqual(one, other)

    def test_report_has_figures_and_plots(self):
        report = self.dir / "out"
        lines, _ = self.sim("--nodes", 30, "--minutes", 3, "--outbound", 4, "--report", report)
        text = "\n".join(lines)
        self.assertRegex(text, r"full peer set +29 of 29 nodes")
        self.assertRegex(text, r"connected +100\.00 %")
        self.assertEqual(sorted(p.name for p in report.iterdir()),
                         ["books.svg", "bytes.svg", "full.csv", "full.svg", "latency.csv",
                          "latency.svg", "peers.svg", "samples.csv"])
        for path in report.glob("*.svg"):
            root = ElementTree.fromstring(path.read_text())
            self.assertTrue(root.tag.endswith("svg"))
            self.assertIn("polyline", path.read_text())
        with open(report / "samples.csv", encoding="utf-8") as f:
            rows = list(csv.DictReader(f))
        self.assertEqual([float(r["time_s"]) for r in rows[:3]], [0, 10, 20])
        self.assertEqual(rows[-1]["running"], "30")
        self.assertGreaterEqual(int(rows[-1]["peers_min"]), 0)
        self.assertGreaterEqual(int(rows[-1]["peers_median"]), 4)
        self.assertGreater(int(rows[-1]["sent_bytes"]), 0)
        with open(report / "full.csv", encoding="utf-8") as f:
            self.assertEqual(len(list(csv.DictReader(f))), 29)
        with open(report / "latency.csv", encoding="utf-8") as f:
            hops = list(csv.DictReader(f))
        self.assertEqual(hops[0]["hops"], "1")
        self.assertLess(float(hops[0]["median_ms"]), float(hops[-1]["p99_ms"]))

    def test_topologies_and_profiles(self):
        for flags in (("--topology", "ring"), ("--topology", "star"),
                      ("--topology", "random", "--outbound", 2),
                      ("--profile", "tendermint"), ("--profile", "cometbft")):
            lines, _ = self.sim("--nodes", 8, "--minutes", 2, *flags)
            self.assertRegex("\n".join(lines), r"connected +100\.00 %", flags)

    def test_faults_are_survived(self):
        self.sim("--nodes", 15, "--minutes", 8, "--profile", "cometbft", "--faults", "all")
        self.sim("--nodes", 10, "--minutes", 4, "--faults", "crash,reset,clock")

    def test_trace_as_text(self):
        path = self.dir / "trace"
        self.sim("--nodes", 3, "--minutes", 1, "--trace", path)
        self.assertIn(" event peer_up ", path.read_text())

    def test_what_it_refuses(self):
        for flags in (("--nodes", 1), ("--nodes", 20001), ("--topology", "mesh"),
                      ("--profile", "noise"), ("--faults", "fire"), ("--minutes", 0),
                      ("--minutes", 1, "--join", 60)):
            _, err = self.run_yard("sim", *flags, status=2)
            self.assertIn(str(flags[-2]), err)
        _, err = self.run_yard("sim", "--report", "/proc/none/such", status=1)
        self.assertIn("/proc/none/such", err)


if __name__ == "__main__":
    unittest.main()
