/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of yard. */
#ifndef YARD_COMMANDS_H
#define YARD_COMMANDS_H

#include <switchyard/node_key.h>
#include <switchyard/time.h>

#include "cmd/yard/args.h"

extern const yard_command yard_command_init;
extern const yard_command yard_command_start;
extern const yard_command yard_command_seed;
extern const yard_command yard_command_addrbook;
extern const yard_command yard_command_bans;
extern const yard_command yard_command_show_node_id;
extern const yard_command yard_command_gen_node_key;
extern const yard_command yard_command_check_config;
extern const yard_command yard_command_probe;
extern const yard_command yard_command_sim;
extern const yard_command yard_command_crawl;
extern const yard_command yard_command_testnet;
extern const yard_command yard_command_version;

/* The options that every command with a home has. */
#define YARD_OPTION_HOME                                                                           \
    { "home", "DIR", "the node's directory (default ~/.yard)" }

/* Options that `probe` and `crawl` share; all complain.  --profile: what to speak, in order. */
bool yard_read_profiles(const yard_args *args, const char *const **ret_profiles, size_t *ret_count);
bool yard_read_seconds(const yard_args *args, const char *option, sy_duration max,
                       sy_duration fallback, sy_duration *ret_duration);

/* The home's key when a home was named, else one for this run only; wipe it. */
bool yard_read_key(const yard_args *args, sy_node_key *ret_key);

/* Prints errors, and warnings when asked, of a configuration; returns whether there are no errors.
 */
bool yard_config_report(const yard_config *config, bool with_warnings);

#endif
