#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the simulator find bugs that no unit test finds?

    planted.py [--seeds N] [--build DIR] [--quick] [NAME ...]

The mutants of the group "sim" in base/mutants.def are bugs planted on purpose.  With each, every
unit test must pass (--quick leaves that out), and some seed of the scenario `storm` must fail.
Seeds 1..N (default 200) are run one by one; printed are the first that fails, what it says, and the
share of the seeds that fail.  A bug that more than 10 of 100 seeds show proves little and counts as
a failure, and so does one that none shows.  Needs the build `planted`.

Last line: "N of M planted bugs found"."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARE_MAX = 0.1


def planted():
    text = (ROOT / "base" / "mutants.def").read_text()
    return re.findall(r'^SY_MUTANT_ROW\((\w+),\s*"[\w-]+",\s*"\w+",\s*"sim"\)', text, re.M)


def environment(mutant):
    return {**os.environ, "SY_MUTANT": mutant}


def unit_tests_pass(build, mutant):
    """(all passed, the summary line)"""
    done = subprocess.run(["ctest", "--test-dir", str(build), "-L", "^(unit|vectors)$", "-j", "2"],
                          env=environment(mutant), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    summary = re.search(r"^\d+% tests passed.*$", done.stdout, re.M)
    return done.returncode == 0 and summary is not None, summary.group(0) if summary else "no tests"


def storm(build, mutant, seed):
    """What a failing seed says, or None."""
    done = subprocess.run([str(build / "tests" / "sim_storm"), "--seed", str(seed)],
                          env=environment(mutant), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)
    if done.returncode == 0:
        return None
    said = re.search(r"^FAILED: (.*)$", done.stdout, re.M)
    return said.group(1) if said else f"status {done.returncode}"


def judge(build, mutant, seeds, quick):
    if not quick:
        passed, summary = unit_tests_pass(build, mutant)
        print(f"{mutant}: unit and vector tests: {summary}", flush=True)
        if not passed:
            return False
    failing, first = 0, None
    for seed in range(1, seeds + 1):
        said = storm(build, mutant, seed)
        if said is not None:
            failing += 1
            if first is None:
                first = seed
                print(f"{mutant}: found by seed {seed}: {said}", flush=True)
    share = failing / seeds
    print(f"{mutant}: {failing} of {seeds} seeds fail ({100 * share:.1f} %), "
          f"{first if first else 'more than ' + str(seeds)} seeds until the first", flush=True)
    return 0 < share < SHARE_MAX


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "planted")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    names = [n for n in planted() if not args.names or n in args.names]
    if not names or not (args.build / "tests" / "sim_storm").exists():
        print(f"no such mutant, or no {args.build}/tests/sim_storm: make planted")
        return 2
    wrong = [s for s in range(1, 11) if storm(args.build, "", s) is not None]
    if wrong:
        print(f"without any mutant seeds fail: {wrong}")
        return 1
    found = sum(judge(args.build, name, args.seeds, args.quick) for name in names)
    print(f"{found} of {len(names)} planted bugs found")
    return 0 if found == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
