/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the secret connection share: a connection under test with its allocator, budget
 * and a log of its events ("side"), and a peer played by hand that can send anything ("hand").  The
 * hand seals with libsodium's own constructions, not with the code under test. */
#ifndef SY_TESTS_SECRET_CONN_RIG_H
#define SY_TESTS_SECRET_CONN_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn/secret_conn.h"
#include "conn/suite.h"
#include "tests/support/test_mem.h"

#define RIG_SUITES 2
extern const sy_suite *const rig_suites[RIG_SUITES];

/* Growable bytes. */
typedef struct rig_bytes {
    uint8_t *data;
    size_t len;
    size_t cap;
} rig_bytes;

void rig_bytes_add(rig_bytes *bytes, const void *data, size_t len);
void rig_bytes_free(rig_bytes *bytes);

/* A node key and an ephemeral key. */
typedef struct rig_keys {
    uint8_t sign_secret[64];
    uint8_t sign_pub[32];
    uint8_t eph_secret[32];
    uint8_t eph_pub[32];
} rig_keys;

void rig_keys_init(rig_keys *keys, const uint8_t seed[32], const uint8_t eph_secret[32]);

/* Keys number n: the seed is n repeated, the ephemeral secret 0x11 * n repeated. */
void rig_keys_numbered(rig_keys *keys, uint8_t n);

typedef struct rig_side {
    test_mem tm;
    sy_budget budget;
    sy_scratch *scratch; /* borrowed */
    rig_keys keys;
    sy_err sign_err; /* what the signer answers */
    sy_secret_conn *conn;
    /* Log. */
    rig_bytes plain;
    unsigned auth_events;
    unsigned data_events;
    size_t plain_at_auth; /* bytes of data before AUTHENTICATED */
    uint8_t remote_pubkey[32];
    sy_err err; /* of the last call that failed */
    sy_detail detail;
} rig_side;

/* new must succeed. */
void rig_side_init(rig_side *side, const sy_suite *suite, sy_scratch *scratch,
                   const rig_keys *keys);

/* The same without asserting that new succeeds; fail_at as in test_mem. */
sy_err rig_side_try(rig_side *side, const sy_suite *suite, sy_scratch *scratch,
                    const rig_keys *keys, size_t fail_at, size_t budget_limit);

/* Asserts that nothing is live and nothing charged. */
void rig_side_fini(rig_side *side);

/* Appends the handshake bytes that are due. */
sy_err rig_side_send(rig_side *side, rig_bytes *out);

/* Feeds all of data in pieces of at most `piece` bytes, each from a heap block of its own size, and
 * logs the events; stops at an error. */
sy_err rig_side_feed(rig_side *side, const void *data, size_t len, size_t piece);

/* Seals len bytes and appends the frames. */
sy_err rig_side_seal(rig_side *side, const void *data, size_t len, rig_bytes *out);

/* Both ways until both are open. */
void rig_shake(rig_side *a, rig_side *b, size_t piece);

typedef struct rig_hand {
    const sy_suite *suite;
    rig_keys keys;
    sy_key_schedule schedule;
} rig_hand;

/* Knows the remote's ephemeral key from the start. */
void rig_hand_init(rig_hand *hand, const sy_suite *suite, const rig_keys *keys,
                   const uint8_t remote_eph_pub[32]);

/* Appends the ephemeral key message. */
void rig_hand_ephemeral(const rig_hand *hand, rig_bytes *out);

/* Appends one sealed frame that declares data_len bytes, begins with the bytes of data, and is
 * filled up with `padding`. */
void rig_hand_frame(rig_hand *hand, uint32_t data_len, const void *data, size_t have,
                    uint8_t padding, rig_bytes *out);

/* Appends a frame with len bytes. */
void rig_hand_data(rig_hand *hand, const void *data, size_t len, rig_bytes *out);

/* Writes the honest auth message (auth_msg_len bytes). */
void rig_hand_auth(const rig_hand *hand, uint8_t *out);

/* Opens one frame of the side by libsodium and returns its plaintext (1028 bytes); false when the
 * tag is wrong. */
bool rig_hand_open(rig_hand *hand, const uint8_t *sealed, uint8_t *ret_frame);

/* Side 1 against hand 2, handshake done on both ends; the side's answers are opened and checked. */
void rig_open_against_hand(rig_side *side, rig_hand *hand, const sy_suite *suite,
                           sy_scratch *scratch);

#endif
