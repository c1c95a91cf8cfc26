/* SPDX-License-Identifier: Apache-2.0 */
/* Watches a switch from outside: the order of the events of each connection, how they ended, the
 * limits of admission after every turn, and that nothing is left at the end. */
#include "sim/sim_internal.h"

#include <string.h>

#define SPARE_BUFFERS 8
#define SPARE_SLACK   128
#define SEEN(kind)    (1u << (unsigned)(kind))

static const char *const kind_names[] = {
    [SY_EVENT_DIALING] = "dialing",   [SY_EVENT_CONNECTED] = "connected",
    [SY_EVENT_IDENTITY] = "identity", [SY_EVENT_INFO] = "info",
    [SY_EVENT_PEER_UP] = "peer_up",   [SY_EVENT_CONFIRMED] = "confirmed",
    [SY_EVENT_PONG] = "pong",         [SY_EVENT_ENDED] = "ended",
};

/* ---- Order of events ---------------------------------------------------------------------------
 */

static sy_sim_event_note *note_of(sy_sim_node *node, const sy_event *event) {
    const uint32_t slot = event->ref.slot;
    if (slot >= node->events_cap) {
        const size_t cap = ((size_t)slot + 16) * 2;
        node->events = sy_sim_grow(node->events, cap, sizeof *node->events);
        memset(node->events + node->events_cap, 0, (cap - node->events_cap) * sizeof *node->events);
        node->events_cap = cap;
    }
    sy_sim_event_note *note = &node->events[slot];
    if (note->generation != event->ref.generation) {
        if (note->generation != 0 && !note->ended) {
            sy_sim_fail("%s: slot %u is used again before its connection ended", node->name, slot);
        }
        *note = (sy_sim_event_note){.generation = event->ref.generation};
        node->open_notes++;
    }
    return note;
}

/* What must have been seen before, and what must not. */
static bool is_in_order(unsigned seen, sy_event_kind kind, bool outbound) {
    switch (kind) {
    case SY_EVENT_DIALING:
        return seen == 0 && outbound;
    case SY_EVENT_CONNECTED:
        return seen == (outbound ? SEEN(SY_EVENT_DIALING) : 0);
    case SY_EVENT_IDENTITY:
        return (seen & SEEN(SY_EVENT_CONNECTED)) != 0 && seen < SEEN(SY_EVENT_IDENTITY);
    case SY_EVENT_INFO:
        return (seen & SEEN(SY_EVENT_IDENTITY)) != 0 && seen < SEEN(SY_EVENT_INFO);
    case SY_EVENT_PEER_UP:
        /* A pong may have come while the connection was parked. */
        return (seen & SEEN(SY_EVENT_INFO)) != 0 &&
               (seen & ~SEEN(SY_EVENT_PONG)) < SEEN(SY_EVENT_PEER_UP);
    case SY_EVENT_CONFIRMED:
        return (seen & SEEN(SY_EVENT_PEER_UP)) != 0 && (seen & SEEN(SY_EVENT_CONFIRMED)) == 0;
    case SY_EVENT_PONG:
        return (seen & SEEN(SY_EVENT_INFO)) != 0;
    case SY_EVENT_ENDED:
        return seen != 0;
    }
    return false;
}

static void keep_end(sy_sim_node *node, const sy_event *event, bool was_up, sy_time now) {
    const size_t kept = node->net->options.ends_kept;
    if (node->end_notes == NULL) {
        node->end_notes = sy_sim_alloc(kept * sizeof *node->end_notes);
    }
    sy_sim_end_note *note = &node->end_notes[node->end_note_count++ % kept];
    *note = (sy_sim_end_note){
        .at = now,
        .outbound = event->outbound,
        .was_up = was_up,
        .has_id = event->has_id,
        .id = event->id,
        .profile = event->profile,
        .remote = *event->remote,
        .reason = *event->reason,
        .clause = sy_reason_clause(event->reason->code, event->profile),
    };
}

static void count(sy_sim_node *node, const sy_event *event) {
    node->totals.peers_up += event->kind == SY_EVENT_PEER_UP;
    node->totals.dials += event->kind == SY_EVENT_DIALING;
    node->totals.pongs += event->kind == SY_EVENT_PONG;
    node->totals.confirmed += event->kind == SY_EVENT_CONFIRMED;
    node->totals.ends += event->kind == SY_EVENT_ENDED;
}

/* SPEC-TEST SW-01 */
void sy_sim_watch(void *user, const sy_event *event, sy_time now) {
    sy_sim_node *node = user;
    sy_sim_event_note *note = note_of(node, event);
    const char *name = kind_names[event->kind];

    if (event->kind == SY_EVENT_ENDED) {
        sy_sim_trace(node->net, node, "event %s slot=%u.%u %s %s %s \"%s\"", name, event->ref.slot,
                     event->ref.generation, event->outbound ? "out" : "in",
                     sy_stage_name(event->reason->stage), sy_err_name(event->reason->code),
                     event->reason->detail.text);
    } else {
        sy_sim_trace(node->net, node, "event %s slot=%u.%u %s %s", name, event->ref.slot,
                     event->ref.generation, event->outbound ? "out" : "in", event->profile);
    }
    if (note->ended) {
        sy_sim_fail("%s: event %s after the end of the connection", node->name, name);
    }
    if (!is_in_order(note->seen, event->kind, event->outbound)) {
        sy_sim_fail("%s: event %s out of order (seen %#x)", node->name, name, note->seen);
    }
    count(node, event);
    if (event->kind == SY_EVENT_ENDED) {
        if (event->reason == NULL || event->reason->code == SY_OK) {
            sy_sim_fail("%s: an end without reason", node->name);
        }
        note->ended = true;
        node->open_notes--;
        keep_end(node, event, (note->seen & SEEN(SY_EVENT_PEER_UP)) != 0, now);
    }
    note->seen |= SEEN(event->kind);
    if (node->on_event.fn != NULL && node->on_event.kind == event->kind) {
        sy_sim_at(node->net, sy_time_after(node->net->now, node->on_event.delay), node->on_event.fn,
                  node->on_event.user);
        node->on_event.fn = NULL;
    }
}

void sy_sim_on_event(sy_sim_node *node, sy_event_kind kind, sy_duration delay, sy_sim_action fn,
                     void *user) {
    node->on_event.kind = kind;
    node->on_event.delay = delay;
    node->on_event.fn = fn;
    node->on_event.user = user;
}

void sy_sim_log_sink(void *user, const sy_log_record *record) {
    sy_sim_node *node = user;
    char line[640];
    (void)sy_log_format_kv(record, line, sizeof line);
    sy_sim_trace(node->net, node, "log %s", line);
}

/* ---- Limits ------------------------------------------------------------------------------------
 */

void sy_sim_watch_turn(sy_sim_node *node) {
    const sy_settings *s = &node->settings;
    sy_switch_counts counts;
    sy_switch_get_counts(node->sw, &counts);

    if (counts.inbound > s->max_inbound || counts.outbound > s->max_outbound) {
        sy_sim_fail("%s: %zu inbound of %zu, %zu outbound of %zu", node->name, counts.inbound,
                    s->max_inbound, counts.outbound, s->max_outbound);
    }
    if (s->total_connections != 0 && counts.peers > s->total_connections) {
        sy_sim_fail("%s: %zu peers of %zu", node->name, counts.peers, s->total_connections);
    }
    if (counts.pending > s->max_pending) {
        sy_sim_fail("%s: %zu pending of %zu", node->name, counts.pending, s->max_pending);
    }
    if (counts.memory_used > s->memory_max) {
        sy_sim_fail("%s: %zu bytes of %zu", node->name, counts.memory_used, s->memory_max);
    }
}

/* The switch has stopped and still exists. */
void sy_sim_watch_over(sy_sim_node *node) {
    sy_switch_counts counts;
    sy_switch_get_counts(node->sw, &counts);
    if (counts.peers != 0 || counts.pending != 0 || counts.inbound != 0 || counts.outbound != 0 ||
        counts.persistent != 0 || counts.unconditional != 0) {
        sy_sim_fail("%s: connections are counted after the stop", node->name);
    }
    /* The loop keeps a few buffers for partial packets; that the rest is exact, down to the last
     * byte, the budget's own end asserts. */
    const size_t kept_max = SPARE_BUFFERS * (node->settings.packet_payload_max + SPARE_SLACK);
    if (counts.memory_used < node->idle_memory ||
        counts.memory_used > node->idle_memory + kept_max) {
        sy_sim_fail("%s: %zu bytes of budget are used after the stop, %zu were before", node->name,
                    counts.memory_used, node->idle_memory);
    }
    if (node->open_notes != 0) {
        sy_sim_fail("%s: %zu connections never ended", node->name, node->open_notes);
    }
    if (node->listeners != NULL) {
        sy_sim_fail("%s: a listener is left after the stop", node->name);
    }
}

void sy_sim_watch_del(sy_sim_node *node) {
    sy_mem_release(sy_mem_libc(), node->events);
    node->events = NULL;
    node->events_cap = 0;
    node->open_notes = 0;
}

/* ---- How connections ended ---------------------------------------------------------------------
 */

const sy_sim_end_note *sy_sim_end_at(const sy_sim_node *node, size_t back) {
    const uint64_t kept = node->end_note_count - node->end_note_base;
    const size_t cap = node->net->options.ends_kept;
    if (back >= kept || back >= cap) {
        return NULL;
    }
    return &node->end_notes[(node->end_note_count - 1 - back) % cap];
}

size_t sy_sim_count_ends(const sy_sim_node *node, sy_stage stage, sy_err code) {
    size_t count_found = 0;
    const sy_sim_end_note *note;
    for (size_t i = 0; (note = sy_sim_end_at(node, i)) != NULL; i++) {
        count_found += note->reason.stage == stage && note->reason.code == code;
    }
    return count_found;
}

void sy_sim_expect_end(const sy_sim_node *node, sy_stage stage, sy_err code, const char *clause) {
    const sy_sim_end_note *note = sy_sim_end_at(node, 0);
    if (note == NULL) {
        sy_sim_fail("%s: no connection has ended; expected %s %s", node->name, sy_stage_name(stage),
                    sy_err_name(code));
    }
    if (note->reason.stage != stage || note->reason.code != code) {
        sy_sim_fail("%s: ended with %s %s \"%s\"; expected %s %s", node->name,
                    sy_stage_name(note->reason.stage), sy_err_name(note->reason.code),
                    note->reason.detail.text, sy_stage_name(stage), sy_err_name(code));
    }
    if (clause != NULL && strstr(note->clause, clause) == NULL) {
        sy_sim_fail("%s: ended with clauses \"%s\"; expected \"%s\"", node->name, note->clause,
                    clause);
    }
}

void sy_sim_forget_ends(sy_sim_node *node) {
    node->end_note_base = node->end_note_count;
}
