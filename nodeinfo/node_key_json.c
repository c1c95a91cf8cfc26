/* SPDX-License-Identifier: Apache-2.0 */
/* node_key.json.  jansson keeps its own allocator (it is process-wide, hence not ours to change),
 * so its token buffer is out of reach; every copy that can be reached is wiped: the parsed string,
 * the decoded bytes, the computed key.  jansson's error text quotes the input and is never used. */
#include <switchyard/node_key.h>

#include <stdbool.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

#include <switchyard/assert.h>

#include "base/text.h"

#define KEY_TYPE        "tendermint/PrivKeyEd25519"
#define JSON_HEAD       "{\"priv_key\":{\"type\":\"" KEY_TYPE "\",\"value\":\""
#define JSON_TAIL       "\"}}"
#define PRIVATE_LEN     (SY_SEED_LEN + SY_PUBKEY_LEN)
#define VALUE_LEN       (4 * ((PRIVATE_LEN + 2) / 3))
#define TYPE_QUOTED_MAX 40 /* longer than any type name, shorter than any form of a key */

_Static_assert(sizeof JSON_HEAD - 1 + VALUE_LEN + sizeof JSON_TAIL <= SY_NODE_KEY_JSON_CAP,
               "the file form fits its buffer");

/* SPEC ID-10: says which type was found, unless it could be a key in the wrong place. */
static sy_err check_type(const json_t *type, sy_detail *detail) {
    const char *text = json_string_value(type);
    const size_t len = json_string_length(type);
    if (len == sizeof KEY_TYPE - 1 && memcmp(text, KEY_TYPE, len) == 0) {
        return SY_OK;
    }
    sy_detail_set(detail, "priv_key.type ");
    if (len <= TYPE_QUOTED_MAX) {
        sy_detail_quote(detail, text, len);
    } else {
        sy_detail_add(detail, "of %zu characters", len);
    }
    sy_detail_add(detail, ": only \"" KEY_TYPE "\" is known");
    return SY_ERR_KEY_TYPE;
}

/* SPEC ID-11, ID-12 */
static sy_err key_of_value(const char *value, size_t len, sy_node_key *ret_key, sy_detail *detail) {
    uint8_t secret[PRIVATE_LEN];
    sy_node_key key;
    size_t secret_len = 0;
    sy_err err = SY_OK;

    if (len != VALUE_LEN) {
        sy_detail_set(detail, "priv_key.value has %zu characters, base64 of %d bytes has %d", len,
                      PRIVATE_LEN, VALUE_LEN);
        return SY_ERR_KEY_FILE;
    }
    if (sy_base64_decode(value, len, secret, sizeof secret, &secret_len) != SY_OK ||
        secret_len != sizeof secret) {
        sy_detail_set(detail, "priv_key.value is not padded base64 of %d bytes", PRIVATE_LEN);
        err = SY_ERR_KEY_FILE;
        goto done;
    }
    sy_node_key_from_seed(secret, &key);
    if (!sodium_is_zero(secret + SY_SEED_LEN, SY_PUBKEY_LEN) &&
        sodium_memcmp(secret + SY_SEED_LEN, key.pubkey, SY_PUBKEY_LEN) != 0) {
        sy_detail_set(detail,
                      "priv_key.value: bytes %d to %d are not the public key of the first "
                      "%d",
                      SY_SEED_LEN, PRIVATE_LEN - 1, SY_SEED_LEN);
        err = SY_ERR_KEY_MISMATCH;
    } else {
        *ret_key = key;
    }
    sy_node_key_wipe(&key);
done:
    sodium_memzero(secret, sizeof secret);
    return err;
}

/* The string member `name` of priv_key, or NULL with detail. */
static json_t *string_member(const json_t *priv_key, const char *name, sy_detail *detail) {
    json_t *member = json_object_get(priv_key, name);
    if (!json_is_string(member)) {
        sy_detail_set(detail, "priv_key.%s is %s", name,
                      member == NULL ? "missing" : "not a string");
        return NULL;
    }
    return member;
}

static void wipe_string(json_t *value) {
    if (json_is_string(value)) {
        /* jansson gives only a const view of the buffer that it owns. */
        sodium_memzero((void *)(uintptr_t)json_string_value(value), json_string_length(value));
    }
}

/* Wipes priv_key and every string below it, in case the secret stands in the wrong place. */
static void wipe_strings(json_t *priv_key) {
    const char *name;
    json_t *member;
    wipe_string(priv_key);
    json_object_foreach(priv_key, name, member) {
        wipe_string(member);
    }
}

static sy_err decode_priv_key(const json_t *priv_key, sy_node_key *ret_key, sy_detail *detail) {
    if (!json_is_object(priv_key)) {
        sy_detail_set(detail, "priv_key is %s", priv_key == NULL ? "missing" : "not an object");
        return SY_ERR_KEY_FILE;
    }
    const json_t *type = string_member(priv_key, "type", detail);
    const json_t *value = type == NULL ? NULL : string_member(priv_key, "value", detail);
    if (value == NULL) {
        return SY_ERR_KEY_FILE;
    }
    const sy_err err = check_type(type, detail);
    if (err != SY_OK) {
        return err;
    }
    return key_of_value(json_string_value(value), json_string_length(value), ret_key, detail);
}

/* SPEC ID-08, ID-09, ID-13 */
sy_err sy_node_key_decode_json(const char *text, size_t len, sy_node_key *ret_key,
                               sy_detail *detail) {
    SY_REQUIRE(text != NULL || len == 0);

    sy_detail_clear(detail);
    if (len > SY_NODE_KEY_JSON_MAX) {
        sy_detail_set(detail, "%zu bytes, at most %d", len, SY_NODE_KEY_JSON_MAX);
        return SY_ERR_KEY_FILE;
    }

    json_error_t error;
    json_t *root = json_loadb(len == 0 ? "" : text, len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        /* A failed allocation mostly leaves the place of the error unset. */
        const bool no_memory =
            json_error_code(&error) == json_error_out_of_memory || error.line < 0;
        if (!no_memory) {
            sy_detail_set(detail, "not JSON at line %d, column %d", error.line, error.column);
        }
        sodium_memzero(&error, sizeof error); /* its text quotes the input */
        return no_memory ? SY_ERR_NOMEM : SY_ERR_KEY_FILE;
    }

    sy_err err;
    if (json_is_object(root)) {
        json_t *priv_key = json_object_get(root, "priv_key");
        err = decode_priv_key(priv_key, ret_key, detail);
        wipe_strings(priv_key);
    } else {
        sy_detail_set(detail, "not a JSON object");
        err = SY_ERR_KEY_FILE;
    }
    json_decref(root);
    return err;
}

/* SPEC ID-07 */
size_t sy_node_key_encode_json(const sy_node_key *key, char out[SY_NODE_KEY_JSON_CAP]) {
    uint8_t secret[PRIVATE_LEN];
    memcpy(secret, key->seed, SY_SEED_LEN);
    memcpy(secret + SY_SEED_LEN, key->pubkey, SY_PUBKEY_LEN);

    size_t pos = sizeof JSON_HEAD - 1;
    memcpy(out, JSON_HEAD, pos);
    sy_base64_encode(secret, sizeof secret, out + pos);
    pos += VALUE_LEN;
    memcpy(out + pos, JSON_TAIL, sizeof JSON_TAIL);
    sodium_memzero(secret, sizeof secret);
    return pos + sizeof JSON_TAIL - 1;
}
