/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated node with an address book and the reactor of peer exchange. */
#ifndef SWITCHYARD_TESTS_SIM_FINDER_H
#define SWITCHYARD_TESTS_SIM_FINDER_H

#include <switchyard/addr_book.h>
#include <switchyard/pex.h>

#include "tests/sim/sim_scenario.h"

/* The settings may be changed between finder_init and a start of the node; they hold for the starts
 * that follow. */
typedef struct finder {
    sim_node *node;

    /* Settings. */
    size_t target; /* outbound peers */
    sy_addr seeds[2];
    size_t seed_count;
    bool seed_mode;
    sy_duration feeler_period; /* 0: none */
    sy_duration ensure_period; /* 0: the default */
    sy_node_id private_id;
    bool has_private;

    /* What the node has. */
    sy_addr_book *book;
    sy_addr_source source; /* of the book */
    sy_pex *pex;

    /* The two files that it last saved. */
    unsigned saves;
    char *saved;
    size_t saved_len;
    char *saved_notes;
    size_t saved_notes_len;
} finder;

/* Makes a node of this name, not yet started, that dials up to target peers of its book.  The
 * finder does not move while the network lives. */
void finder_init(finder *f, sim_net *net, const char *name, size_t target);

/* Frees what is not the network's; to be called after sim_net_del. */
void finder_fini(finder *f);

/* Adds a node to the seeds of f, by its address. */
void finder_seed(finder *f, const finder *seed);

/* The operator tells the running node of an address. */
sy_addr_verdict finder_tell(finder *f, const sy_net_addr *addr);

/* What a new process finds: the book is read again from the files that were saved last.  The node
 * is not running. */
void finder_reload(finder *f);

sy_pex_counts finder_counts(const finder *f);
sy_switch_counts finder_switch_counts(const finder *f);
size_t finder_book_size(const finder *f);

#endif
