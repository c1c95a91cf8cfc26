/* SPDX-License-Identifier: Apache-2.0 */
/* The address book of a node and its files, and the peer exchange reactor on it. */
#ifndef YARD_DISCOVERY_H
#define YARD_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>

#include <switchyard/addr_book.h>
#include <switchyard/log.h>
#include <switchyard/pex.h>
#include <switchyard/switch.h>

#include "cmd/yard/node_settings.h"
#include "cmd/yard/saver.h"

/* All zero: there is none.  Borrows the configuration and the node until close. */
typedef struct yard_discovery {
    const yard_config *config;
    const yard_node *node;
    sy_switch *sw;
    sy_log log;
    sy_addr_book *book;
    sy_pex *pex;
    yard_saver *saver;
    bool wildcard; /* we listen at one and nobody told us our address */
    bool warned;   /* ... and an outgoing connection did not either */
} yard_discovery;

/* Reads the book (a damaged one is set aside) and adds the reactor to a switch that has not
 * started; does nothing when the node has no peer exchange.  versions_open: see pex.h.  Complains.
 */
bool yard_discovery_open(yard_discovery *discovery, const yard_config *config,
                         const yard_node *node, sy_switch *sw, bool versions_open, sy_log log,
                         sy_time now);

/* Where we listen: never to be dialed; warns when nobody else could. */
void yard_discovery_listening(yard_discovery *discovery, const sy_endpoint *bound, sy_time now);

/* An outgoing connection is up: it may have shown our address.  Warns when it did not. */
void yard_discovery_connected(yard_discovery *discovery, sy_time now);

/* The configuration and the node that were borrowed have new contents: target, seeds and private
 * IDs follow. */
void yard_discovery_reload(yard_discovery *discovery, sy_time now);

/* After the switch is gone. */
void yard_discovery_close(yard_discovery *discovery);

#endif
