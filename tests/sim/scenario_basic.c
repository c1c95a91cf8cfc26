/* SPDX-License-Identifier: Apache-2.0 */
/* Good weather: nodes connect, talk, ping and stop. */
#include "tests/sim/sim_scenario.h"

static const char *const profiles[] = {"plain", "tendermint", "cometbft"};
static const uint8_t channels[] = {0x20, 0x21, 0x40, 0x80};
static const size_t sizes[] = {0, 1, 1023, 1024, 1025, 65536, 1 << 20};

#define PROFILE_COUNT (sizeof profiles / sizeof profiles[0])
#define CHANNEL_COUNT (sizeof channels / sizeof channels[0])
#define SIZE_COUNT    (sizeof sizes / sizeof sizes[0])
#define MESSAGE_COUNT (CHANNEL_COUNT * SIZE_COUNT)

/* Half of the seeds run on a network that cuts everything into small pieces. */
static sim_net *make_net(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    if (seed % 2 == 0) {
        options.piece_max = 1 + seed * 7;
        options.read_max = 1 + seed * 13;
        options.buffer_min = 2000;
        options.buffer_max = 20000;
    }
    return sim_net_new(&options);
}

static void post_everything(sim_node *from, const sim_node *to) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        for (size_t k = 0; k < CHANNEL_COUNT; k++) {
            sim_post(from, to, channels[k], sizes[i]);
        }
    }
}

typedef struct delivery {
    sim_node *node;
    uint64_t count;
} delivery;

static bool has_delivered(void *user) {
    const delivery *d = user;
    return sim_totals_of(d->node).delivered >= d->count;
}

static void expect_delivered(sim_node *node, uint64_t count, sy_duration within) {
    delivery d = {node, count};
    if (!sim_wait(sim_net_of(node), has_delivered, &d, within)) {
        sim_fail("%s: %llu of %llu messages were delivered", sim_name_of(node),
                 (unsigned long long)sim_totals_of(node).delivered, (unsigned long long)count);
    }
}

/* SPEC-TEST SW-54 */
static void two_nodes(uint64_t seed, const char *profile) {
    sim_net *net = make_net(seed);
    sim_node *alice = sim_node_new(net, "alice");
    sim_node *bob = sim_node_new(net, "bob");
    sim_set_profile(alice, profile);
    sim_set_profile(bob, profile);
    sim_start(alice);
    sim_start(bob);
    sim_dial(alice, bob, SY_DIAL_PERSISTENT);
    sim_expect(sim_wait_until_connected(alice, bob, 10 * SY_SEC));

    post_everything(alice, bob);
    post_everything(bob, alice);
    expect_delivered(alice, MESSAGE_COUNT, 5 * SY_MIN);
    expect_delivered(bob, MESSAGE_COUNT, 5 * SY_MIN);

    sim_run_for(net, 10 * SY_MIN);
    sim_expect(sim_are_connected(alice, bob));
    sim_expect(sim_totals_of(alice).pongs >= 9);
    sim_expect(sim_totals_of(bob).pongs >= 9);
    sim_expect_eq(sim_totals_of(alice).ends, 0);

    /* What is queued before an orderly stop still arrives. */
    for (size_t k = 0; k < CHANNEL_COUNT; k++) {
        sim_expect_eq(sim_send(alice, bob, channels[k], 3000), SY_SEND_QUEUED);
    }
    sim_stop_and_wait(alice);
    expect_delivered(bob, MESSAGE_COUNT + CHANNEL_COUNT, 5 * SY_SEC);
    sim_run_for(net, SY_SEC);
    sim_expect_eq(sim_peer_count(bob), 0);
    sim_expect_end(bob, SY_STAGE_OPEN, SY_ERR_REMOTE_CLOSED, NULL);
    sim_net_del(net);
}

static void two_nodes_of_each_profile(uint64_t seed) {
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        two_nodes(seed, profiles[i]);
    }
}

static void four_nodes(uint64_t seed) {
    sim_net *net = make_net(seed);
    static const char *const names[] = {"ann", "ben", "cat", "dan"};
    sim_node *node[4];
    for (size_t i = 0; i < 4; i++) {
        node[i] = sim_node_new(net, names[i]);
        sim_set_profile(node[i], profiles[seed % PROFILE_COUNT]);
        for (size_t k = 0; k < i; k++) {
            sim_dial(node[i], node[k], SY_DIAL_PERSISTENT);
        }
        sim_start(node[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < i; k++) {
            sim_expect(sim_wait_until_connected(node[i], node[k], 10 * SY_SEC));
        }
    }
    for (size_t i = 0; i < 4; i++) {
        size_t full;
        sim_expect_eq(sim_broadcast(node[i], 0x80, 5000, &full), 3);
        sim_expect_eq(full, 0);
    }
    for (size_t i = 0; i < 4; i++) {
        expect_delivered(node[i], 3, SY_MIN);
    }
    sim_net_del(net);
}

int main(int argc, char **argv) {
    static const sim_scenario scenarios[] = {
        {"two_nodes_of_each_profile", two_nodes_of_each_profile, 6},
        {"four_nodes", four_nodes, 12},
    };
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
