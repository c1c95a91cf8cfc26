/* SPDX-License-Identifier: Apache-2.0 */
/* An immutable, reference-counted message: a broadcast is encoded once and shared by every send
 * queue.  The count is atomic, so that a reference may be dropped on another thread.
 *
 * Memory: a message counts in full against the limit of each queue it stands in, and once against
 * the budget given at its creation (the node's), until the last reference goes; there its header is
 * charged with it. */
#ifndef SWITCHYARD_MSG_H
#define SWITCHYARD_MSG_H

#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/mem.h>

SY_BEGIN_DECLS

typedef struct sy_msg sy_msg;

/* Makes a message of len bytes (0 allowed), reference count 1.  data is copied; with data NULL the
 * content is left for sy_msg_write_data to fill before the message is shared.  `mem` is copied,
 * `budget` (may be NULL) borrows until the last unref; with a budget the last unref must happen on
 * the loop thread.
 *   SY_ERR_NOMEM, SY_ERR_LIMIT */
SY_API sy_err sy_msg_new(const sy_mem *mem, sy_budget *budget, const void *data, size_t len,
                         sy_msg **ret_msg) SY_MUST_USE;

/* One more reference; returns msg.  Any thread. */
SY_API sy_msg *sy_msg_ref(sy_msg *msg);

/* One reference less; the last one frees.  NULL is allowed. */
SY_API void sy_msg_unref(sy_msg *msg);

/* Borrowed until the last unref. */
SY_API const uint8_t *sy_msg_data(const sy_msg *msg);
SY_API size_t sy_msg_len(const sy_msg *msg);

/* The content for filling in place; requires that the caller holds the only reference. */
SY_API uint8_t *sy_msg_write_data(sy_msg *msg);

SY_END_DECLS

#endif
