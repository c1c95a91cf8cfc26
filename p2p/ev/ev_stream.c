/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of the libev driver.  EINTR and EAGAIN are handled in sock_read and sock_write only. */
#define _GNU_SOURCE /* accept4 */
#include "p2p/ev/ev_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <switchyard/assert.h>

#ifndef MSG_MORE
#define MSG_MORE 0 /* Linux has it */
#endif

typedef enum io_result {
    IO_DONE,
    IO_BLOCKED,
    IO_END,
    IO_BROKEN
} io_result;

static io_result sock_read(int fd, uint8_t *out, size_t cap, size_t *ret_len) {
    for (;;) {
        const ssize_t n = recv(fd, out, cap, 0);
        if (n > 0) {
            *ret_len = (size_t)n;
            return IO_DONE;
        }
        if (n == 0) {
            return IO_END;
        }
        if (errno == EINTR) {
            continue;
        }
        return errno == EAGAIN || errno == EWOULDBLOCK ? IO_BLOCKED : IO_BROKEN;
    }
}

static io_result sock_write(int fd, const uint8_t *data, size_t len, bool more, size_t *ret_len) {
    const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    for (;;) {
        const ssize_t n = send(fd, data, len, flags);
        if (n >= 0) {
            *ret_len = (size_t)n;
            return IO_DONE;
        }
        if (errno == EINTR) {
            continue;
        }
        *ret_len = 0;
        return errno == EAGAIN || errno == EWOULDBLOCK ? IO_BLOCKED : IO_BROKEN;
    }
}

/* ---- Addresses ---------------------------------------------------------------------------------
 */

static socklen_t to_sockaddr(const sy_endpoint *endpoint, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (sy_endpoint_is_v4(endpoint)) {
        struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
        memcpy(&in4.sin_addr, endpoint->ip + 12, 4);
        memcpy(out, &in4, sizeof in4);
        return sizeof in4;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
    memcpy(&in6.sin6_addr, endpoint->ip, 16);
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}

static sy_endpoint from_sockaddr(const struct sockaddr_storage *from) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    sy_endpoint endpoint = {0};
    if (from->ss_family == AF_INET) {
        struct sockaddr_in in4;
        memcpy(&in4, from, sizeof in4);
        memcpy(endpoint.ip, mapped, sizeof mapped);
        memcpy(endpoint.ip + 12, &in4.sin_addr, 4);
        endpoint.port = ntohs(in4.sin_port);
    } else if (from->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof in6);
        memcpy(endpoint.ip, &in6.sin6_addr, 16);
        endpoint.port = ntohs(in6.sin6_port);
    }
    return endpoint;
}

static sy_endpoint local_endpoint(int fd) {
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;
    (void)getsockname(fd, (struct sockaddr *)&addr, &len);
    return from_sockaddr(&addr);
}

static int open_socket(int family) {
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void tune(int fd) {
    const int on = 1;
    const int notsent = SY_EV_NOTSENT;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent, sizeof notsent);
}

/* ---- Streams -----------------------------------------------------------------------------------
 */

static void report_end(sy_ev_stream *stream, sy_err err) {
    sy_ev *ev = stream->ev;
    stream->ended = true;
    ev_io_stop(ev->loop, &stream->read);
    ev_io_stop(ev->loop, &stream->write);
    sy_switch_on_read_end(ev->sw, stream->ref, err, ev->turn_now);
}

/* Has this stream had its share of the turn? */
static bool has_share(const sy_ev *ev, size_t total) {
    return total < SY_EV_READ_TURN && (total == 0 || ev->turn_read < SY_EV_READ_ALL);
}

/* Reads until the socket is empty or the turn's share is used up; true when nothing is left. */
static bool read_some(sy_ev_stream *stream) {
    sy_ev *ev = stream->ev;
    size_t total = 0;

    while (!stream->closed && !stream->ended && stream->reading && has_share(ev, total)) {
        size_t len = 0;
        switch (sock_read(stream->fd, ev->read_area, SY_EV_READ_CAP, &len)) {
        case IO_DONE:
            total += len;
            ev->turn_read += len;
            if (!sy_switch_on_readable(ev->sw, stream->ref, ev->read_area, len, ev->turn_now)) {
                return false;
            }
            if (len < SY_EV_READ_CAP) {
                return true; /* the next wake-up will say when there is more */
            }
            break;
        case IO_BLOCKED:
            return true;
        case IO_END:
            report_end(stream, SY_ERR_REMOTE_CLOSED);
            return false;
        case IO_BROKEN:
            report_end(stream, SY_ERR_REMOTE_RESET);
            return false;
        }
    }
    return false;
}

static void on_read(struct ev_loop *loop, ev_io *watcher, int revents) {
    (void)loop;
    (void)revents;
    sy_ev_stream *stream = watcher->data;
    if (stream->ev->sw != NULL && !stream->closed) {
        (void)read_some(stream);
    }
}

static void finish_connect(sy_ev_stream *stream) {
    sy_ev *ev = stream->ev;
    int error = 0;
    socklen_t len = sizeof error;

    stream->connecting = false;
    ev_io_stop(ev->loop, &stream->write);
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error != 0) {
        sy_detail detail;
        sy_detail_set(&detail, "%s", strerror(error));
        const sy_stream_ref ref = stream->ref;
        sy_ev_stream_close(ev, stream, false);
        sy_switch_on_connect_failed(ev->sw, ref, SY_ERR_CONNECT, &detail, ev->turn_now);
        return;
    }
    tune(stream->fd);
    stream->reading = true;
    ev_io_start(ev->loop, &stream->read);
    const sy_endpoint local = local_endpoint(stream->fd);
    sy_switch_on_connected(ev->sw, stream->ref, &local, ev->turn_now);
}

static void on_write(struct ev_loop *loop, ev_io *watcher, int revents) {
    (void)revents;
    sy_ev_stream *stream = watcher->data;
    sy_ev *ev = stream->ev;
    if (ev->sw == NULL || stream->closed) {
        return;
    }
    if (stream->connecting) {
        finish_connect(stream);
        return;
    }
    ev_io_stop(loop, &stream->write);
    sy_switch_on_writable(ev->sw, stream->ref, ev->turn_now);
}

static sy_ev_stream *stream_new(sy_ev *ev, int fd) {
    sy_ev_stream *stream = sy_mem_zalloc(&ev->mem, sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    stream->ev = ev;
    stream->fd = fd;
    ev_io_init(&stream->read, on_read, fd, EV_READ);
    ev_io_init(&stream->write, on_write, fd, EV_WRITE);
    stream->read.data = stream;
    stream->write.data = stream;
    stream->next = ev->streams;
    if (ev->streams != NULL) {
        ev->streams->prev = stream;
    }
    ev->streams = stream;
    return stream;
}

static void unlink_stream(sy_ev_stream *stream) {
    if (stream->prev != NULL) {
        stream->prev->next = stream->next;
    } else {
        stream->ev->streams = stream->next;
    }
    if (stream->next != NULL) {
        stream->next->prev = stream->prev;
    }
}

static sy_err connect_to(sy_ev *ev, sy_stream_ref ref, const struct sockaddr_storage *addr,
                         socklen_t len, void **ret_stream) {
    const int fd = open_socket(addr->ss_family);
    if (fd < 0) {
        return SY_ERR_SYSTEM;
    }
    if (connect(fd, (const struct sockaddr *)addr, len) != 0 && errno != EINPROGRESS) {
        (void)close(fd);
        return SY_ERR_CONNECT;
    }
    sy_ev_stream *stream = stream_new(ev, fd);
    if (stream == NULL) {
        (void)close(fd);
        return SY_ERR_NOMEM;
    }
    stream->ref = ref;
    stream->connecting = true;
    ev_io_start(ev->loop, &stream->write); /* also when it is up already: reported later */
    *ret_stream = stream;
    return SY_OK;
}

sy_err sy_ev_stream_connect(void *driver, sy_stream_ref ref, const sy_endpoint *remote,
                            void **ret_stream) {
    struct sockaddr_storage addr;
    const socklen_t len = to_sockaddr(remote, &addr);
    return connect_to(driver, ref, &addr, len, ret_stream);
}

sy_err sy_ev_stream_connect_local(void *driver, sy_stream_ref ref, const char *path,
                                  void **ret_stream) {
    struct sockaddr_storage addr = {0};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    const size_t len = strlen(path);
    if (len >= sizeof local.sun_path) {
        return SY_ERR_SYSTEM;
    }
    memcpy(local.sun_path, path, len + 1);
    memcpy(&addr, &local, sizeof local);
    return connect_to(driver, ref, &addr, sizeof local, ret_stream);
}

sy_err sy_ev_stream_write(void *driver, void *stream, const uint8_t *data, size_t len, bool more,
                          size_t *ret_written) {
    sy_ev *ev = driver;
    sy_ev_stream *s = stream;
    size_t written = 0;

    if (sock_write(s->fd, data, len, more, &written) == IO_BROKEN) {
        ev_io_stop(ev->loop, &s->read);
        ev_io_stop(ev->loop, &s->write);
        s->ended = true;
        return SY_ERR_REMOTE_RESET;
    }
    if (written < len) {
        ev_io_start(ev->loop, &s->write);
    }
    *ret_written = written;
    return SY_OK;
}

void sy_ev_stream_set_reading(void *driver, void *stream, bool on) {
    sy_ev *ev = driver;
    sy_ev_stream *s = stream;
    s->reading = on;
    if (on && !s->ended && !s->connecting) {
        ev_io_start(ev->loop, &s->read);
        if (s->dry_later) {
            s->dry_later = false;
            sy_ev_stream_check_dry(ev, s);
        }
    } else {
        ev_io_stop(ev->loop, &s->read);
    }
}

void sy_ev_stream_check_dry(void *driver, void *stream) {
    sy_ev *ev = driver;
    sy_ev_stream *s = stream;
    if (!s->check_dry) {
        s->check_dry = true;
        s->next_dry = ev->dry;
        ev->dry = s;
    }
}

void sy_ev_run_dry_checks(sy_ev *ev) {
    sy_ev_stream *list = ev->dry;
    ev->dry = NULL;
    while (list != NULL) {
        sy_ev_stream *stream = list;
        list = stream->next_dry;
        stream->check_dry = false;
        if (stream->closed || stream->ended) {
            continue;
        }
        if (read_some(stream)) {
            sy_switch_on_read_dry(ev->sw, stream->ref, ev->turn_now);
        } else if (!stream->closed && !stream->ended) {
            if (stream->reading) {
                sy_ev_stream_check_dry(ev, stream); /* more than a turn's share was waiting */
            } else {
                stream->dry_later = true;
            }
        }
    }
}

void sy_ev_stream_shutdown_write(void *driver, void *stream) {
    (void)driver;
    sy_ev_stream *s = stream;
    (void)shutdown(s->fd, SHUT_WR);
}

void sy_ev_stream_close(void *driver, void *stream, bool abort) {
    sy_ev *ev = driver;
    sy_ev_stream *s = stream;

    SY_REQUIRE(!s->closed);
    s->closed = true;
    ev_io_stop(ev->loop, &s->read);
    ev_io_stop(ev->loop, &s->write);
    if (abort) {
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    (void)close(s->fd);
    s->fd = -1;
    s->next_closed = ev->closed;
    ev->closed = s;
}

static void forget_dry(sy_ev *ev, const sy_ev_stream *stream) {
    for (sy_ev_stream **at = &ev->dry; *at != NULL; at = &(*at)->next_dry) {
        if (*at == stream) {
            *at = stream->next_dry;
            return;
        }
    }
}

void sy_ev_free_closed(sy_ev *ev) {
    while (ev->closed != NULL) {
        sy_ev_stream *stream = ev->closed;
        ev->closed = stream->next_closed;
        if (stream->check_dry) {
            forget_dry(ev, stream);
        }
        unlink_stream(stream);
        sy_mem_release(&ev->mem, stream);
    }
}

/* ---- Listeners ---------------------------------------------------------------------------------
 */

static void pause_listener(sy_ev_listener *listener) {
    ev_io_stop(listener->ev->loop, &listener->accept);
    ev_timer_set(&listener->pause, SY_EV_ACCEPT_PAUSE, 0.0);
    ev_timer_start(listener->ev->loop, &listener->pause);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *watcher, int revents) {
    (void)revents;
    sy_ev_listener *listener = watcher->data;
    ev_io_start(loop, &listener->accept);
}

static bool is_passing_accept_error(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ECONNABORTED ||
           error == EPROTO;
}

static void take_accepted(sy_ev_listener *listener, int fd, const sy_endpoint *remote) {
    sy_ev *ev = listener->ev;
    sy_ev_stream *stream = stream_new(ev, fd);
    if (stream == NULL) {
        (void)close(fd);
        return;
    }
    stream->reading = true;
    ev_io_start(ev->loop, &stream->read);
    const sy_endpoint local = local_endpoint(fd);
    if (sy_switch_on_accepted(listener->sw, stream, &local, remote, &stream->ref, ev->turn_now) !=
        SY_OK) {
        sy_ev_stream_close(ev, stream, false);
    }
}

static int accept_nonblocking(int fd, struct sockaddr_storage *addr) {
    socklen_t len = sizeof *addr;
    return accept4(fd, (struct sockaddr *)addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void on_accept(struct ev_loop *loop, ev_io *watcher, int revents) {
    (void)loop;
    (void)revents;
    sy_ev_listener *listener = watcher->data;

    for (size_t i = 0; i < SY_EV_ACCEPT_TURN && ev_is_active(&listener->accept); i++) {
        struct sockaddr_storage addr;
        const int fd = accept_nonblocking(listener->fd, &addr);
        if (fd < 0) {
            if (!is_passing_accept_error(errno)) {
                pause_listener(listener);
            }
            return;
        }
        const sy_endpoint remote = from_sockaddr(&addr);
        take_accepted(listener, fd, &remote);
    }
}

static int bind_and_listen(const sy_endpoint *local, sy_detail *detail) {
    struct sockaddr_storage addr;
    const socklen_t len = to_sockaddr(local, &addr);
    const int on = 1;

    const int fd = open_socket(addr.ss_family);
    if (fd < 0) {
        sy_detail_set(detail, "socket: %s", strerror(errno));
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    tune(fd); /* what is accepted inherits it */
    if (bind(fd, (const struct sockaddr *)&addr, len) != 0 || listen(fd, SY_EV_BACKLOG) != 0) {
        char text[SY_ENDPOINT_TEXT_CAP];
        const int error = errno;
        (void)sy_endpoint_format(local, text);
        sy_detail_set(detail, "listen on %s: %s", text, strerror(error));
        (void)close(fd);
        return -1;
    }
    return fd;
}

sy_err sy_ev_listen(void *driver, sy_switch *sw, const sy_endpoint *local, sy_endpoint *ret_bound,
                    void **ret_listener, sy_detail *detail) {
    sy_ev *ev = driver;
    const int fd = bind_and_listen(local, detail);
    if (fd < 0) {
        return SY_ERR_SYSTEM;
    }
    sy_ev_listener *listener = sy_mem_zalloc(&ev->mem, sizeof *listener);
    if (listener == NULL) {
        (void)close(fd);
        return SY_ERR_NOMEM;
    }
    listener->ev = ev;
    listener->sw = sw;
    listener->fd = fd;
    ev_io_init(&listener->accept, on_accept, fd, EV_READ);
    ev_timer_init(&listener->pause, on_pause_over, SY_EV_ACCEPT_PAUSE, 0.0);
    listener->accept.data = listener;
    listener->pause.data = listener;
    ev_io_start(ev->loop, &listener->accept);
    listener->next = ev->listeners;
    ev->listeners = listener;
    *ret_bound = local_endpoint(fd);
    *ret_listener = listener;
    return SY_OK;
}

void sy_ev_listener_close(void *driver, void *listener) {
    sy_ev *ev = driver;
    sy_ev_listener *l = listener;
    for (sy_ev_listener **at = &ev->listeners; *at != NULL; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            break;
        }
    }
    ev_io_stop(ev->loop, &l->accept);
    ev_timer_stop(ev->loop, &l->pause);
    (void)close(l->fd);
    sy_mem_release(&ev->mem, l);
}

void sy_ev_close_all(sy_ev *ev) {
    while (ev->listeners != NULL) {
        sy_ev_listener_close(ev, ev->listeners);
    }
    sy_ev_free_closed(ev);
    while (ev->streams != NULL) {
        sy_ev_stream_close(ev, ev->streams, false);
        sy_ev_free_closed(ev);
    }
}
