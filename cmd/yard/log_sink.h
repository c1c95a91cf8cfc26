/* SPDX-License-Identifier: Apache-2.0 */
/* Log records as lines on standard error, with the wall-clock time in front: key=value or JSON.
 * One write per line, so that lines of several processes do not mix. */
#ifndef YARD_LOG_SINK_H
#define YARD_LOG_SINK_H

#include <stdbool.h>

#include <switchyard/log.h>

typedef struct yard_log_sink {
    bool json;
    sy_log_level level; /* of everybody who logs here; may change */
} yard_log_sink;

/* The log for those that keep a copy of it for good: takes every level, and the sink's own decides.
 */
sy_log yard_log_make_open(yard_log_sink *sink);

/* The log to hand to the library; sink borrows until the last use. */
sy_log yard_log_make(yard_log_sink *sink, sy_log_level level);

#endif
