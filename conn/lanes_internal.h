/* SPDX-License-Identifier: Apache-2.0 */
/* What the implementations of conn/lanes.h share.  Internal to them. */
#ifndef SY_CONN_LANES_INTERNAL_H
#define SY_CONN_LANES_INTERNAL_H

#include <stdbool.h>

#include "conn/lanes.h"

#if defined(__x86_64__)
#define SY_LANES_X86 1
extern const sy_lanes sy_lanes_avx512;
#else
#define SY_LANES_X86 0
#endif

/* Where the parts of a sealed frame stand, and where its key stream begins. */
typedef struct sy_lanes_form {
    size_t cipher_at;  /* ciphertext in the sealed frame */
    size_t tag_at;     /* tag in the sealed frame */
    size_t lead;       /* bytes of key stream in front of the frame's first byte */
    uint64_t tail_end; /* or-ed into the last, partial block of Poly1305: 1 << 32 ends four bytes,
                          0 when the block is padded to 16 */
    uint64_t tail_top; /* 1: that block counts as a full one */
    bool lengths;      /* a block with the lengths follows (RFC 8439, 2.8) */
} sy_lanes_form;

static const sy_lanes_form sy_lanes_form_chacha = {
    .cipher_at = 0, .tag_at = SY_FRAME_LEN, .lead = 64, .tail_top = 1, .lengths = true};
static const sy_lanes_form sy_lanes_form_salsa = {
    .cipher_at = SY_FRAME_TAG_LEN, .tag_at = 0, .lead = 32, .tail_end = UINT64_C(1) << 32};

/* Blocks of 64 bytes of key stream that a frame takes with its authenticator's key: 18 and 17. */
static inline size_t sy_lanes_blocks(const sy_lanes_form *form) {
    return (form->lead + SY_FRAME_LEN + 63) / 64;
}

#endif
