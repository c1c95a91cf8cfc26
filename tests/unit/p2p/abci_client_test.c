/* SPDX-License-Identifier: Apache-2.0 */
/* The conversation with an application, played with a scripted one. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "p2p/abci_client.h"
#include "tests/support/chunk_oracle.h"
#include "tests/support/test_mem.h"

#define START (100 * SY_SEC)

static test_mem memory;
static sy_abci_client client;
static sy_time now;

static void open_client(sy_abci_dialect dialect, sy_abci_dialect first) {
    test_mem_init(&memory);
    now = START;
    cr_assert_eq(sy_abci_client_init(&client, dialect, first, &memory.mem, NULL, 7, now), SY_OK);
}

static void close_client(void) {
    sy_abci_client_fini(&client);
    test_mem_fini(&memory);
}

/* ---- The other side ----------------------------------------------------------------------------
 */

static size_t put_answer(uint8_t *out, sy_abci_dialect dialect, uint8_t number, const void *body,
                         size_t len) {
    sy_wr wr;
    sy_wr_init(&wr, out, 512);
    sy_wr_uvarint(&wr, dialect == SY_ABCI_0_38 ? len + 2 : (len + 2) * 2);
    sy_wr_field_bytes_always(&wr, number, body, len);
    return wr.len;
}

static size_t put_echo(uint8_t *out, sy_abci_dialect dialect) {
    return put_answer(out, dialect, 2, "\x0a\x0aswitchyard", 12);
}

static size_t put_flush(uint8_t *out, sy_abci_dialect dialect) {
    return put_answer(out, dialect, 3, NULL, 0);
}

static size_t put_code(uint8_t *out, sy_abci_dialect dialect, uint8_t code) {
    const uint8_t body[] = {0x08, code, 0x1a, 0x02, 'n', 'o'};
    return put_answer(out, dialect, 7, body, code == 0 ? 0 : sizeof body);
}

/* Feeds all; returns the last event that was one, and the error. */
static sy_err feed(const uint8_t *in, size_t len, sy_abci_event *ret_event) {
    sy_detail detail;
    size_t taken = 0;
    *ret_event = (sy_abci_event){.kind = SY_ABCI_EVENT_NONE};
    for (;;) {
        sy_abci_event event;
        size_t used = 0;
        const sy_err err =
            sy_abci_client_recv(&client, in + taken, len - taken, &used, &event, &detail, now);
        if (err != SY_OK) {
            return err;
        }
        taken += used;
        if (event.kind != SY_ABCI_EVENT_NONE) {
            *ret_event = event;
        } else if (taken == len) {
            return SY_OK;
        }
    }
}

static size_t drain(uint8_t out[2048]) {
    size_t len = 0;
    sy_abci_client_send(&client, out, 2048, &len, now);
    return len;
}

/* Opens the stream, and sends the echo in the dialect that is due. */
static void connect_stream(void) {
    uint8_t out[2048];
    cr_assert(sy_abci_client_wants_stream(&client, now));
    sy_abci_client_on_opening(&client, now);
    cr_assert(!sy_abci_client_wants_stream(&client, now));
    sy_abci_client_on_open(&client, now);
    cr_assert_gt(drain(out), 0);
    cr_assert_eq(drain(out), 0, "the echo goes out once");
}

static void be_ready(sy_abci_dialect dialect) {
    uint8_t in[512];
    sy_abci_event event;
    connect_stream();
    cr_assert_eq(sy_abci_client_dialect(&client), dialect);
    size_t len = put_echo(in, dialect);
    len += put_flush(in + len, dialect);
    cr_assert_eq(feed(in, len, &event), SY_OK);
    cr_assert_eq(event.kind, SY_ABCI_EVENT_READY);
    cr_assert_eq(client.state, SY_ABCI_READY);
}

static void wait_for_attempt(void) {
    const sy_time at = sy_abci_client_next_expiry(&client);
    cr_assert_neq(at, SY_NEVER);
    now = sy_time_max(now, at);
}

/* ---- Questions ---------------------------------------------------------------------------------
 */

static sy_question_ref ref_of(uint32_t number, sy_question_kind kind) {
    return (sy_question_ref){number, number + 1, kind};
}

static void ask_addr(uint32_t number) {
    sy_endpoint remote;
    cr_assert_eq(sy_endpoint_parse_ip("10.0.0.1", 8, &remote), SY_OK);
    remote.port = (uint16_t)number;
    const sy_question question = {.ref = ref_of(number, SY_ASK_ADDR), .remote = &remote};
    cr_assert_eq(sy_abci_client_ask(&client, &question), SY_OK, "%u", number);
}

static bool contains(const uint8_t *data, size_t len, const char *text) {
    const size_t n = strlen(text);
    for (size_t i = 0; i + n <= len; i++) {
        if (memcmp(data + i, text, n) == 0) {
            return true;
        }
    }
    return false;
}

/* SPEC-TEST AB-03 AB-04 AB-06 AB-07 */
Test(abci_client, asks_when_the_echo_came_and_reports_answers) {
    uint8_t out[2048];
    uint8_t in[512];
    sy_abci_event event;
    sy_endpoint remote;
    sy_node_id id;
    open_client(SY_ABCI_AUTO, SY_ABCI_0_38);
    ask_addr(1);
    memset(id.bytes, 0xab, sizeof id.bytes);
    cr_assert_eq(sy_endpoint_parse_ip("2001:db8::1", 11, &remote), SY_OK);
    remote.port = 26656;
    sy_question question = {.ref = ref_of(2, SY_ASK_ID), .remote = &remote, .id = &id};
    cr_assert_eq(sy_abci_client_ask(&client, &question), SY_OK);
    question.ref.kind = SY_ASK_ADDR;
    cr_assert_eq(sy_abci_client_ask(&client, &question), SY_OK);

    be_ready(SY_ABCI_0_38);
    const size_t len = drain(out);
    cr_expect(contains(out, len, "/p2p/filter/addr/10.0.0.1:1\x02\x12"));
    cr_expect(
        contains(out, len, "/p2p/filter/id/abababababababababababababababababababab\x02\x12"));
    cr_expect(contains(out, len, "/p2p/filter/addr/[2001:db8::1]:26656\x02\x12"));
    cr_expect_eq(drain(out), 0);

    cr_assert_eq(feed(in, put_code(in, SY_ABCI_0_38, 0), &event), SY_OK);
    cr_expect_eq(event.verdict, SY_VERDICT_ADMIT);
    cr_expect_eq(event.ref.slot, 1);
    cr_assert_eq(feed(in, put_code(in, SY_ABCI_0_38, 5), &event), SY_OK);
    cr_expect_eq(event.verdict, SY_VERDICT_REFUSE);
    cr_expect_eq(event.ref.slot, 2);
    cr_expect_eq(event.ref.kind, SY_ASK_ID);
    cr_expect_eq(event.code, 5);
    cr_expect_eq(event.text.len, 2);
    cr_assert_eq(feed(in,
                      put_answer(in, SY_ABCI_0_38, 1,
                                 "\x0a\x03"
                                 "bad",
                                 5),
                      &event),
                 SY_OK);
    cr_expect_eq(event.verdict, SY_VERDICT_NONE);
    cr_expect_eq(event.ref.kind, SY_ASK_ADDR);
    cr_expect_eq(client.count, 0);
    close_client();
}

typedef struct wrong_row {
    const char *name;
    uint8_t number;
    const char *body;
    size_t len;
} wrong_row;

/* SPEC-TEST AB-08 */
static const wrong_row wrong[] = {
    {"flush instead of echo", 3, "", 0},
    {"another echo", 2, "\x0a\x0aswitchyarD", 12},
    {"empty echo", 2, "", 0},
    {"exception", 1, "\x0a\x01x", 3},
    {"query", 7, "", 0},
    {"no such answer", 9, "", 0},
};

Test(abci_client, anything_but_the_echo_ends_the_attempt) {
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t in[512];
        sy_abci_event event;
        open_client(SY_ABCI_AUTO, SY_ABCI_0_38);
        connect_stream();
        const size_t len =
            put_answer(in, SY_ABCI_0_38, wrong[i].number, wrong[i].body, wrong[i].len);
        cr_expect_eq(feed(in, len, &event), SY_ERR_PACKET_TYPE, "%s", wrong[i].name);
        sy_abci_client_on_closed(&client, now);
        cr_expect_eq(sy_abci_client_dialect(&client), SY_ABCI_0_34, "%s", wrong[i].name);
        cr_expect(sy_abci_client_wants_stream(&client, now), "%s: at once", wrong[i].name);
        close_client();
    }
}

/* SPEC-TEST AB-08 AB-09: silence is longer each round; what worked is tried first. */
Test(abci_client, dialects_are_tried_in_turn) {
    static const sy_abci_dialect order[] = {SY_ABCI_0_22, SY_ABCI_0_34, SY_ABCI_0_38};
    sy_detail detail;
    open_client(SY_ABCI_AUTO, SY_ABCI_0_22);
    for (size_t round = 0; round < 5; round++) {
        const sy_duration silence = round < 3 ? SY_SEC << round : 8 * SY_SEC;
        for (size_t i = 0; i < 3; i++) {
            connect_stream();
            cr_assert_eq(sy_abci_client_dialect(&client), order[i], "round %zu", round);
            const sy_time from = now;
            wait_for_attempt();
            cr_expect_eq(now - from, silence, "round %zu, %zu", round, i);
            cr_expect_eq(sy_abci_client_on_expiry(&client, &detail, now), SY_ERR_NO_VERDICT);
            sy_abci_client_on_closed(&client, now);
            cr_expect_eq(sy_abci_client_wants_stream(&client, now), i < 2, "round %zu", round);
            wait_for_attempt();
        }
    }
    /* The last of the three works, and is from then on the first. */
    for (size_t i = 0; i < 2; i++) {
        connect_stream();
        sy_abci_client_on_closed(&client, now);
        wait_for_attempt();
    }
    be_ready(SY_ABCI_0_38);
    sy_abci_client_on_closed(&client, now);
    wait_for_attempt();
    connect_stream();
    cr_expect_eq(sy_abci_client_dialect(&client), SY_ABCI_0_38);
    cr_expect_eq(sy_abci_client_next_expiry(&client) - now, SY_ABCI_PROBE_FIRST);
    close_client();
}

Test(abci_client, a_fixed_dialect_stays) {
    sy_detail detail;
    open_client(SY_ABCI_0_34, SY_ABCI_0_38);
    for (size_t i = 0; i < 4; i++) {
        connect_stream();
        cr_assert_eq(sy_abci_client_dialect(&client), SY_ABCI_0_34);
        wait_for_attempt();
        cr_assert_eq(sy_abci_client_on_expiry(&client, &detail, now), SY_ERR_NO_VERDICT);
        sy_abci_client_on_closed(&client, now);
        cr_assert(!sy_abci_client_wants_stream(&client, now));
        wait_for_attempt();
    }
    close_client();
}

/* SPEC-TEST AB-12 */
Test(abci_client, attempts_back_off_to_two_seconds) {
    open_client(SY_ABCI_AUTO, SY_ABCI_0_38);
    sy_detail detail;
    cr_assert(sy_abci_client_wants_stream(&client, now), "the first at once");
    for (size_t i = 0; i < 10; i++) {
        const sy_duration whole = i < 5 ? SY_ABCI_RETRY_FIRST << i : SY_ABCI_RETRY_CAP;
        const sy_duration most = whole < SY_ABCI_RETRY_CAP ? whole : SY_ABCI_RETRY_CAP;
        sy_abci_client_on_opening(&client, now);
        sy_abci_client_on_closed(&client, now);
        const sy_duration wait = sy_abci_client_next_expiry(&client) - now;
        cr_expect(wait >= most / 2 && wait <= most, "attempt %zu waits %llu", i,
                  (unsigned long long)wait);
        wait_for_attempt();
    }
    sy_abci_client_on_opening(&client, now);
    now += SY_ABCI_OPEN_TIMEOUT;
    cr_expect_eq(sy_abci_client_on_expiry(&client, &detail, now), SY_ERR_CONNECT_TIMEOUT);
    close_client();
}

/* SPEC-TEST AB-10 */
Test(abci_client, at_most_64_on_their_way_and_silence_ends_it) {
    uint8_t out[2048];
    uint8_t in[512];
    sy_abci_event event;
    sy_detail detail;
    open_client(SY_ABCI_0_38, SY_ABCI_0_38);
    be_ready(SY_ABCI_0_38);
    for (uint32_t i = 0; i < 100; i++) {
        ask_addr(i);
    }
    while (drain(out) > 0) {
        continue;
    }
    cr_assert_eq(client.sent_count, SY_ABCI_FLIGHT_MAX);
    now += SY_ABCI_STALL - 1;
    cr_expect_eq(sy_abci_client_on_expiry(&client, &detail, now), SY_OK);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(feed(in, put_code(in, SY_ABCI_0_38, 0), &event), SY_OK);
        cr_expect_eq(event.ref.slot, i, "in order");
    }
    now += SY_ABCI_STALL - 1; /* slow, but it does answer */
    cr_expect_eq(sy_abci_client_on_expiry(&client, &detail, now), SY_OK);
    now += 1;
    cr_expect_eq(sy_abci_client_on_expiry(&client, &detail, now), SY_ERR_NO_VERDICT);
    close_client();
}

/* SPEC-TEST AB-14 */
Test(abci_client, at_most_1024_open) {
    sy_endpoint remote = {.port = 1};
    const sy_question question = {.ref = ref_of(5000, SY_ASK_ADDR), .remote = &remote};
    open_client(SY_ABCI_0_38, SY_ABCI_0_38);
    for (uint32_t i = 0; i < SY_ABCI_QUESTIONS_MAX; i++) {
        ask_addr(i);
    }
    cr_expect_eq(sy_abci_client_ask(&client, &question), SY_ERR_LIMIT);
    sy_abci_client_cancel(&client, ref_of(77, SY_ASK_ADDR));
    cr_expect_eq(sy_abci_client_ask(&client, &question), SY_OK);
    cr_expect_eq(sy_abci_client_ask(&client, &question), SY_ERR_LIMIT);
    close_client();
}

/* A cancelled question that was sent keeps its place among the answers; one that was not is gone.
 */
Test(abci_client, cancelled_questions) {
    uint8_t out[2048];
    uint8_t in[512];
    sy_abci_event event;
    open_client(SY_ABCI_0_38, SY_ABCI_0_38);
    be_ready(SY_ABCI_0_38);
    ask_addr(1);
    ask_addr(2);
    (void)drain(out);
    ask_addr(3);
    ask_addr(4);
    sy_abci_client_cancel(&client, ref_of(1, SY_ASK_ADDR));
    sy_abci_client_cancel(&client, ref_of(3, SY_ASK_ADDR));
    sy_abci_client_cancel(&client, ref_of(3, SY_ASK_ADDR));
    sy_abci_client_cancel(&client, ref_of(2, SY_ASK_ID));
    const size_t len = drain(out);
    cr_expect(!contains(out, len, "10.0.0.1:3"));
    cr_expect(contains(out, len, "10.0.0.1:4"));
    cr_assert_eq(feed(in, put_code(in, SY_ABCI_0_38, 9), &event), SY_OK);
    cr_expect_eq(event.kind, SY_ABCI_EVENT_NONE, "nobody asks any more");
    cr_assert_eq(feed(in, put_code(in, SY_ABCI_0_38, 9), &event), SY_OK);
    cr_expect_eq(event.ref.slot, 2);
    cr_assert_eq(feed(in, put_code(in, SY_ABCI_0_38, 0), &event), SY_OK);
    cr_expect_eq(event.ref.slot, 4);
    cr_expect_eq(feed(in, put_code(in, SY_ABCI_0_38, 0), &event), SY_ERR_PACKET_TYPE);
    close_client();
}

/* SPEC-TEST AB-11 */
Test(abci_client, open_questions_are_asked_again) {
    uint8_t out[2048];
    open_client(SY_ABCI_0_38, SY_ABCI_0_38);
    be_ready(SY_ABCI_0_38);
    ask_addr(1);
    ask_addr(2);
    ask_addr(3);
    (void)drain(out);
    sy_abci_client_cancel(&client, ref_of(2, SY_ASK_ADDR));
    for (size_t i = 0; i < 2; i++) {
        sy_abci_client_on_closed(&client, now);
        wait_for_attempt();
        be_ready(SY_ABCI_0_38);
        const size_t len = drain(out);
        cr_expect_eq(contains(out, len, "10.0.0.1:1"), i == 0, "twice it fell at this one");
        cr_expect(!contains(out, len, "10.0.0.1:2"));
        cr_expect(contains(out, len, "10.0.0.1:3"));
    }
    close_client();
}

/* What is unasked is never answered: an answer without a question ends the stream. */
Test(abci_client, unasked_answers) {
    static const uint8_t numbers[] = {1, 2, 5, 7};
    for (size_t i = 0; i < sizeof numbers; i++) {
        uint8_t in[512];
        sy_abci_event event;
        open_client(SY_ABCI_0_22, SY_ABCI_0_22);
        be_ready(SY_ABCI_0_22);
        const bool has_text = numbers[i] <= 2;
        const size_t len = put_answer(in, SY_ABCI_0_22, numbers[i], "\x0a\x01x", has_text ? 3 : 0);
        cr_expect_eq(feed(in, len, &event), SY_ERR_PACKET_TYPE, "%u", numbers[i]);
        close_client();
    }
}

/* ---- Chunks and memory -------------------------------------------------------------------------
 */

static void run_chunks(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                       chunk_trace *trace) {
    uint8_t out[2048];
    size_t from = 0;
    (void)user;
    open_client(SY_ABCI_0_34, SY_ABCI_0_34);
    connect_stream();
    for (uint32_t i = 0; i < 4; i++) {
        ask_addr(i);
    }
    client.state = SY_ABCI_READY; /* the questions are out before the first answer */
    (void)drain(out);
    client.state = SY_ABCI_PROBING;
    for (size_t i = 0; i < cut_count; i++) {
        sy_err err = SY_OK;
        while (err == SY_OK) {
            sy_abci_event event;
            sy_detail detail;
            size_t used = 0;
            err = sy_abci_client_recv(&client, data + from, cut[i] - from, &used, &event, &detail,
                                      now);
            from += err == SY_OK ? used : 0;
            if (err == SY_OK && event.kind == SY_ABCI_EVENT_NONE && from == cut[i]) {
                break;
            }
            if (err == SY_OK && event.kind != SY_ABCI_EVENT_NONE) {
                chunk_trace_add(trace, "%d %u %d %u %.*s;", event.kind, event.ref.slot,
                                event.verdict, event.code, (int)event.text.len,
                                event.text.len > 0 ? (const char *)event.text.data : "");
            }
        }
        if (err != SY_OK) {
            chunk_trace_add(trace, "%s", sy_err_name(err));
            break;
        }
    }
    close_client();
}

Test(abci_client, chunks) {
    uint8_t in[512];
    size_t len = put_echo(in, SY_ABCI_0_34);
    len += put_flush(in + len, SY_ABCI_0_34);
    len += put_code(in + len, SY_ABCI_0_34, 0);
    len += put_flush(in + len, SY_ABCI_0_34);
    len += put_code(in + len, SY_ABCI_0_34, 3);
    len += put_answer(in + len, SY_ABCI_0_34, 1, "\x0a\x01x", 3);
    len += put_code(in + len, SY_ABCI_0_34, 4);
    len += put_code(in + len, SY_ABCI_0_34, 0); /* to no question */
    const char *difference = chunk_oracle(run_chunks, NULL, in, len, 200, 3);
    cr_expect_null(difference, "%s", difference);
}

Test(abci_client, out_of_memory) {
    uint8_t in[512];
    sy_abci_event event;
    test_mem_init(&memory);
    memory.fail_at = 1;
    cr_expect_eq(sy_abci_client_init(&client, SY_ABCI_AUTO, SY_ABCI_0_38, &memory.mem, NULL, 7, 0),
                 SY_ERR_NOMEM);
    test_mem_fini(&memory);

    open_client(SY_ABCI_AUTO, SY_ABCI_0_38);
    connect_stream();
    memory.fail_at = memory.calls + 1;
    cr_expect_eq(feed(in, put_echo(in, SY_ABCI_0_38), &event), SY_ERR_NOMEM);
    sy_abci_client_on_closed(&client, now);
    close_client();
}

static double time_to_feed(const uint8_t *in, size_t len, size_t piece) {
    sy_abci_event event;
    const clock_t began = clock();
    for (size_t round = 0; round < 40; round++) {
        for (size_t at = 0; at < len; at += piece) {
            cr_assert_eq(feed(in + at, len - at < piece ? len - at : piece, &event), SY_OK);
        }
    }
    return (double)(clock() - began) / CLOCKS_PER_SEC;
}

/* A message costs what its bytes cost, not more with every one that waits behind it: an application
 * that floods us must not hold the loop. */
Test(abci_client, messages_that_come_at_once_cost_no_more) {
    uint8_t *in = malloc(SY_ABCI_RESPONSE_MAX);
    cr_assert_not_null(in);
    size_t len = 0;
    while (len + 8 <= SY_ABCI_RESPONSE_MAX) {
        len += put_flush(in + len, SY_ABCI_0_38);
    }
    open_client(SY_ABCI_0_38, SY_ABCI_0_38);
    be_ready(SY_ABCI_0_38);
    const double in_pieces = time_to_feed(in, len, 48);
    const double at_once = time_to_feed(in, len, len);
    cr_expect_lt(at_once, 2 * in_pieces, "%.3f s at once, %.3f s in pieces", at_once, in_pieces);
    cr_expect_eq(client.in.cap, 0, "nothing is kept");
    close_client();
    free(in);
}
