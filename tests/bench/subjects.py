#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the subjects of the benchmark into build/bench/bin and says which are left out.

Ours is compiled against the libraries and the public headers of the release build.  The Go subjects
use the pinned modules of tests/interop, the Rust ones the lock files here.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INTEROP = HERE.parent / "interop"
sys.path.insert(0, str(INTEROP))
import build as interop_build  # noqa: E402

TOP = Path(os.environ.get("SY_BUILD_DIR") or ROOT / "build").resolve()
RELEASE = TOP / "release"
OUT = TOP / "bench"
JOBS = "2"
RUST_MIN = (1, 85)

CC_FLAGS = ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Wno-format-truncation",
            "-I%s" % (HERE / "common")]
COMMON = [HERE / "common" / "bench.c"]
OURS = ["ev", "p2p", "conn", "nodeinfo", "base"]
OUR_LIBS = ["-lsodium", "-lcrypto", "-ljansson", "-lcares", "-lev", "-lm", "-lpthread"]

# subject: (kind, folder, interop module or libraries)
SUBJECTS = {
    "switchyard": ("ours", "switchyard", None),
    "cometbft-v0.40.0": ("go", "cometbft", "cometbft-v0.40"),
    "cometbft-v0.38.26": ("go", "cometbft", "cometbft-v0.38"),
    "tendermint-v0.22.8": ("go", "tendermint", "tendermint-0.22"),
    "libp2p-rust": ("rust", "libp2p", None),
    "tendermint-rs": ("rust", "tendermint-rs", None),
    "zeromq-curve": ("c", "zeromq", ["-lzmq", "-lpthread"]),
    "tcp": ("c", "tcp", ["-lpthread"]),
}


class LeftOut(Exception):
    """A subject that cannot be built here, with the reason."""


def program(name):
    return OUT / "bin" / name


def run(cmd, cwd=None, env=None):
    done = subprocess.run([str(c) for c in cmd], cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise LeftOut("%s failed:\n%s" % (cmd[0], (done.stdout + done.stderr)[-2000:]))


def stamp(files, *words):
    digest = hashlib.sha256(" ".join(words).encode())
    for f in files:
        digest.update(f.name.encode() + f.read_bytes())
    return digest.hexdigest()


def fresh(name, value):
    """Whether this subject was built from these sources before; remembers it otherwise."""
    path = OUT / "stamps" / name
    if path.exists() and path.read_text() == value and program(name).exists():
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return False


def remember(name, value):
    (OUT / "stamps" / name).write_text(value)


def build_ours(name, folder, _):
    libs = [RELEASE / "lib" / ("libsy_%s.a" % lib) for lib in OURS]
    missing = [str(lib) for lib in libs if not lib.exists()]
    if missing:
        raise LeftOut("%s is missing; `make build` first" % missing[0])
    run(["cc"] + CC_FLAGS + ["-I%s" % (RELEASE / "include"), "-o", program(name),
                             HERE / folder / "subject.c"] + COMMON + libs + OUR_LIBS)


def build_frames():
    """The frame layer alone; sees internal headers."""
    run(["cc"] + CC_FLAGS + ["-I%s" % ROOT, "-I%s" % (RELEASE / "include"), "-o",
                             program("frames"), HERE / "frames" / "frames.c"]
        + [RELEASE / "lib" / ("libsy_%s.a" % lib) for lib in OURS[2:]] + OUR_LIBS)


def build_c(name, folder, libs):
    sources = [HERE / folder / "subject.c"] + COMMON
    value = stamp(sources + [HERE / "common" / "bench.h"])
    if not fresh(name, value):
        run(["cc"] + CC_FLAGS + ["-o", program(name)] + sources + libs)
        remember(name, value)


def build_go(name, folder, module):
    found = interop_build.find_go()
    if not found:
        raise LeftOut("needs Go %d.%d or newer" % interop_build.GO_MIN)
    go, version = found
    files = [INTEROP / module / f for f in ("go.mod", "go.sum", "tools.go")]
    files += sorted((HERE / "go" / "common").glob("*.go"))
    files += sorted((HERE / "go" / folder).glob("*.go"))
    value = stamp(files, version)
    if fresh(name, value):
        return
    src = OUT / "src" / name
    shutil.rmtree(src, ignore_errors=True)
    src.mkdir(parents=True)
    for f in files:
        shutil.copy(f, src / f.name)
    run([go, "build", "-p", JOBS, "-buildvcs=false", "-o", program(name), "."], cwd=src,
        env=dict(os.environ, GOWORK="off", CGO_ENABLED="0"))
    remember(name, value)


def build_rust(name, folder, _):
    cargo = shutil.which("cargo") or os.path.expanduser("~/.cargo/bin/cargo")
    try:
        text = subprocess.run([cargo, "--version"], capture_output=True, text=True).stdout
    except OSError:
        text = ""
    found = re.match(r"cargo (\d+)\.(\d+)", text)
    if not found or (int(found[1]), int(found[2])) < RUST_MIN:
        raise LeftOut("needs Rust %d.%d or newer" % RUST_MIN)
    files = [f for f in sorted((HERE / folder).rglob("*")) if f.is_file()]
    value = stamp(files, text)
    if fresh(name, value):
        return
    target = OUT / "cargo" / name
    run([cargo, "build", "--release", "--locked", "-j", JOBS, "--target-dir", target],
        cwd=HERE / folder)
    shutil.copy(target / "release" / "subject", program(name))
    remember(name, value)


BUILDERS = {"ours": build_ours, "go": build_go, "rust": build_rust, "c": build_c}


def build_all(names):
    """Returns the names that can run and {name: why not} for the others."""
    (OUT / "bin").mkdir(parents=True, exist_ok=True)
    left_out = {}
    for name in names:
        kind, folder, extra = SUBJECTS[name]
        try:
            BUILDERS[kind](name, folder, extra)
        except LeftOut as e:
            left_out[name] = str(e)
    return [n for n in names if n not in left_out], left_out


if __name__ == "__main__":
    usable, missing = build_all(sys.argv[1:] or list(SUBJECTS))
    for n in usable:
        print("%-20s %s" % (n, program(n)))
    for n, why in missing.items():
        print("%-20s left out: %s" % (n, why))
    sys.exit(0 if "switchyard" not in missing else 1)
