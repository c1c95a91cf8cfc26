# SPDX-License-Identifier: Apache-2.0
"""Peer exchange of real processes: a seed, nodes that know only it, the files they leave."""
import json
import re
import time

from harness import Node, YardTest

PRIVATE = ("--p2p.addr_book_strict", "false", "--p2p.allow_duplicate_ip", "true")


class Pex(YardTest):
    def seed(self, *flags):
        home = self.dir / "seed"
        home.mkdir()
        return Node(self, home, "--chain-id", "cli-net", "--crawl_period", "1s", *PRIVATE, *flags,
                    command="seed")

    def wait_peers(self, nodes, count):
        """Every node has met so many others."""
        for node in nodes:
            others = {n.id for n in nodes if n is not node}
            deadline = time.monotonic() + 30
            while sum(f"event=peer_added" in line and any(o in line for o in others)
                      for line in node.log().splitlines()) < count:
                self.assertLess(time.monotonic(), deadline, node.log())
                time.sleep(0.05)

    # KEY-TEST p2p.seeds
    # SPEC-TEST SEED-04
    def test_nodes_find_each_other_through_a_seed(self):
        seed = self.seed()
        nodes = [self.node("--p2p.seeds", seed.full, *PRIVATE, name=f"n{i}") for i in range(4)]
        self.wait_peers(nodes, 3)
        seed.wait_log(r"event=peer_added .*direction=out")
        self.assertEqual(seed.stop(), 0)
        for node in nodes:
            self.assertEqual(node.stop(), 0)
            self.assertNotIn("REACTOR_CAUSE", node.log())

        out, _ = self.run_yard("addrbook", "check", "--home", seed.home)
        self.assertRegex(out, r"^addresses=4 ")
        out, _ = self.run_yard("addrbook", "list", "--home", seed.home)
        for node in nodes:
            self.assertIn(f"{node.full} ", out)
        book = json.loads((seed.home / "config" / "addrbook.json").read_text())
        self.assertEqual(len(book["addrs"]), 4)
        for entry in book["addrs"]:
            self.assertEqual(set(entry), {"addr", "src", "buckets", "attempts", "bucket_type",
                                          "last_attempt", "last_success", "last_ban_time"})
        out, _ = self.run_yard("addrbook", "export", "--home", seed.home, "--format", "tendermint")
        old = json.loads(out)
        self.assertEqual({e["addr"]["id"] for e in old["addrs"]}, {n.id for n in nodes})
        self.assertNotIn("last_ban_time", old["addrs"][0])

    # SPEC-TEST SEED-07 SEED-08 SEED-09
    def test_a_seed_says_the_versions_of_the_peer_it_was_given(self):
        theirs = ("--profiles", '["cometbft"]', "--block_version", "12", "--p2p_version", "9",
                  *PRIVATE)
        named = self.node(*theirs, name="named")
        seed = self.seed("--p2p.persistent_peers", named.full, "--echo_channels", "[32]")
        seed.wait_log(f"event=versions_mirrored .*from={named.full} p2p=9 block=12")
        self.probe(seed, "12", "9")
        seed.wait_log(f"event=peer_added .*id={named.id}")
        other = self.node("--p2p.seeds", seed.full, *theirs, name="other")
        other.wait_log(f"event=peer_added .*id={named.id}")

        # Who was not named, or dials, is not believed; what is configured stays.
        alien = self.node("--profiles", '["cometbft"]', "--block_version", "13",
                          "--p2p.persistent_peers", seed.full, *PRIVATE, name="alien")
        alien.wait_log("reason=NI_BLOCK_VERSION")
        self.probe(seed, "12", "9")
        self.assertEqual(seed.log().count("versions_mirrored"), 1)
        self.assertEqual(seed.stop(), 0)
        fixed = Node(self, seed.home, "--chain-id", "cli-net", "--block_version", "11",
                     "--p2p.seeds", alien.full, "--p2p.persistent_peers", named.full, *PRIVATE,
                     command="seed")
        fixed.wait_log(r"reason=NI_BLOCK_VERSION .*ours is 11", count=2)
        self.probe(fixed, "11", "8")
        self.assertEqual(fixed.log().count("versions_mirrored"), 1)  # the log of both lives

    def probe(self, seed, block, p2p):
        out, _ = self.run_yard("probe", "--json", seed.full)
        info = json.loads(out)["node_info"]
        self.assertEqual(info["protocol_version"],
                         {"p2p": int(p2p), "block": int(block), "app": 0})
        self.assertEqual(info["channels"], "00")

    # SPEC-TEST BOOK-27
    def test_a_damaged_book_is_set_aside(self):
        home = self.home()
        book = home / "config" / "addrbook.json"
        book.write_text('{"key": "k",\n"addrs": [7]}')
        node = self.node()
        node.wait_log(r"event=set_aside .*addrs\[0\] is not an object")
        self.assertEqual(node.stop(), 0)
        aside = list((home / "config").glob("addrbook.json.damaged-*"))
        self.assertEqual(len(aside), 1)
        self.assertEqual(aside[0].read_text(), '{"key": "k",\n"addrs": [7]}')
        _, err = self.run_yard("addrbook", "check", "--home", home, "--file", aside[0], status=1)
        self.assertIn("addrs[0] is not an object", err)

    # KEY-TEST p2p.addr_book_strict
    # SPEC-TEST PEX-22
    def test_refused_addresses_name_the_option(self):
        seed = self.seed()
        self.node("--p2p.seeds", seed.full, "--p2p.allow_duplicate_ip", "true", name="strict")
        other = self.node("--p2p.allow_duplicate_ip", "true", "--p2p.persistent_peers", seed.full,
                          *PRIVATE, name="other")
        strict = self.node("--p2p.seeds", seed.full, "--p2p.allow_duplicate_ip", "true",
                           name="late")
        strict.wait_log(r"event=addresses_not_routable .*addr_book_strict = false")
        self.assertEqual(strict.stop(), 0)
        self.assertEqual(other.stop(), 0)

    # SPEC-TEST NI-44
    def test_an_address_that_nobody_can_dial_is_warned_of(self):
        other = self.node(*PRIVATE, name="other")
        peers = ("--p2p.persistent_peers", other.full)
        warning = r"level=warn .*event=not_routable .*path=(\S+) .*set external_address"
        for name, laddr in (("loopback", "tcp://127.0.0.1:0"), ("wildcard", "tcp://0.0.0.0:0"),
                            ("wildcard6", "tcp://[::]:0")):
            with self.subTest(name):
                node = self.node(*peers, name=name, laddr=laddr)
                seen = node.wait_log(warning)
                self.assertEqual(seen[1].rsplit(":", 1)[0], node.addr.rsplit(":", 1)[0])
                node.wait_log("event=peer_added")
                self.assertEqual(node.stop(), 0)
                self.assertEqual(len(re.findall("event=not_routable", node.log())), 1)
        for name, flags in (("private", PRIVATE), ("told", ("--p2p.external_address",
                                                            "52.1.2.3:26656"))):
            with self.subTest(name):
                node = self.node(*peers, *flags, name=name, laddr="tcp://0.0.0.0:0")
                node.wait_log("event=peer_added")
                self.assertEqual(node.stop(), 0)
                self.assertNotIn("event=not_routable", node.log())
