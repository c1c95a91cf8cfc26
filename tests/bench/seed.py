#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our seed beside a complete CometBFT v0.38.26 node in seed mode, in one run: `make bench-seed`.

    seed.py [--seconds N] [--warm N] [--visits N] [--meshes N]

Both start on books of 1,000 addresses in 250 groups, at which nobody listens, and get 50 visitors
a minute, each another node that connects, asks and leaves, at the same time on the same machine.
Every five seconds their memory is read (resident; private and dirty, from smaps_rollup); their CPU
time is counted from the end of the warm-up.  Then four CometBFT validators whose only seed is one
or the other start, several times each in turn, and the time is taken until each has the three
others as peers.  Prints the table of docs/performance.md and writes build/bench/seed.json.
"""

import argparse
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import subjects

sys.path.insert(0, str(subjects.INTEROP))
from harness import NETWORK, Node, Process  # noqa: E402
from pexrig import Seed, Validators  # noqa: E402

STACK = "cometbft-v0.38"
OURS, THEIRS = "yard seed", "CometBFT v0.38.26"
ADDRESSES, GROUPS = 1000, 250
MESH_S = 180
TICK = os.sysconf("SC_CLK_TCK")


def book():
    """A book that both read: 1,000 addresses that were told by many, never dialed."""
    entries, now = [], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for i in range(ADDRESSES):
        addr = {"id": hashlib.sha256(b"bench %d" % i).hexdigest()[:40],
                "ip": "127.%d.%d.%d" % (1 + i % GROUPS, 200 + i // GROUPS, 1 + i % 250),
                "port": 26656}
        entries.append({"addr": addr, "src": addr, "buckets": [i % 256], "attempts": 0,
                        "bucket_type": 1, "last_attempt": now,
                        "last_success": "0001-01-01T00:00:00Z",
                        "last_ban_time": "0001-01-01T00:00:00Z"})
    return json.dumps({"key": "0123456789abcdef01234567", "addrs": entries})


def build_visitor():
    libs = [subjects.RELEASE / "lib" / ("libsy_%s.a" % lib) for lib in subjects.OURS]
    out = subjects.program("visitor")
    out.parent.mkdir(parents=True, exist_ok=True)
    subjects.run(["cc"] + subjects.CC_FLAGS + ["-I%s" % (subjects.RELEASE / "include"), "-o", out,
                                               subjects.HERE / "seed" / "visitor.c"]
                 + libs + subjects.OUR_LIBS)
    return out


class Bench:
    """What the classes of the interop tests expect of a test: a folder, and an end for all."""

    def __init__(self, folder):
        self.log_dir, self.things = Path(folder), []

    def own(self, thing):
        self.things.append(thing)
        return thing

    def end(self):
        for thing in reversed(self.things):
            thing.kill()
        self.things = []


def start_ours(bench, with_book):
    home = bench.log_dir / "seed-home"
    (home / "config").mkdir(parents=True)
    if with_book:
        (home / "config" / "addrbook.json").write_text(book())
    return bench.own(Seed("seed", bench.log_dir))


def start_theirs(bench, with_book):
    home = bench.log_dir / "cometbft-home"
    subprocess.run([str(subjects.TOP / "interop" / "bin" / STACK), "init", "--home", str(home)],
                   check=True, capture_output=True)
    if with_book:
        (home / "config" / "addrbook.json").write_text(book())
    node = Node(STACK, "cometbft", bench.log_dir, home=home, seed_mode=True,
                extra=["--log_level", "info"])
    return bench.own(node).wait_ready()


def memory(pid):
    """(resident, private and dirty) in bytes."""
    text = Path("/proc/%d/smaps_rollup" % pid).read_text()
    return tuple(1024 * int(re.search(r"^%s:\s+(\d+) kB" % key, text, re.M)[1])
                 for key in ("Rss", "Private_Dirty"))


def cpu(pid):
    """Seconds of CPU time."""
    fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure_memory(args, folder):
    bench = Bench(folder)
    visitor = build_visitor()
    try:
        seeds = {OURS: start_ours(bench, True), THEIRS: start_theirs(bench, True)}
        visitors = {}
        for number, (name, seed) in enumerate(seeds.items()):
            visitors[name] = bench.own(Process("visitor-%d" % number, [
                visitor, NETWORK, seed.full_addr, 60000 // args.visits], bench.log_dir))
        time.sleep(args.warm)
        begun = {name: (cpu(s.child.pid), visitors[name].mark()) for name, s in seeds.items()}
        samples = {name: [] for name in seeds}
        started = time.monotonic()
        while time.monotonic() - started < args.seconds:
            time.sleep(5)
            for name, seed in seeds.items():
                samples[name].append(memory(seed.child.pid))
        took = time.monotonic() - started
        rows = {}
        for name, seed in seeds.items():
            visits = visitors[name].events[begun[name][1]:]
            good = [v for v in visits if v["result"] == "answered" and int(v["bytes"]) > 2]
            rows[name] = {
                "resident": statistics.median(s[0] for s in samples[name]),
                "resident_most": max(s[0] for s in samples[name]),
                "dirty": statistics.median(s[1] for s in samples[name]),
                "dirty_most": max(s[1] for s in samples[name]),
                "cpu_ms_per_minute": (cpu(seed.child.pid) - begun[name][0]) / took * 60000,
                "visits": len(visits), "answered": len(good),
                "answer_bytes": statistics.median(int(v["bytes"]) for v in good) if good else 0,
            }
        return rows
    finally:
        bench.end()


def measure_mesh(folder, ours):
    """Seconds from the start of the first of four validators until all are peers of all."""
    bench = Bench(folder)
    try:
        seed = start_ours(bench, False) if ours else start_theirs(bench, False)
        started = time.monotonic()
        net = Validators(bench, STACK, 4, [seed.full_addr]).wait_ready()
        net.wait_full_mesh(MESH_S)
        return time.monotonic() - started
    finally:
        bench.end()


def mib(count):
    return "%.1f" % (count / (1 << 20))


def table(rows, meshes):
    lines = [("", OURS, THEIRS)]
    for text, key, form in (("resident, MiB: median", "resident", mib),
                            ("resident, MiB: most", "resident_most", mib),
                            ("private and dirty, MiB: median", "dirty", mib),
                            ("private and dirty, MiB: most", "dirty_most", mib),
                            ("CPU, ms a minute", "cpu_ms_per_minute", lambda v: "%.0f" % v),
                            ("visits", "visits", str), ("of them answered with addresses",
                                                        "answered", str),
                            ("bytes of an answer, median", "answer_bytes",
                             lambda v: "%.0f" % v)):
        if rows:
            lines.append((text, form(rows[OURS][key]), form(rows[THEIRS][key])))
    if any(meshes.values()):
        lines.append(("full mesh of 4 validators, s: each run",)
                     + tuple(" ".join("%.1f" % t for t in meshes[n]) for n in (OURS, THEIRS)))
    out = ["| %s | %s | %s |" % line for line in lines]
    return "\n".join(out[:1] + ["| --- | --- | --- |"] + out[1:])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--seconds", type=float, default=300)
    ap.add_argument("--warm", type=float, default=60)
    ap.add_argument("--visits", type=int, default=50, help="visitors a minute, for each seed")
    ap.add_argument("--meshes", type=int, default=3)
    args = ap.parse_args()
    built = subprocess.run([sys.executable, str(subjects.INTEROP / "build.py"), STACK])
    if built.returncode != 0:
        return built.returncode
    rows, meshes = {}, {OURS: [], THEIRS: []}
    with tempfile.TemporaryDirectory(prefix="bench-seed-") as top:
        if args.seconds > 0:
            rows = measure_memory(args, Path(top))
        for turn in range(args.meshes):
            for ours in (True, False):
                folder = Path(top) / ("mesh-%d-%d" % (turn, ours))
                folder.mkdir()
                meshes[OURS if ours else THEIRS].append(measure_mesh(folder, ours))
    print(table(rows, meshes))
    subjects.OUT.mkdir(parents=True, exist_ok=True)
    (subjects.OUT / "seed.json").write_text(json.dumps({"rows": rows, "meshes": meshes}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
