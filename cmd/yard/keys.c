/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/keys.h"

#include <string.h>

#include <switchyard/assert.h>

static const yard_key_desc keys[YARD_KEY_COUNT] = {
#define KEY(id, table, name, kind, comet, tendermint, min, max, role, text)                        \
    {table, name, YARD_KIND_##kind, {comet, tendermint}, min, max, YARD_ROLE_##role, text},
#include "cmd/yard/keys.def"
#undef KEY
};

const yard_key_desc *yard_key_get(yard_key key) {
    SY_REQUIRE(key < YARD_KEY_COUNT);
    return &keys[key];
}

bool yard_key_reloads(yard_key key) {
    static const yard_key reloading[] = {
        YARD_KEY_LOG_LEVEL_TOP,
        YARD_KEY_LOG_FORMAT_TOP,
        YARD_KEY_SEEDS,
        YARD_KEY_PERSISTENT_PEERS,
        YARD_KEY_MAX_NUM_INBOUND_PEERS,
        YARD_KEY_MAX_NUM_OUTBOUND_PEERS,
        YARD_KEY_MAX_NUM_PEERS,
        YARD_KEY_UNCONDITIONAL_PEER_IDS,
        YARD_KEY_PERSISTENT_PEERS_MAX_DIAL_PERIOD,
        YARD_KEY_SEND_RATE,
        YARD_KEY_RECV_RATE,
        YARD_KEY_PRIVATE_PEER_IDS,
        YARD_KEY_ALLOW_DUPLICATE_IP,
        YARD_KEY_HANDSHAKE_TIMEOUT,
        YARD_KEY_DIAL_TIMEOUT,
        YARD_KEY_TOTAL_CONNECTIONS,
        YARD_KEY_PENDING_HANDSHAKES,
        YARD_KEY_MAX_PEERS_PER_IP,
        YARD_KEY_MAX_PEERS_PER_PREFIX,
        YARD_KEY_ALLOW_PEERS,
        YARD_KEY_DENY_PEERS,
        YARD_KEY_BANS_FILE,
        YARD_KEY_RESOLVE_TIMEOUT,
        YARD_KEY_PARK_TIMEOUT,
        YARD_KEY_LINGER_TIMEOUT,
        YARD_KEY_PING_INTERVAL,
        YARD_KEY_PONG_TIMEOUT,
        YARD_KEY_PEER_MEMORY_MAX,
        YARD_KEY_LOG_LEVEL,
        YARD_KEY_LOG_FORMAT,
    };
    for (size_t i = 0; i < sizeof reloading / sizeof reloading[0]; i++) {
        if (reloading[i] == key) {
            return true;
        }
    }
    return false;
}

static bool is_inside(const char *table, const char *outer) {
    const size_t len = strlen(outer);
    return strncmp(table, outer, len) == 0 && (table[len] == '\0' || table[len] == '.');
}

yard_key yard_key_find(const char *table, const char *name) {
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        const bool found =
            keys[key].kind == YARD_KIND_TABLE
                ? is_inside(table, keys[key].table)
                : strcmp(keys[key].table, table) == 0 && strcmp(keys[key].name, name) == 0;
        if (found) {
            return key;
        }
    }
    return YARD_KEY_COUNT;
}

static bool same_name(const char *name, const char *flag, size_t len) {
    if (strlen(name) != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (name[i] != (flag[i] == '-' ? '_' : flag[i])) {
            return false;
        }
    }
    return true;
}

static yard_key find_in(const char *table, const char *flag, size_t len) {
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        if (keys[key].kind != YARD_KIND_TABLE && strcmp(keys[key].table, table) == 0 &&
            same_name(keys[key].name, flag, len)) {
            return key;
        }
    }
    return YARD_KEY_COUNT;
}

yard_key yard_key_of_flag(const char *flag, size_t len) {
    if (len > 4 && memcmp(flag, "p2p.", 4) == 0) {
        return find_in("p2p", flag + 4, len - 4);
    }
    const yard_key key = find_in("switchyard", flag, len);
    return key != YARD_KEY_COUNT ? key : find_in("", flag, len);
}

static void print_default(FILE *out, const yard_key_desc *desc, yard_dialect dialect) {
    const char *text = desc->defaults[dialect];
    if (desc->kind == YARD_KIND_TABLE) {
        (void)fputs("", out);
    } else if (desc->kind == YARD_KIND_TEXT) {
        (void)fprintf(out, "`\"%s\"`", text);
    } else {
        (void)fprintf(out, "`%s`", text);
    }
}

static const char *reload_text(yard_key key) {
    if (keys[key].role != YARD_ROLE_USED) {
        return "-";
    }
    return yard_key_reloads(key) ? "at once" : "restart";
}

static void print_row(FILE *out, yard_key key) {
    const yard_key_desc *desc = &keys[key];
    if (desc->kind == YARD_KIND_TABLE) {
        (void)fprintf(out, "| `[%s]` | ", desc->table);
    } else {
        (void)fprintf(out, "| `%s` | ", desc->name);
    }
    print_default(out, desc, YARD_DIALECT_COMETBFT);
    if (strcmp(desc->defaults[0], desc->defaults[1]) != 0) {
        (void)fputs(", Tendermint 0.22: ", out);
        print_default(out, desc, YARD_DIALECT_TENDERMINT);
    }
    (void)fprintf(out, " | %s | ", reload_text(key));
    if (desc->role == YARD_ROLE_NO_EFFECT) {
        (void)fputs("accepted, no effect: ", out);
    } else if (desc->role == YARD_ROLE_NOT_YET) {
        (void)fputs("accepted, not part of this version: ", out);
    }
    (void)fputs(desc->text, out);
    if (desc->kind == YARD_KIND_NUMBER && (desc->min > 0 || desc->max < INT64_MAX)) {
        if (desc->max < INT64_MAX) {
            (void)fprintf(out, " (%llu to %llu)", (unsigned long long)desc->min,
                          (unsigned long long)desc->max);
        } else {
            (void)fprintf(out, " (at least %llu)", (unsigned long long)desc->min);
        }
    }
    (void)fputs(" |\n", out);
}

static void print_table(FILE *out, const char *heading, const char *table) {
    (void)fprintf(out,
                  "\n## %s\n\n| key | default | on SIGHUP | meaning |\n"
                  "| --- | --- | --- | --- |\n",
                  heading);
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        const bool here =
            table[0] == '\0' ? keys[key].table[0] == '\0' : is_inside(keys[key].table, table);
        if (here) {
            print_row(out, key);
        }
    }
}

void yard_keys_print(FILE *out) {
    (void)fputs(
        "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
        "<!-- Printed by `yard help keys`; change cmd/yard/keys.def instead. -->\n"
        "# Configuration keys\n"
        "\n"
        "`config/config.toml` in the home directory is CometBFT's, or Tendermint 0.22's, with a\n"
        "table `[switchyard]` of our own. A file with `max_num_peers`, or with an integer for\n"
        "`flush_throttle_timeout`, is one of Tendermint 0.22; that decides some defaults.\n"
        "A flag wins over `[switchyard]`, that over the file's top level, that over the default.\n"
        "Each key of `[p2p]` is the flag `--p2p.KEY VALUE`, each other one `--KEY VALUE`; `_` and\n"
        "`-` are the same in flags, lists are written as in TOML. Durations are numbers with\n"
        "units: `20s`, `1m30s`, `100ms`. Other tables of the file are not read.\n"
        "\n"
        "On SIGHUP `yard start` reads the file again. It takes all of it or, when anything in it\n"
        "is wrong, nothing, and logs what changed; `restart` marks keys that keep their old value\n"
        "until then. New deadlines, rates and keepalive hold for connections made from then on; "
        "peers\n"
        "over a new limit, and those that a list does not let pass any more, leave at once.\n",
        out);
    print_table(out, "[switchyard]", "switchyard");
    print_table(out, "[p2p]", "p2p");
    print_table(out, "Top level", "");
}
