/* SPDX-License-Identifier: Apache-2.0 */
/* The admission ledger: each rule by example, then random histories against an oracle that keeps
 * every connection in a list and counts by walking it. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/prng.h"
#include "p2p/admission.h"
#include "tests/support/test_mem.h"

static const uint8_t key[SY_ADMISSION_KEY_LEN] = {4, 5, 6};

static sy_node_id id_of(uint64_t n) {
    sy_node_id id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

static sy_endpoint ip_of(uint8_t net, uint8_t host) {
    sy_endpoint e = {.ip = {[10] = 0xff, 0xff, 10, 0, net, host}, .port = 1};
    return e;
}

/* One fixture per test: a ledger and tickets by number. */
typedef struct fixture {
    test_mem tm;
    sy_admission adm;
    sy_admission_ticket tickets[64];
    sy_detail detail;
} fixture;

static void open_ledger(fixture *f, sy_admission_limits limits) {
    memset(f, 0, sizeof *f);
    test_mem_init(&f->tm);
    sy_admission_init(&f->adm, &limits, &f->tm.mem, key);
}

static void close_ledger(fixture *f) {
    for (size_t i = 0; i < 64; i++) {
        sy_admission_release(&f->adm, &f->tickets[i]);
    }
    sy_admission_counts counts;
    sy_admission_get_counts(&f->adm, &counts);
    cr_expect_eq(counts.total_used, 0);
    cr_expect_eq(f->adm.keys.used, 0);
    cr_expect_eq(f->adm.filled, 0);
    sy_admission_fini(&f->adm);
    test_mem_fini(&f->tm);
}

/* Connection i: own ID, own IP in an own prefix. */
static sy_err admit(fixture *f, size_t i, sy_peer_class peer_class) {
    const sy_admission_request request = {peer_class, id_of(i), ip_of((uint8_t)i, 1)};
    sy_detail_clear(&f->detail);
    return sy_admission_admit(&f->adm, &request, &f->tickets[i], &f->detail);
}

static sy_err admit_from(fixture *f, size_t i, sy_peer_class peer_class, uint64_t id, uint8_t net,
                         uint8_t host) {
    const sy_admission_request request = {peer_class, id_of(id), ip_of(net, host)};
    sy_detail_clear(&f->detail);
    return sy_admission_admit(&f->adm, &request, &f->tickets[i], &f->detail);
}

/* SPEC-TEST SW-13 */
Test(admission, class_is_the_first_that_fits) {
    for (int bits = 0; bits < 8; bits++) {
        const bool outbound = (bits & 1) != 0;
        const bool persistent = (bits & 2) != 0;
        const bool unconditional = (bits & 4) != 0;
        const sy_peer_class expected = unconditional ? SY_PEER_UNCONDITIONAL
                                       : persistent  ? SY_PEER_PERSISTENT
                                       : outbound    ? SY_PEER_OUTBOUND
                                                     : SY_PEER_INBOUND;
        cr_expect_eq(sy_peer_class_of(outbound, persistent, unconditional), expected, "%d", bits);
    }
    cr_expect_str_eq(sy_peer_class_name(SY_PEER_INBOUND), "inbound");
    cr_expect_str_eq(sy_peer_class_name(SY_PEER_OUTBOUND), "outbound");
    cr_expect_str_eq(sy_peer_class_name(SY_PEER_PERSISTENT), "persistent");
    cr_expect_str_eq(sy_peer_class_name(SY_PEER_UNCONDITIONAL), "unconditional");
}

/* SPEC-TEST SW-14 SW-15 SW-17: limits at 2 and 1; the others do not count in them. */
Test(admission, limits_of_inbound_and_outbound) {
    fixture f;
    open_ledger(&f, (sy_admission_limits){.max_inbound = 2, .max_outbound = 1, .total = 50});
    cr_expect_eq(admit(&f, 10, SY_PEER_PERSISTENT), SY_OK);
    cr_expect_eq(admit(&f, 11, SY_PEER_UNCONDITIONAL), SY_OK);
    cr_expect_eq(admit(&f, 1, SY_PEER_INBOUND), SY_OK);
    cr_expect_eq(admit(&f, 2, SY_PEER_INBOUND), SY_OK);
    cr_expect_eq(admit(&f, 3, SY_PEER_INBOUND), SY_ERR_ADMIT_FULL);
    cr_expect(strstr(f.detail.text, "max_num_inbound_peers = 2") != NULL, "%s", f.detail.text);
    cr_expect_not(f.tickets[3].held);
    cr_expect_eq(admit(&f, 4, SY_PEER_OUTBOUND), SY_OK);
    cr_expect_eq(admit(&f, 5, SY_PEER_OUTBOUND), SY_ERR_ADMIT_FULL);
    cr_expect(strstr(f.detail.text, "max_num_outbound_peers = 1") != NULL, "%s", f.detail.text);
    cr_expect_eq(admit(&f, 12, SY_PEER_PERSISTENT), SY_OK);
    cr_expect_eq(admit(&f, 13, SY_PEER_UNCONDITIONAL), SY_OK);

    sy_admission_release(&f.adm, &f.tickets[1]);
    sy_admission_release(&f.adm, &f.tickets[1]); /* harmless */
    cr_expect_eq(admit(&f, 3, SY_PEER_INBOUND), SY_OK);
    cr_expect_eq(admit(&f, 1, SY_PEER_INBOUND), SY_ERR_ADMIT_FULL);
    close_ledger(&f);
}

/* SPEC-TEST SW-18 */
Test(admission, total_binds_every_class) {
    for (int c = 0; c < SY_PEER_CLASS_COUNT; c++) {
        fixture f;
        open_ledger(&f, (sy_admission_limits){.max_inbound = 9, .max_outbound = 9, .total = 3});
        for (size_t i = 1; i <= 3; i++) {
            cr_expect_eq(admit(&f, i, (sy_peer_class)c), SY_OK);
        }
        for (int other = 0; other < SY_PEER_CLASS_COUNT; other++) {
            cr_expect_eq(admit(&f, 4, (sy_peer_class)other), SY_ERR_ADMIT_TOTAL);
            cr_expect(strstr(f.detail.text, "total_connections = 3") != NULL, "%s", f.detail.text);
        }
        close_ledger(&f);
    }
}

Test(admission, total_zero_is_the_sum) {
    fixture f;
    sy_admission_counts counts;
    open_ledger(&f, (sy_admission_limits){.max_inbound = 2, .max_outbound = 1, .reserved = 3});
    sy_admission_get_counts(&f.adm, &counts);
    cr_expect_eq(counts.total_limit, 6);
    cr_expect_eq(counts.reserved_unfilled, 3);
    const sy_admission_limits huge = {.max_inbound = SIZE_MAX, .max_outbound = 2};
    sy_admission_set_limits(&f.adm, &huge);
    sy_admission_get_counts(&f.adm, &counts);
    cr_expect_eq(counts.total_limit, SIZE_MAX);
    close_ledger(&f);
}

/* SPEC-TEST SW-19: 5 places, 2 reserved. */
Test(admission, reservations_are_left_free) {
    fixture f;
    open_ledger(
        &f, (sy_admission_limits){.max_inbound = 9, .max_outbound = 9, .total = 5, .reserved = 2});
    cr_expect_eq(admit(&f, 1, SY_PEER_INBOUND), SY_OK);
    cr_expect_eq(admit(&f, 2, SY_PEER_OUTBOUND), SY_OK);
    cr_expect_eq(admit(&f, 3, SY_PEER_INBOUND), SY_OK);
    cr_expect_eq(admit(&f, 4, SY_PEER_INBOUND), SY_ERR_ADMIT_FULL);
    cr_expect(strstr(f.detail.text, "last 2 kept") != NULL, "%s", f.detail.text);
    cr_expect_eq(admit(&f, 4, SY_PEER_OUTBOUND), SY_ERR_ADMIT_FULL);
    cr_expect_eq(admit(&f, 20, SY_PEER_PERSISTENT), SY_OK);
    cr_expect_eq(admit(&f, 4, SY_PEER_INBOUND), SY_ERR_ADMIT_FULL);
    cr_expect_eq(admit(&f, 21, SY_PEER_UNCONDITIONAL), SY_OK);
    cr_expect_eq(admit(&f, 4, SY_PEER_INBOUND), SY_ERR_ADMIT_TOTAL);

    /* A reserved place that is left becomes reserved again. */
    sy_admission_release(&f.adm, &f.tickets[20]);
    cr_expect_eq(admit(&f, 4, SY_PEER_INBOUND), SY_ERR_ADMIT_FULL);
    sy_admission_release(&f.adm, &f.tickets[1]);
    cr_expect_eq(admit(&f, 4, SY_PEER_INBOUND), SY_OK);
    close_ledger(&f);
}

/* SPEC-TEST SW-19: two connections of one ID (a crossed dial) fill one reservation. */
Test(admission, a_second_connection_of_an_id_fills_no_other_reservation) {
    fixture f;
    open_ledger(
        &f, (sy_admission_limits){.max_inbound = 9, .max_outbound = 9, .total = 4, .reserved = 2});
    cr_expect_eq(admit_from(&f, 1, SY_PEER_PERSISTENT, 100, 1, 1), SY_OK);
    cr_expect_eq(admit_from(&f, 2, SY_PEER_PERSISTENT, 100, 1, 1), SY_OK);
    sy_admission_counts counts;
    sy_admission_get_counts(&f.adm, &counts);
    cr_expect_eq(counts.reserved_unfilled, 1);
    cr_expect_eq(admit(&f, 3, SY_PEER_INBOUND), SY_OK);
    cr_expect_eq(admit(&f, 4, SY_PEER_INBOUND), SY_ERR_ADMIT_FULL);
    sy_admission_release(&f.adm, &f.tickets[1]);
    sy_admission_get_counts(&f.adm, &counts);
    cr_expect_eq(counts.reserved_unfilled, 1, "the other one still fills it");
    close_ledger(&f);
}

/* SPEC-TEST SW-20 SW-57 */
Test(admission, per_ip_and_per_prefix) {
    fixture f;
    open_ledger(&f,
                (sy_admission_limits){
                    .max_inbound = 40, .max_outbound = 10, .max_per_ip = 1, .max_per_prefix = 3});
    cr_expect_eq(admit_from(&f, 1, SY_PEER_INBOUND, 1, 7, 1), SY_OK);
    cr_expect_eq(admit_from(&f, 2, SY_PEER_INBOUND, 2, 7, 1), SY_ERR_ADMIT_IP);
    cr_expect(strstr(f.detail.text, "max_per_ip = 1") != NULL, "%s", f.detail.text);
    cr_expect_eq(admit_from(&f, 2, SY_PEER_OUTBOUND, 2, 7, 1), SY_ERR_ADMIT_IP);
    cr_expect_eq(admit_from(&f, 2, SY_PEER_INBOUND, 1, 7, 1), SY_OK, "the same ID");
    sy_admission_release(&f.adm, &f.tickets[2]);
    cr_expect_eq(admit_from(&f, 2, SY_PEER_PERSISTENT, 2, 7, 1), SY_OK, "exempt");
    cr_expect_eq(admit_from(&f, 3, SY_PEER_UNCONDITIONAL, 3, 7, 1), SY_OK, "exempt");
    cr_expect_eq(sy_admission_ip_count(&f.adm, &f.tickets[1].remote), 3);
    cr_expect_eq(sy_admission_prefix_count(&f.adm, &f.tickets[1].remote), 3);
    cr_expect_eq(admit_from(&f, 4, SY_PEER_INBOUND, 4, 7, 2), SY_ERR_ADMIT_PREFIX);
    cr_expect(strstr(f.detail.text, "max_per_prefix = 3") != NULL, "%s", f.detail.text);
    cr_expect_eq(admit_from(&f, 4, SY_PEER_INBOUND, 4, 8, 1), SY_OK, "another prefix");
    sy_admission_release(&f.adm, &f.tickets[3]);
    cr_expect_eq(admit_from(&f, 3, SY_PEER_INBOUND, 5, 7, 2), SY_OK);
    close_ledger(&f);
}

Test(admission, port_does_not_matter) {
    fixture f;
    open_ledger(&f, (sy_admission_limits){.max_inbound = 40, .max_per_ip = 1});
    sy_admission_request request = {SY_PEER_INBOUND, id_of(1), ip_of(1, 1)};
    cr_expect_eq(sy_admission_admit(&f.adm, &request, &f.tickets[1], NULL), SY_OK);
    request.id = id_of(2);
    request.remote.port = 999;
    cr_expect_eq(sy_admission_may_admit(&f.adm, &request, NULL), SY_ERR_ADMIT_IP);
    close_ledger(&f);
}

Test(admission, without_memory_nothing_is_counted) {
    fixture f;
    open_ledger(&f, (sy_admission_limits){.max_inbound = 1});
    f.tm.fail_at = 1;
    cr_expect_eq(admit(&f, 1, SY_PEER_INBOUND), SY_ERR_NOMEM);
    cr_expect_not(f.tickets[1].held);
    cr_expect_eq(f.adm.used[SY_PEER_INBOUND], 0);
    f.tm.fail_at = 0;
    cr_expect_eq(admit(&f, 1, SY_PEER_INBOUND), SY_OK);
    close_ledger(&f);
}

/* Lower limits: inbound leaves before outbound, and both before what is reserved for others. */
Test(admission, over_names_the_lowest_class) {
    fixture f;
    sy_peer_class over = SY_PEER_UNCONDITIONAL;
    open_ledger(&f, (sy_admission_limits){.max_inbound = 4, .max_outbound = 4, .total = 20});
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(admit(&f, i, SY_PEER_INBOUND), SY_OK);
        cr_assert_eq(admit(&f, 10 + i, SY_PEER_OUTBOUND), SY_OK);
        cr_assert_eq(admit(&f, 20 + i, SY_PEER_PERSISTENT), SY_OK);
    }
    cr_expect_not(sy_admission_over(&f.adm, &over));

    const struct {
        sy_admission_limits limits;
        size_t left[3]; /* in, out, persistent */
    } rows[] = {
        {{.max_inbound = 3, .max_outbound = 4, .total = 20}, {3, 4, 4}},
        {{.max_inbound = 3, .max_outbound = 2, .total = 20}, {3, 2, 4}},
        {{.max_inbound = 3, .max_outbound = 2, .total = 9, .reserved = 4}, {3, 2, 4}},
        {{.max_inbound = 3, .max_outbound = 2, .total = 9, .reserved = 5}, {2, 2, 4}},
        {{.max_inbound = 3, .max_outbound = 2, .total = 5, .reserved = 4}, {0, 1, 4}},
        {{.max_inbound = 3, .max_outbound = 2, .total = 4, .reserved = 9}, {0, 0, 4}},
        {{.max_inbound = 3, .max_outbound = 2, .total = 3, .reserved = 9}, {0, 0, 3}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        sy_admission_set_limits(&f.adm, &rows[r].limits);
        for (int guard = 0; sy_admission_over(&f.adm, &over) && guard < 20; guard++) {
            for (size_t i = 64; i-- > 0;) {
                if (f.tickets[i].held && f.tickets[i].peer_class == over) {
                    sy_admission_release(&f.adm, &f.tickets[i]);
                    break;
                }
            }
        }
        for (int c = 0; c < 3; c++) {
            cr_expect_eq(f.adm.used[c], rows[r].left[c], "row %zu class %d: %zu", r, c,
                         f.adm.used[c]);
        }
    }
    close_ledger(&f);
}

Test(admission, check_ticket_after_a_lower_limit) {
    fixture f;
    open_ledger(&f, (sy_admission_limits){.max_inbound = 9});
    cr_assert_eq(admit_from(&f, 1, SY_PEER_INBOUND, 1, 7, 1), SY_OK);
    cr_assert_eq(admit_from(&f, 2, SY_PEER_INBOUND, 2, 7, 1), SY_OK);
    cr_assert_eq(admit_from(&f, 3, SY_PEER_INBOUND, 3, 7, 2), SY_OK);
    cr_expect_eq(sy_admission_check_ticket(&f.adm, &f.tickets[1]), SY_OK);
    sy_admission_set_limits(&f.adm, &(sy_admission_limits){.max_inbound = 9, .max_per_ip = 1});
    cr_expect_eq(sy_admission_check_ticket(&f.adm, &f.tickets[1]), SY_ERR_ADMIT_IP);
    cr_expect_eq(sy_admission_check_ticket(&f.adm, &f.tickets[3]), SY_OK);
    sy_admission_release(&f.adm, &f.tickets[2]);
    cr_expect_eq(sy_admission_check_ticket(&f.adm, &f.tickets[1]), SY_OK);
    sy_admission_set_limits(&f.adm, &(sy_admission_limits){.max_inbound = 9, .max_per_prefix = 1});
    cr_expect_eq(sy_admission_check_ticket(&f.adm, &f.tickets[1]), SY_ERR_ADMIT_PREFIX);
    sy_admission_reclass(&f.adm, &f.tickets[1], SY_PEER_PERSISTENT);
    cr_expect_eq(sy_admission_check_ticket(&f.adm, &f.tickets[1]), SY_OK, "exempt");
    close_ledger(&f);
}

/* ---- The property -----------------------------------------------------------------------------*/

enum {
    LIVE_MAX = 48
};

typedef struct oracle {
    sy_admission_ticket live[LIVE_MAX];
    sy_admission_limits limits;
} oracle;

static bool favoured(sy_peer_class c) {
    return c == SY_PEER_PERSISTENT || c == SY_PEER_UNCONDITIONAL;
}

static size_t oracle_class(const oracle *o, sy_peer_class c) {
    size_t n = 0;
    for (size_t i = 0; i < LIVE_MAX; i++) {
        n += o->live[i].held && o->live[i].peer_class == c ? 1 : 0;
    }
    return n;
}

static size_t oracle_total(const oracle *o) {
    size_t n = 0;
    for (int c = 0; c < SY_PEER_CLASS_COUNT; c++) {
        n += oracle_class(o, (sy_peer_class)c);
    }
    return n;
}

static size_t oracle_unfilled(const oracle *o) {
    size_t distinct = 0;
    for (size_t i = 0; i < LIVE_MAX; i++) {
        bool counts = o->live[i].held && favoured(o->live[i].peer_class);
        for (size_t j = 0; j < i && counts; j++) {
            counts = !(o->live[j].held && favoured(o->live[j].peer_class) &&
                       sy_node_id_equal(&o->live[i].id, &o->live[j].id));
        }
        distinct += counts ? 1 : 0;
    }
    return o->limits.reserved > distinct ? o->limits.reserved - distinct : 0;
}

static size_t oracle_total_limit(const oracle *o) {
    return o->limits.total != 0
               ? o->limits.total
               : o->limits.max_inbound + o->limits.max_outbound + o->limits.reserved;
}

static sy_err oracle_verdict(const oracle *o, const sy_admission_request *r) {
    size_t same_ip = 0;
    size_t same_prefix = 0;
    const sy_endpoint prefix = sy_endpoint_prefix(&r->remote);
    for (size_t i = 0; i < LIVE_MAX; i++) {
        if (!o->live[i].held || sy_node_id_equal(&o->live[i].id, &r->id)) {
            continue;
        }
        const sy_endpoint other = sy_endpoint_prefix(&o->live[i].remote);
        same_ip += sy_endpoint_same_ip(&o->live[i].remote, &r->remote) ? 1 : 0;
        same_prefix += sy_endpoint_same_ip(&other, &prefix) ? 1 : 0;
    }
    const size_t total = oracle_total(o);
    if (total >= oracle_total_limit(o)) {
        return SY_ERR_ADMIT_TOTAL;
    }
    if (favoured(r->peer_class)) {
        return SY_OK;
    }
    const size_t max =
        r->peer_class == SY_PEER_INBOUND ? o->limits.max_inbound : o->limits.max_outbound;
    if (oracle_class(o, r->peer_class) >= max ||
        total + oracle_unfilled(o) >= oracle_total_limit(o)) {
        return SY_ERR_ADMIT_FULL;
    }
    if (o->limits.max_per_ip != 0 && same_ip >= o->limits.max_per_ip) {
        return SY_ERR_ADMIT_IP;
    }
    if (o->limits.max_per_prefix != 0 && same_prefix >= o->limits.max_per_prefix) {
        return SY_ERR_ADMIT_PREFIX;
    }
    return SY_OK;
}

static sy_admission_limits draw_limits(sy_prng *prng) {
    return (sy_admission_limits){
        .max_inbound = sy_prng_below(prng, 15),
        .max_outbound = sy_prng_below(prng, 8),
        .total = sy_prng_below(prng, 3) == 0 ? 0 : sy_prng_below(prng, LIVE_MAX) + 1,
        .reserved = sy_prng_below(prng, 6),
        .max_per_ip = sy_prng_below(prng, 4),
        .max_per_prefix = sy_prng_below(prng, 8)};
}

static void expect_equal(const sy_admission *adm, const oracle *o, uint64_t seed, int step) {
    sy_admission_counts counts;
    sy_admission_get_counts(adm, &counts);
    for (int c = 0; c < SY_PEER_CLASS_COUNT; c++) {
        cr_assert_eq(counts.used[c], oracle_class(o, (sy_peer_class)c), "seed %d step %d",
                     (int)seed, step);
    }
    cr_assert_eq(counts.total_used, oracle_total(o));
    cr_assert_eq(counts.total_limit, oracle_total_limit(o));
    cr_assert_eq(counts.reserved_unfilled, oracle_unfilled(o), "seed %d step %d", (int)seed, step);
}

static void step_admit(sy_admission *adm, oracle *o, sy_prng *prng, uint64_t seed, int step) {
    const size_t slot = sy_prng_below(prng, LIVE_MAX);
    if (o->live[slot].held) {
        return;
    }
    const sy_admission_request request = {
        (sy_peer_class)sy_prng_below(prng, SY_PEER_CLASS_COUNT), id_of(sy_prng_below(prng, 20)),
        ip_of((uint8_t)sy_prng_below(prng, 4), (uint8_t)sy_prng_below(prng, 3))};
    const sy_err expected = oracle_verdict(o, &request);
    cr_assert_eq(sy_admission_may_admit(adm, &request, NULL), expected, "seed %d step %d",
                 (int)seed, step);
    cr_assert_eq(sy_admission_admit(adm, &request, &o->live[slot], NULL), expected);
    cr_assert_eq(o->live[slot].held, expected == SY_OK);
}

/* After new limits: what is over leaves, and then nothing is over any more. */
static void step_limits(sy_admission *adm, oracle *o, sy_prng *prng) {
    o->limits = draw_limits(prng);
    sy_admission_set_limits(adm, &o->limits);
    sy_peer_class over;
    int guard = 0;
    while (sy_admission_over(adm, &over)) {
        size_t i = 0;
        while (i < LIVE_MAX && !(o->live[i].held && o->live[i].peer_class == over)) {
            i++;
        }
        cr_assert_lt(i, (size_t)LIVE_MAX, "a class that is empty is over");
        sy_admission_release(adm, &o->live[i]);
        cr_assert_lt(guard++, LIVE_MAX);
    }
    for (size_t i = 0; i < LIVE_MAX; i++) {
        if (o->live[i].held && sy_admission_check_ticket(adm, &o->live[i]) != SY_OK) {
            sy_admission_release(adm, &o->live[i]);
        }
    }
}

/* SPEC-TEST SW-14 SW-15 SW-17 SW-18 SW-19 SW-20 SW-57: no history exceeds a limit, and the counts
 * are those of the oracle after each step. */
Test(admission, random_histories_never_exceed_a_limit) {
    test_mem tm;
    size_t refusals = 0;
    test_mem_init(&tm);
    for (uint64_t seed = 0; seed < 60; seed++) {
        sy_prng prng;
        sy_admission adm;
        oracle o;
        memset(&o, 0, sizeof o);
        sy_prng_init(&prng, seed);
        o.limits = draw_limits(&prng);
        sy_admission_init(&adm, &o.limits, &tm.mem, key);
        for (int step = 0; step < 1500; step++) {
            const uint64_t what = sy_prng_below(&prng, 100);
            const size_t slot = sy_prng_below(&prng, LIVE_MAX);
            const size_t before = oracle_total(&o);
            if (what < 70) {
                step_admit(&adm, &o, &prng, seed, step);
                refusals += oracle_total(&o) == before ? 1 : 0;
            } else if (what < 96) {
                sy_admission_release(&adm, &o.live[slot]);
            } else if (what < 98 && o.live[slot].held) {
                sy_admission_reclass(&adm, &o.live[slot],
                                     (sy_peer_class)sy_prng_below(&prng, SY_PEER_CLASS_COUNT));
            } else {
                step_limits(&adm, &o, &prng);
            }
            expect_equal(&adm, &o, seed, step);
            cr_assert(oracle_total(&o) <= oracle_total_limit(&o));
        }
        for (size_t i = 0; i < LIVE_MAX; i++) {
            sy_admission_release(&adm, &o.live[i]);
        }
        cr_assert_eq(adm.keys.used, 0);
        sy_admission_fini(&adm);
    }
    cr_expect_gt(refusals, 1000);
    test_mem_fini(&tm);
}
