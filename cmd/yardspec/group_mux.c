/* SPDX-License-Identifier: Apache-2.0 */
/* The multiplexer beyond single packets: capacities, pieces, channels, order, what is sent. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/yardspec/cases.h"

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
    const bool high = (row->flags & SPEC_F_HIGH) != 0;
    spec_peer *peer = spec_dial_open(run);
    uint8_t data[4096];
    spec_bytes out = {0};
    const uint8_t channel = high ? spec_high_channel(run) : spec_served_channel(run);
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

/* Two long messages at once: each must come back whole. */
static void run_long_order(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    const uint8_t channel = spec_served_channel(run);
    char texts[2][5001];
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        memset(texts[i], i == 0 ? 'a' : 'b', 5000);
        texts[i][5000] = '\0';
        spec_peer_add_message(peer, channel, (const uint8_t *)texts[i], 5000, &out);
    }
    spec_note_sent(run, "two messages of 5000 bytes in one write");
    spec_peer_send_stream(peer, out.data, out.len);
    spec_bytes_fini(&out);
    if (wants_back(run, peer, channel, texts[0]) && wants_back(run, peer, channel, texts[1])) {
        spec_pass(run, "they came back, one after the other");
    }
}

/* The next packet of the target, as it is and as it must be encoded. */
static spec_came next_packet(spec_peer *peer, sy_packet *ret_packet, spec_bytes *ret_want) {
    const sy_packet_codec codec = spec_peer_codec(peer);
    uint8_t head[SY_PACKET_OVERHEAD];
    size_t len = 0;
    spec_came came = spec_peer_need_plain(peer, 1);
    while (came == SPEC_CAME_DATA &&
           sy_packet_parse(codec, peer->plain.data, peer->plain.len, SY_PACKET_PAYLOAD_CAP,
                           ret_packet, NULL) == SY_OK &&
           ret_packet->kind == SY_PACKET_KIND_MORE) {
        came = spec_peer_need_plain(peer, peer->plain.len + 1);
    }
    ret_want->len = 0;
    switch (ret_packet->kind) {
    case SY_PACKET_KIND_PING:
        len = sy_packet_write_ping(codec, head);
        break;
    case SY_PACKET_KIND_PONG:
        len = sy_packet_write_pong(codec, head);
        break;
    case SY_PACKET_KIND_MSG:
        len = sy_packet_write_header(codec, (uint8_t)ret_packet->channel, ret_packet->eof,
                                     ret_packet->data.len, head);
        break;
    case SY_PACKET_KIND_MORE:
        return came;
    }
    spec_bytes_add(ret_want, head, len);
    spec_bytes_add(ret_want, ret_packet->data.data, ret_packet->data.len);
    return came;
}

/* Whatever it sends until our ping and our message are answered, byte for byte. */
static void run_sent_form(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    const uint8_t channel = spec_served_channel(run);
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    add_piece(peer, channel, true, "hello", &out);
    spec_peer_send_ping(peer);
    spec_peer_send_stream(peer, out.data, out.len);
    spec_note_sent(run, "a ping, and \"hello\" to be echoed");
    for (bool pong = false, echo = false; !pong || !echo;) {
        sy_packet packet = {.kind = SY_PACKET_KIND_MORE};
        const spec_came came = next_packet(peer, &packet, &out);
        if (came != SPEC_CAME_DATA || packet.kind == SY_PACKET_KIND_MORE) {
            spec_fail(run, "a pong and the message", "%s", spec_came_text(run, peer, came));
            break;
        }
        if (out.len != packet.len || memcmp(out.data, peer->plain.data, out.len) != 0) {
            spec_fail(run, "the bytes of the tables", "%s",
                      spec_show(peer->plain.data, packet.len));
            break;
        }
        pong = pong || packet.kind == SY_PACKET_KIND_PONG;
        echo = echo || (packet.kind == SY_PACKET_KIND_MSG && packet.channel == channel);
        spec_bytes_drop(&peer->plain, packet.len);
    }
    spec_pass(run, "a pong and the message, as the tables have them");
    spec_bytes_fini(&out);
}

static long us_of_answer(spec_run *run, spec_peer *peer, bool ping) {
    static const uint8_t data[3] = {1, 2, 3};
    const long begun = spec_now_us();
    const bool ok = ping ? spec_do_open(run, peer)
                         : spec_do_echo(run, peer, spec_served_channel(run), data, sizeof data);
    return ok ? spec_now_us() - begun : -1;
}

/* The best of many round trips, which a loaded machine does not spoil but a timer does. */
static void run_prompt(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    long best[2] = {1000000, 1000000};
    if (peer == NULL) {
        return;
    }
    for (int i = 0; i < 24; i++) {
        const long us = us_of_answer(run, peer, i % 2 == 0);
        if (us < 0) {
            return;
        }
        best[i % 2] = us < best[i % 2] ? us : best[i % 2];
    }
    spec_note_sent(run, "12 pings and 12 short messages, one at a time");
    if (best[1] > 2 * best[0] + 4000) {
        spec_fail(run, "the echo about as soon as the pong", "at best %ld us, the pong %ld us",
                  best[1], best[0]);
    } else {
        spec_pass(run, "at best after %ld us, the pong after %ld us", best[1], best[0]);
    }
}

/* It reads nothing for a second; a second connection is served meanwhile. */
static void run_slow_reader(spec_run *run, const spec_row *row) {
    const size_t len = 200000;
    const size_t count = 8;
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    const uint8_t channel = spec_served_channel(run);
    spec_bytes message = {0};
    spec_bytes out = {0};
    spec_bytes back = {0};
    if (peer == NULL) {
        return;
    }
    peer->deaf = true;
    for (size_t i = 0; i < count; i++) {
        message.len = 0;
        spec_bytes_fill(&message, len, (uint8_t)('a' + i));
        spec_peer_add_message(peer, channel, message.data, len, &out);
    }
    spec_note_sent(run, "8 messages of 200 kB, and nothing read for a second");
    spec_peer_send_stream(peer, out.data, out.len);
    (void)poll(NULL, 0, 1000);
    peer->deaf = false;
    size_t good = 0;
    for (; good < count && spec_wait_message(peer, channel, &back) == SPEC_CAME_DATA; good++) {
        if (back.len != len || back.data[0] != 'a' + good || back.data[len - 1] != 'a' + good) {
            break;
        }
    }
    if (good == count) {
        spec_pass(run, "all came back, in order");
    } else {
        spec_fail(run, "all of them back, in order", "%zu of %zu", good, count);
    }
    spec_bytes_fini(&message);
    spec_bytes_fini(&out);
    spec_bytes_fini(&back);
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
    {"cut-1024-high", "MX-22", NULL, "how it cuts 1024 bytes on a channel from 80 on",
     .flags = SPEC_F_ECHO | SPEC_F_HIGH | SPEC_F_CB, .run = run_cut, .arg = 1024},
    {"cut-1023-high", "MX-22", NULL, "1023 bytes on a channel from 80 on",
     .flags = SPEC_F_ECHO | SPEC_F_HIGH | SPEC_F_CB, .run = run_cut, .arg = 1023},
    {"pieces-in-order", "MX-23", NULL, "no piece of the next message before the last of this one",
     .flags = SPEC_F_ECHO, .run = run_long_order},
    {"sends-form", "MX-02", "MX-03", "its pong and its message have exactly their bytes",
     .flags = SPEC_F_ECHO, .run = run_sent_form},
    {"sends-back-to-back", "MX-01", NULL, "its packets follow each other without gaps",
     .flags = SPEC_F_ECHO, .run = run_sent_form},
    {"prompt", "MX-36", NULL, "a queued message is not held back", .flags = SPEC_F_ECHO,
     .run = run_prompt},
    {"slow-reader", "MX-35", NULL, "who reads late finds everything, in order",
     .flags = SPEC_F_ECHO, .run = run_slow_reader},
    {"interleaved", "MX-25", NULL, "pieces on two channels in turn", .flags = SPEC_F_ECHO,
     .run = run_interleaved},
    {"order", "MX-35", NULL, "messages of a channel keep their order", .flags = SPEC_F_ECHO,
     .run = run_order},
    {"unlisted-received", "MX-26", NULL, "a message on a channel that we did not list",
     .expect = SPEC_ACCEPT, .flags = SPEC_F_ECHO, .run = run_unlisted},
    {"unlisted-sent", "MX-32", NULL, "nothing is sent on a channel that we did not list",
     .flags = SPEC_F_ECHO, .run = run_unlisted},
};

const spec_group spec_group_mux = {"mux", mux, sizeof mux / sizeof mux[0], NULL};
