#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the peers and runs the interop tests.

    run.py [-k TEXT] [THEME ...]   all themes, or some (echo, refusals, ...), against build/bin/yard
    run.py --self-test             the same with a real peer in the place of yard, where possible

Two themes run at a time.  The last line is "N passed, N failed, N skipped"; every skipped test is
listed with its reason.  Exit status: 0 all passed, 1 something failed or could not be built, 77 no
usable Go and so nothing was run (with CI set: 1).

Variables: SY_BUILD_DIR (outputs; default build), SY_YARD (the program to test; default bin/yard of
the former), SY_INTEROP_SCALE (multiplies all time-outs), SY_INTEROP_LONG (1: themes that have a
long form run it).
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
LANES = 2
# the long one first, so that the others run beside it
THEMES = ["pex", "nodes", "crossed", "pexnodes", "crawl", "books", "refusals", "echo",
          "profiles", "sleeper", "abci", "persistent", "probe", "config", "harness"]
# only when named: more than ten minutes
LONG = ["pexlong"]


class Result(unittest.TextTestResult):
    """Counts a test with failed sub-tests once."""

    def __init__(self, *args):
        super().__init__(*args)
        self.names, self.bad = [], set()

    def startTest(self, test):
        super().startTest(test)
        self.names.append(test.id())

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.bad.add(test.id())

    def addError(self, test, err):
        super().addError(test, err)
        self.bad.add(test.id())

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.bad.add(test.id())

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.bad.add(test.id())


def run_theme(theme, pattern, report):
    """In a process of its own: runs one file and writes its counts as JSON."""
    sys.path.insert(0, str(HERE))
    loader = unittest.TestLoader()
    if pattern:
        loader.testNamePatterns = ["*%s*" % pattern]
    suite = loader.loadTestsFromName("test_" + theme)
    result = unittest.TextTestRunner(resultclass=Result, verbosity=2).run(suite)
    skipped = [(t.id(), why) for t, why in result.skipped]
    passed = [n for n in result.names if n not in result.bad and n not in {s for s, _ in skipped}]
    counts = dict(passed=len(passed), failed=sorted(result.bad), skipped=skipped)
    Path(report).write_text(json.dumps(counts))


def launch(theme, args, folder):
    report = Path(folder) / (theme + ".json")
    cmd = [sys.executable, str(HERE / "run.py"), "--theme-report", str(report), theme]
    if args.k:
        cmd += ["-k", args.k]
    env = dict(os.environ, PYTHONUNBUFFERED="1")
    if args.self_test:
        env["SY_INTEROP_SUBJECT"] = "standin"
    started = time.monotonic()
    done = subprocess.run(cmd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        counts = json.loads(report.read_text())
    except (OSError, ValueError):
        what = "test_%s: the process ended with status %d" % (theme, done.returncode)
        counts = dict(passed=0, failed=[what], skipped=[])
    print("==== %s (%.0f s)\n%s" % (theme, time.monotonic() - started, done.stdout), flush=True)
    return counts


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("themes", nargs="*", metavar="THEME", help=" ".join(THEMES + LONG))
    ap.add_argument("-k", metavar="TEXT", help="only tests with this text in their name")
    ap.add_argument("--self-test", action="store_true")
    ap.add_argument("--theme-report", help=argparse.SUPPRESS)
    args = ap.parse_args()
    unknown = [t for t in args.themes if t not in THEMES + LONG]
    if unknown:
        ap.error("unknown theme %s; there are: %s" % (unknown[0], " ".join(THEMES + LONG)))
    if args.theme_report:
        run_theme(args.themes[0], args.k, args.theme_report)
        return 0

    built = subprocess.run([sys.executable, str(HERE / "build.py")]).returncode
    if built != 0:
        print("0 passed, %d failed, 0 skipped" % (built != 77))
        return built
    themes = [t for t in THEMES + LONG if t in (args.themes or THEMES)]
    with tempfile.TemporaryDirectory() as folder:
        with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
            counts = list(pool.map(lambda t: launch(t, args, folder), themes))

    for c in counts:
        for name, why in c["skipped"]:
            print("skipped: %s: %s" % (name, why))
    for c in counts:
        for name in c["failed"]:
            print("failed: %s" % name)
    passed = sum(c["passed"] for c in counts)
    failed = sum(len(c["failed"]) for c in counts)
    skipped = sum(len(c["skipped"]) for c in counts)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
