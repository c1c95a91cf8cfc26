/* SPDX-License-Identifier: Apache-2.0 */
/* xoshiro256** 1.0 with its state expanded from the seed by splitmix64. */
#include "base/prng.h"

#include <stddef.h>

#include <switchyard/assert.h>

static uint64_t rotl(uint64_t x, unsigned n) {
    return x << n | x >> (64 - n);
}

static uint64_t splitmix64(uint64_t *state) {
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void sy_prng_init(sy_prng *prng, uint64_t seed) {
    SY_REQUIRE(prng != NULL);
    uint64_t state = seed;
    for (int i = 0; i < 4; i++) {
        prng->s[i] = splitmix64(&state);
    }
}

uint64_t sy_prng_next(sy_prng *prng) {
    uint64_t *s = prng->s;
    const uint64_t result = rotl(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t sy_prng_below(sy_prng *prng, uint64_t bound) {
    SY_REQUIRE(bound >= 1);
    /* 2^64 mod bound values at the bottom are one too many for an even spread: draw again. */
    const uint64_t skip = (UINT64_MAX - bound + 1) % bound;
    uint64_t value = sy_prng_next(prng);
    while (value < skip) {
        value = sy_prng_next(prng);
    }
    return value % bound;
}
