# SPDX-License-Identifier: Apache-2.0
"""Complete nodes keep us as a peer, in both directions, past two of their pings.

The four nodes run at the same time.  One of us dials all of them, another is dialed by all of them.
Each node lists both in /net_info, sends both its consensus traffic on channel 0x20 and, more than
two ping intervals later, still lists the same two connections.
"""

import time
import unittest

from harness import NETWORK, STACKS, wait_until
from subject import PROFILES, STAND_IN, SubjectTest, Yard

HOLD = 127  # seconds; a node pings every 60
CONSENSUS_STATE = 0x20
ROUND_STEP = 20  # bytes; the least that a node says at once, and more than a ping and a pong


class NodesTest(SubjectTest):
    def subjects(self, name, nodes=()):
        """What the nodes meet, by profile: one of us for both, or one stand-in each."""
        if not STAND_IN:
            one = self.subject(name, channels=(CONSENSUS_STATE,),
                               persistent=[n.full_addr for n in nodes])
            return {profile: one for profile in PROFILES}
        return {profile: self.subject(name, profile=profile, channels=(CONSENSUS_STATE,),
                                      persistent=[n.full_addr for n in nodes
                                                  if n.profile == profile])
                for profile in PROFILES}

    def test_listed_and_fed_past_two_pings(self):
        dialed = self.subjects("yard-dialed")
        nodes = [self.node(stack, persistent=[dialed[profile].full_addr])
                 for stack, (_, profile) in STACKS.items()]
        for node in nodes:
            node.wait_ready()
        dialer = self.subjects("yard-dialer", nodes=nodes)

        # node -> direction -> when the node's monitor of that connection began
        born = {}
        for node in nodes:
            for subject, outbound in ((dialed[node.profile], True), (dialer[node.profile], False)):
                entry = wait_until("%s lists %s" % (node.name, subject.name),
                                   lambda: node.peer_entry(subject.id), 20, 0.2)
                self.assertEqual(entry["is_outbound"], outbound, node.name)
                self.assertEqual(entry["node_info"]["moniker"], subject.name)
                born[node.name, outbound] = entry["connection_status"]["SendMonitor"]["Start"]

                wait_until("%s is fed by %s and hears its echo" % (subject.name, node.name),
                           lambda: min(self.monitors(node, subject)) >= ROUND_STEP, 10, 0.2)

        started = time.monotonic()
        before = {k: self.monitors(n, self.of(n, k[1], dialed, dialer)) for n in nodes
                  for k in ((n.name, True), (n.name, False))}
        while time.monotonic() - started < HOLD:
            time.sleep(5)
            for node in nodes:
                self.assertTrue(node.alive(), "%s ended, see %s" % (node.name, node.err_path))

        for node in nodes:
            for outbound in (True, False):
                with self.subTest(node=node.name, they_dial=outbound):
                    subject = self.of(node, outbound, dialed, dialer)
                    entry = node.peer_entry(subject.id)
                    self.assertIsNotNone(entry, "no longer a peer")
                    self.assertEqual(entry["connection_status"]["SendMonitor"]["Start"],
                                     born[node.name, outbound], "not the same connection any more")
                    self.check_traffic(node, subject, before[node.name, outbound])

    def test_probe(self):
        """`yard probe`, told nothing but the address, is accepted and its ping answered."""
        self.yard_only("there is nothing to probe with")
        nodes = [self.node(stack) for stack in STACKS]
        for node in nodes:
            node.wait_ready()
            with self.subTest(node=node.name):
                status, doc = Yard.probe(node.full_addr)
                self.assertEqual(status, 0, doc)
                self.assertEqual((doc["profile"], doc["id"]), (node.profile, node.id))
                self.assertEqual(doc["node_info"]["network"], NETWORK)

    def of(self, node, outbound, dialed, dialer):
        return (dialed if outbound else dialer)[node.profile]

    def monitors(self, node, subject):
        """Bytes that the node counts as sent to us and as received from us."""
        status = node.peer_entry(subject.id)["connection_status"]
        return int(status["SendMonitor"]["Bytes"]), int(status["RecvMonitor"]["Bytes"])

    def check_traffic(self, node, subject, before):
        """All the time they sent us consensus messages, and our echo shows that we got them."""
        if node.stack == "tendermint-0.22":
            return  # it does not reach height 1, so it has no more to say than its first round step
        sent, received = (now - then for now, then in zip(self.monitors(node, subject), before))
        self.assertGreater(sent, 10_000, "hardly any consensus traffic")
        self.assertGreater(received, 0.9 * sent, "hardly an echo of it")


if __name__ == "__main__":
    unittest.main()
