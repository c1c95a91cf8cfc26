/* SPDX-License-Identifier: Apache-2.0 */
/* The ABCI filter: the node's application says which peers it wants, as with `filter_peers = true`
 * of Tendermint and CometBFT.  The switch keeps one connection to the application's ABCI socket and
 * asks `/p2p/filter/addr/IP:PORT` and `/p2p/filter/id/ID`; an answer with a code other than 0
 * refuses.
 *
 *     sy_app_filter_settings settings;
 *     sy_app_filter_default(&settings);
 *     settings.address = "tcp://127.0.0.1:26658";
 *     err = sy_switch_set_app_filter(sw, &settings, &detail);      // before start
 *
 * The connection is made at start and made again whenever it is lost (after 0.1 s, doubling up to 2
 * s); questions that are open then are asked again.  An application that is not there makes every
 * question unanswered, which refuses unless the settings say otherwise.  What peers there are
 * already stays.  It is a judge (verdict.h): a switch has one.
 *
 * Loop thread only.  Source: docs/spec/filters.md, docs/spec/abci.md. */
#ifndef SWITCHYARD_APP_FILTER_H
#define SWITCHYARD_APP_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include <switchyard/addr.h>
#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/time.h>
#include <switchyard/verdict.h>

SY_BEGIN_DECLS

/* How the application speaks, named after the first release that does. */
typedef enum sy_abci_dialect {
    SY_ABCI_0_22, /* Tendermint up to 0.33 */
    SY_ABCI_0_34,
    SY_ABCI_0_38, /* since 0.37 */
    SY_ABCI_AUTO, /* settings only: find out, beginning with that of the first profile */
} sy_abci_dialect;

#define SY_ABCI_DIALECT_COUNT 3

#define SY_LOCAL_PATH_MAX     107 /* bytes of a path of a local socket */

/* Where the application listens. */
typedef struct sy_app_address {
    bool is_local;
    char path[SY_LOCAL_PATH_MAX + 1]; /* local */
    sy_addr addr;                     /* otherwise: host and port, no ID */
} sy_app_address;

/* "tcp://HOST:PORT", "HOST:PORT", "unix://PATH".  detail may be NULL.
 *   SY_ERR_INVALID  the name of a built-in application, another scheme, a path too long
 *   SY_ERR_ADDR_HOST, ADDR_PORT, ADDR_SYNTAX */
SY_API sy_err sy_app_address_parse(const char *text, size_t len, sy_app_address *ret_address,
                                   sy_detail *detail) SY_MUST_USE;

typedef struct sy_app_filter_settings {
    size_t size;
    const char *address;      /* required; copied */
    sy_abci_dialect dialect;  /* default AUTO */
    sy_duration timeout;      /* of one question; default 5 s */
    sy_unanswered unanswered; /* default REFUSE */
} sy_app_filter_settings;

#define sy_app_filter_default(settings)                                                            \
    sy_app_filter_default_sized((settings), sizeof(sy_app_filter_settings))
SY_API void sy_app_filter_default_sized(sy_app_filter_settings *settings, size_t size);

/* Before start.  detail (may be NULL) names what is wrong.
 *   SY_ERR_STATE    started, or the switch has a judge
 *   SY_ERR_CONFIG   the address, the dialect or the time-out; unix:// with a driver without it
 *   SY_ERR_NOMEM, SY_ERR_LIMIT */
SY_API sy_err sy_switch_set_app_filter(sy_switch *sw, const sy_app_filter_settings *settings,
                                       sy_detail *detail) SY_MUST_USE;

SY_END_DECLS

#endif
