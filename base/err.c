/* SPDX-License-Identifier: Apache-2.0 */
/* The look-ups over err.def.  Each is one switch generated from the table, so that a value given
 * twice does not compile; the asserts below do the same for a value outside its class. */
#include <switchyard/err.h>

#include <assert.h>

#define SY_ERR(name, value, class, text)                                                           \
    static_assert((value) <= -100 * SY_ERR_CLASS_##class &&                                        \
                      (value) > -100 * (SY_ERR_CLASS_##class + 1),                                 \
                  "SY_ERR_" #name " is outside the hundred of its class");
#include <switchyard/err.def>
#undef SY_ERR

const char *sy_strerror(sy_err err) {
    switch ((int)err) {
    case SY_OK:
        return "ok";
#define SY_ERR(name, value, class, text)                                                           \
    case (value):                                                                                  \
        return text;
#include <switchyard/err.def>
#undef SY_ERR
    }
    return "unknown error";
}

const char *sy_err_name(sy_err err) {
    switch ((int)err) {
    case SY_OK:
        return "OK";
#define SY_ERR(name, value, class, text)                                                           \
    case (value):                                                                                  \
        return #name;
#include <switchyard/err.def>
#undef SY_ERR
    }
    return "UNKNOWN";
}

sy_err_class sy_err_class_of(sy_err err) {
    switch ((int)err) {
    case SY_OK:
        return SY_ERR_CLASS_OK;
#define SY_ERR(name, value, class, text)                                                           \
    case (value):                                                                                  \
        return SY_ERR_CLASS_##class;
#include <switchyard/err.def>
#undef SY_ERR
    }
    return SY_ERR_CLASS_USAGE;
}

const char *sy_err_class_name(sy_err_class err_class) {
    switch (err_class) {
    case SY_ERR_CLASS_OK:
        return "ok";
    case SY_ERR_CLASS_USAGE:
        return "usage";
    case SY_ERR_CLASS_LOCAL:
        return "local";
    case SY_ERR_CLASS_PEER:
        return "peer";
    case SY_ERR_CLASS_CRYPTO:
        return "crypto";
    case SY_ERR_CLASS_CLOSED:
        return "closed";
    }
    return "unknown";
}
