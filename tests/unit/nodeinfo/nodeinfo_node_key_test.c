/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <criterion/criterion.h>
#include <sodium.h>

#include <switchyard/node_key.h>

#include "tests/support/test_hex.h"

/* The first three tests of RFC 8032, section 7.1.  SPEC-TEST ID-01, ID-05 */
Test(node_key, computes_and_signs_as_rfc_8032) {
    static const struct {
        const char *name;
        const char *seed;
        const char *pubkey;
        const char *msg;
        const char *sig;
    } rows[] = {
        {"empty message", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "c"
         "f9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"one byte", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0"
         "f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"two bytes", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
         "8"
         "4dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t seed[SY_SEED_LEN];
        uint8_t pubkey[SY_PUBKEY_LEN];
        uint8_t msg[16];
        uint8_t expected[SY_SIGNATURE_LEN];
        test_hex(rows[i].seed, seed, sizeof seed);
        test_hex(rows[i].pubkey, pubkey, sizeof pubkey);
        test_hex(rows[i].sig, expected, sizeof expected);
        const size_t msg_len = test_hex(rows[i].msg, msg, sizeof msg);

        sy_node_key key;
        uint8_t sig[SY_SIGNATURE_LEN];
        sy_node_key_from_seed(seed, &key);
        sy_node_key_sign(&key, msg_len > 0 ? msg : NULL, msg_len, sig);

        cr_expect_arr_eq(key.seed, seed, sizeof seed, "%s: seed", rows[i].name);
        cr_expect_arr_eq(key.pubkey, pubkey, sizeof pubkey, "%s: pubkey", rows[i].name);
        cr_expect_arr_eq(sig, expected, sizeof sig, "%s: signature", rows[i].name);
        cr_expect_eq(crypto_sign_verify_detached(sig, msg, msg_len, key.pubkey), 0, "%s",
                     rows[i].name);
    }
}

Test(node_key, from_seed_may_read_the_seed_in_place) {
    sy_node_key key;
    sy_node_key other;
    memset(key.seed, 1, sizeof key.seed);
    memset(other.seed, 1, sizeof other.seed);

    sy_node_key_from_seed(key.seed, &key);
    uint8_t seed[SY_SEED_LEN];
    memset(seed, 1, sizeof seed);
    sy_node_key_from_seed(seed, &other);

    cr_assert_arr_eq(key.pubkey, other.pubkey, sizeof key.pubkey);
    cr_assert_arr_eq(key.seed, seed, sizeof seed);
}

Test(node_key, id_is_that_of_the_public_half) {
    uint8_t seed[SY_SEED_LEN];
    for (size_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)i;
    }
    sy_node_key key;
    sy_node_key_from_seed(seed, &key);
    const sy_node_id id = sy_node_key_id(&key);

    char text[SY_NODE_ID_TEXT_CAP];
    sy_node_id_format(&id, text);
    cr_assert_str_eq(text, "56475aa75463474c0285df5dbf2bcab73da65135");
}

/* SPEC-TEST ID-06 */
Test(node_key, wipe_leaves_no_byte) {
    sy_node_key key;
    uint8_t seed[SY_SEED_LEN] = {9};
    sy_node_key_from_seed(seed, &key);
    sy_node_key_wipe(&key);
    cr_assert(sodium_is_zero((const unsigned char *)&key, sizeof key));
}
