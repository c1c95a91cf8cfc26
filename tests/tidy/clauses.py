#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares docs/spec with the code and the tests.

A clause is a paragraph `<a id="XX-01"></a>**XX-01** [profiles] text`.  Code that implements it
says `SPEC XX-01` in a comment, a test that proves it `SPEC-TEST XX-01` (several anchors may
follow each other).  Fails on malformed or double clauses, on anchors that do not exist, on
clauses without code or test that clauses.allow does not list, and on listed ones that have it by
now: the list only shrinks.  --shrink takes those lines out, --list prints the table.

The table of codes in errors.md is compared with base/err.def and with the codes that the clauses
name; --write-codes writes it anew."""

import os
import re

import common

SPEC_DIR = "docs/spec"
ALLOW = "tests/tidy/clauses.allow"
CODE_DIRS = ("base/", "conn/", "nodeinfo/", "p2p/", "reactors/", "cmd/")
TEST_DIRS = ("tests/", "sim/")  # the simulator checks while it runs
TEXT_SUFFIXES = common.C_SUFFIXES + common.CXX_SUFFIXES + (
    ".py", ".sh", ".go", ".rs", ".js", ".cmake", ".txt")
PROFILES = {"all", "tendermint", "cometbft", "plain"}
KEYWORDS = re.compile(r"\b(MUST NOT|MUST|SHOULD NOT|SHOULD|MAY)\b")
ANCHOR = r"[A-Z]{2,4}-\d{2,3}"
CLAUSE = re.compile(
    r'<a id="(?P<anchor>' + ANCHOR + r')"></a>\*\*(?P<bold>' + ANCHOR + r')\*\* '
    r'\[(?P<profiles>[a-z, ]+)\] (?P<text>.+)\Z', re.S)
MARK = re.compile(
    r"\bSPEC(?P<test>-TEST)?:?\s+(?P<list>" + ANCHOR
    + r"(?:(?:,|\s+and\b|(?=\s))(?:\s*\n[ \t]*(?:\*|#|//))?\s*" + ANCHOR + r")*)")
CODE = re.compile(r"`([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)*)`")
ERR_DEF = re.compile(r'^SY_ERR\((\w+), (-\d+), (\w+), "', re.M)
CODES_HEAD = "| code | class | clauses |\n| --- | --- | --- |\n"


class Clause:
    def __init__(self, anchor, page, line, profiles, text):
        self.anchor, self.page, self.line = anchor, page, line
        self.profiles, self.text = profiles, " ".join(text.split())
        self.code, self.tests = [], []


def read_clauses(root, report):
    clauses = {}
    pages = [p for p in common.files(root) if p.startswith(SPEC_DIR + "/") and p.endswith(".md")]
    if not pages:
        report.add(SPEC_DIR, "no pages found")
    for page in pages:
        read_page(root, page, clauses, report)
    return clauses


def read_page(root, page, clauses, report):
    text = common.read(root, page)
    for match in re.finditer(r"(?:\A|\n\n)(?P<par>\S(?:.|\n(?!\n))*)", text):
        paragraph = match.group("par").strip("\n")
        if "<a id=" not in paragraph:
            continue
        line = common.line_of(text, match.start("par"))
        where = f"{page}:{line}"
        found = CLAUSE.match(paragraph)
        if found is None or found.group("anchor") != found.group("bold"):
            report.add(where, "an anchor that does not begin a well-formed clause")
            continue
        anchor = found.group("anchor")
        profiles = [p.strip() for p in found.group("profiles").split(",")]
        if not set(profiles) <= PROFILES or ("all" in profiles and len(profiles) > 1):
            report.add(where, f"{anchor}: unknown profile in {profiles}")
        if paragraph.count("<a id=") != 1:
            report.add(where, f"{anchor}: more than one anchor in a paragraph")
        if not KEYWORDS.search(found.group("text")):
            report.add(where, f"{anchor}: no MUST, SHOULD or MAY")
        if not found.group("text").rstrip().endswith((".", ":")):
            report.add(where, f"{anchor}: does not end as a sentence")
        if anchor in clauses:
            other = clauses[anchor]
            report.add(where, f"{anchor}: already at {other.page}:{other.line}")
            continue
        clauses[anchor] = Clause(anchor, page, line, profiles, found.group("text"))


def check_prefixes(root, clauses, report):
    """README.md says which page holds which prefix."""
    readme = f"{SPEC_DIR}/README.md"
    if not os.path.exists(os.path.join(root, readme)):
        return
    owner = {}
    text = common.read(root, readme)
    for row in re.finditer(r"^\| \[([\w-]+\.md)\][^|]*\|([^|]*)\|", text, re.M):
        for prefix in re.findall(r"`([A-Z]+)-`", row.group(2)):
            owner[prefix] = row.group(1)
    for clause in clauses.values():
        prefix = clause.anchor.split("-")[0]
        if owner.get(prefix) != os.path.basename(clause.page):
            report.add(f"{clause.page}:{clause.line}",
                       f"{clause.anchor}: README.md puts {prefix}- on {owner.get(prefix)}")


def scan_marks(root, clauses, report):
    for path in common.files(root):
        in_tests = path.startswith(TEST_DIRS)
        if not (in_tests or path.startswith(CODE_DIRS)) or path.startswith("tests/tidy/"):
            continue
        if not path.endswith(TEXT_SUFFIXES):
            continue
        text = common.read(root, path)
        if "SPEC" not in text:
            continue
        for mark in MARK.finditer(text):
            line = common.line_of(text, mark.start())
            for anchor in re.findall(ANCHOR, mark.group("list")):
                where = f"{path}:{line}"
                clause = clauses.get(anchor)
                if clause is None:
                    report.add(where, f"no clause {anchor} in {SPEC_DIR}")
                elif mark.group("test") and in_tests:
                    clause.tests.append(where)
                elif mark.group("test"):
                    report.add(where, f"SPEC-TEST {anchor} outside tests/")
                elif not in_tests:
                    clause.code.append(where)


def missing_kinds(clause):
    kinds = set()
    if not clause.code:
        kinds.add("code")
    if not clause.tests:
        kinds.add("test")
    return kinds


def allowed_kinds(fields, where, report):
    kinds = {"code", "test"} if fields[0] == "both" else {fields[0]}
    if not kinds <= {"code", "test"}:
        report.add(where, f"the kind must be code, test or both, not {fields[0]}")
    return kinds


def check_coverage(root, clauses, report):
    allow = common.read_ratchet(root, ALLOW, 1, report)
    for anchor, (number, fields, _) in allow.items():
        where = f"{ALLOW}:{number}"
        if anchor not in clauses:
            report.add(where, f"no clause {anchor}")
            continue
        covered = allowed_kinds(fields, where, report) - missing_kinds(clauses[anchor])
        if covered:
            report.add(where, f"{anchor} has {' and '.join(sorted(covered))} by now: "
                              "take it off the list (--shrink does it)")
    for clause in clauses.values():
        kinds = missing_kinds(clause)
        if clause.anchor in allow:
            kinds -= allowed_kinds(allow[clause.anchor][1], ALLOW, common.Report(""))
        for kind in sorted(kinds):
            report.add(f"{clause.page}:{clause.line}", f"{clause.anchor} without {kind}")


def shrink(root, clauses):
    """Rewrites clauses.allow without what is covered."""
    kept, changed = [], 0
    for line in common.read(root, ALLOW).splitlines():
        parts = line.split(None, 2)
        if line.startswith("#") or len(parts) < 3 or parts[0] not in clauses:
            kept.append(line)
            continue
        listed = {"code", "test"} if parts[1] == "both" else {parts[1]}
        still = listed & missing_kinds(clauses[parts[0]])
        changed += still != listed
        if still:
            kind = "both" if len(still) == 2 else still.pop()
            kept.append(f"{parts[0]} {kind} {parts[2]}")
    with open(os.path.join(root, ALLOW), "w", encoding="utf-8") as f:
        f.write("\n".join(kept) + "\n")
    print(f"clauses: {changed} lines of {ALLOW} shrunk")


def known_codes(root):
    """[(name, class)] of base/err.def in its order, or None without that file."""
    path = "base/err.def"
    if not os.path.exists(os.path.join(root, path)):
        return None
    return [(name, cls) for name, _, cls in ERR_DEF.findall(common.read(root, path))]


def codes_table(clauses, codes):
    rows = []
    names = {name for name, _ in codes}
    used = {}
    for clause in clauses.values():
        for name in dict.fromkeys(CODE.findall(clause.text)):
            if name in names:
                used.setdefault(name, []).append(clause)
    for name, cls in codes:
        links = []
        for clause in used.get(name, []):
            page = os.path.basename(clause.page)
            target = "" if page == "errors.md" else page
            links.append(f"[{clause.anchor}]({target}#{clause.anchor})")
        rows.append(f"| `{name}` | {cls} | {', '.join(links) or '-'} |\n")
    return CODES_HEAD + "".join(rows)


def check_codes(root, clauses, report, write):
    codes = known_codes(root)
    page = f"{SPEC_DIR}/errors.md"
    if codes is None or not os.path.exists(os.path.join(root, page)):
        return
    names = {name for name, _ in codes}
    for clause in clauses.values():
        for group in re.findall(r"\(((?:`[A-Z][A-Z0-9_]+`(?:, | or )?)+)[^()]*\)", clause.text):
            for name in CODE.findall(group):
                if name not in names:
                    report.add(f"{clause.page}:{clause.line}",
                               f"{clause.anchor}: {name} is not in base/err.def")
    text = common.read(root, page)
    start = text.find(CODES_HEAD)
    table = codes_table(clauses, codes)
    if start < 0:
        report.add(page, "has no table of codes")
    elif text[start:] != table:
        if write:
            with open(os.path.join(root, page), "w", encoding="utf-8") as f:
                f.write(text[:start] + table)
        else:
            report.add(page, "the table of codes is not current: run clauses.py --write-codes")


def main():
    parser = common.parser(__doc__)
    parser.add_argument("--list", action="store_true", help="print each clause with its places")
    parser.add_argument("--shrink", action="store_true", help="take covered clauses off the list")
    parser.add_argument("--write-codes", action="store_true", help="write the table of codes anew")
    args = parser.parse_args()
    report = common.Report("clauses")
    clauses = read_clauses(args.root, report)
    check_prefixes(args.root, clauses, report)
    scan_marks(args.root, clauses, report)
    if args.shrink:
        shrink(args.root, clauses)
    check_coverage(args.root, clauses, report)
    check_codes(args.root, clauses, report, args.write_codes)
    if args.list:
        for clause in clauses.values():
            print(f"{clause.anchor} [{', '.join(clause.profiles)}] "
                  f"code: {' '.join(clause.code) or '-'} test: {' '.join(clause.tests) or '-'}")
    with_code = sum(1 for c in clauses.values() if c.code)
    with_test = sum(1 for c in clauses.values() if c.tests)
    report.finish(f"{len(clauses)} clauses, {with_code} with code, {with_test} with test")


if __name__ == "__main__":
    main()
