/* SPDX-License-Identifier: Apache-2.0 */
/* A heap of deadlines.  Intrusive: a timer is a member of its owner and setting one never
 * allocates and never fails.  Equal deadlines come out in the order in which they were set, so that
 * a run on a virtual clock replays. */
#ifndef SY_BASE_TIMERS_H
#define SY_BASE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include <switchyard/time.h>

typedef struct sy_timer {
    sy_time at;             /* SY_NEVER: not set */
    uint64_t seq;           /* order among equals */
    int kind;               /* owner's tag, not touched by the heap */
    struct sy_timer *child; /* pairing heap links */
    struct sy_timer *next;
    struct sy_timer *prev; /* previous sibling, or the parent for a first child */
} sy_timer;

typedef struct sy_timers {
    sy_timer *root;
    uint64_t next_seq;
} sy_timers;

void sy_timers_init(sy_timers *timers);
void sy_timer_init(sy_timer *timer, int kind);

/* Sets or moves; at SY_NEVER clears. */
void sy_timers_set(sy_timers *timers, sy_timer *timer, sy_time at);

/* Same as setting SY_NEVER. */
void sy_timers_clear(sy_timers *timers, sy_timer *timer);

static inline bool sy_timer_is_set(const sy_timer *timer) {
    return timer->at != SY_NEVER;
}

/* The earliest deadline, SY_NEVER when none. */
sy_time sy_timers_next(const sy_timers *timers);

/* Takes out the earliest timer whose deadline is <= now; NULL when none is due. */
sy_timer *sy_timers_pop_due(sy_timers *timers, sy_time now);

#endif
