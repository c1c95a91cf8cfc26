/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(void) {
    (void)fputs("yard: out of memory\n", stderr);
    exit(YARD_EXIT_FAILED);
}

void *yard_alloc(size_t count, size_t size) {
    void *block = calloc(count == 0 ? 1 : count, size);
    if (block == NULL) {
        out_of_memory();
    }
    return block;
}

void *yard_resize(void *ptr, size_t count, size_t size) {
    if (size > 0 && count > SIZE_MAX / size) {
        out_of_memory();
    }
    void *block = realloc(ptr, count * size);
    if (block == NULL) {
        out_of_memory();
    }
    return block;
}

char *yard_strndup(const char *text, size_t len) {
    char *copy = yard_alloc(len + 1, 1);
    memcpy(copy, text, len);
    return copy;
}

char *yard_strdup(const char *text) {
    return yard_strndup(text, strlen(text));
}

char *yard_format(const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = yard_alloc((size_t)(len < 0 ? 0 : len) + 1, 1);
    va_start(args, format);
    (void)vsnprintf(text, (size_t)(len < 0 ? 0 : len) + 1, format, args);
    va_end(args);
    return text;
}

void yard_complain(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)fputs("yard: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

void yard_texts_add(yard_texts *texts, char *text) {
    texts->items = yard_resize(texts->items, texts->count + 1, sizeof *texts->items);
    texts->items[texts->count++] = text;
}

void yard_texts_fini(yard_texts *texts) {
    for (size_t i = 0; i < texts->count; i++) {
        free(texts->items[i]);
    }
    free(texts->items);
    *texts = (yard_texts){NULL, 0};
}

char *yard_path(const char *home, const char *path) {
    return path[0] == '/' ? yard_strdup(path) : yard_format("%s/%s", home, path);
}
