/* SPDX-License-Identifier: Apache-2.0 */
#include <switchyard/log.h>

#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/test_contract.h"

typedef struct sink {
    int calls;
    sy_log_record last;
    sy_log_field fields[8];
} sink;

static void collect(void *user, const sy_log_record *record) {
    sink *s = user;
    s->calls++;
    s->last = *record;
    cr_assert_leq(record->field_count, 8);
    if (record->field_count > 0) {
        memcpy(s->fields, record->fields, record->field_count * sizeof record->fields[0]);
    }
}

Test(log, level_decides_what_reaches_the_sink) {
    for (int threshold = SY_LOG_DEBUG; threshold <= SY_LOG_NONE; threshold++) {
        for (int level = SY_LOG_DEBUG; level <= SY_LOG_ERROR; level++) {
            sink s = {0};
            const sy_log log = {.fn = collect, .user = &s, .level = (sy_log_level)threshold};
            const int want = level >= threshold ? 1 : 0;

            SY_LOG(&log, (sy_log_level)level, "sub", "macro", 1, SY_F_U64("n", 1));
            cr_expect_eq(s.calls, want, "macro: level %d, threshold %d", level, threshold);

            sy_log_emit(&log, (sy_log_level)level, "sub", "plain", 1, NULL, 0);
            cr_expect_eq(s.calls, 2 * want, "emit: level %d, threshold %d", level, threshold);
            cr_expect_eq(sy_log_enabled(&log, (sy_log_level)level), want == 1);
        }
    }
}

Test(log, record_arrives_as_given) {
    sink s = {0};
    const sy_log log = {.fn = collect, .user = &s, .level = SY_LOG_DEBUG};

    SY_LOG(&log, SY_LOG_WARN, "switch", "peer_removed", 77, SY_F_STR("id", "abc"),
           SY_F_STRN("raw", "x\0y", 3), SY_F_U64("u", UINT64_MAX), SY_F_I64("i", INT64_MIN),
           SY_F_DUR("d", 5 * SY_SEC), SY_F_STR("none", NULL));

    cr_assert_eq(s.calls, 1);
    cr_expect_eq(s.last.level, SY_LOG_WARN);
    cr_expect_str_eq(s.last.subsystem, "switch");
    cr_expect_str_eq(s.last.event, "peer_removed");
    cr_expect_eq(s.last.now, 77);
    cr_assert_eq(s.last.field_count, 6);
    cr_expect_eq(s.fields[0].kind, SY_LOG_FIELD_STR);
    cr_expect_eq(s.fields[0].str_len, 3);
    cr_expect_eq(s.fields[1].str_len, 3);
    cr_expect_arr_eq(s.fields[1].str, "x\0y", 3);
    cr_expect_eq(s.fields[2].kind, SY_LOG_FIELD_U64);
    cr_expect_eq(s.fields[2].u64, UINT64_MAX);
    cr_expect_eq(s.fields[3].kind, SY_LOG_FIELD_I64);
    cr_expect_eq(s.fields[3].i64, INT64_MIN);
    cr_expect_eq(s.fields[4].kind, SY_LOG_FIELD_DUR);
    cr_expect_eq(s.fields[4].u64, 5 * SY_SEC);
    cr_expect_eq(s.fields[5].str_len, 0);
}

static int evaluated;

static uint64_t count_evaluation(void) {
    return (uint64_t)++evaluated;
}

Test(log, nothing_is_evaluated_when_the_level_is_off_or_nobody_listens) {
    const sy_log silent = {.fn = NULL, .user = NULL, .level = SY_LOG_DEBUG};
    sink s = {0};
    const sy_log high = {.fn = collect, .user = &s, .level = SY_LOG_ERROR};
    const sy_log *const none = NULL;

    SY_LOG(&silent, SY_LOG_ERROR, "s", "e", 0, SY_F_U64("n", count_evaluation()));
    SY_LOG(&high, SY_LOG_WARN, "s", "e", 0, SY_F_U64("n", count_evaluation()));
    SY_LOG(none, SY_LOG_ERROR, "s", "e", 0, SY_F_U64("n", count_evaluation()));
    sy_log_emit(NULL, SY_LOG_ERROR, "s", "e", 0, NULL, 0);
    sy_log_emit(&silent, SY_LOG_ERROR, "s", "e", 0, NULL, 0);

    cr_expect_eq(evaluated, 0);
    cr_expect_eq(s.calls, 0);
}

Test(log, level_names_go_both_ways) {
    static const char *const names[] = {"debug", "info", "warn", "error", "none"};
    static const char *const bad[] = {"", "Info", "INFO", "warning", "info ", " info", "inf", "4"};
    for (int level = SY_LOG_DEBUG; level <= SY_LOG_NONE; level++) {
        sy_log_level parsed = SY_LOG_DEBUG;
        cr_expect_str_eq(sy_log_level_name((sy_log_level)level), names[level]);
        cr_expect_eq(sy_log_level_parse(names[level], &parsed), SY_OK, "%s", names[level]);
        cr_expect_eq(parsed, (sy_log_level)level, "%s", names[level]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sy_log_level parsed = SY_LOG_ERROR;
        cr_expect_eq(sy_log_level_parse(bad[i], &parsed), SY_ERR_INVALID, "\"%s\"", bad[i]);
        cr_expect_eq(parsed, SY_LOG_ERROR, "\"%s\"", bad[i]);
    }
    sy_log_level parsed = SY_LOG_ERROR;
    cr_expect_eq(sy_log_level_parse(NULL, &parsed), SY_ERR_INVALID);
    cr_expect_str_eq(sy_log_level_name((sy_log_level)9), "unknown");
}

static void emit_at_none(void *user) {
    sy_log_emit(user, SY_LOG_NONE, "s", "e", 0, NULL, 0);
}

Test(log, none_is_a_threshold_not_a_level) {
    sink s = {0};
    sy_log log = {.fn = collect, .user = &s, .level = SY_LOG_DEBUG};
    cr_expect_str_eq(test_contract(emit_at_none, &log), "contract");
    cr_expect_eq(s.calls, 0);
}
