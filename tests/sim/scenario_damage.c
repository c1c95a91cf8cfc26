/* SPDX-License-Identifier: Apache-2.0 */
/* Damage that has a known outcome: changed bits, clocks that jump, full disks, lost files. */
#include "tests/sim/sim_scenario.h"

#include <string.h>

#define FLIPS_TRIED 400

static sim_net *make_net(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    options.latency_min = 10 * SY_MSEC;
    return sim_net_new(&options);
}

/* ---- Changed bits ------------------------------------------------------------------------------
 */

typedef struct pair {
    sim_node *a;
    sim_node *b;
    const sim_end_note *end; /* of the one that received the changed byte */
    sim_node *victim;
} pair;

static bool victim_has_an_end(void *user) {
    pair *p = user;
    p->end = sim_end_at(p->victim, 0);
    return p->end != NULL;
}

/* Under way between two peers: the tag of the frame is wrong, whichever bit it was. */
static void changed_bit_of_peers(uint64_t seed, const char *profile) {
    sim_net *net = make_net(seed);
    pair p = {sim_node_new(net, "a"), sim_node_new(net, "b"), NULL, NULL};
    sim_set_profile(p.a, profile);
    sim_set_profile(p.b, profile);
    sim_start(p.a);
    sim_start(p.b);
    sim_dial(p.a, p.b, SY_DIAL_PERSISTENT);
    sim_expect(sim_wait_until_connected(p.a, p.b, 5 * SY_SEC));
    sim_run_for(net, SY_SEC);
    sim_expect_eq(sim_send(p.a, p.b, 0x20, 3000), SY_SEND_QUEUED);
    sim_run_for(net, 2 * SY_MSEC); /* it has left, and has not arrived */
    sim_expect_eq(sim_flip(p.a, p.b), 1);
    sim_expect_eq(sim_totals_of(p.b).flips, 1);
    p.victim = p.b;
    sim_expect(sim_wait(net, victim_has_an_end, &p, 2 * SY_MIN));
    sim_expect_eq(p.end->reason.code, SY_ERR_FRAME_TAG);
    sim_expect_eq(p.end->reason.stage, SY_STAGE_OPEN);
    sim_expect_eq(sim_totals_of(p.b).delivered, 0);
    sim_expect(sim_wait_until_connected(p.a, p.b, SY_MIN)); /* it is persistent */
    sim_net_del(net);
}

static void flip_among_peers(uint64_t seed) {
    changed_bit_of_peers(seed, "tendermint");
    changed_bit_of_peers(seed, "cometbft");
}

/* A key of another length, or of none, is a wrong message and not a wrong tag. */
static bool was_refused(const sim_node *node) {
    const sim_end_note *end = sim_end_at(node, 0);
    const sy_err_class class = end == NULL ? SY_ERR_CLASS_OK : sy_err_class_of(end->reason.code);
    return class == SY_ERR_CLASS_CRYPTO || class == SY_ERR_CLASS_PEER;
}

/* Somewhere in the handshake: nobody becomes a peer on that connection. */
static void changed_bit_of_handshake(uint64_t seed, const char *profile) {
    sim_net *net = make_net(seed);
    sim_node *a = sim_node_new(net, "a");
    sim_node *b = sim_node_new(net, "b");
    sim_set_profile(a, profile);
    sim_set_profile(b, profile);
    sim_start(a);
    sim_start(b);
    sim_dial(a, b, SY_DIAL_ONCE);
    sim_run_for(net, sim_draw_duration(net, 0, 100 * SY_MSEC));
    for (size_t i = 0; i < FLIPS_TRIED && sim_flip(a, b) == 0; i++) {
        sim_run_for(net, SY_MSEC);
    }
    sim_run_for(net, SY_MIN);
    const sim_totals in_a = sim_totals_of(a);
    const sim_totals in_b = sim_totals_of(b);
    if (in_a.flips + in_b.flips > 0) {
        /* Whoever sees it first: with another key in between, what both say is wrong. */
        sim_expect(was_refused(a) || was_refused(b));
        sim_expect(!sim_are_connected(a, b));
    } else {
        sim_expect(sim_are_connected(a, b)); /* it was over before */
    }
    sim_net_del(net);
}

static void flip_in_handshake(uint64_t seed) {
    changed_bit_of_handshake(seed, "tendermint");
    changed_bit_of_handshake(seed, "cometbft");
}

/* plain has no tags: the fault is not for it. */
static void no_flip_in_plain(uint64_t seed) {
    sim_net *net = make_net(seed);
    sim_node *a = sim_node_new(net, "a");
    sim_node *b = sim_node_new(net, "b");
    sim_set_profile(a, "plain");
    sim_set_profile(b, "plain");
    sim_start(a);
    sim_start(b);
    sim_dial(a, b, SY_DIAL_ONCE);
    sim_expect(sim_wait_until_connected(a, b, 5 * SY_SEC));
    sim_expect_eq(sim_send(a, b, 0x20, 3000), SY_SEND_QUEUED);
    sim_run_for(net, 2 * SY_MSEC);
    sim_expect_eq(sim_flip(a, b), 0);
    sim_run_for(net, SY_SEC);
    sim_expect_eq(sim_totals_of(b).delivered, 1);
    sim_net_del(net);
}

/* ---- Clocks and files --------------------------------------------------------------------------
 */

#define CROWD 8

static void discover(sim_node *const *nodes, size_t count, size_t target) {
    for (size_t i = 0; i < count; i++) {
        sim_discovery discovery;
        sim_discovery_default(&discovery);
        discovery.max_outbound = target;
        if (i > 0) {
            discovery.seeds[discovery.seed_count++] = nodes[0];
        }
        discovery.seed_mode = i == 0;
        sim_discover(nodes[i], &discovery);
        sim_start(nodes[i]);
    }
}

static void make_crowd(sim_net *net, sim_node **nodes) {
    for (size_t i = 0; i < CROWD; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "n%zu", i);
        nodes[i] = sim_node_new(net, name);
    }
    discover(nodes, CROWD, 3);
}

static size_t book_size(const sim_node *node) {
    const sy_addr_source source = sy_addr_book_source(sim_book(node));
    return source.ops->sizes(source.source).all;
}

/* The wall clock is for files and people: a jump costs no peer, and those that come later find
 * peers as well. */
static void clocks_jump(uint64_t seed) {
    static const int64_t days[] = {-4000, -1, 1, 4000};
    for (size_t d = 0; d < sizeof days / sizeof days[0]; d++) {
        sim_node *nodes[CROWD];
        sim_net *net = make_net(seed);
        make_crowd(net, nodes);
        sim_run_for(net, 3 * SY_MIN);
        for (size_t i = 0; i < CROWD; i += 2) {
            sim_set_clock(nodes[i], days[d] * (int64_t)SY_DAY);
        }
        const uint64_t ends = sim_totals_of(nodes[2]).ends;
        const size_t peers = sim_peer_count(nodes[2]);
        sim_run_for(net, 5 * SY_MIN);
        sim_expect(sim_peer_count(nodes[2]) >= peers);
        sim_expect(sim_totals_of(nodes[2]).ends <= ends + 20); /* feelers and the seed's visits */
        sim_stop_and_wait(nodes[4]);
        sim_start(nodes[4]);
        sim_run_for(net, 3 * SY_MIN);
        sim_expect(sim_peer_count(nodes[4]) >= 3);
        sim_net_del(net);
    }
}

/* What could not be saved is saved later; the old file stays whole meanwhile. */
static void disk_is_full(uint64_t seed) {
    sim_node *nodes[CROWD];
    sim_net *net = make_net(seed);
    size_t len = 0;
    size_t len_full = 0;
    make_crowd(net, nodes);
    sim_run_for(net, 3 * SY_MIN);
    sim_expect(sim_saves(nodes[1]) > 0);
    sim_expect(sim_file_read(nodes[1], "addrbook.json", &len) != NULL);

    sim_set_disk_full(nodes[1], true);
    sim_node *late = sim_node_new(net, "late");
    sim_discovery discovery;
    sim_discovery_default(&discovery);
    discovery.seeds[discovery.seed_count++] = nodes[1];
    sim_discover(late, &discovery);
    sim_start(late);
    sim_run_for(net, 5 * SY_MIN);
    sim_expect(sim_failed_saves(nodes[1]) > 0);
    sim_expect(sim_file_read(nodes[1], "addrbook.json", &len_full) != NULL);
    sim_expect_eq(len_full, len);

    sim_crash(nodes[1], SIM_CRASH_PROCESS); /* the old file is what is left, and can be read */
    sim_set_disk_full(nodes[1], false);
    sim_start(nodes[1]);
    sim_expect(book_size(nodes[1]) >= 3);
    const uint64_t saves = sim_saves(nodes[1]);
    sim_run_for(net, 5 * SY_MIN);
    sim_expect(sim_saves(nodes[1]) > saves);
    sim_expect(sim_peer_count(nodes[1]) >= 3);
    sim_net_del(net);
}

/* With its files a node needs no seed after a crash; without them it does. */
static void crash_with_and_without_files(uint64_t seed) {
    for (int lose = 0; lose < 2; lose++) {
        sim_node *nodes[CROWD];
        sim_net *net = make_net(seed);
        make_crowd(net, nodes);
        sim_run_for(net, 5 * SY_MIN);
        sim_crash(nodes[0], SIM_CRASH_HOST); /* the seed is gone for good */
        sim_crash(nodes[1], SIM_CRASH_HOST);
        for (size_t i = 2; i < CROWD; i++) {
            sim_partition(nodes[1], nodes[i]); /* nobody comes by itself */
        }
        sim_run_for(net, 5 * SY_MIN);
        if (lose == 1) {
            sim_lose_files(nodes[1]);
        }
        sim_settings(nodes[1])->max_inbound = 0; /* nobody helps */
        sim_start(nodes[1]);
        sim_expect_eq(book_size(nodes[1]) > 0, lose == 0);
        for (size_t i = 2; i < CROWD; i++) {
            sim_unblock(nodes[1], nodes[i]);
            sim_unblock(nodes[i], nodes[1]);
        }
        sim_run_for(net, SY_SEC);
        sim_expect_eq(sim_peer_count(nodes[1]) > 0, lose == 0);
        sim_net_del(net);
    }
}

int main(int argc, char **argv) {
    static const sim_scenario scenarios[] = {
        {"flip_among_peers", flip_among_peers, 60},
        {"flip_in_handshake", flip_in_handshake, 100},
        {"no_flip_in_plain", no_flip_in_plain, 2},
        {"clocks_jump", clocks_jump, 3},
        {"disk_is_full", disk_is_full, 3},
        {"crash_with_and_without_files", crash_with_and_without_files, 6},
    };
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
