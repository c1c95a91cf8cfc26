/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a message handed to a send queue.  Sending never blocks and never fails late: the
 * answer is final at once. */
#ifndef SWITCHYARD_SEND_RESULT_H
#define SWITCHYARD_SEND_RESULT_H

#include <switchyard/export.h>

SY_BEGIN_DECLS

typedef enum sy_send_result {
    SY_SEND_QUEUED = 0,
    SY_SEND_FULL = 1,    /* the queue of this channel is full; `writable` will be reported */
    SY_SEND_REFUSED = 2, /* the remote has not announced the channel, or the peer is closing */
    SY_SEND_GONE = 3,    /* the peer is gone (calls with a peer reference only) */
} sy_send_result;

SY_END_DECLS

#endif
