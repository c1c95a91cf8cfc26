/* SPDX-License-Identifier: Apache-2.0 */
/* Switchyard as a subject: a reactor on a switch on the libev driver, public headers only.
 * Keepalive, budgets and logging are the library's defaults; only the numbers of peers are raised.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ev.h>

#include <switchyard/ev.h>
#include <switchyard/mem.h>
#include <switchyard/msg.h>
#include <switchyard/node_key.h>
#include <switchyard/reactor.h>
#include <switchyard/switch.h>

#include "bench.h"

#define DIALS_AT_ONCE 1000 /* idle: the other end has room for 4096 handshakes */

enum {
    BULK,
    URGENT,
    CTL,
    CHANNELS
};

static const sy_channel_desc descs[CHANNELS] = {
    {.id = 0x20,
     .name = "bulk",
     .priority = 1,
     .send_queue_max = 1000,
     .send_queue_bytes_max = 1 << 20,
     .recv_message_max = BENCH_SIZE_MAX},
    {.id = 0x21, .name = "urgent", .priority = 10, .send_queue_max = 1000},
    {.id = 0x22, .name = "ctl", .priority = 5, .send_queue_max = 1000},
};

typedef struct peer_state {
    bench_receiver receiver; /* serve */
    bool owed;               /* run: the message at hand did not fit */
} peer_state;

/* One switch with its driver. */
typedef struct node {
    sy_ev *ev;
    sy_switch *sw;
    sy_channel channels[CHANNELS];
    sy_addr target;
    bool redial;
    sy_time due; /* of the reactor's timer */
} node;

static bench_args args;
static struct ev_loop *loop;
static node *nodes;
static uint8_t template[BENCH_SIZE_MAX];

/* The state of a run. */
static size_t up;        /* connections that are peers now */
static uint64_t added;   /* handshakes completed */
static uint64_t dials;   /* handshakes begun */
static uint64_t removed; /* and their connections closed again */
static uint64_t goal;    /* bulk messages to send: warm, then warm + count */
static uint64_t sent;    /* of them, queued for every peer */
static size_t owed;      /* peers that did not take message `sent` yet */
static size_t filling;   /* guards fill() */
static sy_msg *current;  /* message `sent` */
static uint64_t urgent_sent;
static size_t acks;
static bench_samples trips;
static uint64_t started_ns;
static uint64_t cpu_at_start;
static size_t touched;

static void must(sy_err err, const char *what) {
    if (err != SY_OK) {
        bench_die("%s: %s", what, sy_strerror(err));
    }
}

static void finish(void) {
    ev_break(loop, EVBREAK_ALL);
}

static uint64_t mono(void) {
    return (uint64_t)sy_ev_now(nodes[0].ev);
}

/* ---- the sender of bulk, to one peer or many ---- */

static void offer(node *n, sy_peer *peer, peer_state *state) {
    state->owed = false;
    switch (sy_peer_send_msg(peer, n->channels[BULK], current)) {
    case SY_SEND_QUEUED:
        return;
    case SY_SEND_FULL:
        state->owed = true;
        owed++;
        return;
    default:
        bench_die("message %" PRIu64 " refused", sent);
    }
}

/* The peers of the sending node; states are handed to us only with callbacks. */
typedef struct target {
    sy_peer_ref ref;
    peer_state *state;
} target;
static target *targets;

static void fill(void) {
    node *n = &nodes[0];
    if (filling++ > 0) {
        return;
    }
    while (owed == 0) {
        if (current != NULL) {
            sy_msg_unref(current);
            current = NULL;
            sent++;
        }
        if (sent == goal) {
            break;
        }
        bench_stamp(template, sent);
        must(sy_msg_new(sy_mem_libc(), NULL, template, args.size, &current), "message");
        for (size_t i = 0; i < up; i++) {
            sy_peer *peer = sy_switch_peer(n->sw, targets[i].ref);
            if (peer == NULL) {
                bench_die("a peer is gone");
            }
            offer(n, peer, targets[i].state);
        }
    }
    filling = 0;
}

static void send_urgent(node *n) {
    uint8_t msg[BENCH_URGENT_SIZE];
    sy_peer *peer = sy_switch_peer(n->sw, targets[0].ref);
    memcpy(msg, template, sizeof msg);
    bench_stamp(msg, urgent_sent);
    if (peer != NULL &&
        sy_peer_send(peer, n->channels[URGENT], msg, sizeof msg) == SY_SEND_QUEUED) {
        urgent_sent++;
    }
}

static void send_trip(node *n) {
    uint8_t msg[BENCH_RTT_SIZE];
    memcpy(msg, template, sizeof msg);
    bench_stamp(msg, trips.len);
    sy_peer *peer = sy_switch_peer(n->sw, targets[0].ref);
    if (peer == NULL ||
        sy_peer_send(peer, n->channels[URGENT], msg, sizeof msg) != SY_SEND_QUEUED) {
        bench_die("round trip %zu was not sent", trips.len);
    }
}

static void start_clock(void) {
    started_ns = mono();
    cpu_at_start = bench_cpu_ns();
}

static void on_ack(node *n, const uint8_t *data, size_t len, sy_time now) {
    bench_ack ack;
    bench_ack_read(data, len, &ack);
    if (++acks < args.addr_count) {
        return;
    }
    acks = 0;
    if (ack.kind == BENCH_ACK_WARM) {
        goal = args.warm + args.count;
        start_clock();
        if (bench_is_row(&args, "urgent")) {
            n->due = now;
        }
        fill();
        return;
    }
    bench_report(&args, args.addr_count, mono() - started_ns, bench_cpu_ns() - cpu_at_start, &ack);
    finish();
}

static void dial(node *n, const char *text) {
    sy_detail detail;
    if (sy_addr_parse(text, strlen(text), SY_ADDR_ID_REQUIRED, &n->target, &detail) != SY_OK) {
        bench_die("%s: %s", text, detail.text);
    }
    dials++;
    must(sy_switch_dial(n->sw, &n->target, SY_DIAL_ONCE, sy_ev_now(n->ev)), "dial");
}

/* ---- the reactor ---- */

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    node *n = reactor;
    (void)sw;
    (void)now;
    memcpy(n->channels, channels, sizeof n->channels);
    return SY_OK;
}

static void on_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    node *n = reactor;
    added++;
    if (args.serve) {
        if (bench_is_row(&args, "handshakes") && added == args.count) {
            printf("done\n");
        }
        return;
    }
    if (bench_is_row(&args, "handshakes")) {
        sy_peer_stop(peer, SY_ERR_STOPPED, "next");
        return;
    }
    targets[up++] = (target){sy_peer_ref_of(peer), state};
    if (bench_is_row(&args, "idle")) {
        if (dials < args.nodes) {
            dial(&nodes[dials], args.addrs[0]);
        }
        if (up == args.nodes) {
            printf("connected\n");
        }
        return;
    }
    if (up < args.addr_count) {
        return;
    }
    if (bench_is_row(&args, "rtt")) {
        n->due = now;
        return;
    }
    goal = args.warm;
    fill();
}

static void on_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                       sy_time now) {
    node *n = reactor;
    (void)peer;
    (void)state;
    if (args.serve) {
        return;
    }
    if (!bench_is_row(&args, "handshakes")) {
        bench_die("connection lost: %s %s", sy_err_name(reason->code), reason->detail.text);
    }
    if (++removed == args.count) {
        finish();
    } else if (dials < args.count) {
        dials++;
        n->redial = true;
        n->due = now;
    }
}

static void serve_message(node *n, sy_peer *peer, peer_state *state, sy_channel channel,
                          const uint8_t *data, size_t len) {
    bench_ack ack;
    if (channel == n->channels[URGENT]) {
        if (bench_is_row(&args, "rtt")) {
            bench_check(data, len, BENCH_RTT_SIZE, state->receiver.got++);
            if (sy_peer_send(peer, channel, data, len) != SY_SEND_QUEUED) {
                bench_die("echo was not sent");
            }
            return;
        }
        bench_take_urgent(&state->receiver, data, len);
        return;
    }
    if (bench_is_row(&args, "idle")) {
        bench_check(data, len, args.size, 0);
        if (sy_peer_send(peer, channel, data, len) != SY_SEND_QUEUED) {
            bench_die("echo was not sent");
        }
        return;
    }
    if (bench_take_bulk(&state->receiver, &args, data, len, &ack)) {
        uint8_t out[BENCH_ACK_LEN];
        bench_ack_write(&ack, out);
        if (sy_peer_send(peer, n->channels[CTL], out, sizeof out) != SY_SEND_QUEUED) {
            bench_die("acknowledgement was not sent");
        }
    }
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    node *n = reactor;
    if (args.serve) {
        serve_message(n, peer, state, channel, data, len);
        return;
    }
    if (channel == n->channels[CTL]) {
        on_ack(n, data, len, now);
        return;
    }
    if (bench_is_row(&args, "idle")) {
        bench_check(data, len, args.size, 0);
        if (++touched == args.nodes) {
            printf("touched\n");
        }
        return;
    }
    bench_check(data, len, BENCH_RTT_SIZE, trips.len);
    bench_sample(&trips, bench_wall_ns() - bench_load(data + 8));
    n->due = now + BENCH_RTT_GAP;
    if (trips.len == args.count) {
        printf("result messages=%zu p50_ns=%" PRIu64 " p99_ns=%" PRIu64 "\n", trips.len,
               bench_percentile(&trips, 50), bench_percentile(&trips, 99));
        finish();
    }
}

static void on_writable(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                        sy_time now) {
    node *n = reactor;
    peer_state *s = state;
    (void)now;
    if (channel == n->channels[BULK] && s->owed) {
        owed--;
        offer(n, peer, s);
        fill();
    }
}

static sy_time next_expiry(void *reactor) {
    return ((node *)reactor)->due;
}

static void on_expiry(void *reactor, sy_time now) {
    node *n = reactor;
    n->due = SY_NEVER;
    if (n->redial) {
        n->redial = false;
        must(sy_switch_dial(n->sw, &n->target, SY_DIAL_ONCE, now), "dial");
    } else if (bench_is_row(&args, "urgent")) {
        send_urgent(n);
        n->due = now + BENCH_URGENT_GAP;
    } else if (bench_is_row(&args, "rtt")) {
        send_trip(n);
    }
}

static void on_dial_failed(void *reactor, const sy_addr *addr, const sy_reason *reason,
                           sy_time now) {
    (void)reactor;
    (void)addr;
    (void)now;
    bench_die("dial failed: %s %s", sy_err_name(reason->code), reason->detail.text);
}

static const sy_reactor_ops reactor_ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "bench",
    .channels = descs,
    .channel_count = CHANNELS,
    .peer_state_size = sizeof(peer_state),
    .start = on_start,
    .peer_added = on_added,
    .peer_removed = on_removed,
    .receive = on_receive,
    .writable = on_writable,
    .dial_failed = on_dial_failed,
    .next_expiry = next_expiry,
    .on_expiry = on_expiry,
};

/* ---- the process ---- */

static void node_start(node *n, size_t index) {
    uint8_t seed[32] = {(uint8_t)index, (uint8_t)(index >> 8), args.serve ? 1 : 2};
    sy_node_key key;
    sy_settings settings;
    sy_detail detail;

    sy_node_key_from_seed(seed, &key);
    sy_settings_default(&settings);
    settings.node_key = &key;
    settings.network = "bench";
    settings.profiles[0] = args.profile;
    settings.profile_count = 1;
    settings.frame_cipher = args.frame_cipher;
    settings.max_inbound = 20000;
    settings.max_outbound = 20000;
    settings.max_pending = 4096;

    n->due = SY_NEVER;
    must(sy_ev_new(loop, NULL, &n->ev), "driver");
    sy_detail_clear(&detail);
    const sy_err err = sy_switch_new(&settings, sy_ev_ops(), n->ev, &n->sw, &detail);
    sy_node_key_wipe(&key);
    if (err != SY_OK) {
        bench_die("switch: %s %s", sy_strerror(err), detail.text);
    }
    sy_ev_attach(n->ev, n->sw);
    must(sy_switch_add_reactor(n->sw, &reactor_ops, n, &detail), "reactor");
    must(sy_switch_start(n->sw, sy_ev_now(n->ev)), "start");
}

static void listen_on(node *n, bool last) {
    sy_endpoint local;
    sy_endpoint bound;
    sy_detail detail;
    char id[SY_NODE_ID_TEXT_CAP];
    char text[SY_ENDPOINT_TEXT_CAP];
    must(sy_endpoint_parse_ip("127.0.0.1", 9, &local), "address");
    local.port = 0;
    must(sy_switch_listen(n->sw, &local, &bound, &detail), "listen");
    sy_node_id_format(sy_switch_id(n->sw), id);
    (void)sy_endpoint_format(&bound, text);
    printf("%s@%s%s", id, text, last ? "\n" : ",");
}

/* A line on standard input: the peers of an idle run are to be used once; its end: we are done. */
static void on_stdin(struct ev_loop *l, ev_io *watcher, int revents) {
    char line[64];
    (void)watcher;
    (void)revents;
    if (read(STDIN_FILENO, line, sizeof line) <= 0) {
        ev_break(l, EVBREAK_ALL);
        return;
    }
    if (args.serve) {
        return;
    }
    bench_stamp(template, 0);
    for (size_t i = 0; i < args.nodes; i++) {
        sy_peer *peer = sy_switch_next_peer(nodes[i].sw, NULL);
        if (peer == NULL ||
            sy_peer_send(peer, nodes[i].channels[BULK], template, args.size) != SY_SEND_QUEUED) {
            bench_die("touch %zu was not sent", i);
        }
    }
}

int main(int argc, char **argv) {
    bench_parse(argc, argv, &args);
    bench_fill(template, args.size < BENCH_URGENT_SIZE ? BENCH_URGENT_SIZE : args.size);
    loop = ev_default_loop(0);
    nodes = calloc(args.nodes, sizeof *nodes);
    targets = calloc(args.nodes + args.addr_count, sizeof *targets);
    ev_io input;
    ev_io_init(&input, on_stdin, STDIN_FILENO, EV_READ);
    ev_io_start(loop, &input);

    if (args.serve) {
        printf("ready ");
    }
    for (size_t i = 0; i < args.nodes; i++) {
        node_start(&nodes[i], i);
        if (args.serve) {
            listen_on(&nodes[i], i + 1 == args.nodes);
        }
    }
    if (!args.serve) {
        start_clock();
        for (size_t i = 0; args.nodes == 1 && i < args.addr_count; i++) {
            dial(&nodes[0], args.addrs[i]);
        }
        for (size_t i = 0; args.nodes > 1 && i < args.nodes && i < DIALS_AT_ONCE; i++) {
            dial(&nodes[i], args.addrs[0]);
        }
    }
    ev_run(loop, 0);
    if (!args.serve && bench_is_row(&args, "handshakes")) {
        printf("result elapsed_ns=%" PRIu64 " messages=%" PRIu64 "\n", mono() - started_ns, added);
    }
    return 0;
}
