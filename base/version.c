/* SPDX-License-Identifier: Apache-2.0 */
#include <switchyard/version.h>

#include <assert.h>

static_assert(SY_VERSION_NUMBER ==
                  SY_VERSION_OF(SY_VERSION_MAJOR, SY_VERSION_MINOR, SY_VERSION_PATCH),
              "the number is made of the three");

const char *sy_version(void) {
    return SY_VERSION_TEXT;
}

int sy_version_number(void) {
    return SY_VERSION_NUMBER;
}
