/* SPDX-License-Identifier: Apache-2.0 */
/* TOML text as a flat list: one entry per key, with the dotted name of its table and the line of
 * its value.  This is the C face of the one C++ file of the project (config_toml.cc, toml++); what
 * the keys mean is not its business. */
#ifndef YARD_CONFIG_TOML_H
#define YARD_CONFIG_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum toml_kind {
    TOML_TEXT,
    TOML_INTEGER,
    TOML_BOOLEAN,
    TOML_ARRAY, /* of values; an array of tables is TOML_OTHER */
    TOML_OTHER, /* float, date, array of tables: text says which */
} toml_kind;

typedef struct toml_value {
    toml_kind kind;
    int line;        /* from 1 */
    char *text;      /* TEXT: UTF-8 with a NUL behind; OTHER: what it is; else NULL */
    size_t text_len; /* may differ from strlen(text): TOML text may hold a NUL */
    int64_t number;  /* INTEGER; BOOLEAN: 0 or 1 */
    struct toml_value *items;
    size_t item_count;
} toml_value;

typedef struct toml_entry {
    char *table; /* "" at the top, "p2p", "p2p.libp2p" */
    char *key;
    toml_value value;
} toml_entry;

typedef struct toml_doc {
    toml_entry *entries; /* in the order of the file's lines */
    size_t count;
} toml_doc;

typedef struct toml_error {
    int line; /* 0: unknown */
    char text[160];
} toml_error;

/* Parses; on failure *ret_doc is untouched and *ret_error says where and why.
 * Returns owned: free with toml_doc_del. */
bool toml_doc_parse(const char *text, size_t len, toml_doc **ret_doc, toml_error *ret_error);

/* NULL is allowed. */
void toml_doc_del(toml_doc *doc);

#ifdef __cplusplus
}
#endif

#endif
