/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a home directory: whole-file reads with a limit, atomic writes, the node key. */
#ifndef YARD_FILES_H
#define YARD_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include <switchyard/node_key.h>

/* Reads a whole file of at most max bytes; *ret_text has a NUL behind it.  Both results are owned:
 * *ret_text after success, *ret_why (a sentence with the path) after failure. */
bool yard_file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, char **ret_why);

/* Writes beside the target, flushes to the disk, then renames over it and flushes the directory: at
 * any instant the path holds the old or the new content.  mode as for open(2), not masked. */
bool yard_file_write(const char *path, const void *data, size_t len, unsigned mode, char **ret_why);

/* Removes what a yard_file_write to this path left beside it when its process was killed; returns
 * how many files.  Not while another process may be writing it. */
size_t yard_file_sweep(const char *path);

bool yard_file_exists(const char *path);

/* Moves a damaged file to a name with the time in it, so that nothing of it is lost.  *ret_aside is
 * the new name after success, *ret_why after failure; owned. */
bool yard_file_set_aside(const char *path, char **ret_aside, char **ret_why);

/* Makes the directory and those above it. */
bool yard_dir_make(const char *path, unsigned mode, char **ret_why);

/* Reads and checks a node key; *ret_why says what is wrong, never with bytes of the key.
 * *ret_open_to_others (may be NULL): the file may be read by group or others. */
bool yard_key_read(const char *path, sy_node_key *ret_key, bool *ret_open_to_others,
                   char **ret_why);

/* Makes a new key and writes it with mode 0600; refuses when the file exists. */
bool yard_key_create(const char *path, sy_node_key *ret_key, char **ret_why);

#endif
