/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver reports about streams: each goes to the connection that it names, or to the
 * application's. */
#include "base/mutant.h"
#include "p2p/app.h"

#include <stddef.h>

#include <switchyard/assert.h>

#define CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static void notice_time(sy_switch *sw, sy_time now) {
    SY_ASSERT(now != SY_NEVER);
    SY_REQUIRE(now >= sw->now);
    sw->now = now;
}

static void refuse_at_accept(sy_switch *sw, const sy_endpoint *remote, sy_err code,
                             const sy_detail *detail) {
    const sy_reason reason = sy_reason_make(SY_STAGE_CONNECT, code, detail);
    (void)sy_history_add(&sw->history, NULL, &reason, false, sw->now);
    sy_log_refusal(sw, "connection_refused", NULL, remote, false, "", &reason, 1);
}

/* SPEC SW-21 SW-22: the newcomer is taken, the oldest of the fullest prefix leaves. */
static void enter_pending(sy_peer *link) {
    sy_switch *sw = link->sw;
    sy_pending_entry *victim = sy_pending_add(&sw->pending, &link->pending, &link->remote);
    link->in_pending = true;
    if (victim != NULL) {
        sy_detail detail;
        sy_peer *old = CONTAINER(victim, sy_peer, pending);
        old->in_pending = false;
        sy_detail_set(&detail, "%zu handshakes in progress", sw->settings.max_pending);
        sy_link_end(old, SY_ERR_ADMIT_PENDING, &detail);
    }
}

sy_err sy_switch_on_accepted(sy_switch *sw, void *stream, const sy_endpoint *local,
                             const sy_endpoint *remote, sy_stream_ref *ret_ref, sy_time now) {
    notice_time(sw, now);
    sw->accepted_count++;
    if (sw->state != SY_SWITCH_RUNNING) {
        return SY_ERR_SHUTDOWN;
    }
    sy_detail detail;
    const sy_err refused =
        sy_gate_check(&sw->gate, NULL, remote, sy_switch_walltime(sw), &detail); /* SPEC FL-04 */
    if (refused != SY_OK) {
        refuse_at_accept(sw, remote, refused, &detail);
        return refused;
    }
    sy_peer *link = sy_link_new(sw, false, remote);
    if (link == NULL) {
        refuse_at_accept(sw, remote, SY_ERR_NOMEM, NULL);
        return SY_ERR_NOMEM;
    }
    link->local = *local;
    link->stream = stream;
    *ret_ref = (sy_stream_ref){link->slot, link->generation};
    sy_timers_set(
        &sw->timers, &link->deadline,
        sy_time_after(now, sw->settings.handshake_timeout / (SY_MUTANT(DEADLINE_EARLY) ? 2 : 1)));
    enter_pending(link);
    const sy_event event = sy_link_event(link, SY_EVENT_CONNECTED);
    sy_switch_observe(sw, &event);

    sy_link_ask(link, SY_ASK_ADDR); /* SPEC FL-14: goes on in begin_inbound, at once or later */
    return SY_OK;
}

void sy_switch_on_connected(sy_switch *sw, sy_stream_ref ref, const sy_endpoint *local,
                            sy_time now) {
    notice_time(sw, now);
    if (sy_app_owns(sw, ref)) {
        sy_app_on_connected(sw);
        return;
    }
    sy_peer *link = sy_link_of_ref(sw, ref);
    if (link == NULL || link->state != SY_LINK_CONNECTING) {
        return;
    }
    link->local = *local;
    sy_detail detail;
    const sy_err refused = sy_link_check_gate(link, &detail); /* SPEC FL-04 */
    if (refused != SY_OK) {
        sy_link_end(link, refused, &detail);
        return;
    }
    sy_own_addr_on_connected(sw, local);
    sy_dial_table_on_connected(&sw->dials, link->dial, now);
    sy_timers_set(
        &sw->timers, &link->deadline,
        sy_time_after(now, sw->settings.handshake_timeout / (SY_MUTANT(DEADLINE_EARLY) ? 2 : 1)));
    const sy_event event = sy_link_event(link, SY_EVENT_CONNECTED);
    sy_switch_observe(sw, &event);
    sy_link_ask(link, SY_ASK_ADDR); /* SPEC FL-14 */
}

void sy_switch_on_connect_failed(sy_switch *sw, sy_stream_ref ref, sy_err err,
                                 const sy_detail *detail, sy_time now) {
    notice_time(sw, now);
    if (sy_app_owns(sw, ref)) {
        sy_app_on_connect_failed(sw, err, detail);
        return;
    }
    sy_peer *link = ref.slot < sw->slot_count ? sw->slots[ref.slot] : NULL;
    if (link != NULL && link->generation == ref.generation) {
        link->stream = NULL; /* gone, also when the link was ended before the report came */
        sy_link_end(link, err, detail);
    }
}

bool sy_switch_on_readable(sy_switch *sw, sy_stream_ref ref, const uint8_t *data, size_t len,
                           sy_time now) {
    notice_time(sw, now);
    if (sy_app_owns(sw, ref)) {
        return sy_app_on_readable(sw, data, len);
    }
    sy_peer *link = sy_link_of_ref(sw, ref);
    if (link == NULL) {
        return false;
    }
    link->bytes_received += len;
    sy_link_feed(link, data, len);
    return link->state != SY_LINK_DEAD && link->reading;
}

void sy_switch_on_read_dry(sy_switch *sw, sy_stream_ref ref, sy_time now) {
    notice_time(sw, now);
    sy_peer *link = sy_link_of_ref(sw, ref);
    sy_mux *mux = link == NULL || link->session == NULL ? NULL : sy_session_mux(link->session);
    if (mux == NULL) {
        return;
    }
    const sy_err err = sy_mux_on_read_dry(mux, now);
    if (err != SY_OK) {
        sy_link_end(link, err, NULL);
        return;
    }
    sy_link_refresh_clock(link);
}

void sy_switch_on_read_end(sy_switch *sw, sy_stream_ref ref, sy_err err, sy_time now) {
    notice_time(sw, now);
    if (sy_app_owns(sw, ref)) {
        sy_app_on_read_end(sw, err);
        return;
    }
    sy_peer *link = sy_link_of_ref(sw, ref);
    if (link == NULL) {
        return;
    }
    link->read_ended = true;
    link->reading = false;
    if (err != SY_ERR_REMOTE_CLOSED || link->state == SY_LINK_FLUSHING) {
        sy_detail detail;
        sy_detail_set(&detail, "during %s, after %llu bytes", sy_stage_name(sy_link_stage(link)),
                      (unsigned long long)link->bytes_received);
        sy_link_end(link, err, &detail);
        return;
    }
    if (link->backlog.len == 0 && link->held_first == NULL) {
        sy_link_on_all_read(link);
    }
}

void sy_switch_on_writable(sy_switch *sw, sy_stream_ref ref, sy_time now) {
    notice_time(sw, now);
    if (sy_app_owns(sw, ref)) {
        sy_app_on_writable(sw);
        return;
    }
    sy_peer *link = sy_link_of_ref(sw, ref);
    if (link != NULL) {
        link->write_blocked = false;
        sy_link_mark_dirty(link);
    }
}
