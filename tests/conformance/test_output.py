#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What yardspec prints: text, JSON, JUnit XML, evidence, lists, help; and its exit status."""

import json
import os
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import node

FAILS = ["--setting", "max_num_inbound_peers=2", "--only", "inbound-full"]  # it takes 110
FIELDS = {"id", "clause", "group", "title", "verdict", "detail", "ms", "expected", "ports", "dials",
          "evidence"}


def spec(*args):
    done = subprocess.run([node.program("yardspec")] + [str(a) for a in args], text=True,
                          capture_output=True, timeout=120 * node.SCALE, check=False)
    return done.returncode, done.stdout, done.stderr


class Output(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.target = node.Node()
        cls.base = [cls.target.addr, "--profile", "cometbft", "--timeout", 3 * node.SCALE]

    @classmethod
    def tearDownClass(cls):
        cls.target.stop()

    def test_text(self):
        status, out, err = spec(*self.base, "--only", "cb-sig-63", "--only", "channels-one",
                                "--only", "silent-tcp")
        self.assertEqual((status, err), (0, ""))
        lines = out.splitlines()
        self.assertIn("speaks cometbft on network \"spec-net\"", lines[0])
        self.assertRegex(lines[1], r"^pass      CC-33   cb-sig-63 +a signature of 63 bytes$")
        self.assertRegex(lines[2], r"^pass      NI-40   channels-one +one channel, in common$")
        self.assertRegex(lines[3], r"^skip      SW-02   silent-tcp ")
        self.assertIn("--slow runs it", lines[4])
        self.assertEqual(lines[5:], ["2 passed, 0 failed, 0 deviations, 1 skipped"])

    def test_text_of_a_failure(self):
        status, out, _ = spec(*self.base, *FAILS)
        self.assertEqual(status, 1)
        self.assertRegex(out, r"(?m)^fail +SW-14 +inbound-full")
        self.assertRegex(out, r"(?m)^ +sent 2 connections .*; expected that .*; came: ")
        self.assertIn("0 passed, 1 failed", out)

    def test_json(self):
        status, out, _ = spec(*self.base, "--json", "--only", "cb-sig-63", *FAILS)
        self.assertEqual(status, 1)
        document = json.loads(out)
        self.assertEqual(document["target"], self.target.addr)
        self.assertEqual((document["profile"], document["dialed_by"], document["network"]),
                         ("cometbft", "yardspec", "spec-net"))
        self.assertEqual(document["totals"], {"pass": 1, "fail": 1, "skip": 0, "deviation": 0})
        self.assertEqual([c["id"] for c in document["cases"]], ["cb-sig-63", "inbound-full"])
        for case in document["cases"]:
            self.assertEqual(set(case), FIELDS)
            self.assertGreater(case["ms"], 0)
        self.assertEqual([c["verdict"] for c in document["cases"]], ["pass", "fail"])

    def test_evidence(self):
        _, out, _ = spec(*self.base, "--json", "--only", "cb-sig-63")
        trace, = json.loads(out)["cases"][0]["evidence"]
        self.assertEqual((trace["dialed_by"], trace["closed_by"]), ("yardspec", "target"))
        self.assertEqual((trace["sent"]["bytes"], trace["sent"]["frames"]), (35 + 1044, 1))
        self.assertEqual(len(trace["sent"]["hex"]), 2 * (35 + 1044))
        self.assertTrue(trace["sent"]["hex"].startswith("220a20"))
        self.assertTrue(trace["received"]["hex"].startswith("220a20"))
        ours = [f for f in trace["frames"] if f["from"] == "yardspec"]
        self.assertEqual(len(ours), 1)
        # [0a[0a[key of 32 bytes]] 12[63 bytes]] with a length in front
        self.assertRegex(ours[0]["hex"], r"^650a220a20[0-9a-f]{64}123f[0-9a-f]{126}$")
        self.assertEqual(ours[0]["bytes"], 102)

    def test_evidence_is_bounded(self):
        _, out, _ = spec(*self.base, "--json", "--only", "echo-sizes")
        trace, = json.loads(out)["cases"][0]["evidence"]
        self.assertGreater(trace["sent"]["bytes"], 300000)
        self.assertEqual(len(trace["sent"]["hex"]), 2 * 4096)
        self.assertLessEqual(sum(len(f["hex"]) for f in trace["frames"]), 2 * 2 * 4096)

    def test_verbose(self):
        _, out, _ = spec(*self.base, "--verbose", "--only", "cb-sig-63")
        self.assertIn("connection dialed by yardspec, our port ", out)
        self.assertIn("closed by target after ", out)
        self.assertRegex(out, r"frame from yardspec, 102 bytes\n +650a220a20[0-9a-f]{54}\n")

    def test_junit(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "report.xml")
            status, _, _ = spec(*self.base, "--junit", path, "--only", "cb-sig-63", "--only",
                                "silent-tcp", *FAILS)
            self.assertEqual(status, 1)
            suite = ElementTree.parse(path).getroot()
        self.assertEqual((suite.tag, suite.get("tests"), suite.get("failures"),
                          suite.get("skipped")), ("testsuite", "3", "1", "1"))
        cases = suite.findall("testcase")
        self.assertEqual([c.get("classname") for c in cases], ["auth", "limits", "deadlines"])
        self.assertEqual(cases[0].get("name"), "CC-33 cb-sig-63: a signature of 63 bytes")
        self.assertEqual([[child.tag for child in c] for c in cases],
                         [[], ["failure", "system-out"], ["skipped"]])
        self.assertIn("expected that", cases[1].find("failure").get("message"))
        self.assertIn("frame from target", cases[1].find("system-out").text)

    def test_junit_that_cannot_be_written(self):
        status, _, err = spec(*self.base, "--junit", "/no/such/folder/x", "--only", "cb-sig-63")
        self.assertEqual(status, 1)
        self.assertIn("cannot write /no/such/folder/x", err)

    def test_list(self):
        _, text, _ = spec("--list", "--profile", "tendermint")
        _, out, _ = spec("--list", "--profile", "tendermint", "--json")
        listed = json.loads(out)
        self.assertEqual(len(text.splitlines()), len(listed))
        self.assertGreater(len(listed), 250)
        for entry in listed:
            self.assertLessEqual({"id", "clause", "group", "title"}, set(entry))
            self.assertIn("tendermint", entry["profiles"])
            self.assertLessEqual(set(entry["roles"]), {"dial", "listen"})
        slow = {e["id"] for e in listed if e["slow"]}
        self.assertIn("silent-tcp", slow)
        _, out, _ = spec("--list", "--json", "--setting", "handshake_timeout=2")
        self.assertNotIn("silent-tcp", {e["id"] for e in json.loads(out) if e["slow"]})

    def test_help_and_manual_have_the_same_flags(self):
        status, text, _ = spec("--help")
        self.assertEqual(status, 0)
        page = (node.ROOT / "docs" / "man" / "yardspec.1").read_text().replace("\\-", "-")
        flags = set(re.findall(r"(?m)^  (--[a-z-]+)", text)) | {"--help"}
        self.assertEqual(flags, set(re.findall(r"(?m)^\.B (--[a-z-]+)$", page)))
        source = (node.ROOT / "cmd" / "yardspec" / "main.c").read_text()
        self.assertEqual(flags, set(re.findall(r'\{"(--[a-z-]+)", ', source)))
        settings = set(re.findall(r'\{"([a-z_]+)", &settings->', source))
        for name in settings | {"allow_duplicate_ip", "seed_mode"}:
            self.assertIn(name, text)
            self.assertIn(name, page)

    def test_usage_errors(self):
        for args in ([], ["x"], ["--no-such"], [self.target.addr, "again"],
                     [self.target.addr, "--only", "nothing"], [self.target.addr, "--timeout", "x"],
                     [self.target.addr, "--setting", "colour=red"], ["--timeout"],
                     [self.target.addr, "--listen", "127.0.0.1:0"], ["--listen", "somewhere:1"],
                     ["--listen", "127.0.0.1:0", "--expect-id", "ab"]):
            status, out, err = spec(*args)
            self.assertEqual((status, out), (2, ""), args)
            self.assertIn("yardspec: ", err)

    def test_nobody_there(self):
        status, out, err = spec("0" * 40 + "@127.0.0.1:1", "--timeout", 1)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("cannot be judged", err)

    def test_another_id_than_named(self):
        address = self.target.addr.split("@")[1]
        status, _, err = spec("0" * 40 + "@" + address, "--profile", "cometbft")
        self.assertEqual(status, 1)
        self.assertIn("the target's own ID", err)


class Listening(unittest.TestCase):
    """The node dials."""

    def run_with(self, *args):
        def start(address):
            self.address = address
            return node.Node(profiles='["tendermint"]',
                             extra=["--p2p.persistent_peers", address] + node.REDIAL)
        target, status, document, err = node.spec_listening(
            start, "--timeout", 3 * node.SCALE, "--wait", 10 * node.SCALE, *args)
        target.stop()
        return target, status, document, err

    def test_json(self):
        target, status, document, _ = self.run_with("--only", "dialer-first", "--only", "tm-sig-63",
                                                    "--only", "first-http")
        self.assertEqual(status, 0)
        self.assertEqual((document["target"], document["dialed_by"], document["profile"]),
                         (target.id, "target", "tendermint"))
        self.assertEqual([c["id"] for c in document["cases"]], ["tm-sig-63", "dialer-first"])
        for case in document["cases"]:
            self.assertEqual({t["dialed_by"] for t in case["evidence"]}, {"target"})

    def test_expected_id(self):
        _, status, document, err = self.run_with("--expect-id", "0" * 40, "--only", "dialer-first")
        self.assertEqual((status, document), (1, None))
        self.assertIn("the target's own ID", err)

    def test_key_of_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([node.program("yard"), "init", "--home", folder, "--chain-id", "x"],
                           check=True, stdout=subprocess.DEVNULL)
            own = subprocess.run([node.program("yard"), "show-node-id", "--home", folder],
                                 check=True, capture_output=True, text=True).stdout.strip()
            key = Path(folder) / "config" / "node_key.json"
            _, status, _, _ = self.run_with("--node-key", key, "--only", "dialer-first")
        self.assertEqual(status, 0)
        self.assertTrue(self.address.startswith(own + "@"))

    def test_nobody_dials(self):
        status, out, err = spec("--listen", "127.0.0.1:0", "--wait", 0.3)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("that the target dials", err)


if __name__ == "__main__":
    unittest.main()
