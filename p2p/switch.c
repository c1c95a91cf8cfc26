/* SPDX-License-Identifier: Apache-2.0 */
/* The switch as a whole: reactors, start and stop, the driver's reports, turns and timers. */
#include "p2p/app.h"
#include "p2p/isolated.h"
#include "p2p/lookup.h"

#include <stddef.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"

#define CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static void notice_time(sy_switch *sw, sy_time now) {
    SY_ASSERT(now != SY_NEVER);
    SY_REQUIRE(now >= sw->now);
    sw->now = now;
}

/* ---- Observation -------------------------------------------------------------------------------
 */

sy_event sy_link_event(const sy_peer *link, sy_event_kind kind) {
    return (sy_event){
        .kind = kind,
        .ref = {link->slot, link->generation},
        .outbound = link->outbound,
        .has_id = link->has_id,
        .id = link->id,
        .remote = &link->remote,
        .profile = link->profile == NULL ? "" : link->profile->name,
        .info = link->info,
        .reason = link->has_reason ? &link->reason : NULL,
    };
}

void sy_switch_observe(sy_switch *sw, const sy_event *event) {
    if (sw->settings.observer != NULL) {
        sw->settings.observer(sw->settings.observer_user, event, sw->now);
    }
}

/* ---- Reactors ----------------------------------------------------------------------------------
 */

/* SPEC SW-45 */
static sy_err check_reactor(const sy_switch *sw, const sy_reactor_ops *ops, sy_detail *detail) {
    if (ops->size != sizeof *ops || ops->name == NULL || ops->name[0] == '\0') {
        sy_detail_set(detail, "reactor table without size or name");
        return SY_ERR_INVALID;
    }
    if (sw->reactor_count == SY_REACTORS_MAX) {
        sy_detail_set(detail, "reactor %s: at most %d reactors", ops->name, SY_REACTORS_MAX);
        return SY_ERR_INVALID;
    }
    for (size_t i = 0; i < sw->reactor_count; i++) {
        if (strcmp(sw->reactors[i].ops->name, ops->name) == 0) {
            sy_detail_set(detail, "a reactor named %s is already registered", ops->name);
            return SY_ERR_INVALID;
        }
    }
    for (size_t i = 0; i < ops->channel_count; i++) {
        const uint8_t id = ops->channels[i].id;
        if (sw->channels.index_of[id] != SY_CHANNEL_NONE) {
            sy_detail_set(detail, "reactor %s: channel 0x%02x is already registered", ops->name,
                          id);
            return SY_ERR_CHANNEL_TAKEN;
        }
    }
    return SY_OK;
}

static sy_err add_reactor(sy_switch *sw, const sy_reactor_ops *ops, void *reactor,
                          const sy_isolation *isolation, sy_detail *detail) {
    if (sw->state != SY_SWITCH_NEW) {
        sy_detail_set(detail, "the switch has started");
        return SY_ERR_STATE;
    }
    sy_err err = check_reactor(sw, ops, detail);
    if (err != SY_OK) {
        return err;
    }
    const sy_channel_set before = sw->channels;
    for (size_t i = 0; i < ops->channel_count; i++) {
        err = sy_channel_set_add(&sw->channels, &ops->channels[i]);
        if (err != SY_OK) {
            sy_detail_set(detail, "reactor %s: channel 0x%02x: %s", ops->name, ops->channels[i].id,
                          sy_strerror(err));
            sw->channels = before;
            return err;
        }
    }
    sy_reactor_slot *slot = &sw->reactors[sw->reactor_count];
    *slot = (sy_reactor_slot){.ops = ops, .reactor = reactor, .first_channel = before.count};
    sy_timer_init(&slot->timer, SY_TIMER_REACTOR);
    if (isolation != NULL) {
        err = sy_isolated_new(sw, slot, isolation);
        if (err != SY_OK) {
            sw->channels = before;
            return err;
        }
    } else {
        slot->state_offset = sw->peer_state_size;
        sw->peer_state_size += (ops->peer_state_size + 15u) & ~(size_t)15u;
    }
    sw->reactor_count++;
    return SY_OK;
}

sy_err sy_switch_add_reactor(sy_switch *sw, const sy_reactor_ops *ops, void *reactor,
                             sy_detail *detail) {
    return add_reactor(sw, ops, reactor, NULL, detail);
}

sy_err sy_switch_add_reactor_isolated(sy_switch *sw, const sy_reactor_ops *ops, void *reactor,
                                      const sy_isolation *isolation, sy_detail *detail) {
    sy_isolation settings;
    if (isolation == NULL) {
        sy_isolation_default(&settings);
    } else {
        SY_REQUIRE(isolation->size == sizeof *isolation);
        settings = *isolation;
    }
    if (sw->ops.worker_start == NULL) { /* SPEC RX-01 */
        sy_detail_set(detail, "reactor %s: this driver has no threads for isolated reactors",
                      ops->name == NULL ? "" : ops->name);
        return SY_ERR_INVALID;
    }
    if (ops->dial_failed != NULL) {
        sy_detail_set(detail, "reactor %s: dial_failed is for reactors on the loop",
                      ops->name == NULL ? "" : ops->name);
        return SY_ERR_INVALID;
    }
    return add_reactor(sw, ops, reactor, &settings, detail);
}

void sy_switch_reactor_touch(sy_switch *sw, const void *reactor) {
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_isolated *iso = sw->reactors[i].iso;
        if (sw->reactors[i].reactor != reactor) {
            continue;
        }
        if (iso != NULL && iso->worker != NULL) {
            sw->ops.worker_wake(sw->driver, iso->worker);
        } else {
            sy_reactor_refresh(sw, &sw->reactors[i]);
        }
    }
}

static void stop_reactors(sy_switch *sw) {
    for (size_t i = sw->reactor_count; i-- > 0;) {
        sy_reactor_slot *slot = &sw->reactors[i];
        if (slot->started) {
            slot->started = false;
            sy_timers_clear(&sw->timers, &slot->timer);
            if (slot->iso != NULL && slot->iso->worker != NULL) {
                sy_isolated_shut(slot->iso); /* its worker runs `stop`, or has done so */
            } else if (slot->ops->stop != NULL) {
                slot->ops->stop(slot->reactor, sw->now);
            }
        }
    }
}

/* Blocks until every worker is gone. */
static void join_workers(sy_switch *sw) {
    for (size_t i = 0; i < sw->reactor_count; i++) {
        if (sw->reactors[i].iso != NULL) {
            sy_isolated_join(sw->reactors[i].iso);
        }
    }
}

static sy_err start_reactors(sy_switch *sw) {
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_reactor_slot *slot = &sw->reactors[i];
        sy_channel channels[SY_CHANNELS_MAX];
        for (size_t k = 0; k < slot->ops->channel_count; k++) {
            channels[k] = (sy_channel)(slot->first_channel + k);
        }
        slot->started = true;
        if (slot->ops->start != NULL) {
            const sy_err err = slot->ops->start(slot->reactor, sw, channels, sw->now);
            if (err != SY_OK) {
                slot->started = false;
                stop_reactors(sw);
                join_workers(sw);
                return err;
            }
        }
        const sy_err err = slot->iso == NULL ? SY_OK : sy_isolated_start(slot->iso);
        if (err != SY_OK) {
            stop_reactors(sw);
            join_workers(sw);
            return err;
        }
        sy_reactor_refresh(sw, slot);
    }
    return SY_OK;
}

/* The workers come to their ends side by side; true when all have. */
static bool workers_are_over(sy_switch *sw) {
    bool over = true;
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_isolated *iso = sw->reactors[i].iso;
        if (iso != NULL && sw->reactors[i].started) {
            sy_isolated_shut(iso);
            over = sy_isolated_is_finished(iso) && over;
            sy_isolated_collect(iso);
        }
    }
    return over;
}

/* ---- Start, listen, stop -----------------------------------------------------------------------
 */

/* SPEC NI-19 */
static sy_err announce_channels(sy_switch *sw) {
    for (size_t i = 0; i < sw->settings.extra_channel_count; i++) {
        const uint8_t id = sw->settings.extra_channels[i];
        if (sw->channels.index_of[id] != SY_CHANNEL_NONE) {
            continue;
        }
        const sy_channel_desc sink = {.id = id, .name = "sink", .sink = true};
        const sy_err err = sy_channel_set_add(&sw->channels, &sink);
        if (err != SY_OK) {
            return err;
        }
    }
    if (sw->channels.count > SY_NODE_INFO_CHANNELS_MAX) {
        return SY_ERR_CONFIG;
    }
    for (uint16_t i = 0; i < sw->channels.count; i++) {
        sw->our_channels[i] = sw->channels.desc[i].id;
    }
    sw->ours.channels = sw->our_channels;
    sw->ours.channel_count = sw->channels.count;
    return SY_OK;
}

/* SPEC PL-06 */
static void warn_of_plain(const sy_switch *sw) {
    for (size_t i = 0; i < sw->settings.profile_count; i++) {
        if (sw->profiles[i] == &sy_profile_plain) {
            SY_LOG(&sw->settings.log, SY_LOG_WARN, "switch", "plain_allowed", sw->now,
                   SY_F_STR("detail", sw->settings.plain_anywhere
                                          ? "nobody is authenticated, nothing is encrypted, and "
                                            "anybody may connect that way"
                                          : "nobody on loopback and private networks is "
                                            "authenticated, nothing there is encrypted"));
        }
    }
}

sy_err sy_switch_start(sy_switch *sw, sy_time now) {
    if (sw->state != SY_SWITCH_NEW) {
        return SY_ERR_STATE;
    }
    notice_time(sw, now);
    sy_token_bucket_init(&sw->refusal_log, 10, 50, now); /* SPEC ER-13 */
    warn_of_plain(sw);
    sy_err err = announce_channels(sw);
    if (err == SY_OK) {
        err = start_reactors(sw);
    }
    if (err == SY_OK) {
        sw->state = SY_SWITCH_RUNNING;
        sy_app_start(sw);
    }
    return err;
}

sy_err sy_switch_listen(sy_switch *sw, const sy_endpoint *local, sy_endpoint *ret_bound,
                        sy_detail *detail) {
    sy_endpoint bound;
    void *listener;

    if (sw->state != SY_SWITCH_RUNNING ||
        sw->listener_count == sizeof sw->listeners / sizeof sw->listeners[0]) {
        sy_detail_set(detail, "not running, or too many listeners");
        return SY_ERR_STATE;
    }
    const sy_err err = sw->ops.listen(sw->driver, sw, local, &bound, &listener, detail);
    if (err != SY_OK) {
        return err;
    }
    sw->listeners[sw->listener_count++] = listener;
    sy_own_addr_on_listen(sw, &bound);
    if (ret_bound != NULL) {
        *ret_bound = bound;
    }
    return SY_OK;
}

static void close_listeners(sy_switch *sw) {
    while (sw->listener_count > 0) {
        sw->ops.listener_close(sw->driver, sw->listeners[--sw->listener_count]);
    }
}

/* SPEC SW-55 SW-56 */
void sy_switch_stop(sy_switch *sw, sy_time now) {
    if (sw->state == SY_SWITCH_NEW) {
        sw->state = SY_SWITCH_STOPPED;
    }
    if (sw->state != SY_SWITCH_RUNNING) {
        return;
    }
    notice_time(sw, now);
    sw->state = SY_SWITCH_STOPPING;
    close_listeners(sw);
    for (uint32_t i = 0; i < sw->slot_count; i++) {
        if (sw->slots[i] != NULL) {
            sy_link_end(sw->slots[i], SY_ERR_SHUTDOWN, NULL);
        }
    }
    sy_app_stop(sw);
    sy_lookup_cancel_all(sw);
    sw->again = true;
}

bool sy_switch_is_stopped(const sy_switch *sw) {
    return sw->state == SY_SWITCH_STOPPED;
}

/* ---- Turns and timers --------------------------------------------------------------------------
 */

sy_time sy_switch_next_expiry(const sy_switch *sw) {
    if (sw->again || sw->dirty != NULL || sw->dead != NULL) {
        return sw->now;
    }
    if (sw->state == SY_SWITCH_STOPPED) {
        return SY_NEVER;
    }
    sy_time at = sy_timers_next(&sw->timers);
    if (sw->state == SY_SWITCH_RUNNING) {
        at = sy_time_min(at, sy_dial_table_next_due(&sw->dials));
    }
    return at;
}

static void fire(sy_switch *sw, sy_timer *timer) {
    switch ((sy_timer_kind)timer->kind) {
    case SY_TIMER_DEADLINE:
        sy_link_on_deadline(CONTAINER(timer, sy_peer, deadline));
        return;
    case SY_TIMER_CLOCK:
        sy_link_on_clock(CONTAINER(timer, sy_peer, clock));
        return;
    case SY_TIMER_REACTOR: {
        sy_reactor_slot *slot = CONTAINER(timer, sy_reactor_slot, timer);
        if (slot->iso != NULL) {
            sy_isolated_on_timer(slot->iso);
            return;
        }
        if (slot->started && slot->ops->on_expiry != NULL) {
            slot->ops->on_expiry(slot->reactor, sw->now);
        }
        sy_reactor_refresh(sw, slot);
        return;
    }
    case SY_TIMER_LOOKUP_DEADLINE:
        sy_lookup_on_deadline(sw, CONTAINER(timer, sy_lookup, deadline));
        return;
    case SY_TIMER_LOOKUP_RETRY:
        sy_lookup_on_retry(sw, CONTAINER(timer, sy_lookup, retry));
        return;
    case SY_TIMER_VERDICT:
        sy_link_on_verdict_time(CONTAINER(timer, sy_peer, verdict));
        return;
    case SY_TIMER_APP:
        sy_app_on_timer(sw);
        return;
    }
    SY_UNREACHABLE();
}

void sy_switch_on_expiry(sy_switch *sw, sy_time now) {
    notice_time(sw, now);
    /* A timer that is set again for an instant that has passed waits for the next turn, so that no
     * reactor can hold the loop here. */
    size_t budget = sw->link_count * 3 + SY_LOOKUPS_MAX * 2 + sw->reactor_count + 1;
    sy_timer *timer;
    while (budget-- > 0 && (timer = sy_timers_pop_due(&sw->timers, now)) != NULL) {
        fire(sw, timer);
    }
    if (sw->state == SY_SWITCH_RUNNING) {
        sy_dialing_run(sw);
    }
}

static void flush_all(sy_switch *sw) {
    /* Flushing may make others dirty (a reactor's `writable` sends): they wait for the next turn
     * when they were flushed in this one. */
    sy_peer *list = sw->dirty;
    sw->dirty = NULL;
    while (list != NULL) {
        sy_peer *link = list;
        list = link->next_dirty;
        link->next_dirty = NULL;
        link->dirty = false;
        sy_link_flush(link);
        if (link->state == SY_LINK_FLUSHING) {
            sy_rivals_settle(sw, link);
        }
    }
}

/* SPEC SW-52: nothing is freed before the end of the turn. */
static void reap_all(sy_switch *sw) {
    /* peer_removed may end further connections; they are taken in the same turn. */
    while (sw->dead != NULL) {
        sy_peer *link = sw->dead;
        sw->dead = link->next_dead;
        if (link->dirty) {
            sy_peer **at = &sw->dirty;
            while (*at != link) {
                at = &(*at)->next_dirty;
            }
            *at = link->next_dirty;
        }
        sy_link_reap(link);
    }
}

void sy_switch_turn_end(sy_switch *sw, sy_time now) {
    notice_time(sw, now);
    sw->again = false;
    sy_app_turn_end(sw);
    flush_all(sw);
    reap_all(sw);
    if (sw->state == SY_SWITCH_STOPPING && sw->link_count == 0 && workers_are_over(sw)) {
        stop_reactors(sw);
        sw->state = SY_SWITCH_STOPPED;
        if (sw->settings.stopped != NULL) { /* SPEC SW-55 */
            sw->settings.stopped(sw->settings.stopped_user, now);
        }
    }
}

void sy_switch_del(sy_switch *sw) {
    if (sw == NULL) {
        return;
    }
    sy_switch_stop(sw, sw->now);
    for (uint32_t i = 0; i < sw->slot_count; i++) {
        if (sw->slots[i] != NULL) {
            sy_link_end(sw->slots[i], SY_ERR_SHUTDOWN, NULL); /* a second end kills the flushing */
        }
    }
    reap_all(sw);
    stop_reactors(sw);
    join_workers(sw);
    sy_switch_free(sw);
}
