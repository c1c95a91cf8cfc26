/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/conn/secret_conn_rig.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

const sy_suite *const rig_suites[RIG_SUITES] = {&sy_suite_secretbox, &sy_suite_cometbft};

void rig_bytes_add(rig_bytes *bytes, const void *data, size_t len) {
    if (len == 0) {
        return;
    }
    if (bytes->len + len > bytes->cap) {
        const size_t cap = 2 * (bytes->len + len);
        uint8_t *grown = sy_mem_resize(sy_mem_libc(), bytes->data, cap);
        cr_assert_not_null(grown);
        bytes->data = grown;
        bytes->cap = cap;
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

void rig_bytes_free(rig_bytes *bytes) {
    sy_mem_release(sy_mem_libc(), bytes->data);
    *bytes = (rig_bytes){.data = NULL};
}

void rig_keys_init(rig_keys *keys, const uint8_t seed[32], const uint8_t eph_secret[32]) {
    crypto_sign_seed_keypair(keys->sign_pub, keys->sign_secret, seed);
    memcpy(keys->eph_secret, eph_secret, 32);
    crypto_scalarmult_base(keys->eph_pub, eph_secret);
}

void rig_keys_numbered(rig_keys *keys, uint8_t n) {
    uint8_t seed[32];
    uint8_t eph_secret[32];
    memset(seed, n, sizeof seed);
    memset(eph_secret, 0x11 * n, sizeof eph_secret);
    rig_keys_init(keys, seed, eph_secret);
}

static sy_err sign(void *user, const uint8_t *msg, size_t len, uint8_t ret_sig[64]) {
    const rig_side *side = user;
    if (side->sign_err != SY_OK) {
        return side->sign_err;
    }
    crypto_sign_detached(ret_sig, NULL, msg, len, side->keys.sign_secret);
    return SY_OK;
}

sy_err rig_side_try(rig_side *side, const sy_suite *suite, sy_scratch *scratch,
                    const rig_keys *keys, size_t fail_at, size_t budget_limit) {
    memset(side, 0, sizeof *side);
    test_mem_init(&side->tm);
    side->tm.fail_at = fail_at;
    sy_budget_init(&side->budget, NULL, "peer", budget_limit);
    side->scratch = scratch;
    side->keys = *keys;
    sy_signer signer = {.sign = sign, .user = side};
    memcpy(signer.pubkey, keys->sign_pub, 32);
    return sy_secret_conn_new(&side->tm.mem, &side->budget, suite, &signer, keys->eph_secret,
                              &side->conn);
}

void rig_side_init(rig_side *side, const sy_suite *suite, sy_scratch *scratch,
                   const rig_keys *keys) {
    cr_assert_eq(rig_side_try(side, suite, scratch, keys, 0, 65536), SY_OK);
}

void rig_side_fini(rig_side *side) {
    sy_secret_conn_del(side->conn);
    side->conn = NULL;
    rig_bytes_free(&side->plain);
    cr_assert_eq(side->budget.used, 0, "%zu bytes still charged", side->budget.used);
    sy_budget_fini(&side->budget);
    test_mem_fini(&side->tm);
}

sy_err rig_side_send(rig_side *side, rig_bytes *out) {
    while (sy_secret_conn_wants_send(side->conn)) {
        uint8_t buf[SY_SEALED_LEN];
        size_t len = 0;
        const sy_err err = sy_secret_conn_send(side->conn, side->scratch, buf, sizeof buf, &len);
        if (err != SY_OK) {
            side->err = err;
            return err;
        }
        cr_assert_gt(len, 0);
        rig_bytes_add(out, buf, len);
    }
    return SY_OK;
}

static void log_event(rig_side *side, const sy_sc_event *event) {
    switch (event->kind) {
    case SY_SC_NONE:
        break;
    case SY_SC_AUTHENTICATED:
        side->auth_events++;
        side->plain_at_auth = side->plain.len;
        memcpy(side->remote_pubkey, event->remote_pubkey, 32);
        break;
    case SY_SC_DATA:
        cr_assert_gt(event->plain_len, 0);
        side->data_events++;
        rig_bytes_add(&side->plain, event->plain, event->plain_len);
        break;
    }
}

/* One piece in a block of exactly its size, so that a read behind it shows. */
static sy_err feed_piece(rig_side *side, const uint8_t *data, size_t len) {
    uint8_t *in = sy_mem_zalloc(sy_mem_libc(), len);
    memcpy(in, data, len);
    size_t done = 0;
    sy_err err = SY_OK;
    while (done < len && err == SY_OK) {
        size_t consumed = SIZE_MAX;
        sy_sc_event event = {.kind = (sy_sc_event_kind)99};
        err = sy_secret_conn_recv(side->conn, side->scratch, in + done, len - done, &consumed,
                                  &event, &side->detail);
        if (err == SY_OK) {
            cr_assert_leq(consumed, len - done);
            cr_assert(consumed > 0 || event.kind == SY_SC_AUTHENTICATED, "no progress");
            done += consumed;
            log_event(side, &event);
        } else {
            cr_assert_eq(consumed, SIZE_MAX, "output written on failure");
            cr_assert_eq((int)event.kind, 99, "output written on failure");
        }
    }
    cr_assert_eq(memcmp(in, data, len), 0, "input was modified");
    sy_mem_release(sy_mem_libc(), in);
    if (err != SY_OK) {
        side->err = err;
    }
    return err;
}

sy_err rig_side_feed(rig_side *side, const void *data, size_t len, size_t piece) {
    const uint8_t *pos = data;
    while (len > 0) {
        const size_t n = len < piece ? len : piece;
        const sy_err err = feed_piece(side, pos, n);
        if (err != SY_OK) {
            return err;
        }
        pos += n;
        len -= n;
    }
    return SY_OK;
}

sy_err rig_side_seal(rig_side *side, const void *data, size_t len, rig_bytes *out) {
    const uint8_t *pos = data;
    while (len > 0) {
        const size_t n = len < SY_SCRATCH_PLAIN_OUT_CAP ? len : SY_SCRATCH_PLAIN_OUT_CAP;
        memcpy(sy_scratch_plain_out(side->scratch), pos, n);
        size_t sealed = 0;
        const sy_err err =
            sy_secret_conn_seal(side->conn, side->scratch, n, sy_scratch_wire_out(side->scratch),
                                SY_SCRATCH_WIRE_OUT_CAP, &sealed);
        if (err != SY_OK) {
            side->err = err;
            return err;
        }
        rig_bytes_add(out, sy_scratch_wire_out(side->scratch), sealed);
        pos += n;
        len -= n;
    }
    return SY_OK;
}

void rig_shake(rig_side *a, rig_side *b, size_t piece) {
    for (int round = 0; round < 2; round++) {
        rig_bytes from_a = {.data = NULL};
        rig_bytes from_b = {.data = NULL};
        cr_assert_eq(rig_side_send(a, &from_a), SY_OK);
        cr_assert_eq(rig_side_send(b, &from_b), SY_OK);
        cr_assert_eq(rig_side_feed(a, from_b.data, from_b.len, piece), SY_OK);
        cr_assert_eq(rig_side_feed(b, from_a.data, from_a.len, piece), SY_OK);
        rig_bytes_free(&from_a);
        rig_bytes_free(&from_b);
    }
    cr_assert(sy_secret_conn_is_open(a->conn));
    cr_assert(sy_secret_conn_is_open(b->conn));
}

void rig_hand_init(rig_hand *hand, const sy_suite *suite, const rig_keys *keys,
                   const uint8_t remote_eph_pub[32]) {
    hand->suite = suite;
    hand->keys = *keys;
    cr_assert_eq(suite->derive(keys->eph_secret, keys->eph_pub, remote_eph_pub, &hand->schedule),
                 SY_OK);
}

void rig_hand_ephemeral(const rig_hand *hand, rig_bytes *out) {
    uint8_t msg[SY_EPH_MSG_MAX];
    hand->suite->encode_ephemeral(hand->keys.eph_pub, msg);
    rig_bytes_add(out, msg, hand->suite->eph_msg_len);
}

/* The next nonce by other means than the code under test: libsodium's little-endian increment. */
static void next_nonce(const rig_hand *hand, uint8_t *nonce) {
    if (hand->suite == &sy_suite_cometbft) {
        sodium_increment(nonce + 4, 8);
        return;
    }
    uint8_t little[24];
    for (int i = 0; i < 24; i++) {
        little[i] = nonce[23 - i];
    }
    sodium_increment(little, sizeof little);
    sodium_increment(little, sizeof little);
    for (int i = 0; i < 24; i++) {
        nonce[i] = little[23 - i];
    }
}

void rig_hand_frame(rig_hand *hand, uint32_t data_len, const void *data, size_t have,
                    uint8_t padding, rig_bytes *out) {
    uint8_t frame[SY_FRAME_LEN];
    uint8_t sealed[SY_SEALED_LEN];
    sy_frame_key *key = &hand->schedule.send;
    const bool big_endian = hand->suite == &sy_suite_secretbox;

    memset(frame, padding, sizeof frame);
    for (unsigned i = 0; i < 4; i++) {
        frame[i] = (uint8_t)(data_len >> 8 * (big_endian ? 3 - i : i));
    }
    cr_assert_leq(have, SY_FRAME_DATA_MAX);
    if (have > 0) {
        memcpy(frame + 4, data, have);
    }
    if (hand->suite == &sy_suite_secretbox) {
        cr_assert_eq(crypto_secretbox_easy(sealed, frame, sizeof frame, key->nonce, key->key), 0);
    } else {
        cr_assert_eq(crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, frame, sizeof frame,
                                                               NULL, 0, NULL, key->nonce, key->key),
                     0);
    }
    next_nonce(hand, key->nonce);
    rig_bytes_add(out, sealed, sizeof sealed);
}

void rig_hand_data(rig_hand *hand, const void *data, size_t len, rig_bytes *out) {
    rig_hand_frame(hand, (uint32_t)len, data, len, 0, out);
}

void rig_hand_auth(const rig_hand *hand, uint8_t *out) {
    sy_auth_msg auth;
    memcpy(auth.pubkey, hand->keys.sign_pub, 32);
    crypto_sign_detached(auth.sig, NULL, hand->schedule.challenge, 32, hand->keys.sign_secret);
    hand->suite->encode_auth(&auth, out);
}

bool rig_hand_open(rig_hand *hand, const uint8_t *sealed, uint8_t *ret_frame) {
    sy_frame_key *key = &hand->schedule.recv;
    const int failed =
        hand->suite == &sy_suite_secretbox
            ? crypto_secretbox_open_easy(ret_frame, sealed, SY_SEALED_LEN, key->nonce, key->key)
            : crypto_aead_chacha20poly1305_ietf_decrypt(
                  ret_frame, NULL, NULL, sealed, SY_SEALED_LEN, NULL, 0, key->nonce, key->key);
    if (failed == 0) {
        next_nonce(hand, key->nonce);
    }
    return failed == 0;
}

void rig_open_against_hand(rig_side *side, rig_hand *hand, const sy_suite *suite,
                           sy_scratch *scratch) {
    rig_keys one;
    rig_keys two;
    rig_keys_numbered(&one, 1);
    rig_keys_numbered(&two, 2);
    rig_side_init(side, suite, scratch, &one);
    rig_hand_init(hand, suite, &two, one.eph_pub);

    rig_bytes in = {.data = NULL};
    rig_bytes out = {.data = NULL};
    uint8_t auth[SY_FRAME_DATA_MAX];
    uint8_t frame[SY_FRAME_LEN];
    rig_hand_ephemeral(hand, &in);
    rig_hand_auth(hand, auth);
    rig_hand_data(hand, auth, suite->auth_msg_len, &in);
    cr_assert_eq(rig_side_feed(side, in.data, in.len, in.len), SY_OK);
    cr_assert_eq(rig_side_send(side, &out), SY_OK);
    cr_assert_eq(out.len, suite->eph_msg_len + SY_SEALED_LEN);
    cr_assert(rig_hand_open(hand, out.data + suite->eph_msg_len, frame));
    cr_assert(sy_secret_conn_is_open(side->conn));
    rig_bytes_free(&in);
    rig_bytes_free(&out);
}
