/* SPDX-License-Identifier: Apache-2.0 */
/* Workers of isolated reactors, without threads: each runs inline at drawn instants, one operation
 * at a time, and may be put to sleep by the scenario. */
#include "sim/sim_internal.h"

#define DELAY_MAX  (2 * SY_MSEC) /* from one operation to the next */
#define STEPS_LAST 1000000       /* of a worker that is to come to its end */

struct sy_sim_worker {
    sy_sim_worker *next;
    sy_sim_node *node;
    uint64_t number; /* names it in events */
    sy_worker_run run;
    void *arg;
    sy_time due_at; /* SY_NEVER: nothing is in the heap */
    bool locked;
    bool running;
    bool over;
};

static sy_sim_worker *find(const sy_sim_node *node, uint64_t number) {
    for (sy_sim_worker *worker = node->workers; worker != NULL; worker = worker->next) {
        if (worker->number == number) {
            return worker;
        }
    }
    return NULL;
}

static void schedule(sy_sim_worker *worker, sy_time at) {
    sy_sim_node *node = worker->node;
    at = sy_time_max(at, node->workers_asleep_until);
    if (worker->over || at >= worker->due_at) {
        return;
    }
    worker->due_at = at;
    sy_sim_event *event = sy_sim_push(node->net, at, SY_SIM_EV_WORKER);
    event->node = node;
    event->conn = worker->number;
}

static void schedule_soon(sy_sim_worker *worker) {
    sy_sim_net *net = worker->node->net;
    schedule(worker, sy_time_after(net->now, sy_sim_between(&net->turns, 0, DELAY_MAX)));
}

void sy_sim_on_worker_event(const sy_sim_event *event) {
    sy_sim_worker *worker = find(event->node, event->conn);
    sy_sim_net *net = event->node->net;
    sy_time next = SY_NEVER;
    if (worker == NULL || worker->due_at != event->at) {
        return;
    }
    worker->due_at = SY_NEVER;
    if (net->now < event->node->workers_asleep_until) {
        schedule(worker, event->node->workers_asleep_until);
        return;
    }
    worker->running = true;
    worker->over = !worker->run(worker->arg, net->now, &next);
    worker->running = false;
    if (worker->locked) {
        sy_sim_fail("%s: a worker has kept its lock", event->node->name);
    }
    if (!worker->over && next <= net->now) {
        schedule_soon(worker);
    } else if (next != SY_NEVER) {
        schedule(worker, next);
    }
}

void sy_sim_sleep_workers(sy_sim_node *node, sy_duration duration) {
    sy_sim_trace(node->net, node, "workers sleep ns=%llu", (unsigned long long)duration);
    node->workers_asleep_until = sy_time_after(node->net->now, duration);
}

void sy_sim_add_isolated(sy_sim_node *node, const sy_reactor_ops *ops, void *reactor) {
    sy_sim_add_reactor(node, ops, reactor);
    node->own[node->own_count - 1].isolated = true;
}

void sy_sim_nudge(sy_sim_node *node) {
    sy_sim_wake(node, node->net->now);
}

/* ---- Driver operations -------------------------------------------------------------------------
 */

sy_err sy_sim_worker_start(void *driver, sy_switch *sw, const char *name, sy_worker_run run,
                           void *arg, void **ret_worker) {
    sy_sim_node *node = driver;
    (void)sw;
    sy_sim_worker *worker = sy_sim_alloc(sizeof *worker);
    *worker = (sy_sim_worker){.next = node->workers,
                              .node = node,
                              .number = ++node->net->worker_number,
                              .run = run,
                              .arg = arg,
                              .due_at = SY_NEVER};
    node->workers = worker;
    sy_sim_trace(node->net, node, "worker %s starts", name);
    *ret_worker = worker;
    schedule_soon(worker);
    return SY_OK;
}

void sy_sim_worker_wake(void *driver, void *worker) {
    (void)driver;
    schedule_soon(worker);
}

void sy_sim_worker_lock(void *driver, void *worker) {
    const sy_sim_node *node = driver;
    sy_sim_worker *w = worker;
    if (w->locked) {
        sy_sim_fail("%s: the lock of a worker is taken twice", node->name);
    }
    w->locked = true;
}

void sy_sim_worker_unlock(void *driver, void *worker) {
    const sy_sim_node *node = driver;
    sy_sim_worker *w = worker;
    if (!w->locked) {
        sy_sim_fail("%s: the lock of a worker is not held", node->name);
    }
    w->locked = false;
}

void sy_sim_worker_stop(void *driver, void *worker) {
    sy_sim_node *node = driver;
    sy_sim_worker *w = worker;
    sy_time next;
    for (size_t i = 0; !w->over; i++) {
        if (i == STEPS_LAST) {
            sy_sim_fail("%s: a worker does not come to its end", node->name);
        }
        w->over = !w->run(w->arg, node->net->now, &next);
    }
    for (sy_sim_worker **at = &node->workers; *at != NULL; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            break;
        }
    }
    sy_mem_release(sy_mem_libc(), w);
}

void sy_sim_post_to_loop(void *driver, sy_switch *sw) {
    sy_sim_node *node = driver;
    (void)sw;
    node->posted = true;
    if (!node->in_turn && !node->dropping) {
        sy_sim_wake(node, node->net->now);
    }
}
