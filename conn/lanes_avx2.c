/* SPDX-License-Identifier: Apache-2.0 */
/* conn/lanes.h with AVX2: 16 blocks of key stream at once, each in a lane of 32 bits, in two
 * halves. They want more vector registers than there are, so Poly1305 runs beside them in the
 * general ones, frame by frame: a number of 130 bits as two words of 64 bits and a small one. */
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include <switchyard/assert.h>

#include "conn/lanes_internal.h"
#include "conn/lanes_poly.h"

#if SY_LANES_X86
#include <immintrin.h>

#define LANES         16 /* blocks at once */
#define HALF          8  /* of them in one vector */
#define DOUBLE_ROUNDS 10

_Static_assert(LANES / 2 <= DOUBLE_ROUNDS, "next_blocks_and_chunks fits");
_Static_assert(LANES == SY_LANES_FRAMES, "a lane for each frame");

/* Only then do the states of the ciphers stay in registers. */
#define INLINE SY_LANES_INLINE

/* And only then do the compilers see which word of a state is meant. */
#define UNROLL _Pragma("GCC unroll 16")

typedef __m256i v256;

/* Both ciphers keep a block as 16 words; lane l of word w is that word in block l, or 8 + l in the
 * second half.  Two halves at once, because one alone would wait for itself. */
typedef struct lane_state {
    v256 start[2][16];
    int counter;       /* index of the word that counts blocks */
    v256 counter_step; /* added to it for the next step */
} lane_state;

INLINE v256 load(const void *p) {
    return _mm256_loadu_si256(p);
}

INLINE v256 rotate(v256 x, int bits) {
    return _mm256_or_si256(_mm256_slli_epi32(x, bits), _mm256_srli_epi32(x, 32 - bits));
}

/* By whole bytes: one instruction instead of three. */
INLINE v256 rotate16(v256 x) {
    return _mm256_shuffle_epi8(x, _mm256_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3,
                                                  2, 13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0,
                                                  3, 2));
}

INLINE v256 rotate8(v256 x) {
    return _mm256_shuffle_epi8(x, _mm256_set_epi8(14, 13, 12, 15, 10, 9, 8, 11, 6, 5, 4, 7, 2, 1, 0,
                                                  3, 14, 13, 12, 15, 10, 9, 8, 11, 6, 5, 4, 7, 2, 1,
                                                  0, 3));
}

INLINE void chacha_quarter(v256 *a, v256 *b, v256 *c, v256 *d) {
    *a = _mm256_add_epi32(*a, *b);
    *d = rotate16(_mm256_xor_si256(*d, *a));
    *c = _mm256_add_epi32(*c, *d);
    *b = rotate(_mm256_xor_si256(*b, *c), 12);
    *a = _mm256_add_epi32(*a, *b);
    *d = rotate8(_mm256_xor_si256(*d, *a));
    *c = _mm256_add_epi32(*c, *d);
    *b = rotate(_mm256_xor_si256(*b, *c), 7);
}

INLINE void salsa_quarter(v256 *a, v256 *b, v256 *c, v256 *d) {
    *b = _mm256_xor_si256(*b, rotate(_mm256_add_epi32(*a, *d), 7));
    *c = _mm256_xor_si256(*c, rotate(_mm256_add_epi32(*b, *a), 9));
    *d = _mm256_xor_si256(*d, rotate(_mm256_add_epi32(*c, *b), 13));
    *a = _mm256_xor_si256(*a, rotate(_mm256_add_epi32(*d, *c), 18));
}

/* The words of the quarter rounds: four in columns, then four in diagonals or rows. */
static const uint8_t chacha_words[8][4] = {{0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14},
                                           {3, 7, 11, 15}, {0, 5, 10, 15}, {1, 6, 11, 12},
                                           {2, 7, 8, 13},  {3, 4, 9, 14}};
static const uint8_t salsa_words[8][4] = {{0, 4, 8, 12},  {5, 9, 13, 1},   {10, 14, 2, 6},
                                          {15, 3, 7, 11}, {0, 1, 2, 3},    {5, 6, 7, 4},
                                          {10, 11, 8, 9}, {15, 12, 13, 14}};

INLINE void quarter(bool salsa, v256 x[16], int i) {
    if (salsa) {
        const uint8_t *w = salsa_words[i];
        salsa_quarter(&x[w[0]], &x[w[1]], &x[w[2]], &x[w[3]]);
    } else {
        const uint8_t *w = chacha_words[i];
        chacha_quarter(&x[w[0]], &x[w[1]], &x[w[2]], &x[w[3]]);
    }
}

INLINE void double_round(bool salsa, v256 x[2][16]) {
    UNROLL
    for (int i = 0; i < 4; i++) {
        quarter(salsa, x[0], 2 * i);
        quarter(salsa, x[0], 2 * i + 1);
        quarter(salsa, x[1], 2 * i);
        quarter(salsa, x[1], 2 * i + 1);
    }
}

/* 8 words by 8 blocks -> a half of each block, 32 bytes in every other row. */
INLINE void transpose32(const v256 x[8], v256 *rows) {
    v256 u[8]; /* u[4q + j]: words 4q .. 4q+3 of the blocks j and 4+j */
    UNROLL
    for (int q = 0; q < 2; q++) {
        const v256 lo01 = _mm256_unpacklo_epi32(x[4 * q], x[4 * q + 1]);
        const v256 hi01 = _mm256_unpackhi_epi32(x[4 * q], x[4 * q + 1]);
        const v256 lo23 = _mm256_unpacklo_epi32(x[4 * q + 2], x[4 * q + 3]);
        const v256 hi23 = _mm256_unpackhi_epi32(x[4 * q + 2], x[4 * q + 3]);
        u[4 * q] = _mm256_unpacklo_epi64(lo01, lo23);
        u[4 * q + 1] = _mm256_unpackhi_epi64(lo01, lo23);
        u[4 * q + 2] = _mm256_unpacklo_epi64(hi01, hi23);
        u[4 * q + 3] = _mm256_unpackhi_epi64(hi01, hi23);
    }
    UNROLL
    for (int j = 0; j < 4; j++) {
        rows[2 * j] = _mm256_permute2x128_si256(u[j], u[4 + j], 0x20);
        rows[2 * (4 + j)] = _mm256_permute2x128_si256(u[j], u[4 + j], 0x31);
    }
}

/* How the lanes are shared out: lane l works on frame l % width, and in each step on block
 * l / width of the frame's next ones.  All are powers of two. */
typedef struct spread {
    size_t width;
    size_t blocks; /* LANES / width */
    unsigned log2_width;
} spread;

INLINE spread spread_of(size_t frames) {
    const unsigned log2_width = frames > 8 ? 4 : frames > 4 ? 3 : 2;
    return (spread){.width = (size_t)1 << log2_width,
                    .blocks = (size_t)LANES >> log2_width,
                    .log2_width = log2_width};
}

INLINE size_t frame_of(spread over, size_t lane) {
    return lane & (over.width - 1);
}

INLINE size_t block_of(spread over, size_t lane) {
    return lane >> over.log2_width;
}

static void start_lanes(lane_state *state, const sy_lanes_job *job, spread over, bool salsa) {
    sy_lanes_words words;
    uint32_t nonce_lo[LANES];
    uint32_t nonce_hi[LANES];
    uint32_t block[LANES];
    for (size_t l = 0; l < LANES; l++) {
        const size_t frame = frame_of(over, l) < job->frames ? frame_of(over, l) : 0;
        nonce_lo[l] = (uint32_t)job->nonce[frame];
        nonce_hi[l] = (uint32_t)(job->nonce[frame] >> 32);
        block[l] = (uint32_t)block_of(over, l);
    }
    sy_lanes_start(&words, job, salsa);
    for (int half = 0; half < 2; half++) {
        v256 *start = state->start[half];
        for (int i = 0; i < 16; i++) {
            start[i] = _mm256_set1_epi32((int)words.start[i]);
        }
        start[words.nonce] = load(nonce_lo + HALF * half);
        start[words.nonce + 1] = load(nonce_hi + HALF * half);
        start[words.counter] = load(block + HALF * half);
    }
    state->counter = words.counter;
    state->counter_step = _mm256_set1_epi32((int)over.blocks);
    sodium_memzero(&words, sizeof words);
}

/* The rounds work on a copy that no pointer leads to, or it would not stay in registers. */
INLINE void start_blocks(const lane_state *state, v256 x[2][16]) {
    UNROLL
    for (int i = 0; i < 16; i++) {
        x[0][i] = state->start[0][i];
        x[1][i] = state->start[1][i];
    }
}

/* Block l of the step is then in rows[2 * l] and the row behind it. */
INLINE void finish_blocks(lane_state *state, v256 x[2][16], v256 rows[2 * LANES]) {
    UNROLL
    for (int half = 0; half < 2; half++) {
        UNROLL
        for (int i = 0; i < 16; i++) {
            x[half][i] = _mm256_add_epi32(x[half][i], state->start[half][i]);
        }
        v256 *counter = &state->start[half][state->counter];
        *counter = _mm256_add_epi32(*counter, state->counter_step);
        transpose32(x[half], rows + 2 * HALF * half);
        transpose32(x[half] + 8, rows + 2 * HALF * half + 1);
    }
}

INLINE void next_blocks(lane_state *state, bool salsa, v256 rows[2 * LANES]) {
    v256 x[2][16];
    start_blocks(state, x);
    for (int i = 0; i < DOUBLE_ROUNDS; i++) {
        double_round(salsa, x);
    }
    finish_blocks(state, x, rows);
}

/* The authenticators of a job. */
typedef struct poly_job {
    sy_poly_frame frame[LANES];
    uint8_t keys[LANES][32];
    size_t frames;
    size_t at; /* bytes of each frame that are through */
} poly_job;

/* A double round, and 64 bytes of two frames.  The rounds wait for themselves and for the vector
 * units, the authenticators for the multiplier; the finer the mixture, the less they wait. */
INLINE void double_round_and_chunks(bool salsa, v256 x[2][16], sy_poly_frame frame[2], size_t at) {
    sy_poly_sum h[2] = {frame[0].h, frame[1].h};
    UNROLL
    for (int i = 0; i < 4; i++) {
        quarter(salsa, x[0], 2 * i);
        quarter(salsa, x[0], 2 * i + 1);
        sy_poly_full_block(&h[0], &frame[0], at + 16 * (size_t)i);
        quarter(salsa, x[1], 2 * i);
        quarter(salsa, x[1], 2 * i + 1);
        sy_poly_full_block(&h[1], &frame[1], at + 16 * (size_t)i);
    }
    frame[0].h = h[0];
    frame[1].h = h[1];
}

/* The next blocks, and as many bytes of each frame authenticated on the way. */
INLINE void next_blocks_and_chunks(lane_state *state, bool salsa, spread over, v256 rows[2 * LANES],
                                   poly_job *poly) {
    v256 x[2][16];
    start_blocks(state, x);
    for (size_t l = 0; l < LANES; l += 2) {
        double_round_and_chunks(salsa, x, &poly->frame[frame_of(over, l)],
                                poly->at + 64 * block_of(over, l));
    }
    for (int i = LANES / 2; i < DOUBLE_ROUNDS; i++) {
        double_round(salsa, x);
    }
    poly->at += 64 * over.blocks;
    finish_blocks(state, x, rows);
}

/* From the first block of each frame, once it is there. */
static void poly_job_start(poly_job *poly, const sy_lanes_form *form, size_t frames,
                           const v256 *rows, const uint8_t *sealed) {
    poly->frames = frames;
    poly->at = 0;
    for (size_t i = frames; i < LANES; i++) {
        /* Idle, but runs along. */
        poly->frame[i] = (sy_poly_frame){.cipher = sealed + form->cipher_at};
    }
    for (size_t i = 0; i < frames; i++) {
        _mm256_storeu_si256((void *)poly->keys[i], rows[2 * i]);
        sy_poly_start(&poly->frame[i], poly->keys[i], sealed + i * SY_SEALED_LEN + form->cipher_at);
    }
}

static void poly_job_finish(poly_job *poly, const sy_lanes_form *form, uint8_t ret_tags[][16]) {
    for (; poly->at + 16 <= SY_FRAME_LEN; poly->at += 16) {
        for (size_t i = 0; i < poly->frames; i++) {
            sy_poly_full_block(&poly->frame[i].h, &poly->frame[i], poly->at);
        }
    }
    for (size_t i = 0; i < poly->frames; i++) {
        sy_poly_tail(&poly->frame[i], form);
        sy_poly_finish(&poly->frame[i], poly->keys[i], ret_tags[i]);
    }
    sodium_memzero(poly, sizeof *poly);
}

/* Which of the 8 words at `shift` in a mask of 16 are in it, as a mask for loads and stores. */
INLINE v256 mask_of(uint16_t words, int shift) {
    const v256 bits = _mm256_set_epi32(128, 64, 32, 16, 8, 4, 2, 1);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(words >> shift), bits), bits);
}

/* Data and heads in, ciphertext out, of one block of one frame. */
INLINE void encrypt_part(const sy_lanes_block *where, const v256 *stream, const uint8_t *head,
                         const uint8_t *from, uint8_t *to) {
    const v256 word = _mm256_set1_epi32((int)sy_load_le(head, 4));
    for (int i = 0; i < 2; i++) {
        const v256 words = mask_of(where->words, 8 * i);
        const v256 data = _mm256_maskload_epi32((const void *)(from + 32 * i), words);
        const v256 plain = _mm256_blendv_epi8(data, word, mask_of(where->head, 8 * i));
        _mm256_maskstore_epi32((void *)(to + 32 * i), words, _mm256_xor_si256(plain, stream[i]));
    }
}

/* Ciphertext in, data and heads out. */
INLINE void decrypt_part(const sy_lanes_block *where, const v256 *stream, const uint8_t *from,
                         uint8_t *to, uint8_t ret_head[4]) {
    for (int i = 0; i < 2; i++) {
        const v256 words = mask_of(where->words, 8 * i);
        const v256 data = mask_of((uint16_t)(where->words & ~where->head), 8 * i);
        const v256 plain = _mm256_xor_si256(
            _mm256_maskload_epi32((const void *)(from + 32 * i), words), stream[i]);
        _mm256_maskstore_epi32((void *)(to + 32 * i), data, plain);
        /* The head is the first word of one of the halves. */
        if ((where->head >> 8 * i & 1) != 0) {
            const uint32_t word = (uint32_t)_mm256_cvtsi256_si32(plain);
            memcpy(ret_head, &word, sizeof word);
        }
    }
}

INLINE void apply(const v256 *stream, const uint8_t *from, uint8_t *to) {
    for (int i = 0; i < 2; i++) {
        _mm256_storeu_si256((void *)(to + 32 * i),
                            _mm256_xor_si256(load(from + 32 * i), stream[i]));
    }
}

/* Block `block` of each frame; ret_head as for run. */
INLINE void apply_rows(const sy_lanes_job *job, const sy_lanes_form *form, size_t block,
                       const v256 *rows, const uint8_t *from, uint8_t *to, uint8_t ret_head[][4]) {
    const sy_lanes_block where = sy_lanes_block_at(form, block);
    if (where.words == 0) {
        return;
    }
    const bool whole = where.words == 0xffff && where.head == 0;
    const bool sealing = ret_head == NULL;
    from += (sealing ? -4 : (ptrdiff_t)form->cipher_at) + where.at;
    to += (sealing ? (ptrdiff_t)form->cipher_at : -4) + where.at;
    for (size_t frame = 0; frame < job->frames; frame++) {
        const v256 *stream = rows + 2 * frame;
        if (whole) {
            apply(stream, from, to);
        } else if (sealing) {
            encrypt_part(&where, stream, job->head[frame], from, to);
        } else {
            decrypt_part(&where, stream, from, to, ret_head[frame]);
        }
        from += sealing ? SY_FRAME_DATA_MAX : SY_SEALED_LEN;
        to += sealing ? SY_SEALED_LEN : SY_FRAME_DATA_MAX;
    }
}

/* Applies the key stream to all blocks of a job and computes the tags.  ret_head is NULL for
 * sealing, from data areas to sealed frames, and takes the heads for opening, the other way.  From
 * the third step on ciphertext is complete, and authenticated on the way. */
INLINE void run(const sy_lanes_job *job, const sy_lanes_form *form, bool salsa, const uint8_t *from,
                uint8_t *to, uint8_t ret_head[][4], uint8_t ret_tags[][16]) {
    SY_ASSERT(job->frames >= 1 && job->frames <= SY_LANES_FRAMES);
    const spread over = spread_of(job->frames);
    const size_t blocks = sy_lanes_blocks(form);
    poly_job poly = {.frames = 0};
    lane_state state;
    v256 rows[2 * LANES];
    start_lanes(&state, job, over, salsa);
    for (size_t first = 0; first < blocks; first += over.blocks) {
        if (first >= 2 * over.blocks) {
            next_blocks_and_chunks(&state, salsa, over, rows, &poly);
        } else {
            next_blocks(&state, salsa, rows);
        }
        for (size_t l = 0; l < LANES && first + block_of(over, l) < blocks; l += over.width) {
            apply_rows(job, form, first + block_of(over, l), rows + 2 * l, from, to, ret_head);
        }
        if (first == 0) {
            poly_job_start(&poly, form, job->frames, rows, ret_head == NULL ? to : from);
        }
    }
    poly_job_finish(&poly, form, ret_tags);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(rows, sizeof rows);
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

/* Half of a state is always on the stack, where the compiler put it.  These have their own, which
 * their callers wipe when they have returned. */
#define OUTLINE static __attribute__((noinline))
#define STACK   8192

OUTLINE void chacha_seal_inner(const sy_lanes_job *job, const uint8_t *data, uint8_t *out) {
    seal(job, &sy_lanes_form_chacha, /* salsa= */ false, data, out);
}

OUTLINE size_t chacha_open_inner(sy_lanes_job *job, const uint8_t *in, uint8_t *data) {
    return open_frames(job, &sy_lanes_form_chacha, /* salsa= */ false, in, data);
}

OUTLINE void salsa_seal_inner(const sy_lanes_job *job, const uint8_t *data, uint8_t *out) {
    seal(job, &sy_lanes_form_salsa, /* salsa= */ true, data, out);
}

OUTLINE size_t salsa_open_inner(sy_lanes_job *job, const uint8_t *in, uint8_t *data) {
    return open_frames(job, &sy_lanes_form_salsa, /* salsa= */ true, in, data);
}

static void chacha_seal(const sy_lanes_job *job, const uint8_t *data, uint8_t *out) {
    chacha_seal_inner(job, data, out);
    sodium_stackzero(STACK);
}

static size_t chacha_open(sy_lanes_job *job, const uint8_t *in, uint8_t *data) {
    const size_t good = chacha_open_inner(job, in, data);
    sodium_stackzero(STACK);
    return good;
}

static void salsa_seal(const sy_lanes_job *job, const uint8_t *data, uint8_t *out) {
    salsa_seal_inner(job, data, out);
    sodium_stackzero(STACK);
}

static size_t salsa_open(sy_lanes_job *job, const uint8_t *in, uint8_t *data) {
    const size_t good = salsa_open_inner(job, in, data);
    sodium_stackzero(STACK);
    return good;
}

const sy_lanes sy_lanes_avx2 = {
    .name = "avx2",
    .frames_min = 3,
    .chacha20_poly1305 = {.seal = chacha_seal, .open = chacha_open},
    .salsa20_poly1305 = {.seal = salsa_seal, .open = salsa_open},
};
#endif
