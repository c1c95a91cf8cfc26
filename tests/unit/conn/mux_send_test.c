/* SPDX-License-Identifier: Apache-2.0 */
/* Sending: bytes, pieces, answers of the queue, ping and pong between packets. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "tests/support/test_hex.h"
#include "tests/unit/conn/mux_fixture.h"

static fix f;

static const sy_packet_codec codecs[] = {SY_PACKET_AMINO, SY_PACKET_PROTO};

static void expect_run(const run *got, const run *want, const char *name) {
    cr_assert_eq(got->len, want->len, "%s: %zu bytes, want %zu", name, got->len, want->len);
    cr_assert(memcmp(got->data, want->data, want->len) == 0, "%s: bytes differ", name);
}

/* SPEC-TEST MX-21 */ /* SPEC-TEST MX-22 */ /* SPEC-TEST MX-24 */
/* Written by the hand-made encoder in pieces of 1024, or 1023 on ids from 80 on in protobuf. */
Test(mux_send, lengths_around_the_piece) {
    static const size_t lens[] = {0,    1,    1022, 1023, 1024,  1025,   1026,
                                  2046, 2047, 2048, 2049, 65536, 1048576};
    static const uint8_t ids[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    for (size_t c = 0; c < 2; c++) {
        fix_init(&f, codecs[c], 1024);
        for (size_t i = 0; i < sizeof ids; i++) {
            (void)fix_add_id(&f, ids[i]);
        }
        fix_open(&f, FIX_BATCH_SHARED);
        for (size_t i = 0; i < sizeof ids; i++) {
            const size_t piece = codecs[c] == SY_PACKET_PROTO && ids[i] >= 0x80 ? 1023 : 1024;
            for (size_t k = 0; k < sizeof lens / sizeof lens[0]; k++) {
                run got = {0};
                run want = {0};
                char name[64];
                (void)snprintf(name, sizeof name, "%s %02x %zu", codec_name(codecs[c]), ids[i],
                               lens[k]);
                cr_assert_eq(fix_queue(&f, (uint16_t)i, k, lens[k]), SY_SEND_QUEUED, "%s", name);
                cr_assert_not(sy_mux_is_drained(f.mux), "%s", name);
                run_send(&got, &f, 16384);
                run_message(&want, codecs[c], ids[i], k, lens[k], piece);
                expect_run(&got, &want, name);
                cr_assert(sy_mux_is_drained(f.mux), "%s", name);
                cr_assert(fix_budget_is_exact(&f), "%s", name);
                run_free(&got);
                run_free(&want);
            }
        }
        fix_close(&f);
    }
}

/* The output does not depend on how much room each call has. */
Test(mux_send, cut_at_any_room) {
    for (size_t c = 0; c < 2; c++) {
        run want = {0};
        for (size_t cap = 0; cap <= 40; cap++) {
            fix_init(&f, codecs[c], 30);
            for (uint8_t id = 0x7e; id <= 0x81; id++) {
                (void)fix_add_id(&f, id);
            }
            fix_open(&f, FIX_BATCH_SHARED);
            for (uint64_t i = 0; i < 16; i++) {
                cr_assert_eq(fix_queue(&f, (uint16_t)(i % 4), i, i * 9), SY_SEND_QUEUED);
            }
            run got = {0};
            run_send(cap == 0 ? &want : &got, &f, cap == 0 ? 65536 : cap);
            if (cap > 0) {
                expect_run(&got, &want, "cut");
            }
            sy_mux_stats stats;
            sy_mux_get_stats(f.mux, &stats);
            cr_assert_eq(stats.messages_sent, 16);
            cr_assert_eq(stats.bytes_sent, want.len);
            run_free(&got);
            fix_close(&f);
        }
        run_free(&want);
    }
}

/* SPEC-TEST MX-35 */
Test(mux_send, first_in_first_out) {
    fix_init(&f, SY_PACKET_PROTO, 1024);
    const uint16_t ch = fix_add_id(&f, 0x20);
    fix_open(&f, FIX_BATCH_SHARED);
    run got = {0};
    run want = {0};
    uint64_t in = 0;
    uint64_t out = 0;
    /* The queue grows and shrinks, so that its ring wraps at every size. */
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 1 + round % 13; i++, in++) {
            cr_assert_eq(fix_queue(&f, ch, in, in % 50), SY_SEND_QUEUED);
        }
        const size_t before = got.len;
        uint8_t bytes[300];
        size_t len = 0;
        sy_mux_send(f.mux, bytes, sizeof bytes, &len, f.now);
        run_add(&got, bytes, len);
        cr_assert_gt(got.len, before);
        cr_assert(fix_budget_is_exact(&f));
    }
    run_send(&got, &f, 1000);
    for (; out < in; out++) {
        run_message(&want, SY_PACKET_PROTO, 0x20, out, out % 50, 1024);
    }
    expect_run(&got, &want, "fifo");
    run_free(&got);
    run_free(&want);
    fix_close(&f);
}

/* SPEC-TEST MX-31 */ /* SPEC-TEST MX-32 */
Test(mux_send, refused) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    const uint16_t ours = fix_add_id(&f, 0x20);
    const uint16_t both = fix_add_id(&f, 0x21);
    const uint16_t small = fix_add(&f, &(sy_channel_desc){.id = 0x22, .send_queue_bytes_max = 100});
    const uint16_t short_messages =
        fix_add(&f, &(sy_channel_desc){.id = 0x23, .recv_message_max = 100});
    f.remote[0] = 0x99; /* instead of 0x20; not ours */
    fix_open(&f, FIX_BATCH_SHARED);

    cr_assert_not(sy_mux_remote_has(f.mux, ours));
    cr_assert(sy_mux_remote_has(f.mux, both));
    cr_assert_not(sy_mux_remote_has(f.mux, 4));
    cr_assert_not(sy_mux_remote_has(f.mux, SY_CHANNEL_NONE));
    cr_assert_eq(fix_queue(&f, ours, 1, 1), SY_SEND_REFUSED);
    cr_assert_eq(fix_queue(&f, 4, 1, 1), SY_SEND_REFUSED);
    cr_assert_eq(fix_queue(&f, SY_CHANNEL_NONE, 1, 1), SY_SEND_REFUSED);
    /* What can never fit must not be answered with FULL: no `writable` would ever help. */
    cr_assert_eq(fix_queue(&f, small, 1, 101), SY_SEND_REFUSED);
    cr_assert(sy_mux_is_drained(f.mux));
    cr_assert_not(sy_mux_wants_send(f.mux, f.now));
    cr_assert_eq(fix_queue(&f, small, 1, 100), SY_SEND_QUEUED);
    cr_assert_eq(fix_queue(&f, short_messages, 1, 101), SY_SEND_REFUSED);
    cr_assert_eq(fix_queue(&f, short_messages, 1, 100), SY_SEND_QUEUED);
    cr_assert_eq(fix_queue(&f, both, 1, 1), SY_SEND_QUEUED);
    fix_close(&f);
}

static int writable_count(uint16_t channel) {
    uint16_t got = 0;
    int count = 0;
    while (sy_mux_next_writable(f.mux, &got)) {
        cr_assert_eq(got, channel);
        count++;
    }
    return count;
}

static void send_bytes(size_t n) {
    static uint8_t out[65536];
    size_t len = 0;
    sy_mux_send(f.mux, out, n, &len, f.now);
    cr_assert_eq(len, n);
}

/* SPEC-TEST MX-33 */ /* SPEC-TEST MX-34 */
/* A packet of 100 bytes on channel 20 has 110 bytes in amino. */
Test(mux_send, full_by_messages) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    const uint16_t ch = fix_add(&f, &(sy_channel_desc){.id = 0x20, .send_queue_max = 10});
    fix_open(&f, FIX_BATCH_SHARED);
    sy_msg *msg = fix_msg(&f, 1, 100);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(sy_mux_queue(f.mux, ch, msg), SY_SEND_QUEUED);
    }
    const size_t used = f.peer.used;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(sy_mux_queue(f.mux, ch, msg), SY_SEND_FULL);
        sy_mux_channel_stats stats;
        sy_mux_get_channel_stats(f.mux, ch, &stats);
        cr_assert_eq(stats.queued_messages, 10);
        cr_assert_eq(stats.queued_bytes, 1000);
        cr_assert_eq(f.peer.used, used);
    }
    /* Nothing before the queue has fallen to half, and a message counts until its last byte. */
    run want = {0};
    run_message(&want, SY_PACKET_AMINO, 0x20, 1, 100, 1024);
    cr_assert_eq(want.len, 111);
    send_bytes(5 * 111 - 1);
    cr_assert_eq(writable_count(ch), 0);
    send_bytes(1);
    cr_assert_eq(writable_count(ch), 1);
    cr_assert_eq(writable_count(ch), 0);
    /* Not asked again: nothing more is reported. */
    send_bytes(5 * 111);
    cr_assert_eq(writable_count(ch), 0);
    cr_assert(sy_mux_is_drained(f.mux));
    /* The whole round again. */
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(sy_mux_queue(f.mux, ch, msg), SY_SEND_QUEUED);
    }
    cr_assert_eq(sy_mux_queue(f.mux, ch, msg), SY_SEND_FULL);
    send_bytes(10 * 111);
    cr_assert_eq(writable_count(ch), 1);
    run_free(&want);
    sy_msg_unref(msg);
    fix_close(&f);
}

/* SPEC-TEST MX-33 */ /* SPEC-TEST MX-34 */
Test(mux_send, full_by_bytes) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    const uint16_t ch = fix_add(
        &f, &(sy_channel_desc){.id = 0x20, .send_queue_max = 100, .send_queue_bytes_max = 1000});
    fix_open(&f, FIX_BATCH_SHARED);
    cr_assert_eq(fix_queue(&f, ch, 1, 400), SY_SEND_QUEUED);
    cr_assert_eq(fix_queue(&f, ch, 1, 601), SY_SEND_FULL);
    cr_assert_eq(fix_queue(&f, ch, 1, 600), SY_SEND_QUEUED);
    cr_assert_eq(fix_queue(&f, ch, 1, 1), SY_SEND_FULL);
    cr_assert_eq(fix_queue(&f, ch, 1, 0), SY_SEND_QUEUED);
    run r = {0};
    run_message(&r, SY_PACKET_AMINO, 0x20, 1, 400, 1024);
    send_bytes(r.len);
    cr_assert_eq(writable_count(ch), 0); /* 600 bytes left */
    run_message(&r, SY_PACKET_AMINO, 0x20, 1, 600, 1024);
    send_bytes(r.len - 400 - 12);
    cr_assert_eq(writable_count(ch), 1);
    run_free(&r);
    fix_close(&f);
}

/* SPEC-TEST MX-34 */
/* A queue of one, and a refusal between the fall and the report. */
Test(mux_send, writable_is_taken_back_when_the_queue_is_full_again) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    const uint16_t ch = fix_add(&f, &(sy_channel_desc){.id = 0x20, .send_queue_max = 1});
    fix_open(&f, FIX_BATCH_SHARED);
    run r = {0};
    cr_assert_eq(fix_queue(&f, ch, 1, 10), SY_SEND_QUEUED);
    cr_assert_eq(fix_queue(&f, ch, 1, 10), SY_SEND_FULL);
    run_send(&r, &f, 100);
    cr_assert_eq(fix_queue(&f, ch, 1, 10), SY_SEND_QUEUED);
    cr_assert_eq(fix_queue(&f, ch, 1, 10), SY_SEND_FULL);
    cr_assert_eq(writable_count(ch), 0);
    run_send(&r, &f, 100);
    cr_assert_eq(writable_count(ch), 1);
    cr_assert_eq(writable_count(ch), 0);
    run_free(&r);
    fix_close(&f);
}

Test(mux_send, each_channel_reports_for_itself) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    for (uint8_t i = 0; i < 5; i++) {
        (void)fix_add(&f, &(sy_channel_desc){.id = i, .send_queue_max = 1});
    }
    fix_open(&f, FIX_BATCH_SHARED);
    for (uint16_t i = 0; i < 5; i++) {
        cr_assert_eq(fix_queue(&f, i, 1, 10), SY_SEND_QUEUED);
        if (i % 2 == 0) {
            cr_assert_eq(fix_queue(&f, i, 1, 10), SY_SEND_FULL);
        }
    }
    run r = {0};
    run_send(&r, &f, 1000);
    uint16_t got = 0;
    for (uint16_t want = 0; want < 5; want += 2) {
        cr_assert(sy_mux_next_writable(f.mux, &got));
        cr_assert_eq(got, want);
    }
    cr_assert_not(sy_mux_next_writable(f.mux, &got));
    run_free(&r);
    fix_close(&f);
}

/* SPEC-TEST MX-41 */
/* The pong goes ahead of everything queued, also inside a message, but not inside a packet. */
Test(mux_send, pong_overtakes_between_packets) {
    for (size_t c = 0; c < 2; c++) {
        fix_init(&f, codecs[c], 100);
        const uint16_t ch = fix_add_id(&f, 0x20);
        fix_open(&f, FIX_BATCH_SHARED);
        cr_assert_eq(fix_queue(&f, ch, 1, 300), SY_SEND_QUEUED);
        run got = {0};
        uint8_t out[50];
        size_t len = 0;
        sy_mux_send(f.mux, out, sizeof out, &len, f.now);
        cr_assert_eq(len, 50);
        run_add(&got, out, len);

        run pings = {0};
        for (int i = 0; i < 300; i++) {
            run_ping(&pings, codecs[c]);
        }
        cr_assert_eq(fix_recv(&f, pings.data, pings.len), SY_OK);
        cr_assert_not(sy_mux_is_drained(f.mux));
        run_send(&got, &f, 33);

        run want = {0};
        run whole = {0};
        run_message(&whole, codecs[c], 0x20, 1, 300, 100);
        const size_t first = codecs[c] == SY_PACKET_AMINO ? 109 : 107;
        run_add(&want, whole.data, first);
        run_pong(&want, codecs[c]); /* one for 300 */
        run_add(&want, whole.data + first, whole.len - first);
        expect_run(&got, &want, codec_name(codecs[c]));

        /* The next ping gets its own. */
        cr_assert_eq(fix_recv(&f, pings.data, pings.len / 300), SY_OK);
        got.len = 0;
        want.len = 0;
        run_send(&got, &f, 1);
        run_pong(&want, codecs[c]);
        expect_run(&got, &want, "again");
        run_free(&got);
        run_free(&want);
        run_free(&whole);
        run_free(&pings);
        fix_close(&f);
    }
}

/* SPEC-TEST MX-37 */
Test(mux_send, ping_is_sent_at_its_time_and_once) {
    for (size_t c = 0; c < 2; c++) {
        fix_init(&f, codecs[c], 1024);
        const uint16_t ch = fix_add_id(&f, 0x20);
        fix_open(&f, FIX_BATCH_SHARED);
        cr_assert_eq(sy_mux_next_expiry(f.mux), f.now + 60 * SY_SEC);
        bool check_dry = true;
        f.now += 60 * SY_SEC;
        cr_assert_eq(fix_queue(&f, ch, 1, 10), SY_SEND_QUEUED);
        sy_mux_on_expiry(f.mux, &check_dry, f.now);
        cr_assert_not(check_dry);
        sy_mux_ping(f.mux, f.now); /* in flight already */
        run got = {0};
        run want = {0};
        run_send(&got, &f, 1000);
        run_ping(&want, codecs[c]);
        run_message(&want, codecs[c], 0x20, 1, 10, 1024);
        expect_run(&got, &want, "ping first");
        cr_assert_eq(sy_mux_next_expiry(f.mux), f.now + 45 * SY_SEC);
        run_free(&got);
        run_free(&want);
        fix_close(&f);
    }
}

Test(mux_send, ping_on_request_measures_the_round_trip) {
    fix_init(&f, SY_PACKET_PROTO, 1024);
    fix_open(&f, FIX_BATCH_SHARED);
    sy_mux_ping(f.mux, f.now);
    cr_assert(sy_mux_wants_send(f.mux, f.now));
    run got = {0};
    run want = {0};
    run_send(&got, &f, 1000);
    run_ping(&want, SY_PACKET_PROTO);
    expect_run(&got, &want, "ping");
    f.now += 25 * SY_MSEC;
    run pong = {0};
    run_pong(&pong, SY_PACKET_PROTO);
    cr_assert_eq(fix_recv(&f, pong.data, pong.len), SY_OK);
    sy_mux_stats stats;
    sy_mux_get_stats(f.mux, &stats);
    cr_assert_eq(stats.rtt_ns, 25 * SY_MSEC);
    run_free(&got);
    run_free(&want);
    run_free(&pong);
    fix_close(&f);
}

/* SPEC-TEST MX-38 */ /* SPEC-TEST MX-39 */ /* SPEC-TEST MX-40 */
/* Nothing is ever written out here, as when the socket is blocked. */
Test(mux_send, pong_timeout_holds_while_writes_are_blocked) {
    for (int pong = 0; pong <= 1; pong++) {
        fix_init(&f, SY_PACKET_AMINO, 1024);
        const uint16_t ch = fix_add_id(&f, 0x20);
        f.config.ping_interval_ns = 10 * SY_SEC;
        f.config.pong_timeout_ns = 2 * SY_SEC;
        fix_open(&f, FIX_BATCH_SHARED);
        cr_assert_eq(fix_queue(&f, ch, 1, 100000), SY_SEND_QUEUED);
        bool check_dry = true;
        f.now += 10 * SY_SEC;
        sy_mux_on_expiry(f.mux, &check_dry, f.now);
        cr_assert_not(check_dry);
        f.now += 2 * SY_SEC;
        cr_assert_eq(sy_mux_next_expiry(f.mux), f.now);
        sy_mux_on_expiry(f.mux, &check_dry, f.now);
        cr_assert(check_dry);
        if (pong == 1) {
            run r = {0};
            run_pong(&r, SY_PACKET_AMINO);
            cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);
            run_free(&r);
        }
        cr_assert_eq(sy_mux_on_read_dry(f.mux, f.now), pong == 1 ? SY_OK : SY_ERR_PONG_TIMEOUT);
        cr_assert_eq(fix_recv(&f, NULL, 0), pong == 1 ? SY_OK : SY_ERR_PONG_TIMEOUT);
        cr_assert_eq(sy_mux_wants_send(f.mux, f.now), pong == 1);
        fix_close(&f);
    }
}

Test(mux_send, a_short_interval_gets_a_shorter_timeout) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    f.config.ping_interval_ns = 8 * SY_SEC;
    fix_open(&f, FIX_BATCH_SHARED);
    bool check_dry = false;
    f.now += 8 * SY_SEC;
    sy_mux_on_expiry(f.mux, &check_dry, f.now);
    cr_assert_eq(sy_mux_next_expiry(f.mux), f.now + 6 * SY_SEC);
    fix_close(&f);
}

/* SPEC-TEST MX-36 */
/* An empty queue: what is queued can be sent in the same instant, no timer is in the way. */
Test(mux_send, nothing_waits_for_a_timer) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    const uint16_t ch = fix_add_id(&f, 0x20);
    fix_open(&f, FIX_BATCH_SHARED);
    cr_assert_not(sy_mux_wants_send(f.mux, f.now));
    cr_assert_eq(fix_queue(&f, ch, 1, 1), SY_SEND_QUEUED);
    cr_assert(sy_mux_wants_send(f.mux, f.now));
    uint8_t out[64];
    uint8_t want[64];
    size_t len = 0;
    sy_mux_send(f.mux, out, sizeof out, &len, f.now);
    cr_assert_eq(len, test_hex("0b b05b4f2c 0820 1001 1a01 00", want, sizeof want));
    cr_assert_arr_eq(out, want, len - 1);
    fix_close(&f);
}
