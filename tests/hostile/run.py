#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks a running yard over real sockets.

    run.py [--full] [-k TEXT] [THEME ...]

Themes: silent, loris, floods, descriptors, kill; all when none is named.  --full takes the sizes
that the attacks are meant to have (10,000 connections, 1,000 peers, 200 kills: some minutes),
otherwise smaller ones.  Programs: YARD, ATTACK and SAVER, by default those of build/hostile (`make
hostile` builds them).  The figures of each attack are printed on the way; the last line is
"N passed, N failed".
"""

import argparse
import os
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
THEMES = ("silent", "loris", "floods", "descriptors", "kill")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("-k", metavar="TEXT", help="only tests with this text in their name")
    parser.add_argument("themes", nargs="*", metavar="THEME")
    args = parser.parse_args()
    unknown = [t for t in args.themes if t not in THEMES]
    if unknown:
        parser.error(f"unknown theme {unknown[0]}; there are {', '.join(THEMES)}")
    if args.full:
        os.environ["SY_HOSTILE"] = "full"
    sys.path.insert(0, str(HERE))
    loader = unittest.TestLoader()
    if args.k:
        loader.testNamePatterns = [f"*{args.k}*"]
    passed = failed = 0
    for theme in args.themes or THEMES:
        begun = time.monotonic()
        print(f"== {theme}", flush=True)
        suite = loader.loadTestsFromName("test_" + theme)
        result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
        bad = len(result.failures) + len(result.errors)
        failed += bad
        passed += result.testsRun - bad
        print(f"== {theme}: {time.monotonic() - begun:.0f} s", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
