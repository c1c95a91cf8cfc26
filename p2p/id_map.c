/* SPDX-License-Identifier: Apache-2.0 */
/* Chained hash over a fixed array of cells, and a list through the same cells in order of use. */
#include "p2p/id_map.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/hash.h"
#include "base/wipe.h"

#define CAP_MAX   (UINT32_C(1) << 20)
#define CAP_FIRST 16

typedef struct sy_id_map_cell {
    sy_node_id id;
    uint32_t chain; /* next in the bucket, or next free cell */
    uint32_t newer;
    uint32_t older;
} sy_id_map_cell;

/* Cells and buckets for so many, empty. */
static sy_err make(sy_id_map *map, uint32_t cap) {
    const sy_mem *mem = map->mem;
    uint32_t bucket_count = 1;
    while (bucket_count < cap) {
        bucket_count *= 2;
    }
    sy_id_map_cell *cells = sy_mem_zalloc_array(mem, cap, sizeof *cells);
    uint32_t *buckets = sy_mem_zalloc_array(mem, bucket_count, sizeof *buckets);
    if (cells == NULL || buckets == NULL) {
        sy_mem_release(mem, cells);
        sy_mem_release(mem, buckets);
        return SY_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < bucket_count; i++) {
        buckets[i] = SY_ID_MAP_NONE;
    }
    for (uint32_t i = 0; i < cap; i++) {
        cells[i].chain = i + 1 < cap ? i + 1 : SY_ID_MAP_NONE;
    }
    map->cells = cells;
    map->buckets = buckets;
    map->bucket_mask = bucket_count - 1;
    map->cap = cap;
    map->free = 0;
    return SY_OK;
}

sy_err sy_id_map_init(sy_id_map *map, uint32_t cap, const sy_mem *mem,
                      const uint8_t hash_key[SY_ID_MAP_KEY_LEN]) {
    SY_REQUIRE(cap >= 1 && cap <= CAP_MAX);
    sy_id_map fresh = {.mem = mem, .cap_max = cap, .first = SY_ID_MAP_NONE, .last = SY_ID_MAP_NONE};
    memcpy(fresh.hash_key, hash_key, sizeof fresh.hash_key);
    const sy_err err = make(&fresh, cap < CAP_FIRST ? cap : CAP_FIRST);
    if (err == SY_OK) {
        *map = fresh;
    }
    return err;
}

void sy_id_map_fini(sy_id_map *map) {
    sy_wipe(map->hash_key, sizeof map->hash_key);
    sy_mem_release(map->mem, map->cells);
    sy_mem_release(map->mem, map->buckets);
    *map = (sy_id_map){.mem = map->mem, .first = SY_ID_MAP_NONE, .last = SY_ID_MAP_NONE};
}

static uint32_t *bucket_of(const sy_id_map *map, const sy_node_id *id) {
    const uint64_t hash = sy_hash(id->bytes, sizeof id->bytes, map->hash_key);
    return &map->buckets[hash & map->bucket_mask];
}

uint32_t sy_id_map_find(const sy_id_map *map, const sy_node_id *id) {
    uint32_t slot = *bucket_of(map, id);
    while (slot != SY_ID_MAP_NONE && !sy_node_id_equal(&map->cells[slot].id, id)) {
        slot = map->cells[slot].chain;
    }
    return slot;
}

static void unlink_use(sy_id_map *map, uint32_t slot) {
    const sy_id_map_cell *cell = &map->cells[slot];
    if (cell->newer != SY_ID_MAP_NONE) {
        map->cells[cell->newer].older = cell->older;
    } else {
        map->first = cell->older;
    }
    if (cell->older != SY_ID_MAP_NONE) {
        map->cells[cell->older].newer = cell->newer;
    } else {
        map->last = cell->newer;
    }
}

static void link_use(sy_id_map *map, uint32_t slot) {
    sy_id_map_cell *cell = &map->cells[slot];
    cell->newer = SY_ID_MAP_NONE;
    cell->older = map->first;
    if (map->first != SY_ID_MAP_NONE) {
        map->cells[map->first].newer = slot;
    } else {
        map->last = slot;
    }
    map->first = slot;
}

static void take_out(sy_id_map *map, uint32_t slot) {
    uint32_t *link = bucket_of(map, &map->cells[slot].id);
    while (*link != slot) {
        SY_ASSERT(*link != SY_ID_MAP_NONE);
        link = &map->cells[*link].chain;
    }
    *link = map->cells[slot].chain;
    unlink_use(map, slot);
    map->cells[slot].chain = map->free;
    map->free = slot;
    SY_ASSERT(map->count > 0);
    map->count--;
}

/* Twice as many cells, each in its place; when memory is short, the old ones go on. */
static void grow(sy_id_map *map) {
    sy_id_map bigger = *map;
    const uint32_t cap = map->cap > map->cap_max / 2 ? map->cap_max : map->cap * 2;
    if (cap == map->cap || make(&bigger, cap) != SY_OK) {
        return;
    }
    memcpy(bigger.cells, map->cells, map->cap * sizeof *map->cells);
    for (uint32_t i = 0; i < map->cap; i++) {
        uint32_t *bucket = bucket_of(&bigger, &bigger.cells[i].id);
        bigger.cells[i].chain = *bucket;
        *bucket = i;
    }
    bigger.free = map->cap;
    sy_mem_release(map->mem, map->cells);
    sy_mem_release(map->mem, map->buckets);
    *map = bigger;
}

uint32_t sy_id_map_touch(sy_id_map *map, const sy_node_id *id, bool *ret_fresh) {
    uint32_t slot = sy_id_map_find(map, id);
    *ret_fresh = slot == SY_ID_MAP_NONE;
    if (slot != SY_ID_MAP_NONE) {
        unlink_use(map, slot);
        link_use(map, slot);
        return slot;
    }
    if (map->free == SY_ID_MAP_NONE) {
        grow(map);
    }
    if (map->free == SY_ID_MAP_NONE) {
        take_out(map, map->last);
    }
    slot = map->free;
    sy_id_map_cell *cell = &map->cells[slot];
    map->free = cell->chain;
    cell->id = *id;
    uint32_t *bucket = bucket_of(map, id);
    cell->chain = *bucket;
    *bucket = slot;
    link_use(map, slot);
    map->count++;
    SY_ASSERT(map->count <= map->cap);
    return slot;
}

void sy_id_map_remove(sy_id_map *map, const sy_node_id *id) {
    const uint32_t slot = sy_id_map_find(map, id);
    if (slot != SY_ID_MAP_NONE) {
        take_out(map, slot);
    }
}

uint32_t sy_id_map_next(const sy_id_map *map, uint32_t slot) {
    if (slot == SY_ID_MAP_NONE) {
        return map->first;
    }
    SY_REQUIRE(slot < map->cap);
    return map->cells[slot].older;
}

const sy_node_id *sy_id_map_id(const sy_id_map *map, uint32_t slot) {
    SY_REQUIRE(slot < map->cap);
    return &map->cells[slot].id;
}

uint32_t sy_id_map_count(const sy_id_map *map) {
    return map->count;
}
