/* SPDX-License-Identifier: Apache-2.0 */
/* The dial table: rounds over addresses, persistence, SELF, what is never dialed.  Profiles have a
 * file of their own. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/p2p/dial_util.h"

static void open_peer(dial_world *w, uint64_t n, sy_dial_ref ref) {
    const sy_node_id id = dial_id(n);
    sy_dial_table_on_peer_open(&w->table, &id, ref, &dial_tendermint, w->now);
}

static void close_peer(dial_world *w, uint64_t n) {
    const sy_node_id id = dial_id(n);
    sy_dial_table_on_peer_closed(&w->table, &id, w->now);
}

static const sy_dial_ref no_ref = {0, 0};

/* SPEC-TEST SW-40 SW-43: at once, and again after the end. */
Test(dial_table, the_life_of_a_persistent_target) {
    dial_world w;
    sy_dial_ref ref;
    dial_open(&w, "tendermint", 1);
    cr_expect_eq(sy_dial_table_next_due(&w.table), SY_NEVER);
    cr_assert_eq(dial_add(&w, 1, "1.2.3.4:5", SY_TARGET_PERSISTENT, &ref), SY_OK);
    cr_expect_eq(sy_dial_table_next_due(&w.table), w.now);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_IDLE);

    cr_assert(dial_next(&w));
    cr_assert_eq(w.step.kind, SY_DIAL_STEP_CONNECT);
    cr_expect_eq(w.step.endpoint.port, 5);
    cr_expect_eq(w.step.profile, &dial_tendermint);
    cr_expect_str_eq(w.step.addr->host, "1.2.3.4");
    cr_expect_eq(w.step.ref.slot, ref.slot);
    cr_expect_eq(w.step.ref.generation, ref.generation);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_CONNECTING);
    cr_expect_not(sy_dial_table_take_due(&w.table, &w.step, w.now), "one dial at a time");
    dial_tcp_up(&w);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_HANDSHAKE);
    open_peer(&w, 1, ref);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_CONNECTED);
    cr_expect_eq(sy_dial_table_next_due(&w.table), SY_NEVER);

    w.now += SY_MIN;
    close_peer(&w, 1);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_WAITING);
    const sy_time due = sy_dial_table_next_due(&w.table);
    cr_expect(due >= w.now + SY_SEC / 2 && due <= w.now + SY_SEC);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.kind, SY_DIAL_STEP_CONNECT);
    dial_close(&w);
}

/* SPEC-TEST AD-13 SW-37 SW-44: resolved at each dial; all addresses in the order of the answer,
 * with the configured port. */
Test(dial_table, a_name_and_all_its_addresses) {
    dial_world w;
    dial_open(&w, "tendermint,cometbft", 1);
    cr_assert_eq(dial_add(&w, 1, "peer.example:26656", SY_TARGET_PERSISTENT, NULL), SY_OK);
    for (int round = 0; round < 3; round++) {
        cr_assert(dial_next(&w));
        cr_assert_eq(w.step.kind, SY_DIAL_STEP_RESOLVE);
        cr_expect_str_eq(w.step.addr->host, "peer.example");
        cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_RESOLVING);
        dial_resolved(&w, 3);
        for (unsigned host = 1; host <= 3; host++) {
            cr_expect_eq(dial_host(&w), host);
            cr_expect_eq(w.step.endpoint.port, 26656);
            cr_expect_eq(w.step.profile, &dial_tendermint, "SPEC PR-10: not changed by this");
            dial_fail(&w, SY_STAGE_CONNECT, host == 3 ? SY_ERR_CONNECT_TIMEOUT : SY_ERR_CONNECT);
        }
        cr_expect_eq(w.step.kind, SY_DIAL_STEP_NONE);
        const sy_dial_view view = dial_view(&w, 1);
        cr_expect_eq(view.state, SY_TARGET_WAITING);
        cr_expect_eq(view.last_code, SY_ERR_CONNECT_TIMEOUT); /* SPEC-TEST SW-39 */
        cr_expect_eq(view.failures, (uint32_t)round + 1);
    }
    dial_close(&w);
}

/* SPEC-TEST SW-38 */
Test(dial_table, a_name_that_does_not_resolve) {
    dial_world w;
    dial_open(&w, "tendermint", 1);
    cr_assert_eq(dial_add(&w, 1, "a:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_assert_eq(dial_add(&w, 2, "b:1", SY_TARGET_ONCE, NULL), SY_OK);
    for (int i = 0; i < 2; i++) {
        cr_assert(dial_next(&w));
        dial_resolved(&w, 0);
        cr_expect_eq(w.step.kind, SY_DIAL_STEP_NONE);
    }
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_WAITING);
    cr_expect_eq(dial_view(&w, 1).last_code, SY_ERR_RESOLVE);
    cr_expect_not(dial_has(&w, 2), "one round only");
    dial_close(&w);
}

Test(dial_table, at_most_sixteen_addresses) {
    dial_world w;
    for (size_t n = 15; n <= 17; n++) {
        dial_open(&w, "tendermint", 1);
        cr_assert_eq(dial_add(&w, 1, "a:1", SY_TARGET_ONCE, NULL), SY_OK);
        cr_assert(dial_next(&w));
        dial_resolved(&w, n);
        size_t tried = 0;
        while (w.step.kind == SY_DIAL_STEP_CONNECT) {
            tried++;
            dial_fail(&w, SY_STAGE_CONNECT, SY_ERR_CONNECT);
        }
        cr_expect_eq(tried, n < 16 ? n : 16);
        dial_close(&w);
    }
}

/* SPEC-TEST SW-40: whatever the reason was. */
Test(dial_table, no_reason_but_self_ends_a_persistent_target) {
    static const struct {
        sy_stage stage;
        sy_err code;
        bool tcp_up;
    } rows[] = {
        {SY_STAGE_CONNECT, SY_ERR_CONNECT, false},
        {SY_STAGE_CONNECT, SY_ERR_SYSTEM, false},
        {SY_STAGE_CONNECT, SY_ERR_NOMEM, false},
        {SY_STAGE_HANDSHAKE, SY_ERR_REMOTE_CLOSED, true},
        {SY_STAGE_HANDSHAKE, SY_ERR_AUTH_SIG, true},
        {SY_STAGE_HANDSHAKE, SY_ERR_HANDSHAKE_TIMEOUT, true},
        {SY_STAGE_IDENTITY, SY_ERR_ID_MISMATCH, true},
        {SY_STAGE_IDENTITY, SY_ERR_ADMIT_TOTAL, true},
        {SY_STAGE_IDENTITY, SY_ERR_BANNED, true},
        {SY_STAGE_NODE_INFO, SY_ERR_NI_NETWORK, true},
        {SY_STAGE_NODE_INFO, SY_ERR_REMOTE_CLOSED, true},
        {SY_STAGE_ADMISSION, SY_ERR_CROSSED, true},
        {SY_STAGE_ADMISSION, SY_ERR_DUPLICATE_ID, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dial_world w;
        dial_open(&w, "tendermint,cometbft", i);
        cr_assert_eq(dial_add(&w, 1, "1.2.3.4:5", SY_TARGET_PERSISTENT, NULL), SY_OK);
        for (int round = 0; round < 30; round++) {
            const sy_time before = w.now;
            cr_assert(dial_next(&w));
            cr_assert(w.now - before <= 60 * SY_SEC);
            cr_assert_eq(w.step.kind, SY_DIAL_STEP_CONNECT);
            if (rows[i].tcp_up) {
                dial_tcp_up(&w);
            }
            dial_fail(&w, rows[i].stage, rows[i].code);
            cr_assert_eq(w.step.kind, SY_DIAL_STEP_NONE);
            cr_assert_eq(dial_view(&w, 1).state, SY_TARGET_WAITING, "row %zu", i);
        }
        dial_close(&w);
    }
}

/* SPEC-TEST SW-12 */
Test(dial_table, self_is_never_dialed_again) {
    dial_world w;
    dial_open(&w, "tendermint", 1);
    cr_expect_eq(dial_add(&w, 999, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_ERR_SELF);
    cr_assert_eq(dial_add(&w, 0, "Me.example:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_assert_eq(dial_add(&w, 5, "me.example:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_assert_eq(dial_add(&w, 6, "me.example:2", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_assert(dial_next(&w));
    dial_resolved(&w, 2);
    dial_tcp_up(&w);
    dial_fail(&w, SY_STAGE_IDENTITY, SY_ERR_SELF);
    cr_expect_eq(w.step.kind, SY_DIAL_STEP_NONE);
    cr_expect_not(dial_has(&w, 5), "the same host and port");
    cr_expect(dial_has(&w, 6), "another port");
    for (int kind = SY_TARGET_LEARNED; kind <= SY_TARGET_PERSISTENT; kind++) {
        cr_expect_eq(dial_add(&w, 0, "me.example:1", (sy_target_kind)kind, NULL), SY_ERR_SELF);
        cr_expect_eq(dial_add(&w, 7, "ME.example:1", (sy_target_kind)kind, NULL), SY_ERR_SELF);
    }
    dial_close(&w);
}

Test(dial_table, own_addresses_are_a_bounded_ring) {
    dial_world w;
    char text[32];
    dial_open(&w, "tendermint", 1);
    for (int i = 0; i < SY_DIAL_OWN_MAX + 1; i++) {
        (void)snprintf(text, sizeof text, "1.1.1.1:%d", 100 + i);
        cr_assert_eq(dial_add(&w, 0, text, SY_TARGET_ONCE, NULL), SY_OK);
        cr_assert(dial_next(&w));
        dial_tcp_up(&w);
        dial_fail(&w, SY_STAGE_IDENTITY, SY_ERR_SELF);
    }
    cr_expect_eq(dial_add(&w, 0, "1.1.1.1:101", SY_TARGET_ONCE, NULL), SY_ERR_SELF);
    cr_expect_eq(dial_add(&w, 0, "1.1.1.1:116", SY_TARGET_ONCE, NULL), SY_ERR_SELF);
    cr_expect_eq(dial_add(&w, 0, "1.1.1.1:100", SY_TARGET_ONCE, NULL), SY_OK, "the oldest left");
    dial_close(&w);
}

/* SPEC-TEST SW-36 */
Test(dial_table, one_target_per_id) {
    dial_world w;
    sy_dial_ref a;
    sy_dial_ref b;
    dial_open(&w, "tendermint", 1);
    cr_assert_eq(dial_add(&w, 1, "a:1", SY_TARGET_LEARNED, &a), SY_OK);
    cr_expect_eq(dial_add(&w, 1, "b:1", SY_TARGET_LEARNED, NULL), SY_ERR_DUPLICATE_ID);
    cr_expect_eq(dial_add(&w, 1, "a:1", SY_TARGET_ONCE, &b), SY_OK);
    cr_expect_eq(a.generation, b.generation);
    cr_expect_eq(dial_view(&w, 1).kind, SY_TARGET_ONCE);
    cr_assert(dial_next(&w));
    cr_expect_eq(dial_add(&w, 1, "a:1", SY_TARGET_ONCE, NULL), SY_ERR_DUPLICATE_ID, "dialing");
    cr_expect_not(sy_dial_table_take_due(&w.table, &w.step, w.now));
    cr_expect_eq(dial_add(&w, 1, "a:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_expect_eq(dial_view(&w, 1).kind, SY_TARGET_PERSISTENT);
    cr_expect_not(sy_dial_table_take_due(&w.table, &w.step, w.now), "still the same dial");
    dial_resolved(&w, 1);
    dial_tcp_up(&w);
    open_peer(&w, 1, a);
    cr_expect_eq(dial_add(&w, 1, "a:1", SY_TARGET_ONCE, NULL), SY_ERR_DUPLICATE_ID, "connected");
    cr_expect_eq(dial_add(&w, 1, "a:1", SY_TARGET_LEARNED, NULL), SY_ERR_DUPLICATE_ID);
    cr_expect_eq(sy_dial_table_persistent_count(&w.table), 1);
    /* Without an ID host and port tell targets apart. */
    cr_expect_eq(dial_add(&w, 0, "a:1", SY_TARGET_ONCE, NULL), SY_OK);
    cr_expect_eq(dial_add(&w, 0, "A:1", SY_TARGET_LEARNED, NULL), SY_ERR_DUPLICATE_ID);
    cr_expect_eq(dial_add(&w, 0, "a:2", SY_TARGET_LEARNED, NULL), SY_OK);
    cr_expect_eq(sy_dial_table_persistent_count(&w.table), 1);
    dial_close(&w);
}

/* SPEC-TEST SW-36: a peer that dialed us is not dialed; when it leaves, it is. */
Test(dial_table, a_connected_id_is_not_dialed) {
    dial_world w;
    dial_open(&w, "tendermint", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    open_peer(&w, 1, no_ref);
    cr_expect_eq(sy_dial_table_next_due(&w.table), SY_NEVER);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_CONNECTED);
    w.now += SY_HOUR;
    close_peer(&w, 1);
    cr_expect(sy_dial_table_next_due(&w.table) <= w.now + SY_SEC);

    /* It connects while we look up its name, or while we connect. */
    cr_assert_eq(dial_add(&w, 2, "b:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_assert(dial_next(&w));
    cr_assert_eq(w.step.kind, SY_DIAL_STEP_RESOLVE);
    open_peer(&w, 2, no_ref);
    dial_resolved(&w, 2);
    cr_expect_eq(w.step.kind, SY_DIAL_STEP_NONE);
    cr_expect_eq(dial_view(&w, 2).state, SY_TARGET_CONNECTED);

    cr_assert_eq(dial_add(&w, 3, "3.3.3.3:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_assert(dial_next(&w));
    dial_tcp_up(&w);
    open_peer(&w, 3, no_ref);
    cr_expect_eq(dial_view(&w, 3).state, SY_TARGET_HANDSHAKE);
    dial_fail(&w, SY_STAGE_ADMISSION, SY_ERR_CROSSED);
    cr_expect_eq(dial_view(&w, 3).state, SY_TARGET_CONNECTED);
    cr_expect_eq(dial_view(&w, 3).failures, 0, "no failure of ours");
    dial_close(&w);
}

/* Crossed dials where ours stays: the other connection's end is not the end of the ID. */
Test(dial_table, our_dial_wins_over_the_inbound_one) {
    dial_world w;
    sy_dial_ref ref;
    dial_open(&w, "tendermint", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, &ref), SY_OK);
    cr_assert(dial_next(&w));
    dial_tcp_up(&w);
    open_peer(&w, 1, no_ref);
    open_peer(&w, 1, ref);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_CONNECTED);
    w.now += SY_MIN;
    close_peer(&w, 1);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_WAITING);
    cr_expect_eq(dial_view(&w, 1).failures, 1);
    /* An end during a dial of our own leaves that alone. */
    cr_assert(dial_next(&w));
    dial_tcp_up(&w);
    open_peer(&w, 1, no_ref);
    close_peer(&w, 1);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_HANDSHAKE);
    open_peer(&w, 1, ref);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_CONNECTED);
    dial_close(&w);
}

Test(dial_table, a_target_without_id_knows_its_peer) {
    dial_world w;
    sy_dial_ref ref;
    sy_dial_view view;
    dial_open(&w, "tendermint", 1);
    cr_assert_eq(dial_add(&w, 0, "1.1.1.1:1", SY_TARGET_PERSISTENT, &ref), SY_OK);
    cr_assert(dial_next(&w));
    dial_tcp_up(&w);
    open_peer(&w, 77, ref);
    close_peer(&w, 78);
    cr_assert(sy_dial_table_get(&w.table, ref, &view));
    cr_expect_eq(view.state, SY_TARGET_CONNECTED);
    close_peer(&w, 77);
    cr_assert(sy_dial_table_get(&w.table, ref, &view));
    cr_expect_eq(view.state, SY_TARGET_WAITING);
    dial_close(&w);
}

/* Targets that are not persistent vanish with their connection. */
Test(dial_table, passing_targets_vanish) {
    dial_world w;
    sy_dial_ref ref;
    dial_open(&w, "tendermint", 1);
    for (int kind = SY_TARGET_LEARNED; kind <= SY_TARGET_ONCE; kind++) {
        cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", (sy_target_kind)kind, &ref), SY_OK);
        cr_assert(dial_next(&w));
        dial_tcp_up(&w);
        open_peer(&w, 1, ref);
        cr_expect(dial_has(&w, 1));
        close_peer(&w, 1);
        cr_expect_not(dial_has(&w, 1));
        cr_expect_eq(sy_dial_table_next_due(&w.table), SY_NEVER);
        cr_expect_eq(sy_dial_table_remove(&w.table, ref), SY_ERR_GONE);
    }
    dial_close(&w);
}

/* SPEC-TEST SW-44: the operator's new address counts, also in the middle of a dial; a learned one
 * never replaces it. */
Test(dial_table, a_new_address) {
    dial_world w;
    sy_dial_ref ref;
    dial_open(&w, "tendermint", 1);
    cr_assert_eq(dial_add(&w, 1, "a:1", SY_TARGET_PERSISTENT, &ref), SY_OK);
    cr_expect_eq(dial_add(&w, 1, "evil:1", SY_TARGET_LEARNED, NULL), SY_ERR_DUPLICATE_ID);
    cr_assert_eq(dial_add(&w, 1, "evil:1", SY_TARGET_ONCE, NULL), SY_OK);
    cr_expect_str_eq(dial_view(&w, 1).addr->host, "a");

    cr_assert(dial_next(&w));
    cr_assert_eq(dial_add(&w, 1, "9.9.9.9:9", SY_TARGET_PERSISTENT, NULL), SY_OK);
    dial_resolved(&w, 2);
    cr_expect_eq(w.step.kind, SY_DIAL_STEP_NONE, "the answer was for the old name");
    cr_expect_eq(sy_dial_table_next_due(&w.table), w.now);
    cr_assert(dial_next(&w));
    cr_assert_eq(w.step.kind, SY_DIAL_STEP_CONNECT);
    cr_expect_eq(w.step.endpoint.port, 9);

    cr_assert_eq(dial_add(&w, 1, "8.8.8.8:8", SY_TARGET_PERSISTENT, NULL), SY_OK);
    dial_fail(&w, SY_STAGE_CONNECT, SY_ERR_CONNECT);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.endpoint.port, 8);
    dial_tcp_up(&w);
    open_peer(&w, 1, ref);
    cr_assert_eq(dial_add(&w, 1, "7.7.7.7:7", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_CONNECTED);
    close_peer(&w, 1);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.endpoint.port, 7);
    dial_close(&w);
}

/* An operator's dial overrides the back-off; a learned address does not. */
Test(dial_table, an_operator_does_not_wait) {
    dial_world w;
    dial_open(&w, "tendermint", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    for (int i = 0; i < 8; i++) {
        cr_assert(dial_next(&w));
        dial_fail(&w, SY_STAGE_CONNECT, SY_ERR_CONNECT);
    }
    cr_expect_gt(sy_dial_table_next_due(&w.table), w.now + 29 * SY_SEC);
    cr_expect_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_LEARNED, NULL), SY_ERR_DUPLICATE_ID);
    cr_expect_gt(sy_dial_table_next_due(&w.table), w.now);
    cr_expect_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_ONCE, NULL), SY_OK);
    cr_expect_eq(dial_view(&w, 1).kind, SY_TARGET_PERSISTENT, "never downgraded");
    cr_expect_eq(sy_dial_table_next_due(&w.table), w.now);
    dial_close(&w);
}

Test(dial_table, stale_refs_are_harmless) {
    dial_world w;
    sy_dial_ref old;
    sy_dial_ref fresh;
    dial_open(&w, "tendermint", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, &old), SY_OK);
    cr_assert(dial_next(&w));
    cr_assert_eq(sy_dial_table_remove(&w.table, old), SY_OK);
    cr_assert_eq(dial_add(&w, 2, "2.2.2.2:1", SY_TARGET_PERSISTENT, &fresh), SY_OK);
    cr_expect_eq(old.slot, fresh.slot, "the slot is used again");
    const sy_dial_ref refs[] = {old, no_ref, {77, 1}, {old.slot, 0}};
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        const sy_reason reason = sy_reason_make(SY_STAGE_IDENTITY, SY_ERR_SELF, NULL);
        sy_dial_view view;
        sy_dial_table_on_connected(&w.table, refs[i], w.now);
        sy_dial_table_on_failed(&w.table, refs[i], &reason, &w.step, w.now);
        cr_expect_eq(w.step.kind, SY_DIAL_STEP_NONE);
        sy_dial_table_on_resolved(&w.table, refs[i], NULL, 0, &w.step, w.now);
        cr_expect_eq(w.step.kind, SY_DIAL_STEP_NONE);
        open_peer(&w, 3, refs[i]);
        cr_expect_not(sy_dial_table_get(&w.table, refs[i], &view));
        cr_expect_eq(sy_dial_table_remove(&w.table, refs[i]), SY_ERR_GONE);
    }
    cr_expect_eq(dial_view(&w, 2).state, SY_TARGET_IDLE);
    dial_close(&w);
}

/* SPEC-TEST SW-42 */
Test(dial_table, a_new_cap_shortens_the_wait) {
    dial_world w;
    dial_open(&w, "tendermint", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    for (int i = 0; i < 10; i++) {
        cr_assert(dial_next(&w));
        dial_fail(&w, SY_STAGE_CONNECT, SY_ERR_CONNECT);
    }
    cr_expect_gt(sy_dial_table_next_due(&w.table), w.now + 20 * SY_SEC);
    sy_dial_table_set_cap(&w.table, 5 * SY_SEC, w.now);
    cr_expect_eq(sy_dial_table_next_due(&w.table), w.now + 5 * SY_SEC);
    for (int i = 0; i < 10; i++) {
        const sy_time before = w.now;
        cr_assert(dial_next(&w));
        cr_expect(w.now - before <= 5 * SY_SEC);
        dial_fail(&w, SY_STAGE_CONNECT, SY_ERR_CONNECT);
    }
    dial_close(&w);
}

Test(dial_table, the_number_of_passing_targets_is_bounded) {
    dial_world w;
    char text[32];
    dial_open(&w, "tendermint", 1);
    for (int i = 0; i < SY_DIAL_LEARNED_MAX; i++) {
        (void)snprintf(text, sizeof text, "1.1.1.1:%d", i + 1);
        cr_assert_eq(dial_add(&w, (uint64_t)i + 10000, text, SY_TARGET_LEARNED, NULL), SY_OK);
    }
    cr_expect_eq(dial_add(&w, 5000, "2.2.2.2:1", SY_TARGET_LEARNED, NULL), SY_ERR_LIMIT);
    cr_expect_eq(dial_add(&w, 5000, "2.2.2.2:1", SY_TARGET_ONCE, NULL), SY_ERR_LIMIT);
    cr_expect_eq(dial_add(&w, 5000, "2.2.2.2:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_expect_eq(dial_add(&w, 10000, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_OK, "one less");
    cr_expect_eq(dial_add(&w, 5001, "2.2.2.2:2", SY_TARGET_LEARNED, NULL), SY_OK);
    size_t cursor = 0;
    size_t seen = 0;
    sy_dial_view view;
    while (sy_dial_table_next(&w.table, &cursor, &view)) {
        seen++;
    }
    cr_expect_eq(seen, SY_DIAL_LEARNED_MAX + 2);
    dial_close(&w);
}

Test(dial_table, without_memory) {
    for (size_t k = 1; k <= 40; k++) {
        dial_world w;
        char text[32];
        dial_open(&w, "tendermint", 1);
        w.tm.fail_at = w.tm.calls + k;
        for (uint64_t n = 1; n <= 40; n++) {
            (void)snprintf(text, sizeof text, "1.1.1.1:%d", (int)n);
            const sy_err err = dial_add(&w, n, text, SY_TARGET_PERSISTENT, NULL);
            cr_assert(err == SY_OK || err == SY_ERR_NOMEM);
            cr_expect_eq(err == SY_OK, dial_has(&w, n));
        }
        cr_expect_geq(sy_dial_table_persistent_count(&w.table), 39);
        dial_close(&w);
    }
    const sy_profile *profile = &dial_plain;
    const sy_node_id own = dial_id(1);
    test_mem tm;
    test_mem_init(&tm);
    for (size_t k = 1; k <= 3; k++) {
        sy_dial_table table;
        tm.calls = 0;
        tm.fail_at = k;
        const sy_dial_config config = {
            .mem = &tm.mem, .own_id = &own, .profiles = &profile, .profile_count = 1};
        cr_expect_eq(sy_dial_table_init(&table, &config), SY_ERR_NOMEM);
        cr_expect_eq(tm.live_blocks, 0);
    }
    test_mem_fini(&tm);
}

Test(dial_table, names) {
    cr_expect_str_eq(sy_target_state_name(SY_TARGET_IDLE), "idle");
    cr_expect_str_eq(sy_target_state_name(SY_TARGET_CONNECTED), "connected");
    cr_expect_str_eq(sy_target_kind_name(SY_TARGET_LEARNED), "learned");
    cr_expect_str_eq(sy_target_kind_name(SY_TARGET_PERSISTENT), "persistent");
}

/* SPEC-TEST SW-40 SW-41 SW-42: seven days without the peer, its name failing part of the time and
 * the rest failing in every stage; when it is back, it is connected within one cap. */
Test(dial_table, seven_days_away) {
    for (uint64_t seed = 0; seed < 20; seed++) {
        dial_world w;
        sy_prng prng;
        sy_dial_ref ref;
        size_t dials = 0;
        sy_prng_init(&prng, seed + 100);
        dial_open(&w, "tendermint,cometbft", seed);
        cr_assert_eq(dial_add(&w, 1, "away.example:1", SY_TARGET_PERSISTENT, &ref), SY_OK);
        const sy_time back_at = w.now + 7 * SY_DAY;
        while (sy_dial_table_next_due(&w.table) < back_at) {
            cr_assert(dial_next(&w));
            dials++;
            if (sy_prng_below(&prng, 3) == 0) {
                dial_resolved(&w, 0);
                continue;
            }
            dial_resolved(&w, 1 + sy_prng_below(&prng, 3));
            while (w.step.kind == SY_DIAL_STEP_CONNECT) {
                if (sy_prng_below(&prng, 2) == 0) {
                    dial_tcp_up(&w);
                    dial_fail(&w, SY_STAGE_HANDSHAKE, SY_ERR_REMOTE_CLOSED);
                } else {
                    dial_fail(&w, SY_STAGE_CONNECT, SY_ERR_CONNECT_TIMEOUT);
                }
            }
        }
        /* Every 30 to 60 s: not given up, and not hammered either. */
        cr_expect(dials > 7 * 24 * 60 && dials < 7 * 24 * 120 + 20, "%zu dials", dials);
        w.now = back_at;
        cr_assert(dial_next(&w));
        cr_expect(w.now <= back_at + 60 * SY_SEC);
        dial_resolved(&w, 1);
        dial_tcp_up(&w);
        open_peer(&w, 1, ref);
        cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_CONNECTED);
        dial_close(&w);
    }
}

/* ---- Random histories -------------------------------------------------------------------------*/

enum {
    IDS = 6
};

typedef struct walk {
    dial_world w;
    sy_prng prng;
    sy_dial_step running[IDS + 1]; /* by ID; kind NONE: no dial */
    bool up[IDS + 1];              /* TCP */
    unsigned open[IDS + 1];        /* connections */
    bool persistent[IDS + 1];
} walk;

static uint64_t id_number(const sy_dial_step *step) {
    uint64_t n;
    memcpy(&n, step->addr->id.bytes, sizeof n);
    return n;
}

/* A step says: no dial of this ID is running, and none of its connections is open. */
static void walk_take(walk *k, sy_dial_step step) {
    if (step.kind == SY_DIAL_STEP_NONE) {
        return;
    }
    const uint64_t n = id_number(&step);
    cr_assert(n >= 1 && n <= IDS);
    cr_assert_eq(k->running[n].kind, SY_DIAL_STEP_NONE, "two dials to one ID");
    cr_assert_eq(k->open[n], 0, "an open ID is dialed");
    k->running[n] = step;
    k->up[n] = false;
}

static void walk_end_dial(walk *k, uint64_t n) {
    static const sy_err codes[] = {SY_ERR_CONNECT, SY_ERR_REMOTE_CLOSED, SY_ERR_ID_MISMATCH,
                                   SY_ERR_NI_NETWORK, SY_ERR_CROSSED};
    const sy_dial_step step = k->running[n];
    k->running[n].kind = SY_DIAL_STEP_NONE;
    if (step.kind == SY_DIAL_STEP_RESOLVE) {
        k->w.step = step;
        dial_resolved(&k->w, sy_prng_below(&k->prng, 4));
    } else if (!k->up[n] && sy_prng_below(&k->prng, 2) == 0) {
        sy_dial_table_on_connected(&k->w.table, step.ref, k->w.now);
        k->running[n] = step;
        k->up[n] = true;
        return;
    } else {
        const uint64_t pick = sy_prng_below(&k->prng, 4);
        const sy_stage stage = k->up[n] ? (sy_stage)(SY_STAGE_HANDSHAKE + pick) : SY_STAGE_CONNECT;
        k->w.step = step;
        dial_fail(&k->w, stage, k->up[n] ? codes[pick + 1] : codes[0]);
    }
    walk_take(k, k->w.step);
}

static void walk_open(walk *k, uint64_t n) {
    sy_dial_ref ref = no_ref;
    if (k->running[n].kind == SY_DIAL_STEP_CONNECT && k->up[n] && sy_prng_below(&k->prng, 2) == 0) {
        ref = k->running[n].ref;
        k->running[n].kind = SY_DIAL_STEP_NONE;
    }
    k->open[n] = 1; /* what a crossed dial leaves */
    open_peer(&k->w, n, ref);
}

static void walk_add(walk *k, uint64_t n) {
    const sy_target_kind kind = (sy_target_kind)sy_prng_below(&k->prng, 3);
    if (k->open[n] > 0 && kind != SY_TARGET_PERSISTENT) {
        return; /* the caller's duty */
    }
    const char *host = sy_prng_below(&k->prng, 2) == 0 ? "1.1.1.1:1" : "name:1";
    const sy_err err = dial_add(&k->w, n, host, kind, NULL);
    cr_assert(err == SY_OK || err == SY_ERR_DUPLICATE_ID);
    if (kind == SY_TARGET_PERSISTENT) {
        cr_assert_eq(err, SY_OK);
        k->persistent[n] = true;
        if (k->open[n] > 0) {
            open_peer(&k->w, n, no_ref);
        }
    }
}

static void walk_check(const walk *k) {
    for (uint64_t n = 1; n <= IDS; n++) {
        if (!k->persistent[n]) {
            continue;
        }
        const sy_dial_view view = dial_view(&k->w, n);
        cr_assert_eq(view.kind, SY_TARGET_PERSISTENT);
        const bool waits = view.state == SY_TARGET_IDLE || view.state == SY_TARGET_WAITING;
        if (waits) {
            cr_assert(view.due_at <= k->w.now + 60 * SY_SEC, "never longer than the cap");
            cr_assert_eq(k->open[n], 0);
            cr_assert_eq(k->running[n].kind, SY_DIAL_STEP_NONE);
        } else if (view.state == SY_TARGET_CONNECTED) {
            cr_assert_eq(k->open[n], 1, "thinks it is connected");
        } else {
            cr_assert_neq(k->running[n].kind, SY_DIAL_STEP_NONE, "thinks it is dialing");
        }
    }
}

/* SPEC-TEST SW-36 SW-40: in any history an ID has one dial at most, none while it is open, and a
 * persistent one is always connected, being dialed, or due within the cap. */
Test(dial_table, random_histories) {
    for (uint64_t seed = 0; seed < 40; seed++) {
        walk k;
        memset(&k, 0, sizeof k);
        sy_prng_init(&k.prng, seed + 7);
        dial_open(&k.w, "tendermint,cometbft", seed);
        for (int step = 0; step < 3000; step++) {
            const uint64_t n = sy_prng_below(&k.prng, IDS) + 1;
            const uint64_t what = sy_prng_below(&k.prng, 100);
            if (what < 10) {
                walk_add(&k, n);
            } else if (what < 50 && k.running[n].kind != SY_DIAL_STEP_NONE) {
                walk_end_dial(&k, n);
            } else if (what < 55) {
                walk_open(&k, n);
            } else if (what < 70 && k.open[n] > 0) {
                k.open[n] = 0;
                close_peer(&k.w, n);
            } else if (what < 90) {
                k.w.now += sy_prng_below(&k.prng, 20 * SY_SEC);
            } else if (sy_dial_table_take_due(&k.w.table, &k.w.step, k.w.now)) {
                walk_take(&k, k.w.step);
            }
            walk_check(&k);
        }
        dial_close(&k.w);
    }
}
