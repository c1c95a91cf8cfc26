/* SPDX-License-Identifier: Apache-2.0 */
/* Whole handshakes with the fixed keys of the vectors: our bytes are the recorded bytes, and the
 * recorded bytes of the other side authenticate it. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "tests/support/test_hex.h"
#include "tests/support/vectors.h"
#include "tests/unit/conn/secret_conn_rig.h"

static const char *const files[RIG_SUITES] = {"tendermint/secret-connection.json",
                                              "cometbft/secret-connection.json"};

static void side_from_vector(rig_side *side, const sy_suite *suite, sy_scratch *scratch,
                             const vec_node *node) {
    uint8_t seed[32];
    uint8_t eph[32];
    rig_keys keys;
    cr_assert_eq(vec_hex(node, "seed", seed, 32), 32);
    cr_assert_eq(vec_hex(node, "ephemeral_private", eph, 32), 32);
    rig_keys_init(&keys, seed, eph);
    rig_side_init(side, suite, scratch, &keys);
}

/* The recorded stream of one side: ephemeral message and auth frame. */
static void recorded_stream(const vec_node *node, rig_bytes *out) {
    uint8_t buf[2048];
    rig_bytes_add(out, buf, vec_hex(node, "ephemeral_message", buf, sizeof buf));
    rig_bytes_add(out, buf, vec_hex(node, "auth_frame", buf, sizeof buf));
}

static void check_digest(const vec_node *node, const char *key, const uint8_t *data, size_t len) {
    uint8_t want[32];
    uint8_t got[32];
    cr_assert_eq(vec_hex(node, key, want, 32), 32);
    crypto_hash_sha256(got, data, len);
    cr_assert_arr_eq(got, want, 32, "%s %s", vec_name(node), key);
}

static void check_side(const sy_suite *suite, sy_scratch *scratch, const vec_node *us,
                       const vec_node *them) {
    rig_side side;
    rig_bytes sent = {.data = NULL};
    rig_bytes want = {.data = NULL};
    rig_bytes in = {.data = NULL};
    uint8_t pubkey[32];
    recorded_stream(us, &want);
    recorded_stream(them, &in);
    side_from_vector(&side, suite, scratch, us);

    /* Our ephemeral message is due at once, without anything received. */
    cr_assert(sy_secret_conn_wants_send(side.conn));
    cr_assert_eq(rig_side_send(&side, &sent), SY_OK);
    cr_assert_eq(sent.len, suite->eph_msg_len);
    cr_assert(!sy_secret_conn_wants_send(side.conn));
    /* The auth message is due as soon as the remote's ephemeral key is there. */
    cr_assert_eq(rig_side_feed(&side, in.data, suite->eph_msg_len, in.len), SY_OK);
    cr_assert(sy_secret_conn_wants_send(side.conn));
    cr_assert_eq(rig_side_send(&side, &sent), SY_OK);
    cr_assert_eq(sent.len, want.len);
    cr_assert_eq(memcmp(sent.data, want.data, want.len), 0, "%s %s", suite->name, vec_name(us));
    check_digest(us, "auth_frame_sha256", sent.data + suite->eph_msg_len, SY_SEALED_LEN);
    if (vec_has(us, "stream_sha256")) {
        check_digest(us, "stream_sha256", sent.data, sent.len);
    }

    cr_assert(!sy_secret_conn_is_open(side.conn));
    cr_assert_eq(rig_side_feed(&side, in.data + suite->eph_msg_len, SY_SEALED_LEN, in.len), SY_OK);
    cr_assert_eq(side.auth_events, 1);
    cr_assert_eq(vec_hex(them, "pubkey", pubkey, 32), 32);
    cr_assert_arr_eq(side.remote_pubkey, pubkey, 32);
    cr_assert(sy_secret_conn_is_open(side.conn));
    rig_bytes_free(&sent);
    rig_bytes_free(&want);
    rig_bytes_free(&in);
    rig_side_fini(&side);
}

/* SPEC-TEST STS-01 STS-02 STS-12 STS-21 STS-31 CC-01 CC-02 CC-14 CC-25 CC-35 */
Test(secret_conn, handshakes_of_the_reference) {
    sy_scratch *scratch = NULL;
    cr_assert_eq(sy_scratch_new(sy_mem_libc(), &scratch), SY_OK);
    for (size_t s = 0; s < RIG_SUITES; s++) {
        vec_file *file = vec_open(files[s]);
        const vec_node *sides = vec_get(vec_root(file), "sides");
        check_side(rig_suites[s], scratch, vec_at(sides, 0), vec_at(sides, 1));
        check_side(rig_suites[s], scratch, vec_at(sides, 1), vec_at(sides, 0));
        vec_close(file);
    }
    sy_scratch_del(scratch);
}

/* The second frame of A, which carries its NodeInfo: sealed by A, opened by B.
 * SPEC-TEST STS-11 CC-16 */
Test(secret_conn, the_frame_after_the_handshake) {
    sy_scratch *scratch = NULL;
    cr_assert_eq(sy_scratch_new(sy_mem_libc(), &scratch), SY_OK);
    for (size_t s = 0; s < RIG_SUITES; s++) {
        vec_file *file = vec_open(files[s]);
        const vec_node *sides = vec_get(vec_root(file), "sides");
        const vec_node *frame = vec_get(vec_root(file), "node_info_frame");
        uint8_t plain[1024];
        uint8_t sealed[2048];
        const size_t plain_len = vec_hex(frame, "plain", plain, sizeof plain);
        const size_t sealed_len = vec_hex(frame, "sealed", sealed, sizeof sealed);
        cr_assert_eq(sealed_len, SY_SEALED_LEN);
        rig_side a;
        rig_side b;
        side_from_vector(&a, rig_suites[s], scratch, vec_at(sides, 0));
        side_from_vector(&b, rig_suites[s], scratch, vec_at(sides, 1));
        rig_shake(&a, &b, SIZE_MAX);

        rig_bytes out = {.data = NULL};
        cr_assert_eq(rig_side_seal(&a, plain, plain_len, &out), SY_OK);
        cr_assert_eq(out.len, sealed_len);
        cr_assert_eq(memcmp(out.data, sealed, sealed_len), 0, "%s: %s", rig_suites[s]->name,
                     test_hex_of(out.data, 32));
        check_digest(frame, "sha256", out.data, out.len);
        cr_assert_eq(rig_side_feed(&b, sealed, sealed_len, sealed_len), SY_OK);
        cr_assert_eq(b.plain.len, plain_len);
        cr_assert_eq(memcmp(b.plain.data, plain, plain_len), 0);
        rig_bytes_free(&out);
        rig_side_fini(&a);
        rig_side_fini(&b);
        vec_close(file);
    }
    sy_scratch_del(scratch);
}
