/* SPDX-License-Identifier: Apache-2.0 */
/* The open connection: frame sizes, batches, empty frames, tampering, counters, and what is kept of
 * an incomplete frame. */
#include <criterion/criterion.h>
#include <setjmp.h>
#include <sodium.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/prng.h"
#include "tests/unit/conn/secret_conn_rig.h"

static sy_scratch *scratch;

static void setup(void) {
    cr_assert_eq(sy_scratch_new(sy_mem_libc(), &scratch), SY_OK);
}

static void teardown(void) {
    sy_scratch_del(scratch);
}

TestSuite(secret_conn_frames, .init = setup, .fini = teardown);

static void fill(uint8_t *data, size_t len, uint64_t seed) {
    sy_prng prng;
    sy_prng_init(&prng, seed);
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)sy_prng_next(&prng);
    }
}

/* SPEC-TEST STS-13 STS-14 CC-15 CC-18 */
Test(secret_conn_frames, sizes_at_the_edges) {
    static const size_t sizes[] = {1, 2, 1023, 1024, 1025, 2047, 2048, 2049, 16383, 16384};
    static uint8_t data[SY_SCRATCH_PLAIN_OUT_CAP];
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        rig_hand hand;
        rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            const size_t len = sizes[i];
            const size_t frames = (len + SY_FRAME_DATA_MAX - 1) / SY_FRAME_DATA_MAX;
            rig_bytes out = {.data = NULL};
            fill(data, len, i);
            cr_assert_eq(rig_side_seal(&side, data, len, &out), SY_OK);
            cr_assert_eq(out.len, frames * SY_SEALED_LEN);
            for (size_t k = 0; k < frames; k++) {
                const size_t left = len - k * SY_FRAME_DATA_MAX;
                const size_t n = left < SY_FRAME_DATA_MAX ? left : SY_FRAME_DATA_MAX;
                uint8_t frame[SY_FRAME_LEN];
                cr_assert(rig_hand_open(&hand, out.data + k * SY_SEALED_LEN, frame));
                cr_assert_eq(memcmp(frame + 4, data + k * SY_FRAME_DATA_MAX, n), 0);
                cr_assert(sodium_is_zero(frame + 4 + n, SY_FRAME_DATA_MAX - n),
                          "size %zu frame %zu: padding", len, k);
            }
            rig_bytes_free(&out);
        }
        rig_side_fini(&side);
    }
}

static jmp_buf contract_broken;

static void on_contract(const char *kind, const char *condition, const char *file, int line) {
    (void)condition;
    (void)file;
    (void)line;
    longjmp(contract_broken, strcmp(kind, "contract") == 0 ? 1 : 2);
}

/* Sealing nothing at all. */
static bool breaks_the_contract(sy_secret_conn *conn, uint8_t *out) {
    size_t len = 0;
    sy_assert_set_handler(on_contract);
    const int how = setjmp(contract_broken);
    if (how == 0) {
        (void)!sy_secret_conn_seal(conn, scratch, 0, out, SY_SEALED_LEN, &len);
    }
    sy_assert_set_handler(NULL);
    return how == 1;
}

/* There is no way to ask for a frame without data, and after the attempt the next frame has the
 * nonce that was due.  SPEC-TEST STS-16 CC-20 */
Test(secret_conn_frames, an_empty_frame_cannot_be_sent) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        rig_hand hand;
        rig_bytes out = {.data = NULL};
        uint8_t wire[SY_SEALED_LEN] = {0};
        uint8_t frame[SY_FRAME_LEN];
        rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
        cr_assert(breaks_the_contract(side.conn, wire), "%s", rig_suites[s]->name);
        cr_assert(sodium_is_zero(wire, sizeof wire));

        cr_assert_eq(rig_side_seal(&side, "x", 1, &out), SY_OK);
        cr_assert_eq(out.len, SY_SEALED_LEN);
        cr_assert(rig_hand_open(&hand, out.data, frame));
        cr_assert_eq(frame[4], 'x');
        rig_bytes_free(&out);
        rig_side_fini(&side);
    }
}

/* No room: nothing happens, and the same call with room gives the frame of the same nonce. */
Test(secret_conn_frames, no_space_changes_nothing) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        rig_hand hand;
        uint8_t out[2 * SY_SEALED_LEN];
        uint8_t frame[SY_FRAME_LEN];
        size_t len = 77;
        rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
        memset(sy_scratch_plain_out(scratch), 5, 1025);
        cr_assert_eq(sy_secret_conn_seal(side.conn, scratch, 1025, out, sizeof out - 1, &len),
                     SY_ERR_NO_SPACE);
        cr_assert_eq(len, 77);
        cr_assert_eq(sy_secret_conn_seal(side.conn, scratch, 1025, out, sizeof out, &len), SY_OK);
        cr_assert_eq(len, sizeof out);
        cr_assert(rig_hand_open(&hand, out, frame));
        cr_assert_eq(frame[4], 5);
        rig_side_fini(&side);
    }
}

typedef struct empty_row {
    const char *name;
    const char *frames; /* one letter per frame: e empty, d one byte of data */
    sy_err err;
} empty_row;

#define E4  "eeee"
#define E16 E4 E4 E4 E4
static const empty_row empty_rows[] = {
    {"15", "eee" E4 E4 E4 "d", SY_OK},
    {"16", E16 "d", SY_OK},
    {"17", E16 "e", SY_ERR_FRAME_EMPTY},
    {"16, data, 16", E16 "d" E16 "d", SY_OK},
    {"data, 17", "d" E16 "e", SY_ERR_FRAME_EMPTY},
    {"16, data, 17, data", E16 "d" E16 "ed", SY_ERR_FRAME_EMPTY},
    {"more than a batch", E16 "d" E16 "d" E16 "d" E16 "d" E16 "d", SY_OK},
};

/* In one batch and frame by frame.  SPEC-TEST STS-19 CC-23 */
Test(secret_conn_frames, sixteen_empty_frames_in_a_row) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t i = 0; i < 2 * sizeof empty_rows / sizeof empty_rows[0]; i++) {
            const empty_row *row = &empty_rows[i / 2];
            rig_side side;
            rig_hand hand;
            rig_bytes in = {.data = NULL};
            size_t data = 0;
            rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
            for (const char *p = row->frames; *p != '\0'; p++) {
                rig_hand_data(&hand, "x", *p == 'd', &in);
            }
            const sy_err err =
                rig_side_feed(&side, in.data, in.len, i % 2 == 0 ? in.len : SY_SEALED_LEN);
            cr_assert_eq(err, row->err, "%s row %s: %s", rig_suites[s]->name, row->name,
                         sy_err_name(err));
            for (const char *p = row->frames; *p != '\0'; p++) {
                data += *p == 'd';
            }
            if (err == SY_OK) {
                cr_assert_eq(side.plain.len, data);
            } else {
                cr_assert_leq(side.plain.len, data);
                cr_assert_neq(side.detail.text[0], '\0');
            }
            rig_bytes_free(&in);
            rig_side_fini(&side);
        }
    }
}

typedef struct length_row {
    uint32_t declared;
    sy_err err;
} length_row;

static const length_row length_rows[] = {
    {1023, SY_OK},
    {1024, SY_OK},
    {1025, SY_ERR_FRAME_LENGTH},
    {0x01000000, SY_ERR_FRAME_LENGTH},
    {0x00040000, SY_ERR_FRAME_LENGTH}, /* 1024 in the other byte order: 00 04 00 00 */
    {0x80000001, SY_ERR_FRAME_LENGTH},
    {UINT32_MAX, SY_ERR_FRAME_LENGTH},
};

/* SPEC-TEST STS-13 STS-18 CC-15 CC-22 */
Test(secret_conn_frames, declared_length) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t i = 0; i < sizeof length_rows / sizeof length_rows[0]; i++) {
            rig_side side;
            rig_hand hand;
            rig_bytes in = {.data = NULL};
            rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
            rig_hand_frame(&hand, length_rows[i].declared, NULL, 0, 0x77, &in);
            cr_assert_eq(rig_side_feed(&side, in.data, in.len, in.len), length_rows[i].err, "%s %u",
                         rig_suites[s]->name, (unsigned)length_rows[i].declared);
            cr_assert_eq(side.plain.len, length_rows[i].err == SY_OK ? length_rows[i].declared : 0);
            rig_bytes_free(&in);
            rig_side_fini(&side);
        }
    }
}

/* SPEC-TEST STS-15 CC-19 */
Test(secret_conn_frames, any_padding_is_accepted) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        rig_hand hand;
        rig_bytes in = {.data = NULL};
        rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
        rig_hand_frame(&hand, 3, "abc", 3, 0xff, &in);
        rig_hand_frame(&hand, 3, "def", 3, 0x41, &in);
        cr_assert_eq(rig_side_feed(&side, in.data, in.len, in.len), SY_OK);
        cr_assert_eq(side.plain.len, 6);
        cr_assert_eq(memcmp(side.plain.data, "abcdef", 6), 0);
        rig_bytes_free(&in);
        rig_side_fini(&side);
    }
}

/* One bit in each region of the frame: tag, length, data, padding; the connection is dead and no
 * byte of the frame was handed on, but what stood before it was.  SPEC-TEST STS-17 CC-21 */
Test(secret_conn_frames, tampering) {
    static const size_t places[] = {0, 8, 15, 16, 17, 19, 20, 500, 1027, 1028, 1036, 1043};
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t i = 0; i < 2 * sizeof places / sizeof places[0]; i++) {
            rig_side side;
            rig_hand hand;
            rig_bytes in = {.data = NULL};
            rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
            rig_hand_data(&hand, "good", 4, &in);
            rig_hand_data(&hand, "bad", 3, &in);
            rig_hand_data(&hand, "late", 4, &in);
            in.data[SY_SEALED_LEN + places[i / 2]] ^= 0x10;
            cr_assert_eq(rig_side_feed(&side, in.data, in.len, i % 2 == 0 ? in.len : 100),
                         SY_ERR_FRAME_TAG, "%s byte %zu", rig_suites[s]->name, places[i / 2]);
            cr_assert_eq(side.plain.len, 4);
            cr_assert_eq(memcmp(side.plain.data, "good", 4), 0);
            rig_bytes_free(&in);
            rig_side_fini(&side);
        }
    }
}

typedef struct order_row {
    const char *name;
    size_t order[3]; /* frames as they arrive */
    size_t good;     /* bytes delivered before the error */
} order_row;

static const order_row order_rows[] = {
    {"frame repeated", {0, 0, 1}, 1},
    {"frame left out", {0, 2, 2}, 1},
    {"frames swapped", {1, 0, 2}, 0},
};

/* SPEC-TEST STS-11 STS-17 CC-16 CC-21 */
Test(secret_conn_frames, replayed_dropped_and_swapped_frames) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t i = 0; i < sizeof order_rows / sizeof order_rows[0]; i++) {
            rig_side side;
            rig_hand hand;
            rig_bytes frames = {.data = NULL};
            rig_bytes in = {.data = NULL};
            rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
            for (int k = 0; k < 3; k++) {
                rig_hand_data(&hand, "x", 1, &frames);
            }
            for (int k = 0; k < 3; k++) {
                rig_bytes_add(&in, frames.data + order_rows[i].order[k] * SY_SEALED_LEN,
                              SY_SEALED_LEN);
            }
            cr_assert_eq(rig_side_feed(&side, in.data, in.len, in.len), SY_ERR_FRAME_TAG, "row %s",
                         order_rows[i].name);
            cr_assert_eq(side.plain.len, order_rows[i].good);
            rig_bytes_free(&frames);
            rig_bytes_free(&in);
            rig_side_fini(&side);
        }
    }
}

/* Our own frames sent back do not open: the directions are apart.  SPEC-TEST STS-09 CC-10 */
Test(secret_conn_frames, reflected_frames_are_refused) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        rig_hand hand;
        rig_bytes out = {.data = NULL};
        rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
        cr_assert_eq(rig_side_seal(&side, "mirror", 6, &out), SY_OK);
        cr_assert_eq(rig_side_feed(&side, out.data, out.len, out.len), SY_ERR_FRAME_TAG);
        rig_bytes_free(&out);
        rig_side_fini(&side);
    }
}

/* 200 full frames at once: batches of SY_OPEN_BATCH, one event each. */
Test(secret_conn_frames, a_long_input_comes_in_batches) {
    static uint8_t data[200 * SY_FRAME_DATA_MAX];
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        rig_hand hand;
        rig_bytes in = {.data = NULL};
        rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
        fill(data, sizeof data, 8);
        for (size_t i = 0; i < 200; i++) {
            rig_hand_data(&hand, data + i * SY_FRAME_DATA_MAX, SY_FRAME_DATA_MAX, &in);
        }
        cr_assert_eq(rig_side_feed(&side, in.data, in.len, in.len), SY_OK);
        cr_assert_eq(side.data_events, 4);
        cr_assert_eq(side.plain.len, sizeof data);
        cr_assert_eq(memcmp(side.plain.data, data, sizeof data), 0);
        cr_assert_eq(side.tm.peak_bytes, side.budget.peak);
        rig_bytes_free(&in);
        rig_side_fini(&side);
    }
}

/* The kept frame and the complete ones behind it are one batch, also when it is full. */
Test(secret_conn_frames, a_completed_frame_joins_the_batch) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        rig_hand hand;
        rig_bytes in = {.data = NULL};
        rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
        for (size_t i = 0; i < SY_OPEN_BATCH + 1; i++) {
            rig_hand_data(&hand, "x", 1, &in);
        }
        cr_assert_eq(rig_side_feed(&side, in.data, 1, 1), SY_OK);
        cr_assert_eq(rig_side_feed(&side, in.data + 1, in.len - 1, in.len), SY_OK);
        cr_assert_eq(side.data_events, 2);
        cr_assert_eq(side.plain.len, SY_OPEN_BATCH + 1);
        rig_bytes_free(&in);
        rig_side_fini(&side);
    }
}

/* An incomplete frame costs one buffer, charged, and nothing when it is complete. */
Test(secret_conn_frames, an_incomplete_frame_is_kept_and_charged) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        rig_hand hand;
        rig_bytes in = {.data = NULL};
        rig_open_against_hand(&side, &hand, rig_suites[s], scratch);
        const size_t idle = side.budget.used;
        rig_hand_data(&hand, "x", 1, &in);
        for (size_t i = 0; i + 1 < in.len; i++) {
            cr_assert(sy_secret_conn_at_boundary(side.conn) == (i == 0), "at %zu", i);
            cr_assert_eq(rig_side_feed(&side, in.data + i, 1, 1), SY_OK);
            cr_assert_eq(side.budget.used, idle + SY_SEALED_LEN, "at %zu", i);
            cr_assert_eq(side.tm.live_bytes, side.budget.used, "at %zu", i);
        }
        cr_assert_eq(side.plain.len, 0);
        cr_assert_eq(rig_side_feed(&side, in.data + in.len - 1, 1, 1), SY_OK);
        cr_assert_eq(side.plain.len, 1);
        cr_assert(sy_secret_conn_at_boundary(side.conn));
        cr_assert_eq(side.budget.used, idle);
        cr_assert_eq(side.tm.live_blocks, 1);
        rig_bytes_free(&in);
        rig_side_fini(&side);
    }
}

/* Where the stream may end: not inside a handshake message, a frame, or undelivered data. */
Test(secret_conn_frames, boundaries) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_keys one;
        rig_keys two;
        rig_side side;
        rig_hand hand;
        rig_bytes in = {.data = NULL};
        uint8_t auth[256];
        rig_keys_numbered(&one, 1);
        rig_keys_numbered(&two, 2);
        rig_side_init(&side, rig_suites[s], scratch, &one);
        rig_hand_init(&hand, rig_suites[s], &two, one.eph_pub);
        rig_hand_ephemeral(&hand, &in);
        rig_hand_auth(&hand, auth);
        cr_assert(sy_secret_conn_at_boundary(side.conn));
        cr_assert_eq(rig_side_feed(&side, in.data, 1, 1), SY_OK);
        cr_assert(!sy_secret_conn_at_boundary(side.conn));
        cr_assert_eq(rig_side_feed(&side, in.data + 1, in.len - 1, 64), SY_OK);
        cr_assert(sy_secret_conn_at_boundary(side.conn));
        in.len = 0;
        rig_hand_data(&hand, auth, 50, &in);
        cr_assert_eq(rig_side_feed(&side, in.data, in.len, in.len), SY_OK);
        cr_assert(!sy_secret_conn_at_boundary(side.conn), "half an auth message");
        in.len = 0;
        rig_hand_data(&hand, auth + 50, rig_suites[s]->auth_msg_len - 50, &in);
        cr_assert_eq(rig_side_feed(&side, in.data, in.len, in.len), SY_OK);
        cr_assert_eq(side.auth_events, 1);
        cr_assert(sy_secret_conn_at_boundary(side.conn));
        rig_bytes_free(&in);
        rig_side_fini(&side);
    }
}
