/* SPDX-License-Identifier: Apache-2.0 */
/* Names, resolved by c-ares on the loop.  c-ares can only cancel everything at once, so a cancelled
 * query lives on until its answer comes and is then dropped. */
#include "p2p/ev/ev_internal.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <switchyard/assert.h>

static void arm_ares_timer(sy_ev *ev) {
    struct timeval limit = {.tv_sec = 1};
    struct timeval wait;
    ev_timer_stop(ev->loop, &ev->ares_timer);
    if (ev->queries == NULL) {
        return;
    }
    const struct timeval *next = ares_timeout(ev->ares, &limit, &wait);
    const double seconds = next == NULL ? 1.0 : (double)next->tv_sec + (double)next->tv_usec / 1e6;
    ev_timer_set(&ev->ares_timer, seconds < 0.001 ? 0.001 : seconds, 0.0);
    ev_timer_start(ev->loop, &ev->ares_timer);
}

static void on_ares_timer(struct ev_loop *loop, ev_timer *watcher, int revents) {
    (void)loop;
    (void)revents;
    sy_ev *ev = watcher->data;
    ares_process_fd(ev->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_ares_timer(ev);
}

static void on_ares_io(struct ev_loop *loop, ev_io *watcher, int revents) {
    (void)loop;
    const sy_ev_ares_io *io = watcher->data;
    sy_ev *ev = io->ev;
    const int fd = io->fd; /* the watcher may be gone after the next line */
    ares_process_fd(ev->ares, (revents & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (revents & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    arm_ares_timer(ev);
}

static void drop_io(sy_ev *ev, int fd) {
    for (sy_ev_ares_io **at = &ev->ares_ios; *at != NULL; at = &(*at)->next) {
        sy_ev_ares_io *io = *at;
        if (io->fd == fd) {
            *at = io->next;
            ev_io_stop(ev->loop, &io->io);
            sy_mem_release(&ev->mem, io);
            return;
        }
    }
}

/* c-ares tells which of its sockets it waits for, and how. */
static void on_sock_state(void *data, ares_socket_t fd, int readable, int writable) {
    sy_ev *ev = data;
    drop_io(ev, fd);
    if (readable == 0 && writable == 0) {
        return;
    }
    sy_ev_ares_io *io = sy_mem_zalloc(&ev->mem, sizeof *io);
    if (io == NULL) {
        return; /* the query runs into its deadline */
    }
    io->ev = ev;
    io->fd = fd;
    ev_io_init(&io->io, on_ares_io, fd, (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    io->io.data = io;
    io->next = ev->ares_ios;
    ev->ares_ios = io;
    ev_io_start(ev->loop, &io->io);
}

sy_err sy_ev_resolve_init(sy_ev *ev) {
    struct ares_options options = {.sock_state_cb = on_sock_state, .sock_state_cb_data = ev};
    /* Reads the resolver's configuration files once, here; initialising the library is counted by
     * c-ares and may be done by several users of it. */
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        return SY_ERR_SYSTEM;
    }
    if (ares_init_options(&ev->ares, &options, ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
        ares_library_cleanup();
        return SY_ERR_SYSTEM;
    }
    ev_timer_init(&ev->ares_timer, on_ares_timer, 1.0, 0.0);
    ev->ares_timer.data = ev;
    return SY_OK;
}

void sy_ev_resolve_fini(sy_ev *ev) {
    for (sy_ev_query *query = ev->queries; query != NULL; query = query->next) {
        query->cancelled = true;
    }
    ares_destroy(ev->ares); /* calls every query's callback */
    ares_library_cleanup();
    ev_timer_stop(ev->loop, &ev->ares_timer);
    while (ev->ares_ios != NULL) {
        drop_io(ev, ev->ares_ios->fd);
    }
    SY_ASSERT(ev->queries == NULL);
}

static size_t take_endpoints(const struct ares_addrinfo *info, sy_endpoint *out) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    size_t count = 0;
    for (const struct ares_addrinfo_node *node = info->nodes;
         node != NULL && count < SY_RESOLVE_MAX; node = node->ai_next) {
        sy_endpoint endpoint = {0};
        if (node->ai_family == AF_INET) {
            struct sockaddr_in in4;
            memcpy(&in4, node->ai_addr, sizeof in4);
            memcpy(endpoint.ip, mapped, sizeof mapped);
            memcpy(endpoint.ip + 12, &in4.sin_addr, 4);
        } else if (node->ai_family == AF_INET6) {
            struct sockaddr_in6 in6;
            memcpy(&in6, node->ai_addr, sizeof in6);
            memcpy(endpoint.ip, &in6.sin6_addr, 16);
        } else {
            continue;
        }
        out[count++] = endpoint;
    }
    return count;
}

static void free_query(sy_ev_query *query) {
    sy_ev *ev = query->ev;
    if (query->prev != NULL) {
        query->prev->next = query->next;
    } else {
        ev->queries = query->next;
    }
    if (query->next != NULL) {
        query->next->prev = query->prev;
    }
    sy_mem_release(&ev->mem, query);
}

static void deliver(sy_ev_query *query) {
    sy_ev *ev = query->ev;
    sy_detail detail;
    sy_detail_set(&detail, "%s", query->failure);
    if (!query->cancelled && ev->sw != NULL) {
        sy_switch_on_resolved(ev->sw, query->ref, query->count > 0 ? SY_OK : SY_ERR_RESOLVE,
                              query->endpoints, query->count, &detail, ev->turn_now);
    }
    free_query(query);
}

void sy_ev_deliver_answers(sy_ev *ev) {
    for (sy_ev_query *query = ev->queries; query != NULL;) {
        sy_ev_query *next = query->next;
        if (query->answered) {
            deliver(query);
        }
        query = next;
    }
}

/* May be called from inside ares_getaddrinfo (a hosts file), where nothing may be reported yet. */
static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info) {
    (void)timeouts;
    sy_ev_query *query = arg;
    sy_ev *ev = query->ev;
    query->answered = true;
    if (status == ARES_SUCCESS && info != NULL) {
        query->count = take_endpoints(info, query->endpoints);
    }
    query->failure = status == ARES_SUCCESS ? "no address" : ares_strerror(status);
    if (info != NULL) {
        ares_freeaddrinfo(info);
    }
    if (status == ARES_EDESTRUCTION) {
        free_query(query);
        return;
    }
    ev_feed_event(ev->loop, &ev->timer, EV_TIMER); /* wakes the turn that delivers it */
}

sy_err sy_ev_resolve(void *driver, sy_resolve_ref ref, const char *host) {
    sy_ev *ev = driver;
    const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    sy_ev_query *query = sy_mem_zalloc(&ev->mem, sizeof *query);
    if (query == NULL) {
        return SY_ERR_NOMEM;
    }
    query->ev = ev;
    query->ref = ref;
    query->next = ev->queries;
    if (ev->queries != NULL) {
        ev->queries->prev = query;
    }
    ev->queries = query;
    ares_getaddrinfo(ev->ares, host, NULL, &hints, on_answer, query);
    arm_ares_timer(ev);
    return SY_OK;
}

void sy_ev_resolve_cancel(void *driver, sy_resolve_ref ref) {
    sy_ev *ev = driver;
    for (sy_ev_query *query = ev->queries; query != NULL; query = query->next) {
        if (query->ref.slot == ref.slot && query->ref.generation == ref.generation) {
            query->cancelled = true;
        }
    }
}
