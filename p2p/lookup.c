/* SPDX-License-Identifier: Apache-2.0 */
/* Names being resolved: for dials (at each dial, never cached) and for the ListenAddr of remotes
 * (cached and rationed, because a remote chooses the name).  Each has a deadline of its own.
 *
 * SPEC SW-25 SW-26 SW-38 SW-58 NI-41 */
#include "p2p/lookup.h"
#include "p2p/app.h"

#include <string.h>

#include <switchyard/assert.h>

/* Made when the first name is met: most nodes are dialed by address only. */
struct sy_lookups {
    sy_resolve_cache names;
    sy_lookup entry[SY_LOOKUPS_MAX];
};

/* NULL: too many, or no memory for the first one. */
static sy_lookup *take_slot(sy_switch *sw, const char *host) {
    if (sw->lookups == NULL) {
        sw->lookups = sy_mem_zalloc(&sw->mem, sizeof *sw->lookups);
        if (sw->lookups == NULL) {
            return NULL;
        }
        sy_resolve_cache_init(&sw->lookups->names, 0, SY_RESOLVE_CACHE_RATE, SY_RESOLVE_CACHE_BURST,
                              0);
    }
    for (size_t i = 0; i < SY_LOOKUPS_MAX; i++) {
        sy_lookup *lookup = &sw->lookups->entry[i];
        if (lookup->used) {
            continue;
        }
        const size_t len = strlen(host);
        SY_ASSERT(len < sizeof lookup->host);
        const uint32_t generation = lookup->generation + 1;
        *lookup = (sy_lookup){.generation = generation == 0 ? 1 : generation, .used = true};
        memcpy(lookup->host, host, len + 1);
        sy_timer_init(&lookup->deadline, SY_TIMER_LOOKUP_DEADLINE);
        sy_timer_init(&lookup->retry, SY_TIMER_LOOKUP_RETRY);
        return lookup;
    }
    return NULL;
}

static sy_resolve_ref ref_of(const sy_switch *sw, const sy_lookup *lookup) {
    return (sy_resolve_ref){(uint32_t)(lookup - sw->lookups->entry), lookup->generation};
}

static void release(sy_switch *sw, sy_lookup *lookup) {
    sy_timers_clear(&sw->timers, &lookup->deadline);
    sy_timers_clear(&sw->timers, &lookup->retry);
    lookup->used = false;
}

static sy_err start(sy_switch *sw, sy_lookup *lookup) {
    const sy_err err = sw->ops.resolve(sw->driver, ref_of(sw, lookup), lookup->host);
    lookup->started = err == SY_OK;
    return err;
}

static void set_deadline(sy_switch *sw, sy_lookup *lookup) {
    sy_timers_set(&sw->timers, &lookup->deadline,
                  sy_time_after(sw->now, sw->settings.resolve_timeout));
}

sy_err sy_lookup_for_dial(sy_switch *sw, const char *host, sy_dial_ref dial) {
    sy_lookup *lookup = take_slot(sw, host);
    if (lookup == NULL) {
        return SY_ERR_LIMIT;
    }
    lookup->for_dial = true;
    lookup->dial = dial;
    const sy_err err = start(sw, lookup);
    if (err != SY_OK) {
        release(sw, lookup);
        return err;
    }
    set_deadline(sw, lookup);
    return SY_OK;
}

sy_err sy_lookup_for_app(sy_switch *sw, const char *host, sy_resolve_ref *ret_ref) {
    sy_lookup *lookup = take_slot(sw, host);
    if (lookup == NULL) {
        return SY_ERR_LIMIT;
    }
    lookup->for_app = true;
    const sy_err err = start(sw, lookup);
    if (err != SY_OK) {
        release(sw, lookup);
        return err;
    }
    set_deadline(sw, lookup);
    *ret_ref = ref_of(sw, lookup);
    return SY_OK;
}

/* Of a name that a remote chose. */
static bool is_for_link(const sy_lookup *lookup) {
    return !lookup->for_dial && !lookup->for_app;
}

static void answer_link(sy_peer *link, const char *host, size_t count, const char *why) {
    sy_detail detail;
    sy_detail_set(&detail, "listen address ");
    sy_detail_quote(&detail, host, strlen(host));
    sy_detail_add(&detail, ": %s", why);
    sy_link_on_listen_resolved(link, count > 0 ? SY_OK : SY_ERR_NI_LISTEN_RESOLVE, &detail);
}

/* Asks the cache; true when the look-up is over (answered or failed). */
static bool ask(sy_switch *sw, sy_lookup *lookup, sy_peer *link) {
    sy_resolve_answer answer;
    switch (sy_resolve_cache_ask(&sw->lookups->names, lookup->host, &answer, sw->now)) {
    case SY_RESOLVE_KNOWN:
        answer_link(link, lookup->host, answer.count, "no address (remembered)");
        return true;
    case SY_RESOLVE_PENDING:
        return false; /* somebody else's look-up brings the answer for all */
    case SY_RESOLVE_START:
        if (start(sw, lookup) != SY_OK) {
            sy_resolve_cache_abandon(&sw->lookups->names, lookup->host);
            answer_link(link, lookup->host, 0, "the resolver does not work");
            return true;
        }
        return false;
    case SY_RESOLVE_LIMITED:
        sy_timers_set(&sw->timers, &lookup->retry,
                      sy_resolve_cache_ready_at(&sw->lookups->names, sw->now));
        return false;
    }
    SY_UNREACHABLE();
}

void sy_lookup_for_link(sy_peer *link, const char *host) {
    sy_switch *sw = link->sw;
    sy_lookup *lookup = take_slot(sw, host);
    if (lookup == NULL) {
        answer_link(link, host, 0, "too many names being looked up");
        return;
    }
    lookup->link = (sy_stream_ref){link->slot, link->generation};
    link->resolve = ref_of(sw, lookup);
    if (ask(sw, lookup, link)) {
        release(sw, lookup);
        return;
    }
    set_deadline(sw, lookup);
}

void sy_lookup_on_retry(sy_switch *sw, sy_lookup *lookup) {
    sy_peer *link = sy_link_of_ref(sw, lookup->link);
    if (link == NULL || ask(sw, lookup, link)) {
        release(sw, lookup);
    }
}

static void cancel(sy_switch *sw, sy_lookup *lookup) {
    if (lookup->started) {
        sw->ops.resolve_cancel(sw->driver, ref_of(sw, lookup));
        if (is_for_link(lookup)) {
            sy_resolve_cache_abandon(&sw->lookups->names, lookup->host);
        }
    }
    release(sw, lookup);
}

/* The look-up of this name is gone without an answer: one of those that waited for it takes over.
 */
static void pass_on(sy_switch *sw, const char *host) {
    for (size_t i = 0; i < SY_LOOKUPS_MAX; i++) {
        sy_lookup *other = &sw->lookups->entry[i];
        if (other->used && is_for_link(other) && !other->started &&
            strcmp(other->host, host) == 0) {
            sy_timers_set(&sw->timers, &other->retry, sw->now);
            return;
        }
    }
}

void sy_lookup_cancel(sy_switch *sw, sy_resolve_ref ref) {
    if (ref.generation == 0) {
        return;
    }
    sy_lookup *lookup = &sw->lookups->entry[ref.slot];
    if (!lookup->used || lookup->generation != ref.generation) {
        return;
    }
    const bool had_waiters = lookup->started && is_for_link(lookup);
    cancel(sw, lookup);
    if (had_waiters) {
        pass_on(sw, lookup->host);
    }
}

void sy_lookup_cancel_all(sy_switch *sw) {
    for (size_t i = 0; sw->lookups != NULL && i < SY_LOOKUPS_MAX; i++) {
        if (sw->lookups->entry[i].used) {
            cancel(sw, &sw->lookups->entry[i]);
        }
    }
}

void sy_lookup_on_deadline(sy_switch *sw, sy_lookup *lookup) {
    if (lookup->for_dial) {
        const sy_dial_ref dial = lookup->dial;
        cancel(sw, lookup);
        sy_dialing_on_resolved(sw, dial, NULL, 0);
        return;
    }
    if (lookup->for_app) {
        cancel(sw, lookup);
        sy_app_on_resolved(sw, NULL, 0);
        return;
    }
    char host[SY_HOST_MAX + 1];
    memcpy(host, lookup->host, sizeof host);
    sy_peer *link = sy_link_of_ref(sw, lookup->link);
    sy_lookup_cancel(sw, ref_of(sw, lookup));
    if (link != NULL) {
        answer_link(link, host, 0, "no answer in time");
    }
}

static void answer_waiting_links(sy_switch *sw, const char *host, size_t count) {
    for (size_t i = 0; i < SY_LOOKUPS_MAX; i++) {
        sy_lookup *lookup = &sw->lookups->entry[i];
        if (!lookup->used || !is_for_link(lookup) || strcmp(lookup->host, host) != 0) {
            continue;
        }
        sy_peer *link = sy_link_of_ref(sw, lookup->link);
        release(sw, lookup);
        if (link != NULL) {
            answer_link(link, host, count, "no address");
        }
    }
}

void sy_switch_on_resolved(sy_switch *sw, sy_resolve_ref ref, sy_err err,
                           const sy_endpoint *endpoints, size_t count, const sy_detail *detail,
                           sy_time now) {
    SY_REQUIRE(now >= sw->now);
    sw->now = now;
    if (ref.slot >= SY_LOOKUPS_MAX || sw->lookups == NULL) {
        return;
    }
    sy_lookup *lookup = &sw->lookups->entry[ref.slot];
    if (!lookup->used || lookup->generation != ref.generation) {
        return;
    }
    const size_t found = err == SY_OK ? count : 0;
    char host[SY_HOST_MAX + 1];
    memcpy(host, lookup->host, sizeof host);

    if (found == 0) {
        SY_LOG(&sw->settings.log, SY_LOG_DEBUG, "switch", "name_not_resolved", now,
               SY_F_STR("host", host), SY_F_STR("detail", detail == NULL ? "" : detail->text));
    }
    if (lookup->for_dial) {
        const sy_dial_ref dial = lookup->dial;
        release(sw, lookup);
        sy_dialing_on_resolved(sw, dial, endpoints, found);
        return;
    }
    if (lookup->for_app) {
        release(sw, lookup);
        sy_app_on_resolved(sw, endpoints, found);
        return;
    }
    sy_resolve_cache_put(&sw->lookups->names, host, endpoints, found, now);
    answer_waiting_links(sw, host, found);
}
