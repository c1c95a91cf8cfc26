/* SPDX-License-Identifier: Apache-2.0 */
/* One connection from accept or dial to its end: states, checks in their order, deadlines, reasons.
 *
 * SPEC SW-01 SW-02 SW-05 SW-08 SW-09 SW-10 SW-11 */
#include "p2p/lookup.h"
#include "p2p/switch_internal.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "base/wipe.h"

#define BIT(state) (1u << (unsigned)(state))

/* Which state may follow which.  DEAD may follow every one. */
static const unsigned successors[SY_LINK_STATE_COUNT] = {
    [SY_LINK_CONNECTING] = BIT(SY_LINK_ASK_ADDR) | BIT(SY_LINK_HANDSHAKE),
    [SY_LINK_ASK_ADDR] = BIT(SY_LINK_RECOGNIZE) | BIT(SY_LINK_HANDSHAKE),
    [SY_LINK_RECOGNIZE] = BIT(SY_LINK_ASK_ADDR) | BIT(SY_LINK_HANDSHAKE),
    [SY_LINK_HANDSHAKE] = BIT(SY_LINK_ASK_ID) | BIT(SY_LINK_NODE_INFO),
    [SY_LINK_ASK_ID] = BIT(SY_LINK_NODE_INFO),
    [SY_LINK_NODE_INFO] =
        BIT(SY_LINK_LISTEN_NAME) | BIT(SY_LINK_PARKED) | BIT(SY_LINK_UP) | BIT(SY_LINK_FLUSHING),
    [SY_LINK_LISTEN_NAME] = BIT(SY_LINK_PARKED) | BIT(SY_LINK_UP) | BIT(SY_LINK_FLUSHING),
    [SY_LINK_PARKED] = BIT(SY_LINK_UP),
    [SY_LINK_UP] = BIT(SY_LINK_FLUSHING),
    [SY_LINK_FLUSHING] = 0,
    [SY_LINK_DEAD] = 0,
};

void sy_link_set_state(sy_peer *link, sy_link_state next) {
    SY_ASSERT(next == SY_LINK_DEAD || (successors[link->state] & BIT(next)) != 0);
    link->state = next;
}

sy_stage sy_link_stage(const sy_peer *link) {
    switch (link->state) {
    case SY_LINK_CONNECTING:
    case SY_LINK_ASK_ADDR:
    case SY_LINK_RECOGNIZE:
        return SY_STAGE_CONNECT;
    case SY_LINK_HANDSHAKE:
    case SY_LINK_ASK_ID:
        if (link->identified) {
            return SY_STAGE_IDENTITY;
        }
        /* SPEC ER-06: plain has no secret handshake, its identity comes with NodeInfo. */
        return link->profile == &sy_profile_plain ? SY_STAGE_NODE_INFO : SY_STAGE_HANDSHAKE;
    case SY_LINK_NODE_INFO:
    case SY_LINK_LISTEN_NAME:
        return link->info_checked ? SY_STAGE_ADMISSION : SY_STAGE_NODE_INFO;
    case SY_LINK_PARKED:
        return SY_STAGE_ADMISSION;
    case SY_LINK_UP:
    case SY_LINK_FLUSHING:
    case SY_LINK_DEAD:
        return SY_STAGE_OPEN;
    }
    SY_UNREACHABLE();
}

sy_peer *sy_link_new(sy_switch *sw, bool outbound, const sy_endpoint *remote) {
    if (!sy_slot_has_room(sw)) {
        return NULL;
    }
    sy_peer *link = sy_mem_zalloc(&sw->mem, sizeof *link);
    if (link == NULL) {
        return NULL;
    }
    sy_budget_init(&link->budget, &sw->memory, "connection", SY_PREAUTH_MEMORY_MAX);
    if (sy_budget_reserve(&link->budget, sizeof *link) != SY_OK) {
        sy_mem_release(&sw->mem, link);
        return NULL;
    }
    link->sw = sw;
    link->slot = sw->free_slots[--sw->free_count];
    link->generation = ++sw->generations[link->slot];
    link->outbound = outbound;
    link->state = outbound ? SY_LINK_CONNECTING : SY_LINK_RECOGNIZE;
    link->reading = true;
    link->remote = *remote;
    link->rival = SY_SLOT_NONE;
    sy_buf_init(&link->backlog, &sw->mem, &link->budget, SIZE_MAX / 2);
    sy_buf_init(&link->unsent, &sw->mem, &link->budget, SY_SCRATCH_WIRE_OUT_CAP);
    sy_timer_init(&link->deadline, SY_TIMER_DEADLINE);
    sy_timer_init(&link->clock, SY_TIMER_CLOCK);
    sy_timer_init(&link->verdict, SY_TIMER_VERDICT);
    sw->slots[link->slot] = link;
    sw->link_count++;
    return link;
}

/* ---- The end -----------------------------------------------------------------------------------
 */

/* The first repeats of one reason are said one by one, later ones at 4, 8, 16 ... */
static bool is_worth_a_line(uint32_t in_a_row) {
    return in_a_row <= 2 || (in_a_row & (in_a_row - 1)) == 0;
}

/* SPEC ER-12: what the remote did wrong is a warning, the rest is news. */
static sy_log_level level_of(const sy_reason *why) {
    return why->fault == SY_FAULT_REMOTE ? SY_LOG_WARN : SY_LOG_INFO;
}

/* SPEC ER-10 ER-13: anybody can make these happen, so they are rationed; the counters have them
 * all. */
static bool may_log(sy_switch *sw, uint64_t *ret_left_out) {
    if (!sy_token_bucket_take(&sw->refusal_log, 1, sw->now)) {
        sw->log_left_out++;
        return false;
    }
    *ret_left_out = sw->log_left_out;
    sw->log_left_out = 0;
    return true;
}

void sy_log_refusal(sy_switch *sw, const char *event, const sy_node_id *id,
                    const sy_endpoint *remote, bool outbound, const char *profile,
                    const sy_reason *why, uint32_t in_a_row) {
    char id_text[SY_NODE_ID_TEXT_CAP] = "";
    char remote_text[SY_ENDPOINT_TEXT_CAP];
    uint64_t left_out = 0;

    if (!is_worth_a_line(in_a_row) || !may_log(sw, &left_out)) {
        return;
    }
    if (id != NULL) {
        sy_node_id_format(id, id_text);
    }
    (void)sy_endpoint_format(remote, remote_text);
    SY_LOG(&sw->settings.log, level_of(why), "switch", event, sw->now, SY_F_STR("id", id_text),
           SY_F_STR("addr", remote_text), SY_F_STR("direction", outbound ? "out" : "in"),
           SY_F_STR("profile", profile), SY_F_STR("stage", sy_stage_name(why->stage)),
           SY_F_STR("reason", sy_err_name(why->code)), SY_F_STR("fault", sy_fault_name(why->fault)),
           SY_F_STR("detail", why->detail.text),
           SY_F_STR("clause", sy_reason_clause(why->code, profile)), SY_F_U64("in_a_row", in_a_row),
           SY_F_U64("left_out", left_out));
}

static void log_removed(const sy_peer *link) {
    const sy_switch *sw = link->sw;
    const sy_reason *why = &link->reason;
    char id[SY_NODE_ID_TEXT_CAP];
    char remote[SY_ENDPOINT_TEXT_CAP];

    sy_node_id_format(&link->id, id);
    (void)sy_endpoint_format(&link->remote, remote);
    SY_LOG(&sw->settings.log, level_of(why), "switch", "peer_removed", sw->now, SY_F_STR("id", id),
           SY_F_STR("addr", remote), SY_F_STR("direction", link->outbound ? "out" : "in"),
           SY_F_STR("profile", link->profile->name), SY_F_STR("stage", sy_stage_name(why->stage)),
           SY_F_STR("reason", sy_err_name(why->code)), SY_F_STR("fault", sy_fault_name(why->fault)),
           SY_F_STR("detail", why->detail.text),
           SY_F_STR("clause", sy_reason_clause(why->code, link->profile->name)),
           SY_F_DUR("connected_ms", sy_time_since(sw->now, link->opened_at)));
}

static void log_end(const sy_peer *link, uint32_t in_a_row) {
    if (link->in_roster) {
        log_removed(link);
        return;
    }
    sy_log_refusal(link->sw, link->outbound ? "dial_failed" : "connection_refused",
                   link->has_id ? &link->id : NULL, &link->remote, link->outbound,
                   link->profile == NULL ? "" : link->profile->name, &link->reason, in_a_row);
}

/* SPEC SW-54: an orderly end of ours lets the queues run out first; the wire has no goodbye.  SPEC
 * NI-01: and whoever refuses a NodeInfo has said its own, so that the remote can tell why. */
static bool should_flush(const sy_peer *link, sy_err code) {
    const sy_err_class class = sy_err_class_of(code);
    if (link->state == SY_LINK_NODE_INFO || link->state == SY_LINK_LISTEN_NAME) {
        return !link->write_blocked && (class == SY_ERR_CLASS_LOCAL || class == SY_ERR_CLASS_PEER);
    }
    if (link->state != SY_LINK_UP || link->write_blocked) {
        return link->state == SY_LINK_UP && (code == SY_ERR_STOPPED || code == SY_ERR_SHUTDOWN);
    }
    return class == SY_ERR_CLASS_LOCAL || code == SY_ERR_STOPPED || code == SY_ERR_SHUTDOWN;
}

static void kill_now(sy_peer *link) {
    sy_switch *sw = link->sw;
    sy_link_set_state(link, SY_LINK_DEAD);
    link->next_dead = sw->dead;
    sw->dead = link;
}

/* SPEC ER-02 ER-05 */
void sy_link_end(sy_peer *link, sy_err code, const sy_detail *detail) {
    sy_switch *sw = link->sw;
    SY_ASSERT(code != SY_OK);

    if (link->state == SY_LINK_DEAD) {
        return;
    }
    if (link->has_reason) {
        /* Already flushing: whatever happens now only shortens it. */
        kill_now(link);
        return;
    }
    link->reason = sy_reason_make(sy_link_stage(link), code, detail);
    link->has_reason = true;
    const uint32_t in_a_row = sy_history_add(&sw->history, link->has_id ? &link->id : NULL,
                                             &link->reason, link->outbound, sw->now);
    log_end(link, in_a_row);
    const sy_event event = sy_link_event(link, SY_EVENT_ENDED);
    sy_switch_observe(sw, &event);

    if (link->stream != NULL && should_flush(link, code)) {
        sy_link_set_state(link, SY_LINK_FLUSHING);
        sy_timers_set(&sw->timers, &link->deadline,
                      sy_time_after(sw->now, sw->settings.linger_timeout));
        sy_link_mark_dirty(link);
        return;
    }
    kill_now(link);
}

static void give_up_stream(sy_peer *link) {
    if (link->stream == NULL) {
        return;
    }
    void *stream = link->stream;
    link->stream = NULL;
    link->sw->ops.stream_close(link->sw->driver, stream, false);
}

void sy_link_leave_pending(sy_peer *link) {
    if (link->in_pending) {
        sy_pending_remove(&link->sw->pending, &link->pending);
        link->in_pending = false;
    }
}

void sy_link_reap(sy_peer *link) {
    sy_switch *sw = link->sw;
    SY_ASSERT(link->state == SY_LINK_DEAD);

    sy_roster_remove(link);
    sy_dialing_on_link_ended(link);
    sy_link_leave_pending(link);
    sy_admission_release(&sw->admission, &link->ticket);
    give_up_stream(link);
    if (link->resolve.generation != 0) {
        sy_lookup_cancel(sw, link->resolve);
    }
    sy_timers_clear(&sw->timers, &link->deadline);
    sy_timers_clear(&sw->timers, &link->clock);
    sy_link_drop_question(link);
    sy_link_drop_held(link);
    sy_session_del(link->session);
    sy_buf_fini(&link->backlog);
    sy_buf_fini(&link->unsent);
    sy_budget_release(&link->budget, sizeof *link);
    sy_budget_fini(&link->budget);

    SY_ASSERT(sw->slots[link->slot] == link);
    sw->slots[link->slot] = NULL;
    sw->free_slots[sw->free_count++] = link->slot;
    sw->link_count--;
    sy_rivals_settle(sw, link);
    sy_mem_release(&sw->mem, link);
}

/* ---- The handshake -----------------------------------------------------------------------------
 */

static sy_err sign_challenge(void *user, const uint8_t *msg, size_t len,
                             uint8_t ret_sig[SY_CONN_SIG_LEN]) {
    const sy_switch *sw = user;
    sy_node_key_sign(&sw->key, msg, len, ret_sig);
    return SY_OK;
}

/* SPEC PR-08 SW-06 */
sy_err sy_link_begin_session(sy_peer *link, const sy_profile *profile) {
    sy_switch *sw = link->sw;
    SY_ASSERT(link->session == NULL);

    sy_session_config config = {
        .mem = &sw->mem,
        .budget = &link->budget,
        .scratch = sw->scratch,
        .signer = {.sign = sign_challenge, .user = sw},
        .ours = &sw->ours,
        .channels = &sw->channels,
        .mux_batch = sw->mux_batch,
        .ping_interval_ns = sw->settings.ping_interval,
        .pong_timeout_ns = sw->settings.pong_timeout,
        .send_rate = sw->settings.send_rate,
        .recv_rate = sw->settings.recv_rate,
    };
    memcpy(config.signer.pubkey, sw->key.pubkey, SY_CONN_KEY_LEN);
    if (profile == &sy_profile_plain) {
        link->budget.limit = SY_PREAUTH_PLAIN_MAX;
    }
    sw->ops.random(sw->driver, config.eph_secret, sizeof config.eph_secret);
    const sy_err err = sy_session_new(profile, &config, sw->now, &link->session);
    sy_wipe(&config.eph_secret, sizeof config.eph_secret);
    if (err != SY_OK) {
        return err;
    }
    link->profile = profile;
    sy_link_set_state(link, SY_LINK_HANDSHAKE);
    sy_link_mark_dirty(link);
    return SY_OK;
}

static void on_identity(sy_peer *link, const sy_session_event *event) {
    sy_switch *sw = link->sw;
    sy_detail detail;
    sy_detail_clear(&detail);

    const sy_node_id dialed = link->id;
    const bool had_id = link->has_id;
    link->id = event->id;
    link->has_id = true;
    link->identified = true;
    const sy_event seen = sy_link_event(link, SY_EVENT_IDENTITY);
    sy_switch_observe(sw, &seen);

    if (had_id && !sy_node_id_equal(&dialed, &event->id) && !SY_MUTANT(DIALED_ID)) {
        char want[SY_NODE_ID_TEXT_CAP];
        char got[SY_NODE_ID_TEXT_CAP];
        sy_node_id_format(&dialed, want);
        sy_node_id_format(&event->id, got);
        sy_detail_set(&detail, "dialed %s, found %s", want, got);
        sy_link_end(link, SY_ERR_ID_MISMATCH, &detail);
        return;
    }
    if (sy_node_id_equal(&event->id, &sw->id) && !SY_MUTANT(SELF)) {
        sy_link_end(link, SY_ERR_SELF, NULL);
        return;
    }
    const sy_err err = sy_link_check_gate(link, &detail); /* SPEC FL-05 */
    if (err != SY_OK) {
        sy_link_end(link, err, &detail);
        return;
    }
    sy_link_ask(link, SY_ASK_ID); /* SPEC FL-15: goes on in sy_link_admit, at once or later */
}

/* ---- NodeInfo ----------------------------------------------------------------------------------
 */

static sy_err check_info(sy_peer *link, sy_addr *ret_listen, sy_detail *detail) {
    const sy_switch *sw = link->sw;
    const sy_node_info *info = link->info;
    const sy_node_info_codec codec = link->profile->codec;
    sy_detail listen_detail;
    sy_detail_clear(&listen_detail);

    sy_err err = sy_node_info_check_id(info, &link->id, detail);
    if (err != SY_OK) {
        return err;
    }
    sy_err listen_err = sy_addr_parse(info->listen_addr.data, info->listen_addr.len, SY_ADDR_LISTEN,
                                      ret_listen, &listen_detail);
    if (SY_MUTANT(NI_PORT_0) && listen_err == SY_OK && ret_listen->port == 0) {
        listen_err = SY_ERR_NI_LISTEN_ADDR;
    }
    /* SPEC NI-34 NI-35 */
    if (listen_err == SY_OK && (codec == SY_NODE_INFO_PROTO || SY_MUTANT(NI_HOST)) &&
        ret_listen->host[0] == '\0' && !SY_MUTANT(NI_LISTEN_HOST)) {
        sy_detail_set(&listen_detail, "no host in ");
        sy_detail_quote(&listen_detail, info->listen_addr.data, info->listen_addr.len);
        listen_err = SY_ERR_NI_LISTEN_ADDR;
    }
    err = sy_node_info_validate(codec, info, listen_err == SY_OK ? SY_OK : SY_ERR_NI_LISTEN_ADDR,
                                detail);
    if (err == SY_ERR_NI_LISTEN_ADDR) {
        sy_detail_set(detail, "listen address: %s", listen_detail.text);
    }
    if (err != SY_OK) {
        return err;
    }
    return sy_node_info_compatible(codec, &sw->ours, info, detail);
}

/* Everything that was to be checked is in order: become a peer, or meet the rival. */
void sy_link_info_accepted(sy_peer *link) {
    sy_switch *sw = link->sw;
    SY_ASSERT(link->state == SY_LINK_NODE_INFO || link->state == SY_LINK_LISTEN_NAME ||
              link->state == SY_LINK_PARKED);

    link->info_checked = true;
    if (sw->state != SY_SWITCH_RUNNING) {
        sy_link_end(link, SY_ERR_SHUTDOWN, NULL);
        return;
    }
    if (link->state != SY_LINK_PARKED) {
        sy_peer *other = sy_rivals_find(sw, link);
        if (other != NULL) {
            sy_rivals_meet(link, other);
            return;
        }
        const sy_err err = sy_session_accept(link->session, sw->now);
        if (err != SY_OK) {
            sy_link_end(link, err, NULL);
            return;
        }
    }
    sy_timers_clear(&sw->timers, &link->deadline);
    sy_rivals_clear_way(link);
    sy_link_set_state(link, SY_LINK_UP);
    sy_link_mark_dirty(link);
    sy_roster_add(link);
    sy_link_refresh_clock(link);
    sy_link_resume(link);
}

void sy_link_on_listen_resolved(sy_peer *link, sy_err err, const sy_detail *detail) {
    link->resolve = (sy_resolve_ref){0, 0};
    if (link->state != SY_LINK_LISTEN_NAME) {
        return;
    }
    if (err != SY_OK && !SY_MUTANT(NI_RESOLVE)) {
        sy_link_end(link, SY_ERR_NI_LISTEN_RESOLVE, detail);
        return;
    }
    sy_link_info_accepted(link);
}

static void on_info(sy_peer *link, const sy_session_event *event) {
    sy_switch *sw = link->sw;
    sy_addr listen;
    sy_detail detail;
    sy_detail_clear(&detail);

    link->info = event->info;
    const sy_event seen = sy_link_event(link, SY_EVENT_INFO);
    sy_switch_observe(sw, &seen);

    const sy_err err = check_info(link, &listen, &detail);
    if (err != SY_OK &&
        !(SY_MUTANT(DUPLICATE_FIRST) && sy_rivals_has_other(link))) { /* SPEC SW-09 */
        sy_link_end(link, err, &detail);
        return;
    }
    if (!listen.is_ip && listen.host[0] != '\0') {
        sy_link_set_state(link, SY_LINK_LISTEN_NAME);
        sy_lookup_for_link(link, listen.host);
        return;
    }
    sy_link_info_accepted(link);
}

/* ---- Events of the session ---------------------------------------------------------------------
 */

void sy_link_on_event(sy_peer *link, const sy_session_event *event) {
    switch (event->kind) {
    case SY_SESSION_NONE:
        return;
    case SY_SESSION_IDENTITY:
        on_identity(link, event);
        return;
    case SY_SESSION_INFO:
        on_info(link, event);
        return;
    case SY_SESSION_MESSAGE:
        if (link->state == SY_LINK_PARKED) {
            sy_link_hold_message(link, &event->message);
        } else if (link->state == SY_LINK_UP) {
            sy_roster_deliver(link, event->message.channel, event->message.data,
                              event->message.len);
        }
        return;
    }
    SY_UNREACHABLE();
}

/* ---- Time --------------------------------------------------------------------------------------
 */

void sy_link_on_deadline(sy_peer *link) {
    sy_detail detail;
    switch (link->state) {
    case SY_LINK_CONNECTING: /* SPEC SW-03 */
        sy_detail_set(&detail, "no connection after %llu ms",
                      (unsigned long long)(link->sw->settings.dial_timeout / SY_MSEC));
        sy_link_end(link, SY_ERR_CONNECT_TIMEOUT, &detail);
        return;
    case SY_LINK_ASK_ADDR:
    case SY_LINK_ASK_ID: /* SPEC FL-16: not the remote's fault */
        sy_detail_set(&detail, "%s has not answered within handshake_timeout",
                      link->sw->judge_ops->name);
        sy_link_end(link, SY_ERR_NO_VERDICT, &detail);
        return;
    case SY_LINK_RECOGNIZE:
    case SY_LINK_HANDSHAKE:
    case SY_LINK_NODE_INFO:
    case SY_LINK_LISTEN_NAME:
        if (SY_MUTANT(DEADLINE_NONE) || (SY_MUTANT(DEADLINE_DIALER) && link->outbound) ||
            (SY_MUTANT(DEADLINE_INFO) && link->state == SY_LINK_NODE_INFO) ||
            (SY_MUTANT(DEADLINE_FIRST) && link->state == SY_LINK_RECOGNIZE)) {
            return;
        }
        sy_detail_set(&detail, "not finished after %llu ms",
                      (unsigned long long)(link->sw->settings.handshake_timeout / SY_MSEC));
        sy_link_end(link, SY_ERR_HANDSHAKE_TIMEOUT, &detail);
        return;
    case SY_LINK_PARKED:
        sy_rivals_on_timeout(link);
        return;
    case SY_LINK_FLUSHING:
        kill_now(link);
        return;
    case SY_LINK_UP:
    case SY_LINK_DEAD:
        return;
    }
    SY_UNREACHABLE();
}

void sy_link_refresh_clock(sy_peer *link) {
    sy_switch *sw = link->sw;
    if (link->session == NULL || link->state == SY_LINK_DEAD) {
        return;
    }
    const sy_mux *mux = sy_session_mux(link->session);
    sy_time at = sy_session_recv_ready_at(link->session);
    if (mux != NULL) {
        at = sy_time_min(at, sy_mux_next_expiry(mux));
    }
    sy_timers_set(&sw->timers, &link->clock, at);
}

void sy_link_on_clock(sy_peer *link) {
    sy_switch *sw = link->sw;
    if (link->state == SY_LINK_DEAD) {
        return;
    }
    sy_mux *mux = sy_session_mux(link->session);
    const bool rate_allows = sy_session_recv_ready_at(link->session) <= sw->now;
    if (mux != NULL) {
        bool check_dry = false;
        sy_mux_on_expiry(mux, &check_dry, sw->now);
        if (check_dry && link->stream != NULL) {
            sw->ops.stream_check_dry(sw->driver, link->stream);
        }
        sy_link_mark_dirty(link);
    }
    if (rate_allows) { /* asked before: the multiplexer forgets the instant once it has passed */
        sy_link_resume(link);
    }
    sy_link_refresh_clock(link);
}
