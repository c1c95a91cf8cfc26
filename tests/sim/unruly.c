/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/unruly.h"

#include <string.h>

#define CHANNEL_LOOP     0x60
#define CHANNEL_ISOLATED 0x61
#define MAGIC            UINT64_C(0x756e72756c792121)
#define BURST            12
#define TICK             (700 * SY_MSEC)

typedef enum phase {
    PHASE_NONE,
    PHASE_INIT,
    PHASE_ADDED,
    PHASE_REMOVED,
    PHASE_OVER,
} phase;

typedef struct state {
    uint64_t magic;
    phase phase;
    sy_peer_ref ref;
    void *first; /* of the reactor's own memory */
    void *second;
} state;

static void require(bool cond, const unruly *u, const char *rule) {
    if (!cond) {
        sim_fail("%s/%s: %s", sim_name_of(u->node), u->ops.name, rule);
    }
}

static bool same_ref(sy_peer_ref a, sy_peer_ref b) {
    return a.slot == b.slot && a.generation == b.generation;
}

static state *check(const unruly *u, const sy_peer *peer, void *data, phase expected) {
    state *st = data;
    require(st->magic == MAGIC, u, "the state of a peer is not the one it was given");
    require(same_ref(st->ref, sy_peer_ref_of(peer)), u, "the state of another peer");
    require(st->phase == expected, u, "an operation out of order");
    return st;
}

static uint64_t draw(const unruly *u, uint64_t bound) {
    return sim_draw(sim_net_of(u->node), bound);
}

static bool makes_trouble(const unruly *u) {
    return u->percent > 0 && draw(u, 100) < u->percent;
}

/* ---- What it does ------------------------------------------------------------------------------
 */

static void stop(unruly *u, sy_peer *peer) {
    u->counts.stops++;
    if (draw(u, 2) == 0) {
        sy_peer_stop(peer, SY_ERR_STOPPED, "drawn");
    } else {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "drawn");
    }
}

/* Some peer of the switch, perhaps the one at hand. */
static void stop_another(unruly *u) {
    if (u->isolated) {
        const sy_err err = sy_switch_post_stop(u->sw, u->known, SY_ERR_REACTOR_CAUSE, "drawn");
        u->counts.stops += err == SY_OK;
        return;
    }
    size_t skip = (size_t)draw(u, 3);
    sy_peer *peer = sy_switch_next_peer(u->sw, NULL);
    while (peer != NULL && skip-- > 0) {
        peer = sy_switch_next_peer(u->sw, peer);
    }
    if (peer != NULL) {
        stop(u, peer);
    }
}

static void send_burst(unruly *u, sy_peer *peer) {
    static const uint8_t bytes[3000];
    for (size_t i = 0; i < BURST; i++) {
        const size_t len = (size_t)draw(u, sizeof bytes);
        const sy_send_result result = sy_peer_send(peer, u->channel, bytes, len);
        if (result != SY_SEND_QUEUED) {
            u->counts.full += result == SY_SEND_FULL;
            return;
        }
    }
}

static void broadcast(unruly *u) {
    const size_t gone = u->gone_count < 3 ? u->gone_count : 3;
    sy_peer_ref refs[4] = {u->known};
    size_t full;
    memcpy(refs + 1, u->gone, gone * sizeof *refs);
    const bool chosen = draw(u, 2) == 0;
    size_t queued;
    if (u->isolated) {
        queued = chosen ? sy_switch_post_broadcast_to(u->sw, u->channel, "some", 4, refs, gone + 1,
                                                      &full)
                        : sy_switch_post_broadcast(u->sw, u->channel, "all", 3, NULL, &full);
    } else {
        queued = chosen
                     ? sy_switch_broadcast_to(u->sw, u->channel, "some", 4, refs, gone + 1, &full)
                     : sy_switch_broadcast(u->sw, u->channel, "all", 3, NULL, &full);
    }
    require(!chosen || queued + full <= 1, u, "a broadcast to those that are gone");
    u->counts.full += full;
}

static void disturb(unruly *u, sy_peer *peer) {
    switch (draw(u, 5)) {
    case 0:
    case 1:
        stop(u, peer);
        return;
    case 2:
        stop_another(u);
        return;
    case 3:
        send_burst(u, peer);
        return;
    default:
        broadcast(u);
        return;
    }
}

/* ---- Operations --------------------------------------------------------------------------------
 */

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    unruly *u = reactor;
    require(!u->running && u->alive == 0, u, "started twice");
    u->running = true;
    u->sw = sw;
    u->channel = channels[0];
    u->gone_count = 0;
    u->known = (sy_peer_ref){0, 0};
    u->next_at = sy_time_after(now, TICK);
    return SY_OK;
}

static void on_stop(void *reactor, sy_time now) {
    unruly *u = reactor;
    (void)now;
    require(u->running, u, "stopped without start");
    require(u->alive == 0, u, "stopped before the last peer_fini");
    u->running = false;
}

static sy_err refuse(unruly *u, sy_err code) {
    u->counts.refusals++;
    u->counts.no_memory += code == SY_ERR_NOMEM;
    return code;
}

/* The answer of peer_init when it makes trouble. */
static sy_err be_difficult(unruly *u, sy_peer *peer) {
    static const sy_err codes[] = {SY_ERR_REACTOR, SY_ERR_REACTOR_CAUSE, SY_ERR_LIMIT};
    switch (draw(u, 5)) {
    case 0:
        u->counts.early_ends++;
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "not this one");
        return SY_OK;
    case 1:
        u->counts.early_ends++;
        sy_peer_stop(peer, SY_ERR_STOPPED, "not now");
        return draw(u, 2) == 0 ? SY_OK : refuse(u, SY_ERR_REACTOR);
    case 2:
        stop_another(u);
        return SY_OK;
    default:
        return refuse(u, codes[draw(u, 3)]);
    }
}

/* SPEC-TEST SW-46 SW-47 SW-48 RX-14 RX-17 */
static sy_err on_init(void *reactor, sy_peer *peer, void *data, sy_time now) {
    unruly *u = reactor;
    state *st = data;
    const sy_mem *mem = sim_settings(u->node)->mem;
    static const state zero;
    (void)now;
    require(u->running, u, "peer_init of a reactor that does not run");
    require(memcmp(st, &zero, sizeof zero) == 0, u, "the state of a new peer is not zeroed");
    *st = (state){.magic = MAGIC, .phase = PHASE_INIT, .ref = sy_peer_ref_of(peer)};
    u->alive++;
    u->counts.inits++;
    if (!u->isolated) {
        require(sy_peer_send(peer, u->channel, "x", 1) == SY_SEND_REFUSED, u,
                "sent to what is not in the set yet");
    }
    /* Half of it is made when the second one fails: peer_fini gives it back. */
    st->first = sy_mem_zalloc(mem, 100);
    if (st->first == NULL) {
        return refuse(u, SY_ERR_NOMEM);
    }
    if (makes_trouble(u)) {
        return be_difficult(u, peer);
    }
    st->second = sy_mem_zalloc(mem, 200);
    return st->second == NULL ? refuse(u, SY_ERR_NOMEM) : SY_OK;
}

static void on_fini(void *reactor, sy_peer *peer, void *data) {
    unruly *u = reactor;
    state *st = data;
    const sy_mem *mem = sim_settings(u->node)->mem;
    require(st->phase == PHASE_INIT || st->phase == PHASE_REMOVED, u, "peer_fini out of order");
    (void)check(u, peer, data, st->phase);
    require(u->alive > 0, u, "peer_fini without peer_init");
    sy_mem_release(mem, st->first);
    sy_mem_release(mem, st->second);
    u->gone[u->gone_count++ % UNRULY_GONE_MAX] = st->ref;
    st->phase = PHASE_OVER;
    st->magic = 0;
    u->alive--;
}

static void on_added(void *reactor, sy_peer *peer, void *data, sy_time now) {
    unruly *u = reactor;
    (void)now;
    check(u, peer, data, PHASE_INIT)->phase = PHASE_ADDED;
    u->added++;
    u->counts.addeds++;
    u->known = sy_peer_ref_of(peer);
    if (makes_trouble(u)) {
        disturb(u, peer);
    } else {
        (void)sy_peer_send(peer, u->channel, "hello", 5);
    }
}

/* SPEC-TEST SW-50 RX-24 */
static void on_removed(void *reactor, sy_peer *peer, void *data, const sy_reason *reason,
                       sy_time now) {
    unruly *u = reactor;
    require(reason->code != SY_OK && reason->stage == SY_STAGE_OPEN, u,
            "peer_removed without its reason");
    check(u, peer, data, PHASE_ADDED)->phase = PHASE_REMOVED;
    u->added--;
    require(sy_peer_send(peer, u->channel, "x", 1) == SY_SEND_REFUSED, u, "sent to the removed");
    if (u->isolated) {
        require(sy_switch_post_send(u->sw, sy_peer_ref_of(peer), u->channel, "x", 1) ==
                    SY_SEND_GONE,
                u, "posted to the removed");
    }
    if (!makes_trouble(u)) {
        return;
    }
    const sy_addr *dialed = sy_peer_dialed_addr(peer);
    if (!u->isolated && dialed != NULL && draw(u, 2) == 0) {
        const sy_addr again = *dialed;
        u->counts.dials += sy_switch_dial(u->sw, &again, SY_DIAL_ONCE, now) == SY_OK;
    } else {
        stop_another(u);
    }
}

static void on_receive(void *reactor, sy_peer *peer, void *data, sy_channel channel,
                       const uint8_t *bytes, size_t len, sy_time now) {
    unruly *u = reactor;
    (void)now;
    (void)len;
    (void)check(u, peer, data, PHASE_ADDED);
    require(channel == u->channel && bytes != NULL, u, "a message of another channel");
    u->counts.received++;
    if (makes_trouble(u)) {
        disturb(u, peer);
    }
}

static void on_writable(void *reactor, sy_peer *peer, void *data, sy_channel channel, sy_time now) {
    unruly *u = reactor;
    (void)now;
    (void)check(u, peer, data, PHASE_ADDED);
    require(channel == u->channel, u, "writable of another channel");
    u->counts.writables++;
    if (makes_trouble(u)) {
        disturb(u, peer);
    }
}

static void on_dial_failed(void *reactor, const sy_addr *addr, const sy_reason *reason,
                           sy_time now) {
    unruly *u = reactor;
    require(reason->code != SY_OK, u, "dial_failed without its reason");
    if (makes_trouble(u) && draw(u, 4) == 0) {
        const sy_addr again = *addr;
        u->counts.dials += sy_switch_dial(u->sw, &again, SY_DIAL_ONCE, now) == SY_OK;
    }
}

static sy_time next_expiry(void *reactor) {
    const unruly *u = reactor;
    return u->percent == 0 ? SY_NEVER : u->next_at;
}

static void on_expiry(void *reactor, sy_time now) {
    unruly *u = reactor;
    require(now >= u->next_at, u, "on_expiry too early");
    u->next_at = sy_time_after(now, TICK);
    if (makes_trouble(u)) {
        stop_another(u);
    }
}

/* ---- Making and checking -----------------------------------------------------------------------
 */

void unruly_init(unruly *u, sim_node *node, bool isolated) {
    *u = (unruly){.node = node, .isolated = isolated};
    u->desc = (sy_channel_desc){.id = isolated ? CHANNEL_ISOLATED : CHANNEL_LOOP,
                                .name = "unruly",
                                .priority = 4,
                                .send_queue_max = 6,
                                .recv_message_max = 4096,
                                .recv_budget = 20000};
    u->desc.full_policy = (sy_full_policy)draw(u, 4);
    u->ops = (sy_reactor_ops){.size = sizeof u->ops,
                              .name = isolated ? "unruly-isolated" : "unruly",
                              .channels = &u->desc,
                              .channel_count = 1,
                              .peer_state_size = sizeof(state),
                              .start = on_start,
                              .stop = on_stop,
                              .peer_init = on_init,
                              .peer_fini = on_fini,
                              .peer_added = on_added,
                              .peer_removed = on_removed,
                              .receive = on_receive,
                              .writable = on_writable,
                              .dial_failed = isolated ? NULL : on_dial_failed,
                              .next_expiry = next_expiry,
                              .on_expiry = on_expiry};
    if (isolated) {
        sim_add_isolated(node, &u->ops, u);
    } else {
        sim_add_reactor(node, &u->ops, u);
    }
}

void unruly_check_over(const unruly *u) {
    require(u->alive == 0, u, "a peer_fini is missing at the end");
    require(u->added == 0, u, "a peer_removed is missing at the end");
    require(!u->running, u, "stop was not called");
}

void unruly_check_rest(const unruly *u, size_t peers) {
    if (u->alive != peers || u->added != peers) {
        sim_fail("%s/%s: has %zu peers, %zu of them added; the network has %zu",
                 sim_name_of(u->node), u->ops.name, u->alive, u->added, peers);
    }
    const size_t kept = u->gone_count < UNRULY_GONE_MAX ? u->gone_count : UNRULY_GONE_MAX;
    for (size_t i = 0; i < kept; i++) {
        require(sy_switch_peer(u->sw, u->gone[i]) == NULL, u, "a reference that was gone is back");
        if (u->isolated) {
            require(sy_switch_post_send(u->sw, u->gone[i], u->channel, "x", 1) == SY_SEND_GONE, u,
                    "posted to what is gone");
        }
    }
}
