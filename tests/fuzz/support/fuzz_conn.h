/* SPDX-License-Identifier: Apache-2.0 */
/* A secret connection under test: feeds it, checks what every call must keep, and notes what it
 * reports. */
#ifndef SY_TESTS_FUZZ_CONN_H
#define SY_TESTS_FUZZ_CONN_H

#include "conn/scratch.h"
#include "conn/secret_conn.h"
#include "tests/fuzz/support/fuzz_hand.h"

/* One for the whole program. */
sy_scratch *fuzz_scratch(void);

typedef struct fuzz_conn {
    fuzz_world world;
    sy_secret_conn *conn; /* NULL when memory did not suffice */
    sy_err err;           /* of the first call that failed */
    bool is_authenticated;
    uint8_t remote_pubkey[SY_CONN_KEY_LEN];
    fuzz_bytes received; /* plaintext */
    fuzz_bytes sent;     /* wire */
} fuzz_conn;

/* The first bytes of in decide about memory. */
void fuzz_conn_init(fuzz_conn *fc, const sy_suite *suite, const sy_signer *signer,
                    const uint8_t eph_secret[32], fuzz_in *in);
void fuzz_conn_fini(fuzz_conn *fc);

/* Feeds len bytes; goes on until all are consumed or it fails. */
void fuzz_conn_feed(fuzz_conn *fc, const uint8_t *data, size_t len);

/* Feeds the first len bytes of wire and drops them there. */
void fuzz_conn_feed_from(fuzz_conn *fc, fuzz_bytes *wire, size_t len);

/* Takes the handshake bytes that are due. */
void fuzz_conn_send(fuzz_conn *fc);

#endif
