/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of one node: counts live blocks and bytes, can fail the k-th allocation.  With poison
 * new memory is filled with a pattern, a resized block always moves and the old one is overwritten,
 * so that a read of stale or uninitialised bytes shows. */
#ifndef SY_SIM_MEM_H
#define SY_SIM_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include <switchyard/mem.h>

typedef struct sy_sim_mem {
    sy_mem mem;     /* hand this to the code under test */
    size_t calls;   /* alloc + resize calls so far */
    size_t fail_at; /* 1-based call that returns NULL; 0: never */
    bool fail_from; /* true: every call from fail_at on fails */
    bool poison;
    size_t live_blocks;
    size_t live_bytes;
    size_t peak_bytes;
} sy_sim_mem;

void sy_sim_mem_init(sy_sim_mem *tm, bool poison);

#endif
