/* SPDX-License-Identifier: Apache-2.0 */
/* yard testnet N: the homes of N nodes on this machine that know each other. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/yard/commands.h"
#include "cmd/yard/home.h"

#define NODES_MAX 1000

typedef struct testnet {
    const char *dir;
    const char *chain_id;
    size_t count;
    uint64_t first_port;
    char (*ids)[SY_NODE_ID_TEXT_CAP];
} testnet;

static char *home_of(const testnet *net, size_t index) {
    return yard_format("%s/node%zu", net->dir, index);
}

static bool make_keys(testnet *net, char **ret_why) {
    for (size_t i = 0; i < net->count; i++) {
        sy_node_key key;
        char *home = home_of(net, i);
        const bool ok = yard_home_make_key(home, &key, ret_why);
        free(home);
        if (!ok) {
            return false;
        }
        const sy_node_id id = sy_node_key_id(&key);
        sy_node_id_format(&id, net->ids[i]);
        sy_node_key_wipe(&key);
    }
    return true;
}

static char *others_of(const testnet *net, size_t index) {
    char *list = yard_strdup("");
    for (size_t i = 0; i < net->count; i++) {
        if (i == index) {
            continue;
        }
        char *longer = yard_format("%s%s%s@127.0.0.1:%" PRIu64, list, list[0] != '\0' ? "," : "",
                                   net->ids[i], net->first_port + i);
        free(list);
        list = longer;
    }
    return list;
}

static bool write_homes(const testnet *net, char **ret_why) {
    bool ok = true;
    for (size_t i = 0; ok && i < net->count; i++) {
        char *path = home_of(net, i);
        char *moniker = yard_format("node%zu", i);
        char *laddr = yard_format("tcp://127.0.0.1:%" PRIu64, net->first_port + i);
        char *others = others_of(net, i);
        const yard_home home = {
            .path = path,
            .chain_id = net->chain_id,
            .moniker = moniker,
            .laddr = laddr,
            .persistent_peers = others,
            .echo_channels = "[0x20, 0x21]",
        };
        ok = yard_home_write(&home, ret_why);
        if (ok) {
            (void)printf("%s %s@127.0.0.1:%" PRIu64 "\n", path, net->ids[i], net->first_port + i);
        }
        free(path);
        free(moniker);
        free(laddr);
        free(others);
    }
    return ok;
}

static bool read_count(const char *text, size_t *ret_count) {
    const size_t len = strlen(text);
    if (len == 0 || len > 4 || strspn(text, "0123456789") != len) {
        return false;
    }
    *ret_count = (size_t)strtoul(text, NULL, 10);
    return *ret_count >= 1 && *ret_count <= NODES_MAX;
}

static int run_testnet(const yard_args *args) {
    const char *dir = yard_args_get(args, "output");
    const char *chain_id = yard_args_get(args, "chain-id");
    testnet net = {
        .dir = dir != NULL ? dir : "testnet",
        .chain_id = chain_id != NULL ? chain_id : "testnet",
    };
    if (!read_count(args->operands[0], &net.count)) {
        yard_complain("testnet: \"%s\" is not a number of nodes from 1 to %d", args->operands[0],
                      NODES_MAX);
        return YARD_EXIT_USAGE;
    }
    if (!yard_chain_id_is_good(net.chain_id)) {
        yard_complain("testnet: --chain-id: 1 to %d printable characters without quotes",
                      YARD_CHAIN_ID_MAX);
        return YARD_EXIT_USAGE;
    }
    if (!yard_args_number(args, "starting-port", 1, 65536 - net.count, 26656, &net.first_port)) {
        return YARD_EXIT_USAGE;
    }
    char *why = NULL;
    net.ids = yard_alloc(net.count, sizeof *net.ids);
    const bool ok = make_keys(&net, &why) && write_homes(&net, &why);
    if (!ok) {
        yard_complain("testnet: %s", why);
    }
    free(why);
    free(net.ids);
    return ok ? YARD_EXIT_OK : YARD_EXIT_FAILED;
}

const yard_command yard_command_testnet = {
    .name = "testnet",
    .operands = "N",
    .operand_count = 1,
    .text = "Writes the homes of N nodes on this machine that know each other.",
    .options = {{"output", "DIR", "where to put node0, node1, ... (default ./testnet)"},
                {"chain-id", "ID", "the network's name (default testnet)"},
                {"starting-port", "PORT", "node0's port, then upwards (default 26656)"}},
    .run = run_testnet,
};
