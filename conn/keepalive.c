/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/keepalive.h"

#include <switchyard/assert.h>

#include "base/mutant.h"

static bool in_flight(const sy_keepalive *ka) {
    return ka->pong_due_at != SY_NEVER;
}

void sy_keepalive_init(sy_keepalive *ka, sy_duration ping_interval_ns, sy_duration pong_timeout_ns,
                       sy_time now) {
    SY_REQUIRE(pong_timeout_ns > 0);
    SY_REQUIRE(pong_timeout_ns < ping_interval_ns);
    *ka = (sy_keepalive){
        .ping_interval_ns = ping_interval_ns,
        .pong_timeout_ns = pong_timeout_ns,
        .ping_due_at = sy_time_after(now, ping_interval_ns), /* SPEC MX-37 */
        .pong_due_at = SY_NEVER,
    };
}

void sy_keepalive_ping_now(sy_keepalive *ka, sy_time now) {
    /* A ping in flight is the one that was asked for; a second one would move the deadline that
     * shows that the peer is gone. */
    if (!in_flight(ka)) {
        ka->ping_due_at = sy_time_min(ka->ping_due_at, now);
    }
}

sy_time sy_keepalive_next_expiry(const sy_keepalive *ka) {
    /* Overdue: the next step is the owner's (on_read_dry), no timer can bring it nearer. */
    return ka->overdue ? SY_NEVER : sy_time_min(ka->ping_due_at, ka->pong_due_at);
}

sy_keepalive_action sy_keepalive_on_expiry(sy_keepalive *ka, sy_time now) {
    SY_REQUIRE(now != SY_NEVER);

    /* The pong first: after a long stall both deadlines have passed, and a fresh ping would erase
     * the one that shows that the peer is gone. */
    if (now >= ka->pong_due_at) {
        ka->overdue = true;
        return SY_KEEPALIVE_CHECK_DRY; /* SPEC MX-39 */
    }
    if (now < ka->ping_due_at) {
        return SY_KEEPALIVE_NONE;
    }

    /* SPEC MX-37, SPEC MX-40: the deadline runs from here, not from when the bytes have left. */
    ka->ping_due_at = sy_time_after(now, ka->ping_interval_ns);
    if (SY_MUTANT(PING_NONE)) {
        return SY_KEEPALIVE_NONE;
    }
    ka->pong_due_at = sy_time_after(now, ka->pong_timeout_ns);
    ka->ping_sent_at = now;
    SY_ASSERT(!ka->overdue);
    return SY_KEEPALIVE_SEND_PING;
}

void sy_keepalive_on_pong(sy_keepalive *ka, sy_time now) {
    if (!in_flight(ka)) {
        return; /* SPEC MX-42 */
    }
    const sy_duration rtt = sy_time_since(now, ka->ping_sent_at);
    ka->rtt_ns = rtt > 0 ? rtt : 1; /* 0 means none yet */
    ka->pong_due_at = SY_NEVER;
    ka->overdue = false;
}

sy_err sy_keepalive_on_read_dry(sy_keepalive *ka, sy_time now) {
    SY_REQUIRE(now != SY_NEVER);
    if (SY_MUTANT(PONG_FOREVER)) {
        return SY_OK;
    }
    /* SPEC MX-38 */
    return now >= ka->pong_due_at ? SY_ERR_PONG_TIMEOUT : SY_OK;
}
