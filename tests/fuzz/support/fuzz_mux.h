/* SPDX-License-Identifier: Apache-2.0 */
/* What a multiplexed stream must mean: the messages that are expected on each channel, and a slow
 * second reader of packet streams that keeps everything and knows no cuts. */
#ifndef SY_TESTS_FUZZ_MUX_H
#define SY_TESTS_FUZZ_MUX_H

#include "conn/mux.h"
#include "tests/fuzz/support/fuzz.h"

#define FUZZ_CHANNELS 6

/* Channels of every class with small and large capacities; the last one is a sink. */
void fuzz_channels(sy_channel_set *set, size_t payload_max);

/* The ids of those channels, in order of index. */
extern const uint8_t fuzz_channel_ids[FUZZ_CHANNELS];

/* Messages on their way, first in first out for each channel. */
typedef struct fuzz_expect {
    fuzz_bytes queue[FUZZ_CHANNELS]; /* 4 bytes of length, then the message, and so on */
} fuzz_expect;

void fuzz_expect_add(fuzz_expect *expect, uint16_t channel, const uint8_t *data, size_t len);

/* The next message on the channel is this one. */
void fuzz_expect_take(fuzz_expect *expect, uint16_t channel, const uint8_t *data, size_t len);
bool fuzz_expect_is_empty(const fuzz_expect *expect);
void fuzz_expect_free(fuzz_expect *expect);

/* The second reader: packets of a whole stream into messages. */
typedef struct fuzz_demux {
    sy_packet_codec codec;
    const sy_channel_set *set;
    void (*on_message)(fuzz_expect *expect, uint16_t channel, const uint8_t *data, size_t len);
    fuzz_expect *expect;
    bool is_ours; /* the stream that we send: capacities and sinks are the receiver's business */
    fuzz_bytes stream; /* not yet read */
    fuzz_bytes assembly[FUZZ_CHANNELS];
    bool in_message[FUZZ_CHANNELS];
    size_t pings; /* seen so far */
    sy_err err;   /* what is wrong with the stream; nothing is read behind that */
} fuzz_demux;

void fuzz_demux_add(fuzz_demux *demux, const uint8_t *data, size_t len);

/* The stream may end here: inside no packet and no message. */
bool fuzz_demux_at_boundary(const fuzz_demux *demux);
void fuzz_demux_free(fuzz_demux *demux);

/* A message whose bytes are given by its length and the seed; memory from world's node budget. NULL
 * when there is none. */
sy_msg *fuzz_msg(fuzz_world *world, size_t len, uint8_t seed);

#endif
