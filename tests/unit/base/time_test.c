/* SPDX-License-Identifier: Apache-2.0 */
#include <switchyard/time.h>

#include <criterion/criterion.h>

Test(time, after_saturates) {
    static const struct {
        sy_time now;
        sy_duration d;
        sy_time want;
    } rows[] = {
        {0, 0, 0},
        {1, 2, 3},
        {SY_NEVER - 1, 0, SY_NEVER - 1},
        {SY_NEVER - 1, 1, SY_NEVER},
        {SY_NEVER - 1, 2, SY_NEVER},
        {SY_NEVER, 0, SY_NEVER},
        {SY_NEVER, UINT64_MAX, SY_NEVER},
        {1, UINT64_MAX, SY_NEVER},
        {0, UINT64_MAX, SY_NEVER},
        {5 * SY_SEC, SY_DAY, 86405 * SY_SEC},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(sy_time_after(rows[i].now, rows[i].d), rows[i].want, "row %zu", i);
    }
}

Test(time, since_is_never_negative) {
    cr_expect_eq(sy_time_since(5, 3), 2);
    cr_expect_eq(sy_time_since(3, 5), 0);
    cr_expect_eq(sy_time_since(3, 3), 0);
    cr_expect_eq(sy_time_since(SY_NEVER, 0), UINT64_MAX);
    cr_expect_eq(sy_time_since(0, SY_NEVER), 0);
}

Test(time, min_max_and_units) {
    cr_expect_eq(sy_time_min(1, SY_NEVER), 1);
    cr_expect_eq(sy_time_min(SY_NEVER, 1), 1);
    cr_expect_eq(sy_time_max(1, SY_NEVER), SY_NEVER);
    cr_expect_eq(sy_time_max(2, 1), 2);
    cr_expect_eq(SY_DAY, UINT64_C(86400000000000));
    cr_expect_eq(SY_MIN, 60 * 1000 * SY_MSEC);
    cr_expect_eq(SY_MSEC, 1000 * SY_USEC);
    cr_expect_eq(SY_USEC, 1000 * SY_NSEC);
}
