/* SPDX-License-Identifier: Apache-2.0 */
/* What of the reactor needs no network: its configuration, and the seeds given anew. */
#include <criterion/criterion.h>

#include <switchyard/addr_book.h>
#include <switchyard/pex.h>

#include "reactors/pex/pex_internal.h"
#include "tests/support/test_mem.h"

typedef struct rig {
    test_mem tm;
    sy_addr_book *book;
    sy_pex *pex;
} rig;

static sy_addr seed_of(uint8_t number) {
    sy_addr addr = {.has_id = true, .host = "seed.example", .port = 26656};
    addr.id.bytes[0] = number;
    return addr;
}

static sy_err rig_init(rig *r, const sy_addr *seeds, size_t count) {
    sy_pex_config config;
    test_mem_init(&r->tm);
    sy_addr_book_settings settings;
    sy_addr_book_settings_default(&settings);
    cr_assert_eq(sy_addr_book_new(&settings, &r->book), SY_OK);
    sy_pex_config_default(&config);
    config.mem = &r->tm.mem;
    config.source = sy_addr_book_source(r->book);
    config.seeds = seeds;
    config.seed_count = count;
    r->pex = NULL;
    return sy_pex_new(&config, &r->pex);
}

static void rig_fini(rig *r) {
    sy_pex_del(r->pex);
    sy_addr_book_del(r->book);
    test_mem_fini(&r->tm);
}

Test(pex, seeds_can_be_replaced) {
    rig r;
    const sy_addr old[] = {seed_of(1), seed_of(2)};
    const sy_addr new[] = {seed_of(3)};
    cr_assert_eq(rig_init(&r, old, 2), SY_OK);
    cr_expect(pex_is_seed(r.pex, &old[1].id));

    r.tm.fail_at = r.tm.calls + 1;
    cr_expect_eq(sy_pex_set_seeds(r.pex, new, 1, 7), SY_ERR_NOMEM);
    cr_expect(pex_is_seed(r.pex, &old[0].id));
    r.tm.fail_at = 0;

    cr_expect_eq(sy_pex_set_seeds(r.pex, new, 1, 7), SY_OK);
    cr_expect(pex_is_seed(r.pex, &new[0].id));
    cr_expect_not(pex_is_seed(r.pex, &old[0].id));
    cr_expect_eq(r.pex->seeds_at, 7, "they may be asked at once");
    cr_expect_eq(sy_pex_set_seeds(r.pex, NULL, 0, 8), SY_OK);
    cr_expect_not(pex_is_seed(r.pex, &new[0].id));
    rig_fini(&r);
}

Test(pex, bad_seeds_are_refused) {
    rig r;
    sy_addr seeds[SY_PEX_SEEDS_MAX + 1];
    for (size_t i = 0; i <= SY_PEX_SEEDS_MAX; i++) {
        seeds[i] = seed_of((uint8_t)(i + 1));
    }
    cr_assert_eq(rig_init(&r, seeds, SY_PEX_SEEDS_MAX), SY_OK);
    cr_expect_eq(sy_pex_set_seeds(r.pex, seeds, SY_PEX_SEEDS_MAX + 1, 0), SY_ERR_CONFIG);
    sy_addr nobody = seed_of(99);
    nobody.has_id = false;
    cr_expect_eq(sy_pex_set_seeds(r.pex, &nobody, 1, 0), SY_ERR_CONFIG);
    cr_expect(pex_is_seed(r.pex, &seeds[0].id), "nothing has changed");
    rig_fini(&r);

    cr_expect_eq(rig_init(&r, seeds, SY_PEX_SEEDS_MAX + 1), SY_ERR_CONFIG);
    rig_fini(&r);
    cr_expect_eq(rig_init(&r, &nobody, 1), SY_ERR_CONFIG);
    rig_fini(&r);
}
