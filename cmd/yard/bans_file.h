/* SPDX-License-Identifier: Apache-2.0 */
/* The file of bans: written by `yard bans`, read by the node at start, on SIGHUP and when it
 * changes.  A file that is not there holds no bans. */
#ifndef YARD_BANS_FILE_H
#define YARD_BANS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <switchyard/filter.h>

#include "p2p/bans.h"

typedef enum yard_bans_state {
    YARD_BANS_READ,
    YARD_BANS_DAMAGED, /* read, but its text is wrong */
    YARD_BANS_UNREADABLE,
} yard_bans_state;

/* The bans of the file that hold; *ret_gate is made by this call and belongs to the caller
 * (sy_gate_fini) only when READ.  Otherwise *ret_why is a sentence with the path, owned. */
yard_bans_state yard_bans_read(const char *path, sy_walltime wall, sy_gate *ret_gate,
                               char **ret_why);

/* Replaces the file. */
bool yard_bans_write(const char *path, const sy_gate *gate, char **ret_why);

/* As a text for sy_switch_bans_decode, which refuses that of length 0 (no memory).  Owned. */
char *yard_bans_text(const sy_gate *gate, size_t *ret_len);

sy_walltime yard_walltime(void);

#endif
