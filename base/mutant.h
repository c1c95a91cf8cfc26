/* SPDX-License-Identifier: Apache-2.0 */
/* Deliberate faults, one of which a build of its own can switch on at start: tests/conformance
 * proves with them that yardspec sees what it should.  In every other build the macro is false and
 * nothing is left of it.  The list is in mutants.def. */
#ifndef SY_BASE_MUTANT_H
#define SY_BASE_MUTANT_H

#include <stdbool.h>

#if SY_MUTANTS

typedef enum sy_mutant {
    SY_MUTANT_NONE,
#define SY_MUTANT_ROW(name, clause, profiles, groups) SY_MUTANT_##name,
#include "base/mutants.def"
#undef SY_MUTANT_ROW
    SY_MUTANT_COUNT,
} sy_mutant;

extern sy_mutant sy_mutant_active;

/* Switches on the one with this name; NULL or empty: none.  false: there is none of that name. */
bool sy_mutant_choose(const char *name);

#define SY_MUTANT(name) (sy_mutant_active == SY_MUTANT_##name)

#else

#define SY_MUTANT(name) false

#endif

#endif
