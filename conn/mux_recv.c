/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving half of the multiplexer.
 *
 *   plain --> packets --> one packet: view into plain ---------------> notes of the batch --> taken
 *     |          |        several: appended to the channel's block --> detached, then as above
 *     |          +-- ping, pong
 *     +-- cut by the end of the batch: kept in `part`, completed by the next recv
 *
 * A block that a delivered payload points into stands in `done` until the next recv or batch_done.
 * Errors are sticky; the notes made before one stay and can still be taken. */
#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "conn/mux_internal.h"

#define ASSEMBLY_FIRST 4096

/* A packet whose payload was its end: the bytes in front of such a payload decide all about the
 * packet, and most packets of a stream have the same. */
typedef struct header_memo {
    uint8_t bytes[SY_PACKET_OVERHEAD];
    size_t len; /* 0: none yet */
    sy_packet packet;
} header_memo;

/* One call of sy_mux_recv. */
typedef struct recv_run {
    sy_mux *mux;
    const uint8_t *plain;
    size_t len;
    size_t pos;
    sy_detail *detail;
    sy_time now;
    bool paused; /* by the rate */
    header_memo memo;
} recv_run;

/* ---- blocks ---- */

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

static void block_del(sy_mux *mux, sy_mux_block *block) {
    if (block != NULL) {
        sy_mux_release(mux->mem, mux->budget, block, sizeof *block + block->cap);
    }
}

/* Room for need bytes; grows by doubling, from first on, and not beyond cap_max. */
static sy_err block_reserve(sy_mux *mux, sy_mux_block **block, size_t need, size_t first,
                            size_t cap_max) {
    SY_ASSERT(need <= cap_max);
    const size_t cap = *block != NULL ? (*block)->cap : 0;
    const bool edge = SY_MUTANT(REASSEMBLY_EDGE) && cap >= 8 * (size_t)ASSEMBLY_FIRST;
    if (*block != NULL && need <= cap + edge) {
        return SY_OK;
    }
    const size_t doubled = cap > cap_max / 2 ? cap_max : 2 * cap;
    const size_t new_cap = min_size(max_size(need, max_size(doubled, first)), cap_max);
    void *ptr = NULL;
    const sy_err err =
        sy_mux_resize(mux->mem, mux->budget, *block, *block != NULL ? sizeof **block + cap : 0,
                      sizeof **block + new_cap, &ptr);
    if (err != SY_OK) {
        return err;
    }
    const bool is_new = *block == NULL;
    *block = ptr;
    (*block)->cap = new_cap;
    if (is_new) {
        (*block)->next = NULL;
        (*block)->len = 0;
    }
    return SY_OK;
}

static void block_append(sy_mux_block *block, const uint8_t *data, size_t len) {
    SY_ASSERT(len <= block->cap - block->len);
    if (len > 0) {
        memcpy(block->data + block->len, data, len);
        block->len += len;
    }
}

/* ---- the partial packet ---- */

static size_t part_cap(const sy_mux *mux) {
    return SY_PACKET_LEN_MAX(mux->set->packet_payload_max);
}

/* A block goes back to the loop's spares or is freed. */
static void block_retire(sy_mux *mux, sy_mux_block *block) {
    sy_mux_batch *batch = mux->batch;
    const size_t size = sizeof *block + block->cap;
    if (mux->batch_is_private || batch->spare_count == SY_MUX_SPARES_MAX ||
        block->cap != part_cap(mux) || block->cap > SY_MUX_PART_WHOLE_MAX) {
        block_del(mux, block);
        return;
    }
    if (mux->budget != NULL) {
        sy_budget_release(mux->budget, size);
    }
    if (batch->budget != NULL && sy_budget_reserve(batch->budget, size) != SY_OK) {
        sy_mem_release(mux->mem, block);
        return;
    }
    block->next = batch->spares;
    batch->spares = block;
    batch->spare_count++;
}

/* Takes a spare for the partial packet when there is one that fits. */
static sy_err part_from_spare(sy_mux *mux) {
    sy_mux_batch *batch = mux->batch;
    if (mux->batch_is_private || batch->spares == NULL || batch->spares->cap != part_cap(mux)) {
        return SY_OK;
    }
    sy_mux_block *block = batch->spares;
    const size_t size = sizeof *block + block->cap;
    /* Out of the loop's budget first: both usually end in the node's. */
    if (batch->budget != NULL) {
        sy_budget_release(batch->budget, size);
    }
    batch->spares = block->next;
    batch->spare_count--;
    const sy_err err = mux->budget != NULL ? sy_budget_reserve(mux->budget, size) : SY_OK;
    if (err != SY_OK) {
        sy_mem_release(mux->mem, block);
        return err;
    }
    block->next = NULL;
    block->len = 0;
    mux->part = block;
    return SY_OK;
}

static sy_err part_append(sy_mux *mux, const uint8_t *data, size_t len) {
    if (mux->part == NULL) {
        const sy_err err = part_from_spare(mux);
        if (err != SY_OK) {
            return err;
        }
    }
    const size_t have = mux->part != NULL ? mux->part->len : 0;
    const sy_err err = block_reserve(mux, &mux->part, have + len,
                                     min_size(part_cap(mux), SY_MUX_PART_WHOLE_MAX), part_cap(mux));
    if (err == SY_OK) {
        block_append(mux->part, data, len);
    }
    return err;
}

static bool part_is_open(const sy_mux *mux) {
    return mux->part != NULL && mux->part->len > 0;
}

/* ---- the batch ---- */

void sy_mux_batch_reset(sy_mux_batch *batch) {
    batch->owner = NULL;
    batch->count = 0;
    batch->waiting = 0;
    for (size_t i = 0; i < SY_CLASS_COUNT; i++) {
        batch->first[i] = SY_MUX_NO_MESSAGE;
        batch->last[i] = SY_MUX_NO_MESSAGE;
    }
}

static bool batch_is_mine(const sy_mux *mux) {
    return mux->batch != NULL && mux->batch->owner == mux;
}

/* Gives the batch up; what waits in it is dropped. */
static void batch_leave(sy_mux *mux) {
    if (!batch_is_mine(mux)) {
        return;
    }
    sy_mux_batch_reset(mux->batch);
    if (mux->batch_is_private) {
        sy_mux_batch_del(mux->batch);
        mux->batch = NULL;
    }
}

static sy_err batch_enter(sy_mux *mux) {
    if (mux->batch == NULL) {
        const sy_err err = sy_mux_batch_new(mux->mem, mux->budget, &mux->batch);
        if (err != SY_OK) {
            return err;
        }
    }
    sy_mux *before = mux->batch->owner;
    if (before != mux) {
        /* Messages of a stream cannot be lost in silence. */
        if (before != NULL && mux->batch->waiting > 0 && before->err == SY_OK) {
            before->err = SY_ERR_STATE;
        }
        sy_mux_batch_reset(mux->batch);
        mux->batch->owner = mux;
    }
    return SY_OK;
}

static bool batch_is_full(const sy_mux *mux) {
    return batch_is_mine(mux) && mux->batch->count == SY_MUX_BATCH_MESSAGES;
}

static sy_err batch_note(sy_mux *mux, uint16_t channel, const uint8_t *data, size_t len) {
    static const uint8_t nothing[1];
    const sy_err err = batch_enter(mux);
    if (err != SY_OK) {
        return err;
    }
    sy_mux_batch *batch = mux->batch;
    SY_ASSERT(batch->count < SY_MUX_BATCH_MESSAGES);
    const size_t class_index = sy_mux_class_index(mux, channel);
    const uint16_t at = batch->count++;
    batch->notes[at] = (sy_mux_note){.data = len > 0 ? data : nothing,
                                     .len = len,
                                     .channel = channel,
                                     .next = SY_MUX_NO_MESSAGE};
    if (batch->first[class_index] == SY_MUX_NO_MESSAGE) {
        batch->first[class_index] = at;
    } else {
        batch->notes[batch->last[class_index]].next = at;
    }
    batch->last[class_index] = at;
    batch->waiting++;
    return SY_OK;
}

/* SPEC MX-48 */
bool sy_mux_next_message(sy_mux *mux, sy_mux_message *ret_message) {
    if (!batch_is_mine(mux)) {
        return false;
    }
    sy_mux_batch *batch = mux->batch;
    for (size_t i = 0; i < SY_CLASS_COUNT; i++) {
        if (batch->first[i] != SY_MUX_NO_MESSAGE) {
            const sy_mux_note *note = &batch->notes[batch->first[i]];
            batch->first[i] = note->next;
            batch->waiting--;
            *ret_message =
                (sy_mux_message){.channel = note->channel, .data = note->data, .len = note->len};
            return true;
        }
    }
    SY_ASSERT(batch->waiting == 0);
    batch_leave(mux);
    return false;
}

static void retire_done(sy_mux *mux) {
    while (mux->done != NULL) {
        sy_mux_block *block = mux->done;
        mux->done = block->next;
        block_retire(mux, block);
    }
}

void sy_mux_batch_done(sy_mux *mux) {
    batch_leave(mux);
    retire_done(mux);
}

/* ---- packets ---- */

static bool memo_knows(const header_memo *memo, const uint8_t *at, size_t left) {
    return memo->len > 0 && left >= memo->packet.len && memcmp(at, memo->bytes, memo->len) == 0;
}

static void memo_learn(header_memo *memo, const uint8_t *at, const sy_packet *packet) {
    if (packet->kind != SY_PACKET_KIND_MSG || packet->data.len == 0 ||
        packet->data.data + packet->data.len != at + packet->len) {
        return;
    }
    const size_t len = (size_t)(packet->data.data - at);
    if (len <= sizeof memo->bytes) {
        memcpy(memo->bytes, at, len);
        memo->len = len;
        memo->packet = *packet;
    }
}

/* sy_packet_parse of what lies in the input. */
static sy_err parse(recv_run *run, const uint8_t *at, size_t left, sy_packet *ret_packet) {
    const sy_mux *mux = run->mux;
    if (memo_knows(&run->memo, at, left)) {
        *ret_packet = run->memo.packet;
        ret_packet->data.data = at + run->memo.len;
        return SY_OK;
    }
    const sy_err err = sy_packet_parse(mux->codec, at, left, mux->set->packet_payload_max,
                                       ret_packet, run->detail);
    if (err == SY_OK) {
        memo_learn(&run->memo, at, ret_packet);
    }
    return err;
}

/* The next packet of the stream; MORE when the input ends before it does.  *ret_in_part tells that
 * its data lies in the partial block. */
static sy_err fetch(recv_run *run, sy_packet *ret_packet, bool *ret_in_part) {
    sy_mux *mux = run->mux;
    const size_t payload_max = mux->set->packet_payload_max;
    sy_err err = SY_OK;

    *ret_in_part = part_is_open(mux);
    if (!*ret_in_part) {
        const uint8_t *at = run->plain + run->pos;
        const size_t left = run->len - run->pos;
        err = parse(run, at, left, ret_packet);
        if (err == SY_OK && ret_packet->kind == SY_PACKET_KIND_MORE) {
            err = part_append(mux, at, left);
            run->pos = run->len;
        } else if (err == SY_OK) {
            run->pos += ret_packet->len;
        }
        return err;
    }
    /* First the length prefix byte by byte, then the rest at once: at most 11 rounds. */
    for (;;) {
        err = sy_packet_parse(mux->codec, mux->part->data, mux->part->len, payload_max, ret_packet,
                              run->detail);
        if (err != SY_OK || ret_packet->kind != SY_PACKET_KIND_MORE || run->pos == run->len) {
            return err;
        }
        const size_t take = min_size(ret_packet->len - mux->part->len, run->len - run->pos);
        err = part_append(mux, run->plain + run->pos, take);
        if (err != SY_OK) {
            return err;
        }
        run->pos += take;
    }
}

static sy_err too_long(const sy_channel_desc *desc, size_t size, sy_detail *detail) {
    sy_detail_set(detail, "channel 0x%02x", desc->id);
    if (desc->name != NULL) {
        sy_detail_add(detail, " (%s)", desc->name);
    }
    sy_detail_add(detail, ": message of at least %zu bytes, limit %zu (recv_message_max)", size,
                  desc->recv_message_max);
    return SY_ERR_MESSAGE_TOO_LONG;
}

static sy_err on_sink(sy_mux *mux, sy_mux_chan *chan, const sy_packet *packet) {
    /* SPEC MX-29 */
    mux->stats.sink_bytes += packet->data.len;
    chan->in.sink_len = packet->eof ? 0 : chan->in.sink_len + packet->data.len;
    return SY_OK;
}

/* A message that lies in this packet alone: no copy. */
static sy_err on_whole(sy_mux *mux, uint16_t channel, const sy_packet *packet, bool in_part) {
    if (SY_MUTANT(MX_EMPTY) && packet->data.len == 0) {
        return SY_OK;
    }
    const sy_err err = batch_note(mux, channel, packet->data.data, packet->data.len);
    if (err == SY_OK && in_part) {
        mux->part->next = mux->done;
        mux->done = mux->part;
        mux->part = NULL;
    }
    return err;
}

static sy_err on_piece(sy_mux *mux, uint16_t channel, const sy_packet *packet) {
    sy_mux_chan *chan = &mux->chans[channel];
    const size_t capacity = mux->set->desc[channel].recv_message_max;
    if (packet->data.len > 0) {
        const size_t have = chan->in.assembly != NULL ? chan->in.assembly->len : 0;
        const sy_err err = block_reserve(mux, &chan->in.assembly, have + packet->data.len,
                                         min_size(ASSEMBLY_FIRST, capacity), capacity);
        if (err != SY_OK) {
            return err;
        }
        block_append(chan->in.assembly, packet->data.data, packet->data.len);
    }
    if (!packet->eof) {
        return SY_OK;
    }
    /* SPEC MX-25, SPEC MX-30: detached, so that the channel's next message may start at once. */
    sy_mux_block *block = chan->in.assembly;
    const sy_err err = batch_note(mux, channel, block->data, block->len);
    if (err == SY_OK) {
        chan->in.assembly = NULL;
        block->next = mux->done;
        mux->done = block;
    }
    return err;
}

/* Whether the channel is inside a message. */
static void note_open(sy_mux *mux, sy_mux_chan *chan, bool open) {
    if (open && !chan->in_message) {
        mux->open_messages++;
    } else if (!open && chan->in_message) {
        mux->open_messages--;
    }
    chan->in_message = open;
}

static sy_err on_msg(recv_run *run, const sy_packet *packet, bool in_part) {
    sy_mux *mux = run->mux;
    const uint16_t channel = mux->set->index_of[packet->channel];
    if (channel >= mux->chan_count && SY_MUTANT(MX_CHANNEL)) {
        return SY_OK;
    }
    if (channel >= mux->chan_count) { /* SPEC MX-26 */
        sy_detail_set(run->detail, "channel 0x%02x is not registered", packet->channel);
        return SY_ERR_CHANNEL_UNKNOWN;
    }
    const sy_channel_desc *desc = &mux->set->desc[channel];
    sy_mux_chan *chan = &mux->chans[channel];
    size_t have = 0;
    if (desc->sink) {
        have = chan->in.sink_len;
    } else if (chan->in.assembly != NULL) {
        have = chan->in.assembly->len;
    }
    SY_ASSERT(have <= desc->recv_message_max);
    if (packet->data.len >
        desc->recv_message_max - have - SY_MUTANT(MX_CAPACITY)) { /* SPEC MX-28 */
        return too_long(desc, have + packet->data.len, run->detail);
    }

    sy_err err = SY_OK;
    if (desc->sink) {
        err = on_sink(mux, chan, packet);
    } else if (packet->eof && chan->in.assembly == NULL) {
        err = on_whole(mux, channel, packet, in_part);
    } else {
        err = on_piece(mux, channel, packet);
    }
    if (err == SY_OK) {
        chan->bytes_received += packet->data.len;
        note_open(mux, chan, !packet->eof);
        chan->messages_received += packet->eof ? 1 : 0;
        mux->stats.messages_received += packet->eof ? 1 : 0;
    }
    return err;
}

static sy_err on_ping(recv_run *run) {
    sy_mux *mux = run->mux;
    mux->stats.pings_received++;
    if (SY_MUTANT(PONG_ANY)) {
        sy_keepalive_on_pong(&mux->keepalive, run->now);
    }
    if (SY_MUTANT(PING_LATE)) {
        mux->keepalive.ping_due_at = sy_time_after(run->now, mux->keepalive.ping_interval_ns);
    }
    if (!sy_token_bucket_take(&mux->ping_rate, 1, run->now) &&
        !SY_MUTANT(MX_FLOOD)) { /* SPEC MX-53 */
        sy_detail_set(run->detail, "more than %d pings a second after %d at once", SY_PING_RATE,
                      SY_PING_BURST);
        return SY_ERR_PING_FLOOD;
    }
    mux->pong_owed = true; /* SPEC MX-41: one pong answers all pings that wait for it. */
    return SY_OK;
}

static sy_err dispatch(recv_run *run, const sy_packet *packet, bool in_part) {
    switch (packet->kind) {
    case SY_PACKET_KIND_PING:
        return on_ping(run);
    case SY_PACKET_KIND_PONG:
        if (SY_MUTANT(MX_PONG)) {
            return SY_ERR_PACKET_TYPE;
        }
        sy_keepalive_on_pong(&run->mux->keepalive, run->now);
        return SY_OK;
    case SY_PACKET_KIND_MSG:
        return on_msg(run, packet, in_part);
    case SY_PACKET_KIND_MORE:
        break;
    }
    SY_UNREACHABLE();
}

/* SPEC MX-49, SPEC MX-50: a message packet waits for the rate, ping and pong only count. */
static bool rate_admits(recv_run *run, const sy_packet *packet) {
    sy_token_bucket *rate = &run->mux->recv_rate;
    if (packet->kind != SY_PACKET_KIND_MSG) {
        sy_token_bucket_spend(rate, packet->len, run->now);
        return true;
    }
    if (sy_token_bucket_take(rate, packet->len, run->now)) {
        return true;
    }
    run->mux->recv_ready_at = sy_token_bucket_ready_at(rate, packet->len, run->now);
    return false;
}

/* One packet, or the rest of the input when it has no whole one. */
static sy_err step(recv_run *run) {
    sy_mux *mux = run->mux;
    const size_t pos_before = run->pos;
    const size_t part_before = mux->part != NULL ? mux->part->len : 0;
    sy_packet packet;
    bool in_part = false;
    sy_err err = fetch(run, &packet, &in_part);
    if (err != SY_OK || packet.kind == SY_PACKET_KIND_MORE) {
        return err;
    }
    if (!rate_admits(run, &packet)) {
        /* Not taken: the caller gives these bytes again. */
        run->pos = pos_before;
        run->paused = true;
        if (in_part) {
            mux->part->len = part_before;
        }
        return SY_OK;
    }
    err = dispatch(run, &packet, in_part);
    if (err == SY_OK) {
        mux->stats.packets_received++;
        mux->stats.bytes_received += packet.len;
        if (in_part && mux->part != NULL) {
            mux->part->len = 0;
        }
    }
    return err;
}

sy_err sy_mux_recv(sy_mux *mux, const uint8_t *plain, size_t len, size_t *ret_consumed,
                   sy_detail *detail, sy_time now) {
    SY_REQUIRE(plain != NULL || len == 0);
    if (mux->err != SY_OK) { /* SPEC MX-52 */
        return mux->err;
    }
    SY_REQUIRE(!batch_is_mine(mux) || mux->batch->waiting == 0);

    sy_mux_batch_done(mux);
    mux->recv_ready_at = SY_NEVER;
    recv_run run = {.mux = mux, .plain = plain, .len = len, .detail = detail, .now = now};
    while (mux->err == SY_OK && run.pos < len && !run.paused && !batch_is_full(mux)) {
        mux->err = step(&run);
    }
    if (mux->err != SY_OK) {
        return mux->err;
    }
    if (mux->part != NULL && mux->part->len == 0) {
        block_retire(mux, mux->part);
        mux->part = NULL;
    }
    *ret_consumed = run.pos;
    return SY_OK;
}

void sy_mux_recv_fini(sy_mux *mux) {
    sy_mux_batch_done(mux);
    block_del(mux, mux->part);
    mux->part = NULL;
    for (uint16_t i = 0; i < mux->chan_count; i++) {
        if (!mux->set->desc[i].sink) {
            block_del(mux, mux->chans[i].in.assembly);
            mux->chans[i].in.assembly = NULL;
        }
    }
}
