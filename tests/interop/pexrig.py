# SPDX-License-Identifier: Apache-2.0
"""What the tests of peer exchange share: our seed, a network of validators, and readers of logs.

The complete nodes log every message of their PEX reactor ("Received message", "Error", ...) when
started with PEX_DEBUG, each line with its time.
"""

import datetime
import re
from pathlib import Path

from harness import NETWORK, InteropError, Node, Process, testnet_homes, wait_until
from subject import SubjectTest, Yard, yard_path

# A Go node asks its seed at once, hears of others, and dials them at its next round of 30 s.
MEET = 75
PEX_DEBUG = ["--log_level", "pex:debug,p2p:info,*:error"]

# What the Go implementations log when a peer broke a rule; that a connection ended is no complaint.
GO_COMPLAINT = re.compile(
    r"Stopping peer for error(?!.*\berr=\"?[^=]*(EOF|reset by peer|broken pipe|closed network))|"
    r"Error decoding message|Unknown message type|MarkBad")
# What yard logs when it held a remote responsible, or was held so itself.
OUR_COMPLAINT = re.compile(r"fault=remote|REACTOR_CAUSE")


class Seed(Process):
    """A running `yard seed`; answers both wires on its one port."""

    def __init__(self, name, log_dir, extra=()):
        self.home = Path(log_dir) / (name + "-home")
        cmd = [yard_path(), "seed", "--home", self.home, "--chain-id", NETWORK, "--moniker", name,
               "--p2p.laddr", "tcp://127.0.0.1:0", "--p2p.allow_duplicate_ip", "true",
               "--p2p.addr_book_strict", "false", "--log_level", "info"]
        super().__init__(name, [str(c) for c in cmd] + [str(e) for e in extra], log_dir)
        try:
            ready = self.wait("ready", 20)
        except InteropError:
            self.kill()
            raise
        self.id, self.addr = ready["id"], ready["addr"]

    @property
    def full_addr(self):
        return "%s@%s" % (self.id, self.addr)

    def profiles_served(self):
        """The profiles of the peers that came and were answered."""
        return set(re.findall(r"event=peer_removed .*direction=in profile=(\w+) .*seed: answered",
                              self.log_text()))


class Validators:
    """A network of complete CometBFT nodes, all of them validators, that know only their seed."""

    def __init__(self, test, stack, count, seeds, extra=()):
        homes = testnet_homes(stack, count, Path(test.log_dir) / "testnet")
        self.nodes = [test.own(Node(stack, "validator-%d" % i, test.log_dir, home=home, seeds=seeds,
                                    extra=extra))
                      for i, home in enumerate(homes)]

    def wait_ready(self):
        for node in self.nodes:
            node.wait_ready()
        self.ids = {node.id for node in self.nodes}
        return self

    def is_full_mesh(self):
        return all(self.ids - {n.id} <= n.peer_ids() for n in self.nodes)

    def wait_full_mesh(self, timeout):
        wait_until("every validator has all the others as peers", self.is_full_mesh, timeout, 0.1)

    def wait_blocks(self, more, timeout):
        """Waits until every validator has seen so many more blocks."""
        goal = max(n.height() for n in self.nodes) + more
        wait_until("every validator is at height %d" % goal,
                   lambda: all(n.height() >= goal for n in self.nodes), timeout, 0.5)


def log_time(line):
    """Seconds of the time that a line of a log of ours or of a complete node bears, or None."""
    m = re.search(r"ts=(\S+)Z ", line)
    if m:
        return datetime.datetime.fromisoformat(m[1]).timestamp()
    m = re.match(r"[A-Z]\[(\d{4}-\d\d-\d\d)[T|](\d\d:\d\d:\d\d\.\d+)\]", line)
    return datetime.datetime.fromisoformat("%s %s" % (m[1], m[2])).timestamp() if m else None


def request_times(node, sender_id):
    """When a complete node of CometBFT (with PEX_DEBUG) received requests of this peer.  A request
    is the message without anything in it."""
    pattern = re.compile(r"Received message .*%s .*chId=0 msg=\s*$" % sender_id)
    return [log_time(line) for line in node.log_text().splitlines() if pattern.search(line)]


def complaints(process, pattern, about=None):
    """The lines of a log that hold something against a peer; about: only against these.  (What the
    Go programs hold against each other is theirs: v0.40 is known to ask too soon.)"""
    return [line for line in process.log_text().splitlines()
            if not line.startswith("$ ") and pattern.search(line)
            and (about is None or any(one.id in line for one in about))]


def met(yard, peer_id):
    """Whether one of us has, or had, this peer."""
    return re.search(r"event=peer_added \S+ id=%s " % peer_id, yard.log_text()) is not None


class PexRigTest(SubjectTest):
    """A test in which nobody may hold anything against us, nor we against anybody."""

    def tearDown(self):
        watched = getattr(self, "spotless", [])
        ours = [t for t in watched if isinstance(t, (Seed, Yard))]
        for thing in ours:
            self.assertEqual(complaints(thing, OUR_COMPLAINT), [], thing.name)
        for thing in watched:
            if thing not in ours:
                self.assertEqual(complaints(thing, GO_COMPLAINT, ours), [], thing.name)
        super().tearDown()

    def watch(self, *things):
        """Looks into the logs of these at the end."""
        self.spotless = getattr(self, "spotless", []) + list(things)

    def seed(self, name="seed", extra=()):
        seed = self.own(Seed(name, self.log_dir, extra))
        self.watch(seed)
        return seed

    def yard(self, name="yard", profiles=("cometbft",), extra=(), persistent=()):
        node = Yard(name, self.log_dir, profiles=profiles, persistent=persistent,
                    extra=["--p2p.pex", "true"] + list(extra))
        self.addCleanup(node.finish)
        self.watch(node)
        return node
