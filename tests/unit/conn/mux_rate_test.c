/* SPDX-License-Identifier: Apache-2.0 */
/* Rates on a virtual clock.  Off unless configured; ping and pong never wait. */
#include <criterion/criterion.h>

#include <string.h>

#include "tests/unit/conn/mux_fixture.h"

#define RATE 100000

static fix f;

typedef struct sample {
    sy_time at;
    size_t bytes;
} sample;

/* Over any second at most the rate and the larger of a tenth and a packet. */
static void check_windows(const sample *samples, size_t count, size_t allowance) {
    for (size_t i = 0; i < count; i++) {
        size_t sum = 0;
        for (size_t k = i; k < count && samples[k].at - samples[i].at < SY_SEC; k++) {
            sum += samples[k].bytes;
        }
        cr_assert_leq(sum, RATE + allowance, "second from sample %zu: %zu", i, sum);
    }
}

/* Within 3 % of the rate. */
static void check_mean(size_t bytes, sy_duration took) {
    const uint64_t mean = (uint64_t)bytes * 1000 / (took / SY_MSEC);
    cr_assert(mean > RATE * 97 / 100 && mean < RATE * 103 / 100, "%llu bytes/s",
              (unsigned long long)mean);
}

/* SPEC-TEST MX-49 */
Test(mux_rate, sending) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    const uint16_t ch = fix_add_id(&f, 0x20);
    f.config.send_rate = RATE;
    fix_open(&f, FIX_BATCH_SHARED);
    cr_assert_eq(fix_queue(&f, ch, 1, 500000), SY_SEND_QUEUED);
    static sample samples[5000];
    static uint8_t out[16384];
    size_t count = 0;
    size_t total = 0;
    size_t wakes = 0;
    const sy_time start = f.now;
    while (!sy_mux_is_drained(f.mux)) {
        size_t len = 0;
        const bool wants = sy_mux_wants_send(f.mux, f.now);
        sy_mux_send(f.mux, out, sizeof out, &len, f.now);
        cr_assert_eq(wants, len > 0);
        total += len;
        cr_assert_lt(count, 5000);
        samples[count++] = (sample){f.now, len};
        if (!sy_mux_wants_send(f.mux, f.now) && !sy_mux_is_drained(f.mux)) {
            /* Woken when half a burst may go, or the rest, and not in a loop. */
            const sy_time next = sy_mux_next_expiry(f.mux);
            cr_assert_gt(next, f.now);
            cr_assert_leq(next, f.now + SY_SEC / 20);
            wakes++;
            f.now = next;
            bool check_dry = false;
            sy_mux_on_expiry(f.mux, &check_dry, f.now);
            cr_assert_gt(sy_mux_next_expiry(f.mux), f.now);
            cr_assert(sy_mux_wants_send(f.mux, f.now));
        }
    }
    check_windows(samples, count, RATE / 10);
    check_mean(total, f.now - start);
    /* A packet at a time would fill every other frame with almost nothing. */
    cr_assert_leq(wakes, total / (4 * 1024) + 2, "%zu", wakes);
    fix_close(&f);
}

/* What is urgent waits for its own bytes only, however much bulk stands behind it. */
Test(mux_rate, a_small_message_waits_for_itself) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    const uint16_t bulk = fix_add_id(&f, 0x20);
    const uint16_t urgent =
        fix_add(&f, &(sy_channel_desc){.id = 0x21, .name = "u", .priority = 10});
    f.config.send_rate = RATE;
    fix_open(&f, FIX_BATCH_SHARED);
    static uint8_t out[16384];
    size_t len = 0;
    cr_assert_eq(fix_queue(&f, bulk, 1, 100000), SY_SEND_QUEUED);
    do {
        sy_mux_send(f.mux, out, sizeof out, &len, f.now);
    } while (len > 0);
    const sy_time start = f.now;
    cr_assert_gt(sy_mux_next_expiry(f.mux), start + 30 * SY_MSEC); /* worth a few packets */
    cr_assert_eq(fix_queue(&f, urgent, 2, 1000), SY_SEND_QUEUED);
    sy_mux_send(f.mux, out, sizeof out, &len, f.now);
    if (len == 0) {
        f.now = sy_mux_next_expiry(f.mux);
        sy_mux_send(f.mux, out, sizeof out, &len, f.now);
    }
    cr_assert_gt(len, 1000);
    cr_assert_lt(f.now - start, 11 * SY_MSEC);
    fix_close(&f);
}

static sy_err feed(const run *r, size_t *at, size_t *ret_bytes, size_t *ret_messages) {
    size_t consumed = 0;
    const sy_err err = sy_mux_recv(f.mux, r->data + *at, r->len - *at, &consumed, NULL, f.now);
    *at += consumed;
    *ret_bytes = consumed;
    sy_mux_message m;
    while (sy_mux_next_message(f.mux, &m)) {
        cr_assert(fix_content_is(m.data, m.len, *ret_messages));
        (*ret_messages)++;
    }
    return err;
}

/* SPEC-TEST MX-49 */
Test(mux_rate, receiving) {
    for (size_t cut = 0; cut < 2; cut++) {
        fix_init(&f, SY_PACKET_PROTO, 1024);
        (void)fix_add_id(&f, 0x20);
        f.config.recv_rate = RATE;
        fix_open(&f, FIX_BATCH_SHARED);
        run r = {0};
        for (uint64_t i = 0; i < 400; i++) {
            run_message(&r, SY_PACKET_PROTO, 0x20, i, 1000, 1024);
        }
        static sample samples[5000];
        size_t count = 0;
        size_t at = 0;
        size_t messages = 0;
        const sy_time start = f.now;
        if (cut == 1) {
            /* The first packet comes in two parts, so that a partial one waits for the rate. */
            run head = {.data = r.data, .len = 500};
            size_t bytes = 0;
            cr_assert_eq(feed(&head, &at, &bytes, &messages), SY_OK);
            cr_assert_eq(at, 500);
        }
        while (at < r.len) {
            size_t bytes = 0;
            cr_assert_eq(feed(&r, &at, &bytes, &messages), SY_OK);
            cr_assert_lt(count, 5000);
            samples[count++] = (sample){f.now, bytes};
            if (at < r.len) {
                const sy_time next = sy_mux_recv_ready_at(f.mux);
                cr_assert_neq(next, SY_NEVER);
                cr_assert_gt(next, f.now);
                cr_assert_eq(sy_mux_next_expiry(f.mux), next);
                f.now = next;
                bool check_dry = false;
                sy_mux_on_expiry(f.mux, &check_dry, f.now);
                cr_assert_eq(sy_mux_recv_ready_at(f.mux), SY_NEVER);
            }
        }
        cr_assert_eq(messages, 400);
        check_windows(samples, count, RATE / 10);
        check_mean(r.len, f.now - start);
        run_free(&r);
        fix_close(&f);
    }
}

/* A packet that completes a partial one, but must wait, is given again and delivered once. */
Test(mux_rate, a_partial_packet_waits_too) {
    fix_init(&f, SY_PACKET_PROTO, 1024);
    (void)fix_add_id(&f, 0x20);
    f.config.recv_rate = 1000; /* one packet at once, then one a second */
    fix_open(&f, FIX_BATCH_SHARED);
    run r = {0};
    for (uint64_t i = 0; i < 3; i++) {
        run_message(&r, SY_PACKET_PROTO, 0x20, i, 1000, 1024);
    }
    size_t at = 0;
    size_t bytes = 0;
    size_t messages = 0;
    run part = {.data = r.data, .len = r.len / 3 + 100};
    cr_assert_eq(feed(&part, &at, &bytes, &messages), SY_OK);
    cr_assert_eq(at, part.len);
    cr_assert_eq(messages, 1);
    part.len = 2 * r.len / 3;
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(feed(&part, &at, &bytes, &messages), SY_OK);
        cr_assert_eq(bytes, 0);
        cr_assert_eq(messages, 1);
        cr_assert(fix_budget_is_exact(&f));
    }
    f.now = sy_mux_recv_ready_at(f.mux);
    cr_assert_eq(feed(&part, &at, &bytes, &messages), SY_OK);
    cr_assert_eq(messages, 2);
    cr_assert_eq(at, part.len);
    cr_assert(sy_mux_at_boundary(f.mux));
    run_free(&r);
    fix_close(&f);
}

/* SPEC-TEST MX-50 */
Test(mux_rate, ping_and_pong_are_counted_but_do_not_wait) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    const uint16_t ch = fix_add_id(&f, 0x20);
    f.config.send_rate = 1000;
    f.config.recv_rate = 1000;
    fix_open(&f, FIX_BATCH_SHARED);
    run got = {0};
    cr_assert_eq(fix_queue(&f, ch, 1, 100000), SY_SEND_QUEUED);
    run_send(&got, &f, 5000);
    cr_assert_lt(got.len, 1100);
    cr_assert_not(sy_mux_wants_send(f.mux, f.now));
    const sy_time before = sy_mux_next_expiry(f.mux);

    /* Received while the receive rate is used up. */
    run r = {0};
    run_message(&r, SY_PACKET_AMINO, 0x20, 1, 1000, 1024);
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);
    sy_mux_batch_done(f.mux);
    r.len = 0;
    for (int i = 0; i < 100; i++) {
        run_ping(&r, SY_PACKET_AMINO);
        run_pong(&r, SY_PACKET_AMINO);
    }
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);
    cr_assert_eq(sy_mux_recv_ready_at(f.mux), SY_NEVER);

    /* Sent while the send rate is used up. */
    sy_mux_ping(f.mux, f.now);
    cr_assert(sy_mux_wants_send(f.mux, f.now));
    got.len = 0;
    run_send(&got, &f, 5000);
    run want = {0};
    run_pong(&want, SY_PACKET_AMINO);
    run_ping(&want, SY_PACKET_AMINO);
    cr_assert_eq(got.len, want.len);
    cr_assert(memcmp(got.data, want.data, want.len) == 0);
    /* Counted: the next message packet waits no less than before. */
    cr_assert_geq(sy_mux_next_expiry(f.mux), before);
    run_free(&r);
    run_free(&got);
    run_free(&want);
    fix_close(&f);
}

/* SPEC-TEST MX-50 */
/* Two packets of 1000 bytes are exactly what 20000 bytes a second lets through at once; a ping
 * takes the place of one. */
Test(mux_rate, ping_and_pong_count) {
    for (int ping = 0; ping <= 1; ping++) {
        fix_init(&f, SY_PACKET_AMINO, 1024);
        const uint16_t ch = fix_add_id(&f, 0x20);
        f.config.send_rate = 20000;
        f.config.recv_rate = 20000;
        fix_open(&f, FIX_BATCH_SHARED);
        run r = {0};
        if (ping == 1) {
            run_ping(&r, SY_PACKET_AMINO);
        }
        const size_t ping_len = r.len;
        for (int i = 0; i < 2; i++) {
            run_message(&r, SY_PACKET_AMINO, 0x20, 1, 987, 1024);
            cr_assert_eq(fix_queue(&f, ch, 1, 987), SY_SEND_QUEUED);
        }
        cr_assert_eq(r.len, ping_len + 2000);

        size_t consumed = 0;
        cr_assert_eq(sy_mux_recv(f.mux, r.data, r.len, &consumed, NULL, f.now), SY_OK);
        cr_assert_eq(consumed, ping_len + (ping == 1 ? 1000 : 2000));
        sy_mux_batch_done(f.mux);

        run got = {0};
        run_send(&got, &f, 5000);
        cr_assert_eq(got.len, ping_len + (ping == 1 ? 1000 : 2000)); /* a pong is as long */
        run_free(&r);
        run_free(&got);
        fix_close(&f);
    }
}

/* SPEC-TEST MX-49 */
/* A rate below one packet a second must not lock up. */
Test(mux_rate, a_very_low_rate_still_moves) {
    fix_init(&f, SY_PACKET_PROTO, 1024);
    const uint16_t ch = fix_add_id(&f, 0x20);
    f.config.send_rate = 1;
    f.config.ping_interval_ns = SY_DAY;
    f.config.pong_timeout_ns = SY_HOUR;
    fix_open(&f, FIX_BATCH_SHARED);
    cr_assert_eq(fix_queue(&f, ch, 1, 3000), SY_SEND_QUEUED);
    run got = {0};
    for (int i = 0; i < 10 && !sy_mux_is_drained(f.mux); i++) {
        run_send(&got, &f, 5000);
        if (!sy_mux_is_drained(f.mux)) {
            f.now = sy_mux_next_expiry(f.mux);
        }
    }
    run want = {0};
    run_message(&want, SY_PACKET_PROTO, 0x20, 1, 3000, 1024);
    cr_assert_eq(got.len, want.len);
    cr_assert(memcmp(got.data, want.data, want.len) == 0);
    run_free(&got);
    run_free(&want);
    fix_close(&f);
}

Test(mux_rate, off_unless_configured) {
    fix_init(&f, SY_PACKET_PROTO, 1024);
    const uint16_t ch = fix_add_id(&f, 0x20);
    fix_open(&f, FIX_BATCH_SHARED);
    const sy_time next = sy_mux_next_expiry(f.mux);
    cr_assert_eq(fix_queue(&f, ch, 1, (size_t)10 << 20), SY_SEND_QUEUED);
    run got = {0};
    run_send(&got, &f, 65536);
    cr_assert(sy_mux_is_drained(f.mux));
    cr_assert_eq(fix_recv(&f, got.data, got.len), SY_OK);
    cr_assert_eq(sy_mux_next_expiry(f.mux), next);
    run_free(&got);
    fix_close(&f);
}
