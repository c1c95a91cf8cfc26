/* SPDX-License-Identifier: Apache-2.0 */
/* Hex and base64 by libsodium (constant time: node keys pass through here), and two small rules on
 * texts.  The decoders look at the whole text before they write, so that a bad one leaves `out`
 * untouched. */
#include "base/text.h"

#include <string.h>

#include <sodium.h>

#include <switchyard/assert.h>

#define PORT_DIGITS_MAX 16

void sy_hex_encode(const uint8_t *data, size_t len, char *out) {
    SY_REQUIRE(data != NULL || len == 0);
    SY_REQUIRE(len < SIZE_MAX / 2);
    (void)sodium_bin2hex(out, 2 * len + 1, data, len);
}

sy_err sy_hex_decode(const char *text, size_t text_len, uint8_t *out, size_t out_len) {
    SY_REQUIRE(text != NULL || text_len == 0);
    SY_REQUIRE(out != NULL || out_len == 0);
    if (out_len > SIZE_MAX / 2 || text_len != 2 * out_len) {
        return SY_ERR_INVALID;
    }
    uint8_t byte = 0;
    sy_err err = SY_OK;
    for (size_t i = 0; i < text_len && err == SY_OK; i += 2) {
        if (sodium_hex2bin(&byte, 1, text + i, 2, NULL, NULL, NULL) != 0) {
            err = SY_ERR_INVALID;
        }
    }
    sodium_memzero(&byte, sizeof byte);
    if (err != SY_OK || out_len == 0) {
        return err;
    }
    const int rc = sodium_hex2bin(out, out_len, text, text_len, NULL, NULL, NULL);
    SY_ASSERT(rc == 0);
    return SY_OK;
}

void sy_base64_encode(const uint8_t *data, size_t len, char *out) {
    SY_REQUIRE(data != NULL || len == 0);
    SY_REQUIRE(len < SIZE_MAX / 2);
    (void)sodium_bin2base64(out, 4 * ((len + 2) / 3) + 1, data, len,
                            sodium_base64_VARIANT_ORIGINAL);
}

/* Length of the decoded text, quad by quad: only the last one may be padded. */
static sy_err base64_check(const char *text, size_t text_len, size_t *ret_len) {
    if (text_len % 4 != 0) {
        return SY_ERR_INVALID;
    }
    /* libsodium 1.0.18 takes some bytes above 0x7f for digits where char is signed. */
    for (size_t i = 0; i < text_len; i++) {
        if ((unsigned char)text[i] > 0x7f) {
            return SY_ERR_INVALID;
        }
    }
    uint8_t quad[3];
    size_t total = 0;
    sy_err err = SY_OK;
    for (size_t i = 0; i < text_len && err == SY_OK; i += 4) {
        size_t got = 0;
        if (sodium_base642bin(quad, sizeof quad, text + i, 4, NULL, &got, NULL,
                              sodium_base64_VARIANT_ORIGINAL) != 0 ||
            (got != sizeof quad && i + 4 != text_len)) {
            err = SY_ERR_INVALID;
        }
        total += got;
    }
    sodium_memzero(quad, sizeof quad);
    if (err == SY_OK) {
        *ret_len = total;
    }
    return err;
}

sy_err sy_base64_decode(const char *text, size_t text_len, uint8_t *out, size_t cap,
                        size_t *ret_len) {
    SY_REQUIRE(text != NULL || text_len == 0);
    SY_REQUIRE(out != NULL || cap == 0);
    SY_REQUIRE(ret_len != NULL);
    size_t need = 0;
    const sy_err err = base64_check(text, text_len, &need);
    if (err != SY_OK) {
        return err;
    }
    if (need > cap) {
        return SY_ERR_NO_SPACE;
    }
    if (need > 0) {
        size_t got = 0;
        const int rc = sodium_base642bin(out, cap, text, text_len, NULL, &got, NULL,
                                         sodium_base64_VARIANT_ORIGINAL);
        SY_ASSERT(rc == 0);
        SY_ASSERT(got == need);
    }
    *ret_len = need;
    return SY_OK;
}

bool sy_text_is_printable(const char *text, size_t len) {
    SY_REQUIRE(text != NULL || len == 0);
    bool visible = false;
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c > 0x7e) {
            return false;
        }
        visible = visible || c != ' ';
    }
    return visible;
}

sy_err sy_text_port(const char *text, size_t len, uint16_t *ret_port) {
    SY_REQUIRE(text != NULL || len == 0);
    SY_REQUIRE(ret_port != NULL);
    if (len == 0 || len > PORT_DIGITS_MAX) {
        return SY_ERR_ADDR_PORT;
    }
    uint32_t port = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return SY_ERR_ADDR_PORT;
        }
        port = port * 10 + (uint32_t)(text[i] - '0');
        if (port > UINT16_MAX) {
            return SY_ERR_ADDR_PORT;
        }
    }
    *ret_port = (uint16_t)port;
    return SY_OK;
}
