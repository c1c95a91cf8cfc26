/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_contract.h"

#include <setjmp.h>
#include <stddef.h>

#include <switchyard/assert.h>

static jmp_buf back;
static const char *failed_kind;

static void jump_back(const char *kind, const char *condition, const char *file, int line) {
    (void)condition;
    (void)file;
    (void)line;
    failed_kind = kind;
    longjmp(back, 1);
}

const char *test_contract(void (*fn)(void *user), void *user) {
    failed_kind = NULL;
    sy_assert_set_handler(jump_back);
    if (setjmp(back) == 0) {
        fn(user);
    }
    sy_assert_set_handler(NULL);
    return failed_kind;
}
