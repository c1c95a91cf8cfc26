/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yardspec/cases.h"

#include <stdio.h>
#include <string.h>

#define CASES_MAX 512

static const spec_group *const groups[] = {
    &spec_group_framing,   &spec_group_ephemeral, &spec_group_auth,      &spec_group_frames,
    &spec_group_node_info, &spec_group_admission, &spec_group_limits,    &spec_group_dialer,
    &spec_group_packets,   &spec_group_mux,       &spec_group_pings,     &spec_group_pex,
    &spec_group_resources, &spec_group_deadlines, &spec_group_keepalive,
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
    if (spec_group_exists(one->id)) {
        spec_die("a case and a group have the name %s", one->id);
    }
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

#define QUICK_MS 5000

bool spec_row_is_slow(const spec_settings *settings, const spec_row *row) {
    return (row->flags & SPEC_F_SLOW) != 0 ||
           ((row->flags & SPEC_F_DEADLINE) != 0 && settings->handshake_ms >= QUICK_MS) ||
           ((row->flags & SPEC_F_KEEP) != 0 && settings->ping_ms + settings->pong_ms >= QUICK_MS);
}

/* A refusal that takes the whole node down is none.  A target that dials must come again; its
 * connection is kept for the next case. */
static bool is_alive(spec_run *run) {
    if (run->listen_fd >= 0) {
        run->next_fd = spec_accept(run);
        return run->next_fd >= 0;
    }
    spec_peer peer;
    spec_peer_init(&peer, run->target.profile, run->timeout_ms);
    const bool alive = spec_peer_connect(&peer, &run->target.endpoint);
    spec_peer_fini(&peer);
    return alive;
}

/* Why the case cannot be judged, or NULL. */
static const char *obstacle(const spec_run *run, const spec_row *row) {
    const spec_target *target = &run->target;
    if (run->gone) {
        return "the target has gone";
    }
    if (spec_row_is_slow(&run->settings, row) && !run->slow) {
        return "takes more than 5 s: --slow runs it";
    }
    if (((row->flags & SPEC_F_ECHO) != 0 || row->expect == SPEC_ECHO) && target->echo_count == 0) {
        return "no channel of the target echoes";
    }
    if ((row->flags & SPEC_F_HIGH) != 0 && spec_high_channel(run) == 0) {
        return "the target serves no channel from 80 on";
    }
    if ((row->flags & SPEC_F_PEX) != 0 && !spec_serves(run, 0)) {
        return "the target does not serve channel 00";
    }
    return NULL;
}

void spec_case_run(spec_run *run, const spec_case *one) {
    const spec_row *row = one->row;
    run->verdict = SPEC_UNDECIDED;
    run->sent[0] = '\0';
    run->detail[0] = '\0';
    const char *why = obstacle(run, row);
    if (why != NULL) {
        spec_skip(run, "%s", why);
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
    run->case_dials = run->dials;
    if (run->verdict != SPEC_SKIP && !is_alive(run)) {
        run->gone = true;
    }
    if (run->gone && run->verdict == SPEC_PASS) {
        run->verdict = SPEC_UNDECIDED;
        spec_fail(run, "that the node goes on", "%s",
                  run->listen_fd >= 0 ? "the node dials no more" : "the node no longer listens");
    }
    if (run->verdict == SPEC_UNDECIDED) {
        spec_die("case %s ended without a verdict", one->id);
    }
}
