/* SPDX-License-Identifier: Apache-2.0 */
/* Loop, clock and turns of the libev driver.  ev_now() is wall-clock time and is not used: the
 * check watcher reads the monotonic clock right after the poll, and everything that the turn
 * reports carries that instant.  The prepare watcher ends the turn before the loop waits again. */
#include "p2p/ev/ev_internal.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include <switchyard/assert.h>
#include <switchyard/switch.h>

#include "base/wipe.h"

static sy_time read_clock(sy_ev *ev) {
    struct timespec ts;
    const int failed = clock_gettime(CLOCK_MONOTONIC, &ts);
    SY_ASSERT(failed == 0);
    const sy_time now = (sy_time)ts.tv_sec * SY_SEC + (sy_time)ts.tv_nsec;
    if (now > ev->last) {
        ev->last = now;
    }
    return ev->last;
}

sy_time sy_ev_now(sy_ev *ev) {
    ev->turn_now = read_clock(ev);
    return ev->turn_now;
}

static void driver_random(void *driver, void *out, size_t len) {
    (void)driver;
    uint8_t *at = out;
    while (len > 0) {
        const ssize_t got = getrandom(at, len, 0);
        /* Without randomness there is no secure connection and nothing to fall back to. */
        SY_ASSERT(got > 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}

static sy_walltime driver_walltime(void *driver) {
    struct timespec ts;
    (void)driver;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (sy_walltime){(int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec};
}

/* A relative timer, rounded up: waking early would only cost another turn, but an exact deadline
 * must have passed when we look. */
static void arm(sy_ev *ev, sy_time at, sy_time now) {
    ev_timer_stop(ev->loop, &ev->timer);
    if (at == SY_NEVER) {
        return;
    }
    const sy_duration wait = sy_time_since(at, now);
    ev_now_update(ev->loop);
    ev_timer_set(&ev->timer, (double)wait / 1e9 + (wait > 0 ? 1e-6 : 0.0), 0.0);
    ev_timer_start(ev->loop, &ev->timer);
}

static void on_check(struct ev_loop *loop, ev_check *watcher, int revents) {
    (void)loop;
    (void)revents;
    sy_ev *ev = watcher->data;
    ev->turn_read = 0;
    (void)sy_ev_now(ev);
}

static void on_prepare(struct ev_loop *loop, ev_prepare *watcher, int revents) {
    (void)loop;
    (void)revents;
    sy_ev *ev = watcher->data;
    (void)sy_ev_now(ev);
    if (ev->sw == NULL) {
        return;
    }
    /* turn_now at each step: a callback that asks for the time has moved it on. */
    sy_ev_deliver_answers(ev);
    sy_ev_run_dry_checks(ev);
    if (sy_switch_next_expiry(ev->sw) <= ev->turn_now) {
        sy_switch_on_expiry(ev->sw, ev->turn_now);
    }
    sy_switch_turn_end(ev->sw, ev->turn_now);
    sy_ev_free_closed(ev);
    const sy_time now = ev->turn_now;
    /* One more turn when the switch has just stopped: whoever waits for that runs the loop turn by
     * turn, and nothing else would wake it. */
    const bool just_stopped = sy_switch_is_stopped(ev->sw) && !ev->saw_stop;
    ev->saw_stop = just_stopped || ev->saw_stop;
    /* Dry checks that the expiries asked for are answered in the next turn: nothing else may come
     * to wake the loop, for the peer may be dead. */
    const bool at_once = just_stopped || ev->dry != NULL;
    arm(ev, at_once ? now : sy_switch_next_expiry(ev->sw), now);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents) {
    /* Only wakes the loop: the prepare watcher does the work, after all input of the turn. */
    (void)loop;
    (void)watcher;
    (void)revents;
}

static const sy_driver_ops ops = {
    .size = sizeof(sy_driver_ops),
    .stream_connect = sy_ev_stream_connect,
    .stream_write = sy_ev_stream_write,
    .stream_set_reading = sy_ev_stream_set_reading,
    .stream_check_dry = sy_ev_stream_check_dry,
    .stream_shutdown_write = sy_ev_stream_shutdown_write,
    .stream_close = sy_ev_stream_close,
    .listen = sy_ev_listen,
    .listener_close = sy_ev_listener_close,
    .resolve = sy_ev_resolve,
    .resolve_cancel = sy_ev_resolve_cancel,
    .random = driver_random,
    .walltime = driver_walltime,
    .worker_start = sy_ev_worker_start,
    .worker_wake = sy_ev_worker_wake,
    .worker_lock = sy_ev_worker_lock,
    .worker_unlock = sy_ev_worker_unlock,
    .worker_stop = sy_ev_worker_stop,
    .post = sy_ev_post,
    .stream_connect_local = sy_ev_stream_connect_local,
};

const sy_driver_ops *sy_ev_ops(void) {
    return &ops;
}

sy_err sy_ev_new(struct ev_loop *loop, const sy_mem *mem, sy_ev **ret_ev) {
    const sy_mem *used = mem == NULL ? sy_mem_libc() : mem;
    sy_ev *ev = sy_mem_zalloc(used, sizeof *ev);
    if (ev == NULL) {
        return SY_ERR_NOMEM;
    }
    ev->loop = loop;
    ev->mem = *used;
    ev->read_area = sy_mem_zalloc(&ev->mem, SY_EV_READ_CAP);
    if (ev->read_area == NULL) {
        sy_mem_release(used, ev);
        return SY_ERR_NOMEM;
    }
    ev_prepare_init(&ev->prepare, on_prepare);
    ev_check_init(&ev->check, on_check);
    ev_timer_init(&ev->timer, on_timer, 0.0, 0.0);
    ev_set_priority(&ev->check, EV_MAXPRI);
    ev_set_priority(&ev->prepare, EV_MINPRI);
    ev->prepare.data = ev;
    ev->check.data = ev;
    sy_ev_post_init(ev);
    const sy_err err = sy_ev_resolve_init(ev);
    if (err != SY_OK) {
        sy_mem_release(used, ev->read_area);
        sy_mem_release(used, ev);
        return err;
    }
    (void)sy_ev_now(ev);
    *ret_ev = ev;
    return SY_OK;
}

void sy_ev_attach(sy_ev *ev, sy_switch *sw) {
    SY_REQUIRE(ev->sw == NULL);
    ev->sw = sw;
    ev_check_start(ev->loop, &ev->check);
    ev_prepare_start(ev->loop, &ev->prepare);
}

void sy_ev_detach(sy_ev *ev) {
    if (ev->sw == NULL) {
        return;
    }
    ev->sw = NULL;
    ev_check_stop(ev->loop, &ev->check);
    ev_prepare_stop(ev->loop, &ev->prepare);
    ev_timer_stop(ev->loop, &ev->timer);
}

void sy_ev_del(sy_ev *ev) {
    if (ev == NULL) {
        return;
    }
    sy_ev_detach(ev);
    sy_ev_close_all(ev);
    ev_async_stop(ev->loop, &ev->post);
    sy_ev_resolve_fini(ev);
    sy_wipe(ev->read_area, SY_EV_READ_CAP);
    sy_mem_release(&ev->mem, ev->read_area);
    const sy_mem mem = ev->mem;
    sy_mem_release(&mem, ev);
}
