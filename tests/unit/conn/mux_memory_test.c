/* SPDX-License-Identifier: Apache-2.0 */
/* What a multiplexer holds: sizes while idle, budget against live bytes, failing allocations. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/prng.h"
#include "conn/mux_internal.h"
#include "tests/unit/conn/mux_fixture.h"

static fix f;

static size_t drain_messages(void) {
    sy_mux_message m;
    size_t count = 0;
    while (sy_mux_next_message(f.mux, &m)) {
        count++;
    }
    return count;
}

Test(mux_memory, idle_sizes) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    fix_open(&f, FIX_BATCH_SHARED);
    const size_t bare = f.peer.used;
    fix_close(&f);
    fix_init(&f, SY_PACKET_AMINO, 1024);
    for (uint8_t i = 0; i < 100; i++) {
        (void)fix_add_id(&f, i);
    }
    fix_open(&f, FIX_BATCH_SHARED);
    const size_t with_100 = f.peer.used;
    cr_assert(fix_budget_is_exact(&f));
    fix_close(&f);

    cr_log_info("mux %zu bytes, %zu per channel, batch of the loop %zu", bare,
                (with_100 - bare) / 100, sizeof(sy_mux_batch));
    cr_assert_leq(bare, 512);
    cr_assert_leq((with_100 - bare) / 100, 100);
}

/* SPEC-TEST MX-30 */
Test(mux_memory, after_long_messages_nothing_stays) {
    for (int shared = 0; shared <= 1; shared++) {
        fix_init(&f, SY_PACKET_PROTO, 1024);
        const uint16_t ch = fix_add_id(&f, 0x20);
        fix_open(&f, shared != 0);
        const size_t idle = f.peer.used;
        run r = {0};
        run_message(&r, SY_PACKET_PROTO, 0x20, 1, 1048576, 1024);
        run_message(&r, SY_PACKET_PROTO, 0x20, 2, 10, 1024);

        cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);
        cr_assert_gt(f.peer.used, idle + 1048576);
        cr_assert(fix_budget_is_exact(&f));
        cr_assert_eq(drain_messages(), 2);
        sy_mux_batch_done(f.mux);
        cr_assert_eq(f.peer.used, idle);
        cr_assert(fix_budget_is_exact(&f));

        for (int i = 0; i < 50; i++) {
            cr_assert_eq(fix_queue(&f, ch, 1, 5000), SY_SEND_QUEUED);
        }
        cr_assert_gt(f.peer.used, idle);
        cr_assert(fix_budget_is_exact(&f));
        r.len = 0;
        run_send(&r, &f, 16384);
        cr_assert(sy_mux_is_drained(f.mux));
        cr_assert_eq(f.peer.used, idle);
        cr_assert(fix_budget_is_exact(&f));
        run_free(&r);
        fix_close(&f);
    }
}

/* The caller that does not say batch_done: the next recv gives back what the last one held. */
Test(mux_memory, the_next_recv_gives_back) {
    fix_init(&f, SY_PACKET_PROTO, 1024);
    (void)fix_add_id(&f, 0x20);
    fix_open(&f, FIX_BATCH_OWN);
    const size_t idle = f.peer.used;
    run r = {0};
    run_message(&r, SY_PACKET_PROTO, 0x20, 1, 100000, 1024);
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);
    cr_assert_eq(drain_messages(), 1);
    cr_assert_gt(f.peer.used, idle);
    run ping = {0};
    run_ping(&ping, SY_PACKET_PROTO);
    cr_assert_eq(fix_recv(&f, ping.data, ping.len), SY_OK);
    cr_assert_eq(f.peer.used, idle);
    run_free(&r);
    run_free(&ping);
    fix_close(&f);
}

/* However slowly a packet comes, it holds at most a payload and a little; an assembled message at
 * most twice what has arrived, or its first block. */
Test(mux_memory, a_peer_that_drips_bytes) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    (void)fix_add_id(&f, 0x20);
    fix_open(&f, FIX_BATCH_SHARED);
    const size_t idle = f.peer.used;
    run r = {0};
    run_message(&r, SY_PACKET_AMINO, 0x20, 1, 50000, 1024);
    for (size_t i = 0; i + 1 < r.len; i++) {
        cr_assert_eq(fix_recv(&f, r.data + i, 1), SY_OK);
        const size_t most =
            (i < 4096 ? 4096 : 2 * i) + SY_PACKET_LEN_MAX(1024) + 2 * sizeof(sy_mux_block);
        cr_assert_leq(f.peer.used - idle, most, "byte %zu: %zu", i, f.peer.used - idle);
        if (i < 1000) {
            cr_assert_leq(f.peer.used - idle, SY_PACKET_LEN_MAX(1024) + sizeof(sy_mux_block));
        }
        cr_assert(fix_budget_is_exact(&f));
    }
    run_free(&r);
    fix_close(&f);
}

/* A packet of up to 4 MiB may be configured: announcing one costs nothing until it comes. */
Test(mux_memory, an_announced_length_reserves_nothing) {
    fix_init(&f, SY_PACKET_PROTO, SY_PACKET_PAYLOAD_CAP);
    (void)fix_add_id(&f, 0x20);
    fix_open(&f, FIX_BATCH_SHARED);
    const size_t idle = f.peer.used;
    run r = {0};
    run_message(&r, SY_PACKET_PROTO, 0x20, 9, SY_PACKET_PAYLOAD_CAP, SY_PACKET_PAYLOAD_CAP);
    cr_assert_eq(fix_recv(&f, r.data, 10), SY_OK);
    cr_assert_leq(f.peer.used - idle, 4096 + sizeof(sy_mux_block));
    for (size_t at = 10; at < r.len;) {
        const size_t n = r.len - at < 60000 ? r.len - at : 60000;
        cr_assert_eq(fix_recv(&f, r.data + at, n), SY_OK);
        at += n;
        cr_assert_leq(f.peer.used - idle, 2 * at + 4096);
    }
    sy_mux_message m;
    cr_assert(sy_mux_next_message(f.mux, &m));
    cr_assert_eq(m.len, SY_PACKET_PAYLOAD_CAP);
    cr_assert(fix_content_is(m.data, m.len, 9));
    sy_mux_batch_done(f.mux);
    cr_assert_eq(f.peer.used, idle);
    run_free(&r);
    fix_close(&f);
}

/* Single-packet messages in both directions, batches cut anywhere: after the first round the
 * allocator is not called again. */
Test(mux_memory, no_allocation_in_steady_state) {
    for (sy_packet_codec codec = SY_PACKET_AMINO; codec <= SY_PACKET_PROTO; codec++) {
        fix_init(&f, codec, 1024);
        const uint16_t ch = fix_add_id(&f, 0x20);
        fix_open(&f, FIX_BATCH_SHARED);
        run r = {0};
        for (uint64_t i = 0; i < 2000; i++) {
            run_message(&r, codec, 0x20, i, 1 + i * 37 % 1024, 1024);
        }
        sy_msg *msg = fix_msg(&f, 1, 700);
        sy_prng prng;
        sy_prng_init(&prng, 5);
        uint8_t out[4096];
        size_t calls = 0;
        size_t got = 0;
        for (size_t at = 0; at < r.len;) {
            const size_t want = 1 + (size_t)sy_prng_below(&prng, 3000);
            const size_t n = r.len - at < want ? r.len - at : want;
            cr_assert_eq(fix_recv(&f, r.data + at, n), SY_OK);
            at += n;
            got += drain_messages();
            sy_mux_batch_done(f.mux);
            size_t len = 0;
            cr_assert_eq(sy_mux_queue(f.mux, ch, msg), SY_SEND_QUEUED);
            sy_mux_send(f.mux, out, sizeof out, &len, f.now);
            cr_assert(sy_mux_is_drained(f.mux));
            if (at > 20000 && calls == 0) {
                calls = f.tm.calls;
            }
        }
        cr_assert_eq(got, 2000);
        cr_assert_gt(calls, 0);
        cr_assert_eq(f.tm.calls, calls, "%s: %zu calls", codec_name(codec), f.tm.calls - calls);
        sy_msg_unref(msg);
        run_free(&r);
        fix_close(&f);
    }
}

/* Everything that allocates, once; ends early when something failed.  Returns whether it did. */
static bool scenario(sy_packet_codec codec, bool shared, size_t fail_at, bool fail_from,
                     const run *r) {
    fix_init(&f, codec, 1024);
    (void)fix_add_id(&f, 0x20);
    (void)fix_add_id(&f, 0x21);
    sy_msg *msg = fix_msg(&f, 1, 3000);
    const size_t base = f.tm.calls;
    f.tm.fail_at = fail_at == 0 ? 0 : base + fail_at;
    f.tm.fail_from = fail_from;
    bool failed = false;
    if (shared) {
        failed = sy_mux_batch_new(&f.tm.mem, &f.node, &f.batch) != SY_OK;
    }
    f.config.batch = f.batch;
    if (!failed) {
        const sy_err err = sy_mux_new(&f.config, f.now, &f.mux);
        cr_assert(err == SY_OK || err == SY_ERR_NOMEM);
        failed = err != SY_OK;
    }
    for (size_t at = 0; at < r->len && !failed; at += 1500) {
        const size_t n = r->len - at < 1500 ? r->len - at : 1500;
        size_t consumed = 99;
        const sy_err err = sy_mux_recv(f.mux, r->data + at, n, &consumed, NULL, f.now);
        cr_assert(err == SY_OK || (err == SY_ERR_NOMEM && consumed == 99));
        cr_assert(fix_budget_is_exact(&f));
        (void)drain_messages();
        failed = err != SY_OK;
    }
    for (int i = 0; i < 12 && !failed; i++) {
        sy_mux_channel_stats before;
        sy_mux_channel_stats after;
        sy_mux_get_channel_stats(f.mux, 0, &before);
        const sy_send_result result = sy_mux_queue(f.mux, 0, msg);
        sy_mux_get_channel_stats(f.mux, 0, &after);
        cr_assert(result == SY_SEND_QUEUED || result == SY_SEND_FULL);
        failed = result == SY_SEND_FULL;
        cr_assert_eq(after.queued_messages, before.queued_messages + (failed ? 0 : 1));
        cr_assert_eq(after.queued_bytes, before.queued_bytes + (failed ? 0 : 3000));
        cr_assert(fix_budget_is_exact(&f));
    }
    if (f.mux != NULL) {
        run out = {0};
        run_send(&out, &f, 1000);
        cr_assert(fix_budget_is_exact(&f));
        run_free(&out);
    }
    f.tm.fail_at = 0;
    sy_msg_unref(msg);
    return failed;
}

Test(mux_memory, every_allocation_may_fail) {
    for (sy_packet_codec codec = SY_PACKET_AMINO; codec <= SY_PACKET_PROTO; codec++) {
        run r = {0};
        run_message(&r, codec, 0x20, 1, 700, 1024);
        run_message(&r, codec, 0x20, 2, 9000, 1024);
        run_message(&r, codec, 0x21, 3, 1200, 1024);
        run_message(&r, codec, 0x20, 4, 1000, 1024);
        for (int variant = 0; variant < 4; variant++) {
            const bool shared = (variant & 1) != 0;
            const bool from = (variant & 2) != 0;
            cr_assert_not(scenario(codec, shared, 0, from, &r));
            const size_t calls = f.tm.calls - 1; /* without the message */
            fix_close(&f);
            cr_assert_gt(calls, 5);
            for (size_t k = 1; k <= calls; k++) {
                cr_assert(scenario(codec, shared, k, from, &r), "call %zu of %zu", k, calls);
                fix_close(&f);
            }
        }
        run_free(&r);
    }
}

Test(mux_memory, a_budget_that_is_too_small_is_an_error_of_its_own) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    (void)fix_add_id(&f, 0x20);
    fix_open(&f, FIX_BATCH_SHARED);
    f.peer.limit = f.peer.used + 20000;
    run r = {0};
    run_message(&r, SY_PACKET_AMINO, 0x20, 1, 15000, 1024);
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);
    cr_assert_eq(drain_messages(), 1);
    sy_mux_batch_done(f.mux);
    r.len = 0;
    run_message(&r, SY_PACKET_AMINO, 0x20, 1, 40000, 1024);
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_ERR_LIMIT);
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_ERR_LIMIT);
    cr_assert(fix_budget_is_exact(&f));
    run_free(&r);
    fix_close(&f);

    fix_init(&f, SY_PACKET_AMINO, 1024);
    f.peer.limit = sizeof(sy_mux) - 1;
    cr_assert_eq(sy_mux_new(&f.config, f.now, &f.mux), SY_ERR_LIMIT);
    cr_assert_null(f.mux);
    f.peer.limit++;
    cr_assert_eq(sy_mux_new(&f.config, f.now, &f.mux), SY_OK);
    fix_close(&f);
}

/* Two connections of a loop share its batch: the one whose messages were dropped must not go on as
 * if nothing had happened. */
Test(mux_memory, a_batch_taken_over_ends_the_one_that_lost_messages) {
    fix_init(&f, SY_PACKET_PROTO, 1024);
    (void)fix_add_id(&f, 0x20);
    fix_open(&f, FIX_BATCH_SHARED);
    sy_mux *other = NULL;
    cr_assert_eq(sy_mux_new(&f.config, f.now, &other), SY_OK);
    run r = {0};
    run_message(&r, SY_PACKET_PROTO, 0x20, 1, 10, 1024);
    size_t consumed = 0;
    sy_mux_message m;

    /* All taken, or given up: harmless. */
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);
    cr_assert(sy_mux_next_message(f.mux, &m));
    cr_assert_eq(sy_mux_recv(other, r.data, r.len, &consumed, NULL, f.now), SY_OK);
    sy_mux_batch_done(other);
    cr_assert_not(sy_mux_next_message(other, &m));
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);

    /* One waiting. */
    cr_assert_eq(sy_mux_recv(other, r.data, r.len, &consumed, NULL, f.now), SY_OK);
    cr_assert_not(sy_mux_next_message(f.mux, &m));
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_ERR_STATE);
    cr_assert(sy_mux_next_message(other, &m));
    sy_mux_del(other);
    run_free(&r);
    fix_close(&f);
}
