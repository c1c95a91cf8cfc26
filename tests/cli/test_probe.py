# SPDX-License-Identifier: Apache-2.0
"""probe, against yard itself and against peers that misbehave."""

import json
import socket
import threading
import time
import unittest

from harness import YardTest

SOME_ID = "0123456789abcdef0123456789abcdef01234567"


class Server:
    """Accepts connections; each one is handed to a function on a thread of its own."""

    def __init__(self, test, serve):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.serve = serve
        test.addCleanup(self.socket.close)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                stream, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()


class Probe(YardTest):
    def probe(self, *args, status=0):
        out, err = self.run_yard("probe", "--json", *args, status=status)
        self.assertEqual(err, "")
        document = json.loads(out)
        self.assertEqual(sorted(document), ["error", "id", "node_info", "profile", "steps"])
        names = [step["name"] for step in document["steps"]]
        self.assertEqual(len(names), len(set(names)), names)
        for step in document["steps"]:
            self.assertGreaterEqual(step["ms"], 0)
        return document

    # SPEC-TEST NI-17 NI-18 NI-19 NI-20
    def test_learns_and_is_accepted(self):
        node = self.node("--echo_channels", "[0x21, 0x30]", "--moniker", "probed one",
                         "--p2p.pex", "false")
        for profile in ("auto", "cometbft", "tendermint"):
            with self.subTest(profile=profile):
                document = self.probe(node.full, "--profile", profile)
                self.assertIsNone(document["error"])
                self.assertEqual(document["id"], node.id)
                self.assertEqual(document["profile"], "cometbft" if profile == "auto" else profile)
                info = document["node_info"]
                self.assertEqual(info["network"], "cli-net")
                self.assertEqual(info["moniker"], "probed one")
                self.assertEqual(info["channels"], "2130")
                self.assertEqual([s["name"] for s in document["steps"]],
                                 ["learn.connect", "learn.identity", "learn.node_info",
                                  "connect", "identity", "node_info", "checks", "ping"])
        self.assertEqual(len(node.log().split("event=peer_added")), 4)
        self.assertEqual(node.stop(), 0)

    def test_auto_finds_the_other_profile(self):
        node = self.node("--profiles", '["tendermint"]', "--echo_channels", "[1]")
        document = self.probe(node.full)
        self.assertEqual(document["profile"], "tendermint")
        self.assertEqual(document["steps"][0]["name"], f"tried cometbft at {node.addr}")

    def test_a_node_without_channels(self):
        node = self.node("--p2p.pex", "false")
        self.assertEqual(self.probe(node.full)["node_info"]["channels"], "")

    def test_plain_and_names(self):
        node = self.node("--profiles", '["plain"]', "--echo_channels", "[1]")
        document = self.probe(f"{node.id}@localhost:{node.addr.split(':')[1]}",
                              "--profile", "plain")
        self.assertEqual(document["profile"], "plain")
        self.assertEqual(document["steps"][0]["name"], "resolve")

    def test_uses_the_key_of_a_home(self):
        node = self.node("--echo_channels", "[1]", name="node")
        home = self.home("prober")
        own = self.run_yard("show-node-id", "--home", home)[0].strip()
        self.probe(node.full, "--home", home)
        node.wait_log(f"event=peer_added .*id={own}")

    def test_human_words(self):
        node = self.node("--echo_channels", "[1]")
        out, _ = self.run_yard("probe", node.full)
        lines = out.splitlines()
        self.assertRegex(lines[-1], rf"^accepted: {node.full} speaks cometbft on network "
                                    r'"cli-net", version \S+, moniker ".*"; ping [\d.]+ ms$')
        self.assertTrue(all(" ms  " in line for line in lines[:-1]), out)
        out, _ = self.run_yard("probe", node.full, "--chain-id", "other", status=1)
        self.assertRegex(out.splitlines()[-1], "^not accepted: NI_NETWORK at stage node_info: ")

    def refused(self, stage, code, *args):
        document = self.probe(*args, status=1)
        error = document["error"]
        self.assertEqual((error["stage"], error["code"]), (stage, code), document)
        self.assertTrue(error["text"])
        return document

    def test_refusals_name_their_stage(self):
        node = self.node("--echo_channels", "[1]")
        self.refused("node_info", "NI_NETWORK", node.full, "--chain-id", "other")
        found = self.refused("identity", "ID_MISMATCH", f"{SOME_ID}@{node.addr}")
        self.assertEqual(found["id"], node.id, "it says whom it found")
        self.refused("node_info", "NI_BLOCK_VERSION",
                     self.node("--block_version", "12", name="b").full, "--chain-id", "cli-net")
        full = self.node("--p2p.max_num_inbound_peers", "0", "--p2p.max_num_outbound_peers", "0",
                         "--echo_channels", "[1]", name="full")
        document = self.probe(full.full, status=1)
        self.assertIn(document["error"]["code"], ("REMOTE_CLOSED", "REMOTE_RESET"))

    def test_nobody_there(self):
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            self.refused("connect", "CONNECT", f"{SOME_ID}@127.0.0.1:{bound.getsockname()[1]}")
        self.refused("resolve", "RESOLVE", f"{SOME_ID}@nosuch.invalid:26656")

    def test_silence_ends_in_time(self):
        server = Server(self, lambda stream: time.sleep(60))
        for profile in ("cometbft", "auto"):
            with self.subTest(profile=profile):
                started = time.monotonic()
                self.refused("handshake", "HANDSHAKE_TIMEOUT", f"{SOME_ID}@127.0.0.1:{server.port}",
                             "--timeout", "1.5", "--profile", profile)
                self.assertLess(time.monotonic() - started, 8)

    def test_another_protocol(self):
        def web_server(stream):
            stream.recv(100)
            stream.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            stream.close()
        server = Server(self, web_server)
        document = self.probe(f"{SOME_ID}@127.0.0.1:{server.port}", status=1)
        self.assertEqual(document["error"]["stage"], "handshake")
        self.assertIsNone(document["profile"])

    def test_bad_arguments(self):
        for args in (["localhost:26656"], ["x@localhost:26656"], [f"{SOME_ID}@localhost"],
                     [f"{SOME_ID}@localhost:0"], [f"{SOME_ID}@localhost:70000"],
                     [f"{SOME_ID}@h:1", "--profile", "tor"], [f"{SOME_ID}@h:1", "--timeout", "0"],
                     [f"{SOME_ID}@h:1", "--timeout", "x"], [f"{SOME_ID}@h:1", "--timeout", "601"]):
            with self.subTest(args=args):
                out, err = self.run_yard("probe", *args, status=2)
                self.assertEqual(out, "")
                self.assertTrue(err.startswith("yard: probe: "), err)


if __name__ == "__main__":
    unittest.main()
