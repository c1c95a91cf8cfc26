/* SPDX-License-Identifier: Apache-2.0 */
#include "session_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/prng.h"
#include "base/wr.h"
#include "tests/support/test_hex.h"

const uint8_t fx_channel_ids[FX_CHANNELS] = {0x40, 0x20, 0x21, 0x22, 0x23,
                                             0x30, 0x38, 0x60, 0x61, 0x00};

const sy_profile *const fx_profiles[3] = {&sy_profile_tendermint, &sy_profile_cometbft,
                                          &sy_profile_plain};

/* ---- bytes ---- */

void fx_add(fx_bytes *bytes, const void *data, size_t len) {
    if (bytes->len + len > bytes->cap) {
        const size_t cap = 2 * (bytes->len + len);
        uint8_t *grown = bytes->data == NULL ? sy_mem_zalloc(sy_mem_libc(), cap)
                                             : sy_mem_resize(sy_mem_libc(), bytes->data, cap);
        cr_assert_not_null(grown);
        bytes->data = grown;
        bytes->cap = cap;
    }
    if (len > 0) {
        memcpy(bytes->data + bytes->len, data, len);
        bytes->len += len;
    }
}

void fx_add_hex(fx_bytes *bytes, const char *hex) {
    uint8_t raw[4096];
    fx_add(bytes, raw, test_hex(hex, raw, sizeof raw));
}

void fx_free(fx_bytes *bytes) {
    sy_mem_release(sy_mem_libc(), bytes->data);
    *bytes = (fx_bytes){.data = NULL};
}

void fx_add_prefixed(fx_bytes *bytes, const void *body, size_t len) {
    uint8_t prefix[10];
    sy_wr wr;
    sy_wr_init(&wr, prefix, sizeof prefix);
    sy_wr_uvarint(&wr, len);
    fx_add(bytes, prefix, wr.len);
    fx_add(bytes, body, len);
}

/* ---- loop ---- */

void fx_loop_init(fx_loop *loop) {
    test_mem_init(&loop->tm);
    sy_budget_init(&loop->budget, NULL, "node", SIZE_MAX);
    cr_assert_eq(sy_scratch_new(&loop->tm.mem, &loop->scratch), SY_OK);
    cr_assert_eq(sy_mux_batch_new(&loop->tm.mem, &loop->budget, &loop->batch), SY_OK);
    sy_channel_set_init(&loop->channels, SY_PACKET_PAYLOAD_MAX);
    for (size_t i = 0; i < FX_CHANNELS; i++) {
        const sy_channel_desc desc = {.id = fx_channel_ids[i],
                                      .priority = 5,
                                      .send_queue_max = 2000,
                                      .recv_message_max = 1 << 20};
        cr_assert_eq(sy_channel_set_add(&loop->channels, &desc), SY_OK);
    }
    loop->now = 1000 * SY_SEC;
}

void fx_loop_fini(fx_loop *loop) {
    sy_mux_batch_del(loop->batch);
    sy_scratch_del(loop->scratch);
    sy_budget_fini(&loop->budget);
    test_mem_fini(&loop->tm);
}

/* ---- node ---- */

static sy_err sign(void *user, const uint8_t *msg, size_t len, uint8_t ret_sig[SY_CONN_SIG_LEN]) {
    sy_node_key_sign(user, msg, len, ret_sig);
    return SY_OK;
}

static sy_text text_of(const char *text) {
    return (sy_text){.data = text, .len = strlen(text)};
}

void fx_node_init(fx_node *node, fx_loop *loop, const sy_profile *profile, uint8_t seed) {
    *node = (fx_node){.loop = loop, .profile = profile, .accepts = true};
    uint8_t key_seed[SY_SEED_LEN];
    memset(key_seed, seed, sizeof key_seed);
    sy_node_key_from_seed(key_seed, &node->key);
    const sy_node_id id = sy_node_key_id(&node->key);
    sy_node_id_format(&id, node->id_text);

    node->info = (sy_node_info){
        .id = text_of(node->id_text),
        .listen_addr = SY_TEXT("1.2.3.4:26656"),
        .network = SY_TEXT("test-chain"),
        .version = SY_TEXT("0.22.8"),
        .p2p_version = 8,
        .block_version = 11,
        .channels = fx_channel_ids,
        .channel_count = FX_CHANNELS,
        .moniker = SY_TEXT("node"),
    };
    sy_budget_init(&node->budget, &loop->budget, "peer", SIZE_MAX);
    node->config = (sy_session_config){
        .mem = &loop->tm.mem,
        .budget = &node->budget,
        .scratch = loop->scratch,
        .signer = {.sign = sign, .user = &node->key},
        .ours = &node->info,
        .channels = &loop->channels,
        .mux_batch = loop->batch,
    };
    memcpy(node->config.signer.pubkey, node->key.pubkey, SY_CONN_KEY_LEN);
    memset(node->config.eph_secret, 0x80 ^ seed, SY_CONN_KEY_LEN);
}

sy_err fx_node_open(fx_node *node) {
    return sy_session_new(node->profile, &node->config, node->loop->now, &node->session);
}

static void trace_free(chunk_trace *trace) {
    sy_mem_release(sy_mem_libc(), trace->text);
    *trace = (chunk_trace){.text = NULL};
}

void fx_node_fini(fx_node *node) {
    sy_session_del(node->session);
    node->session = NULL;
    sy_budget_fini(&node->budget);
    fx_free(&node->backlog);
    trace_free(&node->trace);
    for (size_t i = 0; i < FX_CHANNELS; i++) {
        trace_free(&node->received[i]);
        trace_free(&node->sent[i]);
    }
}

static uint64_t hash_of(const uint8_t *data, size_t len) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ data[i]) * 1099511628211u;
    }
    return hash;
}

static void add_message(chunk_trace *trace, uint16_t channel, const uint8_t *data, size_t len) {
    chunk_trace_add(trace, "message %u: %zu bytes, %016llx\n", channel, len,
                    (unsigned long long)hash_of(data, len));
}

static void on_event(fx_node *node, const sy_session_event *event) {
    char id[SY_NODE_ID_TEXT_CAP];
    switch (event->kind) {
    case SY_SESSION_NONE:
        return;
    case SY_SESSION_IDENTITY:
        cr_assert(!node->identified, "IDENTITY once");
        node->identified = true;
        node->proven = event->id_proven;
        node->remote_id = event->id;
        sy_node_id_format(&event->id, id);
        chunk_trace_add(&node->trace, "identity %s %s\n", id,
                        event->id_proven ? "proven" : "declared");
        return;
    case SY_SESSION_INFO:
        cr_assert(node->identified, "IDENTITY before INFO");
        cr_assert_null(node->remote, "INFO once");
        node->remote = event->info;
        chunk_trace_add(&node->trace, "info %.*s\n", (int)event->info->moniker.len,
                        event->info->moniker.data);
        if (node->accepts) {
            const sy_err err = sy_session_accept(node->session, node->loop->now);
            if (err != SY_OK) {
                node->err = err;
            }
        }
        return;
    case SY_SESSION_MESSAGE:
        cr_assert_not_null(event->message.data);
        node->messages++;
        add_message(&node->trace, event->message.channel, event->message.data, event->message.len);
        add_message(&node->received[event->message.channel], event->message.channel,
                    event->message.data, event->message.len);
        return;
    }
    cr_assert_fail("unknown event");
}

void fx_feed(fx_node *node, const void *data, size_t len) {
    fx_bytes all = node->backlog;
    node->backlog = (fx_bytes){.data = NULL};
    fx_add(&all, data, len);
    size_t taken = 0;
    while (node->err == SY_OK) {
        sy_session_event event;
        size_t used = SIZE_MAX;
        const sy_err err =
            sy_session_recv(node->session, taken < all.len ? all.data + taken : NULL,
                            all.len - taken, &used, &event, &node->detail, node->loop->now);
        if (err != SY_OK) {
            node->err = err;
            chunk_trace_add(&node->trace, "error %s\n", sy_err_name(err));
            break;
        }
        cr_assert(used <= all.len - taken);
        taken += used;
        on_event(node, &event);
        if (event.kind == SY_SESSION_NONE && (taken == all.len || used == 0)) {
            break;
        }
    }
    if (taken < all.len) {
        fx_add(&node->backlog, all.data + taken, all.len - taken);
    }
    fx_free(&all);
}

sy_err fx_pull(fx_node *node, fx_bytes *out) {
    for (;;) {
        uint8_t wire[SY_SCRATCH_WIRE_OUT_CAP];
        size_t len = 0;
        const bool wanted = sy_session_wants_send(node->session, node->loop->now);
        const sy_err err = sy_session_send(node->session, wire, sizeof wire, &len, node->loop->now);
        if (err != SY_OK) {
            return err;
        }
        cr_assert_eq(wanted, len > 0, "wants_send tells");
        if (len == 0) {
            return SY_OK;
        }
        fx_add(out, wire, len);
    }
}

/* One direction; returns whether anything moved. */
static bool move(fx_node *from, fx_node *to) {
    fx_bytes wire = {.data = NULL};
    (void)fx_pull(from, &wire);
    const bool moved = wire.len > 0;
    if (moved) {
        fx_feed(to, wire.data, wire.len);
    }
    fx_free(&wire);
    return moved;
}

void fx_settle(fx_node *a, fx_node *b) {
    bool moved = true;
    while (moved && a->err == SY_OK && b->err == SY_OK) {
        moved = move(a, b);
        moved = move(b, a) || moved;
    }
}

sy_send_result fx_queue(fx_node *node, uint16_t channel, uint64_t seed, size_t len) {
    sy_prng prng;
    sy_prng_init(&prng, seed);
    sy_msg *msg = NULL;
    if (sy_msg_new(&node->loop->tm.mem, NULL, NULL, len, &msg) != SY_OK) {
        return SY_SEND_FULL;
    }
    uint8_t *data = sy_msg_write_data(msg);
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)sy_prng_next(&prng);
    }
    const sy_send_result result = sy_mux_queue(sy_session_mux(node->session), channel, msg);
    if (result == SY_SEND_QUEUED) {
        add_message(&node->sent[channel], channel, data, len);
    }
    sy_msg_unref(msg);
    return result;
}

/* ---- raw remote ---- */

static const sy_transport_ops *transport_of(const sy_profile *profile) {
    if (profile == &sy_profile_plain) {
        return &sy_transport_bare;
    }
    return profile == &sy_profile_cometbft ? &sy_transport_cometbft : &sy_transport_secretbox;
}

void fx_raw_init(fx_raw *raw, fx_loop *loop, const sy_profile *profile, uint8_t seed) {
    *raw = (fx_raw){.proven = false};
    fx_node_init(&raw->as, loop, profile, seed);
    raw->transport = (sy_transport){.ops = transport_of(profile), .scratch = loop->scratch};
    cr_assert_eq(raw->transport.ops->init(&raw->transport, &raw->as.config), SY_OK);
}

void fx_raw_fini(fx_raw *raw) {
    raw->transport.ops->fini(&raw->transport);
    fx_free(&raw->out);
    fx_node_fini(&raw->as);
}

static void raw_recv(fx_raw *raw, const fx_bytes *in) {
    size_t taken = 0;
    while (taken < in->len) {
        sy_transport_event event;
        size_t used = 0;
        const sy_err err = raw->transport.ops->recv(
            &raw->transport, in->data + taken, in->len - taken, &used, &event, &raw->as.detail);
        cr_assert_eq(err, SY_OK, "%s", sy_err_name(err));
        raw->proven = raw->proven || event.kind == SY_TRANSPORT_PROVEN;
        taken += used;
    }
}

void fx_raw_handshake(fx_raw *raw, fx_node *node) {
    const sy_transport_ops *ops = raw->transport.ops;
    while (!ops->is_open(&raw->transport) || (ops->proves_id && !node->identified)) {
        while (ops->wants_send(&raw->transport)) {
            uint8_t wire[2 * SY_SEALED_LEN];
            size_t len = 0;
            cr_assert_eq(ops->send(&raw->transport, wire, sizeof wire, &len), SY_OK);
            fx_add(&raw->out, wire, len);
        }
        fx_raw_flush(raw, node);
        fx_bytes in = {.data = NULL};
        cr_assert_eq(fx_pull(node, &in), SY_OK);
        raw_recv(raw, &in);
        fx_free(&in);
    }
}

void fx_raw_write(fx_raw *raw, const void *data, size_t len, size_t piece) {
    const uint8_t *bytes = data;
    for (size_t at = 0; at < len; at += piece) {
        const size_t n = len - at < piece ? len - at : piece;
        uint8_t wire[SY_SEALED_LEN];
        size_t cap = 0;
        size_t wire_len = 0;
        uint8_t *plain = raw->transport.ops->plain_area(&raw->transport, wire, sizeof wire, &cap);
        cr_assert(n <= cap);
        memcpy(plain, bytes + at, n);
        cr_assert_eq(raw->transport.ops->emit(&raw->transport, n, wire, sizeof wire, &wire_len),
                     SY_OK);
        fx_add(&raw->out, wire, wire_len);
    }
}

void fx_raw_write_info(fx_raw *raw, size_t piece) {
    uint8_t body[SY_NODE_INFO_LEN_MAX];
    size_t len = 0;
    cr_assert_eq(
        sy_node_info_encode(raw->as.profile->codec, &raw->as.info, body, sizeof body, &len), SY_OK);
    fx_bytes all = {.data = NULL};
    fx_add_prefixed(&all, body, len);
    fx_raw_write(raw, all.data, all.len, piece);
    fx_free(&all);
}

void fx_raw_flush(fx_raw *raw, fx_node *node) {
    fx_bytes out = raw->out;
    raw->out = (fx_bytes){.data = NULL};
    fx_feed(node, out.data, out.len);
    fx_free(&out);
}
