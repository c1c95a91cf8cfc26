#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our own node against yardspec, in both profiles.

    run.py [--slow] [--profile NAME]   each case must pass, with no deviation allowed
    run.py --clauses                   how many clauses have a case, and which have none

Besides yardspec's own verdict two things are checked.  A refusal must have happened for the
reason that the clause names: the node's log says for each of our connections why it ended.  And
nothing may be skipped but what is slow.  The node logs a limited number of refusals in a second,
so the cases run in portions, each against a fresh node.

Programs: $YARD and $YARDSPEC, else those of the release build.  Last line: "N passed, N failed".
"""

import argparse
import re
import sys
import time

import node

PORTION = 36

# Where the listener sees two profiles, first bytes that belong to none are refused before a suite
# looks at them; and what the target's end of a connection that we closed may be called.
ALSO = {"framing": {"PROFILE_UNKNOWN", "SUB_FRAME"}}


def codes_of(clause, known):
    return set(re.findall(r"`([A-Z][A-Z0-9_]+)`", known[clause][1]))


def check_reason(case, reasons, known):
    """What is wrong with the reason of a refusal, or None."""
    codes = codes_of(case["clause"], known)
    if case["expected"] != "refuse" or not codes or not case["ports"]:
        return None
    reason = reasons.get(case["ports"][-1])
    if reason is None:
        return "the node's log does not say why the connection ended"
    if reason in codes or reason in ALSO.get(case["group"], ()):
        return None
    return "refused with %s, and %s names %s" % (reason, case["clause"], ", ".join(sorted(codes)))


def run_portion(profile, ids, slow, known):
    """(passed, list of problems)"""
    args = ["--profile", profile, "--strict", "--capacity", node.CAPACITY]
    args += ["--timeout", 3 * node.SCALE] + (["--slow"] if slow else [])
    for one in ids:
        args += ["--only", one]
    with node.Node() as target:
        _, document, err = node.spec(target.addr, *args, timeout=900 if slow else 120)
        if document is None or err.strip():
            return 0, ["yardspec: %s" % err.strip()[-2000:]]
        node.wait(0.1)
        reasons, log, status = target.reasons(), target.log(), target.stop()
    problems, passed = [], 0
    for case in document["cases"]:
        wrong = case["detail"] if case["verdict"] != "pass" else check_reason(case, reasons, known)
        if wrong:
            problems.append("%s %s: %s" % (case["id"], case["verdict"], wrong))
        else:
            passed += 1
    if status != 0:
        problems.append("the node ended with status %d\n%s" % (status, log[-2000:]))
    return passed, problems


def run_profile(profile, slow, known):
    cases = [c for c in node.listed(profile) if slow or not c["slow"]]
    # Half of both, so that cases that cost the node much do not all fall into one portion.
    count = -(-len(cases) // PORTION)
    passed, problems = 0, []
    for i in range(count):
        good, bad = run_portion(profile, [c["id"] for c in cases[i::count]], slow, known)
        passed += good
        problems += bad
    print("%s: %d cases, %d passed" % (profile, len(cases), passed), flush=True)
    for problem in problems:
        print("  " + problem, flush=True)
    return passed, len(problems)


def show_clauses(known):
    have = {c["clause"] for c in node.listed()}
    unknown = have - set(known)
    without = [c for c in known if c not in have]
    print("%d of %d clauses have a case" % (len(have), len(known)))
    print("without: " + " ".join(without))
    if unknown:
        print("no such clause: " + " ".join(sorted(unknown)))
    return 1 if unknown else 0


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--slow", action="store_true")
    ap.add_argument("--profile", choices=("tendermint", "cometbft"))
    ap.add_argument("--clauses", action="store_true")
    args = ap.parse_args()
    known, begun = node.clauses(), time.monotonic()
    if args.clauses:
        return show_clauses(known)
    passed = failed = 0
    for profile in [args.profile] if args.profile else ("tendermint", "cometbft"):
        good, bad = run_profile(profile, args.slow, known)
        passed, failed = passed + good, failed + bad
    print("%.0f s" % (time.monotonic() - begun))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
