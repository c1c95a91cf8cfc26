/* SPDX-License-Identifier: Apache-2.0 */
/* Random schedules on real threads and sockets, for ThreadSanitizer: three nodes, each with a loop
 * on a thread of its own, two isolated reactors and one thread that posts.  They dial, cross,
 * stop, refuse in peer_init, sleep and send as drawn, all at once; then they come to rest, and both
 * ends of each pair must have kept the same connection, with hooks paired and nothing left.
 *
 *     threads_schedules [SEED [COUNT]]     what is drawn follows from the seed, when it happens
 * does not: replaying a seed may need several attempts */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/prng.h"
#include "p2p/switch_internal.h"
#include "tests/threads/rig.h"

#define NODES      3
#define ISOLATED   2
#define SCHEDULES  16
#define ACTIVE     (250 * SY_MSEC)
#define REST_MAX   (30 * SY_SEC)
#define FIRST_ID   0x60
#define STATE_LIVE UINT64_C(0x6c69766521212121)

typedef enum phase {
    PHASE_ACTIVE,
    PHASE_CALM,
    PHASE_STOP,
} phase;

typedef struct world world;
typedef struct thread_node thread_node;

/* Its operations run on its own thread; counters are read elsewhere once that has ended. */
typedef struct moody {
    thread_node *node;
    sy_channel_desc desc;
    sy_reactor_ops ops;
    sy_switch *sw;
    sy_channel channel;
    sy_prng prng;
    sy_time due_at;
    size_t inits;
    size_t finis;
    size_t addeds;
    size_t removeds;
    size_t received;
    size_t refused;
    bool stopped;
    atomic_size_t alive; /* peers that it has */
    pthread_mutex_t mutex;
    sy_peer_ref refs[4]; /* mutex: peers that were added, perhaps gone */
    size_t ref_count;    /* mutex */
} moody;

typedef struct state {
    uint64_t live;
    unsigned phase; /* 1 init, 2 added, 3 removed */
    void *block;
} state;

/* What a node has at rest: one entry for each other node. */
typedef struct kept {
    bool connected;
    bool outbound;
    uint16_t local_port;
    uint16_t remote_port;
} kept;

struct thread_node {
    world *world;
    size_t index;
    struct ev_loop *loop;
    sy_ev *ev;
    sy_switch *sw;
    sy_node_key key;
    sy_node_id id;
    sy_settings settings;
    sy_endpoint bound;
    ev_timer tick;
    sy_prng prng;
    moody reactors[ISOLATED];
    pthread_t loop_thread;
    pthread_t post_thread;
    bool stopping;
    size_t dials;
    size_t stops;
    size_t ends;
    size_t posted;
    size_t gone;
    pthread_mutex_t mutex;
    kept kept[NODES];   /* mutex */
    bool is_at_rest;    /* mutex: no connection beyond these */
    uint64_t snapshots; /* mutex */
};

struct world {
    atomic_int phase;
    thread_node node[NODES];
};

static phase phase_of(const thread_node *n) {
    return (phase)atomic_load(&n->world->phase);
}

/* ---- The isolated reactors ---------------------------------------------------------------------
 */

static bool is_moody(moody *m, unsigned percent) {
    return phase_of(m->node) == PHASE_ACTIVE && sy_prng_below(&m->prng, 100) < percent;
}

static sy_err moody_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    moody *m = reactor;
    m->sw = sw;
    m->channel = channels[0];
    m->due_at = now;
    return SY_OK;
}

static void moody_stop(void *reactor, sy_time now) {
    moody *m = reactor;
    (void)now;
    expect(m->inits == m->finis && m->addeds == m->removeds && !m->stopped);
    m->stopped = true;
}

static sy_err moody_init(void *reactor, sy_peer *peer, void *data, sy_time now) {
    moody *m = reactor;
    state *st = data;
    (void)now;
    expect(st->live == 0 && st->phase == 0);
    *st = (state){.live = STATE_LIVE, .phase = 1, .block = malloc(64)};
    expect(st->block != NULL && sy_peer_info(peer) != NULL);
    m->inits++;
    atomic_fetch_add(&m->alive, 1);
    if (is_moody(m, 10)) {
        (void)usleep((useconds_t)sy_prng_below(&m->prng, 20000));
    }
    if (is_moody(m, 15)) {
        m->refused++;
        return SY_ERR_REACTOR;
    }
    if (is_moody(m, 5)) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "at once");
    }
    return SY_OK;
}

static void moody_fini(void *reactor, sy_peer *peer, void *data) {
    moody *m = reactor;
    state *st = data;
    (void)peer;
    expect(st->live == STATE_LIVE && (st->phase == 1 || st->phase == 3));
    free(st->block);
    st->live = 0;
    m->finis++;
    atomic_fetch_sub(&m->alive, 1);
}

static void moody_added(void *reactor, sy_peer *peer, void *data, sy_time now) {
    moody *m = reactor;
    state *st = data;
    (void)now;
    expect(st->live == STATE_LIVE && st->phase == 1);
    st->phase = 2;
    m->addeds++;
    pthread_mutex_lock(&m->mutex);
    m->refs[m->ref_count++ % 4] = sy_peer_ref_of(peer);
    pthread_mutex_unlock(&m->mutex);
    (void)sy_peer_send(peer, m->channel, "hello", 5);
}

static void moody_removed(void *reactor, sy_peer *peer, void *data, const sy_reason *reason,
                          sy_time now) {
    moody *m = reactor;
    state *st = data;
    (void)now;
    expect(st->live == STATE_LIVE && st->phase == 2 && reason->code != SY_OK);
    expect(sy_peer_send(peer, m->channel, "x", 1) == SY_SEND_REFUSED);
    expect(sy_switch_post_send(m->sw, sy_peer_ref_of(peer), m->channel, "x", 1) == SY_SEND_GONE);
    st->phase = 3;
    m->removeds++;
}

static void moody_receive(void *reactor, sy_peer *peer, void *data, sy_channel channel,
                          const uint8_t *bytes, size_t len, sy_time now) {
    moody *m = reactor;
    const state *st = data;
    (void)now;
    expect(st->live == STATE_LIVE && st->phase == 2 && channel == m->channel);
    m->received++;
    if (is_moody(m, 3)) {
        (void)usleep((useconds_t)sy_prng_below(&m->prng, 30000));
    }
    if (is_moody(m, 50)) {
        (void)sy_peer_send(peer, channel, bytes, len);
        (void)sy_peer_rtt(peer);
    }
    if (is_moody(m, 2)) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "enough");
    }
    if (is_moody(m, 5)) {
        sy_peer_ping(peer, now);
    }
}

static void moody_writable(void *reactor, sy_peer *peer, void *data, sy_channel channel,
                           sy_time now) {
    const moody *m = reactor;
    const state *st = data;
    (void)peer;
    (void)now;
    expect(st->live == STATE_LIVE && st->phase == 2 && channel == m->channel);
}

static sy_time moody_next_expiry(void *reactor) {
    return ((const moody *)reactor)->due_at;
}

static void moody_on_expiry(void *reactor, sy_time now) {
    moody *m = reactor;
    m->due_at = sy_time_after(now, 20 * SY_MSEC);
    if (is_moody(m, 30)) {
        (void)sy_switch_post_broadcast(m->sw, m->channel, "all", 3, NULL, NULL);
    }
}

static void moody_make(moody *m, thread_node *n, size_t index, uint64_t seed) {
    pthread_mutex_init(&m->mutex, NULL);
    m->node = n;
    sy_prng_init(&m->prng, seed);
    m->desc = (sy_channel_desc){.id = (uint8_t)(FIRST_ID + index),
                                .name = "moody",
                                .priority = 1 + (int)index * 5,
                                .send_queue_max = 8,
                                .recv_message_max = 4096,
                                .recv_budget = 30000,
                                .full_policy = (sy_full_policy)sy_prng_below(&m->prng, 4)};
    m->ops = (sy_reactor_ops){.size = sizeof m->ops,
                              .name = index == 0 ? "moody" : "moodier",
                              .channels = &m->desc,
                              .channel_count = 1,
                              .peer_state_size = sizeof(state),
                              .start = moody_start,
                              .stop = moody_stop,
                              .peer_init = moody_init,
                              .peer_fini = moody_fini,
                              .peer_added = moody_added,
                              .peer_removed = moody_removed,
                              .receive = moody_receive,
                              .writable = moody_writable,
                              .next_expiry = moody_next_expiry,
                              .on_expiry = moody_on_expiry};
}

/* ---- The loop ----------------------------------------------------------------------------------
 */

static void dial_one(thread_node *n) {
    const thread_node *to = &n->world->node[sy_prng_below(&n->prng, NODES)];
    sy_addr addr = {.has_id = true, .is_ip = true, .endpoint = to->bound, .id = to->id};
    addr.port = to->bound.port;
    (void)snprintf(addr.host, sizeof addr.host, "127.0.0.1");
    n->dials += sy_switch_dial(n->sw, &addr, SY_DIAL_ONCE, sy_ev_now(n->ev)) == SY_OK;
}

static void stop_one(thread_node *n) {
    sy_peer *peer = sy_switch_next_peer(n->sw, NULL);
    if (peer != NULL && sy_prng_below(&n->prng, 2) == 0) {
        peer = sy_switch_next_peer(n->sw, peer);
    }
    if (peer != NULL) {
        n->stops++;
        sy_peer_stop(peer, sy_prng_below(&n->prng, 2) == 0 ? SY_ERR_STOPPED : SY_ERR_REACTOR_CAUSE,
                     "drawn");
    }
}

/* For the others to compare. */
static void take_snapshot(thread_node *n) {
    kept kept_now[NODES] = {{false, false, 0, 0}};
    sy_switch_counts counts;
    size_t peers = 0;
    for (size_t i = 0; i < NODES; i++) {
        const sy_peer *peer = sy_switch_peer_by_id(n->sw, &n->world->node[i].id);
        if (peer != NULL) {
            peers++;
            kept_now[i] = (kept){.connected = true,
                                 .outbound = sy_peer_is_outbound(peer),
                                 .local_port = peer->local.port,
                                 .remote_port = sy_peer_remote(peer)->port};
        }
    }
    sy_switch_get_counts(n->sw, &counts);
    bool at_rest = counts.peers == peers && counts.pending == 0 && counts.dialing == 0;
    for (size_t i = 0; i < ISOLATED; i++) {
        sy_mailbox_stats stats;
        expect(sy_switch_mailbox_stats(n->sw, &n->reactors[i], &stats) == SY_OK);
        at_rest = at_rest && stats.peers == peers && stats.messages == 0 &&
                  atomic_load(&n->reactors[i].alive) == peers;
    }
    pthread_mutex_lock(&n->mutex);
    memcpy(n->kept, kept_now, sizeof n->kept);
    n->is_at_rest = at_rest;
    n->snapshots++;
    pthread_mutex_unlock(&n->mutex);
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int revents) {
    thread_node *n = watcher->data;
    (void)loop;
    (void)revents;
    switch (phase_of(n)) {
    case PHASE_ACTIVE:
        if (sy_prng_below(&n->prng, 100) < 30) {
            dial_one(n);
        }
        if (sy_prng_below(&n->prng, 100) < 8) {
            stop_one(n);
        }
        return;
    case PHASE_CALM:
        take_snapshot(n);
        return;
    case PHASE_STOP:
        if (!n->stopping) {
            n->stopping = true;
            sy_switch_stop(n->sw, sy_ev_now(n->ev));
        }
        return;
    }
}

static void on_event(void *user, const sy_event *event, sy_time now) {
    (void)now;
    ((thread_node *)user)->ends += event->kind == SY_EVENT_ENDED;
}

static void on_stopped(void *user, sy_time now) {
    const thread_node *n = user;
    (void)now;
    ev_break(n->loop, EVBREAK_ALL);
}

static void *run_loop(void *user) {
    const thread_node *n = user;
    (void)ev_run(n->loop, 0);
    expect(sy_switch_is_stopped(n->sw));
    return NULL;
}

/* Any thread: posts to peers that may have gone, until the end. */
static void *run_poster(void *user) {
    static const uint8_t bytes[900];
    thread_node *n = user;
    sy_prng prng;
    sy_prng_init(&prng, n->index + 77);
    while (phase_of(n) == PHASE_ACTIVE) {
        moody *m = &n->reactors[sy_prng_below(&prng, ISOLATED)];
        sy_peer_ref refs[4];
        pthread_mutex_lock(&m->mutex);
        memcpy(refs, m->refs, sizeof refs);
        pthread_mutex_unlock(&m->mutex);
        const sy_peer_ref ref = refs[sy_prng_below(&prng, 4)];
        const size_t len = (size_t)sy_prng_below(&prng, sizeof bytes);
        const sy_send_result result = sy_switch_post_send(n->sw, ref, m->channel, bytes, len);
        n->posted += result == SY_SEND_QUEUED;
        n->gone += result == SY_SEND_GONE;
        n->posted += sy_switch_post_broadcast_to(n->sw, m->channel, bytes, len, refs, 4, NULL);
        if (sy_prng_below(&prng, 200) == 0) {
            (void)!sy_switch_post_stop(n->sw, ref, SY_ERR_REACTOR_CAUSE, "posted");
        }
        sy_switch_reactor_touch(n->sw, m);
        (void)usleep((useconds_t)sy_prng_below(&prng, 500));
    }
    return NULL;
}

/* ---- A schedule --------------------------------------------------------------------------------
 */

static void node_open(world *w, size_t index, uint64_t seed) {
    thread_node *n = &w->node[index];
    uint8_t bytes[SY_SEED_LEN];
    sy_detail detail;
    sy_endpoint local;
    memset(bytes, (int)(seed % 200) * NODES + (int)index, sizeof bytes);
    memcpy(bytes, &seed, sizeof seed);
    bytes[31] = (uint8_t)index;
    n->world = w;
    n->index = index;
    pthread_mutex_init(&n->mutex, NULL);
    sy_prng_init(&n->prng, seed * 100 + index);
    sy_node_key_from_seed(bytes, &n->key);
    sy_settings_default(&n->settings);
    n->settings.node_key = &n->key;
    n->settings.network = "threads";
    n->settings.observer = on_event;
    n->settings.observer_user = n;
    n->settings.stopped = on_stopped;
    n->settings.stopped_user = n;
    n->settings.ping_interval = 1000 * SY_MSEC;
    n->settings.pong_timeout = 900 * SY_MSEC;
    n->settings.handshake_timeout = 3 * SY_SEC;
    n->settings.park_timeout = 300 * SY_MSEC;
    n->settings.linger_timeout = 300 * SY_MSEC;
    n->loop = ev_loop_new(EVFLAG_AUTO);
    expect(n->loop != NULL && sy_ev_new(n->loop, NULL, &n->ev) == SY_OK);
    expect(sy_switch_new(&n->settings, sy_ev_ops(), n->ev, &n->sw, &detail) == SY_OK);
    n->id = *sy_switch_id(n->sw);
    for (size_t i = 0; i < ISOLATED; i++) {
        moody *m = &n->reactors[i];
        moody_make(m, n, i, seed * 1000 + index * 10 + i);
        expect(sy_switch_add_reactor_isolated(n->sw, &m->ops, m, NULL, &detail) == SY_OK);
    }
    sy_ev_attach(n->ev, n->sw);
    expect(sy_switch_start(n->sw, sy_ev_now(n->ev)) == SY_OK);
    expect(sy_endpoint_parse_ip("127.0.0.1", 9, &local) == SY_OK);
    local.port = 0;
    expect(sy_switch_listen(n->sw, &local, &n->bound, &detail) == SY_OK);
    ev_timer_init(&n->tick, on_tick, 0.002, 0.002);
    n->tick.data = n;
    ev_timer_start(n->loop, &n->tick);
}

static void node_close(thread_node *n) {
    ev_timer_stop(n->loop, &n->tick);
    sy_switch_del(n->sw);
    sy_ev_del(n->ev);
    ev_loop_destroy(n->loop);
    for (size_t i = 0; i < ISOLATED; i++) {
        const moody *m = &n->reactors[i];
        expect(m->stopped && m->inits == m->finis && m->addeds == m->removeds);
        pthread_mutex_destroy(&n->reactors[i].mutex);
    }
    pthread_mutex_destroy(&n->mutex);
}

/* The same connection at both ends, or none at either. */
static bool agree(const kept *a, const kept *b) {
    if (!a->connected || !b->connected) {
        return a->connected == b->connected;
    }
    return a->outbound != b->outbound && a->local_port == b->remote_port &&
           a->remote_port == b->local_port;
}

static bool is_at_rest(world *w, size_t *ret_pairs) {
    kept all[NODES][NODES];
    bool rest = true;
    size_t pairs = 0;
    for (size_t i = 0; i < NODES; i++) {
        thread_node *n = &w->node[i];
        pthread_mutex_lock(&n->mutex);
        rest = rest && n->is_at_rest && n->snapshots > 0;
        memcpy(all[i], n->kept, sizeof all[i]);
        pthread_mutex_unlock(&n->mutex);
    }
    for (size_t i = 0; i < NODES; i++) {
        for (size_t k = i + 1; k < NODES; k++) {
            rest = rest && agree(&all[i][k], &all[k][i]);
            pairs += all[i][k].connected;
        }
    }
    *ret_pairs = pairs;
    return rest;
}

static size_t wait_for_rest(world *w) {
    size_t pairs = 0;
    for (sy_duration waited = 0; !is_at_rest(w, &pairs); waited += 5 * SY_MSEC) {
        expect(waited < REST_MAX); /* a stale peer, or two survivors */
        (void)usleep(5000);
    }
    return pairs;
}

typedef struct totals {
    size_t dials;
    size_t ends;
    size_t stops;
    size_t inits;
    size_t refused;
    size_t received;
    size_t posted;
    size_t gone;
    size_t pairs;
} totals;

static void run_schedule(uint64_t seed, totals *sum) {
    static world w;
    memset(&w, 0, sizeof w);
    for (size_t i = 0; i < NODES; i++) {
        node_open(&w, i, seed);
    }
    for (size_t i = 0; i < NODES; i++) {
        thread_node *n = &w.node[i];
        expect(pthread_create(&n->loop_thread, NULL, run_loop, n) == 0);
        expect(pthread_create(&n->post_thread, NULL, run_poster, n) == 0);
    }
    (void)usleep(ACTIVE / SY_USEC);
    atomic_store(&w.phase, PHASE_CALM);
    for (size_t i = 0; i < NODES; i++) {
        expect(pthread_join(w.node[i].post_thread, NULL) == 0);
    }
    sum->pairs += wait_for_rest(&w);
    atomic_store(&w.phase, PHASE_STOP);
    for (size_t i = 0; i < NODES; i++) {
        expect(pthread_join(w.node[i].loop_thread, NULL) == 0);
    }
    for (size_t i = 0; i < NODES; i++) {
        thread_node *n = &w.node[i];
        node_close(n);
        sum->dials += n->dials;
        sum->ends += n->ends;
        sum->stops += n->stops;
        sum->posted += n->posted;
        sum->gone += n->gone;
        for (size_t k = 0; k < ISOLATED; k++) {
            sum->inits += n->reactors[k].inits;
            sum->refused += n->reactors[k].refused;
            sum->received += n->reactors[k].received;
        }
    }
}

int main(int argc, char **argv) {
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : argc > 1 ? 1 : SCHEDULES;
    totals sum = {0};
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (uint64_t seed = first; seed < first + count; seed++) {
        printf("seed %llu; replay: %s %llu\n", (unsigned long long)seed, argv[0],
               (unsigned long long)seed);
        run_schedule(seed, &sum);
    }
    printf("%llu schedules: %zu dials, %zu ends, %zu stops, %zu pairs at rest; isolated: %zu"
           " peer_init, %zu refused, %zu messages; from other threads: %zu queued, %zu gone\n",
           (unsigned long long)count, sum.dials, sum.ends, sum.stops, sum.pairs, sum.inits,
           sum.refused, sum.received, sum.posted, sum.gone);
    expect(count < SCHEDULES || (sum.refused > 0 && sum.received > 0 && sum.posted > 0 &&
                                 sum.gone > 0 && sum.stops > 0 && sum.pairs > 0));
    return 0;
}
