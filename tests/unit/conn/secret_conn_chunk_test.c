/* SPDX-License-Identifier: Apache-2.0 */
/* The chunk oracle over complete connections: the same events, bytes and errors however the input
 * is cut. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "tests/support/chunk_oracle.h"
#include "tests/support/test_hex.h"
#include "tests/unit/conn/secret_conn_rig.h"

typedef struct scenario {
    const char *name;
    size_t auth_piece;  /* bytes of the auth message per frame */
    size_t behind;      /* bytes of data behind it in its last frame */
    const char *frames; /* then: d data, e empty, t tampered, l length 1025 */
    size_t split_max;   /* 0: every place */
} scenario;

static const scenario scenarios[] = {
    {"honest", 1024, 0, "dd", 0},
    {"data behind the auth message", 1024, 200, "d", 0},
    {"auth message in pieces", 50, 7, "ded", 900},
    {"tampered frame behind good ones", 1024, 0, "ddtd", 900},
    {"long frame behind good ones", 1024, 3, "dld", 900},
    {"too many empty frames", 1024, 0, "deeeeeeeeeeeeeeeeeeed", 400},
};

typedef struct run_user {
    const sy_suite *suite;
    sy_scratch *scratch;
} run_user;

static void build(const scenario *sc, const sy_suite *suite, rig_bytes *in) {
    rig_keys one;
    rig_keys two;
    rig_hand hand;
    uint8_t msg[SY_FRAME_DATA_MAX];
    rig_keys_numbered(&one, 1);
    rig_keys_numbered(&two, 2);
    rig_hand_init(&hand, suite, &two, one.eph_pub);
    memset(msg, 0x3c, sizeof msg);
    rig_hand_auth(&hand, msg);
    const size_t len = suite->auth_msg_len;
    rig_hand_ephemeral(&hand, in);
    for (size_t at = 0; at < len; at += sc->auth_piece) {
        const bool last = len - at <= sc->auth_piece;
        rig_hand_data(&hand, msg + at, last ? len - at + sc->behind : sc->auth_piece, in);
    }
    for (const char *p = sc->frames; *p != '\0'; p++) {
        const size_t frame = in->len;
        if (*p == 'l') {
            rig_hand_frame(&hand, 1025, NULL, 0, 0, in);
        } else {
            rig_hand_data(&hand, msg, *p == 'e' ? 0 : 100 + 300 * (size_t)((p - sc->frames) % 4),
                          in);
        }
        if (*p == 't') {
            in->data[frame + 700] ^= 1;
        }
    }
}

static void run(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                chunk_trace *trace) {
    const run_user *u = user;
    rig_keys one;
    rig_side side;
    rig_bytes out = {.data = NULL};
    uint8_t digest[32];
    rig_keys_numbered(&one, 1);
    rig_side_init(&side, u->suite, u->scratch, &one);
    sy_err err = rig_side_send(&side, &out);
    size_t from = 0;
    for (size_t i = 0; i < cut_count && err == SY_OK; i++) {
        err = rig_side_feed(&side, data + from, cut[i] - from, SIZE_MAX);
        from = cut[i];
        if (err == SY_OK) {
            err = rig_side_send(&side, &out);
        }
    }
    crypto_hash_sha256(digest, side.plain.data, side.plain.len);
    chunk_trace_add(trace, "auth %u after %zu bytes, %s\n", side.auth_events, side.plain_at_auth,
                    test_hex_of(side.remote_pubkey, 32));
    chunk_trace_add(trace, "plain %zu %s\n", side.plain.len, test_hex_of(digest, 32));
    chunk_trace_add(trace, "%s: %s\n", sy_err_name(err), side.detail.text);
    if (err == SY_OK) {
        chunk_trace_add(trace, "sent %zu, open %d, boundary %d, live %zu\n", out.len,
                        sy_secret_conn_is_open(side.conn), sy_secret_conn_at_boundary(side.conn),
                        side.tm.live_bytes);
    }
    rig_bytes_free(&out);
    rig_side_fini(&side);
}

/* SPEC-TEST STS-20 CC-24 */
Test(secret_conn_chunk, however_the_input_is_cut) {
    run_user user = {.suite = NULL};
    cr_assert_eq(sy_scratch_new(sy_mem_libc(), &user.scratch), SY_OK);
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
            rig_bytes in = {.data = NULL};
            user.suite = rig_suites[s];
            build(&scenarios[i], user.suite, &in);
            const char *difference =
                chunk_oracle(run, &user, in.data, in.len, scenarios[i].split_max, 11 + i);
            cr_assert_null(difference, "%s %s: %s", user.suite->name, scenarios[i].name,
                           difference);
            rig_bytes_free(&in);
        }
    }
    sy_scratch_del(user.scratch);
}
