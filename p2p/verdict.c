/* SPDX-License-Identifier: Apache-2.0 */
/* The judge: when it is asked, what its answer does, what silence does.
 *
 *   ACCEPTED/CONNECTED --ADDR?--> session           (ASK_ADDR while it waits)
 *   IDENTITY           --ID?----> admission, INFO   (ASK_ID while it waits)
 *
 * Timer: `verdict` of the connection, the time of one question; the handshake's deadline goes on.
 *
 * SPEC FL-14 FL-15 FL-16 FL-17 FL-18 FL-19 FL-20 */
#include "p2p/switch_internal.h"

#include <string.h>

#include <switchyard/assert.h>

void sy_judge_settings_default_sized(sy_judge_settings *settings, size_t size) {
    SY_REQUIRE(size <= sizeof *settings);
    const sy_judge_settings defaults = {
        .size = size, .timeout = 5 * SY_SEC, .unanswered = SY_UNANSWERED_REFUSE};
    memcpy(settings, &defaults, size);
}

sy_err sy_switch_set_judge(sy_switch *sw, const sy_judge_ops *ops, void *judge,
                           const sy_judge_settings *settings) {
    SY_REQUIRE(settings != NULL && settings->size == sizeof *settings);
    if (sw->state != SY_SWITCH_NEW || sw->judge_ops != NULL) {
        return SY_ERR_STATE;
    }
    if (ops->size != sizeof *ops || ops->name == NULL || ops->ask == NULL ||
        settings->timeout == 0) {
        return SY_ERR_INVALID;
    }
    sw->judge_ops = ops;
    sw->judge = judge;
    sw->judge_settings = *settings;
    return SY_OK;
}

/* ---- What an answer does -----------------------------------------------------------------------
 */

static sy_err admit(sy_peer *link, sy_detail *detail) {
    sy_switch *sw = link->sw;
    link->peer_class = sy_link_class(link);
    const sy_admission_request request = {
        .peer_class = link->peer_class,
        .id = link->id,
        .remote = link->remote,
    };
    return sy_admission_admit(&sw->admission, &request, &link->ticket, detail);
}

void sy_link_admit(sy_peer *link) {
    sy_detail detail;
    sy_detail_clear(&detail);
    const sy_err err = admit(link, &detail);
    if (err != SY_OK) {
        sy_link_end(link, err, &detail);
        return;
    }
    sy_link_leave_pending(link);
    link->budget.limit = link->sw->settings.peer_memory_max;
    sy_link_set_state(link, SY_LINK_NODE_INFO);
    sy_link_mark_dirty(link);
}

/* Nothing is in the way any more. */
static void go_on(sy_peer *link, sy_question_kind kind) {
    switch (kind) {
    case SY_ASK_ADDR:
        if (!link->outbound && link->state == SY_LINK_ASK_ADDR) {
            sy_link_set_state(link, SY_LINK_RECOGNIZE);
        }
        sy_link_begin_late(link);
        return;
    case SY_ASK_ID: {
        const bool waited = link->state == SY_LINK_ASK_ID;
        sy_link_admit(link);
        if (waited && link->state == SY_LINK_NODE_INFO) {
            sy_link_resume(link);
        }
        return;
    }
    }
    SY_UNREACHABLE();
}

/* SPEC FL-17: somebody was asked and could not say. */
static void without_verdict(sy_peer *link, sy_question_kind kind, const sy_detail *why) {
    sy_switch *sw = link->sw;
    if (sw->judge_settings.unanswered == SY_UNANSWERED_REFUSE) {
        sy_link_end(link, SY_ERR_NO_VERDICT, why);
        return;
    }
    const sy_reason reason = sy_reason_make(sy_link_stage(link), SY_ERR_NO_VERDICT, why);
    sy_log_refusal(sw, "admitted_without_verdict", link->has_id ? &link->id : NULL, &link->remote,
                   link->outbound, link->profile == NULL ? "" : link->profile->name, &reason, 1);
    go_on(link, kind);
}

static void decide(sy_peer *link, sy_question_kind kind, sy_verdict verdict, const sy_detail *why) {
    switch (verdict) {
    case SY_VERDICT_ADMIT:
        go_on(link, kind);
        return;
    case SY_VERDICT_REFUSE:
        sy_link_end(link, SY_ERR_FILTERED, why);
        return;
    case SY_VERDICT_NONE:
        without_verdict(link, kind, why);
        return;
    case SY_VERDICT_PENDING:
        break;
    }
    SY_UNREACHABLE();
}

/* ---- Asking ------------------------------------------------------------------------------------
 */

static sy_question_kind open_kind(const sy_peer *link) {
    SY_ASSERT(link->state == SY_LINK_ASK_ADDR || link->state == SY_LINK_ASK_ID);
    return link->state == SY_LINK_ASK_ADDR ? SY_ASK_ADDR : SY_ASK_ID;
}

/* SPEC FL-20: what has come in already may be kept until the answer: in the profile plain, and
 * behind the proof of an identity, that is a whole NodeInfo. */
static void allow_waiting_bytes(sy_peer *link, sy_question_kind kind) {
    const sy_switch *sw = link->sw;
    bool long_hello = kind == SY_ASK_ID;
    for (size_t i = 0; i < sw->settings.profile_count; i++) {
        long_hello = long_hello || sw->profiles[i] == &sy_profile_plain;
    }
    if (long_hello && link->budget.limit < SY_PREAUTH_PLAIN_MAX) {
        link->budget.limit = SY_PREAUTH_PLAIN_MAX;
    }
}

void sy_link_ask(sy_peer *link, sy_question_kind kind) {
    sy_switch *sw = link->sw;
    if (sw->judge_ops == NULL) {
        go_on(link, kind);
        return;
    }
    const sy_question question = {
        .ref = {link->slot, link->generation, kind},
        .outbound = link->outbound,
        .remote = &link->remote,
        .id = link->has_id ? &link->id : NULL,
    };
    sy_detail why;
    sy_detail_clear(&why);
    const sy_verdict verdict = sw->judge_ops->ask(sw->judge, &question, &why, sw->now);
    if (verdict != SY_VERDICT_PENDING) {
        decide(link, kind, verdict, &why);
        return;
    }
    allow_waiting_bytes(link, kind);
    sy_link_set_state(link, kind == SY_ASK_ADDR ? SY_LINK_ASK_ADDR : SY_LINK_ASK_ID);
    sy_timers_set(&sw->timers, &link->verdict, sy_time_after(sw->now, sw->judge_settings.timeout));
}

/* The open question is none any more. */
static void withdraw(sy_peer *link, sy_question_kind kind, sy_detail *why) {
    sy_switch *sw = link->sw;
    sy_timers_clear(&sw->timers, &link->verdict);
    if (sw->judge_ops->cancel != NULL) {
        const sy_question_ref ref = {link->slot, link->generation, kind};
        sw->judge_ops->cancel(sw->judge, ref, why, sw->now);
    }
}

void sy_link_drop_question(sy_peer *link) {
    sy_detail why;
    if (!sy_timer_is_set(&link->verdict)) {
        return;
    }
    sy_detail_set(&why, "the connection has ended");
    withdraw(link, link->identified ? SY_ASK_ID : SY_ASK_ADDR, &why);
}

/* SPEC FL-16 */
void sy_link_on_verdict_time(sy_peer *link) {
    const sy_switch *sw = link->sw;
    sy_detail why;
    const sy_question_kind kind = link->identified ? SY_ASK_ID : SY_ASK_ADDR;
    sy_detail_set(&why, "%s has not answered within %llu ms", sw->judge_ops->name,
                  (unsigned long long)(sw->judge_settings.timeout / SY_MSEC));
    withdraw(link, kind, &why);
    if (link->state != SY_LINK_DEAD) { /* ended in this very turn */
        without_verdict(link, kind, &why);
    }
}

sy_err sy_switch_answer(sy_switch *sw, sy_question_ref ref, sy_verdict verdict,
                        const sy_detail *why, sy_time now) {
    SY_REQUIRE(now >= sw->now);
    SY_REQUIRE(verdict != SY_VERDICT_PENDING);
    sw->now = now;
    sy_peer *link = sy_link_of_ref(sw, (sy_stream_ref){ref.slot, ref.generation});
    if (link == NULL || !sy_timer_is_set(&link->verdict) || open_kind(link) != ref.kind) {
        return SY_ERR_GONE;
    }
    sy_timers_clear(&sw->timers, &link->verdict);
    decide(link, ref.kind, verdict, why);
    sw->again = true; /* also when nothing else of this turn was ours */
    return SY_OK;
}
