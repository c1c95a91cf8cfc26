/* SPDX-License-Identifier: Apache-2.0 */
/* Faults by chance.  Draws stand in statements of their own: the order of arguments is the
 * compiler's choice, and a seed means the same run with every compiler. */
#include "sim/sim_internal.h"

#define PAUSE_SHORT  (3 * SY_SEC)
#define PAUSE_LONG   (70 * SY_SEC)
#define CLOCK_JUMP   (10 * SY_DAY)
#define NAME_BROKEN  (30 * SY_SEC)
#define CALM_AT_MOST (80 * SY_SEC) /* pauses end, stops end */

static const char *const names[SY_SIM_FAULT_COUNT] = {
    [SY_SIM_FAULT_CRASH] = "crash",         [SY_SIM_FAULT_LOSS] = "loss",
    [SY_SIM_FAULT_STOP] = "stop",           [SY_SIM_FAULT_PARTITION] = "partition",
    [SY_SIM_FAULT_BLOCK] = "block",         [SY_SIM_FAULT_RESET] = "reset",
    [SY_SIM_FAULT_FLIP] = "flip",           [SY_SIM_FAULT_DIAL] = "dial",
    [SY_SIM_FAULT_STOP_PEER] = "stop-peer", [SY_SIM_FAULT_PEER_INIT] = "peer-init",
    [SY_SIM_FAULT_ALLOC] = "alloc",         [SY_SIM_FAULT_PAUSE] = "pause",
    [SY_SIM_FAULT_CONNECT] = "connect",     [SY_SIM_FAULT_NAME] = "name",
    [SY_SIM_FAULT_CLOCK] = "clock",         [SY_SIM_FAULT_DISK] = "disk",
};

const char *sy_sim_fault_name(sy_sim_fault fault) {
    return (unsigned)fault < SY_SIM_FAULT_COUNT ? names[fault] : "?";
}

unsigned sy_sim_draw_faults(sy_sim_net *net, unsigned from) {
    if (sy_sim_draw(net, 3) == 0) {
        const unsigned one = 1u << sy_sim_draw(net, SY_SIM_FAULT_COUNT);
        return one & from;
    }
    return (unsigned)sy_sim_draw(net, 1u << SY_SIM_FAULT_COUNT) & from;
}

static sy_sim_node *draw_node(sy_sim_net *net) {
    uint64_t index = sy_sim_draw(net, net->node_count);
    sy_sim_node *node = net->nodes;
    while (index-- > 0) {
        node = node->next;
    }
    return node;
}

/* Another one if there is any: a neighbour half of the time, so that there is something to break.
 */
static sy_sim_node *draw_other(sy_sim_net *net, const sy_sim_node *node) {
    const bool near = sy_sim_draw(net, 2) == 0;
    size_t count = 0;
    for (const sy_sim_end *end = node->first_end; end != NULL; end = end->node_next) {
        count += end->conn->end[1 - end->index].node != NULL;
    }
    if (near && count > 0) {
        uint64_t index = sy_sim_draw(net, count);
        for (const sy_sim_end *end = node->first_end; end != NULL; end = end->node_next) {
            sy_sim_node *other = end->conn->end[1 - end->index].node;
            if (other != NULL && index-- == 0) {
                return other;
            }
        }
    }
    sy_sim_node *other = draw_node(net);
    return other != node || net->node_count == 1 ? other
           : node->next != NULL                  ? node->next
                                                 : net->nodes;
}

static void fail_allocs(sy_sim_net *net, sy_sim_node *node) {
    const size_t k = 1 + (size_t)sy_sim_draw(net, 40);
    if (sy_sim_draw(net, 4) == 0) {
        sy_sim_fail_allocs_from(node, k);
    } else {
        sy_sim_fail_alloc(node, k);
    }
}

static void pause_node(sy_sim_net *net, sy_sim_node *node) {
    const sy_duration most = sy_sim_draw(net, 5) == 0 ? PAUSE_LONG : PAUSE_SHORT;
    sy_sim_pause(node, sy_sim_draw_duration(net, 0, most));
}

static void jump(sy_sim_net *net, sy_sim_node *node) {
    const sy_duration ahead = sy_sim_draw_duration(net, 0, 2 * CLOCK_JUMP);
    sy_sim_set_clock(node, (int64_t)ahead - (int64_t)CLOCK_JUMP);
}

static void break_name(sy_sim_net *net, sy_sim_node *node) {
    const sy_sim_name_fault kind =
        sy_sim_draw(net, 2) == 0 ? SY_SIM_NAME_FAILS : SY_SIM_NAME_SILENT;
    const sy_duration duration = sy_sim_draw_duration(net, 0, NAME_BROKEN);
    sy_sim_name_break(net, node->name, kind, net->now, sy_time_after(net->now, duration));
}

static void refuse_peers(sy_sim_net *net, sy_sim_node *node) {
    const size_t reactor = (size_t)sy_sim_draw(net, SY_SIM_REACTORS);
    const unsigned times = 1 + (unsigned)sy_sim_draw(net, 2);
    sy_sim_fail_peer_init(node, reactor, times, SY_ERR_REACTOR);
}

static void dial_once(sy_sim_node *node, const sy_sim_node *other) {
    if (node->sw != NULL) {
        (void)sy_sim_try_dial(node, other, SY_DIAL_ONCE);
    }
}

void sy_sim_inject(sy_sim_net *net, sy_sim_fault fault) {
    sy_sim_node *node = draw_node(net);
    sy_sim_node *other = draw_other(net, node);
    switch (fault) {
    case SY_SIM_FAULT_CRASH:
        sy_sim_crash(node, (sy_sim_crash_kind)sy_sim_draw(net, 3));
        return;
    case SY_SIM_FAULT_LOSS:
        sy_sim_crash(node, (sy_sim_crash_kind)sy_sim_draw(net, 3));
        sy_sim_lose_files(node);
        return;
    case SY_SIM_FAULT_STOP:
        sy_sim_stop(node);
        return;
    case SY_SIM_FAULT_PARTITION:
        sy_sim_partition(node, other);
        return;
    case SY_SIM_FAULT_BLOCK:
        sy_sim_block(node, other);
        return;
    case SY_SIM_FAULT_RESET:
        (void)sy_sim_reset(node, other);
        return;
    case SY_SIM_FAULT_FLIP:
        (void)sy_sim_flip(node, other);
        return;
    case SY_SIM_FAULT_DIAL:
        dial_once(node, other);
        return;
    case SY_SIM_FAULT_STOP_PEER:
        sy_sim_stop_peer(node, other,
                         sy_sim_draw(net, 2) == 0 ? SY_ERR_STOPPED : SY_ERR_REACTOR_CAUSE, "drawn");
        return;
    case SY_SIM_FAULT_PEER_INIT:
        refuse_peers(net, node);
        return;
    case SY_SIM_FAULT_ALLOC:
        fail_allocs(net, node);
        return;
    case SY_SIM_FAULT_PAUSE:
        pause_node(net, node);
        return;
    case SY_SIM_FAULT_CONNECT:
        sy_sim_fail_connects(node, 1 + (unsigned)sy_sim_draw(net, 3));
        return;
    case SY_SIM_FAULT_NAME:
        break_name(net, node);
        return;
    case SY_SIM_FAULT_CLOCK:
        jump(net, node);
        return;
    case SY_SIM_FAULT_DISK:
        sy_sim_set_disk_full(node, true);
        return;
    case SY_SIM_FAULT_COUNT:
        break;
    }
    sy_sim_fail("there is no fault %d", (int)fault);
}

void sy_sim_repair(sy_sim_net *net) {
    sy_sim_node *node = draw_node(net);
    sy_sim_heal_allocs(node);
    sy_sim_set_disk_full(node, false);
    sy_sim_heal(node, draw_other(net, node));
    if (node->sw == NULL) {
        (void)sy_sim_try_start(node);
    }
}

void sy_sim_disturb(sy_sim_net *net, unsigned kinds, sy_duration gap_max, sy_duration duration) {
    const sy_time end = sy_time_after(net->now, duration);
    while (net->now < end && net->node_count > 0) {
        sy_sim_run_for(net, sy_sim_draw_duration(net, 1, gap_max));
        const sy_sim_fault fault = (sy_sim_fault)sy_sim_draw(net, SY_SIM_FAULT_COUNT);
        if ((kinds & 1u << fault) != 0) {
            sy_sim_inject(net, fault);
        }
        if (sy_sim_draw(net, 3) == 0) {
            sy_sim_repair(net);
        }
    }
}

void sy_sim_calm(sy_sim_net *net) {
    for (sy_sim_node *node = net->nodes; node != NULL; node = node->next) {
        sy_sim_heal_allocs(node);
        sy_sim_fail_connects(node, 0);
        sy_sim_set_disk_full(node, false);
        for (size_t r = 0; r < SY_SIM_REACTORS; r++) {
            sy_sim_fail_peer_init(node, r, 0, SY_ERR_REACTOR);
        }
    }
    sy_sim_heal_all(net);
    sy_sim_run_for(net, CALM_AT_MOST);
    for (sy_sim_node *node = net->nodes; node != NULL; node = node->next) {
        if (node->sw == NULL) {
            sy_sim_start(node);
        }
    }
}
