/* SPDX-License-Identifier: Apache-2.0 */
/* Two multiplexers back to back: random messages on random channels, random chunks, random rooms,
 * pings in between.  Whatever happens, each channel delivers the messages queued, in order. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/prng.h"
#include "tests/unit/conn/mux_fixture.h"

#define CHANNELS 6
#define STEPS    1500

typedef struct side {
    fix f;
    uint64_t queued[CHANNELS];    /* messages accepted on the channel */
    uint64_t delivered[CHANNELS]; /* messages of the other side's channel received here */
    run wire;                     /* towards the other side, not yet delivered */
    size_t wire_at;
} side;

static side sides[2];

/* What message number n of a channel is. */
static size_t length_of(size_t from, size_t ch, uint64_t n) {
    sy_prng prng;
    sy_prng_init(&prng, from * 1000003 + ch * 7919 + n);
    switch (sy_prng_below(&prng, 8)) {
    case 0:
        return 0;
    case 1:
        return 126 + (size_t)sy_prng_below(&prng, 5);
    case 2:
        return (size_t)sy_prng_below(&prng, 20000);
    default:
        return (size_t)sy_prng_below(&prng, 300);
    }
}

static uint64_t seed_of(size_t from, size_t ch, uint64_t n) {
    return from * 1000003 + ch * 7919 + n * 31;
}

static void open_side(size_t i, sy_packet_codec codec, size_t payload_max) {
    static const uint8_t ids[CHANNELS] = {0x00, 0x20, 0x7f, 0x80, 0x81, 0xff};
    side *s = &sides[i];
    memset(s, 0, sizeof *s);
    fix_init(&s->f, codec, payload_max);
    for (size_t ch = 0; ch < CHANNELS; ch++) {
        (void)fix_add(&s->f, &(sy_channel_desc){.id = ids[ch],
                                                .traffic_class = (sy_class)(1 + ch % 4),
                                                .priority = (int)(1 + ch),
                                                .send_queue_max = 1 + 5 * ch,
                                                .send_queue_bytes_max = 50000});
    }
    fix_open(&s->f, i == 0);
}

static void queue_some(size_t i, sy_prng *prng) {
    side *s = &sides[i];
    for (uint64_t k = sy_prng_below(prng, 5); k > 0; k--) {
        const size_t ch = (size_t)sy_prng_below(prng, CHANNELS);
        const uint64_t n = s->queued[ch];
        const sy_send_result result =
            fix_queue(&s->f, (uint16_t)ch, seed_of(i, ch, n), length_of(i, ch, n));
        cr_assert_neq(result, SY_SEND_REFUSED);
        s->queued[ch] += result == SY_SEND_QUEUED ? 1 : 0;
    }
}

static void send_some(size_t i, size_t room) {
    side *s = &sides[i];
    static uint8_t out[4096];
    size_t len = 0;
    sy_mux_send(s->f.mux, out, room, &len, s->f.now);
    run_add(&s->wire, out, len);
}

static void deliver_some(size_t to, size_t most) {
    side *from = &sides[1 - to];
    side *s = &sides[to];
    const size_t left = from->wire.len - from->wire_at;
    const size_t n = left < most ? left : most;
    size_t consumed = 0;
    cr_assert_eq(
        sy_mux_recv(s->f.mux, from->wire.data + from->wire_at, n, &consumed, NULL, s->f.now),
        SY_OK);
    cr_assert_eq(consumed, n);
    from->wire_at += consumed;
    sy_mux_message m;
    while (sy_mux_next_message(s->f.mux, &m)) {
        const uint64_t number = s->delivered[m.channel]++;
        cr_assert_eq(m.len, length_of(1 - to, m.channel, number), "channel %u message %llu",
                     m.channel, (unsigned long long)number);
        cr_assert(fix_content_is(m.data, m.len, seed_of(1 - to, m.channel, number)));
    }
    if (n % 2 == 0) {
        sy_mux_batch_done(s->f.mux);
    }
}

static void run_pair(sy_packet_codec codec, size_t payload_max, uint64_t seed) {
    sy_prng prng;
    sy_prng_init(&prng, seed);
    open_side(0, codec, payload_max);
    open_side(1, codec, payload_max);
    for (int step = 0; step < STEPS; step++) {
        const size_t i = (size_t)sy_prng_below(&prng, 2);
        queue_some(i, &prng);
        if (sy_prng_below(&prng, 10) == 0) {
            sy_mux_ping(sides[i].f.mux, sides[i].f.now);
        }
        send_some(i, (size_t)sy_prng_below(&prng, 4096));
        deliver_some(1 - i, (size_t)sy_prng_below(&prng, 5000));
        uint16_t channel = 0;
        (void)sy_mux_next_writable(sides[i].f.mux, &channel);
        cr_assert(fix_budget_is_exact(&sides[0].f) && fix_budget_is_exact(&sides[1].f));
        sides[0].f.now += SY_MSEC * 100;
        sides[1].f.now += SY_MSEC * 100;
    }
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 2; i++) {
            while (!sy_mux_is_drained(sides[i].f.mux)) {
                send_some(i, 4096);
            }
            while (sides[i].wire_at < sides[i].wire.len) {
                deliver_some(1 - i, 60000);
            }
        }
    }
    for (size_t i = 0; i < 2; i++) {
        uint64_t messages = 0;
        for (size_t ch = 0; ch < CHANNELS; ch++) {
            cr_assert_eq(sides[1 - i].delivered[ch], sides[i].queued[ch]);
            cr_assert_gt(sides[i].queued[ch], payload_max < 100 ? 0 : 20);
            messages += sides[i].queued[ch];
        }
        sy_mux_stats sent;
        sy_mux_stats received;
        sy_mux_get_stats(sides[i].f.mux, &sent);
        sy_mux_get_stats(sides[1 - i].f.mux, &received);
        cr_assert_eq(sent.messages_sent, messages);
        cr_assert_eq(received.messages_received, messages);
        cr_assert_eq(sent.packets_sent, received.packets_received);
        cr_assert_eq(sent.bytes_sent, received.bytes_received);
        cr_assert_gt(received.pings_received, 5);
        cr_assert_gt(sent.rtt_ns, 0);
        cr_assert(sy_mux_at_boundary(sides[i].f.mux));
    }
    for (size_t i = 0; i < 2; i++) {
        run_free(&sides[i].wire);
        fix_close(&sides[i].f);
    }
}

/* SPEC-TEST MX-23 */ /* SPEC-TEST MX-25 */ /* SPEC-TEST MX-35 */
Test(mux_pair, every_channel_delivers_what_was_queued_in_order) {
    static const size_t payloads[] = {1, 2, 100, 127, 128, 1024, 40000};
    for (sy_packet_codec codec = SY_PACKET_AMINO; codec <= SY_PACKET_PROTO; codec++) {
        for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
            run_pair(codec, payloads[i], 100 + i);
        }
    }
}
