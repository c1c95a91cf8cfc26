/* SPDX-License-Identifier: Apache-2.0 */
/* Peer exchange on the virtual network: real reactors and books find each other. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/finder.h"

#define NODES_MAX 24

typedef struct crowd {
    finder seed;
    finder nodes[NODES_MAX];
    size_t count;
    size_t want; /* peers of each */
} crowd;

static bool have_their_peers(void *user) {
    const crowd *c = user;
    for (size_t i = 0; i < c->count; i++) {
        if (sim_is_running(c->nodes[i].node) && sim_peer_count(c->nodes[i].node) < c->want) {
            return false;
        }
    }
    return true;
}

static void crowd_init(crowd *c, sim_net *net, size_t count, size_t target) {
    *c = (crowd){.count = count};
    finder_init(&c->seed, net, "seed", 8);
    c->seed.seed_mode = true;
    for (size_t i = 0; i < count; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "n%zu", i);
        finder_init(&c->nodes[i], net, name, target);
        finder_seed(&c->nodes[i], &c->seed);
    }
    sim_start(c->seed.node);
    for (size_t i = 0; i < count; i++) {
        sim_start(c->nodes[i].node);
    }
}

static void crowd_fini(crowd *c, sim_net *net) {
    sim_net_del(net);
    finder_fini(&c->seed);
    for (size_t i = 0; i < c->count; i++) {
        finder_fini(&c->nodes[i]);
    }
}

/* SPEC-TEST PEX-10 PEX-18 PEX-23 PEX-30 PEX-31 SEED-01 SEED-02: three nodes that know one seed
 * only become each other's peers, and survive its death. */
static void three_find_each_other(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static crowd c;
    crowd_init(&c, net, 3, 10);
    if (seed % 2 == 0) {
        sim_stop_and_wait(c.nodes[0].node);
        sim_set_profile(c.nodes[0].node, "tendermint");
        sim_start(c.nodes[0].node);
    }
    c.want = 2;
    sim_expect(sim_wait(net, have_their_peers, &c, 10 * SY_MIN));
    sim_crash(c.seed.node, SIM_CRASH_PROCESS);
    sim_run_for(net, 10 * SY_MIN);
    for (size_t i = 0; i < 3; i++) {
        sim_expect_eq(sim_peer_count(c.nodes[i].node), 2);
        sim_expect_eq(finder_counts(&c.nodes[i]).stopped, 0);
        sim_expect_eq(finder_counts(&c.nodes[i]).requests_early, 0);
    }
    crowd_fini(&c, net);
}

/* SPEC-TEST PEX-23 SEED-03 SEED-06: twenty reach their outbound targets, nobody exceeds them, and
 * the seed stays small. */
static void twenty_reach_their_targets(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static crowd c;
    crowd_init(&c, net, 20, 4);
    size_t seed_most = 0;
    for (int minute = 0; minute < 20; minute++) {
        sim_run_for(net, SY_MIN);
        const size_t now = sim_peer_count(c.seed.node);
        seed_most = now > seed_most ? now : seed_most;
    }
    for (size_t i = 0; i < c.count; i++) {
        const sy_switch_counts counts = finder_switch_counts(&c.nodes[i]);
        sim_expect(counts.outbound == 4);
        sim_expect_eq(finder_counts(&c.nodes[i]).stopped, 0);
        sim_expect_eq(finder_counts(&c.nodes[i]).requests_early, 0);
        sim_expect(finder_book_size(&c.nodes[i]) >= 15);
    }
    sim_expect(seed_most <= 20);
    sim_expect(finder_counts(&c.seed).visitors_served >= 20);
    crowd_fini(&c, net);
}

/* SPEC-TEST PEX-28 PEX-32: what was saved at the end is dialed first after a restart, without a
 * seed. */
static void restart_uses_anchors(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static crowd c;
    crowd_init(&c, net, 8, 3);
    sim_run_for(net, 10 * SY_MIN);
    finder *f = &c.nodes[0];
    sim_expect_eq(finder_switch_counts(f).outbound, 3);
    sy_node_id before[3];
    size_t count = 0;
    for (const sy_peer *peer = sy_switch_next_peer(sim_switch(f->node), NULL); peer != NULL;
         peer = sy_switch_next_peer(sim_switch(f->node), peer)) {
        if (sy_peer_is_outbound(peer) && count < 3) {
            before[count++] = *sy_peer_id(peer);
        }
    }
    sim_stop_and_wait(f->node);
    sim_expect(f->saves > 0);

    finder_reload(f);
    f->seed_count = 0;
    sim_crash(c.seed.node, SIM_CRASH_PROCESS);
    sim_start(f->node);
    sim_run_for(net, 10 * SY_SEC);
    sim_expect_eq(finder_switch_counts(f).outbound, 3);
    for (size_t i = 0; i < 3; i++) {
        sim_expect(sy_switch_peer_by_id(sim_switch(f->node), &before[i]) != NULL);
    }
    crowd_fini(&c, net);
}

/* SPEC-TEST PEX-27: two of the addresses are in one group, the others in groups of their own: the
 * outbound peers are of different groups, until nothing else is left. */
static void outbound_peers_are_diverse(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static finder f;
    static finder others[9];
    finder_init(&f, net, "f", 6);
    sim_start(f.node);
    for (size_t i = 0; i < 9; i++) {
        char name[32];
        char ip[64];
        (void)snprintf(name, sizeof name, "o%zu", i);
        /* o0..o5 share 20.0/16, o6, o7, o8 are alone. */
        (void)snprintf(ip, sizeof ip, "20.%zu.%zu.1", i < 6 ? 0 : i, i);
        finder_init(&others[i], net, name, 0);
        sim_set_ip(others[i].node, ip);
        sim_start(others[i].node);
        const sy_net_addr addr = {*sim_id(others[i].node), *sim_endpoint(others[i].node)};
        (void)finder_tell(&f, &addr);
    }
    sim_run_for(net, 31 * SY_SEC);
    sim_expect_eq(finder_switch_counts(&f).outbound, 6);
    size_t alone = 0;
    for (size_t i = 6; i < 9; i++) {
        alone += sim_has_peer(f.node, others[i].node);
    }
    sim_expect_eq(alone, 3);
    sim_net_del(net);
    finder_fini(&f);
    for (size_t i = 0; i < 9; i++) {
        finder_fini(&others[i]);
    }
}

/* SPEC-TEST PEX-23: a node that only others have dialed asks the first of them, not half a minute
 * later, and dials whom it hears of. */
static void newcomers_are_asked(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static finder f;
    static finder caller;
    static finder third;
    finder_init(&f, net, "f", 1);
    finder_init(&caller, net, "caller", 0);
    finder_init(&third, net, "third", 0);
    sim_start(f.node);
    sim_start(caller.node);
    sim_start(third.node);
    sim_run_for(net, SY_SEC);
    sim_dial(third.node, caller.node, SY_DIAL_PERSISTENT);
    sim_run_for(net, SY_SEC);
    sim_dial(caller.node, f.node, SY_DIAL_PERSISTENT);
    sim_run_for(net, 8 * SY_SEC);
    sim_expect_eq(finder_switch_counts(&f).outbound, 1);
    sim_expect(sim_has_peer(f.node, third.node));
    sim_expect_eq(finder_counts(&caller).requests_early, 0);
    sim_net_del(net);
    finder_fini(&f);
    finder_fini(&caller);
    finder_fini(&third);
}

/* SPEC-TEST PEX-23: who had nothing to tell is asked again within seconds while a node is short of
 * peers, and still no sooner than PEX-12 allows. */
static void the_short_of_peers_ask_again(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static finder f;
    static finder caller;
    static finder third;
    finder_init(&f, net, "f", 1);
    finder_init(&caller, net, "caller", 0);
    finder_init(&third, net, "third", 0);
    sim_start(f.node);
    sim_start(caller.node);
    sim_start(third.node);
    sim_run_for(net, 40 * SY_SEC); /* the pause of f has grown to its most */
    sim_dial(caller.node, f.node, SY_DIAL_PERSISTENT);
    sim_run_for(net, 3 * SY_SEC);
    sim_expect(finder_counts(&f).answers_in > 0);
    sim_dial(third.node, caller.node, SY_DIAL_PERSISTENT);
    sim_run_for(net, 20 * SY_SEC);
    sim_expect(sim_has_peer(f.node, third.node));
    sim_expect_eq(finder_counts(&caller).requests_early, 0);
    sim_net_del(net);
    finder_fini(&f);
    finder_fini(&caller);
    finder_fini(&third);
}

/* SPEC-TEST PEX-29: feelers find out which untested addresses are there, although every outbound
 * place is taken, and never take a place. */
static void feelers_test_addresses(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    sim_net *net = sim_net_new(&options);
    static crowd c;
    crowd_init(&c, net, 8, 2);
    for (size_t i = 0; i < c.count; i++) {
        sim_expect(c.nodes[i].pex != NULL);
        sim_stop_and_wait(c.nodes[i].node);
        c.nodes[i].feeler_period = 20 * SY_SEC;
        sim_start(c.nodes[i].node);
    }
    sim_run_for(net, 30 * SY_MIN);
    uint64_t good = 0;
    size_t tested = 0;
    for (size_t i = 0; i < c.count; i++) {
        good += finder_counts(&c.nodes[i]).feelers_good;
        tested += c.nodes[i].source.ops->sizes(c.nodes[i].source.source).tested;
        sim_expect(finder_switch_counts(&c.nodes[i]).outbound <= 2);
    }
    sim_expect(good > 0);
    sim_expect(tested > 2 * c.count);
    crowd_fini(&c, net);
}

static const sim_scenario scenarios[] = {
    {"three_find_each_other", three_find_each_other, 6},
    {"twenty_reach_their_targets", twenty_reach_their_targets, 2},
    {"restart_uses_anchors", restart_uses_anchors, 3},
    {"outbound_peers_are_diverse", outbound_peers_are_diverse, 4},
    {"newcomers_are_asked", newcomers_are_asked, 4},
    {"the_short_of_peers_ask_again", the_short_of_peers_ask_again, 6},
    {"feelers_test_addresses", feelers_test_addresses, 2},
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
