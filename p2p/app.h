/* SPDX-License-Identifier: Apache-2.0 */
/* The application's connection as the switch sees it: what reaches it of starts, turns, timers and
 * reports.  Harmless without one (sw->app NULL), except the reports, which need sy_app_owns first.
 * The inside is app_filter.c. */
#ifndef SY_P2P_APP_H
#define SY_P2P_APP_H

#include "p2p/switch_internal.h"

bool sy_app_owns(const sy_switch *sw, sy_stream_ref ref);
void sy_app_start(sy_switch *sw);
void sy_app_stop(sy_switch *sw);
void sy_app_del(sy_switch *sw);
void sy_app_on_timer(sy_switch *sw);
void sy_app_turn_end(sy_switch *sw);
void sy_app_on_resolved(sy_switch *sw, const sy_endpoint *endpoints, size_t count);
void sy_app_on_connected(sy_switch *sw);
void sy_app_on_connect_failed(sy_switch *sw, sy_err err, const sy_detail *detail);
bool sy_app_on_readable(sy_switch *sw, const uint8_t *data, size_t len);
void sy_app_on_read_end(sy_switch *sw, sy_err err);
void sy_app_on_writable(sy_switch *sw);

#endif
