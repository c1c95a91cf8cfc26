# SPDX-License-Identifier: Apache-2.0
"""filter_peers: a small application on a socket decides who may be a peer."""

import signal
import socket
import threading
import time
import unittest

from harness import YardTest

# request fields echo, flush and query; is a length twice as large?
DIALECTS = {"0.22": (2, 3, 7, True), "0.34": (1, 2, 6, True), "0.38": (1, 2, 6, False)}


def varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


class Gone(Exception):
    """The other end closed."""


class App:
    """Answers whoever connects in one dialect.  `refuse` is contained in the paths that it does not
    want; a silent one answers no question."""

    def __init__(self, test, dialect, refuse=None, silent=False):
        self.echo, self.flush, self.query, self.double = DIALECTS[dialect]
        self.refuse, self.silent, self.paths = refuse, silent, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "tcp://127.0.0.1:%d" % self.listener.getsockname()[1]
        test.addCleanup(self.listener.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        with stream, stream.makefile("rb") as reader:
            try:
                while True:
                    self.answer(stream, self.read(reader))
            except (Gone, OSError):
                pass

    def read_varint(self, reader):
        number, shift = 0, 0
        while True:
            byte = reader.read(1)
            if not byte:
                raise Gone
            number |= (byte[0] & 0x7f) << shift
            shift += 7
            if byte[0] < 0x80:
                return number

    def read(self, reader):
        length = self.read_varint(reader)
        return reader.read(length // 2 if self.double else length)

    def answer(self, stream, request):
        number, body = request[0] >> 3, request[2:]  # all of them are shorter than 128 bytes
        if number == self.echo:
            reply = field(2, body)
        elif number == self.flush:
            reply = field(3, b"")
        elif number == self.query and not self.silent:
            path = body[2:2 + body[1]].decode()
            self.paths.append(path)
            wanted = self.refuse is None or self.refuse not in path
            reply = field(7, b"" if wanted else b"\x08\x01" + field(3, b"not you"))
        else:
            return
        stream.sendall(varint(len(reply) * (2 if self.double else 1)) + reply)


class FilterPeers(YardTest):
    def filtering(self, app, *flags, name="node"):
        node = self.node("--filter_peers", "true", "--proxy_app", app.address, *flags, name=name)
        node.wait_log("event=application_ready")
        return node

    # KEY-TEST filter_peers proxy_app switchyard.abci_dialect
    def test_the_application_refuses_an_id_in_each_dialect(self):
        home = self.home("unwanted")
        unwanted = self.run_yard("show-node-id", "--home", home)[0].strip()
        for dialect in DIALECTS:
            with self.subTest(dialect=dialect):
                app = App(self, dialect, refuse=unwanted)
                node = self.filtering(app, "--abci_dialect", dialect, name=f"node{dialect}")
                peer = ("--p2p.persistent_peers", node.full)
                second = self.node(*peer, name="unwanted")
                node.wait_log(f"event=connection_refused .*id={unwanted} .*reason=FILTERED .*"
                              "not you")
                third = self.node(*peer, name=f"wanted{dialect}")
                node.wait_log(f"event=peer_added .*id={third.id}")
                self.assertIn(f"/p2p/filter/id/{unwanted}", app.paths)
                self.assertTrue(any(p.startswith("/p2p/filter/addr/127.0.0.1:")
                                    for p in app.paths))
                second.stop()

    # KEY-TEST switchyard.abci_dialect
    def test_a_dialect_that_the_application_does_not_speak(self):
        node = self.node("--filter_peers", "true", "--abci_dialect", "0.38", "--proxy_app",
                         App(self, "0.22").address)
        time.sleep(1)
        self.assertNotIn("event=application_ready", node.log())
        auto = self.filtering(App(self, "0.22"), "--abci_dialect", "auto", name="auto")
        auto.wait_log("event=application_ready .*dialect=0.22")

    # KEY-TEST switchyard.filter_timeout switchyard.filter_unanswered
    def test_an_application_that_does_not_answer(self):
        for unanswered, event in (("refuse", "connection_refused .*reason=NO_VERDICT"),
                                  ("admit", "peer_added")):
            with self.subTest(unanswered=unanswered):
                node = self.filtering(App(self, "0.38", silent=True), "--filter_timeout", "300ms",
                                      "--filter_unanswered", unanswered, "--abci_dialect", "0.38",
                                      name=unanswered)
                self.node("--p2p.persistent_peers", node.full, name=f"peer-of-{unanswered}")
                begun = time.monotonic()
                node.wait_log(f"event={event}")
                self.assertLess(time.monotonic() - begun, 4.9)  # the default is 5 s

    def test_a_reload_keeps_the_application(self):
        unwanted = self.run_yard("show-node-id", "--home", self.home("unwanted"))[0].strip()
        node = self.filtering(App(self, "0.38", refuse=unwanted))
        for _ in range(2):
            node.signal(signal.SIGHUP)
        node.wait_log("event=reloaded .*changed=0 need_restart=0")
        self.node("--p2p.persistent_peers", node.full, name="unwanted")
        node.wait_log(f"event=connection_refused .*id={unwanted} .*reason=FILTERED .*not you")

    # KEY-TEST abci
    def test_only_sockets(self):
        home = self.home()
        _, err = self.run_yard("check-config", "--home", home, "--filter_peers", "true", "--abci",
                               "grpc", status=1)
        self.assertIn("flag --abci: \"grpc\": filter_peers asks over a socket only", err)
        out, _ = self.run_yard("check-config", "--home", home, "--abci", "grpc")
        self.assertIn("chain_id", out)


if __name__ == "__main__":
    unittest.main()
