/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/merlin.h"

#include <sodium.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/le.h"

/* A transcript is a STROBE-128 object with three operations: "meta-AD" absorbs labels and lengths,
 * "AD" absorbs messages, "PRF" squeezes a challenge.  All of them work on one Keccak-f[1600] state
 * of which the first STROBE_RATE bytes are touched. */

#define KECCAK_LANES  25
#define KECCAK_ROUNDS 24
#define STROBE_RATE   166 /* 200 - 2 * 128/8 - 2 bytes of padding */

#define FLAG_I        1u  /* inbound: the operation yields bytes */
#define FLAG_A        2u  /* application data */
#define FLAG_C        4u  /* the cipher is used, so the state is permuted first */
#define FLAG_K        32u /* key material */
#define FLAG_M        16u /* meta data: framing, not content */

#define OP_META_AD    (FLAG_M | FLAG_A)
#define OP_AD         FLAG_A
#define OP_PRF        (FLAG_I | FLAG_A | FLAG_C)

typedef enum op_start {
    OP_BEGIN,
    OP_CONTINUE, /* more bytes of the operation that is under way */
} op_start;

static const uint64_t round_constant[KECCAK_ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* rho and pi as one walk over the lanes: step i moves the lane in hand to walk_lane[i], rotated by
 * the i-th triangular number. */
static const uint8_t walk_lane[KECCAK_LANES - 1] = {10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
                                                    15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1};
static const uint8_t walk_rotation[KECCAK_LANES - 1] = {
    1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44};

static uint64_t rotl64(uint64_t x, unsigned n) {
    return (x << n) | (x >> (64 - n));
}

static void keccak_round(uint64_t a[KECCAK_LANES], uint64_t constant) {
    uint64_t parity[5];
    for (unsigned x = 0; x < 5; x++) {
        parity[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    }
    for (unsigned x = 0; x < 5; x++) {
        const uint64_t d = parity[(x + 4) % 5] ^ rotl64(parity[(x + 1) % 5], 1);
        for (unsigned y = 0; y < KECCAK_LANES; y += 5) {
            a[x + y] ^= d;
        }
    }

    uint64_t in_hand = a[1];
    for (unsigned i = 0; i < KECCAK_LANES - 1; i++) {
        const uint64_t next = a[walk_lane[i]];
        a[walk_lane[i]] = rotl64(in_hand, walk_rotation[i]);
        in_hand = next;
    }

    for (unsigned y = 0; y < KECCAK_LANES; y += 5) {
        uint64_t row[5];
        memcpy(row, a + y, sizeof row);
        for (unsigned x = 0; x < 5; x++) {
            a[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
        }
    }
    a[0] ^= constant;
}

void sy_keccak_f1600(uint8_t state[200]) {
    uint64_t lanes[KECCAK_LANES];
    for (unsigned i = 0; i < KECCAK_LANES; i++) {
        lanes[i] = sy_load_le(state + 8 * i, 8);
    }
    for (unsigned round = 0; round < KECCAK_ROUNDS; round++) {
        keccak_round(lanes, round_constant[round]);
    }
    for (unsigned i = 0; i < KECCAK_LANES; i++) {
        sy_store_le(state + 8 * i, lanes[i], 8);
    }
    sodium_memzero(lanes, sizeof lanes);
}

static void permute(sy_merlin *t) {
    SY_ASSERT(t->pos <= STROBE_RATE);
    t->state[t->pos] ^= t->pos_begin;
    t->state[t->pos + 1] ^= 0x04;
    t->state[STROBE_RATE + 1] ^= 0x80;
    sy_keccak_f1600(t->state);
    t->pos = 0;
    t->pos_begin = 0;
}

static void absorb(sy_merlin *t, const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        t->state[t->pos] ^= data[i];
        t->pos++;
        if (t->pos == STROBE_RATE) {
            permute(t);
        }
    }
}

static void squeeze(sy_merlin *t, uint8_t *out, size_t len) {
    for (size_t i = 0; i < len; i++) {
        out[i] = t->state[t->pos];
        t->state[t->pos] = 0;
        t->pos++;
        if (t->pos == STROBE_RATE) {
            permute(t);
        }
    }
}

static void begin_op(sy_merlin *t, uint8_t flags, op_start start) {
    if (start == OP_CONTINUE) {
        SY_ASSERT(flags == t->cur_flags);
        return;
    }
    const uint8_t head[2] = {t->pos_begin, flags};
    t->pos_begin = (uint8_t)(t->pos + 1);
    t->cur_flags = flags;
    absorb(t, head, sizeof head);
    if ((flags & (FLAG_C | FLAG_K)) != 0 && t->pos != 0) {
        permute(t);
    }
}

static void absorb_label(sy_merlin *t, const char *label, size_t len) {
    SY_REQUIRE(len <= UINT32_MAX);
    uint8_t len_le[4];
    for (unsigned i = 0; i < 4; i++) {
        len_le[i] = (uint8_t)(len >> (8 * i));
    }
    begin_op(t, OP_META_AD, OP_BEGIN);
    absorb(t, (const uint8_t *)label, strlen(label));
    begin_op(t, OP_META_AD, OP_CONTINUE);
    absorb(t, len_le, sizeof len_le);
}

/* SPEC CC-12 */
void sy_merlin_init(sy_merlin *transcript, const char *protocol_label) {
    /* Its second byte is the rate as STROBE counts it, with two bytes of padding. */
    static const char domain[] = "\x01\xa8\x01\x00\x01\x60"
                                 "STROBEv1.0.2";
    static const char version[] = "Merlin v1.0";

    memset(transcript, 0, sizeof *transcript);
    memcpy(transcript->state, domain, sizeof domain - 1);
    sy_keccak_f1600(transcript->state);
    begin_op(transcript, OP_META_AD, OP_BEGIN);
    absorb(transcript, (const uint8_t *)version, sizeof version - 1);
    sy_merlin_append(transcript, "dom-sep", (const uint8_t *)protocol_label,
                     strlen(protocol_label));
}

void sy_merlin_append(sy_merlin *transcript, const char *label, const uint8_t *msg, size_t len) {
    absorb_label(transcript, label, len);
    begin_op(transcript, OP_AD, OP_BEGIN);
    absorb(transcript, msg, len);
}

void sy_merlin_challenge(sy_merlin *transcript, const char *label, uint8_t *out, size_t len) {
    absorb_label(transcript, label, len);
    begin_op(transcript, OP_PRF, OP_BEGIN);
    squeeze(transcript, out, len);
}

void sy_merlin_wipe(sy_merlin *transcript) {
    sodium_memzero(transcript, sizeof *transcript);
}
