/* SPDX-License-Identifier: Apache-2.0 */
/* Event heap, virtual clock, run loop, hosts and partitions. */
#include "sim/sim_internal.h"

#include <string.h>

/* ---- Memory of the simulator itself: its failures are not part of what is simulated -------------
 */

void *sy_sim_grow(void *ptr, size_t count, size_t size) {
    const sy_mem *libc = sy_mem_libc();
    if (count == 0 || size > SIZE_MAX / count) {
        sy_sim_fail("the simulator asked for %zu times %zu bytes", count, size);
    }
    void *grown = ptr == NULL ? libc->alloc(libc->user, count * size)
                              : libc->resize(libc->user, ptr, count * size);
    if (grown == NULL) {
        sy_sim_fail("the simulator is out of memory");
    }
    return grown;
}

void *sy_sim_alloc(size_t size) {
    void *block = sy_sim_grow(NULL, 1, size);
    memset(block, 0, size);
    return block;
}

/* ---- Chance ------------------------------------------------------------------------------------
 */

uint64_t sy_sim_seed_for(const sy_sim_net *net, const char *concern, uint64_t number) {
    uint8_t key[crypto_generichash_KEYBYTES] = {0};
    uint64_t seed = 0;
    memcpy(key, &net->options.seed, sizeof net->options.seed);
    memcpy(key + 8, &number, sizeof number);
    (void)crypto_generichash((unsigned char *)&seed, sizeof seed, (const unsigned char *)concern,
                             strlen(concern), key, sizeof key);
    return seed;
}

sy_duration sy_sim_between(sy_prng *prng, sy_duration from, sy_duration to) {
    return to <= from ? from : from + sy_prng_below(prng, to - from + 1);
}

uint64_t sy_sim_draw(sy_sim_net *net, uint64_t bound) {
    return sy_prng_below(&net->scenario, bound);
}

sy_duration sy_sim_draw_duration(sy_sim_net *net, sy_duration from, sy_duration to) {
    return sy_sim_between(&net->scenario, from, to);
}

/* ---- The run loop ------------------------------------------------------------------------------
 */

static void dispatch(sy_sim_net *net, const sy_sim_event *event) {
    switch (event->kind) {
    case SY_SIM_EV_TURN:
        event->node->wake_at = SY_NEVER;
        sy_sim_turn(event->node);
        return;
    case SY_SIM_EV_PIECE:
    case SY_SIM_EV_SPACE:
    case SY_SIM_EV_SYN:
    case SY_SIM_EV_SYN_ACK:
    case SY_SIM_EV_ACK:
    case SY_SIM_EV_REFUSED:
    case SY_SIM_EV_NO_ANSWER:
    case SY_SIM_EV_RESET:
        sy_sim_on_conn_event(net, event);
        return;
    case SY_SIM_EV_NAME:
        sy_sim_on_name_event(net, event->user);
        return;
    case SY_SIM_EV_WORKER:
        sy_sim_on_worker_event(event);
        return;
    case SY_SIM_EV_ACTION:
        event->action(event->user);
        return;
    }
}

static bool step(sy_sim_net *net, sy_time until) {
    if (net->heap_count == 0 || net->heap[0].at > until) {
        return false;
    }
    const sy_sim_event event = sy_sim_pop(net);
    if (event.at < net->now) {
        sy_sim_fail("time runs backwards");
    }
    net->now = event.at;
    if (++net->event_count > net->options.event_max) {
        sy_sim_fail("more than %llu events: something never comes to rest",
                    (unsigned long long)net->options.event_max);
    }
    dispatch(net, &event);
    return true;
}

void sy_sim_run_until(sy_sim_net *net, sy_time at) {
    while (step(net, at)) {
    }
    net->now = sy_time_max(net->now, at);
}

void sy_sim_run_for(sy_sim_net *net, sy_duration duration) {
    sy_sim_run_until(net, sy_time_after(net->now, duration));
}

bool sy_sim_wait(sy_sim_net *net, sy_sim_condition condition, void *user, sy_duration timeout) {
    const sy_time until = sy_time_after(net->now, timeout);
    while (!condition(user)) {
        if (!step(net, until)) {
            net->now = sy_time_max(net->now, until);
            return condition(user);
        }
    }
    return true;
}

void sy_sim_at(sy_sim_net *net, sy_time at, sy_sim_action action, void *user) {
    sy_sim_event *event = sy_sim_push(net, at, SY_SIM_EV_ACTION);
    event->action = action;
    event->user = user;
}

sy_time sy_sim_now(const sy_sim_net *net) {
    return net->now;
}

uint64_t sy_sim_event_count(const sy_sim_net *net) {
    return net->event_count;
}

size_t sy_sim_stream_count(const sy_sim_net *net) {
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

static size_t first_place(const sy_sim_net *net, const sy_endpoint *endpoint) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a: nobody attacks it */
    for (size_t i = 0; i < sizeof endpoint->ip; i++) {
        hash = (hash ^ endpoint->ip[i]) * UINT64_C(0x100000001b3);
    }
    return (size_t)(hash ^ hash >> 32) & (net->host_cap - 1);
}

/* Of several nodes at one address the one that was made first is found. */
static void build_hosts(sy_sim_net *net) {
    size_t cap = 64;
    while (cap < 2 * (size_t)net->node_count) {
        cap *= 2;
    }
    net->hosts = sy_sim_grow(net->hosts, cap, sizeof(sy_sim_node *));
    memset((void *)net->hosts, 0, cap * sizeof(sy_sim_node *));
    net->host_cap = cap;
    for (sy_sim_node *node = net->nodes; node != NULL; node = node->next) {
        size_t at = first_place(net, &node->endpoint);
        while (net->hosts[at] != NULL) {
            at = (at + 1) & (cap - 1);
        }
        net->hosts[at] = node;
    }
}

sy_sim_node *sy_sim_host_at(sy_sim_net *net, const sy_endpoint *endpoint) {
    if (net->host_cap == 0) {
        build_hosts(net);
    }
    size_t at = first_place(net, endpoint);
    while (net->hosts[at] != NULL && !sy_endpoint_same_ip(&net->hosts[at]->endpoint, endpoint)) {
        at = (at + 1) & (net->host_cap - 1);
    }
    return net->hosts[at];
}

bool sy_sim_is_blocked(const sy_sim_net *net, const sy_sim_node *from, const sy_sim_node *to) {
    for (const sy_sim_block_note *note = net->blocks; note != NULL; note = note->next) {
        if (note->from == from && note->to == to) {
            return true;
        }
    }
    return false;
}

void sy_sim_block(sy_sim_node *from, sy_sim_node *to) {
    sy_sim_net *net = from->net;
    if (sy_sim_is_blocked(net, from, to)) {
        return;
    }
    sy_sim_block_note *note = sy_sim_alloc(sizeof *note);
    *note = (sy_sim_block_note){.next = net->blocks, .from = from, .to = to};
    net->blocks = note;
    sy_sim_trace(net, from, "block to=%s", to->name);
}

static void release_held(sy_sim_net *net) {
    for (uint32_t i = 0; i < net->conn_cap; i++) {
        if (net->conns[i] != NULL) {
            sy_sim_conn_unheld(net->conns[i]);
        }
    }
}

void sy_sim_unblock(sy_sim_node *from, sy_sim_node *to) {
    sy_sim_net *net = from->net;
    for (sy_sim_block_note **at = &net->blocks; *at != NULL; at = &(*at)->next) {
        sy_sim_block_note *note = *at;
        if (note->from == from && note->to == to) {
            *at = note->next;
            sy_mem_release(sy_mem_libc(), note);
            sy_sim_trace(net, from, "unblock to=%s", to->name);
            release_held(net);
            return;
        }
    }
}

void sy_sim_partition(sy_sim_node *a, sy_sim_node *b) {
    sy_sim_block(a, b);
    sy_sim_block(b, a);
}

void sy_sim_heal(sy_sim_node *a, sy_sim_node *b) {
    sy_sim_unblock(a, b);
    sy_sim_unblock(b, a);
}

void sy_sim_heal_all(sy_sim_net *net) {
    while (net->blocks != NULL) {
        sy_sim_block_note *note = net->blocks;
        net->blocks = note->next;
        sy_mem_release(sy_mem_libc(), note);
    }
    sy_sim_trace(net, NULL, "heal");
    release_held(net);
}

size_t sy_sim_reset(sy_sim_node *a, sy_sim_node *b) {
    size_t count = 0;
    for (sy_sim_end *end = a->first_end; end != NULL; end = end->node_next) {
        if (end->conn->established && end->conn->end[1 - end->index].node == b) {
            sy_sim_conn_reset(end->conn);
            count++;
        }
    }
    return count;
}

/* ---- Making and freeing ------------------------------------------------------------------------
 */

void sy_sim_options_default_sized(sy_sim_options *options, size_t size, uint64_t seed) {
    const sy_sim_options defaults = {
        .size = size,
        .seed = seed,
        .latency_min = 1 * SY_MSEC,
        .latency_max = 20 * SY_MSEC,
        .jitter_max = 2 * SY_MSEC,
        .buffer_min = 64u * 1024,
        .buffer_max = 256u * 1024,
        .turn_delay_max = 200 * SY_USEC,
        .event_max = 20u * 1000 * 1000,
        .record = true,
        .poison = true,
        .ends_kept = SY_SIM_ENDS_KEPT,
        .log_level = SY_LOG_DEBUG,
    };
    if (size != sizeof defaults) {
        sy_sim_fail("sy_sim_options has %zu bytes, not %zu", sizeof defaults, size);
    }
    *options = defaults;
}

sy_sim_net *sy_sim_net_new(const sy_sim_options *options) {
    if (sodium_init() < 0) {
        sy_sim_fail("libsodium does not start");
    }
    if (options->size != sizeof *options || options->ends_kept == 0) {
        sy_sim_fail("options that sy_sim_options_default has not made, or ends_kept is 0");
    }
    sy_sim_net *net = sy_sim_alloc(sizeof *net);
    net->options = *options;
    net->now = 1000 * SY_SEC;
    sy_prng_init(&net->tcp, sy_sim_seed_for(net, "tcp", 0));
    sy_prng_init(&net->turns, sy_sim_seed_for(net, "turns", 0));
    sy_prng_init(&net->names_prng, sy_sim_seed_for(net, "names", 0));
    sy_prng_init(&net->scenario, sy_sim_seed_for(net, "scenario", 0));
    net->read_area = sy_sim_grow(NULL, SY_SIM_READ_CAP, 1);
    if (sy_scratch_new(sy_mem_libc(), &net->scratch) != SY_OK) {
        sy_sim_fail("the ciphers cannot be made");
    }
    sy_sim_trace_init(net);
    return net;
}

static bool all_stopped(void *user) {
    const sy_sim_net *net = user;
    return net->running_count == 0;
}

static void free_net(sy_sim_net *net) {
    const sy_mem *libc = sy_mem_libc();
    while (net->nodes != NULL) {
        sy_sim_node *node = net->nodes;
        net->nodes = node->next;
        sy_sim_node_del(node);
    }
    sy_sim_names_del(net);
    sy_mem_release(libc, net->conns);
    sy_mem_release(libc, net->conn_generations);
    sy_mem_release(libc, net->free_conns);
    sy_mem_release(libc, net->heap);
    sy_mem_release(libc, net->read_area);
    sy_mem_release(libc, (void *)net->hosts);
    sy_scratch_del(net->scratch);
    sy_sim_trace_fini(net);
    sy_mem_release(libc, net);
}

static void check_conns(sy_sim_net *net) {
    for (uint32_t i = 0; i < net->conn_cap; i++) {
        if (net->conns[i] != NULL && (net->conns[i]->end[0].open || net->conns[i]->end[1].open)) {
            sy_sim_fail("connection %llu is still open at the end",
                        (unsigned long long)net->conns[i]->number);
        }
        if (net->conns[i] != NULL) {
            sy_sim_conn_release(net->conns[i]);
        }
    }
}

void sy_sim_finish(sy_sim_net *net) {
    if (net->finished) {
        return;
    }
    sy_sim_heal_all(net);
    for (sy_sim_node *node = net->nodes; node != NULL; node = node->next) {
        node->paused_until = 0;
        sy_sim_heal_allocs(node);
        sy_sim_stop(node);
    }
    if (!sy_sim_wait(net, all_stopped, net, SY_MIN)) {
        sy_sim_fail("a node does not come to its end");
    }
    while (net->raws != NULL) {
        sy_sim_raw_close(net->raws);
    }
    check_conns(net);
    net->finished = true;
}

void sy_sim_net_del(sy_sim_net *net) {
    sy_sim_finish(net);
    free_net(net);
}

sy_sim_node *sy_sim_next_node(const sy_sim_net *net, const sy_sim_node *previous) {
    return previous == NULL ? net->nodes : previous->next;
}
