/* SPDX-License-Identifier: Apache-2.0 */
/* The dial table put to work: it says what to do next, this file does it and reports back.
 *
 * SPEC SW-36 SW-37 SW-39 SW-40 SW-44 */
#include "p2p/switch_internal.h"

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

static void carry_out(sy_switch *sw, sy_dial_step *step) {
    while (step->kind != SY_DIAL_STEP_NONE && sw->state == SY_SWITCH_RUNNING) {
        const sy_dial_ref ref = step->ref;
        if (step->kind == SY_DIAL_STEP_RESOLVE) {
            if (sy_lookup_for_dial(sw, step->addr->host, ref) == SY_OK) {
                return;
            }
            sy_dial_table_on_resolved(&sw->dials, ref, NULL, 0, step, sw->now);
            continue;
        }
        const sy_err err = connect_to(sw, step);
        if (err == SY_OK) {
            return;
        }
        const sy_reason reason = connect_failure(
            err, err == SY_ERR_FILTERED ? "the profile plain only dials private addresses" : "");
        sy_dial_table_on_failed(&sw->dials, ref, &reason, step, sw->now);
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
    sy_dial_table_on_resolved(&sw->dials, dial, endpoints, count, &step, sw->now);
    carry_out(sw, &step);
}

void sy_dialing_on_link_up(sy_peer *link) {
    sy_dial_table_on_peer_open(&link->sw->dials, &link->id, link->dial, link->profile,
                               link->sw->now);
}

void sy_dialing_on_link_ended(sy_peer *link) {
    sy_switch *sw = link->sw;
    if (link->was_up) {
        /* A rival that takes over keeps the ID connected. */
        if (link->rival == SY_SLOT_NONE) {
            sy_dial_table_on_peer_closed(&sw->dials, &link->id, sw->now);
        }
        return;
    }
    if (!link->outbound) {
        return;
    }
    sy_dial_step step;
    sy_dial_table_on_failed(&sw->dials, link->dial, &link->reason, &step, sw->now);
    carry_out(sw, &step);
}

sy_err sy_switch_dial(sy_switch *sw, const sy_addr *addr, sy_dial_kind kind, sy_time now) {
    sy_dial_ref ref;
    if (sw->state != SY_SWITCH_RUNNING) {
        return SY_ERR_STATE;
    }
    SY_REQUIRE(now >= sw->now);
    sw->now = now;
    const sy_err err = sy_dial_table_add(
        &sw->dials, addr, kind == SY_DIAL_PERSISTENT ? SY_TARGET_PERSISTENT : SY_TARGET_ONCE, &ref,
        now);
    if (err == SY_OK && kind == SY_DIAL_PERSISTENT) {
        sy_switch_refresh_limits(sw);
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
