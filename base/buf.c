/* SPDX-License-Identifier: Apache-2.0 */
/* The growable buffer.  The budget is asked before the allocator and given back when the allocator
 * refuses; len, cap and data change only when both agreed. */
#include "base/buf.h"

#include <string.h>

#include <switchyard/assert.h>

/* The first allocation, so that a few small appends do not cost one each. */
#define FIRST_CAP 64

static void check(const sy_buf *buf) {
    SY_ASSERT(buf->len <= buf->cap);
    SY_ASSERT(buf->cap <= buf->max);
    SY_ASSERT((buf->data == NULL) == (buf->cap == 0));
}

void sy_buf_init(sy_buf *buf, const sy_mem *mem, sy_budget *budget, size_t max) {
    SY_REQUIRE(buf != NULL);
    SY_REQUIRE(mem != NULL);
    *buf = (sy_buf){.mem = mem, .budget = budget, .max = max};
}

void sy_buf_fini(sy_buf *buf) {
    sy_buf_drop(buf);
    buf->max = 0;
}

/* Twice the capacity, at least `need`, at most max. */
static size_t grown_cap(const sy_buf *buf, size_t need) {
    size_t cap = buf->cap > buf->max / 2 ? buf->max : buf->cap * 2;
    if (cap < FIRST_CAP) {
        cap = FIRST_CAP;
    }
    if (cap < need) {
        cap = need;
    }
    return cap < buf->max ? cap : buf->max;
}

static sy_err grow_to(sy_buf *buf, size_t cap) {
    SY_ASSERT(cap > buf->cap);
    const size_t more = cap - buf->cap;
    if (buf->budget != NULL) {
        const sy_err err = sy_budget_reserve(buf->budget, more);
        if (err != SY_OK) {
            return err;
        }
    }
    uint8_t *data = sy_mem_resize(buf->mem, buf->data, cap);
    if (data == NULL) {
        if (buf->budget != NULL) {
            sy_budget_release(buf->budget, more);
        }
        return SY_ERR_NOMEM;
    }
    buf->data = data;
    buf->cap = cap;
    return SY_OK;
}

sy_err sy_buf_reserve(sy_buf *buf, size_t n) {
    check(buf);
    if (n > buf->max - buf->len) {
        return SY_ERR_NO_SPACE;
    }
    const size_t need = buf->len + n;
    if (need <= buf->cap) {
        return SY_OK;
    }
    const size_t cap = grown_cap(buf, need);
    sy_err err = grow_to(buf, cap);
    /* Doubling is for speed only: near the limit of the budget what is needed must still fit. */
    if (err == SY_ERR_LIMIT && cap > need) {
        err = grow_to(buf, need);
    }
    check(buf);
    return err;
}

sy_err sy_buf_append(sy_buf *buf, const void *data, size_t len) {
    SY_REQUIRE(data != NULL || len == 0);
    const sy_err err = sy_buf_reserve(buf, len);
    if (err != SY_OK) {
        return err;
    }
    if (len > 0) {
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
    return SY_OK;
}

void sy_buf_consume(sy_buf *buf, size_t n) {
    check(buf);
    SY_REQUIRE(n <= buf->len);
    if (n > 0 && n < buf->len) {
        memmove(buf->data, buf->data + n, buf->len - n);
    }
    buf->len -= n;
}

void sy_buf_clear(sy_buf *buf) {
    buf->len = 0;
}

void sy_buf_drop(sy_buf *buf) {
    SY_REQUIRE(buf != NULL);
    check(buf);
    sy_mem_release(buf->mem, buf->data);
    if (buf->budget != NULL) {
        sy_budget_release(buf->budget, buf->cap);
    }
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
}
