/* SPDX-License-Identifier: Apache-2.0 */
/* Reactors: registration, start and stop, clock work, and what they may do to peers. */
#include <criterion/criterion.h>

#include <string.h>

#include "p2p/switch_internal.h"
#include "tests/sim/sim_internal.h"

/* ---- Registration ------------------------------------------------------------------------------
 */

static const sy_channel_desc ch_30 = {.id = 0x30};
static const sy_channel_desc ch_30_31[] = {{.id = 0x30}, {.id = 0x31}};
static const sy_channel_desc ch_20 = {.id = 0x20}; /* of the recording reactor alpha */
static const sy_channel_desc ch_twice[] = {{.id = 0x33}, {.id = 0x33}};

static sy_reactor_ops ops_of(const char *name, const sy_channel_desc *channels, size_t count) {
    return (sy_reactor_ops){
        .size = sizeof(sy_reactor_ops), .name = name, .channels = channels, .channel_count = count};
}

static sim_net *make_net(void) {
    sim_options options;
    sim_options_default(&options, 1);
    return sim_net_new(&options);
}

/* SPEC-TEST SW-45 */
Test(switch_reactor, registration_is_refused_with_its_cause) {
    sim_net *net = make_net();
    sim_node *node = sim_node_new(net, "node");
    sy_switch *sw = NULL;
    sy_detail detail;
    int r = 0;
    cr_assert_eq(sy_switch_new(sim_settings(node), &sim_driver_ops, node, &sw, NULL), SY_OK);

    const sy_reactor_ops first = ops_of("first", ch_30_31, 2);
    cr_expect_eq(sy_switch_add_reactor(sw, &first, &r, &detail), SY_OK);
    const sy_reactor_ops same_name = ops_of("first", &ch_20, 1);
    cr_expect_eq(sy_switch_add_reactor(sw, &same_name, &r, &detail), SY_ERR_INVALID);
    cr_expect_not_null(strstr(detail.text, "first"));
    const sy_reactor_ops same_channel = ops_of("second", &ch_30, 1);
    cr_expect_eq(sy_switch_add_reactor(sw, &same_channel, &r, &detail), SY_ERR_CHANNEL_TAKEN);
    cr_expect_not_null(strstr(detail.text, "0x30"));
    const sy_reactor_ops twice = ops_of("third", ch_twice, 2);
    cr_expect_eq(sy_switch_add_reactor(sw, &twice, &r, &detail), SY_ERR_CHANNEL_TAKEN);
    const sy_reactor_ops no_name = ops_of("", &ch_20, 1);
    cr_expect_eq(sy_switch_add_reactor(sw, &no_name, &r, &detail), SY_ERR_INVALID);
    sy_reactor_ops no_size = ops_of("fourth", &ch_20, 1);
    no_size.size = 0;
    cr_expect_eq(sy_switch_add_reactor(sw, &no_size, &r, &detail), SY_ERR_INVALID);

    /* Nothing of a refused one has stayed. */
    const sy_reactor_ops good = ops_of("third", &ch_20, 1);
    cr_expect_eq(sy_switch_add_reactor(sw, &good, &r, &detail), SY_OK);
    cr_expect_eq(sy_switch_channel(sw, 0x33), SY_NO_CHANNEL);
    cr_expect_eq(sy_switch_channel_id(sw, sy_switch_channel(sw, 0x20)), 0x20);
    cr_expect_eq(sy_switch_channel_id(sw, sy_switch_channel(sw, 0x31)), 0x31);

    cr_expect_eq(sy_switch_start(sw, sim_now(net)), SY_OK);
    cr_expect_eq(sy_switch_start(sw, sim_now(net)), SY_ERR_STATE);
    const sy_reactor_ops late = ops_of("late", NULL, 0);
    cr_expect_eq(sy_switch_add_reactor(sw, &late, &r, &detail), SY_ERR_STATE);
    sy_switch_del(sw);
    sim_net_del(net);
}

Test(switch_reactor, thirty_two_are_the_limit) {
    sim_net *net = make_net();
    sim_node *node = sim_node_new(net, "node");
    sy_switch *sw = NULL;
    char names[SY_REACTORS_MAX + 1][16];
    sy_reactor_ops ops[SY_REACTORS_MAX + 1];
    cr_assert_eq(sy_switch_new(sim_settings(node), &sim_driver_ops, node, &sw, NULL), SY_OK);
    for (size_t i = 0; i <= SY_REACTORS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "r%zu", i);
        ops[i] = ops_of(names[i], NULL, 0);
        cr_expect_eq(sy_switch_add_reactor(sw, &ops[i], &ops[i], NULL),
                     i < SY_REACTORS_MAX ? SY_OK : SY_ERR_INVALID, "reactor %zu", i);
    }
    sy_switch_del(sw);
    sim_net_del(net);
}

/* ---- A reactor with a script -------------------------------------------------------------------
 */

typedef struct probe {
    sy_switch *sw;
    sy_channel channel;
    sy_err start_result;
    int starts;
    int stops;
    int expiries;
    sy_time due_at;
    sy_duration period;
    sy_time last_expiry;
    int received;
    int removed;
    sy_reason removed_reason;
    bool stop_on_receive;
    bool stop_on_added;
    sy_err stop_in_init; /* SY_OK: no */
    sy_err init_result;
    int inits;
    int finis;
    int addeds;
    bool reply;
    sy_peer_ref last;
    sy_send_result last_send;
} probe;

static sy_err probe_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    probe *p = reactor;
    (void)now;
    p->sw = sw;
    p->channel = channels[0];
    p->starts++;
    return p->start_result;
}

static void probe_stop(void *reactor, sy_time now) {
    (void)now;
    ((probe *)reactor)->stops++;
}

static sy_err probe_init(void *reactor, sy_peer *peer, void *state, sy_time now) {
    probe *p = reactor;
    (void)state;
    (void)now;
    p->inits++;
    if (p->stop_in_init != SY_OK) {
        sy_peer_stop(peer, p->stop_in_init, "not even begun");
    }
    return p->init_result;
}

static void probe_fini(void *reactor, sy_peer *peer, void *state) {
    (void)peer;
    (void)state;
    ((probe *)reactor)->finis++;
}

static void probe_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    probe *p = reactor;
    (void)state;
    (void)now;
    p->addeds++;
    p->last = sy_peer_ref_of(peer);
    if (p->stop_on_added) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "not wanted");
        cr_expect_eq(sy_peer_send(peer, p->channel, "x", 1), SY_SEND_REFUSED);
    }
}

static void probe_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                          sy_time now) {
    probe *p = reactor;
    (void)peer;
    (void)state;
    (void)now;
    p->removed++;
    p->removed_reason = *reason;
}

/* SPEC-TEST SW-52: a peer that is stopped in a callback can be used until the callback returns. */
static void probe_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                          const uint8_t *data, size_t len, sy_time now) {
    probe *p = reactor;
    (void)state;
    (void)now;
    p->received++;
    cr_expect_eq(channel, p->channel);
    if (p->reply) {
        p->last_send = sy_peer_send(peer, channel, data, len);
    }
    if (p->stop_on_receive) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "first");
        sy_peer_stop(peer, SY_ERR_STOPPED, "second");
        cr_expect_eq(sy_peer_id(peer)->bytes[0], sy_peer_id(peer)->bytes[0]);
        cr_expect_gt(sy_peer_info(peer)->network.len, 0);
        cr_expect_str_neq(sy_peer_profile(peer), "");
        p->last_send = sy_peer_send(peer, channel, data, len);
    }
}

static sy_time probe_next_expiry(void *reactor) {
    return ((probe *)reactor)->due_at;
}

static void probe_on_expiry(void *reactor, sy_time now) {
    probe *p = reactor;
    cr_expect_geq(now, p->due_at);
    p->expiries++;
    p->last_expiry = now;
    p->due_at = p->period == 0 ? SY_NEVER : now + p->period;
}

static const sy_channel_desc probe_channel = {
    .id = 0x77, .recv_message_max = 100, .send_queue_max = 2};

static const sy_reactor_ops probe_ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "probe",
    .channels = &probe_channel,
    .channel_count = 1,
    .start = probe_start,
    .stop = probe_stop,
    .peer_init = probe_init,
    .peer_fini = probe_fini,
    .peer_added = probe_added,
    .peer_removed = probe_removed,
    .receive = probe_receive,
    .next_expiry = probe_next_expiry,
    .on_expiry = probe_on_expiry,
};

typedef struct couple {
    sim_net *net;
    sim_node *a;
    sim_node *b;
    probe at_a;
    probe at_b;
} couple;

static void open_couple(couple *c) {
    *c = (couple){.net = make_net(), .at_a = {.due_at = SY_NEVER}, .at_b = {.due_at = SY_NEVER}};
    c->a = sim_node_new(c->net, "a");
    c->b = sim_node_new(c->net, "b");
    sim_add_reactor(c->a, &probe_ops, &c->at_a);
    sim_add_reactor(c->b, &probe_ops, &c->at_b);
}

static void connect_couple(couple *c) {
    sim_start(c->a);
    sim_start(c->b);
    sim_dial(c->a, c->b, SY_DIAL_ONCE);
    cr_assert(sim_wait_until_connected(c->a, c->b, SY_SEC));
}

static sy_peer *peer_at_a(couple *c) {
    return sy_switch_peer_by_id(sim_switch(c->a), sim_id(c->b));
}

static sy_send_result send_from_a(couple *c, const char *text, size_t len) {
    const sy_send_result result = sy_peer_send(peer_at_a(c), c->at_a.channel, text, len);
    sim_wake(c->a, sim_now(c->net));
    return result;
}

Test(switch_reactor, a_failing_start_stops_those_before) {
    couple c;
    open_couple(&c);
    probe second = {.due_at = SY_NEVER, .start_result = SY_ERR_IO};
    static const sy_channel_desc channel = {.id = 0x78};
    sy_reactor_ops ops = probe_ops;
    ops.name = "second";
    ops.channels = &channel;
    sim_add_reactor(c.a, &ops, &second);

    cr_expect_eq(sim_try_start(c.a), SY_ERR_IO);

    cr_expect_eq(c.at_a.starts, 1);
    cr_expect_eq(c.at_a.stops, 1);
    cr_expect_eq(second.starts, 1);
    cr_expect_eq(second.stops, 0, "it never started");
    sim_net_del(c.net);
}

Test(switch_reactor, clock_work_runs_when_due_and_follows_changes) {
    couple c;
    open_couple(&c);
    c.at_a.due_at = sim_now(c.net) + 3 * SY_SEC;
    c.at_a.period = 10 * SY_SEC;
    sim_start(c.a);
    sim_run_for(c.net, 2 * SY_SEC);
    cr_expect_eq(c.at_a.expiries, 0);
    sim_run_for(c.net, 2 * SY_SEC);
    cr_expect_eq(c.at_a.expiries, 1);
    sim_run_for(c.net, 97 * SY_SEC);
    cr_expect_eq(c.at_a.expiries, 10);

    /* Changed from outside: nobody looks until it is said. */
    c.at_a.due_at = sim_now(c.net) + SY_SEC;
    sy_switch_reactor_touch(sim_switch(c.a), &c.at_a);
    sim_wake(c.a, sim_now(c.net));
    sim_run_for(c.net, 2 * SY_SEC);
    cr_expect_eq(c.at_a.expiries, 11);
    c.at_a.due_at = SY_NEVER;
    sy_switch_reactor_touch(sim_switch(c.a), &c.at_a);
    sim_run_for(c.net, SY_MIN);
    cr_expect_eq(c.at_a.expiries, 11);
    sim_net_del(c.net);
    cr_expect_eq(c.at_a.stops, 1);
}

/* A reactor that is always due may not hold the loop. */
Test(switch_reactor, one_that_is_always_due_does_not_hold_the_loop) {
    couple c;
    open_couple(&c);
    c.at_a.due_at = 0;
    sim_start(c.a);
    sim_wake(c.a, sim_now(c.net));
    c.at_a.period = 1; /* ns */
    sim_run_for(c.net, SY_MSEC);
    cr_expect_gt(c.at_a.expiries, 0);
    cr_expect_lt(c.at_a.expiries, 100000);
    c.at_a.period = 0;
    sim_run_for(c.net, SY_MSEC);
    sim_net_del(c.net);
}

Test(switch_reactor, sends_answer_queued_full_or_refused) {
    couple c;
    open_couple(&c);
    connect_couple(&c);
    char long_text[200] = {0};

    cr_expect_eq(send_from_a(&c, "1", 1), SY_SEND_QUEUED);
    cr_expect_eq(send_from_a(&c, "2", 1), SY_SEND_QUEUED);
    cr_expect_eq(send_from_a(&c, "3", 1), SY_SEND_FULL);
    sim_run_for(c.net, SY_SEC);
    cr_expect_eq(c.at_b.received, 2);
    cr_expect_eq(send_from_a(&c, "3", 1), SY_SEND_QUEUED);
    sim_run_for(c.net, SY_SEC);
    cr_expect_eq(c.at_b.received, 3);

    cr_expect_eq(send_from_a(&c, long_text, 100), SY_SEND_QUEUED);
    cr_expect_eq(send_from_a(&c, long_text, 101), SY_SEND_REFUSED);
    sim_run_for(c.net, SY_SEC);
    cr_expect_eq(c.at_b.received, 4);
    sim_net_del(c.net);
}

/* The other end takes less than we may send: it ends the connection, and says why. */
Test(switch_reactor, a_message_beyond_the_capacity_of_the_other_end_ends_the_connection) {
    static const sy_channel_desc wide_channel = {.id = 0x77, .recv_message_max = 5000};
    sy_reactor_ops wide = probe_ops;
    wide.channels = &wide_channel;
    char text[5000] = {0};
    for (size_t extra = 0; extra <= 1; extra++) {
        couple c = {.net = make_net(), .at_a = {.due_at = SY_NEVER}, .at_b = {.due_at = SY_NEVER}};
        c.a = sim_node_new(c.net, "a");
        c.b = sim_node_new(c.net, "b");
        sim_add_reactor(c.a, &wide, &c.at_a);
        sim_add_reactor(c.b, &probe_ops, &c.at_b);
        connect_couple(&c);
        cr_expect_eq(send_from_a(&c, text, 100 + extra), SY_SEND_QUEUED);
        sim_run_for(c.net, SY_SEC);
        cr_expect_eq(c.at_b.received, extra == 0 ? 1 : 0);
        cr_expect_eq(sim_are_connected(c.a, c.b), extra == 0);
        if (extra == 1) {
            sim_expect_end(c.b, SY_STAGE_OPEN, SY_ERR_MESSAGE_TOO_LONG, "MX-28");
            cr_expect_eq(c.at_b.removed_reason.code, SY_ERR_MESSAGE_TOO_LONG);
            cr_expect_eq(c.at_b.removed_reason.fault, SY_FAULT_REMOTE);
        }
        sim_net_del(c.net);
    }
}

/* A channel that only one end has is refused at once there, and has no effect on the rest. */
Test(switch_reactor, a_channel_that_the_remote_lacks_is_refused) {
    sim_net *net = make_net();
    couple c = {.net = net, .at_a = {.due_at = SY_NEVER}};
    c.a = sim_node_new(net, "a");
    c.b = sim_node_new(net, "b");
    sim_add_reactor(c.a, &probe_ops, &c.at_a);
    connect_couple(&c);
    cr_expect_not(sy_peer_has_channel(peer_at_a(&c), c.at_a.channel));
    cr_expect_eq(send_from_a(&c, "1", 1), SY_SEND_REFUSED);
    size_t full = 9;
    cr_expect_eq(sy_switch_broadcast(sim_switch(c.a), c.at_a.channel, "1", 1, NULL, &full), 0);
    cr_expect_eq(full, 0);
    cr_expect_eq(sim_send(c.a, c.b, 0x20, 10), SY_SEND_QUEUED);
    sim_run_for(net, SY_SEC);
    cr_expect_eq(sim_totals_of(c.b).delivered, 1);
    sim_net_del(net);
}

/* SPEC-TEST SW-50 SW-52 */
Test(switch_reactor, may_stop_the_peer_that_it_is_called_for) {
    couple c;
    open_couple(&c);
    connect_couple(&c);
    c.at_b.stop_on_receive = true;
    cr_expect_eq(send_from_a(&c, "1", 1), SY_SEND_QUEUED);
    cr_expect_eq(send_from_a(&c, "2", 1), SY_SEND_QUEUED);
    sim_run_for(c.net, SY_SEC);

    cr_expect_eq(c.at_b.received, 1, "nothing after the stop");
    cr_expect_eq(c.at_b.last_send, SY_SEND_REFUSED);
    cr_expect_eq(c.at_b.removed, 1);
    cr_expect_eq(c.at_b.removed_reason.code, SY_ERR_REACTOR_CAUSE, "the first reason stays");
    cr_expect_str_eq(c.at_b.removed_reason.detail.text, "first");
    cr_expect_eq(sim_peer_count(c.b), 0);
    cr_expect_eq(sim_peer_count(c.a), 0);
    sim_net_del(c.net);
}

Test(switch_reactor, may_stop_a_peer_while_it_is_added) {
    couple c;
    open_couple(&c);
    c.at_b.stop_on_added = true;
    sim_start(c.a);
    sim_start(c.b);
    sim_dial(c.a, c.b, SY_DIAL_ONCE);
    sim_run_for(c.net, 2 * SY_SEC);
    cr_expect_eq(c.at_b.removed, 1);
    cr_expect_eq(c.at_b.removed_reason.code, SY_ERR_REACTOR_CAUSE);
    cr_expect_eq(sim_peer_count(c.b), 0);
    sim_net_del(c.net);
}

/* The peer never enters the set, whatever peer_init answers besides; the first reason stays.
 * SPEC-TEST SW-47 SW-48 SW-59 */
Test(switch_reactor, may_stop_a_peer_inside_peer_init) {
    static const sy_err codes[] = {SY_ERR_REACTOR_CAUSE, SY_ERR_STOPPED};
    for (size_t i = 0; i < 4; i++) {
        couple c;
        open_couple(&c);
        c.at_b.stop_in_init = codes[i % 2];
        c.at_b.init_result = i < 2 ? SY_OK : SY_ERR_LIMIT;
        sim_start(c.a);
        sim_start(c.b);
        sim_dial(c.a, c.b, SY_DIAL_ONCE);
        sim_run_for(c.net, 2 * SY_SEC);
        cr_expect_eq(c.at_b.inits, 1, "row %zu", i);
        cr_expect_eq(c.at_b.finis, 1, "row %zu", i);
        cr_expect_eq(c.at_b.addeds, 0, "row %zu", i);
        cr_expect_eq(c.at_b.removed, 0, "row %zu", i);
        sim_expect_end(c.b, SY_STAGE_OPEN, codes[i % 2], i % 2 == 0 ? "SW-59" : NULL);
        cr_expect_eq(sim_totals_of(c.b).peers_up, 0, "row %zu", i);
        cr_expect_eq(sim_peer_count(c.b), 0, "row %zu", i);
        cr_expect_eq(sim_peer_count(c.a), 0, "row %zu", i);
        sim_net_del(c.net);
    }
}

typedef struct log_lines {
    char text[8][512];
    size_t count;
} log_lines;

static void keep_line(void *user, const sy_log_record *record) {
    log_lines *lines = user;
    if (lines->count < 8 && (strcmp(record->event, "peer_removed") == 0 ||
                             strcmp(record->event, "connection_refused") == 0)) {
        (void)sy_log_format_kv(record, lines->text[lines->count++], sizeof lines->text[0]);
    }
}

/* The remote only sees that the connection was closed.  Its operator asks ours, and both find one
 * line by the ID or by the address.  SPEC-TEST SW-59 */
Test(switch_reactor, what_a_reactor_says_of_a_peer_stands_in_the_log) {
    for (size_t early = 0; early < 2; early++) {
        log_lines lines = {.count = 0};
        char id[SY_NODE_ID_TEXT_CAP + 4] = "id=";
        couple c;
        open_couple(&c);
        sim_settings(c.b)->log = (sy_log){keep_line, &lines, SY_LOG_WARN};
        c.at_b.stop_in_init = early == 1 ? SY_ERR_REACTOR_CAUSE : SY_OK;
        c.at_b.stop_on_added = early == 0;
        sim_start(c.a);
        sim_start(c.b);
        sim_dial(c.a, c.b, SY_DIAL_ONCE);
        sim_run_for(c.net, 2 * SY_SEC);
        sy_node_id_format(sim_id(c.a), id + 3);
        cr_assert_eq(lines.count, 1, "row %zu", early);
        const char *line = lines.text[0];
        cr_expect_not_null(strstr(line, id), "%s", line);
        cr_expect_not_null(strstr(line, "addr=10.0.0.1:"), "%s", line);
        cr_expect_not_null(strstr(line, "reason=REACTOR_CAUSE"), "%s", line);
        cr_expect_not_null(strstr(line, "fault=remote"), "%s", line);
        cr_expect_not_null(
            strstr(line, early == 1 ? "detail=\"not even begun\"" : "detail=\"not wanted\""), "%s",
            line);
        sim_net_del(c.net);
    }
}

/* SPEC-TEST SW-53 */
Test(switch_reactor, a_broadcast_to_some_reaches_these) {
    enum {
        COUNT = 4
    };
    static const char *const names[COUNT] = {"b", "c", "d", "e"};
    sim_net *net = make_net();
    sim_node *hub = sim_node_new(net, "hub");
    sim_node *node[COUNT];
    probe at_hub = {.due_at = SY_NEVER};
    probe at[COUNT];
    sy_peer_ref ref[COUNT + 1];
    size_t full = 9;
    sim_add_reactor(hub, &probe_ops, &at_hub);
    sim_start(hub);
    for (size_t i = 0; i < COUNT; i++) {
        node[i] = sim_node_new(net, names[i]);
        at[i] = (probe){.due_at = SY_NEVER};
        sim_add_reactor(node[i], &probe_ops, &at[i]);
        sim_start(node[i]);
        sim_dial(node[i], hub, SY_DIAL_ONCE);
        cr_assert(sim_wait_until_connected(node[i], hub, SY_SEC));
        ref[i] = sy_peer_ref_of(sy_switch_peer_by_id(sim_switch(hub), sim_id(node[i])));
    }
    sim_stop_peer(hub, node[2], SY_ERR_STOPPED, "goes");
    sim_run_for(net, SY_SEC);
    ref[COUNT] = (sy_peer_ref){77, 1};

    /* c and d, of which d has gone, and one that never was; then nobody at all. */
    sy_switch *sw = sim_switch(hub);
    const sy_channel channel = at_hub.channel;
    cr_expect_eq(sy_switch_broadcast_to(sw, channel, "1", 1, &ref[1], 2, &full), 1);
    cr_expect_eq(full, 0);
    cr_expect_eq(sy_switch_broadcast_to(sw, channel, "1", 1, &ref[COUNT], 1, NULL), 0);
    cr_expect_eq(sy_switch_broadcast_to(sw, channel, "1", 1, NULL, 0, &full), 0);
    /* Two fit into a queue: b gets two of three. */
    const sy_peer_ref thrice[] = {ref[0], ref[0], ref[0]};
    cr_expect_eq(sy_switch_broadcast_to(sw, channel, "2", 1, thrice, 3, &full), 2);
    cr_expect_eq(full, 1);
    sim_nudge(hub);
    sim_run_for(net, SY_SEC);
    cr_expect_eq(at[0].received, 2);
    cr_expect_eq(at[1].received, 1);
    cr_expect_eq(at[2].received, 0);
    cr_expect_eq(at[3].received, 0);
    sim_net_del(net);
}

typedef struct stop_note {
    const couple *c;
    int times;
    sy_time at;
} stop_note;

static void note_stop(void *user, sy_time now) {
    stop_note *note = user;
    note->times++;
    note->at = now;
    cr_expect_eq(note->c->at_b.stops, 1, "the reactors have been stopped before");
    cr_expect_eq(note->c->at_b.finis, 1);
}

/* SPEC-TEST SW-55 */
Test(switch_reactor, the_end_of_a_stop_is_reported_once) {
    couple c;
    stop_note note = {.c = &c};
    open_couple(&c);
    sim_settings(c.b)->stopped = note_stop;
    sim_settings(c.b)->stopped_user = &note;
    connect_couple(&c);
    cr_expect_eq(note.times, 0);
    sim_stop_and_wait(c.b);
    cr_expect_eq(note.times, 1);
    cr_expect_leq(note.at, sim_now(c.net));

    /* Deleting without a stop is not an orderly end: nobody is told. */
    sim_start(c.b);
    sim_run_for(c.net, SY_SEC);
    sim_crash(c.b, SIM_CRASH_PROCESS);
    cr_expect_eq(note.times, 1);
    sim_net_del(c.net);
}

/* SPEC-TEST SW-51 */
Test(switch_reactor, a_reference_is_gone_after_the_removal_and_stays_gone) {
    couple c;
    open_couple(&c);
    connect_couple(&c);
    const sy_peer_ref ref = c.at_a.last;
    cr_expect_eq(sy_switch_peer(sim_switch(c.a), ref), peer_at_a(&c));

    sim_stop_peer(c.a, c.b, SY_ERR_STOPPED, "enough");
    sim_run_for(c.net, SY_SEC);
    cr_expect_null(sy_switch_peer(sim_switch(c.a), ref));
    sim_dial(c.a, c.b, SY_DIAL_ONCE);
    cr_assert(sim_wait_until_connected(c.a, c.b, SY_SEC));
    cr_expect_null(sy_switch_peer(sim_switch(c.a), ref));
    cr_expect_not_null(sy_switch_peer(sim_switch(c.a), c.at_a.last));
    sim_net_del(c.net);
}

/* SPEC-TEST SW-54 */
Test(switch_reactor, an_orderly_stop_sends_what_is_queued_one_for_cause_does_not) {
    for (int orderly = 0; orderly < 2; orderly++) {
        couple c;
        open_couple(&c);
        connect_couple(&c);
        cr_expect_eq(send_from_a(&c, "1", 1), SY_SEND_QUEUED);
        cr_expect_eq(send_from_a(&c, "2", 1), SY_SEND_QUEUED);
        sim_stop_peer(c.a, c.b, orderly ? SY_ERR_STOPPED : SY_ERR_REACTOR_CAUSE, "now");
        sim_run_for(c.net, SY_SEC);
        cr_expect_eq(c.at_b.received, orderly ? 2 : 0, "orderly %d", orderly);
        cr_expect_eq(sim_peer_count(c.a), 0);
        cr_expect_eq(sim_peer_count(c.b), 0);
        sim_net_del(c.net);
    }
}

Test(switch_reactor, an_asked_for_ping_measures_the_way_there_and_back) {
    couple c;
    open_couple(&c);
    connect_couple(&c);
    cr_expect_eq(sy_peer_rtt(peer_at_a(&c)), 0);
    sy_peer_ping(peer_at_a(&c), sim_now(c.net));
    sim_wake(c.a, sim_now(c.net));
    sim_run_for(c.net, SY_SEC);
    const sy_duration rtt = sy_peer_rtt(peer_at_a(&c));
    cr_expect_geq(rtt, 2 * SY_MSEC);
    cr_expect_leq(rtt, 50 * SY_MSEC);
    sim_net_del(c.net);
}
