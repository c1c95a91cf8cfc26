/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent peers: away for a week, with a name that comes and goes; away and back all the time;
 * moved to another address. */
#include "tests/sim/sim_scenario.h"

#include <string.h>

#define CAP  (60 * SY_SEC)
#define WEEK (7 * SY_DAY)

static const char *const profiles[] = {"plain", "tendermint", "cometbft"};

static void dial_by_name(sim_node *node, const sim_node *other, const char *name) {
    char id[SY_NODE_ID_TEXT_CAP];
    char text[SY_ADDR_TEXT_CAP];
    sy_node_id_format(sim_id(other), id);
    (void)snprintf(text, sizeof text, "%s@%s:%d", id, name, SIM_PORT);
    sim_expect_eq(sim_dial_text(node, text, SY_DIAL_PERSISTENT), SY_OK);
}

/* A few windows inside the week, each of some hours, in which the name is not there. */
static void break_name_now_and_then(sim_net *net, const char *name, sy_time until) {
    const size_t count = 1 + (size_t)sim_draw(net, 6);
    for (size_t i = 0; i < count; i++) {
        const sy_time from = sim_now(net) + sim_draw_duration(net, 0, WEEK - 20 * SY_HOUR);
        const sy_time end = from + sim_draw_duration(net, SY_MIN, 12 * SY_HOUR);
        sim_name_break(net, name, sim_draw(net, 2) == 0 ? SIM_NAME_FAILS : SIM_NAME_SILENT, from,
                       end < until ? end : until - SY_HOUR);
    }
}

static void leave_somehow(sim_net *net, sim_node *node) {
    switch (sim_draw(net, 3)) {
    case 0:
        sim_stop_and_wait(node);
        return;
    case 1:
        sim_crash(node, SIM_CRASH_PROCESS);
        return;
    default:
        sim_crash(node, SIM_CRASH_HOST);
        return;
    }
}

/* While the peer is away the gaps between failures are those of the back-off at its cap. */
static void expect_gaps_of_cap(const sim_node *node) {
    const sy_settings *defaults = sim_settings((sim_node *)node);
    const sy_duration slack = defaults->dial_timeout + defaults->resolve_timeout + SY_SEC;
    const sim_end_note *later = sim_end_at(node, 0);
    for (size_t i = 1; later != NULL && i < 100; i++) {
        const sim_end_note *earlier = sim_end_at(node, i);
        sim_expect(earlier != NULL);
        const sy_duration gap = later->at - earlier->at;
        sim_expect(gap >= CAP / 2);
        sim_expect(gap <= CAP + slack);
        later = earlier;
    }
}

/* SPEC-TEST SW-38 SW-40 SW-41 SW-42 SW-44 */
static void away_for_a_week(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    sim_node *alice = sim_node_new(net, "alice");
    sim_node *bob = sim_node_new(net, "bob");
    sim_node *carol = sim_node_new(net, "carol");
    for (size_t i = 0; i < 3; i++) {
        sim_set_profile(i == 0 ? alice : i == 1 ? bob : carol, profiles[seed % 3]);
    }
    sim_name_add_node(net, "bob.example", bob);
    dial_by_name(alice, bob, "bob.example");
    sim_dial(alice, carol, SY_DIAL_PERSISTENT);
    sim_start(alice);
    sim_start(bob);
    sim_start(carol);
    sim_expect(sim_wait_until_connected(alice, bob, 2 * SY_SEC));
    sim_run_for(net, sim_draw_duration(net, SY_SEC, SY_HOUR));

    const sy_time back_at = sim_now(net) + WEEK + sim_draw_duration(net, 0, CAP);
    break_name_now_and_then(net, "bob.example", back_at);
    leave_somehow(net, bob);
    sim_run_for(net, SY_HOUR);
    sim_run_until(net, back_at - 2 * SY_HOUR);
    const uint64_t asked = sim_name_asked(net, "bob.example");
    const uint64_t dials = sim_totals_of(alice).dials;
    sim_forget_ends(alice);
    sim_run_until(net, back_at);
    sim_expect(!sim_has_peer(alice, bob));

    /* Two hours of waiting 30 to 60 s each, plus what one attempt takes; over the week the same. */
    const uint64_t asked_then = sim_name_asked(net, "bob.example") - asked;
    sim_expect(asked_then >= 7200 / 66);
    sim_expect(asked_then <= 7200 / 30);
    sim_expect(sim_totals_of(alice).dials - dials <= asked_then + 1);
    sim_expect(sim_name_asked(net, "bob.example") <= (WEEK + SY_HOUR) / (CAP / 2) + 20);
    sim_expect(sim_name_asked(net, "bob.example") >= WEEK / (CAP + 10 * SY_SEC));
    expect_gaps_of_cap(alice);

    sim_start(bob);
    /* At most one attempt is under way, then one delay of at most the cap, then a handshake. */
    sim_expect(
        sim_wait_until_connected(alice, bob, sim_settings(alice)->dial_timeout + CAP + SY_SEC));
    sim_expect_eq(sim_send(bob, alice, 0x20, 100), SY_SEND_QUEUED);
    sim_run_for(net, SY_MIN);
    sim_expect_eq(sim_totals_of(alice).delivered, 1);

    /* Nothing of this has touched the other peer. */
    sim_expect(sim_are_connected(alice, carol));
    sim_expect_eq(sim_totals_of(carol).peers_up, 1);
    sim_net_del(net);
}

/* SPEC-TEST SW-43: a peer that accepts and dies at once is not dialed in a loop. */
static void back_for_a_moment(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    sim_node *alice = sim_node_new(net, "alice");
    sim_node *bob = sim_node_new(net, "bob");
    sim_dial(alice, bob, SY_DIAL_PERSISTENT);
    sim_start(alice);

    const sy_time end = sim_now(net) + SY_HOUR;
    uint64_t rounds = 0;
    while (sim_now(net) < end) {
        sim_start(bob);
        sim_expect(sim_wait_until_connected(alice, bob, CAP + 5 * SY_SEC));
        sim_run_for(net, SY_SEC);
        sim_crash(bob, SIM_CRASH_PROCESS);
        rounds++;
    }
    /* Delays grow to 30..60 s, for no connection lasts 10 s. */
    sim_expect(rounds <= 3600 / 30 + 10);
    sim_expect(rounds >= 3600 / 62);

    /* Open for 11 s: the count starts anew, and so the next dial comes within 1 s. */
    sim_start(bob);
    sim_expect(sim_wait_until_connected(alice, bob, CAP + 5 * SY_SEC));
    sim_run_for(net, 11 * SY_SEC);
    sim_crash(bob, SIM_CRASH_PROCESS);
    sim_start(bob);
    sim_expect(sim_wait_until_connected(alice, bob, SY_SEC + 500 * SY_MSEC));
    sim_net_del(net);
}

/* SPEC-TEST SW-37 SW-39: every address of a name is tried, also behind dead ones. */
static void behind_dead_addresses(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    sim_node *alice = sim_node_new(net, "alice");
    sim_node *bob = sim_node_new(net, "bob");
    sim_node *down = sim_node_new(net, "down");
    sim_start(down);
    sim_stop_and_wait(down); /* refuses */
    sy_endpoint nowhere;
    sim_expect_eq(sy_endpoint_parse_ip("10.9.9.9", 8, &nowhere), SY_OK);
    sim_name_add(net, "many.example", &nowhere);
    sim_name_add_node(net, "many.example", down);
    sim_name_add_node(net, "many.example", bob);
    sim_start(alice);
    sim_start(bob);
    dial_by_name(alice, bob, "many.example");
    sim_expect(sim_wait_until_connected(alice, bob, 4 * SY_SEC));
    sim_expect_eq(sim_totals_of(alice).dials, 3);
    sim_expect_eq(sim_count_ends(alice, SY_STAGE_CONNECT, SY_ERR_CONNECT_TIMEOUT), 1);
    sim_expect_eq(sim_count_ends(alice, SY_STAGE_CONNECT, SY_ERR_CONNECT), 1);

    /* It moves: only the name knows. */
    sim_stop_and_wait(bob);
    sim_set_ip(bob, "10.0.77.1");
    sim_name_clear(net, "many.example");
    sim_name_add_node(net, "many.example", bob);
    sim_start(bob);
    sim_expect(sim_wait_until_connected(alice, bob, 5 * SY_SEC));
    sim_net_del(net);
}

int main(int argc, char **argv) {
    static const sim_scenario scenarios[] = {
        {"away_for_a_week", away_for_a_week, 9},
        {"back_for_a_moment", back_for_a_moment, 3},
        {"behind_dead_addresses", behind_dead_addresses, 3},
    };
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
