/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the scratch, for the suites and the secret connection. */
#ifndef SY_CONN_SCRATCH_INTERNAL_H
#define SY_CONN_SCRATCH_INTERNAL_H

#include <openssl/evp.h>

#include "conn/lanes.h"
#include "conn/scratch.h"

/* Received plaintext: the data of SY_OPEN_BATCH frames without gaps; the last frame is opened with
 * its padding. */
#define SY_SCRATCH_PLAIN_IN_CAP (SY_OPEN_BATCH * SY_FRAME_DATA_MAX)

struct sy_scratch {
    const sy_mem *mem;    /* borrowed */
    EVP_CIPHER_CTX *seal; /* ChaCha20-Poly1305, rekeyed per batch */
    EVP_CIPHER_CTX *open;
    const sy_lanes *lanes; /* NULL: the library ciphers alone */
    uint8_t plain_in[SY_SCRATCH_HEADROOM + SY_SCRATCH_PLAIN_IN_CAP];
    uint8_t plain_out[SY_SCRATCH_HEADROOM + SY_SCRATCH_PLAIN_OUT_CAP];
    uint8_t wire_out[SY_SCRATCH_WIRE_OUT_CAP];
};

/* Where frames are opened to, with SY_SCRATCH_HEADROOM bytes in front. */
uint8_t *sy_scratch_plain_in(sy_scratch *scratch);

#endif
