/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator interface.  The only file that calls the C library's allocator. */
#include <switchyard/mem.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/assert.h>

static void *libc_alloc(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void *libc_resize(void *user, void *ptr, size_t size) {
    (void)user;
    return realloc(ptr, size);
}

static void libc_release(void *user, void *ptr) {
    (void)user;
    free(ptr);
}

const sy_mem *sy_mem_libc(void) {
    static const sy_mem mem = {
        .alloc = libc_alloc, .resize = libc_resize, .release = libc_release, .user = NULL};
    return &mem;
}

/* The functions of a sy_mem never see size 0: what they give for it differs between libraries. */
static size_t at_least_one(size_t size) {
    return size > 0 ? size : 1;
}

void *sy_mem_zalloc(const sy_mem *mem, size_t size) {
    SY_REQUIRE(mem != NULL);
    void *ptr = mem->alloc(mem->user, at_least_one(size));
    if (ptr != NULL) {
        memset(ptr, 0, at_least_one(size));
    }
    return ptr;
}

void *sy_mem_zalloc_array(const sy_mem *mem, size_t count, size_t size) {
    if (size > 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    return sy_mem_zalloc(mem, count * size);
}

void *sy_mem_resize(const sy_mem *mem, void *ptr, size_t size) {
    SY_REQUIRE(mem != NULL);
    if (ptr == NULL) {
        return mem->alloc(mem->user, at_least_one(size));
    }
    return mem->resize(mem->user, ptr, at_least_one(size));
}

void sy_mem_release(const sy_mem *mem, void *ptr) {
    SY_REQUIRE(mem != NULL);
    if (ptr != NULL) {
        mem->release(mem->user, ptr);
    }
}
