# SPDX-License-Identifier: Apache-2.0
"""The home of a real complete node, copied, starts `yard`, which becomes a peer of that node.

`init` of each release writes a home.  The node runs on it; a copy of it without the node key, with
nothing changed but ports, runs `yard`, which dials the node.  All five releases run at the same
time.  Each node then lists its copy in /net_info.
"""

import json
import re
import shutil
import subprocess
import time
import unittest
import urllib.request
from pathlib import Path

from harness import InteropTest, Process, SCALE, free_port, program, wait_until
from subject import STAND_IN, yard_path

# program -> the profile that its file stands for
RELEASES = {
    "tendermint-0.22": "tendermint",
    "cometbft-v0.34": "cometbft",
    "cometbft-v0.38": "cometbft",
    "cometbft-v1.0": "cometbft",
    "cometbft-v0.40": "cometbft",
}
HOLD = 5  # seconds for which it stays listed


def move_ports(home, p2p_port, rpc_port):
    """Changes the ports of [p2p] and [rpc], and not one other byte."""
    path = home / "config" / "config.toml"
    text, table, out = path.read_text(), None, []
    for line in text.splitlines(keepends=True):
        head = re.match(r"\[(\S+)\]$", line)
        table = head.group(1) if head else table
        port = {"p2p": p2p_port, "rpc": rpc_port}.get(table)
        if port and line.startswith("laddr = "):
            line = re.sub(r":\d+\"$", ":%d\"" % port, line)
        out.append(line)
    path.write_text("".join(out))
    changed = [new for old, new in zip(text.splitlines(), "".join(out).splitlines()) if old != new]
    assert len(changed) == 2 and all(c.startswith("laddr = ") for c in changed), changed


class RealNode(Process):
    """A complete node on the home that its own `init` has written."""

    def __init__(self, release, log_dir):
        self.release = release
        self.home = Path(log_dir) / (release + "-home")
        self.p2p_port, self.rpc_port = free_port(), free_port()
        subprocess.run([program(release), "init", "--home", str(self.home)], check=True,
                       capture_output=True)
        self.as_written = (self.home / "config" / "config.toml").read_text()
        move_ports(self.home, self.p2p_port, self.rpc_port)
        command = "node" if release == "tendermint-0.22" else "start"
        super().__init__("node-" + release, [program(release), command, "--proxy_app=kvstore",
                                             "--home", str(self.home)], log_dir)

    def rpc(self, method):
        url = "http://127.0.0.1:%d/%s" % (self.rpc_port, method)
        with urllib.request.urlopen(url, timeout=5) as reply:
            return json.load(reply)["result"]

    def wait_ready(self):
        def listening():
            if not self.alive():
                raise self.error("ended with status %s" % self.child.poll())
            try:
                return self.rpc("net_info").get("listening")
            except (OSError, ValueError, KeyError):
                return False
        wait_until("%s listens" % self.name, listening, 40, 0.2)
        self.id = self.rpc("status")["node_info"]["id"]

    def entry(self, peer_id):
        for peer in self.rpc("net_info").get("peers") or []:
            if peer_id == peer["node_info"].get("id"):
                return peer
        return None


class Copy(Process):
    """`yard` on a copy of a node's home."""

    def __init__(self, node, log_dir):
        self.home = Path(log_dir) / (node.release + "-copy")
        shutil.copytree(node.home, self.home)
        (self.home / "config" / "node_key.json").unlink()
        (self.home / "config" / "config.toml").write_text(node.as_written)
        self.p2p_port = free_port()
        move_ports(self.home, self.p2p_port, free_port())
        made = subprocess.run([yard_path(), "gen-node-key", "--home", str(self.home)], check=True,
                              capture_output=True, text=True)
        self.id = made.stdout.strip()
        peer = "%s@127.0.0.1:%d" % (node.id, node.p2p_port)
        super().__init__("yard-" + node.release,
                         [yard_path(), "start", "--home", str(self.home),
                          "--p2p.persistent_peers", peer], log_dir)

    def finish(self):
        status = self.stop()
        if status != 0:
            raise self.error("exit status %d after SIGTERM" % status)


@unittest.skipIf(STAND_IN, "stand-in: a Go peer has no such home")
class ConfigTest(InteropTest):
    def test_a_copied_home_becomes_a_peer(self):
        nodes = {release: self.own(RealNode(release, self.log_dir)) for release in RELEASES}
        copies = {}
        for release, node in nodes.items():
            node.wait_ready()
            copies[release] = Copy(node, self.log_dir)
            self.addCleanup(copies[release].finish)
        for release, copy in copies.items():
            with self.subTest(release=release):
                self.check(nodes[release], copy, RELEASES[release])
        time.sleep(HOLD * SCALE)
        for release, copy in copies.items():
            with self.subTest(release=release, after=HOLD):
                self.assertIsNotNone(nodes[release].entry(copy.id), "no longer a peer")
                self.assertEqual(len(re.findall("event=peer_added", copy.log_text())), 1)

    def check(self, node, copy, profile):
        ready = copy.wait("ready", 20)
        self.assertEqual(ready["id"], copy.id)
        self.assertTrue(ready["addr"].endswith(":%d" % copy.p2p_port), ready)
        entry = wait_until("%s lists its copy" % node.name, lambda: node.entry(copy.id), 20, 0.2)
        genesis = json.loads((node.home / "config" / "genesis.json").read_text())
        self.assertEqual(entry["node_info"]["network"], genesis["chain_id"])
        self.assertFalse(entry["is_outbound"])
        wait_until("%s has its node" % copy.name,
                   lambda: re.search("event=peer_added .*id=%s .*profile=%s " % (node.id, profile),
                                     copy.log_text()), 10)
        self.assertNotRegex(copy.log_text(), r"event=config .*unknown key")


if __name__ == "__main__":
    unittest.main()
