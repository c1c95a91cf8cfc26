# SPDX-License-Identifier: Apache-2.0
"""We dial a Go peer while it dials us: one connection stays, 50 times for each stack.

Both dials go through relays that hold them back until both have arrived and then let them go, so
every round is a real crossing.  In two of three rounds the relays also delay them, one direction
more than the other, so that the two ends see the handshakes complete in opposite order; if each end
kept its first, both would be lost.  The relays also count: exactly one of the two connections is
left, and a message and its echo pass over it.
"""

import collections
import concurrent.futures
import random
import time
import unittest

from harness import STACKS, InteropError, id_of_seed, key_seed, wait_until
from subject import STAND_IN, SubjectTest

ROUNDS = 50
PAIRS = 5  # that share the rounds of a stack and run side by side
OFFSET_MAX = 0.006
# With x one way and y > x the other, one end is done at 2x + y and the other at x + 2y, and a close
# takes x or more: the ends decide y - x apart, and neither hears of the other's verdict in time.
SHORT, LONG = 0.02, 0.04
SETTLE = 6.0  # both sides have decided by then


# SPEC-TEST SW-27, SW-30
class CrossedTest(SubjectTest):
    # Rounds are short, and a connection that ends young counts as a failure in the back-off.
    OPTIONS = [] if STAND_IN else ["--p2p.persistent_peers_max_dial_period", "1s"]

    def crossed(self, stack):
        # A stand-in may lose both connections: Go has no rule for crossed dials.  A few rounds then
        # prove that the test can tell one from none.
        rounds, pairs = (ROUNDS, PAIRS) if not STAND_IN else (20, 2)
        made = [self.make_pair(stack, n) for n in range(pairs)]
        self.assertEqual({p["we_are_lower"] for p in made}, {True, False}, "both orders of the IDs")
        with concurrent.futures.ThreadPoolExecutor(pairs) as pool:
            done = [pool.submit(self.run_pair, p, rounds // pairs) for p in made]
            outcomes = collections.Counter(o for f in done for o in f.result())
        print("%s: %s" % (stack, ", ".join("%d %s" % (n, o) for o, n in outcomes.most_common())))
        self.assertEqual(sum(outcomes.values()), rounds)
        self.assertTrue(STAND_IN or outcomes["none stays"] == 0, outcomes)
        self.assertGreater(outcomes["one stays"], 0 if STAND_IN else rounds / 2)

    def make_pair(self, stack, number):
        # alternate which of the two has the lower ID
        ours, theirs = sorted((key_seed(100 + number), key_seed(200 + number)), key=id_of_seed)
        if number % 2:
            ours, theirs = theirs, ours
        peer = self.peer(stack, key_seed=theirs)
        to_peer = self.relay(peer.port, hold=True)
        peer_addr = "%s@127.0.0.1:%d" % (peer.id, to_peer.port)
        subject = self.subject(profile=STACKS[stack][1], key_seed=ours,
                               persistent=[] if STAND_IN else [peer_addr], extra=self.OPTIONS)
        return dict(peer=peer, subject=subject, to_peer=to_peer, peer_addr=peer_addr,
                    we_are_lower=subject.id < peer.id, to_us=self.relay(subject.port, hold=True),
                    draw=random.Random(number))

    def run_pair(self, pair, rounds):
        outcomes = []
        for n in range(rounds):
            try:
                outcomes.append(self.one_round(pair, n))
            except InteropError as e:
                who = "%s and %s" % (pair["subject"].name, pair["peer"].name)
                raise InteropError("round %d of %s: %s" % (n, who, e))
        return outcomes

    def one_round(self, pair, n):
        peer, subject = pair["peer"], pair["subject"]
        to_peer, to_us = pair["to_peer"], pair["to_us"]
        if STAND_IN:
            for side in (subject, peer):
                wait_until("no peers are left", lambda: side.peers()["n"] == "0", 10)
            subject.dial(pair["peer_addr"])
        ours = wait_until("we dial", to_peer.held, 30)[-1]
        peer.dial("%s@127.0.0.1:%d" % (subject.id, to_us.port))
        theirs = wait_until("they dial", to_us.held, 5)[-1]

        self.cross(pair["draw"], n, (to_peer, ours), (to_us, theirs))

        kept = self.settle((ours, theirs))
        if kept is None:
            return "none stays"
        since = peer.mark()
        peer.send(subject.id, 0x20, 1500, n)
        peer.wait_message(subject.id, 0x20, 1500, n, since=since)
        self.assertFalse(kept.closed, "the connection that stayed was closed later")
        table = peer.peers()
        self.assertEqual(table["running"], "1")
        lost = table["n"] != "1"

        since = peer.mark()
        peer.command("disconnect " + subject.id)
        peer.wait("peer_removed", since=since, id=subject.id)
        wait_until("the connection is closed", lambda: kept.closed, 5)
        # A Go switch can drop a peer from its set that goes on living, see peer() in its stack.go.
        return "one stays, unknown to the Go switch" if lost else "one stays"

    def cross(self, draw, n, first, second):
        """Lets both connections go."""
        if draw.random() < 0.5:
            first, second = second, first
        if n % 3 == 0:  # no delays: it is decided by microseconds
            first[0].release(first[1])
            time.sleep(draw.uniform(0, OFFSET_MAX))
            second[0].release(second[1])
            return
        # What the target says is later: each dialer is the last to know that its dial succeeded.
        # Or what the dialer says is later: each is the first.
        delays = (SHORT, LONG) if n % 3 == 1 else (LONG, SHORT)
        for relay, conn in (first, second):
            relay.release(conn, delays)

    def settle(self, conns):
        """Waits until one of the two is closed and the other has stayed for a while; None when
        both are closed."""
        deadline = time.monotonic() + SETTLE
        while time.monotonic() < deadline:
            left = [c for c in conns if not c.closed]
            if not left:
                return None
            if len(left) == 1:
                time.sleep(0.3)
                if not left[0].closed:
                    return left[0]
            time.sleep(0.02)
        raise InteropError("both connections are still open after %.0f s" % SETTLE)


def add_tests():
    for stack in ("tendermint-0.22", "cometbft-v0.38", "cometbft-v0.40"):
        word = stack.replace("-", "_").replace(".", "_")
        setattr(CrossedTest, "test_" + word, lambda self, s=stack: self.crossed(s))


add_tests()

if __name__ == "__main__":
    unittest.main()
