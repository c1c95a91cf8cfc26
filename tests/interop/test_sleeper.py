# SPDX-License-Identifier: Apache-2.0
"""A reactor of ours sleeps while a real CometBFT peer goes on talking.

The subject is sleeper/sleeper.c: an isolated reactor on channel 0x22, and on 0x20 and 0x21 messages
that the peer echoes, whose round trips it measures.  While the receive budget of 0x22 lasts, no
connection ends and nothing is lost; with 1 MB/s coming in for the sleeper, each policy for a full
mailbox does what channel.h says.  Times are printed, not judged.  With SY_INTEROP_LONG=1 (`make
interop-long`) the reactor sleeps for 90 s, past a whole ping interval and its time-out; otherwise
for a few seconds.
"""

import concurrent.futures
import os
import threading
import time
import unittest
from pathlib import Path

from harness import InteropError, InteropTest, Process, wait_until
from subject import STAND_IN, yard_path

STACK = "cometbft-v0.38"
LONG = os.environ.get("SY_INTEROP_LONG", "") not in ("", "0")
BEFORE, SLEEP, FLOOD = (20, 90, 20) if LONG else (2, 5, 2)
MESSAGE = 4000
COST = MESSAGE + 128  # what a message counts in a mailbox
BUDGET = 4 << 20      # the default of a channel
SMALL = 512 << 10     # full within a second of the flood
MEGABYTE = 1_000_000


class Sleeper(Process):
    """The subject, once it listens."""

    def __init__(self, name, log_dir, policy, budget, remote):
        path = Path(yard_path()).resolve().parent / "interop-sleeper"
        if not path.exists():
            raise InteropError("%s does not exist; it is built with yard" % path)
        super().__init__(name, [path, name, "cometbft", policy, budget, remote], log_dir)
        self.id = self.wait("ready", 20)["id"]

    def ask(self, command, event):
        since = self.mark()
        self.command(command)
        return self.wait(event, since=since)

    def report(self):
        """The state of the sleeper and of its mailbox, as numbers."""
        return {k: int(v) for k, v in self.ask("report", "report").fields.items()}

    def probes(self):
        """What the probes since the last call have seen, by channel."""
        since = self.mark()
        self.command("mark")
        return [self.wait("probes", since=since, channel="0x%02x" % c).fields for c in (0x20, 0x21)]

    def finish(self):
        """The end of the input ends it; it must do so cleanly."""
        self.child.stdin.close()
        try:
            status = self.child.wait(20)
        except Exception:
            self.kill()
            raise self.error("did not end")
        self._close()
        if status != 0:
            raise self.error("exit status %d" % status)


class Flow:
    """Lets the peer send so many bytes per second to the sleeper, in seeds 1, 2, 3 ..."""

    def __init__(self, peer, to, rate):
        self.peer, self.to, self.rate = peer, to, rate
        self.asked, self.stopped = 0, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        began = time.monotonic()
        while not self.stopped.wait(0.05):
            due = int((time.monotonic() - began) * self.rate / MESSAGE) - self.asked
            if due > 0:
                self.peer.send(self.to, 0x22, MESSAGE, self.asked + 1, due)
                self.asked += due

    def stop(self):
        """Ends it; the number of messages that are or will be on their way."""
        self.stopped.set()
        self.thread.join()
        return self.asked


# SPEC-TEST RX-07, RX-10, RX-11, RX-12, RX-18, RX-19
@unittest.skipIf(STAND_IN, "stand-in: the reactor that sleeps is ours")
class SleeperTest(InteropTest):
    def pair(self, policy, budget, extra=()):
        # The peer collects what it sends for up to 100 ms, unless told otherwise.
        extra = ["--echo", "--flush-ms", "2", *extra]
        peer = self.peer(STACK, channels="20,21,22", extra=extra)
        name = self.unique("sleeper-" + policy)
        subject = Sleeper(name, self.log_dir, policy, budget, peer.full_addr)
        self.addCleanup(subject.finish)
        peer.wait("peer_added", id=subject.id)
        subject.wait("peer_added")
        subject.command("probe 5")
        return peer, subject

    def say(self, what, before, during):
        for name, probes in (("before", before), ("asleep", during)):
            for p in probes:
                print("%-22s %s 0x%s: n=%-6s p50=%.2f ms p99=%.2f ms max=%.2f ms" % (
                    what, name, p["channel"][2:], p["n"], int(p["p50_us"]) / 1e3,
                    int(p["p99_us"]) / 1e3, int(p["max_us"]) / 1e3), flush=True)

    def assert_connected(self, peer, subject):
        self.assertEqual(subject.find("peer_removed"), [])
        self.assertEqual(peer.find("peer_removed"), [])

    def wait_over(self, subject, timeout=30):
        """Until the sleeper is awake and has dealt with all that waited."""
        def over():
            r = subject.report()
            return r if r["asleep"] == 0 and r["waiting"] == 0 and r["bytes"] == 0 else None
        return wait_until("%s has dealt with its mailbox" % subject.name, over, timeout, 0.2)

    def finish_probes(self, subject):
        """Every probe was answered, in order."""
        subject.command("probe 0")

        def answered():
            return all(p["sent"] == p["answered"] for p in subject.probes())
        wait_until("all probes are answered", answered, 10, 0.1)
        self.assertEqual([p["disorder"] for p in subject.probes()], ["0", "0"])

    def test_no_peer_is_lost_while_the_budget_lasts(self):
        peer, subject = self.pair("disconnect", BUDGET)
        flow = Flow(peer, subject.id, 0.8 * BUDGET / COST * MESSAGE / (SLEEP + 1))
        time.sleep(BEFORE)
        before = subject.probes()
        subject.command("sleep %d" % (SLEEP * 1000))
        time.sleep(SLEEP - 0.5)
        during, asleep = subject.probes(), subject.report()
        sent = flow.stop()
        self.say("%d s, %.0f B/s" % (SLEEP, flow.rate), before, during)

        self.assertEqual(asleep["asleep"], 1)
        self.assertGreater(asleep["waiting"], 100)
        self.assertGreater(int(during[0]["n"]), 0)
        self.assertGreater(int(during[1]["n"]), 0)
        self.assert_connected(peer, subject)
        warnings = subject.find("slow")
        self.assertTrue(warnings and all(
            w["reactor"] == "sleeper" and w["channel"] == "0x22" and int(w["queue_messages"]) > 0
            and float(w["age_ms"]) >= 1000 for w in warnings), warnings)
        self.wait_over(subject)
        wait_until("all has come", lambda: subject.report()["received"] == sent, 20, 0.2)
        after = subject.report()
        self.assertEqual((after["last"], after["missing"], after["strangers"]), (sent, 0, 0))
        self.assertEqual((after["dropped_newest"], after["dropped_oldest"]), (0, 0))
        self.finish_probes(subject)
        self.assert_connected(peer, subject)
        print("%d messages waited in %d bytes, oldest %d ms, %d warnings; %d received, none missing"
              % (asleep["waiting"], asleep["bytes"], asleep["age_ms"], len(warnings), sent))

    # ---- a full mailbox, 1 MB/s coming in

    def flood(self, policy, arrived, seconds=FLOOD):
        """Awake, then asleep while the flood goes on, and until arrived(report, messages sent) says
        that it is over: (peer, subject, messages, report).  It still sleeps then."""
        peer, subject = self.pair(policy, SMALL)
        flow = Flow(peer, subject.id, MEGABYTE)
        time.sleep(BEFORE / 2)
        before = subject.probes()
        subject.command("sleep 300000")
        time.sleep(seconds)
        sent = flow.stop()

        def over():
            report = subject.report()
            return report if arrived(report, sent) else None
        asleep = wait_until("%s has what was sent" % subject.name, over, 20, 0.1)
        self.say(policy, before, subject.probes())
        self.assertEqual(asleep["asleep"], 1)
        return peer, subject, sent, asleep

    @staticmethod
    def all_counted(report, sent):
        # one is in the reactor's hands
        return sent == 1 + sum(report[k] for k in ("received", "waiting", "dropped_newest",
                                                   "dropped_oldest"))

    def wake(self, subject):
        subject.command("sleep 0")
        return self.wait_over(subject)

    def drop_newest(self):
        peer, subject, sent, asleep = self.flood("drop_newest", self.all_counted)
        self.assertLessEqual(asleep["bytes"], SMALL)
        self.assertGreater(asleep["bytes"], SMALL - COST)
        self.assertGreater(asleep["dropped_newest"], 100)
        end = self.wake(subject)
        # the first ones, without a gap, and no other
        self.assertEqual(end["received"] + end["dropped_newest"], sent)
        self.assertEqual((end["last"], end["gaps"], end["strangers"]), (end["received"], 0, 0))
        self.assertEqual(end["dropped_oldest"], 0)
        self.finish_probes(subject)
        self.assert_connected(peer, subject)
        return "drop newest: %d sent, %d received, %d dropped" % (
            sent, end["received"], end["dropped_newest"])

    def drop_oldest(self):
        peer, subject, sent, asleep = self.flood("drop_oldest", self.all_counted)
        self.assertLessEqual(asleep["bytes"], SMALL)
        self.assertGreater(asleep["dropped_oldest"], 100)
        end = self.wake(subject)
        # one gap, and then the last ones
        self.assertEqual(end["received"] + end["dropped_oldest"], sent)
        self.assertEqual((end["last"], end["gaps"], end["strangers"]), (sent, 1, 0))
        self.assertEqual(end["missing"], end["dropped_oldest"])
        self.assertEqual(end["dropped_newest"], 0)
        self.finish_probes(subject)
        self.assert_connected(peer, subject)
        return "drop oldest: %d sent, %d received, %d dropped" % (
            sent, end["received"], end["dropped_oldest"])

    def disconnect(self):
        peer, subject, _, asleep = self.flood(
            "disconnect", lambda report, _: report["waiting"] > SMALL // COST - 2)
        removed = subject.wait("peer_removed", 5)
        self.assertEqual(removed["reason"], "RECV_BUDGET")
        self.assertIn("reactor sleeper", removed["detail"])
        self.assertIn("channel 0x22", removed["detail"])
        peer.wait("peer_removed", 5, id=subject.id)
        # what was taken before is still delivered, then the reactor hears of the end
        self.assertEqual((asleep["added"], asleep["removed"]), (1, 0))
        self.wake(subject)
        end = wait_until("peer_removed comes", lambda: self.if_removed(subject), 10)
        self.assertGreater(end["received"], SMALL // COST)
        self.assertEqual((end["last"], end["missing"], end["strangers"]), (end["received"], 0, 0))
        return "disconnect: ended with %s, %d received before: %s" % (
            removed["reason"], end["received"], removed["detail"])

    @staticmethod
    def if_removed(subject):
        report = subject.report()
        return report if report["removed"] == 1 else None

    def pause(self):
        # not for longer than the peer is willing to wait with a message, which is 10 s
        peer, subject, sent, asleep = self.flood(
            "pause", lambda report, _: report["paused"] == 1, min(FLOOD, 5))
        # nothing of the connection is read: the other channels wait, too
        self.assertEqual(asleep["paused"], 1)
        self.assertEqual([p["n"] for p in subject.probes()], ["0", "0"])
        again = subject.report()
        self.assertEqual(again["bytes"], asleep["bytes"])
        self.assert_connected(peer, subject)
        self.wake(subject)
        wait_until("all has come", lambda: subject.report()["received"] == sent, 30, 0.2)
        end = subject.report()
        self.assertEqual((end["last"], end["missing"], end["strangers"]), (sent, 0, 0))
        self.assertEqual((end["dropped_newest"], end["dropped_oldest"], end["paused"]), (0, 0, 0))
        self.finish_probes(subject)
        self.assert_connected(peer, subject)
        return "pause: %d sent, %d received, none dropped" % (sent, end["received"])

    def pause_for_long(self):
        peer, subject = self.pair("pause", SMALL, ["--ping-ms", "3000", "--pong-ms", "2000"])
        flow = Flow(peer, subject.id, MEGABYTE)
        time.sleep(BEFORE / 2)
        began = time.monotonic()
        subject.command("sleep 60000")
        # a Go peer whose writes are blocked notices no missing pong, so they may not be for long
        wait_until("nothing more is read", lambda: subject.report()["paused"] == 1, 20, 0.1)
        flow.stop()
        # its pings are not read: it drops us after its own time-out
        removed = peer.wait("peer_removed", 20, id=subject.id)
        took = time.monotonic() - began
        self.assertIn("pong timeout", removed["reason"])
        self.assertEqual(subject.report()["asleep"], 1)
        subject.command("sleep 0")
        end = wait_until("peer_removed comes", lambda: self.if_removed(subject), 20)
        self.assertEqual((end["last"], end["missing"], end["strangers"]), (end["received"], 0, 0))
        return "pause for long: the peer leaves after %.1f s (%s); %d received, without a gap" % (
            took, removed["reason"], end["received"])

    def test_full_mailbox(self):
        cases = (self.drop_newest, self.drop_oldest, self.disconnect, self.pause,
                 self.pause_for_long)
        # Side by side when time matters more than the figures.
        with concurrent.futures.ThreadPoolExecutor(1 if LONG else len(cases)) as pool:
            for done in [pool.submit(case) for case in cases]:
                print(done.result())


if __name__ == "__main__":
    unittest.main()
