/* SPDX-License-Identifier: Apache-2.0 */
/* One step of Poly1305, and its end, against the arithmetic of the school: numbers at the edges of
 * their words, which no key stream would meet by chance.  SPEC-TEST CC-14 STS-12 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/prng.h"
#include "conn/lanes_poly.h"

#if SY_LANES_X86
#define WORDS 10 /* of 32 bits */

typedef struct number {
    uint32_t word[WORDS];
} number;

static number number_of(uint64_t lo, uint64_t hi, uint64_t top) {
    return (number){{(uint32_t)lo, (uint32_t)(lo >> 32), (uint32_t)hi, (uint32_t)(hi >> 32),
                     (uint32_t)top, (uint32_t)(top >> 32)}};
}

static number sum_of(const number *x, const number *y) {
    number ret;
    uint64_t carry = 0;
    for (size_t i = 0; i < WORDS; i++) {
        carry += (uint64_t)x->word[i] + y->word[i];
        ret.word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return ret;
}

static number product_of(const number *x, const number *y) {
    number ret = {{0}};
    for (size_t i = 0; i < WORDS; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; i + j < WORDS; j++) {
            carry += (uint64_t)x->word[i] * y->word[j] + ret.word[i + j];
            ret.word[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    return ret;
}

/* The low 128 bits of x mod 2^130 - 5. */
static void reduce(number x, uint64_t ret_words[2]) {
    for (int n = 0; n < 4; n++) {
        const number five = {{5}};
        number low = x;
        number high = {{0}};
        low.word[4] &= 3;
        memset(low.word + 5, 0, 5 * sizeof low.word[0]);
        for (size_t i = 4; i < WORDS; i++) {
            const uint64_t above = i + 1 < WORDS ? x.word[i + 1] : 0;
            high.word[i - 4] = (uint32_t)((above << 32 | x.word[i]) >> 2);
        }
        high = product_of(&high, &five);
        x = sum_of(&low, &high);
    }
    const number five = {{5}};
    const number more = sum_of(&x, &five);
    if (more.word[4] >= 4) {
        x = more;
    }
    ret_words[0] = (uint64_t)x.word[1] << 32 | x.word[0];
    ret_words[1] = (uint64_t)x.word[3] << 32 | x.word[2];
}

static const uint64_t edges[] = {0,
                                 1,
                                 4,
                                 5,
                                 UINT64_C(0x7fffffffffffffff),
                                 UINT64_MAX - 5,
                                 UINT64_MAX - 4,
                                 UINT64_MAX - 1,
                                 UINT64_MAX};
static const uint64_t edges_of_r[] = {0, 1, 2, 4, UINT64_C(0x0ffffffc0ffffffc), UINT64_MAX};
#define EDGES   (sizeof edges / sizeof edges[0])
#define EDGES_R (sizeof edges_of_r / sizeof edges_of_r[0])

static uint64_t draw(sy_prng *prng, const uint64_t *from, size_t count) {
    const uint64_t i = sy_prng_below(prng, (uint32_t)count + 1);
    return i < count ? from[i] : sy_prng_next(prng);
}

static sy_u128 wide(uint64_t lo, uint64_t hi) {
    return (sy_u128)hi << 64 | lo;
}

static void check_tag(const sy_poly_sum *h, number want, const char *what, int n) {
    static const uint8_t no_key[32] = {0};
    const sy_poly_frame at_end = {.h = *h};
    uint64_t tag[2];
    uint64_t words[2];
    reduce(want, words);
    sy_poly_finish(&at_end, no_key, (uint8_t *)tag);
    cr_assert_eq(memcmp(tag, words, sizeof tag), 0, "%s, number %d", what, n);
}

Test(lanes_poly, is_the_arithmetic_of_the_school) {
    sy_prng prng;
    sy_prng_init(&prng, 21);
    for (int n = 0; n < 200000; n++) {
        uint64_t key[4] = {draw(&prng, edges_of_r, EDGES_R), draw(&prng, edges_of_r, EDGES_R)};
        uint64_t x[4];
        for (size_t i = 0; i < 4; i++) {
            x[i] = draw(&prng, edges, EDGES);
        }
        const uint64_t h_top = sy_prng_below(&prng, 5);
        const uint64_t top = sy_prng_below(&prng, 2);
        sy_poly_frame poly;
        sy_poly_start(&poly, (const uint8_t *)key, NULL);
        poly.h = (sy_poly_sum){.low = wide(x[0], x[1]), .top = h_top};

        const number h = number_of(x[0], x[1], h_top);
        const number block = number_of(x[2], x[3], top);
        const number r = number_of(key[0] & 0x0ffffffc0fffffff, key[1] & 0x0ffffffc0ffffffc, 0);
        check_tag(&poly.h, h, "end", n);
        sy_poly_block(&poly.h, &poly, wide(x[2], x[3]), top);
        const number sum = sum_of(&h, &block);
        check_tag(&poly.h, product_of(&sum, &r), "step", n);
        cr_assert_leq(poly.h.top, 4, "number %d", n);
    }
}
#else
Test(lanes_poly, is_not_here) {
}
#endif
