/* SPDX-License-Identifier: Apache-2.0 */
/* Silence, stage by stage, and what comes too slowly.  How long it takes depends on
 * handshake_timeout, which --setting names. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cmd/yardspec/cases.h"

#define SLOP_MS 2000

static const spec_frame honest = {0};

typedef enum stage {
    AFTER_TCP,
    AFTER_HEAD,
    AFTER_KEY,
    AFTER_HALF_AUTH,
    AFTER_AUTH,
    AFTER_HALF_INFO,
} stage;

static const char *const stage_names[] = {
    "nothing at all",
    "three bytes",
    "an ephemeral key",
    "half a frame of the authentication message",
    "an authentication message",
    "a byte of NodeInfo",
};

static void send_half_auth(spec_peer *peer) {
    uint8_t msg[SY_AUTH_MSG_MAX];
    spec_bytes out = {0};
    spec_peer_seal_stream(peer, msg, spec_peer_encode_auth(peer, msg), &out);
    spec_peer_send(peer, out.data, out.len / 2);
    spec_bytes_fini(&out);
}

static spec_peer *dial_to(spec_run *run, stage at) {
    uint8_t msg[SY_EPH_MSG_MAX];
    spec_peer *peer;
    switch (at) {
    case AFTER_TCP:
        return spec_dial(run);
    case AFTER_HEAD:
        peer = spec_dial(run);
        if (peer != NULL) {
            (void)spec_peer_encode_ephemeral(peer, msg);
            spec_peer_send(peer, msg, 3);
        }
        return peer;
    case AFTER_KEY:
        return spec_dial_keys(run);
    case AFTER_HALF_AUTH:
        peer = spec_dial_keys(run);
        if (peer != NULL) {
            send_half_auth(peer);
        }
        return peer;
    case AFTER_AUTH:
        return spec_dial_auth(run);
    case AFTER_HALF_INFO:
        peer = spec_dial_auth(run);
        if (peer != NULL) {
            spec_peer_send_frame(peer, &honest, "\x53", 1);
        }
        return peer;
    }
    return NULL;
}

/* What a deadline may be late by. */
static long slop_of(long limit_ms) {
    return limit_ms / 2 < SLOP_MS ? limit_ms / 2 : SLOP_MS;
}

/* Closed within handshake_timeout after `begun`. */
static void judge_deadline(spec_run *run, spec_peer *peer, long begun) {
    const long limit = run->settings.handshake_ms;
    peer->timeout_ms = (int)(begun + limit + slop_of(limit) - spec_now_ms());
    peer->timeout_ms = peer->timeout_ms < 1 ? 1 : peer->timeout_ms;
    const spec_came came = spec_peer_need_raw(peer, (size_t)1 << 20);
    const double after = (double)(spec_now_ms() - begun) / 1000;
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed after %.2f s", after);
    } else {
        spec_fail(run, "that the connection is closed within handshake_timeout",
                  "after %.2f s it is open", after);
    }
}

static void run_silence(spec_run *run, const spec_row *row) {
    const long begun = spec_now_ms();
    spec_peer *peer = dial_to(run, (stage)row->arg);
    if (peer != NULL) {
        spec_note_sent(run, "%s, then nothing", stage_names[row->arg]);
        judge_deadline(run, peer, run->listen_fd >= 0 ? spec_now_ms() : begun);
    }
}

static void pause_for(long ms) {
    (void)poll(NULL, 0, (int)ms);
}

/* The authentication message comes late, and then nothing: the deadline is one for all steps. */
static void run_late(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_keys(run);
    const long begun = spec_now_ms();
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "the authentication message after 70 of 100 of the time, then nothing");
    pause_for(run->settings.handshake_ms * 7 / 10);
    uint8_t msg[SY_AUTH_MSG_MAX];
    spec_peer_send_stream(peer, msg, spec_peer_encode_auth(peer, msg));
    judge_deadline(run, peer, begun);
}

/* Slow, but in time. */
static void run_in_time(spec_run *run, const spec_row *row) {
    (void)row;
    const long step = run->settings.handshake_ms / 4;
    spec_peer *peer = spec_dial(run);
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "each of the three steps after a quarter of handshake_timeout");
    pause_for(step);
    if (!spec_do_keys(run, peer)) {
        return;
    }
    pause_for(step);
    if (!spec_do_auth(run, peer)) {
        return;
    }
    pause_for(step);
    if (spec_do_info(run, peer)) {
        spec_judge_open(run, peer);
    }
}

/* Bytes do not extend the deadline.  arg 0: bytes of the key, 1: frames with a byte of NodeInfo. */
static void run_trickle(spec_run *run, const spec_row *row) {
    const bool in_key = row->arg == 0;
    const long begun = spec_now_ms();
    spec_peer *peer = in_key ? spec_dial(run) : spec_dial_auth(run);
    spec_bytes bytes = {0};
    if (peer == NULL) {
        return;
    }
    if (in_key) {
        spec_bytes_fill(&bytes, SY_EPH_MSG_MAX, 0);
        (void)spec_peer_encode_ephemeral(peer, bytes.data);
    } else {
        spec_add_info(run, peer, &bytes);
    }
    const long step = run->settings.handshake_ms / 20;
    const long from = run->listen_fd >= 0 ? spec_now_ms() : begun;
    spec_note_sent(run, "a byte of the %s each %ld ms", in_key ? "ephemeral key" : "NodeInfo",
                   step);
    peer->timeout_ms = (int)step;
    for (size_t i = 0; i < 28 && !peer->ended; i++) {
        if (in_key) {
            spec_peer_send(peer, bytes.data + i, 1);
        } else {
            spec_peer_send_frame(peer, &honest, bytes.data + i, 1);
        }
        (void)spec_peer_need_raw(peer, (size_t)1 << 20);
        if (spec_now_ms() > from + run->settings.handshake_ms + SLOP_MS) {
            break;
        }
    }
    spec_bytes_fini(&bytes);
    judge_deadline(run, peer, from);
}

static const spec_row deadlines[] = {
    {"silent-tcp", "SW-02", NULL, "silence after TCP", .flags = SPEC_F_DEADLINE, .run = run_silence,
     .arg = AFTER_TCP},
    {"silent-head", "SW-02", NULL, "silence inside the ephemeral key", .flags = SPEC_F_DEADLINE,
     .run = run_silence, .arg = AFTER_HEAD},
    {"silent-key", "SW-02", NULL, "silence after the ephemeral key", .flags = SPEC_F_DEADLINE,
     .run = run_silence, .arg = AFTER_KEY},
    {"silent-frame", "SW-02", NULL, "silence inside the authentication message",
     .flags = SPEC_F_DEADLINE, .run = run_silence, .arg = AFTER_HALF_AUTH},
    {"silent-auth", "SW-02", NULL, "silence after authentication", .flags = SPEC_F_DEADLINE,
     .run = run_silence, .arg = AFTER_AUTH},
    {"silent-info", "SW-02", NULL, "silence inside NodeInfo", .flags = SPEC_F_DEADLINE,
     .run = run_silence, .arg = AFTER_HALF_INFO},
    {"silent-late", "SW-02", NULL, "authentication late, then silence", .flags = SPEC_F_DEADLINE,
     .run = run_late},
    {"slow-in-time", "SW-02", NULL, "slow steps, all in time", .flags = SPEC_F_DEADLINE,
     .run = run_in_time},
    {"trickle", "SW-02", NULL, "the ephemeral key byte by byte", .flags = SPEC_F_DEADLINE,
     .run = run_trickle, .arg = 0},
    {"trickle-info", "SW-02", NULL, "NodeInfo byte by byte", .flags = SPEC_F_DEADLINE,
     .run = run_trickle, .arg = 1},
};

const spec_group spec_group_deadlines = {"deadlines", deadlines,
                                         sizeof deadlines / sizeof deadlines[0], NULL};

/* ---- Keepalive ------------------------------------------------------------------------------- */

/* Waits for the target's ping; what else comes goes by.  false: the case has failed. */
static bool want_ping(spec_run *run, spec_peer *peer) {
    sy_packet packet;
    spec_came came;
    peer->timeout_ms = (int)run->settings.ping_ms + SLOP_MS;
    do {
        came = spec_peer_recv_packet(peer, &packet);
    } while (came == SPEC_CAME_DATA && packet.kind != SY_PACKET_KIND_PING);
    if (came != SPEC_CAME_DATA) {
        spec_fail(run, "a ping", "%s", spec_came_text(run, peer, came));
    }
    return came == SPEC_CAME_DATA;
}

/* arg 1: traffic of ours does not delay the ping. */
static void run_ping(spec_run *run, const spec_row *row) {
    const long begun = spec_now_ms();
    spec_peer *peer = spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    if (row->arg == 1) {
        spec_note_sent(run, "pings of ours all the time");
        const long until = spec_now_ms() + run->settings.ping_ms * 9 / 10;
        while (spec_now_ms() < until && spec_do_open(run, peer)) {
            (void)poll(NULL, 0, 50);
        }
    }
    if (!peer->ended && !want_ping(run, peer)) {
        return;
    }
    const double after = (double)(spec_now_ms() - begun) / 1000;
    const double limit = (double)run->settings.ping_ms / 1000;
    const double slop = (double)slop_of(run->settings.ping_ms) / 1000;
    if (after < limit * 0.9 || after > limit + slop) {
        spec_fail(run, "a ping after ping_interval", "one after %.2f s", after);
    } else {
        spec_peer_send_pong(peer);
        spec_pass(run, "a ping after %.2f s", after);
    }
}

/* No pong comes.  arg 0: nothing does; 1: pings and pieces of messages do. */
static void run_no_pong(spec_run *run, const spec_row *row) {
    spec_peer *peer = spec_dial_open(run);
    sy_packet packet;
    if (peer == NULL || !want_ping(run, peer)) {
        return;
    }
    spec_note_sent(run, row->arg == 0 ? "no pong" : "pings of ours, but no pong");
    const long begun = spec_now_ms();
    const long limit = run->settings.pong_ms;
    peer->timeout_ms = 100;
    while (!peer->ended && spec_now_ms() < begun + limit + SLOP_MS) {
        if (row->arg == 1) {
            spec_peer_send_ping(peer);
        }
        while (spec_peer_recv_packet(peer, &packet) == SPEC_CAME_DATA) {
        }
    }
    const double after = (double)(spec_now_ms() - begun) / 1000;
    if (peer->ended && after > (double)limit / 1000 * 0.9) {
        spec_pass(run, "the connection was closed after %.2f s", after);
    } else {
        spec_fail(run, "that the connection is closed after pong_timeout", "after %.2f s it is %s",
                  after, peer->ended ? "closed" : "open");
    }
}

/* Pongs come, and nothing else: it stays over two pings. */
static void run_alive(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    for (int i = 0; i < 2; i++) {
        if (peer == NULL || !want_ping(run, peer)) {
            return;
        }
        spec_peer_send_pong(peer);
    }
    spec_note_sent(run, "pongs, and nothing else");
    peer->timeout_ms = run->timeout_ms;
    spec_judge_open(run, peer);
}

/* We ask for more than sockets hold, read nothing, and answer no ping: the target must give up
 * though it cannot write.  What it had written is still there; what it had not never comes. */
static void run_deaf(spec_run *run, const spec_row *row) {
    const size_t len = 262144;
    const size_t count = 160;
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    spec_bytes message = {0};
    spec_bytes out = {0};
    spec_bytes_fill(&message, len, 'd');
    spec_peer_add_message(peer, spec_served_channel(run), message.data, len, &out);
    peer->deaf = true;
    peer->timeout_ms = 500;
    for (size_t i = 0; i < count; i++) {
        spec_peer_send_stream(peer, out.data, out.len);
    }
    spec_note_sent(run, "up to 40 MiB to be echoed; nothing is read");
    pause_for(run->settings.ping_ms + run->settings.pong_ms + SLOP_MS);
    /* A target that gave up has closed: all that comes is what the sockets held. */
    peer->timeout_ms = 500;
    while (!peer->ended && spec_peer_need_raw(peer, peer->raw.len + 1) == SPEC_CAME_DATA) {
        spec_bytes_drop(&peer->raw, peer->raw.len);
    }
    spec_bytes_fini(&message);
    spec_bytes_fini(&out);
    if (peer->ended) {
        spec_pass(run, "the connection was closed, %zu bytes were on their way", peer->received);
    } else {
        spec_fail(run, "that the connection is closed", "%zu bytes came, and it is open",
                  peer->received);
    }
}

static const spec_row keepalive[] = {
    {"keepalive-ping", "MX-37", NULL, "the target pings after ping_interval", .flags = SPEC_F_KEEP,
     .run = run_ping},
    {"keepalive-traffic", "MX-37", NULL, "... whatever else is sent", .flags = SPEC_F_KEEP,
     .run = run_ping, .arg = 1},
    {"keepalive-stays", "MX-37", NULL, "pongs keep a connection open", .flags = SPEC_F_KEEP,
     .run = run_alive},
    {"keepalive-end", "MX-38", NULL, "no pong ends the connection", .flags = SPEC_F_KEEP,
     .run = run_no_pong},
    {"keepalive-pings", "MX-38", NULL, "nothing but a pong is an answer", .flags = SPEC_F_KEEP,
     .run = run_no_pong, .arg = 1},
    {"keepalive-deaf", "MX-40", NULL, "... also while its writes are blocked",
     .flags = SPEC_F_KEEP | SPEC_F_ECHO, .run = run_deaf},
};

const spec_group spec_group_keepalive = {"keepalive", keepalive,
                                         sizeof keepalive / sizeof keepalive[0], NULL};
