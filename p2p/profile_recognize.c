/* SPDX-License-Identifier: Apache-2.0 */
/* The profile of an inbound connection by its first bytes.  Source: docs/spec/plain.md. */
#include "p2p/profile_recognize.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"

#define SIGNATURE_MAX 3

/* Fixed first bytes. */
typedef struct signature {
    const char *name;
    uint8_t bytes[SIGNATURE_MAX];
    size_t len;
} signature;

static const signature tendermint = {"tendermint", {0x21, 0x20}, 2};
static const signature cometbft = {"cometbft", {0x22, 0x0a}, 2};
static const signature libp2p = {"libp2p", {0x13, 0x2f, 0x6d}, 3};
static const signature tls = {"TLS", {0x16, 0x03}, 2};

static const signature *const signatures[] = {&tendermint, &cometbft, &libp2p, &tls};

static sy_recognition match(const signature *sig, const uint8_t *in, size_t len) {
    const size_t common = len < sig->len ? len : sig->len;
    if (common > 0 && memcmp(in, sig->bytes, common) != 0) {
        return SY_RECOGNIZED_NO;
    }
    return common == sig->len ? SY_RECOGNIZED_YES : SY_RECOGNIZED_MORE;
}

/* SPEC PR-01 */
sy_recognition sy_recognize_tendermint(const uint8_t *in, size_t len) {
    return match(&tendermint, in, len);
}

sy_recognition sy_recognize_cometbft(const uint8_t *in, size_t len) {
    return match(&cometbft, in, len);
}

typedef struct byte_range {
    uint8_t first;
    uint8_t last;
} byte_range;

static sy_recognition match_ranges(const byte_range *ranges, size_t count, const uint8_t *in,
                                   size_t len) {
    for (size_t i = 0; i < count && i < len; i++) {
        if (in[i] < ranges[i].first || in[i] > ranges[i].last) {
            return SY_RECOGNIZED_NO;
        }
    }
    return len < count ? SY_RECOGNIZED_MORE : SY_RECOGNIZED_YES;
}

/* A NodeInfo in amino: its length in one byte (at least the 42 bytes of the ID field) or in two (at
 * most 10239), then the ID field of 40 digits. */
sy_recognition sy_recognize_plain(const uint8_t *in, size_t len) {
    static const byte_range one[] = {{0x2a, 0x7f}, {0x0a, 0x0a}, {0x28, 0x28}};
    static const byte_range two[] = {{0x80, 0xff}, {0x01, 0x4f}, {0x0a, 0x0a}, {0x28, 0x28}};
    _Static_assert(sizeof two / sizeof two[0] == SY_RECOGNIZE_MAX, "the longest beginning");
    if (len > 0 && in[0] >= 0x80) {
        return match_ranges(two, sizeof two / sizeof two[0], in, len);
    }
    return match_ranges(one, sizeof one / sizeof one[0], in, len);
}

static bool is_http(const uint8_t *in, size_t len) {
    for (size_t i = 0; i < 3; i++) {
        if (i >= len || in[i] < 'A' || in[i] > 'Z') {
            return false;
        }
    }
    return true;
}

const char *sy_profile_lookalike(const uint8_t *in, size_t len, bool *ret_certain) {
    if (len == 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        const sy_recognition how = match(signatures[i], in, len);
        if (how != SY_RECOGNIZED_NO) {
            *ret_certain = how == SY_RECOGNIZED_YES;
            return signatures[i]->name;
        }
    }
    *ret_certain = true;
    if (sy_recognize_plain(in, len) == SY_RECOGNIZED_YES) {
        return sy_profile_plain.name;
    }
    return is_http(in, len) ? "HTTP" : NULL;
}

/* SPEC PR-04 */
static void describe_unknown(const uint8_t *in, size_t len, sy_detail *detail) {
    sy_detail_set(detail, "first bytes");
    for (size_t i = 0; i < len && i < SY_RECOGNIZE_MAX; i++) {
        sy_detail_add(detail, " %02x", in[i]);
    }
    bool certain = false;
    const char *name = sy_profile_lookalike(in, len, &certain);
    if (name != NULL) {
        const bool is_profile = sy_profile_by_name(name, strlen(name)) != NULL;
        sy_detail_add(detail, "%s %s%s", certain ? ": this is" : ": this may be", name,
                      is_profile ? ", which is not allowed" : "");
    }
}

/* SPEC PR-01 PR-03 PR-07: only what the caller allows is considered at all. */
sy_err sy_profile_recognize(const sy_profile *const *allowed, size_t allowed_count,
                            const uint8_t *in, size_t len, const sy_profile **ret_profile,
                            sy_detail *detail) {
    SY_REQUIRE(in != NULL || len == 0);
    bool more = false;
    for (size_t i = 0; i < allowed_count; i++) {
        switch (allowed[i]->recognize(in, len)) {
        case SY_RECOGNIZED_YES:
            *ret_profile = allowed[i];
            return SY_OK;
        case SY_RECOGNIZED_MORE:
            more = true;
            break;
        case SY_RECOGNIZED_NO:
            break;
        }
    }
    if (more || (SY_MUTANT(PROFILE_UNKNOWN) && len < 1024)) {
        *ret_profile = NULL;
        return SY_OK;
    }
    describe_unknown(in, len, detail);
    return SY_ERR_PROFILE_UNKNOWN;
}
