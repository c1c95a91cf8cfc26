/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration means together: the settings of the switch, what to listen on, whom to dial,
 * how to log. */
#ifndef YARD_NODE_SETTINGS_H
#define YARD_NODE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/filter.h>
#include <switchyard/log.h>
#include <switchyard/switch.h>

#include "cmd/yard/app_filter.h"
#include "cmd/yard/config.h"

/* Owns what its settings point to; the configuration must live as long, because texts are
 * borrowed from it. */
typedef struct yard_node {
    sy_settings settings; /* without node_key, log, observer */
    bool has_listener;
    sy_addr listen;
    sy_addr *persistent;
    size_t persistent_count;
    sy_node_id *unconditional;
    sy_net_rule *allow;
    size_t allow_count;
    sy_net_rule *deny;
    size_t deny_count;
    char *bans_path;
    bool pex;
    bool seed_mode;
    bool book_strict;
    char *book_path;
    char *notes_path; /* beside it: what its format cannot hold */
    sy_addr *seeds;
    size_t seed_count;
    sy_node_id *private_ids;
    size_t private_count;
    bool filter_peers;
    sy_app_filter_settings app_filter; /* when filter_peers */
    char *chain_id;
    char *moniker;
    char *key_path;
    sy_log_level log_level;
    bool log_json;
} yard_node;

/* Fills *node; what is wrong is added to config->errors, what should be said once at start to its
 * warnings and notes.  Returns whether there are no errors.  Call yard_node_fini in any case. */
bool yard_node_build(yard_config *config, yard_node *node);
void yard_node_fini(yard_node *node);

/* The allow and deny lists; borrows from the node. */
sy_filter_settings yard_node_filter(const yard_node *node);

/* The most that this configuration can make the node allocate for peers. */
typedef struct yard_memory {
    size_t peers;        /* connections past identity */
    uint64_t peer_bytes; /* all of them, before memory_max cuts */
    size_t handshakes;   /* in progress, in both directions */
    uint64_t pending;    /* bytes of them */
    uint64_t book;       /* a full address book being written, and peer exchange; 0: none */
    uint64_t lists;      /* allow and deny lists, and as many bans as there can be */
    uint64_t loop;       /* what all connections share */
    uint64_t worst;      /* the sum, peers and pending cut at memory_max */
} yard_memory;

#define YARD_LOOP_BYTES ((uint64_t)2 << 20)
#define YARD_APP_BYTES  ((uint64_t)256 << 10) /* filter_peers: questions, one answer */
#define YARD_BOOK_BYTES ((uint64_t)24 << 20)

yard_memory yard_node_memory(const yard_node *node);

/* Descriptors needed for the same. */
size_t yard_node_descriptors(const yard_node *node);

#endif
