/* SPDX-License-Identifier: Apache-2.0 */
/* The recording reactors.  Every node has two of them; they check the promises of reactor.h, and
 * that what is delivered is what was queued at the other end of the same connection, in order. */
#include "sim/sim_internal.h"

#include <string.h>

#define SY_SIM_BROADCAST_MAX 256
#define STATE_MAGIC          UINT64_C(0x73696d5065657221)
#define SEND_QUEUE           4 /* messages per channel: few, so that FULL is common */

enum {
    PHASE_INIT = 1,
    PHASE_ADDED,
    PHASE_REMOVED
};

typedef struct peer_state {
    uint64_t magic;
    uint64_t received;
    sy_sim_peer_note *note;
} peer_state;

static const char *const reactor_names[SY_SIM_REACTORS] = {"alpha", "beta"};

/* ---- Hooks -------------------------------------------------------------------------------------
 */

static bool same_ref(sy_peer_ref a, sy_peer_ref b) {
    return a.slot == b.slot && a.generation == b.generation;
}

static sy_sim_peer_note *find_note(const sy_sim_recorder *rec, sy_peer_ref ref) {
    for (sy_sim_peer_note *note = rec->peers; note != NULL; note = note->next) {
        if (same_ref(note->ref, ref)) {
            return note;
        }
    }
    return NULL;
}

static void require(bool cond, const sy_sim_recorder *rec, const char *rule) {
    if (!cond) {
        sy_sim_fail("%s/%s: %s", rec->node->name, rec->ops.name, rule);
    }
}

static peer_state *check_state(const sy_sim_recorder *rec, const sy_peer *peer, void *state,
                               int phase) {
    peer_state *ps = state;
    require(ps->magic == STATE_MAGIC, rec, "the state of a peer is not the one it was given");
    require(same_ref(ps->note->ref, sy_peer_ref_of(peer)), rec, "the state of another peer");
    require(sy_node_id_equal(&ps->note->id, sy_peer_id(peer)), rec, "the peer has another ID");
    require(ps->note->phase == phase, rec, "a hook out of order");
    return ps;
}

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    sy_sim_recorder *rec = reactor;
    require(!rec->started, rec, "started twice");
    require(now == rec->node->net->now, rec, "start with another time");
    for (size_t i = 0; i < rec->channel_count; i++) {
        require(sy_switch_channel_id(sw, channels[i]) == rec->channels[i].id, rec,
                "a wrong channel handle");
    }
    rec->started = true;
    return SY_OK;
}

static void on_stop(void *reactor, sy_time now) {
    sy_sim_recorder *rec = reactor;
    (void)now;
    require(rec->started, rec, "stopped without start");
    require(rec->peers == NULL, rec, "stopped before the last peer_fini");
    rec->started = false;
}

/* SPEC-TEST SW-35 SW-46 SW-47 SW-48 */
static sy_err on_init(void *reactor, sy_peer *peer, void *state, sy_time now) {
    sy_sim_recorder *rec = reactor;
    peer_state *ps = state;
    const uint8_t *bytes = state;

    require(now == rec->node->net->now, rec, "peer_init with another time");
    for (size_t i = 0; i < sizeof *ps; i++) {
        require(bytes[i] == 0, rec, "the state of a new peer is not zeroed");
    }
    for (const sy_sim_peer_note *note = rec->peers; note != NULL; note = note->next) {
        require(!sy_node_id_equal(&note->id, sy_peer_id(peer)), rec,
                "a second peer of one ID before peer_fini of the first");
    }
    if (rec->index > 0) {
        const sy_sim_peer_note *first = find_note(rec - 1, sy_peer_ref_of(peer));
        require(first != NULL && first->phase == PHASE_INIT, rec,
                "peer_init before that of the reactor registered earlier");
    }
    sy_sim_peer_note *note = sy_sim_alloc(sizeof *note);
    *note = (sy_sim_peer_note){.next = rec->peers,
                               .ref = sy_peer_ref_of(peer),
                               .id = *sy_peer_id(peer),
                               .phase = PHASE_INIT};
    rec->peers = note;
    *ps = (peer_state){.magic = STATE_MAGIC, .note = note};
    rec->node->totals.inits++;
    sy_sim_trace(rec->node->net, rec->node, "%s init slot=%u", rec->ops.name, note->ref.slot);
    if (rec->fail_inits > 0) {
        rec->fail_inits--;
        return rec->fail_code;
    }
    return SY_OK;
}

static void on_fini(void *reactor, sy_peer *peer, void *state) {
    sy_sim_recorder *rec = reactor;
    peer_state *ps = state;
    require(ps->magic == STATE_MAGIC, rec, "peer_fini without peer_init");
    sy_sim_peer_note *note = ps->note;
    require(same_ref(note->ref, sy_peer_ref_of(peer)), rec, "peer_fini of another peer");
    require(note->phase != PHASE_ADDED, rec, "peer_fini before peer_removed");
    sy_sim_trace(rec->node->net, rec->node, "%s fini slot=%u", rec->ops.name, note->ref.slot);
    ps->magic = 0;
    for (sy_sim_peer_note **at = &rec->peers; *at != NULL; at = &(*at)->next) {
        if (*at == note) {
            *at = note->next;
            sy_mem_release(sy_mem_libc(), note);
            return;
        }
    }
    require(false, rec, "peer_fini of an unknown peer");
}

static void on_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    sy_sim_recorder *rec = reactor;
    sy_sim_node *node = rec->node;
    require(now == node->net->now, rec, "peer_added with another time");
    check_state(rec, peer, state, PHASE_INIT)->note->phase = PHASE_ADDED;
    require(sy_switch_peer(node->sw, sy_peer_ref_of(peer)) == peer, rec,
            "peer_added, but the peer is not in the set");
    for (size_t i = 0; i < SY_SIM_REACTORS; i++) {
        require(find_note(&node->recorder[i], sy_peer_ref_of(peer)) != NULL, rec,
                "peer_added before every peer_init");
    }
    sy_sim_trace(node->net, node, "%s added slot=%u", rec->ops.name, sy_peer_ref_of(peer).slot);
}

/* SPEC-TEST SW-50 */
static void on_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                       sy_time now) {
    sy_sim_recorder *rec = reactor;
    require(now == rec->node->net->now || rec->node->dropping, rec,
            "peer_removed with another time");
    require(reason != NULL && reason->code != SY_OK && reason->stage == SY_STAGE_OPEN, rec,
            "peer_removed without its reason");
    check_state(rec, peer, state, PHASE_ADDED)->note->phase = PHASE_REMOVED;
    const sy_peer_ref ref = sy_peer_ref_of(peer);
    sy_sim_posts_drop(rec->node, &ref);
    sy_sim_trace(rec->node->net, rec->node, "%s removed slot=%u %s", rec->ops.name, ref.slot,
                 sy_err_name(reason->code));
}

/* ---- Messages ----------------------------------------------------------------------------------
 */

static uint64_t hash_of(const uint8_t *data, size_t len) {
    static const uint8_t key[crypto_shorthash_KEYBYTES] = {0};
    uint64_t hash = 0;
    (void)crypto_shorthash((unsigned char *)&hash, data, len, key);
    return hash;
}

static sy_sim_sent_queue *queue_of(sy_sim_conn *conn, uint32_t from, uint8_t channel) {
    for (sy_sim_sent_queue *queue = conn->sent[from]; queue != NULL; queue = queue->next) {
        if (queue->channel == channel) {
            return queue;
        }
    }
    sy_sim_sent_queue *queue = sy_sim_alloc(sizeof *queue);
    *queue = (sy_sim_sent_queue){.next = conn->sent[from], .channel = channel};
    conn->sent[from] = queue;
    return queue;
}

static void note_sent(sy_sim_end *end, uint8_t channel, const uint8_t *data, size_t len) {
    sy_sim_sent_queue *queue = queue_of(end->conn, end->index, channel);
    sy_sim_sent *sent = sy_sim_alloc(sizeof *sent);
    *sent = (sy_sim_sent){.hash = hash_of(data, len), .len = len};
    if (queue->last != NULL) {
        queue->last->next = sent;
    } else {
        queue->first = sent;
    }
    queue->last = sent;
}

void sy_sim_sent_del(sy_sim_conn *conn) {
    for (size_t i = 0; i < 2; i++) {
        while (conn->sent[i] != NULL) {
            sy_sim_sent_queue *queue = conn->sent[i];
            conn->sent[i] = queue->next;
            while (queue->first != NULL) {
                sy_sim_sent *sent = queue->first;
                queue->first = sent->next;
                sy_mem_release(sy_mem_libc(), sent);
            }
            sy_mem_release(sy_mem_libc(), queue);
        }
    }
}

static bool owns_channel(const sy_sim_recorder *rec, uint8_t channel) {
    for (size_t i = 0; i < rec->channel_count; i++) {
        if (rec->channels[i].id == channel) {
            return true;
        }
    }
    return false;
}

/* SPEC-TEST SW-04 SW-49 */
static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    sy_sim_recorder *rec = reactor;
    sy_sim_node *node = rec->node;
    peer_state *ps = check_state(rec, peer, state, PHASE_ADDED);
    const uint8_t id = sy_switch_channel_id(node->sw, channel);
    const sy_peer_ref ref = sy_peer_ref_of(peer);

    require(now == node->net->now, rec, "receive with another time");
    require(data != NULL, rec, "a message without data");
    require(owns_channel(rec, id), rec, "a message of a channel of another reactor");
    sy_sim_end *end = sy_sim_end_of_ref(node, ref.slot, ref.generation);
    require(end != NULL, rec, "a message on a connection that has no stream");

    sy_sim_sent_queue *queue = queue_of(end->conn, 1 - end->index, id);
    sy_sim_sent *sent = queue->first;
    if (sent == NULL || sent->len != len || sent->hash != hash_of(data, len)) {
        sy_sim_fail("%s: channel 0x%02x delivered %zu bytes; the next message sent there has %s%zu",
                    node->name, id, len, sent == NULL ? "none, " : "",
                    sent == NULL ? 0 : sent->len);
    }
    queue->first = sent->next;
    queue->last = queue->first == NULL ? NULL : queue->last;
    sy_mem_release(sy_mem_libc(), sent);
    ps->received++;
    node->totals.delivered++;
    node->totals.delivered_bytes += len;
    sy_sim_trace(node->net, node, "%s receive slot=%u channel=0x%02x len=%zu", rec->ops.name,
                 ref.slot, id, len);
}

/* ---- Sending -----------------------------------------------------------------------------------
 */

static void draw_bytes(sy_sim_net *net, uint8_t *out, size_t len) {
    uint64_t word = sy_prng_next(&net->scenario);
    for (size_t i = 0; i < len; i++) {
        if (i % 4096 == 0) {
            word = sy_prng_next(&net->scenario);
        }
        out[i] = (uint8_t)(word >> (8 * (i % 8))) ^ (uint8_t)(i >> 3);
    }
}

static sy_send_result send_to(sy_sim_node *node, sy_peer *peer, uint8_t channel, size_t len) {
    const sy_channel handle = sy_switch_channel(node->sw, channel);
    const sy_peer_ref ref = sy_peer_ref_of(peer);
    if (handle == SY_NO_CHANNEL) {
        return SY_SEND_REFUSED;
    }
    uint8_t *data = sy_sim_alloc(len + 1);
    draw_bytes(node->net, data, len);
    const sy_send_result result = sy_peer_send(peer, handle, data, len);
    if (result == SY_SEND_QUEUED) {
        sy_sim_end *end = sy_sim_end_of_ref(node, ref.slot, ref.generation);
        if (end == NULL) {
            sy_sim_fail("%s: queued to a peer that has no stream", node->name);
        }
        note_sent(end, channel, data, len);
        node->totals.queued++;
        sy_sim_trace(node->net, node, "queued slot=%u channel=0x%02x len=%zu", ref.slot, channel,
                     len);
    }
    sy_mem_release(sy_mem_libc(), data);
    return result;
}

sy_send_result sy_sim_send(sy_sim_node *node, const sy_sim_node *to, uint8_t channel, size_t len) {
    sy_peer *peer = node->sw == NULL ? NULL : sy_switch_peer_by_id(node->sw, &to->id);
    if (peer == NULL) {
        return SY_SEND_GONE;
    }
    const sy_send_result result = send_to(node, peer, channel, len);
    sy_sim_wake(node, node->net->now);
    return result;
}

void sy_sim_post(sy_sim_node *node, const sy_sim_node *to, uint8_t channel, size_t len) {
    sy_peer *peer = node->sw == NULL ? NULL : sy_switch_peer_by_id(node->sw, &to->id);
    if (peer == NULL) {
        sy_sim_fail("%s: has no peer %s to post to", node->name, to->name);
    }
    const sy_peer_ref ref = sy_peer_ref_of(peer);
    sy_sim_post_note **at = &node->posts;
    bool waits = false;
    for (; *at != NULL; at = &(*at)->next) {
        waits = waits || (same_ref((*at)->ref, ref) && (*at)->channel == channel);
    }
    if (!waits) {
        const sy_send_result result = send_to(node, peer, channel, len);
        sy_sim_wake(node, node->net->now);
        if (result == SY_SEND_QUEUED) {
            return;
        }
        if (result != SY_SEND_FULL) {
            sy_sim_fail("%s: a message of %zu bytes for %s was refused", node->name, len, to->name);
        }
    }
    sy_sim_post_note *note = sy_sim_alloc(sizeof *note);
    *note = (sy_sim_post_note){.ref = ref, .channel = channel, .len = len};
    *at = note;
    node->totals.waiting++;
}

void sy_sim_posts_drop(sy_sim_node *node, const sy_peer_ref *ref) {
    for (sy_sim_post_note **at = &node->posts; *at != NULL;) {
        sy_sim_post_note *note = *at;
        if (ref == NULL || same_ref(note->ref, *ref)) {
            *at = note->next;
            node->totals.waiting--;
            sy_mem_release(sy_mem_libc(), note);
        } else {
            at = &note->next;
        }
    }
}

static void on_writable(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                        sy_time now) {
    sy_sim_recorder *rec = reactor;
    sy_sim_node *node = rec->node;
    const sy_peer_ref ref = sy_peer_ref_of(peer);
    const uint8_t id = sy_switch_channel_id(node->sw, channel);

    (void)check_state(rec, peer, state, PHASE_ADDED);
    require(now == node->net->now, rec, "writable with another time");
    require(owns_channel(rec, id), rec, "writable of a channel of another reactor");
    for (sy_sim_post_note **at = &node->posts; *at != NULL;) {
        sy_sim_post_note *note = *at;
        if (!same_ref(note->ref, ref) || note->channel != id) {
            at = &note->next;
            continue;
        }
        if (send_to(node, peer, id, note->len) != SY_SEND_QUEUED) {
            return;
        }
        *at = note->next;
        node->totals.waiting--;
        sy_mem_release(sy_mem_libc(), note);
    }
}

/* The switch says how many took it, not which; their queues tell. */

/* SPEC-TEST SW-53 */
size_t sy_sim_broadcast(sy_sim_node *node, uint8_t channel, size_t len, size_t *ret_full) {
    size_t before[SY_SIM_BROADCAST_MAX];
    const sy_channel handle = sy_switch_channel(node->sw, channel);
    uint8_t *data = sy_sim_alloc(len + 1);
    size_t count = 0;
    size_t took = 0;

    draw_bytes(node->net, data, len);
    for (sy_peer *p = sy_switch_next_peer(node->sw, NULL); p != NULL;
         p = sy_switch_next_peer(node->sw, p)) {
        if (count == SY_SIM_BROADCAST_MAX) {
            sy_sim_fail("%s: too many peers for a broadcast", node->name);
        }
        before[count++] = sy_peer_queued(p, handle);
    }
    const size_t queued = sy_switch_broadcast(node->sw, handle, data, len, NULL, ret_full);
    count = 0;
    for (sy_peer *p = sy_switch_next_peer(node->sw, NULL); p != NULL;
         p = sy_switch_next_peer(node->sw, p)) {
        if (sy_peer_queued(p, handle) > before[count++]) {
            const sy_peer_ref ref = sy_peer_ref_of(p);
            note_sent(sy_sim_end_of_ref(node, ref.slot, ref.generation), channel, data, len);
            took++;
        }
    }
    if (took != queued) {
        sy_sim_fail("%s: a broadcast says %zu, the queues say %zu", node->name, queued, took);
    }
    node->totals.queued += queued;
    sy_sim_trace(node->net, node, "broadcast channel=0x%02x len=%zu queued=%zu", channel, len,
                 queued);
    sy_mem_release(sy_mem_libc(), data);
    sy_sim_wake(node, node->net->now);
    return queued;
}

/* ---- Making ------------------------------------------------------------------------------------
 */

void sy_sim_set_channels(sy_sim_node *node, size_t reactor, const uint8_t *ids, size_t count) {
    sy_sim_recorder *rec = &node->recorder[reactor];
    if (node->sw != NULL || count > sizeof rec->channels / sizeof rec->channels[0]) {
        sy_sim_fail("%s: its channels cannot be changed like this", node->name);
    }
    rec->channel_count = count;
    for (size_t i = 0; i < count; i++) {
        rec->channels[i] =
            (sy_channel_desc){.id = ids[i], .priority = 1 + (int)i, .send_queue_max = SEND_QUEUE};
    }
    rec->ops.channels = rec->channels;
    rec->ops.channel_count = count;
}

void sy_sim_recorder_init(sy_sim_node *node) {
    static const uint8_t channels[SY_SIM_REACTORS][2] = {{0x20, 0x21}, {0x40, 0x80}};
    for (size_t i = 0; i < SY_SIM_REACTORS; i++) {
        sy_sim_recorder *rec = &node->recorder[i];
        rec->node = node;
        rec->index = i;
        rec->ops = (sy_reactor_ops){
            .size = sizeof rec->ops,
            .name = reactor_names[i],
            .peer_state_size = sizeof(peer_state),
            .start = on_start,
            .stop = on_stop,
            .peer_init = on_init,
            .peer_fini = on_fini,
            .peer_added = on_added,
            .peer_removed = on_removed,
            .receive = on_receive,
            .writable = on_writable,
        };
        sy_sim_set_channels(node, i, channels[i], 2);
    }
}

void sy_sim_recorder_check_over(const sy_sim_node *node) {
    for (size_t i = 0; i < SY_SIM_REACTORS; i++) {
        const sy_sim_recorder *rec = &node->recorder[i];
        require(rec->peers == NULL, rec, "a peer_fini is missing at the end");
        require(!rec->started, rec, "stop was not called");
    }
}
