/* SPDX-License-Identifier: Apache-2.0 */
/* The driver operations, and the turns of a node in exactly the order that driver.h asks for. */
#include "sim/sim_internal.h"

#include <string.h>

#define SEALED      1044 /* bytes of a sealed frame */
#define FLIP_FRAMES 3

/* ---- Waking up ---------------------------------------------------------------------------------
 */

/* Runs a turn then, or earlier when something earlier comes. */
void sy_sim_wake(sy_sim_node *node, sy_time at) {
    at = sy_time_max(sy_time_max(at, node->net->now), node->paused_until);
    if (node->sw == NULL || at >= node->wake_at) {
        return;
    }
    node->wake_at = at;
    sy_sim_set_turn(node, at);
}

static sy_time a_little_later(sy_sim_node *node) {
    sy_sim_net *net = node->net;
    return sy_time_after(net->now, sy_sim_between(&net->turns, 0, net->options.turn_delay_max));
}

/* Something is to be reported about this end. */
void sy_sim_ready(sy_sim_end *end) {
    sy_sim_node *node = end->node;
    if (node == NULL) {
        return;
    }
    if (!end->in_ready) {
        end->in_ready = true;
        end->next_ready = NULL;
        if (node->ready_last != NULL) {
            node->ready_last->next_ready = end;
        } else {
            node->ready_first = end;
        }
        node->ready_last = end;
    }
    if (!node->in_turn) {
        sy_sim_wake(node, a_little_later(node));
    }
}

static sy_sim_end *take_ready(sy_sim_node *node) {
    sy_sim_end *end = node->ready_first;
    node->ready_first = end->next_ready;
    if (node->ready_first == NULL) {
        node->ready_last = NULL;
    }
    end->in_ready = false;
    return end;
}

static void forget_conn(sy_sim_node *node, sy_sim_conn *conn) {
    const uint64_t ref = sy_sim_conn_ref(conn);
    sy_sim_net *net = node->net;
    for (size_t k = 0; k < 2 && sy_sim_conn_of(net, ref) != NULL; k++) {
        sy_sim_end *end = &conn->end[k];
        if (end->node != node || !end->open) {
            continue;
        }
        if (end->told) {
            sy_sim_fail("%s: the switch is gone and has left stream %llu open", node->name,
                        (unsigned long long)conn->number);
        }
        sy_sim_end_close(end, true); /* accepted, but never reported */
    }
    if (sy_sim_conn_of(net, ref) != NULL) {
        sy_sim_conn_tidy(conn);
    }
}

/* The node is gone: nothing waits for its turns any more, its ends are nobody's. */
void sy_sim_forget_streams(sy_sim_node *node) {
    while (node->ready_first != NULL) {
        (void)take_ready(node);
    }
    for (sy_sim_end *end = node->first_end, *next; end != NULL; end = next) {
        next = end->node_next;
        while (next != NULL && next->conn == end->conn) {
            next = next->node_next; /* both ends are here, and go together */
        }
        forget_conn(node, end->conn);
    }
    node->ends_cap = 0;
    sy_mem_release(sy_mem_libc(), node->ends_by_slot);
    node->ends_by_slot = NULL;
    node->wake_at = SY_NEVER;
    sy_sim_clear_turn(node);
    node->timer_for = SY_NEVER;
}

/* ---- Streams of a switch -----------------------------------------------------------------------
 */

void sy_sim_remember_end(sy_sim_node *node, sy_sim_end *end) {
    const size_t slot = end->ref.slot;
    if (slot >= node->ends_cap) {
        const size_t cap = (slot + 16) * 2;
        node->ends_by_slot = sy_sim_grow(node->ends_by_slot, cap, sizeof *node->ends_by_slot);
        memset(node->ends_by_slot + node->ends_cap, 0,
               (cap - node->ends_cap) * sizeof *node->ends_by_slot);
        node->ends_cap = cap;
    }
    if (node->ends_by_slot[slot] != NULL) {
        sy_sim_fail("%s: slot %zu is named again before its stream was closed", node->name, slot);
    }
    node->ends_by_slot[slot] = end;
    end->told = true;
}

sy_sim_end *sy_sim_end_of_ref(const sy_sim_node *node, uint32_t slot, uint32_t generation) {
    sy_sim_end *end = slot < node->ends_cap ? node->ends_by_slot[slot] : NULL;
    return end != NULL && end->ref.generation == generation ? end : NULL;
}

static void forget_end(sy_sim_node *node, const sy_sim_end *end) {
    if (end->told) {
        node->ends_by_slot[end->ref.slot] = NULL;
    }
}

static sy_sim_end *held_end(sy_sim_node *node, void *stream) {
    sy_sim_end *end = stream;
    if (end == NULL || end->node != node || !end->open) {
        sy_sim_fail("%s: a stream is used that is not open", node->name);
    }
    return end;
}

static sy_err op_connect(void *driver, sy_stream_ref ref, const sy_endpoint *remote,
                         void **ret_stream) {
    sy_sim_node *node = driver;
    sy_sim_net *net = node->net;
    char text[SY_ENDPOINT_TEXT_CAP];

    (void)sy_endpoint_format(remote, text);
    if (node->fail_connects > 0) {
        node->fail_connects--;
        sy_sim_trace(net, node, "connect to=%s no_descriptors", text);
        return SY_ERR_SYSTEM;
    }
    sy_endpoint from = node->endpoint;
    from.port = node->next_port++;
    if (node->next_port == 0) {
        node->next_port = 32768;
    }
    sy_sim_end *end = sy_sim_connect(net, node, NULL, &from, remote);
    end->ref = ref;
    sy_sim_remember_end(node, end);
    sy_sim_trace(net, node, "connect to=%s conn=%llu", text, (unsigned long long)end->conn->number);
    *ret_stream = end;
    return SY_OK;
}

/* `more` is a promise, and the end of the turn is when it must have been kept. */
static void expect_more(sy_sim_node *node, sy_sim_end *end, bool more) {
    node->more_due -= end->more_due ? 1 : 0;
    end->more_due = more;
    node->more_due += more ? 1 : 0;
}

static sy_err op_write(void *driver, void *stream, const uint8_t *data, size_t len, bool more,
                       size_t *ret_written) {
    sy_sim_node *node = driver;
    sy_sim_end *end = held_end(node, stream);
    expect_more(node, end, false);
    if (end->fin_sent) {
        sy_sim_fail("%s: a write after shutdown_write", node->name);
    }
    if (!end->conn->established || end->accept_due || end->connected_due) {
        sy_sim_fail("%s: a write before the connection was reported", node->name);
    }
    if (end->reset_seen) {
        end->end_told = true;
        return SY_ERR_REMOTE_RESET;
    }
    const size_t written = sy_sim_end_write(end, data, len);
    node->totals.sent_bytes += written;
    sy_sim_trace(node->net, node, "write conn=%llu len=%zu written=%zu",
                 (unsigned long long)end->conn->number, len, written);
    expect_more(node, end, more && written == len);
    *ret_written = written;
    return SY_OK;
}

static void op_set_reading(void *driver, void *stream, bool on) {
    sy_sim_end *end = held_end(driver, stream);
    end->reading = on;
    if (on) {
        sy_sim_ready(end);
    }
}

static void op_check_dry(void *driver, void *stream) {
    sy_sim_end *end = held_end(driver, stream);
    end->dry_due = true;
    sy_sim_ready(end);
}

static void op_shutdown_write(void *driver, void *stream) {
    sy_sim_node *node = driver;
    sy_sim_end *end = held_end(node, stream);
    expect_more(node, end, false);
    if (!end->reset_seen && !end->vanished) {
        sy_sim_trace(node->net, node, "shutdown conn=%llu", (unsigned long long)end->conn->number);
        sy_sim_end_shutdown(end);
    }
}

static void op_close(void *driver, void *stream, bool abort) {
    sy_sim_node *node = driver;
    sy_sim_end *end = held_end(node, stream);
    sy_sim_trace(node->net, node, "close conn=%llu abort=%d", (unsigned long long)end->conn->number,
                 abort);
    expect_more(node, end, false);
    forget_end(node, end);
    sy_sim_end_close(end, abort);
}

static bool is_taken(const sy_sim_node *node, uint16_t port) {
    for (const sy_sim_listener *l = node->listeners; l != NULL; l = l->next) {
        if (l->address.port == port) {
            return true;
        }
    }
    return false;
}

static sy_err op_listen(void *driver, sy_switch *sw, const sy_endpoint *local,
                        sy_endpoint *ret_bound, void **ret_listener, sy_detail *detail) {
    (void)sw;
    sy_sim_node *node = driver;
    sy_endpoint bound = node->endpoint;
    bound.port = local->port == 0 ? node->next_port++ : local->port;
    if (!sy_endpoint_is_any(local) && !sy_endpoint_same_ip(local, &node->endpoint)) {
        sy_detail_set(detail, "the node has no such address");
        return SY_ERR_SYSTEM;
    }
    if (is_taken(node, bound.port)) {
        sy_detail_set(detail, "port %u is taken", bound.port);
        return SY_ERR_SYSTEM;
    }
    sy_sim_listener *listener = sy_sim_alloc(sizeof *listener);
    *listener = (sy_sim_listener){.next = node->listeners, .node = node, .address = bound};
    node->listeners = listener;
    *ret_bound = bound;
    if (sy_endpoint_is_any(local)) {
        memcpy(ret_bound->ip, local->ip, sizeof ret_bound->ip);
    }
    *ret_listener = listener;
    return SY_OK;
}

static void op_listener_close(void *driver, void *listener) {
    sy_sim_node *node = driver;
    for (sy_sim_listener **at = &node->listeners; *at != NULL; at = &(*at)->next) {
        if (*at == listener) {
            *at = (*at)->next;
            sy_mem_release(sy_mem_libc(), listener);
            return;
        }
    }
    sy_sim_fail("%s: a listener is closed that is not open", node->name);
}

static void op_random(void *driver, void *out, size_t len) {
    sy_sim_node *node = driver;
    uint8_t *at = out;
    while (len > 0) {
        const uint64_t word = sy_prng_next(&node->prng);
        const size_t n = len < sizeof word ? len : sizeof word;
        memcpy(at, &word, n);
        at += n;
        len -= n;
    }
}

static sy_walltime op_walltime(void *driver) {
    const sy_sim_node *node = driver;
    return (sy_walltime){SY_SIM_WALL_EPOCH_NS + (int64_t)node->net->now + node->clock_ahead};
}

const sy_driver_ops sy_sim_driver_ops = {
    .size = sizeof(sy_driver_ops),
    .stream_connect = op_connect,
    .stream_write = op_write,
    .stream_set_reading = op_set_reading,
    .stream_check_dry = op_check_dry,
    .stream_shutdown_write = op_shutdown_write,
    .stream_close = op_close,
    .listen = op_listen,
    .listener_close = op_listener_close,
    .resolve = sy_sim_resolve,
    .resolve_cancel = sy_sim_resolve_cancel,
    .random = op_random,
    .walltime = op_walltime,
    .worker_start = sy_sim_worker_start,
    .worker_wake = sy_sim_worker_wake,
    .worker_lock = sy_sim_worker_lock,
    .worker_unlock = sy_sim_worker_unlock,
    .worker_stop = sy_sim_worker_stop,
    .post = sy_sim_post_to_loop,
};

/* ---- One turn ----------------------------------------------------------------------------------
 */

/* A stream may be closed, and its connection freed, inside every report: nothing is read from an
 * end after a report before this has said that it is still there. */
typedef struct end_name {
    uint64_t conn;
    uint32_t index;
} end_name;

static sy_sim_end *still_there(const sy_sim_net *net, end_name name) {
    sy_sim_conn *conn = sy_sim_conn_of(net, name.conn);
    return conn != NULL && conn->end[name.index].open ? &conn->end[name.index] : NULL;
}

static void report_accepted(sy_sim_node *node, sy_sim_end *end) {
    const sy_endpoint *remote = &end->conn->end[0].address;
    sy_stream_ref ref;
    char text[SY_ENDPOINT_TEXT_CAP];

    end->accept_due = false;
    (void)sy_endpoint_format(remote, text);
    sy_sim_trace(node->net, node, "accept from=%s conn=%llu", text,
                 (unsigned long long)end->conn->number);
    const sy_err err =
        sy_switch_on_accepted(node->sw, end, &end->address, remote, &ref, node->net->now);
    if (err != SY_OK) {
        sy_sim_trace(node->net, node, "accept refused=%s", sy_err_name(err));
        sy_sim_end_close(end, false);
        return;
    }
    end->ref = ref;
    sy_sim_remember_end(node, end);
}

static void report_failed(sy_sim_node *node, sy_sim_end *end) {
    const sy_err err = end->failed_due;
    const sy_stream_ref ref = end->ref;
    sy_detail detail;
    sy_detail_set(&detail, "%s",
                  err == SY_ERR_CONNECT ? "Connection refused" : "Connection timed out");
    forget_end(node, end);
    end->open = false;
    sy_sim_conn_tidy(end->conn);
    sy_switch_on_connect_failed(node->sw, ref, err, &detail, node->net->now);
}

static size_t draw_read(sy_sim_net *net, size_t left) {
    size_t max = left < SY_SIM_READ_CAP ? left : SY_SIM_READ_CAP;
    if (net->options.read_max != 0) {
        const size_t drawn = 1 + (size_t)sy_prng_below(&net->tcp, net->options.read_max);
        const size_t least = left / 64;
        max = drawn < least ? least : drawn;
        max = max < SY_SIM_READ_CAP ? max : SY_SIM_READ_CAP;
    }
    return max;
}

/* A peer does not stay behind a changed bit.  Counted in whole sealed frames: the end of a frame
 * has to come before its tag can be looked at. */
static void check_flip(sy_sim_node *node, const sy_sim_end *end) {
    const sy_sim_pipe *pipe = &end->conn->pipe[1 - end->index];
    if (pipe->flip_at == UINT64_MAX || pipe->read_total < pipe->flip_at + FLIP_FRAMES * SEALED) {
        return;
    }
    const sy_peer_ref ref = {end->ref.slot, end->ref.generation};
    const sy_peer *peer = sy_switch_peer(node->sw, ref);
    if (peer != NULL && sy_switch_peer_by_id(node->sw, sy_peer_id(peer)) == peer) {
        sy_sim_fail("%s: a peer goes on %llu bytes behind a changed bit", node->name,
                    (unsigned long long)(pipe->read_total - pipe->flip_at));
    }
}

/* All received bytes, within the share of a turn; NULL when the end is gone. */
static sy_sim_end *report_bytes(sy_sim_node *node, sy_sim_end *end, end_name name) {
    sy_sim_net *net = node->net;
    size_t total = 0;
    if (end != NULL && end->reading && sy_sim_end_unread(end) > 0) {
        sy_sim_trace(net, node, "read conn=%llu len=%zu", (unsigned long long)end->conn->number,
                     sy_sim_end_unread(end));
    }
    while (end != NULL && end->reading && sy_sim_end_unread(end) > 0) {
        if (total >= SY_SIM_READ_TURN) {
            sy_sim_ready(end);
            return NULL; /* the rest, and what follows it, in the next turn */
        }
        const size_t len =
            sy_sim_end_read(end, net->read_area, draw_read(net, sy_sim_end_unread(end)));
        total += len;
        node->totals.read_bytes += len;
        const bool more = sy_switch_on_readable(node->sw, end->ref, net->read_area, len, net->now);
        end = still_there(net, name);
        if (end != NULL && more) {
            check_flip(node, end);
        }
        if (end != NULL && more && !end->reading) {
            sy_sim_fail("%s: on_readable wants more with reading off", node->name);
        }
        if (!more && end != NULL && end->reading) {
            return NULL; /* decided to end: closed before this turn is over */
        }
    }
    return end;
}

static void report_end(sy_sim_node *node, sy_sim_end *end) {
    const sy_err err = end->reset_seen ? SY_ERR_REMOTE_RESET : SY_ERR_REMOTE_CLOSED;
    end->end_told = true;
    sy_sim_trace(node->net, node, "read_end conn=%llu %s", (unsigned long long)end->conn->number,
                 sy_err_name(err));
    sy_switch_on_read_end(node->sw, end->ref, err, node->net->now);
}

static void report_stream(sy_sim_node *node, sy_sim_end *end) {
    sy_sim_net *net = node->net;
    const end_name name = {sy_sim_conn_ref(end->conn), end->index};

    if (end->failed_due != SY_OK) {
        report_failed(node, end);
        return;
    }
    if (end->accept_due) {
        report_accepted(node, end);
    } else if (end->connected_due) {
        end->connected_due = false;
        sy_switch_on_connected(node->sw, end->ref, &end->address, net->now);
    }
    end = report_bytes(node, still_there(net, name), name);
    if (end != NULL && end->dry_due && end->reading) {
        end->dry_due = false;
        sy_switch_on_read_dry(node->sw, end->ref, net->now);
        end = still_there(net, name);
    }
    if (end != NULL && end->reading && !end->end_told && (end->fin_seen || end->reset_seen) &&
        sy_sim_end_unread(end) == 0) {
        report_end(node, end);
        end = still_there(net, name);
    }
    if (end != NULL && end->writable_due) {
        end->writable_due = false;
        sy_switch_on_writable(node->sw, end->ref, net->now);
    }
}

static void report_streams(sy_sim_node *node) {
    const sy_sim_end *last = node->ready_last; /* what comes later waits for the next turn */
    bool more = node->ready_first != NULL;
    while (more) {
        sy_sim_end *end = take_ready(node);
        more = end != last;
        if (!end->open) {
            sy_sim_conn_tidy(end->conn);
            continue;
        }
        report_stream(node, end);
    }
}

static void arm(sy_sim_node *node) {
    sy_sim_net *net = node->net;
    const sy_time next = sy_switch_next_expiry(node->sw);
    if (node->posted) {
        sy_sim_wake(node, net->now);
    }
    if (node->ready_first != NULL) {
        sy_sim_wake(node, a_little_later(node));
    }
    if (next == SY_NEVER) {
        return;
    }
    if (next != node->timer_for || next <= net->now) {
        node->timer_for = next;
        node->timer_at = sy_time_after(sy_time_max(next, net->now + SY_USEC),
                                       sy_sim_between(&net->turns, 0, net->options.turn_delay_max));
    }
    sy_sim_wake(node, node->timer_at);
}

void sy_sim_turn(sy_sim_node *node) {
    sy_sim_net *net = node->net;
    if (node->sw == NULL) {
        return;
    }
    if (net->now < node->paused_until) {
        sy_sim_wake(node, node->paused_until);
        return;
    }
    node->in_turn = true;
    report_streams(node);
    sy_sim_report_answers(node);
    if (node->posted) {
        node->posted = false;
        sy_switch_on_posted(node->sw, net->now);
    }
    if (sy_switch_next_expiry(node->sw) <= net->now) {
        sy_switch_on_expiry(node->sw, net->now);
    }
    sy_switch_turn_end(node->sw, net->now);
    node->in_turn = false;
    if (node->more_due != 0) {
        sy_sim_fail("%s: %zu streams wait for the rest of a write", node->name, node->more_due);
    }
    sy_sim_watch_turn(node);
    if (sy_switch_is_stopped(node->sw)) {
        sy_sim_node_finish(node);
        return;
    }
    arm(node);
}
