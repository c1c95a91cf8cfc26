/* SPDX-License-Identifier: Apache-2.0 */
#include <switchyard/mem.h>

#include <criterion/criterion.h>
#include <stdint.h>

#include "base/prng.h"
#include "tests/support/test_contract.h"

Test(budget, limit_is_inclusive) {
    static const struct {
        size_t limit;
        size_t first;
        size_t second;
        sy_err want;
        size_t used;
    } rows[] = {
        {100, 60, 39, SY_OK, 99},
        {100, 60, 40, SY_OK, 100},
        {100, 60, 41, SY_ERR_LIMIT, 60},
        {100, 100, 0, SY_OK, 100},
        {100, 100, 1, SY_ERR_LIMIT, 100},
        {0, 0, 0, SY_OK, 0},
        {0, 0, 1, SY_ERR_LIMIT, 0},
        {SIZE_MAX, SIZE_MAX, 0, SY_OK, SIZE_MAX},
        {SIZE_MAX, SIZE_MAX, 1, SY_ERR_LIMIT, SIZE_MAX},
        {SIZE_MAX, SIZE_MAX - 1, 2, SY_ERR_LIMIT, SIZE_MAX - 1},
        {SIZE_MAX, 1, SIZE_MAX, SY_ERR_LIMIT, 1},
        {100, 60, SIZE_MAX, SY_ERR_LIMIT, 60},
        {100, 60, SIZE_MAX - 59, SY_ERR_LIMIT, 60},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_budget b;
        sy_budget_init(&b, NULL, "node", rows[i].limit);
        cr_assert_eq(sy_budget_reserve(&b, rows[i].first), SY_OK, "row %zu", i);

        cr_expect_eq(sy_budget_reserve(&b, rows[i].second), rows[i].want, "row %zu", i);

        cr_expect_eq(b.used, rows[i].used, "row %zu", i);
        cr_expect_eq(b.peak, rows[i].used, "row %zu", i);
        sy_budget_release(&b, b.used);
        sy_budget_fini(&b);
    }
}

Test(budget, refusal_by_any_ancestor_leaves_no_trace) {
    /* Each row makes another level the narrow one. */
    static const size_t limits[][3] = {{50, 1000, 1000}, {1000, 50, 1000}, {1000, 1000, 50}};
    for (size_t i = 0; i < 3; i++) {
        sy_budget level[3];
        sy_budget_init(&level[0], NULL, "node", limits[i][0]);
        sy_budget_init(&level[1], &level[0], "peer", limits[i][1]);
        sy_budget_init(&level[2], &level[1], "channel", limits[i][2]);
        cr_assert_eq(sy_budget_reserve(&level[2], 20), SY_OK);

        cr_expect_eq(sy_budget_reserve(&level[2], 31), SY_ERR_LIMIT, "row %zu", i);

        for (size_t k = 0; k < 3; k++) {
            cr_expect_eq(level[k].used, 20, "row %zu, level %zu", i, k);
            cr_expect_eq(level[k].peak, 20, "row %zu, level %zu", i, k);
        }
        cr_expect_eq(sy_budget_reserve(&level[2], 30), SY_OK, "row %zu", i);
        sy_budget_release(&level[2], 50);
        for (size_t k = 3; k-- > 0;) {
            cr_expect_eq(level[k].peak, 50, "row %zu, level %zu", i, k);
            sy_budget_fini(&level[k]);
        }
    }
}

Test(budget, a_limit_lowered_below_use_refuses_but_lets_release) {
    sy_budget b;
    sy_budget_init(&b, NULL, "node", 100);
    cr_assert_eq(sy_budget_reserve(&b, 80), SY_OK);

    b.limit = 50;

    cr_expect_eq(sy_budget_reserve(&b, 1), SY_ERR_LIMIT);
    cr_expect_eq(sy_budget_reserve(&b, 0), SY_OK);
    sy_budget_release(&b, 40);
    cr_expect_eq(sy_budget_reserve(&b, 10), SY_OK);
    cr_expect_eq(sy_budget_reserve(&b, 1), SY_ERR_LIMIT);
    sy_budget_release(&b, 50);
    sy_budget_fini(&b);
}

#define PEERS    3
#define CHANNELS 9 /* three per peer */
#define NODES    (1 + PEERS + CHANNELS)

static size_t parent_of(size_t i) {
    return i <= PEERS ? 0 : 1 + (i - 1 - PEERS) / 3;
}

/* What the tree must show, computed from the charges made at each node alone. */
static size_t expected_used(const size_t *own, size_t node) {
    size_t sum = 0;
    for (size_t i = 0; i < NODES; i++) {
        const bool below = i == node || node == 0 || (i > PEERS && parent_of(i) == node);
        sum += below ? own[i] : 0;
    }
    return sum;
}

Test(budget, random_tree_agrees_with_sums) {
    sy_budget tree[NODES];
    size_t own[NODES] = {0};
    size_t peak[NODES] = {0};
    size_t refused = 0;
    sy_prng prng;
    sy_prng_init(&prng, 7);
    for (size_t i = 0; i < NODES; i++) {
        const size_t limit = i == 0 ? 2000 : i <= PEERS ? 900 : 400;
        sy_budget_init(&tree[i], i == 0 ? NULL : &tree[parent_of(i)], "b", limit);
    }

    for (int step = 0; step < 20000; step++) {
        const size_t at = (size_t)sy_prng_below(&prng, NODES);
        if (sy_prng_below(&prng, 5) < 3) {
            const size_t n = (size_t)sy_prng_below(&prng, 120);
            bool fits = true;
            for (size_t i = at;; i = parent_of(i)) {
                fits = fits && expected_used(own, i) + n <= tree[i].limit;
                if (i == 0) {
                    break;
                }
            }
            cr_assert_eq(sy_budget_reserve(&tree[at], n), fits ? SY_OK : SY_ERR_LIMIT, "step %d",
                         step);
            own[at] += fits ? n : 0;
            refused += fits ? 0 : 1;
        } else {
            const size_t n = (size_t)sy_prng_below(&prng, own[at] + 1);
            sy_budget_release(&tree[at], n);
            own[at] -= n;
        }
        for (size_t i = 0; i < NODES; i++) {
            const size_t used = expected_used(own, i);
            peak[i] = used > peak[i] ? used : peak[i];
            cr_assert_eq(tree[i].used, used, "step %d, node %zu", step, i);
            cr_assert_eq(tree[i].peak, peak[i], "step %d, node %zu", step, i);
        }
    }
    cr_expect_gt(refused, 100);

    for (size_t i = NODES; i-- > 0;) {
        sy_budget_release(&tree[i], own[i]);
        sy_budget_fini(&tree[i]);
    }
}

static void release_too_much(void *user) {
    sy_budget_release(user, 11);
}

static void fini_in_use(void *user) {
    sy_budget_fini(user);
}

Test(budget, misuse_is_a_broken_contract) {
    sy_budget b;
    sy_budget_init(&b, NULL, "node", 100);
    cr_assert_eq(sy_budget_reserve(&b, 10), SY_OK);

    cr_expect_str_eq(test_contract(release_too_much, &b), "contract");
    cr_expect_eq(b.used, 10);
    cr_expect_str_eq(test_contract(fini_in_use, &b), "contract");
}
