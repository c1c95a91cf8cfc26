# SPDX-License-Identifier: Apache-2.0
"""The rows of the benchmark: what each runs, how much of it, and what it yields.

An Experiment is one pair of processes per subject and round; it yields one or more rows.  Amounts
are the same for all subjects of an experiment.
"""

from dataclasses import dataclass, field

COMET = ("cometbft-v0.40.0", "cometbft-v0.38.26")
OTHERS = ("libp2p-rust", "zeromq-curve", "tendermint-rs", "tcp")
US = ("switchyard",)

KIB, MIB = 1024, 1024 * 1024
MB = 1e6


def rate(r):
    return r["bytes"] / MB / (r["elapsed_ns"] / 1e9)


def per_second(r):
    return r["messages"] / (r["elapsed_ns"] / 1e9)


def kilo_per_second(r):
    return per_second(r) / 1e3


def us(key):
    return lambda r: r[key] / 1e3


def ms(key):
    return lambda r: r[key] / 1e6


def cpu_per_gb(key):
    return lambda r: r[key] / 1e9 / (r["bytes"] / 1e9)


def cpu_per_message(r):
    """Of both sides."""
    return (r["cpu_ns"] + r["peer_cpu_ns"]) / r["messages"]


def cpu_per_handshake(r):
    """Of both sides, with the start of the processes."""
    return r["all_cpu_ns"] / 1e3 / r["messages"]


def value(key):
    return lambda r: r[key]


@dataclass
class Experiment:
    kind: str            # --row of the subjects
    profile: str         # of ours
    subjects: tuple
    yields: list         # (row, unit, function of the result, higher is better)
    size: int = 64 * KIB
    warm: int = 0
    count: int = 0
    serve_nodes: int = 1
    run_nodes: int = 1
    pinned: bool = False  # one core per process
    defaults: bool = False
    frame_cipher: str = ""  # of ours; empty: the default
    relay_ms: int = 0
    in_quick: bool = True
    rounds: int = 0       # 0: as asked
    timeout: float = 120
    extra: dict = field(default_factory=dict)


def who(profile, *others):
    return US + (COMET if profile == "cometbft" else ("tendermint-v0.22.8",)) + others


def bulk(profile, label, size, count, in_quick):
    row = "bulk-%s-%s" % (label, profile)
    yields = [(row, "MB/s", rate, True)]
    if label == "64k":
        yields += [("cpu-send-64k-" + profile, "CPU s/GB", cpu_per_gb("cpu_ns"), False),
                   ("cpu-recv-64k-" + profile, "CPU s/GB", cpu_per_gb("peer_cpu_ns"), False)]
    others = OTHERS if profile == "cometbft" else ()
    return Experiment("bulk", profile, who(profile, *others), yields, size=size,
                      warm=max(8, 8 * MIB // size), count=count, in_quick=in_quick)


def small(profile, count):
    others = OTHERS if profile == "cometbft" else ()
    return Experiment("bulk", profile, who(profile, *others),
                      [("small-100-" + profile, "k msg/s", kilo_per_second, True),
                       ("cpu-small-100-" + profile, "CPU ns/msg", cpu_per_message, False)],
                      size=100,
                      warm=20000, count=count)


def trips(profile, count):
    others = OTHERS if profile == "cometbft" else ("tcp",)
    return Experiment("rtt", profile, who(profile, *others),
                      [("rtt-p50-" + profile, "us", us("p50_ns"), False),
                       ("rtt-p99-" + profile, "us", us("p99_ns"), False)], size=100, count=count,
                      pinned=True)


def urgent(profile, count):
    others = ("libp2p-rust", "zeromq-curve") if profile == "cometbft" else ()
    return Experiment("urgent", profile, who(profile, *others),
                      [("urgent-p99-" + profile, "ms", ms("p99_ns"), False),
                       ("urgent-p50-" + profile, "ms", ms("p50_ns"), False),
                       ("urgent-p999-" + profile, "ms", ms("p999_ns"), False),
                       ("urgent-bulk-64k-" + profile, "MB/s", rate, True)], warm=128, count=count)


def handshakes(profile, count):
    others = OTHERS if profile == "cometbft" else ()
    return Experiment("handshakes", profile, who(profile, *others),
                      [("handshakes-" + profile, "1/s", per_second, True),
                       ("cpu-handshake-" + profile, "CPU us", cpu_per_handshake, False)],
                      count=count,
                      run_nodes=8, pinned=True)


def handshakes_bare(profile, count):
    """The Go stacks without their switch; no row of ours, which has no such thing."""
    exp = handshakes(profile, count)
    exp.kind, exp.subjects, exp.in_quick = "handshakes-bare", who(profile)[1:], False
    exp.yields = [("handshakes-bare-" + profile, "1/s", per_second, True)]
    return exp


def broadcast(profile, count):
    return Experiment("bulk", profile, who(profile),
                      [("broadcast-50-" + profile, "MB/s", rate, True)], warm=8, count=count,
                      serve_nodes=50)


def idle(profile, peers, in_quick):
    others = ("libp2p-rust", "zeromq-curve") if profile == "cometbft" else ()
    yields = [("idle-bytes-%d-%s" % (peers, profile), "B/peer", value("fresh"), False),
              ("idle-touched-bytes-%d-%s" % (peers, profile), "B/peer", value("touched"), False)]
    if peers >= 10000:
        yields.append(("idle-cpu-%d-%s" % (peers, profile), "% of a core", value("cpu"), False))
    return Experiment("idle", profile, US if peers > 1000 else who(profile, *others), yields,
                      run_nodes=peers, rounds=1 if peers > 1000 else 2, in_quick=in_quick,
                      timeout=300)


def active(profile, peers, count):
    return Experiment("bulk", profile, US,
                      [("active-%d-%s" % (peers, profile), "MB/s", rate, True),
                       ("active-cpu-%d-%s" % (peers, profile), "CPU s/GB", cpu_per_gb("cpu_ns"),
                        False)], size=8 * KIB, warm=8, count=count, serve_nodes=peers,
                      in_quick=False)


def experiments(quick):
    scale = 1 if quick else 6
    out = []
    for profile, part in (("cometbft", 1), ("tendermint", 2)):
        out += [bulk(profile, "64k", 64 * KIB, 8192 * scale // part, True),
                small(profile, 500000 * scale // part),
                trips(profile, 30 if quick else 100),
                urgent(profile, 8192 * scale // part),
                handshakes(profile, 2000 * scale),
                broadcast(profile, 120 * scale // part),
                idle(profile, 1000, True)]
    for profile, part in (("cometbft", 1), ("tendermint", 4)):
        out += [bulk(profile, "1k", KIB, 1 << 20 >> part, False),
                bulk(profile, "8k", 8 * KIB, 1 << 18 >> part, False),
                bulk(profile, "1m", MIB, 1 << 11 >> part, False)]
    defaults = bulk("cometbft", "64k", 64 * KIB, 512, False)
    defaults.yields = [("defaults-64k-cometbft", "MB/s", rate, True)]
    defaults.subjects, defaults.defaults, defaults.rounds = who("cometbft"), True, 1
    library = bulk("cometbft", "64k", 64 * KIB, 8192 * scale, False)
    library.yields = [("bulk-64k-library-cometbft", "MB/s", rate, True)]
    many = broadcast("cometbft", 120 * scale)
    many.yields, many.in_quick = [("broadcast-50-library-cometbft", "MB/s", rate, True)], False
    for exp in (library, many):
        exp.subjects, exp.frame_cipher = US + COMET[:1], "library"
    relay = bulk("cometbft", "64k", 64 * KIB, 16384, False)
    relay.yields = [("relay-20ms-64k-cometbft", "MB/s", rate, True)]
    relay.subjects, relay.relay_ms, relay.rounds = who("cometbft"), 20, 2
    out += [defaults, library, many, relay, idle("cometbft", 10000, False),
            handshakes_bare("cometbft", 12000), handshakes_bare("tendermint", 12000)]
    out += [active("cometbft", n, 131072 // n) for n in (1, 10, 100, 1000)]
    return [e for e in out if e.in_quick or not quick]
