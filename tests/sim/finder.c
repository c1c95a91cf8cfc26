/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/finder.h"

#include <string.h>

static void drop_saved(finder *f) {
    if (f->saved != NULL) {
        sy_addr_book_text_del(f->book, f->saved);
        sy_addr_book_text_del(f->book, f->saved_notes);
        f->saved = NULL;
    }
}

static void on_save(void *user, sy_time now) {
    finder *f = user;
    (void)now;
    drop_saved(f);
    sim_expect_eq(sy_addr_book_write(f->book, SY_BOOK_COMETBFT, &f->saved, &f->saved_len), SY_OK);
    sim_expect_eq(sy_addr_book_write_notes(f->book, &f->saved_notes, &f->saved_notes_len), SY_OK);
    f->saves++;
}

static void make_book(finder *f) {
    sy_addr_book_settings settings;
    sy_addr_book_settings_default(&settings);
    settings.strict = false; /* simulated nodes have addresses that are not routable */
    settings.network = "sim";
    settings.own_id = *sim_id(f->node);
    settings.seed = sim_draw(sim_net_of(f->node), UINT64_MAX);
    memcpy(settings.random, &settings.seed, sizeof settings.seed);
    if (f->has_private) {
        settings.private_ids = &f->private_id;
        settings.private_count = 1;
    }
    sim_expect_eq(sy_addr_book_new(&settings, &f->book), SY_OK);
    f->source = sy_addr_book_source(f->book);
    sy_addr_book_add_own(f->book, sim_endpoint(f->node));
}

/* A fresh reactor for each start; the book stays unless a test replaces it. */
static sy_err attach(void *user, sim_node *node, sy_switch *sw) {
    finder *f = user;
    sy_pex_config config;
    sy_detail detail;
    (void)node;
    if (f->book == NULL) {
        make_book(f);
    }
    sy_pex_del(f->pex);
    sy_pex_config_default(&config);
    config.source = f->source;
    config.max_outbound = f->target;
    config.seeds = f->seeds;
    config.seed_count = f->seed_count;
    config.seed_mode = f->seed_mode;
    config.feeler_period = f->feeler_period;
    if (f->ensure_period > 0) {
        config.ensure_period = f->ensure_period;
    }
    config.save = on_save;
    config.save_user = f;
    sim_expect_eq(sy_pex_new(&config, &f->pex), SY_OK);
    return sy_switch_add_reactor(sw, sy_pex_ops(f->pex), f->pex, &detail);
}

void finder_reload(finder *f) {
    sy_detail detail;
    sy_addr_book *const old = f->book;
    make_book(f);
    sim_expect_eq(sy_addr_book_load(f->book, f->saved, f->saved_len, NULL, &detail), SY_OK);
    sim_expect_eq(sy_addr_book_load_notes(f->book, f->saved_notes, f->saved_notes_len, &detail),
                  SY_OK);
    sy_addr_book_text_del(old, f->saved);
    sy_addr_book_text_del(old, f->saved_notes);
    f->saved = NULL;
    sy_addr_book_del(old);
}

void finder_init(finder *f, sim_net *net, const char *name, size_t target) {
    *f = (finder){.node = sim_node_new(net, name), .target = target};
    sim_settings(f->node)->max_outbound = target;
    sim_set_attach(f->node, attach, f);
}

void finder_seed(finder *f, const finder *seed) {
    f->seeds[f->seed_count++] = (sy_addr){.has_id = true,
                                          .id = *sim_id(seed->node),
                                          .is_ip = true,
                                          .port = sim_endpoint(seed->node)->port,
                                          .endpoint = *sim_endpoint(seed->node)};
    sy_addr *addr = &f->seeds[f->seed_count - 1];
    char text[SY_ENDPOINT_TEXT_CAP];
    (void)sy_endpoint_format(sim_endpoint(seed->node), text);
    *strrchr(text, ':') = '\0';
    memcpy(addr->host, text, strlen(text) + 1);
}

sy_addr_verdict finder_tell(finder *f, const sy_net_addr *addr) {
    const sy_addr_news news = {*addr, *addr, SY_ADDR_TOLD_OPERATOR, ""};
    return f->source.ops->add(f->source.source, &news, sy_switch_walltime(sim_switch(f->node)));
}

void finder_fini(finder *f) {
    drop_saved(f);
    sy_pex_del(f->pex);
    sy_addr_book_del(f->book);
}

sy_pex_counts finder_counts(const finder *f) {
    sy_pex_counts counts;
    sy_pex_get_counts(f->pex, &counts);
    return counts;
}

size_t finder_book_size(const finder *f) {
    return f->source.ops->sizes(f->source.source).all;
}

sy_switch_counts finder_switch_counts(const finder *f) {
    sy_switch_counts counts;
    sy_switch_get_counts(sim_switch(f->node), &counts);
    return counts;
}
