/* SPDX-License-Identifier: Apache-2.0 */
/* What a target does that dials: whom it expects, when it comes again. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cmd/yardspec/cases.h"

#define ALONE_MS 1500

/* It must not wait for us. */
static void run_first(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *peer = spec_dial(run);
    if (peer == NULL) {
        return;
    }
    const spec_came came = spec_peer_recv_ephemeral(peer);
    if (came == SPEC_CAME_DATA) {
        spec_pass(run, "its whole first message, unasked");
    } else {
        spec_fail(run, "its first message", "%s", spec_came_text(run, peer, came));
    }
}

/* After the authentication message of somebody else it must close; arg 1: its own message. */
static void run_other(spec_run *run, const spec_row *row) {
    static const uint8_t other_seed[SY_SEED_LEN] = {9};
    spec_peer *peer = spec_dial_keys(run);
    uint8_t msg[SY_AUTH_MSG_MAX];
    if (peer == NULL) {
        return;
    }
    sy_node_key_from_seed(other_seed, &peer->key);
    size_t len = spec_peer_encode_auth(peer, msg);
    if (row->arg == 1) {
        if (spec_peer_need_plain(peer, len) != SPEC_CAME_DATA) {
            spec_fail(run, "the target's authentication message", "none");
            return;
        }
        memcpy(msg, peer->plain.data, len);
    }
    spec_note_sent(run, "a valid authentication message %s",
                   row->arg == 1 ? "that is its own" : "by another key than the one dialed");
    spec_peer_send_stream(peer, msg, len);
    spec_came came = spec_peer_recv_auth(peer);
    if (came == SPEC_CAME_DATA) {
        came = spec_peer_need_plain(peer, 1);
    }
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed, and no NodeInfo came");
    } else {
        spec_fail(run, "that the connection is closed", "%s",
                  came == SPEC_CAME_DATA ? "NodeInfo: it was accepted"
                                         : spec_came_text(run, peer, came));
    }
}

/* It comes again.  arg 0: after an end, 1: after a refusal, 2: after an end, though our NodeInfo
 * named another address. */
static void run_again(spec_run *run, const spec_row *row) {
    static const uint8_t noise[64] = {0};
    spec_peer *peer = row->arg == 1 ? spec_dial(run) : spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    if (row->arg == 1) {
        spec_peer_send(peer, noise, sizeof noise);
    }
    spec_peer_close(peer);
    spec_note_sent(run, row->arg == 1 ? "noise, then the end" : "the end of an open connection");
    const long begun = spec_now_ms();
    if (spec_dial_open(run) != NULL) {
        spec_pass(run, "it came again after %ld ms", spec_now_ms() - begun);
    }
}

/* No second connection.  arg 0: while the first is silent, 1: while it is open. */
static void run_alone(spec_run *run, const spec_row *row) {
    spec_peer *peer = row->arg == 0 ? spec_dial(run) : spec_dial_open(run);
    if (peer == NULL) {
        return;
    }
    const long wait_ms = run->wait_ms;
    run->wait_ms = ALONE_MS;
    const int fd = spec_accept(run);
    run->wait_ms = wait_ms;
    if (fd >= 0) {
        (void)close(fd);
        spec_fail(run, "one connection at a time", "a second one");
    } else {
        spec_pass(run, "no second connection within %d ms", ALONE_MS);
    }
}

static const spec_row rows[] = {
    {"dialer-first", "PR-08", NULL, "the dialer speaks first", .flags = SPEC_F_LISTEN,
     .run = run_first},
    {"dialed-other", "SW-10", NULL, "another ID than the one dialed", .flags = SPEC_F_LISTEN,
     .run = run_other, .arg = 0},
    {"dialed-self", "SW-10", NULL, "the dialer's own ID", .flags = SPEC_F_LISTEN, .run = run_other,
     .arg = 1},
    {"redial", "SW-40", NULL, "it dials again after an end", .flags = SPEC_F_LISTEN,
     .run = run_again, .arg = 0},
    {"redial-refused", "SW-40", NULL, "it dials again after a refusal", .flags = SPEC_F_LISTEN,
     .run = run_again, .arg = 1},
    {"redial-address", "SW-44", NULL, "it dials the configured address again",
     .flags = SPEC_F_LISTEN, .run = run_again, .arg = 2},
    {"dials-alone", "SW-36", NULL, "one dial at a time", .flags = SPEC_F_LISTEN, .run = run_alone,
     .arg = 0},
    {"dials-alone-open", "SW-36", NULL, "no dial while a connection is open",
     .flags = SPEC_F_LISTEN, .run = run_alone, .arg = 1},
};

const spec_group spec_group_dialer = {"dialer", rows, sizeof rows / sizeof rows[0], NULL};
