/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the libev driver: ev.c (loop, clock, turns), ev_stream.c (sockets),
 * ev_resolve.c (names), ev_worker.c (threads). */
#ifndef SY_P2P_EV_INTERNAL_H
#define SY_P2P_EV_INTERNAL_H

#include <stdbool.h>

#include <ares.h>
#include <ev.h>

#include <switchyard/ev.h>

#define SY_EV_READ_CAP  (128 * 1044)         /* one read: whole frames */
#define SY_EV_READ_TURN (8 * SY_EV_READ_CAP) /* bytes read from one stream per turn */
#define SY_EV_READ_ALL                                                                             \
    (16 * SY_EV_READ_CAP) /* bytes read from all streams per turn; once they came, each            \
                           * stream that is ready still has one read, so that many busy            \
                           * peers do not keep a newcomer waiting */
#define SY_EV_NOTSENT                                                                              \
    (128 * 1024)               /* unsent bytes the kernel may hold: little, so that an             \
                                * urgent message overtakes bulk */
#define SY_EV_ACCEPT_TURN  64  /* connections accepted per listener and turn */
#define SY_EV_ACCEPT_PAUSE 0.5 /* seconds to wait when descriptors ran out; SPEC SW-07 */
#define SY_EV_BACKLOG      1024

typedef struct sy_ev_stream {
    sy_ev *ev;
    int fd;
    sy_stream_ref ref;
    ev_io read;
    ev_io write;
    bool connecting;
    bool reading;
    bool check_dry; /* stands in the list of dry checks */
    bool dry_later; /* asked for while reading is off: waits until it is on */
    bool closed;    /* given up by the switch; freed at the end of the turn */
    bool ended;     /* end or error was reported */
    struct sy_ev_stream *prev;
    struct sy_ev_stream *next;
    struct sy_ev_stream *next_dry;
    struct sy_ev_stream *next_closed;
} sy_ev_stream;

typedef struct sy_ev_listener {
    sy_ev *ev;
    sy_switch *sw;
    int fd;
    ev_io accept;
    ev_timer pause;
    struct sy_ev_listener *next;
} sy_ev_listener;

typedef struct sy_ev_query {
    sy_ev *ev;
    sy_resolve_ref ref;
    bool cancelled;
    bool answered; /* delivered at the end of the turn */
    size_t count;
    sy_endpoint endpoints[SY_RESOLVE_MAX];
    const char *failure; /* static */
    struct sy_ev_query *prev;
    struct sy_ev_query *next;
} sy_ev_query;

typedef struct sy_ev_ares_io {
    ev_io io;
    sy_ev *ev;
    int fd;
    struct sy_ev_ares_io *next;
} sy_ev_ares_io;

struct sy_ev {
    struct ev_loop *loop;
    sy_mem mem;
    sy_switch *sw; /* NULL: not attached */
    sy_time last;  /* the clock never goes back */
    bool saw_stop; /* the switch has stopped, and the loop was woken for it */
    ev_prepare prepare;
    ev_check check;
    ev_timer timer;
    sy_time turn_now; /* read once per turn */
    size_t turn_read; /* bytes read since the turn began */
    ev_async post;    /* worker threads wake the loop; started with the first of them */

    uint8_t *read_area; /* SY_EV_READ_CAP bytes, shared by all streams */
    sy_ev_stream *streams;
    sy_ev_stream *dry;
    sy_ev_stream *closed;
    sy_ev_listener *listeners;

    ares_channel ares;
    ev_timer ares_timer;
    sy_ev_ares_io *ares_ios;
    sy_ev_query *queries;
};

/* ev_stream.c */
sy_err sy_ev_stream_connect(void *driver, sy_stream_ref ref, const sy_endpoint *remote,
                            void **ret_stream);
sy_err sy_ev_stream_connect_local(void *driver, sy_stream_ref ref, const char *path,
                                  void **ret_stream);
sy_err sy_ev_stream_write(void *driver, void *stream, const uint8_t *data, size_t len, bool more,
                          size_t *ret_written);
void sy_ev_stream_set_reading(void *driver, void *stream, bool on);
void sy_ev_stream_check_dry(void *driver, void *stream);
void sy_ev_stream_shutdown_write(void *driver, void *stream);
void sy_ev_stream_close(void *driver, void *stream, bool abort);
sy_err sy_ev_listen(void *driver, sy_switch *sw, const sy_endpoint *local, sy_endpoint *ret_bound,
                    void **ret_listener, sy_detail *detail);
void sy_ev_listener_close(void *driver, void *listener);
void sy_ev_run_dry_checks(sy_ev *ev);
void sy_ev_free_closed(sy_ev *ev);
void sy_ev_close_all(sy_ev *ev);

/* ev_worker.c */
void sy_ev_post_init(sy_ev *ev);
sy_err sy_ev_worker_start(void *driver, sy_switch *sw, const char *name, sy_worker_run run,
                          void *arg, void **ret_worker);
void sy_ev_worker_wake(void *driver, void *worker);
void sy_ev_worker_lock(void *driver, void *worker);
void sy_ev_worker_unlock(void *driver, void *worker);
void sy_ev_worker_stop(void *driver, void *worker);
void sy_ev_post(void *driver, sy_switch *sw);

/* ev_resolve.c */
sy_err sy_ev_resolve_init(sy_ev *ev);
void sy_ev_resolve_fini(sy_ev *ev);
sy_err sy_ev_resolve(void *driver, sy_resolve_ref ref, const char *host);
void sy_ev_resolve_cancel(void *driver, sy_resolve_ref ref);

/* Reports the answers that came since the last turn. */
void sy_ev_deliver_answers(sy_ev *ev);

#endif
