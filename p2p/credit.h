/* SPDX-License-Identifier: Apache-2.0 */
/* What another thread may send to one peer on one channel: the send queue's limits, granted by the
 * loop as a credit, so that a send is answered at once without asking the loop.  A pure core; its
 * owner (isolated.c) holds the lock of the worker around every call.
 *
 *     posted (waits for the loop) + queued (in the send queue, as last published) <= limits
 *
 * Invariant: what was answered QUEUED is within the limits, so that the loop can keep it. */
#ifndef SY_P2P_CREDIT_H
#define SY_P2P_CREDIT_H

#include <switchyard/channel.h>
#include <switchyard/send_result.h>

#include "p2p/mailbox.h"

typedef struct sy_credit {
    size_t messages_max;
    size_t bytes_max;
    size_t message_max; /* longest message */
    bool open;          /* the remote has the channel, and the peer is not going */
    bool wanted;        /* FULL was answered: say when there is room */
    sy_mail *first;
    sy_mail *last;
    size_t posted_messages;
    size_t posted_bytes;
    size_t queued_messages;
    size_t queued_bytes;
} sy_credit;

/* desc: with all defaults filled in.  remote_has: the remote announced the channel. */
void sy_credit_init(sy_credit *credit, const sy_channel_desc *desc, bool remote_has);

/* What would a message of this length be answered?  FULL is remembered. */
sy_send_result sy_credit_ask(sy_credit *credit, size_t len);

/* Any thread.  Takes the mail when QUEUED, otherwise it stays the caller's. */
sy_send_result sy_credit_post(sy_credit *credit, sy_mail *mail);

/* The loop: the oldest posted one, or NULL; take moves it from posted to queued (into the send
 * queue), drop gives its credit back. */
sy_mail *sy_credit_peek(const sy_credit *credit);
sy_mail *sy_credit_take(sy_credit *credit);
sy_mail *sy_credit_drop(sy_credit *credit);

/* The loop: so much is in the send queue.  Returns true when somebody was answered FULL and the
 * credit used has since fallen to half of its limits: report `writable`, once. */
bool sy_credit_publish(sy_credit *credit, size_t queued_messages, size_t queued_bytes);

/* No more sends: what is asked from now on is REFUSED. */
void sy_credit_close(sy_credit *credit);

#endif
