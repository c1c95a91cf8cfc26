/* SPDX-License-Identifier: Apache-2.0 */
/* Receiving packets that begin alike: a header that came before is believed without reading it
 * again, and nothing else is. */
#include <criterion/criterion.h>

#include <string.h>

#include "tests/unit/conn/mux_fixture.h"

static fix f; /* large: holds a channel set */

#define PACKETS_MAX 4

typedef struct alike_row {
    const char *name;
    sy_packet_codec codec;
    const char *packets[PACKETS_MAX];
    sy_err err;
    const char *messages; /* each followed by a bar */
} alike_row;

static const alike_row alikes[] = {
    {"amino, same header",
     SY_PACKET_AMINO,
     {"0db05b4f2c082010011a03616263", "0db05b4f2c082010011a03646566"},
     SY_OK,
     "abc|def|"},
    {"amino, other end mark",
     SY_PACKET_AMINO,
     {"0db05b4f2c082010001a03616263", "0db05b4f2c082010011a03646566"},
     SY_OK,
     "abcdef|"},
    {"amino, unknown field behind the data, then one that is cut off",
     SY_PACKET_AMINO,
     {"0fb05b4f2c082010011a036162632005", "0fb05b4f2c082010011a036465662105"},
     SY_ERR_PACKET_MALFORMED,
     "abc|"},
    {"amino, unknown field behind the data, then one out of order",
     SY_PACKET_AMINO,
     {"0fb05b4f2c082010011a036162632005", "0fb05b4f2c082010011a036465661000"},
     SY_ERR_PACKET_MALFORMED,
     "abc|"},
    {"amino, unknown field behind the data, then data to the end",
     SY_PACKET_AMINO,
     {"0fb05b4f2c082010011a036162632005", "0fb05b4f2c082010011a056465666768"},
     SY_OK,
     "abc|defgh|"},
    {"amino, lengths in more bytes than needed",
     SY_PACKET_AMINO,
     {"8d00b05b4f2c082010011a03616263", "0db05b4f2c082010011a03646566",
      "8d00b05b4f2c082010011a03676869"},
     SY_OK,
     "abc|def|ghi|"},
    {"amino, long form of the prefix",
     SY_PACKET_AMINO,
     {"1100f1bb97b05b4f2c082010011a03616263", "1100f1bb97b05b4f2c082010011a03646566",
      "1100f1bb98b05b4f2c082010011a03676869"},
     SY_ERR_PACKET_TYPE,
     "abc|def|"},
    {"proto, same header",
     SY_PACKET_PROTO,
     {"0b1a09082010011a03616263", "0b1a09082010011a03646566"},
     SY_OK,
     "abc|def|"},
    {"proto, end mark behind the data",
     SY_PACKET_PROTO,
     {"0b1a0908201a036162631000", "0b1a0908201a036465661001"},
     SY_OK,
     "abcdef|"},
    {"proto, end mark taken back behind the data",
     SY_PACKET_PROTO,
     {"0d1a0b082010011a036162631001", "0d1a0b082010011a036465661000", "0b1a09082010011a03676869"},
     SY_OK,
     "abc|defghi|"},
    {"proto, channel behind the data",
     SY_PACKET_PROTO,
     {"0b1a0910011a036162630820", "0b1a0910011a036465660821"},
     SY_ERR_CHANNEL_UNKNOWN,
     "abc|"},
    {"proto, unknown member behind the message, then a ping",
     SY_PACKET_PROTO,
     {"0d1a09082010011a036162632200", "0d1a09082010011a036465660a00"},
     SY_OK,
     "abc|"},
    {"proto, empty data behind the data",
     SY_PACKET_PROTO,
     {"0d1a0b082010011a036162631001", "0d1a0b082010011a036465661a00"},
     SY_OK,
     "abc||"},
    {"proto, data twice, then data and the begin of a field",
     SY_PACKET_PROTO,
     {"101a0e082010011a0378797a1a03616263", "101a0e082010011a0378797a1a03646566",
      "101a0e082010011a0361626378797a1001"},
     SY_ERR_PACKET_MALFORMED,
     "abc|def|"},
    {"proto, unknown field of 21 bytes in front of the data: a header of 31",
     SY_PACKET_PROTO,
     {"221a20082010012215303132333435363738393031323334353637383930"
      "1a03616263",
      "221a20082010012215303132333435363738393031323334353637383931"
      "1a03646566"},
     SY_OK,
     "abc|def|"},
    {"proto, and of 24: a header of 34",
     SY_PACKET_PROTO,
     {"251a23082010012218303132333435363738393031323334353637383930313233"
      "1a03616263",
      "251a23082010012218303132333435363738393031323334353637383930313233"
      "1a04646566",
      "0b1a09082010011a03676869"},
     SY_ERR_PACKET_MALFORMED,
     "abc|"},
};

/* What is waiting, each followed by a bar. */
static void take_text(char *text, size_t cap) {
    sy_mux_message m;
    while (sy_mux_next_message(f.mux, &m)) {
        const size_t have = strlen(text);
        cr_assert_lt(have + m.len + 2, cap);
        memcpy(text + have, m.data, m.len);
        memcpy(text + have + m.len, "|", 2);
    }
}

/* The same comes out of one piece and of two, cut anywhere. */
Test(mux_alike, one_piece_or_two) {
    for (size_t i = 0; i < sizeof alikes / sizeof alikes[0]; i++) {
        const alike_row *t = &alikes[i];
        run r = {0};
        for (size_t k = 0; k < PACKETS_MAX && t->packets[k] != NULL; k++) {
            run_hex(&r, t->packets[k]);
        }
        for (size_t cut = 0; cut < r.len; cut++) {
            char text[64] = "";
            fix_init(&f, t->codec, 1024);
            (void)fix_add_id(&f, 0x20);
            fix_open(&f, FIX_BATCH_SHARED);
            sy_err err = fix_recv(&f, r.data, cut);
            take_text(text, sizeof text);
            if (err == SY_OK) {
                err = fix_recv(&f, r.data + cut, r.len - cut);
                take_text(text, sizeof text);
            }
            cr_expect_eq(err, t->err, "%s, cut at %zu: %s", t->name, cut, sy_err_name(err));
            cr_expect_str_eq(text, t->messages, "%s, cut at %zu: %s", t->name, cut, text);
            fix_close(&f);
        }
        run_free(&r);
    }
}

/* A length within the limit does not make one beyond it good. */
Test(mux_alike, the_limit_of_payloads_holds_for_every_packet) {
    static const sy_packet_codec codecs[] = {SY_PACKET_AMINO, SY_PACKET_PROTO};
    static const uint8_t payload[1025];
    for (size_t c = 0; c < 2; c++) {
        fix_init(&f, codecs[c], 1024);
        (void)fix_add_id(&f, 0x20);
        fix_open(&f, FIX_BATCH_SHARED);
        run r = {0};
        run_packet(&r, codecs[c], 0x20, true, payload, 1024);
        run_packet(&r, codecs[c], 0x20, true, payload, 1024);
        run_packet(&r, codecs[c], 0x20, true, payload, 1025);
        cr_expect_eq(fix_recv(&f, r.data, r.len), SY_ERR_PACKET_TOO_LONG, "%s",
                     codec_name(codecs[c]));
        sy_mux_stats stats;
        sy_mux_get_stats(f.mux, &stats);
        cr_expect_eq(stats.packets_received, 2, "%s", codec_name(codecs[c]));
        run_free(&r);
        fix_close(&f);
    }
}
