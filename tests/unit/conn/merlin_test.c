/* SPDX-License-Identifier: Apache-2.0 */
/* Merlin transcripts against the vectors of the reference, and their framing. */
#include "conn/merlin.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "tests/support/test_hex.h"
#include "tests/support/vectors.h"

static void apply(sy_merlin *t, const vec_node *op, const char *row) {
    uint8_t bytes[2048];
    uint8_t got[2048];
    if (strcmp(vec_str(op, "op"), "append") == 0) {
        const size_t len = vec_hex(op, "data", bytes, sizeof bytes);
        sy_merlin_append(t, vec_str(op, "label"), bytes, len);
        return;
    }
    cr_assert_str_eq(vec_str(op, "op"), "challenge");
    const size_t len = vec_u64(op, "length");
    cr_assert_eq(vec_hex(op, "result", bytes, sizeof bytes), len);
    sy_merlin_challenge(t, vec_str(op, "label"), got, len);
    cr_assert_arr_eq(got, bytes, len, "row %s: %s", row, test_hex_of(got, len));
}

Test(merlin, permutation) {
    vec_file *file = vec_open("cometbft/merlin.json");
    const vec_node *rows = vec_get(vec_root(file), "keccak_f");
    cr_assert_gt(vec_len(rows), 0);
    for (size_t i = 0; i < vec_len(rows); i++) {
        const vec_node *row = vec_at(rows, i);
        uint8_t state[200] = {0};
        uint8_t want[200];
        cr_assert_eq(vec_hex(row, "state", want, sizeof want), 200);
        for (uint64_t n = 0; n < vec_u64(row, "times"); n++) {
            sy_keccak_f1600(state);
        }
        cr_assert_arr_eq(state, want, 200, "row %s", vec_name(row));
    }
    vec_close(file);
}

/* SPEC-TEST CC-12 */
Test(merlin, transcripts_of_the_reference) {
    vec_file *file = vec_open("cometbft/merlin.json");
    const vec_node *rows = vec_get(vec_root(file), "transcripts");
    cr_assert_gt(vec_len(rows), 0);
    for (size_t i = 0; i < vec_len(rows); i++) {
        const vec_node *row = vec_at(rows, i);
        const vec_node *ops = vec_get(row, "operations");
        sy_merlin t;
        sy_merlin_init(&t, vec_str(row, "label"));
        for (size_t k = 0; k < vec_len(ops); k++) {
            apply(&t, vec_at(ops, k), vec_name(row));
        }
    }
    vec_close(file);
}

/* Many operations, messages longer than the rate.  SPEC-TEST CC-12 */
Test(merlin, rounds_of_the_reference) {
    vec_file *file = vec_open("cometbft/merlin.json");
    const vec_node *looped = vec_get(vec_root(file), "looped");
    const vec_node *first = vec_get(looped, "first");
    uint8_t data[64];
    uint8_t big[1024];
    uint8_t challenge[32] = {0};
    uint8_t want[32];
    memset(big, 0x63, sizeof big);
    cr_assert_eq(vec_hex(looped, "last_challenge", want, sizeof want), 32);

    sy_merlin t;
    sy_merlin_init(&t, vec_str(looped, "label"));
    sy_merlin_append(&t, vec_str(first, "label"), data, vec_hex(first, "data", data, sizeof data));
    for (uint64_t i = 0; i < vec_u64(looped, "rounds"); i++) {
        sy_merlin_challenge(&t, "challenge", challenge, sizeof challenge);
        sy_merlin_append(&t, "bigdata", big, sizeof big);
        sy_merlin_append(&t, "challengedata", challenge, sizeof challenge);
    }

    cr_assert_arr_eq(challenge, want, 32, "%s", test_hex_of(challenge, 32));
    vec_close(file);
}

typedef struct framing_row {
    const char *name;
    const char *protocol;
    const char *label;
    const char *msg;
    size_t len; /* of the challenge */
} framing_row;

/* Each row differs from the first in one thing that the transcript must bind. */
static const framing_row framing_rows[] = {
    {"base", "p", "ab", "cd", 32},
    {"other protocol", "q", "ab", "cd", 32},
    {"label and message shifted", "p", "abc", "d", 32},
    {"empty message", "p", "abcd", "", 32},
    {"other message", "p", "ab", "ce", 32},
    {"other challenge length", "p", "ab", "cd", 33},
};

Test(merlin, everything_is_bound) {
    uint8_t seen[sizeof framing_rows / sizeof framing_rows[0]][40];
    for (size_t i = 0; i < sizeof framing_rows / sizeof framing_rows[0]; i++) {
        const framing_row *row = &framing_rows[i];
        sy_merlin t;
        sy_merlin_init(&t, row->protocol);
        sy_merlin_append(&t, row->label, (const uint8_t *)row->msg, strlen(row->msg));
        sy_merlin_challenge(&t, "c", seen[i], row->len);
        for (size_t k = 0; k < i; k++) {
            cr_assert_neq(memcmp(seen[i], seen[k], 32), 0, "%s equals %s", row->name,
                          framing_rows[k].name);
        }
    }
}

/* A challenge longer than the rate is one stream: its start does not depend on how much follows
 * within one operation, only on the announced length. */
Test(merlin, long_challenges_cross_the_rate) {
    uint8_t a[400];
    uint8_t b[400];
    sy_merlin t;
    sy_merlin_init(&t, "long");
    sy_merlin u = t;
    sy_merlin_challenge(&t, "c", a, sizeof a);
    sy_merlin_challenge(&u, "c", b, sizeof b);
    cr_assert_arr_eq(a, b, sizeof a);
    cr_assert_neq(memcmp(a, a + 166, 166), 0, "the permutation runs at the rate");
    cr_assert_eq(t.pos, u.pos);
}

Test(merlin, wipe_leaves_nothing) {
    sy_merlin t;
    sy_merlin_init(&t, "wiped");
    cr_assert(!sodium_is_zero(t.state, sizeof t.state));
    sy_merlin_wipe(&t);
    cr_assert(sodium_is_zero((const unsigned char *)&t, sizeof t));
}
