/* SPDX-License-Identifier: Apache-2.0 */
/* What the multiplexer tests share: one multiplexer on the counting allocator with a budget tree
 * (node -> peer), and a packet encoder of its own that knows nothing of the code under test. */
#ifndef SY_TESTS_MUX_FIXTURE_H
#define SY_TESTS_MUX_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn/mux.h"
#include "tests/support/test_mem.h"

#define FIX_BATCH_SHARED true
#define FIX_BATCH_OWN    false

typedef struct fix {
    test_mem tm;
    sy_budget node;
    sy_budget peer;
    sy_channel_set set;
    sy_mux_config config; /* may be changed between init and open */
    uint8_t remote[SY_CHANNELS_MAX];
    sy_mux_batch *batch;
    sy_mux *mux;
    sy_time now;
} fix;

/* No channels yet; ping interval and pong timeout are the defaults. */
void fix_init(fix *f, sy_packet_codec codec, size_t payload_max);

/* Registers a channel that the remote has too; returns its index. */
uint16_t fix_add(fix *f, const sy_channel_desc *desc);

/* With a normal class, a deep queue and the default capacity. */
uint16_t fix_add_id(fix *f, uint8_t id);

/* Makes the batch (when shared) and the multiplexer. */
void fix_open(fix *f, bool shared_batch);

/* Deletes everything; aborts when memory or a charge is left. */
void fix_close(fix *f);

/* live bytes of the allocator are exactly what the budgets say. */
bool fix_budget_is_exact(const fix *f);

/* A message that the caller holds a reference of; content is fix_byte(seed, i). */
sy_msg *fix_msg(fix *f, uint64_t seed, size_t len);
uint8_t fix_byte(uint64_t seed, size_t i);
bool fix_content_is(const uint8_t *data, size_t len, uint64_t seed);

/* Queues such a message and drops the own reference. */
sy_send_result fix_queue(fix *f, uint16_t channel, uint64_t seed, size_t len);

/* Feeds all bytes in one recv; returns its result, and requires that all was consumed on SY_OK. */
sy_err fix_recv(fix *f, const uint8_t *data, size_t len);

/* A growing byte run. */
typedef struct run {
    uint8_t *data;
    size_t len;
    size_t cap;
} run;

void run_add(run *r, const void *data, size_t len);
void run_hex(run *r, const char *hex);
void run_free(run *r);

/* Packets by hand. */
void run_ping(run *r, sy_packet_codec codec);
void run_pong(run *r, sy_packet_codec codec);
void run_packet(run *r, sy_packet_codec codec, uint8_t id, bool eof, const uint8_t *data,
                size_t len);

/* A whole message of fix_byte(seed, .) in pieces of `piece` bytes. */
void run_message(run *r, sy_packet_codec codec, uint8_t id, uint64_t seed, size_t len,
                 size_t piece);

/* Sends everything that can be sent now, out_cap bytes at a time. */
void run_send(run *r, fix *f, size_t out_cap);

const char *codec_name(sy_packet_codec codec);

#endif
