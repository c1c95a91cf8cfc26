/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/support/fuzz_peer.h"

#include <string.h>

#include "tests/fuzz/support/fuzz_conn.h"

#define ROOM (SIZE_MAX / 4)

void fuzz_loop_init(fuzz_loop *loop, uint8_t flags, fuzz_in *in) {
    memset(loop, 0, sizeof *loop);
    fuzz_world_init(&loop->world, in);
    fuzz_channels(&loop->channels, 1024);
    loop->now = SY_SEC;
    loop->has_rates = (flags & 2) != 0;
    (void)fuzz_scratch();
    if ((flags & 1) != 0 &&
        sy_mux_batch_new(&loop->world.tm.mem, &loop->world.node, &loop->batch) != SY_OK) {
        loop->batch = NULL;
    }
}

void fuzz_loop_fini(fuzz_loop *loop) {
    sy_mux_batch_del(loop->batch);
    fuzz_world_fini(&loop->world);
}

void fuzz_peer_init(fuzz_peer *peer, fuzz_loop *loop, const uint8_t pubkey[32]) {
    *peer = (fuzz_peer){.loop = loop};
    sy_budget_init(&peer->budget, &loop->world.conn, "peer", ROOM);
    const sy_node_id id = sy_node_id_of_pubkey(pubkey);
    sy_node_id_format(&id, peer->id_text);
    peer->ours = (sy_node_info){.id = {peer->id_text, SY_NODE_ID_TEXT_LEN},
                                .listen_addr = SY_TEXT("1.2.3.4:26656"),
                                .network = SY_TEXT("fuzz"),
                                .version = SY_TEXT("0.22.8"),
                                .p2p_version = 8,
                                .block_version = 11,
                                .channels = fuzz_channel_ids,
                                .channel_count = FUZZ_CHANNELS,
                                .moniker = SY_TEXT("peer")};
}

void fuzz_peer_fini(fuzz_peer *peer) {
    sy_session_del(peer->session);
    FUZZ_CHECK(peer->budget.used == 0);
    sy_budget_fini(&peer->budget);
    fuzz_bytes_free(&peer->out);
}

/* A failure: judged once, and the same from then on. */
static void failed(fuzz_peer *peer, sy_err err) {
    static const uint8_t byte[1] = {0x21};
    fuzz_check_err(err, &peer->loop->world);
    FUZZ_CHECK(peer->err == SY_OK);
    peer->err = err;
    if (peer->session != NULL) {
        size_t n = SIZE_MAX;
        sy_session_event event;
        FUZZ_CHECK(sy_session_recv(peer->session, byte, 1, &n, &event, NULL, peer->loop->now) ==
                   err);
        FUZZ_CHECK(n == SIZE_MAX && !sy_session_wants_send(peer->session, peer->loop->now));
        FUZZ_CHECK(!sy_session_at_boundary(peer->session));
    }
}

void fuzz_peer_open(fuzz_peer *peer, const sy_profile *profile, const sy_signer *signer,
                    const uint8_t eph_secret[32]) {
    fuzz_loop *loop = peer->loop;
    sy_session_config config = {.mem = &loop->world.tm.mem,
                                .budget = &peer->budget,
                                .scratch = fuzz_scratch(),
                                .signer = *signer,
                                .ours = &peer->ours,
                                .channels = &loop->channels,
                                .send_rate = loop->has_rates ? 40000 : 0,
                                .recv_rate = loop->has_rates ? 30000 : 0,
                                .mux_batch = loop->batch};
    memcpy(config.eph_secret, eph_secret, sizeof config.eph_secret);
    const sy_err err = sy_session_new(profile, &config, loop->now, &peer->session);
    if (err != SY_OK) {
        failed(peer, err);
    }
    fuzz_world_check(&loop->world);
}

void fuzz_peer_accept(fuzz_peer *peer) {
    if (peer->err != SY_OK || !peer->has_info || peer->is_open) {
        return;
    }
    const sy_err err = sy_session_accept(peer->session, peer->loop->now);
    if (err != SY_OK) { /* a switch ends the connection */
        fuzz_check_err(err, &peer->loop->world);
        peer->err = err;
        return;
    }
    peer->is_open = true;
    FUZZ_CHECK(sy_session_mux(peer->session) != NULL);
}

static void take_info(fuzz_peer *peer, const sy_session_event *event) {
    const sy_node_info_codec codec = sy_session_profile(peer->session)->codec;
    sy_detail detail = {.text = ""};
    FUZZ_CHECK(peer->is_identified && !peer->has_info && sy_session_mux(peer->session) == NULL);
    peer->has_info = true;
    if (sy_node_info_validate(codec, event->info, SY_OK, &detail) == SY_OK &&
        sy_node_info_compatible(codec, &peer->ours, event->info, &detail) == SY_OK &&
        sy_node_info_check_id(event->info, &peer->remote_id, &detail) == SY_OK) {
        FUZZ_CHECK(event->info->channel_count <= SY_NODE_INFO_CHANNELS_MAX);
    }
    fuzz_check_detail(&detail);
    if (!peer->accepts_late) {
        fuzz_peer_accept(peer);
    }
}

static void take_event(fuzz_peer *peer, const sy_session_event *event) {
    switch (event->kind) {
    case SY_SESSION_NONE:
        return;
    case SY_SESSION_IDENTITY:
        FUZZ_CHECK(!peer->is_identified);
        peer->is_identified = true;
        peer->remote_id = event->id;
        return;
    case SY_SESSION_INFO:
        take_info(peer, event);
        return;
    case SY_SESSION_MESSAGE:
        FUZZ_CHECK(peer->is_open && event->message.data != NULL);
        peer->on_message(peer->user, event->message.channel, event->message.data,
                         event->message.len);
        return;
    }
}

/* One call; true as long as there may be more. */
static bool recv_once(fuzz_peer *peer, const uint8_t *in, size_t len, size_t *done) {
    size_t consumed = SIZE_MAX;
    sy_detail detail = {.text = ""};
    sy_session_event event = {.kind = SY_SESSION_NONE};
    const sy_err err = sy_session_recv(peer->session, in + *done, len - *done, &consumed, &event,
                                       &detail, peer->loop->now);
    fuzz_check_detail(&detail);
    if (err != SY_OK) {
        FUZZ_CHECK(consumed == SIZE_MAX && event.kind == SY_SESSION_NONE);
        failed(peer, err);
        return false;
    }
    FUZZ_CHECK(consumed <= len - *done);
    *done += consumed;
    take_event(peer, &event);
    if (event.kind != SY_SESSION_MESSAGE) {
        fuzz_world_check(&peer->loop->world);
        FUZZ_CHECK(peer->is_identified || peer->budget.used <= SY_PRE_AUTH_MAX ||
                   sy_session_profile(peer->session) == &sy_profile_plain);
    }
    return peer->err == SY_OK && (event.kind != SY_SESSION_NONE || consumed > 0);
}

void fuzz_peer_feed(fuzz_peer *peer, fuzz_bytes *wire, size_t len) {
    if (peer->session == NULL || peer->err != SY_OK) {
        return;
    }
    const size_t n = len < wire->len ? len : wire->len;
    uint8_t *in = fuzz_exact(wire->data, n);
    size_t done = 0;
    while (recv_once(peer, in, n, &done)) {
    }
    if (peer->err == SY_OK && done < n) {
        FUZZ_CHECK((peer->has_info && !peer->is_open) ||
                   sy_session_recv_ready_at(peer->session) > peer->loop->now);
    }
    FUZZ_CHECK(n == 0 || memcmp(in, wire->data, n) == 0);
    fuzz_exact_del(in);
    fuzz_bytes_drop_front(wire, done);
    fuzz_world_check(&peer->loop->world);
}

bool fuzz_peer_send(fuzz_peer *peer) {
    if (peer->session == NULL || peer->err != SY_OK) {
        return false;
    }
    uint8_t *out = sy_scratch_wire_out(fuzz_scratch());
    size_t len = SIZE_MAX;
    const bool wants = sy_session_wants_send(peer->session, peer->loop->now);
    const sy_err err =
        sy_session_send(peer->session, out, SY_SCRATCH_WIRE_OUT_CAP, &len, peer->loop->now);
    if (err != SY_OK) {
        FUZZ_CHECK(len == SIZE_MAX);
        failed(peer, err);
        return false;
    }
    FUZZ_CHECK(len <= SY_SCRATCH_WIRE_OUT_CAP && wants == (len > 0));
    fuzz_bytes_add(&peer->out, out, len);
    fuzz_world_check(&peer->loop->world);
    return len > 0;
}

void fuzz_peer_send_all(fuzz_peer *peer) {
    while (fuzz_peer_send(peer)) {
    }
}

bool fuzz_peer_queue(fuzz_peer *peer, uint16_t channel, size_t len, uint8_t seed) {
    if (peer->err != SY_OK || !peer->is_open) {
        return false;
    }
    sy_msg *msg = fuzz_msg(&peer->loop->world, len, seed);
    if (msg == NULL) {
        return false;
    }
    const sy_send_result result = sy_mux_queue(sy_session_mux(peer->session), channel, msg);
    sy_msg_unref(msg);
    fuzz_world_check(&peer->loop->world);
    return result == SY_SEND_QUEUED;
}

void fuzz_peer_time(fuzz_peer *peer, bool is_dry) {
    if (peer->err != SY_OK || !peer->is_open) {
        return;
    }
    bool check_dry = false;
    sy_mux *mux = sy_session_mux(peer->session);
    sy_mux_on_expiry(mux, &check_dry, peer->loop->now);
    if (check_dry && is_dry) {
        const sy_err err = sy_mux_on_read_dry(mux, peer->loop->now);
        if (err != SY_OK) { /* a switch ends the connection */
            FUZZ_CHECK(err == SY_ERR_PONG_TIMEOUT);
            peer->err = err;
        }
    }
}

bool fuzz_peer_is_quiet(fuzz_peer *peer) {
    if (peer->session == NULL || peer->err != SY_OK) {
        return true;
    }
    if (sy_session_wants_send(peer->session, peer->loop->now)) {
        return false;
    }
    if (peer->is_open && !sy_mux_is_drained(sy_session_mux(peer->session))) {
        return false;
    }
    return sy_session_recv_ready_at(peer->session) == SY_NEVER;
}
