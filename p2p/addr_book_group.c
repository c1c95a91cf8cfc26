/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses can be reached from elsewhere, and which are likely under one control.
 *
 * SPEC BOOK-01 BOOK-02 BOOK-03 BOOK-04 */
#include "p2p/addr_book_internal.h"

#include <string.h>

/* A prefix of whole or partial bytes. */
typedef struct prefix {
    uint8_t bytes[16];
    unsigned bits;
} prefix;

static bool has_prefix(const uint8_t *ip, const prefix *p) {
    const unsigned whole = p->bits / 8;
    const unsigned rest = p->bits % 8;
    if (memcmp(ip, p->bytes, whole) != 0) {
        return false;
    }
    if (rest == 0) {
        return true;
    }
    const uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return ((ip[whole] ^ p->bytes[whole]) & mask) == 0;
}

static bool has_any(const uint8_t *ip, const prefix *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (has_prefix(ip, &list[i])) {
            return true;
        }
    }
    return false;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The list is that of both upstream projects: an address that they let in is not ours to drop. */
static const prefix v4_closed[] = {
    {{0}, 8},                   /* this network */
    {{10}, 8},                  /* private */
    {{127}, 8},                 /* loopback */
    {{169, 254}, 16},           /* link-local */
    {{172, 16}, 12},            /* private */
    {{192, 168}, 16},           /* private */
    {{255, 255, 255, 255}, 32}, /* broadcast */
};

static const prefix v6_closed[] = {
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x01, 0x00, 0x10}, 28}, /* ORCHID */
    {{0xfe, 0x80}, 64},             /* link-local */
    {{0xfc}, 7},                    /* unique local */
};

static const prefix nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};
static const prefix translated = {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, 96};
static const prefix sixtofour = {{0x20, 0x02}, 16};
static const prefix teredo = {{0x20, 0x01, 0, 0}, 32};
static const prefix he_net = {{0x20, 0x01, 0x04, 0x70}, 32};
static const prefix onioncat = {{0xfd, 0x87, 0xd8, 0x7e, 0xeb, 0x43}, 48};
static const prefix mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};

/* The IPv4 address that an IPv6 transition prefix carries. */
static bool embedded_v4(const uint8_t ip[16], uint8_t v4[4]) {
    if (has_prefix(ip, &mapped) || has_prefix(ip, &nat64) || has_prefix(ip, &translated)) {
        memcpy(v4, ip + 12, 4);
        return true;
    }
    if (has_prefix(ip, &sixtofour)) {
        memcpy(v4, ip + 2, 4);
        return true;
    }
    if (has_prefix(ip, &teredo)) {
        for (size_t i = 0; i < 4; i++) {
            v4[i] = ip[12 + i] ^ 0xff;
        }
        return true;
    }
    return false;
}

bool sy_endpoint_is_routable(const sy_endpoint *endpoint) {
    if (has_prefix(endpoint->ip, &mapped)) {
        return !has_any(endpoint->ip + 12, v4_closed, COUNT(v4_closed));
    }
    if (sy_endpoint_is_any(endpoint) || sy_endpoint_is_loopback(endpoint)) {
        return false;
    }
    return !has_any(endpoint->ip, v6_closed, COUNT(v6_closed));
}

/* The first bits of ip as a number, left-aligned in 48 bits. */
static uint64_t head_bits(const uint8_t *ip, unsigned bits) {
    uint64_t value = 0;
    for (unsigned i = 0; i < 6; i++) {
        value = value << 8 | (i * 8 < bits ? ip[i] : 0);
    }
    return value & ~(((uint64_t)1 << (48 - bits)) - 1);
}

enum {
    GROUP_UNROUTABLE = 1,
    GROUP_LOCAL = 2,
    GROUP_V4 = 4,
    GROUP_V6 = 6,
    GROUP_TOR = 8,
};

static uint64_t group_of(uint64_t kind, uint64_t value) {
    return kind << 56 | value;
}

uint64_t sy_book_group(const sy_endpoint *endpoint, bool strict) {
    const uint8_t *ip = endpoint->ip;
    uint8_t v4[4];
    const bool is_tor = has_prefix(ip, &onioncat);
    if (strict && !is_tor && !sy_endpoint_is_routable(endpoint)) {
        return group_of(sy_endpoint_is_loopback(endpoint) ? GROUP_LOCAL : GROUP_UNROUTABLE, 0);
    }
    if (embedded_v4(ip, v4)) {
        return group_of(GROUP_V4, (uint64_t)v4[0] << 8 | v4[1]);
    }
    if (is_tor) {
        return group_of(GROUP_TOR, ip[6] & 15);
    }
    return group_of(GROUP_V6, head_bits(ip, has_prefix(ip, &he_net) ? 36 : 32));
}
