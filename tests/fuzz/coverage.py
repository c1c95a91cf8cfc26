#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Line coverage of our decoders by the committed inputs, with --finds also by what fuzzing kept:
builds the replay programs with clang's source-based coverage, runs them, prints one line per file.
Exit 1 when a file is below --floor."""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build", "fuzz-coverage")
OUT = os.path.join(ROOT, "out", "fuzz")
FLAGS = "-O1 -g -fprofile-instr-generate -fcoverage-mapping"

# What reads bytes of a remote or of a person.
DECODERS = """base/rd.c base/text.c base/log_format.c base/detail.c nodeinfo/node_info_amino.c
nodeinfo/node_info_proto.c nodeinfo/node_info_check.c nodeinfo/node_info.c nodeinfo/node_key_json.c
p2p/addr.c p2p/profile_recognize.c conn/packet.c conn/packet_amino.c conn/packet_proto.c
conn/mux_recv.c conn/secret_conn.c conn/suite.c conn/suite_secretbox.c conn/suite_cometbft.c
p2p/session_stream.c p2p/session_transport.c p2p/abci.c""".split()


def tool(name):
    return shutil.which(f"{name}-14") or shutil.which(name) or sys.exit(f"coverage.py: no {name}")


def build():
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", BUILD, "-DCMAKE_BUILD_TYPE=Debug",
                        "-DCMAKE_C_COMPILER=clang", "-DCMAKE_CXX_COMPILER=clang++",
                        f"-DCMAKE_C_FLAGS={FLAGS}", "-DSY_CHECKS=ON"],
                       check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["nice", "-n", "10", "cmake", "--build", BUILD, "--target", "fuzz_targets",
                    "-j2"], check=True, stdout=subprocess.DEVNULL)


def run_all(programs, finds):
    profiles = []
    for program in programs:
        name = os.path.basename(program)[5:]
        folders = [os.path.join(HERE, "corpus", name), os.path.join(HERE, "regression", name)]
        if finds:
            folders.append(os.path.join(OUT, name))
        profile = os.path.join(BUILD, name + ".profraw")
        subprocess.run([program] + [f for f in folders if os.path.isdir(f) and os.listdir(f)],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=dict(os.environ, LLVM_PROFILE_FILE=profile))
        profiles.append(profile)
    merged = os.path.join(BUILD, "merged.profdata")
    subprocess.run([tool("llvm-profdata"), "merge", "-sparse", "-o", merged] + profiles, check=True)
    return merged


def show_missing(common):
    run = subprocess.run([tool("llvm-cov"), "show"] + common, check=True, stdout=subprocess.PIPE,
                         text=True, errors="replace")
    name = ""
    for line in run.stdout.splitlines():
        if line.endswith(":") and line.startswith("/"):
            name = os.path.relpath(line[:-1], ROOT)
        elif name in DECODERS and "|      0|" in line:
            print(f"{name}:{line.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finds", action="store_true", help="also the inputs under out/fuzz")
    parser.add_argument("--floor", type=float, default=0.0, help="per cent")
    parser.add_argument("--missing", action="store_true", help="print the lines that never ran")
    args = parser.parse_args()
    build()
    programs = sorted(glob.glob(os.path.join(BUILD, "fuzz", "fuzz_*")))
    merged = run_all(programs, args.finds)
    # Our file names are written relative to the top.
    common = [f"-compilation-dir={ROOT}", f"-instr-profile={merged}", programs[0]]
    common += [o for p in programs[1:] for o in ("-object", p)]
    run = subprocess.run([tool("llvm-cov"), "export", "-summary-only"] + common, check=True,
                         stdout=subprocess.PIPE, text=True)
    low = []
    for entry in json.loads(run.stdout)["data"][0]["files"]:
        name = os.path.relpath(entry["filename"], ROOT)
        lines = entry["summary"]["lines"]
        if name in DECODERS:
            print("{:<34}{:>5} of {:>5} lines{:>8.1f} %".format(
                name, lines["covered"], lines["count"], lines["percent"]))
            if lines["percent"] < args.floor:
                low.append(name)
    if args.missing:
        show_missing(common)
    sys.exit(1 if low else 0)


if __name__ == "__main__":
    main()
