/* SPDX-License-Identifier: Apache-2.0 */
/* Worker threads of the libev driver: one for each isolated reactor, asleep on a condition until
 * there is work, and an async watcher by which they wake the loop.  Signals are for the embedder's
 * own threads: all are blocked here. */
#include "p2p/ev/ev_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <switchyard/assert.h>

typedef struct sy_ev_worker {
    sy_mem mem;
    pthread_t thread;
    pthread_mutex_t lock;      /* the switch's: worker_lock */
    pthread_mutex_t wake_lock; /* guards `woken` */
    pthread_cond_t wake;
    bool woken;
    sy_worker_run run;
    void *arg;
} sy_ev_worker;

static sy_time read_clock(void) {
    struct timespec ts;
    const int failed = clock_gettime(CLOCK_MONOTONIC, &ts);
    SY_ASSERT(failed == 0);
    return (sy_time)ts.tv_sec * SY_SEC + (sy_time)ts.tv_nsec;
}

static void take(pthread_mutex_t *mutex) {
    const int failed = pthread_mutex_lock(mutex);
    SY_ASSERT(failed == 0);
}

static void give(pthread_mutex_t *mutex) {
    const int failed = pthread_mutex_unlock(mutex);
    SY_ASSERT(failed == 0);
}

static void sleep_until(sy_ev_worker *worker, sy_time at) {
    int result = 0;
    take(&worker->wake_lock);
    while (!worker->woken && result != ETIMEDOUT) {
        if (at == SY_NEVER) {
            result = pthread_cond_wait(&worker->wake, &worker->wake_lock);
        } else {
            const struct timespec until = {.tv_sec = (time_t)(at / SY_SEC),
                                           .tv_nsec = (long)(at % SY_SEC)};
            result = pthread_cond_timedwait(&worker->wake, &worker->wake_lock, &until);
        }
        SY_ASSERT(result == 0 || result == ETIMEDOUT);
    }
    worker->woken = false;
    give(&worker->wake_lock);
}

static void *thread_main(void *arg) {
    sy_ev_worker *worker = arg;
    sy_time next = 0;
    for (;;) {
        const sy_time now = read_clock();
        if (next > now) {
            sleep_until(worker, next);
            next = 0;
            continue;
        }
        if (!worker->run(worker->arg, now, &next)) {
            return NULL;
        }
    }
}

static bool init_locks(sy_ev_worker *worker) {
    pthread_condattr_t attr;
    if (pthread_mutex_init(&worker->lock, NULL) != 0) {
        return false;
    }
    if (pthread_mutex_init(&worker->wake_lock, NULL) != 0) {
        (void)pthread_mutex_destroy(&worker->lock);
        return false;
    }
    if (pthread_condattr_init(&attr) == 0) {
        const bool made = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                          pthread_cond_init(&worker->wake, &attr) == 0;
        (void)pthread_condattr_destroy(&attr);
        if (made) {
            return true;
        }
    }
    (void)pthread_mutex_destroy(&worker->wake_lock);
    (void)pthread_mutex_destroy(&worker->lock);
    return false;
}

static void free_worker(sy_ev_worker *worker) {
    (void)pthread_cond_destroy(&worker->wake);
    (void)pthread_mutex_destroy(&worker->wake_lock);
    (void)pthread_mutex_destroy(&worker->lock);
    const sy_mem mem = worker->mem;
    sy_mem_release(&mem, worker);
}

sy_err sy_ev_worker_start(void *driver, sy_switch *sw, const char *name, sy_worker_run run,
                          void *arg, void **ret_worker) {
    sy_ev *ev = driver;
    sigset_t all;
    sigset_t before;
    (void)sw;
    (void)name;

    sy_ev_worker *worker = sy_mem_zalloc(&ev->mem, sizeof *worker);
    if (worker == NULL) {
        return SY_ERR_NOMEM;
    }
    worker->mem = ev->mem;
    worker->run = run;
    worker->arg = arg;
    if (!init_locks(worker)) {
        sy_mem_release(&ev->mem, worker);
        return SY_ERR_SYSTEM;
    }
    if (!ev_is_active(&ev->post)) {
        ev_async_start(ev->loop, &ev->post);
    }
    /* The thread uses what it is given at once. */
    *ret_worker = worker;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&worker->thread, NULL, thread_main, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        *ret_worker = NULL;
        free_worker(worker);
        return SY_ERR_SYSTEM;
    }
    return SY_OK;
}

void sy_ev_worker_wake(void *driver, void *worker) {
    sy_ev_worker *w = worker;
    (void)driver;
    take(&w->wake_lock);
    w->woken = true;
    (void)pthread_cond_signal(&w->wake);
    give(&w->wake_lock);
}

void sy_ev_worker_lock(void *driver, void *worker) {
    sy_ev_worker *w = worker;
    (void)driver;
    take(&w->lock);
}

void sy_ev_worker_unlock(void *driver, void *worker) {
    sy_ev_worker *w = worker;
    (void)driver;
    give(&w->lock);
}

void sy_ev_worker_stop(void *driver, void *worker) {
    sy_ev_worker *w = worker;
    (void)driver;
    const int failed = pthread_join(w->thread, NULL);
    SY_ASSERT(failed == 0);
    free_worker(w);
}

/* ---- Waking the loop ---------------------------------------------------------------------------
 */

static void on_post(struct ev_loop *loop, ev_async *watcher, int revents) {
    (void)loop;
    (void)revents;
    sy_ev *ev = watcher->data;
    if (ev->sw != NULL) {
        sy_switch_on_posted(ev->sw, ev->turn_now);
    }
}

void sy_ev_post_init(sy_ev *ev) {
    ev_async_init(&ev->post, on_post);
    ev->post.data = ev;
}

void sy_ev_post(void *driver, sy_switch *sw) {
    sy_ev *ev = driver;
    (void)sw;
    ev_async_send(ev->loop, &ev->post);
}
