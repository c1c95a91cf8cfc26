/* SPDX-License-Identifier: Apache-2.0 */
/* A growable byte buffer whose capacity is charged to a budget.  Empty it costs nothing: no memory
 * is held until the first byte.  Grows by doubling up to max; when the budget refuses the double,
 * by what is needed. */
#ifndef SY_BASE_BUF_H
#define SY_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>
#include <switchyard/mem.h>

typedef struct sy_buf {
    const sy_mem *mem; /* borrowed from the owner */
    sy_budget *budget; /* borrowed, may be NULL */
    uint8_t *data;     /* NULL when cap is 0 */
    size_t len;
    size_t cap;
    size_t max; /* inclusive limit of len and cap */
} sy_buf;

void sy_buf_init(sy_buf *buf, const sy_mem *mem, sy_budget *budget, size_t max);

/* Releases the memory and the charge. */
void sy_buf_fini(sy_buf *buf);

/* Makes room for n more bytes behind len.  On failure nothing changed.
 *   SY_ERR_NO_SPACE  len + n > max;  SY_ERR_LIMIT  budget;  SY_ERR_NOMEM */
sy_err sy_buf_reserve(sy_buf *buf, size_t n) __attribute__((warn_unused_result));

/* reserve, then copy.  Same errors. */
sy_err sy_buf_append(sy_buf *buf, const void *data, size_t len) __attribute__((warn_unused_result));

/* Drops the first n bytes (n <= len), moving the rest down. */
void sy_buf_consume(sy_buf *buf, size_t n);

/* len = 0, memory kept. */
void sy_buf_clear(sy_buf *buf);

/* len = 0, memory and charge given back. */
void sy_buf_drop(sy_buf *buf);

#endif
