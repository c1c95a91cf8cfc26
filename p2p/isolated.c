/* SPDX-License-Identifier: Apache-2.0 */
/* Isolated reactors, the loop's part: registration, peers coming and going, messages into the
 * mailbox and what happens when it is full, the warning about a slow reactor.
 *
 * SPEC RX-01 RX-04 RX-07 RX-08 RX-09 RX-10 RX-16 RX-18 RX-19 */
#include "p2p/isolated.h"

#include <string.h>

#include <switchyard/assert.h>

_Static_assert(sizeof(sy_mail) + 5 * sizeof(void *) + sizeof(size_t) <= SY_MAIL_COST,
               "what a message costs besides its bytes");

void sy_isolation_default_sized(sy_isolation *isolation, size_t size) {
    SY_REQUIRE(size <= sizeof *isolation);
    const sy_isolation defaults = {.size = size, .slow_after = 5 * SY_SEC};
    memcpy(isolation, &defaults, size);
}

sy_err sy_isolated_new(sy_switch *sw, sy_reactor_slot *slot, const sy_isolation *settings) {
    sy_isolated *iso = sy_mem_zalloc(&sw->mem, sizeof *iso);
    if (iso == NULL) {
        return SY_ERR_NOMEM;
    }
    iso->sw = sw;
    iso->slot = slot;
    iso->settings = *settings;
    iso->warn_at = settings->slow_after;
    sy_mailbox_init(&iso->mailbox, slot->ops->channel_count, settings->mailbox_max);
    slot->iso = iso;
    return SY_OK;
}

void sy_isolated_del(sy_isolated *iso) {
    if (iso == NULL) {
        return;
    }
    SY_ASSERT(iso->worker == NULL && iso->mailbox.box_count == 0);
    const sy_mem *mem = &iso->sw->mem;
    sy_mem_release(mem, iso->table);
    sy_mem_release(mem, iso);
}

/* ---- The worker's life -------------------------------------------------------------------------
 */

sy_err sy_isolated_start(sy_isolated *iso) {
    sy_switch *sw = iso->sw;
    return sw->ops.worker_start(sw->driver, sw, iso->slot->ops->name, sy_isolated_run, iso,
                                &iso->worker);
}

void sy_isolated_shut(sy_isolated *iso) {
    if (iso->worker == NULL) {
        return;
    }
    sy_iso_lock(iso);
    sy_mailbox_shut(&iso->mailbox);
    sy_isolated_wake(iso);
    sy_iso_unlock(iso);
}

bool sy_isolated_is_finished(sy_isolated *iso) {
    if (iso->worker == NULL) {
        return true;
    }
    sy_iso_lock(iso);
    const bool finished = iso->finished;
    sy_iso_unlock(iso);
    return finished;
}

void sy_isolated_join(sy_isolated *iso) {
    sy_switch *sw = iso->sw;
    if (iso->worker == NULL) {
        return;
    }
    sy_isolated_shut(iso);
    void *worker = iso->worker;
    sw->ops.worker_stop(sw->driver, worker);
    iso->worker = NULL;
    sy_isolated_collect(iso);
    SY_ASSERT(iso->mailbox.box_count == 0);
    sy_timers_clear(&sw->timers, &iso->slot->timer);
}

/* ---- Peers -------------------------------------------------------------------------------------
 */

static sy_iso_peer *peer_of(const sy_isolated *iso, const sy_peer *link) {
    return link->slot < iso->table_count ? iso->table[link->slot] : NULL;
}

static sy_err grow_table(sy_isolated *iso, uint32_t slot) {
    sy_switch *sw = iso->sw;
    if (slot < iso->table_count) {
        return SY_OK;
    }
    const uint32_t count = sw->slot_count;
    SY_ASSERT(slot < count);
    sy_iso_peer **table = sy_mem_zalloc_array(&sw->mem, count, sizeof(sy_iso_peer *));
    if (table == NULL) {
        return SY_ERR_NOMEM;
    }
    sy_iso_lock(iso);
    sy_iso_peer **old = iso->table;
    if (old != NULL) {
        memcpy(table, old, iso->table_count * sizeof *table);
    }
    iso->table = table;
    iso->table_count = count;
    sy_iso_unlock(iso);
    sy_mem_release(&sw->mem, old);
    return SY_OK;
}

/* One block: the peer, its arrays, the reactor's state. */
static size_t block_size(const sy_isolated *iso, size_t offsets[4]) {
    const size_t n = iso->mailbox.queue_count;
    size_t at = (sizeof(sy_iso_peer) + 15u) & ~(size_t)15u;
    offsets[0] = at;
    at += n * sizeof(sy_mail_queue);
    offsets[1] = at;
    at += n * sizeof(sy_credit);
    offsets[2] = at;
    at += n * sizeof(size_t);
    at = (at + 15u) & ~(size_t)15u;
    offsets[3] = at;
    return at + iso->slot->ops->peer_state_size;
}

static sy_err copy_description(sy_iso_peer *peer, const sy_peer *link) {
    sy_switch *sw = link->sw;
    const sy_addr *dialed = sy_peer_dialed_addr(link);
    if (dialed != NULL) {
        sy_err err = sy_budget_reserve(&peer->budget, sizeof *dialed);
        if (err != SY_OK) {
            return err;
        }
        peer->dialed_addr = sy_mem_zalloc(&sw->mem, sizeof *dialed);
        if (peer->dialed_addr == NULL) {
            sy_budget_release(&peer->budget, sizeof *dialed);
            return SY_ERR_NOMEM;
        }
        *peer->dialed_addr = *dialed;
    }
    return sy_node_info_copy(&sw->mem, &peer->budget, link->info, &peer->info);
}

static sy_err make_peer(sy_isolated *iso, sy_peer *link, sy_iso_peer **ret_peer) {
    sy_switch *sw = iso->sw;
    size_t offsets[4];
    const size_t size = block_size(iso, offsets);
    sy_iso_peer *peer = sy_mem_zalloc(&sw->mem, size);
    if (peer == NULL) {
        return SY_ERR_NOMEM;
    }
    peer->iso = iso;
    peer->queues = (void *)((uint8_t *)peer + offsets[0]);
    peer->credits = (void *)((uint8_t *)peer + offsets[1]);
    peer->charged = (void *)((uint8_t *)peer + offsets[2]);
    peer->state = iso->slot->ops->peer_state_size == 0 ? NULL : (uint8_t *)peer + offsets[3];
    sy_budget_init(&peer->budget, &sw->memory, "mailbox", sw->settings.peer_memory_max);
    sy_err err = sy_budget_reserve(&peer->budget, size);
    if (err == SY_OK) {
        err = copy_description(peer, link);
    }
    if (err != SY_OK) {
        sy_isolated_free_peer(peer);
        return err;
    }
    *ret_peer = peer;
    return SY_OK;
}

sy_err sy_isolated_open(sy_isolated *iso, sy_peer *link) {
    sy_iso_peer *peer;
    sy_err err = grow_table(iso, link->slot);
    if (err == SY_OK) {
        err = make_peer(iso, link, &peer);
    }
    if (err != SY_OK) {
        return err;
    }
    peer->link = link;
    const uint16_t first = iso->slot->first_channel;
    const sy_channel_desc *descs = &iso->sw->channels.desc[first];
    for (uint16_t i = 0; i < iso->sw->channels.count; i++) {
        if (sy_peer_has_channel(link, i)) {
            peer->remote_has[i / 8] |= (uint8_t)(1u << (i % 8));
        }
    }
    for (size_t i = 0; i < iso->mailbox.queue_count; i++) {
        sy_credit_init(&peer->credits[i], &descs[i],
                       sy_peer_has_channel(link, (sy_channel)(first + i)));
    }
    sy_iso_lock(iso);
    SY_ASSERT(iso->table[link->slot] == NULL);
    sy_mailbox_open(&iso->mailbox, &peer->box, &link->id, peer->queues, descs);
    iso->table[link->slot] = peer;
    sy_iso_unlock(iso);
    return SY_OK;
}

static void fill_view(sy_iso_peer *peer, const sy_peer *link) {
    peer->view = (sy_peer){
        .sw = link->sw,
        .slot = link->slot,
        .generation = link->generation,
        .outbound = link->outbound,
        .has_id = true,
        .id = link->id,
        .remote = link->remote,
        .local = link->local,
        .peer_class = link->peer_class,
        .profile = link->profile,
        .info = peer->info,
        .opened_at = link->opened_at,
        .iso_peer = peer,
    };
}

/* A new thing waits: see after it in time. */
static void watch(sy_isolated *iso) {
    sy_switch *sw = iso->sw;
    if (iso->settings.slow_after != 0 && !sy_timer_is_set(&iso->slot->timer)) {
        sy_timers_set(&sw->timers, &iso->slot->timer,
                      sy_time_after(sw->now, iso->settings.slow_after));
    }
}

void sy_isolated_added(sy_isolated *iso, sy_peer *link) {
    sy_iso_peer *peer = peer_of(iso, link);
    fill_view(peer, link);
    sy_iso_lock(iso);
    sy_mailbox_start(&iso->mailbox, &peer->box, iso->sw->now);
    sy_isolated_wake(iso);
    sy_iso_unlock(iso);
    watch(iso);
}

/* Lock held. */
static void unlist_news(sy_isolated *iso, sy_iso_peer *peer) {
    sy_iso_peer *before = NULL;
    if (!peer->in_news) {
        return;
    }
    for (sy_iso_peer *at = iso->news_first; at != peer; at = at->next_news) {
        before = at;
    }
    if (before == NULL) {
        iso->news_first = peer->next_news;
    } else {
        before->next_news = peer->next_news;
    }
    if (iso->news_last == peer) {
        iso->news_last = before;
    }
    iso->news_count--;
    peer->in_news = false;
}

void sy_isolated_closed(sy_isolated *iso, sy_peer *link) {
    sy_switch *sw = iso->sw;
    sy_iso_peer *peer = peer_of(iso, link);
    sy_mail *dropped = NULL;
    if (peer == NULL) {
        return;
    }
    sy_iso_lock(iso);
    iso->table[link->slot] = NULL;
    peer->link = NULL;
    peer->reason = link->reason;
    for (size_t i = 0; i < iso->mailbox.queue_count; i++) {
        sy_credit_close(&peer->credits[i]);
        while (sy_credit_peek(&peer->credits[i]) != NULL) {
            sy_mail *mail = sy_credit_drop(&peer->credits[i]);
            mail->next = dropped;
            dropped = mail;
        }
    }
    sy_mail *unheard = NULL;
    const bool discard = sw->state != SY_SWITCH_RUNNING;
    const bool free_now = sy_mailbox_close(&iso->mailbox, &peer->box, discard, &unheard, sw->now);
    if (free_now) {
        unlist_news(iso, peer);
        sy_mailbox_forget(&iso->mailbox, &peer->box);
    }
    sy_isolated_wake(iso);
    sy_iso_unlock(iso);
    sy_isolated_free_mail(sw, dropped);
    for (const sy_mail *mail = unheard; mail != NULL && !free_now; mail = mail->next) {
        sy_budget_release(&peer->budget, sy_mailbox_cost(sy_msg_len(mail->msg)));
    }
    sy_isolated_free_mail(sw, unheard);
    if (free_now) {
        sy_isolated_free_peer(peer);
    } else {
        watch(iso);
    }
}

void sy_isolated_note_rtt(sy_peer *link) {
    sy_switch *sw = link->sw;
    for (size_t i = 0; i < sw->reactor_count; i++) {
        sy_isolated *iso = sw->reactors[i].iso;
        sy_iso_peer *peer = iso == NULL ? NULL : peer_of(iso, link);
        if (peer != NULL) {
            sy_iso_lock(iso);
            peer->rtt = link->last_rtt;
            sy_iso_unlock(iso);
        }
    }
}

/* ---- Messages in -------------------------------------------------------------------------------
 */

static void end_for_full(sy_isolated *iso, sy_peer *link, const sy_mail_queue *queue) {
    sy_detail detail;
    const sy_channel_desc *desc = &iso->sw->channels.desc[iso->slot->first_channel + queue->index];
    sy_iso_lock(iso);
    const sy_duration age =
        queue->first == NULL ? 0 : sy_time_since(iso->sw->now, queue->first->arrived_at);
    sy_detail_set(&detail,
                  "reactor %s: %zu messages, %zu of %zu bytes wait on channel 0x%02x,"
                  " the oldest for %llu ms",
                  iso->slot->ops->name, queue->count, queue->bytes, queue->budget, desc->id,
                  (unsigned long long)(age / SY_MSEC));
    sy_iso_unlock(iso);
    sy_link_end(link, SY_ERR_RECV_BUDGET, &detail);
}

static sy_mail_verdict offer(sy_isolated *iso, sy_iso_peer *peer, sy_mail_queue *queue,
                             size_t len) {
    sy_mail *dropped = NULL;
    sy_mail_verdict verdict;
    sy_iso_lock(iso);
    while ((verdict = sy_mailbox_offer(&iso->mailbox, queue, len)) == SY_MAIL_DROP_OLDEST) {
        sy_mail *mail = sy_mailbox_drop_oldest(&iso->mailbox, queue);
        mail->next = dropped;
        dropped = mail;
    }
    const size_t returned = peer->returned;
    peer->returned = 0;
    sy_iso_unlock(iso);

    sy_budget_release(&peer->budget, returned);
    for (const sy_mail *mail = dropped; mail != NULL; mail = mail->next) {
        sy_budget_release(&peer->budget, sy_mailbox_cost(sy_msg_len(mail->msg)));
    }
    sy_isolated_free_mail(iso->sw, dropped);
    return verdict;
}

static sy_mail *copy_message(sy_isolated *iso, sy_iso_peer *peer, const uint8_t *data, size_t len) {
    const sy_mem *mem = &iso->sw->mem;
    if (sy_budget_reserve(&peer->budget, sy_mailbox_cost(len)) != SY_OK) {
        return NULL;
    }
    sy_mail *mail = sy_mem_zalloc(mem, sizeof *mail);
    if (mail != NULL && sy_msg_new(mem, NULL, data, len, &mail->msg) == SY_OK) {
        mail->arrived_at = iso->sw->now;
        return mail;
    }
    sy_mem_release(mem, mail);
    sy_budget_release(&peer->budget, sy_mailbox_cost(len));
    return NULL;
}

/* Memory is short: the same as a full mailbox, except that nothing can be paused for. */
static void on_no_memory(sy_isolated *iso, sy_peer *link, const sy_mail_queue *queue) {
    if (queue->policy == SY_FULL_DROP_NEWEST || queue->policy == SY_FULL_DROP_OLDEST) {
        sy_iso_lock(iso);
        iso->mailbox.dropped_newest++;
        sy_iso_unlock(iso);
        return;
    }
    sy_link_end(link, SY_ERR_LIMIT, NULL);
}

static void pause(sy_iso_peer *peer, sy_mail_queue *queue) {
    sy_isolated *iso = peer->iso;
    sy_iso_lock(iso);
    const bool first = sy_mailbox_pause(queue);
    sy_iso_unlock(iso);
    if (first) {
        peer->pauses++;
        sy_link_pause(peer->link);
    }
}

void sy_isolated_deliver(sy_isolated *iso, sy_peer *link, sy_channel channel, const uint8_t *data,
                         size_t len) {
    sy_iso_peer *peer = peer_of(iso, link);
    SY_ASSERT(peer != NULL && channel >= iso->slot->first_channel);
    sy_mail_queue *queue = &peer->queues[channel - iso->slot->first_channel];
    const sy_mail_verdict verdict = offer(iso, peer, queue, len);
    switch (verdict) {
    case SY_MAIL_TAKE:
    case SY_MAIL_TAKE_AND_PAUSE:
        break;
    case SY_MAIL_DISCONNECT:
        end_for_full(iso, link, queue);
        return;
    case SY_MAIL_DROP_OLDEST:
    case SY_MAIL_DROP_NEWEST:
    case SY_MAIL_IGNORE:
        return;
    }
    sy_mail *mail = copy_message(iso, peer, data, len);
    if (mail == NULL) {
        on_no_memory(iso, link, queue);
        return;
    }
    sy_iso_lock(iso);
    sy_mailbox_push(&iso->mailbox, queue, mail);
    sy_isolated_wake(iso);
    sy_iso_unlock(iso);
    if (verdict == SY_MAIL_TAKE_AND_PAUSE) {
        pause(peer, queue);
    }
    watch(iso);
}

sy_err sy_switch_mailbox_stats(const sy_switch *sw, const void *reactor,
                               sy_mailbox_stats *ret_stats) {
    for (size_t i = 0; i < sw->reactor_count; i++) {
        const sy_isolated *iso = sw->reactors[i].iso;
        if (iso == NULL || sw->reactors[i].reactor != reactor) {
            continue;
        }
        sy_mail_oldest oldest;
        sy_iso_lock(iso);
        const sy_mailbox *mb = &iso->mailbox;
        const bool found = sy_mailbox_oldest(mb, &oldest);
        *ret_stats = (sy_mailbox_stats){
            .messages = mb->messages,
            .bytes = mb->bytes,
            .peers = mb->box_count,
            .oldest_age = found ? sy_time_since(sw->now, oldest.since) : 0,
            .dropped_newest = mb->dropped_newest,
            .dropped_oldest = mb->dropped_oldest,
        };
        for (uint32_t slot = 0; slot < iso->table_count; slot++) {
            ret_stats->paused += iso->table[slot] != NULL && iso->table[slot]->pauses > 0;
        }
        sy_iso_unlock(iso);
        return SY_OK;
    }
    return SY_ERR_INVALID;
}

/* ---- The slow reactor --------------------------------------------------------------------------
 */

typedef struct slow_facts {
    bool found;
    sy_mail_oldest oldest;
    sy_node_id id;
    bool has_id;
    unsigned channel;
    size_t queue_messages;
    size_t queue_bytes;
    size_t messages;
    size_t bytes;
    uint64_t dropped;
} slow_facts;

static slow_facts look(sy_isolated *iso) {
    slow_facts facts = {.channel = SY_CHANNEL_NONE};
    const sy_mailbox *mb = &iso->mailbox;
    sy_iso_lock(iso);
    facts.found = sy_mailbox_oldest(mb, &facts.oldest);
    if (facts.found && facts.oldest.box != NULL) {
        facts.has_id = true;
        facts.id = facts.oldest.box->id;
    }
    if (facts.found && facts.oldest.queue != NULL) {
        const sy_mail_queue *queue = facts.oldest.queue;
        facts.channel = iso->sw->channels.desc[iso->slot->first_channel + queue->index].id;
        facts.queue_messages = queue->count;
        facts.queue_bytes = queue->bytes;
    }
    facts.messages = mb->messages;
    facts.bytes = mb->bytes;
    facts.dropped = mb->dropped_newest + mb->dropped_oldest;
    sy_iso_unlock(iso);
    return facts;
}

static void warn(sy_isolated *iso, const slow_facts *facts, sy_duration age) {
    sy_switch *sw = iso->sw;
    char id[SY_NODE_ID_TEXT_CAP] = "";
    char channel[8] = "";
    if (facts->has_id) {
        sy_node_id_format(&facts->id, id);
    }
    if (facts->channel != SY_CHANNEL_NONE) {
        sy_detail text;
        sy_detail_set(&text, "0x%02x", facts->channel);
        memcpy(channel, text.text, 5);
    }
    SY_LOG(&sw->settings.log, SY_LOG_WARN, "switch", "reactor_slow", sw->now,
           SY_F_STR("reactor", iso->slot->ops->name), SY_F_DUR("age_ms", age),
           SY_F_STR("operation", facts->oldest.operation),
           SY_F_STR("state", facts->oldest.under_way ? "running" : "waiting"), SY_F_STR("id", id),
           SY_F_STR("channel", channel), SY_F_U64("queue_messages", facts->queue_messages),
           SY_F_U64("queue_bytes", facts->queue_bytes), SY_F_U64("messages", facts->messages),
           SY_F_U64("bytes", facts->bytes),
           SY_F_U64("dropped", facts->dropped - iso->dropped_before));
    iso->dropped_before = facts->dropped;
    iso->warned = true;
}

static void note_recovery(sy_isolated *iso) {
    sy_switch *sw = iso->sw;
    if (iso->warned) {
        SY_LOG(&sw->settings.log, SY_LOG_INFO, "switch", "reactor_caught_up", sw->now,
               SY_F_STR("reactor", iso->slot->ops->name), SY_F_DUR("worst_ms", iso->worst));
    }
    iso->warned = false;
    iso->worst = 0;
    iso->warn_at = iso->settings.slow_after;
}

void sy_isolated_on_timer(sy_isolated *iso) {
    sy_switch *sw = iso->sw;
    if (iso->worker == NULL) {
        return;
    }
    const slow_facts facts = look(iso);
    const sy_duration age = facts.found ? sy_time_since(sw->now, facts.oldest.since) : 0;
    if (age < iso->settings.slow_after) {
        note_recovery(iso);
        if (facts.found) {
            sy_timers_set(&sw->timers, &iso->slot->timer,
                          sy_time_after(facts.oldest.since, iso->settings.slow_after));
        }
        return;
    }
    iso->worst = age > iso->worst ? age : iso->worst;
    if (age >= iso->warn_at) {
        warn(iso, &facts, age);
        iso->warn_at = age * 2;
    }
    sy_timers_set(&sw->timers, &iso->slot->timer, sy_time_after(sw->now, iso->settings.slow_after));
}
