/* SPDX-License-Identifier: Apache-2.0 */
/* A reactor that does whatever the interface allows at the worst moments: it refuses peers in
 * peer_init, stops peers in every operation (this one or another), sends until it is full, dials
 * from peer_removed, runs out of memory with half of its state made.  And it checks what it is
 * promised: pairs, order, its state, references that stay gone.  On the loop or isolated. */
#ifndef SY_TESTS_SIM_UNRULY_H
#define SY_TESTS_SIM_UNRULY_H

#include "tests/sim/sim.h"

#define UNRULY_GONE_MAX 32

typedef struct unruly_counts {
    uint64_t inits;
    uint64_t refusals;   /* peer_init failed */
    uint64_t no_memory;  /* of these: for lack of memory */
    uint64_t early_ends; /* the peer was stopped inside its own peer_init */
    uint64_t stops;      /* elsewhere */
    uint64_t addeds;
    uint64_t received;
    uint64_t full;
    uint64_t writables;
    uint64_t dials;
} unruly_counts;

typedef struct unruly {
    sim_node *node;
    bool isolated;
    unsigned percent; /* of its operations in which it makes trouble */
    sy_reactor_ops ops;
    sy_channel_desc desc;
    sy_switch *sw;
    sy_channel channel;
    bool running;
    size_t alive; /* peer_init ran, peer_fini did not */
    size_t added;
    sy_time next_at;
    sy_peer_ref gone[UNRULY_GONE_MAX]; /* the last ones, of this life of the switch */
    size_t gone_count;
    sy_peer_ref known; /* some peer, perhaps gone */
    unruly_counts counts;
} unruly;

/* Registers it with the node; before the node starts. */
void unruly_init(unruly *u, sim_node *node, bool isolated);

/* Its node has stopped for good, or crashed: nothing may be left. */
void unruly_check_over(const unruly *u);

/* Its node runs and is at rest: it has exactly these peers, and what is gone stays so. */
void unruly_check_rest(const unruly *u, size_t peers);

#endif
