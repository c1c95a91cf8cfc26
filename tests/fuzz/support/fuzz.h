/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target shares: the check that ends the program, the input as a row of small
 * values, and a counted memory with budgets.  Nothing here reads a clock or draws a random number:
 * whatever happens in a run is decided by the bytes of its input. */
#ifndef SY_TESTS_FUZZ_H
#define SY_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/mem.h>

#include "base/rd.h"
#include "tests/support/test_mem.h"

/* The target.  Called by libFuzzer, or by replay_main.c for each file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(cond) ((cond) ? (void)0 : fuzz_fail(#cond, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char *condition, const char *file, int line);

/* Call once per input: was it taken for valid?  The share is printed at exit. */
void fuzz_count(bool accepted);

/* ---- the input ---- */

typedef struct fuzz_in {
    const uint8_t *pos;
    const uint8_t *end;
} fuzz_in;

fuzz_in fuzz_in_of(const uint8_t *data, size_t size);
size_t fuzz_left(const fuzz_in *in);

/* Behind the end all of them read zeros. */
uint8_t fuzz_u8(fuzz_in *in);
uint16_t fuzz_u16(fuzz_in *in); /* big endian */
uint32_t fuzz_u32(fuzz_in *in);
uint64_t fuzz_u64(fuzz_in *in);

/* The next n bytes, or as many as there are. */
sy_bytes fuzz_take(fuzz_in *in, size_t n);

/* Replaces up to `edits` bytes of data, as two bytes of the input each say: the place (modulo len,
 * which is 1 to 256) and the value.  Ends with the input. */
void fuzz_edit(fuzz_in *in, void *data, size_t len, unsigned edits);

/* Nanoseconds of all magnitudes from one byte: 0, then 1 us to about an hour. */
uint64_t fuzz_duration(fuzz_in *in);

/* ---- memory ---- */

/* Counted memory and two budgets.  Two input bytes decide when allocations fail and how small the
 * connection's budget is. */
typedef struct fuzz_world {
    test_mem tm;
    sy_budget node;
    sy_budget conn; /* child of node */
    bool is_tight;  /* allocations may fail, budgets may be refused */
} fuzz_world;

void fuzz_world_init(fuzz_world *world, fuzz_in *in);

/* Budgets equal live bytes. */
void fuzz_world_check(const fuzz_world *world);

/* Everything was given back. */
void fuzz_world_fini(fuzz_world *world);

/* ---- judgements ---- */

/* An error that a remote's bytes may cause: class PEER or CRYPTO; LOCAL only in a tight world. */
void fuzz_check_err(sy_err err, const fuzz_world *world);

/* One line of printable ASCII. */
void fuzz_check_detail(const sy_detail *detail);

/* part lies inside whole, or is empty. */
bool fuzz_is_inside(const void *part, size_t part_len, const void *whole, size_t whole_len);

/* A copy in a block of exactly its size, so that a read behind it shows.  Release with
 * fuzz_exact_del. */
uint8_t *fuzz_exact(const void *data, size_t len);
void fuzz_exact_del(uint8_t *copy);

/* At least 64 KiB of bytes that do not repeat soon; another seed starts elsewhere. */
const uint8_t *fuzz_pattern(uint8_t seed);

/* ---- bytes that grow ---- */

typedef struct fuzz_bytes {
    uint8_t *data;
    size_t len;
    size_t cap;
} fuzz_bytes;

void fuzz_bytes_add(fuzz_bytes *bytes, const void *data, size_t len);
void fuzz_bytes_drop_front(fuzz_bytes *bytes, size_t n);
void fuzz_bytes_free(fuzz_bytes *bytes);

#endif
