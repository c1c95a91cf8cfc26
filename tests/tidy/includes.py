#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves the layering: a folder includes only folders below it, and only the external headers of
its row.  Public headers are included as <switchyard/x.h>, private ones as "folder/x.h"; a public
header includes only public ones.  The same rows bind LINKS in the CMake lists."""

import os
import re

import common

# folder -> (folders it may include, external headers it may include)
LAYERS = {
    "base": ((), ("sodium",)),
    "nodeinfo": (("base",), ("sodium", "jansson")),
    "conn": (("base",), ("sodium", "openssl")),
    "p2p": (("base", "nodeinfo", "conn"), ("openssl", "jansson", "protobuf-c")),
    "reactors": (("base", "nodeinfo", "conn", "p2p"), ("protobuf-c",)),
    "p2p/ev": (("base", "nodeinfo", "conn", "p2p", "reactors"), ("ev", "ares", "system")),
    "sim": (("base", "nodeinfo", "conn", "p2p", "reactors"), ("sodium", "system")),
    "cmd": (("base", "nodeinfo", "conn", "p2p", "reactors", "p2p/ev", "sim"),
            ("toml++", "jansson", "microhttpd", "sodium", "ev", "system", "c++")),
    "examples": (("base", "nodeinfo", "conn", "p2p", "reactors", "p2p/ev", "sim"),
                 ("ev", "system")),
    "tests": (None, None),
}

# Headers of the C library that a core may include: they give types and pure functions.
PURE = {
    "assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "math.h", "stdarg.h", "stdalign.h",
    "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "stdnoreturn.h",
    "string.h", "strings.h",
}
# ... and in one folder only: for inet_pton and inet_ntop; for instructions of the processor.
PURE_IN = {"p2p": {"arpa/inet.h", "netinet/in.h", "sys/socket.h"}, "conn": {"immintrin.h"}}

EXTERNAL = (
    ("sodium", re.compile(r"sodium(\.h|/.*)$")),
    ("openssl", re.compile(r"openssl/")),
    ("jansson", re.compile(r"jansson\.h$")),
    ("protobuf-c", re.compile(r"(google/)?protobuf-c(/|\.h$)")),
    ("ev", re.compile(r"ev\.h$")),
    ("ares", re.compile(r"ares(_\w+)?\.h$")),
    ("toml++", re.compile(r"toml\+\+/|toml\.hpp$")),
    ("microhttpd", re.compile(r"microhttpd\.h$")),
)
LINK_TARGETS = {
    "PkgConfig::SODIUM": "sodium", "OpenSSL::Crypto": "openssl", "PkgConfig::JANSSON": "jansson",
    "PkgConfig::CARES": "ares", "PkgConfig::PROTOBUFC": "protobuf-c",
    "PkgConfig::MICROHTTPD": "microhttpd", "${EV_LIBRARY}": "ev",
}
# Links that carry no external header of their own.
NEUTRAL_LINKS = {"Threads::Threads", "m", "sy_flags"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:<([^>]+)>|"([^"]+)")', re.M)


def layer_of(folder):
    """The row of the table; reactors/x and cmd/x share theirs."""
    if folder in LAYERS:
        return folder
    top = folder.split("/")[0]
    return top if top in LAYERS else None


def public_headers(root, paths, report):
    """{file name: folder} of the headers in the PUBLIC lists of the CMake files."""
    public = {}
    for path in paths:
        if os.path.basename(path) != "CMakeLists.txt" or path.startswith("tests/"):
            continue
        for call in re.finditer(r"sy_library\(([^)]*)\)", common.read(root, path)):
            words = call.group(1).split()
            if "PUBLIC" not in words:
                continue
            for word in words[words.index("PUBLIC") + 1:]:
                if word in ("SOURCES", "LINKS", "FOLDER", "COMPONENT"):
                    break
                name = os.path.basename(word)
                folder = os.path.dirname(path)
                if name in public:
                    report.add(path, f"{name} is public in {public[name]} too; installed headers "
                                     "share one folder")
                public[name] = folder
    return public


def external_kind(header, is_cxx):
    for kind, pattern in EXTERNAL:
        if pattern.match(header):
            return kind
    if is_cxx and "." not in header:
        return "c++"
    return "system"


class Checker:
    def __init__(self, root, report):
        self.root, self.report = root, report
        self.paths = common.files(root)
        self.known = set(self.paths)
        self.public = public_headers(root, self.paths, report)
        self.count = 0

    def may_use(self, folder, other):
        allowed = LAYERS[layer_of(folder)][0]
        if allowed is None or other == folder:
            return True
        return layer_of(other) in allowed and layer_of(other) != layer_of(folder)

    def check_all(self):
        for path in self.paths:
            folder = common.folder_of(path)
            if layer_of(folder) is None:
                continue
            if path.endswith(common.C_SUFFIXES + common.CXX_SUFFIXES):
                self.check_file(path, folder)
            elif os.path.basename(path) == "CMakeLists.txt" and layer_of(folder) != "tests":
                self.check_links(path, folder)

    def check_file(self, path, folder):
        text, _ = common.blank_c(common.read(self.root, path), keep_strings=True)
        is_cxx = path.endswith(common.CXX_SUFFIXES)
        for match in INCLUDE.finditer(text):
            where = f"{path}:{common.line_of(text, match.start())}"
            self.count += 1
            if match.group(1) is not None:
                self.check_angle(path, folder, match.group(1), where, is_cxx)
            else:
                self.check_quoted(path, folder, match.group(2), where)

    def check_angle(self, path, folder, header, where, is_cxx):
        if header.startswith("switchyard/"):
            name = header[len("switchyard/"):]
            owner = self.public.get(name)
            if owner is None:
                self.report.add(where, f"<{header}>: no folder lists {name} as PUBLIC")
            elif not self.may_use(folder, owner):
                self.report.add(where, f"{folder} may not include {owner} (<{header}>)")
            return
        if self.is_public(path) and header not in PURE:
            self.report.add(where, f"a public header includes <{header}>")
        self.check_external(folder, header, where, is_cxx)

    def check_external(self, folder, header, where, is_cxx):
        allowed = LAYERS[layer_of(folder)][1]
        if allowed is None or header in PURE:
            return
        if header in PURE_IN.get(layer_of(folder), ()):
            return
        kind = external_kind(header, is_cxx)
        if kind not in allowed:
            self.report.add(where, f"{folder} may not include <{header}> ({kind})")

    def is_public(self, path):
        return self.public.get(os.path.basename(path)) == os.path.dirname(path)

    def check_quoted(self, path, folder, header, where):
        if layer_of(folder) == "tests" or header.endswith((".pb-c.h", ".pb.h")):
            return
        beside = os.path.join(os.path.dirname(path), header)
        if layer_of(folder) == "examples" and beside in self.known:
            return  # a program outside of this tree, with headers of its own
        if header not in self.known:
            hint = f'; write "{beside}"' if beside in self.known else ""
            self.report.add(where, f'"{header}" is not a path from the top of the tree{hint}')
            return
        owner = common.folder_of(header)
        if layer_of(folder) == "examples":
            self.report.add(where, f'an example may include public headers only ("{header}")')
        elif layer_of(owner) is None or layer_of(owner) == "tests":
            self.report.add(where, f'{folder} may not include "{header}"')
        elif not self.may_use(folder, owner):
            self.report.add(where, f'{folder} may not include {owner} ("{header}")')
        elif self.is_public(path):
            self.report.add(where, f'a public header includes the private "{header}"')
        elif self.is_public(header):
            self.report.add(where, f'"{header}" is public: '
                                   f"include <switchyard/{os.path.basename(header)}>")

    def check_links(self, path, folder):
        text = common.read(self.root, path)
        for call in re.finditer(r"sy_library\(([^)]*)\)", text):
            words = call.group(1).split()
            links = words[words.index("LINKS") + 1:] if "LINKS" in words else []
            where = f"{path}:{common.line_of(text, call.start())}"
            for link in links:
                if link in ("SOURCES", "PUBLIC", "FOLDER"):
                    break
                self.check_link(folder, link, where)

    def check_link(self, folder, link, where):
        allowed_folders, allowed_external = LAYERS[layer_of(folder)]
        if link in NEUTRAL_LINKS or allowed_folders is None:
            return
        if link.startswith("sy_"):
            name = link[len("sy_"):]
            rows = {row.replace("/", "_"): row for row in LAYERS}
            row = rows.get(name, "reactors" if name.startswith("reactor") else None)
            if row is None or row not in allowed_folders:
                self.report.add(where, f"{folder} may not link {link}")
        elif LINK_TARGETS.get(link) not in allowed_external:
            self.report.add(where, f"{folder} may not link {link}")


def main():
    args = common.parser(__doc__).parse_args()
    report = common.Report("includes")
    checker = Checker(args.root, report)
    checker.check_all()
    report.finish(f"{checker.count} includes, {len(checker.public)} public headers")


if __name__ == "__main__":
    main()
