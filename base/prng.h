/* SPDX-License-Identifier: Apache-2.0 */
/* A small seeded generator (xoshiro256**) for jitter and for tests.  Not for keys: those come as
 * values from the driver's random source. */
#ifndef SY_BASE_PRNG_H
#define SY_BASE_PRNG_H

#include <stdint.h>

typedef struct sy_prng {
    uint64_t s[4];
} sy_prng;

/* Any seed gives a usable state (expanded by splitmix64). */
void sy_prng_init(sy_prng *prng, uint64_t seed);
uint64_t sy_prng_next(sy_prng *prng);

/* Uniform in 0..bound-1 without bias; bound >= 1. */
uint64_t sy_prng_below(sy_prng *prng, uint64_t bound);

#endif
