/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_COUNT 8
#define RING_TEXT  8192

static int digit(char c) {
    static const char digits[] = "0123456789abcdef";
    if (c >= 'A' && c <= 'F') {
        c = (char)(c - 'A' + 'a');
    }
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

static void die(const char *what, const char *hex) {
    (void)fprintf(stderr, "test_hex: %s in \"%.200s\"\n", what, hex);
    abort();
}

size_t test_hex(const char *hex, uint8_t *out, size_t cap) {
    size_t len = 0;
    int high = -1;
    for (const char *c = hex; *c != '\0'; c++) {
        if (strchr(" \t\r\n", *c) != NULL) {
            continue;
        }
        const int d = digit(*c);
        if (d < 0) {
            die("no hex digit", hex);
        }
        if (high < 0) {
            high = d;
            continue;
        }
        if (len >= cap) {
            die("more bytes than room", hex);
        }
        out[len++] = (uint8_t)(high << 4 | d);
        high = -1;
    }
    if (high >= 0) {
        die("half a byte", hex);
    }
    return len;
}

const char *test_hex_of(const void *data, size_t len) {
    static char ring[RING_COUNT][RING_TEXT];
    static unsigned turn;

    char *text = ring[turn++ % RING_COUNT];
    const uint8_t *bytes = data;
    /* Room for "..." and the NUL behind the last digit. */
    const size_t shown = len < (RING_TEXT - 4) / 2 ? len : (RING_TEXT - 4) / 2;
    for (size_t i = 0; i < shown; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    (void)snprintf(text + 2 * shown, 4, "%s", shown < len ? "..." : "");
    return text;
}
