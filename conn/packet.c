/* SPDX-License-Identifier: Apache-2.0 */
/* What the two packet encodings have in common: the length prefix and the limits. */
#include "conn/packet.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"

static const uint8_t amino_ping[] = {0x04, 0x15, 0xc3, 0xd2, 0x89};
static const uint8_t amino_pong[] = {0x04, 0x8a, 0x79, 0x7f, 0xe2};
static const uint8_t proto_ping[] = {0x02, 0x0a, 0x00};
static const uint8_t proto_pong[] = {0x02, 0x12, 0x00};

static sy_err decode_body(sy_packet_codec codec, const uint8_t *body, size_t len,
                          sy_packet *ret_packet, sy_detail *detail) {
    switch (codec) {
    case SY_PACKET_AMINO:
        return sy_packet_decode_amino(body, len, ret_packet, detail);
    case SY_PACKET_PROTO:
        return sy_packet_decode_proto(body, len, ret_packet, detail);
    }
    SY_UNREACHABLE();
}

sy_err sy_packet_parse(sy_packet_codec codec, const uint8_t *in, size_t len, size_t payload_max,
                       sy_packet *ret_packet, sy_detail *detail) {
    SY_REQUIRE(payload_max >= 1 && payload_max <= SY_PACKET_PAYLOAD_CAP);
    uint64_t body_len = 0;
    size_t prefix_len = 0;
    bool minimal = false;

    /* SPEC MX-01; SPEC MX-04: whether the prefix is the shortest form does not matter here. */
    switch (sy_uvarint_peek(in, len, &body_len, &prefix_len, &minimal)) {
    case SY_PREFIX_MORE:
        *ret_packet = (sy_packet){.kind = SY_PACKET_KIND_MORE, .len = len + 1};
        return SY_OK;
    case SY_PREFIX_BAD: /* SPEC MX-05 */
        if (SY_MUTANT(MX_PREFIX_BAD)) {
            *ret_packet = (sy_packet){.kind = SY_PACKET_KIND_MORE, .len = len + 1};
            return SY_OK;
        }
        sy_detail_set(detail, "packet length of more than 10 bytes or 64 bits");
        return SY_ERR_PACKET_MALFORMED;
    case SY_PREFIX_DONE:
        break;
    }
    if (SY_MUTANT(MX_PREFIX) && !minimal) {
        return SY_ERR_PACKET_MALFORMED;
    }
    if (body_len > payload_max + SY_PACKET_OVERHEAD +
                       SY_MUTANT(MX_ANNOUNCED)) { /* SPEC MX-06: before its body is read. */
        sy_detail_set(detail, "packet announces %llu bytes, limit %zu for payloads of %zu",
                      (unsigned long long)body_len, payload_max + SY_PACKET_OVERHEAD, payload_max);
        return SY_ERR_PACKET_TOO_LONG;
    }
    const size_t packet_len = prefix_len + (size_t)body_len;
    if (SY_MUTANT(MX_LENGTH_0) && body_len == 0) {
        *ret_packet = (sy_packet){.kind = SY_PACKET_KIND_PONG, .len = packet_len};
        return SY_OK;
    }
    if (len < packet_len) {
        *ret_packet = (sy_packet){.kind = SY_PACKET_KIND_MORE, .len = packet_len};
        return SY_OK;
    }

    sy_packet packet = {.len = packet_len};
    const sy_err err = decode_body(codec, in + prefix_len, (size_t)body_len, &packet, detail);
    if (err != SY_OK) {
        return err;
    }
    if (packet.data.len > payload_max + SY_MUTANT(MX_PAYLOAD) ||
        (SY_MUTANT(MX_HIGH) && packet.eof && packet.channel >= 0x80 &&
         packet.data.len == payload_max)) { /* SPEC MX-20 */
        sy_detail_set(detail,
                      "channel 0x%02x: packet payload of %zu bytes, limit %zu "
                      "(max_packet_msg_payload_size)",
                      packet.channel, packet.data.len, payload_max);
        return SY_ERR_PACKET_TOO_LONG;
    }
    SY_ASSERT(packet.kind != SY_PACKET_KIND_MORE);
    *ret_packet = packet;
    return SY_OK;
}

size_t sy_packet_write_header(sy_packet_codec codec, uint8_t channel, bool eof, size_t payload_len,
                              uint8_t out[SY_PACKET_OVERHEAD]) {
    switch (codec) {
    case SY_PACKET_AMINO:
        return sy_packet_header_amino(channel, eof, payload_len, out);
    case SY_PACKET_PROTO:
        return sy_packet_header_proto(channel, eof, payload_len, out);
    }
    SY_UNREACHABLE();
}

static size_t write_fixed(const uint8_t *packet, size_t len, uint8_t out[SY_PACKET_OVERHEAD]) {
    memcpy(out, packet, len);
    return len;
}

size_t sy_packet_write_ping(sy_packet_codec codec, uint8_t out[SY_PACKET_OVERHEAD]) {
    return codec == SY_PACKET_AMINO ? write_fixed(amino_ping, sizeof amino_ping, out)
                                    : write_fixed(proto_ping, sizeof proto_ping, out);
}

size_t sy_packet_write_pong(sy_packet_codec codec, uint8_t out[SY_PACKET_OVERHEAD]) {
    return codec == SY_PACKET_AMINO ? write_fixed(amino_pong, sizeof amino_pong, out)
                                    : write_fixed(proto_pong, sizeof proto_pong, out);
}

size_t sy_packet_piece_max(sy_packet_codec codec, uint8_t channel, size_t payload_max) {
    SY_REQUIRE(payload_max >= 1 && payload_max <= SY_PACKET_PAYLOAD_CAP);
    uint8_t scratch[SY_PACKET_OVERHEAD];

    /* The limit of the Go receivers: a final packet on channel 1.  Amino adds 10 bytes of slack to
     * it, more than a longer channel id costs. */
    if (codec == SY_PACKET_AMINO) {
        return payload_max;
    }
    /* SPEC MX-22 */
    const size_t limit = payload_max + sy_packet_header_proto(1, true, payload_max, scratch);
    size_t piece = payload_max;
    while (piece > 1 && piece + sy_packet_header_proto(channel, true, piece, scratch) > limit) {
        piece--;
    }
    return piece;
}
