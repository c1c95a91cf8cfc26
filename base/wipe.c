/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wipe.h"

#include <sodium.h>

void sy_wipe(void *secret, size_t len) {
    sodium_memzero(secret, len);
}
