/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted resolver: names have addresses, and windows in which they do not. */
#include "sim/sim_internal.h"

#include <string.h>

#define NAME_LATENCY_MIN (1 * SY_MSEC)
#define NAME_LATENCY_MAX (50 * SY_MSEC)

static sy_sim_name *find(const sy_sim_net *net, const char *text) {
    for (sy_sim_name *name = net->names; name != NULL; name = name->next) {
        if (strcmp(name->text, text) == 0) {
            return name;
        }
    }
    return NULL;
}

static sy_sim_name *find_or_make(sy_sim_net *net, const char *text) {
    sy_sim_name *name = find(net, text);
    if (name == NULL) {
        name = sy_sim_alloc(sizeof *name);
        (void)snprintf(name->text, sizeof name->text, "%s", text);
        name->next = net->names;
        net->names = name;
    }
    return name;
}

void sy_sim_name_add(sy_sim_net *net, const char *text, const sy_endpoint *address) {
    sy_sim_name *name = find_or_make(net, text);
    if (name->count == SY_RESOLVE_MAX) {
        sy_sim_fail("%s has too many addresses", text);
    }
    name->address[name->count] = *address;
    name->address[name->count++].port = 0;
}

void sy_sim_name_add_node(sy_sim_net *net, const char *text, const sy_sim_node *node) {
    sy_sim_name_add(net, text, &node->endpoint);
}

void sy_sim_name_clear(sy_sim_net *net, const char *text) {
    find_or_make(net, text)->count = 0;
}

void sy_sim_name_break(sy_sim_net *net, const char *text, sy_sim_name_fault fault, sy_time from,
                       sy_time until) {
    sy_sim_name *name = find_or_make(net, text);
    sy_sim_name_window *window = sy_sim_alloc(sizeof *window);
    *window =
        (sy_sim_name_window){.next = name->windows, .fault = fault, .from = from, .until = until};
    name->windows = window;
}

uint64_t sy_sim_name_asked(const sy_sim_net *net, const char *text) {
    const sy_sim_name *name = find(net, text);
    return name == NULL ? 0 : name->asked;
}

static const sy_sim_name_window *broken(const sy_sim_name *name, sy_time now) {
    for (const sy_sim_name_window *w = name->windows; w != NULL; w = w->next) {
        if (w->from <= now && now < w->until) {
            return w;
        }
    }
    return NULL;
}

static void unlink_lookup(sy_sim_net *net, sy_sim_lookup *lookup) {
    for (sy_sim_lookup **at = &net->lookups; *at != NULL; at = &(*at)->next) {
        if (*at == lookup) {
            *at = lookup->next;
            sy_mem_release(sy_mem_libc(), lookup);
            return;
        }
    }
}

/* Appended: answers of one turn come in the order of the questions. */
sy_err sy_sim_resolve(void *driver, sy_resolve_ref ref, const char *host) {
    sy_sim_node *node = driver;
    sy_sim_net *net = node->net;
    sy_sim_name *name = find_or_make(net, host);
    name->asked++;
    sy_sim_trace(net, node, "resolve name=%s", host);

    sy_sim_lookup *lookup = sy_sim_alloc(sizeof *lookup);
    lookup->ref = ref;
    lookup->node = node;
    lookup->life = node->life;
    (void)snprintf(lookup->host, sizeof lookup->host, "%s", host);
    sy_sim_lookup **at = &net->lookups;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = lookup;
    const sy_duration delay = sy_sim_between(&net->names_prng, NAME_LATENCY_MIN, NAME_LATENCY_MAX);
    sy_sim_push(net, sy_time_after(net->now, delay), SY_SIM_EV_NAME)->user = lookup;
    return SY_OK;
}

/* The event in the heap still points at it: it frees it when it comes. */
void sy_sim_resolve_cancel(void *driver, sy_resolve_ref ref) {
    sy_sim_node *node = driver;
    for (sy_sim_lookup *lookup = node->net->lookups; lookup != NULL; lookup = lookup->next) {
        if (lookup->node == node && lookup->life == node->life && lookup->ref.slot == ref.slot &&
            lookup->ref.generation == ref.generation) {
            if (lookup->answered) {
                unlink_lookup(node->net, lookup);
            } else {
                lookup->node = NULL;
            }
            return;
        }
    }
    sy_sim_fail("%s: a look-up is cancelled that is not in progress", node->name);
}

void sy_sim_on_name_event(sy_sim_net *net, sy_sim_lookup *lookup) {
    sy_sim_node *node = lookup->node;
    const sy_sim_name *name = find(net, lookup->host);
    const sy_sim_name_window *window = broken(name, net->now);

    if (node == NULL || node->sw == NULL || node->life != lookup->life) {
        unlink_lookup(net, lookup);
        return;
    }
    if (window != NULL && window->fault == SY_SIM_NAME_SILENT) {
        sy_sim_push(net, window->until, SY_SIM_EV_NAME)->user = lookup;
        return;
    }
    lookup->answered = true;
    lookup->count = window == NULL ? name->count : 0;
    lookup->err = lookup->count > 0 ? SY_OK : SY_ERR_RESOLVE;
    memcpy(lookup->address, name->address, sizeof lookup->address);
    node->answers_due = true;
    if (!node->in_turn) {
        sy_sim_wake(node, net->now);
    }
}

static sy_sim_lookup *next_answer(sy_sim_node *node) {
    for (sy_sim_lookup *lookup = node->net->lookups; lookup != NULL; lookup = lookup->next) {
        if (lookup->answered && lookup->node == node && lookup->life == node->life) {
            return lookup;
        }
    }
    return NULL;
}

void sy_sim_report_answers(sy_sim_node *node) {
    sy_sim_net *net = node->net;
    sy_sim_lookup *lookup;
    if (!node->answers_due) {
        return;
    }
    node->answers_due = false;
    while ((lookup = next_answer(node)) != NULL) {
        const sy_sim_lookup answer = *lookup;
        sy_detail detail;
        unlink_lookup(net, lookup);
        sy_detail_set(&detail, "no such name");
        sy_sim_trace(net, node, "resolved name=%s count=%zu", answer.host, answer.count);
        sy_switch_on_resolved(node->sw, answer.ref, answer.err, answer.address, answer.count,
                              answer.err == SY_OK ? NULL : &detail, net->now);
    }
}

/* The node is gone; what has no event any more is freed here. */
void sy_sim_names_forget(sy_sim_node *node) {
    sy_sim_net *net = node->net;
    node->answers_due = false;
    for (sy_sim_lookup *lookup = net->lookups, *next; lookup != NULL; lookup = next) {
        next = lookup->next;
        if (lookup->node == node) {
            if (lookup->answered) {
                unlink_lookup(net, lookup);
            } else {
                lookup->node = NULL;
            }
        }
    }
}

void sy_sim_names_del(sy_sim_net *net) {
    const sy_mem *libc = sy_mem_libc();
    while (net->lookups != NULL) {
        unlink_lookup(net, net->lookups);
    }
    while (net->names != NULL) {
        sy_sim_name *name = net->names;
        net->names = name->next;
        while (name->windows != NULL) {
            sy_sim_name_window *window = name->windows;
            name->windows = window->next;
            sy_mem_release(libc, window);
        }
        sy_mem_release(libc, name);
    }
}
