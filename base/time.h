/* SPDX-License-Identifier: Apache-2.0 */
/* Time as values.  No core reads a clock: the driver reads it once per turn and passes it down as
 * the last parameter.  Monotonic time and wall-clock time have different types, so that the two
 * cannot be swapped by accident. */
#ifndef SWITCHYARD_TIME_H
#define SWITCHYARD_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include <switchyard/export.h>

SY_BEGIN_DECLS

typedef uint64_t sy_time;     /* monotonic instant, nanoseconds from an arbitrary origin */
typedef uint64_t sy_duration; /* nanoseconds */

/* Wall-clock instant: nanoseconds since 1970-01-01 UTC.  For files and people, never for
 * deadlines. */
typedef struct sy_walltime {
    int64_t unix_ns;
} sy_walltime;

#define SY_NEVER UINT64_MAX

#define SY_NSEC  ((sy_duration)1)
#define SY_USEC  ((sy_duration)1000)
#define SY_MSEC  ((sy_duration)1000000)
#define SY_SEC   ((sy_duration)1000000000)
#define SY_MIN   (60 * SY_SEC)
#define SY_HOUR  (60 * SY_MIN)
#define SY_DAY   (24 * SY_HOUR)

static inline sy_time sy_time_min(sy_time a, sy_time b) {
    return a < b ? a : b;
}

static inline sy_time sy_time_max(sy_time a, sy_time b) {
    return a > b ? a : b;
}

/* now + d, saturating at SY_NEVER. */
static inline sy_time sy_time_after(sy_time now, sy_duration d) {
    return d > SY_NEVER - now ? SY_NEVER : now + d;
}

/* later - earlier, or 0 when earlier is not earlier. */
static inline sy_duration sy_time_since(sy_time later, sy_time earlier) {
    return later > earlier ? later - earlier : 0;
}

SY_END_DECLS

#endif
