/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: `deadline` is that of the state (attempt, opening, echo); in READY the oldest question on
 * its way has one of its own (SY_ABCI_STALL).
 *
 * SPEC AB-07 AB-08 AB-09 AB-10 AB-11 AB-12 */
#include "p2p/abci_client.h"

#include <string.h>

#include <switchyard/assert.h>

#define IN_MAX     ((size_t)SY_ABCI_RESPONSE_MAX + SY_ABCI_PREFIX_MAX)

#define BIT(state) (1u << (unsigned)(state))

static const unsigned successors[] = {
    [SY_ABCI_WAITING] = BIT(SY_ABCI_OPENING),
    [SY_ABCI_OPENING] = BIT(SY_ABCI_PROBING) | BIT(SY_ABCI_WAITING),
    [SY_ABCI_PROBING] = BIT(SY_ABCI_READY) | BIT(SY_ABCI_WAITING),
    [SY_ABCI_READY] = BIT(SY_ABCI_WAITING),
};

static void set_state(sy_abci_client *client, sy_abci_state next) {
    SY_ASSERT((successors[client->state] & BIT(next)) != 0);
    client->state = next;
}

/* ---- Dialects ----------------------------------------------------------------------------------
 */

/* The neighbours of the first in the order of their age: 0.22 0.34 0.38, or 0.38 0.34 0.22. */
static void set_order(sy_abci_client *client, sy_abci_dialect first) {
    size_t count = 0;
    client->order[count++] = first;
    for (size_t i = 0; i < SY_ABCI_DIALECT_COUNT; i++) {
        const size_t next = first == SY_ABCI_0_22 ? i : SY_ABCI_DIALECT_COUNT - 1 - i;
        if (next != (size_t)first) {
            client->order[count++] = (sy_abci_dialect)next;
        }
    }
    client->order_count = count;
}

/* SPEC AB-09 */
static sy_duration probe_timeout_of(const sy_abci_client *client) {
    /* What was proven once gets the time; the others are tried in case that it was replaced. */
    return client->is_known && client->at > 0 ? SY_ABCI_PROBE_FIRST : client->probe_timeout;
}

/* The dialect was not proven; true when all have been tried. */
static bool next_dialect(sy_abci_client *client) {
    client->at = (client->at + 1) % client->order_count;
    if (client->at != 0) {
        return false;
    }
    const sy_duration doubled = client->probe_timeout * 2;
    client->probe_timeout = doubled < SY_ABCI_PROBE_CAP ? doubled : SY_ABCI_PROBE_CAP;
    return true;
}

static void prove_dialect(sy_abci_client *client) {
    const sy_abci_dialect proven = client->order[client->at];
    if (client->order_count > 1) {
        set_order(client, proven);
    }
    client->at = 0;
    client->is_known = true;
    client->probe_timeout = SY_ABCI_PROBE_FIRST;
}

sy_abci_dialect sy_abci_client_dialect(const sy_abci_client *client) {
    return client->order[client->at];
}

/* ---- Lifecycle ---------------------------------------------------------------------------------
 */

sy_err sy_abci_client_init(sy_abci_client *client, sy_abci_dialect dialect, sy_abci_dialect first,
                           const sy_mem *mem, sy_budget *budget, uint64_t seed, sy_time now) {
    SY_REQUIRE((size_t)first < SY_ABCI_DIALECT_COUNT);
    sy_abci_entry *entries = sy_mem_zalloc_array(mem, SY_ABCI_QUESTIONS_MAX, sizeof *entries);
    if (entries == NULL) {
        return SY_ERR_NOMEM;
    }
    *client = (sy_abci_client){
        .mem = mem,
        .state = SY_ABCI_WAITING,
        .probe_timeout = SY_ABCI_PROBE_FIRST,
        .deadline = now,
        .entries = entries,
    };
    if (dialect == SY_ABCI_AUTO) {
        set_order(client, first);
    } else {
        client->order[0] = dialect;
        client->order_count = 1;
    }
    sy_buf_init(&client->in, mem, budget, IN_MAX);
    sy_backoff_init(&client->backoff, SY_ABCI_RETRY_FIRST, SY_ABCI_RETRY_CAP);
    sy_prng_init(&client->prng, seed);
    return SY_OK;
}

void sy_abci_client_fini(sy_abci_client *client) {
    sy_buf_fini(&client->in);
    sy_mem_release(client->mem, client->entries);
    client->entries = NULL;
}

/* ---- Questions ---------------------------------------------------------------------------------
 */

static bool same_ref(sy_question_ref a, sy_question_ref b) {
    return a.slot == b.slot && a.generation == b.generation && a.kind == b.kind;
}

static void remove_entry(sy_abci_client *client, size_t index) {
    SY_ASSERT(index < client->count);
    memmove(client->entries + index, client->entries + index + 1,
            (client->count - index - 1) * sizeof *client->entries);
    client->count--;
    if (index < client->sent_count) {
        client->sent_count--;
    }
}

sy_err sy_abci_client_ask(sy_abci_client *client, const sy_question *question) {
    if (client->count == SY_ABCI_QUESTIONS_MAX) {
        return SY_ERR_LIMIT;
    }
    SY_REQUIRE(question->ref.kind == SY_ASK_ADDR || question->id != NULL);
    sy_abci_entry *entry = &client->entries[client->count++];
    *entry = (sy_abci_entry){.ref = question->ref, .remote = *question->remote};
    if (question->id != NULL) {
        entry->id = *question->id;
    }
    return SY_OK;
}

void sy_abci_client_cancel(sy_abci_client *client, sy_question_ref ref) {
    for (size_t i = 0; i < client->count; i++) {
        if (!client->entries[i].cancelled && same_ref(client->entries[i].ref, ref)) {
            if (i < client->sent_count) {
                client->entries[i].cancelled = true; /* its answer still comes in its turn */
            } else {
                remove_entry(client, i);
            }
            return;
        }
    }
}

/* SPEC AB-11: what was on its way is open again; what interests nobody any more is gone, and so is
 * a question at which the application has fallen twice: nobody else would get an answer. */
static void take_back_questions(sy_abci_client *client) {
    size_t kept = 0;
    if (client->sent_count > 0) {
        client->entries[0].losses++;
    }
    for (size_t i = 0; i < client->count; i++) {
        if (!client->entries[i].cancelled && client->entries[i].losses < SY_ABCI_LOSSES_MAX) {
            client->entries[kept++] = client->entries[i];
        }
    }
    client->count = kept;
    client->sent_count = 0;
}

/* ---- The stream --------------------------------------------------------------------------------
 */

bool sy_abci_client_wants_stream(const sy_abci_client *client, sy_time now) {
    return client->state == SY_ABCI_WAITING && now >= client->deadline;
}

void sy_abci_client_on_opening(sy_abci_client *client, sy_time now) {
    set_state(client, SY_ABCI_OPENING);
    client->deadline = sy_time_after(now, SY_ABCI_OPEN_TIMEOUT);
}

void sy_abci_client_on_open(sy_abci_client *client, sy_time now) {
    set_state(client, SY_ABCI_PROBING);
    client->echo_sent = false;
    client->deadline = sy_time_after(now, probe_timeout_of(client));
}

void sy_abci_client_on_closed(sy_abci_client *client, sy_time now) {
    sy_duration wait = 0;
    if (client->state == SY_ABCI_READY) {
        wait = sy_backoff_on_down(&client->backoff, &client->prng, now);
    } else if (client->state == SY_ABCI_OPENING || next_dialect(client)) {
        wait = sy_backoff_fail(&client->backoff, &client->prng);
    }
    set_state(client, SY_ABCI_WAITING);
    client->deadline = sy_time_after(now, wait);
    client->in_done = 0;
    sy_buf_drop(&client->in);
    take_back_questions(client);
}

/* ---- Receiving ---------------------------------------------------------------------------------
 */

static sy_err fail_with(sy_err err, sy_detail *detail, const char *what, sy_bytes text) {
    sy_detail_set(detail, "%s", what);
    if (text.len > 0) {
        sy_detail_add(detail, ": ");
        sy_detail_quote(detail, text.data, text.len);
    }
    return err;
}

/* SPEC AB-08 */
static sy_err on_probe_answer(sy_abci_client *client, const sy_abci_answer *answer,
                              sy_abci_event *event, sy_detail *detail, sy_time now) {
    const size_t len = strlen(SY_ABCI_ECHO_TEXT);
    if (answer->kind != SY_ABCI_ECHO || answer->text.len != len ||
        memcmp(answer->text.data, SY_ABCI_ECHO_TEXT, len) != 0) {
        sy_detail_set(detail, "no echo in dialect %s",
                      sy_abci_dialect_name(sy_abci_client_dialect(client)));
        return SY_ERR_PACKET_TYPE;
    }
    prove_dialect(client);
    set_state(client, SY_ABCI_READY);
    client->deadline = SY_NEVER;
    sy_backoff_on_up(&client->backoff, now);
    event->kind = SY_ABCI_EVENT_READY;
    return SY_OK;
}

/* SPEC AB-06 AB-10 */
static sy_err on_answer(sy_abci_client *client, const sy_abci_answer *answer, sy_abci_event *event,
                        sy_detail *detail, sy_time now) {
    if (answer->kind == SY_ABCI_FLUSH) {
        return SY_OK;
    }
    if (answer->kind == SY_ABCI_EXCEPTION && client->sent_count == 0) {
        return fail_with(SY_ERR_PACKET_TYPE, detail, "the application failed", answer->text);
    }
    if ((answer->kind != SY_ABCI_QUERY && answer->kind != SY_ABCI_EXCEPTION) ||
        client->sent_count == 0) {
        return fail_with(SY_ERR_PACKET_TYPE, detail, "an answer to no question",
                         (sy_bytes){NULL, 0});
    }
    const sy_abci_entry head = client->entries[0];
    client->answered_at = now;
    remove_entry(client, 0);
    if (head.cancelled) {
        return SY_OK;
    }
    *event = (sy_abci_event){
        .kind = SY_ABCI_EVENT_ANSWER,
        .ref = head.ref,
        .verdict = answer->kind == SY_ABCI_EXCEPTION ? SY_VERDICT_NONE
                   : answer->code == 0               ? SY_VERDICT_ADMIT
                                                     : SY_VERDICT_REFUSE,
        .code = answer->code,
        .text = answer->text,
    };
    return SY_OK;
}

/* Once per call: moved behind each message, what waits would cost its length every time. */
static void drop_done(sy_abci_client *client) {
    sy_buf_consume(&client->in, client->in_done);
    client->in_done = 0;
    if (client->in.len == 0) {
        sy_buf_drop(&client->in);
    }
}

/* One message of the buffer; false when none is complete. */
static bool next_message(sy_abci_client *client, sy_abci_event *event, sy_detail *detail,
                         sy_err *ret_err, sy_time now) {
    sy_abci_answer answer = {.kind = SY_ABCI_OTHER};
    size_t used = 0;
    if (client->in.len == client->in_done) {
        return false;
    }
    const sy_abci_dialect dialect = sy_abci_client_dialect(client);
    *ret_err = sy_abci_read(dialect, client->in.data + client->in_done,
                            client->in.len - client->in_done, &answer, &used);
    if (*ret_err != SY_OK) {
        sy_detail_set(detail, "an answer that is none in dialect %s",
                      sy_abci_dialect_name(dialect));
        return false;
    }
    if (used == 0) {
        return false;
    }
    client->in_done += used;
    *ret_err = client->state == SY_ABCI_PROBING
                   ? on_probe_answer(client, &answer, event, detail, now)
                   : on_answer(client, &answer, event, detail, now);
    return *ret_err == SY_OK;
}

sy_err sy_abci_client_recv(sy_abci_client *client, const uint8_t *in, size_t in_len,
                           size_t *ret_consumed, sy_abci_event *ret_event, sy_detail *detail,
                           sy_time now) {
    SY_REQUIRE(client->state == SY_ABCI_PROBING || client->state == SY_ABCI_READY);
    drop_done(client);
    const size_t room = IN_MAX - client->in.len;
    const size_t taken = in_len < room ? in_len : room;
    sy_abci_event event = {.kind = SY_ABCI_EVENT_NONE};
    sy_err err = taken == 0 ? SY_OK : sy_buf_append(&client->in, in, taken);
    if (err != SY_OK) {
        return err;
    }
    while (event.kind == SY_ABCI_EVENT_NONE && next_message(client, &event, detail, &err, now)) {
        continue;
    }
    if (err != SY_OK) {
        return err;
    }
    if (event.kind == SY_ABCI_EVENT_NONE) {
        drop_done(client);
    }
    *ret_consumed = taken;
    *ret_event = event;
    return SY_OK;
}

/* ---- Sending -----------------------------------------------------------------------------------
 */

static size_t format_path(const sy_abci_entry *entry, char path[SY_ABCI_PATH_MAX]) {
    static const char addr[] = "/p2p/filter/addr/";
    static const char id[] = "/p2p/filter/id/";
    _Static_assert(sizeof addr + SY_ENDPOINT_TEXT_CAP <= SY_ABCI_PATH_MAX, "an address fits");
    _Static_assert(sizeof id + SY_NODE_ID_TEXT_CAP <= SY_ABCI_PATH_MAX, "an ID fits");
    switch (entry->ref.kind) {
    case SY_ASK_ADDR:
        memcpy(path, addr, sizeof addr);
        return sizeof addr - 1 + sy_endpoint_format(&entry->remote, path + sizeof addr - 1);
    case SY_ASK_ID:
        memcpy(path, id, sizeof id);
        sy_node_id_format(&entry->id, path + sizeof id - 1);
        return sizeof id - 1 + SY_NODE_ID_TEXT_LEN;
    }
    SY_UNREACHABLE();
}

void sy_abci_client_send(sy_abci_client *client, uint8_t *out, size_t out_cap, size_t *ret_len,
                         sy_time now) {
    const sy_abci_dialect dialect = sy_abci_client_dialect(client);
    sy_wr wr;
    SY_REQUIRE(out_cap >= (size_t)2 * SY_ABCI_REQUEST_MAX);
    sy_wr_init(&wr, out, out_cap);
    if (client->state == SY_ABCI_PROBING && !client->echo_sent) {
        client->echo_sent = true;
        sy_abci_write_echo(&wr, dialect);
        sy_abci_write_flush(&wr, dialect);
    }
    while (client->state == SY_ABCI_READY && client->sent_count < client->count &&
           client->sent_count < SY_ABCI_FLIGHT_MAX && out_cap - wr.len >= SY_ABCI_REQUEST_MAX) {
        char path[SY_ABCI_PATH_MAX];
        sy_abci_entry *entry = &client->entries[client->sent_count++];
        const size_t len = format_path(entry, path);
        entry->sent_at = now;
        sy_abci_write_query(&wr, dialect, path, len);
        sy_abci_write_flush(&wr, dialect);
    }
    SY_ASSERT(wr.len <= out_cap);
    *ret_len = wr.len;
}

/* ---- Time --------------------------------------------------------------------------------------
 */

sy_time sy_abci_client_next_expiry(const sy_abci_client *client) {
    if (client->state == SY_ABCI_READY && client->sent_count > 0) {
        /* A slow application is none that hangs: each answer begins the time anew. */
        return sy_time_after(sy_time_max(client->entries[0].sent_at, client->answered_at),
                             SY_ABCI_STALL);
    }
    return client->deadline;
}

sy_err sy_abci_client_on_expiry(sy_abci_client *client, sy_detail *detail, sy_time now) {
    if (client->state == SY_ABCI_WAITING || now < sy_abci_client_next_expiry(client)) {
        return SY_OK;
    }
    switch (client->state) {
    case SY_ABCI_WAITING:
        return SY_OK;
    case SY_ABCI_OPENING:
        sy_detail_set(detail, "no connection after %llu ms",
                      (unsigned long long)(SY_ABCI_OPEN_TIMEOUT / SY_MSEC));
        return SY_ERR_CONNECT_TIMEOUT;
    case SY_ABCI_PROBING:
        sy_detail_set(detail, "no answer to an echo in dialect %s within %llu ms",
                      sy_abci_dialect_name(sy_abci_client_dialect(client)),
                      (unsigned long long)(probe_timeout_of(client) / SY_MSEC));
        return SY_ERR_NO_VERDICT;
    case SY_ABCI_READY:
        sy_detail_set(detail, "no answer to any question for %llu ms",
                      (unsigned long long)(SY_ABCI_STALL / SY_MSEC));
        return SY_ERR_NO_VERDICT;
    }
    SY_UNREACHABLE();
}
