/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim_mem.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include <switchyard/sim.h>

#define MAGIC_LIVE 0x6c697665u
#define MAGIC_DEAD 0x64656164u

typedef struct header {
    alignas(max_align_t) size_t size;
    uint32_t magic;
} header;

static bool fails_now(sy_sim_mem *tm) {
    tm->calls++;
    return tm->fail_at != 0 &&
           (tm->calls == tm->fail_at || (tm->fail_from && tm->calls > tm->fail_at));
}

static header *header_of(void *ptr) {
    header *h = (header *)ptr - 1;
    if (h->magic != MAGIC_LIVE) {
        sy_sim_fail("a block that is not live was given back");
    }
    return h;
}

static void *block_new(sy_sim_mem *tm, size_t size) {
    const sy_mem *libc = sy_mem_libc();
    if (size == 0) {
        sy_sim_fail("size 0 was asked for");
    }
    if (size > SIZE_MAX - sizeof(header)) {
        return NULL;
    }
    header *h = libc->alloc(libc->user, sizeof(header) + size);
    if (h == NULL) {
        return NULL;
    }
    h->size = size;
    h->magic = MAGIC_LIVE;
    if (tm->poison) {
        memset(h + 1, 0xa5, size);
    }
    tm->live_blocks++;
    tm->live_bytes += size;
    if (tm->live_bytes > tm->peak_bytes) {
        tm->peak_bytes = tm->live_bytes;
    }
    return h + 1;
}

static void block_del(sy_sim_mem *tm, void *ptr) {
    const sy_mem *libc = sy_mem_libc();
    header *h = header_of(ptr);
    if (tm->live_blocks == 0 || tm->live_bytes < h->size) {
        sy_sim_fail("a block of another allocator was given back");
    }
    tm->live_blocks--;
    tm->live_bytes -= h->size;
    h->magic = MAGIC_DEAD;
    if (tm->poison) {
        memset(ptr, 0x5a, h->size);
    }
    libc->release(libc->user, h);
}

static void *mem_alloc(void *user, size_t size) {
    sy_sim_mem *tm = user;
    return fails_now(tm) ? NULL : block_new(tm, size);
}

static void *mem_resize(void *user, void *ptr, size_t size) {
    sy_sim_mem *tm = user;
    if (ptr == NULL) {
        sy_sim_fail("resize of NULL");
    }
    const size_t old_size = header_of(ptr)->size;
    void *moved = fails_now(tm) ? NULL : block_new(tm, size);
    if (moved == NULL) {
        return NULL;
    }
    memcpy(moved, ptr, old_size < size ? old_size : size);
    block_del(tm, ptr);
    return moved;
}

static void mem_release(void *user, void *ptr) {
    if (ptr != NULL) {
        block_del(user, ptr);
    }
}

void sy_sim_mem_init(sy_sim_mem *tm, bool poison) {
    *tm = (sy_sim_mem){
        .mem = {.alloc = mem_alloc, .resize = mem_resize, .release = mem_release, .user = tm},
        .poison = poison};
}
