/* SPDX-License-Identifier: Apache-2.0 */
/* The first step of the handshake: the input is everything that the remote says in clear.
 * FUZZ_SUITE says which suite; the first byte says which ephemeral key is ours.  A key is taken
 * exactly when libsodium can multiply it and it is not our own; then our proof follows, sealed with
 * the keys that belong to it, and nothing unsealed is ever taken for a frame. */
#include <sodium.h>
#include <string.h>

#include "tests/fuzz/support/fuzz_conn.h"

/* The connection answered: its auth message, opened with the keys of the other end. */
static void check_answer(const fuzz_conn *fc, const sy_suite *suite, const fuzz_hand *hand,
                         const uint8_t eph_pub[32], const uint8_t remote_pub[32]) {
    sy_key_schedule keys;
    fuzz_hand remote = {.suite = suite};
    uint8_t frame[SY_FRAME_LEN];
    sy_auth_msg auth;
    FUZZ_CHECK(suite->derive(hand->local_eph_secret, eph_pub, remote_pub, &keys) == SY_OK);
    memcpy(remote.recv_key, keys.send.key, 32);
    memcpy(remote.recv_nonce, keys.send.nonce, SY_NONCE_LEN);
    FUZZ_CHECK(fc->sent.len == suite->eph_msg_len + SY_SEALED_LEN);
    FUZZ_CHECK(fuzz_hand_open(&remote, fc->sent.data + suite->eph_msg_len, frame));
    FUZZ_CHECK(fuzz_hand_declared(suite, frame) == suite->auth_msg_len);
    FUZZ_CHECK(sodium_is_zero(frame + 4 + suite->auth_msg_len, 1024 - suite->auth_msg_len));
    FUZZ_CHECK(suite->decode_auth(frame + 5, suite->auth_msg_len - 1, &auth, NULL) == SY_OK);
    FUZZ_CHECK(memcmp(auth.pubkey, hand->local_pubkey, 32) == 0);
    FUZZ_CHECK(crypto_sign_verify_detached(auth.sig, keys.challenge, 32, auth.pubkey) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const sy_suite *suite = &FUZZ_SUITE;
    fuzz_in in = fuzz_in_of(data, size);
    fuzz_hand hand;
    fuzz_conn fc;
    fuzz_hand_init(&hand, suite, fuzz_u8(&in));
    fuzz_conn_init(&fc, suite, &hand.local_signer, hand.local_eph_secret, &in);
    const size_t piece = 1 + fuzz_u8(&in);
    const sy_bytes said = fuzz_take(&in, size);

    uint8_t eph_pub[32];
    uint8_t shared[32];
    (void)crypto_scalarmult_base(eph_pub, hand.local_eph_secret);
    const uint8_t *remote_pub = said.data + suite->eph_msg_len - 32;
    for (size_t at = 0; at < said.len && fc.err == SY_OK; at += piece) {
        fuzz_conn_feed(&fc, said.data + at, said.len - at < piece ? said.len - at : piece);
    }
    fuzz_conn_send(&fc);
    FUZZ_CHECK(!fc.is_authenticated);

    const bool has_key = fc.sent.len > suite->eph_msg_len;
    if (has_key) {
        check_answer(&fc, suite, &hand, eph_pub, remote_pub);
    }
    if (fc.err == SY_ERR_EPH_LOW_ORDER) {
        FUZZ_CHECK(crypto_scalarmult(shared, hand.local_eph_secret, remote_pub) != 0);
    } else if (fc.err == SY_ERR_EPH_REFLECTED) {
        FUZZ_CHECK(memcmp(eph_pub, remote_pub, 31) == 0);
    }
    FUZZ_CHECK(!has_key || crypto_scalarmult(shared, hand.local_eph_secret, remote_pub) == 0);
    FUZZ_CHECK(fc.err != SY_OK || said.len < suite->eph_msg_len + SY_SEALED_LEN);
    fuzz_conn_fini(&fc);
    fuzz_count(has_key);
    return 0;
}
