/* SPDX-License-Identifier: Apache-2.0 */
/* Counts by key: a small open-addressing hash with a keyed hash function, so that remotes cannot
 * choose keys that collide.  A key whose count is zero is not stored.
 *
 *     sy_count_map map;
 *     sy_count_map_init(&map, mem, random_key);
 *     sy_count_key key = sy_count_key_make(KIND_IP, endpoint->ip, 16, NULL, 0);
 *     sy_err err = sy_count_map_reserve(&map, 1);        // the only call that allocates
 *     sy_count_map_add(&map, &key);                      // cannot fail after it
 *     size_t n = sy_count_map_get(&map, &key);
 *     sy_count_map_remove(&map, &key);
 *     sy_count_map_fini(&map); */
#ifndef SY_P2P_COUNT_MAP_H
#define SY_P2P_COUNT_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>
#include <switchyard/mem.h>

#include "base/hash.h"

#define SY_COUNT_KEY_LEN     40 /* a kind and up to 39 bytes */
#define SY_COUNT_MAP_KEY_LEN SY_HASH_KEY_LEN

typedef struct sy_count_key {
    uint8_t bytes[SY_COUNT_KEY_LEN];
} sy_count_key;

/* Members are private. */
typedef struct sy_count_map {
    const sy_mem *mem;
    uint8_t hash_key[SY_COUNT_MAP_KEY_LEN];
    struct sy_count_cell *cells;
    size_t cap; /* 0 or a power of two */
    size_t used;
} sy_count_map;

/* Two parts, the second may be NULL; their lengths must be the same for all keys of a kind. */
sy_count_key sy_count_key_make(uint8_t kind, const void *a, size_t a_len, const void *b,
                               size_t b_len);

void sy_count_map_init(sy_count_map *map, const sy_mem *mem,
                       const uint8_t hash_key[SY_COUNT_MAP_KEY_LEN]);
void sy_count_map_fini(sy_count_map *map);

/* Makes room for n more keys.
 *   SY_ERR_NOMEM  nothing has changed */
sy_err sy_count_map_reserve(sy_count_map *map, size_t n) __attribute__((warn_unused_result));

/* Adds one; room for a new key must have been reserved. */
void sy_count_map_add(sy_count_map *map, const sy_count_key *key);

/* Takes one away; the count must not be zero. */
void sy_count_map_remove(sy_count_map *map, const sy_count_key *key);

size_t sy_count_map_get(const sy_count_map *map, const sy_count_key *key);

#endif
