#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make install` into an empty prefix, which is then moved; the library is used from there."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from installed import PROGRAMS, ROOT, STRICT, WORK, Examples, Program, TestCase, public_headers, run

TREE = {}


def setUpModule():
    TREE["temp"] = tempfile.mkdtemp(prefix="switchyard-install-")
    first = os.path.join(TREE["temp"], "first")
    TREE["prefix"] = os.path.join(TREE["temp"], "moved", "here")
    run("make", "install", f"PREFIX={first}", f"RELEASE={WORK}/release", "JOBS=2")
    os.makedirs(os.path.dirname(TREE["prefix"]))
    os.rename(first, TREE["prefix"])
    TREE["build"] = os.path.join(WORK, "release")


def tearDownModule():
    shutil.rmtree(TREE["temp"])


def at(*parts):
    return os.path.join(TREE["prefix"], *parts)


def pc_env():
    return {"PKG_CONFIG_PATH": at("lib", "pkgconfig")}


def pkg_config(*flags):
    return run("pkg-config", *flags, "switchyard", env=pc_env()).split()


def scratch(name):
    path = os.path.join(TREE["temp"], name)
    os.makedirs(path, exist_ok=True)
    return path


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def header_version():
    """The text, which must be what the three numbers say."""
    text = read(at("include/switchyard/version.h"))
    numbers = [re.search(rf"SY_VERSION_{part} +(\d+)", text).group(1)
               for part in ("MAJOR", "MINOR", "PATCH")]
    found = re.search(r'SY_VERSION_TEXT +"(.*)"', text).group(1)
    assert found == ".".join(numbers), found
    return found


class Layout(TestCase):
    def test_soname_and_links(self):
        version = header_version()
        dynamic = run("readelf", "-d", at("lib/libswitchyard.so"))
        self.assertIn("soname: [libswitchyard.so.0]", dynamic)
        self.assertNotRegex(dynamic, "RPATH|RUNPATH")
        self.assertEqual(os.readlink(at("lib/libswitchyard.so")), "libswitchyard.so.0")
        self.assertEqual(os.readlink(at("lib/libswitchyard.so.0")), f"libswitchyard.so.{version}")
        self.assertEqual(pkg_config("--modversion"), [version])

    def test_every_public_header_is_there_and_nothing_else(self):
        self.assertEqual(sorted(os.listdir(at("include/switchyard"))), public_headers())

    def test_exports_are_the_list(self):
        run("python3", os.path.join(ROOT, "scripts/symbols.py"), "--library",
            at("lib/libswitchyard.so"))
        run("python3", os.path.join(ROOT, "scripts/symbols.py"), "--library",
            at("lib/libswitchyard-sim.so"))

    def test_archive_defines_every_exported_symbol(self):
        shared = run("nm", "-D", "--defined-only", at("lib/libswitchyard.so"))
        wanted = set(re.findall(r"\b(sy_\w+)@", shared))
        defined = set(re.findall(r" T (sy_\w+)", run("nm", at("lib/libswitchyard.a"))))
        self.assertGreater(len(wanted), 100)
        self.assertEqual(wanted - defined, set())

    def test_no_file_names_the_build_tree(self):
        found = subprocess.run(["grep", "-rl", "-e", ROOT, "-e", WORK, TREE["prefix"]],
                               stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(found.stdout, "")

    def test_program_runs(self):
        self.assertIn(header_version(), run(at("bin/yard"), "version"))

    def test_completion_offers_commands_and_flags(self):
        out = run("bash", "-c", f"""
            PATH={at('bin')}:$PATH; source {at('share/bash-completion/completions/yard')}
            COMP_WORDS=(yard in); COMP_CWORD=1; _yard; echo "${{COMPREPLY[@]}}"
            COMP_WORDS=(yard probe --time); COMP_CWORD=2; _yard; echo "${{COMPREPLY[@]}}" """)
        self.assertEqual(out.split(), ["init", "--timeout"])


class Manual(TestCase):
    def test_each_function_has_a_page(self):
        names = re.findall(r"(sy_\w+);", read(os.path.join(ROOT, "cmake/switchyard.map")) +
                           read(os.path.join(ROOT, "cmake/switchyard-sim.map")))
        self.assertEqual([n for n in names if not os.path.exists(at("share/man/man3", n + ".3"))],
                         [])

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_pages_are_sound(self):
        pages = [at("share/man/man1/yard.1"), at("share/man/man1/yardspec.1")]
        pages += [at("share/man/man3", f"switchyard_{h[:-2]}.3") for h in public_headers()
                  if h.endswith(".h")]
        for page in pages:
            done = subprocess.run(["man", "--warnings", "-l", page], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, check=False,
                                  env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFOPT": "",
                                       "MANWIDTH": "100"})
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)
            self.assertIn("NAME", done.stdout, page)

    def test_page_of_yard_has_every_command(self):
        text = read(at("share/man/man1/yard.1")).replace("\\-", "-")
        commands = re.findall(r"^  ([a-z][a-z-]*) ", run(at("bin/yard"), "help"), re.M)
        self.assertIn("start", commands)
        for name in commands:
            if name != "help":
                self.assertRegex(text, rf'\.SS "yard {name}\b')


class Headers(TestCase):
    def test_each_alone_in_c(self):
        for header in public_headers():
            if header.endswith(".h"):
                source = write(os.path.join(scratch("alone"), "one.c"),
                               f"#include <switchyard/{header}>\nint main(void);\n"
                               "int main(void) {\n    return 0;\n}\n")
                for compiler in ("gcc", "clang"):
                    run(compiler, "-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror",
                        "-fsyntax-only", "-I" + at("include"), source)

    def test_all_in_cxx(self):
        lines = [f"#include <switchyard/{h}>" for h in public_headers() if h.endswith(".h")]
        lines += ["int main() {", "    sy_settings settings;",
                  "    sy_settings_default(&settings);",
                  "    const bool same = sy_version_number() == SY_VERSION_NUMBER;",
                  "    return same && settings.size > 0 ? 0 : 1;", "}"]
        folder = scratch("cxx")
        source = write(os.path.join(folder, "all.cc"), "\n".join(lines) + "\n")
        for compiler in ("g++", "clang++"):
            for standard in ("c++11", "c++20"):
                program = os.path.join(folder, "all")
                run(compiler, f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Werror", "-o",
                    program, source, *pkg_config("--cflags", "--libs"))
                run(program, env={"LD_LIBRARY_PATH": at("lib")})


class Readme(TestCase):
    def test_its_reactor_compiles_and_is_the_example(self):
        blocks = re.findall(r"```c\n(.*?)```", read(os.path.join(ROOT, "README.md")), re.S)
        self.assertEqual(len(blocks), 1)
        text = read(os.path.join(ROOT, "examples/count_reactor.c"))
        example = re.sub(r"\A(/\*.*?\*/\n)+", "", text, flags=re.S)
        self.assertEqual(blocks[0], example)


def build_with_make(compiler):
    out = scratch("pkg-config-" + compiler)
    run("make", "-C", os.path.join(ROOT, "examples"), f"OUT={out}", f"CC={compiler}",
        f"CFLAGS={STRICT}", env=pc_env())
    return out


def build_with_cmake(static):
    out = scratch("cmake-static" if static else "cmake-shared")
    run("cmake", "-S", os.path.join(ROOT, "examples"), "-B", out, "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={TREE['prefix']}", f"-DEXAMPLES_STATIC={'ON' if static else 'OFF'}")
    run("cmake", "--build", out, "-j", "2")
    return out


class ByPkgConfig(Examples, TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bin = build_with_make("gcc")
        cls.env = {"LD_LIBRARY_PATH": at("lib")}

    def test_all_programs_use_the_shared_library(self):
        for name in PROGRAMS:
            needed = run("readelf", "-d", os.path.join(self.bin, name))
            self.assertIn("libswitchyard.so.0", needed, name)


class QuietPeers(TestCase):
    """A peer that falls silent is dropped when the pong is overdue, also when nothing else happens:
    the driver must come back for stream_check_dry by itself.  A ping 6 s after the beginning, its
    pong overdue at 7 s, the next ping at 12 s: whoever has noticed before was not woken by it."""

    PINGS = ("settings.ping_interval = 6 * SY_SEC; settings.pong_timeout = 1 * SY_SEC; "
             "settings.linger_timeout = 1 * SY_SEC; ")
    NOTICED = 9.5  # half-way between the time-out and the next ping

    def build(self, name, *more):
        folder = scratch("quiet")
        text = read(os.path.join(ROOT, "examples", name + ".c"))
        self.assertEqual(text.count("sy_settings_default(&settings);"), 1)
        source = write(os.path.join(folder, name + ".c"), text.replace(
            "sy_settings_default(&settings);", "sy_settings_default(&settings);" + self.PINGS))
        out = os.path.join(folder, name)
        run("gcc", "-o", out, "-I" + os.path.join(ROOT, "examples"), source,
            *(os.path.join(ROOT, "examples", m) for m in more),
            *pkg_config("--cflags", "--libs"), "-lev", "-pthread")
        return out

    def start(self, path, *args):
        program = Program(path, *args, env={"LD_LIBRARY_PATH": at("lib")})
        self.addCleanup(program.kill)
        return program

    def test_libev(self):
        chat = self.build("chat")
        alice = self.start(chat, "alice", "127.0.0.1:0")
        bob = self.start(chat, "bob", "127.0.0.1:0", alice.address())
        begun = time.monotonic()
        bob.wait_for("* alice joined")
        alice.process.send_signal(signal.SIGSTOP)
        bob.wait_for("* alice left after 0 lines: pong timeout",
                     begun + self.NOTICED + 1.5 - time.monotonic())

    def test_epoll(self):
        parts = ("epoll_driver.c", "epoll_names.c", "epoll_workers.c", "count_reactor.c")
        client = self.build("embed_epoll", *parts)
        server = self.start(client, "127.0.0.1:0")
        begun = time.monotonic()
        guest = self.start(client, "127.0.0.1:0", server.address())
        guest.address()
        end = time.monotonic() + 10
        while "peers=1" not in guest.lines and time.monotonic() < end:
            guest.write("\n")
            time.sleep(0.05)
        server.process.send_signal(signal.SIGSTOP)
        # nothing may happen meanwhile, or that would wake it
        time.sleep(begun + self.NOTICED - time.monotonic())
        before = len(guest.lines)
        guest.write("\n")
        while len(guest.lines) == before and time.monotonic() < end + 40:
            time.sleep(0.01)
        self.assertEqual(guest.lines[-1], "peers=0")


class ByClang(TestCase):
    def test_it_compiles_all(self):
        out = build_with_make("clang")
        run(os.path.join(out, "two_switches"), env={"LD_LIBRARY_PATH": at("lib")})


class ByCMakeShared(TestCase):
    def test_it_builds_and_runs(self):
        out = build_with_cmake(static=False)
        self.assertEqual([n for n in PROGRAMS if not os.path.exists(os.path.join(out, n))], [])
        self.assertIn("libswitchyard.so.0", run("readelf", "-d", os.path.join(out, "chat")))
        run(os.path.join(out, "two_switches"))

    def test_another_minor_version_is_refused(self):
        folder = scratch("version")
        write(os.path.join(folder, "CMakeLists.txt"),
              "cmake_minimum_required(VERSION 3.16)\nproject(x C)\n"
              "find_package(Switchyard 0.2 REQUIRED)\n")
        said = run("cmake", "-S", folder, "-B", os.path.join(folder, "b"),
                   f"-DCMAKE_PREFIX_PATH={TREE['prefix']}", check=False)
        self.assertIn("compatible with requested", said)


class ByCMakeStatic(Examples, TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bin = build_with_cmake(static=True)
        cls.env = {}

    def test_no_program_needs_the_shared_library(self):
        for name in PROGRAMS:
            needed = run("readelf", "-d", os.path.join(self.bin, name))
            self.assertNotIn("libswitchyard", needed, name)


class FullyStatic(TestCase):
    def test_pkg_config_static_names_everything(self):
        out = os.path.join(scratch("static"), "two_switches")
        sources = [os.path.join(ROOT, "examples", n) for n in ("two_switches.c", "node.c")]
        run("gcc", "-static", "-o", out, *sources, *pkg_config("--static", "--cflags", "--libs"))
        self.assertIn("500 and 500", run(out))


if __name__ == "__main__":
    unittest.main(verbosity=2)
