/* SPDX-License-Identifier: Apache-2.0 */
/* The event heap: four children each, ties in order of making.  A node has at most one TURN event,
 * which moves when the node is to wake up at another time, so that the heap holds what is going to
 * happen and nothing else. */
#include "sim/sim_internal.h"

#define FIRST_CAP 256
#define CHILDREN  4

static bool is_before(const sy_sim_event *a, const sy_sim_event *b) {
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void place(sy_sim_net *net, size_t i, const sy_sim_event *event) {
    net->heap[i] = *event;
    if (event->kind == SY_SIM_EV_TURN) {
        event->node->turn_pos = i + 1;
    }
}

/* Puts the event where it belongs, from the hole i upwards. */
static size_t sift_up(sy_sim_net *net, size_t i, const sy_sim_event *event) {
    while (i > 0 && is_before(event, &net->heap[(i - 1) / CHILDREN])) {
        place(net, i, &net->heap[(i - 1) / CHILDREN]);
        i = (i - 1) / CHILDREN;
    }
    place(net, i, event);
    return i;
}

static void sift_down(sy_sim_net *net, size_t i, const sy_sim_event *event) {
    for (;;) {
        const size_t first = CHILDREN * i + 1;
        const size_t end = first + CHILDREN < net->heap_count ? first + CHILDREN : net->heap_count;
        const sy_sim_event *least = event;
        size_t at = i;
        for (size_t child = first; child < end; child++) {
            if (is_before(&net->heap[child], least)) {
                least = &net->heap[child];
                at = child;
            }
        }
        if (at == i) {
            place(net, i, event);
            return;
        }
        place(net, i, least);
        i = at;
    }
}

static size_t insert(sy_sim_net *net, const sy_sim_event *event) {
    if (net->heap_count == net->heap_cap) {
        net->heap_cap = net->heap_cap == 0 ? FIRST_CAP : net->heap_cap * 2;
        net->heap = sy_sim_grow(net->heap, net->heap_cap, sizeof *net->heap);
    }
    return sift_up(net, net->heap_count++, event);
}

/* Fills the hole i with the last one. */
static void fill(sy_sim_net *net, size_t i) {
    const sy_sim_event last = net->heap[--net->heap_count];
    if (i == net->heap_count) {
        return;
    }
    if (i > 0 && is_before(&last, &net->heap[(i - 1) / CHILDREN])) {
        (void)sift_up(net, i, &last);
    } else {
        sift_down(net, i, &last);
    }
}

sy_sim_event *sy_sim_push(sy_sim_net *net, sy_time at, sy_sim_event_kind kind) {
    const sy_sim_event event = {
        .at = sy_time_max(at, net->now), .seq = net->next_seq++, .kind = kind};
    const size_t i = insert(net, &event); /* may move the heap */
    return &net->heap[i];
}

sy_sim_event sy_sim_pop(sy_sim_net *net) {
    const sy_sim_event first = net->heap[0];
    if (first.kind == SY_SIM_EV_TURN) {
        first.node->turn_pos = 0;
    }
    fill(net, 0);
    return first;
}

void sy_sim_clear_turn(sy_sim_node *node) {
    if (node->turn_pos != 0) {
        const size_t i = node->turn_pos - 1;
        node->turn_pos = 0;
        fill(node->net, i);
    }
}

void sy_sim_set_turn(sy_sim_node *node, sy_time at) {
    sy_sim_net *net = node->net;
    sy_sim_clear_turn(node);
    const sy_sim_event event = {.at = sy_time_max(at, net->now),
                                .seq = net->next_seq++,
                                .kind = SY_SIM_EV_TURN,
                                .node = node};
    (void)insert(net, &event);
}
