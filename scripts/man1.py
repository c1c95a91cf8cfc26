#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual page of a program: the hand-written page, and before its section SIGNALS what the
program says itself of its commands, flags and configuration keys (`PROGRAM help`,
`PROGRAM COMMAND --help`, `PROGRAM help keys`), so that those are always complete.

    man1.py --version X.Y.Z --program FILE --text docs/man/yard.1 --out yard.1"""

import argparse
import re
import subprocess
import sys

from man3 import roff

BEFORE = "\n.SH SIGNALS\n"
PRODUCT = '"Switchyard"'


def run(program, *words):
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0 or not done.stdout.strip():
        sys.exit(f"{program} {' '.join(words)}: status {done.returncode}")
    return done.stdout.rstrip("\n").split("\n")


def rows(lines):
    """(name, text) of the two-column lines; a long name has its text on the next line or behind
    one blank, a continued text stands in the second column."""
    found = []
    for line in lines:
        if re.match(r"\s{20,}\S", line) and found:
            name, text = found[-1]
            found[-1] = (name, (text + " " + line.strip()).strip())
            continue
        match = re.match(r"  (\S+(?: \S+)*?)(?:\s{2,}(\S.*)|)$", line)
        if match:
            found.append((match.group(1), match.group(2) or ""))
    return found


def item(name, text):
    return f".TP\n.B {roff(name)}\n{roff(text) or '.br'}\n"


def command_names(program):
    lines = run(program, "help")
    return [name for name, _ in rows(lines[lines.index("commands:"):])]


def command_page(program, name):
    lines = run(program, name, "--help")
    usage = re.sub(r"^usage: ", "", lines[0])
    flags = lines.index("flags:") if "flags:" in lines else len(lines)
    about = " ".join(line.strip() for line in lines[1:flags] if line.strip())
    out = f'.SS "{roff(usage)}"\n{roff(about)}\n'
    for flag, text in rows(lines[flags:]):
        out += item(flag, text)
    return out


def key_pages(lines):
    """The page of the keys, which is Markdown: headings, paragraphs, tables of three columns."""
    out = ""
    for line in lines:
        row = re.match(r"\| (.*?) \| (.*) \| (.*?) \|$", line)
        if line.startswith(("<!--", "# ", "| ---", "| key ")) or not line.strip():
            out += ".PP\n" if not line.strip() and not out.endswith(".PP\n") else ""
        elif line.startswith("## "):
            out += f'.SS "{roff(line[3:])}"\n'
        elif row is not None:
            name, default, meaning = (cell.replace("`", "") for cell in row.groups())
            out += item(name, f"{meaning} (default: {default})")
        else:
            out += roff(line.replace("`", "")) + "\n"
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("--version", "--program", "--text", "--out"):
        parser.add_argument(flag, required=True)
    args = parser.parse_args()
    with open(args.text, encoding="utf-8") as f:
        text = f.read()
    commands = "".join(command_page(args.program, name)
                       for name in command_names(args.program) if name != "help")
    if text.count(BEFORE) != 1 or text.count(PRODUCT) != 1:
        sys.exit(f"{args.text}: needs one {BEFORE.strip()} and one {PRODUCT}")
    keys = key_pages(run(args.program, "help", "keys"))
    text = text.replace(PRODUCT, f'"Switchyard {args.version}"')
    text = text.replace(BEFORE, f"\n.SH COMMANDS AND THEIR FLAGS\n{commands}"
                                f".SH CONFIGURATION KEYS\n{keys}{BEFORE[1:]}")
    with open(args.out, "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
