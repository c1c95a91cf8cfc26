# SPDX-License-Identifier: Apache-2.0
"""kill -9 while files are being saved: what is found afterwards is the old or the new content,
whole, and never older than what was reported as saved."""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import time
import unittest

from harness import SAVER, YARD, HostileTest, Node, pick, read_line

ROUNDS = pick(200, 20)
ADDRESSES = 2000
TEMPORARY = re.compile(r"\.json\..+")


def node_id(number):
    return hashlib.sha256(b"%d" % number).hexdigest()[:40]


def made_book():
    """A book of addresses on this machine where nobody listens."""
    addrs = []
    for i in range(ADDRESSES):
        addrs.append({
            "addr": {"id": node_id(i), "ip": f"127.{1 + i % 200}.{i // 200}.1", "port": 9},
            "src": {"id": node_id(i % 50), "ip": f"127.{1 + i % 50}.0.1", "port": 9},
            "buckets": [i % 256], "attempts": 0, "bucket_type": 1,
            "last_attempt": "2026-01-01T00:00:00Z", "last_success": "0001-01-01T00:00:00Z",
            "last_ban_time": "0001-01-01T00:00:00Z"})
    return {"key": "15c02a1cb1dfae15cd6ea65b", "addrs": addrs}


class Kill(HostileTest):
    def kill_round(self, rng, longest):
        """One life of the saver; (what it found, the last that it reported)."""
        child = subprocess.Popen([SAVER, str(self.dir)], stdout=subprocess.PIPE, text=True)
        try:
            loaded = read_line(child)
            self.assertRegex(loaded, r"^loaded ")
            found = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", loaded)}
            time.sleep(rng.random() * longest)
        finally:
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read()
            child.wait()
            child.stdout.close()
        self.assertNotIn("saver:", rest)
        saved = [int(n) for n in re.findall(r"^saved (\d+)\n", rest, re.M)]
        return found, saved[-1] if saved else None

    def time_of_a_round(self):
        """Seconds that the saver takes for all three files, undisturbed."""
        folder = self.dir / "undisturbed"
        folder.mkdir()
        child = subprocess.Popen([SAVER, str(folder)], stdout=subprocess.PIPE, text=True)
        self.assertRegex(read_line(child), r"^loaded ")
        begun = time.monotonic()
        self.assertEqual(read_line(child), "saved 1\n")
        took = time.monotonic() - begun
        child.kill()
        child.wait()
        child.stdout.close()
        return took

    def test_bans_book_and_notes(self):
        rng = random.Random(6)
        longest = 3 * self.time_of_a_round()
        last = 0
        torn = saves = 0
        for _ in range(ROUNDS):
            found, saved = self.kill_round(rng, longest)
            # In this order they are saved; the round in which it died may have come to any of them.
            self.assertIn(found["book"], (last, last + 1))
            self.assertIn(found["bans"], (found["book"], found["book"] + 1))
            self.assertGreaterEqual(found["bans"], last)
            if found["notes"]:
                self.assertIn(found["notes"], (2 - last % 2, 2 - (last + 1) % 2))
            torn += found["bans"] > last
            last = max(found["book"], saved or 0)
            saves += (saved or found["book"]) - found["book"]
        self.tell(f"{ROUNDS} kills, {saves} whole rounds of saving, {torn} deaths between files")
        self.assertGreater(torn + saves, 0)
        # A death leaves its temporary file behind; the next life clears up.
        left = [name for name in os.listdir(self.dir) if TEMPORARY.search(name)]
        self.assertLessEqual(len(left), 1, left)

    def ban(self, home, rule, after=None):
        """Bans; killed after so many seconds unless it is done by then.  True: it was done."""
        child = subprocess.Popen([YARD, "bans", "add", rule, "--home", home, "--reason", rule])
        if after is not None:
            time.sleep(after)
            child.send_signal(signal.SIGKILL)
        status = child.wait(30)
        self.assertIn(status, (0, -signal.SIGKILL))
        return status == 0

    def bans_of(self, home):
        out = subprocess.run([YARD, "bans", "list", "--home", home], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        return set(re.findall(r"\b10\.\d+\.\d+\.\d+\b", out))

    def test_bans_of_a_running_node(self):
        """What was reported as banned is banned, whatever happened to other commands."""
        rng = random.Random(6)
        node = self.target()
        begun = time.monotonic()
        self.assertTrue(self.ban(node.home, "10.0.0.1"))
        lasts = time.monotonic() - begun
        done, tried = {"10.0.0.1"}, {"10.0.0.1"}
        for i in range(ROUNDS):
            rule = f"10.1.{i // 250}.{1 + i % 250}"
            tried.add(rule)
            if self.ban(node.home, rule, rng.random() * 1.5 * lasts):
                done.add(rule)
            now = self.bans_of(node.home)
            self.assertLessEqual(done, now)
            self.assertLessEqual(now, tried)
        self.tell(f"{ROUNDS} rounds, {ROUNDS - len(done) + 1} killed, {len(now)} bans")
        self.assertTrue(self.ban(node.home, "10.0.0.2"))
        self.assertEqual([n for n in os.listdir(node.home / "config") if TEMPORARY.search(n)], [])
        self.assertNotRegex(node.log(), "level=error")
        self.check_nothing_left(node)
        again = Node(self, node.home)
        self.assertEqual(self.bans_of(node.home), now | {"10.0.0.2"})
        self.check_nothing_left(again)

    def start(self, home):
        log = open(home / "log", "ab")
        child = subprocess.Popen([YARD, "start", "--home", home, "--p2p.laddr",
                                  "tcp://127.0.0.1:0", "--p2p.addr_book_strict", "false",
                                  "--p2p.dial_timeout", "200ms"],
                                 stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        self.assertRegex(read_line(child), r"^ready ")
        return child

    def book_of(self, home):
        """IDs and failed attempts; the file must be whole and our own tool must agree."""
        book = json.loads((home / "config" / "addrbook.json").read_text())
        checked = subprocess.run([YARD, "addrbook", "check", "--home", home], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
        self.assertRegex(checked, rf"^addresses={len(book['addrs'])} .* invalid=0 ")
        return {entry["addr"]["id"]: entry["attempts"] for entry in book["addrs"]}

    def test_a_node_that_stops(self):
        """The node saves its book when it is asked to end, and is killed on the way there."""
        rng = random.Random(66)
        home = self.home("node")
        (home / "config" / "addrbook.json").write_text(json.dumps(made_book()))
        child = self.start(home)
        time.sleep(0.3)
        begun = time.monotonic()
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(30), 0)
        child.stdout.close()
        lasts = time.monotonic() - begun  # as long as an undisturbed end takes
        first = self.book_of(home)
        self.assertGreater(len(first), ADDRESSES * 0.9)
        self.assertGreater(sum(first.values()), 0)

        mid = 0
        before = first
        for _ in range(ROUNDS):
            child = self.start(home)
            time.sleep(0.02)
            child.send_signal(signal.SIGTERM)
            time.sleep(rng.random() * lasts)
            child.send_signal(signal.SIGKILL)
            mid += child.wait(30) == -signal.SIGKILL
            child.stdout.close()
            now = self.book_of(home)
            self.assertEqual(set(now), set(first))
            self.assertGreaterEqual(sum(now.values()), sum(before.values()))
            before = now
        self.tell(f"{ROUNDS} rounds, {mid} killed before the end, "
                  f"an undisturbed end takes {lasts * 1000:.0f} ms")
        self.assertGreater(mid, 0)
        child = self.start(home)
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(30), 0)
        child.stdout.close()
        self.assertEqual([n for n in os.listdir(home / "config") if TEMPORARY.search(n)], [])
        self.assertNotIn("set_aside", (home / "log").read_text())


if __name__ == "__main__":
    unittest.main()
