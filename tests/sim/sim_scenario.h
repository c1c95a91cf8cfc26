/* SPDX-License-Identifier: Apache-2.0 */
/* A program of scenarios: runs each with its seeds; a failure prints how to replay it.
 *
 *     program [--only NAME] [--seed S] [--seeds N] [--from S] [--trace FILE|-]
 *
 * --seeds runs so many, from 1 or from --from on.  SY_SEED in the environment does what --seed
 * does.  For each scenario a line is printed that ends with trace=<hex>, the same in every run with
 * the same seeds. */
#ifndef SY_TESTS_SIM_SCENARIO_H
#define SY_TESTS_SIM_SCENARIO_H

#include "tests/sim/sim.h"

typedef struct sim_scenario {
    const char *name;
    void (*run)(uint64_t seed);
    unsigned seeds; /* 1..seeds are run; 0: one run with seed 1 */
} sim_scenario;

int sim_main(int argc, char **argv, const sim_scenario *scenarios, size_t count);

/* What --trace asked for; NULL: nothing. */
FILE *sim_trace_file(void);

/* The hash of the run that sim_net_del ended last; the hash over all runs of a scenario stands at
 * the end of its line. */
const char *sim_last_hash(void);

#endif
