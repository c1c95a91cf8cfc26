#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges released versions of Tendermint and CometBFT: the matrix of docs/conformance.md.

    matrix.py [--write] [--slow] [NAME ...]

Names are those of tests/interop/build.py, which must have built the programs; "stack:" in front
means the p2p stack with a test reactor that echoes, "node:" the complete node.  A target that a
case brings down is started again.  The full results are written to build/conformance/NAME.json;
--write puts the matrix into docs/conformance.md.
"""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time

import node

sys.path.insert(0, str(node.ROOT / "tests" / "interop"))
import harness  # noqa: E402

ALL = ["stack:tendermint-0.22", "node:tendermint-0.22", "stack:cometbft-v0.38",
       "stack:cometbft-v1.0", "stack:cometbft-v0.40", "node:cometbft-v0.34", "node:cometbft-v0.37",
       "node:cometbft-v0.38", "node:cometbft-v1.0", "node:cometbft-v0.40"]
harness.STACKS.setdefault("cometbft-v0.34", (None, "cometbft"))
harness.STACKS.setdefault("cometbft-v0.37", (None, "cometbft"))
OUT = node.ROOT / "build" / "conformance"
CAPACITY = 4 << 20  # of the test reactor's channels
BEGIN, END = "<!-- matrix begins -->", "<!-- matrix ends -->"
LETTERS = {"pass": "+", "fail": "**F**", "deviation": "d", "skip": ".", "crash": "**C**"}


class Target:
    """A released program, started again when it dies."""

    def __init__(self, name):
        self.kind, self.stack = name.split(":")
        self.profile = harness.STACKS[self.stack][1]
        self.folder = tempfile.mkdtemp(prefix="sy-matrix-")
        self.starts, self.process = 0, None
        self.start()

    def start(self):
        self.starts += 1
        name = "target-%d" % self.starts
        if self.kind == "stack":
            self.process = harness.Peer(self.stack, name, self.folder,
                                        extra=["--echo", "--rate", "0"])
        else:
            self.process = harness.Node(self.stack, name, self.folder)
            self.process.wait_ready(60)

    def alive(self):
        return self.process.alive()

    def last_words(self):
        """The line of the log that says why it died."""
        found = re.findall(r"^(?:panic|fatal error).*", self.process.log_text(), re.M)
        return found[-1] if found else "no word in its log"

    def stop(self):
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def first_after_crash(cases):
    """The index of the first case that met a dead node, or one that was dying."""
    signs = ("a TCP connection", "closed after 0 bytes")
    gone = [i for i, c in enumerate(cases) if any(s in c["detail"] for s in signs)
            and c["verdict"] == "fail" and i > 0]
    return gone[0] if gone else len(cases)


def run_target(name, slow, strict=False):
    """The document of all cases."""
    target = Target(name)
    ids = [c["id"] for c in node.listed(target.profile) if slow or not c["slow"]]
    results, document = [], None
    try:
        while ids:
            args = ["--profile", target.profile] + [x for i in ids[:90] for x in ("--only", i)]
            args += ["--strict"] if strict else []
            if target.kind == "stack":
                args += ["--capacity", CAPACITY]
            status, document, err = node.spec(target.process.full_addr, *args, timeout=900)
            if document is None:
                raise node.Problem("%s: status %d: %s" % (name, status, err))
            cases = document["cases"]
            if not target.alive():
                cut = first_after_crash(cases)
                cases = cases[:cut]
                cases[-1]["crash"] = target.last_words()
                target.start()
            results += cases
            ids = ids[len(cases):]
    finally:
        target.stop()
    document["cases"] = results
    return document


def cell(documents, name, case_id):
    for case in documents[name]["cases"]:
        if case["id"] == case_id:
            return LETTERS["crash" if "crash" in case else case["verdict"]]
    return ""


def matrix(documents):
    """The table of all cases that do not pass everywhere, and the counts."""
    names = list(documents)
    lines = ["| | " + " | ".join(n.replace("tendermint-", "v").replace("cometbft-", "")
                                 for n in names) + " |", "| --- |" + " --- |" * len(names)]
    for verdict in ("pass", "deviation", "fail", "skip"):
        counts = [sum(c["verdict"] == verdict for c in documents[n]["cases"]) for n in names]
        lines.append("| %s | " % verdict + " | ".join(map(str, counts)) + " |")
    lines.append("")
    lines += ["| clause | case | " + " | ".join(n.replace("tendermint-", "v")
                                                .replace("cometbft-", "") for n in names) + " |",
              "| --- | --- |" + " --- |" * len(names)]
    for case in node.listed():
        cells = [cell(documents, n, case["id"]) for n in names]
        if any(c not in ("+", ".", "") for c in cells):
            lines.append("| %s | %s: %s | %s |" % (case["clause"], case["id"], case["title"],
                                                  " | ".join(cells)))
    return "\n".join(lines)


def write_page(text):
    page = node.ROOT / "docs" / "conformance.md"
    old = page.read_text()
    head, rest = old.split(BEGIN)
    page.write_text(head + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("names", nargs="*", metavar="NAME")
    ap.add_argument("--write", action="store_true")
    ap.add_argument("--slow", action="store_true")
    ap.add_argument("--strict", action="store_true", help="known deviations count as failures")
    args = ap.parse_args()
    os.makedirs(OUT, exist_ok=True)
    failed = 0
    for name in args.names or ALL:
        begun = time.monotonic()
        document = run_target(name, args.slow, args.strict)
        (OUT / (name.replace(":", "-") + ".json")).write_text(json.dumps(document, indent=1))
        totals = {}
        for case in document["cases"]:
            totals[case["verdict"]] = totals.get(case["verdict"], 0) + 1
            if case["verdict"] == "fail":
                failed += 1
                print("  %s %s: %s" % (case["id"], case["verdict"], case["detail"]))
        print("%s: %s (%.0f s)" % (name, totals, time.monotonic() - begun), flush=True)
    documents = {}
    for name in ALL:
        path = OUT / (name.replace(":", "-") + ".json")
        if path.exists():
            documents[name] = json.loads(path.read_text())
    if args.write:
        write_page(matrix(documents))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
