/* SPDX-License-Identifier: Apache-2.0 */
/* A session: everything above the byte stream of one connection, up to channel messages.  A wire
 * profile is a factory of sessions.  The switch and the reactors see only this interface and never
 * ask which profile is in use.
 *
 *     recv -> IDENTITY (id proven, or declared) -> INFO (remote NodeInfo) -> [sy_session_accept]
 *          -> OPEN -> MESSAGE* / WRITABLE*            any failure: the error, then only close/del
 *
 * One event per call.  Deadlines of the handshake belong to the switch; the session's own timers
 * are keepalive and rates.  Loop thread only. */
#ifndef SY_P2P_SESSION_H
#define SY_P2P_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/mem.h>
#include <switchyard/msg.h>
#include <switchyard/node_id.h>
#include <switchyard/node_info.h>
#include <switchyard/send_result.h>
#include <switchyard/time.h>

#include "conn/channel_set.h"
#include "conn/mux.h"
#include "conn/scratch.h"
#include "conn/secret_conn.h"

typedef struct sy_session sy_session;
typedef struct sy_profile sy_profile;

/* Copied; pointers inside borrow until del. */
typedef struct sy_session_config {
    const sy_mem *mem;
    sy_budget *budget; /* the connection's */
    sy_scratch *scratch;
    sy_signer signer;
    uint8_t eph_secret[SY_CONN_KEY_LEN]; /* fresh random bytes; the caller wipes its copy */
    const sy_node_info *ours;            /* what we announce */
    const sy_channel_set *channels;
    sy_duration ping_interval_ns; /* 0: default */
    sy_duration pong_timeout_ns;
    uint64_t send_rate;
    uint64_t recv_rate;
    sy_mux_batch *mux_batch; /* the loop's; NULL: each session has its own while it has messages */
} sy_session_config;

typedef enum sy_session_event_kind {
    SY_SESSION_NONE,
    SY_SESSION_IDENTITY,
    SY_SESSION_INFO,
    SY_SESSION_MESSAGE,
} sy_session_event_kind;

typedef struct sy_session_event {
    sy_session_event_kind kind;
    sy_node_id id;            /* IDENTITY */
    bool id_proven;           /* IDENTITY: false in the profile plain */
    const sy_node_info *info; /* INFO: borrows until the session is deleted; syntax checked only */
    sy_mux_message message;   /* MESSAGE: payload borrows until the next call on any session */
} sy_session_event;

typedef enum sy_recognition {
    SY_RECOGNIZED_NO,
    SY_RECOGNIZED_MORE, /* the bytes so far fit; more are needed */
    SY_RECOGNIZED_YES,
} sy_recognition;

/* A wire profile.  Static tables, one per profile. */
struct sy_profile {
    const char *name;     /* "tendermint", "cometbft", "plain" */
    const char *encoding; /* of reactor messages that have several: "amino", "proto" */
    sy_node_info_codec codec;

    /* Is this how a dialer of the profile begins?  len may be 0. */
    sy_recognition (*recognize)(const uint8_t *in, size_t len);

    /*   NOMEM, LIMIT */
    sy_err (*session_new)(const sy_profile *profile, const sy_session_config *config, sy_time now,
                          sy_session **ret_session);

    void (*del)(sy_session *session);
    sy_err (*recv)(sy_session *session, const uint8_t *in, size_t in_len, size_t *ret_consumed,
                   sy_session_event *ret_event, sy_detail *detail, sy_time now);
    sy_err (*send)(sy_session *session, uint8_t *out, size_t out_cap, size_t *ret_len, sy_time now);
    bool (*wants_send)(const sy_session *session, sy_time now);
    sy_err (*accept)(sy_session *session, sy_time now);
    sy_mux *(*mux)(sy_session *session);
    bool (*at_boundary)(const sy_session *session);
    sy_time (*recv_ready_at)(const sy_session *session);
};

extern const sy_profile sy_profile_tendermint;
extern const sy_profile sy_profile_cometbft;
extern const sy_profile sy_profile_plain;

/* NULL when there is no profile of that name. */
const sy_profile *sy_profile_by_name(const char *name, size_t len);

/* The profile among the allowed ones that these first bytes belong to.  *ret_profile is NULL with
 * SY_OK while more bytes are needed; it waits for at most SY_RECOGNIZE_MAX bytes.
 *   SY_ERR_PROFILE_UNKNOWN  none fits; detail names the bytes */
#define SY_RECOGNIZE_MAX 4
sy_err sy_profile_recognize(const sy_profile *const *allowed, size_t allowed_count,
                            const uint8_t *in, size_t len, const sy_profile **ret_profile,
                            sy_detail *detail) __attribute__((warn_unused_result));

sy_err sy_session_new(const sy_profile *profile, const sy_session_config *config, sy_time now,
                      sy_session **ret_session) __attribute__((warn_unused_result));

/* Wipes keys; NULL is allowed. */
void sy_session_del(sy_session *session);

const sy_profile *sy_session_profile(const sy_session *session);

/* Feeds bytes; consumes some and reports at most one event.  The caller calls again, also with
 * in_len 0, until an event NONE came with everything consumed.  When it consumes less than given
 * with event NONE, the receive rate is the reason: call again at recv_ready_at with the rest.
 * Before sy_session_accept nothing of the multiplexed stream is taken in: bytes behind the NodeInfo
 * are kept (at most what one read brought, charged to the budget) or left unconsumed.
 * As long as a session keeps bytes that are not processed, it also leaves at least one byte of the
 * input unconsumed: when everything is consumed, nothing waits inside, and the end of the stream
 * counts only then.  From an event MESSAGE on until the first other event no call may be made on
 * another session of the loop but sy_session_send.
 * Errors: those of sy_secret_conn_recv, sy_node_info_decode and sy_mux_recv; they come after the
 * messages that were complete before, and with the same code from then on. */
sy_err sy_session_recv(sy_session *session, const uint8_t *in, size_t in_len, size_t *ret_consumed,
                       sy_session_event *ret_event, sy_detail *detail, sy_time now)
    __attribute__((warn_unused_result));

/* Frames of the longest NodeInfo with its length. */
#define SY_SESSION_SEND_MIN (11 * SY_SEALED_LEN)

/* Writes bytes for the wire: handshake, NodeInfo, then packets, at most SY_SEAL_BATCH frames.  out
 * has at least SY_SESSION_SEND_MIN bytes and may lie in sy_scratch_wire_out(). */
sy_err sy_session_send(sy_session *session, uint8_t *out, size_t out_cap, size_t *ret_len,
                       sy_time now) __attribute__((warn_unused_result));
bool sy_session_wants_send(const sy_session *session, sy_time now);

/* After INFO: we accept the remote; the multiplexer starts.  Then messages may be queued and
 * pings go out.   SY_ERR_STATE before INFO, NOMEM, LIMIT */
sy_err sy_session_accept(sy_session *session, sy_time now) __attribute__((warn_unused_result));

/* The multiplexer, NULL before accept: queue, ping, writable, timers, statistics. */
sy_mux *sy_session_mux(sy_session *session);

/* Nothing is cut in the middle: a half-close here is clean. */
bool sy_session_at_boundary(const sy_session *session);

/* SY_NEVER, or when unconsumed bytes may be offered again. */
sy_time sy_session_recv_ready_at(const sy_session *session);

#endif
