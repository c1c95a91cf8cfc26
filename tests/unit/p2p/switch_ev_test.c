/* SPDX-License-Identifier: Apache-2.0 */
/* The switch on real sockets, where only the libev driver can be wrong: a loop that has nothing
 * else to do must still find out in time that a peer has died. */
#include <criterion/criterion.h>

#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <switchyard/ev.h>
#include <switchyard/switch.h>

#include "p2p/ev/ev_internal.h"

typedef struct node {
    struct ev_loop *loop;
    sy_ev *ev;
    sy_switch *sw;
    sy_node_key key;
    sy_endpoint bound;
    sy_err ended;
    bool up;
} node;

static void observe(void *user, const sy_event *event, sy_time now) {
    node *n = user;
    (void)now;
    n->up = n->up || event->kind == SY_EVENT_PEER_UP;
    if (event->kind == SY_EVENT_ENDED) {
        n->ended = event->reason->code;
        ev_break(n->loop, EVBREAK_ALL);
    }
}

static const sy_channel_desc channel = {.id = 0x20};
static const sy_reactor_ops reactor = {
    .size = sizeof(sy_reactor_ops), .name = "none", .channels = &channel, .channel_count = 1};

static void open_node(node *n, uint8_t seed_byte, sy_duration ping, sy_duration pong,
                      uint64_t recv_rate) {
    uint8_t seed[SY_SEED_LEN];
    sy_settings settings;
    sy_endpoint local;
    memset(seed, seed_byte, sizeof seed);
    *n = (node){.loop = ev_loop_new(EVFLAG_AUTO)};
    sy_node_key_from_seed(seed, &n->key);
    sy_settings_default(&settings);
    settings.node_key = &n->key;
    settings.network = "ev-test";
    settings.observer = observe;
    settings.observer_user = n;
    settings.ping_interval = ping;
    settings.pong_timeout = pong;
    settings.recv_rate = recv_rate;
    cr_assert_eq(sy_ev_new(n->loop, NULL, &n->ev), SY_OK);
    cr_assert_eq(sy_switch_new(&settings, sy_ev_ops(), n->ev, &n->sw, NULL), SY_OK);
    sy_ev_attach(n->ev, n->sw);
    cr_assert_eq(sy_switch_add_reactor(n->sw, &reactor, n, NULL), SY_OK);
    cr_assert_eq(sy_switch_start(n->sw, sy_ev_now(n->ev)), SY_OK);
    cr_assert_eq(sy_endpoint_parse_ip("127.0.0.1", 9, &local), SY_OK);
    local.port = 0;
    cr_assert_eq(sy_switch_listen(n->sw, &local, &n->bound, NULL), SY_OK);
}

static void close_node(node *n) {
    sy_switch_del(n->sw);
    sy_ev_del(n->ev);
    ev_loop_destroy(n->loop);
    sy_node_key_wipe(&n->key);
}

static void dial(node *from, const node *to) {
    char id[SY_NODE_ID_TEXT_CAP];
    char text[SY_ADDR_TEXT_CAP];
    sy_addr addr;
    sy_node_id_format(sy_switch_id(to->sw), id);
    (void)snprintf(text, sizeof text, "%s@127.0.0.1:%u", id, to->bound.port);
    cr_assert_eq(sy_addr_parse(text, strlen(text), SY_ADDR_ID_REQUIRED, &addr, NULL), SY_OK);
    cr_assert_eq(sy_switch_dial(from->sw, &addr, SY_DIAL_ONCE, sy_ev_now(from->ev)), SY_OK);
}

static void connect_nodes(node *from, node *to) {
    dial(from, to);
    const sy_time began = sy_ev_now(from->ev);
    while (!(from->up && to->up) && sy_ev_now(from->ev) < began + 5 * SY_SEC) {
        ev_run(from->loop, EVRUN_NOWAIT);
        ev_run(to->loop, EVRUN_NOWAIT);
    }
    cr_assert(from->up && to->up);
}

static void give_up(struct ev_loop *loop, ev_timer *watcher, int revents) {
    (void)watcher;
    (void)revents;
    ev_break(loop, EVBREAK_ALL);
}

/* SPEC-TEST MX-38 MX-39: the other loop is never run again, so its kernel answers and it does
 * not. */
static void expect_pong_timeout(uint64_t recv_rate) {
    node alive;
    node dead;
    open_node(&alive, 1, 300 * SY_MSEC, 200 * SY_MSEC, recv_rate);
    open_node(&dead, 2, 60 * SY_SEC, 45 * SY_SEC, 0);
    connect_nodes(&alive, &dead);

    ev_timer guard;
    ev_timer_init(&guard, give_up, 10.0, 0.0);
    ev_timer_start(alive.loop, &guard);
    const sy_time silent_from = sy_ev_now(alive.ev);
    ev_run(alive.loop, 0);
    const sy_duration took = sy_ev_now(alive.ev) - silent_from;
    cr_expect_eq(alive.ended, SY_ERR_PONG_TIMEOUT, "%s", sy_err_name(alive.ended));
    cr_expect_lt(took, 5 * SY_SEC, "after %llu ms", (unsigned long long)(took / SY_MSEC));
    ev_timer_stop(alive.loop, &guard);
    close_node(&alive);
    close_node(&dead);
}

Test(switch_ev, a_dead_peer_is_found_out_by_a_loop_that_is_idle) {
    expect_pong_timeout(0);
}

Test(switch_ev, a_dead_peer_is_found_out_also_with_a_receive_rate) {
    expect_pong_timeout(100000);
}

static int option_of(int fd, int option) {
    int value = 0;
    socklen_t len = sizeof value;
    cr_assert_eq(getsockopt(fd, IPPROTO_TCP, option, &value, &len), 0);
    return value;
}

/* Our sockets with a connection whose near end has this port; returns how many. */
static size_t connected_at(uint16_t port, int *ret_fd) {
    size_t found = 0;
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in near = {0};
        struct sockaddr_in far = {0};
        socklen_t near_len = sizeof near;
        socklen_t far_len = sizeof far;
        if (getsockname(fd, (struct sockaddr *)&near, &near_len) == 0 &&
            getpeername(fd, (struct sockaddr *)&far, &far_len) == 0 && near.sin_family == AF_INET &&
            ntohs(near.sin_port) == port) {
            *ret_fd = fd;
            found++;
        }
    }
    return found;
}

/* Some of it is inherited from the listener. */
Test(switch_ev, an_accepted_socket_is_tuned) {
    node a;
    node b;
    int fd = -1;
    open_node(&a, 1, 60 * SY_SEC, 45 * SY_SEC, 0);
    open_node(&b, 2, 60 * SY_SEC, 45 * SY_SEC, 0);
    connect_nodes(&a, &b);

    cr_assert_eq(connected_at(b.bound.port, &fd), 1);
    cr_expect_neq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    cr_expect_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    cr_expect_neq(option_of(fd, TCP_NODELAY), 0);
    cr_expect_eq(option_of(fd, TCP_NOTSENT_LOWAT), SY_EV_NOTSENT);
    close_node(&a);
    close_node(&b);
}
