/* SPDX-License-Identifier: Apache-2.0 */
/* The secret connection: handshake and frames of one connection, for both suites.  Sans-I/O, knows
 * no NodeInfo and no packets: bytes in, one event at a time out.
 *
 *   us                                 them
 *   ephemeral key        ----------->
 *                        <-----------  ephemeral key        (either may come first)
 *   [auth message]       ----------->                       [ ] = in sealed frames
 *                        <-----------  [auth message]
 *   [plaintext stream]   <---------->  [plaintext stream]
 *
 * States: AWAIT_EPHEMERAL -> AWAIT_AUTH -> OPEN -> (FAILED).  There is no timer in here: deadlines
 * of the handshake belong to the session.  A fatal error is sticky: afterwards every call but del
 * returns it again.
 *
 * Sources: docs/spec/handshake-secretbox.md, docs/spec/handshake-cometbft.md. */
#ifndef SY_CONN_SECRET_CONN_H
#define SY_CONN_SECRET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/mem.h>

#include "conn/limits.h"
#include "conn/scratch.h"

#define SY_CONN_KEY_LEN 32
#define SY_CONN_SIG_LEN 64

/* Who we are, without the private key: its public half and a way to have a challenge signed.
 * Copied; user borrows until the connection is deleted. */
typedef struct sy_signer {
    uint8_t pubkey[SY_CONN_KEY_LEN];
    sy_err (*sign)(void *user, const uint8_t *msg, size_t len, uint8_t ret_sig[SY_CONN_SIG_LEN]);
    void *user;
} sy_signer;

/* The suites; defined in suite_secretbox.c and suite_cometbft.c. */
typedef struct sy_suite sy_suite;
extern const sy_suite sy_suite_secretbox;
extern const sy_suite sy_suite_cometbft;

typedef struct sy_secret_conn sy_secret_conn;

typedef enum sy_sc_event_kind {
    SY_SC_NONE,          /* all input consumed (or kept), nothing to report */
    SY_SC_AUTHENTICATED, /* the remote proved that it holds remote_pubkey */
    SY_SC_DATA,          /* plaintext */
} sy_sc_event_kind;

typedef struct sy_sc_event {
    sy_sc_event_kind kind;
    uint8_t remote_pubkey[SY_CONN_KEY_LEN]; /* AUTHENTICATED */
    uint8_t *plain; /* DATA: contiguous; borrows until the next call on any conn of the loop */
    size_t plain_len;
} sy_sc_event;

/* eph_secret: 32 random bytes from the driver, copied; the caller wipes its own.  mem is copied by
 * pointer (borrows until del), budget borrows until del.  Costs less than 2 KiB until OPEN and
 * less than 512 bytes afterwards, plus a partial frame while one is incomplete.
 *   SY_ERR_NOMEM, SY_ERR_LIMIT */
sy_err sy_secret_conn_new(const sy_mem *mem, sy_budget *budget, const sy_suite *suite,
                          const sy_signer *signer, const uint8_t eph_secret[SY_CONN_KEY_LEN],
                          sy_secret_conn **ret_conn) __attribute__((warn_unused_result));

/* Wipes all keys.  NULL is allowed. */
void sy_secret_conn_del(sy_secret_conn *conn);

/* Feeds received bytes.  Consumes *ret_consumed <= in_len of them and reports at most one event;
 * the caller calls again until everything is consumed.  A batch of up to SY_OPEN_BATCH frames gives
 * one DATA event; a frame cut by the end of the input is kept.  `in` is not modified.
 * When data follows the auth message in its frame, AUTHENTICATED leaves the last byte of the frame
 * unconsumed (*ret_consumed may then be 0), and the next call with that byte gives the DATA.
 * A bad frame behind good ones: the good ones are reported, and the next call fails.
 * On failure nothing is reported and the object is dead; detail (may be NULL) has the particulars,
 * or is empty.
 *   SY_ERR_EPH_LENGTH, EPH_MALFORMED, EPH_LOW_ORDER, EPH_REFLECTED
 *   SY_ERR_AUTH_TOO_LONG, AUTH_MALFORMED, AUTH_NO_KEY, AUTH_NO_SIG, AUTH_KEY_TYPE, AUTH_SIG_TYPE,
 *          AUTH_SIG, VARINT_MINIMAL
 *   SY_ERR_FRAME_TAG, FRAME_LENGTH, FRAME_EMPTY, NONCE_EXHAUSTED
 *   SY_ERR_NOMEM, LIMIT, CRYPTO_LIB */
sy_err sy_secret_conn_recv(sy_secret_conn *conn, sy_scratch *scratch, const uint8_t *in,
                           size_t in_len, size_t *ret_consumed, sy_sc_event *ret_event,
                           sy_detail *detail) __attribute__((warn_unused_result));

/* Writes handshake bytes that are due (ephemeral key, sealed auth message) into out, both when both
 * are due and fit; *ret_len 0 when none are.  out_cap >= SY_SEALED_LEN.  Destroys the plaintext
 * area of the scratch.
 *   the signer's error, SY_ERR_CRYPTO_LIB; both are sticky */
sy_err sy_secret_conn_send(sy_secret_conn *conn, sy_scratch *scratch, uint8_t *out, size_t out_cap,
                           size_t *ret_len) __attribute__((warn_unused_result));

/* Handshake bytes are due. */
bool sy_secret_conn_wants_send(const sy_secret_conn *conn);

/* Both halves of the handshake are done: seal may be called. */
bool sy_secret_conn_is_open(const sy_secret_conn *conn);

/* Nothing of a frame or handshake message is pending, nor data behind the auth message: a
 * half-close here is clean.  False after an error. */
bool sy_secret_conn_at_boundary(const sy_secret_conn *conn);

/* Seals plain_len bytes (1 .. SY_SCRATCH_PLAIN_OUT_CAP) that stand in sy_scratch_plain_out() into
 * ceil(plain_len / 1024) frames at out.  Padding is zero.  Destroys the plaintext area.
 *   SY_ERR_NO_SPACE  out_cap too small, nothing happened;  SY_ERR_NONCE_EXHAUSTED, CRYPTO_LIB */
sy_err sy_secret_conn_seal(sy_secret_conn *conn, sy_scratch *scratch, size_t plain_len,
                           uint8_t *out, size_t out_cap, size_t *ret_len)
    __attribute__((warn_unused_result));

#endif
