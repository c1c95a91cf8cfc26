#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/LIMITS.md lists every limit with its value and reason, out of the limits.h of each folder:

    #define SY_THING_MAX 1024 /* why this much; SPEC XX-01 when a clause fixes it */

Fails on a limit without a reason, on a name that is defined twice, and when the page is not
current; --write writes it anew."""

import os
import re

import common

PAGE = "docs/LIMITS.md"
DEFINE = re.compile(
    r"^#[ \t]*define[ \t]+(SY_\w+)[ \t]+([^\s/](?:[^/\n]|/(?!\*))*?)[ \t]*"
    r"(?:/\*(.*?)\*/)?[ \t]*$", re.M | re.S)
ANCHOR = re.compile(r"\bSPEC\s+((?:[A-Z]{2,3}-\d{2,3}(?:,?\s+)?)+)")
HEAD = """<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Written by tests/tidy/limits.py --write; change the limits.h files instead. -->
# Limits

Every limit of the library, its value and the reason for it. A limit that an operator can change has
its key in the configuration; the value here is the default or the bound of it.
"""


def clean(comment):
    """The words of a C comment, without the stars of continued lines."""
    return " ".join(re.sub(r"\n[ \t]*\*?", " ", comment).split())


def page_of_anchor(root):
    """{anchor: docs/spec page}, for the links."""
    found = {}
    for path in common.files(root):
        if path.startswith("docs/spec/") and path.endswith(".md"):
            for anchor in re.findall(r'<a id="([^"]+)"', common.read(root, path)):
                found[anchor] = path[len("docs/"):]
    return found


def reason_text(comment, pages):
    """The reason as Markdown: clause names become links."""
    def link(match):
        anchors = re.findall(r"[A-Z]{2,3}-\d{2,3}", match.group(1))
        return ", ".join(f"[{a}]({pages[a]}#{a})" if a in pages else a for a in anchors)
    return ANCHOR.sub(link, clean(comment)).replace("|", "\\|")


def collect(root, report):
    """[(folder, [(name, value, reason)])] in the order of the files."""
    pages, seen, folders = page_of_anchor(root), {}, []
    for path in common.files(root):
        if os.path.basename(path) != "limits.h" or path.startswith("tests/"):
            continue
        rows, text = [], common.read(root, path)
        for match in DEFINE.finditer(text):
            name, value, comment = match.groups()
            where = f"{path}:{common.line_of(text, match.start())}"
            if name in seen:
                report.add(where, f"{name} is defined at {seen[name]} too")
            seen[name] = where
            if not comment or not comment.strip():
                report.add(where, f"{name} has no reason behind it")
                comment = ""
            rows.append((name, " ".join(value.split()), reason_text(comment, pages)))
        folders.append((os.path.dirname(path), rows))
    return folders


def render(folders):
    text = HEAD
    for folder, rows in folders:
        text += f"\n## {folder}\n\n| name | value | reason |\n| --- | --- | --- |\n"
        text += "".join(f"| `{name}` | `{value}` | {reason} |\n" for name, value, reason in rows)
    return text


def main():
    parser = common.parser(__doc__)
    parser.add_argument("--write", action="store_true", help="write the page anew")
    args = parser.parse_args()
    report = common.Report("limits")
    folders = collect(args.root, report)
    text, full = render(folders), os.path.join(args.root, PAGE)
    if args.write:
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
    elif not os.path.exists(full) or common.read(args.root, PAGE) != text:
        report.add(PAGE, "is not current: run limits.py --write")
    report.finish(f"{sum(len(rows) for _, rows in folders)} limits")


if __name__ == "__main__":
    main()
