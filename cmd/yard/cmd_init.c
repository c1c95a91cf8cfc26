/* SPDX-License-Identifier: Apache-2.0 */
/* yard init, show-node-id, gen-node-key: a node's files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/yard/commands.h"
#include "cmd/yard/files.h"
#include "cmd/yard/home.h"

static int failed(const yard_args *args, char *why) {
    yard_complain("%s: %s", args->command->name, why);
    free(why);
    return YARD_EXIT_FAILED;
}

static void print_id(const sy_node_key *key) {
    char id[SY_NODE_ID_TEXT_CAP];
    const sy_node_id node_id = sy_node_key_id(key);
    sy_node_id_format(&node_id, id);
    (void)printf("%s\n", id);
}

/* ---- init ------------------------------------------------------------------------------------ */

/* Nothing is written when a part of it is there already. */
static bool is_free(const char *home, char **ret_why) {
    static const char *const names[] = {"config/config.toml", "config/node_key.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = yard_path(home, names[i]);
        const bool exists = yard_file_exists(path);
        if (exists) {
            *ret_why = yard_format("%s: exists already; nothing was written", path);
        }
        free(path);
        if (exists) {
            return false;
        }
    }
    return true;
}

static int run_init(const yard_args *args) {
    const char *chain_id = yard_args_get(args, "chain-id");
    const char *moniker = yard_args_get(args, "moniker");
    if (chain_id == NULL) {
        yard_complain("init: --chain-id ID is missing: the name of the network");
        return YARD_EXIT_USAGE;
    }
    if (!yard_chain_id_is_good(chain_id)) {
        yard_complain("init: --chain-id: 1 to %d printable characters without quotes",
                      YARD_CHAIN_ID_MAX);
        return YARD_EXIT_USAGE;
    }
    if (moniker != NULL && moniker[0] != '\0' && !yard_chain_id_is_good(moniker)) {
        yard_complain("init: --moniker: at most %d printable characters without quotes",
                      YARD_CHAIN_ID_MAX);
        return YARD_EXIT_USAGE;
    }
    char *home = yard_args_home(args);
    char *why = NULL;
    sy_node_key key;
    const yard_home made = {
        .path = home,
        .chain_id = chain_id,
        .moniker = moniker != NULL ? moniker : "",
        .laddr = "tcp://0.0.0.0:26656",
        .persistent_peers = "",
        .echo_channels = "[]",
    };
    int status = YARD_EXIT_OK;
    if (!is_free(home, &why) || !yard_home_make_key(home, &key, &why)) {
        status = failed(args, why);
    } else {
        if (yard_home_write(&made, &why)) {
            (void)printf("home %s\nnode ", home);
            print_id(&key);
        } else {
            status = failed(args, why);
        }
        sy_node_key_wipe(&key);
    }
    free(home);
    return status;
}

const yard_command yard_command_init = {
    .name = "init",
    .operands = "",
    .text = "Writes config/config.toml, config/node_key.json and data/ for a new node.",
    .options = {YARD_OPTION_HOME,
                {"chain-id", "ID", "the network's name (required)"},
                {"moniker", "NAME", "name shown to peers (default: the host's)"}},
    .run = run_init,
};

/* ---- show-node-id ---------------------------------------------------------------------------- */

/* The file that the configuration names; without a configuration the usual one. */
static char *key_path_of(const char *home) {
    yard_config config;
    yard_config_init(&config, home);
    if (yard_file_exists(config.path)) {
        yard_config_read_file(&config);
    }
    char *path = yard_path(home, config.values[YARD_KEY_NODE_KEY_FILE].text);
    yard_config_fini(&config);
    return path;
}

static int run_show_node_id(const yard_args *args) {
    char *home = yard_args_home(args);
    char *path = key_path_of(home);
    char *why = NULL;
    sy_node_key key;
    int status = YARD_EXIT_OK;
    if (yard_key_read(path, &key, NULL, &why)) {
        print_id(&key);
        sy_node_key_wipe(&key);
    } else {
        status = failed(args, why);
    }
    free(path);
    free(home);
    return status;
}

const yard_command yard_command_show_node_id = {
    .name = "show-node-id",
    .operands = "",
    .text = "Prints the ID of the node key.",
    .options = {YARD_OPTION_HOME},
    .run = run_show_node_id,
};

/* ---- gen-node-key ---------------------------------------------------------------------------- */

static int run_gen_node_key(const yard_args *args) {
    char *home = yard_args_home(args);
    char *path = key_path_of(home);
    char *why = NULL;
    sy_node_key key;
    int status = YARD_EXIT_OK;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    const bool has_dir = yard_dir_make(path, 0755, &why);
    *slash = '/';
    if (has_dir && yard_key_create(path, &key, &why)) {
        print_id(&key);
        sy_node_key_wipe(&key);
    } else {
        status = failed(args, why);
    }
    free(path);
    free(home);
    return status;
}

const yard_command yard_command_gen_node_key = {
    .name = "gen-node-key",
    .operands = "",
    .text = "Writes a new node key where there is none, and prints its ID.",
    .options = {YARD_OPTION_HOME},
    .run = run_gen_node_key,
};
