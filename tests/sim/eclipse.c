/* SPDX-License-Identifier: Apache-2.0 */
/* How many outbound peers of a node can an attacker become who owns g address groups and says as
 * much as the protocol lets it say?  The real reactor and the real book on a table instead of a
 * switch (tests/unit/pex/rig.h); the same attack on a book without the rules of ours beside it.
 *
 *     sim_eclipse [--seeds N] [--groups G] [--verbose]
 *
 * One run: the node knows 256 honest groups and has its outbound peers.  The attacker has behaved
 * for long: the node has tested 16 addresses in each of its groups.  Then, from each group:
 *
 *   - connections come and go under fresh IDs, as many as the node listens to: 1000 at once and one
 *     each second.  Three of four name a listen address that is not theirs, in an honest group
 * where nobody answers: so that what is known of that group is mostly false; the others one of
 * their own, where somebody answers;
 *   - whoever is asked answers 250 addresses of the same kinds.
 *
 * Honest peers lose a connection every 6 hours and half of them do not come back; the attacker's
 * stay for ever.  The node is restarted twice, from its files.  Then its places are counted.
 *
 * SPEC-TEST BOOK-35: the bound, max(1, 2g/256 of the places) for 95 of 100 seeds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/addr_book.h>

#include "base/prng.h"
#include "tests/sim/plain_book.h"
#include "tests/unit/pex/rig.h"

#define TARGET        10
#define HONEST_GROUPS 256
#define PER_GROUP     3 /* honest nodes */
#define HONEST        (HONEST_GROUPS * PER_GROUP)
#define TESTED        16 /* of the attacker's, per group, at the beginning */
#define GROUPS_MAX    64
#define SEEDS_MAX     100
#define TICK          (10 * SY_SEC)
#define BURST_TICKS   6             /* the 1000 come within a minute */
#define LIFE          (6 * SY_HOUR) /* of an honest connection */

/* Node numbers: who somebody is stands in its ID. */
#define IS_LIVE ((uint64_t)1 << 40)
#define IS_FAKE ((uint64_t)1 << 41)

typedef struct world {
    uint64_t seed;
    size_t groups; /* the attacker's */
    bool plain;
    sy_prng prng;
    rig *r;
    sy_addr_book *book;
    plain_book *plain_book;
    sy_addr_source source;
    bool gone[HONEST];
    uint32_t live_next[GROUPS_MAX];
    uint64_t fake_next;
    uint64_t told;
} world;

static void check(bool ok, const char *what) {
    if (!ok) {
        (void)fprintf(stderr, "FAILED: %s\n", what);
        abort();
    }
}

static uint64_t draw(world *w, uint64_t bound) {
    return sy_prng_below(&w->prng, bound);
}

/* ---- Who is where ------------------------------------------------------------------------------
 */

static uint32_t honest_net(uint64_t group) {
    return RIG_IP(20 + (uint32_t)group / 16, (uint32_t)group % 16 * 8, 0, 0);
}

static sy_net_addr honest_node(uint64_t n) {
    return rig_node(n, honest_net(n % HONEST_GROUPS) | (uint32_t)(n / HONEST_GROUPS + 1));
}

static sy_net_addr live_node(uint64_t group, uint64_t k) {
    const uint32_t net = RIG_IP(120 + (uint32_t)group / 16, (uint32_t)group % 16 * 8 + 3, 0, 0);
    return rig_node(IS_LIVE | group << 20 | k, net | (uint32_t)(k & 0xffff));
}

static sy_net_addr fake_node(world *w) {
    const uint32_t net = honest_net(draw(w, HONEST_GROUPS));
    return rig_node(IS_FAKE | w->fake_next++, net | 0x8000 | (uint32_t)draw(w, 0x7fff));
}

static uint64_t number_of(const sy_node_id *id) {
    uint64_t n;
    memcpy(&n, id->bytes, sizeof n);
    return n;
}

/* Another address of the attacker's: one in four is true. */
static sy_net_addr attackers_word(world *w, uint64_t group) {
    return draw(w, 4) == 0 ? live_node(group, w->live_next[group]++ & 0xffff) : fake_node(w);
}

static sy_err on_dial(void *user, const sy_addr *addr, sy_stage *ret_stage) {
    const world *w = user;
    const uint64_t n = number_of(&addr->id);
    *ret_stage = SY_STAGE_CONNECT;
    if ((n & IS_FAKE) != 0) {
        return SY_ERR_CONNECT_TIMEOUT;
    }
    const bool live = (n & IS_LIVE) != 0;
    const sy_net_addr there = live ? live_node(n >> 20 & 0xff, n & 0xfffff) : honest_node(n);
    if (!sy_endpoint_equal(&there.endpoint, &addr->endpoint) || (!live && w->gone[n])) {
        return SY_ERR_CONNECT;
    }
    return SY_OK;
}

static void on_asked(void *user, rig *r, sy_peer *peer) {
    world *w = user;
    sy_net_addr list[SY_ADDR_SAMPLE_MAX];
    const uint64_t n = number_of(sy_peer_id(peer));
    for (size_t i = 0; i < SY_ADDR_SAMPLE_MAX; i++) {
        list[i] =
            (n & IS_LIVE) != 0 ? attackers_word(w, n >> 20 & 0xff) : honest_node(draw(w, HONEST));
    }
    rig_list(r, peer, list, SY_ADDR_SAMPLE_MAX);
}

/* ---- The node ----------------------------------------------------------------------------------
 */

static void make_book(world *w) {
    sy_addr_book_settings settings;
    sy_addr_book_settings_default(&settings);
    settings.network = "chain";
    settings.seed = draw(w, UINT64_MAX);
    memcpy(settings.random, &w->seed, sizeof w->seed);
    memset(settings.own_id.bytes, 0xee, sizeof settings.own_id.bytes);
    check(sy_addr_book_new(&settings, &w->book) == SY_OK, "the book");
    w->source = sy_addr_book_source(w->book);
}

static void start(world *w, sy_time now) {
    const rig_world others = {.user = w, .dial = on_dial, .asked = on_asked};
    sy_pex_config config;
    sy_pex_config_default(&config);
    config.source = w->source;
    config.max_outbound = TARGET;
    if (w->plain) {
        config.feeler_period = 0;
    }
    w->r = rig_new(&config, &others, draw(w, UINT64_MAX), now);
}

/* A new process: what is left is in the files. */
static void restart(world *w) {
    const sy_time now = rig_now(w->r);
    rig_del(w->r);
    if (!w->plain) {
        sy_addr_book *old = w->book;
        sy_detail detail;
        char *text;
        char *notes;
        size_t len;
        size_t notes_len;
        check(sy_addr_book_write(old, SY_BOOK_COMETBFT, &text, &len) == SY_OK, "write");
        check(sy_addr_book_write_notes(old, &notes, &notes_len) == SY_OK, "write notes");
        make_book(w);
        check(sy_addr_book_load(w->book, text, len, NULL, &detail) == SY_OK, "load");
        check(sy_addr_book_load_notes(w->book, notes, notes_len, &detail) == SY_OK, "load notes");
        sy_addr_book_text_del(old, text);
        sy_addr_book_text_del(old, notes);
        sy_addr_book_del(old);
    }
    start(w, now);
}

static void know(world *w, const sy_net_addr *addr, bool tested) {
    const sy_addr_news news = {*addr, *addr, SY_ADDR_TOLD_SELF, "cometbft"};
    const sy_walltime wall = {RIG_T0};
    (void)w->source.ops->add(w->source.source, &news, wall);
    if (tested) {
        w->source.ops->on_good(w->source.source, addr, "cometbft", wall);
    }
}

static size_t attackers_places(world *w) {
    sy_net_addr peers[64];
    size_t count = 0;
    const size_t all = rig_outbound(w->r, peers, 64);
    for (size_t i = 0; i < all; i++) {
        count += (number_of(&peers[i].id) & IS_LIVE) != 0;
    }
    return count;
}

/* ---- The attack --------------------------------------------------------------------------------
 */

/* One connection that says where it listens and goes again. */
static void visit(world *w, uint64_t group) {
    const sy_net_addr said = attackers_word(w, group);
    const sy_net_addr host = live_node(group, draw(w, 0x10000));
    char listen[SY_ENDPOINT_TEXT_CAP];
    (void)sy_endpoint_format(&said.endpoint, listen);
    w->told++;
    if (rig_find(w->r, &said.id) != NULL) {
        return;
    }
    sy_peer *peer = rig_accept(w->r, &said.id, &host.endpoint, listen, RIG_INBOUND);
    if (peer != NULL) {
        rig_drop(w->r, peer, SY_ERR_REMOTE_CLOSED);
    }
}

static void lose_connections(world *w) {
    sy_net_addr peers[64];
    const size_t count = rig_outbound(w->r, peers, 64);
    for (size_t i = 0; i < count; i++) {
        const uint64_t n = number_of(&peers[i].id);
        if ((n & IS_LIVE) != 0 || draw(w, LIFE / TICK) != 0) {
            continue;
        }
        w->gone[n] = draw(w, 2) == 0;
        rig_drop(w->r, rig_find(w->r, &peers[i].id), SY_ERR_REMOTE_CLOSED);
    }
}

static void attack(world *w, sy_duration duration, bool first) {
    const sy_time end = sy_time_after(rig_now(w->r), duration);
    for (unsigned tick = 0; rig_now(w->r) < end; tick++) {
        const size_t burst = first && tick < BURST_TICKS ? 1000 / BURST_TICKS : 0;
        for (size_t i = 0; i < w->groups * (burst + TICK / SY_SEC); i++) {
            visit(w, i % w->groups);
        }
        lose_connections(w);
        rig_run_for(w->r, TICK);
    }
}

static void prepare(world *w, size_t groups, bool plain, uint64_t seed) {
    *w = (world){.seed = seed, .groups = groups, .plain = plain};
    sy_prng_init(&w->prng, seed * 2 + plain);
    if (plain) {
        w->plain_book = plain_book_new(seed);
        w->source = plain_book_source(w->plain_book);
    } else {
        make_book(w);
    }
    for (uint64_t n = 0; n < HONEST; n++) {
        const sy_net_addr addr = honest_node(n);
        know(w, &addr, n < HONEST_GROUPS);
    }
    start(w, SY_SEC);
    rig_run_for(w->r, 10 * SY_MIN);
    sy_net_addr peers[64];
    check(rig_outbound(w->r, peers, 64) == TARGET, "the node has its peers before the attack");
    for (uint64_t group = 0; group < groups; group++) {
        for (uint64_t k = 0; k < TESTED; k++) {
            const sy_net_addr addr = live_node(group, k);
            know(w, &addr, true);
        }
        w->live_next[group] = TESTED;
    }
}

static size_t run_once(size_t groups, bool plain, uint64_t seed, bool verbose) {
    static world w;
    prepare(&w, groups, plain, seed);
    attack(&w, 30 * SY_MIN, true);
    for (int i = 0; i < 2; i++) {
        restart(&w);
        attack(&w, 15 * SY_MIN, false);
    }
    sy_net_addr peers[64];
    const size_t all = rig_outbound(w.r, peers, 64);
    const size_t places = attackers_places(&w);
    const sy_addr_sizes sizes = w.source.ops->sizes(w.source.source);
    if (verbose) {
        const sy_pex_counts counts = rig_counts(w.r);
        (void)printf("g=%zu %s seed=%llu: %zu of %zu; told %llu, limited %llu since the restart; "
                     "book %zu untested, %zu tested\n",
                     groups, plain ? "plain" : "ours", (unsigned long long)seed, places, all,
                     (unsigned long long)w.told, (unsigned long long)counts.addrs_limited,
                     sizes.untested, sizes.tested);
    }
    check(all >= TARGET - 2, "the node still has its peers");
    check(sizes.all <= SY_BOOK_SLOTS, "the book is inside its bound");
    rig_del(w.r);
    sy_addr_book_del(w.book);
    plain_book_del(w.plain_book);
    return places;
}

/* ---- The table ---------------------------------------------------------------------------------
 */

typedef struct result {
    size_t places[SEEDS_MAX]; /* sorted */
    double mean;
    size_t over; /* seeds above the bound */
} result;

static int by_size(const void *a, const void *b) {
    const size_t x = *(const size_t *)a;
    const size_t y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static size_t bound_of(size_t groups) {
    const size_t share = TARGET * 2 * groups / HONEST_GROUPS;
    return share > 1 ? share : 1;
}

static result run_all(size_t groups, bool plain, size_t seeds, bool verbose) {
    result res = {.mean = 0};
    for (size_t i = 0; i < seeds; i++) {
        res.places[i] = run_once(groups, plain, i + 1, verbose);
        res.mean += (double)res.places[i] / (double)seeds;
        res.over += res.places[i] > bound_of(groups);
    }
    qsort(res.places, seeds, sizeof res.places[0], by_size);
    return res;
}

/* The 95th percentile is inside the bound exactly when at most one run of twenty is above it. */
static bool show(size_t groups, size_t seeds, bool verbose) {
    const result ours = run_all(groups, false, seeds, verbose);
    const result plain = run_all(groups, true, seeds, verbose);
    const size_t at = seeds - seeds / 20 - 1;
    (void)printf("%6zu %6zu %8.2f %5zu %5zu %8.2f %5zu %5zu\n", groups, bound_of(groups), ours.mean,
                 ours.places[at], ours.places[seeds - 1], plain.mean, plain.places[at],
                 plain.places[seeds - 1]);
    (void)fflush(stdout);
    const bool inside = ours.places[at] <= bound_of(groups);
    /* One group gets next to nothing from either book: only many seeds tell them apart. */
    const bool telling = groups > 1 || seeds >= 50;
    const bool worse = !telling || (plain.mean > 2 * ours.mean &&
                                    (groups < 16 || plain.places[at] > bound_of(groups)));
    if (!inside) {
        (void)fprintf(stderr, "FAILED: %zu groups, %zu of %zu seeds over the bound\n", groups,
                      ours.over, seeds);
    }
    if (!worse) {
        (void)fprintf(stderr, "FAILED: %zu groups do no worse to the plain book\n", groups);
    }
    return inside && worse;
}

int main(int argc, char **argv) {
    static const size_t sizes[] = {1, 4, 16, 64};
    size_t seeds = 20;
    size_t only = 0;
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            seeds = (size_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--groups") == 0 && i + 1 < argc) {
            only = (size_t)strtoul(argv[++i], NULL, 10);
        } else {
            (void)fprintf(stderr, "usage: %s [--seeds 1..100] [--groups G] [--verbose]\n", argv[0]);
            return 2;
        }
    }
    if (seeds < 1 || seeds > SEEDS_MAX) {
        return 2;
    }
    (void)printf("outbound places of the attacker, of %d, over %zu seeds\n", TARGET, seeds);
    (void)printf("                  our book             plain book\n");
    (void)printf("groups  bound     mean   p95   max     mean   p95   max\n");
    bool ok = true;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (only == 0 || only == sizes[i]) {
            ok = show(sizes[i], seeds, verbose) && ok;
        }
    }
    return ok ? 0 : 1;
}
