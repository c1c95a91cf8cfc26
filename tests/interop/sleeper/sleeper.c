/* SPDX-License-Identifier: Apache-2.0 */
/* What the theme `sleeper` of the interop tests examines: a node with a reactor that sleeps.
 *
 *     interop-sleeper MONIKER PROFILE POLICY RECV_BUDGET [ID@HOST:PORT]
 *
 * Channel 0x22 belongs to the sleeper, which is isolated; what comes there is the payload of the Go
 * programs for the seeds 1, 2, 3 ..., so that it can tell what is missing.  Channels 0x20 and 0x21
 * are on the loop: messages go out every few milliseconds, the remote echoes them, and the round
 * trips are measured here.  Commands, one per line: `sleep MS`, `probe MS` (0: none), `mark`,
 * `report`, `quit`.  Events, one per line: ready, peer_added, peer_removed, slow, probes, report.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <ev.h>
#include <sodium.h>

#include <switchyard/ev.h>
#include <switchyard/switch.h>

#define CHANNEL_FAST    0x20
#define CHANNEL_SLOW    0x21
#define CHANNEL_SLEEPER 0x22
#define PROBE_LEN       64
#define SEED_LOOK_MAX   2000000 /* how far ahead the seed of a message may be */
#define SAMPLES_MAX     (1u << 20)

/* Guarded by `mutex`: the reactor's thread writes, the loop reads. */
typedef struct sleeper {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    sy_time asleep_until;
    bool asleep;
    uint64_t received;
    uint64_t first; /* seed */
    uint64_t last;
    uint64_t gaps; /* places where seeds are missing */
    uint64_t missing;
    uint64_t strangers; /* no seed fits: damaged, doubled or out of order */
    uint64_t added;
    uint64_t removed;
} sleeper;

typedef struct samples {
    sy_duration rtt[SAMPLES_MAX];
    size_t count;
    size_t from; /* of the last `mark` */
    uint64_t sent;
    uint64_t next_id;
    uint64_t next_answer;
    uint64_t disorder;
} samples;

typedef struct app {
    struct ev_loop *loop;
    sy_ev *ev;
    sy_switch *sw;
    ev_io input;
    ev_timer tick;
    sy_channel channel[2];
    samples samples[2];
    sleeper sleeper;
    bool stops;
} app;

static app a;

static sy_time clock_now(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (sy_time)ts.tv_sec * SY_SEC + (sy_time)ts.tv_nsec;
}

static unsigned long long ull(uint64_t value) {
    return value;
}

/* ---- The sleeper -------------------------------------------------------------------------------
 */

/* The first block of the Go programs' payload(seed). */
static void first_block(uint64_t seed, uint8_t out[crypto_hash_sha256_BYTES]) {
    uint8_t in[16] = {0};
    for (size_t i = 0; i < 8; i++) {
        in[i] = (uint8_t)(seed >> (8 * i));
    }
    (void)crypto_hash_sha256(out, in, sizeof in);
}

static uint64_t seed_of(uint64_t from, const uint8_t *data, size_t len) {
    uint8_t block[crypto_hash_sha256_BYTES];
    for (uint64_t seed = from; len >= sizeof block && seed < from + SEED_LOOK_MAX; seed++) {
        first_block(seed, block);
        if (memcmp(block, data, sizeof block) == 0) {
            return seed;
        }
    }
    return 0;
}

static void sleep_if_told(sleeper *s) {
    pthread_mutex_lock(&s->mutex);
    while (s->asleep && clock_now() < s->asleep_until) {
        const struct timespec until = {.tv_sec = (time_t)(s->asleep_until / SY_SEC),
                                       .tv_nsec = (long)(s->asleep_until % SY_SEC)};
        (void)pthread_cond_timedwait(&s->cond, &s->mutex, &until);
    }
    s->asleep = false;
    pthread_mutex_unlock(&s->mutex);
}

static void on_message(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    sleeper *s = reactor;
    (void)peer;
    (void)state;
    (void)channel;
    (void)now;
    sleep_if_told(s);
    pthread_mutex_lock(&s->mutex);
    const uint64_t expected = s->last + 1;
    pthread_mutex_unlock(&s->mutex);
    const uint64_t seed = seed_of(expected, data, len);
    pthread_mutex_lock(&s->mutex);
    s->received++;
    if (seed == 0) {
        s->strangers++;
    } else {
        s->gaps += seed != expected;
        s->missing += seed - expected;
        s->first = s->first == 0 ? seed : s->first;
        s->last = seed;
    }
    pthread_mutex_unlock(&s->mutex);
}

static void on_sleeper_added(void *reactor, sy_peer *peer, void *state, sy_time now) {
    sleeper *s = reactor;
    (void)peer;
    (void)state;
    (void)now;
    pthread_mutex_lock(&s->mutex);
    s->added++;
    pthread_mutex_unlock(&s->mutex);
}

static void on_sleeper_removed(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                               sy_time now) {
    sleeper *s = reactor;
    (void)peer;
    (void)state;
    (void)reason;
    (void)now;
    pthread_mutex_lock(&s->mutex);
    s->removed++;
    pthread_mutex_unlock(&s->mutex);
}

static sy_channel_desc sleeper_channel = {
    .id = CHANNEL_SLEEPER, .name = "sleeper", .priority = 3, .recv_message_max = 1u << 20};

static const sy_reactor_ops sleeper_ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "sleeper",
    .channels = &sleeper_channel,
    .channel_count = 1,
    .peer_added = on_sleeper_added,
    .peer_removed = on_sleeper_removed,
    .receive = on_message,
};

/* ---- The other channels ------------------------------------------------------------------------
 */

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    app *app_ = reactor;
    (void)sw;
    (void)now;
    app_->channel[0] = channels[0];
    app_->channel[1] = channels[1];
    return SY_OK;
}

static void on_echo(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                    const uint8_t *data, size_t len, sy_time now) {
    app *app_ = reactor;
    samples *s = &app_->samples[channel == app_->channel[1]];
    uint64_t head[2]; /* number, instant */
    (void)peer;
    (void)state;
    (void)now;
    if (len != PROBE_LEN) {
        s->disorder++;
        return;
    }
    memcpy(head, data, sizeof head);
    s->disorder += head[0] != s->next_answer;
    s->next_answer = head[0] + 1;
    if (s->count < SAMPLES_MAX) {
        s->rtt[s->count++] = sy_time_since(clock_now(), head[1]);
    }
}

static const sy_channel_desc echo_channels[] = {
    {.id = CHANNEL_FAST, .name = "fast", .priority = 10, .send_queue_max = 64},
    {.id = CHANNEL_SLOW, .name = "slow", .priority = 1, .send_queue_max = 64},
};

static const sy_reactor_ops echo_ops = {
    .size = sizeof(sy_reactor_ops),
    .name = "probes",
    .channels = echo_channels,
    .channel_count = 2,
    .start = on_start,
    .receive = on_echo,
};

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int revents) {
    sy_peer *peer = sy_switch_next_peer(a.sw, NULL);
    (void)loop;
    (void)watcher;
    (void)revents;
    for (size_t i = 0; i < 2 && peer != NULL; i++) {
        uint8_t message[PROBE_LEN] = {0};
        const uint64_t head[2] = {a.samples[i].next_id, clock_now()};
        memcpy(message, head, sizeof head);
        if (sy_peer_send(peer, a.channel[i], message, sizeof message) == SY_SEND_QUEUED) {
            a.samples[i].next_id++;
            a.samples[i].sent++;
        }
    }
}

/* ---- Reports -----------------------------------------------------------------------------------
 */

static int compare(const void *x, const void *y) {
    const sy_duration p = *(const sy_duration *)x;
    const sy_duration q = *(const sy_duration *)y;
    return p < q ? -1 : p > q;
}

/* Of the probes since the last mark, in microseconds. */
static void report_probes(size_t i) {
    samples *s = &a.samples[i];
    const size_t n = s->count - s->from;
    sy_duration *rtt = &s->rtt[s->from];
    qsort(rtt, n, sizeof *rtt, compare);
    printf("probes channel=0x%02x n=%zu sent=%llu answered=%zu disorder=%llu p50_us=%llu"
           " p99_us=%llu max_us=%llu\n",
           echo_channels[i].id, n, ull(s->sent), s->count, ull(s->disorder),
           ull(n == 0 ? 0 : rtt[n / 2] / SY_USEC),
           ull(n == 0 ? 0 : rtt[(n - 1) * 99 / 100] / SY_USEC),
           ull(n == 0 ? 0 : rtt[n - 1] / SY_USEC));
    s->from = s->count;
}

static void report(void) {
    sleeper *s = &a.sleeper;
    sy_mailbox_stats stats = {0};
    (void)!sy_switch_mailbox_stats(a.sw, s, &stats);
    pthread_mutex_lock(&s->mutex);
    printf("report asleep=%d received=%llu first=%llu last=%llu gaps=%llu missing=%llu"
           " strangers=%llu added=%llu removed=%llu waiting=%zu bytes=%zu age_ms=%llu"
           " dropped_newest=%llu dropped_oldest=%llu paused=%zu\n",
           s->asleep, ull(s->received), ull(s->first), ull(s->last), ull(s->gaps), ull(s->missing),
           ull(s->strangers), ull(s->added), ull(s->removed), stats.messages, stats.bytes,
           ull(stats.oldest_age / SY_MSEC), ull(stats.dropped_newest), ull(stats.dropped_oldest),
           stats.paused);
    pthread_mutex_unlock(&s->mutex);
}

static void on_event(void *user, const sy_event *event, sy_time now) {
    char id[SY_NODE_ID_TEXT_CAP];
    (void)user;
    (void)now;
    if (event->kind != SY_EVENT_PEER_UP && event->kind != SY_EVENT_ENDED) {
        return;
    }
    sy_node_id_format(&event->id, id);
    if (event->kind == SY_EVENT_PEER_UP) {
        printf("peer_added id=%s\n", id);
    } else {
        printf("peer_removed id=%s reason=%s detail=\"%s\"\n", id, sy_err_name(event->reason->code),
               event->reason->detail.text);
    }
}

static void on_log(void *user, const sy_log_record *record) {
    char line[1024];
    (void)user;
    (void)sy_log_format_kv(record, line, sizeof line);
    (void)fprintf(stderr, "%s\n", line);
    if (strcmp(record->event, "reactor_slow") == 0) {
        printf("slow %s\n", strstr(line, "reactor="));
    }
}

/* ---- Commands ----------------------------------------------------------------------------------
 */

/* From the next message on; 0: it wakes up. */
static void fall_asleep(unsigned long ms) {
    sleeper *s = &a.sleeper;
    pthread_mutex_lock(&s->mutex);
    s->asleep = ms > 0;
    s->asleep_until = clock_now() + ms * SY_MSEC;
    (void)pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

static void run_command(const char *line) {
    if (strncmp(line, "sleep ", 6) == 0) {
        fall_asleep(strtoul(line + 6, NULL, 10));
    } else if (strncmp(line, "probe ", 6) == 0) {
        const double seconds = strtod(line + 6, NULL) / 1000;
        ev_timer_stop(a.loop, &a.tick);
        if (seconds > 0) {
            ev_timer_set(&a.tick, seconds, seconds);
            ev_timer_start(a.loop, &a.tick);
        }
    } else if (strcmp(line, "mark") == 0) {
        report_probes(0);
        report_probes(1);
    } else if (strcmp(line, "report") == 0) {
        report();
    } else {
        printf("unknown command=\"%s\"\n", line);
    }
}

static void on_input(struct ev_loop *loop, ev_io *watcher, int revents) {
    static char bytes[4096];
    static size_t len;
    (void)revents;
    const ssize_t n = read(STDIN_FILENO, bytes + len, sizeof bytes - 1 - len);
    if (n <= 0) {
        ev_io_stop(loop, watcher);
        fall_asleep(0);
        sy_switch_stop(a.sw, sy_ev_now(a.ev));
        a.stops = true;
        return;
    }
    len += (size_t)n;
    bytes[len] = '\0';
    char *line = bytes;
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        run_command(line);
    }
    len -= (size_t)(line - bytes);
    memmove(bytes, line, len);
}

/* ---- The node ----------------------------------------------------------------------------------
 */

static bool choose_policy(const char *name) {
    static const char *const names[] = {"disconnect", "drop_newest", "drop_oldest", "pause"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            sleeper_channel.full_policy = (sy_full_policy)i;
            return true;
        }
    }
    return false;
}

static bool open_switch(const char *moniker, const char *profile, sy_detail *detail) {
    uint8_t seed[SY_SEED_LEN];
    sy_node_key key;
    sy_settings settings;
    sy_isolation isolation;
    sy_settings_default(&settings);
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        return false;
    }
    sy_node_key_from_seed(seed, &key);
    settings.node_key = &key;
    settings.network = "interop-net";
    settings.moniker = moniker;
    settings.profiles[0] = profile;
    settings.profile_count = 1;
    settings.observer = on_event;
    settings.log = (sy_log){on_log, NULL, SY_LOG_INFO};
    const sy_err err = sy_switch_new(&settings, sy_ev_ops(), a.ev, &a.sw, detail);
    sy_node_key_wipe(&key);
    if (err != SY_OK) {
        return false;
    }
    sy_isolation_default(&isolation);
    isolation.slow_after = 1 * SY_SEC;
    sy_ev_attach(a.ev, a.sw);
    return sy_switch_add_reactor(a.sw, &echo_ops, &a, detail) == SY_OK &&
           sy_switch_add_reactor_isolated(a.sw, &sleeper_ops, &a.sleeper, &isolation, detail) ==
               SY_OK &&
           sy_switch_start(a.sw, sy_ev_now(a.ev)) == SY_OK;
}

static bool listen_and_dial(const char *remote, sy_detail *detail) {
    sy_endpoint local;
    sy_endpoint bound;
    sy_addr addr;
    char id[SY_NODE_ID_TEXT_CAP];
    char text[SY_ENDPOINT_TEXT_CAP];
    if (sy_endpoint_parse_ip("127.0.0.1", 9, &local) != SY_OK) {
        return false;
    }
    local.port = 0;
    if (sy_switch_listen(a.sw, &local, &bound, detail) != SY_OK) {
        return false;
    }
    sy_node_id_format(sy_switch_id(a.sw), id);
    (void)sy_endpoint_format(&bound, text);
    printf("ready id=%s addr=%s\n", id, text);
    return remote == NULL ||
           (sy_addr_parse(remote, strlen(remote), SY_ADDR_ID_REQUIRED, &addr, detail) == SY_OK &&
            sy_switch_dial(a.sw, &addr, SY_DIAL_ONCE, sy_ev_now(a.ev)) == SY_OK);
}

static void init_sleeper(sleeper *s) {
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_cond_init(&s->cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

int main(int argc, char **argv) {
    sy_detail detail;
    sy_detail_clear(&detail);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 5 || argc > 6 || !choose_policy(argv[3])) {
        (void)fprintf(stderr, "usage: interop-sleeper MONIKER PROFILE POLICY RECV_BUDGET [ADDR]\n");
        return 2;
    }
    sleeper_channel.recv_budget = strtoul(argv[4], NULL, 10);
    init_sleeper(&a.sleeper);
    a.loop = ev_loop_new(EVFLAG_AUTO);
    if (a.loop == NULL || sy_ev_new(a.loop, NULL, &a.ev) != SY_OK ||
        !open_switch(argv[1], argv[2], &detail) ||
        !listen_and_dial(argc == 6 ? argv[5] : NULL, &detail)) {
        (void)fprintf(stderr, "interop-sleeper: %s\n", detail.text);
        return 1;
    }
    ev_io_init(&a.input, on_input, STDIN_FILENO, EV_READ);
    ev_io_start(a.loop, &a.input);
    ev_timer_init(&a.tick, on_tick, 0, 0);
    while (!a.stops || !sy_switch_is_stopped(a.sw)) {
        (void)ev_run(a.loop, EVRUN_ONCE);
    }
    ev_timer_stop(a.loop, &a.tick);
    sy_switch_del(a.sw);
    sy_ev_del(a.ev);
    ev_loop_destroy(a.loop);
    return 0;
}
