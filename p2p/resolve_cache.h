/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the resolver for names that remotes give (ListenAddr), failures included, and the
 * limit on how many look-ups remotes can cause.  Dials do not use it: they resolve each time.
 *
 *     switch (sy_resolve_cache_ask(&sw->names, host, &answer, now)) {
 *     case SY_RESOLVE_KNOWN:   go on with answer.endpoints, answer.count (0: has no address)
 *     case SY_RESOLVE_PENDING: wait: someone else's look-up of the same name is under way
 *     case SY_RESOLVE_START:   start a look-up (it has been paid for), then call put or abandon
 *     case SY_RESOLVE_LIMITED: wait until sy_resolve_cache_ready_at, or give up
 *     }
 *     sy_resolve_cache_put(&sw->names, host, endpoints, count, now);
 *
 * Source: docs/spec/switch.md SW-26; node-info.md NI-41. */
#ifndef SY_P2P_RESOLVE_CACHE_H
#define SY_P2P_RESOLVE_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/time.h>

#include "base/token_bucket.h"

#define SY_RESOLVE_CACHE_NAMES     64
#define SY_RESOLVE_CACHE_ENDPOINTS 8
#define SY_RESOLVE_CACHE_TTL       (60 * SY_SEC) /* SPEC SW-26 */
#define SY_RESOLVE_CACHE_RATE      4             /* look-ups per second that remotes can cause */
#define SY_RESOLVE_CACHE_BURST     32

typedef enum sy_resolve_verdict {
    SY_RESOLVE_KNOWN,
    SY_RESOLVE_PENDING,
    SY_RESOLVE_START,
    SY_RESOLVE_LIMITED,
} sy_resolve_verdict;

typedef struct sy_resolve_answer {
    size_t count;                                      /* 0: the name has no address */
    sy_endpoint endpoints[SY_RESOLVE_CACHE_ENDPOINTS]; /* port 0 */
} sy_resolve_answer;

typedef enum sy_resolve_entry_state {
    SY_RESOLVE_ENTRY_FREE,
    SY_RESOLVE_ENTRY_PENDING,
    SY_RESOLVE_ENTRY_KNOWN,
} sy_resolve_entry_state;

/* Open struct without allocation; members are private. */
typedef struct sy_resolve_cache {
    struct sy_resolve_entry {
        sy_resolve_entry_state state;
        sy_time expires_at;
        uint64_t used_seq;
        char host[SY_HOST_MAX + 1];
        sy_resolve_answer answer;
    } entries[SY_RESOLVE_CACHE_NAMES];
    uint64_t next_seq;
    sy_token_bucket lookups;
    sy_duration ttl;
} sy_resolve_cache;

/* ttl 0: SY_RESOLVE_CACHE_TTL; rate 0: no limit. */
void sy_resolve_cache_init(sy_resolve_cache *cache, sy_duration ttl, uint64_t rate, uint64_t burst,
                           sy_time now);

/* host as in sy_addr: valid, lower case.  *ret_answer is written for KNOWN only. */
sy_resolve_verdict sy_resolve_cache_ask(sy_resolve_cache *cache, const char *host,
                                        sy_resolve_answer *ret_answer, sy_time now);

/* The answer of a look-up; count 0 for a failure.  More than 8 are cut. */
void sy_resolve_cache_put(sy_resolve_cache *cache, const char *host, const sy_endpoint *endpoints,
                          size_t count, sy_time now);

/* The look-up that START asked for was not carried out or has no answer that may be kept. */
void sy_resolve_cache_abandon(sy_resolve_cache *cache, const char *host);

/* When a LIMITED caller may ask again. */
sy_time sy_resolve_cache_ready_at(sy_resolve_cache *cache, sy_time now);

#endif
