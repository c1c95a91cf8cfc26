/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox of an isolated reactor: what the loop has for it and what its worker does next.  A
 * pure core: it knows no thread and takes no lock.  Its owner (isolated.c) calls every function
 * below with the lock of the worker held, so that each is short.
 *
 *     switch (sy_mailbox_offer(&mailbox, &box->queues[i], len)) {       // the loop
 *     case SY_MAIL_TAKE: ...  sy_mailbox_push(&mailbox, &box->queues[i], mail); ...
 *     }
 *     while (sy_mailbox_next(&mailbox, &work)) {                        // the worker
 *         ... the reactor's operation, with the lock released ...
 *         sy_mailbox_done(&mailbox, &work, ok);
 *     }
 *
 * A box is one peer.  Its life, as the worker sees it:
 *
 *     OPENED -> DUE -> STARTING -> LIVE -> OVER
 *                 \        \-> FAILED          (peer_init failed, or it ended meanwhile)
 *                  \-> (never shown)           (it ended before its turn came)
 *
 * Work comes in this order: new peers; queues that have become writable; ends of peers whose
 * messages are all delivered; messages by class, inside a class one message of each (peer, channel)
 * in turn.  A class that waits while a higher one is served gets one of SY_MAIL_SHARE turns.  A box
 * whose ID has an older box that is not over waits for it.
 *
 * Invariants: a queue's `bytes` is the cost of its messages, waiting or being handled; an ending
 * box takes no more messages; at most one work is under way.   Source: docs/spec/reactors.md. */
#ifndef SY_P2P_MAILBOX_H
#define SY_P2P_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/channel.h>
#include <switchyard/msg.h>
#include <switchyard/node_id.h>
#include <switchyard/time.h>

#define SY_MAIL_COST  128 /* bytes that a message counts on top of its length */
#define SY_MAIL_SHARE 20  /* one dispatch of so many is a waiting lower class's (5 %) */

typedef struct sy_mail_box sy_mail_box;

/* One message.  Owned by the queue it stands in. */
typedef struct sy_mail {
    struct sy_mail *next;
    sy_msg *msg;
    sy_time arrived_at;
} sy_mail;

/* One channel of one peer.  Members are private but for index, box and the counters. */
typedef struct sy_mail_queue {
    sy_mail_box *box;
    uint16_t index; /* of the channel among the reactor's */
    sy_mail *first;
    sy_mail *last;
    size_t count; /* waiting */
    size_t bytes; /* cost, waiting and being handled */
    size_t budget;
    sy_full_policy policy;
    unsigned rank; /* 0: the highest class */
    bool ringed;
    struct sy_mail_queue *ring_prev;
    struct sy_mail_queue *ring_next;
    bool paused;
    bool resumed; /* no longer paused, the loop does not know yet */
    bool writable_due;
    sy_time writable_since;
    struct sy_mail_queue *next_writable;
} sy_mail_queue;

typedef enum sy_box_state {
    SY_BOX_OPENED,
    SY_BOX_DUE,
    SY_BOX_STARTING,
    SY_BOX_LIVE,
    SY_BOX_FAILED,
    SY_BOX_OVER,
} sy_box_state;

struct sy_mail_box {
    sy_node_id id;
    sy_box_state state;
    bool ending;
    bool end_due;  /* stands in the list of ends */
    sy_time since; /* of what is due: start or end */
    size_t waiting;
    sy_mail_queue *queues;  /* the owner's array */
    sy_mail_box *waits_for; /* an older box of this ID */
    sy_mail_box *successor;
    sy_mail_box *next_due; /* in the list of starts or of ends */
    sy_mail_box *prev;
    sy_mail_box *next;
};

typedef enum sy_mail_work_kind {
    SY_WORK_START, /* peer_init, and when it succeeds peer_added */
    SY_WORK_WRITABLE,
    SY_WORK_MESSAGE,
    SY_WORK_END,  /* peer_removed, peer_fini */
    SY_WORK_STOP, /* the reactor's last operation */
} sy_mail_work_kind;

typedef struct sy_mail_work {
    sy_mail_work_kind kind;
    sy_mail_box *box;     /* not for STOP */
    sy_mail_queue *queue; /* MESSAGE, WRITABLE */
    sy_mail *mail;        /* MESSAGE: the caller's from now on */
    size_t cost;          /* MESSAGE */
} sy_mail_work;

typedef struct sy_mailbox {
    size_t queue_count; /* of each box */
    size_t bytes_max;   /* of all boxes together; 0: no limit of its own */
    size_t bytes;
    size_t messages; /* waiting */
    sy_mail_box *boxes;
    size_t box_count;
    size_t started_count; /* STARTING or LIVE */
    sy_mail_box *start_first;
    sy_mail_box *start_last;
    sy_mail_box *end_first;
    sy_mail_box *end_last;
    sy_mail_queue *writable_first;
    sy_mail_queue *writable_last;
    sy_mail_queue *ring[SY_CLASS_COUNT]; /* the next one to be served */
    unsigned passed[SY_CLASS_COUNT];
    bool busy;
    sy_mail_work at_work; /* while busy */
    sy_time busy_since;   /* when what is being handled became due */
    bool closing;
    bool stopped; /* STOP was handed out */
    uint64_t dropped_newest;
    uint64_t dropped_oldest;
} sy_mailbox;

void sy_mailbox_init(sy_mailbox *mailbox, size_t queue_count, size_t bytes_max);

/* What a message of this length counts. */
size_t sy_mailbox_cost(size_t len);

/* ---- The loop ----------------------------------------------------------------------------------
 */

/* A new box.  queues (queue_count of them) belong to the owner; descs are the reactor's channels
 * with all defaults filled in. */
void sy_mailbox_open(sy_mailbox *mailbox, sy_mail_box *box, const sy_node_id *id,
                     sy_mail_queue *queues, const sy_channel_desc *descs);

/* From now on it is the worker's business. */
void sy_mailbox_start(sy_mailbox *mailbox, sy_mail_box *box, sy_time now);

typedef enum sy_mail_verdict {
    SY_MAIL_TAKE,
    SY_MAIL_TAKE_AND_PAUSE, /* take it, then stop reading the connection */
    SY_MAIL_DROP_NEWEST,    /* already counted as dropped */
    SY_MAIL_DROP_OLDEST,    /* call drop_oldest, then offer again */
    SY_MAIL_DISCONNECT,
    SY_MAIL_IGNORE, /* the peer is not wanted any more: drop it without a word */
} sy_mail_verdict;

/* Is there room for a message of this length?  A queue in which nothing waits takes any message, so
 * that a budget below the capacity of its channel cannot shut it out; the limit of the whole
 * mailbox holds nevertheless. */
sy_mail_verdict sy_mailbox_offer(sy_mailbox *mailbox, sy_mail_queue *queue, size_t len);

/* After TAKE and TAKE_AND_PAUSE, of the same length. */
void sy_mailbox_push(sy_mailbox *mailbox, sy_mail_queue *queue, sy_mail *mail);

/* After TAKE_AND_PAUSE; false when it is paused already. */
bool sy_mailbox_pause(sy_mail_queue *queue);

/* The oldest waiting message, to be freed by the caller. */
sy_mail *sy_mailbox_drop_oldest(sy_mailbox *mailbox, sy_mail_queue *queue);

/* A channel that answered FULL has room again. */
void sy_mailbox_writable(sy_mailbox *mailbox, sy_mail_queue *queue, sy_time now);

/* The connection has ended.  discard: what waits is dropped, otherwise it is delivered first.
 * Dropped messages are put in front of *dropped, to be freed by the caller.  Returns true when the
 * worker has nothing (more) to do with the box: forget it now. */
bool sy_mailbox_close(sy_mailbox *mailbox, sy_mail_box *box, bool discard, sy_mail **dropped,
                      sy_time now);

/* Drops what waits: of a box that ended while its peer_init failed. */
void sy_mailbox_empty(sy_mailbox *mailbox, sy_mail_box *box, sy_mail **dropped);

/* Takes the box out; OPENED, FAILED, OVER, or after close said so; nothing may wait in it. */
void sy_mailbox_forget(sy_mailbox *mailbox, sy_mail_box *box);

/* No box will be opened any more; the worker gets STOP once all boxes are over. */
void sy_mailbox_shut(sy_mailbox *mailbox);

/* ---- The worker --------------------------------------------------------------------------------
 */

/* What to do next; false when there is nothing. */
bool sy_mailbox_next(sy_mailbox *mailbox, sy_mail_work *ret_work);

/* It is done.  ok false: START, peer_init failed (peer_fini has been called).  Returns true when
 * the loop should hear of it: the box is over or failed, or its connection may be read again. */
bool sy_mailbox_done(sy_mailbox *mailbox, const sy_mail_work *work, bool ok, sy_time now);

/* Between peer_init and peer_added: has the peer ended meanwhile?  Then peer_added is left out. */
bool sy_mailbox_is_ending(const sy_mail_box *box);

/* Nothing will come any more. */
bool sy_mailbox_is_finished(const sy_mailbox *mailbox);

/* ---- Questions ---------------------------------------------------------------------------------
 */

typedef struct sy_mail_oldest {
    sy_time since;
    const char *operation; /* what is waiting or under way, e.g. "receive"; static */
    bool under_way;
    const sy_mail_box *box;     /* may be NULL */
    const sy_mail_queue *queue; /* may be NULL */
} sy_mail_oldest;

/* What has been waiting (or under way) longest; false when nothing is. */
bool sy_mailbox_oldest(const sy_mailbox *mailbox, sy_mail_oldest *ret_oldest);

#endif
