/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/support/mux_rig.h"

#include <string.h>

#include "conn/packet.h"

bool mux_rig_init(mux_rig *r, sy_packet_codec codec, fuzz_in *in) {
    static const size_t payload_maxes[] = {1024, 1, 7, 100, 4096, 65536, 1024, 1024};
    memset(r, 0, sizeof *r);
    const uint8_t flags = fuzz_u8(in);
    r->codec = codec;
    fuzz_world_init(&r->world, in);
    fuzz_channels(&r->set, payload_maxes[flags % 8]);
    r->now = SY_SEC;
    r->has_rates = (flags & 0x20) != 0;
    r->in_reader = (fuzz_demux){
        .codec = codec, .set = &r->set, .on_message = fuzz_expect_add, .expect = &r->incoming};
    r->out_reader = r->in_reader;
    r->out_reader.on_message = fuzz_expect_take;
    r->out_reader.expect = &r->outgoing;
    r->out_reader.is_ours = true;
    if ((flags & 0x10) != 0 &&
        sy_mux_batch_new(&r->world.tm.mem, &r->world.node, &r->batch) != SY_OK) {
        return false;
    }
    const sy_mux_config config = {.mem = &r->world.tm.mem,
                                  .budget = &r->world.conn,
                                  .channels = &r->set,
                                  .codec = codec,
                                  .remote_channels = fuzz_channel_ids,
                                  .remote_channel_count = FUZZ_CHANNELS - (flags >> 6) % 2,
                                  .send_rate = r->has_rates ? 20000 : 0,
                                  .recv_rate = r->has_rates ? 30000 : 0,
                                  .batch = r->batch};
    return sy_mux_new(&config, r->now, &r->mux) == SY_OK;
}

void mux_rig_fini(mux_rig *r) {
    sy_mux_del(r->mux);
    sy_mux_batch_del(r->batch);
    fuzz_demux_free(&r->in_reader);
    fuzz_demux_free(&r->out_reader);
    fuzz_expect_free(&r->incoming);
    fuzz_expect_free(&r->outgoing);
    fuzz_bytes_free(&r->pending);
    fuzz_world_fini(&r->world);
}

static void failed(mux_rig *r, sy_err err) {
    size_t n = 0;
    uint8_t byte = 0;
    fuzz_check_err(err, &r->world);
    FUZZ_CHECK(r->err == SY_OK || r->err == err);
    r->err = err;
    FUZZ_CHECK(sy_mux_recv(r->mux, &byte, 1, &n, NULL, r->now) == err);
    FUZZ_CHECK(!sy_mux_wants_send(r->mux, r->now));
}

static void take_messages(mux_rig *r) {
    sy_mux_message message;
    while (sy_mux_next_message(r->mux, &message)) {
        FUZZ_CHECK(message.data != NULL);
        fuzz_expect_take(&r->incoming, message.channel, message.data, message.len);
    }
}

void mux_rig_feed(mux_rig *r, size_t len) {
    const size_t n = len < r->pending.len ? len : r->pending.len;
    uint8_t *in = fuzz_exact(r->pending.data, n);
    size_t done = 0;
    size_t consumed = 1;
    while (r->err == SY_OK && consumed > 0 && done < n) {
        sy_detail detail = {.text = ""};
        consumed = SIZE_MAX;
        const sy_err err = sy_mux_recv(r->mux, in + done, n - done, &consumed, &detail, r->now);
        fuzz_world_check(&r->world);
        take_messages(r);
        fuzz_check_detail(&detail);
        if (err != SY_OK) {
            FUZZ_CHECK(consumed == SIZE_MAX);
            failed(r, err);
            break;
        }
        FUZZ_CHECK(consumed <= n - done);
        done += consumed;
        FUZZ_CHECK(done == n || consumed > 0 || sy_mux_recv_ready_at(r->mux) > r->now);
    }
    sy_mux_batch_done(r->mux);
    fuzz_bytes_drop_front(&r->pending, done);
    fuzz_exact_del(in);
}

void mux_rig_send(mux_rig *r, size_t cap) {
    static uint8_t out[UINT16_MAX];
    size_t len = SIZE_MAX;
    const bool wants = sy_mux_wants_send(r->mux, r->now);
    sy_mux_send(r->mux, out, cap, &len, r->now);
    FUZZ_CHECK(len <= cap && (cap == 0 || wants == (len > 0)));
    fuzz_demux_add(&r->out_reader, out, len);
    FUZZ_CHECK(r->out_reader.err == SY_OK);
}

void mux_rig_queue(mux_rig *r, uint8_t op, fuzz_in *in) {
    const uint16_t channel = op % (FUZZ_CHANNELS + 1);
    const size_t len = fuzz_u16(in) % (64 * r->set.packet_payload_max);
    sy_msg *msg = fuzz_msg(&r->world, len, op);
    if (msg == NULL) {
        return;
    }
    const sy_send_result result = sy_mux_queue(r->mux, channel, msg);
    if (result == SY_SEND_QUEUED) {
        FUZZ_CHECK(r->err == SY_OK && sy_mux_remote_has(r->mux, channel));
        fuzz_expect_add(&r->outgoing, channel, sy_msg_data(msg), sy_msg_len(msg));
    }
    sy_msg_unref(msg);
}

void mux_rig_packet(mux_rig *r, uint8_t op, fuzz_in *in) {
    static const uint8_t ids[] = {0x00, 0x20, 0x7f, 0x80, 0xff, 0x40, 0x41, 0x20};
    static uint8_t bytes[SY_PACKET_OVERHEAD + 65536 + 1];
    const size_t len = fuzz_u16(in) % (r->set.packet_payload_max + 2);
    const size_t header = sy_packet_write_header(r->codec, ids[op % 8], (op & 8) != 0, len, bytes);
    memcpy(bytes + header, fuzz_pattern(op), len);
    fuzz_bytes_add(&r->pending, bytes, header + len);
    fuzz_demux_add(&r->in_reader, bytes, header + len);
}

void mux_rig_raw(mux_rig *r, sy_bytes bytes, size_t times) {
    for (size_t i = 0; i < times; i++) {
        fuzz_bytes_add(&r->pending, bytes.data, bytes.len);
        fuzz_demux_add(&r->in_reader, bytes.data, bytes.len);
    }
}

void mux_rig_control(mux_rig *r, uint8_t op, fuzz_in *in) {
    uint8_t bytes[SY_PACKET_OVERHEAD];
    const size_t len = (op & 1) != 0 ? sy_packet_write_ping(r->codec, bytes)
                                     : sy_packet_write_pong(r->codec, bytes);
    mux_rig_raw(r, (sy_bytes){bytes, len}, (op & 2) != 0 ? fuzz_u8(in) : 1);
}

void mux_rig_time(mux_rig *r, fuzz_in *in) {
    r->now += fuzz_duration(in);
    bool check_dry = false;
    sy_mux_on_expiry(r->mux, &check_dry, r->now);
    r->is_overdue = r->is_overdue || check_dry;
}

void mux_rig_read_dry(mux_rig *r) {
    const sy_err err = sy_mux_on_read_dry(r->mux, r->now);
    if (err != SY_OK) {
        FUZZ_CHECK(r->err == err || (err == SY_ERR_PONG_TIMEOUT && r->is_overdue));
        failed(r, err);
    }
}

void mux_rig_settle(mux_rig *r) {
    const unsigned rounds_max = r->has_rates ? 10000 : 100;
    for (unsigned i = 0; i < rounds_max && r->err == SY_OK; i++) {
        const size_t before = r->pending.len;
        mux_rig_feed(r, before);
        mux_rig_send(r, UINT16_MAX);
        if (r->pending.len == 0 && sy_mux_is_drained(r->mux)) {
            break;
        }
        r->now += r->has_rates ? 100 * SY_MSEC : 0;
    }
}

void mux_rig_check_end(const mux_rig *r) {
    if (r->err == SY_OK) {
        FUZZ_CHECK(r->pending.len == 0 && r->in_reader.err == SY_OK);
        FUZZ_CHECK(sy_mux_is_drained(r->mux) && fuzz_expect_is_empty(&r->outgoing));
        FUZZ_CHECK(sy_mux_at_boundary(r->mux) == fuzz_demux_at_boundary(&r->in_reader));
    }
    if (r->err == SY_OK || r->err == r->in_reader.err) {
        FUZZ_CHECK(fuzz_expect_is_empty(&r->incoming));
    } else {
        const bool is_local = sy_err_class_of(r->err) == SY_ERR_CLASS_LOCAL;
        FUZZ_CHECK(is_local || r->err == SY_ERR_PONG_TIMEOUT ||
                   (r->err == SY_ERR_PING_FLOOD && r->in_reader.pings > SY_PING_BURST));
    }
}
