/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of a secret connection.  Both sides do the same, each half on its own:
 *   sending                                     receiving
 *   ephemeral key     due at once               ephemeral key    -> keys, challenge
 *   [auth message]    due when the keys exist   [auth message]   -> AUTHENTICATED
 *   [data]            once both halves are done [data]           -> DATA
 *
 * | state           | next                        | meaning                                    |
 * | --------------- | --------------------------- | ------------------------------------------ |
 * | AWAIT_EPHEMERAL | AWAIT_AUTH                  | nothing of the remote is known             |
 * | AWAIT_AUTH      | AUTH_DUE, OPEN              | keys exist, the remote is not proven       |
 * | AUTH_DUE        | OPEN                        | the remote is proven, our proof is unsent  |
 * | OPEN            |                             | both are proven                            |
 * | FAILED          |                             | from every state; the error is kept        |
 *
 * What only the handshake needs lives in a block of its own, wiped and released when it is over. */
#include "conn/secret_conn.h"

#include <sodium.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "base/rd.h"
#include "conn/scratch_internal.h"
#include "conn/suite.h"
#include "conn/x25519_base.h"

typedef enum state {
    STATE_AWAIT_EPHEMERAL,
    STATE_AWAIT_AUTH,
    STATE_AUTH_DUE,
    STATE_OPEN,
    STATE_FAILED,
    STATE_COUNT,
} state;

#define TO(s) (1u << (s))
static const uint8_t allowed_next[STATE_COUNT] = {
    [STATE_AWAIT_EPHEMERAL] = TO(STATE_AWAIT_AUTH) | TO(STATE_FAILED),
    [STATE_AWAIT_AUTH] = TO(STATE_AUTH_DUE) | TO(STATE_OPEN) | TO(STATE_FAILED),
    [STATE_AUTH_DUE] = TO(STATE_OPEN) | TO(STATE_FAILED),
    [STATE_OPEN] = TO(STATE_FAILED),
    [STATE_FAILED] = 0,
};

/* What is over when both sides are proven. */
typedef struct handshake {
    sy_signer signer;
    uint8_t eph_secret[SY_CONN_KEY_LEN];
    uint8_t eph_pub[SY_CONN_KEY_LEN];
    uint8_t challenge[32];
    uint8_t remote_eph[SY_EPH_MSG_MAX]; /* ephemeral key message as far as it came */
    size_t remote_eph_len;
    bool eph_sent;
    bool auth_sent;
    /* First the auth message as far as it came; once it is verified, the data that followed it in
     * its last frame. */
    uint8_t buf[SY_AUTH_MSG_MAX];
    size_t buf_len;
} handshake;

struct sy_secret_conn {
    const sy_mem *mem; /* borrowed */
    sy_budget *budget; /* borrowed */
    const sy_suite *suite;
    handshake *hs;    /* NULL once the handshake is over */
    uint8_t *partial; /* sealed frame as far as it came, SY_SEALED_LEN bytes; NULL when none */
    uint16_t partial_len;
    uint8_t empty_run; /* empty frames received in a row */
    uint8_t state;     /* enum state */
    sy_err err;        /* in FAILED: why */
    sy_frame_key send;
    sy_frame_key recv;
};

_Static_assert(sizeof(sy_secret_conn) < 512, "an open connection is small");
_Static_assert(sizeof(sy_secret_conn) + sizeof(handshake) < 2048, "so is one before");
_Static_assert(sizeof(sy_secret_conn) + sizeof(handshake) + SY_SEALED_LEN <= SY_PRE_AUTH_MAX,
               "also with a frame that is incomplete");
_Static_assert(SY_EMPTY_FRAMES_MAX <= UINT8_MAX, "fits empty_run");
_Static_assert(SY_SEALED_LEN <= UINT16_MAX, "fits partial_len");
_Static_assert(SY_AUTH_MSG_MAX >= SY_FRAME_DATA_MAX, "what follows an auth message fits");

static void set_state(sy_secret_conn *conn, state next) {
    SY_ASSERT((allowed_next[conn->state] & TO(next)) != 0);
    conn->state = (uint8_t)next;
}

/* size bytes, zeroed and charged. */
static sy_err charged_alloc(const sy_mem *mem, sy_budget *budget, size_t size, void **ret_ptr) {
    const sy_err err = sy_budget_reserve(budget, size);
    if (err != SY_OK) {
        return err;
    }
    void *ptr = sy_mem_zalloc(mem, size);
    if (ptr == NULL) {
        sy_budget_release(budget, size);
        return SY_ERR_NOMEM;
    }
    *ret_ptr = ptr;
    return SY_OK;
}

static void charged_release(const sy_mem *mem, sy_budget *budget, void *ptr, size_t size) {
    sodium_memzero(ptr, size);
    sy_mem_release(mem, ptr);
    sy_budget_release(budget, size);
}

static void drop_handshake(sy_secret_conn *conn) {
    if (conn->hs != NULL) {
        charged_release(conn->mem, conn->budget, conn->hs, sizeof *conn->hs);
        conn->hs = NULL;
    }
}

static void drop_partial(sy_secret_conn *conn) {
    if (conn->partial != NULL) {
        charged_release(conn->mem, conn->budget, conn->partial, SY_SEALED_LEN);
        conn->partial = NULL;
        conn->partial_len = 0;
    }
}

/* The end of the connection: keeps the error and nothing else. */
static sy_err fail(sy_secret_conn *conn, sy_err err) {
    SY_ASSERT(err != SY_OK);
    set_state(conn, STATE_FAILED);
    conn->err = err;
    drop_handshake(conn);
    drop_partial(conn);
    sodium_memzero(&conn->send, sizeof conn->send);
    sodium_memzero(&conn->recv, sizeof conn->recv);
    return err;
}

/* Data that came in the same frame as the end of the auth message waits to be reported. */
static bool has_leftover(const sy_secret_conn *conn) {
    return conn->hs != NULL && conn->hs->buf_len > 0 &&
           (conn->state == STATE_AUTH_DUE || conn->state == STATE_OPEN);
}

static void drop_handshake_when_over(sy_secret_conn *conn) {
    if (conn->state == STATE_OPEN && !has_leftover(conn)) {
        drop_handshake(conn);
    }
}

sy_err sy_secret_conn_new(const sy_mem *mem, sy_budget *budget, const sy_suite *suite,
                          const sy_signer *signer, const uint8_t eph_secret[SY_CONN_KEY_LEN],
                          sy_secret_conn **ret_conn) {
    SY_REQUIRE(mem != NULL && budget != NULL && suite != NULL && signer->sign != NULL);
    SY_REQUIRE(suite->eph_msg_len <= SY_EPH_MSG_MAX);
    SY_REQUIRE(suite->auth_msg_len <= SY_FRAME_DATA_MAX);

    void *ptr = NULL;
    sy_err err = charged_alloc(mem, budget, sizeof(sy_secret_conn), &ptr);
    if (err != SY_OK) {
        return err;
    }
    sy_secret_conn *conn = ptr;
    err = charged_alloc(mem, budget, sizeof(handshake), &ptr);
    if (err != SY_OK) {
        charged_release(mem, budget, conn, sizeof *conn);
        return err;
    }
    conn->mem = mem;
    conn->budget = budget;
    conn->suite = suite;
    conn->hs = ptr;
    conn->state = STATE_AWAIT_EPHEMERAL;
    conn->hs->signer = *signer;
    memcpy(conn->hs->eph_secret, eph_secret, SY_CONN_KEY_LEN);
    sy_x25519_base(eph_secret, conn->hs->eph_pub);
    *ret_conn = conn;
    return SY_OK;
}

void sy_secret_conn_del(sy_secret_conn *conn) {
    if (conn == NULL) {
        return;
    }
    drop_handshake(conn);
    drop_partial(conn);
    charged_release(conn->mem, conn->budget, conn, sizeof *conn);
}

/* ------------------------------------------------------------------ receiving: handshake */

static sy_err recv_ephemeral(sy_secret_conn *conn, const uint8_t *in, size_t in_len,
                             size_t *ret_consumed, sy_detail *detail) {
    handshake *hs = conn->hs;
    const size_t missing = conn->suite->eph_msg_len - hs->remote_eph_len;
    const size_t taken = in_len < missing ? in_len : missing;
    memcpy(hs->remote_eph + hs->remote_eph_len, in, taken);
    hs->remote_eph_len += taken;

    size_t used = 0;
    uint8_t remote_pub[SY_CONN_KEY_LEN];
    sy_err err = conn->suite->decode_ephemeral(hs->remote_eph, hs->remote_eph_len, &used,
                                               remote_pub, detail);
    if (err != SY_OK) {
        return err;
    }
    if (used > 0) {
        SY_ASSERT(used == hs->remote_eph_len);
        sy_key_schedule keys;
        err = conn->suite->derive(hs->eph_secret, hs->eph_pub, remote_pub, &keys);
        if (err != SY_OK) {
            return err;
        }
        conn->send = keys.send;
        conn->recv = keys.recv;
        memcpy(hs->challenge, keys.challenge, sizeof hs->challenge);
        sodium_memzero(&keys, sizeof keys);
        sodium_memzero(hs->eph_secret, sizeof hs->eph_secret);
        set_state(conn, STATE_AWAIT_AUTH);
    }
    *ret_consumed = taken;
    return SY_OK;
}

/* Completes the frame that is kept, as far as the input goes, and opens it. */
static sy_err complete_partial(sy_secret_conn *conn, sy_scratch *scratch, const uint8_t *in,
                               size_t in_len, size_t *ret_taken, sy_frame_run *run) {
    const size_t missing = (size_t)(SY_SEALED_LEN - conn->partial_len);
    const size_t taken = in_len < missing ? in_len : missing;
    memcpy(conn->partial + conn->partial_len, in, taken);
    conn->partial_len = (uint16_t)(conn->partial_len + taken);
    *ret_taken = taken;
    if (conn->partial_len < SY_SEALED_LEN) {
        return SY_OK;
    }
    const sy_err err = conn->suite->open(&conn->recv, scratch, conn->partial, 1,
                                         sy_scratch_plain_in(scratch), run);
    drop_partial(conn);
    return err;
}

static sy_err keep_partial(sy_secret_conn *conn, const uint8_t *in, size_t in_len) {
    SY_ASSERT(conn->partial == NULL);
    SY_ASSERT(in_len < SY_SEALED_LEN);
    void *ptr = NULL;
    const sy_err err = charged_alloc(conn->mem, conn->budget, SY_SEALED_LEN, &ptr);
    if (err != SY_OK) {
        return err;
    }
    conn->partial = ptr;
    memcpy(conn->partial, in, in_len);
    conn->partial_len = (uint16_t)in_len;
    return SY_OK;
}

/* Opens up to frames_max frames into the plaintext area, out of the kept frame and then straight
 * out of the input; keeps what is less than a frame.  A bad frame behind good ones is left to the
 * next call, so that what is delivered does not depend on how the input was cut. */
static sy_err recv_frames(sy_secret_conn *conn, sy_scratch *scratch, size_t frames_max,
                          const uint8_t *in, size_t in_len, size_t *ret_consumed,
                          sy_frame_run *run) {
    size_t consumed = 0;
    if (conn->partial != NULL) {
        const sy_err err = complete_partial(conn, scratch, in, in_len, &consumed, run);
        if (err != SY_OK) {
            return err;
        }
    }

    const size_t complete = (in_len - consumed) / SY_SEALED_LEN;
    const size_t room = frames_max - run->frames;
    const size_t count = complete < room ? complete : room;
    if (count > 0) {
        const size_t before = run->frames;
        const sy_err err = conn->suite->open(&conn->recv, scratch, in + consumed, count,
                                             sy_scratch_plain_in(scratch), run);
        if (err != SY_OK && run->frames == 0) {
            return err;
        }
        consumed += (run->frames - before) * SY_SEALED_LEN;
    } else if (run->frames == 0 && consumed < in_len) {
        const sy_err err = keep_partial(conn, in + consumed, in_len - consumed);
        if (err != SY_OK) {
            return err;
        }
        consumed = in_len;
    }
    *ret_consumed = consumed;
    return SY_OK;
}

static void describe_frame_error(sy_detail *detail, sy_err err, const sy_frame_run *run,
                                 const char *what) {
    if (err == SY_ERR_FRAME_LENGTH) {
        sy_detail_set(detail, "%s declares %lu bytes, limit %d", what, (unsigned long)run->declared,
                      SY_FRAME_DATA_MAX);
    } else if (err == SY_ERR_FRAME_EMPTY) {
        sy_detail_set(detail, "empty %s after %u empty ones, limit %u", what, run->empty,
                      run->empty_max);
    } else {
        sy_detail_set(detail, "%s", what);
    }
}

/* Looks at the auth message so far: *ret_total is its length with the prefix, 0 while the prefix is
 * incomplete.  SPEC STS-22 STS-23 CC-26 CC-27 */
static sy_err auth_length(const uint8_t *msg, size_t len, size_t *ret_prefix, size_t *ret_total,
                          sy_detail *detail) {
    uint64_t body = 0;
    bool minimal = false;
    switch (sy_uvarint_peek(msg, len, &body, ret_prefix, &minimal)) {
    case SY_PREFIX_MORE:
        *ret_total = 0;
        return SY_OK;
    case SY_PREFIX_BAD:
        sy_detail_set(detail, "length of the authentication message: more than 64 bits");
        return SY_ERR_AUTH_MALFORMED;
    case SY_PREFIX_DONE:
        break;
    }
    if (!minimal && !SY_MUTANT(AUTH_PREFIX)) {
        sy_detail_set(detail, "length %llu of the authentication message takes %zu bytes",
                      (unsigned long long)body, *ret_prefix);
        return SY_ERR_VARINT_MINIMAL;
    }
    if (body > SY_AUTH_MSG_MAX - *ret_prefix - SY_MUTANT(AUTH_LIMIT)) {
        sy_detail_set(detail, "authentication message of %llu bytes, limit %d with its length",
                      (unsigned long long)body, SY_AUTH_MSG_MAX);
        return SY_ERR_AUTH_TOO_LONG;
    }
    *ret_total = *ret_prefix + (size_t)body;
    return SY_OK;
}

/* SPEC STS-30 STS-31 CC-34 CC-35 */
static sy_err verify_auth(const sy_secret_conn *conn, const uint8_t *body, size_t len,
                          uint8_t ret_pubkey[SY_CONN_KEY_LEN], sy_detail *detail) {
    sy_auth_msg auth;
    const sy_err err = conn->suite->decode_auth(body, len, &auth, detail);
    if (err != SY_OK) {
        return sy_suite_forgives(err) ? SY_OK : err;
    }
    if (crypto_sign_verify_detached(auth.sig, conn->hs->challenge, sizeof conn->hs->challenge,
                                    auth.pubkey) != 0 &&
        !SY_MUTANT(AUTH_SIG)) {
        return SY_ERR_AUTH_SIG;
    }
    memcpy(ret_pubkey, auth.pubkey, SY_CONN_KEY_LEN);
    return SY_OK;
}

/* Takes the plaintext of one frame into the auth message; *ret_done when it is complete and
 * verified.  What follows it in the frame is then in hs->buf. */
static sy_err take_auth(sy_secret_conn *conn, const uint8_t *plain, size_t len, bool *ret_done,
                        uint8_t ret_pubkey[SY_CONN_KEY_LEN], sy_detail *detail) {
    handshake *hs = conn->hs;
    const size_t had = hs->buf_len;
    SY_ASSERT(had < sizeof hs->buf);
    const size_t room = sizeof hs->buf - had;
    const size_t taken = len < room ? len : room;
    memcpy(hs->buf + had, plain, taken);
    hs->buf_len = had + taken;

    size_t prefix = 0;
    size_t total = 0;
    sy_err err = auth_length(hs->buf, hs->buf_len, &prefix, &total, detail);
    if (err != SY_OK) {
        return err;
    }
    if (total == 0 || hs->buf_len < total) {
        /* The limit of auth_length leaves room for the rest. */
        SY_ASSERT(taken == len);
        *ret_done = false;
        return SY_OK;
    }
    err = verify_auth(conn, hs->buf + prefix, total - prefix, ret_pubkey, detail);
    if (err != SY_OK) {
        return err;
    }
    /* SPEC STS-20 CC-24 */
    SY_ASSERT(total > had);
    const size_t used = total - had;
    memcpy(hs->buf, plain + used, len - used);
    hs->buf_len = len - used;
    *ret_done = true;
    return SY_OK;
}

static sy_err recv_auth(sy_secret_conn *conn, sy_scratch *scratch, const uint8_t *in, size_t in_len,
                        size_t *ret_consumed, sy_sc_event *event, sy_detail *detail) {
    size_t consumed = 0;
    sy_frame_run run = {.empty_max = SY_MUTANT(FRAME_EMPTY_AUTH) ? 1 : 0}; /* SPEC STS-19 CC-23 */
    sy_err err = recv_frames(conn, scratch, 1, in, in_len, &consumed, &run);
    if (err != SY_OK) {
        describe_frame_error(detail, err, &run, "frame of the authentication message");
        return err;
    }
    if (run.frames == 0) {
        *ret_consumed = consumed;
        return SY_OK;
    }
    bool done = false;
    err =
        take_auth(conn, sy_scratch_plain_in(scratch), run.len, &done, event->remote_pubkey, detail);
    if (err != SY_OK) {
        return err;
    }
    if (done) {
        event->kind = SY_SC_AUTHENTICATED;
        set_state(conn, conn->hs->auth_sent ? STATE_OPEN : STATE_AUTH_DUE);
        if (has_leftover(conn)) {
            /* The last byte of the frame is withheld, so that the caller comes back for the data
             * also when nothing else was received. */
            consumed--;
        }
        drop_handshake_when_over(conn);
    }
    *ret_consumed = consumed;
    return SY_OK;
}

/* ------------------------------------------------------------------ receiving: data */

/* The withheld byte is back: reports what followed the auth message in its frame. */
static void deliver_leftover(sy_secret_conn *conn, sy_scratch *scratch, size_t *ret_consumed,
                             sy_sc_event *event) {
    handshake *hs = conn->hs;
    event->kind = SY_SC_DATA;
    event->plain = sy_scratch_plain_in(scratch);
    event->plain_len = hs->buf_len;
    memcpy(event->plain, hs->buf, hs->buf_len);
    hs->buf_len = 0;
    drop_handshake_when_over(conn);
    *ret_consumed = 1;
}

static sy_err recv_data(sy_secret_conn *conn, sy_scratch *scratch, const uint8_t *in, size_t in_len,
                        size_t *ret_consumed, sy_sc_event *event, sy_detail *detail) {
    if (has_leftover(conn)) {
        deliver_leftover(conn, scratch, ret_consumed, event);
        return SY_OK;
    }
    sy_frame_run run = {.empty = conn->empty_run, .empty_max = SY_EMPTY_FRAMES_MAX};
    const sy_err err = recv_frames(conn, scratch, SY_OPEN_BATCH, in, in_len, ret_consumed, &run);
    if (err != SY_OK) {
        describe_frame_error(detail, err, &run, "frame of data");
        return err;
    }
    conn->empty_run = (uint8_t)run.empty;
    if (run.len > 0) {
        event->kind = SY_SC_DATA;
        event->plain = sy_scratch_plain_in(scratch);
        event->plain_len = run.len;
    }
    return SY_OK;
}

static sy_err dispatch_recv(sy_secret_conn *conn, sy_scratch *scratch, const uint8_t *in,
                            size_t in_len, size_t *ret_consumed, sy_sc_event *event,
                            sy_detail *detail) {
    switch ((state)conn->state) {
    case STATE_AWAIT_EPHEMERAL:
        return recv_ephemeral(conn, in, in_len, ret_consumed, detail);
    case STATE_AWAIT_AUTH:
        return recv_auth(conn, scratch, in, in_len, ret_consumed, event, detail);
    case STATE_AUTH_DUE:
    case STATE_OPEN:
        return recv_data(conn, scratch, in, in_len, ret_consumed, event, detail);
    case STATE_FAILED:
    case STATE_COUNT:
        break;
    }
    SY_UNREACHABLE();
}

sy_err sy_secret_conn_recv(sy_secret_conn *conn, sy_scratch *scratch, const uint8_t *in,
                           size_t in_len, size_t *ret_consumed, sy_sc_event *ret_event,
                           sy_detail *detail) {
    SY_REQUIRE(in != NULL || in_len == 0);
    if (conn->state == STATE_FAILED) {
        return conn->err;
    }
    size_t consumed = 0;
    sy_sc_event event = {.kind = SY_SC_NONE};
    sy_detail_clear(detail);
    if (in_len > 0) {
        const sy_err err = dispatch_recv(conn, scratch, in, in_len, &consumed, &event, detail);
        if (err != SY_OK) {
            return fail(conn, err);
        }
        SY_ASSERT(consumed <= in_len);
        SY_ASSERT(consumed > 0 || event.kind == SY_SC_AUTHENTICATED);
    }
    *ret_consumed = consumed;
    *ret_event = event;
    return SY_OK;
}

/* ------------------------------------------------------------------ sending */

static bool ephemeral_is_due(const sy_secret_conn *conn) {
    return conn->hs != NULL && !conn->hs->eph_sent;
}

static bool auth_is_due(const sy_secret_conn *conn) {
    return conn->hs != NULL && conn->hs->eph_sent && !conn->hs->auth_sent &&
           conn->state != STATE_AWAIT_EPHEMERAL;
}

bool sy_secret_conn_wants_send(const sy_secret_conn *conn) {
    return ephemeral_is_due(conn) || auth_is_due(conn);
}

static sy_err write_auth(sy_secret_conn *conn, sy_scratch *scratch, uint8_t *out) {
    handshake *hs = conn->hs;
    sy_auth_msg auth;
    memcpy(auth.pubkey, hs->signer.pubkey, sizeof auth.pubkey);
    sy_err err = hs->signer.sign(hs->signer.user, hs->challenge, sizeof hs->challenge, auth.sig);
    if (err != SY_OK) {
        return err;
    }
    uint8_t *plain = sy_scratch_plain_out(scratch);
    conn->suite->encode_auth(&auth, plain);
    err = conn->suite->seal(&conn->send, scratch, plain, conn->suite->auth_msg_len, out);
    if (err != SY_OK) {
        return err;
    }
    hs->auth_sent = true;
    if (conn->state == STATE_AUTH_DUE) {
        set_state(conn, STATE_OPEN);
        drop_handshake_when_over(conn);
    }
    return SY_OK;
}

sy_err sy_secret_conn_send(sy_secret_conn *conn, sy_scratch *scratch, uint8_t *out, size_t out_cap,
                           size_t *ret_len) {
    SY_REQUIRE(out_cap >= SY_SEALED_LEN);
    if (conn->state == STATE_FAILED) {
        return conn->err;
    }
    size_t len = 0;
    /* SPEC STS-02 CC-02 */
    if (ephemeral_is_due(conn)) {
        conn->suite->encode_ephemeral(conn->hs->eph_pub, out);
        conn->hs->eph_sent = true;
        len = conn->suite->eph_msg_len;
    }
    /* Both in one write when the remote was faster than we. */
    if (auth_is_due(conn) && out_cap - len >= SY_SEALED_LEN) {
        const sy_err err = write_auth(conn, scratch, out + len);
        if (err != SY_OK) {
            return fail(conn, err);
        }
        len += SY_SEALED_LEN;
    }
    *ret_len = len;
    return SY_OK;
}

bool sy_secret_conn_is_open(const sy_secret_conn *conn) {
    return conn->state == STATE_OPEN;
}

bool sy_secret_conn_at_boundary(const sy_secret_conn *conn) {
    switch ((state)conn->state) {
    case STATE_AWAIT_EPHEMERAL:
        return conn->hs->remote_eph_len == 0;
    case STATE_AWAIT_AUTH:
    case STATE_AUTH_DUE:
    case STATE_OPEN:
        return conn->partial == NULL && (conn->hs == NULL || conn->hs->buf_len == 0);
    case STATE_FAILED:
        return false;
    case STATE_COUNT:
        break;
    }
    SY_UNREACHABLE();
}

sy_err sy_secret_conn_seal(sy_secret_conn *conn, sy_scratch *scratch, size_t plain_len,
                           uint8_t *out, size_t out_cap, size_t *ret_len) {
    SY_REQUIRE(plain_len >= 1);
    SY_REQUIRE(plain_len <= SY_SCRATCH_PLAIN_OUT_CAP);
    if (conn->state == STATE_FAILED) {
        return conn->err;
    }
    SY_REQUIRE(conn->state == STATE_OPEN);
    const size_t frames = (plain_len + SY_FRAME_DATA_MAX - 1) / SY_FRAME_DATA_MAX;
    if (out_cap < frames * SY_SEALED_LEN) {
        return SY_ERR_NO_SPACE;
    }
    const sy_err err =
        conn->suite->seal(&conn->send, scratch, sy_scratch_plain_out(scratch), plain_len, out);
    if (err != SY_OK) {
        return fail(conn, err);
    }
    *ret_len = frames * SY_SEALED_LEN;
    return SY_OK;
}
