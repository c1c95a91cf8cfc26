/* SPDX-License-Identifier: Apache-2.0 */
/* Networks under random faults: first safety (the checks of the simulator are always on), then the
 * faults stop, and within a bounded time every persistent peer is connected and messages flow.
 *
 * Draws stand in statements of their own: the order of arguments is the compiler's choice, and a
 * seed means the same run with every compiler.
 *
 * Which kinds of faults a run has is drawn too, so that some runs have one kind only. */
#include "tests/sim/sim_scenario.h"

#include <string.h>

#define NODES_MAX 7
#define EDGES_MAX (NODES_MAX * 3)
#define HEALED_MAX                                                                                 \
    (5 * SY_MIN) /* dead connections are missed, back-off, handshakes, long pauses                 \
                  */

typedef enum fault {
    FAULT_CRASH,
    FAULT_STOP,
    FAULT_PARTITION,
    FAULT_BLOCK,
    FAULT_RESET,
    FAULT_DIAL,
    FAULT_STOP_PEER,
    FAULT_PEER_INIT,
    FAULT_ALLOC,
    FAULT_PAUSE,
    FAULT_CONNECT,
    FAULT_NAME,
    FAULT_COUNT,
} fault;

typedef struct edge {
    sim_node *from;
    sim_node *to;
} edge;

typedef struct world {
    sim_net *net;
    sim_node *node[NODES_MAX];
    size_t node_count;
    edge edges[EDGES_MAX]; /* persistent peers */
    size_t edge_count;
    unsigned faults; /* bits of fault */
} world;

/* ---- Setting -----------------------------------------------------------------------------------
 */

static sim_net *draw_net(uint64_t seed) {
    static const size_t pieces[] = {0, 0, 1, 5, 100, 2000};
    sim_options options;
    sim_options_default(&options, seed);
    options.latency_min = seed % 3 * 10 * SY_MSEC;
    options.latency_max = options.latency_min + seed % 7 * 50 * SY_MSEC;
    options.jitter_max = seed % 4 * 5 * SY_MSEC;
    options.piece_max = pieces[seed % 6];
    options.read_max = pieces[seed / 6 % 6];
    options.buffer_min = 1500 + (size_t)(seed % 5) * 10000;
    options.buffer_max = options.buffer_min * 3;
    options.bandwidth = seed % 8 == 0 ? 200000 : 0;
    options.turn_delay_max = seed % 5 * SY_MSEC;
    return sim_net_new(&options);
}

static void name_text(size_t i, char out[32]) {
    (void)snprintf(out, 32, "n%zu.example", i);
}

static void add_edge(world *w, size_t from, size_t to) {
    char name[32];
    char id[SY_NODE_ID_TEXT_CAP];
    char text[SY_ADDR_TEXT_CAP];
    for (size_t i = 0; i < w->edge_count; i++) {
        if (w->edges[i].from == w->node[from] && w->edges[i].to == w->node[to]) {
            return;
        }
    }
    name_text(to, name);
    sy_node_id_format(sim_id(w->node[to]), id);
    (void)snprintf(text, sizeof text, "%s@%s:%d", id, name, SIM_PORT);
    w->edges[w->edge_count++] = (edge){w->node[from], w->node[to]};
    sim_expect_eq(sim_dial_text(w->node[from], text, SY_DIAL_PERSISTENT), SY_OK);
}

static void build_world(world *w, uint64_t seed) {
    static const char *const profiles[] = {"plain", "tendermint", "cometbft"};
    *w = (world){.net = draw_net(seed)};
    w->node_count = 2 + (size_t)sim_draw(w->net, NODES_MAX - 1);
    const char *profile = profiles[sim_draw(w->net, 3)];
    const bool short_pings = sim_draw(w->net, 2) == 0;
    const bool rates = sim_draw(w->net, 4) == 0;
    for (size_t i = 0; i < w->node_count; i++) {
        char name[32];
        name_text(i, name);
        w->node[i] = sim_node_new(w->net, name);
        sim_name_add_node(w->net, name, w->node[i]);
        sim_set_profile(w->node[i], profile);
        sy_settings *settings = sim_settings(w->node[i]);
        if (short_pings) {
            settings->ping_interval = 5 * SY_SEC;
            settings->pong_timeout = 4 * SY_SEC;
        }
        if (rates) {
            settings->send_rate = 100000;
            settings->recv_rate = 80000;
        }
        if (sim_draw(w->net, 4) == 0) {
            settings->listen_addr = "0.0.0.0:26656";
        }
    }
    for (size_t i = 0; i < w->node_count; i++) {
        const size_t count = 1 + (size_t)sim_draw(w->net, 2);
        for (size_t k = 0; k < count; k++) {
            const size_t to = (size_t)sim_draw(w->net, w->node_count);
            if (to != i) {
                add_edge(w, i, to);
            }
        }
    }
    if (w->edge_count == 0) {
        add_edge(w, 0, 1);
    }
    /* One kind only, or about half of them. */
    w->faults = sim_draw(w->net, 3) == 0 ? 1u << sim_draw(w->net, FAULT_COUNT)
                                         : (unsigned)sim_draw(w->net, 1u << FAULT_COUNT);
}

/* ---- Faults ------------------------------------------------------------------------------------
 */

static sim_node *draw_node(world *w) {
    return w->node[sim_draw(w->net, w->node_count)];
}

static sim_node *draw_other(world *w, const sim_node *node) {
    sim_node *other = draw_node(w);
    while (other == node) {
        other = draw_node(w);
    }
    return other;
}

static void stop_some_peer(world *w, sim_node *node, const sim_node *other) {
    if (sim_draw(w->net, 2) == 0) {
        sim_stop_peer(node, other, SY_ERR_STOPPED, "drawn");
    } else {
        sim_stop_peer(node, other, SY_ERR_REACTOR_CAUSE, "drawn");
    }
}

static void fail_allocs(world *w, sim_node *node) {
    const size_t k = 1 + (size_t)sim_draw(w->net, 40);
    if (sim_draw(w->net, 4) == 0) {
        sim_fail_allocs_from(node, k);
    } else {
        sim_fail_alloc(node, k);
    }
}

static void inject(world *w, fault f) {
    sim_node *node = draw_node(w);
    sim_node *other = draw_other(w, node);
    switch (f) {
    case FAULT_CRASH:
        sim_crash(node, (sim_crash_kind)sim_draw(w->net, 3));
        return;
    case FAULT_STOP:
        sim_stop(node);
        return;
    case FAULT_PARTITION:
        sim_partition(node, other);
        return;
    case FAULT_BLOCK:
        sim_block(node, other);
        return;
    case FAULT_RESET:
        (void)sim_reset(node, other);
        return;
    case FAULT_DIAL:
        if (sim_is_running(node)) {
            (void)sim_try_dial(node, other, SY_DIAL_ONCE);
        }
        return;
    case FAULT_STOP_PEER:
        stop_some_peer(w, node, other);
        return;
    case FAULT_PEER_INIT: {
        const size_t reactor = (size_t)sim_draw(w->net, SIM_REACTORS);
        const unsigned times = 1 + (unsigned)sim_draw(w->net, 2);
        sim_fail_peer_init(node, reactor, times, SY_ERR_REACTOR);
        return;
    }
    case FAULT_ALLOC:
        fail_allocs(w, node);
        return;
    case FAULT_PAUSE:
        sim_pause(node, sim_draw(w->net, 5) == 0 ? sim_draw_duration(w->net, 0, 70 * SY_SEC)
                                                 : sim_draw_duration(w->net, 0, 3 * SY_SEC));
        return;
    case FAULT_CONNECT:
        sim_fail_connects(node, 1 + (unsigned)sim_draw(w->net, 3));
        return;
    case FAULT_NAME: {
        const sim_name_fault kind = sim_draw(w->net, 2) == 0 ? SIM_NAME_FAILS : SIM_NAME_SILENT;
        const sy_duration duration = sim_draw_duration(w->net, 0, 30 * SY_SEC);
        sim_name_break(w->net, sim_name_of(node), kind, sim_now(w->net),
                       sim_now(w->net) + duration);
        return;
    }
    case FAULT_COUNT:
        break;
    }
    sim_fail("no such fault");
}

static void repair_something(world *w) {
    sim_node *node = draw_node(w);
    sim_heal_allocs(node);
    sim_heal(node, draw_other(w, node));
    if (!sim_is_running(node)) {
        (void)sim_try_start(node);
    }
}

static void talk(world *w) {
    static const uint8_t channels[] = {0x20, 0x21, 0x40, 0x80};
    sim_node *node = draw_node(w);
    const sim_node *other = draw_other(w, node);
    const uint8_t channel = channels[sim_draw(w->net, 4)];
    const size_t len = (size_t)sim_draw(w->net, sim_draw(w->net, 4) == 0 ? 50000 : 1500);
    if (!sim_is_running(node)) {
        return;
    }
    if (sim_draw(w->net, 5) == 0) {
        size_t full;
        (void)sim_broadcast(node, channel, len, &full);
    } else {
        (void)sim_send(node, other, channel, len);
    }
}

static void disturb(world *w, sy_duration duration) {
    const sy_time end = sim_now(w->net) + duration;
    while (sim_now(w->net) < end) {
        sim_run_for(w->net, sim_draw_duration(w->net, 0, 2 * SY_SEC));
        for (size_t i = 0; i < 4; i++) {
            talk(w);
        }
        const fault f = (fault)sim_draw(w->net, FAULT_COUNT);
        if ((w->faults & 1u << f) != 0) {
            inject(w, f);
        }
        if (sim_draw(w->net, 3) == 0) {
            repair_something(w);
        }
    }
}

/* ---- Healing -----------------------------------------------------------------------------------
 */

static void stop_disturbing(world *w) {
    for (size_t i = 0; i < w->node_count; i++) {
        sim_heal_allocs(w->node[i]);
        sim_fail_connects(w->node[i], 0);
        for (size_t r = 0; r < SIM_REACTORS; r++) {
            sim_fail_peer_init(w->node[i], r, 0, SY_ERR_REACTOR);
        }
    }
    sim_heal_all(w->net);
    sim_run_for(w->net, 80 * SY_SEC); /* pauses end, stops end */
    for (size_t i = 0; i < w->node_count; i++) {
        if (!sim_is_running(w->node[i])) {
            sim_start(w->node[i]);
        }
    }
}

static bool all_connected(void *user) {
    const world *w = user;
    for (size_t i = 0; i < w->edge_count; i++) {
        if (!sim_are_connected(w->edges[i].from, w->edges[i].to)) {
            return false;
        }
    }
    return true;
}

static void expect_all_connected(world *w) {
    if (sim_wait(w->net, all_connected, w, HEALED_MAX)) {
        return;
    }
    for (size_t i = 0; i < w->edge_count; i++) {
        if (!sim_are_connected(w->edges[i].from, w->edges[i].to)) {
            sim_fail("%s and its persistent peer %s are not connected",
                     sim_name_of(w->edges[i].from), sim_name_of(w->edges[i].to));
        }
    }
}

static uint64_t delivered(const world *w) {
    uint64_t sum = 0;
    for (size_t i = 0; i < w->node_count; i++) {
        sum += sim_totals_of(w->node[i]).delivered;
    }
    return sum;
}

static void expect_messages_to_flow(world *w) {
    sim_run_for(w->net, 20 * SY_SEC); /* what is under way arrives, and it stays connected */
    sim_expect(all_connected(w));
    const uint64_t before = delivered(w);
    for (size_t i = 0; i < w->edge_count; i++) {
        sim_post(w->edges[i].from, w->edges[i].to, 0x40, 3000);
        sim_post(w->edges[i].to, w->edges[i].from, 0x21, 10);
    }
    sim_run_for(w->net, 20 * SY_SEC);
    sim_expect_eq(delivered(w) - before, 2 * w->edge_count);
}

/* SPEC-TEST SW-40 SW-48 SW-56 */
static void random_faults(uint64_t seed) {
    world w;
    build_world(&w, seed);
    for (size_t i = 0; i < w.node_count; i++) {
        sim_start(w.node[i]);
    }
    disturb(&w, SY_MIN + sim_draw_duration(w.net, 0, 3 * SY_MIN));
    stop_disturbing(&w);
    expect_all_connected(&w);
    expect_messages_to_flow(&w);
    sim_net_del(w.net);
}

/* The same seed gives the same run, byte for byte; another seed another one. */
static void same_seed_same_trace(uint64_t seed) {
    char first[SIM_HASH_CAP];
    random_faults(seed);
    memcpy(first, sim_last_hash(), sizeof first);
    random_faults(seed);
    sim_expect(strcmp(first, sim_last_hash()) == 0);
    random_faults(seed + 1000);
    sim_expect(strcmp(first, sim_last_hash()) != 0);
}

int main(int argc, char **argv) {
    static const sim_scenario scenarios[] = {
        {"random_faults", random_faults, 150},
        {"same_seed_same_trace", same_seed_same_trace, 6},
    };
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
