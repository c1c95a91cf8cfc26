/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox of an isolated reactor: lists of starts, ends and writable queues, one ring of queues
 * per class.
 *
 * SPEC RX-04 RX-05 RX-06 RX-07 RX-10 RX-11 RX-12 RX-13 RX-14 RX-15 */
#include "p2p/mailbox.h"

#include <string.h>

#include <switchyard/assert.h>

void sy_mailbox_init(sy_mailbox *mailbox, size_t queue_count, size_t bytes_max) {
    memset(mailbox, 0, sizeof *mailbox);
    mailbox->queue_count = queue_count;
    mailbox->bytes_max = bytes_max;
}

size_t sy_mailbox_cost(size_t len) {
    return len > SIZE_MAX - SY_MAIL_COST ? SIZE_MAX : len + SY_MAIL_COST;
}

/* ---- Rings: the queues of started boxes that hold messages -------------------------------------
 */

static void ring_in(sy_mailbox *mb, sy_mail_queue *queue) {
    sy_mail_queue **head = &mb->ring[queue->rank];
    SY_ASSERT(!queue->ringed);
    queue->ringed = true;
    if (*head == NULL) {
        queue->ring_prev = queue->ring_next = queue;
        *head = queue;
        return;
    }
    /* In front of the next one to be served: it is its turn last. */
    queue->ring_next = *head;
    queue->ring_prev = (*head)->ring_prev;
    queue->ring_prev->ring_next = queue;
    queue->ring_next->ring_prev = queue;
}

static void ring_out(sy_mailbox *mb, sy_mail_queue *queue) {
    sy_mail_queue **head = &mb->ring[queue->rank];
    if (!queue->ringed) {
        return;
    }
    queue->ringed = false;
    if (queue->ring_next == queue) {
        *head = NULL;
        mb->passed[queue->rank] = 0;
        return;
    }
    queue->ring_prev->ring_next = queue->ring_next;
    queue->ring_next->ring_prev = queue->ring_prev;
    if (*head == queue) {
        *head = queue->ring_next;
    }
}

/* ---- Lists -------------------------------------------------------------------------------------
 */

static void append(sy_mail_box **first, sy_mail_box **last, sy_mail_box *box) {
    box->next_due = NULL;
    if (*first == NULL) {
        *first = box;
    } else {
        (*last)->next_due = box;
    }
    *last = box;
}

static void remove_start(sy_mailbox *mb, const sy_mail_box *box) {
    sy_mail_box *before = NULL;
    for (sy_mail_box *at = mb->start_first; at != NULL; before = at, at = at->next_due) {
        if (at != box) {
            continue;
        }
        if (before == NULL) {
            mb->start_first = at->next_due;
        } else {
            before->next_due = at->next_due;
        }
        if (mb->start_last == at) {
            mb->start_last = before;
        }
        return;
    }
}

static void forget_writable(sy_mailbox *mb, sy_mail_queue *queue) {
    sy_mail_queue *before = NULL;
    if (!queue->writable_due) {
        return;
    }
    queue->writable_due = false;
    for (sy_mail_queue *at = mb->writable_first; at != queue; at = at->next_writable) {
        before = at;
    }
    if (before == NULL) {
        mb->writable_first = queue->next_writable;
    } else {
        before->next_writable = queue->next_writable;
    }
    if (mb->writable_last == queue) {
        mb->writable_last = before;
    }
}

/* ---- The loop ----------------------------------------------------------------------------------
 */

void sy_mailbox_open(sy_mailbox *mailbox, sy_mail_box *box, const sy_node_id *id,
                     sy_mail_queue *queues, const sy_channel_desc *descs) {
    SY_ASSERT(!mailbox->closing);
    *box = (sy_mail_box){.id = *id, .state = SY_BOX_OPENED, .queues = queues};
    for (size_t i = 0; i < mailbox->queue_count; i++) {
        SY_ASSERT(descs[i].traffic_class != SY_CLASS_BY_PRIORITY);
        queues[i] = (sy_mail_queue){
            .box = box,
            .index = (uint16_t)i,
            .budget = descs[i].recv_budget,
            .policy = descs[i].full_policy,
            .rank = (unsigned)descs[i].traffic_class - SY_CLASS_CONTROL,
        };
    }
    box->next = mailbox->boxes;
    if (box->next != NULL) {
        box->next->prev = box;
    }
    mailbox->boxes = box;
    mailbox->box_count++;
}

void sy_mailbox_start(sy_mailbox *mailbox, sy_mail_box *box, sy_time now) {
    SY_ASSERT(box->state == SY_BOX_OPENED);
    box->state = SY_BOX_DUE;
    box->since = now;
    for (sy_mail_box *other = mailbox->boxes; other != NULL; other = other->next) {
        if ((other->state == SY_BOX_STARTING || other->state == SY_BOX_LIVE) &&
            sy_node_id_equal(&other->id, &box->id)) {
            SY_ASSERT(other->ending && other->successor == NULL);
            box->waits_for = other;
            other->successor = box;
            return;
        }
    }
    append(&mailbox->start_first, &mailbox->start_last, box);
}

static bool fits(const sy_mailbox *mb, const sy_mail_queue *queue, size_t cost) {
    const bool in_all =
        mb->bytes_max == 0 || (cost <= mb->bytes_max && mb->bytes <= mb->bytes_max - cost);
    const bool in_queue =
        queue->count == 0 || (cost <= queue->budget && queue->bytes <= queue->budget - cost);
    return in_all && in_queue;
}

sy_mail_verdict sy_mailbox_offer(sy_mailbox *mailbox, sy_mail_queue *queue, size_t len) {
    const sy_mail_box *box = queue->box;
    if (box->ending || box->state == SY_BOX_FAILED || box->state == SY_BOX_OVER) {
        return SY_MAIL_IGNORE;
    }
    if (fits(mailbox, queue, sy_mailbox_cost(len))) {
        return SY_MAIL_TAKE;
    }
    switch (queue->policy) {
    case SY_FULL_DISCONNECT:
        return SY_MAIL_DISCONNECT;
    case SY_FULL_DROP_NEWEST:
        break;
    case SY_FULL_DROP_OLDEST:
        if (queue->count > 0) {
            return SY_MAIL_DROP_OLDEST;
        }
        break; /* the mailbox is full of others' messages */
    case SY_FULL_PAUSE:
        return SY_MAIL_TAKE_AND_PAUSE;
    }
    mailbox->dropped_newest++;
    return SY_MAIL_DROP_NEWEST;
}

void sy_mailbox_push(sy_mailbox *mailbox, sy_mail_queue *queue, sy_mail *mail) {
    const size_t cost = sy_mailbox_cost(sy_msg_len(mail->msg));
    sy_mail_box *box = queue->box;
    SY_ASSERT(!box->ending);
    mail->next = NULL;
    if (queue->first == NULL) {
        queue->first = mail;
    } else {
        queue->last->next = mail;
    }
    queue->last = mail;
    queue->count++;
    queue->bytes += cost;
    box->waiting++;
    mailbox->messages++;
    mailbox->bytes += cost;
    if (box->state == SY_BOX_LIVE && !queue->ringed) {
        ring_in(mailbox, queue);
    }
}

bool sy_mailbox_pause(sy_mail_queue *queue) {
    if (queue->paused) {
        return false;
    }
    queue->paused = true;
    return true;
}

static sy_mail *take_first(sy_mailbox *mb, sy_mail_queue *queue) {
    sy_mail *mail = queue->first;
    SY_ASSERT(mail != NULL && queue->count > 0);
    queue->first = mail->next;
    mail->next = NULL;
    queue->count--;
    queue->box->waiting--;
    mb->messages--;
    if (queue->first == NULL) {
        queue->last = NULL;
        ring_out(mb, queue);
    }
    return mail;
}

static void give_back(sy_mailbox *mb, sy_mail_queue *queue, size_t cost) {
    SY_ASSERT(queue->bytes >= cost && mb->bytes >= cost);
    queue->bytes -= cost;
    mb->bytes -= cost;
}

sy_mail *sy_mailbox_drop_oldest(sy_mailbox *mailbox, sy_mail_queue *queue) {
    sy_mail *mail = take_first(mailbox, queue);
    give_back(mailbox, queue, sy_mailbox_cost(sy_msg_len(mail->msg)));
    mailbox->dropped_oldest++;
    return mail;
}

void sy_mailbox_writable(sy_mailbox *mailbox, sy_mail_queue *queue, sy_time now) {
    const sy_mail_box *box = queue->box;
    if (queue->writable_due || box->ending || box->state != SY_BOX_LIVE) {
        return;
    }
    queue->writable_due = true;
    queue->writable_since = now;
    queue->next_writable = NULL;
    if (mailbox->writable_first == NULL) {
        mailbox->writable_first = queue;
    } else {
        mailbox->writable_last->next_writable = queue;
    }
    mailbox->writable_last = queue;
}

void sy_mailbox_empty(sy_mailbox *mailbox, sy_mail_box *box, sy_mail **dropped) {
    for (size_t i = 0; i < mailbox->queue_count; i++) {
        sy_mail_queue *queue = &box->queues[i];
        while (queue->count > 0) {
            sy_mail *mail = take_first(mailbox, queue);
            give_back(mailbox, queue, sy_mailbox_cost(sy_msg_len(mail->msg)));
            mail->next = *dropped;
            *dropped = mail;
        }
    }
}

/* The worker is to run peer_removed and peer_fini as soon as nothing waits. */
static void end_when_empty(sy_mailbox *mb, sy_mail_box *box) {
    if (box->ending && box->state == SY_BOX_LIVE && box->waiting == 0 && !box->end_due) {
        box->end_due = true;
        append(&mb->end_first, &mb->end_last, box);
    }
}

bool sy_mailbox_close(sy_mailbox *mailbox, sy_mail_box *box, bool discard, sy_mail **dropped,
                      sy_time now) {
    SY_ASSERT(!box->ending);
    box->ending = true;
    box->since = now;
    for (size_t i = 0; i < mailbox->queue_count; i++) {
        forget_writable(mailbox, &box->queues[i]);
    }
    const bool shown = box->state == SY_BOX_STARTING || box->state == SY_BOX_LIVE;
    if (discard || !shown) {
        sy_mailbox_empty(mailbox, box, dropped);
    }
    if (box->state == SY_BOX_DUE) {
        if (box->waits_for != NULL) {
            box->waits_for->successor = NULL;
            box->waits_for = NULL;
        } else {
            remove_start(mailbox, box);
        }
    }
    const bool at_work = mailbox->busy && mailbox->at_work.box == box;
    if (shown && !at_work) {
        end_when_empty(mailbox, box);
    }
    return !shown;
}

void sy_mailbox_forget(sy_mailbox *mailbox, sy_mail_box *box) {
    SY_ASSERT(box->state != SY_BOX_STARTING && box->state != SY_BOX_LIVE);
    SY_ASSERT(box->waiting == 0 && box->successor == NULL);
    if (box->prev != NULL) {
        box->prev->next = box->next;
    } else {
        SY_ASSERT(mailbox->boxes == box);
        mailbox->boxes = box->next;
    }
    if (box->next != NULL) {
        box->next->prev = box->prev;
    }
    mailbox->box_count--;
}

void sy_mailbox_shut(sy_mailbox *mailbox) {
    mailbox->closing = true;
}

/* ---- The worker --------------------------------------------------------------------------------
 */

/* The highest class that has something, unless a lower one has been passed over long enough. */
static int pick_rank(sy_mailbox *mb) {
    int picked = -1;
    bool is_share = false;
    for (int rank = 0; rank < SY_CLASS_COUNT; rank++) {
        if (mb->ring[rank] == NULL) {
            continue;
        }
        if (picked < 0) {
            picked = rank;
            continue;
        }
        mb->passed[rank]++;
        if (!is_share && mb->passed[rank] >= SY_MAIL_SHARE) {
            picked = rank;
            is_share = true;
        }
    }
    if (picked >= 0) {
        mb->passed[picked] = 0;
    }
    return picked;
}

static bool next_message(sy_mailbox *mb, sy_mail_work *work) {
    const int rank = pick_rank(mb);
    if (rank < 0) {
        return false;
    }
    sy_mail_queue *queue = mb->ring[rank];
    mb->ring[rank] = queue->ring_next;
    sy_mail *mail = take_first(mb, queue);
    mb->busy_since = mail->arrived_at;
    *work = (sy_mail_work){.kind = SY_WORK_MESSAGE,
                           .box = queue->box,
                           .queue = queue,
                           .mail = mail,
                           .cost = sy_mailbox_cost(sy_msg_len(mail->msg))};
    return true;
}

static bool next_box(sy_mail_box **first, sy_mail_box **last, sy_mail_work_kind kind,
                     sy_mail_work *work) {
    sy_mail_box *box = *first;
    if (box == NULL) {
        return false;
    }
    *first = box->next_due;
    if (*first == NULL) {
        *last = NULL;
    }
    *work = (sy_mail_work){.kind = kind, .box = box};
    return true;
}

static bool next_writable(sy_mailbox *mb, sy_mail_work *work) {
    sy_mail_queue *queue = mb->writable_first;
    if (queue == NULL) {
        return false;
    }
    mb->busy_since = queue->writable_since;
    forget_writable(mb, queue);
    *work = (sy_mail_work){.kind = SY_WORK_WRITABLE, .box = queue->box, .queue = queue};
    return true;
}

static bool pick(sy_mailbox *mb, sy_mail_work *work) {
    if (next_box(&mb->start_first, &mb->start_last, SY_WORK_START, work)) {
        work->box->state = SY_BOX_STARTING;
        mb->started_count++;
        mb->busy_since = work->box->since;
        return true;
    }
    if (next_writable(mb, work)) {
        return true;
    }
    if (next_box(&mb->end_first, &mb->end_last, SY_WORK_END, work)) {
        mb->busy_since = work->box->since;
        return true;
    }
    if (next_message(mb, work)) {
        return true;
    }
    if (mb->closing && !mb->stopped && mb->started_count == 0) {
        mb->stopped = true;
        *work = (sy_mail_work){.kind = SY_WORK_STOP};
        mb->busy_since = 0;
        return true;
    }
    return false;
}

bool sy_mailbox_next(sy_mailbox *mailbox, sy_mail_work *ret_work) {
    SY_ASSERT(!mailbox->busy);
    if (!pick(mailbox, ret_work)) {
        return false;
    }
    mailbox->busy = true;
    mailbox->at_work = *ret_work;
    return true;
}

/* The next box of this ID may come. */
static void let_successor_start(sy_mailbox *mb, sy_mail_box *box) {
    sy_mail_box *next = box->successor;
    if (next != NULL) {
        box->successor = NULL;
        next->waits_for = NULL;
        append(&mb->start_first, &mb->start_last, next);
    }
}

static bool finish_start(sy_mailbox *mb, sy_mail_box *box, bool ok) {
    SY_ASSERT(box->state == SY_BOX_STARTING);
    if (ok) {
        box->state = SY_BOX_LIVE;
        for (size_t i = 0; i < mb->queue_count; i++) {
            if (box->queues[i].count > 0) {
                ring_in(mb, &box->queues[i]);
            }
        }
        return false;
    }
    box->state = box->ending ? SY_BOX_OVER : SY_BOX_FAILED;
    mb->started_count--;
    let_successor_start(mb, box);
    return true;
}

static bool finish_message(sy_mailbox *mb, const sy_mail_work *work) {
    sy_mail_queue *queue = work->queue;
    give_back(mb, queue, work->cost);
    if (queue->paused && queue->bytes <= queue->budget / 2) {
        queue->paused = false;
        queue->resumed = true;
        return true;
    }
    return false;
}

bool sy_mailbox_done(sy_mailbox *mailbox, const sy_mail_work *work, bool ok, sy_time now) {
    bool tell = false;
    SY_ASSERT(mailbox->busy);
    mailbox->busy = false;
    switch (work->kind) {
    case SY_WORK_START:
        tell = finish_start(mailbox, work->box, ok);
        break;
    case SY_WORK_WRITABLE:
        break;
    case SY_WORK_MESSAGE:
        tell = finish_message(mailbox, work);
        break;
    case SY_WORK_END:
        work->box->state = SY_BOX_OVER;
        mailbox->started_count--;
        let_successor_start(mailbox, work->box);
        return true;
    case SY_WORK_STOP:
        return true;
    }
    if (work->box->ending) {
        work->box->since = now;
        end_when_empty(mailbox, work->box);
    }
    return tell;
}

bool sy_mailbox_is_ending(const sy_mail_box *box) {
    return box->ending;
}

bool sy_mailbox_is_finished(const sy_mailbox *mailbox) {
    return mailbox->stopped && !mailbox->busy;
}

/* ---- Questions ---------------------------------------------------------------------------------
 */

static const char *operation_of(sy_mail_work_kind kind) {
    switch (kind) {
    case SY_WORK_START:
        return "peer_init";
    case SY_WORK_WRITABLE:
        return "writable";
    case SY_WORK_MESSAGE:
        return "receive";
    case SY_WORK_END:
        return "peer_removed";
    case SY_WORK_STOP:
        return "stop";
    }
    SY_UNREACHABLE();
}

static void consider(sy_mail_oldest *oldest, bool *found, const sy_mail_oldest *candidate) {
    if (!*found || candidate->since < oldest->since) {
        *oldest = *candidate;
        *found = true;
    }
}

bool sy_mailbox_oldest(const sy_mailbox *mailbox, sy_mail_oldest *ret_oldest) {
    bool found = false;
    if (mailbox->busy && mailbox->at_work.kind != SY_WORK_STOP) {
        const sy_mail_work *work = &mailbox->at_work;
        *ret_oldest = (sy_mail_oldest){mailbox->busy_since, operation_of(work->kind), true,
                                       work->box, work->queue};
        found = true;
    }
    for (const sy_mail_box *box = mailbox->boxes; box != NULL; box = box->next) {
        if (box->state == SY_BOX_DUE) {
            const sy_mail_oldest start = {box->since, "peer_init", false, box, NULL};
            consider(ret_oldest, &found, &start);
        }
        if (box->end_due && box->state == SY_BOX_LIVE) {
            const sy_mail_oldest end = {box->since, "peer_removed", false, box, NULL};
            consider(ret_oldest, &found, &end);
        }
        for (size_t i = 0; i < mailbox->queue_count; i++) {
            const sy_mail_queue *queue = &box->queues[i];
            if (queue->count > 0) {
                const sy_mail_oldest mail = {queue->first->arrived_at, "receive", false, box,
                                             queue};
                consider(ret_oldest, &found, &mail);
            }
        }
    }
    return found;
}
