/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, responses and deadlines: every request has a number and an instant at which it is given
 * up; the reactor's own clock work (next_expiry, on_expiry) watches both the client's deadlines and
 * the server's delayed answers.
 *
 *     request HOST:PORT                                   serves
 *     request ID@HOST:PORT TIMEOUT_MS REQUEST...          asks everything at once
 *
 * A request is "MILLISECONDS TEXT": the server answers with the text after that time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#include "node.h"

#define CHANNEL     0x72
#define NETWORK     "request-example"
#define PENDING_MAX 32
#define TEXT_MAX    200

/* On the wire: a kind, the number (8 bytes, the client's own order), text. */
#define KIND_REQUEST  'q'
#define KIND_RESPONSE 'r'
#define HEAD_LEN      9

/* A request that waits: at the client for its response, at the server for its time. */
typedef struct pending {
    bool used;
    uint64_t number;
    sy_time due_at;
    size_t text_len;
    uint8_t text[TEXT_MAX];
} pending;

/* Per peer, kept by the switch; linked, because on_expiry walks all peers. */
typedef struct peer_state {
    sy_peer_ref ref;
    struct peer_state *next;
    pending table[PENDING_MAX];
} peer_state;

typedef struct requester {
    node node;
    sy_switch *sw;
    sy_channel channel;
    peer_state *peers;
    sy_duration timeout;
    char **requests;
    size_t request_count; /* 0: we serve */
    size_t finished;
    size_t failed;
} requester;

static pending *find_free(peer_state *p) {
    for (size_t i = 0; i < PENDING_MAX; i++) {
        if (!p->table[i].used) {
            return &p->table[i];
        }
    }
    return NULL;
}

static pending *find_number(peer_state *p, uint64_t number) {
    for (size_t i = 0; i < PENDING_MAX; i++) {
        if (p->table[i].used && p->table[i].number == number) {
            return &p->table[i];
        }
    }
    return NULL;
}

static bool send_message(requester *r, sy_peer *peer, char kind, const pending *entry) {
    uint8_t out[HEAD_LEN + TEXT_MAX];
    out[0] = (uint8_t)kind;
    memcpy(out + 1, &entry->number, sizeof entry->number);
    memcpy(out + HEAD_LEN, entry->text, entry->text_len);
    return sy_peer_send(peer, r->channel, out, HEAD_LEN + entry->text_len) == SY_SEND_QUEUED;
}

/* ---- The client --------------------------------------------------------------------------------
 */

static void finish(requester *r, bool ok, const char *what, const pending *entry,
                   const uint8_t *text, size_t len) {
    (void)printf("%" PRIu64 " %s: %.*s\n", entry->number, what, (int)len, (const char *)text);
    r->finished++;
    r->failed += ok ? 0 : 1;
    if (r->finished == r->request_count) {
        node_stop(&r->node);
    }
}

static void ask_all(requester *r, sy_peer *peer, peer_state *p, sy_time now) {
    for (size_t i = 0; i < r->request_count; i++) {
        pending *entry = find_free(p);
        if (entry == NULL) {
            break;
        }
        const size_t len = strlen(r->requests[i]);
        entry->number = i;
        entry->due_at = sy_time_after(now, r->timeout);
        entry->text_len = len < TEXT_MAX ? len : TEXT_MAX;
        memcpy(entry->text, r->requests[i], entry->text_len);
        entry->used = send_message(r, peer, KIND_REQUEST, entry);
        if (!entry->used) {
            finish(r, false, "not sent", entry, entry->text, entry->text_len);
        }
    }
}

static void take_response(requester *r, peer_state *p, uint64_t number, const uint8_t *text,
                          size_t len) {
    pending *entry = find_number(p, number);
    if (entry == NULL) {
        return; /* too late: it was given up */
    }
    entry->used = false;
    finish(r, true, "answered", entry, text, len);
}

/* ---- The server --------------------------------------------------------------------------------
 */

static void take_request(sy_peer *peer, peer_state *p, uint64_t number, const uint8_t *text,
                         size_t len, sy_time now) {
    char copy[TEXT_MAX + 1];
    char *rest = NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    const unsigned long ms = strtoul(copy, &rest, 10);
    pending *entry = find_free(p);
    if (rest == copy || *rest != ' ' || ms > 60000 || entry == NULL) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE,
                     entry == NULL ? "too many requests at once" : "malformed request");
        return;
    }
    entry->used = true;
    entry->number = number;
    entry->due_at = sy_time_after(now, ms * SY_MSEC);
    entry->text_len = strlen(rest + 1);
    memcpy(entry->text, rest + 1, entry->text_len);
}

/* ---- Both --------------------------------------------------------------------------------------
 */

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    requester *r = reactor;
    (void)now;
    r->sw = sw;
    r->channel = channels[0];
    return SY_OK;
}

static void on_peer_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    requester *r = reactor;
    peer_state *p = state;
    p->ref = sy_peer_ref_of(peer);
    p->next = r->peers;
    r->peers = p;
    ask_all(r, peer, p, now);
}

/* What still waits will never be answered.  The memory goes after this: unlink it. */
static void on_peer_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                            sy_time now) {
    requester *r = reactor;
    peer_state *p = state;
    (void)peer, (void)reason, (void)now;
    peer_state **at = &r->peers;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    for (size_t i = 0; r->request_count > 0 && i < PENDING_MAX; i++) {
        const pending *entry = &p->table[i];
        if (entry->used) {
            finish(r, false, "connection lost", entry, entry->text, entry->text_len);
        }
    }
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    requester *r = reactor;
    uint64_t number;
    (void)channel;
    if (len < HEAD_LEN) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "message without head");
        return;
    }
    memcpy(&number, data + 1, sizeof number);
    if (data[0] == KIND_RESPONSE) {
        take_response(r, state, number, data + HEAD_LEN, len - HEAD_LEN);
    } else if (data[0] == KIND_REQUEST && r->request_count == 0) {
        take_request(peer, state, number, data + HEAD_LEN, len - HEAD_LEN, now);
    }
}

/* The earliest of everything that waits.  A program with many of them keeps a heap. */
static sy_time next_expiry(void *reactor) {
    const requester *r = reactor;
    sy_time at = SY_NEVER;
    for (const peer_state *p = r->peers; p != NULL; p = p->next) {
        for (size_t i = 0; i < PENDING_MAX; i++) {
            at = p->table[i].used ? sy_time_min(at, p->table[i].due_at) : at;
        }
    }
    return at;
}

static void on_due(requester *r, peer_state *p, pending *entry) {
    sy_peer *peer = sy_switch_peer(r->sw, p->ref);
    entry->used = false;
    if (r->request_count > 0) {
        finish(r, false, "timed out", entry, entry->text, entry->text_len);
    } else if (peer != NULL && !send_message(r, peer, KIND_RESPONSE, entry)) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "does not read its responses");
    }
}

static void on_expiry(void *reactor, sy_time now) {
    requester *r = reactor;
    for (peer_state *p = r->peers; p != NULL; p = p->next) {
        for (size_t i = 0; i < PENDING_MAX; i++) {
            if (p->table[i].used && p->table[i].due_at <= now) {
                on_due(r, p, &p->table[i]);
            }
        }
    }
}

static const sy_channel_desc channels[] = {
    {
        .id = CHANNEL,
        .name = "request",
        .priority = 10,
        .send_queue_max = PENDING_MAX,
        .recv_message_max = HEAD_LEN + TEXT_MAX,
    },
};

static const sy_reactor_ops ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "request",
    .channels = channels,
    .channel_count = 1,
    .peer_state_size = sizeof(peer_state),
    .start = on_start,
    .peer_added = on_peer_added,
    .peer_removed = on_peer_removed,
    .receive = on_receive,
    .next_expiry = next_expiry,
    .on_expiry = on_expiry,
};

int main(int argc, char **argv) {
    if (argc != 2 && (argc < 4 || argc > 3 + PENDING_MAX)) {
        (void)fprintf(stderr, "usage: request HOST:PORT\n"
                              "       request ID@HOST:PORT TIMEOUT_MS 'MS TEXT'...\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    requester r = {0};
    if (argc > 2) {
        r.timeout = strtoull(argv[2], NULL, 10) * SY_MSEC;
        r.requests = argv + 3;
        r.request_count = (size_t)argc - 3;
    }
    bool ok = node_open(&r.node, ev_default_loop(0), NETWORK, "request", &ops, &r);
    if (ok) {
        ok = argc > 2 ? node_dial(&r.node, argv[1], SY_DIAL_PERSISTENT)
                      : node_listen(&r.node, argv[1], NULL);
    }
    if (ok) {
        node_run(&r.node);
    }
    node_close(&r.node);
    return ok && r.failed == 0 ? 0 : 1;
}
