/* SPDX-License-Identifier: Apache-2.0 */
/* Small things that every command needs.  A program that runs out of memory while it reads its
 * configuration says so and ends; nothing here is called while peers are served. */
#ifndef YARD_UTIL_H
#define YARD_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses of the program. */
#define YARD_EXIT_OK     0
#define YARD_EXIT_FAILED 1
#define YARD_EXIT_USAGE  2

/* Never NULL; zeroed; free with free(). */
void *yard_alloc(size_t count, size_t size);
void *yard_resize(void *ptr, size_t count, size_t size);
char *yard_strdup(const char *text);
char *yard_strndup(const char *text, size_t len);
char *yard_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "name: message" on standard error. */
void yard_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A list of texts that grows. */
typedef struct yard_texts {
    char **items;
    size_t count;
} yard_texts;

/* Takes text. */
void yard_texts_add(yard_texts *texts, char *text);
void yard_texts_fini(yard_texts *texts);

/* A path from the home directory; an absolute one stays.  Owned. */
char *yard_path(const char *home, const char *path);

#endif
