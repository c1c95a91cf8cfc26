/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include <switchyard/node_info.h>

#include "base/rd.h"
#include "tests/support/vectors.h"

enum {
    CAP = SY_NODE_INFO_LEN_MAX + 16
};

static void expect_text(const vec_node *row, const char *key, sy_text text) {
    const char *expected = vec_str(row, key);
    cr_expect(text.len == strlen(expected) && memcmp(text.data, expected, text.len) == 0,
              "%s: %s is \"%.*s\"", vec_name(row), key, (int)text.len, text.data);
}

static void expect_info(const vec_node *row, const sy_node_info *info) {
    uint8_t channels[256];
    const size_t count = vec_hex(row, "channels", channels, sizeof channels);
    /* An absent text has no bytes to point to. */
    sy_text texts[] = {info->id,      info->listen_addr, info->network,    info->version,
                       info->moniker, info->tx_index,    info->rpc_address};
    static const char *const keys[] = {"id",      "listen_addr", "network",    "version",
                                       "moniker", "tx_index",    "rpc_address"};
    for (size_t i = 0; i < 7; i++) {
        if (texts[i].data == NULL) {
            texts[i].data = "";
        }
        expect_text(row, keys[i], texts[i]);
    }
    cr_expect(info->channel_count == count &&
                  (count == 0 || memcmp(info->channels, channels, count) == 0),
              "%s: channels", vec_name(row));
    if (vec_has(row, "other")) {
        const vec_node *other = vec_get(row, "other");
        cr_assert_eq(info->other_count, vec_len(other), "%s", vec_name(row));
        for (size_t i = 0; i < info->other_count; i++) {
            const char *expected = vec_str_at(other, i);
            cr_expect(info->other[i].len == strlen(expected) &&
                          memcmp(info->other[i].data, expected, info->other[i].len) == 0,
                      "%s: other %zu", vec_name(row), i);
        }
    }
    if (vec_has(row, "block_version")) {
        cr_expect_eq(info->p2p_version, vec_u64(row, "p2p_version"), "%s", vec_name(row));
        cr_expect_eq(info->block_version, vec_u64(row, "block_version"), "%s", vec_name(row));
        cr_expect_eq(info->app_version, vec_u64(row, "app_version"), "%s", vec_name(row));
    }
}

/* Decodes the bytes behind the prefix, compares each value, encodes again to the same bytes. */
static void check_encodings(const char *name, sy_node_info_codec codec, size_t count_min) {
    static uint8_t bytes[CAP];
    static uint8_t out[CAP];
    vec_file *file = vec_open(name);
    const vec_node *rows = vec_get(vec_root(file), "encodings");
    cr_assert_geq(vec_len(rows), count_min);
    for (size_t i = 0; i < vec_len(rows); i++) {
        const vec_node *row = vec_at(rows, i);
        const size_t len = vec_hex(row, "hex", bytes, sizeof bytes);
        uint64_t body_len = 0;
        size_t prefix_len = 0;
        bool minimal = false;
        cr_assert_eq(sy_uvarint_peek(bytes, len, &body_len, &prefix_len, &minimal), SY_PREFIX_DONE);
        cr_assert(minimal && prefix_len + body_len == len, "%s", vec_name(row));

        sy_node_info info;
        cr_assert_eq(sy_node_info_decode(codec, bytes + prefix_len, body_len, &info, NULL), SY_OK,
                     "%s", vec_name(row));
        expect_info(row, &info);
        size_t out_len = 0;
        cr_assert_eq(sy_node_info_encode(codec, &info, out, sizeof out, &out_len), SY_OK);
        cr_expect(out_len == body_len && memcmp(out, bytes + prefix_len, out_len) == 0,
                  "%s: encoded again", vec_name(row));
    }
    vec_close(file);
}

/* Every row with the verdict it names, and the repaired twin of each refusal. */
static void check_decoder(const char *name, sy_node_info_codec codec, size_t count_min) {
    static uint8_t bytes[CAP];
    vec_file *file = vec_open(name);
    const vec_node *rows = vec_get(vec_root(file), "decoder");
    cr_assert_geq(vec_len(rows), count_min);
    for (size_t i = 0; i < vec_len(rows); i++) {
        const vec_node *row = vec_at(rows, i);
        size_t len = vec_hex(row, "hex", bytes, sizeof bytes);
        sy_err expected = SY_OK;
        if (!vec_is_accept(row)) {
            expected = len > SY_NODE_INFO_LEN_MAX ? SY_ERR_NI_TOO_LONG : SY_ERR_NI_MALFORMED;
        }
        sy_node_info info;
        sy_detail detail;
        sy_err err = sy_node_info_decode(codec, bytes, len, &info, &detail);
        cr_expect_eq(err, expected, "%s: %s (%s)", vec_name(row), sy_err_name(err), detail.text);
        if (expected == SY_OK) {
            continue;
        }
        len = vec_hex(row, "repaired", bytes, sizeof bytes);
        err = sy_node_info_decode(codec, bytes, len, &info, &detail);
        cr_expect_eq(err, SY_OK, "%s, repaired: %s (%s)", vec_name(row), sy_err_name(err),
                     detail.text);
    }
    vec_close(file);
}

/* SPEC-TEST NI-02 */
Test(vectors, node_info_of_tendermint) {
    check_encodings("tendermint/node-info.json", SY_NODE_INFO_AMINO, 4);
}

/* SPEC-TEST NI-07 */
Test(vectors, node_info_of_cometbft) {
    check_encodings("cometbft/node-info.json", SY_NODE_INFO_PROTO, 2);
}

/* SPEC-TEST NI-04, NI-05, NI-06 */
Test(vectors, node_info_bodies_for_the_amino_reader) {
    check_decoder("tendermint/node-info.json", SY_NODE_INFO_AMINO, 30);
}

/* SPEC-TEST NI-09, NI-10, NI-11, NI-12 */
Test(vectors, node_info_bodies_for_the_protobuf_reader) {
    check_decoder("cometbft/node-info.json", SY_NODE_INFO_PROTO, 30);
}
