/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/support/fuzz_mux.h"

#include <string.h>

#include "conn/packet.h"

static const sy_channel_desc descs[FUZZ_CHANNELS] = {
    {.id = 0x00, .priority = 1, .recv_message_max = 100, .send_queue_max = 2},
    {.id = 0x20, .priority = 5, .recv_message_max = 5000, .send_queue_max = 3},
    {.id = 0x7f, .priority = 5, .recv_message_max = 70000, .send_queue_max = 8},
    {.id = 0x80, .traffic_class = SY_CLASS_CONTROL, .priority = 1, .recv_message_max = 3000},
    {.id = 0xff, .priority = 200, .recv_message_max = 70000, .send_queue_max = 20},
    {.id = 0x40, .priority = 1, .recv_message_max = 3000, .sink = true},
};

const uint8_t fuzz_channel_ids[FUZZ_CHANNELS] = {0x00, 0x20, 0x7f, 0x80, 0xff, 0x40};

void fuzz_channels(sy_channel_set *set, size_t payload_max) {
    sy_channel_set_init(set, payload_max);
    for (size_t i = 0; i < FUZZ_CHANNELS; i++) {
        FUZZ_CHECK(descs[i].id == fuzz_channel_ids[i]);
        FUZZ_CHECK(sy_channel_set_add(set, &descs[i]) == SY_OK);
    }
}

/* ---- expected messages ---- */

void fuzz_expect_add(fuzz_expect *expect, uint16_t channel, const uint8_t *data, size_t len) {
    FUZZ_CHECK(channel < FUZZ_CHANNELS);
    const uint32_t head = (uint32_t)len;
    fuzz_bytes_add(&expect->queue[channel], &head, sizeof head);
    fuzz_bytes_add(&expect->queue[channel], data, len);
}

void fuzz_expect_take(fuzz_expect *expect, uint16_t channel, const uint8_t *data, size_t len) {
    FUZZ_CHECK(channel < FUZZ_CHANNELS);
    fuzz_bytes *queue = &expect->queue[channel];
    uint32_t head = 0;
    FUZZ_CHECK(queue->len >= sizeof head);
    memcpy(&head, queue->data, sizeof head);
    FUZZ_CHECK(head == len);
    FUZZ_CHECK(len == 0 || memcmp(queue->data + sizeof head, data, len) == 0);
    fuzz_bytes_drop_front(queue, sizeof head + len);
}

bool fuzz_expect_is_empty(const fuzz_expect *expect) {
    for (size_t i = 0; i < FUZZ_CHANNELS; i++) {
        if (expect->queue[i].len > 0) {
            return false;
        }
    }
    return true;
}

void fuzz_expect_free(fuzz_expect *expect) {
    for (size_t i = 0; i < FUZZ_CHANNELS; i++) {
        fuzz_bytes_free(&expect->queue[i]);
    }
}

/* ---- the second reader ---- */

static sy_err on_packet(fuzz_demux *demux, const sy_packet *packet) {
    if (packet->kind != SY_PACKET_KIND_MSG) {
        demux->pings += packet->kind == SY_PACKET_KIND_PING ? 1 : 0;
        return SY_OK;
    }
    const uint8_t *found = memchr(fuzz_channel_ids, packet->channel, FUZZ_CHANNELS);
    if (found == NULL) {
        return SY_ERR_CHANNEL_UNKNOWN;
    }
    const uint16_t channel = (uint16_t)(found - fuzz_channel_ids);
    const sy_channel_desc *desc = &demux->set->desc[channel];
    fuzz_bytes *assembly = &demux->assembly[channel];
    fuzz_bytes_add(assembly, packet->data.data, packet->data.len);
    if (assembly->len > desc->recv_message_max && !demux->is_ours) {
        return SY_ERR_MESSAGE_TOO_LONG;
    }
    demux->in_message[channel] = !packet->eof;
    if (packet->eof) {
        if (!desc->sink || demux->is_ours) {
            demux->on_message(demux->expect, channel, assembly->data, assembly->len);
        }
        assembly->len = 0;
    }
    return SY_OK;
}

void fuzz_demux_add(fuzz_demux *demux, const uint8_t *data, size_t len) {
    fuzz_bytes_add(&demux->stream, data, len);
    size_t at = 0;
    while (demux->err == SY_OK && demux->stream.len > at) {
        sy_packet packet;
        demux->err = sy_packet_parse(demux->codec, demux->stream.data + at, demux->stream.len - at,
                                     demux->set->packet_payload_max, &packet, NULL);
        if (demux->err != SY_OK || packet.kind == SY_PACKET_KIND_MORE) {
            break;
        }
        demux->err = on_packet(demux, &packet);
        at += packet.len;
    }
    fuzz_bytes_drop_front(&demux->stream, at);
}

bool fuzz_demux_at_boundary(const fuzz_demux *demux) {
    for (size_t i = 0; i < FUZZ_CHANNELS; i++) {
        if (demux->in_message[i]) {
            return false;
        }
    }
    return demux->stream.len == 0;
}

void fuzz_demux_free(fuzz_demux *demux) {
    fuzz_bytes_free(&demux->stream);
    for (size_t i = 0; i < FUZZ_CHANNELS; i++) {
        fuzz_bytes_free(&demux->assembly[i]);
    }
}

sy_msg *fuzz_msg(fuzz_world *world, size_t len, uint8_t seed) {
    sy_msg *msg = NULL;
    if (sy_msg_new(&world->tm.mem, &world->node, NULL, len, &msg) != SY_OK) {
        FUZZ_CHECK(world->is_tight);
        return NULL;
    }
    if (len > 0) {
        memcpy(sy_msg_write_data(msg), fuzz_pattern(seed), len);
    }
    return msg;
}
