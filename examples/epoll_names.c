/* SPDX-License-Identifier: Apache-2.0 */
/* getaddrinfo blocks, so each look-up gets a thread of its own. */
#include "epoll_names.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct epoll_name {
    pthread_t thread;
    sy_resolve_ref ref;
    char host[SY_HOST_MAX + 1];
    struct addrinfo *found;
    atomic_bool done;
    epoll_name *next;
};

sy_endpoint epoll_names_endpoint(const struct sockaddr_in6 *addr) {
    sy_endpoint endpoint = {.port = ntohs(addr->sin6_port)};
    memcpy(endpoint.ip, &addr->sin6_addr, sizeof endpoint.ip);
    return endpoint;
}

static void *look_up(void *arg) {
    epoll_name *name = arg;
    const struct addrinfo hints = {
        .ai_family = AF_INET6, .ai_flags = AI_V4MAPPED | AI_ALL, .ai_socktype = SOCK_STREAM};
    (void)getaddrinfo(name->host, NULL, &hints, &name->found);
    atomic_store(&name->done, true);
    return NULL;
}

sy_err epoll_names_look_up(epoll_name **list, sy_resolve_ref ref, const char *host) {
    epoll_name *name = calloc(1, sizeof *name);
    if (name == NULL) {
        return SY_ERR_NOMEM;
    }
    name->ref = ref;
    memcpy(name->host, host, strnlen(host, SY_HOST_MAX));
    if (pthread_create(&name->thread, NULL, look_up, name) != 0) {
        free(name);
        return SY_ERR_SYSTEM;
    }
    name->next = *list;
    *list = name;
    return SY_OK;
}

static void report(const epoll_name *name, sy_switch *sw, sy_time now) {
    sy_endpoint endpoints[SY_RESOLVE_MAX];
    size_t count = 0;
    for (const struct addrinfo *a = name->found; a != NULL && count < SY_RESOLVE_MAX;
         a = a->ai_next) {
        struct sockaddr_in6 addr;
        memcpy(&addr, a->ai_addr, sizeof addr);
        endpoints[count] = epoll_names_endpoint(&addr);
        endpoints[count++].port = 0;
    }
    sy_switch_on_resolved(sw, name->ref, count > 0 ? SY_OK : SY_ERR_RESOLVE, endpoints, count, NULL,
                          now);
}

void epoll_names_report(epoll_name **list, sy_switch *sw, sy_time now) {
    for (epoll_name **at = list; *at != NULL;) {
        epoll_name *name = *at;
        if (sw != NULL && !atomic_load(&name->done)) {
            at = &name->next;
            continue;
        }
        *at = name->next;
        (void)pthread_join(name->thread, NULL);
        if (sw != NULL) {
            report(name, sw, now);
        }
        if (name->found != NULL) {
            freeaddrinfo(name->found);
        }
        free(name);
    }
}
