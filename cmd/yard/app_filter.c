/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/app_filter.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const yard_config *config, yard_key key) {
    return config->values[key].text;
}

static void set_address(yard_config *config, sy_app_filter_settings *settings) {
    const char *text = text_of(config, YARD_KEY_PROXY_APP);
    sy_app_address address;
    sy_detail why;
    sy_detail_clear(&why);
    settings->address = text;
    const sy_err err = sy_app_address_parse(text, strlen(text), &address, &why);
    if (err == SY_OK) {
        return;
    }
    if (strchr(text, ':') == NULL && text[0] != '\0') {
        yard_config_refuse(config, YARD_KEY_PROXY_APP,
                           "\"%.64s\" is an application inside a node; filter_peers needs one with "
                           "a socket: tcp://HOST:PORT or unix://PATH",
                           text);
        return;
    }
    yard_config_refuse(config, YARD_KEY_PROXY_APP, "\"%.128s\": %s%s%s", text, sy_strerror(err),
                       why.text[0] != '\0' ? ": " : "", why.text);
}

static void set_dialect(yard_config *config, sy_app_filter_settings *settings) {
    static const struct {
        const char *name;
        sy_abci_dialect dialect;
    } rows[] = {
        {"auto", SY_ABCI_AUTO},
        {"0.22", SY_ABCI_0_22},
        {"0.34", SY_ABCI_0_34},
        {"0.38", SY_ABCI_0_38},
    };
    const char *text = text_of(config, YARD_KEY_ABCI_DIALECT);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(text, rows[i].name) == 0) {
            settings->dialect = rows[i].dialect;
            return;
        }
    }
    yard_config_refuse(config, YARD_KEY_ABCI_DIALECT, "\"%.64s\" is none of auto, 0.22, 0.34, 0.38",
                       text);
}

static void set_unanswered(yard_config *config, sy_app_filter_settings *settings) {
    const char *text = text_of(config, YARD_KEY_FILTER_UNANSWERED);
    settings->unanswered = strcmp(text, "admit") == 0 ? SY_UNANSWERED_ADMIT : SY_UNANSWERED_REFUSE;
    if (settings->unanswered == SY_UNANSWERED_REFUSE && strcmp(text, "refuse") != 0) {
        yard_config_refuse(config, YARD_KEY_FILTER_UNANSWERED,
                           "\"%.64s\" is neither refuse nor admit", text);
    }
}

bool yard_app_filter_build(yard_config *config, sy_app_filter_settings *ret_settings) {
    sy_app_filter_default(ret_settings);
    /* Checked also while they are not in use: a typing error shows before it matters. */
    set_dialect(config, ret_settings);
    set_unanswered(config, ret_settings);
    ret_settings->timeout = config->values[YARD_KEY_FILTER_TIMEOUT].number;
    if (config->values[YARD_KEY_FILTER_PEERS].number == 0) {
        return false;
    }
    set_address(config, ret_settings);
    if (strcmp(text_of(config, YARD_KEY_ABCI), "socket") != 0) {
        yard_config_refuse(config, YARD_KEY_ABCI,
                           "\"%.64s\": filter_peers asks over a socket only, not over grpc",
                           text_of(config, YARD_KEY_ABCI));
    }
    char *timeout = yard_duration_print(ret_settings->timeout);
    yard_texts_add(&config->notes,
                   yard_format("filter_peers asks the application at %s (dialect %s); no answer "
                               "within %s: %s",
                               text_of(config, YARD_KEY_PROXY_APP),
                               text_of(config, YARD_KEY_ABCI_DIALECT), timeout,
                               text_of(config, YARD_KEY_FILTER_UNANSWERED)));
    free(timeout);
    return true;
}
