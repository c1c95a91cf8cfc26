/* SPDX-License-Identifier: Apache-2.0 */
/* The multiplexer beyond single packets: capacities, interleaving, keepalive, what is sent, the end
 * of the stream; and admission. */
#include <stdlib.h>
#include <string.h>

#include "cmd/yardspec/cases.h"

static const spec_frame honest = {0};

/* ---- Sizes ----------------------------------------------------------------------------------- */

/* Pieces without an end: the capacity is accepted, one byte more is not. */
static void run_capacity(spec_run *run, const spec_row *row) {
    const size_t len = (size_t)run->target.capacity + (row->expect == SPEC_REFUSE);
    const uint8_t channel = spec_served_channel(run);
    if (run->target.capacity == 0) {
        spec_skip(run, "the capacity of the channel is not known: name it with --capacity");
        return;
    }
    spec_peer *peer = spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    uint8_t head[SY_PACKET_OVERHEAD];
    uint8_t piece[1024];
    spec_bytes out = {0};
    memset(piece, 'c', sizeof piece);
    for (size_t at = 0; at < len; at += sizeof piece) {
        const size_t n = len - at < sizeof piece ? len - at : sizeof piece;
        const size_t head_len =
            sy_packet_write_header(spec_peer_codec(peer), channel, false, n, head);
        spec_bytes_add(&out, head, head_len);
        spec_bytes_add(&out, piece, n);
    }
    spec_note_sent(run, "%zu bytes of one message", len);
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    if (row->expect == SPEC_ACCEPT) {
        spec_judge_open(run, peer);
    } else {
        spec_judge_closed(run, peer);
    }
}

static void run_echo_sizes(spec_run *run, const spec_row *row) {
    static const size_t sizes[] = {1, 2, 1023, 1024, 1025, 2047, 2048, 2049, 65536, 300000};
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    uint8_t *data = malloc(300000);
    if (data == NULL) {
        spec_die("out of memory");
    }
    for (size_t i = 0; i < 300000; i++) {
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    bool ok = peer != NULL;
    for (size_t i = 0; ok && i < sizeof sizes / sizeof sizes[0]; i++) {
        spec_note_sent(run, "a message of %zu bytes", sizes[i]);
        ok = spec_do_echo(run, peer, spec_served_channel(run), data, sizes[i]);
    }
    free(data);
    if (ok) {
        spec_pass(run, "all sizes came back");
    }
}

/* How the target cuts a message: arg bytes on the channel. */
static void run_cut(spec_run *run, const spec_row *row) {
    const size_t len = (size_t)row->arg;
    spec_peer *peer = spec_dial_open(run);
    uint8_t data[4096];
    spec_bytes out = {0};
    const uint8_t channel = spec_served_channel(run);
    if (peer == NULL) {
        return;
    }
    memset(data, 'm', sizeof data);
    spec_peer_add_message(peer, channel, data, len, &out);
    spec_note_sent(run, "a message of %zu bytes to be echoed", len);
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    for (size_t got = 0; got < len;) {
        sy_packet packet;
        const spec_came came = spec_peer_recv_packet(peer, &packet);
        if (came != SPEC_CAME_DATA) {
            spec_fail(run, "the message back", "%s", spec_came_text(run, peer, came));
            return;
        }
        if (packet.kind != SY_PACKET_KIND_MSG || packet.channel != channel) {
            continue;
        }
        const size_t left = len - got;
        const size_t most = sy_packet_piece_max(spec_peer_codec(peer), channel, 1024);
        if (packet.data.len != (left < most ? left : most) ||
            packet.eof != (packet.data.len == left)) {
            spec_fail(run, "full pieces, only the last one marked",
                      "a piece of %zu bytes with %zu to come, end mark %d", packet.data.len, left,
                      packet.eof);
            return;
        }
        got += packet.data.len;
    }
    spec_pass(run, "full pieces, the last one marked");
}

/* ---- Channels -------------------------------------------------------------------------------- */

static void add_piece(const spec_peer *peer, uint8_t channel, bool eof, const char *text,
                      spec_bytes *out) {
    uint8_t head[SY_PACKET_OVERHEAD];
    const size_t len = strlen(text);
    spec_bytes_add(out, head,
                   sy_packet_write_header(spec_peer_codec(peer), channel, eof, len, head));
    spec_bytes_add(out, text, len);
}

static bool wants_back(spec_run *run, spec_peer *peer, uint8_t channel, const char *text) {
    spec_bytes back = {0};
    const spec_came came = spec_wait_message(peer, channel, &back);
    const bool same = came == SPEC_CAME_DATA && back.len == strlen(text) &&
                      memcmp(back.data, text, back.len) == 0;
    if (!same) {
        spec_fail(run, text, "%s",
                  came == SPEC_CAME_DATA ? spec_show(back.data, back.len)
                                         : spec_came_text(run, peer, came));
    }
    spec_bytes_fini(&back);
    return same;
}

/* Pieces of two messages alternate; which comes back first is free. */
static void run_interleaved(spec_run *run, const spec_row *row) {
    (void)row;
    if (run->target.echo_count < 2) {
        spec_skip(run, "fewer than two channels of the target echo");
        return;
    }
    const uint8_t one = run->target.echo[0];
    const uint8_t two = run->target.echo[1];
    spec_peer *peer = spec_dial_open(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    add_piece(peer, one, false, "one-", &out);
    add_piece(peer, two, false, "two-", &out);
    add_piece(peer, one, false, "eins-", &out);
    add_piece(peer, two, true, "zwei", &out);
    spec_note_sent(run, "pieces of messages on channels %02x and %02x in turn", one, two);
    spec_peer_send_stream(peer, out.data, out.len);
    out.len = 0;
    if (wants_back(run, peer, two, "two-zwei")) {
        add_piece(peer, one, true, "uno", &out);
        spec_peer_send_stream(peer, out.data, out.len);
        if (wants_back(run, peer, one, "one-eins-uno")) {
            spec_pass(run, "both messages came back");
        }
    }
    spec_bytes_fini(&out);
}

/* Order within a channel. */
static void run_order(spec_run *run, const spec_row *row) {
    static const char *const texts[] = {"first", "2nd", "third one", "4", "fifth"};
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    const uint8_t channel = spec_served_channel(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    for (size_t i = 0; i < 5; i++) {
        add_piece(peer, channel, true, texts[i], &out);
    }
    spec_note_sent(run, "five messages in one write");
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    bool ok = true;
    for (size_t i = 0; ok && i < 5; i++) {
        ok = wants_back(run, peer, channel, texts[i]);
    }
    if (ok) {
        spec_pass(run, "they came back in order");
    }
}

/* A connection whose NodeInfo lists only the first echo channel. */
static spec_peer *dial_listing_one(spec_run *run) {
    spec_target *target = &run->target;
    const spec_target whole = *target;
    target->channels[0] = target->echo[0];
    target->channel_count = 1;
    spec_peer *peer = spec_dial_open(run);
    *target = whole;
    return peer;
}

static void run_unlisted(spec_run *run, const spec_row *row) {
    if (run->target.echo_count < 2) {
        spec_skip(run, "fewer than two channels of the target echo");
        return;
    }
    spec_peer *peer = dial_listing_one(run);
    const uint8_t channel = run->target.echo[1];
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    add_piece(peer, channel, true, "hello", &out);
    spec_note_sent(run, "a message on channel %02x, which our NodeInfo does not list", channel);
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    if (row->expect == SPEC_ACCEPT) {
        spec_judge_open(run, peer);
        return;
    }
    /* The echo would be a message on a channel that we did not list.  A pong may overtake it, two
     * pongs one after the other do not. */
    spec_peer_send_ping(peer);
    for (int pongs = 0; pongs < 3;) {
        sy_packet packet;
        const spec_came came = spec_peer_recv_packet(peer, &packet);
        if (came != SPEC_CAME_DATA) {
            spec_fail(run, "a pong", "%s", spec_came_text(run, peer, came));
            return;
        }
        if (packet.kind == SY_PACKET_KIND_MSG && packet.channel == channel) {
            spec_fail(run, "nothing on that channel", "a message on it");
            return;
        }
        if (packet.kind == SY_PACKET_KIND_PONG) {
            pongs++;
            spec_peer_send_ping(peer);
        }
    }
    spec_pass(run, "a pong, and nothing on that channel");
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

static const spec_row mux[] = {
    {"echo-sizes", "MX-25", NULL, "messages of many sizes come back", .flags = SPEC_F_ECHO,
     .run = run_echo_sizes},
    {"capacity", "MX-28", NULL, "a message of the channel's capacity", .expect = SPEC_ACCEPT,
     .flags = SPEC_F_ECHO, .run = run_capacity},
    {"capacity-1", "MX-28", NULL, "one byte more than the channel's capacity", .flags = SPEC_F_ECHO,
     .run = run_capacity},
    {"cut-1024", "MX-21", NULL, "the target sends 1024 bytes as one piece", .flags = SPEC_F_ECHO,
     .run = run_cut, .arg = 1024},
    {"cut-1025", "MX-21", NULL, "the target sends 1025 bytes as two pieces", .flags = SPEC_F_ECHO,
     .run = run_cut, .arg = 1025},
    {"cut-3072", "MX-21", NULL, "the target sends 3072 bytes as three full pieces",
     .flags = SPEC_F_ECHO, .run = run_cut, .arg = 3072},
    {"interleaved", "MX-25", NULL, "pieces on two channels in turn", .flags = SPEC_F_ECHO,
     .run = run_interleaved},
    {"order", "MX-35", NULL, "messages of a channel keep their order", .flags = SPEC_F_ECHO,
     .run = run_order},
    {"unlisted-received", "MX-26", NULL, "a message on a channel that we did not list",
     .expect = SPEC_ACCEPT, .flags = SPEC_F_ECHO, .run = run_unlisted},
    {"unlisted-sent", "MX-32", NULL, "nothing is sent on a channel that we did not list",
     .flags = SPEC_F_ECHO, .run = run_unlisted},
    {"ping-burst", "MX-41", NULL, "300 pings at once", .expect = SPEC_ACCEPT, .run = run_pings,
     .arg = 300},
    {"ping-1000", "MX-53", NULL, "1000 pings at once", .expect = SPEC_ACCEPT, .run = run_pings,
     .arg = 990},
    {"ping-flood", "MX-53", NULL, "20000 pings at once", .run = run_pings, .arg = 20000},
    {"pong-unasked", "MX-42", NULL, "pongs without a ping", .expect = SPEC_ACCEPT, .run = run_pongs,
     .arg = 3},
    {"pong-behind-bulk", "MX-41", NULL, "a pong while 8 MiB wait to be sent", .flags = SPEC_F_ECHO,
     .run = run_pong_first, .arg = 32},
    {"half-close", "MX-51", NULL, "the end of our half between packets", .run = run_half_close},
    {"half-close-message", "MX-51", NULL, "the end of our half inside a message",
     .run = run_half_close, .arg = 1},
    {"half-close-packet", "MX-51", NULL, "the end of our half inside a packet",
     .run = run_half_close, .arg = 2},
};

const spec_group spec_group_mux = {"mux", mux, sizeof mux / sizeof mux[0], NULL};
