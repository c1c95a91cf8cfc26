/* SPDX-License-Identifier: Apache-2.0 */
/* Packets in amino 0.10 (profiles tendermint and plain): four prefix bytes say which type it is,
 * then fields 1 channel, 2 end mark, 3 data. */
#include "conn/packet.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "base/wr.h"

#define PREFIX_LEN 4

enum {
    FIELD_CHANNEL = 1,
    FIELD_EOF = 2,
    FIELD_DATA = 3
};

/* The long form of a prefix is 00, the three disambiguation bytes, the prefix. */
typedef struct packet_type {
    sy_packet_kind kind;
    uint8_t long_form[4 + PREFIX_LEN];
} packet_type;

static const packet_type types[] = {
    {SY_PACKET_KIND_MSG, {0x00, 0xf1, 0xbb, 0x97, 0xb0, 0x5b, 0x4f, 0x2c}},
    {SY_PACKET_KIND_PING, {0x00, 0xe3, 0x7e, 0x84, 0x15, 0xc3, 0xd2, 0x89}},
    {SY_PACKET_KIND_PONG, {0x00, 0x88, 0x7a, 0x12, 0x8a, 0x79, 0x7f, 0xe2}},
};

static const uint8_t *short_form(const packet_type *type) {
    return type->long_form + 4;
}

/* Returns the length of the prefix, 0 when it is none of ours. */
static size_t read_prefix(const uint8_t *body, size_t len, sy_packet_kind *ret_kind) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (len >= PREFIX_LEN && memcmp(body, short_form(&types[i]), PREFIX_LEN) == 0) {
            *ret_kind = types[i].kind;
            return PREFIX_LEN;
        }
        /* SPEC MX-09 */
        if (!SY_MUTANT(MX_LONG_FORM) && len >= sizeof types[i].long_form &&
            memcmp(body, types[i].long_form, sizeof types[i].long_form) == 0) {
            *ret_kind = types[i].kind;
            return sizeof types[i].long_form;
        }
    }
    return 0;
}

/* The value of an uint8 field. */
static sy_err byte_value(const sy_field *field, uint8_t *ret_value, const char *what,
                         sy_detail *detail) {
    if (field->type != SY_WIRE_VARINT) { /* SPEC MX-11 */
        sy_detail_set(detail, "packet: %s has wire type %d", what, (int)field->type);
        return SY_ERR_PACKET_MALFORMED;
    }
    if (field->varint > UINT8_MAX && !SY_MUTANT(MX_CHANNEL_256)) { /* SPEC MX-13 */
        sy_detail_set(detail, "packet: %s is %llu, limit 255", what,
                      (unsigned long long)field->varint);
        return SY_ERR_PACKET_MALFORMED;
    }
    *ret_value = (uint8_t)field->varint;
    return SY_OK;
}

static sy_err msg_field(const sy_field *field, sy_packet *packet, sy_detail *detail) {
    uint8_t mark = 0;
    sy_err err = SY_OK;

    switch (field->number) {
    case FIELD_CHANNEL:
        return byte_value(field, &packet->channel, "channel", detail);
    case FIELD_EOF:
        err = byte_value(field, &mark, "end mark", detail);
        packet->eof = mark == 1 || (SY_MUTANT(MX_END) && mark > 1); /* SPEC MX-14 */
        return err;
    case FIELD_DATA:
        if (field->type != SY_WIRE_BYTES) {
            sy_detail_set(detail, "packet: data has wire type %d", (int)field->type);
            return SY_ERR_PACKET_MALFORMED;
        }
        packet->data = field->bytes;
        return SY_OK;
    default:
        return SY_MUTANT(MX_UNKNOWN_TM) ? SY_ERR_PACKET_MALFORMED
                                        : SY_OK; /* SPEC MX-10: unknown, skipped. */
    }
}

/* SPEC MX-02 */
sy_err sy_packet_decode_amino(const uint8_t *body, size_t len, sy_packet *ret_packet,
                              sy_detail *detail) {
    sy_packet packet = {.len = ret_packet->len};
    const size_t prefix_len = read_prefix(body, len, &packet.kind);
    if (prefix_len == 0 && len >= PREFIX_LEN && SY_MUTANT(MX_TYPE)) {
        *ret_packet = (sy_packet){.len = ret_packet->len, .kind = SY_PACKET_KIND_PONG};
        return SY_OK;
    }
    if (prefix_len == 0) { /* SPEC MX-07, SPEC MX-08 */
        sy_detail_set(detail, "packet of %zu bytes with no known type prefix", len);
        return SY_ERR_PACKET_TYPE;
    }

    sy_rd rd;
    sy_rd_init(&rd, body + prefix_len, len - prefix_len);
    sy_field field;
    uint32_t last_number = 0;
    while (sy_rd_field(&rd, &field)) {
        if (field.number <= last_number && !SY_MUTANT(MX_ORDER)) { /* SPEC MX-12 */
            sy_detail_set(detail, "packet: field %u after field %u", (unsigned)field.number,
                          (unsigned)last_number);
            return SY_ERR_PACKET_MALFORMED;
        }
        last_number = field.number;
        /* Ping and pong have no fields of their own: all are unknown. */
        const sy_err err =
            packet.kind == SY_PACKET_KIND_MSG ? msg_field(&field, &packet, detail) : SY_OK;
        if (err != SY_OK) {
            return err;
        }
    }
    if (sy_rd_finish(&rd) != SY_OK && !SY_MUTANT(MX_LEFT)) { /* SPEC MX-11 */
        sy_detail_set(detail, "packet: %s", sy_strerror(sy_rd_finish(&rd)));
        return SY_ERR_PACKET_MALFORMED;
    }
    *ret_packet = packet;
    return SY_OK;
}

static void write_fields(sy_wr *wr, uint8_t channel, bool eof, size_t payload_len) {
    sy_wr_bytes(wr, short_form(&types[0]), PREFIX_LEN);
    sy_wr_field_uvarint(wr, FIELD_CHANNEL, channel);
    sy_wr_field_uvarint(wr, FIELD_EOF, eof ? 1 : 0);
    if (payload_len > 0) {
        sy_wr_key(wr, FIELD_DATA, SY_WIRE_BYTES);
        sy_wr_uvarint(wr, payload_len);
    }
}

/* SPEC MX-02 */
size_t sy_packet_header_amino(uint8_t channel, bool eof, size_t payload_len,
                              uint8_t out[SY_PACKET_OVERHEAD]) {
    sy_wr measure;
    sy_wr_init(&measure, NULL, 0);
    write_fields(&measure, channel, eof, payload_len);

    sy_wr wr;
    sy_wr_init(&wr, out, SY_PACKET_OVERHEAD);
    sy_wr_uvarint(&wr, measure.len + payload_len);
    write_fields(&wr, channel, eof, payload_len);
    SY_ASSERT(wr.len <= SY_PACKET_OVERHEAD);
    return wr.len;
}
