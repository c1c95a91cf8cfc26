/* SPDX-License-Identifier: Apache-2.0 */
/* Growing byte strings, and the small language in which cases write the bytes that they send.
 *
 *   0a20          bytes in hexadecimal; blanks mean nothing
 *   'text'        the bytes of the text
 *   [ ... ]       what is inside, with its length in front as a uvarint
 *   $E  $E:31     the value of a name, or its first 31 bytes
 *   *1024:61      1024 bytes 61
 *   {3} {1-4}     fields of the NodeInfo that is accepted
 *   ~1022:1a      a bytes field with key 1a that makes the innermost bracket 1022 bytes long
 *
 * A wrong template is a bug of this program: it ends it. */
#ifndef YARDSPEC_BYTES_H
#define YARDSPEC_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct spec_bytes {
    uint8_t *data;
    size_t len;
    size_t cap;  /* from data on */
    size_t head; /* dropped bytes in front of data */
} spec_bytes;

void spec_bytes_add(spec_bytes *bytes, const void *data, size_t len);
void spec_bytes_fill(spec_bytes *bytes, size_t count, uint8_t value);
void spec_bytes_uvarint(spec_bytes *bytes, uint64_t value);

/* Puts len bytes in front of what begins at `at`. */
void spec_bytes_insert(spec_bytes *bytes, size_t at, const void *data, size_t len);
void spec_bytes_drop(spec_bytes *bytes, size_t count); /* from the front */
void spec_bytes_fini(spec_bytes *bytes);

/* Names and fields of templates.  Each adds its value to out. */
typedef struct spec_names {
    bool (*name)(void *user, char name, spec_bytes *out); /* false: no such name */
    void (*field)(void *user, unsigned number, spec_bytes *out);
    void *user;
} spec_names;

void spec_template(const char *text, const spec_names *names, spec_bytes *out);

/* "0a20.. (34 bytes)": the first bytes in hexadecimal.  Static memory, one text at a time. */
const char *spec_show(const uint8_t *data, size_t len);

_Noreturn void spec_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
