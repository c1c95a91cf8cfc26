/* SPDX-License-Identifier: Apache-2.0 */
/* SY_VERIFY as a release build sees it. */
#undef SY_CHECKS
#define SY_CHECKS 0
#include <switchyard/assert.h>

int unchecked_verify(void);

int unchecked_verify(void) {
    int evaluated = 0;
    SY_VERIFY(++evaluated > 1);
    return evaluated;
}
