/* SPDX-License-Identifier: Apache-2.0 */
/* What was exchanged on a connection, kept so that a verdict can be explained by bytes: the first
 * bytes of each direction as they were on the wire, and what was inside the frames, in the order
 * in which they were sealed and opened.  Everything is bounded; the totals are not. */
#ifndef YARDSPEC_EVIDENCE_H
#define YARDSPEC_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "cmd/yardspec/bytes.h"

#define SPEC_KEPT_MAX   4096 /* bytes of each direction, on the wire and inside frames */
#define SPEC_FRAMES_MAX 96   /* frames of both directions */

typedef enum spec_side {
    SPEC_OURS,   /* yardspec to target */
    SPEC_THEIRS, /* target to yardspec */
} spec_side;

typedef enum spec_ending {
    SPEC_END_OPEN, /* nobody closed while we looked */
    SPEC_END_TARGET,
    SPEC_END_US,
} spec_ending;

typedef struct spec_frame_note {
    long at_ms;
    spec_side side;
    size_t declared;
    size_t len;  /* of its data */
    size_t from; /* in kept plain bytes of its side */
    size_t kept;
} spec_frame_note;

typedef struct spec_trace {
    long begun_ms;
    uint16_t port; /* ours */
    bool accepted; /* the target dialed */
    size_t totals[2];
    spec_bytes wire[2];
    size_t frame_totals[2];
    spec_bytes plain[2];
    spec_frame_note frames[SPEC_FRAMES_MAX];
    size_t frame_count;
    spec_ending ending;
    long ended_ms;
} spec_trace;

/* NULL is taken everywhere and does nothing. */
spec_trace *spec_trace_new(void);
void spec_trace_del(spec_trace *trace);
void spec_trace_wire(spec_trace *trace, spec_side side, const void *data, size_t len);
void spec_trace_frame(spec_trace *trace, spec_side side, size_t declared, const void *data,
                      size_t len);
void spec_trace_end(spec_trace *trace, spec_ending ending);

json_t *spec_trace_json(const spec_trace *trace);

/* In lines for people; each begins with `indent`. */
void spec_trace_print(const spec_trace *trace, const char *indent, FILE *file);

#endif
