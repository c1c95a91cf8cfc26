/* SPDX-License-Identifier: Apache-2.0 */
/* Decides when a peer is pinged and when it is given up on.  Sans-I/O: reads no clock, sends
 * nothing.  Only a pong answers a ping; other traffic does not count, as in both projects.
 *
 * A pong that arrived in time must never lose to its own timer: when the deadline passes, the owner
 * is asked to read the socket dry first (CHECK_DRY), and only sy_keepalive_on_read_dry can end the
 * peer.  Our own stall then never costs a good peer.  Source: docs/spec/multiplexer.md. */
#ifndef SY_CONN_KEEPALIVE_H
#define SY_CONN_KEEPALIVE_H

#include <stdbool.h>

#include <switchyard/err.h>
#include <switchyard/time.h>

typedef enum sy_keepalive_action {
    SY_KEEPALIVE_NONE,
    SY_KEEPALIVE_SEND_PING, /* queue exactly one ping */
    SY_KEEPALIVE_CHECK_DRY, /* read until nothing is left, then call on_read_dry */
} sy_keepalive_action;

typedef struct sy_keepalive {
    sy_duration ping_interval_ns;
    sy_duration pong_timeout_ns; /* invariant: 0 < this < ping_interval_ns */
    sy_time ping_due_at;
    sy_time pong_due_at;  /* SY_NEVER: no ping in flight */
    sy_time ping_sent_at; /* of the ping in flight, for the round-trip time */
    sy_duration rtt_ns;   /* of the last answered ping; 0: none yet */
    bool overdue;         /* pong_due_at passed, waiting for on_read_dry */
} sy_keepalive;

/* The first ping is due one interval after now. */
void sy_keepalive_init(sy_keepalive *ka, sy_duration ping_interval_ns, sy_duration pong_timeout_ns,
                       sy_time now);

/* Asks for a ping at once (a parked connection, a probe). */
void sy_keepalive_ping_now(sy_keepalive *ka, sy_time now);

sy_time sy_keepalive_next_expiry(const sy_keepalive *ka);

/* Harmless when early, correct when late. */
sy_keepalive_action sy_keepalive_on_expiry(sy_keepalive *ka, sy_time now);

/* A pong came; one that nobody asked for is harmless. */
void sy_keepalive_on_pong(sy_keepalive *ka, sy_time now);

/* Nothing is left to read on the socket as of now.
 *   SY_ERR_PONG_TIMEOUT  the deadline had passed: the peer is to be stopped */
sy_err sy_keepalive_on_read_dry(sy_keepalive *ka, sy_time now) __attribute__((warn_unused_result));

#endif
