/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/assert.h>

#include "cmd/yard/files.h"

#define CONFIG_FILE_MAX (1024 * 1024)

char *yard_config_name(yard_key key) {
    const yard_key_desc *desc = yard_key_get(key);
    return desc->table[0] == '\0' ? yard_strdup(desc->name)
                                  : yard_format("%s.%s", desc->table, desc->name);
}

static void set_defaults(yard_config *config) {
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        const yard_key_desc *desc = yard_key_get(key);
        yard_value_error error;
        yard_value_fini(&config->values[key]);
        const bool ok =
            yard_value_of_text(desc, desc->defaults[config->dialect], &config->values[key], &error);
        SY_ASSERT(ok);
        config->values[key].origin = YARD_FROM_DEFAULT;
    }
}

void yard_config_init(yard_config *config, const char *home) {
    *config = (yard_config){
        .home = yard_strdup(home),
        .path = yard_path(home, "config/config.toml"),
        .dialect = YARD_DIALECT_COMETBFT,
    };
    set_defaults(config);
}

void yard_config_copy(const yard_config *config, yard_config *ret_copy) {
    *ret_copy = (yard_config){
        .home = yard_strdup(config->home),
        .path = yard_strdup(config->path),
        .dialect = config->dialect,
    };
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        yard_value_copy(&config->values[key], &ret_copy->values[key]);
    }
}

void yard_config_fini(yard_config *config) {
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        yard_value_fini(&config->values[key]);
    }
    yard_texts_fini(&config->errors);
    yard_texts_fini(&config->warnings);
    yard_texts_fini(&config->notes);
    free(config->home);
    free(config->path);
    *config = (yard_config){0};
}

/* ---- The file -------------------------------------------------------------------------------- */

/* A Tendermint 0.22 file is known by a key that CometBFT has not, or by the kind of one. */
static yard_dialect dialect_of(const toml_doc *doc) {
    for (size_t i = 0; i < doc->count; i++) {
        const toml_entry *entry = &doc->entries[i];
        if (strcmp(entry->table, "p2p") != 0) {
            continue;
        }
        if (strcmp(entry->key, "max_num_peers") == 0 ||
            (strcmp(entry->key, "flush_throttle_timeout") == 0 &&
             entry->value.kind == TOML_INTEGER)) {
            return YARD_DIALECT_TENDERMINT;
        }
    }
    return YARD_DIALECT_COMETBFT;
}

static bool is_in(const char *table, const char *outer) {
    const size_t len = strlen(outer);
    return strncmp(table, outer, len) == 0 && (table[len] == '\0' || table[len] == '.');
}

static void take_entry(yard_config *config, const toml_entry *entry) {
    const yard_key key = yard_key_find(entry->table, entry->key);
    if (key == YARD_KEY_COUNT) {
        if (is_in(entry->table, "p2p") || is_in(entry->table, "switchyard")) {
            yard_texts_add(&config->warnings,
                           yard_format("%s:%d: %s.%s: unknown key, ignored", config->path,
                                       entry->value.line, entry->table, entry->key));
        }
        return;
    }
    const yard_key_desc *desc = yard_key_get(key);
    yard_value value = {0};
    yard_value_error error;
    if (!yard_value_of_toml(desc, &entry->value, &value, &error)) {
        yard_texts_add(&config->errors,
                       yard_format("%s:%d: %s%s%s: %s", config->path, entry->value.line,
                                   entry->table, entry->table[0] == '\0' ? "" : ".", entry->key,
                                   error.text));
        return;
    }
    yard_value_fini(&config->values[key]);
    config->values[key] = value;
}

void yard_config_read_text(yard_config *config, const char *text, size_t len) {
    toml_doc *doc;
    toml_error error;
    if (!toml_doc_parse(text, len, &doc, &error)) {
        yard_texts_add(&config->errors,
                       yard_format("%s:%d: %s", config->path, error.line, error.text));
        return;
    }
    config->dialect = dialect_of(doc);
    set_defaults(config);
    for (size_t i = 0; i < doc->count; i++) {
        take_entry(config, &doc->entries[i]);
    }
    toml_doc_del(doc);
}

void yard_config_read_file(yard_config *config) {
    char *text;
    size_t len;
    char *why;
    if (!yard_file_read(config->path, CONFIG_FILE_MAX, &text, &len, &why)) {
        yard_texts_add(&config->errors,
                       yard_format("%s (`yard init --home %s --chain-id ID` makes a home)", why,
                                   config->home));
        free(why);
        return;
    }
    yard_config_read_text(config, text, len);
    free(text);
}

/* ---- Flags and messages ---------------------------------------------------------------------- */

void yard_config_set_flag(yard_config *config, yard_key key, const char *flag, const char *text) {
    yard_value value = {0};
    yard_value_error error;
    if (!yard_value_of_text(yard_key_get(key), text, &value, &error)) {
        yard_texts_add(&config->errors, yard_format("flag %s: %s", flag, error.text));
        return;
    }
    yard_value_fini(&config->values[key]);
    config->values[key] = value;
}

bool yard_config_is_given(const yard_config *config, yard_key key) {
    return config->values[key].origin != YARD_FROM_DEFAULT;
}

char *yard_config_where(const yard_config *config, yard_key key) {
    const yard_value *value = &config->values[key];
    const yard_key_desc *desc = yard_key_get(key);
    char *name = yard_config_name(key);
    char *text = NULL;
    switch (value->origin) {
    case YARD_FROM_DEFAULT:
        text = yard_format("default of %s", name);
        break;
    case YARD_FROM_FILE:
        text = yard_format("%s:%d: %s", config->path, value->line, name);
        break;
    case YARD_FROM_FLAG:
        text = yard_format("flag --%s", strcmp(desc->table, "switchyard") == 0 ? desc->name : name);
        break;
    }
    free(name);
    return text;
}

void yard_config_refuse(yard_config *config, yard_key key, const char *format, ...) {
    char rule[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(rule, sizeof rule, format, args);
    va_end(args);
    char *where = yard_config_where(config, key);
    yard_texts_add(&config->errors, yard_format("%s: %s", where, rule));
    free(where);
}
