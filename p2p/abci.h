/* SPDX-License-Identifier: Apache-2.0 */
/* The few ABCI socket messages that a peer filter needs, in the three dialects of the Tendermint
 * family: Echo, Flush and Query to the application, and its answers.  Bytes only: no connection, no
 * state (abci_client.h has both), no allocation.
 *
 *     sy_wr_init(&wr, out, cap);
 *     sy_abci_write_query(&wr, SY_ABCI_0_38, path, strlen(path));
 *     sy_abci_write_flush(&wr, SY_ABCI_0_38);          // without it no answer comes
 *
 *     err = sy_abci_read(SY_ABCI_0_38, in, len, &answer, &used);   // used 0: more bytes are needed
 *
 * What differs between the dialects is the length in front of each message (twice the length in the
 * older ones) and the numbers of the requests.  Any thread.  Source: docs/spec/abci.md. */
#ifndef SY_P2P_ABCI_H
#define SY_P2P_ABCI_H

#include <stddef.h>
#include <stdint.h>

#include <switchyard/app_filter.h>
#include <switchyard/err.h>

#include "base/rd.h"
#include "base/wr.h"

#define SY_ABCI_RESPONSE_MAX 65536 /* bytes of an answer; what a filter needs is a number */
#define SY_ABCI_PREFIX_MAX   10    /* bytes of its length */

/* Bytes that one request with its flush takes at most, path included. */
#define SY_ABCI_PATH_MAX    96
#define SY_ABCI_REQUEST_MAX (SY_ABCI_PATH_MAX + 32)

#define SY_ABCI_ECHO_TEXT   "switchyard"

typedef enum sy_abci_kind {
    SY_ABCI_OTHER, /* none of these: an answer that we never asked for */
    SY_ABCI_EXCEPTION,
    SY_ABCI_ECHO,
    SY_ABCI_FLUSH,
    SY_ABCI_QUERY,
} sy_abci_kind;

typedef struct sy_abci_answer {
    sy_abci_kind kind;
    uint32_t code; /* QUERY: 0 is consent */
    sy_bytes text; /* EXCEPTION: what went wrong; ECHO: the text; QUERY: log, else info; borrows */
} sy_abci_answer;

/* "0.22", "0.34", "0.38"; static. */
const char *sy_abci_dialect_name(sy_abci_dialect dialect);

void sy_abci_write_echo(sy_wr *wr, sy_abci_dialect dialect);
void sy_abci_write_flush(sy_wr *wr, sy_abci_dialect dialect);
/* path_len <= SY_ABCI_PATH_MAX. */
void sy_abci_write_query(sy_wr *wr, sy_abci_dialect dialect, const char *path, size_t path_len);

/* The answer at the start of the input; *ret_used 0 while it is not complete.  The message is read
 * strictly: an answer that says two things is none.
 *   SY_ERR_VARINT            the length is no number
 *   SY_ERR_FIELD_LENGTH      negative, or more than SY_ABCI_RESPONSE_MAX
 *   SY_ERR_TRUNCATED, FIELD_NUMBER, FIELD_TYPE, FIELD_RANGE, FIELD_REPEATED */
sy_err sy_abci_read(sy_abci_dialect dialect, const uint8_t *data, size_t len,
                    sy_abci_answer *ret_answer, size_t *ret_used)
    __attribute__((warn_unused_result));

#endif
