/* SPDX-License-Identifier: Apache-2.0 */
/* A reactor with back-pressure: it sends as fast as the peer reads, and holds nothing back in
 * memory.  Sending goes on until the queue answers FULL, and again when `writable` is called.
 *
 *     stream HOST:PORT                     receives
 *     stream ID@HOST:PORT MEGABYTES        sends so much, numbered, and waits for the receipt */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#include "node.h"

#define CHANNEL   0x71
#define NETWORK   "stream-example"
#define CHUNK_LEN 32768

typedef struct streamer {
    node node;
    sy_channel channel;
    uint64_t to_send; /* chunks; 0: we receive */
    bool done;
} streamer;

/* Of one peer: where we are in sending to it or receiving from it. */
typedef struct progress {
    uint64_t chunks;
    uint64_t pauses;
} progress;

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    streamer *s = reactor;
    (void)sw, (void)now;
    s->channel = channels[0];
    return SY_OK;
}

static void send_more(streamer *s, sy_peer *peer, progress *p) {
    uint8_t chunk[CHUNK_LEN];
    while (p->chunks < s->to_send) {
        memset(chunk, (int)(p->chunks & 0xff), sizeof chunk);
        memcpy(chunk, &p->chunks, sizeof p->chunks);
        switch (sy_peer_send(peer, s->channel, chunk, sizeof chunk)) {
        case SY_SEND_QUEUED:
            p->chunks++;
            break;
        case SY_SEND_FULL:
            p->pauses++;
            return; /* on_writable goes on with this chunk */
        case SY_SEND_REFUSED:
        case SY_SEND_GONE:
            return; /* peer_removed follows */
        }
    }
    /* An empty message says that this was all.  When even that finds no room, so much the later. */
    (void)sy_peer_send(peer, s->channel, NULL, 0);
}

static void on_peer_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    streamer *s = reactor;
    (void)now;
    if (s->to_send > 0) {
        send_more(s, peer, state);
    }
}

static void on_writable(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                        sy_time now) {
    (void)channel, (void)now;
    send_more(reactor, peer, state);
}

static void take_chunk(sy_peer *peer, progress *p, const uint8_t *data, size_t len) {
    uint64_t number = 0;
    if (len == CHUNK_LEN) {
        memcpy(&number, data, sizeof number);
    }
    if (len != CHUNK_LEN || number != p->chunks || data[len - 1] != (number & 0xff)) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "chunk out of order");
        return;
    }
    p->chunks++;
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    streamer *s = reactor;
    progress *p = state;
    (void)now;
    if (s->to_send > 0) {
        (void)printf("receipt: %.*s; the queue was full %" PRIu64 " times\n", (int)len,
                     (const char *)data, p->pauses);
        s->done = true;
        sy_peer_stop(peer, SY_ERR_STOPPED, "all sent");
    } else if (len > 0) {
        take_chunk(peer, p, data, len);
    } else {
        char text[64];
        const int n = snprintf(text, sizeof text, "%" PRIu64 " chunks in order", p->chunks);
        (void)sy_peer_send(peer, channel, text, (size_t)n);
    }
}

static void on_peer_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                            sy_time now) {
    streamer *s = reactor;
    const progress *p = state;
    (void)peer, (void)now;
    (void)printf("peer ended after %" PRIu64 " chunks: %s\n", p->chunks, sy_strerror(reason->code));
    if (s->to_send > 0) {
        node_stop(&s->node);
    }
}

static const sy_channel_desc channels[] = {
    {
        .id = CHANNEL,
        .name = "stream",
        .priority = 1,
        .traffic_class = SY_CLASS_BULK,
        .send_queue_max = 32,
        .recv_message_max = CHUNK_LEN,
    },
};

static const sy_reactor_ops ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "stream",
    .channels = channels,
    .channel_count = 1,
    .peer_state_size = sizeof(progress),
    .start = on_start,
    .peer_added = on_peer_added,
    .peer_removed = on_peer_removed,
    .receive = on_receive,
    .writable = on_writable,
};

int main(int argc, char **argv) {
    if (argc < 2 || argc > 3) {
        (void)fprintf(stderr, "usage: stream HOST:PORT | stream ID@HOST:PORT MEGABYTES\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    streamer s = {0};
    if (argc == 3) {
        s.to_send = strtoull(argv[2], NULL, 10) * 1048576 / CHUNK_LEN;
    }
    bool ok = node_open(&s.node, ev_default_loop(0), NETWORK, "stream", &ops, &s);
    if (ok && argc == 3) {
        ok = node_dial(&s.node, argv[1], SY_DIAL_PERSISTENT);
    } else if (ok) {
        ok = node_listen(&s.node, argv[1], NULL);
    }
    if (ok) {
        node_run(&s.node);
    }
    node_close(&s.node);
    return ok && (argc == 2 || s.done) ? 0 : 1;
}
