#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Line coverage of our decoders by the committed inputs, with --finds also by what fuzzing kept:
builds the replay programs with gcc's counters (preset coverage), runs them, prints one line per
file.  Exit 1 when a file is below --floor.

SY_UNREACHABLE(), which no input may reach, is not counted."""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build", "coverage")
OUT = os.path.join(ROOT, "out", "fuzz")

# What reads bytes of a remote or of a person.
DECODERS = """base/rd.c base/text.c base/log_format.c base/detail.c nodeinfo/node_info_amino.c
nodeinfo/node_info_proto.c nodeinfo/node_info_check.c nodeinfo/node_info.c nodeinfo/node_key_json.c
p2p/addr.c p2p/profile_recognize.c conn/packet.c conn/packet_amino.c conn/packet_proto.c
conn/mux_recv.c conn/secret_conn.c conn/suite.c conn/suite_secretbox.c conn/suite_cometbft.c
p2p/session_stream.c p2p/session_transport.c reactors/pex/pex_codec.c p2p/addr_book_read.c
p2p/addr_book_time.c p2p/bans.c p2p/filter.c p2p/abci.c p2p/abci_client.c
cmd/yard/config_toml.cc cmd/yard/config.c cmd/yard/value.c cmd/yard/node_settings.c""".split()


def build():
    subprocess.run(["cmake", "--preset", "coverage"], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["nice", "-n", "10", "cmake", "--build", BUILD, "--target", "fuzz_targets",
                    "-j2"], check=True, stdout=subprocess.DEVNULL)


def counters(end):
    return glob.glob(os.path.join(BUILD, "**", "*" + end), recursive=True)


def run_all(finds):
    for path in counters(".gcda"):
        os.unlink(path)
    for program in sorted(glob.glob(os.path.join(BUILD, "fuzz", "fuzz_*"))):
        name = os.path.basename(program)[5:]
        folders = [os.path.join(HERE, "corpus", name), os.path.join(HERE, "regression", name)]
        if finds:
            folders.append(os.path.join(finds, name))
        subprocess.run([program] + [f for f in folders if os.path.isdir(f) and os.listdir(f)],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def lines_of(source):
    """{line: how often it ran}"""
    tool = shutil.which("gcov") or sys.exit("coverage.py: no gcov")
    found = {}
    for path in counters(f"/{source}.gcda") or counters(f"/{os.path.basename(source)}.gcda"):
        run = subprocess.run([tool, "--json-format", "--stdout", path], cwd=BUILD, check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for entry in json.loads(run.stdout)["files"]:
            if not os.path.normpath(os.path.join(BUILD, entry["file"])).endswith("/" + source):
                continue
            for line in entry["lines"]:
                number = line["line_number"]
                found[number] = found.get(number, 0) + line["count"]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finds", nargs="?", const=OUT, metavar="FOLDER",
                        help="also the inputs in FOLDER/<target> (default out/fuzz)")
    parser.add_argument("--floor", type=float, default=0.0, help="per cent")
    parser.add_argument("--missing", action="store_true", help="print the lines that never ran")
    args = parser.parse_args()
    build()
    run_all(args.finds)
    low = []
    for source in DECODERS:
        with open(os.path.join(ROOT, source), encoding="utf-8") as f:
            text = f.read().splitlines()
        lines = {n: count for n, count in lines_of(source).items()
                 if text[n - 1].strip() != "SY_UNREACHABLE();"}
        ran = sum(count > 0 for count in lines.values())
        percent = 100.0 * ran / len(lines) if lines else 0.0
        print(f"{source:<34}{ran:>5} of {len(lines):>5} lines{percent:>8.1f} %")
        if percent < args.floor:
            low.append(source)
        if args.missing:
            for number in sorted(n for n, count in lines.items() if count == 0):
                print(f"    {number}: {text[number - 1].strip()}")
    if low:
        print(f"below {args.floor:g} %: {', '.join(low)}")
    sys.exit(1 if low else 0)


if __name__ == "__main__":
    main()
