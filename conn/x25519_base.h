/* SPDX-License-Identifier: Apache-2.0 */
/* The public key of an ephemeral secret, as crypto_scalarmult_base gives it and in half its time.
 *
 * libsodium multiplies the base point of X25519 with the Montgomery ladder where the processor has
 * AVX, as if it were any point.  For the same point in Edwards form it has a table of multiples,
 * and one inversion leads from there to X25519: u = (1 + y) / (1 - y), RFC 7748, section 4.1. */
#ifndef SY_CONN_X25519_BASE_H
#define SY_CONN_X25519_BASE_H

#include <stdint.h>

/* X25519(secret, 9) of RFC 7748, section 5; secret need not be clamped.  Constant time; keeps
 * nothing.  Any thread. */
void sy_x25519_base(const uint8_t secret[32], uint8_t ret_public[32]);

#endif
