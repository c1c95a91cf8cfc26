/* SPDX-License-Identifier: Apache-2.0 */
/* Two sessions back to back with the input as the network between them: it cuts, delays, flips,
 * inserts, repeats and drops bytes, moves time and lets allocations fail.  Allowed is one of:
 * exactly what was sent is delivered, in order on each channel; or an error of class PEER or
 * CRYPTO; LOCAL only when an allocation was made to fail.  An untouched stream arrives whole.  (The
 * profile plain has no proof against changes: there a spoilt stream may deliver anything.)
 *
 * Header: profile, flags (1 shared batch, 2 rates), two bytes about memory.  Then operations, see
 * step(); the lowest bit of most says which direction. */
#include <string.h>

#include "tests/fuzz/support/fuzz_hand.h"
#include "tests/fuzz/support/fuzz_peer.h"

/* One direction. */
typedef struct way {
    fuzz_peer *from;
    fuzz_peer *to;
    fuzz_expect sent;
    bool is_spoilt;
    bool is_provable; /* the receiver can tell that it is spoilt */
} way;

typedef struct rig {
    fuzz_loop loop;
    fuzz_peer peers[2];
    way ways[2];
    bool time_moved;
} rig;

static void on_message(void *user, uint16_t channel, const uint8_t *data, size_t len) {
    way *w = user;
    if (!w->is_spoilt || w->is_provable) {
        fuzz_expect_take(&w->sent, channel, data, len);
    }
}

static void rig_init(rig *r, fuzz_in *in) {
    static const sy_profile *const profiles[] = {&sy_profile_tendermint, &sy_profile_cometbft,
                                                 &sy_profile_plain};
    static const sy_suite *const suites[] = {&sy_suite_secretbox, &sy_suite_cometbft};
    const unsigned which = fuzz_u8(in) % 3;
    memset(r, 0, sizeof *r);
    const uint8_t flags = fuzz_u8(in);
    fuzz_loop_init(&r->loop, flags, in);
    for (unsigned i = 0; i < 2; i++) {
        fuzz_hand hand;
        fuzz_hand_init(&hand, suites[which % 2], i);
        fuzz_peer_init(&r->peers[i], &r->loop, hand.local_pubkey);
        r->ways[i] = (way){.from = &r->peers[i], .to = &r->peers[1 - i], .is_provable = which < 2};
        r->peers[i].on_message = on_message;
        r->peers[i].user = &r->ways[1 - i];
        fuzz_peer_open(&r->peers[i], profiles[which], &hand.local_signer, hand.local_eph_secret);
    }
}

static void rig_fini(rig *r) {
    for (unsigned i = 0; i < 2; i++) {
        fuzz_peer_fini(&r->peers[i]);
        fuzz_expect_free(&r->ways[i].sent);
    }
    fuzz_loop_fini(&r->loop);
}

static void queue(way *w, fuzz_in *in) {
    const uint8_t channel = fuzz_u8(in);
    const size_t len = fuzz_u16(in) % (channel < 0x80 ? 2100u : 9000u);
    const uint16_t index = channel % (FUZZ_CHANNELS - 1); /* not the sink */
    const size_t capacity = w->to->loop->channels.desc[index].recv_message_max;
    if (len <= capacity && fuzz_peer_queue(w->from, index, len, channel)) {
        fuzz_expect_add(&w->sent, index, fuzz_pattern(channel), len);
    }
}

static void spoil(way *w, uint8_t op, fuzz_in *in) {
    fuzz_bytes *wire = &w->from->out;
    const size_t at = wire->len > 0 ? fuzz_u16(in) % wire->len : 0;
    const size_t n = wire->len - at < 64 ? wire->len - at : 64;
    if (wire->len == 0) {
        return;
    }
    uint8_t bytes[64];
    memcpy(bytes, wire->data + at, n);
    w->is_spoilt = true;
    if (op < 0xc8) {
        wire->data[at] ^= (uint8_t)(1 << fuzz_u8(in) % 8);
    } else if (op < 0xcc) { /* the end is lost */
        wire->len = at;
    } else if (op < 0xd0) { /* a few bytes in the middle are lost */
        memmove(wire->data + at, wire->data + at + n, wire->len - at - n);
        wire->len -= n;
    } else if (op < 0xd8) { /* bytes again at the end */
        fuzz_bytes_add(wire, bytes, n);
    } else {
        const sy_bytes raw = fuzz_take(in, op % 8 + 1u);
        fuzz_bytes_add(wire, raw.data, raw.len);
    }
}

static void pass_time(rig *r, uint8_t op, uint64_t duration) {
    r->time_moved = r->time_moved || duration > 0;
    r->loop.now += duration;
    for (unsigned i = 0; i < 2; i++) {
        fuzz_peer_time(&r->peers[i], (op & 2) != 0 && r->ways[1 - i].from->out.len == 0);
    }
}

static void step(rig *r, uint8_t op, fuzz_in *in) {
    way *w = &r->ways[op & 1];
    if (op < 0x30) {
        fuzz_peer_feed(w->to, &w->from->out, fuzz_u8(in));
    } else if (op < 0x60) {
        fuzz_peer_feed(w->to, &w->from->out, fuzz_u16(in));
    } else if (op < 0x80) {
        (void)fuzz_peer_send(w->from);
    } else if (op < 0xc0) {
        queue(w, in);
    } else if (op < 0xe0) {
        spoil(w, op, in);
    } else if (op < 0xe8) {
        pass_time(r, op, fuzz_duration(in));
    } else if (op < 0xea) {
        r->loop.world.tm.fail_at = r->loop.world.tm.calls + fuzz_u8(in);
        r->loop.world.is_tight = true;
    } else { /* all that waits, both ways */
        for (unsigned i = 0; i < 2; i++) {
            fuzz_peer_send_all(r->ways[i].from);
            fuzz_peer_feed(r->ways[i].to, &r->ways[i].from->out, SIZE_MAX);
        }
    }
}

static void settle(rig *r) {
    for (unsigned i = 0; i < 5000; i++) {
        step(r, 0xff, NULL);
        const bool is_done = fuzz_peer_is_quiet(&r->peers[0]) && fuzz_peer_is_quiet(&r->peers[1]) &&
                             r->peers[0].out.len + r->peers[1].out.len == 0;
        if (is_done || r->peers[0].err != SY_OK || r->peers[1].err != SY_OK) {
            break;
        }
        r->loop.now += r->loop.has_rates ? 100 * SY_MSEC : 0;
    }
}

static void check_end(const rig *r) {
    const bool is_clean = !r->ways[0].is_spoilt && !r->ways[1].is_spoilt && !r->loop.world.is_tight;
    for (unsigned i = 0; i < 2 && is_clean; i++) {
        const fuzz_peer *peer = &r->peers[i];
        FUZZ_CHECK(peer->err == SY_OK || (peer->err == SY_ERR_PONG_TIMEOUT && r->time_moved));
    }
    if (is_clean && r->peers[0].err == SY_OK && r->peers[1].err == SY_OK) {
        FUZZ_CHECK(r->peers[0].is_open && r->peers[1].is_open);
        FUZZ_CHECK(fuzz_expect_is_empty(&r->ways[0].sent) &&
                   fuzz_expect_is_empty(&r->ways[1].sent));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static rig r;
    fuzz_in in = fuzz_in_of(data, size);
    rig_init(&r, &in);
    while (fuzz_left(&in) > 0) {
        step(&r, fuzz_u8(&in), &in);
    }
    settle(&r);
    check_end(&r);
    fuzz_count(r.peers[0].is_open && r.peers[1].is_open);
    rig_fini(&r);
    return 0;
}
