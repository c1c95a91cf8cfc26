/* SPDX-License-Identifier: Apache-2.0 */
/* The multiplexer: life, time and questions.  Receiving is in mux_recv.c, sending in mux_send.c. */
#include "conn/mux.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "conn/mux_internal.h"

sy_err sy_mux_resize(const sy_mem *mem, sy_budget *budget, void *old, size_t old_size,
                     size_t new_size, void **ret_new) {
    SY_ASSERT(new_size > old_size);
    if (budget != NULL) {
        const sy_err err = sy_budget_reserve(budget, new_size - old_size);
        if (err != SY_OK) {
            return err;
        }
    }
    void *ptr = sy_mem_resize(mem, old, new_size);
    if (ptr == NULL) {
        if (budget != NULL) {
            sy_budget_release(budget, new_size - old_size);
        }
        return SY_ERR_NOMEM;
    }
    *ret_new = ptr;
    return SY_OK;
}

void sy_mux_release(const sy_mem *mem, sy_budget *budget, void *ptr, size_t size) {
    if (ptr == NULL) {
        return;
    }
    sy_mem_release(mem, ptr);
    if (budget != NULL) {
        sy_budget_release(budget, size);
    }
}

sy_err sy_mux_batch_new(const sy_mem *mem, sy_budget *budget, sy_mux_batch **ret_batch) {
    SY_REQUIRE(mem != NULL);
    SY_REQUIRE(ret_batch != NULL);
    void *ptr = NULL;
    const sy_err err = sy_mux_resize(mem, budget, NULL, 0, sizeof(sy_mux_batch), &ptr);
    if (err != SY_OK) {
        return err;
    }
    sy_mux_batch *batch = ptr;
    batch->mem = mem;
    batch->budget = budget;
    batch->spares = NULL;
    batch->spare_count = 0;
    sy_mux_batch_reset(batch);
    *ret_batch = batch;
    return SY_OK;
}

void sy_mux_batch_del(sy_mux_batch *batch) {
    if (batch == NULL) {
        return;
    }
    SY_REQUIRE(batch->owner == NULL);
    while (batch->spares != NULL) {
        sy_mux_block *next = batch->spares->next;
        sy_mux_release(batch->mem, batch->budget, batch->spares,
                       sizeof(sy_mux_block) + batch->spares->cap);
        batch->spares = next;
    }
    sy_mux_release(batch->mem, batch->budget, batch, sizeof *batch);
}

/* What a connection costs while idle, on machines with pointers of 8 bytes or less. */
_Static_assert(sizeof(sy_mux) <= 512, "an idle multiplexer stays small");
_Static_assert(sizeof(sy_mux_chan) <= 96, "an idle channel stays small");

static size_t mux_size(const sy_channel_set *set) {
    return sizeof(sy_mux) + set->count * sizeof(sy_mux_chan);
}

static uint64_t max_u64(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static void init_rates(sy_mux *mux, const sy_mux_config *config, sy_time now) {
    /* SPEC MX-49: a tenth of a second may come at once, and always one whole packet. */
    const size_t payload_max = config->channels->packet_payload_max;
    sy_token_bucket_init(&mux->recv_rate, config->recv_rate,
                         max_u64(config->recv_rate / 10, SY_PACKET_LEN_MAX(payload_max)), now);
    sy_token_bucket_init(&mux->send_rate, config->send_rate,
                         max_u64(config->send_rate / 10, payload_max + SY_PACKET_OVERHEAD), now);
    sy_token_bucket_init(&mux->ping_rate, SY_PING_RATE, SY_PING_BURST, now);
}

static void init_keepalive(sy_mux *mux, const sy_mux_config *config, sy_time now) {
    const sy_duration interval =
        config->ping_interval_ns != 0 ? config->ping_interval_ns : SY_PING_INTERVAL_S * SY_SEC;
    sy_duration timeout = config->pong_timeout_ns;
    if (timeout == 0) {
        /* The default, or the same part of a shorter interval. */
        timeout = sy_time_min(SY_PONG_TIMEOUT_S * SY_SEC, interval - interval / 4);
    }
    sy_keepalive_init(&mux->keepalive, interval, timeout, now);
}

static void init_channels(sy_mux *mux, const sy_mux_config *config) {
    for (uint16_t i = 0; i < mux->chan_count; i++) {
        mux->chans[i].next = SY_CHANNEL_NONE;
    }
    /* Ids that we have not registered are of no use to us; a repeated one is harmless. */
    for (size_t i = 0; i < config->remote_channel_count; i++) {
        const uint16_t index = mux->set->index_of[config->remote_channels[i]];
        if (index != SY_CHANNEL_NONE) {
            mux->chans[index].remote_has = true;
        }
    }
}

sy_err sy_mux_new(const sy_mux_config *config, sy_time now, sy_mux **ret_mux) {
    SY_REQUIRE(config->mem != NULL);
    SY_REQUIRE(config->channels != NULL);
    SY_REQUIRE(config->codec == SY_PACKET_AMINO || config->codec == SY_PACKET_PROTO);
    SY_REQUIRE(config->remote_channels != NULL || config->remote_channel_count == 0);
    SY_REQUIRE(config->batch == NULL || config->batch->mem == config->mem);

    const sy_channel_set *set = config->channels;
    void *ptr = NULL;
    const sy_err err = sy_mux_resize(config->mem, config->budget, NULL, 0, mux_size(set), &ptr);
    if (err != SY_OK) {
        return err;
    }
    memset(ptr, 0, mux_size(set));
    sy_mux *mux = ptr;
    mux->mem = config->mem;
    mux->budget = config->budget;
    mux->set = set;
    mux->batch = config->batch;
    mux->batch_is_private = config->batch == NULL;
    mux->codec = config->codec;
    mux->chan_count = set->count;
    mux->piece_max[0] = sy_packet_piece_max(config->codec, 0x7f, set->packet_payload_max);
    mux->piece_max[1] = sy_packet_piece_max(config->codec, 0xff, set->packet_payload_max);
    mux->recv_ready_at = SY_NEVER;
    mux->send_ready_at = SY_NEVER;
    mux->out.channel = SY_CHANNEL_NONE;
    for (size_t i = 0; i < SY_CLASS_COUNT; i++) {
        mux->classes[i].first = SY_CHANNEL_NONE;
    }
    init_keepalive(mux, config, now);
    init_rates(mux, config, now);
    init_channels(mux, config);
    *ret_mux = mux;
    return SY_OK;
}

void sy_mux_del(sy_mux *mux) {
    if (mux == NULL) {
        return;
    }
    sy_mux_recv_fini(mux);
    sy_mux_send_fini(mux);
    const sy_mem *mem = mux->mem;
    sy_mux_release(mem, mux->budget, mux, sizeof *mux + mux->chan_count * sizeof mux->chans[0]);
}

void sy_mux_ping(sy_mux *mux, sy_time now) {
    sy_keepalive_ping_now(&mux->keepalive, now);
    /* With a ping in flight there is nothing to do; its deadline may not be judged here, because
     * the owner must hear of it. */
    if (mux->keepalive.pong_due_at == SY_NEVER) {
        const sy_keepalive_action action = sy_keepalive_on_expiry(&mux->keepalive, now);
        SY_ASSERT(action == SY_KEEPALIVE_SEND_PING);
        mux->ping_owed = true;
    }
}

sy_time sy_mux_next_expiry(const sy_mux *mux) {
    return sy_time_min(sy_keepalive_next_expiry(&mux->keepalive),
                       sy_time_min(mux->recv_ready_at, mux->send_ready_at));
}

void sy_mux_on_expiry(sy_mux *mux, bool *ret_check_dry, sy_time now) {
    if (now >= mux->recv_ready_at) {
        mux->recv_ready_at = SY_NEVER;
    }
    if (now >= mux->send_ready_at) {
        mux->send_ready_at = SY_NEVER;
    }
    *ret_check_dry = false;
    switch (sy_keepalive_on_expiry(&mux->keepalive, now)) {
    case SY_KEEPALIVE_NONE:
        return;
    case SY_KEEPALIVE_SEND_PING:
        mux->ping_owed = true;
        return;
    case SY_KEEPALIVE_CHECK_DRY:
        *ret_check_dry = true;
        return;
    }
    SY_UNREACHABLE();
}

sy_err sy_mux_on_read_dry(sy_mux *mux, sy_time now) {
    if (SY_MUTANT(PONG_BLOCKED) && mux->ping_owed) {
        return SY_OK;
    }
    if (mux->err == SY_OK) {
        mux->err = sy_keepalive_on_read_dry(&mux->keepalive, now);
    }
    return mux->err;
}

sy_time sy_mux_recv_ready_at(const sy_mux *mux) {
    return mux->recv_ready_at;
}

bool sy_mux_has_received(const sy_mux *mux) {
    return mux->stats.packets_received > 0;
}

bool sy_mux_at_boundary(const sy_mux *mux) {
    return mux->part == NULL && mux->open_messages == 0; /* SPEC MX-51 */
}

bool sy_mux_remote_has(const sy_mux *mux, uint16_t channel) {
    return channel < mux->chan_count && (mux->chans[channel].remote_has || SY_MUTANT(MX_UNLISTED));
}

void sy_mux_get_stats(const sy_mux *mux, sy_mux_stats *ret_stats) {
    *ret_stats = mux->stats;
    ret_stats->rtt_ns = mux->keepalive.rtt_ns;
}

void sy_mux_get_channel_stats(const sy_mux *mux, uint16_t channel,
                              sy_mux_channel_stats *ret_stats) {
    SY_REQUIRE(channel < mux->chan_count);
    const sy_mux_chan *chan = &mux->chans[channel];
    *ret_stats = (sy_mux_channel_stats){
        .bytes_received = chan->bytes_received,
        .bytes_sent = chan->bytes_sent,
        .messages_received = chan->messages_received,
        .messages_sent = chan->messages_sent,
        .queued_messages = chan->queued,
        .queued_bytes = chan->queued_bytes,
    };
}
