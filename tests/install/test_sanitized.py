#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples with the sanitized library of this build: they are read as models, so they may have
no leak and no undefined behaviour either."""

import os
import shlex
import shutil
import tempfile
import unittest

from installed import PROGRAMS, ROOT, Examples, TestCase, run

BUILD = os.environ["SY_BUILD"]
TREE = {}


def setUpModule():
    TREE["temp"] = tempfile.mkdtemp(prefix="switchyard-sanitized-")
    env = {"PKG_CONFIG_PATH": TREE["temp"]}
    # The archive and what it needs, as the pkg-config file of the build names it.
    with open(os.path.join(BUILD, "switchyard.pc"), encoding="utf-8") as f:
        lines = [line for line in f if not line.startswith(("prefix=", "libdir=", "includedir="))]
    with open(os.path.join(TREE["temp"], "switchyard.pc"), "w", encoding="utf-8") as f:
        f.write(f"libdir={BUILD}/lib\nincludedir={BUILD}/include\n" + "".join(lines))
    libs = [w for w in shlex.split(run("pkg-config", "--static", "--libs", "switchyard", env=env))
            if w != "-lswitchyard"]
    run("make", "-C", os.path.join(ROOT, "examples"), f"OUT={TREE['temp']}",
        f"CC={os.environ['SY_CC']}", f"CFLAGS=-O1 -g -fsanitize={os.environ['SY_SANITIZE']} "
        "-fno-sanitize-recover=all", f"CPPFLAGS=-I{BUILD}/include",
        f"LDLIBS={BUILD}/lib/libswitchyard-sim.a {BUILD}/lib/libswitchyard.a {' '.join(libs)}")


def tearDownModule():
    shutil.rmtree(TREE["temp"])


class Sanitized(Examples, TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bin = TREE["temp"]
        cls.env = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1"}

    def test_all_programs_are_sanitized(self):
        for name in PROGRAMS:
            needed = run("readelf", "-d", os.path.join(self.bin, name))
            self.assertRegex(needed, r"lib(asan|tsan|ubsan)\.so", name)
            self.assertNotIn("libswitchyard", needed, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
