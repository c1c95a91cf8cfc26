/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up the target's name, with the system's resolver on a thread of its own: it has no
 * deadline, we have.  A look-up that outlives the probe is left to the end of the process. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "cmd/yard/probe.h"

/* Shared by both threads; the last one frees. */
typedef struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int owners;
    bool done;
    int failed; /* of getaddrinfo */
    char host[SY_HOST_MAX + 1];
    sy_endpoint found[16];
    size_t count;
} lookup;

static void release(lookup *look) {
    (void)pthread_mutex_lock(&look->lock);
    const bool last = --look->owners == 0;
    (void)pthread_mutex_unlock(&look->lock);
    if (last) {
        (void)pthread_cond_destroy(&look->changed);
        (void)pthread_mutex_destroy(&look->lock);
        free(look);
    }
}

static void take(lookup *look, const struct addrinfo *list) {
    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        char text[NI_MAXHOST];
        if (look->count == sizeof look->found / sizeof look->found[0]) {
            return;
        }
        if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) ==
                0 &&
            sy_endpoint_parse_ip(text, strlen(text), &look->found[look->count]) == SY_OK) {
            look->count++;
        }
    }
}

static void *look_up(void *user) {
    lookup *look = user;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    const int failed = getaddrinfo(look->host, NULL, &hints, &list);
    (void)pthread_mutex_lock(&look->lock);
    look->failed = failed;
    if (failed == 0) {
        take(look, list);
        freeaddrinfo(list);
    }
    look->done = true;
    (void)pthread_cond_signal(&look->changed);
    (void)pthread_mutex_unlock(&look->lock);
    release(look);
    return NULL;
}

static lookup *begin(const char *host) {
    lookup *look = yard_alloc(1, sizeof *look);
    pthread_condattr_t attr;
    pthread_t thread;
    (void)pthread_mutex_init(&look->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&look->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    memcpy(look->host, host, strlen(host) + 1);
    look->owners = 2;
    if (pthread_create(&thread, NULL, look_up, look) != 0) {
        look->owners = 1;
        release(look);
        return NULL;
    }
    (void)pthread_detach(thread);
    return look;
}

static bool wait_for(lookup *look, sy_time deadline) {
    const struct timespec until = {
        .tv_sec = (time_t)(deadline / SY_SEC),
        .tv_nsec = (long)(deadline % SY_SEC),
    };
    (void)pthread_mutex_lock(&look->lock);
    while (!look->done &&
           pthread_cond_timedwait(&look->changed, &look->lock, &until) != ETIMEDOUT) {
    }
    const bool done = look->done;
    (void)pthread_mutex_unlock(&look->lock);
    return done;
}

bool yard_probe_resolve(yard_probe *probe) {
    const sy_addr *target = probe->target;
    if (target->is_ip) {
        probe->addresses[0] = target->endpoint;
        probe->address_count = 1;
        return true;
    }
    const sy_time began = yard_clock();
    lookup *look = begin(target->host);
    if (look == NULL || !wait_for(look, probe->deadline)) {
        yard_probe_fail(probe, SY_STAGE_RESOLVE, SY_ERR_RESOLVE,
                        look == NULL ? "no thread" : "the resolver did not answer in time");
    } else if (look->failed != 0 || look->count == 0) {
        yard_probe_fail(probe, SY_STAGE_RESOLVE, SY_ERR_RESOLVE,
                        look->failed != 0 ? gai_strerror(look->failed) : "no address");
    } else {
        char *more = yard_format("%zu address%s", look->count, look->count == 1 ? "" : "es");
        memcpy(probe->addresses, look->found, sizeof look->found);
        probe->address_count = look->count;
        yard_probe_step(probe, "resolve", sy_time_since(yard_clock(), began), more);
        free(more);
    }
    if (look != NULL) {
        release(look);
    }
    return probe->address_count > 0;
}
