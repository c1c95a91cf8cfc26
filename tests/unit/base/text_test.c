/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/prng.h"
#include "base/text.h"

Test(text, hex_encode) {
    static const struct {
        const char *data;
        size_t len;
        const char *text;
    } rows[] = {
        {"", 0, ""},
        {"\x00", 1, "00"},
        {"\xab\xcd\xef\x01", 4, "abcdef01"},
        {"\xff\x00\x7f", 3, "ff007f"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[16];
        memset(out, 'z', sizeof out);
        sy_hex_encode((const uint8_t *)rows[i].data, rows[i].len, out);
        cr_expect_str_eq(out, rows[i].text);
        cr_expect_eq(out[2 * rows[i].len + 1], 'z', "row %s: more written", rows[i].text);
    }
    char out[1] = {'z'};
    sy_hex_encode(NULL, 0, out);
    cr_expect_eq(out[0], '\0');
}

Test(text, hex_decode) {
    static const struct {
        const char *text;
        size_t text_len;
        size_t out_len;
        sy_err want;
        const char *data;
    } rows[] = {
        {"", 0, 0, SY_OK, ""},
        {"00", 2, 1, SY_OK, "\x00"},
        {"abCDef01", 8, 4, SY_OK, "\xab\xcd\xef\x01"},
        {"FF", 2, 1, SY_OK, "\xff"},
        {"0", 1, 0, SY_ERR_INVALID, ""},
        {"0", 1, 1, SY_ERR_INVALID, ""},
        {"00", 2, 0, SY_ERR_INVALID, ""},
        {"", 0, 1, SY_ERR_INVALID, ""},
        {"000", 3, 1, SY_ERR_INVALID, ""},
        {"0000", 4, 1, SY_ERR_INVALID, ""},
        {"00", 2, 2, SY_ERR_INVALID, ""},
        {"0g", 2, 1, SY_ERR_INVALID, ""},
        {"g0", 2, 1, SY_ERR_INVALID, ""},
        {"0x", 2, 1, SY_ERR_INVALID, ""},
        {" 0", 2, 1, SY_ERR_INVALID, ""},
        {"0 ", 2, 1, SY_ERR_INVALID, ""},
        {"00 1", 4, 2, SY_ERR_INVALID, ""},
        {"00:1", 4, 2, SY_ERR_INVALID, ""},
        {"0\0", 2, 1, SY_ERR_INVALID, ""},
        {"00000000000000zz", 16, 8, SY_ERR_INVALID, ""},
        {"\xff\xff", 2, 1, SY_ERR_INVALID, ""},
        {"00", 2, SIZE_MAX / 2 + 2, SY_ERR_INVALID, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[16];
        uint8_t untouched[16];
        memset(out, 0x99, sizeof out);
        memset(untouched, 0x99, sizeof untouched);

        const sy_err err = sy_hex_decode(rows[i].text, rows[i].text_len, out, rows[i].out_len);

        cr_expect_eq(err, rows[i].want, "row %zu (%s)", i, rows[i].text);
        if (err == SY_OK) {
            cr_expect_eq(memcmp(out, rows[i].data, rows[i].out_len), 0, "row %zu", i);
        } else {
            cr_expect_eq(memcmp(out, untouched, sizeof out), 0, "row %zu", i);
        }
    }
    cr_expect_eq(sy_hex_decode(NULL, 0, NULL, 0), SY_OK);
}

Test(text, base64_known_answers) {
    static const struct {
        const char *data;
        const char *text;
    } rows[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t data_len = strlen(rows[i].data);
        const size_t text_len = strlen(rows[i].text);
        char text[16];
        uint8_t data[16];
        size_t len = 99;
        memset(text, 'z', sizeof text);

        sy_base64_encode((const uint8_t *)rows[i].data, data_len, text);
        cr_expect_str_eq(text, rows[i].text);
        cr_expect_eq(text[text_len + 1], 'z', "row %s: more written", rows[i].text);

        cr_assert_eq(sy_base64_decode(rows[i].text, text_len, data, data_len, &len), SY_OK,
                     "row %s", rows[i].text);
        cr_expect_eq(len, data_len, "row %s", rows[i].text);
        cr_expect_eq(memcmp(data, rows[i].data, data_len), 0, "row %s", rows[i].text);

        if (data_len > 0) {
            len = 99;
            cr_expect_eq(sy_base64_decode(rows[i].text, text_len, data, data_len - 1, &len),
                         SY_ERR_NO_SPACE, "row %s", rows[i].text);
            cr_expect_eq(len, 99, "row %s", rows[i].text);
        }
    }
}

Test(text, base64_refuses_and_writes_nothing) {
    static const struct {
        const char *name;
        const char *text;
        size_t len;
    } rows[] = {
        {"one character", "Z", 1},
        {"two without padding", "Zg", 2},
        {"three without padding", "Zm8", 3},
        {"half padding", "Zg=", 3},
        {"too much padding", "Zm8==", 5},
        {"only padding", "====", 4},
        {"three pads", "Z===", 4},
        {"padding in front", "=Zg=", 4},
        {"padding inside", "Zg==Zg==", 8},
        {"padding inside, one", "Zm8=Zm8=", 8},
        {"stray bits, two pads", "Zh==", 4},
        {"stray bits, one pad", "Zm9=", 4},
        {"url alphabet", "-_-_", 4},
        {"white space", "Zm9v Zm9", 8},
        {"newline", "Zg==\n", 5},
        {"trailing newlines", "Zg==\n\n\n\n", 8},
        {"nul", "Zm9v\0\0\0\0", 8},
        {"high byte", "Zm9\xff", 4},
        {"good start, bad end", "Zm9vZm9vZm9!", 12},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[32];
        uint8_t untouched[32];
        size_t len = 99;
        memset(out, 0x99, sizeof out);
        memset(untouched, 0x99, sizeof untouched);

        cr_expect_eq(sy_base64_decode(rows[i].text, rows[i].len, out, sizeof out, &len),
                     SY_ERR_INVALID, "row %s", rows[i].name);
        cr_expect_eq(sy_base64_decode(rows[i].text, rows[i].len, out, 0, &len), SY_ERR_INVALID,
                     "row %s: malformed comes before too long", rows[i].name);

        cr_expect_eq(len, 99, "row %s", rows[i].name);
        cr_expect_eq(memcmp(out, untouched, sizeof out), 0, "row %s", rows[i].name);
    }
}

/* Each byte value at each place: accepted when it is of the alphabet and at no other time. */
Test(text, only_the_alphabets_are_taken) {
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char hex[] = "0123456789abcdefABCDEF";
    for (size_t place = 0; place < 8; place++) {
        for (int c = 0; c < 256; c++) {
            uint8_t out[6];
            size_t len = 0;
            char text[8] = {'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A'};
            text[place] = (char)c;
            const bool in_base64 = memchr(base64, c, sizeof base64 - 1) != NULL;
            const bool pads = c == '=' && place == 7;
            cr_expect_eq(sy_base64_decode(text, sizeof text, out, sizeof out, &len),
                         in_base64 || pads ? SY_OK : SY_ERR_INVALID, "byte %02x at %zu", c, place);
            const bool in_hex = memchr(hex, c, sizeof hex - 1) != NULL;
            cr_expect_eq(sy_hex_decode(text, sizeof text, out, 4), in_hex ? SY_OK : SY_ERR_INVALID,
                         "byte %02x at %zu", c, place);
        }
    }
}

Test(text, round_trips) {
    sy_prng prng;
    sy_prng_init(&prng, 64);
    for (size_t len = 0; len <= 200; len++) {
        uint8_t data[200];
        uint8_t back[200];
        char text[512];
        for (size_t i = 0; i < len; i++) {
            data[i] = (uint8_t)sy_prng_next(&prng);
        }

        sy_hex_encode(data, len, text);
        cr_assert_eq(strlen(text), 2 * len);
        cr_assert_eq(sy_hex_decode(text, 2 * len, back, len), SY_OK, "len %zu", len);
        cr_assert_eq(memcmp(back, data, len), 0, "len %zu", len);

        size_t got = 0;
        sy_base64_encode(data, len, text);
        cr_assert_eq(strlen(text), 4 * ((len + 2) / 3), "len %zu", len);
        cr_assert_eq(sy_base64_decode(text, strlen(text), back, len, &got), SY_OK, "len %zu", len);
        cr_assert_eq(got, len);
        cr_assert_eq(memcmp(back, data, len), 0, "len %zu", len);
    }
}

Test(text, printable) {
    for (int c = 0; c < 256; c++) {
        const char one[1] = {(char)c};
        const char among[3] = {'a', (char)c, 'b'};
        const bool in_range = c >= 0x20 && c <= 0x7e;
        cr_expect_eq(sy_text_is_printable(one, 1), in_range && c != ' ', "byte %02x", c);
        cr_expect_eq(sy_text_is_printable(among, 3), in_range, "byte %02x", c);
    }
    cr_expect_not(sy_text_is_printable("", 0));
    cr_expect_not(sy_text_is_printable(NULL, 0));
    cr_expect_not(sy_text_is_printable("    ", 4));
    cr_expect(sy_text_is_printable("  x ", 4));
    cr_expect_not(sy_text_is_printable("ab\0", 3));
}

Test(text, port) {
    static const struct {
        const char *text;
        bool ok;
        uint16_t port;
    } rows[] = {
        {"0", true, 0},
        {"1", true, 1},
        {"26656", true, 26656},
        {"65534", true, 65534},
        {"65535", true, 65535},
        {"65536", false, 0},
        {"65540", false, 0},
        {"99999", false, 0},
        {"4294967296", false, 0},
        {"4294993952", false, 0}, /* 2^32 + 26656 */
        {"9999999999999999", false, 0},
        {"0026656", true, 26656},
        {"0000000000065535", true, 65535},
        {"00000000000065535", false, 0}, /* 17 digits */
        {"0000000000000000", true, 0},
        {"00000000000000000", false, 0},
        {"", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"+1", false, 0},
        {"-1", false, 0},
        {"0x1", false, 0},
        {"1a", false, 0},
        {"a", false, 0},
        {"/", false, 0},
        {":", false, 0},
        {"http", false, 0},
        {"1.0", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint16_t port = 4711;
        cr_expect_eq(sy_text_port(rows[i].text, strlen(rows[i].text), &port),
                     rows[i].ok ? SY_OK : SY_ERR_ADDR_PORT, "row \"%s\"", rows[i].text);
        cr_expect_eq(port, rows[i].ok ? rows[i].port : 4711, "row \"%s\"", rows[i].text);
    }
    uint16_t port = 4711;
    cr_expect_eq(sy_text_port("80\0", 3, &port), SY_ERR_ADDR_PORT, "NUL");
    cr_expect_eq(sy_text_port("8080", 2, &port), SY_OK, "the length counts");
    cr_expect_eq(port, 80);
}
