/* SPDX-License-Identifier: Apache-2.0 */
/* The token bucket.  Exact integer arithmetic: what a refill cannot turn into a whole token stays
 * as billionths of a token, so that many short refills give as much as one long one. */
#include "base/token_bucket.h"

#include <stddef.h>

#include <switchyard/assert.h>

static uint64_t add_sat(uint64_t a, uint64_t b) {
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

static uint64_t mul_sat(uint64_t a, uint64_t b) {
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

/* Whole tokens that `dt` gives on top of `frac` billionths, saturating; *ret_frac is the rest.
 *
 * The exact value is (dt * rate + frac) / 10^9.  With dt = s * 10^9 + ns and
 * rate = q * 10^9 + r it is s * rate + ns * q + (ns * r + frac) / 10^9, and neither ns * q
 * (q < 2^64 / 10^9) nor ns * r + frac (both below 10^9) overflows. */
static uint64_t gain(uint64_t rate, uint64_t frac, sy_duration dt, uint64_t *ret_frac) {
    const uint64_t s = dt / SY_SEC;
    const uint64_t ns = dt % SY_SEC;
    const uint64_t rest = ns * (rate % SY_SEC) + frac;
    *ret_frac = rest % SY_SEC;
    return add_sat(mul_sat(s, rate), add_sat(ns * (rate / SY_SEC), rest / SY_SEC));
}

static void refill(sy_token_bucket *tb, sy_time now) {
    SY_ASSERT(tb->tokens <= tb->burst);
    SY_ASSERT(tb->frac_ns < SY_SEC);
    if (now <= tb->at) {
        return;
    }
    tb->tokens = add_sat(tb->tokens, gain(tb->rate, tb->frac_ns, now - tb->at, &tb->frac_ns));
    tb->at = now;
    if (tb->tokens >= tb->burst) {
        /* Full: what runs over is lost, also the part of a token. */
        tb->tokens = tb->burst;
        tb->frac_ns = 0;
    }
}

void sy_token_bucket_init(sy_token_bucket *tb, uint64_t rate, uint64_t burst, sy_time now) {
    SY_REQUIRE(tb != NULL);
    SY_REQUIRE(rate == 0 || burst >= 1);
    *tb = (sy_token_bucket){.rate = rate, .burst = burst, .tokens = burst, .at = now};
}

bool sy_token_bucket_take(sy_token_bucket *tb, uint64_t n, sy_time now) {
    if (tb->rate == 0) {
        return true;
    }
    refill(tb, now);
    if (n > tb->tokens) {
        return false;
    }
    tb->tokens -= n;
    return true;
}

uint64_t sy_token_bucket_available(sy_token_bucket *tb, sy_time now) {
    if (tb->rate == 0) {
        return UINT64_MAX;
    }
    refill(tb, now);
    return tb->tokens;
}

void sy_token_bucket_spend(sy_token_bucket *tb, uint64_t n, sy_time now) {
    if (tb->rate == 0) {
        return;
    }
    refill(tb, now);
    tb->tokens -= n < tb->tokens ? n : tb->tokens;
}

sy_time sy_token_bucket_ready_at(sy_token_bucket *tb, uint64_t n, sy_time now) {
    if (tb->rate == 0) {
        return now;
    }
    SY_REQUIRE(n <= tb->burst);
    refill(tb, now);
    if (n <= tb->tokens) {
        return now;
    }
    /* The least dt whose gain is enough.  It lies within a second of missing / rate: the fraction
     * already there is worth less than one token, which is at most a second's gain. */
    const uint64_t missing = n - tb->tokens;
    const uint64_t s = missing / tb->rate;
    sy_duration low = s > 0 ? mul_sat(s - 1, SY_SEC) : 0;
    sy_duration high = mul_sat(add_sat(s, 1), SY_SEC);
    uint64_t frac = 0;
    while (low < high) {
        const sy_duration mid = low + (high - low) / 2;
        if (gain(tb->rate, tb->frac_ns, mid, &frac) >= missing) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return sy_time_after(tb->at, low);
}
