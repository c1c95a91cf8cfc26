/* SPDX-License-Identifier: Apache-2.0 */
/* The reader.  Every composite read starts from a saved position and goes back to it when a part of
 * it fails, so that `pos` after an error is the start of what could not be read. */
#include "base/rd.h"

#include <switchyard/assert.h>

#define FIELD_NUMBER_MAX (((uint64_t)1 << 29) - 1)
#define UVARINT_SIZE_MAX 10

void sy_rd_init(sy_rd *rd, const uint8_t *data, size_t len) {
    /* So that no read ever computes with a null pointer. */
    static const uint8_t nothing[1];

    SY_REQUIRE(rd != NULL);
    SY_REQUIRE(data != NULL || len == 0);
    const uint8_t *start = data != NULL ? data : nothing;
    *rd = (sy_rd){.pos = start, .end = start + len, .err = SY_OK};
}

size_t sy_rd_left(const sy_rd *rd) {
    SY_ASSERT(rd->pos <= rd->end);
    return (size_t)(rd->end - rd->pos);
}

sy_err sy_rd_fail(sy_rd *rd, sy_err err) {
    SY_REQUIRE(err != SY_OK);
    if (rd->err == SY_OK) {
        rd->err = err;
    }
    return rd->err;
}

/* n more bytes, or NULL and the error is set. */
static const uint8_t *take(sy_rd *rd, size_t n) {
    if (rd->err != SY_OK) {
        return NULL;
    }
    if (n > sy_rd_left(rd)) {
        (void)sy_rd_fail(rd, SY_ERR_TRUNCATED);
        return NULL;
    }
    const uint8_t *bytes = rd->pos;
    rd->pos += n;
    return bytes;
}

uint8_t sy_rd_u8(sy_rd *rd) {
    const uint8_t *b = take(rd, 1);
    return b != NULL ? b[0] : 0;
}

uint32_t sy_rd_u32be(sy_rd *rd) {
    const uint8_t *b = take(rd, 4);
    if (b == NULL) {
        return 0;
    }
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

sy_bytes sy_rd_bytes(sy_rd *rd, size_t len) {
    const uint8_t *b = take(rd, len);
    if (b == NULL) {
        return (sy_bytes){.data = rd->pos, .len = 0};
    }
    return (sy_bytes){.data = b, .len = len};
}

uint64_t sy_rd_uvarint(sy_rd *rd) {
    if (rd->err != SY_OK) {
        return 0;
    }
    uint64_t value = 0;
    size_t size = 0;
    bool minimal = false;
    switch (sy_uvarint_peek(rd->pos, sy_rd_left(rd), &value, &size, &minimal)) {
    case SY_PREFIX_MORE:
        (void)sy_rd_fail(rd, SY_ERR_TRUNCATED);
        return 0;
    case SY_PREFIX_BAD:
        (void)sy_rd_fail(rd, SY_ERR_VARINT);
        return 0;
    case SY_PREFIX_DONE:
        rd->pos += size;
        return value;
    }
    SY_UNREACHABLE();
}

sy_bytes sy_rd_len_bytes(sy_rd *rd) {
    const uint8_t *start = rd->pos;
    const uint64_t len = sy_rd_uvarint(rd);
    if (rd->err == SY_OK && len > sy_rd_left(rd)) {
        (void)sy_rd_fail(rd, SY_ERR_TRUNCATED);
    }
    if (rd->err != SY_OK) {
        rd->pos = start;
        return (sy_bytes){.data = start, .len = 0};
    }
    return sy_rd_bytes(rd, (size_t)len);
}

static uint64_t read_le(sy_rd *rd, size_t size) {
    const uint8_t *b = take(rd, size);
    uint64_t value = 0;
    for (size_t i = 0; b != NULL && i < size; i++) {
        value |= (uint64_t)b[i] << (8 * i);
    }
    return value;
}

static void read_value(sy_rd *rd, unsigned wire_type, sy_field *field) {
    switch (wire_type) {
    case SY_WIRE_VARINT:
        field->type = SY_WIRE_VARINT;
        field->varint = sy_rd_uvarint(rd);
        return;
    case SY_WIRE_FIXED64:
        field->type = SY_WIRE_FIXED64;
        field->varint = read_le(rd, 8);
        return;
    case SY_WIRE_BYTES:
        field->type = SY_WIRE_BYTES;
        field->bytes = sy_rd_len_bytes(rd);
        return;
    case SY_WIRE_FIXED32:
        field->type = SY_WIRE_FIXED32;
        field->varint = read_le(rd, 4);
        return;
    default: /* a peer's number, not an enum */
        (void)sy_rd_fail(rd, SY_ERR_FIELD_TYPE);
        return;
    }
}

bool sy_rd_field(sy_rd *rd, sy_field *ret_field) {
    SY_REQUIRE(ret_field != NULL);
    if (rd->err != SY_OK || sy_rd_left(rd) == 0) {
        return false;
    }
    const uint8_t *start = rd->pos;
    sy_field field = {.bytes = {.data = start, .len = 0}};
    const uint64_t key = sy_rd_uvarint(rd);
    if (rd->err == SY_OK && (key >> 3 == 0 || key >> 3 > FIELD_NUMBER_MAX)) {
        (void)sy_rd_fail(rd, SY_ERR_FIELD_NUMBER);
    }
    if (rd->err == SY_OK) {
        field.number = (uint32_t)(key >> 3);
        read_value(rd, (unsigned)(key & 7), &field);
    }
    if (rd->err != SY_OK) {
        rd->pos = start;
        return false;
    }
    *ret_field = field;
    return true;
}

sy_err sy_rd_finish(sy_rd *rd) {
    if (rd->err == SY_OK && sy_rd_left(rd) > 0) {
        return sy_rd_fail(rd, SY_ERR_TRAILING);
    }
    return rd->err;
}

sy_prefix_state sy_uvarint_peek(const uint8_t *data, size_t len, uint64_t *ret_value,
                                size_t *ret_size, bool *ret_minimal) {
    SY_REQUIRE(data != NULL || len == 0);
    uint64_t value = 0;
    for (size_t i = 0; i < len && i < UVARINT_SIZE_MAX; i++) {
        /* Nine bytes carry 63 bits: the tenth has room for one and may not be continued. */
        if (i == UVARINT_SIZE_MAX - 1 && data[i] > 1) {
            return SY_PREFIX_BAD;
        }
        value |= (uint64_t)(data[i] & 0x7f) << (7 * i);
        if (data[i] < 0x80) {
            *ret_value = value;
            *ret_size = i + 1;
            *ret_minimal = i == 0 || data[i] != 0;
            return SY_PREFIX_DONE;
        }
    }
    SY_ASSERT(len < UVARINT_SIZE_MAX);
    return SY_PREFIX_MORE;
}

size_t sy_uvarint_size(uint64_t value) {
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}
