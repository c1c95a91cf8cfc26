/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/support/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM (SIZE_MAX / 4)

static size_t counted;
static size_t counted_accepted;

void fuzz_fail(const char *condition, const char *file, int line) {
    (void)fprintf(stderr, "FUZZ_CHECK failed: %s (%s:%d)\n", condition, file, line);
    abort();
}

static void print_count(void) {
    (void)fprintf(stderr, "fuzz: inputs=%zu accepted=%zu\n", counted, counted_accepted);
}

void fuzz_count(bool accepted) {
    if (counted == 0) {
        (void)atexit(print_count);
    }
    counted++;
    counted_accepted += accepted ? 1 : 0;
}

/* ---- the input ---- */

fuzz_in fuzz_in_of(const uint8_t *data, size_t size) {
    static const uint8_t nothing[1];
    const uint8_t *start = size > 0 ? data : nothing;
    return (fuzz_in){.pos = start, .end = start + size};
}

size_t fuzz_left(const fuzz_in *in) {
    return (size_t)(in->end - in->pos);
}

uint8_t fuzz_u8(fuzz_in *in) {
    return in->pos < in->end ? *in->pos++ : 0;
}

uint16_t fuzz_u16(fuzz_in *in) {
    const unsigned high = fuzz_u8(in);
    return (uint16_t)(high << 8 | fuzz_u8(in));
}

uint32_t fuzz_u32(fuzz_in *in) {
    const uint32_t high = fuzz_u16(in);
    return high << 16 | fuzz_u16(in);
}

uint64_t fuzz_u64(fuzz_in *in) {
    const uint64_t high = fuzz_u32(in);
    return high << 32 | fuzz_u32(in);
}

sy_bytes fuzz_take(fuzz_in *in, size_t n) {
    const size_t left = fuzz_left(in);
    const sy_bytes bytes = {.data = in->pos, .len = n < left ? n : left};
    in->pos += bytes.len;
    return bytes;
}

void fuzz_edit(fuzz_in *in, void *data, size_t len, unsigned edits) {
    uint8_t *bytes = data;
    for (; edits > 0 && fuzz_left(in) >= 2; edits--) {
        const size_t at = fuzz_u8(in) % len;
        bytes[at] = fuzz_u8(in);
    }
}

uint64_t fuzz_duration(fuzz_in *in) {
    const unsigned value = fuzz_u8(in);
    return value == 0 ? 0 : (uint64_t)(8 + value % 8) << (value / 8 + 7);
}

/* ---- memory ---- */

void fuzz_world_init(fuzz_world *world, fuzz_in *in) {
    const uint8_t fail_at = fuzz_u8(in); /* 0: never; from 0x80 on: every later call too */
    const uint8_t limit = fuzz_u8(in);   /* 0: none; else in units of 128 bytes */
    test_mem_init(&world->tm);
    world->tm.fail_at = fail_at & 0x7f;
    world->tm.fail_from = fail_at >= 0x80;
    world->is_tight = world->tm.fail_at != 0 || limit != 0;
    sy_budget_init(&world->node, NULL, "node", ROOM);
    sy_budget_init(&world->conn, &world->node, "conn", limit == 0 ? ROOM : (size_t)limit * 128);
}

void fuzz_world_check(const fuzz_world *world) {
    FUZZ_CHECK(world->node.used == world->tm.live_bytes);
    FUZZ_CHECK(world->conn.used <= world->node.used);
    FUZZ_CHECK(world->conn.used <= world->conn.limit);
}

void fuzz_world_fini(fuzz_world *world) {
    fuzz_world_check(world);
    sy_budget_fini(&world->conn);
    sy_budget_fini(&world->node);
    test_mem_fini(&world->tm);
}

/* ---- judgements ---- */

void fuzz_check_err(sy_err err, const fuzz_world *world) {
    const sy_err_class kind = sy_err_class_of(err);
    const bool is_local = kind == SY_ERR_CLASS_LOCAL && world != NULL && world->is_tight;
    FUZZ_CHECK(kind == SY_ERR_CLASS_PEER || kind == SY_ERR_CLASS_CRYPTO || is_local);
}

void fuzz_check_detail(const sy_detail *detail) {
    const char *end = memchr(detail->text, '\0', sizeof detail->text);
    FUZZ_CHECK(end != NULL);
    for (const char *c = detail->text; c < end; c++) {
        FUZZ_CHECK(*c >= 0x20 && *c <= 0x7e);
    }
}

bool fuzz_is_inside(const void *part, size_t part_len, const void *whole, size_t whole_len) {
    if (part_len == 0) {
        return true;
    }
    const uintptr_t at = (uintptr_t)part;
    const uintptr_t start = (uintptr_t)whole;
    return at >= start && part_len <= whole_len && at - start <= whole_len - part_len;
}

uint8_t *fuzz_exact(const void *data, size_t len) {
    uint8_t *copy = malloc(len > 0 ? len : 1);
    FUZZ_CHECK(copy != NULL);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    return copy;
}

void fuzz_exact_del(uint8_t *copy) {
    free(copy);
}

const uint8_t *fuzz_pattern(uint8_t seed) {
    static uint8_t pattern[UINT16_MAX + 2 + UINT8_MAX];
    if (pattern[1] == 0) {
        for (size_t i = 0; i < sizeof pattern; i++) {
            pattern[i] = (uint8_t)(i * 7 + (i >> 8) * 31);
        }
    }
    return pattern + seed;
}

/* ---- bytes that grow ---- */

void fuzz_bytes_add(fuzz_bytes *bytes, const void *data, size_t len) {
    if (len == 0) {
        return;
    }
    if (bytes->cap - bytes->len < len) {
        bytes->cap = 2 * (bytes->len + len);
        uint8_t *grown = realloc(bytes->data, bytes->cap);
        FUZZ_CHECK(grown != NULL);
        bytes->data = grown;
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

void fuzz_bytes_drop_front(fuzz_bytes *bytes, size_t n) {
    FUZZ_CHECK(n <= bytes->len);
    if (n > 0) {
        bytes->len -= n;
        memmove(bytes->data, bytes->data + n, bytes->len);
    }
}

void fuzz_bytes_free(fuzz_bytes *bytes) {
    free(bytes->data);
    *bytes = (fuzz_bytes){.data = NULL};
}
