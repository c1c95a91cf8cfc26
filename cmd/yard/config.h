/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a node: every key with its value and where it came from.  Flags win over the
 * file, the file over the defaults of its dialect.  What the values mean together is
 * node_settings.h.
 *
 *     yard_config config;
 *     yard_config_init(&config, home);
 *     yard_config_read_file(&config);           // errors are collected
 *     yard_config_set_flag(&config, key, "--p2p.laddr", "tcp://127.0.0.1:0");
 *     if (config.errors.count > 0) { ... print them ... }
 *     yard_config_fini(&config); */
#ifndef YARD_CONFIG_H
#define YARD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/yard/keys.h"
#include "cmd/yard/util.h"
#include "cmd/yard/value.h"

typedef struct yard_config {
    char *home;
    char *path; /* of config.toml */
    yard_dialect dialect;
    yard_value values[YARD_KEY_COUNT];
    yard_texts errors;   /* whole sentences with file and line, or the flag */
    yard_texts warnings; /* unknown keys, and what the operator may not expect */
    yard_texts notes;    /* accepted keys without effect */
} yard_config;

/* All defaults, as of CometBFT. */
void yard_config_init(yard_config *config, const char *home);
void yard_config_fini(yard_config *config);

/* A deep copy without errors, warnings and notes.  *ret_copy is not read. */
void yard_config_copy(const yard_config *config, yard_config *ret_copy);

/* Reads config.toml of the home directory over the defaults of its dialect. */
void yard_config_read_file(yard_config *config);

/* The same from text; path is used in messages. */
void yard_config_read_text(yard_config *config, const char *text, size_t len);

/* flag as the user wrote it, for messages. */
void yard_config_set_flag(yard_config *config, yard_key key, const char *flag, const char *text);

/* Was it given in the file or as a flag? */
bool yard_config_is_given(const yard_config *config, yard_key key);

/* "config.toml:12: p2p.laddr", "flag --p2p.laddr" or "default of p2p.laddr".  Owned. */
char *yard_config_where(const yard_config *config, yard_key key);

/* "p2p.laddr", "moniker".  Owned. */
char *yard_config_name(yard_key key);

/* Adds an error about a key's value: where, the value, the rule. */
void yard_config_refuse(yard_config *config, yard_key key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
