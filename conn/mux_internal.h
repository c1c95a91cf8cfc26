/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a multiplexer, shared by mux.c, mux_recv.c and mux_send.c; tests may look at it to
 * state sizes, nothing else includes it. */
#ifndef SY_CONN_MUX_INTERNAL_H
#define SY_CONN_MUX_INTERNAL_H

#include "base/token_bucket.h"
#include "conn/keepalive.h"
#include "conn/mux.h"
#include "conn/packet.h"

/* What a class with less than its share gains per byte that the others send, as a divisor: it gets
 * 1 byte in 19 (5.26 %), a little over SY_CLASS_SHARE_MIN so that the rounding to whole packets
 * never takes a window of 1 MiB below it. */
#define SY_MUX_SHARE_DIVISOR 18

/* A partial packet gets its whole buffer at once up to this size, beyond it grows. */
#define SY_MUX_PART_WHOLE_MAX 4096

/* Buffers of partial packets that a batch keeps for reuse. */
#define SY_MUX_SPARES_MAX 8

#define SY_MUX_NO_MESSAGE 0xffff

/* Bytes on their way in: a partial packet or a message being assembled.  Charged to the budget with
 * its header. */
typedef struct sy_mux_block {
    struct sy_mux_block *next;
    size_t cap;
    size_t len;
    uint8_t data[];
} sy_mux_block;

/* Queued messages behind the first one; exists only while there are some. */
typedef struct sy_mux_ring {
    uint32_t cap;
    uint32_t first;
    sy_msg *items[];
} sy_mux_ring;

/* One channel of one connection. */
typedef struct sy_mux_chan {
    union {
        sy_mux_block *assembly; /* the message so far; NULL: none */
        size_t sink_len;        /* of a sink: its length so far */
    } in;
    sy_msg *head;     /* the message being sent; NULL: nothing queued */
    size_t head_sent; /* bytes of it that are in packets already written */
    sy_mux_ring *ring;
    size_t queued_bytes; /* head counts in full until its last byte is written */
    uint64_t vtime;      /* weighted bytes, see mux_send.c */
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t messages_received;
    uint64_t messages_sent;
    uint32_t queued;        /* messages, head included */
    uint16_t next;          /* next channel of the class with something to send */
    uint8_t in_message : 1; /* received some of a message, but not its end */
    uint8_t remote_has : 1;
    uint8_t want_writable : 1; /* answered FULL since the last report */
    uint8_t writable : 1;      /* to be reported */
} sy_mux_chan;

/* One scheduling class of one connection. */
typedef struct sy_mux_class {
    uint64_t vtime;  /* of the packet sent last: where a channel that wakes up starts */
    uint64_t credit; /* bytes that others sent while this class waited, minus its cost */
    uint16_t first;  /* channels with something to send; SY_CHANNEL_NONE: none */
} sy_mux_class;

/* The packet being written out. */
typedef struct sy_mux_packet_out {
    size_t payload_left;
    uint16_t channel; /* SY_CHANNEL_NONE: ping or pong */
    uint8_t header[SY_PACKET_OVERHEAD];
    uint8_t header_len;
    uint8_t header_pos;
    bool eof;
} sy_mux_packet_out;

typedef struct sy_mux_note {
    const uint8_t *data;
    size_t len;
    uint16_t channel;
    uint16_t next;
} sy_mux_note;

/* Complete messages not yet taken, one list per class. */
struct sy_mux_batch {
    const sy_mem *mem;
    sy_budget *budget;
    sy_mux *owner; /* NULL: no messages in it */
    sy_mux_block *spares;
    uint16_t spare_count;
    uint16_t count; /* notes used since the owner took it */
    uint16_t waiting;
    uint16_t first[SY_CLASS_COUNT];
    uint16_t last[SY_CLASS_COUNT];
    sy_mux_note notes[SY_MUX_BATCH_MESSAGES];
};

struct sy_mux {
    const sy_mem *mem;
    sy_budget *budget;
    const sy_channel_set *set;
    sy_mux_batch *batch; /* private ones: NULL while there are no messages */
    sy_mux_block *part;  /* a packet cut by the end of a batch */
    sy_mux_block *done;  /* what delivered payloads of this batch point into */
    sy_packet_codec codec;
    sy_err err; /* sticky */
    bool batch_is_private;
    bool ping_owed;
    bool pong_owed;
    uint16_t chan_count;
    uint16_t writable_count;
    uint16_t open_messages; /* channels inside a message */
    size_t piece_max[2];    /* ids below and from 0x80 on */
    sy_time recv_ready_at;
    sy_time send_ready_at;
    sy_keepalive keepalive;
    sy_token_bucket ping_rate;
    sy_token_bucket recv_rate;
    sy_token_bucket send_rate;
    sy_mux_class classes[SY_CLASS_COUNT]; /* highest first */
    sy_mux_packet_out out;
    sy_mux_stats stats;
    sy_mux_chan chans[];
};

/* Index of the class of a channel, 0 highest. */
static inline size_t sy_mux_class_index(const sy_mux *mux, uint16_t channel) {
    return (size_t)mux->set->desc[channel].traffic_class - SY_CLASS_CONTROL;
}

/* Allocation charged to the budget (may be NULL); old NULL: a new block.  On failure nothing
 * changed.   SY_ERR_LIMIT, SY_ERR_NOMEM */
sy_err sy_mux_resize(const sy_mem *mem, sy_budget *budget, void *old, size_t old_size,
                     size_t new_size, void **ret_new) __attribute__((warn_unused_result));
void sy_mux_release(const sy_mem *mem, sy_budget *budget, void *ptr, size_t size);

/* Frees everything of the receiving and of the sending half. */
void sy_mux_recv_fini(sy_mux *mux);
void sy_mux_send_fini(sy_mux *mux);

/* Empties the lists; used by mux.c for a new batch. */
void sy_mux_batch_reset(sy_mux_batch *batch);

#endif
