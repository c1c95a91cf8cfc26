/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/node_settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <switchyard/assert.h>
#include <switchyard/pex.h>

#include "conn/scratch.h"

#define OUTBOUND_TARGET   10    /* of a Tendermint 0.22 node, inside its max_num_peers */
#define PENDING_BYTES     4096  /* SPEC SW-05 */
#define PENDING_PLAIN     32768 /* in plain NodeInfo comes before the identity */
#define OTHER_DESCRIPTORS 32    /* standard streams, loop, resolver, listener, application */

static const char *text_of(const yard_config *config, yard_key key) {
    return config->values[key].text;
}

static uint64_t number_of(const yard_config *config, yard_key key) {
    return config->values[key].number;
}

/* The first of two keys that is not empty. */
static yard_key first_given(const yard_config *config, yard_key key, yard_key fallback) {
    return text_of(config, key)[0] != '\0' ? key : fallback;
}

/* ---- Logging --------------------------------------------------------------------------------- */

/* The level for us in "main:info,p2p:debug,*:error"; the text itself when it is no list. */
static char *level_in_list(const char *text) {
    static const char *const names[] = {"p2p:", "main:", "*:"};
    if (strchr(text, ':') == NULL) {
        return yard_strdup(text);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (const char *at = text; at != NULL; at = strchr(at, ',')) {
            at += *at == ',';
            at += strspn(at, " ");
            if (strncmp(at, names[i], strlen(names[i])) == 0) {
                at += strlen(names[i]);
                return yard_strndup(at, strcspn(at, ", "));
            }
        }
    }
    return yard_strdup("info");
}

static void set_log(yard_config *config, yard_node *node) {
    const yard_key level_key = first_given(config, YARD_KEY_LOG_LEVEL, YARD_KEY_LOG_LEVEL_TOP);
    const yard_key format_key = first_given(config, YARD_KEY_LOG_FORMAT, YARD_KEY_LOG_FORMAT_TOP);

    node->log_level = SY_LOG_INFO;
    if (text_of(config, level_key)[0] != '\0') {
        char *level = level_in_list(text_of(config, level_key));
        if (sy_log_level_parse(level, &node->log_level) != SY_OK) {
            yard_config_refuse(config, level_key,
                               "\"%.64s\" is none of debug, info, warn, error, none", level);
        }
        free(level);
    }
    const char *format = text_of(config, format_key);
    node->log_json = strcmp(format, "json") == 0;
    if (!node->log_json && strcmp(format, "kv") != 0 && strcmp(format, "plain") != 0) {
        yard_config_refuse(config, format_key, "\"%.64s\" is neither kv (plain) nor json", format);
    }
}

/* ---- Who we are ------------------------------------------------------------------------------ */

static void set_moniker(const yard_config *config, yard_node *node) {
    const yard_key key = first_given(config, YARD_KEY_MONIKER, YARD_KEY_MONIKER_TOP);
    char host[256] = "";
    if (text_of(config, key)[0] != '\0') {
        node->moniker = yard_strdup(text_of(config, key));
    } else if (gethostname(host, sizeof host - 1) == 0 && host[0] != '\0') {
        node->moniker = yard_strdup(host);
    } else {
        node->moniker = yard_strdup("anonymous");
    }
    node->settings.moniker = node->moniker;
}

/* chain_id of the genesis file, or NULL with the reason. */
static char *chain_id_of_genesis(const char *path, char **ret_why) {
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL) {
        *ret_why = error.line > 0 ? yard_format("%s:%d: %s", path, error.line, error.text)
                                  : yard_format("%s", error.text);
        return NULL;
    }
    const char *value = json_string_value(json_object_get(root, "chain_id"));
    char *chain_id = value == NULL || value[0] == '\0' ? NULL : yard_strdup(value);
    if (chain_id == NULL) {
        *ret_why = yard_format("%s: no chain_id", path);
    }
    json_decref(root);
    return chain_id;
}

static void set_chain_id(yard_config *config, yard_node *node) {
    if (text_of(config, YARD_KEY_CHAIN_ID)[0] != '\0') {
        node->chain_id = yard_strdup(text_of(config, YARD_KEY_CHAIN_ID));
    } else {
        char *why = NULL;
        char *path = yard_path(config->home, text_of(config, YARD_KEY_GENESIS_FILE));
        node->chain_id = chain_id_of_genesis(path, &why);
        if (node->chain_id == NULL) {
            yard_texts_add(&config->errors,
                           yard_format("no chain_id: set it in [switchyard] of %s, as --chain_id, "
                                       "or with a genesis file (%s)",
                                       config->path, why));
        }
        free(why);
        free(path);
    }
    node->settings.network = node->chain_id;
}

static void set_identity(yard_config *config, yard_node *node) {
    sy_settings *s = &node->settings;
    set_moniker(config, node);
    set_chain_id(config, node);
    if (text_of(config, YARD_KEY_VERSION)[0] != '\0') {
        s->version = text_of(config, YARD_KEY_VERSION);
    }
    s->p2p_version = number_of(config, YARD_KEY_P2P_VERSION);
    s->block_version = number_of(config, YARD_KEY_BLOCK_VERSION);
    s->app_version = number_of(config, YARD_KEY_APP_VERSION);
    s->rpc_address = text_of(config, YARD_KEY_RPC_ADDRESS);
    s->extra_channels = config->values[YARD_KEY_EXTRA_CHANNELS].bytes;
    s->extra_channel_count = config->values[YARD_KEY_EXTRA_CHANNELS].count;
    node->key_path = yard_path(config->home, text_of(config, YARD_KEY_NODE_KEY_FILE));
}

static bool is_profile(const char *name) {
    return strcmp(name, "tendermint") == 0 || strcmp(name, "cometbft") == 0 ||
           strcmp(name, "plain") == 0;
}

static void set_profiles(yard_config *config, yard_node *node) {
    const yard_value *value = &config->values[YARD_KEY_PROFILES];
    sy_settings *s = &node->settings;
    bool has_plain = false;
    s->profile_count = 0;
    for (size_t i = 0; i < value->count; i++) {
        if (!is_profile(value->texts[i])) {
            yard_config_refuse(config, YARD_KEY_PROFILES,
                               "\"%.64s\" is none of tendermint, cometbft, plain", value->texts[i]);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(value->texts[i], value->texts[k]) == 0) {
                yard_config_refuse(config, YARD_KEY_PROFILES, "\"%s\" stands there twice",
                                   value->texts[i]);
            }
        }
        has_plain = has_plain || strcmp(value->texts[i], "plain") == 0;
        s->profiles[s->profile_count++] = value->texts[i];
    }
    if (number_of(config, YARD_KEY_AUTH_ENC) != 0 || has_plain) {
        return;
    }
    if (!yard_config_is_given(config, YARD_KEY_PROFILES)) {
        s->profile_count = 0;
    }
    if (s->profile_count == SY_PROFILES_MAX) {
        yard_config_refuse(config, YARD_KEY_PROFILES, "no room for plain (auth_enc = false)");
        return;
    }
    s->profiles[s->profile_count++] = "plain";
}

/* ---- Addresses ------------------------------------------------------------------------------- */

static void set_listener(yard_config *config, yard_node *node) {
    const char *laddr = text_of(config, YARD_KEY_LADDR);
    const char *external = text_of(config, YARD_KEY_EXTERNAL_ADDRESS);
    sy_detail why;
    sy_addr parsed;

    sy_detail_clear(&why);
    if (laddr[0] != '\0') {
        const sy_err err = sy_addr_parse(laddr, strlen(laddr), SY_ADDR_LISTEN, &node->listen, &why);
        node->has_listener = err == SY_OK;
        if (err != SY_OK) {
            yard_config_refuse(config, YARD_KEY_LADDR, "\"%.80s\": %s: %s", laddr, sy_strerror(err),
                               why.text);
        }
    }
    sy_detail_clear(&why);
    if (external[0] != '\0') {
        const sy_err err = sy_addr_parse(external, strlen(external), SY_ADDR_LISTEN, &parsed, &why);
        if (err != SY_OK) {
            yard_config_refuse(config, YARD_KEY_EXTERNAL_ADDRESS, "\"%.80s\": %s: %s", external,
                               sy_strerror(err), why.text);
        }
        node->settings.listen_addr = external;
    }
}

/* A list of ID@host:port; bad entries are refused by their position. */
static void set_addrs(yard_config *config, yard_key key, sy_addr **addrs, size_t *count) {
    const char *list = text_of(config, key);
    const size_t len = strlen(list);
    size_t cursor = 0;
    const char *item;
    size_t item_len;
    for (size_t position = 1; sy_addr_list_next(list, len, &cursor, &item, &item_len); position++) {
        sy_detail why;
        sy_addr addr;
        sy_detail_clear(&why);
        const sy_err err = sy_addr_parse(item, item_len, SY_ADDR_ID_REQUIRED, &addr, &why);
        if (err != SY_OK) {
            yard_config_refuse(config, key, "entry %zu \"%.*s\": %s: %s", position,
                               (int)(item_len < 128 ? item_len : 128), item, sy_strerror(err),
                               why.text);
            continue;
        }
        *addrs = yard_resize(*addrs, *count + 1, sizeof **addrs);
        (*addrs)[(*count)++] = addr;
    }
}

/* A list of IDs. */
static void set_ids(yard_config *config, yard_key key, sy_node_id **ids, size_t *ret_count) {
    const char *list = text_of(config, key);
    const size_t len = strlen(list);
    size_t cursor = 0;
    size_t count = 0;
    const char *item;
    size_t item_len;
    for (size_t position = 1; sy_addr_list_next(list, len, &cursor, &item, &item_len); position++) {
        sy_node_id id;
        if (sy_node_id_parse(item, item_len, &id) != SY_OK) {
            yard_config_refuse(config, key, "entry %zu \"%.*s\": an ID is 40 hexadecimal digits",
                               position, (int)(item_len < 128 ? item_len : 128), item);
            continue;
        }
        *ids = yard_resize(*ids, count + 1, sizeof **ids);
        (*ids)[count++] = id;
    }
    *ret_count = count;
}

/* Entries end at a comma or a line's end, so that a list can be a text of many lines. */
static bool next_rule(const char **at, const char **ret_item, size_t *ret_len) {
    static const char blank[] = " \t\n,";
    const char *item = *at + strspn(*at, blank);
    size_t len = strcspn(item, "\n,");
    *at = item + len;
    while (len > 0 && strchr(blank, item[len - 1]) != NULL) {
        len--;
    }
    *ret_item = item;
    *ret_len = len;
    return len > 0;
}

/* A list of IDs, addresses and prefixes. */
static void set_rules(yard_config *config, yard_key key, sy_net_rule **rules, size_t *count) {
    const char *at = text_of(config, key);
    const char *item;
    size_t item_len;
    size_t cap = 0;
    for (size_t position = 1; next_rule(&at, &item, &item_len); position++) {
        sy_detail why;
        sy_net_rule rule;
        sy_detail_clear(&why);
        if (position > SY_FILTER_RULES_MAX) {
            yard_config_refuse(config, key, "more than the limit of %d entries",
                               SY_FILTER_RULES_MAX);
            return;
        }
        if (sy_net_rule_parse(item, item_len, &rule, &why) != SY_OK) {
            yard_config_refuse(config, key, "entry %zu: %s", position, why.text);
            continue;
        }
        if (*count == cap) {
            cap = cap == 0 ? 16 : 2 * cap;
            *rules = yard_resize(*rules, cap, sizeof **rules);
        }
        (*rules)[(*count)++] = rule;
    }
}

static void set_filter(yard_config *config, yard_node *node) {
    set_rules(config, YARD_KEY_ALLOW_PEERS, &node->allow, &node->allow_count);
    set_rules(config, YARD_KEY_DENY_PEERS, &node->deny, &node->deny_count);
    node->bans_path = yard_path(config->home, text_of(config, YARD_KEY_BANS_FILE));
}

sy_filter_settings yard_node_filter(const yard_node *node) {
    return (sy_filter_settings){
        .allow = node->allow,
        .allow_count = node->allow_count,
        .deny = node->deny,
        .deny_count = node->deny_count,
    };
}

static void set_peers(yard_config *config, yard_node *node) {
    set_addrs(config, YARD_KEY_PERSISTENT_PEERS, &node->persistent, &node->persistent_count);
    set_ids(config, YARD_KEY_UNCONDITIONAL_PEER_IDS, &node->unconditional,
            &node->settings.unconditional_count);
    node->settings.unconditional_ids = node->unconditional;
}

/* ---- Peer exchange --------------------------------------------------------------------------- */

static bool has_channel(const yard_value *value, uint8_t channel) {
    return value->count > 0 && memchr(value->bytes, channel, value->count) != NULL;
}

/* Channel 0x00 belongs to peer exchange, unless the operator has another use for it. */
static bool is_pex_wanted(yard_config *config) {
    if (number_of(config, YARD_KEY_PEX) == 0) {
        return false;
    }
    const bool echo = has_channel(&config->values[YARD_KEY_ECHO_CHANNELS], SY_PEX_CHANNEL);
    const bool extra = has_channel(&config->values[YARD_KEY_EXTRA_CHANNELS], SY_PEX_CHANNEL);
    if (!echo && !extra) {
        return true;
    }
    yard_texts_add(&config->warnings, yard_format("no peer exchange: %s uses its channel 0x00",
                                                  echo ? "echo_channels" : "extra_channels"));
    return false;
}

static char *notes_path_of(const char *book) {
    const size_t len = strlen(book);
    const size_t stem = len > 5 && strcmp(book + len - 5, ".json") == 0 ? len - 5 : len;
    return yard_format("%.*s.notes.json", (int)stem, book);
}

static void set_pex(yard_config *config, yard_node *node) {
    node->pex = is_pex_wanted(config);
    node->seed_mode = number_of(config, YARD_KEY_SEED_MODE) != 0;
    node->book_strict = number_of(config, YARD_KEY_ADDR_BOOK_STRICT) != 0;
    node->book_path = yard_path(config->home, text_of(config, YARD_KEY_ADDR_BOOK_FILE));
    node->notes_path = notes_path_of(node->book_path);
    set_addrs(config, YARD_KEY_SEEDS, &node->seeds, &node->seed_count);
    set_ids(config, YARD_KEY_PRIVATE_PEER_IDS, &node->private_ids, &node->private_count);
    if (node->seed_count > SY_PEX_SEEDS_MAX) {
        yard_config_refuse(config, YARD_KEY_SEEDS, "%zu seeds, at most %d", node->seed_count,
                           SY_PEX_SEEDS_MAX);
    }
    if (node->seed_mode && number_of(config, YARD_KEY_PEX) == 0) {
        yard_config_refuse(config, YARD_KEY_SEED_MODE, "needs p2p.pex");
    }
    if (!node->pex && node->seed_count > 0) {
        yard_texts_add(&config->warnings,
                       yard_strdup("p2p.seeds has no effect: there is no peer exchange"));
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* SPEC SW-16.  The CometBFT key wins when it is given at the same place or a higher one. */
static size_t max_inbound_of(const yard_config *config) {
    const yard_value *total = &config->values[YARD_KEY_MAX_NUM_PEERS];
    const yard_value *inbound = &config->values[YARD_KEY_MAX_NUM_INBOUND_PEERS];
    const bool use_total =
        total->origin > inbound->origin ||
        (total->origin == inbound->origin && total->origin == YARD_FROM_DEFAULT &&
         config->dialect == YARD_DIALECT_TENDERMINT);
    if (!use_total) {
        return (size_t)inbound->number;
    }
    return total->number > OUTBOUND_TARGET ? (size_t)total->number - OUTBOUND_TARGET : 0;
}

static void set_admission(const yard_config *config, yard_node *node) {
    sy_settings *s = &node->settings;
    s->max_inbound = max_inbound_of(config);
    s->max_outbound = (size_t)number_of(config, YARD_KEY_MAX_NUM_OUTBOUND_PEERS);
    s->total_connections = (size_t)number_of(config, YARD_KEY_TOTAL_CONNECTIONS);
    s->max_pending = (size_t)number_of(config, YARD_KEY_PENDING_HANDSHAKES);
    s->max_per_ip = (size_t)number_of(config, YARD_KEY_MAX_PEERS_PER_IP);
    if (s->max_per_ip == 0 && number_of(config, YARD_KEY_ALLOW_DUPLICATE_IP) == 0) {
        s->max_per_ip = 1; /* SPEC SW-20 */
    }
    s->max_per_prefix = (size_t)number_of(config, YARD_KEY_MAX_PEERS_PER_PREFIX);
    s->plain_anywhere = number_of(config, YARD_KEY_PLAIN_ANYWHERE) != 0;
}

static void set_limits(yard_config *config, yard_node *node) {
    sy_settings *s = &node->settings;
    s->dial_timeout = number_of(config, YARD_KEY_DIAL_TIMEOUT);
    s->handshake_timeout = number_of(config, YARD_KEY_HANDSHAKE_TIMEOUT);
    s->resolve_timeout = number_of(config, YARD_KEY_RESOLVE_TIMEOUT);
    s->park_timeout = number_of(config, YARD_KEY_PARK_TIMEOUT);
    s->linger_timeout = number_of(config, YARD_KEY_LINGER_TIMEOUT);
    s->persistent_peers_max_dial_period =
        number_of(config, YARD_KEY_PERSISTENT_PEERS_MAX_DIAL_PERIOD);
    s->ping_interval = number_of(config, YARD_KEY_PING_INTERVAL);
    s->pong_timeout = number_of(config, YARD_KEY_PONG_TIMEOUT);
    s->packet_payload_max = (size_t)number_of(config, YARD_KEY_MAX_PACKET_MSG_PAYLOAD_SIZE);
    s->send_rate = number_of(config, YARD_KEY_SEND_RATE);
    s->recv_rate = number_of(config, YARD_KEY_RECV_RATE);
    s->memory_max = (size_t)number_of(config, YARD_KEY_MEMORY_MAX);
    s->peer_memory_max = (size_t)number_of(config, YARD_KEY_PEER_MEMORY_MAX);
    s->frame_cipher = text_of(config, YARD_KEY_FRAME_CIPHER);
    if (sy_frame_cipher_name(s->frame_cipher) == NULL) {
        yard_config_refuse(config, YARD_KEY_FRAME_CIPHER,
                           "\"%.64s\" is none of auto, avx512, avx2 and library", s->frame_cipher);
    } else if (!sy_frame_cipher_runs(s->frame_cipher)) {
        yard_config_refuse(config, YARD_KEY_FRAME_CIPHER, "this processor does not have %s",
                           s->frame_cipher);
    }
    if (s->pong_timeout >= s->ping_interval) {
        char *interval = yard_duration_print(s->ping_interval);
        yard_config_refuse(config, YARD_KEY_PONG_TIMEOUT,
                           "must be below ping_interval, which is %s", interval);
        free(interval);
    }
    if (s->memory_max < s->peer_memory_max) {
        yard_config_refuse(config, YARD_KEY_PEER_MEMORY_MAX,
                           "must be at most memory_max, which is %zu", s->memory_max);
    }
}

static void check_channels(yard_config *config) {
    const yard_value *echo = &config->values[YARD_KEY_ECHO_CHANNELS];
    const yard_value *extra = &config->values[YARD_KEY_EXTRA_CHANNELS];
    for (size_t i = 0; i < extra->count; i++) {
        if (memchr(echo->bytes, extra->bytes[i], echo->count) != NULL) {
            yard_config_refuse(config, YARD_KEY_EXTRA_CHANNELS,
                               "0x%02x is one of echo_channels too", extra->bytes[i]);
        }
    }
    if (echo->count + extra->count > YARD_BYTES_MAX) {
        yard_config_refuse(config, YARD_KEY_EXTRA_CHANNELS,
                           "with echo_channels %zu channels, at most %d",
                           echo->count + extra->count, YARD_BYTES_MAX);
    }
}

/* ---- What to say once ------------------------------------------------------------------------ */

static bool is_default(const yard_config *config, yard_key key) {
    const yard_key_desc *desc = yard_key_get(key);
    yard_value value = {0};
    yard_value_error error;
    if (!yard_config_is_given(config, key)) {
        return true;
    }
    if (desc->kind == YARD_KIND_TABLE) {
        return false;
    }
    const bool ok = yard_value_of_text(desc, desc->defaults[config->dialect], &value, &error);
    SY_ASSERT(ok);
    char *fallback = yard_value_print(desc, &value);
    char *given = yard_value_print(desc, &config->values[key]);
    const bool same = strcmp(fallback, given) == 0;
    free(fallback);
    free(given);
    yard_value_fini(&value);
    return same;
}

static void note_no_effect(yard_config *config) {
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        const yard_key_desc *desc = yard_key_get(key);
        if (desc->role != YARD_ROLE_NO_EFFECT || is_default(config, key)) {
            continue;
        }
        char *where = yard_config_where(config, key);
        yard_texts_add(&config->notes,
                       yard_format("%s: accepted, no effect: %s", where, desc->text));
        free(where);
    }
}

bool yard_node_build(yard_config *config, yard_node *node) {
    *node = (yard_node){0};
    sy_settings_default(&node->settings);
    set_log(config, node);
    set_identity(config, node);
    set_profiles(config, node);
    set_listener(config, node);
    set_peers(config, node);
    set_filter(config, node);
    set_pex(config, node);
    set_admission(config, node);
    set_limits(config, node);
    check_channels(config);
    node->filter_peers = yard_app_filter_build(config, &node->app_filter);
    note_no_effect(config);
    return config->errors.count == 0;
}

void yard_node_fini(yard_node *node) {
    free(node->persistent);
    free(node->unconditional);
    free(node->allow);
    free(node->deny);
    free(node->bans_path);
    free(node->seeds);
    free(node->private_ids);
    free(node->book_path);
    free(node->notes_path);
    free(node->chain_id);
    free(node->moniker);
    free(node->key_path);
    *node = (yard_node){0};
}

/* ---- The worst case -------------------------------------------------------------------------- */

static bool speaks_plain(const sy_settings *s) {
    for (size_t i = 0; i < s->profile_count; i++) {
        if (strcmp(s->profiles[i], "plain") == 0) {
            return true;
        }
    }
    return false;
}

/* Each rule is held by the node and by its switch, the bans are while they are read twice. */
static uint64_t list_bytes(const yard_node *node) {
    return 2 * ((uint64_t)(node->allow_count + node->deny_count) * sizeof(sy_net_rule) +
                (uint64_t)SY_BANS_MAX * sizeof(sy_ban));
}

yard_memory yard_node_memory(const yard_node *node) {
    const sy_settings *s = &node->settings;
    yard_memory memory = {.loop = YARD_LOOP_BYTES, .lists = list_bytes(node)};
    memory.loop += node->filter_peers ? YARD_APP_BYTES : 0;
    memory.peers = s->total_connections > 0 ? s->total_connections
                                            : s->max_inbound + s->max_outbound +
                                                  node->persistent_count + s->unconditional_count;
    memory.peer_bytes = memory.peers > UINT64_MAX / 2 / s->peer_memory_max
                            ? UINT64_MAX / 2
                            : (uint64_t)memory.peers * s->peer_memory_max;
    memory.handshakes =
        s->max_pending + node->persistent_count + (node->pex ? SY_PEX_DIALING_MAX : 0);
    memory.pending = (uint64_t)memory.handshakes *
                     (speaks_plain(s) || node->filter_peers ? PENDING_PLAIN : PENDING_BYTES);
    memory.book = node->pex ? YARD_BOOK_BYTES : 0;
    const uint64_t charged = memory.peer_bytes + memory.pending;
    memory.worst = (charged < s->memory_max ? charged : s->memory_max) + memory.book +
                   memory.lists + memory.loop;
    return memory;
}

size_t yard_node_descriptors(const yard_node *node) {
    const yard_memory memory = yard_node_memory(node);
    return memory.peers + memory.handshakes + OTHER_DESCRIPTORS;
}
