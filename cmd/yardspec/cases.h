/* SPDX-License-Identifier: Apache-2.0 */
/* Cases.  A case is a row of its group's table.  Where bytes and a verdict say it all, the row has
 * templates (bytes.h) for the profiles that it applies to, and the group's own function sends them
 * at the group's stage; else the row names a function.
 *
 * To add one: add a row.  Its id never changes its meaning.  A row with two clauses, or for one
 * profile only, is listed with "tm-" or "cb-" in front of its id. */
#ifndef YARDSPEC_CASES_H
#define YARDSPEC_CASES_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/yardspec/run.h"

/* In the tables of cases what a row does not say is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

typedef enum spec_expect {
    SPEC_REFUSE, /* the connection is closed */
    SPEC_ACCEPT, /* a ping after it is answered */
    SPEC_ECHO,   /* `data` comes back on the echo channel */
} spec_expect;

#define SPEC_F_HOLD     1u    /* send nothing after it */
#define SPEC_F_SHUT     2u    /* then end our half */
#define SPEC_F_SLOW     4u    /* more than 5 s */
#define SPEC_F_TM       8u    /* a function for this profile only */
#define SPEC_F_CB       16u   /* ... */
#define SPEC_F_ECHO     32u   /* needs a channel that echoes */
#define SPEC_F_DIAL     64u   /* only when we dial */
#define SPEC_F_LISTEN   128u  /* only when the target dials */
#define SPEC_F_DEADLINE 256u  /* takes about handshake_timeout */
#define SPEC_F_KEEP     512u  /* takes about ping_interval and pong_timeout */
#define SPEC_F_HIGH     1024u /* needs a channel from 80 on */
#define SPEC_F_PEX      2048u /* needs channel 00 */

typedef struct spec_row {
    const char *id;
    const char *clause;    /* of both profiles, or of tendermint when the next is there */
    const char *clause_cb; /* of cometbft */
    const char *title;
    const char *tm; /* templates; NULL: not for this profile */
    const char *cb;
    spec_expect expect;
    unsigned flags;
    const char *data; /* ECHO: template of the message that comes back */
    void (*run)(spec_run *run, const struct spec_row *row);
    long arg;
} spec_row;

typedef struct spec_group {
    const char *name;
    const spec_row *rows;
    size_t count;
    void (*run)(spec_run *run, const spec_row *row, const char *bytes);
} spec_group;

/* One case for one profile or for both. */
typedef struct spec_case {
    char id[64];
    const char *clause;
    const spec_group *group;
    const spec_row *row;
    unsigned profiles;
} spec_case;

extern const spec_group spec_group_framing;
extern const spec_group spec_group_ephemeral;
extern const spec_group spec_group_auth;
extern const spec_group spec_group_frames;
extern const spec_group spec_group_node_info;
extern const spec_group spec_group_admission;
extern const spec_group spec_group_limits;
extern const spec_group spec_group_dialer;
extern const spec_group spec_group_packets;
extern const spec_group spec_group_mux;
extern const spec_group spec_group_pings;
extern const spec_group spec_group_pex;
extern const spec_group spec_group_resources;
extern const spec_group spec_group_deadlines;
extern const spec_group spec_group_keepalive;

/* Whether a row takes more than 5 s with what is known of the target's settings. */
bool spec_row_is_slow(const spec_settings *settings, const spec_row *row);

/* All cases in their order; a static table. */
const spec_case *spec_cases(size_t *ret_count);
const spec_case *spec_case_find(const char *id);
bool spec_group_exists(const char *name);

/* A refusal that must not wait for what follows is told from a deadline of the target's handshake
 * (3 s upstream) by waiting less. */
static inline void spec_hold(spec_peer *peer, const spec_row *row) {
    if ((row->flags & SPEC_F_HOLD) != 0) {
        peer->timeout_ms /= 2;
    }
}

/* Runs one; run->verdict and run->detail tell.  Closes its connections. */
void spec_case_run(spec_run *run, const spec_case *one);

/* The documented deviation of a real version that this failure is, or NULL. */
const char *spec_deviation(const spec_target *target, const spec_case *one);

#endif
