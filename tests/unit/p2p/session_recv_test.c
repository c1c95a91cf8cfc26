/* SPDX-License-Identifier: Apache-2.0 */
/* A session as a stream parser: the same events however the bytes are cut, errors after what was
 * complete before them, back pressure that loses nothing, clean ends. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "session_fixture.h"

/* Packets of `count` messages with sizes that grow by step, over all channels. */
static void add_packets(fx_loop *loop, const sy_profile *profile, size_t count, size_t first,
                        size_t step, fx_bytes *out) {
    const sy_mux_config config = {
        .mem = &loop->tm.mem,
        .channels = &loop->channels,
        .codec = profile->codec == SY_NODE_INFO_AMINO ? SY_PACKET_AMINO : SY_PACKET_PROTO,
        .remote_channels = fx_channel_ids,
        .remote_channel_count = FX_CHANNELS,
    };
    sy_mux *mux = NULL;
    cr_assert_eq(sy_mux_new(&config, loop->now, &mux), SY_OK);
    for (size_t i = 0; i < count; i++) {
        const size_t len = first + i * step;
        sy_msg *msg = NULL;
        cr_assert_eq(sy_msg_new(&loop->tm.mem, NULL, NULL, len, &msg), SY_OK);
        memset(sy_msg_write_data(msg), (int)i, len);
        cr_assert_eq(sy_mux_queue(mux, (uint16_t)(i % FX_CHANNELS), msg), SY_SEND_QUEUED);
        sy_msg_unref(msg);
        if (i % 7 == 3) {
            sy_mux_ping(mux, loop->now);
        }
        uint8_t buf[4096];
        for (size_t len_out = sizeof buf; len_out > 0;) {
            sy_mux_send(mux, buf, sizeof buf, &len_out, loop->now);
            fx_add(out, buf, len_out);
        }
    }
    sy_mux_del(mux);
}

/* ---- chunking ---- */

typedef struct stream {
    fx_loop *loop;
    const sy_profile *profile;
    fx_bytes bytes;
} stream;

static void trace_end(const fx_node *node, chunk_trace *trace) {
    chunk_trace_add(trace, "%s%s\nboundary %d, unconsumed %zu\n",
                    node->trace.text == NULL ? "" : node->trace.text, node->detail.text,
                    sy_session_at_boundary(node->session),
                    node->err == SY_OK ? node->backlog.len : 0);
}

static void run_stream(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                       chunk_trace *trace) {
    stream *s = user;
    fx_node node;
    fx_node_init(&node, s->loop, s->profile, 1);
    sy_detail_clear(&node.detail);
    cr_assert_eq(fx_node_open(&node), SY_OK);
    fx_bytes sent = {.data = NULL};
    (void)fx_pull(&node, &sent);
    size_t at = 0;
    for (size_t i = 0; i < cut_count; i++) {
        fx_feed(&node, data + at, cut[i] - at);
        at = cut[i];
        (void)fx_pull(&node, &sent);
    }
    trace_end(&node, trace);
    fx_free(&sent);
    fx_node_fini(&node);
}

typedef struct ending {
    const char *name;
    const char *plain;    /* plaintext behind the messages, amino and proto alike */
    const char *wire;     /* bytes behind all frames */
    bool flip;            /* one bit of the last frame */
    sy_err err, err_bare; /* of sealed transports, of plain */
} ending;

static const ending endings[] = {
    {"good", "", "", false, SY_OK, SY_OK},
    {"packet of length 0", "00", "", false, SY_ERR_PACKET_TYPE, SY_ERR_PACKET_TYPE},
    {"packet too long", "ffff7f", "", false, SY_ERR_PACKET_TOO_LONG, SY_ERR_PACKET_TOO_LONG},
    {"packet cut", "0a", "", false, SY_OK, SY_OK},
    {"rest of a frame", "", "00112233", false, SY_OK, SY_ERR_PACKET_TYPE},
    {"frame forged", "", "", true, SY_ERR_FRAME_TAG, SY_OK},
};

static void capture(stream *s, const ending *end, size_t piece) {
    fx_node node;
    fx_raw raw;
    fx_node_init(&node, s->loop, s->profile, 1);
    fx_raw_init(&raw, s->loop, s->profile, 2);
    cr_assert_eq(fx_node_open(&node), SY_OK);
    fx_bytes sent = {.data = NULL};
    /* The handshake by hand, to keep what the remote says. */
    const sy_transport_ops *ops = raw.transport.ops;
    while (!ops->is_open(&raw.transport) || ops->wants_send(&raw.transport)) {
        uint8_t wire[2 * SY_SEALED_LEN];
        size_t len = 0;
        size_t used = 0;
        cr_assert_eq(ops->send(&raw.transport, wire, sizeof wire, &len), SY_OK);
        fx_add(&s->bytes, wire, len);
        fx_feed(&node, wire, len);
        sent.len = 0;
        cr_assert_eq(fx_pull(&node, &sent), SY_OK);
        for (size_t at = 0; at < sent.len && !ops->is_open(&raw.transport); at += used) {
            sy_transport_event event;
            cr_assert_eq(
                ops->recv(&raw.transport, sent.data + at, sent.len - at, &used, &event, NULL),
                SY_OK);
        }
    }
    fx_bytes plain = {.data = NULL};
    uint8_t body[1024];
    size_t len = 0;
    cr_assert_eq(sy_node_info_encode(s->profile->codec, &raw.as.info, body, sizeof body, &len),
                 SY_OK);
    fx_add_prefixed(&plain, body, len);
    add_packets(s->loop, s->profile, 25, 0, 61, &plain);
    fx_add_hex(&plain, end->plain);
    fx_raw_write(&raw, plain.data, plain.len, piece);
    if (end->flip) {
        raw.out.data[raw.out.len - 1] ^= 1;
    }
    fx_add(&s->bytes, raw.out.data, raw.out.len);
    fx_add_hex(&s->bytes, end->wire);
    fx_free(&plain);
    fx_free(&sent);
    fx_raw_fini(&raw);
    fx_node_fini(&node);
}

static size_t messages_in(const char *text) {
    size_t count = 0;
    for (const char *at = strstr(text, "\nmessage "); at != NULL;
         at = strstr(at + 1, "\nmessage ")) {
        count++;
    }
    return count;
}

/* SPEC-TEST MX-25 MX-51 MX-52 NI-01 STS-20 CC-24 PR-01 */
Test(session_recv, cuts_do_not_matter) {
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
            if (endings[i].flip && p == 2) {
                continue; /* nothing guards plain */
            }
            fx_loop loop;
            fx_loop_init(&loop);
            stream s = {.loop = &loop, .profile = fx_profiles[p]};
            capture(&s, &endings[i], 1024);

            chunk_trace whole = {.text = NULL};
            run_stream(&s, s.bytes.data, &s.bytes.len, 1, &whole);
            const sy_err err = p == 2 ? endings[i].err_bare : endings[i].err;
            const char *name = sy_err_name(err);
            cr_expect_eq(strstr(whole.text, "error") != NULL, err != SY_OK, "%s, %s: %s",
                         fx_profiles[p]->name, endings[i].name, whole.text);
            if (err != SY_OK) {
                cr_expect_not_null(strstr(whole.text, name), "%s, %s: %s", fx_profiles[p]->name,
                                   endings[i].name, whole.text);
            }
            const size_t messages = messages_in(whole.text);
            if (endings[i].flip) {
                cr_expect(messages > 15 && messages < 25, "those before the forged frame: %zu",
                          messages);
            } else {
                cr_expect_eq(messages, 25, "%s, %s: %s", fx_profiles[p]->name, endings[i].name,
                             whole.text);
            }
            const char *verdict =
                chunk_oracle(run_stream, &s, s.bytes.data, s.bytes.len, 60, 7 * p + i);
            cr_expect_null(verdict, "%s, %s: %s", fx_profiles[p]->name, endings[i].name, verdict);

            sy_mem_release(sy_mem_libc(), whole.text);
            fx_free(&s.bytes);
            fx_loop_fini(&loop);
        }
    }
}

/* NodeInfo and packets in one-byte frames, each frame fed alone or all at once. */
/* SPEC-TEST STS-20 CC-24 NI-01 */
Test(session_recv, frames_of_one_byte) {
    for (size_t p = 0; p < 3; p++) {
        for (int at_once = 0; at_once < 2; at_once++) {
            fx_loop loop;
            fx_loop_init(&loop);
            stream s = {.loop = &loop, .profile = fx_profiles[p]};
            fx_node node;
            fx_raw raw;
            fx_node_init(&node, &loop, fx_profiles[p], 1);
            fx_raw_init(&raw, &loop, fx_profiles[p], 2);
            cr_assert_eq(fx_node_open(&node), SY_OK);
            fx_raw_handshake(&raw, &node);
            fx_bytes packets = {.data = NULL};
            add_packets(&loop, s.profile, 12, 0, 9, &packets);
            fx_raw_write_info(&raw, 1);
            fx_raw_write(&raw, packets.data, packets.len, 1);
            const size_t step = at_once != 0 ? raw.out.len : (p == 2 ? 1 : SY_SEALED_LEN);
            for (size_t at = 0; at < raw.out.len; at += step) {
                fx_feed(&node, raw.out.data + at, step);
            }
            cr_expect_eq(node.err, SY_OK, "%s: %s", s.profile->name, sy_err_name(node.err));
            cr_expect_eq(node.messages, 12);
            cr_expect_eq(node.backlog.len, 0);
            fx_free(&packets);
            fx_raw_fini(&raw);
            fx_node_fini(&node);
            fx_loop_fini(&loop);
        }
    }
}

/* ---- back pressure ---- */

typedef struct duo {
    fx_loop loop;
    fx_node node;
    fx_raw raw;
} duo;

static void duo_open(duo *d, const sy_profile *profile, uint64_t recv_rate) {
    fx_loop_init(&d->loop);
    fx_node_init(&d->node, &d->loop, profile, 1);
    d->node.config.recv_rate = recv_rate;
    fx_raw_init(&d->raw, &d->loop, profile, 2);
    cr_assert_eq(fx_node_open(&d->node), SY_OK);
    fx_raw_handshake(&d->raw, &d->node);
    fx_raw_write_info(&d->raw, 1024);
    fx_raw_flush(&d->raw, &d->node);
    cr_assert_not_null(sy_session_mux(d->node.session));
}

static void duo_close(duo *d) {
    fx_raw_fini(&d->raw);
    fx_node_fini(&d->node);
    fx_loop_fini(&d->loop);
}

/* What waits for the rate shows as unconsumed bytes, is never lost, and costs at most a batch. */
/* SPEC-TEST MX-49 MX-51 */
Test(session_recv, rate_holds_back) {
    for (size_t p = 0; p < 3; p++) {
        for (size_t piece = 64; piece <= 1024; piece *= 4) {
            duo d;
            duo_open(&d, fx_profiles[p], 20000);
            const size_t idle = d.node.budget.used;
            fx_bytes packets = {.data = NULL};
            add_packets(&d.loop, fx_profiles[p], 100, 700, 0, &packets);
            fx_raw_write(&d.raw, packets.data, packets.len, piece);
            fx_raw_flush(&d.raw, &d.node);

            const sy_time start = d.loop.now;
            size_t turns = 0;
            while (d.node.err == SY_OK && d.node.messages < 100) {
                cr_assert_gt(d.node.backlog.len, 0, "%s: what waits is not consumed",
                             fx_profiles[p]->name);
                cr_expect(!sy_session_at_boundary(d.node.session) || d.node.backlog.len > 1);
                cr_expect_leq(d.node.budget.used, idle + SY_OPEN_BATCH * SY_FRAME_DATA_MAX + 8192);
                const sy_time ready = sy_session_recv_ready_at(d.node.session);
                cr_assert_neq(ready, SY_NEVER);
                cr_assert_gt(ready, d.loop.now);
                const size_t before = d.node.messages;
                fx_feed(&d.node, NULL, 0);
                cr_expect_eq(d.node.messages, before, "too early is harmless");
                d.loop.now = ready;
                fx_feed(&d.node, NULL, 0);
                cr_assert_lt(turns++, 1000);
            }
            cr_expect_eq(d.node.err, SY_OK);
            cr_expect_eq(d.node.messages, 100);
            cr_expect_eq(d.node.backlog.len, 0);
            cr_expect_eq(d.node.budget.used, idle, "nothing is held when it is through");
            cr_expect(sy_session_at_boundary(d.node.session));
            const sy_duration took = sy_time_since(d.loop.now, start);
            cr_expect(took > 3 * SY_SEC && took < 4 * SY_SEC, "70 KB at 20 KB/s: %llu ms",
                      (unsigned long long)(took / SY_MSEC));
            fx_free(&packets);
            duo_close(&d);
        }
    }
}

/* More messages than one batch of the multiplexer has room for. */
/* SPEC-TEST MX-25 */
Test(session_recv, more_messages_than_a_batch) {
    for (size_t p = 0; p < 3; p++) {
        duo d;
        duo_open(&d, fx_profiles[p], 0);
        const size_t idle = d.node.budget.used;
        fx_bytes packets = {.data = NULL};
        add_packets(&d.loop, fx_profiles[p], 5 * SY_MUX_BATCH_MESSAGES + 1, 1, 0, &packets);
        fx_raw_write(&d.raw, packets.data, packets.len, 1024);
        fx_raw_flush(&d.raw, &d.node);
        cr_expect_eq(d.node.messages, 5 * SY_MUX_BATCH_MESSAGES + 1, "%s", fx_profiles[p]->name);
        cr_expect_eq(d.node.backlog.len, 0);
        cr_expect_eq(d.node.budget.used, idle);
        fx_free(&packets);
        duo_close(&d);
    }
}

/* ---- errors and ends ---- */

/* SPEC-TEST MX-52 ER-03 ER-04 */
Test(session_recv, errors_stick) {
    for (size_t p = 0; p < 3; p++) {
        duo d;
        duo_open(&d, fx_profiles[p], 0);
        fx_bytes plain = {.data = NULL};
        add_packets(&d.loop, fx_profiles[p], 3, 10, 0, &plain);
        fx_add_hex(&plain, "00");
        add_packets(&d.loop, fx_profiles[p], 3, 10, 0, &plain);
        fx_raw_write(&d.raw, plain.data, plain.len, 1024);
        cr_assert_eq(fx_queue(&d.node, 0, 1, 100), SY_SEND_QUEUED);
        fx_raw_flush(&d.raw, &d.node);
        cr_expect_eq(d.node.err, SY_ERR_PACKET_TYPE);
        cr_expect_eq(d.node.messages, 3);

        sy_session_event event = {.kind = SY_SESSION_INFO};
        sy_detail detail;
        sy_detail_clear(&detail);
        uint8_t wire[SY_SCRATCH_WIRE_OUT_CAP];
        size_t n = 77;
        cr_expect_eq(sy_session_recv(d.node.session, wire, 5, &n, &event, &detail, d.loop.now),
                     SY_ERR_PACKET_TYPE);
        cr_expect_eq(n, 77, "outputs untouched");
        cr_expect_eq(event.kind, SY_SESSION_INFO);
        cr_expect_str_eq(detail.text, d.node.detail.text);
        cr_expect_eq(sy_session_recv(d.node.session, NULL, 0, &n, &event, NULL, d.loop.now),
                     SY_ERR_PACKET_TYPE, "without detail");
        cr_expect(!sy_session_wants_send(d.node.session, d.loop.now), "nothing is sent any more");
        cr_expect_eq(sy_session_send(d.node.session, wire, sizeof wire, &n, d.loop.now),
                     SY_ERR_PACKET_TYPE);
        cr_expect_eq(sy_session_accept(d.node.session, d.loop.now), SY_ERR_PACKET_TYPE);
        cr_expect(!sy_session_at_boundary(d.node.session));
        fx_free(&plain);
        duo_close(&d);
    }
}

/* A crypto error in the handshake: no event, and not one more byte from us. */
/* SPEC-TEST STS-06 CC-07 */
Test(session_recv, low_order_key_ends_it) {
    for (size_t p = 0; p < 2; p++) {
        fx_loop loop;
        fx_loop_init(&loop);
        fx_node node;
        fx_node_init(&node, &loop, fx_profiles[p], 1);
        cr_assert_eq(fx_node_open(&node), SY_OK);
        fx_bytes sent = {.data = NULL};
        cr_assert_eq(fx_pull(&node, &sent), SY_OK);
        uint8_t eph[35] = {0x21, 0x20};
        if (p == 1) {
            memcpy(eph, "\x22\x0a\x20", 3);
        }
        fx_feed(&node, eph, p == 0 ? 34 : 35);
        cr_expect_eq(node.err, SY_ERR_EPH_LOW_ORDER, "%s", sy_err_name(node.err));
        cr_expect(!node.identified);
        cr_expect(!sy_session_wants_send(node.session, loop.now));
        cr_expect_eq(fx_pull(&node, &sent), SY_ERR_EPH_LOW_ORDER);
        cr_expect_eq(sent.len, p == 0 ? 34 : 35);
        fx_free(&sent);
        fx_node_fini(&node);
        fx_loop_fini(&loop);
    }
}

/* SPEC-TEST MX-51 */
Test(session_recv, boundaries) {
    for (size_t p = 0; p < 3; p++) {
        duo d;
        duo_open(&d, fx_profiles[p], 0);
        cr_expect(sy_session_at_boundary(d.node.session), "nothing sent yet");
        fx_bytes plain = {.data = NULL};
        add_packets(&d.loop, fx_profiles[p], 1, 10, 0, &plain);
        fx_raw_write(&d.raw, plain.data, plain.len, 4);
        while (d.raw.out.len > 0) {
            /* One byte at a time: clean only before the first and after the last. */
            fx_feed(&d.node, d.raw.out.data, 1);
            memmove(d.raw.out.data, d.raw.out.data + 1, --d.raw.out.len);
            cr_expect_eq(sy_session_at_boundary(d.node.session), d.raw.out.len == 0,
                         "%s, %zu bytes to come", fx_profiles[p]->name, d.raw.out.len);
        }
        cr_expect_eq(d.node.messages, 1);
        fx_free(&plain);
        duo_close(&d);
    }
}
