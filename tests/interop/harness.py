# SPDX-License-Identifier: Apache-2.0
"""Starts, drives and stops the programs of the interop tests.

A Process writes its standard error to a file and has its standard output read by a thread: each
line is an event, a word followed by key=value pairs, and tests wait for events.  Peer is one of our
Go programs, Node a complete node, Relay a TCP forwarder that can hold a connection back.  What is
under test is in subject.py.
"""

import ast
import hashlib
import json
import os
import queue
import re
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.request
from pathlib import Path

from build import build_dir

# Every time-out is multiplied by this: a sanitizer build on a loaded machine is slow.
SCALE = float(os.environ.get("SY_INTEROP_SCALE", "1"))
NETWORK = "interop-net"

# stack name -> (program, profile)
STACKS = {
    "tendermint-0.22": ("tmpeer-0.22", "tendermint"),
    "cometbft-v0.38": ("cmtpeer-v0.38", "cometbft"),
    "cometbft-v1.0": ("cmtpeer-v1.0", "cometbft"),
    "cometbft-v0.40": ("cmtpeer-v0.40", "cometbft"),
}


class InteropError(AssertionError):
    """Something that a test waited for did not happen; the text names the log files."""


def program(name):
    path = build_dir() / "bin" / name
    if not path.exists():
        raise InteropError("%s is not built; run tests/interop/build.py" % path)
    return str(path)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def payload(seed, length):
    """The bytes that a seed and a length stand for, as the Go programs make them."""
    head, blocks = seed.to_bytes(8, "little"), (length + 31) // 32
    return b"".join(hashlib.sha256(head + n.to_bytes(8, "little")).digest()
                    for n in range(blocks))[:length]


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def wait_until(what, check, timeout, interval=0.02):
    """Calls check() until it returns something true, which is returned."""
    deadline = time.monotonic() + timeout * SCALE
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise InteropError("not within %.0f s: %s" % (timeout * SCALE, what))
        time.sleep(interval)


class Event:
    """One line of standard output: e.name and e["key"]."""

    PAIR = re.compile(r' ([A-Za-z0-9_]+)=("(?:[^"\\]|\\.)*"|\S*)')

    def __init__(self, line):
        self.line, self.at = line, time.monotonic()
        self.name = line.split(" ", 1)[0]
        self.fields = {}
        for key, value in self.PAIR.findall(line[len(self.name):]):
            self.fields[key] = ast.literal_eval(value) if value.startswith('"') else value

    def __getitem__(self, key):
        return self.fields[key]

    def matches(self, name, fields):
        return self.name == name and all(self.fields.get(k) == str(v) for k, v in fields.items())

    def __repr__(self):
        return "<%s>" % self.line


class Process:
    """A child process whose standard output is a list of events."""

    def __init__(self, name, cmd, log_dir, env=None):
        self.name, self.cmd = name, [str(c) for c in cmd]
        self.out_path = Path(log_dir) / (name + ".out")
        self.err_path = Path(log_dir) / (name + ".err")
        self.events, self.changed = [], threading.Condition()
        with open(self.err_path, "ab") as err:
            err.write(("$ %s\n" % " ".join(self.cmd)).encode())
            err.flush()
            self.child = subprocess.Popen(self.cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=err, env=env, start_new_session=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with open(self.out_path, "ab") as out:
            for raw in self.child.stdout:
                out.write(raw)
                out.flush()
                event = Event(raw.decode("utf-8", "replace").rstrip("\n"))
                with self.changed:
                    self.events.append(event)
                    self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def command(self, line):
        try:
            self.child.stdin.write((line + "\n").encode())
            self.child.stdin.flush()
        except OSError as e:
            raise self.error("cannot take the command %r: %s" % (line, e))

    def error(self, text):
        tail = "".join("\n    %s" % e.line for e in self.events[-8:])
        return InteropError("%s: %s\n  log: %s\n  last events:%s"
                            % (self.name, text, self.err_path, tail))

    def mark(self):
        """A position in the list of events, for the since= of the other calls."""
        with self.changed:
            return len(self.events)

    def find(self, name, since=0, **fields):
        with self.changed:
            return [e for e in self.events[since:] if e.matches(name, fields)]

    def wait(self, name, timeout=10.0, since=0, **fields):
        """The first event of this name with these fields."""
        deadline = time.monotonic() + timeout * SCALE
        with self.changed:
            while True:
                for e in self.events[since:]:
                    if e.matches(name, fields):
                        return e
                since = len(self.events)
                left = deadline - time.monotonic()
                if not self.reader.is_alive():
                    raise self.error("ended (status %s) without the event %s %s"
                                     % (self.child.poll(), name, fields))
                if left <= 0:
                    raise self.error("no event %s %s within %.1f s"
                                     % (name, fields, timeout * SCALE))
                self.changed.wait(min(left, 0.5))

    def never(self, name, seconds, since=0, **fields):
        """Fails when the event occurs within so many seconds (which are not scaled)."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                found = [e for e in self.events[since:] if e.matches(name, fields)]
                if found:
                    raise self.error("unwanted event: %s" % found[0].line)
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self.changed.wait(left)

    def log_text(self):
        return self.err_path.read_text(errors="replace")

    def alive(self):
        return self.child.poll() is None

    def kill(self):
        """Ends it at once, as a crash would."""
        if self.alive():
            os.kill(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self._close()

    def stop(self, timeout=10.0):
        """Asks it to end; returns its exit status.  One that does not is killed and reported."""
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
        try:
            status = self.child.wait(timeout * SCALE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self.error("did not end within %.0f s of SIGTERM" % (timeout * SCALE))
        self._close()
        return status

    def _close(self):
        self.reader.join(5)
        for stream in (self.child.stdin, self.child.stdout):
            try:
                stream.close()
            except OSError:
                pass


class Peer(Process):
    """One of our programs on a real p2p stack."""

    def __init__(self, stack, name, log_dir, *, network=NETWORK, channels="20,21,80,ff", port=0,
                 key_seed=None, dial=(), persistent=(), extra=()):
        self.stack, (binary, self.profile) = stack, STACKS[stack]
        cmd = [program(binary), "--laddr", "127.0.0.1:%d" % port, "--network", network,
               "--channels", channels, "--moniker", name]
        if key_seed:
            cmd += ["--key-seed", key_seed]
        for addr in dial:
            cmd += ["--dial", addr]
        for addr in persistent:
            cmd += ["--persistent", addr]
        super().__init__(name, cmd + list(extra), log_dir)
        try:
            ready = self.wait("ready", 15)
        except InteropError:
            self.kill()
            raise
        self.id, self.addr = ready["id"], ready["addr"]
        self.port = int(self.addr.rsplit(":", 1)[1])

    @property
    def full_addr(self):
        return "%s@%s" % (self.id, self.addr)

    def dial(self, full_addr):
        self.command("dial " + full_addr)

    def dial_until_ok(self, full_addr, timeout=10):
        since = self.mark()
        self.dial(full_addr)
        self.wait("dial_ok", timeout, since, addr=full_addr)

    def send(self, peer_id, channel, length, seed, count=None):
        line = "send %s %02x %d %d" % (peer_id, channel, length, seed)
        self.command(line + (" %d" % count if count else ""))

    def wait_message(self, peer_id, channel, length, seed, timeout=10, since=0):
        """The event of a message that has exactly the bytes of (seed, length)."""
        return self.wait("message", timeout, since, id=peer_id, ch="0x%02x" % channel, len=length,
                         sha256=digest(payload(seed, length)))

    def peers(self):
        since = self.mark()
        self.command("peers")
        return self.wait("peers", since=since)


def key_seed(number):
    """A node key by number: 64 hex digits."""
    return hashlib.sha256(b"interop key %d" % number).hexdigest()


def id_of_seed(seed):
    return subprocess.run([program("cmtpeer-v0.38"), "--show-id", "--key-seed", seed],
                          check=True, capture_output=True, text=True).stdout.strip()


def node_key_json(seed):
    return subprocess.run([program("cmtpeer-v0.38"), "--show-key", "--key-seed", seed],
                          check=True, capture_output=True, text=True).stdout


class Node(Process):
    """A complete node with the kvstore application, on a home of its own or on one of a testnet."""

    def __init__(self, stack, name, log_dir, *, network=NETWORK, persistent=(), seeds=(), pex=False,
                 seed_mode=False, home=None, p2p_port=0, extra=()):
        self.stack, self.profile = stack, STACKS[stack][1]
        self.home = home or Path(log_dir) / (name + "-home")
        self.p2p_port, self.rpc_port = p2p_port or free_port(), free_port()
        binary = program(stack)
        if not self.home.exists():
            subprocess.run([binary, "init", "--home", str(self.home)], check=True,
                           capture_output=True)
        self._configure(network)
        listen = ["--p2p.laddr", "tcp://127.0.0.1:%d" % self.p2p_port,
                  "--rpc.laddr", "tcp://127.0.0.1:%d" % self.rpc_port,
                  "--p2p.pex=%s" % str(pex or bool(seeds) or seed_mode).lower(),
                  "--p2p.seed_mode=%s" % str(seed_mode).lower(),
                  "--p2p.seeds", ",".join(seeds), "--p2p.persistent_peers", ",".join(persistent)]
        if stack == "tendermint-0.22":
            cmd = [binary, "node", "--proxy_app=kvstore", "--p2p.upnp=false"]
        else:
            cmd = [binary, "start", "--proxy_app=kvstore"]
        super().__init__(name, cmd + ["--home", str(self.home)] + listen + list(extra), log_dir)
        self.id = None

    def wait_ready(self, timeout=30):
        def listening():
            if not self.alive():
                raise self.error("ended with status %s" % self.child.poll())
            return self.net_info(quiet=True).get("listening")
        wait_until("%s listens" % self.name, listening, timeout, 0.2)
        self.id = self.rpc("status")["node_info"]["id"]
        return self

    @property
    def full_addr(self):
        return "%s@127.0.0.1:%d" % (self.id, self.p2p_port)

    def _configure(self, network):
        config = self.home / "config" / "config.toml"
        text = config.read_text()
        for key, value in (("addr_book_strict", "false"), ("allow_duplicate_ip", "true")):
            text, n = re.subn(r"(?m)^%s = .*$" % key, "%s = %s" % (key, value), text)
            # v0.22.8 has no line for the second key; its default is what we want
            if n == 0 and not (key == "allow_duplicate_ip" and self.stack == "tendermint-0.22"):
                raise InteropError("%s has no key %s" % (config, key))
        config.write_text(text)
        genesis = self.home / "config" / "genesis.json"
        doc = json.loads(genesis.read_text())
        doc["chain_id"] = network
        genesis.write_text(json.dumps(doc, indent=2))

    def log_text(self):
        """A complete node logs to standard output."""
        return super().log_text() + self.out_path.read_text(errors="replace")

    @property
    def book_path(self):
        return self.home / "config" / "addrbook.json"

    def height(self):
        return int(self.rpc("status")["sync_info"]["latest_block_height"])

    def peer_ids(self):
        """The IDs of the peers that /net_info lists; none while it does not answer."""
        infos = [p["node_info"] for p in self.net_info(quiet=True).get("peers") or []]
        return {i.get("id") or i.get("default_node_id") for i in infos}

    def rpc(self, method):
        url = "http://127.0.0.1:%d/%s" % (self.rpc_port, method)
        with urllib.request.urlopen(url, timeout=5) as reply:
            return json.load(reply)["result"]

    def net_info(self, quiet=False):
        try:
            return self.rpc("net_info")
        except (OSError, ValueError, KeyError):
            if quiet:
                return {}
            raise

    def peer_entry(self, peer_id):
        """The entry of /net_info for this peer, or None."""
        for peer in self.net_info().get("peers") or []:
            info = peer["node_info"]
            if peer_id in (info.get("id"), info.get("default_node_id")):
                return peer
        return None


def testnet_homes(stack, count, folder):
    """The homes of a new network of so many validators."""
    subprocess.run([program(stack), "testnet", "--v", str(count), "--o", str(folder),
                    "--populate-persistent-peers=false"], check=True, capture_output=True)
    return [Path(folder) / ("node%d" % i) for i in range(count)]


class RelayConn:
    def __init__(self, client):
        self.client, self.server = client, None
        self.released, self.closed = False, False


class Relay:
    """Forwards TCP connections to a target; in hold mode a new one waits for release()."""

    def __init__(self, target_port, hold=False):
        self.target_port, self.hold = target_port, hold
        self.lock, self.conns = threading.Lock(), []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.stopped = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            conn = RelayConn(client)
            with self.lock:
                self.conns.append(conn)
                if self.stopped:
                    self._drop(conn)
            if not self.hold:
                self.release(conn)

    def held(self):
        """Connections that wait; one whose dialer has given up is closed and does not count."""
        with self.lock:
            waiting = [c for c in self.conns if not c.released and not c.closed]
        for c in waiting:
            try:
                if c.client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"":
                    self._drop(c)
            except BlockingIOError:
                pass
            except OSError:
                self._drop(c)
        return [c for c in waiting if not c.closed]

    def alive(self):
        with self.lock:
            return [c for c in self.conns if c.released and not c.closed]

    def release(self, conn, delays=(0, 0)):
        """Lets it through; delays are seconds for what the dialer and for what the target says."""
        conn.released = True
        try:
            conn.server = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
            conn.server.settimeout(None)
        except OSError:
            self._drop(conn)
            return
        for s in (conn.client, conn.server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for direction, ends in enumerate(((conn.client, conn.server), (conn.server, conn.client))):
            threading.Thread(target=self._pump, args=(conn, *ends, delays[direction]),
                             daemon=True).start()

    def _pump(self, conn, source, sink, delay):
        """One direction: reads here, writes in a thread of its own when each piece is due."""
        due = queue.SimpleQueue()
        threading.Thread(target=self._deliver, args=(conn, due, sink), daemon=True).start()
        try:
            data = source.recv(65536)
            while data:
                due.put((time.monotonic() + delay, data))
                data = source.recv(65536)
        except OSError:
            pass
        due.put((time.monotonic() + delay, None))

    def _deliver(self, conn, due, sink):
        try:
            while True:
                at, data = due.get()
                if at > time.monotonic():
                    time.sleep(max(0, at - time.monotonic()))
                if data is None:
                    return
                sink.sendall(data)
        except OSError:
            pass
        finally:
            self._drop(conn)

    @staticmethod
    def _drop(conn):
        conn.closed = True
        for s in (conn.client, conn.server):
            if s is not None:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                s.close()

    def stop(self):
        self.stopped = True
        self.listener.close()
        with self.lock:
            for conn in self.conns:
                self._drop(conn)


class InteropTest(unittest.TestCase):
    """A folder for the logs of each test, and an end for everything that it started."""

    def setUp(self):
        self.log_dir = build_dir() / "runs" / self.id()
        if self.log_dir.exists():
            subprocess.run(["rm", "-rf", str(self.log_dir)], check=True)
        self.log_dir.mkdir(parents=True)
        self.started = {}

    def unique(self, name):
        """A name for a process; the second of a name gets a number."""
        self.started[name] = self.started.get(name, 0) + 1
        return name if self.started[name] == 1 else "%s-%d" % (name, self.started[name])

    def own(self, thing):
        """Stops it when the test ends.  The exit status of a Go peer is nobody's concern here."""
        self.addCleanup(thing.kill if isinstance(thing, Process) else thing.stop)
        return thing

    def peer(self, stack, name=None, **kw):
        return self.own(Peer(stack, self.unique(name or "peer-" + stack), self.log_dir, **kw))

    def node(self, stack, **kw):
        return self.own(Node(stack, self.unique("node-" + stack), self.log_dir, **kw))

    def relay(self, target_port, hold=False):
        return self.own(Relay(target_port, hold))
