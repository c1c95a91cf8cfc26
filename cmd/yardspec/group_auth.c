/* SPDX-License-Identifier: Apache-2.0 */
/* The authentication message.  Honest: [0a[1624de64[key]] 12[2031ea53[signature]]] in amino,
 * [0a[0a[key]] 12[signature]] in protobuf. */
#include <sodium.h>
#include <string.h>

#include "cmd/yardspec/cases.h"

#define TM_KEY "0a[1624de64[$P]]"
#define TM_SIG "12[2031ea53[$S]]"
#define CB_KEY "0a[0a[$P]]"
#define CB_SIG "12[$S]"

/* After an authentication message that it accepts a target sends NodeInfo. */
static void judge_refused(spec_run *run, spec_peer *peer) {
    spec_came came = spec_peer_recv_auth(peer);
    if (came == SPEC_CAME_DATA) {
        came = spec_peer_need_plain(peer, 1);
    }
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed, and no NodeInfo came");
    } else {
        spec_fail(run, "that the connection is closed", "%s",
                  came == SPEC_CAME_DATA ? "NodeInfo: it was accepted"
                                         : spec_came_text(run, peer, came));
    }
}

static void judge_accepted(spec_run *run, spec_peer *peer) {
    const spec_came came = spec_peer_recv_auth(peer);
    if (came != SPEC_CAME_DATA) {
        spec_fail(run, "the target's authentication message", "%s",
                  spec_came_text(run, peer, came));
    } else if (spec_do_info(run, peer)) {
        spec_judge_open(run, peer);
    }
}

static void run_auth(spec_run *run, const spec_row *row, const char *bytes) {
    spec_peer *peer = spec_dial_keys(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    spec_expand(run, peer, bytes, &out);
    spec_note_sent(run, "%s as authentication message", spec_show(out.data, out.len));
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    spec_hold(peer, row);
    if (row->expect == SPEC_ACCEPT) {
        judge_accepted(run, peer);
    } else {
        judge_refused(run, peer);
    }
}

static void run_form(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_keys(run);
    uint8_t out[SY_AUTH_MSG_MAX];
    if (peer == NULL) {
        return;
    }
    /* Ours only after the target's: it must not wait. */
    const size_t len = spec_peer_suite(peer)->auth_msg_len;
    const spec_came came = spec_peer_need_plain(peer, len);
    if (came != SPEC_CAME_DATA) {
        spec_fail(run, "the target's authentication message", "%s",
                  spec_came_text(run, peer, came));
        return;
    }
    sy_auth_msg auth = {{0}, {0}};
    const size_t key_at = peer->profile == SPEC_TENDERMINT ? 8 : 5;
    memcpy(auth.pubkey, peer->plain.data + key_at, sizeof auth.pubkey);
    memcpy(auth.sig, peer->plain.data + len - sizeof auth.sig, sizeof auth.sig);
    spec_peer_suite(peer)->encode_auth(&auth, out);
    if (peer->first_len != len || peer->plain.len != len ||
        memcmp(out, peer->plain.data, len) != 0) {
        spec_fail(run, "exactly the bytes of the specification alone in the first frame",
                  "%zu bytes, %s", peer->first_len, spec_show(peer->plain.data, peer->plain.len));
        return;
    }
    spec_pass(run, "the %zu bytes, unasked, alone in their frame", len);
}

static void run_challenge(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_auth(run);
    if (peer != NULL) {
        spec_pass(run, "a signature over the challenge, by the key whose ID was dialed");
    }
}

static void run_replay(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *first = spec_dial_keys(run);
    uint8_t out[SY_AUTH_MSG_MAX];
    if (first == NULL) {
        return;
    }
    const size_t len = spec_peer_encode_auth(first, out);
    spec_peer_close(first); /* some listeners serve one after the other */
    spec_peer *second = spec_dial_keys(run);
    if (second == NULL) {
        return;
    }
    spec_note_sent(run, "the authentication message of another connection");
    spec_peer_send_stream(second, out, len);
    judge_refused(run, second);
}

/* Both sides sign the same challenge, so the target's own message is valid: it proves its ID. */
static void run_mirror(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_keys(run);
    if (peer == NULL) {
        return;
    }
    const size_t len = spec_peer_suite(peer)->auth_msg_len;
    if (spec_peer_need_plain(peer, len) != SPEC_CAME_DATA) {
        spec_fail(run, "the target's authentication message", "none");
        return;
    }
    spec_note_sent(run, "the target's own authentication message");
    spec_peer_send_stream(peer, peer->plain.data, len);
    spec_bytes_drop(&peer->plain, len);
    spec_bytes info = {0};
    spec_expand(run, peer, peer->profile == SPEC_TENDERMINT ? "[0a[$T]{2-7}]" : "[{1}12[$T]{3-8}]",
                &info);
    spec_peer_send_stream(peer, info.data, info.len);
    spec_bytes_fini(&info);
    if (spec_peer_recv_info(peer) == SPEC_CAME_DATA) {
        spec_judge_closed(run, peer);
    } else if (peer->ended) {
        spec_pass(run, "the connection was closed");
    } else {
        spec_fail(run, "that the connection is closed", "it is open");
    }
}

static void run_frames_of_one(spec_run *run, const spec_row *row) {
    static const spec_frame honest = {0};
    (void)row;
    spec_peer *peer = spec_dial_keys(run);
    uint8_t msg[SY_AUTH_MSG_MAX];
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    const size_t len = spec_peer_encode_auth(peer, msg);
    for (size_t i = 0; i < len; i++) {
        spec_peer_seal(peer, &honest, msg + i, 1, &out);
    }
    spec_note_sent(run, "the authentication message in %zu frames", len);
    spec_peer_send(peer, out.data, out.len);
    spec_bytes_fini(&out);
    judge_accepted(run, peer);
}

/* Authentication message, NodeInfo and a ping in one frame. */
static void run_joined(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_keys(run);
    uint8_t msg[SY_AUTH_MSG_MAX];
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    spec_bytes_add(&out, msg, spec_peer_encode_auth(peer, msg));
    spec_add_info(run, peer, &out);
    spec_bytes_add(&out, msg, sy_packet_write_ping(spec_peer_codec(peer), msg));
    spec_note_sent(run, "authentication message, NodeInfo and ping in one frame");
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    spec_came came = spec_peer_recv_auth(peer);
    if (came == SPEC_CAME_DATA) {
        came = spec_peer_recv_info(peer);
    }
    if (came == SPEC_CAME_DATA) {
        came = spec_wait_pong(peer);
    }
    if (came == SPEC_CAME_DATA) {
        spec_pass(run, "the ping was answered");
    } else {
        spec_fail(run, "a pong", "%s", spec_came_text(run, peer, came));
    }
}

static const spec_row rows[] = {
    {"auth-form", "STS-21", "CC-25", "the target's message has exactly its bytes", .run = run_form},
    {"auth-challenge", "STS-10", "CC-11", "the target signs the challenge with its node key",
     .run = run_challenge},
    {"auth-transcript", "CC-12", NULL, "the challenge comes from the transcript",
     .flags = SPEC_F_CB, .run = run_challenge},
    {"auth-pure", "ID-05", NULL, "the signature is pure Ed25519", .run = run_challenge},
    {"id-of-key", "ID-02", NULL, "the ID is the hash of the key", .run = run_challenge},
    {"auth-replay", "STS-30", "CC-34", "the message of another connection", .run = run_replay},
    {"auth-mirror", "SW-11", NULL, "the target's own message and so its own ID",
     .flags = SPEC_F_DIAL, .run = run_mirror},
    {"auth-split", "STS-20", "CC-24", "the message in frames of one byte",
     .run = run_frames_of_one},
    {"auth-joined", "STS-20", "CC-24", "message, NodeInfo and ping in one frame",
     .run = run_joined},
    {"sig-bit", "STS-30", "CC-34", "a signature with one bit turned over",
     "[" TM_KEY "12[2031ea53[$B]]]", "[" CB_KEY "12[$B]]"},
    {"sig-challenge", "STS-30", "CC-34", "a signature over another challenge",
     "[" TM_KEY "12[2031ea53[$O]]]", "[" CB_KEY "12[$O]]"},
    {"sig-key", "STS-30", "CC-34", "a signature by another key", "[" TM_KEY "12[2031ea53[$Q]]]",
     "[" CB_KEY "12[$Q]]"},
    {"sig-high", "STS-30", "CC-34", "a scalar that is not below the group order",
     "[" TM_KEY "12[2031ea53[$H]]]", "[" CB_KEY "12[$H]]"},
    {"sig-zero", "STS-30", "CC-34", "a signature of zero bytes", "[" TM_KEY "12[2031ea53[*64:00]]]",
     "[" CB_KEY "12[*64:00]]"},
    {"sig-none", "STS-27", "CC-33", "no signature", "[" TM_KEY "]", "[" CB_KEY "]"},
    {"sig-empty", "STS-29", "CC-33", "an empty signature", "[" TM_KEY "12[2031ea53[]]]",
     "[" CB_KEY "12[]]"},
    {"sig-63", "STS-29", "CC-33", "a signature of 63 bytes", "[" TM_KEY "12[2031ea53[$S:63]]]",
     "[" CB_KEY "12[$S:63]]"},
    {"sig-65", "STS-29", "CC-33", "a signature of 65 bytes", "[" TM_KEY "12[2031ea53[$S 00]]]",
     "[" CB_KEY "12[$S 00]]"},
    {"sig-type", "STS-29", NULL, "a signature of type secp256k1", "[" TM_KEY "12[7fc4a495[$S]]]",
     NULL},
    {"key-none", "STS-26", "CC-30", "no key", "[" TM_SIG "]", "[" CB_SIG "]"},
    {"key-empty", "CC-30", NULL, "an empty key", NULL, "[0a[]" CB_SIG "]"},
    {"key-type", "STS-28", "CC-31", "a key of type secp256k1", "[0a[eb5ae987[02 $P]]" TM_SIG "]",
     "[0a[12[02 $P]]" CB_SIG "]"},
    {"key-type-32", "STS-28", "CC-31", "the key, called secp256k1", "[0a[eb5ae987[$P]]" TM_SIG "]",
     "[0a[12[$P]]" CB_SIG "]"},
    {"key-31", "STS-28", "CC-32", "a key of 31 bytes", "[0a[1624de64[$P:31]]" TM_SIG "]",
     "[0a[0a[$P:31]]" CB_SIG "]"},
    {"key-33", "STS-28", "CC-32", "a key of 33 bytes", "[0a[1624de64[$P 00]]" TM_SIG "]",
     "[0a[0a[$P 00]]" CB_SIG "]"},
    {"auth-node-info", "STS-31", "CC-35", "NodeInfo instead of it", "[{1-7}]", "[{1-8}]"},
    {"auth-empty", "STS-26", "CC-30", "an empty message", "00", "00"},
    {"auth-unknown", "STS-24", "CC-28", "an unknown field at the end", "[" TM_KEY TM_SIG "1805]",
     "[" CB_KEY CB_SIG "1805]", SPEC_ACCEPT},
    {"auth-reordered", "STS-25", NULL, "the signature before the key", "[" TM_SIG TM_KEY "]", NULL},
    {"auth-any-order", "CC-28", NULL, "an unknown field, the signature, the key", NULL,
     "[1805" CB_SIG CB_KEY "]", SPEC_ACCEPT},
    {"key-twice", "STS-25", "CC-29", "the key twice", "[" TM_KEY TM_KEY TM_SIG "]",
     "[" CB_KEY CB_KEY CB_SIG "]"},
    {"auth-type", "STS-25", "CC-29", "the signature as a varint", "[" TM_KEY "1005]",
     "[" CB_KEY "1005" CB_SIG "]"},
    {"auth-field-0", "STS-25", "CC-29", "field number 0", "[0005" TM_KEY TM_SIG "]",
     "[" CB_KEY CB_SIG "0005]"},
    {"auth-group", "STS-25", "CC-29", "wire type 4", "[" TM_KEY TM_SIG "1c]",
     "[" CB_KEY CB_SIG "1c]"},
    {"auth-cut", "STS-25", "CC-29", "a signature longer than the message",
     "[" TM_KEY "1246 2031ea53 [$S]]", "[" CB_KEY "1241 $S]"},
    {"auth-left", "STS-25", NULL, "a byte left over behind the key",
     "[0a[1624de64[$P]00]" TM_SIG "]", NULL},
    {"auth-inner", "STS-25", NULL, "an inner length in three bytes for two",
     "[0a a500 1624de64[$P]" TM_SIG "]", NULL},
    {"auth-varint", "CC-29", NULL, "a varint of more than 64 bits", NULL,
     "[" CB_KEY CB_SIG "18 ffffffffffffffffff7f]"},
    {"auth-prefix", "STS-23", "CC-27", "a length prefix in two bytes for one", "ee00" TM_KEY TM_SIG,
     "e600" CB_KEY CB_SIG},
    {"auth-1024", "STS-22", "CC-26", "a message of 1024 bytes with its length",
     "[" TM_KEY TM_SIG "~1022:1a]", "[" CB_KEY CB_SIG "~1022:1a]", SPEC_ACCEPT},
    {"auth-1025", "STS-22", "CC-26", "a message of 1025 bytes with its length",
     "[" TM_KEY TM_SIG "~1023:1a]", "[" CB_KEY CB_SIG "~1023:1a]"},
    {"auth-announced", "STS-22", "CC-26", "1 MiB announced, nothing else sent", "808040", "808040",
     .flags = SPEC_F_HOLD},
    {"auth-announced-max", "STS-22", "CC-26", "2^63 bytes announced, nothing else sent",
     "80808080808080808001", "80808080808080808001", .flags = SPEC_F_HOLD},
};

const spec_group spec_group_auth = {"auth", rows, sizeof rows / sizeof rows[0], run_auth};
