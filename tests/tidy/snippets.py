#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Code in the documents is code of the tree: a fenced block below a line

    <!-- examples/chat.c -->

stands in that file, line for line and in this order; indentation may be less.  With

    <!-- examples/chat.c: all of it -->

anywhere on the page, the blocks together are the whole file, but for empty lines.  A block of C
without such a line is found too: <!-- not from the tree --> says that it is meant so."""

import re
import textwrap

import common

MARK = re.compile(r"<!-- (\S+\.[ch]|not from the tree)(: all of it)? -->$")
FENCE = re.compile(r"```(\w*)$")


def lines_of(root, path, cache={}):
    if path not in cache:
        cache[path] = common.read(root, path).splitlines()
    return cache[path]


def blocks(text):
    """(line number, source or None, language, lines) of each fenced block; whole: the files that
    must be covered."""
    found, whole, mark, at = [], [], None, 0
    lines = text.splitlines()
    while at < len(lines):
        match, fence = MARK.match(lines[at]), FENCE.match(lines[at])
        if match and match.group(2):
            whole.append(match.group(1))
        elif match:
            mark = match.group(1)
        elif fence:
            start = at + 1
            at = start
            while at < len(lines) and lines[at] != "```":
                at += 1
            found.append((start, mark, fence.group(1), lines[start:at]))
            mark = None
        elif lines[at].strip():
            mark = None
        at += 1
    return found, whole


def place(wanted, source, start):
    """Where the lines stand in source, from start on; None when nowhere."""
    wanted = textwrap.dedent("\n".join(wanted)).split("\n")
    for at in range(start, len(source) - len(wanted) + 1):
        part = textwrap.dedent("\n".join(source[at:at + len(wanted)])).split("\n")
        if part == wanted:
            return at
    return None


def check_page(root, path, report):
    found, whole = blocks(common.read(root, path))
    after, covered, count = {}, {name: set() for name in whole}, 0
    for number, name, language, lines in found:
        where = f"{path}:{number}"
        if name is None:
            if language == "c":
                report.add(where, "C that is from no file; say which, or that it is not")
            continue
        if name == "not from the tree":
            continue
        if name not in common.files(root):
            report.add(where, f"there is no {name}")
            continue
        count += 1
        at = place(lines, lines_of(root, name), after.get(name, 0))
        if at is None:
            report.add(where, f"these lines do not stand in {name}, or not behind those before")
            continue
        after[name] = at + len(lines)
        covered.setdefault(name, set()).update(range(at, at + len(lines)))
    for name, seen in covered.items():
        if name in whole:
            for number, line in enumerate(lines_of(root, name)):
                if line.strip() and number not in seen:
                    report.add(f"{name}:{number + 1}", f"{path} does not show this line")
                    break
    return count


def main():
    args = common.parser(__doc__).parse_args()
    report = common.Report("snippets")
    count = 0
    for path in common.files(args.root):
        if path.startswith("docs/") and path.endswith(".md") and not path.startswith("docs/spec/"):
            count += check_page(args.root, path, report)
    report.finish(f"{count} blocks")


if __name__ == "__main__":
    main()
