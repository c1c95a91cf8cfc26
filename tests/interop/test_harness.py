# SPDX-License-Identifier: Apache-2.0
"""The harness itself: events, payloads, keys, the relay, and the Go peers among themselves."""

import socket
import unittest

from harness import (STACKS, Event, InteropError, InteropTest, Relay, digest, id_of_seed,
                     node_key_json, payload, wait_until)

KEY_OF_ONES = ("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQGKiOPddAnxlf1S2y08ul1yymcJvx2UEhvz"
               "dIgBtA9vXA==")


class HarnessTest(InteropTest):
    def test_events(self):
        e = Event(r'peer_removed id=ab reason="EOF \"x\" \\ \u00e9" n=')
        self.assertEqual(e.name, "peer_removed")
        self.assertEqual(e.fields, {"id": "ab", "reason": 'EOF "x" \\ \u00e9', "n": ""})
        self.assertTrue(e.matches("peer_removed", {"id": "ab"}))
        self.assertFalse(e.matches("peer_removed", {"id": "abc"}))

    def test_keys_are_the_published_ones(self):
        self.assertEqual(id_of_seed("01" * 32), "34750f98bd59fcfc946da45aaabe933be154a4b5")
        self.assertIn(KEY_OF_ONES, node_key_json("01" * 32))

    def test_payloads_are_the_same_in_go(self):
        peer = self.peer("cometbft-v0.38")
        other = self.peer("cometbft-v1.0", dial=[peer.full_addr])
        other.wait("peer_added")
        for length, seed in ((0, 1), (1, 2), (31, 3), (32, 4), (33, 5), (5000, 2**63)):
            other.send(peer.id, 0x20, length, seed)
            sent = other.wait("sent", len=length)
            self.assertEqual(sent["sha256"], digest(payload(seed, length)))
            peer.wait_message(other.id, 0x20, length, seed)

    def test_every_cometbft_talks_to_every_other(self):
        names = [s for s in STACKS if s.startswith("cometbft")]
        peers = [self.peer(s) for s in names]
        for i, a in enumerate(peers):
            for b in peers[i + 1:]:
                a.dial_until_ok(b.full_addr)
                b.wait("peer_added", id=a.id, outbound="false")
                a.send(b.id, 0x21, 3000, i)
                b.wait_message(a.id, 0x21, 3000, i)
                b.send(a.id, 0x80, 3000, i)
                a.wait_message(b.id, 0x80, 3000, i)
        for p in peers:
            table = p.peers()
            self.assertEqual((table["n"], table["running"]), ("2", "2"))

    def test_commands_and_their_errors(self):
        peer = self.peer("tendermint-0.22")
        for line in ("nonsense", "send * 20 1 1", "send x zz 1 1", "send x 20 -1 1",
                     "disconnect nobody"):
            since = peer.mark()
            peer.command(line)
            self.assertEqual(peer.wait("command_failed", since=since)["command"], line)
        peer.send("0" * 40, 0x20, 1, 1)
        peer.wait("send_failed", ch="0x20")
        peer.dial("0" * 40 + "@127.0.0.1:1")
        peer.wait("dial_failed")
        self.assertEqual(peer.stop(), 0)

    def test_known_limits_of_go(self):
        """A full final packet on a channel above 0x7f ends a CometBFT connection."""
        peer = self.peer("cometbft-v0.40")
        other = self.peer("cometbft-v0.40", dial=[peer.full_addr])
        other.wait("peer_added")
        other.send(peer.id, 0x80, 1023, 1)
        peer.wait_message(other.id, 0x80, 1023, 1)
        other.send(peer.id, 0x80, 1024, 1)
        self.assertIn("1035 > 1034", peer.wait("peer_removed", id=other.id)["reason"])

    def test_relay(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            relay = self.own(Relay(server.getsockname()[1], hold=True))
            client = socket.create_connection(("127.0.0.1", relay.port))
            client.sendall(b"early")
            held = wait_until("it is held", relay.held, 5)
            self.assertEqual(relay.alive(), [])
            relay.release(held[0])
            inside, _ = server.accept()
            self.assertEqual(inside.recv(5), b"early")
            inside.sendall(b"late")
            self.assertEqual(client.recv(4), b"late")
            self.assertEqual(len(relay.alive()), 1)
            inside.close()
            self.assertEqual(client.recv(1), b"")
            wait_until("it is gone", lambda: not relay.alive(), 5)
            gone = socket.create_connection(("127.0.0.1", relay.port))
            wait_until("it is held", relay.held, 5)
            gone.close()
            wait_until("it has given up", lambda: not relay.held(), 5)
            client.close()

    def test_waiting_fails_with_the_name_of_the_log(self):
        peer = self.peer("cometbft-v0.38")
        with self.assertRaisesRegex(InteropError, "peer-cometbft-v0.38.err"):
            peer.wait("peer_added", 0.1)
        peer.kill()
        with self.assertRaisesRegex(InteropError, "ended"):
            peer.wait("peer_added", 5)


if __name__ == "__main__":
    unittest.main()
