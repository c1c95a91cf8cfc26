#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the suite see deliberate faults?

    mutants.py [NAME ...]    all mutants of base/mutants.def, or some

Each is switched on in a node of the build with mutants and judged by the groups of cases that its
row names, in the profiles that it names.  It counts only when an honest peer still gets through
handshake and echo; one that an honest peer cannot talk to shows nothing.  Survivors are named.

Programs: $YARD_MUTANTS, else the yard of build/mutants; $YARDSPEC.  Exit status 0 when at least 95
of 100 are caught and none breaks honest peers.  Last line: "N of M mutants caught".
"""

import argparse
import os
import re
import sys
import time

import node

HEALTH = "echo-sizes"


def read_rows():
    text = (node.ROOT / "base" / "mutants.def").read_text()
    rows = re.findall(r'^SY_MUTANT_ROW\((\w+),\s*"([\w-]+)",\s*"(\w+)",\s*"([^"]+)"\)', text, re.M)
    return [(name, clause, ("tendermint", "cometbft") if profiles == "both" else (profiles,),
             groups.split()) for name, clause, profiles, groups in rows if groups != "sim"]


def judge(name, profiles, groups, yard):
    """(honest peers get through, cases that failed)"""
    failed = []
    with node.Node(mutant=name, yard=yard) as target:
        for profile in profiles:
            base = ["--profile", profile, "--strict", "--timeout", node.SCALE]
            _, document, _ = node.spec(target.addr, *base, "--only", HEALTH)
            if document is None or document["cases"][0]["verdict"] != "pass":
                return False, []
            only = [x for g in groups for x in ("--only", g)]
            _, document, err = node.spec(target.addr, *base, "--capacity", node.CAPACITY, *only)
            if document is None:
                raise node.Problem("%s: %s" % (name, err))
            failed += [c["id"] for c in document["cases"] if c["verdict"] == "fail"]
    return True, failed


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("names", nargs="*", metavar="NAME")
    args = ap.parse_args()
    yard = os.environ.get("YARD_MUTANTS", str(node.ROOT / "build" / "mutants" / "bin" / "yard"))
    rows = [r for r in read_rows() if not args.names or r[0] in args.names]
    caught, survivors, broken, begun = 0, [], [], time.monotonic()
    # The same without any fault: what fails here would make each mutant look caught.
    groups = sorted({g for r in rows for g in r[3]})
    honest, failed = judge("", ("tendermint", "cometbft"), groups, yard)
    if not honest or failed:
        print("without a mutant already failing: %s" % " ".join(failed))
        return 1
    for name, clause, profiles, groups in rows:
        honest, failed = judge(name, profiles, groups, yard)
        if not honest:
            broken.append(name)
            print("%-18s %-6s breaks honest peers: does not count" % (name, clause), flush=True)
        elif failed:
            caught += 1
            print("%-18s %-6s caught by %s%s" % (name, clause, " ".join(failed[:4]),
                                                 " ..." if len(failed) > 4 else ""), flush=True)
        else:
            survivors.append(name)
            print("%-18s %-6s survives" % (name, clause), flush=True)
    total = len(rows) - len(broken)
    print("survivors: %s" % (" ".join(survivors) or "none"))
    print("%.0f s" % (time.monotonic() - begun))
    print("%d of %d mutants caught" % (caught, total))
    return 0 if not broken and total and caught >= 0.95 * total else 1


if __name__ == "__main__":
    sys.exit(main())
