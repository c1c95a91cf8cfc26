/* SPDX-License-Identifier: Apache-2.0 */
#include <switchyard/node_key.h>

#include <string.h>

#include <sodium.h>

#include <switchyard/assert.h>

_Static_assert(crypto_sign_SEEDBYTES == SY_SEED_LEN, "Ed25519 seed");
_Static_assert(crypto_sign_PUBLICKEYBYTES == SY_PUBKEY_LEN, "Ed25519 public key");
_Static_assert(crypto_sign_BYTES == SY_SIGNATURE_LEN, "Ed25519 signature");
_Static_assert(crypto_sign_SECRETKEYBYTES == SY_SEED_LEN + SY_PUBKEY_LEN, "seed || public key");

/* SPEC ID-01 */
void sy_node_key_from_seed(const uint8_t seed[SY_SEED_LEN], sy_node_key *ret_key) {
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    uint8_t pubkey[SY_PUBKEY_LEN];
    (void)crypto_sign_seed_keypair(pubkey, secret, seed);

    memmove(ret_key->seed, seed, SY_SEED_LEN); /* seed may be the one inside ret_key */
    memcpy(ret_key->pubkey, pubkey, SY_PUBKEY_LEN);
    sodium_memzero(secret, sizeof secret);
}

/* SPEC ID-05 */
void sy_node_key_sign(const sy_node_key *key, const uint8_t *msg, size_t len,
                      uint8_t ret_sig[SY_SIGNATURE_LEN]) {
    SY_REQUIRE(msg != NULL || len == 0);

    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    memcpy(secret, key->seed, SY_SEED_LEN);
    memcpy(secret + SY_SEED_LEN, key->pubkey, SY_PUBKEY_LEN);
    (void)crypto_sign_detached(ret_sig, NULL, msg, len, secret);
    sodium_memzero(secret, sizeof secret);
}

sy_node_id sy_node_key_id(const sy_node_key *key) {
    return sy_node_id_of_pubkey(key->pubkey);
}

/* SPEC ID-06 */
void sy_node_key_wipe(sy_node_key *key) {
    sodium_memzero(key, sizeof *key);
}
