/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys of ephemeral secrets: RFC 7748 and libsodium's own multiplication are the judges. */
#include "conn/x25519_base.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "tests/support/test_hex.h"

static void expect_libsodium_agrees(const uint8_t secret[32]) {
    uint8_t got[32];
    uint8_t want[32];
    cr_assert_eq(crypto_scalarmult_base(want, secret), 0);
    sy_x25519_base(secret, got);
    cr_assert_arr_eq(got, want, 32, "secret %s: %s, not %s", test_hex_of(secret, 32),
                     test_hex_of(got, 32), test_hex_of(want, 32));
}

Test(x25519_base, keys_of_the_rfc) {
    static const struct {
        const char *secret;
        const char *pub;
    } rows[] = {
        {"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
         "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"},
        {"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
         "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t secret[32];
        uint8_t want[32];
        uint8_t got[32];
        cr_assert_eq(test_hex(rows[i].secret, secret, sizeof secret), 32);
        cr_assert_eq(test_hex(rows[i].pub, want, sizeof want), 32);
        sy_x25519_base(secret, got);
        cr_expect_arr_eq(got, want, 32, "row %zu: %s", i, test_hex_of(got, 32));
    }
}

/* Clamping decides about the bits at both ends. */
Test(x25519_base, unclamped_secrets) {
    for (unsigned bit = 0; bit < 256; bit++) {
        uint8_t secret[32] = {0};
        secret[bit / 8] = (uint8_t)(1U << bit % 8);
        expect_libsodium_agrees(secret);
        for (size_t i = 0; i < sizeof secret; i++) {
            secret[i] = (uint8_t)~secret[i];
        }
        expect_libsodium_agrees(secret);
    }
}

Test(x25519_base, random_secrets) {
    static const uint8_t seed[randombytes_SEEDBYTES] = "x25519_base";
    static uint8_t secrets[5000][32];
    randombytes_buf_deterministic(secrets, sizeof secrets, seed);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        expect_libsodium_agrees(secrets[i]);
    }
}
