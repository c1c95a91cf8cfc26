/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of the multiplexer in both encodings: reading the one at the head of a byte run, and
 * writing the header that stands in front of a payload.  In place, no state, no allocation.
 *
 *   packet = uvarint(length) body          body = ping | pong | piece of a message
 *
 * The limit is on the payload, not on the encoded packet.  So that an incomplete packet cannot hold
 * more than a payload and a little, a length of more than payload_max + SY_PACKET_OVERHEAD is
 * refused before its body is there.  Internal to conn/.  Source: docs/spec/multiplexer.md. */
#ifndef SY_CONN_PACKET_H
#define SY_CONN_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/detail.h>
#include <switchyard/err.h>

#include "base/rd.h"
#include "conn/limits.h"
#include "conn/mux.h"

/* Longest packet with its prefix that is ever accepted, and so the most that a partial one holds.
 */
#define SY_PACKET_LEN_MAX(payload_max) ((payload_max) + SY_PACKET_OVERHEAD + SY_PACKET_PREFIX_MAX)

typedef enum sy_packet_kind {
    SY_PACKET_KIND_MORE, /* not complete yet */
    SY_PACKET_KIND_PING,
    SY_PACKET_KIND_PONG,
    SY_PACKET_KIND_MSG,
} sy_packet_kind;

typedef struct sy_packet {
    sy_packet_kind kind;
    size_t len;      /* of the whole packet; MORE: at least this many bytes are needed (> given) */
    uint8_t channel; /* MSG */
    bool eof;        /* MSG: the last piece of a message */
    sy_bytes data;   /* MSG: borrowed from the input; NULL when empty */
} sy_packet;

/* Reads the packet at the start of in.  The result does not depend on what follows the packet.
 *   SY_ERR_PACKET_MALFORMED, PACKET_TOO_LONG, PACKET_TYPE, CHANNEL_RANGE */
sy_err sy_packet_parse(sy_packet_codec codec, const uint8_t *in, size_t len, size_t payload_max,
                       sy_packet *ret_packet, sy_detail *detail)
    __attribute__((warn_unused_result));

/* Writes everything of a message packet that stands before its payload; returns its length. */
size_t sy_packet_write_header(sy_packet_codec codec, uint8_t channel, bool eof, size_t payload_len,
                              uint8_t out[SY_PACKET_OVERHEAD]);

/* Write whole packets; return their length. */
size_t sy_packet_write_ping(sy_packet_codec codec, uint8_t out[SY_PACKET_OVERHEAD]);
size_t sy_packet_write_pong(sy_packet_codec codec, uint8_t out[SY_PACKET_OVERHEAD]);

/* Longest piece that may be sent on a channel: payload_max, or less where the Go receivers, who
 * compute their limit for channel 1, would refuse that. */
size_t sy_packet_piece_max(sy_packet_codec codec, uint8_t channel, size_t payload_max);

/* The bodies, without length prefix; packet.c calls them.  ret_packet->len is left alone, the
 * payload is not compared with any limit. */
sy_err sy_packet_decode_amino(const uint8_t *body, size_t len, sy_packet *ret_packet,
                              sy_detail *detail) __attribute__((warn_unused_result));
sy_err sy_packet_decode_proto(const uint8_t *body, size_t len, sy_packet *ret_packet,
                              sy_detail *detail) __attribute__((warn_unused_result));

size_t sy_packet_header_amino(uint8_t channel, bool eof, size_t payload_len,
                              uint8_t out[SY_PACKET_OVERHEAD]);
size_t sy_packet_header_proto(uint8_t channel, bool eof, size_t payload_len,
                              uint8_t out[SY_PACKET_OVERHEAD]);

#endif
