/* SPDX-License-Identifier: Apache-2.0 */
/* Both line formats: exact lines, hostile text, every capacity.  A JSON parser that is not ours is
 * the judge of what is valid JSON. */
#include <switchyard/log.h>

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "base/prng.h"

#define CANARY 0x7f

typedef struct row {
    const char *name;
    sy_log_field field;
    const char *kv;
    const char *json;
} row;

#define STR(k, s)                                                                                  \
    { .key = (k), .kind = SY_LOG_FIELD_STR, .str = (s), .str_len = sizeof(s) - 1 }
#define U64(k, v)                                                                                  \
    { .key = (k), .kind = SY_LOG_FIELD_U64, .u64 = (v) }
#define I64(k, v)                                                                                  \
    { .key = (k), .kind = SY_LOG_FIELD_I64, .i64 = (v) }
#define DUR(k, v)                                                                                  \
    { .key = (k), .kind = SY_LOG_FIELD_DUR, .u64 = (v) }
#define KV_HEAD "level=info sys=switch event=peer_added t=12.345678901 "
#define JSON_HEAD                                                                                  \
    "{\"level\":\"info\",\"sys\":\"switch\",\"event\":\"peer_added\",\"t\":12.345678901,"

static const row rows[] = {
    {"plain", STR("id", "0a1b@1.2.3.4:26656"), "id=0a1b@1.2.3.4:26656",
     "\"id\":\"0a1b@1.2.3.4:26656\"}"},
    {"space", STR("moniker", "my node"), "moniker=\"my node\"", "\"moniker\":\"my node\"}"},
    {"empty", STR("moniker", ""), "moniker=\"\"", "\"moniker\":\"\"}"},
    {"quote", STR("m", "a\"b"), "m=\"a\\\"b\"", "\"m\":\"a\\\"b\"}"},
    {"backslash", STR("m", "a\\b"), "m=\"a\\\\b\"", "\"m\":\"a\\\\b\"}"},
    {"equals", STR("m", "a=b"), "m=\"a=b\"", "\"m\":\"a=b\"}"},
    {"newline", STR("m", "a\nlevel=error"), "m=\"a\\x0alevel=error\"",
     "\"m\":\"a\\u000alevel=error\"}"},
    {"nul", STR("m", "a\0b"), "m=\"a\\x00b\"", "\"m\":\"a\\u0000b\"}"},
    {"escape", STR("m", "\x1b[31m"), "m=\"\\x1b[31m\"", "\"m\":\"\\u001b[31m\"}"},
    {"delete", STR("m", "\x7f"), "m=\"\\x7f\"", "\"m\":\"\\u007f\"}"},
    {"utf-8", STR("m", "\xc3\xa9"), "m=\"\\xc3\\xa9\"", "\"m\":\"\\u00c3\\u00a9\"}"},
    {"bad utf-8", STR("m", "\xff\xfe"), "m=\"\\xff\\xfe\"", "\"m\":\"\\u00ff\\u00fe\"}"},
    {"tilde", STR("m", "~!"), "m=~!", "\"m\":\"~!\"}"},
    {"u64 zero", U64("n", 0), "n=0", "\"n\":0}"},
    {"u64 at the signed limit", U64("n", INT64_MAX), "n=9223372036854775807",
     "\"n\":9223372036854775807}"},
    {"u64 above it", U64("n", (uint64_t)INT64_MAX + 1), "n=9223372036854775808",
     "\"n\":\"9223372036854775808\"}"},
    {"u64 max", U64("n", UINT64_MAX), "n=18446744073709551615", "\"n\":\"18446744073709551615\"}"},
    {"i64 min", I64("n", INT64_MIN), "n=-9223372036854775808", "\"n\":-9223372036854775808}"},
    {"i64 max", I64("n", INT64_MAX), "n=9223372036854775807", "\"n\":9223372036854775807}"},
    {"i64 minus one", I64("n", -1), "n=-1", "\"n\":-1}"},
    {"dur zero", DUR("d", 0), "d=0.000", "\"d\":0.000}"},
    {"dur below a microsecond", DUR("d", 999), "d=0.000", "\"d\":0.000}"},
    {"dur a microsecond", DUR("d", 1000), "d=0.001", "\"d\":0.001}"},
    {"dur rounds down", DUR("d", 1999999), "d=1.999", "\"d\":1.999}"},
    {"dur a second", DUR("d", SY_SEC), "d=1000.000", "\"d\":1000.000}"},
    {"dur max", DUR("d", UINT64_MAX), "d=18446744073709.551", "\"d\":18446744073709.551}"},
    {"hostile key", STR("a b=\"\n", "v"), "a_b___=v", "\"a b=\\\"\\u000a\":\"v\"}"},
    {"no key", STR("", "v"), "_=v", "\"\":\"v\"}"},
    {"null key", STR(NULL, "v"), "_=v", "\"\":\"v\"}"},
};

static sy_log_record record_of(const sy_log_field *fields, size_t count) {
    return (sy_log_record){.level = SY_LOG_INFO,
                           .subsystem = "switch",
                           .event = "peer_added",
                           .now = UINT64_C(12345678901),
                           .fields = fields,
                           .field_count = count};
}

Test(log_format, exact_lines) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const sy_log_record record = record_of(&rows[i].field, 1);
        char want[512];
        char got[512];

        (void)snprintf(want, sizeof want, "%s%s", KV_HEAD, rows[i].kv);
        const size_t kv_len = sy_log_format_kv(&record, got, sizeof got);
        cr_expect_str_eq(got, want, "row %s: %s", rows[i].name, got);
        cr_expect_eq(kv_len, strlen(want), "row %s", rows[i].name);

        (void)snprintf(want, sizeof want, "%s%s", JSON_HEAD, rows[i].json);
        const size_t json_len = sy_log_format_json(&record, got, sizeof got);
        cr_expect_str_eq(got, want, "row %s: %s", rows[i].name, got);
        cr_expect_eq(json_len, strlen(want), "row %s", rows[i].name);
    }
}

Test(log_format, no_fields_and_missing_names) {
    sy_log_record record = {.level = SY_LOG_ERROR, .now = 0};
    char got[128];

    (void)sy_log_format_kv(&record, got, sizeof got);
    cr_expect_str_eq(got, "level=error sys=\"\" event=\"\" t=0.000000000");
    (void)sy_log_format_json(&record, got, sizeof got);
    cr_expect_str_eq(got, "{\"level\":\"error\",\"sys\":\"\",\"event\":\"\",\"t\":0.000000000}");

    record.now = SY_NEVER;
    (void)sy_log_format_kv(&record, got, sizeof got);
    cr_expect_str_eq(got, "level=error sys=\"\" event=\"\" t=18446744073.709551615");
}

/* SY_LOG_TEXT_MAX at -1, 0, +1 and far beyond; the limit counts bytes of the text, not of its
 * escapes. */
Test(log_format, long_text_is_cut_and_marked) {
    static const struct {
        size_t len;
        char c;
    } cuts[] = {
        {SY_LOG_TEXT_MAX - 1, 'x'}, {SY_LOG_TEXT_MAX, 'x'},
        {SY_LOG_TEXT_MAX + 1, 'x'}, {5000, 'x'},
        {SY_LOG_TEXT_MAX, 1},       {SY_LOG_TEXT_MAX + 1, 1},
    };
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        char text[5000];
        memset(text, cuts[i].c, sizeof text);
        const sy_log_field field = sy_log_field_strn("m", text, cuts[i].len);
        const sy_log_record record = record_of(&field, 1);
        const bool cut = cuts[i].len > SY_LOG_TEXT_MAX;
        const size_t shown = cut ? SY_LOG_TEXT_MAX : cuts[i].len;
        const bool escaped = cuts[i].c != 'x';
        char got[6000];

        const size_t kv_len = sy_log_format_kv(&record, got, sizeof got);
        cr_expect_eq(kv_len,
                     strlen(KV_HEAD "m=") + shown * (escaped ? 4 : 1) + (escaped ? 2 : 0) +
                         (cut ? 3 : 0),
                     "row %zu: %s", i, got);
        cr_expect_eq(strstr(got, "...") != NULL, cut, "row %zu: %s", i, got);

        const size_t json_len = sy_log_format_json(&record, got, sizeof got);
        cr_expect_eq(json_len,
                     strlen(JSON_HEAD "\"m\":\"\"}") + shown * (escaped ? 6 : 1) + (cut ? 3 : 0),
                     "row %zu: %s", i, got);
        cr_expect_eq(strstr(got, "...\"}") != NULL, cut, "row %zu: %s", i, got);
    }
}

/* Parses with the foreign parser and aborts the test when it objects. */
static json_t *parsed(const char *line, size_t len, const char *what) {
    json_error_t error;
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    cr_assert_not_null(object, "%s: %s in %s", what, error.text, line);
    cr_assert(json_is_object(object), "%s: %s", what, line);
    return object;
}

Test(log_format, every_byte_value_comes_back_from_json) {
    for (int c = 0; c < 256; c++) {
        const char text[3] = {'<', (char)c, '>'};
        const sy_log_field field = sy_log_field_strn("m", text, sizeof text);
        const sy_log_record record = record_of(&field, 1);
        char line[256];
        const size_t len = sy_log_format_json(&record, line, sizeof line);

        json_t *object = parsed(line, len, "byte");
        const json_t *value = json_object_get(object, "m");

        /* One code point below 0x100 for each byte. */
        char want[8];
        const size_t want_len =
            c < 0x80 ? (size_t)(want[0] = '<', want[1] = (char)c, want[2] = '>', 3)
                     : (size_t)(want[0] = '<', want[1] = (char)(0xc0 | c >> 6),
                                want[2] = (char)(0x80 | (c & 0x3f)), want[3] = '>', 4);
        cr_assert_eq(json_string_length(value), want_len, "byte %02x: %s", c, line);
        cr_expect_eq(memcmp(json_string_value(value), want, want_len), 0, "byte %02x", c);
        for (size_t i = 0; i < len; i++) {
            cr_expect(line[i] >= 0x20 && line[i] < 0x7f, "byte %02x gave a raw byte", c);
        }
        json_decref(object);
    }
}

/* Formats at capacity cap inside a canary area; gives the length. */
static size_t format_at(size_t (*format)(const sy_log_record *, char *, size_t),
                        const sy_log_record *record, char *area, size_t area_size, size_t cap) {
    memset(area, CANARY, area_size);
    const size_t len = format(record, area, cap);
    cr_assert_lt(len, cap, "cap %zu", cap);
    cr_assert_eq(area[len], '\0', "cap %zu", cap);
    cr_assert_eq(strlen(area), len, "cap %zu: NUL inside", cap);
    for (size_t i = cap; i < area_size; i++) {
        cr_assert_eq(area[i], CANARY, "cap %zu: byte %zu written", cap, i);
    }
    return len;
}

static const sy_log_field mixed[] = {
    STR("id", "0123456789abcdef"), STR("moniker", "a\"\\\n\xff b"),
    U64("peers", UINT64_MAX),      I64("delta", -5),
    DUR("wait", 1500000),          STR("why", ""),
};
static const size_t mixed_count = sizeof mixed / sizeof mixed[0];

Test(log_format, kv_is_cut_at_every_capacity) {
    const sy_log_record record = record_of(mixed, mixed_count);
    char full[1024];
    char area[1100];
    const size_t full_len = sy_log_format_kv(&record, full, sizeof full);
    cr_assert_gt(full_len, 100);
    for (size_t cap = 1; cap <= full_len + 3; cap++) {
        const size_t len = format_at(sy_log_format_kv, &record, area, sizeof area, cap);
        cr_expect_eq(len, cap - 1 < full_len ? cap - 1 : full_len, "cap %zu", cap);
        cr_expect_eq(memcmp(area, full, len), 0, "cap %zu: %s", cap, area);
    }
}

Test(log_format, json_is_valid_at_every_capacity) {
    const sy_log_record record = record_of(mixed, mixed_count);
    char full[1024];
    char area[1100];
    const size_t full_len = sy_log_format_json(&record, full, sizeof full);
    json_t *whole = parsed(full, full_len, "full");
    cr_assert_eq(json_object_size(whole), 4 + mixed_count);

    for (size_t cap = 1; cap <= full_len + 3; cap++) {
        const size_t len = format_at(sy_log_format_json, &record, area, sizeof area, cap);
        if (cap < 3) {
            cr_expect_eq(len, 0, "cap %zu", cap);
            continue;
        }
        json_t *object = parsed(area, len, "cut");
        /* What is there is there unchanged. */
        const char *key = NULL;
        json_t *value = NULL;
        json_object_foreach(object, key, value) {
            cr_expect(json_equal(value, json_object_get(whole, key)), "cap %zu, key %s", cap, key);
        }
        if (cap > full_len) {
            cr_expect_str_eq(area, full, "cap %zu", cap);
        } else {
            cr_expect_lt(json_object_size(object), 4 + mixed_count, "cap %zu", cap);
        }
        json_decref(object);
    }
    json_decref(whole);
}

Test(log_format, random_records_never_break_either_format) {
    sy_prng prng;
    sy_prng_init(&prng, 20240611);
    for (int round = 0; round < 3000; round++) {
        static const char *const keys[] = {"a", "b", "c", "d", "e"};
        char text[5][200];
        sy_log_field fields[5];
        const size_t count = (size_t)sy_prng_below(&prng, 6);
        for (size_t i = 0; i < count; i++) {
            const size_t len = (size_t)sy_prng_below(&prng, sizeof text[i]);
            for (size_t k = 0; k < len; k++) {
                text[i][k] = (char)sy_prng_next(&prng);
            }
            switch (sy_prng_below(&prng, 4)) {
            case 0:
                fields[i] = sy_log_field_u64(keys[i], sy_prng_next(&prng));
                break;
            case 1:
                fields[i] = sy_log_field_i64(keys[i], (int64_t)sy_prng_next(&prng));
                break;
            case 2:
                fields[i] = sy_log_field_dur(keys[i], sy_prng_next(&prng));
                break;
            default:
                fields[i] = sy_log_field_strn(keys[i], text[i], len);
                break;
            }
        }
        const sy_log_record record = record_of(fields, count);
        char area[4200];
        const size_t cap = 3 + (size_t)sy_prng_below(&prng, sizeof area - 3);

        const size_t json_len = format_at(sy_log_format_json, &record, area, sizeof area, cap);
        json_decref(parsed(area, json_len, "random"));

        const size_t kv_len = format_at(sy_log_format_kv, &record, area, sizeof area, cap);
        for (size_t i = 0; i < kv_len; i++) {
            cr_assert(area[i] >= 0x20 && area[i] < 0x7f, "round %d: raw byte", round);
        }
    }
}
