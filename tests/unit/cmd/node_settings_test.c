/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/addr_book.h>
#include <switchyard/pex.h>

#include "cmd/yard/files.h"
#include "cmd/yard/node_settings.h"
#include "reactors/pex/pex_internal.h"
#include "tests/support/test_mem.h"

#define ID_A "0123456789abcdef0123456789abcdef01234567"
#define ID_B "89abcdef0123456789abcdef0123456789abcdef"

static yard_config config;
static yard_node node;
static bool built;

static void begin(void) {
    yard_config_init(&config, "/nonexistent");
}

static void end(void) {
    if (built) {
        yard_node_fini(&node);
    }
    yard_config_fini(&config);
}

TestSuite(node_settings, .init = begin, .fini = end);

/* Builds a node from a file's text with a chain id. */
static bool build(const char *text) {
    if (built) {
        yard_node_fini(&node);
    }
    yard_config_fini(&config);
    yard_config_init(&config, "/h");
    yard_config_read_text(&config, text, strlen(text));
    if (!yard_config_is_given(&config, YARD_KEY_CHAIN_ID)) {
        yard_config_set_flag(&config, YARD_KEY_CHAIN_ID, "--chain_id", "test");
    }
    built = true;
    return yard_node_build(&config, &node);
}

static const char *first(const yard_texts *texts) {
    return texts->count > 0 ? texts->items[0] : "(none)";
}

/* ---- Refusals ----------------------------------------------------------------------------------
 */

typedef struct refusal_row {
    const char *text;
    const char *error; /* contained in the only error; NULL: accepted */
} refusal_row;

static const refusal_row refusal_rows[] = {
    {"", NULL},
    {"[p2p]\nladdr = \"tcp://0.0.0.0:26656\"\n", NULL},
    {"[p2p]\nladdr = \"0.0.0.0:0\"\n", NULL},
    {"[p2p]\nladdr = \"tcp://:26656\"\n", NULL},
    {"[p2p]\nladdr = \"tcp://[::]:26656\"\n", NULL},
    {"[p2p]\nladdr = \"\"\n", NULL},
    {"[p2p]\nladdr = \"tcp://0.0.0.0:65536\"\n", ":2: p2p.laddr: \"tcp://0.0.0.0:65536\": "},
    {"[p2p]\nladdr = \"tcp://0.0.0.0\"\n", ":2: p2p.laddr: "},
    {"[p2p]\nexternal_address = \"name.example:26656\"\n", NULL},
    {"[p2p]\nexternal_address = \"name example:26656\"\n", ":2: p2p.external_address: "},
    {"[p2p]\npersistent_peers = \" " ID_A "@a.example:1 , ," ID_B "@[::1]:2\"\n", NULL},
    {"[p2p]\n\npersistent_peers = \"" ID_A "@a:1,b:2\"\n",
     ":3: p2p.persistent_peers: entry 2 \"b:2\": address has no ID"},
    {"[p2p]\npersistent_peers = \"" ID_A "@a:0\"\n", "entry 1 \"" ID_A "@a:0\": "},
    {"[p2p]\nunconditional_peer_ids = \"" ID_A "," ID_B "\"\n", NULL},
    {"[p2p]\nunconditional_peer_ids = \"" ID_A ",xyz\"\n",
     ":2: p2p.unconditional_peer_ids: entry 2 \"xyz\": an ID is 40 hexadecimal digits"},
    {"[switchyard]\nallow_peers = \"" ID_A ", 10.0.0.0/8,\\n ::1 ,,\"\n", NULL},
    {"[switchyard]\nallow_peers = \"" ID_A ",10.0.0.0/33\"\n",
     ":2: switchyard.allow_peers: entry 2: rule \"10.0.0.0/33\": prefix length is not 0 to 32"},
    {"[switchyard]\n\ndeny_peers = \"10.0.0.1/8\"\n",
     ":3: switchyard.deny_peers: entry 1: rule \"10.0.0.1/8\": address bits behind the prefix"},
    {"[switchyard]\nprofiles = [\"tendermint\", \"cometbft\", \"plain\"]\n", NULL},
    {"[switchyard]\nprofiles = [\"comet\"]\n",
     ":2: switchyard.profiles: \"comet\" is none of tendermint, cometbft, plain"},
    {"[switchyard]\nprofiles = [\"plain\", \"plain\"]\n", "\"plain\" stands there twice"},
    {"[switchyard]\nlog_level = \"debug\"\n", NULL},
    {"[switchyard]\nlog_level = \"loud\"\n",
     ":2: switchyard.log_level: \"loud\" is none of debug, info, warn, error, none"},
    {"log_level = \"x:info,p2p:loud\"\n", ":1: log_level: \"loud\" is none of"},
    {"log_format = \"json\"\n", NULL},
    {"log_format = \"xml\"\n", ":1: log_format: \"xml\" is neither kv (plain) nor json"},
    {"filter_peers = false\n", NULL},
    {"filter_peers = true\n", NULL},
    {"filter_peers = true\nproxy_app = \"unix:///run/app.sock\"\n", NULL},
    {"proxy_app = \"kvstore\"\nabci = \"grpc\"\n", NULL},
    {"filter_peers = true\nproxy_app = \"kvstore\"\n",
     ":2: proxy_app: \"kvstore\" is an application inside a node"},
    {"filter_peers = true\nproxy_app = \"tcp://127.0.0.1:x\"\n",
     ":2: proxy_app: \"tcp://127.0.0.1:x\": address has a malformed port"},
    {"filter_peers = true\nproxy_app = \"http://127.0.0.1:1\"\n", "only tcp:// and unix://"},
    {"filter_peers = true\nabci = \"grpc\"\n",
     ":2: abci: \"grpc\": filter_peers asks over a socket"},
    {"[switchyard]\nabci_dialect = \"0.34\"\n", NULL},
    {"[switchyard]\nabci_dialect = \"0.40\"\n",
     ":2: switchyard.abci_dialect: \"0.40\" is none of auto, 0.22, 0.34, 0.38"},
    {"[switchyard]\nfilter_unanswered = \"admit\"\n", NULL},
    {"[switchyard]\nfilter_unanswered = \"maybe\"\n",
     ":2: switchyard.filter_unanswered: \"maybe\" is neither refuse nor admit"},
    {"[switchyard]\nping_interval = \"10s\"\npong_timeout = \"9999ms\"\n", NULL},
    {"[switchyard]\nping_interval = \"10s\"\npong_timeout = \"10s\"\n",
     ":3: switchyard.pong_timeout: must be below ping_interval, which is 10s"},
    {"[switchyard]\nmemory_max = 65536\npeer_memory_max = 65536\n", NULL},
    {"[switchyard]\nmemory_max = 65536\npeer_memory_max = 65537\n",
     ":3: switchyard.peer_memory_max: must be at most memory_max, which is 65536"},
    {"[switchyard]\necho_channels = [1, 2]\nextra_channels = [3]\n", NULL},
    {"[switchyard]\necho_channels = [1, 2]\nextra_channels = [2]\n",
     ":3: switchyard.extra_channels: 0x02 is one of echo_channels too"},
    {"[switchyard]\necho_channels = [0,1,2,3,4,5,6,7]\nextra_channels = "
     "[10,11,12,13,14,15,16,17]\n",
     NULL},
    {"[switchyard]\necho_channels = [0,1,2,3,4,5,6,7]\nextra_channels = "
     "[10,11,12,13,14,15,16,17,18]\n",
     "with echo_channels 17 channels, at most 16"},
};

Test(node_settings, refusals_name_place_value_and_rule) {
    for (size_t i = 0; i < sizeof refusal_rows / sizeof refusal_rows[0]; i++) {
        const refusal_row *row = &refusal_rows[i];
        const bool ok = build(row->text);
        cr_expect_eq(ok, row->error == NULL, "row \"%s\": %s", row->text, first(&config.errors));
        cr_expect_eq(config.errors.count, row->error == NULL ? 0 : 1, "row \"%s\"", row->text);
        if (row->error != NULL) {
            cr_expect_not_null(strstr(first(&config.errors), row->error), "row \"%s\": %s",
                               row->text, first(&config.errors));
        }
    }
}

/* ---- Meanings ----------------------------------------------------------------------------------
 */

typedef struct number_row {
    const char *text;
    size_t offset; /* of a size_t or 64-bit member of sy_settings */
    uint64_t value;
} number_row;

#define AT(member) offsetof(sy_settings, member)

static const number_row number_rows[] = {
    {"", AT(max_inbound), 40},
    {"[p2p]\nmax_num_inbound_peers = 3\n", AT(max_inbound), 3},
    {"[p2p]\nmax_num_peers = 50\n", AT(max_inbound), 40}, /* SPEC-TEST SW-16 */
    {"[p2p]\nmax_num_peers = 11\n", AT(max_inbound), 1},
    {"[p2p]\nmax_num_peers = 10\n", AT(max_inbound), 0},
    {"[p2p]\nmax_num_peers = 5\n", AT(max_inbound), 0},
    {"[p2p]\nmax_num_peers = 30\nmax_num_inbound_peers = 7\n", AT(max_inbound), 7},
    {"[p2p]\nflush_throttle_timeout = 100\n", AT(max_inbound), 40},
    {"[p2p]\nmax_num_outbound_peers = 4\n", AT(max_outbound), 4},
    {"", AT(max_per_ip), 1},
    {"[p2p]\nallow_duplicate_ip = true\n", AT(max_per_ip), 0},
    {"[p2p]\nallow_duplicate_ip = false\n", AT(max_per_ip), 1},
    {"[p2p]\nmax_num_peers = 50\n", AT(max_per_ip), 0},
    {"[switchyard]\nmax_peers_per_ip = 5\n", AT(max_per_ip), 5},
    {"[switchyard]\nmax_peers_per_prefix = 6\n", AT(max_per_prefix), 6},
    {"[switchyard]\ntotal_connections = 9\n", AT(total_connections), 9},
    {"[switchyard]\npending_handshakes = 12\n", AT(max_pending), 12},
    {"", AT(send_rate), 5120000},
    {"[p2p]\nsend_rate = 0\n", AT(send_rate), 0},
    {"[p2p]\nsend_rate = 1000\n", AT(send_rate), 1000},
    {"[p2p]\nrecv_rate = 2000\n", AT(recv_rate), 2000},
    {"[p2p]\nmax_packet_msg_payload_size = 1400\n", AT(packet_payload_max), 1400},
    {"", AT(handshake_timeout), 20 * SY_SEC},
    {"[p2p]\nhandshake_timeout = \"5s\"\n", AT(handshake_timeout), 5 * SY_SEC},
    {"", AT(dial_timeout), 3 * SY_SEC},
    {"[p2p]\ndial_timeout = \"1500ms\"\n", AT(dial_timeout), 1500 * SY_MSEC},
    {"[p2p]\npersistent_peers_max_dial_period = \"7s\"\n", AT(persistent_peers_max_dial_period),
     7 * SY_SEC},
    {"[switchyard]\nresolve_timeout = \"4s\"\n", AT(resolve_timeout), 4 * SY_SEC},
    {"[switchyard]\npark_timeout = \"4s\"\n", AT(park_timeout), 4 * SY_SEC},
    {"[switchyard]\nlinger_timeout = \"0s\"\n", AT(linger_timeout), 0},
    {"[switchyard]\nping_interval = \"50s\"\n", AT(ping_interval), 50 * SY_SEC},
    {"[switchyard]\npong_timeout = \"30s\"\n", AT(pong_timeout), 30 * SY_SEC},
    {"[switchyard]\np2p_version = 7\n", AT(p2p_version), 7},
    {"[switchyard]\nblock_version = 12\n", AT(block_version), 12},
    {"[switchyard]\napp_version = 3\n", AT(app_version), 3},
    {"[switchyard]\nmemory_max = 100000000\n", AT(memory_max), 100000000},
    {"[switchyard]\npeer_memory_max = 100000\n", AT(peer_memory_max), 100000},
    {"[switchyard]\nextra_channels = [7, 8]\n", AT(extra_channel_count), 2},
    {"[p2p]\nunconditional_peer_ids = \"" ID_A "," ID_B "\"\n", AT(unconditional_count), 2},
};

/* KEY-TEST switchyard.resolve_timeout switchyard.park_timeout */
Test(node_settings, numbers_arrive_in_the_settings) {
    for (size_t i = 0; i < sizeof number_rows / sizeof number_rows[0]; i++) {
        const number_row *row = &number_rows[i];
        cr_expect(build(row->text), "row %zu \"%s\": %s", i, row->text, first(&config.errors));
        uint64_t value = 0;
        memcpy(&value, (const char *)&node.settings + row->offset, sizeof value);
        cr_expect_eq(value, row->value, "row %zu \"%s\": %llu", i, row->text,
                     (unsigned long long)value);
    }
}

typedef struct profile_row {
    const char *text;
    const char *profiles;
} profile_row;

/* SPEC-TEST PR-07 */
static const profile_row profile_rows[] = {
    {"", "cometbft "},
    {"[p2p]\nmax_num_peers = 50\n", "tendermint "},
    {"[switchyard]\nprofiles = [\"tendermint\", \"cometbft\"]\n", "tendermint cometbft "},
    {"[p2p]\nauth_enc = true\n", "cometbft "},
    {"[p2p]\nauth_enc = false\n", "plain "},
    {"[p2p]\nauth_enc = false\n[switchyard]\nprofiles = [\"tendermint\"]\n", "tendermint plain "},
    {"[p2p]\nauth_enc = false\n[switchyard]\nprofiles = [\"plain\", \"tendermint\"]\n",
     "plain tendermint "},
};

Test(node_settings, profiles_follow_dialect_list_and_auth_enc) {
    for (size_t i = 0; i < sizeof profile_rows / sizeof profile_rows[0]; i++) {
        const profile_row *row = &profile_rows[i];
        char text[128] = "";
        size_t len = 0;
        cr_expect(build(row->text), "row \"%s\": %s", row->text, first(&config.errors));
        for (size_t k = 0; k < node.settings.profile_count; k++) {
            len +=
                (size_t)snprintf(text + len, sizeof text - len, "%s ", node.settings.profiles[k]);
        }
        cr_expect_str_eq(text, row->profiles, "row \"%s\": %s", row->text, text);
    }
}

Test(node_settings, persistent_peers_keep_names_and_order) {
    cr_assert(build("[p2p]\npersistent_peers = \" " ID_A "@A.example:1 ,," ID_B "@[::1]:2\"\n"));
    cr_assert_eq(node.persistent_count, 2);
    cr_expect_str_eq(node.persistent[0].host, "a.example");
    cr_expect_eq(node.persistent[0].port, 1);
    cr_expect(node.persistent[0].has_id);
    cr_expect_str_eq(node.persistent[1].host, "::1");
}

typedef struct log_row {
    const char *text;
    sy_log_level level;
    bool json;
} log_row;

static const log_row log_rows[] = {
    {"", SY_LOG_INFO, false},
    {"log_level = \"error\"\n", SY_LOG_ERROR, false},
    {"log_level = \"error\"\n[switchyard]\nlog_level = \"debug\"\n", SY_LOG_DEBUG, false},
    {"log_level = \"main:info,state:info,*:error\"\n", SY_LOG_INFO, false},
    {"log_level = \"state:info, *:error\"\n", SY_LOG_ERROR, false},
    {"log_level = \"*:error,p2p:debug\"\n", SY_LOG_DEBUG, false},
    {"log_level = \"state:error\"\n", SY_LOG_INFO, false},
    {"log_format = \"json\"\n", SY_LOG_INFO, true},
    {"log_format = \"json\"\n[switchyard]\nlog_format = \"kv\"\n", SY_LOG_INFO, false},
    {"[switchyard]\nlog_format = \"json\"\n", SY_LOG_INFO, true},
};

Test(node_settings, lists_are_rules_in_their_order) {
    static const char *const texts[] = {ID_A, "10.0.0.0/8", "2001:db8::1"};
    cr_assert(build("[switchyard]\nallow_peers = \"\\n " ID_A " , 10.0.0.0/8,\\n,2001:db8::1\"\n"
                    "deny_peers = \"192.0.2.1\"\n"));
    const sy_filter_settings lists = yard_node_filter(&node);
    cr_assert_eq(lists.allow_count, 3);
    cr_assert_eq(lists.deny_count, 1);
    for (size_t i = 0; i < 3; i++) {
        char text[SY_NET_RULE_TEXT_CAP];
        (void)sy_net_rule_format(&lists.allow[i], text);
        cr_expect_str_eq(text, texts[i]);
    }
    cr_assert(build(""));
    cr_expect_eq(yard_node_filter(&node).allow_count, 0);
    cr_expect_str_eq(node.bans_path, "/h/config/bans.json");
}

Test(node_settings, our_log_keys_win_over_the_top_level) {
    for (size_t i = 0; i < sizeof log_rows / sizeof log_rows[0]; i++) {
        cr_expect(build(log_rows[i].text), "row \"%s\"", log_rows[i].text);
        cr_expect_eq(node.log_level, log_rows[i].level, "row \"%s\"", log_rows[i].text);
        cr_expect_eq(node.log_json, log_rows[i].json, "row \"%s\"", log_rows[i].text);
    }
}

Test(node_settings, the_moniker_is_ours_then_the_files_then_the_hosts) {
    cr_assert(build("moniker = \"top\"\n[switchyard]\nmoniker = \"ours\"\n"));
    cr_expect_str_eq(node.settings.moniker, "ours");
    cr_assert(build("moniker = \"top\"\n"));
    cr_expect_str_eq(node.settings.moniker, "top");
    cr_assert(build(""));
    cr_expect_str_neq(node.settings.moniker, "");
}

/* ---- The chain id ------------------------------------------------------------------------------
 */

typedef struct genesis_row {
    const char *content; /* NULL: no file */
    const char *chain_id;
    const char *error; /* contained */
} genesis_row;

static const genesis_row genesis_rows[] = {
    {"{\"genesis_time\": \"x\", \"chain_id\": \"from-genesis\"}", "from-genesis", NULL},
    {NULL, NULL, "genesis.json: No such file or directory"},
    {"{\"chain_id\": 5}", NULL, "genesis.json: no chain_id"},
    {"{\"chain_id\": \"\"}", NULL, "genesis.json: no chain_id"},
    {"[]", NULL, "genesis.json: no chain_id"},
    {"{\n\"chain_id\"\n", NULL, "genesis.json:"},
};

Test(node_settings, the_chain_id_comes_from_the_genesis_file_when_nobody_gave_one) {
    char dir[] = "/tmp/yard-genesis-XXXXXX";
    cr_assert_not_null(mkdtemp(dir));
    char *folder = yard_format("%s/config", dir);
    char *path = yard_format("%s/genesis.json", folder);
    char *why = NULL;
    cr_assert(yard_dir_make(folder, 0755, &why));
    for (size_t i = 0; i < sizeof genesis_rows / sizeof genesis_rows[0]; i++) {
        const genesis_row *row = &genesis_rows[i];
        (void)remove(path);
        if (row->content != NULL) {
            cr_assert(yard_file_write(path, row->content, strlen(row->content), 0644, &why));
        }
        yard_config_fini(&config);
        yard_config_init(&config, dir);
        const bool ok = yard_node_build(&config, &node);
        cr_expect_eq(ok, row->error == NULL, "row %zu: %s", i, first(&config.errors));
        if (row->error == NULL) {
            cr_expect_str_eq(node.settings.network, row->chain_id, "row %zu", i);
        } else {
            cr_expect_not_null(strstr(first(&config.errors), "no chain_id: set it in"),
                               "row %zu: %s", i, first(&config.errors));
            cr_expect_not_null(strstr(first(&config.errors), row->error), "row %zu: %s", i,
                               first(&config.errors));
        }
        yard_node_fini(&node);
    }
    (void)remove(path);
    (void)remove(folder);
    (void)remove(dir);
    free(path);
    free(folder);
}

/* ---- What is said at start ---------------------------------------------------------------------
 */

typedef struct note_row {
    const char *text;
    const char *note;    /* contained in the first one; NULL: none */
    const char *warning; /* the same */
} note_row;

static const note_row note_rows[] = {
    {"[p2p]\npex = false\n", NULL, NULL},
    {"[p2p]\npex = true\n", NULL, NULL},
    {"[p2p]\npex = false\nseeds = \"" ID_A "@a:1\"\n", NULL,
     "p2p.seeds has no effect: there is no peer exchange"},
    {"[p2p]\npex = true\nseeds = \"" ID_A "@a:1\"\n", NULL, NULL},
    {"[switchyard]\necho_channels = [0]\n", NULL, "no peer exchange: echo_channels uses its"},
    {"[p2p]\npex = false\n[switchyard]\necho_channels = [0]\n", NULL, NULL},
    {"[p2p]\npex = true\n[switchyard]\necho_channels = [0]\n", NULL,
     "no peer exchange: echo_channels uses its"},
    {"[p2p]\npex = false\nupnp = false\n", NULL, NULL},
    {"[p2p]\npex = false\nupnp = true\n", ":3: p2p.upnp: accepted, no effect: ", NULL},
    {"[p2p]\npex = false\ntest_fuzz = true\n", ":3: p2p.test_fuzz: accepted, no effect: ", NULL},
    {"[p2p]\npex = false\n[p2p.libp2p]\nenabled = false\n",
     ":4: p2p.libp2p.*: accepted, no effect: ", NULL},
};

Test(node_settings, keys_without_effect_are_said_once) {
    for (size_t i = 0; i < sizeof note_rows / sizeof note_rows[0]; i++) {
        const note_row *row = &note_rows[i];
        cr_expect(build(row->text), "row \"%s\"", row->text);
        cr_expect_eq(config.notes.count, row->note != NULL ? 1 : 0, "row \"%s\"", row->text);
        cr_expect_eq(config.warnings.count, row->warning != NULL ? 1 : 0, "row \"%s\"", row->text);
        if (row->note != NULL) {
            cr_expect_not_null(strstr(first(&config.notes), row->note), "row \"%s\": %s", row->text,
                               first(&config.notes));
        }
        if (row->warning != NULL) {
            cr_expect_not_null(strstr(first(&config.warnings), row->warning), "row \"%s\": %s",
                               row->text, first(&config.warnings));
        }
    }
}

/* ---- The worst case ----------------------------------------------------------------------------
 */

Test(node_settings, the_worst_case_is_the_sum_cut_at_memory_max) {
    cr_assert(build("[p2p]\nmax_num_inbound_peers = 2\nmax_num_outbound_peers = 1\n"
                    "persistent_peers = \"" ID_A "@a:1\"\nunconditional_peer_ids = \"" ID_B "\"\n"
                    "[switchyard]\npeer_memory_max = 100000\npending_handshakes = 10\n"));
    yard_memory memory = yard_node_memory(&node);
    cr_expect_eq(memory.peers, 5);
    cr_expect_eq(memory.peer_bytes, 500000);
    cr_expect_eq(memory.handshakes, 10 + 1 + SY_PEX_DIALING_MAX);
    cr_expect_eq(memory.pending, 75 * 4096);
    cr_expect_eq(memory.lists, 2 * SY_BANS_MAX * sizeof(sy_ban));
    cr_expect_eq(memory.worst,
                 500000 + 75 * 4096 + YARD_BOOK_BYTES + memory.lists + YARD_LOOP_BYTES);
    cr_expect_eq(yard_node_descriptors(&node), 5 + 75 + 32);

    cr_assert(build("[p2p]\npex = false\n[switchyard]\npeer_memory_max = 100000\n"
                    "memory_max = 200000\ntotal_connections = 9\nprofiles = [\"plain\"]\n"
                    "deny_peers = \"10.0.0.1,10.0.0.2\"\n"));
    memory = yard_node_memory(&node);
    cr_expect_eq(memory.peers, 9);
    cr_expect_eq(memory.pending, 256 * 32768);
    cr_expect_eq(memory.lists, 2 * (2 * sizeof(sy_net_rule) + SY_BANS_MAX * sizeof(sy_ban)));
    cr_expect_eq(memory.worst, 200000 + memory.lists + YARD_LOOP_BYTES);

    cr_assert(build("[switchyard]\npeer_memory_max = 9223372036854775807\n"
                    "memory_max = 9223372036854775807\ntotal_connections = 1000000\n"));
    memory = yard_node_memory(&node);
    cr_expect_geq(memory.worst, UINT64_C(9223372036854775807), "no overflow");

    /* While the application thinks, a NodeInfo may have come. */
    cr_assert(build("filter_peers = true\n[p2p]\npex = false\n"));
    memory = yard_node_memory(&node);
    cr_expect_eq(memory.pending, 256 * 32768);
    cr_expect_eq(memory.loop, YARD_LOOP_BYTES + YARD_APP_BYTES);
}

/* What is said of the book is so of one that is full and being written. */
Test(node_settings, a_full_book_fits_into_what_is_said) {
    test_mem tm;
    sy_addr_book_settings settings;
    sy_addr_book *book;
    char *text;
    size_t len;
    test_mem_init(&tm);
    sy_addr_book_settings_default(&settings);
    settings.mem = &tm.mem;
    cr_assert_eq(sy_addr_book_new(&settings, &book), SY_OK);
    const sy_addr_source source = sy_addr_book_source(book);
    for (uint32_t i = 0; i < 200000; i++) {
        sy_addr_news news = {.told = SY_ADDR_TOLD_HEARSAY, .profile = ""};
        memcpy(news.addr.id.bytes, &i, sizeof i);
        news.source.id.bytes[0] = 1;
        news.addr.endpoint = (sy_endpoint){.port = 65535};
        news.source.endpoint = (sy_endpoint){.port = 65535};
        memset(news.addr.endpoint.ip, 0x2a, 16); /* the longest text */
        memcpy(news.addr.endpoint.ip + 1, &i, sizeof i);
        memset(news.source.endpoint.ip, 0x2b, 16);
        memcpy(news.source.endpoint.ip + 1, &i, sizeof i);
        (void)source.ops->add(source.source, &news, (sy_walltime){INT64_C(1700000000000000000)});
    }
    const size_t count = source.ops->sizes(source.source).all;
    cr_expect_eq(count, SY_BOOK_NEW_BUCKETS * SY_BOOK_BUCKET_SIZE);
    cr_assert_eq(sy_addr_book_write(book, SY_BOOK_COMETBFT, &text, &len), SY_OK);
    /* With tested ones there are a quarter more. */
    cr_expect_leq(tm.peak_bytes / count * SY_BOOK_SLOTS + sizeof(sy_pex) +
                      PEX_SOURCES * sizeof(pex_source),
                  YARD_BOOK_BYTES);
    sy_addr_book_text_del(book, text);
    sy_addr_book_del(book);
    test_mem_fini(&tm);
}
