/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over a network: from some nodes that the operator named to all that they, and those that
 * they know, tell of.  Each node is dialed, asked once for addresses, and left.  A node tells a
 * visitor only of nodes that speak the visitor's profile, so that who has told of few is visited
 * with another one.
 *
 *     yard_crawl crawl;
 *     yard_crawl_init(&crawl, &key);
 *     yard_crawl_start_at(&crawl, &addr);            // as often as there are
 *     bool ok = yard_crawl_run(&crawl, chain_id, profiles, profile_count);
 *     yard_crawl_print_json(&crawl, stdout);
 *     yard_crawl_fini(&crawl); */
#ifndef YARD_CRAWL_H
#define YARD_CRAWL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include <switchyard/addr.h>
#include <switchyard/addr_source.h>
#include <switchyard/node_key.h>
#include <switchyard/reason.h>
#include <switchyard/time.h>

#define YARD_CRAWL_STARTS_MAX    16
#define YARD_CRAWL_ENDPOINTS_MAX 4 /* of one node, tried in order of arrival */

typedef enum yard_crawl_state {
    YARD_CRAWL_WAITING,
    YARD_CRAWL_DIALING,
    YARD_CRAWL_UP,
    YARD_CRAWL_DONE,
} yard_crawl_state;

typedef struct yard_crawl_node {
    sy_node_id id;
    sy_endpoint endpoints[YARD_CRAWL_ENDPOINTS_MAX];
    size_t endpoint_count;
    size_t endpoint; /* the one that is or was dialed last */
    yard_crawl_state state;
    json_t *info;            /* its NodeInfo; NULL: not reached */
    const char *profiles[2]; /* that it was met with; static */
    size_t profile_count;
    bool accepted;
    bool answered;
    size_t told;    /* addresses in its answers */
    bool again;     /* the second visit, with another profile */
    bool heard;     /* an answer of this visit */
    sy_time due_at; /* while it waits; 0: now */
    sy_time leave_at;
    bool has_reason;
    sy_reason reason; /* why it was not accepted */
    size_t hash_next; /* 1 + index */
} yard_crawl_node;

#define YARD_CRAWL_CHAINS 4096

typedef struct yard_crawl {
    const sy_node_key *key;
    sy_addr starts[YARD_CRAWL_STARTS_MAX];
    size_t start_count;
    sy_duration timeout; /* of one node */
    sy_duration time;    /* of everything */
    size_t parallel;
    size_t max; /* nodes */

    char *network;
    yard_crawl_node *nodes;
    size_t count;
    size_t dropped; /* addresses beyond max, or not routable */
    bool strict;    /* only routable addresses are visited: a start address is routable */
    bool cut_short; /* by the time or a signal */
    size_t chains[YARD_CRAWL_CHAINS];

    /* While it runs. */
    struct yard_crawl_loop *loop;
    const char *const *profiles;
    size_t profile_count;
    size_t next; /* nodes before it do not wait */
    size_t running;
} yard_crawl;

void yard_crawl_init(yard_crawl *crawl, const sy_node_key *key);
void yard_crawl_fini(yard_crawl *crawl);

/* false: too many. */
bool yard_crawl_start_at(yard_crawl *crawl, const sy_addr *addr);

/* Learns network and versions from the first start that answers (chain_id NULL: also the network),
 * then visits.  false: no start could be reached; complained. */
bool yard_crawl_run(yard_crawl *crawl, const char *chain_id, const char *const *profiles,
                    size_t profile_count);

/* false: the stream failed. */
bool yard_crawl_print_json(const yard_crawl *crawl, FILE *out);
bool yard_crawl_print_csv(const yard_crawl *crawl, FILE *out);
bool yard_crawl_print_summary(const yard_crawl *crawl, FILE *out);

#endif
