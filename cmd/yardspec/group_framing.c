/* SPDX-License-Identifier: Apache-2.0 */
/* The ephemeral key message: its form, its length, its key. */
#include <poll.h>
#include <string.h>

#include "cmd/yardspec/cases.h"

/* Sends what the row says as the first bytes.  A target that goes on sends its authentication
 * message behind its own ephemeral key message. */
static void run_first_bytes(spec_run *run, const spec_row *row, const char *bytes) {
    spec_peer *peer = spec_dial(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    spec_expand(run, peer, bytes, &out);
    spec_note_sent(run, "%s", spec_show(out.data, out.len));
    spec_peer_send(peer, out.data, out.len);
    spec_bytes_fini(&out);
    if ((row->flags & SPEC_F_SHUT) != 0) {
        spec_peer_shut(peer);
    }
    spec_hold(peer, row);
    const spec_came came = spec_peer_need_raw(peer, spec_peer_suite(peer)->eph_msg_len + 1);
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed after %zu bytes", peer->received);
    } else {
        spec_fail(run, "that the connection is closed", "%s",
                  came == SPEC_CAME_DATA ? "more than an ephemeral key message: it went on"
                                         : spec_came_text(run, peer, came));
    }
}

static void finish_handshake(spec_run *run, spec_peer *peer) {
    if (spec_do_auth(run, peer) && spec_do_info(run, peer)) {
        spec_judge_open(run, peer);
    }
}

/* Two bytes tell the profile, and the target's message must come in full without more of ours. */
static spec_peer *dial_two_bytes(spec_run *run) {
    spec_peer *peer = spec_dial(run);
    uint8_t out[SY_EPH_MSG_MAX];
    if (peer == NULL) {
        return NULL;
    }
    (void)spec_peer_encode_ephemeral(peer, out);
    spec_peer_send(peer, out, 2);
    const spec_came came = spec_peer_recv_ephemeral(peer);
    if (came != SPEC_CAME_DATA) {
        spec_note_sent(run, "%s", spec_show(out, 2));
        spec_fail(run, "the whole ephemeral key message of the target", "%s",
                  spec_came_text(run, peer, came));
        return NULL;
    }
    return peer;
}

static void send_rest_of_key(spec_peer *peer, size_t from, size_t to) {
    uint8_t out[SY_EPH_MSG_MAX];
    (void)spec_peer_encode_ephemeral(peer, out);
    spec_peer_send(peer, out + from, to - from);
}

static void run_without_waiting(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = dial_two_bytes(run);
    if (peer != NULL) {
        spec_note_sent(run, "two bytes");
        spec_pass(run, "the target's whole message");
    }
}

static void run_form(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *first = spec_dial_keys(run);
    if (first == NULL) {
        return;
    }
    spec_peer_close(first); /* some listeners serve one after the other */
    spec_peer *second = spec_dial_keys(run);
    if (second == NULL) {
        return;
    }
    if (memcmp(first->remote_eph, second->remote_eph, 32) == 0) {
        spec_fail(run, "a fresh key for each connection", "the same key twice");
    } else {
        spec_pass(run, "two messages of the right form with two keys");
    }
}

/* Nothing as long as it cannot know the profile, or one whole message when it knows only one. */
static void run_silent(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial(run);
    if (peer == NULL) {
        return;
    }
    const size_t whole = spec_peer_suite(peer)->eph_msg_len;
    spec_note_sent(run, "nothing");
    peer->timeout_ms = 500;
    (void)spec_peer_need_raw(peer, whole + 1);
    if (peer->raw.len == 0 || peer->raw.len == whole) {
        spec_pass(run, "%zu bytes", peer->raw.len);
    } else {
        spec_fail(run, "nothing, or an ephemeral key message", "%s",
                  spec_show(peer->raw.data, peer->raw.len));
    }
}

static void run_byte_by_byte(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial(run);
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "the ephemeral key message byte by byte");
    for (size_t i = 0; i < spec_peer_suite(peer)->eph_msg_len; i++) {
        send_rest_of_key(peer, i, i + 1);
        (void)poll(NULL, 0, 2);
    }
    const spec_came came = spec_peer_recv_ephemeral(peer);
    if (came != SPEC_CAME_DATA) {
        spec_fail(run, "the target's key", "%s", spec_came_text(run, peer, came));
        return;
    }
    finish_handshake(run, peer);
}

/* The end of the key, authentication, NodeInfo and a ping in one piece. */
static void run_all_at_once(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = dial_two_bytes(run);
    uint8_t msg[SY_AUTH_MSG_MAX];
    spec_bytes out = {0};
    spec_bytes info = {0};
    if (peer == NULL) {
        return;
    }
    const size_t eph_len = spec_peer_encode_ephemeral(peer, msg);
    spec_bytes_add(&out, msg + 2, eph_len - 2);
    spec_peer_seal_stream(peer, msg, spec_peer_encode_auth(peer, msg), &out);
    spec_add_info(run, peer, &info);
    spec_peer_seal_stream(peer, info.data, info.len, &out);
    spec_note_sent(run, "the rest of the key, authentication and NodeInfo in one write");
    spec_peer_send(peer, out.data, out.len);
    spec_bytes_fini(&out);
    spec_bytes_fini(&info);
    if (spec_peer_recv_auth(peer) == SPEC_CAME_DATA &&
        spec_peer_recv_info(peer) == SPEC_CAME_DATA) {
        spec_judge_open(run, peer);
    } else {
        spec_fail(run, "the target's NodeInfo", "none after %zu bytes", peer->received);
    }
}

static const spec_row framing[] = {
    {"eph-form", "STS-01", "CC-01", "each connection begins with a fresh ephemeral key",
     .run = run_form},
    {"eph-unasked", "STS-02", "CC-02", "two bytes of ours bring the target's whole key",
     .run = run_without_waiting},
    {"eph-silent", "PR-02", NULL, "before our first byte", .flags = SPEC_F_DIAL, .run = run_silent},
    {"eph-bytewise", "PR-01", NULL, "the key arrives byte by byte", .flags = SPEC_F_DIAL,
     .run = run_byte_by_byte},
    {"eph-joined", "STS-20", "CC-24", "what follows the key in the same write is not lost",
     .run = run_all_at_once},
    {"eph-31", "STS-03", "CC-03", "a key of 31 bytes", "[[$E:31]]", "[0a[$E:31]]"},
    {"eph-33", "STS-03", "CC-03", "a key of 33 bytes", "[[$E 00]]", "[0a[$E 00]]"},
    {"eph-0", "STS-03", "CC-03", "an empty key", "[[]]", "[0a[]]"},
    {"eph-empty", "STS-03", "CC-03", "an empty message", "00", "00"},
    {"eph-trailing", "STS-03", "CC-03", "a byte or field behind the key", "[[$E] 00]",
     "[0a[$E] 1001]"},
    {"eph-no-outer", "STS-03", "CC-03", "the key without the outer length", "20$E", "0a20$E"},
    {"eph-inner-16", "STS-03", "CC-03", "an inner length of 16 in the outer one of 32", "21 10 $E",
     "22 0a10 $E", .flags = SPEC_F_SHUT},
    {"eph-huge", "STS-03", "CC-03", "an announced length of 1 MiB and 1", "818040", "818040",
     .flags = SPEC_F_HOLD},
    {"eph-huge-64", "STS-03", "CC-03", "an announced length of 2^63", "80808080808080808001",
     "80808080808080808001", .flags = SPEC_F_HOLD},
    {"eph-cut", "MX-51", NULL, "half a key, then the end of our half", "21 20 $E:15",
     "22 0a20 $E:15", .flags = SPEC_F_SHUT},
    {"eph-early", "STS-03", "CC-03", "the first wrong byte is enough", "21 1f", "22 0a1f",
     .flags = SPEC_F_HOLD},
    {"eph-type", "CC-04", NULL, "the value as a varint", NULL, "22 08 $E 00"},
    {"eph-field-2", "CC-04", NULL, "the key as field 2", NULL, "[12[$E]]"},
    {"first-tls", "PR-03", NULL, "a TLS hello", "16030100c8010000c40303 $E",
     "16030100c8010000c40303 $E", .flags = SPEC_F_DIAL},
    {"first-http", "PR-03", NULL, "an HTTP request", "'GET / HTTP/1.1' 0d0a 'Host: x' 0d0a0d0a",
     "'GET / HTTP/1.1' 0d0a 'Host: x' 0d0a0d0a", .flags = SPEC_F_HOLD | SPEC_F_DIAL},
};

const spec_group spec_group_framing = {"framing", framing, sizeof framing / sizeof framing[0],
                                       run_first_bytes};

/* ---- Keys ------------------------------------------------------------------------------------ */

static void run_reflected(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = dial_two_bytes(run);
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "the target's own ephemeral key");
    memcpy(peer->eph_pub, peer->remote_eph, sizeof peer->eph_pub);
    send_rest_of_key(peer, 2, spec_peer_suite(peer)->eph_msg_len);
    const spec_came came = spec_peer_need_raw(peer, 1);
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed");
    } else {
        spec_fail(run, "that the connection is closed and nothing more is sent", "%s",
                  came == SPEC_CAME_DATA ? "more bytes: it went on"
                                         : spec_came_text(run, peer, came));
    }
}

/* Keys of both orders happen by chance; enough connections see both. */
static void run_orders(spec_run *run, const spec_row *row) {
    (void)row;
    bool seen[2] = {false, false};
    for (int i = 0; i < 24 && !(seen[0] && seen[1]); i++) {
        spec_peer *peer = spec_dial_open(run);
        if (peer == NULL) {
            return;
        }
        seen[memcmp(peer->eph_pub, peer->remote_eph, 32) < 0] = true;
        spec_peer_fini(peer);
        run->peer_count = 0;
    }
    if (seen[0] && seen[1]) {
        spec_pass(run, "the handshake works for the lower and for the higher key");
    } else {
        spec_skip(run, "24 connections gave one order of keys only");
    }
}

#define LOW(number, title, hex)                                                                    \
    { "low-order-" number, "STS-06", "CC-07", "low order: " title, "21 20" hex, "22 0a20" hex }

static const spec_row ephemeral[] = {
    LOW("1", "zero", "0000000000000000000000000000000000000000000000000000000000000000"),
    LOW("2", "zero, top bit", "0000000000000000000000000000000000000000000000000000000000000080"),
    LOW("3", "one", "0100000000000000000000000000000000000000000000000000000000000000"),
    LOW("4", "one, top bit", "0100000000000000000000000000000000000000000000000000000000000080"),
    LOW("5", "order 8", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    LOW("6", "order 8, top bit",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880"),
    LOW("7", "order 8, other", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    LOW("8", "order 8, other, top bit",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7"),
    LOW("9", "p - 1", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    LOW("10", "p - 1, top bit", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    LOW("11", "p", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    LOW("12", "p, top bit", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    LOW("13", "p + 1", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    LOW("14", "p + 1, top bit", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    {"reflected", "STS-05", "CC-06", "the target's own key comes back", .run = run_reflected},
    {"key-orders", "STS-09", "CC-10", "the lower and the higher key", .run = run_orders},
};

const spec_group spec_group_ephemeral = {"ephemeral", ephemeral,
                                         sizeof ephemeral / sizeof ephemeral[0], run_first_bytes};
