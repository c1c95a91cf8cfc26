/* SPDX-License-Identifier: Apache-2.0 */
/* NodeInfo in amino.  The table of accepted and refused bodies is in tests/vectors; here is what a
 * table cannot say: which values come out, which cause is named, what the encoder writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include <switchyard/node_info.h>

#include "tests/support/test_hex.h"
#include "tests/unit/nodeinfo/nodeinfo_util.h"

#define AMINO SY_NODE_INFO_AMINO

static sy_node_info decode(const char *hex) {
    static uint8_t bytes[8][SY_NODE_INFO_LEN_MAX];
    static size_t next;
    uint8_t *data = bytes[next++ % 8];
    const size_t len = test_hex(hex, data, SY_NODE_INFO_LEN_MAX);
    sy_node_info info;
    const sy_err err = sy_node_info_decode(AMINO, data, len, &info, NULL);
    cr_assert_eq(err, SY_OK, "%s: %s", hex, sy_err_name(err));
    return info;
}

/* SPEC-TEST NI-04, NI-15 */
Test(node_info_amino, fields_come_out_with_their_exact_bytes) {
    const sy_node_info info = decode("0a03 610062  1201 ff  1a02 0a0d  2201 2e  2a03 0020ff"
                                     "3204 c3a40000  3a00 3a01 00  4863");

    cr_expect(info.id.len == 3 && memcmp(info.id.data, "a\0b", 3) == 0);
    cr_expect(text_is(info.listen_addr, "\xff"));
    cr_expect(text_is(info.network, "\n\r"));
    cr_expect(text_is(info.version, "."));
    cr_expect_eq(info.channel_count, 3);
    cr_expect_arr_eq(info.channels, "\0\x20\xff", 3);
    cr_expect(info.moniker.len == 4 && memcmp(info.moniker.data, "\xc3\xa4\0\0", 4) == 0);
    cr_expect_eq(info.other_count, 2);
    cr_expect_eq(info.other[0].len, 0);
    cr_expect(info.other[1].len == 1 && info.other[1].data[0] == '\0');
    cr_expect_eq(info.p2p_version, 0);
    cr_expect_eq(info.block_version, 0);
}

/* SPEC-TEST NI-05, NI-06, NI-42 */
Test(node_info_amino, a_refusal_names_its_cause) {
    static const struct {
        const char *hex;
        const char *detail;
    } rows[] = {
        {"0a0161 0a0161", "field 1 after field 1"},
        {"2a0100 120161", "field 2 after field 5"},
        {"3a0161 320161", "field 6 after field 7"},
        {"3a0161 4001 3a0161", "field 7 after field 8"},
        {"4001 4001", "field 8 after field 8"},
        {"0801", "field 1 has wire type 0, not 2"},
        {"3900000000 00000000", "field 7 has wire type 1, not 2"},
        {"1d00000000", "field 3 has wire type 5, not 2"},
        {"0a0161 00", "byte 3 of 4: field number zero, repeated or out of order"},
        {"0a0161 43", "byte 3 of 4: field has the wrong wire type"},
        {"0a02 61", "byte 0 of 3: message ends early"},
        {"3affffffffffffffffff02", "byte 0 of 11: malformed varint"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t data[64];
        const size_t len = test_hex(rows[i].hex, data, sizeof data);
        sy_node_info info;
        sy_detail detail;
        cr_expect_eq(sy_node_info_decode(AMINO, data, len, &info, &detail), SY_ERR_NI_MALFORMED,
                     "%s", rows[i].hex);
        cr_expect_str_eq(detail.text, rows[i].detail, "%s", rows[i].hex);
    }
}

/* SPEC-TEST NI-02 */
Test(node_info_amino, encodes_in_order_and_leaves_empty_fields_out) {
    static const struct {
        const char *name;
        sy_node_info info;
        const char *hex;
    } rows[] = {
        {"zero", {.other_count = 0}, ""},
        {"moniker alone", {.moniker = T("m")}, "32016d"},
        {"empty entry of other",
         {.other_count = 3, .other = {T(""), T("a"), T("")}},
         "3a00 3a0161 3a00"},
        {"views are not written", {.tx_index = T("on"), .rpc_address = T("tcp://x:1")}, ""},
        {"versions are not written", {.p2p_version = 8, .block_version = 11, .app_version = 1}, ""},
        {"all",
         {.id = T("i"),
          .listen_addr = T("l"),
          .network = T("n"),
          .version = T("v"),
          .channels = (const uint8_t *)"\x00\x40",
          .channel_count = 2,
          .moniker = T("m"),
          .other_count = 1,
          .other = {T("o")}},
         "0a0169 12016c 1a016e 220176 2a020040 32016d 3a016f"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t expected[64];
        uint8_t out[64];
        size_t len = 12345;
        const size_t expected_len = test_hex(rows[i].hex, expected, sizeof expected);
        cr_expect_eq(sy_node_info_encode(AMINO, &rows[i].info, out, sizeof out, &len), SY_OK, "%s",
                     rows[i].name);
        cr_expect_eq(len, expected_len, "%s: %s", rows[i].name, test_hex_of(out, len));
        cr_expect(len == expected_len && memcmp(out, expected, len) == 0, "%s: %s", rows[i].name,
                  test_hex_of(out, len));
    }
}

/* SPEC-TEST NI-43 */
Test(node_info_amino, tx_index_and_rpc_address_are_the_first_such_entries) {
    static const struct {
        const char *name;
        size_t count;
        sy_text other[4];
        const char *tx_index;
        const char *rpc_address;
    } rows[] = {
        {"none", 1, {T("amino_version=0.10.1")}, "", ""},
        {"both", 2, {T("tx_index=on"), T("rpc_addr=tcp://1.2.3.4:5")}, "on", "tcp://1.2.3.4:5"},
        {"the first one", 3, {T("tx_index=off"), T("tx_index=on"), T("rpc_addr=")}, "off", ""},
        {"the first one, empty", 2, {T("tx_index="), T("tx_index=on")}, "", ""},
        {"another name", 3, {T("tx_index"), T("xtx_index=on"), T("rpc_address=a")}, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_node_info info = {.other_count = rows[i].count};
        memcpy(info.other, rows[i].other, sizeof rows[i].other);
        uint8_t out[256];
        size_t len = 0;
        sy_node_info back;
        cr_assert_eq(sy_node_info_encode(AMINO, &info, out, sizeof out, &len), SY_OK);
        cr_assert_eq(sy_node_info_decode(AMINO, out, len, &back, NULL), SY_OK);
        cr_expect(text_is(back.tx_index, rows[i].tx_index), "%s", rows[i].name);
        cr_expect(text_is(back.rpc_address, rows[i].rpc_address), "%s", rows[i].name);
    }
}

/* Entries at -1, 0, +1 of those that are kept: all are counted, checked, found and re-encoded. */
Test(node_info_amino, entries_beyond_the_kept_ones_are_not_lost) {
    for (size_t count = SY_NODE_INFO_OTHER_KEPT - 1; count <= SY_NODE_INFO_OTHER_KEPT + 2;
         count++) {
        uint8_t body[1024];
        size_t len = 0;
        memcpy(body, "\x32\x01m", 3);
        len += 3;
        for (size_t i = 0; i + 1 < count; i++) {
            memcpy(body + len, "\x3a\x01\x61", 3);
            len += 3;
        }
        memcpy(body + len, "\x3a\x0btx_index=on", 13);
        len += 13;
        const size_t list_end = len;
        memcpy(body + len, "\x40\x01", 2); /* an unknown field behind the list */
        len += 2;

        sy_node_info info;
        cr_assert_eq(sy_node_info_decode(AMINO, body, len, &info, NULL), SY_OK, "%zu", count);
        cr_expect_eq(info.other_count, count);
        cr_expect(text_is(info.tx_index, "on"), "%zu: the last entry is seen", count);
        const size_t rest =
            count <= SY_NODE_INFO_OTHER_KEPT ? 0 : 13 + 3 * (count - SY_NODE_INFO_OTHER_KEPT - 1);
        cr_expect_eq(info.other_rest.len, rest, "%zu: %zu", count, info.other_rest.len);
        cr_expect_eq(sy_node_info_validate(AMINO, &info, SY_OK, NULL), SY_OK, "%zu", count);

        uint8_t out[1024];
        size_t out_len = 0;
        cr_assert_eq(sy_node_info_encode(AMINO, &info, out, sizeof out, &out_len), SY_OK);
        cr_expect_eq(out_len, list_end, "%zu: %zu", count, out_len);
        cr_expect_arr_eq(out, body, list_end, "%zu", count);

        body[list_end - 1] = 0x07; /* "tx_index=o\a" */
        sy_detail detail;
        char expected[64];
        cr_assert_eq(sy_node_info_decode(AMINO, body, len, &info, NULL), SY_OK);
        cr_expect_eq(sy_node_info_validate(AMINO, &info, SY_OK, &detail), SY_ERR_NI_OTHER,
                     "%zu: the last entry is checked", count);
        (void)snprintf(expected, sizeof expected, "other[%zu] \"tx_index=o\\x07\"", count - 1);
        cr_expect_eq(strncmp(detail.text, expected, strlen(expected)), 0, "%s", detail.text);
    }
}

/* Goal: no cut and no damage reads beyond the end (the sanitizer watches) or yields values that
 * cannot be trusted. */
Test(node_info_amino, cut_and_damaged_bodies_are_refused_or_consistent) {
    uint8_t body[512];
    size_t len = 0;
    const sy_node_info info = test_info();
    cr_assert_eq(sy_node_info_encode(AMINO, &info, body, sizeof body, &len), SY_OK);

    cr_assert_eq(cut_and_damage(AMINO, body, len), SIZE_MAX);

    /* A cut that is accepted falls between two fields: exactly those of this NodeInfo. */
    size_t accepted = 0;
    for (size_t cut = 0; cut < len; cut++) {
        bool again = false;
        accepted += decode_exact(AMINO, body, cut, &again) == SY_OK;
    }
    cr_assert_eq(accepted, 8, "before each of the 8 fields: %zu", accepted);
}
