/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/conn/mux_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/test_hex.h"

static void must(bool ok, const char *what) {
    if (!ok) {
        (void)fprintf(stderr, "mux_fixture: %s\n", what);
        abort();
    }
}

const char *codec_name(sy_packet_codec codec) {
    return codec == SY_PACKET_AMINO ? "amino" : "proto";
}

/* ---- the multiplexer ---- */

void fix_init(fix *f, sy_packet_codec codec, size_t payload_max) {
    memset(f, 0, sizeof *f);
    test_mem_init(&f->tm);
    sy_budget_init(&f->node, NULL, "node", SIZE_MAX / 2);
    sy_budget_init(&f->peer, &f->node, "peer", SIZE_MAX / 2);
    sy_channel_set_init(&f->set, payload_max);
    f->now = 1000 * SY_SEC;
    f->config = (sy_mux_config){.mem = &f->tm.mem,
                                .budget = &f->peer,
                                .channels = &f->set,
                                .codec = codec,
                                .remote_channels = f->remote};
}

uint16_t fix_add(fix *f, const sy_channel_desc *desc) {
    must(sy_channel_set_add(&f->set, desc) == SY_OK, "channel refused");
    f->remote[f->config.remote_channel_count++] = desc->id;
    return (uint16_t)(f->set.count - 1);
}

uint16_t fix_add_id(fix *f, uint8_t id) {
    return fix_add(f, &(sy_channel_desc){.id = id,
                                         .priority = 5,
                                         .send_queue_max = 100000,
                                         .send_queue_bytes_max = (size_t)1 << 30});
}

void fix_open(fix *f, bool shared_batch) {
    if (shared_batch) {
        must(sy_mux_batch_new(&f->tm.mem, &f->node, &f->batch) == SY_OK, "no batch");
    }
    f->config.batch = f->batch;
    must(sy_mux_new(&f->config, f->now, &f->mux) == SY_OK, "no multiplexer");
}

void fix_close(fix *f) {
    sy_mux_del(f->mux);
    sy_mux_batch_del(f->batch);
    f->mux = NULL;
    f->batch = NULL;
    must(f->peer.used == 0, "peer budget not returned");
    must(f->node.used == 0, "node budget not returned");
    test_mem_fini(&f->tm);
}

bool fix_budget_is_exact(const fix *f) {
    return f->tm.live_bytes == f->node.used;
}

uint8_t fix_byte(uint64_t seed, size_t i) {
    const uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15u + i * 0xd1342543de82ef95u;
    return (uint8_t)(x >> 37 ^ x >> 11);
}

static void fill(uint8_t *data, size_t len, uint64_t seed) {
    for (size_t i = 0; i < len; i++) {
        data[i] = fix_byte(seed, i);
    }
}

bool fix_content_is(const uint8_t *data, size_t len, uint64_t seed) {
    for (size_t i = 0; i < len; i++) {
        if (data[i] != fix_byte(seed, i)) {
            return false;
        }
    }
    return true;
}

sy_msg *fix_msg(fix *f, uint64_t seed, size_t len) {
    sy_msg *msg = NULL;
    must(sy_msg_new(&f->tm.mem, &f->node, NULL, len, &msg) == SY_OK, "no message");
    fill(sy_msg_write_data(msg), len, seed);
    return msg;
}

sy_send_result fix_queue(fix *f, uint16_t channel, uint64_t seed, size_t len) {
    sy_msg *msg = fix_msg(f, seed, len);
    const sy_send_result result = sy_mux_queue(f->mux, channel, msg);
    sy_msg_unref(msg);
    return result;
}

sy_err fix_recv(fix *f, const uint8_t *data, size_t len) {
    size_t consumed = SIZE_MAX;
    const sy_err err = sy_mux_recv(f->mux, data, len, &consumed, NULL, f->now);
    must(err != SY_OK || consumed == len, "recv left something");
    must(err == SY_OK || consumed == SIZE_MAX, "recv wrote its output on failure");
    return err;
}

/* ---- byte runs ---- */

void run_add(run *r, const void *data, size_t len) {
    if (r->len + len > r->cap) {
        r->cap = 2 * (r->len + len);
        r->data = realloc(r->data, r->cap);
        must(r->data != NULL, "no memory");
    }
    if (len > 0) {
        memcpy(r->data + r->len, data, len);
        r->len += len;
    }
}

void run_hex(run *r, const char *hex) {
    uint8_t bytes[4096];
    run_add(r, bytes, test_hex(hex, bytes, sizeof bytes));
}

void run_free(run *r) {
    free(r->data);
    *r = (run){0};
}

static void put_varint(run *r, uint64_t value) {
    while (value > 0x7f) {
        const uint8_t byte = (uint8_t)(value | 0x80);
        run_add(r, &byte, 1);
        value >>= 7;
    }
    const uint8_t byte = (uint8_t)value;
    run_add(r, &byte, 1);
}

void run_ping(run *r, sy_packet_codec codec) {
    run_hex(r, codec == SY_PACKET_AMINO ? "04 15c3d289" : "02 0a00");
}

void run_pong(run *r, sy_packet_codec codec) {
    run_hex(r, codec == SY_PACKET_AMINO ? "04 8a797fe2" : "02 1200");
}

void run_packet(run *r, sy_packet_codec codec, uint8_t id, bool eof, const uint8_t *data,
                size_t len) {
    run fields = {0};
    if (codec == SY_PACKET_AMINO) {
        run_hex(&fields, "b05b4f2c");
    }
    if (id != 0) {
        run_hex(&fields, "08");
        put_varint(&fields, id);
    }
    if (eof) {
        run_hex(&fields, "1001");
    }
    if (len > 0) {
        run_hex(&fields, "1a");
        put_varint(&fields, len);
        run_add(&fields, data, len);
    }
    if (codec == SY_PACKET_PROTO) {
        run inner = fields;
        fields = (run){0};
        run_hex(&fields, "1a");
        put_varint(&fields, inner.len);
        run_add(&fields, inner.data, inner.len);
        run_free(&inner);
    }
    put_varint(r, fields.len);
    run_add(r, fields.data, fields.len);
    run_free(&fields);
}

void run_message(run *r, sy_packet_codec codec, uint8_t id, uint64_t seed, size_t len,
                 size_t piece) {
    uint8_t *content = malloc(len + 1);
    must(content != NULL, "no memory");
    fill(content, len, seed);
    size_t at = 0;
    do {
        const size_t n = len - at < piece ? len - at : piece;
        run_packet(r, codec, id, at + n == len, content + at, n);
        at += n;
    } while (at < len);
    free(content);
}

void run_send(run *r, fix *f, size_t out_cap) {
    uint8_t *out = malloc(out_cap);
    must(out != NULL, "no memory");
    for (;;) {
        const bool wants = sy_mux_wants_send(f->mux, f->now);
        size_t len = SIZE_MAX;
        sy_mux_send(f->mux, out, out_cap, &len, f->now);
        must(len <= out_cap, "send wrote past its end");
        must(wants == (len > 0), "wants_send disagrees with send");
        if (len == 0) {
            break;
        }
        run_add(r, out, len);
    }
    free(out);
}
