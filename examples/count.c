/* SPDX-License-Identifier: Apache-2.0 */
/* A node with the smallest reactor.
 *
 *     count HOST:PORT          then, elsewhere:  ask ID@HOST:PORT "some text" */
#include <signal.h>
#include <stdio.h>

#include <ev.h>

#include "count_reactor.h"
#include "node.h"

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int revents) {
    (void)loop;
    (void)revents;
    node_stop(watcher->data);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        (void)fprintf(stderr, "usage: count HOST:PORT\n");
        return 2;
    }
    node n;
    ev_signal on_int;
    struct ev_loop *loop = ev_default_loop(0);
    const bool ok = node_open(&n, loop, COUNT_NETWORK, "count", &count_reactor, NULL) &&
                    node_listen(&n, argv[1], NULL);
    if (ok) {
        ev_signal_init(&on_int, on_signal, SIGINT);
        on_int.data = &n;
        ev_signal_start(loop, &on_int);
        node_run(&n);
        ev_signal_stop(loop, &on_int);
    }
    node_close(&n);
    return ok ? 0 : 1;
}
