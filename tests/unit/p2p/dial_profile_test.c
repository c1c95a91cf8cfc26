/* SPDX-License-Identifier: Apache-2.0 */
/* Which profile the next dial speaks. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/p2p/dial_util.h"

static void open_as(dial_world *w, uint64_t n, sy_dial_ref ref, const sy_profile *profile) {
    const sy_node_id id = dial_id(n);
    sy_dial_table_on_peer_open(&w->table, &id, ref, profile, w->now);
}

static void close_peer(dial_world *w, uint64_t n) {
    const sy_node_id id = dial_id(n);
    sy_dial_table_on_peer_closed(&w->table, &id, w->now);
}

/* Fails the handshake after TCP. */
static void fail_handshake(dial_world *w) {
    dial_tcp_up(w);
    dial_fail(w, SY_STAGE_HANDSHAKE, SY_ERR_REMOTE_CLOSED);
}

static const sy_dial_ref no_ref = {0, 0};

/* SPEC-TEST PR-09 PR-10: the first of the list, then one after the other, round and round. */
Test(dial_profile, one_per_attempt_in_the_order_of_the_list) {
    dial_world w;
    dial_open(&w, "tendermint,cometbft,plain", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    const sy_profile *const expected[] = {&dial_tendermint, &dial_cometbft, &dial_plain};
    for (size_t i = 0; i < 9; i++) {
        cr_assert(dial_next(&w));
        cr_expect_eq(w.step.profile, expected[i % 3], "attempt %zu: %s", i, w.step.profile->name);
        fail_handshake(&w);
        cr_expect_eq(w.step.kind, SY_DIAL_STEP_NONE, "back-off between two profiles");
    }
    dial_close(&w);
}

typedef struct keep_row {
    sy_stage stage;
    sy_err code;
    bool tcp_up;
    bool changes;
} keep_row;

/* SPEC-TEST PR-10 */
Test(dial_profile, what_changes_it_and_what_does_not) {
    static const keep_row rows[] = {
        {SY_STAGE_CONNECT, SY_ERR_CONNECT, false, false},
        {SY_STAGE_CONNECT, SY_ERR_CONNECT_TIMEOUT, false, false},
        {SY_STAGE_HANDSHAKE, SY_ERR_REMOTE_CLOSED, true, true},
        {SY_STAGE_HANDSHAKE, SY_ERR_REMOTE_RESET, true, true},
        {SY_STAGE_HANDSHAKE, SY_ERR_EPH_MALFORMED, true, true},
        {SY_STAGE_HANDSHAKE, SY_ERR_HANDSHAKE_TIMEOUT, true, true},
        {SY_STAGE_IDENTITY, SY_ERR_ID_MISMATCH, true, false},
        {SY_STAGE_NODE_INFO, SY_ERR_NI_NETWORK, true, false},
        {SY_STAGE_NODE_INFO, SY_ERR_REMOTE_CLOSED, true, false},
        {SY_STAGE_ADMISSION, SY_ERR_DUPLICATE_ID, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dial_world w;
        dial_open(&w, "tendermint,cometbft", 1);
        cr_assert_eq(dial_add(&w, 1, "name:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
        cr_assert(dial_next(&w));
        dial_resolved(&w, 0);
        cr_assert(dial_next(&w));
        dial_resolved(&w, 1);
        cr_expect_eq(w.step.profile, &dial_tendermint, "a failure to resolve changes nothing");
        if (rows[i].tcp_up) {
            dial_tcp_up(&w);
        }
        dial_fail(&w, rows[i].stage, rows[i].code);
        cr_assert(dial_next(&w));
        dial_resolved(&w, 1);
        cr_expect_eq(w.step.profile, rows[i].changes ? &dial_cometbft : &dial_tendermint, "row %zu",
                     i);
        dial_close(&w);
    }
}

/* SPEC-TEST PR-10: in plain the identity comes with NodeInfo, so that stage is before it. */
Test(dial_profile, plain_that_ends_in_node_info) {
    dial_world w;
    dial_open(&w, "plain,tendermint", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.profile, &dial_plain);
    dial_tcp_up(&w);
    dial_fail(&w, SY_STAGE_NODE_INFO, SY_ERR_NI_MALFORMED);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.profile, &dial_tendermint);
    dial_close(&w);
}

/* SPEC-TEST PR-09 PR-12: success remembers, also for the time after it was forgotten as target. */
Test(dial_profile, success_remembers) {
    dial_world w;
    sy_dial_ref ref;
    const sy_node_id id = dial_id(1);
    dial_open(&w, "tendermint,cometbft", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, &ref), SY_OK);
    cr_assert(dial_next(&w));
    fail_handshake(&w);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.profile, &dial_cometbft);
    dial_tcp_up(&w);
    cr_expect_null(sy_dial_table_remembered(&w.table, &id), "not before it is open");
    open_as(&w, 1, ref, &dial_cometbft);
    cr_expect_eq(sy_dial_table_remembered(&w.table, &id), &dial_cometbft);
    close_peer(&w, 1);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.profile, &dial_cometbft);
    fail_handshake(&w);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.profile, &dial_tendermint, "it may have changed");
    cr_assert_eq(sy_dial_table_remove(&w.table, ref), SY_OK);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_ONCE, NULL), SY_OK);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.profile, &dial_cometbft);
    dial_close(&w);
}

/* SPEC-TEST PR-12: in either direction. */
Test(dial_profile, an_inbound_peer_teaches) {
    dial_world w;
    dial_open(&w, "tendermint,cometbft", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    open_as(&w, 1, no_ref, &dial_cometbft);
    open_as(&w, 2, no_ref, &dial_cometbft);
    close_peer(&w, 1);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.profile, &dial_cometbft);
    close_peer(&w, 2);
    cr_assert_eq(dial_add(&w, 2, "1.1.1.1:2", SY_TARGET_LEARNED, NULL), SY_OK);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.profile, &dial_cometbft);
    dial_close(&w);
}

/* SPEC-TEST PR-13: neither failing handshakes nor a declared ID talk us out of encryption. */
Test(dial_profile, no_plain_when_another_is_remembered) {
    dial_world w;
    sy_dial_ref ref;
    const sy_node_id id = dial_id(1);
    dial_open(&w, "plain,tendermint,cometbft", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, &ref), SY_OK);
    open_as(&w, 1, no_ref, &dial_tendermint);
    close_peer(&w, 1);
    for (int i = 0; i < 8; i++) {
        cr_assert(dial_next(&w));
        cr_expect_eq(w.step.profile, i % 2 == 0 ? &dial_tendermint : &dial_cometbft, "%d: %s", i,
                     w.step.profile->name);
        fail_handshake(&w);
    }
    open_as(&w, 1, no_ref, &dial_plain); /* says it is 1, proves nothing */
    cr_expect_eq(sy_dial_table_remembered(&w.table, &id), &dial_tendermint);
    close_peer(&w, 1);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.profile, &dial_tendermint);
    dial_close(&w);
}

/* SPEC-TEST PR-13 PR-09 */
Test(dial_profile, what_a_file_remembers) {
    dial_world w;
    const sy_node_id one = dial_id(1);
    const sy_node_id two = dial_id(2);
    dial_open(&w, "plain", 1);
    sy_dial_table_remember(&w.table, &one, &dial_cometbft);
    cr_expect_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_ERR_CONFIG);
    cr_expect_not(dial_has(&w, 1));
    sy_dial_table_remember(&w.table, &one, NULL);
    cr_expect_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    sy_dial_table_remember(&w.table, &one, &dial_cometbft); /* too late: found at the dial */
    cr_expect_not(sy_dial_table_take_due(&w.table, &w.step, w.now));
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_WAITING);
    cr_expect_eq(dial_view(&w, 1).last_code, SY_ERR_CONFIG);
    dial_close(&w);

    dial_open(&w, "tendermint,plain", 1);
    sy_dial_table_remember(&w.table, &two, &dial_cometbft); /* no longer allowed */
    cr_assert_eq(dial_add(&w, 2, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert(dial_next(&w));
        cr_expect_eq(w.step.profile, &dial_tendermint);
        fail_handshake(&w);
    }
    dial_close(&w);
}

/* A target that is not persistent: all profiles at each endpoint, all endpoints, then gone, all at
 * once. */
Test(dial_profile, one_round_over_endpoints_and_profiles) {
    static const sy_target_kind kinds[] = {SY_TARGET_LEARNED, SY_TARGET_ONCE};
    for (size_t i = 0; i < 2; i++) {
        dial_world w;
        dial_open(&w, "tendermint,cometbft", 1);
        cr_assert_eq(dial_add(&w, 1, "name:1", kinds[i], NULL), SY_OK);
        cr_assert(dial_next(&w));
        dial_resolved(&w, 3);
        char trace[64] = "";
        while (w.step.kind == SY_DIAL_STEP_CONNECT) {
            const size_t used = strlen(trace);
            (void)snprintf(trace + used, sizeof trace - used, "%u%c ", dial_host(&w),
                           w.step.profile->name[0]);
            if (dial_host(&w) == 2) {
                dial_fail(&w, SY_STAGE_CONNECT, SY_ERR_CONNECT);
            } else {
                fail_handshake(&w);
            }
        }
        cr_expect_str_eq(trace, "1t 1c 2t 3t 3c ", "%s", trace);
        cr_expect_not(dial_has(&w, 1));
        cr_expect_eq(sy_dial_table_next_due(&w.table), SY_NEVER);
        dial_close(&w);
    }
}

/* Another node at the first endpoint: the second is tried; refused by the right node: it is not. */
Test(dial_profile, after_the_identity) {
    dial_world w;
    dial_open(&w, "tendermint,cometbft", 1);
    cr_assert_eq(dial_add(&w, 1, "name:1", SY_TARGET_ONCE, NULL), SY_OK);
    cr_assert(dial_next(&w));
    dial_resolved(&w, 3);
    dial_tcp_up(&w);
    dial_fail(&w, SY_STAGE_IDENTITY, SY_ERR_ID_MISMATCH);
    cr_expect_eq(dial_host(&w), 2);
    dial_tcp_up(&w);
    dial_fail(&w, SY_STAGE_NODE_INFO, SY_ERR_NI_NETWORK);
    cr_expect_eq(w.step.kind, SY_DIAL_STEP_NONE);
    cr_expect_not(dial_has(&w, 1));
    dial_close(&w);
}

/* A persistent target whose first address is taken by something else gets to the second one. */
Test(dial_profile, rounds_begin_behind_an_endpoint_that_failed_in_all_profiles) {
    dial_world w;
    dial_open(&w, "tendermint,cometbft", 1);
    cr_assert_eq(dial_add(&w, 1, "name:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    char trace[64] = "";
    for (int i = 0; i < 7; i++) {
        cr_assert(dial_next(&w));
        dial_resolved(&w, 3);
        const size_t used = strlen(trace);
        (void)snprintf(trace + used, sizeof trace - used, "%u%c ", dial_host(&w),
                       w.step.profile->name[0]);
        fail_handshake(&w);
    }
    cr_expect_str_eq(trace, "1t 1c 2t 2c 3t 3c 1t ", "%s", trace);
    dial_close(&w);
}

/* SPEC-TEST PL-05: plain is not allowed at a public endpoint; the next profile is taken at once. */
Test(dial_profile, filtered_at_this_endpoint) {
    dial_world w;
    dial_open(&w, "plain,tendermint", 1);
    cr_assert_eq(dial_add(&w, 1, "1.1.1.1:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_assert(dial_next(&w));
    cr_expect_eq(w.step.profile, &dial_plain);
    dial_fail(&w, SY_STAGE_CONNECT, SY_ERR_FILTERED);
    cr_assert_eq(w.step.kind, SY_DIAL_STEP_CONNECT);
    cr_expect_eq(w.step.profile, &dial_tendermint);
    cr_expect_eq(dial_host(&w), 1);
    dial_close(&w);

    dial_open(&w, "plain", 1);
    cr_assert_eq(dial_add(&w, 1, "name:1", SY_TARGET_PERSISTENT, NULL), SY_OK);
    cr_assert(dial_next(&w));
    dial_resolved(&w, 2);
    dial_fail(&w, SY_STAGE_CONNECT, SY_ERR_FILTERED);
    cr_expect_eq(dial_host(&w), 2, "none is left for the first endpoint");
    dial_fail(&w, SY_STAGE_CONNECT, SY_ERR_FILTERED);
    cr_expect_eq(w.step.kind, SY_DIAL_STEP_NONE);
    cr_expect_eq(dial_view(&w, 1).state, SY_TARGET_WAITING);
    dial_close(&w);
}

/* The memory is bounded (8 in these tests); the least recently opened leaves. */
Test(dial_profile, memory_is_bounded) {
    dial_world w;
    dial_open(&w, "tendermint,cometbft", 1);
    for (uint64_t n = 1; n <= 9; n++) {
        open_as(&w, n, no_ref, &dial_cometbft);
    }
    for (uint64_t n = 1; n <= 9; n++) {
        const sy_node_id id = dial_id(n);
        cr_expect_eq(sy_dial_table_remembered(&w.table, &id), n == 1 ? NULL : &dial_cometbft);
    }
    dial_close(&w);
}
