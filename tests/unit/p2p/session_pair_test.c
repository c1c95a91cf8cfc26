/* SPDX-License-Identifier: Apache-2.0 */
/* Two sessions back to back, in all profiles: what one sends the other gets. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "session_fixture.h"

static const char *text_of(const chunk_trace *trace) {
    return trace->text == NULL ? "" : trace->text;
}

static void expect_delivered(const fx_node *from, const fx_node *to) {
    for (size_t i = 0; i < FX_CHANNELS; i++) {
        cr_expect_str_eq(text_of(&to->received[i]), text_of(&from->sent[i]), "%s, channel %zu",
                         from->profile->name, i);
    }
}

/* SPEC-TEST NI-01 PL-01 PL-02 PL-04 SW-01 */
Test(session_pair, opens_and_delivers) {
    for (size_t p = 0; p < 3; p++) {
        fx_loop loop;
        fx_loop_init(&loop);
        fx_node a;
        fx_node b;
        fx_node_init(&a, &loop, fx_profiles[p], 1);
        fx_node_init(&b, &loop, fx_profiles[p], 2);
        a.info.moniker = SY_TEXT("alice");
        b.info.moniker = SY_TEXT("bob");
        cr_assert_eq(fx_node_open(&a), SY_OK);
        cr_assert_eq(fx_node_open(&b), SY_OK);
        cr_expect_eq(sy_session_profile(a.session), fx_profiles[p]);
        cr_expect_null(sy_session_mux(a.session));
        cr_expect(sy_session_at_boundary(a.session));
        cr_expect_eq(sy_session_recv_ready_at(a.session), SY_NEVER);
        cr_expect_eq(sy_session_accept(a.session, loop.now), SY_ERR_STATE, "before INFO");

        fx_settle(&a, &b);

        char want[200];
        (void)snprintf(want, sizeof want, "identity %s %s\ninfo bob\n", b.id_text,
                       p == 2 ? "declared" : "proven");
        cr_expect_str_eq(text_of(&a.trace), want, "%s", fx_profiles[p]->name);
        (void)snprintf(want, sizeof want, "identity %s %s\ninfo alice\n", a.id_text,
                       p == 2 ? "declared" : "proven");
        cr_expect_str_eq(text_of(&b.trace), want, "%s", fx_profiles[p]->name);
        cr_assert_not_null(sy_session_mux(a.session));
        cr_assert_not_null(sy_session_mux(b.session));
        cr_expect_eq(sy_session_accept(a.session, loop.now), SY_ERR_STATE, "twice");

        static const size_t sizes[] = {0, 1, 1023, 1024, 1025, 70000, 300000};
        for (uint16_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            cr_assert_eq(fx_queue(&a, i, i, sizes[i]), SY_SEND_QUEUED);
            cr_assert_eq(fx_queue(&b, (uint16_t)(9 - i), 100u + i, sizes[i]), SY_SEND_QUEUED);
        }
        fx_settle(&a, &b);
        expect_delivered(&a, &b);
        expect_delivered(&b, &a);
        cr_expect_eq(a.messages, sizeof sizes / sizeof sizes[0]);
        cr_expect(sy_session_at_boundary(a.session));
        cr_expect(sy_session_at_boundary(b.session));
        cr_expect_eq(a.backlog.len, 0);

        fx_node_fini(&a);
        fx_node_fini(&b);
        fx_loop_fini(&loop);
    }
}

Test(session_pair, ping_is_answered) {
    for (size_t p = 0; p < 3; p++) {
        fx_loop loop;
        fx_loop_init(&loop);
        fx_node a;
        fx_node b;
        fx_node_init(&a, &loop, fx_profiles[p], 1);
        fx_node_init(&b, &loop, fx_profiles[p], 2);
        a.config.ping_interval_ns = 20 * SY_SEC;
        a.config.pong_timeout_ns = 10 * SY_SEC;
        cr_assert_eq(fx_node_open(&a), SY_OK);
        cr_assert_eq(fx_node_open(&b), SY_OK);
        fx_settle(&a, &b);
        sy_mux *mux = sy_session_mux(a.session);
        cr_expect_eq(sy_mux_next_expiry(mux), loop.now + 20 * SY_SEC, "the configured interval");
        cr_expect_eq(sy_mux_next_expiry(sy_session_mux(b.session)), loop.now + 60 * SY_SEC);
        cr_expect(!sy_mux_has_received(sy_session_mux(b.session)));

        bool check_dry = true;
        loop.now += 20 * SY_SEC;
        sy_mux_on_expiry(mux, &check_dry, loop.now);
        cr_expect(!check_dry);
        fx_bytes wire = {.data = NULL};
        cr_assert_eq(fx_pull(&a, &wire), SY_OK);
        cr_expect_gt(wire.len, 0);
        loop.now += 5 * SY_MSEC;
        fx_feed(&b, wire.data, wire.len);
        fx_settle(&b, &a);

        sy_mux_stats stats;
        sy_mux_get_stats(mux, &stats);
        cr_expect_eq(stats.rtt_ns, 5 * SY_MSEC, "%s", fx_profiles[p]->name);
        cr_expect(sy_mux_has_received(sy_session_mux(b.session)));

        fx_free(&wire);
        fx_node_fini(&a);
        fx_node_fini(&b);
        fx_loop_fini(&loop);
    }
}

/* One direction's bytes on the way, cut at random. */
typedef struct pipe {
    fx_node *from;
    fx_node *to;
    fx_bytes bytes;
    size_t at;
} pipe;

static bool pipe_move(pipe *way, sy_prng *prng) {
    cr_assert_eq(fx_pull(way->from, &way->bytes), SY_OK);
    const size_t left = way->bytes.len - way->at;
    if (left == 0) {
        return false;
    }
    const size_t most = (size_t)1 << sy_prng_below(prng, 17);
    const size_t n = 1 + (size_t)sy_prng_below(prng, most < left ? most : left);
    fx_feed(way->to, way->bytes.data + way->at, n);
    way->at += n;
    return true;
}

/* SPEC-TEST MX-25 STS-20 CC-24 */
Test(session_pair, random_chunks_both_ways) {
    for (uint64_t seed = 0; seed < 30; seed++) {
        sy_prng prng;
        sy_prng_init(&prng, seed);
        fx_loop loop;
        fx_loop_init(&loop);
        fx_node a;
        fx_node b;
        fx_node_init(&a, &loop, fx_profiles[seed % 3], 1);
        fx_node_init(&b, &loop, fx_profiles[seed % 3], 2);
        cr_assert_eq(fx_node_open(&a), SY_OK);
        cr_assert_eq(fx_node_open(&b), SY_OK);
        pipe ways[2] = {{.from = &a, .to = &b}, {.from = &b, .to = &a}};

        size_t left = 60; /* messages to queue, of either side */
        bool moved = true;
        while (moved || left > 0) {
            moved = pipe_move(&ways[sy_prng_below(&prng, 2)], &prng);
            moved = pipe_move(&ways[0], &prng) || moved;
            moved = pipe_move(&ways[1], &prng) || moved;
            fx_node *node = sy_prng_below(&prng, 2) == 0 ? &a : &b;
            if (left > 0 && sy_session_mux(node->session) != NULL) {
                left--;
                const size_t most = (size_t)1 << sy_prng_below(&prng, 15);
                const uint16_t channel = (uint16_t)sy_prng_below(&prng, FX_CHANNELS);
                cr_assert_eq(fx_queue(node, channel, sy_prng_next(&prng),
                                      (size_t)sy_prng_below(&prng, most)),
                             SY_SEND_QUEUED);
                if (sy_prng_below(&prng, 8) == 0) {
                    sy_mux_ping(sy_session_mux(node->session), loop.now);
                }
            }
            cr_assert_eq(a.err, SY_OK, "seed %llu", (unsigned long long)seed);
            cr_assert_eq(b.err, SY_OK, "seed %llu", (unsigned long long)seed);
        }

        expect_delivered(&a, &b);
        expect_delivered(&b, &a);
        cr_expect_eq(a.messages + b.messages, 60, "seed %llu", (unsigned long long)seed);
        fx_free(&ways[0].bytes);
        fx_free(&ways[1].bytes);
        fx_node_fini(&a);
        fx_node_fini(&b);
        fx_loop_fini(&loop);
    }
}

/* The caller sees the identity before our NodeInfo leaves, and may keep it back by not sending. */
/* SPEC-TEST NI-01 */
Test(session_pair, node_info_waits_for_the_identity) {
    for (size_t p = 0; p < 2; p++) {
        fx_loop loop;
        fx_loop_init(&loop);
        fx_node a;
        fx_raw b;
        fx_node_init(&a, &loop, fx_profiles[p], 1);
        fx_raw_init(&b, &loop, fx_profiles[p], 2);
        cr_assert_eq(fx_node_open(&a), SY_OK);

        fx_bytes sent = {.data = NULL};
        cr_assert_eq(fx_pull(&a, &sent), SY_OK);
        const size_t eph_len = p == 0 ? 34 : 35;
        cr_expect_eq(sent.len, eph_len);
        uint8_t wire[2 * SY_SEALED_LEN];
        size_t len = 0;
        cr_assert_eq(b.transport.ops->send(&b.transport, wire, sizeof wire, &len), SY_OK);
        fx_feed(&a, wire, len);
        cr_assert_eq(fx_pull(&a, &sent), SY_OK);
        cr_expect_eq(sent.len, eph_len + SY_SEALED_LEN, "ephemeral key and authentication");
        cr_expect(!sy_session_wants_send(a.session, loop.now));

        size_t used = 0;
        sy_transport_event event;
        cr_assert_eq(b.transport.ops->recv(&b.transport, sent.data, sent.len, &used, &event, NULL),
                     SY_OK);
        cr_assert_eq(b.transport.ops->send(&b.transport, wire, sizeof wire, &len), SY_OK);
        fx_feed(&a, wire, len);
        cr_expect(a.identified);
        cr_expect(a.proven);
        cr_expect(sy_session_wants_send(a.session, loop.now));
        cr_assert_eq(fx_pull(&a, &sent), SY_OK);
        cr_expect_eq(sent.len, eph_len + 2 * SY_SEALED_LEN, "and NodeInfo");

        fx_free(&sent);
        fx_raw_fini(&b);
        fx_node_fini(&a);
        fx_loop_fini(&loop);
    }
}

/* In plain NodeInfo is the first thing sent, at once. */
/* SPEC-TEST PL-01 */
Test(session_pair, plain_speaks_at_once) {
    fx_loop loop;
    fx_loop_init(&loop);
    fx_node a;
    fx_node_init(&a, &loop, &sy_profile_plain, 1);
    cr_assert_eq(fx_node_open(&a), SY_OK);
    cr_expect(sy_session_wants_send(a.session, loop.now));
    fx_bytes sent = {.data = NULL};
    cr_assert_eq(fx_pull(&a, &sent), SY_OK);

    uint8_t body[1000];
    size_t len = 0;
    cr_assert_eq(sy_node_info_encode(SY_NODE_INFO_AMINO, &a.info, body, sizeof body, &len), SY_OK);
    fx_bytes want = {.data = NULL};
    fx_add_prefixed(&want, body, len);
    cr_assert_eq(sent.len, want.len);
    cr_expect_arr_eq(sent.data, want.data, want.len);
    const sy_profile *profile = NULL;
    const sy_profile *const allowed[] = {&sy_profile_tendermint, &sy_profile_cometbft,
                                         &sy_profile_plain};
    cr_expect_eq(sy_profile_recognize(allowed, 3, sent.data, SY_RECOGNIZE_MAX, &profile, NULL),
                 SY_OK);
    cr_expect_eq(profile, &sy_profile_plain);

    fx_free(&want);
    fx_free(&sent);
    fx_node_fini(&a);
    fx_loop_fini(&loop);
}

/* The first bytes of each profile are the ones that a listener recognises. */
/* SPEC-TEST PR-01 PR-08 */
Test(session_pair, first_bytes_are_recognised) {
    for (size_t p = 0; p < 3; p++) {
        fx_loop loop;
        fx_loop_init(&loop);
        fx_node a;
        fx_node_init(&a, &loop, fx_profiles[p], 1);
        cr_assert_eq(fx_node_open(&a), SY_OK);
        fx_bytes sent = {.data = NULL};
        cr_assert_eq(fx_pull(&a, &sent), SY_OK);
        cr_assert_geq(sent.len, SY_RECOGNIZE_MAX);
        const sy_profile *profile = NULL;
        cr_expect_eq(
            sy_profile_recognize(fx_profiles, 3, sent.data, SY_RECOGNIZE_MAX, &profile, NULL),
            SY_OK);
        cr_expect_eq(profile, fx_profiles[p]);
        fx_free(&sent);
        fx_node_fini(&a);
        fx_loop_fini(&loop);
    }
}

/* A dialer that reaches a listener of another profile is told which. */
/* SPEC-TEST PR-14 */
Test(session_pair, other_profile_is_named) {
    static const struct {
        const char *what;
        uint8_t ours, theirs; /* index into fx_profiles */
        sy_err err;
        const char *name;
    } rows[] = {
        {"tendermint meets cometbft", 0, 1, SY_ERR_EPH_LENGTH, "this is cometbft"},
        {"tendermint meets plain", 0, 2, SY_ERR_EPH_LENGTH, "this is plain"},
        {"cometbft meets tendermint", 1, 0, SY_ERR_EPH_LENGTH, "this is tendermint"},
        {"cometbft meets plain", 1, 2, SY_ERR_EPH_LENGTH, "this is plain"},
        {"plain meets tendermint", 2, 0, SY_ERR_NI_MALFORMED, "this is tendermint"},
        {"plain meets cometbft", 2, 1, SY_ERR_NI_MALFORMED, "this is cometbft"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fx_loop loop;
        fx_loop_init(&loop);
        fx_node a;
        fx_node b;
        fx_node_init(&a, &loop, fx_profiles[rows[i].ours], 1);
        fx_node_init(&b, &loop, fx_profiles[rows[i].theirs], 2);
        cr_assert_eq(fx_node_open(&a), SY_OK);
        cr_assert_eq(fx_node_open(&b), SY_OK);
        fx_bytes wire = {.data = NULL};
        cr_assert_eq(fx_pull(&b, &wire), SY_OK);
        fx_feed(&a, wire.data, wire.len);
        cr_expect_eq(a.err, rows[i].err, "row %s: %s", rows[i].what, sy_err_name(a.err));
        cr_expect_not_null(strstr(a.detail.text, rows[i].name), "row %s: %s", rows[i].what,
                           a.detail.text);
        cr_expect(!a.identified);
        fx_free(&wire);
        fx_node_fini(&a);
        fx_node_fini(&b);
        fx_loop_fini(&loop);
    }
}
