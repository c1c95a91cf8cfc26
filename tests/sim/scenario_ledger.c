/* SPDX-License-Identifier: Apache-2.0 */
/* No history exceeds the admission ledger.  A hub with tight limits of every kind, and others that
 * dial it, are dialed, stopped, banned, reset, crashed, partitioned and started again, in an order
 * that the seed draws; silent connections come in between, allocations and connects fail, and the
 * limits themselves change.  After every event the ledger is compared with what is there.
 *
 * SPEC-TEST SW-14 SW-15 SW-16 SW-17 SW-18 SW-19 SW-20 */
#include <stdio.h>
#include <string.h>

#include <switchyard/filter.h>

#include "p2p/switch_internal.h"
#include "tests/sim/sim_internal.h"
#include "tests/sim/sim_scenario.h"

#define OTHERS  8
#define RAWS    4
#define STEPS   40
#define HISTORY 10 /* histories per network: a network is dear to make */

typedef struct yard {
    sim_net *net;
    sim_node *hub;
    sim_node *others[OTHERS];
    sim_raw *raws[RAWS];
    sy_settings settings; /* of the hub, as they are now */
    sy_node_id unconditional[1];
    uint64_t checks;
    uint64_t most;
} yard;

/* ---- What must hold ----------------------------------------------------------------------------
 */

static size_t class_index(const sy_peer *peer) {
    static const char *const names[] = {"inbound", "outbound", "persistent", "unconditional"};
    size_t i = 0;
    while (strcmp(names[i], sy_peer_class_text(peer)) != 0) {
        i++;
        sim_expect(i < 4);
    }
    return i;
}

/* Peers of other IDs from the same IP or prefix, of the classes that the numbers are for. */
static void check_crowd(yard *y, const sy_peer *peer) {
    size_t per_ip = 0;
    size_t per_prefix = 0;
    const sy_endpoint prefix = sy_endpoint_prefix(sy_peer_remote(peer));
    for (const sy_peer *p = sy_switch_next_peer(sim_switch(y->hub), NULL); p != NULL;
         p = sy_switch_next_peer(sim_switch(y->hub), p)) {
        const sy_endpoint other = sy_endpoint_prefix(sy_peer_remote(p));
        if (class_index(p) <= SY_PEER_OUTBOUND) {
            per_ip += sy_endpoint_same_ip(sy_peer_remote(p), sy_peer_remote(peer));
            per_prefix += sy_endpoint_equal(&other, &prefix);
        }
    }
    const sy_settings *s = &y->settings;
    sim_expect(s->max_per_ip == 0 || per_ip <= s->max_per_ip);
    sim_expect(s->max_per_prefix == 0 || per_prefix <= s->max_per_prefix);
}

static bool check(void *user) {
    yard *y = user;
    if (!sim_is_running(y->hub)) {
        return false;
    }
    const sy_switch *sw = sim_switch(y->hub);
    sy_admission_counts ledger;
    size_t peers[SY_PEER_CLASS_COUNT] = {0};
    sy_admission_get_counts(&sw->admission, &ledger);
    for (const sy_peer *p = sy_switch_next_peer(sim_switch(y->hub), NULL); p != NULL;
         p = sy_switch_next_peer(sim_switch(y->hub), p)) {
        peers[class_index(p)]++;
        if (class_index(p) <= SY_PEER_OUTBOUND) {
            check_crowd(y, p);
        }
    }
    const sy_settings *s = &y->settings;
    size_t sum = 0;
    for (size_t i = 0; i < SY_PEER_CLASS_COUNT; i++) {
        /* Who is a peer is counted; who is not one yet may be too. */
        sim_expect(peers[i] <= ledger.used[i]);
        sum += ledger.used[i];
    }
    sim_expect_eq(ledger.total_used, sum);
    sim_expect(ledger.used[SY_PEER_INBOUND] <= s->max_inbound);
    sim_expect(ledger.used[SY_PEER_OUTBOUND] <= s->max_outbound);
    sim_expect(sum <= ledger.total_limit);
    sim_expect(s->total_connections == 0 || ledger.total_limit == s->total_connections);
    y->checks++;
    y->most = sum > y->most ? sum : y->most;
    return false;
}

/* ---- What happens ------------------------------------------------------------------------------
 */

static sim_node *any(yard *y) {
    return y->others[sim_draw(y->net, OTHERS)];
}

static void revive(sim_node *node) {
    if (!sim_is_running(node)) {
        sim_start(node);
    }
}

static void dial(yard *y) {
    static const sy_dial_kind kinds[] = {SY_DIAL_ONCE, SY_DIAL_ONCE, SY_DIAL_LEARNED,
                                         SY_DIAL_PERSISTENT};
    sim_node *other = any(y);
    const bool out = sim_draw(y->net, 2) == 0;
    sim_node *from = out ? y->hub : other;
    if (sim_is_running(from)) {
        /* Of the hub's, few are persistent, or all would be in the end. */
        const sy_dial_kind kind = kinds[sim_draw(y->net, out ? 3 : 4)];
        (void)sim_try_dial(from, out ? other : y->hub,
                           out && other == y->others[0] ? SY_DIAL_PERSISTENT : kind);
    }
}

static void ban(yard *y) {
    sy_switch *sw = sim_switch(y->hub);
    sy_ban entry;
    memset(&entry, 0, sizeof entry);
    entry.rule = (sy_net_rule){.kind = SY_RULE_ID, .id = *sim_id(any(y))};
    if (sim_draw(y->net, 2) == 0) {
        const sy_err err = sy_switch_unban(sw, &entry.rule);
        sim_expect(err == SY_OK || err == SY_ERR_GONE);
        return;
    }
    entry.until.unix_ns = sy_switch_walltime(sw).unix_ns + (int64_t)(5 * SY_SEC);
    sim_expect_eq(sy_switch_ban(sw, &entry, sim_now(y->net)), SY_OK);
    sim_nudge(y->hub);
}

/* New limits hold at the end of the turn. */
static void reconfigure(yard *y) {
    sy_detail restart;
    sy_detail detail;
    sy_settings s = y->settings;
    s.max_inbound = 1 + sim_draw(y->net, 4);
    s.max_outbound = 1 + sim_draw(y->net, 3);
    s.total_connections = sim_draw(y->net, 2) == 0 ? 0 : 3 + sim_draw(y->net, 4);
    s.max_per_ip = sim_draw(y->net, 3);
    s.max_per_prefix = sim_draw(y->net, 5);
    sim_expect_eq(sy_switch_reconfigure(sim_switch(y->hub), &s, &restart, &detail, sim_now(y->net)),
                  SY_OK);
    sim_nudge(y->hub);
    sim_run_for(y->net, 100 * SY_MSEC);
    y->settings = s;
}

static void raw(yard *y) {
    sim_raw **slot = &y->raws[sim_draw(y->net, RAWS)];
    char ip[32];
    if (*slot != NULL) {
        sim_raw_close(*slot);
        *slot = NULL;
        return;
    }
    (void)snprintf(ip, sizeof ip, "10.9.%llu.7", (unsigned long long)sim_draw(y->net, 2));
    *slot = sim_raw_connect(y->net, ip, y->hub);
}

static void crash(yard *y) {
    static const sim_crash_kind kinds[] = {SIM_CRASH_PROCESS, SIM_CRASH_HOST, SIM_CRASH_MUTE};
    sim_node *other = any(y);
    if (sim_is_running(other)) {
        sim_crash(other, kinds[sim_draw(y->net, 3)]);
    }
}

static void step(yard *y) {
    sim_node *other = any(y);
    switch (sim_draw(y->net, 16)) {
    case 0:
        ban(y);
        break;
    case 1:
        if (sim_has_peer(y->hub, other)) {
            sim_stop_peer(y->hub, other, SY_ERR_STOPPED, "drawn");
        }
        break;
    case 2:
        (void)sim_reset(y->hub, other);
        break;
    case 3:
        crash(y);
        break;
    case 4:
        raw(y);
        break;
    case 5:
        sim_fail_connects(y->hub, 2);
        break;
    case 6:
        sim_fail_peer_init(y->hub, 0, 1, SY_ERR_NOMEM);
        break;
    case 7:
        sim_partition(y->hub, other);
        break;
    case 8:
        sim_heal_all(y->net);
        break;
    case 9:
        reconfigure(y);
        break;
    default:
        revive(other);
        dial(y);
        break;
    }
}

static void make_yard(yard *y, uint64_t seed) {
    sim_options options;
    memset(y, 0, sizeof *y);
    sim_options_default(&options, seed);
    options.event_max = 20000000;
    y->net = sim_net_new(&options);
    y->hub = sim_node_new(y->net, "hub");
    sim_set_profile(y->hub, "plain");
    for (size_t i = 0; i < OTHERS; i++) {
        char name[16];
        char ip[32];
        (void)snprintf(name, sizeof name, "o%zu", i);
        /* Three prefixes; the last two nodes share an IP with others. */
        const size_t host = i < 6 ? i : i - 4;
        (void)snprintf(ip, sizeof ip, "10.7.%zu.%zu", host % 3, host + 1);
        y->others[i] = sim_node_new(y->net, name);
        sim_set_profile(y->others[i], "plain");
        sim_set_ip(y->others[i], ip);
        y->others[i]->endpoint.port = (uint16_t)(SIM_PORT + i);
    }
    sy_settings *s = sim_settings(y->hub);
    s->max_inbound = 4; /* the most that is ever drawn: the simulator looks at these */
    s->max_outbound = 3;
    s->max_pending = 3;
    s->handshake_timeout = 2 * SY_SEC;
    y->unconditional[0] = *sim_id(y->others[1]);
    s->unconditional_ids = y->unconditional;
    s->unconditional_count = 1;
    y->settings = *s;
    sim_start(y->hub);
    for (size_t i = 0; i < OTHERS; i++) {
        sim_start(y->others[i]);
    }
}

static uint64_t refusals(const yard *y) {
    static const sy_err codes[] = {SY_ERR_ADMIT_FULL, SY_ERR_ADMIT_TOTAL, SY_ERR_ADMIT_IP,
                                   SY_ERR_ADMIT_PREFIX};
    uint64_t count = 0;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        count += sy_switch_ended_count(sim_switch(y->hub), SY_STAGE_IDENTITY, codes[i]);
    }
    return count;
}

static void histories(uint64_t seed) {
    static yard y;
    make_yard(&y, seed);
    for (size_t i = 0; i < HISTORY * STEPS; i++) {
        step(&y);
        (void)sim_wait(y.net, check, &y, sim_draw_duration(y.net, SY_MSEC, 700 * SY_MSEC));
        if (i % STEPS == STEPS - 1) { /* everything and everybody is well again */
            sim_heal_all(y.net);
            for (size_t k = 0; k < OTHERS; k++) {
                revive(y.others[k]);
            }
            (void)sim_wait(y.net, check, &y, 3 * SY_SEC);
        }
    }
    sim_expect(y.checks > 1000);
    sim_expect(y.most >= 3);
    sim_expect(refusals(&y) >= 5); /* or nothing was ever full */
    for (size_t i = 0; i < RAWS; i++) {
        if (y.raws[i] != NULL) {
            sim_raw_close(y.raws[i]);
        }
    }
    sim_net_del(y.net);
}

static const sim_scenario scenarios[] = {
    {"histories", histories, 200},
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
