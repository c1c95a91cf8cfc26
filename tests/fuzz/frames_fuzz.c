/* SPDX-License-Identifier: Apache-2.0 */
/* The opener of sealed frames, a batch at a time, FUZZ_SUITE says of which suite: honest frames
 * come out whole and in order, the first bad one stops the batch and leaves no byte of itself, and
 * nothing outside the promised room is touched.  The first nonce comes from the input, so that
 * counters carry and run out. */
#include <string.h>

#include "tests/fuzz/support/fuzz_conn.h"

#define BATCH_MAX 20
#define FILL      0x5a

static uint8_t area[SY_SCRATCH_HEADROOM + (BATCH_MAX + 1) * SY_FRAME_DATA_MAX + 16];

static bool is_filled(const uint8_t *data, size_t len) {
    return data[0] == FILL && memcmp(data, data + 1, len - 1) == 0;
}

/* The library ciphers, frame by frame, and each implementation that this processor runs must say
 * the same of these frames. */
static void check_twins(const sy_frame_key *key, const uint8_t *in, size_t count,
                        const sy_frame_run *run, sy_err err, unsigned empty_before,
                        const sy_frame_key *after) {
    static const char *const ciphers[] = {"library", "avx512", "avx2"};
    static uint8_t twin_area[sizeof area];
    uint8_t *out = twin_area + SY_SCRATCH_HEADROOM;
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++) {
        if (!sy_frame_cipher_runs(ciphers[i])) {
            continue;
        }
        sy_frame_key twin_key = *key;
        sy_frame_run twin = {.empty = empty_before, .empty_max = run->empty_max};
        sy_scratch_set_cipher(fuzz_scratch(), ciphers[i]);
        FUZZ_CHECK(FUZZ_SUITE.open(&twin_key, fuzz_scratch(), in, count, out, &twin) == err);
        FUZZ_CHECK(twin.frames == run->frames && twin.len == run->len && twin.empty == run->empty);
        FUZZ_CHECK(memcmp(out, area + SY_SCRATCH_HEADROOM, run->len) == 0);
        FUZZ_CHECK(memcmp(twin_key.nonce, after->nonce, sizeof twin_key.nonce) == 0);
    }
    sy_scratch_set_cipher(fuzz_scratch(), "auto");
}

/* Opens up to count frames at `in` into the area; appends what came to received. */
static sy_err open_batch(sy_frame_key *key, const uint8_t *in, size_t count, sy_frame_run *run,
                         fuzz_bytes *received) {
    uint8_t *out = area + SY_SCRATCH_HEADROOM;
    memset(area, FILL, sizeof area);
    const sy_frame_key before = *key;
    const unsigned empty_before = run->empty;
    uint8_t *exact = fuzz_exact(in, count * SY_SEALED_LEN);
    const sy_err err = FUZZ_SUITE.open(key, fuzz_scratch(), exact, count, out, run);
    check_twins(&before, exact, count, run, err, empty_before, key);
    fuzz_exact_del(exact);

    FUZZ_CHECK(run->frames <= count && run->len <= count * SY_FRAME_DATA_MAX);
    FUZZ_CHECK((err == SY_OK) == (run->frames == count));
    const size_t may_end = count * SY_FRAME_DATA_MAX;
    FUZZ_CHECK(is_filled(area, SY_SCRATCH_HEADROOM));
    FUZZ_CHECK(is_filled(out + may_end, sizeof area - SY_SCRATCH_HEADROOM - may_end));
    fuzz_bytes_add(received, out, run->len);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    fuzz_hand hand;
    fuzz_hand_init(&hand, &FUZZ_SUITE, 0);
    sy_frame_key key = {.subkey_valid = false};
    const sy_bytes nonce = fuzz_take(&in, fuzz_u8(&in) % (SY_NONCE_LEN + 1));
    memcpy(hand.send_nonce + SY_NONCE_LEN - nonce.len, nonce.data, nonce.len);
    if (hand.suite == &sy_suite_cometbft) { /* 4 zero bytes, then the counter */
        memmove(hand.send_nonce + 4, hand.send_nonce + 16, 8);
        memset(hand.send_nonce, 0, 4);
    }
    memcpy(key.key, hand.send_key, sizeof key.key);
    memcpy(key.nonce, hand.send_nonce, sizeof key.nonce);
    fuzz_script script = {.hand = &hand};
    fuzz_bytes received = {.data = NULL};
    sy_frame_run run = {.empty_max = SY_EMPTY_FRAMES_MAX};
    sy_err err = SY_OK;

    while (fuzz_left(&in) > 0 && script.plain.len < 64 * 1024) {
        const uint8_t op = fuzz_u8(&in);
        if (op < FUZZ_SCRIPT_OPS) {
            fuzz_script_step(&script, op, &in);
        }
    }
    for (size_t at = 0; err == SY_OK && script.wire.len - at >= SY_SEALED_LEN;
         at += run.frames * SY_SEALED_LEN) {
        const size_t complete = (script.wire.len - at) / SY_SEALED_LEN;
        const size_t step = 1 + script.plain.len % BATCH_MAX;
        run = (sy_frame_run){.empty = run.empty, .empty_max = run.empty_max};
        err = open_batch(&key, script.wire.data + at, complete < step ? complete : step, &run,
                         &received);
    }
    FUZZ_CHECK(received.len <= script.plain.len);
    FUZZ_CHECK(received.len == 0 || memcmp(received.data, script.plain.data, received.len) == 0);
    if (err != SY_OK) {
        fuzz_check_err(err, NULL);
        FUZZ_CHECK(script.is_spoilt || err == SY_ERR_NONCE_EXHAUSTED);
    } else if (!script.is_spoilt) {
        FUZZ_CHECK(received.len == script.plain.len);
    }
    fuzz_count(received.len > 0);
    fuzz_bytes_free(&received);
    fuzz_script_free(&script);
    return 0;
}
