/* SPDX-License-Identifier: Apache-2.0 */
/* The node key: the Ed25519 key pair that is a node's identity, and its file form node_key.json,
 * which Tendermint 0.22 and CometBFT write alike.  Reading and writing the file itself is the
 * program's business: these functions take and give text.  Source: docs/spec/identity.md. */
#ifndef SWITCHYARD_NODE_KEY_H
#define SWITCHYARD_NODE_KEY_H

#include <stddef.h>
#include <stdint.h>

#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/node_id.h>

SY_BEGIN_DECLS

#define SY_SEED_LEN          32
#define SY_SIGNATURE_LEN     64
#define SY_NODE_KEY_JSON_CAP 256
#define SY_NODE_KEY_JSON_MAX 65536 /* a longer file is refused unread */

/* Secret: wipe with sy_node_key_wipe, never log, never copy without need. */
typedef struct sy_node_key {
    uint8_t seed[SY_SEED_LEN];
    uint8_t pubkey[SY_PUBKEY_LEN];
} sy_node_key;

/* Computes the public half.  Any thread. */
SY_API void sy_node_key_from_seed(const uint8_t seed[SY_SEED_LEN], sy_node_key *ret_key);

/* RFC 8032 pure Ed25519 over msg.  Any thread. */
SY_API void sy_node_key_sign(const sy_node_key *key, const uint8_t *msg, size_t len,
                             uint8_t ret_sig[SY_SIGNATURE_LEN]);

SY_API sy_node_id sy_node_key_id(const sy_node_key *key);

SY_API void sy_node_key_wipe(sy_node_key *key);

/* Reads the JSON text of node_key.json.  `detail` (may be NULL) names what is wrong, never key
 * bytes.  A public half of zeros is computed from the seed, as Tendermint does.  Any thread.
 *   SY_ERR_KEY_FILE      not JSON, a member missing or malformed, base64 not of 64 bytes
 *   SY_ERR_KEY_TYPE      another key type
 *   SY_ERR_KEY_MISMATCH  the public half does not belong to the seed
 *   SY_ERR_NOMEM         (the JSON parser reports some failed allocations as a malformed file) */
SY_API sy_err sy_node_key_decode_json(const char *text, size_t len, sy_node_key *ret_key,
                                      sy_detail *detail) SY_MUST_USE;

/* The exact bytes that both projects write (no newline); returns the length without the NUL.
 * The text is secret: wipe it. */
SY_API size_t sy_node_key_encode_json(const sy_node_key *key, char out[SY_NODE_KEY_JSON_CAP]);

SY_END_DECLS

#endif
