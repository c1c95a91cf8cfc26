/* SPDX-License-Identifier: Apache-2.0 */
/* The text of node_key.json; behind a first byte below 8 a seed of 32 bytes whose file is written,
 * with up to three edits of two bytes each (place, value), for no mutation finds a public
 * half.  What is read can be written and read again, and nothing of a key that was refused stands
 * in the error line. */
#include <switchyard/node_key.h>

#include <string.h>

#include "tests/fuzz/support/fuzz.h"

/* The file of a seed, edited; returns its length. */
static size_t make_file(fuzz_in *in, char out[SY_NODE_KEY_JSON_CAP]) {
    uint8_t seed[SY_SEED_LEN] = {0};
    sy_node_key key;
    (void)fuzz_u8(in);
    const sy_bytes given = fuzz_take(in, sizeof seed);
    memcpy(seed, given.data, given.len);
    sy_node_key_from_seed(seed, &key);
    const size_t len = sy_node_key_encode_json(&key, out);
    fuzz_edit(in, out, len, fuzz_u8(in) % 4);
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char made[SY_NODE_KEY_JSON_CAP];
    if (size > 0 && data[0] < 8) {
        fuzz_in in = fuzz_in_of(data, size);
        size = make_file(&in, made);
        data = (const uint8_t *)made;
    }
    sy_node_key key;
    sy_detail detail = {.text = ""};
    const sy_err err = sy_node_key_decode_json((const char *)data, size, &key, &detail);
    fuzz_check_detail(&detail);
    if (err != SY_OK) {
        FUZZ_CHECK(err == SY_ERR_KEY_FILE || err == SY_ERR_KEY_TYPE || err == SY_ERR_KEY_MISMATCH);
        fuzz_count(false);
        return 0;
    }
    sy_node_key from_seed;
    sy_node_key_from_seed(key.seed, &from_seed);
    FUZZ_CHECK(memcmp(&key, &from_seed, sizeof key) == 0);

    char text[SY_NODE_KEY_JSON_CAP];
    sy_node_key again;
    const size_t len = sy_node_key_encode_json(&key, text);
    FUZZ_CHECK(len < sizeof text && strlen(text) == len);
    FUZZ_CHECK(sy_node_key_decode_json(text, len, &again, NULL) == SY_OK);
    FUZZ_CHECK(memcmp(&key, &again, sizeof key) == 0);
    fuzz_count(true);
    return 0;
}
