/* SPDX-License-Identifier: Apache-2.0 */
/* The frame layer alone, next to the library cipher on frames of the same size: bytes of data per
 * second of CPU time.  The only part of the benchmark that looks inside the library. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <sodium.h>

#include <switchyard/mem.h>

#include "conn/scratch_internal.h"
#include "conn/suite.h"

#define ROUNDS  4000
#define BATCHES (SY_OPEN_BATCH / SY_SEAL_BATCH)

static uint8_t wire[SY_OPEN_BATCH * SY_SEALED_LEN];

static double cpu(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static unsigned long long rate(double seconds) {
    return (unsigned long long)((double)SY_OPEN_BATCH * SY_FRAME_DATA_MAX * ROUNDS / seconds);
}

static int frames(const sy_suite *suite, sy_scratch *scratch) {
    sy_frame_key send = {.key = {1}};
    sy_frame_key recv = send;
    double sealing = 0;
    double opening = 0;
    for (int n = 0; n < ROUNDS; n++) {
        double start = cpu();
        for (int b = 0; b < BATCHES; b++) {
            uint8_t *plain = sy_scratch_plain_out(scratch);
            if (suite->seal(&send, scratch, plain, SY_SEAL_BATCH * SY_FRAME_DATA_MAX,
                            wire + b * SY_SEAL_BATCH * SY_SEALED_LEN) != SY_OK) {
                return 1;
            }
        }
        sealing += cpu() - start;
        sy_frame_run run = {.empty_max = SY_EMPTY_FRAMES_MAX};
        start = cpu();
        if (suite->open(&recv, scratch, wire, SY_OPEN_BATCH, sy_scratch_plain_in(scratch), &run) !=
            SY_OK) {
            return 1;
        }
        opening += cpu() - start;
    }
    printf(" %s_seal=%llu %s_open=%llu", suite->name, rate(sealing), suite->name, rate(opening));
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
    printf(" cometbft_raw=%llu", rate(cpu() - start));
    EVP_CIPHER_CTX_free(ctx);
    start = cpu();
    for (int n = 0; n < ROUNDS * SY_OPEN_BATCH; n++) {
        (void)crypto_secretbox_easy(out, in, sizeof in, nonce, key);
    }
    printf(" secretbox_raw=%llu\n", rate(cpu() - start));
    return 0;
}

int main(void) {
    extern const sy_suite sy_suite_cometbft;
    extern const sy_suite sy_suite_secretbox;
    sy_scratch *scratch;
    if (sy_scratch_new(sy_mem_libc(), &scratch) != SY_OK) {
        return 1;
    }
    printf("result");
    const int failed =
        frames(&sy_suite_cometbft, scratch) || frames(&sy_suite_secretbox, scratch) || raw();
    sy_scratch_del(scratch);
    return failed;
}
