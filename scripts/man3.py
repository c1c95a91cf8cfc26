#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual pages of section 3 out of the public headers: one page per header, switchyard_NAME.3, with
every declaration under the comment that stands above it, and a link page per function, so that
`man sy_switch_dial` finds it; `man switchyard` lists the pages.

    man3.py --version X.Y.Z --out DIR header..."""

import argparse
import os
import re
import sys

BLOCK = re.compile(r"/\*(.*?)\*/", re.S)
FUNCTION = re.compile(r"\b(sy_\w+)\s*\(")
SKIPPED = re.compile(r"^(#ifndef SWITCHYARD_\w+|#define SWITCHYARD_\w+|#endif|#include .*"
                     r"|SY_BEGIN_DECLS|SY_END_DECLS|#ifndef __cplusplus|#ifdef __cplusplus)\s*$")


def roff(text):
    """Text as roff shows it literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def comment_lines(body):
    """The lines of a C comment without its stars."""
    lines = [re.sub(r"^[ \t]*\*[ ]?", "", line) for line in body.split("\n")]
    return [line.rstrip() for line in lines]


def prose(lines):
    """Comment lines as roff: paragraphs are filled, indented lines and tables stand as they are."""
    out, literal = [], False
    for line in [lines[0].lstrip(), *lines[1:]]:
        as_is = line.startswith(("  ", "|"))
        if as_is and not literal:
            out.append(".PP\n.nf\n.RS 4")
        elif literal and not as_is and line.strip():
            out.append(".RE\n.fi\n.PP")
            literal = False
        literal = literal or as_is
        if not line.strip():
            out.append("" if literal else ".PP")
        else:
            out.append(roff(line if literal else line.strip()))
    if literal:
        out.append(".RE\n.fi")
    return "\n".join(out).replace(".PP\n.PP", ".PP") + "\n"


def pieces(text):
    """[(comment or None, code)] in order: a comment that begins a line belongs to the code behind
    it, up to the next blank line or comment of that kind."""
    found, comment, code, at = [], None, [], 0
    lines = text.split("\n")
    while at < len(lines):
        line = lines[at]
        if line.startswith("/*"):
            if code:
                found.append((comment, code))
                comment, code = None, []
            body = [line]
            while "*/" not in lines[at]:
                at += 1
                body.append(lines[at])
            inner = BLOCK.match("\n".join(body)).group(1)
            if comment is not None:
                found.append((comment, []))
            comment = comment_lines(inner.strip(" "))
        elif SKIPPED.match(line):
            pass
        elif not line.strip() and not inside(code):
            if code or comment is not None:
                found.append((comment, code))
                comment, code = None, []
        else:
            code.append(line)
        at += 1
    if code or comment is not None:
        found.append((comment, code))
    return found


def inside(code):
    """Between the braces of a type."""
    text = "\n".join(code)
    return text.count("{") > text.count("}")


def declaration(code):
    text = "\n".join(code)
    text = re.sub(r"^SY_API ", "", text, flags=re.M)
    text = re.sub(r" SY_MUST_USE;", ";", text)
    text = re.sub(r"[ \t]+\\$", " \\\\", text, flags=re.M)
    return ".PP\n.nf\n.ft B\n" + roff(text) + "\n.ft R\n.fi\n"


def heading(lines):
    """A rule comment such as `---- Reports ----` as the title of a part."""
    match = re.match(r"-{2,} (.*?) -{2,}$", lines[0].strip())
    return match.group(1) if match else None


def describe(comment, code, out):
    if comment is not None and heading(comment) is not None:
        out.append(f'.SS "{roff(heading(comment))}"\n')
        comment = comment[1:]
        if not any(comment):
            comment = None
    if code:
        out.append(declaration(code))
        if comment is not None:
            out.append(".RS 4\n" + prose(comment) + ".RE\n")
    elif comment is not None:
        out.append(".PP\n" + prose(comment))


def page(header, text, version):
    stem = os.path.basename(header)[:-2]
    parts = pieces(text)
    while parts and (parts[0][0] is None or parts[0][0][0].startswith("SPDX")):
        parts.pop(0)
    if not parts:
        sys.exit(f"{header}: no comment at its head")
    about = parts.pop(0)[0]
    first = " ".join(line.strip() for line in about if line.strip()).split(". ")[0].split(": ")
    summary = (first[1] if len(first) > 1 and len(first[0]) < 24 else first[0]).rstrip(".")
    out = [f'.TH switchyard_{stem} 3 "" "Switchyard {version}" "Switchyard library"\n',
           ".\\\" Written by scripts/man3.py from the header.\n",
           f".SH NAME\nswitchyard_{stem} \\- {roff(summary)}\n",
           f".SH SYNOPSIS\n.nf\n.B #include <switchyard/{stem}.h>\n.fi\n",
           ".PP\nLink with \\fI$(pkg\\-config \\-\\-cflags \\-\\-libs switchyard)\\fR.\n",
           ".SH DESCRIPTION\n" + prose(about), ".SH DECLARATIONS\n"]
    for comment, code in parts:
        describe(comment, code, out)
    out.append(".SH SEE ALSO\n.BR yard (1),\n.BR switchyard (3),\n"
               ".BR switchyard_switch (3),\n"
               ".BR switchyard_reactor (3)\n")
    return stem, summary, "".join(out)


def overview(summaries, version):
    """The page that leads to the others."""
    out = [f'.TH switchyard 3 "" "Switchyard {version}" "Switchyard library"\n',
           ".\\\" Written by scripts/man3.py from the headers.\n",
           ".SH NAME\nswitchyard \\- peer\\-to\\-peer networking for the Tendermint family\n",
           ".SH DESCRIPTION\nOne page per header \\fI<switchyard/NAME.h>\\fR; the name of a\n"
           "function opens the page on which it stands.\n"]
    for stem, summary in sorted(summaries):
        out.append(f".TP\n.BR switchyard_{stem} (3)\n{roff(summary)}\n")
    out.append(".SH SEE ALSO\n.BR yard (1)\n")
    return "".join(out)


def functions(text):
    bare = BLOCK.sub(" ", text)
    for match in re.finditer(r"\bSY_API\b([^;{]*);", bare):
        name = FUNCTION.search(match.group(1))
        if name:
            yield name.group(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("headers", nargs="+")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    for name in os.listdir(args.out):
        if name.endswith(".3"):
            os.remove(os.path.join(args.out, name))
    summaries = []
    for header in args.headers:
        if not header.endswith(".h"):
            continue
        with open(header, encoding="utf-8") as f:
            text = f.read()
        stem, summary, body = page(header, text, args.version)
        summaries.append((stem, summary))
        with open(os.path.join(args.out, f"switchyard_{stem}.3"), "w", encoding="utf-8") as f:
            f.write(body)
        for name in functions(text):
            with open(os.path.join(args.out, f"{name}.3"), "w", encoding="utf-8") as f:
                f.write(f".so man3/switchyard_{stem}.3\n")
    with open(os.path.join(args.out, "switchyard.3"), "w", encoding="utf-8") as f:
        f.write(overview(summaries, args.version))


if __name__ == "__main__":
    main()
