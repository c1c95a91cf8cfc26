/* SPDX-License-Identifier: Apache-2.0 */
/* What stream_write is told about more to come.  The simulator ends the program when a turn is over
 * and a promise was not kept; here it is made to promise, and the promise is put in danger. */
#include <criterion/criterion.h>

#include <string.h>

#include "p2p/session_internal.h"
#include "p2p/switch_internal.h"
#include "tests/sim/sim_internal.h"

typedef struct couple {
    sim_net *net;
    sim_node *a; /* sends, and is watched */
    sim_node *b;
} couple;

static uint64_t promises;

static sy_err watched_write(void *driver, void *stream, const uint8_t *data, size_t len, bool more,
                            size_t *ret_written) {
    promises += more ? 1 : 0;
    return sim_driver_ops.stream_write(driver, stream, data, len, more, ret_written);
}

static couple open_couple(const char *profile, uint64_t send_rate, size_t buffer) {
    sim_options options;
    sim_options_default(&options, 1);
    options.buffer_min = buffer;
    options.buffer_max = buffer;
    couple c = {.net = sim_net_new(&options)};
    c.a = sim_node_new(c.net, "a");
    c.b = sim_node_new(c.net, "b");
    sim_set_profile(c.a, profile);
    sim_set_profile(c.b, profile);
    sim_settings(c.a)->send_rate = send_rate;
    sim_start(c.a);
    sim_start(c.b);
    sim_dial(c.a, c.b, SY_DIAL_ONCE);
    cr_assert(sim_wait_until_connected(c.a, c.b, SY_SEC));
    sim_switch(c.a)->ops.stream_write = watched_write;
    promises = 0;
    return c;
}

static sy_peer *link_of(sim_node *node) {
    sy_peer *link = sim_switch(node)->roster_first;
    cr_assert_not_null(link);
    return link;
}

static void post(const couple *c, size_t count, size_t len) {
    for (size_t i = 0; i < count; i++) {
        sim_post(c->a, c->b, 0x20, len);
    }
}

typedef struct stream_row {
    const char *name;
    const char *profile;
    uint64_t send_rate;
    size_t buffer;
    size_t messages;
    size_t len;
    bool promises;
    bool stops; /* in the middle: the queue leaves first */
} stream_row;

#define BATCH (16 * 1044)

static const stream_row streams[] = {
    {"one packet", "tendermint", 0, 1 << 20, 1, 100, false, false},
    {"one batch", "tendermint", 0, 1 << 20, 1, 16000, false, false},
    {"two batches", "tendermint", 0, 1 << 20, 1, 20000, true, false},
    {"more than a turn", "cometbft", 0, 1 << 20, 8, 100000, true, false},
    {"without encryption", "plain", 0, 1 << 20, 8, 100000, true, false},
    {"the stream is full in a batch", "cometbft", 0, 3 * BATCH - 500, 8, 100000, true, false},
    {"the stream is full behind a batch", "cometbft", 0, 3 * BATCH, 8, 100000, true, false},
    {"the rate ends it", "cometbft", 300000, 1 << 20, 8, 100000, true, false},
    {"the rate ends it, in plain", "plain", 300000, 1 << 20, 8, 100000, true, false},
    {"the switch stops", "cometbft", 0, 1 << 20, 8, 100000, true, true},
    {"the switch stops, and the rate ends it", "tendermint", 300000, 1 << 20, 3, 100000, true,
     true},
};

Test(switch_more, a_promise_is_kept_whatever_ends_the_turn) {
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        const stream_row *t = &streams[i];
        couple c = open_couple(t->profile, t->send_rate, t->buffer);
        post(&c, t->messages, t->len);
        sim_run_for(c.net, SY_MSEC);
        if (t->stops) {
            sim_stop_and_wait(c.a);
        }
        sim_run_for(c.net, 10 * SY_SEC);
        cr_expect_eq(promises > 0, t->promises, "%s: %llu promises", t->name,
                     (unsigned long long)promises);
        cr_expect_eq(sim_totals_of(c.b).delivered, t->messages, "%s", t->name);
        sim_net_del(c.net);
    }
}

static sy_profile broken;
static const sy_profile *whole;
static int sends_left;

static sy_err broken_send(sy_session *session, uint8_t *out, size_t out_cap, size_t *ret_len,
                          sy_time now) {
    return sends_left-- > 0 ? whole->send(session, out, out_cap, ret_len, now)
                            : SY_ERR_NONCE_EXHAUSTED;
}

static bool broken_wants_send(const sy_session *session, sy_time now) {
    return sends_left >= 0 && whole->wants_send(session, now);
}

/* As when the last nonce was used: the session wants to send, and then cannot. */
Test(switch_more, a_session_that_fails_ends_the_stream_in_the_same_turn) {
    for (int sends = 0; sends < 3; sends++) {
        couple c = open_couple("cometbft", 0, 1 << 20);
        sy_session *session = link_of(c.a)->session;
        whole = session->profile;
        broken = *whole;
        broken.send = broken_send;
        broken.wants_send = broken_wants_send;
        session->profile = &broken;
        sends_left = sends;
        post(&c, 4, 100000);
        sim_run_for(c.net, 5 * SY_SEC);
        cr_expect_eq(promises, (uint64_t)sends, "%llu promises", (unsigned long long)promises);
        cr_expect_eq(sim_peer_count(c.a), 0, "%d", sends);
        cr_expect_eq(sim_peer_count(c.b), 0, "%d", sends);
        cr_expect_eq(sim_totals_of(c.a).ends, 1, "%d", sends);
        sim_net_del(c.net);
    }
}
