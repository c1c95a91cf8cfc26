/* SPDX-License-Identifier: Apache-2.0 */
/* Twenty-five nodes under every fault that there is.  First safety (the checks of the simulator are
 * always on), then the faults stop, and within a bounded time the persistent peers are connected,
 * everybody has found peers, and what is queued arrives.
 *
 * What a run is like - wire profile, latency, pieces, buffers, kinds of faults - is drawn from its
 * seed, in statements of their own: a seed means the same run with every compiler. */
#include "tests/sim/sim_scenario.h"

#include <string.h>

#define NODES      25
#define SEEDS      4 /* known to all; only the first is in seed mode */
#define TARGET     3 /* outbound peers that a node looks for */
#define EDGES_MAX  NODES
#define HEALED_MAX (10 * SY_MIN)
#define TALK_GAP   (3 * SY_SEC)
#define LONG_MAX   50000
#define SHORT_MAX  1500
#define EDGE_EACH  256
#define DRAIN_MAX  (20 * SY_SEC)

typedef struct edge {
    sim_node *from;
    sim_node *to;
} edge;

typedef struct world {
    sim_net *net;
    sim_node *node[NODES];
    edge edges[EDGES_MAX]; /* persistent peers */
    size_t edge_count;
    bool quiet;
    uint64_t expected;
} world;

/* ---- Setting -----------------------------------------------------------------------------------
 */

static sim_net *draw_net(uint64_t seed) {
    static const size_t pieces[] = {0, 0, 100, 600, 2000, 5000};
    sim_options options;
    sim_options_default(&options, seed);
    options.latency_min = seed % 3 * 10 * SY_MSEC;
    options.latency_max = options.latency_min + seed % 7 * 30 * SY_MSEC;
    options.jitter_max = seed % 4 * 5 * SY_MSEC;
    options.piece_max = pieces[seed % 6];
    options.read_max = pieces[seed / 6 % 6];
    options.buffer_min = 3000 + (size_t)(seed % 5) * 10000;
    options.buffer_max = options.buffer_min * 3;
    options.turn_delay_max = seed % 5 * SY_MSEC;
    options.log_level = SY_LOG_WARN;
    options.poison = seed % 4 == 0;
    return sim_net_new(&options);
}

static void dial_by_name(sim_node *from, const sim_node *to) {
    char id[SY_NODE_ID_TEXT_CAP];
    char text[SY_ADDR_TEXT_CAP];
    sy_node_id_format(sim_id(to), id);
    (void)snprintf(text, sizeof text, "%s@%s:%d", id, sim_name_of(to), SIM_PORT);
    sim_expect_eq(sim_dial_text(from, text, SY_DIAL_PERSISTENT), SY_OK);
}

static void know_others(world *w, size_t index) {
    sim_discovery discovery;
    sim_discovery_default(&discovery);
    discovery.max_outbound = TARGET;
    discovery.seed_mode = index == 0;
    /* Several: one that comes back without its book knows nobody. */
    for (size_t i = 0; i < SEEDS; i++) {
        if (i != index) {
            discovery.seeds[discovery.seed_count++] = w->node[i];
        }
    }
    sim_discover(w->node[index], &discovery);
    if (index == 0 || sim_draw(w->net, 2) == 0) {
        return;
    }
    const size_t other = 1 + (size_t)sim_draw(w->net, NODES - 1);
    if (other != index) {
        dial_by_name(w->node[index], w->node[other]);
        w->edges[w->edge_count++] = (edge){w->node[index], w->node[other]};
    }
}

static void build_world(world *w, uint64_t seed) {
    static const char *const profiles[] = {"plain", "tendermint", "cometbft"};
    *w = (world){.net = draw_net(seed)};
    const char *profile = profiles[sim_draw(w->net, 3)];
    const bool short_pings = sim_draw(w->net, 2) == 0;
    for (size_t i = 0; i < NODES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "n%zu", i);
        w->node[i] = sim_node_new(w->net, name);
        sim_name_add_node(w->net, name, w->node[i]);
        sim_set_profile(w->node[i], profile);
        if (short_pings) {
            sim_settings(w->node[i])->ping_interval = 10 * SY_SEC;
            sim_settings(w->node[i])->pong_timeout = 8 * SY_SEC;
        }
    }
    for (size_t i = 0; i < NODES; i++) {
        know_others(w, i);
    }
    for (size_t i = 0; i < NODES; i++) {
        sim_start(w->node[i]);
    }
}

/* ---- Talking -----------------------------------------------------------------------------------
 */

static const uint8_t channels[] = {0x20, 0x21, 0x40, 0x80};

/* Now and then a power of two, or its neighbour. */
static size_t draw_len(world *w) {
    if (sim_draw(w->net, EDGE_EACH) == 0) {
        const unsigned power = 8 + (unsigned)sim_draw(w->net, 8);
        return ((size_t)1 << power) + (size_t)sim_draw(w->net, 3) - 1;
    }
    return (size_t)sim_draw(w->net, sim_draw(w->net, 4) == 0 ? LONG_MAX : SHORT_MAX);
}

/* Somebody tells each of its peers something. */
static void talk(void *user) {
    world *w = user;
    if (w->quiet) {
        return;
    }
    sim_node *node = w->node[sim_draw(w->net, NODES)];
    const uint8_t channel = channels[sim_draw(w->net, 4)];
    const size_t len = draw_len(w);
    size_t full;
    if (sim_is_running(node)) {
        (void)sim_broadcast(node, channel, len, &full);
    }
    const sy_duration gap = sim_draw_duration(w->net, 1, TALK_GAP);
    sim_at(w->net, sim_now(w->net) + gap, talk, w);
}

/* ---- Healing -----------------------------------------------------------------------------------
 */

static bool all_is_well(void *user) {
    const world *w = user;
    for (size_t i = 0; i < w->edge_count; i++) {
        if (!sim_are_connected(w->edges[i].from, w->edges[i].to)) {
            return false;
        }
    }
    for (size_t i = 1; i < NODES; i++) {
        if (sim_peer_count(w->node[i]) < TARGET) {
            return false;
        }
    }
    return true;
}

static void say_what_is_wrong(const world *w) {
    for (size_t i = 0; i < w->edge_count; i++) {
        if (!sim_are_connected(w->edges[i].from, w->edges[i].to)) {
            sim_fail("%s and its persistent peer %s are not connected",
                     sim_name_of(w->edges[i].from), sim_name_of(w->edges[i].to));
        }
    }
    for (size_t i = 1; i < NODES; i++) {
        if (sim_peer_count(w->node[i]) < TARGET) {
            sim_fail("%s has %zu peers of %d", sim_name_of(w->node[i]), sim_peer_count(w->node[i]),
                     TARGET);
        }
    }
    sim_fail("it was well, but not when it was asked");
}

static uint64_t delivered(const world *w) {
    uint64_t sum = 0;
    for (size_t i = 0; i < NODES; i++) {
        sum += sim_totals_of(w->node[i]).delivered;
    }
    return sum;
}

static bool all_delivered(void *user) {
    const world *w = user;
    return delivered(w) >= w->expected;
}

/* More than the queues hold, on all channels: the reactors go on when they hear `writable`. */
static void expect_queues_to_drain(world *w) {
    sim_run_for(w->net, 20 * SY_SEC); /* what is under way arrives */
    const uint64_t before = delivered(w);
    w->expected = before;
    for (size_t i = 0; i < w->edge_count; i++) {
        if (!sim_has_peer(w->edges[i].from, w->edges[i].to)) {
            continue; /* left in these seconds */
        }
        const size_t count = 4 + (size_t)sim_draw(w->net, 4);
        for (size_t k = 0; k < count; k++) {
            const uint8_t channel = channels[sim_draw(w->net, 4)];
            const size_t len = draw_len(w);
            sim_post(w->edges[i].from, w->edges[i].to, channel, len);
            w->expected++;
        }
    }
    if (!sim_wait(w->net, all_delivered, w, DRAIN_MAX)) {
        sim_fail("%llu of %llu posted messages have not arrived",
                 (unsigned long long)(w->expected - delivered(w)),
                 (unsigned long long)(w->expected - before));
    }
}

/* SPEC-TEST SW-40 SW-48 SW-56 */
static void storm(uint64_t seed) {
    static world w;
    build_world(&w, seed);
    talk(&w);
    sim_run_for(w.net, sim_draw_duration(w.net, 0, 20 * SY_SEC));
    const unsigned kinds = sim_draw_faults(w.net, SIM_FAULTS_ALL);
    const sy_duration gap = sim_draw_duration(w.net, 200 * SY_MSEC, 3 * SY_SEC);
    sim_disturb(w.net, kinds, gap, SY_MIN);
    w.quiet = true;
    sim_calm(w.net);
    if (!sim_wait(w.net, all_is_well, &w, HEALED_MAX)) {
        say_what_is_wrong(&w);
    }
    expect_queues_to_drain(&w);
    sim_net_del(w.net);
}

int main(int argc, char **argv) {
    static const sim_scenario scenarios[] = {{"storm", storm, 40}};
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
