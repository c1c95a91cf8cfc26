/* SPDX-License-Identifier: Apache-2.0 */
/* Peers and reactors: peer_init, peer_added, receive, writable, peer_removed, peer_fini in their
 * strict order, and the list of peers in order of arrival.
 *
 * SPEC SW-04 SW-46 SW-47 SW-48 SW-49 SW-50 */
#include "p2p/isolated.h"

#include <switchyard/assert.h>

void sy_reactor_refresh(sy_switch *sw, sy_reactor_slot *slot) {
    if (slot->iso == NULL && slot->ops->next_expiry != NULL && slot->started) {
        sy_timers_set(&sw->timers, &slot->timer, slot->ops->next_expiry(slot->reactor));
    }
}

void *sy_roster_state(const sy_peer *link, const sy_reactor_slot *slot) {
    if (slot->ops->peer_state_size == 0) {
        return NULL;
    }
    return (uint8_t *)link->reactor_state + slot->state_offset;
}

static void fini_first(sy_peer *link, size_t count) {
    sy_switch *sw = link->sw;
    for (size_t i = count; i-- > 0;) {
        sy_reactor_slot *slot = &sw->reactors[i];
        if (slot->iso != NULL) {
            sy_isolated_closed(slot->iso, link);
        } else if (slot->ops->peer_fini != NULL) {
            slot->ops->peer_fini(slot->reactor, link, sy_roster_state(link, slot));
            sy_reactor_refresh(sw, slot);
        }
    }
    if (link->reactor_state != NULL) {
        sy_mem_release(&sw->mem, link->reactor_state);
        sy_budget_release(&sw->memory, sw->peer_state_size);
        link->reactor_state = NULL;
    }
}

static sy_err make_state(sy_peer *link) {
    sy_switch *sw = link->sw;
    if (sw->peer_state_size == 0) {
        return SY_OK;
    }
    const sy_err err = sy_budget_reserve(&sw->memory, sw->peer_state_size);
    if (err != SY_OK) {
        return err;
    }
    link->reactor_state = sy_mem_zalloc(&sw->mem, sw->peer_state_size);
    if (link->reactor_state == NULL) {
        sy_budget_release(&sw->memory, sw->peer_state_size);
        return SY_ERR_NOMEM;
    }
    return SY_OK;
}

static sy_err init_all(sy_peer *link) {
    sy_switch *sw = link->sw;
    const sy_err err = make_state(link);
    if (err != SY_OK) {
        return err;
    }
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_reactor_slot *slot = &sw->reactors[i];
        if (slot->iso == NULL && slot->ops->peer_init == NULL) {
            continue;
        }
        const sy_err failed =
            slot->iso != NULL
                ? sy_isolated_open(slot->iso, link)
                : slot->ops->peer_init(slot->reactor, link, sy_roster_state(link, slot), sw->now);
        sy_reactor_refresh(sw, slot);
        if (failed != SY_OK || link->has_reason) {
            /* The one that failed gets its peer_fini too: it may have kept half of its state. */
            fini_first(link, i + 1);
            return failed != SY_OK ? failed : link->reason.code;
        }
    }
    return SY_OK;
}

static void insert(sy_peer *link) {
    sy_switch *sw = link->sw;
    link->roster_prev = sw->roster_last;
    link->roster_next = NULL;
    if (sw->roster_last != NULL) {
        sw->roster_last->roster_next = link;
    } else {
        sw->roster_first = link;
    }
    sw->roster_last = link;
    sw->roster_count++;
    link->in_roster = true;
}

static void take_out(sy_peer *link) {
    sy_switch *sw = link->sw;
    if (link->roster_prev != NULL) {
        link->roster_prev->roster_next = link->roster_next;
    } else {
        sw->roster_first = link->roster_next;
    }
    if (link->roster_next != NULL) {
        link->roster_next->roster_prev = link->roster_prev;
    } else {
        sw->roster_last = link->roster_prev;
    }
    SY_ASSERT(sw->roster_count > 0);
    sw->roster_count--;
    link->in_roster = false;
}

static void log_added(const sy_peer *link) {
    const sy_switch *sw = link->sw;
    char id[SY_NODE_ID_TEXT_CAP];
    char remote[SY_ENDPOINT_TEXT_CAP];

    if (!sy_log_enabled(&sw->settings.log, SY_LOG_INFO)) {
        return;
    }
    sy_node_id_format(&link->id, id);
    (void)sy_endpoint_format(&link->remote, remote);
    SY_LOG(&sw->settings.log, SY_LOG_INFO, "switch", "peer_added", sw->now, SY_F_STR("id", id),
           SY_F_STR("addr", remote), SY_F_STR("direction", link->outbound ? "out" : "in"),
           SY_F_STR("class", sy_peer_class_name(link->peer_class)),
           SY_F_STR("profile", link->profile->name),
           SY_F_STRN("moniker", link->info->moniker.data, link->info->moniker.len),
           SY_F_STRN("version", link->info->version.data, link->info->version.len),
           SY_F_U64("peers", sw->roster_count));
}

void sy_roster_add(sy_peer *link) {
    sy_switch *sw = link->sw;
    SY_ASSERT(link->state == SY_LINK_UP);
    SY_ASSERT(!link->in_roster);

    const sy_err err = init_all(link);
    if (link->has_reason) {
        return; /* SPEC SW-59: a reactor has stopped it inside peer_init, and said why */
    }
    if (err != SY_OK) {
        sy_link_end(link, err, NULL);
        return;
    }
    insert(link);
    link->opened_at = sw->now;
    link->was_up = true;
    log_added(link);
    const sy_event event = sy_link_event(link, SY_EVENT_PEER_UP);
    sy_switch_observe(sw, &event);
    sy_dialing_on_link_up(link);

    link->added = true;
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_reactor_slot *slot = &sw->reactors[i];
        if (slot->iso != NULL) {
            sy_isolated_added(slot->iso, link);
        } else if (slot->ops->peer_added != NULL) {
            slot->ops->peer_added(slot->reactor, link, sy_roster_state(link, slot), sw->now);
            sy_reactor_refresh(sw, slot);
        }
    }
}

void sy_roster_remove(sy_peer *link) {
    sy_switch *sw = link->sw;
    if (!link->in_roster) {
        return;
    }
    take_out(link);
    SY_ASSERT(link->added);
    link->added = false;
    for (size_t i = sw->reactor_count; i-- > 0;) {
        sy_reactor_slot *slot = &sw->reactors[i];
        if (slot->iso == NULL && slot->ops->peer_removed != NULL) {
            slot->ops->peer_removed(slot->reactor, link, sy_roster_state(link, slot), &link->reason,
                                    sw->now);
            sy_reactor_refresh(sw, slot);
        }
    }
    fini_first(link, sw->reactor_count);
}

static sy_reactor_slot *owner_of(sy_switch *sw, sy_channel channel) {
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_reactor_slot *slot = &sw->reactors[i];
        if (channel >= slot->first_channel &&
            channel < slot->first_channel + slot->ops->channel_count) {
            return slot;
        }
    }
    return NULL; /* an announced sink without reactor */
}

void sy_roster_deliver(sy_peer *link, sy_channel channel, const uint8_t *data, size_t len) {
    SY_ASSERT(link->added);
    sy_reactor_slot *slot = owner_of(link->sw, channel);
    if (slot != NULL && slot->iso != NULL) {
        sy_isolated_deliver(slot->iso, link, channel, data, len);
        return;
    }
    if (slot == NULL || slot->ops->receive == NULL) {
        return;
    }
    slot->ops->receive(slot->reactor, link, sy_roster_state(link, slot), channel, data, len,
                       link->sw->now);
    sy_reactor_refresh(link->sw, slot);
}

void sy_roster_writable(sy_peer *link, sy_channel channel) {
    sy_reactor_slot *slot = owner_of(link->sw, channel);
    if (slot == NULL || slot->iso != NULL || slot->ops->writable == NULL) {
        return;
    }
    slot->ops->writable(slot->reactor, link, sy_roster_state(link, slot), channel, link->sw->now);
    sy_reactor_refresh(link->sw, slot);
}
