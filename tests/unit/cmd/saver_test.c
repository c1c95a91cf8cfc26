/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are written on another thread. */
#include <criterion/criterion.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/yard/files.h"
#include "cmd/yard/saver.h"
#include "cmd/yard/util.h"

static atomic_int dropped;

static void drop(void *user, char *text) {
    cr_assert_eq(user, &dropped);
    atomic_fetch_add(&dropped, 1);
    free(text);
}

typedef struct fixture {
    char dir[64];
    char *one;
    char *two;
} fixture;

static void init(fixture *fx) {
    (void)snprintf(fx->dir, sizeof fx->dir, "/tmp/yard-saver-XXXXXX");
    cr_assert_neq(mkdtemp(fx->dir), NULL);
    fx->one = yard_format("%s/one", fx->dir);
    fx->two = yard_format("%s/two", fx->dir);
    atomic_store(&dropped, 0);
}

static void fini(fixture *fx) {
    (void)unlink(fx->one);
    (void)unlink(fx->two);
    cr_expect_eq(rmdir(fx->dir), 0, "no temporary file is left");
    free(fx->one);
    free(fx->two);
}

static void expect_text(const char *path, const char *want) {
    char *text;
    size_t len;
    char *why;
    cr_assert(yard_file_read(path, 1000, &text, &len, &why));
    cr_expect_str_eq(text, want);
    free(text);
}

static void put(yard_saver *saver, const char *path, const char *text) {
    yard_saver_put(saver, path, yard_strdup(text), strlen(text), 0644);
}

/* What was put last is in the files when the saver is gone, and every text was freed. */
Test(saver, the_last_text_is_written) {
    fixture fx;
    init(&fx);
    for (int rounds = 0; rounds < 20; rounds++) {
        yard_saver *saver = yard_saver_new(drop, &dropped);
        for (int i = 0; i <= rounds; i++) {
            char text[32];
            (void)snprintf(text, sizeof text, "text %d", i);
            put(saver, fx.one, text);
            put(saver, fx.two, i == rounds ? "the end" : "not yet");
        }
        char *error = yard_saver_error(saver);
        cr_expect_eq(error, NULL);
        error = yard_saver_close(saver);
        cr_expect_eq(error, NULL);
        char want[32];
        (void)snprintf(want, sizeof want, "text %d", rounds);
        expect_text(fx.one, want);
        expect_text(fx.two, "the end");
    }
    cr_expect_eq(atomic_load(&dropped), 20 * 21);
    struct stat st;
    cr_assert_eq(stat(fx.one, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0644);
    fini(&fx);
}

/* A write that fails is told once, names the file, and the next one is tried. */
Test(saver, a_failure_is_told) {
    fixture fx;
    init(&fx);
    char *nowhere = yard_format("%s/no/such/file", fx.dir);
    yard_saver *saver = yard_saver_new(drop, &dropped);
    put(saver, nowhere, "lost");
    char *error = NULL;
    while (error == NULL) { /* it will come: the thread has nothing else to do */
        error = yard_saver_error(saver);
    }
    cr_expect_neq(strstr(error, nowhere), NULL, "%s", error);
    free(error);
    error = yard_saver_error(saver);
    cr_expect_eq(error, NULL);
    put(saver, fx.one, "kept");
    put(saver, nowhere, "lost again");
    error = yard_saver_close(saver);
    cr_expect_neq(strstr(error, nowhere), NULL, "%s", error);
    free(error);
    expect_text(fx.one, "kept");
    cr_expect_eq(atomic_load(&dropped), 3);
    free(nowhere);
    fini(&fx);
}

/* The configuration that a path stood in goes when another one is taken up (SIGHUP), and the files
 * are still the same ones. */
Test(saver, paths_need_not_last) {
    fixture fx;
    init(&fx);
    yard_saver *saver = yard_saver_new(drop, &dropped);
    char *old[2 * YARD_SAVER_PATHS];
    for (size_t i = 0; i < 2 * YARD_SAVER_PATHS; i++) {
        old[i] = yard_strdup(fx.one);
        put(saver, old[i], "one");
        memset(old[i], 'x', strlen(old[i]));
    }
    char *error = yard_saver_close(saver);
    cr_expect_eq(error, NULL, "%s", error);
    expect_text(fx.one, "one");
    cr_expect_eq(atomic_load(&dropped), 2 * YARD_SAVER_PATHS);
    for (size_t i = 0; i < 2 * YARD_SAVER_PATHS; i++) {
        free(old[i]);
    }
    fini(&fx);
}
