/* SPDX-License-Identifier: Apache-2.0 */
/* A seed says the protocol versions of its network, which it learns from a peer that its operator
 * named: from one NodeInfo, on a connection that we dialed.
 *
 * Source: docs/spec/seed.md, SEED-07. */
#ifndef YARD_MIRROR_H
#define YARD_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/switch.h>

#include "cmd/yard/node_settings.h"

/* All zero: mirrors nobody. */
typedef struct yard_mirror {
    const yard_node *node; /* borrows; NULL: it mirrors nobody (any more) */
    bool learned;
    sy_addr from; /* whom it was learned from */
    uint64_t p2p_version;
    uint64_t block_version;
    uint64_t app_version;
} yard_mirror;

/* Nothing to mirror: no seed, nobody named, or the versions are configured. */
void yard_mirror_init(yard_mirror *mirror, const yard_config *config, const yard_node *node);

bool yard_mirror_is_open(const yard_mirror *mirror);

/* true: this was what it waited for; the versions and `from` are set, and it is not open any more.
 */
bool yard_mirror_hear(yard_mirror *mirror, const sy_event *event);

#endif
