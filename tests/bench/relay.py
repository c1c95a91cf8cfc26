# SPDX-License-Identifier: Apache-2.0
"""A TCP relay in a process of its own that delays each direction, for rows with latency."""

import collections
import os
import selectors
import signal
import socket
import time

CHUNK = 256 * 1024
WINDOW = 64 << 20  # bytes under way in one direction


class Direction:
    """What goes from one socket to the other: chunks, each with the time when it may leave."""

    def __init__(self, source, to):
        self.source, self.to = source, to
        self.chunks = collections.deque()
        self.held = 0
        self.ended = self.blocked = False

    def wants_read(self):
        return not self.ended and self.held < WINDOW

    def take(self, delay):
        data = self.source.recv(CHUNK)
        self.ended = not data
        self.held += len(data)
        self.chunks.append((time.monotonic() + delay, memoryview(data)))  # empty: the end

    def send_due(self, now):
        self.blocked = False
        while self.chunks and self.chunks[0][0] <= now:
            due, data = self.chunks[0]
            if not data:
                self.to.shutdown(socket.SHUT_WR)
                self.chunks.popleft()
                continue
            try:
                sent = self.to.send(data)
            except BlockingIOError:
                self.blocked = True
                return
            self.held -= sent
            if sent == len(data):
                self.chunks.popleft()
            else:
                self.chunks[0] = (due, data[sent:])


def interest(selector, sock, events):
    registered = selector.get_map().get(sock.fileno())
    if registered is None and events:
        selector.register(sock, events)
    elif registered is not None and not events:
        selector.unregister(sock)
    elif registered is not None and registered.events != events:
        selector.modify(sock, events)


def pump(listener, target, delay):
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    into, out_of = {}, {}  # by socket: the direction that ends there, that begins there
    while True:
        now = time.monotonic()
        for direction in out_of.values():
            direction.send_due(now)
        for sock, direction in out_of.items():
            interest(selector, sock, (selectors.EVENT_READ if direction.wants_read() else 0) |
                     (selectors.EVENT_WRITE if into[sock].blocked else 0))
        due = [d.chunks[0][0] for d in out_of.values() if d.chunks and not d.blocked]
        wait = max(0.0, min(due) - time.monotonic()) if due else None
        for key, events in selector.select(wait):
            if key.fileobj is listener:
                ends = listener.accept()[0], socket.create_connection(target)
                for source, to in (ends, ends[::-1]):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    source.setblocking(False)
                    out_of[source] = into[to] = Direction(source, to)
            elif events & selectors.EVENT_READ:
                out_of[key.fileobj].take(delay)


class Relay:
    def __init__(self, addr, delay_ms):
        prefix, _, place = addr.rpartition("@")
        host, port = place.rsplit(":", 1)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addr = "%s%s127.0.0.1:%d" % (prefix, "@" if prefix else "",
                                          listener.getsockname()[1])
        self.pid = os.fork()
        if self.pid == 0:
            try:
                pump(listener, (host, int(port)), delay_ms / 1000)
            finally:
                os._exit(0)
        listener.close()

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
