# SPDX-License-Identifier: Apache-2.0
"""check-config, and how bad configurations are refused."""

import json
import re
import unittest

from harness import DATA, YardTest


class CheckConfig(YardTest):
    def values(self, out):
        """{"[table] key": (value, origin)}"""
        table, found = "", {}
        for line in out.split("\n# Together")[0].splitlines():
            head = re.fullmatch(r"\[(.*)\]", line)
            row = re.fullmatch(r"(\w+) = (.*?) +# (.*)", line)
            if head:
                table = head.group(1)
            elif row:
                found[f"{table}.{row.group(1)}".lstrip(".")] = row.group(2, 3)
        return found

    def test_values_and_origins(self):
        home = self.home()
        self.set_config(home, 'moniker = "top"\n\n[p2p]\nsend_rate = 7\nupnp = true\n'
                              '[switchyard]\nchain_id = "c"\n')
        out, err = self.run_yard("check-config", "--home", home, "--p2p.recv-rate", "8",
                                 "--profiles", '["plain"]')
        self.assertEqual(err, "")
        values = self.values(out)
        self.assertEqual(values["moniker"], ('"top"', "line 1"))
        self.assertEqual(values["p2p.send_rate"], ("7", "line 4"))
        self.assertEqual(values["p2p.recv_rate"], ("8", "flag"))
        self.assertEqual(values["p2p.upnp"], ("true", "line 5, no effect"))
        self.assertEqual(values["p2p.dial_timeout"], ('"3s"', "default"))
        self.assertEqual(values["p2p.seeds"], ('""', "default"))
        self.assertEqual(values["switchyard.profiles"], ('["plain"]', "flag"))
        self.assertIn("#   file of CometBFT\n", out)
        self.assertIn("chain_id c, moniker top", out)
        self.assertIn(f"chain_id from {home}/config/config.toml:7: switchyard.chain_id\n", out)
        self.assertIn(f"#     moniker from {home}/config/config.toml:1: moniker\n", out)
        self.assertRegex(out, r"#   memory, worst case: \d+ bytes")
        self.assertIn("config.toml:5: p2p.upnp: accepted, no effect: ", out)

    def test_the_memory_that_it_names_is_the_one_that_start_logs(self):
        home = self.home()
        out, _ = self.run_yard("check-config", "--home", home, "--pending_handshakes", "77")
        worst = re.search(r"worst case: (\d+) bytes", out).group(1)
        node = self.node("--pending_handshakes", "77")
        self.assertEqual(node.wait_log(r"event=limits .* worst_case_bytes=(\d+)$").group(1), worst)

    def test_what_real_programs_write_is_fine(self):
        for path in sorted((DATA / "config").glob("*.toml")):
            with self.subTest(file=path.name):
                home = self.home(path.stem)
                self.set_config(home, path.read_text())
                (home / "config" / "genesis.json").write_text('{"chain_id": "from-genesis"}')
                out, err = self.run_yard("check-config", "--home", home)
                self.assertEqual(err, "")
                self.assertIn("chain_id from-genesis, moniker sample", out)
                self.assertIn(f"#     chain_id from {home}/config/genesis.json\n", out)
                tendermint = path.stem.startswith("tendermint")
                profile = "tendermint" if tendermint else "cometbft"
                self.assertIn(f"#   profiles {profile}\n", out)
                self.assertIn("#   peers: 40 inbound, 10 outbound,", out)
                self.assertIn("#   peers per IP: %s\n" % ("no limit" if tendermint else "1"), out)

    # text of the file, flags, what the message says behind the path
    REFUSED = (
        ("[p2p]\nladdr = 5\n", [], ":2: p2p.laddr: 5 is a number, not a text"),
        ("[p2p]\nladdr = \"tcp://0.0.0.0:x\"\n", [], ":2: p2p.laddr: \"tcp://0.0.0.0:x\": "),
        ("\n[p2p\n", [], ":2: "),
        ("[p2p]\npersistent_peers = \"a@b:1\"\n", [],
         ":2: p2p.persistent_peers: entry 1 \"a@b:1\": address has a malformed ID"),
        ("[p2p]\nmax_packet_msg_payload_size = 4194305\n", [],
         ":2: p2p.max_packet_msg_payload_size: 4194305 is above the limit of 4194304"),
        ("[switchyard]\n\nprofiles = [\"tor\"]\n", [],
         ":3: switchyard.profiles: \"tor\" is none of"),
        ("filter_peers = true\nproxy_app = \"noop\"\n", [],
         ":2: proxy_app: \"noop\" is an application "),
        ("", ["--p2p.dial_timeout", "0s"], "flag --p2p.dial_timeout: 0s is below the limit of 1ms"),
        ("", ["--p2p.dial-timeout", "x"], "flag --p2p.dial-timeout: \"x\" is no duration"),
        ("", ["--profiles", "tendermint"], "flag --profiles: \"tendermint\" is no list"),
        ("", ["--filter_peers", "--abci", "grpc"], "flag --abci: \"grpc\": filter_peers asks over"),
        ("", ["--p2p.laddr", "nowhere"], "flag --p2p.laddr: \"nowhere\": "),
    )

    def test_check_config_says_whom_filter_peers_asks(self):
        home = self.home()
        self.set_config(home, "filter_peers = true\nproxy_app = \"unix:///run/app.sock\"\n"
                              "[switchyard]\nfilter_timeout = \"2s\"\n"
                              "abci_dialect = \"0.34\"\n")
        out, _ = self.run_yard("check-config", "--home", home, "--chain-id", "c")
        self.assertIn("#   filter_peers asks the application at unix:///run/app.sock "
                      "(dialect 0.34); no answer within 2s: refuse\n", out)
        out, _ = self.run_yard("check-config", "--home", home, "--chain-id", "c",
                               "--filter_peers", "false")
        self.assertNotIn("asks the application", out)

    # KEY-TEST filter_peers abci
    def test_refusals_of_start_and_check_config(self):
        home = self.home()
        for text, flags, says in self.REFUSED:
            with self.subTest(text=text, flags=flags):
                self.set_config(home, text)
                path = str(home / "config" / "config.toml")
                for command in ("check-config", "start"):
                    out, err = self.run_yard(command, "--home", home, "--chain-id", "c", *flags,
                                             status=1)
                    self.assertEqual(out, "")
                    self.assertIn("error: " + (path if says.startswith(":") else "") + says, err)

    def test_unknown_keys_warn_with_their_line(self):
        home = self.home()
        self.set_config(home, "x = 1\n[p2p]\nlader = 1\n[rpc]\ny = 1\n[switchyard]\nz = 1\n")
        _, err = self.run_yard("check-config", "--home", home, "--chain-id", "c")
        path = home / "config" / "config.toml"
        self.assertEqual(err.splitlines(), [
            f"warning: {path}:3: p2p.lader: unknown key, ignored",
            f"warning: {path}:7: switchyard.z: unknown key, ignored"])
        node = self.node("--chain-id", "c")
        node.wait_log(r'level=warn .*event=config .*config\.toml text="3: p2p\.lader: unknown key, '
                      "ignored")

    def test_no_home_and_no_chain_id(self):
        _, err = self.run_yard("start", "--home", self.dir / "none", status=1)
        self.assertIn("config.toml: No such file or directory", err)
        self.assertIn("yard init --home", err)
        home = self.home()
        self.set_config(home, "")
        _, err = self.run_yard("start", "--home", home, status=1)
        self.assertIn("error: no chain_id: set it in [switchyard] of ", err)
        self.assertIn("genesis.json", err)

    def test_a_broken_node_key_stops_the_start(self):
        home = self.home()
        (home / "config" / "node_key.json").write_text(json.dumps({"priv_key": {}}))
        out, err = self.run_yard("start", "--home", home, "--p2p.laddr", "tcp://127.0.0.1:0",
                                 status=1)
        self.assertEqual(out, "")
        self.assertIn("node_key.json: malformed node key", err)


if __name__ == "__main__":
    unittest.main()
