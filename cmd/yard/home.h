/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a node's home: config/config.toml, config/node_key.json, data/. */
#ifndef YARD_HOME_H
#define YARD_HOME_H

#include <stdbool.h>

#include <switchyard/node_key.h>

#define YARD_CHAIN_ID_MAX 50 /* as both projects limit it in a genesis file */

typedef struct yard_home {
    const char *path;
    const char *chain_id;
    const char *moniker;          /* "" leaves it to the host's name */
    const char *laddr;            /* "tcp://0.0.0.0:26656" */
    const char *persistent_peers; /* comma list, may be empty */
    const char *echo_channels;    /* TOML list */
} yard_home;

/* Is it usable as a chain id: 1 to 50 printable characters without quotes and backslashes? */
bool yard_chain_id_is_good(const char *chain_id);

/* Makes the directories and a new node key; a key that is there already is refused. */
bool yard_home_make_key(const char *home, sy_node_key *ret_key, char **ret_why);

/* Writes config.toml and data/; a config.toml that is there already is refused. */
bool yard_home_write(const yard_home *home, char **ret_why);

#endif
