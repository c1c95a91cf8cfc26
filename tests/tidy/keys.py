#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The last table of docs/CONFIG.md says of every configuration key whose files have it, whether it
has an effect and which tests show that.  It is made of

    cmd/yard/keys.def                   the keys and their roles
    tests/data/config/*.toml            the files that real programs write
    `KEY-TEST p2p.laddr` above a test   (`moniker` for a key of the top level; several in a row)

Fails on a key that is used and that no test names, on a marker without key or without test, on a
[p2p] key of a real file that keys.def lacks, and when the page is not current; --write writes it.
"""

import os
import re

import common

PAGE = "docs/CONFIG.md"
KEYS = "cmd/yard/keys.def"
FILES = "tests/data/config"
FROM = "<!-- Written by tests/tidy/keys.py --write from here on. -->\n"
HEAD = """
## Tests

Every key is accepted. The second column names the files that `init` of the release writes the key
into; the others take it as well. A key with an effect has a test that shows it.

| key | written by | effect | tests |
| --- | --- | --- | --- |
"""
ROW = re.compile(r'^KEY\(\w+,\s*"([^"]*)",\s*"([^"]+)",\s*(\w+),(.*?)\)$', re.M | re.S)
ROLE = re.compile(r"\b(USED|NO_EFFECT|NOT_YET),")
MARKER = re.compile(r"KEY-TEST[ \t]+([\w.*\- \t]+)")
TEST = re.compile(
    r"^[ \t]*def (?P<py>test_\w+)|^Test\(\w+,\s*(?P<c>\w+)|^static void (?P<sim>\w+)\(", re.M)
CLASS = re.compile(r"^class (\w+)", re.M)


def read_keys(root, report):
    """{"p2p.laddr": role} in the order of the table."""
    keys = {}
    text = common.read(root, KEYS)
    for match in ROW.finditer(text):
        table, name, _, rest = match.groups()
        role = ROLE.search(rest)
        if role is None:
            report.add(f"{KEYS}:{common.line_of(text, match.start())}", "a row without a role")
            continue
        keys[f"{table}.{name}".lstrip(".")] = role.group(1)
    return keys


def find_key(keys, table, name):
    full = f"{table}.{name}".lstrip(".")
    if full in keys:
        return full
    parts = table.split(".")
    for count in range(len(parts), 0, -1):
        outer = ".".join(parts[:count]) + ".*"
        if outer in keys:
            return outer
    return None


def read_files(root, keys, report):
    """{key: [release]} of the files that real programs write."""
    found = {}
    for path in common.files(root):
        if not (path.startswith(FILES + "/") and path.endswith(".toml")):
            continue
        release = os.path.basename(path)[:-len(".toml")].split("-")[-1]
        table = ""
        for number, line in enumerate(common.read(root, path).splitlines(), 1):
            head = re.match(r"\[+([\w.]+)\]+\s*$", line)
            entry = re.match(r"([\w-]+)\s*=", line)
            if head:
                table = head.group(1)
            elif entry:
                key = find_key(keys, table, entry.group(1))
                if key:
                    releases = found.setdefault(key, [])
                    if release not in releases:
                        releases.append(release)
                elif table.split(".")[0] == "p2p":
                    report.add(f"{path}:{number}",
                               f"{KEYS} lacks {table}.{entry.group(1)}, which a real file has")
    return found


def test_below(path, text, offset):
    """The name of the first test behind an offset, near enough."""
    match = TEST.search(text, offset)
    if match is None or text.count("\n", offset, match.start()) > 12:
        return None
    name = match.group("py") or match.group("c") or match.group("sim")
    if match.group("py"):
        classes = CLASS.findall(text, 0, offset)
        name = f"{classes[-1]}.{name}" if classes else name
    return f"{path[len('tests/'):]}: {name}"


def read_markers(root, keys, report):
    """{key: [test]}"""
    found = {}
    for path in common.files(root):
        if not path.startswith(("tests/cli/", "tests/unit/", "tests/sim/", "tests/interop/")) or \
                not path.endswith((".py", ".c")):
            continue
        text = common.read(root, path)
        for match in MARKER.finditer(text):
            where = f"{path}:{common.line_of(text, match.start())}"
            named = [word for word in match.group(1).split() if word not in ("*", "*/")]
            if not named or named[0].startswith("table."):
                continue
            test = test_below(path, text, match.end())
            if test is None:
                report.add(where, "KEY-TEST without a test below it")
                continue
            for key in named:
                if key not in keys:
                    report.add(where, f"KEY-TEST {key}: there is no such key")
                elif test not in found.setdefault(key, []):
                    found[key].append(test)
    return found


def make_page(keys, files, tests):
    effects = {"USED": "yes", "NO_EFFECT": "no, see above", "NOT_YET": "not in this version"}
    rows = []
    for key, role in keys.items():
        written = ", ".join(files.get(key, [])) or "-"
        proof = "<br>".join(f"`{t}`" for t in tests.get(key, [])) or "-"
        rows.append(f"| `{key}` | {written} | {effects[role]} | {proof} |\n")
    return FROM + HEAD + "".join(rows)


def main():
    parser = common.parser(__doc__)
    parser.add_argument("--write", action="store_true", help="write the table anew")
    args = parser.parse_args()
    root, report = args.root, common.Report("keys")
    keys = read_keys(root, report)
    tests = read_markers(root, keys, report)
    files = read_files(root, keys, report)
    for key, role in keys.items():
        if role == "USED" and key not in tests:
            report.add(KEYS, f"{key} has an effect and no test shows it: write KEY-TEST {key} "
                             "above the one that does")
    page = common.read(root, PAGE)
    current = page[page.index(FROM):] if FROM in page else ""
    wanted = make_page(keys, files, tests)
    if args.write:
        with open(os.path.join(root, PAGE), "w", encoding="utf-8") as f:
            f.write(page[:len(page) - len(current)] + wanted)
    elif current != wanted:
        report.add(PAGE, "is not current: run tests/tidy/keys.py --write")
    report.finish(f"{len(keys)} keys")


if __name__ == "__main__":
    main()
