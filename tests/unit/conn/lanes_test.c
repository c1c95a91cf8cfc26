/* SPDX-License-Identifier: Apache-2.0 */
/* Several frames at once against OpenSSL and libsodium one by one, byte for byte: every
 * implementation that this processor runs, every number of frames, random keys, nonces and data,
 * and a spoilt frame at each place.  Passes without a word where the processor runs none
 * (valgrind's has AVX2 and no AVX-512).  SPEC-TEST CC-14 STS-12 */
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include "base/prng.h"
#include "conn/lanes.h"

#define ROUNDS   40
#define IN_FRONT 64
#define DATA_LEN (SY_LANES_FRAMES * SY_FRAME_DATA_MAX)
#define WIRE_LEN (SY_LANES_FRAMES * SY_SEALED_LEN)

typedef struct rig {
    sy_prng prng;
    uint8_t key[32];
    uint8_t nonce_head[16]; /* of secretbox: what the frames share */
    uint8_t subkey[32];
    sy_lanes_job job;
    uint8_t data[IN_FRONT + DATA_LEN];
    uint8_t wire[WIRE_LEN + 1];
    uint8_t back[IN_FRONT + DATA_LEN + 1];
} rig;

static void fill(rig *r, void *data, size_t len) {
    uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)sy_prng_next(&r->prng);
    }
}

static void draw(rig *r, size_t frames) {
    fill(r, r->key, sizeof r->key);
    fill(r, r->nonce_head, sizeof r->nonce_head);
    (void)crypto_core_hsalsa20(r->subkey, r->nonce_head, r->key, NULL);
    fill(r, &r->job, sizeof r->job);
    fill(r, r->data, sizeof r->data);
    r->job.frames = frames;
}

static void plain_frame(const rig *r, size_t i, uint8_t ret_frame[SY_FRAME_LEN]) {
    memcpy(ret_frame, r->job.head[i], 4);
    memcpy(ret_frame + 4, r->data + IN_FRONT + i * SY_FRAME_DATA_MAX, SY_FRAME_DATA_MAX);
}

static void chacha_reference(const rig *r, size_t i, uint8_t ret_sealed[SY_SEALED_LEN]) {
    uint8_t frame[SY_FRAME_LEN];
    uint8_t nonce[12] = {0};
    int len = 0;
    plain_frame(r, i, frame);
    for (unsigned b = 0; b < 8; b++) {
        nonce[4 + b] = (uint8_t)(r->job.nonce[i] >> 8 * b);
    }
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    cr_assert_eq(EVP_EncryptInit_ex2(ctx, EVP_chacha20_poly1305(), r->key, nonce, NULL), 1);
    cr_assert_eq(EVP_EncryptUpdate(ctx, ret_sealed, &len, frame, sizeof frame), 1);
    cr_assert_eq(EVP_EncryptFinal_ex(ctx, ret_sealed + len, &len), 1);
    cr_assert_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, ret_sealed + sizeof frame), 1);
    EVP_CIPHER_CTX_free(ctx);
}

static void salsa_reference(const rig *r, size_t i, uint8_t ret_sealed[SY_SEALED_LEN]) {
    uint8_t frame[SY_FRAME_LEN];
    uint8_t nonce[24];
    plain_frame(r, i, frame);
    memcpy(nonce, r->nonce_head, 16);
    for (unsigned b = 0; b < 8; b++) {
        nonce[16 + b] = (uint8_t)(r->job.nonce[i] >> 8 * b);
    }
    (void)crypto_secretbox_easy(ret_sealed, frame, sizeof frame, nonce, r->key);
}

typedef struct cipher_row {
    const char *name;
    bool salsa;
    void (*reference)(const rig *r, size_t i, uint8_t ret_sealed[SY_SEALED_LEN]);
} cipher_row;

static const cipher_row cipher_rows[] = {
    {"ChaCha20-Poly1305", false, chacha_reference},
    {"XSalsa20-Poly1305", true, salsa_reference},
};

static const sy_lanes_cipher *choose(rig *r, const sy_lanes *lanes, const cipher_row *row) {
    r->job.key = row->salsa ? r->subkey : r->key;
    return row->salsa ? &lanes->salsa20_poly1305 : &lanes->chacha20_poly1305;
}

static void check_seal(rig *r, const sy_lanes *lanes, const cipher_row *row) {
    const sy_lanes_cipher *cipher = choose(r, lanes, row);
    const size_t frames = r->job.frames;
    memset(r->wire, 0xdd, sizeof r->wire);
    cipher->seal(&r->job, r->data + IN_FRONT, r->wire);
    for (size_t i = 0; i < frames; i++) {
        uint8_t want[SY_SEALED_LEN];
        row->reference(r, i, want);
        cr_assert_eq(memcmp(r->wire + i * SY_SEALED_LEN, want, sizeof want), 0,
                     "%s, %s: frame %zu of %zu differs", lanes->name, row->name, i, frames);
    }
    cr_assert_eq(r->wire[frames * SY_SEALED_LEN], 0xdd, "%s: wrote behind the end", row->name);
}

/* bad == frames: none is spoilt. */
static void check_open(rig *r, const sy_lanes *lanes, const cipher_row *row, size_t bad) {
    const sy_lanes_cipher *cipher = choose(r, lanes, row);
    const size_t frames = r->job.frames;
    const size_t at = bad * SY_SEALED_LEN + sy_prng_below(&r->prng, SY_SEALED_LEN);
    const uint8_t bit = (uint8_t)(1u << sy_prng_below(&r->prng, 8));
    sy_lanes_job job = r->job;
    memset(job.head, 0, sizeof job.head);
    memset(r->back, 0xdd, sizeof r->back);
    if (bad < frames) {
        r->wire[at] ^= bit;
    }
    uint8_t *back = r->back + IN_FRONT;
    cr_assert_eq(cipher->open(&job, r->wire, back), bad, "%s, %s: byte %zu of %zu frames",
                 lanes->name, row->name, at, frames);
    if (bad < frames) {
        r->wire[at] ^= bit;
    }
    cr_assert_eq(memcmp(back, r->data + IN_FRONT, bad * SY_FRAME_DATA_MAX), 0);
    cr_assert_eq(memcmp(job.head, r->job.head, bad * 4), 0);
    cr_assert(sodium_is_zero(back + bad * SY_FRAME_DATA_MAX, (frames - bad) * SY_FRAME_DATA_MAX),
              "%s: plaintext of a spoilt frame was left", row->name);
    cr_assert_eq(back[frames * SY_FRAME_DATA_MAX], 0xdd);
    cr_assert_eq(back[-1], 0xdd);
}

/* Each implementation that this processor runs. */
static void for_each_lanes(void (*check)(const sy_lanes *lanes)) {
    cr_assert_geq(sodium_init(), 0);
    for (size_t i = 0; sy_lanes_at(i) != NULL; i++) {
        check(sy_lanes_at(i));
    }
}

static void check_equal_the_libraries(const sy_lanes *lanes) {
    static rig r;
    sy_prng_init(&r.prng, 11);
    for (size_t n = 0; n < ROUNDS; n++) {
        for (size_t frames = 1; frames <= SY_LANES_FRAMES; frames++) {
            draw(&r, frames);
            for (size_t c = 0; c < sizeof cipher_rows / sizeof cipher_rows[0]; c++) {
                check_seal(&r, lanes, &cipher_rows[c]);
                check_open(&r, lanes, &cipher_rows[c], frames);
                check_open(&r, lanes, &cipher_rows[c], sy_prng_below(&r.prng, (uint32_t)frames));
            }
        }
    }
}

Test(lanes, equal_the_libraries) {
    for_each_lanes(check_equal_the_libraries);
}

/* Poly1305 around its modulus: keys and data of all ones or zeros make the largest and smallest
 * sums. */
static void check_carries_of_the_authenticator(const sy_lanes *lanes) {
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
    static rig r;
    sy_prng_init(&r.prng, 12);
    for (size_t v = 0; v < sizeof values; v++) {
        draw(&r, SY_LANES_FRAMES);
        for (size_t c = 0; c < sizeof cipher_rows / sizeof cipher_rows[0]; c++) {
            /* The ciphertext is what counts: seal once for the key stream, then again so that the
             * result is the value itself. */
            const sy_lanes_cipher *cipher = choose(&r, lanes, &cipher_rows[c]);
            const size_t cipher_at = cipher_rows[c].salsa ? SY_FRAME_TAG_LEN : 0;
            cipher->seal(&r.job, r.data + IN_FRONT, r.wire);
            for (size_t i = 0; i < SY_LANES_FRAMES; i++) {
                const uint8_t *sealed = r.wire + i * SY_SEALED_LEN + cipher_at;
                uint8_t *data = r.data + IN_FRONT + i * SY_FRAME_DATA_MAX;
                for (size_t b = 0; b < 4; b++) {
                    r.job.head[i][b] ^= sealed[b] ^ values[v];
                }
                for (size_t b = 0; b < SY_FRAME_DATA_MAX; b++) {
                    data[b] ^= sealed[4 + b] ^ values[v];
                }
            }
            check_seal(&r, lanes, &cipher_rows[c]);
            cr_assert_eq(r.wire[cipher_at], values[v]);
            cr_assert_eq(r.wire[cipher_at + SY_FRAME_LEN - 1], values[v]);
            check_open(&r, lanes, &cipher_rows[c], SY_LANES_FRAMES);
        }
    }
}

Test(lanes, carries_of_the_authenticator) {
    for_each_lanes(check_carries_of_the_authenticator);
}

/* A name finds what is listed, and nothing else; the first one listed is taken unasked. */
Test(lanes, found_by_name) {
    static const char *const names[] = {"avx512", "avx2"};
    size_t found = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_assert_str_eq(sy_lanes_name(names[i]), names[i]);
        const sy_lanes *lanes = sy_lanes_find(names[i]);
        if (lanes != NULL) {
            cr_assert_str_eq(lanes->name, names[i]);
            cr_assert_eq(lanes, sy_lanes_at(found), "%s is not number %zu", names[i], found);
            found++;
        }
    }
    cr_assert_null(sy_lanes_at(found));
    cr_assert_null(sy_lanes_at(SIZE_MAX));
    cr_assert_eq(sy_lanes_best(), sy_lanes_at(0));
    static const char *const others[] = {"", "avx", "avx22", "AVX2", "auto", "library"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cr_assert_null(sy_lanes_name(others[i]), "\"%s\"", others[i]);
        cr_assert_null(sy_lanes_find(others[i]), "\"%s\"", others[i]);
    }
}

typedef struct take_row {
    size_t frames;
    size_t take;
} take_row;

static const take_row take_rows[] = {{0, 0},  {1, 0},   {2, 0},   {3, 3},   {8, 8},   {9, 8},
                                     {12, 8}, {13, 13}, {15, 15}, {16, 16}, {17, 16}, {64, 16}};

Test(lanes, how_many_at_once) {
    const sy_lanes lanes = {.name = "table", .frames_min = 3};
    for (size_t i = 0; i < sizeof take_rows / sizeof take_rows[0]; i++) {
        cr_assert_eq(sy_lanes_take(&lanes, take_rows[i].frames), take_rows[i].take, "%zu frames",
                     take_rows[i].frames);
        cr_assert_eq(sy_lanes_take(NULL, take_rows[i].frames), 0);
    }
}
