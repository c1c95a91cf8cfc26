/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler, observed from outside: the packets of the output are read back and their bytes
 * counted per channel. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/prng.h"
#include "conn/packet.h"
#include "tests/unit/conn/mux_fixture.h"

#define PAYLOAD 1024
#define WINDOW  ((size_t)1 << 20)
#define LONG    ((size_t)16 << 20)

static fix f;

static uint16_t add(uint8_t id, sy_class traffic_class, int priority) {
    return fix_add(&f, &(sy_channel_desc){.id = id,
                                          .priority = priority,
                                          .traffic_class = traffic_class,
                                          .send_queue_max = 1000,
                                          .recv_message_max = (size_t)1 << 30,
                                          .send_queue_bytes_max = (size_t)1 << 30});
}

/* The next packet of the output; adds its bytes to the account of its channel. */
static sy_packet next_packet(const run *r, size_t *at, uint64_t *bytes_of_id) {
    sy_packet packet;
    cr_assert_eq(
        sy_packet_parse(f.config.codec, r->data + *at, r->len - *at, PAYLOAD, &packet, NULL),
        SY_OK);
    cr_assert_eq(packet.kind, SY_PACKET_KIND_MSG);
    *at += packet.len;
    if (bytes_of_id != NULL) {
        bytes_of_id[packet.channel] += packet.len;
    }
    return packet;
}

/* SPEC-TEST MX-43 */ /* SPEC-TEST MX-44 */
/* All classes are busy all the time: in every window of 1 MiB, wherever it starts, each lower class
 * has its 5 %, and the highest what is left. */
Test(mux_sched, every_class_keeps_its_share) {
    for (sy_packet_codec codec = SY_PACKET_AMINO; codec <= SY_PACKET_PROTO; codec++) {
        fix_init(&f, codec, PAYLOAD);
        (void)add(0, SY_CLASS_BULK, 1);
        (void)add(1, SY_CLASS_NORMAL, 1);
        (void)add(2, SY_CLASS_URGENT, 1);
        (void)add(3, SY_CLASS_CONTROL, 1);
        fix_open(&f, FIX_BATCH_SHARED);
        for (uint16_t ch = 0; ch < 4; ch++) {
            cr_assert_eq(fix_queue(&f, ch, ch, LONG), SY_SEND_QUEUED);
        }
        run r = {0};
        static uint8_t out[16384];
        while (r.len < 5 * WINDOW) {
            size_t len = 0;
            sy_mux_send(f.mux, out, sizeof out, &len, f.now);
            cr_assert_eq(len, sizeof out);
            run_add(&r, out, len);
        }
        /* A window slides over the packets. */
        uint64_t head[256] = {0};
        uint64_t tail[256] = {0};
        size_t from = 0;
        size_t to = 0;
        while (to < 4 * WINDOW) {
            (void)next_packet(&r, &to, head);
            while (to - from > WINDOW) {
                for (int id = 0; id < 3; id++) {
                    cr_assert_geq((head[id] - tail[id]) * 100, 5 * (uint64_t)WINDOW,
                                  "class of id %d in the window at %zu: %llu", id, from,
                                  (unsigned long long)(head[id] - tail[id]));
                }
                cr_assert_geq((head[3] - tail[3]) * 100, 80 * (uint64_t)WINDOW);
                (void)next_packet(&r, &from, tail);
            }
        }
        run_free(&r);
        fix_close(&f);
    }
}

/* SPEC-TEST MX-44 */
/* The share is no right to more: alone with an idle class, the busy one has everything; and a class
 * that was idle for long gets no more than its share afterwards. */
Test(mux_sched, nothing_is_saved_up_while_idle) {
    fix_init(&f, SY_PACKET_PROTO, PAYLOAD);
    const uint16_t bulk = add(0, SY_CLASS_BULK, 1);
    const uint16_t urgent = add(1, SY_CLASS_URGENT, 1);
    fix_open(&f, FIX_BATCH_SHARED);
    cr_assert_eq(fix_queue(&f, urgent, 1, 3 * LONG), SY_SEND_QUEUED);
    static uint8_t out[16384];
    size_t len = 0;
    for (int i = 0; i < 1000; i++) {
        sy_mux_send(f.mux, out, sizeof out, &len, f.now);
    }
    cr_assert_eq(fix_queue(&f, bulk, 1, LONG), SY_SEND_QUEUED);
    run r = {0};
    for (int i = 0; i < 200; i++) {
        sy_mux_send(f.mux, out, sizeof out, &len, f.now);
        run_add(&r, out, len);
    }
    uint64_t bytes[256] = {0};
    /* The first packet may be cut: start at its end. */
    sy_mux_channel_stats stats;
    sy_mux_get_channel_stats(f.mux, bulk, &stats);
    bytes[0] = stats.bytes_sent;
    cr_assert_geq(bytes[0] * 100, 5 * (uint64_t)r.len);
    cr_assert_leq(bytes[0] * 100, 6 * (uint64_t)r.len);
    run_free(&r);
    fix_close(&f);
}

/* SPEC-TEST MX-45 */
/* At every moment two busy channels of a class are apart by no more than one packet of each, in
 * bytes per weight. */
Test(mux_sched, weights_are_met_within_a_packet) {
    static const int weights[] = {1, 2, 3, 7, 50, 255};
    const size_t count = sizeof weights / sizeof weights[0];
    fix_init(&f, SY_PACKET_AMINO, PAYLOAD);
    for (size_t i = 0; i < count; i++) {
        (void)add((uint8_t)i, SY_CLASS_NORMAL, weights[i]);
    }
    fix_open(&f, FIX_BATCH_SHARED);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(fix_queue(&f, (uint16_t)i, i, LONG), SY_SEND_QUEUED);
    }
    run r = {0};
    static uint8_t out[65536];
    while (r.len < 8 * WINDOW) {
        size_t len = 0;
        sy_mux_send(f.mux, out, sizeof out, &len, f.now);
        run_add(&r, out, len);
    }
    uint64_t bytes[256] = {0};
    for (size_t at = 0; at < 8 * WINDOW - 2000;) {
        (void)next_packet(&r, &at, bytes);
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < count; k++) {
                const double mine = (double)bytes[i] / weights[i];
                const double other = (double)bytes[k] / weights[k];
                const double bound = 1040.0 / weights[i] + 1040.0 / weights[k] + 1;
                cr_assert(mine - other <= bound, "weights %d and %d after %zu bytes: %f %f",
                          weights[i], weights[k], at, mine, other);
            }
        }
    }
    run_free(&r);
    fix_close(&f);
}

/* SPEC-TEST MX-45 */
/* A channel that was idle while another of its class sent 16 MiB gets its half from now on, no
 * more. */
Test(mux_sched, an_idle_channel_saves_nothing_up) {
    fix_init(&f, SY_PACKET_PROTO, PAYLOAD);
    const uint16_t busy = add(0, SY_CLASS_NORMAL, 5);
    const uint16_t idle = add(1, SY_CLASS_NORMAL, 5);
    fix_open(&f, FIX_BATCH_SHARED);
    cr_assert_eq(fix_queue(&f, busy, 1, 2 * LONG), SY_SEND_QUEUED);
    static uint8_t out[16384];
    size_t len = 0;
    for (int i = 0; i < 1024; i++) {
        sy_mux_send(f.mux, out, sizeof out, &len, f.now);
    }
    cr_assert_eq(fix_queue(&f, idle, 1, LONG), SY_SEND_QUEUED);
    for (int i = 0; i < 64; i++) {
        sy_mux_send(f.mux, out, sizeof out, &len, f.now);
    }
    sy_mux_channel_stats stats;
    sy_mux_get_channel_stats(f.mux, idle, &stats);
    cr_assert_lt(stats.bytes_sent, 34 * 16384);
    cr_assert_gt(stats.bytes_sent, 30 * 16384);
    fix_close(&f);
}

/* SPEC-TEST MX-43 */
Test(mux_sched, urgent_overtakes_within_one_packet) {
    for (sy_packet_codec codec = SY_PACKET_AMINO; codec <= SY_PACKET_PROTO; codec++) {
        for (size_t start = 1; start < 3000; start += 97) {
            fix_init(&f, codec, PAYLOAD);
            const uint16_t bulk = add(0x40, SY_CLASS_BULK, 255);
            const uint16_t urgent = add(0x22, SY_CLASS_URGENT, 1);
            fix_open(&f, FIX_BATCH_SHARED);
            for (int i = 0; i < 20; i++) {
                cr_assert_eq(fix_queue(&f, bulk, 1, 100000), SY_SEND_QUEUED);
            }
            run r = {0};
            static uint8_t out[16384];
            size_t len = 0;
            sy_mux_send(f.mux, out, start, &len, f.now);
            run_add(&r, out, len);
            cr_assert_eq(fix_queue(&f, urgent, 2, 200), SY_SEND_QUEUED);
            sy_mux_send(f.mux, out, 4000, &len, f.now);
            run_add(&r, out, len);

            size_t at = 0;
            while (next_packet(&r, &at, NULL).channel != 0x22) {
                cr_assert_lt(at, start + 1040, "still bulk at %zu, queued at %zu", at, start);
            }
            cr_assert_leq(at, start + 1040 + 220);
            run_free(&r);
            fix_close(&f);
        }
    }
}

/* Among equals the one registered first; the same calls give the same bytes. */
Test(mux_sched, deterministic) {
    run first = {0};
    for (int round = 0; round < 2; round++) {
        fix_init(&f, SY_PACKET_PROTO, 100);
        for (uint8_t i = 0; i < 12; i++) {
            (void)add((uint8_t)(0x70 + 3 * i), (sy_class)(1 + i % 4), 1 + i % 3);
        }
        fix_open(&f, round == 0);
        sy_prng prng;
        sy_prng_init(&prng, 77);
        run r = {0};
        uint8_t out[2000];
        for (uint64_t i = 0; i < 2000; i++) {
            (void)fix_queue(&f, (uint16_t)sy_prng_below(&prng, 12), i,
                            (size_t)sy_prng_below(&prng, 400));
            size_t len = 0;
            sy_mux_send(f.mux, out, (size_t)sy_prng_below(&prng, 500), &len, f.now);
            run_add(&r, out, len);
        }
        if (round == 0) {
            first = r;
        } else {
            cr_assert_eq(r.len, first.len);
            cr_assert(memcmp(r.data, first.data, r.len) == 0);
            run_free(&r);
        }
        fix_close(&f);
    }
    run_free(&first);
}

Test(mux_sched, ties_go_to_the_channel_registered_first) {
    fix_init(&f, SY_PACKET_PROTO, PAYLOAD);
    for (uint8_t i = 0; i < 5; i++) {
        (void)add((uint8_t)(0x30 - i), SY_CLASS_NORMAL, 4);
    }
    fix_open(&f, FIX_BATCH_SHARED);
    for (uint16_t i = 5; i > 0; i--) {
        cr_assert_eq(fix_queue(&f, (uint16_t)(i - 1), 1, 10), SY_SEND_QUEUED);
    }
    run r = {0};
    run_send(&r, &f, 1000);
    size_t at = 0;
    for (uint8_t i = 0; i < 5; i++) {
        cr_assert_eq(next_packet(&r, &at, NULL).channel, 0x30 - i);
    }
    run_free(&r);
    fix_close(&f);
}
