/* SPDX-License-Identifier: Apache-2.0 */
/* Errors by class (SPEC ER-01).  One typed enum generated from err.def, so that names, values,
 * classes and texts cannot drift.  Callers branch on the class, tests assert the exact code.  Flow
 * control ("need more bytes", "nothing to send") is never an error.
 *
 * | range | class  | meaning                                  | what the switch does             |
 * | ----- | ------ | ---------------------------------------- | -------------------------------- |
 * | -1xx  | USAGE  | bad argument or configuration            | refuse, report                   |
 * | -2xx  | LOCAL  | memory, budget, file, system, admission  | drop the connection, no blame    |
 * | -3xx  | PEER   | violation, time-out, limit of the peer   | stop the peer, remember it       |
 * | -4xx  | CRYPTO | bad tag, bad signature, low-order point  | stop at once, send nothing       |
 * | -5xx  | CLOSED | orderly end                              | clean up                         |
 */
#ifndef SWITCHYARD_ERR_H
#define SWITCHYARD_ERR_H

#include <switchyard/export.h>

SY_BEGIN_DECLS

typedef enum sy_err {
    SY_OK = 0,
#define SY_ERR(name, value, class, text) SY_ERR_##name = (value),
#include <switchyard/err.def>
#undef SY_ERR
} sy_err;

typedef enum sy_err_class {
    SY_ERR_CLASS_OK = 0,
    SY_ERR_CLASS_USAGE = 1,
    SY_ERR_CLASS_LOCAL = 2,
    SY_ERR_CLASS_PEER = 3,
    SY_ERR_CLASS_CRYPTO = 4,
    SY_ERR_CLASS_CLOSED = 5,
} sy_err_class;

/* A sentence fragment in English, static; "unknown error" for a value outside the table.
 * Any thread. */
SY_API const char *sy_strerror(sy_err err);

/* The stable upper-case name without prefix ("FRAME_TAG"), static.  Any thread. */
SY_API const char *sy_err_name(sy_err err);

/* SY_ERR_CLASS_OK for SY_OK; a value outside the table has class USAGE.  Any thread. */
SY_API sy_err_class sy_err_class_of(sy_err err);

/* "usage", "local", "peer", "crypto", "closed", "ok"; static.  Any thread. */
SY_API const char *sy_err_class_name(sy_err_class err_class);

SY_END_DECLS

#endif
