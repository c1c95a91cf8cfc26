/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the switch that change nothing, and the broadcast. */
#include "p2p/switch_internal.h"

#include <switchyard/assert.h>

const char *sy_switch_frame_cipher(const sy_switch *sw) {
    return sy_scratch_cipher_name(sw->scratch);
}

const sy_node_id *sy_switch_id(const sy_switch *sw) {
    return &sw->id;
}

sy_channel sy_switch_channel(const sy_switch *sw, uint8_t channel_id) {
    const uint16_t index = sw->channels.index_of[channel_id];
    return index == SY_CHANNEL_NONE ? SY_NO_CHANNEL : (sy_channel)index;
}

uint8_t sy_switch_channel_id(const sy_switch *sw, sy_channel channel) {
    SY_REQUIRE(channel < sw->channels.count);
    return sw->channels.desc[channel].id;
}

sy_peer *sy_switch_peer(sy_switch *sw, sy_peer_ref ref) {
    sy_peer *link = sy_link_of_ref(sw, (sy_stream_ref){ref.slot, ref.generation});
    return link != NULL && link->in_roster ? link : NULL;
}

sy_peer *sy_switch_peer_by_id(sy_switch *sw, const sy_node_id *id) {
    for (sy_peer *link = sw->roster_first; link != NULL; link = link->roster_next) {
        if (link->state == SY_LINK_UP && sy_node_id_equal(&link->id, id)) {
            return link;
        }
    }
    return NULL;
}

sy_peer *sy_switch_next_peer(sy_switch *sw, const sy_peer *previous) {
    sy_peer *link = previous == NULL ? sw->roster_first : previous->roster_next;
    while (link != NULL && link->state != SY_LINK_UP) {
        link = link->roster_next;
    }
    return link;
}

void sy_switch_random(sy_switch *sw, void *out, size_t len) {
    sw->ops.random(sw->driver, out, len);
}

sy_walltime sy_switch_walltime(sy_switch *sw) {
    if (sw->ops.walltime == NULL) {
        return (sy_walltime){0};
    }
    return sw->ops.walltime(sw->driver);
}

static size_t count_dialing(const sy_switch *sw) {
    size_t count = 0;
    for (uint32_t i = 0; i < sw->slot_count; i++) {
        const sy_peer *link = sw->slots[i];
        count += link != NULL && link->outbound && !link->was_up && link->state != SY_LINK_DEAD;
    }
    return count;
}

void sy_switch_get_counts(const sy_switch *sw, sy_switch_counts *ret_counts) {
    sy_admission_counts admitted;
    sy_admission_get_counts(&sw->admission, &admitted);
    *ret_counts = (sy_switch_counts){
        .inbound = admitted.used[SY_PEER_INBOUND],
        .outbound = admitted.used[SY_PEER_OUTBOUND],
        .persistent = admitted.used[SY_PEER_PERSISTENT],
        .unconditional = admitted.used[SY_PEER_UNCONDITIONAL],
        .pending = sy_pending_count(&sw->pending),
        .dialing = count_dialing(sw),
        .peers = sw->roster_count,
        .memory_used = sw->memory.used,
        .accepted = sw->accepted_count,
        .dialed = sw->dialed_count,
        .ended = sy_history_total(&sw->history),
    };
}

uint64_t sy_switch_ended_count(const sy_switch *sw, sy_stage stage, sy_err code) {
    return sy_history_count(&sw->history, stage, code);
}

/* SPEC SW-53 */
size_t sy_switch_broadcast(sy_switch *sw, sy_channel channel, const void *data, size_t len,
                           const sy_peer *except, size_t *ret_full) {
    sy_msg *msg;
    size_t queued = 0;
    size_t full = 0;

    if (sy_msg_new(&sw->mem, &sw->memory, data, len, &msg) == SY_OK) {
        for (sy_peer *peer = sy_switch_next_peer(sw, NULL); peer != NULL;
             peer = sy_switch_next_peer(sw, peer)) {
            if (peer == except) {
                continue;
            }
            const sy_send_result result = sy_peer_send_msg(peer, channel, msg);
            queued += result == SY_SEND_QUEUED;
            full += result == SY_SEND_FULL;
        }
        sy_msg_unref(msg);
    }
    if (ret_full != NULL) {
        *ret_full = full;
    }
    return queued;
}

/* SPEC SW-53 */
size_t sy_switch_broadcast_to(sy_switch *sw, sy_channel channel, const void *data, size_t len,
                              const sy_peer_ref *refs, size_t ref_count, size_t *ret_full) {
    sy_msg *msg;
    size_t queued = 0;
    size_t full = 0;

    if (ref_count > 0 && sy_msg_new(&sw->mem, &sw->memory, data, len, &msg) == SY_OK) {
        for (size_t i = 0; i < ref_count; i++) {
            sy_peer *peer = sy_switch_peer(sw, refs[i]);
            if (peer != NULL) {
                const sy_send_result result = sy_peer_send_msg(peer, channel, msg);
                queued += result == SY_SEND_QUEUED;
                full += result == SY_SEND_FULL;
            }
        }
        sy_msg_unref(msg);
    }
    if (ret_full != NULL) {
        *ret_full = full;
    }
    return queued;
}
