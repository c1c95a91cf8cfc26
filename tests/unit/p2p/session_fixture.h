/* SPDX-License-Identifier: Apache-2.0 */
/* What the session tests share: one loop (scratch, batch, counting allocator, budget), nodes with a
 * session that is driven as a driver would, and a raw remote: the transport of a profile without a
 * session above it, so that a test decides every byte of plaintext and every frame. */
#ifndef SY_TESTS_SESSION_FIXTURE_H
#define SY_TESTS_SESSION_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/node_key.h>

#include "p2p/session.h"
#include "p2p/session_transport.h"
#include "tests/support/chunk_oracle.h"
#include "tests/support/test_mem.h"

/* A growing byte run. */
typedef struct fx_bytes {
    uint8_t *data;
    size_t len;
    size_t cap;
} fx_bytes;

void fx_add(fx_bytes *bytes, const void *data, size_t len);
void fx_add_hex(fx_bytes *bytes, const char *hex);
void fx_free(fx_bytes *bytes);

typedef struct fx_loop {
    test_mem tm;
    sy_budget budget; /* the node's */
    sy_scratch *scratch;
    sy_mux_batch *batch;
    sy_channel_set channels; /* 10 channels, all of class normal */
    sy_time now;
} fx_loop;

#define FX_CHANNELS 10
extern const uint8_t fx_channel_ids[FX_CHANNELS];

void fx_loop_init(fx_loop *loop);

/* Aborts when memory or a charge is left. */
void fx_loop_fini(fx_loop *loop);

extern const sy_profile *const fx_profiles[3];

typedef struct fx_node {
    fx_loop *loop;
    const sy_profile *profile;
    sy_node_key key;
    char id_text[SY_NODE_ID_TEXT_CAP];
    sy_node_info info;        /* ours; may be changed before open */
    sy_session_config config; /* the same */
    sy_budget budget;         /* the connection's */
    sy_session *session;
    fx_bytes backlog; /* offered and not consumed */
    bool accepts;     /* at INFO; default true */
    /* What was observed. */
    bool identified;
    bool proven;
    sy_node_id remote_id;
    const sy_node_info *remote;
    size_t messages;
    sy_err err;
    sy_detail detail;
    chunk_trace trace;                 /* every event, in order */
    chunk_trace received[FX_CHANNELS]; /* messages by channel */
    chunk_trace sent[FX_CHANNELS];     /* what fx_queue took, in the same form */
} fx_node;

/* Key and ephemeral key are made of the byte `seed`; NodeInfo is a valid one. */
void fx_node_init(fx_node *node, fx_loop *loop, const sy_profile *profile, uint8_t seed);
sy_err fx_node_open(fx_node *node);

/* Deletes the session (if any); asserts that its budget is free. */
void fx_node_fini(fx_node *node);

/* Offers the backlog and these bytes until the session takes no more; what is left is the backlog.
 * After an error nothing more is fed. */
void fx_feed(fx_node *node, const void *data, size_t len);

/* Appends everything that the session sends now. */
sy_err fx_pull(fx_node *node, fx_bytes *out);

/* Exchanges bytes until neither side has any. */
void fx_settle(fx_node *a, fx_node *b);

/* Queues a message of len bytes made of `seed`. */
sy_send_result fx_queue(fx_node *node, uint16_t channel, uint64_t seed, size_t len);

typedef struct fx_raw {
    fx_node as; /* keys and NodeInfo; its session is never opened */
    sy_transport transport;
    fx_bytes out; /* for the other side */
    bool proven;
} fx_raw;

void fx_raw_init(fx_raw *raw, fx_loop *loop, const sy_profile *profile, uint8_t seed);
void fx_raw_fini(fx_raw *raw);

/* The transport's handshake with node; afterwards node has reported IDENTITY (except in plain) and
 * plaintext may be sent.  What node sent behind it is dropped. */
void fx_raw_handshake(fx_raw *raw, fx_node *node);

/* Appends plaintext to out, in frames of at most `piece` bytes (1..1024). */
void fx_raw_write(fx_raw *raw, const void *data, size_t len, size_t piece);

/* The same for its NodeInfo with the length in front. */
void fx_raw_write_info(fx_raw *raw, size_t piece);

/* Length prefix and body. */
void fx_add_prefixed(fx_bytes *bytes, const void *body, size_t len);

/* Feeds out to node and empties it. */
void fx_raw_flush(fx_raw *raw, fx_node *node);

#endif
