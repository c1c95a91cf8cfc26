/* SPDX-License-Identifier: Apache-2.0 */
/* Visits a seed again and again, each time as another node: connects, asks for addresses, takes the
 * answer and leaves.
 *
 *     visitor NETWORK ID@HOST:PORT INTERVAL_MS
 *
 * Prints a line per visit: `visit result=answered|ended|failed ms=N bytes=N`.  Public headers only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#include <switchyard/ev.h>
#include <switchyard/node_key.h>
#include <switchyard/reactor.h>
#include <switchyard/switch.h>

#define VISIT_S 10.0

static const uint8_t request[] = {0x0a, 0x00}; /* of peer exchange, CometBFT's encoding */

static const sy_channel_desc channel_desc = {
    .id = 0x00,
    .name = "pex",
    .priority = 1,
    .send_queue_max = 10,
    .recv_message_max = 64000,
};

typedef struct visitor {
    struct ev_loop *loop;
    const char *network;
    sy_addr seed;
    sy_ev *ev;
    sy_switch *sw;
    sy_channel channel;
    uint64_t number;
    sy_time began_at;
    const char *result; /* NULL: the visit goes on */
    size_t bytes;
    ev_timer next;
    ev_timer over;
} visitor;

static void must(sy_err err, const char *what) {
    if (err != SY_OK) {
        (void)fprintf(stderr, "visitor: %s: %s\n", what, sy_strerror(err));
        exit(1);
    }
}

/* The switch cannot be deleted inside its own callback: the timer does it. */
static void finish(visitor *v, const char *result) {
    if (v->result == NULL) {
        v->result = result;
        ev_timer_stop(v->loop, &v->over);
        ev_timer_set(&v->over, 0.0, 0.0);
        ev_timer_start(v->loop, &v->over);
    }
}

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    visitor *v = reactor;
    (void)sw;
    (void)now;
    v->channel = channels[0];
    return SY_OK;
}

static void on_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    const visitor *v = reactor;
    (void)state;
    (void)now;
    (void)sy_peer_send(peer, v->channel, request, sizeof request);
}

static void on_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                       sy_time now) {
    (void)peer;
    (void)state;
    (void)reason;
    (void)now;
    finish(reactor, "ended");
}

static void on_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    visitor *v = reactor;
    (void)peer;
    (void)state;
    (void)channel;
    (void)now;
    if (len > 0 && data[0] == 0x12) {
        v->bytes = len;
        finish(v, "answered");
    }
}

static void on_dial_failed(void *reactor, const sy_addr *addr, const sy_reason *reason,
                           sy_time now) {
    (void)addr;
    (void)now;
    (void)fprintf(stderr, "visitor: %s %s\n", sy_err_name(reason->code), reason->detail.text);
    finish(reactor, "failed");
}

static const sy_reactor_ops reactor_ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "visitor",
    .channels = &channel_desc,
    .channel_count = 1,
    .start = on_start,
    .peer_added = on_added,
    .peer_removed = on_removed,
    .receive = on_receive,
    .dial_failed = on_dial_failed,
};

static void on_over(struct ev_loop *loop, ev_timer *watcher, int revents) {
    visitor *v = watcher->data;
    (void)loop;
    (void)revents;
    const sy_time now = sy_ev_now(v->ev);
    (void)printf("visit result=%s ms=%.1f bytes=%zu\n", v->result == NULL ? "silence" : v->result,
                 (double)(now - v->began_at) / 1e6, v->bytes);
    (void)fflush(stdout);
    sy_switch_del(v->sw);
    sy_ev_del(v->ev);
    v->sw = NULL;
    v->ev = NULL;
}

static void begin(visitor *v) {
    uint8_t seed[SY_SEED_LEN] = {0};
    char listen[64];
    sy_node_key key;
    sy_settings settings;
    sy_detail detail;

    v->number++;
    v->result = NULL;
    v->bytes = 0;
    memcpy(seed, &v->number, sizeof v->number);
    memcpy(seed + 8, &v->seed.port, sizeof v->seed.port);
    sy_node_key_from_seed(seed, &key);
    (void)snprintf(listen, sizeof listen, "127.%d.%d.%d:26656", (int)(v->number % 200) + 20,
                   (int)(v->number / 200 % 250), (int)(v->number % 250) + 1);
    sy_settings_default(&settings);
    settings.node_key = &key;
    settings.network = v->network;
    settings.version = "0.38.26";
    settings.listen_addr = listen;
    settings.profiles[0] = "cometbft";
    settings.profile_count = 1;
    sy_detail_clear(&detail);
    must(sy_ev_new(v->loop, NULL, &v->ev), "driver");
    must(sy_switch_new(&settings, sy_ev_ops(), v->ev, &v->sw, &detail), "switch");
    sy_node_key_wipe(&key);
    sy_ev_attach(v->ev, v->sw);
    must(sy_switch_add_reactor(v->sw, &reactor_ops, v, &detail), "reactor");
    must(sy_switch_start(v->sw, sy_ev_now(v->ev)), "start");
    v->began_at = sy_ev_now(v->ev);
    must(sy_switch_dial(v->sw, &v->seed, SY_DIAL_ONCE, v->began_at), "dial");
    ev_timer_set(&v->over, VISIT_S, 0.0);
    ev_timer_start(v->loop, &v->over);
}

static void on_next(struct ev_loop *loop, ev_timer *watcher, int revents) {
    visitor *v = watcher->data;
    (void)loop;
    (void)revents;
    if (v->sw == NULL) { /* else the last visit lasts too long: this one is left out */
        begin(v);
    }
}

/* 1 ms to a day; 0: no such number. */
static long interval_of(const char *text) {
    char *end;
    const long value = strtol(text, &end, 10);
    return *end != '\0' || value < 1 || value > 86400000 ? 0 : value;
}

int main(int argc, char **argv) {
    visitor v = {0};
    sy_detail detail;
    sy_detail_clear(&detail);
    if (argc != 4 || interval_of(argv[3]) == 0) {
        (void)fprintf(stderr, "usage: visitor NETWORK ID@HOST:PORT INTERVAL_MS\n");
        return 2;
    }
    v.network = argv[1];
    if (sy_addr_parse(argv[2], strlen(argv[2]), SY_ADDR_ID_REQUIRED, &v.seed, &detail) != SY_OK) {
        (void)fprintf(stderr, "visitor: %s: %s\n", argv[2], detail.text);
        return 2;
    }
    v.loop = ev_default_loop(0);
    const double interval = (double)interval_of(argv[3]) / 1000.0;
    ev_timer_init(&v.next, on_next, 0.0, interval);
    ev_timer_init(&v.over, on_over, VISIT_S, 0.0);
    v.next.data = &v;
    v.over.data = &v;
    ev_timer_start(v.loop, &v.next);
    ev_run(v.loop, 0);
    return 0;
}
