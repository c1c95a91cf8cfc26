/* SPDX-License-Identifier: Apache-2.0 */
/* The chunk oracle: a stream parser must produce the same events however its input is cut.  The
 * caller gives a function that feeds a fresh parser with the bytes in the given pieces and writes
 * everything observable (events, errors, payload hashes) as text into `trace`.  The oracle runs it
 * whole, byte by byte, at every two-way split (or at `split_max` evenly spaced ones for long
 * inputs) and at random splits, and compares the traces. */
#ifndef SY_TESTS_CHUNK_ORACLE_H
#define SY_TESTS_CHUNK_ORACLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct chunk_trace {
    char *text; /* NUL-terminated, grows */
    size_t len;
    size_t cap;
} chunk_trace;

void chunk_trace_add(chunk_trace *trace, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Pieces are (data + cut[i-1] .. data + cut[i]); cut has cut_count ascending offsets, the last one
 * is len. */
typedef void (*chunk_run)(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                          chunk_trace *trace);

/* Returns NULL when all traces are equal, else a static text that names the failing cut and shows
 * both traces. */
const char *chunk_oracle(chunk_run run, void *user, const uint8_t *data, size_t len,
                         size_t split_max, uint64_t seed);

#endif
