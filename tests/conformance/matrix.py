#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges released versions of Tendermint and CometBFT: the matrix of docs/conformance.md.

    matrix.py [--slow | --only-slow] [--write] [--write-only] [NAME ...]

Names are those of tests/interop/build.py, which must have built the programs; "stack:" in front
means the p2p stack with a test reactor that echoes and the PEX reactor, "node:" the complete node;
":dials" behind it means that it dials us.  A target that a case brings down is started again.  The
full results, with the bytes that were exchanged, are written to build/conformance/NAME.json, those
of slow cases to NAME-slow.json.  --write puts the matrix and its evidence into docs/conformance.md.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import urllib.parse

import node

sys.path.insert(0, str(node.ROOT / "tests" / "interop"))
import harness  # noqa: E402

ALL = ["stack:tendermint-0.22", "node:tendermint-0.22", "stack:cometbft-v0.38",
       "stack:cometbft-v1.0", "stack:cometbft-v0.40", "node:cometbft-v0.34", "node:cometbft-v0.37",
       "node:cometbft-v0.38", "node:cometbft-v1.0", "node:cometbft-v0.40",
       "stack:tendermint-0.22:dials", "stack:cometbft-v0.38:dials", "stack:cometbft-v1.0:dials",
       "stack:cometbft-v0.40:dials", "node:cometbft-v0.34:dials", "node:cometbft-v0.37:dials",
       "node:cometbft-v0.38:dials", "node:cometbft-v1.0:dials", "node:cometbft-v0.40:dials"]
harness.STACKS.setdefault("cometbft-v0.34", (None, "cometbft"))
harness.STACKS.setdefault("cometbft-v0.37", (None, "cometbft"))
OUT = node.ROOT / "build" / "conformance"
CAPACITY = 4 << 20  # of the test reactor's channels
PORTION = 100
WAIT = 12  # for a target to dial again
LETTERS = {"pass": "+", "fail": "**F**", "deviation": "d", "skip": ".", "crash": "**C**"}


class DialingNode(harness.Node):
    """A complete node that can be told over its RPC whom to dial."""

    def _configure(self, network):
        super()._configure(network)
        config = self.home / "config" / "config.toml"
        text, count = re.subn(r"(?m)^unsafe = false", "unsafe = true", config.read_text())
        if count != 1:
            raise harness.InteropError("%s has no key unsafe" % config)
        config.write_text(text)


class Target:
    """A released program, started again when it dies."""

    def __init__(self, name):
        self.kind, self.stack, *role = name.split(":")
        self.dials = role == ["dials"]
        self.profile = harness.STACKS[self.stack][1]
        self.folder = tempfile.mkdtemp(prefix="sy-matrix-")
        self.starts, self.process, self.stopping = 0, None, threading.Event()
        self.start()

    def start(self):
        self.starts += 1
        name = "target-%d" % self.starts
        if self.kind == "stack":
            self.process = harness.Peer(self.stack, name, self.folder,
                                        extra=["--echo", "--rate", "0", "--pex"])
        else:
            self.process = DialingNode(self.stack, name, self.folder)
            self.process.wait_ready(90)

    def restart(self):
        self.process.kill()
        self.start()

    def dial_for_ever(self, address):
        """Dials this address, again and again, for as long as the program runs."""
        done = self.stopping = threading.Event()
        work = self._redial_stack if self.kind == "stack" else self._redial_node
        threading.Thread(target=work, args=(self.process, address, done), daemon=True).start()
        return self

    @staticmethod
    def _redial_stack(process, address, done):
        """One connection at a time: the next dial when the last has failed or was removed."""
        while process.alive() and not done.is_set():
            since = process.mark()
            try:
                process.dial(address)
                while not (process.find("dial_failed", since) or process.find("dial_ok", since)):
                    if done.wait(0.01) or not process.alive():
                        return
                while process.find("dial_ok", since) and not process.find("peer_removed", since):
                    if done.wait(0.01) or not process.alive():
                        return
            except harness.InteropError:
                return
            done.wait(0.05)

    @staticmethod
    def _redial_node(process, address, done):
        """The node itself takes care that there is one connection at a time."""
        query = "dial_peers?persistent=false&peers=" + urllib.parse.quote('["%s"]' % address)
        while process.alive() and not done.wait(0.15):
            try:
                process.rpc(query)
            except (OSError, ValueError, KeyError):
                pass

    def spec(self, *args):
        args = ["--profile", self.profile] + list(args)
        if self.kind == "stack":
            args += ["--capacity", CAPACITY]
        if not self.dials:
            return node.spec(self.process.full_addr, *args, timeout=3000)
        try:
            return node.spec_listening(self.dial_for_ever, "--wait", WAIT, *args, timeout=3000)[1:]
        finally:
            self.stopping.set()

    def alive(self):
        return self.process.alive()

    def last_words(self):
        """The line of the log that says why it died."""
        found = re.findall(r"^(?:panic|fatal error).*", self.process.log_text(), re.M)
        return found[-1] if found else "no word in its log"

    def stop(self):
        self.stopping.set()
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def first_after_crash(cases):
    """The index of the first case that met a dead node, or one that was dying."""
    signs = ("a TCP connection", "that the target dials", "the target has gone",
             "closed after 0 bytes")
    gone = [i for i, c in enumerate(cases) if any(s in c["detail"] for s in signs)
            and c["verdict"] in ("fail", "skip") and i > 0]
    return gone[0] if gone else len(cases)


def first_stuck(cases):
    """A v0.22 dialer never forgets a peer that left while it was taken in, and refuses its ID from
    then on: the index of the first case that met that, when it was not the only one."""
    stuck = [i for i, c in enumerate(cases) if c["verdict"] == "fail"
             and "expected a pong; came: the connection was closed after 2122 bytes" in c["detail"]]
    return stuck[0] if len(stuck) > 2 and stuck[2] == stuck[0] + 2 else len(cases)


def wanted(profile, dials, slow):
    """The cases for this target; slow: also, or "only"."""
    role = "listen" if dials else "dial"
    cases = [c for c in node.listed(profile) if role in c["roles"]]
    if slow == "only":
        return [c["id"] for c in cases if c["slow"]]
    return [c["id"] for c in cases if slow or not c["slow"]]


def run_target(name, slow, strict=False, only=()):
    """The document of all cases."""
    target = Target(name)
    ids = [i for i in wanted(target.profile, target.dials, slow) if not only or i in only]
    results, document, restarts = [], None, 8
    try:
        while ids:
            args = [x for i in ids[:PORTION] for x in ("--only", i)]
            args += ["--strict"] if strict else []
            args += ["--slow"] if slow else []
            status, document, err = target.spec(*args)
            if document is None:
                raise node.Problem("%s: status %d: %s" % (name, status, err))
            cases = document["cases"]
            node.wait(0.5)
            if not target.alive():
                cases = cases[:first_after_crash(cases)]
                cases[-1]["crash"] = target.last_words()
                target.start()
            elif target.dials and restarts > 0 and first_stuck(cases) < len(cases):
                cases = cases[:first_stuck(cases)]
                restarts -= 1
                target.restart()
            results += cases
            ids = ids[len(cases):]
    finally:
        target.stop()
    document["cases"] = results
    return document


def measure(name, args):
    begun = time.monotonic()
    try:
        document = run_target(name, "only" if args.only_slow else args.slow, args.strict, args.case)
    except (node.Problem, harness.InteropError) as e:
        print("%s: %s" % (name, e), flush=True)
        return 1
    path = result_path(name, args.only_slow)
    if args.case and path.exists(): # the others stay
        old = json.loads(path.read_text())
        new = {c["id"]: c for c in document["cases"]}
        document["cases"] = [new.pop(c["id"], c) for c in old["cases"]] + list(new.values())
    path.write_text(json.dumps(document, indent=1))
    totals = {}
    for case in document["cases"]:
        totals[case["verdict"]] = totals.get(case["verdict"], 0) + 1
    failed = [c for c in document["cases"] if c["verdict"] == "fail"]
    print("%s: %s (%.0f s)" % (name, totals, time.monotonic() - begun))
    for case in failed:
        print("  %s %s: %s" % (case["id"], case["verdict"], case["detail"]))
    sys.stdout.flush()
    return len(failed)


def result_path(name, slow=False):
    return OUT / (name.replace(":", "-") + ("-slow" if slow else "") + ".json")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("names", nargs="*", metavar="NAME")
    ap.add_argument("--write", action="store_true")
    ap.add_argument("--write-only", action="store_true", help="from the results that are there")
    ap.add_argument("--slow", action="store_true")
    ap.add_argument("--only-slow", action="store_true")
    ap.add_argument("--case", action="append", default=[], help="only this one, for debugging")
    ap.add_argument("--strict", action="store_true", help="known deviations count as failures")
    ap.add_argument("--jobs", type=int, default=2, help="so many targets at once")
    args = ap.parse_args()
    os.makedirs(OUT, exist_ok=True)
    failed = 0
    if not args.write_only:
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            failed = sum(pool.map(lambda name: measure(name, args), args.names or ALL))
    if args.write or args.write_only:
        import matrix_page
        matrix_page.write()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
