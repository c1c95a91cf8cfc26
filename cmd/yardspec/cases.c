/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yardspec/cases.h"

#include <stdio.h>
#include <string.h>

#define CASES_MAX 512

static const spec_group *const groups[] = {
    &spec_group_framing, &spec_group_ephemeral, &spec_group_auth,
    &spec_group_frames,  &spec_group_node_info, &spec_group_admission,
    &spec_group_packets, &spec_group_mux,       &spec_group_deadlines,
};

#define GROUPS (sizeof groups / sizeof groups[0])

static unsigned profiles_of(const spec_row *row) {
    if (row->run != NULL) {
        const unsigned only = row->flags & (SPEC_F_TM | SPEC_F_CB);
        return only == SPEC_F_TM ? SPEC_TENDERMINT : only == SPEC_F_CB ? SPEC_COMETBFT : SPEC_BOTH;
    }
    return (row->tm != NULL ? SPEC_TENDERMINT : 0u) | (row->cb != NULL ? SPEC_COMETBFT : 0u);
}

static void add(spec_case *cases, size_t *count, const spec_group *group, const spec_row *row,
                unsigned profiles) {
    if (*count == CASES_MAX) {
        spec_die("more than %d cases", CASES_MAX);
    }
    spec_case *one = &cases[(*count)++];
    *one = (spec_case){.clause = row->clause, .group = group, .row = row, .profiles = profiles};
    if (profiles == SPEC_COMETBFT && row->clause_cb != NULL) {
        one->clause = row->clause_cb;
    }
    (void)snprintf(one->id, sizeof one->id, "%s%s",
                   profiles == SPEC_TENDERMINT ? "tm-"
                   : profiles == SPEC_COMETBFT ? "cb-"
                                               : "",
                   row->id);
    for (size_t i = 0; i + 1 < *count; i++) {
        if (strcmp(cases[i].id, one->id) == 0) {
            spec_die("two cases have the id %s", one->id);
        }
    }
}

const spec_case *spec_cases(size_t *ret_count) {
    static spec_case cases[CASES_MAX];
    static size_t count;
    for (size_t g = 0; count == 0 || g > 0; g++) {
        if (g == GROUPS) {
            break;
        }
        for (size_t i = 0; i < groups[g]->count; i++) {
            const spec_row *row = &groups[g]->rows[i];
            const unsigned profiles = profiles_of(row);
            if (profiles == SPEC_BOTH && row->clause_cb != NULL) {
                add(cases, &count, groups[g], row, SPEC_TENDERMINT);
                add(cases, &count, groups[g], row, SPEC_COMETBFT);
            } else {
                add(cases, &count, groups[g], row, profiles);
            }
        }
    }
    *ret_count = count;
    return cases;
}

const spec_case *spec_case_find(const char *id) {
    size_t count = 0;
    const spec_case *cases = spec_cases(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cases[i].id, id) == 0) {
            return &cases[i];
        }
    }
    return NULL;
}

bool spec_group_exists(const char *name) {
    for (size_t g = 0; g < GROUPS; g++) {
        if (strcmp(groups[g]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A refusal that takes the whole node down is none. */
static void check_alive(spec_run *run) {
    spec_peer peer;
    spec_peer_init(&peer, run->target.profile, run->timeout_ms);
    if (run->verdict == SPEC_PASS && !spec_peer_connect(&peer, &run->target.endpoint)) {
        run->verdict = SPEC_UNDECIDED;
        spec_fail(run, "that the node goes on", "the node no longer listens");
    }
    spec_peer_fini(&peer);
}

void spec_case_run(spec_run *run, const spec_case *one) {
    const spec_row *row = one->row;
    run->verdict = SPEC_UNDECIDED;
    run->sent[0] = '\0';
    run->detail[0] = '\0';
    if ((row->flags & SPEC_F_SLOW) != 0 && !run->slow) {
        spec_skip(run, "takes more than 5 s: --slow runs it");
    } else if (((row->flags & SPEC_F_ECHO) != 0 || row->expect == SPEC_ECHO) &&
               run->target.echo_count == 0) {
        spec_skip(run, "no channel of the target echoes");
    } else if (row->run != NULL) {
        row->run(run, row);
    } else {
        one->group->run(run, row, run->target.profile == SPEC_TENDERMINT ? row->tm : row->cb);
    }
    run->port_count = run->peer_count;
    for (size_t i = 0; i < run->peer_count; i++) {
        run->ports[i] = run->peers[i].port;
        spec_peer_fini(&run->peers[i]);
    }
    run->peer_count = 0;
    check_alive(run);
    if (run->verdict == SPEC_UNDECIDED) {
        spec_die("case %s ended without a verdict", one->id);
    }
}
