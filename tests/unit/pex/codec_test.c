/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of peer exchange: those of real implementations, and what is refused next to its
 * repaired twin. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "base/text.h"
#include "reactors/pex/pex_codec.h"
#include "tests/support/vectors.h"

static const struct {
    const char *file;
    sy_pex_encoding encoding;
} files[] = {
    {"tendermint/pex.json", SY_PEX_AMINO},
    {"cometbft/pex.json", SY_PEX_PROTO},
};

static void check_addr(const vec_node *want, const sy_pex_addr *got, sy_pex_encoding encoding,
                       const char *name) {
    const char *id = vec_str(want, "id");
    cr_expect(got->id.len == strlen(id) && memcmp(got->id.data, id, got->id.len) == 0, "%s", name);
    cr_expect_eq(got->port, vec_u64(want, "port"), "%s", name);
    if (encoding == SY_PEX_AMINO) {
        uint8_t ip[16];
        const size_t len = vec_hex(want, "ip", ip, sizeof ip);
        cr_expect(got->ip.len == len && memcmp(got->ip.data, ip, len) == 0, "%s", name);
    } else {
        const char *ip = vec_str(want, "ip");
        cr_expect(got->ip.len == strlen(ip) && memcmp(got->ip.data, ip, got->ip.len) == 0, "%s",
                  name);
    }
}

/* What we would send for the same addresses; only for those that we would send at all. */
static void check_encoding(const vec_node *row, const sy_pex_message *message, const uint8_t *bytes,
                           size_t len, sy_pex_encoding encoding) {
    uint8_t out[4096];
    size_t out_len = 0;
    sy_net_addr addrs[8];
    if (message->kind == SY_PEX_REQUEST) {
        out_len = sy_pex_encode_request(encoding, out);
    } else {
        for (size_t i = 0; i < message->count; i++) {
            if (!sy_pex_addr_read(encoding, &message->addrs[i], &addrs[i])) {
                return;
            }
        }
        cr_assert_eq(
            sy_pex_encode_addrs(encoding, addrs, message->count, out, sizeof out, &out_len), SY_OK);
    }
    cr_expect(out_len == len && memcmp(out, bytes, len) == 0, "%s", vec_name(row));
}

/* SPEC-TEST PEX-01 PEX-02 PEX-03 PEX-04 */
Test(pex_codec, real_messages) {
    static sy_pex_message message;
    for (size_t f = 0; f < 2; f++) {
        vec_file *file = vec_open(files[f].file);
        const vec_node *rows = vec_get(vec_root(file), "messages");
        for (size_t i = 0; i < vec_len(rows); i++) {
            const vec_node *row = vec_at(rows, i);
            uint8_t bytes[1024];
            const size_t len = vec_hex(row, "hex", bytes, sizeof bytes);
            cr_assert_eq(sy_pex_decode(files[f].encoding, bytes, len, &message, NULL), SY_OK, "%s",
                         vec_name(row));
            const bool is_request = strcmp(vec_str(row, "kind"), "request") == 0;
            cr_expect_eq(message.kind, is_request ? SY_PEX_REQUEST : SY_PEX_ADDRS, "%s",
                         vec_name(row));
            if (!is_request) {
                const vec_node *addrs = vec_get(row, "addrs");
                cr_assert_eq(message.count, vec_len(addrs), "%s", vec_name(row));
                for (size_t k = 0; k < message.count; k++) {
                    check_addr(vec_at(addrs, k), &message.addrs[k], files[f].encoding,
                               vec_name(row));
                }
            }
            check_encoding(row, &message, bytes, len, files[f].encoding);
        }
        vec_close(file);
    }
}

/* SPEC-TEST PEX-05 */
Test(pex_codec, reference_verdicts) {
    static sy_pex_message message;
    vec_file *file = vec_open("tendermint/pex.json");
    const vec_node *rows = vec_get(vec_root(file), "decoder");
    for (size_t i = 0; i < vec_len(rows); i++) {
        const vec_node *row = vec_at(rows, i);
        uint8_t bytes[256];
        size_t len = vec_hex(row, "hex", bytes, sizeof bytes);
        const sy_err err = sy_pex_decode(SY_PEX_AMINO, bytes, len, &message, NULL);
        cr_expect_eq(err == SY_OK, vec_is_accept(row), "%s: %s", vec_name(row), sy_err_name(err));
        if (!vec_is_accept(row)) {
            len = vec_hex(row, "repaired", bytes, sizeof bytes);
            cr_expect_eq(sy_pex_decode(SY_PEX_AMINO, bytes, len, &message, NULL), SY_OK,
                         "%s, repaired", vec_name(row));
        }
    }
    vec_close(file);
}

/* SPEC-TEST PEX-05 PEX-06: the exact code; a row with SY_OK is the twin of the row before it. */
Test(pex_codec, refusals) {
    static const struct {
        const char *name;
        sy_pex_encoding encoding;
        const char *hex;
        sy_err err;
    } rows[] = {
        {"nothing", SY_PEX_AMINO, "", SY_ERR_TRUNCATED},
        {"half a prefix", SY_PEX_AMINO, "723a31", SY_ERR_TRUNCATED},
        {"another prefix", SY_PEX_AMINO, "723a31ce", SY_ERR_PREFIX},
        {"request with rubbish", SY_PEX_AMINO, "723a31cdff", SY_ERR_TRUNCATED},
        {"request with an unknown field", SY_PEX_AMINO, "723a31cd0801", SY_OK},
        {"request, fields not in order", SY_PEX_AMINO, "723a31cd10010801", SY_ERR_FIELD_NUMBER},
        {"list as a number", SY_PEX_AMINO, "1cbb676b0801", SY_ERR_FIELD_TYPE},
        {"address cut", SY_PEX_AMINO, "1cbb676b0a0318", SY_ERR_TRUNCATED},
        {"port cut", SY_PEX_AMINO, "1cbb676b0a0118", SY_ERR_TRUNCATED},
        {"port", SY_PEX_AMINO, "1cbb676b0a021801", SY_OK},
        {"port 65535", SY_PEX_AMINO, "1cbb676b0a0418ffff03", SY_OK},
        {"port 65536", SY_PEX_AMINO, "1cbb676b0a0418808004", SY_ERR_FIELD_RANGE},
        {"port as bytes", SY_PEX_AMINO, "1cbb676b0a031a0101", SY_ERR_FIELD_TYPE},
        {"port twice", SY_PEX_AMINO, "1cbb676b0a0418011801", SY_ERR_FIELD_NUMBER},
        {"IP behind port", SY_PEX_AMINO, "1cbb676b0a081801120405060708", SY_ERR_FIELD_NUMBER},
        {"length not minimal", SY_PEX_AMINO, "1cbb676b0a82001801", SY_ERR_VARINT_MINIMAL},
        {"length 80 00", SY_PEX_AMINO, "1cbb676b0a8000", SY_ERR_FIELD_LENGTH},
        {"group field", SY_PEX_AMINO, "1cbb676b0b", SY_ERR_FIELD_TYPE},
        {"nothing", SY_PEX_PROTO, "", SY_ERR_PREFIX},
        {"unknown member only", SY_PEX_PROTO, "1a00", SY_ERR_PREFIX},
        {"unknown member and a request", SY_PEX_PROTO, "1a000a00", SY_OK},
        {"request as a number", SY_PEX_PROTO, "0801", SY_ERR_FIELD_TYPE},
        {"list cut", SY_PEX_PROTO, "1203", SY_ERR_TRUNCATED},
        {"IP not an IP", SY_PEX_PROTO, "120c0a0a0a01311203312e321801", SY_ERR_FIELD_RANGE},
        {"IP", SY_PEX_PROTO, "12100a0e0a01311207312e322e332e341801", SY_OK},
        {"IP with a zone", SY_PEX_PROTO, "120d0a0b1209666538303a3a312561", SY_ERR_FIELD_RANGE},
        {"no IP", SY_PEX_PROTO, "12020a00", SY_ERR_FIELD_RANGE},
        {"port 65536", SY_PEX_PROTO, "120e0a0c1206313a3a3a3a3218808004", SY_ERR_FIELD_RANGE},
    };
    static sy_pex_message message;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[128];
        const size_t len = strlen(rows[i].hex) / 2;
        sy_detail detail;
        cr_assert_eq(sy_hex_decode(rows[i].hex, 2 * len, bytes, len), SY_OK, "%s", rows[i].name);
        const sy_err err = sy_pex_decode(rows[i].encoding, bytes, len, &message, &detail);
        cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].name, sy_err_name(err));
    }
}

/* SPEC-TEST PEX-08 PEX-09: 250 addresses and 64000 bytes, and one more of each. */
Test(pex_codec, limits) {
    static sy_pex_message message;
    static sy_net_addr addrs[SY_ADDR_SAMPLE_MAX + 1];
    static uint8_t out[SY_PEX_MESSAGE_MAX + 1];
    for (size_t i = 0; i <= SY_ADDR_SAMPLE_MAX; i++) {
        memset(addrs[i].id.bytes, (int)i, sizeof addrs[i].id.bytes);
        memset(addrs[i].endpoint.ip, 0xab, sizeof addrs[i].endpoint.ip);
        addrs[i].endpoint.port = 65535;
    }
    for (int encoding = 0; encoding < 2; encoding++) {
        for (size_t n = SY_ADDR_SAMPLE_MAX - 1; n <= SY_ADDR_SAMPLE_MAX + 1; n++) {
            size_t len;
            cr_assert_eq(
                sy_pex_encode_addrs((sy_pex_encoding)encoding, addrs, n, out, sizeof out, &len),
                SY_OK);
            const sy_err err = sy_pex_decode((sy_pex_encoding)encoding, out, len, &message, NULL);
            cr_expect_eq(err, n <= SY_ADDR_SAMPLE_MAX ? SY_OK : SY_ERR_NO_SPACE, "%zu: %s", n,
                         sy_err_name(err));
            for (size_t i = 0; err == SY_OK && i < n; i++) {
                sy_net_addr back;
                cr_assert(sy_pex_addr_read((sy_pex_encoding)encoding, &message.addrs[i], &back));
                cr_assert(memcmp(&back, &addrs[i], sizeof back) == 0);
            }
            cr_expect_eq(
                sy_pex_encode_addrs((sy_pex_encoding)encoding, addrs, n, out, len - 1, &len),
                SY_ERR_NO_SPACE);
        }
    }
    memset(out, 0, sizeof out);
    memcpy(out, "\x72\x3a\x31\xcd\x0a\xf7\xf3\x03", 8); /* an unknown field of 63991 bytes */
    cr_expect_eq(sy_pex_decode(SY_PEX_AMINO, out, 63999, &message, NULL), SY_OK);
    cr_expect_eq(sy_pex_decode(SY_PEX_AMINO, out, SY_PEX_MESSAGE_MAX + 1, &message, NULL),
                 SY_ERR_MESSAGE_TOO_LONG);
    memcpy(out, "\x72\x3a\x31\xcd\x0a\xf8\xf3\x03", 8); /* 63992 */
    cr_expect_eq(sy_pex_decode(SY_PEX_AMINO, out, SY_PEX_MESSAGE_MAX, &message, NULL), SY_OK);
}

/* SPEC-TEST PEX-07 */
Test(pex_codec, judges_addresses) {
#define GOOD "24f6ed6acbfe1009c030d7ca567c33ca48309114"
    static const struct {
        const char *name;
        sy_pex_encoding encoding;
        const char *id;
        const char *ip; /* amino: hex */
        uint32_t port;
        bool good;
    } rows[] = {
        {"IPv4 in 4 bytes", SY_PEX_AMINO, GOOD, "05060708", 1, true},
        {"in 16 bytes", SY_PEX_AMINO, GOOD, "00000000000000000000ffff05060708", 65535, true},
        {"3 bytes", SY_PEX_AMINO, GOOD, "050607", 1, false},
        {"5 bytes", SY_PEX_AMINO, GOOD, "0506070809", 1, false},
        {"17 bytes", SY_PEX_AMINO, GOOD, "0000000000000000000000000000000001", 1, false},
        {"no IP", SY_PEX_AMINO, GOOD, "", 1, false},
        {"port 0", SY_PEX_AMINO, GOOD, "05060708", 0, false},
        {"ID in upper case", SY_PEX_AMINO, "24F6ed6acbfe1009c030d7ca567c33ca48309114", "05060708",
         1, false},
        {"39 digits", SY_PEX_AMINO, "24f6ed6acbfe1009c030d7ca567c33ca4830911", "05060708", 1,
         false},
        {"41 digits", SY_PEX_AMINO, GOOD "0", "05060708", 1, false},
        {"not hex", SY_PEX_AMINO, "g4f6ed6acbfe1009c030d7ca567c33ca48309114", "05060708", 1, false},
        {"no ID", SY_PEX_AMINO, "", "05060708", 1, false},
        {"text", SY_PEX_PROTO, GOOD, "5.6.7.8", 1, true},
        {"IPv6 text", SY_PEX_PROTO, GOOD, "2001:db9::1", 1, true},
        {"name", SY_PEX_PROTO, GOOD, "example.org", 1, false},
        {"brackets", SY_PEX_PROTO, GOOD, "[::1]", 1, false},
        {"port 0", SY_PEX_PROTO, GOOD, "5.6.7.8", 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t ip[32];
        sy_pex_addr raw = {{(const uint8_t *)rows[i].id, strlen(rows[i].id)},
                           {(const uint8_t *)rows[i].ip, strlen(rows[i].ip)},
                           rows[i].port};
        if (rows[i].encoding == SY_PEX_AMINO) {
            raw.ip = (sy_bytes){ip, strlen(rows[i].ip) / 2};
            cr_assert_eq(sy_hex_decode(rows[i].ip, strlen(rows[i].ip), ip, raw.ip.len), SY_OK);
        }
        sy_net_addr addr;
        cr_expect_eq(sy_pex_addr_read(rows[i].encoding, &raw, &addr), rows[i].good, "%s",
                     rows[i].name);
    }
}

/* No byte string makes the decoder read outside, and what it takes it takes again when sent on. */
Test(pex_codec, random_bytes) {
    static sy_pex_message message;
    static const uint8_t seeds[][6] = {{0x1c, 0xbb, 0x67, 0x6b, 0x0a}, {0x12, 0x10, 0x0a, 0x08}};
    sy_prng prng;
    sy_prng_init(&prng, 5);
    for (int i = 0; i < 100000; i++) {
        const sy_pex_encoding encoding = (sy_pex_encoding)(i % 2);
        const size_t len = (size_t)sy_prng_below(&prng, 60);
        uint8_t *bytes = malloc(len + 1);
        cr_assert_not_null(bytes);
        for (size_t k = 0; k < len; k++) {
            bytes[k] = (uint8_t)(k < 4 && i % 4 < 2 ? seeds[encoding][k]
                                                    : sy_prng_below(&prng, i % 8 < 4 ? 32 : 256));
        }
        const sy_err err = sy_pex_decode(encoding, bytes, len, &message, NULL);
        cr_assert(err == SY_OK || sy_err_class_of(err) == SY_ERR_CLASS_PEER ||
                  err == SY_ERR_NO_SPACE);
        free(bytes);
    }
}
