/* SPDX-License-Identifier: Apache-2.0 */
/* Wiping secrets. */
#ifndef SY_BASE_WIPE_H
#define SY_BASE_WIPE_H

#include <stddef.h>

/* Zeros len bytes in a way that the compiler cannot leave out. */
void sy_wipe(void *secret, size_t len);

#endif
