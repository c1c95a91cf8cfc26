#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a formatter does not know: licence line, line length, comment form, banned
calls, leftovers, text that points outside the product, links in documents, and sizes.

A function of more than 60 lines or a file of more than its limit must be listed in sizes.allow,
`path[:function] lines reason`; a listed one may not grow, and must leave the list when it is short
again."""

import os
import re

import common

SIZES = "tests/tidy/sizes.allow"
LINE_MAX = 100
FUNCTION_MAX = 60
FILE_MAX = {".c": 600, ".h": 400, ".py": 600}
TEST_FILE_MAX = 1000

C_LIKE = common.C_SUFFIXES + common.CXX_SUFFIXES
HASH_LIKE = (".py", ".sh", ".cmake")
SOURCE = C_LIKE + HASH_LIKE + (".go", ".rs", ".js")
LINE_CHECKED = C_LIKE + HASH_LIKE
SOURCE_NAMES = {"CMakeLists.txt", "Makefile"}

BANNED = {
    "strcpy": "copies without a limit; memcpy with a length",
    "strcat": "copies without a limit; build with sy_wr",
    "strncpy": "may leave no terminator; memcpy with a length",
    "strncat": "counts from the wrong end; build with sy_wr",
    "sprintf": "writes without a limit; snprintf",
    "vsprintf": "writes without a limit; vsnprintf",
    "gets": "reads without a limit",
    "alloca": "takes stack by a number; use a buffer with a limit",
    "strtok": "keeps hidden state; scan by hand",
    "rand": "hidden state; take values, or sy_prng in tests",
    "srand": "hidden state; take values, or sy_prng in tests",
    "random": "hidden state; take values, or sy_prng in tests",
    "atoi": "knows no error; parse strictly",
    "ParameterizedTest": "breaks with pointers in its table; loop over a static table in one Test",
}
ALLOCATORS = {"malloc", "calloc", "realloc", "free", "strdup", "strndup"}
MAY_ALLOCATE = ("base/mem.c", "cmd/", "tests/", "examples/")

# Written in pieces, so that this file does not contain what it looks for.
LEFTOVERS = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
OUTSIDE = re.compile("|".join((
    r"\.\./" + "shared", "/work" + r"/(main|shared|wt)\b", "/tmp" + "/wt", "before" + "-stop")))
THESE = {"tests/tidy/style.py", "tests/tidy/selftest.py"}
FUNCTION_TAIL = re.compile(r"\)\s*(?:SY_\w+\s*|__attribute__\s*\(\(.*\)\)\s*)*\Z", re.S)
CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)[ \t]*\(")
SPDX = "SPDX-License-Identifier: Apache-2.0"


def is_source(path):
    return path.endswith(SOURCE) or os.path.basename(path) in SOURCE_NAMES


def starts_with_shebang(root, path):
    with open(os.path.join(root, path), "rb") as f:
        return f.read(2) == b"#!"


def is_text(root, path):
    with open(os.path.join(root, path), "rb") as f:
        return b"\0" not in f.read(4096)


def check_spdx(path, text, report):
    if not any(SPDX in line for line in text.splitlines()[:3]):
        report.add(f"{path}:1", f"no line '{SPDX}'")


def check_lines(path, text, report):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LINE_MAX:
            report.add(f"{path}:{number}", f"{len(line)} columns, at most {LINE_MAX}")
        if line != line.rstrip():
            report.add(f"{path}:{number}", "space at the end of the line")
        if path.endswith(C_LIKE) and "\t" in line:
            report.add(f"{path}:{number}", "a tab")


def check_c(path, text, report):
    code, line_comments = common.blank_c(text)
    if path.endswith(common.C_SUFFIXES):
        for number in line_comments:
            report.add(f"{path}:{number}", "a // comment; write /* */")
    for match in CALL.finditer(code):
        name = match.group(1)
        where = f"{path}:{common.line_of(code, match.start())}"
        if name in BANNED:
            report.add(where, f"{name}: {BANNED[name]}")
        elif name in ALLOCATORS and not path.startswith(MAY_ALLOCATE):
            report.add(where, f"{name}: memory comes from sy_mem")


def check_text(path, text, report):
    if path in THESE:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if (is_source(path) or path.endswith(".md")) and LEFTOVERS.search(line):
            report.add(f"{path}:{number}", f"says {LEFTOVERS.search(line).group(0)}")
        if OUTSIDE.search(line):
            report.add(f"{path}:{number}", f"points outside: {OUTSIDE.search(line).group(0)}")


def functions(text):
    """(name, first line, lines) of each function body in C text."""
    code, _ = common.blank_c(text)
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)),
                  code, flags=re.M)
    depth, head_start, found, opened = 0, 0, [], None
    for match in re.finditer(r"[{};]", code):
        char, at = match.group(0), match.start()
        if char == "{":
            if depth == 0:
                opened = function_head(code[head_start:at], head_start)
                if opened is None and re.search(r"\bextern\s+\"\s*\"\s*$|\bextern\s+\"C\"\s*$",
                                                code[head_start:at]):
                    head_start = at + 1
                    continue
            depth += 1
        elif char == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                if opened is not None:
                    name, start = opened
                    first = common.line_of(code, start)
                    found.append((name, first, common.line_of(code, at) - first + 1))
                    opened = None
                head_start = at + 1
        elif depth == 0:
            head_start = at + 1
    return found


def function_head(head, offset):
    """(name, offset) when the text before a brace is the head of a function."""
    stripped = head.strip()
    if not FUNCTION_TAIL.search(stripped):
        return None
    if re.match(r"(typedef|enum|union)\b", stripped) or "=" in stripped.split("(")[0]:
        return None
    match = re.search(r"([A-Za-z_]\w*)\s*\(", stripped)
    if match is None:
        return None
    name = match.group(1)
    if name == "Test":
        inside = re.match(r"Test\s*\(([^)]*)\)", stripped)
        if inside:
            name = "Test(" + ",".join(p.strip() for p in inside.group(1).split(",")[:2]) + ")"
    return name, offset + len(head) - len(head.lstrip())


class Sizes:
    def __init__(self, root, report):
        self.report = report
        self.allowed = common.read_ratchet(root, SIZES, 1, report)
        self.seen = set()

    def check(self, key, where, lines, limit, what):
        entry = self.allowed.get(key)
        if entry is None:
            if lines > limit:
                self.report.add(where, f"{what} of {lines} lines, at most {limit}: split it, or "
                                       f"list it in {SIZES} with a reason")
            return
        self.seen.add(key)
        number, fields, _ = entry
        listed = int(fields[0]) if fields[0].isdigit() else 0
        if lines <= limit:
            self.report.add(f"{SIZES}:{number}", f"{key} has {lines} lines by now: take it off")
        elif lines > listed:
            self.report.add(where, f"{what} has grown from {listed} to {lines} lines")

    def finish(self):
        for key, (number, _, _) in self.allowed.items():
            if key not in self.seen:
                self.report.add(f"{SIZES}:{number}", f"{key} does not exist")


def check_sizes(path, text, sizes):
    suffix = os.path.splitext(path)[1]
    if suffix in FILE_MAX:
        limit = TEST_FILE_MAX if path.startswith("tests/") else FILE_MAX[suffix]
        sizes.check(path, path, len(text.splitlines()), limit, "a file")
    if suffix in (".c", ".h"):
        for name, first, lines in functions(text):
            sizes.check(f"{path}:{name}", f"{path}:{first}", lines, FUNCTION_MAX,
                        f"function {name}")


def slug(heading):
    """The anchor that a heading gets."""
    text = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", lambda m: m.group(1) or "", heading.strip())
    text = re.sub(r"[^\w\- ]", "", text.lower())
    return text.replace(" ", "-")


def anchors(text):
    found = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    fenced = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    for heading in re.findall(r"^#+\s+(.*?)\s*#*$", fenced, re.M):
        base = slug(heading)
        name, count = base, 0
        while name in found:
            count += 1
            name = f"{base}-{count}"
        found.add(name)
    return found


def check_links(root, path, text, known, report):
    body = re.sub(r"^```.*?^```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S | re.M)
    body = re.sub(r"`[^`\n]*`", "``", body)
    links = list(re.finditer(r"\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)", body))
    links += list(re.finditer(r"^\[[^\]]+\]:\s+(\S+)", body, re.M))
    for match in links:
        target = match.group(1)
        where = f"{path}:{common.line_of(body, match.start())}"
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        page = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if page.startswith(".."):
            report.add(where, f"link {target} leaves the tree")
        elif page not in known and not any(k.startswith(page + "/") for k in known):
            report.add(where, f"link {target}: there is no {page}")
        elif anchor and page.endswith(".md") and anchor not in anchors(common.read(root, page)):
            report.add(where, f"link {target}: no anchor {anchor} in {page}")


def main():
    args = common.parser(__doc__).parse_args()
    root, report = args.root, common.Report("style")
    paths = common.files(root)
    known, sizes = set(paths), Sizes(root, report)
    for path in paths:
        if not is_text(root, path) or path == "LICENSE":
            continue
        text = common.read(root, path)
        source = is_source(path) or (
            os.path.splitext(path)[1] == "" and starts_with_shebang(root, path))
        if source:
            check_spdx(path, text, report)
        if source and (path.endswith(LINE_CHECKED) or not path.endswith(SOURCE)):
            check_lines(path, text, report)
        if path.endswith(C_LIKE):
            check_c(path, text, report)
        check_text(path, text, report)
        check_sizes(path, text, sizes)
        if path.endswith(".md"):
            check_links(root, path, text, known, report)
    sizes.finish()
    report.finish(f"{len(paths)} files")


if __name__ == "__main__":
    main()
