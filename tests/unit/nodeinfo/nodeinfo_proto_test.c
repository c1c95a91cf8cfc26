/* SPDX-License-Identifier: Apache-2.0 */
/* NodeInfo in protobuf.  The table of accepted and refused bodies is in tests/vectors; here is what
 * a table cannot say: which values come out, which cause is named, what the encoder writes. */
#include <string.h>

#include <criterion/criterion.h>

#include <switchyard/node_info.h>

#include "tests/support/test_hex.h"
#include "tests/unit/nodeinfo/nodeinfo_util.h"

#define PROTO SY_NODE_INFO_PROTO

static sy_err decode(const char *hex, sy_node_info *ret_info, sy_detail *detail) {
    static uint8_t data[1024];
    const size_t len = test_hex(hex, data, sizeof data);
    return sy_node_info_decode(PROTO, data, len, ret_info, detail);
}

/* SPEC-TEST NI-15 */
Test(node_info_proto, fields_come_out_with_their_exact_bytes) {
    sy_node_info info;
    cr_assert_eq(decode("0a11 0801 10ffffffffffffffffff01 188080 01"
                        "1203 610062  1a01 ff  2202 0a0d  2a01 2e  3203 0020ff  3a02 0000"
                        "4207 0a01 00 1202 6100",
                        &info, NULL),
                 SY_OK);

    cr_expect_eq(info.p2p_version, 1);
    cr_expect_eq(info.block_version, UINT64_MAX);
    cr_expect_eq(info.app_version, 16384);
    cr_expect(info.id.len == 3 && memcmp(info.id.data, "a\0b", 3) == 0);
    cr_expect(text_is(info.listen_addr, "\xff"));
    cr_expect(text_is(info.network, "\n\r"));
    cr_expect(text_is(info.version, "."));
    cr_expect_eq(info.channel_count, 3);
    cr_expect_arr_eq(info.channels, "\0\x20\xff", 3);
    cr_expect(info.moniker.len == 2 && memcmp(info.moniker.data, "\0\0", 2) == 0);
    cr_expect(info.tx_index.len == 1 && info.tx_index.data[0] == '\0');
    cr_expect(info.rpc_address.len == 2 && memcmp(info.rpc_address.data, "a\0", 2) == 0);
    cr_expect_eq(info.other_count, 0);
}

/* SPEC-TEST NI-09, NI-10 */
Test(node_info_proto, the_last_of_a_repeated_scalar_counts) {
    static const struct {
        const char *name;
        const char *hex;
        const char *moniker;
        const char *channels;
        uint64_t block;
        const char *tx_index;
    } rows[] = {
        {"moniker, then another", "3a0161 3a0162", "b", "", 0, ""},
        {"moniker, then empty", "3a0161 3a00", "", "", 0, ""},
        {"channels, then others", "32020102 32010a", "", "\n", 0, ""},
        {"channels, then none", "32020102 3200", "", "", 0, ""},
        {"block version in one message", "0a04 100a 100b", "", "", 11, ""},
        {"block version, then zero", "0a04 100b 1000", "", "", 0, ""},
        {"tx_index in one message", "4206 0a016f 0a0162", "", "", 0, "b"},
        {"any order, unknown ones between", "4203 0a016f 4801 0a02 100b 9a0600 3a0161", "a", "", 11,
         "o"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_node_info info;
        const sy_err err = decode(rows[i].hex, &info, NULL);
        cr_assert_eq(err, SY_OK, "%s: %s", rows[i].name, sy_err_name(err));
        const sy_text channels = {(const char *)info.channels, info.channel_count};
        cr_expect(text_is(info.moniker, rows[i].moniker), "%s: moniker", rows[i].name);
        cr_expect(text_is(channels, rows[i].channels), "%s: channels", rows[i].name);
        cr_expect_eq(info.block_version, rows[i].block, "%s: block version", rows[i].name);
        cr_expect(text_is(info.tx_index, rows[i].tx_index), "%s: tx_index", rows[i].name);
    }
}

/* SPEC-TEST NI-11, NI-12, NI-42 */
Test(node_info_proto, a_refusal_names_its_cause) {
    static const struct {
        const char *hex;
        const char *detail;
    } rows[] = {
        {"0a00 0a00", "protocol_version given twice"},
        {"4200 3a0161 4200", "other given twice"},
        {"1001", "field 2 has wire type 0, not 2"},
        {"3900000000 00000000", "field 7 has wire type 1, not 2"},
        {"0a01 08", "protocol_version: byte 0: message ends early"},
        {"0a03 0a0101", "protocol_version: field 1 has wire type 2, not 0"},
        {"0a05 0d00000000", "protocol_version: field 1 has wire type 5, not 0"},
        {"0a02 0001", "protocol_version: byte 0: field number zero, repeated or out of order"},
        {"4202 0801", "other: field 1 has wire type 0, not 2"},
        {"4203 0a02 61", "other: byte 0: message ends early"},
        {"3a0161 00", "byte 3: field number zero, repeated or out of order"},
        {"3a0161 4b", "byte 3: field has the wrong wire type"},
        {"3a02 61", "byte 0: message ends early"},
        {"48ffffffffffffffffff02", "byte 0: malformed varint"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_node_info info;
        sy_detail detail;
        const sy_err err = decode(rows[i].hex, &info, &detail);
        cr_expect_eq(err, SY_ERR_NI_MALFORMED, "%s: %s", rows[i].hex, sy_err_name(err));
        cr_expect_str_eq(detail.text, rows[i].detail, "%s", rows[i].hex);
    }
}

/* SPEC-TEST NI-07 */
Test(node_info_proto, encodes_in_order_and_always_writes_both_messages) {
    static const struct {
        const char *name;
        sy_node_info info;
        const char *hex;
    } rows[] = {
        {"zero", {.other_count = 0}, "0a00 4200"},
        {"moniker alone", {.moniker = T("m")}, "0a00 3a016d 4200"},
        {"app version alone", {.app_version = 300}, "0a03 18ac02 4200"},
        {"rpc address alone", {.rpc_address = T("r")}, "0a00 4203 120172"},
        {"entries of other are amino's", {.other_count = 1, .other = {T("a")}}, "0a00 4200"},
        {"largest version", {.p2p_version = UINT64_MAX}, "0a0b 08ffffffffffffffffff01 4200"},
        {"all",
         {.id = T("i"),
          .listen_addr = T("l"),
          .network = T("n"),
          .version = T("v"),
          .p2p_version = 8,
          .block_version = 11,
          .app_version = 1,
          .channels = (const uint8_t *)"\x00\x40",
          .channel_count = 2,
          .moniker = T("m"),
          .tx_index = T("on"),
          .rpc_address = T("r")},
         "0a06 0808 100b 1801 120169 1a016c 22016e 2a0176 32020040 3a016d 4207 0a026f6e 120172"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t expected[128];
        uint8_t out[128];
        size_t len = 12345;
        const size_t expected_len = test_hex(rows[i].hex, expected, sizeof expected);
        cr_expect_eq(sy_node_info_encode(PROTO, &rows[i].info, out, sizeof out, &len), SY_OK, "%s",
                     rows[i].name);
        cr_expect_eq(len, expected_len, "%s: %s", rows[i].name, test_hex_of(out, len));
        cr_expect(len == expected_len && memcmp(out, expected, len) == 0, "%s: %s", rows[i].name,
                  test_hex_of(out, len));
    }
}

/* Goal: no cut and no damage reads beyond the end (the sanitizer watches) or yields values that
 * cannot be trusted. */
Test(node_info_proto, cut_and_damaged_bodies_are_refused_or_consistent) {
    uint8_t body[512];
    size_t len = 0;
    sy_node_info info = test_info();
    info.other_count = 0;
    cr_assert_eq(sy_node_info_encode(PROTO, &info, body, sizeof body, &len), SY_OK);

    cr_assert_eq(cut_and_damage(PROTO, body, len), SIZE_MAX);

    /* A cut that is accepted falls between two fields: exactly those of this NodeInfo. */
    size_t accepted = 0;
    for (size_t cut = 0; cut < len; cut++) {
        bool again = false;
        accepted += decode_exact(PROTO, body, cut, &again) == SY_OK;
    }
    cr_assert_eq(accepted, 8, "before each of the 8 fields: %zu", accepted);
}
