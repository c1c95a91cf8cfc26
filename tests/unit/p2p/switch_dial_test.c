/* SPDX-License-Identifier: Apache-2.0 */
/* Dialing from outside, the driver's reports at the wrong moment, sinks, and the walk over peers.
 */
#include <criterion/criterion.h>

#include <string.h>

#include "p2p/switch_internal.h"
#include "tests/sim/sim_internal.h"

typedef struct couple {
    sim_net *net;
    sim_node *a;
    sim_node *b;
} couple;

static couple open_couple(void) {
    sim_options options;
    sim_options_default(&options, 1);
    couple c = {.net = sim_net_new(&options)};
    c.a = sim_node_new(c.net, "a");
    c.b = sim_node_new(c.net, "b");
    return c;
}

Test(switch_dial, answers_are_exact) {
    couple c = open_couple();
    sy_switch *sw = NULL;
    sy_addr addr;
    char id[SY_NODE_ID_TEXT_CAP];
    char text[SY_ADDR_TEXT_CAP];
    sy_node_id_format(sim_id(c.b), id);
    (void)snprintf(text, sizeof text, "%s@10.0.0.2:26656", id);
    cr_assert_eq(sy_addr_parse(text, strlen(text), SY_ADDR_ID_REQUIRED, &addr, NULL), SY_OK);
    cr_assert_eq(sy_switch_new(sim_settings(c.a), &sim_driver_ops, c.a, &sw, NULL), SY_OK);
    cr_expect_eq(sy_switch_dial(sw, &addr, SY_DIAL_ONCE, sim_now(c.net)), SY_ERR_STATE);
    sy_switch_del(sw);

    sim_start(c.a);
    sim_start(c.b);
    sim_dial(c.a, c.b, SY_DIAL_ONCE);
    cr_assert(sim_wait_until_connected(c.a, c.b, SY_SEC));
    cr_expect_eq(sim_try_dial(c.a, c.b, SY_DIAL_ONCE), SY_ERR_DUPLICATE_ID); /* SPEC-TEST SW-36 */
    cr_expect_eq(sim_try_dial(c.a, c.b, SY_DIAL_PERSISTENT), SY_OK);
    cr_expect_eq(sim_totals_of(c.a).dials, 1);
    cr_expect_eq(sim_try_dial(c.a, c.a, SY_DIAL_ONCE), SY_ERR_SELF);
    sim_net_del(c.net);
}

/* What the other side sees of us.  SPEC-TEST NI-20 NI-44 */
Test(switch_dial, the_advertised_address) {
    static const struct {
        const char *name;
        const char *ip;
        const char *wildcard; /* NULL: listens at its IP */
        const char *configured;
        const char *before;
        const char *after; /* the first outgoing connection */
    } rows[] = {
        {"its own IP", "20.1.2.3", NULL, NULL, "20.1.2.3:26656", "20.1.2.3:26656"},
        {"wildcard, routable", "20.1.2.3", "0.0.0.0", NULL, "0.0.0.0:26656", "20.1.2.3:26656"},
        {"wildcard, private", "10.1.2.3", "0.0.0.0", NULL, "0.0.0.0:26656", "0.0.0.0:26656"},
        {"wildcard, loopback", "127.0.0.1", "0.0.0.0", NULL, "0.0.0.0:26656", "0.0.0.0:26656"},
        {"wildcard, configured", "20.1.2.3", "0.0.0.0", "me.example:1", "me.example:1",
         "me.example:1"},
        {"wildcard of IPv6, IPv4", "20.1.2.3", "::", NULL, "[::]:26656", "20.1.2.3:26656"},
        {"wildcard of IPv6", "2a00::7", "::", NULL, "[::]:26656", "[2a00::7]:26656"},
        {"wildcard of IPv4, from IPv6", "2a00::7", "0.0.0.0", NULL, "0.0.0.0:26656",
         "0.0.0.0:26656"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        couple c = open_couple();
        sim_set_ip(c.a, rows[i].ip);
        if (rows[i].wildcard != NULL) {
            sim_set_wildcard(c.a, rows[i].wildcard);
        }
        sim_settings(c.a)->listen_addr = rows[i].configured;
        sim_start(c.a);
        sim_start(c.b);
        cr_expect_str_eq(sy_switch_listen_addr(sim_switch(c.a)), rows[i].before, "%s",
                         rows[i].name);
        sim_dial(c.a, c.b, SY_DIAL_ONCE);
        sim_run_for(c.net, 6 * SY_SEC); /* a name is looked up */
        cr_expect_str_eq(sy_switch_listen_addr(sim_switch(c.a)), rows[i].after, "%s", rows[i].name);
        const sy_peer *seen = sy_switch_peer_by_id(sim_switch(c.b), sim_id(c.a));
        if (rows[i].configured == NULL) { /* that name does not exist */
            cr_assert_not_null(seen, "%s", rows[i].name);
            const sy_text said = sy_peer_info(seen)->listen_addr;
            cr_expect_eq(said.len, strlen(rows[i].after), "%s", rows[i].name);
            cr_expect_eq(memcmp(said.data, rows[i].after, said.len), 0, "%s", rows[i].name);
        }
        sim_net_del(c.net);
    }
}

/* IPv4 wins over IPv6, and a new IP of the same family over the old one.  SPEC-TEST NI-44 */
Test(switch_dial, the_advertised_address_follows) {
    static const struct {
        const char *local;
        const char *want;
    } rows[] = {
        {"2a00::7", "[2a00::7]:26656"},    {"fe80::1", "[2a00::7]:26656"},
        {"2a00::8", "[2a00::8]:26656"},    {"20.1.2.3", "20.1.2.3:26656"},
        {"2a00::7", "20.1.2.3:26656"},     {"20.1.2.4", "20.1.2.4:26656"},
        {"192.168.1.1", "20.1.2.4:26656"},
    };
    couple c = open_couple();
    sim_set_wildcard(c.a, "::");
    sim_start(c.a);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_endpoint local;
        cr_assert_eq(sy_endpoint_parse_ip(rows[i].local, strlen(rows[i].local), &local), SY_OK);
        local.port = 50000;
        sy_own_addr_on_connected(sim_switch(c.a), &local);
        cr_expect_str_eq(sy_switch_listen_addr(sim_switch(c.a)), rows[i].want, "row %zu", i);
    }
    sim_net_del(c.net);
}

/* Made persistent while connected: dialed again when the connection ends; forgotten: not. */
Test(switch_dial, a_peer_becomes_persistent_and_is_forgotten) {
    couple c = open_couple();
    sim_start(c.a);
    sim_start(c.b);
    sim_dial(c.b, c.a, SY_DIAL_ONCE);
    cr_assert(sim_wait_until_connected(c.a, c.b, SY_SEC));
    sim_dial(c.a, c.b, SY_DIAL_PERSISTENT);
    sim_stop_peer(c.b, c.a, SY_ERR_STOPPED, "go");
    cr_expect(sim_wait_until_connected(c.a, c.b, 3 * SY_SEC));
    sim_run_for(c.net, SY_SEC);
    cr_expect(sim_are_connected(c.a, c.b));

    cr_expect_eq(sy_switch_forget(sim_switch(c.a), sim_id(c.b), sim_now(c.net)), SY_OK);
    cr_expect_eq(sy_switch_forget(sim_switch(c.a), sim_id(c.b), sim_now(c.net)), SY_ERR_GONE);
    cr_expect(sim_are_connected(c.a, c.b), "the connection stays");
    const uint64_t dials = sim_totals_of(c.a).dials;
    sim_stop_peer(c.b, c.a, SY_ERR_STOPPED, "go");
    sim_run_for(c.net, 10 * SY_MIN);
    cr_expect_eq(sim_totals_of(c.a).dials, dials);
    cr_expect_eq(sim_peer_count(c.a), 0);
    sim_net_del(c.net);
}

/* Waiting for a minute; then the operator says now. */
Test(switch_dial, a_persistent_peer_in_back_off_is_dialed_at_once_when_asked) {
    couple c = open_couple();
    sim_start(c.a);
    sim_dial(c.a, c.b, SY_DIAL_PERSISTENT);
    sim_run_for(c.net, 20 * SY_MIN);
    sim_start(c.b);
    const uint64_t dials = sim_totals_of(c.a).dials;
    cr_expect_eq(sim_try_dial(c.a, c.b, SY_DIAL_ONCE), SY_OK);
    cr_expect(sim_wait_until_connected(c.a, c.b, SY_SEC));
    cr_expect_eq(sim_totals_of(c.a).dials, dials + 1);
    sim_net_del(c.net);
}

Test(switch_dial, reports_for_names_that_are_gone_are_ignored) {
    couple c = open_couple();
    sim_start(c.a);
    sy_switch *sw = sim_switch(c.a);
    const sy_time now = sim_now(c.net);
    const sy_stream_ref never = {7, 3};
    const sy_stream_ref beyond = {1u << 20, 1};
    const uint8_t byte = 0;
    sy_endpoint endpoint = *sim_endpoint(c.b);
    const sy_stream_ref refs[] = {never, beyond};
    for (size_t i = 0; i < 2; i++) {
        cr_expect_not(sy_switch_on_readable(sw, refs[i], &byte, 1, now));
        sy_switch_on_connected(sw, refs[i], &endpoint, now);
        sy_switch_on_connect_failed(sw, refs[i], SY_ERR_CONNECT, NULL, now);
        sy_switch_on_read_dry(sw, refs[i], now);
        sy_switch_on_read_end(sw, refs[i], SY_ERR_REMOTE_RESET, now);
        sy_switch_on_writable(sw, refs[i], now);
    }
    const sy_resolve_ref lookups[] = {{0, 0}, {0, 1}, {1u << 20, 1}};
    for (size_t i = 0; i < 3; i++) {
        sy_switch_on_resolved(sw, lookups[i], SY_OK, &endpoint, 1, NULL, now);
    }
    sy_switch_counts counts;
    sy_switch_get_counts(sw, &counts);
    cr_expect_eq(counts.ended, 0);
    sim_net_del(c.net);
}

/* SPEC-TEST SW-55: nothing new once it stops. */
Test(switch_dial, a_stopping_switch_takes_nobody) {
    couple c = open_couple();
    sim_start(c.a);
    sim_start(c.b);
    sim_dial(c.a, c.b, SY_DIAL_ONCE);
    cr_assert(sim_wait_until_connected(c.a, c.b, SY_SEC));
    sim_partition(c.a, c.b); /* so that it lingers */
    sim_stop(c.a);
    sim_run_for(c.net, SY_SEC);
    cr_assert(sim_is_running(c.a));

    sy_stream_ref ref;
    int stream = 0;
    cr_expect_eq(sy_switch_on_accepted(sim_switch(c.a), &stream, sim_endpoint(c.a),
                                       sim_endpoint(c.b), &ref, sim_now(c.net)),
                 SY_ERR_SHUTDOWN);
    cr_expect_eq(sim_try_dial(c.a, c.b, SY_DIAL_ONCE), SY_ERR_STATE);
    cr_expect_eq(sy_switch_listen(sim_switch(c.a), sim_endpoint(c.a), NULL, NULL), SY_ERR_STATE);
    sim_stop_and_wait(c.a); /* within linger_timeout, though nothing is heard: SPEC-TEST SW-56 */
    sim_net_del(c.net);
}

/* A channel that is only announced makes a common channel; what comes on it goes nowhere. */
Test(switch_dial, a_sink_is_announced_and_swallows) {
    static const uint8_t only_50[] = {0x50};
    static const uint8_t only_60[] = {0x60};
    couple c = open_couple();
    sim_set_channels(c.a, 0, only_50, 1);
    sim_set_channels(c.a, 1, NULL, 0);
    sim_set_channels(c.b, 0, only_60, 1);
    sim_set_channels(c.b, 1, NULL, 0);
    sim_settings(c.b)->extra_channels = only_50;
    sim_settings(c.b)->extra_channel_count = 1;
    sim_start(c.a);
    sim_start(c.b);
    sim_dial(c.a, c.b, SY_DIAL_ONCE);
    cr_assert(sim_wait_until_connected(c.a, c.b, SY_SEC));
    cr_expect_eq(sim_send(c.a, c.b, 0x50, 100000), SY_SEND_QUEUED);
    sim_run_for(c.net, 2 * SY_MIN);
    cr_expect(sim_are_connected(c.a, c.b));
    cr_expect_eq(sim_totals_of(c.b).delivered, 0);
    sim_net_del(c.net);
}

Test(switch_dial, peers_are_walked_in_order_of_arrival) {
    couple c = open_couple();
    sim_node *more[6];
    static const char *const names[6] = {"p0", "p1", "p2", "p3", "p4", "p5"};
    sim_start(c.a);
    for (size_t i = 0; i < 6; i++) {
        more[i] = sim_node_new(c.net, names[i]);
        sim_start(more[i]);
        sim_dial(more[i], c.a, SY_DIAL_ONCE);
        cr_assert(sim_wait_until_connected(more[i], c.a, SY_SEC));
    }
    sim_stop_peer(c.a, more[2], SY_ERR_STOPPED, "gap");
    size_t expected[] = {0, 1, 3, 4, 5};
    size_t count = 0;
    for (sy_peer *p = sy_switch_next_peer(sim_switch(c.a), NULL); p != NULL;
         p = sy_switch_next_peer(sim_switch(c.a), p)) {
        cr_assert_lt(count, 5);
        cr_expect(sy_node_id_equal(sy_peer_id(p), sim_id(more[expected[count]])), "peer %zu",
                  count);
        count++;
    }
    cr_expect_eq(count, 5);

    /* A broadcast spares the one that is excepted. */
    size_t full;
    sim_run_for(c.net, SY_SEC);
    sy_peer *first = sy_switch_peer_by_id(sim_switch(c.a), sim_id(more[0]));
    const sy_channel channel = sy_switch_channel(sim_switch(c.a), 0x20);
    cr_expect_eq(sy_switch_broadcast(sim_switch(c.a), channel, "m", 1, first, &full), 4);
    sim_crash(c.a, SIM_CRASH_HOST); /* it was not sent through the simulator's books */
    sim_net_del(c.net);
}
