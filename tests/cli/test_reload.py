# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: the configuration is read again, taken as a whole or not at all, and what changed is
logged."""

import json
import re
import signal
import unittest

from harness import Node, YardTest

BASE = """
[p2p]
laddr = "tcp://127.0.0.1:0"
allow_duplicate_ip = true
%s
[switchyard]
chain_id = "cli-net"
profiles = ["cometbft"]
%s
"""


class Reload(YardTest):
    def write(self, home, p2p="", ours=""):
        return self.set_config(home, BASE % (p2p, ours))

    def start(self, name, p2p="", ours=""):
        self.write(self.home(name), p2p, ours)
        return Node(self, self.dir / name, laddr=None)

    def reload(self, node, p2p="", ours=""):
        """Writes the file, sends the signal; the lines about it."""
        self.write(node.home, p2p, ours)
        return self.hup(node)

    def hup(self, node):
        before = len(re.findall(r"event=(?:reloaded|reload_refused)", node.log()))
        node.signal(signal.SIGHUP)
        end = node.wait_log(r"event=(?:reloaded|reload_refused) .*$", count=before + 1).end()
        log = node.log()
        return re.sub(r" t=[\d.]+", "", log[log.rindex("event=reload ", 0, end):end])

    def peer(self, node, name, *flags):
        return self.node("--p2p.persistent_peers", node.full, *flags, name=name)

    def added(self, node, other, count=1):
        return node.wait_log(f"event=peer_added .*id={other.id}", count=count)

    def test_nothing_changed(self):
        node = self.start("node")
        self.assertRegex(self.hup(node), r"event=reloaded changed=0 need_restart=0 bans=0$")

    # SPEC-TEST SW-81
    def test_limits_old_and_new_value(self):
        node = self.start("node", p2p="max_num_inbound_peers = 1")
        first = self.peer(node, "first")
        self.added(node, first)
        second = self.peer(node, "second")
        node.wait_log(f"event=connection_refused .*id={second.id} .*reason=ADMIT_FULL")
        said = self.reload(node, p2p="max_num_inbound_peers = 2")
        self.assertRegex(said, r"level=info .*event=changed key=p2p\.max_num_inbound_peers "
                               r"old=1 new=2\n")
        self.assertRegex(said, r"event=reloaded changed=1 need_restart=0 bans=0$")
        self.added(node, second)
        self.reload(node, p2p="max_num_inbound_peers = 1")
        node.wait_log(f"event=peer_removed .*id={second.id} .*reason=EVICTED")
        self.assertNotRegex(node.log(), f"event=peer_removed .*id={first.id}")

    def test_persistent_peers(self):
        first, second = self.start("first"), self.start("second")
        node = self.start("node", p2p=f'persistent_peers = "{first.full}"')
        self.added(node, first)
        said = self.reload(node, p2p=f'persistent_peers = "{second.full}"')
        self.assertRegex(said, rf"event=changed key=p2p\.persistent_peers old=\S*{first.id}\S* "
                               rf"new=\S*{second.id}")
        self.assertIn(f"event=persistent_peer_removed addr={first.full}", said)
        self.assertIn(f"event=persistent_peer_added addr={second.full}", said)
        self.added(node, second)
        self.assertNotRegex(node.log(), "event=peer_removed")
        # Who left the list stays a peer until the connection ends, and is not dialed again.
        first.stop()
        node.wait_log(f"event=peer_removed .*id={first.id}")
        second.stop()
        node.wait_log(f"event=peer_removed .*id={second.id}")
        node.wait_log(f"event=dial_failed .*id={second.id}", count=2)
        self.assertNotRegex(node.log(), f"event=dial_failed .*id={first.id}")

    def test_an_id_that_moved_is_dialed_at_its_new_address(self):
        first = self.start("first")
        node = self.start("node", p2p=f'persistent_peers = "{first.id}@127.0.0.1:1"')
        node.wait_log(f"event=dial_failed .*id={first.id}")
        self.reload(node, p2p=f'persistent_peers = "{first.full}"')
        self.added(node, first)

    def test_one_of_two_addresses_of_an_id_goes(self):
        first = self.start("first")
        both = f"{first.id}@127.0.0.1:1,{first.full}"
        node = self.start("node", p2p=f'persistent_peers = "{both}"')
        self.added(node, first)
        said = self.reload(node, p2p=f'persistent_peers = "{first.full}"')
        self.assertIn(f"event=persistent_peer_added addr={first.full}", said)
        port = first.addr.rsplit(":", 1)[1]
        first.stop()
        first = Node(self, first.home, laddr=f"tcp://127.0.0.1:{port}")
        self.added(node, first, count=2)

    # SPEC-TEST SW-82
    def test_classes_follow_the_lists(self):
        first = self.start("first")
        node = self.start("node", p2p=f'persistent_peers = "{first.full}"\n'
                                      "max_num_outbound_peers = 0")
        self.added(node, first)
        # No longer persistent, it is one of the outbound peers, of which there may be none.
        self.reload(node, p2p="max_num_outbound_peers = 0")
        node.wait_log(f"event=peer_removed .*id={first.id} .*reason=EVICTED")

    def test_unconditional_ids(self):
        node = self.start("node", p2p="max_num_inbound_peers = 0")
        other = self.peer(node, "other")
        node.wait_log(f"event=connection_refused .*id={other.id} .*reason=ADMIT_FULL")
        self.reload(node, p2p="max_num_inbound_peers = 0\n"
                              f'unconditional_peer_ids = "{other.id}"')
        self.added(node, other)
        self.reload(node, p2p="max_num_inbound_peers = 0")
        node.wait_log(f"event=peer_removed .*id={other.id} .*reason=EVICTED")

    def test_lists(self):
        node = self.start("node")
        other = self.peer(node, "other")
        self.added(node, other)
        said = self.reload(node, ours=f'deny_peers = "{other.id}"')
        self.assertRegex(said, rf'event=changed key=switchyard\.deny_peers old="" '
                               rf"new={other.id}\n")
        node.wait_log(f"event=peer_removed .*id={other.id} .*reason=FILTERED")
        self.reload(node)
        self.added(node, other, count=2)
        self.reload(node, ours='allow_peers = "10.0.0.0/8"')
        node.wait_log(f"event=peer_removed .*id={other.id} .*reason=FILTERED", count=2)

    def test_another_file_of_bans(self):
        node = self.start("node")
        other = self.peer(node, "other")
        self.added(node, other)
        (node.home / "config" / "b.json").write_text(
            json.dumps({"bans": [{"rule": other.id, "reason": "r"}]}))
        said = self.reload(node, ours='bans_file = "config/b.json"')
        self.assertRegex(said, r"event=reloaded changed=1 need_restart=0 bans=1$")
        node.wait_log(f"event=peer_removed .*id={other.id} .*reason=BANNED")
        # The new file is the one that is watched.
        self.run_yard("bans", "remove", other.id, "--home", node.home)
        self.added(node, other, count=2)

    def test_seeds(self):
        loose = "addr_book_strict = false"
        seed_home = self.dir / "seed"
        seed_home.mkdir()
        seed = Node(self, seed_home, "--chain-id", "cli-net", "--p2p.addr_book_strict", "false",
                    "--p2p.allow_duplicate_ip", "true", command="seed")
        node = self.start("node", p2p=loose)
        self.reload(node, p2p=f'{loose}\nseeds = "{seed.full}"')
        self.added(node, seed)

    # KEY-TEST p2p.max_num_outbound_peers p2p.addr_book_file
    def test_the_outbound_target(self):
        """Two addresses in the book, one place; then two."""
        others = [self.start(name) for name in ("one", "two")]
        home = self.home("node")
        book = {"key": "11" * 12, "addrs": [
            {"addr": self.net_addr(n), "src": self.net_addr(n), "buckets": [i], "attempts": 0,
             "bucket_type": 1, "last_attempt": "0001-01-01T00:00:00Z",
             "last_success": "0001-01-01T00:00:00Z", "last_ban_time": "0001-01-01T00:00:00Z"}
            for i, n in enumerate(others)]}
        (home / "config" / "b.json").write_text(json.dumps(book))
        keys = 'addr_book_strict = false\naddr_book_file = "config/b.json"\n'
        self.write(home, p2p=keys + "max_num_outbound_peers = 1")
        node = Node(self, home, laddr=None)
        node.wait_log(r"event=loaded .*b\.json addresses=2")
        node.wait_log("event=peer_added .*direction=out")
        said = self.reload(node, p2p=keys + "max_num_outbound_peers = 2")
        self.assertRegex(said, r"key=p2p\.max_num_outbound_peers old=1 new=2")
        before = node.log()[:node.log().index("event=changed")]
        self.assertEqual(len(re.findall("event=peer_added", before)), 1)
        for other in others:
            self.added(node, other)

    def net_addr(self, node):
        host, port = node.addr.rsplit(":", 1)
        return {"id": node.id, "ip": host, "port": int(port)}

    # KEY-TEST switchyard.log_level switchyard.log_format
    def test_log_level_and_format(self):
        nobody = f'persistent_peers = "{"0" * 40}@nosuch.invalid:1"'
        node = self.start("node", p2p=nobody, ours='log_level = "info"')
        node.wait_log("event=dial_failed")
        self.assertNotIn("level=debug", node.log())
        said = self.reload(node, p2p=nobody, ours='log_level = "debug"')
        self.assertRegex(said, r"key=switchyard\.log_level old=info new=debug\n")
        node.wait_log("level=debug .*event=name_not_resolved")
        other = self.peer(node, "other")
        self.added(node, other)
        self.reload(node, ours='log_level = "error"')
        other.stop()
        again = self.peer(node, "again")
        again.wait_log(f"event=peer_added .*id={node.id}")
        self.reload_quiet(node, ours='log_level = "info"\nlog_format = "json"')
        node.wait_log(r'^\{.*"event":"reloaded"')
        self.assertNotRegex(node.log(), f"event=peer_added .*id={again.id}")
        third = self.peer(node, "third")
        node.wait_log(rf'^\{{.*"event":"peer_added".*{third.id}')

    def reload_quiet(self, node, **kw):
        self.write(node.home, **kw)
        node.signal(signal.SIGHUP)

    # SPEC-TEST SW-83
    def test_what_needs_a_restart_is_named_and_keeps_its_value(self):
        node = self.start("node")
        other = self.peer(node, "other")
        self.added(node, other)
        text = BASE % ("max_num_inbound_peers = 7\npex = false\nupnp = true", "")
        text = 'moniker = "new"\n' + text.replace('"cli-net"', '"other-net"')
        for _ in range(2):
            self.set_config(node.home, text)
            said = self.hup(node)
            self.assertRegex(said, r'level=warn .*event=needs_restart key=moniker old="" '
                                   r'new=new\n')
            self.assertRegex(said, r"event=needs_restart key=switchyard\.chain_id ")
            self.assertRegex(said, r"event=needs_restart key=p2p\.pex old=true new=false")
            self.assertNotIn("upnp", said)
        self.assertRegex(said, r"event=reloaded changed=0 need_restart=3 bans=0$")
        third = self.peer(node, "third")
        self.added(node, third)
        port = node.addr.rsplit(":", 1)[1]
        self.assertEqual(node.stop(), 0)
        node = Node(self, node.home, laddr=f"tcp://127.0.0.1:{port}")
        node.wait_log("event=connection_refused .*reason=NI_NETWORK")

    # text of the file; what the refusal says: line, key, value, limit
    BROKEN = (
        ("[p2p\n", ":1: "),
        (BASE % ("max_num_inbound_peers = 1000001", ""),
         ":5: p2p.max_num_inbound_peers: 1000001 is above the limit of 1000000"),
        (BASE % ('persistent_peers = "x@y:1"', ""), ":5: p2p.persistent_peers: entry 1"),
        (BASE % ("", 'deny_peers = "10.0.0.1/8"'), ":9: switchyard.deny_peers: entry 1: rule"),
        (BASE % ("", 'pong_timeout = "60s"'),
         ":9: switchyard.pong_timeout: must be below ping_interval, which is 1m"),
        (BASE % ("", 'log_level = "loud"'), ":9: switchyard.log_level: "),
        (BASE % ("", "peer_memory_max = 8589934592"), ":9: switchyard.peer_memory_max: must be at"),
    )

    # SPEC-TEST SW-80
    def test_a_broken_file_changes_nothing(self):
        node = self.start("node", p2p="max_num_inbound_peers = 1")
        other = self.peer(node, "other")
        self.added(node, other)
        path = node.home / "config" / "config.toml"
        for text, says in self.BROKEN:
            with self.subTest(text=text):
                # Something good beside it, which must not be taken either.
                self.set_config(node.home, text.replace("allow_duplicate_ip = true",
                                                        "max_num_outbound_peers = 0"))
                said = self.hup(node)
                self.assertRegex(said, r"level=error .*event=reload_refused ")
                self.assertRegex(said, rf'path=\S*config\.toml text="?{re.escape(says[1:])}')
                self.assertNotIn("event=changed", said)
        path.unlink()
        self.assertIn("No such file", self.hup(node))
        (node.home / "config" / "bans.json").write_text("{}")
        self.write(node.home, p2p="max_num_inbound_peers = 9")
        self.assertIn("bans.json: invalid argument: bans: a list is required", self.hup(node))
        third = self.peer(node, "third")
        node.wait_log(f"event=connection_refused .*id={third.id} .*reason=ADMIT_FULL")
        (node.home / "config" / "bans.json").unlink()
        self.assertRegex(self.hup(node), r"event=reloaded changed=1 ")
        self.added(node, third)
        self.assertNotRegex(node.log(), f"event=peer_removed .*id={other.id}")

    def test_flags_stay_above_the_file(self):
        home = self.write(self.home("node"))
        node = Node(self, home, "--p2p.max_num_inbound_peers", "0", laddr=None)
        other = self.peer(node, "other")
        node.wait_log(f"event=connection_refused .*id={other.id} .*reason=ADMIT_FULL")
        self.assertRegex(self.reload(node, p2p="max_num_inbound_peers = 5"), "changed=0 ")

    def test_a_value_that_fits_only_after_a_restart(self):
        node = self.start("node", ours="memory_max = 67108864")
        said = self.reload(node, ours="memory_max = 268435456\npeer_memory_max = 134217728")
        self.assertIn("event=reload_refused", said)
        node.wait_log(r"event=reload_refused .*peer_memory_max: must be at most memory_max, which "
                      "is 67108864")

    def test_a_seed_reloads_too(self):
        home = self.dir / "seed"
        home.mkdir()
        seed = Node(self, home, "--chain-id", "cli-net", command="seed")
        self.assertRegex(self.hup(seed), "event=reloaded changed=0 need_restart=0 bans=0$")
        (home / "config" / "config.toml").write_text("[p2p]\nmax_num_inbound_peers = 3\n")
        self.assertRegex(self.hup(seed), r"key=p2p\.max_num_inbound_peers old=200 new=3\n")


if __name__ == "__main__":
    unittest.main()
