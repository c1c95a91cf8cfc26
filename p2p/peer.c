/* SPDX-License-Identifier: Apache-2.0 */
/* The public face of a connection (peer.h). */
#include "p2p/isolated.h"

#include <switchyard/assert.h>

sy_peer_ref sy_peer_ref_of(const sy_peer *peer) {
    return (sy_peer_ref){peer->slot, peer->generation};
}

const sy_node_id *sy_peer_id(const sy_peer *peer) {
    return &peer->id;
}

bool sy_peer_is_outbound(const sy_peer *peer) {
    return peer->outbound;
}

bool sy_peer_is_persistent(const sy_peer *peer) {
    return peer->peer_class == SY_PEER_PERSISTENT;
}

const sy_node_info *sy_peer_info(const sy_peer *peer) {
    return peer->info;
}

const sy_endpoint *sy_peer_remote(const sy_peer *peer) {
    return &peer->remote;
}

const sy_addr *sy_peer_dialed_addr(const sy_peer *peer) {
    sy_dial_view view;
    if (peer->iso_peer != NULL) {
        return peer->iso_peer->dialed_addr;
    }
    if (!peer->outbound || !sy_dial_table_get(&peer->sw->dials, peer->dial, &view)) {
        return NULL;
    }
    return view.addr;
}

sy_time sy_peer_since(const sy_peer *peer) {
    return peer->opened_at;
}

const char *sy_peer_class_text(const sy_peer *peer) {
    return sy_peer_class_name(peer->peer_class);
}

const char *sy_peer_profile(const sy_peer *peer) {
    return peer->profile == NULL ? "" : peer->profile->name;
}

const char *sy_peer_encoding(const sy_peer *peer) {
    return peer->profile == NULL ? "" : peer->profile->encoding;
}

static sy_mux *usable_mux(const sy_peer *peer) {
    if (peer->state != SY_LINK_UP || !peer->in_roster || peer->has_reason) {
        return NULL;
    }
    return sy_session_mux(peer->session);
}

bool sy_peer_has_channel(const sy_peer *peer, sy_channel channel) {
    if (peer->iso_peer != NULL) {
        return channel < peer->sw->channels.count &&
               (peer->iso_peer->remote_has[channel / 8] & 1u << (channel % 8)) != 0;
    }
    const sy_mux *mux = peer->session == NULL ? NULL : sy_session_mux(peer->session);
    return mux != NULL && channel < peer->sw->channels.count && sy_mux_remote_has(mux, channel);
}

sy_send_result sy_peer_send_msg(sy_peer *peer, sy_channel channel, sy_msg *msg) {
    SY_REQUIRE(channel < peer->sw->channels.count);
    if (peer->iso_peer != NULL) {
        return sy_isolated_send_msg(peer->iso_peer, channel, msg);
    }
    sy_mux *mux = usable_mux(peer);
    if (mux == NULL) {
        return SY_SEND_REFUSED;
    }
    const sy_send_result result = sy_mux_queue(mux, channel, msg);
    if (result == SY_SEND_QUEUED) {
        sy_link_mark_dirty(peer);
    }
    return result;
}

size_t sy_peer_queued(const sy_peer *peer, sy_channel channel) {
    sy_mux_channel_stats stats;
    if (peer->iso_peer != NULL || sy_session_mux(peer->session) == NULL) {
        return 0;
    }
    sy_mux_get_channel_stats(sy_session_mux(peer->session), channel, &stats);
    return stats.queued_messages;
}

sy_send_result sy_peer_send(sy_peer *peer, sy_channel channel, const void *data, size_t len) {
    sy_switch *sw = peer->sw;
    sy_msg *msg;
    if (peer->iso_peer != NULL) {
        return sy_isolated_send(peer->iso_peer, channel, data, len);
    }
    if (usable_mux(peer) == NULL || !sy_peer_has_channel(peer, channel)) {
        return SY_SEND_REFUSED;
    }
    if (sy_msg_new(&sw->mem, &sw->memory, data, len, &msg) != SY_OK) {
        return SY_SEND_REFUSED;
    }
    const sy_send_result result = sy_peer_send_msg(peer, channel, msg);
    sy_msg_unref(msg);
    return result;
}

void sy_peer_stop(sy_peer *peer, sy_err code, const char *text) {
    sy_detail detail;
    SY_REQUIRE(code != SY_OK);
    if (peer->iso_peer != NULL) {
        sy_isolated_stop(peer->iso_peer, code, text);
        return;
    }
    sy_detail_set(&detail, "%s", text == NULL ? "" : text);
    sy_link_end(peer, code, &detail);
}

void sy_peer_ping(sy_peer *peer, sy_time now) {
    if (peer->iso_peer != NULL) {
        sy_isolated_ping(peer->iso_peer);
        return;
    }
    sy_mux *mux = usable_mux(peer);
    if (mux != NULL) {
        sy_mux_ping(mux, now);
        sy_link_mark_dirty(peer);
        sy_link_refresh_clock(peer);
    }
}

sy_duration sy_peer_rtt(const sy_peer *peer) {
    sy_mux_stats stats;
    if (peer->iso_peer != NULL) {
        return sy_isolated_rtt(peer->iso_peer);
    }
    const sy_mux *mux = peer->session == NULL ? NULL : sy_session_mux(peer->session);
    if (mux == NULL) {
        return 0;
    }
    sy_mux_get_stats(mux, &stats);
    return stats.rtt_ns;
}
