// SPDX-License-Identifier: Apache-2.0
// Reads TOML with toml++ and gives it out as the flat list of config_toml.h.  No exception leaves
// this file.
#include "cmd/yard/config_toml.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#define TOML_EXCEPTIONS  0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace {

char *copy_text(std::string_view text) {
    char *copy = static_cast<char *>(std::malloc(text.size() + 1));
    if (copy == nullptr) {
        throw std::bad_alloc();
    }
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    return copy;
}

template <typename T> T *zeroed(size_t count) {
    void *block = std::calloc(count == 0 ? 1 : count, sizeof(T));
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return static_cast<T *>(block);
}

void free_value(toml_value *value) {
    for (size_t i = 0; i < value->item_count; i++) {
        free_value(&value->items[i]);
    }
    std::free(value->items);
    std::free(value->text);
}

const char *name_of(const toml::node &node) {
    if (node.is_floating_point()) {
        return "a number with a fraction";
    }
    if (node.is_array_of_tables()) {
        return "an array of tables";
    }
    return node.is_table() ? "a table" : "a date or a time";
}

void fill_value(const toml::node &node, toml_value *out) {
    out->line = static_cast<int>(node.source().begin.line);
    if (const auto *text = node.as_string()) {
        out->kind = TOML_TEXT;
        out->text = copy_text(text->get());
        out->text_len = text->get().size();
    } else if (const auto *number = node.as_integer()) {
        out->kind = TOML_INTEGER;
        out->number = number->get();
    } else if (const auto *boolean = node.as_boolean()) {
        out->kind = TOML_BOOLEAN;
        out->number = boolean->get() ? 1 : 0;
    } else if (node.is_array() && !node.is_array_of_tables()) {
        const toml::array &array = *node.as_array();
        out->kind = TOML_ARRAY;
        out->items = zeroed<toml_value>(array.size());
        for (const toml::node &item : array) {
            out->item_count++; // counted first, so that a failure inside frees what there is
            fill_value(item, &out->items[out->item_count - 1]);
        }
    } else {
        out->kind = TOML_OTHER;
        out->text = copy_text(name_of(node));
        out->text_len = std::strlen(out->text);
    }
}

size_t count_entries(const toml::table &table) {
    size_t count = 0;
    for (const auto &[key, node] : table) {
        (void)key;
        count += node.is_table() ? count_entries(*node.as_table()) : 1;
    }
    return count;
}

void fill_entries(const toml::table &table, const std::string &name, toml_doc *doc) {
    for (const auto &[key, node] : table) {
        const std::string key_text(key.str());
        if (node.is_table()) {
            fill_entries(*node.as_table(), name.empty() ? key_text : name + "." + key_text, doc);
            continue;
        }
        toml_entry *entry = &doc->entries[doc->count++];
        entry->table = copy_text(name);
        entry->key = copy_text(key_text);
        fill_value(node, &entry->value);
    }
}

bool fail(toml_error *error, int line, std::string_view text) {
    error->line = line;
    std::snprintf(error->text, sizeof error->text, "%.*s", static_cast<int>(text.size()),
                  text.data());
    return false;
}

} // namespace

extern "C" bool toml_doc_parse(const char *text, size_t len, toml_doc **ret_doc,
                               toml_error *ret_error) {
    toml_doc *doc = nullptr;
    try {
        const toml::parse_result result = toml::parse(std::string_view(text, len));
        if (!result) {
            return fail(ret_error, static_cast<int>(result.error().source().begin.line),
                        result.error().description());
        }
        doc = zeroed<toml_doc>(1);
        doc->entries = zeroed<toml_entry>(count_entries(result.table()));
        fill_entries(result.table(), "", doc);
        std::stable_sort(doc->entries, doc->entries + doc->count,
                         [](const toml_entry &a, const toml_entry &b) {
                             return a.value.line < b.value.line;
                         });
    } catch (const std::bad_alloc &) {
        toml_doc_del(doc);
        return fail(ret_error, 0, "out of memory");
    }
    *ret_doc = doc;
    return true;
}

extern "C" void toml_doc_del(toml_doc *doc) {
    if (doc == nullptr) {
        return;
    }
    for (size_t i = 0; i < doc->count; i++) {
        free_value(&doc->entries[i].value);
        std::free(doc->entries[i].table);
        std::free(doc->entries[i].key);
    }
    std::free(doc->entries);
    std::free(doc);
}
