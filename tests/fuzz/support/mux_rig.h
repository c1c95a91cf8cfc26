/* SPDX-License-Identifier: Apache-2.0 */
/* A multiplexer between a stream and queues, both filled from the input.  What it delivers and what
 * it sends are compared with a second reader. */
#ifndef SY_TESTS_FUZZ_MUX_RIG_H
#define SY_TESTS_FUZZ_MUX_RIG_H

#include "tests/fuzz/support/fuzz_mux.h"

typedef struct mux_rig {
    sy_packet_codec codec;
    fuzz_world world;
    sy_channel_set set;
    sy_mux_batch *batch;
    sy_mux *mux;
    sy_err err;
    sy_time now;
    bool has_rates;
    bool is_overdue;      /* check_dry was asked for */
    fuzz_bytes pending;   /* not yet fed */
    fuzz_expect incoming; /* read by the second reader, not yet delivered */
    fuzz_expect outgoing; /* queued, not yet sent */
    fuzz_demux in_reader;
    fuzz_demux out_reader;
} mux_rig;

/* Takes flags and two bytes about memory from in; false when memory did not suffice. */
bool mux_rig_init(mux_rig *r, sy_packet_codec codec, fuzz_in *in);
void mux_rig_fini(mux_rig *r);

/* Bytes, an honest packet, pings or pongs (op says which) for the stream. */
void mux_rig_raw(mux_rig *r, sy_bytes bytes, size_t times);
void mux_rig_packet(mux_rig *r, uint8_t op, fuzz_in *in);
void mux_rig_control(mux_rig *r, uint8_t op, fuzz_in *in);

/* Offers the first len pending bytes until none of them is taken; takes what they complete. */
void mux_rig_feed(mux_rig *r, size_t len);

void mux_rig_queue(mux_rig *r, uint8_t op, fuzz_in *in);
void mux_rig_send(mux_rig *r, size_t cap);
void mux_rig_time(mux_rig *r, fuzz_in *in);
void mux_rig_read_dry(mux_rig *r);

/* All that is left goes in and out, in as much time as the rates want. */
void mux_rig_settle(mux_rig *r);

/* After settle: everything arrived, or the error is one that the stream deserves. */
void mux_rig_check_end(const mux_rig *r);

#endif
