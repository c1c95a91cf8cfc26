#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the tidy checks: each runs on a small tree that is right, and must pass, and on the same
tree with one planted violation, and must fail and name it."""

import os
import subprocess
import sys
import tempfile
import unittest

import keys

HERE = os.path.dirname(os.path.abspath(__file__))
SPDX = "SPDX-License-Identifier: " + "Apache-2.0"
C_HEAD = f"/* {SPDX} */\n"
CLAUSE = '<a id="XA-01"></a>**XA-01** [tendermint, plain] The receiver MUST refuse it (`BAD`).\n'
CODES = "| code | class | clauses |\n| --- | --- | --- |\n"

TREE = {
    "base/CMakeLists.txt": f"# {SPDX}\nsy_library(sy_base FOLDER base SOURCES a.c PUBLIC err.h\n"
                           "    LINKS PkgConfig::SODIUM)\n",
    "base/err.h": C_HEAD + "#include <stddef.h>\n",
    "base/err.def": C_HEAD + 'SY_ERR(BAD, -300, PEER, "bad")\n',
    "base/rd.h": C_HEAD + "#include <switchyard/err.h>\n",
    "base/a.c": C_HEAD + '#include "base/rd.h"\n#include <sodium.h>\n'
                "int sy_a(void) {\n    return 0;\n}\n",
    "conn/CMakeLists.txt": f"# {SPDX}\nsy_library(sy_conn FOLDER conn SOURCES c.c\n"
                           "    LINKS sy_base OpenSSL::Crypto)\n",
    "conn/c.c": C_HEAD + '#include "base/rd.h"\n#include <openssl/evp.h>\n/* SPEC XA-01 */\n'
                "static int twice(int x) {\n    return 2 * x;\n}\n",
    "conn/limits.h": C_HEAD + "#define SY_FRAME_MAX 1024 /* the wire; SPEC XA-01 */\n",
    "tests/unit/c_test.c": C_HEAD + '#include "conn/c.h"\n/* SPEC-TEST XA-01 */\n'
                           "Test(c, twice) {\n    free(0);\n}\n",
    "docs/spec/README.md": "# Spec\n\n| [a.md](a.md) | `XA-` | all |\n",
    "docs/spec/a.md": "# A page\n\n" + CLAUSE + "\nSee [above](#a-page).\n",
    "docs/spec/errors.md": "# Codes\n\n" + CODES + "| `BAD` | PEER | [XA-01](a.md#XA-01) |\n",
    "tests/tidy/clauses.allow": "# none\n",
    "cmd/yard/keys.def": C_HEAD + 'KEY(A, "p2p", "a", TEXT, "", "", 0, 0, USED,\n    "words")\n',
    "tests/data/config/real-v1.toml": f"# {SPDX}\n[p2p]\na = 1\n",
    "tests/cli/test_a.py": f"# {SPDX}\nclass A:\n    # KEY-" "TEST p2p.a\n"
                           "    def test_it(self):\n        pass\n",
    "docs/CONFIG.md": "# Keys\n\n" + keys.make_page({"p2p.a": "USED"}, {"p2p.a": ["v1"]},
                                                    {"p2p.a": ["cli/test_a.py: A.test_it"]}),
    "docs/tour.md": "# Tour\n\n<!-- conn/c.c -->\n```c\nstatic int twice(int x) {\n"
                    "    return 2 * x;\n}\n```\n",
}


def lines(count, body="    x++;\n"):
    return body * count


# (check, what is planted, {path: text to append, or ("=", text to replace it by)}, must say)
PLANTED = [
    ("clauses.py", "unknown anchor in code", {"conn/c.c": "/* SPEC XA-77 */\n"}, "no clause XA-77"),
    ("clauses.py", "unknown anchor, second in a list",
     {"conn/c.c": "/* SPEC XA-01, XA-78 */\n"}, "no clause XA-78"),
    ("clauses.py", "unknown anchor on a continued line",
     {"conn/c.c": "/* SPEC XA-01,\n * XA-79 */\n"}, "no clause XA-79"),
    ("clauses.py", "unknown anchor in a test",
     {"tests/unit/c_test.c": "/* SPEC-TEST XA-76 */\n"}, "no clause XA-76"),
    ("clauses.py", "clause twice", {"docs/spec/a.md": "\n" + CLAUSE}, "XA-01: already at"),
    ("clauses.py", "clause without code and test",
     {"docs/spec/a.md": "\n" + CLAUSE.replace("XA-01", "XA-02")}, "XA-02 without code"),
    ("clauses.py", "clause without test only",
     {"tests/unit/c_test.c": ("=", C_HEAD + "/* SPEC XA-01 */\n")}, "XA-01 without test"),
    ("clauses.py", "listed clause is covered",
     {"tests/tidy/clauses.allow": "XA-01 test later\n"}, "XA-01 has test by now"),
    ("clauses.py", "listed clause does not exist",
     {"tests/tidy/clauses.allow": "XA-09 both later\n"}, "no clause XA-09"),
    ("clauses.py", "listed without a reason",
     {"tests/tidy/clauses.allow": "XA-01 both\n"}, "and a reason"),
    ("clauses.py", "unknown profile",
     {"docs/spec/a.md": ("=", CLAUSE.replace("plain", "plan"))}, "unknown profile"),
    ("clauses.py", "no keyword",
     {"docs/spec/a.md": ("=", CLAUSE.replace("MUST refuse", "refuses"))}, "no MUST"),
    ("clauses.py", "malformed clause",
     {"docs/spec/a.md": '\n<a id="XA-03"></a>**XA-04** [all] It MUST.\n'}, "well-formed"),
    ("clauses.py", "prefix on the wrong page",
     {"docs/spec/errors.md": ("=", CLAUSE.replace("XA-01", "XA-05") + "\n" + CODES)},
     "puts XA- on a.md"),
    ("clauses.py", "code not in the table of errors",
     {"docs/spec/a.md": ("=", CLAUSE.replace("BAD", "WORSE"))}, "WORSE is not in base/err.def"),
    ("clauses.py", "table of codes not current",
     {"base/err.def": 'SY_ERR(NEW, -301, PEER, "new")\n'}, "table of codes is not current"),
    ("clauses.py", "SPEC-TEST outside tests",
     {"conn/c.c": "/* SPEC-TEST XA-01 */\n"}, "outside tests/"),

    ("includes.py", "include upwards", {"base/a.c": '#include "conn/limits.h"\n'},
     "base may not include conn"),
    ("includes.py", "include of a neighbour",
     {"nodeinfo/n.c": C_HEAD + '#include "conn/limits.h"\n'}, "nodeinfo may not include conn"),
    ("includes.py", "reactor includes another reactor",
     {"reactors/x/x.c": C_HEAD + '#include "reactors/y/y.h"\n', "reactors/y/y.h": C_HEAD},
     "reactors/x may not include reactors/y"),
    ("includes.py", "core includes the driver",
     {"p2p/s.c": C_HEAD + '#include "p2p/ev/d.h"\n', "p2p/ev/d.h": C_HEAD},
     "p2p may not include p2p/ev"),
    ("includes.py", "external header of another folder",
     {"base/a.c": "#include <openssl/evp.h>\n"}, "base may not include <openssl/evp.h>"),
    ("includes.py", "system header in a core",
     {"conn/c.c": "#include <sys/socket.h>\n"}, "conn may not include <sys/socket.h>"),
    ("includes.py", "clock header in a core",
     {"base/a.c": "#include <time.h>\n"}, "base may not include <time.h>"),
    ("includes.py", "private header as a public one",
     {"conn/c.c": "#include <switchyard/rd.h>\n"}, "no folder lists rd.h"),
    ("includes.py", "public header by its path",
     {"conn/c.c": '#include "base/err.h"\n'}, "include <switchyard/err.h>"),
    ("includes.py", "public header includes a private one",
     {"base/err.h": '#include "base/rd.h"\n'}, "public header includes the private"),
    ("includes.py", "public header includes an external one",
     {"base/err.h": "#include <sodium.h>\n"}, "public header includes <sodium.h>"),
    ("includes.py", "path relative to the file",
     {"conn/c.c": '#include "limits.h"\n'}, 'write "conn/limits.h"'),
    ("includes.py", "core includes a test header",
     {"conn/c.c": '#include "tests/support/t.h"\n', "tests/support/t.h": C_HEAD},
     "conn may not include"),
    ("includes.py", "link upwards",
     {"base/CMakeLists.txt": "sy_library(sy_b FOLDER base SOURCES b.c LINKS sy_conn)\n"},
     "base may not link sy_conn"),
    ("includes.py", "link of another folder's library",
     {"conn/CMakeLists.txt": "sy_library(sy_d FOLDER conn SOURCES d.c LINKS PkgConfig::JANSSON)\n"},
     "conn may not link PkgConfig::JANSSON"),

    ("style.py", "no licence line", {"conn/n.c": "int x;\n"}, "no line 'SPDX"),
    ("style.py", "no licence line in a script", {"tests/run": "#!/bin/sh\n"}, "no line 'SPDX"),
    ("style.py", "long line", {"conn/c.c": "/*" + "x" * 97 + "*/\n"}, "101 columns"),
    ("style.py", "tab", {"conn/c.c": "\tint t;\n"}, "a tab"),
    ("style.py", "space at the end", {"conn/c.c": "int t; \n"}, "space at the end"),
    ("style.py", "line comment", {"conn/c.c": "int t; // t\n"}, "a // comment"),
    ("style.py", "banned call", {"conn/c.c": "void f(void) {\n    strcpy (a, b);\n}\n"}, "strcpy"),
    ("style.py", "banned call in a test",
     {"tests/unit/c_test.c": "int r(void) {\n    return rand();\n}\n"}, "rand"),
    ("style.py", "allocation in a core",
     {"conn/c.c": "void f(void) {\n    g(malloc(1));\n}\n"}, "malloc: memory"),
    ("style.py", "leftover", {"conn/c.c": "/* TO" + "DO */\n"}, "says TO" + "DO"),
    ("style.py", "leftover in a document", {"docs/spec/a.md": "FIX" + "ME\n"}, "says FIX"),
    ("style.py", "path outside", {"docs/spec/a.md": "see .." + "/shared/x\n"}, "points outside"),
    ("style.py", "machine's path", {"conn/c.c": "/* /tmp" + "/wt/x */\n"}, "points outside"),
    ("style.py", "link to no page", {"docs/spec/a.md": "[x](b.md)\n"}, "is no docs/spec/b.md"),
    ("style.py", "link to no anchor", {"docs/spec/a.md": "[x](#XA-99)\n"}, "no anchor XA-99"),
    ("style.py", "link out of the tree", {"docs/spec/a.md": "[x](../../../b)\n"}, "leaves the"),
    ("style.py", "long function",
     {"conn/c.c": "static int f(int x) {\n" + lines(59) + "}\n"}, "function f of 61 lines"),
    ("style.py", "long test",
     {"tests/unit/c_test.c": "Test(m, t) {\n" + lines(59) + "}\n"}, "Test(m,t) of 61 lines"),
    ("style.py", "long file", {"conn/l.c": C_HEAD + lines(600, "\n")}, "a file of 601 lines"),
    ("style.py", "listed function has grown",
     {"conn/c.c": "static int f(int x) {\n" + lines(63) + "}\n",
      "tests/tidy/sizes.allow": "conn/c.c:f 64 one table\n"}, "grown from 64 to 65"),
    ("style.py", "listed function is short",
     {"tests/tidy/sizes.allow": "conn/c.c:twice 64 one table\n"}, "take it off"),
    ("style.py", "listed function does not exist",
     {"tests/tidy/sizes.allow": "conn/c.c:g 64 one table\n"}, "does not exist"),

    ("snippets.py", "code that is not in the file",
     {"docs/tour.md": "\n<!-- conn/c.c -->\n```c\nreturn 3;\n```\n"}, "do not stand in conn/c.c"),
    ("snippets.py", "the right code in the wrong order",
     {"docs/tour.md": "\n<!-- conn/c.c -->\n```c\n/* SPEC XA-01 */\n```\n"}, "not behind those"),
    ("snippets.py", "code of no file",
     {"docs/tour.md": "\n```c\nint x;\n```\n"}, "C that is from no file"),
    ("snippets.py", "a file that does not exist",
     {"docs/tour.md": "\n<!-- conn/gone.c -->\n```c\nint x;\n```\n"}, "there is no conn/gone.c"),
    ("snippets.py", "less than all of a file",
     {"docs/tour.md": "\n<!-- conn/c.c: all of it -->\n"}, "does not show this line"),
    ("security.py", "a test that does not exist",
     {"docs/security.md": "| a | `unit c.gone` |\n"}, "no test unit c.gone"),
    ("security.py", "a row without a test",
     {"docs/security.md": "| what | tests |\n| --- | --- |\n| a | |\n"}, ":3: a row without"),
    ("security.py", "a test of another layer",
     {"docs/security.md": "| a | `cli c_test.t` |\n", "tests/unit/c_test.c": "Test(c_test, t) {\n"},
     "no test cli c_test.t"),
    ("keys.py", "key without a test",
     {"cmd/yard/keys.def": 'KEY(B, "", "b", BOOL, "", "", 0, 0, USED, "w")\n'},
     "b has an effect and no test shows it"),
    ("keys.py", "unknown key in a test",
     {"tests/unit/c_test.c": "/* KEY-" "TEST p2p.x */\nTest(c, x) {\n}\n"},
     "KEY-" "TEST p2p.x: there is no such key"),
    ("keys.py", "marker without a test", {"tests/cli/test_a.py": "# KEY-" "TEST p2p.a\n"},
     "without a test below it"),
    ("keys.py", "key of a real file", {"tests/data/config/real-v1.toml": "b = 1\n"},
     "lacks p2p.b, which a real file has"),
    ("keys.py", "page not current", {"docs/CONFIG.md": "more\n"}, "is not current"),
    ("limits.py", "limit without a reason",
     {"conn/limits.h": "#define SY_OTHER_MAX 5\n"}, "SY_OTHER_MAX has no reason"),
    ("limits.py", "page not current",
     {"conn/limits.h": "#define SY_OTHER_MAX 5 /* why */\n"}, "is not current"),
    ("limits.py", "limit twice",
     {"base/limits.h": C_HEAD + "#define SY_FRAME_MAX 7 /* why */\n"}, "defined at"),
]

# Right things that look like violations.
HARMLESS = [
    ("style.py", {"conn/c.c": 'const char *u = "http://x"; /* http://y */\n'}),
    ("style.py", {"conn/c.c": "void f(struct m *m) {\n    m->free(m);\n    m->a.malloc(1);\n}\n"}),
    ("style.py", {"conn/c.c": 'const char *s = "strcpy(a)"; /* strcpy(b) */\n'}),
    ("style.py", {"conn/c.c": "static int f(int x) {\n" + lines(58) + "}\n"}),
    ("style.py", {"conn/c.c": "static const int t[] = {\n" + lines(80, "    1,\n") + "};\n"}),
    ("style.py", {"base/mem.c": C_HEAD + "void *f(void) {\n    return malloc(1);\n}\n"}),
    ("includes.py", {"conn/c.c": "/* #include <time.h> */\n"}),
    ("includes.py", {"p2p/s.c": C_HEAD + "#include <arpa/inet.h>\n"}),
    ("includes.py", {"cmd/yard/y.c": C_HEAD + "#include <time.h>\n#include <switchyard/err.h>\n"}),
    ("security.py", {"docs/security.md": "| what | test |\n| --- | --- |\n| a | `unit m.t` |\n"
                                         "| b | not yet: why | |\n| c | `hostile h.test_x` |\n"
                                         "| d | `sim s.one` `yardspec cb-a` `fuzz f` |\n",
                     "tests/unit/m_test.c": C_HEAD + "Test(m, t) {\n}\n",
                     "tests/hostile/test_h.py": "class H:\n    def test_x(self):\n",
                     "tests/sim/scenario_s.c": C_HEAD + '    {"one", one, 6},\n',
                     "cmd/yardspec/group_g.c": C_HEAD + '    BAD("a", 1),\n',
                     "tests/fuzz/corpus/f/1": ""}),
    ("clauses.py", {"docs/spec/a.md": '\n    <a id="XX-01"></a>**XX-01** [x] an example\n'}),
    ("clauses.py", {"docs/spec/a.md": "\n" + CLAUSE.replace("XA-01", "XA-02"),
                    "docs/spec/errors.md": ("=", "# C\n\n" + CODES + "| `BAD` | PEER | "
                                            "[XA-01](a.md#XA-01), [XA-02](a.md#XA-02) |\n"),
                    "tests/tidy/clauses.allow": "XA-02 both later\n"}),
]

# Objects for symbols.py: (archive, C source, text of the finding or None)
OBJECTS = [
    ("libsy_conn.a", "#include <string.h>\nint sy_f(void *a, void *b, unsigned long n) "
                     "{ return memcmp(a, b, n); }", None),
    ("libsy_conn.a", "#include <time.h>\nlong sy_f(void) { return (long)time(0); }",
     "time: a clock"),
    ("libsy_conn.a", "#include <stdlib.h>\nint sy_f(void) { return rand(); }", "rand: a random"),
    ("libsy_conn.a", "#include <unistd.h>\nlong sy_f(char *b) { return read(0, b, 1); }",
     "read: a file"),
    ("libsy_conn.a", "#include <sys/socket.h>\nint sy_f(void) { return socket(1, 1, 0); }",
     "socket: a socket"),
    ("libsy_conn.a", "#include <stdio.h>\nint sy_f(int n) { return printf(\"%d\", n); }", "printf"),
    ("libsy_conn.a", "#include <stdlib.h>\nvoid *sy_f(void) { return malloc(9); }",
     "malloc: memory beside sy_mem"),
    ("libsy_conn.a", "void randombytes_buf(void *, unsigned long);\n"
                     "void sy_f(void *b) { randombytes_buf(b, 8); }", "randombytes_buf: a random"),
    ("libsy_conn.a", "int crypto_sign_keypair(void *, void *);\n"
                     "int sy_f(void *b) { return crypto_sign_keypair(b, b); }",
     "crypto_sign_keypair: a random"),
    ("libsy_base.a", "int json_loads(void *);\nint sy_f(void *b) { return json_loads(b); }",
     "json_loads: not on the allow-list"),
    ("libsy_nodeinfo.a", "int json_loads(void *);\nint json_object(void);\n"
                         "int sy_f(void *b) { return json_loads(b) + json_object(); }", None),
    ("libsy_nodeinfo.a", "int json_load_file(void *);\n"
                         "int sy_f(void *b) { return json_load_file(b); }",
     "json_load_file: a file"),
    ("libsy_p2p_ev.a", "#include <time.h>\nlong sy_f(void) { return (long)time(0); }", None),
]


def plant(folder, tree, changes):
    merged = dict(tree)
    for path, text in changes.items():
        merged[path] = text[1] if isinstance(text, tuple) else merged.get(path, "") + text
    for path, text in merged.items():
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)


def run(check, folder, *args):
    result = subprocess.run([sys.executable, os.path.join(HERE, check), "--root", folder, *args],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                            text=True)
    return result.returncode, result.stdout


class TreeTest(unittest.TestCase):
    def tree(self, changes):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        plant(temporary.name, TREE, changes)
        code, out = 0, ""
        if "conn/limits.h" not in changes and "base/limits.h" not in changes:
            code, out = run("limits.py", temporary.name, "--write")
        else:
            with open(os.path.join(temporary.name, "docs/LIMITS.md"), "w", encoding="utf-8") as f:
                f.write("old\n")
        self.assertEqual(code, 0, out)
        return temporary.name

    def test_clean_tree_passes(self):
        folder = self.tree({})
        for check in ("clauses.py", "includes.py", "style.py", "limits.py", "keys.py",
                      "snippets.py"):
            code, out = run(check, folder)
            self.assertEqual(code, 0, f"{check} on the clean tree:\n{out}")

    def test_planted_violations_are_found(self):
        for check, what, changes, must_say in PLANTED:
            with self.subTest(check=check, planted=what):
                code, out = run(check, self.tree(changes))
                self.assertEqual(code, 1, out)
                self.assertIn(must_say, out)

    def test_harmless_things_pass(self):
        for check, changes in HARMLESS:
            with self.subTest(check=check, changes=list(changes)):
                code, out = run(check, self.tree(changes))
                self.assertEqual(code, 0, out)

    def test_shrink_takes_covered_clauses_off(self):
        folder = self.tree({"tests/tidy/clauses.allow": "XA-01 both later\n"})
        code, out = run("clauses.py", folder, "--shrink")
        self.assertEqual(code, 0, out)
        with open(os.path.join(folder, "tests/tidy/clauses.allow"), encoding="utf-8") as f:
            self.assertNotIn("XA-01", f.read())


class SymbolsTest(unittest.TestCase):
    def test_archives(self):
        for archive, source, must_say in OBJECTS:
            with self.subTest(archive=archive, source=source), \
                    tempfile.TemporaryDirectory() as folder:
                path = self.build(folder, archive, source)
                code, out = run("symbols.py", folder, path)
                self.assertEqual(code, 0 if must_say is None else 1, out)
                self.assertIn(must_say or "ok", out)

    def test_no_archive_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(run("symbols.py", folder)[0], 1)

    def build(self, folder, archive, source):
        c_file, o_file = os.path.join(folder, "f.c"), os.path.join(folder, "f.c.o")
        with open(c_file, "w", encoding="utf-8") as f:
            f.write(source + "\n")
        subprocess.run(["cc", "-w", "-fno-builtin", "-c", c_file, "-o", o_file], check=True)
        path = os.path.join(folder, archive)
        subprocess.run(["ar", "rc", path, o_file], check=True)
        return path


class FormatTest(unittest.TestCase):
    def test_format(self):
        with tempfile.TemporaryDirectory() as folder:
            plant(folder, {}, {".clang-format": "BasedOnStyle: LLVM\n", "a.c": "int  x;\n"})
            code, out = run("format.py", folder)
            if "skipped" in out:
                self.skipTest(out.strip())
            self.assertEqual(code, 1, out)
            self.assertIn("a.c:1", out)
            plant(folder, {}, {"a.c": "int x;\n"})
            code, out = run("format.py", folder)
            self.assertEqual(code, 0, out)


if __name__ == "__main__":
    unittest.main()
