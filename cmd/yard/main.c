/* SPDX-License-Identifier: Apache-2.0 */
/* yard: a node of the Tendermint family's peer-to-peer network, and the tools around it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutant.h"
#include "cmd/yard/commands.h"
#include "cmd/yard/keys.h"
#include "cmd/yard/util.h"

static const yard_command *const commands[] = {
    &yard_command_init,         &yard_command_start,        &yard_command_show_node_id,
    &yard_command_gen_node_key, &yard_command_check_config, &yard_command_probe,
    &yard_command_testnet,      &yard_command_seed,         &yard_command_addrbook,
    &yard_command_crawl,        &yard_command_bans,         &yard_command_sim,
    &yard_command_version,
};

static const yard_command *find(const char *name) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        /* Other nodes write their commands with '_'. */
        const char *want = commands[i]->name;
        size_t at = 0;
        while (want[at] != '\0' && want[at] == (name[at] == '_' ? '-' : name[at])) {
            at++;
        }
        if (want[at] == '\0' && name[at] == '\0') {
            return commands[i];
        }
    }
    return NULL;
}

static void print_help(void) {
    (void)printf("yard runs a node of a Tendermint or CometBFT network.\n"
                 "\n"
                 "usage: yard COMMAND [flags]\n"
                 "\n"
                 "commands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)printf("  %-14s %s\n", commands[i]->name, commands[i]->text);
    }
    (void)printf("  %-14s %s\n", "help", "Explains a command; `help keys` the configuration.");
    (void)printf("\n`yard COMMAND --help` lists the flags of a command.\n");
}

static int unknown(const char *name) {
    yard_complain("unknown command \"%s\" (see `yard help`)", name);
    return YARD_EXIT_USAGE;
}

static int help(int argc, char **argv) {
    if (argc == 0 || argv[0][0] == '-') {
        print_help();
        return YARD_EXIT_OK;
    }
    if (strcmp(argv[0], "keys") == 0) {
        yard_keys_print(stdout);
        return YARD_EXIT_OK;
    }
    const yard_command *command = find(argv[0]);
    if (command == NULL) {
        return unknown(argv[0]);
    }
    yard_args_help(command);
    return YARD_EXIT_OK;
}

/* What was printed must have arrived: a full disk is a failure. */
static int finish(int status) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        yard_complain("cannot write to the standard output");
        return status == YARD_EXIT_OK ? YARD_EXIT_FAILED : status;
    }
    return status;
}

/* Only in builds with deliberate faults. */
static bool choose_mutant(void) {
#if SY_MUTANTS
    return sy_mutant_choose(getenv("SY_MUTANT"));
#else
    return true;
#endif
}

int main(int argc, char **argv) {
    if (!choose_mutant()) {
        yard_complain("no mutant of the name that SY_MUTANT has");
        return YARD_EXIT_USAGE;
    }
    if (argc < 2) {
        print_help();
        return finish(YARD_EXIT_USAGE);
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return finish(help(argc - 2, argv + 2));
    }
    const yard_command *command =
        strcmp(name, "--version") == 0 ? &yard_command_version : find(name);
    if (command == NULL) {
        return unknown(name);
    }
    yard_args args;
    int status = yard_args_parse(command, argc - 2, argv + 2, &args);
    if (status == YARD_EXIT_OK) {
        status = command->run(&args);
    } else if (status == YARD_ARGS_HELP) {
        status = YARD_EXIT_OK;
    }
    yard_args_fini(&args);
    return finish(status);
}
