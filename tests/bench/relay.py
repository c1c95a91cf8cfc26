# SPDX-License-Identifier: Apache-2.0
"""A TCP relay in a process of its own that delays each direction, for rows with latency."""

import heapq
import itertools
import os
import selectors
import signal
import socket
import time

CHUNK = 256 * 1024
WINDOW = 64 << 20  # bytes under way in one direction


def pump(listener, target, delay):
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    other, waiting, order = {}, [], itertools.count()
    under_way = {}
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            due, number, to, source, data = waiting[0]
            try:
                sent = to.send(data)
            except BlockingIOError:
                heapq.heapreplace(waiting, (now + 0.0005, number, to, source, data))
                continue
            except OSError:
                return
            under_way[source] -= sent
            if sent < len(data):
                heapq.heapreplace(waiting, (due, number, to, source, data[sent:]))
            else:
                heapq.heappop(waiting)
        wait = max(0.0, waiting[0][0] - now) if waiting else None
        for key, _ in selector.select(wait):
            if key.fileobj is listener:
                a, b = listener.accept()[0], socket.create_connection(target)
                for s, peer in ((a, b), (b, a)):
                    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    s.setblocking(False)
                    other[s], under_way[s] = peer, 0
                    selector.register(s, selectors.EVENT_READ)
                continue
            source = key.fileobj
            if under_way[source] >= WINDOW:
                time.sleep(0.0005)
                continue
            try:
                data = source.recv(CHUNK)
            except OSError:
                return
            if not data:
                selector.unregister(source)
                continue
            under_way[source] += len(data)
            heapq.heappush(waiting, (time.monotonic() + delay, next(order), other[source], source,
                                     data))


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
