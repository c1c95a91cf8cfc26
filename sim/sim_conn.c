/* SPDX-License-Identifier: Apache-2.0 */
/* The table of connections, and which ends belong to a node. */
#include "sim/sim_internal.h"

uint64_t sy_sim_conn_ref(const sy_sim_conn *conn) {
    return (uint64_t)conn->slot << 32 | conn->generation;
}

sy_sim_conn *sy_sim_conn_of(const sy_sim_net *net, uint64_t ref) {
    const uint32_t slot = (uint32_t)(ref >> 32);
    sy_sim_conn *conn = slot < net->conn_cap ? net->conns[slot] : NULL;
    return conn != NULL && conn->generation == (uint32_t)ref ? conn : NULL;
}

static void grow_table(sy_sim_net *net) {
    const uint32_t cap = net->conn_cap == 0 ? 64 : net->conn_cap * 2;
    net->conns = sy_sim_grow(net->conns, cap, sizeof(sy_sim_conn *));
    net->conn_generations = sy_sim_grow(net->conn_generations, cap, sizeof(uint32_t));
    net->free_conns = sy_sim_grow(net->free_conns, cap, sizeof(uint32_t));
    for (uint32_t slot = cap; slot-- > net->conn_cap;) {
        net->conns[slot] = NULL;
        net->conn_generations[slot] = 0;
        net->free_conns[net->free_conn_count++] = slot;
    }
    net->conn_cap = cap;
}

sy_sim_conn *sy_sim_conn_new(sy_sim_net *net) {
    if (net->free_conn_count == 0) {
        grow_table(net);
    }
    sy_sim_conn *conn = sy_sim_alloc(sizeof *conn);
    conn->net = net;
    conn->slot = net->free_conns[--net->free_conn_count];
    conn->generation = ++net->conn_generations[conn->slot];
    conn->number = ++net->conn_number;
    for (uint32_t i = 0; i < 2; i++) {
        conn->end[i] = (sy_sim_end){.conn = conn, .index = i, .reading = true};
        conn->pipe[i].latency =
            sy_sim_between(&net->tcp, net->options.latency_min, net->options.latency_max);
        conn->pipe[i].buffer =
            (size_t)sy_sim_between(&net->tcp, net->options.buffer_min, net->options.buffer_max);
        conn->pipe[i].mute_after = SIZE_MAX;
        conn->pipe[i].flip_at = UINT64_MAX;
    }
    net->conns[conn->slot] = conn;
    net->conn_count++;
    return conn;
}

/* An end belongs to a node from now on. */
void sy_sim_end_join(sy_sim_end *end, sy_sim_node *node) {
    end->node = node;
    end->life = node->life;
    end->node_next = NULL;
    end->node_prev = node->last_end;
    if (node->last_end != NULL) {
        node->last_end->node_next = end;
    } else {
        node->first_end = end;
    }
    node->last_end = end;
}

static void leave_node(sy_sim_end *end) {
    sy_sim_node *node = end->node;
    if (node == NULL) {
        return;
    }
    if (end->node_prev != NULL) {
        end->node_prev->node_next = end->node_next;
    } else {
        node->first_end = end->node_next;
    }
    if (end->node_next != NULL) {
        end->node_next->node_prev = end->node_prev;
    } else {
        node->last_end = end->node_prev;
    }
}

/* Frees it; nobody may hold an end any more. */
void sy_sim_conn_release(sy_sim_conn *conn) {
    sy_sim_net *net = conn->net;
    const sy_mem *libc = sy_mem_libc();
    for (size_t i = 0; i < 2; i++) {
        leave_node(&conn->end[i]);
        sy_mem_release(libc, conn->pipe[i].bytes);
        sy_mem_release(libc, conn->pipe[i].pieces);
    }
    sy_sim_sent_del(conn);
    net->conns[conn->slot] = NULL;
    net->free_conns[net->free_conn_count++] = conn->slot;
    net->conn_count--;
    sy_mem_release(libc, conn);
}

/* Releases it when nobody needs it any more. */
void sy_sim_conn_tidy(sy_sim_conn *conn) {
    const sy_sim_end *a = &conn->end[0];
    const sy_sim_end *b = &conn->end[1];
    if (!a->open && !b->open && !a->in_ready && !b->in_ready && !conn->accept_pending) {
        sy_sim_conn_release(conn);
    }
}
