/* SPDX-License-Identifier: Apache-2.0 */
/* The session of the stream profiles.
 *
 *   us                                 them
 *   transport handshake  <---------->  (sealed transports only; proves their ID)
 *   length, NodeInfo     ----------->
 *                        <-----------  length, NodeInfo     (either may come first)
 *   packets              <---------->  packets
 *
 * | state           | next           | recv does                         | reports                |
 * | --------------- | -------------- | --------------------------------- | ---------------------- |
 * | AWAIT_PROOF     | AWAIT_INFO     | handshake                         | IDENTITY, proven       |
 * | AWAIT_INFO      | HAVE_INFO      | collects NodeInfo                 |                        |
 * | HAVE_INFO       | AWAIT_ACCEPT   | takes nothing                     | IDENTITY unless before |
 * |                 |                |                                   | (declared), then INFO  |
 * | AWAIT_ACCEPT    | OPEN           | takes nothing                     |                        |
 * | OPEN            |                | packets                           | MESSAGE                |
 * | FAILED          |                | returns the error; from any state |                        |
 *
 * Plaintext that cannot be processed yet (behind NodeInfo until accept; beyond the receive rate or
 * a full batch) is `rest`.  While there is some, no input is taken, and one byte of the input that
 * brought it is left unconsumed: what the caller sees consumed has been processed, so it keeps the
 * connection's end apart until the rest is through.  Deadlines of the handshake are the caller's;
 * the timers of OPEN are the multiplexer's. */
#include "p2p/session_stream.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/buf.h"
#include "base/mutant.h"
#include "base/wipe.h"
#include "base/wr.h"
#include "p2p/profile_recognize.h"
#include "p2p/session_internal.h"

/* Bytes offered to the transport at once.  Before OPEN one frame, so that the plaintext kept behind
 * a NodeInfo is less than a frame; afterwards a batch. */
#define HANDSHAKE_STEP SY_SEALED_LEN
#define OPEN_STEP      (SY_OPEN_BATCH * SY_SEALED_LEN)

/* A NodeInfo and what came with its end; or the rest of a batch. */
#define KEPT_MAX OPEN_STEP
_Static_assert(SY_NODE_INFO_LEN_MAX + 2 + HANDSHAKE_STEP <= KEPT_MAX, "a NodeInfo fits");

/* The longest length prefix of a NodeInfo that we send. */
#define INFO_PREFIX_MAX 2
_Static_assert(SY_NODE_INFO_LEN_MAX < 1 << 14, "fits in two bytes of uvarint");
_Static_assert(SY_NODE_INFO_LEN_MAX + INFO_PREFIX_MAX <=
                   SY_SESSION_SEND_MIN / SY_SEALED_LEN * SY_FRAME_DATA_MAX,
               "one call");
_Static_assert(SY_SESSION_SEND_MIN <= SY_SCRATCH_WIRE_OUT_CAP, "one batch");

typedef enum state {
    STATE_AWAIT_PROOF,
    STATE_AWAIT_INFO,
    STATE_HAVE_INFO,
    STATE_AWAIT_ACCEPT,
    STATE_OPEN,
    STATE_FAILED,
    STATE_COUNT,
} state;

#define TO(s) (1u << (s))
static const uint8_t allowed_next[STATE_COUNT] = {
    [STATE_AWAIT_PROOF] = TO(STATE_AWAIT_INFO) | TO(STATE_FAILED),
    [STATE_AWAIT_INFO] = TO(STATE_HAVE_INFO) | TO(STATE_FAILED),
    [STATE_HAVE_INFO] = TO(STATE_AWAIT_ACCEPT) | TO(STATE_FAILED),
    [STATE_AWAIT_ACCEPT] = TO(STATE_OPEN) | TO(STATE_FAILED),
    [STATE_OPEN] = TO(STATE_FAILED),
    [STATE_FAILED] = 0,
};

typedef struct stream_session {
    sy_session base;
    sy_transport transport;
    sy_mux_config mux_config;
    const sy_node_info *ours; /* borrowed */
    sy_node_info *theirs;     /* owned; NULL before HAVE_INFO */
    sy_mux *mux;              /* owned; NULL before OPEN */
    sy_buf kept;              /* partial NodeInfo, later what rest points into */
    sy_bytes rest;            /* into kept, or the loop's plaintext within one run of messages */
    uint8_t state;            /* enum state */
    bool heard;               /* bytes were taken in an earlier call */
    bool identified;          /* IDENTITY was reported */
    bool info_sent;
    bool withheld;    /* the first byte offered next was processed before */
    sy_err err;       /* in FAILED: why */
    sy_err mux_err;   /* reported when the messages before it are delivered */
    sy_detail detail; /* of err or mux_err */
} stream_session;

/* One call of recv. */
typedef struct recv_run {
    const uint8_t *in;
    size_t in_len;
    size_t consumed;
    bool progress; /* of the last step */
    sy_session_event event;
    sy_time now;
} recv_run;

static stream_session *of(sy_session *session) {
    return (stream_session *)session;
}

static const stream_session *of_const(const sy_session *session) {
    return (const stream_session *)session;
}

static void set_state(stream_session *s, state next) {
    SY_ASSERT((allowed_next[s->state] & TO(next)) != 0);
    s->state = (uint8_t)next;
}

static sy_err fail(stream_session *s, sy_err err) {
    SY_ASSERT(err != SY_OK);
    set_state(s, STATE_FAILED);
    s->err = err;
    return err;
}

/* ------------------------------------------------------------------ life */

sy_err sy_stream_session_new(const sy_profile *profile, const sy_stream_wire *wire,
                             const sy_session_config *config, sy_session **ret_session) {
    sy_err err = sy_budget_reserve(config->budget, sizeof(stream_session));
    if (err != SY_OK) {
        return err;
    }
    stream_session *s = sy_mem_zalloc(config->mem, sizeof *s);
    if (s == NULL) {
        sy_budget_release(config->budget, sizeof *s);
        return SY_ERR_NOMEM;
    }
    s->base.profile = profile;
    s->transport = (sy_transport){.ops = wire->transport, .scratch = config->scratch};
    s->mux_config = (sy_mux_config){
        .mem = config->mem,
        .budget = config->budget,
        .channels = config->channels,
        .codec = wire->packets,
        .ping_interval_ns = config->ping_interval_ns,
        .pong_timeout_ns = config->pong_timeout_ns,
        .send_rate = config->send_rate,
        .recv_rate = config->recv_rate,
        .batch = config->mux_batch,
    };
    s->ours = config->ours;
    s->state = wire->transport->proves_id ? STATE_AWAIT_PROOF : STATE_AWAIT_INFO;
    sy_buf_init(&s->kept, config->mem, config->budget, KEPT_MAX);
    err = wire->transport->init(&s->transport, config);
    if (err != SY_OK) {
        sy_mem_release(config->mem, s);
        sy_budget_release(config->budget, sizeof *s);
        return err;
    }
    *ret_session = &s->base;
    return SY_OK;
}

void sy_stream_session_del(sy_session *session) {
    stream_session *s = of(session);
    const sy_mem *mem = s->mux_config.mem;
    sy_budget *budget = s->mux_config.budget;
    sy_mux_del(s->mux);
    if (s->theirs != NULL) {
        sy_node_info_del(mem, budget, s->theirs);
    }
    if (s->kept.data != NULL) {
        sy_wipe(s->kept.data, s->kept.cap);
    }
    sy_buf_fini(&s->kept);
    s->transport.ops->fini(&s->transport);
    sy_wipe(s, sizeof *s);
    sy_mem_release(mem, s);
    sy_budget_release(budget, sizeof *s);
}

/* ------------------------------------------------------------------ receiving: the pieces */

/* Has the transport take up to max bytes of the input. */
static sy_err take(stream_session *s, recv_run *run, size_t max, sy_transport_event *ret_event) {
    SY_ASSERT(s->rest.len == 0);
    run->progress = false;
    if (s->withheld && run->consumed < run->in_len) {
        s->withheld = false;
        run->consumed++;
        run->progress = true;
    }
    const size_t left = run->in_len - run->consumed;
    const size_t offered = left < max ? left : max;
    size_t used = 0;
    const sy_err err = s->transport.ops->recv(&s->transport, run->in + run->consumed, offered,
                                              &used, ret_event, &s->detail);
    if (err != SY_OK) {
        return err;
    }
    SY_ASSERT(used <= offered);
    run->consumed += used;
    run->progress = run->progress || used > 0 || ret_event->kind != SY_TRANSPORT_NONE;
    return SY_OK;
}

/* Brings rest into memory of our own. */
static sy_err keep_rest(stream_session *s) {
    if (s->rest.len == 0 || s->kept.len > 0) {
        return SY_OK; /* nothing to do, or that is where it is */
    }
    const sy_err err = sy_buf_append(&s->kept, s->rest.data, s->rest.len);
    if (err == SY_OK) {
        s->rest.data = s->kept.data;
    }
    return err;
}

/* ------------------------------------------------------------------ receiving: NodeInfo */

/* Looks at the NodeInfo so far: *ret_total is its length with the prefix, 0 while the prefix is
 * incomplete.  SPEC NI-03 NI-08 NI-13 */
static sy_err info_length(sy_node_info_codec codec, sy_bytes data, size_t *ret_prefix,
                          size_t *ret_total, sy_detail *detail) {
    uint64_t body = 0;
    bool minimal = false;
    switch (sy_uvarint_peek(data.data, data.len, &body, ret_prefix, &minimal)) {
    case SY_PREFIX_MORE:
        *ret_total = 0;
        return SY_OK;
    case SY_PREFIX_BAD:
        sy_detail_set(detail, "length of NodeInfo: more than 64 bits");
        return SY_ERR_NI_MALFORMED;
    case SY_PREFIX_DONE:
        break;
    }
    if (!minimal && !SY_MUTANT(NI_PREFIX)) {
        sy_detail_set(detail, "length %llu of NodeInfo takes %zu bytes", (unsigned long long)body,
                      *ret_prefix);
        return SY_ERR_VARINT_MINIMAL;
    }
    const size_t body_max = sy_node_info_body_max(codec) - SY_MUTANT(NI_LIMIT_LOW);
    if (body > body_max) {
        sy_detail_set(detail, "NodeInfo of %llu bytes, limit %zu", (unsigned long long)body,
                      body_max);
        return SY_ERR_NI_TOO_LONG;
    }
    *ret_total = *ret_prefix + (size_t)body;
    return SY_OK;
}

/* Plaintext while NodeInfo is awaited.  One that is complete in data is decoded where it stands. */
static sy_err take_info(stream_session *s, sy_bytes data) {
    const sy_node_info_codec codec = s->base.profile->codec;
    const bool is_continued = s->kept.len > 0;
    sy_err err = SY_OK;
    if (is_continued) {
        err = sy_buf_append(&s->kept, data.data, data.len);
        if (err != SY_OK) {
            return err;
        }
        data = (sy_bytes){.data = s->kept.data, .len = s->kept.len};
    }

    size_t prefix = 0;
    size_t total = 0;
    err = info_length(codec, data, &prefix, &total, &s->detail);
    if (err != SY_OK) {
        return err;
    }
    if (total == 0 || data.len < total) {
        return is_continued ? SY_OK : sy_buf_append(&s->kept, data.data, data.len);
    }

    sy_node_info info;
    err = sy_node_info_decode(codec, data.data + prefix, total - prefix, &info, &s->detail);
    if (err != SY_OK) {
        return err;
    }
    err = sy_node_info_copy(s->mux_config.mem, s->mux_config.budget, &info, &s->theirs);
    if (err != SY_OK) {
        return err;
    }
    s->rest = (sy_bytes){.data = data.data + total, .len = data.len - total};
    if (s->rest.len == 0) {
        sy_buf_drop(&s->kept);
    }
    set_state(s, STATE_HAVE_INFO);
    return SY_OK;
}

/* The ID that NodeInfo declares, for a transport that proves none.  SPEC PL-03 */
static sy_err declared_id(const sy_node_info *info, sy_node_id *ret_id, sy_detail *detail) {
    sy_node_id id;
    char text[SY_NODE_ID_TEXT_CAP];
    if (sy_node_id_parse(info->id.data, info->id.len, &id) == SY_OK) {
        sy_node_id_format(&id, text);
        if (memcmp(text, info->id.data, SY_NODE_ID_TEXT_LEN) == 0) {
            *ret_id = id;
            return SY_OK;
        }
    }
    sy_detail_set(detail, "id ");
    sy_detail_quote(detail, info->id.data, info->id.len);
    sy_detail_add(detail, " is not 40 lower-case hexadecimal digits");
    return SY_ERR_NI_MALFORMED;
}

/* ------------------------------------------------------------------ receiving: a step per state */

static sy_err await_proof(stream_session *s, recv_run *run) {
    sy_transport_event event;
    const sy_err err = take(s, run, HANDSHAKE_STEP, &event);
    if (err != SY_OK || event.kind == SY_TRANSPORT_NONE) {
        return err;
    }
    SY_ASSERT(event.kind == SY_TRANSPORT_PROVEN);
    s->identified = true;
    set_state(s, STATE_AWAIT_INFO);
    run->event = (sy_session_event){.kind = SY_SESSION_IDENTITY, .id = event.id, .id_proven = true};
    return SY_OK;
}

static sy_err await_info(stream_session *s, recv_run *run) {
    sy_transport_event event;
    const sy_err err = take(s, run, HANDSHAKE_STEP, &event);
    if (err != SY_OK || event.kind == SY_TRANSPORT_NONE) {
        return err;
    }
    SY_ASSERT(event.kind == SY_TRANSPORT_DATA);
    return take_info(s, event.plain);
}

/* SPEC PL-04 */
static sy_err have_info(stream_session *s, recv_run *run) {
    if (!s->identified) {
        sy_node_id id;
        const sy_err err = declared_id(s->theirs, &id, &s->detail);
        if (err != SY_OK) {
            return err;
        }
        s->identified = true;
        run->event = (sy_session_event){.kind = SY_SESSION_IDENTITY, .id = id};
        return SY_OK;
    }
    set_state(s, STATE_AWAIT_ACCEPT);
    run->event = (sy_session_event){.kind = SY_SESSION_INFO, .info = s->theirs};
    return SY_OK;
}

/* Gives rest to the multiplexer.  An error waits until what was complete before is delivered. */
static void feed_mux(stream_session *s, recv_run *run) {
    size_t used = 0;
    s->mux_err = sy_mux_recv(s->mux, s->rest.data, s->rest.len, &used, &s->detail, run->now);
    if (s->mux_err != SY_OK) {
        used = s->rest.len;
    }
    SY_ASSERT(used <= s->rest.len);
    s->rest.data += used;
    s->rest.len -= used;
    run->progress = used > 0;
}

/* SPEC MX-51 MX-52 */
static sy_err open_step(stream_session *s, recv_run *run) {
    if (sy_mux_next_message(s->mux, &run->event.message)) {
        run->event.kind = SY_SESSION_MESSAGE;
        return SY_OK;
    }
    if (s->mux_err != SY_OK) {
        return s->mux_err;
    }
    if (s->rest.len == 0) {
        sy_mux_batch_done(s->mux);
        sy_buf_drop(&s->kept);
        sy_transport_event event;
        const sy_err err = take(s, run, OPEN_STEP, &event);
        if (err != SY_OK || event.kind == SY_TRANSPORT_NONE) {
            return err;
        }
        SY_ASSERT(event.kind == SY_TRANSPORT_DATA);
        s->rest = event.plain;
    }
    feed_mux(s, run);
    return SY_OK;
}

static sy_err step(stream_session *s, recv_run *run) {
    switch ((state)s->state) {
    case STATE_AWAIT_PROOF:
        return await_proof(s, run);
    case STATE_AWAIT_INFO:
        return await_info(s, run);
    case STATE_HAVE_INFO:
        return have_info(s, run);
    case STATE_AWAIT_ACCEPT:
        run->progress = false;
        return SY_OK;
    case STATE_OPEN:
        return open_step(s, run);
    case STATE_FAILED:
    case STATE_COUNT:
        break;
    }
    SY_UNREACHABLE();
}

/* SPEC PR-14 */
static void name_other_profile(stream_session *s, const recv_run *run, sy_err err) {
    if (s->heard || s->identified || sy_err_class_of(err) != SY_ERR_CLASS_PEER) {
        return;
    }
    bool certain = false;
    const char *name = sy_profile_lookalike(run->in, run->in_len, &certain);
    if (name != NULL && strcmp(name, s->base.profile->name) != 0) {
        sy_detail_add(&s->detail, "%sthis %s %s", s->detail.text[0] != '\0' ? "; " : "",
                      certain ? "is" : "may be", name);
    }
}

sy_err sy_stream_session_recv(sy_session *session, const uint8_t *in, size_t in_len,
                              size_t *ret_consumed, sy_session_event *ret_event, sy_detail *detail,
                              sy_time now) {
    static const uint8_t nothing[1];
    stream_session *s = of(session);
    sy_err err = s->err;
    recv_run run = {.in = in_len > 0 ? in : nothing, .in_len = in_len, .now = now};

    if (s->state != STATE_FAILED) {
        run.progress = true;
        while (err == SY_OK && run.event.kind == SY_SESSION_NONE && run.progress) {
            err = step(s, &run);
        }
        if (err == SY_OK && run.event.kind != SY_SESSION_MESSAGE) {
            err = keep_rest(s);
        }
        if (err != SY_OK) {
            name_other_profile(s, &run, err);
            (void)fail(s, err);
        }
    }
    if (err != SY_OK) {
        if (detail != NULL) {
            *detail = s->detail;
        }
        return err;
    }

    s->heard = s->heard || run.consumed > 0;
    if (s->rest.len > 0 && run.consumed > 0 && run.consumed == in_len) {
        SY_ASSERT(!s->withheld);
        s->withheld = true;
        run.consumed--;
    }
    *ret_consumed = run.consumed; /* SPEC ER-03: outputs on success only */
    *ret_event = run.event;
    return SY_OK;
}

/* ------------------------------------------------------------------ sending */

/* Our NodeInfo is owed as soon as the stream is open.  A transport that proves identities opens
 * only with the proof, so that the caller has seen IDENTITY by then and could end the connection.
 * SPEC NI-01 PL-01 */
static bool info_is_due(const stream_session *s) {
    return !s->info_sent && s->state != STATE_FAILED && s->transport.ops->is_open(&s->transport);
}

static sy_err send_info(stream_session *s, uint8_t *out, size_t out_cap, size_t *ret_len) {
    size_t cap = 0;
    uint8_t *plain = s->transport.ops->plain_area(&s->transport, out, out_cap, &cap);
    SY_ASSERT(cap >= INFO_PREFIX_MAX + SY_NODE_INFO_LEN_MAX);

    size_t body = 0;
    sy_err err = sy_node_info_encode(s->base.profile->codec, s->ours, plain + INFO_PREFIX_MAX,
                                     cap - INFO_PREFIX_MAX, &body);
    if (err != SY_OK) {
        return err == SY_ERR_NI_TOO_LONG ? SY_ERR_CONFIG : err; /* it is ours */
    }
    sy_wr wr;
    sy_wr_init(&wr, plain, INFO_PREFIX_MAX);
    sy_wr_uvarint(&wr, body);
    SY_ASSERT(wr.len <= INFO_PREFIX_MAX);
    memmove(plain + wr.len, plain + INFO_PREFIX_MAX, body);
    err = s->transport.ops->emit(&s->transport, wr.len + body, out, out_cap, ret_len);
    if (err == SY_OK) {
        s->info_sent = true;
    }
    return err;
}

static sy_err send_packets(stream_session *s, uint8_t *out, size_t out_cap, size_t *ret_len,
                           sy_time now) {
    size_t cap = 0;
    size_t len = 0;
    uint8_t *plain = s->transport.ops->plain_area(&s->transport, out, out_cap, &cap);
    sy_mux_send(s->mux, plain, cap, &len, now);
    if (len == 0) {
        *ret_len = 0;
        return SY_OK;
    }
    return s->transport.ops->emit(&s->transport, len, out, out_cap, ret_len);
}

sy_err sy_stream_session_send(sy_session *session, uint8_t *out, size_t out_cap, size_t *ret_len,
                              sy_time now) {
    stream_session *s = of(session);
    if (s->state == STATE_FAILED) {
        return s->err; /* SPEC ER-04 */
    }
    size_t len = 0;
    sy_err err = SY_OK;
    if (s->transport.ops->wants_send(&s->transport)) {
        err = s->transport.ops->send(&s->transport, out, out_cap, &len);
    } else if (info_is_due(s)) {
        err = send_info(s, out, out_cap, &len);
    } else if (s->mux != NULL) {
        err = send_packets(s, out, out_cap, &len, now);
    }
    if (err != SY_OK) {
        return fail(s, err);
    }
    *ret_len = len;
    return SY_OK;
}

bool sy_stream_session_wants_send(const sy_session *session, sy_time now) {
    const stream_session *s = of_const(session);
    if (s->state == STATE_FAILED) {
        return false;
    }
    return s->transport.ops->wants_send(&s->transport) || info_is_due(s) ||
           (s->mux != NULL && sy_mux_wants_send(s->mux, now));
}

/* ------------------------------------------------------------------ the rest */

sy_err sy_stream_session_accept(sy_session *session, sy_time now) {
    stream_session *s = of(session);
    if (s->state == STATE_FAILED) {
        return s->err;
    }
    if (s->state != STATE_AWAIT_ACCEPT) {
        return SY_ERR_STATE;
    }
    s->mux_config.remote_channels = s->theirs->channels;
    s->mux_config.remote_channel_count = s->theirs->channel_count;
    const sy_err err = sy_mux_new(&s->mux_config, now, &s->mux);
    if (err != SY_OK) {
        return err;
    }
    set_state(s, STATE_OPEN);
    return SY_OK;
}

sy_mux *sy_stream_session_mux(sy_session *session) {
    return of(session)->mux;
}

bool sy_stream_session_at_boundary(const sy_session *session) {
    const stream_session *s = of_const(session);
    return s->state != STATE_FAILED && s->transport.ops->at_boundary(&s->transport) &&
           s->kept.len == 0 && s->rest.len == 0 && (s->mux == NULL || sy_mux_at_boundary(s->mux));
}

sy_time sy_stream_session_recv_ready_at(const sy_session *session) {
    const stream_session *s = of_const(session);
    return s->mux != NULL ? sy_mux_recv_ready_at(s->mux) : SY_NEVER;
}
