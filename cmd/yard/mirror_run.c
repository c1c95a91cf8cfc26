/* SPDX-License-Identifier: Apache-2.0 */
/* A node that mirrors, while it runs. */
#include "cmd/yard/runner.h"

#define DIAL_S    0.5
#define DIALS_MAX 60

/* The dial that taught us has failed or soon will, for one of us named the wrong versions; while it
 * lasts another one is refused. */
static void dial_named(yard_runner *run) {
    const sy_err err = sy_switch_dial(run->sw, &run->mirror.from, SY_DIAL_ONCE, sy_ev_now(run->ev));
    if (err == SY_ERR_DUPLICATE_ID && run->mirror_dials++ < DIALS_MAX) {
        run->on_mirror.repeat = DIAL_S;
        ev_timer_again(run->loop, &run->on_mirror);
        return;
    }
    ev_timer_stop(run->loop, &run->on_mirror);
}

/* From now on we say what the named peer says. */
static void on_mirror(struct ev_loop *loop, ev_timer *watcher, int revents) {
    yard_runner *run = watcher->data;
    const yard_mirror *m = &run->mirror;
    char from[SY_ADDR_TEXT_CAP];
    (void)loop;
    (void)revents;
    if (run->stopping) {
        ev_timer_stop(run->loop, &run->on_mirror);
        return;
    }
    if (run->mirror_dials > 0) {
        dial_named(run);
        return;
    }
    (void)sy_addr_format(&m->from, from);
    SY_LOG(&run->log, SY_LOG_INFO, "yard", "versions_mirrored", sy_ev_now(run->ev),
           SY_F_STR("from", from), SY_F_U64("p2p", m->p2p_version),
           SY_F_U64("block", m->block_version), SY_F_U64("app", m->app_version));
    sy_switch_set_versions(run->sw, m->p2p_version, m->block_version, m->app_version);
    sy_pex_versions_known(run->discovery.pex);
    if (m->block_version != run->node.settings.block_version) {
        run->mirror_dials = 1;
        dial_named(run);
    }
}

void yard_runner_mirror_init(yard_runner *run) {
    yard_mirror_init(&run->mirror, &run->config, &run->node);
    ev_timer_init(&run->on_mirror, on_mirror, 0.0, 0.0);
    run->on_mirror.data = run;
}

void yard_runner_mirror_hear(yard_runner *run, const sy_event *event) {
    if (yard_mirror_hear(&run->mirror, event)) {
        ev_timer_start(run->loop, &run->on_mirror);
    }
}

void yard_runner_mirror_stop(yard_runner *run) {
    ev_timer_stop(run->loop, &run->on_mirror);
}
