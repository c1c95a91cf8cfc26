/* SPDX-License-Identifier: Apache-2.0 */
/* What a handshake suite has to bring: the encodings of the two handshake messages, the key
 * schedule, and a frame cipher that works on batches (so that a multi-buffer cipher can slip in
 * behind it).  Internal to conn/. */
#ifndef SY_CONN_SUITE_H
#define SY_CONN_SUITE_H

#include "base/rd.h"
#include "conn/scratch.h"
#include "conn/secret_conn.h"

#define SY_NONCE_LEN 24

/* One direction of a connection. */
typedef struct sy_frame_key {
    uint8_t key[32];
    uint8_t nonce[SY_NONCE_LEN]; /* secretbox: the 24-byte nonce of the next frame; cometbft: the
                                  * first 12 bytes */
    uint8_t subkey[32];          /* secretbox: HSalsa20(key, nonce[0..15]) */
    bool subkey_valid;
} sy_frame_key;

typedef struct sy_key_schedule {
    sy_frame_key send;
    sy_frame_key recv;
    uint8_t challenge[32];
} sy_key_schedule;

typedef struct sy_auth_msg {
    uint8_t pubkey[32];
    uint8_t sig[64];
} sy_auth_msg;

struct sy_suite {
    const char *name;
    size_t eph_msg_len;   /* bytes of an ephemeral key message: 34, 35 */
    size_t auth_msg_len;  /* bytes of an auth message with its prefix: 111, 103 */

    /* Writes eph_msg_len bytes. */
    void (*encode_ephemeral)(const uint8_t pub[32], uint8_t *out);

    /* Looks at the start of the stream: SY_PREFIX_MORE semantics through *ret_used == 0 with SY_OK.
     * A wrong message is refused as soon as its bytes show it, not when it is complete. */
    sy_err (*decode_ephemeral)(const uint8_t *in, size_t len, size_t *ret_used,
                               uint8_t ret_pub[32], sy_detail *detail);

    /* Shared secret -> keys, nonces, challenge.  Wipes what it derives on the way.
     *   EPH_LOW_ORDER, EPH_REFLECTED, CRYPTO_LIB */
    sy_err (*derive)(const uint8_t eph_secret[32], const uint8_t eph_pub[32],
                     const uint8_t remote_pub[32], sy_key_schedule *ret_keys);

    /* Writes auth_msg_len bytes. */
    void (*encode_auth)(const sy_auth_msg *auth, uint8_t *out);

    /* Body of the auth message, without its length prefix. */
    sy_err (*decode_auth)(const uint8_t *body, size_t len, sy_auth_msg *ret_auth,
                          sy_detail *detail);

    /* count frames, each 1028 bytes of plaintext: frame i's data is at plain + i * 1024 and its
     * 4-byte length header is written into the 4 bytes in front of it (headroom for i = 0); the
     * last frame's data ends at plain_len, its padding is zeroed.  Advances the nonce per frame. */
    sy_err (*seal)(sy_frame_key *key, sy_scratch *scratch, uint8_t *plain, size_t plain_len,
                   uint8_t *out);

    /* Opens count sealed frames of in into one contiguous plaintext at out (out - 4 is writable, out
     * has count * 1024 + 1028 bytes).  *ret_len gets the sum of the data, *ret_empty the number of
     * frames without data that end the run (0 when the last had data).  Stops at the first bad frame: nothing of
     * the batch is delivered.   FRAME_TAG, FRAME_LENGTH, NONCE_EXHAUSTED, CRYPTO_LIB */
    sy_err (*open)(sy_frame_key *key, sy_scratch *scratch, const uint8_t *in, size_t count,
                   uint8_t *out, size_t *ret_len, size_t *ret_empty);
};

#endif
