/* SPDX-License-Identifier: Apache-2.0 */
/* Two connections back to back: random sizes, random chunking, both directions at once, over one
 * shared scratch.  What one sends is what the other gets. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/prng.h"
#include "tests/unit/conn/secret_conn_rig.h"

#define ROUNDS 40
#define STEPS  60

typedef struct pipe {
    rig_bytes wire; /* sealed, on its way */
    size_t taken;
    rig_bytes sent; /* plaintext */
} pipe;

static size_t skewed(sy_prng *prng, size_t max) {
    const size_t bound = max >> sy_prng_below(prng, 14);
    return 1 + (size_t)sy_prng_below(prng, bound > 0 ? bound : 1);
}

static void write_some(rig_side *from, pipe *p, sy_prng *prng) {
    static uint8_t data[3 * SY_SCRATCH_PLAIN_OUT_CAP];
    cr_assert_eq(rig_side_send(from, &p->wire), SY_OK);
    if (!sy_secret_conn_is_open(from->conn)) {
        return;
    }
    const size_t len = skewed(prng, sizeof data);
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)sy_prng_next(prng);
    }
    rig_bytes_add(&p->sent, data, len);
    cr_assert_eq(rig_side_seal(from, data, len, &p->wire), SY_OK);
}

static void read_some(rig_side *to, pipe *p, sy_prng *prng) {
    const size_t left = p->wire.len - p->taken;
    size_t n = skewed(prng, 120000);
    n = n < left ? n : left;
    cr_assert_eq(rig_side_feed(to, p->wire.data + p->taken, n, skewed(prng, 5000)), SY_OK);
    p->taken += n;
}

static void finish(rig_side *to, pipe *p) {
    cr_assert_eq(rig_side_feed(to, p->wire.data + p->taken, p->wire.len - p->taken, SIZE_MAX),
                 SY_OK);
    p->taken = p->wire.len;
}

static void check_delivered(const rig_side *to, const pipe *p, uint64_t seed) {
    cr_assert_eq(to->plain.len, p->sent.len, "seed %llu", (unsigned long long)seed);
    cr_assert(p->sent.len == 0 || memcmp(to->plain.data, p->sent.data, p->sent.len) == 0,
              "seed %llu", (unsigned long long)seed);
    cr_assert_eq(to->auth_events, 1);
    cr_assert(sy_secret_conn_at_boundary(to->conn));
    cr_assert_eq(to->tm.live_blocks, 1);
}

static void exchange(const sy_suite *suite, sy_scratch *scratch, uint64_t seed) {
    sy_prng prng;
    rig_keys keys[2];
    rig_side a;
    rig_side b;
    pipe ab = {.taken = 0};
    pipe ba = {.taken = 0};
    sy_prng_init(&prng, seed);
    for (int i = 0; i < 2; i++) {
        uint8_t seeds[64];
        for (size_t k = 0; k < sizeof seeds; k++) {
            seeds[k] = (uint8_t)sy_prng_next(&prng);
        }
        rig_keys_init(&keys[i], seeds, seeds + 32);
    }
    rig_side_init(&a, suite, scratch, &keys[0]);
    rig_side_init(&b, suite, scratch, &keys[1]);
    for (int step = 0; step < STEPS; step++) {
        switch (sy_prng_below(&prng, 4)) {
        case 0:
            write_some(&a, &ab, &prng);
            break;
        case 1:
            write_some(&b, &ba, &prng);
            break;
        case 2:
            read_some(&b, &ab, &prng);
            break;
        default:
            read_some(&a, &ba, &prng);
            break;
        }
    }
    /* What is missing of the handshake, then everything that is on its way. */
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(rig_side_send(&a, &ab.wire), SY_OK);
        cr_assert_eq(rig_side_send(&b, &ba.wire), SY_OK);
        finish(&a, &ba);
        finish(&b, &ab);
    }
    check_delivered(&b, &ab, seed);
    check_delivered(&a, &ba, seed);
    cr_assert_arr_eq(a.remote_pubkey, keys[1].sign_pub, 32);
    cr_assert_arr_eq(b.remote_pubkey, keys[0].sign_pub, 32);
    rig_bytes_free(&ab.wire);
    rig_bytes_free(&ab.sent);
    rig_bytes_free(&ba.wire);
    rig_bytes_free(&ba.sent);
    rig_side_fini(&a);
    rig_side_fini(&b);
}

/* SPEC-TEST STS-02 STS-20 CC-02 CC-24 */
Test(secret_conn_property, two_connections_deliver_what_was_sent) {
    sy_scratch *scratch = NULL;
    cr_assert_eq(sy_scratch_new(sy_mem_libc(), &scratch), SY_OK);
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        exchange(&sy_suite_secretbox, scratch, seed);
        exchange(&sy_suite_cometbft, scratch, 1000 + seed);
    }
    sy_scratch_del(scratch);
}

/* One bit of the stream flipped anywhere: nothing but what was sent is delivered, and the end is an
 * error of class CRYPTO or PEER. */
Test(secret_conn_property, a_flipped_bit_never_reaches_the_reader) {
    sy_scratch *scratch = NULL;
    sy_prng prng;
    sy_prng_init(&prng, 77);
    cr_assert_eq(sy_scratch_new(sy_mem_libc(), &scratch), SY_OK);
    for (int i = 0; i < 300; i++) {
        const sy_suite *suite = rig_suites[i % RIG_SUITES];
        rig_keys one;
        rig_keys two;
        rig_side side;
        rig_hand hand;
        rig_bytes in = {.data = NULL};
        uint8_t msg[SY_FRAME_DATA_MAX];
        uint8_t data[SY_FRAME_DATA_MAX];
        rig_keys_numbered(&one, 1);
        rig_keys_numbered(&two, 2);
        rig_hand_init(&hand, suite, &two, one.eph_pub);
        rig_side_init(&side, suite, scratch, &one);
        memset(data, 0x5d, sizeof data);
        rig_hand_ephemeral(&hand, &in);
        rig_hand_auth(&hand, msg);
        rig_hand_data(&hand, msg, suite->auth_msg_len, &in);
        rig_hand_data(&hand, data, 700, &in);
        rig_hand_data(&hand, data, 1024, &in);

        const size_t at = (size_t)sy_prng_below(&prng, i < 100 ? suite->eph_msg_len : in.len);
        const uint8_t bit = (uint8_t)(1u << sy_prng_below(&prng, 8));
        in.data[at] ^= bit;
        const sy_err err = rig_side_feed(&side, in.data, in.len, skewed(&prng, 2000));
        /* The one bit that X25519 ignores changes the order and the transcript all the same. */
        cr_assert_neq(err, SY_OK, "%s: byte %zu bit %02x", suite->name, at, bit);
        cr_assert(sy_err_class_of(err) == SY_ERR_CLASS_CRYPTO ||
                      sy_err_class_of(err) == SY_ERR_CLASS_PEER,
                  "%s", sy_err_name(err));
        cr_assert(side.plain.len == 0 || side.plain.len == 700);
        for (size_t k = 0; k < side.plain.len; k++) {
            cr_assert_eq(side.plain.data[k], 0x5d);
        }
        rig_bytes_free(&in);
        rig_side_fini(&side);
    }
    sy_scratch_del(scratch);
}
