/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/yard/args.h"

static int run_nothing(const yard_args *args) {
    (void)args;
    return 0;
}

static const yard_command with_keys = {
    .name = "start",
    .operands = "",
    .text = "Starts.",
    .takes_keys = true,
    .options = {{"home", "DIR", "home"}, {"loud-mode", NULL, "loud"}},
    .run = run_nothing,
};

static const yard_command with_operand = {
    .name = "probe",
    .operands = "ID",
    .operand_count = 1,
    .text = "Probes.",
    .options = {{"json", NULL, "json"}},
    .run = run_nothing,
};

typedef struct args_row {
    const yard_command *command;
    const char *line; /* words separated by one space; "|" stands for a space in a word */
    int status;
    const char *keys;  /* "flag=value " of each key flag */
    const char *home;  /* NULL: not given */
    const char *error; /* contained */
} args_row;

static const args_row args_rows[] = {
    {&with_keys, "", 0, "", NULL, NULL},
    {&with_keys, "--home x", 0, "", "x", NULL},
    {&with_keys, "--home=x", 0, "", "x", NULL},
    {&with_keys, "--home=", 0, "", "", NULL},
    {&with_keys, "--home a --home b", 0, "", "b", NULL},
    {&with_keys, "--loud-mode", 0, "", NULL, NULL},
    {&with_keys, "--loud_mode", 0, "", NULL, NULL},
    {&with_keys, "--loud-mode=yes", 2, "", NULL, "no value belongs to --loud-mode=yes"},
    {&with_keys, "--home", 2, "", NULL, "a value is missing after --home"},
    {&with_keys, "--p2p.laddr tcp://0.0.0.0:0", 0, "--p2p.laddr=tcp://0.0.0.0:0 ", NULL, NULL},
    {&with_keys, "--p2p.laddr=tcp://0.0.0.0:0", 0, "--p2p.laddr=tcp://0.0.0.0:0 ", NULL, NULL},
    {&with_keys, "--p2p.persistent_peers ", 0, "--p2p.persistent_peers= ", NULL, NULL},
    {&with_keys, "--chain-id x --home y", 0, "--chain-id=x ", "y", NULL},
    {&with_keys, "--profiles [\"a\",|\"b\"]", 0, "--profiles=[\"a\", \"b\"] ", NULL, NULL},
    {&with_keys, "--p2p.pex true", 0, "--p2p.pex=true ", NULL, NULL},
    {&with_keys, "--p2p.pex false --home x", 0, "--p2p.pex=false ", "x", NULL},
    {&with_keys, "--p2p.pex --home x", 0, "--p2p.pex=true ", "x", NULL},
    {&with_keys, "--p2p.pex=false", 0, "--p2p.pex=false ", NULL, NULL},
    {&with_keys, "--p2p.pex", 0, "--p2p.pex=true ", NULL, NULL},
    {&with_keys, "--p2p.laddr", 2, "", NULL, "a value is missing after --p2p.laddr"},
    {&with_keys, "--nosuch 1", 2, "", NULL,
     "start: unknown flag --nosuch (see `yard start --help`)"},
    {&with_keys, "--p2p.nosuch 1", 2, "", NULL, "unknown flag --p2p.nosuch"},
    {&with_keys, "-x", 2, "", NULL, "unknown flag -x"},
    {&with_keys, "x", 2, "", NULL, "unexpected argument x"},
    {&with_operand, "x", 0, "", NULL, NULL},
    {&with_operand, "x --json", 0, "", NULL, NULL},
    {&with_operand, "--json -- --x", 0, "", NULL, NULL},
    {&with_operand, "", 2, "", NULL, "missing argument ID"},
    {&with_operand, "a b", 2, "", NULL, "unexpected argument b"},
    {&with_operand, "a --chain_id x", 2, "", NULL, "unknown flag --chain_id"},
    {&with_keys, "--help", YARD_ARGS_HELP, "", NULL, NULL},
    {&with_keys, "-h", YARD_ARGS_HELP, "", NULL, NULL},
};

/* Splits line in place; returns the number of words. */
static int split(char *line, char **words) {
    int count = 0;
    for (char *at = line; *line != '\0' && at != NULL && count < 8;) {
        char *space = strchr(at, ' ');
        words[count++] = at;
        if (space != NULL) {
            *space++ = '\0';
        }
        for (char *c = words[count - 1]; *c != '\0'; c++) {
            *c = *c == '|' ? ' ' : *c;
        }
        at = space;
    }
    return count;
}

static void check_row(const args_row *row) {
    char line[256];
    char keys[256] = "";
    char *words[8];
    size_t len = 0;
    yard_args args;
    (void)snprintf(line, sizeof line, "%s", row->line);
    const int count = split(line, words);
    const int status = yard_args_parse(row->command, count, words, &args);
    cr_expect_eq(status, row->status, "row \"%s\": %d", row->line, status);
    for (size_t i = 0; status == 0 && i < args.key_count; i++) {
        len += (size_t)snprintf(keys + len, sizeof keys - len, "%s=%s ", args.keys[i].flag,
                                args.keys[i].text);
    }
    cr_expect_str_eq(keys, row->keys, "row \"%s\": %s", row->line, keys);
    if (status == 0 && row->command == &with_keys) {
        const char *home = yard_args_get(&args, "home");
        cr_expect_eq(home == NULL, row->home == NULL, "row \"%s\"", row->line);
        if (home != NULL && row->home != NULL) {
            cr_expect_str_eq(home, row->home, "row \"%s\"", row->line);
        }
    }
    yard_args_fini(&args);
}

Test(args, flags_options_and_operands) {
    for (size_t i = 0; i < sizeof args_rows / sizeof args_rows[0]; i++) {
        check_row(&args_rows[i]);
    }
}

/* The messages, in order, on standard error. */
Test(args, complaints_name_the_flag) {
    cr_redirect_stderr();
    cr_redirect_stdout();
    for (size_t i = 0; i < sizeof args_rows / sizeof args_rows[0]; i++) {
        check_row(&args_rows[i]);
    }
    (void)fflush(stderr);
    char text[8192];
    FILE *out = cr_get_redirected_stderr();
    const size_t len = fread(text, 1, sizeof text - 1, out);
    text[len] = '\0';
    const char *at = text;
    for (size_t i = 0; i < sizeof args_rows / sizeof args_rows[0]; i++) {
        if (args_rows[i].error != NULL) {
            const char *found = strstr(at, args_rows[i].error);
            cr_expect_not_null(found, "row \"%s\": no \"%s\" in: %s", args_rows[i].line,
                               args_rows[i].error, at);
            at = found != NULL ? found + 1 : at;
        }
    }
}
