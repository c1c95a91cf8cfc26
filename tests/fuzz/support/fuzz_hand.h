/* SPDX-License-Identifier: Apache-2.0 */
/* The remote of a secret connection, done by hand: fixed keys (those of the vector files, so that
 * their rows are seeds), frames sealed and opened with libsodium alone, and the script that turns
 * input bytes into honest and dishonest frames.  Only the key schedule comes from the code under
 * test, once per suite and order of the ephemeral keys. */
#ifndef SY_TESTS_FUZZ_HAND_H
#define SY_TESTS_FUZZ_HAND_H

#include "conn/suite.h"
#include "tests/fuzz/support/fuzz.h"

typedef struct fuzz_hand {
    const sy_suite *suite;
    sy_signer local_signer; /* for the connection under test */
    const uint8_t *local_eph_secret;
    const uint8_t *local_pubkey;
    const uint8_t *remote_pubkey; /* ours */
    const uint8_t *challenge;
    const uint8_t *remote_eph_msg;
    const uint8_t *remote_auth_msg; /* honest, suite->auth_msg_len bytes */
    uint8_t send_key[32];
    uint8_t send_nonce[SY_NONCE_LEN];
    uint8_t recv_key[32];
    uint8_t recv_nonce[SY_NONCE_LEN];
} fuzz_hand;

/* order: which of the two key pairs the connection under test has, 0 the lower ephemeral key. */
void fuzz_hand_init(fuzz_hand *hand, const sy_suite *suite, unsigned order);

/* One sealed frame that declares `declared` bytes, has these ones, then padding. */
void fuzz_hand_frame(fuzz_hand *hand, uint32_t declared, sy_bytes data, uint8_t padding,
                     fuzz_bytes *wire);

/* data in as many frames as it takes. */
void fuzz_hand_data(fuzz_hand *hand, sy_bytes data, fuzz_bytes *wire);

/* Opens a frame of the connection under test; false when its tag is wrong. */
bool fuzz_hand_open(fuzz_hand *hand, const uint8_t sealed[SY_SEALED_LEN],
                    uint8_t ret_frame[SY_FRAME_LEN]);

/* The length that a frame declares. */
uint32_t fuzz_hand_declared(const sy_suite *suite, const uint8_t frame[SY_FRAME_LEN]);

/* ---- the script ---- */

#define FUZZ_SCRIPT_OPS 0xf0 /* operations from here on belong to the target */

typedef struct fuzz_script {
    fuzz_hand *hand;  /* NULL: no sealing, data goes out as it is */
    fuzz_bytes wire;  /* bytes not yet fed */
    fuzz_bytes plain; /* all data of honest frames, in order */
    bool is_spoilt;   /* no receiver has to take this */
    bool has_proof; /* plain begins with an auth message, and no empty frame may stand before it */
    unsigned empty; /* empty frames in a row */
} fuzz_script;

/* Carries out the operation op (< FUZZ_SCRIPT_OPS):
 *   00..df  a frame with the next op + 1 bytes
 *   e0      long data: a length of two bytes, then up to that much, then a pattern
 *   e1      a frame that declares a length of four bytes, with the next 8 bytes and padding
 *   e2      flips a bit of what waits on the wire      e3  the next bytes, unsealed
 *   e4      cuts the end of what waits                 e5  the last 1044 bytes once more
 *   e6..ee  an empty frame                            ef  a frame with the honest proof */
void fuzz_script_step(fuzz_script *script, uint8_t op, fuzz_in *in);
void fuzz_script_free(fuzz_script *script);

#endif
