/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to an ABCI application, for questions about peers: finds out which dialect the
 * application speaks, keeps questions until they can be asked, has several of them on their way,
 * and wants the connection made anew when it is lost.  Sans-I/O: the owner opens and closes a
 * stream and moves its bytes.
 *
 *     wants_stream --> on_opening --> on_open --> recv/send ... --> on_closed --> (back-off) -->
 * ...
 *
 *     WAITING -> OPENING -> PROBING -> READY        from each of the last three back to WAITING
 *
 * PROBING sends Echo and Flush in one dialect.  The echo proves it; another answer, the end of the
 * stream or silence means the next dialect.  recv and on_expiry return an error when the stream
 * must be given up: the owner closes it and calls on_closed.
 *
 * A question has no deadline of its own here: its owner cancels it.  One that is on its way stays
 * in the order of the answers until its answer came; after SY_ABCI_STALL without any, the stream is
 * given up.  Questions that are open when the stream ends are asked again; the one that was next to
 * be answered only once, because it may be what ends the streams.
 *
 * Loop thread only.  Source: docs/spec/abci.md. */
#ifndef SY_P2P_ABCI_CLIENT_H
#define SY_P2P_ABCI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/mem.h>
#include <switchyard/verdict.h>

#include "base/buf.h"
#include "base/prng.h"
#include "p2p/abci.h"
#include "p2p/backoff.h"

#define SY_ABCI_QUESTIONS_MAX 1024 /* open at once; one more is refused an answer */
#define SY_ABCI_FLIGHT_MAX    64   /* sent and not answered: what a hung application can hold */
#define SY_ABCI_LOSSES_MAX    2    /* streams that may end at one question */
#define SY_ABCI_OPEN_TIMEOUT  (3 * SY_SEC)
#define SY_ABCI_PROBE_FIRST   SY_SEC       /* for the echo; doubles with every fruitless round */
#define SY_ABCI_PROBE_CAP     (8 * SY_SEC) /* of it */
#define SY_ABCI_STALL         (10 * SY_SEC)
#define SY_ABCI_RETRY_FIRST   (100 * SY_MSEC) /* back-off; an application is near */
#define SY_ABCI_RETRY_CAP     (2 * SY_SEC)

typedef enum sy_abci_state {
    SY_ABCI_WAITING, /* for the instant of the next attempt */
    SY_ABCI_OPENING,
    SY_ABCI_PROBING,
    SY_ABCI_READY,
} sy_abci_state;

typedef struct sy_abci_entry {
    sy_question_ref ref;
    sy_endpoint remote;
    sy_node_id id;
    bool cancelled; /* sent; its answer interests nobody any more */
    uint8_t losses; /* times that the stream ended when this one was next to be answered */
    sy_time sent_at;
} sy_abci_entry;

/* Open struct, embedded in its owner; members are private. */
typedef struct sy_abci_client {
    const sy_mem *mem;
    sy_abci_state state;
    sy_abci_dialect order[SY_ABCI_DIALECT_COUNT]; /* in which they are tried */
    size_t order_count;
    size_t at;     /* of them, the current one */
    bool is_known; /* order[0] has been proven */
    bool echo_sent;
    sy_duration probe_timeout;
    sy_time deadline;    /* of the state */
    sy_time answered_at; /* the last answer */
    sy_backoff backoff;
    sy_prng prng;
    sy_buf in;
    size_t in_done;         /* bytes of `in` that were read; the last event borrows from them */
    sy_abci_entry *entries; /* the first sent_count are on their way, in order */
    size_t count;
    size_t sent_count;
} sy_abci_client;

typedef enum sy_abci_event_kind {
    SY_ABCI_EVENT_NONE,
    SY_ABCI_EVENT_READY, /* the dialect is proven */
    SY_ABCI_EVENT_ANSWER,
} sy_abci_event_kind;

typedef struct sy_abci_event {
    sy_abci_event_kind kind;
    sy_question_ref ref; /* ANSWER */
    sy_verdict verdict;  /* ANSWER: ADMIT, REFUSE, or NONE after an exception */
    uint32_t code;       /* ANSWER */
    sy_bytes text;       /* ANSWER: log or error; borrows until the next call */
} sy_abci_event;

/* dialect AUTO: `first` is tried first.  The first attempt is due at `now`.  mem and budget borrow
 * until fini.
 *   SY_ERR_NOMEM */
sy_err sy_abci_client_init(sy_abci_client *client, sy_abci_dialect dialect, sy_abci_dialect first,
                           const sy_mem *mem, sy_budget *budget, uint64_t seed, sy_time now)
    __attribute__((warn_unused_result));
void sy_abci_client_fini(sy_abci_client *client);

/* ---- Questions ---- */

/*   SY_ERR_LIMIT  SY_ABCI_QUESTIONS_MAX are open */
sy_err sy_abci_client_ask(sy_abci_client *client, const sy_question *question)
    __attribute__((warn_unused_result));

/* Nothing more is reported of it.  Harmless when it is not open. */
void sy_abci_client_cancel(sy_abci_client *client, sy_question_ref ref);

/* ---- The stream ---- */

bool sy_abci_client_wants_stream(const sy_abci_client *client, sy_time now);
void sy_abci_client_on_opening(sy_abci_client *client, sy_time now);
void sy_abci_client_on_open(sy_abci_client *client, sy_time now);

/* The stream is gone, or could not be opened. */
void sy_abci_client_on_closed(sy_abci_client *client, sy_time now);

/* At most one event; the caller calls again, also with in_len 0, until all is consumed and the
 * event is NONE.
 *   the errors of sy_abci_read; SY_ERR_PACKET_TYPE  an answer to nothing;  SY_ERR_NOMEM, LIMIT */
sy_err sy_abci_client_recv(sy_abci_client *client, const uint8_t *in, size_t in_len,
                           size_t *ret_consumed, sy_abci_event *ret_event, sy_detail *detail,
                           sy_time now) __attribute__((warn_unused_result));

/* Whole requests only.  out_cap >= 2 * SY_ABCI_REQUEST_MAX; *ret_len 0: nothing to send. */
void sy_abci_client_send(sy_abci_client *client, uint8_t *out, size_t out_cap, size_t *ret_len,
                         sy_time now);

sy_time sy_abci_client_next_expiry(const sy_abci_client *client);

/*   SY_ERR_CONNECT_TIMEOUT  while opening;  SY_ERR_NO_VERDICT  silence */
sy_err sy_abci_client_on_expiry(sy_abci_client *client, sy_detail *detail, sy_time now)
    __attribute__((warn_unused_result));

/* The one that is tried, or proven. */
sy_abci_dialect sy_abci_client_dialect(const sy_abci_client *client);

#endif
