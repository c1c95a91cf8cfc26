/* SPDX-License-Identifier: Apache-2.0 */
/* The switch and its application on a driver that only takes notes: what is opened, written and
 * closed, in which turn. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include <switchyard/app_filter.h>
#include <switchyard/switch.h>

#include "tests/support/test_mem.h"

/* ---- The driver --------------------------------------------------------------------------------
 */

#define STREAMS_MAX 32

typedef struct stream {
    sy_stream_ref ref;
    sy_endpoint remote;
    char path[SY_LOCAL_PATH_MAX + 1];
    bool is_open;
    uint8_t out[4096];
    size_t out_len;
} stream;

static struct {
    sy_switch *sw;
    sy_time now;
    stream streams[STREAMS_MAX];
    size_t count;
    size_t take_max; /* of one write; 0: everything */
    sy_err connect_err;
    sy_resolve_ref lookup;
    char host[SY_HOST_MAX + 1];
    size_t lookups;
    char log[8192];
    test_mem memory;
} world;

static stream *new_stream(void) {
    cr_assert_lt(world.count, STREAMS_MAX);
    stream *s = &world.streams[world.count++];
    *s = (stream){.is_open = true};
    return s;
}

static sy_err on_connect(void *driver, sy_stream_ref ref, const sy_endpoint *remote, void **ret) {
    (void)driver;
    if (world.connect_err != SY_OK) {
        return world.connect_err;
    }
    stream *s = new_stream();
    s->ref = ref;
    s->remote = *remote;
    *ret = s;
    return SY_OK;
}

static sy_err on_connect_local(void *driver, sy_stream_ref ref, const char *path, void **ret) {
    (void)driver;
    stream *s = new_stream();
    s->ref = ref;
    (void)snprintf(s->path, sizeof s->path, "%s", path);
    *ret = s;
    return SY_OK;
}

static sy_err on_write(void *driver, void *at, const uint8_t *data, size_t len, bool more,
                       size_t *ret) {
    stream *s = at;
    const size_t taken = world.take_max == 0 || len < world.take_max ? len : world.take_max;
    (void)driver, (void)more;
    cr_assert(s->is_open);
    cr_assert_leq(s->out_len + taken, sizeof s->out);
    memcpy(s->out + s->out_len, data, taken);
    s->out_len += taken;
    *ret = taken;
    return SY_OK;
}

static void on_close(void *driver, void *at, bool abort) {
    stream *s = at;
    (void)driver, (void)abort;
    cr_assert(s->is_open, "closed twice");
    s->is_open = false;
}

static void on_reading(void *driver, void *at, bool on) {
    (void)driver, (void)at, (void)on;
}

static void nothing(void *driver, void *at) {
    (void)driver, (void)at;
}

static sy_err on_listen(void *driver, sy_switch *sw, const sy_endpoint *local, sy_endpoint *bound,
                        void **ret, sy_detail *detail) {
    (void)driver, (void)sw, (void)detail;
    *bound = *local;
    *ret = &world;
    return SY_OK;
}

static sy_err on_resolve(void *driver, sy_resolve_ref ref, const char *host) {
    (void)driver;
    world.lookup = ref;
    world.lookups++;
    (void)snprintf(world.host, sizeof world.host, "%s", host);
    return SY_OK;
}

static void on_cancel(void *driver, sy_resolve_ref ref) {
    (void)driver, (void)ref;
}

static void fixed_random(void *driver, void *out, size_t len) {
    (void)driver;
    memset(out, 7, len);
}

static const sy_driver_ops ops = {
    .size = sizeof(sy_driver_ops),
    .stream_connect = on_connect,
    .stream_connect_local = on_connect_local,
    .stream_write = on_write,
    .stream_set_reading = on_reading,
    .stream_check_dry = nothing,
    .stream_shutdown_write = nothing,
    .stream_close = on_close,
    .listen = on_listen,
    .listener_close = nothing,
    .resolve = on_resolve,
    .resolve_cancel = on_cancel,
    .random = fixed_random,
};

static void on_log(void *user, const sy_log_record *record) {
    char line[1024];
    (void)user;
    (void)sy_log_format_kv(record, line, sizeof line);
    const size_t used = strlen(world.log);
    (void)snprintf(world.log + used, sizeof world.log - used, "%s\n", line);
}

/* ---- Turns -------------------------------------------------------------------------------------
 */

static void turn(void) {
    world.now += SY_USEC;
    if (sy_switch_next_expiry(world.sw) <= world.now) {
        sy_switch_on_expiry(world.sw, world.now);
    }
    sy_switch_turn_end(world.sw, world.now);
}

static void wait_for(sy_duration duration) {
    const sy_time until = world.now + duration;
    while (sy_switch_next_expiry(world.sw) <= until && world.now < until) {
        world.now = sy_time_max(world.now, sy_switch_next_expiry(world.sw));
        turn();
    }
    world.now = sy_time_max(world.now, until);
}

static sy_err make(const sy_driver_ops *driver, const char *address, sy_detail *detail) {
    static const sy_channel_desc channel = {.id = 0x20};
    static const sy_reactor_ops reactor = {
        .size = sizeof(sy_reactor_ops), .name = "none", .channels = &channel, .channel_count = 1};
    uint8_t seed[SY_SEED_LEN] = {1};
    sy_node_key key;
    sy_settings settings;
    sy_app_filter_settings filter;
    sy_node_key_from_seed(seed, &key);
    sy_settings_default(&settings);
    settings.mem = &world.memory.mem;
    settings.log = (sy_log){.fn = on_log, .level = SY_LOG_INFO};
    settings.node_key = &key;
    settings.network = "app-test";
    settings.profiles[0] = "cometbft";
    world.sw = NULL;
    sy_err err = sy_switch_new(&settings, driver, &world, &world.sw, detail);
    if (err == SY_OK) {
        err = sy_switch_add_reactor(world.sw, &reactor, NULL, detail);
    }
    sy_app_filter_default(&filter);
    filter.address = address;
    return err == SY_OK ? sy_switch_set_app_filter(world.sw, &filter, detail) : err;
}

static void begin(const char *address) {
    sy_detail detail = {.text = ""};
    world.count = 0;
    world.take_max = 0;
    world.connect_err = SY_OK;
    world.lookups = 0;
    world.log[0] = '\0';
    world.now = SY_HOUR;
    test_mem_init(&world.memory);
    cr_assert_eq(make(&ops, address, &detail), SY_OK, "%s", detail.text);
    cr_assert_eq(sy_switch_start(world.sw, world.now), SY_OK);
    turn();
}

static void end(void) {
    sy_switch_del(world.sw);
    for (size_t i = 0; i < world.count; i++) {
        cr_expect(!world.streams[i].is_open, "stream %zu is left open", i);
    }
    test_mem_fini(&world.memory);
}

static stream *last(void) {
    cr_assert_gt(world.count, 0);
    return &world.streams[world.count - 1];
}

static void say(const stream *s, const void *data, size_t len) {
    world.now += SY_USEC;
    (void)sy_switch_on_readable(world.sw, s->ref, data, len, world.now);
    turn();
}

static void connected(const stream *s) {
    const sy_endpoint local = {.port = 1};
    sy_switch_on_connected(world.sw, s->ref, &local, world.now);
    turn();
}

#define ECHO       "\x0e\x12\x0c\x0a\x0aswitchyard\x02\x1a"
#define ECHO_LEN   18
#define ADMIT      "\x02\x3a\0\x02\x1a"
#define ADMIT_LEN  6
#define REFUSE     "\x04\x3a\x02\x08\x05\x02\x1a"
#define REFUSE_LEN 8

static stream *be_ready(void) {
    stream *app = last();
    connected(app);
    say(app, ECHO, ECHO_LEN);
    app->out_len = 0;
    return app;
}

static stream *accept_one(uint16_t port) {
    sy_endpoint local;
    sy_endpoint remote;
    cr_assert_eq(sy_endpoint_parse_ip("10.0.0.1", 8, &local), SY_OK);
    cr_assert_eq(sy_endpoint_parse_ip("10.0.0.2", 8, &remote), SY_OK);
    remote.port = port;
    stream *s = new_stream();
    cr_assert_eq(sy_switch_on_accepted(world.sw, s, &local, &remote, &s->ref, world.now), SY_OK);
    turn();
    return s;
}

static bool has_written(const stream *s, const char *text) {
    const size_t len = strlen(text);
    for (size_t i = 0; i + len <= s->out_len; i++) {
        if (memcmp(s->out + i, text, len) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- Tests -------------------------------------------------------------------------------------
 */

/* SPEC-TEST AB-07 AB-15 FL-14 */
Test(app_switch, asks_before_the_first_byte) {
    begin("tcp://127.0.0.1:26658");
    cr_assert_eq(world.count, 1);
    cr_assert_eq(last()->remote.port, 26658);
    connected(last());
    cr_expect_eq(last()->out_len, 18, "echo and flush");
    stream *app = be_ready();
    cr_expect(strstr(world.log, "level=info sys=app event=application_ready") != NULL);
    cr_expect(strstr(world.log, "addr=tcp://127.0.0.1:26658 dialect=0.38") != NULL);

    stream *peer = accept_one(1000);
    cr_expect(has_written(app, "/p2p/filter/addr/10.0.0.2:1000"));
    cr_expect_eq(peer->out_len, 0);
    say(app, ADMIT, ADMIT_LEN);
    cr_expect_eq(peer->out_len, 35, "our ephemeral key");

    stream *other = accept_one(1001);
    say(app, REFUSE, REFUSE_LEN);
    cr_expect(!other->is_open);
    cr_expect_eq(other->out_len, 0);
    cr_expect_eq(sy_switch_ended_count(world.sw, SY_STAGE_CONNECT, SY_ERR_FILTERED), 1);
    cr_expect(strstr(world.log, "detail=\"the application refuses the address: code 5\"") != NULL);
    end();
}

/* SPEC-TEST AB-11: several at once, in order, also over the end of the stream. */
Test(app_switch, questions_outlive_the_stream) {
    begin("127.0.0.1:26658");
    stream *app = be_ready();
    stream *first = accept_one(1);
    stream *second = accept_one(2);
    say(app, ADMIT, ADMIT_LEN);
    cr_expect_eq(first->out_len, 35);
    sy_switch_on_read_end(world.sw, app->ref, SY_ERR_REMOTE_CLOSED, world.now);
    turn();
    cr_expect(!app->is_open);
    cr_expect(strstr(world.log, "level=warn sys=app event=application_lost") != NULL);
    cr_expect(strstr(world.log, "peers=\"new ones are refused meanwhile\"") != NULL);
    /* What the old stream still says reaches nobody. */
    say(app, ADMIT, ADMIT_LEN);
    cr_expect_eq(second->out_len, 0);

    wait_for(300 * SY_MSEC);
    stream *again = be_ready();
    cr_assert_neq(again, app);
    cr_expect_eq(second->out_len, 0);
    turn();
    say(again, ADMIT, ADMIT_LEN);
    cr_expect_eq(second->out_len, 35);
    end();
}

/* SPEC-TEST AB-12 */
Test(app_switch, a_name_is_looked_up_for_each_attempt) {
    sy_endpoint found[2];
    begin("tcp://App.example:5");
    cr_assert_eq(world.lookups, 1);
    cr_expect_str_eq(world.host, "app.example");
    cr_expect_eq(world.count, 0);
    sy_switch_on_resolved(world.sw, world.lookup, SY_ERR_RESOLVE, NULL, 0, NULL, world.now);
    turn();
    cr_expect(strstr(world.log, "reason=RESOLVE detail=\"app.example: no address\"") != NULL);
    wait_for(500 * SY_MSEC);
    cr_assert_eq(world.lookups, 2);
    cr_assert_eq(sy_endpoint_parse_ip("10.1.0.1", 8, &found[0]), SY_OK);
    cr_assert_eq(sy_endpoint_parse_ip("10.1.0.2", 8, &found[1]), SY_OK);
    uint8_t seen = 0;
    for (size_t i = 0; i < 2; i++) { /* each of the two in its turn */
        sy_switch_on_resolved(world.sw, world.lookup, SY_OK, found, 2, NULL, world.now);
        turn();
        cr_assert_eq(world.count, i + 1);
        cr_expect_eq(last()->remote.port, 5);
        seen = (uint8_t)(seen | last()->remote.ip[15]);
        last()->is_open = false;
        sy_switch_on_connect_failed(world.sw, last()->ref, SY_ERR_CONNECT, NULL, world.now);
        wait_for(3 * SY_SEC);
    }
    cr_expect_eq(seen, 3, "10.1.0.1 and 10.1.0.2");
    cr_expect_eq(world.lookups, 4);
    /* Silence of the resolver is bounded too, and its late answer harmless. */
    const sy_resolve_ref late = world.lookup;
    wait_for(4 * SY_SEC);
    sy_switch_on_resolved(world.sw, late, SY_OK, found, 2, NULL, world.now);
    turn();
    cr_expect_eq(world.count, 2);
    end();
}

Test(app_switch, short_writes) {
    begin("unix:///run/app.sock");
    cr_expect_str_eq(last()->path, "/run/app.sock");
    stream *app = be_ready();
    world.take_max = 5;
    (void)accept_one(1234);
    for (size_t i = 0; i < 40; i++) {
        sy_switch_on_writable(world.sw, app->ref, world.now);
        turn();
    }
    cr_expect(has_written(app, "/p2p/filter/addr/10.0.0.2:1234\x02\x12"));
    end();
}

/* SPEC-TEST FL-16 FL-17 AB-08 AB-09 */
Test(app_switch, nobody_answers) {
    begin("127.0.0.1:26658");
    connected(last());
    stream *peer = accept_one(1);
    wait_for(6 * SY_SEC);
    cr_expect(!peer->is_open);
    cr_expect_eq(sy_switch_ended_count(world.sw, SY_STAGE_CONNECT, SY_ERR_NO_VERDICT), 1);
    cr_expect(strstr(world.log, "the application has not answered within 5000 ms") != NULL);
    cr_expect(strstr(world.log, "it cannot be reached") != NULL);
    cr_expect_geq(world.count, 3, "another dialect was tried");
    end();
}

typedef struct refusal_row {
    const char *address;
    const char *says;
} refusal_row;

/* SPEC-TEST AB-13 */
Test(app_switch, refused_settings) {
    static const refusal_row rows[] = {
        {NULL, "proxy_app: required"},
        {"kvstore", "proxy_app: \"kvstore\" names no application"},
        {"unix:///x", "this driver has no local sockets"},
    };
    sy_driver_ops without = ops;
    without.stream_connect_local = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_detail detail = {.text = ""};
        test_mem_init(&world.memory);
        cr_expect_eq(make(&without, rows[i].address, &detail), SY_ERR_CONFIG, "row %zu", i);
        cr_expect(strstr(detail.text, rows[i].says) != NULL, "row %zu: %s", i, detail.text);
        sy_switch_del(world.sw);
        test_mem_fini(&world.memory);
    }
}

Test(app_switch, one_judge_before_start) {
    static const sy_judge_ops judge = {.size = sizeof judge, .name = "x"};
    sy_app_filter_settings filter;
    sy_judge_settings settings;
    begin("127.0.0.1:1");
    sy_app_filter_default(&filter);
    filter.address = "127.0.0.1:1";
    sy_judge_settings_default(&settings);
    cr_expect_eq(sy_switch_set_app_filter(world.sw, &filter, NULL), SY_ERR_STATE);
    cr_expect_eq(sy_switch_set_judge(world.sw, &judge, NULL, &settings), SY_ERR_STATE);
    const sy_question_ref nobody = {3, 1, SY_ASK_ADDR};
    cr_expect_eq(sy_switch_answer(world.sw, nobody, SY_VERDICT_ADMIT, NULL, world.now),
                 SY_ERR_GONE);
    end();
}

Test(app_switch, stop_closes_the_stream) {
    begin("127.0.0.1:1");
    stream *app = be_ready();
    sy_switch_stop(world.sw, world.now);
    turn();
    cr_expect(!app->is_open);
    cr_expect(sy_switch_is_stopped(world.sw));
    wait_for(SY_MIN);
    cr_expect_eq(world.count, 1, "no new attempt");
    end();
}

Test(app_switch, out_of_memory) {
    test_mem_init(&world.memory);
    cr_assert_eq(make(&ops, "127.0.0.1:1", NULL), SY_OK);
    const size_t calls = world.memory.calls;
    sy_switch_del(world.sw);
    test_mem_fini(&world.memory);
    for (size_t k = 1; k <= calls; k++) {
        test_mem_init(&world.memory);
        world.memory.fail_at = k;
        cr_expect_eq(make(&ops, "127.0.0.1:1", NULL), SY_ERR_NOMEM, "allocation %zu", k);
        sy_switch_del(world.sw);
        test_mem_fini(&world.memory);
    }
}
