#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All C files are as clang-format leaves them.  The result depends on the version, so another one
than the pinned is said and skipped; so is none at all, except with CI set."""

import os
import re
import shutil
import subprocess
import sys

import common

PINNED_MAJOR = 14
BATCH = 40


def tool_version(tool):
    run = subprocess.run([tool, "--version"], stdout=subprocess.PIPE, check=False, text=True)
    match = re.search(r"version (\d+)", run.stdout)
    return int(match.group(1)) if match else 0


def skip(why):
    """Ends the check without a verdict; an error where CI is set."""
    print(f"format: skipped, {why}")
    sys.exit(1 if os.environ.get("CI") else 0)


def main():
    parser = common.parser(__doc__)
    parser.add_argument("--fix", action="store_true", help="format the files in place")
    args = parser.parse_args()
    report = common.Report("format")
    tool = shutil.which(f"clang-format-{PINNED_MAJOR}") or shutil.which("clang-format")
    if tool is None:
        skip(f"clang-format is not installed (apt-get install clang-format-{PINNED_MAJOR})")
    if tool_version(tool) != PINNED_MAJOR:
        skip(f"{tool} is version {tool_version(tool)}, pinned is {PINNED_MAJOR}")
    if not os.path.exists(os.path.join(args.root, ".clang-format")):
        report.add(args.root, "has no .clang-format")
        report.finish("no configuration")
    paths = [p for p in common.files(args.root) if p.endswith((".c", ".h"))]
    mode = ["-i"] if args.fix else ["--dry-run", "-Werror"]
    for start in range(0, len(paths), BATCH):
        run = subprocess.run([tool, "--style=file", *mode, *paths[start:start + BATCH]],
                             cwd=args.root, stderr=subprocess.PIPE, check=False, text=True)
        lines = re.findall(r"^(\S+?:\d+):\d+: error:", run.stderr, re.M)
        for where in dict.fromkeys(lines):
            report.add(where, "not as clang-format leaves it")
        if run.returncode != 0 and not lines:
            report.add(tool, run.stderr.strip() or f"exit {run.returncode}")
    report.finish(f"{len(paths)} files")


if __name__ == "__main__":
    main()
