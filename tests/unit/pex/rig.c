/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pex/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"

#define CHANNEL  ((sy_channel)7)
#define DIALED   256
#define LIST_CAP 64000

struct sy_peer {
    rig *r;
    sy_peer_ref ref;
    sy_node_id id;
    sy_endpoint remote;
    rig_class peer_class;
    bool outbound;
    bool learned; /* a dial of the reactor, not one of the operator */
    char listen[SY_ADDR_TEXT_CAP];
    sy_node_info info;
    sy_time since;
    void *state;
    rig_seen seen;
    unsigned to_answer;
    bool stopping;
    sy_err stop_code;
};

typedef struct pending_dial {
    sy_addr addr;
    sy_dial_kind kind;
    sy_time at;
} pending_dial;

struct rig {
    sy_pex *pex;
    const sy_reactor_ops *ops;
    rig_world world;
    sy_prng prng;
    sy_time now;
    sy_peer *peers[RIG_PEERS_MAX];
    size_t peer_count;
    uint32_t next_slot;
    pending_dial dials[RIG_DIALS_MAX];
    size_t dials_waiting;
    rig_dialed dialed[DIALED];
    size_t dialed_count;
    sy_err refusal;
    sy_err last_stop;
};

/* sy_switch is what the reactor sees of the rig. */
static rig *rig_of(const sy_switch *sw) {
    return (rig *)(uintptr_t)sw;
}

static void die(const char *what) {
    (void)fprintf(stderr, "rig: %s\n", what);
    abort();
}

/* ---- The switch that the reactor sees ----------------------------------------------------------
 */

sy_peer_ref sy_peer_ref_of(const sy_peer *peer) {
    return peer->ref;
}

const sy_node_id *sy_peer_id(const sy_peer *peer) {
    return &peer->id;
}

bool sy_peer_is_outbound(const sy_peer *peer) {
    return peer->outbound;
}

bool sy_peer_is_persistent(const sy_peer *peer) {
    return peer->peer_class == RIG_PERSISTENT;
}

const sy_node_info *sy_peer_info(const sy_peer *peer) {
    return &peer->info;
}

const sy_endpoint *sy_peer_remote(const sy_peer *peer) {
    return &peer->remote;
}

sy_time sy_peer_since(const sy_peer *peer) {
    return peer->since;
}

const char *sy_peer_class_text(const sy_peer *peer) {
    static const char *const names[] = {"inbound", "outbound", "persistent", "unconditional"};
    return names[peer->peer_class];
}

const char *sy_peer_profile(const sy_peer *peer) {
    (void)peer;
    return "cometbft";
}

const char *sy_peer_encoding(const sy_peer *peer) {
    (void)peer;
    return "proto";
}

bool sy_peer_has_channel(const sy_peer *peer, sy_channel channel) {
    (void)peer;
    return channel == CHANNEL;
}

sy_send_result sy_peer_send(sy_peer *peer, sy_channel channel, const void *data, size_t len) {
    static sy_pex_message message;
    if (channel != CHANNEL || sy_pex_decode(SY_PEX_PROTO, data, len, &message, NULL) != SY_OK) {
        die("the reactor sent what no peer could read");
    }
    if (peer->stopping) {
        return SY_SEND_REFUSED;
    }
    if (message.kind == SY_PEX_REQUEST) {
        peer->seen.requests++;
        peer->to_answer++;
    } else {
        peer->seen.lists++;
        peer->seen.last_list = message.count;
    }
    return SY_SEND_QUEUED;
}

void sy_peer_stop(sy_peer *peer, sy_err code, const char *text) {
    (void)text;
    if (!peer->stopping) {
        peer->stopping = true;
        peer->stop_code = code;
        peer->r->last_stop = code;
    }
}

sy_err sy_switch_dial(sy_switch *sw, const sy_addr *addr, sy_dial_kind kind, sy_time now) {
    rig *r = rig_of(sw);
    if (r->refusal != SY_OK) {
        return r->refusal;
    }
    if (r->dials_waiting == RIG_DIALS_MAX) {
        return SY_ERR_LIMIT;
    }
    for (size_t i = 0; i < r->dials_waiting; i++) {
        if (sy_node_id_equal(&r->dials[i].addr.id, &addr->id)) {
            return SY_ERR_DUPLICATE_ID;
        }
    }
    if (rig_find(r, &addr->id) != NULL) {
        return SY_ERR_DUPLICATE_ID;
    }
    r->dials[r->dials_waiting++] = (pending_dial){*addr, kind, sy_time_after(now, RIG_LATENCY)};
    r->dialed[r->dialed_count++ % DIALED] = (rig_dialed){*addr, kind, now};
    return SY_OK;
}

sy_peer *sy_switch_peer(sy_switch *sw, sy_peer_ref ref) {
    const rig *r = rig_of(sw);
    for (size_t i = 0; i < r->peer_count; i++) {
        if (r->peers[i]->ref.slot == ref.slot) {
            return r->peers[i];
        }
    }
    return NULL;
}

void sy_switch_random(sy_switch *sw, void *out, size_t len) {
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)sy_prng_below(&rig_of(sw)->prng, 256);
    }
}

void sy_switch_remember_profile(sy_switch *sw, const sy_node_id *id, const char *profile) {
    (void)sw;
    (void)id;
    (void)profile;
}

sy_walltime sy_switch_walltime(sy_switch *sw) {
    return rig_wall(rig_of(sw));
}

/* ---- Peers -------------------------------------------------------------------------------------
 */

static sy_peer *add_peer(rig *r, const sy_node_id *id, const sy_endpoint *remote,
                         const char *listen_addr, rig_class peer_class, bool outbound) {
    if (r->peer_count == RIG_PEERS_MAX) {
        return NULL;
    }
    sy_peer *peer = calloc(1, sizeof *peer);
    void *state = calloc(1, r->ops->peer_state_size);
    if (peer == NULL || state == NULL) {
        die("no memory");
    }
    peer->r = r;
    peer->ref = (sy_peer_ref){r->next_slot++, 1};
    peer->id = *id;
    peer->remote = *remote;
    peer->peer_class = peer_class;
    peer->outbound = outbound;
    peer->since = r->now;
    peer->state = state;
    (void)snprintf(peer->listen, sizeof peer->listen, "%s", listen_addr);
    peer->info.listen_addr = (sy_text){peer->listen, strlen(peer->listen)};
    r->peers[r->peer_count++] = peer;
    if (r->ops->peer_init(r->pex, peer, state, r->now) != SY_OK) {
        die("peer_init failed");
    }
    r->ops->peer_added(r->pex, peer, state, r->now);
    if (r->world.up != NULL) {
        r->world.up(r->world.user, r, peer);
    }
    return peer;
}

static void remove_peer(rig *r, size_t at, sy_err code) {
    sy_peer *peer = r->peers[at];
    const sy_reason reason = sy_reason_make(SY_STAGE_OPEN, code, NULL);
    memmove(&r->peers[at], &r->peers[at + 1], (r->peer_count - at - 1) * sizeof r->peers[0]);
    r->peer_count--;
    r->ops->peer_removed(r->pex, peer, peer->state, &reason, r->now);
    if (r->world.down != NULL) {
        r->world.down(r->world.user, r, peer);
    }
    free(peer->state);
    free(peer);
}

static sy_peer *wants_answer(rig *r) {
    for (size_t i = 0; i < r->peer_count; i++) {
        if (r->peers[i]->to_answer > 0 && !r->peers[i]->stopping) {
            return r->peers[i];
        }
    }
    return NULL;
}

/* Who was stopped goes; who was asked answers. */
static void end_turn(rig *r) {
    for (;;) {
        for (size_t i = r->peer_count; i > 0; i--) {
            if (r->peers[i - 1]->stopping) {
                remove_peer(r, i - 1, r->peers[i - 1]->stop_code);
            }
        }
        sy_peer *peer = r->world.asked == NULL ? NULL : wants_answer(r);
        if (peer == NULL) {
            return;
        }
        peer->to_answer--;
        r->world.asked(r->world.user, r, peer);
    }
}

sy_peer *rig_accept(rig *r, const sy_node_id *id, const sy_endpoint *remote,
                    const char *listen_addr, rig_class peer_class) {
    sy_peer *peer = add_peer(r, id, remote, listen_addr, peer_class, peer_class != RIG_INBOUND);
    end_turn(r);
    return peer;
}

void rig_drop(rig *r, sy_peer *peer, sy_err code) {
    for (size_t i = 0; i < r->peer_count; i++) {
        if (r->peers[i] == peer) {
            remove_peer(r, i, code);
            end_turn(r);
            return;
        }
    }
    die("rig_drop of a peer that is gone");
}

sy_peer *rig_find(rig *r, const sy_node_id *id) {
    for (size_t i = 0; i < r->peer_count; i++) {
        if (sy_node_id_equal(&r->peers[i]->id, id)) {
            return r->peers[i];
        }
    }
    return NULL;
}

/* ---- Messages ----------------------------------------------------------------------------------
 */

void rig_receive(rig *r, sy_peer *peer, const void *data, size_t len) {
    if (!peer->stopping) {
        r->ops->receive(r->pex, peer, peer->state, CHANNEL, data, len, r->now);
    }
    end_turn(r);
}

void rig_request(rig *r, sy_peer *peer) {
    uint8_t bytes[SY_PEX_REQUEST_CAP];
    rig_receive(r, peer, bytes, sy_pex_encode_request(SY_PEX_PROTO, bytes));
}

void rig_list(rig *r, sy_peer *peer, const sy_net_addr *addrs, size_t count) {
    static uint8_t bytes[LIST_CAP];
    size_t len;
    if (sy_pex_encode_addrs(SY_PEX_PROTO, addrs, count, bytes, sizeof bytes, &len) != SY_OK) {
        die("the list does not fit");
    }
    rig_receive(r, peer, bytes, len);
}

/* ---- Time --------------------------------------------------------------------------------------
 */

static void finish_dial(rig *r, size_t at) {
    const pending_dial dial = r->dials[at];
    sy_stage stage = SY_STAGE_CONNECT;
    r->dials[at] = r->dials[--r->dials_waiting];
    sy_err end = SY_OK;
    if (rig_find(r, &dial.addr.id) != NULL) {
        stage = SY_STAGE_ADMISSION;
        end = SY_ERR_DUPLICATE_ID;
    } else if (r->world.dial != NULL) {
        end = r->world.dial(r->world.user, &dial.addr, &stage);
    }
    if (end == SY_OK) {
        const rig_class peer_class =
            dial.kind == SY_DIAL_PERSISTENT ? RIG_PERSISTENT : RIG_OUTBOUND;
        char listen[SY_ENDPOINT_TEXT_CAP];
        (void)sy_endpoint_format(&dial.addr.endpoint, listen);
        sy_peer *peer = add_peer(r, &dial.addr.id, &dial.addr.endpoint, listen, peer_class, true);
        if (peer != NULL) {
            peer->learned = dial.kind == SY_DIAL_LEARNED;
        }
        return;
    }
    const sy_reason reason = sy_reason_make(stage, end, NULL);
    r->ops->dial_failed(r->pex, &dial.addr, &reason, r->now);
}

/* The dial that is decided first. */
static size_t next_dial(const rig *r) {
    size_t first = 0;
    for (size_t i = 1; i < r->dials_waiting; i++) {
        if (r->dials[i].at < r->dials[first].at) {
            first = i;
        }
    }
    return first;
}

void rig_run_until(rig *r, sy_time at) {
    end_turn(r);
    for (;;) {
        const size_t first = next_dial(r);
        const sy_time dial_at = r->dials_waiting == 0 ? SY_NEVER : r->dials[first].at;
        const sy_time next = sy_time_min(dial_at, r->ops->next_expiry(r->pex));
        if (next > at) {
            break;
        }
        r->now = sy_time_max(r->now, next);
        if (dial_at <= next) {
            finish_dial(r, first);
        } else {
            r->ops->on_expiry(r->pex, r->now);
        }
        end_turn(r);
    }
    r->now = sy_time_max(r->now, at);
}

void rig_run_for(rig *r, sy_duration duration) {
    rig_run_until(r, sy_time_after(r->now, duration));
}

/* ---- Life --------------------------------------------------------------------------------------
 */

rig *rig_try_new(const sy_pex_config *config, const rig_world *world, uint64_t seed, sy_time now) {
    static const sy_channel channel = CHANNEL;
    rig *r = calloc(1, sizeof *r);
    if (r == NULL) {
        die("no memory");
    }
    if (world != NULL) {
        r->world = *world;
    }
    sy_prng_init(&r->prng, seed);
    r->now = now;
    if (sy_pex_new(config, &r->pex) != SY_OK) {
        free(r);
        return NULL;
    }
    r->ops = sy_pex_ops(r->pex);
    if (r->ops->start(r->pex, (sy_switch *)(void *)r, &channel, now) != SY_OK) {
        die("start failed");
    }
    return r;
}

rig *rig_new(const sy_pex_config *config, const rig_world *world, uint64_t seed, sy_time now) {
    rig *r = rig_try_new(config, world, seed, now);
    if (r == NULL) {
        die("the configuration was refused");
    }
    return r;
}

void rig_del(rig *r) {
    while (r->peer_count > 0) {
        remove_peer(r, r->peer_count - 1, SY_ERR_SHUTDOWN);
    }
    r->ops->stop(r->pex, r->now);
    sy_pex_del(r->pex);
    free(r);
}

/* ---- Queries -----------------------------------------------------------------------------------
 */

sy_pex *rig_pex(rig *r) {
    return r->pex;
}

sy_pex_counts rig_counts(const rig *r) {
    sy_pex_counts counts;
    sy_pex_get_counts(r->pex, &counts);
    return counts;
}

sy_time rig_now(const rig *r) {
    return r->now;
}

sy_walltime rig_wall(const rig *r) {
    return (sy_walltime){RIG_T0 + (int64_t)r->now};
}

rig_seen rig_seen_of(const sy_peer *peer) {
    return peer->seen;
}

size_t rig_peer_count(const rig *r) {
    return r->peer_count;
}

size_t rig_outbound(rig *r, sy_net_addr *out, size_t cap) {
    size_t count = 0;
    for (size_t i = 0; i < r->peer_count && count < cap; i++) {
        const sy_peer *peer = r->peers[i];
        if (peer->learned && !peer->stopping) {
            out[count++] = (sy_net_addr){peer->id, peer->remote};
        }
    }
    return count;
}

sy_err rig_last_stop(const rig *r) {
    return r->last_stop;
}

size_t rig_dial_count(const rig *r) {
    return r->dialed_count;
}

const rig_dialed *rig_dial_at(const rig *r, size_t back) {
    if (back >= r->dialed_count || back >= DIALED) {
        return NULL;
    }
    return &r->dialed[(r->dialed_count - 1 - back) % DIALED];
}

void rig_refuse_dials(rig *r, sy_err err) {
    r->refusal = err;
}

sy_endpoint rig_ip(uint32_t ip, uint16_t port) {
    sy_endpoint endpoint = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port};
    for (size_t i = 0; i < 4; i++) {
        endpoint.ip[12 + i] = (uint8_t)(ip >> (24 - 8 * i));
    }
    return endpoint;
}

sy_net_addr rig_node(uint64_t n, uint32_t ip) {
    sy_net_addr addr = {.endpoint = rig_ip(ip, 26656)};
    memcpy(addr.id.bytes, &n, sizeof n);
    addr.id.bytes[19] = 1;
    return addr;
}
