/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of one command: its own options, and the configuration keys as flags where it
 * takes them.  "--name value" and "--name=value"; '_' and '-' are the same in names; an option
 * without a value and a true/false key may stand alone. */
#ifndef YARD_ARGS_H
#define YARD_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/yard/config.h"

typedef struct yard_option {
    const char *name;  /* with '-' */
    const char *value; /* what to call it in the help; NULL: takes none */
    const char *text;  /* help */
} yard_option;

#define YARD_OPTIONS_MAX 12

struct yard_args;

typedef struct yard_command {
    const char *name;
    const char *operands;                  /* for the usage line: "" or "N" */
    size_t operand_count;                  /* at least so many */
    size_t operand_extra;                  /* and as many more */
    const char *text;                      /* one sentence */
    bool takes_keys;                       /* configuration keys as flags */
    yard_option options[YARD_OPTIONS_MAX]; /* up to one without name */
    int (*run)(const struct yard_args *args);
} yard_command;

typedef struct yard_key_flag {
    yard_key key;
    const char *flag; /* "--p2p.laddr": owned */
    const char *text;
} yard_key_flag;

typedef struct yard_args {
    const yard_command *command;
    const char *values[YARD_OPTIONS_MAX]; /* by index of the option; "" for one without value */
    const char *const *operands;
    size_t operand_count;
    yard_key_flag *keys;
    size_t key_count;
} yard_args;

#define YARD_ARGS_HELP (-1) /* help was asked for and printed */

/* Parses what stands behind the command's name.  YARD_EXIT_OK, YARD_EXIT_USAGE (complained) or
 * YARD_ARGS_HELP.  Call yard_args_fini in any case. */
int yard_args_parse(const yard_command *command, int argc, char **argv, yard_args *ret_args);
void yard_args_fini(yard_args *args);

/* The value of an option, NULL when it was not given. */
const char *yard_args_get(const yard_args *args, const char *name);

/* A decimal number of an option; complains. */
bool yard_args_number(const yard_args *args, const char *name, uint64_t min, uint64_t max,
                      uint64_t fallback, uint64_t *ret_number);

/* --home, or its default.  Owned. */
char *yard_args_home(const yard_args *args);

/* Applies the key flags. */
void yard_args_apply(const yard_args *args, yard_config *config);

void yard_args_help(const yard_command *command);

#endif
