/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/scratch.h"

#include <sodium.h>
#include <string.h>

#include <switchyard/assert.h>

#include "conn/scratch_internal.h"

_Static_assert(SY_SEALED_LEN == SY_FRAME_LEN + SY_FRAME_TAG_LEN, "a sealed frame is frame and tag");
_Static_assert(SY_FRAME_LEN == 4 + SY_FRAME_DATA_MAX, "a frame is length and data area");
_Static_assert(SY_SEAL_BATCH <= SY_OPEN_BATCH, "what one side seals at once the other can open");

static const char auto_name[] = "auto";
static const char library_name[] = "library";

static EVP_CIPHER_CTX *new_cipher(const EVP_CIPHER *cipher) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NULL;
    }
    /* No key yet: the algorithm is bound once, each batch sets its key. */
    if (EVP_CipherInit_ex2(ctx, cipher, /* key= */ NULL, /* iv= */ NULL, /* enc= */ 1,
                           /* params= */ NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static sy_err open_ciphers(sy_scratch *scratch) {
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    if (cipher == NULL) {
        return SY_ERR_CRYPTO_LIB;
    }
    scratch->seal = new_cipher(cipher);
    scratch->open = new_cipher(cipher);
    EVP_CIPHER_free(cipher); /* the contexts hold references of their own */
    return scratch->seal == NULL || scratch->open == NULL ? SY_ERR_CRYPTO_LIB : SY_OK;
}

sy_err sy_scratch_new(const sy_mem *mem, sy_scratch **ret_scratch) {
    if (sodium_init() < 0) {
        return SY_ERR_CRYPTO_LIB;
    }
    sy_scratch *scratch = sy_mem_zalloc(mem, sizeof *scratch);
    if (scratch == NULL) {
        return SY_ERR_NOMEM;
    }
    scratch->mem = mem;
    sy_scratch_set_cipher(scratch, auto_name);

    const sy_err err = open_ciphers(scratch);
    if (err != SY_OK) {
        sy_scratch_del(scratch);
        return err;
    }
    *ret_scratch = scratch;
    return SY_OK;
}

void sy_scratch_del(sy_scratch *scratch) {
    if (scratch == NULL) {
        return;
    }
    EVP_CIPHER_CTX_free(scratch->seal); /* wipes its key */
    EVP_CIPHER_CTX_free(scratch->open);
    const sy_mem *mem = scratch->mem;
    sodium_memzero(scratch, sizeof *scratch);
    sy_mem_release(mem, scratch);
}

const char *sy_frame_cipher_name(const char *name) {
    return strcmp(name, auto_name) == 0      ? auto_name
           : strcmp(name, library_name) == 0 ? library_name
                                             : sy_lanes_name(name);
}

bool sy_frame_cipher_runs(const char *name) {
    return strcmp(name, auto_name) == 0 || strcmp(name, library_name) == 0 ||
           sy_lanes_find(name) != NULL;
}

void sy_scratch_set_cipher(sy_scratch *scratch, const char *name) {
    SY_ASSERT(sy_frame_cipher_runs(name));
    scratch->lanes = strcmp(name, auto_name) == 0 ? sy_lanes_best() : sy_lanes_find(name);
}

const char *sy_scratch_cipher_name(const sy_scratch *scratch) {
    return scratch->lanes != NULL ? scratch->lanes->name : library_name;
}

uint8_t *sy_scratch_plain_in(sy_scratch *scratch) {
    return scratch->plain_in + SY_SCRATCH_HEADROOM;
}

uint8_t *sy_scratch_plain_out(sy_scratch *scratch) {
    return scratch->plain_out + SY_SCRATCH_HEADROOM;
}

uint8_t *sy_scratch_wire_out(sy_scratch *scratch) {
    return scratch->wire_out;
}
