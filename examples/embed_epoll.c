/* SPDX-License-Identifier: Apache-2.0 */
/* A switch inside a program whose loop is plain epoll: the program watches its standard input and
 * ends with it, the driver of epoll_driver.c does the rest.  The reactor is isolated: it has a
 * thread of its own (epoll_workers.c) and might block.
 *
 *     embed_epoll HOST:PORT [ID@HOST:PORT...]     then: ask ID@HOST:PORT TEXT */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include <switchyard/switch.h>

#include "count_reactor.h"
#include "epoll_driver.h"
#include "epoll_workers.h"

#define EVENTS_MAX 64

static bool open_switch(epoll_driver *d, sy_switch **ret_sw, sy_detail *detail) {
    static sy_driver_ops ops; /* as long as the switch */
    uint8_t seed[SY_SEED_LEN];
    sy_node_key key;
    sy_settings settings;
    if (!epoll_workers_init(d, &ops) || getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        return false;
    }
    sy_node_key_from_seed(seed, &key);
    sy_settings_default(&settings);
    settings.node_key = &key;
    settings.network = COUNT_NETWORK;
    settings.moniker = "epoll";
    const sy_err err = sy_switch_new(&settings, &ops, d, ret_sw, detail);
    sy_node_key_wipe(&key);
    if (err != SY_OK) {
        return false;
    }
    d->sw = *ret_sw;
    return sy_switch_add_reactor_isolated(*ret_sw, &count_reactor, NULL, NULL, detail) == SY_OK &&
           sy_switch_start(*ret_sw, d->now) == SY_OK;
}

static bool listen_on(sy_switch *sw, const char *where, sy_detail *detail) {
    sy_addr addr;
    sy_endpoint bound;
    char id[SY_NODE_ID_TEXT_CAP];
    char text[SY_ENDPOINT_TEXT_CAP];
    if (sy_addr_parse(where, strlen(where), SY_ADDR_LISTEN, &addr, detail) != SY_OK ||
        !addr.is_ip || sy_switch_listen(sw, &addr.endpoint, &bound, detail) != SY_OK) {
        return false;
    }
    sy_node_id_format(sy_switch_id(sw), id);
    (void)sy_endpoint_format(&bound, text);
    (void)printf("listening on %s@%s\n", id, text);
    (void)fflush(stdout);
    return true;
}

static bool dial(sy_switch *sw, const char *text, sy_time now, sy_detail *detail) {
    sy_addr addr;
    return sy_addr_parse(text, strlen(text), SY_ADDR_ID_REQUIRED, &addr, detail) == SY_OK &&
           sy_switch_dial(sw, &addr, SY_DIAL_PERSISTENT, now) == SY_OK;
}

/* The program's own part of the loop: a line asks how many peers there are, the end stops. */
static void on_input(int epoll_fd, epoll_driver *d, sy_switch *sw) {
    char bytes[256];
    sy_switch_counts counts;
    if (read(STDIN_FILENO, bytes, sizeof bytes) > 0) {
        sy_switch_get_counts(sw, &counts);
        (void)printf("peers=%zu\n", counts.peers);
        (void)fflush(stdout);
        return;
    }
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    sy_switch_stop(sw, d->now);
}

static void run(int epoll_fd, epoll_driver *d, sy_switch *sw) {
    struct epoll_event events[EVENTS_MAX];
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    epoll_driver_turn_end(d); /* what was queued before the loop runs */
    while (!sy_switch_is_stopped(sw)) {
        const int n = epoll_wait(epoll_fd, events, EVENTS_MAX, epoll_driver_timeout(d));
        epoll_driver_turn_begin(d);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                on_input(epoll_fd, d, sw);
            } else if (events[i].data.ptr == &d->post_fd) {
                epoll_workers_event(d);
            } else {
                epoll_driver_event(d, &events[i]);
            }
        }
        epoll_driver_turn_end(d);
    }
}

int main(int argc, char **argv) {
    if (argc < 2) {
        (void)fprintf(stderr, "usage: embed_epoll HOST:PORT [ID@HOST:PORT...]\n");
        return 2;
    }
    sy_detail detail;
    sy_switch *sw = NULL;
    sy_detail_clear(&detail);
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    static epoll_driver driver;
    epoll_driver *d = &driver;
    d->epoll_fd = epoll_fd;
    epoll_driver_turn_begin(d);
    bool ok = open_switch(d, &sw, &detail) && listen_on(sw, argv[1], &detail);
    for (int i = 2; ok && i < argc; i++) {
        ok = dial(sw, argv[i], d->now, &detail);
    }
    if (ok) {
        run(epoll_fd, d, sw);
    } else {
        (void)fprintf(stderr, "embed_epoll: %s\n", detail.text);
    }
    sy_switch_del(sw);
    epoll_driver_fini(d);
    epoll_workers_fini(d);
    (void)close(epoll_fd);
    return ok ? 0 : 1;
}
