# SPDX-License-Identifier: Apache-2.0
"""start: the ready line, signals, logs, peers."""

import json
import os
import re
import signal
import socket
import time
import unittest
from pathlib import Path

from harness import DATA, PATIENCE_S, YardTest


class Start(YardTest):
    def test_ready_line_names_the_port_that_listens(self):
        node = self.node()
        host, port = node.addr.rsplit(":", 1)
        self.assertEqual(host, "127.0.0.1")
        self.assertNotEqual(port, "0")
        socket.create_connection((host, int(port)), 10).close()
        self.assertEqual(self.run_yard("show-node-id", "--home", node.home)[0].strip(), node.id)
        self.assertEqual(node.stop(), 0)
        self.assertEqual(node.child.stdout.read(), "", "nothing but the ready line")

    # KEY-TEST p2p.laddr
    def test_forms_of_laddr(self):
        for laddr, want in (("127.0.0.1:0", r"127\.0\.0\.1:\d+"), ("tcp://:0", r"\S+:\d+"),
                            ("tcp://localhost:0", r"(127\.0\.0\.1|\[::1\]):\d+"), ("", "-")):
            with self.subTest(laddr=laddr):
                node = self.node(laddr=laddr)
                self.assertRegex(node.addr, "^" + want + "$")
                self.assertEqual(node.stop(), 0)

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                node = self.node()
                node.signal(number)
                self.assertEqual(node.wait(), 0)
                self.assertRegex(node.log(), r"event=stopped")
        node = self.node()
        node.signal(signal.SIGHUP)
        node.wait_log(r"event=reload")
        self.assertEqual(node.stop(), 0)

    def test_a_taken_port_is_an_error(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            _, err = self.run_yard("start", "--home", self.home(), "--p2p.laddr",
                                   f"tcp://127.0.0.1:{port}", status=1)
            self.assertIn(f"tcp://127.0.0.1:{port}: ", err)
            self.assertIn("in use", err)

    def test_logs_are_lines_of_their_format(self):
        node = self.node("--log_format", "json", "--log_level", "debug")
        self.assertEqual(node.stop(), 0)
        records = [json.loads(line) for line in node.log().splitlines()]
        self.assertIn("stopped", [r["event"] for r in records])
        for record in records:
            self.assertRegex(record["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        node = self.node("--log_level", "none", name="quiet")
        self.assertEqual(node.stop(), 0)
        self.assertEqual(node.log(), "")

    def test_makes_a_missing_key_and_warns_of_an_open_one(self):
        home = self.home()
        key = home / "config" / "node_key.json"
        key.unlink()
        node = self.node()
        node.wait_log(r"level=warn .*event=node_key_created")
        self.assertEqual(node.stop(), 0)
        self.assertEqual(self.run_yard("show-node-id", "--home", home)[0].strip(), node.id)
        os.chmod(key, 0o644)
        node = self.node()
        node.wait_log(r"level=warn .*event=node_key_mode .*chmod 600")
        self.assertEqual(node.stop(), 0)

    def test_an_operators_file_starts_unchanged(self):
        for path in sorted((DATA / "config").glob("*.toml")):
            with self.subTest(file=path.name):
                home = self.home(path.stem)
                self.set_config(home, path.read_text())
                (home / "config" / "genesis.json").write_text('{"chain_id": "g"}')
                node = self.node(name=path.stem)
                node.wait_log(r"event=limits ")
                self.assertEqual(node.stop(), 0)


class Peers(YardTest):
    def pair(self, *flags):
        first = self.node(*flags, name="first")
        second = self.node("--p2p.persistent_peers", first.full, *flags, name="second")
        second.wait_log(f"event=peer_added .*id={first.id}")
        first.wait_log(f"event=peer_added .*id={second.id}")
        return first, second

    # KEY-TEST p2p.persistent_peers
    def test_persistent_peers_meet_and_part(self):
        first, second = self.pair()
        self.assertEqual(second.stop(), 0)
        first.wait_log(f"event=peer_removed .*id={second.id} .*reason=REMOTE_CLOSED")
        self.assertEqual(first.stop(), 0)

    # KEY-TEST switchyard.profiles
    def test_each_profile(self):
        for profile in ("tendermint", "cometbft", "plain"):
            with self.subTest(profile=profile):
                first, second = self.pair("--profiles", json.dumps([profile]))
                second.wait_log(f"event=peer_added .*profile={profile} ")
                self.assertEqual((second.stop(), first.stop()), (0, 0))

    # KEY-TEST switchyard.echo_channels switchyard.echo_interval switchyard.echo_probe_len
    def test_echo_probes_come_back(self):
        first, second = self.pair("--echo_channels", "[0x20, 0x80]", "--echo_interval", "50ms",
                                  "--echo_probe_len", "100000")
        for node, other in ((first, second), (second, first)):
            for channel in (0x20, 0x80):
                match = node.wait_log(rf"event=echo_answer .*id={other.id} channel={channel} "
                                      r"number=\d+ len=100000 ms=([\d.]+)$", count=3)
                self.assertLess(float(match.group(1)), 10000)
        self.assertEqual((second.stop(), first.stop()), (0, 0))

    def test_a_killed_peer_is_back_within_seconds(self):
        first, second = self.pair()
        port = int(first.addr.rsplit(":", 1)[1])
        first.kill()
        second.wait_log(f"event=peer_removed .*id={first.id}")
        time.sleep(3)
        again = self.node(name="first", laddr=f"tcp://127.0.0.1:{port}")
        started = time.monotonic()
        second.wait_log(f"event=peer_added .*id={first.id}", count=2)
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual((second.stop(), again.stop()), (0, 0))

    # KEY-TEST switchyard.linger_timeout
    def test_a_second_signal_ends_at_once(self):
        """The peer does not read: the first signal waits for the queue, the second does not."""
        first, second = self.pair("--linger_timeout", "60s", "--echo_channels", "[0x20]",
                                  "--echo_interval", "5ms", "--echo_probe_len", "4000000")
        first.signal(signal.SIGSTOP)
        self.addCleanup(first.signal, signal.SIGCONT)
        self.wait_until_unsent(int(first.addr.rsplit(":", 1)[1]))
        second.signal(signal.SIGTERM)
        second.wait_log("event=stopping .*SIGTERM")
        self.assertIsNone(second.child.poll(), "it flushes")
        second.signal(signal.SIGTERM)
        self.assertEqual(second.wait(), 0)
        second.wait_log("event=stopping .*second signal")

    def wait_until_unsent(self, port):
        """Until the kernel holds bytes for this port, and no fewer some time later."""
        def unsent():
            rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            return sum(int(r[4].split(":")[0], 16) for r in rows if r[2].endswith(f":{port:04X}"))
        deadline, before = time.monotonic() + PATIENCE_S, 0
        while not 0 < unsent() == before:
            self.assertLess(time.monotonic(), deadline, "the queue never fills")
            before = unsent()
            time.sleep(0.1)

    # KEY-TEST switchyard.chain_id
    def test_other_networks_are_refused(self):
        first = self.node(name="first")
        second = self.node("--p2p.persistent_peers", first.full, "--chain-id", "other",
                           name="second")
        second.wait_log(r'event=dial_failed .*stage=node_info reason=NI_NETWORK .*cli-net')
        first.wait_log(r'event=connection_refused .*reason=NI_NETWORK .*other')

    def test_one_list_for_all_nodes_may_name_ourselves(self):
        home = self.home()
        own = self.run_yard("show-node-id", "--home", home)[0].strip()
        node = self.node("--p2p.persistent_peers", f"{own}@127.0.0.1:1")
        node.wait_log("event=persistent_peer_is_self")
        self.assertEqual(node.stop(), 0)

    # KEY-TEST p2p.allow_duplicate_ip
    def test_one_peer_per_ip_is_a_choice(self):
        first = self.node("--p2p.allow_duplicate_ip", "false", name="first")
        second = self.node("--p2p.persistent_peers", first.full, name="second")
        second.wait_log(f"event=peer_added .*id={first.id}")
        third = self.node("--p2p.persistent_peers", first.full, name="third")
        first.wait_log(r"event=connection_refused .*reason=ADMIT_IP")
        self.assertNotRegex(third.log(), r"event=peer_added")


if __name__ == "__main__":
    unittest.main()
