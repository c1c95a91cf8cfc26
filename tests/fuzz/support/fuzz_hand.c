/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/support/fuzz_hand.h"

#include <sodium.h>
#include <string.h>

#define DATA_MAX ((size_t)256 << 10) /* of one script */

/* One side of the vector files. */
typedef struct side {
    uint8_t eph_secret[32];
    uint8_t eph_pub[32];
    uint8_t sign_secret[64];
    uint8_t sign_pub[32];
    uint8_t eph_msg[SY_EPH_MSG_MAX];
    uint8_t auth_msg[SY_FRAME_DATA_MAX];
    sy_key_schedule schedule; /* towards the other side */
} side;

typedef struct suite_sides {
    bool is_ready;
    side sides[2]; /* lower ephemeral key first */
} suite_sides;

static sy_err sign(void *user, const uint8_t *msg, size_t len, uint8_t ret_sig[64]) {
    const side *s = user;
    (void)crypto_sign_detached(ret_sig, NULL, msg, len, s->sign_secret);
    return SY_OK;
}

/* Side A of the files has the higher ephemeral key, 11 .. 11, and B 22 .. 22. */
static void side_init(side *s, const sy_suite *suite, bool is_b) {
    uint8_t seed[32];
    for (unsigned i = 0; i < 32; i++) {
        seed[i] = (uint8_t)(suite == &sy_suite_cometbft ? (is_b ? 2 : 1) : (is_b ? 0x20 + i : i));
    }
    (void)crypto_sign_seed_keypair(s->sign_pub, s->sign_secret, seed);
    memset(s->eph_secret, is_b ? 0x22 : 0x11, sizeof s->eph_secret);
    (void)crypto_scalarmult_base(s->eph_pub, s->eph_secret);
    suite->encode_ephemeral(s->eph_pub, s->eph_msg);
}

static void side_meet(side *s, const sy_suite *suite, const side *other) {
    FUZZ_CHECK(suite->derive(s->eph_secret, s->eph_pub, other->eph_pub, &s->schedule) == SY_OK);
    sy_auth_msg auth;
    memcpy(auth.pubkey, s->sign_pub, sizeof auth.pubkey);
    (void)sign(s, s->schedule.challenge, sizeof s->schedule.challenge, auth.sig);
    suite->encode_auth(&auth, s->auth_msg);
}

static side *sides_of(const sy_suite *suite) {
    static suite_sides all[2];
    suite_sides *found = &all[suite == &sy_suite_cometbft];
    if (!found->is_ready) {
        FUZZ_CHECK(sodium_init() >= 0);
        side_init(&found->sides[0], suite, true);
        side_init(&found->sides[1], suite, false);
        FUZZ_CHECK(memcmp(found->sides[0].eph_pub, found->sides[1].eph_pub, 32) < 0);
        side_meet(&found->sides[0], suite, &found->sides[1]);
        side_meet(&found->sides[1], suite, &found->sides[0]);
        found->is_ready = true;
    }
    return found->sides;
}

void fuzz_hand_init(fuzz_hand *hand, const sy_suite *suite, unsigned order) {
    side *local = &sides_of(suite)[order % 2];
    const side *remote = &sides_of(suite)[1 - order % 2];
    *hand = (fuzz_hand){.suite = suite,
                        .local_signer = {.sign = sign, .user = local},
                        .local_eph_secret = local->eph_secret,
                        .local_pubkey = local->sign_pub,
                        .remote_pubkey = remote->sign_pub,
                        .challenge = remote->schedule.challenge,
                        .remote_eph_msg = remote->eph_msg,
                        .remote_auth_msg = remote->auth_msg};
    memcpy(hand->local_signer.pubkey, local->sign_pub, 32);
    memcpy(hand->send_key, remote->schedule.send.key, 32);
    memcpy(hand->send_nonce, remote->schedule.send.nonce, SY_NONCE_LEN);
    memcpy(hand->recv_key, remote->schedule.recv.key, 32);
    memcpy(hand->recv_nonce, remote->schedule.recv.nonce, SY_NONCE_LEN);
}

/* cometbft: 8 bytes little endian behind 4 zero ones, by 1.  secretbox: big endian, by 2. */
static void next_nonce(const sy_suite *suite, uint8_t nonce[SY_NONCE_LEN]) {
    if (suite == &sy_suite_cometbft) {
        sodium_increment(nonce + 4, 8);
        return;
    }
    uint8_t little[SY_NONCE_LEN];
    for (size_t i = 0; i < SY_NONCE_LEN; i++) {
        little[i] = nonce[SY_NONCE_LEN - 1 - i];
    }
    sodium_increment(little, sizeof little);
    sodium_increment(little, sizeof little);
    for (size_t i = 0; i < SY_NONCE_LEN; i++) {
        nonce[i] = little[SY_NONCE_LEN - 1 - i];
    }
}

/* Where byte i, lowest first, of the length stands. */
static unsigned header_at(const sy_suite *suite, unsigned i) {
    return suite == &sy_suite_cometbft ? i : 3 - i;
}

uint32_t fuzz_hand_declared(const sy_suite *suite, const uint8_t frame[SY_FRAME_LEN]) {
    uint32_t len = 0;
    for (unsigned i = 0; i < 4; i++) {
        len |= (uint32_t)frame[header_at(suite, i)] << 8 * i;
    }
    return len;
}

void fuzz_hand_frame(fuzz_hand *hand, uint32_t declared, sy_bytes data, uint8_t padding,
                     fuzz_bytes *wire) {
    uint8_t frame[SY_FRAME_LEN];
    uint8_t sealed[SY_SEALED_LEN];
    FUZZ_CHECK(data.len <= SY_FRAME_DATA_MAX);
    memset(frame, padding, sizeof frame);
    for (unsigned i = 0; i < 4; i++) {
        frame[header_at(hand->suite, i)] = (uint8_t)(declared >> 8 * i);
    }
    if (data.len > 0) {
        memcpy(frame + 4, data.data, data.len);
    }
    if (hand->suite == &sy_suite_cometbft) {
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, frame, sizeof frame, NULL, 0,
                                                        NULL, hand->send_nonce, hand->send_key);
    } else {
        (void)crypto_secretbox_easy(sealed, frame, sizeof frame, hand->send_nonce, hand->send_key);
    }
    next_nonce(hand->suite, hand->send_nonce);
    fuzz_bytes_add(wire, sealed, sizeof sealed);
}

void fuzz_hand_data(fuzz_hand *hand, sy_bytes data, fuzz_bytes *wire) {
    for (size_t at = 0; at < data.len; at += SY_FRAME_DATA_MAX) {
        const size_t left = data.len - at;
        const size_t n = left < SY_FRAME_DATA_MAX ? left : SY_FRAME_DATA_MAX;
        fuzz_hand_frame(hand, (uint32_t)n, (sy_bytes){data.data + at, n}, 0, wire);
    }
}

bool fuzz_hand_open(fuzz_hand *hand, const uint8_t sealed[SY_SEALED_LEN],
                    uint8_t ret_frame[SY_FRAME_LEN]) {
    const int failed = hand->suite == &sy_suite_cometbft
                           ? crypto_aead_chacha20poly1305_ietf_decrypt(
                                 ret_frame, NULL, NULL, sealed, SY_SEALED_LEN, NULL, 0,
                                 hand->recv_nonce, hand->recv_key)
                           : crypto_secretbox_open_easy(ret_frame, sealed, SY_SEALED_LEN,
                                                        hand->recv_nonce, hand->recv_key);
    next_nonce(hand->suite, hand->recv_nonce);
    return failed == 0;
}

/* ---- the script ---- */

static void honest(fuzz_script *script, sy_bytes data) {
    script->empty = data.len > 0 ? 0 : script->empty;
    fuzz_bytes_add(&script->plain, data.data, data.len);
    if (script->hand != NULL) {
        fuzz_hand_data(script->hand, data, &script->wire);
    } else {
        fuzz_bytes_add(&script->wire, data.data, data.len);
    }
}

static void long_data(fuzz_script *script, fuzz_in *in) {
    static uint8_t data[UINT16_MAX];
    const size_t len = fuzz_u16(in);
    const sy_bytes head = fuzz_take(in, len);
    memcpy(data, fuzz_pattern(0), len);
    memcpy(data, head.data, head.len);
    honest(script, (sy_bytes){data, len});
}

/* Is the auth message through? */
static bool is_proven(const fuzz_script *script) {
    sy_rd rd;
    sy_rd_init(&rd, script->plain.data, script->plain.len);
    (void)sy_rd_len_bytes(&rd);
    return !script->has_proof || rd.err == SY_OK;
}

/* SPEC-TEST STS-19 CC-23 */
static void empty_frame(fuzz_script *script, uint8_t padding) {
    fuzz_hand_frame(script->hand, 0, (sy_bytes){NULL, 0}, padding, &script->wire);
    script->empty++;
    if (script->empty > SY_EMPTY_FRAMES_MAX || !is_proven(script)) {
        script->is_spoilt = true;
    }
}

static void declared_frame(fuzz_script *script, fuzz_in *in) {
    const uint32_t declared = fuzz_u32(in);
    const uint8_t padding = fuzz_u8(in);
    const sy_bytes data = fuzz_take(in, 8);
    uint8_t whole[SY_FRAME_DATA_MAX];
    memset(whole, padding, sizeof whole);
    memcpy(whole, data.data, data.len);
    if (declared == 0) {
        empty_frame(script, padding);
        return;
    }
    script->empty = 0;
    script->is_spoilt = script->is_spoilt || declared > sizeof whole;
    fuzz_hand_frame(script->hand, declared, data, padding, &script->wire);
    fuzz_bytes_add(&script->plain, whole, declared <= sizeof whole ? declared : 0);
}

static void spoil(fuzz_script *script, uint8_t op, fuzz_in *in) {
    fuzz_bytes *wire = &script->wire;
    const size_t at = fuzz_u16(in);
    script->is_spoilt = true;
    if (op == 0xe2 && wire->len > 0) {
        wire->data[at % wire->len] ^= (uint8_t)(1 << fuzz_u8(in) % 8);
    } else if (op == 0xe3) {
        const sy_bytes raw = fuzz_take(in, at);
        fuzz_bytes_add(wire, raw.data, raw.len);
    } else if (op == 0xe4) {
        wire->len -= at < wire->len ? at : wire->len;
    } else if (op == 0xe5 && wire->len >= SY_SEALED_LEN) {
        uint8_t last[SY_SEALED_LEN];
        memcpy(last, wire->data + wire->len - SY_SEALED_LEN, sizeof last);
        fuzz_bytes_add(wire, last, sizeof last);
    }
}

void fuzz_script_step(fuzz_script *script, uint8_t op, fuzz_in *in) {
    FUZZ_CHECK(op < FUZZ_SCRIPT_OPS);
    if (script->plain.len > DATA_MAX) {
        return;
    }
    if (op < 0xe0) {
        honest(script, fuzz_take(in, (size_t)op + 1));
    } else if (op == 0xe0) {
        long_data(script, in);
    } else if (op >= 0xe2 && op <= 0xe5) {
        spoil(script, op, in);
    } else if (script->hand != NULL && op == 0xe1) {
        declared_frame(script, in);
    } else if (script->hand != NULL && op == 0xef) {
        honest(script,
               (sy_bytes){script->hand->remote_auth_msg, script->hand->suite->auth_msg_len});
    } else if (script->hand != NULL) {
        empty_frame(script, op);
    }
}

void fuzz_script_free(fuzz_script *script) {
    fuzz_bytes_free(&script->wire);
    fuzz_bytes_free(&script->plain);
}
