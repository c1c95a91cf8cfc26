/* SPDX-License-Identifier: Apache-2.0 */
/* The one handler that every failed assertion ends in.  The default is the only place of the
 * library that writes to standard error or ends the process. */
#include <switchyard/assert.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static void print_and_abort(const char *kind, const char *condition, const char *file, int line) {
    (void)fprintf(stderr, "switchyard: %s failed: %s (%s:%d)\n", kind, condition, file, line);
    abort();
}

static sy_assert_handler current = print_and_abort;

void sy_assert_set_handler(sy_assert_handler handler) {
    current = handler != NULL ? handler : print_and_abort;
}

void sy_assert_failed(const char *kind, const char *condition, const char *file, int line) {
    current(kind, condition, file, line);
    /* A handler that returns broke its contract; going on with a broken invariant is worse. */
    print_and_abort(kind, condition, file, line);
    abort();
}
