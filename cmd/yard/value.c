/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/assert.h>

#include "cmd/yard/util.h"

static bool fail(yard_value_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(yard_value_error *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return false;
}

/* ---- Durations ------------------------------------------------------------------------------- */

typedef struct unit {
    char name[4];
    sy_duration length;
} unit;

/* Longer names before those that they begin with. */
static const unit units[] = {
    {"ns", SY_NSEC}, {"us", SY_USEC}, {"ms", SY_MSEC}, {"s", SY_SEC}, {"m", SY_MIN}, {"h", SY_HOUR},
};

static const unit *find_unit(const char *text) {
    static const char micro[] = "\xc2\xb5s"; /* the sign that Go prints */
    if (strncmp(text, micro, sizeof micro - 1) == 0) {
        return &units[1];
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strncmp(text, units[i].name, strlen(units[i].name)) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Digits, perhaps with a fraction.  The fraction counts to nine digits. */
static bool parse_amount(const char **at, uint64_t *ret_whole, uint64_t *ret_billionths) {
    uint64_t whole = 0;
    uint64_t fraction = 0;
    uint64_t place = 100000000;
    bool any = false;
    for (; is_digit(**at); (*at)++, any = true) {
        if (whole > UINT64_MAX / 100) {
            return false;
        }
        whole = whole * 10 + (uint64_t)(**at - '0');
    }
    if (**at == '.') {
        for ((*at)++; is_digit(**at); (*at)++, any = true) {
            fraction += (uint64_t)(**at - '0') * place;
            place /= 10;
        }
    }
    *ret_whole = whole;
    *ret_billionths = fraction;
    return any;
}

bool yard_duration_parse(const char *text, sy_duration *ret_duration) {
    sy_duration total = 0;
    if (strcmp(text, "0") == 0) {
        *ret_duration = 0;
        return true;
    }
    if (*text == '\0') {
        return false;
    }
    while (*text != '\0') {
        uint64_t whole;
        uint64_t billionths;
        if (!parse_amount(&text, &whole, &billionths)) {
            return false;
        }
        const unit *u = find_unit(text);
        if (u == NULL) {
            return false;
        }
        text += *text == '\xc2' ? 3 : (ptrdiff_t)strlen(u->name);
        if (whole > (uint64_t)INT64_MAX / u->length) {
            return false;
        }
        const uint64_t seconds = u->length / SY_SEC;
        const uint64_t part = seconds > 0 ? billionths * seconds : billionths * u->length / SY_SEC;
        total += whole * u->length + part;
        if (total > (uint64_t)INT64_MAX) {
            return false;
        }
    }
    *ret_duration = total;
    return true;
}

/* value / length with its fraction, without zeros at the end. */
static char *print_in(sy_duration value, sy_duration length, const char *name) {
    char fraction[24];
    (void)snprintf(fraction, sizeof fraction, "%09" PRIu64,
                   (uint64_t)(value % length * (SY_SEC / length)));
    size_t len = strlen(fraction);
    while (len > 0 && fraction[len - 1] == '0') {
        len--;
    }
    fraction[len] = '\0';
    return yard_format("%" PRIu64 "%s%s%s", value / length, len > 0 ? "." : "", fraction, name);
}

char *yard_duration_print(sy_duration duration) {
    if (duration == 0) {
        return yard_strdup("0s");
    }
    if (duration < SY_USEC) {
        return print_in(duration, SY_NSEC, "ns");
    }
    if (duration < SY_MSEC) {
        return print_in(duration, SY_USEC, "us");
    }
    if (duration < SY_SEC) {
        return print_in(duration, SY_MSEC, "ms");
    }
    const uint64_t hours = duration / SY_HOUR;
    const uint64_t minutes = duration % SY_HOUR / SY_MIN;
    const sy_duration rest = duration % SY_MIN;
    char *seconds = rest > 0 ? print_in(rest, SY_SEC, "s") : yard_strdup("");
    char *text;
    if (hours > 0 && minutes > 0) {
        text = yard_format("%" PRIu64 "h%" PRIu64 "m%s", hours, minutes, seconds);
    } else if (hours > 0) {
        text = yard_format("%" PRIu64 "h%s", hours, seconds);
    } else if (minutes > 0) {
        text = yard_format("%" PRIu64 "m%s", minutes, seconds);
    } else {
        text = yard_strdup(seconds);
    }
    free(seconds);
    return text;
}

/* ---- Checks ---------------------------------------------------------------------------------- */

static bool check_number(const yard_key_desc *desc, uint64_t number, yard_value_error *error) {
    if (number < desc->min) {
        return fail(error, "%" PRIu64 " is below the limit of %" PRIu64, number, desc->min);
    }
    if (number > desc->max) {
        return fail(error, "%" PRIu64 " is above the limit of %" PRIu64, number, desc->max);
    }
    return true;
}

static bool check_duration(const yard_key_desc *desc, sy_duration duration,
                           yard_value_error *error) {
    const bool low = duration < desc->min * SY_MSEC;
    if (!low && duration <= desc->max * SY_MSEC) {
        return true;
    }
    char *text = yard_duration_print(duration);
    char *limit = yard_duration_print((low ? desc->min : desc->max) * SY_MSEC);
    (void)fail(error, "%s is %s the limit of %s", text, low ? "below" : "above", limit);
    free(text);
    free(limit);
    return false;
}

static bool set_duration_text(const yard_key_desc *desc, const char *text, yard_value *value,
                              yard_value_error *error) {
    if (text[0] == '-') {
        return fail(error, "\"%.64s\" is negative", text);
    }
    if (!yard_duration_parse(text, &value->number)) {
        return fail(error,
                    "\"%.64s\" is no duration: write numbers with units, such as 3s, "
                    "1m30s or 100ms",
                    text);
    }
    return check_duration(desc, value->number, error);
}

/* An integer of a file: Go takes nanoseconds, and milliseconds for the one key of kind MILLIS. */
static bool set_duration_number(const yard_key_desc *desc, int64_t number, yard_value *value,
                                yard_value_error *error) {
    const sy_duration one = desc->kind == YARD_KIND_MILLIS ? SY_MSEC : SY_NSEC;
    if (number < 0) {
        return fail(error, "%" PRId64 " is negative", number);
    }
    if ((uint64_t)number > (uint64_t)INT64_MAX / one) {
        return fail(error, "%" PRId64 " is too long", number);
    }
    value->number = (uint64_t)number * one;
    if (number > 0 && desc->kind == YARD_KIND_DURATION && value->number < SY_MSEC) {
        return fail(error,
                    "%" PRId64 " counts nanoseconds: write a text with a unit, such as "
                    "\"%" PRId64 "s\"",
                    number, number);
    }
    return check_duration(desc, value->number, error);
}

/* Bytes of the character at text, 0 when it is not UTF-8. */
static size_t utf8_len(const unsigned char *text, size_t len) {
    static const struct {
        unsigned char first_min, first_max, second_min, second_max;
        size_t len;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (text[0] < forms[i].first_min || text[0] > forms[i].first_max || len < forms[i].len) {
            continue;
        }
        bool ok =
            forms[i].len == 1 || (text[1] >= forms[i].second_min && text[1] <= forms[i].second_max);
        for (size_t k = 2; k < forms[i].len; k++) {
            ok = ok && (text[k] & 0xc0) == 0x80;
        }
        return ok ? forms[i].len : 0;
    }
    return 0;
}

/* A flag may hold only what a file can: whatever is taken is printed as TOML again. */
static bool check_text(const char *text, size_t len, yard_value_error *error) {
    size_t step = 0;
    for (size_t i = 0; i < len; i += step) {
        const unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
            return fail(error, "the text has a control character");
        }
        step = utf8_len((const unsigned char *)text + i, len - i);
        if (step == 0) {
            return fail(error, "the text is not UTF-8 at byte %zu", i + 1);
        }
    }
    return true;
}

/* ---- From TOML ------------------------------------------------------------------------------- */

static const char *name_of_kind(const toml_value *toml) {
    switch (toml->kind) {
    case TOML_TEXT:
        return "a text";
    case TOML_INTEGER:
        return "a number";
    case TOML_BOOLEAN:
        return "true or false";
    case TOML_ARRAY:
        return "a list";
    case TOML_OTHER:
        return toml->text;
    }
    SY_UNREACHABLE();
}

static bool wrong_kind(const toml_value *toml, const char *want, yard_value_error *error) {
    if (toml->kind == TOML_TEXT) {
        return fail(error, "\"%.64s\" is a text, not %s", toml->text, want);
    }
    if (toml->kind == TOML_INTEGER) {
        return fail(error, "%" PRId64 " is a number, not %s", toml->number, want);
    }
    return fail(error, "it is %s, not %s", name_of_kind(toml), want);
}

static bool set_text(const char *text, size_t len, yard_value *value) {
    value->text = yard_strndup(text, len);
    return true;
}

static bool set_texts(const yard_key_desc *desc, const toml_value *toml, yard_value *value,
                      yard_value_error *error) {
    if (toml->kind != TOML_ARRAY) {
        return wrong_kind(toml, "a list of texts, such as [\"tendermint\", \"cometbft\"]", error);
    }
    if (toml->item_count < desc->min || toml->item_count > desc->max ||
        toml->item_count > YARD_TEXTS_MAX) {
        return fail(error, "%zu entries, not %" PRIu64 " to %" PRIu64, toml->item_count, desc->min,
                    desc->max);
    }
    for (size_t i = 0; i < toml->item_count; i++) {
        if (toml->items[i].kind != TOML_TEXT) {
            return fail(error, "entry %zu is %s, not a text", i + 1, name_of_kind(&toml->items[i]));
        }
        if (!check_text(toml->items[i].text, toml->items[i].text_len, error)) {
            return false;
        }
    }
    for (size_t i = 0; i < toml->item_count; i++) {
        value->texts[value->count++] = yard_strdup(toml->items[i].text);
    }
    return true;
}

static bool set_bytes(const yard_key_desc *desc, const toml_value *toml, yard_value *value,
                      yard_value_error *error) {
    if (toml->kind != TOML_ARRAY) {
        return wrong_kind(toml, "a list of channel numbers, such as [0x20, 0x21]", error);
    }
    if (toml->item_count > desc->max) {
        return fail(error, "%zu entries, at most %" PRIu64, toml->item_count, desc->max);
    }
    for (size_t i = 0; i < toml->item_count; i++) {
        const toml_value *item = &toml->items[i];
        if (item->kind != TOML_INTEGER) {
            return fail(error, "entry %zu is %s, not a number", i + 1, name_of_kind(item));
        }
        if (item->number < 0 || item->number > 255) {
            return fail(error, "entry %zu: %" PRId64 " is outside 0 to 255", i + 1, item->number);
        }
        for (size_t k = 0; k < i; k++) {
            if (value->bytes[k] == (uint8_t)item->number) {
                return fail(error, "entry %zu: %" PRId64 " stands there twice", i + 1,
                            item->number);
            }
        }
        value->bytes[i] = (uint8_t)item->number;
    }
    value->count = toml->item_count;
    return true;
}

static bool fill_of_toml(const yard_key_desc *desc, const toml_value *toml, yard_value *value,
                         yard_value_error *error) {
    if (toml->kind == TOML_TEXT && !check_text(toml->text, toml->text_len, error)) {
        return false;
    }
    switch (desc->kind) {
    case YARD_KIND_TEXT:
        if (toml->kind != TOML_TEXT) {
            return wrong_kind(toml, "a text", error);
        }
        return set_text(toml->text, toml->text_len, value);
    case YARD_KIND_BOOL:
        if (toml->kind != TOML_BOOLEAN) {
            return wrong_kind(toml, "true or false", error);
        }
        value->number = (uint64_t)toml->number;
        return true;
    case YARD_KIND_NUMBER:
        if (toml->kind != TOML_INTEGER) {
            return wrong_kind(toml, "a number", error);
        }
        if (toml->number < 0) {
            return fail(error, "%" PRId64 " is negative", toml->number);
        }
        value->number = (uint64_t)toml->number;
        return check_number(desc, value->number, error);
    case YARD_KIND_DURATION:
    case YARD_KIND_MILLIS:
        if (toml->kind == TOML_INTEGER) {
            return set_duration_number(desc, toml->number, value, error);
        }
        if (toml->kind != TOML_TEXT) {
            return wrong_kind(toml, "a duration, such as \"3s\"", error);
        }
        return set_duration_text(desc, toml->text, value, error);
    case YARD_KIND_TEXTS:
        return set_texts(desc, toml, value, error);
    case YARD_KIND_BYTES:
        return set_bytes(desc, toml, value, error);
    case YARD_KIND_TABLE:
        return true;
    }
    SY_UNREACHABLE();
}

bool yard_value_of_toml(const yard_key_desc *desc, const toml_value *toml, yard_value *ret_value,
                        yard_value_error *ret_error) {
    yard_value value = {.origin = YARD_FROM_FILE, .line = toml->line};
    if (!fill_of_toml(desc, toml, &value, ret_error)) {
        yard_value_fini(&value);
        return false;
    }
    *ret_value = value;
    return true;
}

/* ---- From the text of a flag ----------------------------------------------------------------- */

static bool set_number_text(const yard_key_desc *desc, const char *text, yard_value *value,
                            yard_value_error *error) {
    const size_t len = strlen(text);
    if (len == 0 || strspn(text, "0123456789") != len) {
        return fail(error, "\"%.64s\" is no number", text);
    }
    errno = 0;
    const unsigned long long number = strtoull(text, NULL, 10);
    if (errno == ERANGE) {
        return fail(error, "%.64s is above the limit of %" PRIu64, text, desc->max);
    }
    value->number = number;
    return check_number(desc, value->number, error);
}

static bool set_bool_text(const char *text, yard_value *value, yard_value_error *error) {
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        return fail(error, "\"%.64s\" is neither true nor false", text);
    }
    value->number = text[0] == 't';
    return true;
}

static bool set_list_text(const yard_key_desc *desc, const char *text, yard_value *value,
                          yard_value_error *error) {
    toml_doc *doc;
    toml_error why;
    char *line = yard_format("list = %s", text);
    const bool parsed = toml_doc_parse(line, strlen(line), &doc, &why);
    free(line);
    if (!parsed || doc->count != 1) {
        if (parsed) {
            toml_doc_del(doc);
        }
        return fail(error, "\"%.64s\" is no list: write it as in TOML, such as %s", text,
                    desc->kind == YARD_KIND_BYTES ? "[32, 0x80]" : "[\"a\", \"b\"]");
    }
    const bool ok = fill_of_toml(desc, &doc->entries[0].value, value, error);
    toml_doc_del(doc);
    return ok;
}

static bool fill_of_text(const yard_key_desc *desc, const char *text, yard_value *value,
                         yard_value_error *error) {
    if (!check_text(text, strlen(text), error)) {
        return false;
    }
    switch (desc->kind) {
    case YARD_KIND_TEXT:
        return set_text(text, strlen(text), value);
    case YARD_KIND_BOOL:
        return set_bool_text(text, value, error);
    case YARD_KIND_NUMBER:
        return set_number_text(desc, text, value, error);
    case YARD_KIND_DURATION:
        return set_duration_text(desc, text, value, error);
    case YARD_KIND_MILLIS:
        if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) < 16) {
            return set_duration_number(desc, (int64_t)strtoll(text, NULL, 10), value, error);
        }
        return set_duration_text(desc, text, value, error);
    case YARD_KIND_TEXTS:
    case YARD_KIND_BYTES:
        return set_list_text(desc, text, value, error);
    case YARD_KIND_TABLE:
        return true;
    }
    SY_UNREACHABLE();
}

bool yard_value_of_text(const yard_key_desc *desc, const char *text, yard_value *ret_value,
                        yard_value_error *ret_error) {
    yard_value value = {.origin = YARD_FROM_FLAG};
    if (!fill_of_text(desc, text, &value, ret_error)) {
        yard_value_fini(&value);
        return false;
    }
    *ret_value = value;
    return true;
}

/* ---- Printing and freeing -------------------------------------------------------------------- */

void yard_value_fini(yard_value *value) {
    free(value->text);
    for (size_t i = 0; i < YARD_TEXTS_MAX; i++) {
        free(value->texts[i]);
    }
    *value = (yard_value){0};
}

void yard_value_copy(const yard_value *from, yard_value *ret_value) {
    *ret_value = *from;
    if (from->text != NULL) {
        ret_value->text = yard_strdup(from->text);
    }
    for (size_t i = 0; i < YARD_TEXTS_MAX; i++) {
        if (from->texts[i] != NULL) {
            ret_value->texts[i] = yard_strdup(from->texts[i]);
        }
    }
}

static char *print_quoted(const char *text) {
    char *out = yard_alloc(2 * strlen(text) + 3, 1);
    size_t len = 0;
    out[len++] = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            out[len++] = '\\';
        }
        if (*text == '\n' || *text == '\t') {
            out[len++] = '\\';
            out[len++] = *text == '\n' ? 'n' : 't';
        } else {
            out[len++] = *text;
        }
    }
    out[len] = '"';
    return out;
}

static char *print_list(const yard_key_desc *desc, const yard_value *value) {
    char *list = yard_strdup("[");
    for (size_t i = 0; i < value->count; i++) {
        char *item = desc->kind == YARD_KIND_TEXTS ? print_quoted(value->texts[i])
                                                   : yard_format("0x%02x", value->bytes[i]);
        char *longer = yard_format("%s%s%s", list, i > 0 ? ", " : "", item);
        free(item);
        free(list);
        list = longer;
    }
    char *closed = yard_format("%s]", list);
    free(list);
    return closed;
}

char *yard_value_print(const yard_key_desc *desc, const yard_value *value) {
    switch (desc->kind) {
    case YARD_KIND_TEXT:
        return print_quoted(value->text);
    case YARD_KIND_BOOL:
        return yard_strdup(value->number != 0 ? "true" : "false");
    case YARD_KIND_NUMBER:
        return yard_format("%" PRIu64, value->number);
    case YARD_KIND_DURATION:
    case YARD_KIND_MILLIS: {
        char *text = yard_duration_print(value->number);
        char *quoted = print_quoted(text);
        free(text);
        return quoted;
    }
    case YARD_KIND_TEXTS:
    case YARD_KIND_BYTES:
        return print_list(desc, value);
    case YARD_KIND_TABLE:
        return yard_strdup("");
    }
    SY_UNREACHABLE();
}
