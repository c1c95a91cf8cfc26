# SPDX-License-Identifier: Apache-2.0
"""The seeds of each target, as functions that give lists of bytes."""

import json
import os
import re

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")
NO_LIMITS = b"\0\0"  # the two bytes of a world in which no allocation fails
SEED_MAX = 1500  # longer rows of the vector files add bytes, not cases


def load(name):
    with open(os.path.join(VECTORS, name), encoding="utf-8") as f:
        return json.load(f)


def unhex(value):
    return bytes.fromhex("".join(value) if isinstance(value, list) else value)


def rows(name, *keys):
    """The hex of all rows under these keys, with the repaired twins."""
    found = []
    vectors = load(name)
    for key in keys:
        for row in vectors.get(key, []):
            for member in ("hex", "repaired"):
                if member in row:
                    found.append(unhex(row[member]))
    return [b for b in found if len(b) <= SEED_MAX]


def uvarint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def thin(items, count):
    """At most count of them, evenly spread, without repeats."""
    unique = list(dict.fromkeys(items))
    step = max(1, -(-len(unique) // count))
    return unique[::step]


# ---- base ----

def reader():
    walks = rows("tendermint/decoder.json", "packets")[:4]
    walks += rows("cometbft/decoder.json", "packets")
    fields = bytes.fromhex("0805 1203616263 19 0102030405060708 25 01020304 ffffffff0f00")
    return [b"\0" + w[1:] for w in thin(walks, 8)] + [
        b"\0" + fields,
        b"\x06\0\1\2\3\4\x0b" + fields * 2,
        b"\1\3" + b"\x80" * 9 + b"\1" + b"\xff" * 10,
    ]


def uvarints():
    edges = [0, 1, 127, 128, 16383, 16384, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
    odd = ["8000", "808080808080808080" + "00", "ffffffffffffffffff02", "ff" * 10,
           "ffffffffffffffff7f"]
    return [uvarint(e) for e in edges] + [bytes.fromhex(o) for o in odd]


def text():
    hexes = [b"", b"00", b"aAfF09", b"0", b"0g", b"c0ffee" * 5]
    b64 = [b"", b"AA==", b"AAA=", b"AAAA", b"AB==", b"A===", b"AAAA=", b"+/+/", b"AA =",
           b"AAECAwQF" * 8]
    ports = [b"0", b"65535", b"65536", b"00000080", b"0000000000000000080", b"+1", b"1 ", b""]
    words = [b"", b" ", b"  x ", b"node", b"\x7f", b"caf\xc3\xa9"]
    return ([b"\0" + x for x in hexes] + [b"\1" + x for x in b64] + [b"\2" + x for x in ports] +
            [b"\3" + x for x in words])


def log():
    times = b"\0" * 8
    hostile = [b"plain", b'quote" back\\slash = ', b"\n\r\t\0\x1b[31m", bytes(range(128, 256)),
               b"x" * 200]
    seeds = [b"\x07\xff\0" + times + h for h in hostile]
    kinds = b"\x45k=" + b"\7" * 9 + b"\x82" + b"\x80" * 8 + b"\3" + b"\1" * 8
    seeds.append(b"\0\1\0" + times + b"a")  # room for nothing
    seeds.append(b"\7\xff\3" + kinds + times + b"all kinds")
    seeds.append(b"\0\x40\x04" + b"\xf0k=\"abc" + b"\1" + b"\xff" * 8 + b"\2\x80" + b"\0" * 7 +
                 b"\3" + b"\x7f" * 8 + times + b"text")
    return seeds


# ---- nodeinfo ----

def node_info(name):
    found = []
    for row in load(name)["encodings"]:
        body = unhex(row["hex"])
        found.append(body[2:] if body[0] & 0x80 else body[1:])
    for row in rows(name, "decoder"):
        found.append(row)
    too_long = bytes(10241)
    return [NO_LIMITS + b for b in thin([f for f in found if len(f) <= 400], 40) + [too_long]]


def node_key():
    good = load("tendermint/keys.json")["keys"][0]["file"].encode()
    other = load("cometbft/keys.json")["keys"][0]["file"].encode()
    return [
        b"\1", b"\1" + bytes(range(32)), b"\1" + b"\xaa" * 32 + b"\1\0 ",
        b"\1" + b"\7" * 32 + b"\1\x30A",
        good, other, b" " + good + b"\n", good[:-1], good + b"x", b"{}", b"[]", b"null", b"",
        good.replace(b"PrivKeyEd25519", b"PrivKeySecp256k1"),
        good.replace(b"uxuA==", b"uxuB=="), good.replace(b"A", b"B", 3),
        good.replace(b"AAEC", b"\\u0041AEC"), b'{"priv_key":{"type":1,"value":null}}',
        b'{"priv_key":' * 40, b'{"priv_key":1,' + good[1:],
        b'{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX'
        b'GBkaGxwdHh8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}',
    ]


# ---- p2p ----

ID = b"56475aa75463474c0285df5dbf2bcab73da65135"


def addr():
    hosts = [b"1.2.3.4:26656", b"[::1]:80", b"[2001:db8::1]:65535", b"seed.example.com:26656",
             b":0",
             b"0.0.0.0:0", b"localhost:1", b"1.2.3.4:65536", b"1.2.3.4", b"[::1]", b"::1:80",
             b"01.2.3.4:1", b"*:1", b"host:http", b"a b:1", b"x" * 64 + b".com:1", b"tcp://h:1",
             b"[::ffff:1.2.3.4]:5", b"[fe80::1%eth0]:5", b"a..b:1", b"h:1@2"]
    with_id = [b"\0" + ID + b"@" + h for h in hosts[:6]]
    with_id += [b"\0" + ID.upper() + b"@1.2.3.4:5", b"\0" + ID[:-1] + b"@1.2.3.4:5", b"\0@h:1",
                b"\0" + ID + b"@tcp://1.2.3.4:5", b"\0tcp://" + ID + b"@1.2.3.4:5"]
    lists = [b"\0" + ID + b"@a:1, " + ID + b"@[::1]:2 ,,", b"\1a:1,b:2,c", b"\2:1,:2, ",
             b"\1" + b"a:1," * 9]
    made = [b"\xc0\1" + bytes(range(20)) + b"\1\2\3\4\x68\x20",
            b"\xc1\4" + b"\x20\1\r\xb8" + bytes(11) + b"\1\0\x50",
            b"\xc1\0\7\7\7\7\0\1", b"\xc0\x09" + bytes(20) + b"\5\6\7\x08\0\x50\x28:"]
    short = [b"\1a:1", b"\1h:65535", b"\1[::]:9", b"\1::1", b"\0019.9.9.9:9", b"\2:1", b"\2a:0",
             b"\1a.b:22", b"\1x-y:3", b"\1[1::2]:33"]
    return short + [b"\1" + h for h in hosts] + [b"\2" + h for h in hosts[:8]] + with_id + lists \
        + made


def recognize():
    starts = ["2120", "21", "220a20", "130f", "132f6d", "160301", "2a0a28", "e3010a28", "8001",
              "804f0a28",
              "80500a28", "474554202f", "", "00", "7f0a28", "2920"]
    return [bytes([mask]) + bytes.fromhex(s) for mask in (7,) for s in starts] + [
        b"\1\x22\x0a\x20", b"\0\x21", b"\4\x21\x20"]


def abci():
    """The first byte is dialect + 3 * questions; 0 and 1 have lengths twice as large."""
    echo, flush = "120c0a0a73776974636879617264", "1a00"
    answers = ["3a101a0e646f6573206e6f74206578697374",
               "3a1a08071a1674686973204944206973206f6e206f7572206c697374", "3a00",
               "0a050a03626164", "3a0608ffffffff0f", "3a0508012201783a00",
               "3a06088080808010", "3a0408070800", "2200", "3a0e0802280532016b3a017640095200"]

    def framed(dialect, parts):
        out = b""
        for part in map(bytes.fromhex, parts):
            out += uvarint(len(part) * (1 if dialect == 2 else 2)) + part
        return out
    seeds = []
    for dialect in range(3):
        head = bytes([dialect + 3 * 4])
        seeds += [head + framed(dialect, [echo, flush] + [a, flush][:2]) for a in answers]
        seeds += [bytes([dialect]) + framed(dialect, [a]) for a in answers]
        seeds.append(head + framed(dialect, [echo, flush] + answers[:5]))
    lengths = ["81800480", "808004", "ffffffffffffffffff01", "ffffffffffffffffff02", "01",
               "80" * 11]
    return seeds + [bytes([d]) + bytes.fromhex(h) for d in (0, 2) for h in lengths]



def abci_client():
    """Operations: abci_client_fuzz.c."""
    ask, cancel, later, turn, send, close = b"\0", b"\x20", b"\x40", b"\x60", b"\x80", b"\xe0"
    echo, failure, flush, admit, refuse = b"\xa0", b"\xa1", b"\xa2", b"\xc3", b"\xa3"
    up = turn + turn + send + echo
    stall, moment = later + b"\xd7", later + b"\x90"  # minutes, and about half a second
    lives = [
        up + ask * 4 + send + admit + refuse + failure + admit,
        ask * 5 + up + send + cancel + b"\1" + cancel + b"\4" + admit * 4,
        ask + cancel + b"\0" + cancel + b"\7" + up + admit, up + admit, up + failure, up + echo,
        turn + stall, turn + turn + stall, up + ask + send + stall + turn + stall,
        (ask + up + send + close + stall) * 3 + up + ask + send + admit,
        turn + close + later + b"\0" + moment + turn + stall, up + later + b"\0" + moment + stall,
        (turn + turn + send + failure + stall) * 7 + up + ask + send + admit,
        (turn + turn + send + stall) * 7 + up, up + flush + b"\xe3\7\7\7", up + b"\xe1\xff" * 12,
        up + ask * 70 + send + admit * 64 + send + admit * 6, ask * 2 + up + send + b"\xe2\x04\x3a",
        up + ask + send + b"\xe9\x10\x3a\x06\x08\1\x1a\x02no",
        up + ask * 2 + send + (later + b"\xb8" + admit) * 2,  # slow, and none that hangs
    ]
    return ([NO_LIMITS + bytes([first]) + life for life in lives for first in (0, 8, 16)] +
            [NO_LIMITS + bytes([first]) + lives[0] for first in (1, 3, 5)] +
            [bytes([k, 0, 0]) + lives[1] for k in (1, 2, 0x82)] + [b"\0\1\0" + lives[-4] * 3])

def pex(name):
    vectors = load(name)
    found = []
    for key, value in vectors.items():
        if isinstance(value, list):
            for row in value:
                if isinstance(row, dict):
                    found += [unhex(row[m]) for m in ("hex", "repaired") if m in row]
    node_id = b"\x0a\x28" + ID
    if name.startswith("tendermint"):
        start, ips = b"\x1c\xbb\x67\x6b", [bytes([9, 9, 9, 9]), bytes(range(1, 17)), b"\1\2\3"]
    else:
        start, ips = b"", [b"9.9.9.9", b"2001:db9::1", b"::ffff:9.9.9.9", b"[::1]"]
    addrs = [node_id + b"\x12" + bytes([len(ip)]) + ip + port for ip in ips
             for port in (b"\x18\x82\x47", b"")]
    items = [b"\x0a" + bytes([len(a)]) + a for a in addrs]
    if not start:
        items_of = lambda body: b"\x12" + uvarint(len(body)) + body
    else:
        items_of = lambda body: start + body
    found += [items_of(item) for item in items] + [items_of(b"".join(items))]
    return thin([f for f in found if len(f) <= 600], 40)


def book_entry(number, ip, kind, **more):
    entry = {"addr": {"id": "%040x" % number, "ip": ip, "port": 26656},
             "src": {"id": "%040x" % 7, "ip": "7.7.7.7", "port": 1}, "buckets": [number % 64],
             "attempts": 0, "bucket_type": kind, "last_attempt": "2026-11-21T00:22:12.431423765Z",
             "last_success": "0001-01-01T00:00:00Z", "last_ban_time": "0001-01-01T00:00:00Z"}
    entry.update(more)
    return entry


def book():
    good = [book_entry(1, "5.6.7.8", 1), book_entry(2, "2001:db9::1", 2),
            book_entry(3, "127.0.0.1", 1)]
    odd = [book_entry(4, "x", 1), book_entry(4, "9.9.9.9", 3), book_entry(4, "9.9.9.9", 1,
           attempts=-1), book_entry(4, "9.9.9.9", 1, buckets=[256]), book_entry(4, "9.9.9.9", 1,
           buckets=None, src=None), book_entry(4, "9.9.9.9", 1, last_attempt="yesterday"),
           book_entry(4, "0.0.0.0", 1), book_entry(4, "9.9.9.9", 2, addr=7),
           book_entry(4, "9.9.9.9", 2, last_attempt="2026-02-29T24:00:60+14:00"),
           book_entry(4, "9.9.9.9", 2, last_success="1999-12-31T23:59:59.5-01:30"),
           book_entry(4, "9.9.9.9", 1, buckets=7)]
    files = [{"key": "k", "addrs": good}, {"key": "k", "addrs": None}, {"key": "", "addrs": []},
             {"key": "k" * 65, "addrs": []}, {"addrs": []}, {"key": "k"}, [],
             {"key": "k", "addrs": [7]}, {"key": "k", "addrs": good + good[:1]},
             {"key": "k", "placement": "siphash-2-4/1", "addrs": good},
             # more tested ones of one group than it may have
             {"key": "k", "addrs": [{"addr": {"id": "%040x" % i, "ip": f"9.9.{i // 200}.{i % 200}",
                                              "port": 1}, "attempts": 0, "bucket_type": 2}
                                    for i in range(1, 560)]}]
    files += [{"key": "k", "addrs": [entry]} for entry in odd]
    texts = [json.dumps(f).encode() for f in files] + [b"", b"{", b'{"key":"k","key":"k"}']
    peer = "56475aa75463474c0285df5dbf2bcab73da65135"
    note = {"id": peer, "network": "fuzz", "profiles": ["cometbft", "tendermint"]}
    notes = [{"version": 1, "peers": [note], "anchors": [peer + "@9.9.9.9:1"]},
             {"version": 1, "peers": [dict(note, network="other")]}, {"version": 2, "peers": []},
             {"version": 1, "peers": 1}, {"version": 1, "peers": [dict(note, id="x")]},
             {"version": 1, "peers": [dict(note, profiles=[1])]},
             {"version": 1, "peers": [dict(note, profiles=1)]},
             {"version": 1, "peers": [dict(note, network=1)]},
             {"version": 1, "peers": [], "anchors": 1},
             {"version": 1, "peers": [], "anchors": ["x"]}, []]
    return ([b"\0\0" + t for t in texts] + [b"\6\0" + texts[0], b"\2\0" + texts[-4]] +
            [b"\0" + bytes([k]) + texts[0] for k in range(1, 8)] +
            [b"\1\0" + json.dumps(n).encode() for n in notes])


def bans():
    rules = [b"1.2.3.4", b"1.2.3.0/24", b"2001:db8::/32", b"::1", ID, b"0.0.0.0/0", b"1.2.3.4/33",
             b"1.2.3.4/24", b"1.2.3.4/", b"::/129", b"/1", b"", ID[:-1], b"1.2.3.4/0x8",
             b"::ffff:1.2.3.4", b"1.2.3.4/032"]
    entry = {"rule": "1.2.3.0/24", "reason": "floods", "since": 1600000000, "until": 0}
    lists = [[entry, dict(entry, rule=ID.decode(), until=1900000000)], [], [entry, entry],
             [dict(entry, until=1600000001)], [dict(entry, rule=1)], [dict(entry, rule="x")],
             [dict(entry, reason="\u00e9")], [dict(entry, reason="x" * 128)],
             [dict(entry, reason=1)], [dict(entry, since=-1)], [dict(entry, until=10 ** 17)],
             [dict(entry, until="x")], [7]]
    texts = [json.dumps({"bans": b}).encode() for b in lists]
    texts += [b"{}", b"[]", b'{"bans":1}', b"{", b""]
    local = bytes(10) + b"\xff\xff\1\2\3\4"
    known = b"5647" + b"0" * 36
    lists = [b"1.2.3.0/24\n\n", b"\n1.2.3.4\n", known + b"\n\n", b"9.0.0.0/8\n" + known + b"\n",
             known + b",::/0\n2001:db8::/32,5.6.7.8\n", b"9.9.9.9," + rules[4] + b"\n\n"]
    return ([b"\1" + r for r in rules] + [b"\0\0" + t for t in texts] +
            [b"\0" + bytes([k]) + texts[0] for k in (1, 2, 3)] +
            [b"\2\0" + bytes([with_id]) + li + local for li in lists for with_id in (0, 1)] +
            [b"\2" + bytes([k]) + b"\0" + lists[1] + local for k in (1, 2)])


# ---- cmd ----

def key_index():
    """{key: its number}, which the second byte of a flag names"""
    with open(os.path.join(VECTORS, "..", "..", "cmd", "yard", "keys.def"), encoding="utf-8") as f:
        return {key: i for i, key in enumerate(re.findall(r"^KEY\((\w+)", f.read(), re.M))}


def config():
    p2p, own = b"\0[p2p]\n", b"\0[switchyard]\n"
    chain = own + b"chain_id = \"c\"\n"
    return [
        b"", b"\0", b"\0moniker = \"m\"\nlog_level = \"main:info,*:error\"\n",
        b"\0a = 1\n[b]\nc = 2\n",
        p2p + b"laddr = \"tcp://127.0.0.1:0\"\n",
        p2p + b"persistent_peers = \"" + ID + b"@1.2.3.4:5," + ID + b"@h:6\"\n",
        p2p + b"max_num_peers = 50\nflush_throttle_timeout = 100\n",
        p2p + b"flush_throttle_timeout = \"10ms\"\n", p2p + b"dial_timeout = 3\n",
        p2p + b"handshake_timeout = \"1m30.5s\"\ndial_timeout = 3000000000\n",
        p2p + b"send_rate = -1\n", p2p + b"pex = 1\n", p2p + b"laddr = 5\nnot_a_key = true\n",
        p2p + b"[p2p.test_fuzz_config]\nmode = 0\n[p2p.libp2p.x]\ny = [1, 2]\n",
        p2p + b"laddr = \"\\u0000\\u007f\"\n",
        own + b"chain_id = \"c\"\nprofiles = [\"tendermint\", \"cometbft\"]\n",
        own + b"echo_channels = [32, 0x80]\n",
        own + b"profiles = [\"plain\"]\nprofiles = []\n", own + b"echo_channels = [1, 1]\n",
        own + b"profiles = [1]\n",
        own + b"chain_id = 1979-05-27T07:32:00Z\n", b"\0[[p2p]]\nx = 1.5\n", b"\0[p2p\n",
        b"\0x = \"\\", b"\0\xff\xfe",
    ] + config_kinds(p2p, own) + config_meaning(p2p, chain) + config_flags()


def config_kinds(p2p, own):
    """Values of the wrong kind, beyond their bounds, and durations of every form."""
    wrong = (b"\"t\"", b"1", b"true", b"[]", b"1.5", b"1979-05-27")
    keys = (p2p + b"laddr = ", p2p + b"pex = ", p2p + b"dial_timeout = ", own + b"profiles = ",
            own + b"echo_channels = ", own + b"crawl_parallel = ")
    durations = (b"\"0\"", b"\"\"", b"\"-3s\"", b"\"5\xc2\xb5s\"", b"\"7ns\"", b"\"2h\"",
                 b"\"1h30m\"", b"\"1.5h2.25m\"", b"\"99999999999999999999999s\"",
                 b"\"9999999999999h\"", b"\"2562047h2562047h\"", b"\"3x\"", b"\".s\"", b"\"1us\"",
                 b"-1", b"5", b"9223372036854775807")
    return [k + w + b"\n" for k in keys for w in wrong] + [
        p2p + key + b" = " + d + b"\n" for d in durations
        for key in (b"dial_timeout", b"flush_throttle_timeout")
    ] + [
        own + b"echo_interval = \"1h30m\"\nlinger_timeout = \"0s\"\nseed_visit = \"3h2s\"\n",
        own + b"crawl_parallel = 0\n", own + b"crawl_parallel = 65\n",
        own + b"profiles = []\n", own + b"echo_channels = [\"x\"]\n",
        own + b"echo_channels = [256]\nextra_channels = [-1]\n",
        own + b"echo_channels = [" + b", ".join(b"%d" % i for i in range(17)) + b"]\n",
        own + b"profiles = [\"\\u0001\"]\n", own + b"profiles = [1.5]\n",
        own + b"echo_channels = [[1]]\n", b"\0# a comment.with.dots\n[p2p] # another\n",
        b"\0" + b"a." * 101 + b"b = 1\n", b"\0x = '\\'\ny = \"\\\"\"\n",
        b"\0[[p2p.x]]\ny = 1\n",
        p2p + b"laddr = [[1]]\n", p2p + b"laddr = { a = 1 }\n", b"\0p2p = [{ a = 1 }]\n",
    ]


def config_meaning(p2p, chain):
    """What each value means and what they mean together, kept and broken."""
    quoted = b"\"%s\"\n"
    with_chain = p2p.replace(b"\0", chain, 1)
    channels = tuple(b", ".join(b"%d" % i for i in numbers)
                     for numbers in (range(10), range(10, 20)))
    rules = b"1.2.3.0/24," + ID + b"\\n2001:db8::/32 ,, 9.9.9.9\\n"
    many = b",".join(ID + b"@1.2.3.4:%d" % i for i in range(1, 34))
    own_rows = [b"version = " + quoted % b"1.2.3", b"profiles = [\"x\"]\n",
                b"profiles = [\"plain\", \"plain\", \"plain\", \"plain\"]\n",
                b"profiles = [\"tendermint\", \"cometbft\", \"plain\"]\n",
                b"log_level = " + quoted % b"loud", b"log_format = " + quoted % b"xml",
                b"log_format = " + quoted % b"json", b"frame_cipher = " + quoted % b"rot13",
                b"frame_cipher = " + quoted % b"library", b"frame_cipher = " + quoted % b"avx512",
                b"ping_interval = \"5s\"\npong_timeout = \"5s\"\n",
                b"memory_max = 65536\npeer_memory_max = 65537\n",
                b"echo_channels = [32]\nextra_channels = [32]\n",
                b"echo_channels = [%s]\nextra_channels = [%s]\n" % channels,
                b"echo_channels = [0]\n", b"extra_channels = [0]\n",
                b"allow_peers = " + quoted % rules, b"deny_peers = " + quoted % rules,
                b"deny_peers = " + quoted % b"1.2.3.4/33, x",
                b"allow_peers = " + quoted % b",".join([b"1.1.1.1"] * 17),
                b"abci_dialect = " + quoted % b"9", b"filter_unanswered = " + quoted % b"perhaps"]
    p2p_rows = [b"laddr = " + quoted % b"udp://x", b"external_address = " + quoted % b"1.2.3.4",
                b"external_address = " + quoted % b"1.2.3.4:5", b"seeds = " + quoted % many,
                b"persistent_peers = " + quoted % (ID + b"@h:70000, x@y"),
                b"unconditional_peer_ids = " + quoted % (ID + b", zz"),
                b"private_peer_ids = " + quoted % (b"x," + ID),
                b"pex = false\nseed_mode = true\nseeds = " + quoted % (ID + b"@1.2.3.4:5"),
                b"auth_enc = false\n", b"addr_book_file = " + quoted % b"book",
                b"max_num_peers = 5\nallow_duplicate_ip = true\n", b"max_num_peers = 60\n"]
    tops = [b"log_level = " + quoted % b"state:info, p2p:debug", b"log_level = " + quoted % b"x:y",
            b"log_level = " + quoted % b"error", b"filter_peers = true\n",
            b"filter_peers = true\nproxy_app = " + quoted % b"kvstore",
            b"filter_peers = true\nabci = " + quoted % b"grpc",
            b"filter_peers = true\nproxy_app = " + quoted % b"unix:///tmp/x.sock"]
    return ([chain + r for r in own_rows] + [with_chain + r for r in p2p_rows] +
            [b"\0" + t + chain[1:] for t in tops] +
            [chain + own_rows[3] + b"[p2p]\nauth_enc = false\n",
             chain + b"profiles = [\"a\", \"b\", \"c\", \"d\"]\n[p2p]\nauth_enc = false\n"])


def config_flags():
    flags = {
        "MONIKER": (b"m", b"a\nb\tc\"d\\e", b"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", b"\xff",
                    b"\xc3A", b"\x01", b"\xed\xa0\x80", b"\xf0\x9f\x98"),
        "PEX": (b"true", b"yes"),
        "SEND_RATE": (b"12", b"", b"1x", b"99999999999999999999999"),
        "CRAWL_PARALLEL": (b"64", b"65", b"0"),
        "DIAL_TIMEOUT": (b"1h2m3.5s", b"3", b"-1s", b"500us"),
        "FLUSH_THROTTLE_TIMEOUT": (b"0", b"100", b"10ms", b"3600001"),
        "LINGER_TIMEOUT": (b"0s", b"1m", b"1h"),
        "PROFILES": (b"[\"plain\"]", b"[\"tendermint\", 1]", b"plain", b"1\nx = 2", b"7", b"["),
        "ECHO_CHANNELS": (b"[1, 2]", b"[1, 1]", b"x", b"\"t\""),
        "LIBP2P": (b"x",),
    }
    index = key_index()
    return [bytes([1, index[key]]) + text for key, texts in flags.items() for text in texts
            if key in index]


# ---- conn ----

def packets(name, vectors):
    found = rows(vectors, "packets") + rows(name, "packets")
    short = thin([f for f in found if len(f) <= 64], 60)
    return [b"\0" + f for f in short] + [b"\0" + b"".join(short[:12])]


def op_packet(index, eof, length):
    """The operation of an honest packet; index into the ids of mux_rig_packet."""
    return bytes([0x40 + index + (8 if eof else 0)]) + length.to_bytes(2, "big")


def op_queue(channel, length):
    return bytes([0xC8 + (channel - 0xC8) % 7]) + length.to_bytes(2, "big")


MUX_FEED, MUX_SEND = b"\xb1\xff\xff", b"\xe1\xff\xff"


def mux(vectors):
    raws = [b"".join(bytes([len(r) - 1]) + r for r in rows(vectors, "packets") if len(r) <= 64)]
    for row in thin([r for r in rows(vectors, "packets") if len(r) <= 64], 16):
        raws.append(bytes([len(row) - 1]) + row)
    long_message = b"".join(op_packet(2, i == 5, 1000) for i in range(6))
    pings = b"\xa3\xff" * 6
    bodies = raws + [
        long_message, long_message.replace(b"\x42", b"\x42\x03\xe8\xb1\x01\x00\x43", 2),
        op_packet(2, False, 1000) + op_packet(1, True, 7) + op_packet(2, True, 0),
        op_packet(1, False, 1024) * 6, op_packet(5, False, 1024) * 4, op_packet(0, True, 101),
        op_packet(6, True, 1), op_packet(1, True, 1025), op_packet(1, True, 1) * 40,
        pings, pings[:4] + b"\xf5\x90" + pings, b"\xa1\xa0" + MUX_FEED + MUX_SEND,
        op_queue(1, 3000) + op_queue(0, 10) + op_queue(3, 100) + MUX_SEND,
        (op_queue(4, 2000) + b"\xe0\x40") * 4 + b"\xff" + MUX_SEND,
        op_queue(2, 60000) + b"\xe1\x10\x00" * 3 + op_queue(3, 9) + MUX_SEND,
        op_queue(0, 1) * 5 + b"\xff",
        b"\xf5\xe0\xf6" + MUX_SEND + b"\xf5\xe0\xf6", b"\xf8" + MUX_SEND + b"\xf5\xd8\xf6",
        (op_packet(2, False, 700) + b"\xb1\x01\x40") * 6 + op_packet(2, True, 1),
        b"\xfa\1" + op_packet(1, False, 900) + MUX_FEED + op_packet(1, True, 9),
    ]
    seeds = [b"\0" + NO_LIMITS + b for b in bodies]
    few = op_packet(2, False, 700) + b"\xb1\x01\x00" + op_packet(2, True, 700) + op_queue(4, 1500)
    seeds += [bytes([flags]) + NO_LIMITS + few for flags in (1, 2, 3, 4, 5, 0x10, 0x20, 0x30, 0x40)]
    seeds.append(b"\x10" + NO_LIMITS + (op_packet(2, False, 700) + b"\xb1\x01\x40") * 6)
    return seeds + [b"\x10\2\0" + few, b"\0\x82\0" + few, b"\0\0\x20" + few, b"\x10\0\x0c" + few]


SUITES = {"secretbox": "tendermint", "cometbft": "cometbft"}
FEED_ALL, SEND = b"\xf8\xff\xff", b"\xff"


def frame(data):
    """The script operation of a frame with this data."""
    return bytes([len(data) - 1]) + data


def sides(suite):
    """The sides of the vector files, the one with the lower ephemeral key first."""
    found = load(SUITES[suite] + "/secret-connection.json")["sides"]
    return sorted(found, key=lambda side: not side["is_lower"])


def auth_rows(suite):
    return rows(SUITES[suite] + "/decoder.json", "auth")


def auth_msg(suite):
    bodies = [unhex(side["auth_message"]) for side in sides(suite)] + auth_rows(suite)
    keys = [unhex(side["ephemeral_message"]) for side in sides(suite)] + eph_rows(suite)
    made = [bytes([2 + which + 4 * edits]) + bytes(range(length)) + b"\0\1" * edits
            for which, length in ((0, 96), (1, 32)) for edits in range(4)]
    return thin([b"\0" + b[1:] for b in bodies], 30) + thin([b"\1" + k for k in keys], 15) + made


def eph_rows(suite):
    found = rows(SUITES[suite] + "/decoder.json", "ephemeral")
    head = unhex(sides(suite)[0]["ephemeral_message"])[:-32]
    points = [row["point"] for row in load("low-order.json").get("points", []) if "point" in row]
    return found + [head + unhex(p) for p in points]


def sc_eph(suite):
    head = unhex(sides(suite)[0]["ephemeral_message"])[:-32]
    keys = [unhex(side["ephemeral_message"]) for side in sides(suite)] + eph_rows(suite)
    keys += [head + key for key in (bytes(32), b"\1" + bytes(31), b"\xff" * 32,
                                    b"\x09" + bytes(31))]
    seeds = [b"\0" + NO_LIMITS + b"\x7f" + k for k in thin(keys, 24)]
    seeds.append(b"\1" + NO_LIMITS + b"\0" + keys[0])
    seeds.append(b"\1" + NO_LIMITS + b"\xff" + keys[0] + bytes(1044))
    seeds.append(b"\1\2\0\xff" + keys[0])
    seeds.append(b"\1\0\7\xff" + keys[0])
    return seeds


def sc_auth(suite):
    lower, higher = (unhex(side["auth_message"]) for side in sides(suite))
    good = b"\0" + NO_LIMITS + b"\xef"
    proofs = [row for row in thin(auth_rows(suite), 30) if len(row) <= 224]
    seeds = [b"\0" + NO_LIMITS + frame(row) for row in proofs]
    return seeds + [
        *(b"\0" + NO_LIMITS + frame(higher[:n]) + frame(higher[n:] + b"tail") + SEND + frame(b"end")
          for n in (1, 40, len(higher) - 1)),
        good, b"\1" + NO_LIMITS + frame(lower), b"\0" + NO_LIMITS + frame(higher),
        good + SEND + frame(b"more"), good + FEED_ALL + frame(b"x") + FEED_ALL + SEND,
        b"\0" + NO_LIMITS + SEND + frame(higher + b"in the same frame") + frame(b"y"),
        b"\0" + NO_LIMITS + frame(higher[:1]) + frame(higher[1:60]) + frame(higher[60:]),
        b"\0" + NO_LIMITS + SEND + frame(higher + b"z") + b"\xf0\x30" * 40 + frame(b"w"),
        good + b"\xe0\x10\x00", good + b"\xe6" * 17, b"\0" + NO_LIMITS + b"\xe6" + frame(higher),
        good + b"\xe1\0\0\4\1\0" + bytes(8), good + b"\xe1\0\0\4\0\x55" + b"datadata",
        good + b"\xe5\0\0", good + frame(b"q") + b"\xe2\0\x90\3", good + b"\xe4\0\x20",
        b"\0" + NO_LIMITS + b"\xe0\4\0\xff\7" + b"a" * 32,
        b"\0\4\0\xef", b"\0\0\x18\xef" + frame(b"more"),
    ]


def frames(suite):
    return [
        b"\0" + frame(b"a"), b"\0" + frame(b"a") + frame(b"bc") + b"\xe0\x0f\xff",
        b"\0" + b"\xe6" * 17, b"\0" + (b"\xe6" * 16 + frame(b"a")) * 2,
        b"\0" + b"\xe1\0\0\4\1\0" + bytes(8), b"\0" + b"\xe1\0\0\4\0\x77" + b"datadata",
        b"\0" + b"\xe1\xff\xff\xff\xff\0", b"\0" + frame(b"a") * 9 + b"\xe2\x20\0\1",
        b"\0" + frame(b"a") + b"\xe5\0\0", b"\0" + frame(b"a") + b"\xe3\0\4abcd" + b"\xe4\0\2",
        b"\x08" + b"\xff" * 7 + b"\xfe" + frame(b"a") * 3,
        b"\x08" + b"\xfe" + b"\xff" * 7 + frame(b"a") * 3,
        b"\x08" + b"\xff" * 8 + frame(b"a"), b"\x18" + b"\xff" * 24 + frame(b"a") * 2,
    ]


def node_info_of(suite, number):
    """The NodeInfo, with its length, that the side of the vector files would send to our peer."""
    node_id = sides(suite)[number]["id"].encode()
    if suite == "cometbft":
        fields = [b"\x0a\4\x08\x08\x10\x0b", b"\x12", b"\x1a", b"\x22\4fuzz", b"\x2a\3v.1",
                  b"\x32\6\0\x20\x7f\x80\xff\x40", b"\x3a\1m", b"\x42\0"]
        fields[1] += bytes([40]) + node_id
        fields[2] += bytes([13]) + b"1.2.3.4:26656"
    else:
        fields = [b"\x0a\x28" + node_id, b"\x12\x0d1.2.3.4:26656", b"\x1a\4fuzz", b"\x22\x060.22.8",
                  b"\x2a\6\0\x20\x7f\x80\xff\x40", b"\x32\1m"]
    body = b"".join(fields)
    return uvarint(len(body)) + body


def session(profile):
    suite = {"tendermint": "secretbox", "cometbft": "cometbft", "plain": "secretbox"}[profile]
    vectors = SUITES[suite] + "/decoder.json"
    info = node_info_of(suite, 1)
    packets_ = [r for r in rows(vectors, "packets") if 0 < len(r) <= 60]
    feed_some, late = b"\xf5\4\x20", b"\xfe"
    hello = frame(info)
    several = b"".join(frame(p) for p in packets_[:3])
    bodies = [hello, hello + several, frame(info + b"".join(packets_[:3])),
              frame(info[:30]) + FEED_ALL + frame(info[30:]),
              b"\xf9" + hello + b"\xf7\xff\xff\xf9\xfc\1\2\0\xf9",
              hello + feed_some + b"\xfa\xe0\xfb\xe4\xf9" + several, hello + b"\xe2\0\x20\1",
              frame(b"\xff\xff\xff\xff\x0f"), frame(b"\x80\0"), frame(b"\0"),
              hello + b"\xe0\x08\0" + b"\xff" * 30]
    bodies += [hello + frame(p) for p in thin(packets_, 12)]
    for row in thin(rows(SUITES[suite] + "/node-info.json", "decoder"), 14):
        if len(row) < 200:
            bodies.append(frame(uvarint(len(row)) + row))
    for size in (100, 101):  # the capacity of channel 0
        head = b"\x10\1\x1a" + bytes([size])
        amino, proto = b"\xb0\x5b\x4f\x2c" + head, b"\x1a" + bytes([len(head) + size]) + head
        packet = amino if suite == "secretbox" else proto
        bodies.append(hello + frame(bytes([len(packet) + size]) + packet + b"c" * size))
    seeds = [b"\0" + NO_LIMITS + b for b in bodies]
    seeds += [bytes([flags]) + NO_LIMITS + hello + several + late
              for flags in (1, 2, 3, 16, 17, 19)]
    seeds += [b"\4" + NO_LIMITS + frame(node_info_of(suite, 0)) + several]
    seeds += [b"\0" + bytes([fail, limit]) + hello + several
              for fail, limit in ((1, 0), (3, 0), (6, 0), (0x84, 0), (0, 8), (0, 30))]
    if profile == "plain":
        seeds += [b"\0" + NO_LIMITS + frame(unhex(start))
                  for start in ("2120" + "11" * 32, "220a20" + "22" * 32)]
    else:
        seeds += [b"\x08" + NO_LIMITS + b"\xef" + hello, b"\x08" + NO_LIMITS + hello,
                  b"\0" + NO_LIMITS + b"\xe2\0\0\0" + hello,
                  b"\0" + NO_LIMITS + b"\xe4\4\x14" + hello]
    return seeds


def two_peers():
    seeds = []
    go, queue_a, queue_b = b"\xff", b"\x80\1\4\0", b"\x81\2\x03\xe8"
    for profile in (0, 1, 2):
        head = bytes([profile, 0]) + NO_LIMITS
        open_ = go * 3
        seeds += [
            head + open_, head + open_ + queue_a + queue_b + go,
            head + b"\x60\x61\0\5\1\x10\x30\xff\xff\x31\xff\xff" * 3 + queue_a + b"\x60" +
            b"\0\x40" * 8,
            head + open_ + queue_a + b"\x60\xc0\0\x50\3" + go, head + b"\x60\xc0\0\5\7" + go * 2,
            head + b"\x60\x61\x31\xff\xff\x61\xc1\0\x30\0" + go,
            *(head + open_ + queue_a + b"\x60" + spoilt + go
              for spoilt in (b"\xc8\0\x10", b"\xcc\0\x10", b"\xd0\0\0", b"\xdf" + b"abcdefgh")),
            head + open_ + b"\x80\x84\x20\0" * 4 + go,
            head + open_ + b"\xe0\xe0" + b"\x60\x61" + b"\xe2\xe0" + go,
            head + open_ + b"\xe8\2" + queue_a + go,
        ]
        for flags in (1, 2, 3):
            seeds.append(bytes([profile, flags]) + NO_LIMITS + open_ + (queue_a + queue_b) * 3)
        seeds += [bytes([profile, 1, 5, 0]) + open_, bytes([profile, 0, 0, 60]) + open_ + queue_a]
    return seeds


def of_suites(make):
    return {f"{make.__name__}_{suite}": lambda suite=suite: make(suite) for suite in SUITES}


TARGETS = {
    "reader": reader,
    "uvarint": uvarints,
    "text": text,
    "log": log,
    "node_info_amino": lambda: node_info("tendermint/node-info.json"),
    "node_info_proto": lambda: node_info("cometbft/node-info.json"),
    "node_key": node_key,
    "addr": addr,
    "config": config,
    "recognize": recognize,
    "abci": abci,
    "abci_client": abci_client,
    "pex_amino": lambda: pex("tendermint/pex.json"),
    "pex_proto": lambda: pex("cometbft/pex.json"),
    "book": book,
    "bans": bans,
    "packet_amino": lambda: packets("tendermint/decoder.json", "tendermint/packets.json"),
    "session_tendermint": lambda: session("tendermint"),
    "session_cometbft": lambda: session("cometbft"),
    "session_plain": lambda: session("plain"),
    "two_peers": two_peers,
    "mux_amino": lambda: mux("tendermint/decoder.json"),
    "mux_proto": lambda: mux("cometbft/decoder.json"),
    "packet_proto": lambda: packets("cometbft/decoder.json", "cometbft/packets.json"),
}
for maker in (auth_msg, sc_eph, sc_auth, frames):
    TARGETS.update(of_suites(maker))
