/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <criterion/criterion.h>
#include <sodium.h>

#include <switchyard/node_key.h>

#include "tests/support/vectors.h"

static const char *const files[] = {"tendermint/keys.json", "cometbft/keys.json"};

static void check_key_file(const vec_node *row, const sy_node_key *key) {
    const char *name = vec_name(row);
    const char *text = vec_str(row, "file");

    char out[SY_NODE_KEY_JSON_CAP];
    const size_t len = sy_node_key_encode_json(key, out);
    cr_expect_eq(len, strlen(text), "%s", name);
    cr_expect_str_eq(out, text, "%s", name);

    sy_node_key back;
    cr_assert_eq(sy_node_key_decode_json(text, strlen(text), &back, NULL), SY_OK, "%s", name);
    cr_expect_arr_eq(back.seed, key->seed, SY_SEED_LEN, "%s", name);
    cr_expect_arr_eq(back.pubkey, key->pubkey, SY_PUBKEY_LEN, "%s", name);
}

/* SPEC-TEST ID-01, ID-02, ID-03, ID-07, ID-08 */
Test(vectors, keys_ids_and_key_files) {
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        vec_file *file = vec_open(files[f]);
        const vec_node *rows = vec_get(vec_root(file), "keys");
        cr_assert_geq(vec_len(rows), 2);
        for (size_t i = 0; i < vec_len(rows); i++) {
            const vec_node *row = vec_at(rows, i);
            const char *name = vec_name(row);
            uint8_t seed[SY_SEED_LEN];
            uint8_t pubkey[SY_PUBKEY_LEN];
            cr_assert_eq(vec_hex(row, "seed", seed, sizeof seed), sizeof seed, "%s", name);
            cr_assert_eq(vec_hex(row, "pubkey", pubkey, sizeof pubkey), sizeof pubkey);

            sy_node_key key;
            sy_node_key_from_seed(seed, &key);
            cr_expect_arr_eq(key.pubkey, pubkey, sizeof pubkey, "%s", name);
            char text[SY_NODE_ID_TEXT_CAP];
            const sy_node_id id = sy_node_key_id(&key);
            sy_node_id_format(&id, text);
            cr_expect_str_eq(text, vec_str(row, "id"), "%s", name);
            if (vec_has(row, "file")) {
                check_key_file(row, &key);
            }
        }
        vec_close(file);
    }
}

/* The signatures of both handshakes, over their challenges.  SPEC-TEST ID-05 */
Test(vectors, handshake_signatures) {
    static const char *const handshakes[] = {"tendermint/secret-connection.json",
                                             "cometbft/secret-connection.json"};
    for (size_t f = 0; f < 2; f++) {
        vec_file *file = vec_open(handshakes[f]);
        const vec_node *sides = vec_get(vec_root(file), "sides");
        uint8_t challenge[32];
        cr_assert_eq(vec_hex(vec_root(file), "challenge", challenge, 32), 32);
        cr_assert_eq(vec_len(sides), 2);
        for (size_t i = 0; i < 2; i++) {
            const vec_node *side = vec_at(sides, i);
            uint8_t seed[SY_SEED_LEN];
            uint8_t expected[SY_SIGNATURE_LEN];
            cr_assert_eq(vec_hex(side, "seed", seed, sizeof seed), sizeof seed);
            cr_assert_eq(vec_hex(side, "signature", expected, sizeof expected), sizeof expected);

            sy_node_key key;
            uint8_t sig[SY_SIGNATURE_LEN];
            sy_node_key_from_seed(seed, &key);
            sy_node_key_sign(&key, challenge, sizeof challenge, sig);
            cr_expect_arr_eq(sig, expected, sizeof sig, "%s %s", handshakes[f], vec_name(side));

            char text[SY_NODE_ID_TEXT_CAP];
            const sy_node_id id = sy_node_key_id(&key);
            sy_node_id_format(&id, text);
            cr_expect_str_eq(text, vec_str(side, "id"), "%s %s", handshakes[f], vec_name(side));
        }
        vec_close(file);
    }
}
