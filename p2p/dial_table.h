/* SPDX-License-Identifier: Apache-2.0 */
/* What to dial, when, at which address and with which profile.  One target per node ID, or per
 * host:port when no ID is known.  Pure: it opens nothing; it answers with steps that the switch
 * carries out and reports back about.
 *
 *   IDLE/WAITING --take_due--> RESOLVING --on_resolved--> CONNECTING --on_connected--> HANDSHAKE
 *        ^                                                  |  ^  (next endpoint)         |
 *        +------------ failed, back-off (persistent) -------+--+--------------------------+
 *        |                                                                                |
 *        +---------------- on_peer_closed ---- CONNECTED <------------- on_peer_open -----+
 *
 *     sy_dial_step step;
 *     while (sy_dial_table_take_due(&sw->dials, &step, now)) {          // at next_due
 *         carry_out(sw, &step);
 *     }
 *     // SY_DIAL_STEP_RESOLVE: look up step.addr->host; then
 *     sy_dial_table_on_resolved(&sw->dials, ref, ips, count, &step, now);       // count 0: failed
 *     // SY_DIAL_STEP_CONNECT: TCP to step.endpoint, session of step.profile, keep step.ref; then
 *     sy_dial_table_on_connected(&sw->dials, link->dial, now);                  // TCP is up
 *     sy_dial_table_on_failed(&sw->dials, link->dial, &link->reason, &step, now);  // or it ended
 *     // each of the two leaves the next thing to do at once in step, or SY_DIAL_STEP_NONE
 *     sy_dial_table_on_peer_open(&sw->dials, &link->id, link->dial, link->profile, now);
 *     sy_dial_table_on_peer_closed(&sw->dials, &link->id, now);  // the last one of this ID
 *
 * on_peer_open and on_peer_closed are called for every peer, also one that dialed us: an ID that is
 * connected is not dialed.  A ref of a target that was removed is harmless in every call.
 * Persistent targets are never given up, whatever the reason was; only SELF removes them.  The
 * others vanish when all endpoints and profiles were tried once, or when their connection ends.
 * Source: docs/spec/switch.md SW-12, SW-36 to SW-44; plain.md PR-08 to PR-13. */
#ifndef SY_P2P_DIAL_TABLE_H
#define SY_P2P_DIAL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/err.h>
#include <switchyard/mem.h>
#include <switchyard/node_id.h>
#include <switchyard/reason.h>
#include <switchyard/time.h>

#include "base/prng.h"
#include "base/timers.h"
#include "p2p/backoff.h"
#include "p2p/id_map.h"
#include "p2p/session.h"

#define SY_DIAL_ENDPOINTS_MAX 16 /* addresses of one name tried per round */
#define SY_DIAL_PROFILES_MAX  8
#define SY_DIAL_LEARNED_MAX   1024 /* targets that are not persistent, at once */
#define SY_DIAL_OWN_MAX       16   /* addresses remembered as our own */
#define SY_DIAL_MEMORY_MAX    1024 /* IDs whose profile is remembered, by default */

typedef enum sy_target_kind {
    SY_TARGET_LEARNED,    /* from peer exchange: one round */
    SY_TARGET_ONCE,       /* the operator asked: one round, overrides a back-off */
    SY_TARGET_PERSISTENT, /* for ever */
} sy_target_kind;

typedef enum sy_target_state {
    SY_TARGET_IDLE,    /* due since it was added */
    SY_TARGET_WAITING, /* due at due_at */
    SY_TARGET_RESOLVING,
    SY_TARGET_CONNECTING,
    SY_TARGET_HANDSHAKE,
    SY_TARGET_CONNECTED,
} sy_target_state;

/* Names a target, by value; all zero names none. */
typedef struct sy_dial_ref {
    uint32_t slot;
    uint32_t generation;
} sy_dial_ref;

typedef enum sy_dial_step_kind {
    SY_DIAL_STEP_NONE,
    SY_DIAL_STEP_RESOLVE,
    SY_DIAL_STEP_CONNECT,
} sy_dial_step_kind;

typedef struct sy_dial_step {
    sy_dial_step_kind kind;
    sy_dial_ref ref;
    const sy_addr *addr;       /* the configured address; borrows until the next call */
    sy_endpoint endpoint;      /* CONNECT */
    const sy_profile *profile; /* CONNECT: the one to speak */
} sy_dial_step;

typedef struct sy_dial_config {
    const sy_mem *mem;                 /* borrows */
    const sy_node_id *own_id;          /* copied */
    const sy_profile *const *profiles; /* copied; in the order to try, 1..SY_DIAL_PROFILES_MAX */
    size_t profile_count;
    sy_duration backoff_cap;             /* 0: SY_BACKOFF_CAP */
    uint32_t memory_max;                 /* 0: SY_DIAL_MEMORY_MAX */
    uint64_t seed;                       /* of the jitter */
    uint8_t hash_key[SY_ID_MAP_KEY_LEN]; /* random */
} sy_dial_config;

/* What a query shows. */
typedef struct sy_dial_view {
    sy_dial_ref ref;
    sy_target_kind kind;
    sy_target_state state;
    sy_time due_at;            /* IDLE, WAITING; else SY_NEVER */
    uint32_t failures;         /* in a row */
    sy_err last_code;          /* of the last failed attempt, SY_OK when none */
    const sy_addr *addr;       /* borrows until the next call that is not a query */
    const sy_profile *profile; /* of the current or next attempt */
} sy_dial_view;

/* Members are private. */
typedef struct sy_dial_table {
    const sy_mem *mem;
    sy_node_id own_id;
    const sy_profile *profiles[SY_DIAL_PROFILES_MAX];
    size_t profile_count;
    sy_duration backoff_cap;
    sy_prng prng;
    sy_timers timers;
    struct sy_dial_slot *slots;
    uint32_t slot_cap;
    uint32_t last_generation;
    size_t count[3]; /* by kind */
    struct sy_dial_own {
        char host[SY_HOST_MAX + 1];
        uint16_t port;
    } own[SY_DIAL_OWN_MAX];
    size_t own_count;
    size_t own_next;
    sy_id_map memory;              /* ID -> slot of remembered[] */
    const sy_profile **remembered; /* by slot of memory */
} sy_dial_table;

/*   SY_ERR_NOMEM */
sy_err sy_dial_table_init(sy_dial_table *table, const sy_dial_config *config)
    __attribute__((warn_unused_result));
void sy_dial_table_fini(sy_dial_table *table);

/* Adds a target, due now.  addr is copied; it has a host.  When the ID (or host:port) is there
 * already: ONCE and PERSISTENT make a waiting one due now; PERSISTENT also upgrades it and takes
 * over the new address, also in the middle of a dial, which then starts again.  For an ID that has
 * a connection the caller does not add ONCE and LEARNED, and calls on_peer_open after PERSISTENT.
 *   SY_ERR_SELF          our own ID, or an address at which we met ourselves
 *   SY_ERR_DUPLICATE_ID  ONCE: connected or being dialed; LEARNED: already there
 *   SY_ERR_CONFIG        only the profile plain is allowed, and another one is remembered
 *   SY_ERR_LIMIT         SY_DIAL_LEARNED_MAX, not for PERSISTENT;  SY_ERR_NOMEM
 * ret_ref may be NULL. */
sy_err sy_dial_table_add(sy_dial_table *table, const sy_addr *addr, sy_target_kind kind,
                         sy_dial_ref *ret_ref, sy_time now) __attribute__((warn_unused_result));

/* Forgets a target; a dial in progress goes on under a ref that is stale.
 *   SY_ERR_GONE  there is none */
sy_err sy_dial_table_remove(sy_dial_table *table, sy_dial_ref ref)
    __attribute__((warn_unused_result));

/* Earliest time at which take_due has something, SY_NEVER when none. */
sy_time sy_dial_table_next_due(const sy_dial_table *table);

/* Starts the round of one target that is due.  false: none is.  The step is RESOLVE for a name and
 * CONNECT for an IP literal. */
bool sy_dial_table_take_due(sy_dial_table *table, sy_dial_step *ret_step, sy_time now);

/* The answer of the look-up (ports are ignored), count 0 when it failed. */
void sy_dial_table_on_resolved(sy_dial_table *table, sy_dial_ref ref, const sy_endpoint *endpoints,
                               size_t count, sy_dial_step *ret_step, sy_time now);

/* The TCP connection is up. */
void sy_dial_table_on_connected(sy_dial_table *table, sy_dial_ref ref, sy_time now);

/* The attempt ended before OPEN.  Before the TCP connection is up the next endpoint is tried; after
 * it, and before the identity is known, the next attempt takes the next profile; when all of them
 * failed there, the next round begins behind this endpoint.  SELF removes the target and remembers
 * its address as our own.  Call it also for a dial that could not be started (SY_STAGE_CONNECT with
 * the error of the driver; FILTERED when the profile is not allowed at this endpoint, then another
 * profile is taken at once), and when there is an open connection to the ID by now. */
void sy_dial_table_on_failed(sy_dial_table *table, sy_dial_ref ref, const sy_reason *reason,
                             sy_dial_step *ret_step, sy_time now);

/* A peer is OPEN, in either direction.  ref: of the dial that it came from, all zero when it dialed
 * us.  Remembers its profile, except plain over another one. */
void sy_dial_table_on_peer_open(sy_dial_table *table, const sy_node_id *id, sy_dial_ref ref,
                                const sy_profile *profile, sy_time now);

/* The last connection to this ID ended. */
void sy_dial_table_on_peer_closed(sy_dial_table *table, const sy_node_id *id, sy_time now);

/* A new cap of the back-off (reload); 0: SY_BACKOFF_CAP.  No target waits longer than it. */
void sy_dial_table_set_cap(sy_dial_table *table, sy_duration cap, sy_time now);

/* The profile remembered for an ID (from a file, at start); NULL forgets. */
void sy_dial_table_remember(sy_dial_table *table, const sy_node_id *id, const sy_profile *profile);
const sy_profile *sy_dial_table_remembered(const sy_dial_table *table, const sy_node_id *id);

/* Queries.  Walk: *cursor starts at 0; false at the end. */
bool sy_dial_table_is_persistent(const sy_dial_table *table, const sy_node_id *id);
size_t sy_dial_table_persistent_count(const sy_dial_table *table); /* with an ID */
bool sy_dial_table_find(const sy_dial_table *table, const sy_node_id *id, sy_dial_view *ret_view);
bool sy_dial_table_get(const sy_dial_table *table, sy_dial_ref ref, sy_dial_view *ret_view);
bool sy_dial_table_next(const sy_dial_table *table, size_t *cursor, sy_dial_view *ret_view);

/* "idle", "waiting", ...; "learned", "once", "persistent"; static. */
const char *sy_target_state_name(sy_target_state state);
const char *sy_target_kind_name(sy_target_kind kind);

#endif
