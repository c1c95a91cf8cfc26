/* SPDX-License-Identifier: Apache-2.0 */
/* The heap against a sorted array that does the same slowly. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/prng.h"
#include "base/timers.h"

#define TIMERS 300

Test(timers, empty) {
    sy_timers timers;
    sy_timer timer;
    sy_timers_init(&timers);
    sy_timer_init(&timer, 5);

    cr_expect_eq(sy_timers_next(&timers), SY_NEVER);
    cr_expect_null(sy_timers_pop_due(&timers, SY_NEVER));
    cr_expect_not(sy_timer_is_set(&timer));
    cr_expect_eq(timer.kind, 5);
    sy_timers_clear(&timers, &timer);
    sy_timers_set(&timers, &timer, SY_NEVER);
    cr_expect_eq(sy_timers_next(&timers), SY_NEVER);
}

Test(timers, due_is_inclusive_and_early_is_harmless) {
    static const sy_time at[] = {0, 1, 1000, SY_NEVER - 1};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        sy_timers timers;
        sy_timer timer;
        sy_timers_init(&timers);
        sy_timer_init(&timer, 1);

        sy_timers_set(&timers, &timer, at[i]);

        cr_expect(sy_timer_is_set(&timer));
        cr_expect_eq(sy_timers_next(&timers), at[i]);
        if (at[i] > 0) {
            cr_expect_null(sy_timers_pop_due(&timers, at[i] - 1), "row %zu", i);
            cr_expect(sy_timer_is_set(&timer), "row %zu", i);
        }
        cr_expect_eq(sy_timers_pop_due(&timers, at[i]), &timer, "row %zu", i);
        cr_expect_not(sy_timer_is_set(&timer), "row %zu", i);
        cr_expect_null(sy_timers_pop_due(&timers, SY_NEVER), "row %zu", i);
    }
}

Test(timers, equal_deadlines_come_in_the_order_of_setting) {
    sy_timers timers;
    sy_timer timer[5];
    sy_timers_init(&timers);
    for (int i = 0; i < 5; i++) {
        sy_timer_init(&timer[i], i);
        sy_timers_set(&timers, &timer[i], 100);
    }
    sy_timers_set(&timers, &timer[1], 100); /* set again: now the last */
    sy_timers_set(&timers, &timer[3], 50);
    sy_timers_set(&timers, &timer[3], 100); /* moved and back: behind that */
    sy_timers_clear(&timers, &timer[2]);

    static const int want[] = {0, 4, 1, 3};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        const sy_timer *got = sy_timers_pop_due(&timers, 100);
        cr_assert_not_null(got, "place %zu", i);
        cr_expect_eq(got->kind, want[i], "place %zu", i);
    }
    cr_expect_null(sy_timers_pop_due(&timers, 100));
}

Test(timers, a_popped_timer_can_be_set_from_its_handler) {
    sy_timers timers;
    sy_timer timer;
    sy_timers_init(&timers);
    sy_timer_init(&timer, 0);
    sy_timers_set(&timers, &timer, 10);
    for (sy_time now = 10; now < 1000; now += 10) {
        cr_assert_eq(sy_timers_pop_due(&timers, now), &timer);
        sy_timers_set(&timers, &timer, now + 10);
        cr_assert_null(sy_timers_pop_due(&timers, now));
    }
}

/* Order and links of the whole heap; gives the number of timers in it. */
static size_t check_heap(const sy_timers *timers) {
    static const sy_timer *todo[20000];
    size_t todo_len = 0;
    size_t count = 0;
    if (timers->root != NULL) {
        cr_assert_null(timers->root->prev);
        cr_assert_null(timers->root->next);
        todo[todo_len++] = timers->root;
    }
    while (todo_len > 0) {
        const sy_timer *parent = todo[--todo_len];
        const sy_timer *prev = parent;
        count++;
        cr_assert_neq(parent->at, SY_NEVER);
        for (const sy_timer *c = parent->child; c != NULL; c = c->next) {
            cr_assert_eq(c->prev, prev);
            cr_assert(parent->at < c->at || (parent->at == c->at && parent->seq < c->seq));
            prev = c;
            cr_assert_lt(todo_len, sizeof todo / sizeof todo[0]);
            todo[todo_len++] = c;
        }
    }
    return count;
}

/* The oracle: (at, order of setting, which), sorted. */
typedef struct entry {
    sy_time at;
    uint64_t order;
    size_t which;
} entry;

typedef struct oracle {
    entry sorted[TIMERS];
    size_t count;
    uint64_t order;
} oracle;

static void oracle_clear(oracle *o, size_t which) {
    for (size_t i = 0; i < o->count; i++) {
        if (o->sorted[i].which == which) {
            memmove(&o->sorted[i], &o->sorted[i + 1], (o->count - i - 1) * sizeof o->sorted[0]);
            o->count--;
            return;
        }
    }
}

static void oracle_set(oracle *o, size_t which, sy_time at) {
    oracle_clear(o, which);
    if (at == SY_NEVER) {
        return;
    }
    size_t i = o->count;
    while (i > 0 && o->sorted[i - 1].at > at) {
        o->sorted[i] = o->sorted[i - 1];
        i--;
    }
    o->sorted[i] = (entry){.at = at, .order = o->order++, .which = which};
    o->count++;
}

static void compare_at(const sy_timers *timers, const oracle *o, uint64_t seed, int step) {
    cr_assert_eq(sy_timers_next(timers), o->count > 0 ? o->sorted[0].at : SY_NEVER,
                 "seed %llu, step %d", (unsigned long long)seed, step);
}

static void random_run(uint64_t seed, uint64_t time_range, int steps) {
    static sy_timer timer[TIMERS];
    static oracle o;
    sy_timers timers;
    sy_prng prng;
    sy_prng_init(&prng, seed);
    sy_timers_init(&timers);
    o.count = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        sy_timer_init(&timer[i], (int)i);
    }
    sy_time now = 0;
    for (int step = 0; step < steps; step++) {
        const size_t which = (size_t)sy_prng_below(&prng, TIMERS);
        const uint64_t what = sy_prng_below(&prng, 10);
        if (what < 6) {
            const sy_time at = now + sy_prng_below(&prng, time_range);
            sy_timers_set(&timers, &timer[which], at);
            oracle_set(&o, which, at);
        } else if (what < 8) {
            sy_timers_clear(&timers, &timer[which]);
            oracle_clear(&o, which);
        } else {
            now += sy_prng_below(&prng, 1 + time_range / 20);
            for (sy_timer *due = NULL; (due = sy_timers_pop_due(&timers, now)) != NULL;) {
                cr_assert_gt(o.count, 0, "seed %llu, step %d", (unsigned long long)seed, step);
                cr_assert_leq(o.sorted[0].at, now);
                cr_assert_eq((size_t)due->kind, o.sorted[0].which, "seed %llu, step %d",
                             (unsigned long long)seed, step);
                oracle_clear(&o, o.sorted[0].which);
            }
            cr_assert(o.count == 0 || o.sorted[0].at > now, "seed %llu, step %d",
                      (unsigned long long)seed, step);
        }
        compare_at(&timers, &o, seed, step);
        if (step % 16 == 0) {
            cr_assert_eq(check_heap(&timers), o.count, "seed %llu, step %d",
                         (unsigned long long)seed, step);
        }
    }
    for (size_t i = 0; i < TIMERS; i++) {
        bool in_oracle = false;
        for (size_t k = 0; k < o.count; k++) {
            in_oracle = in_oracle || o.sorted[k].which == i;
        }
        cr_assert_eq(sy_timer_is_set(&timer[i]), in_oracle, "timer %zu", i);
    }
}

Test(timers, random_operations_agree_with_a_sorted_array) {
    /* Narrow ranges make many equal deadlines, wide ones few. */
    static const uint64_t ranges[] = {1, 2, 10, 100, 10000, SY_HOUR};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            random_run(seed, ranges[i], 6000);
        }
    }
}

/* Long sibling lists and deep chains must not cost stack or order. */
Test(timers, many_in_any_order_come_out_sorted) {
    enum {
        MANY = 10000
    };
    static sy_timer timer[MANY];
    sy_prng prng;
    sy_prng_init(&prng, 3);
    for (int pattern = 0; pattern < 4; pattern++) {
        sy_timers timers;
        sy_timers_init(&timers);
        for (int i = 0; i < MANY; i++) {
            const sy_time at = pattern == 0   ? (sy_time)i
                               : pattern == 1 ? (sy_time)(MANY - i)
                               : pattern == 2 ? 7
                                              : sy_prng_below(&prng, MANY);
            sy_timer_init(&timer[i], i);
            sy_timers_set(&timers, &timer[i], at);
        }
        cr_assert_eq(check_heap(&timers), MANY, "pattern %d", pattern);
        sy_time last_at = 0;
        uint64_t last_seq = 0;
        for (int i = 0; i < MANY; i++) {
            const sy_time at = sy_timers_next(&timers);
            const sy_timer *got = sy_timers_pop_due(&timers, SY_NEVER);
            cr_assert_not_null(got, "pattern %d, place %d", pattern, i);
            cr_assert(i == 0 || at > last_at || (at == last_at && got->seq > last_seq),
                      "pattern %d, place %d", pattern, i);
            last_at = at;
            last_seq = got->seq;
        }
        cr_expect_null(timers.root, "pattern %d", pattern);
    }
}
