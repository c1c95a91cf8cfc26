/* SPDX-License-Identifier: Apache-2.0 */
/* A program of scenarios: runs each with its seeds; a failure prints how to replay it.
 *
 *     program [--only NAME] [--seed S] [--seeds N] [--trace FILE|-]
 *
 * SY_SEED in the environment does what --seed does. */
#ifndef SY_TESTS_SIM_SCENARIO_H
#define SY_TESTS_SIM_SCENARIO_H

#include "tests/sim/sim.h"

typedef struct sim_scenario {
    const char *name;
    void (*run)(uint64_t seed);
    unsigned seeds; /* 1..seeds are run; 0: one run with seed 1 */
} sim_scenario;

int sim_main(int argc, char **argv, const sim_scenario *scenarios, size_t count);

/* What --trace asked for, for sim_options.trace; sim_options_default sets it. */
FILE *sim_trace_file(void);

/* What stands in the replay command. */
void sim_note_seed(uint64_t seed);

#endif
