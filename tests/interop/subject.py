# SPDX-License-Identifier: Apache-2.0
"""What the interop tests examine: the program yard.

Yard starts it on a home of its own.  It echoes on the channels that it is given, dials its
persistent peers, and tells in its log why it refused someone.  StandIn offers the same with one of
the real peers in yard's place: with SY_INTEROP_SUBJECT=standin the suite examines itself, Go
against Go, so that a test that fails for yard is known to be able to pass.
"""

import json
import os
import re
import subprocess
from pathlib import Path

from build import build_dir
from harness import (NETWORK, InteropError, InteropTest, Peer, Process, SCALE, STACKS,
                     node_key_json, wait_until)

STAND_IN = os.environ.get("SY_INTEROP_SUBJECT", "yard") == "standin"
STAND_IN_STACK = {"tendermint": "tendermint-0.22", "cometbft": "cometbft-v0.38"}
PROFILES = ("tendermint", "cometbft")
CHANNELS = (0x20, 0x21, 0x80, 0xff)

# What each kind of refusal looks like in a log: the code of yard, or its text, or the text of the
# Go implementations.
REFUSALS = {
    "network": r"NI_NETWORK|different network",
    "version": r"NI_VERSION_MAJOR|major version",
    "block": r"NI_BLOCK_VERSION|block (protocol )?version",
    "channels": r"NI_NO_COMMON_CHANNEL|no common channel",
    "wrong-id": r"\bID_MISMATCH|is not the dialed ID|dialed ID .* mismatch|Failed to authenticate",
    "self": r"\bSELF\b|to ourselves|\bself\b|peer_is_self",
    "duplicate": r"DUPLICATE_ID|CROSSED|already connected|duplicate",
}


def yard_path():
    path = os.environ.get("SY_YARD")
    if path:
        return path
    return str(build_dir().parent / "bin" / "yard")


def toml_list(values):
    return "[%s]" % ", ".join(json.dumps(v) for v in values)


class Yard(Process):
    """A running `yard start`."""

    def __init__(self, name, log_dir, *, network=NETWORK, profiles=PROFILES, channels=CHANNELS,
                 persistent=(), port=0, key_seed=None, extra=()):
        self.home = Path(log_dir) / (name + "-home")
        if not self.home.exists():
            self.run_tool("init", "--home", self.home, "--chain-id", network)
        if key_seed:
            (self.home / "config" / "node_key.json").write_text(node_key_json(key_seed))
        cmd = [yard_path(), "start", "--home", self.home, "--moniker", name,
               "--p2p.laddr", "tcp://127.0.0.1:%d" % port,
               "--p2p.persistent_peers", ",".join(persistent),
               "--p2p.allow_duplicate_ip", "true", "--p2p.addr_book_strict", "false",
               "--profiles", toml_list(profiles), "--echo_channels", toml_list(channels),
               "--log_level", "info"]
        if "--p2p.pex" not in extra:
            cmd += ["--p2p.pex", "false"]  # channel 00 is then nobody's
        super().__init__(name, cmd + list(extra), log_dir)
        try:
            ready = self.wait("ready", 20)
        except InteropError:
            self.kill()
            raise
        self.id, self.addr = ready["id"], ready["addr"]
        self.port = int(self.addr.rsplit(":", 1)[1])

    @staticmethod
    def run_tool(*args, timeout=30):
        cmd = [yard_path()] + [str(a) for a in args]
        try:
            done = subprocess.run(cmd, capture_output=True, text=True, timeout=timeout * SCALE)
        except FileNotFoundError:
            raise InteropError("%s does not exist; build yard, or name it in SY_YARD" % cmd[0])
        if args[0] != "probe" and done.returncode != 0:
            raise InteropError("%s: status %d\n%s" % (" ".join(cmd), done.returncode, done.stderr))
        return done

    @property
    def full_addr(self):
        return "%s@%s" % (self.id, self.addr)

    def wait_refusal(self, kind, about=(), timeout=10):
        """Waits for a line of the log that tells this refusal and contains one of these texts."""
        pattern = re.compile(REFUSALS[kind], re.I)

        def tells(line):
            return not line.startswith("$ ") and pattern.search(line) \
                and (not about or any(a in line for a in about))

        def seen():
            text = self.log_text() + self.out_path.read_text(errors="replace")
            return next(filter(tells, text.splitlines()), None)
        what = "%s logs a refusal of the kind %r about %s" % (self.name, kind, about)
        try:
            return wait_until(what, seen, timeout)
        except InteropError as e:
            raise InteropError("%s\n  log: %s" % (e, self.err_path))

    @staticmethod
    def probe(full_addr, *args):
        """`yard probe --json`: (exit status, document)."""
        done = Yard.run_tool("probe", full_addr, "--json", *args, timeout=40)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            raise InteropError("yard probe %s: status %d, standard output is not JSON: %r\n%s" % (
                full_addr, done.returncode, done.stdout[:300], done.stderr[-1000:]))

    def finish(self):
        """The end of a test: it must still run and must end cleanly when asked."""
        if self.alive():
            status = self.stop()
            if status != 0:
                raise self.error("exit status %d after SIGTERM" % status)
        elif not getattr(self, "killed", False):
            status = self.child.returncode
            self.kill()
            raise self.error("ended on its own with status %s" % status)

    def crash(self):
        self.killed = True
        self.kill()


class StandIn(Peer):
    """A real peer in the place of yard; speaks one profile only."""

    def wait_refusal(self, kind, about=(), timeout=10):
        # Go does not always name the peer that it refuses.
        return Yard.wait_refusal(self, kind, (), timeout)

    def __init__(self, name, log_dir, *, network=NETWORK, profiles=PROFILES, channels=CHANNELS,
                 persistent=(), port=0, key_seed=None, extra=()):
        if len(profiles) != 1:
            raise InteropError("a stand-in speaks one profile only")
        super().__init__(STAND_IN_STACK[profiles[0]], name, log_dir, network=network, port=port,
                         channels=",".join("%02x" % c for c in channels), key_seed=key_seed,
                         persistent=persistent, extra=["--echo"] + list(extra))

    def finish(self):
        self.kill()

    def crash(self):
        self.kill()


class SubjectTest(InteropTest):
    """A test of yard, or of its stand-in."""

    def subject(self, name="yard", profile=None, **kw):
        """Starts one.  A profile narrows it to that one; without, it speaks both."""
        if profile:
            kw["profiles"] = (profile,)
        if STAND_IN and not profile:
            self.skipTest("stand-in: no Go program speaks both profiles")
        kind = StandIn if STAND_IN else Yard
        thing = kind(self.unique(name), self.log_dir, **kw)
        self.addCleanup(thing.finish)
        return thing

    def yard_only(self, why):
        if STAND_IN:
            self.skipTest("stand-in: " + why)


def stacks_of(profile):
    return [s for s, (_, p) in STACKS.items() if p == profile]


