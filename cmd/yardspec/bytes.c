/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yardspec/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wr.h"

#define DEPTH_MAX 8
#define SHOWN     20

_Noreturn void spec_die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)fputs("yardspec: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(3);
}

static void reserve(spec_bytes *bytes, size_t more) {
    if (more <= bytes->cap - bytes->len) {
        return;
    }
    if (bytes->head > 0) {
        memmove(bytes->data - bytes->head, bytes->data, bytes->len);
        bytes->data -= bytes->head;
        bytes->cap += bytes->head;
        bytes->head = 0;
        if (more <= bytes->cap - bytes->len) {
            return;
        }
    }
    const size_t cap = 2 * bytes->cap + more + 64;
    uint8_t *data = realloc(bytes->data, cap);
    if (data == NULL) {
        spec_die("out of memory");
    }
    bytes->data = data;
    bytes->cap = cap;
}

void spec_bytes_add(spec_bytes *bytes, const void *data, size_t len) {
    reserve(bytes, len);
    if (len > 0) {
        memcpy(bytes->data + bytes->len, data, len);
        bytes->len += len;
    }
}

void spec_bytes_fill(spec_bytes *bytes, size_t count, uint8_t value) {
    reserve(bytes, count);
    if (count > 0) {
        memset(bytes->data + bytes->len, value, count);
        bytes->len += count;
    }
}

void spec_bytes_insert(spec_bytes *bytes, size_t at, const void *data, size_t len) {
    reserve(bytes, len);
    memmove(bytes->data + at + len, bytes->data + at, bytes->len - at);
    memcpy(bytes->data + at, data, len);
    bytes->len += len;
}

static size_t put_uvarint(uint64_t value, uint8_t out[10]) {
    sy_wr wr;
    sy_wr_init(&wr, out, 10);
    sy_wr_uvarint(&wr, value);
    return wr.len;
}

void spec_bytes_uvarint(spec_bytes *bytes, uint64_t value) {
    uint8_t buf[10];
    spec_bytes_add(bytes, buf, put_uvarint(value, buf));
}

void spec_bytes_drop(spec_bytes *bytes, size_t count) {
    if (count > 0) {
        bytes->data += count;
        bytes->head += count;
        bytes->cap -= count;
        bytes->len -= count;
    }
}

void spec_bytes_fini(spec_bytes *bytes) {
    if (bytes->data != NULL) {
        free(bytes->data - bytes->head);
    }
    *bytes = (spec_bytes){0};
}

/* ---- Templates ------------------------------------------------------------------------------- */

typedef struct expansion {
    const char *text; /* the whole, for complaints */
    const char *at;
    const spec_names *names;
    spec_bytes *out;
    size_t open[DEPTH_MAX]; /* where each open bracket's content begins */
    size_t depth;
} expansion;

_Noreturn static void bad(const expansion *x) {
    spec_die("template \"%s\": wrong at \"%s\"", x->text, x->at);
}

static unsigned long number(expansion *x) {
    char *end = NULL;
    const unsigned long value = strtoul(x->at, &end, 10);
    if (end == x->at) {
        bad(x);
    }
    x->at = end;
    return value;
}

static unsigned digit(const expansion *x, char c) {
    static const char digits[] = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    if (found == NULL) {
        bad(x);
    }
    return (unsigned)(found - digits);
}

static uint8_t hex_byte(expansion *x) {
    const unsigned high = digit(x, x->at[0]);
    const unsigned low = digit(x, x->at[1]);
    x->at += 2;
    return (uint8_t)(high << 4 | low);
}

static void expand_name(expansion *x) {
    const size_t start = x->out->len;
    x->at++;
    if (!x->names->name(x->names->user, *x->at, x->out)) {
        bad(x);
    }
    x->at++;
    if (*x->at == ':') {
        x->at++;
        const size_t len = number(x);
        if (len > x->out->len - start) {
            bad(x);
        }
        x->out->len = start + len;
    }
}

static void expand_fields(expansion *x) {
    x->at++;
    const unsigned long first = number(x);
    unsigned long last = first;
    if (*x->at == '-') {
        x->at++;
        last = number(x);
    }
    if (*x->at != '}') {
        bad(x);
    }
    x->at++;
    for (unsigned long i = first; i <= last; i++) {
        x->names->field(x->names->user, (unsigned)i, x->out);
    }
}

static void expand_fill(expansion *x) {
    x->at++;
    const size_t count = number(x);
    if (*x->at++ != ':') {
        bad(x);
    }
    spec_bytes_fill(x->out, count, hex_byte(x));
}

static void expand_padding(expansion *x) {
    const size_t start = x->depth > 0 ? x->open[x->depth - 1] : 0;
    x->at++;
    const size_t total = number(x);
    if (*x->at++ != ':') {
        bad(x);
    }
    const uint8_t key = hex_byte(x);
    spec_bytes_add(x->out, &key, 1);
    const size_t have = x->out->len - start;
    const size_t prefix = total > have + 129 ? 2 : 1;
    if (total < have + prefix) {
        bad(x);
    }
    spec_bytes_uvarint(x->out, total - have - prefix);
    spec_bytes_fill(x->out, total - have - prefix, 'p');
}

static void close_bracket(expansion *x) {
    if (x->depth == 0) {
        bad(x);
    }
    const size_t start = x->open[--x->depth];
    uint8_t prefix[10];
    const size_t len = put_uvarint(x->out->len - start, prefix);
    spec_bytes_insert(x->out, start, prefix, len);
    x->at++;
}

static void expand_text(expansion *x) {
    const char *start = x->at + 1;
    const char *end = strchr(start, '\'');
    if (end == NULL) {
        bad(x);
    }
    spec_bytes_add(x->out, start, (size_t)(end - start));
    x->at = end + 1;
}

static void expand_one(expansion *x) {
    switch (*x->at) {
    case ' ':
        x->at++;
        break;
    case '[':
        if (x->depth == DEPTH_MAX) {
            bad(x);
        }
        x->open[x->depth++] = x->out->len;
        x->at++;
        break;
    case ']':
        close_bracket(x);
        break;
    case '\'':
        expand_text(x);
        break;
    case '$':
        expand_name(x);
        break;
    case '{':
        expand_fields(x);
        break;
    case '*':
        expand_fill(x);
        break;
    case '~':
        expand_padding(x);
        break;
    default: {
        const uint8_t byte = hex_byte(x);
        spec_bytes_add(x->out, &byte, 1);
        break;
    }
    }
}

void spec_template(const char *text, const spec_names *names, spec_bytes *out) {
    expansion x = {.text = text, .at = text, .names = names, .out = out};
    while (*x.at != '\0') {
        expand_one(&x);
    }
    if (x.depth != 0) {
        bad(&x);
    }
}

const char *spec_show(const uint8_t *data, size_t len) {
    static char text[2 * SHOWN + 40];
    size_t at = 0;
    for (size_t i = 0; i < len && i < SHOWN; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%02x", data[i]);
    }
    (void)snprintf(text + at, sizeof text - at, "%s (%zu bytes)", len > SHOWN ? ".." : "", len);
    return text;
}
