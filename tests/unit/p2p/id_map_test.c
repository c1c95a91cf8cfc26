/* SPDX-License-Identifier: Apache-2.0 */
/* The map of IDs against a plain list in order of use. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/prng.h"
#include "p2p/id_map.h"
#include "tests/support/test_mem.h"

static const uint8_t hash_key[SY_ID_MAP_KEY_LEN] = {9};

static sy_node_id id_of(uint64_t n) {
    sy_node_id id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

static size_t index_in(const uint64_t *list, size_t count, uint64_t n) {
    for (size_t i = 0; i < count; i++) {
        if (list[i] == n) {
            return i;
        }
    }
    return count;
}

static void check_order(const sy_id_map *map, const uint64_t *list, size_t count) {
    uint32_t slot = SY_ID_MAP_NONE;
    cr_assert_eq(sy_id_map_count(map), count);
    for (size_t i = 0; i < count; i++) {
        slot = sy_id_map_next(map, slot);
        cr_assert_neq(slot, SY_ID_MAP_NONE);
        const sy_node_id id = id_of(list[i]);
        cr_assert(sy_node_id_equal(sy_id_map_id(map, slot), &id));
    }
    if (count > 0) {
        cr_assert_eq(sy_id_map_next(map, slot), SY_ID_MAP_NONE);
    }
}

Test(id_map, agrees_with_a_list) {
    static const uint32_t caps[] = {1, 2, 3, 17, 64};
    test_mem tm;
    test_mem_init(&tm);
    for (size_t c = 0; c < sizeof caps / sizeof caps[0]; c++) {
        uint64_t list[64]; /* most recent first */
        size_t count = 0;
        uint64_t owner[64]; /* by slot */
        sy_id_map map;
        sy_prng prng;
        sy_prng_init(&prng, c);
        cr_assert_eq(sy_id_map_init(&map, caps[c], &tm.mem, hash_key), SY_OK);
        const size_t calls = tm.calls;
        for (int step = 0; step < 4000; step++) {
            const uint64_t n = sy_prng_below(&prng, caps[c] * 2 + 1);
            const sy_node_id id = id_of(n);
            size_t at = index_in(list, count, n);
            const uint32_t found = sy_id_map_find(&map, &id);
            cr_assert_eq(found == SY_ID_MAP_NONE, at == count, "cap %zu step %d", c, step);
            if (found != SY_ID_MAP_NONE) {
                cr_assert_eq(owner[found], n, "a slot keeps its ID");
            }
            if (sy_prng_below(&prng, 4) == 0) {
                sy_id_map_remove(&map, &id);
                if (at < count) {
                    memmove(list + at, list + at + 1, (count - at - 1) * sizeof *list);
                    count--;
                }
            } else {
                bool fresh = false;
                const uint32_t slot = sy_id_map_touch(&map, &id, &fresh);
                cr_assert_lt(slot, caps[c]);
                cr_assert_eq(fresh, at == count);
                owner[slot] = n;
                if (at == count) {
                    count += count < caps[c] ? 1 : 0;
                    at = count - 1;
                }
                memmove(list + 1, list, at * sizeof *list);
                list[0] = n;
            }
            check_order(&map, list, count);
        }
        if (caps[c] <= 16) {
            cr_expect_eq(tm.calls, calls, "no allocation after init");
        }
        sy_id_map_fini(&map);
    }
    test_mem_fini(&tm);
}

Test(id_map, init_without_memory) {
    test_mem tm;
    test_mem_init(&tm);
    for (size_t k = 1; k <= 2; k++) {
        sy_id_map map;
        tm.calls = 0;
        tm.fail_at = k;
        cr_expect_eq(sy_id_map_init(&map, 4, &tm.mem, hash_key), SY_ERR_NOMEM);
        cr_expect_eq(tm.live_blocks, 0);
    }
    test_mem_fini(&tm);
}

/* It grows with what it holds, and an ID leaves earlier when it cannot. */
Test(id_map, grows_up_to_its_cap) {
    test_mem tm;
    test_mem_init(&tm);
    sy_id_map map;
    bool fresh;
    cr_assert_eq(sy_id_map_init(&map, 100, &tm.mem, hash_key), SY_OK);
    const size_t small = tm.live_bytes;
    for (uint64_t n = 1; n <= 150; n++) {
        const sy_node_id id = id_of(n);
        const uint32_t slot = sy_id_map_touch(&map, &id, &fresh);
        cr_assert_lt(slot, 100);
        cr_assert(fresh);
        cr_assert_eq(sy_id_map_count(&map), n < 100 ? n : 100);
        for (uint64_t k = n > 100 ? n - 99 : 1; k <= n; k++) {
            const sy_node_id other = id_of(k);
            const uint32_t at = sy_id_map_find(&map, &other);
            cr_assert_neq(at, SY_ID_MAP_NONE, "%d of %d", (int)k, (int)n);
            cr_assert(sy_node_id_equal(sy_id_map_id(&map, at), &other));
        }
    }
    cr_expect_gt(tm.live_bytes, 4 * small);
    sy_id_map_fini(&map);
    test_mem_fini(&tm);
}

Test(id_map, without_memory_the_oldest_leaves) {
    test_mem tm;
    for (size_t k = 1; k <= 2; k++) {
        sy_id_map map;
        bool fresh;
        test_mem_init(&tm);
        cr_assert_eq(sy_id_map_init(&map, 100, &tm.mem, hash_key), SY_OK);
        tm.fail_at = tm.calls + k;
        for (uint64_t n = 1; n <= 17; n++) {
            const sy_node_id id = id_of(n);
            (void)sy_id_map_touch(&map, &id, &fresh);
        }
        const sy_node_id first = id_of(1);
        const sy_node_id last = id_of(17);
        cr_expect_eq(sy_id_map_count(&map), 16);
        cr_expect_eq(sy_id_map_find(&map, &first), SY_ID_MAP_NONE);
        cr_expect_neq(sy_id_map_find(&map, &last), SY_ID_MAP_NONE);
        sy_id_map_fini(&map);
        test_mem_fini(&tm);
    }
}
