/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/yard/config.h"
#include "cmd/yard/files.h"

static yard_config config;

static void begin(void) {
    yard_config_init(&config, "/home/of/node");
}

static void end(void) {
    yard_config_fini(&config);
}

TestSuite(config, .init = begin, .fini = end);

static void read_text(const char *text) {
    yard_config_read_text(&config, text, strlen(text));
}

static const char *value_of(yard_key key) {
    static char text[256];
    char *printed = yard_value_print(yard_key_get(key), &config.values[key]);
    (void)snprintf(text, sizeof text, "%s", printed);
    free(printed);
    return text;
}

/* ---- Dialects ----------------------------------------------------------------------------------
 */

typedef struct dialect_row {
    const char *text;
    yard_dialect dialect;
} dialect_row;

static const dialect_row dialect_rows[] = {
    {"", YARD_DIALECT_COMETBFT},
    {"[p2p]\n", YARD_DIALECT_COMETBFT},
    {"[p2p]\nmax_num_peers = 50\n", YARD_DIALECT_TENDERMINT},
    {"[p2p]\nflush_throttle_timeout = 100\n", YARD_DIALECT_TENDERMINT},
    {"[p2p]\nflush_throttle_timeout = \"100ms\"\n", YARD_DIALECT_COMETBFT},
    {"[p2p]\nmax_num_inbound_peers = 50\n", YARD_DIALECT_COMETBFT},
    {"max_num_peers = 50\n", YARD_DIALECT_COMETBFT},
    {"[mempool]\nmax_num_peers = 50\n", YARD_DIALECT_COMETBFT},
};

Test(config, the_dialect_of_a_file_decides_the_defaults) {
    for (size_t i = 0; i < sizeof dialect_rows / sizeof dialect_rows[0]; i++) {
        const dialect_row *row = &dialect_rows[i];
        const bool comet = row->dialect == YARD_DIALECT_COMETBFT;
        read_text(row->text);
        cr_expect_eq(config.dialect, row->dialect, "row \"%s\"", row->text);
        cr_expect_str_eq(value_of(YARD_KEY_PROFILES), comet ? "[\"cometbft\"]" : "[\"tendermint\"]",
                         "row \"%s\"", row->text);
        cr_expect_str_eq(value_of(YARD_KEY_ALLOW_DUPLICATE_IP), comet ? "false" : "true",
                         "row \"%s\"", row->text);
        cr_expect_eq(config.errors.count, 0, "row \"%s\"", row->text);
    }
}

/* Every key of both projects' own files is known, and means what it means there. */
Test(config, files_that_the_real_programs_write_are_read_without_a_word) {
    static const struct {
        const char *name;
        yard_dialect dialect;
    } files[] = {
        {"cometbft-v0.34", YARD_DIALECT_COMETBFT},    {"cometbft-v0.38", YARD_DIALECT_COMETBFT},
        {"cometbft-v0.40", YARD_DIALECT_COMETBFT},    {"cometbft-v1.0", YARD_DIALECT_COMETBFT},
        {"tendermint-0.22", YARD_DIALECT_TENDERMINT},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = yard_format("%s/config/%s.toml", SY_DATA_DIR, files[i].name);
        char *text = NULL;
        char *why = NULL;
        size_t len = 0;
        cr_assert(yard_file_read(path, 1 << 20, &text, &len, &why), "%s", why);
        yard_config_read_text(&config, text, len);
        cr_expect_eq(config.errors.count, 0, "%s", files[i].name);
        cr_expect_eq(config.warnings.count, 0, "%s: %s", files[i].name,
                     config.warnings.count > 0 ? config.warnings.items[0] : "");
        cr_expect_eq(config.dialect, files[i].dialect, "%s", files[i].name);
        cr_expect_str_eq(value_of(YARD_KEY_MONIKER_TOP), "\"sample\"", "%s", files[i].name);
        cr_expect_str_eq(value_of(YARD_KEY_SEND_RATE), "5120000", "%s", files[i].name);
        cr_expect_str_eq(value_of(YARD_KEY_PEX), "true", "%s", files[i].name);
        cr_expect_str_eq(value_of(YARD_KEY_MAX_NUM_PEERS), i == 4 ? "50" : "0", "%s",
                         files[i].name);
        cr_expect_str_eq(value_of(YARD_KEY_DIAL_TIMEOUT), "\"3s\"", "%s", files[i].name);
        free(text);
        free(path);
    }
}

/* ---- Messages ----------------------------------------------------------------------------------
 */

typedef struct message_row {
    const char *text;
    const char *error;   /* the whole message behind the path; NULL: none */
    const char *warning; /* the same */
} message_row;

static const message_row message_rows[] = {
    {"[p2p]\nladdr = 5\n", ":2: p2p.laddr: 5 is a number, not a text", NULL},
    {"\n\n[switchyard]\n\ntotal_connections = -1\n",
     ":5: switchyard.total_connections: -1 is negative", NULL},
    {"moniker = 5\n", ":1: moniker: 5 is a number, not a text", NULL},
    {"[p2p]\nmax_packet_msg_payload_size = 0\n",
     ":2: p2p.max_packet_msg_payload_size: 0 is below the limit of 1", NULL},
    {"[p2p]\nladr = \"x\"\n", NULL, ":2: p2p.ladr: unknown key, ignored"},
    {"[switchyard]\n\nprofile = []\n", NULL, ":3: switchyard.profile: unknown key, ignored"},
    {"[p2p.other]\nx = 1\n", NULL, ":2: p2p.other.x: unknown key, ignored"},
    {"[p2p]\nlibp2p = 1\n", NULL, ":2: p2p.libp2p: unknown key, ignored"},
    {"[rpc]\nladdr = 5\nx = 1\n[p2pool]\nx = 1\n", NULL, NULL},
    {"unknown = 1\n", NULL, NULL},
    {"[p2p.libp2p]\nenabled = false\n[p2p.libp2p.limits]\nx = 1\n", NULL, NULL},
    {"[p2p.test_fuzz_config]\nMode = 0\n", NULL, NULL},
};

Test(config, messages_name_file_line_key_and_limit) {
    for (size_t i = 0; i < sizeof message_rows / sizeof message_rows[0]; i++) {
        const message_row *row = &message_rows[i];
        yard_config_fini(&config);
        yard_config_init(&config, "/h");
        read_text(row->text);
        cr_expect_eq(config.errors.count, row->error != NULL ? 1 : 0, "row \"%s\"", row->text);
        cr_expect_eq(config.warnings.count, row->warning != NULL ? 1 : 0, "row \"%s\"", row->text);
        if (config.errors.count == 1 && row->error != NULL) {
            cr_expect_str_eq(config.errors.items[0] + strlen("/h/config/config.toml"), row->error,
                             "row \"%s\": %s", row->text, config.errors.items[0]);
        }
        if (config.warnings.count == 1 && row->warning != NULL) {
            cr_expect_str_eq(config.warnings.items[0] + strlen("/h/config/config.toml"),
                             row->warning, "row \"%s\": %s", row->text, config.warnings.items[0]);
        }
    }
}

/* What the parser behind it would answer with an assertion, undefined behaviour or no stack. */
Test(config, hostile_toml_is_one_error_with_its_line) {
    static const struct {
        const char *head;
        const char *repeated;
        const char *error;
    } rows[] = {
        {"\n[=p2p]\n", "", ":2: "},
        {"[p\xcc\x8f]\n", "", ":1: "},
        {"\n\n[a", ".a", ":3: more than 100 dots outside quotes"},
        {"a", ".a", ":1: more than 100 dots outside quotes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[8192] = "";
        size_t len = (size_t)snprintf(text, sizeof text, "%s", rows[i].head);
        while (rows[i].repeated[0] != '\0' && len < sizeof text - 8) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s", rows[i].repeated);
        }
        yard_config_fini(&config);
        yard_config_init(&config, "/home/of/node");
        read_text(text);
        cr_assert_eq(config.errors.count, 1, "row %zu", i);
        cr_expect_not_null(strstr(config.errors.items[0], rows[i].error), "row %zu: %s", i,
                           config.errors.items[0]);
    }
}

#define DOTS_128                                                                                   \
    "................................................................"                             \
    "................................................................"

Test(config, dots_in_quotes_and_comments_are_none_of_keys) {
    static const char *const rows[] = {
        "moniker = \"" DOTS_128 "\" # don't ...\n",
        "moniker = \"\\\"" DOTS_128 "\"\n",
        "moniker = \"\\\\\" # " DOTS_128 "\n",
        "moniker = '\\' # " DOTS_128 "\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yard_config_fini(&config);
        yard_config_init(&config, "/home/of/node");
        read_text(rows[i]);
        cr_expect_eq(config.errors.count, 0, "row %zu: %s", i,
                     config.errors.count > 0 ? config.errors.items[0] : "");
    }
    yard_config_fini(&config);
    yard_config_init(&config, "/home/of/node");
    read_text("\"\\\\\"" DOTS_128 " = 1\n");
    cr_expect_eq(config.errors.count, 1, "a key behind an escape in quotes");
}

Test(config, broken_toml_is_one_error_with_its_line) {
    read_text("[p2p]\nladdr = \"x\"\npex = \n");
    cr_assert_eq(config.errors.count, 1);
    cr_expect_not_null(strstr(config.errors.items[0], "config.toml:3: "), "%s",
                       config.errors.items[0]);
}

Test(config, all_errors_are_collected) {
    read_text("[p2p]\nladdr = 5\npex = 5\nseeds = \"\"\ndial_timeout = \"x\"\n");
    cr_expect_eq(config.errors.count, 3);
}

/* ---- Precedence --------------------------------------------------------------------------------
 */

Test(config, a_flag_wins_over_the_file_and_that_over_the_default) {
    const yard_key key = YARD_KEY_MAX_NUM_INBOUND_PEERS;
    char *where = yard_config_where(&config, key);
    cr_expect_str_eq(where, "default of p2p.max_num_inbound_peers");
    cr_expect_not(yard_config_is_given(&config, key));
    free(where);

    read_text("[p2p]\nmax_num_inbound_peers = 7\n");
    cr_expect_str_eq(value_of(key), "7");
    cr_expect(yard_config_is_given(&config, key));
    where = yard_config_where(&config, key);
    cr_expect_str_eq(where, "/home/of/node/config/config.toml:2: p2p.max_num_inbound_peers");
    free(where);

    yard_config_set_flag(&config, key, "--p2p.max-num-inbound-peers", "9");
    cr_expect_str_eq(value_of(key), "9");
    where = yard_config_where(&config, key);
    cr_expect_str_eq(where, "flag --p2p.max_num_inbound_peers");
    free(where);

    yard_config_set_flag(&config, key, "--p2p.max-num-inbound-peers", "x");
    cr_expect_str_eq(value_of(key), "9", "a refused value changes nothing");
    cr_assert_eq(config.errors.count, 1);
    cr_expect_str_eq(config.errors.items[0],
                     "flag --p2p.max-num-inbound-peers: \"x\" is no number");
}

/* Every key can be given in a file and comes back from there with its line. */
Test(config, every_key_can_be_given) {
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        const yard_key_desc *desc = yard_key_get(key);
        if (desc->kind == YARD_KIND_TABLE) {
            continue;
        }
        char *printed = yard_value_print(desc, &config.values[key]);
        char *text =
            yard_format("\n%s%s%s\n%s = %s\n", desc->table[0] != '\0' ? "[" : "", desc->table,
                        desc->table[0] != '\0' ? "]" : "", desc->name, printed);
        read_text(text);
        cr_expect_eq(config.errors.count, 0, "%s", text);
        cr_expect_eq(config.warnings.count, 0, "%s", text);
        cr_expect_eq(config.values[key].origin, YARD_FROM_FILE, "%s", text);
        cr_expect_eq(config.values[key].line, 3, "%s", text);
        free(printed);
        free(text);
    }
}

/* ---- Names of flags ----------------------------------------------------------------------------
 */

Test(config, flags_find_their_keys) {
    static const struct {
        const char *flag;
        yard_key key;
    } rows[] = {
        {"p2p.laddr", YARD_KEY_LADDR},
        {"p2p.persistent-peers", YARD_KEY_PERSISTENT_PEERS},
        {"p2p.persistent_peers", YARD_KEY_PERSISTENT_PEERS},
        {"p2p.max_num-inbound_peers", YARD_KEY_MAX_NUM_INBOUND_PEERS},
        {"chain-id", YARD_KEY_CHAIN_ID},
        {"chain_id", YARD_KEY_CHAIN_ID},
        {"moniker", YARD_KEY_MONIKER},
        {"log_level", YARD_KEY_LOG_LEVEL},
        {"genesis_file", YARD_KEY_GENESIS_FILE},
        {"filter-peers", YARD_KEY_FILTER_PEERS},
        {"laddr", YARD_KEY_COUNT},
        {"p2p.", YARD_KEY_COUNT},
        {"p2p.chain_id", YARD_KEY_COUNT},
        {"p2p-laddr", YARD_KEY_COUNT},
        {"p2p.libp2p", YARD_KEY_COUNT},
        {"*", YARD_KEY_COUNT},
        {"switchyard.chain_id", YARD_KEY_COUNT},
        {"", YARD_KEY_COUNT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(yard_key_of_flag(rows[i].flag, strlen(rows[i].flag)), rows[i].key, "row %s",
                     rows[i].flag);
    }
}

Test(config, a_copy_stands_alone) {
    static const char text[] = "[p2p]\nladdr = \"tcp://1.2.3.4:5\"\n"
                               "[switchyard]\nprofiles = [\"plain\", \"cometbft\"]\n";
    yard_config from;
    yard_config copy;
    yard_config_init(&from, "/h");
    yard_config_read_text(&from, text, strlen(text));
    yard_config_copy(&from, &copy);
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        const yard_key_desc *desc = yard_key_get(key);
        char *a = yard_value_print(desc, &from.values[key]);
        char *b = yard_value_print(desc, &copy.values[key]);
        cr_expect_str_eq(a, b, "%s.%s", desc->table, desc->name);
        free(a);
        free(b);
    }
    yard_config_fini(&from);
    cr_expect_str_eq(copy.values[YARD_KEY_LADDR].text, "tcp://1.2.3.4:5");
    cr_expect_str_eq(copy.values[YARD_KEY_PROFILES].texts[1], "cometbft");
    yard_config_fini(&copy);
}

Test(config, what_only_a_restart_can_change) {
    cr_expect(yard_key_reloads(YARD_KEY_PERSISTENT_PEERS));
    cr_expect(yard_key_reloads(YARD_KEY_DENY_PEERS));
    cr_expect_not(yard_key_reloads(YARD_KEY_LADDR));
    cr_expect_not(yard_key_reloads(YARD_KEY_CHAIN_ID));
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        if (yard_key_get(key)->role != YARD_ROLE_USED) {
            cr_expect_not(yard_key_reloads(key), "%s", yard_key_get(key)->name);
        }
    }
}
