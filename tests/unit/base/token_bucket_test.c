/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/prng.h"
#include "base/token_bucket.h"
#include "tests/support/test_contract.h"

Test(token_bucket, starts_full_and_refills) {
    sy_token_bucket tb;
    sy_token_bucket_init(&tb, 10, 5, 1000);

    cr_expect_eq(sy_token_bucket_available(&tb, 1000), 5);
    cr_expect(sy_token_bucket_take(&tb, 5, 1000));
    cr_expect_not(sy_token_bucket_take(&tb, 1, 1000));
    cr_expect(sy_token_bucket_take(&tb, 0, 1000));
    cr_expect_not(sy_token_bucket_take(&tb, 1, 1000 + SY_SEC / 10 - 1));
    cr_expect(sy_token_bucket_take(&tb, 1, 1000 + SY_SEC / 10));
    cr_expect_eq(sy_token_bucket_available(&tb, 1000 + SY_SEC / 10), 0);
    cr_expect_eq(sy_token_bucket_available(&tb, 1000 + SY_HOUR), 5, "never more than the burst");
    cr_expect_not(sy_token_bucket_take(&tb, 6, 1000 + SY_HOUR), "more than the burst");
    cr_expect_eq(sy_token_bucket_available(&tb, 1000 + SY_HOUR), 5, "a refusal takes nothing");
}

Test(token_bucket, spend_takes_what_is_there) {
    sy_token_bucket tb;
    sy_token_bucket_init(&tb, 1, 10, 0);

    sy_token_bucket_spend(&tb, 4, 0);
    cr_expect_eq(sy_token_bucket_available(&tb, 0), 6);
    sy_token_bucket_spend(&tb, UINT64_MAX, 0);
    cr_expect_eq(sy_token_bucket_available(&tb, 0), 0);
}

Test(token_bucket, rate_zero_is_unlimited) {
    sy_token_bucket tb;
    sy_token_bucket_init(&tb, 0, 0, 5);

    cr_expect(sy_token_bucket_take(&tb, UINT64_MAX, 5));
    sy_token_bucket_spend(&tb, UINT64_MAX, 5);
    cr_expect_eq(sy_token_bucket_available(&tb, 5), UINT64_MAX);
    cr_expect_eq(sy_token_bucket_ready_at(&tb, UINT64_MAX, 7), 7);
}

Test(token_bucket, time_that_stands_or_goes_back_gives_nothing) {
    sy_token_bucket tb;
    sy_token_bucket_init(&tb, 1000, 10, SY_SEC);
    sy_token_bucket_spend(&tb, 10, SY_SEC);

    cr_expect_eq(sy_token_bucket_available(&tb, SY_SEC), 0);
    cr_expect_eq(sy_token_bucket_available(&tb, 0), 0);
    cr_expect_eq(sy_token_bucket_available(&tb, SY_SEC + SY_MSEC), 1, "counted from the latest");
}

/* A thousand steps that do not divide the period of a token give exactly what one step gives. */
Test(token_bucket, no_drift) {
    static const uint64_t rates[] = {1, 3, 7, 999, 1000000007, UINT64_C(3000000000)};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        sy_token_bucket steps;
        sy_token_bucket once;
        const uint64_t burst = UINT64_C(1) << 62;
        sy_token_bucket_init(&steps, rates[i], burst, 0);
        sy_token_bucket_init(&once, rates[i], burst, 0);
        sy_token_bucket_spend(&steps, burst, 0);
        sy_token_bucket_spend(&once, burst, 0);
        sy_time now = 0;
        for (int k = 0; k < 100000; k++) {
            now += 33333331;
            (void)sy_token_bucket_available(&steps, now);
        }
        cr_expect_eq(sy_token_bucket_available(&steps, now), sy_token_bucket_available(&once, now),
                     "rate %llu", (unsigned long long)rates[i]);
        cr_expect_eq(steps.frac_ns, once.frac_ns, "rate %llu", (unsigned long long)rates[i]);
    }
}

Test(token_bucket, huge_times_rates_and_bursts) {
    static const uint64_t values[] = {
        1, 2, 1000000000, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            const uint64_t rate = values[i];
            const uint64_t burst = values[k];
            sy_token_bucket tb;
            sy_token_bucket_init(&tb, rate, burst, 0);
            sy_token_bucket_spend(&tb, burst, 0);

            const sy_time ready = sy_token_bucket_ready_at(&tb, burst, 0);
            const uint64_t before_end = sy_token_bucket_available(&tb, SY_NEVER - 1);
            const uint64_t got = sy_token_bucket_available(&tb, SY_NEVER);

            /* 2^64 ns are 18446744073.7 s. */
            const uint64_t most = rate > UINT64_MAX / UINT64_C(18446744073)
                                      ? UINT64_MAX
                                      : rate * UINT64_C(18446744073);
            cr_expect(got == burst || got >= most, "rate %llu, burst %llu: %llu",
                      (unsigned long long)rate, (unsigned long long)burst, (unsigned long long)got);
            cr_expect_leq(got, burst);
            cr_expect_eq(ready == SY_NEVER, before_end < burst, "rate %llu, burst %llu",
                         (unsigned long long)rate, (unsigned long long)burst);
        }
    }
}

/* At the time it names the tokens are there, one nanosecond earlier they are not. */
Test(token_bucket, ready_at_is_the_earliest_time) {
    sy_prng prng;
    sy_prng_init(&prng, 17);
    size_t waits = 0;
    for (int round = 0; round < 20000; round++) {
        const uint64_t rate = 1 + (sy_prng_next(&prng) >> sy_prng_below(&prng, 64)) / 2;
        const uint64_t burst = 1 + (sy_prng_next(&prng) >> sy_prng_below(&prng, 64)) / 2;
        sy_time now = sy_prng_next(&prng) >> (1 + sy_prng_below(&prng, 60));
        sy_token_bucket tb;
        sy_token_bucket_init(&tb, rate, burst, now);
        sy_token_bucket_spend(&tb, burst, now);
        now += sy_prng_next(&prng) >> (20 + sy_prng_below(&prng, 44));
        const uint64_t n = sy_prng_below(&prng, burst) + 1;

        const sy_time ready = sy_token_bucket_ready_at(&tb, n, now);

        cr_assert_geq(ready, now, "round %d", round);
        sy_token_bucket copy = tb;
        if (ready != SY_NEVER) {
            cr_assert_geq(sy_token_bucket_available(&copy, ready), n, "round %d", round);
        }
        copy = tb;
        if (ready > now) {
            waits++;
            cr_assert_lt(sy_token_bucket_available(&copy, ready - 1), n, "round %d", round);
        }
    }
    cr_expect_gt(waits, 5000);
}

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 u128;

/* The same bucket in 128-bit billionths. */
typedef struct oracle {
    u128 balance;
    u128 full;
    uint64_t rate;
    sy_time at;
} oracle;

static void oracle_refill(oracle *o, sy_time now) {
    if (now > o->at) {
        const u128 more = (u128)(now - o->at) * o->rate;
        o->balance = more > o->full - o->balance ? o->full : o->balance + more;
        o->at = now;
    }
}

Test(token_bucket, random_operations_agree_with_wide_arithmetic) {
    sy_prng prng;
    sy_prng_init(&prng, 23);
    for (int run = 0; run < 400; run++) {
        const uint64_t rate = 1 + (sy_prng_next(&prng) >> sy_prng_below(&prng, 64)) / 2;
        const uint64_t burst = 1 + (sy_prng_next(&prng) >> sy_prng_below(&prng, 64)) / 2;
        /* Steps of about the time that a few tokens (or a part of one) take. */
        const uint64_t step_max = 1 + SY_SEC * 3 / (rate > SY_SEC ? SY_SEC : rate);
        oracle o = {.balance = (u128)burst * SY_SEC, .full = (u128)burst * SY_SEC, .rate = rate};
        sy_token_bucket tb;
        sy_token_bucket_init(&tb, rate, burst, 0);
        sy_time now = 0;
        for (int step = 0; step < 200; step++) {
            now += sy_prng_below(&prng, step_max);
            oracle_refill(&o, now);
            const uint64_t there = (uint64_t)(o.balance / SY_SEC);
            cr_assert_eq(sy_token_bucket_available(&tb, now), there, "run %d, step %d", run, step);
            uint64_t n = sy_prng_next(&prng) % (there / 2 + 3);
            if (sy_prng_below(&prng, 2) == 0) {
                cr_assert_eq(sy_token_bucket_take(&tb, n, now), n <= there, "run %d, step %d", run,
                             step);
                n = n <= there ? n : 0;
            } else {
                sy_token_bucket_spend(&tb, n, now);
                n = n <= there ? n : there;
            }
            o.balance -= (u128)n * SY_SEC;
        }
    }
}
#endif

static void ready_for_too_many(void *user) {
    (void)sy_token_bucket_ready_at(user, 11, 0);
}

static void init_without_burst(void *user) {
    sy_token_bucket_init(user, 1, 0, 0);
}

Test(token_bucket, misuse_is_a_broken_contract) {
    sy_token_bucket tb;
    sy_token_bucket_init(&tb, 1, 10, 0);
    cr_expect_str_eq(test_contract(ready_for_too_many, &tb), "contract");
    cr_expect_str_eq(test_contract(init_without_burst, &tb), "contract");
}
