/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the simulator under short names, for unit tests that look into a switch. */
#ifndef SY_TESTS_SIM_INTERNAL_H
#define SY_TESTS_SIM_INTERNAL_H

#include "sim/sim_internal.h"
#include "tests/sim/sim.h"

#define sim_driver_ops sy_sim_driver_ops
#define sim_wake       sy_sim_wake

#endif
