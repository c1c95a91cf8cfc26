/* SPDX-License-Identifier: Apache-2.0 */
/* Two connections to one ID.  When both ends dial at once, each may see the other's connection as
 * the second one; closing "the second" at both ends closes both.  Implementations in Go keep the
 * one that they inserted first.  So we find out which one the remote accepted: both are parked and
 * pinged, and any packet that comes in on one of them proves that the remote has it.
 *
 *   one ends                        the other stays
 *   both confirmed, crossed         the one dialed by the lower ID stays (both ends decide alike)
 *   both confirmed, same direction  the older stays
 *   time is over                    the only confirmed one stays; of two silent ones the older
 *
 * Only packets since the parking count: a connection that died without a word loses to the new one
 * within the parking time, instead of keeping a restarted peer out until its pong is overdue.
 *
 * SPEC SW-27 SW-28 SW-29 SW-30 SW-31 SW-32 SW-33 SW-34 SW-35 */
#include "base/mutant.h"
#include "p2p/switch_internal.h"

#include <switchyard/assert.h>

static bool is_candidate(const sy_peer *link) {
    return link->state == SY_LINK_UP || link->state == SY_LINK_PARKED;
}

sy_peer *sy_rivals_find(sy_switch *sw, const sy_peer *link) {
    for (uint32_t i = 0; i < sw->slot_count; i++) {
        sy_peer *other = sw->slots[i];
        if (other != NULL && other != link && is_candidate(other) &&
            sy_node_id_equal(&other->id, &link->id)) {
            return other;
        }
    }
    return NULL;
}

static sy_peer *rival_of(const sy_peer *link) {
    return link->rival == SY_SLOT_NONE ? NULL : link->sw->slots[link->rival];
}

static void lose(sy_peer *loser, const sy_peer *winner) {
    sy_detail detail;
    if (loser->outbound != winner->outbound) {
        sy_detail_set(&detail, "the connection that %s dialed stays",
                      winner->outbound ? "we" : "they");
        sy_link_end(loser, SY_ERR_CROSSED, &detail);
    } else {
        sy_detail_set(&detail, "the %s connection stays",
                      winner->slot == loser->rival ? "other" : "older");
        sy_link_end(loser, SY_ERR_DUPLICATE_ID, &detail);
    }
}

static bool is_older(const sy_peer *a, const sy_peer *b) {
    /* The one in UP came first: a link is parked only when it meets one. */
    return a->state == SY_LINK_UP || b->state != SY_LINK_UP;
}

static sy_peer *preferred(sy_peer *a, sy_peer *b) {
    if (a->outbound == b->outbound) {
        return is_older(a, b) != SY_MUTANT(DUPLICATE_NEWER) ? a : b;
    }
    const bool we_are_lower = sy_node_id_cmp(&a->sw->id, &a->id) < 0;
    return (a->outbound == we_are_lower) != SY_MUTANT(CROSSED) ? a : b;
}

static void park(sy_peer *link) {
    sy_mux *mux = sy_session_mux(link->session);
    sy_mux_stats stats;
    sy_mux_get_stats(mux, &stats);
    link->packets_when_parked = stats.packets_received;
    link->confirmed = SY_MUTANT(RIVAL_EARLIER) && stats.packets_received > 0;
    if (SY_MUTANT(RIVAL_PING)) {
        return;
    }
    sy_mux_ping(mux, link->sw->now);
    sy_link_mark_dirty(link);
}

void sy_rivals_meet(sy_peer *link, sy_peer *other) {
    sy_switch *sw = link->sw;
    sy_detail detail;

    if (other->rival != SY_SLOT_NONE) {
        if (SY_MUTANT(RIVAL_THIRD)) {
            return;
        }
        sy_detail_set(&detail, "a third connection to this ID");
        sy_link_end(link, SY_ERR_DUPLICATE_ID, &detail);
        return;
    }
    const sy_err err = sy_session_accept(link->session, sw->now);
    if (err != SY_OK) {
        sy_link_end(link, err, NULL);
        return;
    }
    sy_link_set_state(link, SY_LINK_PARKED);
    link->rival = other->slot;
    other->rival = link->slot;
    park(link);
    park(other);
    sy_timers_set(&sw->timers, &link->deadline, sy_time_after(sw->now, sw->settings.park_timeout));
    sy_link_refresh_clock(other);
    sy_link_resume(link);
}

void sy_rivals_on_packet(sy_peer *link) {
    sy_peer *other = rival_of(link);
    if (other == NULL || !is_candidate(link) || !is_candidate(other) || !link->confirmed ||
        !other->confirmed) {
        return;
    }
    sy_peer *winner = preferred(link, other);
    lose(winner == link ? other : link, winner);
}

void sy_rivals_on_timeout(sy_peer *link) {
    sy_peer *other = rival_of(link);
    SY_ASSERT(link->state == SY_LINK_PARKED);
    SY_ASSERT(other != NULL);

    if (!is_candidate(other)) {
        return; /* decided in this very turn: it is on its way out */
    }
    if (link->confirmed == other->confirmed || SY_MUTANT(DUPLICATE_SILENT)) {
        lose(link, other); /* the parked one is the newer */
    } else if (link->confirmed) {
        lose(other, link);
    } else {
        lose(link, other);
    }
}

/* The loser is on its way out, perhaps still sending what is queued: the winner need not wait for
 * that. */
void sy_rivals_settle(sy_switch *sw, sy_peer *loser) {
    SY_ASSERT(!is_candidate(loser));
    if (loser->rival == SY_SLOT_NONE) {
        return;
    }
    sy_peer *winner = sw->slots[loser->rival];
    loser->rival = SY_SLOT_NONE;
    if (winner == NULL || winner->rival != loser->slot) {
        return;
    }
    winner->rival = SY_SLOT_NONE;
    if (winner->state == SY_LINK_PARKED) {
        sy_timers_clear(&sw->timers, &winner->deadline);
        if (SY_MUTANT(CROSSED_RACE) && loser->read_ended && loser->confirmed &&
            loser->outbound != winner->outbound) {
            return;
        }
        sy_link_info_accepted(winner);
    }
}

/* SPEC SW-35: a connection of this ID that has ended, in this turn or while its queue is being
 * sent, leaves the set before the new one enters it. */
void sy_rivals_clear_way(sy_peer *link) {
    sy_switch *sw = link->sw;
    for (uint32_t i = 0; i < sw->slot_count; i++) {
        sy_peer *other = sw->slots[i];
        if (other != NULL && other != link && other->in_roster && !is_candidate(other) &&
            sy_node_id_equal(&other->id, &link->id)) {
            sy_roster_remove(other);
        }
    }
}

/* Another connection to this ID is a peer, or about to become one. */
bool sy_rivals_has_other(const sy_peer *link) {
    return link->has_id && sy_rivals_find(link->sw, link) != NULL;
}
