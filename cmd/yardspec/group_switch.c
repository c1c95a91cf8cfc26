/* SPDX-License-Identifier: Apache-2.0 */
/* What the target does with connections: a second one to an ID, and deadlines. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cmd/yardspec/cases.h"

#define PARKED_MS      3500 /* parking ends after 2 s */
#define HANDSHAKE_S    20   /* default of handshake_timeout */
#define HANDSHAKE_SLOP 2

/* A second connection with the key of the first, as far as NodeInfo. */
static spec_peer *dial_same(spec_run *run, const spec_peer *first) {
    spec_peer *peer = spec_new(run);
    peer->key = first->key;
    spec_note_sent(run, "a second connection with the same ID");
    if (!spec_peer_connect(peer, &run->target.endpoint)) {
        spec_fail(run, "a TCP connection", "none");
        return NULL;
    }
    return spec_do_keys(run, peer) && spec_do_auth(run, peer) && spec_do_info(run, peer) ? peer
                                                                                         : NULL;
}

/* Reads what is there of each, answers pings, for so many milliseconds or until one has ended. */
static void serve(spec_peer *const *peers, size_t count, int ms) {
    for (int at = 0; at < ms; at += 20 * (int)count) {
        for (size_t i = 0; i < count; i++) {
            sy_packet packet;
            peers[i]->timeout_ms = 20;
            while (spec_peer_recv_packet(peers[i], &packet) == SPEC_CAME_DATA) {
                if (packet.kind == SY_PACKET_KIND_PING) {
                    spec_peer_send_pong(peers[i]);
                }
            }
            if (peers[i]->ended) {
                return;
            }
        }
    }
}

static void run_duplicate(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *pair[2] = {spec_dial_open(run), NULL};
    pair[1] = pair[0] == NULL ? NULL : dial_same(run, pair[0]);
    if (pair[1] == NULL) {
        return;
    }
    serve(pair, 2, PARKED_MS);
    if (pair[0]->ended || !pair[1]->ended) {
        spec_fail(run, "that the newer connection is closed and the older stays",
                  "the older is %s, the newer is %s", pair[0]->ended ? "closed" : "open",
                  pair[1]->ended ? "closed" : "open");
        return;
    }
    pair[0]->timeout_ms = run->timeout_ms;
    spec_judge_open(run, pair[0]);
}

/* The older says nothing any more: the newer must take its place. */
static void run_replaced(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *first = spec_dial_open(run);
    spec_peer *second = first == NULL ? NULL : dial_same(run, first);
    if (second == NULL) {
        return;
    }
    spec_note_sent(run, "a second connection with the same ID; the first is silent");
    serve(&second, 1, PARKED_MS);
    if (second->ended) {
        spec_fail(run, "that the connection that answers pings stays", "it was closed");
        return;
    }
    second->timeout_ms = run->timeout_ms;
    const spec_came came = spec_peer_need_raw(first, first->raw.len + 8 * SY_SEALED_LEN);
    if (came != SPEC_CAME_CLOSED) {
        spec_fail(run, "that the silent connection is closed", "it is open");
        return;
    }
    spec_judge_open(run, second);
}

static void run_third(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *first = spec_dial_open(run);
    spec_peer *second = first == NULL ? NULL : dial_same(run, first);
    spec_peer *third = second == NULL ? NULL : dial_same(run, first);
    if (third == NULL) {
        return;
    }
    spec_note_sent(run, "a third connection with the same ID");
    spec_judge_closed(run, third);
}

static void run_again(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *first = spec_dial_open(run);
    if (first == NULL) {
        return;
    }
    spec_peer_close(first);
    (void)poll(NULL, 0, 100);
    spec_peer *second = dial_same(run, first);
    if (second != NULL) {
        spec_note_sent(run, "a connection with the ID of one that was closed");
        spec_judge_open(run, second);
    }
}

/* Silent connections must not hold up another one. */
static void run_not_delayed(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *silent[3] = {spec_dial(run), NULL, NULL};
    silent[1] = silent[0] == NULL ? NULL : spec_dial_keys(run);
    silent[2] = silent[1] == NULL ? NULL : spec_dial_auth(run);
    if (silent[2] == NULL) {
        return;
    }
    spec_note_sent(run, "three connections that stop at three stages, and an honest one");
    if (spec_dial_open(run) != NULL) {
        spec_pass(run, "the honest one was served");
    }
}

/* The self-connection is a case of the group auth. */
static const spec_row admission[] = {
    {"duplicate-id", "SW-32", NULL, "a second connection with the same ID", .run = run_duplicate},
    {"duplicate-silent", "SW-33", NULL, "a second one while the first is silent",
     .run = run_replaced},
    {"duplicate-third", "SW-34", NULL, "a third connection with the same ID", .run = run_third},
    {"same-id-again", "SW-30", NULL, "the ID of a connection that was closed", .run = run_again},
    {"not-delayed", "SW-06", NULL, "silent connections delay nobody", .run = run_not_delayed},
};

const spec_group spec_group_admission = {"admission", admission,
                                         sizeof admission / sizeof admission[0], NULL};

/* ---- Deadlines ------------------------------------------------------------------------------- */

static spec_peer *dial_to(spec_run *run, long stage) {
    static const uint8_t half[3] = {0x21, 0x20, 1};
    switch (stage) {
    case 0:
        return spec_dial(run);
    case 1: {
        spec_peer *peer = spec_dial(run);
        if (peer != NULL) {
            uint8_t msg[SY_EPH_MSG_MAX];
            (void)spec_peer_encode_ephemeral(peer, msg);
            spec_peer_send(peer, msg, sizeof half);
        }
        return peer;
    }
    case 2:
        return spec_dial_keys(run);
    default:
        return spec_dial_auth(run);
    }
}

static void run_silence(spec_run *run, const spec_row *row) {
    static const char *const stages[] = {"nothing at all", "three bytes", "an ephemeral key",
                                         "an authentication message"};
    spec_peer *peer = dial_to(run, row->arg);
    if (peer == NULL) {
        return;
    }
    spec_note_sent(run, "%s, then nothing", stages[row->arg]);
    peer->timeout_ms = (HANDSHAKE_S + HANDSHAKE_SLOP) * 1000;
    const spec_came came = spec_peer_need_raw(peer, (size_t)1 << 20);
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed");
    } else {
        spec_fail(run, "that the connection is closed within 22 s", "%s",
                  spec_came_text(run, peer, came));
    }
}

/* A byte a second: bytes do not extend the deadline. */
static void run_trickle(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial(run);
    uint8_t msg[SY_EPH_MSG_MAX];
    if (peer == NULL) {
        return;
    }
    (void)spec_peer_encode_ephemeral(peer, msg);
    spec_note_sent(run, "a byte of the ephemeral key in each second");
    peer->timeout_ms = 1000;
    for (int second = 0; second < HANDSHAKE_S + HANDSHAKE_SLOP; second++) {
        spec_peer_send(peer, msg + second, 1);
        if (spec_peer_need_raw(peer, (size_t)1 << 20) == SPEC_CAME_CLOSED) {
            spec_pass(run, "the connection was closed after %d s", second);
            return;
        }
    }
    spec_fail(run, "that the connection is closed within 22 s", "it is open");
}

static const spec_row deadlines[] = {
    {"silent-tcp", "SW-02", NULL, "silence after TCP", .flags = SPEC_F_SLOW, .run = run_silence,
     .arg = 0},
    {"silent-head", "SW-02", NULL, "silence inside the ephemeral key", .flags = SPEC_F_SLOW,
     .run = run_silence, .arg = 1},
    {"silent-key", "SW-02", NULL, "silence after the ephemeral key", .flags = SPEC_F_SLOW,
     .run = run_silence, .arg = 2},
    {"silent-auth", "SW-02", NULL, "silence after authentication", .flags = SPEC_F_SLOW,
     .run = run_silence, .arg = 3},
    {"trickle", "SW-02", NULL, "a byte in each second", .flags = SPEC_F_SLOW, .run = run_trickle},
};

const spec_group spec_group_deadlines = {"deadlines", deadlines,
                                         sizeof deadlines / sizeof deadlines[0], NULL};
