/* SPDX-License-Identifier: Apache-2.0 */
/* Receiving: what is delivered, in which order, what is refused and with which code. */
#include <criterion/criterion.h>

#include <string.h>

#include "tests/support/test_hex.h"
#include "tests/unit/conn/mux_fixture.h"

static fix f; /* large: holds a channel set */

static const sy_packet_codec codecs[] = {SY_PACKET_AMINO, SY_PACKET_PROTO};

static void expect_message(uint16_t channel, uint64_t seed, size_t len, const char *name) {
    sy_mux_message m = {0};
    cr_assert(sy_mux_next_message(f.mux, &m), "%s: no message", name);
    cr_assert_eq(m.channel, channel, "%s: channel %u", name, m.channel);
    cr_assert_eq(m.len, len, "%s: %zu bytes", name, m.len);
    cr_assert_not_null(m.data, "%s", name);
    cr_assert(fix_content_is(m.data, m.len, seed), "%s: content", name);
}

static void expect_no_message(const char *name) {
    sy_mux_message m;
    cr_assert_not(sy_mux_next_message(f.mux, &m), "%s: a message too many", name);
}

Test(mux_recv, a_message_in_one_packet_is_a_view_into_the_batch) {
    for (size_t i = 0; i < 2; i++) {
        fix_init(&f, codecs[i], 1024);
        const uint16_t ch = fix_add_id(&f, 0x20);
        fix_open(&f, FIX_BATCH_SHARED);
        run r = {0};
        run_message(&r, codecs[i], 0x20, 1, 1024, 1024);
        const size_t before = f.tm.calls;

        cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);

        sy_mux_message m;
        cr_assert(sy_mux_next_message(f.mux, &m));
        cr_assert_eq(m.channel, ch);
        cr_assert(m.data > r.data && m.data + m.len == r.data + r.len);
        cr_assert(fix_content_is(m.data, m.len, 1));
        expect_no_message("view");
        cr_assert_eq(f.tm.calls, before);
        cr_assert(sy_mux_at_boundary(f.mux));
        run_free(&r);
        fix_close(&f);
    }
}

/* SPEC-TEST MX-21 */ /* SPEC-TEST MX-24 */ /* SPEC-TEST MX-25 */
Test(mux_recv, lengths_around_the_piece) {
    static const size_t lens[] = {0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 65536, 1048576};
    static const uint8_t ids[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    for (size_t c = 0; c < 2; c++) {
        fix_init(&f, codecs[c], 1024);
        for (size_t i = 0; i < sizeof ids; i++) {
            (void)fix_add_id(&f, ids[i]);
        }
        fix_open(&f, FIX_BATCH_SHARED);
        for (size_t i = 0; i < sizeof ids; i++) {
            for (size_t k = 0; k < sizeof lens / sizeof lens[0]; k++) {
                run r = {0};
                run_message(&r, codecs[c], ids[i], k, lens[k], 1024);
                cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK, "%02x %zu", ids[i], lens[k]);
                cr_assert(fix_budget_is_exact(&f));
                expect_message((uint16_t)i, k, lens[k], codec_name(codecs[c]));
                expect_no_message("one");
                sy_mux_batch_done(f.mux);
                cr_assert(fix_budget_is_exact(&f));
                run_free(&r);
            }
        }
        sy_mux_stats stats;
        sy_mux_get_stats(f.mux, &stats);
        cr_assert_eq(stats.messages_received, 50);
        fix_close(&f);
    }
}

/* SPEC-TEST MX-23 */ /* SPEC-TEST MX-25 */ /* SPEC-TEST MX-41 */
Test(mux_recv, interleaved_pieces_with_pings_between) {
    for (size_t c = 0; c < 2; c++) {
        fix_init(&f, codecs[c], 1024);
        (void)fix_add_id(&f, 0x20);
        (void)fix_add_id(&f, 0x80);
        fix_open(&f, FIX_BATCH_SHARED);
        run a = {0};
        run b = {0};
        run r = {0};
        run_message(&a, codecs[c], 0x20, 7, 3000, 1000);
        run_message(&b, codecs[c], 0x80, 8, 3000, 1000);
        /* Piece by piece: the three packets of each differ by the end mark only. */
        size_t at_a = 0;
        size_t at_b = 0;
        for (int i = 0; i < 3; i++) {
            run one = {0};
            run_packet(&one, codecs[c], 0x20, i == 2, a.data, 1000);
            run two = {0};
            run_packet(&two, codecs[c], 0x80, i == 2, b.data, 1000);
            run_add(&r, a.data + at_a, one.len);
            run_ping(&r, codecs[c]);
            run_add(&r, b.data + at_b, two.len);
            run_pong(&r, codecs[c]);
            at_a += one.len;
            at_b += two.len;
            run_free(&one);
            run_free(&two);
        }
        cr_assert_eq(at_a, a.len);
        cr_assert_eq(at_b, b.len);

        cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);

        expect_message(0, 7, 3000, "20");
        expect_message(1, 8, 3000, "80");
        expect_no_message("two");
        sy_mux_stats stats;
        sy_mux_get_stats(f.mux, &stats);
        cr_assert_eq(stats.packets_received, 12);
        cr_assert_eq(stats.pings_received, 3);
        cr_assert_eq(stats.bytes_received, r.len);
        run_free(&a);
        run_free(&b);
        run_free(&r);
        fix_close(&f);
    }
}

/* A second long message of a channel begins, and ends, in the batch in which the first ended. */
/* SPEC-TEST MX-25 */
Test(mux_recv, assembled_messages_of_one_channel_in_one_batch) {
    fix_init(&f, SY_PACKET_PROTO, 100);
    (void)fix_add_id(&f, 0x20);
    fix_open(&f, FIX_BATCH_SHARED);
    run r = {0};
    for (uint64_t seed = 0; seed < 20; seed++) {
        run_message(&r, SY_PACKET_PROTO, 0x20, seed, 250 + seed, 100);
    }
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);
    cr_assert(fix_budget_is_exact(&f));
    for (uint64_t seed = 0; seed < 20; seed++) {
        expect_message(0, seed, 250 + seed, "one of 20");
    }
    expect_no_message("20");
    run_free(&r);
    fix_close(&f);
}

/* SPEC-TEST MX-48 */
Test(mux_recv, highest_class_first_and_in_order_within_a_channel) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    static const sy_class order[] = {SY_CLASS_BULK, SY_CLASS_CONTROL, SY_CLASS_NORMAL,
                                     SY_CLASS_URGENT};
    for (uint8_t i = 0; i < 4; i++) {
        (void)fix_add(&f, &(sy_channel_desc){.id = (uint8_t)(0x20 + i), .traffic_class = order[i]});
    }
    fix_open(&f, FIX_BATCH_SHARED);
    run r = {0};
    for (uint64_t k = 0; k < 3; k++) {
        for (uint8_t i = 0; i < 4; i++) {
            /* The second of each is assembled. */
            run_message(&r, SY_PACKET_AMINO, (uint8_t)(0x20 + i), 10 * i + k, k == 1 ? 1500 : 10,
                        1024);
        }
    }
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);
    static const uint16_t want[] = {1, 3, 2, 0};
    for (int i = 0; i < 4; i++) {
        for (uint64_t k = 0; k < 3; k++) {
            expect_message(want[i], 10 * (uint64_t)want[i] + k, k == 1 ? 1500 : 10, "by class");
        }
    }
    expect_no_message("12");
    run_free(&r);
    fix_close(&f);
}

typedef struct capacity_row {
    const char *name;
    size_t piece;
    size_t len;
    bool sink;
    sy_err err;
} capacity_row;

/* Capacity 5000. */
static const capacity_row capacities[] = {
    {"many pieces, -1", 1024, 4999, false, SY_OK},
    {"many pieces, 0", 1024, 5000, false, SY_OK},
    {"many pieces, +1", 1024, 5001, false, SY_ERR_MESSAGE_TOO_LONG},
    {"one piece, -1", 8192, 4999, false, SY_OK},
    {"one piece, 0", 8192, 5000, false, SY_OK},
    {"one piece, +1", 8192, 5001, false, SY_ERR_MESSAGE_TOO_LONG},
    {"single bytes, 0", 1, 5000, false, SY_OK},
    {"single bytes, +1", 1, 5001, false, SY_ERR_MESSAGE_TOO_LONG},
    {"sink, -1", 1024, 4999, true, SY_OK},
    {"sink, 0", 1024, 5000, true, SY_OK},
    {"sink, +1", 1024, 5001, true, SY_ERR_MESSAGE_TOO_LONG},
};

/* SPEC-TEST MX-28 */ /* SPEC-TEST MX-29 */
Test(mux_recv, capacity) {
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        const capacity_row *t = &capacities[i];
        fix_init(&f, SY_PACKET_AMINO, 8192);
        (void)fix_add(&f,
                      &(sy_channel_desc){
                          .id = 0x20, .name = "state", .recv_message_max = 5000, .sink = t->sink});
        fix_open(&f, FIX_BATCH_SHARED);
        run r = {0};
        run_message(&r, SY_PACKET_AMINO, 0x20, i, t->len, t->piece);
        sy_detail detail = {""};
        size_t consumed = 0;

        /* Twice: a message must leave nothing behind that the next one would pay for. */
        cr_assert_eq(sy_mux_recv(f.mux, r.data, r.len, &consumed, &detail, f.now), t->err, "%s",
                     t->name);
        if (t->err == SY_OK) {
            if (!t->sink) {
                expect_message(0, i, t->len, t->name);
            }
            expect_no_message(t->name);
            cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK, "%s, again", t->name);
        } else {
            cr_assert_str_eq(detail.text,
                             "channel 0x20 (state): message of at least 5001 bytes, "
                             "limit 5000 (recv_message_max)",
                             "%s", t->name);
            expect_no_message(t->name);
        }
        cr_assert(fix_budget_is_exact(&f), "%s", t->name);
        run_free(&r);
        fix_close(&f);
    }
}

/* SPEC-TEST MX-29 */
Test(mux_recv, a_sink_counts_and_keeps_nothing) {
    fix_init(&f, SY_PACKET_PROTO, 1024);
    (void)fix_add(&f, &(sy_channel_desc){.id = 0x22, .sink = true});
    fix_open(&f, FIX_BATCH_SHARED);
    const size_t idle = f.peer.used;
    run r = {0};
    run_message(&r, SY_PACKET_PROTO, 0x22, 1, 100000, 1024);
    run_message(&r, SY_PACKET_PROTO, 0x22, 1, 5, 1024);
    run_message(&r, SY_PACKET_PROTO, 0x22, 1, 0, 1024);
    run_packet(&r, SY_PACKET_PROTO, 0x22, false, (const uint8_t *)"abc", 3);
    const size_t calls = f.tm.calls;

    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);

    expect_no_message("sink");
    cr_assert_eq(f.tm.calls, calls);
    cr_assert_eq(f.peer.used, idle);
    sy_mux_stats stats;
    sy_mux_channel_stats chan;
    sy_mux_get_stats(f.mux, &stats);
    sy_mux_get_channel_stats(f.mux, 0, &chan);
    cr_assert_eq(stats.sink_bytes, 100008);
    cr_assert_eq(stats.messages_received, 3);
    cr_assert_eq(chan.bytes_received, 100008);
    cr_assert_eq(chan.messages_received, 3);
    run_free(&r);
    fix_close(&f);
}

/* SPEC-TEST MX-26 */
Test(mux_recv, an_unknown_channel_is_named) {
    for (size_t c = 0; c < 2; c++) {
        fix_init(&f, codecs[c], 1024);
        (void)fix_add_id(&f, 0x20);
        fix_open(&f, FIX_BATCH_SHARED);
        run r = {0};
        run_packet(&r, codecs[c], 0x99, true, NULL, 0);
        sy_detail detail = {""};
        size_t consumed = 77;
        cr_assert_eq(sy_mux_recv(f.mux, r.data, r.len, &consumed, &detail, f.now),
                     SY_ERR_CHANNEL_UNKNOWN);
        cr_assert_eq(consumed, 77);
        cr_assert_str_eq(detail.text, "channel 0x99 is not registered");
        run_free(&r);
        fix_close(&f);
    }
}

/* SPEC-TEST MX-26 */
Test(mux_recv, what_the_remote_announced_does_not_matter) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    (void)fix_add_id(&f, 0x20);
    f.config.remote_channel_count = 0;
    fix_open(&f, FIX_BATCH_SHARED);
    run r = {0};
    run_message(&r, SY_PACKET_AMINO, 0x20, 3, 10, 1024);
    cr_assert_eq(fix_recv(&f, r.data, r.len), SY_OK);
    expect_message(0, 3, 10, "not announced");
    run_free(&r);
    fix_close(&f);
}

typedef struct reject_row {
    const char *name;
    sy_packet_codec codec;
    const char *bad;
    sy_err err;
    const char *twin;
} reject_row;

static const reject_row rejects[] = {
    {"amino empty", SY_PACKET_AMINO, "00", SY_ERR_PACKET_TYPE, "0415c3d289"},
    {"amino key prefix", SY_PACKET_AMINO, "041624de64", SY_ERR_PACKET_TYPE, "048a797fe2"},
    {"amino field order", SY_PACKET_AMINO, "08b05b4f2c10010820", SY_ERR_PACKET_MALFORMED,
     "08b05b4f2c08201001"},
    {"amino channel 256", SY_PACKET_AMINO, "07b05b4f2c088002", SY_ERR_PACKET_MALFORMED,
     "06b05b4f2c0820"},
    {"amino channel 99", SY_PACKET_AMINO, "07b05b4f2c089901", SY_ERR_CHANNEL_UNKNOWN,
     "06b05b4f2c0820"},
    {"amino length", SY_PACKET_AMINO, "a108", SY_ERR_PACKET_TOO_LONG, "0415c3d289"},
    {"proto empty", SY_PACKET_PROTO, "00", SY_ERR_PACKET_TYPE, "020a00"},
    {"proto unknown member", SY_PACKET_PROTO, "022200", SY_ERR_PACKET_TYPE, "021200"},
    {"proto channel 0x120", SY_PACKET_PROTO, "051a0308a002", SY_ERR_CHANNEL_RANGE, "041a020820"},
    {"proto channel -1", SY_PACKET_PROTO, "0d1a0b08ffffffffffffffffff01", SY_ERR_CHANNEL_RANGE,
     "041a020820"},
    {"proto channel 1025", SY_PACKET_PROTO, "051a03088108", SY_ERR_CHANNEL_RANGE, "041a020820"},
    {"proto channel 99", SY_PACKET_PROTO, "051a03089901", SY_ERR_CHANNEL_UNKNOWN, "041a020820"},
    {"proto wrong type", SY_PACKET_PROTO, "041a021801", SY_ERR_PACKET_MALFORMED, "041a020820"},
    {"proto length", SY_PACKET_PROTO, "a108", SY_ERR_PACKET_TOO_LONG, "020a00"},
};

/* SPEC-TEST MX-52 */
Test(mux_recv, an_error_is_sticky_and_what_was_complete_before_is_delivered) {
    for (size_t i = 0; i < sizeof rejects / sizeof rejects[0]; i++) {
        const reject_row *t = &rejects[i];
        for (int twin = 0; twin <= 1; twin++) {
            fix_init(&f, t->codec, 1024);
            (void)fix_add_id(&f, 0x20);
            fix_open(&f, twin == 0 ? FIX_BATCH_SHARED : FIX_BATCH_OWN);
            run r = {0};
            run_message(&r, t->codec, 0x20, 1, 10, 1024);
            run_message(&r, t->codec, 0x20, 2, 3000, 1024);
            run_hex(&r, twin == 0 ? t->bad : t->twin);
            run_message(&r, t->codec, 0x20, 3, 10, 1024);
            const sy_err want = twin == 0 ? t->err : SY_OK;

            cr_assert_eq(fix_recv(&f, r.data, r.len), want, "%s, twin %d", t->name, twin);

            expect_message(0, 1, 10, t->name);
            expect_message(0, 2, 3000, t->name);
            if (twin == 0) {
                expect_no_message(t->name);
                cr_assert_eq(fix_recv(&f, r.data, 1), want, "%s: not sticky", t->name);
                cr_assert_eq(sy_mux_on_read_dry(f.mux, f.now), want, "%s: not sticky", t->name);
                cr_assert_eq(fix_queue(&f, 0, 1, 1), SY_SEND_REFUSED, "%s", t->name);
                cr_assert_not(sy_mux_wants_send(f.mux, f.now), "%s", t->name);
            } else {
                sy_mux_message m;
                cr_assert(sy_mux_next_message(f.mux, &m), "%s", t->name);
            }
            run_free(&r);
            fix_close(&f);
        }
    }
}

/* At most SY_MUX_BATCH_MESSAGES per call; the rest is left to the caller. */
Test(mux_recv, a_batch_ends_at_its_number_of_messages) {
    fix_init(&f, SY_PACKET_PROTO, 1024);
    (void)fix_add_id(&f, 0x20);
    fix_open(&f, FIX_BATCH_SHARED);
    run r = {0};
    for (uint64_t i = 0; i < 2 * SY_MUX_BATCH_MESSAGES + 1; i++) {
        run_message(&r, SY_PACKET_PROTO, 0x20, i, 1 + i % 7, 1024);
    }
    size_t at = 0;
    uint64_t seed = 0;
    for (int call = 0; call < 3; call++) {
        size_t consumed = 0;
        cr_assert_eq(sy_mux_recv(f.mux, r.data + at, r.len - at, &consumed, NULL, f.now), SY_OK);
        at += consumed;
        const uint64_t last = call < 2 ? seed + SY_MUX_BATCH_MESSAGES : seed + 1;
        for (; seed < last; seed++) {
            expect_message(0, seed, 1 + seed % 7, "of 2049");
        }
        expect_no_message("batch");
    }
    cr_assert_eq(at, r.len);
    run_free(&r);
    fix_close(&f);
}

/* SPEC-TEST MX-53 */
Test(mux_recv, ping_flood) {
    static const struct {
        const char *name;
        int pings;
        int after_ms;
        int more;
        sy_err err;
    } floods[] = {
        {"300 at once", 300, 0, 0, SY_OK},
        {"burst 0", 1000, 0, 0, SY_OK},
        {"burst +1", 1001, 0, 0, SY_ERR_PING_FLOOD},
        {"100 more after a second", 1000, 1000, 100, SY_OK},
        {"101 more after a second", 1000, 1000, 101, SY_ERR_PING_FLOOD},
        {"a burst again after ten seconds", 1000, 10000, 1000, SY_OK},
    };
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        fix_init(&f, SY_PACKET_PROTO, 1024);
        fix_open(&f, FIX_BATCH_SHARED);
        run r = {0};
        for (int k = 0; k < floods[i].pings; k++) {
            run_ping(&r, SY_PACKET_PROTO);
        }
        sy_err err = fix_recv(&f, r.data, r.len);
        r.len = 0;
        for (int k = 0; k < floods[i].more; k++) {
            run_ping(&r, SY_PACKET_PROTO);
        }
        f.now += (sy_time)floods[i].after_ms * SY_MSEC;
        if (err == SY_OK) {
            err = fix_recv(&f, r.data, r.len);
        }
        cr_assert_eq(err, floods[i].err, "%s", floods[i].name);
        run_free(&r);
        fix_close(&f);
    }
}

/* SPEC-TEST MX-51 */
/* Between messages only: inside a packet or a message the stream has been cut off. */
Test(mux_recv, boundary) {
    for (int sink = 0; sink <= 1; sink++) {
        fix_init(&f, SY_PACKET_PROTO, 100);
        (void)fix_add(&f, &(sy_channel_desc){.id = 0x20, .sink = sink == 1});
        (void)fix_add_id(&f, 0x21);
        fix_open(&f, FIX_BATCH_SHARED);
        run r = {0};
        run_packet(&r, SY_PACKET_PROTO, 0x21, false, NULL, 0);
        run_message(&r, SY_PACKET_PROTO, 0x20, 1, 250, 100);
        run_packet(&r, SY_PACKET_PROTO, 0x21, true, NULL, 0);
        const size_t last = r.len;
        run_message(&r, SY_PACKET_PROTO, 0x20, 2, 10, 100);
        cr_assert(sy_mux_at_boundary(f.mux));
        for (size_t i = 0; i < r.len; i++) {
            cr_assert_eq(fix_recv(&f, r.data + i, 1), SY_OK);
            sy_mux_batch_done(f.mux);
            cr_assert_eq(sy_mux_at_boundary(f.mux), i + 1 == last || i + 1 == r.len, "sink %d: %zu",
                         sink, i);
        }
        run_free(&r);
        fix_close(&f);
    }
}

Test(mux_recv, any_packet_confirms_the_connection) {
    fix_init(&f, SY_PACKET_AMINO, 1024);
    fix_open(&f, FIX_BATCH_SHARED);
    run r = {0};
    run_pong(&r, SY_PACKET_AMINO);
    cr_assert_not(sy_mux_has_received(f.mux));
    cr_assert_eq(fix_recv(&f, r.data, r.len - 1), SY_OK);
    cr_assert_not(sy_mux_has_received(f.mux));
    cr_assert_not(sy_mux_at_boundary(f.mux));
    cr_assert_eq(fix_recv(&f, r.data + r.len - 1, 1), SY_OK);
    cr_assert(sy_mux_has_received(f.mux));
    cr_assert(sy_mux_at_boundary(f.mux));
    run_free(&r);
    fix_close(&f);
}
