/* SPDX-License-Identifier: Apache-2.0 */
/* The sending half of the multiplexer: queues and the scheduler.
 *
 * Whose packet is next?
 *   1. pong, then ping;
 *   2. a class that waited while others sent SY_MUX_SHARE_DIVISOR times its packet: the one with
 * the largest credit, so that no class gets less than 1 byte in 19;
 *   3. the highest class with something to send.
 * Inside a class: the channel with the least virtual time.  A channel's virtual time grows by the
 * bytes of its packets divided by its weight; one that wakes up starts at the time of the class, so
 * that idling saves nothing up.  Ties go to the channel registered first.  Integers only: the same
 * calls give the same bytes. */
#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "conn/mux_internal.h"

#define RING_FIRST 4
#define VTIME_UNIT 256 /* of one byte at weight 1: what rounding costs stays below 1/256 byte */

/* ---- queues ---- */

static size_t ring_size(uint32_t cap) {
    return sizeof(sy_mux_ring) + cap * sizeof(sy_msg *);
}

static void ring_del(sy_mux *mux, sy_mux_chan *chan) {
    if (chan->ring != NULL) {
        sy_mux_release(mux->mem, mux->budget, chan->ring, ring_size(chan->ring->cap));
        chan->ring = NULL;
    }
}

/* Room for one more; count messages are in it. */
static bool ring_reserve(sy_mux *mux, sy_mux_chan *chan, uint32_t count) {
    const uint32_t cap = chan->ring != NULL ? chan->ring->cap : 0;
    if (count < cap) {
        return true;
    }
    const uint32_t new_cap = cap == 0 ? RING_FIRST : 2 * cap;
    void *ptr = NULL;
    if (sy_mux_resize(mux->mem, mux->budget, chan->ring, cap == 0 ? 0 : ring_size(cap),
                      ring_size(new_cap), &ptr) != SY_OK) {
        return false;
    }
    chan->ring = ptr;
    if (cap == 0) {
        chan->ring->first = 0;
    }
    /* It was full: what wraps around moves behind the old end. */
    for (uint32_t i = 0; i < chan->ring->first; i++) {
        chan->ring->items[cap + i] = chan->ring->items[i];
    }
    chan->ring->cap = new_cap;
    return true;
}

/* SPEC MX-35 */
static sy_msg *ring_pop(sy_mux *mux, sy_mux_chan *chan, uint32_t count) {
    sy_mux_ring *ring = chan->ring;
    SY_ASSERT(count > 0 && ring != NULL);
    sy_msg *msg = ring->items[ring->first];
    ring->first = (ring->first + 1) % ring->cap;
    if (count == 1) {
        ring_del(mux, chan);
    }
    return msg;
}

static sy_mux_class *class_of(sy_mux *mux, uint16_t channel) {
    return &mux->classes[sy_mux_class_index(mux, channel)];
}

/* The channel has something to send from now on. */
static void wake(sy_mux *mux, uint16_t channel) {
    sy_mux_class *cls = class_of(mux, channel);
    sy_mux_chan *chan = &mux->chans[channel];
    if (chan->vtime < cls->vtime) {
        chan->vtime = cls->vtime;
    }
    chan->next = cls->first;
    cls->first = channel;
}

static void sleep_channel(sy_mux *mux, uint16_t channel) {
    sy_mux_class *cls = class_of(mux, channel);
    uint16_t *link = &cls->first;
    while (*link != channel) {
        SY_ASSERT(*link != SY_CHANNEL_NONE);
        link = &mux->chans[*link].next;
    }
    *link = mux->chans[channel].next;
    mux->chans[channel].next = SY_CHANNEL_NONE;
}

/* SPEC MX-33: arms the report; the only thing that a full queue changes. */
static sy_send_result full(sy_mux *mux, sy_mux_chan *chan) {
    if (chan->writable) {
        chan->writable = false;
        mux->writable_count--;
    }
    chan->want_writable = true;
    return SY_SEND_FULL;
}

/* SPEC MX-31 */
sy_send_result sy_mux_queue(sy_mux *mux, uint16_t channel, sy_msg *msg) {
    SY_REQUIRE(msg != NULL);
    if (mux->err != SY_OK || !sy_mux_remote_has(mux, channel)) {
        return SY_SEND_REFUSED;
    }
    const sy_channel_desc *desc = &mux->set->desc[channel];
    sy_mux_chan *chan = &mux->chans[channel];
    const size_t len = sy_msg_len(msg);
    if (len > desc->recv_message_max || len > desc->send_queue_bytes_max) { /* SPEC MX-32 */
        return SY_SEND_REFUSED;
    }
    if (chan->queued >= desc->send_queue_max ||
        len > desc->send_queue_bytes_max - chan->queued_bytes) {
        return full(mux, chan);
    }

    if (chan->head == NULL) {
        SY_ASSERT(chan->queued == 0);
        chan->head = sy_msg_ref(msg);
        chan->head_sent = 0;
        wake(mux, channel);
    } else {
        const uint32_t count = chan->queued - 1;
        if (!ring_reserve(mux, chan, count)) {
            return full(mux, chan);
        }
        chan->ring->items[(chan->ring->first + count) % chan->ring->cap] = sy_msg_ref(msg);
    }
    chan->queued++;
    chan->queued_bytes += len;
    return SY_SEND_QUEUED;
}

/* The head of the queue is completely written. */
static void pop_head(sy_mux *mux, uint16_t channel) {
    const sy_channel_desc *desc = &mux->set->desc[channel];
    sy_mux_chan *chan = &mux->chans[channel];
    SY_ASSERT(chan->head_sent == sy_msg_len(chan->head));
    chan->queued_bytes -= chan->head_sent;
    chan->queued--;
    sy_msg_unref(chan->head);
    chan->head = chan->queued > 0 ? ring_pop(mux, chan, chan->queued) : NULL;
    chan->head_sent = 0;
    if (chan->head == NULL) {
        sleep_channel(mux, channel);
    }
    /* SPEC MX-34: at half, so that a report is worth its call. */
    if (chan->want_writable && chan->queued <= desc->send_queue_max / 2 &&
        chan->queued_bytes <= desc->send_queue_bytes_max / 2) {
        SY_ASSERT(!chan->writable);
        chan->want_writable = false;
        chan->writable = true;
        mux->writable_count++;
    }
}

bool sy_mux_next_writable(sy_mux *mux, uint16_t *ret_channel) {
    for (uint16_t i = 0; mux->writable_count > 0 && i < mux->chan_count; i++) {
        if (mux->chans[i].writable) {
            mux->chans[i].writable = false;
            mux->writable_count--;
            *ret_channel = i;
            return true;
        }
    }
    return false;
}

/* ---- the scheduler ---- */

/* SPEC MX-45: the channel of a class whose turn it is. */
static uint16_t best_of(const sy_mux *mux, const sy_mux_class *cls) {
    uint16_t best = cls->first;
    for (uint16_t i = cls->first; i != SY_CHANNEL_NONE; i = mux->chans[i].next) {
        const uint64_t mine = mux->chans[i].vtime;
        const uint64_t least = mux->chans[best].vtime;
        if (mine < least || (mine == least && i < best)) {
            best = i;
        }
    }
    return best;
}

static size_t piece_len(const sy_mux *mux, uint16_t channel) {
    const sy_mux_chan *chan = &mux->chans[channel];
    const size_t left = sy_msg_len(chan->head) - chan->head_sent;
    const size_t piece_max =
        mux->piece_max[mux->set->desc[channel].id >= 0x80 && !SY_MUTANT(MX_CUT_HIGH) ? 1 : 0];
    return left < piece_max - SY_MUTANT(MX_CUT) ? left : piece_max - SY_MUTANT(MX_CUT);
}

/* SPEC MX-43, SPEC MX-44: the channel that sends the next packet; SY_CHANNEL_NONE when none. */
static uint16_t pick(const sy_mux *mux) {
    const sy_mux_class *top = NULL;
    const sy_mux_class *owed = NULL;
    uint16_t owed_channel = SY_CHANNEL_NONE;
    for (size_t i = 0; i < SY_CLASS_COUNT; i++) {
        const sy_mux_class *cls = &mux->classes[i];
        if (cls->first == SY_CHANNEL_NONE) {
            continue;
        }
        if (top == NULL) {
            top = cls;
            continue;
        }
        if (cls->credit < SY_MUX_SHARE_DIVISOR || (owed != NULL && cls->credit <= owed->credit)) {
            continue;
        }
        const uint16_t channel = best_of(mux, cls);
        if (cls->credit >= SY_MUX_SHARE_DIVISOR * piece_len(mux, channel)) {
            owed = cls;
            owed_channel = channel;
        }
    }
    if (owed != NULL) {
        return owed_channel;
    }
    return top != NULL ? best_of(mux, top) : SY_CHANNEL_NONE;
}

/* Books a packet of size bytes on its channel and class. */
static void charge(sy_mux *mux, uint16_t channel, size_t size) {
    const uint64_t weight = (uint64_t)mux->set->desc[channel].priority;
    sy_mux_chan *chan = &mux->chans[channel];
    sy_mux_class *mine = class_of(mux, channel);
    mine->vtime = chan->vtime;
    chan->vtime += (uint64_t)size * VTIME_UNIT / weight;

    const uint64_t cost = (uint64_t)size * SY_MUX_SHARE_DIVISOR;
    mine->credit = mine->credit > cost ? mine->credit - cost : 0;
    for (size_t i = 0; i < SY_CLASS_COUNT; i++) {
        sy_mux_class *cls = &mux->classes[i];
        if (cls != mine && cls->first != SY_CHANNEL_NONE) {
            cls->credit += size;
        }
    }
}

/* ---- packets ---- */

/* The last header that was written; most packets of a stream have the same. */
typedef struct header_memo {
    uint8_t bytes[SY_PACKET_OVERHEAD];
    size_t len; /* 0: none yet */
    size_t piece;
    uint16_t channel;
    bool eof;
} header_memo;

static void write_header(const sy_mux *mux, uint16_t channel, bool eof, size_t piece,
                         header_memo *memo) {
    if (memo->len > 0 && memo->channel == channel && memo->piece == piece && memo->eof == eof) {
        return;
    }
    memo->len =
        sy_packet_write_header(mux->codec, mux->set->desc[channel].id, eof, piece, memo->bytes);
    memo->piece = piece;
    memo->channel = channel;
    memo->eof = eof;
}

/* The header of the channel's next packet; returns the size of the packet. */
static size_t frame(const sy_mux *mux, uint16_t channel, header_memo *memo,
                    sy_mux_packet_out *ret_out) {
    const sy_mux_chan *chan = &mux->chans[channel];
    const size_t piece = piece_len(mux, channel);
    const bool eof = chan->head_sent + piece == sy_msg_len(chan->head); /* SPEC MX-21, SPEC MX-24 */
    write_header(mux, channel, eof, piece, memo);
    memcpy(ret_out->header, memo->bytes, sizeof ret_out->header);
    ret_out->payload_left = piece;
    ret_out->channel = channel;
    ret_out->header_len = (uint8_t)memo->len;
    ret_out->header_pos = 0;
    ret_out->eof = eof;
    return memo->len + piece;
}

static void start_control(sy_mux *mux, bool pong, sy_time now) {
    sy_mux_packet_out *out = &mux->out;
    const size_t len = pong ? sy_packet_write_pong(mux->codec, out->header)
                            : sy_packet_write_ping(mux->codec, out->header);
    out->payload_left = 0;
    out->channel = SY_CHANNEL_NONE;
    out->header_len = (uint8_t)len;
    out->header_pos = 0;
    out->eof = false;
    sy_token_bucket_spend(&mux->send_rate, len, now); /* SPEC MX-50 */
}

/* Bytes that are worth waking up for when the rate has run out: a packet alone would fill one frame
 * and begin another, which costs the wire twice what it carries.  What the channel has, at most
 * half a burst, at least the packet. */
static size_t worth_waiting_for(const sy_mux *mux, uint16_t channel, size_t packet) {
    const sy_mux_chan *chan = &mux->chans[channel];
    const uint64_t half = mux->send_rate.burst / 2;
    const size_t waiting = chan->queued_bytes - chan->head_sent;
    const size_t worth = waiting < half ? waiting : (size_t)half;
    return worth > packet ? worth : packet;
}

/* Makes the next packet the current one; false when there is none to send now. */
static bool start_packet(sy_mux *mux, header_memo *memo, sy_time now) {
    if (mux->pong_owed) { /* SPEC MX-41 */
        mux->pong_owed = false;
        start_control(mux, true, now);
        return true;
    }
    if (mux->ping_owed) {
        mux->ping_owed = false;
        start_control(mux, false, now);
        return true;
    }
    const uint16_t channel = pick(mux);
    if (channel == SY_CHANNEL_NONE) {
        return false;
    }
    sy_mux_packet_out next;
    const size_t size = frame(mux, channel, memo, &next);
    if (!sy_token_bucket_take(&mux->send_rate, size, now)) { /* SPEC MX-49 */
        const size_t worth = worth_waiting_for(mux, channel, size);
        mux->send_ready_at = sy_token_bucket_ready_at(&mux->send_rate, worth, now);
        return false;
    }
    mux->out = next;
    charge(mux, channel, size);
    return true;
}

static bool in_packet(const sy_mux *mux) {
    return mux->out.header_len > 0;
}

static void finish_packet(sy_mux *mux) {
    sy_mux_packet_out *out = &mux->out;
    const uint16_t channel = out->channel;
    out->header_len = 0;
    out->channel = SY_CHANNEL_NONE;
    mux->stats.packets_sent++;
    if (channel != SY_CHANNEL_NONE && out->eof) {
        mux->stats.messages_sent++;
        mux->chans[channel].messages_sent++;
        pop_head(mux, channel);
    }
}

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

/* SPEC MX-23: nothing else of the channel comes between, its head is sent to the end first.
 * Writes of the current packet what fits; returns how much that is.  The payload goes from the
 * message straight to its place in the output. */
static size_t emit(sy_mux *mux, uint8_t *to, size_t cap) {
    sy_mux_packet_out *out = &mux->out;
    const size_t header = min_size((size_t)out->header_len - out->header_pos, cap);
    memcpy(to, out->header + out->header_pos, header);
    out->header_pos = (uint8_t)(out->header_pos + header);

    const size_t payload = min_size(out->payload_left, cap - header);
    if (payload > 0) {
        sy_mux_chan *chan = &mux->chans[out->channel];
        memcpy(to + header, sy_msg_data(chan->head) + chan->head_sent, payload);
        chan->head_sent += payload;
        chan->bytes_sent += payload;
        out->payload_left -= payload;
    }
    if (out->header_pos == out->header_len && out->payload_left == 0) {
        finish_packet(mux);
    }
    return header + payload;
}

void sy_mux_send(sy_mux *mux, uint8_t *out, size_t out_cap, size_t *ret_len, sy_time now) {
    SY_REQUIRE(out != NULL || out_cap == 0);
    size_t len = 0;
    header_memo memo = {.len = 0};
    if (mux->err == SY_OK) {
        mux->send_ready_at = SY_NEVER;
        while (len < out_cap && (in_packet(mux) || start_packet(mux, &memo, now))) {
            len += emit(mux, out + len, out_cap - len);
        }
    }
    mux->stats.bytes_sent += len;
    *ret_len = len;
}

/* SPEC MX-36: at once, no timer. */
bool sy_mux_wants_send(const sy_mux *mux, sy_time now) {
    if (mux->err != SY_OK) {
        return false;
    }
    if (in_packet(mux) || mux->pong_owed || mux->ping_owed) {
        return true;
    }
    const uint16_t channel = pick(mux);
    if (channel == SY_CHANNEL_NONE) {
        return false;
    }
    sy_mux_packet_out next;
    header_memo memo = {.len = 0};
    sy_token_bucket rate = mux->send_rate;
    return sy_token_bucket_take(&rate, frame(mux, channel, &memo, &next), now);
}

bool sy_mux_is_drained(const sy_mux *mux) {
    return !in_packet(mux) && !mux->pong_owed && !mux->ping_owed && pick(mux) == SY_CHANNEL_NONE;
}

void sy_mux_send_fini(sy_mux *mux) {
    for (uint16_t i = 0; i < mux->chan_count; i++) {
        sy_mux_chan *chan = &mux->chans[i];
        while (chan->queued > 0) {
            sy_msg_unref(chan->head);
            chan->queued--;
            chan->head = chan->queued > 0 ? ring_pop(mux, chan, chan->queued) : NULL;
        }
        SY_ASSERT(chan->ring == NULL);
        chan->head = NULL;
        chan->queued_bytes = 0;
    }
}
