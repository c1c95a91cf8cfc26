/* SPDX-License-Identifier: Apache-2.0 */
/* Isolated reactors: the switch on one side, the worker on the other, a mailbox and the credits
 * between them under the worker's lock.
 *
 *   isolated.c         the loop: registration, peers come and go, messages in, warnings
 *   isolated_collect.c the loop: what workers and other threads have posted
 *   isolated_worker.c  the worker: the reactor's operations
 *   isolated_post.c    any thread: sends, stops
 *
 * Who may touch what: members of sy_iso_peer and sy_isolated marked "lock" only with the lock held,
 * the rest as said.  The budget tree, the log and the switch belong to the loop.
 *
 * SPEC RX-01 RX-02 RX-03 */
#ifndef SY_P2P_ISOLATED_H
#define SY_P2P_ISOLATED_H

#include "p2p/credit.h"
#include "p2p/mailbox.h"
#include "p2p/switch_internal.h"

/* A peer as an isolated reactor sees it.  Lives from peer_init's reservation until its worker ran
 * peer_fini, which may be long after the connection is gone. */
struct sy_iso_peer {
    sy_mail_box box; /* lock */
    sy_isolated *iso;
    sy_peer view;         /* what the reactor is given as its peer; constant while it has it */
    sy_peer *link;        /* loop: the connection; NULL once it is gone */
    void *state;          /* worker: the reactor's own */
    sy_node_info *info;   /* constant */
    sy_addr *dialed_addr; /* constant; NULL: none */
    uint8_t remote_has[SY_CHANNELS_MAX / 8]; /* constant; by channel handle */
    sy_budget budget;                        /* loop */
    size_t *charged;       /* loop: per channel, bytes of posted sends in the send queue */
    sy_mail_queue *queues; /* lock */
    sy_credit *credits;    /* lock */
    sy_reason reason;      /* lock; constant once the box is ending */
    sy_duration rtt;       /* lock */

    /* Lock: what the loop is to be told. */
    bool in_news;
    struct sy_iso_peer *next_news;
    size_t returned; /* bytes of budget */
    bool posted;     /* credits hold messages */
    bool failed;     /* peer_init failed */
    bool over;
    bool resumed;
    bool wants_ping;
    sy_err stop_code; /* SY_OK: not asked for */
    sy_detail stop_detail;

    size_t pauses; /* loop: queues of it that hold the connection's reading */
};

struct sy_isolated {
    sy_switch *sw;
    sy_reactor_slot *slot;
    sy_isolation settings;
    void *worker;            /* the driver's; NULL: not running */
    sy_mailbox mailbox;      /* lock */
    sy_iso_peer **table;     /* lock: by slot of the connection */
    uint32_t table_count;    /* lock */
    sy_iso_peer *news_first; /* lock */
    sy_iso_peer *news_last;
    size_t news_count;
    bool posted;        /* lock: the loop has been asked to collect */
    bool idle;          /* lock: the worker has nothing to do */
    bool finished;      /* lock */
    size_t unreported;  /* lock: bytes returned since the loop was last told */
    sy_time worker_now; /* worker */

    bool warned;             /* loop */
    sy_duration warn_at;     /* loop: age of the next warning */
    sy_duration worst;       /* loop */
    uint64_t dropped_before; /* loop: drops already logged */
};

#define SY_ISO_RETURN_BATCH ((size_t)256 * 1024) /* bytes of budget returned in one post */

/* Without a worker there is nobody to lock out. */
static inline void sy_iso_lock(const sy_isolated *iso) {
    if (iso->worker != NULL) {
        iso->sw->ops.worker_lock(iso->sw->driver, iso->worker);
    }
}

static inline void sy_iso_unlock(const sy_isolated *iso) {
    if (iso->worker != NULL) {
        iso->sw->ops.worker_unlock(iso->sw->driver, iso->worker);
    }
}

/* ---- isolated.c: the loop */
sy_err sy_isolated_new(sy_switch *sw, sy_reactor_slot *slot, const sy_isolation *settings);
void sy_isolated_del(sy_isolated *iso);
sy_err sy_isolated_start(sy_isolated *iso);

/* Asks the worker to come to its end; and waits for it. */
void sy_isolated_shut(sy_isolated *iso);
void sy_isolated_join(sy_isolated *iso);
bool sy_isolated_is_finished(sy_isolated *iso);

sy_err sy_isolated_open(sy_isolated *iso, sy_peer *link);
void sy_isolated_added(sy_isolated *iso, sy_peer *link);
void sy_isolated_closed(sy_isolated *iso, sy_peer *link);
void sy_isolated_deliver(sy_isolated *iso, sy_peer *link, sy_channel channel, const uint8_t *data,
                         size_t len);
void sy_isolated_on_timer(sy_isolated *iso);
void sy_isolated_note_rtt(sy_peer *link);

/* ---- isolated_collect.c: the loop */
void sy_isolated_collect(sy_isolated *iso);

/* Something left the send queues of this connection. */
void sy_isolated_flushed(sy_peer *link);

/* The worker is done with it, or never saw it. */
void sy_isolated_free_peer(sy_iso_peer *peer);
void sy_isolated_free_mail(const sy_switch *sw, sy_mail *list);

/* ---- isolated_worker.c: the worker */
bool sy_isolated_run(void *arg, sy_time now, sy_time *ret_next);

/* ---- isolated_post.c: any thread; with the lock held where it says so */

/* Lock held.  The peer has news for the loop. */
void sy_isolated_tell(sy_iso_peer *peer);

/* Lock held.  There is work for the worker. */
void sy_isolated_wake(sy_isolated *iso);

sy_send_result sy_isolated_send(sy_iso_peer *peer, sy_channel channel, const void *data,
                                size_t len);
sy_send_result sy_isolated_send_msg(sy_iso_peer *peer, sy_channel channel, sy_msg *msg);
void sy_isolated_stop(sy_iso_peer *peer, sy_err code, const char *text);
void sy_isolated_ping(sy_iso_peer *peer);
sy_duration sy_isolated_rtt(const sy_iso_peer *peer);

#endif
