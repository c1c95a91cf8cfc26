/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of the vector files in tests/vectors.  A file that is missing, is not JSON or has no
 * `provenance`, a member that is missing or of another kind, hex that does not fit: each prints a
 * line and aborts the test program, so that tests need no error paths for their own data.
 *
 *     vec_file *file = vec_open("tendermint/keys.json");
 *     const vec_node *rows = vec_get(vec_root(file), "keys");
 *     for (size_t i = 0; i < vec_len(rows); i++) {
 *         const vec_node *row = vec_at(rows, i);
 *         uint8_t seed[32];
 *         cr_assert_eq(vec_hex(row, "seed", seed, sizeof seed), 32, "%s", vec_name(row));
 *     }
 *     vec_close(file);
 *
 * Nodes and strings are borrowed until vec_close. */
#ifndef SY_TESTS_VECTORS_H
#define SY_TESTS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vec_file vec_file;
typedef struct vec_node vec_node;

/* `name` is relative to tests/vectors of the source tree. */
vec_file *vec_open(const char *name);
void vec_close(vec_file *file);
const vec_node *vec_root(const vec_file *file);

/* Arrays. */
size_t vec_len(const vec_node *array);
const vec_node *vec_at(const vec_node *array, size_t i);
const char *vec_str_at(const vec_node *array, size_t i);
size_t vec_hex_at(const vec_node *array, size_t i, uint8_t *out, size_t cap);

/* Members of an object. */
bool vec_has(const vec_node *object, const char *key);
const vec_node *vec_get(const vec_node *object, const char *key);
const char *vec_str(const vec_node *object, const char *key);
bool vec_bool(const vec_node *object, const char *key);
uint64_t vec_u64(const vec_node *object, const char *key);

/* A string of hex digits or an array of such strings; at most cap bytes; returns the length. */
size_t vec_hex(const vec_node *object, const char *key, uint8_t *out, size_t cap);

/* The member "name" of a row. */
const char *vec_name(const vec_node *row);

/* Is the member "verdict" of a row "accept"?  Aborts unless it is "accept" or "reject". */
bool vec_is_accept(const vec_node *row);

#endif
