/* SPDX-License-Identifier: Apache-2.0 */
/* The book as text, in the form of Go's encoding/json with tabs.  Nothing that is written needs
 * escaping but the key of a foreign file and the network, which jansson escapes.
 *
 * SPEC BOOK-28 BOOK-29 BOOK-32 BOOK-33 */
#include "p2p/addr_book_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <switchyard/assert.h>

/* Grows; a failed growth is sticky. */
typedef struct text_out {
    const sy_mem *mem;
    char *data;
    size_t len;
    size_t cap;
    bool failed;
} text_out;

static bool make_room(text_out *out, size_t n) {
    if (out->failed) {
        return false;
    }
    if (out->len + n <= out->cap) {
        return true;
    }
    size_t cap = out->cap == 0 ? 4096 : out->cap;
    while (cap < out->len + n) {
        cap *= 2;
    }
    char *data =
        out->data == NULL ? sy_mem_zalloc(out->mem, cap) : sy_mem_resize(out->mem, out->data, cap);
    if (data == NULL) {
        out->failed = true;
        return false;
    }
    out->data = data;
    out->cap = cap;
    return true;
}

static void put(text_out *out, const char *format, ...) SY_PRINTF(2, 3);

static void put(text_out *out, const char *format, ...) {
    char piece[256];
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    SY_ASSERT(len >= 0 && (size_t)len < sizeof piece);
    if (make_room(out, (size_t)len + 1)) {
        memcpy(out->data + out->len, piece, (size_t)len + 1);
        out->len += (size_t)len;
    }
}

/* A string of at most 64 bytes, quoted and escaped. */
static void put_quoted(text_out *out, const char *text) {
    char quoted[6 * BOOK_KEY_TEXT_MAX + 3];
    json_t *value = json_string(text);
    const size_t len = value == NULL ? 0
                                     : json_dumpb(value, quoted, sizeof quoted - 1,
                                                  JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    json_decref(value);
    if (len == 0 || len >= sizeof quoted) {
        out->failed = true; /* no memory */
        return;
    }
    quoted[len] = '\0';
    if (make_room(out, len + 1)) {
        memcpy(out->data + out->len, quoted, len + 1);
        out->len += len;
    }
}

static sy_err finish(text_out *out, char **ret_text, size_t *ret_len) {
    if (out->failed) {
        sy_mem_release(out->mem, out->data);
        return SY_ERR_NOMEM;
    }
    *ret_text = out->data;
    *ret_len = out->len;
    return SY_OK;
}

/* "1.2.3.4" or "2001:db9::1". */
static void ip_text(const sy_endpoint *endpoint, char out[SY_ENDPOINT_TEXT_CAP]) {
    const sy_endpoint portless = {.port = 0};
    char whole[SY_ENDPOINT_TEXT_CAP];
    sy_endpoint ip = portless;
    memcpy(ip.ip, endpoint->ip, sizeof ip.ip);
    size_t len = sy_endpoint_format(&ip, whole);
    len -= 2; /* ":0" */
    const bool bracketed = whole[0] == '[';
    const size_t from = bracketed ? 1 : 0;
    const size_t end = bracketed ? len - 1 : len;
    memcpy(out, whole + from, end - from);
    out[end - from] = '\0';
}

static void put_addr(text_out *out, const char *name, const sy_net_addr *addr) {
    char id[SY_NODE_ID_TEXT_CAP];
    char ip[SY_ENDPOINT_TEXT_CAP];
    sy_node_id_format(&addr->id, id);
    ip_text(&addr->endpoint, ip);
    put(out, "\t\t\t\"%s\": {\n\t\t\t\t\"id\": \"%s\",\n", name, id);
    put(out, "\t\t\t\t\"ip\": \"%s\",\n\t\t\t\t\"port\": %u\n\t\t\t},\n", ip,
        (unsigned)addr->endpoint.port);
}

static void put_buckets(text_out *out, const sy_book_entry *entry, const char *end) {
    put(out, "\t\t\t\"buckets\": [\n");
    for (size_t i = 0; i < entry->place_count; i++) {
        put(out, "\t\t\t\t%u%s\n", (unsigned)entry->places[i] / SY_BOOK_BUCKET_SIZE,
            i + 1 < entry->place_count ? "," : "");
    }
    put(out, "\t\t\t]%s\n", end);
}

static void put_time(text_out *out, const char *name, int64_t unix_ns, const char *end) {
    char text[BOOK_TIME_CAP];
    sy_book_time_format(unix_ns, text);
    put(out, "\t\t\t\"%s\": \"%s\"%s\n", name, text, end);
}

static void put_entry(text_out *out, const sy_book_entry *entry, sy_book_dialect dialect) {
    const bool comet = dialect == SY_BOOK_COMETBFT;
    put_addr(out, "addr", &entry->addr);
    put_addr(out, "src", &entry->source);
    if (comet) {
        put_buckets(out, entry, ",");
    }
    put(out, "\t\t\t\"attempts\": %u,\n", (unsigned)entry->attempts);
    if (comet) {
        put(out, "\t\t\t\"bucket_type\": %u,\n", entry->tested ? 2u : 1u);
    }
    put_time(out, "last_attempt", entry->last_attempt, ",");
    put_time(out, "last_success", entry->last_success, ",");
    if (comet) {
        put_time(out, "last_ban_time", SY_BOOK_NEVER, "");
    } else {
        put(out, "\t\t\t\"bucket_type\": %u,\n", entry->tested ? 2u : 1u);
        put_buckets(out, entry, "");
    }
}

sy_err sy_addr_book_write(const sy_addr_book *book, sy_book_dialect dialect, char **ret_text,
                          size_t *ret_len) {
    text_out out = {.mem = &book->mem};
    bool first = true;
    put(&out, "{\n\t\"key\": ");
    put_quoted(&out, book->key_text);
    put(&out, ",\n\t\"placement\": \"%s\",\n\t\"addrs\": [", BOOK_PLACEMENT);
    for (uint32_t i = 0; i < book->entry_cap; i++) {
        if (book->entries[i].used) {
            put(&out, "%s\n\t\t{\n", first ? "" : ",");
            put_entry(&out, &book->entries[i], dialect);
            put(&out, "\t\t}");
            first = false;
        }
    }
    put(&out, first ? "]\n}" : "\n\t]\n}");
    return finish(&out, ret_text, ret_len);
}

/* ---- Notes -------------------------------------------------------------------------------------
 */

static void put_note(text_out *out, const sy_addr_book *book, const sy_book_entry *entry) {
    char id[SY_NODE_ID_TEXT_CAP];
    bool first = true;
    sy_node_id_format(&entry->addr.id, id);
    put(out, "\t\t{\"id\": \"%s\", \"profiles\": [", id);
    /* The last one seen stands last. */
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < book->profile_count; i++) {
            const bool is_last = entry->last_profile == i + 1;
            if ((entry->profiles & (1u << i)) != 0 && is_last == (pass == 1)) {
                put(out, "%s", first ? "" : ", ");
                put_quoted(out, book->profiles[i]);
                first = false;
            }
        }
    }
    put(out, "]");
    if (entry->confirmed) {
        put(out, ", \"network\": ");
        put_quoted(out, book->network);
    }
    put(out, "}");
}

sy_err sy_addr_book_write_notes(const sy_addr_book *book, char **ret_text, size_t *ret_len) {
    text_out out = {.mem = &book->mem};
    bool first = true;
    put(&out, "{\n\t\"version\": 1,\n\t\"anchors\": [");
    for (size_t i = 0; i < book->anchor_count; i++) {
        char id[SY_NODE_ID_TEXT_CAP];
        char endpoint[SY_ENDPOINT_TEXT_CAP];
        sy_node_id_format(&book->anchors[i].id, id);
        (void)sy_endpoint_format(&book->anchors[i].endpoint, endpoint);
        put(&out, "%s\"%s@%s\"", i == 0 ? "" : ", ", id, endpoint);
    }
    put(&out, "],\n\t\"peers\": [");
    for (uint32_t i = 0; i < book->entry_cap; i++) {
        const sy_book_entry *entry = &book->entries[i];
        if (entry->used && (entry->profiles != 0 || entry->confirmed)) {
            put(&out, first ? "\n" : ",\n");
            put_note(&out, book, entry);
            first = false;
        }
    }
    put(&out, first ? "]\n}\n" : "\n\t]\n}\n");
    return finish(&out, ret_text, ret_len);
}

void sy_addr_book_text_del(const sy_addr_book *book, char *text) {
    sy_mem_release(&book->mem, text);
}
