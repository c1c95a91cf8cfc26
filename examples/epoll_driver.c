/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1 /* accept4 */
#include "epoll_driver.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A stream or a listener; what epoll gives back. */
typedef struct epoll_source {
    int fd; /* -1: closed, freed at the end of the turn */
    sy_stream_ref ref;
    bool listens, connecting, reading, writing, ended, check_dry;
    struct epoll_source *next;
} source;

static struct sockaddr_in6 to_sockaddr(const sy_endpoint *from) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(from->port)};
    memcpy(&to.sin6_addr, from->ip, sizeof from->ip);
    return to;
}

static sy_endpoint local_of(int fd) {
    struct sockaddr_in6 addr = {0};
    socklen_t len = sizeof addr;
    (void)getsockname(fd, (struct sockaddr *)&addr, &len);
    return epoll_names_endpoint(&addr);
}

/* Takes fd; NULL when it is none. */
static source *add_source(epoll_driver *d, int fd, bool connecting) {
    source *s = fd < 0 ? NULL : calloc(1, sizeof *s);
    if (s == NULL) {
        (void)close(fd);
        return NULL;
    }
    *s = (source){.fd = fd, .reading = true, .connecting = connecting, .writing = connecting};
    s->next = d->sources;
    d->sources = s;
    struct epoll_event event = {.events = connecting ? EPOLLOUT : EPOLLIN, .data.ptr = s};
    (void)epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    return s;
}

/* What nobody waits for is taken out: epoll would report a broken connection for ever. */
static void watch(epoll_driver *d, source *s) {
    const uint32_t in = s->reading && !s->connecting ? EPOLLIN : 0;
    struct epoll_event event = {.events = in | (s->writing ? EPOLLOUT : 0), .data.ptr = s};
    if (s->ended || event.events == 0) {
        (void)epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    } else if (epoll_ctl(d->epoll_fd, EPOLL_CTL_MOD, s->fd, &event) != 0) {
        (void)epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, s->fd, &event);
    }
}

static void close_source(void *driver, void *stream) {
    (void)driver;
    (void)close(((source *)stream)->fd); /* which also takes it out of the epoll set */
    ((source *)stream)->fd = -1;
}

/* Sockets are IPv6 and speak IPv4 through mapped addresses, the form that sy_endpoint has. */
static int open_socket(void) {
    const int off = 0, on = 1;
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static sy_err op_connect(void *driver, sy_stream_ref ref, const sy_endpoint *remote,
                         void **ret_stream) {
    const struct sockaddr_in6 addr = to_sockaddr(remote);
    const int fd = open_socket();
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof addr) != 0 &&
        errno != EINPROGRESS) {
        (void)close(fd);
        return SY_ERR_CONNECT;
    }
    source *s = add_source(driver, fd, true);
    if (s == NULL) {
        return SY_ERR_SYSTEM;
    }
    s->ref = ref;
    *ret_stream = s;
    return SY_OK;
}

static sy_err op_write(void *driver, void *stream, const uint8_t *data, size_t len, bool more,
                       size_t *ret_written) {
    source *s = stream;
    const ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        s->ended = true;
        watch(driver, s);
        return SY_ERR_REMOTE_RESET;
    }
    *ret_written = n < 0 ? 0 : (size_t)n;
    if (*ret_written < len) {
        s->writing = true;
        watch(driver, s);
    }
    return SY_OK;
}

static void op_set_reading(void *driver, void *stream, bool on) {
    ((source *)stream)->reading = on;
    watch(driver, stream);
}

static void op_check_dry(void *driver, void *stream) {
    (void)driver;
    ((source *)stream)->check_dry = true;
}

static void op_shutdown_write(void *driver, void *stream) {
    (void)driver;
    (void)shutdown(((source *)stream)->fd, SHUT_WR);
}

static void op_close(void *driver, void *stream, bool abort) {
    const struct linger now = {.l_onoff = abort ? 1 : 0};
    (void)setsockopt(((source *)stream)->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close_source(driver, stream);
}

static sy_err op_listen(void *driver, sy_switch *sw, const sy_endpoint *local,
                        sy_endpoint *ret_bound, void **ret_listener, sy_detail *detail) {
    const struct sockaddr_in6 addr = to_sockaddr(local);
    const int fd = open_socket();
    (void)sw;
    if (bind(fd, (const struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 256) != 0) {
        sy_detail_set(detail, "%s", strerror(errno));
        (void)close(fd);
        return SY_ERR_SYSTEM;
    }
    source *s = add_source(driver, fd, false);
    if (s == NULL) {
        return SY_ERR_NOMEM;
    }
    s->listens = true;
    *ret_bound = local_of(fd);
    *ret_listener = s;
    return SY_OK;
}

static sy_err op_resolve(void *driver, sy_resolve_ref ref, const char *host) {
    return epoll_names_look_up(&((epoll_driver *)driver)->names, ref, host);
}

static void op_resolve_cancel(void *driver, sy_resolve_ref ref) {
    (void)driver, (void)ref; /* the switch ignores answers to a stale reference */
}

static void op_random(void *driver, void *out, size_t len) {
    (void)driver;
    for (size_t at = 0; at < len;) {
        const ssize_t n = getrandom((uint8_t *)out + at, len - at, 0);
        at += n > 0 ? (size_t)n : 0;
    }
}

static void read_source(epoll_driver *d, source *s) {
    const ssize_t n = recv(s->fd, d->area, sizeof d->area, 0);
    if (n > 0) {
        (void)sy_switch_on_readable(d->sw, s->ref, d->area, (size_t)n, d->now);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        s->ended = true;
        watch(d, s);
        sy_switch_on_read_end(d->sw, s->ref, n == 0 ? SY_ERR_REMOTE_CLOSED : SY_ERR_REMOTE_RESET,
                              d->now);
    } else if (s->check_dry && errno == EAGAIN) {
        s->check_dry = false;
        sy_switch_on_read_dry(d->sw, s->ref, d->now);
    }
}

static void finish_connect(epoll_driver *d, source *s) {
    int error = 0;
    socklen_t len = sizeof error;
    (void)getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    s->connecting = false;
    if (error != 0) {
        close_source(d, s);
        sy_switch_on_connect_failed(d->sw, s->ref, SY_ERR_CONNECT, NULL, d->now);
        return;
    }
    watch(d, s);
    const sy_endpoint local = local_of(s->fd);
    sy_switch_on_connected(d->sw, s->ref, &local, d->now);
}

static void accept_one(epoll_driver *d, const source *listener) {
    struct sockaddr_in6 addr;
    socklen_t len = sizeof addr;
    const int fd =
        accept4(listener->fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    source *s = add_source(d, fd, false);
    if (s == NULL) {
        return;
    }
    const sy_endpoint local = local_of(s->fd), remote = epoll_names_endpoint(&addr);
    if (sy_switch_on_accepted(d->sw, s, &local, &remote, &s->ref, d->now) != SY_OK) {
        close_source(d, s);
    }
}

void epoll_driver_event(epoll_driver *d, const struct epoll_event *event) {
    source *s = event->data.ptr;
    if (s->fd < 0) {
        return; /* closed earlier in this turn */
    }
    if (s->listens) {
        accept_one(d, s);
        return;
    }
    if (s->writing && (event->events & ~(uint32_t)EPOLLIN) != 0) {
        s->writing = false;
        if (s->connecting) {
            finish_connect(d, s);
            return;
        }
        watch(d, s);
        sy_switch_on_writable(d->sw, s->ref, d->now);
    }
    if (s->fd >= 0 && s->reading && !s->ended && (event->events & ~(uint32_t)EPOLLOUT) != 0) {
        read_source(d, s);
    }
}

static void free_sources(epoll_driver *d, bool all) {
    for (source **at = &d->sources; *at != NULL;) {
        source *s = *at;
        if (s->fd >= 0 && all) {
            close_source(d, s);
        }
        if (s->fd >= 0) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        free(s);
    }
}

void epoll_driver_turn_begin(epoll_driver *d) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    d->now = (sy_time)ts.tv_sec * SY_SEC + (sy_time)ts.tv_nsec;
}

void epoll_driver_turn_end(epoll_driver *d) {
    epoll_names_report(&d->names, d->sw, d->now);
    if (sy_switch_next_expiry(d->sw) <= d->now) {
        sy_switch_on_expiry(d->sw, d->now);
    }
    for (source *s = d->sources; s != NULL; s = s->next) {
        while (s->check_dry && s->fd >= 0 && s->reading && !s->ended) {
            read_source(d, s);
        }
    }
    sy_switch_turn_end(d->sw, d->now);
    free_sources(d, false);
}

int epoll_driver_timeout(const epoll_driver *d) {
    const sy_time at = sy_switch_next_expiry(d->sw);
    const sy_duration wait = at == SY_NEVER ? SY_HOUR : sy_time_since(at, d->now);
    const sy_duration most = d->names != NULL ? 10 * SY_MSEC : SY_HOUR;
    return (int)(((wait < most ? wait : most) + SY_MSEC - 1) / SY_MSEC);
}

const sy_driver_ops epoll_driver_ops = {
    .size = sizeof(sy_driver_ops),
    .stream_connect = op_connect,
    .stream_write = op_write,
    .stream_set_reading = op_set_reading,
    .stream_check_dry = op_check_dry,
    .stream_shutdown_write = op_shutdown_write,
    .stream_close = op_close,
    .listen = op_listen,
    .listener_close = close_source,
    .resolve = op_resolve,
    .resolve_cancel = op_resolve_cancel,
    .random = op_random,
};

void epoll_driver_fini(epoll_driver *d) {
    epoll_names_report(&d->names, NULL, d->now);
    free_sources(d, true);
}
