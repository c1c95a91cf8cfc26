/* SPDX-License-Identifier: Apache-2.0 */
/* Isolated reactors, the worker's part: one operation of the reactor per step.  Nothing here is of
 * the loop: no budget, no log, no connection.
 *
 * SPEC RX-02 RX-05 RX-06 RX-12 RX-14 */
#include "p2p/isolated.h"

#include <switchyard/assert.h>

static sy_iso_peer *peer_of(sy_mail_box *box) {
    return (sy_iso_peer *)(void *)((char *)box - offsetof(sy_iso_peer, box));
}

static bool is_ending(sy_iso_peer *peer) {
    sy_iso_lock(peer->iso);
    const bool ending = sy_mailbox_is_ending(&peer->box);
    sy_iso_unlock(peer->iso);
    return ending;
}

/* peer_init, peer_added; false: it failed or the peer is gone already, and peer_fini has run. */
static bool start_peer(sy_isolated *iso, sy_iso_peer *peer, bool *ret_failed, sy_time now) {
    const sy_reactor_ops *ops = iso->slot->ops;
    void *reactor = iso->slot->reactor;
    const sy_err err =
        ops->peer_init == NULL ? SY_OK : ops->peer_init(reactor, &peer->view, peer->state, now);
    if (err != SY_OK || is_ending(peer)) {
        *ret_failed = err != SY_OK;
        if (ops->peer_fini != NULL) {
            ops->peer_fini(reactor, &peer->view, peer->state);
        }
        return false;
    }
    if (ops->peer_added != NULL) {
        ops->peer_added(reactor, &peer->view, peer->state, now);
    }
    return true;
}

static void end_peer(sy_isolated *iso, sy_iso_peer *peer, sy_time now) {
    const sy_reactor_ops *ops = iso->slot->ops;
    void *reactor = iso->slot->reactor;
    if (ops->peer_removed != NULL) {
        ops->peer_removed(reactor, &peer->view, peer->state, &peer->reason, now);
    }
    if (ops->peer_fini != NULL) {
        ops->peer_fini(reactor, &peer->view, peer->state);
    }
}

static void receive(sy_isolated *iso, sy_iso_peer *peer, const sy_mail_work *work, sy_time now) {
    const sy_reactor_ops *ops = iso->slot->ops;
    const sy_channel channel = (sy_channel)(iso->slot->first_channel + work->queue->index);
    const sy_msg *msg = work->mail->msg;
    if (ops->receive != NULL) {
        ops->receive(iso->slot->reactor, &peer->view, peer->state, channel, sy_msg_data(msg),
                     sy_msg_len(msg), now);
    }
    work->mail->next = NULL;
    sy_isolated_free_mail(iso->sw, work->mail);
}

static bool handle(sy_isolated *iso, const sy_mail_work *work, bool *ret_failed, sy_time now) {
    const sy_reactor_ops *ops = iso->slot->ops;
    sy_iso_peer *peer = work->box == NULL ? NULL : peer_of(work->box);
    switch (work->kind) {
    case SY_WORK_START:
        return start_peer(iso, peer, ret_failed, now);
    case SY_WORK_WRITABLE:
        if (ops->writable != NULL) {
            ops->writable(iso->slot->reactor, &peer->view, peer->state,
                          (sy_channel)(iso->slot->first_channel + work->queue->index), now);
        }
        return true;
    case SY_WORK_MESSAGE:
        receive(iso, peer, work, now);
        return true;
    case SY_WORK_END:
        end_peer(iso, peer, now);
        return true;
    case SY_WORK_STOP:
        if (ops->stop != NULL) {
            ops->stop(iso->slot->reactor, now);
        }
        return true;
    }
    SY_UNREACHABLE();
}

/* Lock held.  What the loop needs to know of it. */
static void report(sy_isolated *iso, const sy_mail_work *work, bool tell, bool failed) {
    if (work->kind == SY_WORK_STOP) {
        iso->finished = true;
        iso->sw->ops.post(iso->sw->driver, iso->sw);
        return;
    }
    sy_iso_peer *peer = peer_of(work->box);
    peer->failed = peer->failed || failed;
    peer->over = peer->box.state == SY_BOX_OVER;
    if (work->kind == SY_WORK_MESSAGE) {
        peer->returned += work->cost;
        iso->unreported += work->cost;
        peer->resumed = peer->resumed || tell;
    }
    /* The budget returns in large pieces, or when there is nothing else to do. */
    const bool worth_it = iso->unreported >= SY_ISO_RETURN_BATCH || iso->mailbox.messages == 0;
    if (tell || (peer->returned > 0 && worth_it)) {
        sy_isolated_tell(peer);
    }
}

static sy_time expiry_of(const sy_isolated *iso) {
    const sy_reactor_ops *ops = iso->slot->ops;
    return ops->next_expiry == NULL || ops->on_expiry == NULL
               ? SY_NEVER
               : ops->next_expiry(iso->slot->reactor);
}

bool sy_isolated_run(void *arg, sy_time now, sy_time *ret_next) {
    sy_isolated *iso = arg;
    sy_mail_work work;

    /* Threads read the clock on their own, and what the loop has stamped must not be in the
     * reactor's future. */
    iso->worker_now = sy_time_max(iso->worker_now, now);
    now = iso->worker_now;
    sy_iso_lock(iso);
    iso->idle = false;
    const bool over = iso->finished;
    sy_iso_unlock(iso);
    if (over) {
        return false;
    }
    if (expiry_of(iso) <= now) {
        iso->slot->ops->on_expiry(iso->slot->reactor, now);
    }

    sy_iso_lock(iso);
    const bool has_work = sy_mailbox_next(&iso->mailbox, &work);
    iso->idle = !has_work;
    sy_iso_unlock(iso);
    if (!has_work) {
        *ret_next = expiry_of(iso);
        return true;
    }
    bool failed = false;
    const bool ok = handle(iso, &work, &failed, now);
    sy_iso_lock(iso);
    const bool tell = sy_mailbox_done(&iso->mailbox, &work, ok, now);
    report(iso, &work, tell, failed);
    sy_iso_unlock(iso);
    *ret_next = now;
    return work.kind != SY_WORK_STOP;
}
