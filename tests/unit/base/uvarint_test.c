/* SPDX-License-Identifier: Apache-2.0 */
/* The base-128 integer at all its edges, for the stream (peek) and for the reader. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/prng.h"
#include "base/rd.h"
#include "base/wr.h"
#include "tests/support/test_hex.h"

typedef struct row {
    const char *hex;
    sy_prefix_state state;
    uint64_t value;
    size_t size;
    bool minimal;
} row;

static const row rows[] = {
    {"", SY_PREFIX_MORE, 0, 0, false},
    {"00", SY_PREFIX_DONE, 0, 1, true},
    {"01", SY_PREFIX_DONE, 1, 1, true},
    {"7f", SY_PREFIX_DONE, 127, 1, true},
    {"80", SY_PREFIX_MORE, 0, 0, false},
    {"8000", SY_PREFIX_DONE, 0, 2, false},
    {"8001", SY_PREFIX_DONE, 128, 2, true},
    {"ff00", SY_PREFIX_DONE, 127, 2, false},
    {"ff7f", SY_PREFIX_DONE, 16383, 2, true},
    {"808001", SY_PREFIX_DONE, 16384, 3, true},
    {"808000", SY_PREFIX_DONE, 0, 3, false},
    {"0580", SY_PREFIX_DONE, 5, 1, true},
    {"ffffffff0f", SY_PREFIX_DONE, UINT32_MAX, 5, true},
    {"ffffffffffffffff7f", SY_PREFIX_DONE, (UINT64_C(1) << 63) - 1, 9, true},
    {"80808080808080808001", SY_PREFIX_DONE, UINT64_C(1) << 63, 10, true},
    {"ffffffffffffffffff01", SY_PREFIX_DONE, UINT64_MAX, 10, true},
    {"ffffffffffffffffff00", SY_PREFIX_DONE, (UINT64_C(1) << 63) - 1, 10, false},
    {"80808080808080808000", SY_PREFIX_DONE, 0, 10, false},
    {"ffffffffffffffffff", SY_PREFIX_MORE, 0, 0, false},
    {"ffffffffffffffffff02", SY_PREFIX_BAD, 0, 0, false},
    {"ffffffffffffffffff7f", SY_PREFIX_BAD, 0, 0, false},
    {"80808080808080808002", SY_PREFIX_BAD, 0, 0, false},
    {"80808080808080808080", SY_PREFIX_BAD, 0, 0, false},
    {"80808080808080808081", SY_PREFIX_BAD, 0, 0, false},
    {"8080808080808080808001", SY_PREFIX_BAD, 0, 0, false},
    {"ffffffffffffffffffffff", SY_PREFIX_BAD, 0, 0, false},
};

Test(uvarint, peek) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *r = &rows[i];
        uint8_t bytes[16];
        const size_t len = test_hex(r->hex, bytes, sizeof bytes);
        uint64_t value = 4711;
        size_t size = 4712;
        bool minimal = r->minimal;

        cr_assert_eq(sy_uvarint_peek(bytes, len, &value, &size, &minimal), r->state, "row %s",
                     r->hex);

        const bool done = r->state == SY_PREFIX_DONE;
        cr_expect_eq(value, done ? r->value : 4711, "row %s", r->hex);
        cr_expect_eq(size, done ? r->size : 4712, "row %s", r->hex);
        cr_expect_eq(minimal, r->minimal, "row %s", r->hex);
    }
}

Test(uvarint, read) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *r = &rows[i];
        static const sy_err errors[] = {[SY_PREFIX_MORE] = SY_ERR_TRUNCATED,
                                        [SY_PREFIX_DONE] = SY_OK,
                                        [SY_PREFIX_BAD] = SY_ERR_VARINT};
        uint8_t bytes[16];
        const size_t len = test_hex(r->hex, bytes, sizeof bytes);
        sy_rd rd;
        sy_rd_init(&rd, bytes, len);

        const uint64_t value = sy_rd_uvarint(&rd);

        cr_expect_eq(rd.err, errors[r->state], "row %s", r->hex);
        cr_expect_eq(value, r->value, "row %s", r->hex);
        cr_expect_eq(sy_rd_left(&rd), len - r->size, "row %s", r->hex);
    }
}

static void check_round_trip(uint64_t value) {
    uint8_t bytes[16];
    sy_wr wr;
    size_t len = 0;
    sy_wr_init(&wr, bytes, sizeof bytes);
    sy_wr_uvarint(&wr, value);
    cr_assert_eq(sy_wr_finish(&wr, &len), SY_OK);
    cr_assert_eq(len, sy_uvarint_size(value), "%llx", (unsigned long long)value);

    uint64_t got = ~value;
    size_t size = 0;
    bool minimal = false;
    for (size_t part = 0; part < len; part++) {
        cr_assert_eq(sy_uvarint_peek(bytes, part, &got, &size, &minimal), SY_PREFIX_MORE);
    }
    cr_assert_eq(sy_uvarint_peek(bytes, len, &got, &size, &minimal), SY_PREFIX_DONE);
    cr_assert_eq(got, value);
    cr_assert_eq(size, len);
    cr_assert(minimal, "%llx", (unsigned long long)value);
}

Test(uvarint, round_trip_around_every_power_of_two_and_at_random) {
    for (unsigned bit = 0; bit < 64; bit++) {
        const uint64_t power = UINT64_C(1) << bit;
        check_round_trip(power - 1);
        check_round_trip(power);
        check_round_trip(power + 1);
        check_round_trip(~power);
    }
    check_round_trip(UINT64_MAX);
    sy_prng prng;
    sy_prng_init(&prng, 1);
    for (int i = 0; i < 5000; i++) {
        check_round_trip(sy_prng_next(&prng) >> sy_prng_below(&prng, 64));
    }
}

Test(uvarint, size) {
    for (unsigned groups = 1; groups <= 9; groups++) {
        const uint64_t first_longer = UINT64_C(1) << (7 * groups);
        cr_expect_eq(sy_uvarint_size(first_longer - 1), groups);
        cr_expect_eq(sy_uvarint_size(first_longer), groups + 1);
    }
    cr_expect_eq(sy_uvarint_size(0), 1);
    cr_expect_eq(sy_uvarint_size(UINT64_MAX), 10);
}
