/* SPDX-License-Identifier: Apache-2.0 */
/* A million addresses from hostile peers, first through the reactor (its validation and its limits
 * per source), then straight into a book that believes everybody.  Afterwards the book is inside
 * its bounds, what was tested is still there, and the work per address is what it was at the
 * beginning.
 *
 * Work is counted, not timed: hashes of the book (this program brings its own sy_hash, which
 * counts) and blocks of memory.  The rest of what an addition does is bounded by constants: it
 * walks the 64 cells of one bucket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <switchyard/addr_book.h>

#include "base/prng.h"
#include "p2p/addr_book_internal.h"
#include "tests/support/test_mem.h"
#include "tests/unit/pex/rig.h"

#define MILLION    ((size_t)1000000)
#define HONEST     256
#define HEARSAY    512 /* honest addresses that nobody has tested */
#define ATTACKERS  64  /* groups */
#define HASHES_MAX 16  /* per address */

static uint64_t hashes;

/* In the place of base/hash.c. */
uint64_t sy_hash(const void *data, size_t len, const uint8_t key[SY_HASH_KEY_LEN]) {
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t hash = 0;
    hashes++;
    (void)crypto_shorthash(out, data, len, key);
    for (size_t i = 0; i < sizeof out; i++) {
        hash |= (uint64_t)out[i] << (8 * i);
    }
    return hash;
}

static void check(bool ok, const char *what) {
    if (!ok) {
        (void)fprintf(stderr, "FAILED: %s\n", what);
        abort();
    }
}

typedef struct flood {
    test_mem tm;
    sy_addr_book *book;
    sy_addr_source source;
    sy_addr_source_ops ops;
    sy_prng prng;
    rig *r;
} flood;

/* Who is honest tells of itself, from its own group. */
static sy_net_addr honest_node(uint32_t n) {
    const uint32_t group = n % HONEST;
    return rig_node(1 + n, RIG_IP(20 + group / 16, group % 16 * 8, n / HONEST + 1, 1));
}

static void prepare(flood *f) {
    sy_addr_book_settings settings;
    memset(f, 0, sizeof *f);
    test_mem_init(&f->tm);
    sy_prng_init(&f->prng, 1);
    sy_addr_book_settings_default(&settings);
    settings.mem = &f->tm.mem;
    settings.network = "chain";
    settings.seed = 5;
    check(sy_addr_book_new(&settings, &f->book) == SY_OK, "the book");
    f->source = sy_addr_book_source(f->book);
    for (uint32_t n = 0; n < HONEST + HEARSAY; n++) {
        const sy_net_addr addr = honest_node(n);
        const sy_addr_news news = {addr, addr, SY_ADDR_TOLD_SELF, "cometbft"};
        const sy_walltime wall = {RIG_T0};
        check(f->source.ops->add(f->source.source, &news, wall) == SY_ADDR_ADDED, "honest");
        if (n < HONEST) {
            f->source.ops->on_good(f->source.source, &addr, "cometbft", wall);
        }
    }
}

static void finish(flood *f) {
    sy_addr_book_del(f->book);
    test_mem_fini(&f->tm);
}

/* Any address: often in an honest group, sometimes none that could be dialed. */
static sy_net_addr invent(flood *f) {
    const uint32_t ip = sy_prng_below(&f->prng, 2) == 0
                            ? RIG_IP(20 + (uint32_t)sy_prng_below(&f->prng, 16),
                                     8 * (uint32_t)sy_prng_below(&f->prng, 16), 0, 0) |
                                  (uint32_t)sy_prng_below(&f->prng, 65536)
                            : (uint32_t)sy_prng_below(&f->prng, (uint64_t)1 << 32);
    sy_net_addr addr = rig_node(((uint64_t)1 << 40) + sy_prng_below(&f->prng, MILLION), ip);
    if (sy_prng_below(&f->prng, 8) == 0) {
        addr.endpoint.port = 0;
    }
    return addr;
}

static sy_net_addr attacker(flood *f, size_t i) {
    const uint32_t group = (uint32_t)(i % ATTACKERS);
    return rig_node(((uint64_t)1 << 41) + i, RIG_IP(120 + group / 16, group % 16 * 8, 0, 0) |
                                                 (uint32_t)sy_prng_below(&f->prng, 65536));
}

typedef struct kept {
    size_t tested;
    size_t hearsay;
} kept;

static kept count_honest(const flood *f) {
    kept k = {0, 0};
    for (uint32_t n = 0; n < HONEST + HEARSAY; n++) {
        const sy_net_addr addr = honest_node(n);
        sy_addr_book_view view;
        const bool there = sy_addr_book_find(f->book, &addr.id, &view) &&
                           sy_endpoint_equal(&view.addr.endpoint, &addr.endpoint);
        k.tested += there && n < HONEST && view.tested;
        k.hearsay += there && n >= HONEST;
    }
    return k;
}

/* One row of the table, and what must hold of any book after any flood. */
static void judge(const flood *f, const char *name, double first, double last, size_t full_blocks) {
    const sy_addr_sizes sizes = f->source.ops->sizes(f->source.source);
    const kept k = count_honest(f);
    (void)printf("%-8s %9zu %7zu %9zu/%d %9zu/%d %10.2f %10.2f %9zu\n", name, sizes.untested,
                 sizes.tested, k.tested, HONEST, k.hearsay, HEARSAY, first, last,
                 f->tm.peak_bytes / 1024);
    check(sy_book_check(f->book), "the invariants of the book");
    check(sizes.all <= SY_BOOK_SLOTS, "the bound of the book");
    check(k.tested == HONEST, "what was tested is kept");
    check(k.hearsay >= HEARSAY * 9 / 10, "nine of ten honest addresses are kept untested");
    check(last <= HASHES_MAX, "the work per address is bounded");
    check(full_blocks == 0, "a full book takes no more memory");
}

/* ---- Straight into the book --------------------------------------------------------------------
 */

static double tell(flood *f, size_t count, size_t from) {
    const uint64_t before = hashes;
    for (size_t i = 0; i < count; i++) {
        const sy_net_addr teller = attacker(f, from + i);
        const sy_addr_news news = {invent(f), teller, SY_ADDR_TOLD_HEARSAY, "cometbft"};
        const sy_walltime wall = {RIG_T0 + (int64_t)((from + i) * SY_MSEC)};
        (void)f->source.ops->add(f->source.source, &news, wall);
    }
    return (double)(hashes - before) / (double)count;
}

static void flood_the_book(void) {
    static flood f;
    prepare(&f);
    const double first = tell(&f, MILLION / 100, 0);
    (void)tell(&f, MILLION * 89 / 100, MILLION / 100);
    const size_t blocks = f.tm.calls;
    const double last = tell(&f, MILLION / 10, MILLION * 9 / 10);
    judge(&f, "book", first, last, f.tm.calls - blocks);
    finish(&f);
}

/* ---- Through the reactor -----------------------------------------------------------------------
 */

static bool always(const void *source) {
    (void)source;
    return true;
}

/* Peers that we have dialed: each is asked as it comes, tells as much as a list may hold, and goes.
 */
static double lists(flood *f, size_t count, size_t from) {
    const uint64_t before = hashes;
    sy_net_addr list[SY_ADDR_SAMPLE_MAX];
    for (size_t told = 0; told < count; told += SY_ADDR_SAMPLE_MAX) {
        const sy_net_addr node = attacker(f, from + told);
        sy_peer *peer = rig_accept(f->r, &node.id, &node.endpoint, "0.0.0.0:1", RIG_OUTBOUND);
        check(peer != NULL && rig_seen_of(peer).requests == 1, "it is asked");
        for (size_t i = 0; i < SY_ADDR_SAMPLE_MAX; i++) {
            list[i] = invent(f);
        }
        rig_list(f->r, peer, list, SY_ADDR_SAMPLE_MAX);
        rig_drop(f->r, peer, SY_ERR_REMOTE_CLOSED);
        rig_run_for(f->r, SY_SEC);
    }
    return (double)(hashes - before) / (double)count;
}

static void flood_the_reactor(void) {
    static flood f;
    sy_pex_config config;
    prepare(&f);
    f.ops = *f.source.ops;
    f.ops.wants_more = always; /* else it would stop asking at 1000 addresses */
    sy_pex_config_default(&config);
    config.mem = &f.tm.mem;
    config.source = (sy_addr_source){&f.ops, f.source.source};
    config.max_outbound = 0; /* nobody is dialed: all that happens is being told */
    config.feeler_period = 0;
    f.r = rig_new(&config, NULL, 3, SY_SEC);
    const double first = lists(&f, MILLION / 100, 0);
    (void)lists(&f, MILLION * 89 / 100, MILLION / 100);
    const size_t blocks = f.tm.calls;
    const double last = lists(&f, MILLION / 10, MILLION * 9 / 10);
    const sy_pex_counts counts = rig_counts(f.r);
    const uint64_t seconds = rig_now(f.r) / SY_SEC;
    judge(&f, "reactor", first, last, f.tm.calls - blocks);
    (void)printf(
        "reactor: %llu told, %llu malformed, %llu over the rate of their group in %llu s\n",
        (unsigned long long)counts.addrs_in, (unsigned long long)counts.addrs_malformed,
        (unsigned long long)counts.addrs_limited, (unsigned long long)seconds);
    check(counts.addrs_in == MILLION, "a million was told");
    check(counts.addrs_malformed > MILLION / 16, "some were malformed");
    const uint64_t judged = counts.addrs_in - counts.addrs_malformed - counts.addrs_limited;
    check(judged <= ATTACKERS * (1000 + seconds), "the rate of a group holds");
    rig_del(f.r);
    finish(&f);
}

int main(void) {
    (void)printf("a million addresses from %d hostile groups\n", ATTACKERS);
    (void)printf("through   untested  tested   honest tested  honest untested  hashes/address: "
                 "first 1%%, last 10%%; peak KiB\n");
    flood_the_reactor();
    flood_the_book();
    return 0;
}
