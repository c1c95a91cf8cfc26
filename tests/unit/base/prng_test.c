/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/prng.h"
#include "tests/support/test_contract.h"

/* State and output per seed, computed with another implementation of the two published
 * algorithms. */
Test(prng, seeds_give_known_states_and_outputs) {
    static const struct {
        uint64_t seed;
        uint64_t state[4];
        uint64_t out[4];
    } rows[] = {
        {0,
         {UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x6e789e6aa1b965f4), UINT64_C(0x06c45d188009454f),
          UINT64_C(0xf88bb8a8724c81ec)},
         {UINT64_C(0x99ec5f36cb75f2b4), UINT64_C(0xbf6e1f784956452a), UINT64_C(0x1a5f849d4933e6e0),
          UINT64_C(0x6aa594f1262d2d2c)}},
        {1,
         {UINT64_C(0x910a2dec89025cc1), UINT64_C(0xbeeb8da1658eec67), UINT64_C(0xf893a2eefb32555e),
          UINT64_C(0x71c18690ee42c90b)},
         {UINT64_C(0xb3f2af6d0fc710c5), UINT64_C(0x853b559647364cea), UINT64_C(0x92f89756082a4514),
          UINT64_C(0x642e1c7bc266a3a7)}},
        {42,
         {UINT64_C(0xbdd732262feb6e95), UINT64_C(0x28efe333b266f103), UINT64_C(0x47526757130f9f52),
          UINT64_C(0x581ce1ff0e4ae394)},
         {UINT64_C(0x15780b2e0c2ec716), UINT64_C(0x6104d9866d113a7e), UINT64_C(0xae17533239e499a1),
          UINT64_C(0xecb8ad4703b360a1)}},
        {UINT64_MAX,
         {UINT64_C(0xe4d971771b652c20), UINT64_C(0xe99ff867dbf682c9), UINT64_C(0x382ff84cb27281e9),
          UINT64_C(0x6d1db36ccba982d2)},
         {UINT64_C(0x8f5520d52a7ead08), UINT64_C(0xc476a018caa1802d), UINT64_C(0x81de31c0d260469e),
          UINT64_C(0xbf658d7e065f3c2f)}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_prng prng;
        sy_prng_init(&prng, rows[i].seed);
        for (int k = 0; k < 4; k++) {
            cr_expect_eq(prng.s[k], rows[i].state[k], "row %zu, word %d", i, k);
        }
        for (int k = 0; k < 4; k++) {
            cr_expect_eq(sy_prng_next(&prng), rows[i].out[k], "row %zu, output %d", i, k);
        }
    }
}

/* The sequence that the authors' code gives for the state 1, 2, 3, 4. */
Test(prng, reference_sequence) {
    static const uint64_t want[] = {11520,
                                    0,
                                    1509978240,
                                    UINT64_C(1215971899390074240),
                                    UINT64_C(1216172134540287360),
                                    UINT64_C(607988272756665600),
                                    UINT64_C(16172922978634559625),
                                    UINT64_C(8476171486693032832),
                                    UINT64_C(10595114339597558777),
                                    UINT64_C(2904607092377533576)};
    sy_prng prng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        cr_expect_eq(sy_prng_next(&prng), want[i], "output %zu", i);
    }
}

Test(prng, below_stays_below) {
    static const uint64_t bounds[] = {
        1,         2, 3, 10, 1000, UINT64_C(1) << 32, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1,
        UINT64_MAX};
    sy_prng prng;
    sy_prng_init(&prng, 8);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        for (int k = 0; k < 2000; k++) {
            cr_assert_lt(sy_prng_below(&prng, bounds[i]), bounds[i], "row %zu", i);
        }
    }
}

/* Counts per value against the expected share; 6 standard deviations at a fixed seed. */
Test(prng, below_is_even) {
    static const uint64_t bounds[] = {2, 3, 7, 10};
    sy_prng prng;
    sy_prng_init(&prng, 9);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        enum {
            DRAWS = 60000
        };
        int counts[10] = {0};
        for (int k = 0; k < DRAWS; k++) {
            counts[sy_prng_below(&prng, bounds[i])]++;
        }
        for (uint64_t value = 0; value < bounds[i]; value++) {
            const int off = counts[value] - (int)(DRAWS / bounds[i]);
            cr_expect(off > -740 && off < 740, "bound %llu, value %llu: off by %d",
                      (unsigned long long)bounds[i], (unsigned long long)value, off);
        }
    }
}

/* With 3 * 2^62 a plain remainder would give the lowest third twice as often as the others. */
Test(prng, below_draws_again_instead_of_bending) {
    const uint64_t third = UINT64_C(1) << 62;
    int counts[3] = {0};
    sy_prng prng;
    sy_prng_init(&prng, 10);
    for (int k = 0; k < 30000; k++) {
        counts[sy_prng_below(&prng, 3 * third) / third]++;
    }
    for (int i = 0; i < 3; i++) {
        cr_expect(counts[i] > 9500 && counts[i] < 10500, "third %d: %d", i, counts[i]);
    }
}

static void below_zero(void *user) {
    (void)sy_prng_below(user, 0);
}

Test(prng, bound_zero_is_a_broken_contract) {
    sy_prng prng;
    sy_prng_init(&prng, 1);
    cr_expect_str_eq(test_contract(below_zero, &prng), "contract");
}
