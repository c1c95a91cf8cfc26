/* SPDX-License-Identifier: Apache-2.0 */
/* The frame layer alone, next to the library cipher on frames of the same size: bytes of data per
 * second of CPU time.  The only part of the benchmark that looks inside the library.
 *
 *   frames [CIPHER [FRAMES]]
 *
 * CIPHER is a frame_cipher of the configuration, "auto" when it is left out; FRAMES are sealed at
 * once and opened at once, as many as a connection takes when it is left out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <sodium.h>

#include <switchyard/mem.h>

#include "conn/scratch_internal.h"
#include "conn/suite.h"

#define ROUNDS 4000

static uint8_t wire[SY_OPEN_BATCH * SY_SEALED_LEN];

static double cpu(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static unsigned long long rate(size_t frames, double seconds) {
    return (unsigned long long)((double)frames * SY_FRAME_DATA_MAX * ROUNDS / seconds);
}

static int seal(const sy_suite *suite, sy_scratch *scratch, sy_frame_key *key, size_t at_once) {
    for (size_t at = 0; at + at_once <= SY_OPEN_BATCH; at += at_once) {
        if (suite->seal(key, scratch, sy_scratch_plain_out(scratch), at_once * SY_FRAME_DATA_MAX,
                        wire + at * SY_SEALED_LEN) != SY_OK) {
            return 1;
        }
    }
    return 0;
}

static int open_all(const sy_suite *suite, sy_scratch *scratch, sy_frame_key *key, size_t at_once) {
    for (size_t at = 0; at + at_once <= SY_OPEN_BATCH; at += at_once) {
        sy_frame_run run = {.empty_max = SY_EMPTY_FRAMES_MAX};
        if (suite->open(key, scratch, wire + at * SY_SEALED_LEN, at_once,
                        sy_scratch_plain_in(scratch), &run) != SY_OK) {
            return 1;
        }
    }
    return 0;
}

static int frames(const sy_suite *suite, sy_scratch *scratch, size_t seal_at_once,
                  size_t open_at_once) {
    sy_frame_key send = {.key = {1}};
    sy_frame_key recv = send;
    double sealing = 0;
    double opening = 0;
    for (int n = 0; n < ROUNDS; n++) {
        double start = cpu();
        if (seal(suite, scratch, &send, seal_at_once) != 0) {
            return 1;
        }
        sealing += cpu() - start;
        start = cpu();
        if (open_all(suite, scratch, &recv, open_at_once) != 0) {
            return 1;
        }
        opening += cpu() - start;
    }
    const size_t total = SY_OPEN_BATCH - SY_OPEN_BATCH % seal_at_once; /* 64 when left out */
    printf(" %s_seal=%llu %s_open=%llu", suite->name, rate(total, sealing), suite->name,
           rate(total, opening));
    return 0;
}

static int raw(void) {
    static uint8_t in[SY_FRAME_LEN];
    static uint8_t out[SY_SEALED_LEN];
    static const uint8_t key[32] = {1};
    static const uint8_t nonce[24] = {2};
    int len = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (EVP_EncryptInit_ex2(ctx, EVP_chacha20_poly1305(), key, nonce, NULL) != 1) {
        return 1;
    }
    double start = cpu();
    for (int n = 0; n < ROUNDS * SY_OPEN_BATCH; n++) {
        if (EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL) != 1 ||
            EVP_EncryptUpdate(ctx, out, &len, in, sizeof in) != 1 ||
            EVP_EncryptFinal_ex(ctx, out + sizeof in, &len) != 1 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + sizeof in) != 1) {
            return 1;
        }
    }
    printf(" cometbft_raw=%llu", rate(SY_OPEN_BATCH, cpu() - start));
    EVP_CIPHER_CTX_free(ctx);
    start = cpu();
    for (int n = 0; n < ROUNDS * SY_OPEN_BATCH; n++) {
        (void)crypto_secretbox_easy(out, in, sizeof in, nonce, key);
    }
    printf(" secretbox_raw=%llu\n", rate(SY_OPEN_BATCH, cpu() - start));
    return 0;
}

int main(int argc, char **argv) {
    extern const sy_suite sy_suite_cometbft;
    extern const sy_suite sy_suite_secretbox;
    const char *cipher = argc > 1 ? argv[1] : "auto";
    const unsigned long at_once = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    const size_t seal_at_once = at_once > 0 ? at_once : SY_SEAL_BATCH;
    const size_t open_at_once = at_once > 0 ? at_once : SY_OPEN_BATCH;
    sy_scratch *scratch;
    if (sy_scratch_new(sy_mem_libc(), &scratch) != SY_OK) {
        return 1;
    }
    if (!sy_frame_cipher_runs(cipher) || seal_at_once > SY_SEAL_BATCH) {
        (void)fprintf(stderr, "frames [CIPHER [1..%d]]; is %s for this processor?\n", SY_SEAL_BATCH,
                      cipher);
        return 2;
    }
    sy_scratch_set_cipher(scratch, cipher);
    printf("result");
    const int failed = frames(&sy_suite_cometbft, scratch, seal_at_once, open_at_once) ||
                       frames(&sy_suite_secretbox, scratch, seal_at_once, open_at_once) || raw();
    sy_scratch_del(scratch);
    return failed;
}
