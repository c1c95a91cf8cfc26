/* SPDX-License-Identifier: Apache-2.0 */
/* What the book answers to a dial policy (addr_source.h). */
#include "p2p/addr_book_internal.h"

#include <string.h>

#include <switchyard/assert.h>

#define SELECTION_PERCENT 23
#define SELECTION_MIN     32
#define WEIGHT_ONE        ((uint64_t)1 << 32)
#define BACKOFF_SHIFT_MAX 16 /* SPEC BOOK-22: 2^16 s, 18 hours */

/* ---- Adding ------------------------------------------------------------------------------------
 */

static bool is_valid(const sy_net_addr *addr) {
    static const uint8_t broadcast[4] = {255, 255, 255, 255};
    return addr->endpoint.port != 0 && !sy_endpoint_is_any(&addr->endpoint) &&
           !(sy_endpoint_is_v4(&addr->endpoint) &&
             memcmp(addr->endpoint.ip + 12, broadcast, sizeof broadcast) == 0);
}

/* SPEC BOOK-08 BOOK-09 PEX-13: in this order; KNOWN stands for "no objection". */
static sy_addr_verdict objection(const sy_addr_book *book, const sy_addr_news *news, int64_t now) {
    const sy_net_addr *addr = &news->addr;
    if (!is_valid(addr)) {
        return SY_ADDR_INVALID;
    }
    if (sy_book_is_banned(book, &addr->id, now)) {
        return SY_ADDR_BANNED;
    }
    if (sy_book_is_private(book, &addr->id)) {
        return SY_ADDR_PRIVATE;
    }
    if (sy_book_is_private(book, &news->source.id)) {
        return SY_ADDR_PRIVATE_SOURCE;
    }
    if (sy_book_is_own(book, addr)) {
        return SY_ADDR_OWN;
    }
    if (book->strict && !sy_endpoint_is_routable(&addr->endpoint)) {
        return SY_ADDR_NOT_ROUTABLE;
    }
    return SY_ADDR_KNOWN;
}

/* SPEC BOOK-10: may this news replace where the ID was last known to be? */
static bool may_move(const sy_book_entry *entry, sy_addr_told told) {
    switch (told) {
    case SY_ADDR_TOLD_OPERATOR:
        return true;
    case SY_ADDR_TOLD_SELF:
        return !entry->tested || entry->attempts > 0;
    case SY_ADDR_TOLD_HEARSAY:
        return !entry->tested && entry->attempts > 0 && entry->last_success == SY_BOOK_NEVER;
    }
    SY_UNREACHABLE();
}

/* SPEC BOOK-11: one more bucket, with odds that halve. */
static sy_addr_verdict repeat(sy_addr_book *book, sy_book_entry *entry, const sy_addr_news *news,
                              int64_t now) {
    sy_book_note_profile(book, entry, news->profile);
    if (entry->tested || entry->place_count == SY_BOOK_PLACES_MAX ||
        sy_prng_below(&book->prng, 2u * entry->place_count) != 0) {
        return SY_ADDR_KNOWN;
    }
    const uint64_t source_group = sy_book_group(&news->source.endpoint, book->strict);
    if (sy_book_place_new(book, entry, source_group, now)) {
        book->changes++;
    }
    return SY_ADDR_KNOWN;
}

static sy_addr_verdict insert(sy_addr_book *book, const sy_addr_news *news, bool moved,
                              int64_t now) {
    const uint64_t group = sy_book_group(&news->addr.endpoint, book->strict);
    if (sy_book_group_count(book, group, false) >= SY_BOOK_GROUP_MAX) { /* SPEC BOOK-13 */
        return SY_ADDR_CROWDED;
    }
    sy_book_entry *entry = sy_book_entry_new(book, &news->addr, &news->source);
    if (entry == NULL) {
        return SY_ADDR_NO_MEMORY;
    }
    entry->last_attempt = now;
    sy_book_note_profile(book, entry, news->profile);
    const uint64_t source_group = sy_book_group(&news->source.endpoint, book->strict);
    if (!sy_book_place_new(book, entry, source_group, now)) {
        sy_book_entry_del(book, entry);
        return SY_ADDR_CROWDED;
    }
    return moved ? SY_ADDR_MOVED : SY_ADDR_ADDED;
}

static sy_addr_verdict add_news(sy_addr_book *book, const sy_addr_news *news, int64_t now) {
    const sy_addr_verdict refused = objection(book, news, now);
    if (refused != SY_ADDR_KNOWN) {
        return refused;
    }
    sy_book_entry *entry = sy_book_find(book, &news->addr.id);
    if (entry == NULL) {
        return insert(book, news, false, now);
    }
    if (sy_endpoint_equal(&entry->addr.endpoint, &news->addr.endpoint)) {
        return repeat(book, entry, news, now);
    }
    if (!may_move(entry, news->told)) {
        return SY_ADDR_KNOWN;
    }
    sy_book_entry_del(book, entry);
    return insert(book, news, true, now);
}

static sy_addr_verdict op_add(void *source, const sy_addr_news *news, sy_walltime now) {
    sy_addr_book *book = source;
    const sy_addr_verdict verdict = add_news(book, news, now.unix_ns);
    book->counts.told[verdict]++;
    return verdict;
}

/* ---- Choosing ----------------------------------------------------------------------------------
 */

/* SPEC BOOK-22 */
static bool is_rested(const sy_book_entry *entry, int64_t now) {
    if (entry->attempts == 0 || entry->last_attempt == SY_BOOK_NEVER) {
        return true;
    }
    const unsigned shift =
        entry->attempts < BACKOFF_SHIFT_MAX ? entry->attempts : BACKOFF_SHIFT_MAX;
    const int64_t pause = (int64_t)(SY_SEC << shift);
    /* A wall clock that was set back must not silence an address for long. */
    return now - entry->last_attempt >= pause || entry->last_attempt > now;
}

/* SPEC BOOK-18: each group weighs the same, however many addresses it has; each failure in a row
 * takes a third. */
static uint64_t weight_of(const sy_addr_book *book, const sy_book_entry *entry) {
    const size_t peers = sy_book_group_count(book, entry->group, entry->tested);
    uint64_t weight = WEIGHT_ONE / (peers == 0 ? 1 : peers);
    for (uint32_t i = 0; i < entry->attempts && i < 8; i++) {
        weight = weight * 2 / 3;
    }
    return weight + 1;
}

static sy_book_entry *choose(sy_addr_book *book, const sy_addr_query *query, bool tested,
                             int64_t now) {
    sy_book_entry *chosen = NULL;
    uint64_t total = 0;
    for (uint32_t i = 0; i < book->entry_cap; i++) {
        sy_book_entry *entry = &book->entries[i];
        if (!entry->used || entry->tested != tested || !is_rested(entry, now) ||
            (query->allow != NULL && !query->allow(query->user, &entry->addr))) {
            continue;
        }
        const uint64_t weight = weight_of(book, entry);
        total += weight;
        if (sy_prng_below(&book->prng, total) < weight) {
            chosen = entry;
        }
    }
    return chosen;
}

/* The whole part of the square root. */
static uint64_t root_of(uint64_t n) {
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit != 0; bit >>= 1) {
        if ((root | bit) * (root | bit) <= n) {
            root |= bit;
        }
    }
    return root;
}

/* SPEC BOOK-17 BOOK-34 BOOK-35: what is untested costs nothing to invent, so that it waits for its
 * test once there is enough that passed. */
static bool tested_first(sy_addr_book *book, unsigned new_bias) {
    if (book->tested_groups >= SY_BOOK_PROVEN_GROUPS) {
        return true;
    }
    const uint64_t bias = new_bias > 100 ? 100 : new_bias;
    const uint64_t tested = root_of((uint64_t)book->tested << 16) * (100 - bias);
    const uint64_t untested = root_of((uint64_t)book->untested << 16) * bias;
    if (tested + untested == 0) {
        return book->tested > 0;
    }
    return sy_prng_below(&book->prng, tested + untested) < tested;
}

static bool op_pick(void *source, const sy_addr_query *query, sy_net_addr *ret_addr,
                    sy_walltime now) {
    sy_addr_book *book = source;
    const bool first = tested_first(book, query->new_bias);
    const sy_book_entry *chosen = choose(book, query, first, now.unix_ns);
    if (chosen == NULL) {
        chosen = choose(book, query, !first, now.unix_ns);
    }
    if (chosen == NULL) {
        return false;
    }
    *ret_addr = chosen->addr;
    return true;
}

/* SPEC BOOK-16: a holder under test comes first, else any untested one. */
static bool op_pick_test(void *source, const sy_addr_query *query, sy_net_addr *ret_addr,
                         sy_walltime now) {
    sy_addr_book *book = source;
    for (size_t i = 0; i < SY_BOOK_TESTS_MAX; i++) {
        const sy_book_test *test = &book->tests[i];
        const sy_book_entry *holder = test->used ? sy_book_find(book, &test->holder) : NULL;
        if (holder != NULL && (query->allow == NULL || query->allow(query->user, &holder->addr))) {
            *ret_addr = holder->addr;
            return true;
        }
    }
    const sy_book_entry *chosen = choose(book, query, false, now.unix_ns);
    if (chosen == NULL) {
        return false;
    }
    *ret_addr = chosen->addr;
    return true;
}

static bool op_pick_stale(void *source, const sy_addr_query *query, sy_walltime before,
                          sy_net_addr *ret_addr, sy_walltime now) {
    const sy_addr_book *book = source;
    const sy_book_entry *oldest = NULL;
    for (uint32_t i = 0; i < book->entry_cap; i++) {
        const sy_book_entry *entry = &book->entries[i];
        /* One that was only heard of carries the time of that, not of an attempt. */
        const bool was_tried = entry->attempts > 0 || entry->last_success != SY_BOOK_NEVER;
        if (!entry->used || !is_rested(entry, now.unix_ns) ||
            (was_tried && entry->last_attempt > before.unix_ns) ||
            (oldest != NULL && entry->last_attempt >= oldest->last_attempt)) {
            continue;
        }
        if (query->allow == NULL || query->allow(query->user, &entry->addr)) {
            oldest = entry;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    *ret_addr = oldest->addr;
    return true;
}

/* ---- What came of it ---------------------------------------------------------------------------
 */

static void op_on_attempt(void *source, const sy_node_id *id, sy_walltime now) {
    sy_addr_book *book = source;
    sy_book_entry *entry = sy_book_find(book, id);
    if (entry != NULL) {
        entry->last_attempt = now.unix_ns;
        book->changes++;
    }
}

/* SPEC BOOK-14 */
static void op_on_good(void *source, const sy_net_addr *addr, const char *profile,
                       sy_walltime now) {
    sy_addr_book *book = source;
    sy_book_entry *entry = sy_book_find(book, &addr->id);
    if (entry == NULL || !sy_endpoint_equal(&entry->addr.endpoint, &addr->endpoint)) {
        return;
    }
    entry->attempts = 0;
    entry->last_attempt = now.unix_ns;
    entry->last_success = now.unix_ns;
    entry->confirmed = true;
    sy_book_note_profile(book, entry, profile);
    book->changes++;
    if (entry->tested) {
        sy_book_test_passed(book, &addr->id);
    } else {
        sy_book_promote(book, entry, now.unix_ns);
    }
}

static void op_on_failed(void *source, const sy_node_id *id, sy_walltime now) {
    sy_addr_book *book = source;
    sy_book_entry *entry = sy_book_find(book, id);
    if (entry == NULL) {
        return;
    }
    entry->attempts++;
    entry->last_attempt = now.unix_ns;
    book->changes++;
    if (entry->attempts > SY_BOOK_ATTEMPTS_MAX) { /* SPEC BOOK-23 */
        sy_book_entry_del(book, entry);
        book->counts.dropped++;
        return;
    }
    if (entry->tested) {
        sy_book_test_failed(book, id, now.unix_ns);
    }
}

static void op_on_bad(void *source, const sy_node_id *id, sy_duration ban, sy_walltime now) {
    sy_addr_book *book = source;
    sy_book_entry *entry = sy_book_find(book, id);
    if (entry != NULL) {
        sy_book_entry_del(book, entry);
        book->counts.dropped++;
    }
    if (ban > 0) {
        const int64_t left = INT64_MAX - (now.unix_ns > 0 ? now.unix_ns : 0);
        sy_book_ban(book, id, now.unix_ns + (ban > (uint64_t)left ? left : (int64_t)ban));
    }
}

/* ---- Answers -----------------------------------------------------------------------------------
 */

/* Shuffles n of count candidates to the front. */
static void draw(sy_addr_book *book, uint32_t *list, size_t count, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const size_t k = i + (size_t)sy_prng_below(&book->prng, count - i);
        const uint32_t swap = list[i];
        list[i] = list[k];
        list[k] = swap;
    }
}

/* SPEC BOOK-24 BOOK-26: untested candidates from the front of scratch, tested ones behind them. */
static void gather(sy_addr_book *book, uint8_t profile, int64_t now, size_t *ret_untested,
                   size_t *ret_tested) {
    size_t counts[2] = {0, 0};
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < book->entry_cap; i++) {
            const sy_book_entry *entry = &book->entries[i];
            const bool speaks_another = profile != 0 && entry->profiles != 0 &&
                                        (entry->profiles & (1u << (profile - 1))) == 0;
            if (entry->used && entry->tested == (pass == 1) && !speaks_another &&
                !sy_book_is_bad(entry, now)) {
                book->scratch[counts[0] + counts[1]] = i;
                counts[pass]++;
            }
        }
    }
    *ret_untested = counts[0];
    *ret_tested = counts[1];
}

static size_t selection_size(size_t all, size_t cap) {
    size_t n = all * SELECTION_PERCENT / 100;
    const size_t least = all < SELECTION_MIN ? all : SELECTION_MIN;
    n = n < least ? least : n;
    n = n > SY_ADDR_SAMPLE_MAX ? SY_ADDR_SAMPLE_MAX : n;
    return n > cap ? cap : n;
}

/* SPEC BOOK-25: what one kind lacks the other gives. */
static size_t untested_share(size_t n, unsigned new_bias, size_t untested, size_t tested) {
    size_t share = (n * new_bias + 50) / 100;
    if (n - share > tested) {
        share = n - tested;
    }
    return share > untested ? untested : share;
}

static size_t op_sample(void *source, unsigned new_bias, const char *profile, sy_net_addr *out,
                        size_t cap, sy_walltime now) {
    sy_addr_book *book = source;
    size_t untested;
    size_t tested;
    gather(book, sy_book_profile(book, profile), now.unix_ns, &untested, &tested);
    const size_t n = selection_size(untested + tested, cap);
    if (n == 0) {
        return 0;
    }
    if (new_bias > 100) {
        draw(book, book->scratch, untested + tested, n);
        for (size_t i = 0; i < n; i++) {
            out[i] = book->entries[book->scratch[i]].addr;
        }
        return n;
    }
    const size_t from_new = untested_share(n, new_bias, untested, tested);
    const size_t from_old = n - from_new;
    draw(book, book->scratch, untested, from_new);
    draw(book, book->scratch + untested, tested, from_old);
    for (size_t i = 0; i < from_new; i++) {
        out[i] = book->entries[book->scratch[i]].addr;
    }
    for (size_t i = 0; i < from_old; i++) {
        out[from_new + i] = book->entries[book->scratch[untested + i]].addr;
    }
    return n;
}

/* ---- Questions ---------------------------------------------------------------------------------
 */

static sy_addr_sizes op_sizes(const void *source) {
    const sy_addr_book *book = source;
    return (sy_addr_sizes){book->untested + book->tested, book->untested, book->tested};
}

static bool op_wants_more(const void *source) {
    const sy_addr_book *book = source;
    return book->untested + book->tested < SY_BOOK_NEED_MORE;
}

static uint64_t op_group(const void *source, const sy_endpoint *endpoint) {
    const sy_addr_book *book = source;
    return sy_book_group(endpoint, book->strict);
}

static const char *op_profile(const void *source, const sy_node_id *id) {
    const sy_addr_book *book = source;
    const sy_book_entry *entry = sy_book_find(book, id);
    return entry == NULL || entry->last_profile == 0 ? "" : book->profiles[entry->last_profile - 1];
}

static size_t op_anchors(const void *source, sy_net_addr *out, size_t cap) {
    const sy_addr_book *book = source;
    const size_t n = book->anchor_count < cap ? book->anchor_count : cap;
    if (n > 0) {
        memcpy(out, book->anchors, n * sizeof *out);
    }
    return n;
}

static void op_set_anchors(void *source, const sy_net_addr *anchors, size_t count) {
    sy_addr_book *book = source;
    const size_t n = count < SY_ADDR_ANCHORS_MAX ? count : SY_ADDR_ANCHORS_MAX;
    if (n == book->anchor_count &&
        (n == 0 || memcmp(book->anchors, anchors, n * sizeof *anchors) == 0)) {
        return;
    }
    memset(book->anchors, 0, sizeof book->anchors);
    for (size_t i = 0; i < n; i++) {
        book->anchors[i] = anchors[i];
    }
    book->anchor_count = n;
    book->changes++;
}

static uint64_t op_changes(const void *source) {
    const sy_addr_book *book = source;
    return book->changes;
}

static const sy_addr_source_ops book_ops = {
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

sy_addr_source sy_addr_book_source(sy_addr_book *book) {
    return (sy_addr_source){&book_ops, book};
}
