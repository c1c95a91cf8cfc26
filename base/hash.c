/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <assert.h>

#include <sodium.h>

static_assert(SY_HASH_KEY_LEN == crypto_shorthash_KEYBYTES, "SipHash takes 16 bytes");
static_assert(crypto_shorthash_BYTES == 8, "SipHash gives 8 bytes");

uint64_t sy_hash(const void *data, size_t len, const uint8_t key[SY_HASH_KEY_LEN]) {
    uint8_t out[8];
    uint64_t hash = 0;
    (void)crypto_shorthash(out, data, len, key);
    for (size_t i = 0; i < sizeof out; i++) {
        hash |= (uint64_t)out[i] << (8 * i);
    }
    return hash;
}
