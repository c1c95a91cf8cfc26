/* SPDX-License-Identifier: Apache-2.0 */
/* Up to n node IDs, each with a slot number 0..n-1 that the owner uses as index into an array of
 * its own; when it is full, the least recently touched ID leaves.  Memory grows with the IDs, up to
 * n of them (when it is short, an ID leaves earlier); keyed hash.
 *
 *     sy_id_map map;
 *     sy_err err = sy_id_map_init(&map, 1024, mem, random_key);
 *     bool fresh;
 *     uint32_t slot = sy_id_map_touch(&map, &id, &fresh);    // in front; may drop the last one
 *     if (fresh) { records[slot] = (record){0}; }
 *     slot = sy_id_map_find(&map, &id);                      // SY_ID_MAP_NONE when absent */
#ifndef SY_P2P_ID_MAP_H
#define SY_P2P_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>
#include <switchyard/mem.h>
#include <switchyard/node_id.h>

#include "base/hash.h"

#define SY_ID_MAP_KEY_LEN SY_HASH_KEY_LEN
#define SY_ID_MAP_NONE    UINT32_MAX

/* Members are private. */
typedef struct sy_id_map {
    const sy_mem *mem;
    uint8_t hash_key[SY_ID_MAP_KEY_LEN];
    struct sy_id_map_cell *cells; /* by slot */
    uint32_t *buckets;            /* first slot of the chain */
    uint32_t bucket_mask;
    uint32_t cap; /* of the cells that there are */
    uint32_t cap_max;
    uint32_t count;
    uint32_t free;  /* chain of slots not in use */
    uint32_t first; /* most recent */
    uint32_t last;
} sy_id_map;

/* 1 <= cap <= 2^20; mem borrows until fini.
 *   SY_ERR_NOMEM */
sy_err sy_id_map_init(sy_id_map *map, uint32_t cap, const sy_mem *mem,
                      const uint8_t hash_key[SY_ID_MAP_KEY_LEN])
    __attribute__((warn_unused_result));
void sy_id_map_fini(sy_id_map *map);

/* Finds or adds (the only call that allocates besides init), and moves it to the front. *ret_fresh:
 * it was added; the slot may have belonged to another ID before. */
uint32_t sy_id_map_touch(sy_id_map *map, const sy_node_id *id, bool *ret_fresh);

uint32_t sy_id_map_find(const sy_id_map *map, const sy_node_id *id);
void sy_id_map_remove(sy_id_map *map, const sy_node_id *id);

/* Walks from the most recent: pass SY_ID_MAP_NONE first; SY_ID_MAP_NONE at the end. */
uint32_t sy_id_map_next(const sy_id_map *map, uint32_t slot);
const sy_node_id *sy_id_map_id(const sy_id_map *map, uint32_t slot);
uint32_t sy_id_map_count(const sy_id_map *map);

#endif
