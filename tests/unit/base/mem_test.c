/* SPDX-License-Identifier: Apache-2.0 */
#include <switchyard/mem.h>

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/test_contract.h"
#include "tests/support/test_mem.h"

static bool all_bytes(const void *data, size_t len, uint8_t want) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != want) {
            return false;
        }
    }
    return true;
}

/* The same statements hold for the C library's allocator and for the one of the tests (whose new
 * memory is not zero). */
static void check_allocator(const sy_mem *mem, const char *name) {
    static const size_t sizes[] = {0, 1, 2, 7, 8, 63, 64, 65, 4096, 100001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const size_t size = sizes[i];
        uint8_t *a = sy_mem_zalloc(mem, size);
        uint8_t *b = sy_mem_zalloc(mem, size);
        cr_assert_not_null(a, "%s, size %zu", name, size);
        cr_assert_not_null(b, "%s, size %zu", name, size);
        cr_expect_neq(a, b, "%s, size %zu", name, size);
        cr_expect(all_bytes(a, size, 0), "%s, size %zu", name, size);
        cr_expect_eq((uintptr_t)a % _Alignof(max_align_t), 0, "%s, size %zu", name, size);

        memset(a, 0x5c, size);
        a = sy_mem_resize(mem, a, 2 * size + 1);
        cr_assert_not_null(a, "%s, size %zu", name, size);
        cr_expect(all_bytes(a, size, 0x5c), "%s, size %zu", name, size);
        a = sy_mem_resize(mem, a, size / 2);
        cr_assert_not_null(a, "%s, size %zu", name, size);
        cr_expect(all_bytes(a, size / 2, 0x5c), "%s, size %zu", name, size);

        sy_mem_release(mem, a);
        sy_mem_release(mem, b);
    }
    sy_mem_release(mem, NULL);
}

Test(mem, allocates_zeroed_distinct_and_aligned) {
    check_allocator(sy_mem_libc(), "libc");

    test_mem tm;
    test_mem_init(&tm);
    check_allocator(&tm.mem, "test_mem");
    test_mem_fini(&tm);
}

Test(mem, resize_of_null_allocates) {
    test_mem tm;
    test_mem_init(&tm);

    void *ptr = sy_mem_resize(&tm.mem, NULL, 10);

    cr_assert_not_null(ptr);
    cr_expect_eq(tm.live_blocks, 1);
    sy_mem_release(&tm.mem, ptr);
    test_mem_fini(&tm);
}

Test(mem, array_refuses_overflow) {
    static const struct {
        size_t count;
        size_t size;
        bool ok;
    } rows[] = {
        {3, 5, true},
        {0, 8, true},
        {8, 0, true},
        {0, 0, true},
        {SIZE_MAX, 0, true},
        {0, SIZE_MAX, true},
        {SIZE_MAX, 2, false},
        {2, SIZE_MAX, false},
        {SIZE_MAX / 2 + 1, 2, false},
        {SIZE_MAX / 16 + 1, 16, false},
        {SIZE_MAX, SIZE_MAX, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        test_mem tm;
        test_mem_init(&tm);

        uint8_t *ptr = sy_mem_zalloc_array(&tm.mem, rows[i].count, rows[i].size);

        cr_expect_eq(ptr != NULL, rows[i].ok, "row %zu", i);
        cr_expect_eq(tm.calls, rows[i].ok ? 1 : 0, "row %zu", i);
        if (ptr != NULL) {
            cr_expect(all_bytes(ptr, rows[i].count * rows[i].size, 0), "row %zu", i);
        }
        sy_mem_release(&tm.mem, ptr);
        test_mem_fini(&tm);
    }
}

Test(mem, failure_gives_null_and_keeps_the_old_block) {
    test_mem tm;
    test_mem_init(&tm);
    uint8_t *ptr = sy_mem_zalloc(&tm.mem, 4);
    cr_assert_not_null(ptr);
    memcpy(ptr, "abcd", 4);

    tm.fail_at = 2;
    tm.fail_from = true;

    cr_expect_null(sy_mem_resize(&tm.mem, ptr, 4096));
    cr_expect_null(sy_mem_zalloc(&tm.mem, 1));
    cr_expect_null(sy_mem_zalloc_array(&tm.mem, 1, 1));
    cr_expect_arr_eq(ptr, "abcd", 4);
    cr_expect_eq(tm.live_blocks, 1);
    cr_expect_eq(tm.live_bytes, 4);
    sy_mem_release(&tm.mem, ptr);
    test_mem_fini(&tm);
}

static void zalloc_without_mem(void *user) {
    (void)user;
    (void)!sy_mem_zalloc(NULL, 1);
}

Test(mem, an_allocator_is_required) {
    cr_expect_str_eq(test_contract(zalloc_without_mem, NULL), "contract");
}
