/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the library: of the headers as macros, of the code that runs as a function.  The
 * build reads its own version from here.
 *
 * Before 1.0 the soname (libswitchyard.so.0) stays while the ABI may change with the minor version;
 * from 1.0 on it changes with every change that breaks a program that was built before. */
#ifndef SWITCHYARD_VERSION_H
#define SWITCHYARD_VERSION_H

#include <switchyard/export.h>

SY_BEGIN_DECLS

#define SY_VERSION_MAJOR 0
#define SY_VERSION_MINOR 1
#define SY_VERSION_PATCH 0
#define SY_VERSION_TEXT  "0.1.0"

/* For comparisons: SY_VERSION_NUMBER >= SY_VERSION_OF(0, 2, 0). */
#define SY_VERSION_OF(major, minor, patch) ((major)*1000000 + (minor)*1000 + (patch))
#define SY_VERSION_NUMBER                  SY_VERSION_OF(0, 1, 0)

/* SY_VERSION_TEXT and SY_VERSION_NUMBER of the library that runs, which may be newer than the
 * headers.  Static.  Any thread. */
SY_API const char *sy_version(void);
SY_API int sy_version_number(void);

SY_END_DECLS

#endif
