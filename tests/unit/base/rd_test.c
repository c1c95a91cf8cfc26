/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/prng.h"
#include "base/rd.h"
#include "base/wr.h"
#include "tests/support/test_contract.h"
#include "tests/support/test_hex.h"

Test(rd, fixed_reads_and_finish) {
    static const uint8_t data[] = {0xff, 0x01, 0x02, 0x03, 0x84, 'a', 'b', 'c', 0x02, 'x', 'y'};
    sy_rd rd;
    sy_rd_init(&rd, data, sizeof data);

    cr_expect_eq(sy_rd_left(&rd), sizeof data);
    cr_expect_eq(sy_rd_u8(&rd), 0xff);
    cr_expect_eq(sy_rd_u32be(&rd), 0x01020384);
    const sy_bytes three = sy_rd_bytes(&rd, 3);
    cr_expect_eq(three.data, data + 5, "in place");
    cr_expect_eq(three.len, 3);
    cr_expect_eq(sy_rd_bytes(&rd, 0).len, 0);
    const sy_bytes two = sy_rd_len_bytes(&rd);
    cr_expect_eq(two.len, 2);
    cr_expect_eq(two.data, data + 9);

    cr_expect_eq(sy_rd_left(&rd), 0);
    cr_expect_eq(sy_rd_finish(&rd), SY_OK);
}

typedef enum op {
    U8,
    U32BE,
    BYTES4,
    UVARINT,
    LEN_BYTES,
    FIELD
} op;

static void run_op(sy_rd *rd, op what) {
    sy_field field;
    switch (what) {
    case U8:
        cr_expect_eq(sy_rd_u8(rd), 0);
        return;
    case U32BE:
        cr_expect_eq(sy_rd_u32be(rd), 0);
        return;
    case BYTES4: {
        const sy_bytes bytes = sy_rd_bytes(rd, 4);
        cr_expect_eq(bytes.len, 0);
        cr_expect_not_null(bytes.data);
        return;
    }
    case UVARINT:
        cr_expect_eq(sy_rd_uvarint(rd), 0);
        return;
    case LEN_BYTES: {
        const sy_bytes bytes = sy_rd_len_bytes(rd);
        cr_expect_eq(bytes.len, 0);
        cr_expect_not_null(bytes.data);
        return;
    }
    case FIELD:
        cr_expect_not(sy_rd_field(rd, &field));
        return;
    }
}

/* Each row is a read that fails; the position stays at its start and the error at the first one,
 * whatever is read afterwards. */
static const struct {
    const char *hex;
    op what;
    sy_err want;
} failing_rows[] = {
    {"", U8, SY_ERR_TRUNCATED},
    {"", U32BE, SY_ERR_TRUNCATED},
    {"010203", U32BE, SY_ERR_TRUNCATED},
    {"", BYTES4, SY_ERR_TRUNCATED},
    {"010203", BYTES4, SY_ERR_TRUNCATED},
    {"", UVARINT, SY_ERR_TRUNCATED},
    {"ff", UVARINT, SY_ERR_TRUNCATED},
    {"ffffffffffffffffff02", UVARINT, SY_ERR_VARINT},
    {"", LEN_BYTES, SY_ERR_TRUNCATED},
    {"01", LEN_BYTES, SY_ERR_TRUNCATED},
    {"04010203", LEN_BYTES, SY_ERR_TRUNCATED},
    {"ffffffffffffffffff01 00", LEN_BYTES, SY_ERR_TRUNCATED},
    {"feffffffffffffffff01 00", LEN_BYTES, SY_ERR_TRUNCATED},
    {"ffffffffffffffffff7f 00", LEN_BYTES, SY_ERR_VARINT},
    /* number 0 and above 2^29-1 */
    {"00", FIELD, SY_ERR_FIELD_NUMBER},
    {"02 00", FIELD, SY_ERR_FIELD_NUMBER},
    {"03 00", FIELD, SY_ERR_FIELD_NUMBER},
    {"8080808010 00", FIELD, SY_ERR_FIELD_NUMBER},
    {"8280808010 00", FIELD, SY_ERR_FIELD_NUMBER},
    {"f8ffffffffffffffff01 00", FIELD, SY_ERR_FIELD_NUMBER},
    /* types 3, 4, 6, 7 */
    {"0b", FIELD, SY_ERR_FIELD_TYPE},
    {"0c", FIELD, SY_ERR_FIELD_TYPE},
    {"0e00000000", FIELD, SY_ERR_FIELD_TYPE},
    {"0f00000000", FIELD, SY_ERR_FIELD_TYPE},
    /* broken keys and values */
    {"80", FIELD, SY_ERR_TRUNCATED},
    {"ffffffffffffffffff02", FIELD, SY_ERR_VARINT},
    {"08", FIELD, SY_ERR_TRUNCATED},
    {"08ff", FIELD, SY_ERR_TRUNCATED},
    {"08ffffffffffffffffff02", FIELD, SY_ERR_VARINT},
    {"09 01020304050607", FIELD, SY_ERR_TRUNCATED},
    {"0d 010203", FIELD, SY_ERR_TRUNCATED},
    {"0a", FIELD, SY_ERR_TRUNCATED},
    {"0a 03 0102", FIELD, SY_ERR_TRUNCATED},
    {"0a ffffffffffffffffff01 01", FIELD, SY_ERR_TRUNCATED},
    {"0a ffffffffffffffffff03 01", FIELD, SY_ERR_VARINT},
};

Test(rd, failures_are_sticky_and_move_nothing) {
    for (size_t i = 0; i < sizeof failing_rows / sizeof failing_rows[0]; i++) {
        uint8_t bytes[32];
        const size_t len = test_hex(failing_rows[i].hex, bytes, sizeof bytes);
        sy_rd rd;
        sy_rd_init(&rd, bytes, len);

        run_op(&rd, failing_rows[i].what);

        cr_expect_eq(rd.err, failing_rows[i].want, "row %zu (%s): %s", i, failing_rows[i].hex,
                     sy_err_name(rd.err));
        cr_expect_eq(sy_rd_left(&rd), len, "row %zu (%s)", i, failing_rows[i].hex);
        for (op next = U8; next <= FIELD; next++) {
            run_op(&rd, next);
        }
        cr_expect_eq(sy_rd_bytes(&rd, 0).len, 0);
        cr_expect_eq(sy_rd_fail(&rd, SY_ERR_INVALID), failing_rows[i].want, "row %zu", i);
        cr_expect_eq(sy_rd_finish(&rd), failing_rows[i].want, "row %zu", i);
        cr_expect_eq(sy_rd_left(&rd), len, "row %zu (%s)", i, failing_rows[i].hex);
    }
}

Test(rd, fields) {
    static const struct {
        const char *hex;
        uint32_t number;
        sy_wire_type type;
        uint64_t varint;
        const char *bytes;
    } rows[] = {
        {"08 00", 1, SY_WIRE_VARINT, 0, ""},
        {"08 9601", 1, SY_WIRE_VARINT, 150, ""},
        {"10 ffffffffffffffffff01", 2, SY_WIRE_VARINT, UINT64_MAX, ""},
        {"09 0807060504030201", 1, SY_WIRE_FIXED64, UINT64_C(0x0102030405060708), ""},
        {"09 ffffffffffffffff", 1, SY_WIRE_FIXED64, UINT64_MAX, ""},
        {"0d 04030281", 1, SY_WIRE_FIXED32, 0x81020304, ""},
        {"0a 00", 1, SY_WIRE_BYTES, 0, ""},
        {"0a 03 616263", 1, SY_WIRE_BYTES, 0, "616263"},
        {"7a 01 00", 15, SY_WIRE_BYTES, 0, "00"},
        {"8201 01 07", 16, SY_WIRE_BYTES, 0, "07"},
        {"f8ffffff0f 05", (1u << 29) - 1, SY_WIRE_VARINT, 5, ""},
        {"faffffff0f 01 09", (1u << 29) - 1, SY_WIRE_BYTES, 0, "09"},
        /* longer than needed, as the Go decoders take it */
        {"8800 00", 1, SY_WIRE_VARINT, 0, ""},
        {"0a 8100 42", 1, SY_WIRE_BYTES, 0, "42"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[32];
        uint8_t want[32];
        const size_t len = test_hex(rows[i].hex, bytes, sizeof bytes);
        const size_t want_len = test_hex(rows[i].bytes, want, sizeof want);
        sy_field field;
        sy_rd rd;
        sy_rd_init(&rd, bytes, len);

        cr_assert(sy_rd_field(&rd, &field), "row %s", rows[i].hex);

        cr_expect_eq(field.number, rows[i].number, "row %s", rows[i].hex);
        cr_expect_eq(field.type, rows[i].type, "row %s", rows[i].hex);
        cr_expect_eq(field.varint, rows[i].varint, "row %s", rows[i].hex);
        cr_assert_eq(field.bytes.len, want_len, "row %s", rows[i].hex);
        cr_expect_eq(memcmp(field.bytes.data, want, want_len), 0, "row %s", rows[i].hex);
        cr_expect_not(sy_rd_field(&rd, &field), "row %s", rows[i].hex);
        cr_expect_eq(sy_rd_finish(&rd), SY_OK, "row %s", rows[i].hex);
    }
}

Test(rd, field_leaves_the_result_alone_when_there_is_none) {
    static const uint8_t bad[] = {0x08};
    sy_field field = {.number = 77};
    sy_rd rd;

    sy_rd_init(&rd, NULL, 0);
    cr_expect_not(sy_rd_field(&rd, &field));
    cr_expect_eq(rd.err, SY_OK);
    sy_rd_init(&rd, bad, sizeof bad);
    cr_expect_not(sy_rd_field(&rd, &field));

    cr_expect_eq(field.number, 77);
}

Test(rd, finish_reports_what_is_left) {
    static const uint8_t data[] = {1, 2};
    sy_rd rd;
    sy_rd_init(&rd, data, sizeof data);
    (void)sy_rd_u8(&rd);

    cr_expect_eq(sy_rd_finish(&rd), SY_ERR_TRAILING);
    cr_expect_eq(sy_rd_finish(&rd), SY_ERR_TRAILING);
    cr_expect_eq(sy_rd_u8(&rd), 0, "sticky");

    sy_rd_init(&rd, data, sizeof data);
    cr_expect_eq(sy_rd_fail(&rd, SY_ERR_PREFIX), SY_ERR_PREFIX);
    cr_expect_eq(sy_rd_fail(&rd, SY_ERR_FIELD_TYPE), SY_ERR_PREFIX, "the first one stays");
    cr_expect_eq(sy_rd_finish(&rd), SY_ERR_PREFIX);
}

Test(rd, empty_input_needs_no_pointer) {
    sy_rd rd;
    sy_rd_init(&rd, NULL, 0);

    cr_expect_eq(sy_rd_left(&rd), 0);
    cr_expect_eq(sy_rd_bytes(&rd, 0).len, 0);
    cr_expect_eq(sy_rd_finish(&rd), SY_OK);
    cr_expect_eq(sy_rd_u8(&rd), 0);
    cr_expect_eq(sy_rd_finish(&rd), SY_ERR_TRUNCATED);
}

static void fail_with_ok(void *user) {
    (void)sy_rd_fail(user, SY_OK);
}

Test(rd, failing_with_ok_is_a_broken_contract) {
    sy_rd rd;
    sy_rd_init(&rd, NULL, 0);
    cr_expect_str_eq(test_contract(fail_with_ok, &rd), "contract");
}

/* Random bytes: every loop ends, every view lies inside the input, no byte is read twice. */
Test(rd, random_bytes_stay_inside_the_input) {
    sy_prng prng;
    sy_prng_init(&prng, 99);
    size_t fields = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[48];
        const size_t len = (size_t)sy_prng_below(&prng, sizeof bytes + 1);
        for (size_t i = 0; i < len; i++) {
            /* Small bytes make valid keys and lengths likely. */
            bytes[i] = (uint8_t)(sy_prng_next(&prng) >> (sy_prng_next(&prng) % 8));
        }
        sy_rd rd;
        sy_field field;
        sy_rd_init(&rd, bytes, len);
        const uint8_t *before = rd.pos;
        while (sy_rd_field(&rd, &field)) {
            cr_assert_gt(rd.pos, before, "round %d", round);
            cr_assert_leq(rd.pos, bytes + len, "round %d", round);
            cr_assert_geq(field.bytes.data, bytes, "round %d", round);
            cr_assert_leq(field.bytes.data + field.bytes.len, rd.pos, "round %d", round);
            cr_assert(field.number >= 1 && field.number < 1u << 29, "round %d", round);
            before = rd.pos;
            fields++;
        }
        cr_assert_eq(rd.err == SY_OK, sy_rd_left(&rd) == 0, "round %d", round);
    }
    cr_expect_gt(fields, 1000);
}

/* What the writer wrote the reader gives back. */
Test(rd, random_fields_come_back) {
    sy_prng prng;
    sy_prng_init(&prng, 5);
    for (int round = 0; round < 3000; round++) {
        uint8_t out[512];
        uint8_t blob[8][16];
        sy_field fields[8];
        const size_t count = (size_t)sy_prng_below(&prng, 9);
        sy_wr wr;
        sy_wr_init(&wr, out, sizeof out);
        for (size_t i = 0; i < count; i++) {
            sy_field *f = &fields[i];
            *f = (sy_field){.number = 1 + (uint32_t)sy_prng_below(&prng, (1u << 29) - 1)};
            f->varint = 1 + (sy_prng_next(&prng) >> (1 + sy_prng_below(&prng, 63)));
            switch (sy_prng_below(&prng, 4)) {
            case 0:
                f->type = SY_WIRE_VARINT;
                sy_wr_field_uvarint(&wr, f->number, f->varint);
                break;
            case 1:
                f->type = SY_WIRE_FIXED64;
                sy_wr_key(&wr, f->number, f->type);
                sy_wr_u64le(&wr, f->varint);
                break;
            case 2:
                f->type = SY_WIRE_FIXED32;
                f->varint &= UINT32_MAX;
                sy_wr_key(&wr, f->number, f->type);
                sy_wr_u32le(&wr, (uint32_t)f->varint);
                break;
            default:
                f->type = SY_WIRE_BYTES;
                f->varint = 0;
                f->bytes.len = (size_t)sy_prng_below(&prng, sizeof blob[i] + 1);
                memset(blob[i], (int)sy_prng_below(&prng, 256), sizeof blob[i]);
                f->bytes.data = blob[i];
                sy_wr_field_bytes_always(&wr, f->number, blob[i], f->bytes.len);
                break;
            }
        }
        size_t len = 0;
        cr_assert_eq(sy_wr_finish(&wr, &len), SY_OK);

        sy_rd rd;
        sy_rd_init(&rd, out, len);
        for (size_t i = 0; i < count; i++) {
            sy_field got;
            cr_assert(sy_rd_field(&rd, &got), "round %d, field %zu", round, i);
            cr_assert_eq(got.number, fields[i].number, "round %d, field %zu", round, i);
            cr_assert_eq(got.type, fields[i].type, "round %d, field %zu", round, i);
            cr_assert_eq(got.varint, fields[i].varint, "round %d, field %zu", round, i);
            cr_assert_eq(got.bytes.len, fields[i].bytes.len, "round %d, field %zu", round, i);
            cr_assert(got.bytes.len == 0 ||
                          memcmp(got.bytes.data, fields[i].bytes.data, got.bytes.len) == 0,
                      "round %d, field %zu", round, i);
        }
        cr_assert_eq(sy_rd_finish(&rd), SY_OK, "round %d", round);
    }
}
