/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/threads/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <switchyard/log.h>

void expect_at(bool cond, const char *text, const char *file, int line) {
    if (!cond) {
        fprintf(stderr, "%s:%d: expected: %s\n", file, line, text);
        abort();
    }
}

static uint64_t get_seq(const uint8_t *data, size_t len) {
    uint64_t seq = 0;
    expect(len >= sizeof seq);
    memcpy(&seq, data, sizeof seq);
    return seq;
}

/* ---- The sleeper -------------------------------------------------------------------------------
 */

static void check_thread(sleeper *s) {
    if (!atomic_exchange(&s->has_thread, true)) {
        s->thread = pthread_self();
    }
    expect(pthread_equal(s->thread, pthread_self()));
}

static sy_err sleeper_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    sleeper *s = reactor;
    (void)now;
    s->sw = sw;
    s->channel = channels[0];
    return SY_OK;
}

static void sleeper_stop(void *reactor, sy_time now) {
    sleeper *s = reactor;
    (void)now;
    check_thread(s);
    expect(atomic_load(&s->inits) == atomic_load(&s->finis));
    expect(!atomic_exchange(&s->stopped, true));
}

static sy_err sleeper_init(void *reactor, sy_peer *peer, void *state, sy_time now) {
    sleeper *s = reactor;
    uint64_t *phase = state;
    (void)now;
    check_thread(s);
    expect(*phase == 0);
    *phase = 1;
    expect(sy_peer_info(peer)->moniker.len == strlen("client"));
    expect(sy_peer_has_channel(peer, s->channel));
    atomic_fetch_add(&s->inits, 1);
    if (atomic_load(&s->fail_inits) > 0) {
        atomic_fetch_sub(&s->fail_inits, 1);
        return SY_ERR_NOMEM;
    }
    return SY_OK;
}

static void sleeper_fini(void *reactor, sy_peer *peer, void *state) {
    sleeper *s = reactor;
    uint64_t *phase = state;
    (void)peer;
    check_thread(s);
    expect(*phase == 1 || *phase == 3);
    *phase = 4;
    atomic_fetch_add(&s->finis, 1);
    expect(atomic_load(&s->addeds) == atomic_load(&s->removeds));
}

static void sleeper_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    sleeper *s = reactor;
    uint64_t *phase = state;
    (void)now;
    check_thread(s);
    expect(*phase == 1);
    *phase = 2;
    /* One peer of this ID at a time. */
    expect(atomic_fetch_add(&s->addeds, 1) == atomic_load(&s->removeds));
    pthread_mutex_lock(&s->mutex);
    s->last_ref = sy_peer_ref_of(peer);
    pthread_mutex_unlock(&s->mutex);
}

static void sleeper_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                            sy_time now) {
    sleeper *s = reactor;
    uint64_t *phase = state;
    (void)now;
    check_thread(s);
    expect(*phase == 2);
    expect(reason->code != SY_OK);
    expect(sy_peer_send(peer, s->channel, "12345678", 8) == SY_SEND_REFUSED);
    *phase = 3;
    atomic_fetch_add(&s->removeds, 1);
}

static void sleeper_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                            const uint8_t *data, size_t len, sy_time now) {
    sleeper *s = reactor;
    const uint64_t *phase = state;
    (void)now;
    check_thread(s);
    expect(*phase == 2);
    expect(channel == s->channel);
    const uint64_t seq = get_seq(data, len);
    for (size_t i = sizeof seq; i < len; i++) {
        expect(data[i] == (uint8_t)seq);
    }
    const unsigned nap = atomic_load(&s->nap_us_max);
    if (nap > 0) {
        (void)usleep((useconds_t)(seq * 7919u % nap));
    }
    if (atomic_load(&s->answers)) {
        const sy_send_result result = sy_peer_send(peer, channel, data, len);
        atomic_fetch_add(&s->answered, result == SY_SEND_QUEUED);
        atomic_fetch_add(&s->full, result == SY_SEND_FULL);
    }
    pthread_mutex_lock(&s->mutex);
    expect(s->seen_count < RIG_SEEN_MAX);
    s->seen[s->seen_count++] = seq;
    s->in_receive = true;
    while (s->asleep) {
        pthread_cond_wait(&s->cond, &s->mutex);
    }
    s->in_receive = false;
    pthread_mutex_unlock(&s->mutex);
}

static void sleeper_writable(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                             sy_time now) {
    sleeper *s = reactor;
    (void)peer;
    (void)state;
    (void)now;
    check_thread(s);
    expect(channel == s->channel);
    atomic_fetch_add(&s->writables, 1);
}

static void sleeper_make(sleeper *s, const rig_options *options) {
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->cond, NULL);
    s->desc = (sy_channel_desc){.id = CHANNEL_SLEEPER,
                                .name = "sleeper",
                                .priority = 3,
                                .recv_message_max = 65536,
                                .recv_budget = options->recv_budget,
                                .send_queue_max = options->send_queue_max,
                                .full_policy = options->policy};
    s->ops = (sy_reactor_ops){
        .size = sizeof s->ops,
        .name = "sleeper",
        .channels = &s->desc,
        .channel_count = 1,
        .peer_state_size = sizeof(uint64_t),
        .start = sleeper_start,
        .stop = sleeper_stop,
        .peer_init = sleeper_init,
        .peer_fini = sleeper_fini,
        .peer_added = sleeper_added,
        .peer_removed = sleeper_removed,
        .receive = sleeper_receive,
        .writable = sleeper_writable,
    };
}

void rig_sleep(rig *r) {
    pthread_mutex_lock(&r->sleeper.mutex);
    r->sleeper.asleep = true;
    pthread_mutex_unlock(&r->sleeper.mutex);
}

void rig_wake(rig *r) {
    pthread_mutex_lock(&r->sleeper.mutex);
    r->sleeper.asleep = false;
    pthread_cond_broadcast(&r->sleeper.cond);
    pthread_mutex_unlock(&r->sleeper.mutex);
}

size_t rig_seen(rig *r) {
    pthread_mutex_lock(&r->sleeper.mutex);
    const size_t count = r->sleeper.seen_count;
    pthread_mutex_unlock(&r->sleeper.mutex);
    return count;
}

/* ---- The talker and the echo -------------------------------------------------------------------
 */

static sy_err talker_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    talker *t = reactor;
    (void)now;
    t->sw = sw;
    memcpy(t->channels, channels, t->ops.channel_count * sizeof *channels);
    return SY_OK;
}

static sy_time wall(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (sy_time)ts.tv_sec * SY_SEC + (sy_time)ts.tv_nsec;
}

static void talker_receive(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                           const uint8_t *data, size_t len, sy_time now) {
    talker *t = reactor;
    (void)state;
    (void)now;
    if (t->is_server) {
        expect(sy_peer_send(peer, channel, data, len) == SY_SEND_QUEUED);
        return;
    }
    if (channel == t->channels[1]) {
        t->answers++;
        return;
    }
    if (t->rtt_count == t->rtt_cap) {
        t->rtt_cap = t->rtt_cap * 2 + 1024;
        t->rtts = realloc(t->rtts, t->rtt_cap * sizeof *t->rtts);
        expect(t->rtts != NULL);
    }
    t->rtts[t->rtt_count++] = sy_time_since(wall(), get_seq(data, len));
}

static void talker_make(talker *t, bool is_server) {
    t->is_server = is_server;
    t->descs[0] =
        (sy_channel_desc){.id = CHANNEL_ECHO, .name = "echo", .priority = 10, .send_queue_max = 64};
    t->descs[1] = (sy_channel_desc){.id = CHANNEL_SLEEPER,
                                    .name = "sleeper",
                                    .priority = 3,
                                    .recv_message_max = 65536,
                                    .send_queue_max = 256};
    t->ops = (sy_reactor_ops){
        .size = sizeof t->ops,
        .name = "talker",
        .channels = t->descs,
        .channel_count = is_server ? 1 : 2,
        .start = talker_start,
        .receive = talker_receive,
    };
}

/* ---- Nodes -------------------------------------------------------------------------------------
 */

static void on_event(void *user, const sy_event *event, sy_time now) {
    node *n = user;
    (void)now;
    if (event->kind == SY_EVENT_ENDED) {
        n->ends.count++;
        n->ends.code = event->reason->code;
        (void)snprintf(n->ends.text, sizeof n->ends.text, "%s", event->reason->detail.text);
    }
}

static void on_log(void *user, const sy_log_record *record) {
    node *n = user;
    if (strcmp(record->event, "reactor_slow") == 0) {
        n->slow_warnings++;
        (void)sy_log_format_kv(record, n->slow_text, sizeof n->slow_text);
    }
}

static void node_make(rig *r, node *n, const char *name, uint8_t seed) {
    uint8_t bytes[SY_SEED_LEN];
    sy_detail detail;
    memset(bytes, seed, sizeof bytes);
    sy_node_key_from_seed(bytes, &n->key);
    sy_settings_default(&n->settings);
    n->settings.node_key = &n->key;
    n->settings.network = "threads";
    n->settings.moniker = name;
    n->settings.observer = on_event;
    n->settings.observer_user = n;
    n->settings.log = (sy_log){on_log, n, SY_LOG_WARN};
    n->settings.ping_interval = 500 * SY_MSEC;
    n->settings.pong_timeout = 400 * SY_MSEC;
    n->settings.linger_timeout = 500 * SY_MSEC;
    expect(sy_ev_new(r->loop, NULL, &n->ev) == SY_OK);
    expect(sy_switch_new(&n->settings, sy_ev_ops(), n->ev, &n->sw, &detail) == SY_OK);
}

static void node_start(node *n) {
    sy_endpoint local;
    sy_detail detail;
    sy_ev_attach(n->ev, n->sw);
    expect(sy_switch_start(n->sw, sy_ev_now(n->ev)) == SY_OK);
    expect(sy_endpoint_parse_ip("127.0.0.1", 9, &local) == SY_OK);
    local.port = 0;
    expect(sy_switch_listen(n->sw, &local, &n->bound, &detail) == SY_OK);
}

static void node_end(node *n) {
    if (n->sw != NULL) {
        sy_switch_del(n->sw);
        sy_ev_del(n->ev);
        n->sw = NULL;
        n->ev = NULL;
    }
}

/* ---- Sending -----------------------------------------------------------------------------------
 */

static void fill(uint8_t *out, size_t len, uint64_t seq) {
    memset(out, (uint8_t)seq, len);
    memcpy(out, &seq, sizeof seq);
}

static void send_due(rig *r) {
    static uint8_t message[65536];
    talker *t = &r->talker;
    sy_peer *peer = sy_switch_next_peer(r->client.sw, NULL);
    const sy_time now = wall();
    if (peer == NULL) {
        r->next_send_at = 0;
        return;
    }
    if (now >= r->next_echo_at) {
        fill(message, 64, now);
        (void)sy_peer_send(peer, t->channels[0], message, 64);
        r->next_echo_at = now + 5 * SY_MSEC;
    }
    if (r->rate == 0) {
        r->next_send_at = 0;
        return;
    }
    r->next_send_at = r->next_send_at == 0 ? now : r->next_send_at;
    while (r->next_send_at <= now) {
        fill(message, r->message_len, t->next_seq);
        if (sy_peer_send(peer, t->channels[1], message, r->message_len) != SY_SEND_QUEUED) {
            return;
        }
        t->next_seq++;
        r->sent++;
        r->next_send_at += r->message_len * SY_SEC / r->rate;
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int revents) {
    rig *r = watcher->data;
    (void)revents;
    (void)loop;
    if (r->client.sw != NULL) {
        send_due(r);
    }
}

/* ---- The rig -----------------------------------------------------------------------------------
 */

void rig_start(rig *r, const rig_options *options) {
    sy_isolation isolation;
    sy_detail detail;
    memset(r, 0, sizeof *r);
    r->message_len = 1000;
    r->loop = ev_loop_new(EVFLAG_AUTO);
    expect(r->loop != NULL);
    node_make(r, &r->server, "server", 1);
    node_make(r, &r->client, "client", 2);
    sleeper_make(&r->sleeper, options);
    talker_make(&r->echo, true);
    talker_make(&r->talker, false);
    sy_isolation_default(&isolation);
    if (options->slow_after != 0) {
        isolation.slow_after = options->slow_after;
    }
    expect(sy_switch_add_reactor_isolated(r->server.sw, &r->sleeper.ops, &r->sleeper, &isolation,
                                          &detail) == SY_OK);
    expect(sy_switch_add_reactor(r->server.sw, &r->echo.ops, &r->echo, &detail) == SY_OK);
    expect(sy_switch_add_reactor(r->client.sw, &r->talker.ops, &r->talker, &detail) == SY_OK);
    node_start(&r->server);
    node_start(&r->client);
    ev_timer_init(&r->tick, on_tick, 0.001, 0.001);
    r->tick.data = r;
    ev_timer_start(r->loop, &r->tick);
}

void rig_end(rig *r) {
    node_end(&r->client);
    node_end(&r->server);
    ev_timer_stop(r->loop, &r->tick);
    ev_loop_destroy(r->loop);
    expect(atomic_load(&r->sleeper.inits) == atomic_load(&r->sleeper.finis));
    expect(atomic_load(&r->sleeper.addeds) == atomic_load(&r->sleeper.removeds));
    expect(atomic_load(&r->sleeper.stopped));
    pthread_mutex_destroy(&r->sleeper.mutex);
    pthread_cond_destroy(&r->sleeper.cond);
    free(r->talker.rtts);
}

bool rig_is_connected(const rig *r) {
    return sy_switch_next_peer(r->server.sw, NULL) != NULL &&
           sy_switch_next_peer(r->client.sw, NULL) != NULL;
}

/* Or was: the sleeper's peer_init may fail before both have noticed. */
static bool has_connected(rig *r) {
    return rig_is_connected(r) || r->server.ends.count > r->ends_before;
}

void rig_connect(rig *r) {
    sy_addr addr = {.has_id = true, .is_ip = true, .endpoint = r->server.bound};
    addr.id = *sy_switch_id(r->server.sw);
    addr.port = r->server.bound.port;
    (void)snprintf(addr.host, sizeof addr.host, "127.0.0.1");
    /* An older connection may still be on its way out. */
    sy_err err = SY_ERR_DUPLICATE_ID;
    r->ends_before = r->server.ends.count;
    for (size_t i = 0; i < 2000 && err == SY_ERR_DUPLICATE_ID; i++) {
        err = sy_switch_dial(r->client.sw, &addr, SY_DIAL_ONCE, sy_ev_now(r->client.ev));
        (void)ev_run(r->loop, EVRUN_ONCE);
    }
    expect(err == SY_OK);
    if (!rig_run_until(r, has_connected, 10 * SY_SEC)) {
        fprintf(stderr, "client: %zu ends, %s %s; server: %zu ends, %s %s; %zu peer_init\n",
                r->client.ends.count, sy_err_name(r->client.ends.code), r->client.ends.text,
                r->server.ends.count, sy_err_name(r->server.ends.code), r->server.ends.text,
                atomic_load(&r->sleeper.inits));
        expect(rig_is_connected(r));
    }
}

bool rig_run_until(rig *r, bool (*condition)(rig *r), sy_duration timeout) {
    const sy_time until = wall() + timeout;
    while (condition == NULL || !condition(r)) {
        if (wall() >= until) {
            return false;
        }
        (void)ev_run(r->loop, EVRUN_ONCE);
    }
    return true;
}

void rig_run(rig *r, sy_duration duration) {
    (void)rig_run_until(r, NULL, duration);
}

static int compare(const void *a, const void *b) {
    const sy_duration x = *(const sy_duration *)a;
    const sy_duration y = *(const sy_duration *)b;
    return x < y ? -1 : x > y;
}

sy_duration rig_percentile(const rig *r, size_t from, unsigned p) {
    const size_t count = r->talker.rtt_count - from;
    if (count == 0) {
        return 0;
    }
    sy_duration *sorted = malloc(count * sizeof *sorted);
    expect(sorted != NULL);
    memcpy(sorted, r->talker.rtts + from, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    const sy_duration value = sorted[(count - 1) * p / 100];
    free(sorted);
    return value;
}
