# SPDX-License-Identifier: Apache-2.0
"""What the tidy checks share: the list of files, C text without comments and strings, and the
report.  Every check takes --root, so that the self-test can run it on a planted tree."""

import argparse
import os
import re
import subprocess
import sys

SKIPPED_DIRS = {".git", "build", "out", "__pycache__", ".cache", "node_modules", "target"}
C_SUFFIXES = (".c", ".h", ".def")
CXX_SUFFIXES = (".cc", ".cpp", ".hpp")


def default_root():
    here = os.path.dirname(os.path.abspath(__file__))
    return os.path.dirname(os.path.dirname(here))


def parser(description):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--root", default=default_root(), help="top of the tree to check")
    return p


def files(root):
    """Paths relative to root of all files that belong to the product, sorted."""
    found = _git_files(root)
    if found is None:
        found = []
        for folder, dirs, names in os.walk(root):
            dirs[:] = [d for d in dirs if d not in SKIPPED_DIRS]
            for name in names:
                found.append(os.path.relpath(os.path.join(folder, name), root))
    return sorted(f for f in found if os.path.isfile(os.path.join(root, f)))


def _git_files(root):
    if not os.path.exists(os.path.join(root, ".git")):
        return None
    run = subprocess.run(
        ["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if run.returncode != 0:
        return None
    return [name for name in run.stdout.decode("utf-8").split("\0") if name]


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def folder_of(path):
    """The unit of the layering table that a file belongs to."""
    parts = path.split("/")
    if len(parts) > 2 and (parts[0] in ("reactors", "cmd") or parts[:2] == ["p2p", "ev"]):
        return "/".join(parts[:2])
    return parts[0] if len(parts) > 1 else ""


_TOKEN = re.compile(
    r"(?P<block>/\*.*?(?:\*/|\Z))|(?P<line>//[^\n]*)"
    r"|(?P<str>\"(?:\\.|[^\"\\\n])*\")|(?P<chr>'(?:\\.|[^'\\\n])*')", re.S)


def blank_c(text, keep_strings=False):
    """C text with comments (and literals) blanked, line numbers kept; also the line comments.

    Returns (text, [line number of each // comment])."""
    line_comments = []

    def replace(match):
        whole = match.group(0)
        if match.lastgroup == "line":
            line_comments.append(text.count("\n", 0, match.start()) + 1)
        if match.lastgroup in ("str", "chr"):
            return whole if keep_strings else whole[0] + " " * (len(whole) - 2) + whole[-1]
        return re.sub(r"[^\n]", " ", whole)

    return _TOKEN.sub(replace, text), line_comments


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Report:
    """Collects findings and ends the program: exit 1 when there is one."""

    def __init__(self, name):
        self.name = name
        self.findings = []

    def add(self, where, what):
        self.findings.append((where, what))

    def finish(self, summary):
        for where, what in self.findings:
            print(f"{where}: {what}")
        count = len(self.findings)
        print(f"{self.name}: {summary}, " + ("ok" if count == 0 else f"{count} findings"))
        sys.exit(1 if count else 0)


def read_ratchet(root, path, fields, report):
    """Lines `key field... reason`; returns {key: (line number, [fields], reason)}."""
    entries = {}
    full = os.path.join(root, path)
    if not os.path.exists(full):
        return entries
    for number, line in enumerate(read(root, path).splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = line.split(None, fields + 1)
        if len(parts) < fields + 2:
            report.add(f"{path}:{number}", "needs a key, its fields and a reason")
            continue
        if parts[0] in entries:
            report.add(f"{path}:{number}", f"{parts[0]} is listed twice")
        entries[parts[0]] = (number, parts[1:fields + 1], parts[fields + 1])
    return entries
