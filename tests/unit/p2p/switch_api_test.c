/* SPDX-License-Identifier: Apache-2.0 */
/* The switch without a network: settings, registration, start.  The driver here can do nothing but
 * give bytes; everything that moves is tested on the simulator. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include <switchyard/switch.h>

#include "tests/support/test_mem.h"

/* ---- A driver that is never asked to act ------------------------------------------------------
 */

static sy_err no_connect(void *driver, sy_stream_ref ref, const sy_endpoint *remote, void **ret) {
    (void)driver, (void)ref, (void)remote, (void)ret;
    return SY_ERR_SYSTEM;
}

static sy_err no_write(void *driver, void *stream, const uint8_t *data, size_t len, bool more,
                       size_t *ret) {
    (void)driver, (void)stream, (void)data, (void)len, (void)more, (void)ret;
    return SY_ERR_REMOTE_RESET;
}

static void no_reading(void *driver, void *stream, bool on) {
    (void)driver, (void)stream, (void)on;
}

static void nothing(void *driver, void *stream) {
    (void)driver, (void)stream;
}

static void no_close(void *driver, void *stream, bool abort) {
    (void)driver, (void)stream, (void)abort;
}

static sy_err no_listen(void *driver, sy_switch *sw, const sy_endpoint *local, sy_endpoint *bound,
                        void **ret, sy_detail *detail) {
    (void)driver, (void)sw, (void)local, (void)bound, (void)ret;
    sy_detail_set(detail, "no network");
    return SY_ERR_SYSTEM;
}

static sy_err no_resolve(void *driver, sy_resolve_ref ref, const char *host) {
    (void)driver, (void)ref, (void)host;
    return SY_ERR_SYSTEM;
}

static void no_cancel(void *driver, sy_resolve_ref ref) {
    (void)driver, (void)ref;
}

static void fixed_random(void *driver, void *out, size_t len) {
    (void)driver;
    memset(out, 7, len);
}

static const sy_driver_ops ops = {
    .size = sizeof(sy_driver_ops),
    .stream_connect = no_connect,
    .stream_write = no_write,
    .stream_set_reading = no_reading,
    .stream_check_dry = nothing,
    .stream_shutdown_write = nothing,
    .stream_close = no_close,
    .listen = no_listen,
    .listener_close = nothing,
    .resolve = no_resolve,
    .resolve_cancel = no_cancel,
    .random = fixed_random,
};

/* ---- Helpers -----------------------------------------------------------------------------------
 */

static sy_node_key key;
static char last_event[64];
static sy_log_level last_level;

static void note(void *user, const sy_log_record *record) {
    (void)user;
    last_level = record->level;
    (void)snprintf(last_event, sizeof last_event, "%s", record->event);
}

static sy_settings good_settings(void) {
    static const uint8_t seed[32] = {1};
    sy_settings s;
    sy_settings_default(&s);
    sy_node_key_from_seed(seed, &key);
    s.node_key = &key;
    s.network = "test-net";
    return s;
}

static sy_switch *make(const sy_settings *s) {
    sy_switch *sw = NULL;
    sy_detail detail;
    sy_detail_clear(&detail);
    cr_assert_eq(sy_switch_new(s, &ops, NULL, &sw, &detail), SY_OK, "%s", detail.text);
    return sw;
}

/* ---- Settings ----------------------------------------------------------------------------------
 */

typedef struct bad_case {
    const char *name;
    void (*spoil)(sy_settings *s);
    const char *says;
} bad_case;

static void no_key(sy_settings *s) {
    s->node_key = NULL;
}
static void no_network(sy_settings *s) {
    s->network = NULL;
}
static void tab_in_moniker(sy_settings *s) {
    s->moniker = "a\tb";
}
static void blank_version(sy_settings *s) {
    s->version = "  ";
}
static void two_part_version(sy_settings *s) {
    s->version = "0.22";
}
static void no_port(sy_settings *s) {
    s->listen_addr = "example.org";
}
static void late_pong(sy_settings *s) {
    s->pong_timeout = s->ping_interval;
}
static void no_pending(sy_settings *s) {
    s->max_pending = 0;
}
static void no_payload(sy_settings *s) {
    s->packet_payload_max = 0;
}
static void large_payload(sy_settings *s) {
    s->packet_payload_max = 4194305;
}
static void unknown_profile(sy_settings *s) {
    s->profiles[0] = "libp3p";
}
static void twice_a_profile(sy_settings *s) {
    s->profiles[1] = s->profiles[0];
    s->profile_count = 2;
}
static void little_memory(sy_settings *s) {
    s->peer_memory_max = 65535;
}

/* SPEC-TEST NI-21: each refusal names the field, and leaves nothing behind. */
Test(switch_api, bad_settings_are_refused_by_name) {
    static const bad_case cases[] = {
        {"no key", no_key, "node_key"},
        {"no network", no_network, "chain_id"},
        {"tab in the moniker", tab_in_moniker, "moniker"},
        {"blank version", blank_version, "version"},
        {"version of two parts", two_part_version, "version \"0.22\""},
        {"external address without port", no_port, "external_address"},
        {"pong after the next ping", late_pong, "pong_timeout"},
        {"no pool", no_pending, "pending_handshakes"},
        {"no payload", no_payload, "max_packet_msg_payload_size"},
        {"large payload", large_payload, "max_packet_msg_payload_size"},
        {"unknown profile", unknown_profile, "libp3p"},
        {"a profile twice", twice_a_profile, "profiles"},
        {"little memory", little_memory, "peer_memory_max"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_mem tm;
        test_mem_init(&tm);
        sy_settings s = good_settings();
        s.mem = &tm.mem;
        cases[i].spoil(&s);
        sy_switch *sw = NULL;
        sy_detail detail;
        sy_detail_clear(&detail);

        cr_expect_eq(sy_switch_new(&s, &ops, NULL, &sw, &detail), SY_ERR_CONFIG, "%s",
                     cases[i].name);
        cr_expect(strstr(detail.text, cases[i].says) != NULL, "%s: says %s", cases[i].name,
                  detail.text);
        cr_expect_null(sw, "%s", cases[i].name);
        test_mem_fini(&tm);
    }
}

/* Every allocation fails once; nothing stays. */
Test(switch_api, memory_may_fail_at_any_point) {
    size_t calls = 0;
    for (size_t k = 0; k <= calls; k++) {
        test_mem tm;
        test_mem_init(&tm);
        tm.fail_at = k;
        sy_settings s = good_settings();
        s.mem = &tm.mem;
        sy_switch *sw = NULL;
        const sy_err err = sy_switch_new(&s, &ops, NULL, &sw, NULL);
        cr_assert_eq(err, k == 0 ? SY_OK : SY_ERR_NOMEM, "allocation %zu: %s", k, sy_err_name(err));
        calls = k == 0 ? tm.calls : calls;
        sy_switch_del(sw);
        test_mem_fini(&tm);
    }
    cr_expect_gt(calls, 5);
}

/* ---- Registration ------------------------------------------------------------------------------
 */

static const sy_channel_desc one[] = {{.id = 0x20, .name = "one"}};
static const sy_channel_desc taken[] = {{.id = 0x21}, {.id = 0x20}};
static const sy_channel_desc other[] = {{.id = 0x22}};
static const sy_reactor_ops first = {
    .size = sizeof(sy_reactor_ops), .name = "first", .channels = one, .channel_count = 1};
static const sy_reactor_ops clash = {
    .size = sizeof(sy_reactor_ops), .name = "clash", .channels = taken, .channel_count = 2};
static const sy_reactor_ops namesake = {
    .size = sizeof(sy_reactor_ops), .name = "first", .channels = other, .channel_count = 1};
static const sy_reactor_ops late = {
    .size = sizeof(sy_reactor_ops), .name = "late", .channels = other, .channel_count = 1};

/* SPEC-TEST SW-45: refused without a trace: the other channel of the refused one stays free. */
Test(switch_api, a_reactor_that_clashes_is_refused) {
    const sy_settings s = good_settings();
    sy_switch *sw = make(&s);
    sy_detail detail;
    sy_detail_clear(&detail);

    cr_expect_eq(sy_switch_add_reactor(sw, &first, NULL, &detail), SY_OK);
    cr_expect_eq(sy_switch_add_reactor(sw, &clash, NULL, &detail), SY_ERR_CHANNEL_TAKEN);
    cr_expect(strstr(detail.text, "0x20") != NULL, "%s", detail.text);
    cr_expect_eq(sy_switch_channel(sw, 0x21), SY_NO_CHANNEL);
    cr_expect_eq(sy_switch_add_reactor(sw, &namesake, NULL, &detail), SY_ERR_INVALID);
    cr_expect(strstr(detail.text, "first") != NULL, "%s", detail.text);
    cr_expect_eq(sy_switch_start(sw, 1), SY_OK);
    cr_expect_eq(sy_switch_add_reactor(sw, &late, NULL, &detail), SY_ERR_STATE);
    cr_expect_eq(sy_switch_start(sw, 2), SY_ERR_STATE);

    cr_expect_eq(sy_switch_channel_id(sw, sy_switch_channel(sw, 0x20)), 0x20);
    sy_switch_stop(sw, 3);
    sy_switch_turn_end(sw, 3);
    cr_expect(sy_switch_is_stopped(sw));
    sy_switch_del(sw);
}

/* ---- Start -------------------------------------------------------------------------------------
 */

static size_t stops;

static sy_err start_fails(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now) {
    (void)reactor, (void)sw, (void)channels, (void)now;
    return SY_ERR_IO;
}

static void count_stop(void *reactor, sy_time now) {
    (void)reactor, (void)now;
    stops++;
}

static const sy_reactor_ops stoppable = {.size = sizeof(sy_reactor_ops),
                                         .name = "stoppable",
                                         .channels = one,
                                         .channel_count = 1,
                                         .stop = count_stop};
static const sy_reactor_ops failing = {.size = sizeof(sy_reactor_ops),
                                       .name = "failing",
                                       .channels = other,
                                       .channel_count = 1,
                                       .start = start_fails,
                                       .stop = count_stop};

Test(switch_api, a_reactor_that_fails_to_start_stops_those_before_it) {
    const sy_settings s = good_settings();
    sy_switch *sw = make(&s);
    cr_assert_eq(sy_switch_add_reactor(sw, &stoppable, NULL, NULL), SY_OK);
    cr_assert_eq(sy_switch_add_reactor(sw, &failing, NULL, NULL), SY_OK);
    stops = 0;

    cr_expect_eq(sy_switch_start(sw, 1), SY_ERR_IO);
    cr_expect_eq(stops, 1, "the one that failed is not stopped");

    sy_switch_del(sw);
    cr_expect_eq(stops, 1);
}

/* SPEC-TEST PL-06 */
Test(switch_api, the_profile_plain_is_warned_of) {
    for (int anywhere = 0; anywhere < 2; anywhere++) {
        sy_settings s = good_settings();
        s.profiles[0] = "plain";
        s.plain_anywhere = anywhere != 0;
        s.log = (sy_log){.fn = note, .level = SY_LOG_WARN};
        sy_switch *sw = make(&s);
        last_event[0] = '\0';

        cr_assert_eq(sy_switch_start(sw, 1), SY_OK);

        cr_expect_str_eq(last_event, "plain_allowed", "plain_anywhere %d", anywhere);
        cr_expect_eq(last_level, SY_LOG_WARN);
        sy_switch_del(sw);
    }
}

/* What needs a network fails cleanly without one. */
Test(switch_api, without_a_network_calls_fail_and_change_nothing) {
    static const char text[] = "0123456789abcdef0123456789abcdef01234567@10.0.0.1:26656";
    const sy_settings s = good_settings();
    sy_switch *sw = make(&s);
    sy_addr addr;
    sy_detail detail;
    sy_detail_clear(&detail);
    cr_assert_eq(sy_addr_parse(text, strlen(text), SY_ADDR_ID_REQUIRED, &addr, NULL), SY_OK);

    cr_expect_eq(sy_switch_dial(sw, &addr, SY_DIAL_ONCE, 1), SY_ERR_STATE, "not started");
    cr_expect_eq(sy_switch_listen(sw, &addr.endpoint, NULL, &detail), SY_ERR_STATE);
    cr_assert_eq(sy_switch_start(sw, 1), SY_OK);
    cr_expect_eq(sy_switch_listen(sw, &addr.endpoint, NULL, &detail), SY_ERR_SYSTEM);
    cr_expect_str_eq(detail.text, "no network");

    cr_expect_eq(sy_switch_dial(sw, &addr, SY_DIAL_ONCE, 2), SY_OK);
    sy_switch_on_expiry(sw, 2);
    sy_switch_turn_end(sw, 2);
    cr_expect_eq(sy_switch_ended_count(sw, SY_STAGE_CONNECT, SY_ERR_SYSTEM), 1);
    cr_expect_eq(sy_switch_forget(sw, &addr.id, 3), SY_ERR_GONE, "one round, then forgotten");

    sy_switch_counts counts;
    sy_switch_get_counts(sw, &counts);
    cr_expect_eq(counts.peers, 0);
    cr_expect_eq(counts.dialing, 0);
    cr_expect_eq(counts.dialed, 1);
    sy_switch_del(sw);
}
