/* SPDX-License-Identifier: Apache-2.0 */
/* Which connections the target takes: a second one to an ID, limits, a pool that is full. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cmd/yardspec/cases.h"

#define PARKED_MS 3500 /* parking ends after 2 s */

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

static void run_duplicate(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *pair[2] = {spec_dial_open(run), NULL};
    pair[1] = pair[0] == NULL ? NULL : dial_same(run, pair[0]);
    if (pair[1] == NULL) {
        return;
    }
    spec_serve(pair, 2, PARKED_MS);
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
    spec_serve(&second, 1, PARKED_MS);
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

/* arg 0: both are pinged at once, 1: the newer sends a message at once, which must not be lost,
 * 2: the older was busy until the newer came. */
static void run_parked(spec_run *run, const spec_row *row) {
    static const uint8_t text[5] = {'p', 'a', 'r', 'k', 's'};
    spec_peer *pair[2] = {spec_dial_open(run), NULL};
    if (pair[0] != NULL && row->arg == 2 && !spec_do_open(run, pair[0])) {
        return;
    }
    pair[1] = pair[0] == NULL ? NULL : dial_same(run, pair[0]);
    if (pair[1] == NULL) {
        return;
    }
    if (row->arg == 1) {
        pair[1]->timeout_ms = PARKED_MS;
        if (spec_do_echo(run, pair[1], spec_served_channel(run), text, sizeof text)) {
            spec_pass(run, "the echo came when the silent older one had left");
        }
        return;
    }
    for (size_t i = 0; i < 2 && row->arg == 0; i++) {
        sy_packet packet;
        pair[i]->timeout_ms = PARKED_MS / 4;
        const spec_came came = spec_peer_recv_packet(pair[i], &packet);
        if (came != SPEC_CAME_DATA || packet.kind != SY_PACKET_KIND_PING) {
            spec_fail(run, "a ping on both", "none on the %s", i == 0 ? "older" : "newer");
            return;
        }
    }
    if (row->arg == 0) {
        spec_pass(run, "a ping on both");
        return;
    }
    spec_serve(&pair[1], 1, PARKED_MS);
    if (pair[1]->ended) {
        spec_fail(run, "that the connection that answers stays", "it was closed");
    } else {
        spec_pass(run, "the one that answers stays");
    }
}

/* A fault in its NodeInfo comes before the question which connection stays. */
static void run_bad_second(spec_run *run, const spec_row *row) {
    (void)row;
    spec_peer *first = spec_dial_open(run);
    if (first == NULL) {
        return;
    }
    spec_peer *second = spec_new(run);
    spec_bytes info = {0};
    second->key = first->key;
    if (!spec_peer_connect(second, &run->target.endpoint) || !spec_do_keys(run, second) ||
        !spec_do_auth(run, second)) {
        spec_fail(run, "a second connection", "none");
        return;
    }
    const bool amino = second->profile == SPEC_TENDERMINT;
    spec_expand(run, second, amino ? "[{1-2}1a['elsewhere']{4-6}]" : "[{1-3}22['elsewhere']{5-8}]",
                &info);
    spec_note_sent(run, "a second connection with the same ID and another network");
    spec_peer_send_stream(second, info.data, info.len);
    spec_bytes_fini(&info);
    second->timeout_ms = PARKED_MS / 4; /* parked it would be there for 2 s */
    spec_came came = spec_peer_recv_info(second);
    if (came == SPEC_CAME_DATA) {
        came = spec_peer_need_plain(second, 1);
    }
    if (came != SPEC_CAME_CLOSED) {
        spec_fail(run, "that it is closed at once", "%s", spec_came_text(run, second, came));
        return;
    }
    spec_judge_open(run, first);
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
    {"duplicate-id", "SW-32", NULL, "a second connection with the same ID", .flags = SPEC_F_DIAL,
     .run = run_duplicate},
    {"duplicate-silent", "SW-33", NULL, "a second one while the first is silent",
     .flags = SPEC_F_DIAL, .run = run_replaced},
    {"duplicate-pinged", "SW-27", NULL, "both connections are asked", .flags = SPEC_F_DIAL,
     .run = run_parked, .arg = 0},
    {"duplicate-message", "SW-28", NULL, "a message on the newer one is kept",
     .flags = SPEC_F_DIAL | SPEC_F_ECHO, .run = run_parked, .arg = 1},
    {"duplicate-earlier", "SW-29", NULL, "what the older one said before does not count",
     .flags = SPEC_F_DIAL, .run = run_parked, .arg = 2},
    {"duplicate-bad", "SW-09", NULL, "a second one with a bad NodeInfo", .flags = SPEC_F_DIAL,
     .run = run_bad_second},
    {"duplicate-third", "SW-34", NULL, "a third connection with the same ID", .flags = SPEC_F_DIAL,
     .run = run_third},
    {"same-id-again", "SW-30", NULL, "the ID of a connection that was closed", .flags = SPEC_F_DIAL,
     .run = run_again},
    {"not-delayed", "SW-06", NULL, "silent connections delay nobody", .flags = SPEC_F_DIAL,
     .run = run_not_delayed},
};

const spec_group spec_group_admission = {"admission", admission,
                                         sizeof admission / sizeof admission[0], NULL};

/* ---- Limits ---------------------------------------------------------------------------------- */

static void judge_refused(spec_run *run, spec_peer *peer) {
    uint8_t out[SY_EPH_MSG_MAX];
    if (peer == NULL) {
        return;
    }
    /* Some close at once, some when they know who it is: in any case there is no pong. */
    spec_peer_send(peer, out, spec_peer_encode_ephemeral(peer, out));
    spec_came came = spec_peer_recv_ephemeral(peer);
    if (came == SPEC_CAME_DATA) {
        uint8_t auth[SY_AUTH_MSG_MAX];
        spec_bytes info = {0};
        spec_peer_send_stream(peer, auth, spec_peer_encode_auth(peer, auth));
        spec_add_info(run, peer, &info);
        spec_peer_send_stream(peer, info.data, info.len);
        spec_bytes_fini(&info);
        came = spec_peer_recv_auth(peer);
    }
    if (came == SPEC_CAME_DATA) {
        came = spec_peer_recv_info(peer);
    }
    if (came == SPEC_CAME_DATA) {
        spec_judge_closed(run, peer);
    } else if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed");
    } else {
        spec_fail(run, "that the connection is closed", "%s", spec_came_text(run, peer, came));
    }
}

typedef enum limit_kind {
    BY_CLASS,
    BY_IP,
    BY_TOTAL,
    BY_PREFIX,
} limit_kind;

static long limit_of(const spec_settings *settings, limit_kind kind) {
    switch (kind) {
    case BY_CLASS:
        return settings->inbound_max;
    case BY_IP:
        return settings->one_per_ip ? 1 : 0;
    case BY_TOTAL:
        return settings->total_max;
    case BY_PREFIX:
        return settings->prefix_max;
    }
    return 0;
}

/* As many peers as it takes; NULL: the case has ended. */
static spec_peer *fill(spec_run *run, long limit) {
    spec_peer *last = NULL;
    if (limit == 0 || limit + 2 > SPEC_PEERS_MAX) {
        spec_skip(run, "how many peers the target takes is not known: name it with --setting");
        return NULL;
    }
    for (long i = 0; i < limit; i++) {
        last = spec_dial_open(run);
        if (last == NULL) {
            return NULL;
        }
    }
    return last;
}

/* ... and one more. */
static void run_full(spec_run *run, const spec_row *row) {
    const long count = limit_of(&run->settings, (limit_kind)row->arg);
    if (fill(run, count) != NULL) {
        spec_note_sent(run, "%ld connections with different IDs, and one more", count);
        judge_refused(run, spec_dial(run));
    }
}

/* ... and another one after one has left. */
static void run_free(spec_run *run, const spec_row *row) {
    const long count = limit_of(&run->settings, (limit_kind)row->arg);
    spec_peer *last = fill(run, count);
    if (last == NULL) {
        return;
    }
    spec_peer_close(last);
    (void)poll(NULL, 0, 200);
    spec_note_sent(run, "%ld connections; one is closed, and another comes", count);
    if (spec_dial_open(run) != NULL) {
        spec_pass(run, "it was taken");
    }
}

/* As many silent connections as may wait, and one more: the oldest leaves, the new one is served.
 */
static void run_pending(spec_run *run, const spec_row *row) {
    const long limit = run->settings.pending_max;
    if (limit == 0 || limit + 2 > SPEC_PEERS_MAX) {
        spec_skip(run, "pending_handshakes is not known, or large: name it with --setting");
        return;
    }
    spec_peer *oldest = NULL;
    for (long i = 0; i < limit; i++) {
        spec_peer *silent = spec_dial(run);
        if (silent == NULL) {
            return;
        }
        oldest = oldest == NULL ? silent : oldest;
        (void)poll(NULL, 0, 10);
    }
    spec_note_sent(run, "%ld silent connections and an honest one", limit);
    if (spec_dial_open(run) == NULL) {
        return;
    }
    if (row->arg == 0) {
        spec_pass(run, "the honest one was served");
        return;
    }
    const spec_came came = spec_peer_need_raw(oldest, 4096);
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the oldest silent one was closed");
    } else {
        spec_fail(run, "that the oldest silent connection is closed", "%s",
                  spec_came_text(run, oldest, came));
    }
}

#define LIMIT(id, clause, title, function, number)                                                 \
    { id, clause, NULL, title, .flags = SPEC_F_DIAL, .run = function, .arg = number }

static const spec_row limits[] = {
    LIMIT("inbound-full", "SW-14", "one peer more than it takes", run_full, BY_CLASS),
    LIMIT("inbound-again", "SW-14", "a place becomes free", run_free, BY_CLASS),
    LIMIT("duplicate-ip", "SW-20", "a second peer from one address", run_full, BY_IP),
    LIMIT("duplicate-ip-again", "SW-20", "that address when the first has left", run_free, BY_IP),
    LIMIT("total-full", "SW-18", "one more than all together", run_full, BY_TOTAL),
    LIMIT("prefix-full", "SW-57", "one more from one network", run_full, BY_PREFIX),
    LIMIT("pending-served", "SW-21", "silent connections take no places", run_pending, 0),
    LIMIT("pending-oldest", "SW-22", "the oldest silent connection leaves", run_pending, 1),
};

const spec_group spec_group_limits = {"limits", limits, sizeof limits / sizeof limits[0], NULL};
