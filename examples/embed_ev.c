/* SPDX-License-Identifier: Apache-2.0 */
/* A switch inside a program that has a libev loop of its own: here a small status server.  The
 * program makes the loop, has watchers and signals of its own, and is the one that runs it; the
 * switch is a guest.
 *
 *     embed_ev P2P_HOST:PORT STATUS_PORT     then: nc 127.0.0.1 STATUS_PORT */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>

#include <switchyard/ev.h>
#include <switchyard/switch.h>

#include "count_reactor.h"

typedef struct app {
    struct ev_loop *loop;
    ev_io status;
    ev_timer tick;
    ev_signal on_int;
    unsigned ticks;
    unsigned records; /* of the switch's log */
    sy_ev *ev;
    sy_switch *sw;
} app;

/* ---- The program without the switch ------------------------------------------------------------
 */

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int revents) {
    app *a = watcher->data;
    (void)loop, (void)revents;
    a->ticks++;
}

static void on_status(struct ev_loop *loop, ev_io *watcher, int revents) {
    app *a = watcher->data;
    char text[160];
    sy_switch_counts counts;
    (void)loop, (void)revents;
    const int fd = accept(watcher->fd, NULL, NULL);
    if (fd < 0) {
        return;
    }
    sy_switch_get_counts(a->sw, &counts);
    const int len =
        snprintf(text, sizeof text, "ticks=%u records=%u peers=%zu accepted=%llu\n", a->ticks,
                 a->records, counts.peers, (unsigned long long)counts.accepted);
    (void)send(fd, text, (size_t)len, MSG_NOSIGNAL);
    (void)close(fd);
}

static int open_status(unsigned short port) {
    const int on = 1;
    const struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 8) != 0) {
        perror("status port");
        return -1;
    }
    return fd;
}

/* ---- The guest ---------------------------------------------------------------------------------
 */

static void on_record(void *user, const sy_log_record *record) {
    app *a = user;
    (void)record;
    a->records++;
}

/* Nothing of the guest is left: the program may go. */
static void on_stopped(void *user, sy_time now) {
    const app *a = user;
    (void)now;
    ev_break(a->loop, EVBREAK_ALL);
}

static bool add_switch(app *a, const char *where, sy_detail *detail) {
    uint8_t seed[SY_SEED_LEN];
    sy_node_key key;
    sy_settings settings;
    sy_addr addr;
    sy_endpoint bound;

    if (sy_addr_parse(where, strlen(where), SY_ADDR_LISTEN, &addr, detail) != SY_OK ||
        !addr.is_ip || getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed ||
        sy_ev_new(a->loop, NULL, &a->ev) != SY_OK) {
        return false;
    }
    sy_node_key_from_seed(seed, &key);
    sy_settings_default(&settings);
    settings.node_key = &key;
    settings.network = COUNT_NETWORK;
    settings.log = (sy_log){.fn = on_record, .user = a, .level = SY_LOG_INFO};
    settings.stopped = on_stopped;
    settings.stopped_user = a;
    const sy_err err = sy_switch_new(&settings, sy_ev_ops(), a->ev, &a->sw, detail);
    sy_node_key_wipe(&key);
    if (err != SY_OK) {
        return false;
    }
    sy_ev_attach(a->ev, a->sw);
    if (sy_switch_add_reactor(a->sw, &count_reactor, NULL, detail) != SY_OK ||
        sy_switch_start(a->sw, sy_ev_now(a->ev)) != SY_OK ||
        sy_switch_listen(a->sw, &addr.endpoint, &bound, detail) != SY_OK) {
        return false;
    }
    char id[SY_NODE_ID_TEXT_CAP];
    char text[SY_ENDPOINT_TEXT_CAP];
    sy_node_id_format(sy_switch_id(a->sw), id);
    (void)sy_endpoint_format(&bound, text);
    (void)printf("listening on %s@%s\n", id, text);
    (void)fflush(stdout);
    return true;
}

/* The guest goes in order, while the loop runs on; then the program. */
static void on_int(struct ev_loop *loop, ev_signal *watcher, int revents) {
    app *a = watcher->data;
    (void)loop;
    (void)revents;
    sy_switch_stop(a->sw, sy_ev_now(a->ev));
}

static void run(app *a, int status_fd) {
    ev_io_init(&a->status, on_status, status_fd, EV_READ);
    ev_timer_init(&a->tick, on_tick, 0.05, 0.05);
    ev_signal_init(&a->on_int, on_int, SIGINT);
    a->status.data = a->tick.data = a->on_int.data = a;
    ev_io_start(a->loop, &a->status);
    ev_timer_start(a->loop, &a->tick);
    ev_signal_start(a->loop, &a->on_int);
    (void)ev_run(a->loop, 0); /* until on_stopped */
}

int main(int argc, char **argv) {
    if (argc != 3) {
        (void)fprintf(stderr, "usage: embed_ev HOST:PORT STATUS_PORT\n");
        return 2;
    }
    app a = {.loop = ev_loop_new(EVFLAG_AUTO)};
    sy_detail detail;
    sy_detail_clear(&detail);
    const int fd = open_status((unsigned short)strtoul(argv[2], NULL, 10));
    const bool ok = fd >= 0 && add_switch(&a, argv[1], &detail);
    if (ok) {
        run(&a, fd);
        (void)printf("stopped after %u ticks\n", a.ticks);
    } else {
        (void)fprintf(stderr, "embed_ev: %s\n", detail.text);
    }
    sy_switch_del(a.sw);
    sy_ev_del(a.ev);
    ev_loop_destroy(a.loop);
    return ok ? 0 : 1;
}
