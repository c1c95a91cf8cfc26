/* SPDX-License-Identifier: Apache-2.0 */
/* What most of the examples share: a switch with one reactor on a libev loop. */
#ifndef EXAMPLES_NODE_H
#define EXAMPLES_NODE_H

#include <stdbool.h>

#include <switchyard/ev.h>
#include <switchyard/switch.h>

struct ev_loop;

typedef struct node {
    struct ev_loop *loop;
    sy_ev *ev;
    sy_switch *sw;
} node;

/* A started switch with a new key.  Complains on stderr when it fails; then close what there is. */
bool node_open(node *n, struct ev_loop *loop, const char *network, const char *moniker,
               const sy_reactor_ops *ops, void *reactor);

/* "127.0.0.1:0"; prints "listening on ID@HOST:PORT".  ret_endpoint may be NULL. */
bool node_listen(node *n, const char *where, sy_endpoint *ret_endpoint);

/* "ID@host:port" */
bool node_dial(node *n, const char *address, sy_dial_kind kind);

/* Runs the loop until the switch has stopped. */
void node_run(node *n);

/* Stops in order; node_run then returns. */
void node_stop(node *n);
void node_close(node *n);

#endif
