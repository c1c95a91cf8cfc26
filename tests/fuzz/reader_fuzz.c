/* SPDX-License-Identifier: Apache-2.0 */
/* The reader: a row of reads of any kind.  It never leaves its bytes, stands still after the first
 * error, and what a field walk yields survives being written and read again. */
#include "base/wr.h"
#include "tests/fuzz/support/fuzz.h"

/* Writes field and reads it back. */
static void check_field(const sy_field *field) {
    static uint8_t out[4096 + 32];
    sy_wr wr;
    sy_wr_init(&wr, out, sizeof out);
    sy_wr_key(&wr, field->number, field->type);
    if (field->type == SY_WIRE_VARINT) {
        sy_wr_uvarint(&wr, field->varint);
    } else if (field->type == SY_WIRE_BYTES) {
        sy_wr_len_bytes(&wr, field->bytes.data, field->bytes.len);
    } else {
        sy_wr_u32le(&wr, (uint32_t)field->varint);
        if (field->type == SY_WIRE_FIXED64) {
            sy_wr_u32le(&wr, (uint32_t)(field->varint >> 32));
        }
    }
    size_t len = 0;
    if (sy_wr_finish(&wr, &len) != SY_OK) {
        FUZZ_CHECK(field->bytes.len > 4096);
        return;
    }
    sy_rd rd;
    sy_field again;
    sy_rd_init(&rd, out, len);
    FUZZ_CHECK(sy_rd_field(&rd, &again) && sy_rd_finish(&rd) == SY_OK);
    FUZZ_CHECK(again.number == field->number && again.type == field->type);
    FUZZ_CHECK(field->type == SY_WIRE_BYTES || again.varint == field->varint);
    FUZZ_CHECK(again.bytes.len == field->bytes.len);
}

static void read_one(sy_rd *rd, unsigned kind) {
    sy_field field;
    switch (kind % 6) {
    case 0:
        if (sy_rd_field(rd, &field)) {
            FUZZ_CHECK(field.number >= 1 && field.number < 1u << 29);
            check_field(&field);
        }
        return;
    case 1:
        (void)sy_rd_u8(rd);
        return;
    case 2:
        (void)sy_rd_u32be(rd);
        return;
    case 3:
        (void)sy_rd_uvarint(rd);
        return;
    case 4:
        (void)sy_rd_len_bytes(rd);
        return;
    default:
        (void)sy_rd_bytes(rd, kind / 6);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    const sy_bytes kinds = fuzz_take(&in, fuzz_u8(&in) % 16); /* none: a field walk */
    sy_rd rd;
    sy_rd_init(&rd, in.pos, fuzz_left(&in));
    for (size_t i = 0; rd.err == SY_OK && sy_rd_left(&rd) > 0; i++) {
        const uint8_t *before = rd.pos;
        read_one(&rd, kinds.len > 0 ? kinds.data[i % kinds.len] : 0);
        FUZZ_CHECK(rd.pos >= before && rd.pos <= in.end);
        FUZZ_CHECK(rd.err == SY_OK || rd.pos == before);
        if (rd.err == SY_OK && rd.pos == before && i > size) {
            break; /* reads of no bytes */
        }
    }
    const sy_err err = rd.err;
    const uint8_t *at = rd.pos;
    if (err != SY_OK) {
        fuzz_check_err(err, NULL);
        read_one(&rd, 3);
        FUZZ_CHECK(rd.err == err && rd.pos == at);
    }
    fuzz_count(sy_rd_finish(&rd) == SY_OK);
    return 0;
}
