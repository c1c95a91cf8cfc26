#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the real peers that the interop tests talk to.

    build.py [NAME ...]     build the named peers (default: all that the tests need)
    build.py --all          build also those that no test needs yet
    build.py --list         say what there is

Each folder with a go.mod pins one release.  Its go.mod, its go.sum and our own sources from peer/
are put together in the build folder and compiled there, so nothing of a release is kept in this
repository.  A second run with nothing changed takes well under a second.

Exit status: 0 built, 1 a build failed (or no Go, with CI set), 77 no usable Go.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
GO_MIN = (1, 23)
JOBS = 2

TM = "github.com/tendermint/tendermint"
CMT = "github.com/cometbft/cometbft"

# name, p2p program (folder of peer/ and output), ABCI application (folder of abci/ and output),
# complete node (package and output), default
PEERS = {
    "tendermint-0.22": dict(peer=("tendermint", "tmpeer-0.22"), app=("v022", "abciapp-0.22"),
                            node=(TM + "/cmd/tendermint", "tendermint-0.22"), patch_copy=True),
    "cometbft-v0.38": dict(peer=("cometbft", "cmtpeer-v0.38"), app=("v038", "abciapp-v0.38"),
                           node=(CMT + "/cmd/cometbft", "cometbft-v0.38")),
    "cometbft-v1.0": dict(peer=("cometbft", "cmtpeer-v1.0"), app=("v1", "abciapp-v1.0"),
                          node=(CMT + "/cmd/cometbft", "cometbft-v1.0")),
    "cometbft-v0.40": dict(peer=("cometbft", "cmtpeer-v0.40"),
                           node=(CMT + "/cmd/cometbft", "cometbft-v0.40")),
    "cometbft-v0.37": dict(node=(CMT + "/cmd/cometbft", "cometbft-v0.37"), later=True),
    "cometbft-v0.34": dict(app=("v034", "abciapp-v0.34"),
                           node=(TM + "/cmd/cometbft", "cometbft-v0.34")),
}

REMEDY = """interop: no Go %d.%d or newer was found, so no real peer can be built.
interop: remedy: install one (Debian 12 itself has only 1.19; take a newer one from its backports or
interop: unpack the Go project's own archive to /usr/local/go) and put its bin folder on PATH, or
interop: name the program in the variable GO.""" % GO_MIN


def build_dir():
    """The folder of all outputs: $SY_BUILD_DIR/interop, else build/interop of the repository."""
    top = os.environ.get("SY_BUILD_DIR")
    return (Path(top).resolve() if top else HERE.parent.parent / "build") / "interop"


def go_candidates():
    if os.environ.get("GO"):
        yield os.environ["GO"]
    if shutil.which("go"):
        yield shutil.which("go")
    yield "/usr/local/go/bin/go"
    yield from map(str, sorted(Path("/usr/lib").glob("go-1.*/bin/go"), reverse=True))


def find_go():
    """The first Go that is new enough, with its version; None when there is none."""
    for path in go_candidates():
        try:
            text = subprocess.run([path, "env", "GOVERSION"], capture_output=True, text=True,
                                  timeout=60, check=True, cwd="/").stdout.strip()
        except (OSError, subprocess.SubprocessError):
            continue
        m = re.match(r"go(\d+)\.(\d+)", text)
        if m and (int(m[1]), int(m[2])) >= GO_MIN:
            return path, text
    return None


def sources(name, kind):
    """The files that make up one program (peer or app), in the order in which they are hashed."""
    spec = PEERS[name]
    files = [HERE / name / f for f in ("go.mod", "go.sum", "tools.go")]
    folder = HERE / {"peer": "peer", "app": "abci"}.get(kind, "")
    if kind in spec and kind != "node":
        files += sorted((folder / "common").glob("*.go"))
        files += sorted((folder / spec[kind][0]).glob("*.go"))
    return files


def outputs(name):
    spec = PEERS[name]
    return [build_dir() / "bin" / spec[k][1] for k in ("peer", "app", "node") if k in spec]


def release(name):
    """The pinned release as go.mod has it; a replacement wins over what it replaces."""
    text = (HERE / name / "go.mod").read_text()
    module = "(?:%s|%s)" % (re.escape(TM), re.escape(CMT))
    m = re.search(r"^replace \S+ => \S+ (v\S+)", text, re.M) \
        or re.search(r"^\s*(?:require )?%s (v\S+)" % module, text, re.M)
    return m[1]


def stamp_of(name, go_version):
    h = hashlib.sha256(go_version.encode())
    for f in [Path(__file__)] + sources(name, "peer") + sources(name, "app"):
        h.update(f.name.encode() + b"\0" + f.read_bytes() + b"\0")
    return h.hexdigest()


def run(cmd, cwd):
    env = dict(os.environ, GOWORK="off", CGO_ENABLED="0")
    subprocess.run(cmd, cwd=cwd, env=env, check=True, stdout=sys.stderr)


def assemble(name, folder, kind="node"):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for f in sources(name, kind):
        shutil.copy(f, folder / f.name)


def patch_copy(folder):
    """v0.22.8 expects that a stored empty validator set comes back empty; the amino that can still
    be had gives nil, and ValidatorSet.Copy would panic at the first start."""
    path = folder / "vendor" / TM / "types" / "validator_set.go"
    head = "func (valSet *ValidatorSet) Copy() *ValidatorSet {\n"
    text = path.read_text()
    if text.count(head) != 1:
        raise SystemExit("interop: %s is not the file that this recipe knows" % path)
    guard = "\tif valSet == nil {\n\t\tvalSet = NewValidatorSet(nil)\n\t}\n"
    path.write_text(text.replace(head, head + guard))


def build(name, go):
    spec, top = PEERS[name], build_dir()
    base = [go, "build", "-p", str(JOBS), "-buildvcs=false"]
    (top / "bin").mkdir(parents=True, exist_ok=True)
    for kind in ("peer", "app"):
        if kind in spec:
            folder = top / "src" / ("%s-%s" % (name, kind))
            assemble(name, folder, kind)
            run(base + ["-o", str(top / "bin" / spec[kind][1]), "."], folder)
    folder = top / "src" / name
    assemble(name, folder)
    package, out = spec["node"]
    if spec.get("patch_copy"):
        folder = top / "src" / (name + "-node")
        assemble(name, folder)
        run([go, "mod", "vendor"], folder)
        patch_copy(folder)
        base.append("-mod=vendor")
    run(base + ["-o", str(top / "bin" / out), package], folder)


def ensure(name, go, go_version):
    """Builds one peer unless its stamp says that it is there already."""
    stamp_file = build_dir() / "stamps" / name
    stamp = stamp_of(name, go_version)
    fresh = stamp_file.exists() and stamp_file.read_text() == stamp \
        and all(o.exists() for o in outputs(name))
    started = time.monotonic()
    if not fresh:
        stamp_file.unlink(missing_ok=True)
        build(name, go)
        stamp_file.parent.mkdir(parents=True, exist_ok=True)
        stamp_file.write_text(stamp)
    note = "up to date" if fresh else "built in %.0f s" % (time.monotonic() - started)
    programs = " ".join(o.name for o in outputs(name))
    print("%-16s %-9s %-12s %s" % (name, release(name), note, programs), flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("names", nargs="*", metavar="NAME")
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--list", action="store_true")
    args = ap.parse_args()
    unknown = [n for n in args.names if n not in PEERS]
    if unknown:
        ap.error("unknown peer %s; there are: %s" % (unknown[0], " ".join(PEERS)))
    if args.list:
        for name in PEERS:
            print("%-16s %-9s %s" % (name, release(name), " ".join(o.name for o in outputs(name))))
        return 0

    found = find_go()
    if not found:
        print(REMEDY, file=sys.stderr)
        return 1 if os.environ.get("CI") else 77
    names = args.names or [n for n in PEERS if args.all or not PEERS[n].get("later")]
    print("go %s (%s)" % (found[1], found[0]), flush=True)
    for name in names:
        try:
            ensure(name, *found)
        except subprocess.CalledProcessError as e:
            print("interop: building %s failed: %s" % (name, " ".join(map(str, e.cmd))),
                  file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
