/* SPDX-License-Identifier: Apache-2.0 */
/* A keyed hash for tables whose keys remotes can choose: without the key (random, per table) nobody
 * can make keys collide.  Not for authentication. */
#ifndef SY_BASE_HASH_H
#define SY_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define SY_HASH_KEY_LEN 16

/* SipHash-2-4 of len bytes, as a number read little endian. */
uint64_t sy_hash(const void *data, size_t len, const uint8_t key[SY_HASH_KEY_LEN]);

#endif
