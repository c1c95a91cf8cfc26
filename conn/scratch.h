/* SPDX-License-Identifier: Apache-2.0 */
/* What all connections of one loop share so that an idle one costs nothing: cipher contexts
 * (rekeyed per batch), the area that received frames are opened into, the area that packets are
 * written to before sealing, and the area of sealed frames on their way to the socket.
 *
 * Contents are valid only until the next call on any connection of the loop.  Between calls the
 * cipher contexts hold the keys of the last connection that used them and the areas its plaintext;
 * del wipes both.  Loop thread only. */
#ifndef SY_CONN_SCRATCH_H
#define SY_CONN_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/mem.h>

#include "conn/limits.h"

/* A batch of plaintext to send: SY_SCRATCH_HEADROOM writable bytes stand in front of it, because
 * sealing writes each frame's length there. */
#define SY_SCRATCH_HEADROOM 64

typedef struct sy_scratch sy_scratch;

/* Who seals and opens frames; all give the same bytes:
 *   "auto"            the best one that this processor runs
 *   "avx512", "avx2"  several frames at once (conn/lanes.h), for processors that have it
 *   "library"         OpenSSL and libsodium, frame by frame
 * The name itself as a literal; NULL when it is none of these. */
const char *sy_frame_cipher_name(const char *name);

/* Whether this processor runs it. */
bool sy_frame_cipher_runs(const char *name);

/* Costs 129 KiB of mem and two cipher contexts of OpenSSL's own memory (2 KiB); initialises
 * libsodium when nobody did.  mem borrows until del.
 *   SY_ERR_NOMEM, SY_ERR_CRYPTO_LIB */
SY_API sy_err sy_scratch_new(const sy_mem *mem, sy_scratch **ret_scratch) SY_MUST_USE;

/* Wipes the areas.  NULL is allowed. */
SY_API void sy_scratch_del(sy_scratch *scratch);

/* Takes effect at once; "auto" after new.  The name must be one that this processor runs. */
void sy_scratch_set_cipher(sy_scratch *scratch, const char *name);

/* What seals several frames at once: "avx512", "avx2", or "library". */
const char *sy_scratch_cipher_name(const sy_scratch *scratch);

/* Plaintext to send: SY_SEAL_BATCH * SY_FRAME_DATA_MAX bytes, with headroom in front and slack
 * behind. */
uint8_t *sy_scratch_plain_out(sy_scratch *scratch);
#define SY_SCRATCH_PLAIN_OUT_CAP (SY_SEAL_BATCH * SY_FRAME_DATA_MAX)

/* Bytes for the socket: SY_SEAL_BATCH * SY_SEALED_LEN bytes. */
uint8_t *sy_scratch_wire_out(sy_scratch *scratch);
#define SY_SCRATCH_WIRE_OUT_CAP (SY_SEAL_BATCH * SY_SEALED_LEN)

#endif
