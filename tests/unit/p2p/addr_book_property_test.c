/* SPDX-License-Identifier: Apache-2.0 */
/* The address book under random use and under floods: its invariants, its bounds, and what of the
 * honest addresses is left. */
#include <criterion/criterion.h>
#include <string.h>

#include "addr_book_fixture.h"

/* SPEC-TEST BOOK-05 BOOK-06 BOOK-07: any operation, in any order, leaves every invariant. */
Test(addr_book_property, random_operations_keep_the_invariants) {
    for (uint64_t seed = 1; seed <= 8; seed++) {
        fx_book fx;
        fx_book_init(&fx, seed % 2 == 0, seed);
        sy_prng prng;
        sy_prng_init(&prng, seed);
        const sy_addr_query query = {.new_bias = (unsigned)sy_prng_below(&prng, 101)};
        for (unsigned step = 0; step < 20000; step++) {
            const uint32_t n = (uint32_t)sy_prng_below(&prng, 3000);
            const uint32_t groups = seed < 5 ? 3 : 250;
            const sy_net_addr addr = fx_addr(n, FX_IP(1 + n % groups, 2, n >> 8 & 255, n & 255),
                                             (uint16_t)(1 + sy_prng_below(&prng, 3) / 2));
            const sy_net_addr src = fx_addr(n, FX_IP(40 + sy_prng_below(&prng, 100), 1, 1, 1), 1);
            sy_net_addr found;
            fx.now += (int64_t)sy_prng_below(&prng, 10 * SY_MIN);
            switch (sy_prng_below(&prng, 10)) {
            case 0:
            case 1:
            case 2:
            case 3:
                (void)fx_tell_as(&fx, addr, src, (sy_addr_told)sy_prng_below(&prng, 2));
                break;
            case 4:
            case 5:
                fx_good(&fx, addr);
                break;
            case 6:
            case 7:
                fx_fail(&fx, addr, 1);
                break;
            case 8:
                if (fx.src.ops->pick_test(fx.src.source, &query, &found, (sy_walltime){fx.now})) {
                    if (sy_prng_below(&prng, 2) == 0) {
                        fx_good(&fx, found);
                    } else {
                        fx_fail(&fx, found, 1);
                    }
                }
                break;
            default:
                if (sy_prng_below(&prng, 20) == 0) {
                    fx.src.ops->on_bad(fx.src.source, &addr.id, SY_HOUR, (sy_walltime){fx.now});
                }
                break;
            }
            if (step % 500 == 0) {
                cr_assert(sy_book_check(fx.book), "seed %lu step %u", (unsigned long)seed, step);
            }
        }
        cr_assert(sy_book_check(fx.book));
        cr_assert(fx_size(&fx) > 0);
        fx_book_fini(&fx);
    }
}

/* 250 honest addresses told by 10 honest peers, 64 of them tested. */
static void add_honest(fx_book *fx) {
    for (uint32_t i = 0; i < 250; i++) {
        const sy_net_addr addr = fx_addr(i + 1, FX_IP(11 + i / 4, 100 + i % 4, 3, 4), 26656);
        (void)fx_tell(fx, addr, fx_addr(900 + i % 10, FX_IP(150 + i % 10, 9, 9, 9), 1));
        if (i < 64) {
            fx_good(fx, addr);
        }
    }
}

static size_t count_honest(fx_book *fx) {
    size_t kept = 0;
    for (uint32_t i = 0; i < 250; i++) {
        sy_addr_book_view view;
        const sy_node_id id = fx_addr(i + 1, 0, 0).id;
        kept += sy_addr_book_find(fx->book, &id, &view);
    }
    return kept;
}

/* SPEC-TEST BOOK-07 BOOK-12 BOOK-13: 10^6 addresses, any number of groups, from g source groups.
 * The size stays inside its bounds and the honest addresses stay, above all the tested ones. */
Test(addr_book_property, a_million_hostile_addresses) {
    static const struct {
        const char *name;
        uint32_t sources;
        uint32_t addresses;
        size_t honest_min;
        size_t size_max;
    } rows[] = {
        {"one source", 1, 250000, 240, 250 + 32 * 64},
        {"16 sources", 16, 250000, 225, SY_BOOK_SLOTS},
        {"64 sources", 64, 250000, 215, SY_BOOK_SLOTS},
        {"1000 sources", 1000, 250000, 150, SY_BOOK_SLOTS},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        fx_book fx;
        fx_book_init(&fx, true, 11 + r);
        add_honest(&fx);
        cr_assert_eq(count_honest(&fx), 250);
        sy_prng prng;
        sy_prng_init(&prng, r);
        for (uint32_t i = 0; i < rows[r].addresses; i++) {
            const uint32_t k = (uint32_t)sy_prng_below(&prng, rows[r].sources);
            fx.now += (int64_t)SY_MSEC;
            (void)fx_tell(&fx, fx_addr(100000 + i, (uint32_t)sy_prng_next(&prng), 26656),
                          fx_addr(50000 + k, FX_IP(170 + k / 256, k % 256, 1, 1), 1));
        }
        cr_expect(sy_book_check(fx.book), "%s", rows[r].name);
        cr_expect(fx_size(&fx) <= rows[r].size_max, "%s: %zu", rows[r].name, fx_size(&fx));
        cr_expect(count_honest(&fx) >= rows[r].honest_min, "%s: %zu of 250 honest ones left",
                  rows[r].name, count_honest(&fx));
        cr_expect(fx.src.ops->sizes(fx.src.source).tested == 64, "%s", rows[r].name);
        cr_expect(fx.tm.peak_bytes < (size_t)8 << 20, "%s: %zu bytes", rows[r].name,
                  fx.tm.peak_bytes);
        fx_book_fini(&fx);
    }
}

/* SPEC-TEST BOOK-13: one group cannot have more than its share, however many tell of it. */
Test(addr_book_property, one_group_has_its_share) {
    fx_book fx;
    fx_book_init(&fx, true, 20);
    for (uint32_t i = 0; i < 20000; i++) {
        (void)fx_tell(&fx, fx_addr(i, FX_IP(66, 6, i >> 8 & 255, i & 255), 1),
                      fx_addr(50000 + i, FX_IP(1 + i % 200, i / 200, 1, 1), 1));
    }
    cr_expect(fx_size(&fx) <= SY_BOOK_GROUP_MAX, "%zu", fx_size(&fx));
    cr_expect(fx_size(&fx) > SY_BOOK_GROUP_MAX / 2, "%zu", fx_size(&fx));
    fx_book_fini(&fx);
}
