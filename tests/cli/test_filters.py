# SPDX-License-Identifier: Apache-2.0
"""Who may connect: the lists of the configuration, and bans made with `yard bans`."""

import json
import os
import re
import subprocess
import threading
import unittest

from harness import YARD, Node, YardTest

SOME_ID = "0123456789abcdef0123456789abcdef01234567"


class Lists(YardTest):
    def id_of(self, name):
        return self.run_yard("show-node-id", "--home", self.home(name))[0].strip()

    # KEY-TEST switchyard.deny_peers
    # SPEC-TEST FL-05
    def test_whoever_is_denied_is_refused_and_not_dialed(self):
        denied = self.id_of("denied")
        first = self.node("--deny_peers", denied, name="first")
        denied = self.node("--p2p.persistent_peers", first.full, name="denied")
        first.wait_log(f"event=connection_refused .*id={denied.id} .*reason=FILTERED .*"
                       f"deny list: {denied.id}")
        other = self.node("--p2p.persistent_peers", first.full, name="other")
        first.wait_log(f"event=peer_added .*id={other.id}")
        dialer = self.node("--deny_peers", "10.0.0.0/8, 127.0.0.1", "--p2p.persistent_peers",
                           first.full, name="dialer")
        dialer.wait_log(f"event=dial_failed .*id={first.id} .*reason=FILTERED .*"
                        r"deny list: 127\.0\.0\.1")
        self.assertNotIn(dialer.id, first.log())

    # KEY-TEST switchyard.allow_peers
    # SPEC-TEST FL-07
    def test_only_who_is_allowed(self):
        friend = self.id_of("friend")
        first = self.node("--allow_peers", f"2001:db8::/32,{friend}", name="first")
        friend = self.node("--p2p.persistent_peers", first.full, name="friend")
        first.wait_log(f"event=peer_added .*id={friend.id}")
        stranger = self.node("--p2p.persistent_peers", first.full, name="stranger")
        first.wait_log(f"event=connection_refused .*id={stranger.id} .*reason=FILTERED .*"
                       "not on the allow list")
        nobody = self.node("--allow_peers", f"{friend.id},127.0.0.1", "--deny_peers", friend.id,
                           "--p2p.persistent_peers", friend.full, name="nobody")
        nobody.wait_log(f"event=dial_failed .*id={friend.id} .*reason=FILTERED .*deny list")

    def test_a_list_of_many_lines(self):
        home = self.home()
        self.set_config(home, f'[switchyard]\nchain_id = "c"\ndeny_peers = """\n  10.0.0.0/8,\n'
                              f'  {SOME_ID}\n\n2001:db8::/32 , 10.1.2.3"""\n')
        out, err = self.run_yard("check-config", "--home", home)
        self.assertEqual(err, "")
        self.assertIn("#   lists: 0 allowed, 4 denied", out)
        self.set_config(home, '[switchyard]\nchain_id = "c"\n\n'
                              'allow_peers = "10.0.0.0/8,10.0.0.1/8"\ndeny_peers = "x"\n')
        _, err = self.run_yard("check-config", "--home", home, status=1)
        self.assertIn(":4: switchyard.allow_peers: entry 2: rule \"10.0.0.1/8\": address bits "
                      "behind the prefix are not 0", err)
        self.assertIn(":5: switchyard.deny_peers: entry 1: rule \"x\": neither an ID", err)


class Bans(YardTest):
    def bans(self, home, *args, **kw):
        return self.run_yard("bans", *args, "--home", home, **kw)

    def pair(self):
        first = self.node(name="first")
        second = self.node("--p2p.persistent_peers", first.full, name="second")
        first.wait_log(f"event=peer_added .*id={second.id}")
        return first, second

    # KEY-TEST switchyard.bans_file
    # SPEC-TEST FL-09 FL-12
    def test_a_ban_ends_a_peer_of_a_running_node_and_is_kept(self):
        first, second = self.pair()
        self.bans(first.home, "add", second.id, "--reason", "floods us", "--for", "24h")
        first.wait_log(f"event=peer_removed .*id={second.id} .*reason=BANNED .*floods us")
        first.wait_log(f"event=connection_refused .*id={second.id} .*reason=BANNED .*floods us")
        listed, _ = self.bans(first.home, "list")
        self.assertRegex(listed, rf"^{second.id} since=\S+Z until=\S+Z reason=floods us\n$")

        port = first.addr.rsplit(":", 1)[1]
        self.assertEqual(first.stop(), 0)
        first = self.node(name="first", laddr=f"tcp://127.0.0.1:{port}")
        first.wait_log(r"event=bans .*count=1")
        refused = len(re.findall("reason=BANNED", first.log()))
        first.wait_log(f"event=connection_refused .*id={second.id} .*reason=BANNED",
                       count=refused + 1)
        self.bans(first.home, "remove", second.id)
        first.wait_log(r"event=bans .*count=0")
        added = len(re.findall("event=peer_added", first.log()))
        first.wait_log(f"event=peer_added .*id={second.id}", count=added + 1)
        self.assertEqual((first.stop(), second.stop()), (0, 0))

    # SPEC-TEST FL-10
    def test_a_ban_ends_by_itself(self):
        first, second = self.pair()
        self.bans(first.home, "add", "127.0.0.0/8", "--for", "2s")
        first.wait_log(f"event=peer_removed .*id={second.id} .*reason=BANNED")
        first.wait_log(f"event=peer_added .*id={second.id}", count=2)
        self.assertEqual(self.bans(first.home, "list")[0], "")

    def test_list_add_replace_remove(self):
        home = self.home()
        self.assertEqual(self.bans(home, "list")[0], "")
        (home / "config" / "bans.json.tmp-aB3xYz").write_text("left by a process that was killed")
        self.bans(home, "add", "10.1.0.0/16")
        self.bans(home, "add", "2001:db8::1", "--reason", "one")
        self.bans(home, "add", "2001:db8::1", "--reason", "two")
        lines = self.bans(home, "list")[0].splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[0], r"^10\.1\.0\.0/16 since=\S+ until=forever reason=$")
        self.assertRegex(lines[1], r"^2001:db8::1 since=\S+ until=forever reason=two$")
        self.bans(home, "remove", "10.1.0.0/16")
        _, err = self.bans(home, "remove", "10.1.0.0/16", status=1)
        self.assertIn("10.1.0.0/16 is not banned", err)
        document = json.loads((home / "config" / "bans.json").read_text())
        self.assertEqual([b["rule"] for b in document["bans"]], ["2001:db8::1"])
        left = [p.name for p in (home / "config").iterdir()]
        self.assertEqual(sorted(left), ["bans.json", "config.toml", "node_key.json"])

    def test_bad_arguments_change_nothing(self):
        home = self.home()
        for args, says in ((["add"], "needs an ID"), (["list", "x"], "takes no rule"),
                           (["burn", "x"], "list, add or remove"), (["add", "x"], "neither an ID"),
                           (["add", "10.0.0.1/8"], "not 0"), ([], "missing argument"),
                           (["add", "10.0.0.1", "--for", "1"], "--for 1"),
                           (["add", "10.0.0.1", "--for", "10ms"], "--for 10ms"),
                           (["add", "10.0.0.1", "--reason", "x" * 128], "longer than 127 bytes"),
                           (["add", "10.0.0.1", "--reason", "a\nb"], "not printable"),
                           (["add", "10.0.0.1", "x"], "unexpected argument x")):
            with self.subTest(args=args):
                _, err = self.bans(home, *args, status=2)
                self.assertIn(says, err)
        self.assertFalse((home / "config" / "bans.json").exists())
        self.bans(self.dir / "none", "add", "10.0.0.1", status=1)

    def test_a_configuration_that_cannot_be_read_names_no_file(self):
        home = self.home()
        self.set_config(home, 'x = \n[switchyard]\nbans_file = "elsewhere.json"\n')
        for args in (["add", "10.0.0.1"], ["remove", "10.0.0.1"], ["list"]):
            with self.subTest(args=args):
                _, err = self.bans(home, *args, status=1)
                self.assertRegex(err, r"bans: .*config\.toml:1: ")
        self.assertFalse((home / "config" / "bans.json").exists())
        # What else is wrong in it does not matter once the file is named.
        self.set_config(home, '[p2p]\nladdr = 1\n[switchyard]\nbans_file = "elsewhere.json"\n')
        self.bans(home, "add", "10.0.0.1")
        self.assertTrue((home / "elsewhere.json").exists())

    def test_many_at_once_lose_none(self):
        home = self.home()
        children = [subprocess.Popen([YARD, "bans", "add", f"10.0.0.{i}", "--home", str(home)])
                    for i in range(12)]
        self.assertEqual([c.wait() for c in children], [0] * 12)
        self.assertEqual(len(self.bans(home, "list")[0].splitlines()), 12)

    # SPEC-TEST FL-13
    def test_a_damaged_file_is_set_aside_at_the_start_and_refused_later(self):
        home = self.home("first")
        path = home / "config" / "bans.json"
        path.write_text('{"bans": [{"rule": "10.0.0.1/8"}]}')
        _, err = self.bans(home, "add", "10.0.0.1", status=1)
        self.assertIn("bans.json: invalid argument: ban 1: rule", err)
        self.assertEqual(path.read_text(), '{"bans": [{"rule": "10.0.0.1/8"}]}')
        first, second = self.pair()
        first.wait_log(r"level=error .*event=bans_set_aside .*ban 1")
        aside = list((home / "config").glob("bans.json.damaged-*"))
        self.assertEqual([a.read_text() for a in aside], ['{"bans": [{"rule": "10.0.0.1/8"}]}'])

        self.bans(home, "add", second.id)
        first.wait_log(f"event=peer_removed .*id={second.id} .*reason=BANNED")
        good = path.read_text()
        path.write_text("{")
        first.wait_log(r"level=error .*event=bans_refused .*bans\.json: invalid argument: line 1")
        refused = len(re.findall("reason=BANNED", first.log()))
        first.wait_log("reason=BANNED", count=refused + 1)
        path.write_text(good)
        first.wait_log(r"event=bans .*count=1", count=2)

    def test_a_ban_made_while_the_node_starts_is_seen(self):
        home = self.home("first")
        path = home / "config" / "bans.json"
        os.mkfifo(path)

        def command():
            with open(path, "w") as file:  # the node reads
                (home / "new").write_text(json.dumps({"bans": [{"rule": "10.0.0.1"}]}))
                (home / "new").rename(path)
                file.write('{"bans": []}')

        writer = threading.Thread(target=command)
        writer.start()
        first = self.node(name="first")
        writer.join()
        first.wait_log(r"event=bans .*count=1")


class Ids(YardTest):
    # KEY-TEST p2p.unconditional_peer_ids p2p.max_num_inbound_peers
    def test_an_unconditional_peer_needs_no_place(self):
        friend = self.run_yard("show-node-id", "--home", self.home("friend"))[0].strip()
        first = self.node("--p2p.max_num_inbound_peers", "1", "--p2p.unconditional_peer_ids",
                          friend, name="first")
        second = self.node("--p2p.persistent_peers", first.full, name="second")
        first.wait_log(f"event=peer_added .*id={second.id}")
        third = self.node("--p2p.persistent_peers", first.full, name="third")
        first.wait_log(f"event=connection_refused .*id={third.id} .*reason=ADMIT_FULL")
        friend = self.node("--p2p.persistent_peers", first.full, name="friend")
        first.wait_log(f"event=peer_added .*id={friend.id}")

    # KEY-TEST p2p.private_peer_ids
    # SPEC-TEST PEX-13
    def test_a_private_id_is_told_to_nobody(self):
        secret = self.run_yard("show-node-id", "--home", self.home("secret"))[0].strip()
        loose = ("--p2p.addr_book_strict", "false", "--p2p.allow_duplicate_ip", "true")
        home = self.dir / "seed"
        home.mkdir()
        seed = Node(self, home, "--chain-id", "cli-net", "--p2p.private_peer_ids", secret, *loose,
                    command="seed")
        nodes = [self.node("--p2p.seeds", seed.full, *loose, name=name)
                 for name in ("secret", "open", "late")]
        nodes[2].wait_log(f"event=peer_added .*id={nodes[1].id}")
        self.assertEqual(seed.stop(), 0)
        told, _ = self.run_yard("addrbook", "list", "--home", home)
        self.assertIn(nodes[1].id, told)
        self.assertNotIn(secret, told)


if __name__ == "__main__":
    unittest.main()
