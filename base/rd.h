/* SPDX-License-Identifier: Apache-2.0 */
/* Reader over borrowed bytes, and the field grammar that amino and protobuf share.  In place, no
 * allocation, no recursion.  Errors are sticky: after the first failure every read fails with the
 * same code and the position no longer moves, so a parser may check once at the end.
 *
 * Invariant: pos <= end. */
#ifndef SY_BASE_RD_H
#define SY_BASE_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>

/* Borrowed bytes. */
typedef struct sy_bytes {
    const uint8_t *data;
    size_t len;
} sy_bytes;

typedef struct sy_rd {
    const uint8_t *pos;
    const uint8_t *end;
    sy_err err;
} sy_rd;

/* Wire types of a field key; 3, 4, 6 and 7 are refused with FIELD_TYPE. */
typedef enum sy_wire_type {
    SY_WIRE_VARINT = 0,
    SY_WIRE_FIXED64 = 1,
    SY_WIRE_BYTES = 2,
    SY_WIRE_FIXED32 = 5,
} sy_wire_type;

typedef struct sy_field {
    uint32_t number;
    sy_wire_type type;
    uint64_t varint; /* VARINT, FIXED32, FIXED64 */
    sy_bytes bytes;  /* BYTES */
} sy_field;

void sy_rd_init(sy_rd *rd, const uint8_t *data, size_t len);
size_t sy_rd_left(const sy_rd *rd);

/* Fails the reader with err (keeps the first failure); returns the sticky error. */
sy_err sy_rd_fail(sy_rd *rd, sy_err err);

uint8_t sy_rd_u8(sy_rd *rd);                 /* TRUNCATED */
uint32_t sy_rd_u32be(sy_rd *rd);             /* TRUNCATED */
sy_bytes sy_rd_bytes(sy_rd *rd, size_t len); /* TRUNCATED */
uint64_t sy_rd_uvarint(sy_rd *rd);           /* TRUNCATED, VARINT (> 64 bits or > 10 bytes) */

/* uvarint length, then that many bytes: TRUNCATED, VARINT. */
sy_bytes sy_rd_len_bytes(sy_rd *rd);

/* The next field: its key and its whole value.  false at the end of the input or on error (then
 * rd->err says which).  FIELD_NUMBER for number 0 or above 2^29-1, FIELD_TYPE for types 3, 4, 6, 7.
 */
bool sy_rd_field(sy_rd *rd, sy_field *ret_field);

/* SY_OK when no error happened and everything was read; TRAILING when bytes are left. */
sy_err sy_rd_finish(sy_rd *rd);

/* Result of looking at a length prefix at the start of an incomplete stream. */
typedef enum sy_prefix_state {
    SY_PREFIX_MORE, /* not decided yet: more bytes are needed */
    SY_PREFIX_DONE, /* value and size known */
    SY_PREFIX_BAD,  /* more than 64 bits or more than 10 bytes */
} sy_prefix_state;

/* Decodes an uvarint at the start of `data`.  On DONE, *ret_value and *ret_size (1..10 bytes) are
 * set; *ret_minimal tells whether it was the shortest form. */
sy_prefix_state sy_uvarint_peek(const uint8_t *data, size_t len, uint64_t *ret_value,
                                size_t *ret_size, bool *ret_minimal);

/* Bytes of the shortest uvarint of value: 1..10. */
size_t sy_uvarint_size(uint64_t value);

#endif
