/* SPDX-License-Identifier: Apache-2.0 */
/* filter_peers: the node's application is asked whether a peer is wanted. */
#ifndef YARD_APP_FILTER_H
#define YARD_APP_FILTER_H

#include <stdbool.h>

#include <switchyard/app_filter.h>
#include <switchyard/switch.h>

#include "cmd/yard/config.h"

/* Fills *ret_settings, whose address borrows from the configuration, and returns whether
 * filter_peers is on.  What is wrong goes to config->errors, what is asked to its notes. */
bool yard_app_filter_build(yard_config *config, sy_app_filter_settings *ret_settings);

#endif
