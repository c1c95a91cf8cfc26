/* SPDX-License-Identifier: Apache-2.0 */
/* A reactor that is isolated, in virtual time: it sleeps, it is flooded, its peers come and go. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_scenario.h"

#define CHANNEL       0x70
#define PROBE_CHANNEL 0x72
#define PROBES_MAX    4096

/* One way, whatever the sleeper does: latency_max and jitter_max of the network, and a late turn at
 * each end (sim_options_default). */
#define DELAY_MAX (20 * SY_MSEC + 2 * SY_MSEC + 2 * 200 * SY_USEC)

/* Answers every message, and checks its hooks. */
typedef struct sleeper {
    sim_net *net;
    sy_channel_desc desc;
    sy_reactor_ops ops;
    sy_switch *sw;
    sy_channel channel;
    size_t alive;
    uint64_t inits;
    uint64_t received;
    uint64_t answered;
    uint64_t full;
    uint64_t writables;
    bool answers;
    unsigned fail_percent; /* of peer_init */
    sy_duration think_max; /* its clock work comes this often */
    sy_time think_at;
    uint64_t thoughts;
    bool running;
    uint64_t gaps; /* numbers that were left out, however many at once */
    uint64_t last;
} sleeper;

typedef struct state {
    unsigned phase;
    uint64_t next; /* the number that must come next, or later when messages may be dropped */
} state;

static void require(bool cond, const char *rule) {
    if (!cond) {
        sim_fail("sleeper: %s", rule);
    }
}

static sy_err on_start(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    sleeper *s = reactor;
    require(!s->running && s->alive == 0, "started twice");
    s->running = true;
    s->sw = sw;
    s->channel = channels[0];
    s->think_at = sy_time_after(now, s->think_max);
    return SY_OK;
}

static void on_stop(void *reactor, sy_time now) {
    sleeper *s = reactor;
    (void)now;
    require(s->running && s->alive == 0, "stopped before the last peer_fini");
    s->running = false;
}

static sy_err on_init(void *reactor, sy_peer *peer, void *data, sy_time now) {
    sleeper *s = reactor;
    state *st = data;
    (void)now;
    require(st->phase == 0, "the state of a new peer is not zeroed");
    require(sy_peer_info(peer) != NULL && sy_peer_rtt(peer) < SY_MIN, "no description");
    st->phase = 1;
    s->inits++;
    s->alive++;
    return sim_draw(s->net, 100) < s->fail_percent ? SY_ERR_NOMEM : SY_OK;
}

static void on_fini(void *reactor, sy_peer *peer, void *data) {
    sleeper *s = reactor;
    state *st = data;
    (void)peer;
    require(st->phase == 1 || st->phase == 3, "peer_fini out of order");
    require(s->alive > 0, "peer_fini without peer_init");
    st->phase = 4;
    s->alive--;
}

static void on_added(void *reactor, sy_peer *peer, void *data, sy_time now) {
    state *st = data;
    (void)reactor;
    (void)peer;
    (void)now;
    require(st->phase == 1, "peer_added out of order");
    st->phase = 2;
}

static void on_removed(void *reactor, sy_peer *peer, void *data, const sy_reason *reason,
                       sy_time now) {
    const sleeper *s = reactor;
    state *st = data;
    (void)now;
    require(st->phase == 2 && reason->code != SY_OK, "peer_removed out of order");
    require(sy_peer_send(peer, s->channel, "x", 1) == SY_SEND_REFUSED, "sent to the removed");
    require(sy_switch_post_send(s->sw, sy_peer_ref_of(peer), s->channel, "x", 1) == SY_SEND_GONE,
            "posted to the removed"); /* SPEC-TEST RX-24 */
    st->phase = 3;
}

static void on_receive(void *reactor, sy_peer *peer, void *data, sy_channel channel,
                       const uint8_t *bytes, size_t len, sy_time now) {
    sleeper *s = reactor;
    state *st = data;
    uint64_t number;
    (void)now;
    require(st->phase == 2 && channel == s->channel, "receive out of order");
    require(len >= sizeof number, "a short message");
    memcpy(&number, bytes, sizeof number);
    require(number >= st->next, "a message twice, or out of order");
    require(s->desc.full_policy != SY_FULL_PAUSE || number == st->next, "a message is missing");
    s->gaps += number > st->next;
    s->last = number;
    st->next = number + 1;
    s->received++;
    if (s->answers) {
        const sy_send_result result = sy_peer_send(peer, channel, bytes, 8);
        s->answered += result == SY_SEND_QUEUED;
        s->full += result == SY_SEND_FULL;
    }
    if (s->fail_percent > 0 && sim_draw(s->net, 50) == 0) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "the sleeper is cross");
    }
}

static void on_writable(void *reactor, sy_peer *peer, void *data, sy_channel channel, sy_time now) {
    sleeper *s = reactor;
    const state *st = data;
    (void)peer;
    (void)now;
    require(st->phase == 2 && channel == s->channel, "writable out of order");
    s->writables++;
}

static sy_time next_expiry(void *reactor) {
    const sleeper *s = reactor;
    return s->think_max == 0 ? SY_NEVER : s->think_at;
}

static void on_expiry(void *reactor, sy_time now) {
    sleeper *s = reactor;
    require(now >= s->think_at, "on_expiry too early");
    s->think_at = sy_time_after(now, s->think_max);
    s->thoughts++;
}

static void make_sleeper(sleeper *s, sim_net *net, sy_full_policy policy, size_t budget) {
    *s = (sleeper){.net = net};
    s->desc = (sy_channel_desc){.id = CHANNEL,
                                .name = "sleeper",
                                .priority = 3,
                                .send_queue_max = 4,
                                .recv_message_max = 65536,
                                .recv_budget = budget,
                                .full_policy = policy};
    s->ops = (sy_reactor_ops){.size = sizeof s->ops,
                              .name = "sleeper",
                              .channels = &s->desc,
                              .channel_count = 1,
                              .peer_state_size = sizeof(state),
                              .start = on_start,
                              .stop = on_stop,
                              .peer_init = on_init,
                              .peer_fini = on_fini,
                              .peer_added = on_added,
                              .peer_removed = on_removed,
                              .receive = on_receive,
                              .writable = on_writable,
                              .next_expiry = next_expiry,
                              .on_expiry = on_expiry};
}

/* The other end: an ordinary reactor on the loop that only receives. */
static void on_answer(void *reactor, sy_peer *peer, void *data, sy_channel channel,
                      const uint8_t *bytes, size_t len, sy_time now) {
    uint64_t *answers = reactor;
    (void)peer;
    (void)data;
    (void)channel;
    (void)bytes;
    (void)len;
    (void)now;
    (*answers)++;
}

static const sy_channel_desc sender_desc = {.id = CHANNEL,
                                            .name = "sleeper",
                                            .priority = 3,
                                            .send_queue_max = 64,
                                            .recv_message_max = 65536};
static const sy_reactor_ops sender_ops = {.size = sizeof(sy_reactor_ops),
                                          .name = "sender",
                                          .channels = &sender_desc,
                                          .channel_count = 1,
                                          .receive = on_answer};

/* On the loop beside the sleeper: measures how long a message took to it, in virtual time. */
typedef struct probe {
    sy_duration delay[PROBES_MAX];
    size_t count;
} probe;

static void on_probe(void *reactor, sy_peer *peer, void *data, sy_channel channel,
                     const uint8_t *bytes, size_t len, sy_time now) {
    probe *p = reactor;
    sy_time sent;
    (void)peer;
    (void)data;
    (void)channel;
    require(len == sizeof sent && p->count < PROBES_MAX, "a strange probe");
    memcpy(&sent, bytes, sizeof sent);
    p->delay[p->count++] = sy_time_since(now, sent);
}

static const sy_channel_desc probe_desc = {
    .id = PROBE_CHANNEL, .name = "probe", .priority = 3, .send_queue_max = 64};
static const sy_reactor_ops probe_ops = {.size = sizeof(sy_reactor_ops),
                                         .name = "probe",
                                         .channels = &probe_desc,
                                         .channel_count = 1,
                                         .receive = on_probe};

typedef struct pair {
    sim_net *net;
    sim_node *alice; /* sends */
    sim_node *bob;   /* has the sleeper */
    sleeper sleeper;
    probe probe; /* what has come to bob */
    uint64_t answers;
    uint64_t next;
    uint64_t queued;
    sy_peer_ref last;
} pair;

static void make_pair_with(pair *p, uint64_t seed, sy_full_policy policy, size_t budget,
                           sy_duration ping_interval) {
    sim_options options;
    memset(p, 0, sizeof *p);
    sim_options_default(&options, seed);
    p->net = sim_net_new(&options);
    p->alice = sim_node_new(p->net, "alice");
    p->bob = sim_node_new(p->net, "bob");
    make_sleeper(&p->sleeper, p->net, policy, budget);
    sim_add_isolated(p->bob, &p->sleeper.ops, &p->sleeper);
    sim_add_reactor(p->alice, &sender_ops, &p->answers);
    sim_add_reactor(p->alice, &probe_ops, NULL);
    sim_add_reactor(p->bob, &probe_ops, &p->probe);
    sim_settings(p->alice)->ping_interval = ping_interval;
    sim_settings(p->alice)->pong_timeout = ping_interval / 2;
    sim_start(p->alice);
    sim_start(p->bob);
    sim_dial(p->alice, p->bob, SY_DIAL_PERSISTENT);
    sim_expect(sim_wait_until_connected(p->alice, p->bob, 30 * SY_SEC));
}

static void make_pair(pair *p, uint64_t seed, sy_full_policy policy, size_t budget) {
    make_pair_with(p, seed, policy, budget, SY_MIN);
}

/* One message when there is room; numbers begin anew with each connection. */
static bool send_one(pair *p, size_t len) {
    uint8_t message[4096] = {0};
    sy_peer *peer = sim_is_running(p->alice)
                        ? sy_switch_peer_by_id(sim_switch(p->alice), sim_id(p->bob))
                        : NULL;
    if (peer == NULL) {
        return false;
    }
    const sy_peer_ref ref = sy_peer_ref_of(peer);
    if (ref.slot != p->last.slot || ref.generation != p->last.generation) {
        p->last = ref;
        p->next = 0;
    }
    memcpy(message, &p->next, sizeof p->next);
    const sy_channel channel = sy_switch_channel(sim_switch(p->alice), CHANNEL);
    if (sy_peer_send(peer, channel, message, len) != SY_SEND_QUEUED) {
        return false;
    }
    p->next++;
    p->queued++;
    sim_nudge(p->alice);
    return true;
}

static void flood(pair *p, size_t count, size_t len, sy_duration gap) {
    for (size_t i = 0; i < count; i++) {
        (void)send_one(p, len);
        sim_run_for(p->net, gap);
    }
}

static sy_mailbox_stats stats_of(pair *p) {
    sy_mailbox_stats stats;
    sim_expect_eq(sy_switch_mailbox_stats(sim_switch(p->bob), &p->sleeper, &stats), SY_OK);
    return stats;
}

static bool send_probe(pair *p) {
    sy_peer *peer = sy_switch_peer_by_id(sim_switch(p->alice), sim_id(p->bob));
    const sy_time now = sim_now(p->net);
    const sy_channel channel = sy_switch_channel(sim_switch(p->alice), PROBE_CHANNEL);
    if (peer == NULL || sy_peer_send(peer, channel, &now, sizeof now) != SY_SEND_QUEUED) {
        return false;
    }
    sim_nudge(p->alice);
    return true;
}

static int compare(const void *a, const void *b) {
    const sy_duration x = *(const sy_duration *)a;
    const sy_duration y = *(const sy_duration *)b;
    return x < y ? -1 : x > y;
}

/* The 99th percentile of the probes since the last call; none of them was late. */
static double take_p99(pair *p, size_t expected) {
    probe *pr = &p->probe;
    sim_expect_eq(pr->count, expected);
    qsort(pr->delay, pr->count, sizeof *pr->delay, compare);
    sim_expect(pr->delay[pr->count - 1] <= DELAY_MAX);
    const double ms = (double)pr->delay[(pr->count - 1) * 99 / 100] / 1e6;
    pr->count = 0;
    return ms;
}

/* SPEC-TEST RX-07 RX-08 RX-18: five minutes asleep, within the budget. */
static void run_five_minutes(uint64_t seed) {
    pair p;
    make_pair(&p, seed, SY_FULL_DISCONNECT, 8u << 20);
    p.sleeper.answers = true;
    p.sleeper.think_max = SY_SEC;
    for (size_t i = 0; i < 300; i++) {
        sim_expect(send_probe(&p));
        flood(&p, 1, 4096, 50 * SY_MSEC);
    }
    sim_run_for(p.net, SY_SEC);
    sim_expect_eq(p.sleeper.received, p.queued);
    sim_expect(p.answers > 0);
    const double before = take_p99(&p, 300);

    sim_sleep_workers(p.bob, 5 * SY_MIN);
    const sy_time wakes_at = sim_now(p.net) + 5 * SY_MIN;
    const uint64_t received = p.sleeper.received;
    for (size_t i = 0; i < 1500; i++) {
        sim_expect(send_probe(&p));
        flood(&p, 1, 4096, 199 * SY_MSEC);
    }
    sim_expect(sim_now(p.net) < wakes_at);
    const double during = take_p99(&p, 1500);
    sim_expect_eq(sim_totals_of(p.bob).ends, 0);
    sim_expect(sim_totals_of(p.bob).pongs >= 4);
    sim_expect_eq(p.sleeper.received, received);
    sim_expect(stats_of(&p).messages >= 1490);
    (void)fprintf(stderr,
                  "  seed %llu: one way p99 %.3f ms before, %.3f ms while the reactor slept 5 min;"
                  " %zu messages waited\n",
                  (unsigned long long)seed, before, during, stats_of(&p).messages);
    sim_run_for(p.net, 20 * SY_SEC);
    sim_expect_eq(p.sleeper.received, p.queued);
    sim_expect(p.sleeper.thoughts > 10);
    sim_expect_eq(stats_of(&p).bytes, 0);
    sim_stop_and_wait(p.bob);
    sim_net_del(p.net);
}

/* 1 MB/s for the sleeper, ten probes a second; ends early when the connection does.  Returns the
 * number of probes that were sent. */
static size_t megabytes(pair *p, sy_duration duration) {
    const sy_time until = sim_now(p->net) + duration;
    size_t probes = 0;
    while (sim_now(p->net) < until && sim_has_peer(p->bob, p->alice)) {
        probes += send_probe(p);
        flood(p, 25, 4000, 4 * SY_MSEC);
    }
    return probes;
}

#define BUDGET    ((size_t)4 << 20)
#define TAKEN_MAX (BUDGET / (4000 + 128)) /* messages that fit */

/* Full after 4 s; then nothing else is read, until alice misses her pong.  SPEC-TEST RX-11 */
static void sleep_paused(pair *p) {
    (void)megabytes(p, 7 * SY_SEC);
    const size_t heard = p->probe.count;
    const size_t bytes = stats_of(p).bytes;
    sim_expect_eq(stats_of(p).paused, 1);
    sim_expect(bytes > BUDGET && bytes < BUDGET + (2u << 16));
    (void)megabytes(p, 2 * SY_SEC);
    sim_expect_eq(p->probe.count, heard);
    sim_expect_eq(stats_of(p).bytes, bytes);
    sim_expect_eq(sim_totals_of(p->alice).ends, 0);
    sim_run_for(p->net, 18 * SY_SEC);
    sim_expect_eq(sim_count_ends(p->alice, SY_STAGE_OPEN, SY_ERR_PONG_TIMEOUT), 1);
}

static void sleep_flooded(pair *p, sy_full_policy policy, double before) {
    static const char *const names[] = {"disconnect", "drop newest", "drop oldest"};
    const bool ends = policy == SY_FULL_DISCONNECT;
    const sy_time began = sim_now(p->net);
    const size_t sent = megabytes(p, 55 * SY_SEC);
    const sy_mailbox_stats stats = stats_of(p);
    sim_expect_eq(sim_count_ends(p->bob, SY_STAGE_OPEN, SY_ERR_RECV_BUDGET), ends ? 1 : 0);
    sim_expect_eq(sim_totals_of(p->bob).ends, ends ? 1 : 0);
    sim_expect_eq(stats.dropped_newest > 0, policy == SY_FULL_DROP_NEWEST);
    sim_expect_eq(stats.dropped_oldest > 0, policy == SY_FULL_DROP_OLDEST);
    sim_expect(stats.bytes <= BUDGET && stats.bytes + 4000 + 128 > BUDGET);
    const double during = take_p99(p, ends ? p->probe.count : sent);
    (void)fprintf(stderr,
                  "  1 MB/s, %s: one way p99 %.3f ms before, %.3f ms asleep; %zu messages wait,"
                  " %llu dropped after %.1f s\n",
                  names[policy], before, during, stats.messages,
                  (unsigned long long)(stats.dropped_newest + stats.dropped_oldest),
                  (double)sy_time_since(sim_now(p->net), began) / 1e9);
}

/* It is awake and has dealt with everything.  SPEC-TEST RX-12 RX-19 */
static void expect_heard(pair *p, sy_full_policy policy, uint64_t heard, uint64_t last_sent) {
    const sy_mailbox_stats stats = stats_of(p);
    sim_expect_eq(stats.bytes, 0);
    switch (policy) {
    case SY_FULL_DISCONNECT: /* what was taken, without a gap */
        sim_expect_eq(heard, TAKEN_MAX);
        sim_expect_eq(p->sleeper.gaps, 0);
        return;
    case SY_FULL_DROP_NEWEST: /* the first ones */
        sim_expect_eq(heard, TAKEN_MAX);
        sim_expect_eq(p->sleeper.gaps, 0);
        sim_expect_eq(p->sleeper.received + stats.dropped_newest, p->queued);
        return;
    case SY_FULL_DROP_OLDEST: /* the last ones */
        sim_expect_eq(heard, TAKEN_MAX);
        sim_expect_eq(p->sleeper.gaps, 1);
        sim_expect_eq(p->sleeper.last, last_sent);
        sim_expect_eq(p->sleeper.received + stats.dropped_oldest, p->queued);
        return;
    case SY_FULL_PAUSE: /* all that was read */
        sim_expect(heard > TAKEN_MAX);
        sim_expect_eq(p->sleeper.gaps, 0);
        return;
    }
}

/* 1 MB/s while it sleeps for a minute.  SPEC-TEST RX-07 RX-10 */
static void megabyte(uint64_t seed, sy_full_policy policy) {
    pair p;
    make_pair_with(&p, seed, policy, BUDGET, 10 * SY_SEC); /* alice notices soon */
    const size_t probes = megabytes(&p, 10 * SY_SEC);
    sim_run_for(p.net, SY_SEC);
    sim_expect_eq(p.sleeper.received, p.queued);
    const double before = take_p99(&p, probes);

    const uint64_t first = p.sleeper.received;
    const sy_time wakes_at = sim_now(p.net) + SY_MIN;
    sim_sleep_workers(p.bob, SY_MIN);
    if (policy == SY_FULL_PAUSE) {
        sleep_paused(&p);
    } else {
        sleep_flooded(&p, policy, before);
    }
    const uint64_t last_sent = p.next - 1;
    sim_run_until(p.net, wakes_at + 20 * SY_SEC);
    expect_heard(&p, policy, p.sleeper.received - first, last_sent);
    sim_net_del(p.net);
}

static void run_megabyte(uint64_t seed) {
    megabyte(seed, SY_FULL_DISCONNECT);
    megabyte(seed, SY_FULL_DROP_NEWEST);
    megabyte(seed, SY_FULL_DROP_OLDEST);
    megabyte(seed, SY_FULL_PAUSE);
}

/* SPEC-TEST RX-10 RX-11 RX-19 RX-08 */
static void flooded(uint64_t seed, sy_full_policy policy) {
    pair p;
    make_pair(&p, seed, policy, 50000);
    sim_sleep_workers(p.bob, 30 * SY_SEC);
    flood(&p, 400, 1000, 50 * SY_MSEC);
    const sy_mailbox_stats stats = stats_of(&p);
    switch (policy) {
    case SY_FULL_DISCONNECT:
        sim_expect(sim_totals_of(p.bob).ends > 0);
        break;
    case SY_FULL_DROP_NEWEST:
        sim_expect(stats.dropped_newest > 300 && stats.dropped_oldest == 0);
        sim_expect_eq(sim_totals_of(p.bob).ends, 0);
        break;
    case SY_FULL_DROP_OLDEST:
        sim_expect(stats.dropped_oldest > 300 && stats.dropped_newest == 0);
        sim_expect_eq(sim_totals_of(p.bob).ends, 0);
        break;
    case SY_FULL_PAUSE:
        sim_expect_eq(stats.paused, 1);
        sim_expect(stats.bytes < 50000 + 65536 * 2);
        sim_expect_eq(sim_totals_of(p.bob).ends, 0);
        break;
    }
    sim_run_for(p.net, 2 * SY_MIN);
    sim_expect_eq(stats_of(&p).bytes, 0);
    if (policy == SY_FULL_PAUSE) {
        sim_expect_eq(p.sleeper.received, p.queued);
    }
    sim_net_del(p.net);
}

static void run_flooded(uint64_t seed) {
    flooded(seed, SY_FULL_DISCONNECT);
    flooded(seed, SY_FULL_DROP_NEWEST);
    flooded(seed, SY_FULL_DROP_OLDEST);
    flooded(seed, SY_FULL_PAUSE);
}

static void disturb(pair *p) {
    switch (sim_draw(p->net, 9)) {
    case 0:
        (void)sim_reset(p->alice, p->bob);
        return;
    case 1:
        sim_crash(p->alice, SIM_CRASH_PROCESS);
        p->last = (sy_peer_ref){0, 0}; /* its references begin anew */
        sim_start(p->alice);
        return;
    case 2:
        sim_crash(p->bob, SIM_CRASH_PROCESS);
        sim_heal_allocs(p->bob);
        sim_start(p->bob);
        return;
    case 3:
        sim_sleep_workers(p->bob, sim_draw_duration(p->net, 0, 20 * SY_SEC));
        return;
    case 4:
        sim_stop_peer(p->bob, p->alice, SY_ERR_STOPPED, "for now");
        return;
    case 5:
        sim_heal_allocs(p->bob);
        sim_dial(p->bob, p->alice, SY_DIAL_PERSISTENT);
        return;
    case 6:
        sim_fail_alloc(p->bob, (size_t)sim_draw(p->net, 40));
        return;
    default:
        flood(p, (size_t)sim_draw(p->net, 60), 8 + (size_t)sim_draw(p->net, 4000),
              sim_draw_duration(p->net, 0, 20 * SY_MSEC));
        return;
    }
}

/* SPEC-TEST RX-12 RX-13 RX-14 RX-15 RX-16 RX-17: whatever happens, hooks are paired, in order, and
 * nothing is left. */
static void run_storm(uint64_t seed) {
    pair p;
    make_pair(&p, seed, (sy_full_policy)(seed % 4), 40000);
    p.sleeper.answers = true;
    p.sleeper.fail_percent = 20;
    p.sleeper.think_max = 300 * SY_MSEC;
    for (size_t i = 0; i < 60; i++) {
        disturb(&p);
        sim_run_for(p.net, sim_draw_duration(p.net, 0, 2 * SY_SEC));
    }
    sim_heal_allocs(p.bob);
    sim_sleep_workers(p.bob, sim_draw_duration(p.net, 0, 5 * SY_SEC));
    sim_net_del(p.net);
    sim_expect_eq(p.sleeper.alive, 0);
    sim_expect(!p.sleeper.running);
}

static const sim_scenario scenarios[] = {
    {"five_minutes", run_five_minutes, 3},
    {"megabyte", run_megabyte, 2},
    {"flooded", run_flooded, 3},
    {"storm", run_storm, 60},
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
