/* SPDX-License-Identifier: Apache-2.0 */
/* The dial table put to work: it says what to do next, this file does it and reports back.
 *
 * SPEC SW-36 SW-37 SW-39 SW-40 SW-44 */
#include "p2p/lookup.h"
#include "p2p/switch_internal.h"

#include <string.h>

#include <switchyard/assert.h>

static sy_reason connect_failure(sy_err code, const char *text) {
    sy_detail detail;
    sy_detail_set(&detail, "%s", text);
    return sy_reason_make(SY_STAGE_CONNECT, code, &detail);
}

static sy_err connect_to(sy_switch *sw, const sy_dial_step *step) {
    if (step->profile == &sy_profile_plain && !sw->settings.plain_anywhere &&
        !sy_endpoint_is_private(&step->endpoint)) {
        return SY_ERR_FILTERED;
    }
    sy_peer *link = sy_link_new(sw, true, &step->endpoint);
    if (link == NULL) {
        return SY_ERR_NOMEM;
    }
    link->dial = step->ref;
    link->profile = step->profile;
    link->has_id = step->addr->has_id;
    link->id = step->addr->id;
    sw->dialed_count++;
    const sy_event event = sy_link_event(link, SY_EVENT_DIALING);
    sy_switch_observe(sw, &event);
    sy_timers_set(&sw->timers, &link->deadline, sy_time_after(sw->now, sw->settings.dial_timeout));

    const sy_stream_ref ref = {link->slot, link->generation};
    const sy_err err = sw->ops.stream_connect(sw->driver, ref, &step->endpoint, &link->stream);
    if (err != SY_OK) {
        /* Reaped at the end of the turn, where the dial table hears of it. */
        link->stream = NULL;
        sy_link_end(link, err, NULL);
    }
    return SY_OK;
}

/* What a round dials, copied before the table may forget it. */
typedef struct dial_round {
    sy_dial_ref ref;
    sy_addr addr;
    bool known;
} dial_round;

static dial_round round_of(const sy_switch *sw, sy_dial_ref ref) {
    dial_round round = {.ref = ref};
    sy_dial_view view;
    if (sy_dial_table_get(&sw->dials, ref, &view)) {
        round.addr = *view.addr;
        round.known = true;
    }
    return round;
}

/* The round is over without a peer when the table waits, or has forgotten the target. */
static void report_if_over(sy_switch *sw, const dial_round *round, const sy_dial_step *step,
                           const sy_reason *reason) {
    sy_dial_view view;
    if (!round->known || step->kind != SY_DIAL_STEP_NONE ||
        (sy_dial_table_get(&sw->dials, round->ref, &view) && view.state != SY_TARGET_WAITING)) {
        return;
    }
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_reactor_slot *slot = &sw->reactors[i];
        if (slot->started && slot->ops->dial_failed != NULL) {
            slot->ops->dial_failed(slot->reactor, &round->addr, reason, sw->now);
            sy_reactor_refresh(sw, slot);
        }
    }
}

static void attempt_failed(sy_switch *sw, sy_dial_ref ref, const sy_reason *reason,
                           sy_dial_step *step) {
    const dial_round round = round_of(sw, ref);
    sy_dial_table_on_failed(&sw->dials, ref, reason, step, sw->now);
    report_if_over(sw, &round, step, reason);
}

static void names_found(sy_switch *sw, sy_dial_ref ref, const sy_endpoint *endpoints, size_t count,
                        sy_dial_step *step) {
    const dial_round round = round_of(sw, ref);
    const sy_reason reason = sy_reason_make(SY_STAGE_RESOLVE, SY_ERR_RESOLVE, NULL);
    sy_dial_table_on_resolved(&sw->dials, ref, endpoints, count, step, sw->now);
    report_if_over(sw, &round, step, &reason);
}

static void carry_out(sy_switch *sw, sy_dial_step *step) {
    while (step->kind != SY_DIAL_STEP_NONE && sw->state == SY_SWITCH_RUNNING) {
        const sy_dial_ref ref = step->ref;
        if (step->kind == SY_DIAL_STEP_RESOLVE) {
            if (sy_lookup_for_dial(sw, step->addr->host, ref) == SY_OK) {
                return;
            }
            names_found(sw, ref, NULL, 0, step);
            continue;
        }
        const sy_err err = connect_to(sw, step);
        if (err == SY_OK) {
            return;
        }
        const sy_reason reason = connect_failure(
            err, err == SY_ERR_FILTERED ? "the profile plain only dials private addresses" : "");
        attempt_failed(sw, ref, &reason, step);
    }
}

void sy_dialing_run(sy_switch *sw) {
    sy_dial_step step;
    while (sw->state == SY_SWITCH_RUNNING && sy_dial_table_take_due(&sw->dials, &step, sw->now)) {
        carry_out(sw, &step);
    }
}

void sy_dialing_on_resolved(sy_switch *sw, sy_dial_ref dial, const sy_endpoint *endpoints,
                            size_t count) {
    sy_dial_step step;
    if (count == 0) {
        sy_dial_view view;
        if (sy_dial_table_get(&sw->dials, dial, &view)) {
            const sy_reason reason = sy_reason_make(SY_STAGE_RESOLVE, SY_ERR_RESOLVE, NULL);
            const uint32_t in_a_row = sy_history_add(
                &sw->history, view.addr->has_id ? &view.addr->id : NULL, &reason, true, sw->now);
            if (in_a_row <= 2 || (in_a_row & (in_a_row - 1)) == 0) {
                SY_LOG(&sw->settings.log, SY_LOG_INFO, "switch", "dial_failed", sw->now,
                       SY_F_STR("host", view.addr->host), SY_F_STR("stage", "resolve"),
                       SY_F_STR("reason", "RESOLVE"), SY_F_U64("in_a_row", in_a_row));
            }
        }
    }
    names_found(sw, dial, endpoints, count, &step);
    carry_out(sw, &step);
}

void sy_dialing_on_link_up(sy_peer *link) {
    sy_dial_table_on_peer_open(&link->sw->dials, &link->id, link->dial, link->profile,
                               link->sw->now);
}

void sy_dialing_on_link_ended(sy_peer *link) {
    sy_switch *sw = link->sw;
    if (link->outbound && !link->was_up) {
        sy_dial_step step;
        attempt_failed(sw, link->dial, &link->reason, &step);
        carry_out(sw, &step);
    }
    /* Also when this one was no peer yet: it may have outlived the rival that was. */
    if (link->has_id && !sy_rivals_has_other(link)) {
        sy_dial_table_on_peer_closed(&sw->dials, &link->id, sw->now);
    }
}

sy_err sy_switch_dial(sy_switch *sw, const sy_addr *addr, sy_dial_kind kind, sy_time now) {
    sy_dial_ref ref;
    if (sw->state != SY_SWITCH_RUNNING) {
        return SY_ERR_STATE;
    }
    SY_REQUIRE(now >= sw->now);
    sw->now = now;
    static const sy_target_kind kinds[] = {
        [SY_DIAL_ONCE] = SY_TARGET_ONCE,
        [SY_DIAL_PERSISTENT] = SY_TARGET_PERSISTENT,
        [SY_DIAL_LEARNED] = SY_TARGET_LEARNED,
    };
    SY_REQUIRE((unsigned)kind < sizeof kinds / sizeof kinds[0]);
    const sy_err err = sy_dial_table_add(&sw->dials, addr, kinds[kind], &ref, now);
    if (err == SY_OK && kind == SY_DIAL_PERSISTENT) {
        sy_switch_refresh_limits(sw);
        const sy_peer *open = addr->has_id ? sy_switch_peer_by_id(sw, &addr->id) : NULL;
        if (open != NULL) {
            sy_dial_table_on_peer_open(&sw->dials, &open->id, (sy_dial_ref){0, 0}, open->profile,
                                       now);
        }
    }
    return err;
}

sy_err sy_switch_forget(sy_switch *sw, const sy_node_id *id, sy_time now) {
    sy_dial_view view;
    SY_REQUIRE(now >= sw->now);
    sw->now = now;
    if (!sy_dial_table_find(&sw->dials, id, &view)) {
        return SY_ERR_GONE;
    }
    const sy_err err = sy_dial_table_remove(&sw->dials, view.ref);
    sy_switch_refresh_limits(sw);
    return err;
}

void sy_switch_remember_profile(sy_switch *sw, const sy_node_id *id, const char *profile) {
    const sy_profile *known = sy_profile_by_name(profile, strlen(profile));
    for (size_t i = 0; i < sw->settings.profile_count; i++) {
        if (known != NULL && sw->profiles[i] == known) {
            sy_dial_table_remember(&sw->dials, id, known);
            return;
        }
    }
}
