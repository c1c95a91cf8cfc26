#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs fuzz targets: builds them (preset fuzz), starts each from its committed inputs, keeps what
it finds under out/fuzz/<target>/, and prints a table.  Exit 1 when one failed; the input is then
kept as out/fuzz/<target>.<kind>-<SHA-1> and the command that replays it is printed.

    run.py                       every target for 30 seconds
    run.py --seconds 600 two_peers sc_auth_cometbft
    run.py --runs 10000000 --fast addr      without sanitizers (preset fuzz-fast), for large numbers
    run.py --merge               adds to the corpora what reaches code that they do not (look at it
                                 before you commit it)"""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PRESETS = {False: "fuzz", True: "fuzz-fast"}  # by --fast
OUT = os.path.join(ROOT, "out", "fuzz")
LEN_MAX = {"node_info_amino": 11000, "node_info_proto": 11000, "uvarint": 64, "recognize": 64,
           "pex_amino": 4000, "pex_proto": 4000, "two_peers": 400,
           "frames_secretbox": 400, "frames_cometbft": 400,
           "auth_msg_secretbox": 300, "auth_msg_cometbft": 300}
LEN_DEFAULT = 2000
MERGE_LEN_MAX = 400  # what goes into the repository stays small
NICE = ["nice", "-n", "10"]


def build_dir(fast):
    return os.path.join(ROOT, "build", PRESETS[fast])


def build(fast):
    if not os.path.exists(os.path.join(build_dir(fast), "build.ninja")):
        subprocess.run(["cmake", "--preset", PRESETS[fast]], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(NICE + ["cmake", "--build", build_dir(fast), "--target", "fuzz_targets", "-j2"],
                   check=True, stdout=subprocess.DEVNULL)


def inputs(name):
    folders = [os.path.join(HERE, kind, name) for kind in ("corpus", "regression")]
    return [f for f in folders if os.path.isdir(f)]


def program(name, fast=False):
    return os.path.join(build_dir(fast), "fuzz", "fuzz_" + name)


def base_options(name, fast):
    # Weighing the inputs costs more than a run of a fast target.
    options = ["-entropic=0"] if fast else []
    return options + ["-max_len=%d" % LEN_MAX.get(name, LEN_DEFAULT), "-timeout=10",
                      "-rss_limit_mb=2048", "-artifact_prefix=" + os.path.join(OUT, name + ".")]


def number(pattern, text):
    found = re.findall(pattern, text, re.M)
    return int(found[-1]) if found else 0


def fuzz(name, args):
    """One target; returns (name, failed, table row, output)."""
    finds = os.path.join(OUT, name)
    os.makedirs(finds, exist_ok=True)
    stop = [f"-runs={args.runs}"] if args.runs else [f"-max_total_time={args.seconds}"]
    before = len(os.listdir(finds))
    run = subprocess.run(
        NICE + [program(name, args.fast)] + base_options(name, args.fast) + stop +
        [f"-seed={args.seed}", "-print_final_stats=1", finds] + inputs(name),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, errors="replace")
    text = run.stdout
    count = number(r"^fuzz: inputs=(\d+)", text) or number(r"number_of_executed_units: (\d+)", text)
    accepted = number(r"accepted=(\d+)", text)
    row = (name, count, number(r"average_exec_per_sec: *(\d+)", text), number(r"cov: (\d+)", text),
           100.0 * accepted / count if count else 0.0, len(os.listdir(finds)) - before,
           "ok" if run.returncode == 0 else f"FAILED ({run.returncode})")
    return name, run.returncode != 0, row, text


def report_failure(name, text, fast):
    lines = [line for line in text.splitlines()
             if re.search(r"FUZZ_CHECK|runtime error|ERROR:|SUMMARY|switchyard:|test_mem:", line)]
    print(f"\n{name}:\n  " + "\n  ".join(lines[:8]))
    for path in re.findall(r"Test unit written to (\S+)", text):
        print(f"  kept: {os.path.relpath(path, ROOT)}\n  replay: {program(name, fast)} {path}")


def merge(names, fast):
    """Adds to each corpus what reaches code that it does not reach."""
    for name in names:
        finds = os.path.join(OUT, name)
        corpus = os.path.join(HERE, "corpus", name)
        if not os.path.isdir(finds):
            continue
        before = len(os.listdir(corpus))
        subprocess.run(NICE + [program(name, fast), "-merge=1", "-use_counters=0", "-use_cmp=0",
                               f"-max_len={MERGE_LEN_MAX}", corpus, finds],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        print(f"{name}: {len(os.listdir(corpus)) - before} new")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--runs", type=int, default=0, help="executions instead of seconds")
    parser.add_argument("--jobs", type=int, default=1, choices=(1, 2), help="targets at once")
    parser.add_argument("--seed", type=int, default=0, help="of libFuzzer; 0 draws one")
    parser.add_argument("--fast", action="store_true", help="without sanitizers")
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("targets", nargs="*", help="all when none is named")
    args = parser.parse_args()
    build(args.fast)
    known = sorted(os.path.basename(p)[5:] for p in glob.glob(program("*", args.fast)))
    unknown = set(args.targets) - set(known)
    if unknown:
        sys.exit(f"run.py: no target {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    names = args.targets or known
    if args.merge:
        merge(names, args.fast)
        return
    failures = []
    print(f"{'target':<22}{'inputs':>11}{'per s':>9}{'cov':>7}{'taken %':>9}{'new':>6}  result")
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for name, failed, row, text in pool.map(lambda n: fuzz(n, args), names):
            print("{:<22}{:>11}{:>9}{:>7}{:>9.1f}{:>6}  {}".format(*row), flush=True)
            if failed:
                failures.append((name, text))
    for name, text in failures:
        report_failure(name, text, args.fast)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
