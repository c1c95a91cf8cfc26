/* SPDX-License-Identifier: Apache-2.0 */
/* The book, its entries and their index by ID, and what it refuses. */
#include "p2p/addr_book_internal.h"

#include <stdio.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/text.h"

#define ENTRIES_FIRST 64

static const char *const verdict_names[SY_ADDR_VERDICT_COUNT] = {
    [SY_ADDR_ADDED] = "ADDED",
    [SY_ADDR_KNOWN] = "KNOWN",
    [SY_ADDR_MOVED] = "MOVED",
    [SY_ADDR_INVALID] = "INVALID",
    [SY_ADDR_BANNED] = "BANNED",
    [SY_ADDR_PRIVATE] = "PRIVATE",
    [SY_ADDR_PRIVATE_SOURCE] = "PRIVATE_SOURCE",
    [SY_ADDR_OWN] = "OWN",
    [SY_ADDR_NOT_ROUTABLE] = "NOT_ROUTABLE",
    [SY_ADDR_CROWDED] = "CROWDED",
    [SY_ADDR_NO_MEMORY] = "NO_MEMORY",
};

const char *sy_addr_verdict_name(sy_addr_verdict verdict) {
    return (unsigned)verdict < SY_ADDR_VERDICT_COUNT ? verdict_names[verdict] : "?";
}

void sy_addr_book_settings_default_sized(sy_addr_book_settings *settings, size_t size) {
    SY_REQUIRE(size == sizeof *settings);
    *settings = (sy_addr_book_settings){.size = size, .strict = true, .network = ""};
}

/* SPEC BOOK-05: all that places addresses follows from the text that the file keeps. */
void sy_book_set_key(sy_addr_book *book, const char *text) {
    static const uint8_t halves[2][SY_HASH_KEY_LEN] = {"address book 1", "address book 2"};
    const size_t len = strlen(text);
    SY_ASSERT(len <= BOOK_KEY_TEXT_MAX);
    if (text != book->key_text) {
        memcpy(book->key_text, text, len + 1);
    }
    for (size_t i = 0; i < 2; i++) {
        const uint64_t half = sy_hash(text, len, halves[i]);
        memcpy(book->hash_key + 8 * i, &half, sizeof half);
    }
}

/* ---- Entries -----------------------------------------------------------------------------------
 */

uint32_t sy_book_index_of(const sy_addr_book *book, const sy_book_entry *entry) {
    SY_ASSERT(entry >= book->entries && entry < book->entries + book->entry_cap);
    return (uint32_t)(entry - book->entries);
}

static uint32_t *chain_of(const sy_addr_book *book, const sy_node_id *id) {
    const uint64_t hash = sy_hash(id->bytes, sizeof id->bytes, book->hash_key);
    return &book->index[hash & book->index_mask];
}

static void link_entry(sy_addr_book *book, uint32_t at) {
    uint32_t *head = chain_of(book, &book->entries[at].addr.id);
    book->entries[at].hash_next = *head;
    *head = at + 1;
}

sy_book_entry *sy_book_find(const sy_addr_book *book, const sy_node_id *id) {
    if (book->entry_cap == 0) {
        return NULL;
    }
    for (uint32_t at = *chain_of(book, id); at != 0; at = book->entries[at - 1].hash_next) {
        if (sy_node_id_equal(&book->entries[at - 1].addr.id, id)) {
            return &book->entries[at - 1];
        }
    }
    return NULL;
}

static void rebuild_index(sy_addr_book *book) {
    memset(book->index, 0, (book->index_mask + (size_t)1) * sizeof *book->index);
    for (uint32_t i = 0; i < book->entry_cap; i++) {
        if (book->entries[i].used) {
            link_entry(book, i);
        }
    }
}

static bool grow(sy_addr_book *book) {
    const uint32_t cap = book->entry_cap == 0 ? ENTRIES_FIRST : book->entry_cap * 2;
    const uint32_t bounded = cap > SY_BOOK_SLOTS ? SY_BOOK_SLOTS : cap;
    if (bounded == book->entry_cap) {
        return false;
    }
    uint32_t chains = 1;
    while (chains < bounded) {
        chains *= 2;
    }
    uint32_t *scratch = sy_mem_zalloc_array(&book->mem, bounded, sizeof *scratch);
    uint32_t *index = sy_mem_zalloc_array(&book->mem, chains, sizeof *index);
    sy_book_entry *entries = sy_mem_zalloc_array(&book->mem, bounded, sizeof *entries);
    if (scratch == NULL || index == NULL || entries == NULL) {
        sy_mem_release(&book->mem, scratch);
        sy_mem_release(&book->mem, index);
        sy_mem_release(&book->mem, entries);
        return false;
    }
    if (book->entry_cap > 0) {
        memcpy(entries, book->entries, book->entry_cap * sizeof *entries);
    }
    sy_mem_release(&book->mem, book->scratch);
    sy_mem_release(&book->mem, book->index);
    sy_mem_release(&book->mem, book->entries);
    book->scratch = scratch;
    book->index = index;
    book->index_mask = chains - 1;
    book->entries = entries;
    for (uint32_t i = bounded; i > book->entry_cap; i--) {
        entries[i - 1].hash_next = book->first_free;
        book->first_free = i;
    }
    book->entry_cap = bounded;
    rebuild_index(book);
    return true;
}

static sy_count_key group_key(uint64_t group, bool tested) {
    return sy_count_key_make(tested ? 1 : 0, &group, sizeof group, NULL, 0);
}

size_t sy_book_group_count(const sy_addr_book *book, uint64_t group, bool tested) {
    const sy_count_key key = group_key(group, tested);
    return sy_count_map_get(&book->group_counts, &key);
}

void sy_book_count_group(sy_addr_book *book, const sy_book_entry *entry, bool add) {
    const sy_count_key key = group_key(entry->group, entry->tested);
    if (add) {
        book->tested_groups += entry->tested && sy_count_map_get(&book->group_counts, &key) == 0;
        sy_count_map_add(&book->group_counts, &key);
    } else {
        sy_count_map_remove(&book->group_counts, &key);
        book->tested_groups -= entry->tested && sy_count_map_get(&book->group_counts, &key) == 0;
    }
}

/* Not placed yet: the caller places or deletes it.  NULL: no memory; room for its group in both
 * kinds is reserved with it. */
sy_book_entry *sy_book_entry_new(sy_addr_book *book, const sy_net_addr *addr,
                                 const sy_net_addr *source) {
    if (sy_count_map_reserve(&book->group_counts, 2) != SY_OK ||
        (book->first_free == 0 && !grow(book))) {
        return NULL;
    }
    const uint32_t at = book->first_free - 1;
    sy_book_entry *entry = &book->entries[at];
    book->first_free = entry->hash_next;
    *entry = (sy_book_entry){
        .addr = *addr,
        .source = *source,
        .group = sy_book_group(&addr->endpoint, book->strict),
        .last_attempt = SY_BOOK_NEVER,
        .last_success = SY_BOOK_NEVER,
        .used = true,
    };
    link_entry(book, at);
    sy_book_count_group(book, entry, true);
    book->untested++;
    book->changes++;
    return entry;
}

void sy_book_entry_del(sy_addr_book *book, sy_book_entry *entry) {
    const uint32_t at = sy_book_index_of(book, entry);
    SY_ASSERT(entry->used);
    sy_book_unplace_all(book, entry);
    sy_book_test_drop(book, &entry->addr.id);
    sy_book_count_group(book, entry, false);
    uint32_t *link = chain_of(book, &entry->addr.id);
    while (*link != at + 1) {
        SY_ASSERT(*link != 0);
        link = &book->entries[*link - 1].hash_next;
    }
    *link = entry->hash_next;
    if (entry->tested) {
        book->tested--;
    } else {
        book->untested--;
    }
    *entry = (sy_book_entry){.hash_next = book->first_free};
    book->first_free = at + 1;
    book->changes++;
}

/* ---- What is refused ---------------------------------------------------------------------------
 */

static bool is_own_endpoint(const sy_addr_book *book, const sy_endpoint *endpoint) {
    for (size_t i = 0; i < book->own_count; i++) {
        if (sy_endpoint_equal(&book->own[i], endpoint)) {
            return true;
        }
    }
    return false;
}

bool sy_book_is_own(const sy_addr_book *book, const sy_net_addr *addr) {
    return sy_node_id_equal(&addr->id, &book->own_id) || is_own_endpoint(book, &addr->endpoint);
}

bool sy_book_is_private(const sy_addr_book *book, const sy_node_id *id) {
    for (size_t i = 0; i < book->private_count; i++) {
        if (sy_node_id_equal(&book->private_ids[i], id)) {
            return true;
        }
    }
    return false;
}

void sy_addr_book_add_own(sy_addr_book *book, const sy_endpoint *endpoint) {
    if (is_own_endpoint(book, endpoint)) {
        return;
    }
    book->own[book->own_next] = *endpoint;
    book->own_next = (book->own_next + 1) % BOOK_OWN_MAX;
    book->own_count += book->own_count < BOOK_OWN_MAX;
    for (uint32_t i = 0; i < book->entry_cap; i++) {
        sy_book_entry *entry = &book->entries[i];
        if (entry->used && sy_endpoint_equal(&entry->addr.endpoint, endpoint)) {
            sy_book_entry_del(book, entry);
        }
    }
}

sy_err sy_addr_book_set_private(sy_addr_book *book, const sy_node_id *ids, size_t count) {
    sy_node_id *copy = sy_mem_zalloc_array(&book->mem, count + 1, sizeof *copy);
    if (copy == NULL) {
        return SY_ERR_NOMEM;
    }
    if (count > 0) {
        memcpy(copy, ids, count * sizeof *copy);
    }
    sy_mem_release(&book->mem, book->private_ids);
    book->private_ids = copy;
    book->private_count = count;
    for (size_t i = 0; i < count; i++) {
        sy_book_entry *entry = sy_book_find(book, &ids[i]);
        if (entry != NULL) {
            sy_book_entry_del(book, entry);
        }
    }
    return SY_OK;
}

void sy_book_ban(sy_addr_book *book, const sy_node_id *id, int64_t until) {
    bool fresh;
    const uint32_t slot = sy_id_map_touch(&book->bans, id, &fresh);
    book->banned_until[slot] = until;
}

bool sy_book_is_banned(const sy_addr_book *book, const sy_node_id *id, int64_t now) {
    const uint32_t slot = sy_id_map_find(&book->bans, id);
    return slot != SY_ID_MAP_NONE && now < book->banned_until[slot];
}

/* ---- Profiles ----------------------------------------------------------------------------------
 */

uint8_t sy_book_profile(sy_addr_book *book, const char *name) {
    if (name == NULL || name[0] == '\0' || strlen(name) >= BOOK_PROFILE_CAP) {
        return 0;
    }
    for (size_t i = 0; i < book->profile_count; i++) {
        if (strcmp(book->profiles[i], name) == 0) {
            return (uint8_t)(i + 1);
        }
    }
    if (book->profile_count == BOOK_PROFILES_MAX) {
        return 0;
    }
    memcpy(book->profiles[book->profile_count], name, strlen(name) + 1);
    return (uint8_t)++book->profile_count;
}

void sy_book_note_profile(sy_addr_book *book, sy_book_entry *entry, const char *name) {
    const uint8_t profile = sy_book_profile(book, name);
    if (profile != 0) {
        entry->profiles |= (uint8_t)(1u << (profile - 1));
        entry->last_profile = profile;
    }
}

/* ---- Making and freeing ------------------------------------------------------------------------
 */

static sy_err allocate(sy_addr_book *book, const sy_addr_book_settings *settings) {
    book->new_cells = sy_mem_zalloc_array(&book->mem, BOOK_NEW_CELLS, sizeof *book->new_cells);
    book->old_cells = sy_mem_zalloc_array(
        &book->mem, (size_t)SY_BOOK_OLD_BUCKETS * SY_BOOK_BUCKET_SIZE, sizeof *book->old_cells);
    book->banned_until =
        sy_mem_zalloc_array(&book->mem, SY_BOOK_BANS_MAX, sizeof *book->banned_until);
    book->private_ids =
        sy_mem_zalloc_array(&book->mem, settings->private_count + 1, sizeof *book->private_ids);
    if (book->new_cells == NULL || book->old_cells == NULL || book->banned_until == NULL ||
        book->private_ids == NULL) {
        return SY_ERR_NOMEM;
    }
    if (settings->private_count > 0) {
        memcpy(book->private_ids, settings->private_ids,
               settings->private_count * sizeof *book->private_ids);
    }
    book->private_count = settings->private_count;
    return sy_id_map_init(&book->bans, SY_BOOK_BANS_MAX, &book->mem, book->hash_key);
}

sy_err sy_addr_book_new(const sy_addr_book_settings *settings, sy_addr_book **ret_book) {
    SY_REQUIRE(settings->size == sizeof *settings);
    const sy_mem *mem = settings->mem == NULL ? sy_mem_libc() : settings->mem;
    const char *network = settings->network == NULL ? "" : settings->network;
    char key_text[2 * SY_BOOK_RANDOM_LEN + 1];
    if (strlen(network) > BOOK_NETWORK_MAX) {
        return SY_ERR_CONFIG;
    }
    sy_addr_book *book = sy_mem_zalloc(mem, sizeof *book);
    if (book == NULL) {
        return SY_ERR_NOMEM;
    }
    book->mem = *mem;
    book->strict = settings->strict;
    book->own_id = settings->own_id;
    memcpy(book->network, network, strlen(network) + 1);
    sy_hex_encode(settings->random, sizeof settings->random, key_text);
    sy_book_set_key(book, key_text);
    sy_prng_init(&book->prng, settings->seed);
    sy_count_map_init(&book->group_counts, &book->mem, book->hash_key);
    const sy_err err = allocate(book, settings);
    if (err != SY_OK) {
        sy_addr_book_del(book);
        return err;
    }
    *ret_book = book;
    return SY_OK;
}

/* Drops every entry, keeps the memory. */
void sy_book_clear(sy_addr_book *book) {
    for (uint32_t i = 0; i < book->entry_cap; i++) {
        if (book->entries[i].used) {
            sy_book_entry_del(book, &book->entries[i]);
        }
    }
}

void sy_addr_book_del(sy_addr_book *book) {
    if (book == NULL) {
        return;
    }
    const sy_mem mem = book->mem;
    if (book->bans.mem != NULL) {
        sy_id_map_fini(&book->bans);
    }
    sy_count_map_fini(&book->group_counts);
    sy_mem_release(&mem, book->private_ids);
    sy_mem_release(&mem, book->banned_until);
    sy_mem_release(&mem, book->new_cells);
    sy_mem_release(&mem, book->old_cells);
    sy_mem_release(&mem, book->entries);
    sy_mem_release(&mem, book->index);
    sy_mem_release(&mem, book->scratch);
    sy_mem_release(&mem, book);
}

/* ---- Queries -----------------------------------------------------------------------------------
 */

static void view_of(const sy_addr_book *book, const sy_book_entry *entry, sy_addr_book_view *view) {
    *view = (sy_addr_book_view){
        .addr = entry->addr,
        .source = entry->source,
        .tested = entry->tested,
        .attempts = entry->attempts,
        .last_attempt = {entry->last_attempt},
        .last_success = {entry->last_success},
        .place_count = entry->place_count,
        .profile = entry->last_profile == 0 ? "" : book->profiles[entry->last_profile - 1],
    };
    for (size_t i = 0; i < entry->place_count; i++) {
        view->buckets[i] = (uint16_t)(entry->places[i] / SY_BOOK_BUCKET_SIZE);
    }
}

bool sy_addr_book_next(const sy_addr_book *book, size_t *cursor, sy_addr_book_view *ret_view) {
    while (*cursor < book->entry_cap) {
        const sy_book_entry *entry = &book->entries[(*cursor)++];
        if (entry->used) {
            view_of(book, entry, ret_view);
            return true;
        }
    }
    return false;
}

bool sy_addr_book_find(const sy_addr_book *book, const sy_node_id *id,
                       sy_addr_book_view *ret_view) {
    const sy_book_entry *entry = sy_book_find(book, id);
    if (entry == NULL) {
        return false;
    }
    view_of(book, entry, ret_view);
    return true;
}

void sy_addr_book_get_counts(const sy_addr_book *book, sy_addr_book_counts *ret_counts) {
    *ret_counts = book->counts;
    ret_counts->bans = sy_id_map_count(&book->bans);
    ret_counts->memory =
        sizeof *book + (size_t)SY_BOOK_SLOTS * sizeof(sy_book_cell) +
        book->entry_cap * (sizeof(sy_book_entry) + sizeof(uint32_t)) +
        (book->entry_cap == 0 ? 0 : (book->index_mask + (size_t)1) * sizeof(uint32_t));
}
