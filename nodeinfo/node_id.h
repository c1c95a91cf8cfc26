/* SPDX-License-Identifier: Apache-2.0 */
/* The node ID: the first 20 bytes of SHA-256 over the raw Ed25519 public key, written as 40
 * lower-case hex digits.  A value type, copied freely, compared as bytes.
 * Source: docs/spec/identity.md. */
#ifndef SWITCHYARD_NODE_ID_H
#define SWITCHYARD_NODE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>
#include <switchyard/export.h>

SY_BEGIN_DECLS

#define SY_NODE_ID_LEN      20
#define SY_NODE_ID_TEXT_LEN 40
#define SY_NODE_ID_TEXT_CAP (SY_NODE_ID_TEXT_LEN + 1)
#define SY_PUBKEY_LEN       32

typedef struct sy_node_id {
    uint8_t bytes[SY_NODE_ID_LEN];
} sy_node_id;

/* The ID of a raw Ed25519 public key.  Any thread. */
SY_API sy_node_id sy_node_id_of_pubkey(const uint8_t pubkey[SY_PUBKEY_LEN]);

/* Hex of either case (people paste both); comparison is by bytes.  Any thread.
 *   SY_ERR_ADDR_ID  not exactly 40 hex digits */
SY_API sy_err sy_node_id_parse(const char *text, size_t len, sy_node_id *ret_id) SY_MUST_USE;

/* 40 lower-case digits and a NUL.  Any thread. */
SY_API void sy_node_id_format(const sy_node_id *id, char out[SY_NODE_ID_TEXT_CAP]);

/* <0, 0, >0 by bytes, as memcmp.  Any thread. */
SY_API int sy_node_id_cmp(const sy_node_id *a, const sy_node_id *b);

static inline bool sy_node_id_equal(const sy_node_id *a, const sy_node_id *b) {
    return sy_node_id_cmp(a, b) == 0;
}

SY_END_DECLS

#endif
