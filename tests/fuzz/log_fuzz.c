/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines with hostile keys and texts: one line of printable ASCII in both formats, inside its
 * buffer; the JSON is an object that gives the text back. */
#include <switchyard/log.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/support/fuzz.h"

#define FIELDS_MAX 6
#define LINE_CAP   2048

static char line[LINE_CAP];

static void check_line(size_t len, size_t cap) {
    FUZZ_CHECK(len < cap && strlen(line) == len);
    for (size_t i = 0; i < len; i++) {
        FUZZ_CHECK(line[i] >= 0x20 && line[i] <= 0x7e);
    }
}

/* The value is the text, each byte as the character of that number, cut where the log cuts. */
static void check_json_text(const json_t *object, const char *text, size_t len) {
    const size_t shown = len < SY_LOG_TEXT_MAX ? len : SY_LOG_TEXT_MAX;
    char want[2 * SY_LOG_TEXT_MAX + 3];
    size_t want_len = 0;
    for (size_t i = 0; i < shown; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c >= 0x80) {
            want[want_len++] = (char)(0xc0 | c >> 6);
        }
        want[want_len++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    memcpy(want + want_len, "...", 3);
    want_len += shown < len ? 3 : 0;
    const json_t *value = json_object_get(object, "the text");
    FUZZ_CHECK(json_is_string(value) && json_string_length(value) == want_len);
    FUZZ_CHECK(memcmp(json_string_value(value), want, want_len) == 0);
}

static void check_json(const sy_log_record *record, size_t cap, const sy_log_field *text) {
    const size_t len = sy_log_format_json(record, line, cap);
    check_line(len, cap);
    if (cap < sizeof "{}") {
        FUZZ_CHECK(len == 0);
        return;
    }
    json_t *object = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
    FUZZ_CHECK(json_is_object(object));
    if (cap == LINE_CAP) {
        check_json_text(object, text->str, text->str_len);
    }
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    const size_t cap = 1 + fuzz_u16(&in) % LINE_CAP;
    const unsigned count = fuzz_u8(&in) % FIELDS_MAX;
    char keys[FIELDS_MAX][16];
    sy_log_field fields[FIELDS_MAX];
    for (unsigned i = 0; i < count; i++) {
        const uint8_t kind = fuzz_u8(&in);
        const sy_bytes key = fuzz_take(&in, kind / 16 % 4);
        const sy_bytes text = fuzz_take(&in, kind / 64);
        (void)snprintf(keys[i], sizeof keys[i], "%u%.*s", i, (int)key.len, (const char *)key.data);
        fields[i] = kind % 4 == 0   ? sy_log_field_strn(keys[i], text.data, text.len)
                    : kind % 4 == 1 ? sy_log_field_u64(keys[i], fuzz_u64(&in))
                    : kind % 4 == 2 ? sy_log_field_i64(keys[i], (int64_t)fuzz_u64(&in))
                                    : sy_log_field_dur(keys[i], fuzz_u64(&in));
    }
    const sy_time now = fuzz_u64(&in);
    const sy_bytes text = fuzz_take(&in, fuzz_left(&in));
    fields[count] = sy_log_field_strn("the text", text.data, text.len);
    const sy_log_record record = {.level = SY_LOG_WARN,
                                  .subsystem = "fuzz",
                                  .event = "line",
                                  .now = now,
                                  .fields = fields,
                                  .field_count = count + 1};
    check_line(sy_log_format_kv(&record, line, cap), cap);
    check_json(&record, cap, &fields[count]);
    check_json(&record, LINE_CAP, &fields[count]);

    sy_detail detail;
    sy_detail_set(&detail, "x");
    sy_detail_quote(&detail, text.data, text.len);
    fuzz_check_detail(&detail);
    fuzz_count(text.len > 0);
    return 0;
}
