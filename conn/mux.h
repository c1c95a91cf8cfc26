/* SPDX-License-Identifier: Apache-2.0 */
/* The multiplexer: cuts messages of many channels into packets and puts packets back together.
 * Plaintext in, plaintext out; knows no sockets, no frames, no NodeInfo.  Two packet codecs.
 *
 * Receiving takes a whole batch of plaintext, then next_message() yields what it completed, highest
 * class first, in order within a channel.  A message that lies in one packet is a view into the
 * batch; only what spans packets is assembled.  Payloads stay valid until the next recv or
 * batch_done.
 *
 * Sending decides per packet: class first (each lower class keeps a minimum share), inside a class
 * weighted fair share by bytes.  Ping and pong go before everything, also ahead of a message that
 * is half sent, and pongs coalesce.
 *
 * Source: docs/spec/multiplexer.md.  Loop thread only. */
#ifndef SY_CONN_MUX_H
#define SY_CONN_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/mem.h>
#include <switchyard/msg.h>
#include <switchyard/send_result.h>
#include <switchyard/time.h>

#include "conn/channel_set.h"

typedef enum sy_packet_codec {
    SY_PACKET_AMINO, /* profiles tendermint and plain */
    SY_PACKET_PROTO, /* profile cometbft */
} sy_packet_codec;

/* Where the multiplexers of one loop note the messages of the batch at hand (25 KiB), so that an
 * idle connection has no such list; also keeps up to 8 buffers for partial packets.  Only one
 * multiplexer can have messages in it: recv on another one drops what was not taken, and the one
 * that lost messages then fails with SY_ERR_STATE. */
typedef struct sy_mux_batch sy_mux_batch;

/* mem and budget (the node's, may be NULL) borrow until del; mem must be the multiplexers' own.
 *   SY_ERR_NOMEM, SY_ERR_LIMIT */
sy_err sy_mux_batch_new(const sy_mem *mem, sy_budget *budget, sy_mux_batch **ret_batch)
    __attribute__((warn_unused_result));

/* After the multiplexers that use it.  NULL is allowed. */
void sy_mux_batch_del(sy_mux_batch *batch);

/* Copied; pointers inside borrow until del. */
typedef struct sy_mux_config {
    const sy_mem *mem;
    sy_budget *budget; /* the peer's, may be NULL; charged with everything allocated */
    const sy_channel_set *channels;
    sy_packet_codec codec;
    const uint8_t *remote_channels; /* ids that the remote announced; copied */
    size_t remote_channel_count;
    sy_duration ping_interval_ns; /* 0: default */
    sy_duration pong_timeout_ns;
    uint64_t send_rate; /* bytes per second, 0: no limit */
    uint64_t recv_rate;
    sy_mux_batch *batch; /* the loop's; NULL: one of its own, allocated whenever a recv completes a
                          * message and released when all were taken */
} sy_mux_config;

typedef struct sy_mux sy_mux;

typedef struct sy_mux_message {
    uint16_t channel;    /* index into the channel set */
    const uint8_t *data; /* not NULL also when len is 0 */
    size_t len;
} sy_mux_message;

typedef struct sy_mux_stats {
    uint64_t bytes_received; /* packets, before framing */
    uint64_t bytes_sent;
    uint64_t messages_received;
    uint64_t messages_sent;
    uint64_t packets_received;
    uint64_t packets_sent;
    uint64_t pings_received;
    uint64_t sink_bytes;
    sy_duration rtt_ns;
} sy_mux_stats;

typedef struct sy_mux_channel_stats {
    uint64_t bytes_received; /* payload */
    uint64_t bytes_sent;
    uint64_t messages_received;
    uint64_t messages_sent;
    size_t queued_messages;
    size_t queued_bytes;
} sy_mux_channel_stats;

/* Costs about 100 bytes per channel while idle; buffers and queues appear on use and go when empty.
 *   SY_ERR_NOMEM, SY_ERR_LIMIT */
sy_err sy_mux_new(const sy_mux_config *config, sy_time now, sy_mux **ret_mux)
    __attribute__((warn_unused_result));

/* Drops queued and half-received messages.  NULL is allowed. */
void sy_mux_del(sy_mux *mux);

/* Takes plaintext; all messages of the last call must have been taken.  May consume less than given
 * when SY_MUX_BATCH_MESSAGES are complete or the receive rate says so; the caller then takes the
 * messages and calls again (at sy_mux_recv_ready_at() when the rate was the reason).  plain borrows
 * until the next recv. Errors are fatal and sticky; what was complete before the bad packet is
 * still delivered. SY_ERR_PACKET_MALFORMED, PACKET_TOO_LONG, PACKET_TYPE, CHANNEL_RANGE,
 * CHANNEL_UNKNOWN, MESSAGE_TOO_LONG, PING_FLOOD, NOMEM, LIMIT */
sy_err sy_mux_recv(sy_mux *mux, const uint8_t *plain, size_t len, size_t *ret_consumed,
                   sy_detail *detail, sy_time now) __attribute__((warn_unused_result));

/* The next complete message of the batch; false when there is none left. */
bool sy_mux_next_message(sy_mux *mux, sy_mux_message *ret_message);

/* The owner is through with the batch: payloads become invalid, what was not taken is dropped, and
 * the memory of assembled messages is given back now instead of at the next recv.  Call it after
 * the messages of a recv were handled, so that a connection that falls idle holds nothing. */
void sy_mux_batch_done(sy_mux *mux);

/* SY_NEVER, or when the receive rate lets the next byte in. */
sy_time sy_mux_recv_ready_at(const sy_mux *mux);

/* Any packet at all has been received (a parked connection is confirmed by it). */
bool sy_mux_has_received(const sy_mux *mux);

/* Nothing of a packet or of a message is pending: a half-close here is clean. */
bool sy_mux_at_boundary(const sy_mux *mux);

/* Queues a message on the channel with this index.  On QUEUED the multiplexer holds a reference of
 * its own, otherwise nothing changed.  A message longer than the channel's recv_message_max (the
 * remote would refuse it) or send_queue_bytes_max (it would never fit) is REFUSED; memory that
 * cannot be had for the queue is FULL. */
sy_send_result sy_mux_queue(sy_mux *mux, uint16_t channel, sy_msg *msg);

/* A channel that answered FULL and whose queue has since fallen to half of its limits (each such
 * channel once); false when none. */
bool sy_mux_next_writable(sy_mux *mux, uint16_t *ret_channel);

/* Fills out with packets; *ret_len 0 when there is nothing to send now.  Packets are cut at out_cap
 * only between packets or by leaving the rest of a packet for the next call. */
void sy_mux_send(sy_mux *mux, uint8_t *out, size_t out_cap, size_t *ret_len, sy_time now);

/* Something can be sent now (rate permitting). */
bool sy_mux_wants_send(const sy_mux *mux, sy_time now);

/* Nothing queued, half sent or owed. */
bool sy_mux_is_drained(const sy_mux *mux);

/* Asks for a ping at once. */
void sy_mux_ping(sy_mux *mux, sy_time now);

/* Earliest of keepalive and rate timers. */
sy_time sy_mux_next_expiry(const sy_mux *mux);

/* *ret_check_dry: the owner must read the socket dry and then call sy_mux_on_read_dry. */
void sy_mux_on_expiry(sy_mux *mux, bool *ret_check_dry, sy_time now);

/*   SY_ERR_PONG_TIMEOUT */
sy_err sy_mux_on_read_dry(sy_mux *mux, sy_time now) __attribute__((warn_unused_result));

/* The remote announced this channel (index into the set). */
bool sy_mux_remote_has(const sy_mux *mux, uint16_t channel);

void sy_mux_get_stats(const sy_mux *mux, sy_mux_stats *ret_stats);
void sy_mux_get_channel_stats(const sy_mux *mux, uint16_t channel, sy_mux_channel_stats *ret_stats);

#endif
