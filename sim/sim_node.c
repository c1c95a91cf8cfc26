/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: settings, start, stop, crash, dialing, and what scenarios ask of them. */
#include "sim/sim_internal.h"

#include <string.h>

/* ---- Making ------------------------------------------------------------------------------------
 */

static sy_endpoint default_endpoint(uint32_t index) {
    sy_endpoint endpoint = {.port = SY_SIM_PORT};
    endpoint.ip[10] = endpoint.ip[11] = 0xff;
    endpoint.ip[12] = 10;
    endpoint.ip[13] = (uint8_t)(index >> 16);
    endpoint.ip[14] = (uint8_t)(index >> 8);
    endpoint.ip[15] = (uint8_t)index;
    return endpoint;
}

static void make_key(sy_sim_node *node) {
    uint8_t seed[SY_SEED_LEN];
    for (size_t i = 0; i < sizeof seed; i += sizeof(uint64_t)) {
        const uint64_t word = sy_sim_seed_for(node->net, node->name, i);
        memcpy(seed + i, &word, sizeof word);
    }
    sy_node_key_from_seed(seed, &node->key);
    node->id = sy_node_key_id(&node->key);
}

sy_sim_node *sy_sim_node_new(sy_sim_net *net, const char *name) {
    sy_sim_node *node = sy_sim_alloc(sizeof *node);
    node->net = net;
    node->index = net->node_count++;
    (void)snprintf(node->name, sizeof node->name, "%s", name);
    node->endpoint = default_endpoint(node->index + 1);
    node->next_port = 32768;
    node->mute_after = SIZE_MAX;
    node->wake_at = node->timer_for = SY_NEVER;
    sy_sim_mem_init(&node->tm, net->options.poison);
    make_key(node);
    sy_settings_default(&node->settings);
    node->settings.network = "sim-net";
    node->settings.moniker = node->name;
    node->settings.node_key = &node->key;
    node->settings.mem = &node->tm.mem;
    node->settings.scratch = net->scratch;
    node->settings.log = (sy_log){sy_sim_log_sink, node, net->options.log_level};
    node->settings.observer = sy_sim_watch;
    node->settings.observer_user = node;
    sy_sim_recorder_init(node);
    if (net->last_node != NULL) {
        net->last_node->next = node;
    } else {
        net->nodes = node;
    }
    net->last_node = node;
    net->host_cap = 0;
    return node;
}

sy_settings *sy_sim_settings(sy_sim_node *node) {
    return &node->settings;
}

void sy_sim_set_profile(sy_sim_node *node, const char *profile) {
    node->settings.profiles[0] = profile;
    node->settings.profile_count = 1;
}

void sy_sim_set_ip(sy_sim_node *node, const char *ip) {
    const uint16_t port = node->endpoint.port;
    if (sy_endpoint_parse_ip(ip, strlen(ip), &node->endpoint) != SY_OK) {
        sy_sim_fail("%s is not an IP address", ip);
    }
    node->endpoint.port = port;
    node->net->host_cap = 0;
}

void sy_sim_set_wildcard(sy_sim_node *node, const char *ip) {
    if (sy_endpoint_parse_ip(ip, strlen(ip), &node->wildcard) != SY_OK ||
        !sy_endpoint_is_any(&node->wildcard)) {
        sy_sim_fail("%s is no wildcard", ip);
    }
    node->wildcard.port = node->endpoint.port;
    node->listens_anywhere = true;
}

void sy_sim_set_key_of(sy_sim_node *node, const sy_sim_node *other) {
    node->key = other->key;
    node->id = other->id;
}

void sy_sim_add_reactor(sy_sim_node *node, const sy_reactor_ops *ops, void *reactor) {
    if (node->own_count == SY_SIM_OWN_REACTORS_MAX || node->sw != NULL) {
        sy_sim_fail("%s: no room for another reactor, or too late", node->name);
    }
    node->own[node->own_count].ops = ops;
    node->own[node->own_count++].reactor = reactor;
}

void sy_sim_set_mute_after(sy_sim_node *node, size_t bytes) {
    node->mute_after = bytes;
}

void sy_sim_set_attach(sy_sim_node *node, sy_sim_attach_fn attach, void *user) {
    node->attach = attach;
    node->attach_user = user;
}

/* ---- Start -------------------------------------------------------------------------------------
 */

/* Without switch: err says why; else drop_switch undoes it. */
static sy_err make_switch(sy_sim_node *node) {
    sy_detail detail;
    sy_detail_clear(&detail);
    sy_err err = sy_switch_new(&node->settings, &sy_sim_driver_ops, node, &node->sw, &detail);
    node->net->running_count++; /* drop_switch takes it back */
    for (size_t i = 0; err == SY_OK && node->net->options.record && i < SY_SIM_REACTORS; i++) {
        err = sy_switch_add_reactor(node->sw, &node->recorder[i].ops, &node->recorder[i], &detail);
    }
    if (err == SY_OK && node->attach != NULL) {
        err = node->attach(node->attach_user, node, node->sw);
    }
    if (err == SY_OK && node->has_discovery) {
        err = sy_sim_discovery_start(node);
    }
    for (size_t i = 0; err == SY_OK && i < node->own_count; i++) {
        err =
            node->own[i].isolated
                ? sy_switch_add_reactor_isolated(node->sw, node->own[i].ops, node->own[i].reactor,
                                                 NULL, &detail)
                : sy_switch_add_reactor(node->sw, node->own[i].ops, node->own[i].reactor, &detail);
    }
    if (err == SY_OK) {
        sy_switch_counts counts;
        sy_switch_get_counts(node->sw, &counts);
        node->idle_memory = counts.memory_used;
        err = sy_switch_start(node->sw, node->net->now);
    }
    if (err == SY_OK) {
        const sy_endpoint at = node->listens_anywhere ? node->wildcard : node->endpoint;
        err = sy_switch_listen(node->sw, &at, NULL, &detail);
    }
    for (sy_sim_config_peer *peer = node->config_peers; err == SY_OK && peer != NULL;
         peer = peer->next) {
        err = sy_switch_dial(node->sw, &peer->addr, SY_DIAL_PERSISTENT, node->net->now);
        err = err == SY_ERR_SELF ? SY_OK : err;
    }
    if (err != SY_OK) {
        sy_sim_trace(node->net, node, "no start: %s %s", sy_err_name(err), detail.text);
    }
    return err;
}

static void check_no_block(const sy_sim_node *node) {
    if (node->tm.live_blocks != 0 || node->tm.live_bytes != 0) {
        sy_sim_fail("%s: %zu blocks, %zu bytes are still live", node->name, node->tm.live_blocks,
                    node->tm.live_bytes);
    }
}

/* The switch is to go, in whatever state. */
static void drop_switch(sy_sim_node *node) {
    node->dropping = true;
    sy_switch_del(node->sw);
    node->dropping = false;
    node->sw = NULL;
    node->net->running_count--;
    node->stopping = false;
    sy_sim_discovery_stop(node);
    if (node->open_notes != 0 || node->listeners != NULL) {
        sy_sim_fail("%s: %zu connections never ended, listeners left: %d", node->name,
                    node->open_notes, node->listeners != NULL);
    }
    sy_sim_posts_drop(node, NULL);
    sy_sim_recorder_check_over(node);
    sy_sim_names_forget(node);
    sy_sim_forget_streams(node);
    sy_sim_watch_del(node);
    check_no_block(node);
}

sy_err sy_sim_try_start(sy_sim_node *node) {
    sy_sim_net *net = node->net;
    if (node->sw != NULL) {
        sy_sim_fail("%s is running already", node->name);
    }
    const bool was_down = !node->host_up;
    node->life++;
    node->host_up = true;
    sy_prng_init(&node->prng, sy_sim_seed_for(net, node->name, UINT64_C(0x10000) + node->life));
    sy_sim_trace(net, node, "start life=%u", node->life);
    const sy_err err = make_switch(node);
    if (err != SY_OK) {
        drop_switch(node);
        return err;
    }
    node->totals.starts++;
    for (sy_sim_end *end = node->first_end; was_down && end != NULL; end = end->node_next) {
        sy_sim_conn_host_back(end->conn, end->index);
    }
    sy_sim_wake(node, net->now);
    return SY_OK;
}

void sy_sim_start(sy_sim_node *node) {
    const sy_err err = sy_sim_try_start(node);
    if (err != SY_OK) {
        sy_sim_fail("%s does not start: %s", node->name, sy_err_name(err));
    }
}

bool sy_sim_is_running(const sy_sim_node *node) {
    return node->sw != NULL;
}

/* ---- Stop and crash ----------------------------------------------------------------------------
 */

void sy_sim_stop(sy_sim_node *node) {
    if (node->sw == NULL || node->stopping) {
        return;
    }
    sy_sim_trace(node->net, node, "stop");
    node->stopping = true;
    sy_switch_stop(node->sw, node->net->now);
    sy_sim_wake(node, node->net->now);
}

static bool has_stopped(void *user) {
    const sy_sim_node *node = user;
    return node->sw == NULL;
}

/* SPEC-TEST SW-55 SW-56 */
void sy_sim_stop_and_wait(sy_sim_node *node) {
    sy_sim_stop(node);
    if (!sy_sim_wait(node->net, has_stopped, node, node->settings.linger_timeout + SY_SEC)) {
        sy_sim_fail("%s does not stop within linger_timeout and a second", node->name);
    }
}

/* The stop is complete: called at the end of a turn. */
void sy_sim_node_finish(sy_sim_node *node) {
    sy_sim_trace(node->net, node, "stopped");
    sy_sim_watch_over(node);
    drop_switch(node);
}

void sy_sim_crash(sy_sim_node *node, sy_sim_crash_kind kind) {
    sy_sim_net *net = node->net;
    if (node->sw == NULL) {
        return;
    }
    sy_sim_trace(net, node, "crash kind=%d", (int)kind);
    if (kind != SY_SIM_CRASH_PROCESS) {
        node->host_up = false;
        for (sy_sim_end *end = node->first_end; end != NULL; end = end->node_next) {
            sy_sim_end_vanish(end, kind == SY_SIM_CRASH_MUTE);
        }
    }
    drop_switch(node);
}

void sy_sim_pause(sy_sim_node *node, sy_duration duration) {
    sy_sim_trace(node->net, node, "pause ns=%llu", (unsigned long long)duration);
    node->paused_until = sy_time_after(node->net->now, duration);
}

void sy_sim_set_clock(sy_sim_node *node, int64_t ahead_ns) {
    sy_sim_trace(node->net, node, "clock ahead_ns=%lld", (long long)ahead_ns);
    node->clock_ahead = ahead_ns;
}

void sy_sim_fail_alloc(sy_sim_node *node, size_t k) {
    node->tm.fail_at = node->tm.calls + k;
    node->tm.fail_from = false;
}

void sy_sim_fail_allocs_from(sy_sim_node *node, size_t k) {
    node->tm.fail_at = node->tm.calls + k;
    node->tm.fail_from = true;
}

void sy_sim_heal_allocs(sy_sim_node *node) {
    node->tm.fail_at = 0;
    node->tm.fail_from = false;
}

void sy_sim_fail_connects(sy_sim_node *node, unsigned times) {
    node->fail_connects = times;
}

void sy_sim_fail_peer_init(sy_sim_node *node, size_t reactor, unsigned times, sy_err code) {
    node->recorder[reactor].fail_inits = times;
    node->recorder[reactor].fail_code = code;
}

void sy_sim_node_del(sy_sim_node *node) {
    const sy_mem *libc = sy_mem_libc();
    while (node->config_peers != NULL) {
        sy_sim_config_peer *peer = node->config_peers;
        node->config_peers = peer->next;
        sy_mem_release(libc, peer);
    }
    sy_sim_files_del(node);
    sy_node_key_wipe(&node->key);
    sy_mem_release(libc, node->end_notes);
    sy_mem_release(libc, node);
}

/* ---- Dialing -----------------------------------------------------------------------------------
 */

static sy_err dial(sy_sim_node *node, const sy_addr *addr, sy_dial_kind kind) {
    if (kind == SY_DIAL_PERSISTENT) {
        sy_sim_config_peer **at = &node->config_peers;
        while (*at != NULL) {
            at = &(*at)->next;
        }
        *at = sy_sim_alloc(sizeof **at);
        (*at)->addr = *addr;
    }
    if (node->sw == NULL) {
        return kind == SY_DIAL_PERSISTENT ? SY_OK : SY_ERR_STATE;
    }
    const sy_err err = sy_switch_dial(node->sw, addr, kind, node->net->now);
    sy_sim_wake(node, node->net->now);
    return err;
}

sy_err sy_sim_dial_text(sy_sim_node *node, const char *text, sy_dial_kind kind) {
    sy_addr addr;
    sy_detail detail;
    const sy_err err = sy_addr_parse(text, strlen(text), SY_ADDR_ID_OPTIONAL, &addr, &detail);
    if (err != SY_OK) {
        sy_sim_fail("%s: %s", text, detail.text);
    }
    return dial(node, &addr, kind);
}

sy_err sy_sim_try_dial(sy_sim_node *node, const sy_sim_node *other, sy_dial_kind kind) {
    char id[SY_NODE_ID_TEXT_CAP];
    char endpoint[SY_ENDPOINT_TEXT_CAP];
    char text[SY_ADDR_TEXT_CAP];
    sy_node_id_format(&other->id, id);
    (void)sy_endpoint_format(&other->endpoint, endpoint);
    (void)snprintf(text, sizeof text, "%s@%s", id, endpoint);
    return sy_sim_dial_text(node, text, kind);
}

void sy_sim_dial(sy_sim_node *node, const sy_sim_node *other, sy_dial_kind kind) {
    const sy_err err = sy_sim_try_dial(node, other, kind);
    if (err != SY_OK) {
        sy_sim_fail("%s cannot dial %s: %s", node->name, other->name, sy_err_name(err));
    }
}

/* ---- Questions ---------------------------------------------------------------------------------
 */

sy_switch *sy_sim_switch(sy_sim_node *node) {
    return node->sw;
}

const sy_node_id *sy_sim_id(const sy_sim_node *node) {
    return &node->id;
}

const char *sy_sim_name_of(const sy_sim_node *node) {
    return node->name;
}

sy_sim_net *sy_sim_net_of(const sy_sim_node *node) {
    return node->net;
}

const sy_endpoint *sy_sim_endpoint(const sy_sim_node *node) {
    return &node->endpoint;
}

size_t sy_sim_live_bytes(const sy_sim_node *node) {
    return node->tm.live_bytes;
}

size_t sy_sim_alloc_calls(const sy_sim_node *node) {
    return node->tm.calls;
}

sy_sim_totals sy_sim_totals_of(const sy_sim_node *node) {
    return node->totals;
}

static sy_peer *peer_of(sy_sim_node *node, const sy_sim_node *other) {
    return node->sw == NULL ? NULL : sy_switch_peer_by_id(node->sw, &other->id);
}

bool sy_sim_has_peer(sy_sim_node *node, const sy_sim_node *other) {
    return peer_of(node, other) != NULL;
}

bool sy_sim_are_connected(sy_sim_node *a, sy_sim_node *b) {
    const sy_peer *at_a = peer_of(a, b);
    const sy_peer *at_b = peer_of(b, a);
    if (at_a == NULL || at_b == NULL) {
        return false;
    }
    const sy_peer_ref ref_a = sy_peer_ref_of(at_a);
    const sy_peer_ref ref_b = sy_peer_ref_of(at_b);
    const sy_sim_end *end_a = sy_sim_end_of_ref(a, ref_a.slot, ref_a.generation);
    const sy_sim_end *end_b = sy_sim_end_of_ref(b, ref_b.slot, ref_b.generation);
    return end_a != NULL && end_b != NULL && end_a->conn == end_b->conn;
}

typedef struct pair {
    sy_sim_node *a;
    sy_sim_node *b;
} pair;

static bool pair_is_connected(void *user) {
    const pair *p = user;
    return sy_sim_are_connected(p->a, p->b);
}

bool sy_sim_wait_until_connected(sy_sim_node *a, sy_sim_node *b, sy_duration timeout) {
    pair p = {a, b};
    return sy_sim_wait(a->net, pair_is_connected, &p, timeout);
}

size_t sy_sim_peer_count(sy_sim_node *node) {
    sy_switch_counts counts = {0};
    if (node->sw != NULL) {
        sy_switch_get_counts(node->sw, &counts);
    }
    return counts.peers;
}

void sy_sim_stop_peer(sy_sim_node *node, const sy_sim_node *other, sy_err code, const char *text) {
    sy_peer *peer = peer_of(node, other);
    if (peer != NULL) {
        sy_peer_stop(peer, code, text);
        sy_sim_wake(node, node->net->now);
    }
}

/* ---- Connections without a switch --------------------------------------------------------------
 */

sy_sim_raw *sy_sim_raw_connect(sy_sim_net *net, const char *ip, const sy_sim_node *to) {
    sy_endpoint from;
    if (sy_endpoint_parse_ip(ip, strlen(ip), &from) != SY_OK) {
        sy_sim_fail("%s is not an IP address", ip);
    }
    from.port = (uint16_t)(1024 + net->conn_number % 60000);
    sy_sim_raw *raw = sy_sim_alloc(sizeof *raw);
    raw->net = net;
    raw->next = net->raws;
    net->raws = raw;
    raw->conn = sy_sim_conn_ref(sy_sim_connect(net, NULL, raw, &from, &to->endpoint)->conn);
    return raw;
}

void sy_sim_raw_send(sy_sim_raw *raw, const void *data, size_t len) {
    sy_sim_conn *conn = sy_sim_conn_of(raw->net, raw->conn);
    if (conn != NULL && conn->established && !conn->end[0].reset_seen &&
        sy_sim_end_write(&conn->end[0], data, len) != len) {
        sy_sim_fail("a raw connection is full");
    }
}

void sy_sim_raw_close(sy_sim_raw *raw) {
    sy_sim_net *net = raw->net;
    sy_sim_conn *conn = sy_sim_conn_of(net, raw->conn);
    if (conn != NULL && conn->end[0].open) {
        conn->end[0].raw = NULL;
        sy_sim_end_close(&conn->end[0], false);
    }
    for (sy_sim_raw **at = &net->raws; *at != NULL; at = &(*at)->next) {
        if (*at == raw) {
            *at = raw->next;
            break;
        }
    }
    sy_mem_release(sy_mem_libc(), raw);
}

bool sy_sim_raw_is_connected(const sy_sim_raw *raw) {
    return raw->connected;
}

bool sy_sim_raw_has_ended(const sy_sim_raw *raw) {
    return raw->ended;
}

size_t sy_sim_raw_received(const sy_sim_raw *raw) {
    return raw->received;
}
