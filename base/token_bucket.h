/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket with the time as argument.  Serves byte rates and the limits on legal but odd
 * behaviour (ping floods, log lines that a peer triggers, reconnects). */
#ifndef SY_BASE_TOKEN_BUCKET_H
#define SY_BASE_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include <switchyard/time.h>

typedef struct sy_token_bucket {
    uint64_t rate;  /* tokens per second; 0: unlimited */
    uint64_t burst; /* capacity */
    uint64_t tokens;
    uint64_t frac_ns; /* part of a token already earned, in billionths */
    sy_time at;       /* last refill */
} sy_token_bucket;

/* Starts full.  burst >= 1 unless rate is 0. */
void sy_token_bucket_init(sy_token_bucket *tb, uint64_t rate, uint64_t burst, sy_time now);

/* Takes n when that many are there. */
bool sy_token_bucket_take(sy_token_bucket *tb, uint64_t n, sy_time now);

/* Tokens that may be used now (UINT64_MAX when unlimited). */
uint64_t sy_token_bucket_available(sy_token_bucket *tb, sy_time now);

/* Takes min(n, tokens): for work that is measured after it was done. */
void sy_token_bucket_spend(sy_token_bucket *tb, uint64_t n, sy_time now);

/* Earliest time at which n (<= burst) will be there; now or earlier when they are. */
sy_time sy_token_bucket_ready_at(sy_token_bucket *tb, uint64_t n, sy_time now);

#endif
