/* SPDX-License-Identifier: Apache-2.0 */
/* New settings for a running switch: checked as a whole, then in force, or nothing has changed.
 *
 * SPEC SW-80 SW-81 SW-82 SW-83 */
#include "p2p/switch_internal.h"

#include <string.h>

#include <switchyard/assert.h>

/* ---- What only a restart can change ------------------------------------------------------------
 */

static bool same_text(const char *a, const char *b) {
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_profiles(const sy_settings *a, const sy_settings *b) {
    if (a->profile_count != b->profile_count) {
        return false;
    }
    for (size_t i = 0; i < a->profile_count; i++) {
        if (!same_text(a->profiles[i], b->profiles[i])) {
            return false;
        }
    }
    return true;
}

static bool same_channels(const sy_settings *a, const sy_settings *b) {
    return a->extra_channel_count == b->extra_channel_count &&
           (a->extra_channel_count == 0 ||
            memcmp(a->extra_channels, b->extra_channels, a->extra_channel_count) == 0);
}

static void name_if(sy_detail *names, bool changed, const char *name) {
    if (changed) {
        sy_detail_add(names, names->text[0] == '\0' ? "%s" : ", %s", name);
    }
}

static void name_fixed(const sy_settings *old, const sy_settings *new, sy_detail *names) {
    sy_detail_clear(names);
    name_if(names,
            new->node_key == NULL || memcmp(old->node_key->pubkey, new->node_key->pubkey,
                                            sizeof old->node_key->pubkey) != 0,
            "node_key");
    name_if(names, !same_text(old->network, new->network), "chain_id");
    name_if(names, !same_text(old->moniker, new->moniker), "moniker");
    name_if(names, !same_text(old->version, new->version), "version");
    name_if(names, !same_text(old->listen_addr, new->listen_addr), "external_address");
    name_if(names, !same_text(old->rpc_address, new->rpc_address), "rpc_address");
    name_if(names,
            old->p2p_version != new->p2p_version || old->block_version != new->block_version ||
                old->app_version != new->app_version,
            "protocol versions");
    name_if(names, !same_channels(old, new), "channels");
    name_if(names, !same_profiles(old, new), "profiles");
    name_if(names, old->plain_anywhere != new->plain_anywhere, "plain_anywhere");
    name_if(names, old->packet_payload_max != new->packet_payload_max,
            "max_packet_msg_payload_size");
    name_if(names, old->memory_max != new->memory_max, "memory_max");
    name_if(names, !same_text(old->frame_cipher, new->frame_cipher), "frame_cipher");
}

/* ---- Who has to leave --------------------------------------------------------------------------
 */

static void end_one(sy_peer *link, sy_err code, const char *text) {
    sy_switch *sw = link->sw;
    sy_detail detail;
    sy_detail_set(&detail, "%s", text);
    sy_link_end(link, code, &detail);
    /* Its place is free from now on, also while its queues are flushed. */
    sy_admission_release(&sw->admission, &link->ticket);
}

/* The youngest that is counted in a class; those that are not peers yet are younger than all who
 * are. */
static sy_peer *youngest(sy_switch *sw, sy_peer_class peer_class) {
    for (uint32_t i = 0; i < sw->slot_count; i++) {
        sy_peer *link = sw->slots[i];
        if (link != NULL && link->ticket.held && !link->in_roster &&
            link->ticket.peer_class == peer_class) {
            return link;
        }
    }
    for (sy_peer *link = sw->roster_last; link != NULL; link = link->roster_prev) {
        if (link->ticket.held && link->ticket.peer_class == peer_class) {
            return link;
        }
    }
    return NULL;
}

static void leave_pool(sy_switch *sw) {
    sy_pending_entry *entry;
    while ((entry = sy_pending_pop_excess(&sw->pending)) != NULL) {
        sy_peer *link = (sy_peer *)(void *)((char *)entry - offsetof(sy_peer, pending));
        link->in_pending = false;
        end_one(link, SY_ERR_ADMIT_PENDING, "fewer handshakes in progress are allowed");
    }
}

static void leave_classes(sy_switch *sw) {
    sy_peer_class over;
    while (sy_admission_over(&sw->admission, &over)) {
        sy_peer *link = youngest(sw, over);
        SY_ASSERT(link != NULL);
        end_one(link, SY_ERR_EVICTED, sy_peer_class_name(over));
    }
}

static void leave_addresses(sy_switch *sw) {
    for (uint32_t i = 0; i < sw->slot_count; i++) {
        sy_peer *link = sw->slots[i];
        if (link != NULL && link->ticket.held && !link->in_roster &&
            sy_admission_check_ticket(&sw->admission, &link->ticket) != SY_OK) {
            end_one(link, SY_ERR_EVICTED, "too many from this address or prefix");
        }
    }
    for (sy_peer *link = sw->roster_last; link != NULL; link = link->roster_prev) {
        if (link->ticket.held &&
            sy_admission_check_ticket(&sw->admission, &link->ticket) != SY_OK) {
            end_one(link, SY_ERR_EVICTED, "too many from this address or prefix");
        }
    }
}

/* ---- In force ----------------------------------------------------------------------------------
 */

static void take_over(sy_settings *to, const sy_settings *from) {
    to->log.level = from->log.level;
    to->max_inbound = from->max_inbound;
    to->max_outbound = from->max_outbound;
    to->total_connections = from->total_connections;
    to->max_pending = from->max_pending;
    to->max_per_ip = from->max_per_ip;
    to->max_per_prefix = from->max_per_prefix;
    to->dial_timeout = from->dial_timeout;
    to->handshake_timeout = from->handshake_timeout;
    to->resolve_timeout = from->resolve_timeout;
    to->park_timeout = from->park_timeout;
    to->linger_timeout = from->linger_timeout;
    to->persistent_peers_max_dial_period = from->persistent_peers_max_dial_period;
    to->ping_interval = from->ping_interval;
    to->pong_timeout = from->pong_timeout;
    to->send_rate = from->send_rate;
    to->recv_rate = from->recv_rate;
    to->peer_memory_max = from->peer_memory_max;
}

/* SPEC SEED-07 */
void sy_switch_set_versions(sy_switch *sw, uint64_t p2p_version, uint64_t block_version,
                            uint64_t app_version) {
    sw->settings.p2p_version = p2p_version;
    sw->settings.block_version = block_version;
    sw->settings.app_version = app_version;
    sw->ours.p2p_version = p2p_version;
    sw->ours.block_version = block_version;
    sw->ours.app_version = app_version;
}

sy_err sy_switch_reconfigure(sy_switch *sw, const sy_settings *settings, sy_detail *ret_restart,
                             sy_detail *detail, sy_time now) {
    SY_REQUIRE(settings != NULL && settings->size == sizeof *settings);
    SY_REQUIRE(now >= sw->now && ret_restart != NULL);
    if (sw->state != SY_SWITCH_RUNNING) {
        return SY_ERR_STATE;
    }
    sy_err err = sy_settings_check(settings, detail);
    if (err != SY_OK) {
        return err;
    }
    sy_node_id *ids = sy_mem_zalloc_array(&sw->mem, settings->unconditional_count + 1, sizeof *ids);
    if (ids == NULL) {
        return SY_ERR_NOMEM;
    }
    err = sy_pending_set_max(&sw->pending, settings->max_pending);
    if (err != SY_OK) {
        sy_mem_release(&sw->mem, ids);
        return err;
    }
    /* From here on nothing fails. */
    sw->now = now;
    name_fixed(&sw->settings, settings, ret_restart);
    if (settings->unconditional_count > 0) {
        memcpy(ids, settings->unconditional_ids, settings->unconditional_count * sizeof *ids);
    }
    sy_mem_release(&sw->mem, sw->ids);
    sw->ids = ids;
    sw->settings.unconditional_ids = ids;
    sw->settings.unconditional_count = settings->unconditional_count;
    take_over(&sw->settings, settings);
    sy_dial_table_set_cap(&sw->dials, settings->persistent_peers_max_dial_period, now);
    for (uint32_t i = 0; i < sw->slot_count; i++) {
        sy_peer *link = sw->slots[i];
        if (link != NULL && link->ticket.held) {
            link->peer_class = sy_link_class(link);
            sy_admission_reclass(&sw->admission, &link->ticket, link->peer_class);
        }
    }
    sy_switch_refresh_limits(sw);
    leave_pool(sw);
    leave_classes(sw);
    leave_addresses(sw);
    sw->again = true;
    return SY_OK;
}
