/* SPDX-License-Identifier: Apache-2.0 */
/* Peer exchange on channel 0x00, in both encodings: finds peers and keeps as many outbound ones as
 * the target says, or serves as a seed: answers visitors once, crawls, and lets go.  What it knows
 * of addresses is in an address source (addr_source.h), which it borrows.
 *
 *     sy_pex_config config;
 *     sy_pex_config_default(&config);
 *     config.source = sy_addr_book_source(book);
 *     config.max_outbound = settings.max_outbound;
 *     sy_pex *pex;
 *     sy_err err = sy_pex_new(&config, &pex);
 *     err = sy_switch_add_reactor(sw, sy_pex_ops(pex), pex, &detail);
 *     ... the switch runs and is deleted ...
 *     sy_pex_del(pex);
 *
 * Source: docs/spec/pex.md, docs/spec/seed.md. */
#ifndef SWITCHYARD_PEX_H
#define SWITCHYARD_PEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/addr_source.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/log.h>
#include <switchyard/mem.h>
#include <switchyard/reactor.h>

SY_BEGIN_DECLS

typedef struct sy_pex sy_pex;

#define SY_PEX_CHANNEL     0x00
#define SY_PEX_SEEDS_MAX   64
#define SY_PEX_DIALING_MAX 64 /* dials of ours under way */

typedef struct sy_pex_config {
    size_t size;
    const sy_mem *mem; /* NULL: the C library's; borrows until del */
    sy_log log;
    sy_addr_source source;

    size_t max_outbound;  /* the target; default 10 */
    const sy_addr *seeds; /* copied */
    size_t seed_count;
    bool seed_mode;

    /* The book changed: save it now.  May be NULL. */
    void (*save)(void *user, sy_time now);
    void *save_user;

    sy_duration ensure_period; /* default 30 s */
    sy_duration request_gap;   /* from an answer to our next request; default 10 s */
    sy_duration save_period;   /* default 2 min */
    sy_duration feeler_period; /* on average; 0: no feelers; default 2 min */
    sy_duration ban;           /* of the address of whoever breaks a rule; default 24 h */

    /* Seed mode. */
    sy_duration visit_max;    /* a visitor that asks nothing leaves after; default 1 min */
    sy_duration crawl_period; /* default 30 s */
    sy_duration crawl_again;  /* an address is visited again after; default 2 min */
    sy_duration crawl_wait;   /* for an answer; default 15 s */
    size_t crawl_parallel;    /* default 8; at most max_outbound */

    /* Our own protocol versions are not known yet (sy_pex_versions_known): that a node has others
     * is not held against its address. */
    bool versions_open;
} sy_pex_config;

#define sy_pex_config_default(config) sy_pex_config_default_sized((config), sizeof(sy_pex_config))
SY_API void sy_pex_config_default_sized(sy_pex_config *config, size_t size);

/*   SY_ERR_NOMEM, SY_ERR_CONFIG (too many seeds, a seed without ID, a period of 0) */
SY_API sy_err sy_pex_new(const sy_pex_config *config, sy_pex **ret_pex) SY_MUST_USE;
SY_API void sy_pex_del(sy_pex *pex); /* NULL is allowed */

SY_API const sy_reactor_ops *sy_pex_ops(sy_pex *pex);

/* A new target (reload); takes effect at the next round.  Call sy_switch_reactor_touch after it. */
SY_API void sy_pex_set_target(sy_pex *pex, size_t max_outbound, sy_time now);

/* New seeds (reload), copied; may be asked at once.
 *   SY_ERR_CONFIG (too many, or one without ID), SY_ERR_NOMEM: nothing has changed */
SY_API sy_err sy_pex_set_seeds(sy_pex *pex, const sy_addr *seeds, size_t count,
                               sy_time now) SY_MUST_USE;

/* Ends versions_open. */
SY_API void sy_pex_versions_known(sy_pex *pex);

typedef struct sy_pex_counts {
    uint64_t requests_in;
    uint64_t requests_early; /* ignored */
    uint64_t requests_out;
    uint64_t answers_in;
    uint64_t answers_out;
    uint64_t addrs_in;
    uint64_t addrs_malformed;
    uint64_t addrs_limited; /* over the rate of their source */
    uint64_t stopped;       /* peers stopped for cause */
    uint64_t dials;
    uint64_t feelers;
    uint64_t feelers_good;
    uint64_t seed_dials;
    uint64_t visitors_served;
    uint64_t saves;
} sy_pex_counts;

SY_API void sy_pex_get_counts(const sy_pex *pex, sy_pex_counts *ret_counts);

SY_END_DECLS

#endif
