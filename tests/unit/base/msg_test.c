/* SPDX-License-Identifier: Apache-2.0 */
#include <switchyard/msg.h>

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/test_contract.h"
#include "tests/support/test_mem.h"

Test(msg, copies_the_data_in_one_allocation) {
    static const size_t lens[] = {0, 1, 7, 8, 1024, 70000};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        test_mem tm;
        test_mem_init(&tm);
        uint8_t *data = sy_mem_zalloc(sy_mem_libc(), lens[i]);
        memset(data, 0x42, lens[i]);
        sy_msg *msg = NULL;

        cr_assert_eq(sy_msg_new(&tm.mem, NULL, data, lens[i], &msg), SY_OK, "len %zu", lens[i]);

        cr_expect_eq(tm.calls, 1, "len %zu", lens[i]);
        cr_expect_eq(sy_msg_len(msg), lens[i]);
        cr_expect_eq(memcmp(sy_msg_data(msg), data, lens[i]), 0, "len %zu", lens[i]);
        memset(data, 0, lens[i]);
        if (lens[i] > 0) {
            cr_expect_eq(sy_msg_data(msg)[lens[i] - 1], 0x42, "len %zu", lens[i]);
        }
        sy_msg_unref(msg);
        sy_mem_release(sy_mem_libc(), data);
        test_mem_fini(&tm);
    }
}

Test(msg, content_can_be_written_before_it_is_shared) {
    test_mem tm;
    test_mem_init(&tm);
    sy_msg *msg = NULL;
    cr_assert_eq(sy_msg_new(&tm.mem, NULL, NULL, 5, &msg), SY_OK);
    cr_expect_arr_eq(sy_msg_data(msg), "\0\0\0\0\0", 5, "no stale memory shows");

    memcpy(sy_msg_write_data(msg), "hello", 5);

    cr_expect_arr_eq(sy_msg_data(msg), "hello", 5);
    sy_msg_unref(msg);
    test_mem_fini(&tm);
}

Test(msg, lives_until_the_last_reference) {
    test_mem tm;
    test_mem_init(&tm);
    sy_msg *msg = NULL;
    cr_assert_eq(sy_msg_new(&tm.mem, NULL, "abc", 3, &msg), SY_OK);

    for (int i = 0; i < 100; i++) {
        cr_assert_eq(sy_msg_ref(msg), msg);
    }
    for (int i = 0; i < 100; i++) {
        sy_msg_unref(msg);
        cr_assert_eq(tm.live_blocks, 1, "after %d", i);
        cr_assert_arr_eq(sy_msg_data(msg), "abc", 3);
    }
    sy_msg_unref(msg);

    cr_expect_eq(tm.live_blocks, 0);
    sy_msg_unref(NULL);
    test_mem_fini(&tm);
}

Test(msg, charges_its_budget_once_until_the_end) {
    test_mem tm;
    test_mem_init(&tm);
    sy_budget budget;
    sy_budget_init(&budget, NULL, "node", 100000);
    sy_msg *msg = NULL;

    cr_assert_eq(sy_msg_new(&tm.mem, &budget, NULL, 1000, &msg), SY_OK);
    const size_t charged = budget.used;
    (void)sy_msg_ref(msg);

    cr_expect_eq(charged, tm.live_bytes, "what is charged is what is held");
    cr_expect_geq(charged, 1000);
    cr_expect_eq(budget.used, charged);
    sy_msg_unref(msg);
    cr_expect_eq(budget.used, charged);
    sy_msg_unref(msg);
    cr_expect_eq(budget.used, 0);

    /* The limit at -1, 0, +1 of what one message costs. */
    for (size_t limit = charged - 1; limit <= charged + 1; limit++) {
        sy_msg *other = NULL;
        budget.limit = limit;
        const sy_err err = sy_msg_new(&tm.mem, &budget, NULL, 1000, &other);
        cr_expect_eq(err, limit < charged ? SY_ERR_LIMIT : SY_OK, "limit %zu", limit);
        cr_expect_eq(other == NULL, limit < charged, "limit %zu", limit);
        sy_msg_unref(other);
        cr_expect_eq(budget.used, 0, "limit %zu", limit);
    }
    sy_budget_fini(&budget);
    test_mem_fini(&tm);
}

Test(msg, failure_changes_nothing) {
    test_mem tm;
    test_mem_init(&tm);
    sy_budget budget;
    sy_budget_init(&budget, NULL, "node", SIZE_MAX);
    sy_msg *const untouched = (sy_msg *)&tm;
    sy_msg *msg = untouched;

    tm.fail_at = 1;
    cr_expect_eq(sy_msg_new(&tm.mem, &budget, NULL, 10, &msg), SY_ERR_NOMEM);
    cr_expect_eq(sy_msg_new(&tm.mem, &budget, NULL, SIZE_MAX, &msg), SY_ERR_NOMEM, "overflow");

    cr_expect_eq(tm.calls, 1, "an overflow never reaches the allocator");
    cr_expect_eq(msg, untouched);
    cr_expect_eq(budget.used, 0);
    sy_budget_fini(&budget);
    test_mem_fini(&tm);
}

#define THREADS 4
#define ROUNDS  20000

static void *take_and_drop(void *user) {
    sy_msg *msg = user;
    uint64_t wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        sy_msg *mine = sy_msg_ref(msg);
        wrong += memcmp(sy_msg_data(mine), "shared", 6) != 0;
        sy_msg_unref(mine);
    }
    sy_msg_unref(msg); /* the reference given to this thread */
    return (void *)(uintptr_t)wrong;
}

Test(msg, references_move_between_threads) {
    test_mem tm;
    test_mem_init(&tm);
    sy_msg *msg = NULL;
    cr_assert_eq(sy_msg_new(&tm.mem, NULL, "shared", 6, &msg), SY_OK);
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, take_and_drop, sy_msg_ref(msg)), 0);
    }
    sy_msg_unref(msg); /* whichever thread is last frees */
    for (int i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        cr_assert_eq(pthread_join(threads[i], &wrong), 0);
        cr_expect_null(wrong);
    }

    cr_expect_eq(tm.live_blocks, 0);
    test_mem_fini(&tm);
}

static void write_shared(void *user) {
    (void)sy_msg_write_data(user);
}

Test(msg, writing_a_shared_message_is_a_broken_contract) {
    test_mem tm;
    test_mem_init(&tm);
    sy_msg *msg = NULL;
    cr_assert_eq(sy_msg_new(&tm.mem, NULL, NULL, 3, &msg), SY_OK);
    (void)sy_msg_ref(msg);

    cr_expect_str_eq(test_contract(write_shared, msg), "contract");

    sy_msg_unref(msg);
    cr_expect_null(test_contract(write_shared, msg), "alone again");
    sy_msg_unref(msg);
    test_mem_fini(&tm);
}
