# SPDX-License-Identifier: Apache-2.0
"""Starts `yard start` as a target, runs yardspec against it, reads the node's log, the clauses."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CAPACITY = 4 * 1024 * 1024  # of an echo channel
CHANNELS = "[32, 33, 128, 255]"
SCALE = float(os.environ.get("SY_CONFORMANCE_SCALE", "1"))


class Problem(Exception):
    """Something that the test itself needs did not work."""


def program(name):
    """The program to use: $YARD or $YARDSPEC, else the release build's."""
    return os.environ.get(name.upper(), str(ROOT / "build" / "release" / "bin" / name))


# How a target is started for some cases, and what yardspec is told of it.  The first takes all
# cases that name none.
VARIANTS = {
    "": (["--p2p.allow_duplicate_ip", "true", "--p2p.max_num_inbound_peers", "110"],
         ["--capacity", CAPACITY, "--setting", "persistent_peers_max_dial_period=0.1"]),
    "quick": (["--p2p.allow_duplicate_ip", "true", "--p2p.max_num_inbound_peers", "110",
               "--p2p.handshake_timeout", "2s", "--ping_interval", "2s", "--pong_timeout", "1s"],
              ["--setting", "handshake_timeout=2", "--setting", "ping_interval=2",
               "--setting", "pong_timeout=1"]),
    "few": (["--p2p.allow_duplicate_ip", "true", "--p2p.max_num_inbound_peers", "3",
             "--pending_handshakes", "6"],
            ["--setting", "max_num_inbound_peers=3", "--setting", "pending_handshakes=6"]),
    "total": (["--p2p.allow_duplicate_ip", "true", "--total_connections", "3"],
              ["--setting", "total_connections=3"]),
    "prefix": (["--p2p.allow_duplicate_ip", "true", "--max_peers_per_prefix", "2"],
               ["--setting", "max_peers_per_prefix=2"]),
    "seed": (["--p2p.allow_duplicate_ip", "true", "--p2p.seed_mode", "true", "--seed_visit", "2s",
              "--echo_channels", "[]"],
             ["--setting", "seed_mode=true", "--setting", "seed_visit=2"]),
    "one": (["--p2p.allow_duplicate_ip", "false"], ["--setting", "allow_duplicate_ip=false"]),
}
VARIANT_OF_CASE = {"inbound-full": "few", "inbound-again": "few", "pending-served": "few",
                   "pending-oldest": "few", "duplicate-ip": "one", "duplicate-ip-again": "one",
                   "total-full": "total", "prefix-full": "prefix", "seed-answer": "seed",
                   "seed-channels": "seed",
                   "seed-once": "seed", "seed-visit": "seed"}
VARIANT_OF_GROUP = {"deadlines": "quick", "keepalive": "quick"}
REDIAL = ["--p2p.persistent_peers_max_dial_period", "100ms"]


def variant_of(case, slow=False):
    """Deadlines are judged with short ones, unless everything may take its time."""
    group = "" if slow else VARIANT_OF_GROUP.get(case["group"], "")
    return VARIANT_OF_CASE.get(case["id"], group)


class Node:
    """A running yard with echo channels, in a home of its own."""

    def __init__(self, mutant=None, yard=None, variant="", extra=(), profiles=None):
        self.home = tempfile.mkdtemp(prefix="sy-conformance-")
        self.yard = yard or program("yard")
        env = dict(os.environ)
        if mutant:
            env["SY_MUTANT"] = mutant
        try:
            subprocess.run([self.yard, "init", "--home", self.home, "--chain-id", "spec-net"],
                           check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as e:
            raise Problem("%s: %s" % (self.yard, e))
        self.log_path = os.path.join(self.home, "log")
        with open(self.log_path, "wb") as log:
            self.child = subprocess.Popen(
                [self.yard, "start", "--home", self.home, "--moniker", "target",
                 "--p2p.laddr", "tcp://127.0.0.1:0", "--echo_channels", CHANNELS,
                 "--profiles", profiles or '["tendermint", "cometbft"]', "--log_level", "info"]
                + VARIANTS[variant][0] + list(extra),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=env)
        line = self.child.stdout.readline().decode()
        found = re.search(r"ready id=(\w+) addr=(\S+)", line)
        if not found:
            text = self.log()
            self.stop()
            raise Problem("%s does not start: %r\n%s" % (self.yard, line, text))
        self.id, self.pid = found[1], self.child.pid
        self.addr = "%s@%s" % found.groups()

    def log(self):
        return Path(self.log_path).read_text(errors="replace")

    def reasons(self):
        """Remote port -> (reason, clause) of each connection that ended."""
        found = {}
        for line in self.log().splitlines():
            m = re.search(r"addr=\S+:(\d+) .*\breason=(\w+)", line)
            if m:
                found[int(m[1])] = m[2]
        return found

    def dial_reasons(self):
        """The reasons of the connections that it dialed, in the order in which they ended; None for
        one whose line was left out, of which the next line tells."""
        found = []
        for line in self.log().splitlines():
            m = re.search(r"\bdirection=out\b.*\breason=(\w+)(?:.* left_out=(\d+))?", line)
            if m:
                found += [None] * int(m[2] or 0) + [m[1]]
        return found

    def stop(self):
        """Ends it; returns its exit status."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(10 * SCALE)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child.stdout.close()
        status = self.child.returncode
        shutil.rmtree(self.home, ignore_errors=True)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


def parsed(status, out, err):
    try:
        return status, json.loads(out), err
    except ValueError:
        return status, None, err


def spec(addr, *args, timeout=300):
    """A run of yardspec: (exit status, document or None, standard error)."""
    cmd = [program("yardspec"), addr, "--json"] + [str(a) for a in args]
    try:
        done = subprocess.run(cmd, capture_output=True, text=True, timeout=timeout * SCALE)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Problem("%s: %s" % (cmd[0], e))
    return parsed(done.returncode, done.stdout, done.stderr)


def spec_listening(start, *args, timeout=300):
    """A run of yardspec in the other role: start(ADDRESS) must give a target that dials it, and
    keeps dialing.  (target, exit status, document or None, standard error)"""
    cmd = [program("yardspec"), "--listen", "127.0.0.1:0", "--json"] + [str(a) for a in args]
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(cmd, stdout=out, stderr=subprocess.PIPE, text=True)
        target = None
        try:
            first = child.stderr.readline()
            found = re.match(r"listening (\S+)", first)
            if not found:
                raise Problem("%s: %s" % (" ".join(cmd), first + child.stderr.read()))
            target = start(found[1])
            _, err = child.communicate(timeout=timeout * SCALE)
        except subprocess.TimeoutExpired:
            raise Problem("%s: not within %d s" % (" ".join(cmd), timeout * SCALE))
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            child.stderr.close()
        out.seek(0)
        return (target,) + parsed(child.returncode, out.read(), err)


def listed(profile=None):
    """The cases, as --list --json has them."""
    cmd = [program("yardspec"), "--list", "--json"] + (["--profile", profile] if profile else [])
    done = subprocess.run(cmd, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def clauses():
    """Anchor -> (profiles, text) of docs/spec."""
    found = {}
    for page in sorted((ROOT / "docs" / "spec").glob("*.md")):
        for paragraph in re.split(r"\n\n+", page.read_text()):
            m = re.match(r'<a id="([\w-]+)"></a>\*\*\1\*\* \[([a-z, ]+)\] ', paragraph)
            if m:
                found[m[1]] = (m[2].split(", "), paragraph[m.end():])
    return found


def wait(seconds):
    time.sleep(seconds)
