/* SPDX-License-Identifier: Apache-2.0 */
/* Linear probing with deletion by shifting back, so that there are no tombstones and the table
 * never degrades.  At most three quarters of the cells are used. */
#include "p2p/count_map.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/hash.h"
#include "base/wipe.h"

#define FIRST_CAP 64

typedef struct sy_count_cell {
    sy_count_key key;
    size_t count; /* 0: free */
} sy_count_cell;

sy_count_key sy_count_key_make(uint8_t kind, const void *a, size_t a_len, const void *b,
                               size_t b_len) {
    sy_count_key key = {{kind}};
    SY_REQUIRE(1 + a_len + b_len <= sizeof key.bytes);
    memcpy(key.bytes + 1, a, a_len);
    if (b_len > 0) {
        memcpy(key.bytes + 1 + a_len, b, b_len);
    }
    return key;
}

void sy_count_map_init(sy_count_map *map, const sy_mem *mem,
                       const uint8_t hash_key[SY_COUNT_MAP_KEY_LEN]) {
    *map = (sy_count_map){.mem = mem};
    memcpy(map->hash_key, hash_key, sizeof map->hash_key);
}

void sy_count_map_fini(sy_count_map *map) {
    sy_wipe(map->hash_key, sizeof map->hash_key);
    sy_mem_release(map->mem, map->cells);
    map->cells = NULL;
    map->cap = 0;
    map->used = 0;
}

static size_t home_of(const sy_count_map *map, const sy_count_key *key) {
    return (size_t)sy_hash(key->bytes, sizeof key->bytes, map->hash_key) & (map->cap - 1);
}

/* The cell of the key, or the free one where it belongs. */
static size_t locate(const sy_count_map *map, const sy_count_key *key) {
    SY_ASSERT(map->used < map->cap);
    size_t i = home_of(map, key);
    while (map->cells[i].count != 0 &&
           memcmp(map->cells[i].key.bytes, key->bytes, sizeof key->bytes) != 0) {
        i = (i + 1) & (map->cap - 1);
    }
    return i;
}

static sy_err grow(sy_count_map *map, size_t cap) {
    sy_count_map bigger = *map;
    bigger.cells = sy_mem_zalloc_array(map->mem, cap, sizeof *bigger.cells);
    if (bigger.cells == NULL) {
        return SY_ERR_NOMEM;
    }
    bigger.cap = cap;
    for (size_t i = 0; i < map->cap; i++) {
        if (map->cells[i].count != 0) {
            bigger.cells[locate(&bigger, &map->cells[i].key)] = map->cells[i];
        }
    }
    sy_mem_release(map->mem, map->cells);
    *map = bigger;
    return SY_OK;
}

sy_err sy_count_map_reserve(sy_count_map *map, size_t n) {
    size_t cap = map->cap == 0 ? FIRST_CAP : map->cap;
    while (map->used + n > cap - cap / 4) {
        cap *= 2;
    }
    return cap == map->cap ? SY_OK : grow(map, cap);
}

void sy_count_map_add(sy_count_map *map, const sy_count_key *key) {
    sy_count_cell *cell = &map->cells[locate(map, key)];
    if (cell->count == 0) {
        cell->key = *key;
        map->used++;
        SY_ASSERT(map->used <= map->cap - map->cap / 4); /* reserve was called */
    }
    cell->count++;
}

/* Closes the gap at `hole`: whatever follows in the run moves up, unless that would put it before
 * its home. */
static void shift_back(sy_count_map *map, size_t hole) {
    const size_t mask = map->cap - 1;
    for (size_t i = (hole + 1) & mask; map->cells[i].count != 0; i = (i + 1) & mask) {
        const size_t home = home_of(map, &map->cells[i].key);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->cells[hole] = map->cells[i];
            hole = i;
        }
    }
    map->cells[hole] = (sy_count_cell){.count = 0};
}

void sy_count_map_remove(sy_count_map *map, const sy_count_key *key) {
    SY_REQUIRE(map->used > 0);
    const size_t i = locate(map, key);
    SY_REQUIRE(map->cells[i].count > 0);
    map->cells[i].count--;
    if (map->cells[i].count == 0) {
        map->used--;
        shift_back(map, i);
    }
}

size_t sy_count_map_get(const sy_count_map *map, const sy_count_key *key) {
    return map->used == 0 ? 0 : map->cells[locate(map, key)].count;
}
