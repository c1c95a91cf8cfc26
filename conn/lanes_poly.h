/* SPDX-License-Identifier: Apache-2.0 */
/* Poly1305 of one frame in general registers, for implementations of conn/lanes.h whose vector
 * registers are taken: a number of 130 bits as two words of 64 bits and a small one.  Internal to
 * them. */
#ifndef SY_CONN_LANES_POLY_H
#define SY_CONN_LANES_POLY_H

#include "conn/lanes_internal.h"

#if SY_LANES_X86
#include <immintrin.h>

__extension__ typedef unsigned __int128 sy_u128;

/* A number of 131 bits. */
typedef struct sy_poly_sum {
    sy_u128 low;
    uint64_t top; /* below 8 */
} sy_poly_sum;

/* Poly1305 of one frame. */
typedef struct sy_poly_frame {
    sy_poly_sum h;
    uint64_t r[2];
    uint64_t s1; /* 5/4 r1, which has no low bits: a product at 2^128 comes back as 2^-2 * 5 */
    const uint8_t *cipher;
} sy_poly_frame;

static inline void sy_poly_start(sy_poly_frame *poly, const uint8_t key[32],
                                 const uint8_t *cipher) {
    poly->h = (sy_poly_sum){.low = 0};
    poly->r[0] = sy_load_le(key, 8) & 0x0ffffffc0fffffff;
    poly->r[1] = sy_load_le(key + 8, 8) & 0x0ffffffc0ffffffc;
    poly->s1 = poly->r[1] + (poly->r[1] >> 2);
    poly->cipher = cipher;
}

/* Returns the carry; an intrinsic, because a comparison may become a branch. */
SY_LANES_INLINE uint64_t sy_poly_add(sy_u128 x, sy_u128 y, sy_u128 *ret_sum) {
    unsigned long long lo;
    unsigned long long hi;
    unsigned char carry = _addcarry_u64(0, (uint64_t)x, (uint64_t)y, &lo);
    carry = _addcarry_u64(carry, (uint64_t)(x >> 64), (uint64_t)(y >> 64), &hi);
    *ret_sum = (sy_u128)hi << 64 | lo;
    return carry;
}

/* h = (h + block) * r, where block has `top` for its bits from 128 on.  No sum of products
 * overflows: r and s1 are below 2^61. */
SY_LANES_INLINE void sy_poly_block(sy_poly_sum *h, const sy_poly_frame *poly, sy_u128 block,
                                   uint64_t top) {
    sy_u128 sum;
    const uint64_t carry = sy_poly_add(h->low, block, &sum);
    const uint64_t h0 = (uint64_t)sum;
    const uint64_t h1 = (uint64_t)(sum >> 64);
    const uint64_t h2 = h->top + top + carry;

    const sy_u128 d0 = (sy_u128)h0 * poly->r[0] + (sy_u128)h1 * poly->s1;
    sy_u128 d1 = (sy_u128)h0 * poly->r[1] + (sy_u128)h1 * poly->r[0];
    d1 += h2 * poly->s1 + (uint64_t)(d0 >> 64);
    const uint64_t d2 = h2 * poly->r[0] + (uint64_t)(d1 >> 64);

    /* What stands above 2^130 comes back times 5. */
    const uint64_t back = (d2 & ~UINT64_C(3)) + (d2 >> 2);
    const uint64_t over = sy_poly_add(d1 << 64 | (uint64_t)d0, back, &h->low);
    h->top = (d2 & 3) + over;
}

SY_LANES_INLINE sy_u128 sy_poly_load(const uint8_t *p) {
    return (sy_u128)sy_load_le(p + 8, 8) << 64 | sy_load_le(p, 8);
}

SY_LANES_INLINE void sy_poly_full_block(sy_poly_sum *h, const sy_poly_frame *poly, size_t at) {
    sy_poly_block(h, poly, sy_poly_load(poly->cipher + at), 1);
}

/* The last four bytes of a frame, and the block of lengths. */
static inline void sy_poly_tail(sy_poly_frame *poly, const sy_lanes_form *form) {
    const uint64_t last = sy_load_le(poly->cipher + SY_FRAME_LEN - 4, 4) | form->tail_end;
    sy_poly_block(&poly->h, poly, last, form->tail_top);
    if (form->lengths) {
        sy_poly_block(&poly->h, poly, (sy_u128)SY_FRAME_LEN << 64, 1);
    }
}

/* tag = (h mod p + s) mod 2^128; s is the second half of the key. */
static inline void sy_poly_finish(const sy_poly_frame *poly, const uint8_t key[32],
                                  uint8_t ret_tag[16]) {
    /* g = h + 5, which reaches 2^130 when h is not below p; h is below 2p. */
    sy_u128 g;
    const uint64_t carry = sy_poly_add(poly->h.low, 5, &g);
    const uint64_t g_top = poly->h.top + carry;
    const sy_u128 take = 0 - (sy_u128)(g_top >> 2); /* all ones: h >= p */
    const sy_u128 tag = ((poly->h.low & ~take) | (g & take)) + sy_poly_load(key + 16);
    memcpy(ret_tag, &tag, sizeof tag);
}

#endif
#endif
