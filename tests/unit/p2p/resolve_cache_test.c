/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "p2p/resolve_cache.h"

static sy_resolve_cache cache; /* too large for the stack of a test */
static sy_resolve_answer answer;

static sy_endpoint ip(uint8_t n) {
    sy_endpoint e = {.ip = {[10] = 0xff, 0xff, 1, 2, 3, n}, .port = 77};
    return e;
}

/* SPEC-TEST SW-26: the answer is used again for 60 s, and no longer. */
Test(resolve_cache, an_answer_is_kept_for_a_minute) {
    const sy_time t0 = SY_HOUR;
    const sy_endpoint ends[2] = {ip(1), ip(2)};
    sy_resolve_cache_init(&cache, 0, 0, 0, t0);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "a", &answer, t0), SY_RESOLVE_START);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "a", &answer, t0), SY_RESOLVE_PENDING);
    sy_resolve_cache_put(&cache, "a", ends, 2, t0 + SY_SEC);
    const sy_time end = t0 + SY_SEC + SY_MIN;
    cr_expect_eq(sy_resolve_cache_ask(&cache, "a", &answer, end - 1), SY_RESOLVE_KNOWN);
    cr_assert_eq(answer.count, 2);
    cr_expect(sy_endpoint_same_ip(&answer.endpoints[1], &ends[1]));
    cr_expect_eq(answer.endpoints[1].port, 0);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "b", &answer, end - 1), SY_RESOLVE_START);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "a", &answer, end), SY_RESOLVE_START);
}

/* SPEC-TEST SW-26: a failure too. */
Test(resolve_cache, a_failure_is_kept_as_well) {
    sy_resolve_cache_init(&cache, 0, 0, 0, 0);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "gone", &answer, 0), SY_RESOLVE_START);
    sy_resolve_cache_put(&cache, "gone", NULL, 0, 0);
    answer.count = 9;
    cr_expect_eq(sy_resolve_cache_ask(&cache, "gone", &answer, SY_MIN - 1), SY_RESOLVE_KNOWN);
    cr_expect_eq(answer.count, 0);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "gone", &answer, SY_MIN), SY_RESOLVE_START);
}

Test(resolve_cache, more_than_eight_are_cut) {
    sy_endpoint many[12];
    for (uint8_t i = 0; i < 12; i++) {
        many[i] = ip(i);
    }
    sy_resolve_cache_init(&cache, 0, 0, 0, 0);
    for (size_t n = 7; n <= 9; n++) {
        sy_resolve_cache_put(&cache, "many", many, n, 0);
        cr_expect_eq(sy_resolve_cache_ask(&cache, "many", &answer, 1), SY_RESOLVE_KNOWN);
        cr_expect_eq(answer.count, n < 8 ? n : 8);
    }
}

Test(resolve_cache, abandoned_is_asked_again) {
    sy_resolve_cache_init(&cache, 0, 0, 0, 0);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "a", &answer, 0), SY_RESOLVE_START);
    sy_resolve_cache_abandon(&cache, "a");
    sy_resolve_cache_abandon(&cache, "never asked");
    cr_expect_eq(sy_resolve_cache_ask(&cache, "a", &answer, 0), SY_RESOLVE_START);
    sy_resolve_cache_put(&cache, "a", NULL, 0, 0);
    sy_resolve_cache_abandon(&cache, "a");
    cr_expect_eq(sy_resolve_cache_ask(&cache, "a", &answer, 0), SY_RESOLVE_KNOWN,
                 "an answer stays");
}

/* Remotes can cause so many look-ups and no more; known names cost nothing. */
Test(resolve_cache, look_ups_are_limited) {
    char name[16];
    sy_resolve_cache_init(&cache, 0, 2, 3, 0);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        cr_expect_eq(sy_resolve_cache_ask(&cache, name, &answer, 0), SY_RESOLVE_START);
        sy_resolve_cache_put(&cache, name, NULL, 0, 0);
    }
    cr_expect_eq(sy_resolve_cache_ask(&cache, "n3", &answer, 0), SY_RESOLVE_LIMITED);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "n0", &answer, 0), SY_RESOLVE_KNOWN);
    cr_expect_eq(sy_resolve_cache_ready_at(&cache, 0), SY_SEC / 2);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "n3", &answer, SY_SEC / 2 - 1), SY_RESOLVE_LIMITED);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "n3", &answer, SY_SEC / 2), SY_RESOLVE_START);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "n4", &answer, SY_SEC / 2), SY_RESOLVE_LIMITED);
}

/* SPEC-TEST SW-58: 32 at once, then 4 a second. */
Test(resolve_cache, the_limits_that_the_switch_uses) {
    char name[16];
    sy_resolve_cache_init(&cache, 0, SY_RESOLVE_CACHE_RATE, SY_RESOLVE_CACHE_BURST, 0);
    for (int i = 0; i < 32; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        cr_expect_eq(sy_resolve_cache_ask(&cache, name, &answer, 0), SY_RESOLVE_START);
    }
    cr_expect_eq(sy_resolve_cache_ask(&cache, "m", &answer, 0), SY_RESOLVE_LIMITED);
    cr_expect_eq(sy_resolve_cache_ready_at(&cache, 0), SY_SEC / 4);
}

/* 64 names; the least recently used one leaves, one that is being looked up never. */
Test(resolve_cache, eviction) {
    char name[16];
    sy_resolve_cache_init(&cache, 0, 0, 0, 0);
    for (int i = 0; i < SY_RESOLVE_CACHE_NAMES; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        cr_expect_eq(sy_resolve_cache_ask(&cache, name, &answer, 0), SY_RESOLVE_START);
        if (i > 0) {
            sy_resolve_cache_put(&cache, name, NULL, 0, 0);
        }
    }
    cr_expect_eq(sy_resolve_cache_ask(&cache, "n1", &answer, 1), SY_RESOLVE_KNOWN); /* fresh use */
    cr_expect_eq(sy_resolve_cache_ask(&cache, "x", &answer, 1), SY_RESOLVE_START);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "n0", &answer, 1), SY_RESOLVE_PENDING);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "n1", &answer, 1), SY_RESOLVE_KNOWN);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "n3", &answer, 1), SY_RESOLVE_KNOWN);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "n2", &answer, 1), SY_RESOLVE_START, "it left");
}

Test(resolve_cache, all_pending) {
    char name[16];
    sy_resolve_cache_init(&cache, 0, 0, 0, 0);
    for (int i = 0; i < SY_RESOLVE_CACHE_NAMES; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        cr_expect_eq(sy_resolve_cache_ask(&cache, name, &answer, 5), SY_RESOLVE_START);
    }
    cr_expect_eq(sy_resolve_cache_ask(&cache, "x", &answer, 5), SY_RESOLVE_LIMITED);
    cr_expect_gt(sy_resolve_cache_ready_at(&cache, 5), 5, "no busy loop");
    sy_resolve_cache_put(&cache, "x", NULL, 0, 5); /* no room: dropped */
    sy_resolve_cache_put(&cache, "n7", NULL, 0, 5);
    cr_expect_eq(sy_resolve_cache_ready_at(&cache, 5), 5);
    cr_expect_eq(sy_resolve_cache_ask(&cache, "x", &answer, 5), SY_RESOLVE_START);
}

Test(resolve_cache, longest_name) {
    char name[SY_HOST_MAX + 1];
    memset(name, 'a', SY_HOST_MAX);
    name[SY_HOST_MAX] = '\0';
    sy_resolve_cache_init(&cache, 0, 0, 0, 0);
    cr_expect_eq(sy_resolve_cache_ask(&cache, name, &answer, 0), SY_RESOLVE_START);
    sy_resolve_cache_put(&cache, name, NULL, 0, 0);
    cr_expect_eq(sy_resolve_cache_ask(&cache, name, &answer, 0), SY_RESOLVE_KNOWN);
    name[SY_HOST_MAX - 1] = 'b';
    cr_expect_eq(sy_resolve_cache_ask(&cache, name, &answer, 0), SY_RESOLVE_START);
}
