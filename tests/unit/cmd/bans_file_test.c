/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cmd/yard/bans_file.h"
#include "cmd/yard/files.h"
#include "cmd/yard/util.h"

#define NOW ((sy_walltime){INT64_C(1700000000000000000)})

static char folder[64];
static char path[96];

static void begin(void) {
    (void)snprintf(folder, sizeof folder, "/tmp/bans-file-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/bans.json", folder);
}

static void end(void) {
    (void)unlink(path);
    cr_expect_eq(rmdir(folder), 0, "something is left in %s", folder);
}

TestSuite(bans_file, .init = begin, .fini = end);

static void put(const char *text) {
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    (void)fputs(text, file);
    cr_assert_eq(fclose(file), 0);
}

Test(bans_file, a_missing_file_holds_no_bans) {
    sy_gate gate;
    char *why = NULL;
    cr_assert_eq(yard_bans_read(path, NOW, &gate, &why), YARD_BANS_READ);
    cr_expect_eq(gate.ban_count, 0);
    sy_gate_fini(&gate);
}

Test(bans_file, what_is_written_is_read_again) {
    sy_gate gate;
    sy_gate back;
    char *why = NULL;
    sy_gate_init(&gate, sy_mem_libc());
    for (unsigned i = 0; i < SY_BANS_MAX; i++) {
        sy_ban ban = {.until = {NOW.unix_ns + INT64_C(3600000000000)}};
        char rule[32];
        const int len = snprintf(rule, sizeof rule, "10.0.%u.%u", i / 256, i % 256);
        cr_assert_eq(sy_net_rule_parse(rule, (size_t)len, &ban.rule, NULL), SY_OK);
        memset(ban.reason, '\\', sizeof ban.reason - 1); /* the longest file there can be */
        cr_assert_eq(sy_gate_ban(&gate, &ban, NOW), SY_OK);
    }
    cr_assert(yard_bans_write(path, &gate, &why));
    cr_assert_eq(yard_bans_read(path, NOW, &back, &why), YARD_BANS_READ);
    cr_expect_eq(back.ban_count, SY_BANS_MAX);
    for (size_t i = 0; i < back.ban_count; i++) {
        cr_assert(sy_net_rule_equal(&back.bans[i].rule, &gate.bans[i].rule));
        cr_assert_str_eq(back.bans[i].reason, gate.bans[i].reason);
    }
    sy_gate_fini(&back);
    sy_gate_fini(&gate);
}

Test(bans_file, a_damaged_file_is_told_from_an_unreadable_one) {
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        {"", "bans.json: invalid argument: line 1"},
        {"{}", "bans: a list is required"},
        {"{\"bans\": [{\"rule\": \"10.0.0.0/8\"}, {\"rule\": \"x\"}]}", "ban 2: rule"},
    };
    sy_gate gate;
    char *why = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put(rows[i].text);
        cr_assert_eq(yard_bans_read(path, NOW, &gate, &why), YARD_BANS_DAMAGED, "%s", rows[i].text);
        cr_expect_not_null(strstr(why, rows[i].says), "%s: %s", rows[i].text, why);
        free(why);
    }
    (void)unlink(path);
    cr_assert_eq(symlink("nowhere", path), 0);
    cr_assert_eq(yard_bans_read(path, NOW, &gate, &why), YARD_BANS_UNREADABLE);
    free(why);
}

/* Only a file that is not there means that nobody is banned. */
Test(bans_file, a_path_that_cannot_be_followed_is_unreadable) {
    sy_gate gate;
    char *why = NULL;
    char inside[128];
    cr_assert_eq(symlink(path, path), 0); /* a folder that leads to itself */
    (void)snprintf(inside, sizeof inside, "%s/bans.json", path);
    cr_assert_eq(yard_bans_read(inside, NOW, &gate, &why), YARD_BANS_UNREADABLE);
    cr_expect_not_null(strstr(why, inside), "%s", why);
    free(why);
    (void)snprintf(inside, sizeof inside, "%s/none/bans.json", folder);
    cr_assert_eq(yard_bans_read(inside, NOW, &gate, &why), YARD_BANS_READ);
    cr_expect_eq(gate.ban_count, 0);
    sy_gate_fini(&gate);
}

static void *no_memory(size_t size) {
    (void)size;
    return NULL;
}

Test(bans_file, without_memory_the_file_stays) {
    static const char good[] = "{\"bans\": []}";
    sy_gate gate;
    char *why = NULL;
    put(good);
    sy_gate_init(&gate, sy_mem_libc());
    json_set_alloc_funcs(no_memory, free);
    const bool written = yard_bans_write(path, &gate, &why);
    json_set_alloc_funcs(malloc, free);
    cr_assert(!written);
    cr_expect_not_null(strstr(why, path), "%s", why);
    free(why);
    char *text = NULL;
    size_t len = 0;
    cr_assert(yard_file_read(path, 100, &text, &len, &why));
    cr_expect_str_eq(text, good);
    free(text);
    sy_gate_fini(&gate);
}

Test(bans_file, set_aside_keeps_every_byte) {
    char *aside = NULL;
    char *why = NULL;
    char *text;
    size_t len;
    put("{damaged");
    cr_assert(yard_file_set_aside(path, &aside, &why));
    cr_expect_not(yard_file_exists(path));
    cr_assert(yard_file_read(aside, 100, &text, &len, &why));
    cr_expect_str_eq(text, "{damaged");
    (void)unlink(aside);
    free(text);
    free(aside);
    cr_expect_not(yard_file_set_aside(path, &aside, &why));
    cr_expect_not_null(strstr(why, "bans.json: cannot be set aside: "));
    free(why);
}
