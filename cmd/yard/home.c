/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/home.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/yard/files.h"
#include "cmd/yard/util.h"

/* %s in this order: moniker, laddr, persistent_peers, chain_id, echo_channels. */
static const char template[] =
    "# Configuration of a Switchyard node.  The file has the form of CometBFT's config.toml: its\n"
    "# keys keep their meaning, and tables that are not ours are not read.  What is commented out\n"
    "# shows the default.  `yard help keys` explains all keys, `yard check-config` shows the "
    "values\n"
    "# in effect and where each one comes from.\n"
    "\n"
    "# A name for people; empty: the name of the host.\n"
    "moniker = \"%s\"\n"
    "\n"
    "# node_key_file = \"config/node_key.json\"\n"
    "\n"
    "[p2p]\n"
    "\n"
    "# Where to listen.  Port 0 takes a free one.\n"
    "laddr = \"%s\"\n"
    "\n"
    "# What to tell peers to dial, when that is another address than laddr (NAT, a name).\n"
    "external_address = \"\"\n"
    "\n"
    "# Peers to stay connected to, ID@host:port separated by commas.  A host may be a name; it is\n"
    "# looked up at each dial.\n"
    "persistent_peers = \"%s\"\n"
    "\n"
    "# The longest wait between two dials of a persistent peer that is away.\n"
    "# persistent_peers_max_dial_period = \"60s\"\n"
    "\n"
    "# Peers that no limit but total_connections refuses: IDs separated by commas.\n"
    "unconditional_peer_ids = \"\"\n"
    "\n"
    "# How many peers, persistent and unconditional ones not counted.\n"
    "max_num_inbound_peers = 40\n"
    "max_num_outbound_peers = 10\n"
    "\n"
    "# true: several peers may share an IP (NAT, clusters, tests); max_peers_per_ip below is the\n"
    "# finer tool.  CometBFT's default is false.\n"
    "allow_duplicate_ip = true\n"
    "\n"
    "# Bytes a second to and from each peer; 0: no limit.  CometBFT's default is 5120000.\n"
    "send_rate = 0\n"
    "recv_rate = 0\n"
    "\n"
    "# handshake_timeout = \"20s\"\n"
    "# dial_timeout = \"3s\"\n"
    "\n"
    "# Must be the same on both ends of a connection.\n"
    "# max_packet_msg_payload_size = 1024\n"
    "\n"
    "# Finds peers by itself: asks the seeds when it has none, then its peers; true also answers.\n"
    "pex = true\n"
    "seeds = \"\"\n"
    "\n"
    "# false: learns addresses that cannot be reached from everywhere too; for private networks.\n"
    "addr_book_strict = true\n"
    "\n"
    "[switchyard]\n"
    "\n"
    "# The network.  Peers of another one are refused.\n"
    "chain_id = \"%s\"\n"
    "\n"
    "# Protocols on the wire, in the order in which a dialer tries them; a listener takes them "
    "all.\n"
    "# \"tendermint\" talks to Tendermint 0.22, \"cometbft\" to Tendermint 0.34 and CometBFT.\n"
    "profiles = [\"tendermint\", \"cometbft\"]\n"
    "\n"
    "# Channels on which every received message is sent back unchanged, such as [0x20, 0x21].\n"
    "echo_channels = %s\n"
    "\n"
    "# Time between echo probes to each peer; 0s: none.\n"
    "# echo_interval = \"0s\"\n"
    "\n"
    "# A hard limit of all peers together; 0: the sum of the limits and of the configured IDs.\n"
    "# total_connections = 0\n"
    "# pending_handshakes = 256\n"
    "# max_peers_per_ip = 0\n"
    "# max_peers_per_prefix = 0\n"
    "\n"
    "# Who may connect: IDs, addresses and prefixes (10.1.0.0/16), separated by commas or lines.\n"
    "# An empty allow_peers allows everybody; deny_peers wins.  `yard bans` is for what comes and "
    "goes.\n"
    "# allow_peers = \"\"\n"
    "# deny_peers = \"\"\n"
    "\n"
    "# Bytes of buffers, all peers together and one peer.\n"
    "# memory_max = 4294967296\n"
    "# peer_memory_max = 67108864\n"
    "\n"
    "log_level = \"info\"\n"
    "\n"
    "# kv or json\n"
    "log_format = \"kv\"\n";

bool yard_chain_id_is_good(const char *chain_id) {
    const size_t len = strlen(chain_id);
    if (len == 0 || len > YARD_CHAIN_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (chain_id[i] < 0x20 || chain_id[i] > 0x7e || chain_id[i] == '"' || chain_id[i] == '\\') {
            return false;
        }
    }
    return true;
}

static bool make_dirs(const char *home, char **ret_why) {
    static const char *const names[] = {"config", "data"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = yard_path(home, names[i]);
        const bool ok = yard_dir_make(path, 0755, ret_why);
        free(path);
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool yard_home_make_key(const char *home, sy_node_key *ret_key, char **ret_why) {
    if (!make_dirs(home, ret_why)) {
        return false;
    }
    char *path = yard_path(home, "config/node_key.json");
    const bool ok = yard_key_create(path, ret_key, ret_why);
    free(path);
    return ok;
}

bool yard_home_write(const yard_home *home, char **ret_why) {
    if (!make_dirs(home->path, ret_why)) {
        return false;
    }
    char *path = yard_path(home->path, "config/config.toml");
    bool ok = false;
    if (yard_file_exists(path)) {
        *ret_why = yard_format("%s: exists already; it is never overwritten", path);
    } else {
        char *text = yard_format(template, home->moniker, home->laddr, home->persistent_peers,
                                 home->chain_id, home->echo_channels);
        ok = yard_file_write(path, text, strlen(text), 0644, ret_why);
        free(text);
    }
    free(path);
    return ok;
}
