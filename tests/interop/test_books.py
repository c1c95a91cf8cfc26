# SPDX-License-Identifier: Apache-2.0
"""Address books change hands: what a real node wrote loads here, what we wrote loads there.

"Loads" is shown by what happens next: the reader lists every address of the writer, and dials the
one that is alive.
"""

import json
import subprocess
import unittest

from harness import program, wait_until
from pexrig import met
from subject import STAND_IN, SubjectTest, Yard

DIAL = 75  # a Go node looks into its book every 30 s
PEX = ["--p2p.pex", "true"]
WRITERS = {"cometbft": "cometbft-v0.38", "tendermint": "tendermint-0.22"}
ENTRY = {"cometbft": ["addr", "src", "buckets", "attempts", "bucket_type", "last_attempt",
                      "last_success", "last_ban_time"],
         "tendermint": ["addr", "src", "attempts", "last_attempt", "last_success", "bucket_type",
                        "buckets"]}


def addresses(path):
    """What a book holds, read without any of our code."""
    return {"%s@%s:%d" % (e["addr"]["id"], e["addr"]["ip"], e["addr"]["port"])
            for e in json.loads(path.read_text())["addrs"]}


def listed(path):
    done = Yard.run_tool("addrbook", "list", "--file", path)
    return {line.split()[0] for line in done.stdout.splitlines()}


@unittest.skipIf(STAND_IN, "a book of ours is needed")
class BooksTest(SubjectTest):
    def yard(self, name, profile, home_book=None, **kw):
        """One of us; home_book is put into its home before it starts."""
        home = self.log_dir / (name + "-home")
        Yard.run_tool("init", "--home", home, "--chain-id", kw.pop("network", "interop-net"))
        if home_book:
            (home / "config" / "addrbook.json").write_bytes(home_book)
        node = Yard(name, self.log_dir, profiles=[profile], extra=PEX + kw.pop("extra", []), **kw)
        self.addCleanup(node.finish)
        return node

    def their_book(self, stack):
        """The book of one of theirs that met two others, and a third one that is gone; the others.
        It writes the file when it stops."""
        path = self.log_dir / ("book-of-%s.json" % stack)
        others = [self.peer(stack, name="other", extra=["--pex"]) for _ in range(2)]
        gone = self.peer(stack, name="gone", extra=["--pex"])
        writer = self.peer(stack, name="writer", extra=["--pex", "--addr-book", str(path)])
        for other in others + [gone]:
            other.dial_until_ok(writer.full_addr)
            writer.wait("peer_added", id=other.id)
        gone.stop()
        writer.stop()
        wait_until("%s is written" % path, path.exists, 10)
        have = addresses(path)
        self.assertLessEqual({p.full_addr for p in others + [gone]}, have)
        return path, others

    # SPEC-TEST BOOK-28 BOOK-31
    def test_theirs_here(self):
        for profile, stack in WRITERS.items():
            with self.subTest(writer=stack):
                path, others = self.their_book(stack)
                self.assertEqual(listed(path), addresses(path))
                node = self.yard("yard-" + profile, profile, path.read_bytes())
                for other in others:
                    other.wait("peer_added", DIAL, id=node.id)

    def test_a_complete_nodes_book_here(self):
        """CometBFT's own program wrote it: at its start it puts its persistent peers there."""
        others = [self.peer("cometbft-v0.38", name="other", channels="20,21,22,23,30,38,40",
                            extra=["--pex"]) for _ in range(2)]
        node = self.node("cometbft-v0.38", pex=True, persistent=[o.full_addr for o in others])
        node.wait_ready()
        wait_until("the node lists them", lambda: {o.id for o in others} <= node.peer_ids(), 20)
        node.stop()
        have = addresses(node.book_path)
        self.assertLessEqual({o.full_addr for o in others}, have)
        self.assertEqual(listed(node.book_path), have)
        yard = self.yard("yard", "cometbft", node.book_path.read_bytes())
        for other in others:
            other.wait("peer_added", DIAL, id=yard.id)

    def our_book(self, profile):
        """The book of one of us that met two of theirs; the two."""
        writer = self.yard("writer-" + profile, profile)
        peers = [self.peer(WRITERS[profile], extra=["--pex"]) for _ in range(2)]
        for peer in peers:
            peer.dial_until_ok(writer.full_addr)
        wait_until("the writer has them", lambda: all(met(writer, p.id) for p in peers), 10)
        writer.stop()
        writer.killed = True  # it has ended as it should
        return writer.home / "config" / "addrbook.json", peers

    # SPEC-TEST BOOK-28 BOOK-29
    def test_ours_there(self):
        for profile, stack in WRITERS.items():
            with self.subTest(reader=stack):
                path, peers = self.our_book(profile)
                if profile == "tendermint":
                    done = Yard.run_tool("addrbook", "export", "--file", path, "--format",
                                         "tendermint")
                    path = path.with_name("exported.json")
                    path.write_text(done.stdout)
                book = json.loads(path.read_text())
                self.assertEqual([list(e) for e in book["addrs"]], [ENTRY[profile]] * 2)
                reader = self.peer(stack, name="reader", extra=["--pex", "--addr-book", str(path)])
                for peer in peers:
                    peer.wait("peer_added", DIAL, id=reader.id)
                reader.stop()
                # what the real node makes of our file comes back to us whole
                rewritten = json.loads(path.read_text())
                self.assertEqual(rewritten["key"], book["key"])
                self.assertLessEqual({p.full_addr for p in peers}, addresses(path))
                self.assertEqual(listed(path), addresses(path))

    def test_ours_in_a_complete_node(self):
        """CometBFT's and Tendermint's own programs start on a book of ours and dial from it."""
        for profile, stack in WRITERS.items():
            with self.subTest(reader=stack):
                path, peers = self.our_book(profile)
                fmt = ["--format", profile]
                text = Yard.run_tool("addrbook", "export", "--file", path, *fmt).stdout
                home = self.log_dir / ("node-%s-home" % profile)
                subprocess.run([program(stack), "init", "--home", str(home)], check=True,
                               capture_output=True)
                (home / "config" / "addrbook.json").write_text(text)
                node = self.node(stack, home=home, pex=True).wait_ready()
                wait_until("%s lists the peers of the book" % node.name,
                           lambda: {p.id for p in peers} <= node.peer_ids(), DIAL, 0.2)


if __name__ == "__main__":
    unittest.main()
