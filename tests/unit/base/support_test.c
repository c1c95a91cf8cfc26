/* SPDX-License-Identifier: Apache-2.0 */
/* The test tools themselves: an oracle that cannot fail proves nothing. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "tests/support/chunk_oracle.h"
#include "tests/support/test_contract.h"
#include "tests/support/test_hex.h"
#include "tests/support/test_mem.h"

Test(support, hex_goes_both_ways) {
    uint8_t out[8];
    cr_assert_eq(test_hex(" 00 fF\n7a\t", out, sizeof out), 3);
    cr_expect_arr_eq(out, "\x00\xff\x7a", 3);
    cr_expect_eq(test_hex("", out, 0), 0);
    cr_expect_str_eq(test_hex_of(out, 3), "00ff7a");
    cr_expect_str_eq(test_hex_of(NULL, 0), "");

    const char *first = test_hex_of("\x01", 1);
    for (int i = 0; i < 7; i++) {
        (void)test_hex_of("\x02", 1);
    }
    cr_expect_str_eq(first, "01", "eight texts live side by side");

    static const uint8_t big[5000];
    const char *cut = test_hex_of(big, sizeof big);
    cr_expect_lt(strlen(cut), 8192);
    cr_expect_str_eq(cut + strlen(cut) - 3, "...");
}

Test(support, hex_refuses_odd_digits, .signal = SIGABRT) {
    uint8_t out[8];
    (void)test_hex("012", out, sizeof out);
}

Test(support, hex_refuses_other_characters, .signal = SIGABRT) {
    uint8_t out[8];
    (void)test_hex("0x12", out, sizeof out);
}

Test(support, hex_refuses_too_many_bytes, .signal = SIGABRT) {
    uint8_t out[1];
    (void)test_hex("0011", out, sizeof out);
}

Test(support, mem_counts_and_fails_where_told) {
    for (int from = 0; from < 2; from++) {
        test_mem tm;
        test_mem_init(&tm);
        tm.fail_at = 2;
        tm.fail_from = from == 1;

        void *a = tm.mem.alloc(tm.mem.user, 10);
        void *b = tm.mem.alloc(tm.mem.user, 20);
        void *c = tm.mem.alloc(tm.mem.user, 30);

        cr_expect_not_null(a);
        cr_expect_null(b);
        cr_expect_eq(c == NULL, from == 1);
        cr_expect_eq(tm.calls, 3);
        cr_expect_eq(tm.live_blocks, from == 1 ? 1 : 2);
        cr_expect_eq(tm.live_bytes, from == 1 ? 10 : 40);
        tm.mem.release(tm.mem.user, a);
        tm.mem.release(tm.mem.user, b);
        tm.mem.release(tm.mem.user, c);
        cr_expect_eq(tm.live_bytes, 0);
        cr_expect_eq(tm.peak_bytes, from == 1 ? 10 : 40);
        test_mem_fini(&tm);
    }
}

Test(support, mem_resize_moves) {
    test_mem tm;
    test_mem_init(&tm);
    void *a = tm.mem.alloc(tm.mem.user, 3);
    memcpy(a, "abc", 3);

    void *b = tm.mem.resize(tm.mem.user, a, 5);

    cr_assert_not_null(b);
    cr_expect_neq(a, b);
    cr_expect_arr_eq(b, "abc\xa5\xa5", 5);
    tm.mem.release(tm.mem.user, b);
    test_mem_fini(&tm);
}

Test(support, mem_notices_a_leak, .signal = SIGABRT) {
    static test_mem tm; /* static: reachable for the leak checker */
    static void *kept;
    test_mem_init(&tm);
    kept = tm.mem.alloc(tm.mem.user, 1);
    (void)kept;
    test_mem_fini(&tm);
}

Test(support, mem_notices_a_foreign_pointer, .signal = SIGABRT) {
    static uint64_t block[32];
    test_mem tm;
    test_mem_init(&tm);
    tm.mem.release(tm.mem.user, &block[16]);
}

static void do_nothing(void *user) {
    (void)user;
}

Test(support, contract_reports_only_failures) {
    cr_expect_null(test_contract(do_nothing, NULL));
}

/* Counts lines ended by '\n', whatever the pieces: a correct stream parser. */
static void run_lines(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                      chunk_trace *trace) {
    size_t *runs = user;
    size_t length = 0;
    size_t at = 0;
    (*runs)++;
    for (size_t i = 0; i < cut_count; i++) {
        for (; at < cut[i]; at++) {
            length++;
            if (data[at] == '\n') {
                chunk_trace_add(trace, "line of %zu\n", length);
                length = 0;
            }
        }
    }
    chunk_trace_add(trace, "%zu left\n", length);
}

/* The same, but it forgets what it had when a piece ends `fault` bytes after a line's start. */
static void run_forgetful(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                          chunk_trace *trace) {
    const size_t *fault = user;
    size_t length = 0;
    size_t at = 0;
    for (size_t i = 0; i < cut_count; i++) {
        for (; at < cut[i]; at++) {
            length++;
            if (data[at] == '\n') {
                chunk_trace_add(trace, "line of %zu\n", length);
                length = 0;
            }
        }
        if (length == *fault && cut_count == 2) {
            length = 0;
        }
    }
    chunk_trace_add(trace, "%zu left\n", length);
}

/* Notes each piece: never twice the same trace. */
static void run_shows_pieces(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                             chunk_trace *trace) {
    (void)user;
    (void)data;
    (void)cut;
    chunk_trace_add(trace, "%zu pieces\n", cut_count);
}

/* Depends on something else than its input. */
static void run_unsteady(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                         chunk_trace *trace) {
    size_t *runs = user;
    (void)data;
    (void)cut;
    (void)cut_count;
    chunk_trace_add(trace, "run %zu\n", (*runs)++);
}

/* Checks the promise about the pieces. */
static void run_checks_cuts(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                            chunk_trace *trace) {
    const size_t len = *(const size_t *)user;
    (void)data;
    (void)trace;
    cr_assert_geq(cut_count, 1);
    cr_assert_eq(cut[cut_count - 1], len);
    for (size_t i = 1; i < cut_count; i++) {
        cr_assert_lt(cut[i - 1], cut[i]);
    }
    cr_assert(len == 0 || cut[0] > 0);
}

static const uint8_t lines[] = "one\ntwo two\n\nfour\nand a rest";
static const size_t lines_len = sizeof lines - 1;

Test(support, oracle_accepts_a_correct_parser) {
    size_t runs = 0;
    const char *bad = chunk_oracle(run_lines, &runs, lines, lines_len, 0, 1);
    cr_expect_null(bad, "%s", bad);
    /* whole twice, bytes, every place, random */
    cr_expect_geq(runs, 2 + 1 + (lines_len - 1) + 10);

    runs = 0;
    cr_expect_null(chunk_oracle(run_lines, &runs, lines, lines_len, 5, 1));
    cr_expect_lt(runs, 2 + 1 + 5 + 40);
    cr_expect_null(chunk_oracle(run_lines, &runs, lines, 1, 0, 1));
    cr_expect_null(chunk_oracle(run_lines, &runs, NULL, 0, 0, 1));
}

Test(support, oracle_finds_a_fault_at_any_single_split) {
    /* Lengths of a line's start that exist in the input, so that exactly some splits show it. */
    for (size_t fault = 1; fault <= 7; fault++) {
        const char *bad = chunk_oracle(run_forgetful, &fault, lines, lines_len, 0, 1);
        cr_assert_not_null(bad, "fault %zu", fault);
        cr_expect_not_null(strstr(bad, "two-way split"), "%s", bad);
        cr_expect_not_null(strstr(bad, "line of"), "%s", bad);
    }
}

Test(support, oracle_finds_dependence_on_pieces_and_on_runs) {
    size_t runs = 0;
    const char *bad = chunk_oracle(run_shows_pieces, NULL, lines, lines_len, 0, 1);
    cr_assert_not_null(bad);
    cr_expect_not_null(strstr(bad, "byte by byte"), "%s", bad);
    bad = chunk_oracle(run_unsteady, &runs, lines, lines_len, 0, 1);
    cr_assert_not_null(bad);
    cr_expect_not_null(strstr(bad, "again"), "%s", bad);
}

Test(support, oracle_keeps_its_promise_about_cuts) {
    for (size_t len = 0; len <= lines_len; len++) {
        for (size_t split_max = 0; split_max < 6; split_max++) {
            cr_expect_null(chunk_oracle(run_checks_cuts, &len, lines, len, split_max, len));
        }
    }
}

static void run_long_trace(void *user, const uint8_t *data, const size_t *cut, size_t cut_count,
                           chunk_trace *trace) {
    (void)user;
    (void)data;
    (void)cut;
    for (int i = 0; i < 5000; i++) {
        chunk_trace_add(trace, "event %d\n", i);
    }
    chunk_trace_add(trace, "%s\n", cut_count == 2 ? "bad end" : "good end");
}

Test(support, oracle_shows_the_place_of_the_difference_in_a_long_trace) {
    const char *bad = chunk_oracle(run_long_trace, NULL, lines, lines_len, 0, 1);
    cr_assert_not_null(bad);
    cr_expect_not_null(strstr(bad, "bad end"));
    cr_expect_not_null(strstr(bad, "good end"));
}
