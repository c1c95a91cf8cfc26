/* SPDX-License-Identifier: Apache-2.0 */
/* The client of an ABCI application through its whole life: questions, cancels, streams that open
 * and end, time, answers honest and raw, all from the input.  A question is answered at most once,
 * in the order of asking, never when it was cancelled, and never before the echo; a stream is given
 * up for silence alone, and whoever waits knows until when. */
#include <string.h>

#include "p2p/abci_client.h"
#include "tests/fuzz/support/fuzz.h"

#define QUESTIONS_MAX 255

typedef enum stream_state {
    STREAM_NONE,
    STREAM_OPENING,
    STREAM_OPEN,
} stream_state;

typedef enum question_state {
    QUESTION_OPEN,
    QUESTION_CANCELLED,
    QUESTION_ANSWERED,
} question_state;

typedef struct rig {
    fuzz_world world;
    sy_abci_client client;
    stream_state stream;
    bool is_ready; /* the echo came on this stream */
    sy_time now;
    sy_time heard_at; /* the echo, or the last answer that was told */
    size_t asked;     /* the slot of a question is its number */
    size_t next;      /* no question before this one can be answered any more */
    question_state questions[QUESTIONS_MAX];
    bool had_answer;
} rig;

static sy_question_ref ref_of(size_t slot) {
    const sy_question_kind kind = slot % 3 == 0 ? SY_ASK_ID : SY_ASK_ADDR;
    return (sy_question_ref){(uint32_t)slot, 7, kind};
}

static void ask(rig *r) {
    const sy_node_id id = {.bytes = {1, 2, 3}};
    const sy_endpoint remote = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 1}, .port = 26656};
    if (r->asked == QUESTIONS_MAX) {
        return;
    }
    const sy_question question = {.ref = ref_of(r->asked), .remote = &remote, .id = &id};
    FUZZ_CHECK(sy_abci_client_ask(&r->client, &question) == SY_OK);
    r->questions[r->asked++] = QUESTION_OPEN;
}

static void cancel(rig *r, size_t slot) {
    sy_abci_client_cancel(&r->client, ref_of(slot));
    if (slot < r->asked && r->questions[slot] == QUESTION_OPEN) {
        r->questions[slot] = QUESTION_CANCELLED;
    }
}

static void close_stream(rig *r) {
    if (r->stream != STREAM_NONE) {
        sy_abci_client_on_closed(&r->client, r->now);
        r->stream = STREAM_NONE;
        r->is_ready = false;
    }
}

static void open_stream(rig *r) {
    if (r->stream == STREAM_NONE && sy_abci_client_wants_stream(&r->client, r->now)) {
        sy_abci_client_on_opening(&r->client, r->now);
        r->stream = STREAM_OPENING;
    } else if (r->stream == STREAM_OPENING) {
        sy_abci_client_on_open(&r->client, r->now);
        r->stream = STREAM_OPEN;
    }
}

static void pass_time(rig *r, uint64_t duration) {
    sy_detail detail = {.text = ""};
    r->now = sy_time_after(r->now, duration);
    const sy_time expiry = sy_abci_client_next_expiry(&r->client);
    const sy_err err = sy_abci_client_on_expiry(&r->client, &detail, r->now);
    fuzz_check_detail(&detail);
    if (err != SY_OK) {
        FUZZ_CHECK(r->stream != STREAM_NONE && expiry <= r->now);
        FUZZ_CHECK(err == SY_ERR_NO_VERDICT || err == SY_ERR_CONNECT_TIMEOUT);
        FUZZ_CHECK(detail.text[0] != '\0');
        FUZZ_CHECK(!r->is_ready || r->now >= sy_time_after(r->heard_at, SY_ABCI_STALL));
        close_stream(r);
    } else {
        FUZZ_CHECK(r->stream == STREAM_NONE || expiry > r->now);
    }
    FUZZ_CHECK(r->stream != STREAM_NONE || sy_abci_client_next_expiry(&r->client) != SY_NEVER);
}

static void send_all(rig *r) {
    uint8_t out[2 * SY_ABCI_REQUEST_MAX];
    size_t len;
    if (r->stream != STREAM_OPEN) {
        return;
    }
    do {
        len = SIZE_MAX;
        sy_abci_client_send(&r->client, out, sizeof out, &len, r->now);
        FUZZ_CHECK(len <= sizeof out);
    } while (len > 0);
}

static void take_event(rig *r, const sy_abci_event *event) {
    r->heard_at = r->now;
    if (event->kind == SY_ABCI_EVENT_READY) {
        FUZZ_CHECK(!r->is_ready);
        r->is_ready = true;
        return;
    }
    const size_t slot = event->ref.slot;
    FUZZ_CHECK(r->is_ready && slot >= r->next && slot < r->asked);
    FUZZ_CHECK(event->ref.generation == 7 && event->ref.kind == ref_of(slot).kind);
    FUZZ_CHECK(r->questions[slot] == QUESTION_OPEN);
    FUZZ_CHECK(event->verdict != SY_VERDICT_ADMIT || event->code == 0);
    FUZZ_CHECK(event->verdict != SY_VERDICT_REFUSE || event->code != 0);
    r->questions[slot] = QUESTION_ANSWERED;
    r->next = slot + 1;
    r->had_answer = true;
}

static void receive(rig *r, const uint8_t *data, size_t len) {
    size_t at = 0;
    bool more = r->stream == STREAM_OPEN;
    while (more) {
        sy_abci_event event = {.kind = SY_ABCI_EVENT_NONE};
        sy_detail detail = {.text = ""};
        size_t used = 0;
        uint8_t *exact = fuzz_exact(data + at, len - at);
        const sy_err err =
            sy_abci_client_recv(&r->client, exact, len - at, &used, &event, &detail, r->now);
        fuzz_exact_del(exact);
        fuzz_check_detail(&detail);
        if (err != SY_OK) {
            fuzz_check_err(err, &r->world);
            close_stream(r);
            return;
        }
        FUZZ_CHECK(used <= len - at);
        at += used;
        more = at < len || event.kind != SY_ABCI_EVENT_NONE;
        if (event.kind != SY_ABCI_EVENT_NONE) {
            take_event(r, &event);
        }
    }
}

/* One message that every dialect has, its length as the client's present one writes it. */
static void answer(rig *r, const uint8_t *message, uint8_t len) {
    uint8_t framed[32];
    const bool is_zigzag = sy_abci_client_dialect(&r->client) != SY_ABCI_0_38;
    framed[0] = is_zigzag ? (uint8_t)(2 * len) : len;
    memcpy(framed + 1, message, len);
    receive(r, framed, (size_t)len + 1);
}

static void answer_honestly(rig *r, uint8_t what) {
    static const uint8_t echo[] = {0x12, 12,  0x0a, 10,  's', 'w', 'i',
                                   't',  'c', 'h',  'y', 'a', 'r', 'd'};
    static const uint8_t flush[] = {0x1a, 0};
    static const uint8_t failure[] = {0x0a, 5, 0x0a, 3, 'b', 'a', 'd'};
    const uint8_t verdict[] = {0x3a, 2, 0x08, (uint8_t)(what / 8)};
    switch (what % 8) {
    case 0:
        answer(r, echo, sizeof echo);
        answer(r, flush, sizeof flush);
        return;
    case 1:
        answer(r, failure, sizeof failure);
        return;
    case 2:
        answer(r, flush, sizeof flush);
        return;
    default:
        answer(r, verdict, sizeof verdict);
        answer(r, flush, sizeof flush);
        return;
    }
}

static void step(rig *r, fuzz_in *in) {
    const uint8_t op = fuzz_u8(in);
    const uint8_t low = op & 0x1f;
    switch (op >> 5) {
    case 0:
        ask(r);
        return;
    case 1:
        cancel(r, fuzz_u8(in));
        return;
    case 2:
        pass_time(r, fuzz_duration(in));
        return;
    case 3:
        open_stream(r);
        return;
    case 4:
        send_all(r);
        return;
    case 5:
    case 6:
        answer_honestly(r, op % 64);
        return;
    default:
        if (low == 0) {
            close_stream(r);
        } else {
            const sy_bytes raw = fuzz_take(in, low);
            receive(r, raw.data, raw.len);
        }
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    rig r = {.now = SY_SEC};
    fuzz_world_init(&r.world, &in);
    const uint8_t first = fuzz_u8(&in);
    const sy_abci_dialect dialect =
        first % 2 == 0 ? SY_ABCI_AUTO : (sy_abci_dialect)(first / 2 % 3);
    const sy_err err = sy_abci_client_init(&r.client, dialect, (sy_abci_dialect)(first / 8 % 3),
                                           &r.world.tm.mem, &r.world.conn, first, r.now);
    if (err == SY_OK) {
        while (fuzz_left(&in) > 0) {
            step(&r, &in);
        }
        close_stream(&r);
        sy_abci_client_fini(&r.client);
    } else {
        fuzz_check_err(err, &r.world);
    }
    fuzz_world_fini(&r.world);
    fuzz_count(r.had_answer);
    return 0;
}
