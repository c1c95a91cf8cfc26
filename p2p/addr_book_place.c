/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets.
 *
 *   told ---> new bucket(s) --(found to be there)--> old bucket
 *                 ^                                      |
 *                 +--- lost its place to a tested one ---+
 *
 * A full new bucket gives up a bad entry, else one of whoever has told most of that bucket.  A full
 * old bucket gives up nothing untested: its least recently seen entry is tried first. */
#include "p2p/addr_book_internal.h"

#include <string.h>

#include <switchyard/assert.h>

/* ---- Where an address may sit ------------------------------------------------------------------
 */

/* SPEC BOOK-06: what is hashed, told apart by the first byte. */
typedef struct place_input {
    uint8_t bytes[1 + 2 * sizeof(uint64_t)];
} place_input;

static uint64_t hash_two(const sy_addr_book *book, uint8_t kind, uint64_t a, uint64_t b) {
    place_input input = {{kind}};
    memcpy(input.bytes + 1, &a, sizeof a);
    memcpy(input.bytes + 1 + sizeof a, &b, sizeof b);
    return sy_hash(input.bytes, sizeof input.bytes, book->hash_key);
}

uint32_t sy_book_new_bucket(const sy_addr_book *book, uint64_t group, uint64_t source_group) {
    const uint64_t x = hash_two(book, 1, group, source_group) % SY_BOOK_SOURCE_BUCKETS;
    return (uint32_t)(hash_two(book, 2, source_group, x) % SY_BOOK_NEW_BUCKETS);
}

uint32_t sy_book_old_bucket(const sy_addr_book *book, const sy_book_entry *entry) {
    uint8_t whole[SY_NODE_ID_LEN + 16 + 2];
    memcpy(whole, entry->addr.id.bytes, SY_NODE_ID_LEN);
    memcpy(whole + SY_NODE_ID_LEN, entry->addr.endpoint.ip, 16);
    memcpy(whole + SY_NODE_ID_LEN + 16, &entry->addr.endpoint.port, 2);
    const uint64_t x = sy_hash(whole, sizeof whole, book->hash_key) % SY_BOOK_OLD_SPREAD;
    return (uint32_t)(hash_two(book, 3, entry->group, x) % SY_BOOK_OLD_BUCKETS);
}

uint32_t sy_book_teller(const sy_addr_book *book, uint64_t source_group) {
    return (uint32_t)hash_two(book, 4, source_group, 0);
}

/* SPEC BOOK-20 */
bool sy_book_is_bad(const sy_book_entry *entry, int64_t now) {
    if (entry->tested) {
        return false;
    }
    const int64_t last = entry->last_attempt;
    if (last != SY_BOOK_NEVER && last > now - (int64_t)BOOK_GRACE) {
        return false;
    }
    if (last == SY_BOOK_NEVER || last < now - (int64_t)BOOK_MISSING) {
        return true;
    }
    if (entry->last_success == SY_BOOK_NEVER) {
        return entry->attempts >= BOOK_RETRIES_NEVER;
    }
    return entry->last_success < now - (int64_t)BOOK_MISSING && entry->attempts >= BOOK_RETRIES_OLD;
}

/* ---- Cells -------------------------------------------------------------------------------------
 */

static sy_book_cell *cells_of(const sy_addr_book *book, const sy_book_entry *entry) {
    return entry->tested ? book->old_cells : book->new_cells;
}

static uint32_t find_free(const sy_book_cell *cells, uint32_t bucket) {
    for (uint32_t i = 0; i < SY_BOOK_BUCKET_SIZE; i++) {
        if (cells[BOOK_CELL(bucket, i)].entry == 0) {
            return BOOK_CELL(bucket, i);
        }
    }
    return BOOK_NONE;
}

static bool sits_in(const sy_book_entry *entry, uint32_t bucket) {
    for (size_t i = 0; i < entry->place_count; i++) {
        if (entry->places[i] / SY_BOOK_BUCKET_SIZE == bucket) {
            return true;
        }
    }
    return false;
}

static void occupy(sy_addr_book *book, sy_book_entry *entry, uint32_t cell, uint32_t teller) {
    SY_ASSERT(entry->place_count < (entry->tested ? 1 : SY_BOOK_PLACES_MAX));
    cells_of(book, entry)[cell] = (sy_book_cell){sy_book_index_of(book, entry) + 1, teller};
    entry->places[entry->place_count++] = (uint16_t)cell;
}

static void leave_cell(sy_addr_book *book, sy_book_entry *entry, uint32_t cell) {
    for (size_t i = 0; i < entry->place_count; i++) {
        if (entry->places[i] == cell) {
            cells_of(book, entry)[cell] = (sy_book_cell){0, 0};
            entry->places[i] = entry->places[--entry->place_count];
            return;
        }
    }
    SY_UNREACHABLE();
}

void sy_book_unplace_all(sy_addr_book *book, sy_book_entry *entry) {
    while (entry->place_count > 0) {
        leave_cell(book, entry, entry->places[0]);
    }
}

/* SPEC BOOK-07 */
bool sy_book_place_at(sy_addr_book *book, sy_book_entry *entry, uint32_t bucket, uint32_t teller) {
    const uint32_t cell = find_free(cells_of(book, entry), bucket);
    if (cell == BOOK_NONE || sits_in(entry, bucket) ||
        entry->place_count >= (entry->tested ? 1 : SY_BOOK_PLACES_MAX)) {
        return false;
    }
    occupy(book, entry, cell, teller);
    return true;
}

/* ---- A full new bucket -------------------------------------------------------------------------
 */

/* How often each teller occurs in one bucket. */
#define TALLY_CAP 256

typedef struct tally {
    uint32_t teller[TALLY_CAP];
    uint8_t count[TALLY_CAP];
} tally;

static uint8_t *tally_of(tally *t, uint32_t teller) {
    uint32_t at = teller % TALLY_CAP;
    while (t->count[at] != 0 && t->teller[at] != teller) {
        at = (at + 1) % TALLY_CAP;
    }
    t->teller[at] = teller;
    return &t->count[at];
}

/* SPEC BOOK-12: the newcomer counts as if it were in already; among equals its own teller loses. */
static uint32_t heaviest_teller(const sy_addr_book *book, uint32_t bucket, uint32_t newcomer) {
    tally t;
    memset(&t, 0, sizeof t);
    uint32_t best = newcomer;
    for (uint32_t i = 0; i < SY_BOOK_BUCKET_SIZE; i++) {
        ++*tally_of(&t, book->new_cells[BOOK_CELL(bucket, i)].teller);
    }
    uint32_t best_count = 1u + *tally_of(&t, newcomer);
    for (uint32_t i = 0; i < SY_BOOK_BUCKET_SIZE; i++) {
        const uint32_t teller = book->new_cells[BOOK_CELL(bucket, i)].teller;
        if (*tally_of(&t, teller) > best_count) {
            best = teller;
            best_count = *tally_of(&t, teller);
        }
    }
    return best;
}

/* The cell to give up: of a bad entry, else the oldest of the heaviest teller; BOOK_NONE when the
 * newcomer's own teller is it and has nothing there. */
static uint32_t find_victim(const sy_addr_book *book, uint32_t bucket, uint32_t newcomer,
                            int64_t now) {
    const uint32_t loser = heaviest_teller(book, bucket, newcomer);
    uint32_t oldest = BOOK_NONE;
    int64_t oldest_at = INT64_MAX;
    for (uint32_t i = 0; i < SY_BOOK_BUCKET_SIZE; i++) {
        const uint32_t cell = BOOK_CELL(bucket, i);
        const sy_book_entry *entry = &book->entries[book->new_cells[cell].entry - 1];
        if (sy_book_is_bad(entry, now)) {
            return cell;
        }
        if (book->new_cells[cell].teller == loser && entry->last_attempt < oldest_at) {
            oldest = cell;
            oldest_at = entry->last_attempt;
        }
    }
    return oldest;
}

bool sy_book_place_new(sy_addr_book *book, sy_book_entry *entry, uint64_t source_group,
                       int64_t now) {
    SY_ASSERT(!entry->tested);
    const uint32_t bucket = sy_book_new_bucket(book, entry->group, source_group);
    const uint32_t teller = sy_book_teller(book, source_group);
    if (sits_in(entry, bucket) || entry->place_count == SY_BOOK_PLACES_MAX) {
        return false;
    }
    if (find_free(book->new_cells, bucket) == BOOK_NONE) {
        const uint32_t cell = find_victim(book, bucket, teller, now);
        if (cell == BOOK_NONE) {
            return false;
        }
        sy_book_entry *victim = &book->entries[book->new_cells[cell].entry - 1];
        SY_ASSERT(victim != entry);
        leave_cell(book, victim, cell);
        if (victim->place_count == 0) {
            sy_book_entry_del(book, victim);
            book->counts.evicted++;
        }
    }
    return sy_book_place_at(book, entry, bucket, teller);
}

/* ---- Old buckets -------------------------------------------------------------------------------
 */

static void change_kind(sy_addr_book *book, sy_book_entry *entry, bool tested) {
    SY_ASSERT(entry->place_count == 0);
    SY_ASSERT(entry->tested != tested);
    sy_book_count_group(book, entry, false);
    entry->tested = tested;
    sy_book_count_group(book, entry, true);
    book->tested = tested ? book->tested + 1 : book->tested - 1;
    book->untested = tested ? book->untested - 1 : book->untested + 1;
    book->changes++;
}

/* Back to where it came from; forgotten when there is no room any more. */
static void demote(sy_addr_book *book, sy_book_entry *entry, int64_t now) {
    sy_book_unplace_all(book, entry);
    change_kind(book, entry, false);
    book->counts.demoted++;
    const uint64_t source_group = sy_book_group(&entry->source.endpoint, book->strict);
    if (!sy_book_place_new(book, entry, source_group, now)) {
        sy_book_entry_del(book, entry);
        book->counts.evicted++;
    }
}

/* The least recently seen one of a full old bucket. */
static sy_book_entry *place_holder(const sy_addr_book *book, uint32_t bucket) {
    sy_book_entry *oldest = NULL;
    for (uint32_t i = 0; i < SY_BOOK_BUCKET_SIZE; i++) {
        sy_book_entry *entry = &book->entries[book->old_cells[BOOK_CELL(bucket, i)].entry - 1];
        if (oldest == NULL || entry->last_success < oldest->last_success) {
            oldest = entry;
        }
    }
    return oldest;
}

/* SPEC BOOK-16 */
static void put_to_test(sy_addr_book *book, const sy_book_entry *candidate,
                        const sy_book_entry *holder) {
    sy_book_test *free_test = NULL;
    for (size_t i = 0; i < SY_BOOK_TESTS_MAX; i++) {
        sy_book_test *test = &book->tests[i];
        if (test->used && (sy_node_id_equal(&test->holder, &holder->addr.id) ||
                           sy_node_id_equal(&test->candidate, &candidate->addr.id))) {
            return;
        }
        if (!test->used) {
            free_test = test;
        }
    }
    if (free_test != NULL) {
        *free_test = (sy_book_test){candidate->addr.id, holder->addr.id, true};
    }
}

static void move_to_old(sy_addr_book *book, sy_book_entry *entry) {
    sy_book_unplace_all(book, entry);
    change_kind(book, entry, true);
    const bool placed = sy_book_place_at(book, entry, sy_book_old_bucket(book, entry), 0);
    SY_ASSERT(placed);
    book->counts.promoted++;
}

/* SPEC BOOK-15: a holder that was there last time keeps its place. */
void sy_book_promote(sy_addr_book *book, sy_book_entry *entry, int64_t now) {
    SY_ASSERT(!entry->tested);
    /* One goes up, perhaps one comes down: their groups may be new in the other kind. */
    if (sy_count_map_reserve(&book->group_counts, 2) != SY_OK) {
        return;
    }
    const uint32_t bucket = sy_book_old_bucket(book, entry);
    if (find_free(book->old_cells, bucket) == BOOK_NONE) {
        sy_book_entry *holder = place_holder(book, bucket);
        if (holder->attempts == 0) {
            put_to_test(book, entry, holder);
            return;
        }
        /* It has failed since it was last seen: that was its test. */
        const sy_node_id id = entry->addr.id;
        demote(book, holder, now);
        entry = sy_book_find(book, &id);
        if (entry == NULL) {
            return; /* the demoted one pushed it out of its last bucket */
        }
    }
    move_to_old(book, entry);
}

void sy_book_test_drop(sy_addr_book *book, const sy_node_id *id) {
    for (size_t i = 0; i < SY_BOOK_TESTS_MAX; i++) {
        if (sy_node_id_equal(&book->tests[i].holder, id) ||
            sy_node_id_equal(&book->tests[i].candidate, id)) {
            book->tests[i].used = false;
        }
    }
}

void sy_book_test_passed(sy_addr_book *book, const sy_node_id *holder) {
    for (size_t i = 0; i < SY_BOOK_TESTS_MAX; i++) {
        if (sy_node_id_equal(&book->tests[i].holder, holder)) {
            book->tests[i].used = false;
        }
    }
}

void sy_book_test_failed(sy_addr_book *book, const sy_node_id *holder, int64_t now) {
    for (size_t i = 0; i < SY_BOOK_TESTS_MAX; i++) {
        sy_book_test *test = &book->tests[i];
        if (!test->used || !sy_node_id_equal(&test->holder, holder)) {
            continue;
        }
        const sy_node_id candidate = test->candidate;
        test->used = false;
        sy_book_entry *entry = sy_book_find(book, &candidate);
        if (entry != NULL && !entry->tested) {
            sy_book_promote(book, entry, now);
        }
        return;
    }
}

/* ---- Invariants --------------------------------------------------------------------------------
 */

static bool entry_is_sound(const sy_addr_book *book, const sy_book_entry *entry) {
    const size_t places_max = entry->tested ? 1 : SY_BOOK_PLACES_MAX;
    const sy_book_cell *cells = cells_of(book, entry);
    if (entry->place_count < 1 || entry->place_count > places_max) {
        return false;
    }
    for (size_t i = 0; i < entry->place_count; i++) {
        if (cells[entry->places[i]].entry != sy_book_index_of(book, entry) + 1) {
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (entry->places[i] / SY_BOOK_BUCKET_SIZE == entry->places[k] / SY_BOOK_BUCKET_SIZE) {
                return false;
            }
        }
    }
    return sy_book_find(book, &entry->addr.id) == entry;
}

static size_t count_cells(const sy_book_cell *cells, size_t count) {
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        used += cells[i].entry != 0;
    }
    return used;
}

bool sy_book_check(const sy_addr_book *book) {
    size_t count[2] = {0, 0};
    size_t places[2] = {0, 0};
    for (uint32_t i = 0; i < book->entry_cap; i++) {
        const sy_book_entry *entry = &book->entries[i];
        if (!entry->used) {
            continue;
        }
        if (!entry_is_sound(book, entry)) {
            return false;
        }
        count[entry->tested]++;
        places[entry->tested] += entry->place_count;
    }
    const size_t old_cells = (size_t)SY_BOOK_OLD_BUCKETS * SY_BOOK_BUCKET_SIZE;
    return count[0] == book->untested && count[1] == book->tested &&
           places[0] == count_cells(book->new_cells, BOOK_NEW_CELLS) &&
           places[1] == count_cells(book->old_cells, old_cells);
}
