#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian packages: built from the source package's tree, installed by dpkg into an empty root,
used from there."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from installed import PROGRAMS, ROOT, STRICT, WORK, Examples, TestCase, public_headers, run

TREE = {}
PACKAGES = ("libswitchyard0", "libswitchyard-dev", "switchyard")


def missing_tools():
    return [t for t in ("dpkg-buildpackage", "dh", "dpkg", "pkg-config") if not shutil.which(t)]


def setUpModule():
    TREE["debs"] = os.path.join(WORK, "package")
    TREE["root"] = tempfile.mkdtemp(prefix="switchyard-root-")
    run(os.path.join(ROOT, "scripts/package.sh"), TREE["debs"])
    install()
    TREE["lib"] = os.path.dirname(glob.glob(at("usr/lib/*/libswitchyard.so"))[0])


def tearDownModule():
    shutil.rmtree(TREE["root"])


def at(*parts):
    return os.path.join(TREE["root"], *parts)


def deb(package):
    found = glob.glob(os.path.join(TREE["debs"], package + "_*.deb"))
    assert len(found) == 1, (package, found)
    return found[0]


def install():
    """dpkg itself, into a root that has nothing but an empty database."""
    for folder in ("updates", "info", "triggers"):
        os.makedirs(at("var/lib/dpkg", folder))
    for name in ("status", "available"):
        with open(at("var/lib/dpkg", name), "w", encoding="utf-8"):
            pass
    run("dpkg", f"--root={TREE['root']}", "--force-not-root", "--force-depends",
        "--force-script-chrootless", f"--log={at('dpkg.log')}", "-i", *map(deb, PACKAGES))


class Packages(TestCase):
    def test_dpkg_has_installed_them(self):
        said = run("dpkg-query", f"--admindir={at('var/lib/dpkg')}", "-W",
                   "-f", "${Package} ${db:Status-Status}\\n")
        self.assertEqual(sorted(said.split("\n"))[1:],
                         sorted(f"{p} installed" for p in PACKAGES))

    def test_source_package_is_complete(self):
        dsc = glob.glob(os.path.join(TREE["debs"], "switchyard_*.dsc"))
        self.assertEqual(len(dsc), 1)
        run("dpkg-source", "-x", dsc[0], at("source"))
        for path in ("debian/rules", "base/version.h", "examples/chat.c", "CMakeLists.txt"):
            self.assertTrue(os.path.exists(at("source", path)), path)
        self.assertFalse(os.path.exists(at("source", "build")))

    def test_each_package_has_its_part(self):
        def files(package):
            return run("dpkg", f"--admindir={at('var/lib/dpkg')}", "-L", package)

        self.assertIn("/libswitchyard.so.0\n", files("libswitchyard0"))
        self.assertNotIn("/include/", files("libswitchyard0"))
        self.assertIn("/pkgconfig/switchyard.pc\n", files("libswitchyard-dev"))
        for program in ("yard", "yardspec"):
            self.assertIn(f"/usr/bin/{program}\n", files("switchyard"))
            self.assertIn(f"/man1/{program}.1", files("switchyard"))
        self.assertEqual(sorted(os.listdir(at("usr/include/switchyard"))), public_headers())

    def test_dependencies_are_those_of_the_code(self):
        depends = run("dpkg-deb", "-f", deb("libswitchyard0"), "Depends")
        for library in ("libsodium", "libssl", "libjansson", "libc-ares", "libev"):
            self.assertIn(library, depends)
        self.assertIn("libswitchyard0 (=", run("dpkg-deb", "-f", deb("libswitchyard-dev"),
                                               "Depends"))

    def test_shlibs_say_which_package_has_the_soname(self):
        shlibs = run("dpkg-deb", "--info", deb("libswitchyard0"), "shlibs")
        for soname in ("libswitchyard", "libswitchyard-sim"):
            self.assertRegex(shlibs, rf"(?m)^{soname} 0 libswitchyard0 \(>= ")

    def test_manual_pages_are_found(self):
        self.assertTrue(os.path.exists(at("usr/share/man/man1/yard.1.gz")))
        self.assertTrue(os.path.exists(at("usr/share/man/man3/switchyard_switch.3.gz")))
        link = at("usr/share/man/man3/sy_switch_new.3.gz")
        self.assertEqual(os.path.basename(os.path.realpath(link)), "switchyard_switch.3.gz")

    def test_program_runs(self):
        self.assertRegex(run(at("usr/bin/yard"), "version"), r"\d+\.\d+\.\d+")


class ByPkgConfig(Examples, TestCase):
    """The examples as the package brings them."""

    @classmethod
    def setUpClass(cls):
        cls.bin = at("by-pkg-config")
        os.mkdir(cls.bin)
        cls.env = {"LD_LIBRARY_PATH": TREE["lib"]}
        run("make", "-C", at("usr/share/doc/libswitchyard-dev/examples"), f"OUT={cls.bin}",
            f"CFLAGS={STRICT}", env={"PKG_CONFIG_PATH": os.path.join(TREE["lib"], "pkgconfig")})

    def test_the_headers_are_the_package_s(self):
        flags = run("pkg-config", "--cflags", "switchyard",
                    env={"PKG_CONFIG_PATH": os.path.join(TREE["lib"], "pkgconfig")})
        folder = re.search(r"-I(\S+)", flags).group(1)
        self.assertEqual(os.path.realpath(folder), os.path.realpath(at("usr/include")))


class ByCMake(TestCase):
    def test_it_builds_and_runs(self):
        for static in ("OFF", "ON"):
            out = at("by-cmake-" + static)
            run("cmake", "-S", at("usr/share/doc/libswitchyard-dev/examples"), "-B", out, "-G",
                "Ninja", f"-DCMAKE_PREFIX_PATH={at('usr')}", f"-DEXAMPLES_STATIC={static}")
            run("cmake", "--build", out, "-j", "2")
            self.assertEqual([n for n in PROGRAMS if not os.path.exists(os.path.join(out, n))], [])
            run(os.path.join(out, "two_switches"))


if __name__ == "__main__":
    if missing_tools():
        print("package: skipped, missing: " + " ".join(missing_tools()))
        sys.exit(77)
    if subprocess.run(["dpkg-checkbuilddeps"], cwd=ROOT, check=False).returncode != 0:
        print("package: skipped, build dependencies are missing (make deps)")
        sys.exit(77)
    unittest.main(verbosity=2)
