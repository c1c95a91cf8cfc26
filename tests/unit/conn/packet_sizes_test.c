/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes of packets: what full ones measure on the wire, the payload limit of the receiver, the
 * allowance for what stands around a payload, and the longest piece that a Go receiver takes. */
#include <criterion/criterion.h>

#include <string.h>

#include "conn/packet.h"
#include "tests/support/test_hex.h"
#include "tests/unit/conn/mux_fixture.h"

typedef struct size_row {
    const char *name;
    sy_packet_codec codec;
    uint8_t channel;
    bool eof;
    size_t payload_len;
    size_t packet_len;
    const char *header;
} size_row;

static const size_row sizes[] = {
    {"amino 30, more", SY_PACKET_AMINO, 0x30, false, 1024, 1035, "8908 b05b4f2c 0830 1a8008"},
    {"amino 30, last", SY_PACKET_AMINO, 0x30, true, 1024, 1037, "8b08 b05b4f2c 0830 1001 1a8008"},
    {"amino 40, 1st of 1500", SY_PACKET_AMINO, 0x40, false, 1024, 1035,
     "8908 b05b4f2c 0840 1a8008"},
    {"amino 40, 2nd of 1500", SY_PACKET_AMINO, 0x40, true, 476, 489,
     "e703 b05b4f2c 0840 1001 1adc03"},
    {"proto 00, more", SY_PACKET_PROTO, 0x00, false, 1024, 1030, "8608 1a8308 1a8008"},
    {"proto 00, last", SY_PACKET_PROTO, 0x00, true, 1024, 1032, "8808 1a8508 1001 1a8008"},
    {"proto 20, more", SY_PACKET_PROTO, 0x20, false, 1024, 1032, "8808 1a8508 0820 1a8008"},
    {"proto 20, last", SY_PACKET_PROTO, 0x20, true, 1024, 1034, "8a08 1a8708 0820 1001 1a8008"},
    {"proto 81, more", SY_PACKET_PROTO, 0x81, false, 1024, 1033, "8908 1a8608 088101 1a8008"},
    {"proto 81, last", SY_PACKET_PROTO, 0x81, true, 1024, 1035, "8b08 1a8808 088101 1001 1a8008"},
};

/* SPEC-TEST MX-02 */ /* SPEC-TEST MX-03 */
Test(packet_sizes, full_packets_measure_what_the_wire_page_says) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const size_row *t = &sizes[i];
        uint8_t got[SY_PACKET_OVERHEAD];
        uint8_t want[SY_PACKET_OVERHEAD];
        const size_t len =
            sy_packet_write_header(t->codec, t->channel, t->eof, t->payload_len, got);
        /* The sizes of the page leave the outer prefix out for proto, and count it for amino. */
        const size_t prefix = t->codec == SY_PACKET_PROTO ? 2 : 0;
        cr_assert_eq(len + t->payload_len - prefix, t->packet_len, "%s", t->name);
        cr_assert_eq(len, test_hex(t->header, want, sizeof want), "%s", t->name);
        cr_assert_arr_eq(got, want, len, "%s: %s", t->name, test_hex_of(got, len));
    }
}

static sy_err parse_payload(sy_packet_codec codec, uint8_t id, bool eof, size_t payload_len,
                            size_t payload_max, sy_detail *detail) {
    run r = {0};
    uint8_t *payload = calloc(1, payload_len + 1);
    run_packet(&r, codec, id, eof, payload, payload_len);
    sy_packet packet;
    const sy_err err = sy_packet_parse(codec, r.data, r.len, payload_max, &packet, detail);
    if (err == SY_OK) {
        cr_assert_eq(packet.data.len, payload_len);
        cr_assert_eq(packet.len, r.len);
    }
    free(payload);
    run_free(&r);
    return err;
}

/* SPEC-TEST MX-20 */
Test(packet_sizes, the_limit_is_on_the_payload) {
    static const uint8_t ids[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    static const size_t limits[] = {1, 100, 127, 128, 1024, 16384, 65536};
    sy_detail detail = {""};

    for (sy_packet_codec codec = SY_PACKET_AMINO; codec <= SY_PACKET_PROTO; codec++) {
        for (size_t i = 0; i < sizeof ids; i++) {
            for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
                for (int eof = 0; eof <= 1; eof++) {
                    const size_t max = limits[k];
                    const char *name = codec_name(codec);
                    cr_assert_eq(parse_payload(codec, ids[i], eof, max - 1, max, &detail), SY_OK,
                                 "%s %02x %zu", name, ids[i], max);
                    cr_assert_eq(parse_payload(codec, ids[i], eof, max, max, &detail), SY_OK,
                                 "%s %02x %zu", name, ids[i], max);
                    cr_assert_eq(parse_payload(codec, ids[i], eof, max + 1, max, &detail),
                                 SY_ERR_PACKET_TOO_LONG, "%s %02x %zu", name, ids[i], max);
                }
            }
        }
    }
    cr_assert_eq(parse_payload(SY_PACKET_AMINO, 0x21, true, 1025, 1024, &detail),
                 SY_ERR_PACKET_TOO_LONG);
    cr_assert_str_eq(detail.text, "channel 0x21: packet payload of 1025 bytes, limit 1024 "
                                  "(max_packet_msg_payload_size)");
}

/* SPEC-TEST MX-06 */
Test(packet_sizes, a_long_length_is_refused_before_the_body) {
    sy_packet packet;
    sy_detail detail = {""};
    for (sy_packet_codec codec = SY_PACKET_AMINO; codec <= SY_PACKET_PROTO; codec++) {
        uint8_t in[16];
        size_t len = test_hex("a008", in, sizeof in); /* 1056 */
        cr_assert_eq(sy_packet_parse(codec, in, len, 1024, &packet, &detail), SY_OK);
        cr_assert_eq(packet.kind, SY_PACKET_KIND_MORE);
        cr_assert_eq(packet.len, 1058);

        len = test_hex("a108", in, sizeof in);
        cr_assert_eq(sy_packet_parse(codec, in, len, 1024, &packet, &detail),
                     SY_ERR_PACKET_TOO_LONG);
        cr_assert_str_eq(detail.text, "packet announces 1057 bytes, limit 1056 for payloads of "
                                      "1024");

        len = test_hex("ffffffffffffffffff01", in, sizeof in);
        cr_assert_eq(sy_packet_parse(codec, in, len, 1024, &packet, &detail),
                     SY_ERR_PACKET_TOO_LONG);
    }
}

/* SPEC-TEST MX-06 */
/* A full payload on the longest id leaves room for 20 bytes of fields of a later version. */
Test(packet_sizes, unknown_fields_fit_beside_a_full_payload) {
    static uint8_t data[1024];
    for (sy_packet_codec codec = SY_PACKET_AMINO; codec <= SY_PACKET_PROTO; codec++) {
        run packet = {0};
        run_packet(&packet, codec, 0xff, true, data, sizeof data);
        run r = {0};
        uint8_t prefix[2];
        const size_t body = packet.len - 2 + 20;
        prefix[0] = (uint8_t)(body | 0x80);
        prefix[1] = (uint8_t)(body >> 7);
        run_add(&r, prefix, 2);
        run_add(&r, packet.data + 2, packet.len - 2);
        run_hex(&r, "2212");
        run_add(&r, data, 18);

        sy_packet got;
        cr_assert_eq(sy_packet_parse(codec, r.data, r.len, 1024, &got, NULL), SY_OK);
        cr_assert_eq(got.kind, SY_PACKET_KIND_MSG);
        cr_assert_eq(got.len, r.len);
        cr_assert_eq(got.data.len, 1024);
        run_free(&packet);
        run_free(&r);
    }
}

static size_t encoded_len(sy_packet_codec codec, uint8_t id, bool eof, size_t len) {
    uint8_t out[SY_PACKET_OVERHEAD];
    return sy_packet_write_header(codec, id, eof, len, out) + len;
}

/* SPEC-TEST MX-22 */
/* Go computes its limit from a last packet on channel 1; amino adds 10. */
Test(packet_sizes, the_longest_piece_passes_a_go_receiver) {
    for (size_t max = 2; max <= 70000; max += max < 300 ? 1 : 997) {
        for (unsigned id = 0; id < 256; id += 3) {
            const size_t amino = sy_packet_piece_max(SY_PACKET_AMINO, (uint8_t)id, max);
            cr_assert_eq(amino, max);
            cr_assert_leq(encoded_len(SY_PACKET_AMINO, (uint8_t)id, true, amino),
                          encoded_len(SY_PACKET_AMINO, 1, true, max) + 10);

            const size_t proto = sy_packet_piece_max(SY_PACKET_PROTO, (uint8_t)id, max);
            const size_t limit = encoded_len(SY_PACKET_PROTO, 1, true, max);
            cr_assert(id < 0x80 ? proto == max : proto <= max - 1, "id %02x max %zu", id, max);
            cr_assert_leq(encoded_len(SY_PACKET_PROTO, (uint8_t)id, true, proto), limit,
                          "id %02x max %zu", id, max);
            cr_assert(proto == max ||
                          encoded_len(SY_PACKET_PROTO, (uint8_t)id, true, proto + 1) > limit,
                      "id %02x max %zu: %zu is less than possible", id, max, proto);
        }
    }
    cr_assert_eq(sy_packet_piece_max(SY_PACKET_PROTO, 0x7f, 1024), 1024);
    cr_assert_eq(sy_packet_piece_max(SY_PACKET_PROTO, 0x80, 1024), 1023);
    cr_assert_eq(sy_packet_piece_max(SY_PACKET_PROTO, 0xff, 1024), 1023);
}
