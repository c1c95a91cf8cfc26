/* SPDX-License-Identifier: Apache-2.0 */
/* conn/lanes.h with AVX-512: 16 blocks of key stream at once, each in a lane of 32 bits; Poly1305
 * of 8 frames in lanes of 64 bits, numbers of 130 bits as limbs of 44, 44 and 42 bits (the 52-bit
 * multiplier of AVX-512 IFMA leaves room for sums of them). */
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include <switchyard/assert.h>

#include "conn/lanes_internal.h"

#if SY_LANES_X86
#include <immintrin.h>

#define LANES         16 /* blocks at once */
#define SET           8  /* frames whose Poly1305 runs side by side */
#define SETS          (SY_LANES_FRAMES / SET)
#define DOUBLE_ROUNDS 10

#define MASK44        ((UINT64_C(1) << 44) - 1)
#define MASK42        ((UINT64_C(1) << 42) - 1)

_Static_assert(SETS == 2 && 4 * SETS <= DOUBLE_ROUNDS, "next_blocks_and_chunk fits");

/* Only then do the states of the ciphers stay in registers. */
#define INLINE SY_LANES_INLINE

typedef __m512i v512;

/* Both ciphers keep a block as 16 words; lane l of word w is that word in block l. */
typedef struct lane_state {
    v512 start[16];
    int counter;       /* index of the word that counts blocks */
    v512 counter_step; /* added to it for the next step */
} lane_state;

INLINE v512 load(const void *p) {
    return _mm512_loadu_si512(p);
}

INLINE void chacha_quarter(v512 *a, v512 *b, v512 *c, v512 *d) {
    *a = _mm512_add_epi32(*a, *b);
    *d = _mm512_rol_epi32(_mm512_xor_si512(*d, *a), 16);
    *c = _mm512_add_epi32(*c, *d);
    *b = _mm512_rol_epi32(_mm512_xor_si512(*b, *c), 12);
    *a = _mm512_add_epi32(*a, *b);
    *d = _mm512_rol_epi32(_mm512_xor_si512(*d, *a), 8);
    *c = _mm512_add_epi32(*c, *d);
    *b = _mm512_rol_epi32(_mm512_xor_si512(*b, *c), 7);
}

INLINE void chacha_double_round(v512 x[16]) {
    chacha_quarter(&x[0], &x[4], &x[8], &x[12]);
    chacha_quarter(&x[1], &x[5], &x[9], &x[13]);
    chacha_quarter(&x[2], &x[6], &x[10], &x[14]);
    chacha_quarter(&x[3], &x[7], &x[11], &x[15]);
    chacha_quarter(&x[0], &x[5], &x[10], &x[15]);
    chacha_quarter(&x[1], &x[6], &x[11], &x[12]);
    chacha_quarter(&x[2], &x[7], &x[8], &x[13]);
    chacha_quarter(&x[3], &x[4], &x[9], &x[14]);
}

INLINE void salsa_quarter(v512 *a, v512 *b, v512 *c, v512 *d) {
    *b = _mm512_xor_si512(*b, _mm512_rol_epi32(_mm512_add_epi32(*a, *d), 7));
    *c = _mm512_xor_si512(*c, _mm512_rol_epi32(_mm512_add_epi32(*b, *a), 9));
    *d = _mm512_xor_si512(*d, _mm512_rol_epi32(_mm512_add_epi32(*c, *b), 13));
    *a = _mm512_xor_si512(*a, _mm512_rol_epi32(_mm512_add_epi32(*d, *c), 18));
}

INLINE void salsa_double_round(v512 x[16]) {
    salsa_quarter(&x[0], &x[4], &x[8], &x[12]);
    salsa_quarter(&x[5], &x[9], &x[13], &x[1]);
    salsa_quarter(&x[10], &x[14], &x[2], &x[6]);
    salsa_quarter(&x[15], &x[3], &x[7], &x[11]);
    salsa_quarter(&x[0], &x[1], &x[2], &x[3]);
    salsa_quarter(&x[5], &x[6], &x[7], &x[4]);
    salsa_quarter(&x[10], &x[11], &x[8], &x[9]);
    salsa_quarter(&x[15], &x[12], &x[13], &x[14]);
}

/* 16 words by 16 blocks -> 16 blocks of 64 bytes, in place. */
INLINE void transpose32(v512 x[16]) {
    v512 u[16]; /* u[4q + j]: words 4q .. 4q+3 of the blocks j, 4+j, 8+j, 12+j */
    for (int q = 0; q < 4; q++) {
        const v512 lo01 = _mm512_unpacklo_epi32(x[4 * q], x[4 * q + 1]);
        const v512 hi01 = _mm512_unpackhi_epi32(x[4 * q], x[4 * q + 1]);
        const v512 lo23 = _mm512_unpacklo_epi32(x[4 * q + 2], x[4 * q + 3]);
        const v512 hi23 = _mm512_unpackhi_epi32(x[4 * q + 2], x[4 * q + 3]);
        u[4 * q] = _mm512_unpacklo_epi64(lo01, lo23);
        u[4 * q + 1] = _mm512_unpackhi_epi64(lo01, lo23);
        u[4 * q + 2] = _mm512_unpacklo_epi64(hi01, hi23);
        u[4 * q + 3] = _mm512_unpackhi_epi64(hi01, hi23);
    }
    for (int j = 0; j < 4; j++) {
        const v512 even01 = _mm512_shuffle_i32x4(u[j], u[4 + j], 0x88);
        const v512 odd01 = _mm512_shuffle_i32x4(u[j], u[4 + j], 0xdd);
        const v512 even23 = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0x88);
        const v512 odd23 = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0xdd);
        x[j] = _mm512_shuffle_i32x4(even01, even23, 0x88);
        x[4 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
        x[8 + j] = _mm512_shuffle_i32x4(even01, even23, 0xdd);
        x[12 + j] = _mm512_shuffle_i32x4(odd01, odd23, 0xdd);
    }
}

/* Lane l works on frame l % width and begins at block l / width. */
static void start_lanes(lane_state *state, const sy_lanes_job *job, size_t width, bool salsa) {
    sy_lanes_words words;
    uint32_t nonce_lo[LANES];
    uint32_t nonce_hi[LANES];
    uint32_t block[LANES];
    for (size_t l = 0; l < LANES; l++) {
        const size_t frame = l % width < job->frames ? l % width : 0;
        nonce_lo[l] = (uint32_t)job->nonce[frame];
        nonce_hi[l] = (uint32_t)(job->nonce[frame] >> 32);
        block[l] = (uint32_t)(l / width);
    }
    sy_lanes_start(&words, job, salsa);
    for (int i = 0; i < 16; i++) {
        state->start[i] = _mm512_set1_epi32((int)words.start[i]);
    }
    state->start[words.nonce] = load(nonce_lo);
    state->start[words.nonce + 1] = load(nonce_hi);
    state->start[words.counter] = load(block);
    state->counter = words.counter;
    state->counter_step = _mm512_set1_epi32((int)(LANES / width));
    sodium_memzero(&words, sizeof words);
}

typedef struct poly_keys {
    uint8_t frame[SY_LANES_FRAMES][32];
} poly_keys;

/* Poly1305 of SET frames: limbs of 44, 44 and 42 bits. */
typedef struct poly_set {
    v512 h[3];
    v512 r[3];
    v512 s[3]; /* 20 r: a product at 2^132 comes back as 4 * 5 */
    const uint8_t *cipher[SET];
} poly_set;

/* Word `at` of the keys of SET frames from `first` on, one frame per lane. */
INLINE v512 key_words(const poly_keys *keys, size_t first, size_t at) {
    uint64_t words[SET];
    for (size_t i = 0; i < SET; i++) {
        memcpy(&words[i], keys->frame[first + i] + 8 * at, sizeof words[i]);
    }
    const v512 ret = load(words);
    sodium_memzero(words, sizeof words);
    return ret;
}

static void poly_start(poly_set *set, const poly_keys *keys, size_t first) {
    const v512 lo =
        _mm512_and_si512(key_words(keys, first, 0), _mm512_set1_epi64(0x0ffffffc0fffffff));
    const v512 hi =
        _mm512_and_si512(key_words(keys, first, 1), _mm512_set1_epi64(0x0ffffffc0ffffffc));
    const v512 mask = _mm512_set1_epi64(MASK44);
    set->r[0] = _mm512_and_si512(lo, mask);
    set->r[1] = _mm512_and_si512(
        _mm512_or_si512(_mm512_srli_epi64(lo, 44), _mm512_slli_epi64(hi, 20)), mask);
    set->r[2] = _mm512_srli_epi64(hi, 24);
    for (int i = 0; i < 3; i++) {
        set->s[i] =
            _mm512_add_epi64(_mm512_slli_epi64(set->r[i], 4), _mm512_slli_epi64(set->r[i], 2));
        set->h[i] = _mm512_setzero_si512();
    }
}

/* h = (h + block) * r, where block is lo + hi * 2^64 + top * 2^128. */
INLINE void poly_block(poly_set *set, v512 lo, v512 hi, v512 top_shifted) {
    const v512 mask44 = _mm512_set1_epi64(MASK44);
    const v512 mask42 = _mm512_set1_epi64(MASK42);
    const v512 zero = _mm512_setzero_si512();
    const v512 *r = set->r;
    const v512 *s = set->s;
    const v512 h0 = _mm512_add_epi64(set->h[0], _mm512_and_si512(lo, mask44));
    const v512 h1 = _mm512_add_epi64(
        set->h[1],
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(lo, 44), _mm512_slli_epi64(hi, 20)),
                         mask44));
    const v512 h2 =
        _mm512_add_epi64(set->h[2], _mm512_or_si512(_mm512_srli_epi64(hi, 24), top_shifted));

    v512 lo0 = _mm512_madd52lo_epu64(zero, h0, r[0]);
    v512 lo1 = _mm512_madd52lo_epu64(zero, h0, r[1]);
    v512 lo2 = _mm512_madd52lo_epu64(zero, h0, r[2]);
    v512 hi0 = _mm512_madd52hi_epu64(zero, h0, r[0]);
    v512 hi1 = _mm512_madd52hi_epu64(zero, h0, r[1]);
    v512 hi2 = _mm512_madd52hi_epu64(zero, h0, r[2]);
    lo0 = _mm512_madd52lo_epu64(lo0, h1, s[2]);
    lo1 = _mm512_madd52lo_epu64(lo1, h1, r[0]);
    lo2 = _mm512_madd52lo_epu64(lo2, h1, r[1]);
    hi0 = _mm512_madd52hi_epu64(hi0, h1, s[2]);
    hi1 = _mm512_madd52hi_epu64(hi1, h1, r[0]);
    hi2 = _mm512_madd52hi_epu64(hi2, h1, r[1]);
    lo0 = _mm512_madd52lo_epu64(lo0, h2, s[1]);
    lo1 = _mm512_madd52lo_epu64(lo1, h2, s[2]);
    lo2 = _mm512_madd52lo_epu64(lo2, h2, r[0]);
    hi0 = _mm512_madd52hi_epu64(hi0, h2, s[1]);
    hi1 = _mm512_madd52hi_epu64(hi1, h2, s[2]);
    hi2 = _mm512_madd52hi_epu64(hi2, h2, r[0]);

    v512 carry = _mm512_add_epi64(_mm512_srli_epi64(lo0, 44), _mm512_slli_epi64(hi0, 8));
    lo0 = _mm512_and_si512(lo0, mask44);
    lo1 = _mm512_add_epi64(lo1, carry);
    carry = _mm512_add_epi64(_mm512_srli_epi64(lo1, 44), _mm512_slli_epi64(hi1, 8));
    lo1 = _mm512_and_si512(lo1, mask44);
    lo2 = _mm512_add_epi64(lo2, carry);
    carry = _mm512_add_epi64(_mm512_srli_epi64(lo2, 42), _mm512_slli_epi64(hi2, 10));
    set->h[2] = _mm512_and_si512(lo2, mask42);
    lo0 = _mm512_add_epi64(lo0, _mm512_add_epi64(carry, _mm512_slli_epi64(carry, 2)));
    set->h[0] = _mm512_and_si512(lo0, mask44);
    set->h[1] = _mm512_add_epi64(lo1, _mm512_srli_epi64(lo0, 44));
}

/* 64 bytes of each frame, as the words of four blocks. */
INLINE void poly_words(const poly_set *set, size_t at, v512 word[SET]) {
    v512 pair[SET]; /* pair[2i], pair[2i+1]: even and odd words of the frames 2i and 2i+1 */
    for (int i = 0; i < SET; i += 2) {
        const v512 a = load(set->cipher[i] + at);
        const v512 b = load(set->cipher[i + 1] + at);
        pair[i] = _mm512_unpacklo_epi64(a, b);
        pair[i + 1] = _mm512_unpackhi_epi64(a, b);
    }
    for (int odd = 0; odd < 2; odd++) {
        const v512 a0 = _mm512_shuffle_i64x2(pair[odd], pair[2 + odd], 0x88);
        const v512 a1 = _mm512_shuffle_i64x2(pair[odd], pair[2 + odd], 0xdd);
        const v512 b0 = _mm512_shuffle_i64x2(pair[4 + odd], pair[6 + odd], 0x88);
        const v512 b1 = _mm512_shuffle_i64x2(pair[4 + odd], pair[6 + odd], 0xdd);
        word[odd] = _mm512_shuffle_i64x2(a0, b0, 0x88);
        word[2 + odd] = _mm512_shuffle_i64x2(a1, b1, 0x88);
        word[4 + odd] = _mm512_shuffle_i64x2(a0, b0, 0xdd);
        word[6 + odd] = _mm512_shuffle_i64x2(a1, b1, 0xdd);
    }
}

INLINE void poly_full_block(poly_set *set, const v512 word[SET], int block) {
    poly_block(set, word[2 * block], word[2 * block + 1], _mm512_set1_epi64(INT64_C(1) << 40));
}

INLINE void poly_chunk(poly_set *set, size_t at) {
    v512 word[SET];
    poly_words(set, at, word);
    for (int i = 0; i < 4; i++) {
        poly_full_block(set, word, i);
    }
}

/* The last four bytes of each frame, and the block of lengths. */
static void poly_tail(poly_set *set, const sy_lanes_form *form) {
    uint64_t last[SET];
    for (size_t i = 0; i < SET; i++) {
        last[i] = sy_load_le(set->cipher[i] + SY_FRAME_LEN - 4, 4) | form->tail_end;
    }
    poly_block(set, load(last), _mm512_setzero_si512(),
               _mm512_set1_epi64((int64_t)(form->tail_top << 40)));
    if (form->lengths) {
        poly_block(set, _mm512_setzero_si512(), _mm512_set1_epi64(SY_FRAME_LEN),
                   _mm512_set1_epi64(INT64_C(1) << 40));
    }
}

/* Carries once around; the limbs then fit, but h may still be p or a little more. */
INLINE void poly_settle(v512 h[3]) {
    const v512 mask44 = _mm512_set1_epi64(MASK44);
    h[1] = _mm512_add_epi64(h[1], _mm512_srli_epi64(h[0], 44));
    h[0] = _mm512_and_si512(h[0], mask44);
    h[2] = _mm512_add_epi64(h[2], _mm512_srli_epi64(h[1], 44));
    h[1] = _mm512_and_si512(h[1], mask44);
    const v512 carry = _mm512_srli_epi64(h[2], 42);
    h[2] = _mm512_and_si512(h[2], _mm512_set1_epi64(MASK42));
    h[0] = _mm512_add_epi64(h[0], _mm512_add_epi64(carry, _mm512_slli_epi64(carry, 2)));
}

/* tag = (h mod p + s) mod 2^128. */
static void poly_finish(poly_set *set, const poly_keys *keys, size_t first,
                        uint8_t ret_tags[SET][16]) {
    v512 *h = set->h;
    poly_settle(h);
    poly_settle(h);
    const v512 mask44 = _mm512_set1_epi64(MASK44);
    h[1] = _mm512_add_epi64(h[1], _mm512_srli_epi64(h[0], 44));
    h[0] = _mm512_and_si512(h[0], mask44);

    /* g = h + 5 - 2^130; it is taken when it is not negative. */
    v512 g0 = _mm512_add_epi64(h[0], _mm512_set1_epi64(5));
    v512 g1 = _mm512_add_epi64(h[1], _mm512_srli_epi64(g0, 44));
    const v512 g2 = _mm512_sub_epi64(_mm512_add_epi64(h[2], _mm512_srli_epi64(g1, 44)),
                                     _mm512_set1_epi64(INT64_C(1) << 42));
    g0 = _mm512_and_si512(g0, mask44);
    g1 = _mm512_and_si512(g1, mask44);
    const v512 keep = _mm512_srai_epi64(g2, 63); /* all ones: h < p */
    for (int i = 0; i < 3; i++) {
        const v512 g = i == 0 ? g0 : i == 1 ? g1 : g2;
        h[i] = _mm512_or_si512(_mm512_and_si512(keep, h[i]), _mm512_andnot_si512(keep, g));
    }

    const v512 lo = _mm512_or_si512(h[0], _mm512_slli_epi64(h[1], 44));
    const v512 hi = _mm512_or_si512(_mm512_srli_epi64(h[1], 20), _mm512_slli_epi64(h[2], 24));
    const v512 sum_lo = _mm512_add_epi64(lo, key_words(keys, first, 2));
    const __mmask8 carry = _mm512_cmplt_epu64_mask(sum_lo, lo);
    v512 sum_hi = _mm512_add_epi64(hi, key_words(keys, first, 3));
    sum_hi = _mm512_mask_add_epi64(sum_hi, carry, sum_hi, _mm512_set1_epi64(1));

    const v512 first_four = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const v512 last_four = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    _mm512_storeu_si512(ret_tags[0], _mm512_permutex2var_epi64(sum_lo, first_four, sum_hi));
    _mm512_storeu_si512(ret_tags[4], _mm512_permutex2var_epi64(sum_lo, last_four, sum_hi));
}

INLINE void double_round(bool salsa, v512 x[16]) {
    if (salsa) {
        salsa_double_round(x);
    } else {
        chacha_double_round(x);
    }
}

INLINE void finish_blocks(lane_state *state, v512 x[16]) {
    for (int i = 0; i < 16; i++) {
        x[i] = _mm512_add_epi32(x[i], state->start[i]);
    }
    state->start[state->counter] =
        _mm512_add_epi32(state->start[state->counter], state->counter_step);
    transpose32(x);
}

INLINE void next_blocks(lane_state *state, bool salsa, v512 x[16]) {
    memcpy(x, state->start, sizeof state->start);
    for (int i = 0; i < DOUBLE_ROUNDS; i++) {
        double_round(salsa, x);
    }
    finish_blocks(state, x);
}

/* The same, with 64 bytes of each frame of both sets authenticated on the way: the rounds wait for
 * themselves most of the time, and the multiplications fit in between. */
INLINE void next_blocks_and_chunk(lane_state *state, bool salsa, v512 x[16], poly_set set[SETS],
                                  size_t at) {
    v512 word[SETS][SET];
    for (int i = 0; i < SETS; i++) {
        poly_words(&set[i], at, word[i]);
    }
    memcpy(x, state->start, sizeof state->start);
    for (int i = 0; i < 4; i++) {
        double_round(salsa, x);
        poly_full_block(&set[0], word[0], i);
        double_round(salsa, x);
        poly_full_block(&set[1], word[1], i);
    }
    double_round(salsa, x);
    double_round(salsa, x);
    finish_blocks(state, x);
}

/* From the first block of each frame. */
INLINE void keep_keys(poly_keys *keys, const v512 *rows, size_t frames) {
    for (size_t i = 0; i < frames; i++) {
        _mm256_storeu_si256((void *)keys->frame[i], _mm512_castsi512_si256(rows[i]));
    }
}

INLINE size_t width_of(size_t frames) {
    return frames > 8 ? 16 : frames > 4 ? 8 : 4;
}

/* The authenticators of a job. */
typedef struct poly_job {
    poly_set set[SETS];
    poly_keys keys;
    size_t sets; /* in use */
    size_t at;   /* bytes of each frame that are through */
} poly_job;

/* Once the keys are there. */
static void poly_job_start(poly_job *poly, const sy_lanes_form *form, size_t frames,
                           const uint8_t *sealed) {
    poly->sets = frames > SET ? SETS : 1;
    poly->at = 0;
    for (size_t i = 0; i < poly->sets; i++) {
        for (size_t l = 0; l < SET; l++) {
            const size_t frame = i * SET + l < frames ? i * SET + l : 0;
            poly->set[i].cipher[l] = sealed + frame * SY_SEALED_LEN + form->cipher_at;
        }
        poly_start(&poly->set[i], &poly->keys, i * SET);
    }
}

static void poly_job_finish(poly_job *poly, const sy_lanes_form *form, uint8_t ret_tags[][16]) {
    for (; poly->at + 64 <= SY_FRAME_LEN; poly->at += 64) {
        for (size_t i = 0; i < poly->sets; i++) {
            poly_chunk(&poly->set[i], poly->at);
        }
    }
    for (size_t i = 0; i < poly->sets; i++) {
        poly_tail(&poly->set[i], form);
        poly_finish(&poly->set[i], &poly->keys, i * SET, ret_tags + i * SET);
    }
    sodium_memzero(poly, sizeof *poly);
}

/* The blocks from `first` on.  When each lane has a frame of its own, 64 bytes of each are
 * authenticated on the way: those that were complete when the blocks before were applied. */
INLINE void step(lane_state *state, bool salsa, size_t width, size_t first, poly_job *poly,
                 v512 x[16]) {
    if (width == LANES && first >= 2) {
        next_blocks_and_chunk(state, salsa, x, poly->set, poly->at);
        poly->at += 64;
    } else {
        next_blocks(state, salsa, x);
    }
}

/* Data and heads in, ciphertext out: one block of key stream per row, a row for each frame. */
INLINE void encrypt_rows(const sy_lanes_job *job, const sy_lanes_form *form, size_t block,
                         const v512 *rows, const uint8_t *data, uint8_t *out) {
    const sy_lanes_block where = sy_lanes_block_at(form, block);
    for (size_t frame = 0; frame < job->frames; frame++) {
        const uint8_t *from = data + frame * SY_FRAME_DATA_MAX - 4 + where.at;
        uint8_t *to = out + frame * SY_SEALED_LEN + form->cipher_at + where.at;
        v512 plain = _mm512_maskz_loadu_epi32(where.words, from);
        if (where.head != 0) {
            plain = _mm512_mask_set1_epi32(plain, where.head, (int)sy_load_le(job->head[frame], 4));
        }
        _mm512_mask_storeu_epi32(to, where.words, _mm512_xor_si512(plain, rows[frame]));
    }
}

/* Ciphertext in, data and heads out. */
INLINE void decrypt_rows(const sy_lanes_job *job, const sy_lanes_form *form, size_t block,
                         const v512 *rows, const uint8_t *in, uint8_t *data,
                         uint8_t ret_head[][4]) {
    const sy_lanes_block where = sy_lanes_block_at(form, block);
    const __mmask16 words = (__mmask16)(where.words & ~where.head);
    for (size_t frame = 0; frame < job->frames; frame++) {
        const uint8_t *from = in + frame * SY_SEALED_LEN + form->cipher_at + where.at;
        uint8_t *to = data + frame * SY_FRAME_DATA_MAX - 4 + where.at;
        const v512 plain =
            _mm512_xor_si512(_mm512_maskz_loadu_epi32(where.words, from), rows[frame]);
        _mm512_mask_storeu_epi32(to, words, plain);
        if (where.head != 0) {
            const v512 head = _mm512_maskz_compress_epi32(where.head, plain);
            const uint32_t word = (uint32_t)_mm512_cvtsi512_si32(head);
            memcpy(ret_head[frame], &word, sizeof word);
        }
    }
}

/* Applies the key stream to all blocks of a job and computes the tags.  ret_head is NULL for
 * sealing, from data areas to sealed frames, and takes the heads for opening, the other way. */
INLINE void run(const sy_lanes_job *job, const sy_lanes_form *form, bool salsa, const uint8_t *from,
                uint8_t *to, uint8_t ret_head[][4], uint8_t ret_tags[][16]) {
    SY_ASSERT(job->frames >= 1 && job->frames <= SY_LANES_FRAMES);
    const size_t width = width_of(job->frames);
    const size_t blocks = sy_lanes_blocks(form);
    poly_job poly = {.sets = 0};
    lane_state state;
    v512 x[LANES];
    start_lanes(&state, job, width, salsa);
    for (size_t first = 0; first < blocks; first += LANES / width) {
        step(&state, salsa, width, first, &poly, x);
        for (size_t l = 0; l < LANES && first + l / width < blocks; l += width) {
            if (ret_head == NULL) {
                encrypt_rows(job, form, first + l / width, x + l, from, to);
            } else {
                decrypt_rows(job, form, first + l / width, x + l, from, to, ret_head);
            }
        }
        if (first == 0) {
            keep_keys(&poly.keys, x, job->frames);
            poly_job_start(&poly, form, job->frames, ret_head == NULL ? to : from);
        }
    }
    poly_job_finish(&poly, form, ret_tags);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(x, sizeof x);
}

INLINE void seal(const sy_lanes_job *job, const sy_lanes_form *form, bool salsa,
                 const uint8_t *data, uint8_t *out) {
    uint8_t tags[SY_LANES_FRAMES][16];
    run(job, form, salsa, data, out, /* ret_head= */ NULL, tags);
    for (size_t i = 0; i < job->frames; i++) {
        memcpy(out + i * SY_SEALED_LEN + form->tag_at, tags[i], sizeof tags[i]);
    }
}

INLINE size_t open_frames(sy_lanes_job *job, const sy_lanes_form *form, bool salsa,
                          const uint8_t *in, uint8_t *data) {
    uint8_t tags[SY_LANES_FRAMES][16];
    run(job, form, salsa, in, data, job->head, tags);
    size_t good = 0;
    while (good < job->frames &&
           crypto_verify_16(tags[good], in + good * SY_SEALED_LEN + form->tag_at) == 0) {
        good++;
    }
    sodium_memzero(data + good * SY_FRAME_DATA_MAX, (job->frames - good) * SY_FRAME_DATA_MAX);
    sodium_memzero(tags, sizeof tags);
    return good;
}

static void chacha_seal(const sy_lanes_job *job, const uint8_t *data, uint8_t *out) {
    seal(job, &sy_lanes_form_chacha, /* salsa= */ false, data, out);
}

static size_t chacha_open(sy_lanes_job *job, const uint8_t *in, uint8_t *data) {
    return open_frames(job, &sy_lanes_form_chacha, /* salsa= */ false, in, data);
}

static void salsa_seal(const sy_lanes_job *job, const uint8_t *data, uint8_t *out) {
    seal(job, &sy_lanes_form_salsa, /* salsa= */ true, data, out);
}

static size_t salsa_open(sy_lanes_job *job, const uint8_t *in, uint8_t *data) {
    return open_frames(job, &sy_lanes_form_salsa, /* salsa= */ true, in, data);
}

const sy_lanes sy_lanes_avx512 = {
    .name = "avx512",
    .frames_min = 3,
    .chacha20_poly1305 = {.seal = chacha_seal, .open = chacha_open},
    .salsa20_poly1305 = {.seal = salsa_seal, .open = salsa_open},
};
#endif
