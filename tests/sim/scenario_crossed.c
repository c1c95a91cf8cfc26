/* SPDX-License-Identifier: Apache-2.0 */
/* Two nodes dial each other at once, and end with one connection: the same one. */
#include "tests/sim/sim_scenario.h"

static const char *const profiles[] = {"plain", "tendermint", "cometbft"};

static sim_net *make_net(uint64_t seed) {
    static const size_t pieces[] = {0, 1, 3, 40, 500};
    sim_options options;
    sim_options_default(&options, seed);
    options.latency_min = 0;
    options.latency_max = seed % 4 == 0 ? 0 : 500 * SY_MSEC;
    options.jitter_max = seed % 5 * 10 * SY_MSEC;
    options.piece_max = pieces[seed % 5];
    options.read_max = pieces[seed / 5 % 5];
    options.turn_delay_max = seed % 2 * 5 * SY_MSEC;
    return sim_net_new(&options);
}

static void start_now(void *user) {
    sim_start(user);
}

typedef struct pair {
    sim_node *a;
    sim_node *b;
} pair;

static bool both_have_delivered(void *user) {
    const pair *p = user;
    return sim_totals_of(p->a).delivered > 0 && sim_totals_of(p->b).delivered > 0;
}

/* One connection, the same at both ends, it works, and it stays. */
static void expect_one_connection(sim_node *a, sim_node *b) {
    sim_net *net = sim_net_of(a);
    pair p = {a, b};
    sim_expect(sim_are_connected(a, b));
    sim_expect_eq(sim_peer_count(a), 1);
    sim_expect_eq(sim_peer_count(b), 1);
    sim_expect_eq(sim_stream_count(net), 2);
    sim_expect_eq(sim_send(a, b, 0x20, 2000), SY_SEND_QUEUED);
    sim_expect_eq(sim_send(b, a, 0x80, 2000), SY_SEND_QUEUED);
    sim_expect(sim_wait(net, both_have_delivered, &p, 10 * SY_SEC));
    const uint64_t ends = sim_totals_of(a).ends + sim_totals_of(b).ends;
    sim_run_for(net, 5 * SY_MIN);
    sim_expect_eq(sim_totals_of(a).ends + sim_totals_of(b).ends, ends);
}

/* Where the rule had to decide, the connection dialed by the lower ID stays. */
static void expect_rule_was_followed(sim_node *a, sim_node *b) {
    if (sim_count_ends(a, SY_STAGE_OPEN, SY_ERR_CROSSED) == 0 &&
        sim_count_ends(a, SY_STAGE_ADMISSION, SY_ERR_CROSSED) == 0) {
        return;
    }
    const sy_peer *peer = sy_switch_peer_by_id(sim_switch(a), sim_id(b));
    sim_expect_eq(sy_peer_is_outbound(peer), sy_node_id_cmp(sim_id(a), sim_id(b)) < 0);
}

/* SPEC-TEST SW-27 SW-28 SW-31 SW-36 */
static void dial_each_other(uint64_t seed) {
    sim_net *net = make_net(seed);
    sim_node *a = sim_node_new(net, "a");
    sim_node *b = sim_node_new(net, "b");
    sim_set_profile(a, profiles[seed % 3]);
    sim_set_profile(b, profiles[seed % 3]);
    sim_dial(a, b, SY_DIAL_PERSISTENT);
    sim_dial(b, a, SY_DIAL_PERSISTENT);
    /* Half of the time both are there when the dials begin, and the connections really cross. */
    const sy_duration offset = seed % 2 == 0 ? 0 : sim_draw_duration(net, 0, 500 * SY_MSEC);
    sim_start(a);
    sim_at(net, sim_now(net) + offset, start_now, b);
    sim_run_for(net, 20 * SY_SEC);
    expect_one_connection(a, b);
    expect_rule_was_followed(a, b);
    sim_net_del(net);
}

/* The same for dials that are not repeated: losing both would be the end. */
static void dial_each_other_once(uint64_t seed) {
    sim_net *net = make_net(seed);
    sim_node *a = sim_node_new(net, "a");
    sim_node *b = sim_node_new(net, "b");
    sim_set_profile(a, profiles[seed % 3]);
    sim_set_profile(b, profiles[seed % 3]);
    sim_start(a);
    sim_start(b);
    sim_dial(a, b, SY_DIAL_ONCE);
    sim_run_for(net, sim_draw_duration(net, 0, 500 * SY_MSEC));
    if (!sim_has_peer(b, a)) {
        sim_dial(b, a, SY_DIAL_ONCE);
    }
    sim_run_for(net, 20 * SY_SEC);
    expect_one_connection(a, b);
    sim_net_del(net);
}

/* SPEC-TEST SW-29 SW-30 SW-33: one end vanishes without a word and comes back; its new connection
 * wins long before the old one would be missed. */
static void back_after_silence(uint64_t seed) {
    sim_net *net = make_net(seed);
    sim_node *a = sim_node_new(net, "a");
    sim_node *b = sim_node_new(net, "b");
    sim_set_profile(a, profiles[seed % 3]);
    sim_set_profile(b, profiles[seed % 3]);
    sim_start(a);
    sim_start(b);
    if (seed % 2 == 0) {
        sim_dial(a, b, SY_DIAL_PERSISTENT);
    } else {
        sim_dial(b, a, SY_DIAL_PERSISTENT);
    }
    sim_expect(sim_wait_until_connected(a, b, 20 * SY_SEC));
    /* It has spoken before: that must not count for it once it is silent. */
    sim_expect_eq(sim_send(b, a, 0x20, 100), SY_SEND_QUEUED);
    sim_run_for(net, sim_draw_duration(net, 3 * SY_SEC, 30 * SY_SEC));

    sim_crash(b, seed % 5 == 0 ? SIM_CRASH_HOST : SIM_CRASH_MUTE);
    sim_run_for(net, sim_draw_duration(net, 0, 10 * SY_SEC));
    sim_expect(sim_has_peer(a, b)); /* it does not know yet */
    sim_start(b);
    sim_dial(b, a, SY_DIAL_PERSISTENT);
    /* Connect, secret handshake, NodeInfo, parking: at most 4 round trips of 1 s and 2 s. */
    sim_expect(sim_wait_until_connected(a, b, 8 * SY_SEC));
    sim_run_for(net, sim_settings(a)->linger_timeout + SY_SEC); /* of the old one */
    expect_one_connection(a, b);
    sim_net_del(net);
}

/* The connection that stays does not get past a reactor: then none is left, and the persistent peer
 * is dialed again. */
static void winner_is_refused(uint64_t seed) {
    sim_net *net = make_net(seed);
    sim_node *a = sim_node_new(net, "a");
    sim_node *b = sim_node_new(net, "b");
    sim_set_profile(a, profiles[seed % 3]);
    sim_set_profile(b, profiles[seed % 3]);
    sim_start(a);
    sim_start(b);
    sim_dial(a, b, SY_DIAL_PERSISTENT);
    sim_expect(sim_wait_until_connected(a, b, 20 * SY_SEC));
    sim_crash(b, SIM_CRASH_MUTE);
    sim_start(b);
    sim_fail_peer_init(a, seed % SIM_REACTORS, 1, SY_ERR_NOMEM);
    sim_dial(b, a, SY_DIAL_ONCE);
    sim_run_for(net, 10 * SY_SEC);
    sim_expect_eq(sim_count_ends(a, SY_STAGE_OPEN, SY_ERR_NOMEM), 1); /* SPEC-TEST SW-47 */
    sim_expect(sim_wait_until_connected(a, b, 20 * SY_SEC));
    sim_run_for(net, 6 * SY_SEC);
    expect_one_connection(a, b);
    sim_net_del(net);
}

int main(int argc, char **argv) {
    static const sim_scenario scenarios[] = {
        {"dial_each_other", dial_each_other, 1000},
        {"dial_each_other_once", dial_each_other_once, 300},
        {"back_after_silence", back_after_silence, 200},
        {"winner_is_refused", winner_is_refused, 60},
    };
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
