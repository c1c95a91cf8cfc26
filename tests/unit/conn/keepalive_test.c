/* SPDX-License-Identifier: Apache-2.0 */
/* Keepalive on a virtual clock: 10 s interval, 4 s time-out.  A scenario is a list of steps; each
 * step moves the clock and says what must come back. */
#include <criterion/criterion.h>

#include "conn/keepalive.h"

#define INTERVAL (10 * SY_SEC)
#define TIMEOUT  (4 * SY_SEC)
#define START    (1000 * SY_SEC)

typedef enum step_kind {
    END = 0,
    EXPIRE, /* on_expiry; want is the action */
    PONG,   /* on_pong */
    DRY,    /* on_read_dry; want is the error */
    ASK,    /* ping_now */
    NEXT,   /* next_expiry; want is milliseconds from the start, or -1 for never */
    RTT,    /* want is milliseconds */
} step_kind;

typedef struct step {
    step_kind kind;
    long at_ms; /* from the start */
    long want;
} step;

typedef struct scenario {
    const char *name;
    step steps[16];
} scenario;

#define NONE  SY_KEEPALIVE_NONE
#define PING  SY_KEEPALIVE_SEND_PING
#define CHECK SY_KEEPALIVE_CHECK_DRY
#define DEAD  SY_ERR_PONG_TIMEOUT

static const scenario scenarios[] = {
    {"pings at every interval, whatever the pong's delay",
     {{NEXT, 0, 10000},
      {EXPIRE, 10000, PING},
      {PONG, 10020, 0},
      {RTT, 10020, 20},
      {NEXT, 10020, 20000},
      {EXPIRE, 20000, PING},
      {NEXT, 20000, 24000},
      {PONG, 23999, 0},
      {NEXT, 23999, 30000},
      {EXPIRE, 30000, PING}}},
    {"early is harmless",
     {{EXPIRE, 0, NONE},
      {EXPIRE, 9999, NONE},
      {EXPIRE, 10000, PING},
      {EXPIRE, 10001, NONE},
      {EXPIRE, 13999, NONE},
      {NEXT, 13999, 14000}}},
    {"no pong: asked to read dry, then dead",
     {{EXPIRE, 10000, PING}, {EXPIRE, 14000, CHECK}, {NEXT, 14000, -1}, {DRY, 14000, DEAD}}},
    {"pong late but read before dry: alive",
     {{EXPIRE, 10000, PING},
      {EXPIRE, 14500, CHECK},
      {PONG, 14500, 0},
      {DRY, 14500, SY_OK},
      {NEXT, 14500, 20000},
      {EXPIRE, 20000, PING},
      {NEXT, 20000, 24000}}},
    {"dry before the deadline ends nobody",
     {{EXPIRE, 10000, PING},
      {DRY, 13999, SY_OK},
      {NEXT, 13999, 14000},
      {DRY, 13999, SY_OK},
      {EXPIRE, 14000, CHECK},
      {DRY, 14001, DEAD}}},
    {"dry without a ping in flight", {{DRY, 5000, SY_OK}, {DRY, 9999, SY_OK}, {NEXT, 9999, 10000}}},
    {"double expiry asks again, pings no second time",
     {{EXPIRE, 10000, PING},
      {EXPIRE, 14000, CHECK},
      {EXPIRE, 14100, CHECK},
      {EXPIRE, 25000, CHECK},
      {NEXT, 25000, -1},
      {DRY, 25000, DEAD}}},
    {"a stall of an hour, the pong lies in the socket",
     {{EXPIRE, 10000, PING},
      {EXPIRE, 3610000, CHECK},
      {PONG, 3610000, 0},
      {DRY, 3610000, SY_OK},
      {EXPIRE, 3610000, PING},
      {NEXT, 3610000, 3614000},
      {PONG, 3610001, 0},
      {NEXT, 3610001, 3620000}}},
    {"a stall of an hour, no pong in the socket",
     {{EXPIRE, 10000, PING}, {EXPIRE, 3610000, CHECK}, {DRY, 3610000, DEAD}}},
    {"a stall of an hour before the ping: the peer gets its whole time-out",
     {{EXPIRE, 3600000, PING},
      {NEXT, 3600000, 3604000},
      {DRY, 3603999, SY_OK},
      {NEXT, 3603999, 3604000}}},
    {"a pong that nobody asked for",
     {{PONG, 1, 0},
      {RTT, 1, 0},
      {NEXT, 1, 10000},
      {EXPIRE, 10000, PING},
      {PONG, 10001, 0},
      {PONG, 10002, 0},
      {NEXT, 10002, 20000},
      {RTT, 10002, 1}}},
    {"asked for at once",
     {{ASK, 3000, 0},
      {NEXT, 3000, 3000},
      {EXPIRE, 3000, PING},
      {NEXT, 3000, 7000},
      {PONG, 3100, 0},
      {NEXT, 3100, 13000}}},
    {"asked for while a ping is in flight: the deadline stays",
     {{EXPIRE, 10000, PING},
      {ASK, 12000, 0},
      {EXPIRE, 12000, NONE},
      {NEXT, 12000, 14000},
      {EXPIRE, 14000, CHECK},
      {ASK, 14000, 0},
      {EXPIRE, 14000, CHECK},
      {DRY, 14000, DEAD}}},
    {"the verdict stays",
     {{EXPIRE, 10000, PING},
      {EXPIRE, 14000, CHECK},
      {DRY, 14000, DEAD},
      {DRY, 14001, DEAD},
      {NEXT, 14001, -1}}},
};

static sy_time at(long ms) {
    return START + (sy_time)ms * SY_MSEC;
}

static void run_step(sy_keepalive *ka, const step *s, const char *name, int i) {
    switch (s->kind) {
    case EXPIRE:
        cr_assert_eq((long)sy_keepalive_on_expiry(ka, at(s->at_ms)), s->want, "%s: step %d", name,
                     i);
        return;
    case PONG:
        sy_keepalive_on_pong(ka, at(s->at_ms));
        return;
    case DRY:
        cr_assert_eq((long)sy_keepalive_on_read_dry(ka, at(s->at_ms)), s->want, "%s: step %d", name,
                     i);
        return;
    case ASK:
        sy_keepalive_ping_now(ka, at(s->at_ms));
        return;
    case NEXT:
        cr_assert_eq(sy_keepalive_next_expiry(ka), s->want < 0 ? SY_NEVER : at(s->want),
                     "%s: step %d", name, i);
        return;
    case RTT:
        cr_assert_eq(ka->rtt_ns, (sy_duration)s->want * SY_MSEC, "%s: step %d", name, i);
        return;
    case END:
        return;
    }
}

/* SPEC-TEST MX-37 */ /* SPEC-TEST MX-38 */ /* SPEC-TEST MX-39 */ /* SPEC-TEST MX-42 */
Test(keepalive, scenarios) {
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        sy_keepalive ka;
        sy_keepalive_init(&ka, INTERVAL, TIMEOUT, START);
        for (int k = 0; scenarios[i].steps[k].kind != END; k++) {
            run_step(&ka, &scenarios[i].steps[k], scenarios[i].name, k);
        }
    }
}

Test(keepalive, an_answer_in_no_time_is_still_an_answer) {
    sy_keepalive ka;
    sy_keepalive_init(&ka, INTERVAL, TIMEOUT, START);
    cr_assert_eq(sy_keepalive_on_expiry(&ka, at(10000)), SY_KEEPALIVE_SEND_PING);
    sy_keepalive_on_pong(&ka, at(10000));
    cr_assert_eq(ka.rtt_ns, 1);
}

Test(keepalive, the_end_of_time_is_no_deadline) {
    sy_keepalive ka;
    sy_keepalive_init(&ka, SY_NEVER - 1, SY_NEVER - 2, START);
    cr_assert_eq(sy_keepalive_next_expiry(&ka), SY_NEVER);
    cr_assert_eq(sy_keepalive_on_expiry(&ka, SY_NEVER - 1), SY_KEEPALIVE_NONE);
}
