/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <sodium.h>

#include "cmd/yard/files.h"

#define BOOK_MODE 0644 /* as both projects */

static void say(const yard_discovery *d, sy_log_level level, const char *event, const char *path,
                const char *text, sy_time now) {
    SY_LOG(&d->log, level, "addrbook", event, now, SY_F_STR("path", path), SY_F_STR("text", text));
}

/* ---- Files -------------------------------------------------------------------------------------
 */

/* Reading and writing a book takes many times its size for a moment.  The C library would keep that
 * for ever, and a seed does little else that needs memory. */
static void give_memory_back(void) {
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

static bool set_aside(const yard_discovery *d, const char *path, const char *why, sy_time now) {
    char *aside;
    char *failure;
    if (!yard_file_set_aside(path, &aside, &failure)) {
        yard_complain("%s: %s", why, failure);
        free(failure);
        return false;
    }
    char *text = yard_format("%s; the file is now %s", why, aside);
    say(d, SY_LOG_ERROR, "set_aside", path, text, now);
    free(text);
    free(aside);
    return true;
}

static bool read_book(yard_discovery *d, sy_time now) {
    const char *path = d->node->book_path;
    char *text;
    size_t len;
    char *why;
    sy_detail detail;
    sy_addr_book_load_stats stats;
    if (!yard_file_exists(path)) {
        return true;
    }
    if (!yard_file_read(path, SY_BOOK_TEXT_MAX, &text, &len, &why)) {
        yard_complain("%s", why);
        free(why);
        return false;
    }
    const sy_err err = sy_addr_book_load(d->book, text, len, &stats, &detail);
    free(text);
    if (err == SY_ERR_CONFIG) {
        return set_aside(d, path, detail.text, now);
    }
    if (err != SY_OK) {
        yard_complain("%s: %s", path, sy_strerror(err));
        return false;
    }
    SY_LOG(&d->log, SY_LOG_INFO, "addrbook", "loaded", now, SY_F_STR("path", path),
           SY_F_U64("addresses", stats.kept), SY_F_U64("invalid", stats.invalid),
           SY_F_U64("refused", stats.refused), SY_F_U64("crowded", stats.crowded));
    return true;
}

static bool read_notes(yard_discovery *d, sy_time now) {
    const char *path = d->node->notes_path;
    char *text;
    size_t len;
    char *why;
    sy_detail detail;
    if (!yard_file_exists(path)) {
        return true;
    }
    if (!yard_file_read(path, SY_BOOK_TEXT_MAX, &text, &len, &why)) {
        yard_complain("%s", why);
        free(why);
        return false;
    }
    const sy_err err = sy_addr_book_load_notes(d->book, text, len, &detail);
    free(text);
    if (err == SY_ERR_CONFIG) {
        return set_aside(d, path, detail.text, now);
    }
    if (err != SY_OK) {
        yard_complain("%s: %s", path, sy_strerror(err));
    }
    return err == SY_OK;
}

static void drop_text(void *user, char *text) {
    const yard_discovery *d = user;
    sy_addr_book_text_del(d->book, text);
    give_memory_back();
}

/* What the disk has refused since the last time. */
static void say_errors(const yard_discovery *d, sy_time now) {
    char *why = yard_saver_error(d->saver);
    if (why != NULL) {
        say(d, SY_LOG_ERROR, "not_saved", d->node->book_path, why, now);
        free(why);
    }
}

/* The text is made here, in some milliseconds; the disk is waited for elsewhere. */
static void on_save(void *user, sy_time now) {
    const yard_discovery *d = user;
    const bool old = d->config->dialect == YARD_DIALECT_TENDERMINT;
    char *text;
    size_t len;
    say_errors(d, now);
    if (sy_addr_book_write(d->book, old ? SY_BOOK_TENDERMINT : SY_BOOK_COMETBFT, &text, &len) ==
        SY_OK) {
        yard_saver_put(d->saver, d->node->book_path, text, len, BOOK_MODE);
    }
    if (sy_addr_book_write_notes(d->book, &text, &len) == SY_OK) {
        yard_saver_put(d->saver, d->node->notes_path, text, len, BOOK_MODE);
    }
}

/* ---- The reactor -------------------------------------------------------------------------------
 */

static uint64_t number_of(const yard_discovery *d, yard_key key) {
    return d->config->values[key].number;
}

static sy_err make_book(yard_discovery *d, const sy_node_id *own_id) {
    sy_addr_book_settings settings;
    sy_addr_book_settings_default(&settings);
    settings.strict = d->node->book_strict;
    settings.own_id = *own_id;
    settings.network = d->node->chain_id;
    settings.private_ids = d->node->private_ids;
    settings.private_count = d->node->private_count;
    randombytes_buf(settings.random, sizeof settings.random);
    randombytes_buf(&settings.seed, sizeof settings.seed);
    return sy_addr_book_new(&settings, &d->book);
}

static sy_err make_pex(yard_discovery *d, bool versions_open) {
    sy_pex_config config;
    sy_pex_config_default(&config);
    config.log = d->log;
    config.source = sy_addr_book_source(d->book);
    config.max_outbound = d->node->settings.max_outbound;
    config.seeds = d->node->seeds;
    config.seed_count = d->node->seed_count;
    config.seed_mode = d->node->seed_mode;
    config.save = on_save;
    config.save_user = d;
    config.feeler_period = number_of(d, YARD_KEY_FEELER_PERIOD);
    config.visit_max = number_of(d, YARD_KEY_SEED_VISIT);
    config.crawl_period = number_of(d, YARD_KEY_CRAWL_PERIOD);
    config.crawl_again = number_of(d, YARD_KEY_CRAWL_AGAIN);
    config.crawl_wait = number_of(d, YARD_KEY_CRAWL_WAIT);
    config.crawl_parallel = (size_t)number_of(d, YARD_KEY_CRAWL_PARALLEL);
    config.versions_open = versions_open;
    return sy_pex_new(&config, &d->pex);
}

/* The advertised address is ours too. */
static void note_external(yard_discovery *d, sy_time now) {
    const char *external = d->node->settings.listen_addr;
    sy_addr addr;
    if (external == NULL ||
        sy_addr_parse(external, strlen(external), SY_ADDR_LISTEN, &addr, NULL) != SY_OK ||
        !addr.is_ip) {
        return;
    }
    sy_addr_book_add_own(d->book, &addr.endpoint);
    if (d->node->book_strict && !sy_endpoint_is_routable(&addr.endpoint)) {
        say(d, SY_LOG_WARN, "not_routable", external,
            "peers elsewhere cannot dial external_address", now);
    }
}

bool yard_discovery_open(yard_discovery *discovery, const yard_config *config,
                         const yard_node *node, sy_switch *sw, bool versions_open, sy_log log,
                         sy_time now) {
    sy_detail detail;
    *discovery = (yard_discovery){.config = config, .node = node, .log = log, .sw = sw};
    if (!node->pex) {
        return true;
    }
    sy_detail_clear(&detail);
    sy_err err = make_book(discovery, sy_switch_id(sw));
    if (err == SY_OK) {
        note_external(discovery, now);
        (void)yard_file_sweep(node->book_path);
        (void)yard_file_sweep(node->notes_path);
        if (!read_book(discovery, now) || !read_notes(discovery, now)) {
            return false;
        }
        give_memory_back();
        discovery->saver = yard_saver_new(drop_text, discovery);
        err = make_pex(discovery, versions_open);
    }
    if (err == SY_OK) {
        err = sy_switch_add_reactor(sw, sy_pex_ops(discovery->pex), discovery->pex, &detail);
    }
    if (err != SY_OK) {
        yard_complain("peer exchange: %s%s%s", sy_strerror(err), detail.text[0] == '\0' ? "" : ": ",
                      detail.text);
    }
    return err == SY_OK;
}

static void warn_not_routable(const yard_discovery *d, const char *addr, sy_time now) {
    say(d, SY_LOG_WARN, "not_routable", addr,
        "peers elsewhere cannot dial the address that we advertise; set external_address", now);
}

void yard_discovery_listening(yard_discovery *discovery, const sy_endpoint *bound, sy_time now) {
    if (discovery->book == NULL) {
        return;
    }
    if (!sy_endpoint_is_any(bound)) {
        sy_addr_book_add_own(discovery->book, bound);
    }
    if (discovery->node->settings.listen_addr != NULL) {
        return;
    }
    discovery->wildcard = sy_endpoint_is_any(bound);
    if (!discovery->wildcard && discovery->node->book_strict && !sy_endpoint_is_routable(bound)) {
        char text[SY_ENDPOINT_TEXT_CAP];
        (void)sy_endpoint_format(bound, text);
        warn_not_routable(discovery, text, now);
    }
}

void yard_discovery_connected(yard_discovery *discovery, sy_time now) {
    sy_addr addr;
    if (discovery->book == NULL || !discovery->wildcard) {
        return;
    }
    const char *text = sy_switch_listen_addr(discovery->sw);
    if (sy_addr_parse(text, strlen(text), SY_ADDR_LISTEN, &addr, NULL) == SY_OK && addr.is_ip &&
        !sy_endpoint_is_any(&addr.endpoint)) {
        sy_addr_book_add_own(discovery->book, &addr.endpoint);
    } else if (discovery->node->book_strict && !discovery->warned) {
        discovery->warned = true;
        warn_not_routable(discovery, text, now);
    }
}

void yard_discovery_reload(yard_discovery *discovery, sy_time now) {
    const yard_node *node = discovery->node;
    if (discovery->pex == NULL) {
        return;
    }
    sy_err err = sy_addr_book_set_private(discovery->book, node->private_ids, node->private_count);
    if (err == SY_OK) {
        err = sy_pex_set_seeds(discovery->pex, node->seeds, node->seed_count, now);
    }
    if (err != SY_OK) {
        say(discovery, SY_LOG_ERROR, "reload_failed", node->book_path, sy_strerror(err), now);
    }
    sy_pex_set_target(discovery->pex, node->settings.max_outbound, now);
    sy_switch_reactor_touch(discovery->sw, discovery->pex);
}

void yard_discovery_close(yard_discovery *discovery) {
    sy_pex_del(discovery->pex);
    char *why = yard_saver_close(discovery->saver); /* the last save is on the disk now */
    if (why != NULL) {
        yard_complain("%s", why);
        free(why);
    }
    discovery->saver = NULL;
    sy_addr_book_del(discovery->book);
    discovery->pex = NULL;
    discovery->book = NULL;
}
