/* SPDX-License-Identifier: Apache-2.0 */
/* Writes files on a thread of its own: a disk that takes its time for fsync must not stop the loop.
 * Of several texts for one path that wait only the last one is written.  One thread calls. */
#ifndef YARD_SAVER_H
#define YARD_SAVER_H

#include <stddef.h>

typedef struct yard_saver yard_saver;

/* drop frees a text, on either thread.  Without a thread (there is none to be had) it writes at
 * once. */
yard_saver *yard_saver_new(void (*drop)(void *user, char *text), void *user);

/* Writes what still waits and ends; returns as yard_saver_error.  NULL is allowed. */
char *yard_saver_close(yard_saver *saver);

#define YARD_SAVER_PATHS 4

/* Takes text; copies path.  At most YARD_SAVER_PATHS different ones. */
void yard_saver_put(yard_saver *saver, const char *path, char *text, size_t len, unsigned mode);

/* Why the last write that failed did, once; NULL: none has since.  Owned. */
char *yard_saver_error(yard_saver *saver);

#endif
