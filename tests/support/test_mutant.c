/* SPDX-License-Identifier: Apache-2.0 */
/* Before the first test: the deliberate fault that SY_MUTANT names (base/mutant.h). */
#include <stdio.h>
#include <stdlib.h>

#include "base/mutant.h"

__attribute__((constructor)) static void choose(void) {
    if (!sy_mutant_choose(getenv("SY_MUTANT"))) {
        (void)fprintf(stderr, "no mutant of the name that SY_MUTANT has\n");
        abort();
    }
}
