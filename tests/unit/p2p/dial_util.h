/* SPDX-License-Identifier: Apache-2.0 */
/* A dial table with three profiles that are only names, and short words for what a switch does. */
#ifndef SY_TESTS_P2P_DIAL_UTIL_H
#define SY_TESTS_P2P_DIAL_UTIL_H

#include "p2p/dial_table.h"
#include "tests/support/test_mem.h"

extern const sy_profile dial_tendermint;
extern const sy_profile dial_cometbft;
extern const sy_profile dial_plain;

typedef struct dial_world {
    test_mem tm;
    sy_dial_table table;
    sy_dial_step step;
    sy_time now;
} dial_world;

/* names: "tendermint,plain" ... in the order to try. */
void dial_open(dial_world *w, const char *names, uint64_t seed);

/* Asserts that nothing is left. */
void dial_close(dial_world *w);

sy_node_id dial_id(uint64_t n);

/* "host:port" with the ID n, or without when n is 0. */
sy_addr dial_addr(uint64_t n, const char *host_port);

sy_err dial_add(dial_world *w, uint64_t n, const char *host_port, sy_target_kind kind,
                sy_dial_ref *ret_ref);

/* Moves the time to the next deadline and takes it; false when there is none. */
bool dial_next(dial_world *w);

/* Answers the look-up of the step with IPs 10.0.0.1 ... 10.0.0.count. */
void dial_resolved(dial_world *w, size_t count);

/* Ends the attempt of the step. */
void dial_fail(dial_world *w, sy_stage stage, sy_err code);
void dial_tcp_up(dial_world *w);

/* Last byte of the step's endpoint. */
unsigned dial_host(const dial_world *w);

/* The state of ID n; asserts that it is there. */
sy_dial_view dial_view(const dial_world *w, uint64_t n);
bool dial_has(const dial_world *w, uint64_t n);

#endif
