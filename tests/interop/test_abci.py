# SPDX-License-Identifier: Apache-2.0
"""filter_peers against the ABCI socket servers of four releases.

The application is each release's own kvstore behind its own server (abci/): as it is it admits
everyone; told to, it refuses one ID or one IP address.  The peers are real ones, and what is
checked is what they see.  An application that hangs, dies and returns is one that is stopped,
killed and started again.
"""

import os
import re
import shutil
import signal
import tempfile
import time
import unittest

from harness import STACKS, Process, free_port, id_of_seed, key_seed, program, wait_until
from subject import SubjectTest

# release -> (program, dialect, how it is reached, the peers that come)
APPS = {
    "v0.22": ("abciapp-0.22", "0.22", "127.0.0.1", ("tendermint-0.22", "cometbft-v0.38")),
    "v0.34": ("abciapp-v0.34", "0.34", "unix", ("tendermint-0.22", "cometbft-v0.40")),
    "v0.38": ("abciapp-v0.38", "0.38", "unix", ("tendermint-0.22", "cometbft-v0.38")),
    "v1.0": ("abciapp-v1.0", "0.38", "localhost", ("tendermint-0.22", "cometbft-v1.0")),
}
REFUSED_IP = "127.0.0.3"
# Above the 2 s between two attempts to reach the application (AB-12), so that a question which is
# asked when it has returned is still open when it is found.
FILTER_TIMEOUT = "3000ms"


class App(Process):
    def __init__(self, release, name, log_dir, addr, extra=()):
        super().__init__(name, [program(APPS[release][0]), "--addr", addr, *extra], log_dir)
        self.wait("ready", 15)

    def paths(self, since=0):
        return [(e["path"], e["code"]) for e in self.find("query", since)]

    def hang(self):
        os.kill(self.child.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.child.pid, signal.SIGCONT)


class AbciTest(SubjectTest):
    def setUp(self):
        super().setUp()
        self.yard_only("the filter is yard's")

    def app(self, release, addr, *extra):
        return self.own(App(release, self.unique("app"), self.log_dir, addr, extra))

    def filtering(self, addr, *, profile=None, persistent=(), extra=()):
        return self.subject(profile=profile, persistent=persistent, extra=[
            "--filter_peers", "true", "--proxy_app", addr,
            "--p2p.persistent_peers_max_dial_period", "1s", *extra])

    def wait_log(self, subject, pattern, timeout=10, since=0):
        """A line of the log behind that position that fits; returns the position behind it."""
        def seen():
            return re.compile(pattern).search(subject.log_text(), since)
        return wait_until("%s logs %s (%s)" % (subject.name, pattern, subject.err_path), seen,
                          timeout).end()

    def wait_ready(self, subject, release, since=0):
        return self.wait_log(subject, r"event=application_ready .* dialect=%s\n"
                             % re.escape(APPS[release][1]), 15, since)

    def refused(self, peer, subject):
        """They dial, and never have us for longer than it takes to be closed."""
        since = peer.mark()
        peer.dial(subject.full_addr)
        peer.wait("dial_failed", 15, since)
        self.assertEqual(peer.find("peer_added", since), [])

    def echo(self, peer, subject, seed):
        since = peer.mark()
        peer.send(subject.id, 0x20, 700, seed)
        peer.wait_message(subject.id, 0x20, 700, seed, since=since)

    def address_of(self, release):
        how = APPS[release][2]
        if how != "unix":
            return "tcp://%s:%d" % (how, free_port())
        folder = tempfile.mkdtemp()  # the folder of the test may be too deep for a socket's path
        self.addCleanup(shutil.rmtree, folder)
        return "unix://%s/app.sock" % folder

    # SPEC-TEST AB-01, AB-02, AB-03, AB-04, AB-06, AB-09, FL-14, FL-15
    def kvstore_admits_everyone(self, release):
        addr = self.address_of(release)
        app = self.app(release, addr.replace("localhost", "127.0.0.1"))
        peers = [self.peer(stack) for stack in APPS[release][3]]
        # One dials us, the other is dialed by us.
        subject = self.filtering(addr, persistent=[peers[1].full_addr])
        self.wait_ready(subject, release)
        peers[0].dial_until_ok(subject.full_addr)
        for n, peer in enumerate(peers):
            peer.wait("peer_added", 15, id=subject.id)
            self.echo(peer, subject, n)
        for peer in peers:
            app.wait("query", path="/p2p/filter/id/" + peer.id, code=0)
        app.wait("query", path="/p2p/filter/addr/" + peers[1].addr, code=0)
        asked = app.paths()
        # The one that we dial is asked about again when the first profile was not its own.
        self.assertEqual(len([p for p, _ in asked if "/id/" in p]), 2, asked)
        for path, _ in asked:
            self.assertRegex(path, r"^/p2p/filter/(id/[0-9a-f]{40}|addr/127\.0\.0\.1:\d+)$")

    # SPEC-TEST FL-18
    def one_id_and_one_address_are_refused(self, release):
        addr = "tcp://127.0.0.1:%d" % free_port()
        bad_key = key_seed(60)
        app = self.app(release, addr, "--refuse-id", id_of_seed(bad_key),
                       "--refuse-ip", REFUSED_IP)
        far = {s: self.peer(s, "far-" + s, extra=["--laddr", REFUSED_IP + ":0"])
               for s in APPS[release][3]}
        subject = self.filtering(addr, persistent=[p.full_addr for p in far.values()])
        self.wait_ready(subject, release)
        for stack in far:
            with self.subTest(stack=stack):
                # The address that we dial is not wanted: they see connections that say nothing.
                far[stack].wait("inbound_refused", 15)
                self.assertEqual(far[stack].find("peer_added"), [])
                app.wait("query", path="/p2p/filter/addr/" + far[stack].addr, code=8)
                # The ID is not wanted, whoever comes with it.
                bad = self.peer(stack, "bad-" + stack, key_seed=bad_key)
                self.refused(bad, subject)
                app.wait("query", path="/p2p/filter/id/" + bad.id, code=7)
                self.wait_log(subject, r"event=connection_refused .* id=%s .* stage=identity "
                              r"reason=FILTERED fault=local detail=\"the application refuses the "
                              r"ID: code 7, \\\"this ID is on our list\\\"\"" % bad.id)
                bad.kill()
                # And everybody else is.
                good = self.peer(stack, "good-" + stack)
                good.dial_until_ok(subject.full_addr)
                self.echo(good, subject, 5)
        self.wait_log(subject, r"event=dial_failed .*addr=%s:.* stage=connect reason=FILTERED .*"
                      r"refuses the address: code 8" % re.escape(REFUSED_IP))

    # SPEC-TEST AB-10, AB-11, AB-12, AB-15, FL-16, FL-17
    def hangs_dies_and_returns(self, release):
        stack = "tendermint-0.22" if release == "v0.22" else "cometbft-v0.38"
        addr = "tcp://127.0.0.1:%d" % free_port()
        app = self.app(release, addr)
        subject = self.filtering(addr, profile=STACKS[stack][1],
                                 extra=["--filter_timeout", FILTER_TIMEOUT])
        self.wait_ready(subject, release)
        first = self.peer(stack, "first")
        first.dial_until_ok(subject.full_addr)
        self.echo(first, subject, 1)

        app.hang()
        second = self.peer(stack, "second")
        started = time.monotonic()
        self.refused(second, subject)
        self.assertGreater(time.monotonic() - started, 2.9)
        self.wait_log(subject, r"event=connection_refused .* reason=NO_VERDICT fault=local "
                      r"detail=\"the application has not answered within 3000 ms\"")
        self.echo(first, subject, 2)
        app.go_on()
        second.dial_until_ok(subject.full_addr)
        self.echo(second, subject, 3)

        app.kill()
        at = self.wait_log(subject, r"event=application_lost .* addr=%s " % re.escape(addr))
        third = self.peer(stack, "third")
        self.refused(third, subject)
        self.wait_log(subject, r"event=application_unreachable .*[Cc]onnection refused", 10, at)
        self.wait_log(subject, r"reason=NO_VERDICT .*it cannot be reached")
        for peer in (first, second):
            self.echo(peer, subject, 4)

        # It returns while a question is open: that one is answered.
        at = len(subject.log_text())
        self.app(release, addr)
        third.dial_until_ok(subject.full_addr)
        self.wait_ready(subject, release, at)
        self.echo(third, subject, 5)
        for peer in (first, second):
            self.echo(peer, subject, 6)
            self.assertEqual(peer.find("peer_removed"), [])

    # KEY-TEST filter_peers proxy_app switchyard.filter_unanswered switchyard.filter_timeout
    def test_nobody_is_there(self):
        """filter_unanswered decides; the node starts either way and says what is the matter."""
        addr = "tcp://127.0.0.1:%d" % free_port()
        for unanswered in ("refuse", "admit"):
            with self.subTest(unanswered):
                subject = self.filtering(addr, profile="cometbft", extra=[
                    "--filter_unanswered", unanswered, "--filter_timeout", "500ms"])
                peer = self.peer("cometbft-v0.38")
                self.wait_log(subject, r"level=warn sys=app event=application_unreachable ")
                if unanswered == "admit":
                    peer.dial_until_ok(subject.full_addr)
                    self.echo(peer, subject, 1)
                    self.wait_log(subject, r"event=admitted_without_verdict .* reason=NO_VERDICT")
                else:
                    self.refused(peer, subject)

    def test_falls_at_a_question(self):
        """A question that brings the application down is unanswered; the next ones are not."""
        addr = "tcp://127.0.0.1:%d" % free_port()
        key = key_seed(61)
        self.app("v0.38", addr, "--panic-at", id_of_seed(key))
        subject = self.filtering(addr, profile="cometbft", extra=["--filter_timeout", "2s"])
        self.wait_ready(subject, "v0.38")
        bad = self.peer("cometbft-v0.38", "bad", key_seed=key)
        good = self.peer("cometbft-v0.38", "good")
        bad.dial(subject.full_addr)
        bad.wait("dial_failed", 15)
        good.dial_until_ok(subject.full_addr)
        self.echo(good, subject, 1)

    # KEY-TEST switchyard.abci_dialect
    def test_a_given_dialect_is_the_only_one(self):
        addr = "tcp://127.0.0.1:%d" % free_port()
        self.app("v0.34", addr)
        wrong = self.filtering(addr, extra=["--abci_dialect", "0.22"])
        right = self.filtering(addr, extra=["--abci_dialect", "0.34", "--log_level", "debug"])
        self.wait_ready(right, "v0.34")
        at = 0
        for _ in range(2):
            at = self.wait_log(wrong, r"event=application_unreachable .*no echo in dialect 0\.22",
                               10, at)
        self.assertNotIn("application_ready", wrong.log_text())
        self.assertNotIn("application_unreachable", right.log_text())


def add_tests():
    for release in APPS:
        word = release.replace(".", "_")

        def add(name, method, *args, word=word):
            setattr(AbciTest, "test_%s_%s" % (name, word),
                    lambda self: getattr(self, method)(*args))
        add("kvstore_admits_everyone", "kvstore_admits_everyone", release)
        add("one_id_and_one_address_are_refused", "one_id_and_one_address_are_refused", release)
        add("hangs_dies_and_returns", "hangs_dies_and_returns", release)


add_tests()

if __name__ == "__main__":
    unittest.main()
