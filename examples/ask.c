/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of count: sends one message and prints the answer.
 *
 *     ask ID@HOST:PORT TEXT */
#include <stdio.h>
#include <string.h>

#include <ev.h>

#include "count_reactor.h"
#include "node.h"

/* What the reactor's functions get as `reactor`. */
typedef struct asker {
    node node;
    sy_channel channel;
    const char *text;
    bool answered;
} asker;

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    asker *a = reactor;
    (void)sw, (void)now;
    a->channel = channels[0];
    return SY_OK;
}

static void on_peer_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    asker *a = reactor;
    (void)state, (void)now;
    if (sy_peer_send(peer, a->channel, a->text, strlen(a->text)) != SY_SEND_QUEUED) {
        sy_peer_stop(peer, SY_ERR_STOPPED, "cannot be asked");
    }
}

static void on_message(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    asker *a = reactor;
    (void)state, (void)channel, (void)now;
    (void)printf("%.*s\n", (int)len, (const char *)data);
    a->answered = true;
    sy_peer_stop(peer, SY_ERR_STOPPED, "answered");
}

static void on_peer_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                            sy_time now) {
    asker *a = reactor;
    (void)peer, (void)state, (void)now;
    if (!a->answered) {
        (void)fprintf(stderr, "connection ended: %s %s\n", sy_strerror(reason->code),
                      reason->detail.text);
    }
    node_stop(&a->node);
}

static void on_dial_failed(void *reactor, const sy_addr *addr, const sy_reason *reason,
                           sy_time now) {
    asker *a = reactor;
    (void)addr, (void)now;
    (void)fprintf(stderr, "no connection: %s %s\n", sy_strerror(reason->code), reason->detail.text);
    node_stop(&a->node);
}

static const sy_channel_desc channels[] = {
    {.id = COUNT_CHANNEL, .name = "count", .priority = 5, .recv_message_max = 65536},
};

static const sy_reactor_ops ask_reactor = {
    .size = sizeof(sy_reactor_ops),
    .name = "ask",
    .channels = channels,
    .channel_count = 1,
    .start = on_start,
    .peer_added = on_peer_added,
    .peer_removed = on_peer_removed,
    .receive = on_message,
    .dial_failed = on_dial_failed,
};

int main(int argc, char **argv) {
    if (argc != 3) {
        (void)fprintf(stderr, "usage: ask ID@HOST:PORT TEXT\n");
        return 2;
    }
    asker a = {.text = argv[2]};
    if (node_open(&a.node, ev_default_loop(0), COUNT_NETWORK, "ask", &ask_reactor, &a) &&
        node_dial(&a.node, argv[1], SY_DIAL_ONCE)) {
        node_run(&a.node);
    }
    node_close(&a.node);
    return a.answered ? 0 : 1;
}
