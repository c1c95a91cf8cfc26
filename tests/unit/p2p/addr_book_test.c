/* SPDX-License-Identifier: Apache-2.0 */
/* The address book: what it takes, where it puts it, what it gives out. */
#include <criterion/criterion.h>
#include <string.h>

#include "addr_book_fixture.h"

/* SPEC-TEST BOOK-01 BOOK-02 */
Test(addr_book, says_what_is_routable) {
    static const struct {
        const char *ip;
        bool routable;
    } rows[] = {
        {"1.2.3.4", true},
        {"9.255.255.255", true},
        {"10.0.0.0", false},
        {"10.255.255.255", false},
        {"11.0.0.0", true},
        {"172.15.255.255", true},
        {"172.16.0.0", false},
        {"172.31.255.255", false},
        {"172.32.0.0", true},
        {"192.167.255.255", true},
        {"192.168.0.1", false},
        {"192.169.0.0", true},
        {"169.254.1.1", false},
        {"169.253.1.1", true},
        {"127.0.0.1", false},
        {"126.255.255.255", true},
        {"128.0.0.0", true},
        {"0.0.0.0", false},
        {"0.1.2.3", false},
        {"255.255.255.255", false},
        {"100.64.0.1", true},
        {"::1", false},
        {"::", false},
        {"2001:db8::1", false},
        {"2001:db9::1", true},
        {"fe80::1", false},
        {"fe80:0:0:1::1", true},
        {"fc00::1", false},
        {"fdff::1", false},
        {"fe00::1", true},
        {"2001:10::1", false},
        {"2001:1f:ffff::1", false},
        {"2001:20::1", true},
        {"2002:a00:1::", true},
        {"2001:0:4136::1", true},
        {"::ffff:10.0.0.1", false},
        {"2a01:4f8::1", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const sy_net_addr addr = fx_addr_text(1, rows[i].ip, 1);
        cr_expect_eq(sy_endpoint_is_routable(&addr.endpoint), rows[i].routable, "%s", rows[i].ip);
    }
}

/* SPEC-TEST BOOK-03 BOOK-04: rows with the same number are one group. */
Test(addr_book, groups_addresses_by_who_controls_them) {
    static const struct {
        const char *ip;
        int group;
    } rows[] = {
        {"1.2.3.4", 1},
        {"1.2.255.255", 1},
        {"64:ff9b::102:304", 1},         /* NAT64 of 1.2.3.4 */
        {"::ffff:0:102:304", 1},         /* RFC 6145 of 1.2.3.4 */
        {"2002:102:9999::1", 1},         /* 6to4 of 1.2.153.153 */
        {"2001:0:1:2:3:4:fefd:fcfb", 1}, /* Teredo of 1.2.3.4 */
        {"1.3.3.4", 2},
        {"2001:470:abcd::1", 3},
        {"2001:470:afff::1", 3}, /* he.net: /36 */
        {"2001:470:bbcd::1", 4},
        {"2a01:4f8:1::1", 5},
        {"2a01:4f8:ffff::1", 5}, /* /32 */
        {"2a01:4f9::1", 6},
        {"fd87:d87e:eb43:1f::1", 7}, /* OnionCat: 4 bits */
    };
    const size_t n = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            const sy_net_addr a = fx_addr_text(1, rows[i].ip, 1);
            const sy_net_addr b = fx_addr_text(1, rows[k].ip, 2);
            const bool same = sy_book_group(&a.endpoint, true) == sy_book_group(&b.endpoint, true);
            cr_expect_eq(same, rows[i].group == rows[k].group, "%s and %s", rows[i].ip, rows[k].ip);
        }
    }
    /* Strict: what cannot be routed is one group, else each has its own. */
    const sy_net_addr a = fx_addr_text(1, "10.1.0.1", 1);
    const sy_net_addr b = fx_addr_text(1, "10.2.0.1", 1);
    cr_expect_eq(sy_book_group(&a.endpoint, true), sy_book_group(&b.endpoint, true));
    cr_expect_neq(sy_book_group(&a.endpoint, false), sy_book_group(&b.endpoint, false));
}

/* SPEC-TEST BOOK-08 BOOK-09 */
Test(addr_book, refuses_in_order) {
    fx_book fx;
    fx_book_init(&fx, true, 1);
    const sy_net_addr src = fx_addr(9, FX_IP(9, 9, 9, 9), 1);
    sy_net_addr own = fx_addr(1, FX_IP(8, 8, 8, 8), 26656);
    sy_addr_book_add_own(fx.book, &own.endpoint);
    sy_net_addr self = fx_addr(1, FX_IP(5, 5, 5, 5), 1);
    memset(self.id.bytes, 0xee, sizeof self.id.bytes);

    cr_expect_eq(fx_tell(&fx, fx_addr(1, FX_IP(1, 1, 1, 1), 0), src), SY_ADDR_INVALID);
    cr_expect_eq(fx_tell(&fx, fx_addr(1, 0, 5), src), SY_ADDR_INVALID);
    cr_expect_eq(fx_tell(&fx, fx_addr(1, 0xffffffff, 5), src), SY_ADDR_INVALID);
    cr_expect_eq(fx_tell(&fx, fx_addr_text(1, "::", 5), src), SY_ADDR_INVALID);
    cr_expect_eq(fx_tell(&fx, own, src), SY_ADDR_OWN);
    const sy_net_addr other_own = fx_addr(2, FX_IP(8, 8, 8, 9), 26656);
    for (int i = 0; i < 20; i++) { /* said again it takes no more room */
        sy_addr_book_add_own(fx.book, &other_own.endpoint);
    }
    cr_expect_eq(fx_tell(&fx, own, src), SY_ADDR_OWN);
    cr_expect_eq(fx_tell(&fx, other_own, src), SY_ADDR_OWN);
    cr_expect_eq(fx_tell(&fx, self, src), SY_ADDR_OWN);
    cr_expect_eq(fx_tell(&fx, fx_addr(1, FX_IP(10, 0, 0, 1), 5), src), SY_ADDR_NOT_ROUTABLE);
    cr_expect_eq(fx_size(&fx), 0);
    cr_expect_eq(fx_tell(&fx, fx_addr(1, FX_IP(8, 8, 8, 8), 26657), src), SY_ADDR_ADDED);
    cr_expect_eq(fx_tell(&fx, fx_addr(1, FX_IP(8, 8, 8, 8), 26657), src), SY_ADDR_KNOWN);

    const sy_node_id one = fx_addr(1, 0, 0).id;
    fx.src.ops->on_bad(fx.src.source, &one, SY_DAY, (sy_walltime){fx.now});
    cr_expect_eq(fx_size(&fx), 0);
    cr_expect_eq(fx_tell(&fx, fx_addr(1, FX_IP(8, 8, 8, 8), 26657), src), SY_ADDR_BANNED);
    fx.now += (int64_t)SY_DAY;
    cr_expect_eq(fx_tell(&fx, fx_addr(1, FX_IP(8, 8, 8, 8), 26657), src), SY_ADDR_ADDED);
    fx_book_fini(&fx);
}

/* SPEC-TEST BOOK-08 */
Test(addr_book, keeps_private_ids_out) {
    test_mem tm;
    test_mem_init(&tm);
    const sy_node_id secret = fx_addr(7, 0, 0).id;
    sy_addr_book_settings settings;
    sy_addr_book_settings_default(&settings);
    settings.mem = &tm.mem;
    settings.private_ids = &secret;
    settings.private_count = 1;
    sy_addr_book *book;
    cr_assert_eq(sy_addr_book_new(&settings, &book), SY_OK);
    const sy_addr_source src = sy_addr_book_source(book);
    sy_addr_news news = {fx_addr(7, FX_IP(1, 2, 3, 4), 1), fx_addr(8, FX_IP(2, 2, 2, 2), 1),
                         SY_ADDR_TOLD_HEARSAY, ""};
    cr_expect_eq(src.ops->add(book, &news, (sy_walltime){FX_T0}), SY_ADDR_PRIVATE);
    news.addr = fx_addr(6, FX_IP(1, 2, 3, 4), 1);
    news.source = fx_addr(7, FX_IP(2, 2, 2, 2), 1);
    cr_expect_eq(src.ops->add(book, &news, (sy_walltime){FX_T0}), SY_ADDR_PRIVATE_SOURCE);
    cr_expect_eq(src.ops->sizes(book).all, 0);
    sy_addr_book_del(book);
    test_mem_fini(&tm);
}

/* What was held of an ID that becomes private goes; what was private is taken again. */
Test(addr_book, private_ids_can_be_replaced) {
    fx_book fx;
    fx_book_init(&fx, true, 4);
    const sy_net_addr one = fx_addr(1, FX_IP(1, 2, 3, 4), 1);
    const sy_net_addr two = fx_addr(2, FX_IP(1, 3, 3, 4), 1);
    const sy_net_addr source = fx_addr(9, FX_IP(9, 9, 9, 9), 1);
    cr_assert_eq(fx_tell(&fx, one, source), SY_ADDR_ADDED);
    cr_assert_eq(fx_tell(&fx, two, source), SY_ADDR_ADDED);

    fx.tm.fail_at = fx.tm.calls + 1;
    cr_expect_eq(sy_addr_book_set_private(fx.book, &one.id, 1), SY_ERR_NOMEM);
    cr_expect_eq(fx_size(&fx), 2, "nothing has changed");
    fx.tm.fail_at = 0;

    cr_expect_eq(sy_addr_book_set_private(fx.book, &one.id, 1), SY_OK);
    cr_expect_eq(fx_size(&fx), 1);
    cr_expect_eq(fx_tell(&fx, one, source), SY_ADDR_PRIVATE);
    cr_expect_eq(fx_tell(&fx, two, source), SY_ADDR_KNOWN);
    cr_expect(sy_book_check(fx.book));
    cr_expect_eq(sy_addr_book_set_private(fx.book, NULL, 0), SY_OK);
    cr_expect_eq(fx_tell(&fx, one, source), SY_ADDR_ADDED);
    fx_book_fini(&fx);
}

/* SPEC-TEST BOOK-07 BOOK-11: the same address told by many sources sits in at most four new
 * buckets. */
Test(addr_book, bounds_the_places_of_one_address) {
    fx_book fx;
    fx_book_init(&fx, true, 2);
    const sy_net_addr addr = fx_addr(1, FX_IP(1, 2, 3, 4), 1);
    size_t most = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        (void)fx_tell(&fx, addr, fx_addr(100 + i, FX_IP(20 + i % 200, i / 200, 1, 1), 1));
        sy_addr_book_view view;
        cr_assert(sy_addr_book_find(fx.book, &addr.id, &view));
        most = view.place_count > most ? view.place_count : most;
        cr_assert(view.place_count <= SY_BOOK_PLACES_MAX);
    }
    cr_expect_eq(most, SY_BOOK_PLACES_MAX);
    cr_expect(sy_book_check(fx.book));
    fx_book_fini(&fx);
}

/* SPEC-TEST BOOK-06: one source group reaches 32 of the new buckets, whatever it tells; one
 * address group 4 of the old ones. */
Test(addr_book, bounds_what_one_group_reaches) {
    fx_book fx;
    fx_book_init(&fx, true, 3);
    bool seen[SY_BOOK_NEW_BUCKETS] = {false};
    const sy_net_addr source = fx_addr(1, FX_IP(66, 6, 1, 1), 1);
    const uint64_t teller = sy_book_group(&source.endpoint, true);
    size_t buckets = 0;
    for (uint32_t i = 0; i < 60000; i++) {
        const sy_net_addr addr = fx_addr(i, i << 16 | 1, 1);
        const uint32_t bucket =
            sy_book_new_bucket(fx.book, sy_book_group(&addr.endpoint, true), teller);
        buckets += !seen[bucket];
        seen[bucket] = true;
    }
    cr_expect(buckets <= SY_BOOK_SOURCE_BUCKETS, "%zu", buckets);
    cr_expect(buckets > SY_BOOK_SOURCE_BUCKETS / 2, "%zu", buckets);

    bool old_seen[SY_BOOK_OLD_BUCKETS] = {false};
    size_t old_buckets = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        sy_book_entry entry = {.addr = fx_addr(i, FX_IP(1, 2, i >> 8, i & 255), 1)};
        entry.group = sy_book_group(&entry.addr.endpoint, true);
        const uint32_t bucket = sy_book_old_bucket(fx.book, &entry);
        old_buckets += !old_seen[bucket];
        old_seen[bucket] = true;
    }
    cr_expect(old_buckets <= SY_BOOK_OLD_SPREAD && old_buckets >= 2, "%zu", old_buckets);
    fx_book_fini(&fx);
}

/* SPEC-TEST BOOK-10 */
Test(addr_book, lets_only_the_right_word_move_an_id) {
    fx_book fx;
    fx_book_init(&fx, true, 4);
    const sy_net_addr src = fx_addr(9, FX_IP(9, 9, 9, 9), 1);
    const sy_net_addr first = fx_addr(1, FX_IP(1, 1, 1, 1), 1);
    const sy_net_addr other = fx_addr(1, FX_IP(2, 2, 2, 2), 2);
    sy_addr_book_view view;
    cr_expect_eq(fx_tell(&fx, first, src), SY_ADDR_ADDED);
    cr_expect_eq(fx_tell(&fx, other, src), SY_ADDR_KNOWN);
    cr_expect(sy_addr_book_find(fx.book, &first.id, &view));
    cr_expect_eq(view.addr.endpoint.port, 1);

    /* The owner itself moves an untested entry. */
    cr_expect_eq(fx_tell_as(&fx, other, other, SY_ADDR_TOLD_SELF), SY_ADDR_MOVED);
    /* ... but not one that was found to be there, unless it is gone by now. */
    fx_good(&fx, other);
    cr_expect_eq(fx_tell_as(&fx, first, first, SY_ADDR_TOLD_SELF), SY_ADDR_KNOWN);
    fx_fail(&fx, other, 1);
    cr_expect_eq(fx_tell(&fx, first, src), SY_ADDR_KNOWN);
    cr_expect_eq(fx_tell_as(&fx, first, first, SY_ADDR_TOLD_SELF), SY_ADDR_MOVED);
    /* Hearsay moves what was never there. */
    fx_fail(&fx, first, 1);
    cr_expect_eq(fx_tell(&fx, other, src), SY_ADDR_MOVED);
    cr_expect_eq(fx_size(&fx), 1);
    cr_expect(sy_book_check(fx.book));
    fx_book_fini(&fx);
}

/* SPEC-TEST BOOK-20: at the borders of each rule. */
Test(addr_book, calls_entries_bad) {
    const int64_t day = (int64_t)SY_DAY;
    const int64_t min = (int64_t)SY_MIN;
    const struct {
        const char *name;
        int64_t since_attempt;
        int64_t since_success; /* -1: never */
        uint32_t attempts;
        bool tested;
        bool bad;
    } rows[] = {
        {"fresh", 0, -1, 0, false, false},
        {"tried a minute ago, often", min - 1, -1, 99, false, false},
        {"never, two attempts", min + 1, -1, 2, false, false},
        {"never, three attempts", min + 1, -1, 3, false, true},
        {"seven days silent", 7 * day, -1, 0, false, false},
        {"longer silent", 7 * day + 1, -1, 0, false, true},
        {"old success, nine attempts", min + 1, 7 * day + 1, 9, false, false},
        {"old success, ten attempts", min + 1, 7 * day + 1, 10, false, true},
        {"recent success, ten attempts", min + 1, 7 * day, 10, false, false},
        {"tested ones never", 30 * day, -1, 99, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const sy_book_entry entry = {
            .tested = rows[i].tested,
            .attempts = rows[i].attempts,
            .last_attempt = FX_T0 - rows[i].since_attempt,
            .last_success =
                rows[i].since_success < 0 ? SY_BOOK_NEVER : FX_T0 - rows[i].since_success,
        };
        cr_expect_eq(sy_book_is_bad(&entry, FX_T0), rows[i].bad, "%s", rows[i].name);
    }
}

/* SPEC-TEST BOOK-22 BOOK-23 */
Test(addr_book, backs_off_and_forgets) {
    fx_book fx;
    fx_book_init(&fx, true, 5);
    const sy_net_addr addr = fx_addr(1, FX_IP(1, 1, 1, 1), 1);
    const sy_addr_query query = {.new_bias = 50};
    sy_net_addr found;
    (void)fx_tell(&fx, addr, addr);
    for (unsigned i = 1; i <= SY_BOOK_ATTEMPTS_MAX; i++) {
        cr_assert(fx.src.ops->pick(fx.src.source, &query, &found, (sy_walltime){fx.now}));
        fx_fail(&fx, addr, 1);
        const int64_t pause = (int64_t)(SY_SEC << i);
        cr_expect_not(
            fx.src.ops->pick(fx.src.source, &query, &found, (sy_walltime){fx.now + pause - 1}));
        fx.now += pause;
    }
    cr_expect_eq(fx_size(&fx), 1);
    fx_fail(&fx, addr, 1);
    cr_expect_eq(fx_size(&fx), 0);
    fx_book_fini(&fx);
}

/* SPEC-TEST BOOK-14 BOOK-15 BOOK-16: one group can have at most 4 * 64 tested addresses; when a
 * bucket is full its holder is tried first and only gives way when it is gone. */
Test(addr_book, tests_before_it_evicts) {
    fx_book fx;
    fx_book_init(&fx, true, 6);
    const sy_addr_query query = {.new_bias = 100};
    sy_net_addr under_test;
    uint32_t n = 0;
    sy_net_addr last = fx_addr(0, 0, 0);
    bool full = false;
    while (!full && n < 2000) {
        last = fx_addr(n, FX_IP(1, 2, n >> 8, n & 255), 1);
        (void)fx_tell(&fx, last, fx_addr(1000000 + n, FX_IP(30 + n % 100, n / 100, 1, 1), 1));
        fx.now += (int64_t)SY_SEC;
        fx_good(&fx, last);
        sy_addr_book_view view;
        cr_assert(sy_addr_book_find(fx.book, &last.id, &view));
        full = !view.tested;
        n++;
    }
    cr_assert(full);
    const size_t tested = fx.src.ops->sizes(fx.src.source).tested;
    cr_assert(tested <= SY_BOOK_OLD_SPREAD * SY_BOOK_BUCKET_SIZE);

    /* The holder is there: it stays, the newcomer waits. */
    cr_assert(fx.src.ops->pick_test(fx.src.source, &query, &under_test, (sy_walltime){fx.now}));
    sy_addr_book_view holder;
    cr_assert(sy_addr_book_find(fx.book, &under_test.id, &holder));
    cr_expect(holder.tested);
    fx_good(&fx, under_test);
    sy_addr_book_view view;
    cr_assert(sy_addr_book_find(fx.book, &last.id, &view));
    cr_expect_not(view.tested);

    /* Another holder is gone: the newcomer gets the place, the holder is kept as untested. */
    fx.now += (int64_t)SY_SEC;
    fx_good(&fx, last);
    cr_assert(fx.src.ops->pick_test(fx.src.source, &query, &under_test, (sy_walltime){fx.now}));
    fx_fail(&fx, under_test, 1);
    cr_assert(sy_addr_book_find(fx.book, &last.id, &view));
    cr_expect(view.tested);
    cr_assert(sy_addr_book_find(fx.book, &under_test.id, &view));
    cr_expect_not(view.tested);
    cr_expect_eq(fx.src.ops->sizes(fx.src.source).tested, tested);
    cr_expect(sy_book_check(fx.book));
    fx_book_fini(&fx);
}

static void fill(fx_book *fx, uint32_t untested, uint32_t tested) {
    for (uint32_t i = 0; i < untested + tested; i++) {
        const sy_net_addr addr = fx_addr(i + 1, FX_IP(1 + i % 8, i / 8, 1, 1), 1);
        cr_assert_eq(fx_tell(fx, addr, fx_addr(99999 + i, FX_IP(20 + i % 90, i / 90, 1, 1), 1)),
                     SY_ADDR_ADDED);
        if (i < tested) {
            fx_good(fx, addr);
        }
    }
    const sy_addr_sizes sizes = fx->src.ops->sizes(fx->src.source);
    cr_assert_eq(sizes.untested, untested);
    cr_assert_eq(sizes.tested, tested);
}

static bool deny(void *user, const sy_net_addr *addr) {
    const sy_addr_book *book = user;
    sy_addr_book_view view;
    return sy_addr_book_find(book, &addr->id, &view) && !view.tested;
}

static unsigned pick_tested(fx_book *fx, const sy_addr_query *query) {
    unsigned tested = 0;
    for (unsigned k = 0; k < 100; k++) {
        sy_net_addr found;
        sy_addr_book_view view;
        cr_assert(fx->src.ops->pick(fx->src.source, query, &found, (sy_walltime){fx->now}));
        cr_assert(sy_addr_book_find(fx->book, &found.id, &view));
        tested += view.tested;
    }
    return tested;
}

/* SPEC-TEST BOOK-34: with 63 groups of tested addresses the bias decides, with 64 it does not. */
Test(addr_book, untested_ones_wait_when_enough_is_tested) {
    const sy_addr_query query = {.new_bias = 100};
    fx_book fx;
    fx_book_init(&fx, true, 7);
    for (uint32_t i = 0; i < SY_BOOK_PROVEN_GROUPS + 1; i++) {
        const sy_net_addr addr = fx_addr(1 + i, FX_IP(20 + i, 1, 1, 1), 1);
        const sy_net_addr twin = fx_addr(500 + i, FX_IP(20 + i, 1, 1, 2), 1);
        cr_assert_eq(fx_tell(&fx, addr, addr), SY_ADDR_ADDED);
        cr_assert_eq(fx_tell(&fx, twin, twin), SY_ADDR_ADDED);
    }
    for (uint32_t i = 0; i < SY_BOOK_PROVEN_GROUPS - 1; i++) {
        fx_good(&fx, fx_addr(1 + i, FX_IP(20 + i, 1, 1, 1), 1));
    }
    /* A second address of a group is no second group. */
    fx_good(&fx, fx_addr(500, FX_IP(20, 1, 1, 2), 1));
    cr_expect_eq(pick_tested(&fx, &query), 0);
    const sy_net_addr last =
        fx_addr(SY_BOOK_PROVEN_GROUPS, FX_IP(20 + SY_BOOK_PROVEN_GROUPS - 1, 1, 1, 1), 1);
    fx_good(&fx, last);
    cr_expect_eq(pick_tested(&fx, &query), 100);
    const sy_addr_query nothing_else = {.new_bias = 0, .allow = deny, .user = fx.book};
    cr_expect_eq(pick_tested(&fx, &nothing_else), 0, "nothing else is left");
    fx.src.ops->on_bad(fx.src.source, &last.id, 0, (sy_walltime){fx.now});
    cr_expect_eq(pick_tested(&fx, &query), 0);
    fx_book_fini(&fx);
}

/* SPEC-TEST BOOK-17: bias 0 and 100 decide, except that nothing is no answer while there is
 * something. */
Test(addr_book, picks_by_bias) {
    static const struct {
        const char *name;
        uint32_t untested;
        uint32_t tested;
        unsigned bias;
        unsigned tested_min; /* of 1000 */
        unsigned tested_max;
    } rows[] = {
        {"only tested", 20, 20, 0, 1000, 1000},
        {"only untested", 20, 20, 100, 0, 0},
        {"even", 20, 20, 50, 400, 600},
        {"nine to one", 20, 20, 90, 50, 160},
        {"square roots", 80, 20, 50, 260, 410},
        {"no tested ones", 20, 0, 0, 0, 0},
        {"no untested ones", 0, 20, 100, 1000, 1000},
        {"beyond 100", 20, 20, 1000, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fx_book fx;
        fx_book_init(&fx, true, 7);
        fill(&fx, rows[i].untested, rows[i].tested);
        const sy_addr_query query = {.new_bias = rows[i].bias};
        unsigned tested = 0;
        for (unsigned k = 0; k < 1000; k++) {
            sy_net_addr found;
            sy_addr_book_view view;
            cr_assert(fx.src.ops->pick(fx.src.source, &query, &found, (sy_walltime){fx.now}));
            cr_assert(sy_addr_book_find(fx.book, &found.id, &view));
            tested += view.tested;
        }
        cr_expect(tested >= rows[i].tested_min && tested <= rows[i].tested_max, "%s: %u",
                  rows[i].name, tested);
        fx_book_fini(&fx);
    }
    fx_book fx;
    fx_book_init(&fx, true, 7);
    sy_net_addr found;
    const sy_addr_query query = {.new_bias = 50};
    cr_expect_not(fx.src.ops->pick(fx.src.source, &query, &found, (sy_walltime){fx.now}));
    fx_book_fini(&fx);
}

/* SPEC-TEST BOOK-18: 200 addresses of one group against 10 groups of one each. */
Test(addr_book, picks_groups_evenly) {
    fx_book fx;
    fx_book_init(&fx, true, 8);
    for (uint32_t i = 0; i < 200; i++) {
        (void)fx_tell(&fx, fx_addr(i, FX_IP(66, 6, i, 1), 1),
                      fx_addr(5000 + i, FX_IP(30 + i % 100, i / 100, 1, 1), 1));
    }
    for (uint32_t i = 0; i < 10; i++) {
        (void)fx_tell(&fx, fx_addr(900 + i, FX_IP(70 + i, 1, 1, 1), 1),
                      fx_addr(9000, FX_IP(77, 7, 1, 1), 1));
    }
    const sy_addr_query query = {.new_bias = 50};
    unsigned crowd = 0;
    for (unsigned k = 0; k < 2000; k++) {
        sy_net_addr found;
        cr_assert(fx.src.ops->pick(fx.src.source, &query, &found, (sy_walltime){fx.now}));
        crowd += found.endpoint.ip[12] == 66;
    }
    /* 1 of 11 groups: 182 of 2000 expected. */
    cr_expect(crowd > 100 && crowd < 280, "%u", crowd);
    fx_book_fini(&fx);
}

/* SPEC-TEST BOOK-24 BOOK-25: sizes and mix of an answer, without repeats. */
Test(addr_book, samples_for_an_answer) {
    static const struct {
        const char *name;
        uint32_t untested;
        uint32_t tested;
        unsigned bias;
        size_t size;
        size_t untested_given; /* SIZE_MAX: any */
    } rows[] = {
        {"empty", 0, 0, 30, 0, 0},
        {"one", 1, 0, 30, 1, 1},
        {"31: all", 20, 11, 200, 31, 20},
        {"32: all", 32, 0, 0, 32, 32},
        {"33: 32", 33, 0, 100, 32, 32},
        {"139: 32", 100, 39, 200, 32, SIZE_MAX},
        {"200: 46, 30 percent", 100, 100, 30, 46, 14},
        {"200: 46, few tested", 190, 10, 30, 46, 36},
        {"200: 46, few untested", 5, 195, 30, 46, 5},
        {"1200: 250", 1200, 0, 30, 250, 250},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fx_book fx;
        fx_book_init(&fx, true, 9);
        fill(&fx, rows[i].untested, rows[i].tested);
        sy_net_addr out[SY_ADDR_SAMPLE_MAX];
        const size_t n = fx.src.ops->sample(fx.src.source, rows[i].bias, "", out,
                                            SY_ADDR_SAMPLE_MAX, (sy_walltime){fx.now});
        cr_expect_eq(n, rows[i].size, "%s: %zu", rows[i].name, n);
        size_t untested = 0;
        for (size_t k = 0; k < n; k++) {
            sy_addr_book_view view;
            cr_assert(sy_addr_book_find(fx.book, &out[k].id, &view));
            untested += !view.tested;
            for (size_t m = 0; m < k; m++) {
                cr_assert_not(sy_node_id_equal(&out[k].id, &out[m].id), "%s", rows[i].name);
            }
        }
        cr_expect(rows[i].untested_given == SIZE_MAX || untested == rows[i].untested_given,
                  "%s: %zu", rows[i].name, untested);
        fx_book_fini(&fx);
    }
}

/* SPEC-TEST BOOK-26 */
Test(addr_book, gives_a_profile_its_own) {
    fx_book fx;
    fx_book_init(&fx, true, 10);
    static const char *const profiles[] = {"tendermint", "cometbft", ""};
    for (uint32_t i = 0; i < 30; i++) {
        const sy_addr_news news = {fx_addr(i, FX_IP(11 + i, 1, 1, 1), 1),
                                   fx_addr(99, FX_IP(9, 9, 9, 9), 1), SY_ADDR_TOLD_HEARSAY,
                                   profiles[i % 3]};
        cr_assert_eq(fx.src.ops->add(fx.src.source, &news, (sy_walltime){fx.now}), SY_ADDR_ADDED);
    }
    sy_net_addr out[SY_ADDR_SAMPLE_MAX];
    for (uint32_t p = 0; p < 3; p++) {
        const size_t n = fx.src.ops->sample(fx.src.source, 200, profiles[p], out,
                                            SY_ADDR_SAMPLE_MAX, (sy_walltime){fx.now});
        cr_expect_eq(n, p == 2 ? 30 : 20, "%s", profiles[p]);
        for (size_t i = 0; i < n; i++) {
            const char *profile = fx.src.ops->profile(fx.src.source, &out[i].id);
            cr_expect(p == 2 || profile[0] == '\0' || strcmp(profile, profiles[p]) == 0);
        }
    }
    fx_book_fini(&fx);
}

/* Count the allocations, then fail each: no crash, no leak, a sound book. */
Test(addr_book, survives_failing_memory) {
    for (size_t k = 0;; k++) {
        test_mem tm;
        test_mem_init(&tm);
        tm.fail_at = k;
        sy_addr_book_settings settings;
        sy_addr_book_settings_default(&settings);
        settings.mem = &tm.mem;
        sy_addr_book *book;
        const sy_err err = sy_addr_book_new(&settings, &book);
        cr_expect(err == SY_OK || err == SY_ERR_NOMEM);
        size_t refused = 0;
        if (err == SY_OK) {
            const sy_addr_source src = sy_addr_book_source(book);
            for (uint32_t i = 0; i < 300; i++) {
                const sy_addr_news news = {fx_addr(i, FX_IP(1 + i % 200, i / 200, 1, 1), 1),
                                           fx_addr(i, FX_IP(1 + i % 7, 1, 1, 1), 1),
                                           SY_ADDR_TOLD_HEARSAY, "tendermint"};
                refused += src.ops->add(book, &news, (sy_walltime){FX_T0}) == SY_ADDR_NO_MEMORY;
            }
            char *text = NULL;
            size_t len;
            const sy_err written = sy_addr_book_write(book, SY_BOOK_COMETBFT, &text, &len);
            cr_expect(written == SY_OK || written == SY_ERR_NOMEM);
            if (written == SY_OK) {
                sy_addr_book_text_del(book, text);
            }
            cr_expect(sy_book_check(book));
            sy_addr_book_del(book);
        }
        const size_t calls = tm.calls;
        test_mem_fini(&tm);
        if (k > calls) {
            cr_expect_eq(refused, 0);
            break;
        }
    }
}
