# SPDX-License-Identifier: Apache-2.0
"""Twenty nodes that know one seed: they reach their outbound targets, the seed keeps its limits,
all outlive it, and one that starts again without it begins with its anchors."""
import json
import os
import re
import socket
import threading
import time

from harness import Node, YardTest

NODES = 20
TARGET = 5          # outbound peers of each
INBOUND = 10        # so that nobody has all others as peers before it has dialed enough of them
SEED_IN, SEED_PENDING, SEED_OUT = 6, 4, 3
REACH_S = 50
LOITERERS, SILENT = 8, 40
PRIVATE = ("--p2p.addr_book_strict", "false", "--p2p.allow_duplicate_ip", "true")
PEER = re.compile(r"event=peer_(added|removed) \S+ id=([0-9a-f]{40}) addr=(\S+) direction=(in|out)")


def sockets(pid, port):
    """(inbound, outbound) TCP connections that a process has open, as the system counts them."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    inbound = outbound = 0
    with open("/proc/net/tcp", encoding="ascii") as table:
        for row in map(str.split, table.readlines()[1:]):
            if row[9] in inodes and row[3] != "0A":  # 0A: listens
                if int(row[1].split(":")[1], 16) == port:
                    inbound += 1
                else:
                    outbound += 1
    return inbound, outbound


class Sampler(threading.Thread):
    """The most connections that a process has at any of many instants."""

    def __init__(self, pid, port):
        super().__init__(daemon=True)
        self.pid, self.port, self.most, self.samples = pid, port, (0, 0), 0
        self.over = False
        self.start()

    def run(self):
        while not self.over:
            try:
                now = sockets(self.pid, self.port)
            except OSError:
                return
            self.most = tuple(map(max, self.most, now))
            self.samples += 1
            time.sleep(0.005)

    def finish(self):
        self.over = True
        self.join()
        return self.most


def most_peers(log, direction):
    """The most peers of a direction at once, by the log."""
    now = most = 0
    for kind, _, _, where in PEER.findall(log):
        if where == direction:
            now += 1 if kind == "added" else -1
            most = max(most, now)
    return most


class Discovery20(YardTest):
    def outbound(self, node, but=()):
        """ID -> address of the outbound peers that it has now, without some."""
        have = {}
        for kind, peer_id, addr, where in PEER.findall(node.log()):
            if where == "out" and peer_id not in but:
                if kind == "added":
                    have[peer_id] = addr
                else:
                    have.pop(peer_id, None)
        return have

    def start(self, name, seed, **kw):
        return self.node("--p2p.seeds", seed.full, "--p2p.max_num_outbound_peers", TARGET,
                         "--p2p.max_num_inbound_peers", INBOUND, *PRIVATE, name=name, **kw)

    def wait_targets(self, nodes, seed, seconds):
        deadline = time.monotonic() + seconds
        while True:
            counts = [len(self.outbound(n, but=(seed.id,))) for n in nodes]
            if min(counts) >= TARGET:
                return
            if time.monotonic() > deadline:
                late = nodes[counts.index(min(counts))]
                self.fail(f"outbound peers after {seconds} s: {counts}; {late.home.name}:\n"
                          f"{late.log()}")
            time.sleep(0.2)

    # SPEC-TEST PEX-23 PEX-28
    def test_twenty_nodes_one_seed(self):
        home = self.dir / "seed"
        home.mkdir()
        seed = Node(self, home, "--chain-id", "cli-net", "--crawl_period", "1s",
                    "--p2p.max_num_inbound_peers", SEED_IN, "--pending_handshakes", SEED_PENDING,
                    "--p2p.max_num_outbound_peers", SEED_OUT, "--crawl_parallel", SEED_OUT,
                    *PRIVATE, command="seed")
        sampler = Sampler(seed.child.pid, int(seed.addr.rsplit(":", 1)[1]))
        started = time.monotonic()
        nodes = [self.start(f"n{i}", seed) for i in range(NODES)]
        self.wait_targets(nodes, seed, REACH_S)
        took = time.monotonic() - started

        self.crowd(seed, sampler)

        inbound, outbound = sampler.finish()
        log = seed.log()
        print(f"targets after {took:.1f} s; the seed had at most {inbound} + {outbound} "
              f"connections in {sampler.samples} samples, {most_peers(log, 'in')} + "
              f"{most_peers(log, 'out')} peers", flush=True)
        self.assertGreater(sampler.samples, 20)
        self.assertEqual(most_peers(log, "in"), SEED_IN)
        self.assertLessEqual(most_peers(log, "out"), SEED_OUT)
        self.assertGreater(inbound, SEED_IN, "nobody crowded it")
        self.assertLessEqual(inbound, SEED_IN + SEED_PENDING)
        self.assertLessEqual(outbound, SEED_OUT)
        for node in nodes:
            self.assertLessEqual(len(self.outbound(node, but=(seed.id,))), TARGET, node.home)
            self.assertLessEqual(most_peers(node.log(), "in"), INBOUND, node.home)

        seed.kill()
        self.check_restart(nodes, seed)
        for node in nodes:
            self.assertIsNone(node.child.poll(), node.log()[-2000:])
        self.wait_targets(nodes, seed, 30)
        for node in nodes:
            self.assertEqual(node.stop(), 0)
            self.assertNotRegex(node.log(), "REACTOR_CAUSE|fault=remote")

    def crowd(self, seed, sampler):
        """More peers that ask nothing than the seed takes, and connections that say nothing."""
        for i in range(LOITERERS):
            self.node("--p2p.persistent_peers", seed.full, "--echo_channels", "[0]", *PRIVATE,
                      name=f"loiterer{i}")
        seed.wait_log("event=connection_refused .*reason=ADMIT_FULL", LOITERERS - SEED_IN)
        host, port = seed.addr.rsplit(":", 1)
        for _ in range(SILENT):
            self.addCleanup(socket.create_connection((host, int(port)), 10).close)
        before = sampler.samples
        while sampler.samples < before + 20:
            time.sleep(0.01)

    def check_restart(self, nodes, seed):
        """With the seed dead and the book gone, the anchors alone bring a node back."""
        first = nodes[0]
        had = self.outbound(first, but=(seed.id,))
        self.assertEqual(first.stop(), 0)
        config = first.home / "config"
        anchors = json.loads((config / "addrbook.notes.json").read_text())["anchors"]
        self.assertEqual(len(anchors), 4)
        self.assertLessEqual(set(anchors), {f"{i}@{a}" for i, a in had.items()})
        (config / "addrbook.json").unlink()
        (first.home / "log").rename(first.home / "log.before")
        nodes[0] = again = self.start("n0", seed)
        again.wait_log(r"event=peer_added .*direction=out", count=4)
        met = [f"{i}@{a}" for _, i, a, where in PEER.findall(again.log()) if where == "out"]
        self.assertEqual(set(met[:4]), set(anchors), "the first four are the anchors")
