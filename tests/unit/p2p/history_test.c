/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>

#include "p2p/history.h"
#include "tests/support/test_mem.h"

static const uint8_t key[SY_ID_MAP_KEY_LEN] = {7};

static sy_node_id id_of(uint8_t n) {
    return (sy_node_id){{n}};
}

static sy_reason reason_of(sy_stage stage, sy_err code, const char *text) {
    sy_detail detail;
    sy_detail_set(&detail, "%s", text);
    return sy_reason_make(stage, code, &detail);
}

/* SPEC-TEST ER-11 */
Test(history, keeps_the_last_eight_with_time_and_direction) {
    test_mem tm;
    sy_history h;
    sy_history_end ends[SY_HISTORY_ENDS];
    test_mem_init(&tm);
    cr_assert_eq(sy_history_init(&h, 4, &tm.mem, key), SY_OK);
    const size_t calls = tm.calls;
    const sy_node_id id = id_of(1);
    cr_expect_eq(sy_history_get(&h, &id, ends), 0);
    for (uint64_t i = 1; i <= 10; i++) {
        const sy_reason r =
            reason_of(SY_STAGE_OPEN, i % 2 == 0 ? SY_ERR_PONG_TIMEOUT : SY_ERR_FRAME_TAG, "why");
        cr_expect_eq(sy_history_add(&h, &id, &r, i % 3 == 0, i * SY_SEC), 1);
        cr_expect_eq(sy_history_get(&h, &id, ends), i < 8 ? i : 8);
    }
    for (uint64_t i = 0; i < 8; i++) {
        const uint64_t n = 10 - i;
        cr_expect_eq(ends[i].at, n * SY_SEC, "newest first");
        cr_expect_eq(ends[i].outbound, n % 3 == 0);
        cr_expect_eq(ends[i].code, n % 2 == 0 ? SY_ERR_PONG_TIMEOUT : SY_ERR_FRAME_TAG);
        cr_expect_eq(ends[i].stage, SY_STAGE_OPEN);
        cr_expect_eq(ends[i].fault, SY_FAULT_REMOTE);
        cr_expect_str_eq(ends[i].text, "why");
    }
    cr_expect_eq(sy_history_id_count(&h, &id), 10);
    cr_expect_eq(tm.calls, calls + 1, "one allocation for an ID");
    sy_history_fini(&h);
    test_mem_fini(&tm);
}

Test(history, counts_the_same_reason_in_a_row) {
    test_mem tm;
    sy_history h;
    test_mem_init(&tm);
    cr_assert_eq(sy_history_init(&h, 4, &tm.mem, key), SY_OK);
    const sy_node_id a = id_of(1);
    const sy_node_id b = id_of(2);
    const sy_reason long_message = reason_of(SY_STAGE_OPEN, SY_ERR_MESSAGE_TOO_LONG, "x");
    const sy_reason timeout = reason_of(SY_STAGE_OPEN, SY_ERR_PONG_TIMEOUT, "x");
    const sy_reason other_stage = reason_of(SY_STAGE_NODE_INFO, SY_ERR_PONG_TIMEOUT, "x");
    cr_expect_eq(sy_history_add(&h, &a, &long_message, true, 1), 1);
    cr_expect_eq(sy_history_add(&h, &a, &long_message, false, 2), 2, "either direction");
    cr_expect_eq(sy_history_add(&h, &b, &long_message, true, 3), 1, "another peer");
    cr_expect_eq(sy_history_add(&h, &a, &long_message, true, 4), 3);
    cr_expect_eq(sy_history_add(&h, &a, &timeout, true, 5), 1, "another code");
    cr_expect_eq(sy_history_add(&h, &a, &other_stage, true, 6), 1, "another stage");
    cr_expect_eq(sy_history_add(&h, &a, &other_stage, true, 7), 2);
    sy_history_clear_row(&h, &a);
    cr_expect_eq(sy_history_add(&h, &a, &other_stage, true, 8), 1);
    cr_expect_eq(sy_history_add(&h, NULL, &other_stage, true, 9), 1);
    cr_expect_eq(sy_history_add(&h, NULL, &other_stage, true, 9), 1, "no ID, no row");
    sy_history_end ends[SY_HISTORY_ENDS];
    cr_expect_eq(sy_history_get(&h, &a, ends), 7);
    cr_expect_eq(ends[1].in_a_row, 2);
    sy_history_fini(&h);
    test_mem_fini(&tm);
}

/* SPEC-TEST SW-24: counted by stage, code and direction, with or without ID. */
Test(history, counters) {
    test_mem tm;
    sy_history h;
    test_mem_init(&tm);
    cr_assert_eq(sy_history_init(&h, 2, &tm.mem, key), SY_OK);
    const sy_reason full = reason_of(SY_STAGE_IDENTITY, SY_ERR_ADMIT_FULL, "");
    const sy_reason odd = reason_of(SY_STAGE_OPEN, (sy_err)-999, "");
    const sy_node_id id = id_of(1);
    (void)sy_history_add(&h, NULL, &full, false, 1);
    (void)sy_history_add(&h, &id, &full, false, 1);
    (void)sy_history_add(&h, &id, &full, true, 1);
    (void)sy_history_add(&h, &id, &odd, true, 1);
    cr_expect_eq(sy_history_count(&h, SY_STAGE_IDENTITY, SY_ERR_ADMIT_FULL), 3);
    cr_expect_eq(sy_history_count_dir(&h, SY_STAGE_IDENTITY, SY_ERR_ADMIT_FULL, false), 2);
    cr_expect_eq(sy_history_count_dir(&h, SY_STAGE_IDENTITY, SY_ERR_ADMIT_FULL, true), 1);
    cr_expect_eq(sy_history_count(&h, SY_STAGE_OPEN, SY_ERR_ADMIT_FULL), 0);
    cr_expect_eq(sy_history_count(&h, SY_STAGE_IDENTITY, SY_ERR_ADMIT_TOTAL), 0);
    cr_expect_eq(sy_history_count(&h, SY_STAGE_OPEN, (sy_err)-998), 1, "outside the table");
    cr_expect_eq(sy_history_total(&h), 4);
    sy_history_fini(&h);
    test_mem_fini(&tm);
}

Test(history, the_least_recent_id_leaves_and_takes_its_ends_with_it) {
    test_mem tm;
    sy_history h;
    sy_history_end ends[SY_HISTORY_ENDS];
    test_mem_init(&tm);
    cr_assert_eq(sy_history_init(&h, 2, &tm.mem, key), SY_OK);
    const sy_reason r = reason_of(SY_STAGE_OPEN, SY_ERR_REMOTE_CLOSED, "");
    const sy_node_id a = id_of(1);
    const sy_node_id b = id_of(2);
    const sy_node_id c = id_of(3);
    (void)sy_history_add(&h, &a, &r, true, 1);
    (void)sy_history_add(&h, &b, &r, true, 2);
    (void)sy_history_add(&h, &a, &r, true, 3);
    cr_expect_eq(sy_history_add(&h, &c, &r, true, 4), 1, "no ends of the one before");
    cr_expect_eq(sy_history_get(&h, &b, ends), 0);
    cr_expect_eq(sy_history_get(&h, &a, ends), 2);
    cr_expect_eq(sy_history_get(&h, &c, ends), 1);

    uint32_t cursor = SY_ID_MAP_NONE;
    const sy_node_id *first = sy_history_next(&h, &cursor);
    cr_assert_not_null(first);
    cr_expect(sy_node_id_equal(first, &c));
    const sy_node_id *second = sy_history_next(&h, &cursor);
    cr_assert_not_null(second);
    cr_expect(sy_node_id_equal(second, &a));
    cr_expect_null(sy_history_next(&h, &cursor));
    cr_expect_eq(sy_history_total(&h), 4);
    sy_history_fini(&h);
    test_mem_fini(&tm);
}

Test(history, long_text_is_cut) {
    test_mem tm;
    sy_history h;
    sy_history_end ends[SY_HISTORY_ENDS];
    char text[SY_DETAIL_CAP];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    test_mem_init(&tm);
    cr_assert_eq(sy_history_init(&h, 1, &tm.mem, key), SY_OK);
    const sy_reason r = reason_of(SY_STAGE_OPEN, SY_ERR_REMOTE_CLOSED, text);
    const sy_node_id a = id_of(1);
    (void)sy_history_add(&h, &a, &r, true, 1);
    cr_assert_eq(sy_history_get(&h, &a, ends), 1);
    cr_expect_eq(strlen(ends[0].text), SY_HISTORY_TEXT - 1);
    sy_history_fini(&h);
    test_mem_fini(&tm);
}

Test(history, init_without_memory) {
    test_mem tm;
    sy_history h;
    test_mem_init(&tm);
    for (size_t k = 1; k <= 4; k++) {
        tm.calls = 0;
        tm.fail_at = k;
        cr_expect_eq(sy_history_init(&h, 4, &tm.mem, key), SY_ERR_NOMEM, "%zu", k);
        cr_expect_eq(tm.live_blocks, 0);
    }
    tm.fail_at = 0;
    test_mem_fini(&tm);
}

/* Without memory for an ID its ends are counted, and it is not kept. */
Test(history, counts_without_memory) {
    test_mem tm;
    sy_history h;
    sy_history_end ends[SY_HISTORY_ENDS];
    test_mem_init(&tm);
    cr_assert_eq(sy_history_init(&h, 4, &tm.mem, key), SY_OK);
    const sy_node_id id = id_of(1);
    const sy_reason r = reason_of(SY_STAGE_OPEN, SY_ERR_PONG_TIMEOUT, "x");
    tm.fail_at = tm.calls + 1;
    cr_expect_eq(sy_history_add(&h, &id, &r, true, SY_SEC), 1);
    cr_expect_eq(sy_history_get(&h, &id, ends), 0);
    cr_expect_eq(sy_history_count(&h, SY_STAGE_OPEN, SY_ERR_PONG_TIMEOUT), 1);
    cr_expect_eq(sy_history_total(&h), 1);
    cr_expect_eq(sy_history_add(&h, &id, &r, true, 2 * SY_SEC), 1);
    cr_expect_eq(sy_history_add(&h, &id, &r, true, 3 * SY_SEC), 2);
    cr_expect_eq(sy_history_get(&h, &id, ends), 2);
    cr_expect_eq(sy_history_total(&h), 3);
    sy_history_fini(&h);
    test_mem_fini(&tm);
}
