#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The exported symbols are exactly the functions that the public headers declare with SY_API.

cmake/switchyard.map, which the linker reads, is the list; of the simulator (headers of sim/)
cmake/switchyard-sim.map.  Without an option they are compared with the headers; with --library the
one that it belongs to also with what that shared library exports.

    symbols.py [--root DIR] [--library FILE] [--write]"""

import argparse
import glob
import os
import re
import subprocess
import sys

# name of the library -> (its list, its version node)
PARTS = {"switchyard": ("cmake/switchyard.map", "SWITCHYARD_0"),
         "switchyard-sim": ("cmake/switchyard-sim.map", "SWITCHYARD_SIM_0")}
COMMENT = re.compile(r"/\*.*?\*/", re.S)
DECLARATION = re.compile(r"\bSY_API\b([^;{]*);")
NAME = re.compile(r"\b(sy_\w+)\s*\(")
HEAD = """# SPDX-License-Identifier: Apache-2.0
# The exported symbols, read by the linker.  Written by scripts/symbols.py --write.
%s {
    global:
"""
TAIL = """    local:
        *;
};
"""


def public_headers(root):
    """Paths of all headers in the PUBLIC lists of the CMake files."""
    found = []
    for path in sorted(glob.glob(os.path.join(root, "*", "**", "CMakeLists.txt"), recursive=True)):
        folder = os.path.dirname(path)
        if os.path.relpath(folder, root).split(os.sep)[0] in ("build", "out", "tests"):
            continue
        with open(path, encoding="utf-8") as f:
            for call in re.finditer(r"sy_library\(([^)]*)\)", f.read()):
                words = call.group(1).split()
                if "PUBLIC" not in words:
                    continue
                for word in words[words.index("PUBLIC") + 1:]:
                    if word in ("SOURCES", "LINKS", "FOLDER"):
                        break
                    found.append(os.path.join(folder, word))
    return found


def part_of(root, header):
    sim = os.path.relpath(header, root).split(os.sep)[0] == "sim"
    return "switchyard-sim" if sim else "switchyard"


def part_of_library(path):
    return os.path.basename(path).split(".so")[0].replace("lib", "", 1)


def declared(headers):
    """{function: header} of everything declared with SY_API."""
    names = {}
    for header in headers:
        with open(header, encoding="utf-8") as f:
            text = COMMENT.sub(" ", f.read())
        text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.M)
        for match in DECLARATION.finditer(text):
            name = NAME.search(match.group(1))
            if name is None:
                sys.exit(f"{header}: no name in: SY_API{match.group(1)}")
            names[name.group(1)] = os.path.basename(header)
    return names


def listed(root, part):
    path = os.path.join(root, PARTS[part][0])
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return re.findall(r"^\s+(sy_\w+);$", f.read(), re.M)


def exported(library, node):
    run = subprocess.run(["nm", "-D", "--defined-only", library], stdout=subprocess.PIPE,
                         check=True, text=True)
    found = set()
    for line in run.stdout.splitlines():
        kind, symbol = line.split()[-2:]
        name = symbol.split("@")[0]
        if kind != "A" or name != node:  # the version node itself
            found.add(name)
    return found


def compare(what, have, wanted):
    for name in sorted(wanted - have):
        print(f"{what}: {name} is missing")
    for name in sorted(have - wanted):
        print(f"{what}: {name} should not be there")
    return have == wanted


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    parser.add_argument("--library", help="the shared library")
    parser.add_argument("--write", action="store_true", help="write the list anew")
    args = parser.parse_args()
    headers = public_headers(args.root)
    ok, count = True, 0
    for part, (path, node) in PARTS.items():
        names = set(declared([h for h in headers if part_of(args.root, h) == part]))
        if args.write:
            with open(os.path.join(args.root, path), "w", encoding="utf-8") as f:
                f.write(HEAD % node + "".join(f"        {n};\n" for n in sorted(names)) + TAIL)
        in_map = listed(args.root, part)
        ok = len(names) > 0 and compare(path, set(in_map), names) and ok
        if in_map != sorted(set(in_map)):
            print(f"{path}: not sorted, or a name stands there twice")
            ok = False
        if args.library and part_of_library(args.library) == part:
            ok = compare(args.library, exported(args.library, node), set(in_map)) and ok
        count += len(names)
    if not ok:
        print("after a change of the public functions: scripts/symbols.py --write")
    print(f"symbols: {count} functions, " + ("ok" if ok else "different"))
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
