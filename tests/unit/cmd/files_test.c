/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/yard/files.h"
#include "cmd/yard/util.h"

static char dir[64];

static void make_dir(void) {
    (void)snprintf(dir, sizeof dir, "/tmp/yard-files-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
}

static void remove_dir(void) {
    char *command = yard_format("rm -rf '%s'", dir);
    cr_expect_eq(system(command), 0);
    free(command);
}

TestSuite(files, .init = make_dir, .fini = remove_dir);

static char *in_dir(const char *name) {
    return yard_format("%s/%s", dir, name);
}

static size_t entries_in_dir(void) {
    char *command = yard_format("ls -A '%s' | wc -l", dir);
    FILE *out = popen(command, "r");
    size_t count = 0;
    cr_assert_eq(fscanf(out, "%zu", &count), 1);
    (void)pclose(out);
    free(command);
    return count;
}

Test(files, what_is_written_is_read_and_replaced_as_a_whole) {
    char *path = in_dir("a");
    char *why = NULL;
    char *text = NULL;
    size_t len = 0;
    struct stat st;

    cr_assert(yard_file_write(path, "first", 5, 0644, &why), "%s", why);
    cr_assert(yard_file_write(path, "2", 1, 0600, &why), "%s", why);
    cr_assert(yard_file_read(path, 1, &text, &len, &why), "%s", why);
    cr_assert_eq(stat(path, &st), 0);

    cr_expect_eq(len, 1);
    cr_expect_str_eq(text, "2");
    cr_expect_eq(st.st_mode & 0777, 0600);
    cr_expect_eq(entries_in_dir(), 1, "no temporary file is left");
    free(text);
    free(path);
}

Test(files, a_failed_write_leaves_the_old_content_and_nothing_else) {
    char *path = in_dir("sub");
    char *why = NULL;
    cr_assert_eq(mkdir(path, 0755), 0); /* a directory cannot be renamed over */

    cr_expect_not(yard_file_write(path, "x", 1, 0644, &why));

    cr_expect_not_null(strstr(why, path), "%s", why);
    cr_expect_eq(entries_in_dir(), 1);
    free(why);
    free(path);
}

/* A killed writer's temporary file, and names that only look like one. */
Test(files, what_a_killed_writer_left_is_swept_and_nothing_else) {
    static const struct {
        const char *name;
        bool goes;
    } rows[] = {
        {"book.json", false},
        {"book.json.tmp-aB3xYz", true},
        {"book.json.tmp-000000", true},
        {"book.json.backup", false},
        {"book.json.tmp-12345", false},
        {"book.json.tmp-1234567", false},
        {"book.json.tmp-aB3-Yz", false},
        {"book.json-tmp-aB3xYz", false},
        {"notbook.json.tmp-aB3xYz", false},
    };
    char *path = in_dir("book.json");
    size_t kept = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *file = in_dir(rows[i].name);
        FILE *made = fopen(file, "w");
        cr_assert_not_null(made, "%s", file);
        (void)fclose(made);
        free(file);
        kept += !rows[i].goes;
    }
    cr_expect_eq(yard_file_sweep(path), sizeof rows / sizeof rows[0] - kept);
    cr_expect_eq(entries_in_dir(), kept);
    cr_expect_eq(yard_file_sweep(path), 0);
    cr_expect_eq(yard_file_sweep("/nowhere/at/all"), 0);
    free(path);
}

Test(files, reading_has_a_limit) {
    char *path = in_dir("a");
    char *why = NULL;
    char *text = NULL;
    size_t len = 0;
    cr_assert(yard_file_write(path, "12345", 5, 0644, &why));

    cr_expect_not(yard_file_read(path, 4, &text, &len, &why));
    cr_expect_not_null(strstr(why, "longer than 4 bytes"), "%s", why);
    free(why);
    cr_expect(yard_file_read(path, 5, &text, &len, &why));
    free(text);
    cr_expect(yard_file_read(path, 6, &text, &len, &why));
    free(text);

    free(path);
    path = in_dir("missing");
    cr_expect_not(yard_file_read(path, 5, &text, &len, &why));
    cr_expect_not_null(strstr(why, "No such file"), "%s", why);
    free(why);
    free(path);
}

Test(files, directories_are_made_with_those_above) {
    char *path = in_dir("a/b//c");
    char *why = NULL;
    cr_expect(yard_dir_make(path, 0755, &why));
    cr_expect(yard_dir_make(path, 0755, &why), "again is fine");
    free(path);

    path = in_dir("file");
    cr_assert(yard_file_write(path, "", 0, 0644, &why));
    cr_expect_not(yard_dir_make(path, 0755, &why));
    cr_expect_not_null(strstr(why, "is not a directory"), "%s", why);
    free(why);
    free(path);
}

/* SPEC-TEST ID-09 */
Test(files, a_key_is_made_once_for_the_owner_only_and_read_again) {
    char *path = in_dir("node_key.json");
    char *why = NULL;
    sy_node_key made;
    sy_node_key read;
    bool open_to_others = true;
    struct stat st;

    cr_assert(yard_key_create(path, &made, &why), "%s", why);
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    cr_assert(yard_key_read(path, &read, &open_to_others, &why), "%s", why);
    cr_expect_arr_eq(made.seed, read.seed, sizeof made.seed);
    cr_expect_arr_eq(made.pubkey, read.pubkey, sizeof made.pubkey);
    cr_expect_not(open_to_others);

    cr_expect_not(yard_key_create(path, &made, &why), "never overwritten");
    cr_expect_not_null(strstr(why, "exists already"), "%s", why);
    free(why);
    cr_assert_eq(chmod(path, 0644), 0);
    cr_assert(yard_key_read(path, &read, &open_to_others, &why));
    cr_expect(open_to_others);
    free(path);
}

Test(files, a_bad_key_is_named_but_not_shown) {
    char *path = in_dir("node_key.json");
    char *why = NULL;
    sy_node_key key;
    static const char bad[] = "{\"priv_key\":{\"type\":\"tendermint/PrivKeyEd25519\","
                              "\"value\":\"c2VjcmV0c2VjcmV0\"}}";
    cr_assert(yard_file_write(path, bad, sizeof bad - 1, 0600, &why));

    cr_expect_not(yard_key_read(path, &key, NULL, &why));

    cr_expect_not_null(strstr(why, path), "%s", why);
    cr_expect_not_null(strstr(why, "malformed node key"), "%s", why);
    cr_expect_null(strstr(why, "c2VjcmV0"), "%s", why);
    free(why);
    free(path);
}
