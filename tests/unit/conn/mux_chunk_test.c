/* SPDX-License-Identifier: Apache-2.0 */
/* The chunk oracle: a long mixed stream gives the same messages per channel, pings and final error
 * however it is cut.  The order between channels depends on the cut by design, so the trace is
 * kept per channel. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/prng.h"
#include "tests/support/chunk_oracle.h"
#include "tests/unit/conn/mux_fixture.h"

#define CHANNELS 4

static const uint8_t ids[CHANNELS] = {0x00, 0x20, 0x7f, 0xff};

typedef struct setup {
    sy_packet_codec codec;
    bool shared;
} setup;

static fix f;

static uint64_t hash(const uint8_t *data, size_t len) {
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ data[i]) * 1099511628211u;
    }
    return h;
}

static void feed(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                 chunk_trace *trace) {
    const setup *s = user;
    fix_init(&f, s->codec, 300);
    for (size_t i = 0; i < CHANNELS; i++) {
        (void)fix_add(&f, &(sy_channel_desc){.id = ids[i], .priority = (int)(1 + 4 * i)});
    }
    fix_open(&f, s->shared);
    static chunk_trace per[CHANNELS];
    memset(per, 0, sizeof per);
    sy_err err = SY_OK;
    size_t at = 0;
    for (size_t i = 0; i < cut_count && err == SY_OK; i++) {
        /* A copy that dies with the call: a view that survives it would show under ASan. */
        const size_t len = cut[i] - at;
        uint8_t *piece = malloc(len + 1);
        memcpy(piece, data + at, len);
        size_t used = 0;
        do {
            size_t consumed = 0;
            err = sy_mux_recv(f.mux, piece + used, len - used, &consumed, NULL, f.now);
            used += consumed;
            sy_mux_message m;
            while (sy_mux_next_message(f.mux, &m)) {
                chunk_trace_add(&per[m.channel], "%u:%zu:%016llx\n", m.channel, m.len,
                                (unsigned long long)hash(m.data, m.len));
            }
            if (!fix_budget_is_exact(&f)) {
                chunk_trace_add(trace, "budget off\n");
            }
        } while (err == SY_OK && used < len);
        free(piece);
        at = cut[i];
    }
    sy_mux_stats stats;
    sy_mux_get_stats(f.mux, &stats);
    for (size_t i = 0; i < CHANNELS; i++) {
        chunk_trace_add(trace, "%s", per[i].text != NULL ? per[i].text : "");
        sy_mem_release(sy_mem_libc(), per[i].text);
    }
    chunk_trace_add(trace, "packets %llu pings %llu bytes %llu end %s\n",
                    (unsigned long long)stats.packets_received,
                    (unsigned long long)stats.pings_received,
                    (unsigned long long)stats.bytes_received, sy_err_name(err));
    fix_close(&f);
}

/* Channels in turn by chance, some packets odd but legal. */
static void make_stream(run *r, sy_packet_codec codec, size_t messages) {
    sy_prng prng;
    sy_prng_init(&prng, 11);
    run queue[CHANNELS] = {{0}};
    size_t at[CHANNELS] = {0};
    for (size_t i = 0; i < messages; i++) {
        const size_t ch = (size_t)sy_prng_below(&prng, CHANNELS);
        static const size_t lens[] = {0, 1, 10, 299, 300, 301, 600, 1500};
        run_message(&queue[ch], codec, ids[ch], i, lens[sy_prng_below(&prng, 8)], 300);
    }
    for (bool left = true; left;) {
        left = false;
        for (size_t ch = 0; ch < CHANNELS; ch++) {
            for (uint64_t n = sy_prng_below(&prng, 4); n > 0 && at[ch] < queue[ch].len; n--) {
                const uint8_t *p = queue[ch].data + at[ch];
                const size_t len = p[0] < 0x80 ? 1 + (size_t)p[0]
                                               : 2 + ((size_t)(p[0] & 0x7f) | (size_t)p[1] << 7);
                run_add(r, p, len);
                at[ch] += len;
            }
            left = left || at[ch] < queue[ch].len;
        }
        if (sy_prng_below(&prng, 4) == 0) {
            run_ping(r, codec);
            run_hex(r, codec == SY_PACKET_AMINO ? "8400 8a797fe2" : "8200 1200");
        }
    }
    for (size_t ch = 0; ch < CHANNELS; ch++) {
        run_free(&queue[ch]);
    }
}

static const char *const bad_end[2][4] = {
    {"", "04 1624de64 ffff", "ffffffffff7f", "08b05b4f2c 10010830 00"},
    {"", "02 2200 ffff", "ffffffffff7f", "05 1a03 08a002 00"},
};

/* SPEC-TEST MX-25 */ /* SPEC-TEST MX-52 */
Test(mux_chunk, any_cut_gives_the_same) {
    for (sy_packet_codec codec = SY_PACKET_AMINO; codec <= SY_PACKET_PROTO; codec++) {
        for (int end = 0; end < 4; end++) {
            run r = {0};
            make_stream(&r, codec, end == 0 ? 60 : 12);
            run_hex(&r, bad_end[codec][end]);
            setup s = {.codec = codec, .shared = end % 2 == 0};
            const char *difference = chunk_oracle(feed, &s, r.data, r.len, 300, 3);
            cr_assert_null(difference, "%s %d: %s", codec_name(codec), end, difference);
            run_free(&r);
        }
    }
}
