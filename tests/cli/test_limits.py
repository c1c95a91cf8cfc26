# SPDX-License-Identifier: Apache-2.0
"""What strangers can do to a node, and what it says of it."""

import base64
import json
import re
import resource
import socket
import subprocess
import time
import unittest

from harness import Node, YardTest

SECRET = "node_key.json"


def connect(node):
    host, port = node.addr.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=10)


class FewDescriptors(Node):
    """A node that may open so many files and no more."""

    LIMIT = 40

    def __init__(self, *args, **kw):
        popen = subprocess.Popen

        def limited(*a, **k):
            both = (self.LIMIT, self.LIMIT)
            return popen(*a, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, both),
                         **k)

        subprocess.Popen = limited
        try:
            super().__init__(*args, **kw)
        finally:
            subprocess.Popen = popen


class Limits(YardTest):
    # SPEC-TEST SW-07
    def test_running_out_of_descriptors_is_survived(self):
        node = FewDescriptors(self, self.home("few"))
        crowd = [connect(node) for _ in range(2 * FewDescriptors.LIMIT)]
        time.sleep(1.5)
        self.assertIsNone(node.child.poll(), node.log())
        for stream in crowd:
            stream.close()
        other = self.node("--p2p.persistent_peers", node.full, name="other")
        other.wait_log(f"event=peer_added .*id={node.id}")
        self.assertEqual(node.stop(), 0)


class Words(YardTest):
    # SPEC-TEST ER-08
    def test_how_far_a_closed_connection_came(self):
        node = self.node()
        with connect(node) as stream:
            stream.sendall(bytes.fromhex("2120") + b"\x07" * 10)
            stream.shutdown(socket.SHUT_WR)
            while stream.recv(4096):
                pass
        node.wait_log(r"event=connection_refused .*stage=handshake reason=SUB_FRAME .*"
                      r"after 12 bytes")

    # SPEC-TEST ER-05 ER-09 ER-12
    def test_what_the_remote_did_wrong_is_a_warning_said_once(self):
        node = self.node()
        with connect(node) as stream:
            stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(stream.recv(100), b"")
        line = node.wait_log(r"^.*event=connection_refused .*$").group(0)
        for part in ("level=warn", "addr=127.0.0.1:", "direction=in", "stage=connect",
                     "reason=PROFILE_UNKNOWN", "fault=remote", "47 45 54 20: this is HTTP"):
            self.assertIn(part, line)
        self.assertEqual(node.stop(), 0)
        self.assertEqual(len(re.findall("event=connection_refused", node.log())), 1)

    # SPEC-TEST ER-13
    def test_a_flood_of_refusals_is_rationed_and_counted(self):
        node = self.node()
        begun = time.monotonic()
        for _ in range(200):
            with connect(node) as stream:
                stream.sendall(b"GET")
                stream.recv(1)
        seconds = time.monotonic() - begun
        lines = len(re.findall("event=connection_refused", node.log()))
        self.assertLessEqual(lines, 50 + 10 * (seconds + 1))
        time.sleep(0.3)
        with connect(node) as stream:
            stream.sendall(b"GET")
            stream.recv(1)
        node.wait_log(r"event=connection_refused", count=lines + 1)
        told = [int(n) for n in re.findall(r"left_out=(\d+)", node.log())]
        self.assertEqual(sum(told) + len(told), 201)

    # SPEC-TEST ER-14
    def test_no_secret_in_any_log(self):
        home = self.home("first")
        key = json.loads((home / "config" / SECRET).read_text())["priv_key"]["value"]
        seed = base64.b64decode(key)[:32]
        first = self.node("--log_level", "debug", "--echo_channels", "[32]", name="first")
        second = self.node("--log_level", "debug", "--echo_channels", "[32]", "--echo_interval",
                           "100ms", "--p2p.persistent_peers", first.full, name="second")
        second.wait_log("event=echo_answer")
        first.stop()
        second.stop()
        said = first.log() + second.log()
        self.assertNotIn(key, said)
        self.assertNotIn(key[:40], said)
        self.assertNotIn(seed.hex(), said.lower())
        self.assertNotIn("SYECHO", said)


if __name__ == "__main__":
    unittest.main()
