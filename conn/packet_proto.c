/* SPDX-License-Identifier: Apache-2.0 */
/* Packets in protobuf (profile cometbft): one of ping 1, pong 2, message 3; a message has fields
 * 1 channel (int32), 2 end mark (bool), 3 data. */
#include "conn/packet.h"

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "base/wr.h"

enum {
    MEMBER_PING = 1,
    MEMBER_PONG = 2,
    MEMBER_MSG = 3
};
enum {
    FIELD_CHANNEL = 1,
    FIELD_EOF = 2,
    FIELD_DATA = 3
};

/* A message part as read; the channel is judged only when this member is the one that counts. */
typedef struct msg_part {
    uint64_t channel;
    bool eof;
    sy_bytes data;
} msg_part;

static sy_err wrong_type(const char *what, const sy_field *field, sy_detail *detail) {
    sy_detail_set(detail, "packet: %s has wire type %d", what, (int)field->type);
    return SY_ERR_PACKET_MALFORMED;
}

static sy_err rd_failed(const sy_rd *rd, sy_detail *detail) {
    sy_detail_set(detail, "packet: %s", sy_strerror(rd->err));
    return SY_ERR_PACKET_MALFORMED;
}

/* Ping and pong: no fields of their own, any well-formed ones are skipped. */
static sy_err read_empty(sy_bytes body, sy_detail *detail) {
    sy_rd rd;
    sy_rd_init(&rd, body.data, body.len);
    sy_field field;
    while (sy_rd_field(&rd, &field)) {
    }
    return rd.err == SY_OK || SY_MUTANT(MX_INNER) ? SY_OK : rd_failed(&rd, detail);
}

static sy_err read_msg(sy_bytes body, msg_part *ret_part, sy_detail *detail) {
    msg_part part = {0};
    sy_rd rd;
    sy_rd_init(&rd, body.data, body.len);
    sy_field field;

    /* SPEC MX-15: any order, unknown fields skipped, of a field given twice the last counts. */
    while (sy_rd_field(&rd, &field)) {
        switch (field.number) {
        case FIELD_CHANNEL:
            if (field.type != SY_WIRE_VARINT) {
                return wrong_type("channel", &field, detail);
            }
            part.channel = field.varint;
            break;
        case FIELD_EOF:
            if (field.type != SY_WIRE_VARINT) {
                return wrong_type("end mark", &field, detail);
            }
            part.eof =
                field.varint != 0 && !(SY_MUTANT(MX_END_CB) && field.varint != 1); /* SPEC MX-19 */
            break;
        case FIELD_DATA:
            if (field.type != SY_WIRE_BYTES) {
                return wrong_type("data", &field, detail);
            }
            part.data = field.bytes;
            break;
        default:
            break;
        }
    }
    if (rd.err != SY_OK) { /* SPEC MX-18 */
        return rd_failed(&rd, detail);
    }
    *ret_part = part;
    return SY_OK;
}

static sy_err commit_msg(const msg_part *part, sy_packet *packet, sy_detail *detail) {
    /* SPEC MX-27: never folded; a negative number is a huge one here. */
    if (part->channel > UINT8_MAX && !SY_MUTANT(MX_RANGE)) {
        sy_detail_set(detail, "channel number %lld, limit 255", (long long)part->channel);
        return SY_ERR_CHANNEL_RANGE;
    }
    packet->channel = (uint8_t)part->channel;
    packet->eof = part->eof;
    packet->data = part->data;
    return SY_OK;
}

/* One member of the packet; *kind and *part are replaced: of several members the last counts. */
static sy_err read_member(const sy_field *field, sy_packet_kind *kind, msg_part *part,
                          sy_detail *detail) {
    if (SY_MUTANT(MX_FIRST) && *kind != SY_PACKET_KIND_MORE) {
        return SY_OK;
    }
    if (field->number > MEMBER_MSG) {
        return SY_MUTANT(MX_UNKNOWN_CB) ? SY_ERR_PACKET_MALFORMED : SY_OK; /* SPEC MX-15 */
    }
    if (field->type != SY_WIRE_BYTES) {
        return wrong_type("type", field, detail);
    }
    /* SPEC MX-16: also a member that a later one replaces must be well-formed. */
    if (field->number == MEMBER_MSG) {
        *kind = SY_PACKET_KIND_MSG;
        return read_msg(field->bytes, part, detail);
    }
    *kind = field->number == MEMBER_PING ? SY_PACKET_KIND_PING : SY_PACKET_KIND_PONG;
    return read_empty(field->bytes, detail);
}

/* SPEC MX-03 */
sy_err sy_packet_decode_proto(const uint8_t *body, size_t len, sy_packet *ret_packet,
                              sy_detail *detail) {
    sy_packet packet = {.len = ret_packet->len, .kind = SY_PACKET_KIND_MORE};
    msg_part part = {0};
    sy_rd rd;
    sy_rd_init(&rd, body, len);
    sy_field field;
    while (sy_rd_field(&rd, &field)) {
        const sy_err err = read_member(&field, &packet.kind, &part, detail);
        if (err != SY_OK) {
            return err;
        }
    }
    if (rd.err != SY_OK) {
        return rd_failed(&rd, detail);
    }
    if (packet.kind == SY_PACKET_KIND_MORE && SY_MUTANT(MX_NONE)) {
        packet.kind = SY_PACKET_KIND_PONG;
    }
    if (packet.kind == SY_PACKET_KIND_MORE) { /* SPEC MX-07, SPEC MX-17 */
        sy_detail_set(detail, "packet of %zu bytes with none of ping, pong and message", len);
        return SY_ERR_PACKET_TYPE;
    }
    if (packet.kind == SY_PACKET_KIND_MSG) {
        const sy_err err = commit_msg(&part, &packet, detail);
        if (err != SY_OK) {
            return err;
        }
    }
    *ret_packet = packet;
    return SY_OK;
}

static void write_fields(sy_wr *wr, uint8_t channel, bool eof, size_t payload_len) {
    sy_wr_field_uvarint(wr, FIELD_CHANNEL, channel);
    sy_wr_field_uvarint(wr, FIELD_EOF, eof ? 1 : 0);
    if (payload_len > 0) {
        sy_wr_key(wr, FIELD_DATA, SY_WIRE_BYTES);
        sy_wr_uvarint(wr, payload_len);
    }
}

/* SPEC MX-03 */
size_t sy_packet_header_proto(uint8_t channel, bool eof, size_t payload_len,
                              uint8_t out[SY_PACKET_OVERHEAD]) {
    sy_wr measure;
    sy_wr_init(&measure, NULL, 0);
    write_fields(&measure, channel, eof, payload_len);
    const size_t inner = measure.len + payload_len;

    sy_wr wr;
    sy_wr_init(&wr, out, SY_PACKET_OVERHEAD);
    sy_wr_uvarint(&wr, 1 + sy_uvarint_size(inner) + inner);
    sy_wr_key(&wr, MEMBER_MSG, SY_WIRE_BYTES);
    sy_wr_uvarint(&wr, inner);
    write_fields(&wr, channel, eof, payload_len);
    SY_ASSERT(wr.len <= SY_PACKET_OVERHEAD);
    return wr.len;
}
