/* SPDX-License-Identifier: Apache-2.0 */
/* Back-off: docs/spec/switch.md, SW-41 to SW-43. */
#include "p2p/backoff.h"

#include <stddef.h>

#include <switchyard/assert.h>

#include "base/mutant.h"

void sy_backoff_init(sy_backoff *backoff, sy_duration first, sy_duration cap) {
    SY_REQUIRE(backoff != NULL);
    SY_REQUIRE(first > 0);
    /* SPEC SW-42 */
    *backoff = (sy_backoff){
        .first = first, .cap = cap == 0 ? SY_BACKOFF_CAP : cap, .up_at = SY_NEVER, .failures = 0};
}

/* min(cap, first * 2^(failures - 1)), without overflow. */
static sy_duration ceiling(const sy_backoff *backoff) {
    SY_ASSERT(backoff->failures >= 1);
    sy_duration d = backoff->first;
    for (uint32_t k = 1; k < backoff->failures && d < backoff->cap; k++) {
        d = d > backoff->cap / 2 ? backoff->cap : d * 2;
    }
    return d < backoff->cap ? d : backoff->cap;
}

/* SPEC SW-41 */
sy_duration sy_backoff_fail(sy_backoff *backoff, sy_prng *prng) {
    if (backoff->failures < UINT32_MAX) {
        backoff->failures++;
    }
    backoff->up_at = SY_NEVER;
    const sy_duration d = SY_MUTANT(REDIAL_CAP) ? 3 * SY_SEC : ceiling(backoff);
    const sy_duration least = d - d / 2;
    const sy_duration delay = least + sy_prng_below(prng, d - least + 1);
    SY_ASSERT(delay >= least && delay <= d);
    return delay;
}

void sy_backoff_on_up(sy_backoff *backoff, sy_time now) {
    backoff->up_at = now;
}

/* SPEC SW-43 */
sy_duration sy_backoff_on_down(sy_backoff *backoff, sy_prng *prng, sy_time now) {
    if (backoff->up_at != SY_NEVER && sy_time_since(now, backoff->up_at) >= SY_BACKOFF_STABLE) {
        backoff->failures = 0;
    }
    return sy_backoff_fail(backoff, prng);
}

void sy_backoff_reset(sy_backoff *backoff) {
    backoff->failures = 0;
}
