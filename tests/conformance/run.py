#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our own node against yardspec, in both profiles and both roles.

    run.py [--slow] [--profile NAME] [--role NAME]   each case must pass, no deviation allowed
    run.py --clauses                                 which clauses have neither a case nor a reason

Besides yardspec's own verdict two things are checked.  A refusal must have happened for the
reason that the clause names: the node's log says for each of our connections why it ended.  And
nothing may be skipped but what is slow.  The node logs a limited number of refusals in a second,
so the cases run in portions, each against a fresh node.  Cases that need a node with other settings
get one (node.VARIANTS); deadlines are short there, but with --slow they are the real ones.

Programs: $YARD and $YARDSPEC, else those of the release build.  Last line: "N passed, N failed".
"""

import argparse
import re
import sys
import time

import node

PORTION = {"dial": 36, "listen": 18}
LEFT_OUT = "the log had too many lines to say it"

# Where the listener sees two profiles, first bytes that belong to none are refused before a suite
# looks at them; and what the target's end of a connection that we closed may be called.
ALSO = {"framing": {"PROFILE_UNKNOWN", "SUB_FRAME"}}


def codes_of(clause, known):
    if clause.startswith("AD-"):
        return {"NI_LISTEN_ADDR"} # whatever is wrong with the address of a NodeInfo
    return set(re.findall(r"`([A-Z][A-Z0-9_]+)`", known[clause][1]))


def check_reason(case, reason, known):
    """What is wrong with the reason of a refusal, or None."""
    codes = codes_of(case["clause"], known)
    if case["expected"] != "refuse" or not codes or not case["ports"]:
        return None
    if reason is LEFT_OUT:
        return None
    if reason is None:
        return "the node's log does not say why the connection ended"
    if reason in codes or reason in ALSO.get(case["group"], ()):
        return None
    return "refused with %s, and %s names %s" % (reason, case["clause"], ", ".join(sorted(codes)))


def run_dialing(profile, variant, args):
    """(document, standard error, reason of a case, exit status and log of the node)"""
    with node.Node(variant=variant) as target:
        _, document, err = node.spec(target.addr, *args, timeout=1200)
        node.wait(0.1)
        reasons, log, status = target.reasons(), target.log(), target.stop()
    return document, err, lambda case: reasons.get(case["ports"][-1]), status, log


def run_listening(profile, variant, args):
    """The same with the node as the dialer: its connections come and go one after the other."""
    def start(address):
        return node.Node(variant=variant, profiles='["%s"]' % profile,
                         extra=["--p2p.persistent_peers", address] + node.REDIAL)
    target, _, document, err = node.spec_listening(start, "--wait", 10 * node.SCALE, *args,
                                                   timeout=1200)
    node.wait(0.1)
    reasons, log, status = target.dial_reasons(), target.log(), target.stop()

    def reason(case):
        if case["dials"] > len(reasons):
            return None
        return reasons[case["dials"] - 1] or LEFT_OUT
    return document, err, reason, status, log


def run_portion(profile, role, variant, ids, slow, known):
    """(passed, list of problems)"""
    args = ["--profile", profile, "--strict", "--timeout", 3 * node.SCALE]
    args += node.VARIANTS[variant][1] + (["--slow"] if slow else [])
    for one in ids:
        args += ["--only", one]
    run = run_dialing if role == "dial" else run_listening
    document, err, reason_of, status, log = run(profile, variant, args)
    if document is None or err.strip():
        return 0, ["yardspec: %s" % err.strip()[-2000:]]
    problems, passed = [], 0
    for case in document["cases"]:
        wrong = case["detail"]
        if case["verdict"] == "pass":
            reason = reason_of(case) if case["ports"] else None
            wrong = check_reason(case, reason, known)
        if wrong:
            problems.append("%s %s: %s" % (case["id"], case["verdict"], wrong))
        else:
            passed += 1
    if len(document["cases"]) != len(ids):
        problems.append("%d cases were judged, of %d" % (len(document["cases"]), len(ids)))
    if status != 0:
        problems.append("the node ended with status %d\n%s" % (status, log[-2000:]))
    return passed, problems


def portions(cases, role, slow):
    """(variant, ids): a variant at a time, in portions that mix the groups, so that cases that cost
    the node much do not all fall into one."""
    for variant in node.VARIANTS:
        ids = [c["id"] for c in cases if node.variant_of(c, slow) == variant]
        count = -(-len(ids) // PORTION[role])
        for i in range(count):
            yield variant, ids[i::count]


def run_profile(profile, role, slow, known):
    cases = [c for c in node.listed(profile) if role in c["roles"]]
    quick = [c["id"] for c in cases if not c["slow"] or node.variant_of(c)]
    cases = [c for c in cases if slow or c["id"] in quick]
    passed, problems, begun = 0, [], time.monotonic()
    for variant, ids in portions(cases, role, slow):
        good, bad = run_portion(profile, role, variant, ids, slow, known)
        passed += good
        problems += bad
    print("%s, %s: %d cases, %d passed (%.0f s)"
          % (profile, "the node dials" if role == "listen" else "we dial", len(cases), passed,
             time.monotonic() - begun), flush=True)
    for problem in problems:
        print("  " + problem, flush=True)
    return passed, len(problems)


def read_allow():
    """(anchor -> reason, problems)"""
    allowed, problems = {}, []
    lines = (node.ROOT / "tests" / "conformance" / "clauses.allow").read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        anchors, colon, reason = line.partition(":")
        if not colon or not reason.strip():
            problems.append("clauses.allow:%d: no reason" % number)
        for anchor in anchors.split():
            if anchor in allowed:
                problems.append("clauses.allow:%d: %s is there twice" % (number, anchor))
            allowed[anchor] = reason.strip()
    return allowed, problems


def check_clauses(known):
    """Each clause has a case or a reason why it has none."""
    have = {c["clause"] for c in node.listed()}
    allowed, problems = read_allow()
    problems += ["no such clause: %s, of a case" % c for c in sorted(have - set(known))]
    problems += ["no such clause: %s, in clauses.allow" % c
                 for c in sorted(set(allowed) - set(known))]
    problems += ["%s has a case by now: take it out of clauses.allow" % c
                 for c in sorted(set(allowed) & have)]
    problems += ["%s has no case, and clauses.allow does not say why" % c
                 for c in known if c not in have and c not in allowed]
    print("%d of %d clauses have a case, %d have a reason" % (len(have), len(known), len(allowed)))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--slow", action="store_true")
    ap.add_argument("--profile", choices=("tendermint", "cometbft"))
    ap.add_argument("--role", choices=("dial", "listen"), help="of yardspec")
    ap.add_argument("--clauses", action="store_true")
    args = ap.parse_args()
    known, begun = node.clauses(), time.monotonic()
    if args.clauses:
        return check_clauses(known)
    passed = failed = 0
    for profile in [args.profile] if args.profile else ("tendermint", "cometbft"):
        for role in [args.role] if args.role else ("dial", "listen"):
            good, bad = run_profile(profile, role, args.slow, known)
            passed, failed = passed + good, failed + bad
    print("%.0f s" % (time.monotonic() - begun))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
