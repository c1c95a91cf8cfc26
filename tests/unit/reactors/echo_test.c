/* SPDX-License-Identifier: Apache-2.0 */
/* The echo reactor driven through its table of operations, with recording stand-ins for the few
 * functions of the switch that it calls. */
#include <criterion/criterion.h>

#include <string.h>

#include <switchyard/echo.h>

#include "tests/support/test_mem.h"

#define NONCE UINT64_C(0x1122334455667788)

/* ---- Stand-ins ---------------------------------------------------------------------------------
 */

struct sy_switch {
    int unused;
};

struct sy_peer {
    sy_peer_ref ref;
    bool gone;
    bool has_channel[4];
};

typedef struct sent {
    const sy_peer *peer;
    sy_channel channel;
    uint8_t data[128];
    size_t len;
} sent;

static sent log_of_sends[32];
static size_t send_count;
static sy_send_result next_result;

static sy_switch the_switch;
static sy_peer peers[2] = {
    {.ref = {0, 1}, .has_channel = {true, true, true, true}},
    {.ref = {1, 1}, .has_channel = {true, false, false, false}},
};

sy_peer_ref sy_peer_ref_of(const sy_peer *peer) {
    return peer->ref;
}

bool sy_peer_has_channel(const sy_peer *peer, sy_channel channel) {
    return peer->has_channel[channel - 5];
}

sy_peer *sy_switch_peer(sy_switch *sw, sy_peer_ref ref) {
    cr_assert_eq(sw, &the_switch);
    return peers[ref.slot].gone ? NULL : &peers[ref.slot];
}

sy_send_result sy_peer_send(sy_peer *peer, sy_channel channel, const void *data, size_t len) {
    cr_assert(send_count < 32 && len <= sizeof log_of_sends[0].data);
    if (next_result != SY_SEND_QUEUED) {
        return next_result;
    }
    sent *entry = &log_of_sends[send_count++];
    entry->peer = peer;
    entry->channel = channel;
    entry->len = len;
    memcpy(entry->data, data, len);
    return SY_SEND_QUEUED;
}

sy_send_result sy_peer_send_msg(sy_peer *peer, sy_channel channel, sy_msg *msg) {
    return sy_peer_send(peer, channel, sy_msg_data(msg), sy_msg_len(msg));
}

/* ---- The fixture -------------------------------------------------------------------------------
 */

typedef struct answered {
    sy_peer *peer;
    sy_channel channel;
    uint64_t number;
    size_t len;
    sy_duration round_trip;
} answered;

static answered last_answer;
static size_t answer_count;
static sy_echo *echo;
static const sy_reactor_ops *ops;
static uint64_t state[2][64];

static void on_answer(void *user, sy_peer *peer, sy_channel channel, uint64_t number, size_t len,
                      sy_duration round_trip) {
    cr_assert_eq(user, &answer_count);
    last_answer = (answered){peer, channel, number, len, round_trip};
    answer_count++;
}

static void start(const uint8_t *ids, size_t count, sy_duration interval, size_t probe_len) {
    static const sy_channel handles[] = {5, 6, 7, 8};
    const sy_echo_config config = {
        .channels = ids,
        .channel_count = count,
        .nonce = NONCE,
        .probe_interval = interval,
        .probe_len = probe_len,
        .on_answer = on_answer,
        .user = &answer_count,
    };
    cr_assert_eq(sy_echo_new(&config, &echo), SY_OK);
    ops = sy_echo_ops(echo);
    cr_assert_leq(ops->peer_state_size, sizeof state[0]);
    cr_assert_eq(ops->start(echo, &the_switch, handles, 1000), SY_OK);
}

static void add(size_t i) {
    memset(state[i], 0, sizeof state[i]);
    ops->peer_added(echo, &peers[i], state[i], 1000);
}

static void finish(void) {
    ops->stop(echo, 0);
    cr_expect_eq(ops->next_expiry(echo), SY_NEVER);
    sy_echo_del(echo);
}

static void receive(size_t i, sy_channel channel, const void *data, size_t len, sy_time now) {
    ops->receive(echo, &peers[i], state[i], channel, data, len, now);
}

static const uint8_t channels[] = {0x20, 0x80, 0xff, 0x00};

/* ---- Echoing -----------------------------------------------------------------------------------
 */

Test(echo, declares_its_channels) {
    start(channels, 3, 0, 0);
    cr_expect_eq(ops->channel_count, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(ops->channels[i].id, channels[i], "channel %zu", i);
        cr_expect_eq(ops->channels[i].recv_message_max, SY_ECHO_MESSAGE_MAX, "channel %zu", i);
    }
    cr_expect_eq(ops->next_expiry(echo), SY_NEVER, "no probes, no clock work");
    finish();
}

Test(echo, sends_back_what_comes_byte_for_byte_on_its_channel) {
    static const struct {
        const char *data;
        size_t len;
    } rows[] = {
        {"", 0},
        {"x", 1},
        {"hello", 5},
        {"SYECHO?\n too short but", 22},
        {"SYECHO?\r 24 bytes at least", 26},
    };
    start(channels, 2, 0, 0);
    add(0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        send_count = 0;
        receive(0, 6, rows[i].data, rows[i].len, 2000);
        cr_assert_eq(send_count, 1, "row %zu", i);
        cr_expect_eq(log_of_sends[0].peer, &peers[0], "row %zu", i);
        cr_expect_eq(log_of_sends[0].channel, 6, "row %zu", i);
        cr_expect_eq(log_of_sends[0].len, rows[i].len, "row %zu", i);
        cr_expect_eq(memcmp(log_of_sends[0].data, rows[i].data, rows[i].len), 0, "row %zu", i);
    }
    cr_expect_eq(sy_echo_dropped_count(echo), 0);
    finish();
}

static void put_probe(uint8_t out[32], char sign, uint64_t number, uint64_t nonce) {
    memcpy(out, "SYECHO?\n", 8);
    out[6] = (uint8_t)sign;
    for (size_t i = 0; i < 8; i++) {
        out[8 + i] = (uint8_t)(number >> (8 * i));
        out[16 + i] = (uint8_t)(nonce >> (8 * i));
    }
    memset(out + 24, 0xab, 8);
}

Test(echo, answers_a_question_of_another_node) {
    uint8_t probe[32];
    start(channels, 1, 0, 0);
    add(0);
    put_probe(probe, '?', 9, NONCE + 1);

    receive(0, 5, probe, sizeof probe, 2000);

    cr_assert_eq(send_count, 1);
    put_probe(probe, '!', 9, NONCE + 1);
    cr_expect_eq(log_of_sends[0].len, sizeof probe);
    cr_expect_arr_eq(log_of_sends[0].data, probe, sizeof probe);
    finish();
}

Test(echo, drops_and_counts_when_a_queue_is_full) {
    uint8_t probe[32];
    start(channels, 1, 0, 0);
    add(0);
    put_probe(probe, '?', 9, NONCE + 1);
    next_result = SY_SEND_FULL;

    receive(0, 5, "a", 1, 2000);
    receive(0, 5, probe, sizeof probe, 2000);

    cr_expect_eq(send_count, 0);
    cr_expect_eq(sy_echo_dropped_count(echo), 2);
    finish();
}

/* ---- Probing -----------------------------------------------------------------------------------
 */

Test(echo, asks_every_peer_on_each_channel_that_it_has) {
    start(channels, 2, 100, 32);
    add(0);
    add(1);
    cr_expect_eq(ops->next_expiry(echo), 1100);

    ops->on_expiry(echo, 1099);
    cr_expect_eq(send_count, 0, "early is harmless");
    ops->on_expiry(echo, 1250);

    cr_assert_eq(send_count, 3);
    cr_expect_eq(ops->next_expiry(echo), 1350);
    for (size_t i = 0; i < send_count; i++) {
        cr_expect_eq(log_of_sends[i].len, 32, "send %zu", i);
        cr_expect_eq(memcmp(log_of_sends[i].data, "SYECHO?\n", 8), 0, "send %zu", i);
    }
    finish();
}

/* The round trip counts from the question to the answer; any other answer is not one of ours. */
Test(echo, measures_the_answer_to_its_own_question_once) {
    uint8_t answer[32];
    start(channels, 1, 100, 32);
    add(0);
    ops->on_expiry(echo, 1100);
    cr_assert_eq(send_count, 1);
    memcpy(answer, log_of_sends[0].data, sizeof answer);
    answer[6] = '!';

    answer[8] ^= 2;
    receive(0, 5, answer, sizeof answer, 1150); /* another number */
    answer[8] ^= 2;
    receive(0, 5, answer, sizeof answer - 1, 1150); /* another length */
    cr_expect_eq(answer_count, 0);
    receive(0, 5, answer, sizeof answer, 1175);
    receive(0, 5, answer, sizeof answer, 1180); /* twice */

    cr_expect_eq(answer_count, 1);
    cr_expect_eq(last_answer.peer, &peers[0]);
    cr_expect_eq(last_answer.channel, 5);
    cr_expect_eq(last_answer.number, 1);
    cr_expect_eq(last_answer.len, 32);
    cr_expect_eq(last_answer.round_trip, 75);
    cr_expect_eq(send_count, 1, "answers of ours are not echoed");
    finish();
}

/* A peer that knows nothing of probes returns the question; taking it as one would never end. */
Test(echo, takes_its_own_question_as_an_answer) {
    start(channels, 1, 100, 24);
    add(0);
    ops->on_expiry(echo, 1100);
    cr_assert_eq(send_count, 1);

    receive(0, 5, log_of_sends[0].data, 24, 1101);

    cr_expect_eq(answer_count, 1);
    cr_expect_eq(send_count, 1);
    finish();
}

Test(echo, a_new_question_gives_up_the_old_one) {
    uint8_t first[24];
    start(channels, 1, 100, 24);
    add(0);
    ops->on_expiry(echo, 1100);
    memcpy(first, log_of_sends[0].data, sizeof first);
    ops->on_expiry(echo, 1200);

    receive(0, 5, first, sizeof first, 1201);
    cr_expect_eq(answer_count, 0);
    receive(0, 5, log_of_sends[1].data, 24, 1202);
    cr_expect_eq(answer_count, 1);
    cr_expect_eq(last_answer.number, 2);

    next_result = SY_SEND_FULL;
    ops->on_expiry(echo, 1300);
    next_result = SY_SEND_QUEUED;
    receive(0, 5, log_of_sends[1].data, 24, 1301);
    cr_expect_eq(answer_count, 1, "a question that was not sent has no answer");
    finish();
}

Test(echo, peers_come_and_go_in_any_order) {
    for (size_t first = 0; first < 2; first++) {
        start(channels, 1, 100, 24);
        send_count = 0;
        add(0);
        add(1);
        ops->peer_removed(echo, &peers[first], state[first], NULL, 1050);
        ops->on_expiry(echo, 1100);
        cr_assert_eq(send_count, 1, "first %zu", first);
        cr_expect_eq(log_of_sends[0].peer, &peers[1 - first], "first %zu", first);

        peers[1 - first].gone = true;
        ops->on_expiry(echo, 1200);
        cr_expect_eq(send_count, 1, "first %zu: one that is going is not asked", first);
        peers[1 - first].gone = false;

        ops->peer_removed(echo, &peers[1 - first], state[1 - first], NULL, 1250);
        ops->on_expiry(echo, 1300);
        cr_expect_eq(send_count, 1, "first %zu", first);
        finish();
    }
}

/* ---- Making ------------------------------------------------------------------------------------
 */

Test(echo, limits_of_the_configuration) {
    static const uint8_t ids[SY_ECHO_CHANNELS_MAX + 1] = {0, 1,  2,  3,  4,  5,  6,  7, 8,
                                                          9, 10, 11, 12, 13, 14, 15, 16};
    static const struct {
        size_t count;
        sy_duration interval;
        size_t len;
        sy_err err;
    } rows[] = {
        {0, 0, 0, SY_ERR_INVALID},
        {1, 0, 0, SY_OK},
        {SY_ECHO_CHANNELS_MAX, 0, 0, SY_OK},
        {SY_ECHO_CHANNELS_MAX + 1, 0, 0, SY_ERR_INVALID},
        {1, 1, SY_ECHO_PROBE_MIN - 1, SY_ERR_INVALID},
        {1, 1, SY_ECHO_PROBE_MIN, SY_OK},
        {1, 1, SY_ECHO_MESSAGE_MAX, SY_OK},
        {1, 1, SY_ECHO_MESSAGE_MAX + 1, SY_ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const sy_echo_config config = {
            .channels = ids,
            .channel_count = rows[i].count,
            .probe_interval = rows[i].interval,
            .probe_len = rows[i].len,
        };
        sy_echo *made = NULL;
        cr_expect_eq(sy_echo_new(&config, &made), rows[i].err, "row %zu", i);
        cr_expect_eq(made != NULL, rows[i].err == SY_OK, "row %zu", i);
        sy_echo_del(made);
    }
}

Test(echo, every_failed_allocation_is_survived) {
    test_mem tm;
    test_mem_init(&tm);
    const sy_echo_config config = {
        .mem = &tm.mem,
        .channels = channels,
        .channel_count = 1,
        .probe_interval = 1,
        .probe_len = 64,
    };
    sy_echo *made = NULL;
    cr_assert_eq(sy_echo_new(&config, &made), SY_OK);
    sy_echo_del(made);
    const size_t calls = tm.calls;
    for (size_t k = 1; k <= calls; k++) {
        tm.calls = 0;
        tm.fail_at = k;
        made = NULL;
        cr_expect_eq(sy_echo_new(&config, &made), SY_ERR_NOMEM, "call %zu", k);
        cr_expect_null(made, "call %zu", k);
    }
    test_mem_fini(&tm);
}
