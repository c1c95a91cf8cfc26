/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys of ephemeral secrets: RFC 7748 and libsodium's own multiplication are the judges.
 * The arithmetic is included as text, because no secret that one could find leads to its edges. */
#include "conn/x25519_base.c"

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

/* Clamping decides about the bits at both ends; without it the first two would be multiples of the
 * order, which libsodium refuses to multiply with. */
Test(x25519_base, unclamped_secrets) {
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    expect_libsodium_agrees((const uint8_t[32]){0});
    expect_libsodium_agrees(order);
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

#ifdef __SIZEOF_INT128__

#define TOP52 ((UINT64_C(1) << 52) - 1)

static void expect_bytes(const char *name, field a, const char *want_hex) {
    uint8_t want[32];
    uint8_t got[32];
    cr_assert_eq(test_hex(want_hex, want, sizeof want), 32, "%s", name);
    field_store(a, got);
    cr_expect_arr_eq(got, want, 32, "%s: %s", name, test_hex_of(got, 32));
}

/* A number has many forms in limbs, and one in bytes. */
Test(x25519_base, field_store_is_canonical) {
    static const struct {
        const char *name;
        field a;
        const char *bytes;
    } rows[] = {
        {"0", {{0}}, "0000000000000000000000000000000000000000000000000000000000000000"},
        {"p - 1",
         {{LIMB_MASK - 19, LIMB_MASK, LIMB_MASK, LIMB_MASK, LIMB_MASK}},
         "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
        {"p",
         {{LIMB_MASK - 18, LIMB_MASK, LIMB_MASK, LIMB_MASK, LIMB_MASK}},
         "0000000000000000000000000000000000000000000000000000000000000000"},
        {"p + 1",
         {{LIMB_MASK - 17, LIMB_MASK, LIMB_MASK, LIMB_MASK, LIMB_MASK}},
         "0100000000000000000000000000000000000000000000000000000000000000"},
        {"2^255 - 1",
         {{LIMB_MASK, LIMB_MASK, LIMB_MASK, LIMB_MASK, LIMB_MASK}},
         "1200000000000000000000000000000000000000000000000000000000000000"},
        {"2^255",
         {{LIMB_MASK + 1, LIMB_MASK, LIMB_MASK, LIMB_MASK, LIMB_MASK}},
         "1300000000000000000000000000000000000000000000000000000000000000"},
        {"2p - 1",
         {{2 * LIMB_MASK - 37, 2 * LIMB_MASK, 2 * LIMB_MASK, 2 * LIMB_MASK, 2 * LIMB_MASK}},
         "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
        {"2p",
         {{2 * LIMB_MASK - 36, 2 * LIMB_MASK, 2 * LIMB_MASK, 2 * LIMB_MASK, 2 * LIMB_MASK}},
         "0000000000000000000000000000000000000000000000000000000000000000"},
        {"the largest limbs",
         {{TOP52, TOP52, TOP52, TOP52, TOP52}},
         "2500000000000800000000004000000000000002000000000010000000000000"},
        {"the highest alone",
         {{0, 0, 0, 0, TOP52}},
         "13000000000000000000000000000000000000000000000000f0ffffffffff7f"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_bytes(rows[i].name, rows[i].a, rows[i].bytes);
    }
}

/* Where the sums and their carries are as large as they can be. */
Test(x25519_base, field_products_of_the_largest_limbs) {
    const field top = {{TOP52, TOP52, TOP52, TOP52, TOP52}};
    static const char square[] = "a50500000000180400000000401c0000000000be0000000000d0040000000000";

    expect_bytes("product", field_mul(top, top), square);
    expect_bytes("square", field_square(top), square);
    expect_bytes("inverse", field_invert(top),
                 "5c3b3b70633a127d2520fe174098c91ea9f11d4b0b09598cfb7826ad5737d516");
    expect_bytes("one", field_mul(top, field_invert(top)),
                 "0100000000000000000000000000000000000000000000000000000000000000");
    const field product = field_mul(top, top);
    for (size_t i = 0; i < LIMBS; i++) {
        cr_expect_lt(product.limb[i], (UINT64_C(1) << 51) + (1 << 11), "limb %zu", i);
    }
}

#endif
