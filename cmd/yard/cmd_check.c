/* SPDX-License-Identifier: Apache-2.0 */
/* yard check-config and version. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/yard/commands.h"
#include "cmd/yard/node_settings.h"

bool yard_config_report(const yard_config *config, bool with_warnings) {
    for (size_t i = 0; with_warnings && i < config->warnings.count; i++) {
        (void)fprintf(stderr, "warning: %s\n", config->warnings.items[i]);
    }
    for (size_t i = 0; i < config->errors.count; i++) {
        (void)fprintf(stderr, "error: %s\n", config->errors.items[i]);
    }
    return config->errors.count == 0;
}

static char *origin_text(const yard_config *config, yard_key key) {
    switch (config->values[key].origin) {
    case YARD_FROM_DEFAULT:
        return yard_strdup("default");
    case YARD_FROM_FILE:
        return yard_format("line %d", config->values[key].line);
    case YARD_FROM_FLAG:
        return yard_strdup("flag");
    }
    return NULL;
}

static void print_table(const yard_config *config, const char *table) {
    if (table[0] != '\0') {
        (void)printf("\n[%s]\n", table);
    }
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        const yard_key_desc *desc = yard_key_get(key);
        if (desc->kind == YARD_KIND_TABLE || strcmp(desc->table, table) != 0) {
            continue;
        }
        char *value = yard_value_print(desc, &config->values[key]);
        char *origin = origin_text(config, key);
        char *line = yard_format("%s = %s", desc->name, value);
        const char *role = desc->role == YARD_ROLE_NO_EFFECT ? ", no effect"
                           : desc->role == YARD_ROLE_NOT_YET ? ", not part of this version"
                                                             : "";
        (void)printf("%-56s # %s%s\n", line, origin, role);
        free(line);
        free(origin);
        free(value);
    }
}

/* The first of two keys that says something, else what stands in for them. */
static char *source_of(const yard_config *config, yard_key key, yard_key second,
                       const char *stand_in) {
    if (config->values[key].text[0] != '\0') {
        return yard_config_where(config, key);
    }
    return config->values[second].text[0] != '\0' ? yard_config_where(config, second)
                                                  : yard_strdup(stand_in);
}

static void print_sources(const yard_config *config) {
    char *genesis = yard_path(config->home, config->values[YARD_KEY_GENESIS_FILE].text);
    char *chain_id = source_of(config, YARD_KEY_CHAIN_ID, YARD_KEY_CHAIN_ID, genesis);
    char *moniker =
        source_of(config, YARD_KEY_MONIKER, YARD_KEY_MONIKER_TOP, "the name of the host");
    (void)printf("#     chain_id from %s\n#     moniker from %s\n", chain_id, moniker);
    free(genesis);
    free(chain_id);
    free(moniker);
}

static void print_together(const yard_config *config, const yard_node *node) {
    const yard_memory memory = yard_node_memory(node);
    const sy_settings *s = &node->settings;
    (void)printf("\n# Together:\n");
    (void)printf("#   file of %s\n",
                 config->dialect == YARD_DIALECT_TENDERMINT ? "Tendermint 0.22" : "CometBFT");
    (void)printf("#   chain_id %s, moniker %s\n", node->chain_id, node->moniker);
    print_sources(config);
    (void)printf("#   profiles");
    for (size_t i = 0; i < s->profile_count; i++) {
        (void)printf(" %s", s->profiles[i]);
    }
    (void)printf("\n#   peers: %zu inbound, %zu outbound, %zu persistent, %zu unconditional; %zu "
                 "in all\n",
                 s->max_inbound, s->max_outbound, node->persistent_count, s->unconditional_count,
                 memory.peers);
    (void)printf("#   peers per IP: ");
    if (s->max_per_ip == 0) {
        (void)printf("no limit\n");
    } else {
        (void)printf("%zu\n", s->max_per_ip);
    }
    (void)printf("#   lists: %zu allowed, %zu denied\n", node->allow_count, node->deny_count);
    (void)printf("#   memory, worst case: %" PRIu64 " bytes\n", memory.worst);
    (void)printf("#     %zu peers of peer_memory_max: %" PRIu64 "; %zu handshakes: %" PRIu64
                 "; together at most memory_max: %zu\n",
                 memory.peers, memory.peer_bytes, memory.handshakes, memory.pending, s->memory_max);
    (void)printf("#     address book: %" PRIu64 "; lists and bans: %" PRIu64 "; shared: %" PRIu64
                 "\n",
                 memory.book, memory.lists, memory.loop);
    (void)printf("#   descriptors, worst case: %zu\n", yard_node_descriptors(node));
}

static int run_check_config(const yard_args *args) {
    char *home = yard_args_home(args);
    yard_config config;
    yard_node node;
    yard_config_init(&config, home);
    yard_config_read_file(&config);
    yard_args_apply(args, &config);
    const bool ok = yard_node_build(&config, &node);
    (void)yard_config_report(&config, true);
    if (ok) {
        print_table(&config, "");
        print_table(&config, "p2p");
        print_table(&config, "switchyard");
        print_together(&config, &node);
        for (size_t i = 0; i < config.notes.count; i++) {
            (void)printf("#   %s\n", config.notes.items[i]);
        }
    }
    yard_node_fini(&node);
    yard_config_fini(&config);
    free(home);
    return ok ? YARD_EXIT_OK : YARD_EXIT_FAILED;
}

const yard_command yard_command_check_config = {
    .name = "check-config",
    .operands = "",
    .text = "Prints the configuration in effect and where each value comes from.",
    .takes_keys = true,
    .options = {YARD_OPTION_HOME},
    .run = run_check_config,
};

/* ---- version --------------------------------------------------------------------------------- */

static int run_version(const yard_args *args) {
    (void)args;
    (void)printf("yard %s\n", YARD_VERSION);
    return YARD_EXIT_OK;
}

const yard_command yard_command_version = {
    .name = "version",
    .operands = "",
    .text = "Prints the version of this program.",
    .options = {{NULL, NULL, NULL}},
    .run = run_version,
};
