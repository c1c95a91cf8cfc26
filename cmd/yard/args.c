/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yard/args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <switchyard/assert.h>

#include "cmd/yard/util.h"

/* ---- Help ------------------------------------------------------------------------------------ */

static size_t option_count(const yard_command *command) {
    size_t count = 0;
    while (count < YARD_OPTIONS_MAX && command->options[count].name != NULL) {
        count++;
    }
    return count;
}

void yard_args_help(const yard_command *command) {
    (void)printf("usage: yard %s%s%s%s\n\n%s\n", command->name,
                 command->operands[0] != '\0' ? " " : "", command->operands,
                 option_count(command) > 0 ? " [flags]" : "", command->text);
    if (option_count(command) > 0) {
        (void)printf("\nflags:\n");
    }
    for (size_t i = 0; i < option_count(command); i++) {
        const yard_option *option = &command->options[i];
        char *name = yard_format("--%s%s%s", option->name, option->value != NULL ? " " : "",
                                 option->value != NULL ? option->value : "");
        (void)printf("  %-26s %s\n", name, option->text);
        free(name);
    }
    if (command->takes_keys) {
        (void)printf("  %-26s %s\n  %-26s %s\n", "--p2p.KEY VALUE", "any key of [p2p]",
                     "--KEY VALUE",
                     "any key of [switchyard], and those of the top level that "
                     "are used");
        (void)printf("\n`yard help keys` lists the keys.\n");
    }
}

/* ---- Parsing --------------------------------------------------------------------------------- */

/* One flag taken apart; value NULL: none was attached with '='. */
typedef struct flag {
    const char *whole; /* as written, with dashes */
    const char *name;
    size_t name_len;
    const char *value;
} flag;

static flag split(const char *arg) {
    const char *name = arg + 2;
    const char *equals = strchr(name, '=');
    return (flag){
        .whole = arg,
        .name = name,
        .name_len = equals == NULL ? strlen(name) : (size_t)(equals - name),
        .value = equals == NULL ? NULL : equals + 1,
    };
}

static bool same_name(const char *name, const flag *given) {
    if (strlen(name) != given->name_len) {
        return false;
    }
    for (size_t i = 0; i < given->name_len; i++) {
        if (name[i] != (given->name[i] == '_' ? '-' : given->name[i])) {
            return false;
        }
    }
    return true;
}

static int complain(const yard_command *command, const char *what, const char *flag_text) {
    yard_complain("%s: %s %s (see `yard %s --help`)", command->name, what, flag_text,
                  command->name);
    return YARD_EXIT_USAGE;
}

static bool is_bool_text(const char *text) {
    return text != NULL && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0);
}

/* The value of a flag: attached, or the next argument, which is then used up. */
static const char *value_of(const flag *given, int argc, char **argv, int *at) {
    if (given->value != NULL) {
        return given->value;
    }
    return *at + 1 < argc ? argv[++*at] : NULL;
}

static int take_option(yard_args *args, size_t index, const flag *given, int argc, char **argv,
                       int *at) {
    const yard_option *option = &args->command->options[index];
    if (option->value == NULL) {
        if (given->value != NULL) {
            return complain(args->command, "no value belongs to", given->whole);
        }
        args->values[index] = "";
        return YARD_EXIT_OK;
    }
    const char *value = value_of(given, argc, argv, at);
    if (value == NULL) {
        return complain(args->command, "a value is missing after", given->whole);
    }
    args->values[index] = value;
    return YARD_EXIT_OK;
}

static int take_key(yard_args *args, yard_key key, const flag *given, int argc, char **argv,
                    int *at) {
    const char *value;
    if (yard_key_get(key)->kind == YARD_KIND_BOOL && given->value == NULL &&
        !(*at + 1 < argc && is_bool_text(argv[*at + 1]))) {
        value = "true";
    } else {
        value = value_of(given, argc, argv, at);
    }
    if (value == NULL) {
        return complain(args->command, "a value is missing after", given->whole);
    }
    args->keys = yard_resize(args->keys, args->key_count + 1, sizeof *args->keys);
    args->keys[args->key_count++] = (yard_key_flag){
        .key = key,
        .flag = yard_format("--%.*s", (int)given->name_len, given->name),
        .text = value,
    };
    return YARD_EXIT_OK;
}

static int take_flag(yard_args *args, int argc, char **argv, int *at) {
    const flag given = split(argv[*at]);
    if (same_name("help", &given)) {
        yard_args_help(args->command);
        return YARD_ARGS_HELP;
    }
    for (size_t i = 0; i < option_count(args->command); i++) {
        if (same_name(args->command->options[i].name, &given)) {
            return take_option(args, i, &given, argc, argv, at);
        }
    }
    const yard_key key = yard_key_of_flag(given.name, given.name_len);
    if (key == YARD_KEY_COUNT || !args->command->takes_keys) {
        return complain(args->command, "unknown flag", given.whole);
    }
    return take_key(args, key, &given, argc, argv, at);
}

int yard_args_parse(const yard_command *command, int argc, char **argv, yard_args *ret_args) {
    const char **operands = yard_alloc((size_t)argc + 1, sizeof *operands);
    *ret_args = (yard_args){.command = command, .operands = operands};
    bool only_operands = false;
    for (int at = 0; at < argc; at++) {
        const char *arg = argv[at];
        if (only_operands || arg[0] != '-' || arg[1] == '\0') {
            operands[ret_args->operand_count++] = arg;
        } else if (strcmp(arg, "--") == 0) {
            only_operands = true;
        } else if (strcmp(arg, "-h") == 0) {
            yard_args_help(command);
            return YARD_ARGS_HELP;
        } else if (arg[1] != '-') {
            return complain(command, "unknown flag", arg);
        } else {
            const int status = take_flag(ret_args, argc, argv, &at);
            if (status != YARD_EXIT_OK) {
                return status;
            }
        }
    }
    const size_t most = command->operand_count + command->operand_extra;
    if (ret_args->operand_count > most) {
        return complain(command, "unexpected argument", operands[most]);
    }
    if (ret_args->operand_count < command->operand_count) {
        return complain(command, "missing argument", command->operands);
    }
    return YARD_EXIT_OK;
}

void yard_args_fini(yard_args *args) {
    for (size_t i = 0; i < args->key_count; i++) {
        free((void *)(uintptr_t)args->keys[i].flag);
    }
    free(args->keys);
    free((void *)(uintptr_t)args->operands);
    *args = (yard_args){0};
}

/* ---- Use ------------------------------------------------------------------------------------- */

const char *yard_args_get(const yard_args *args, const char *name) {
    for (size_t i = 0; i < option_count(args->command); i++) {
        if (strcmp(args->command->options[i].name, name) == 0) {
            return args->values[i];
        }
    }
    SY_UNREACHABLE();
}

bool yard_args_number(const yard_args *args, const char *name, uint64_t min, uint64_t max,
                      uint64_t fallback, uint64_t *ret_number) {
    const char *text = yard_args_get(args, name);
    if (text == NULL) {
        *ret_number = fallback;
        return true;
    }
    errno = 0;
    const bool digits = text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
    const unsigned long long number = digits ? strtoull(text, NULL, 10) : 0;
    if (!digits || errno == ERANGE || number < min || number > max) {
        yard_complain("%s: --%s %s: not a number from %" PRIu64 " to %" PRIu64, args->command->name,
                      name, text, min, max);
        return false;
    }
    *ret_number = number;
    return true;
}

char *yard_args_home(const yard_args *args) {
    const char *home = yard_args_get(args, "home");
    if (home != NULL) {
        return yard_strdup(home[0] == '\0' ? "." : home);
    }
    const char *user = getenv("HOME");
    return yard_format("%s/.yard", user != NULL ? user : ".");
}

void yard_args_apply(const yard_args *args, yard_config *config) {
    for (size_t i = 0; i < args->key_count; i++) {
        yard_config_set_flag(config, args->keys[i].key, args->keys[i].flag, args->keys[i].text);
    }
}
