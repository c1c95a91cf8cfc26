/* SPDX-License-Identifier: Apache-2.0 */
/* Address book and peer exchange of a node, with their files. */
#include "sim/sim_internal.h"

#include <string.h>

#define BOOK_FILE  "addrbook.json"
#define NOTES_FILE "addrbook.notes.json"

void sy_sim_discovery_default_sized(sy_sim_discovery *discovery, size_t size) {
    const sy_sim_discovery defaults = {.size = size, .max_outbound = 10};
    if (size != sizeof defaults) {
        sy_sim_fail("sy_sim_discovery has %zu bytes, not %zu", sizeof defaults, size);
    }
    *discovery = defaults;
}

static sy_addr addr_of(const sy_sim_node *node) {
    sy_addr addr = {.has_id = true,
                    .id = node->id,
                    .is_ip = true,
                    .port = node->endpoint.port,
                    .endpoint = node->endpoint};
    char text[SY_ENDPOINT_TEXT_CAP];
    (void)sy_endpoint_format(&node->endpoint, text);
    *strrchr(text, ':') = '\0';
    memcpy(addr.host, text, strlen(text) + 1);
    return addr;
}

void sy_sim_discover(sy_sim_node *node, const sy_sim_discovery *discovery) {
    if (node->sw != NULL || discovery->size != sizeof *discovery ||
        discovery->seed_count > SY_SIM_SEEDS_MAX) {
        sy_sim_fail("%s: discovery comes before the start, with at most %d seeds", node->name,
                    SY_SIM_SEEDS_MAX);
    }
    node->discovery = *discovery;
    node->has_discovery = true;
    node->settings.max_outbound = discovery->max_outbound;
}

static bool save_text(sy_sim_node *node, sy_err err, const char *name, char *text, size_t len) {
    if (err == SY_OK) {
        err = sy_sim_file_write(node, name, text, len);
        sy_addr_book_text_del(node->book, text);
    }
    return err == SY_OK;
}

static void on_save(void *user, sy_time now) {
    sy_sim_node *node = user;
    char *text = NULL;
    size_t len = 0;
    (void)now;
    sy_err err = sy_addr_book_write(node->book, SY_BOOK_COMETBFT, &text, &len);
    const bool book = save_text(node, err, BOOK_FILE, text, len);
    err = sy_addr_book_write_notes(node->book, &text, &len);
    const bool notes = save_text(node, err, NOTES_FILE, text, len);
    node->saves += book && notes;
    node->failed_saves += !(book && notes);
}

static sy_err load(sy_sim_node *node) {
    sy_detail detail;
    size_t len = 0;
    const char *text = sy_sim_file_read(node, BOOK_FILE, &len);
    if (text == NULL) {
        return SY_OK;
    }
    sy_err err = sy_addr_book_load(node->book, text, len, NULL, &detail);
    text = sy_sim_file_read(node, NOTES_FILE, &len);
    if (err == SY_OK && text != NULL) {
        err = sy_addr_book_load_notes(node->book, text, len, &detail);
    }
    if (err != SY_OK && err != SY_ERR_NOMEM) {
        sy_sim_fail("%s: what was saved cannot be read: %s", node->name, detail.text);
    }
    return err;
}

static sy_err make_book(sy_sim_node *node) {
    sy_addr_book_settings settings;
    sy_addr_book_settings_default(&settings);
    settings.mem = &node->tm.mem;
    settings.strict = node->discovery.strict;
    settings.network = node->settings.network;
    settings.own_id = node->id;
    settings.seed = sy_sim_seed_for(node->net, node->name, UINT64_C(0x20000) + node->life);
    memcpy(settings.random, &settings.seed, sizeof settings.seed);
    const sy_err err = sy_addr_book_new(&settings, &node->book);
    if (err == SY_OK) {
        sy_addr_book_add_own(node->book, &node->endpoint);
    }
    return err;
}

static sy_err make_pex(sy_sim_node *node) {
    const sy_sim_discovery *discovery = &node->discovery;
    sy_addr seeds[SY_SIM_SEEDS_MAX];
    sy_pex_config config;
    sy_pex_config_default(&config);
    for (size_t i = 0; i < discovery->seed_count; i++) {
        seeds[i] = addr_of(discovery->seeds[i]);
    }
    config.mem = &node->tm.mem;
    config.log = node->settings.log;
    config.source = sy_addr_book_source(node->book);
    config.max_outbound = discovery->max_outbound;
    config.seeds = seeds;
    config.seed_count = discovery->seed_count;
    config.seed_mode = discovery->seed_mode;
    config.feeler_period = discovery->feeler_period;
    config.save = discovery->forgetful ? NULL : on_save;
    config.save_user = node;
    return sy_pex_new(&config, &node->pex);
}

sy_err sy_sim_discovery_start(sy_sim_node *node) {
    sy_detail detail;
    sy_err err = make_book(node);
    if (err == SY_OK) {
        err = load(node);
    }
    if (err == SY_OK) {
        err = make_pex(node);
    }
    if (err == SY_OK) {
        err = sy_switch_add_reactor(node->sw, sy_pex_ops(node->pex), node->pex, &detail);
    }
    return err;
}

void sy_sim_discovery_stop(sy_sim_node *node) {
    sy_pex_del(node->pex);
    sy_addr_book_del(node->book);
    node->pex = NULL;
    node->book = NULL;
}

sy_addr_book *sy_sim_book(const sy_sim_node *node) {
    return node->book;
}

sy_pex *sy_sim_pex(const sy_sim_node *node) {
    return node->pex;
}

uint64_t sy_sim_saves(const sy_sim_node *node) {
    return node->saves;
}

uint64_t sy_sim_failed_saves(const sy_sim_node *node) {
    return node->failed_saves;
}
