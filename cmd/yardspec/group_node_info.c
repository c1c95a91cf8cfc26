/* SPDX-License-Identifier: Apache-2.0 */
/* NodeInfo: each rule at its boundary.  {n} is field n of the one that is accepted.
 *
 * amino: 1 ID, 2 ListenAddr, 3 Network, 4 Version, 5 Channels, 6 Moniker, 7 Other.
 * protobuf: 1 protocol versions, 2 ID, 3 listen_addr, 4 network, 5 version, 6 channels, 7 moniker,
 * 8 other. */
#include <string.h>

#include "cmd/yardspec/cases.h"

static void run_info(spec_run *run, const spec_row *row, const char *bytes) {
    spec_peer *peer = spec_dial_auth(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    spec_expand(run, peer, bytes, &out);
    spec_note_sent(run, "NodeInfo %s", spec_show(out.data, out.len));
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    spec_hold(peer, row);
    const spec_came came = spec_peer_recv_info(peer);
    if (came == SPEC_CAME_CLOSED && row->expect == SPEC_REFUSE) {
        spec_pass(run, "the connection was closed");
    } else if (came != SPEC_CAME_DATA) {
        spec_fail(run, "the target's NodeInfo", "%s", spec_came_text(run, peer, came));
    } else if (row->expect == SPEC_ACCEPT) {
        spec_judge_open(run, peer);
    } else if ((row->flags & SPEC_F_HOLD) == 0) {
        spec_judge_closed(run, peer);
    } else if (spec_peer_need_plain(peer, 1) == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed");
    } else {
        spec_fail(run, "that the connection is closed", "it is open");
    }
}

/* The target's own, unasked and as it must be. */
static void run_sent(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_auth(run);
    if (peer == NULL) {
        return;
    }
    const spec_came came = spec_peer_recv_info(peer);
    if (came != SPEC_CAME_DATA) {
        spec_fail(run, "NodeInfo before ours", "%s", spec_came_text(run, peer, came));
        return;
    }
    spec_pass(run, "%s", spec_show(peer->info.data, peer->info.len));
}

static void encode_again(const spec_peer *peer, const sy_node_info *info, spec_bytes *out) {
    static uint8_t buf[SY_NODE_INFO_LEN_MAX];
    size_t len = 0;
    const sy_node_info_codec codec =
        peer->profile == SPEC_TENDERMINT ? SY_NODE_INFO_AMINO : SY_NODE_INFO_PROTO;
    if (sy_node_info_encode(codec, info, buf, sizeof buf, &len) == SY_OK) {
        spec_bytes_add(out, buf, len);
    }
}

static void run_form(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_info(run);
    sy_node_info info;
    spec_bytes again = {0};
    char id[SY_NODE_ID_TEXT_CAP];
    if (peer == NULL) {
        return;
    }
    const sy_node_info_codec codec =
        peer->profile == SPEC_TENDERMINT ? SY_NODE_INFO_AMINO : SY_NODE_INFO_PROTO;
    sy_node_id_format(&run->target.id, id);
    if (sy_node_info_decode(codec, peer->info.data, peer->info.len, &info, NULL) != SY_OK) {
        spec_fail(run, "a NodeInfo that can be decoded", "%s",
                  spec_show(peer->info.data, peer->info.len));
        return;
    }
    encode_again(peer, &info, &again);
    if (info.id.len != SY_NODE_ID_TEXT_LEN || memcmp(info.id.data, id, info.id.len) != 0) {
        spec_fail(run, "the target's ID", "\"%.*s\"", (int)info.id.len, info.id.data);
    } else if (sy_node_info_validate(codec, &info, SY_OK, NULL) != SY_OK) {
        spec_fail(run, "a NodeInfo that passes the rules", "%s",
                  spec_show(peer->info.data, peer->info.len));
    } else if (again.len != peer->info.len || memcmp(again.data, peer->info.data, again.len) != 0) {
        spec_fail(run, "fields in order, empty ones left out", "%s",
                  spec_show(peer->info.data, peer->info.len));
    } else {
        spec_pass(run, "the form of the specification, %zu bytes", peer->info.len);
    }
    spec_bytes_fini(&again);
}

static void run_frames_of_one(spec_run *run, const spec_row *row) {
    static const spec_frame honest = {0};
    (void)row;
    spec_peer *peer = spec_dial_auth(run);
    spec_bytes info = {0};
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    spec_add_info(run, peer, &info);
    for (size_t i = 0; i < info.len; i++) {
        spec_peer_seal(peer, &honest, info.data + i, 1, &out);
    }
    spec_note_sent(run, "NodeInfo in %zu frames", info.len);
    spec_peer_send(peer, out.data, out.len);
    spec_bytes_fini(&info);
    spec_bytes_fini(&out);
    if (spec_peer_recv_info(peer) == SPEC_CAME_DATA) {
        spec_judge_open(run, peer);
    } else {
        spec_fail(run, "the target's NodeInfo", "none");
    }
}

/* A piece of a message on each channel that it lists: it must have a reactor for each. */
static void run_listed(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    for (size_t i = 0; i < run->target.channel_count; i++) {
        uint8_t head[SY_PACKET_OVERHEAD];
        spec_bytes_add(
            &out, head,
            sy_packet_write_header(spec_peer_codec(peer), run->target.channels[i], false, 1, head));
        spec_bytes_fill(&out, 1, 'x');
    }
    spec_note_sent(run, "a piece on each of %zu channels", run->target.channel_count);
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    spec_judge_open(run, peer);
}

/* The port that we dialed, when it names the host that we dialed or none. */
static void run_port(spec_run *run, const spec_row *row) {
    const sy_endpoint *dialed = &run->target.endpoint;
    const sy_addr *listen = &run->target.listen;
    (void)row;
    if (!run->target.has_listen || !listen->is_ip ||
        (!sy_endpoint_is_any(&listen->endpoint) &&
         memcmp(listen->endpoint.ip, dialed->ip, sizeof dialed->ip) != 0)) {
        spec_skip(run, "NodeInfo names another host than the one dialed");
    } else if (listen->port != dialed->port) {
        spec_fail(run, "the port that was dialed", "port %u", listen->port);
    } else {
        spec_pass(run, "port %u", listen->port);
    }
}

#define BOTH(id, clause, title, tm, cb, expect)                                                    \
    { id, clause, NULL, title, tm, cb, expect }
#define BAD(id, clause, title, tm, cb)  BOTH(id, clause, title, tm, cb, SPEC_REFUSE)
#define GOOD(id, clause, title, tm, cb) BOTH(id, clause, title, tm, cb, SPEC_ACCEPT)

/* Channels that differ from each other and from those that targets serve. */
#define C15 "c1c2c3c4c5c6c7c8c9cacbcccdcecf"

static const spec_row rows[] = {
    {"ni-unasked", "NI-01", NULL, "the target sends its own without waiting", .run = run_sent},
    {"ni-form", "NI-02", "NI-07", "the target's own has the form of the specification",
     .run = run_form},
    {"id-text", "ID-03", NULL, "the target's ID in it is 40 lower-case digits", .run = run_form},
    {"ni-channels", "NI-19", NULL, "each channel that it lists is served", .run = run_listed},
    {"ni-port", "NI-20", NULL, "the port that it names", .flags = SPEC_F_DIAL, .run = run_port},
    {"ni-frames", "STS-20", "CC-24", "NodeInfo in frames of one byte", .run = run_frames_of_one},
    {"ni-with-packet", "NI-01", NULL, "a ping in the same frame", "[{1-7}] 0415c3d289",
     "[{1-8}] 020a00", SPEC_ACCEPT},
    {"ni-max", "NI-03", "NI-08", "the longest NodeInfo", "[{1-7} ~10238:42]", "[{1-8} ~10240:7a]",
     SPEC_ACCEPT},
    {"ni-max-1", "NI-03", "NI-08", "one byte more than that", "[{1-7} ~10239:42]",
     "[{1-8} ~10241:7a]"},
    {"ni-announced", "NI-03", "NI-08", "a length above the limit, and no body", "ff4f", "8150",
     .flags = SPEC_F_HOLD},
    {"ni-announced-max", "NI-03", "NI-08", "a length of 2^63, and no body", "80808080808080808001",
     "80808080808080808001", .flags = SPEC_F_HOLD},
    /* Encoding. */
    {"ni-unknown", "NI-04", "NI-09", "a field that nobody knows", "[{1-7} 4005]", "[{1-8} 4805]",
     SPEC_ACCEPT},
    {"ni-long-varint", "NI-04", "NI-09", "an inner length in two bytes for one",
     "[{1-5} 32 8200 'ab']", "[{1-6} 3a 8200 'ab' {8}]", SPEC_ACCEPT},
    {"ni-no-other", "NI-04", NULL, "a moniker that is written out, nothing behind", "[{1-6}]", NULL,
     SPEC_ACCEPT},
    {"ni-any-order", "NI-09", NULL, "the fields backwards", NULL, "[{8}{7}{6}{5}{4}{3}{2}{1}]",
     SPEC_ACCEPT},
    {"ni-last-counts", "NI-10", NULL, "a wrong network, then the right one", NULL,
     "[{1-3} 22['elsewhere'] {4-8}]", SPEC_ACCEPT},
    {"ni-last-wrong", "NI-10", NULL, "the right network, then a wrong one", NULL,
     "[{1-8} 22['elsewhere']]"},
    {"ni-versions-twice", "NI-11", NULL, "field 1 twice", NULL, "[{1}{1-8}]"},
    {"ni-other-twice", "NI-11", NULL, "field 8 twice", NULL, "[{1-8}{8}]"},
    {"ni-twice", "NI-06", NULL, "the network twice", "[{1-3}{3-7}]", NULL},
    {"ni-backwards", "NI-06", NULL, "version before network", "[{1-2}{4}{3}{5-7}]", NULL},
    {"ni-field-0", "NI-06", "NI-12", "field number 0", "[0005{1-7}]", "[{1-8}0005]"},
    {"ni-type", "NI-05", "NI-12", "the network as a varint", "[{1-2}1805{4-7}]",
     "[{1-3}2005{5-8}]"},
    {"ni-group", "NI-05", "NI-12", "wire type 4", "[{1-7}44]", "[{1-8}4c]"},
    {"ni-cut", "NI-05", "NI-12", "a moniker longer than the body", "[{1-5} 3209'ab']",
     "[{1-6}{8} 3a09'ab']"},
    {"ni-varint-long", "NI-12", NULL, "a varint of more than 64 bits", NULL,
     "[{1-8} 48 ffffffffffffffffff7f]"},
    {"ni-prefix", "NI-13", NULL, "a length prefix that is one byte too long",
     "808400 {1-7} ~515:42", "808400 {1-8} ~515:7a"},
    BAD("ni-empty", "NI-22", "nothing in it", "00", "[0a00 4200]"),
    /* Identity. */
    BAD("id-other", "NI-22", "another ID", "[0a[*40:61]{2-7}]", "[{1}12[*40:61]{3-8}]"),
    BAD("id-upper", "NI-22", "the ID in upper case", "[0a[$J]{2-7}]", "[{1}12[$J]{3-8}]"),
    BAD("id-short", "NI-22", "39 digits", "[0a[$I:39]{2-7}]", "[{1}12[$I:39]{3-8}]"),
    BAD("id-long", "NI-22", "a zero byte behind the ID", "[0a[$I 00]{2-7}]", "[{1}12[$I 00]{3-8}]"),
    BAD("id-none", "NI-22", "no ID", "[{2-7}]", "[{1}{3-8}]"),
    /* Channels. */
    GOOD("channels-16", "NI-23", "16 channels, one in common", "[{1-4}2a[" C15 "$C:1]{6}]",
         "[{1-5}32[" C15 "$C:1]{7-8}]"),
    BAD("channels-17", "NI-23", "17 channels", "[{1-4}2a[" C15 "$C:1 d1]{6}]",
        "[{1-5}32[" C15 "$C:1 d1]{7-8}]"),
    BAD("channels-twice", "NI-24", "a channel twice", "[{1-4}2a[$C:1 $C:1]{6}]",
        "[{1-5}32[$C:1 $C:1]{7-8}]"),
    BAD("channels-twice-apart", "NI-24", "a channel first and last", "[{1-4}2a[$C:1 c1c2 $C:1]{6}]",
        "[{1-5}32[$C:1 c1c2 $C:1]{7-8}]"),
    GOOD("channels-one", "NI-40", "one channel, in common", "[{1-4}2a[$C:1]{6}]",
         "[{1-5}32[$C:1]{7-8}]"),
    BAD("channels-other", "NI-40", "none in common", "[{1-4}2a[c1c2]{6}]", "[{1-5}32[c1c2]{7-8}]"),
    BAD("channels-none", "NI-40", "no channel", "[{1-4}{6}]", "[{1-5}{7-8}]"),
    /* Moniker. */
    GOOD("moniker-1", "NI-25", "one character", "[{1-5}32['~']]", "[{1-6}3a['~']{8}]"),
    GOOD("moniker-spaces", "NI-25", "spaces around a character", "[{1-5}32[' x ']]",
         "[{1-6}3a[' x ']{8}]"),
    BAD("moniker-none", "NI-25", "none", "[{1-5}]", "[{1-6}{8}]"),
    BAD("moniker-blank", "NI-25", "only spaces", "[{1-5}32['   ']]", "[{1-6}3a['   ']{8}]"),
    BAD("moniker-tab", "NI-25", "a tab", "[{1-5}32['a' 09 'b']]", "[{1-6}3a['a' 09 'b']{8}]"),
    BAD("moniker-zero", "NI-25", "a zero byte in it", "[{1-5}32['a' 00]]", "[{1-6}3a['a' 00]{8}]"),
    BAD("moniker-del", "NI-25", "the byte 7f", "[{1-5}32['a' 7f]]", "[{1-6}3a['a' 7f]{8}]"),
    BAD("moniker-utf8", "NI-25", "a letter outside ASCII", "[{1-5}32[c3a9]]", "[{1-6}3a[c3a9]{8}]"),
    /* Other, tx_index, rpc_address. */
    GOOD("other-two", "NI-26", "two entries", "[{1-6}3a['a=b']3a['c=d']]", NULL),
    BAD("other-empty", "NI-26", "an empty entry", "[{1-6}3a['a=b']3a[]]", NULL),
    BAD("other-tab", "NI-26", "an entry with a tab", "[{1-6}3a['a' 09]]", NULL),
    GOOD("tx-index-off", "NI-27", "off", NULL, "[{1-7}42[0a['off']]]"),
    GOOD("tx-index-none", "NI-27", "none", NULL, "[{1-7}4200]"),
    BAD("tx-index-other", "NI-27", "maybe", NULL, "[{1-7}42[0a['maybe']]]"),
    BAD("tx-index-upper", "NI-27", "On", NULL, "[{1-7}42[0a['On']]]"),
    GOOD("rpc-any", "NI-28", "any printable text", NULL, "[{1-7}42[0a['on']12['x y']]]"),
    BAD("rpc-tab", "NI-28", "a tab", NULL, "[{1-7}42[0a['on']12['a' 09]]]"),
    BAD("rpc-utf8", "NI-28", "a letter outside ASCII", NULL, "[{1-7}42[0a['on']12[c3a9]]]"),
    /* Versions. */
    GOOD("version-empty", "NI-31", "no software version", NULL, "[{1-4}{6-8}]"),
    BAD("version-blank", "NI-31", "only spaces", NULL, "[{1-4}2a['  ']{6-8}]"),
    BAD("version-tab", "NI-31", "a tab", NULL, "[{1-4}2a['1' 09]{6-8}]"),
    GOOD("version-text", "NI-38", "another software version", NULL, "[{1-4}2a['7.7.7']{6-8}]"),
    GOOD("version-p2p", "NI-38", "another p2p version", NULL, "[0a[$W 0863]{2-8}]"),
    GOOD("version-app", "NI-38", "another app version", NULL, "[0a[$W 1863]{2-8}]"),
    BAD("version-block", "NI-37", "another block version", NULL, "[0a[$W 1063]{2-8}]"),
    BAD("version-block-none", "NI-37", "no block version", NULL, "[0a00{2-8}]"),
    GOOD("version-minor", "NI-36", "other second and third parts", "[{1-3}22['0.99.7']{5-6}]",
         NULL),
    GOOD("version-suffix", "NI-29", "a suffix behind the third part",
         "[{1-3}22['0.22.8-abcd']{5-6}]", NULL),
    BAD("version-major", "NI-36", "another first part", "[{1-3}22['1.22.8']{5-6}]", NULL),
    BAD("version-major-text", "NI-36", "00 for 0", "[{1-3}22['00.22.8']{5-6}]", NULL),
    BAD("version-two", "NI-29", "two parts", "[{1-3}22['0.22']{5-6}]", NULL),
    BAD("version-four", "NI-29", "four parts", "[{1-3}22['0.22.8.1']{5-6}]", NULL),
    BAD("version-letters", "NI-29", "letters in the second part", "[{1-3}22['0.x.8']{5-6}]", NULL),
    BAD("version-third", "NI-29", "a third part that begins with a letter",
        "[{1-3}22['0.22.rc8']{5-6}]", NULL),
    BAD("version-none", "NI-29", "no version", "[{1-3}{5-6}]", NULL),
    /* Network. */
    BAD("network-other", "NI-39", "another network", "[{1-2}1a['elsewhere']{4-6}]",
        "[{1-3}22['elsewhere']{5-8}]"),
    BAD("network-none", "NI-39", "no network", "[{1-2}{4-6}]", "[{1-3}{5-8}]"),
    BAD("network-longer", "NI-39", "one character more", "[{1-2}1a[$N 'x']{4-6}]",
        "[{1-3}22[$N 'x']{5-8}]"),
    BAD("network-zero", "NI-15", "a zero byte behind the network", "[{1-2}1a[$N 00]{4-6}]",
        "[{1-3}22[$N 00]{5-8}]"),
    /* Listen address. */
    GOOD("listen-any", "NI-33", "0.0.0.0", "[{1}12['0.0.0.0:26656']{3-6}]",
         "[{1-2}1a['tcp://0.0.0.0:26656']{4-8}]"),
    GOOD("listen-port-0", "NI-33", "port 0", "[{1}12['127.0.0.1:0']{3-6}]",
         "[{1-2}1a['127.0.0.1:0']{4-8}]"),
    GOOD("listen-private", "NI-33", "a private address", "[{1}12['10.1.2.3:26656']{3-6}]",
         "[{1-2}1a['10.1.2.3:26656']{4-8}]"),
    GOOD("listen-v6", "NI-33", "[::]", "[{1}12['[::]:26656']{3-6}]",
         "[{1-2}1a['[::]:26656']{4-8}]"),
    GOOD("listen-scheme", "NI-33", "with tcp:// in front", "[{1}12['tcp://1.2.3.4:1']{3-6}]",
         "[{1-2}1a['tcp://1.2.3.4:1']{4-8}]"),
    GOOD("listen-no-scheme", "NI-33", "without a scheme", NULL, "[{1-2}1a['1.2.3.4:1']{4-8}]"),
    GOOD("listen-no-host", "NI-34", "an empty host", "[{1}12[':26656']{3-6}]", NULL),
    BAD("listen-no-host-proto", "NI-35", "an empty host", NULL, "[{1-2}1a[':26656']{4-8}]"),
    BAD("listen-none", "NI-32", "none", "[{1}{3-6}]", "[{1-2}{4-8}]"),
    BAD("listen-no-port", "NI-32", "no port", "[{1}12['127.0.0.1']{3-6}]",
        "[{1-2}1a['127.0.0.1']{4-8}]"),
    BAD("listen-port-65536", "NI-32", "port 65536", "[{1}12['127.0.0.1:65536']{3-6}]",
        "[{1-2}1a['127.0.0.1:65536']{4-8}]"),
    BAD("listen-port-text", "NI-32", "a port of letters", "[{1}12['127.0.0.1:http']{3-6}]",
        "[{1-2}1a['127.0.0.1:http']{4-8}]"),
    BAD("listen-port-signed", "NI-32", "port -1", "[{1}12['127.0.0.1:-1']{3-6}]",
        "[{1-2}1a['127.0.0.1:-1']{4-8}]"),
    /* The rules of addresses, which a ListenAddr follows. */
    BAD("addr-port-6", "AD-05", "a port of six digits", "[{1}12['127.0.0.1:026656']{3-6}]",
        "[{1-2}1a['127.0.0.1:026656']{4-8}]"),
    BAD("addr-port-space", "AD-05", "a space in front of the port", "[{1}12['127.0.0.1: 80']{3-6}]",
        "[{1-2}1a['127.0.0.1: 80']{4-8}]"),
    GOOD("addr-port-0", "AD-06", "port 0", "[{1}12['1.2.3.4:0']{3-6}]",
         "[{1-2}1a['1.2.3.4:0']{4-8}]"),
    BAD("addr-v6-bare", "AD-07", "IPv6 without brackets", "[{1}12['2001:db9::1:80']{3-6}]",
        "[{1-2}1a['2001:db9::1:80']{4-8}]"),
    BAD("addr-v4-brackets", "AD-07", "brackets around IPv4", "[{1}12['[1.2.3.4]:80']{3-6}]",
        "[{1-2}1a['[1.2.3.4]:80']{4-8}]"),
    BAD("addr-v4-zero", "AD-08", "a leading zero", "[{1}12['01.2.3.4:80']{3-6}]",
        "[{1-2}1a['01.2.3.4:80']{4-8}]"),
    BAD("addr-v4-256", "AD-08", "a part above 255", "[{1}12['1.2.3.256:80']{3-6}]",
        "[{1-2}1a['1.2.3.256:80']{4-8}]"),
    BAD("addr-v4-three", "AD-08", "three parts", "[{1}12['1.2.3:80']{3-6}]",
        "[{1-2}1a['1.2.3:80']{4-8}]"),
    BAD("addr-v6-zone", "AD-09", "IPv6 with a zone", "[{1}12['[fe80::1%lo]:80']{3-6}]",
        "[{1-2}1a['[fe80::1%lo]:80']{4-8}]"),
    BAD("addr-label-dash", "AD-10", "a label that begins with a dash",
        "[{1}12['-a.example:80']{3-6}]", "[{1-2}1a['-a.example:80']{4-8}]"),
    BAD("addr-label-empty", "AD-10", "an empty label", "[{1}12['a..example:80']{3-6}]",
        "[{1-2}1a['a..example:80']{4-8}]"),
    BAD("addr-long", "AD-10", "a label of 305 letters", "[{1}12[*305:61 ':2665']{3-6}]",
        "[{1-2}1a[*305:61 ':2665']{4-8}]"),
    GOOD("addr-mapped", "AD-11", "IPv4 mapped into IPv6", "[{1}12['[::ffff:1.2.3.4]:80']{3-6}]",
         "[{1-2}1a['[::ffff:1.2.3.4]:80']{4-8}]"),
    {"listen-name", "NI-41", NULL, "a name without an address",
     "[{1}12['no-such-name.invalid:26656']{3-6}]", "[{1-2}1a['no-such-name.invalid:26656']{4-8}]",
     SPEC_REFUSE, SPEC_F_SLOW},
};

const spec_group spec_group_node_info = {"node-info", rows, sizeof rows / sizeof rows[0], run_info};
