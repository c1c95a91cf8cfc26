#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seed corpora of the fuzz targets: from the vector files and from edge cases by hand.

corpus/<target>/<SHA-1 of the content>.  What is there already stays (inputs that a fuzzer found are
added by hand, see README.md); --check only tells whether a seed is missing."""

import argparse
import hashlib
import os
import sys

import seeds

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only look")
    parser.add_argument("targets", nargs="*", help="only these")
    args = parser.parse_args()
    missing = written = 0
    for name, make in sorted(seeds.TARGETS.items()):
        if args.targets and name not in args.targets:
            continue
        folder = os.path.join(HERE, "corpus", name)
        for content in make():
            path = os.path.join(folder, hashlib.sha1(content).hexdigest())
            if os.path.exists(path):
                continue
            if args.check:
                print(f"{os.path.relpath(path, HERE)} is missing")
                missing += 1
                continue
            os.makedirs(folder, exist_ok=True)
            with open(path, "wb") as f:
                f.write(content)
            written += 1
    print(f"make_corpus: {written} written, {missing} missing")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
