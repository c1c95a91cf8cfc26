/* SPDX-License-Identifier: Apache-2.0 */
/* The writer.  Everything goes through put(): a piece is written as a whole or not at all, and
 * `len` counts on (up to SIZE_MAX) so that the caller learns how much room was needed. */
#include "base/wr.h"

#include <string.h>

#include <switchyard/assert.h>

static void put(sy_wr *wr, const void *data, size_t len) {
    if (wr->len <= wr->cap && len <= wr->cap - wr->len && len > 0) {
        memcpy(wr->data + wr->len, data, len);
    }
    wr->len = len > SIZE_MAX - wr->len ? SIZE_MAX : wr->len + len;
}

static void put_le(sy_wr *wr, uint64_t value, size_t size) {
    uint8_t bytes[8];
    SY_ASSERT(size <= sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    put(wr, bytes, size);
}

void sy_wr_init(sy_wr *wr, uint8_t *data, size_t cap) {
    SY_REQUIRE(wr != NULL);
    SY_REQUIRE(data != NULL || cap == 0);
    /* A saturated length must stay above the capacity. */
    SY_REQUIRE(cap < SIZE_MAX);
    *wr = (sy_wr){.data = data, .cap = cap, .len = 0};
}

void sy_wr_u8(sy_wr *wr, uint8_t value) {
    put(wr, &value, 1);
}

void sy_wr_u32be(sy_wr *wr, uint32_t value) {
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    put(wr, bytes, sizeof bytes);
}

void sy_wr_u64le(sy_wr *wr, uint64_t value) {
    put_le(wr, value, 8);
}

void sy_wr_u32le(sy_wr *wr, uint32_t value) {
    put_le(wr, value, 4);
}

void sy_wr_bytes(sy_wr *wr, const void *data, size_t len) {
    SY_REQUIRE(data != NULL || len == 0);
    put(wr, data, len);
}

void sy_wr_uvarint(sy_wr *wr, uint64_t value) {
    uint8_t bytes[10];
    size_t size = 0;
    while (value >= 0x80) {
        bytes[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[size++] = (uint8_t)value;
    put(wr, bytes, size);
}

void sy_wr_len_bytes(sy_wr *wr, const void *data, size_t len) {
    sy_wr_uvarint(wr, len);
    sy_wr_bytes(wr, data, len);
}

void sy_wr_key(sy_wr *wr, uint32_t number, sy_wire_type type) {
    SY_REQUIRE(number >= 1);
    SY_REQUIRE(number < (uint32_t)1 << 29);
    sy_wr_uvarint(wr, (uint64_t)number << 3 | (uint64_t)type);
}

void sy_wr_field_uvarint(sy_wr *wr, uint32_t number, uint64_t value) {
    if (value == 0) {
        return;
    }
    sy_wr_key(wr, number, SY_WIRE_VARINT);
    sy_wr_uvarint(wr, value);
}

void sy_wr_field_bytes(sy_wr *wr, uint32_t number, const void *data, size_t len) {
    if (len == 0) {
        return;
    }
    sy_wr_field_bytes_always(wr, number, data, len);
}

void sy_wr_field_bytes_always(sy_wr *wr, uint32_t number, const void *data, size_t len) {
    sy_wr_key(wr, number, SY_WIRE_BYTES);
    sy_wr_len_bytes(wr, data, len);
}

sy_err sy_wr_finish(const sy_wr *wr, size_t *ret_len) {
    SY_REQUIRE(ret_len != NULL);
    if (wr->len > wr->cap) {
        return SY_ERR_NO_SPACE;
    }
    *ret_len = wr->len;
    return SY_OK;
}
