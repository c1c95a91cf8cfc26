/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of yard. */
#ifndef YARD_COMMANDS_H
#define YARD_COMMANDS_H

#include "cmd/yard/args.h"

extern const yard_command yard_command_init;
extern const yard_command yard_command_start;
extern const yard_command yard_command_seed;
extern const yard_command yard_command_addrbook;
extern const yard_command yard_command_show_node_id;
extern const yard_command yard_command_gen_node_key;
extern const yard_command yard_command_check_config;
extern const yard_command yard_command_probe;
extern const yard_command yard_command_sim;
extern const yard_command yard_command_testnet;
extern const yard_command yard_command_version;

/* The options that every command with a home has. */
#define YARD_OPTION_HOME                                                                           \
    { "home", "DIR", "the node's directory (default ~/.yard)" }

/* Prints errors, and warnings when asked, of a configuration; returns whether there are no errors.
 */
bool yard_config_report(const yard_config *config, bool with_warnings);

#endif
