/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/mirror.h"

#include <string.h>

#include "cmd/yard/config.h"

void yard_mirror_init(yard_mirror *mirror, const yard_config *config, const yard_node *node) {
    *mirror = (yard_mirror){0};
    const bool configured = yard_config_is_given(config, YARD_KEY_P2P_VERSION) ||
                            yard_config_is_given(config, YARD_KEY_BLOCK_VERSION) ||
                            yard_config_is_given(config, YARD_KEY_APP_VERSION);
    if (node->seed_mode && node->pex && !configured &&
        node->seed_count + node->persistent_count > 0) {
        mirror->node = node;
    }
}

bool yard_mirror_is_open(const yard_mirror *mirror) {
    return mirror->node != NULL;
}

static const sy_addr *find(const sy_addr *list, size_t count, const sy_node_id *id) {
    for (size_t i = 0; i < count; i++) {
        if (list[i].has_id && sy_node_id_equal(&list[i].id, id)) {
            return &list[i];
        }
    }
    return NULL;
}

/* SPEC SEED-07: the ID was proven before NodeInfo came. */
bool yard_mirror_hear(yard_mirror *mirror, const sy_event *event) {
    const yard_node *node = mirror->node;
    if (node == NULL || event->kind != SY_EVENT_INFO || !event->outbound || !event->has_id ||
        strcmp(event->profile, "cometbft") != 0) {
        return false;
    }
    const sy_addr *named = find(node->seeds, node->seed_count, &event->id);
    if (named == NULL) {
        named = find(node->persistent, node->persistent_count, &event->id);
    }
    const sy_node_info *info = event->info;
    if (named == NULL || info->network.len != strlen(node->chain_id) ||
        memcmp(info->network.data, node->chain_id, info->network.len) != 0) {
        return false;
    }
    mirror->from = *named;
    mirror->p2p_version = info->p2p_version;
    mirror->block_version = info->block_version;
    mirror->app_version = info->app_version;
    mirror->node = NULL;
    mirror->learned = true;
    return true;
}
