/* SPDX-License-Identifier: Apache-2.0 */
/* A node while it runs, as `yard start` and `yard seed` make it; shared by the files that start it
 * (cmd_start.c) and that change it (reload.c). */
#ifndef YARD_RUNNER_H
#define YARD_RUNNER_H

#include <stdbool.h>

#include <ev.h>

#include <switchyard/echo.h>
#include <switchyard/ev.h>
#include <switchyard/switch.h>

#include "cmd/yard/args.h"
#include "cmd/yard/discovery.h"
#include "cmd/yard/log_sink.h"
#include "cmd/yard/mirror.h"
#include "cmd/yard/node_settings.h"

typedef struct yard_runner {
    const yard_args *args;
    bool seed;
    yard_config config; /* in effect */
    yard_node node;     /* the same */
    sy_node_key key;
    yard_log_sink sink;
    sy_log log;
    struct ev_loop *loop;
    sy_ev *ev;
    sy_switch *sw;
    sy_echo *echo;
    yard_discovery discovery;
    yard_mirror mirror;
    ev_timer on_mirror;
    unsigned mirror_dials;
    bool stopping;
    ev_signal on_term;
    ev_signal on_int;
    ev_signal on_hup;
    ev_stat on_bans; /* the file of bans changed */
    ev_timer stop_poll;
} yard_runner;

void yard_runner_say(yard_runner *run, sy_log_level level, const char *event, const char *text);

/* A sentence of the configuration ("PATH:LINE: p2p.laddr: ..."): the path is a field of its own and
 * the rest goes on in a second one, so that neither is cut where it says what is wrong. */
void yard_runner_say_config(yard_runner *run, sy_log_level level, const char *event,
                            const char *text);

/* Flags over the file over the defaults, and what a seed is when nobody says otherwise.  Made anew;
 * errors are in it. */
void yard_runner_read_config(const yard_runner *run, yard_config *ret_config);

/* The lists and the bans, for a switch that has not started; a damaged file of bans is set aside.
 * Complains. */
bool yard_runner_open_filter(yard_runner *run);

/* Takes up what has changed in the files: all of it, or nothing when something is wrong.  Logs what
 * it did. */
void yard_runner_reload(yard_runner *run);

/* A seed that says the versions of its network (mirror.h).  hear is for the observer of the switch:
 * what follows from it happens a moment later. */
void yard_runner_mirror_init(yard_runner *run);
void yard_runner_mirror_hear(yard_runner *run, const sy_event *event);
void yard_runner_mirror_stop(yard_runner *run);

/* From now on a change of the file of bans takes effect by itself. */
void yard_runner_watch_bans(yard_runner *run);
void yard_runner_unwatch_bans(yard_runner *run);

#endif
