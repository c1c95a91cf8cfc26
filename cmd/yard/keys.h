/* SPDX-License-Identifier: Apache-2.0 */
/* The table of configuration keys (keys.def) as data.  `yard check-config`, `yard help keys` and
 * the reference page are printed from it. */
#ifndef YARD_KEYS_H
#define YARD_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum yard_key {
#define KEY(id, table, name, kind, comet, tendermint, min, max, role, text) YARD_KEY_##id,
#include "cmd/yard/keys.def"
#undef KEY
    YARD_KEY_COUNT
} yard_key;

typedef enum yard_kind {
    YARD_KIND_TEXT,
    YARD_KIND_BOOL,
    YARD_KIND_NUMBER,
    YARD_KIND_DURATION,
    YARD_KIND_MILLIS, /* a duration; an integer in the file counts milliseconds */
    YARD_KIND_TEXTS,
    YARD_KIND_BYTES,
    YARD_KIND_TABLE, /* stands for all keys of a table */
} yard_kind;

typedef enum yard_role {
    YARD_ROLE_USED,
    YARD_ROLE_NO_EFFECT,
    YARD_ROLE_NOT_YET,
} yard_role;

/* Whose file it is; decides the defaults. */
typedef enum yard_dialect {
    YARD_DIALECT_COMETBFT,
    YARD_DIALECT_TENDERMINT,
} yard_dialect;

typedef struct yard_key_desc {
    const char *table;
    const char *name;
    yard_kind kind;
    const char *defaults[2]; /* by dialect */
    uint64_t min;
    uint64_t max;
    yard_role role;
    const char *text;
} yard_key_desc;

const yard_key_desc *yard_key_get(yard_key key);

/* By its place in a file; a "*" row matches any key of its table and of tables inside it.
 * YARD_KEY_COUNT: unknown. */
yard_key yard_key_find(const char *table, const char *name);

/* By a flag without its dashes ("p2p.laddr", "chain-id"): '-' and '_' are the same, a top-level key
 * gives way to the [switchyard] key of its name. */
yard_key yard_key_of_flag(const char *flag, size_t len);

/* Does a new value take effect on SIGHUP?  Other keys that are used need a restart. */
bool yard_key_reloads(yard_key key);

/* The reference of all keys as Markdown. */
void yard_keys_print(FILE *out);

#endif
