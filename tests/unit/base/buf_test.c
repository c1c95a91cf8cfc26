/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/buf.h"
#include "base/prng.h"
#include "tests/support/test_contract.h"
#include "tests/support/test_mem.h"

static void fill(uint8_t *data, size_t len, uint8_t first) {
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(first + i * 7);
    }
}

Test(buf, empty_costs_nothing) {
    test_mem tm;
    test_mem_init(&tm);
    sy_budget budget;
    sy_budget_init(&budget, NULL, "channel", 0);
    sy_buf buf;

    sy_buf_init(&buf, &tm.mem, &budget, 1000);
    cr_expect_eq(sy_buf_reserve(&buf, 0), SY_OK);
    cr_expect_eq(sy_buf_append(&buf, NULL, 0), SY_OK);
    sy_buf_consume(&buf, 0);
    sy_buf_clear(&buf);
    sy_buf_drop(&buf);

    cr_expect_null(buf.data);
    cr_expect_eq(tm.calls, 0);
    sy_buf_fini(&buf);
    sy_budget_fini(&budget);
    test_mem_fini(&tm);
}

Test(buf, append_consume_clear_drop) {
    test_mem tm;
    test_mem_init(&tm);
    sy_budget budget;
    sy_budget_init(&budget, NULL, "channel", 100000);
    sy_buf buf;
    sy_buf_init(&buf, &tm.mem, &budget, 1000);

    cr_assert_eq(sy_buf_append(&buf, "hello ", 6), SY_OK);
    cr_assert_eq(sy_buf_append(&buf, "world", 5), SY_OK);
    cr_expect_eq(buf.len, 11);
    cr_expect_arr_eq(buf.data, "hello world", 11);
    sy_buf_consume(&buf, 6);
    cr_expect_eq(buf.len, 5);
    cr_expect_arr_eq(buf.data, "world", 5);
    sy_buf_consume(&buf, 5);
    cr_expect_eq(buf.len, 0);

    cr_assert_eq(sy_buf_append(&buf, "again", 5), SY_OK);
    const size_t cap = buf.cap;
    sy_buf_clear(&buf);
    cr_expect_eq(buf.len, 0);
    cr_expect_eq(buf.cap, cap, "clear keeps the memory");
    cr_expect_eq(budget.used, cap);
    sy_buf_drop(&buf);
    cr_expect_null(buf.data);
    cr_expect_eq(buf.cap, 0);
    cr_expect_eq(budget.used, 0);
    cr_expect_eq(tm.live_blocks, 0);

    cr_assert_eq(sy_buf_append(&buf, "usable", 6), SY_OK, "after drop");
    sy_buf_fini(&buf);
    sy_budget_fini(&budget);
    test_mem_fini(&tm);
}

Test(buf, max_is_inclusive) {
    static const size_t maxima[] = {0, 1, 63, 64, 65, 100, 1000};
    static const uint8_t zeros[1001];
    for (size_t i = 0; i < sizeof maxima / sizeof maxima[0]; i++) {
        const size_t max = maxima[i];
        for (size_t first = 0; first <= max; first += max / 3 + 1) {
            test_mem tm;
            test_mem_init(&tm);
            sy_buf buf;
            sy_buf_init(&buf, &tm.mem, NULL, max);
            cr_assert_eq(sy_buf_append(&buf, zeros, first), SY_OK, "max %zu", max);

            cr_expect_eq(sy_buf_append(&buf, zeros, max - first + 1), SY_ERR_NO_SPACE, "max %zu",
                         max);
            cr_expect_eq(sy_buf_reserve(&buf, SIZE_MAX), SY_ERR_NO_SPACE, "max %zu", max);
            cr_expect_eq(sy_buf_reserve(&buf, SIZE_MAX - first), SY_ERR_NO_SPACE, "max %zu", max);
            cr_expect_eq(buf.len, first, "max %zu", max);
            cr_expect_eq(sy_buf_append(&buf, zeros, max - first), SY_OK, "max %zu", max);
            cr_expect_eq(buf.len, max, "max %zu", max);
            cr_expect_leq(buf.cap, max, "max %zu", max);
            sy_buf_fini(&buf);
            test_mem_fini(&tm);
        }
    }
}

Test(buf, grows_by_doubling) {
    test_mem tm;
    test_mem_init(&tm);
    sy_buf buf;
    sy_buf_init(&buf, &tm.mem, NULL, 1 << 20);

    for (int i = 0; i < 1 << 20; i++) {
        cr_assert_eq(sy_buf_append(&buf, "x", 1), SY_OK);
    }

    cr_expect_leq(tm.calls, 15, "%zu allocations", tm.calls);
    cr_expect_eq(buf.cap, 1 << 20);
    sy_buf_fini(&buf);
    test_mem_fini(&tm);
}

/* Capacities near SIZE_MAX: an allocator that refuses shows what was asked for. */
Test(buf, doubling_does_not_overflow) {
    test_mem tm;
    test_mem_init(&tm);
    sy_budget budget;
    sy_budget_init(&budget, NULL, "channel", SIZE_MAX);
    sy_buf buf;
    sy_buf_init(&buf, &tm.mem, &budget, SIZE_MAX);
    cr_assert_eq(sy_buf_append(&buf, "abc", 3), SY_OK);
    const size_t used = budget.used;

    tm.fail_at = 2;
    tm.fail_from = true;

    cr_expect_eq(sy_buf_reserve(&buf, SIZE_MAX), SY_ERR_NO_SPACE);
    cr_expect_eq(sy_buf_reserve(&buf, SIZE_MAX - 3), SY_ERR_NOMEM);
    cr_expect_eq(sy_buf_reserve(&buf, SIZE_MAX / 2 + 1), SY_ERR_NOMEM);
    cr_expect_eq(budget.used, used);
    cr_expect_arr_eq(buf.data, "abc", 3);
    sy_buf_fini(&buf);
    sy_budget_fini(&budget);
    test_mem_fini(&tm);
}

Test(buf, budget_is_charged_by_capacity_and_refusal_changes_nothing) {
    test_mem tm;
    test_mem_init(&tm);
    sy_budget peer;
    sy_budget channel;
    sy_budget_init(&peer, NULL, "peer", 300);
    sy_budget_init(&channel, &peer, "channel", 1000);
    uint8_t data[400];
    fill(data, sizeof data, 1);
    sy_buf buf;
    sy_buf_init(&buf, &tm.mem, &channel, 1000);

    cr_assert_eq(sy_buf_append(&buf, data, 200), SY_OK);
    cr_expect_eq(channel.used, buf.cap);
    cr_expect_eq(peer.used, buf.cap);

    const sy_buf before = buf;
    cr_expect_eq(sy_buf_append(&buf, data, 101), SY_ERR_LIMIT);
    cr_expect_eq(memcmp(&before, &buf, sizeof buf), 0);
    cr_expect_eq(memcmp(buf.data, data, 200), 0);
    cr_expect_eq(peer.used, before.cap);

    /* The double of 200 would not fit, what is needed does. */
    cr_expect_eq(sy_buf_append(&buf, data + 200, 100), SY_OK);
    cr_expect_eq(buf.cap, 300);
    cr_expect_eq(memcmp(buf.data, data, 300), 0);
    cr_expect_eq(peer.used, 300);
    cr_expect_eq(sy_buf_append(&buf, data, 1), SY_ERR_LIMIT);

    sy_buf_fini(&buf);
    cr_expect_eq(peer.used, 0);
    sy_budget_fini(&channel);
    sy_budget_fini(&peer);
    test_mem_fini(&tm);
}

/* Appends of all sizes up to the first failure; checks that a failure changed nothing and gives
 * back everything.  Returns whether it went through. */
static bool oom_scenario(test_mem *tm) {
    sy_budget budget;
    sy_budget_init(&budget, NULL, "channel", 1 << 20);
    uint8_t data[3000];
    fill(data, sizeof data, 3);
    sy_buf buf;
    sy_buf_init(&buf, &tm->mem, &budget, 100000);

    bool ok = true;
    size_t total = 0;
    for (size_t n = 1; n <= sizeof data && ok; n = n * 2 + 1) {
        const sy_buf before = buf;
        const sy_err err = sy_buf_append(&buf, data, n);
        if (err != SY_OK) {
            ok = false;
            cr_expect_eq(err, SY_ERR_NOMEM, "call %zu", tm->calls);
            cr_expect_eq(memcmp(&before, &buf, sizeof buf), 0, "call %zu", tm->calls);
        } else {
            cr_expect_eq(memcmp(buf.data + total, data, n), 0, "size %zu", n);
            total += n;
        }
        cr_expect_eq(buf.len, total);
        cr_expect_eq(budget.used, buf.cap);
        cr_expect_eq(tm->live_bytes, buf.cap);
    }
    if (!ok) {
        tm->fail_at = 0;
        cr_expect_eq(sy_buf_append(&buf, data, 10), SY_OK, "usable after a failure");
    }
    sy_buf_fini(&buf);
    sy_budget_fini(&budget);
    return ok;
}

Test(buf, out_of_memory_sweep) {
    test_mem tm;
    test_mem_init(&tm);
    cr_assert(oom_scenario(&tm));
    const size_t calls = tm.calls;
    cr_assert_gt(calls, 3);
    test_mem_fini(&tm);

    for (size_t k = 1; k <= calls; k++) {
        test_mem_init(&tm);
        tm.fail_at = k;
        cr_expect_not(oom_scenario(&tm), "call %zu of %zu", k, calls);
        cr_expect_eq(tm.live_blocks, 0, "call %zu", k);
        test_mem_fini(&tm);
    }
}

/* Random operations against a plain array. */
Test(buf, random_operations_agree_with_an_array) {
    enum {
        MAX = 3000
    };
    test_mem tm;
    test_mem_init(&tm);
    sy_prng prng;
    sy_prng_init(&prng, 31);
    static uint8_t model[MAX];
    size_t model_len = 0;
    size_t refused = 0;
    sy_buf buf;
    sy_buf_init(&buf, &tm.mem, NULL, MAX);

    for (int step = 0; step < 20000; step++) {
        const uint64_t what = sy_prng_below(&prng, 100);
        if (what < 60) {
            uint8_t data[300];
            const size_t n = (size_t)sy_prng_below(&prng, sizeof data + 1);
            fill(data, n, (uint8_t)step);
            const bool fits = model_len + n <= MAX;
            cr_assert_eq(sy_buf_append(&buf, data, n), fits ? SY_OK : SY_ERR_NO_SPACE, "step %d",
                         step);
            refused += fits ? 0 : 1;
            if (fits) {
                memcpy(model + model_len, data, n);
                model_len += n;
            }
        } else if (what < 97) {
            const size_t n = (size_t)sy_prng_below(&prng, model_len / 3 + 1);
            sy_buf_consume(&buf, n);
            memmove(model, model + n, model_len - n);
            model_len -= n;
        } else if (what < 98) {
            sy_buf_clear(&buf);
            model_len = 0;
        } else if (what < 99) {
            sy_buf_drop(&buf);
            model_len = 0;
        } else {
            const size_t n = (size_t)sy_prng_below(&prng, MAX - model_len + 1);
            cr_assert_eq(sy_buf_reserve(&buf, n), SY_OK);
            cr_assert_geq(buf.cap, model_len + n);
        }
        cr_assert_eq(buf.len, model_len, "step %d", step);
        cr_assert(model_len == 0 || memcmp(buf.data, model, model_len) == 0, "step %d", step);
        cr_assert_leq(buf.cap, MAX, "step %d", step);
        cr_assert_eq(tm.live_bytes, buf.cap, "step %d", step);
    }
    cr_expect_gt(refused, 10);
    sy_buf_fini(&buf);
    test_mem_fini(&tm);
}

static void consume_too_much(void *user) {
    sy_buf_consume(user, 4);
}

Test(buf, consuming_more_than_there_is_breaks_the_contract) {
    test_mem tm;
    test_mem_init(&tm);
    sy_buf buf;
    sy_buf_init(&buf, &tm.mem, NULL, 10);
    cr_assert_eq(sy_buf_append(&buf, "abc", 3), SY_OK);

    cr_expect_str_eq(test_contract(consume_too_much, &buf), "contract");

    cr_expect_eq(buf.len, 3);
    sy_buf_fini(&buf);
    test_mem_fini(&tm);
}
