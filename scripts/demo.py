#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A network of four nodes on this machine: they find each other through the persistent peers of
their configuration files and echo each other's probes; one is killed, restarted, and comes back.

    demo.py [--yard PROGRAM] [--keep]
"""

import argparse
import json
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

NODES = 4
AWAY_S = 3
TOP = Path(__file__).resolve().parent.parent


class DemoError(Exception):
    """Something did not happen in time."""


class Clock:
    started = time.monotonic()


def say(text=""):
    print(f"{time.monotonic() - Clock.started:6.2f} s  {text}", flush=True)


class Node:
    """A running `yard start`; its log is read by a thread."""

    def __init__(self, net, index, home, address):
        self.net, self.index, self.name = net, index, f"node{index}"
        self.home, self.id = home, address.split("@")[0]
        self.child, self.peers, self.echoes = None, set(), {}

    def start(self):
        self.peers.clear()
        self.child = subprocess.Popen(
            [self.net.yard, "start", "--home", self.home, "--log_format", "json",
             "--echo_interval", "250ms"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.child.stdout.readline()
        if not line.startswith("ready "):
            raise DemoError(f"{self.name} did not start:\n{self.child.stderr.read()}")
        say(f"{self.name}: {line.strip()}")
        threading.Thread(target=self.read_log, args=(self.child,), daemon=True).start()

    def read_log(self, child):
        for line in child.stderr:
            try:
                record = json.loads(line)
            except ValueError:
                say(f"{self.name}: {line.rstrip()}")
                continue
            with self.net.changed:
                self.take(record)
                self.net.changed.notify_all()

    def take(self, record):
        event = record["event"]
        if event == "peer_added":
            self.peers.add(record["id"])
            say(f"{self.name}: peer {self.net.name_of(record['id'])} is up "
                f"({record['direction']}bound, {record['profile']}), {len(self.peers)} in all")
        elif event == "peer_removed":
            self.peers.discard(record["id"])
            if not self.net.stopping:
                say(f"{self.name}: peer {self.net.name_of(record['id'])} is gone: "
                    f"{record['reason']}, {len(self.peers)} left")
        elif event == "echo_answer":
            self.echoes.setdefault(record["id"], []).append(record["ms"])
        elif record["level"] in ("warn", "error"):
            say(f"{self.name}: {line_of(record)}")


def line_of(record):
    skip = ("ts", "t", "sys")
    return " ".join(f"{k}={v}" for k, v in record.items() if k not in skip)


def free_ports(count):
    """The first of so many free ports in a row."""
    for first in range(26656, 60000, 100):
        taken = []
        try:
            for port in range(first, first + count):
                taken.append(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue
        finally:
            for server in taken:
                server.close()
        return first
    raise DemoError("no free ports")


class Net:
    def __init__(self, yard, folder):
        self.yard, self.changed, self.stopping = yard, threading.Condition(), False
        first = free_ports(NODES)
        say(f"yard testnet {NODES} --starting-port {first}")
        made = subprocess.run([yard, "testnet", str(NODES), "--output", folder, "--starting-port",
                               str(first)], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.nodes = [Node(self, i, *line.split())
                      for i, line in enumerate(made.splitlines())]

    def name_of(self, node_id):
        return next((n.name for n in self.nodes if n.id == node_id), node_id[:8])

    def wait(self, what, check, timeout):
        """Seconds until check() was true."""
        begun = time.monotonic()
        with self.changed:
            while not check():
                left = begun + timeout - time.monotonic()
                if left <= 0:
                    raise DemoError(f"not within {timeout} s: {what}")
                self.changed.wait(left)
        return time.monotonic() - begun

    def is_complete(self):
        return all(len(n.peers) == NODES - 1 for n in self.nodes)

    def clear_echoes(self):
        with self.changed:
            for node in self.nodes:
                node.echoes = {}

    def has_echoes(self, count):
        return all(len(node.echoes.get(other.id, ())) >= count
                   for node in self.nodes for other in self.nodes if other is not node)

    def show_echoes(self):
        """Waits until every node has ten answers from every other one; returns how many in all."""
        self.clear_echoes()
        self.wait("echo answers between all nodes", lambda: self.has_echoes(10), 20)
        total = 0
        for node in self.nodes:
            for other in self.nodes:
                times = node.echoes.get(other.id, ()) if other is not node else ()
                if times:
                    total += len(times)
                    say(f"echo {node.name} -> {other.name} -> {node.name}: {len(times)} answers, "
                        f"min {min(times):.3f} median {statistics.median(times):.3f} "
                        f"max {max(times):.3f} ms")
        return total

    def stop(self):
        """SIGTERM to all; the statuses."""
        self.stopping = True
        alive = [n.child for n in self.nodes if n.child is not None]
        for child in alive:
            child.send_signal(signal.SIGTERM)
        return [child.wait(10) for child in alive]

    def kill(self):
        for node in self.nodes:
            if node.child is not None and node.child.poll() is None:
                node.child.kill()
                node.child.wait()


def show(net):
    for node in net.nodes:
        node.start()
    took = net.wait("every node has every other one as a peer", net.is_complete, 30)
    say(f"all {NODES} nodes have {NODES - 1} peers each, {took:.2f} s after the last start")
    echoes = net.show_echoes()

    victim = net.nodes[2]
    others = [n for n in net.nodes if n is not victim]
    say(f"killing {victim.name} (SIGKILL)")
    victim.child.kill()
    victim.child.wait()
    net.wait("the others notice", lambda: not any(victim.id in n.peers for n in others), 10)
    say(f"{victim.name} stays away for {AWAY_S} s")
    time.sleep(AWAY_S)
    restarted = time.monotonic()
    victim.start()
    net.wait(f"{victim.name} is back", net.is_complete, 30)
    back = 1000 * (time.monotonic() - restarted)
    say(f"{victim.name} has rejoined: all peers are back {back:.0f} ms after its restart")
    echoes += net.show_echoes()

    say("stopping all (SIGTERM)")
    statuses = net.stop()
    if any(statuses):
        raise DemoError(f"exit statuses {statuses}")
    print()
    print(f"{NODES} nodes, {NODES * (NODES - 1) // 2} connections, {echoes} echo round trips; one "
          f"node was killed and back among its peers {back:.0f} ms after its restart; all nodes "
          "ended cleanly.")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--yard", default=str(TOP / "build" / "bin" / "yard"))
    parser.add_argument("--keep", action="store_true", help="keep the nodes' homes")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="yard-demo-"))
    net = None
    try:
        net = Net(args.yard, folder / "net")
        show(net)
        status = 0
    except (DemoError, subprocess.SubprocessError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        status = 1
    finally:
        if net is not None:
            net.stopping = True
            net.kill()
        if args.keep:
            print(f"homes: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
