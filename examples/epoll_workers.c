/* SPDX-License-Identifier: Apache-2.0 */
#include "epoll_workers.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <switchyard/switch.h>

typedef struct worker {
    pthread_t thread;
    pthread_mutex_t lock; /* the switch's */
    pthread_mutex_t wake_lock;
    pthread_cond_t wake;
    bool woken; /* wake_lock */
    sy_worker_run run;
    void *arg;
} worker;

static sy_time now_of_clock(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (sy_time)ts.tv_sec * SY_SEC + (sy_time)ts.tv_nsec;
}

/* Until then, or until somebody wakes it; a wake-up before the sleep is not lost. */
static void sleep_until(worker *w, sy_time at) {
    const time_t never = (time_t)1 << 40;
    const struct timespec until = {.tv_sec = at == SY_NEVER ? never : (time_t)(at / SY_SEC),
                                   .tv_nsec = at == SY_NEVER ? 0 : (long)(at % SY_SEC)};
    (void)pthread_mutex_lock(&w->wake_lock);
    while (!w->woken && pthread_cond_timedwait(&w->wake, &w->wake_lock, &until) == 0) {
    }
    w->woken = false;
    (void)pthread_mutex_unlock(&w->wake_lock);
}

static void *work(void *arg) {
    worker *w = arg;
    sy_time next = 0;
    sy_time now = now_of_clock();
    while (w->run(w->arg, now, &next)) {
        now = now_of_clock();
        if (next > now) {
            sleep_until(w, next);
            now = now_of_clock();
        }
    }
    return NULL;
}

static sy_err op_start(void *driver, sy_switch *sw, const char *name, sy_worker_run run, void *arg,
                       void **ret_worker) {
    pthread_condattr_t attr;
    worker *w = calloc(1, sizeof *w);
    (void)driver, (void)sw, (void)name;
    if (w == NULL) {
        return SY_ERR_NOMEM;
    }
    w->run = run;
    w->arg = arg;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_mutex_init(&w->wake_lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    *ret_worker = w; /* before the thread uses it */
    if (pthread_create(&w->thread, NULL, work, w) != 0) {
        *ret_worker = NULL;
        free(w);
        return SY_ERR_SYSTEM;
    }
    return SY_OK;
}

static void op_wake(void *driver, void *arg) {
    worker *w = arg;
    (void)driver;
    (void)pthread_mutex_lock(&w->wake_lock);
    w->woken = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->wake_lock);
}

static void op_lock(void *driver, void *arg) {
    (void)driver;
    (void)pthread_mutex_lock(&((worker *)arg)->lock);
}

static void op_unlock(void *driver, void *arg) {
    (void)driver;
    (void)pthread_mutex_unlock(&((worker *)arg)->lock);
}

static void op_stop(void *driver, void *arg) {
    worker *w = arg;
    (void)driver;
    (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->wake_lock);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

/* Wakes epoll_wait; several posts are one event. */
static void op_post(void *driver, sy_switch *sw) {
    const uint64_t one = 1;
    (void)sw;
    (void)!write(((epoll_driver *)driver)->post_fd, &one, sizeof one);
}

void epoll_workers_event(epoll_driver *d) {
    uint64_t count;
    (void)!read(d->post_fd, &count, sizeof count);
    sy_switch_on_posted(d->sw, d->now);
}

bool epoll_workers_init(epoll_driver *d, sy_driver_ops *ret_ops) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &d->post_fd};
    d->post_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (d->post_fd < 0 || epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, d->post_fd, &event) != 0) {
        return false;
    }
    *ret_ops = epoll_driver_ops;
    ret_ops->worker_start = op_start;
    ret_ops->worker_wake = op_wake;
    ret_ops->worker_lock = op_lock;
    ret_ops->worker_unlock = op_unlock;
    ret_ops->worker_stop = op_stop;
    ret_ops->post = op_post;
    return true;
}

void epoll_workers_fini(epoll_driver *d) {
    (void)close(d->post_fd);
}
