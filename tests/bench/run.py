#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark: us and the peers, side by side, interleaved.

    run.py [--quick] [--rounds N] [--rows TEXT] [--subjects A,B]

Prints a table, writes build/bench/results.json and build/bench/chart.svg.  Exit status 1 when a
subject that was built failed in a row.
"""

import argparse
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import time

import chart
import relay
import rows
import subjects

OUT = subjects.OUT


class Failed(Exception):
    pass


class Subject:
    """One process of a subject."""

    def __init__(self, name, exp, mode, addr=None):
        flags = {"--row": exp.kind, "--profile": exp.profile, "--size": exp.size,
                 "--warm": exp.warm, "--count": exp.count, "--defaults": int(exp.defaults),
                 "--nodes": exp.serve_nodes if mode == "serve" else exp.run_nodes}
        if exp.frame_cipher and name == "switchyard":
            flags["--frame-cipher"] = exp.frame_cipher
        if addr:
            flags["--addr"] = addr
        cmd = [str(subjects.program(name)), mode]
        for flag, val in flags.items():
            cmd += [flag, str(val)]
        core = 0 if mode == "serve" else 1
        if exp.pinned and (os.cpu_count() or 1) > 1:
            cmd = ["taskset", "-c", str(core)] + cmd
        self.log = open(OUT / "stderr.log", "ab")
        self.child = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self.log)
        self.rest = b""

    def line(self, timeout):
        deadline = time.monotonic() + timeout
        while b"\n" not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                raise Failed("no answer within %.0f s" % timeout)
            data = os.read(self.child.stdout.fileno(), 65536)
            if not data:
                raise Failed("ended without a result")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def tell(self, text):
        self.child.stdin.write(text.encode())
        self.child.stdin.flush()

    def resident(self):
        """Bytes resident, from the operating system."""
        with open("/proc/%d/smaps_rollup" % self.child.pid) as f:
            for text in f:
                if text.startswith("Rss:"):
                    return int(text.split()[1]) * 1024
        raise Failed("no Rss")

    def cpu(self):
        with open("/proc/%d/stat" % self.child.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        """Ends the process; returns the CPU seconds that it used."""
        if self.log.closed:
            return 0.0
        self.child.stdin.close()
        self.child.stdout.close()
        self.log.close()
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            pid, status, usage = os.wait4(self.child.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.005)
        else:
            os.kill(self.child.pid, signal.SIGKILL)
            _, status, usage = os.wait4(self.child.pid, 0)
        self.child.returncode = status
        return usage.ru_utime + usage.ru_stime


def measure_idle(server, client, exp):
    base = server.resident()
    if client.line(exp.timeout) != "connected":
        raise Failed("not connected")
    time.sleep(1)
    fresh = server.resident()
    result = {"fresh": (fresh - base) / exp.run_nodes}
    if exp.run_nodes >= 10000:
        before = server.cpu()
        time.sleep(10)
        result["cpu"] = (server.cpu() - before) * 10
    client.tell("touch\n")
    if client.line(exp.timeout) != "touched":
        raise Failed("not touched")
    time.sleep(1)
    result["touched"] = (server.resident() - base) / exp.run_nodes
    return result


def measure(name, exp):
    server = Subject(name, exp, "serve")
    client = between = None
    try:
        addr = server.line(30).split()[1]
        if exp.relay_ms:
            between = relay.Relay(addr, exp.relay_ms)
            addr = between.addr
        client = Subject(name, exp, "run", addr)
        if exp.kind == "idle":
            return measure_idle(server, client, exp)
        words = client.line(exp.timeout).split()
        if words[0] != "result":
            raise Failed("unexpected %r" % words)
        if exp.kind.startswith("handshakes") and server.line(10) != "done":
            raise Failed("the other side counted fewer handshakes")
        result = {k: int(v) for k, v in (w.split("=") for w in words[1:])}
        if exp.kind.startswith("handshakes"):
            result["all_cpu_ns"] = (server.cpu() + client.end()) * 1e9
        return result
    finally:
        if client:
            client.end()
        if between:
            between.end()
        server.end()


def measure_frames(rounds, found):
    """The frame layer alone, per second of CPU time; raw is the library cipher on such frames."""
    subjects.build_frames()
    for _ in range(rounds):
        done = subprocess.run([str(subjects.program("frames"))], capture_output=True, text=True,
                              timeout=60)
        if done.returncode != 0:
            raise Failed("frames: status %d" % done.returncode)
        for word in done.stdout.split()[1:]:
            key, val = word.split("=")
            suite, what = key.split("_")
            profile = "tendermint" if suite == "secretbox" else suite
            entry = found.setdefault(("frame-%s-%s" % (what, profile), "switchyard"),
                                     ("MB/s of CPU", True, []))
            entry[2].append(int(val) / 1e6)


def run_all(exps, usable, rounds, failures):
    """{(row, subject): (unit, higher is better, values)}; rounds are interleaved over subjects."""
    found = {}
    for exp in exps:
        title = exp.yields[0][0]
        for n in range(exp.rounds or rounds):
            names = [s for s in exp.subjects if s in usable]
            for name in names[n % len(names):] + names[:n % len(names)]:
                started = time.monotonic()
                try:
                    result = measure(name, exp)
                except (Failed, OSError) as e:
                    failures.append("%s %s: %s" % (title, name, e))
                    print("  %-28s %-20s FAILED: %s" % (title, name, e), flush=True)
                    continue
                for row, unit, function, higher in exp.yields:
                    entry = found.setdefault((row, name), (unit, higher, []))
                    entry[2].append(function(result))
                print("  %-28s %-20s %10s %s  (%.1f s)" % (
                    title, name, short(found[(title, name)][2][-1]), exp.yields[0][1],
                    time.monotonic() - started), flush=True)
    return found


def short(x):
    if x >= 1000:
        return "%.0f" % x
    return "%.1f" % x if x >= 100 else "%.2f" % x if x >= 0.1 else "%.4f" % x


def reference(row, medians):
    """The subject that the ratio is to: the best Go version of the row."""
    go = [s for s in medians if s.startswith("cometbft-") or s.startswith("tendermint-v")]
    if not go:
        return None
    return (max if row["higher"] else min)(go, key=lambda s: medians[s])


def collect(found):
    table = {}
    for (row, subject), (unit, higher, values) in found.items():
        line = table.setdefault(row, {"unit": unit, "higher": higher, "subjects": {}})
        line["subjects"][subject] = values
    return table


def print_table(table):
    print("\n%-30s %-20s %12s %24s %6s" % ("row", "subject", "median", "spread", "ratio"))
    for row, line in table.items():
        medians = {s: statistics.median(v) for s, v in line["subjects"].items()}
        best = reference(line, medians)
        for subject, values in line["subjects"].items():
            ratio = ""
            if best and medians[subject] > 0 and medians[best] > 0:
                ratio = "%.2f" % (medians[subject] / medians[best] if line["higher"]
                                  else medians[best] / medians[subject])
            spread = "%s - %s" % (short(min(values)), short(max(values)))
            print("%-30s %-20s %12s %24s %6s" % (
                row, subject, "%s %s" % (short(medians[subject]), line["unit"]), spread, ratio))
    print("ratio: to the best Go version of the row; more than 1 is better than it")


def write_json(table):
    out = [{"row": row, "subject": subject, "unit": line["unit"],
            "median": statistics.median(values), "low": min(values), "high": max(values),
            "runs": len(values)}
           for row, line in table.items() for subject, values in line["subjects"].items()]
    (OUT / "results.json").write_text(json.dumps(out, indent=1) + "\n")


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--rows", default="", help="only experiments with this in a row's name")
    ap.add_argument("--subjects", default="", help="only these, comma-separated")
    args = ap.parse_args()

    names = args.subjects.split(",") if args.subjects else list(subjects.SUBJECTS)
    print("building %s" % ", ".join(names), flush=True)
    usable, left_out = subjects.build_all(names)
    for name, why in left_out.items():
        print("left out: %s: %s" % (name, why))
    if "switchyard" in left_out:
        return 1
    exps = [e for e in rows.experiments(args.quick)
            if args.rows in ",".join(y[0] for y in e.yields)]
    load = os.getloadavg()[0]
    print("load average at the start: %.1f on %d cores" % (load, os.cpu_count() or 1), flush=True)
    failures = []
    found = run_all(exps, usable, args.rounds, failures)
    if args.rows in "frame-seal frame-open frame-raw":
        measure_frames(args.rounds, found)
    table = collect(found)
    print_table(table)
    for name, why in left_out.items():
        print("left out: %-20s %s" % (name, why.splitlines()[0]))
    for text in failures:
        print("failed: " + text)
    write_json(table)
    chart.write(table, OUT / "chart.svg")
    print("%s, %s" % (OUT / "results.json", OUT / "chart.svg"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
