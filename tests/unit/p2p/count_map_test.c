/* SPDX-License-Identifier: Apache-2.0 */
/* Counts by key against a plain array, with keys that fall on few cells. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/prng.h"
#include "p2p/count_map.h"
#include "tests/support/test_mem.h"

static const uint8_t hash_key[SY_COUNT_MAP_KEY_LEN] = {1, 2, 3};

static sy_count_key key_of(uint64_t n) {
    return sy_count_key_make((uint8_t)(n & 3), &n, sizeof n, "tail", 4);
}

Test(count_map, agrees_with_an_array) {
    enum {
        KEYS = 200
    };
    test_mem tm;
    test_mem_init(&tm);
    for (uint64_t seed = 0; seed < 20; seed++) {
        sy_count_map map;
        sy_prng prng;
        size_t counts[KEYS] = {0};
        size_t distinct = 0;
        sy_prng_init(&prng, seed);
        sy_count_map_init(&map, &tm.mem, hash_key);
        for (int step = 0; step < 5000; step++) {
            const uint64_t n = sy_prng_below(&prng, KEYS);
            const sy_count_key key = key_of(n);
            cr_assert_eq(sy_count_map_get(&map, &key), counts[n], "seed %d step %d", (int)seed,
                         step);
            /* Waves of more adding and more removing. */
            const bool add = sy_prng_below(&prng, 100) < (step / 500 % 2 == 0 ? 70u : 30u);
            if (add) {
                cr_assert_eq(sy_count_map_reserve(&map, 1), SY_OK);
                sy_count_map_add(&map, &key);
                distinct += counts[n]++ == 0 ? 1 : 0;
            } else if (counts[n] > 0) {
                sy_count_map_remove(&map, &key);
                distinct -= --counts[n] == 0 ? 1 : 0;
            }
            cr_assert_eq(map.used, distinct);
        }
        for (uint64_t n = 0; n < KEYS; n++) {
            const sy_count_key key = key_of(n);
            cr_assert_eq(sy_count_map_get(&map, &key), counts[n]);
            while (counts[n]-- > 0) {
                sy_count_map_remove(&map, &key);
            }
        }
        cr_expect_eq(map.used, 0);
        sy_count_map_fini(&map);
    }
    test_mem_fini(&tm);
}

Test(count_map, kinds_and_parts_are_told_apart) {
    const sy_count_key a = sy_count_key_make(1, "ab", 2, NULL, 0);
    const sy_count_key b = sy_count_key_make(2, "ab", 2, NULL, 0);
    const sy_count_key c = sy_count_key_make(1, "ab", 2, "x", 1);
    cr_expect_neq(memcmp(&a, &b, sizeof a), 0);
    cr_expect_neq(memcmp(&a, &c, sizeof a), 0);
}

Test(count_map, without_memory_nothing_changes) {
    test_mem tm;
    test_mem_init(&tm);
    sy_count_map map;
    sy_count_map_init(&map, &tm.mem, hash_key);
    const sy_count_key key = key_of(5);
    tm.fail_at = 1;
    cr_expect_eq(sy_count_map_reserve(&map, 1), SY_ERR_NOMEM);
    cr_expect_eq(sy_count_map_get(&map, &key), 0);
    tm.fail_at = 0;
    cr_assert_eq(sy_count_map_reserve(&map, 1), SY_OK);
    sy_count_map_add(&map, &key);
    tm.fail_at = tm.calls + 1;
    cr_expect_eq(sy_count_map_reserve(&map, 1000), SY_ERR_NOMEM);
    cr_expect_eq(sy_count_map_get(&map, &key), 1);
    sy_count_map_fini(&map);
    test_mem_fini(&tm);
}
