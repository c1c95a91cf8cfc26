# SPDX-License-Identifier: Apache-2.0
"""Peers that must not be accepted are not, whoever dials, and both sides can tell why.

Most rules hold on both sides, so the Go peer refuses us for the same reason as we refuse it; where
only one side can know (no_channels_of_theirs, a wrong ID, duplicates) the other sees the close.
"""

import re
import unittest

from harness import STACKS, id_of_seed, key_seed
from subject import REFUSALS, SubjectTest

# SPEC-TEST NI-36, NI-37, NI-39, NI-40
# rule -> (options of the Go peer, kind of refusal, profiles)
RULES = {
    "network": (dict(network="other-net"), "network", ("tendermint", "cometbft")),
    "major_version": (dict(extra=["--version", "1.22.8"]), "version", ("tendermint",)),
    "block_version": (dict(extra=["--block-version", "12"]), "block", ("cometbft",)),
    "common_channel": (dict(channels="77"), "channels", ("tendermint", "cometbft")),
}

# SPEC-TEST NI-29, NI-36, NI-38
# differences that refuse nobody
HARMLESS = {
    "minor_version": (["--version", "0.99.1"], ("tendermint",)),
    "version_suffix": (["--version", "0.22.8-abcd"], ("tendermint",)),
    "p2p_version": (["--p2p-version", "77"], ("cometbft",)),
    "app_version": (["--app-version", "77"], ("cometbft",)),
    "software_version": (["--version", "77"], ("cometbft",)),
}


class RefusalTest(SubjectTest):
    def assertKind(self, kind, text):
        self.assertTrue(re.search(REFUSALS[kind], text, re.I),
                        "not a refusal of the kind %r: %s" % (kind, text))

    def check_echo(self, peer, subject, seed):
        since = peer.mark()
        peer.send(subject.id, 0x20, 100, seed)
        peer.wait_message(subject.id, 0x20, 100, seed, since=since)

    def rule_they_dial(self, stack, rule):
        options, kind, _ = RULES[rule]
        subject = self.subject(profile=STACKS[stack][1])
        peer = self.peer(stack, **options)
        peer.dial(subject.full_addr)
        self.assertKind(kind, peer.wait("dial_failed")["error"])
        subject.wait_refusal(kind, about=(peer.id,))
        self.assertEqual(peer.find("peer_added"), [])

    def rule_we_dial(self, stack, rule):
        options, kind, _ = RULES[rule]
        peer = self.peer(stack, **options)
        subject = self.subject(profile=STACKS[stack][1], persistent=[peer.full_addr])
        self.assertKind(kind, peer.wait("inbound_refused")["error"])
        subject.wait_refusal(kind, about=(peer.id, peer.addr))
        self.assertEqual(peer.find("peer_added"), [])

    def no_channels_of_theirs(self, stack):
        """A Go peer without channels accepts anybody, so this refusal is ours alone."""
        subject = self.subject(profile=STACKS[stack][1])
        peer = self.peer(stack, channels="", dial=[subject.full_addr])
        subject.wait_refusal("channels", about=(peer.id,))
        if not peer.find("dial_failed"):
            peer.wait("peer_removed", id=subject.id)

    # SPEC-TEST SW-10
    def wrong_id_we_dial(self, stack):
        peer = self.peer(stack)
        other = id_of_seed(key_seed(99))
        subject = self.subject(profile=STACKS[stack][1], persistent=["%s@%s" % (other, peer.addr)])
        subject.wait_refusal("wrong-id", about=(other, peer.addr))
        peer.wait("inbound_refused")
        self.assertEqual(peer.find("peer_added"), [])

    def wrong_id_they_dial(self, stack):
        subject = self.subject(profile=STACKS[stack][1])
        peer = self.peer(stack)
        peer.dial("%s@%s" % (id_of_seed(key_seed(99)), subject.addr))
        self.assertKind("wrong-id", peer.wait("dial_failed")["error"])
        peer.dial_until_ok(subject.full_addr)
        self.check_echo(peer, subject, 1)

    # SPEC-TEST SW-11
    def self_they_dial(self, stack):
        """A peer with our own key is we, wherever it runs."""
        subject = self.subject(profile=STACKS[stack][1], key_seed=key_seed(1))
        peer = self.peer(stack, key_seed=key_seed(1))
        self.assertEqual(peer.id, subject.id)
        peer.dial(subject.full_addr)
        peer.wait("dial_failed")
        subject.wait_refusal("self")
        self.assertEqual(peer.find("peer_added"), [])

    def self_we_dial(self, stack):
        peer = self.peer(stack, key_seed=key_seed(1))
        subject = self.subject(profile=STACKS[stack][1], key_seed=key_seed(1),
                               persistent=[peer.full_addr])
        subject.wait_refusal("self")
        self.assertTrue(subject.alive())
        self.assertEqual(peer.find("peer_added"), [])

    # SPEC-TEST SW-32
    def duplicate_they_dial(self, stack):
        subject = self.subject(profile=STACKS[stack][1])
        first = self.peer(stack, key_seed=key_seed(2), dial=[subject.full_addr])
        first.wait("peer_added")
        self.check_echo(first, subject, 2)
        second = self.peer(stack, key_seed=key_seed(2), dial=[subject.full_addr])
        subject.wait_refusal("duplicate", about=(first.id,))
        if not second.find("dial_failed"):
            second.wait("peer_removed", id=subject.id)
        self.check_echo(first, subject, 3)
        self.assertEqual(first.find("peer_removed"), [])

    def duplicate_we_dial(self, stack):
        peer = self.peer(stack)
        profile = STACKS[stack][1]
        first = self.subject(profile=profile, key_seed=key_seed(3), persistent=[peer.full_addr])
        peer.wait("peer_added")
        self.check_echo(peer, first, 4)
        self.subject(name="yard-twin", profile=profile, key_seed=key_seed(3),
                     persistent=[peer.full_addr])
        self.assertKind("duplicate", peer.wait("inbound_refused")["error"])
        self.check_echo(peer, first, 5)
        self.assertEqual(peer.find("peer_removed"), [])
        self.assertEqual(peer.peers()["n"], "1")

    def refused_by_their_filter(self, stack):
        """They refuse our ID after the handshake: we are told by a close and do not give up."""
        subject_key = key_seed(4)
        peer = self.peer(stack, extra=["--refuse-id", id_of_seed(subject_key)])
        subject = self.subject(profile=STACKS[stack][1], key_seed=subject_key,
                               persistent=[peer.full_addr])
        for _ in range(2):
            since = peer.mark()
            peer.wait("inbound_refused", 15, since)
        self.assertTrue(subject.alive())
        self.assertEqual(peer.find("peer_added"), [])

    def harmless(self, stack, name):
        options, _ = HARMLESS[name]
        subject = self.subject(profile=STACKS[stack][1])
        peer = self.peer(stack, extra=options, dial=[subject.full_addr])
        peer.wait("peer_added", id=subject.id)
        self.check_echo(peer, subject, 6)
        self.assertEqual(peer.find("peer_removed"), [])


def add_tests():
    def add(name, stack, method, *args):
        word = stack.replace("-", "_").replace(".", "_")
        setattr(RefusalTest, "test_%s_%s" % (name, word),
                lambda self: getattr(self, method)(stack, *args))

    for stack, (_, profile) in STACKS.items():
        for rule, (_, _, profiles) in RULES.items():
            if profile in profiles:
                add(rule + "_they_dial", stack, "rule_they_dial", rule)
                add(rule + "_we_dial", stack, "rule_we_dial", rule)
        for name, (_, profiles) in HARMLESS.items():
            if profile in profiles:
                add("accepted_" + name, stack, "harmless", name)
        for method in ("no_channels_of_theirs", "wrong_id_we_dial", "wrong_id_they_dial",
                       "self_they_dial", "self_we_dial", "duplicate_they_dial",
                       "duplicate_we_dial", "refused_by_their_filter"):
            add(method, stack, method)


add_tests()

if __name__ == "__main__":
    unittest.main()
