/* SPDX-License-Identifier: Apache-2.0 */
/* A run of packets.  FUZZ_CODEC says in which encoding, the first byte how long payloads may be.
 * What a packet means does not depend on what follows it or on where the input was cut. */
#include "conn/packet.h"

#include <string.h>

#include "tests/fuzz/support/fuzz.h"

static sy_err parse(const uint8_t *data, size_t len, size_t payload_max, sy_packet *ret_packet) {
    sy_detail detail = {.text = ""};
    const sy_err err = sy_packet_parse(FUZZ_CODEC, data, len, payload_max, ret_packet, &detail);
    fuzz_check_detail(&detail);
    if (err != SY_OK) {
        fuzz_check_err(err, NULL);
        return err;
    }
    const bool is_more = ret_packet->kind == SY_PACKET_KIND_MORE;
    FUZZ_CHECK(is_more ? ret_packet->len > len : ret_packet->len <= len && ret_packet->len > 0);
    FUZZ_CHECK(ret_packet->len <= SY_PACKET_LEN_MAX(payload_max));
    return SY_OK;
}

/* The packet at data, which has packet->len bytes, at other cuts. */
static void check_cuts(const uint8_t *data, const sy_packet *packet, size_t payload_max) {
    const size_t cuts[] = {0, 1, packet->len / 2, packet->len - 1, packet->len};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        sy_packet part;
        uint8_t *exact = fuzz_exact(data, cuts[i]);
        FUZZ_CHECK(parse(exact, cuts[i], payload_max, &part) == SY_OK);
        FUZZ_CHECK(part.kind == (cuts[i] < packet->len ? SY_PACKET_KIND_MORE : packet->kind));
        FUZZ_CHECK(part.len <= packet->len);
        fuzz_exact_del(exact);
    }
}

/* The same packet as we would write it. */
static void check_written(const sy_packet *packet, size_t payload_max) {
    static uint8_t out[SY_PACKET_OVERHEAD + 65536];
    FUZZ_CHECK(packet->data.len <= payload_max);
    size_t len = 0;
    if (packet->kind == SY_PACKET_KIND_MSG) {
        len =
            sy_packet_write_header(FUZZ_CODEC, packet->channel, packet->eof, packet->data.len, out);
        FUZZ_CHECK(len <= SY_PACKET_OVERHEAD);
        if (packet->data.len > 0) {
            memcpy(out + len, packet->data.data, packet->data.len);
        }
    } else {
        len = packet->kind == SY_PACKET_KIND_PING ? sy_packet_write_ping(FUZZ_CODEC, out)
                                                  : sy_packet_write_pong(FUZZ_CODEC, out);
    }
    sy_packet again;
    FUZZ_CHECK(parse(out, len + packet->data.len, payload_max, &again) == SY_OK);
    FUZZ_CHECK(again.kind == packet->kind && again.len == len + packet->data.len);
    FUZZ_CHECK(again.channel == packet->channel && again.eof == packet->eof);
    FUZZ_CHECK(again.data.len == packet->data.len && again.len <= packet->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t payload_maxes[] = {1024, 1, 7, 100, 65536};
    fuzz_in in = fuzz_in_of(data, size);
    const size_t payload_max = payload_maxes[fuzz_u8(&in) % 5];
    size_t count = 0;
    sy_packet packet = {.kind = SY_PACKET_KIND_MORE};
    while (parse(in.pos, fuzz_left(&in), payload_max, &packet) == SY_OK &&
           packet.kind != SY_PACKET_KIND_MORE) {
        FUZZ_CHECK(fuzz_is_inside(packet.data.data, packet.data.len, in.pos, packet.len));
        check_cuts(in.pos, &packet, payload_max);
        check_written(&packet, payload_max);
        in.pos += packet.len;
        count++;
    }
    fuzz_count(count > 0);
    return 0;
}
