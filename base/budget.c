/* SPDX-License-Identifier: Apache-2.0 */
/* The budget tree.  A reservation walks to the root twice: first every node is asked, then every
 * node is charged, so that a refusal leaves no trace. */
#include <switchyard/mem.h>

#include <switchyard/assert.h>

void sy_budget_init(sy_budget *budget, sy_budget *parent, const char *name, size_t limit) {
    SY_REQUIRE(budget != NULL);
    SY_REQUIRE(budget != parent);
    *budget = (sy_budget){.parent = parent, .name = name, .limit = limit};
}

void sy_budget_fini(sy_budget *budget) {
    SY_REQUIRE(budget != NULL);
    SY_REQUIRE(budget->used == 0);
    budget->parent = NULL;
    budget->limit = 0;
}

sy_err sy_budget_reserve(sy_budget *budget, size_t n) {
    SY_REQUIRE(budget != NULL);
    if (n == 0) {
        return SY_OK;
    }
    for (const sy_budget *b = budget; b != NULL; b = b->parent) {
        /* The limit may have been lowered below what is in use. */
        if (b->used > b->limit || n > b->limit - b->used) {
            return SY_ERR_LIMIT;
        }
    }
    for (sy_budget *b = budget; b != NULL; b = b->parent) {
        b->used += n;
        if (b->used > b->peak) {
            b->peak = b->used;
        }
        SY_ASSERT(b->used <= b->limit);
    }
    return SY_OK;
}

void sy_budget_release(sy_budget *budget, size_t n) {
    SY_REQUIRE(budget != NULL);
    for (sy_budget *b = budget; b != NULL; b = b->parent) {
        SY_REQUIRE(n <= b->used);
        b->used -= n;
    }
}
