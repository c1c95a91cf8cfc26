/* SPDX-License-Identifier: Apache-2.0 */
/* Jittered exponential back-off: after the k-th failure in a row the next attempt starts after a
 * delay drawn evenly from [d/2, d], d = min(cap, first * 2^(k-1)).  A value type.
 *
 *     sy_backoff backoff;
 *     sy_backoff_init(&backoff, SY_BACKOFF_FIRST, SY_BACKOFF_CAP);
 *     retry_at = sy_time_after(now, sy_backoff_fail(&backoff, &prng));     // a failure
 *     sy_backoff_on_up(&backoff, now);                                     // connected
 *     retry_at = sy_time_after(now, sy_backoff_on_down(&backoff, &prng, now));  // lost
 *
 * Source: docs/spec/switch.md, SW-41 to SW-43. */
#ifndef SY_P2P_BACKOFF_H
#define SY_P2P_BACKOFF_H

#include <stdint.h>

#include <switchyard/time.h>

#include "base/prng.h"

#define SY_BACKOFF_FIRST  SY_SEC
#define SY_BACKOFF_CAP    (60 * SY_SEC)
#define SY_BACKOFF_STABLE (10 * SY_SEC) /* a connection that lived this long clears the count */

typedef struct sy_backoff {
    sy_duration first;
    sy_duration cap;
    sy_time up_at;     /* SY_NEVER: not connected */
    uint32_t failures; /* in a row, saturating */
} sy_backoff;

/* 0 < first; cap 0 means SY_BACKOFF_CAP; a cap below first makes every delay at most the cap. */
void sy_backoff_init(sy_backoff *backoff, sy_duration first, sy_duration cap);

/* Counts a failure and draws the delay before the next attempt. */
sy_duration sy_backoff_fail(sy_backoff *backoff, sy_prng *prng);

void sy_backoff_on_up(sy_backoff *backoff, sy_time now);

/* The connection ended: a failure, the first one when it had lived SY_BACKOFF_STABLE. */
sy_duration sy_backoff_on_down(sy_backoff *backoff, sy_prng *prng, sy_time now);

/* Forgets all failures: the operator asked for a dial. */
void sy_backoff_reset(sy_backoff *backoff);

#endif
