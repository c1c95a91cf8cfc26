#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/security.md names tests: each must exist, and each row of a table must name one or say "not
yet:".  A test is `LAYER NAME` in backticks; see the head of that page."""

import os
import re

import common

PAGE = "docs/security.md"
NAME = re.compile(r"`(unit|vectors|sim|yardspec|fuzz|cli|interop|hostile) ([^`\s]+)`")
CRITERION = re.compile(r"^Test\((\w+),\s*(\w+)", re.M)
METHOD = re.compile(r"^    def (test_\w+)\(", re.M)
SCENARIO = re.compile(r"^\s*\{\"(\w+)\", \w+, \d+\}", re.M)
CASE = re.compile(r"(?:\{|\b[A-Z_]+\()\"([a-z0-9-]+)\"")


def stem(path, start=""):
    return os.path.splitext(os.path.basename(path))[0][len(start):]


def case_names(row):
    """A case has the name of its row; where each profile has its own, that is in front, and a
    second row of one name ends in the codec."""
    return {row, f"tm-{row}", f"cb-{row}", f"cb-{row}-proto"}


def known_tests(root):
    """{layer: names}"""
    known = {layer: set() for layer in
             ("unit", "vectors", "sim", "yardspec", "fuzz", "cli", "interop", "hostile")}
    for path in common.files(root):
        parts = path.split("/")
        layer = parts[1] if parts[0] == "tests" and len(parts) > 2 else parts[0]
        name = parts[-1]
        if layer in ("unit", "vectors") and name.endswith(".c"):
            known[layer] |= {".".join(t) for t in CRITERION.findall(common.read(root, path))}
        elif layer == "sim" and name.startswith("scenario_"):
            known[layer] |= {f"{stem(path, 'scenario_')}.{t}"
                             for t in SCENARIO.findall(common.read(root, path))}
        elif layer in ("cli", "interop", "hostile") and name.startswith("test_"):
            short = stem(path, "test_" if layer == "hostile" else "")
            known[layer] |= {f"{short}.{t}" for t in METHOD.findall(common.read(root, path))}
        elif path.startswith("tests/fuzz/corpus/"):
            known["fuzz"].add(parts[3])  # a target is replayed when it has a corpus
        elif path.startswith("cmd/yardspec/group_"):
            for row in CASE.findall(common.read(root, path)):
                known["yardspec"] |= case_names(row)
    return known


def main():
    root = common.parser(__doc__).parse_args().root
    report = common.Report("security")
    known = known_tests(root)
    rows = named = 0
    for number, line in enumerate(common.read(root, PAGE).splitlines(), 1):
        tests = NAME.findall(line)
        named += len(tests)
        for layer, name in tests:
            if name not in known[layer]:
                report.add(f"{PAGE}:{number}", f"there is no test {layer} {name}")
        is_row = re.match(r"\| (?!---)", line) and not re.search(r"\| tests? \|$", line)
        rows += bool(is_row)
        if is_row and not tests and "not yet:" not in line:
            report.add(f"{PAGE}:{number}", "a row without a test")
    report.finish(f"{rows} rows, {named} tests named")


if __name__ == "__main__":
    main()
