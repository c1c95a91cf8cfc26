/* SPDX-License-Identifier: Apache-2.0 */
/* Filters and bans put to work: which connections they refuse, and which they end; the class that
 * the configured IDs give a connection.
 *
 * SPEC FL-04 FL-05 FL-09 FL-10 */
#include "p2p/switch_internal.h"

#include <switchyard/assert.h>

static bool is_unconditional(const sy_switch *sw, const sy_node_id *id) {
    for (size_t i = 0; i < sw->settings.unconditional_count; i++) {
        if (sy_node_id_equal(&sw->settings.unconditional_ids[i], id)) {
            return true;
        }
    }
    return false;
}

sy_peer_class sy_link_class(const sy_peer *link) {
    const sy_switch *sw = link->sw;
    return sy_peer_class_of(link->outbound, sy_dial_table_is_persistent(&sw->dials, &link->id),
                            is_unconditional(sw, &link->id));
}

sy_err sy_link_check_gate(const sy_peer *link, sy_detail *detail) {
    sy_switch *sw = link->sw;
    return sy_gate_check(&sw->gate, link->has_id ? &link->id : NULL, &link->remote,
                         sy_switch_walltime(sw), detail);
}

/* The rules have changed: whoever does not pass any more goes at the end of the turn. */
static void recheck(sy_switch *sw, sy_time now) {
    SY_REQUIRE(now >= sw->now);
    sw->now = now;
    for (uint32_t i = 0; i < sw->slot_count; i++) {
        sy_detail detail;
        sy_peer *link = sw->slots[i];
        if (link == NULL || link->state == SY_LINK_DEAD) {
            continue;
        }
        const sy_err err = sy_link_check_gate(link, &detail);
        if (err != SY_OK) {
            sy_link_end(link, err, &detail);
        }
    }
    sw->again = true;
}

sy_err sy_switch_set_filter(sy_switch *sw, const sy_filter_settings *lists, sy_time now) {
    const sy_err err = sy_gate_set_lists(&sw->gate, lists);
    if (err == SY_OK) {
        recheck(sw, now);
    }
    return err;
}

sy_err sy_switch_ban(sy_switch *sw, const sy_ban *ban, sy_time now) {
    const sy_err err = sy_gate_ban(&sw->gate, ban, sy_switch_walltime(sw));
    if (err == SY_OK) {
        recheck(sw, now);
    }
    return err;
}

sy_err sy_switch_unban(sy_switch *sw, const sy_net_rule *rule) {
    return sy_gate_unban(&sw->gate, rule) ? SY_OK : SY_ERR_GONE;
}

const sy_ban *sy_switch_ban_at(sy_switch *sw, size_t index) {
    if (index == 0) {
        (void)sy_gate_expire(&sw->gate, sy_switch_walltime(sw));
    }
    return index < sw->gate.ban_count ? &sw->gate.bans[index] : NULL;
}

size_t sy_switch_bans_encode(sy_switch *sw, char *out, size_t cap) {
    (void)sy_gate_expire(&sw->gate, sy_switch_walltime(sw));
    return sy_gate_encode(&sw->gate, out, cap);
}

sy_err sy_switch_bans_decode(sy_switch *sw, const char *text, size_t len, sy_detail *detail,
                             sy_time now) {
    const sy_err err = sy_gate_decode(&sw->gate, text, len, detail, sy_switch_walltime(sw));
    if (err == SY_OK) {
        recheck(sw, now);
    }
    return err;
}
