/* SPDX-License-Identifier: Apache-2.0 */
/* The book from text.  Wrong syntax and wrong types are damage and named by line or field; values
 * of the right type that no honest address has are skipped and counted, for real books hold them.
 *
 * SPEC BOOK-27 BOOK-29 BOOK-31 BOOK-33 */
#include "p2p/addr_book_internal.h"

#include <string.h>

#include <jansson.h>

#include <switchyard/assert.h>

/* One element of "addrs", checked for types only. */
typedef struct raw_entry {
    const json_t *addr;
    const json_t *src;
    const json_t *buckets; /* array or NULL */
    uint32_t attempts;
    bool tested;
    int64_t last_attempt;
    int64_t last_success;
} raw_entry;

static sy_err damaged(sy_detail *detail, size_t at, const char *field, const char *why) {
    sy_detail_set(detail, "addrs[%zu].%s %s", at, field, why);
    return SY_ERR_CONFIG;
}

/* jansson does not tell a damaged text from a block that it did not get, and a good file must not
 * be set aside because memory was short for a moment: it gets a second chance. */
static json_t *load_twice(const char *text, size_t len, json_error_t *ret_error,
                          bool *ret_no_memory) {
    *ret_no_memory = false;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, ret_error);
    if (root == NULL) {
        json_t *block = json_integer(1);
        *ret_no_memory = block == NULL;
        json_decref(block);
        root = json_loadb(text, len, JSON_REJECT_DUPLICATES, ret_error);
    }
    return root;
}

/* jansson's own words quote the text, which is an operator's file and no secret. */
static sy_err parse_text(const char *text, size_t len, json_t **ret_root, sy_detail *detail) {
    json_error_t error;
    bool no_memory;
    if (len > SY_BOOK_TEXT_MAX) {
        sy_detail_set(detail, "the file has %zu bytes, more than %zu", len, SY_BOOK_TEXT_MAX);
        return SY_ERR_CONFIG;
    }
    json_t *root = load_twice(text, len, &error, &no_memory);
    if (root == NULL && no_memory) {
        return SY_ERR_NOMEM;
    }
    if (root == NULL) {
        sy_detail_set(detail, "line %d, column %d: ", error.line, error.column);
        sy_detail_quote(detail, error.text, strlen(error.text));
        return SY_ERR_CONFIG;
    }
    if (!json_is_object(root)) {
        sy_detail_set(detail, "the file is not an object");
        json_decref(root);
        return SY_ERR_CONFIG;
    }
    *ret_root = root;
    return SY_OK;
}

static sy_err read_time(const json_t *object, const char *name, size_t at, int64_t *ret_unix_ns,
                        sy_detail *detail) {
    const json_t *value = json_object_get(object, name);
    if (value == NULL) {
        *ret_unix_ns = SY_BOOK_NEVER;
        return SY_OK;
    }
    if (!json_is_string(value) ||
        !sy_book_time_parse(json_string_value(value), json_string_length(value), ret_unix_ns)) {
        return damaged(detail, at, name, "is not a time (RFC 3339)");
    }
    return SY_OK;
}

static sy_err read_number(const json_t *object, const char *name, size_t at, json_int_t min,
                          json_int_t max, json_int_t *ret_value, sy_detail *detail) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max) {
        sy_detail_set(detail, "addrs[%zu].%s is %s %lld..%lld", at, name,
                      value == NULL ? "missing, not" : "not an integer of", (long long)min,
                      (long long)max);
        return SY_ERR_CONFIG;
    }
    *ret_value = json_integer_value(value);
    return SY_OK;
}

static sy_err check_buckets(const raw_entry *raw, size_t at, sy_detail *detail) {
    const json_int_t count = raw->tested ? SY_BOOK_OLD_BUCKETS : SY_BOOK_NEW_BUCKETS;
    for (size_t i = 0; raw->buckets != NULL && i < json_array_size(raw->buckets); i++) {
        const json_t *bucket = json_array_get(raw->buckets, i);
        if (!json_is_integer(bucket) || json_integer_value(bucket) < 0 ||
            json_integer_value(bucket) >= count) {
            return damaged(detail, at, "buckets", "names a bucket that does not exist");
        }
    }
    return SY_OK;
}

/* An object of two strings and a number, all of the right type where they are there. */
static sy_err check_addr(const json_t *value, const char *name, size_t at, sy_detail *detail) {
    if (!json_is_object(value)) {
        return damaged(detail, at, name, value == NULL ? "is missing" : "is not an object");
    }
    static const char *const members[] = {"id", "ip"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *member = json_object_get(value, members[i]);
        if (member != NULL && !json_is_string(member) && !json_is_null(member)) {
            return damaged(detail, at, name, "has an id or ip that is not a string");
        }
    }
    const json_t *port = json_object_get(value, "port");
    if (port != NULL && (!json_is_integer(port) || json_integer_value(port) < 0 ||
                         json_integer_value(port) > UINT16_MAX)) {
        return damaged(detail, at, name, "has a port that is not 0..65535");
    }
    return SY_OK;
}

static sy_err read_entry(const json_t *value, size_t at, raw_entry *raw, sy_detail *detail) {
    json_int_t attempts;
    json_int_t type;
    *raw = (raw_entry){.addr = json_object_get(value, "addr"),
                       .src = json_object_get(value, "src"),
                       .buckets = json_object_get(value, "buckets")};
    if (!json_is_object(value)) {
        sy_detail_set(detail, "addrs[%zu] is not an object", at);
        return SY_ERR_CONFIG;
    }
    sy_err err = check_addr(raw->addr, "addr", at, detail);
    if (err == SY_OK && raw->src != NULL && !json_is_null(raw->src)) {
        err = check_addr(raw->src, "src", at, detail);
    }
    if (err == SY_OK) {
        err = read_number(value, "attempts", at, 0, INT32_MAX, &attempts, detail);
    }
    if (err == SY_OK) {
        err = read_number(value, "bucket_type", at, 1, 2, &type, detail);
    }
    if (err == SY_OK) {
        err = read_time(value, "last_attempt", at, &raw->last_attempt, detail);
    }
    if (err == SY_OK) {
        err = read_time(value, "last_success", at, &raw->last_success, detail);
    }
    if (err != SY_OK) {
        return err;
    }
    if (raw->buckets != NULL && json_is_null(raw->buckets)) {
        raw->buckets = NULL;
    }
    if (raw->buckets != NULL && !json_is_array(raw->buckets)) {
        return damaged(detail, at, "buckets", "is not an array");
    }
    raw->attempts = (uint32_t)attempts;
    raw->tested = type == 2;
    return check_buckets(raw, at, detail);
}

/* ---- Values ------------------------------------------------------------------------------------
 */

static bool addr_of(const json_t *value, sy_net_addr *ret_addr) {
    const json_t *id = json_object_get(value, "id");
    const json_t *ip = json_object_get(value, "ip");
    const json_t *port = json_object_get(value, "port");
    sy_net_addr addr;
    if (!json_is_string(id) || !json_is_string(ip) || !json_is_integer(port) ||
        sy_node_id_parse(json_string_value(id), json_string_length(id), &addr.id) != SY_OK ||
        sy_endpoint_parse_ip(json_string_value(ip), json_string_length(ip), &addr.endpoint) !=
            SY_OK) {
        return false;
    }
    addr.endpoint.port = (uint16_t)json_integer_value(port);
    if (addr.endpoint.port == 0 || sy_endpoint_is_any(&addr.endpoint)) {
        return false;
    }
    *ret_addr = addr;
    return true;
}

static bool is_refused(const sy_addr_book *book, const sy_net_addr *addr) {
    return sy_book_is_own(book, addr) || sy_book_is_private(book, &addr->id) ||
           (book->strict && !sy_endpoint_is_routable(&addr->endpoint));
}

/* A file of ours says which buckets; a foreign one hashed differently, or kept no key for it. */
static void place_as_listed(sy_addr_book *book, sy_book_entry *entry, const raw_entry *raw,
                            uint32_t teller) {
    for (size_t i = 0; raw->buckets != NULL && i < json_array_size(raw->buckets); i++) {
        const json_int_t bucket = json_integer_value(json_array_get(raw->buckets, i));
        (void)sy_book_place_at(book, entry, (uint32_t)bucket, teller);
    }
}

static void become_tested(sy_addr_book *book, sy_book_entry *entry) {
    sy_book_count_group(book, entry, false);
    entry->tested = true;
    sy_book_count_group(book, entry, true);
    book->untested--;
    book->tested++;
}

static void become_untested(sy_addr_book *book, sy_book_entry *entry) {
    sy_book_count_group(book, entry, false);
    entry->tested = false;
    sy_book_count_group(book, entry, true);
    book->tested--;
    book->untested++;
}

/* SPEC BOOK-31: false when there is no room for it anywhere. */
static bool place(sy_addr_book *book, sy_book_entry *entry, const raw_entry *raw, bool listed,
                  int64_t newest) {
    const uint64_t source_group = sy_book_group(&entry->source.endpoint, book->strict);
    const uint32_t teller = sy_book_teller(book, source_group);
    if (raw->tested) {
        become_tested(book, entry);
    }
    if (listed) {
        place_as_listed(book, entry, raw, entry->tested ? 0 : teller);
    }
    if (entry->place_count == 0 && entry->tested &&
        !sy_book_place_at(book, entry, sy_book_old_bucket(book, entry), 0)) {
        become_untested(book, entry);
    }
    if (entry->place_count == 0 && !entry->tested) {
        (void)sy_book_place_new(book, entry, source_group, newest);
    }
    return entry->place_count > 0;
}

static sy_err take_entry(sy_addr_book *book, const raw_entry *raw, bool listed, int64_t newest,
                         sy_addr_book_load_stats *stats) {
    sy_net_addr addr;
    sy_net_addr source;
    if (!addr_of(raw->addr, &addr) || sy_book_find(book, &addr.id) != NULL) {
        stats->invalid++;
        return SY_OK;
    }
    if (is_refused(book, &addr)) {
        stats->refused++;
        return SY_OK;
    }
    if (raw->src == NULL || !addr_of(raw->src, &source)) {
        source = addr;
    }
    const uint64_t group = sy_book_group(&addr.endpoint, book->strict);
    if (!raw->tested && sy_book_group_count(book, group, false) >= SY_BOOK_GROUP_MAX) {
        return SY_OK;
    }
    sy_book_entry *entry = sy_book_entry_new(book, &addr, &source);
    if (entry == NULL) {
        if (book->untested + book->tested >= SY_BOOK_SLOTS) {
            return SY_OK;
        }
        return SY_ERR_NOMEM;
    }
    entry->attempts = raw->attempts;
    entry->last_attempt = raw->last_attempt;
    entry->last_success = raw->last_success;
    if (!place(book, entry, raw, listed, newest)) {
        sy_book_entry_del(book, entry);
    }
    return SY_OK;
}

/* The latest time in the file stands for now: the book has no clock. */
static int64_t newest_time(const json_t *addrs) {
    int64_t newest = 0;
    for (size_t i = 0; i < json_array_size(addrs); i++) {
        const json_t *value = json_object_get(json_array_get(addrs, i), "last_attempt");
        int64_t time;
        if (json_is_string(value) &&
            sy_book_time_parse(json_string_value(value), json_string_length(value), &time) &&
            time > newest) {
            newest = time;
        }
    }
    return newest;
}

static sy_err read_key(sy_addr_book *book, const json_t *root, sy_detail *detail) {
    const json_t *key = json_object_get(root, "key");
    if (!json_is_string(key) || json_string_length(key) == 0 ||
        json_string_length(key) > BOOK_KEY_TEXT_MAX) {
        sy_detail_set(detail, "key is not a string of 1..%d characters", BOOK_KEY_TEXT_MAX);
        return SY_ERR_CONFIG;
    }
    char text[BOOK_KEY_TEXT_MAX + 1] = {0};
    memcpy(text, json_string_value(key), json_string_length(key));
    sy_book_set_key(book, text);
    return SY_OK;
}

static sy_err read_book(sy_addr_book *book, const json_t *root, sy_addr_book_load_stats *stats,
                        sy_detail *detail) {
    const json_t *addrs = json_object_get(root, "addrs");
    const json_t *placement = json_object_get(root, "placement");
    const bool listed =
        json_is_string(placement) && strcmp(json_string_value(placement), BOOK_PLACEMENT) == 0;
    if (!json_is_array(addrs) && !json_is_null(addrs)) {
        sy_detail_set(detail, "addrs is %s", addrs == NULL ? "missing" : "not an array");
        return SY_ERR_CONFIG;
    }
    sy_err err = read_key(book, root, detail);
    const int64_t newest = newest_time(addrs);
    for (size_t i = 0; i < json_array_size(addrs) && err == SY_OK; i++) {
        raw_entry raw;
        err = read_entry(json_array_get(addrs, i), i, &raw, detail);
        if (err == SY_OK) {
            stats->read++;
            err = take_entry(book, &raw, listed, newest, stats);
        }
    }
    /* Also those that a later one pushed out of their last bucket found no room. */
    stats->kept = book->untested + book->tested;
    stats->crowded = stats->read - stats->kept - stats->invalid - stats->refused;
    return err;
}

sy_err sy_addr_book_load(sy_addr_book *book, const char *text, size_t len,
                         sy_addr_book_load_stats *ret_stats, sy_detail *detail) {
    SY_REQUIRE(book->untested + book->tested == 0);
    sy_addr_book_load_stats stats = {0};
    char old_key[BOOK_KEY_TEXT_MAX + 1];
    memcpy(old_key, book->key_text, sizeof old_key);
    sy_detail_clear(detail);

    json_t *root;
    sy_err err = parse_text(text, len, &root, detail);
    if (err != SY_OK) {
        return err;
    }
    err = read_book(book, root, &stats, detail);
    json_decref(root);
    if (err != SY_OK) {
        sy_book_clear(book);
        sy_book_set_key(book, old_key);
        return err;
    }
    if (ret_stats != NULL) {
        *ret_stats = stats;
    }
    SY_VERIFY(sy_book_check(book));
    return SY_OK;
}

/* ---- Notes -------------------------------------------------------------------------------------
 */

static sy_err check_note(const json_t *note, size_t at, sy_detail *detail) {
    const json_t *id = json_object_get(note, "id");
    const json_t *network = json_object_get(note, "network");
    const json_t *profiles = json_object_get(note, "profiles");
    sy_node_id parsed;
    if (!json_is_string(id) ||
        sy_node_id_parse(json_string_value(id), json_string_length(id), &parsed) != SY_OK) {
        sy_detail_set(detail, "peers[%zu].id is not an ID", at);
        return SY_ERR_CONFIG;
    }
    if (network != NULL && !json_is_string(network)) {
        sy_detail_set(detail, "peers[%zu].network is not a string", at);
        return SY_ERR_CONFIG;
    }
    if (!json_is_array(profiles)) {
        sy_detail_set(detail, "peers[%zu].profiles is not an array", at);
        return SY_ERR_CONFIG;
    }
    for (size_t i = 0; i < json_array_size(profiles); i++) {
        if (!json_is_string(json_array_get(profiles, i))) {
            sy_detail_set(detail, "peers[%zu].profiles[%zu] is not a string", at, i);
            return SY_ERR_CONFIG;
        }
    }
    return SY_OK;
}

static void take_note(sy_addr_book *book, const json_t *note) {
    const json_t *id = json_object_get(note, "id");
    const json_t *network = json_object_get(note, "network");
    const json_t *profiles = json_object_get(note, "profiles");
    sy_node_id parsed;
    if (sy_node_id_parse(json_string_value(id), json_string_length(id), &parsed) != SY_OK) {
        return;
    }
    sy_book_entry *entry = sy_book_find(book, &parsed);
    if (entry == NULL) {
        return;
    }
    if (network != NULL && strcmp(json_string_value(network), book->network) != 0) {
        sy_book_entry_del(book, entry);
        return;
    }
    entry->confirmed = network != NULL;
    for (size_t i = 0; i < json_array_size(profiles); i++) {
        sy_book_note_profile(book, entry, json_string_value(json_array_get(profiles, i)));
    }
}

static sy_err read_anchors(const json_t *list, sy_net_addr out[SY_ADDR_ANCHORS_MAX],
                           size_t *ret_count, sy_detail *detail) {
    size_t count = 0;
    if (list != NULL && !json_is_array(list)) {
        sy_detail_set(detail, "anchors is not an array");
        return SY_ERR_CONFIG;
    }
    for (size_t i = 0; i < json_array_size(list) && count < SY_ADDR_ANCHORS_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        sy_addr addr;
        if (!json_is_string(item) ||
            sy_addr_parse(json_string_value(item), json_string_length(item), SY_ADDR_ID_REQUIRED,
                          &addr, NULL) != SY_OK ||
            !addr.is_ip) {
            sy_detail_set(detail, "anchors[%zu] is not ID@ip:port", i);
            return SY_ERR_CONFIG;
        }
        out[count++] = (sy_net_addr){addr.id, addr.endpoint};
    }
    *ret_count = count;
    return SY_OK;
}

static sy_err read_notes(sy_addr_book *book, const json_t *root, sy_detail *detail) {
    const json_t *peers = json_object_get(root, "peers");
    sy_net_addr anchors[SY_ADDR_ANCHORS_MAX];
    size_t anchor_count = 0;
    if (!json_is_integer(json_object_get(root, "version")) ||
        json_integer_value(json_object_get(root, "version")) != 1) {
        sy_detail_set(detail, "version is not 1");
        return SY_ERR_CONFIG;
    }
    if (!json_is_array(peers)) {
        sy_detail_set(detail, "peers is not an array");
        return SY_ERR_CONFIG;
    }
    sy_err err = read_anchors(json_object_get(root, "anchors"), anchors, &anchor_count, detail);
    for (size_t i = 0; i < json_array_size(peers) && err == SY_OK; i++) {
        err = check_note(json_array_get(peers, i), i, detail);
    }
    if (err != SY_OK) {
        return err;
    }
    for (size_t i = 0; i < json_array_size(peers); i++) {
        take_note(book, json_array_get(peers, i));
    }
    const sy_addr_source source = sy_addr_book_source(book);
    source.ops->set_anchors(source.source, anchors, anchor_count);
    return SY_OK;
}

sy_err sy_addr_book_load_notes(sy_addr_book *book, const char *text, size_t len,
                               sy_detail *detail) {
    sy_detail_clear(detail);
    json_t *root;
    sy_err err = parse_text(text, len, &root, detail);
    if (err != SY_OK) {
        return err;
    }
    err = read_notes(book, root, detail);
    json_decref(root);
    return err;
}
