# SPDX-License-Identifier: Apache-2.0
"""Each key changes what the node does.  A comment `KEY-TEST table.key` above a test says which key
it holds; tests/tidy/keys.py makes the table in docs/CONFIG.md of them.

Where a key is a time, one test shows that the short value acts within a fraction of the default.
"""

import json
import re
import signal
import socket
import time
import unittest

from harness import Node, YardTest

LOOSE = ("--p2p.addr_book_strict", "false", "--p2p.allow_duplicate_ip", "true")
NOBODY = "0" * 40


def lanes_here():
    """The implementations of several frames at once that this processor runs, best first."""
    with open("/proc/cpuinfo", encoding="ascii") as info:
        flags = info.read().split()
    return [name for name, flag in (("avx512", "avx512ifma"), ("avx2", "avx2")) if flag in flags]


class KeyTest(YardTest):
    def peer(self, node, name, *flags):
        return self.node("--p2p.persistent_peers", node.full, *flags, name=name)

    def added(self, node, other, count=1):
        return node.wait_log(f"event=peer_added .*id={other.id}", count=count)

    def info(self, node, *flags):
        out, _ = self.run_yard("probe", "--json", node.full, *flags)
        return json.loads(out)["node_info"]

    def connect(self, node):
        host, port = node.addr.rsplit(":", 1)
        stream = socket.create_connection((host, int(port)), timeout=20)
        self.addCleanup(stream.close)
        return stream

    def within(self, seconds):
        """The block ends sooner than the default value would let it."""
        test, begun = self, time.monotonic()

        class Limit:
            def __enter__(self):
                return self

            def __exit__(self, kind, *_):
                if kind is None:
                    test.assertLess(time.monotonic() - begun, seconds)
        return Limit()


class Cipher(KeyTest):
    # KEY-TEST switchyard.frame_cipher
    def test_the_library_ciphers_alone(self):
        auto = self.node(name="auto")
        plain = self.node("--frame_cipher", "library", "--p2p.persistent_peers", auto.full,
                          name="plain")
        self.added(auto, plain)
        self.assertRegex(plain.log(), "event=frame_cipher .*name=library")
        self.assertRegex(auto.log(), f"event=frame_cipher .*name={(lanes_here() + ['library'])[0]}")


class Told(KeyTest):
    # KEY-TEST p2p.external_address switchyard.version switchyard.p2p_version
    # KEY-TEST switchyard.block_version switchyard.app_version switchyard.rpc_address
    # KEY-TEST switchyard.moniker switchyard.extra_channels switchyard.chain_id
    def test_what_peers_are_told(self):
        node = self.node("--p2p.external_address", "tcp://203.0.113.5:7777", "--version", "0.22.9",
                         "--p2p_version", "7", "--block_version", "12", "--app_version", "3",
                         "--rpc_address", "tcp://0.0.0.0:1", "--moniker", "m1", "--chain_id", "c1",
                         "--extra_channels", "[0x30, 0x31]")
        info = self.info(node)
        self.assertEqual(info["listen_addr"], "tcp://203.0.113.5:7777")
        self.assertEqual((info["version"], info["network"], info["moniker"]),
                         ("0.22.9", "c1", "m1"))
        self.assertEqual(info["protocol_version"], {"p2p": 7, "block": 12, "app": 3})
        self.assertEqual(info["other"]["rpc_address"], "tcp://0.0.0.0:1")
        self.assertTrue(info["channels"].endswith("3031"), info)

    # KEY-TEST moniker genesis_file log_level log_format
    def test_top_level_keys(self):
        home = self.home()
        self.set_config(home, 'moniker = "top"\ngenesis_file = "data/g.json"\n'
                              'log_level = "main:info,p2p:none,*:error"\nlog_format = "json"\n')
        (home / "data" / "g.json").write_text('{"chain_id": "of-genesis"}')
        quiet = self.node("--p2p.pex", "false", "--echo_channels", "[1]")
        info = self.info(quiet)
        self.assertEqual((info["moniker"], info["network"]), ("top", "of-genesis"))
        self.assertEqual(quiet.log(), "", "p2p:none")
        quiet.stop()
        loud = self.node("--log_level", "info")
        loud.wait_log(r'^\{"ts":.*"event":"limits"')

    # KEY-TEST p2p.pex
    def test_pex_has_a_channel(self):
        with_pex = self.node("--p2p.pex", "true", name="with")
        self.assertEqual(self.info(with_pex)["channels"], "00")
        without = self.node("--p2p.pex", "false", name="without")
        self.assertEqual(self.info(without)["channels"], "")

    # KEY-TEST p2p.auth_enc
    def test_auth_enc_false_is_plain(self):
        first = self.node("--profiles", '["plain"]', name="first")
        home = self.home("second")
        self.set_config(home, '[p2p]\nauth_enc = false\n[switchyard]\nchain_id = "cli-net"\n')
        second = self.node("--p2p.persistent_peers", first.full, name="second")
        second.wait_log(f"event=peer_added .*id={first.id} .*profile=plain ")


class Places(KeyTest):
    # KEY-TEST p2p.max_num_peers
    def test_max_num_peers_of_a_tendermint_file(self):
        home = self.home("node")
        self.set_config(home, "[p2p]\nflush_throttle_timeout = 100\nmax_num_peers = 11\n"
                              '[switchyard]\nchain_id = "cli-net"\n')
        node = self.node(name="node")
        first = self.peer(node, "first")
        self.added(node, first)
        second = self.peer(node, "second")
        node.wait_log(f"event=connection_refused .*id={second.id} .*reason=ADMIT_FULL")

    # KEY-TEST switchyard.total_connections
    def test_the_total_holds_for_unconditional_peers_too(self):
        ids = [self.run_yard("show-node-id", "--home", self.home(n))[0].strip()
               for n in ("one", "two")]
        node = self.node("--total_connections", "1", "--p2p.unconditional_peer_ids", ",".join(ids),
                         name="node")
        one = self.peer(node, "one")
        self.added(node, one)
        two = self.peer(node, "two")
        node.wait_log(f"event=connection_refused .*id={two.id} .*reason=ADMIT_TOTAL")

    # KEY-TEST switchyard.max_peers_per_ip p2p.allow_duplicate_ip
    def test_peers_of_one_ip(self):
        node = self.node("--max_peers_per_ip", "2", "--p2p.allow_duplicate_ip", "false",
                         name="node")
        for name in ("one", "two"):
            self.added(node, self.peer(node, name))
        three = self.peer(node, "three")
        node.wait_log(f"event=connection_refused .*id={three.id} .*reason=ADMIT_IP")

    # KEY-TEST switchyard.max_peers_per_prefix
    def test_peers_of_one_prefix(self):
        node = self.node("--max_peers_per_prefix", "1", name="node")
        self.added(node, self.peer(node, "one"))
        two = self.peer(node, "two")
        node.wait_log(f"event=connection_refused .*id={two.id} .*reason=ADMIT_PREFIX")

    # KEY-TEST switchyard.pending_handshakes
    def test_handshakes_in_progress(self):
        node = self.node("--pending_handshakes", "2")
        silent = [self.connect(node) for _ in range(3)]
        node.wait_log("event=connection_refused .*reason=ADMIT_PENDING")
        self.assertEqual(silent[0].recv(1), b"", "the oldest goes")


class Times(KeyTest):
    # KEY-TEST p2p.handshake_timeout
    def test_a_silent_dialer(self):
        node = self.node("--p2p.handshake_timeout", "300ms")
        with self.within(18):
            self.assertEqual(self.connect(node).recv(1), b"")
        node.wait_log("event=connection_refused .*reason=HANDSHAKE_TIMEOUT")

    # KEY-TEST p2p.dial_timeout
    def test_an_address_that_does_not_answer(self):
        """A full backlog: the kernel drops what comes."""
        full = socket.socket()
        self.addCleanup(full.close)
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        crowd = []
        for _ in range(4):
            stream = socket.socket()
            stream.setblocking(False)
            stream.connect_ex(full.getsockname())
            crowd.append(stream)
            self.addCleanup(stream.close)
        peer = f"{NOBODY}@127.0.0.1:{full.getsockname()[1]}"
        node = self.node("--p2p.dial_timeout", "200ms", "--p2p.persistent_peers_max_dial_period",
                         "100ms", "--p2p.persistent_peers", peer)
        with self.within(5.9):  # 3 s each
            node.wait_log("event=dial_failed .*reason=CONNECT_TIMEOUT", count=2)

    # KEY-TEST p2p.persistent_peers_max_dial_period
    def test_the_longest_wait_between_dials(self):
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            peer = f"{NOBODY}@127.0.0.1:{bound.getsockname()[1]}"
            node = self.node("--p2p.persistent_peers_max_dial_period", "100ms",
                             "--p2p.persistent_peers", peer)
            with self.within(25):  # without: 1 + 2 + 4 + 8 s, at least half of each
                node.wait_log(r"event=dial_failed .*in_a_row=16")

    # KEY-TEST switchyard.ping_interval switchyard.pong_timeout
    def test_a_peer_that_stopped(self):
        node = self.node("--ping_interval", "600ms", "--pong_timeout", "500ms", name="node")
        other = self.peer(node, "other")
        self.added(node, other)
        other.signal(signal.SIGSTOP)
        self.addCleanup(other.signal, signal.SIGCONT)
        with self.within(20):
            node.wait_log(f"event=peer_removed .*id={other.id} .*reason=PONG_TIMEOUT")


class Bytes(KeyTest):
    def echo(self, node, other, length):
        """ms of the first answer."""
        return float(node.wait_log(rf"event=echo_answer .*id={other.id} channel=\d+ number=\d+ "
                                   rf"len={length} ms=([\d.]+)$").group(1))

    # KEY-TEST p2p.send_rate p2p.recv_rate
    def test_rates(self):
        """225 kB at 150 kB/s take longer than a second, on whichever side the limit is.  One probe
        is under way at a time: the interval is longer."""
        probe = ("--echo_channels", "[0x20]", "--echo_interval", "4s", "--echo_probe_len", "225000")
        answer = ("--echo_channels", "[0x20]")
        first = self.node(*answer, name="first")
        free = self.peer(first, "free", *probe)
        limited = {key: self.peer(first, key, *probe, f"--p2p.{key}", "150000")
                   for key in ("send_rate", "recv_rate")}
        fast = self.echo(free, first, 225000)
        for key, node in limited.items():
            with self.subTest(key=key):
                took = self.echo(node, first, 225000)
                self.assertGreater(took, 1000)
                self.assertGreater(took, fast)

    # KEY-TEST p2p.max_packet_msg_payload_size
    def test_the_size_of_packets_must_fit(self):
        first = self.node("--echo_channels", "[0x20]", "--p2p.max_packet_msg_payload_size", "512",
                          name="first")
        flags = ("--echo_channels", "[0x20]", "--echo_interval", "100ms", "--echo_probe_len",
                 "5000")
        same = self.peer(first, "same", "--p2p.max_packet_msg_payload_size", "512", *flags)
        self.echo(same, first, 5000)
        other = self.peer(first, "other", *flags)
        first.wait_log(f"event=peer_removed .*id={other.id} .*reason=PACKET_TOO_LONG")

    # KEY-TEST switchyard.peer_memory_max switchyard.memory_max
    def test_memory(self):
        flags = ("--echo_channels", "[0x20]", "--echo_interval", "3s", "--echo_probe_len",
                 "4000000")
        for limits in (("--peer_memory_max", "1000000"),
                       ("--peer_memory_max", "1500000", "--memory_max", "1500000")):
            with self.subTest(limits=limits):
                first = self.node("--echo_channels", "[0x20]", *limits, name=f"first{limits[1]}")
                second = self.peer(first, f"second{limits[1]}", *flags)
                first.wait_log(f"event=peer_removed .*id={second.id} .*"
                               r"reason=(LIMIT|RECV_BUDGET)")
        enough = self.node("--echo_channels", "[0x20]", name="enough")
        self.echo(self.peer(enough, "fed", *flags), enough, 4000000)

    # KEY-TEST switchyard.frame_cipher
    def test_either_cipher_makes_the_same_bytes(self):
        first = self.node("--frame_cipher", "library", "--echo_channels", "[0x20]", name="first")
        second = self.peer(first, "second", "--frame_cipher", "auto", "--echo_channels", "[0x20]",
                           "--echo_interval", "1s", "--echo_probe_len", "300000")
        self.echo(second, first, 300000)
        _, err = self.run_yard("check-config", "--home", first.home, "--frame_cipher", "x",
                               status=1)
        self.assertIn('flag --frame_cipher: "x" is none of auto, avx512, avx2 and library', err)

    # KEY-TEST switchyard.frame_cipher
    def test_a_cipher_by_name(self):
        first = self.node("--frame_cipher", "library", "--echo_channels", "[0x20]", name="first")
        for name in ("avx512", "avx2"):
            with self.subTest(name=name):
                if name in lanes_here():
                    node = self.peer(first, name, "--frame_cipher", name, "--echo_channels",
                                     "[0x20]", "--echo_interval", "1s", "--echo_probe_len",
                                     "300000")
                    self.echo(node, first, 300000)
                    self.assertRegex(node.log(), f"event=frame_cipher .*name={name}")
                else:
                    _, err = self.run_yard("check-config", "--home", first.home, "--frame_cipher",
                                           name, status=1)
                    self.assertIn(f"flag --frame_cipher: this processor does not have {name}", err)

    # KEY-TEST p2p.flush_throttle_timeout
    def test_nothing_waits_for_the_flush_throttle(self):
        first = self.node("--echo_channels", "[0x20]", name="first")
        second = self.peer(first, "second", "--echo_channels", "[0x20]", "--echo_interval", "50ms",
                           "--p2p.flush_throttle_timeout", "1h")
        second.wait_log("event=echo_answer", count=3)


class Discovery(KeyTest):
    def book(self, home, nodes):
        """A book that knows these."""
        def net_addr(node):
            host, port = node.addr.rsplit(":", 1)
            return {"id": node.id, "ip": host, "port": int(port)}
        never = "0001-01-01T00:00:00Z"
        addrs = [{"addr": net_addr(n), "src": net_addr(n), "buckets": [i], "attempts": 0,
                  "bucket_type": 1, "last_attempt": never, "last_success": never,
                  "last_ban_time": never} for i, n in enumerate(nodes)]
        (home / "config" / "addrbook.json").write_text(json.dumps({"key": "11" * 12,
                                                                   "addrs": addrs}))

    def silent(self, *names):
        """Nodes that accept channel 0x00 and answer nothing on it."""
        return [self.node("--extra_channels", "[0]", "--p2p.pex", "false", name=n) for n in names]

    def seed(self, *flags, book=()):
        home = self.dir / "seed"
        (home / "config").mkdir(parents=True)
        if book:
            self.book(home, book)
        return Node(self, home, "--chain-id", "cli-net", *LOOSE, *flags, command="seed")

    # KEY-TEST p2p.seed_mode
    def test_a_node_in_seed_mode_keeps_no_peers(self):
        seed = self.node("--p2p.seed_mode", "true", *LOOSE, name="seed")
        visitor = self.node("--p2p.seeds", seed.full, *LOOSE, name="visitor")
        self.added(seed, visitor)
        seed.wait_log(f"event=peer_removed .*id={visitor.id} .*reason=(STOPPED|REMOTE_CLOSED)")

    # KEY-TEST switchyard.seed_visit
    def test_a_visitor_that_asks_nothing_has_to_go(self):
        seed = self.seed("--seed_visit", "300ms")
        mute = self.node("--extra_channels", "[0]", "--p2p.pex", "false", "--p2p.persistent_peers",
                         seed.full, name="mute")
        with self.within(20):
            seed.wait_log(f"event=peer_removed .*id={mute.id} .*reason=STOPPED")

    # KEY-TEST switchyard.crawl_wait switchyard.crawl_parallel
    def test_one_visit_after_the_other(self):
        nodes = self.silent("a", "b", "c")
        seed = self.seed("--crawl_wait", "300ms", "--crawl_parallel", "1", "--crawl_period", "1s",
                         book=nodes)
        with self.within(14):
            seed.wait_log("event=peer_removed .*direction=out", count=3)
        order = re.findall("event=(peer_added|peer_removed)", seed.log())
        self.assertEqual(order[:6], ["peer_added", "peer_removed"] * 3)

    # KEY-TEST switchyard.crawl_parallel
    def test_three_visits_at_once(self):
        seed = self.seed("--crawl_wait", "3s", "--crawl_parallel", "3", book=self.silent("a", "b",
                                                                                         "c"))
        seed.wait_log("event=peer_added .*direction=out", count=3)
        self.assertNotIn("event=peer_removed", seed.log())

    # KEY-TEST switchyard.crawl_period switchyard.crawl_again
    def test_an_address_is_visited_again(self):
        node = self.silent("a")[0]
        seed = self.seed("--crawl_wait", "200ms", "--crawl_period", "500ms", "--crawl_again", "1s",
                         book=[node])
        with self.within(25):
            self.added(seed, node, count=3)

    # KEY-TEST switchyard.feeler_period
    def test_feelers_test_addresses_while_places_are_taken(self):
        nodes = [self.node(*LOOSE, name=n) for n in ("a", "b")]
        home = self.home("node")
        self.book(home, nodes)
        node = self.node("--p2p.max_num_outbound_peers", "1", "--feeler_period", "1s", *LOOSE,
                         name="node")
        kept = node.wait_log(r"event=peer_added .*id=(\w+) .*direction=out").group(1)
        other = next(n for n in nodes if n.id != kept)
        with self.within(25):  # no place for it, but it is there
            node.wait_log(f"event=dial_failed .*id={other.id} .*stage=identity reason=ADMIT_FULL")


if __name__ == "__main__":
    unittest.main()
