/* SPDX-License-Identifier: Apache-2.0 */
/* The address book: which nodes exist, who said so, and which of them were found to be there.
 * Untested addresses live in 256 "new" buckets of 64, tested ones in 64 "old" buckets of 64; which
 * buckets an address can reach follows from a keyed hash of its group and of the group of whoever
 * told it, so that one host or prefix reaches a small part only.  Holds at most SY_BOOK_SLOTS
 * addresses, whatever is told.  Sans-I/O: it reads and writes text, the program reads and writes
 * files.
 *
 *     sy_addr_book_settings settings;
 *     sy_addr_book_settings_default(&settings);
 *     ... own_id, network, random, seed ...
 *     sy_addr_book *book;
 *     sy_err err = sy_addr_book_new(&settings, &book);
 *     err = sy_addr_book_load(book, text, len, &stats, &detail);   // a file, if there is one
 *     sy_addr_source source = sy_addr_book_source(book);           // for a dial policy
 *     err = sy_addr_book_write(book, SY_BOOK_COMETBFT, &text, &len);
 *     sy_addr_book_text_del(book, text);
 *
 * Loop thread only.  Source: docs/spec/address-book.md. */
#ifndef SWITCHYARD_ADDR_BOOK_H
#define SWITCHYARD_ADDR_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr_source.h>
#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/mem.h>

SY_BEGIN_DECLS

typedef struct sy_addr_book sy_addr_book;

#define SY_BOOK_NEW_BUCKETS    256
#define SY_BOOK_OLD_BUCKETS    64
#define SY_BOOK_BUCKET_SIZE    64
#define SY_BOOK_SLOTS          ((SY_BOOK_NEW_BUCKETS + SY_BOOK_OLD_BUCKETS) * SY_BOOK_BUCKET_SIZE)
#define SY_BOOK_PLACES_MAX     4    /* new buckets one address may sit in */
#define SY_BOOK_SOURCE_BUCKETS 32   /* new buckets one source group reaches */
#define SY_BOOK_OLD_SPREAD     4    /* old buckets one address group reaches */
#define SY_BOOK_GROUP_MAX      256  /* untested addresses of one group */
#define SY_BOOK_BANS_MAX       1024 /* the oldest is forgotten first */
#define SY_BOOK_NEED_MORE      1000 /* below this it asks for addresses */
#define SY_BOOK_PROVEN_GROUPS  64   /* groups of tested addresses that make untested ones wait */
#define SY_BOOK_TESTS_MAX      16   /* old addresses under test for their place */
#define SY_BOOK_ATTEMPTS_MAX   16   /* failures in a row before an address is forgotten */
#define SY_BOOK_TEXT_MAX       ((size_t)64 << 20)
#define SY_BOOK_RANDOM_LEN     12

typedef struct sy_addr_book_settings {
    size_t size;
    const sy_mem *mem; /* NULL: the C library's; borrows until del */
    bool strict;       /* only routable addresses; default true */
    sy_node_id own_id;
    const char *network;           /* chain id; copied; may be "" */
    const sy_node_id *private_ids; /* copied */
    size_t private_count;
    uint8_t random[SY_BOOK_RANDOM_LEN]; /* for the key of a fresh book */
    uint64_t seed;                      /* for choices */
} sy_addr_book_settings;

#define sy_addr_book_settings_default(settings)                                                    \
    sy_addr_book_settings_default_sized((settings), sizeof(sy_addr_book_settings))
SY_API void sy_addr_book_settings_default_sized(sy_addr_book_settings *settings, size_t size);

/*   SY_ERR_NOMEM, SY_ERR_CONFIG (network longer than 64 bytes) */
SY_API sy_err sy_addr_book_new(const sy_addr_book_settings *settings,
                               sy_addr_book **ret_book) SY_MUST_USE;
SY_API void sy_addr_book_del(sy_addr_book *book); /* NULL is allowed */

/* Borrows the book. */
SY_API sy_addr_source sy_addr_book_source(sy_addr_book *book);

/* New private IDs (reload), copied; what the book holds of them is dropped.
 *   SY_ERR_NOMEM: nothing has changed */
SY_API sy_err sy_addr_book_set_private(sy_addr_book *book, const sy_node_id *ids,
                                       size_t count) SY_MUST_USE;

/* An address of ours, never to be dialed or handed out; the oldest of more than 16 is forgotten.
 * Drops what the book holds at it. */
SY_API void sy_addr_book_add_own(sy_addr_book *book, const sy_endpoint *endpoint);

/* ---- Queries -----------------------------------------------------------------------------------
 */

#define SY_BOOK_NEVER INT64_MIN /* unix_ns of an attempt or success that never was */

typedef struct sy_addr_book_view {
    sy_net_addr addr;
    sy_net_addr source;
    bool tested;
    uint32_t attempts; /* failed in a row */
    sy_walltime last_attempt;
    sy_walltime last_success;
    size_t place_count;
    uint16_t buckets[SY_BOOK_PLACES_MAX];
    const char *profile; /* last seen, "" when unknown */
} sy_addr_book_view;

/* Walks the addresses: *cursor starts at 0; false at the end. */
SY_API bool sy_addr_book_next(const sy_addr_book *book, size_t *cursor,
                              sy_addr_book_view *ret_view);
SY_API bool sy_addr_book_find(const sy_addr_book *book, const sy_node_id *id,
                              sy_addr_book_view *ret_view);

typedef struct sy_addr_book_counts {
    uint64_t told[SY_ADDR_VERDICT_COUNT]; /* by sy_addr_verdict */
    uint64_t evicted;                     /* pushed out of their last bucket */
    uint64_t promoted;
    uint64_t demoted;
    uint64_t dropped; /* forgotten for failures or bans */
    size_t bans;
    size_t memory; /* bytes held */
} sy_addr_book_counts;

SY_API void sy_addr_book_get_counts(const sy_addr_book *book, sy_addr_book_counts *ret_counts);

/* ---- Files -------------------------------------------------------------------------------------
 */

typedef enum sy_book_dialect {
    SY_BOOK_COMETBFT,
    SY_BOOK_TENDERMINT, /* 0.22 */
} sy_book_dialect;

typedef struct sy_addr_book_load_stats {
    size_t read; /* addresses in the text */
    size_t kept;
    size_t invalid; /* malformed ID, no IP, port 0, or the same ID again */
    size_t refused; /* own, private or not routable */
    size_t crowded; /* no room in their buckets */
} sy_addr_book_load_stats;

/* Reads an addrbook.json of either project into an empty book.  On failure the book is empty and
 * detail names line or field; the text is the caller's to set aside.
 *   SY_ERR_CONFIG  damaged;  SY_ERR_NOMEM */
SY_API sy_err sy_addr_book_load(sy_addr_book *book, const char *text, size_t len,
                                sy_addr_book_load_stats *ret_stats, sy_detail *detail) SY_MUST_USE;

/* The whole book as text, as the project writes it; returns owned: sy_addr_book_text_del.
 *   SY_ERR_NOMEM */
SY_API sy_err sy_addr_book_write(const sy_addr_book *book, sy_book_dialect dialect, char **ret_text,
                                 size_t *ret_len) SY_MUST_USE;

/* What neither project's file can hold: profiles and networks of addresses, and the anchors.  Load
 * it after the book; an address known to be of another network leaves the book.
 *   SY_ERR_CONFIG  damaged, nothing changed;  SY_ERR_NOMEM */
SY_API sy_err sy_addr_book_load_notes(sy_addr_book *book, const char *text, size_t len,
                                      sy_detail *detail) SY_MUST_USE;
SY_API sy_err sy_addr_book_write_notes(const sy_addr_book *book, char **ret_text,
                                       size_t *ret_len) SY_MUST_USE;

SY_API void sy_addr_book_text_del(const sy_addr_book *book, char *text);

SY_END_DECLS

#endif
