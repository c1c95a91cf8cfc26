# SPDX-License-Identifier: Apache-2.0
"""Five thousand connections at once: no socket is left in CLOSE_WAIT, no descriptor is lost, and
who has a reserved place gets in and stays."""

import os
import resource
import selectors
import socket
import time
import unittest
from pathlib import Path

from harness import Node, YardTest

FLOOD = 5000
CLOSE_WAIT = "08"
WAIT_S = 60
LOCAL = ("--p2p.addr_book_strict", "false", "--p2p.allow_duplicate_ip", "true")

# What a stranger may say: nothing, nonsense, the first bytes of either protocol and then nothing.
WORDS = (b"", b"GET / HTTP/1.1\r\n\r\n", bytes.fromhex("2120") + b"\x07" * 10,
         bytes.fromhex("220a20") + b"\x09" * 32, b"\x00")


def sockets(port, state):
    """Sockets of this machine with that local port in that state."""
    count = 0
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(name):
            continue
        for line in Path(name).read_text().splitlines()[1:]:
            words = line.split()
            count += int(words[1].rsplit(":", 1)[1], 16) == port and words[3] == state
    return count


def descriptors(node):
    return len(os.listdir(f"/proc/{node.child.pid}/fd"))


class Flood(YardTest):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < FLOOD + 1000:
            self.skipTest(f"the system allows {hard} files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.crowd = []
        self.addCleanup(self.disperse)

    def disperse(self):
        for stream in self.crowd:
            stream.close()
        self.crowd = []

    def connect(self, port, selector):
        stream = socket.socket()
        stream.setblocking(False)
        stream.connect_ex(("127.0.0.1", port))
        selector.register(stream, selectors.EVENT_WRITE, WORDS[len(self.crowd) % len(WORDS)])
        self.crowd.append(stream)

    def flood(self, port):
        """Opens them all, some hundred at a time, and keeps them open."""
        connected = 0
        with selectors.DefaultSelector() as selector:
            deadline = time.monotonic() + WAIT_S
            while connected < FLOOD:
                while len(self.crowd) < FLOOD and len(self.crowd) - connected < 200:
                    self.connect(port, selector)
                for key, _ in selector.select(1):
                    selector.unregister(key.fileobj)
                    connected += 1
                    try:
                        key.fileobj.send(key.data)
                    except OSError:
                        pass
                self.assertLess(time.monotonic(), deadline, f"{connected} connected")

    def wait_for(self, what, check):
        deadline = time.monotonic() + WAIT_S
        while not check():
            self.assertLess(time.monotonic(), deadline, what())
            time.sleep(0.1)

    def withstand(self, hub, friend):
        """friend is a persistent peer of the hub, and connected."""
        port = int(hub.addr.rsplit(":", 1)[1])
        before = descriptors(hub)
        self.flood(port)
        self.assertIsNone(hub.child.poll(), hub.log())
        # SPEC-TEST SW-21 SW-22: the newcomers are taken in, the oldest leave; 256 at most wait.
        self.wait_for(lambda: f"{descriptors(hub)} descriptors, {before} before",
                      lambda: descriptors(hub) <= before + 256 + 8)
        self.assertNotIn(f"event=peer_removed id={friend.id}", hub.log())

        # The reserved place is there while the flood lasts, also for one who has to come again.
        friend.stop()
        again = Node(self, friend.home, *friend.flags)
        again.wait_log(f"event=peer_added .*id={hub.id}")
        self.assertEqual(again.id, friend.id)
        hub.wait_log(f"event=peer_added .*id={friend.id}", count=2)

        # Half of the crowd shuts down its side, the other half is gone: nothing lingers.
        for stream in self.crowd[::2]:
            try:
                stream.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        self.wait_for(lambda: f"{sockets(port, CLOSE_WAIT)} in CLOSE_WAIT while they stand",
                      lambda: sockets(port, CLOSE_WAIT) == 0)
        self.disperse()
        self.wait_for(lambda: f"{sockets(port, CLOSE_WAIT)} in CLOSE_WAIT, "
                              f"{descriptors(hub)} descriptors, {before} before",
                      lambda: sockets(port, CLOSE_WAIT) == 0 and descriptors(hub) <= before + 2)
        self.assertNotIn(f"id={friend.id}", "".join(
            line for line in again.log().splitlines() if "peer_removed" in line))
        self.assertEqual(hub.stop(), 0)
        self.assertEqual(again.stop(), 0)

    def friend_of(self, hub, *flags):
        flags = ("--p2p.persistent_peers", hub.full, *LOCAL, *flags)
        friend = Node(self, self.dir / "friend", *flags)
        friend.flags = flags
        friend.wait_log(f"event=peer_added .*id={hub.id}")
        return friend

    def friend_id(self):
        """The ID that the friend will have."""
        home = self.home("friend")
        node = Node(self, home)
        node.stop()
        return node.id

    # SPEC-TEST SW-16 SW-17
    def test_a_node_withstands(self):
        place = f"{self.friend_id()}@127.0.0.1:1"
        hub = self.node("--p2p.persistent_peers", place, "--p2p.max_num_inbound_peers", "1",
                        "--p2p.handshake_timeout", "5s", *LOCAL, name="hub")
        other = self.node("--p2p.persistent_peers", hub.full, *LOCAL,
                          name="other")
        other.wait_log(f"event=peer_added .*id={hub.id}")
        self.withstand(hub, self.friend_of(hub))

    def test_a_seed_withstands(self):
        place = self.friend_id()
        home = self.dir / "seed"
        home.mkdir()
        seed = Node(self, home, "--chain-id", "cli-net", "--p2p.unconditional_peer_ids", place,
                    "--p2p.handshake_timeout", "5s", *LOCAL, command="seed")
        self.withstand(seed, self.friend_of(seed))


if __name__ == "__main__":
    unittest.main()
