/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of handshakes in progress: inbound connections before IDENTITY.  When it is full, the
 * newcomer enters and the oldest entry of the fullest prefix leaves, so that a flood from one
 * network evicts itself.  Intrusive: the entry is a member of the connection.
 *
 *     sy_pending_entry *victim = sy_pending_add(&sw->pending, &link->pending, &link->remote);
 *     if (victim != NULL) {
 *         sy_peer *loser = link_of_pending(victim);           // container of the member
 *         sy_link_end(loser, SY_ERR_ADMIT_PENDING, &detail);   // already out of the pool
 *     }
 *     ... at IDENTITY, or at the end before it; harmless when it is not in the pool:
 *     sy_pending_remove(&sw->pending, &link->pending);
 *
 * Source: docs/spec/switch.md, SW-21 to SW-23. */
#ifndef SY_P2P_PENDING_H
#define SY_P2P_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/err.h>
#include <switchyard/mem.h>

#define SY_PENDING_DEFAULT 256

/* All zero: in no pool.  Members are private. */
typedef struct sy_pending_entry {
    struct sy_pending_entry *older; /* within the prefix */
    struct sy_pending_entry *newer;
    uint64_t seq; /* order of arrival over the whole pool */
    uint32_t group;
    bool pooled;
} sy_pending_entry;

/* The entries of one prefix, in order of arrival. */
typedef struct sy_pending_group {
    sy_endpoint prefix;
    size_t count; /* 0: free */
    sy_pending_entry *oldest;
    sy_pending_entry *newest;
} sy_pending_group;

/* Members are private. */
typedef struct sy_pending {
    const sy_mem *mem;
    sy_pending_group *groups; /* as many as entries may be there */
    size_t group_cap;
    size_t max;
    size_t count;
    uint64_t next_seq;
} sy_pending;

/* max >= 1; mem borrows until fini.
 *   SY_ERR_NOMEM */
sy_err sy_pending_init(sy_pending *pending, size_t max, const sy_mem *mem)
    __attribute__((warn_unused_result));

/* Entries that are still in it are forgotten, not touched. */
void sy_pending_fini(sy_pending *pending);

/* Takes the entry in.  Returns the entry that had to leave, already taken out, or NULL. */
sy_pending_entry *sy_pending_add(sy_pending *pending, sy_pending_entry *entry,
                                 const sy_endpoint *remote);

void sy_pending_remove(sy_pending *pending, sy_pending_entry *entry);

/* A new size (reload).  Afterwards call sy_pending_pop_excess until NULL.
 *   SY_ERR_NOMEM  nothing has changed */
sy_err sy_pending_set_max(sy_pending *pending, size_t max) __attribute__((warn_unused_result));

/* Takes the next victim out while there are more entries than max; else NULL. */
sy_pending_entry *sy_pending_pop_excess(sy_pending *pending);

size_t sy_pending_count(const sy_pending *pending);
size_t sy_pending_prefix_count(const sy_pending *pending, const sy_endpoint *remote);

#endif
