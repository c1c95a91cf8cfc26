/* SPDX-License-Identifier: Apache-2.0 */
/* A session as a listener has it: the profile is recognised by the first bytes, the input is what
 * the dialer says inside its frames (of FUZZ_SUITE; NULL: there are none) or spoils on the way.
 * What is delivered is what a second reader finds in what was said.
 *
 * Header: flags (1 shared batch, 2 rates, 4 which ephemeral key is ours, 8 the input says also the
 * proof, 16 accept late), two bytes about memory.  Then operations, see step(). */
#include "p2p/profile_recognize.h"
#include "tests/fuzz/support/fuzz_hand.h"
#include "tests/fuzz/support/fuzz_peer.h"

typedef struct rig {
    fuzz_loop loop;
    fuzz_peer peer;
    fuzz_hand hand;
    fuzz_script script;
    fuzz_demux reader;
    fuzz_expect expect;
    size_t read; /* bytes of the plaintext that the second reader had */
} rig;

static sy_err refuse_to_sign(void *user, const uint8_t *msg, size_t len, uint8_t ret_sig[64]) {
    (void)user, (void)msg, (void)len, (void)ret_sig;
    return SY_ERR_CRYPTO_LIB;
}

static void on_message(void *user, uint16_t channel, const uint8_t *data, size_t len) {
    rig *r = user;
    if (r->script.hand != NULL || !r->script.is_spoilt) {
        fuzz_expect_take(&r->expect, channel, data, len);
    }
}

static void rig_init(rig *r, uint8_t flags, fuzz_in *in) {
    static const uint8_t key[32] = {0x11};
    const sy_suite *suite = FUZZ_SUITE;
    *r = (rig){.script = {.hand = NULL}};
    fuzz_loop_init(&r->loop, flags, in);
    r->hand = (fuzz_hand){
        .local_signer = {.sign = refuse_to_sign}, .local_eph_secret = key, .local_pubkey = key};
    if (suite != NULL) {
        fuzz_hand_init(&r->hand, suite, flags >> 2);
        r->script.hand = &r->hand;
        r->script.has_proof = true;
        fuzz_bytes_add(&r->script.wire, r->hand.remote_eph_msg, suite->eph_msg_len);
    }
    if (suite != NULL && (flags & 8) == 0) {
        fuzz_script_step(&r->script, 0xef, in);
    }
    fuzz_peer_init(&r->peer, &r->loop, r->hand.local_pubkey);
    r->peer.accepts_late = (flags & 16) != 0;
    r->peer.on_message = on_message;
    r->peer.user = r;
    r->reader = (fuzz_demux){.codec = FUZZ_CODEC,
                             .set = &r->loop.channels,
                             .on_message = fuzz_expect_add,
                             .expect = &r->expect};
}

static void rig_fini(rig *r) {
    fuzz_peer_fini(&r->peer);
    fuzz_loop_fini(&r->loop);
    fuzz_demux_free(&r->reader);
    fuzz_expect_free(&r->expect);
    fuzz_script_free(&r->script);
}

/* The second reader takes what is new behind the proof and the NodeInfo. */
static void read_ahead(rig *r) {
    sy_rd rd;
    sy_rd_init(&rd, r->script.plain.data, r->script.plain.len);
    for (unsigned skip = r->script.hand != NULL ? 2 : 1; skip > 0; skip--) {
        (void)sy_rd_len_bytes(&rd);
    }
    const size_t start = r->script.plain.len - sy_rd_left(&rd);
    if (rd.err == SY_OK && sy_rd_left(&rd) > 0) {
        const size_t from = r->read > start ? r->read : start;
        fuzz_demux_add(&r->reader, r->script.plain.data + from, r->script.plain.len - from);
        r->read = r->script.plain.len;
    }
}

/* Recognises the profile when there are enough bytes; false when nothing will ever come of it. */
static bool listening(rig *r) {
    static const sy_profile *const allowed[] = {&sy_profile_tendermint, &sy_profile_cometbft,
                                                &sy_profile_plain};
    const sy_profile *profile = NULL;
    if (r->peer.session == NULL && r->peer.err == SY_OK) {
        if (sy_profile_recognize(allowed, 3, r->script.wire.data, r->script.wire.len, &profile,
                                 NULL) != SY_OK) {
            return false;
        }
        if (profile != NULL) {
            fuzz_peer_open(&r->peer, profile, &r->hand.local_signer, r->hand.local_eph_secret);
        }
    }
    return r->peer.err == SY_OK;
}

static void step(rig *r, uint8_t op, fuzz_in *in) {
    fuzz_peer *peer = &r->peer;
    if (op < FUZZ_SCRIPT_OPS) {
        fuzz_script_step(&r->script, op, in);
        read_ahead(r);
    } else if (op < 0xf8) {
        fuzz_peer_feed(peer, &r->script.wire, op < 0xf4 ? fuzz_u8(in) : fuzz_u16(in));
    } else if (op < 0xfa) {
        fuzz_peer_send_all(peer);
    } else if (op < 0xfc) {
        r->loop.now += fuzz_duration(in);
        fuzz_peer_time(peer, op == 0xfb);
    } else if (op < 0xfe) {
        (void)fuzz_peer_queue(peer, fuzz_u8(in) % FUZZ_CHANNELS, fuzz_u16(in) % 4096, op);
    } else {
        fuzz_peer_accept(peer);
    }
}

static void settle(rig *r) {
    for (unsigned i = 0; i < 10000 && listening(r) && r->peer.session != NULL; i++) {
        fuzz_peer_accept(&r->peer);
        fuzz_peer_feed(&r->peer, &r->script.wire, r->script.wire.len);
        fuzz_peer_send_all(&r->peer);
        if (fuzz_peer_is_quiet(&r->peer) && r->script.wire.len == 0) {
            break;
        }
        r->loop.now += 100 * SY_MSEC;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static rig r;
    fuzz_in in = fuzz_in_of(data, size);
    const uint8_t flags = fuzz_u8(&in);
    rig_init(&r, flags, &in);
    while (fuzz_left(&in) > 0) {
        const uint8_t op = fuzz_u8(&in);
        if (op >= FUZZ_SCRIPT_OPS && !listening(&r)) {
            break;
        }
        step(&r, op, &in);
    }
    settle(&r);
    if (!r.script.is_spoilt && r.peer.err == SY_OK && r.peer.is_open) {
        FUZZ_CHECK(r.reader.err == SY_OK && fuzz_expect_is_empty(&r.expect));
        FUZZ_CHECK(sy_session_at_boundary(r.peer.session) == fuzz_demux_at_boundary(&r.reader));
    }
    fuzz_count(r.peer.has_info);
    rig_fini(&r);
    return 0;
}
