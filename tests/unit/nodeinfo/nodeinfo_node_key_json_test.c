/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>
#include <sodium.h>

#include <switchyard/node_key.h>

/* The key file of the seed 00 01 .. 1f. */
#define VALUE                                                                                      \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA=="
#define TYPE                   "tendermint/PrivKeyEd25519"
#define FILE_WITH(type, value) "{\"priv_key\":{\"type\":\"" type "\",\"value\":\"" value "\"}}"
#define GOOD                   FILE_WITH(TYPE, VALUE)

/* The same with the public half all zero, and with its last byte changed. */
#define VALUE_ZERO                                                                                 \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define VALUE_OTHER                                                                                \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuQ=="
/* 63 and 65 bytes, and 64 bytes without padding. */
#define VALUE_63                                                                                   \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUx"
#define VALUE_65                                                                                   \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuAA="
#define VALUE_66                                                                                   \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuAAA"
#define VALUE_UNPADDED                                                                             \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA"
#define VALUE_URL_ALPHABET                                                                         \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe_884Qvh1w3RjnS8CZZ-TWMJulDV8d3IZkElUxuA=="

static void expected_key(sy_node_key *ret_key) {
    uint8_t seed[SY_SEED_LEN];
    for (size_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)i;
    }
    sy_node_key_from_seed(seed, ret_key);
}

/* SPEC-TEST ID-07 */
Test(node_key_json, writes_the_exact_bytes) {
    sy_node_key key;
    expected_key(&key);

    char out[SY_NODE_KEY_JSON_CAP + 1];
    memset(out, '!', sizeof out);
    const size_t len = sy_node_key_encode_json(&key, out);

    cr_assert_eq(len, 148);
    cr_assert_str_eq(out, GOOD);
    cr_assert_eq(out[SY_NODE_KEY_JSON_CAP], '!', "more than its buffer written");
}

/* SPEC-TEST ID-08 */
Test(node_key_json, reads_what_is_written_and_other_layouts_of_it) {
    static const struct {
        const char *name;
        const char *text;
    } rows[] = {
        {"as written", GOOD},
        {"newline at the end", GOOD "\n"},
        {"white space everywhere", " \t\r\n{ \"priv_key\" :\n{\t\"type\" : \"" TYPE
                                   "\" ,\r\n \"value\" : \"" VALUE "\" } }\n\n"},
        {"members in the other order",
         "{\"priv_key\":{\"value\":\"" VALUE "\",\"type\":\"" TYPE "\"}}"},
        {"unknown members", "{\"id\":7,\"priv_key\":{\"note\":[1,{}],\"type\":\"" TYPE
                            "\",\"value\":\"" VALUE "\"},\"x\":null}"},
        {"escapes in a string",
         "{\"priv_key\":{\"type\":\"tendermint\\/PrivKeyEd25519\",\"value\":\"\\u0041"
         "AECAwQFBgcI"
         "CQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe\\/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA==\"}}"},
        {"public half of zeros is computed", FILE_WITH(TYPE, VALUE_ZERO)},
    };
    sy_node_key expected;
    expected_key(&expected);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_node_key key;
        sy_detail detail = {"stale"};
        const sy_err err =
            sy_node_key_decode_json(rows[i].text, strlen(rows[i].text), &key, &detail);
        cr_expect_eq(err, SY_OK, "%s: %s (%s)", rows[i].name, sy_err_name(err), detail.text);
        if (err == SY_OK) {
            cr_expect_arr_eq(key.seed, expected.seed, SY_SEED_LEN, "%s", rows[i].name);
            cr_expect_arr_eq(key.pubkey, expected.pubkey, SY_PUBKEY_LEN, "%s", rows[i].name);
            cr_expect_str_eq(detail.text, "", "%s", rows[i].name);
        }
    }
}

static const struct {
    const char *name;
    const char *text;
    sy_err err;
    const char *detail;
} refused[] = {
    {"empty", "", SY_ERR_KEY_FILE, "not JSON at line 1, column 0"},
    {"only white space", " \n", SY_ERR_KEY_FILE, "not JSON at line 2, column 0"},
    {"no JSON", "hello", SY_ERR_KEY_FILE, "not JSON at line 1, column 5"},
    {"cut before the last brace", "{\"priv_key\":{\"type\":\"" TYPE "\",\"value\":\"" VALUE "\"}",
     SY_ERR_KEY_FILE, "not JSON at line 1, column 147"},
    {"cut in the value", "{\"priv_key\":{\"type\":\"" TYPE "\",\"value\":\"AAECAwQFBgcI",
     SY_ERR_KEY_FILE, "not JSON at line 1"},
    {"garbage behind the object", GOOD "x", SY_ERR_KEY_FILE, "not JSON at line 1, column 149"},
    {"a second object behind", GOOD GOOD, SY_ERR_KEY_FILE, "not JSON at line 1, column 149"},
    {"an array", "[" GOOD "]", SY_ERR_KEY_FILE, "not a JSON object"},
    {"no priv_key", "{}", SY_ERR_KEY_FILE, "priv_key is missing"},
    {"priv_key a string", "{\"priv_key\":\"" VALUE "\"}", SY_ERR_KEY_FILE,
     "priv_key is not an object"},
    {"priv_key null", "{\"priv_key\":null}", SY_ERR_KEY_FILE, "priv_key is not an object"},
    {"priv_key twice",
     "{\"priv_key\":{},\"priv_key\":{\"type\":\"" TYPE "\",\"value\":\"" VALUE "\"}}",
     SY_ERR_KEY_FILE, "not JSON at line 1"},
    {"value twice",
     "{\"priv_key\":{\"type\":\"" TYPE "\",\"value\":\"" VALUE "\",\"value\":\"" VALUE "\"}}",
     SY_ERR_KEY_FILE, "not JSON at line 1"},
    {"no type", "{\"priv_key\":{\"value\":\"" VALUE "\"}}", SY_ERR_KEY_FILE,
     "priv_key.type is missing"},
    {"type a number", "{\"priv_key\":{\"type\":1,\"value\":\"" VALUE "\"}}", SY_ERR_KEY_FILE,
     "priv_key.type is not a string"},
    {"no value", "{\"priv_key\":{\"type\":\"" TYPE "\"}}", SY_ERR_KEY_FILE,
     "priv_key.value is missing"},
    {"value an array", "{\"priv_key\":{\"type\":\"" TYPE "\",\"value\":[]}}", SY_ERR_KEY_FILE,
     "priv_key.value is not a string"},
    {"secp256k1", FILE_WITH("tendermint/PrivKeySecp256k1", VALUE), SY_ERR_KEY_TYPE,
     "priv_key.type \"tendermint/PrivKeySecp256k1\": only \"" TYPE "\" is known"},
    {"type in another case", FILE_WITH("tendermint/privkeyed25519", VALUE), SY_ERR_KEY_TYPE,
     "priv_key.type \"tendermint/privkeyed25519\": only"},
    {"type longer by one", FILE_WITH(TYPE "9", VALUE), SY_ERR_KEY_TYPE, "priv_key.type \""},
    {"type shorter by one", FILE_WITH("tendermint/PrivKeyEd2551", VALUE), SY_ERR_KEY_TYPE,
     "priv_key.type \""},
    {"empty type", FILE_WITH("", VALUE), SY_ERR_KEY_TYPE, "priv_key.type \"\": only"},
    {"prefix bytes as type (v0.21)", FILE_WITH("954568A3288910", VALUE), SY_ERR_KEY_TYPE,
     "priv_key.type \"954568A3288910\": only"},
    {"type of 40 characters", FILE_WITH("tttttttttttttttttttttttttttttttttttttttt", VALUE),
     SY_ERR_KEY_TYPE, "priv_key.type \"tttttttttttttttttttttttttttttttttttttttt\": only"},
    {"type of 41 characters", FILE_WITH("ttttttttttttttttttttttttttttttttttttttttt", VALUE),
     SY_ERR_KEY_TYPE, "priv_key.type of 41 characters: only"},
    {"a seed as type", FILE_WITH("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", VALUE),
     SY_ERR_KEY_TYPE, "priv_key.type of 44 characters: only"},
    {"type and value exchanged", FILE_WITH(VALUE, TYPE), SY_ERR_KEY_TYPE,
     "priv_key.type of 88 characters: only"},
    {"empty value", FILE_WITH(TYPE, ""), SY_ERR_KEY_FILE,
     "priv_key.value has 0 characters, base64 of 64 bytes has 88"},
    {"63 bytes", FILE_WITH(TYPE, VALUE_63), SY_ERR_KEY_FILE,
     "priv_key.value has 84 characters, base64 of 64 bytes has 88"},
    {"65 bytes", FILE_WITH(TYPE, VALUE_65), SY_ERR_KEY_FILE,
     "priv_key.value is not padded base64 of 64 bytes"},
    {"66 bytes", FILE_WITH(TYPE, VALUE_66), SY_ERR_KEY_FILE,
     "priv_key.value is not padded base64 of 64 bytes"},
    {"no padding", FILE_WITH(TYPE, VALUE_UNPADDED), SY_ERR_KEY_FILE,
     "priv_key.value has 86 characters, base64 of 64 bytes has 88"},
    {"URL alphabet", FILE_WITH(TYPE, VALUE_URL_ALPHABET), SY_ERR_KEY_FILE,
     "priv_key.value is not padded base64 of 64 bytes"},
    {"newline in the value", FILE_WITH(TYPE, VALUE_63 "\\n==="), SY_ERR_KEY_FILE,
     "priv_key.value is not padded base64 of 64 bytes"},
    {"public half of another key", FILE_WITH(TYPE, VALUE_OTHER), SY_ERR_KEY_MISMATCH,
     "priv_key.value: bytes 32 to 63 are not the public key of the first 32"},
};

/* Goal: each refusal has its code, names its cause, shows no part of the key, and writes nothing.
 * SPEC-TEST ID-09, ID-10, ID-11, ID-12, ER-14 */
Test(node_key_json, refuses_with_a_cause_and_without_key_bytes) {
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        sy_node_key key;
        sy_detail detail = {""};
        memset(&key, 0xa5, sizeof key);
        const sy_err err =
            sy_node_key_decode_json(refused[i].text, strlen(refused[i].text), &key, &detail);
        cr_expect_eq(err, refused[i].err, "%s: %s", refused[i].name, sy_err_name(err));
        cr_expect_eq(strncmp(detail.text, refused[i].detail, strlen(refused[i].detail)), 0,
                     "%s: %s", refused[i].name, detail.text);
        cr_expect_null(strstr(detail.text, "AAEC"), "%s: key bytes: %s", refused[i].name,
                       detail.text);
        for (size_t b = 0; b < sizeof key; b++) {
            cr_assert_eq(((const uint8_t *)&key)[b], 0xa5, "%s: output written", refused[i].name);
        }
        sy_node_key again;
        cr_expect_eq(
            sy_node_key_decode_json(refused[i].text, strlen(refused[i].text), &again, NULL),
            refused[i].err, "%s: without detail", refused[i].name);
    }
}

Test(node_key_json, an_embedded_nul_is_refused) {
    static const char text[] = FILE_WITH(TYPE, VALUE);
    char copy[sizeof text];
    sy_node_key key;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        memcpy(copy, text, sizeof text);
        copy[i] = '\0';
        const sy_err err = sy_node_key_decode_json(copy, sizeof text - 1, &key, NULL);
        cr_assert_eq(err, SY_ERR_KEY_FILE, "NUL at %zu: %s", i, sy_err_name(err));
    }
}

/* The text is bounded by its length: every cut of a good file is refused. */
Test(node_key_json, every_cut_is_refused) {
    static const char text[] = GOOD;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *exact = malloc(len > 0 ? len : 1);
        memcpy(exact, text, len);
        sy_node_key key;
        const sy_err err = sy_node_key_decode_json(exact, len, &key, NULL);
        free(exact);
        cr_assert_eq(err, SY_ERR_KEY_FILE, "cut at %zu: %s", len, sy_err_name(err));
    }
}

/* SPEC-TEST ID-13 */
Test(node_key_json, the_length_limit_is_exact) {
    static const struct {
        size_t len;
        sy_err err;
    } rows[] = {
        {SY_NODE_KEY_JSON_MAX - 1, SY_OK},
        {SY_NODE_KEY_JSON_MAX, SY_OK},
        {SY_NODE_KEY_JSON_MAX + 1, SY_ERR_KEY_FILE},
    };
    char *text = malloc(SY_NODE_KEY_JSON_MAX + 1);
    memset(text, ' ', SY_NODE_KEY_JSON_MAX + 1);
    memcpy(text, GOOD, sizeof GOOD - 1);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_node_key key;
        sy_detail detail;
        cr_expect_eq(sy_node_key_decode_json(text, rows[i].len, &key, &detail), rows[i].err,
                     "%zu bytes", rows[i].len);
        if (rows[i].err != SY_OK) {
            cr_expect_str_eq(detail.text, "65537 bytes, at most 65536");
        }
    }
    free(text);
}

Test(node_key_json, deep_nesting_is_refused) {
    enum {
        DEPTH = 30000
    };
    char *text = malloc(DEPTH);
    memset(text, '[', DEPTH);
    sy_node_key key;
    const sy_err err = sy_node_key_decode_json(text, DEPTH, &key, NULL);
    free(text);
    cr_assert_eq(err, SY_ERR_KEY_FILE, "%s", sy_err_name(err));
}

/* jansson's allocator is process-wide; only the tests below, each in a process of its own, replace
 * it.  Each block remembers its size in front. */
typedef union block_head {
    size_t size;
    max_align_t align;
} block_head;

static size_t alloc_calls;
static size_t alloc_fail_at;
static size_t secrets_freed;

static void *counting_malloc(size_t size) {
    if (++alloc_calls == alloc_fail_at) {
        return NULL;
    }
    block_head *head = malloc(sizeof *head + size);
    head->size = size;
    return head + 1;
}

/* A parsed string begins with the text; the parser's own token buffer begins with its quote. */
static void watching_free(void *ptr) {
    if (ptr == NULL) {
        return;
    }
    block_head *head = (block_head *)ptr - 1;
    secrets_freed += head->size >= 8 && memcmp(ptr, "AAECAwQF", 8) == 0;
    free(head);
}

/* SPEC-TEST ID-06 */
Test(node_key_json, parsed_strings_are_wiped_before_they_are_freed) {
    static const char *const texts[] = {GOOD,
                                        FILE_WITH(TYPE, VALUE_OTHER),
                                        FILE_WITH("x", VALUE),
                                        FILE_WITH(VALUE, "x"),
                                        FILE_WITH(TYPE, VALUE_63),
                                        "{\"priv_key\":\"" VALUE "\"}"};
    json_set_alloc_funcs(counting_malloc, watching_free);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sy_node_key key;
        (void)!sy_node_key_decode_json(texts[i], strlen(texts[i]), &key, NULL);
        cr_expect_eq(secrets_freed, 0, "text %zu", i);
    }
    json_decref(json_string("AAECAwQFBgcI"));
    cr_assert_eq(secrets_freed, 1, "the watch itself works");
}

/* Goal: a failed allocation never yields a key, let alone a wrong one.  Method: count the
 * allocations of a good file, then fail each of them in turn.  jansson reports some as a syntax
 * error and drops a character on others, so that the code says NOMEM only where it can. */
Test(node_key_json, out_of_memory_never_yields_a_key) {
    sy_node_key key;
    json_set_alloc_funcs(counting_malloc, watching_free);
    cr_assert_eq(sy_node_key_decode_json(GOOD, sizeof GOOD - 1, &key, NULL), SY_OK);
    const size_t calls = alloc_calls;
    cr_assert_gt(calls, 3);

    size_t nomem = 0;
    for (size_t k = 1; k <= calls; k++) {
        sy_detail detail;
        alloc_calls = 0;
        alloc_fail_at = k;
        memset(&key, 0xa5, sizeof key);
        const sy_err err = sy_node_key_decode_json(GOOD, sizeof GOOD - 1, &key, &detail);
        cr_expect(err == SY_ERR_NOMEM || err == SY_ERR_KEY_FILE || err == SY_ERR_KEY_TYPE,
                  "allocation %zu: %s (%s)", k, sy_err_name(err), detail.text);
        cr_expect_eq(key.seed[0], 0xa5, "allocation %zu: output written", k);
        nomem += err == SY_ERR_NOMEM;
    }
    cr_expect_geq(nomem, calls / 2, "%zu of %zu", nomem, calls);
}
