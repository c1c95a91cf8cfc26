/* SPDX-License-Identifier: Apache-2.0 */
/* Key schedules and handshake messages of both suites against the vectors, and each row that a
 * decoder refuses with its exact code, next to its repaired twin. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "tests/support/test_hex.h"
#include "tests/support/vectors.h"
#include "tests/unit/conn/secret_conn_rig.h"

typedef struct suite_files {
    const sy_suite *suite;
    const char *handshake;
    const char *decoder;
} suite_files;

static const suite_files files[] = {
    {&sy_suite_secretbox, "tendermint/secret-connection.json", "tendermint/decoder.json"},
    {&sy_suite_cometbft, "cometbft/secret-connection.json", "cometbft/decoder.json"},
};

static void expect_hex(const vec_node *node, const char *key, const uint8_t *got, size_t len,
                       const char *row) {
    uint8_t want[2048];
    cr_assert_eq(vec_hex(node, key, want, sizeof want), len, "%s %s", row, key);
    cr_assert_arr_eq(got, want, len, "%s %s: %s", row, key, test_hex_of(got, len));
}

static void check_schedule(const suite_files *f, const vec_node *root, const vec_node *side,
                           const vec_node *other) {
    const char *row = vec_name(side);
    uint8_t secret[32];
    uint8_t pub[32];
    uint8_t remote[32];
    uint8_t key[64];
    sy_key_schedule keys;
    cr_assert_eq(vec_hex(side, "ephemeral_private", secret, 32), 32);
    cr_assert_eq(vec_hex(other, "ephemeral_public", remote, 32), 32);
    crypto_scalarmult_base(pub, secret);
    expect_hex(side, "ephemeral_public", pub, 32, row);
    cr_assert_eq(memcmp(pub, remote, 32) < 0, vec_bool(side, "is_lower"));

    cr_assert_eq(f->suite->derive(secret, pub, remote, &keys), SY_OK);

    expect_hex(root, "challenge", keys.challenge, 32, row);
    if (f->suite == &sy_suite_secretbox) {
        expect_hex(root, "frame_key", keys.send.key, 32, row);
        expect_hex(root, "frame_key", keys.recv.key, 32, row);
        expect_hex(side, "send_nonce", keys.send.nonce, 24, row);
        expect_hex(side, "recv_nonce", keys.recv.nonce, 24, row);
    } else {
        const bool lower = vec_bool(side, "is_lower");
        memcpy(key, lower ? keys.recv.key : keys.send.key, 32);
        memcpy(key + 32, lower ? keys.send.key : keys.recv.key, 32);
        expect_hex(root, "okm", key, 64, row);
        expect_hex(side, "send_key", keys.send.key, 32, row);
        expect_hex(side, "recv_key", keys.recv.key, 32, row);
        cr_assert(sodium_is_zero(keys.send.nonce, 24));
        cr_assert(sodium_is_zero(keys.recv.nonce, 24));
    }
}

static void check_messages(const suite_files *f, const vec_node *root, const vec_node *side) {
    const char *row = vec_name(side);
    uint8_t challenge[32];
    uint8_t seed[32];
    uint8_t secret[64];
    uint8_t msg[256];
    uint8_t pub[32];
    sy_auth_msg auth;
    sy_auth_msg back;
    size_t used = 0;
    cr_assert_eq(vec_hex(side, "ephemeral_public", pub, 32), 32);
    f->suite->encode_ephemeral(pub, msg);
    expect_hex(side, "ephemeral_message", msg, f->suite->eph_msg_len, row);
    cr_assert_eq(f->suite->decode_ephemeral(msg, f->suite->eph_msg_len, &used, auth.pubkey, NULL),
                 SY_OK);
    cr_assert_eq(used, f->suite->eph_msg_len);
    cr_assert_arr_eq(auth.pubkey, pub, 32);

    cr_assert_eq(vec_hex(root, "challenge", challenge, 32), 32);
    cr_assert_eq(vec_hex(side, "seed", seed, 32), 32);
    crypto_sign_seed_keypair(auth.pubkey, secret, seed);
    crypto_sign_detached(auth.sig, NULL, challenge, 32, secret);
    expect_hex(side, "pubkey", auth.pubkey, 32, row);
    expect_hex(side, "signature", auth.sig, 64, row);
    f->suite->encode_auth(&auth, msg);
    expect_hex(side, "auth_message", msg, f->suite->auth_msg_len, row);
    cr_assert_eq(f->suite->decode_auth(msg + 1, f->suite->auth_msg_len - 1, &back, NULL), SY_OK);
    cr_assert_eq(memcmp(&back, &auth, sizeof auth), 0);
}

/* SPEC-TEST STS-01 STS-08 STS-09 STS-10 STS-21 CC-01 CC-09 CC-10 CC-11 CC-25 */
Test(suite, schedules_and_messages_of_the_reference) {
    for (size_t i = 0; i < RIG_SUITES; i++) {
        vec_file *file = vec_open(files[i].handshake);
        const vec_node *root = vec_root(file);
        const vec_node *sides = vec_get(root, "sides");
        for (size_t k = 0; k < 2; k++) {
            check_schedule(&files[i], root, vec_at(sides, k), vec_at(sides, 1 - k));
            check_messages(&files[i], root, vec_at(sides, k));
        }
        vec_close(file);
    }
}

/* Low-order points, all encodings.  SPEC-TEST STS-06 CC-07 */
Test(suite, low_order_points_are_refused) {
    vec_file *file = vec_open("low-order.json");
    const vec_node *points = vec_get(vec_root(file), "points");
    cr_assert_eq(vec_len(points), 14);
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t i = 0; i < vec_len(points); i++) {
            rig_keys keys;
            uint8_t point[32];
            sy_key_schedule schedule;
            memset(&schedule, 0xcc, sizeof schedule);
            const sy_key_schedule before = schedule;
            rig_keys_numbered(&keys, 1);
            cr_assert_eq(vec_hex(vec_at(points, i), "point", point, 32), 32);
            cr_assert_eq(rig_suites[s]->derive(keys.eph_secret, keys.eph_pub, point, &schedule),
                         SY_ERR_EPH_LOW_ORDER, "%s %s", rig_suites[s]->name,
                         vec_name(vec_at(points, i)));
            cr_assert_eq(memcmp(&schedule, &before, sizeof before), 0, "output was written");
        }
    }
    vec_close(file);
}

/* The own key, also with the bit that X25519 ignores.  SPEC-TEST STS-05 CC-06 */
Test(suite, the_own_key_is_refused) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        rig_keys keys;
        sy_key_schedule schedule;
        uint8_t point[32];
        rig_keys_numbered(&keys, 1);
        memcpy(point, keys.eph_pub, 32);
        cr_assert_eq(rig_suites[s]->derive(keys.eph_secret, keys.eph_pub, point, &schedule),
                     SY_ERR_EPH_REFLECTED);
        point[31] ^= 0x80;
        cr_assert_eq(rig_suites[s]->derive(keys.eph_secret, keys.eph_pub, point, &schedule),
                     SY_ERR_EPH_REFLECTED);
        point[31] ^= 0x80;
        point[0] ^= 1;
        cr_assert_eq(rig_suites[s]->derive(keys.eph_secret, keys.eph_pub, point, &schedule), SY_OK);
    }
}

typedef struct verdict {
    const char *name;
    sy_err err;
} verdict;

/* Codes of the rows that the vector files refuse. */
static const verdict ephemeral_verdicts[RIG_SUITES][8] = {
    {{"31 bytes", SY_ERR_EPH_LENGTH},
     {"33 bytes", SY_ERR_EPH_LENGTH},
     {"trailing byte", SY_ERR_EPH_LENGTH},
     {"non-minimal outer length", SY_ERR_EPH_LENGTH}},
    {{"31 bytes", SY_ERR_EPH_LENGTH},
     {"33 bytes", SY_ERR_EPH_LENGTH},
     {"empty message", SY_ERR_EPH_LENGTH},
     {"value as varint", SY_ERR_EPH_LENGTH},
     {"announced length above 1 MiB", SY_ERR_EPH_LENGTH},
     {"non-minimal outer length", SY_ERR_EPH_LENGTH}},
};

/* The secret connection reads the prefix itself; rows that only it can refuse have SY_OK here and
 * are run through a whole connection in secret_conn_handshake_test.c. */
static const verdict auth_verdicts[RIG_SUITES][24] = {
    {{"interface length of the key not minimal", SY_ERR_AUTH_MALFORMED},
     {"no key, no signature (zero message)", SY_ERR_AUTH_NO_KEY},
     {"no key", SY_ERR_AUTH_NO_KEY},
     {"no signature", SY_ERR_AUTH_NO_SIG},
     {"signature before key", SY_ERR_AUTH_MALFORMED},
     {"key twice", SY_ERR_AUTH_MALFORMED},
     {"key of 31 bytes", SY_ERR_AUTH_MALFORMED},
     {"key of 33 bytes", SY_ERR_AUTH_MALFORMED},
     {"signature of 63 bytes", SY_ERR_AUTH_MALFORMED},
     {"signature of 65 bytes", SY_ERR_AUTH_MALFORMED},
     {"key with the prefix of secp256k1", SY_ERR_AUTH_KEY_TYPE},
     {"signature with the prefix of secp256k1", SY_ERR_AUTH_SIG_TYPE},
     {"unknown prefix of the key", SY_ERR_AUTH_KEY_TYPE},
     {"trailing byte inside the key", SY_ERR_AUTH_MALFORMED},
     {"cut", SY_ERR_AUTH_MALFORMED},
     {"key as varint", SY_ERR_AUTH_MALFORMED},
     {"field number 0 appended", SY_ERR_AUTH_MALFORMED}},
    {{"empty message", SY_ERR_AUTH_NO_KEY},
     {"no key", SY_ERR_AUTH_NO_KEY},
     {"empty key message", SY_ERR_AUTH_NO_KEY},
     {"no signature", SY_ERR_AUTH_NO_SIG},
     {"secp256k1 key", SY_ERR_AUTH_KEY_TYPE},
     {"key of 31 bytes", SY_ERR_AUTH_MALFORMED},
     {"key of 33 bytes", SY_ERR_AUTH_MALFORMED},
     {"signature of 63 bytes", SY_ERR_AUTH_MALFORMED},
     {"signature of 65 bytes", SY_ERR_AUTH_MALFORMED},
     {"key as varint", SY_ERR_AUTH_MALFORMED},
     {"field number 0", SY_ERR_AUTH_MALFORMED},
     {"cut", SY_ERR_AUTH_MALFORMED}},
};

static sy_err verdict_of(const verdict *table, size_t rows, const char *name) {
    for (size_t i = 0; i < rows && table[i].name != NULL; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return table[i].err;
        }
    }
    return SY_OK;
}

/* SPEC-TEST STS-03 CC-03 CC-04 */
Test(suite, ephemeral_rows_of_the_vectors) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        vec_file *file = vec_open(files[s].decoder);
        const vec_node *rows = vec_get(vec_root(file), "ephemeral");
        cr_assert_gt(vec_len(rows), 0);
        for (size_t i = 0; i < vec_len(rows); i++) {
            const vec_node *row = vec_at(rows, i);
            const sy_err want = verdict_of(ephemeral_verdicts[s], 8, vec_name(row));
            uint8_t msg[64];
            uint8_t pub[32];
            size_t used = 0;
            cr_assert_eq(want == SY_OK, vec_is_accept(row), "row %s", vec_name(row));
            size_t len = vec_hex(row, "hex", msg, sizeof msg);
            cr_assert_eq(rig_suites[s]->decode_ephemeral(msg, len, &used, pub, NULL), want,
                         "%s row %s", rig_suites[s]->name, vec_name(row));
            if (vec_has(row, "repaired")) {
                len = vec_hex(row, "repaired", msg, sizeof msg);
                cr_assert_eq(rig_suites[s]->decode_ephemeral(msg, len, &used, pub, NULL), SY_OK);
                cr_assert_eq(used, len);
            }
        }
        vec_close(file);
    }
}

typedef struct early_row {
    const char *hex;
    sy_err err;
} early_row;

static const early_row early_rows[RIG_SUITES][8] = {
    {{"21", SY_OK},
     {"2120", SY_OK},
     {"20", SY_ERR_EPH_LENGTH},
     {"22", SY_ERR_EPH_LENGTH},
     {"211f", SY_ERR_EPH_LENGTH},
     {"2121", SY_ERR_EPH_LENGTH}},
    {{"22", SY_OK},
     {"220a", SY_OK},
     {"220a20", SY_OK},
     {"21", SY_ERR_EPH_LENGTH},
     {"2212", SY_ERR_EPH_MALFORMED},
     {"2208", SY_ERR_EPH_MALFORMED},
     {"220a1f", SY_ERR_EPH_LENGTH},
     {"220a21", SY_ERR_EPH_LENGTH}},
};

/* The first wrong byte decides, whatever follows.  SPEC-TEST STS-03 CC-03 CC-04 */
Test(suite, a_wrong_ephemeral_message_is_refused_at_its_first_wrong_byte) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        for (size_t i = 0; i < 8 && early_rows[s][i].hex != NULL; i++) {
            uint8_t msg[8];
            uint8_t pub[32];
            size_t used = 99;
            const size_t len = test_hex(early_rows[s][i].hex, msg, sizeof msg);
            cr_assert_eq(rig_suites[s]->decode_ephemeral(msg, len, &used, pub, NULL),
                         early_rows[s][i].err, "%s %s", rig_suites[s]->name, early_rows[s][i].hex);
            cr_assert_eq(used, early_rows[s][i].err == SY_OK ? 0 : 99);
        }
    }
}

/* SPEC-TEST STS-24 STS-25 STS-26 STS-27 STS-28 STS-29 CC-28 CC-29 CC-30 CC-31 CC-32 CC-33 */
Test(suite, auth_rows_of_the_vectors) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        vec_file *file = vec_open(files[s].decoder);
        const vec_node *rows = vec_get(vec_root(file), "auth");
        size_t refused = 0;
        for (size_t i = 0; i < vec_len(rows); i++) {
            const vec_node *row = vec_at(rows, i);
            const sy_err want = verdict_of(auth_verdicts[s], 24, vec_name(row));
            uint8_t msg[256];
            sy_auth_msg auth;
            size_t len = vec_hex(row, "hex", msg, sizeof msg);
            const size_t prefix = len > 128 || (msg[0] & 0x80) != 0 ? 2 : 1;
            cr_assert_eq(rig_suites[s]->decode_auth(msg + prefix, len - prefix, &auth, NULL), want,
                         "%s row %s", rig_suites[s]->name, vec_name(row));
            if (want != SY_OK) {
                cr_assert(!vec_is_accept(row));
                refused++;
                len = vec_hex(row, "repaired", msg, sizeof msg);
                cr_assert_eq(rig_suites[s]->decode_auth(msg + 1, len - 1, &auth, NULL), SY_OK);
            }
        }
        cr_assert_eq(refused, s == 0 ? 17 : 12, "%zu rows refused", refused);
        vec_close(file);
    }
}

typedef struct auth_row {
    const char *name;
    const char *hex; /* K stands for 32 bytes of key, S for 64 bytes of signature */
    sy_err err;
} auth_row;

static const auth_row amino_rows[] = {
    {"honest", "0a25 1624de64 20 K 1245 2031ea53 40 S", SY_OK},
    {"later fields of every type",
     "0a25 1624de64 20 K 1245 2031ea53 40 S 1801 220161 2901020304050607083d01020304", SY_OK},
    {"later fields with gaps", "0a25 1624de64 20 K 1245 2031ea53 40 S 4801 a00101", SY_OK},
    {"array length not minimal", "0a26 1624de64 a000 K 1245 2031ea53 40 S", SY_OK},
    {"key number not minimal", "8a00 25 1624de64 20 K 1245 2031ea53 40 S", SY_OK},
    {"length of the key not minimal", "0aa500 1624de64 20 K 1245 2031ea53 40 S",
     SY_ERR_AUTH_MALFORMED},
    {"both not minimal", "8a00 a500 1624de64 20 K 1245 2031ea53 40 S", SY_ERR_AUTH_MALFORMED},
    {"length of the signature not minimal", "0a25 1624de64 20 K 12c500 2031ea53 40 S",
     SY_ERR_AUTH_MALFORMED},
    {"later fields not growing", "0a25 1624de64 20 K 1245 2031ea53 40 S 2001 1801",
     SY_ERR_AUTH_MALFORMED},
    {"later field twice", "0a25 1624de64 20 K 1245 2031ea53 40 S 1801 1801", SY_ERR_AUTH_MALFORMED},
    {"signature twice", "0a25 1624de64 20 K 1245 2031ea53 40 S 1245 2031ea53 40 S",
     SY_ERR_AUTH_MALFORMED},
    {"empty key", "0a00 1245 2031ea53 40 S", SY_ERR_AUTH_MALFORMED},
    {"empty signature", "0a25 1624de64 20 K 1200", SY_ERR_AUTH_MALFORMED},
    {"three bytes of prefix", "0a03 1624de 1245 2031ea53 40 S", SY_ERR_AUTH_MALFORMED},
    {"prefix and nothing", "0a04 1624de64 1245 2031ea53 40 S", SY_ERR_AUTH_MALFORMED},
    {"array longer than its interface", "0a25 1624de64 21 K 1245 2031ea53 40 S",
     SY_ERR_AUTH_MALFORMED},
    {"trailing byte inside the signature", "0a25 1624de64 20 K 1246 2031ea53 40 S 00",
     SY_ERR_AUTH_MALFORMED},
    {"disambiguation form", "0a29 00ac2679 1624de64 20 K 1245 2031ea53 40 S", SY_ERR_AUTH_KEY_TYPE},
    {"signature where the key is due", "0a45 2031ea53 40 S 1245 2031ea53 40 S",
     SY_ERR_AUTH_KEY_TYPE},
    {"key where the signature is due", "0a25 1624de64 20 K 1225 1624de64 20 K",
     SY_ERR_AUTH_SIG_TYPE},
    {"secp256k1 signature", "0a25 1624de64 20 K 1245 7fc4a495 40 S", SY_ERR_AUTH_SIG_TYPE},
    {"key as fixed 32", "0d01020304 1245 2031ea53 40 S", SY_ERR_AUTH_MALFORMED},
    {"signature as varint", "0a25 1624de64 20 K 1001", SY_ERR_AUTH_MALFORMED},
    {"wire type 3", "0b 1245 2031ea53 40 S", SY_ERR_AUTH_MALFORMED},
    {"later field cut", "0a25 1624de64 20 K 1245 2031ea53 40 S 220a61", SY_ERR_AUTH_MALFORMED},
    {"later field of more than 64 bits",
     "0a25 1624de64 20 K 1245 2031ea53 40 S 18ffffffffffffffffff02", SY_ERR_AUTH_MALFORMED},
    {"only later fields", "1801", SY_ERR_AUTH_NO_KEY},
    {"nothing", "", SY_ERR_AUTH_NO_KEY},
};

static const auth_row proto_rows[] = {
    {"honest", "0a22 0a20 K 1240 S", SY_OK},
    {"other order", "1240 S 0a22 0a20 K", SY_OK},
    {"unknown fields of every type, everywhere",
     "1801 0a22 0a20 K 220161 1240 S 2901020304050607083d01020304", SY_OK},
    {"signature twice, the last counts", "0a22 0a20 K 1240 Z 1240 S", SY_OK},
    {"empty signature, then one", "0a22 0a20 K 1200 1240 S", SY_OK},
    {"key twice inside, the last counts", "0a44 0a20 Y 0a20 K 1240 S", SY_OK},
    {"lengths not minimal", "0aa200 0a20 K 12c000 S", SY_OK},
    {"unknown kind next to the key", "0a25 0a20 K 7a0161 1240 S", SY_OK},
    {"field 1 twice", "0a22 0a20 K 0a22 0a20 K 1240 S", SY_ERR_AUTH_MALFORMED},
    {"no key", "1240 S", SY_ERR_AUTH_NO_KEY},
    {"empty field 1", "0a00 1240 S", SY_ERR_AUTH_NO_KEY},
    {"empty key", "0a02 0a00 1240 S", SY_ERR_AUTH_MALFORMED},
    {"secp256k1", "0a22 1220 K 1240 S", SY_ERR_AUTH_KEY_TYPE},
    {"bls12381", "0a22 1a20 K 1240 S", SY_ERR_AUTH_KEY_TYPE},
    {"mldsa65", "0a22 2220 K 1240 S", SY_ERR_AUTH_KEY_TYPE},
    {"secp256k1eth", "0a22 2a20 K 1240 S", SY_ERR_AUTH_KEY_TYPE},
    {"unknown kind alone", "0a22 3220 K 1240 S", SY_ERR_AUTH_KEY_TYPE},
    {"two kinds", "0a44 0a20 K 1220 K 1240 S", SY_ERR_AUTH_KEY_TYPE},
    {"two kinds, the known one last", "0a44 1220 K 0a20 K 1240 S", SY_ERR_AUTH_KEY_TYPE},
    {"another kind between unknown ones", "0a29 7a00 0a20 K 2a00 7a0161 1240 S",
     SY_ERR_AUTH_KEY_TYPE},
    {"key as varint inside", "0a02 0801 1240 S", SY_ERR_AUTH_MALFORMED},
    {"key message cut", "0a22 0a21 K 1240 S", SY_ERR_AUTH_MALFORMED},
    {"field 1 as varint", "0801 1240 S", SY_ERR_AUTH_MALFORMED},
    {"signature as varint", "0a22 0a20 K 1001", SY_ERR_AUTH_MALFORMED},
    {"no signature", "0a22 0a20 K", SY_ERR_AUTH_NO_SIG},
    {"empty signature", "0a22 0a20 K 1200", SY_ERR_AUTH_NO_SIG},
    {"signature, then an empty one", "0a22 0a20 K 1240 S 1200", SY_ERR_AUTH_NO_SIG},
    {"signature of 32 bytes", "0a22 0a20 K 1220 K", SY_ERR_AUTH_MALFORMED},
    {"field number 0", "0a22 0a20 K 1240 S 0001", SY_ERR_AUTH_MALFORMED},
    {"wire type 3", "0a22 0a20 K 1240 S 1b", SY_ERR_AUTH_MALFORMED},
    {"varint of more than 64 bits", "0a22 0a20 K 1240 S 18ffffffffffffffffff02",
     SY_ERR_AUTH_MALFORMED},
    {"nothing", "", SY_ERR_AUTH_NO_KEY},
};

static size_t expand(const char *pattern, uint8_t *out) {
    size_t len = 0;
    for (const char *p = pattern; *p != '\0'; p++) {
        const char pair[3] = {p[0], p[1], '\0'};
        switch (*p) {
        case ' ':
            break;
        case 'K':
            memset(out + len, 0x4b, 32);
            len += 32;
            break;
        case 'Y':
            memset(out + len, 0x59, 32);
            len += 32;
            break;
        case 'S':
            memset(out + len, 0x53, 64);
            len += 64;
            break;
        case 'Z':
            memset(out + len, 0x5a, 64);
            len += 64;
            break;
        default:
            len += test_hex(pair, out + len, 1);
            p++;
            break;
        }
    }
    return len;
}

static void check_rows(const sy_suite *suite, const auth_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint8_t body[512];
        sy_auth_msg auth;
        sy_auth_msg want;
        sy_detail detail = {.text = ""};
        memset(&auth, 0xcc, sizeof auth);
        memset(want.pubkey, rows[i].err == SY_OK ? 0x4b : 0xcc, 32);
        memset(want.sig, rows[i].err == SY_OK ? 0x53 : 0xcc, 64);
        const size_t len = expand(rows[i].hex, body);
        const sy_err err = suite->decode_auth(body, len, &auth, &detail);
        cr_assert_eq(err, rows[i].err, "%s row %s: %s, %s", suite->name, rows[i].name,
                     sy_err_name(err), detail.text);
        cr_assert_eq(memcmp(&auth, &want, sizeof auth), 0, "%s row %s", suite->name, rows[i].name);
    }
}

/* SPEC-TEST STS-24 STS-25 STS-26 STS-27 STS-28 STS-29 */
Test(suite, amino_auth_rows) {
    check_rows(&sy_suite_secretbox, amino_rows, sizeof amino_rows / sizeof amino_rows[0]);
}

/* SPEC-TEST CC-28 CC-29 CC-30 CC-31 CC-32 CC-33 */
Test(suite, protobuf_auth_rows) {
    check_rows(&sy_suite_cometbft, proto_rows, sizeof proto_rows / sizeof proto_rows[0]);
}

/* No prefix of a message is complete, and each ends in one of two codes.
 * SPEC-TEST STS-25 CC-29 */
Test(suite, every_cut_of_an_auth_message_is_refused) {
    for (size_t s = 0; s < RIG_SUITES; s++) {
        uint8_t body[512];
        const size_t len = expand(s == 0 ? amino_rows[0].hex : proto_rows[0].hex, body);
        for (size_t cut = 0; cut < len; cut++) {
            sy_auth_msg auth;
            const sy_err err = rig_suites[s]->decode_auth(body, cut, &auth, NULL);
            const size_t key_end = s == 0 ? 39 : 36;
            const sy_err want = cut == 0         ? SY_ERR_AUTH_NO_KEY
                                : cut == key_end ? SY_ERR_AUTH_NO_SIG
                                                 : SY_ERR_AUTH_MALFORMED;
            cr_assert_eq(err, want, "%s cut at %zu: %s", rig_suites[s]->name, cut,
                         sy_err_name(err));
        }
    }
}
