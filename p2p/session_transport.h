/* SPDX-License-Identifier: Apache-2.0 */
/* What carries the plaintext stream of a session over the bytes of its connection:
 *
 *   sealed  a secret connection: handshake, then frames; proves who the remote is
 *   bare    nothing at all: the bytes are the plaintext, and nobody is proven
 *
 * The session above sees one interface and never asks which of the two it has. */
#ifndef SY_P2P_SESSION_TRANSPORT_H
#define SY_P2P_SESSION_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/node_id.h>

#include "base/rd.h"
#include "p2p/session.h"

typedef enum sy_transport_event_kind {
    SY_TRANSPORT_NONE,
    SY_TRANSPORT_PROVEN, /* the remote proved its ID */
    SY_TRANSPORT_DATA,   /* plaintext */
} sy_transport_event_kind;

typedef struct sy_transport_event {
    sy_transport_event_kind kind;
    sy_node_id id;  /* PROVEN */
    sy_bytes plain; /* DATA, never empty: borrows until the next call on any session of the loop */
} sy_transport_event;

typedef struct sy_transport_ops sy_transport_ops;

/* Embedded in the session. */
typedef struct sy_transport {
    const sy_transport_ops *ops;
    sy_scratch *scratch;    /* borrowed */
    sy_secret_conn *secret; /* owned; sealed only */
} sy_transport;

struct sy_transport_ops {
    const sy_suite *suite; /* sealed only */
    bool proves_id;        /* PROVEN comes before any DATA */

    /*   NOMEM, LIMIT */
    sy_err (*init)(sy_transport *transport, const sy_session_config *config);
    void (*fini)(sy_transport *transport);

    /* As sy_secret_conn_recv: consumes some, reports at most one event, may leave a byte so that
     * the caller comes back. */
    sy_err (*recv)(sy_transport *transport, const uint8_t *in, size_t in_len, size_t *ret_consumed,
                   sy_transport_event *ret_event, sy_detail *detail);

    /* Bytes of its own handshake. */
    bool (*wants_send)(const sy_transport *transport);
    sy_err (*send)(sy_transport *transport, uint8_t *out, size_t out_cap, size_t *ret_len);

    /* Plaintext may be written. */
    bool (*is_open)(const sy_transport *transport);

    /* Where to write plaintext that will leave through out, and how much. */
    uint8_t *(*plain_area)(const sy_transport *transport, uint8_t *out, size_t out_cap,
                           size_t *ret_cap);

    /* Turns the plain_len > 0 bytes in that area into *ret_len bytes for the wire at out. */
    sy_err (*emit)(sy_transport *transport, size_t plain_len, uint8_t *out, size_t out_cap,
                   size_t *ret_len);

    /* Nothing of a handshake message or frame is pending. */
    bool (*at_boundary)(const sy_transport *transport);
};

extern const sy_transport_ops sy_transport_secretbox;
extern const sy_transport_ops sy_transport_cometbft;
extern const sy_transport_ops sy_transport_bare;

#endif
