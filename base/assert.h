/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions are for our own mistakes, errors (err.h) are for the outside world.
 *
 * SY_REQUIRE  all builds: the contract of a public function (misuse by the caller)
 * SY_ASSERT   all builds: internal invariants, O(1)
 * SY_VERIFY   checking builds (SY_CHECKS=1): expensive whole-structure checks, no side effects
 *
 * All three end in one process-wide handler that aborts by default.  Nothing that is derived from
 * a peer's bytes may be asserted before it was validated. */
#ifndef SWITCHYARD_ASSERT_H
#define SWITCHYARD_ASSERT_H

#include <switchyard/export.h>

SY_BEGIN_DECLS

/* Called with the failed condition; must not return (it may longjmp or throw a test failure). */
typedef void (*sy_assert_handler)(const char *kind, const char *condition, const char *file,
                                  int line);

/* Replaces the handler; NULL restores the default (a line on standard error, then abort).
 * Call it before any other thread uses the library. */
SY_API void sy_assert_set_handler(sy_assert_handler handler);

SY_API SY_NORETURN void sy_assert_failed(const char *kind, const char *condition, const char *file,
                                         int line);

#define SY_REQUIRE(cond)                                                                           \
    ((cond) ? (void)0 : sy_assert_failed("contract", #cond, __FILE__, __LINE__))
#define SY_ASSERT(cond)                                                                            \
    ((cond) ? (void)0 : sy_assert_failed("invariant", #cond, __FILE__, __LINE__))

#if defined(SY_CHECKS) && SY_CHECKS
#define SY_VERIFY(cond) ((cond) ? (void)0 : sy_assert_failed("verify", #cond, __FILE__, __LINE__))
#else
#define SY_VERIFY(cond) ((void)sizeof((cond) ? 1 : 0))
#endif

#define SY_UNREACHABLE() sy_assert_failed("unreachable", "reached", __FILE__, __LINE__)

SY_END_DECLS

#endif
