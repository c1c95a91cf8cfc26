/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/suite.h"

#include <sodium.h>
#include <string.h>

#include "base/mutant.h"

/* Every encoding of a point of order 1, 2, 4 or 8 on Curve25519 and its twist, without the top bit,
 * which X25519 ignores: 0, 1, two points of order 8, p - 1, and the non-canonical p and p + 1.
 * X25519 maps all of them to zero. */
static const uint8_t low_order[][32] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
     0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
     0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
     0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
     0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

/* Equal u-coordinates: the top bit does not count.  Public values, so no constant time. */
static bool same_point(const uint8_t a[32], const uint8_t b[32]) {
    return memcmp(a, b, 31) == 0 && ((a[31] ^ b[31]) & 0x7f) == 0;
}

static bool is_low_order(const uint8_t pub[32]) {
    for (size_t i = 0; i < sizeof low_order / sizeof low_order[0]; i++) {
        if (same_point(pub, low_order[i])) {
            return true;
        }
    }
    return false;
}

sy_err sy_x25519(const uint8_t eph_secret[32], const uint8_t eph_pub[32],
                 const uint8_t remote_pub[32], uint8_t ret_shared[32]) {
    /* SPEC STS-05 CC-06 */
    if (same_point(eph_pub, remote_pub) && !SY_MUTANT(EPH_REFLECTED)) {
        return SY_ERR_EPH_REFLECTED;
    }
    /* SPEC STS-06 CC-07: by the table, and by the result in case the table misses one. */
    if (is_low_order(remote_pub) && !SY_MUTANT(EPH_LOW_ORDER)) {
        return SY_ERR_EPH_LOW_ORDER;
    }
    uint8_t shared[32];
    const bool usable = (crypto_scalarmult(shared, eph_secret, remote_pub) == 0 &&
                         !sodium_is_zero(shared, sizeof shared)) ||
                        SY_MUTANT(EPH_LOW_ORDER);
    if (usable) {
        memcpy(ret_shared, shared, sizeof shared);
    }
    sodium_memzero(shared, sizeof shared);
    return usable ? SY_OK : SY_ERR_EPH_LOW_ORDER;
}

sy_err sy_frame_run_accept(sy_frame_run *run, uint32_t data_len) {
    run->declared = data_len;
    if (SY_MUTANT(FRAME_LENGTH) && data_len > SY_FRAME_DATA_MAX) {
        data_len = SY_FRAME_DATA_MAX;
    }
    /* SPEC STS-13 STS-18 CC-15 CC-22 */
    if (data_len > SY_FRAME_DATA_MAX) {
        return SY_ERR_FRAME_LENGTH;
    }
    /* SPEC STS-19 CC-23 */
    if (data_len == 0) {
        if (SY_MUTANT(FRAME_EMPTY_FEW) && run->empty + 1 >= run->empty_max) {
            return SY_ERR_FRAME_EMPTY;
        }
        if (run->empty >= run->empty_max && !(SY_MUTANT(FRAME_EMPTY_MANY) && run->empty_max > 0)) {
            return SY_ERR_FRAME_EMPTY;
        }
        run->empty++;
    } else if (!SY_MUTANT(FRAME_EMPTY_COUNT)) {
        run->empty = 0;
    }
    run->frames++;
    run->len += data_len;
    return SY_OK;
}

sy_err sy_frame_run_take(sy_frame_run *run, uint8_t *out, const uint32_t *data_len, size_t frames,
                         size_t *ret_taken) {
    uint8_t *area = out + run->len;
    for (size_t i = 0; i < frames; i++, area += SY_FRAME_DATA_MAX) {
        uint8_t *to = out + run->len;
        const sy_err err = sy_frame_run_accept(run, data_len[i]);
        if (err != SY_OK) {
            sodium_memzero(area, (frames - i) * SY_FRAME_DATA_MAX);
            *ret_taken = i;
            return err;
        }
        if (to != area) {
            memmove(to, area, (size_t)(out + run->len - to));
        }
    }
    *ret_taken = frames;
    return SY_OK;
}

bool sy_suite_forgives(sy_err err) {
    return (SY_MUTANT(AUTH_NO_KEY) && err == SY_ERR_AUTH_NO_KEY) ||
           (SY_MUTANT(AUTH_NO_SIG) && err == SY_ERR_AUTH_NO_SIG) ||
           (SY_MUTANT(AUTH_BAD) && err == SY_ERR_AUTH_MALFORMED);
}
