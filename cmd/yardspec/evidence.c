/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yardspec/evidence.h"

#include <stdlib.h>

#include "cmd/yardspec/peer.h"

#define LINE_BYTES 32

static const char *const side_names[2] = {"yardspec", "target"};
static const char *const ending_names[3] = {"nobody", "target", "yardspec"};

spec_trace *spec_trace_new(void) {
    spec_trace *trace = calloc(1, sizeof *trace);
    if (trace == NULL) {
        spec_die("out of memory");
    }
    trace->begun_ms = spec_now_ms();
    return trace;
}

void spec_trace_del(spec_trace *trace) {
    if (trace == NULL) {
        return;
    }
    for (spec_side side = SPEC_OURS; side <= SPEC_THEIRS; side++) {
        spec_bytes_fini(&trace->wire[side]);
        spec_bytes_fini(&trace->plain[side]);
    }
    free(trace);
}

/* How many bytes of it were kept. */
static size_t keep(spec_bytes *bytes, const void *data, size_t len) {
    const size_t room = SPEC_KEPT_MAX - bytes->len;
    const size_t n = len < room ? len : room;
    spec_bytes_add(bytes, data, n);
    return n;
}

void spec_trace_wire(spec_trace *trace, spec_side side, const void *data, size_t len) {
    if (trace != NULL) {
        trace->totals[side] += len;
        (void)keep(&trace->wire[side], data, len);
    }
}

void spec_trace_frame(spec_trace *trace, spec_side side, size_t declared, const void *data,
                      size_t len) {
    if (trace == NULL) {
        return;
    }
    trace->frame_totals[side]++;
    if (trace->frame_count == SPEC_FRAMES_MAX) {
        return;
    }
    spec_frame_note *note = &trace->frames[trace->frame_count++];
    *note = (spec_frame_note){
        .at_ms = spec_now_ms() - trace->begun_ms,
        .side = side,
        .declared = declared,
        .len = len,
        .from = trace->plain[side].len,
    };
    note->kept = keep(&trace->plain[side], data, len);
}

void spec_trace_end(spec_trace *trace, spec_ending ending) {
    if (trace != NULL && trace->ending == SPEC_END_OPEN) {
        trace->ending = ending;
        trace->ended_ms = spec_now_ms() - trace->begun_ms;
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *hex_json(const uint8_t *data, size_t len) {
    static const char digits[] = "0123456789abcdef";
    static char text[2 * SPEC_KEPT_MAX + 1];
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }
    text[2 * len] = '\0';
    return json_string(text);
}

static json_t *wire_json(const spec_trace *trace, spec_side side) {
    json_t *entry = json_object();
    (void)json_object_set_new(entry, "bytes", json_integer((json_int_t)trace->totals[side]));
    (void)json_object_set_new(entry, "frames", json_integer((json_int_t)trace->frame_totals[side]));
    (void)json_object_set_new(entry, "hex",
                              hex_json(trace->wire[side].data, trace->wire[side].len));
    return entry;
}

static json_t *frame_json(const spec_trace *trace, const spec_frame_note *note) {
    json_t *entry = json_object();
    const uint8_t *plain = trace->plain[note->side].data;
    (void)json_object_set_new(entry, "ms", json_integer(note->at_ms));
    (void)json_object_set_new(entry, "from", json_string(side_names[note->side]));
    (void)json_object_set_new(entry, "bytes", json_integer((json_int_t)note->len));
    if (note->declared != note->len) {
        (void)json_object_set_new(entry, "declared", json_integer((json_int_t)note->declared));
    }
    (void)json_object_set_new(entry, "hex",
                              hex_json(note->kept > 0 ? plain + note->from : NULL, note->kept));
    return entry;
}

json_t *spec_trace_json(const spec_trace *trace) {
    json_t *entry = json_object();
    json_t *frames = json_array();
    for (size_t i = 0; i < trace->frame_count; i++) {
        (void)json_array_append_new(frames, frame_json(trace, &trace->frames[i]));
    }
    (void)json_object_set_new(entry, "dialed_by",
                              json_string(side_names[trace->accepted ? SPEC_THEIRS : SPEC_OURS]));
    (void)json_object_set_new(entry, "port", json_integer(trace->port));
    (void)json_object_set_new(entry, "sent", wire_json(trace, SPEC_OURS));
    (void)json_object_set_new(entry, "received", wire_json(trace, SPEC_THEIRS));
    (void)json_object_set_new(entry, "frames", frames);
    (void)json_object_set_new(entry, "closed_by", json_string(ending_names[trace->ending]));
    (void)json_object_set_new(entry, "ms", json_integer(trace->ended_ms));
    return entry;
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void print_hex(const uint8_t *data, size_t len, const char *indent, FILE *file) {
    for (size_t i = 0; i < len; i++) {
        if (i % LINE_BYTES == 0) {
            (void)fprintf(file, "%s%s      ", i > 0 ? "\n" : "", indent);
        }
        (void)fprintf(file, "%02x", data[i]);
    }
    if (len > 0) {
        (void)fputc('\n', file);
    }
}

/* Sealed bytes say nothing to the eye where the frames are known: then only the clear ones. */
static void print_wire(const spec_trace *trace, spec_side side, const char *indent, FILE *file) {
    const size_t sealed = trace->frame_totals[side] * SY_SEALED_LEN;
    const size_t clear = trace->totals[side] > sealed ? trace->totals[side] - sealed : 0;
    const size_t kept = trace->wire[side].len < clear ? trace->wire[side].len : clear;
    (void)fprintf(file, "%s  from %s: %zu bytes, %zu frames; in clear:\n", indent, side_names[side],
                  trace->totals[side], trace->frame_totals[side]);
    print_hex(trace->wire[side].data, kept, indent, file);
}

void spec_trace_print(const spec_trace *trace, const char *indent, FILE *file) {
    (void)fprintf(file, "%sconnection dialed by %s, our port %u, closed by %s after %ld ms\n",
                  indent, side_names[trace->accepted ? SPEC_THEIRS : SPEC_OURS], trace->port,
                  ending_names[trace->ending], trace->ended_ms);
    print_wire(trace, SPEC_OURS, indent, file);
    print_wire(trace, SPEC_THEIRS, indent, file);
    for (size_t i = 0; i < trace->frame_count; i++) {
        const spec_frame_note *note = &trace->frames[i];
        (void)fprintf(file, "%s  %ld ms, frame from %s, %zu bytes", indent, note->at_ms,
                      side_names[note->side], note->len);
        if (note->declared != note->len) {
            (void)fprintf(file, ", declares %zu", note->declared);
        }
        (void)fprintf(file, "%s\n", note->kept < note->len ? ", in part" : "");
        if (note->kept > 0) {
            print_hex(trace->plain[note->side].data + note->from, note->kept, indent, file);
        }
    }
}
