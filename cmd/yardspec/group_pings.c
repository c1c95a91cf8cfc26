/* SPDX-License-Identifier: Apache-2.0 */
/* Pings, pongs, and the end of the stream. */
#include <stdlib.h>
#include <string.h>

#include "cmd/yardspec/cases.h"

static const spec_frame honest = {0};

static void add_piece(const spec_peer *peer, uint8_t channel, bool eof, const char *text,
                      spec_bytes *out) {
    uint8_t head[SY_PACKET_OVERHEAD];
    const size_t len = strlen(text);
    spec_bytes_add(out, head,
                   sy_packet_write_header(spec_peer_codec(peer), channel, eof, len, head));
    spec_bytes_add(out, text, len);
}

/* ---- Ping and pong --------------------------------------------------------------------------- */

static void send_pings(spec_peer *peer, long count) {
    uint8_t ping[SY_PACKET_OVERHEAD];
    const size_t len = sy_packet_write_ping(spec_peer_codec(peer), ping);
    spec_bytes out = {0};
    for (long i = 0; i < count; i++) {
        spec_bytes_add(&out, ping, len);
    }
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
}

static void run_pings(spec_run *run, const spec_row *row) {
    spec_peer *peer = spec_dial_info(run);
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "%ld pings at once", row->arg);
    send_pings(peer, row->arg);
    if (row->expect == SPEC_REFUSE) {
        const long until = spec_now_ms() + peer->timeout_ms;
        while (spec_now_ms() < until && spec_wait_pong(peer) == SPEC_CAME_DATA) {
        }
        if (peer->ended) {
            spec_pass(run, "the connection was closed");
        } else {
            spec_fail(run, "that the connection is closed", "it is open");
        }
        return;
    }
    const spec_came came = spec_wait_pong(peer);
    if (came != SPEC_CAME_DATA) {
        spec_fail(run, "a pong", "%s", spec_came_text(run, peer, came));
        return;
    }
    /* Still there, and the stream is whole. */
    spec_judge_open(run, peer);
}

static void run_pongs(spec_run *run, const spec_row *row) {
    spec_peer *peer = spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "%ld pongs that nobody asked for", row->arg);
    for (long i = 0; i < row->arg; i++) {
        spec_peer_send_pong(peer);
    }
    spec_judge_open(run, peer);
}

/* All in one frame, so that all but the first arrive while a pong waits. */
static void run_pong_once(spec_run *run, const spec_row *row) {
    spec_peer *peer = spec_dial_open(run);
    long pongs = 0;
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "%ld pings in one frame", row->arg);
    send_pings(peer, row->arg);
    const int timeout_ms = peer->timeout_ms;
    while (spec_wait_pong(peer) == SPEC_CAME_DATA) {
        pongs++;
        peer->timeout_ms = 300;
    }
    peer->timeout_ms = timeout_ms;
    if (pongs == 0 || pongs > row->arg / 4) {
        spec_fail(run, "some pongs, far fewer than pings", "%ld pongs", pongs);
    } else {
        spec_pass(run, "%ld pongs", pongs);
    }
}

/* The fault is in the same frame as the ping: not even the pong may be sent any more. */
static void run_last_word(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    uint8_t ping[SY_PACKET_OVERHEAD];
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    spec_bytes_add(&out, ping, sy_packet_write_ping(spec_peer_codec(peer), ping));
    add_piece(peer, spec_unserved_channel(run), true, "x", &out);
    spec_note_sent(run, "a ping and a message on an unknown channel in one frame");
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    const spec_came came = spec_wait_pong(peer);
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed without a word");
    } else {
        spec_fail(run, "that the connection is closed without a word", "%s",
                  came == SPEC_CAME_DATA ? "a pong" : spec_came_text(run, peer, came));
    }
}

/* A ping behind messages whose echoes are waiting: the pong overtakes what is not on its way. */
static void run_pong_first(spec_run *run, const spec_row *row) {
    const size_t len = 262144;
    const long messages = row->arg;
    spec_peer *peer = spec_dial_open(run);
    uint8_t *data = calloc(1, len);
    spec_bytes out = {0};
    if (data == NULL) {
        spec_die("out of memory");
    }
    if (peer == NULL) {
        free(data);
        return;
    }
    for (long i = 0; i < messages; i++) {
        spec_peer_add_message(peer, spec_served_channel(run), data, len, &out);
    }
    spec_note_sent(run, "%ld messages of 256 KiB and then a ping", messages);
    spec_peer_send_stream(peer, out.data, out.len);
    free(data);
    spec_bytes_fini(&out);
    spec_peer_send_ping(peer);
    const spec_came came = spec_wait_pong(peer);
    if (came == SPEC_CAME_DATA) {
        spec_pass(run, "a pong");
    } else {
        spec_fail(run, "a pong", "%s", spec_came_text(run, peer, came));
    }
}

/* ---- The end of the stream ------------------------------------------------------------------- */

static void run_half_close(spec_run *run, const spec_row *row) {
    spec_peer *peer = spec_dial_open(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    if (row->arg > 0) {
        add_piece(peer, spec_served_channel(run), false, "half a message", &out);
        spec_peer_seal(peer, &honest, out.data, out.len / (size_t)row->arg, &out);
        spec_peer_send(peer, out.data + out.len - SY_SEALED_LEN, SY_SEALED_LEN);
    }
    spec_note_sent(run, "the end of our half%s", row->arg > 0 ? " inside a message" : "");
    spec_bytes_fini(&out);
    spec_peer_shut(peer);
    const spec_came came = spec_wait_pong(peer);
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the target closed too");
    } else {
        spec_fail(run, "that the target closes too", "%s", spec_came_text(run, peer, came));
    }
}

static const spec_row pings[] = {
    {"ping-burst", "MX-41", NULL, "300 pings at once", .expect = SPEC_ACCEPT, .run = run_pings,
     .arg = 300},
    {"pong-once", "MX-41", NULL, "180 pings in one frame: not as many pongs", .run = run_pong_once,
     .arg = 180},
    {"ping-1000", "MX-53", NULL, "1000 pings at once", .expect = SPEC_ACCEPT, .run = run_pings,
     .arg = 990},
    {"ping-flood", "MX-53", NULL, "20000 pings at once", .run = run_pings, .arg = 20000},
    {"pong-unasked", "MX-42", NULL, "pongs without a ping", .expect = SPEC_ACCEPT, .run = run_pongs,
     .arg = 3},
    {"pong-behind-bulk", "MX-41", NULL, "a pong while 8 MiB wait to be sent", .flags = SPEC_F_ECHO,
     .run = run_pong_first, .arg = 32},
    {"no-last-word", "ER-04", NULL, "a ping, and an unknown channel in the same frame",
     .run = run_last_word},
    {"half-close", "MX-51", NULL, "the end of our half between packets", .run = run_half_close},
    {"half-close-message", "MX-51", NULL, "the end of our half inside a message",
     .run = run_half_close, .arg = 1},
    {"half-close-packet", "MX-51", NULL, "the end of our half inside a packet",
     .run = run_half_close, .arg = 2},
};

const spec_group spec_group_pings = {"pings", pings, sizeof pings / sizeof pings[0], NULL};
