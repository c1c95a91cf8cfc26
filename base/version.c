/* SPDX-License-Identifier: Apache-2.0 */
#include <switchyard/version.h>

const char *sy_version(void) {
    return SY_VERSION_TEXT;
}

int sy_version_number(void) {
    return SY_VERSION_NUMBER;
}
