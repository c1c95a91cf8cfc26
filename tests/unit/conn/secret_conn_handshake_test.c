/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake of a whole connection against a peer played by hand: every order of events, auth
 * messages in any number of frames, and each refusal with its exact code next to a twin that is
 * accepted. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/test_hex.h"
#include "tests/support/vectors.h"
#include "tests/unit/conn/secret_conn_rig.h"

static sy_scratch *scratch;

static void setup(void) {
    cr_assert_eq(sy_scratch_new(sy_mem_libc(), &scratch), SY_OK);
}

static void teardown(void) {
    sy_scratch_del(scratch);
}

TestSuite(secret_conn, .init = setup, .fini = teardown);

/* A side that waits for the auth message of the hand. */
static void begin(rig_side *side, rig_hand *hand, const sy_suite *suite) {
    rig_keys one;
    rig_keys two;
    rig_bytes bytes = {.data = NULL};
    rig_keys_numbered(&one, 1);
    rig_keys_numbered(&two, 2);
    rig_side_init(side, suite, scratch, &one);
    rig_hand_init(hand, suite, &two, one.eph_pub);
    rig_hand_ephemeral(hand, &bytes);
    cr_assert_eq(rig_side_feed(side, bytes.data, bytes.len, bytes.len), SY_OK);
    rig_bytes_free(&bytes);
}

/* Nothing comes out of a dead connection, and it repeats its error. */
static void check_dead(rig_side *side, sy_err err) {
    uint8_t buf[SY_SEALED_LEN] = {0};
    size_t len = 77;
    sy_sc_event event = {.kind = (sy_sc_event_kind)99};
    cr_assert(!sy_secret_conn_wants_send(side->conn));
    cr_assert(!sy_secret_conn_is_open(side->conn));
    cr_assert_eq(sy_secret_conn_send(side->conn, scratch, buf, sizeof buf, &len), err);
    cr_assert_eq(sy_secret_conn_recv(side->conn, scratch, buf, sizeof buf, &len, &event, NULL),
                 err);
    cr_assert_eq(sy_secret_conn_recv(side->conn, scratch, NULL, 0, &len, &event, NULL), err);
    cr_assert_eq(sy_secret_conn_seal(side->conn, scratch, 1, buf, sizeof buf, &len), err);
    cr_assert_eq(len, 77);
    cr_assert_eq((int)event.kind, 99);
    cr_assert_eq(side->tm.live_blocks, 1, "only the object itself is left");
}

/* Sends msg as the data of frames of at most `piece` bytes and tells what the side says. */
static sy_err answer_to(const sy_suite *suite, const uint8_t *msg, size_t len, size_t piece,
                        char *ret_detail) {
    rig_side side;
    rig_hand hand;
    rig_bytes in = {.data = NULL};
    begin(&side, &hand, suite);
    for (size_t at = 0; at < len; at += piece) {
        rig_hand_data(&hand, msg + at, len - at < piece ? len - at : piece, &in);
    }
    const sy_err err = rig_side_feed(&side, in.data, in.len, in.len);
    (void)snprintf(ret_detail, SY_DETAIL_CAP, "%s", side.detail.text);
    if (err == SY_OK) {
        cr_assert_eq(side.auth_events, 1);
        cr_assert_arr_eq(side.remote_pubkey, hand.keys.sign_pub, 32);
    } else {
        cr_assert_eq(side.auth_events, 0);
        check_dead(&side, err);
    }
    cr_assert_eq(side.data_events, 0);
    rig_bytes_free(&in);
    rig_side_fini(&side);
    return err;
}

/* The honest auth message of hand 2 for side 1. */
static size_t honest_auth(const sy_suite *suite, uint8_t *out) {
    rig_keys one;
    rig_keys two;
    rig_hand hand;
    rig_keys_numbered(&one, 1);
    rig_keys_numbered(&two, 2);
    rig_hand_init(&hand, suite, &two, one.eph_pub);
    rig_hand_auth(&hand, out);
    return suite->auth_msg_len;
}

/* SPEC-TEST STS-20 STS-31 CC-24 CC-35 */
Test(secret_conn, the_auth_message_may_take_any_number_of_frames) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        uint8_t msg[256];
        char detail[SY_DETAIL_CAP];
        const size_t len = honest_auth(rig_suites[s], msg);
        for (size_t piece = 1; piece <= len; piece += piece < 4 ? 1 : 9) {
            cr_assert_eq(answer_to(rig_suites[s], msg, len, piece, detail), SY_OK, "%s: %zu",
                         rig_suites[s]->name, piece);
        }
    }
}

typedef struct refusal {
    const char *name;
    size_t at; /* bytes of the honest message that are replaced from here */
    size_t cut;
    const char *hex;
    sy_err err[RIG_SUITES];
} refusal;

#define BOTH(e)                                                                                    \
    { (e), (e) }

/* Changes of the honest message that both suites refuse for the same reason. */
static const refusal refusals[] = {
    {"unchanged", 0, 0, "", BOTH(SY_OK)},
    {"length 1023", 0, 1, "ff07", BOTH(SY_ERR_AUTH_TOO_LONG)},
    {"length 1 MiB", 0, 1, "808040", BOTH(SY_ERR_AUTH_TOO_LONG)},
    {"length 2^32", 0, 1, "8080808010", BOTH(SY_ERR_AUTH_TOO_LONG)},
    {"length 2^64 - 1", 0, 1, "ffffffffffffffffff01", BOTH(SY_ERR_AUTH_TOO_LONG)},
    {"length of more than 64 bits", 0, 1, "ffffffffffffffffff02", BOTH(SY_ERR_AUTH_MALFORMED)},
    {"length of eleven bytes", 0, 1, "ffffffffffffffffffff01", BOTH(SY_ERR_AUTH_MALFORMED)},
    {"length in two bytes too many", 0, 1, "e68000", BOTH(SY_ERR_VARINT_MINIMAL)},
    {"zero in two bytes", 0, 1, "8000", BOTH(SY_ERR_VARINT_MINIMAL)},
    {"zero", 0, 1, "00", BOTH(SY_ERR_AUTH_NO_KEY)},
};

/* SPEC-TEST STS-22 STS-23 CC-26 CC-27 */
Test(secret_conn, the_length_of_the_auth_message) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
            const refusal *row = &refusals[i];
            uint8_t honest[256];
            uint8_t msg[512];
            char detail[SY_DETAIL_CAP];
            const size_t len = honest_auth(rig_suites[s], honest);
            size_t n = test_hex(row->hex, msg, sizeof msg);
            memcpy(msg + n, honest + row->cut, len - row->cut);
            n += len - row->cut;
            /* Whole, and with the length alone in one-byte frames. */
            cr_assert_eq(answer_to(rig_suites[s], msg, n, n, detail), row->err[s], "%s row %s: %s",
                         rig_suites[s]->name, row->name, detail);
            cr_assert_eq(answer_to(rig_suites[s], msg, n, 1, detail), row->err[s],
                         "%s row %s in bytes: %s", rig_suites[s]->name, row->name, detail);
        }
    }
}

/* A message of exactly the limit, filled with an unknown field; one byte more is refused before a
 * byte of the body came.  SPEC-TEST STS-22 STS-24 CC-26 CC-28 */
Test(secret_conn, the_longest_auth_message) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t extra = 0; extra <= 1; extra++) {
            uint8_t honest[256];
            uint8_t msg[SY_AUTH_MSG_MAX + 1] = {0};
            char detail[SY_DETAIL_CAP];
            const size_t len = honest_auth(rig_suites[s], honest);
            const size_t total = SY_AUTH_MSG_MAX + extra;
            const size_t fill = total - 2 - (len - 1) - 3;
            msg[0] = (uint8_t)(0x80 | ((total - 2) & 0x7f));
            msg[1] = (uint8_t)((total - 2) >> 7);
            memcpy(msg + 2, honest + 1, len - 1);
            msg[len + 1] = 0x7a; /* field 15, bytes */
            msg[len + 2] = (uint8_t)(0x80 | (fill & 0x7f));
            msg[len + 3] = (uint8_t)(fill >> 7);

            if (extra == 0) {
                cr_assert_eq(answer_to(rig_suites[s], msg, total, SY_FRAME_DATA_MAX, detail), SY_OK,
                             "%s: %s", rig_suites[s]->name, detail);
                cr_assert_eq(answer_to(rig_suites[s], msg, total, 1000, detail), SY_OK);
            } else {
                cr_assert_eq(answer_to(rig_suites[s], msg, 2, 2, detail), SY_ERR_AUTH_TOO_LONG);
            }
        }
    }
}

/* The signature: of another message, of another key, changed, and with a scalar that is too large.
 * SPEC-TEST STS-30 CC-34 */
Test(secret_conn, a_wrong_signature_is_refused) {
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    for (size_t s = 0; s < RIG_SUITES; s++) {
        uint8_t msg[256];
        char detail[SY_DETAIL_CAP];
        const size_t len = honest_auth(rig_suites[s], msg);
        uint8_t *sig = msg + len - 64;
        uint8_t *key = msg + (rig_suites[s] == &sy_suite_secretbox ? 8 : 5);
        uint8_t saved[64];
        memcpy(saved, sig, 64);
        for (size_t at = 0; at < 64; at += 7) {
            sig[at] ^= 1;
            cr_assert_eq(answer_to(rig_suites[s], msg, len, len, detail), SY_ERR_AUTH_SIG,
                         "%s byte %zu", rig_suites[s]->name, at);
            sig[at] ^= 1;
        }
        key[3] ^= 1;
        cr_assert_eq(answer_to(rig_suites[s], msg, len, len, detail), SY_ERR_AUTH_SIG);
        key[3] ^= 1;

        /* S + L verifies where nobody looks at the range of S. */
        unsigned carry = 0;
        for (size_t i = 0; i < 32; i++) {
            carry += (unsigned)sig[32 + i] + order[i];
            sig[32 + i] = (uint8_t)carry;
            carry >>= 8;
        }
        cr_assert_eq(answer_to(rig_suites[s], msg, len, len, detail), SY_ERR_AUTH_SIG);
        memcpy(sig, saved, 64);
        cr_assert_eq(answer_to(rig_suites[s], msg, len, len, detail), SY_OK);
    }
}

/* Our own auth message sent back is refused by its signature's frame; one that was recorded in
 * another handshake by its challenge.  SPEC-TEST STS-30 CC-34 */
Test(secret_conn, an_auth_message_of_another_handshake_is_refused) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_keys three;
        rig_keys two;
        rig_hand other;
        uint8_t msg[256];
        char detail[SY_DETAIL_CAP];
        rig_keys_numbered(&three, 3);
        rig_keys_numbered(&two, 2);
        rig_hand_init(&other, rig_suites[s], &two, three.eph_pub);
        rig_hand_auth(&other, msg);
        cr_assert_eq(answer_to(rig_suites[s], msg, rig_suites[s]->auth_msg_len, 1024, detail),
                     SY_ERR_AUTH_SIG);
    }
}

/* The auth rows of the vector files are for the keys of the vector files: run them through a
 * connection that has those keys.  Every row with its verdict, also what the prefix decides. */
static void run_vector_rows(size_t s, const char *handshake, const char *decoder) {
    vec_file *hs_file = vec_open(handshake);
    vec_file *file = vec_open(decoder);
    const vec_node *sides = vec_get(vec_root(hs_file), "sides");
    const vec_node *rows = vec_get(vec_root(file), "auth");
    uint8_t seed[32] = {9};
    uint8_t eph[32];
    uint8_t remote_pub[32];
    rig_keys ours;
    rig_keys theirs;
    /* The rows are A's. */
    vec_hex(vec_at(sides, 1), "ephemeral_private", eph, 32);
    rig_keys_init(&ours, seed, eph);
    vec_hex(vec_at(sides, 0), "ephemeral_private", eph, 32);
    rig_keys_init(&theirs, seed, eph);
    vec_hex(vec_at(sides, 0), "pubkey", remote_pub, 32);

    for (size_t i = 0; i < 2 * vec_len(rows); i++) {
        const vec_node *row = vec_at(rows, i / 2);
        const bool repaired = i % 2 == 1;
        if (repaired && !vec_has(row, "repaired")) {
            continue;
        }
        uint8_t msg[512];
        rig_side side;
        rig_hand hand;
        rig_bytes in = {.data = NULL};
        const size_t len = vec_hex(row, repaired ? "repaired" : "hex", msg, sizeof msg);
        rig_side_init(&side, rig_suites[s], scratch, &ours);
        rig_hand_init(&hand, rig_suites[s], &theirs, ours.eph_pub);
        rig_hand_ephemeral(&hand, &in);
        rig_hand_data(&hand, msg, len, &in);
        const sy_err err = rig_side_feed(&side, in.data, in.len, in.len);
        const bool accept = repaired || vec_is_accept(row);
        cr_assert_eq(err == SY_OK, accept, "%s row %s: %s", rig_suites[s]->name, vec_name(row),
                     sy_err_name(err));
        if (accept) {
            cr_assert_arr_eq(side.remote_pubkey, remote_pub, 32);
        } else if (strstr(vec_name(row), "signature of the other side") != NULL ||
                   strstr(vec_name(row), "flipped") != NULL ||
                   strstr(vec_name(row), "changed") != NULL) {
            cr_assert_eq(err, SY_ERR_AUTH_SIG, "row %s", vec_name(row));
        } else if (strcmp(vec_name(row), "non-minimal outer length") == 0) {
            cr_assert_eq(err, SY_ERR_VARINT_MINIMAL);
        } else {
            cr_assert_eq(sy_err_class_of(err), SY_ERR_CLASS_PEER, "row %s", vec_name(row));
        }
        rig_bytes_free(&in);
        rig_side_fini(&side);
    }
    vec_close(file);
    vec_close(hs_file);
}

/* SPEC-TEST STS-23 STS-30 CC-27 CC-34 */
Test(secret_conn, auth_rows_of_the_vectors_through_a_connection) {
    run_vector_rows(0, "tendermint/secret-connection.json", "tendermint/decoder.json");
    run_vector_rows(1, "cometbft/secret-connection.json", "cometbft/decoder.json");
}

/* Low-order points and the own key end the connection; nothing but the own ephemeral message was
 * sent by then.  SPEC-TEST STS-05 STS-06 CC-06 CC-07 */
Test(secret_conn, unusable_ephemeral_keys) {
    vec_file *file = vec_open("low-order.json");
    const vec_node *points = vec_get(vec_root(file), "points");
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t i = 0; i <= vec_len(points); i++) {
            const bool reflected = i == vec_len(points);
            rig_keys keys;
            rig_side side;
            rig_bytes sent = {.data = NULL};
            uint8_t point[32];
            uint8_t msg[SY_EPH_MSG_MAX];
            rig_keys_numbered(&keys, 1);
            rig_side_init(&side, rig_suites[s], scratch, &keys);
            cr_assert_eq(rig_side_send(&side, &sent), SY_OK);
            memcpy(point, keys.eph_pub, 32);
            if (!reflected) {
                vec_hex(vec_at(points, i), "point", point, 32);
            }
            rig_suites[s]->encode_ephemeral(point, msg);
            const sy_err want = reflected ? SY_ERR_EPH_REFLECTED : SY_ERR_EPH_LOW_ORDER;
            cr_assert_eq(rig_side_feed(&side, msg, rig_suites[s]->eph_msg_len, 7), want);
            check_dead(&side, want);
            cr_assert_eq(sent.len, rig_suites[s]->eph_msg_len);
            rig_bytes_free(&sent);
            rig_side_fini(&side);
        }
    }
    vec_close(file);
}

/* A wrong first byte is refused when it came, not when the message is complete.
 * SPEC-TEST STS-03 CC-03 CC-04 */
Test(secret_conn, a_wrong_ephemeral_message_is_refused_at_once) {
    static const struct {
        const char *hex;
        sy_err err[RIG_SUITES];
    } rows[] = {
        {"20", BOTH(SY_ERR_EPH_LENGTH)},
        {"23", BOTH(SY_ERR_EPH_LENGTH)},
        {"2121", {SY_ERR_EPH_LENGTH, SY_ERR_EPH_LENGTH}},
        {"220b", {SY_ERR_EPH_LENGTH, SY_ERR_EPH_MALFORMED}},
        {"220a1f", {SY_ERR_EPH_LENGTH, SY_ERR_EPH_LENGTH}},
    };
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            rig_keys keys;
            rig_side side;
            uint8_t msg[8];
            rig_keys_numbered(&keys, 1);
            rig_side_init(&side, rig_suites[s], scratch, &keys);
            const size_t len = test_hex(rows[i].hex, msg, sizeof msg);
            cr_assert_eq(rig_side_feed(&side, msg, len, 1), rows[i].err[s], "%s %s",
                         rig_suites[s]->name, rows[i].hex);
            cr_assert_neq(side.detail.text[0], '\0');
            check_dead(&side, rows[i].err[s]);
            rig_side_fini(&side);
        }
    }
}

/* An empty frame is refused while the auth message is due, also between its parts.
 * SPEC-TEST STS-19 CC-23 */
Test(secret_conn, no_empty_frame_before_the_auth_message_is_complete) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t have = 0; have <= 50; have += 50) {
            rig_side side;
            rig_hand hand;
            rig_bytes in = {.data = NULL};
            uint8_t msg[256];
            begin(&side, &hand, rig_suites[s]);
            rig_hand_auth(&hand, msg);
            if (have > 0) {
                rig_hand_data(&hand, msg, have, &in);
            }
            rig_hand_data(&hand, NULL, 0, &in);
            rig_hand_data(&hand, msg + have, rig_suites[s]->auth_msg_len - have, &in);
            cr_assert_eq(rig_side_feed(&side, in.data, in.len, in.len), SY_ERR_FRAME_EMPTY);
            check_dead(&side, SY_ERR_FRAME_EMPTY);
            rig_bytes_free(&in);
            rig_side_fini(&side);
        }
    }
}

/* Data behind the auth message in its frame comes right after AUTHENTICATED, complete, also when
 * nothing else is received and whether or not our own half is done.  SPEC-TEST STS-20 CC-24 */
Test(secret_conn, data_may_follow_the_auth_message_in_its_frame) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        const size_t room = SY_FRAME_DATA_MAX - rig_suites[s]->auth_msg_len;
        const size_t sizes[] = {1, 2, 500, room - 1, room};
        for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
            const size_t extra = sizes[i / 2];
            const bool send_first = i % 2 == 0;
            rig_side side;
            rig_hand hand;
            rig_bytes in = {.data = NULL};
            rig_bytes out = {.data = NULL};
            uint8_t msg[SY_FRAME_DATA_MAX];
            uint8_t more[10];
            memset(msg, 0xab, sizeof msg);
            memset(more, 0xab, sizeof more);
            begin(&side, &hand, rig_suites[s]);
            if (send_first) {
                cr_assert_eq(rig_side_send(&side, &out), SY_OK);
            }
            rig_hand_auth(&hand, msg);
            rig_hand_data(&hand, msg, rig_suites[s]->auth_msg_len + extra, &in);

            cr_assert_eq(rig_side_feed(&side, in.data, in.len, in.len), SY_OK);
            cr_assert_eq(side.auth_events, 1);
            cr_assert_eq(side.plain_at_auth, 0);
            cr_assert_eq(side.plain.len, extra);
            cr_assert_eq(memcmp(side.plain.data, msg + rig_suites[s]->auth_msg_len, extra), 0);
            cr_assert_eq(sy_secret_conn_is_open(side.conn), send_first);

            in.len = 0;
            rig_hand_data(&hand, more, sizeof more, &in);
            cr_assert_eq(rig_side_feed(&side, in.data, in.len, in.len), SY_OK);
            cr_assert_eq(side.plain.len, extra + sizeof more);
            cr_assert_eq(rig_side_send(&side, &out), SY_OK);
            cr_assert(sy_secret_conn_is_open(side.conn));
            cr_assert_eq(side.tm.live_blocks, 1, "the handshake block is gone");
            rig_bytes_free(&in);
            rig_bytes_free(&out);
            rig_side_fini(&side);
        }
    }
}

/* Ephemeral key and auth message leave together when the remote was faster, and separately when
 * only one frame of room is there. */
Test(secret_conn, both_messages_in_one_write) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        rig_hand hand;
        uint8_t out[2 * SY_SEALED_LEN];
        uint8_t frame[SY_FRAME_LEN];
        uint8_t auth[256];
        size_t len = 0;
        begin(&side, &hand, rig_suites[s]);
        cr_assert_eq(sy_secret_conn_send(side.conn, scratch, out, sizeof out, &len), SY_OK);
        cr_assert_eq(len, rig_suites[s]->eph_msg_len + SY_SEALED_LEN);
        cr_assert(rig_hand_open(&hand, out + rig_suites[s]->eph_msg_len, frame));
        /* The data is the message and the padding is zero. */
        hand.keys = side.keys;
        rig_hand_auth(&hand, auth);
        const size_t n = rig_suites[s]->auth_msg_len;
        cr_assert_arr_eq(frame + 4, auth, n);
        cr_assert(sodium_is_zero(frame + 4 + n, SY_FRAME_DATA_MAX - n));
        rig_side_fini(&side);

        begin(&side, &hand, rig_suites[s]);
        cr_assert_eq(sy_secret_conn_send(side.conn, scratch, out, SY_SEALED_LEN, &len), SY_OK);
        cr_assert_eq(len, rig_suites[s]->eph_msg_len);
        cr_assert(sy_secret_conn_wants_send(side.conn));
        cr_assert_eq(sy_secret_conn_send(side.conn, scratch, out, SY_SEALED_LEN, &len), SY_OK);
        cr_assert_eq(len, SY_SEALED_LEN);
        cr_assert(!sy_secret_conn_wants_send(side.conn));
        cr_assert_eq(sy_secret_conn_send(side.conn, scratch, out, SY_SEALED_LEN, &len), SY_OK);
        cr_assert_eq(len, 0);
        rig_side_fini(&side);
    }
}

/* The signer's error ends the connection. */
Test(secret_conn, a_signer_that_fails) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_side side;
        rig_hand hand;
        rig_bytes out = {.data = NULL};
        begin(&side, &hand, rig_suites[s]);
        side.sign_err = SY_ERR_SYSTEM;
        cr_assert_eq(rig_side_send(&side, &out), SY_ERR_SYSTEM);
        cr_assert_eq(out.len, rig_suites[s]->eph_msg_len, "the ephemeral key needs no signature");
        check_dead(&side, SY_ERR_SYSTEM);
        rig_bytes_free(&out);
        rig_side_fini(&side);
    }
}
