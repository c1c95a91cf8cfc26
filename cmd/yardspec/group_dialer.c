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

/* The pause before it comes again.  After many ends it is drawn from half the cap to the cap. */
static void run_delay(spec_run *run, const spec_row *row) {
    const long cap = run->settings.redial_ms;
    (void)row;
    if (cap == 0 || cap > 1000) {
        spec_skip(run, "persistent_peers_max_dial_period is not known, or more than 1 s");
        return;
    }
    for (int i = 0; i < 6; i++) {
        spec_peer *peer = spec_dial_open(run);
        if (peer == NULL) {
            return;
        }
        spec_peer_fini(peer);
        run->peer_count = 0;
        const long begun = spec_now_ms();
        run->next_fd = spec_accept(run);
        const long after = spec_now_ms() - begun;
        if (after < cap / 2 - 5 || after > cap + 1000) {
            spec_fail(run, "a pause from half the cap to the cap", "%ld ms, the cap is %ld", after,
                      cap);
            return;
        }
    }
    spec_pass(run, "six pauses, cap %ld ms", cap);
}

/* We dial while its own connection is open: the one dialed by the lower ID stays. */
static void run_crossed(spec_run *run, const spec_row *row) {
    (void)row;
    sy_endpoint endpoint = run->target.listen.endpoint;
    spec_peer *theirs = spec_dial_open(run);
    spec_peer *ours = theirs == NULL || !run->target.has_listen ? NULL : spec_new(run);
    if (theirs == NULL) {
        return;
    }
    if (ours != NULL) {
        endpoint.port = run->target.listen.port;
        ours->key = run->key;
    }
    if (ours == NULL || !run->target.listen.is_ip || !spec_peer_connect(ours, &endpoint)) {
        spec_skip(run, "it does not listen where it says");
        return;
    }
    const sy_node_id id = sy_node_key_id(&run->key);
    const bool we_stay = memcmp(id.bytes, run->target.id.bytes, sizeof id.bytes) < 0;
    spec_note_sent(run, "a second connection, dialed by us");
    if (!spec_do_keys(run, ours) || !spec_do_auth(run, ours) || !spec_do_info(run, ours)) {
        return;
    }
    spec_peer *pair[2] = {theirs, ours};
    spec_serve(pair, 2, 3500);
    spec_peer *stays = pair[we_stay];
    spec_peer *goes = pair[!we_stay];
    if (stays->ended || !goes->ended) {
        spec_fail(run, "that the connection dialed by the lower ID stays",
                  "the one dialed by %s is closed", theirs->ended ? "the target" : "us");
        return;
    }
    stays->timeout_ms = run->timeout_ms;
    spec_judge_open(run, stays);
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
    {"redial-pause", "SW-41", NULL, "the pause before it dials again", .flags = SPEC_F_LISTEN,
     .run = run_delay},
    {"redial-cap", "SW-42", NULL, "the longest pause", .flags = SPEC_F_LISTEN, .run = run_delay},
    {"crossed", "SW-31", NULL, "both dial each other", .flags = SPEC_F_LISTEN, .run = run_crossed},
    {"dials-alone", "SW-36", NULL, "one dial at a time", .flags = SPEC_F_LISTEN, .run = run_alone,
     .arg = 0},
    {"dials-alone-open", "SW-36", NULL, "no dial while a connection is open",
     .flags = SPEC_F_LISTEN, .run = run_alone, .arg = 1},
};

const spec_group spec_group_dialer = {"dialer", rows, sizeof rows / sizeof rows[0], NULL};
