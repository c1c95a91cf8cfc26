/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the address book.
 *
 *   addr_book.c         the book, its entries and their index by ID, bans
 *   addr_book_group.c   groups and routability
 *   addr_book_place.c   buckets: placing, eviction, promotion, demotion
 *   addr_book_source.c  what it answers to a dial policy
 *   addr_book_read.c    addrbook.json and the notes, from text
 *   addr_book_write.c   ... and to text
 *   addr_book_time.c    RFC 3339
 *
 * Invariants:
 *   - an entry in use sits in 1..4 new buckets, or in one old bucket; each of its places names a
 *     cell that names the entry, and no other cell does;
 *   - IDs are unique; group_counts counts untested and tested entries by group, tested_groups the
 *     groups of the latter;
 *   - untested + tested is the number of entries in use, at most SY_BOOK_SLOTS. */
#ifndef SY_P2P_ADDR_BOOK_INTERNAL_H
#define SY_P2P_ADDR_BOOK_INTERNAL_H

#include <switchyard/addr_book.h>

#include "base/hash.h"
#include "base/prng.h"
#include "p2p/count_map.h"
#include "p2p/id_map.h"

#define BOOK_NONE             UINT32_MAX
#define BOOK_NEW_CELLS        (SY_BOOK_NEW_BUCKETS * SY_BOOK_BUCKET_SIZE)
#define BOOK_OWN_MAX          16
#define BOOK_NETWORK_MAX      64
#define BOOK_KEY_TEXT_MAX     64
#define BOOK_PROFILES_MAX     8
#define BOOK_PROFILE_CAP      24
#define BOOK_PLACEMENT        "siphash-2-4/1" /* how buckets were chosen, in the file */
#define BOOK_CELL(bucket, at) ((bucket)*SY_BOOK_BUCKET_SIZE + (at))

/* SPEC BOOK-20: what makes an untested entry a bad one. */
#define BOOK_GRACE         SY_MIN
#define BOOK_MISSING       (7 * SY_DAY)
#define BOOK_RETRIES_NEVER 3
#define BOOK_RETRIES_OLD   10

typedef struct sy_book_entry {
    sy_net_addr addr;
    sy_net_addr source;
    uint64_t group;
    int64_t last_attempt;
    int64_t last_success;
    uint32_t attempts;
    uint32_t hash_next;                  /* chain by ID; of a free entry: the next free one */
    uint16_t places[SY_BOOK_PLACES_MAX]; /* cells of its kind */
    uint8_t place_count;
    uint8_t profiles;     /* bit per known profile */
    uint8_t last_profile; /* 1 + index, 0 unknown */
    bool used;
    bool tested;
    bool confirmed; /* it belongs to our network */
} sy_book_entry;

typedef struct sy_book_cell {
    uint32_t entry;  /* 1 + index, 0: free */
    uint32_t teller; /* hash of the group of the source that put it here */
} sy_book_cell;

/* An old entry whose place a newer one wants. */
typedef struct sy_book_test {
    sy_node_id candidate;
    sy_node_id holder;
    bool used;
} sy_book_test;

struct sy_addr_book {
    sy_mem mem;
    bool strict;
    sy_node_id own_id;
    char network[BOOK_NETWORK_MAX + 1];
    sy_node_id *private_ids;
    size_t private_count;
    char key_text[BOOK_KEY_TEXT_MAX + 1];
    uint8_t hash_key[SY_HASH_KEY_LEN];
    sy_prng prng;
    sy_endpoint own[BOOK_OWN_MAX];
    size_t own_count;
    size_t own_next;

    sy_book_entry *entries;
    uint32_t entry_cap;
    uint32_t first_free; /* 1 + index */
    uint32_t *index;     /* chains by ID, 1 + index; index_mask + 1 of them */
    uint32_t index_mask;
    sy_book_cell *new_cells;
    sy_book_cell *old_cells;
    size_t untested;
    size_t tested;
    size_t tested_groups; /* groups that have a tested address */
    sy_count_map group_counts;

    sy_book_test tests[SY_BOOK_TESTS_MAX];
    sy_id_map bans; /* slot -> banned_until */
    int64_t *banned_until;

    char profiles[BOOK_PROFILES_MAX][BOOK_PROFILE_CAP];
    size_t profile_count;
    sy_net_addr anchors[SY_ADDR_ANCHORS_MAX];
    size_t anchor_count;
    uint64_t changes;
    sy_addr_book_counts counts;
    uint32_t *scratch; /* entry_cap: candidates of an answer */
};

uint64_t sy_book_group(const sy_endpoint *endpoint, bool strict);

/* Entries. */
sy_book_entry *sy_book_find(const sy_addr_book *book, const sy_node_id *id);
sy_book_entry *sy_book_entry_new(sy_addr_book *book, const sy_net_addr *addr,
                                 const sy_net_addr *source);
void sy_book_entry_del(sy_addr_book *book, sy_book_entry *entry);
uint32_t sy_book_index_of(const sy_addr_book *book, const sy_book_entry *entry);
void sy_book_set_key(sy_addr_book *book, const char *text);
void sy_book_clear(sy_addr_book *book);
bool sy_book_is_own(const sy_addr_book *book, const sy_net_addr *addr);
bool sy_book_is_private(const sy_addr_book *book, const sy_node_id *id);
void sy_book_ban(sy_addr_book *book, const sy_node_id *id, int64_t until);
bool sy_book_is_banned(const sy_addr_book *book, const sy_node_id *id, int64_t now);
size_t sy_book_group_count(const sy_addr_book *book, uint64_t group, bool tested);
void sy_book_count_group(sy_addr_book *book, const sy_book_entry *entry, bool add);

/* 1 + index of the profile, learned when there is room; 0 for "" and beyond the table. */
uint8_t sy_book_profile(sy_addr_book *book, const char *name);
void sy_book_note_profile(sy_addr_book *book, sy_book_entry *entry, const char *name);

/* Places. */
bool sy_book_is_bad(const sy_book_entry *entry, int64_t now);
uint32_t sy_book_new_bucket(const sy_addr_book *book, uint64_t group, uint64_t source_group);
uint32_t sy_book_old_bucket(const sy_addr_book *book, const sy_book_entry *entry);
uint32_t sy_book_teller(const sy_addr_book *book, uint64_t source_group);

/* Puts an untested entry into one more bucket; may push out another entry, or make none room. */
bool sy_book_place_new(sy_addr_book *book, sy_book_entry *entry, uint64_t source_group,
                       int64_t now);
bool sy_book_place_at(sy_addr_book *book, sy_book_entry *entry, uint32_t bucket, uint32_t teller);
void sy_book_unplace_all(sy_addr_book *book, sy_book_entry *entry);

/* To the old buckets; when they are full, the holder of the place is put to the test first. */
void sy_book_promote(sy_addr_book *book, sy_book_entry *entry, int64_t now);
void sy_book_test_passed(sy_addr_book *book, const sy_node_id *holder);
void sy_book_test_failed(sy_addr_book *book, const sy_node_id *holder, int64_t now);
void sy_book_test_drop(sy_addr_book *book, const sy_node_id *id);

/* Every invariant, in O(n). */
bool sy_book_check(const sy_addr_book *book);

/* RFC 3339 with nanoseconds.  "0001-01-01T00:00:00Z" is SY_BOOK_NEVER. */
#define BOOK_TIME_CAP 40
void sy_book_time_format(int64_t unix_ns, char out[BOOK_TIME_CAP]);
bool sy_book_time_parse(const char *text, size_t len, int64_t *ret_unix_ns);

#endif
