/* SPDX-License-Identifier: Apache-2.0 */
/* Filters and bans on running switches. */
#include <string.h>

#include <switchyard/filter.h>

#include "tests/sim/sim_scenario.h"

typedef struct pair {
    sim_net *net;
    sim_node *alice; /* dials */
    sim_node *bob;   /* decides */
} pair;

static pair make_pair(uint64_t seed) {
    sim_options options;
    sim_options_default(&options, seed);
    pair p = {.net = sim_net_new(&options)};
    p.alice = sim_node_new(p.net, "alice");
    p.bob = sim_node_new(p.net, "bob");
    sim_start(p.alice);
    sim_start(p.bob);
    return p;
}

static sy_net_rule rule_of_address(const sim_node *node) {
    char text[SY_ENDPOINT_TEXT_CAP];
    sy_net_rule rule;
    const size_t len = sy_endpoint_format(sim_endpoint(node), text);
    const char *colon = memchr(text, ':', len);
    sim_expect_eq(sy_net_rule_parse(text, (size_t)(colon - text), &rule, NULL), SY_OK);
    return rule;
}

static sy_net_rule rule_of_id(const sim_node *node) {
    return (sy_net_rule){.kind = SY_RULE_ID, .id = *sim_id(node)};
}

static void set_lists(const pair *p, const sy_net_rule *allow, const sy_net_rule *deny) {
    const sy_filter_settings lists = {
        .allow = allow, .allow_count = allow != NULL, .deny = deny, .deny_count = deny != NULL};
    sim_expect_eq(sy_switch_set_filter(sim_switch(p->bob), &lists, sim_now(p->net)), SY_OK);
    sim_nudge(p->bob);
}

static uint64_t refused(const pair *p, sy_stage stage, sy_err code) {
    return sy_switch_ended_count(sim_switch(p->bob), stage, code);
}

/* SPEC-TEST FL-04 FL-05 FL-08 FL-09 */
static void run_lists(uint64_t seed) {
    pair p = make_pair(seed);
    const sy_net_rule address = rule_of_address(p.alice);
    const sy_net_rule id = rule_of_id(p.alice);
    const sy_net_rule other = rule_of_id(p.bob);

    set_lists(&p, NULL, &address);
    sim_dial(p.alice, p.bob, SY_DIAL_PERSISTENT);
    sim_run_for(p.net, 20 * SY_SEC);
    sim_expect(refused(&p, SY_STAGE_CONNECT, SY_ERR_FILTERED) >= 3);
    sim_expect(!sim_has_peer(p.bob, p.alice));

    set_lists(&p, NULL, &id);
    sim_run_for(p.net, 2 * SY_MIN);
    sim_expect(refused(&p, SY_STAGE_IDENTITY, SY_ERR_FILTERED) >= 1);
    sim_expect(!sim_has_peer(p.bob, p.alice));

    set_lists(&p, &id, NULL);
    sim_expect(sim_wait_until_connected(p.alice, p.bob, 3 * SY_MIN));

    set_lists(&p, &other, NULL);
    sim_run_for(p.net, SY_SEC);
    sim_expect(!sim_has_peer(p.bob, p.alice));
    sim_expect_eq(refused(&p, SY_STAGE_OPEN, SY_ERR_FILTERED), 1);

    set_lists(&p, NULL, NULL);
    sim_expect(sim_wait_until_connected(p.alice, p.bob, 3 * SY_MIN));
    sim_net_del(p.net);
}

/* SPEC-TEST FL-04 FL-08: the one who denies does not dial either, as far as bytes go. */
static void run_dialing(uint64_t seed) {
    pair p = make_pair(seed);
    const sy_net_rule id = rule_of_id(p.alice);
    set_lists(&p, NULL, &id);
    sim_dial(p.bob, p.alice, SY_DIAL_PERSISTENT);
    sim_run_for(p.net, 20 * SY_SEC);
    sim_expect(refused(&p, SY_STAGE_CONNECT, SY_ERR_FILTERED) >= 3);
    set_lists(&p, NULL, NULL);
    sim_expect(sim_wait_until_connected(p.alice, p.bob, 3 * SY_MIN));
    sim_net_del(p.net);
}

/* SPEC-TEST FL-08 FL-09 FL-10 FL-12: a ban ends a peer, lasts, survives a restart, and expires. */
static void run_bans(uint64_t seed) {
    char text[4096];
    pair p = make_pair(seed);
    sim_dial(p.alice, p.bob, SY_DIAL_PERSISTENT);
    sim_expect(sim_wait_until_connected(p.alice, p.bob, 30 * SY_SEC));

    sy_ban ban = {.rule = rule_of_id(p.alice), .reason = "for a test"};
    ban.until = sy_switch_walltime(sim_switch(p.bob));
    sim_expect_eq(sy_switch_ban(sim_switch(p.bob), &ban, sim_now(p.net)), SY_ERR_INVALID);
    ban.until.unix_ns += INT64_C(300) * 1000000000;
    sim_expect_eq(sy_switch_ban(sim_switch(p.bob), &ban, sim_now(p.net)), SY_OK);
    sim_nudge(p.bob);
    sim_run_for(p.net, 100 * SY_SEC);
    sim_expect(!sim_has_peer(p.bob, p.alice));
    sim_expect_eq(refused(&p, SY_STAGE_OPEN, SY_ERR_BANNED), 1);
    sim_expect(refused(&p, SY_STAGE_IDENTITY, SY_ERR_BANNED) >= 2);

    const size_t len = sy_switch_bans_encode(sim_switch(p.bob), text, sizeof text);
    sim_expect(len > 0 && len < sizeof text);
    sim_stop_and_wait(p.bob);
    sim_start(p.bob);
    sim_expect_eq(sy_switch_bans_decode(sim_switch(p.bob), text, len, NULL, sim_now(p.net)), SY_OK);
    sim_expect(sy_switch_ban_at(sim_switch(p.bob), 0) != NULL);
    sim_expect(sy_switch_ban_at(sim_switch(p.bob), 1) == NULL);
    sim_run_for(p.net, 150 * SY_SEC);
    sim_expect(!sim_has_peer(p.bob, p.alice));
    sim_expect(sim_wait_until_connected(p.alice, p.bob, 3 * SY_MIN));
    sim_expect(sy_switch_ban_at(sim_switch(p.bob), 0) == NULL);
    sim_expect_eq(sy_switch_unban(sim_switch(p.bob), &ban.rule), SY_ERR_GONE);
    sim_net_del(p.net);
}

static const sim_scenario scenarios[] = {
    {"lists", run_lists, 5},
    {"dialing", run_dialing, 5},
    {"bans", run_bans, 5},
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
