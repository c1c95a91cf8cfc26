/* SPDX-License-Identifier: Apache-2.0 */
/* TCP as its users see it: bytes arrive in order or not at all, in pieces of any size, late;
 * buffers are finite; an end is seen after what was sent before it; a reset cuts off what is under
 * way.  A host that is cut off or down answers nothing, and its bytes are tried again later. */
#include "tests/sim/sim_internal.h"

#include <string.h>

#define PIECES_PER_WRITE 128 /* bounds the events of one large write */
#define SYN_TRIES_MAX    6   /* 1 + 2 + 4 + ... s, then the system gives up */
#define RETRY_MAX        (1 * SY_SEC)
#define RETRY_LATE_MAX   (30 * SY_SEC) /* towards a host that was down for long */

/* ---- Table of connections ----------------------------------------------------------------------
 */

uint64_t sim_conn_ref(const sim_conn *conn) {
    return (uint64_t)conn->slot << 32 | conn->generation;
}

sim_conn *sim_conn_of(const sim_net *net, uint64_t ref) {
    const uint32_t slot = (uint32_t)(ref >> 32);
    sim_conn *conn = slot < net->conn_cap ? net->conns[slot] : NULL;
    return conn != NULL && conn->generation == (uint32_t)ref ? conn : NULL;
}

static void grow_table(sim_net *net) {
    const uint32_t cap = net->conn_cap == 0 ? 64 : net->conn_cap * 2;
    net->conns = sim_grow(net->conns, cap, sizeof(sim_conn *));
    net->conn_generations = sim_grow(net->conn_generations, cap, sizeof(uint32_t));
    net->free_conns = sim_grow(net->free_conns, cap, sizeof(uint32_t));
    for (uint32_t slot = cap; slot-- > net->conn_cap;) {
        net->conns[slot] = NULL;
        net->conn_generations[slot] = 0;
        net->free_conns[net->free_conn_count++] = slot;
    }
    net->conn_cap = cap;
}

static sim_conn *conn_new(sim_net *net) {
    if (net->free_conn_count == 0) {
        grow_table(net);
    }
    sim_conn *conn = sim_alloc(sizeof *conn);
    conn->net = net;
    conn->slot = net->free_conns[--net->free_conn_count];
    conn->generation = ++net->conn_generations[conn->slot];
    conn->number = ++net->conn_number;
    for (uint32_t i = 0; i < 2; i++) {
        conn->end[i] = (sim_end){.conn = conn, .index = i, .reading = true};
        conn->pipe[i].latency =
            sim_between(&net->tcp, net->options.latency_min, net->options.latency_max);
        conn->pipe[i].buffer =
            (size_t)sim_between(&net->tcp, net->options.buffer_min, net->options.buffer_max);
        conn->pipe[i].mute_after = SIZE_MAX;
    }
    net->conns[conn->slot] = conn;
    net->conn_count++;
    return conn;
}

/* Frees it; nobody may hold an end any more. */
void sim_conn_release(sim_conn *conn) {
    sim_net *net = conn->net;
    const sy_mem *libc = sy_mem_libc();
    for (size_t i = 0; i < 2; i++) {
        sy_mem_release(libc, conn->pipe[i].bytes);
        sy_mem_release(libc, conn->pipe[i].pieces);
    }
    sim_sent_del(conn);
    net->conns[conn->slot] = NULL;
    net->free_conns[net->free_conn_count++] = conn->slot;
    net->conn_count--;
    sy_mem_release(libc, conn);
}

/* Releases it when nobody needs it any more. */
void sim_conn_tidy(sim_conn *conn) {
    const sim_end *a = &conn->end[0];
    const sim_end *b = &conn->end[1];
    if (!a->open && !b->open && !a->in_ready && !b->in_ready && !conn->accept_pending) {
        sim_conn_release(conn);
    }
}

/* ---- Bytes under way ---------------------------------------------------------------------------
 */

static void push_bytes(sim_pipe *pipe, const uint8_t *data, size_t len) {
    if (len == 0) {
        return;
    }
    if (pipe->head + pipe->len + len > pipe->cap) {
        if (pipe->head > 0) {
            memmove(pipe->bytes, pipe->bytes + pipe->head, pipe->len);
            pipe->head = 0;
        }
        if (pipe->len + len > pipe->cap) {
            pipe->cap = (pipe->len + len) * 2;
            pipe->bytes = sim_grow(pipe->bytes, pipe->cap, 1);
        }
    }
    memcpy(pipe->bytes + pipe->head + pipe->len, data, len);
    pipe->len += len;
}

static void push_piece(sim_pipe *pipe, sim_piece piece) {
    if (pipe->piece_count == pipe->piece_cap) {
        const size_t cap = pipe->piece_cap == 0 ? 16 : pipe->piece_cap * 2;
        sim_piece *pieces = sim_grow(NULL, cap, sizeof *pieces);
        for (size_t i = 0; i < pipe->piece_count; i++) {
            pieces[i] = pipe->pieces[(pipe->piece_head + i) % pipe->piece_cap];
        }
        sy_mem_release(sy_mem_libc(), pipe->pieces);
        pipe->pieces = pieces;
        pipe->piece_cap = cap;
        pipe->piece_head = 0;
    }
    pipe->pieces[(pipe->piece_head + pipe->piece_count++) % pipe->piece_cap] = piece;
}

static void schedule_front(sim_conn *conn, uint32_t index, sy_time not_before) {
    sim_pipe *pipe = &conn->pipe[index];
    if (pipe->piece_count == 0 || pipe->event_due || pipe->held) {
        return;
    }
    sim_event *event = sim_push(
        conn->net, sy_time_max(pipe->pieces[pipe->piece_head].at, not_before), SIM_EV_PIECE);
    event->conn = sim_conn_ref(conn);
    event->index = index;
    pipe->event_due = true;
}

static void send_piece(sim_conn *conn, uint32_t index, size_t len, bool fin) {
    sim_net *net = conn->net;
    sim_pipe *pipe = &conn->pipe[index];
    sy_time at = sy_time_after(net->now, pipe->latency);
    at = sy_time_after(at, sim_between(&net->tcp, 0, net->options.jitter_max));
    at = sy_time_max(at, pipe->last_at);
    if (net->options.bandwidth != 0) {
        at = sy_time_after(at, len * SY_SEC / net->options.bandwidth);
    }
    pipe->last_at = at;
    push_piece(pipe, (sim_piece){.at = at, .len = len, .fin = fin});
    schedule_front(conn, index, 0);
}

static size_t draw_piece(sim_net *net, size_t len) {
    const size_t max = net->options.piece_max;
    if (max == 0 || len <= 1) {
        return len;
    }
    const size_t least = len / PIECES_PER_WRITE;
    const size_t drawn = 1 + (size_t)sy_prng_below(&net->tcp, max);
    const size_t piece = drawn > least ? drawn : least;
    return piece < len ? piece : len;
}

static bool is_muted(const sim_pipe *pipe) {
    return pipe->mute_after != SIZE_MAX && pipe->sent_total >= pipe->mute_after;
}

/* Everything that has not left yet is lost; what is on the wire arrives. */
static void cut_off(sim_conn *conn, uint32_t index) {
    sim_pipe *pipe = &conn->pipe[index];
    const sy_time horizon = sy_time_after(conn->net->now, pipe->latency);
    size_t kept = 0;
    size_t bytes = pipe->arrived;
    while (kept < pipe->piece_count && !pipe->held) {
        const sim_piece *piece = &pipe->pieces[(pipe->piece_head + kept) % pipe->piece_cap];
        if (piece->at > horizon) {
            break;
        }
        bytes += piece->len;
        kept++;
    }
    pipe->piece_count = kept;
    pipe->len = bytes;
    pipe->last_at = sy_time_max(horizon, conn->net->now);
}

size_t sim_end_unread(const sim_end *end) {
    return end->conn->pipe[1 - end->index].arrived;
}

/* Writes what fits. */
size_t sim_end_write(sim_end *end, const uint8_t *data, size_t len) {
    sim_conn *conn = end->conn;
    sim_pipe *pipe = &conn->pipe[end->index];
    const size_t room = pipe->buffer > pipe->len ? pipe->buffer - pipe->len : 0;
    const size_t taken = len < room ? len : room;

    push_bytes(pipe, data, taken);
    size_t left = pipe->mute_after - pipe->sent_total;
    left = left < taken ? left : taken;
    pipe->sent_total += left;
    while (left > 0) {
        const size_t piece = draw_piece(conn->net, left);
        send_piece(conn, end->index, piece, false);
        left -= piece;
    }
    end->blocked = taken < len;
    return taken;
}

size_t sim_end_read(sim_end *end, uint8_t *out, size_t cap) {
    sim_conn *conn = end->conn;
    const uint32_t from = 1 - end->index;
    sim_pipe *pipe = &conn->pipe[from];
    const size_t len = pipe->arrived < cap ? pipe->arrived : cap;

    if (len == 0) {
        return 0;
    }
    memcpy(out, pipe->bytes + pipe->head, len);
    pipe->head += len;
    pipe->len -= len;
    pipe->arrived -= len;
    if (conn->end[from].blocked && !pipe->space_due) {
        sim_event *event =
            sim_push(conn->net, sy_time_after(conn->net->now, pipe->latency), SIM_EV_SPACE);
        event->conn = sim_conn_ref(conn);
        event->index = from;
        pipe->space_due = true;
    }
    return len;
}

/* ---- Ends --------------------------------------------------------------------------------------
 */

/* Tells the other end that there is nobody here; a reset is not repeated. */
static void send_reset(sim_conn *conn, uint32_t to) {
    const sim_pipe *pipe = &conn->pipe[1 - to];
    if (is_muted(pipe)) {
        return;
    }
    const sy_time at = sy_time_max(sy_time_after(conn->net->now, pipe->latency), pipe->last_at);
    sim_event *event = sim_push(conn->net, at, SIM_EV_RESET);
    event->conn = sim_conn_ref(conn);
    event->index = to;
}

void sim_end_shutdown(sim_end *end) {
    if (end->fin_sent) {
        return;
    }
    end->fin_sent = true;
    if (!is_muted(&end->conn->pipe[end->index])) {
        send_piece(end->conn, end->index, 0, true);
    }
}

void sim_end_close(sim_end *end, bool abort) {
    sim_conn *conn = end->conn;
    end->open = false;
    if (end->vanished) {
        return; /* its host is down: nothing reaches the network */
    }
    if (end->index == 0 && !conn->established) {
        sim_conn_tidy(conn);
        return;
    }
    if (!end->reset_seen) {
        if (abort || sim_end_unread(end) > 0) {
            cut_off(conn, end->index);
            send_reset(conn, 1 - end->index);
        } else {
            sim_end_shutdown(end);
        }
    }
    sim_pipe *in = &conn->pipe[1 - end->index];
    in->head += in->arrived;
    in->len -= in->arrived;
    in->arrived = 0;
    sim_conn_tidy(conn);
}

/* The host is gone.  The caller releases the connection later, when its driver is through. */
void sim_end_vanish(sim_end *end, bool forgotten) {
    sim_conn *conn = end->conn;
    end->vanished = true;
    end->forgotten = forgotten;
    if (conn->established) {
        cut_off(conn, end->index);
    }
}

static void lose(sim_end *end) {
    if (!end->open || end->vanished || end->reset_seen) {
        return;
    }
    end->reset_seen = true;
    sim_pipe *out = &end->conn->pipe[end->index];
    out->piece_count = 0;
    out->len = out->arrived;
    out->held = false;
    if (end->raw != NULL) {
        end->raw->ended = true;
    }
    sim_ready(end);
}

/* Something in the middle breaks the connection: both ends hear of it at once. */
void sim_conn_reset(sim_conn *conn) {
    sim_trace(conn->net, NULL, "reset conn=%llu", (unsigned long long)conn->number);
    if (conn->accept_pending) {
        return;
    }
    lose(&conn->end[0]);
    lose(&conn->end[1]);
}

void sim_conn_host_back(sim_conn *conn, uint32_t index) {
    sim_pipe *towards = &conn->pipe[1 - index];
    if (conn->end[index].vanished && !conn->end[index].forgotten && towards->held) {
        towards->held = false;
        schedule_front(
            conn, 1 - index,
            sy_time_after(conn->net->now, sim_between(&conn->net->tcp, 0, RETRY_LATE_MAX)));
    }
}

void sim_conn_unheld(sim_conn *conn) {
    for (uint32_t i = 0; i < 2; i++) {
        sim_pipe *pipe = &conn->pipe[i];
        if (pipe->held && !conn->end[1 - i].vanished) {
            pipe->held = false;
            schedule_front(
                conn, i, sy_time_after(conn->net->now, sim_between(&conn->net->tcp, 0, RETRY_MAX)));
        }
    }
}

/* ---- Opening -----------------------------------------------------------------------------------
 */

static void push_step(sim_conn *conn, sim_event_kind kind, sy_duration delay) {
    sim_event *event = sim_push(conn->net, sy_time_after(conn->net->now, delay), kind);
    event->conn = sim_conn_ref(conn);
}

sim_end *sim_connect(sim_net *net, sim_node *node, sim_raw *raw, const sy_endpoint *from,
                     const sy_endpoint *to) {
    sim_conn *conn = conn_new(net);
    sim_end *end = &conn->end[0];
    end->node = node;
    end->raw = raw;
    end->address = *from;
    end->open = true;
    end->life = node == NULL ? 0 : node->life;
    conn->pipe[0].mute_after = node == NULL ? SIZE_MAX : node->mute_after;
    conn->end[1].address = *to;
    push_step(conn, SIM_EV_SYN, conn->pipe[0].latency);
    return end;
}

static bool cannot_reach(const sim_net *net, const sim_node *from, const sim_node *to) {
    return to == NULL || !to->host_up || (from != NULL && sim_is_blocked(net, from, to));
}

static bool has_listener(const sim_node *node, const sy_endpoint *address) {
    for (const sim_listener *l = node->listeners; l != NULL; l = l->next) {
        if (l->address.port == address->port) {
            return true;
        }
    }
    return false;
}

static void on_syn(sim_conn *conn) {
    sim_net *net = conn->net;
    sim_node *host = sim_host_at(net, &conn->end[1].address);
    const sim_node *dialer = conn->end[0].node;
    if (cannot_reach(net, dialer, host) || (dialer != NULL && sim_is_blocked(net, host, dialer))) {
        const sy_duration wait = SY_SEC << conn->syn_tries;
        push_step(conn, ++conn->syn_tries > SYN_TRIES_MAX ? SIM_EV_NO_ANSWER : SIM_EV_SYN, wait);
        return;
    }
    if (!has_listener(host, &conn->end[1].address)) {
        push_step(conn, SIM_EV_REFUSED, conn->pipe[1].latency);
        return;
    }
    conn->end[1].node = host;
    conn->end[1].life = host->life;
    conn->pipe[1].mute_after = host->mute_after;
    push_step(conn, SIM_EV_SYN_ACK, conn->pipe[1].latency);
}

static void on_syn_ack(sim_conn *conn) {
    sim_end *end = &conn->end[0];
    conn->established = true;
    conn->accept_pending = true;
    if (end->raw != NULL) {
        end->raw->connected = true;
    } else {
        end->connected_due = true;
        sim_ready(end);
    }
    push_step(conn, SIM_EV_ACK, conn->pipe[0].latency);
    conn->pipe[0].last_at = sy_time_after(conn->net->now, conn->pipe[0].latency);
}

/* The last word of the opening reaches the listener; data may bring it too. */
static void accept_now(sim_conn *conn) {
    sim_end *end = &conn->end[1];
    sim_node *host = end->node;
    if (!conn->accept_pending) {
        return;
    }
    if (cannot_reach(conn->net, conn->end[0].node, host) && conn->end[0].open) {
        push_step(conn, SIM_EV_ACK, SY_SEC);
        return;
    }
    conn->accept_pending = false;
    if (end->life != host->life || !has_listener(host, &end->address)) {
        send_reset(conn, 0);
        sim_conn_tidy(conn);
        return;
    }
    end->open = true;
    end->accept_due = true;
    sim_ready(end);
}

static void on_connect_failure(sim_conn *conn, sy_err err) {
    sim_end *end = &conn->end[0];
    if (end->raw != NULL) {
        end->raw->ended = true;
        return;
    }
    end->failed_due = err;
    sim_ready(end);
}

/* ---- Arrivals ----------------------------------------------------------------------------------
 */

static bool is_unreachable(const sim_conn *conn, uint32_t from) {
    const sim_end *sender = &conn->end[from];
    const sim_end *receiver = &conn->end[1 - from];
    if (receiver->vanished && (receiver->forgotten || !receiver->node->host_up)) {
        return true;
    }
    return sender->node != NULL && receiver->node != NULL &&
           sim_is_blocked(conn->net, sender->node, receiver->node);
}

static void swallow(sim_end *end) {
    sim_pipe *in = &end->conn->pipe[1 - end->index];
    end->raw->received += in->arrived;
    in->head += in->arrived;
    in->len -= in->arrived;
    in->arrived = 0;
    end->raw->ended = end->raw->ended || end->fin_seen;
}

static void take_piece(sim_conn *conn, uint32_t from) {
    sim_pipe *pipe = &conn->pipe[from];
    const sim_piece piece = pipe->pieces[pipe->piece_head];
    pipe->piece_head = (pipe->piece_head + 1) % pipe->piece_cap;
    pipe->piece_count--;
    pipe->arrived += piece.len;
    if (piece.fin) {
        conn->end[1 - from].fin_seen = true;
    }
}

/* Bytes for an end that is gone: the sender learns it. */
static void bounce(sim_conn *conn, uint32_t from) {
    sim_pipe *pipe = &conn->pipe[from];
    bool data = false;
    for (size_t i = 0; i < pipe->piece_count; i++) {
        data = data || pipe->pieces[(pipe->piece_head + i) % pipe->piece_cap].len > 0;
    }
    pipe->piece_count = 0;
    pipe->len = pipe->arrived;
    if (data || conn->end[1 - from].vanished) {
        send_reset(conn, from);
    }
}

static void on_piece(sim_conn *conn, uint32_t from) {
    sim_net *net = conn->net;
    sim_pipe *pipe = &conn->pipe[from];
    sim_end *receiver = &conn->end[1 - from];

    pipe->event_due = false;
    if (pipe->piece_count == 0) {
        return;
    }
    if (is_unreachable(conn, from)) {
        pipe->held = true;
        return;
    }
    if (receiver->index == 1 && conn->accept_pending) {
        const uint64_t ref = sim_conn_ref(conn);
        accept_now(conn);
        if (sim_conn_of(net, ref) == NULL) {
            return;
        }
    }
    if (!receiver->open || receiver->vanished) {
        bounce(conn, from);
        return;
    }
    while (pipe->piece_count > 0 && pipe->pieces[pipe->piece_head].at <= net->now) {
        take_piece(conn, from);
    }
    schedule_front(conn, from, 0);
    if (receiver->raw != NULL) {
        swallow(receiver);
    } else {
        sim_ready(receiver);
    }
}

static void on_space(sim_conn *conn, uint32_t index) {
    sim_end *end = &conn->end[index];
    conn->pipe[index].space_due = false;
    if (end->open && end->blocked && !end->reset_seen) {
        end->blocked = false;
        end->writable_due = true;
        sim_ready(end);
    }
}

static void on_reset(sim_conn *conn, uint32_t index) {
    const sim_end *end = &conn->end[index];
    const sim_end *other = &conn->end[1 - index];
    if (end->node != NULL && other->node != NULL &&
        sim_is_blocked(conn->net, other->node, end->node)) {
        return; /* lost; the next byte will bring another one */
    }
    lose(&conn->end[index]);
}

void sim_on_conn_event(sim_net *net, const sim_event *event) {
    sim_conn *conn = sim_conn_of(net, event->conn);
    if (conn == NULL) {
        return;
    }
    switch (event->kind) {
    case SIM_EV_PIECE:
        on_piece(conn, event->index);
        return;
    case SIM_EV_SPACE:
        on_space(conn, event->index);
        return;
    case SIM_EV_SYN:
        on_syn(conn);
        return;
    case SIM_EV_SYN_ACK:
        on_syn_ack(conn);
        return;
    case SIM_EV_ACK:
        accept_now(conn);
        return;
    case SIM_EV_REFUSED:
        on_connect_failure(conn, SY_ERR_CONNECT);
        return;
    case SIM_EV_NO_ANSWER:
        on_connect_failure(conn, SY_ERR_CONNECT_TIMEOUT);
        return;
    case SIM_EV_RESET:
        on_reset(conn, event->index);
        return;
    case SIM_EV_TURN:
    case SIM_EV_NAME:
    case SIM_EV_WORKER:
    case SIM_EV_ACTION:
        break;
    }
    sim_fail("event kind %d is not of a connection", (int)event->kind);
}
