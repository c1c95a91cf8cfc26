/* SPDX-License-Identifier: Apache-2.0 */
/* Two switches in one process and on one loop: a left and a right end pass a counter to and fro.
 * Nothing in the library is global, so there may be as many as memory allows. */
#include <stdio.h>
#include <string.h>

#include <ev.h>

#include "node.h"

#define CHANNEL 0x73
#define NETWORK "two-switches-example"
#define ROUNDS  1000

typedef struct end {
    node node;
    sy_channel channel;
    bool serves;
    unsigned received;
    struct end *other;
} end;

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    end *e = reactor;
    (void)sw, (void)now;
    e->channel = channels[0];
    return SY_OK;
}

static void pass(end *e, sy_peer *peer, unsigned count) {
    if (sy_peer_send(peer, e->channel, &count, sizeof count) != SY_SEND_QUEUED) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "one message at a time, and still no room");
    }
}

static void on_peer_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    end *e = reactor;
    (void)state, (void)now;
    if (e->serves) {
        pass(e, peer, 1);
    }
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    end *e = reactor;
    unsigned count = 0;
    (void)state, (void)channel, (void)now;
    if (len != sizeof count) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "not a counter");
        return;
    }
    memcpy(&count, data, sizeof count);
    e->received++;
    if (count < ROUNDS) {
        pass(e, peer, count + 1);
    } else {
        node_stop(&e->node);
        node_stop(&e->other->node);
    }
}

static const sy_channel_desc channels[] = {
    {.id = CHANNEL, .name = "pass", .priority = 5, .recv_message_max = 64},
};

static const sy_reactor_ops ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "pass",
    .channels = channels,
    .channel_count = 1,
    .start = on_start,
    .peer_added = on_peer_added,
    .receive = on_receive,
};

static bool connect_ends(end *left, end *right) {
    sy_endpoint bound;
    if (!node_listen(&left->node, "127.0.0.1:0", &bound)) {
        return false;
    }
    char id[SY_NODE_ID_TEXT_CAP];
    char host[SY_ENDPOINT_TEXT_CAP];
    char address[SY_NODE_ID_TEXT_CAP + SY_ENDPOINT_TEXT_CAP];
    sy_node_id_format(sy_switch_id(left->node.sw), id);
    (void)sy_endpoint_format(&bound, host);
    (void)snprintf(address, sizeof address, "%s@%s", id, host);
    return node_dial(&right->node, address, SY_DIAL_ONCE);
}

int main(void) {
    struct ev_loop *loop = ev_default_loop(0);
    end left = {.serves = true};
    end right = {.other = &left};
    left.other = &right;
    const bool ok = node_open(&left.node, loop, NETWORK, "left", &ops, &left) &&
                    node_open(&right.node, loop, NETWORK, "right", &ops, &right) &&
                    connect_ends(&left, &right);
    if (ok) {
        node_run(&left.node);
        node_run(&right.node);
        (void)printf("%u and %u messages\n", left.received, right.received);
    }
    node_close(&right.node);
    node_close(&left.node);
    return ok && left.received + right.received == ROUNDS ? 0 : 1;
}
