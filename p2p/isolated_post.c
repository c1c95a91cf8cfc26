/* SPDX-License-Identifier: Apache-2.0 */
/* Isolated reactors: the functions that any thread may call.  They answer from what the loop has
 * published under the worker's lock, and leave the rest for the loop to collect.
 *
 * SPEC RX-20 RX-21 RX-23 RX-24 */
#include "p2p/isolated.h"

#include <switchyard/assert.h>

void sy_isolated_wake(sy_isolated *iso) {
    if (iso->idle) {
        iso->idle = false;
        iso->sw->ops.worker_wake(iso->sw->driver, iso->worker);
    }
}

void sy_isolated_tell(sy_iso_peer *peer) {
    sy_isolated *iso = peer->iso;
    if (!peer->in_news) {
        peer->in_news = true;
        peer->next_news = NULL;
        if (iso->news_first == NULL) {
            iso->news_first = peer;
        } else {
            iso->news_last->next_news = peer;
        }
        iso->news_last = peer;
        iso->news_count++;
    }
    if (!iso->posted) {
        iso->posted = true;
        iso->sw->ops.post(iso->sw->driver, iso->sw);
    }
}

/* ---- Of a peer that is at hand -----------------------------------------------------------------
 */

static bool is_own(const sy_isolated *iso, sy_channel channel) {
    const uint16_t first = iso->slot->first_channel;
    return channel >= first && channel < first + iso->mailbox.queue_count;
}

/* Lock held. */
static sy_send_result post(sy_iso_peer *peer, sy_channel channel, sy_mail *mail) {
    sy_credit *credit = &peer->credits[channel - peer->iso->slot->first_channel];
    const sy_send_result result = sy_credit_post(credit, mail);
    if (result == SY_SEND_QUEUED) {
        peer->posted = true;
        sy_isolated_tell(peer);
    }
    return result;
}

/* A mail that holds a reference of its own; NULL when memory is short. */
static sy_mail *wrap(const sy_switch *sw, sy_msg *msg) {
    sy_mail *mail = sy_mem_zalloc(&sw->mem, sizeof *mail);
    if (mail != NULL) {
        mail->msg = sy_msg_ref(msg);
    }
    return mail;
}

static void unwrap(const sy_switch *sw, sy_mail *mail) {
    if (mail != NULL) {
        mail->next = NULL;
        sy_isolated_free_mail(sw, mail);
    }
}

sy_send_result sy_isolated_send_msg(sy_iso_peer *peer, sy_channel channel, sy_msg *msg) {
    sy_isolated *iso = peer->iso;
    if (!is_own(iso, channel)) {
        return SY_SEND_REFUSED;
    }
    sy_mail *mail = wrap(iso->sw, msg);
    if (mail == NULL) {
        return SY_SEND_REFUSED;
    }
    sy_iso_lock(iso);
    const sy_send_result result = post(peer, channel, mail);
    sy_iso_unlock(iso);
    if (result != SY_SEND_QUEUED) {
        unwrap(iso->sw, mail);
    }
    return result;
}

sy_send_result sy_isolated_send(sy_iso_peer *peer, sy_channel channel, const void *data,
                                size_t len) {
    sy_isolated *iso = peer->iso;
    sy_msg *msg;
    if (!is_own(iso, channel)) {
        return SY_SEND_REFUSED;
    }
    /* A full queue is answered without a copy. */
    sy_iso_lock(iso);
    sy_send_result result = sy_credit_ask(&peer->credits[channel - iso->slot->first_channel], len);
    sy_iso_unlock(iso);
    if (result != SY_SEND_QUEUED) {
        return result;
    }
    if (sy_msg_new(&iso->sw->mem, NULL, data, len, &msg) != SY_OK) {
        return SY_SEND_REFUSED;
    }
    result = sy_isolated_send_msg(peer, channel, msg);
    sy_msg_unref(msg);
    return result;
}

/* Lock held. */
static void ask_to_stop(sy_iso_peer *peer, sy_err code, const char *text) {
    if (peer->stop_code == SY_OK) {
        peer->stop_code = code;
        sy_detail_set(&peer->stop_detail, "%s", text == NULL ? "" : text);
        sy_isolated_tell(peer);
    }
}

void sy_isolated_stop(sy_iso_peer *peer, sy_err code, const char *text) {
    sy_iso_lock(peer->iso);
    ask_to_stop(peer, code, text);
    sy_iso_unlock(peer->iso);
}

void sy_isolated_ping(sy_iso_peer *peer) {
    sy_iso_lock(peer->iso);
    peer->wants_ping = true;
    sy_isolated_tell(peer);
    sy_iso_unlock(peer->iso);
}

sy_duration sy_isolated_rtt(const sy_iso_peer *peer) {
    sy_iso_lock(peer->iso);
    const sy_duration rtt = peer->rtt;
    sy_iso_unlock(peer->iso);
    return rtt;
}

/* ---- Of a peer that is named by reference ------------------------------------------------------
 */

/* Lock held. */
static sy_iso_peer *find(const sy_isolated *iso, sy_peer_ref ref) {
    sy_iso_peer *peer = ref.slot < iso->table_count ? iso->table[ref.slot] : NULL;
    return peer != NULL && peer->box.state != SY_BOX_OPENED &&
                   peer->view.generation == ref.generation
               ? peer
               : NULL;
}

/* The isolated reactor that the channel belongs to; constant while the switch runs. */
static sy_isolated *owner_of(const sy_switch *sw, sy_channel channel) {
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_isolated *iso = sw->reactors[i].iso;
        if (iso != NULL && is_own(iso, channel)) {
            return iso;
        }
    }
    return NULL;
}

sy_send_result sy_switch_post_msg(sy_switch *sw, sy_peer_ref ref, sy_channel channel, sy_msg *msg) {
    sy_isolated *iso = owner_of(sw, channel);
    if (iso == NULL) {
        return SY_SEND_REFUSED;
    }
    sy_mail *mail = wrap(sw, msg);
    if (mail == NULL) {
        return SY_SEND_REFUSED;
    }
    sy_iso_lock(iso);
    sy_iso_peer *peer = find(iso, ref);
    const sy_send_result result = peer == NULL ? SY_SEND_GONE : post(peer, channel, mail);
    sy_iso_unlock(iso);
    if (result != SY_SEND_QUEUED) {
        unwrap(sw, mail);
    }
    return result;
}

sy_send_result sy_switch_post_send(sy_switch *sw, sy_peer_ref ref, sy_channel channel,
                                   const void *data, size_t len) {
    sy_isolated *iso = owner_of(sw, channel);
    sy_msg *msg;
    if (iso == NULL) {
        return SY_SEND_REFUSED;
    }
    sy_iso_lock(iso);
    sy_iso_peer *peer = find(iso, ref);
    sy_send_result result =
        peer == NULL ? SY_SEND_GONE
                     : sy_credit_ask(&peer->credits[channel - iso->slot->first_channel], len);
    sy_iso_unlock(iso);
    if (result != SY_SEND_QUEUED) {
        return result;
    }
    if (sy_msg_new(&sw->mem, NULL, data, len, &msg) != SY_OK) {
        return SY_SEND_REFUSED;
    }
    result = sy_switch_post_msg(sw, ref, channel, msg);
    sy_msg_unref(msg);
    return result;
}

size_t sy_switch_post_broadcast(sy_switch *sw, sy_channel channel, const void *data, size_t len,
                                const sy_peer_ref *except, size_t *ret_full) {
    sy_isolated *iso = owner_of(sw, channel);
    size_t queued = 0;
    size_t full = 0;
    sy_msg *msg;

    if (iso != NULL && sy_msg_new(&sw->mem, NULL, data, len, &msg) == SY_OK) {
        sy_iso_lock(iso);
        const uint32_t count = iso->table_count;
        sy_iso_unlock(iso);
        for (uint32_t slot = 0; slot < count; slot++) {
            sy_mail *mail = NULL;
            sy_send_result result = SY_SEND_GONE;
            sy_iso_lock(iso);
            sy_iso_peer *peer = slot < iso->table_count ? iso->table[slot] : NULL;
            if (peer != NULL && peer->box.state != SY_BOX_OPENED &&
                (except == NULL || except->slot != slot ||
                 except->generation != peer->view.generation)) {
                mail = wrap(sw, msg);
                result = mail == NULL ? SY_SEND_REFUSED : post(peer, channel, mail);
            }
            sy_iso_unlock(iso);
            if (result != SY_SEND_QUEUED) {
                unwrap(sw, mail);
            }
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

size_t sy_switch_post_broadcast_to(sy_switch *sw, sy_channel channel, const void *data, size_t len,
                                   const sy_peer_ref *refs, size_t ref_count, size_t *ret_full) {
    const sy_isolated *iso = owner_of(sw, channel);
    size_t queued = 0;
    size_t full = 0;
    sy_msg *msg;

    if (iso != NULL && ref_count > 0 && sy_msg_new(&sw->mem, NULL, data, len, &msg) == SY_OK) {
        for (size_t i = 0; i < ref_count; i++) {
            const sy_send_result result = sy_switch_post_msg(sw, refs[i], channel, msg);
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

sy_err sy_switch_post_stop(sy_switch *sw, sy_peer_ref ref, sy_err code, const char *text) {
    SY_REQUIRE(code != SY_OK);
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_isolated *iso = sw->reactors[i].iso;
        if (iso == NULL) {
            continue;
        }
        sy_iso_lock(iso);
        sy_iso_peer *peer = find(iso, ref);
        if (peer != NULL) {
            ask_to_stop(peer, code, text);
        }
        sy_iso_unlock(iso);
        if (peer != NULL) {
            return SY_OK;
        }
    }
    return SY_ERR_GONE;
}
