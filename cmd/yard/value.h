/* SPDX-License-Identifier: Apache-2.0 */
/* One configuration value: read from TOML or from the text of a flag, checked against its key's
 * kind and limits, and printed again. */
#ifndef YARD_VALUE_H
#define YARD_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/time.h>

#include "cmd/yard/config_toml.h"
#include "cmd/yard/keys.h"

/* Lowest first: a later one replaces an earlier one. */
typedef enum yard_origin {
    YARD_FROM_DEFAULT,
    YARD_FROM_FILE,
    YARD_FROM_FLAG,
} yard_origin;

#define YARD_BYTES_MAX 16
#define YARD_TEXTS_MAX 4

typedef struct yard_value {
    yard_origin origin;
    int line;        /* FROM_FILE */
    char *text;      /* TEXT; never NULL for it */
    uint64_t number; /* BOOL, NUMBER; DURATION and MILLIS in nanoseconds */
    char *texts[YARD_TEXTS_MAX];
    uint8_t bytes[YARD_BYTES_MAX];
    size_t count; /* of texts or bytes */
} yard_value;

/* What is wrong with a value, for people: the value and the rule. */
typedef struct yard_value_error {
    char text[256];
} yard_value_error;

/* *ret_value must be zeroed or finished; untouched on failure. */
bool yard_value_of_toml(const yard_key_desc *desc, const toml_value *toml, yard_value *ret_value,
                        yard_value_error *ret_error);
bool yard_value_of_text(const yard_key_desc *desc, const char *text, yard_value *ret_value,
                        yard_value_error *ret_error);

/* Deep.  *ret_value must be zeroed or finished. */
void yard_value_copy(const yard_value *from, yard_value *ret_value);

void yard_value_fini(yard_value *value);

/* As TOML: `"text"`, `true`, `40`, `"1m30s"`, `["a", "b"]`.  Owned. */
char *yard_value_print(const yard_key_desc *desc, const yard_value *value);

/* Go's duration text without sign: numbers with optional fraction and unit ns, us, ms, s, m, h;
 * "0" needs no unit. */
bool yard_duration_parse(const char *text, sy_duration *ret_duration);

/* The shortest such text.  Owned. */
char *yard_duration_print(sy_duration duration);

#endif
