/* SPDX-License-Identifier: Apache-2.0 */
/* A short text for people that goes with an error: which field, which value, which limit.  Fixed
 * size, no allocation; peer-supplied text is added through sy_detail_quote, which caps and escapes
 * it. */
#ifndef SWITCHYARD_DETAIL_H
#define SWITCHYARD_DETAIL_H

#include <stddef.h>

#include <switchyard/export.h>

SY_BEGIN_DECLS

#define SY_DETAIL_CAP 192

typedef struct sy_detail {
    char text[SY_DETAIL_CAP]; /* NUL-terminated, printable ASCII */
} sy_detail;

/* All functions accept NULL as detail and then do nothing. */
SY_API void sy_detail_clear(sy_detail *detail);
SY_API void sy_detail_set(sy_detail *detail, const char *format, ...) SY_PRINTF(2, 3);

/* Appends; what does not fit is cut. */
SY_API void sy_detail_add(sy_detail *detail, const char *format, ...) SY_PRINTF(2, 3);

/* Appends at most 64 bytes of text in double quotes, anything but printable ASCII as \xNN. */
SY_API void sy_detail_quote(sy_detail *detail, const void *text, size_t len);

SY_END_DECLS

#endif
