# SPDX-License-Identifier: Apache-2.0
"""init, show-node-id, gen-node-key, testnet, version, help: files and words."""

import json
import re
import stat
import tomllib
import unittest
from pathlib import Path

from harness import TOP, YardTest


class Init(YardTest):
    # SPEC-TEST ID-14
    def test_writes_a_home(self):
        home = self.dir / "a" / "b"
        out, _ = self.run_yard("init", "--home", home, "--chain-id", "my-chain", "--moniker", "me")
        node_id = re.search(r"^node ([0-9a-f]{40})$", out, re.M).group(1)

        self.assertTrue((home / "data").is_dir())
        key = home / "config" / "node_key.json"
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
        document = json.loads(key.read_text())
        self.assertEqual(document["priv_key"]["type"], "tendermint/PrivKeyEd25519")
        self.assertEqual(self.run_yard("show-node-id", "--home", home)[0], node_id + "\n")
        self.assertEqual(self.run_yard("show_node_id", f"--home={home}")[0], node_id + "\n")

        config = tomllib.loads((home / "config" / "config.toml").read_text())
        self.assertEqual(config["moniker"], "me")
        self.assertEqual(config["switchyard"]["chain_id"], "my-chain")
        self.assertEqual(config["switchyard"]["profiles"], ["tendermint", "cometbft"])
        self.assertEqual((config["p2p"]["send_rate"], config["p2p"]["recv_rate"]), (0, 0))
        self.assertEqual(sorted(p.name for p in (home / "config").iterdir()),
                         ["config.toml", "node_key.json"])

    # SPEC-TEST ID-14
    def test_never_overwrites(self):
        home = self.home()
        before = {p: p.read_bytes() for p in (home / "config").iterdir()}
        for missing in (None, "config.toml", "node_key.json"):
            if missing:
                (home / "config" / missing).unlink()
            left = {p: p.read_bytes() for p in (home / "config").iterdir()}
            _, err = self.run_yard("init", "--home", home, "--chain-id", "x", status=1)
            self.assertIn("exists already; nothing was written", err)
            self.assertEqual({p: p.read_bytes() for p in (home / "config").iterdir()}, left)
            for path, content in before.items():
                path.write_bytes(content)

    def test_wants_a_chain_id(self):
        _, err = self.run_yard("init", "--home", self.dir / "x", status=2)
        self.assertIn("--chain-id", err)
        for bad in ("", "a" * 51, 'a"b', "a\\b", "a\nb", "\u00e9"):
            with self.subTest(bad=bad):
                self.run_yard("init", "--home", self.dir / "x", "--chain-id", bad, status=2)
        self.assertFalse((self.dir / "x").exists())
        self.run_yard("init", "--home", self.dir / "x", "--chain_id", "a" * 50)


class Key(YardTest):
    def test_gen_node_key_makes_one_only(self):
        home = self.dir / "new"
        made, _ = self.run_yard("gen-node-key", "--home", home)
        self.assertEqual(self.run_yard("show-node-id", "--home", home)[0], made)
        _, err = self.run_yard("gen-node-key", "--home", home, status=1)
        self.assertIn("exists already", err)
        self.assertEqual(self.run_yard("show-node-id", "--home", home)[0], made)

    # KEY-TEST node_key_file
    def test_the_key_file_of_the_configuration(self):
        home = self.home()
        other = self.set_config(home, 'node_key_file = "data/other.json"\n')
        _, err = self.run_yard("show-node-id", "--home", other, status=1)
        self.assertIn("data/other.json: No such file", err)
        made, _ = self.run_yard("gen-node-key", "--home", home)
        self.assertTrue((home / "data" / "other.json").exists())
        self.assertEqual(self.run_yard("show-node-id", "--home", home)[0], made)

    def test_a_broken_key_is_told_apart(self):
        home = self.home()
        key = home / "config" / "node_key.json"
        document = json.loads(key.read_text())
        secret = document["priv_key"]["value"]
        for content, says in (
                ("{", "malformed"),
                (json.dumps({"priv_key": {"type": "tendermint/PrivKeySecp256k1", "value": secret}}),
                 "not Ed25519"),
                (json.dumps({"priv_key": {"type": "tendermint/PrivKeyEd25519",
                                          "value": secret[:-8] + "AAAAAA=="}}), "does not match")):
            with self.subTest(says=says):
                key.write_text(content)
                _, err = self.run_yard("show-node-id", "--home", home, status=1)
                self.assertIn(str(key), err)
                self.assertIn(says, err)
                self.assertNotIn(secret[:16], err)


class Testnet(YardTest):
    def test_homes_know_each_other(self):
        out, _ = self.run_yard("testnet", 3, "--output", self.dir / "net", "--starting-port", 30000,
                               "--chain-id", "net-1")
        lines = [line.split() for line in out.splitlines()]
        addresses = [address for _, address in lines]
        self.assertEqual([a.split("@")[1] for a in addresses],
                         ["127.0.0.1:30000", "127.0.0.1:30001", "127.0.0.1:30002"])
        for i, (home, address) in enumerate(lines):
            config = tomllib.loads(Path(home, "config", "config.toml").read_text())
            self.assertEqual(config["p2p"]["persistent_peers"].split(","),
                             addresses[:i] + addresses[i + 1:])
            self.assertEqual(config["switchyard"]["chain_id"], "net-1")
            node_id, _ = self.run_yard("show-node-id", "--home", home)
            self.assertEqual(node_id.strip(), address.split("@")[0])
            self.run_yard("check-config", "--home", home)

    def test_bad_numbers(self):
        for args in (["0"], ["x"], ["-1"], ["1001"], [], ["1", "2"],
                     ["2", "--starting-port", "65535"], ["2", "--starting-port", "0"]):
            with self.subTest(args=args):
                self.run_yard("testnet", *args, "--output", self.dir / "net", status=2)
        self.run_yard("testnet", "1", "--output", self.dir / "net", "--starting-port", "65535")


class Words(YardTest):
    COMMANDS = ("init", "start", "show-node-id", "gen-node-key", "check-config", "probe", "testnet",
                "version")

    def test_help(self):
        out, _ = self.run_yard("help")
        self.assertEqual(self.run_yard("--help")[0], out)
        self.assertEqual(self.run_yard(status=2)[0], out)
        for command in self.COMMANDS:
            with self.subTest(command=command):
                self.assertIn(f"  {command} ", out)
                text, _ = self.run_yard(command, "--help")
                self.assertTrue(text.startswith(f"usage: yard {command}"), text)
                self.assertEqual(self.run_yard("help", command)[0], text)
                self.assertEqual(self.run_yard(command, "-h")[0], text)

    def test_what_is_unknown_is_named(self):
        for args, says in ((["frobnicate"], 'unknown command "frobnicate"'),
                           (["help", "frobnicate"], 'unknown command "frobnicate"'),
                           (["start", "--frobnicate"], "unknown flag --frobnicate"),
                           (["start", "--p2p.frobnicate", "1"], "unknown flag --p2p.frobnicate"),
                           (["version", "--home", "x"], "unknown flag --home"),
                           (["start", "x"], "unexpected argument x"),
                           (["start", "--home"], "a value is missing after --home"),
                           (["probe"], "missing argument ID@host:port")):
            with self.subTest(args=args):
                out, err = self.run_yard(*args, status=2)
                self.assertEqual(out, "")
                self.assertIn(says, err)
                self.assertIn("help", err)

    def test_version(self):
        out, _ = self.run_yard("version")
        self.assertRegex(out, r"^yard \d+\.\d+\.\d+\n$")
        self.assertEqual(self.run_yard("--version")[0], out)

    def test_the_reference_page_is_the_table(self):
        page = (TOP / "docs" / "CONFIG.md").read_text()
        printed = page[:page.index("<!-- Written by tests/tidy/keys.py")]
        self.assertEqual(printed, self.run_yard("help", "keys")[0] + "\n",
                         "write it again: yard help keys >docs/CONFIG.md; echo >>docs/CONFIG.md; "
                         "tests/tidy/keys.py --write")


if __name__ == "__main__":
    unittest.main()
