/* SPDX-License-Identifier: Apache-2.0 */
#undef SY_CHECKS
#define SY_CHECKS 1
#include <switchyard/assert.h>

#include <criterion/criterion.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int unchecked_verify(void);

static jmp_buf back;
static struct {
    const char *kind;
    const char *condition;
    const char *file;
    int line;
    int calls;
} seen;

static void record_and_jump(const char *kind, const char *condition, const char *file, int line) {
    seen.kind = kind;
    seen.condition = condition;
    seen.file = file;
    seen.line = line;
    seen.calls++;
    longjmp(back, 1);
}

static int zero;
static int line_of_failure;

static void fail_require(void) {
    line_of_failure = __LINE__ + 1;
    SY_REQUIRE(zero == 1);
}

static void fail_assert(void) {
    line_of_failure = __LINE__ + 1;
    SY_ASSERT(zero == 2);
}

static void fail_verify(void) {
    line_of_failure = __LINE__ + 1;
    SY_VERIFY(zero == 3);
}

static void fail_unreachable(void) {
    line_of_failure = __LINE__ + 1;
    SY_UNREACHABLE();
}

Test(assert, handler_is_told_what_failed_and_where) {
    static const struct {
        void (*fn)(void);
        const char *kind;
        const char *condition;
    } rows[] = {
        {fail_require, "contract", "zero == 1"},
        {fail_assert, "invariant", "zero == 2"},
        {fail_verify, "verify", "zero == 3"},
        {fail_unreachable, "unreachable", "reached"},
    };
    sy_assert_set_handler(record_and_jump);
    for (volatile size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        seen.calls = 0;

        if (setjmp(back) == 0) {
            rows[i].fn();
            cr_expect_fail("%s came back", rows[i].kind);
        }

        cr_assert_eq(seen.calls, 1, "row %s", rows[i].kind);
        cr_expect_str_eq(seen.kind, rows[i].kind);
        cr_expect_str_eq(seen.condition, rows[i].condition);
        cr_expect_not_null(strstr(seen.file, "assert_test.c"), "row %s", rows[i].kind);
        cr_expect_eq(seen.line, line_of_failure, "row %s", rows[i].kind);
    }
    sy_assert_set_handler(NULL);
}

Test(assert, true_conditions_are_evaluated_once_and_call_nothing) {
    int evaluated = 0;
    seen.calls = 0;
    sy_assert_set_handler(record_and_jump);

    SY_REQUIRE(++evaluated == 1);
    SY_ASSERT(++evaluated == 2);
    SY_VERIFY(++evaluated == 3);

    sy_assert_set_handler(NULL);
    cr_expect_eq(evaluated, 3);
    cr_expect_eq(seen.calls, 0);
}

Test(assert, verify_of_a_release_build_evaluates_nothing) {
    cr_expect_eq(unchecked_verify(), 0);
}

static void quiet_return(const char *kind, const char *condition, const char *file, int line) {
    (void)kind;
    (void)condition;
    (void)file;
    (void)line;
}

/* Runs an assertion in a child; returns its wait status, its standard error in text. */
static int run_in_child(sy_assert_handler handler, char *text, size_t cap) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    const pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        sy_assert_set_handler(handler);
        fail_assert();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t got = 0;
    while (len + 1 < cap && (got = read(ends[0], text + len, cap - 1 - len)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    close(ends[0]);
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

Test(assert, default_prints_one_line_and_aborts_even_after_a_handler_that_returns) {
    static const struct {
        const char *name;
        sy_assert_handler handler;
    } rows[] = {{"default", NULL}, {"returning", quiet_return}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];

        const int status = run_in_child(rows[i].handler, text, sizeof text);

        cr_assert(WIFSIGNALED(status), "row %s", rows[i].name);
        cr_expect_eq(WTERMSIG(status), SIGABRT, "row %s", rows[i].name);
        cr_expect_not_null(strstr(text, "invariant failed: zero == 2"), "%s", text);
        const char *newline = strchr(text, '\n');
        cr_assert_not_null(newline, "row %s", rows[i].name);
        cr_expect_eq(newline[1], '\0', "more than one line: %s", text);
    }
}
