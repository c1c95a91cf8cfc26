/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mutant.h"

#include <stddef.h>
#include <string.h>

sy_mutant sy_mutant_active;

static const char *const names[SY_MUTANT_COUNT] = {
    [SY_MUTANT_NONE] = "",
#define SY_MUTANT_ROW(name, clause, profiles, groups) [SY_MUTANT_##name] = #name,
#include "base/mutants.def"
#undef SY_MUTANT_ROW
};

bool sy_mutant_choose(const char *name) {
    for (size_t i = 0; name != NULL && i < SY_MUTANT_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            sy_mutant_active = (sy_mutant)i;
            return true;
        }
    }
    return name == NULL;
}
