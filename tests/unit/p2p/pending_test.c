/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of handshakes in progress: who leaves when it is full. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "p2p/pending.h"
#include "tests/support/test_mem.h"

static sy_endpoint v4(uint8_t net, uint8_t host) {
    sy_endpoint e = {.ip = {[10] = 0xff, 0xff, 10, 0, net, host}, .port = host};
    return e;
}

static sy_endpoint v6(uint8_t net, uint8_t host) {
    sy_endpoint e = {.ip = {0x20, 1, 0, 0, 0, net, host, 1}, .port = host};
    return e;
}

/* SPEC-TEST SW-22 SW-23 */
Test(pending, the_oldest_of_the_fullest_prefix_leaves) {
    test_mem tm;
    sy_pending pool;
    sy_pending_entry e[8];
    memset(e, 0, sizeof e);
    test_mem_init(&tm);
    cr_assert_eq(sy_pending_init(&pool, 4, &tm.mem), SY_OK);
    const sy_endpoint lone = v4(1, 1);
    const sy_endpoint crowd1 = v4(2, 1);
    const sy_endpoint crowd2 = v4(2, 2);
    const sy_endpoint six = v6(1, 1);
    cr_expect_null(sy_pending_add(&pool, &e[0], &lone));
    cr_expect_null(sy_pending_add(&pool, &e[1], &crowd1));
    cr_expect_null(sy_pending_add(&pool, &e[2], &crowd2));
    cr_expect_null(sy_pending_add(&pool, &e[3], &six));
    cr_expect_eq(sy_pending_count(&pool), 4);
    cr_expect_eq(sy_pending_prefix_count(&pool, &crowd2), 2);

    /* The newcomer enters, whatever its own prefix is. */
    cr_expect_eq(sy_pending_add(&pool, &e[4], &lone), &e[1]);
    cr_expect_not(e[1].pooled);
    cr_expect(e[4].pooled);
    cr_expect_eq(sy_pending_prefix_count(&pool, &crowd1), 1);
    cr_expect_eq(sy_pending_prefix_count(&pool, &lone), 2);
    cr_expect_eq(sy_pending_add(&pool, &e[5], &six), &e[0], "now the first prefix is fullest");

    /* lone {4}, crowd {2}, six {3, 5}: a tie of two comes next. */
    cr_expect_eq(sy_pending_add(&pool, &e[6], &crowd1), &e[3]);
    /* lone {4}, crowd {2, 6}, six {5} */
    cr_expect_eq(sy_pending_add(&pool, &e[7], &six), &e[2]);
    sy_pending_fini(&pool);
    test_mem_fini(&tm);
}

/* SPEC-TEST SW-23: equally full: the prefix with the oldest entry. */
Test(pending, ties_go_to_the_oldest) {
    test_mem tm;
    sy_pending pool;
    sy_pending_entry e[6];
    memset(e, 0, sizeof e);
    test_mem_init(&tm);
    cr_assert_eq(sy_pending_init(&pool, 4, &tm.mem), SY_OK);
    const sy_endpoint a = v4(1, 1);
    const sy_endpoint b = v4(2, 1);
    cr_expect_null(sy_pending_add(&pool, &e[0], &b));
    cr_expect_null(sy_pending_add(&pool, &e[1], &a));
    cr_expect_null(sy_pending_add(&pool, &e[2], &a));
    cr_expect_null(sy_pending_add(&pool, &e[3], &b));
    cr_expect_eq(sy_pending_add(&pool, &e[4], &a), &e[0]);
    /* a {1, 2, 4}, b {3} */
    sy_pending_remove(&pool, &e[1]);
    /* a {2, 4}, b {3} */
    cr_expect_null(sy_pending_add(&pool, &e[1], &b));
    /* a {2, 4}, b {3, 1}: 2 is older than 3 */
    cr_expect_eq(sy_pending_add(&pool, &e[5], &b), &e[2]);
    sy_pending_fini(&pool);
    test_mem_fini(&tm);
}

Test(pending, prefixes_of_v4_and_v6) {
    test_mem tm;
    sy_pending pool;
    sy_pending_entry e[3];
    memset(e, 0, sizeof e);
    test_mem_init(&tm);
    cr_assert_eq(sy_pending_init(&pool, 8, &tm.mem), SY_OK);
    const sy_endpoint a = v6(9, 1);
    const sy_endpoint same = v6(9, 200);
    const sy_endpoint other = v6(8, 1);
    cr_expect_null(sy_pending_add(&pool, &e[0], &a));
    cr_expect_null(sy_pending_add(&pool, &e[1], &same));
    cr_expect_null(sy_pending_add(&pool, &e[2], &other));
    cr_expect_eq(sy_pending_prefix_count(&pool, &a), 2);
    cr_expect_eq(sy_pending_prefix_count(&pool, &other), 1);
    sy_pending_fini(&pool);
    test_mem_fini(&tm);
}

Test(pending, remove_is_harmless_twice) {
    test_mem tm;
    sy_pending pool;
    sy_pending_entry e = {.pooled = false};
    test_mem_init(&tm);
    cr_assert_eq(sy_pending_init(&pool, 1, &tm.mem), SY_OK);
    const sy_endpoint a = v4(1, 1);
    sy_pending_remove(&pool, &e);
    cr_expect_null(sy_pending_add(&pool, &e, &a));
    sy_pending_remove(&pool, &e);
    sy_pending_remove(&pool, &e);
    cr_expect_eq(sy_pending_count(&pool), 0);
    cr_expect_null(sy_pending_add(&pool, &e, &a), "and it may enter again");
    sy_pending_fini(&pool);
    test_mem_fini(&tm);
}

Test(pending, a_new_size) {
    test_mem tm;
    sy_pending pool;
    sy_pending_entry e[4];
    memset(e, 0, sizeof e);
    test_mem_init(&tm);
    cr_assert_eq(sy_pending_init(&pool, 2, &tm.mem), SY_OK);
    tm.fail_at = tm.calls + 1;
    cr_expect_eq(sy_pending_set_max(&pool, 4), SY_ERR_NOMEM);
    tm.fail_at = 0;
    cr_assert_eq(sy_pending_set_max(&pool, 4), SY_OK);
    for (uint8_t i = 0; i < 4; i++) {
        const sy_endpoint a = v4(i, 1);
        cr_expect_null(sy_pending_add(&pool, &e[i], &a));
    }
    cr_expect_null(sy_pending_pop_excess(&pool));
    cr_assert_eq(sy_pending_set_max(&pool, 2), SY_OK);
    cr_expect_eq(sy_pending_pop_excess(&pool), &e[0]);
    cr_expect_eq(sy_pending_pop_excess(&pool), &e[1]);
    cr_expect_null(sy_pending_pop_excess(&pool));
    const sy_endpoint a = v4(9, 1);
    cr_expect_eq(sy_pending_add(&pool, &e[0], &a), &e[2]);
    cr_expect_eq(sy_pending_count(&pool), 2);
    sy_pending_fini(&pool);
    test_mem_fini(&tm);
}

/* The same choice by walking everything: the prefix with the most entries, of equals the one whose
 * oldest is oldest, and of that its oldest. */
static size_t oracle_victim(const uint64_t *arrival, const uint8_t *net, size_t n) {
    size_t best = n;
    size_t best_count = 0;
    for (size_t i = 0; i < n; i++) {
        size_t count = 0;
        bool oldest = arrival[i] != 0;
        for (size_t j = 0; j < n; j++) {
            if (arrival[j] != 0 && net[j] == net[i]) {
                count++;
                oldest = oldest && arrival[i] <= arrival[j];
            }
        }
        if (oldest && (count > best_count ||
                       (count == best_count && best < n && arrival[i] < arrival[best]))) {
            best = i;
            best_count = count;
        }
    }
    return best;
}

/* SPEC-TEST SW-22 SW-23 */
Test(pending, random_floods_agree_with_an_oracle) {
    enum {
        ENTRIES = 40,
        MAX = 24
    };
    test_mem tm;
    size_t evicted = 0;
    test_mem_init(&tm);
    for (uint64_t seed = 0; seed < 20; seed++) {
        sy_pending pool;
        sy_pending_entry e[ENTRIES];
        uint64_t arrival[ENTRIES] = {0}; /* 0: not in the pool */
        uint8_t net[ENTRIES] = {0};
        sy_prng prng;
        memset(e, 0, sizeof e);
        sy_prng_init(&prng, seed);
        cr_assert_eq(sy_pending_init(&pool, MAX, &tm.mem), SY_OK);
        for (uint64_t step = 1; step < 1500; step++) {
            const size_t i = sy_prng_below(&prng, ENTRIES);
            if (arrival[i] != 0) {
                if (sy_prng_below(&prng, 3) == 0) {
                    sy_pending_remove(&pool, &e[i]);
                    arrival[i] = 0;
                }
                continue;
            }
            const uint8_t n = (uint8_t)sy_prng_below(&prng, sy_prng_below(&prng, 8) + 1);
            const sy_endpoint remote = v4(n, (uint8_t)i);
            const size_t victim = sy_pending_count(&pool) == MAX
                                      ? oracle_victim(arrival, net, ENTRIES)
                                      : (size_t)ENTRIES;
            const sy_pending_entry *left = sy_pending_add(&pool, &e[i], &remote);
            cr_assert_eq(left == NULL, victim == ENTRIES);
            if (left != NULL) {
                cr_assert_eq(left, &e[victim], "seed %d step %d", (int)seed, (int)step);
                arrival[victim] = 0;
                evicted++;
            }
            arrival[i] = step;
            net[i] = n;
        }
        sy_pending_fini(&pool);
    }
    cr_expect_gt(evicted, 1000);
    test_mem_fini(&tm);
}
