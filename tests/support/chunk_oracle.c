/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/chunk_oracle.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/mem.h>

#include "base/prng.h"

#define RANDOM_RUNS 32
#define TRACE_SHOWN 4000

/* One comparison in progress. */
typedef struct oracle {
    chunk_run run;
    void *user;
    const uint8_t *data;
    size_t len;
    size_t *cut; /* room for len + 1 offsets */
    chunk_trace want;
} oracle;

static char verdict[3 * TRACE_SHOWN];

static void die(const char *what) {
    (void)fprintf(stderr, "chunk_oracle: %s\n", what);
    abort();
}

static void trace_room(chunk_trace *trace, size_t need) {
    if (need <= trace->cap) {
        return;
    }
    const size_t cap = need < 1024 ? 1024 : 2 * need;
    char *text = sy_mem_resize(sy_mem_libc(), trace->text, cap);
    if (text == NULL) {
        die("out of memory");
    }
    trace->text = text;
    trace->cap = cap;
}

static void trace_free(chunk_trace *trace) {
    sy_mem_release(sy_mem_libc(), trace->text);
    *trace = (chunk_trace){.text = NULL};
}

void chunk_trace_add(chunk_trace *trace, const char *format, ...) {
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    const int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        die("bad format");
    }
    trace_room(trace, trace->len + (size_t)len + 1);
    (void)vsnprintf(trace->text + trace->len, (size_t)len + 1, format, again);
    va_end(again);
    trace->len += (size_t)len;
}

static chunk_trace run_once(const oracle *o, size_t cut_count) {
    chunk_trace trace = {.text = NULL};
    chunk_trace_add(&trace, "%s", "");
    o->run(o->user, o->data, o->cut, cut_count, &trace);
    return trace;
}

/* The text from a little before the first difference on. */
static const char *from_difference(const chunk_trace *trace, size_t at) {
    return trace->text + (at > 200 ? at - 200 : 0);
}

static void describe(const oracle *o, const char *kind, size_t cut_count, const chunk_trace *got) {
    size_t at = 0;
    while (at < got->len && at < o->want.len && got->text[at] == o->want.text[at]) {
        at++;
    }
    char cuts[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < cut_count && used + 24 < sizeof cuts; i++) {
        used += (size_t)snprintf(cuts + used, sizeof cuts - used, " %zu", o->cut[i]);
    }
    (void)snprintf(verdict, sizeof verdict,
                   "%s (%zu pieces, cut at%s%s) differs at trace byte %zu\n"
                   "--- whole:\n%.*s\n--- cut:\n%.*s\n",
                   kind, cut_count, cuts, used + 24 < sizeof cuts ? "" : " ...", at, TRACE_SHOWN,
                   from_difference(&o->want, at), TRACE_SHOWN, from_difference(got, at));
}

static bool same(const oracle *o, const char *kind, size_t cut_count) {
    chunk_trace got = run_once(o, cut_count);
    const bool equal = got.len == o->want.len && memcmp(got.text, o->want.text, o->want.len) == 0;
    if (!equal) {
        describe(o, kind, cut_count, &got);
    }
    trace_free(&got);
    return equal;
}

static bool byte_by_byte(const oracle *o) {
    for (size_t i = 0; i < o->len; i++) {
        o->cut[i] = i + 1;
    }
    return same(o, "byte by byte", o->len);
}

static bool two_way(const oracle *o, size_t split_max) {
    const size_t places = o->len - 1;
    const size_t count = split_max == 0 || places <= split_max ? places : split_max;
    for (size_t i = 0; i < count; i++) {
        /* Evenly spaced over 1..len-1; every place when count is places. */
        o->cut[0] = 1 + places / count * i + places % count * i / count;
        o->cut[1] = o->len;
        if (!same(o, "two-way split", 2)) {
            return false;
        }
    }
    return true;
}

static bool at_random(const oracle *o, uint64_t seed) {
    sy_prng prng;
    sy_prng_init(&prng, seed);
    for (int i = 0; i < RANDOM_RUNS; i++) {
        /* Pieces from a few bytes to the whole input. */
        const uint64_t scale = (uint64_t)o->len >> (i % 12);
        const uint64_t piece_max = 1 + sy_prng_below(&prng, scale > 0 ? scale : 1);
        size_t count = 0;
        size_t at = 0;
        while (at < o->len) {
            const size_t left = o->len - at;
            const size_t piece = 1 + (size_t)sy_prng_below(&prng, piece_max);
            at += piece < left ? piece : left;
            o->cut[count++] = at;
        }
        if (!same(o, "random split", count)) {
            return false;
        }
    }
    return true;
}

const char *chunk_oracle(chunk_run run, void *user, const uint8_t *data, size_t len,
                         size_t split_max, uint64_t seed) {
    oracle o = {.run = run, .user = user, .data = data, .len = len};
    o.cut = sy_mem_zalloc_array(sy_mem_libc(), len + 1, sizeof o.cut[0]);
    if (o.cut == NULL) {
        die("out of memory");
    }
    o.cut[0] = len;
    o.want = run_once(&o, 1);

    bool equal = same(&o, "the whole input again", 1);
    if (len > 1) {
        equal = equal && byte_by_byte(&o) && two_way(&o, split_max) && at_random(&o, seed);
    }

    trace_free(&o.want);
    sy_mem_release(sy_mem_libc(), o.cut);
    return equal ? NULL : verdict;
}
