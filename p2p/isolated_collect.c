/* SPDX-License-Identifier: Apache-2.0 */
/* Isolated reactors: what workers and other threads have posted, taken up on the loop.
 *
 * SPEC RX-08 RX-13 RX-17 RX-21 RX-22 RX-23 */
#include "p2p/isolated.h"

#include <switchyard/assert.h>

void sy_isolated_free_mail(const sy_switch *sw, sy_mail *list) {
    while (list != NULL) {
        sy_mail *mail = list;
        list = mail->next;
        sy_msg_unref(mail->msg);
        sy_mem_release(&sw->mem, mail);
    }
}

void sy_isolated_free_peer(sy_iso_peer *peer) {
    const sy_mem *mem = &peer->iso->sw->mem;
    if (peer->info != NULL) {
        sy_node_info_del(mem, &peer->budget, peer->info);
    }
    sy_mem_release(mem, peer->dialed_addr);
    /* Messages that were handled since the last report, and the block itself. */
    sy_budget_release(&peer->budget, peer->budget.used);
    sy_budget_fini(&peer->budget);
    sy_mem_release(mem, peer);
}

/* ---- Sends -------------------------------------------------------------------------------------
 */

static bool is_sendable(const sy_peer *link) {
    return link->state == SY_LINK_UP && link->in_roster && !link->has_reason;
}

/* One posted message into the send queue; false when nothing more can be done now. */
static bool send_one(sy_iso_peer *peer, size_t index, sy_mux *mux) {
    sy_isolated *iso = peer->iso;
    sy_credit *credit = &peer->credits[index];
    sy_iso_lock(iso);
    sy_mail *mail = sy_credit_peek(credit);
    sy_iso_unlock(iso);
    if (mail == NULL) {
        return false;
    }
    const size_t len = sy_msg_len(mail->msg);
    if (sy_budget_reserve(&peer->budget, len) != SY_OK) {
        return false; /* it stays posted, and is tried again when something has left */
    }
    const sy_channel channel = (sy_channel)(iso->slot->first_channel + index);
    const sy_send_result result = sy_mux_queue(mux, channel, mail->msg);
    if (result == SY_SEND_FULL) {
        sy_budget_release(&peer->budget, len);
        return false; /* the loop sends on this channel too */
    }
    sy_iso_lock(iso);
    if (result == SY_SEND_QUEUED) {
        mail = sy_credit_take(credit);
    } else {
        mail = sy_credit_drop(credit);
    }
    sy_iso_unlock(iso);
    if (result == SY_SEND_QUEUED) {
        peer->charged[index] += len;
        sy_link_mark_dirty(peer->link);
    } else {
        sy_budget_release(&peer->budget, len);
    }
    sy_isolated_free_mail(iso->sw, mail);
    return true;
}

static void send_posted(sy_iso_peer *peer) {
    sy_peer *link = peer->link;
    if (!is_sendable(link)) {
        return;
    }
    sy_mux *mux = sy_session_mux(link->session);
    for (size_t i = 0; i < peer->iso->mailbox.queue_count; i++) {
        while (send_one(peer, i, mux)) {
        }
    }
}

static void publish(sy_iso_peer *peer, size_t index, const sy_mux *mux) {
    sy_isolated *iso = peer->iso;
    sy_credit *credit = &peer->credits[index];
    sy_mux_channel_stats stats;
    sy_mux_get_channel_stats(mux, (uint16_t)(iso->slot->first_channel + index), &stats);
    if (peer->charged[index] > stats.queued_bytes) {
        sy_budget_release(&peer->budget, peer->charged[index] - stats.queued_bytes);
        peer->charged[index] = stats.queued_bytes;
    }
    sy_iso_lock(iso);
    if (sy_credit_publish(credit, stats.queued_messages, stats.queued_bytes)) {
        sy_mailbox_writable(&iso->mailbox, &peer->queues[index], iso->sw->now);
        sy_isolated_wake(iso);
    }
    sy_iso_unlock(iso);
}

static void flushed(sy_isolated *iso, sy_peer *link) {
    sy_iso_peer *peer = link->slot < iso->table_count ? iso->table[link->slot] : NULL;
    const sy_mux *mux = link->session == NULL ? NULL : sy_session_mux(link->session);
    if (peer == NULL || mux == NULL || !is_sendable(link)) {
        return;
    }
    for (size_t i = 0; i < iso->mailbox.queue_count; i++) {
        publish(peer, i, mux);
    }
    send_posted(peer);
}

void sy_isolated_flushed(sy_peer *link) {
    sy_switch *sw = link->sw;
    for (size_t i = 0; i < sw->reactor_count; i++) {
        if (sw->reactors[i].iso != NULL) {
            flushed(sw->reactors[i].iso, link);
        }
    }
}

/* ---- News --------------------------------------------------------------------------------------
 */

typedef struct news {
    size_t returned;
    size_t resumed; /* queues */
    bool posted;
    bool failed;
    bool over;
    bool wants_ping;
    sy_err stop_code;
    sy_detail stop_detail;
} news;

/* Lock held. */
static news take_news(sy_iso_peer *peer) {
    news n = {
        .returned = peer->returned,
        .posted = peer->posted,
        .failed = peer->failed,
        .over = peer->over,
        .wants_ping = peer->wants_ping,
        .stop_code = peer->stop_code,
    };
    if (n.stop_code != SY_OK) {
        n.stop_detail = peer->stop_detail;
    }
    for (size_t i = 0; peer->resumed && i < peer->iso->mailbox.queue_count; i++) {
        n.resumed += peer->queues[i].resumed;
        peer->queues[i].resumed = false;
    }
    peer->returned = 0;
    peer->posted = peer->failed = peer->wants_ping = peer->resumed = false;
    return n;
}

static void end_over(sy_iso_peer *peer) {
    sy_isolated *iso = peer->iso;
    sy_mail *unheard = NULL;
    SY_ASSERT(peer->link == NULL);
    sy_iso_lock(iso);
    sy_mailbox_empty(&iso->mailbox, &peer->box, &unheard);
    sy_mailbox_forget(&iso->mailbox, &peer->box);
    sy_iso_unlock(iso);
    sy_isolated_free_mail(iso->sw, unheard);
    sy_isolated_free_peer(peer);
}

static void act(sy_iso_peer *peer, const news *n) {
    if (n->over) {
        end_over(peer);
        return;
    }
    sy_budget_release(&peer->budget, n->returned);
    sy_peer *link = peer->link;
    if (link == NULL) {
        return;
    }
    if (n->posted) {
        send_posted(peer);
    }
    if (n->wants_ping) {
        sy_peer_ping(link, link->sw->now);
    }
    if (n->resumed > 0) {
        SY_ASSERT(peer->pauses >= n->resumed);
        peer->pauses -= n->resumed;
        sy_link_unpause(link, n->resumed);
    }
    if (n->failed) {
        sy_detail detail;
        sy_detail_set(&detail, "reactor %s: peer_init failed", peer->iso->slot->ops->name);
        sy_link_end(link, SY_ERR_REACTOR, &detail);
    } else if (n->stop_code != SY_OK) {
        sy_link_end(link, n->stop_code, &n->stop_detail);
    }
}

void sy_isolated_collect(sy_isolated *iso) {
    sy_iso_lock(iso);
    size_t count = iso->news_count;
    iso->posted = false;
    iso->unreported = 0;
    sy_iso_unlock(iso);
    /* What comes in meanwhile is posted again. */
    while (count-- > 0) {
        sy_iso_lock(iso);
        sy_iso_peer *peer = iso->news_first;
        if (peer == NULL) {
            sy_iso_unlock(iso);
            return; /* others left the list together with their connection */
        }
        iso->news_first = peer->next_news;
        if (iso->news_first == NULL) {
            iso->news_last = NULL;
        }
        iso->news_count--;
        peer->in_news = false;
        const news n = take_news(peer);
        sy_iso_unlock(iso);
        act(peer, &n);
    }
}

void sy_switch_on_posted(sy_switch *sw, sy_time now) {
    SY_REQUIRE(now >= sw->now);
    sw->now = now;
    for (size_t i = 0; i < sw->reactor_count; i++) {
        if (sw->reactors[i].iso != NULL) {
            sy_isolated_collect(sw->reactors[i].iso);
        }
    }
}
