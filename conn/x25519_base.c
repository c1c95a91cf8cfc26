/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/x25519_base.h"

#include <sodium.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/le.h"

#ifdef __SIZEOF_INT128__

/* Numbers modulo p = 2^255 - 19 in five limbs of 51 bits.  A limb may grow to 52 bits between two
 * multiplications.  They are public: the coordinate y belongs to the key that is sent. */
__extension__ typedef unsigned __int128 wide;

#define LIMBS     5
#define LIMB_BITS 51
#define LIMB_MASK ((UINT64_C(1) << LIMB_BITS) - 1)

#define MUL(f, g) ((wide)(f) * (g))

typedef struct field {
    uint64_t limb[LIMBS];
} field;

static field field_load(const uint8_t bytes[32]) {
    const uint64_t w[4] = {sy_load_le(bytes, 8), sy_load_le(bytes + 8, 8),
                           sy_load_le(bytes + 16, 8), sy_load_le(bytes + 24, 8)};
    return (field){{w[0] & LIMB_MASK, (w[0] >> 51 | w[1] << 13) & LIMB_MASK,
                    (w[1] >> 38 | w[2] << 26) & LIMB_MASK, (w[2] >> 25 | w[3] << 39) & LIMB_MASK,
                    (w[3] >> 12) & LIMB_MASK}};
}

/* Limbs of at most 51 bits, the lowest a little more; the value may still be p or above. */
static void field_carry(field *a) {
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        a->limb[i] += carry;
        carry = a->limb[i] >> LIMB_BITS;
        a->limb[i] &= LIMB_MASK;
    }
    a->limb[0] += 19 * carry;
}

static void field_store(field a, uint8_t bytes[32]) {
    field_carry(&a);
    field_carry(&a);
    /* Now a < 2^255; a + 19 reaches 2^255 exactly when a >= p, and taking 2^255 away from it is
     * taking p away from a. */
    uint64_t above = (a.limb[0] + 19) >> LIMB_BITS;
    for (int i = 1; i < LIMBS; i++) {
        above = (a.limb[i] + above) >> LIMB_BITS;
    }
    a.limb[0] += 19 * above;
    for (int i = 0; i < LIMBS - 1; i++) {
        a.limb[i + 1] += a.limb[i] >> LIMB_BITS;
        a.limb[i] &= LIMB_MASK;
    }
    a.limb[4] &= LIMB_MASK;
    sy_store_le(bytes, a.limb[0] | a.limb[1] << 51, 8);
    sy_store_le(bytes + 8, a.limb[1] >> 13 | a.limb[2] << 38, 8);
    sy_store_le(bytes + 16, a.limb[2] >> 26 | a.limb[3] << 25, 8);
    sy_store_le(bytes + 24, a.limb[3] >> 39 | a.limb[4] << 12, 8);
}

/* Brings sums of products back to limbs, which are then below 2^51 + 2^11.  All carries move up one
 * limb at once, twice: one after the other would take longer than the products.
 * Of limbs below 2^52 the lowest sum is below 77 * 2^104 (one product and four times 19 of them),
 * the highest, the only one whose carry is taken 19 times, below 5 * 2^104: no carry reaches 2^60.
 */
static field field_reduce(const wide sum[LIMBS]) {
    field once;
    field out;
    for (int i = 0; i < LIMBS; i++) {
        const wide from = sum[i == 0 ? LIMBS - 1 : i - 1];
        const uint64_t carry = (uint64_t)(from >> LIMB_BITS);
        once.limb[i] = ((uint64_t)sum[i] & LIMB_MASK) + (i == 0 ? 19 * carry : carry);
    }
    for (int i = 0; i < LIMBS; i++) {
        const uint64_t carry = once.limb[i == 0 ? LIMBS - 1 : i - 1] >> LIMB_BITS;
        out.limb[i] = (once.limb[i] & LIMB_MASK) + (i == 0 ? 19 * carry : carry);
    }
    return out;
}

/* 2^255 = 19: what would be limb 5 and above comes back at the bottom. */
static field field_mul(field x, field y) {
    const uint64_t *a = x.limb;
    const uint64_t *b = y.limb;
    const uint64_t c[LIMBS] = {0, 19 * b[1], 19 * b[2], 19 * b[3], 19 * b[4]};
    const wide sum[LIMBS] = {
        MUL(a[0], b[0]) + MUL(a[1], c[4]) + MUL(a[2], c[3]) + MUL(a[3], c[2]) + MUL(a[4], c[1]),
        MUL(a[0], b[1]) + MUL(a[1], b[0]) + MUL(a[2], c[4]) + MUL(a[3], c[3]) + MUL(a[4], c[2]),
        MUL(a[0], b[2]) + MUL(a[1], b[1]) + MUL(a[2], b[0]) + MUL(a[3], c[4]) + MUL(a[4], c[3]),
        MUL(a[0], b[3]) + MUL(a[1], b[2]) + MUL(a[2], b[1]) + MUL(a[3], b[0]) + MUL(a[4], c[4]),
        MUL(a[0], b[4]) + MUL(a[1], b[3]) + MUL(a[2], b[2]) + MUL(a[3], b[1]) + MUL(a[4], b[0]),
    };
    return field_reduce(sum);
}

static field field_square(field x) {
    const uint64_t *a = x.limb;
    const uint64_t twice[LIMBS] = {2 * a[0], 2 * a[1], 2 * a[2], 2 * a[3], 2 * a[4]};
    const uint64_t c3 = 19 * a[3];
    const uint64_t c4 = 19 * a[4];
    const wide sum[LIMBS] = {
        MUL(a[0], a[0]) + MUL(twice[1], c4) + MUL(twice[2], c3),
        MUL(twice[0], a[1]) + MUL(twice[2], c4) + MUL(a[3], c3),
        MUL(twice[0], a[2]) + MUL(a[1], a[1]) + MUL(twice[3], c4),
        MUL(twice[0], a[3]) + MUL(twice[1], a[2]) + MUL(a[4], c4),
        MUL(twice[0], a[4]) + MUL(twice[1], a[3]) + MUL(a[2], a[2]),
    };
    return field_reduce(sum);
}

static field field_square_times(field a, unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        a = field_square(a);
    }
    return a;
}

/* a^(p - 2), by Fermat.  The names say the exponents: aN is a to the power of 2^N - 1. */
static field field_invert(field a) {
    const field a2 = field_mul(field_square_times(a, 1), a);
    const field a4 = field_mul(field_square_times(a2, 2), a2);
    const field a5 = field_mul(field_square_times(a4, 1), a);
    const field a10 = field_mul(field_square_times(a5, 5), a5);
    const field a20 = field_mul(field_square_times(a10, 10), a10);
    const field a40 = field_mul(field_square_times(a20, 20), a20);
    const field a50 = field_mul(field_square_times(a40, 10), a10);
    const field a100 = field_mul(field_square_times(a50, 50), a50);
    const field a200 = field_mul(field_square_times(a100, 100), a100);
    const field a250 = field_mul(field_square_times(a200, 50), a50);
    /* p - 2 = (2^250 - 1) * 2^5 + 11 */
    const field a3 = field_mul(field_square_times(a2, 1), a);     /* 7 */
    const field eleven = field_mul(field_square_times(a, 2), a3); /* 4 + 7 */
    return field_mul(field_square_times(a250, 5), eleven);
}

void sy_x25519_base(const uint8_t secret[32], uint8_t ret_public[32]) {
    /* Clamped here, because libsodium refuses what is all zero before it clamps.  It also refuses
     * multiples of the order L: the clamped number is a multiple of 8 from 2^254 to 2^255, L is odd
     * and above 2^252, and 8 L is too much. */
    uint8_t clamped[32];
    uint8_t edwards[32];
    memcpy(clamped, secret, sizeof clamped);
    clamped[0] &= 0xf8;
    clamped[31] = (uint8_t)((clamped[31] & 0x7f) | 0x40);
    const int failed = crypto_scalarmult_ed25519_base(edwards, clamped);
    sodium_memzero(clamped, sizeof clamped);
    SY_ASSERT(failed == 0);
    const field y = field_load(edwards); /* without the top bit, which is the sign of x */
    field above = y;
    above.limb[0] += 1;
    /* 1 + 2p - y, so that no limb is negative. */
    field below = {
        {2 * (LIMB_MASK - 18) + 1, 2 * LIMB_MASK, 2 * LIMB_MASK, 2 * LIMB_MASK, 2 * LIMB_MASK}};
    for (int i = 0; i < LIMBS; i++) {
        below.limb[i] -= y.limb[i];
    }
    field_store(field_mul(above, field_invert(below)), ret_public);
    sodium_memzero(edwards, sizeof edwards); /* the sign of x is not sent */
}

#else

void sy_x25519_base(const uint8_t secret[32], uint8_t ret_public[32]) {
    (void)crypto_scalarmult_base(ret_public, secret); /* cannot fail */
}

#endif
