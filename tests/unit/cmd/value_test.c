/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/yard/value.h"

/* ---- Durations ---------------------------------------------------------------------------------
 */

typedef struct duration_row {
    const char *text;
    bool ok;
    sy_duration value;
    const char *printed; /* NULL: as text */
} duration_row;

static const duration_row duration_rows[] = {
    {"0", true, 0, "0s"},
    {"0s", true, 0, NULL},
    {"1ns", true, 1, NULL},
    {"999ns", true, 999, NULL},
    {"1us", true, 1000, NULL},
    {"1\xc2\xb5s", true, 1000, "1us"},
    {"1.5us", true, 1500, NULL},
    {"100ms", true, 100 * SY_MSEC, NULL},
    {"3s", true, 3 * SY_SEC, NULL},
    {"20s", true, 20 * SY_SEC, NULL},
    {"1.5s", true, 1500 * SY_MSEC, NULL},
    {".5s", true, 500 * SY_MSEC, "500ms"},
    {"1.s", true, SY_SEC, "1s"},
    {"0.000000001s", true, 1, "1ns"},
    {"0.0000000009s", true, 0, "0s"},
    {"1m", true, SY_MIN, NULL},
    {"1m0s", true, SY_MIN, "1m"},
    {"1m30s", true, 90 * SY_SEC, NULL},
    {"90s", true, 90 * SY_SEC, "1m30s"},
    {"1.5h", true, 90 * SY_MIN, "1h30m"},
    {"2h0.5s", true, 2 * SY_HOUR + SY_SEC / 2, NULL},
    {"1h2m3.004s", true, SY_HOUR + 2 * SY_MIN + 3004 * SY_MSEC, NULL},
    {"2562047h47m16.854775807s", true, INT64_MAX, NULL},
    {"2562047h47m16.854775808s", false, 0, NULL},
    {"9223372036s", true, UINT64_C(9223372036) * SY_SEC, "2562047h47m16s"},
    {"9223372037s", false, 0, NULL},
    {"99999999999999999999s", false, 0, NULL},
    {"", false, 0, NULL},
    {"5", false, 0, NULL},
    {"s", false, 0, NULL},
    {".s", false, 0, NULL},
    {"5 s", false, 0, NULL},
    {" 5s", false, 0, NULL},
    {"5s ", false, 0, NULL},
    {"5d", false, 0, NULL},
    {"5S", false, 0, NULL},
    {"-5s", false, 0, NULL},
    {"+5s", false, 0, NULL},
    {"1s2", false, 0, NULL},
    {"1.2.3s", false, 0, NULL},
    {"1e3s", false, 0, NULL},
};

Test(value, durations_are_read_as_go_reads_them_and_printed_shortest) {
    for (size_t i = 0; i < sizeof duration_rows / sizeof duration_rows[0]; i++) {
        const duration_row *row = &duration_rows[i];
        sy_duration value = 77;
        const bool ok = yard_duration_parse(row->text, &value);
        cr_expect_eq(ok, row->ok, "row \"%s\"", row->text);
        cr_expect_eq(value, row->ok ? row->value : 77, "row \"%s\": %llu", row->text,
                     (unsigned long long)value);
        if (row->ok) {
            char *printed = yard_duration_print(value);
            sy_duration again = 77;
            cr_expect_str_eq(printed, row->printed != NULL ? row->printed : row->text, "row \"%s\"",
                             row->text);
            cr_expect(yard_duration_parse(printed, &again), "row \"%s\"", row->text);
            cr_expect_eq(again, value, "row \"%s\"", row->text);
            free(printed);
        }
    }
}

/* ---- Values from TOML and from flags -----------------------------------------------------------
 */

typedef struct value_row {
    yard_key key;
    const char *toml;    /* the right-hand side; NULL: not tried */
    const char *flag;    /* NULL: not tried */
    const char *printed; /* NULL: refused */
    const char *error;   /* contained in the message */
} value_row;

static const value_row value_rows[] = {
    {YARD_KEY_LADDR, "\"tcp://127.0.0.1:0\"", "tcp://127.0.0.1:0", "\"tcp://127.0.0.1:0\"", NULL},
    {YARD_KEY_LADDR, "'a\"b\\c'", "a\"b\\c", "\"a\\\"b\\\\c\"", NULL},
    {YARD_KEY_LADDR, "\"\"", "", "\"\"", NULL},
    {YARD_KEY_LADDR, "26656", NULL, NULL, "26656 is a number, not a text"},
    {YARD_KEY_LADDR, "true", NULL, NULL, "it is true or false, not a text"},
    {YARD_KEY_LADDR, "1.5", NULL, NULL, "it is a number with a fraction, not a text"},
    {YARD_KEY_LADDR, "[]", NULL, NULL, "it is a list, not a text"},
    {YARD_KEY_LADDR, "2020-01-01", NULL, NULL, "it is a date or a time, not a text"},
    {YARD_KEY_LADDR, "\"a\\u0000b\"", NULL, NULL, "control character"},
    {YARD_KEY_LADDR, "\"a\\u001bb\"", "a\x1b", NULL, "control character"},
    {YARD_KEY_LADDR, "\"a\\u007fb\"", "a\x7f", NULL, "control character"},
    {YARD_KEY_LADDR, NULL, "caf\xc3\xa9", "\"caf\xc3\xa9\"", NULL},
    {YARD_KEY_LADDR, NULL, "caf\xe9", NULL, "not UTF-8 at byte 4"},
    {YARD_KEY_LADDR, NULL, "\xc0\x80", NULL, "not UTF-8 at byte 1"},
    {YARD_KEY_LADDR, NULL, "\xed\xa0\x80", NULL, "not UTF-8 at byte 1"},
    {YARD_KEY_LADDR, NULL, "\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\"", NULL},
    {YARD_KEY_LADDR, NULL, "\xf4\x90\x80\x80", NULL, "not UTF-8 at byte 1"},
    {YARD_KEY_PEX, "true", "true", "true", NULL},
    {YARD_KEY_PEX, "false", "false", "false", NULL},
    {YARD_KEY_PEX, "\"true\"", NULL, NULL, "\"true\" is a text, not true or false"},
    {YARD_KEY_PEX, "1", "1", NULL, "true"},
    {YARD_KEY_PEX, NULL, "True", NULL, "\"True\" is neither true nor false"},
    {YARD_KEY_MAX_NUM_INBOUND_PEERS, "0", "0", "0", NULL},
    {YARD_KEY_MAX_NUM_INBOUND_PEERS, "0x10", NULL, "16", NULL},
    {YARD_KEY_MAX_NUM_INBOUND_PEERS, NULL, "0x10", NULL, "\"0x10\" is no number"},
    {YARD_KEY_MAX_NUM_INBOUND_PEERS, NULL, "", NULL, "\"\" is no number"},
    {YARD_KEY_MAX_NUM_INBOUND_PEERS, "-1", NULL, NULL, "-1 is negative"},
    {YARD_KEY_MAX_NUM_INBOUND_PEERS, NULL, "-1", NULL, "\"-1\" is no number"},
    {YARD_KEY_MAX_NUM_INBOUND_PEERS, "999999", "999999", "999999", NULL},
    {YARD_KEY_MAX_NUM_INBOUND_PEERS, "1000000", "1000000", "1000000", NULL},
    {YARD_KEY_MAX_NUM_INBOUND_PEERS, "1000001", "1000001", NULL,
     "1000001 is above the limit of 1000000"},
    {YARD_KEY_MAX_NUM_INBOUND_PEERS, "\"40\"", NULL, NULL, "\"40\" is a text, not a number"},
    {YARD_KEY_MAX_PACKET_MSG_PAYLOAD_SIZE, "0", "0", NULL, "0 is below the limit of 1"},
    {YARD_KEY_MAX_PACKET_MSG_PAYLOAD_SIZE, "1", "1", "1", NULL},
    {YARD_KEY_MAX_PACKET_MSG_PAYLOAD_SIZE, "4194304", "4194304", "4194304", NULL},
    {YARD_KEY_MAX_PACKET_MSG_PAYLOAD_SIZE, "4194305", "4194305", NULL,
     "4194305 is above the limit of 4194304"},
    {YARD_KEY_SEND_RATE, "9223372036854775807", "9223372036854775807", "9223372036854775807", NULL},
    {YARD_KEY_SEND_RATE, NULL, "9223372036854775808", NULL,
     "9223372036854775808 is above the limit of 9223372036854775807"},
    {YARD_KEY_SEND_RATE, NULL, "99999999999999999999", NULL, "is above the limit of"},
    {YARD_KEY_DIAL_TIMEOUT, "\"3s\"", "3s", "\"3s\"", NULL},
    {YARD_KEY_DIAL_TIMEOUT, "3000000000", NULL, "\"3s\"", NULL},
    {YARD_KEY_DIAL_TIMEOUT, "3", NULL, NULL,
     "3 counts nanoseconds: write a text with a unit, such as \"3s\""},
    {YARD_KEY_DIAL_TIMEOUT, "-3", NULL, NULL, "-3 is negative"},
    {YARD_KEY_DIAL_TIMEOUT, "\"-3s\"", "-3s", NULL, "\"-3s\" is negative"},
    {YARD_KEY_DIAL_TIMEOUT, "\"3\"", "3", NULL, "\"3\" is no duration"},
    {YARD_KEY_DIAL_TIMEOUT, "\"0s\"", "0s", NULL, "0s is below the limit of 1ms"},
    {YARD_KEY_DIAL_TIMEOUT, "\"999us\"", "999us", NULL, "999us is below the limit of 1ms"},
    {YARD_KEY_DIAL_TIMEOUT, "\"1ms\"", "1ms", "\"1ms\"", NULL},
    {YARD_KEY_DIAL_TIMEOUT, "\"1h\"", "1h", "\"1h\"", NULL},
    {YARD_KEY_DIAL_TIMEOUT, "\"1h1ns\"", "1h1ns", NULL, "is above the limit of 1h"},
    {YARD_KEY_DIAL_TIMEOUT, "true", NULL, NULL, "it is true or false, not a duration"},
    {YARD_KEY_FLUSH_THROTTLE_TIMEOUT, "100", "100", "\"100ms\"", NULL},
    {YARD_KEY_FLUSH_THROTTLE_TIMEOUT, "\"10ms\"", "10ms", "\"10ms\"", NULL},
    {YARD_KEY_FLUSH_THROTTLE_TIMEOUT, "0", "0", "\"0s\"", NULL},
    {YARD_KEY_FLUSH_THROTTLE_TIMEOUT, "9223372036854775807", NULL, NULL, "is too long"},
    {YARD_KEY_PROFILES, "[\"tendermint\", \"cometbft\"]", "[\"tendermint\", \"cometbft\"]",
     "[\"tendermint\", \"cometbft\"]", NULL},
    {YARD_KEY_PROFILES, "[]", "[]", NULL, "0 entries, not 1 to 4"},
    {YARD_KEY_PROFILES, "[\"a\", \"b\", \"c\", \"d\", \"e\"]", NULL, NULL, "5 entries, not 1 to 4"},
    {YARD_KEY_PROFILES, "\"tendermint\"", NULL, NULL, "\"tendermint\" is a text, not a list"},
    {YARD_KEY_PROFILES, "[\"tendermint\", 1]", NULL, NULL, "entry 2 is a number, not a text"},
    {YARD_KEY_PROFILES, NULL, "tendermint", NULL, "\"tendermint\" is no list: write it as in TOML"},
    {YARD_KEY_PROFILES, NULL, "[\"a\"]\nx = 1", NULL, "is no list"},
    {YARD_KEY_PROFILES, "[\"a\\u0000b\"]", "[\"a\\u0000b\"]", NULL, "control character"},
    {YARD_KEY_DIAL_TIMEOUT, "\"3s\\u0000\"", NULL, NULL, "control character"},
    {YARD_KEY_ECHO_CHANNELS, "[0x20, 255, 0]", "[0x20, 255, 0]", "[0x20, 0xff, 0x00]", NULL},
    {YARD_KEY_ECHO_CHANNELS, "[]", "[]", "[]", NULL},
    {YARD_KEY_ECHO_CHANNELS, "[256]", "[256]", NULL, "entry 1: 256 is outside 0 to 255"},
    {YARD_KEY_ECHO_CHANNELS, "[0, -1]", NULL, NULL, "entry 2: -1 is outside 0 to 255"},
    {YARD_KEY_ECHO_CHANNELS, "[1, 2, 1]", NULL, NULL, "entry 3: 1 stands there twice"},
    {YARD_KEY_ECHO_CHANNELS, "[\"a\"]", NULL, NULL, "entry 1 is a text, not a number"},
    {YARD_KEY_ECHO_CHANNELS, "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]", NULL,
     "[0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, "
     "0x0f]",
     NULL},
    {YARD_KEY_ECHO_CHANNELS, "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]", NULL, NULL,
     "17 entries, at most 16"},
};

static void check_outcome(const value_row *row, const char *input, bool ok, yard_value *value,
                          const yard_value_error *error) {
    const yard_key_desc *desc = yard_key_get(row->key);
    cr_expect_eq(ok, row->printed != NULL, "%s = %s: %s", desc->name, input,
                 ok ? "accepted" : error->text);
    if (ok && row->printed != NULL) {
        char *printed = yard_value_print(desc, value);
        cr_expect_str_eq(printed, row->printed, "%s = %s: %s", desc->name, input, printed);
        free(printed);
    }
    if (!ok && row->error != NULL) {
        cr_expect_not_null(strstr(error->text, row->error), "%s = %s: %s", desc->name, input,
                           error->text);
    }
    if (!ok) {
        cr_expect_eq(value->number, 4711, "%s = %s: written on failure", desc->name, input);
    } else {
        yard_value_fini(value);
    }
}

static void try_toml(const value_row *row) {
    char line[512];
    toml_doc *doc;
    toml_error why;
    yard_value value = {.number = 4711};
    yard_value_error error = {""};
    (void)snprintf(line, sizeof line, "\n\nkey = %s\n", row->toml);
    cr_assert(toml_doc_parse(line, strlen(line), &doc, &why), "%s: %s", row->toml, why.text);
    cr_assert_eq(doc->count, 1, "%s", row->toml);
    const bool ok =
        yard_value_of_toml(yard_key_get(row->key), &doc->entries[0].value, &value, &error);
    if (ok) {
        cr_expect_eq(value.line, 3, "%s: line %d", row->toml, value.line);
        cr_expect_eq(value.origin, YARD_FROM_FILE, "%s", row->toml);
    }
    check_outcome(row, row->toml, ok, &value, &error);
    toml_doc_del(doc);
}

Test(value, each_kind_from_toml_and_from_a_flag) {
    for (size_t i = 0; i < sizeof value_rows / sizeof value_rows[0]; i++) {
        const value_row *row = &value_rows[i];
        if (row->toml != NULL) {
            try_toml(row);
        }
        if (row->flag != NULL) {
            yard_value value = {.number = 4711};
            yard_value_error error = {""};
            const bool ok = yard_value_of_text(yard_key_get(row->key), row->flag, &value, &error);
            check_outcome(row, row->flag, ok, &value, &error);
        }
    }
}

/* Whatever is printed can be read again as TOML and means the same. */
Test(value, every_default_survives_printing) {
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        const yard_key_desc *desc = yard_key_get(key);
        for (int dialect = 0; dialect < 2 && desc->kind != YARD_KIND_TABLE; dialect++) {
            yard_value value = {0};
            yard_value again = {0};
            yard_value_error error;
            cr_assert(yard_value_of_text(desc, desc->defaults[dialect], &value, &error), "%s: %s",
                      desc->name, error.text);
            char *printed = yard_value_print(desc, &value);
            char line[512];
            toml_doc *doc;
            toml_error why;
            (void)snprintf(line, sizeof line, "key = %s\n", printed);
            cr_assert(toml_doc_parse(line, strlen(line), &doc, &why), "%s", line);
            cr_assert(yard_value_of_toml(desc, &doc->entries[0].value, &again, &error), "%s: %s",
                      desc->name, error.text);
            char *reprinted = yard_value_print(desc, &again);
            cr_expect_str_eq(printed, reprinted, "%s", desc->name);
            free(printed);
            free(reprinted);
            toml_doc_del(doc);
            yard_value_fini(&value);
            yard_value_fini(&again);
        }
    }
}
