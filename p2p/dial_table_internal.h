/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the dial table, shared by its files:
 *
 *   dial_table.c    targets: adding, removing, our own addresses, queries
 *   dial_profile.c  which profile the next attempt speaks
 *   dial_round.c    rounds over endpoints and profiles, peers that come and go */
#ifndef SY_P2P_DIAL_TABLE_INTERNAL_H
#define SY_P2P_DIAL_TABLE_INTERNAL_H

#include "p2p/dial_table.h"

/* One thing to dial.  Owned by its slot.  Invariants: the timer is set in IDLE and WAITING only;
 * while `open`, the state is neither of them. */
typedef struct sy_dial_target {
    sy_timer timer; /* set in IDLE and WAITING only */
    sy_target_kind kind;
    sy_target_state state;
    uint32_t slot;
    sy_addr addr;
    sy_backoff backoff;
    sy_err last_code;

    size_t profile;                  /* index of the current or next attempt's */
    size_t profile_turns;            /* profiles that failed one after the other at this endpoint */
    const sy_profile *known_profile; /* without an ID: the one that worked */

    sy_endpoint endpoints[SY_DIAL_ENDPOINTS_MAX]; /* of this round */
    size_t endpoint_count;
    size_t endpoint_first; /* where rounds begin, modulo the count */
    size_t endpoint_tried; /* behind the first one */

    bool restart; /* the address changed during the round */
    bool open;    /* a connection to the ID is open */
    sy_node_id open_id;
} sy_dial_target;

typedef struct sy_dial_slot {
    sy_dial_target *target; /* NULL: free */
    uint32_t generation;
} sy_dial_slot;

/* ---- dial_table.c */
sy_dial_target *sy_dial_of_ref(const sy_dial_table *table, sy_dial_ref ref);
sy_dial_target *sy_dial_of_id(const sy_dial_table *table, const sy_node_id *id);
sy_dial_ref sy_dial_ref_of(const sy_dial_table *table, const sy_dial_target *t);
void sy_dial_drop(sy_dial_table *table, sy_dial_target *t);
void sy_dial_learn_own(sy_dial_table *table, const sy_addr *addr);
bool sy_dial_is_due_later(const sy_dial_target *t);
void sy_dial_make_due(sy_dial_table *table, sy_dial_target *t, sy_time now);

/* ---- dial_profile.c */
bool sy_dial_is_plain(const sy_profile *profile);

/* The first usable profile from index `from` on, in the cycle of the list; false when none is. */
bool sy_dial_choose_profile(const sy_dial_table *table, sy_dial_target *t, size_t from);
bool sy_dial_choose_first_profile(const sy_dial_table *table, sy_dial_target *t);
void sy_dial_choose_next_profile(const sy_dial_table *table, sy_dial_target *t);
size_t sy_dial_usable_count(const sy_dial_table *table, const sy_dial_target *t);
void sy_dial_learn_profile(sy_dial_table *table, const sy_node_id *id, const sy_profile *profile);

#endif
