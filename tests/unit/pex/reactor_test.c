/* SPDX-License-Identifier: Apache-2.0 */
/* What the reactor decides, looked at one decision at a time: the real book behind it, a table of
 * peers in front of it (rig.h). */
#include <criterion/criterion.h>

#include <string.h>

#include <switchyard/addr_book.h>

#include "tests/unit/pex/rig.h"

typedef struct fixture {
    sy_addr_book *book;
    sy_addr_source source; /* the book's, or a listener in front of it */
    sy_addr_source_ops ops;
    sy_pex_config config;
    rig_world world;
    rig *r;
} fixture;

static void open_book(fixture *fx) {
    sy_addr_book_settings settings;
    memset(fx, 0, sizeof *fx);
    sy_addr_book_settings_default(&settings);
    settings.network = "chain";
    settings.seed = 7;
    memset(settings.own_id.bytes, 0xee, sizeof settings.own_id.bytes);
    cr_assert_eq(sy_addr_book_new(&settings, &fx->book), SY_OK);
    fx->source = sy_addr_book_source(fx->book);
    fx->ops = *fx->source.ops;
    sy_pex_config_default(&fx->config);
    fx->config.source = fx->source;
    fx->config.max_outbound = 0; /* nobody is dialed unless a test says so */
    fx->config.feeler_period = 0;
}

static void start(fixture *fx) {
    fx->r = rig_new(&fx->config, &fx->world, 11, SY_SEC);
}

static void finish(fixture *fx) {
    rig_del(fx->r);
    sy_addr_book_del(fx->book);
}

static bool find(const fixture *fx, const sy_node_id *id, sy_addr_book_view *view) {
    return sy_addr_book_find(fx->book, id, view);
}

static void tell(fixture *fx, const sy_net_addr *addr) {
    const sy_addr_news news = {*addr, *addr, SY_ADDR_TOLD_OPERATOR, ""};
    const sy_addr_verdict verdict =
        fx->source.ops->add(fx->source.source, &news, (sy_walltime){RIG_T0});
    cr_assert_eq(verdict, SY_ADDR_ADDED);
}

/* ---- What is learned ---------------------------------------------------------------------------
 */

/* SPEC-TEST PEX-18 PEX-19: whatever an inbound peer says of itself, and whatever any peer lists,
 * has the remote address of its socket as source. */
Test(pex, source_is_the_socket) {
    static const struct {
        const char *listen; /* what it says */
        uint32_t ip;        /* what is kept */
        uint16_t port;
    } rows[] = {
        {"9.9.9.9:26656", RIG_IP(9, 9, 9, 9), 26656},
        {"tcp://9.9.9.9:1", RIG_IP(9, 9, 9, 9), 1},
        {"0.0.0.0:7", RIG_IP(5, 6, 7, 8), 7},
        {"host.example:8", RIG_IP(5, 6, 7, 8), 8},
        {":9", RIG_IP(5, 6, 7, 8), 9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture fx;
        open_book(&fx);
        start(&fx);
        const sy_net_addr node = rig_node(1, RIG_IP(5, 6, 7, 8));
        const sy_endpoint remote = rig_ip(RIG_IP(5, 6, 7, 8), 40000);
        cr_assert_neq(rig_accept(fx.r, &node.id, &remote, rows[i].listen, RIG_INBOUND), NULL);
        sy_addr_book_view view;
        cr_assert(find(&fx, &node.id, &view), "%s", rows[i].listen);
        const sy_endpoint kept = rig_ip(rows[i].ip, rows[i].port);
        cr_expect(sy_endpoint_equal(&view.addr.endpoint, &kept), "%s", rows[i].listen);
        cr_expect(sy_endpoint_equal(&view.source.endpoint, &remote), "%s", rows[i].listen);
        cr_expect(sy_node_id_equal(&view.source.id, &node.id), "%s", rows[i].listen);
        finish(&fx);
    }
}

Test(pex, source_of_a_list_is_the_socket) {
    fixture fx;
    open_book(&fx);
    start(&fx);
    const sy_net_addr node = rig_node(1, RIG_IP(5, 6, 7, 8));
    const sy_net_addr told = rig_node(2, RIG_IP(77, 1, 1, 1));
    sy_peer *peer = rig_accept(fx.r, &node.id, &node.endpoint, "9.9.9.9:26656", RIG_OUTBOUND);
    cr_assert_eq(rig_seen_of(peer).requests, 1);
    rig_list(fx.r, peer, &told, 1);
    sy_addr_book_view view;
    cr_assert(find(&fx, &told.id, &view));
    cr_expect(sy_endpoint_equal(&view.source.endpoint, &node.endpoint));
    finish(&fx);
}

/* A list of count addresses that nobody has told before, each in a group of its own. */
static void list_fresh(fixture *fx, sy_peer *peer, size_t count, uint32_t *next) {
    sy_net_addr list[SY_ADDR_SAMPLE_MAX];
    for (size_t i = 0; i < count; i++, ++*next) {
        list[i] = rig_node(1000 + *next, RIG_IP(64 + *next / 250, *next % 250, 1, 1));
    }
    rig_list(fx->r, peer, list, count);
}

static bool always(const void *source) {
    (void)source;
    return true;
}

/* An outbound peer is asked when it arrives, and answers once. */
static void tell_once(fixture *fx, uint64_t n, uint32_t ip, size_t count, uint32_t *next) {
    const sy_net_addr node = rig_node(n, ip);
    sy_peer *peer = rig_accept(fx->r, &node.id, &node.endpoint, "0.0.0.0:1", RIG_OUTBOUND);
    cr_assert_eq(rig_seen_of(peer).requests, 1);
    list_fresh(fx, peer, count, next);
    rig_drop(fx->r, peer, SY_ERR_REMOTE_CLOSED);
}

/* SPEC-TEST PEX-20: 1000 addresses of a source group at once, over all its connections, then one a
 * second; another group has its own share. */
Test(pex, addresses_of_a_source_group_are_limited) {
    fixture fx;
    open_book(&fx);
    fx.ops.wants_more = always;
    fx.config.source.ops = &fx.ops;
    start(&fx);
    uint32_t next = 0;
    for (uint32_t i = 0; i < 4; i++) {
        tell_once(&fx, 1 + i, RIG_IP(5, 6, i, 1), 250, &next);
        cr_expect_eq(rig_counts(fx.r).addrs_limited, 0, "list %u", i);
    }
    tell_once(&fx, 5, RIG_IP(5, 6, 99, 1), 1, &next);
    cr_expect_eq(rig_counts(fx.r).addrs_limited, 1, "the 1001st");
    const sy_net_addr node = rig_node(6, RIG_IP(5, 6, 98, 1));
    cr_assert_neq(rig_accept(fx.r, &node.id, &node.endpoint, "9.9.9.9:1", RIG_INBOUND), NULL);
    sy_addr_book_view view;
    cr_expect_not(find(&fx, &node.id, &view), "what an inbound peer says of itself counts too");

    tell_once(&fx, 7, RIG_IP(5, 7, 1, 1), 250, &next);
    cr_expect_eq(rig_counts(fx.r).addrs_limited, 1, "another group");

    rig_run_for(fx.r, 10 * SY_SEC);
    tell_once(&fx, 8, RIG_IP(5, 6, 7, 1), 12, &next);
    cr_expect_eq(rig_counts(fx.r).addrs_limited, 1 + 2, "ten seconds, ten addresses");
    cr_expect_eq(rig_counts(fx.r).addrs_in, 1000 + 1 + 250 + 12);
    finish(&fx);
}

/* SPEC-TEST PEX-21: whom we dialed is found at the endpoint that was connected; a persistent one is
 * put into the book; who dialed us proves nothing. */
Test(pex, dialed_peers_are_found) {
    fixture fx;
    open_book(&fx);
    fx.config.max_outbound = 1;
    const sy_net_addr known = rig_node(1, RIG_IP(5, 6, 7, 8));
    tell(&fx, &known);
    start(&fx);
    sy_addr_book_view view;
    cr_assert(find(&fx, &known.id, &view));
    cr_expect_not(view.tested);
    rig_run_for(fx.r, SY_SEC);
    cr_assert_neq(rig_find(fx.r, &known.id), NULL, "it was dialed");
    cr_assert(find(&fx, &known.id, &view));
    cr_expect(view.tested);

    const sy_net_addr persistent = rig_node(2, RIG_IP(6, 6, 7, 8));
    cr_assert_neq(
        rig_accept(fx.r, &persistent.id, &persistent.endpoint, "9.9.9.9:1", RIG_PERSISTENT), NULL);
    cr_assert(find(&fx, &persistent.id, &view), "it was not told by anybody");
    cr_expect(view.tested);
    cr_expect(sy_endpoint_equal(&view.addr.endpoint, &persistent.endpoint), "not as it says");

    const sy_net_addr operators = rig_node(3, RIG_IP(7, 6, 7, 8));
    cr_assert_neq(
        rig_accept(fx.r, &operators.id, &operators.endpoint, "7.6.7.8:26656", RIG_OUTBOUND), NULL);
    cr_expect_not(find(&fx, &operators.id, &view), "dialed once, not persistent");

    const sy_net_addr inbound = rig_node(4, RIG_IP(8, 6, 7, 8));
    cr_assert_neq(rig_accept(fx.r, &inbound.id, &inbound.endpoint, "8.6.7.8:26656", RIG_INBOUND),
                  NULL);
    cr_assert(find(&fx, &inbound.id, &view));
    cr_expect_not(view.tested);
    finish(&fx);
}

/* ---- Whom to dial ------------------------------------------------------------------------------
 */

typedef struct biases {
    sy_addr_source book;
    unsigned seen[64];
    size_t count;
} biases;

static biases heard;

static bool hear_pick(void *source, const sy_addr_query *query, sy_net_addr *ret_addr,
                      sy_walltime now) {
    heard.seen[heard.count++ % 64] = query->new_bias;
    return heard.book.ops->pick(source, query, ret_addr, now);
}

/* SPEC-TEST PEX-24: n counts the outbound peers and the dials under way. */
Test(pex, bias_to_untested_addresses) {
    static const unsigned expected[12] = {10, 20, 30, 40, 50, 60, 70, 80, 90, 90, 90, 90};
    for (size_t peers = 0; peers <= 3; peers++) {
        fixture fx;
        open_book(&fx);
        heard = (biases){.book = fx.source};
        fx.ops.pick = hear_pick;
        fx.config.source.ops = &fx.ops;
        fx.config.max_outbound = 12;
        start(&fx);
        for (uint32_t i = 0; i < peers; i++) {
            const sy_net_addr peer = rig_node(500 + i, RIG_IP(70 + i, 1, 1, 1));
            cr_assert_neq(rig_accept(fx.r, &peer.id, &peer.endpoint, "0.0.0.0:1", RIG_OUTBOUND),
                          NULL);
        }
        for (uint32_t i = 0; i < 30; i++) {
            const sy_net_addr addr = rig_node(1 + i, RIG_IP(20 + i, 1, 1, 1));
            tell(&fx, &addr);
        }
        rig_run_for(fx.r, 10 * SY_MSEC); /* no dial has ended yet */
        cr_assert_eq(heard.count, 12 - peers);
        for (size_t i = 0; i < heard.count; i++) {
            cr_expect_eq(heard.seen[i], expected[peers + i], "%zu peers, choice %zu: %u", peers, i,
                         heard.seen[i]);
        }
        finish(&fx);
    }
}

/* What a dial comes to in the next test. */
typedef struct ending {
    sy_err code;
    sy_stage stage;
} ending;

static sy_err end_dial(void *user, const sy_addr *addr, sy_stage *ret_stage) {
    const ending *end = user;
    (void)addr;
    *ret_stage = end->stage;
    return end->code;
}

typedef enum effect {
    NOTHING,
    FOUND,
    FAILED,
    REMOVED, /* may be told again */
    BANNED,  /* for a day */
    FOR_GOOD,
} effect;

static sy_addr_verdict tell_again(fixture *fx, const sy_net_addr *addr, sy_duration later) {
    const sy_addr_news news = {*addr, *addr, SY_ADDR_TOLD_HEARSAY, ""};
    const sy_walltime wall = {rig_wall(fx->r).unix_ns + (int64_t)later};
    return fx->source.ops->add(fx->source.source, &news, wall);
}

static void check_effect(fixture *fx, const sy_net_addr *addr, effect expected, const char *name) {
    sy_addr_book_view view;
    const bool there = find(fx, &addr->id, &view);
    cr_assert_eq(there, expected <= FAILED, "%s", name);
    if (there) {
        cr_expect_eq(view.tested, expected == FOUND, "%s", name);
        cr_expect_eq(view.attempts, expected == FAILED ? 1 : 0, "%s: %u", name, view.attempts);
        return;
    }
    const sy_addr_verdict now = tell_again(fx, addr, 0);
    cr_expect_eq(now, expected == REMOVED ? SY_ADDR_ADDED : SY_ADDR_BANNED, "%s", name);
    if (expected != REMOVED) {
        cr_expect_eq(tell_again(fx, addr, SY_DAY - SY_MIN), SY_ADDR_BANNED, "%s", name);
        cr_expect_eq(tell_again(fx, addr, SY_DAY + SY_MIN),
                     expected == BANNED ? SY_ADDR_ADDED : SY_ADDR_BANNED, "%s", name);
    }
}

/* SPEC-TEST PEX-26 */
Test(pex, what_a_failed_dial_says_of_an_address) {
    static const struct {
        const char *name;
        ending end;
        effect effect;
    } rows[] = {
        {"nobody listens", {SY_ERR_CONNECT, SY_STAGE_CONNECT}, FAILED},
        {"nobody answers", {SY_ERR_CONNECT_TIMEOUT, SY_STAGE_CONNECT}, FAILED},
        {"silence", {SY_ERR_HANDSHAKE_TIMEOUT, SY_STAGE_HANDSHAKE}, FAILED},
        {"closed", {SY_ERR_REMOTE_CLOSED, SY_STAGE_HANDSHAKE}, FAILED},
        {"our limit, before it said who it is", {SY_ERR_ADMIT_FULL, SY_STAGE_CONNECT}, NOTHING},
        {"our limit per IP", {SY_ERR_ADMIT_IP, SY_STAGE_CONNECT}, NOTHING},
        {"our limit, after its proof", {SY_ERR_ADMIT_FULL, SY_STAGE_IDENTITY}, FOUND},
        {"our shutdown", {SY_ERR_SHUTDOWN, SY_STAGE_CONNECT}, NOTHING},
        {"our memory", {SY_ERR_NOMEM, SY_STAGE_CONNECT}, NOTHING},
        {"another node", {SY_ERR_ID_MISMATCH, SY_STAGE_IDENTITY}, REMOVED},
        {"another network", {SY_ERR_NI_NETWORK, SY_STAGE_NODE_INFO}, BANNED},
        {"another block version", {SY_ERR_NI_BLOCK_VERSION, SY_STAGE_NODE_INFO}, BANNED},
        {"nothing in common", {SY_ERR_NI_NO_COMMON_CHANNEL, SY_STAGE_NODE_INFO}, BANNED},
        {"ourselves", {SY_ERR_SELF, SY_STAGE_IDENTITY}, FOR_GOOD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture fx;
        ending end = rows[i].end;
        open_book(&fx);
        fx.config.max_outbound = 1;
        fx.world = (rig_world){.user = &end, .dial = end_dial};
        const sy_net_addr addr = rig_node(1, RIG_IP(5, 6, 7, 8));
        tell(&fx, &addr);
        start(&fx);
        rig_run_for(fx.r, RIG_LATENCY + SY_MSEC); /* one dial, and its end */
        cr_assert_eq(rig_dial_count(fx.r), 1, "%s", rows[i].name);
        cr_expect_eq(rig_dial_at(fx.r, 0)->kind, SY_DIAL_LEARNED);
        check_effect(&fx, &addr, rows[i].effect, rows[i].name);
        finish(&fx);
    }
}

/* SPEC-TEST SEED-08: while our own versions are not known, another block version says nothing. */
Test(pex, block_version_counts_when_ours_is_known) {
    for (int known = 0; known < 2; known++) {
        fixture fx;
        ending end = {SY_ERR_NI_BLOCK_VERSION, SY_STAGE_NODE_INFO};
        open_book(&fx);
        fx.config.max_outbound = 1;
        fx.config.versions_open = true;
        fx.world = (rig_world){.user = &end, .dial = end_dial};
        const sy_net_addr addr = rig_node(1, RIG_IP(5, 6, 7, 8));
        tell(&fx, &addr);
        start(&fx);
        if (known == 1) {
            sy_pex_versions_known(rig_pex(fx.r));
        }
        rig_run_for(fx.r, RIG_LATENCY + SY_MSEC);
        cr_assert_eq(rig_dial_count(fx.r), 1);
        check_effect(&fx, &addr, known == 1 ? BANNED : NOTHING, known == 1 ? "known" : "open");
        finish(&fx);
    }
}

/* SPEC-TEST PEX-28: three of four places, at most 8, of those that have stayed longest. */
Test(pex, anchors_are_the_oldest_three_of_four) {
    static const struct {
        size_t target;
        size_t kept;
    } rows[] = {{1, 1}, {2, 2}, {3, 3}, {4, 3}, {8, 6}, {10, 8}, {12, 8}, {40, 8}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture fx;
        open_book(&fx);
        fx.config.max_outbound = rows[i].target;
        start(&fx);
        for (uint32_t k = 0; k < rows[i].target; k++) {
            const sy_net_addr peer = rig_node(1 + k, RIG_IP(5 + k, 1, 1, 1));
            cr_assert_neq(rig_accept(fx.r, &peer.id, &peer.endpoint, "0.0.0.0:1", RIG_OUTBOUND),
                          NULL);
            rig_run_for(fx.r, SY_SEC);
        }
        rig_del(fx.r);
        sy_net_addr anchors[SY_ADDR_ANCHORS_MAX];
        const size_t count = fx.source.ops->anchors(fx.source.source, anchors, SY_ADDR_ANCHORS_MAX);
        cr_expect_eq(count, rows[i].kept, "%zu: %zu", rows[i].target, count);
        for (size_t k = 0; k < count; k++) {
            const sy_net_addr peer = rig_node(1 + k, RIG_IP(5 + (uint32_t)k, 1, 1, 1));
            cr_expect(sy_node_id_equal(&anchors[k].id, &peer.id), "%zu: %zu", rows[i].target, k);
        }
        sy_addr_book_del(fx.book);
    }
}

/* ---- The seed ----------------------------------------------------------------------------------
 */

/* SPEC-TEST SEED-05: the seeds of a seed are for an empty book, and every 5 min at most. */
Test(pex, a_seed_with_an_empty_book_asks_its_seeds) {
    for (int known = 0; known < 2; known++) {
        fixture fx;
        ending end = {SY_ERR_CONNECT, SY_STAGE_CONNECT};
        open_book(&fx);
        fx.config.seed_mode = true;
        fx.config.max_outbound = 8;
        fx.world = (rig_world){.user = &end, .dial = end_dial};
        sy_addr seed;
        const char text[] = "00112233445566778899aabbccddeeff00112233@5.6.7.8:26656";
        cr_assert_eq(sy_addr_parse(text, sizeof text - 1, SY_ADDR_ID_REQUIRED, &seed, NULL), SY_OK);
        fx.config.seeds = &seed;
        fx.config.seed_count = 1;
        const sy_net_addr other = rig_node(1, RIG_IP(9, 9, 9, 9));
        if (known == 1) {
            tell(&fx, &other);
        }
        start(&fx);
        sy_time last = 0;
        for (int minute = 0; minute < 60; minute++) {
            rig_run_for(fx.r, SY_MIN);
        }
        const uint64_t dials = rig_counts(fx.r).seed_dials;
        cr_expect(known == 1 ? dials == 0 : dials >= 10 && dials <= 13, "%d: %llu", known,
                  (unsigned long long)dials);
        for (size_t i = 0; i < rig_dial_count(fx.r); i++) {
            const rig_dialed *dial = rig_dial_at(fx.r, i);
            const bool is_seed = sy_node_id_equal(&dial->addr.id, &seed.id);
            cr_expect_eq(is_seed, known == 0);
            if (is_seed && last != 0) {
                cr_expect_geq(last - dial->at, 5 * SY_MIN);
            }
            last = is_seed ? dial->at : last;
        }
        finish(&fx);
    }
}
