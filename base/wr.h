/* SPDX-License-Identifier: Apache-2.0 */
/* Writer into a caller's buffer, with the field grammar that amino and protobuf share.  Never
 * writes past the capacity: an overflow is sticky and `len` then keeps counting, so that a first
 * pass with cap 0 measures. */
#ifndef SY_BASE_WR_H
#define SY_BASE_WR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>

#include "base/rd.h"

typedef struct sy_wr {
    uint8_t *data;
    size_t cap;
    size_t len; /* bytes that would have been written; > cap means overflow */
} sy_wr;

void sy_wr_init(sy_wr *wr, uint8_t *data, size_t cap);

void sy_wr_u8(sy_wr *wr, uint8_t value);
void sy_wr_u32be(sy_wr *wr, uint32_t value);
void sy_wr_u64le(sy_wr *wr, uint64_t value);
void sy_wr_u32le(sy_wr *wr, uint32_t value);
void sy_wr_bytes(sy_wr *wr, const void *data, size_t len);
void sy_wr_uvarint(sy_wr *wr, uint64_t value);
void sy_wr_len_bytes(sy_wr *wr, const void *data, size_t len);

/* Field key. */
void sy_wr_key(sy_wr *wr, uint32_t number, sy_wire_type type);

/* Fields with amino and proto3 omission rules: a zero or empty value is left out. */
void sy_wr_field_uvarint(sy_wr *wr, uint32_t number, uint64_t value);
void sy_wr_field_bytes(sy_wr *wr, uint32_t number, const void *data, size_t len);

/* Always written, also when empty. */
void sy_wr_field_bytes_always(sy_wr *wr, uint32_t number, const void *data, size_t len);

/* SY_OK or NO_SPACE; on success *ret_len is the length. */
sy_err sy_wr_finish(const sy_wr *wr, size_t *ret_len) __attribute__((warn_unused_result));

#endif
