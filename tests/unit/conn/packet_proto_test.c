/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf packets: the vectors of the wire in both directions, and the decoder's table. */
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
    {"ch 00, last, 0a00", "08 1a06 1001 1a02 0a00", 0x00, true, "0a00"},
    {"ch 20, more, abc", "09 1a07 0820 1a03 616263", 0x20, false, "616263"},
    {"ch 01, more, 30 bytes",
     "24 1a22 0801 1a1e 64617461207472616e736d6974746564206f766572207468652077697265", 0x01, false,
     "64617461207472616e736d6974746564206f766572207468652077697265"},
    {"ch 00, last, hello", "0b 1a09 1001 1a05 68656c6c6f", 0x00, true, "68656c6c6f"},
    {"ch 80, last, x", "0a 1a08 088001 1001 1a01 78", 0x80, true, "78"},
    {"ch 01, last, empty", "06 1a04 0801 1001", 0x01, true, ""},
    {"ch 00, more, empty", "02 1a00", 0x00, false, ""},
    {"ch ff, last, 1 byte", "0a 1a08 08ff01 1001 1a01 00", 0xff, true, "00"},
};

static sy_err parse(const uint8_t *in, size_t len, sy_packet *ret_packet) {
    sy_detail detail = {""};
    return sy_packet_parse(SY_PACKET_PROTO, in, len, 1024, ret_packet, &detail);
}

/* SPEC-TEST MX-03 */
Test(packet_proto, vectors_are_written_byte_for_byte) {
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const vector *v = &vectors[i];
        uint8_t want[64];
        uint8_t data[64];
        uint8_t got[SY_PACKET_OVERHEAD + 64];
        const size_t want_len = test_hex(v->hex, want, sizeof want);
        const size_t data_len = test_hex(v->data, data, sizeof data);

        const size_t header_len =
            sy_packet_write_header(SY_PACKET_PROTO, v->channel, v->eof, data_len, got);
        memcpy(got + header_len, data, data_len);

        cr_assert_eq(header_len + data_len, want_len, "%s: %s", v->name,
                     test_hex_of(got, header_len + data_len));
        cr_assert_arr_eq(got, want, want_len, "%s: %s", v->name, test_hex_of(got, want_len));
    }
    uint8_t out[SY_PACKET_OVERHEAD];
    uint8_t want[8];
    cr_assert_eq(sy_packet_write_ping(SY_PACKET_PROTO, out), test_hex("020a00", want, 8));
    cr_assert_arr_eq(out, want, 3);
    cr_assert_eq(sy_packet_write_pong(SY_PACKET_PROTO, out), test_hex("021200", want, 8));
    cr_assert_arr_eq(out, want, 3);
}

/* SPEC-TEST MX-03 */
Test(packet_proto, vectors_are_read) {
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

#define PING  SY_PACKET_KIND_PING
#define PONG  SY_PACKET_KIND_PONG
#define MSG   SY_PACKET_KIND_MSG
#define BAD   SY_ERR_PACKET_MALFORMED
#define TYPE  SY_ERR_PACKET_TYPE
#define RANGE SY_ERR_CHANNEL_RANGE

static const row rows[] = {
    {"ping", "02 0a00", SY_OK, PING, 0, false, 0, NULL},
    {"pong", "02 1200", SY_OK, PONG, 0, false, 0, NULL},
    {"length not minimal", "8200 0a00", SY_OK, PING, 0, false, 0, NULL},
    {"length not minimal, 10 bytes", "82808080808080808000 0a00", SY_OK, PING, 0, false, 0, NULL},
    {"inner length not minimal", "03 0a8000", SY_OK, PING, 0, false, 0, NULL},
    {"ping, unknown field inside", "04 0a02 0801", SY_OK, PING, 0, false, 0, NULL},
    {"unknown field before ping", "04 2001 0a00", SY_OK, PING, 0, false, 0, NULL},
    {"unknown field after ping", "05 0a00 a20600", SY_OK, PING, 0, false, 0, NULL},
    {"unknown fields of all types", "16 0a00 2001 29 0102030405060708 3202ffff 3d 01020304", SY_OK,
     PING, 0, false, 0, NULL},
    {"ping then pong: the last", "04 0a00 1200", SY_OK, PONG, 0, false, 0, NULL},
    {"msg then ping: the last", "06 1a02 1001 0a00", SY_OK, PING, 0, false, 0, NULL},
    {"ping then msg: the last", "08 0a00 1a04 0820 1001", SY_OK, MSG, 0x20, true, 0, NULL},
    {"msg twice: the last alone", "0a 1a04 0820 1001 1a02 0821", SY_OK, MSG, 0x21, false, 0, NULL},
    {"bad channel in a member that is replaced", "07 1a03 08a002 0a00", SY_OK, PING, 0, false, 0,
     NULL},
    {"any order", "0b 1a09 1a03 616263 1001 0820", SY_OK, MSG, 0x20, true, 3, NULL},
    {"fields twice: the last", "11 1a0f 0820 0821 1000 1001 1a00 1a03 616263", SY_OK, MSG, 0x21,
     true, 3, NULL},
    {"unknown field inside msg", "08 1a06 0820 1001 2007", SY_OK, MSG, 0x20, true, 0, NULL},
    {"zero values written out", "08 1a06 0800 1000 1a00", SY_OK, MSG, 0, false, 0, NULL},
    {"end mark 2 ends", "06 1a04 0820 1002", SY_OK, MSG, 0x20, true, 0, NULL},
    {"end mark of 64 bits ends", "0d 1a0b 10 80808080808080808001", SY_OK, MSG, 0, true, 0, NULL},
    {"channel not minimal", "05 1a03 08b000", SY_OK, MSG, 0x30, false, 0, NULL},
    {"data length not minimal", "08 1a06 1001 1a8100 78", SY_OK, MSG, 0, true, 1, NULL},
    {"channel 255", "05 1a03 08ff01", SY_OK, MSG, 0xff, false, 0, NULL},

    {"empty packet", "00", TYPE, MSG, 0, false, 0, "02 0a00"},
    {"unknown member only", "02 2200", TYPE, MSG, 0, false, 0, "02 1a00"},
    {"channel 256", "05 1a03 088002", RANGE, MSG, 0, false, 0, "05 1a03 08ff01"},
    {"channel 0x120", "05 1a03 08a002", RANGE, MSG, 0, false, 0, "04 1a02 0820"},
    {"channel 1025", "05 1a03 088108", RANGE, MSG, 0, false, 0, "04 1a02 0801"},
    {"channel -1", "0d 1a0b 08 ffffffffffffffffff01", RANGE, MSG, 0, false, 0, "05 1a03 08ff01"},
    {"channel 2^32 + 0x20", "08 1a06 08 a080808010", RANGE, MSG, 0, false, 0, "04 1a02 0820"},
    {"field 0", "02 0001", BAD, MSG, 0, false, 0, "02 0a00"},
    {"field 0 in msg", "06 1a04 0001 1001", BAD, MSG, 0, false, 0, "06 1a04 0801 1001"},
    {"field 0 in ping", "04 0a02 0001", BAD, MSG, 0, false, 0, "04 0a02 0801"},
    {"ping of type 0", "02 0801", BAD, MSG, 0, false, 0, "02 0a00"},
    {"pong of type 5", "05 15 00000000", BAD, MSG, 0, false, 0, "02 1200"},
    {"msg of type 1", "09 19 0000000000000000", BAD, MSG, 0, false, 0, "02 1a00"},
    {"type 3", "03 0a00 23", BAD, MSG, 0, false, 0, "04 0a00 2001"},
    {"type 4", "03 0a00 24", BAD, MSG, 0, false, 0, "04 0a00 2001"},
    {"type 6", "04 0a00 2600", BAD, MSG, 0, false, 0, "04 0a00 2001"},
    {"type 7 in msg", "04 1a02 2700", BAD, MSG, 0, false, 0, "04 1a02 2000"},
    {"type 3 in ping", "03 0a01 0b", BAD, MSG, 0, false, 0, "02 0a00"},
    {"channel of type 2", "05 1a03 0a0130", BAD, MSG, 0, false, 0, "04 1a02 0830"},
    {"end mark of type 5", "07 1a05 15 01000000", BAD, MSG, 0, false, 0, "04 1a02 1001"},
    {"data of type 0", "04 1a02 1801", BAD, MSG, 0, false, 0, "05 1a03 1a0101"},
    {"data short", "08 1a06 1001 1a03 6162", BAD, MSG, 0, false, 0, "08 1a06 1001 1a02 6162"},
    {"member short", "04 1a03 1001", BAD, MSG, 0, false, 0, "04 1a02 1001"},
    {"member longer than the packet, channel cut", "03 1a02 08", BAD, MSG, 0, false, 0,
     "04 1a02 0801"},
    {"malformed member that is replaced", "06 1a02 1801 0a00", BAD, MSG, 0, false, 0,
     "06 1a02 1001 0a00"},
    {"channel of more than 64 bits", "0d 1a0b 08 ffffffffffffffffff02", BAD, MSG, 0, false, 0,
     "05 1a03 08ff01"},
    {"length of 11 bytes", "8280808080808080808000 0a00", BAD, MSG, 0, false, 0, "8200 0a00"},
    {"length of more than 64 bits", "82808080808080808002 0a00", BAD, MSG, 0, false, 0,
     "82808080808080808000 0a00"},
};

/* SPEC-TEST MX-04 */ /* SPEC-TEST MX-05 */ /* SPEC-TEST MX-07 */ /* SPEC-TEST MX-15 */
/* SPEC-TEST MX-16 */ /* SPEC-TEST MX-17 */ /* SPEC-TEST MX-18 */ /* SPEC-TEST MX-19 */
/* SPEC-TEST MX-27 */
Test(packet_proto, decoder_table) {
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
Test(packet_proto, incremental) {
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

Test(packet_proto, range_is_named_with_its_value) {
    uint8_t in[16];
    const size_t len = test_hex("0d 1a0b 08 ffffffffffffffffff01", in, sizeof in);
    sy_packet packet;
    sy_detail detail = {""};
    cr_assert_eq(sy_packet_parse(SY_PACKET_PROTO, in, len, 1024, &packet, &detail), RANGE);
    cr_assert_str_eq(detail.text, "channel number -1, limit 255");
}
