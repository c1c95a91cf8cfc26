/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/hash.h"

/* The example of the SipHash paper: key 00..0f, message 00..0e. */
Test(hash, known_answer) {
    uint8_t key[SY_HASH_KEY_LEN];
    uint8_t message[15];
    for (uint8_t i = 0; i < 16; i++) {
        key[i] = i;
    }
    for (uint8_t i = 0; i < 15; i++) {
        message[i] = i;
    }
    cr_expect_eq(sy_hash(message, sizeof message, key), UINT64_C(0xa129ca6149be45e5));
    key[0] ^= 1;
    cr_expect_neq(sy_hash(message, sizeof message, key), UINT64_C(0xa129ca6149be45e5));
}
