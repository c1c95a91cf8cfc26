#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the suite see deliberate faults?

    mutants.py [NAME ...]    all mutants of base/mutants.def, or some

Each is switched on in a node of the build with mutants and judged by the groups of cases that its
row names, in the profiles that it names: "pex", or "listen:pex" where the node is to dial, or
"few:limits" for a node with the settings of node.VARIANTS.  It counts only when an honest peer
still gets through handshake and echo; one that an honest peer cannot talk to shows nothing.
Survivors are named.

Programs: $YARD_MUTANTS, else the yard of build/mutants; $YARDSPEC.  Exit status 0 when at least 95
of 100 are caught and none breaks honest peers.  Last line: "N of M mutants caught".
"""

import argparse
import concurrent.futures
import os
import re
import sys
import time

import node

HEALTH = "echo-sizes"


def read_rows():
    text = (node.ROOT / "base" / "mutants.def").read_text()
    rows = re.findall(r'^SY_MUTANT_ROW\((\w+),\s*"([\w-]+)",\s*"(\w+)",\s*"([^"]+)"\)', text,
                      re.M)
    return [(name, clause, ("tendermint", "cometbft") if profiles == "both" else (profiles,),
             groups.split()) for name, clause, profiles, groups in rows if groups != "sim"]


def how(what):
    """(who dials is the target, variant of the node, slow, group or case) of "listen:mux"."""
    *words, what = what.split(":")
    variant = [w for w in words if w in node.VARIANTS]
    if not variant and what in node.VARIANT_OF_GROUP:
        variant = [node.VARIANT_OF_GROUP[what]]
    return "listen" in words, variant[0] if variant else "", "slow" in words, what


def start_and_judge(name, profile, what, yard):
    """(an honest peer gets through, the failed cases; None when it cannot be judged)"""
    listen, variant, slow, only = how(what)
    args = ["--profile", profile, "--strict", "--timeout", node.SCALE] + node.VARIANTS[variant][1]
    health = args + ["--only", HEALTH]
    args += ["--first-failure", "--only", only] + (["--slow"] if slow else [])
    if not listen:
        with node.Node(name, yard, variant) as target:
            document = node.spec(target.addr, *health)[1]
            honest = document is not None and not failures(document)
            return honest, failures(node.spec(target.addr, *args)[1]) if honest else None

    def start(address):
        return node.Node(name, yard, variant, ["--p2p.persistent_peers", address] + node.REDIAL,
                         '["%s"]' % profile)
    found = []
    for one in (health, args):
        target, _, document, _ = node.spec_listening(start, "--wait", 3 * node.SCALE, *one)
        target.stop()
        found.append(failures(document))
        if found[0] != []:
            return False, None
    return True, found[1]


def failures(document):
    """The cases that failed, or None."""
    if document is None:
        return None
    return [c["id"] for c in document["cases"] if c["verdict"] == "fail"]


def judge(name, profiles, groups, yard):
    """(honest peers get through, cases that failed)"""
    failed = []
    for profile in profiles:
        for what in groups:
            honest, found = start_and_judge(name, profile, what, yard)
            if not honest:
                return False, []
            failed += ["no-run"] if found is None else found
    return True, failed


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("names", nargs="*", metavar="NAME")
    ap.add_argument("--jobs", type=int, default=2, help="so many at once")
    args = ap.parse_args()
    yard = os.environ.get("YARD_MUTANTS", str(node.ROOT / "build" / "mutants" / "bin" / "yard"))
    rows = [r for r in read_rows() if not args.names or r[0] in args.names]
    caught, survivors, broken, begun = 0, [], [], time.monotonic()
    # The same without any fault: what fails here would make each mutant look caught.
    groups = sorted({g for r in rows for g in r[3]})
    pool = concurrent.futures.ThreadPoolExecutor(args.jobs)
    plain = pool.map(lambda pair: judge("", pair[:1], pair[1:], yard),
                     [(p, g) for g in groups for p in ("tendermint", "cometbft")])
    failed = [c for honest, found in plain for c in (found if honest else ["an honest peer"])]
    if failed:
        print("without a mutant already failing: %s" % " ".join(failed))
        return 1
    print("without a mutant nothing fails", flush=True)
    results = pool.map(lambda row: judge(row[0], row[2], row[3], yard), rows)
    for (name, clause, _, _), (honest, failed) in zip(rows, results):
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
