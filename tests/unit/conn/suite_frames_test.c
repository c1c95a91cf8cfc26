/* SPDX-License-Identifier: Apache-2.0 */
/* The frame ciphers of both suites against libsodium's own constructions, byte for byte: every data
 * length, batches, nonces at their edges, and that opening leaves its surroundings alone. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "base/prng.h"
#include "conn/scratch_internal.h"
#include "tests/unit/conn/secret_conn_rig.h"

static const char *const ciphers[] = {"auto", "avx512", "avx2", "library"};

/* Those that this processor runs. */
static void for_each_cipher(void (*check)(const char *cipher)) {
    for (size_t c = 0; c < sizeof ciphers / sizeof ciphers[0]; c++) {
        if (sy_frame_cipher_runs(ciphers[c])) {
            check(ciphers[c]);
        }
    }
}

static sy_scratch *new_scratch(const char *cipher) {
    sy_scratch *scratch = NULL;
    cr_assert_eq(sy_scratch_new(sy_mem_libc(), &scratch), SY_OK);
    sy_scratch_set_cipher(scratch, cipher);
    return scratch;
}

static void fill(sy_prng *prng, void *data, size_t len) {
    uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)sy_prng_next(prng);
    }
}

/* A key with a nonce that is legal for the suite. */
static sy_frame_key random_key(sy_prng *prng, const sy_suite *suite) {
    sy_frame_key key;
    memset(&key, 0, sizeof key);
    fill(prng, key.key, sizeof key.key);
    fill(prng, key.nonce, sizeof key.nonce);
    if (suite == &sy_suite_cometbft) {
        memset(key.nonce, 0, 4);
        key.nonce[11] &= 0x7f;
        memset(key.nonce + 12, 0, 12);
    }
    return key;
}

/* What the wire must carry for these bytes. */
static void expect_frames(const sy_suite *suite, const sy_frame_key *key, const uint8_t *data,
                          size_t len, rig_bytes *out) {
    rig_hand hand = {.suite = suite};
    hand.schedule.send = *key;
    while (len > 0) {
        const size_t n = len < SY_FRAME_DATA_MAX ? len : SY_FRAME_DATA_MAX;
        rig_hand_data(&hand, data, n, out);
        data += n;
        len -= n;
    }
}

static void check_seal_and_open(const sy_suite *suite, sy_scratch *scratch, sy_prng *prng,
                                size_t len, const sy_frame_key *key) {
    static uint8_t data[SY_SCRATCH_PLAIN_OUT_CAP];
    const size_t frames = (len + SY_FRAME_DATA_MAX - 1) / SY_FRAME_DATA_MAX;
    rig_bytes want = {.data = NULL};
    fill(prng, data, len);
    expect_frames(suite, key, data, len, &want);

    sy_frame_key send = *key;
    uint8_t *plain = sy_scratch_plain_out(scratch);
    uint8_t *wire = sy_scratch_wire_out(scratch);
    memset(plain, 0xee, SY_SCRATCH_PLAIN_OUT_CAP);
    memset(wire, 0xdd, SY_SCRATCH_WIRE_OUT_CAP);
    memcpy(plain, data, len);
    cr_assert_eq(suite->seal(&send, scratch, plain, len, wire), SY_OK);
    cr_assert_eq(want.len, frames * SY_SEALED_LEN);
    cr_assert_eq(memcmp(wire, want.data, want.len), 0, "%s: %zu bytes differ", suite->name, len);
    if (want.len < SY_SCRATCH_WIRE_OUT_CAP) {
        cr_assert_eq(wire[want.len], 0xdd, "%s: %zu: wrote behind the end", suite->name, len);
    }

    sy_frame_key recv = *key;
    sy_frame_run run = {.empty_max = 16};
    uint8_t *in = sy_scratch_plain_in(scratch);
    uint8_t headroom[SY_SCRATCH_HEADROOM];
    memset(in - SY_SCRATCH_HEADROOM, 0xaa, SY_SCRATCH_HEADROOM);
    memset(headroom, 0xaa, sizeof headroom);
    cr_assert_eq(suite->open(&recv, scratch, want.data, frames, in, &run), SY_OK);
    cr_assert_eq(run.frames, frames);
    cr_assert_eq(run.len, len);
    cr_assert_eq(memcmp(in, data, len), 0, "%s: %zu bytes differ", suite->name, len);
    cr_assert_arr_eq(in - SY_SCRATCH_HEADROOM, headroom, sizeof headroom);

    /* Both ends stand at the same next nonce. */
    cr_assert_arr_eq(send.nonce, recv.nonce, sizeof send.nonce);
    rig_bytes_free(&want);
}

/* SPEC-TEST STS-12 STS-13 STS-14 CC-14 CC-15 CC-18 */
static void check_frames_equal_the_construction_at_every_length(const char *cipher) {
    sy_prng prng;
    sy_prng_init(&prng, 1);
    sy_scratch *scratch = new_scratch(cipher);
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t len = 1; len <= 2 * SY_FRAME_DATA_MAX + 1; len++) {
            const sy_frame_key key = random_key(&prng, rig_suites[s]);
            check_seal_and_open(rig_suites[s], scratch, &prng, len, &key);
        }
        /* Every size of a batch, the last frame full, nearly full, and nearly empty. */
        for (size_t frames = 3; frames <= SY_SEAL_BATCH; frames++) {
            const size_t full = frames * SY_FRAME_DATA_MAX;
            const size_t lengths[] = {full - SY_FRAME_DATA_MAX + 1, full - 1, full};
            for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
                const sy_frame_key key = random_key(&prng, rig_suites[s]);
                check_seal_and_open(rig_suites[s], scratch, &prng, lengths[i], &key);
            }
        }
    }
    sy_scratch_del(scratch);
}

Test(suite, frames_equal_the_construction_at_every_length) {
    for_each_cipher(check_frames_equal_the_construction_at_every_length);
}

typedef struct nonce_row {
    const char *name;
    uint8_t before[24];
    uint8_t after; /* three frames later: the last byte */
    uint8_t head;  /* and the first 16 bytes, all alike */
} nonce_row;

#define FF4  0xff, 0xff, 0xff, 0xff
#define FF16 FF4, FF4, FF4, FF4
static const nonce_row nonce_rows[] = {
    {"from zero", {0}, 6, 0},
    {"carry below the subkey's part", {[23] = 0xfe}, 4, 0},
    {"wraps to zero, even", {FF16, FF4, 0xff, 0xff, 0xff, 0xfe}, 4, 0},
    {"wraps to one, odd", {FF16, FF4, 0xff, 0xff, 0xff, 0xff}, 5, 0},
    {"at the end, no wrap yet", {FF16, FF4, 0xff, 0xff, 0xff, 0xf8}, 0xfe, 0xff},
};

/* Three frames in one batch over each edge; the subkey must follow the first 16 bytes.
 * SPEC-TEST STS-11 */
static void check_secretbox_nonce_is_a_24_byte_number(const char *cipher) {
    sy_prng prng;
    sy_prng_init(&prng, 2);
    sy_scratch *scratch = new_scratch(cipher);
    for (size_t i = 0; i < sizeof nonce_rows / sizeof nonce_rows[0]; i++) {
        const nonce_row *row = &nonce_rows[i];
        sy_frame_key key = random_key(&prng, &sy_suite_secretbox);
        memcpy(key.nonce, row->before, sizeof key.nonce);
        check_seal_and_open(&sy_suite_secretbox, scratch, &prng, 3000, &key);

        uint8_t plain[64 + 3072];
        uint8_t wire[3 * SY_SEALED_LEN];
        uint8_t head[16];
        memset(plain, 1, sizeof plain);
        memset(head, row->head, sizeof head);
        cr_assert_eq(sy_suite_secretbox.seal(&key, scratch, plain + 64, 3072, wire), SY_OK);
        cr_assert_eq(key.nonce[23], row->after, "row %s: %02x", row->name, key.nonce[23]);
        cr_assert_arr_eq(key.nonce, head, 16, "row %s", row->name);
    }
    /* A carry into the 16th byte, which only a changed subkey opens. */
    sy_frame_key key = random_key(&prng, &sy_suite_secretbox);
    memset(key.nonce + 16, 0xff, 8);
    check_seal_and_open(&sy_suite_secretbox, scratch, &prng, 2048, &key);
    sy_scratch_del(scratch);
}

Test(suite, secretbox_nonce_is_a_24_byte_number) {
    for_each_cipher(check_secretbox_nonce_is_a_24_byte_number);
}

static sy_frame_key counter_key(uint64_t counter) {
    sy_frame_key key;
    memset(&key, 0, sizeof key);
    memset(key.key, 3, sizeof key.key);
    for (unsigned i = 0; i < 8; i++) {
        key.nonce[4 + i] = (uint8_t)(counter >> 8 * i);
    }
    return key;
}

typedef struct counter_row {
    uint64_t left; /* frames until the counter is used up */
    size_t len;
    sy_err err;
} counter_row;

static const counter_row counter_rows[] = {
    {16, 16384, SY_OK},
    {3, 3072, SY_OK},
    {3, 3073, SY_ERR_NONCE_EXHAUSTED},
    {1, 1024, SY_OK},
    {1, 1, SY_OK},
    {1, 1025, SY_ERR_NONCE_EXHAUSTED},
    {0, 1, SY_ERR_NONCE_EXHAUSTED},
};

/* SPEC-TEST CC-16 CC-17 */
static void check_cometbft_counter_never_wraps(const char *cipher) {
    sy_prng prng;
    sy_prng_init(&prng, 3);
    sy_scratch *scratch = new_scratch(cipher);
    for (size_t i = 0; i < sizeof counter_rows / sizeof counter_rows[0]; i++) {
        const counter_row *row = &counter_rows[i];
        const sy_frame_key start = counter_key(UINT64_MAX - row->left);
        sy_frame_key key = start;
        uint8_t *wire = sy_scratch_wire_out(scratch);
        memset(wire, 0, SY_SCRATCH_WIRE_OUT_CAP);
        const sy_err err =
            sy_suite_cometbft.seal(&key, scratch, sy_scratch_plain_out(scratch), row->len, wire);
        cr_assert_eq(err, row->err, "row %zu: %s", i, sy_err_name(err));
        if (err != SY_OK) {
            cr_assert_eq(memcmp(&key, &start, sizeof key), 0, "row %zu: key changed", i);
            cr_assert(sodium_is_zero(wire, SY_SCRATCH_WIRE_OUT_CAP), "row %zu: sealed", i);
        }
    }

    /* Receiving: the frame with the last counter is not opened either, those before it are. */
    sy_frame_key send = counter_key(UINT64_MAX - 2);
    sy_frame_key recv = send;
    rig_bytes wire = {.data = NULL};
    uint8_t data[2048] = {0};
    expect_frames(&sy_suite_cometbft, &send, data, sizeof data, &wire);
    sy_frame_key last = counter_key(UINT64_MAX);
    expect_frames(&sy_suite_cometbft, &last, data, 1, &wire);
    sy_frame_run run = {.empty_max = 16};
    cr_assert_eq(
        sy_suite_cometbft.open(&recv, scratch, wire.data, 3, sy_scratch_plain_in(scratch), &run),
        SY_ERR_NONCE_EXHAUSTED);
    cr_assert_eq(run.frames, 2);
    cr_assert_eq(run.len, 2048);
    rig_bytes_free(&wire);
    sy_scratch_del(scratch);
}

Test(suite, cometbft_counter_never_wraps) {
    for_each_cipher(check_cometbft_counter_never_wraps);
}

/* A batch in which the third frame is bad: two are opened, the bad one leaves no byte, and the key
 * stands at it, so that the repaired frame opens next.  SPEC-TEST STS-17 CC-21 */
static void check_a_bad_frame_ends_the_batch_and_leaves_nothing(const char *cipher) {
    sy_prng prng;
    sy_prng_init(&prng, 4);
    sy_scratch *scratch = new_scratch(cipher);
    for (size_t s = 0; s < RIG_SUITES; s++) {
        const sy_suite *suite = rig_suites[s];
        const sy_frame_key key = random_key(&prng, suite);
        uint8_t data[4 * SY_FRAME_DATA_MAX];
        rig_bytes wire = {.data = NULL};
        fill(&prng, data, sizeof data);
        expect_frames(suite, &key, data, sizeof data, &wire);
        uint8_t *third = wire.data + 2 * SY_SEALED_LEN;

        for (size_t at = 0; at < SY_SEALED_LEN; at += at < 32 || at > 1000 ? 1 : 97) {
            sy_frame_key recv = key;
            sy_frame_run run = {.empty_max = 16};
            uint8_t *in = sy_scratch_plain_in(scratch);
            memset(in, 0xcc, 4 * SY_FRAME_DATA_MAX);
            third[at] ^= 0x40;
            cr_assert_eq(suite->open(&recv, scratch, wire.data, 4, in, &run), SY_ERR_FRAME_TAG,
                         "%s: byte %zu", suite->name, at);
            third[at] ^= 0x40;
            cr_assert_eq(run.frames, 2);
            cr_assert_eq(run.len, 2048);
            cr_assert_arr_eq(in, data, 2048);
            cr_assert(sodium_is_zero(in + 2048, 1024), "%s: byte %zu left plaintext", suite->name,
                      at);
            cr_assert_eq(suite->open(&recv, scratch, third, 2, in, &run), SY_OK);
            cr_assert_eq(run.frames, 4);
            cr_assert_arr_eq(in, data, sizeof data);
        }
        rig_bytes_free(&wire);
    }
    sy_scratch_del(scratch);
}

Test(suite, a_bad_frame_ends_the_batch_and_leaves_nothing) {
    for_each_cipher(check_a_bad_frame_ends_the_batch_and_leaves_nothing);
}

/* Frames with little data are packed without gaps, whatever their padding.
 * SPEC-TEST STS-15 CC-19 */
static void check_short_frames_are_packed(const char *cipher) {
    sy_scratch *scratch = new_scratch(cipher);
    for (size_t s = 0; s < RIG_SUITES; s++) {
        sy_prng prng;
        sy_prng_init(&prng, 5);
        const sy_frame_key key = random_key(&prng, rig_suites[s]);
        rig_hand hand = {.suite = rig_suites[s]};
        hand.schedule.send = key;
        rig_bytes wire = {.data = NULL};
        rig_bytes data = {.data = NULL};
        for (unsigned i = 0; i < SY_OPEN_BATCH; i++) {
            uint8_t bytes[SY_FRAME_DATA_MAX];
            const size_t n = i % 5 == 4 ? 0 : (i * 37u) % SY_FRAME_DATA_MAX + 1;
            memset(bytes, (int)i, sizeof bytes);
            rig_hand_frame(&hand, (uint32_t)n, bytes, n, 0xbd, &wire);
            rig_bytes_add(&data, bytes, n);
        }
        sy_frame_key recv = key;
        sy_frame_run run = {.empty_max = 16};
        cr_assert_eq(rig_suites[s]->open(&recv, scratch, wire.data, SY_OPEN_BATCH,
                                         sy_scratch_plain_in(scratch), &run),
                     SY_OK);
        cr_assert_eq(run.len, data.len);
        cr_assert_eq(memcmp(sy_scratch_plain_in(scratch), data.data, data.len), 0);
        rig_bytes_free(&wire);
        rig_bytes_free(&data);
    }
    sy_scratch_del(scratch);
}

Test(suite, short_frames_are_packed) {
    for_each_cipher(check_short_frames_are_packed);
}

/* One context serves connections in turn: each batch brings its own key. */
static void check_connections_share_the_scratch(const char *cipher) {
    sy_prng prng;
    sy_prng_init(&prng, 6);
    sy_scratch *scratch = new_scratch(cipher);
    for (unsigned i = 0; i < 50; i++) {
        const sy_suite *suite = rig_suites[sy_prng_below(&prng, RIG_SUITES)];
        const sy_frame_key key = random_key(&prng, suite);
        check_seal_and_open(suite, scratch, &prng,
                            1 + (size_t)sy_prng_below(&prng, SY_SCRATCH_PLAIN_OUT_CAP), &key);
    }
    sy_scratch_del(scratch);
}

Test(suite, connections_share_the_scratch) {
    for_each_cipher(check_connections_share_the_scratch);
}

Test(suite, scratch_fails_cleanly) {
    test_mem tm;
    test_mem_init(&tm);
    tm.fail_at = 1;
    sy_scratch *scratch = NULL;
    cr_assert_eq(sy_scratch_new(&tm.mem, &scratch), SY_ERR_NOMEM);
    cr_assert_null(scratch);
    tm.fail_at = 0;
    cr_assert_eq(sy_scratch_new(&tm.mem, &scratch), SY_OK);
    cr_assert_leq(tm.live_bytes, (size_t)129 * 1024);
    sy_scratch_del(scratch);
    sy_scratch_del(NULL);
    test_mem_fini(&tm);
}
