/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the ABCI filter.  The answers were taken from the socket servers of Tendermint
 * v0.22.8 and CometBFT v0.34.35, v0.38.26 and v1.0.1, whose kvstore knows no such path. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "p2p/abci.h"
#include "tests/support/test_hex.h"

#define PATH "/p2p/filter/id/00112233445566778899aabbccddeeff00112233"
#define PATH_HEX                                                                                   \
    "2f7032702f66696c7465722f69642f30303131323233333434353536363737383839396161626263636464656566" \
    "66"                                                                                           \
    "3030313132323333"
#define NOT_THERE "101a0e646f6573206e6f74206578697374"

typedef struct request_row {
    sy_abci_dialect dialect;
    const char *name;
    const char *echo;
    const char *query;
} request_row;

static const request_row requests[] = {
    {SY_ABCI_0_22, "0.22", "1c120c0a0a73776974636879617264041a00", "763a391237" PATH_HEX "041a00"},
    {SY_ABCI_0_34, "0.34", "1c0a0c0a0a73776974636879617264041200", "7632391237" PATH_HEX "041200"},
    {SY_ABCI_0_38, "0.38", "0e0a0c0a0a73776974636879617264021200", "3b32391237" PATH_HEX "021200"},
};

/* A block of exactly these bytes, so that a read past them is seen. */
static uint8_t *bytes_of(const char *hex, size_t *ret_len) {
    uint8_t room[256];
    const size_t len = test_hex(hex, room, sizeof room);
    uint8_t *exact = malloc(len + (len == 0));
    memcpy(exact, room, len);
    *ret_len = len;
    return exact;
}

static void expect_bytes(const sy_wr *wr, const char *hex, const char *row) {
    size_t len = 0;
    uint8_t *want = bytes_of(hex, &len);
    cr_assert_eq(wr->len, len, "%s: %zu bytes, not %zu", row, wr->len, len);
    cr_assert_eq(memcmp(wr->data, want, len), 0, "%s: other bytes", row);
    free(want);
}

/* SPEC-TEST AB-01 AB-02 AB-04 */
Test(abci, requests_of_each_dialect) {
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const request_row *row = &requests[i];
        uint8_t out[2 * SY_ABCI_REQUEST_MAX];
        sy_wr wr;
        cr_expect_str_eq(sy_abci_dialect_name(row->dialect), row->name);
        sy_wr_init(&wr, out, sizeof out);
        sy_abci_write_echo(&wr, row->dialect);
        sy_abci_write_flush(&wr, row->dialect);
        expect_bytes(&wr, row->echo, row->name);
        sy_wr_init(&wr, out, sizeof out);
        sy_abci_write_query(&wr, row->dialect, PATH, strlen(PATH));
        sy_abci_write_flush(&wr, row->dialect);
        expect_bytes(&wr, row->query, row->name);
    }
}

Test(abci, the_longest_request_fits) {
    uint8_t out[SY_ABCI_REQUEST_MAX];
    char path[SY_ABCI_PATH_MAX];
    sy_wr wr;
    memset(path, 'a', sizeof path);
    for (size_t i = 0; i < SY_ABCI_DIALECT_COUNT; i++) {
        sy_wr_init(&wr, out, sizeof out);
        sy_abci_write_query(&wr, (sy_abci_dialect)i, path, sizeof path);
        sy_abci_write_flush(&wr, (sy_abci_dialect)i);
        cr_expect_leq(wr.len, sizeof out, "dialect %zu", i);
    }
}

typedef struct answer_row {
    const char *name;
    sy_abci_dialect dialect;
    const char *hex;
    sy_err err;
    size_t used;
    sy_abci_kind kind;
    uint32_t code;
    const char *text;
} answer_row;

static const answer_row answers[] = {
    /* Real ones. */
    {"0.22 echo", SY_ABCI_0_22, "1c120c0a0a73776974636879617264041a00", SY_OK, 15, SY_ABCI_ECHO, 0,
     "switchyard"},
    {"0.34 echo", SY_ABCI_0_34, "1c120c0a0a73776974636879617264041a00", SY_OK, 15, SY_ABCI_ECHO, 0,
     "switchyard"},
    {"0.38 echo", SY_ABCI_0_38, "0e120c0a0a73776974636879617264021a00", SY_OK, 15, SY_ABCI_ECHO, 0,
     "switchyard"},
    {"0.34 flush", SY_ABCI_0_34, "041a00", SY_OK, 3, SY_ABCI_FLUSH, 0, ""},
    {"0.38 flush", SY_ABCI_0_38, "021a00", SY_OK, 3, SY_ABCI_FLUSH, 0, ""},
    {"0.22 kvstore", SY_ABCI_0_22, "243a" NOT_THERE "041a00", SY_OK, 19, SY_ABCI_QUERY, 0,
     "does not exist"},
    {"0.34 kvstore", SY_ABCI_0_34, "243a" NOT_THERE "041a00", SY_OK, 19, SY_ABCI_QUERY, 0,
     "does not exist"},
    {"0.38 kvstore", SY_ABCI_0_38, "123a" NOT_THERE "021a00", SY_OK, 19, SY_ABCI_QUERY, 0,
     "does not exist"},
    {"0.34 refused", SY_ABCI_0_34,
     "383a1a08071a1674686973204944206973206f6e206f7572206c697374041a00", SY_OK, 29, SY_ABCI_QUERY,
     7, "this ID is on our list"},
    {"0.38 refused", SY_ABCI_0_38,
     "1c3a1a08071a1674686973204944206973206f6e206f7572206c697374021a00", SY_OK, 29, SY_ABCI_QUERY,
     7, "this ID is on our list"},
    /* Made by hand. */
    {"exception", SY_ABCI_0_38, "070a050a03626164", SY_OK, 8, SY_ABCI_EXCEPTION, 0, "bad"},
    {"info when there is no log", SY_ABCI_0_38, "073a0508012201787878", SY_OK, 8, SY_ABCI_QUERY, 1,
     "x"},
    {"all fields", SY_ABCI_0_38, "103a0e0802280532016b3a017640095200", SY_OK, 17, SY_ABCI_QUERY, 2,
     ""},
    {"largest code", SY_ABCI_0_38, "083a0608ffffffff0f", SY_OK, 9, SY_ABCI_QUERY, UINT32_MAX, ""},
    {"empty query", SY_ABCI_0_38, "023a00", SY_OK, 3, SY_ABCI_QUERY, 0, ""},
    {"no member", SY_ABCI_0_38, "00", SY_OK, 1, SY_ABCI_OTHER, 0, ""},
    {"another member", SY_ABCI_0_38, "022200", SY_OK, 3, SY_ABCI_OTHER, 0, ""},
    {"length not minimal", SY_ABCI_0_38, "82001a00", SY_OK, 4, SY_ABCI_FLUSH, 0, ""},
    /* Not complete. */
    {"nothing", SY_ABCI_0_38, "", SY_OK, 0, 0, 0, ""},
    {"half a length", SY_ABCI_0_38, "80", SY_OK, 0, 0, 0, ""},
    {"one byte missing", SY_ABCI_0_38, "123a101a0e646f6573206e6f742065786973", SY_OK, 0, 0, 0, ""},
    {"65536 bytes to come", SY_ABCI_0_38, "8080041a", SY_OK, 0, 0, 0, ""},
    {"65536 bytes to come, 0.34", SY_ABCI_0_34, "8080081a", SY_OK, 0, 0, 0, ""},
    /* SPEC-TEST AB-05 */
    {"65537 bytes", SY_ABCI_0_38, "818004", SY_ERR_FIELD_LENGTH, 0, 0, 0, ""},
    {"65537 bytes, 0.34", SY_ABCI_0_34, "828008", SY_ERR_FIELD_LENGTH, 0, 0, 0, ""},
    {"2^64 - 1 bytes", SY_ABCI_0_38, "ffffffffffffffffff01", SY_ERR_FIELD_LENGTH, 0, 0, 0, ""},
    {"2^63 - 1 bytes, 0.34", SY_ABCI_0_34, "feffffffffffffffff01", SY_ERR_FIELD_LENGTH, 0, 0, 0,
     ""},
    {"minus one, 0.22", SY_ABCI_0_22, "01", SY_ERR_FIELD_LENGTH, 0, 0, 0, ""},
    {"minus one, 0.34", SY_ABCI_0_34, "01", SY_ERR_FIELD_LENGTH, 0, 0, 0, ""},
    {"length of 11 bytes", SY_ABCI_0_38, "8080808080808080808000", SY_ERR_VARINT, 0, 0, 0, ""},
    {"length above 64 bits", SY_ABCI_0_38, "ffffffffffffffffff02", SY_ERR_VARINT, 0, 0, 0, ""},
    {"member cut", SY_ABCI_0_38, "023a05", SY_ERR_TRUNCATED, 0, 0, 0, ""},
    {"member is a number", SY_ABCI_0_38, "023801", SY_ERR_FIELD_TYPE, 0, 0, 0, ""},
    {"group", SY_ABCI_0_38, "013b", SY_ERR_FIELD_TYPE, 0, 0, 0, ""},
    {"field number 0", SY_ABCI_0_38, "020000", SY_ERR_FIELD_NUMBER, 0, 0, 0, ""},
    {"query twice", SY_ABCI_0_38, "063a0208073a00", SY_ERR_FIELD_REPEATED, 0, 0, 0, ""},
    {"flush and query", SY_ABCI_0_38, "041a003a00", SY_ERR_FIELD_REPEATED, 0, 0, 0, ""},
    {"code twice", SY_ABCI_0_38, "063a0408070800", SY_ERR_FIELD_REPEATED, 0, 0, 0, ""},
    {"code 2^32", SY_ABCI_0_38, "083a06088080808010", SY_ERR_FIELD_RANGE, 0, 0, 0, ""},
    {"code is text", SY_ABCI_0_38, "053a030a0130", SY_ERR_FIELD_TYPE, 0, 0, 0, ""},
    {"log is a number", SY_ABCI_0_38, "043a021801", SY_ERR_FIELD_TYPE, 0, 0, 0, ""},
    {"log cut", SY_ABCI_0_38, "043a021a05", SY_ERR_TRUNCATED, 0, 0, 0, ""},
    {"echo is a number", SY_ABCI_0_38, "0412020801", SY_ERR_FIELD_TYPE, 0, 0, 0, ""},
};

/* SPEC-TEST AB-01 AB-05 AB-06 */
Test(abci, answers) {
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const answer_row *row = &answers[i];
        size_t len = 0;
        uint8_t *in = bytes_of(row->hex, &len);
        sy_abci_answer answer = {.kind = SY_ABCI_OTHER, .code = 99};
        size_t used = 99;
        const sy_err err = sy_abci_read(row->dialect, in, len, &answer, &used);
        cr_expect_eq(err, row->err, "%s: %s", row->name, sy_err_name(err));
        if (row->err != SY_OK) {
            cr_expect_eq(used, 99, "%s: wrote on failure", row->name);
            cr_expect_eq(answer.code, 99, "%s: wrote on failure", row->name);
        } else {
            cr_expect_eq(used, row->used, "%s: used %zu", row->name, used);
        }
        if (row->err == SY_OK && row->used > 0) {
            cr_expect_eq(answer.kind, row->kind, "%s: kind %d", row->name, answer.kind);
            cr_expect_eq(answer.code, row->code, "%s: code %u", row->name, answer.code);
            cr_expect_eq(answer.text.len, strlen(row->text), "%s: text", row->name);
            cr_expect(answer.text.len == 0 ||
                          memcmp(answer.text.data, row->text, answer.text.len) == 0,
                      "%s: text", row->name);
        }
        free(in);
    }
}

/* SPEC-TEST AB-05: one byte less than the limit, the limit, one more. */
Test(abci, longest_answer) {
    for (size_t body = SY_ABCI_RESPONSE_MAX - 1; body <= SY_ABCI_RESPONSE_MAX + 1; body++) {
        uint8_t *in = calloc(1, body + SY_ABCI_PREFIX_MAX);
        sy_abci_answer answer;
        size_t used = 0;
        sy_wr wr;
        sy_wr_init(&wr, in, body + SY_ABCI_PREFIX_MAX);
        sy_wr_uvarint(&wr, body);
        const size_t prefix = wr.len;
        sy_wr_key(&wr, 3, SY_WIRE_BYTES);
        sy_wr_uvarint(&wr, body - 4);
        const sy_err err = sy_abci_read(SY_ABCI_0_38, in, prefix + body, &answer, &used);
        if (body > SY_ABCI_RESPONSE_MAX) {
            cr_expect_eq(err, SY_ERR_FIELD_LENGTH);
        } else {
            cr_expect_eq(err, SY_OK, "%zu: %s", body, sy_err_name(err));
            cr_expect_eq(used, prefix + body);
            cr_expect_eq(answer.kind, SY_ABCI_FLUSH);
        }
        free(in);
    }
}
