/* SPDX-License-Identifier: Apache-2.0 */
/* Reasons, and the table of clauses against the page that it was made from. */
#include <criterion/criterion.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/reason.h>

typedef struct code_row {
    const char *name;
    sy_err code;
} code_row;

static const code_row code_rows[] = {
#define SY_ERR(name, value, class, text) {#name, SY_ERR_##name},
#include <switchyard/err.def>
#undef SY_ERR
};

#define CODE_COUNT (sizeof code_rows / sizeof code_rows[0])

/* SPEC-TEST ER-07 */
Test(reason, fault_follows_the_class) {
    for (size_t i = 0; i < CODE_COUNT; i++) {
        const sy_reason reason = sy_reason_make(SY_STAGE_OPEN, code_rows[i].code, NULL);
        sy_fault expected = SY_FAULT_NONE;
        switch (sy_err_class_of(code_rows[i].code)) {
        case SY_ERR_CLASS_USAGE:
        case SY_ERR_CLASS_LOCAL:
            expected = SY_FAULT_LOCAL;
            break;
        case SY_ERR_CLASS_PEER:
        case SY_ERR_CLASS_CRYPTO:
            expected = SY_FAULT_REMOTE;
            break;
        case SY_ERR_CLASS_OK:
        case SY_ERR_CLASS_CLOSED:
            expected = SY_FAULT_NONE;
            break;
        }
        cr_expect_eq(reason.fault, expected, "%s", code_rows[i].name);
        cr_expect_eq(reason.code, code_rows[i].code);
        cr_expect_str_eq(reason.detail.text, "");
    }
    cr_expect_eq(sy_reason_make(SY_STAGE_OPEN, SY_ERR_FRAME_TAG, NULL).fault, SY_FAULT_REMOTE);
    cr_expect_eq(sy_reason_make(SY_STAGE_OPEN, SY_ERR_NOMEM, NULL).fault, SY_FAULT_LOCAL);
    cr_expect_eq(sy_reason_make(SY_STAGE_OPEN, SY_ERR_REMOTE_CLOSED, NULL).fault, SY_FAULT_NONE);
}

/* SPEC-TEST ER-06 */
Test(reason, names) {
    static const char *const stages[SY_STAGE_COUNT] = {
        "resolve", "connect", "handshake", "identity", "node_info", "admission", "open"};
    for (int i = 0; i < SY_STAGE_COUNT; i++) {
        cr_expect_str_eq(sy_stage_name((sy_stage)i), stages[i]);
    }
    cr_expect_str_eq(sy_fault_name(SY_FAULT_NONE), "none");
    cr_expect_str_eq(sy_fault_name(SY_FAULT_LOCAL), "local");
    cr_expect_str_eq(sy_fault_name(SY_FAULT_REMOTE), "remote");
    sy_detail detail;
    sy_detail_set(&detail, "x = %d", 5);
    cr_expect_str_eq(sy_reason_make(SY_STAGE_OPEN, SY_OK, &detail).detail.text, "x = 5");
}

Test(reason, clause_examples) {
    static const struct {
        sy_err code;
        const char *profile;
        const char *clauses;
    } rows[] = {
        {SY_ERR_EPH_LOW_ORDER, "tendermint", "STS-06"},
        {SY_ERR_EPH_LOW_ORDER, "cometbft", "CC-07"},
        {SY_ERR_EPH_LOW_ORDER, "plain", ""},
        {SY_ERR_EPH_LOW_ORDER, "", ""},
        {SY_ERR_NI_NETWORK, "plain", "NI-39"},
        {SY_ERR_NI_NETWORK, "another", "NI-39"},
        {SY_ERR_PROFILE_UNKNOWN, "", "PR-03 PR-04"},
        {SY_ERR_PROFILE_UNKNOWN, NULL, "PR-03 PR-04"},
        {SY_ERR_NOMEM, "cometbft", ""},
        {SY_OK, "cometbft", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_str_eq(sy_reason_clause(rows[i].code, rows[i].profile), rows[i].clauses,
                         "row %zu", i);
    }
}

/* ---- The pages --------------------------------------------------------------------------------*/

#define PAGE_MAX  (256 * 1024)

#define PAGES_MAX 32

static char pages[PAGES_MAX][PAGE_MAX]; /* errors.md first */
static size_t page_count;

static void read_page(const char *name) {
    char path[300];
    (void)snprintf(path, sizeof path, "docs/spec/%s", name);
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL, "%s cannot be read", path);
    cr_assert_lt(page_count, (size_t)PAGES_MAX);
    const size_t n = fread(pages[page_count], 1, PAGE_MAX - 1, f);
    cr_assert_lt(n, (size_t)PAGE_MAX - 1, "%s is longer than the test allows", path);
    pages[page_count++][n] = '\0';
    (void)fclose(f);
}

static void read_pages(void) {
    page_count = 0;
    read_page("errors.md");
    DIR *folder = opendir("docs/spec");
    cr_assert(folder != NULL);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        const size_t len = strlen(entry->d_name);
        if (len > 3 && strcmp(entry->d_name + len - 3, ".md") == 0 &&
            strcmp(entry->d_name, "errors.md") != 0) {
            read_page(entry->d_name);
        }
    }
    (void)closedir(folder);
}

/* Does the clause bind the profile?  Looks for "**NI-39** [all]" on all pages. */
static bool binds(const char *clause, const char *profile) {
    char mark[32];
    (void)snprintf(mark, sizeof mark, "**%s** [", clause);
    for (size_t i = 0; i < page_count; i++) {
        const char *at = strstr(pages[i], mark);
        if (at == NULL) {
            continue;
        }
        at += strlen(mark);
        char list[128];
        (void)snprintf(list, sizeof list, "%.*s", (int)strcspn(at, "]"), at);
        return strstr(list, "all") != NULL || strstr(list, profile) != NULL;
    }
    cr_assert_fail("clause %s is on no page", clause);
    return false;
}

/* The clauses of one row of the table of codes that bind the profile, joined by spaces. */
static void expected_clauses(const char *code_name, const char *profile, char out[256]) {
    char mark[64];
    out[0] = '\0';
    (void)snprintf(mark, sizeof mark, "\n| `%s` |", code_name);
    const char *row = strstr(pages[0], mark);
    cr_assert(row != NULL, "%s is not in the table of codes", code_name);
    const char *end = strchr(row + 1, '\n');
    for (const char *at = strchr(row, '['); at != NULL && at < end; at = strchr(at + 1, '[')) {
        char clause[16];
        (void)snprintf(clause, sizeof clause, "%.*s", (int)strcspn(at + 1, "]"), at + 1);
        if (binds(clause, profile)) {
            const size_t used = strlen(out);
            (void)snprintf(out + used, 256 - used, "%s%s", used > 0 ? " " : "", clause);
        }
    }
}

Test(reason, clauses_are_those_of_the_table_of_codes) {
    static const char *const profiles[] = {"tendermint", "cometbft", "plain"};
    size_t with_clause = 0;
    read_pages();
    for (size_t i = 0; i < CODE_COUNT; i++) {
        for (size_t p = 0; p < 3; p++) {
            char expected[256];
            expected_clauses(code_rows[i].name, profiles[p], expected);
            cr_expect_str_eq(sy_reason_clause(code_rows[i].code, profiles[p]), expected,
                             "%s in %s: \"%s\", the page says \"%s\"", code_rows[i].name,
                             profiles[p], sy_reason_clause(code_rows[i].code, profiles[p]),
                             expected);
            with_clause += expected[0] != '\0' ? 1 : 0;
        }
    }
    cr_expect_gt(with_clause, 100);
}
