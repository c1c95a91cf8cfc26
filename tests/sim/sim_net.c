/* SPDX-License-Identifier: Apache-2.0 */
/* Event heap, virtual clock, run loop, hosts and partitions. */
#include "tests/sim/sim_internal.h"

#include <string.h>

#include "tests/sim/sim_scenario.h"

/* ---- Memory of the simulator itself: its failures are not part of what is simulated -------------
 */

void *sim_grow(void *ptr, size_t count, size_t size) {
    const sy_mem *libc = sy_mem_libc();
    if (count == 0 || size > SIZE_MAX / count) {
        sim_fail("the simulator asked for %zu times %zu bytes", count, size);
    }
    void *grown = ptr == NULL ? libc->alloc(libc->user, count * size)
                              : libc->resize(libc->user, ptr, count * size);
    if (grown == NULL) {
        sim_fail("the simulator is out of memory");
    }
    return grown;
}

void *sim_alloc(size_t size) {
    void *block = sim_grow(NULL, 1, size);
    memset(block, 0, size);
    return block;
}

/* ---- Chance ------------------------------------------------------------------------------------
 */

uint64_t sim_seed_for(const sim_net *net, const char *concern, uint64_t number) {
    uint8_t key[crypto_generichash_KEYBYTES] = {0};
    uint64_t seed = 0;
    memcpy(key, &net->options.seed, sizeof net->options.seed);
    memcpy(key + 8, &number, sizeof number);
    (void)crypto_generichash((unsigned char *)&seed, sizeof seed, (const unsigned char *)concern,
                             strlen(concern), key, sizeof key);
    return seed;
}

sy_duration sim_between(sy_prng *prng, sy_duration from, sy_duration to) {
    return to <= from ? from : from + sy_prng_below(prng, to - from + 1);
}

uint64_t sim_draw(sim_net *net, uint64_t bound) {
    return sy_prng_below(&net->scenario, bound);
}

sy_duration sim_draw_duration(sim_net *net, sy_duration from, sy_duration to) {
    return sim_between(&net->scenario, from, to);
}

/* ---- The heap ----------------------------------------------------------------------------------
 */

static bool is_before(const sim_event *a, const sim_event *b) {
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void swap(sim_event *a, sim_event *b) {
    const sim_event kept = *a;
    *a = *b;
    *b = kept;
}

/* The caller fills in the rest at once: what it sets does not matter for the order. */
sim_event *sim_push(sim_net *net, sy_time at, sim_event_kind kind) {
    if (net->heap_count == net->heap_cap) {
        net->heap_cap = net->heap_cap == 0 ? 256 : net->heap_cap * 2;
        net->heap = sim_grow(net->heap, net->heap_cap, sizeof *net->heap);
    }
    size_t i = net->heap_count++;
    net->heap[i] =
        (sim_event){.at = sy_time_max(at, net->now), .seq = net->next_seq++, .kind = kind};
    while (i > 0 && is_before(&net->heap[i], &net->heap[(i - 1) / 2])) {
        swap(&net->heap[i], &net->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    return &net->heap[i];
}

static sim_event pop(sim_net *net) {
    const sim_event first = net->heap[0];
    net->heap[0] = net->heap[--net->heap_count];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < net->heap_count; child++) {
            if (is_before(&net->heap[child], &net->heap[least])) {
                least = child;
            }
        }
        if (least == i) {
            return first;
        }
        swap(&net->heap[i], &net->heap[least]);
        i = least;
    }
}

/* ---- The run loop ------------------------------------------------------------------------------
 */

static void dispatch(sim_net *net, const sim_event *event) {
    switch (event->kind) {
    case SIM_EV_TURN:
        /* A node that was woken earlier, or later, in the meantime has left this event behind. */
        if (event->node->pushed_at == event->at) {
            event->node->pushed_at = SY_NEVER;
        }
        if (event->node->wake_at == event->at) {
            event->node->wake_at = SY_NEVER;
            sim_turn(event->node);
        }
        return;
    case SIM_EV_PIECE:
    case SIM_EV_SPACE:
    case SIM_EV_SYN:
    case SIM_EV_SYN_ACK:
    case SIM_EV_ACK:
    case SIM_EV_REFUSED:
    case SIM_EV_NO_ANSWER:
    case SIM_EV_RESET:
        sim_on_conn_event(net, event);
        return;
    case SIM_EV_NAME:
        sim_on_name_event(net, event->user);
        return;
    case SIM_EV_WORKER:
        sim_on_worker_event(event);
        return;
    case SIM_EV_ACTION:
        event->action(event->user);
        return;
    }
}

static bool step(sim_net *net, sy_time until) {
    if (net->heap_count == 0 || net->heap[0].at > until) {
        return false;
    }
    const sim_event event = pop(net);
    if (event.at < net->now) {
        sim_fail("time runs backwards");
    }
    net->now = event.at;
    if (++net->event_count > net->options.event_max) {
        sim_fail("more than %llu events: something never comes to rest",
                 (unsigned long long)net->options.event_max);
    }
    dispatch(net, &event);
    return true;
}

void sim_run_until(sim_net *net, sy_time at) {
    while (step(net, at)) {
    }
    net->now = sy_time_max(net->now, at);
}

void sim_run_for(sim_net *net, sy_duration duration) {
    sim_run_until(net, sy_time_after(net->now, duration));
}

bool sim_wait(sim_net *net, sim_condition condition, void *user, sy_duration timeout) {
    const sy_time until = sy_time_after(net->now, timeout);
    while (!condition(user)) {
        if (!step(net, until)) {
            net->now = sy_time_max(net->now, until);
            return condition(user);
        }
    }
    return true;
}

void sim_at(sim_net *net, sy_time at, sim_action action, void *user) {
    sim_event *event = sim_push(net, at, SIM_EV_ACTION);
    event->action = action;
    event->user = user;
}

sy_time sim_now(const sim_net *net) {
    return net->now;
}

uint64_t sim_event_count(const sim_net *net) {
    return net->event_count;
}

size_t sim_stream_count(const sim_net *net) {
    size_t count = 0;
    for (uint32_t i = 0; i < net->conn_cap; i++) {
        if (net->conns[i] != NULL) {
            count += (size_t)net->conns[i]->end[0].open + net->conns[i]->end[1].open;
        }
    }
    return count;
}

/* ---- Hosts and partitions ----------------------------------------------------------------------
 */

sim_node *sim_host_at(const sim_net *net, const sy_endpoint *endpoint) {
    for (sim_node *node = net->nodes; node != NULL; node = node->next) {
        if (sy_endpoint_same_ip(&node->endpoint, endpoint)) {
            return node;
        }
    }
    return NULL;
}

bool sim_is_blocked(const sim_net *net, const sim_node *from, const sim_node *to) {
    for (const sim_block_note *note = net->blocks; note != NULL; note = note->next) {
        if (note->from == from && note->to == to) {
            return true;
        }
    }
    return false;
}

void sim_block(sim_node *from, sim_node *to) {
    sim_net *net = from->net;
    if (sim_is_blocked(net, from, to)) {
        return;
    }
    sim_block_note *note = sim_alloc(sizeof *note);
    *note = (sim_block_note){.next = net->blocks, .from = from, .to = to};
    net->blocks = note;
    sim_trace(net, from, "block to=%s", to->name);
}

static void release_held(sim_net *net) {
    for (uint32_t i = 0; i < net->conn_cap; i++) {
        if (net->conns[i] != NULL) {
            sim_conn_unheld(net->conns[i]);
        }
    }
}

void sim_unblock(sim_node *from, sim_node *to) {
    sim_net *net = from->net;
    for (sim_block_note **at = &net->blocks; *at != NULL; at = &(*at)->next) {
        sim_block_note *note = *at;
        if (note->from == from && note->to == to) {
            *at = note->next;
            sy_mem_release(sy_mem_libc(), note);
            sim_trace(net, from, "unblock to=%s", to->name);
            release_held(net);
            return;
        }
    }
}

void sim_partition(sim_node *a, sim_node *b) {
    sim_block(a, b);
    sim_block(b, a);
}

void sim_heal(sim_node *a, sim_node *b) {
    sim_unblock(a, b);
    sim_unblock(b, a);
}

void sim_heal_all(sim_net *net) {
    while (net->blocks != NULL) {
        sim_block_note *note = net->blocks;
        net->blocks = note->next;
        sy_mem_release(sy_mem_libc(), note);
    }
    sim_trace(net, NULL, "heal");
    release_held(net);
}

size_t sim_reset(sim_node *a, sim_node *b) {
    sim_net *net = a->net;
    size_t count = 0;
    for (uint32_t i = 0; i < net->conn_cap; i++) {
        sim_conn *conn = net->conns[i];
        if (conn != NULL && conn->established &&
            ((conn->end[0].node == a && conn->end[1].node == b) ||
             (conn->end[0].node == b && conn->end[1].node == a))) {
            sim_conn_reset(conn);
            count++;
        }
    }
    return count;
}

/* ---- Making and freeing ------------------------------------------------------------------------
 */

void sim_options_default(sim_options *options, uint64_t seed) {
    *options = (sim_options){
        .seed = seed,
        .latency_min = 1 * SY_MSEC,
        .latency_max = 20 * SY_MSEC,
        .jitter_max = 2 * SY_MSEC,
        .buffer_min = 64u * 1024,
        .buffer_max = 256u * 1024,
        .turn_delay_max = 200 * SY_USEC,
        .event_max = 20u * 1000 * 1000,
        .log_level = SY_LOG_DEBUG,
        .trace = sim_trace_file(),
    };
    sim_note_seed(seed);
}

sim_net *sim_net_new(const sim_options *options) {
    if (sodium_init() < 0) {
        sim_fail("libsodium does not start");
    }
    sim_net *net = sim_alloc(sizeof *net);
    net->options = *options;
    net->now = 1000 * SY_SEC;
    sy_prng_init(&net->tcp, sim_seed_for(net, "tcp", 0));
    sy_prng_init(&net->turns, sim_seed_for(net, "turns", 0));
    sy_prng_init(&net->names_prng, sim_seed_for(net, "names", 0));
    sy_prng_init(&net->scenario, sim_seed_for(net, "scenario", 0));
    net->read_area = sim_grow(NULL, SIM_READ_CAP, 1);
    sim_trace_init(net);
    return net;
}

static bool all_stopped(void *user) {
    const sim_net *net = user;
    for (const sim_node *node = net->nodes; node != NULL; node = node->next) {
        if (node->sw != NULL) {
            return false;
        }
    }
    return true;
}

static void free_net(sim_net *net) {
    const sy_mem *libc = sy_mem_libc();
    while (net->nodes != NULL) {
        sim_node *node = net->nodes;
        net->nodes = node->next;
        sim_node_del(node);
    }
    sim_names_del(net);
    sy_mem_release(libc, net->conns);
    sy_mem_release(libc, net->conn_generations);
    sy_mem_release(libc, net->free_conns);
    sy_mem_release(libc, net->heap);
    sy_mem_release(libc, net->read_area);
    sy_mem_release(libc, net);
}

void sim_net_del(sim_net *net) {
    sim_heal_all(net);
    for (sim_node *node = net->nodes; node != NULL; node = node->next) {
        node->paused_until = 0;
        sim_heal_allocs(node);
        sim_stop(node);
    }
    if (!sim_wait(net, all_stopped, net, SY_MIN)) {
        sim_fail("a node does not come to its end");
    }
    while (net->raws != NULL) {
        sim_raw_close(net->raws);
    }
    for (uint32_t i = 0; i < net->conn_cap; i++) {
        if (net->conns[i] != NULL && (net->conns[i]->end[0].open || net->conns[i]->end[1].open)) {
            sim_fail("connection %llu is still open at the end",
                     (unsigned long long)net->conns[i]->number);
        }
        if (net->conns[i] != NULL) {
            sim_conn_release(net->conns[i]);
        }
    }
    char hash[SIM_HASH_CAP];
    sim_trace_hash(net, hash);
    sim_note_hash(hash);
    free_net(net);
}
