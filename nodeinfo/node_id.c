/* SPDX-License-Identifier: Apache-2.0 */
#include <switchyard/node_id.h>

#include <string.h>

#include <sodium.h>

#include "base/text.h"

/* SPEC ID-02 */
sy_node_id sy_node_id_of_pubkey(const uint8_t pubkey[SY_PUBKEY_LEN]) {
    uint8_t digest[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(digest, pubkey, SY_PUBKEY_LEN);

    sy_node_id id;
    memcpy(id.bytes, digest, sizeof id.bytes);
    return id;
}

/* SPEC ID-04 */
sy_err sy_node_id_parse(const char *text, size_t len, sy_node_id *ret_id) {
    sy_node_id id;
    if (sy_hex_decode(text, len, id.bytes, sizeof id.bytes) != SY_OK) {
        return SY_ERR_ADDR_ID;
    }
    *ret_id = id;
    return SY_OK;
}

/* SPEC ID-03 */
void sy_node_id_format(const sy_node_id *id, char out[SY_NODE_ID_TEXT_CAP]) {
    sy_hex_encode(id->bytes, sizeof id->bytes, out);
}

int sy_node_id_cmp(const sy_node_id *a, const sy_node_id *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}
