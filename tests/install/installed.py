# SPDX-License-Identifier: Apache-2.0
"""What the install tests share: the tree, running commands, the examples as running programs."""

import os
import signal
import subprocess
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.environ.get("SY_INSTALL_WORK", os.path.join(ROOT, "build", "install-test"))
PROGRAMS = ("count", "ask", "chat", "stream", "request", "two_switches", "embed_ev", "embed_epoll",
            "simulate")
STRICT = ("-O2 -std=gnu11 -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow "
          "-Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Wformat=2 -Wvla -Werror")


def run(*words, env=None, cwd=ROOT, check=True):
    """The output (both streams) of a command that must succeed."""
    done = subprocess.run(words, env=environment(env), cwd=cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def environment(more):
    """Ours without what a sanitized or parallel build leaves there."""
    env = {k: v for k, v in os.environ.items()
           if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CFLAGS", "CPPFLAGS", "LDFLAGS",
                        "LD_LIBRARY_PATH", "DESTDIR")}
    env.update(more or {})
    return env


def public_headers():
    import sys
    sys.path.insert(0, os.path.join(ROOT, "scripts"))
    import symbols
    return sorted(os.path.basename(path) for path in symbols.public_headers(ROOT))


class Program:
    """A running example, its output line by line."""

    def __init__(self, path, *args, env=None):
        self.process = subprocess.Popen([path, *args], env=environment(env),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, part, seconds=20):
        """The first line that contains part."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in list(self.lines):
                if part in line:
                    return line
            if self.process.poll() is not None:
                self.reader.join()
                for line in self.lines:
                    if part in line:
                        return line
                break
            time.sleep(0.01)
        raise AssertionError(f"{self.process.args}: no '{part}' in {self.lines}")

    def address(self):
        return self.wait_for("@").split()[-1]

    def write(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end(self, seconds=20):
        """Waits for the end; the status."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        status = self.process.wait(seconds)
        self.reader.join()
        self.process.stdout.close()
        return status

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()


class Examples:
    """The examples in a folder `self.bin`, run with `self.env`.  Mixed into TestCase classes."""

    def start(self, name, *args):
        program = Program(os.path.join(self.bin, name), *args, env=self.env)
        self.addCleanup(program.kill)
        return program

    def test_count_answers_ask(self):
        count = self.start("count", "127.0.0.1:0")
        ask = self.start("ask", count.address(), "hello")
        self.assertEqual(ask.end(), 0)
        self.assertEqual(ask.lines, ["5 bytes"])
        self.assertEqual(count.interrupt(), 0)

    def test_ask_says_why_there_is_no_connection(self):
        count = self.start("count", "127.0.0.1:0")
        address = count.address()
        wrong = ("0" if address[0] != "0" else "1") + address[1:]
        ask = self.start("ask", wrong, "hello")
        self.assertEqual(ask.end(), 1)
        ask.wait_for("no connection: authenticated ID is not the dialed ID")

    def test_chat_of_two(self):
        alice = self.start("chat", "alice", "127.0.0.1:0")
        bob = self.start("chat", "bob", "127.0.0.1:0", alice.address())
        alice.wait_for("* bob joined")
        bob.wait_for("* alice joined")
        alice.write("hello bob\n")
        bob.wait_for("alice: hello bob")
        bob.write("clear \x1b[2J screen\n/who\n")
        alice.wait_for("bob: clear ?[2J screen")
        self.assertIn("alice (persistent", bob.wait_for(" alice ("))
        alice.write("/quit\n")
        self.assertEqual(alice.end(), 0)
        bob.wait_for("* alice left after 1 lines")
        self.assertEqual(bob.end(), 0)

    def test_stream_stops_at_a_full_queue_and_goes_on(self):
        receiver = self.start("stream", "127.0.0.1:0")
        sender = self.start("stream", receiver.address(), "64")
        self.assertEqual(sender.end(60), 0)
        receipt = sender.wait_for("receipt: 2048 chunks in order")
        self.assertGreater(int(receipt.split()[-2]), 0, "the queue was never full")
        receiver.wait_for("peer ended after 2048 chunks")

    def test_request_keeps_its_deadlines(self):
        server = self.start("request", "127.0.0.1:0")
        client = self.start("request", server.address(), "1500", "10 early", "20000 never",
                            "200 later")
        self.assertEqual(client.end(), 1)
        self.assertEqual(client.lines,
                         ["0 answered: early", "2 answered: later", "1 timed out: 20000 never"])

    def test_request_hears_of_a_stopped_peer(self):
        server = self.start("request", "127.0.0.1:0")
        client = self.start("request", server.address(), "5000", "no number")
        self.assertEqual(client.end(), 1)
        self.assertEqual(client.lines, ["0 connection lost: no number"])

    def test_two_switches(self):
        both = self.start("two_switches")
        self.assertEqual(both.end(), 0)
        self.assertEqual(both.lines[-1], "500 and 500 messages")

    def test_simulate_repeats_itself(self):
        runs = []
        for seed in ("7", "7", "8"):
            program = self.start("simulate", "15", seed)
            self.assertEqual(program.end(60), 0, program.lines)
            self.assertRegex(program.lines[-1], r"^15 nodes heard it; trace=[0-9a-f]{64}$")
            runs.append(program.lines)
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], runs[2])

    def test_embed_ev_runs_program_and_switch(self):
        import socket
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        guest = self.start("embed_ev", "127.0.0.1:0", str(port))
        self.assertEqual(self.start("ask", guest.address(), "x" * 100).end(), 0)
        ticks, end = 0, time.monotonic() + 10
        while ticks < 3 and time.monotonic() < end:
            with socket.create_connection(("127.0.0.1", port), 5) as status:
                status.settimeout(5)
                text = status.recv(200).decode()
            fields = dict(word.split("=") for word in text.split())
            ticks = int(fields["ticks"])
        self.assertGreaterEqual(ticks, 3, "the program's own timer does not run")
        self.assertEqual(fields["accepted"], "1")
        self.assertGreater(int(fields["records"]), 0)
        self.assertEqual(guest.interrupt(), 0)
        guest.wait_for("stopped after")

    def test_embed_epoll_accepts_dials_and_resolves(self):
        server = self.start("embed_epoll", "127.0.0.1:0")
        address = server.address()
        ask = self.start("ask", address, "hello world")
        self.assertEqual(ask.end(), 0)
        self.assertEqual(ask.lines, ["11 bytes"])
        client = self.start("embed_epoll", "127.0.0.1:0", address.replace("127.0.0.1", "localhost"))
        client.address()
        for _ in range(200):
            client.write("\n")
            time.sleep(0.05)
            if "peers=1" in client.lines:
                break
        self.assertIn("peers=1", client.lines)
        self.assertEqual(client.end(), 0)
        self.assertEqual(server.end(), 0)

    def test_embed_epoll_moves_much_and_both_ways(self):
        server = self.start("embed_epoll", "127.0.0.1:0")
        address = server.address()
        for size in (1, 1024, 65536):
            ask = self.start("ask", address, "x" * size)
            self.assertEqual(ask.end(), 0)
            self.assertEqual(ask.lines, [f"{size} bytes"])
        self.assertEqual(server.end(), 0)


class TestCase(unittest.TestCase):
    maxDiff = None
