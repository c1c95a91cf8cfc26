/* SPDX-License-Identifier: Apache-2.0 */
/* What an application says: the first byte picks the dialect and how many questions are open, the
 * rest is its stream.  A complete message is none with a byte less; whole and byte by byte the
 * client tells the same; consent is an answer to a question, with code 0, behind the echo. */
#include <string.h>

#include "p2p/abci_client.h"
#include "tests/fuzz/support/fuzz.h"

#define QUESTIONS 4

typedef struct told {
    sy_err err;
    bool is_ready;
    size_t count;
    sy_abci_event events[QUESTIONS];
} told;

static void check_decoder(sy_abci_dialect dialect, const uint8_t *data, size_t len) {
    uint8_t *exact = fuzz_exact(data, len);
    sy_abci_answer answer = {.kind = SY_ABCI_OTHER};
    size_t used = 0;
    const sy_err err = sy_abci_read(dialect, exact, len, &answer, &used);
    FUZZ_CHECK(err != SY_OK || used <= len);
    if (err == SY_OK && used > 0) {
        size_t less = 0;
        uint8_t *cut = fuzz_exact(data, used - 1);
        FUZZ_CHECK(used <= SY_ABCI_PREFIX_MAX + SY_ABCI_RESPONSE_MAX);
        FUZZ_CHECK(answer.text.len == 0 || (answer.text.data > exact &&
                                            answer.text.data + answer.text.len <= exact + used));
        FUZZ_CHECK(sy_abci_read(dialect, cut, used - 1, &answer, &less) == SY_OK && less == 0);
        fuzz_exact_del(cut);
    }
    fuzz_exact_del(exact);
    fuzz_count(err == SY_OK && used > 0);
}

static void note(told *t, const sy_abci_event *event) {
    if (event->kind == SY_ABCI_EVENT_READY) {
        FUZZ_CHECK(!t->is_ready && t->count == 0);
        t->is_ready = true;
        return;
    }
    FUZZ_CHECK(t->is_ready && t->count < QUESTIONS);
    FUZZ_CHECK(event->ref.slot == t->count);
    FUZZ_CHECK((event->verdict == SY_VERDICT_ADMIT) <= (event->code == 0));
    FUZZ_CHECK(event->verdict != SY_VERDICT_REFUSE || event->code != 0);
    FUZZ_CHECK(event->verdict != SY_VERDICT_PENDING);
    t->events[t->count++] = *event;
}

/* Everything that can be sent is on its way. */
static void send_all(sy_abci_client *client) {
    uint8_t out[8 * SY_ABCI_REQUEST_MAX];
    size_t len = 0;
    do {
        sy_abci_client_send(client, out, sizeof out, &len, SY_SEC);
    } while (len > 0);
}

static told run(sy_abci_dialect dialect, size_t questions, const uint8_t *data, size_t len,
                size_t piece) {
    sy_abci_client client;
    test_mem tm;
    told t = {.err = SY_OK};
    sy_endpoint remote = {.port = 1};
    size_t at = 0;
    test_mem_init(&tm);
    FUZZ_CHECK(sy_abci_client_init(&client, dialect, dialect, &tm.mem, NULL, 1, SY_SEC) == SY_OK);
    for (size_t i = 0; i < questions; i++) {
        const sy_question q = {.ref = {(uint32_t)i, 1, SY_ASK_ADDR}, .remote = &remote};
        FUZZ_CHECK(sy_abci_client_ask(&client, &q) == SY_OK);
    }
    sy_abci_client_on_opening(&client, SY_SEC);
    sy_abci_client_on_open(&client, SY_SEC);
    send_all(&client);
    for (bool more = true; t.err == SY_OK && more;) {
        sy_abci_event event;
        sy_detail detail = {.text = ""};
        size_t used = 0;
        const size_t given = len - at < piece ? len - at : piece;
        uint8_t *exact = fuzz_exact(data + at, given);
        t.err = sy_abci_client_recv(&client, exact, given, &used, &event, &detail, SY_SEC);
        if (t.err == SY_OK) {
            at += used;
            more = at < len || event.kind != SY_ABCI_EVENT_NONE;
            if (event.kind != SY_ABCI_EVENT_NONE) {
                note(&t, &event);
                event.text.data = NULL; /* borrowed */
                send_all(&client);
            }
        }
        fuzz_check_detail(&detail);
        fuzz_exact_del(exact);
    }
    sy_abci_client_on_closed(&client, SY_SEC);
    sy_abci_client_fini(&client);
    test_mem_fini(&tm);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    const uint8_t first = fuzz_u8(&in);
    const sy_abci_dialect dialect = (sy_abci_dialect)(first % SY_ABCI_DIALECT_COUNT);
    const size_t questions = first / SY_ABCI_DIALECT_COUNT % (QUESTIONS + 1);
    const size_t len = fuzz_left(&in);

    check_decoder(dialect, in.pos, len);
    const told whole = run(dialect, questions, in.pos, len, SIZE_MAX);
    const told bytes = run(dialect, questions, in.pos, len, 1);
    FUZZ_CHECK(whole.count <= questions);
    FUZZ_CHECK(whole.err == bytes.err && whole.is_ready == bytes.is_ready &&
               whole.count == bytes.count);
    for (size_t i = 0; i < whole.count; i++) {
        FUZZ_CHECK(whole.events[i].verdict == bytes.events[i].verdict &&
                   whole.events[i].code == bytes.events[i].code &&
                   whole.events[i].text.len == bytes.events[i].text.len);
    }
    return 0;
}
