/* SPDX-License-Identifier: Apache-2.0 */
/* Names being resolved, and to whom the answer goes.  Loop thread only. */
#ifndef SY_P2P_LOOKUP_H
#define SY_P2P_LOOKUP_H

#include "p2p/switch_internal.h"

/* For a dial: the answer goes to the dial table. */
sy_err sy_lookup_for_dial(sy_switch *sw, const char *host, sy_dial_ref dial);

/* For the application: the answer goes to sy_app_on_resolved. */
sy_err sy_lookup_for_app(sy_switch *sw, const char *host, sy_resolve_ref *ret_ref);

/* For a ListenAddr: the answer goes to sy_link_on_listen_resolved, perhaps at once. */
void sy_lookup_for_link(sy_peer *link, const char *host);
void sy_lookup_on_deadline(sy_switch *sw, sy_lookup *lookup);
void sy_lookup_on_retry(sy_switch *sw, sy_lookup *lookup);
void sy_lookup_cancel(sy_switch *sw, sy_resolve_ref ref);
void sy_lookup_cancel_all(sy_switch *sw);

#endif
