# SPDX-License-Identifier: Apache-2.0
"""What the hostile tests share: the node under attack, the attacker, honest peers, and the check
that nothing of an attack is left.

YARD, ATTACK and SAVER name the programs; with SY_HOSTILE=full the attacks have the size that they
are meant to have, otherwise one that fits into `make check`.
"""

import json
import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build" / "hostile"
YARD = os.environ.get("YARD", str(BUILD / "bin" / "yard"))
ATTACK = os.environ.get("ATTACK", str(BUILD / "tests" / "hostile_attack"))
SAVER = os.environ.get("SAVER", str(BUILD / "tests" / "hostile_saver"))
FULL = os.environ.get("SY_HOSTILE") == "full"
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:")
NETWORK = "hostile-net"
CHANNEL = 0x20
PROFILES = ("cometbft", "tendermint")
PATIENCE_S = 60
DESCRIPTORS = 100  # of a program beside its connections


def is_sanitized():
    with open(YARD, "rb") as f:
        return b"__asan_init" in f.read()


SANITIZED = is_sanitized() if os.path.exists(YARD) else False
# Freed memory that a sanitizer keeps for a while would count as the node's.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
# Joining beside silent connections: the goal is a second; a sanitizer's build beside other tests is
# given more, and so is an attack that takes the processors.
JOIN_MAX_S = 10.0 if SANITIZED else 1.0
JOIN_BUSY_MAX_S = 10.0


def pick(full, check):
    """The size of an attack."""
    return full if FULL else check


def need_descriptors(count):
    """Both ends of so many connections can be had, each in a program of its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = count + DESCRIPTORS
    if hard != resource.RLIM_INFINITY and hard < need:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (need, need))
        except (OSError, ValueError):
            raise AssertionError(f"{need} descriptors are needed, {hard} may be had: ulimit -Hn")


def wait_until(what, check, seconds=PATIENCE_S, step=0.02):
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(step)


def read_line(child, patience=PATIENCE_S):
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        return child.stdout.readline() if selector.select(patience) else ""


class Node:
    """A running `yard start`; what /proc and its log say of it."""

    def __init__(self, test, home, *flags, descriptors=None):
        self.test, self.home = test, Path(home)
        self.log_path = self.home / "log"
        cmd = [YARD, "start", "--home", str(home), "--p2p.laddr", "tcp://127.0.0.1:0",
               "--p2p.allow_duplicate_ip", "true", "--p2p.addr_book_strict", "false",
               "--p2p.pex", "false", *map(str, flags)]

        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=log, text=True, preexec_fn=limit)
        test.addCleanup(self.finish)
        ready = read_line(self.child)
        match = re.fullmatch(r"ready id=([0-9a-f]{40}) addr=(\S+)\n", ready)
        if not match:
            test.fail(f"no ready line: {ready!r}\n{self.log()[-3000:]}")
        self.id, self.addr = match.groups()
        self.full = f"{self.id}@{self.addr}"
        self.base_fds = self.fds()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def events(self, name, **fields):
        """Lines of the log with this event and these values."""
        found = []
        for line in self.log().splitlines():
            if f"event={name} " in line + " " and all(
                    re.search(rf"\b{k}={re.escape(str(v))}(\s|$)", line)
                    for k, v in fields.items()):
                found.append(line)
        return found

    def wait_events(self, count, name, **fields):
        return wait_until(lambda: f"{count} of {name} {fields}\n{self.log()[-3000:]}",
                          lambda: len(self.events(name, **fields)) >= count)

    def fds(self):
        """Open descriptors, without those that the loop makes for itself when it needs them."""
        folder = f"/proc/{self.child.pid}/fd"
        count = 0
        for name in os.listdir(folder):
            try:
                count += not os.readlink(f"{folder}/{name}").startswith("anon_inode:")
            except FileNotFoundError:
                pass  # closed meanwhile
        return count

    def rss(self):
        """Resident bytes."""
        statm = Path(f"/proc/{self.child.pid}/statm").read_text()
        return int(statm.split()[1]) * resource.getpagesize()

    def cpu(self):
        """Seconds of processor time so far."""
        stat = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """Asks it to end; returns the exit status."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(PATIENCE_S)

    def finish(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()
        self.test.assertNotRegex(self.log(), SANITIZER)


class Attack:
    """A running attacker."""

    def __init__(self, test, target, **options):
        self.test = test
        options.setdefault("network", NETWORK)
        cmd = [ATTACK, "--to", target.addr]
        for name, value in options.items():
            cmd += [f"--{name}", str(value)]
        self.begun = time.monotonic()
        self.child = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True)
        test.addCleanup(self.finish)

    @staticmethod
    def numbers(line):
        return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}

    def wait_ready(self):
        """Every connection has come as far as it was to, or was refused."""
        line = read_line(self.child, 300)
        if not line.startswith("ready "):
            self.test.fail(f"the attacker said {line!r}")
        return self.numbers(line)

    def state(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        return self.numbers(read_line(self.child))

    def wait_closed(self, count, seconds=PATIENCE_S):
        """The target has closed so many."""
        wait_until(lambda: f"{count} closed: {self.state()}",
                   lambda: self.state()["closed"] >= count, seconds, 0.1)

    def end(self):
        """Closes what is open; the status must be 0."""
        if self.child.poll() is None:
            self.child.stdin.close()
            self.test.assertEqual(self.child.wait(PATIENCE_S), 0)

    def finish(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        for stream in (self.child.stdin, self.child.stdout):
            stream.close()


class HostileTest(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="yard-hostile-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def tell(self, text):
        """A figure for whoever reads the output."""
        print(f"  {self.id().split('.', 1)[1]}: {text}", flush=True)

    def home(self, name):
        path = self.dir / name
        subprocess.run([YARD, "init", "--home", path, "--chain-id", NETWORK], check=True,
                       stdout=subprocess.DEVNULL)
        return path

    def target(self, *flags, descriptors=None, **kw):
        flags = ("--echo_channels", f"[{CHANNEL}]", *flags)
        return Node(self, self.home("target"), *flags, descriptors=descriptors, **kw)

    def friend(self, target, *flags):
        """An honest peer that stays and sends an echo every 100 ms."""
        node = Node(self, self.home("friend"), "--echo_channels", f"[{CHANNEL}]",
                    "--echo_interval", "100ms", "--p2p.persistent_peers", target.full, *flags)
        node.wait_events(1, "echo_answer")
        return node

    def check_friend(self, friend):
        """It was never away, and is answered now."""
        self.assertEqual(friend.events("peer_removed"), [])
        friend.wait_events(len(friend.events("echo_answer")) + 2, "echo_answer")

    def attack(self, target, **options):
        return Attack(self, target, **options)

    def join(self, target, profile="cometbft", longest=JOIN_BUSY_MAX_S):
        """Seconds in which an honest newcomer becomes a peer and has its ping answered."""
        begun = time.monotonic()
        done = subprocess.run([YARD, "probe", target.full, "--chain-id", NETWORK, "--profile",
                               profile, "--timeout", "30", "--json"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE_S, check=False)
        took = time.monotonic() - begun
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIsNone(json.loads(done.stdout).get("error"))
        self.assertLess(took, longest, done.stdout)
        return took

    def join_often(self, target, times, **kw):
        worst = max(self.join(target, **kw) for _ in range(times))
        self.tell(f"{times} joins, the longest {worst * 1000:.0f} ms")

    def check_nothing_left(self, target, peers=0):
        """No descriptor, no peer but so many; then an orderly end without a leak.  That the
        budgets are empty at the end is asserted by the program itself."""
        wait_until(lambda: f"{target.fds()} descriptors, {target.base_fds} before",
                   lambda: target.fds() == target.base_fds + peers)
        ids = re.findall(r"event=peer_added .*?\bid=([0-9a-f]{40})", target.log())
        gone = re.findall(r"event=peer_removed .*?\bid=([0-9a-f]{40})", target.log())
        self.assertEqual(len(ids), len(gone) + peers)
        self.assertEqual(target.stop(), 0, target.log()[-3000:])
        self.assertRegex(target.log(), r"event=stopped")
        self.assertNotRegex(target.log(), SANITIZER)
