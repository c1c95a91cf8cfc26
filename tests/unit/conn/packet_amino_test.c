/* SPDX-License-Identifier: Apache-2.0 */
/* Amino packets: the vectors of the wire in both directions, and the decoder's table. */
#include <criterion/criterion.h>

#include <string.h>

#include "conn/packet.h"
#include "tests/support/test_hex.h"

typedef struct vector {
    const char *name;
    const char *hex;
    uint8_t channel;
    bool eof;
    const char *data;
} vector;

static const vector vectors[] = {
    {"ch 00, last, hello", "0d b05b4f2c 1001 1a05 68656c6c6f", 0x00, true, "68656c6c6f"},
    {"ch 30, last, 3 bytes", "0d b05b4f2c 0830 1001 1a03 010203", 0x30, true, "010203"},
    {"ch 20, more, abc", "0b b05b4f2c 0820 1a03 616263", 0x20, false, "616263"},
    {"ch 80, last, x", "0c b05b4f2c 088001 1001 1a01 78", 0x80, true, "78"},
    {"ch 01, last, empty", "08 b05b4f2c 0801 1001", 0x01, true, ""},
    {"ch 00, more, empty", "04 b05b4f2c", 0x00, false, ""},
    {"ch 00, last, empty", "06 b05b4f2c 1001", 0x00, true, ""},
    {"ch ff, last, 1 byte", "0c b05b4f2c 08ff01 1001 1a01 00", 0xff, true, "00"},
};

static sy_err parse(const uint8_t *in, size_t len, sy_packet *ret_packet) {
    sy_detail detail = {""};
    return sy_packet_parse(SY_PACKET_AMINO, in, len, 1024, ret_packet, &detail);
}

/* SPEC-TEST MX-01 */ /* SPEC-TEST MX-02 */
Test(packet_amino, vectors_are_written_byte_for_byte) {
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const vector *v = &vectors[i];
        uint8_t want[64];
        uint8_t data[64];
        uint8_t got[SY_PACKET_OVERHEAD + 64];
        const size_t want_len = test_hex(v->hex, want, sizeof want);
        const size_t data_len = test_hex(v->data, data, sizeof data);

        const size_t header_len =
            sy_packet_write_header(SY_PACKET_AMINO, v->channel, v->eof, data_len, got);
        memcpy(got + header_len, data, data_len);

        cr_assert_eq(header_len + data_len, want_len, "%s: %s", v->name,
                     test_hex_of(got, header_len + data_len));
        cr_assert_arr_eq(got, want, want_len, "%s: %s", v->name, test_hex_of(got, want_len));
    }
    uint8_t out[SY_PACKET_OVERHEAD];
    uint8_t want[8];
    cr_assert_eq(sy_packet_write_ping(SY_PACKET_AMINO, out), test_hex("0415c3d289", want, 8));
    cr_assert_arr_eq(out, want, 5);
    cr_assert_eq(sy_packet_write_pong(SY_PACKET_AMINO, out), test_hex("048a797fe2", want, 8));
    cr_assert_arr_eq(out, want, 5);
}

/* SPEC-TEST MX-02 */
Test(packet_amino, vectors_are_read) {
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const vector *v = &vectors[i];
        uint8_t in[64];
        uint8_t data[64];
        const size_t len = test_hex(v->hex, in, sizeof in);
        const size_t data_len = test_hex(v->data, data, sizeof data);

        sy_packet packet;
        cr_assert_eq(parse(in, len, &packet), SY_OK, "%s", v->name);

        cr_assert_eq(packet.kind, SY_PACKET_KIND_MSG, "%s", v->name);
        cr_assert_eq(packet.len, len, "%s", v->name);
        cr_assert_eq(packet.channel, v->channel, "%s", v->name);
        cr_assert_eq(packet.eof, v->eof, "%s", v->name);
        cr_assert_eq(packet.data.len, data_len, "%s", v->name);
        cr_assert(data_len == 0 || memcmp(packet.data.data, data, data_len) == 0, "%s", v->name);
    }
}

typedef struct row {
    const char *name;
    const char *hex;
    sy_err err;
    sy_packet_kind kind;
    uint8_t channel;
    bool eof;
    size_t data_len;
    const char *twin; /* rejected rows: the same, repaired */
} row;

#define PING SY_PACKET_KIND_PING
#define PONG SY_PACKET_KIND_PONG
#define MSG  SY_PACKET_KIND_MSG
#define BAD  SY_ERR_PACKET_MALFORMED
#define TYPE SY_ERR_PACKET_TYPE

static const row rows[] = {
    {"ping", "04 15c3d289", SY_OK, PING, 0, false, 0, NULL},
    {"pong", "04 8a797fe2", SY_OK, PONG, 0, false, 0, NULL},
    {"ping, long prefix", "08 00e37e84 15c3d289", SY_OK, PING, 0, false, 0, NULL},
    {"pong, long prefix", "08 00887a12 8a797fe2", SY_OK, PONG, 0, false, 0, NULL},
    {"msg, long prefix", "0a 00f1bb97 b05b4f2c 1001", SY_OK, MSG, 0, true, 0, NULL},
    {"ping, unknown field", "06 15c3d289 0801", SY_OK, PING, 0, false, 0, NULL},
    {"pong, unknown fields of all types", "17 8a797fe2 0801 11 0102030405060708 1a01ff 25 01020304",
     SY_OK, PONG, 0, false, 0, NULL},
    {"length not minimal", "8400 15c3d289", SY_OK, PING, 0, false, 0, NULL},
    {"length not minimal, 10 bytes", "84808080808080808000 15c3d289", SY_OK, PING, 0, false, 0,
     NULL},
    {"zero channel written out", "0f b05b4f2c 0800 1001 1a05 68656c6c6f", SY_OK, MSG, 0, true, 5,
     NULL},
    {"end mark 0 written out", "06 b05b4f2c 1000", SY_OK, MSG, 0, false, 0, NULL},
    {"data written out empty", "08 b05b4f2c 1001 1a00", SY_OK, MSG, 0, true, 0, NULL},
    {"end mark 2", "0d b05b4f2c 1002 1a05 68656c6c6f", SY_OK, MSG, 0, false, 5, NULL},
    {"end mark 255", "07 b05b4f2c 10ff01", SY_OK, MSG, 0, false, 0, NULL},
    {"channel not minimal", "07 b05b4f2c 08b000", SY_OK, MSG, 0x30, false, 0, NULL},
    {"data length not minimal", "0a b05b4f2c 1001 1a8100 78", SY_OK, MSG, 0, true, 1, NULL},
    {"unknown field 4", "11 b05b4f2c 1001 1a05 68656c6c6f 2202abcd", SY_OK, MSG, 0, true, 5, NULL},
    {"unknown fields 4 and 9", "0a b05b4f2c 1001 2000 4801", SY_OK, MSG, 0, true, 0, NULL},

    {"empty packet", "00", TYPE, MSG, 0, false, 0, "04 b05b4f2c"},
    {"prefix cut off", "03 15c3d2", TYPE, MSG, 0, false, 0, "04 15c3d289"},
    {"prefix of a key", "04 1624de64", TYPE, MSG, 0, false, 0, "04 15c3d289"},
    {"long prefix, wrong disambiguation", "08 00e37e85 15c3d289", TYPE, MSG, 0, false, 0,
     "08 00e37e84 15c3d289"},
    {"long prefix of another type", "08 00e37e84 8a797fe2", TYPE, MSG, 0, false, 0,
     "08 00887a12 8a797fe2"},
    {"long prefix cut off", "07 00e37e84 15c3d2", TYPE, MSG, 0, false, 0, "08 00e37e84 15c3d289"},
    {"ping, field 0", "06 15c3d289 0001", BAD, MSG, 0, false, 0, "06 15c3d289 0801"},
    {"ping, type 3", "06 15c3d289 0b01", BAD, MSG, 0, false, 0, "06 15c3d289 0801"},
    {"ping, type 4", "06 15c3d289 0c01", BAD, MSG, 0, false, 0, "06 15c3d289 0801"},
    {"ping, type 6", "06 15c3d289 0e01", BAD, MSG, 0, false, 0, "06 15c3d289 0801"},
    {"ping, type 7", "06 15c3d289 0f01", BAD, MSG, 0, false, 0, "06 15c3d289 0801"},
    {"ping, unknown field repeated", "08 15c3d289 0801 0801", BAD, MSG, 0, false, 0,
     "08 15c3d289 0801 1001"},
    {"msg, unknown field cut off", "06 b05b4f2c 2202", BAD, MSG, 0, false, 0,
     "08 b05b4f2c 2202abcd"},
    {"order 2, 1", "08 b05b4f2c 1001 0830", BAD, MSG, 0, false, 0, "08 b05b4f2c 0830 1001"},
    {"order 3, 2", "09 b05b4f2c 1a0178 1001", BAD, MSG, 0, false, 0, "09 b05b4f2c 1001 1a0178"},
    {"order 4, 3", "09 b05b4f2c 2001 1a0178", BAD, MSG, 0, false, 0, "09 b05b4f2c 1a0178 2001"},
    {"channel twice", "08 b05b4f2c 0830 0831", BAD, MSG, 0, false, 0, "06 b05b4f2c 0831"},
    {"data twice", "0a b05b4f2c 1a0178 1a0178", BAD, MSG, 0, false, 0, "07 b05b4f2c 1a0178"},
    {"msg, field 0", "06 b05b4f2c 0001", BAD, MSG, 0, false, 0, "06 b05b4f2c 0801"},
    {"channel 256", "07 b05b4f2c 088002", BAD, MSG, 0, false, 0, "07 b05b4f2c 08ff01"},
    {"end mark 256", "07 b05b4f2c 108002", BAD, MSG, 0, false, 0, "07 b05b4f2c 10ff01"},
    {"channel of more than 64 bits", "0f b05b4f2c 08 ffffffffffffffffff02", BAD, MSG, 0, false, 0,
     "0f b05b4f2c 08 b0808080808080808000"},
    {"channel varint of 11 bytes", "10 b05b4f2c 08 b080808080808080808000", BAD, MSG, 0, false, 0,
     "0f b05b4f2c 08 b0808080808080808000"},
    {"channel of type 2", "07 b05b4f2c 0a0130", BAD, MSG, 0, false, 0, "06 b05b4f2c 0830"},
    {"channel of type 5", "09 b05b4f2c 0d30000000", BAD, MSG, 0, false, 0, "06 b05b4f2c 0830"},
    {"end mark of type 2", "07 b05b4f2c 120101", BAD, MSG, 0, false, 0, "06 b05b4f2c 1001"},
    {"data of type 0", "06 b05b4f2c 1801", BAD, MSG, 0, false, 0, "07 b05b4f2c 1a0101"},
    {"data of type 1", "0d b05b4f2c 19 0102030405060708", BAD, MSG, 0, false, 0,
     "0e b05b4f2c 1a08 0102030405060708"},
    {"data short", "0d b05b4f2c 1001 1a06 68656c6c6f", BAD, MSG, 0, false, 0,
     "0d b05b4f2c 1001 1a05 68656c6c6f"},
    {"channel value missing", "05 b05b4f2c 08", BAD, MSG, 0, false, 0, "06 b05b4f2c 0830"},
    {"bytes left over", "0e b05b4f2c 1001 1a05 68656c6c6f 00", BAD, MSG, 0, false, 0,
     "0d b05b4f2c 1001 1a05 68656c6c6f"},
    {"length of 11 bytes", "8480808080808080808000 15c3d289", BAD, MSG, 0, false, 0,
     "84808080808080808000 15c3d289"},
    {"length of more than 64 bits", "84808080808080808002 15c3d289", BAD, MSG, 0, false, 0,
     "84808080808080808000 15c3d289"},
};

/* SPEC-TEST MX-04 */ /* SPEC-TEST MX-05 */ /* SPEC-TEST MX-07 */ /* SPEC-TEST MX-08 */
/* SPEC-TEST MX-09 */ /* SPEC-TEST MX-10 */ /* SPEC-TEST MX-11 */ /* SPEC-TEST MX-12 */
/* SPEC-TEST MX-13 */                                             /* SPEC-TEST MX-14 */
Test(packet_amino, decoder_table) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *t = &rows[i];
        uint8_t in[64];
        const size_t len = test_hex(t->hex, in, sizeof in);

        sy_packet packet = {.len = 4711};
        cr_assert_eq(parse(in, len, &packet), t->err, "%s", t->name);

        if (t->err != SY_OK) {
            cr_assert_eq(packet.len, 4711, "%s: output written on failure", t->name);
            const size_t twin_len = test_hex(t->twin, in, sizeof in);
            cr_assert_eq(parse(in, twin_len, &packet), SY_OK, "twin of %s", t->name);
            cr_assert_eq(packet.len, twin_len, "twin of %s", t->name);
            continue;
        }
        cr_assert_eq(packet.kind, t->kind, "%s", t->name);
        cr_assert_eq(packet.len, len, "%s", t->name);
        cr_assert_eq(packet.channel, t->channel, "%s", t->name);
        cr_assert_eq(packet.eof, t->eof, "%s", t->name);
        cr_assert_eq(packet.data.len, t->data_len, "%s", t->name);
    }
}

/* Every beginning of a good packet asks for more, and what follows it does not matter. */
Test(packet_amino, incremental) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *t = &rows[i];
        uint8_t in[80];
        const size_t len = test_hex(t->hex, in, 64);
        if (t->err != SY_OK) {
            continue;
        }
        sy_packet packet;
        for (size_t cut = 0; cut < len; cut++) {
            cr_assert_eq(parse(in, cut, &packet), SY_OK, "%s cut at %zu", t->name, cut);
            cr_assert_eq(packet.kind, SY_PACKET_KIND_MORE, "%s cut at %zu", t->name, cut);
            cr_assert(packet.len > cut && packet.len <= len, "%s cut at %zu: %zu", t->name, cut,
                      packet.len);
        }
        memset(in + len, 0xff, 16);
        cr_assert_eq(parse(in, len + 16, &packet), SY_OK, "%s", t->name);
        cr_assert_eq(packet.kind, t->kind, "%s", t->name);
        cr_assert_eq(packet.len, len, "%s", t->name);
    }
}
