/* SPDX-License-Identifier: Apache-2.0 */
/* Isolated reactors over real sockets and threads.  With an argument: only the test of that name.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/threads/rig.h"

static rig r;

static bool is_blocked(rig *rig_) {
    pthread_mutex_lock(&rig_->sleeper.mutex);
    const bool blocked = rig_->sleeper.in_receive && rig_->sleeper.asleep;
    pthread_mutex_unlock(&rig_->sleeper.mutex);
    return blocked;
}

static bool all_seen(rig *rig_) {
    return rig_seen(rig_) == rig_->sent;
}

static bool is_apart(rig *rig_) {
    return sy_switch_next_peer(rig_->server.sw, NULL) == NULL &&
           sy_switch_next_peer(rig_->client.sw, NULL) == NULL;
}

static bool nothing_waits(rig *rig_) {
    sy_mailbox_stats stats;
    expect(sy_switch_mailbox_stats(rig_->server.sw, &rig_->sleeper, &stats) == SY_OK);
    return stats.messages == 0 && stats.bytes == 0;
}

static void expect_in_order(uint64_t first) {
    for (size_t i = 0; i < r.sleeper.seen_count; i++) {
        expect(r.sleeper.seen[i] == first + i);
    }
}

static sy_mailbox_stats stats_now(void) {
    sy_mailbox_stats stats;
    expect(sy_switch_mailbox_stats(r.server.sw, &r.sleeper, &stats) == SY_OK);
    return stats;
}

/* Asleep inside the first message. */
static void connect_and_sleep(uint64_t rate) {
    rig_connect(&r);
    rig_sleep(&r);
    r.rate = rate;
    expect(rig_run_until(&r, is_blocked, 5 * SY_SEC));
}

/* SPEC-TEST RX-07 RX-18: while the reactor sleeps and its budget lasts, no peer is lost and the
 * other channel is as quick as before. */
static void sleeping(void) {
    rig_start(&r, &(rig_options){.recv_budget = 4u << 20, .slow_after = 500 * SY_MSEC});
    rig_connect(&r);
    r.rate = 1000000;
    rig_run(&r, 1 * SY_SEC);
    const size_t before = r.talker.rtt_count;
    const sy_duration p99_before = rig_percentile(&r, 0, 99);
    expect(before > 50);

    rig_sleep(&r);
    rig_run(&r, 2 * SY_SEC);
    const sy_duration p99_asleep = rig_percentile(&r, before, 99);
    expect(is_blocked(&r));
    expect(rig_is_connected(&r));
    expect(r.server.ends.count == 0 && r.client.ends.count == 0);
    expect(r.talker.rtt_count - before > 100);
    expect(stats_now().messages > 500);
    expect(stats_now().oldest_age >= 1 * SY_SEC);
    expect(r.server.slow_warnings >= 1 && r.server.slow_warnings <= 3);
    expect(strstr(r.server.slow_text, "reactor=sleeper") != NULL);
    expect(strstr(r.server.slow_text, "channel=0x60") != NULL);
    /* Far above what it costs, far below what waiting for the sleeper would. */
    expect(p99_asleep < p99_before + 200 * SY_MSEC);
    printf("  p99 of the other channel: %.2f ms before, %.2f ms while asleep\n",
           (double)p99_before / 1e6, (double)p99_asleep / 1e6);

    rig_wake(&r);
    r.rate = 0;
    expect(rig_run_until(&r, all_seen, 10 * SY_SEC));
    expect_in_order(0);
    expect(rig_run_until(&r, nothing_waits, 5 * SY_SEC));
    rig_end(&r);
}

/* SPEC-TEST RX-10 */
static void full_disconnect(void) {
    rig_start(&r, &(rig_options){.policy = SY_FULL_DISCONNECT, .recv_budget = 200000});
    connect_and_sleep(1000000);
    expect(rig_run_until(&r, is_apart, 5 * SY_SEC));
    expect(r.server.ends.code == SY_ERR_RECV_BUDGET);
    expect(strstr(r.server.ends.text, "reactor sleeper") != NULL);
    expect(strstr(r.server.ends.text, "200000 bytes") != NULL);
    /* What was taken is still delivered, then the peer goes. */
    const size_t taken = 1 + 200000 / 1128 - 1;
    rig_wake(&r);
    r.rate = 0;
    expect(rig_run_until(&r, nothing_waits, 5 * SY_SEC));
    rig_run(&r, 50 * SY_MSEC);
    expect(rig_seen(&r) == taken);
    expect_in_order(0);
    expect(atomic_load(&r.sleeper.removeds) == 1);
    rig_end(&r);
}

/* SPEC-TEST RX-10 */
static void full_drop_newest(void) {
    rig_start(&r, &(rig_options){.policy = SY_FULL_DROP_NEWEST, .recv_budget = 200000});
    connect_and_sleep(1000000);
    rig_run(&r, 1 * SY_SEC);
    expect(rig_is_connected(&r));
    r.rate = 0;
    rig_run(&r, 100 * SY_MSEC);
    const sy_mailbox_stats stats = stats_now();
    expect(stats.dropped_newest > 100 && stats.dropped_oldest == 0);
    expect(stats.bytes <= 200000 && stats.bytes > 200000 - 1128);
    rig_wake(&r);
    expect(rig_run_until(&r, nothing_waits, 5 * SY_SEC));
    expect(rig_seen(&r) + stats.dropped_newest == r.sent);
    expect_in_order(0);
    rig_end(&r);
}

/* SPEC-TEST RX-10 */
static void full_drop_oldest(void) {
    rig_start(&r, &(rig_options){.policy = SY_FULL_DROP_OLDEST, .recv_budget = 200000});
    connect_and_sleep(1000000);
    rig_run(&r, 1 * SY_SEC);
    expect(rig_is_connected(&r));
    r.rate = 0;
    rig_run(&r, 100 * SY_MSEC);
    const sy_mailbox_stats stats = stats_now();
    expect(stats.dropped_newest == 0 && stats.dropped_oldest > 100);
    rig_wake(&r);
    expect(rig_run_until(&r, nothing_waits, 5 * SY_SEC));
    const size_t count = rig_seen(&r);
    expect(count + stats.dropped_oldest == r.sent);
    /* The one it slept in, then the newest ones without a gap. */
    expect(r.sleeper.seen[0] == 0);
    for (size_t i = 1; i < count; i++) {
        expect(r.sleeper.seen[i] == r.sent - count + i);
    }
    rig_end(&r);
}

/* SPEC-TEST RX-10 RX-11: nothing is lost, and meanwhile nothing is read at all. */
static void full_pause(void) {
    rig_start(&r, &(rig_options){.policy = SY_FULL_PAUSE, .recv_budget = 200000});
    /* The client is to be patient: it cannot know why nobody answers. */
    connect_and_sleep(4000000);
    rig_run(&r, 300 * SY_MSEC);
    expect(stats_now().paused == 1);
    const size_t bytes = stats_now().bytes;
    expect(bytes > 200000 && bytes < 200000 + 66536 + 65536 + 200 * 128);
    const size_t echoes = r.talker.rtt_count;
    rig_run(&r, 50 * SY_MSEC);
    expect(r.talker.rtt_count == echoes);
    expect(stats_now().bytes == bytes);
    expect(rig_is_connected(&r));
    rig_wake(&r);
    r.rate = 0;
    expect(rig_run_until(&r, all_seen, 10 * SY_SEC));
    expect_in_order(0);
    expect(r.talker.rtt_count > echoes);
    expect(stats_now().paused == 0);
    expect(r.server.ends.count == 0);
    rig_end(&r);
}

/* SPEC-TEST RX-11: a remote whose pings are not answered leaves. */
static void paused_for_long(void) {
    rig_start(&r, &(rig_options){.policy = SY_FULL_PAUSE, .recv_budget = 200000});
    connect_and_sleep(4000000);
    expect(rig_run_until(&r, is_apart, 10 * SY_SEC) ||
           sy_switch_next_peer(r.client.sw, NULL) == NULL);
    expect(r.client.ends.code == SY_ERR_PONG_TIMEOUT);
    rig_wake(&r);
    expect(rig_run_until(&r, is_apart, 5 * SY_SEC));
    rig_end(&r);
}

/* SPEC-TEST RX-12 RX-13 RX-14 RX-15: connections come and go faster than the reactor can look. */
static void storm(void) {
    rig_start(&r, &(rig_options){.recv_budget = 1u << 20});
    atomic_store(&r.sleeper.nap_us_max, 3000);
    atomic_store(&r.sleeper.answers, true);
    r.rate = 500000;
    for (unsigned i = 0; i < 60; i++) {
        if (i % 10 == 3) {
            rig_sleep(&r);
        }
        if (i % 10 == 7) {
            rig_wake(&r);
        }
        if (i % 8 == 5) {
            atomic_store(&r.sleeper.fail_inits, 1);
        }
        rig_connect(&r);
        rig_run(&r, (i * 37 % 11) * SY_MSEC);
        sy_peer *peer = sy_switch_next_peer(i % 2 == 0 ? r.client.sw : r.server.sw, NULL);
        if (peer != NULL) {
            sy_peer_stop(peer, i % 3 == 0 ? SY_ERR_STOPPED : SY_ERR_REACTOR_CAUSE, "storm");
        }
        expect(rig_run_until(&r, is_apart, 5 * SY_SEC));
    }
    rig_wake(&r);
    rig_run(&r, 100 * SY_MSEC);
    expect(stats_now().peers == 0);
    expect(atomic_load(&r.sleeper.inits) > 10);
    expect(atomic_load(&r.sleeper.inits) == atomic_load(&r.sleeper.finis));
    rig_end(&r);
}

static bool server_has_stopped(rig *rig_) {
    return sy_switch_is_stopped(rig_->server.sw);
}

/* SPEC-TEST RX-16 */
static void stop_while_asleep(void) {
    rig_start(&r, &(rig_options){.recv_budget = 4u << 20});
    connect_and_sleep(1000000);
    rig_run(&r, 200 * SY_MSEC);
    sy_switch_stop(r.server.sw, sy_ev_now(r.server.ev));
    expect(!rig_run_until(&r, server_has_stopped, 1500 * SY_MSEC));
    sy_switch_counts counts;
    sy_switch_get_counts(r.server.sw, &counts);
    expect(counts.peers == 0);
    rig_wake(&r);
    expect(rig_run_until(&r, server_has_stopped, 5 * SY_SEC));
    expect(atomic_load(&r.sleeper.stopped));
    expect(rig_seen(&r) == 1); /* the rest was dropped */
    rig_end(&r);
}

static void *wake_later(void *user) {
    (void)usleep(300000);
    rig_wake(user);
    return NULL;
}

/* SPEC-TEST RX-16 */
static void delete_while_asleep(void) {
    pthread_t thread;
    rig_start(&r, &(rig_options){.recv_budget = 4u << 20});
    connect_and_sleep(1000000);
    rig_run(&r, 100 * SY_MSEC);
    expect(pthread_create(&thread, NULL, wake_later, &r) == 0);
    rig_end(&r);
    expect(pthread_join(thread, NULL) == 0);
}

typedef struct poster {
    rig *rig_;
    atomic_bool over;
    size_t queued;
    size_t full;
    size_t gone;
} poster;

static void *post_all(void *user) {
    static const uint8_t message[512] = {1};
    poster *p = user;
    sleeper *s = &p->rig_->sleeper;
    while (!atomic_load(&p->over)) {
        pthread_mutex_lock(&s->mutex);
        const sy_peer_ref ref = s->last_ref;
        pthread_mutex_unlock(&s->mutex);
        switch (sy_switch_post_send(s->sw, ref, s->channel, message, sizeof message)) {
        case SY_SEND_QUEUED:
            p->queued++;
            break;
        case SY_SEND_FULL:
            p->full++;
            (void)usleep(200);
            break;
        case SY_SEND_GONE:
            p->gone++;
            (void)usleep(200);
            break;
        case SY_SEND_REFUSED:
            expect(false);
        }
        size_t full = 0;
        p->queued += sy_switch_post_broadcast(s->sw, s->channel, message, 64, &ref, &full);
        expect(sy_switch_post_send(s->sw, ref, 0x7777, message, 1) == SY_SEND_REFUSED);
    }
    return NULL;
}

static bool has_answers(rig *rig_) {
    return rig_->talker.answers > 2000;
}

/* SPEC-TEST RX-03 RX-20 RX-21 RX-22 RX-23 RX-24: the worker and another thread send, each answer is
 * kept. */
static void sends(void) {
    poster p = {.rig_ = &r};
    pthread_t thread;
    rig_start(&r, &(rig_options){.recv_budget = 1u << 20, .send_queue_max = 16});
    atomic_store(&r.sleeper.answers, true);
    rig_connect(&r);
    r.rate = 1000000;
    expect(pthread_create(&thread, NULL, post_all, &p) == 0);
    expect(rig_run_until(&r, has_answers, 30 * SY_SEC));
    r.rate = 0;
    rig_run(&r, 200 * SY_MSEC);
    expect(sy_switch_post_stop(r.server.sw, r.sleeper.last_ref, SY_ERR_STOPPED, "enough") == SY_OK);
    expect(rig_run_until(&r, is_apart, 5 * SY_SEC));
    rig_run(&r, 50 * SY_MSEC);
    atomic_store(&p.over, true);
    expect(pthread_join(thread, NULL) == 0);
    expect(p.full > 0 && p.gone > 0);
    expect(r.server.ends.code == SY_ERR_STOPPED);
    expect(sy_switch_post_stop(r.server.sw, r.sleeper.last_ref, SY_ERR_STOPPED, "") == SY_ERR_GONE);
    printf("  %zu answers; from the other thread: %zu queued, %zu full, %zu gone\n",
           r.talker.answers, p.queued, p.full, p.gone);
    /* All that was answered QUEUED before the orderly stop has come, but for what the stop caught
     * on its way to the loop. */
    const size_t queued = p.queued + atomic_load(&r.sleeper.answered);
    expect(r.talker.answers <= queued && r.talker.answers + 2 * 16 >= queued);
    expect(atomic_load(&r.sleeper.writables) > 0);
    rig_end(&r);
}

/* SPEC-TEST RX-01 */
static void refused_registrations(void) {
    sy_settings settings;
    sy_node_key key;
    sy_switch *sw;
    sy_detail detail;
    const uint8_t seed[SY_SEED_LEN] = {3};
    const sy_channel_desc desc = {.id = 0x61};
    sy_reactor_ops ops = {
        .size = sizeof ops, .name = "lonely", .channels = &desc, .channel_count = 1};
    sy_driver_ops driver = *sy_ev_ops();
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    sy_ev *ev;

    expect(loop != NULL && sy_ev_new(loop, NULL, &ev) == SY_OK);
    sy_node_key_from_seed(seed, &key);
    sy_settings_default(&settings);
    settings.node_key = &key;
    settings.network = "threads";
    driver.worker_start = NULL;
    driver.worker_wake = NULL;
    driver.worker_lock = NULL;
    driver.worker_unlock = NULL;
    driver.worker_stop = NULL;
    driver.post = NULL;
    expect(sy_switch_new(&settings, &driver, ev, &sw, &detail) == SY_OK);
    expect(sy_switch_add_reactor_isolated(sw, &ops, NULL, NULL, &detail) == SY_ERR_INVALID);
    expect(strstr(detail.text, "no threads") != NULL);
    sy_switch_del(sw);

    expect(sy_switch_new(&settings, sy_ev_ops(), ev, &sw, &detail) == SY_OK);
    expect(sy_switch_add_reactor_isolated(sw, &ops, NULL, NULL, &detail) == SY_OK);
    expect(sy_switch_add_reactor_isolated(sw, &ops, NULL, NULL, &detail) == SY_ERR_INVALID);
    sy_reactor_ops other = ops;
    other.name = "other";
    expect(sy_switch_add_reactor_isolated(sw, &other, NULL, NULL, &detail) == SY_ERR_CHANNEL_TAKEN);
    sy_switch_del(sw); /* without ever having started */
    sy_ev_del(ev);
    ev_loop_destroy(loop);
}

typedef struct test {
    const char *name;
    void (*run)(void);
} test;

static const test tests[] = {
    {"refused_registrations", refused_registrations},
    {"sleeping", sleeping},
    {"full_disconnect", full_disconnect},
    {"full_drop_newest", full_drop_newest},
    {"full_drop_oldest", full_drop_oldest},
    {"full_pause", full_pause},
    {"paused_for_long", paused_for_long},
    {"storm", storm},
    {"stop_while_asleep", stop_while_asleep},
    {"delete_while_asleep", delete_while_asleep},
    {"sends", sends},
};

int main(int argc, char **argv) {
    size_t count = 0;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        if (argc > 1 && strcmp(argv[1], tests[i].name) != 0) {
            continue;
        }
        printf("%s\n", tests[i].name);
        tests[i].run();
        count++;
    }
    printf("%zu tests passed\n", count);
    return count == 0;
}
