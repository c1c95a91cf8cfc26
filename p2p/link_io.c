/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in and out of a connection.  Received bytes go to the session until it takes no more; what
 * it leaves (not accepted yet, receive rate) is kept and reading stops.  Sends are collected and
 * drained once per turn: at most SY_FLUSH_BATCHES batches for one connection, so that none starves
 * the rest. */
#include "p2p/isolated.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"

static void set_reading(sy_peer *link, bool on) {
    if (link->reading != on && link->stream != NULL && !link->read_ended) {
        link->reading = on;
        link->sw->ops.stream_set_reading(link->sw->driver, link->stream, on);
    }
}

/* The session may be run. */
static bool is_live(const sy_peer *link) {
    return link->state == SY_LINK_HANDSHAKE || link->state == SY_LINK_NODE_INFO ||
           link->state == SY_LINK_PARKED || link->state == SY_LINK_UP;
}

/* New bytes may be given to it: a parked connection that holds messages takes no more. */
static bool takes_input(const sy_peer *link) {
    return is_live(link) && link->pauses == 0 &&
           !(link->state == SY_LINK_PARKED && link->held_first != NULL);
}

static void note_packets(sy_peer *link) {
    sy_switch *sw = link->sw;
    const sy_mux *mux = link->session == NULL ? NULL : sy_session_mux(link->session);
    sy_mux_stats stats;

    if (mux == NULL || !sy_mux_has_received(mux) || link->has_reason) {
        return;
    }
    sy_mux_get_stats(mux, &stats);
    if (stats.rtt_ns != link->last_rtt) {
        link->last_rtt = stats.rtt_ns;
        sy_event event = sy_link_event(link, SY_EVENT_PONG);
        event.rtt_ns = stats.rtt_ns;
        sy_switch_observe(sw, &event);
        sy_isolated_note_rtt(link);
    }
    if (!link->reported_confirmed && link->state == SY_LINK_UP) {
        link->reported_confirmed = true;
        const sy_event event = sy_link_event(link, SY_EVENT_CONFIRMED);
        sy_switch_observe(sw, &event);
    }
}

/* One call of the session for as long as it has something to say: messages that it has completed
 * are views into memory of the loop and must be taken now.  Returns the bytes taken. */
static size_t run_session(sy_peer *link, const uint8_t *data, size_t len) {
    sy_switch *sw = link->sw;
    size_t taken = 0;

    SY_ASSERT(!link->feeding);
    link->feeding = true;
    while (is_live(link)) {
        sy_session_event event;
        sy_detail detail;
        size_t used = 0;
        const size_t offered = takes_input(link) ? len - taken : 0;
        sy_detail_clear(&detail);
        const sy_err err = sy_session_recv(link->session, offered == 0 ? NULL : data + taken,
                                           offered, &used, &event, &detail, sw->now);
        if (err != SY_OK) {
            sy_link_end(link, err, &detail);
            taken = len;
            break;
        }
        taken += used;
        if (event.kind == SY_SESSION_NONE && (taken == len || used == 0)) {
            break;
        }
        sy_link_on_event(link, &event);
    }
    link->feeding = false;
    return taken;
}

static void keep(sy_peer *link, const uint8_t *data, size_t len) {
    if (len == 0 || link->state == SY_LINK_DEAD || link->state == SY_LINK_FLUSHING) {
        return;
    }
    const sy_err err = sy_buf_append(&link->backlog, data, len);
    if (err != SY_OK) {
        sy_link_end(link, err, NULL);
        return;
    }
    set_reading(link, false);
}

static void after_input(sy_peer *link) {
    const sy_mux *mux = link->session == NULL ? NULL : sy_session_mux(link->session);
    if (link->rival != SY_SLOT_NONE && mux != NULL && !link->confirmed) {
        sy_mux_stats stats;
        sy_mux_get_stats(mux, &stats);
        if (stats.packets_received > link->packets_when_parked) {
            link->confirmed = true;
            sy_rivals_on_packet(link);
        }
    }
    note_packets(link);
    if (link->state != SY_LINK_DEAD && link->session != NULL) {
        sy_link_mark_dirty(link);
        sy_link_refresh_clock(link);
    }
}

/* SPEC PL-05: the profiles that this remote may speak, in order; returns how many. */
static size_t allowed_profiles(const sy_peer *link, const sy_profile *allowed[SY_PROFILES_MAX]) {
    const sy_switch *sw = link->sw;
    const bool plain_too = sw->settings.plain_anywhere || sy_endpoint_is_private(&link->remote);
    size_t count = 0;
    for (size_t i = 0; i < sw->settings.profile_count; i++) {
        if (sw->profiles[i] != &sy_profile_plain || plain_too) {
            allowed[count++] = sw->profiles[i];
        }
    }
    return count;
}

/* SPEC PR-02: with one profile there is nothing to recognise, and we need not wait for their first
 * byte. */
void sy_link_begin_inbound(sy_peer *link) {
    const sy_profile *allowed[SY_PROFILES_MAX];
    const size_t count = allowed_profiles(link, allowed);
    if (count == 0) {
        sy_detail detail;
        sy_detail_set(&detail, "the profile plain only serves private addresses");
        sy_link_end(link, SY_ERR_PROFILE_UNKNOWN, &detail);
        return;
    }
    if (link->sw->settings.profile_count > 1) {
        return;
    }
    const sy_err err = sy_link_begin_session(link, allowed[0]);
    if (err != SY_OK) {
        sy_link_end(link, err, NULL);
    }
}

static void recognize(sy_peer *link, const uint8_t *data, size_t len) {
    const sy_profile *allowed[SY_PROFILES_MAX];
    const size_t allowed_count = allowed_profiles(link, allowed);
    const sy_profile *profile = NULL;
    sy_detail detail;
    sy_detail_clear(&detail);

    /* All that fits is shown at once, so that a refusal can say more than one byte. */
    const size_t room = sizeof link->hello - link->hello_len;
    const size_t used = len < room ? len : room;
    memcpy(link->hello + link->hello_len, data, used);
    link->hello_len = (uint8_t)(link->hello_len + used);
    const sy_err unknown = sy_profile_recognize(allowed, allowed_count, link->hello,
                                                link->hello_len, &profile, &detail);
    if (unknown != SY_OK) {
        sy_link_end(link, unknown, &detail);
        return;
    }
    if (profile == NULL) {
        return;
    }
    const sy_err err = sy_link_begin_session(link, profile);
    if (err != SY_OK) {
        sy_link_end(link, err, NULL);
        return;
    }
    sy_link_feed(link, link->hello, link->hello_len);
    if (link->state != SY_LINK_DEAD) {
        sy_link_feed(link, data + used, len - used);
    }
}

void sy_link_feed(sy_peer *link, const uint8_t *data, size_t len) {
    if (SY_MUTANT(MEMORY) && link->state == SY_LINK_HANDSHAKE) {
        void *wasted = sy_mem_zalloc(&link->sw->mem, 10000);
        if (wasted != NULL) {
            memset(wasted, 1, 10000); /* nobody gives it back */
        }
    }
    if ((SY_MUTANT(DEADLINE_BYTES) && link->state < SY_LINK_UP) ||
        (SY_MUTANT(DEADLINE_STEP) && link->state == SY_LINK_HANDSHAKE)) {
        sy_timers_set(&link->sw->timers, &link->deadline,
                      sy_time_after(link->sw->now, link->sw->settings.handshake_timeout));
    }
    if (link->state == SY_LINK_RECOGNIZE) {
        recognize(link, data, len);
        return;
    }
    if (link->state == SY_LINK_DEAD || link->state == SY_LINK_FLUSHING) {
        return; /* whatever they say now, it is over */
    }
    if (link->backlog.len > 0 || !takes_input(link)) {
        keep(link, data, len);
        return;
    }
    const bool was_up = link->state == SY_LINK_UP;
    const size_t taken = run_session(link, data, len);
    keep(link, data + taken, len - taken);
    after_input(link);
    if (!was_up) {
        /* Not at the end of the turn: the remote works on the answer while we go on with other
         * handshakes, each of which costs more than a write. */
        sy_link_flush(link);
    }
}

void sy_link_begin_late(sy_peer *link) {
    if (link->outbound) {
        const sy_err err = sy_link_begin_session(link, link->profile);
        if (err != SY_OK) {
            sy_link_end(link, err, NULL);
        }
    } else {
        sy_link_begin_inbound(link);
    }
    sy_buf backlog = link->backlog;
    sy_buf_init(&link->backlog, backlog.mem, backlog.budget, backlog.max);
    if (backlog.len > 0) {
        sy_link_feed(link, backlog.data, backlog.len);
    }
    sy_buf_fini(&backlog);
    if (link->backlog.len == 0 && (link->state == SY_LINK_RECOGNIZE || takes_input(link))) {
        set_reading(link, true);
        if (link->read_ended) {
            sy_link_on_all_read(link);
        }
    }
}

void sy_link_resume(sy_peer *link) {
    if (link->session == NULL || link->feeding || !is_live(link) || link->pauses > 0) {
        return;
    }
    while (link->held_first != NULL && link->state == SY_LINK_UP && link->added &&
           link->pauses == 0) {
        sy_held_message *held = link->held_first;
        link->held_first = held->next;
        sy_roster_deliver(link, held->channel, sy_msg_data(held->msg), sy_msg_len(held->msg));
        sy_msg_unref(held->msg);
        sy_mem_release(&link->sw->mem, held);
        sy_budget_release(&link->budget, sizeof *held);
    }
    /* The session may hold decrypted bytes of its own, so it is run also without a backlog. */
    sy_buf backlog = link->backlog;
    sy_buf_init(&link->backlog, backlog.mem, backlog.budget, backlog.max);
    const size_t taken = run_session(link, backlog.data, backlog.len);
    if (taken < backlog.len) {
        keep(link, backlog.data + taken, backlog.len - taken);
    }
    sy_buf_fini(&backlog);
    after_input(link);
    if (link->backlog.len == 0 && takes_input(link)) {
        set_reading(link, true);
        if (link->read_ended) {
            sy_link_on_all_read(link);
        }
    }
}

void sy_link_pause(sy_peer *link) {
    link->pauses++;
    set_reading(link, false);
}

void sy_link_unpause(sy_peer *link, size_t count) {
    SY_ASSERT(link->pauses >= count);
    link->pauses -= count;
    if (link->pauses > 0) {
        return;
    }
    sy_link_resume(link);
    /* A pong may have been overdue, and nobody could look for it while nothing was read. */
    if (link->stream != NULL && link->reading && link->state == SY_LINK_UP) {
        link->sw->ops.stream_check_dry(link->sw->driver, link->stream);
    }
}

void sy_link_on_all_read(sy_peer *link) {
    sy_detail detail;
    if (SY_MUTANT(HALF_CLOSE)) {
        return;
    }
    if (link->session != NULL && !sy_session_at_boundary(link->session)) {
        sy_detail_set(&detail, "during %s, after %llu bytes, inside a frame or message",
                      sy_stage_name(sy_link_stage(link)), (unsigned long long)link->bytes_received);
        sy_link_end(link, SY_ERR_SUB_FRAME, &detail);
        return;
    }
    /* SPEC ER-08 ER-09: the wire has no goodbye; how far it came is all that can be said. */
    sy_detail_set(&detail, "closed by the remote during %s, after %llu bytes",
                  sy_stage_name(sy_link_stage(link)), (unsigned long long)link->bytes_received);
    sy_link_end(link, SY_ERR_REMOTE_CLOSED, &detail);
}

void sy_link_hold_message(sy_peer *link, const sy_mux_message *message) {
    sy_switch *sw = link->sw;
    sy_held_message *held = NULL;
    sy_msg *msg = NULL;
    if (SY_MUTANT(RIVAL_MESSAGE)) {
        return;
    }

    sy_err err = sy_budget_reserve(&link->budget, sizeof *held);
    if (err == SY_OK) {
        held = sy_mem_zalloc(&sw->mem, sizeof *held);
        err = held == NULL ? SY_ERR_NOMEM
                           : sy_msg_new(&sw->mem, &link->budget, message->data, message->len, &msg);
        if (err != SY_OK) {
            sy_mem_release(&sw->mem, held);
            sy_budget_release(&link->budget, sizeof *held);
        }
    }
    if (err != SY_OK) {
        sy_link_end(link, err, NULL);
        return;
    }
    held->msg = msg;
    held->channel = message->channel;
    if (link->held_last != NULL && link->held_first != NULL) {
        link->held_last->next = held;
    } else {
        link->held_first = held;
    }
    link->held_last = held;
    set_reading(link, false);
}

void sy_link_drop_held(sy_peer *link) {
    while (link->held_first != NULL) {
        sy_held_message *held = link->held_first;
        link->held_first = held->next;
        sy_msg_unref(held->msg);
        sy_mem_release(&link->sw->mem, held);
        sy_budget_release(&link->budget, sizeof *held);
    }
}

/* ---- Out ---------------------------------------------------------------------------------------
 */

void sy_link_mark_dirty(sy_peer *link) {
    if (!link->dirty && link->state != SY_LINK_DEAD) {
        link->dirty = true;
        link->next_dirty = link->sw->dirty;
        link->sw->dirty = link;
    }
}

/* Hands bytes to the stream; what it does not take stays with the connection.  may_follow: there
 * will be another batch if the session has one. */
static sy_err push(sy_peer *link, const uint8_t *data, size_t len, bool may_follow) {
    sy_switch *sw = link->sw;
    size_t written = 0;

    const bool more = may_follow && sy_session_wants_send(link->session, sw->now);
    const sy_err err = sw->ops.stream_write(sw->driver, link->stream, data, len, more, &written);
    if (err != SY_OK) {
        return err;
    }
    SY_ASSERT(written <= len);
    if (written < len) {
        link->write_blocked = true;
        if (data != link->unsent.data) {
            return sy_buf_append(&link->unsent, data + written, len - written);
        }
    }
    if (data == link->unsent.data) {
        sy_buf_consume(&link->unsent, written);
        if (link->unsent.len == 0) {
            sy_buf_drop(&link->unsent);
        }
    }
    return SY_OK;
}

static void report_writable(sy_peer *link) {
    sy_mux *mux = sy_session_mux(link->session);
    uint16_t channel;
    while (mux != NULL && link->added && link->state == SY_LINK_UP &&
           sy_mux_next_writable(mux, &channel)) {
        sy_roster_writable(link, channel);
    }
}

/* One batch, the last one of this turn or not; *ret_more tells whether another one may follow. */
static sy_err flush_batch(sy_peer *link, bool is_last, bool *ret_more) {
    sy_switch *sw = link->sw;
    uint8_t *out = sy_scratch_wire_out(sw->scratch);
    size_t len = 0;

    *ret_more = false;
    if (link->unsent.len > 0) {
        const bool lost = SY_MUTANT(WAKE_LOST) && link->unsent.len < 128;
        const sy_err err = push(link, link->unsent.data, link->unsent.len, !is_last && !lost);
        *ret_more = err == SY_OK && !link->write_blocked && !lost;
        return err;
    }
    /* What the session says piece by piece, as the end of a handshake and NodeInfo, leaves in one
     * write: each costs the other end a wake-up. */
    size_t piece = 0;
    sy_err err = SY_OK;
    do {
        err = sy_session_send(link->session, out + len, SY_SCRATCH_WIRE_OUT_CAP - len, &piece,
                              sw->now);
        len += err == SY_OK ? piece : 0;
    } while (err == SY_OK && piece > 0 && SY_SCRATCH_WIRE_OUT_CAP - len >= SY_SESSION_SEND_MIN);
    if (len > 0) {
        const sy_err pushed = push(link, out, len, !is_last);
        err = err == SY_OK ? pushed : err;
        *ret_more = err == SY_OK && !link->write_blocked;
    }
    return err;
}

static void finish_flushing(sy_peer *link) {
    sy_switch *sw = link->sw;
    const sy_mux *mux = sy_session_mux(link->session);
    if (link->shut || link->unsent.len > 0 || (mux != NULL && !sy_mux_is_drained(mux))) {
        return;
    }
    /* Closing at once could reset the connection and take our last words with it. */
    link->shut = true;
    sw->ops.stream_shutdown_write(sw->driver, link->stream);
    if (link->read_ended) {
        sy_link_end(link, SY_ERR_REMOTE_CLOSED, NULL);
    }
}

void sy_link_flush(sy_peer *link) {
    if (link->session == NULL || link->stream == NULL || link->state == SY_LINK_DEAD ||
        link->state == SY_LINK_ASK_ID) {
        return; /* ASK_ID: who may not be wanted is not told our NodeInfo */
    }
    bool more = !link->write_blocked && !link->shut;
    for (size_t i = 0; more && i < SY_FLUSH_BATCHES; i++) {
        const sy_err err = flush_batch(link, i + 1 == SY_FLUSH_BATCHES, &more);
        if (err != SY_OK) {
            sy_link_end(link, err, NULL);
            return;
        }
    }
    if (link->state == SY_LINK_FLUSHING) {
        finish_flushing(link);
        if (link->state == SY_LINK_DEAD) {
            return;
        }
    }
    report_writable(link);
    sy_isolated_flushed(link);
    if (more) {
        sy_link_mark_dirty(link);
        link->sw->again = true;
    }
    sy_link_refresh_clock(link);
}
