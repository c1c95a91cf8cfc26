/* SPDX-License-Identifier: Apache-2.0 */
/* The vector files themselves: each is readable, and what can be checked without the machines that
 * use it (lengths, digests) is right, so that a slip of the pen shows here and not in conn/. */
#include <string.h>

#include <criterion/criterion.h>
#include <sodium.h>

#include "base/rd.h"
#include "base/text.h"
#include "tests/support/vectors.h"

enum {
    CAP = 16384
};
static uint8_t bytes[CAP];

static void expect_sha256(const vec_node *row, const char *hex_key, const char *digest_key) {
    uint8_t expected[32];
    uint8_t digest[32];
    const size_t len = vec_hex(row, hex_key, bytes, sizeof bytes);
    cr_assert_eq(vec_hex(row, digest_key, expected, sizeof expected), sizeof expected);
    (void)crypto_hash_sha256(digest, bytes, len);
    cr_expect_arr_eq(digest, expected, 32, "%s: %s", vec_name(row), hex_key);
}

Test(vectors, sealed_frames_have_the_published_digests) {
    static const char *const files[] = {"tendermint/secret-connection.json",
                                        "cometbft/secret-connection.json"};
    for (size_t f = 0; f < 2; f++) {
        vec_file *file = vec_open(files[f]);
        const vec_node *sides = vec_get(vec_root(file), "sides");
        for (size_t i = 0; i < vec_len(sides); i++) {
            expect_sha256(vec_at(sides, i), "auth_frame", "auth_frame_sha256");
            cr_expect_eq(vec_hex(vec_at(sides, i), "auth_frame", bytes, sizeof bytes), 1044);
        }
        expect_sha256(vec_get(vec_root(file), "node_info_frame"), "sealed", "sha256");
        vec_close(file);
    }
}

/* Each packet says its own length. */
static void expect_delimited(const char *name, const uint8_t *data, size_t len) {
    uint64_t body = 0;
    size_t prefix = 0;
    bool minimal = false;
    cr_assert_eq(sy_uvarint_peek(data, len, &body, &prefix, &minimal), SY_PREFIX_DONE, "%s", name);
    cr_expect_eq(prefix + body, len, "%s: prefix %zu, body %zu, whole %zu", name, prefix,
                 (size_t)body, len);
}

Test(vectors, packets_carry_their_length) {
    static const char *const files[] = {"tendermint/packets.json", "cometbft/packets.json"};
    for (size_t f = 0; f < 2; f++) {
        vec_file *file = vec_open(files[f]);
        const vec_node *packets = vec_get(vec_root(file), "packets");
        for (size_t i = 0; i < vec_len(packets); i++) {
            const size_t len = vec_hex(vec_at(packets, i), "hex", bytes, sizeof bytes);
            expect_delimited(vec_name(vec_at(packets, i)), bytes, len);
        }
        const vec_node *fragments = vec_get(vec_root(file), "fragments");
        for (size_t i = 0; i < vec_len(fragments); i++) {
            const vec_node *pieces = vec_get(vec_at(fragments, i), "packets");
            for (size_t p = 0; p < vec_len(pieces); p++) {
                const size_t len = vec_hex_at(pieces, p, bytes, sizeof bytes);
                expect_delimited(vec_name(vec_at(fragments, i)), bytes, len);
            }
        }
        vec_close(file);
    }
}

Test(vectors, every_refused_row_has_a_repaired_twin) {
    static const char *const files[] = {"tendermint/decoder.json", "cometbft/decoder.json"};
    static const char *const tables[] = {"packets", "ephemeral", "auth"};
    for (size_t f = 0; f < 2; f++) {
        vec_file *file = vec_open(files[f]);
        for (size_t t = 0; t < 3; t++) {
            const vec_node *rows = vec_get(vec_root(file), tables[t]);
            size_t refused = 0;
            for (size_t i = 0; i < vec_len(rows); i++) {
                const vec_node *row = vec_at(rows, i);
                cr_expect_gt(vec_hex(row, "hex", bytes, sizeof bytes), 0, "%s", vec_name(row));
                const char *reference = vec_str(row, "reference");
                cr_expect(strcmp(reference, "accept") == 0 || strcmp(reference, "reject") == 0);
                if (!vec_is_accept(row)) {
                    refused++;
                    cr_expect_gt(vec_hex(row, "repaired", bytes, sizeof bytes), 0);
                }
            }
            cr_expect_geq(refused, 3, "%s %s", files[f], tables[t]);
        }
        vec_close(file);
    }
}

/* The amino prefixes follow from the names.  Method: the rule of the codec. */
Test(vectors, amino_prefixes_follow_from_the_names) {
    vec_file *file = vec_open("tendermint/prefixes.json");
    const vec_node *rows = vec_get(vec_root(file), "names");
    cr_assert_eq(vec_len(rows), 11);
    for (size_t i = 0; i < vec_len(rows); i++) {
        const vec_node *row = vec_at(rows, i);
        const char *name = vec_name(row);
        uint8_t hash[32];
        uint8_t expected[4];
        (void)crypto_hash_sha256(hash, (const uint8_t *)name, strlen(name));
        size_t at = 0;
        while (hash[at] == 0) {
            at++;
        }
        cr_assert_eq(vec_hex(row, "disambiguation", expected, sizeof expected), 3);
        cr_expect_arr_eq(hash + at, expected, 3, "%s", name);
        at += 3;
        while (hash[at] == 0) {
            at++;
        }
        cr_assert_eq(vec_hex(row, "prefix", expected, sizeof expected), 4);
        cr_expect_arr_eq(hash + at, expected, 4, "%s", name);
    }
    vec_close(file);
}

/* X25519 with any scalar: libsodium refuses when the product is zero. */
Test(vectors, low_order_points_have_no_product) {
    vec_file *file = vec_open("low-order.json");
    const vec_node *rows = vec_get(vec_root(file), "points");
    cr_assert_eq(vec_len(rows), 14);
    for (size_t i = 0; i < vec_len(rows); i++) {
        uint8_t scalar[32];
        uint8_t point[32];
        uint8_t product[32];
        memset(scalar, 0x11, sizeof scalar);
        cr_assert_eq(vec_hex(vec_at(rows, i), "point", point, sizeof point), 32);
        cr_expect_neq(crypto_scalarmult(product, scalar, point), 0, "%s",
                      vec_name(vec_at(rows, i)));
    }
    vec_close(file);
}
