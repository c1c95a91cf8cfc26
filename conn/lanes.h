/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-buffer frame ciphers: up to SY_LANES_FRAMES frames of one direction sealed or opened side
 * by side in vector lanes.  The frames of a flush have consecutive nonces and nothing else in
 * common, so no frame waits for another, and the cost that a library pays per frame (setting the
 * nonce, the powers of the Poly1305 key, short tails) is paid once for all of them.
 *
 * Byte for byte the same as the library ciphers, which remain for the frames that are too few and
 * for processors without an implementation.  No branch and no address depends on a key, a nonce or
 * a plaintext; whether a tag is right is public.  No state, no allocation, any thread.
 *
 * Layout: frames on the wire stand back to back (SY_SEALED_LEN each); their data areas stand back
 * to back too (SY_FRAME_DATA_MAX each), and the length that a frame declares travels apart from
 * them as the four bytes of the wire (`head`), because there is no room between two data areas.
 *
 * Sources: RFC 8439 (ChaCha20-Poly1305), the NaCl papers (XSalsa20-Poly1305), docs/spec CC-14 and
 * STS-12. Internal to conn/. */
#ifndef SY_CONN_LANES_H
#define SY_CONN_LANES_H

#include <stddef.h>
#include <stdint.h>

#include "conn/limits.h"

#define SY_LANES_FRAMES 16

typedef struct sy_lanes_job {
    const uint8_t *key; /* 32 bytes: of ChaCha20, or the Salsa20 subkey */
    uint64_t
        nonce[SY_LANES_FRAMES]; /* of each frame, read as a little-endian number: bytes 4..11 of
                                   a ChaCha20 nonce (0..3 are zero), the 8 bytes of Salsa20 */
    uint8_t head[SY_LANES_FRAMES]
                [4]; /* first bytes of each frame: in when sealing, out when opening */
    size_t frames;   /* 1 .. SY_LANES_FRAMES */
} sy_lanes_job;

typedef struct sy_lanes_cipher {
    /* Seals job->frames data areas at data into out; padding is the caller's.  The 64 bytes in
     * front of data must be readable.  data and out do not overlap. */
    void (*seal)(const sy_lanes_job *job, const uint8_t *data, uint8_t *out);

    /* Opens job->frames frames at in.  Returns how many leading ones are authentic; their heads are
     * in job->head and their data areas at data.  Data areas behind them are wiped. */
    size_t (*open)(sy_lanes_job *job, const uint8_t *in, uint8_t *data);
} sy_lanes_cipher;

typedef struct sy_lanes {
    const char *name;  /* "avx512", "avx2" */
    size_t frames_min; /* with fewer frames the library cipher is the faster one */
    sy_lanes_cipher chacha20_poly1305;
    sy_lanes_cipher
        salsa20_poly1305; /* the frame begins 32 bytes into the key stream, tag in front */
} sy_lanes;

/* The implementations that this processor runs, the best one at 0; NULL behind the last. */
const sy_lanes *sy_lanes_at(size_t index);

/* The best one; NULL when there is none. */
const sy_lanes *sy_lanes_best(void);

/* The one of that name; NULL when this processor does not run it. */
const sy_lanes *sy_lanes_find(const char *name);

/* The name itself, a literal, when there is an implementation of it for whichever processor; else
 * NULL. */
const char *sy_lanes_name(const char *name);

/* How many of `frames` frames to hand over next: 0 when the library cipher is to take them, else at
 * most SY_LANES_FRAMES.  lanes may be NULL. */
size_t sy_lanes_take(const sy_lanes *lanes, size_t frames);

#endif
