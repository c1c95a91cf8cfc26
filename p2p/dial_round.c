/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds: docs/spec/switch.md SW-37 to SW-43.
 *
 * A round is one dial: resolve, then endpoint after endpoint until one connects.  A target that is
 * not persistent takes its other profiles within the round; a persistent one goes through the
 * back-off between two profiles, for a full server closes just as a foreign one does. */
#include "p2p/dial_table_internal.h"

#include <stddef.h>

#include <switchyard/assert.h>

#include "base/mutant.h"

static void set_waiting(sy_dial_table *table, sy_dial_target *t, sy_duration delay, sy_time now) {
    t->state = SY_TARGET_WAITING;
    sy_timers_set(&table->timers, &t->timer, sy_time_after(now, delay));
}

/* SPEC SW-40: a persistent target waits and goes on, whatever the reason was. */
static void end_round(sy_dial_table *table, sy_dial_target *t, sy_time now) {
    t->endpoint_count = 0;
    if (t->open) {
        t->state = SY_TARGET_CONNECTED; /* by another connection: SPEC SW-36 */
        t->restart = false;
    } else if (t->restart) {
        t->restart = false;
        sy_dial_make_due(table, t, now);
    } else if (t->kind == SY_TARGET_PERSISTENT) {
        const sy_duration delay = sy_backoff_fail(&t->backoff, &table->prng);
        const bool gives_up = SY_MUTANT(REDIAL_NEVER) && t->backoff.failures > 6;
        set_waiting(table, t, gives_up ? 1000 * SY_SEC : delay, now);
    } else {
        sy_dial_drop(table, t);
    }
}

static size_t current_endpoint(const sy_dial_target *t) {
    SY_ASSERT(t->endpoint_tried < t->endpoint_count);
    return (t->endpoint_first + t->endpoint_tried) % t->endpoint_count;
}

/* Goes on with the current endpoint and profile, unless there is no more reason to dial. */
static void connect_step(sy_dial_table *table, sy_dial_target *t, sy_dial_step *ret_step,
                         sy_time now) {
    if (t->open || t->restart) {
        end_round(table, t, now);
        return;
    }
    t->state = SY_TARGET_CONNECTING;
    *ret_step = (sy_dial_step){.kind = SY_DIAL_STEP_CONNECT,
                               .ref = sy_dial_ref_of(table, t),
                               .addr = &t->addr,
                               .endpoint = t->endpoints[current_endpoint(t)],
                               .profile = table->profiles[t->profile]};
}

/* SPEC SW-37 SW-39 */
static void try_next_endpoint(sy_dial_table *table, sy_dial_target *t, sy_dial_step *ret_step,
                              sy_time now) {
    t->endpoint_tried++;
    if (t->endpoint_tried < t->endpoint_count) {
        connect_step(table, t, ret_step, now);
    } else {
        end_round(table, t, now);
    }
}

sy_time sy_dial_table_next_due(const sy_dial_table *table) {
    return sy_timers_next(&table->timers);
}

static sy_dial_target *pop_due(sy_dial_table *table, sy_time now) {
    sy_timer *timer = sy_timers_pop_due(&table->timers, now);
    if (timer == NULL) {
        return NULL;
    }
    return (sy_dial_target *)(void *)((char *)timer - offsetof(sy_dial_target, timer));
}

/* SPEC AD-13: a name is resolved at each dial. */
static void begin_round(sy_dial_table *table, sy_dial_target *t, sy_dial_step *ret_step,
                        sy_time now) {
    t->endpoint_tried = 0;
    if (t->addr.is_ip) {
        t->endpoints[0] = t->addr.endpoint;
        t->endpoint_count = 1;
        connect_step(table, t, ret_step, now);
        return;
    }
    t->endpoint_count = 0;
    t->state = SY_TARGET_RESOLVING;
    *ret_step = (sy_dial_step){.kind = SY_DIAL_STEP_RESOLVE,
                               .ref = sy_dial_ref_of(table, t),
                               .addr = &t->addr,
                               .profile = table->profiles[t->profile]};
}

bool sy_dial_table_take_due(sy_dial_table *table, sy_dial_step *ret_step, sy_time now) {
    for (;;) {
        sy_dial_target *t = pop_due(table, now);
        if (t == NULL) {
            return false;
        }
        SY_ASSERT(sy_dial_is_due_later(t));
        SY_ASSERT(!t->open);
        if (sy_dial_choose_profile(table, t, t->profile)) {
            begin_round(table, t, ret_step, now);
            return true;
        }
        t->last_code = SY_ERR_CONFIG;
        end_round(table, t, now);
    }
}

void sy_dial_table_on_resolved(sy_dial_table *table, sy_dial_ref ref, const sy_endpoint *endpoints,
                               size_t count, sy_dial_step *ret_step, sy_time now) {
    *ret_step = (sy_dial_step){.kind = SY_DIAL_STEP_NONE};
    sy_dial_target *t = sy_dial_of_ref(table, ref);
    if (t == NULL || t->state != SY_TARGET_RESOLVING) {
        return;
    }
    if (count == 0) {
        t->last_code = SY_ERR_RESOLVE;
        end_round(table, t, now); /* SPEC SW-38 */
        return;
    }
    t->endpoint_count = count < SY_DIAL_ENDPOINTS_MAX ? count : SY_DIAL_ENDPOINTS_MAX;
    for (size_t i = 0; i < t->endpoint_count; i++) {
        t->endpoints[i] = endpoints[i];
        t->endpoints[i].port = t->addr.port;
    }
    connect_step(table, t, ret_step, now);
}

void sy_dial_table_on_connected(sy_dial_table *table, sy_dial_ref ref, sy_time now) {
    (void)now;
    sy_dial_target *t = sy_dial_of_ref(table, ref);
    if (t != NULL && t->state == SY_TARGET_CONNECTING) {
        t->state = SY_TARGET_HANDSHAKE;
    }
}

/* SPEC PR-10.  In plain the identity comes with NodeInfo. */
static bool ended_before_identity(const sy_dial_table *table, const sy_dial_target *t,
                                  const sy_reason *reason) {
    if (reason->stage == SY_STAGE_NODE_INFO) {
        return sy_dial_is_plain(table->profiles[t->profile]);
    }
    return reason->stage < SY_STAGE_IDENTITY;
}

/* The next round begins behind the endpoint of this one. */
static void skip_endpoint(sy_dial_target *t) {
    t->profile_turns = 0;
    t->endpoint_first = (current_endpoint(t) + 1) % t->endpoint_count;
}

/* FILTERED: this profile may not be used at this endpoint (SPEC PL-05); nothing was tried yet. */
static void on_connect_failed(sy_dial_table *table, sy_dial_target *t, const sy_reason *reason,
                              sy_dial_step *ret_step, sy_time now) {
    if (reason->code == SY_ERR_FILTERED) {
        sy_dial_choose_next_profile(table, t);
        if (t->profile_turns < sy_dial_usable_count(table, t)) {
            connect_step(table, t, ret_step, now);
            return;
        }
        t->profile_turns = 0;
    }
    try_next_endpoint(table, t, ret_step, now);
}

static void on_persistent_failed(sy_dial_table *table, sy_dial_target *t, bool before_identity,
                                 sy_time now) {
    if (before_identity) {
        sy_dial_choose_next_profile(table, t);
    }
    if (!before_identity || t->profile_turns >= sy_dial_usable_count(table, t)) {
        skip_endpoint(t);
    }
    end_round(table, t, now);
}

static void on_passing_failed(sy_dial_table *table, sy_dial_target *t, bool before_identity,
                              const sy_reason *reason, sy_dial_step *ret_step, sy_time now) {
    if (before_identity) {
        sy_dial_choose_next_profile(table, t);
        if (t->profile_turns < sy_dial_usable_count(table, t)) {
            connect_step(table, t, ret_step, now);
            return;
        }
        t->profile_turns = 0;
    } else if (t->addr.has_id && reason->code != SY_ERR_ID_MISMATCH) {
        end_round(table, t, now); /* this was the one: its other endpoints say the same */
        return;
    }
    try_next_endpoint(table, t, ret_step, now);
}

void sy_dial_table_on_failed(sy_dial_table *table, sy_dial_ref ref, const sy_reason *reason,
                             sy_dial_step *ret_step, sy_time now) {
    *ret_step = (sy_dial_step){.kind = SY_DIAL_STEP_NONE};
    sy_dial_target *t = sy_dial_of_ref(table, ref);
    if (t == NULL || sy_dial_is_due_later(t) || t->state == SY_TARGET_CONNECTED) {
        return;
    }
    t->last_code = reason->code;
    if (reason->code == SY_ERR_SELF) {
        sy_dial_learn_own(table, &t->addr);
        return;
    }
    if (t->state == SY_TARGET_RESOLVING || t->open || t->restart) {
        end_round(table, t, now);
        return;
    }
    if (t->state == SY_TARGET_CONNECTING) {
        on_connect_failed(table, t, reason, ret_step, now);
        return;
    }
    SY_ASSERT(t->state == SY_TARGET_HANDSHAKE);
    const bool before_identity = ended_before_identity(table, t, reason);
    if (t->kind == SY_TARGET_PERSISTENT) {
        on_persistent_failed(table, t, before_identity, now);
    } else {
        on_passing_failed(table, t, before_identity, reason, ret_step, now);
    }
}

/* ---- Peers ------------------------------------------------------------------------------------*/

static void mark_open(sy_dial_table *table, sy_dial_target *t, const sy_node_id *id,
                      const sy_profile *profile, sy_time now) {
    if (!t->open) {
        sy_backoff_on_up(&t->backoff, now);
    }
    t->open = true;
    t->open_id = *id;
    t->known_profile = profile;
    t->profile_turns = 0;
    (void)sy_dial_choose_first_profile(table, t);
    if (sy_dial_is_due_later(t)) {
        sy_timers_clear(&table->timers, &t->timer);
        t->state = SY_TARGET_CONNECTED; /* SPEC SW-36: an open ID is not dialed */
    }
}

void sy_dial_table_on_peer_open(sy_dial_table *table, const sy_node_id *id, sy_dial_ref ref,
                                const sy_profile *profile, sy_time now) {
    sy_dial_learn_profile(table, id, profile);
    sy_dial_target *dialed = sy_dial_of_ref(table, ref);
    if (dialed != NULL) {
        mark_open(table, dialed, id, profile, now);
        dialed->state = SY_TARGET_CONNECTED;
        dialed->last_code = SY_OK;
        dialed->restart = false;
    }
    sy_dial_target *same_id = sy_dial_of_id(table, id);
    if (same_id != NULL && same_id != dialed) {
        mark_open(table, same_id, id, profile, now);
    }
}

static void mark_closed(sy_dial_table *table, sy_dial_target *t, sy_time now) {
    t->open = false;
    const sy_duration delay = sy_backoff_on_down(&t->backoff, &table->prng, now);
    if (t->state != SY_TARGET_CONNECTED) {
        return; /* a dial of its own is under way */
    }
    if (t->kind == SY_TARGET_PERSISTENT) {
        set_waiting(table, t, SY_MUTANT(REDIAL_FAST) ? 1 : delay, now);
    } else {
        sy_dial_drop(table, t);
    }
}

void sy_dial_table_on_peer_closed(sy_dial_table *table, const sy_node_id *id, sy_time now) {
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        sy_dial_target *t = table->slots[i].target;
        if (t != NULL && t->open && sy_node_id_equal(&t->open_id, id)) {
            mark_closed(table, t, now);
        }
    }
}

void sy_dial_table_set_cap(sy_dial_table *table, sy_duration cap, sy_time now) {
    table->backoff_cap = cap;
    const sy_duration effective = cap == 0 ? SY_BACKOFF_CAP : cap;
    const sy_time latest = sy_time_after(now, effective);
    for (uint32_t i = 0; i < table->slot_cap; i++) {
        sy_dial_target *t = table->slots[i].target;
        if (t == NULL) {
            continue;
        }
        t->backoff.cap = effective;
        if (t->state == SY_TARGET_WAITING && t->timer.at > latest) {
            sy_timers_set(&table->timers, &t->timer, latest);
        }
    }
}
