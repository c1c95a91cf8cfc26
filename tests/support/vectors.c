/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#ifndef SY_VECTORS_DIR
#error "SY_VECTORS_DIR must name tests/vectors of the source tree"
#endif

struct vec_file {
    json_t *root;
};

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)fputs("vectors: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    abort();
}

/* vec_node is jansson's value under another name, so that tests do not depend on jansson. */
static const json_t *json_of(const vec_node *node) {
    return (const json_t *)node;
}

static const vec_node *node_of(const json_t *json) {
    return (const vec_node *)json;
}

vec_file *vec_open(const char *name) {
    char path[1024];
    const int len = snprintf(path, sizeof path, "%s/%s", SY_VECTORS_DIR, name);
    if (len < 0 || (size_t)len >= sizeof path) {
        fail("%s: path too long", name);
    }
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        fail("%s:%d: %s", path, error.line, error.text);
    }
    if (json_string_length(json_object_get(root, "provenance")) == 0) {
        fail("%s: no provenance", path);
    }
    vec_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        fail("%s: out of memory", path);
    }
    file->root = root;
    return file;
}

void vec_close(vec_file *file) {
    json_decref(file->root);
    free(file);
}

const vec_node *vec_root(const vec_file *file) {
    return node_of(file->root);
}

size_t vec_len(const vec_node *array) {
    if (!json_is_array(json_of(array))) {
        fail("not an array");
    }
    return json_array_size(json_of(array));
}

const vec_node *vec_at(const vec_node *array, size_t i) {
    if (i >= vec_len(array)) {
        fail("index %zu of %zu", i, vec_len(array));
    }
    return node_of(json_array_get(json_of(array), i));
}

const char *vec_str_at(const vec_node *array, size_t i) {
    const char *text = json_string_value(json_of(vec_at(array, i)));
    if (text == NULL) {
        fail("element %zu is not a string", i);
    }
    return text;
}

bool vec_has(const vec_node *object, const char *key) {
    return json_object_get(json_of(object), key) != NULL;
}

const vec_node *vec_get(const vec_node *object, const char *key) {
    const json_t *member = json_object_get(json_of(object), key);
    if (member == NULL) {
        const char *name = json_string_value(json_object_get(json_of(object), "name"));
        fail("%s: member \"%s\" is missing", name == NULL ? "(no name)" : name, key);
    }
    return node_of(member);
}

const char *vec_str(const vec_node *object, const char *key) {
    const char *text = json_string_value(json_of(vec_get(object, key)));
    if (text == NULL) {
        fail("member \"%s\" is not a string", key);
    }
    return text;
}

bool vec_bool(const vec_node *object, const char *key) {
    const json_t *member = json_of(vec_get(object, key));
    if (!json_is_boolean(member)) {
        fail("member \"%s\" is not a boolean", key);
    }
    return json_is_true(member);
}

uint64_t vec_u64(const vec_node *object, const char *key) {
    const json_t *member = json_of(vec_get(object, key));
    if (!json_is_integer(member) || json_integer_value(member) < 0) {
        fail("member \"%s\" is not a natural number", key);
    }
    return (uint64_t)json_integer_value(member);
}

static unsigned digit_of(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    if (at == NULL) {
        fail("'%c' is not a lower-case hex digit", c);
    }
    return (unsigned)(at - digits);
}

/* Appends the bytes of one string of digits at out + len. */
static size_t add_hex(const json_t *json, uint8_t *out, size_t len, size_t cap) {
    const char *text = json_string_value(json);
    if (text == NULL || strlen(text) % 2 != 0) {
        fail("not a string with an even number of hex digits");
    }
    for (; *text != '\0'; text += 2) {
        if (len == cap) {
            fail("hex exceeds %zu bytes", cap);
        }
        out[len++] = (uint8_t)(digit_of(text[0]) << 4 | digit_of(text[1]));
    }
    return len;
}

static size_t hex_of(const json_t *json, uint8_t *out, size_t cap) {
    if (!json_is_array(json)) {
        return add_hex(json, out, 0, cap);
    }
    size_t len = 0;
    for (size_t i = 0; i < json_array_size(json); i++) {
        len = add_hex(json_array_get(json, i), out, len, cap);
    }
    return len;
}

size_t vec_hex_at(const vec_node *array, size_t i, uint8_t *out, size_t cap) {
    return hex_of(json_of(vec_at(array, i)), out, cap);
}

size_t vec_hex(const vec_node *object, const char *key, uint8_t *out, size_t cap) {
    return hex_of(json_of(vec_get(object, key)), out, cap);
}

const char *vec_name(const vec_node *row) {
    return vec_str(row, "name");
}

bool vec_is_accept(const vec_node *row) {
    const char *verdict = vec_str(row, "verdict");
    if (strcmp(verdict, "accept") != 0 && strcmp(verdict, "reject") != 0) {
        fail("%s: verdict \"%s\"", vec_name(row), verdict);
    }
    return strcmp(verdict, "accept") == 0;
}
