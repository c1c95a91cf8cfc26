/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/plain_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/prng.h"
#include "p2p/addr_book_internal.h"

#define NEW     SY_BOOK_NEW_BUCKETS
#define OLD     SY_BOOK_OLD_BUCKETS
#define SIZE    SY_BOOK_BUCKET_SIZE
#define PLACES  SY_BOOK_PLACES_MAX
#define ENTRIES SY_BOOK_SLOTS
#define CHAINS  65536 /* power of two */
#define NONE    UINT32_MAX

typedef struct entry {
    sy_net_addr addr;
    uint64_t group;
    uint64_t source_group;
    int64_t last_attempt;
    int64_t last_success; /* SY_BOOK_NEVER */
    uint32_t attempts;
    uint32_t next; /* chain by ID, or free list */
    uint16_t buckets[PLACES];
    uint8_t count;
    bool old;
} entry;

struct plain_book {
    uint8_t key[SY_HASH_KEY_LEN];
    sy_prng prng;
    entry entries[ENTRIES];
    uint32_t chains[CHAINS]; /* index or NONE */
    uint32_t first_free;
    uint32_t new_cells[NEW][SIZE]; /* index or NONE */
    uint32_t old_cells[OLD][SIZE];
    size_t sizes[2]; /* new, old */
    uint64_t changes;
};

/* ---- Entries -----------------------------------------------------------------------------------
 */

static uint32_t *chain_of(plain_book *book, const sy_node_id *id) {
    return &book->chains[sy_hash(id->bytes, sizeof id->bytes, book->key) & (CHAINS - 1)];
}

static entry *find(plain_book *book, const sy_node_id *id) {
    for (uint32_t at = *chain_of(book, id); at != NONE; at = book->entries[at].next) {
        if (sy_node_id_equal(&book->entries[at].addr.id, id)) {
            return &book->entries[at];
        }
    }
    return NULL;
}

static uint32_t index_of(const plain_book *book, const entry *e) {
    return (uint32_t)(e - book->entries);
}

static entry *make(plain_book *book, const sy_addr_news *news, int64_t now) {
    const uint32_t at = book->first_free;
    if (at == NONE) {
        return NULL;
    }
    entry *e = &book->entries[at];
    uint32_t *chain = chain_of(book, &news->addr.id);
    book->first_free = e->next;
    *e = (entry){.addr = news->addr,
                 .group = sy_book_group(&news->addr.endpoint, true),
                 .source_group = sy_book_group(&news->source.endpoint, true),
                 .last_attempt = now,
                 .last_success = SY_BOOK_NEVER,
                 .next = *chain};
    *chain = at;
    book->sizes[0]++;
    return e;
}

static uint32_t *bucket_of(plain_book *book, bool old, uint32_t bucket) {
    return old ? book->old_cells[bucket] : book->new_cells[bucket];
}

static void leave_bucket(plain_book *book, entry *e, size_t place) {
    uint32_t *cells = bucket_of(book, e->old, e->buckets[place]);
    for (size_t i = 0; i < SIZE; i++) {
        if (cells[i] == index_of(book, e)) {
            cells[i] = NONE;
        }
    }
    e->buckets[place] = e->buckets[--e->count];
}

static void forget(plain_book *book, entry *e) {
    while (e->count > 0) {
        leave_bucket(book, e, 0);
    }
    const uint32_t at = index_of(book, e);
    uint32_t *link = chain_of(book, &e->addr.id);
    while (*link != at) {
        link = &book->entries[*link].next;
    }
    *link = e->next;
    book->sizes[e->old]--;
    e->next = book->first_free;
    book->first_free = at;
}

/* ---- Buckets -----------------------------------------------------------------------------------
 */

static uint64_t hash_of(const plain_book *book, uint64_t kind, uint64_t a, uint64_t b) {
    const uint64_t words[3] = {kind, a, b};
    return sy_hash(words, sizeof words, book->key);
}

static uint32_t new_bucket(const plain_book *book, const entry *e, uint64_t source_group) {
    const uint64_t x = hash_of(book, 1, e->group, source_group) % SY_BOOK_SOURCE_BUCKETS;
    return (uint32_t)(hash_of(book, 2, source_group, x) % NEW);
}

static uint32_t old_bucket(const plain_book *book, const entry *e) {
    const uint64_t x = sy_hash(&e->addr, sizeof e->addr, book->key) % SY_BOOK_OLD_SPREAD;
    return (uint32_t)(hash_of(book, 3, e->group, x) % OLD);
}

static bool is_bad(const entry *e, int64_t now) {
    if (e->last_attempt > now - (int64_t)SY_MIN) {
        return false;
    }
    return e->last_attempt < now - (int64_t)(7 * SY_DAY) ||
           (e->last_success == SY_BOOK_NEVER && e->attempts >= 3);
}

/* A free cell, else one that a bad or the oldest address has to leave. */
static uint32_t *make_room(plain_book *book, bool old, uint32_t bucket, int64_t now,
                           entry **ret_loser) {
    uint32_t *cells = bucket_of(book, old, bucket);
    uint32_t *oldest = NULL;
    *ret_loser = NULL;
    for (size_t i = 0; i < SIZE; i++) {
        if (cells[i] == NONE) {
            *ret_loser = NULL;
            return &cells[i];
        }
        entry *e = &book->entries[cells[i]];
        const bool bad = !old && is_bad(e, now);
        if (*ret_loser == NULL || bad || e->last_attempt < (*ret_loser)->last_attempt) {
            *ret_loser = e;
            oldest = &cells[i];
        }
        if (bad) {
            break;
        }
    }
    return oldest;
}

static bool sits_in(const entry *e, uint32_t bucket) {
    for (size_t i = 0; i < e->count; i++) {
        if (e->buckets[i] == bucket) {
            return true;
        }
    }
    return false;
}

static void put_new(plain_book *book, entry *e, uint64_t source_group, int64_t now) {
    const uint32_t bucket = new_bucket(book, e, source_group);
    entry *loser;
    if (e->count == PLACES || sits_in(e, bucket)) {
        return;
    }
    uint32_t *cell = make_room(book, false, bucket, now, &loser);
    *cell = index_of(book, e);
    if (loser != NULL) {
        for (size_t i = 0; i < loser->count; i++) {
            if (loser->buckets[i] == bucket) {
                loser->buckets[i] = loser->buckets[--loser->count];
                break;
            }
        }
        if (loser->count == 0) {
            forget(book, loser);
        }
    }
    e->buckets[e->count++] = (uint16_t)bucket;
}

static void promote(plain_book *book, entry *e, int64_t now) {
    const uint32_t bucket = old_bucket(book, e);
    entry *loser;
    while (e->count > 0) {
        leave_bucket(book, e, 0);
    }
    uint32_t *cell = make_room(book, true, bucket, now, &loser);
    *cell = index_of(book, e);
    e->old = true;
    e->count = 1;
    e->buckets[0] = (uint16_t)bucket;
    book->sizes[0]--;
    book->sizes[1]++;
    if (loser != NULL) { /* back among the untested ones, without a test */
        loser->count = 0;
        loser->old = false;
        book->sizes[1]--;
        book->sizes[0]++;
        put_new(book, loser, loser->source_group, now);
        if (loser->count == 0) {
            forget(book, loser);
        }
    }
}

/* ---- The source --------------------------------------------------------------------------------
 */

static sy_addr_verdict op_add(void *source, const sy_addr_news *news, sy_walltime now) {
    plain_book *book = source;
    if (!sy_endpoint_is_routable(&news->addr.endpoint) || news->addr.endpoint.port == 0) {
        return SY_ADDR_NOT_ROUTABLE;
    }
    entry *e = find(book, &news->addr.id);
    const bool known = e != NULL;
    if (known && (e->old || e->count == PLACES ||
                  sy_prng_below(&book->prng, 2u * (e->count == 0 ? 1u : e->count)) != 0)) {
        return SY_ADDR_KNOWN;
    }
    if (!known) {
        e = make(book, news, now.unix_ns);
        if (e == NULL) {
            return SY_ADDR_NO_MEMORY;
        }
    }
    put_new(book, e, sy_book_group(&news->source.endpoint, true), now.unix_ns);
    if (e->count == 0) {
        forget(book, e);
        return SY_ADDR_CROWDED;
    }
    book->changes++;
    return known ? SY_ADDR_KNOWN : SY_ADDR_ADDED;
}

static bool is_rested(const entry *e, int64_t now) {
    const unsigned shift = e->attempts < 16 ? e->attempts : 16;
    return e->attempts == 0 || now - e->last_attempt >= (int64_t)(SY_SEC << shift);
}

static double root_of(size_t n) {
    double root = 1;
    for (int i = 0; i < 40 && n > 0; i++) {
        root = (root + (double)n / root) / 2;
    }
    return n == 0 ? 0 : root;
}

static bool op_pick(void *source, const sy_addr_query *query, sy_net_addr *ret_addr,
                    sy_walltime now) {
    plain_book *book = source;
    const double bias = query->new_bias > 100 ? 100 : query->new_bias;
    const double old = root_of(book->sizes[1]) * (100 - bias);
    const double fresh = root_of(book->sizes[0]) * bias;
    for (int i = 0; i < 3000; i++) {
        const double draw = (double)sy_prng_below(&book->prng, 1 << 20) / (1 << 20);
        const bool from_old = (old + fresh) * draw < old;
        const uint32_t bucket = (uint32_t)sy_prng_below(&book->prng, from_old ? OLD : NEW);
        const uint32_t at = bucket_of(book, from_old, bucket)[sy_prng_below(&book->prng, SIZE)];
        if (at == NONE || !is_rested(&book->entries[at], now.unix_ns)) {
            continue;
        }
        if (query->allow == NULL || query->allow(query->user, &book->entries[at].addr)) {
            *ret_addr = book->entries[at].addr;
            return true;
        }
    }
    return false;
}

static bool op_pick_test(void *source, const sy_addr_query *query, sy_net_addr *ret_addr,
                         sy_walltime now) {
    (void)source;
    (void)query;
    (void)ret_addr;
    (void)now;
    return false;
}

static bool op_pick_stale(void *source, const sy_addr_query *query, sy_walltime before,
                          sy_net_addr *ret_addr, sy_walltime now) {
    (void)before;
    return op_pick_test(source, query, ret_addr, now);
}

static void op_on_attempt(void *source, const sy_node_id *id, sy_walltime now) {
    entry *e = find(source, id);
    if (e != NULL) {
        e->last_attempt = now.unix_ns;
    }
}

static void op_on_good(void *source, const sy_net_addr *addr, const char *profile,
                       sy_walltime now) {
    entry *e = find(source, &addr->id);
    (void)profile;
    if (e == NULL) {
        return;
    }
    e->attempts = 0;
    e->last_attempt = now.unix_ns;
    e->last_success = now.unix_ns;
    if (!e->old) {
        promote(source, e, now.unix_ns);
    }
}

static void op_on_bad(void *source, const sy_node_id *id, sy_duration ban, sy_walltime now) {
    entry *e = find(source, id);
    (void)ban;
    (void)now;
    if (e != NULL) {
        forget(source, e);
    }
}

static void op_on_failed(void *source, const sy_node_id *id, sy_walltime now) {
    entry *e = find(source, id);
    if (e == NULL) {
        return;
    }
    e->attempts++;
    e->last_attempt = now.unix_ns;
    if (e->attempts > SY_BOOK_ATTEMPTS_MAX) {
        forget(source, e);
    }
}

static size_t op_sample(void *source, unsigned new_bias, const char *profile, sy_net_addr *out,
                        size_t cap, sy_walltime now) {
    const sy_addr_query query = {.new_bias = new_bias > 100 ? 50 : new_bias};
    (void)profile;
    return cap > 0 && op_pick(source, &query, out, now) ? 1 : 0;
}

static sy_addr_sizes op_sizes(const void *source) {
    const plain_book *book = source;
    return (sy_addr_sizes){book->sizes[0] + book->sizes[1], book->sizes[0], book->sizes[1]};
}

static bool op_wants_more(const void *source) {
    return op_sizes(source).all < SY_BOOK_NEED_MORE;
}

static uint64_t op_group(const void *source, const sy_endpoint *endpoint) {
    const plain_book *book = source;
    return sy_hash(endpoint, sizeof *endpoint, book->key);
}

static const char *op_profile(const void *source, const sy_node_id *id) {
    (void)source;
    (void)id;
    return "";
}

static size_t op_anchors(const void *source, sy_net_addr *out, size_t cap) {
    (void)source;
    (void)out;
    (void)cap;
    return 0;
}

static void op_set_anchors(void *source, const sy_net_addr *anchors, size_t count) {
    (void)source;
    (void)anchors;
    (void)count;
}

static uint64_t op_changes(const void *source) {
    const plain_book *book = source;
    return book->changes;
}

static const sy_addr_source_ops plain_ops = {
    .add = op_add,
    .pick = op_pick,
    .pick_test = op_pick_test,
    .pick_stale = op_pick_stale,
    .on_attempt = op_on_attempt,
    .on_good = op_on_good,
    .on_failed = op_on_failed,
    .on_bad = op_on_bad,
    .sample = op_sample,
    .sizes = op_sizes,
    .wants_more = op_wants_more,
    .group = op_group,
    .profile = op_profile,
    .anchors = op_anchors,
    .set_anchors = op_set_anchors,
    .changes = op_changes,
};

plain_book *plain_book_new(uint64_t seed) {
    plain_book *book = calloc(1, sizeof *book);
    if (book == NULL) {
        (void)fprintf(stderr, "no memory\n");
        abort();
    }
    memcpy(book->key, &seed, sizeof seed);
    sy_prng_init(&book->prng, seed);
    memset(book->chains, 0xff, sizeof book->chains);
    memset(book->new_cells, 0xff, sizeof book->new_cells);
    memset(book->old_cells, 0xff, sizeof book->old_cells);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        book->entries[i].next = i + 1 < ENTRIES ? i + 1 : NONE;
    }
    return book;
}

void plain_book_del(plain_book *book) {
    free(book);
}

sy_addr_source plain_book_source(plain_book *book) {
    return (sy_addr_source){&plain_ops, book};
}
