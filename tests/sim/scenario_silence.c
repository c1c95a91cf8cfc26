/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that say nothing, or no more, or very slowly: each is gone at its deadline and has cost
 * little; ten thousand of them keep nobody out. */
#include "tests/sim/sim_scenario.h"

#include <string.h>

#define FRAME          1044u /* a sealed frame: the authentication message, then NodeInfo */
#define COST_MAX       4096u /* bytes before IDENTITY: SPEC-TEST SW-05 */
#define HANDSHAKE_TIME (20 * SY_SEC)

typedef struct profile {
    const char *name;
    size_t ephemeral; /* bytes of the first message */
} profile;

static const profile secret_profiles[] = {{"tendermint", 34}, {"cometbft", 35}};

/* ---- One peer falls silent after so many bytes --------------------------------------------------
 */

typedef struct silent_case {
    const char *name;
    size_t frames; /* sent before */
    bool ephemeral;
    size_t more;
    bool two_profiles;
    sy_stage at; /* OPEN: it becomes a peer, and answers no ping */
} silent_case;

static const silent_case silent_cases[] = {
    {.name = "nothing", .at = SY_STAGE_HANDSHAKE},
    {.name = "nothing, two profiles", .two_profiles = true, .at = SY_STAGE_CONNECT},
    {.name = "1 byte, two profiles", .more = 1, .two_profiles = true, .at = SY_STAGE_CONNECT},
    {.name = "2 bytes, two profiles", .more = 2, .two_profiles = true, .at = SY_STAGE_HANDSHAKE},
    {.name = "1 byte", .more = 1, .at = SY_STAGE_HANDSHAKE},
    {.name = "33 bytes", .more = 33, .at = SY_STAGE_HANDSHAKE},
    {.name = "ephemeral key", .ephemeral = true, .at = SY_STAGE_HANDSHAKE},
    {.name = "half a frame", .ephemeral = true, .more = 500, .at = SY_STAGE_HANDSHAKE},
    {.name = "all but a byte", .ephemeral = true, .more = FRAME - 1, .at = SY_STAGE_HANDSHAKE},
    {.name = "authenticated", .ephemeral = true, .frames = 1, .at = SY_STAGE_NODE_INFO},
    {.name = "half of NodeInfo",
     .ephemeral = true,
     .frames = 1,
     .more = 522,
     .at = SY_STAGE_NODE_INFO},
    {.name = "NodeInfo", .ephemeral = true, .frames = 2, .at = SY_STAGE_OPEN},
};

typedef struct stage {
    sim_net *net;
    sim_node *hears; /* whose patience is tried */
    sim_node *silent;
} stage;

static stage open_stage(uint64_t seed, const profile *p, const silent_case *c) {
    sim_options options;
    sim_options_default(&options, seed);
    options.piece_max = seed % 2 == 0 ? 0 : 7;
    stage s = {.net = sim_net_new(&options)};
    s.hears = sim_node_new(s.net, "hears");
    s.silent = sim_node_new(s.net, "silent");
    sim_set_profile(s.hears, p->name);
    sim_set_profile(s.silent, p->name);
    if (c->two_profiles) {
        sy_settings *settings = sim_settings(s.hears);
        settings->profiles[1] = p == &secret_profiles[0] ? "cometbft" : "tendermint";
        settings->profile_count = 2;
    }
    sim_start(s.hears);
    sim_start(s.silent);
    return s;
}

/* SPEC-TEST SW-02 SW-05 MX-38 */
static void silent_row(uint64_t seed, const profile *p, const silent_case *c, bool it_dials) {
    stage s = open_stage(seed, p, c);
    sim_set_mute_after(s.silent, (c->ephemeral ? p->ephemeral : 0) + c->frames * FRAME + c->more);

    /* The first connection of all makes tables that stay. */
    sim_raw *first = sim_raw_connect(s.net, "192.0.2.7", s.hears);
    sim_run_for(s.net, SY_SEC);
    sim_raw_close(first);
    sim_run_for(s.net, SY_SEC);
    sim_forget_ends(s.hears);
    const uint64_t ends = sim_totals_of(s.hears).ends;
    sim_expect_eq(ends, 1);
    const size_t before = sim_live_bytes(s.hears);

    const sy_time began = sim_now(s.net);
    sim_dial(it_dials ? s.silent : s.hears, it_dials ? s.hears : s.silent, SY_DIAL_ONCE);
    sim_run_for(s.net, 10 * SY_SEC);
    const size_t cost = sim_live_bytes(s.hears) - before;
    if (c->at <= SY_STAGE_HANDSHAKE && it_dials && cost > COST_MAX) {
        sim_fail("%s %s: costs %zu bytes", p->name, c->name, cost);
    }
    const sy_duration patience = c->at == SY_STAGE_OPEN ? 105 * SY_SEC : HANDSHAKE_TIME;
    sim_run_until(s.net, began + patience + SY_SEC);
    sim_expect_end(s.hears, c->at,
                   c->at == SY_STAGE_OPEN ? SY_ERR_PONG_TIMEOUT : SY_ERR_HANDSHAKE_TIMEOUT,
                   c->at == SY_STAGE_OPEN ? "MX-38" : "SW-02");
    const sy_duration took = sim_end_at(s.hears, 0)->at - began;
    if (took < patience || took > patience + 200 * SY_MSEC) {
        sim_fail("%s %s: took %llu ms", p->name, c->name, (unsigned long long)(took / SY_MSEC));
    }
    sim_expect_eq(sim_totals_of(s.hears).inits, c->at == SY_STAGE_OPEN ? SIM_REACTORS : 0);
    sim_net_del(s.net);
}

static void silent_at_each_stage(uint64_t seed) {
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < sizeof silent_cases / sizeof silent_cases[0]; i++) {
            silent_row(seed, &secret_profiles[p], &silent_cases[i], true);
            if (!silent_cases[i].two_profiles) {
                silent_row(seed, &secret_profiles[p], &silent_cases[i], false);
            }
        }
    }
}

/* In plain everything is in NodeInfo: there is no stage `handshake`. */
static void silent_in_plain(uint64_t seed) {
    static const profile plain = {"plain", 0};
    static const silent_case cases[] = {
        {.name = "nothing", .at = SY_STAGE_NODE_INFO},
        {.name = "half of NodeInfo", .more = 60, .at = SY_STAGE_NODE_INFO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        silent_row(seed, &plain, &cases[i], true);
        silent_row(seed, &plain, &cases[i], false);
    }
}

/* SPEC-TEST SW-02: a byte now and then does not buy time. */
static void slow_loris(uint64_t seed) {
    for (size_t p = 0; p < 2; p++) {
        const silent_case none = {.name = "loris"};
        stage s = open_stage(seed, &secret_profiles[p], &none);
        static const uint8_t hello[2][3] = {{0x21, 0x20, 0x55}, {0x22, 0x0a, 0x20}};
        const sy_time began = sim_now(s.net);
        sim_raw *raw = sim_raw_connect(s.net, "192.0.2.8", s.hears);
        for (size_t i = 0; i < 30 && !sim_raw_has_ended(raw); i++) {
            sim_run_for(s.net, 900 * SY_MSEC);
            const uint8_t byte = i < 3 ? hello[p][i] : (uint8_t)(0x40 + i);
            sim_raw_send(raw, &byte, 1);
        }
        sim_expect(sim_raw_has_ended(raw));
        sim_expect_end(s.hears, SY_STAGE_HANDSHAKE, SY_ERR_HANDSHAKE_TIMEOUT, "SW-02");
        const sy_duration took = sim_end_at(s.hears, 0)->at - began;
        sim_expect(took >= HANDSHAKE_TIME && took < HANDSHAKE_TIME + 200 * SY_MSEC);
        sim_net_del(s.net);
    }
}

/* ---- Our own slowness --------------------------------------------------------------------------
 */

typedef struct receiver {
    sim_node *node;
    uint64_t count;
} receiver;

static bool has_received(void *user) {
    const receiver *r = user;
    return sim_totals_of(r->node).delivered >= r->count;
}

/* SPEC-TEST MX-38 MX-39: we read so slowly that pongs wait behind data for longer than their time;
 * a peer that lives is not blamed for it, one that has died is found out when all was read. */
static void slow_reader(uint64_t seed) {
    for (size_t p = 0; p < 2; p++) {
        const silent_case none = {.name = "slow"};
        stage s = open_stage(seed, &secret_profiles[p], &none);
        sim_stop_and_wait(s.hears);
        sim_stop_and_wait(s.silent);
        sim_settings(s.hears)->recv_rate = 3000;
        sim_settings(s.silent)->ping_interval = SY_HOUR; /* it has patience with us */
        sim_settings(s.silent)->pong_timeout = SY_HOUR / 2;
        sim_start(s.hears);
        sim_start(s.silent);
        sim_dial(s.hears, s.silent, SY_DIAL_ONCE);
        sim_expect(sim_wait_until_connected(s.hears, s.silent, SY_SEC));

        receiver r = {s.hears, 1};
        sim_post(s.silent, s.hears, 0x40, 1u << 20);
        sim_expect(sim_wait(s.net, has_received, &r, 8 * SY_MIN));
        sim_expect_eq(sim_totals_of(s.hears).ends, 0);
        sim_expect(sim_are_connected(s.hears, s.silent));

        sim_post(s.silent, s.hears, 0x40, 1u << 20);
        sim_run_for(s.net, 70 * SY_SEC);
        sim_crash(s.silent, SIM_CRASH_MUTE);
        sim_run_for(s.net, 5 * SY_MIN); /* what had arrived, and twice the time of a ping */
        sim_expect_end(s.hears, SY_STAGE_OPEN, SY_ERR_PONG_TIMEOUT, "MX-38");
        sim_net_del(s.net);
    }
}

/* ---- Ten thousand ------------------------------------------------------------------------------
 */

#define CROWD    10000u
#define POOL     256u
#define PREFIXES 97u

typedef struct member {
    sim_raw *raw;
    unsigned prefix;
    bool in_pool;
} member;

static member crowd[CROWD];

/* The rule of SW-22 and SW-23 written down once more: who leaves when `arrives` comes? */
static size_t expected_victim(size_t arrives) {
    size_t count[PREFIXES] = {0};
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < arrives; i++) {
        count[crowd[i].prefix] += crowd[i].in_pool;
    }
    /* The first one met of a prefix is its oldest; the first of equally full prefixes wins. */
    for (size_t i = 0; i < arrives; i++) {
        if (crowd[i].in_pool &&
            (best == SIZE_MAX || count[crowd[i].prefix] > count[crowd[best].prefix])) {
            best = i;
        }
    }
    return best;
}

static void join_crowd(sim_net *net, const sim_node *to, size_t i) {
    char ip[24];
    /* A few prefixes send most of them. */
    crowd[i].prefix =
        (unsigned)(sim_draw(net, 3) == 0 ? sim_draw(net, PREFIXES) : sim_draw(net, 5));
    (void)snprintf(ip, sizeof ip, "198.51.%u.%u", crowd[i].prefix,
                   1 + (unsigned)sim_draw(net, 250));
    crowd[i].raw = sim_raw_connect(net, ip, to);
    crowd[i].in_pool = true;
}

static void expect_pool_as_told(const sim_node *node, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (sim_raw_has_ended(crowd[i].raw) == crowd[i].in_pool) {
            sim_fail("%s: connection %zu (prefix %u) %s", sim_name_of(node), i, crowd[i].prefix,
                     crowd[i].in_pool ? "has left" : "should have left");
        }
    }
}

/* SPEC-TEST SW-06 SW-21 SW-22 SW-23 */
static void ten_thousand_silent(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    options.latency_min = options.latency_max = 2 * SY_MSEC;
    options.jitter_max = 0;
    options.turn_delay_max = 0;
    sim_net *net = sim_net_new(&options);
    sim_node *node = sim_node_new(net, "node");
    sim_node *honest = sim_node_new(net, "honest");
    sim_start(node);
    sim_start(honest);

    size_t pooled = 0;
    size_t base = 0;
    for (size_t i = 0; i < CROWD; i++) {
        if (pooled == POOL) {
            crowd[expected_victim(i)].in_pool = false;
        } else {
            pooled++;
        }
        join_crowd(net, node, i);
        sim_run_for(net, SY_MSEC);
        if (i == POOL + 10) {
            base = sim_live_bytes(node); /* the pool is full, the tables have grown */
        }
    }
    sim_run_for(net, 10 * SY_MSEC);
    expect_pool_as_told(node, CROWD);

    sy_switch_counts counts;
    sy_switch_get_counts(sim_switch(node), &counts);
    sim_expect_eq(counts.pending, POOL);
    sim_expect_eq(counts.accepted, CROWD);
    sim_expect_eq(sy_switch_ended_count(sim_switch(node), SY_STAGE_HANDSHAKE, SY_ERR_ADMIT_PENDING),
                  CROWD - POOL);
    sim_expect(sim_live_bytes(node) <= base);
    sim_expect(counts.memory_used <= (POOL + 8) * (size_t)COST_MAX);

    sim_dial(honest, node, SY_DIAL_ONCE);
    sim_expect(sim_wait_until_connected(honest, node, SY_SEC));
    sim_run_for(net, HANDSHAKE_TIME);
    sy_switch_get_counts(sim_switch(node), &counts);
    sim_expect_eq(counts.pending, 0);
    sim_expect(sim_are_connected(honest, node));
    sim_net_del(net);
}

/* The pool at its limit, one below and one above. */
static void pool_limits(uint64_t seed) {
    for (int extra = -1; extra <= 1; extra++) {
        sim_options options;
        sim_options_default(&options, seed);
        sim_net *net = sim_net_new(&options);
        sim_node *node = sim_node_new(net, "node");
        sim_settings(node)->max_pending = 8;
        sim_start(node);
        for (int i = 0; i < 8 + extra; i++) {
            char ip[24];
            (void)snprintf(ip, sizeof ip, "203.0.%d.1", i);
            (void)sim_raw_connect(net, ip, node);
            sim_run_for(net, 100 * SY_MSEC);
        }
        sy_switch_counts counts;
        sy_switch_get_counts(sim_switch(node), &counts);
        sim_expect_eq(counts.pending, extra < 0 ? 7 : 8);
        sim_expect_eq(sim_totals_of(node).ends, extra > 0 ? 1 : 0);
        sim_net_del(net);
    }
}

int main(int argc, char **argv) {
    static const sim_scenario scenarios[] = {
        {"silent_at_each_stage", silent_at_each_stage, 2},
        {"silent_in_plain", silent_in_plain, 2},
        {"slow_loris", slow_loris, 2},
        {"slow_reader", slow_reader, 3},
        {"pool_limits", pool_limits, 2},
        {"ten_thousand_silent", ten_thousand_silent, 1},
    };
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
