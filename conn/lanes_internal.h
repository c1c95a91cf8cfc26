/* SPDX-License-Identifier: Apache-2.0 */
/* What the implementations of conn/lanes.h share.  Internal to them. */
#ifndef SY_CONN_LANES_INTERNAL_H
#define SY_CONN_LANES_INTERNAL_H

#include <stdbool.h>
#include <string.h>

#include "base/le.h"
#include "conn/lanes.h"

#if defined(__x86_64__)
#define SY_LANES_X86 1
extern const sy_lanes sy_lanes_avx512;
extern const sy_lanes sy_lanes_avx2;
#else
#define SY_LANES_X86 0
#endif

/* Inlined into all of a cipher, or the state of it does not stay in registers. */
#define SY_LANES_INLINE static inline __attribute__((always_inline))

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
SY_LANES_INLINE size_t sy_lanes_blocks(const sy_lanes_form *form) {
    return (form->lead + SY_FRAME_LEN + 63) / 64;
}

/* What a block of either cipher begins with, and which words differ from block to block. */
typedef struct sy_lanes_words {
    uint32_t start[16]; /* those of nonce and counter are 0 */
    int nonce;          /* index of the low word, the high one follows */
    int counter;        /* of the low word that counts blocks */
} sy_lanes_words;

static inline void sy_lanes_start(sy_lanes_words *words, const sy_lanes_job *job, bool salsa) {
    static const uint8_t sigma[16] = "expand 32-byte k";
    static const uint8_t chacha_key[8] = {4, 5, 6, 7, 8, 9, 10, 11};
    static const uint8_t salsa_key[8] = {1, 2, 3, 4, 11, 12, 13, 14};
    memset(words->start, 0, sizeof words->start);
    for (size_t i = 0; i < 4; i++) {
        words->start[salsa ? 5 * i : i] = (uint32_t)sy_load_le(sigma + 4 * i, 4);
    }
    for (size_t i = 0; i < 8; i++) {
        words->start[salsa ? salsa_key[i] : chacha_key[i]] =
            (uint32_t)sy_load_le(job->key + 4 * i, 4);
    }
    words->nonce = salsa ? 6 : 14;
    words->counter = salsa ? 8 : 12;
}

/* Which of the 16 words of a block belong to the frame, and which of them is its head. */
typedef struct sy_lanes_block {
    ptrdiff_t at; /* of word 0 in the frame; negative in front of it */
    uint16_t words;
    uint16_t head;
} sy_lanes_block;

SY_LANES_INLINE sy_lanes_block sy_lanes_block_at(const sy_lanes_form *form, size_t block) {
    const ptrdiff_t at = (ptrdiff_t)(64 * block) - (ptrdiff_t)form->lead;
    sy_lanes_block ret = {.at = at, .words = 0xffff, .head = 0};
    if (at <= -64 || at >= SY_FRAME_LEN) {
        ret.words = 0;
    } else if (at <= 0) {
        ret.words = (uint16_t)(0xffffu << (-at / 4));
        ret.head = (uint16_t)(1u << (-at / 4));
    } else if (at + 64 > SY_FRAME_LEN) {
        ret.words = (uint16_t)(0xffffu >> ((at + 64 - SY_FRAME_LEN) / 4));
    }
    return ret;
}

#endif
