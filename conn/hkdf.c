/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/hkdf.h"

#include <sodium.h>
#include <string.h>

#include <switchyard/assert.h>

/* libsodium's HMAC works on the stack; OpenSSL's EVP_KDF would fetch and allocate for every
 * handshake.  libsodium 1.0.18 has no HKDF of its own. */

#define HASH_LEN crypto_auth_hmacsha256_BYTES

static void extract(const uint8_t *salt, size_t salt_len, const uint8_t *ikm, size_t ikm_len,
                    uint8_t prk[HASH_LEN]) {
    /* HMAC pads a short key with zeros, so an empty key is the default salt already. */
    static const uint8_t no_salt[1] = {0};
    crypto_auth_hmacsha256_state hmac;
    crypto_auth_hmacsha256_init(&hmac, salt_len == 0 ? no_salt : salt, salt_len);
    crypto_auth_hmacsha256_update(&hmac, ikm, ikm_len);
    crypto_auth_hmacsha256_final(&hmac, prk);
    sodium_memzero(&hmac, sizeof hmac);
}

void sy_hkdf_sha256(const uint8_t *ikm, size_t ikm_len, const uint8_t *salt, size_t salt_len,
                    const uint8_t *info, size_t info_len, uint8_t *out, size_t out_len) {
    SY_REQUIRE(out_len >= 1);
    SY_REQUIRE(out_len <= SY_HKDF_OUT_MAX);
    uint8_t prk[HASH_LEN];
    uint8_t block[HASH_LEN];
    crypto_auth_hmacsha256_state hmac;

    extract(salt, salt_len, ikm, ikm_len, prk);

    uint8_t counter = 0;
    size_t done = 0;
    while (done < out_len) {
        counter++;
        crypto_auth_hmacsha256_init(&hmac, prk, sizeof prk);
        if (counter > 1) {
            crypto_auth_hmacsha256_update(&hmac, block, sizeof block);
        }
        crypto_auth_hmacsha256_update(&hmac, info, info_len);
        crypto_auth_hmacsha256_update(&hmac, &counter, 1);
        crypto_auth_hmacsha256_final(&hmac, block);
        const size_t n = out_len - done < sizeof block ? out_len - done : sizeof block;
        memcpy(out + done, block, n);
        done += n;
    }

    sodium_memzero(prk, sizeof prk);
    sodium_memzero(block, sizeof block);
    sodium_memzero(&hmac, sizeof hmac);
}
