/* SPDX-License-Identifier: Apache-2.0 */
/* What a handshake suite has to bring: the encodings of the two handshake messages, the key
 * schedule, and a frame cipher that works on batches (so that a multi-buffer cipher can slip in
 * behind it).  Internal to conn/. */
#ifndef SY_CONN_SUITE_H
#define SY_CONN_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn/scratch.h"
#include "conn/secret_conn.h"

#define SY_NONCE_LEN 24

/* One direction of a connection. */
typedef struct sy_frame_key {
    uint8_t key[32];
    uint8_t nonce[SY_NONCE_LEN]; /* of the next frame; cometbft uses the first 12 bytes */
    uint8_t subkey[32];          /* secretbox: HSalsa20(key, nonce[0..15]) */
    bool subkey_valid;           /* secretbox: subkey belongs to the present nonce */
} sy_frame_key;

typedef struct sy_key_schedule {
    sy_frame_key send;
    sy_frame_key recv;
    uint8_t challenge[32];
} sy_key_schedule;

typedef struct sy_auth_msg {
    uint8_t pubkey[SY_CONN_KEY_LEN];
    uint8_t sig[SY_CONN_SIG_LEN];
} sy_auth_msg;

/* Frames opened one after the other into one plaintext, and the rules that both suites share. */
typedef struct sy_frame_run {
    size_t frames;      /* opened so far */
    size_t len;         /* bytes of data so far */
    unsigned empty;     /* frames without data in a row, carried over from run to run */
    unsigned empty_max; /* inclusive limit of empty; 0 while the auth message is awaited */
    uint32_t declared;  /* length that the last frame declared, for the error line */
} sy_frame_run;

/* Takes a frame that declares data_len bytes into the run.
 *   SY_ERR_FRAME_LENGTH, SY_ERR_FRAME_EMPTY  frames, len and empty are as before */
sy_err sy_frame_run_accept(sy_frame_run *run, uint32_t data_len)
    __attribute__((warn_unused_result));

/* Takes `frames` opened frames into the run, whose data areas stand back to back at out + run->len
 * and which declare data_len[i] bytes; closes the gaps that short frames leave.  Stops at the first
 * one that is not accepted and wipes it and what is behind it; *ret_taken is their number.
 *   SY_ERR_FRAME_LENGTH, SY_ERR_FRAME_EMPTY */
sy_err sy_frame_run_take(sy_frame_run *run, uint8_t *out, const uint32_t *data_len, size_t frames,
                         size_t *ret_taken) __attribute__((warn_unused_result));

/* x * remote_pub on Curve25519.
 *   SY_ERR_EPH_REFLECTED  remote_pub is our own;  SY_ERR_EPH_LOW_ORDER */
sy_err sy_x25519(const uint8_t eph_secret[32], const uint8_t eph_pub[32],
                 const uint8_t remote_pub[32], uint8_t ret_shared[32])
    __attribute__((warn_unused_result));

struct sy_suite {
    const char *name;
    size_t eph_msg_len;  /* bytes of an ephemeral key message: 34, 35 */
    size_t auth_msg_len; /* bytes of an auth message with its prefix: 111, 103 */

    /* Writes eph_msg_len bytes. */
    void (*encode_ephemeral)(const uint8_t pub[32], uint8_t *out);

    /* Looks at the start of the stream; *ret_used is 0 while bytes are missing.  A wrong message is
     * refused as soon as its bytes show it, not when it is complete.
     *   SY_ERR_EPH_LENGTH, EPH_MALFORMED */
    sy_err (*decode_ephemeral)(const uint8_t *in, size_t len, size_t *ret_used, uint8_t ret_pub[32],
                               sy_detail *detail);

    /* Shared secret -> keys, nonces, challenge.  Wipes what it derives on the way.
     *   SY_ERR_EPH_LOW_ORDER, EPH_REFLECTED, CRYPTO_LIB */
    sy_err (*derive)(const uint8_t eph_secret[32], const uint8_t eph_pub[32],
                     const uint8_t remote_pub[32], sy_key_schedule *ret_keys);

    /* Writes auth_msg_len bytes. */
    void (*encode_auth)(const sy_auth_msg *auth, uint8_t *out);

    /* Body of the auth message, without its length prefix.
     *   SY_ERR_AUTH_MALFORMED, AUTH_NO_KEY, AUTH_NO_SIG, AUTH_KEY_TYPE, AUTH_SIG_TYPE */
    sy_err (*decode_auth)(const uint8_t *body, size_t len, sy_auth_msg *ret_auth,
                          sy_detail *detail);

    /* Seals plain_len >= 1 bytes into frames at out, back to back.  The frame's length is written
     * into the bytes in front of its data: headroom for the first frame (SY_SCRATCH_HEADROOM bytes
     * are writable there), data that is already sealed for the others.  Padding is zeroed in place,
     * so plain must be writable up to a multiple of 1024.  Advances the nonce per frame.
     *   SY_ERR_NONCE_EXHAUSTED  nothing was sealed;  SY_ERR_CRYPTO_LIB */
    sy_err (*seal)(sy_frame_key *key, sy_scratch *scratch, uint8_t *plain, size_t plain_len,
                   uint8_t *out);

    /* Opens up to count frames of in and appends their data to out + run->len; bytes in front of
     * that place are saved and restored (SY_SCRATCH_HEADROOM are writable before out), and 1024
     * must be writable behind it for each frame.  Stops at the first bad frame, whose bytes are
     * wiped from out: run tells how many were good, and key stands at the bad one.
     *   SY_ERR_FRAME_TAG, FRAME_LENGTH, FRAME_EMPTY, NONCE_EXHAUSTED, CRYPTO_LIB */
    sy_err (*open)(sy_frame_key *key, sy_scratch *scratch, const uint8_t *in, size_t count,
                   uint8_t *out, sy_frame_run *run);
};

/* Always false, but for deliberate faults: a refused authentication message is taken. */
bool sy_suite_forgives(sy_err err);

#endif
