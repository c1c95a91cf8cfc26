/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: the text of config.toml (first byte even), the text of one flag (first byte odd,
 * the next one says which key), or a file that is not there (no byte at all).  What is taken is
 * printed as TOML that gives the same value again, and what it means together is either built or
 * refused with a reason. */
#include <stdlib.h>
#include <string.h>

#include "cmd/yard/config.h"
#include "cmd/yard/node_settings.h"
#include "tests/fuzz/support/fuzz.h"

static void check_messages(const yard_texts *texts) {
    for (size_t i = 0; i < texts->count; i++) {
        FUZZ_CHECK(texts->items[i][0] != '\0');
    }
}

static void add_text(fuzz_bytes *bytes, const char *text) {
    fuzz_bytes_add(bytes, text, strlen(text));
}

/* The copy that a reload is compared with. */
static void check_copy(const yard_config *config) {
    yard_config copy;
    yard_config_copy(config, &copy);
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        const yard_key_desc *desc = yard_key_get(key);
        char *printed = yard_value_print(desc, &config->values[key]);
        char *copied = yard_value_print(desc, &copy.values[key]);
        char *where = yard_config_where(&copy, key);
        FUZZ_CHECK(strcmp(printed, copied) == 0);
        FUZZ_CHECK(strstr(where, desc->name) != NULL);
        free(where);
        free(copied);
        free(printed);
    }
    yard_config_fini(&copy);
}

/* "key = value" under its table, as `yard check-config` would print it. */
static void check_printed(const yard_config *config, yard_key key) {
    const yard_key_desc *desc = yard_key_get(key);
    if (desc->kind == YARD_KIND_TABLE) {
        return;
    }
    fuzz_bytes text = {.data = NULL};
    char *printed = yard_value_print(desc, &config->values[key]);
    char *where = yard_config_where(config, key);
    FUZZ_CHECK(strstr(where, desc->name) != NULL);
    if (desc->table[0] != '\0') {
        add_text(&text, "[");
        add_text(&text, desc->table);
        add_text(&text, "]\n");
    }
    add_text(&text, desc->name);
    add_text(&text, " = ");
    add_text(&text, printed);
    yard_config again;
    yard_config_init(&again, "home");
    yard_config_read_text(&again, (const char *)text.data, text.len);
    FUZZ_CHECK(again.errors.count == 0);
    char *printed_again = yard_value_print(desc, &again.values[key]);
    FUZZ_CHECK(strcmp(printed, printed_again) == 0);
    free(printed_again);
    yard_config_fini(&again);
    free(printed);
    free(where);
    fuzz_bytes_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    yard_config config;
    yard_config_init(&config, "home");
    if (size == 0) {
        yard_config_read_file(&config);
        FUZZ_CHECK(config.errors.count == 1);
    } else if (fuzz_u8(&in) % 2 == 0) {
        yard_config_read_text(&config, (const char *)in.pos, fuzz_left(&in));
    } else {
        const yard_key key = (yard_key)(fuzz_u8(&in) % YARD_KEY_COUNT);
        char *text = yard_strndup((const char *)in.pos, fuzz_left(&in));
        yard_config_set_flag(&config, key, "--flag", text);
        free(text);
    }
    const bool was_taken = config.errors.count == 0;
    for (yard_key key = 0; key < YARD_KEY_COUNT; key++) {
        if (yard_config_is_given(&config, key)) {
            check_printed(&config, key);
        }
    }
    if (was_taken) {
        check_copy(&config);
    }
    yard_node node;
    const size_t errors_before = config.errors.count;
    const bool is_built = yard_node_build(&config, &node);
    FUZZ_CHECK(is_built == (config.errors.count == 0) && config.errors.count >= errors_before);
    if (is_built) {
        FUZZ_CHECK(yard_node_memory(&node).worst > 0 && yard_node_descriptors(&node) > 0);
    }
    check_messages(&config.errors);
    check_messages(&config.warnings);
    check_messages(&config.notes);
    yard_node_fini(&node);
    yard_config_fini(&config);
    fuzz_count(was_taken);
    return 0;
}
