/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of a switch: defaults, checks, the deep copy; making and freeing the switch. */
#include "p2p/app.h"
#include "p2p/isolated.h"

#include <string.h>

#include <switchyard/assert.h>

void sy_settings_default_sized(sy_settings *settings, size_t size) {
    SY_REQUIRE(size <= sizeof *settings);
    const sy_settings defaults = {
        .size = size,
        .moniker = "anonymous",
        .version = "0.22.8",
        .p2p_version = 8,
        .block_version = 11,
        .rpc_address = "",
        .profiles = {"tendermint"},
        .profile_count = 1,
        .max_inbound = 40,
        .max_outbound = 10,
        .max_pending = SY_PENDING_DEFAULT,
        .dial_timeout = 3 * SY_SEC,
        .handshake_timeout = 20 * SY_SEC,
        .resolve_timeout = 5 * SY_SEC,
        .park_timeout = 2 * SY_SEC,
        .linger_timeout = 5 * SY_SEC,
        .ping_interval = SY_PING_INTERVAL_S * SY_SEC,
        .pong_timeout = SY_PONG_TIMEOUT_S * SY_SEC,
        .packet_payload_max = SY_PACKET_PAYLOAD_MAX,
        .memory_max = (size_t)4 << 30,
        .peer_memory_max = (size_t)64 << 20,
        .frame_cipher = "auto",
    };
    memcpy(settings, &defaults, size);
}

/* ---- Checks ------------------------------------------------------------------------------------
 */

static sy_err bad(sy_detail *detail, const char *field, const char *rule) {
    sy_detail_set(detail, "%s: %s", field, rule);
    return SY_ERR_CONFIG;
}

static bool is_good_text(const char *text, bool may_be_empty) {
    if (text == NULL) {
        return false;
    }
    const size_t len = strlen(text);
    if (len == 0) {
        return may_be_empty;
    }
    return len <= SY_NODE_INFO_TEXT_MAX && sy_text_is_printable(text, len);
}

static sy_err check_texts(const sy_settings *s, sy_detail *detail) {
    if (!is_good_text(s->network, false)) {
        return bad(detail, "chain_id", "required, printable ASCII, at most 1024 bytes");
    }
    if (!is_good_text(s->moniker, false)) {
        return bad(detail, "moniker", "required, printable ASCII, at most 1024 bytes");
    }
    if (!is_good_text(s->version, false)) {
        return bad(detail, "version", "required, printable ASCII, at most 1024 bytes");
    }
    if (!is_good_text(s->rpc_address, true)) {
        return bad(detail, "rpc_address", "printable ASCII, at most 1024 bytes");
    }
    if (s->frame_cipher == NULL || sy_frame_cipher_name(s->frame_cipher) == NULL) {
        return bad(detail, "frame_cipher", "none of auto, avx512, avx2 and library");
    }
    if (!sy_frame_cipher_runs(s->frame_cipher)) {
        return bad(detail, "frame_cipher", "this processor does not have it");
    }
    if (s->listen_addr != NULL) {
        sy_addr parsed;
        sy_detail why;
        sy_detail_clear(&why);
        if (sy_addr_parse(s->listen_addr, strlen(s->listen_addr), SY_ADDR_LISTEN, &parsed, &why) !=
            SY_OK) {
            sy_detail_set(detail, "external_address: %s", why.text);
            return SY_ERR_CONFIG;
        }
    }
    return SY_OK;
}

static sy_err check_numbers(const sy_settings *s, sy_detail *detail) {
    if (s->pong_timeout == 0 || s->pong_timeout >= s->ping_interval) {
        return bad(detail, "pong_timeout", "must be above 0 and below ping_interval");
    }
    if (s->packet_payload_max == 0 || s->packet_payload_max > SY_PACKET_PAYLOAD_CAP) {
        return bad(detail, "max_packet_msg_payload_size", "must be 1..4194304");
    }
    if (s->max_pending == 0) {
        return bad(detail, "pending_handshakes", "must be at least 1");
    }
    if (s->handshake_timeout == 0 || s->dial_timeout == 0 || s->resolve_timeout == 0 ||
        s->park_timeout == 0) {
        return bad(detail, "handshake_timeout, dial_timeout, resolve_timeout, park_timeout",
                   "must be above 0");
    }
    if (s->extra_channel_count > SY_NODE_INFO_CHANNELS_MAX) {
        return bad(detail, "channels", "at most 16");
    }
    if (s->peer_memory_max < 65536 || s->memory_max < s->peer_memory_max) {
        return bad(detail, "peer_memory_max", "must be at least 65536 and at most memory_max");
    }
    return SY_OK;
}

sy_err sy_settings_check(const sy_settings *settings, sy_detail *detail) {
    const sy_err err = check_texts(settings, detail);
    return err == SY_OK ? check_numbers(settings, detail) : err;
}

static sy_err find_profiles(sy_switch *sw, sy_detail *detail) {
    const sy_settings *s = &sw->settings;
    if (s->profile_count == 0 || s->profile_count > SY_PROFILES_MAX) {
        return bad(detail, "profiles", "1 to 4 of tendermint, cometbft, plain");
    }
    for (size_t i = 0; i < s->profile_count; i++) {
        sw->profiles[i] = sy_profile_by_name(s->profiles[i], strlen(s->profiles[i]));
        if (sw->profiles[i] == NULL) {
            sy_detail_set(detail, "profiles: ");
            sy_detail_quote(detail, s->profiles[i], strlen(s->profiles[i]));
            sy_detail_add(detail, " is none of tendermint, cometbft, plain");
            return SY_ERR_CONFIG;
        }
        for (size_t k = 0; k < i; k++) {
            if (sw->profiles[k] == sw->profiles[i]) {
                return bad(detail, "profiles", "one is named twice");
            }
        }
    }
    return SY_OK;
}

/* ---- The copy ----------------------------------------------------------------------------------
 */

static const char *put_text(char **at, const char *text) {
    if (text == NULL) {
        return NULL;
    }
    const size_t len = strlen(text) + 1;
    char *copy = *at;
    memcpy(copy, text, len);
    *at += len;
    return copy;
}

static size_t text_size(const char *text) {
    return text == NULL ? 0 : strlen(text) + 1;
}

static sy_err copy_settings(sy_switch *sw, const sy_settings *from) {
    sy_settings *s = &sw->settings;
    const size_t total = text_size(from->network) + text_size(from->moniker) +
                         text_size(from->version) + text_size(from->listen_addr) +
                         text_size(from->rpc_address);
    sw->text = sy_mem_zalloc(&sw->mem, total);
    sw->ids = sy_mem_zalloc_array(&sw->mem, from->unconditional_count + 1, sizeof *sw->ids);
    if (sw->text == NULL || sw->ids == NULL) {
        return SY_ERR_NOMEM;
    }
    char *at = sw->text;
    s->network = put_text(&at, from->network);
    s->moniker = put_text(&at, from->moniker);
    s->version = put_text(&at, from->version);
    s->listen_addr = put_text(&at, from->listen_addr);
    s->rpc_address = put_text(&at, from->rpc_address);
    if (from->unconditional_count > 0) {
        memcpy(sw->ids, from->unconditional_ids, from->unconditional_count * sizeof *sw->ids);
    }
    s->unconditional_ids = sw->ids;
    if (from->extra_channel_count > 0) {
        memcpy(sw->extra_channels, from->extra_channels, from->extra_channel_count);
    }
    s->extra_channels = sw->extra_channels;
    for (size_t i = 0; i < s->profile_count; i++) {
        s->profiles[i] = sw->profiles[i]->name;
    }
    s->frame_cipher = sy_frame_cipher_name(s->frame_cipher);
    s->mem = &sw->mem;
    s->node_key = &sw->key;
    return SY_OK;
}

static sy_text text_of(const char *text) {
    return (sy_text){text, strlen(text)};
}

/* SPEC NI-17 NI-18 */
static void describe_ourselves(sy_switch *sw) {
    const sy_settings *s = &sw->settings;
    sy_node_id_format(&sw->id, sw->id_text);
    sw->ours = (sy_node_info){
        .id = {sw->id_text, SY_NODE_ID_TEXT_LEN},
        .listen_addr = s->listen_addr == NULL ? SY_TEXT("0.0.0.0:0") : text_of(s->listen_addr),
        .network = text_of(s->network),
        .version = text_of(s->version),
        .p2p_version = s->p2p_version,
        .block_version = s->block_version,
        .app_version = s->app_version,
        .moniker = text_of(s->moniker),
        .tx_index = SY_TEXT("off"),
        .rpc_address = text_of(s->rpc_address),
        /* What a node of v0.22 says of itself; nobody compares it. */
        .other = {SY_TEXT("amino_version=0.10.1"), SY_TEXT("p2p_version=0.5.0"),
                  SY_TEXT("tx_index=off")},
        .other_count = 3,
    };
}

/* SPEC NI-21: what others would refuse is refused here. */
static sy_err check_ourselves(const sy_switch *sw, sy_detail *detail) {
    for (size_t i = 0; i < sw->settings.profile_count; i++) {
        const sy_node_info_codec codec = sw->profiles[i]->codec;
        if (sy_node_info_validate(codec, &sw->ours, SY_OK, detail) != SY_OK ||
            sy_node_info_compatible(codec, &sw->ours, &sw->ours, detail) != SY_OK) {
            sy_detail_add(detail, " (our own NodeInfo, profile %s)", sw->profiles[i]->name);
            return SY_ERR_CONFIG;
        }
    }
    return SY_OK;
}

/* ---- Making and freeing ------------------------------------------------------------------------
 */

void sy_switch_refresh_limits(sy_switch *sw) {
    const sy_settings *s = &sw->settings;
    const sy_admission_limits limits = {
        .max_inbound = s->max_inbound,
        .max_outbound = s->max_outbound,
        .total = s->total_connections,
        .reserved = s->unconditional_count + sy_dial_table_persistent_count(&sw->dials),
        .max_per_ip = s->max_per_ip,
        .max_per_prefix = s->max_per_prefix,
    };
    sy_admission_set_limits(&sw->admission, &limits);
}

static sy_err make_parts(sy_switch *sw) {
    uint8_t keys[3][16];
    uint64_t seeds[2];
    sw->ops.random(sw->driver, keys, sizeof keys);
    sw->ops.random(sw->driver, seeds, sizeof seeds);
    sy_prng_init(&sw->prng, seeds[0]);

    const sy_admission_limits limits = {0};
    sy_admission_init(&sw->admission, &limits, &sw->mem, keys[0]);
    sw->has_admission = true;
    sw->scratch = sw->settings.scratch;
    sy_err err = sw->scratch != NULL ? SY_OK : sy_scratch_new(&sw->mem, &sw->scratch);
    if (err != SY_OK) {
        return err;
    }
    if (strcmp(sw->settings.frame_cipher, "auto") != 0) {
        sy_scratch_set_cipher(sw->scratch, sw->settings.frame_cipher);
    }
    err = sy_mux_batch_new(&sw->mem, &sw->memory, &sw->mux_batch);
    if (err != SY_OK) {
        return err;
    }
    err = sy_pending_init(&sw->pending, sw->settings.max_pending, &sw->mem);
    if (err != SY_OK) {
        return err;
    }
    sw->has_pending = true;
    err = sy_history_init(&sw->history, SY_HISTORY_IDS, &sw->mem, keys[1]);
    if (err != SY_OK) {
        return err;
    }
    sw->has_history = true;
    const sy_dial_config config = {
        .mem = &sw->mem,
        .own_id = &sw->id,
        .profiles = sw->profiles,
        .profile_count = sw->settings.profile_count,
        .backoff_cap = sw->settings.persistent_peers_max_dial_period,
        .seed = seeds[1],
    };
    sy_dial_config with_key = config;
    memcpy(with_key.hash_key, keys[2], sizeof with_key.hash_key);
    err = sy_dial_table_init(&sw->dials, &with_key);
    if (err != SY_OK) {
        return err;
    }
    sw->has_dials = true;
    sy_switch_refresh_limits(sw);
    return SY_OK;
}

/* All of them or none. */
static bool has_worker_ops(const sy_driver_ops *ops) {
    const bool any = ops->worker_start != NULL;
    return any == (ops->worker_wake != NULL) && any == (ops->worker_lock != NULL) &&
           any == (ops->worker_unlock != NULL) && any == (ops->worker_stop != NULL) &&
           any == (ops->post != NULL);
}

static bool has_all_ops(const sy_driver_ops *ops) {
    return ops->size == sizeof *ops && ops->stream_connect != NULL && ops->stream_write != NULL &&
           ops->stream_set_reading != NULL && ops->stream_check_dry != NULL &&
           ops->stream_shutdown_write != NULL && ops->stream_close != NULL && ops->listen != NULL &&
           ops->listener_close != NULL && ops->resolve != NULL && ops->resolve_cancel != NULL &&
           ops->random != NULL && has_worker_ops(ops);
}

sy_err sy_switch_new(const sy_settings *settings, const sy_driver_ops *ops, void *driver,
                     sy_switch **ret_switch, sy_detail *detail) {
    SY_REQUIRE(settings != NULL && settings->size == sizeof *settings);
    SY_REQUIRE(has_all_ops(ops));

    if (settings->node_key == NULL) {
        return bad(detail, "node_key", "required");
    }
    sy_err err = sy_settings_check(settings, detail);
    if (err != SY_OK) {
        return err;
    }
    const sy_mem *mem = settings->mem == NULL ? sy_mem_libc() : settings->mem;
    sy_switch *sw = sy_mem_zalloc(mem, sizeof *sw);
    if (sw == NULL) {
        return SY_ERR_NOMEM;
    }
    sw->mem = *mem;
    sw->ops = *ops;
    sw->driver = driver;
    sw->settings = *settings;
    sw->key = *settings->node_key;
    sw->id = sy_node_key_id(&sw->key);
    sy_budget_init(&sw->memory, NULL, "node", settings->memory_max);
    sy_channel_set_init(&sw->channels, settings->packet_payload_max);
    sy_timers_init(&sw->timers);
    sy_gate_init(&sw->gate, &sw->mem);

    err = find_profiles(sw, detail);
    if (err == SY_OK) {
        err = copy_settings(sw, settings);
    }
    if (err == SY_OK) {
        describe_ourselves(sw);
        err = check_ourselves(sw, detail);
    }
    if (err == SY_OK) {
        err = make_parts(sw);
    }
    if (err != SY_OK) {
        sy_switch_free(sw);
        return err;
    }
    *ret_switch = sw;
    return SY_OK;
}

void sy_switch_free(sy_switch *sw) {
    SY_ASSERT(sw->link_count == 0);
    sy_app_del(sw);
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_isolated_del(sw->reactors[i].iso);
    }
    if (sw->has_dials) {
        sy_dial_table_fini(&sw->dials);
    }
    if (sw->has_history) {
        sy_history_fini(&sw->history);
    }
    if (sw->has_pending) {
        sy_pending_fini(&sw->pending);
    }
    if (sw->has_admission) {
        sy_admission_fini(&sw->admission);
    }
    sy_mux_batch_del(sw->mux_batch);
    if (sw->settings.scratch == NULL) {
        sy_scratch_del(sw->scratch);
    }
    sy_gate_fini(&sw->gate);
    sy_mem_release(&sw->mem, sw->lookups);
    sy_mem_release(&sw->mem, sw->slots);
    sy_mem_release(&sw->mem, sw->generations);
    sy_mem_release(&sw->mem, sw->free_slots);
    sy_mem_release(&sw->mem, sw->text);
    sy_mem_release(&sw->mem, sw->ids);
    sy_node_key_wipe(&sw->key);
    sy_budget_fini(&sw->memory);
    const sy_mem mem = sw->mem;
    sy_mem_release(&mem, sw);
}
