/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "p2p/backoff.h"

static sy_duration ceiling_of(uint32_t k, sy_duration cap) {
    const sy_duration d = k > 20 ? cap : SY_SEC << (k - 1);
    return d < cap ? d : cap;
}

/* SPEC-TEST SW-41 SW-42: every delay lies in [d/2, d], and both halves of the interval occur. */
Test(backoff, bounds) {
    static const sy_duration caps[] = {60 * SY_SEC, SY_SEC, 7 * SY_SEC, SY_MSEC, 1, SY_DAY};
    for (size_t c = 0; c < sizeof caps / sizeof caps[0]; c++) {
        size_t low = 0;
        size_t high = 0;
        for (uint64_t seed = 0; seed < 50; seed++) {
            sy_prng prng;
            sy_backoff backoff;
            sy_prng_init(&prng, seed);
            sy_backoff_init(&backoff, SY_BACKOFF_FIRST, caps[c]);
            for (uint32_t k = 1; k < 40; k++) {
                const sy_duration d = ceiling_of(k, caps[c]);
                const sy_duration delay = sy_backoff_fail(&backoff, &prng);
                cr_assert(delay <= d && delay >= d - d / 2, "cap %zu, k %u: %llu", c, k,
                          (unsigned long long)delay);
                low += delay < d / 2 + d / 4 ? 1 : 0;
                high += delay > d / 2 + d / 4 ? 1 : 0;
            }
        }
        if (caps[c] > 100) {
            cr_expect(low > 800 && high > 800, "cap %zu: %zu low, %zu high", c, low, high);
        }
    }
}

/* SPEC-TEST SW-42 */
Test(backoff, cap_zero_is_a_minute) {
    sy_backoff backoff;
    sy_backoff_init(&backoff, SY_SEC, 0);
    cr_expect_eq(backoff.cap, 60 * SY_SEC);
}

Test(backoff, never_overflows) {
    sy_prng prng;
    sy_backoff backoff;
    sy_prng_init(&prng, 1);
    sy_backoff_init(&backoff, SY_SEC, UINT64_MAX);
    for (int i = 0; i < 200; i++) {
        (void)sy_backoff_fail(&backoff, &prng);
    }
    cr_expect_geq(sy_backoff_fail(&backoff, &prng), UINT64_MAX / 2);
    backoff.failures = UINT32_MAX;
    cr_expect_geq(sy_backoff_fail(&backoff, &prng), UINT64_MAX / 2);
    cr_expect_eq(backoff.failures, UINT32_MAX);
}

/* SPEC-TEST SW-43: at 10 s - 1 ns, 10 s and 10 s + 1 ns. */
Test(backoff, a_stable_connection_clears_the_count) {
    for (int extra = -1; extra <= 1; extra++) {
        sy_prng prng;
        sy_backoff backoff;
        sy_prng_init(&prng, 3);
        sy_backoff_init(&backoff, SY_SEC, 0);
        for (int i = 0; i < 5; i++) {
            (void)sy_backoff_fail(&backoff, &prng);
        }
        sy_backoff_on_up(&backoff, SY_HOUR);
        const sy_time down = SY_HOUR + 10 * SY_SEC + (sy_time)(int64_t)extra;
        const sy_duration delay = sy_backoff_on_down(&backoff, &prng, down);
        cr_expect_eq(backoff.failures, extra < 0 ? 6u : 1u, "%d", extra);
        cr_expect(extra < 0 ? delay >= 16 * SY_SEC : delay <= SY_SEC, "%d", extra);
    }
}

/* SPEC-TEST SW-43: one long connection clears once, not for ever. */
Test(backoff, ends_in_a_row_count_up) {
    sy_prng prng;
    sy_backoff backoff;
    sy_prng_init(&prng, 3);
    sy_backoff_init(&backoff, SY_SEC, 0);
    sy_backoff_on_up(&backoff, 0);
    (void)sy_backoff_on_down(&backoff, &prng, SY_MIN);
    cr_expect_eq(backoff.failures, 1);
    (void)sy_backoff_on_down(&backoff, &prng, 2 * SY_MIN);
    cr_expect_eq(backoff.failures, 2, "it was not up again in between");
    sy_backoff_reset(&backoff);
    (void)sy_backoff_fail(&backoff, &prng);
    cr_expect_eq(backoff.failures, 1);
}
