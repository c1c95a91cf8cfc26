# SPDX-License-Identifier: Apache-2.0
"""Runs yard and reads what it says.  YARD names the program (default build/bin/yard)."""

import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
YARD = os.environ.get("YARD", str(TOP / "build" / "bin" / "yard"))
DATA = TOP / "tests" / "data"
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:")
PATIENCE_S = 30


class Node:
    """A running `yard start` with a port of its own choice; laddr None: as its file says."""

    def __init__(self, test, home, *flags, laddr="tcp://127.0.0.1:0", command="start"):
        self.test, self.home = test, Path(home)
        self.log_path = self.home / "log"
        cmd = [YARD, command, "--home", str(home), *map(str, flags)]
        if laddr is not None:
            cmd += ["--p2p.laddr", laddr]
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=log, text=True)
        test.addCleanup(self.finish)
        self.ready = self.read_line()
        match = re.fullmatch(r"ready id=([0-9a-f]{40}) addr=(\S+)\n", self.ready)
        if not match:
            test.fail(f"no ready line: {self.ready!r}\n{self.log()}")
        self.id, self.addr = match.groups()

    def read_line(self):
        selector = selectors.DefaultSelector()
        selector.register(self.child.stdout, selectors.EVENT_READ)
        if not selector.select(PATIENCE_S):
            self.test.fail(f"nothing on standard output\n{self.log()}")
        return self.child.stdout.readline()

    @property
    def full(self):
        return f"{self.id}@{self.addr}"

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, pattern, count=1):
        """The match of a line of the log; waits for it."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = list(re.finditer(pattern, self.log(), re.M))
            if len(found) >= count:
                return found[count - 1]
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.test.fail(f"{pattern!r} is not in the log:\n{self.log()}")
            time.sleep(0.02)

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self):
        return self.child.wait(PATIENCE_S)

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.killed = True

    def finish(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()
        self.test.assertNotRegex(self.log(), SANITIZER)


class YardTest(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="yard-cli-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def run_yard(self, *args, status=0, env=None):
        """(standard output, standard error); the exit status must be this."""
        done = subprocess.run([YARD, *map(str, args)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE_S, env=env, check=False)
        self.assertNotRegex(done.stderr, SANITIZER)
        self.assertEqual(done.returncode, status, f"{args}: {done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def home(self, name="home", chain_id="cli-net"):
        """A new home."""
        path = self.dir / name
        self.run_yard("init", "--home", path, "--chain-id", chain_id)
        return path

    def set_config(self, home, text):
        (home / "config" / "config.toml").write_text(text)
        return home

    def node(self, *flags, name="home", **kw):
        home = self.dir / name
        if not home.exists():
            self.home(name)
        return Node(self, home, *flags, **kw)
