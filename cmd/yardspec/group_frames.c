/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: what is sealed, with which length, nonce and padding. */
#include <string.h>

#include "cmd/yardspec/cases.h"

static const spec_frame honest = {0};

static size_t ping_bytes(const spec_peer *peer, uint8_t out[SY_PACKET_OVERHEAD]) {
    return sy_packet_write_ping(spec_peer_codec(peer), out);
}

/* How the frame of each row is bent, and where.  The frame carries a ping. */
typedef enum stage {
    AT_AUTH,
    AT_OPEN,
} stage;

typedef struct bent {
    stage at;
    spec_frame frame;
    bool refused;
    const char *what;
} bent;

static const bent bends[] = {
    {AT_OPEN, {.bad_tag = true}, true, "a ping in a frame with one bit of the tag turned over"},
    {AT_OPEN, {.bad_body = true}, true, "a ping in a frame with one bit turned over"},
    {AT_AUTH, {.bad_tag = true}, true, "the authentication message with one bit of the tag wrong"},
    {AT_OPEN, {.again = true}, true, "a ping in a frame sealed with the last nonce again"},
    {AT_OPEN, {.skip = true}, true, "a ping in a frame sealed with the nonce after the next"},
    {AT_OPEN, {.other_key = true}, true, "a ping sealed with what seals the other direction"},
    {AT_OPEN, {.padding = 0xa5}, false, "a ping in a frame whose padding is a5"},
    {AT_OPEN, {.has_length = true, .length = 1025}, true, "a frame that declares 1025 bytes"},
    {AT_OPEN,
     {.has_length = true, .length = 0xffffffff},
     true,
     "a frame that declares 2^32 - 1 bytes"},
    {AT_OPEN,
     {.has_length = true, .length = 0x80000004},
     true,
     "a frame that declares 2^31 + 4 bytes"},
    {AT_OPEN, {.little_wrong = true}, true, "a length in the other byte order"},
    {AT_AUTH, {.padding = 0x5a}, false, "the authentication message with padding 5a"},
    {AT_AUTH,
     {.has_length = true, .length = 1025},
     true,
     "the authentication message in a frame that declares 1025 bytes"},
};

static void run_bent_auth(spec_run *run, const bent *bend) {
    spec_peer *peer = spec_dial_keys(run);
    uint8_t msg[SY_AUTH_MSG_MAX];
    if (peer == NULL) {
        return;
    }
    spec_peer_send_frame(peer, &bend->frame, msg, spec_peer_encode_auth(peer, msg));
    spec_came came = spec_peer_recv_auth(peer);
    if (!bend->refused) {
        if (came != SPEC_CAME_DATA) {
            spec_fail(run, "the target's message", "%s", spec_came_text(run, peer, came));
        } else if (spec_do_info(run, peer)) {
            spec_judge_open(run, peer);
        }
        return;
    }
    if (came == SPEC_CAME_DATA) {
        came = spec_peer_need_plain(peer, 1);
    }
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed");
    } else {
        spec_fail(run, "that the connection is closed", "%s",
                  came == SPEC_CAME_DATA ? "NodeInfo" : spec_came_text(run, peer, came));
    }
}

/* A frame whose 1024 bytes are good packets, so that a receiver that cuts a wrong length finds
 * nothing wrong with them. */
static void send_full_frame(spec_run *run, spec_peer *peer, const spec_frame *frame,
                            const uint8_t *ping, size_t ping_len) {
    uint8_t head[SY_PACKET_OVERHEAD];
    spec_bytes data = {0};
    const size_t room = SY_FRAME_DATA_MAX - ping_len;
    const sy_packet_codec codec = spec_peer_codec(peer);
    const uint8_t channel = spec_served_channel(run);
    size_t len = 900;
    while (len + sy_packet_write_header(codec, channel, false, len, head) < room) {
        len++;
    }
    spec_bytes_add(&data, ping, ping_len);
    spec_bytes_add(&data, head, sy_packet_write_header(codec, channel, false, len, head));
    spec_bytes_fill(&data, len, 'f');
    if (data.len != SY_FRAME_DATA_MAX) {
        spec_die("no message fills a frame");
    }
    spec_peer_send_frame(peer, frame, data.data, data.len);
    spec_bytes_fini(&data);
}

static void run_bent(spec_run *run, const spec_row *row) {
    const bent *bend = &bends[row->arg];
    uint8_t ping[SY_PACKET_OVERHEAD];
    spec_note_sent(run, "%s", bend->what);
    if (bend->at == AT_AUTH) {
        run_bent_auth(run, bend);
        return;
    }
    spec_peer *peer = spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    const size_t ping_len = ping_bytes(peer, ping);
    if (bend->frame.has_length) {
        send_full_frame(run, peer, &bend->frame, ping, ping_len);
    } else {
        spec_peer_send_frame(peer, &bend->frame, ping, ping_len);
    }
    const spec_came came = spec_wait_pong(peer);
    if (came == (bend->refused ? SPEC_CAME_CLOSED : SPEC_CAME_DATA)) {
        spec_pass(run, "%s", bend->refused ? "the connection was closed" : "a pong");
    } else {
        spec_fail(run, bend->refused ? "that the connection is closed" : "a pong", "%s",
                  came == SPEC_CAME_DATA ? "a pong" : spec_came_text(run, peer, came));
    }
}

static void send_empty(spec_peer *peer, long count) {
    for (long i = 0; i < count; i++) {
        spec_peer_send_frame(peer, &honest, NULL, 0);
    }
}

static void run_empty(spec_run *run, const spec_row *row) {
    spec_peer *peer = spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "%ld empty frames", row->arg);
    send_empty(peer, row->arg);
    if (row->expect == SPEC_ACCEPT) {
        spec_judge_open(run, peer);
    } else {
        spec_judge_closed(run, peer);
    }
}

/* The count begins again after a frame with data. */
static void run_empty_twice(spec_run *run, const spec_row *row) {
    spec_peer *peer = spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "twice %ld empty frames with a ping between", row->arg);
    send_empty(peer, row->arg);
    if (spec_do_open(run, peer)) {
        send_empty(peer, row->arg);
        spec_judge_open(run, peer);
    }
}

static void run_empty_first(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_keys(run);
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "an empty frame in front of the authentication message");
    send_empty(peer, 1);
    uint8_t msg[SY_AUTH_MSG_MAX];
    spec_peer_send_stream(peer, msg, spec_peer_encode_auth(peer, msg));
    spec_came came = spec_peer_recv_auth(peer);
    if (came == SPEC_CAME_DATA) {
        came = spec_peer_need_plain(peer, 1);
    }
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed");
    } else {
        spec_fail(run, "that the connection is closed", "%s",
                  came == SPEC_CAME_DATA ? "NodeInfo" : spec_came_text(run, peer, came));
    }
}

static void run_frame_twice(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    uint8_t ping[SY_PACKET_OVERHEAD];
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    spec_peer_seal(peer, &honest, ping, ping_bytes(peer, ping), &out);
    spec_note_sent(run, "the same sealed frame twice");
    spec_peer_send(peer, out.data, out.len);
    if (spec_wait_pong(peer) != SPEC_CAME_DATA) {
        spec_fail(run, "a pong for the first", "none");
    } else {
        spec_peer_send(peer, out.data, out.len);
        const spec_came came = spec_wait_pong(peer);
        if (came == SPEC_CAME_CLOSED) {
            spec_pass(run, "the connection was closed at the second");
        } else {
            spec_fail(run, "that the connection is closed at the second", "%s",
                      came == SPEC_CAME_DATA ? "a pong" : spec_came_text(run, peer, came));
        }
    }
    spec_bytes_fini(&out);
}

/* A ping, cut into frames of one byte and into writes of some bytes. */
static void run_small_frames(spec_run *run, const spec_row *row) {
    spec_peer *peer = spec_dial_open(run);
    uint8_t ping[SY_PACKET_OVERHEAD];
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    const size_t len = ping_bytes(peer, ping);
    for (size_t i = 0; i < len; i++) {
        spec_peer_seal(peer, &honest, ping + i, 1, &out);
    }
    spec_note_sent(run, "a ping in %zu frames, %ld bytes at a time", len, row->arg);
    for (size_t at = 0; at < out.len; at += (size_t)row->arg) {
        const size_t left = out.len - at;
        spec_peer_send(peer, out.data + at, left < (size_t)row->arg ? left : (size_t)row->arg);
    }
    spec_bytes_fini(&out);
    const spec_came came = spec_wait_pong(peer);
    if (came == SPEC_CAME_DATA) {
        spec_pass(run, "a pong");
    } else {
        spec_fail(run, "a pong", "%s", spec_came_text(run, peer, came));
    }
}

static void run_cut_frame(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    uint8_t ping[SY_PACKET_OVERHEAD];
    spec_bytes out = {0};
    if (peer == NULL) {
        return;
    }
    spec_peer_seal(peer, &honest, ping, ping_bytes(peer, ping), &out);
    spec_note_sent(run, "half a frame, then the end of our half");
    spec_peer_send(peer, out.data, out.len / 2);
    spec_peer_shut(peer);
    spec_bytes_fini(&out);
    const spec_came came = spec_wait_pong(peer);
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed");
    } else {
        spec_fail(run, "that the connection is closed", "%s", spec_came_text(run, peer, came));
    }
}

/* Everything that the target seals in an exchange with messages of several sizes. */
static void run_sent_frames(spec_run *run, const spec_row *row) {
    static const size_t sizes[] = {1, 3, 1000, 1023, 1024, 1025, 5000};
    static const uint8_t data[5000] = {1};
    spec_peer *peer = spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    for (size_t i = 0; run->target.echo_count > 0 && i < sizeof sizes / sizeof sizes[0]; i++) {
        if (!spec_do_echo(run, peer, spec_served_channel(run), data, sizes[i])) {
            return;
        }
    }
    const size_t bad = row->arg == 0 ? peer->frames_padded : peer->frames_empty;
    if (bad > 0) {
        spec_fail(run, row->arg == 0 ? "padding of zero bytes" : "no empty frame",
                  "%zu of %zu frames are not so", bad, peer->frames);
    } else {
        spec_pass(run, "%zu frames are so", peer->frames);
    }
}

/* Whole frames and nothing else, all of which open with the keys of the schedule. */
static void run_sealed(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial_open(run);
    if (peer == NULL || !spec_do_open(run, peer)) {
        return;
    }
    const size_t clear = spec_peer_suite(peer)->eph_msg_len;
    if (peer->received != clear + peer->frames * SY_SEALED_LEN + peer->raw.len) {
        spec_fail(run, "frames of 1044 bytes", "%zu bytes with %zu frames", peer->received,
                  peer->frames);
    } else {
        spec_pass(run, "%zu frames", peer->frames);
    }
}

static const spec_row rows[] = {
    {"sealed", "STS-12", "CC-14", "everything is sealed in frames of 1044 bytes",
     .run = run_sealed},
    {"frame-keys", "STS-08", "CC-09", "the keys are those of the schedule", .run = run_sealed},
    {"tag-bit", "STS-17", "CC-21", "one bit of the tag is wrong", .run = run_bent, .arg = 0},
    {"cipher-bit", "STS-17", "CC-21", "one bit of the ciphertext is wrong", .run = run_bent,
     .arg = 1},
    {"tag-auth", "STS-17", "CC-21", "a bad tag on the authentication message", .run = run_bent,
     .arg = 2},
    {"nonce-again", "STS-11", "CC-16", "a nonce is used again", .run = run_bent, .arg = 3},
    {"nonce-skip", "STS-11", "CC-16", "a nonce is left out", .run = run_bent, .arg = 4},
    {"other-direction", "STS-09", "CC-10", "keys and nonces of the other direction",
     .run = run_bent, .arg = 5},
    {"padding", "STS-15", "CC-19", "padding that is not zero", .expect = SPEC_ACCEPT,
     .run = run_bent, .arg = 6},
    {"padding-auth", "STS-15", "CC-19", "the same around the authentication message",
     .expect = SPEC_ACCEPT, .run = run_bent, .arg = 11},
    {"length-1025", "STS-18", "CC-22", "a frame declares 1025 bytes", .run = run_bent, .arg = 7},
    {"length-max", "STS-18", "CC-22", "a frame declares 2^32 - 1 bytes", .run = run_bent, .arg = 8},
    {"length-high-bit", "STS-18", "CC-22", "a frame declares 2^31 + 4 bytes", .run = run_bent,
     .arg = 9},
    {"length-order", "STS-13", "CC-15", "the length in the other byte order", .run = run_bent,
     .arg = 10},
    {"length-auth", "STS-18", "CC-22", "1025 bytes around the authentication message",
     .run = run_bent, .arg = 12},
    {"empty-16", "STS-19", "CC-23", "16 empty frames in a row", .expect = SPEC_ACCEPT,
     .run = run_empty, .arg = 16},
    {"empty-17", "STS-19", "CC-23", "17 empty frames in a row", .run = run_empty, .arg = 17},
    {"empty-again", "STS-19", "CC-23", "a frame with data begins the count anew",
     .expect = SPEC_ACCEPT, .run = run_empty_twice, .arg = 16},
    {"empty-auth", "STS-19", "CC-23", "an empty frame before the authentication message",
     .run = run_empty_first},
    {"frame-twice", "STS-17", "CC-21", "a sealed frame is played back", .run = run_frame_twice},
    {"frame-bytes", "STS-20", "CC-24", "a ping in frames of one byte", .run = run_small_frames,
     .arg = 1044},
    {"frame-cuts", "STS-20", "CC-24", "frames that arrive 100 bytes at a time",
     .run = run_small_frames, .arg = 100},
    {"frame-half", "MX-51", NULL, "half a frame, then the end", .run = run_cut_frame},
    {"sends-zero-padding", "STS-14", "CC-18", "the target's padding is zero",
     .run = run_sent_frames, .arg = 0},
    {"sends-no-empty", "STS-16", "CC-20", "the target sends no empty frame", .run = run_sent_frames,
     .arg = 1},
};

const spec_group spec_group_frames = {"frames", rows, sizeof rows / sizeof rows[0], NULL};
