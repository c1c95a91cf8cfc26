/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler glue shared by every public header: visibility, language linkage, must-use. */
#ifndef SWITCHYARD_EXPORT_H
#define SWITCHYARD_EXPORT_H

#ifdef __cplusplus
#define SY_BEGIN_DECLS extern "C" {
#define SY_END_DECLS   }
#else
#define SY_BEGIN_DECLS
#define SY_END_DECLS
#endif

#if defined(__GNUC__)
#define SY_API          __attribute__((visibility("default")))
#define SY_MUST_USE     __attribute__((warn_unused_result))
#define SY_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define SY_NORETURN     __attribute__((noreturn))
#else
#define SY_API
#define SY_MUST_USE
#define SY_PRINTF(f, a)
#define SY_NORETURN
#endif

#endif
