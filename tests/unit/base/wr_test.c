/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/wr.h"
#include "tests/support/test_contract.h"
#include "tests/support/test_hex.h"

static void wr_integers(sy_wr *wr) {
    sy_wr_u8(wr, 0xfe);
    sy_wr_u32be(wr, 0x01020384);
    sy_wr_u64le(wr, UINT64_C(0x8102030405060708));
    sy_wr_u32le(wr, 0x81020304);
}

static void wr_varints(sy_wr *wr) {
    sy_wr_uvarint(wr, 0);
    sy_wr_uvarint(wr, 127);
    sy_wr_uvarint(wr, 128);
    sy_wr_uvarint(wr, UINT64_MAX);
}

static void wr_texts(sy_wr *wr) {
    sy_wr_bytes(wr, "abc", 3);
    sy_wr_bytes(wr, NULL, 0);
    sy_wr_len_bytes(wr, "de", 2);
    sy_wr_len_bytes(wr, NULL, 0);
}

static void wr_fields(sy_wr *wr) {
    sy_wr_field_uvarint(wr, 1, 150);
    sy_wr_field_uvarint(wr, 2, 0); /* left out */
    sy_wr_field_bytes(wr, 3, "x", 1);
    sy_wr_field_bytes(wr, 4, "x", 0); /* left out */
    sy_wr_field_bytes_always(wr, 5, NULL, 0);
    sy_wr_field_bytes_always(wr, 16, "yz", 2);
    sy_wr_key(wr, (1u << 29) - 1, SY_WIRE_FIXED32);
}

static const struct {
    const char *name;
    void (*write)(sy_wr *wr);
    const char *hex;
} rows[] = {
    {"integers", wr_integers, "fe 01020384 0807060504030281 04030281"},
    {"varints", wr_varints, "00 7f 8001 ffffffffffffffffff01"},
    {"texts", wr_texts, "616263 026465 00"},
    {"fields", wr_fields, "089601 1a0178 2a00 820102797a fdffffff0f"},
};

Test(wr, known_bytes) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t want[64];
        uint8_t got[64];
        const size_t want_len = test_hex(rows[i].hex, want, sizeof want);
        size_t len = 0;
        sy_wr wr;
        sy_wr_init(&wr, got, sizeof got);

        rows[i].write(&wr);

        cr_assert_eq(sy_wr_finish(&wr, &len), SY_OK, "row %s", rows[i].name);
        cr_assert_eq(len, want_len, "row %s: %s", rows[i].name, test_hex_of(got, len));
        cr_expect_eq(memcmp(got, want, len), 0, "row %s: %s", rows[i].name, test_hex_of(got, len));
    }
}

/* Every capacity: the same length is counted, nothing behind the capacity is touched, what was
 * written is a prefix. */
Test(wr, never_writes_past_its_capacity) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t want[64];
        const size_t want_len = test_hex(rows[i].hex, want, sizeof want);
        for (size_t cap = 0; cap <= want_len + 2; cap++) {
            uint8_t area[64];
            memset(area, 0xee, sizeof area);
            size_t len = 4711;
            sy_wr wr;
            sy_wr_init(&wr, cap == 0 ? NULL : area, cap);

            rows[i].write(&wr);

            const bool fits = cap >= want_len;
            cr_expect_eq(wr.len, want_len, "row %s, cap %zu", rows[i].name, cap);
            cr_expect_eq(sy_wr_finish(&wr, &len), fits ? SY_OK : SY_ERR_NO_SPACE, "row %s, cap %zu",
                         rows[i].name, cap);
            cr_expect_eq(len, fits ? want_len : 4711, "row %s, cap %zu", rows[i].name, cap);
            size_t written = 0;
            while (written < cap && written < want_len && area[written] == want[written]) {
                written++;
            }
            for (size_t k = written; k < sizeof area; k++) {
                cr_assert_eq(area[k], 0xee, "row %s, cap %zu: byte %zu", rows[i].name, cap, k);
            }
            cr_expect_eq(written == want_len, fits, "row %s, cap %zu", rows[i].name, cap);
        }
    }
}

Test(wr, an_overflow_is_sticky) {
    uint8_t area[8];
    memset(area, 0xee, sizeof area);
    size_t len = 0;
    sy_wr wr;
    sy_wr_init(&wr, area, 4);
    sy_wr_bytes(&wr, "ab", 2);

    sy_wr_bytes(&wr, "cde", 3); /* one too many: nothing of it is written */
    sy_wr_u8(&wr, 'f');         /* and nothing after it, though there was room */

    cr_expect_arr_eq(area, "ab\xee\xee\xee\xee\xee\xee", 8);
    cr_expect_eq(wr.len, 6);
    cr_expect_eq(sy_wr_finish(&wr, &len), SY_ERR_NO_SPACE);
}

Test(wr, the_counted_length_saturates) {
    /* The capacity lies in the middle: a wrapped length would write in front of it. */
    uint8_t area[12];
    size_t len = 0;
    sy_wr wr;
    memset(area, 0xee, sizeof area);
    sy_wr_init(&wr, area + 4, 4);

    wr.len = SIZE_MAX - 1; /* as if that much had been written before */
    sy_wr_u32be(&wr, 1);
    cr_expect_eq(wr.len, SIZE_MAX);
    sy_wr_u8(&wr, 1);
    for (size_t i = 0; i < sizeof area; i++) {
        cr_expect_eq(area[i], 0xee, "byte %zu", i);
    }

    cr_expect_eq(wr.len, SIZE_MAX);
    cr_expect_eq(sy_wr_finish(&wr, &len), SY_ERR_NO_SPACE);
}

static void key_zero(void *user) {
    sy_wr_key(user, 0, SY_WIRE_VARINT);
}

static void key_too_big(void *user) {
    sy_wr_key(user, 1u << 29, SY_WIRE_VARINT);
}

static void bytes_of_null(void *user) {
    sy_wr_bytes(user, NULL, 1);
}

static void null_with_capacity(void *user) {
    sy_wr_init(user, NULL, 1);
}

Test(wr, misuse_is_a_broken_contract) {
    static void (*const misuse[])(void *) = {key_zero, key_too_big, bytes_of_null,
                                             null_with_capacity};
    for (size_t i = 0; i < sizeof misuse / sizeof misuse[0]; i++) {
        uint8_t area[16];
        sy_wr wr;
        sy_wr_init(&wr, area, sizeof area);
        const char *kind = test_contract(misuse[i], &wr);
        cr_assert_not_null(kind, "row %zu", i);
        cr_expect_str_eq(kind, "contract", "row %zu", i);
    }
}
