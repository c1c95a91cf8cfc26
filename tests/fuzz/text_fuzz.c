/* SPDX-License-Identifier: Apache-2.0 */
/* Hex, base64, port numbers, printable text.  The first byte says which. */
#include "base/text.h"

#include <string.h>

#include "tests/fuzz/support/fuzz.h"

#define TEXT_MAX 4096

static bool hex(const char *text, size_t len) {
    uint8_t bytes[TEXT_MAX];
    char again[2 * TEXT_MAX + 1];
    sy_hex_encode((const uint8_t *)text, len, again);
    FUZZ_CHECK(strlen(again) == 2 * len);
    FUZZ_CHECK(sy_hex_decode(again, 2 * len, bytes, len) == SY_OK);
    FUZZ_CHECK(len == 0 || memcmp(bytes, text, len) == 0);

    if (sy_hex_decode(text, len, bytes, len / 2) != SY_OK) {
        return false;
    }
    FUZZ_CHECK(len % 2 == 0);
    sy_hex_encode(bytes, len / 2, again);
    for (size_t i = 0; i < len; i++) {
        FUZZ_CHECK(again[i] == text[i] || again[i] == (text[i] | 0x20));
    }
    return true;
}

static bool base64(const char *text, size_t len) {
    uint8_t bytes[TEXT_MAX];
    char again[2 * TEXT_MAX];
    size_t out = SIZE_MAX;
    sy_base64_encode((const uint8_t *)text, len, again);
    FUZZ_CHECK(sy_base64_decode(again, strlen(again), bytes, sizeof bytes, &out) == SY_OK);
    FUZZ_CHECK(out == len && (len == 0 || memcmp(bytes, text, len) == 0));

    out = SIZE_MAX;
    const sy_err err = sy_base64_decode(text, len, bytes, sizeof bytes, &out);
    if (err != SY_OK) {
        FUZZ_CHECK(err == SY_ERR_INVALID && out == SIZE_MAX);
        return false;
    }
    sy_base64_encode(bytes, out, again);
    FUZZ_CHECK(strlen(again) == len && memcmp(again, text, len) == 0);
    FUZZ_CHECK(out == 0 || sy_base64_decode(text, len, bytes, out - 1, &out) != SY_OK);
    return true;
}

static bool port(const char *text, size_t len) {
    uint16_t value = 0;
    if (sy_text_port(text, len, &value) != SY_OK) {
        return false;
    }
    unsigned long slow = 0;
    for (size_t i = 0; i < len; i++) {
        FUZZ_CHECK(text[i] >= '0' && text[i] <= '9');
        slow = slow * 10 + (unsigned long)(text[i] - '0');
    }
    FUZZ_CHECK(len >= 1 && len <= 16 && slow == value);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    const uint8_t kind = fuzz_u8(&in) % 4;
    const sy_bytes rest = fuzz_take(&in, TEXT_MAX);
    const char *text = (const char *)rest.data;
    if (kind == 3) {
        fuzz_count(sy_text_is_printable(text, rest.len));
    } else {
        static bool (*const kinds[])(const char *, size_t) = {hex, base64, port};
        fuzz_count(kinds[kind](text, rest.len));
    }
    return 0;
}
