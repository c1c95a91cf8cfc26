/* SPDX-License-Identifier: Apache-2.0 */
/* New settings for a switch that runs. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim_scenario.h"

#define DIALERS 5

typedef struct rig {
    sim_net *net;
    sim_node *hub;
    sim_node *dialers[DIALERS]; /* in order of arrival */
    sy_detail restart;
    sy_detail detail;
} rig;

static rig make_rig(uint64_t seed) {
    sim_options options;
    rig r;
    memset(&r, 0, sizeof r);
    sim_options_default(&options, seed);
    r.net = sim_net_new(&options);
    r.hub = sim_node_new(r.net, "hub");
    sim_start(r.hub);
    for (size_t i = 0; i < DIALERS; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "d%zu", i);
        r.dialers[i] = sim_node_new(r.net, name);
        sim_start(r.dialers[i]);
        sim_dial(r.dialers[i], r.hub, SY_DIAL_ONCE);
        sim_expect(sim_wait_until_connected(r.dialers[i], r.hub, 10 * SY_SEC));
        sim_run_for(r.net, SY_SEC);
    }
    return r;
}

static sy_err apply(rig *r, const sy_settings *settings) {
    const sy_err err = sy_switch_reconfigure(sim_switch(r->hub), settings, &r->restart, &r->detail,
                                             sim_now(r->net));
    sim_nudge(r->hub);
    sim_run_for(r->net, SY_SEC);
    return err;
}

static void expect_peers(const rig *r, const bool want[DIALERS]) {
    for (size_t i = 0; i < DIALERS; i++) {
        sim_expect_eq(sim_has_peer(r->hub, r->dialers[i]), want[i]);
    }
}

/* SPEC-TEST SW-81: at the limit nobody leaves, below it the youngest. */
static void run_limits(uint64_t seed) {
    rig r = make_rig(seed);
    sy_settings settings = *sim_settings(r.hub);
    settings.max_inbound = DIALERS;
    sim_expect_eq(apply(&r, &settings), SY_OK);
    expect_peers(&r, (const bool[DIALERS]){true, true, true, true, true});
    settings.max_inbound = 3;
    sim_expect_eq(apply(&r, &settings), SY_OK);
    expect_peers(&r, (const bool[DIALERS]){true, true, true, false, false});
    sim_expect_eq(sy_switch_ended_count(sim_switch(r.hub), SY_STAGE_OPEN, SY_ERR_EVICTED), 2);
    sim_expect_eq(r.restart.text[0], '\0');
    sim_dial(r.dialers[4], r.hub, SY_DIAL_ONCE);
    sim_run_for(r.net, 5 * SY_SEC);
    sim_expect_eq(sim_peer_count(r.hub), 3);
    settings.total_connections = 2;
    sim_expect_eq(apply(&r, &settings), SY_OK);
    expect_peers(&r, (const bool[DIALERS]){true, true, false, false, false});
    settings.max_per_prefix = 1;
    sim_expect_eq(apply(&r, &settings), SY_OK);
    expect_peers(&r, (const bool[DIALERS]){true, false, false, false, false});
    sim_net_del(r.net);
}

/* SPEC-TEST SW-81 SW-82 */
static void run_classes(uint64_t seed) {
    rig r = make_rig(seed);
    sy_settings settings = *sim_settings(r.hub);
    const sy_node_id ids[2] = {*sim_id(r.dialers[3]), *sim_id(r.dialers[4])};
    settings.unconditional_ids = ids;
    settings.unconditional_count = 2;
    settings.max_inbound = 1;
    sim_expect_eq(apply(&r, &settings), SY_OK);
    expect_peers(&r, (const bool[DIALERS]){true, false, false, true, true});
    sy_switch_counts counts;
    sy_switch_get_counts(sim_switch(r.hub), &counts);
    sim_expect_eq(counts.unconditional, 2);
    sim_expect_eq(counts.inbound, 1);
    settings.unconditional_count = 0;
    sim_expect_eq(apply(&r, &settings), SY_OK);
    expect_peers(&r, (const bool[DIALERS]){true, false, false, false, false});
    sim_net_del(r.net);
}

/* SPEC-TEST SW-80 SW-83 */
static void run_all_or_nothing(uint64_t seed) {
    rig r = make_rig(seed);
    sy_settings settings = *sim_settings(r.hub);
    settings.max_inbound = 1;
    settings.pong_timeout = settings.ping_interval;
    sim_expect_eq(apply(&r, &settings), SY_ERR_CONFIG);
    sim_expect(strstr(r.detail.text, "pong_timeout") != NULL);
    sim_expect_eq(sim_peer_count(r.hub), DIALERS);
    settings = *sim_settings(r.hub);
    settings.max_inbound = 1;
    settings.max_pending = 1000;
    for (size_t k = 1; k <= 2; k++) {
        sim_fail_alloc(r.hub, k);
        sim_expect_eq(sy_switch_reconfigure(sim_switch(r.hub), &settings, &r.restart, &r.detail,
                                            sim_now(r.net)),
                      SY_ERR_NOMEM);
        sim_heal_allocs(r.hub);
        sim_nudge(r.hub);
        sim_run_for(r.net, SY_SEC);
        sim_expect_eq(sim_peer_count(r.hub), DIALERS);
    }
    settings = *sim_settings(r.hub);
    settings.moniker = "other";
    settings.network = "another";
    settings.memory_max += 1;
    settings.profiles[0] = "cometbft";
    sim_expect_eq(apply(&r, &settings), SY_OK);
    sim_expect(strcmp(r.restart.text, "chain_id, moniker, profiles, memory_max") == 0);
    sim_expect_eq(sim_peer_count(r.hub), DIALERS);
    sim_net_del(r.net);
}

static const sim_scenario scenarios[] = {
    {"limits", run_limits, 5},
    {"classes", run_classes, 5},
    {"all_or_nothing", run_all_or_nothing, 3},
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
