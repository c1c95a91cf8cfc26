/* SPDX-License-Identifier: Apache-2.0 */
/* The echo reactor, written to be read first: how channels are declared, how state is kept per
 * peer, how a reactor does work of its own on the clock.
 *
 * An echo that finds its send queue full is dropped and counted: one TCP stream has no flow control
 * per channel, and a reactor may not wait. */
#include <switchyard/echo.h>

#include <string.h>

#include <switchyard/assert.h>

#define HEAD_LEN 8

static const uint8_t QUESTION[HEAD_LEN] = {'S', 'Y', 'E', 'C', 'H', 'O', '?', '\n'};
static const uint8_t ANSWER[HEAD_LEN] = {'S', 'Y', 'E', 'C', 'H', 'O', '!', '\n'};

/* A probe under way; number 0: none. */
typedef struct probe {
    uint64_t number;
    sy_time sent_at;
} probe;

/* What the switch keeps for us per peer.  Linked, because on_expiry walks the peers. */
typedef struct echo_peer {
    sy_peer_ref ref;
    struct echo_peer *prev;
    struct echo_peer *next;
    probe probes[SY_ECHO_CHANNELS_MAX]; /* by index of the channel */
} echo_peer;

/* Owned by whoever called sy_echo_new.  Invariant: probe_at is SY_NEVER unless probes are on and
 * the switch runs. */
struct sy_echo {
    sy_mem mem;
    sy_reactor_ops ops;
    sy_channel_desc descs[SY_ECHO_CHANNELS_MAX];
    sy_channel channels[SY_ECHO_CHANNELS_MAX];
    size_t channel_count;
    sy_switch *sw; /* borrows from start to stop */
    echo_peer *peers;
    uint64_t nonce;
    uint64_t next_number;
    sy_duration probe_interval;
    sy_time probe_at;
    uint8_t *buffer; /* SY_ECHO_PROBE_MIN or probe_len bytes */
    size_t probe_len;
    uint64_t dropped_count;
    sy_echo_answer_fn on_answer;
    void *user;
};

static void put_u64le(uint8_t *out, uint64_t value) {
    for (size_t i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get_u64le(const uint8_t *in) {
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        value |= (uint64_t)in[i] << (8 * i);
    }
    return value;
}

static size_t index_of(const sy_echo *echo, sy_channel channel) {
    for (size_t i = 0; i < echo->channel_count; i++) {
        if (echo->channels[i] == channel) {
            return i;
        }
    }
    SY_UNREACHABLE();
}

/* ---- The life of the reactor and of its peers ------------------------------------------------ */

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    sy_echo *echo = reactor;
    echo->sw = sw;
    memcpy(echo->channels, channels, echo->channel_count * sizeof *channels);
    if (echo->probe_interval > 0) {
        echo->probe_at = sy_time_after(now, echo->probe_interval);
    }
    return SY_OK;
}

static void on_stop(void *reactor, sy_time now) {
    sy_echo *echo = reactor;
    (void)now;
    echo->probe_at = SY_NEVER;
    echo->sw = NULL;
}

static void on_peer_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    sy_echo *echo = reactor;
    echo_peer *entry = state;
    (void)now;
    entry->ref = sy_peer_ref_of(peer);
    entry->next = echo->peers;
    if (echo->peers != NULL) {
        echo->peers->prev = entry;
    }
    echo->peers = entry;
}

static void on_peer_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                            sy_time now) {
    sy_echo *echo = reactor;
    echo_peer *entry = state;
    (void)peer;
    (void)reason;
    (void)now;
    if (entry->prev != NULL) {
        entry->prev->next = entry->next;
    } else {
        SY_ASSERT(echo->peers == entry);
        echo->peers = entry->next;
    }
    if (entry->next != NULL) {
        entry->next->prev = entry->prev;
    }
}

/* ---- Messages -------------------------------------------------------------------------------- */

static bool has_head(const uint8_t *data, size_t len, const uint8_t head[HEAD_LEN]) {
    return len >= SY_ECHO_PROBE_MIN && memcmp(data, head, HEAD_LEN) == 0;
}

static void send_back(sy_echo *echo, sy_peer *peer, sy_channel channel, const uint8_t *data,
                      size_t len) {
    if (sy_peer_send(peer, channel, data, len) != SY_SEND_QUEUED) {
        echo->dropped_count++;
    }
}

static void answer(sy_echo *echo, sy_peer *peer, sy_channel channel, const uint8_t *data,
                   size_t len) {
    sy_msg *msg;
    if (sy_msg_new(&echo->mem, NULL, data, len, &msg) != SY_OK) {
        echo->dropped_count++;
        return;
    }
    memcpy(sy_msg_write_data(msg), ANSWER, HEAD_LEN);
    if (sy_peer_send_msg(peer, channel, msg) != SY_SEND_QUEUED) {
        echo->dropped_count++;
    }
    sy_msg_unref(msg);
}

static void take_answer(sy_echo *echo, sy_peer *peer, echo_peer *entry, sy_channel channel,
                        const uint8_t *data, size_t len, sy_time now) {
    probe *sent = &entry->probes[index_of(echo, channel)];
    const uint64_t number = get_u64le(data + HEAD_LEN);
    if (sent->number == 0 || sent->number != number || len != echo->probe_len) {
        return; /* given up meanwhile, or answered twice */
    }
    sent->number = 0;
    if (echo->on_answer != NULL) {
        echo->on_answer(echo->user, peer, channel, number, len, sy_time_since(now, sent->sent_at));
    }
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    sy_echo *echo = reactor;
    const bool is_question = has_head(data, len, QUESTION);
    if (is_question || has_head(data, len, ANSWER)) {
        /* A peer that is no sy_echo returns our question itself: an answer all the same. */
        if (get_u64le(data + HEAD_LEN + 8) == echo->nonce) {
            take_answer(echo, peer, state, channel, data, len, now);
            return;
        }
        if (is_question) {
            answer(echo, peer, channel, data, len);
            return;
        }
    }
    send_back(echo, peer, channel, data, len);
}

/* ---- Probes ---------------------------------------------------------------------------------- */

/* A question that was not answered by now is given up for the new one. */
static void ask(sy_echo *echo, sy_peer *peer, echo_peer *entry, size_t index, sy_time now) {
    const uint64_t number = echo->next_number++;
    put_u64le(echo->buffer + HEAD_LEN, number);
    entry->probes[index] = (probe){0, 0};
    if (sy_peer_send(peer, echo->channels[index], echo->buffer, echo->probe_len) ==
        SY_SEND_QUEUED) {
        entry->probes[index] = (probe){number, now};
    }
}

static sy_time next_expiry(void *reactor) {
    const sy_echo *echo = reactor;
    return echo->probe_at;
}

static void on_expiry(void *reactor, sy_time now) {
    sy_echo *echo = reactor;
    if (now < echo->probe_at) {
        return;
    }
    echo->probe_at = sy_time_after(now, echo->probe_interval);
    for (echo_peer *entry = echo->peers; entry != NULL; entry = entry->next) {
        sy_peer *peer = sy_switch_peer(echo->sw, entry->ref);
        if (peer == NULL) {
            continue;
        }
        for (size_t i = 0; i < echo->channel_count; i++) {
            if (sy_peer_has_channel(peer, echo->channels[i])) {
                ask(echo, peer, entry, i, now);
            }
        }
    }
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

static bool is_good(const sy_echo_config *config) {
    if (config->channels == NULL || config->channel_count == 0 ||
        config->channel_count > SY_ECHO_CHANNELS_MAX) {
        return false;
    }
    return config->probe_interval == 0 ||
           (config->probe_len >= SY_ECHO_PROBE_MIN && config->probe_len <= SY_ECHO_MESSAGE_MAX);
}

static void fill_ops(sy_echo *echo) {
    echo->ops = (sy_reactor_ops){
        .size = sizeof echo->ops,
        .name = "echo",
        .channels = echo->descs,
        .channel_count = echo->channel_count,
        .peer_state_size = sizeof(echo_peer),
        .start = on_start,
        .stop = on_stop,
        .peer_added = on_peer_added,
        .peer_removed = on_peer_removed,
        .receive = on_receive,
        .next_expiry = next_expiry,
        .on_expiry = on_expiry,
    };
}

sy_err sy_echo_new(const sy_echo_config *config, sy_echo **ret_echo) {
    if (!is_good(config)) {
        return SY_ERR_INVALID;
    }
    const sy_mem *mem = config->mem == NULL ? sy_mem_libc() : config->mem;
    sy_echo *echo = sy_mem_zalloc(mem, sizeof *echo);
    if (echo == NULL) {
        return SY_ERR_NOMEM;
    }
    echo->mem = *mem;
    echo->probe_len = config->probe_interval == 0 ? SY_ECHO_PROBE_MIN : config->probe_len;
    echo->buffer = sy_mem_zalloc(mem, echo->probe_len);
    if (echo->buffer == NULL) {
        sy_mem_release(mem, echo);
        return SY_ERR_NOMEM;
    }
    memcpy(echo->buffer, QUESTION, HEAD_LEN);
    put_u64le(echo->buffer + HEAD_LEN + 8, config->nonce);
    echo->nonce = config->nonce;
    echo->next_number = 1;
    echo->probe_interval = config->probe_interval;
    echo->probe_at = SY_NEVER;
    echo->on_answer = config->on_answer;
    echo->user = config->user;
    echo->channel_count = config->channel_count;
    for (size_t i = 0; i < config->channel_count; i++) {
        echo->descs[i] = (sy_channel_desc){
            .id = config->channels[i],
            .name = "echo",
            .priority = 1,
            .send_queue_max = SY_ECHO_QUEUE_MAX,
            .send_queue_bytes_max = SY_ECHO_QUEUE_BYTES_MAX,
            .recv_message_max = SY_ECHO_MESSAGE_MAX,
        };
    }
    fill_ops(echo);
    *ret_echo = echo;
    return SY_OK;
}

void sy_echo_del(sy_echo *echo) {
    if (echo == NULL) {
        return;
    }
    const sy_mem mem = echo->mem;
    sy_mem_release(&mem, echo->buffer);
    sy_mem_release(&mem, echo);
}

const sy_reactor_ops *sy_echo_ops(sy_echo *echo) {
    return &echo->ops;
}

uint64_t sy_echo_dropped_count(const sy_echo *echo) {
    return echo->dropped_count;
}
