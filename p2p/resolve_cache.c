/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the resolver: docs/spec/switch.md, SW-26. */
#include "p2p/resolve_cache.h"

#include <string.h>

#include <switchyard/assert.h>

typedef struct sy_resolve_entry entry;

void sy_resolve_cache_init(sy_resolve_cache *cache, sy_duration ttl, uint64_t rate, uint64_t burst,
                           sy_time now) {
    SY_REQUIRE(cache != NULL);
    memset(cache, 0, sizeof *cache);
    cache->ttl = ttl == 0 ? SY_RESOLVE_CACHE_TTL : ttl;
    sy_token_bucket_init(&cache->lookups, rate, burst, now);
}

static entry *find(sy_resolve_cache *cache, const char *host) {
    for (size_t i = 0; i < SY_RESOLVE_CACHE_NAMES; i++) {
        entry *e = &cache->entries[i];
        if (e->state != SY_RESOLVE_ENTRY_FREE && strcmp(e->host, host) == 0) {
            return e;
        }
    }
    return NULL;
}

static bool is_worse(const entry *a, const entry *b) {
    if (a->state != b->state) {
        return a->state == SY_RESOLVE_ENTRY_FREE;
    }
    return a->used_seq < b->used_seq;
}

/* A free entry, else the least recently used one that nobody waits for; NULL when all are
 * pending. */
static entry *make_room(sy_resolve_cache *cache) {
    entry *worst = NULL;
    for (size_t i = 0; i < SY_RESOLVE_CACHE_NAMES; i++) {
        entry *e = &cache->entries[i];
        if (e->state != SY_RESOLVE_ENTRY_PENDING && (worst == NULL || is_worse(e, worst))) {
            worst = e;
        }
    }
    return worst;
}

sy_resolve_verdict sy_resolve_cache_ask(sy_resolve_cache *cache, const char *host,
                                        sy_resolve_answer *ret_answer, sy_time now) {
    SY_REQUIRE(strlen(host) <= SY_HOST_MAX);
    entry *e = find(cache, host);
    if (e != NULL && e->state == SY_RESOLVE_ENTRY_PENDING) {
        return SY_RESOLVE_PENDING;
    }
    if (e != NULL && now < e->expires_at) {
        e->used_seq = ++cache->next_seq;
        *ret_answer = e->answer;
        return SY_RESOLVE_KNOWN;
    }
    e = e != NULL ? e : make_room(cache);
    if (e == NULL || !sy_token_bucket_take(&cache->lookups, 1, now)) {
        return SY_RESOLVE_LIMITED;
    }
    *e = (entry){.state = SY_RESOLVE_ENTRY_PENDING, .used_seq = ++cache->next_seq};
    memcpy(e->host, host, strlen(host) + 1);
    return SY_RESOLVE_START;
}

/* SPEC SW-26: a failure is kept as well. */
void sy_resolve_cache_put(sy_resolve_cache *cache, const char *host, const sy_endpoint *endpoints,
                          size_t count, sy_time now) {
    SY_REQUIRE(strlen(host) <= SY_HOST_MAX);
    entry *e = find(cache, host);
    if (e == NULL) {
        e = make_room(cache);
        if (e == NULL) {
            return;
        }
        *e = (entry){.used_seq = ++cache->next_seq};
        memcpy(e->host, host, strlen(host) + 1);
    }
    e->state = SY_RESOLVE_ENTRY_KNOWN;
    e->expires_at = sy_time_after(now, cache->ttl);
    e->answer.count =
        count < SY_RESOLVE_CACHE_ENDPOINTS ? count : (size_t)SY_RESOLVE_CACHE_ENDPOINTS;
    for (size_t i = 0; i < e->answer.count; i++) {
        e->answer.endpoints[i] = endpoints[i];
        e->answer.endpoints[i].port = 0;
    }
}

void sy_resolve_cache_abandon(sy_resolve_cache *cache, const char *host) {
    entry *e = find(cache, host);
    if (e != NULL && e->state == SY_RESOLVE_ENTRY_PENDING) {
        e->state = SY_RESOLVE_ENTRY_FREE;
    }
}

sy_time sy_resolve_cache_ready_at(sy_resolve_cache *cache, sy_time now) {
    const sy_time ready = sy_token_bucket_ready_at(&cache->lookups, 1, now);
    /* Tokens are there, so all entries were pending: ask again soon. */
    return make_room(cache) == NULL ? sy_time_max(ready, sy_time_after(now, 100 * SY_MSEC)) : ready;
}
