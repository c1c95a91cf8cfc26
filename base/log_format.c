/* SPDX-License-Identifier: Apache-2.0 */
/* Two line formats for log records.
 *
 * key=value: `level=info sys=switch event=peer_added t=12.345678901 id=... moniker="a b"`.  A text
 * is quoted when it is empty or has a byte outside 0x21..0x7e, a quote, a backslash or an equals
 * sign; inside quotes `\"`, `\\` and `\xNN` are the only escapes.
 *
 * JSON: one flat object, ASCII only.  A field that does not fit is left out as a whole, so that a
 * short buffer still gives a valid object.
 *
 * Both are safe for text of a peer: at most SY_LOG_TEXT_MAX bytes of it are printed, "..." marks a
 * cut, and nothing in it can end the line or the value. */
#include <switchyard/log.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <switchyard/assert.h>

/* Invariant: len < cap; the last byte is kept for the NUL. */
typedef struct line {
    char *out;
    size_t cap;
    size_t len;
    bool overflow;
} line;

static void put(line *ln, const char *text, size_t len) {
    const size_t room = ln->cap - 1 - ln->len;
    if (len > room) {
        ln->overflow = true;
        len = room;
    }
    memcpy(ln->out + ln->len, text, len);
    ln->len += len;
}

static void put_str(line *ln, const char *text) {
    put(ln, text, strlen(text));
}

static void put_char(line *ln, char c) {
    put(ln, &c, 1);
}

static void put_byte_escape(line *ln, const char *prefix, unsigned char c) {
    static const char digits[] = "0123456789abcdef";
    put_str(ln, prefix);
    put_char(ln, digits[c >> 4]);
    put_char(ln, digits[c & 15]);
}

static void put_u64(line *ln, uint64_t value) {
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    put_str(ln, text);
}

static void put_i64(line *ln, int64_t value) {
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    put_str(ln, text);
}

/* Seconds with nine decimals. */
static void put_time(line *ln, sy_time at) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRIu64 ".%09" PRIu64, at / SY_SEC, at % SY_SEC);
    put_str(ln, text);
}

/* Milliseconds with three decimals, rounded down. */
static void put_dur(line *ln, sy_duration dur) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRIu64 ".%03" PRIu64, dur / SY_MSEC,
                   dur % SY_MSEC / SY_USEC);
    put_str(ln, text);
}

static const char *or_empty(const char *text) {
    return text != NULL ? text : "";
}

static bool is_plain(unsigned char c) {
    return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

static void kv_text(line *ln, const char *text, size_t len) {
    const size_t shown = len < SY_LOG_TEXT_MAX ? len : SY_LOG_TEXT_MAX;
    bool quoted = shown == 0;
    for (size_t i = 0; i < shown && !quoted; i++) {
        quoted = !is_plain((unsigned char)text[i]);
    }
    if (quoted) {
        put_char(ln, '"');
    }
    for (size_t i = 0; i < shown; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            put_char(ln, '\\');
            put_char(ln, (char)c);
        } else if (c < 0x20 || c > 0x7e) {
            put_byte_escape(ln, "\\x", c);
        } else {
            put_char(ln, (char)c);
        }
    }
    if (shown < len) {
        put_str(ln, "...");
    }
    if (quoted) {
        put_char(ln, '"');
    }
}

/* Keys are ours, but an embedder's may not break the line either. */
static void kv_key(line *ln, const char *key) {
    if (or_empty(key)[0] == '\0') {
        put_char(ln, '_');
    }
    for (const char *c = or_empty(key); *c != '\0'; c++) {
        put_char(ln, is_plain((unsigned char)*c) ? *c : '_');
    }
    put_char(ln, '=');
}

static void kv_value(line *ln, const sy_log_field *field) {
    switch (field->kind) {
    case SY_LOG_FIELD_STR:
        kv_text(ln, field->str, field->str_len);
        return;
    case SY_LOG_FIELD_U64:
        put_u64(ln, field->u64);
        return;
    case SY_LOG_FIELD_I64:
        put_i64(ln, field->i64);
        return;
    case SY_LOG_FIELD_DUR:
        put_dur(ln, field->u64);
        return;
    }
    SY_UNREACHABLE();
}

size_t sy_log_format_kv(const sy_log_record *record, char *out, size_t cap) {
    SY_REQUIRE(record != NULL);
    SY_REQUIRE(out != NULL);
    SY_REQUIRE(cap >= 1);

    line ln = {.out = out, .cap = cap};
    const char *subsystem = or_empty(record->subsystem);
    const char *event = or_empty(record->event);
    put_str(&ln, "level=");
    put_str(&ln, sy_log_level_name(record->level));
    put_str(&ln, " sys=");
    kv_text(&ln, subsystem, strlen(subsystem));
    put_str(&ln, " event=");
    kv_text(&ln, event, strlen(event));
    put_str(&ln, " t=");
    put_time(&ln, record->now);
    for (size_t i = 0; i < record->field_count && !ln.overflow; i++) {
        put_char(&ln, ' ');
        kv_key(&ln, record->fields[i].key);
        kv_value(&ln, &record->fields[i]);
    }
    SY_ASSERT(ln.len < cap);
    out[ln.len] = '\0';
    return ln.len;
}

/* Bytes from 0x7f up become \u00NN: a peer's text need not be UTF-8, and this way each byte can be
 * read back. */
static void json_text(line *ln, const char *text, size_t len) {
    const size_t shown = len < SY_LOG_TEXT_MAX ? len : SY_LOG_TEXT_MAX;
    put_char(ln, '"');
    for (size_t i = 0; i < shown; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            put_char(ln, '\\');
            put_char(ln, (char)c);
        } else if (c < 0x20 || c > 0x7e) {
            put_byte_escape(ln, "\\u00", c);
        } else {
            put_char(ln, (char)c);
        }
    }
    if (shown < len) {
        put_str(ln, "...");
    }
    put_char(ln, '"');
}

/* Above the signed range, where common parsers refuse an integer, it is written as text. */
static void json_u64(line *ln, uint64_t value) {
    const char *quote = value > INT64_MAX ? "\"" : "";
    put_str(ln, quote);
    put_u64(ln, value);
    put_str(ln, quote);
}

static void json_value(line *ln, const sy_log_field *field) {
    switch (field->kind) {
    case SY_LOG_FIELD_STR:
        json_text(ln, field->str, field->str_len);
        return;
    case SY_LOG_FIELD_U64:
        json_u64(ln, field->u64);
        return;
    case SY_LOG_FIELD_I64:
        put_i64(ln, field->i64);
        return;
    case SY_LOG_FIELD_DUR:
        put_dur(ln, field->u64);
        return;
    }
    SY_UNREACHABLE();
}

/* The comma (unless first) and the key. */
static void json_key(line *ln, const char *key) {
    if (ln->len > 1) {
        put_char(ln, ',');
    }
    json_text(ln, or_empty(key), strlen(or_empty(key)));
    put_char(ln, ':');
}

/* Takes back what was written from `start` on when it left no room for the closing brace. */
static void json_keep_if_fits(line *ln, size_t start) {
    if (ln->overflow || ln->len + 1 >= ln->cap) {
        ln->len = start;
        ln->overflow = false;
    }
}

static void json_field_text(line *ln, const char *key, const char *text) {
    const size_t start = ln->len;
    json_key(ln, key);
    json_text(ln, or_empty(text), strlen(or_empty(text)));
    json_keep_if_fits(ln, start);
}

size_t sy_log_format_json(const sy_log_record *record, char *out, size_t cap) {
    SY_REQUIRE(record != NULL);
    SY_REQUIRE(out != NULL);
    SY_REQUIRE(cap >= 1);

    if (cap < sizeof "{}") {
        out[0] = '\0';
        return 0;
    }
    line ln = {.out = out, .cap = cap};
    put_char(&ln, '{');
    json_field_text(&ln, "level", sy_log_level_name(record->level));
    json_field_text(&ln, "sys", record->subsystem);
    json_field_text(&ln, "event", record->event);
    const size_t start = ln.len;
    json_key(&ln, "t");
    put_time(&ln, record->now);
    json_keep_if_fits(&ln, start);
    for (size_t i = 0; i < record->field_count; i++) {
        const size_t field_start = ln.len;
        json_key(&ln, record->fields[i].key);
        json_value(&ln, &record->fields[i]);
        json_keep_if_fits(&ln, field_start);
    }
    put_char(&ln, '}');
    SY_ASSERT(!ln.overflow);
    SY_ASSERT(ln.len < cap);
    out[ln.len] = '\0';
    return ln.len;
}
