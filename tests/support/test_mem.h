/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator for tests: counts live blocks and bytes, can fail the k-th allocation.
 *
 * The out-of-memory sweep: run the scenario once with fail_at 0 and read `calls`, then for every k
 * in 1..calls run it again with fail_at k; it must fail cleanly (or succeed) and leave no live
 * block. */
#ifndef SY_TESTS_TEST_MEM_H
#define SY_TESTS_TEST_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include <switchyard/mem.h>

typedef struct test_mem {
    sy_mem mem;     /* hand this to the code under test */
    size_t calls;   /* alloc + resize calls so far */
    size_t fail_at; /* 1-based call that returns NULL; 0: never */
    bool fail_from; /* true: every call from fail_at on fails */
    size_t live_blocks;
    size_t live_bytes;
    size_t peak_bytes;
} test_mem;

void test_mem_init(test_mem *tm);

/* Aborts the test program with a message when blocks are still live. */
void test_mem_fini(test_mem *tm);

#endif
