/* SPDX-License-Identifier: Apache-2.0 */
#include <switchyard/detail.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define QUOTE_MAX 64

SY_PRINTF(2, 0)
static void append(sy_detail *detail, const char *format, va_list args) {
    const size_t used = strlen(detail->text);
    (void)vsnprintf(detail->text + used, sizeof detail->text - used, format, args);
}

void sy_detail_clear(sy_detail *detail) {
    if (detail != NULL) {
        detail->text[0] = '\0';
    }
}

void sy_detail_set(sy_detail *detail, const char *format, ...) {
    if (detail == NULL) {
        return;
    }
    sy_detail_clear(detail);
    va_list args;
    va_start(args, format);
    append(detail, format, args);
    va_end(args);
}

void sy_detail_add(sy_detail *detail, const char *format, ...) {
    if (detail == NULL) {
        return;
    }
    va_list args;
    va_start(args, format);
    append(detail, format, args);
    va_end(args);
}

void sy_detail_quote(sy_detail *detail, const void *text, size_t len) {
    const unsigned char *bytes = text;
    const size_t shown = len < QUOTE_MAX ? len : QUOTE_MAX;

    sy_detail_add(detail, "\"");
    for (size_t i = 0; i < shown; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\') {
            sy_detail_add(detail, "%c", bytes[i]);
        } else {
            sy_detail_add(detail, "\\x%02x", bytes[i]);
        }
    }
    sy_detail_add(detail, shown < len ? "\"..." : "\"");
}
