/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF with SHA-256 (RFC 5869), extract and expand in one call.  Source of its use:
 * docs/spec/handshake-cometbft.md. */
#ifndef SY_CONN_HKDF_H
#define SY_CONN_HKDF_H

#include <stddef.h>
#include <stdint.h>

#define SY_HKDF_OUT_MAX (255 * 32) /* the block counter is one byte */

/* Derives out_len (1 .. SY_HKDF_OUT_MAX) bytes.  salt may be NULL when salt_len is 0; that is the
 * RFC's default salt of 32 zero bytes.  Keeps no copy of a secret. */
void sy_hkdf_sha256(const uint8_t *ikm, size_t ikm_len, const uint8_t *salt, size_t salt_len,
                    const uint8_t *info, size_t info_len, uint8_t *out, size_t out_len);

#endif
