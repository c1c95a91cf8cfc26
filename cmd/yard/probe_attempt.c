/* SPDX-License-Identifier: Apache-2.0 */
/* One dial of a probe: a switch with one profile on a loop of its own, observed until it is
 * decided. The observer may not call the switch, so the ping is sent by a reactor without channels.
 */
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#include <switchyard/ev.h>
#include <switchyard/switch.h>

#include "cmd/yard/probe.h"

#define CLOSE_TIME_S 0.5 /* for the farewell after success */

typedef struct attempt {
    yard_probe *probe;
    const yard_attempt_plan *plan;
    const char *prefix;
    struct ev_loop *loop;
    sy_time step_at; /* when the step under way began */
    sy_stage stage;  /* reached */
    bool ended;
    bool up;
    yard_attempt_end end;
} attempt;

static void decide(attempt *at, yard_attempt_end end) {
    if (!at->ended) {
        at->ended = true;
        at->end = end;
        ev_break(at->loop, EVBREAK_ALL);
    }
}

static void step(attempt *at, const char *name, const char *more) {
    const sy_time now = yard_clock();
    char *full = yard_format("%s%s", at->prefix, name);
    yard_probe_step(at->probe, full, sy_time_since(now, at->step_at), more);
    free(full);
    at->step_at = now;
}

/* ---- What the switch reports ----------------------------------------------------------------- */

static void on_identity(attempt *at, const sy_event *event) {
    char id[SY_NODE_ID_TEXT_CAP];
    at->probe->has_id = true;
    at->probe->id = event->id;
    at->stage = SY_STAGE_NODE_INFO;
    sy_node_id_format(&event->id, id);
    step(at, "identity", id);
}

static void on_info(attempt *at, const sy_event *event) {
    at->probe->profile = at->plan->profile;
    yard_probe_learn(at->probe, event->info);
    at->stage = SY_STAGE_ADMISSION;
    char *more =
        yard_format("network \"%s\", version \"%s\"", at->probe->network, at->probe->version);
    step(at, "node_info", more);
    free(more);
    if (at->plan->only_learn && !at->plan->until_checked) {
        decide(at, YARD_ATTEMPT_LEARNED);
    }
}

static void on_up(attempt *at) {
    at->up = true;
    at->stage = SY_STAGE_OPEN;
    if (at->plan->only_learn && at->probe->channel_count > 0) {
        decide(at, YARD_ATTEMPT_LEARNED);
        return;
    }
    step(at, "checks", "");
}

static void observe(void *user, const sy_event *event, sy_time now) {
    attempt *at = user;
    (void)now;
    if (at->ended) {
        return;
    }
    switch (event->kind) {
    case SY_EVENT_DIALING:
        at->step_at = yard_clock();
        return;
    case SY_EVENT_CONNECTED:
        at->stage = SY_STAGE_HANDSHAKE;
        step(at, "connect", at->plan->profile);
        return;
    case SY_EVENT_IDENTITY:
        on_identity(at, event);
        return;
    case SY_EVENT_INFO:
        on_info(at, event);
        return;
    case SY_EVENT_PEER_UP:
        on_up(at);
        return;
    case SY_EVENT_CONFIRMED:
        return;
    case SY_EVENT_PONG:
        at->probe->rtt = event->rtt_ns;
        step(at, "ping", "");
        decide(at, YARD_ATTEMPT_ACCEPTED);
        return;
    case SY_EVENT_ENDED:
        at->probe->reason = *event->reason;
        at->probe->has_reason = true;
        decide(at, YARD_ATTEMPT_FAILED);
        return;
    }
}

static void on_peer_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    (void)reactor;
    (void)state;
    sy_peer_ping(peer, now);
}

static const sy_reactor_ops pinger = {
    .size = sizeof(sy_reactor_ops),
    .name = "probe",
    .peer_added = on_peer_added,
};

static void on_timeout(struct ev_loop *loop, ev_timer *watcher, int revents) {
    attempt *at = watcher->data;
    (void)loop;
    (void)revents;
    if (at->up) {
        yard_probe_fail(at->probe, SY_STAGE_OPEN, SY_ERR_PONG_TIMEOUT, "no answer to our ping");
    } else {
        yard_probe_fail(at->probe, at->stage, SY_ERR_HANDSHAKE_TIMEOUT, "no answer in time");
    }
    decide(at, YARD_ATTEMPT_FAILED);
}

/* ---- The dial -------------------------------------------------------------------------------- */

static void fill_settings(attempt *at, sy_settings *s) {
    const yard_probe *probe = at->probe;
    const yard_attempt_plan *plan = at->plan;
    sy_settings_default(s);
    s->node_key = probe->key;
    s->network = plan->network;
    s->moniker = "yard-probe";
    s->profiles[0] = plan->profile;
    s->profile_count = 1;
    s->plain_anywhere = true;
    s->handshake_timeout = plan->timeout;
    s->dial_timeout = plan->timeout < s->dial_timeout ? plan->timeout : s->dial_timeout;
    s->linger_timeout = 200 * SY_MSEC;
    s->observer = observe;
    s->observer_user = at;
    if (plan->mirror_versions) {
        s->version = probe->version[0] != '\0' ? probe->version : s->version;
        s->p2p_version = probe->p2p_version;
        s->block_version = probe->block_version;
        s->app_version = probe->app_version;
    }
    if (plan->mirror_channels) {
        s->extra_channels = probe->channels;
        s->extra_channel_count = probe->channel_count;
    }
}

static sy_err dial(attempt *at, sy_switch *sw, sy_ev *ev, sy_detail *detail) {
    sy_err err = sy_switch_add_reactor(sw, &pinger, at, detail);
    if (err == SY_OK) {
        err = sy_switch_start(sw, sy_ev_now(ev));
    }
    if (err != SY_OK) {
        return err;
    }
    /* The name was looked up already; one address at a time. */
    sy_addr addr = *at->probe->target;
    addr.is_ip = true;
    addr.endpoint = *at->plan->endpoint;
    addr.endpoint.port = addr.port;
    return sy_switch_dial(sw, &addr, SY_DIAL_ONCE, sy_ev_now(ev));
}

static void farewell(sy_switch *sw, sy_ev *ev, struct ev_loop *loop) {
    const sy_time until = sy_time_after(sy_ev_now(ev), (sy_duration)(CLOSE_TIME_S * 1e9));
    sy_switch_stop(sw, sy_ev_now(ev));
    while (!sy_switch_is_stopped(sw) && sy_ev_now(ev) < until) {
        (void)ev_run(loop, EVRUN_NOWAIT);
    }
}

static void run_switch(attempt *at, sy_switch *sw, sy_ev *ev) {
    sy_detail detail;
    ev_timer timeout;
    sy_detail_clear(&detail);
    sy_ev_attach(ev, sw);
    const sy_err err = dial(at, sw, ev, &detail);
    if (err != SY_OK) {
        yard_probe_fail(at->probe, SY_STAGE_CONNECT, err, detail.text);
        return;
    }
    ev_timer_init(&timeout, on_timeout, (double)at->plan->timeout / 1e9, 0.0);
    timeout.data = at;
    ev_timer_start(at->loop, &timeout);
    (void)ev_run(at->loop, 0);
    ev_timer_stop(at->loop, &timeout);
    farewell(sw, ev, at->loop);
}

yard_attempt_end yard_probe_attempt(yard_probe *probe, const yard_attempt_plan *plan,
                                    const char *prefix) {
    attempt at = {
        .probe = probe,
        .plan = plan,
        .prefix = prefix,
        .stage = SY_STAGE_CONNECT,
        .end = YARD_ATTEMPT_FAILED,
    };
    sy_settings settings;
    sy_detail detail;
    sy_ev *ev = NULL;
    sy_switch *sw = NULL;
    sy_detail_clear(&detail);
    at.loop = ev_loop_new(0);
    if (at.loop == NULL) {
        yard_probe_fail(probe, SY_STAGE_CONNECT, SY_ERR_SYSTEM, "no event loop");
        return YARD_ATTEMPT_FAILED;
    }
    fill_settings(&at, &settings);
    sy_err err = sy_ev_new(at.loop, NULL, &ev);
    if (err == SY_OK) {
        err = sy_switch_new(&settings, sy_ev_ops(), ev, &sw, &detail);
    }
    if (err == SY_OK) {
        run_switch(&at, sw, ev);
    } else {
        yard_probe_fail(probe, SY_STAGE_NODE_INFO, err, detail.text);
    }
    sy_switch_del(sw);
    sy_ev_del(ev);
    ev_loop_destroy(at.loop);
    return at.end;
}
