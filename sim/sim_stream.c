/* SPDX-License-Identifier: Apache-2.0 */
/* TCP as its users see it: bytes arrive in order or not at all, in pieces of any size, late;
 * buffers are finite; an end is seen after what was sent before it; a reset cuts off what is under
 * way.  A host that is cut off or down answers nothing, and its bytes are tried again later. */
#include "sim/sim_internal.h"

#include <string.h>

#define PIECES_PER_WRITE 128 /* bounds the events of one large write */
#define SYN_TRIES_MAX    6   /* 1 + 2 + 4 + ... s, then the system gives up */
#define IDLE_CAP         256 /* bytes that an idle pipe keeps */
#define RETRY_MAX        (1 * SY_SEC)
#define RETRY_LATE_MAX   (30 * SY_SEC) /* towards a host that was down for long */

/* ---- Bytes under way ---------------------------------------------------------------------------
 */

static void push_bytes(sy_sim_pipe *pipe, const uint8_t *data, size_t len) {
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
            pipe->bytes = sy_sim_grow(pipe->bytes, pipe->cap, 1);
        }
    }
    memcpy(pipe->bytes + pipe->head + pipe->len, data, len);
    pipe->len += len;
}

static void push_piece(sy_sim_pipe *pipe, sy_sim_piece piece) {
    if (pipe->piece_count == pipe->piece_cap) {
        const size_t cap = pipe->piece_cap == 0 ? 16 : pipe->piece_cap * 2;
        sy_sim_piece *pieces = sy_sim_grow(NULL, cap, sizeof *pieces);
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

static void schedule_front(sy_sim_conn *conn, uint32_t index, sy_time not_before) {
    sy_sim_pipe *pipe = &conn->pipe[index];
    if (pipe->piece_count == 0 || pipe->event_due || pipe->held) {
        return;
    }
    sy_sim_event *event = sy_sim_push(
        conn->net, sy_time_max(pipe->pieces[pipe->piece_head].at, not_before), SY_SIM_EV_PIECE);
    event->conn = sy_sim_conn_ref(conn);
    event->index = index;
    pipe->event_due = true;
}

static void send_piece(sy_sim_conn *conn, uint32_t index, size_t len, bool fin) {
    sy_sim_net *net = conn->net;
    sy_sim_pipe *pipe = &conn->pipe[index];
    sy_time at = sy_time_after(net->now, pipe->latency);
    at = sy_time_after(at, sy_sim_between(&net->tcp, 0, net->options.jitter_max));
    at = sy_time_max(at, pipe->last_at);
    if (net->options.bandwidth != 0) {
        at = sy_time_after(at, len * SY_SEC / net->options.bandwidth);
    }
    pipe->last_at = at;
    push_piece(pipe, (sy_sim_piece){.at = at, .len = len, .fin = fin});
    schedule_front(conn, index, 0);
}

static size_t draw_piece(sy_sim_net *net, size_t len) {
    const size_t max = net->options.piece_max;
    if (max == 0 || len <= 1) {
        return len;
    }
    const size_t least = len / PIECES_PER_WRITE;
    const size_t drawn = 1 + (size_t)sy_prng_below(&net->tcp, max);
    const size_t piece = drawn > least ? drawn : least;
    return piece < len ? piece : len;
}

static bool is_muted(const sy_sim_pipe *pipe) {
    return pipe->mute_after != SIZE_MAX && pipe->sent_total >= pipe->mute_after;
}

/* Everything that has not left yet is lost; what is on the wire arrives. */
static void cut_off(sy_sim_conn *conn, uint32_t index) {
    sy_sim_pipe *pipe = &conn->pipe[index];
    const sy_time horizon = sy_time_after(conn->net->now, pipe->latency);
    size_t kept = 0;
    size_t bytes = pipe->arrived;
    while (kept < pipe->piece_count && !pipe->held) {
        const sy_sim_piece *piece = &pipe->pieces[(pipe->piece_head + kept) % pipe->piece_cap];
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

size_t sy_sim_end_unread(const sy_sim_end *end) {
    return end->conn->pipe[1 - end->index].arrived;
}

/* Writes what fits. */
size_t sy_sim_end_write(sy_sim_end *end, const uint8_t *data, size_t len) {
    sy_sim_conn *conn = end->conn;
    sy_sim_pipe *pipe = &conn->pipe[end->index];
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

size_t sy_sim_end_read(sy_sim_end *end, uint8_t *out, size_t cap) {
    sy_sim_conn *conn = end->conn;
    const uint32_t from = 1 - end->index;
    sy_sim_pipe *pipe = &conn->pipe[from];
    const size_t len = pipe->arrived < cap ? pipe->arrived : cap;

    if (len == 0) {
        return 0;
    }
    memcpy(out, pipe->bytes + pipe->head, len);
    pipe->head += len;
    pipe->len -= len;
    pipe->arrived -= len;
    pipe->read_total += len;
    if (pipe->len == 0 && pipe->cap > IDLE_CAP) {
        sy_mem_release(sy_mem_libc(), pipe->bytes);
        pipe->bytes = NULL;
        pipe->cap = pipe->head = 0;
    }
    if (conn->end[from].blocked && !pipe->space_due) {
        sy_sim_event *event =
            sy_sim_push(conn->net, sy_time_after(conn->net->now, pipe->latency), SY_SIM_EV_SPACE);
        event->conn = sy_sim_conn_ref(conn);
        event->index = from;
        pipe->space_due = true;
    }
    return len;
}

/* ---- Ends --------------------------------------------------------------------------------------
 */

/* Tells the other end that there is nobody here; a reset is not repeated. */
static void send_reset(sy_sim_conn *conn, uint32_t to) {
    const sy_sim_pipe *pipe = &conn->pipe[1 - to];
    if (is_muted(pipe)) {
        return;
    }
    const sy_time at = sy_time_max(sy_time_after(conn->net->now, pipe->latency), pipe->last_at);
    sy_sim_event *event = sy_sim_push(conn->net, at, SY_SIM_EV_RESET);
    event->conn = sy_sim_conn_ref(conn);
    event->index = to;
}

void sy_sim_end_shutdown(sy_sim_end *end) {
    if (end->fin_sent) {
        return;
    }
    end->fin_sent = true;
    if (!is_muted(&end->conn->pipe[end->index])) {
        send_piece(end->conn, end->index, 0, true);
    }
}

void sy_sim_end_close(sy_sim_end *end, bool abort) {
    sy_sim_conn *conn = end->conn;
    end->open = false;
    if (end->vanished) {
        return; /* its host is down: nothing reaches the network */
    }
    if (end->index == 0 && !conn->established) {
        sy_sim_conn_tidy(conn);
        return;
    }
    if (!end->reset_seen) {
        if (abort || sy_sim_end_unread(end) > 0) {
            cut_off(conn, end->index);
            send_reset(conn, 1 - end->index);
        } else {
            sy_sim_end_shutdown(end);
        }
    }
    sy_sim_pipe *in = &conn->pipe[1 - end->index];
    in->head += in->arrived;
    in->len -= in->arrived;
    in->arrived = 0;
    sy_sim_conn_tidy(conn);
}

/* The host is gone.  The caller releases the connection later, when its driver is through. */
void sy_sim_end_vanish(sy_sim_end *end, bool forgotten) {
    sy_sim_conn *conn = end->conn;
    end->vanished = true;
    end->forgotten = forgotten;
    if (conn->established) {
        cut_off(conn, end->index);
    }
}

static void lose(sy_sim_end *end) {
    if (!end->open || end->vanished || end->reset_seen) {
        return;
    }
    end->reset_seen = true;
    sy_sim_pipe *out = &end->conn->pipe[end->index];
    out->piece_count = 0;
    out->len = out->arrived;
    out->held = false;
    if (end->raw != NULL) {
        end->raw->ended = true;
    }
    sy_sim_ready(end);
}

/* Something in the middle breaks the connection: both ends hear of it at once. */
void sy_sim_conn_reset(sy_sim_conn *conn) {
    sy_sim_trace(conn->net, NULL, "reset conn=%llu", (unsigned long long)conn->number);
    if (conn->accept_pending) {
        return;
    }
    lose(&conn->end[0]);
    lose(&conn->end[1]);
}

/* One bit of what was not read yet. */
static bool flip_in(sy_sim_conn *conn, uint32_t from) {
    sy_sim_pipe *pipe = &conn->pipe[from];
    const sy_sim_end *to = &conn->end[1 - from];
    if (pipe->len == 0 || !conn->established || to->node == NULL || to->vanished) {
        return false;
    }
    const size_t at = (size_t)sy_prng_below(&conn->net->tcp, pipe->len);
    const unsigned bit = (unsigned)sy_prng_below(&conn->net->tcp, 8);
    pipe->bytes[pipe->head + at] ^= (uint8_t)(1u << bit);
    if (pipe->flip_at > pipe->read_total + at) {
        pipe->flip_at = pipe->read_total + at;
    }
    to->node->totals.flips++;
    sy_sim_trace(conn->net, to->node, "flip conn=%llu offset=%llu bit=%u",
                 (unsigned long long)conn->number, (unsigned long long)(pipe->read_total + at),
                 bit);
    return true;
}

static bool speaks_plain(const sy_sim_node *node) {
    for (size_t i = 0; i < node->settings.profile_count; i++) {
        if (strcmp(node->settings.profiles[i], "plain") == 0) {
            return true;
        }
    }
    return false;
}

size_t sy_sim_flip(sy_sim_node *a, sy_sim_node *b) {
    size_t count = 0;
    if (speaks_plain(a) || speaks_plain(b)) {
        return 0;
    }
    for (sy_sim_end *end = a->first_end; end != NULL && count == 0; end = end->node_next) {
        if (end->conn->end[1 - end->index].node == b) {
            const uint32_t first = (uint32_t)sy_prng_below(&a->net->tcp, 2);
            count = flip_in(end->conn, first) || flip_in(end->conn, 1 - first);
        }
    }
    return count;
}

void sy_sim_conn_host_back(sy_sim_conn *conn, uint32_t index) {
    sy_sim_pipe *towards = &conn->pipe[1 - index];
    if (conn->end[index].vanished && !conn->end[index].forgotten && towards->held) {
        towards->held = false;
        schedule_front(
            conn, 1 - index,
            sy_time_after(conn->net->now, sy_sim_between(&conn->net->tcp, 0, RETRY_LATE_MAX)));
    }
}

void sy_sim_conn_unheld(sy_sim_conn *conn) {
    for (uint32_t i = 0; i < 2; i++) {
        sy_sim_pipe *pipe = &conn->pipe[i];
        if (pipe->held && !conn->end[1 - i].vanished) {
            pipe->held = false;
            schedule_front(
                conn, i,
                sy_time_after(conn->net->now, sy_sim_between(&conn->net->tcp, 0, RETRY_MAX)));
        }
    }
}

/* ---- Opening -----------------------------------------------------------------------------------
 */

static void push_step(sy_sim_conn *conn, sy_sim_event_kind kind, sy_duration delay) {
    sy_sim_event *event = sy_sim_push(conn->net, sy_time_after(conn->net->now, delay), kind);
    event->conn = sy_sim_conn_ref(conn);
}

sy_sim_end *sy_sim_connect(sy_sim_net *net, sy_sim_node *node, sy_sim_raw *raw,
                           const sy_endpoint *from, const sy_endpoint *to) {
    sy_sim_conn *conn = sy_sim_conn_new(net);
    sy_sim_end *end = &conn->end[0];
    if (node != NULL) {
        sy_sim_end_join(end, node);
    }
    end->raw = raw;
    end->address = *from;
    end->open = true;
    conn->pipe[0].mute_after = node == NULL ? SIZE_MAX : node->mute_after;
    conn->end[1].address = *to;
    push_step(conn, SY_SIM_EV_SYN, conn->pipe[0].latency);
    return end;
}

static bool cannot_reach(const sy_sim_net *net, const sy_sim_node *from, const sy_sim_node *to) {
    return to == NULL || !to->host_up || (from != NULL && sy_sim_is_blocked(net, from, to));
}

static bool has_listener(const sy_sim_node *node, const sy_endpoint *address) {
    for (const sy_sim_listener *l = node->listeners; l != NULL; l = l->next) {
        if (l->address.port == address->port) {
            return true;
        }
    }
    return false;
}

static void on_syn(sy_sim_conn *conn) {
    sy_sim_net *net = conn->net;
    sy_sim_node *host = sy_sim_host_at(net, &conn->end[1].address);
    const sy_sim_node *dialer = conn->end[0].node;
    if (cannot_reach(net, dialer, host) ||
        (dialer != NULL && sy_sim_is_blocked(net, host, dialer))) {
        const sy_duration wait = SY_SEC << conn->syn_tries;
        push_step(conn, ++conn->syn_tries > SYN_TRIES_MAX ? SY_SIM_EV_NO_ANSWER : SY_SIM_EV_SYN,
                  wait);
        return;
    }
    if (!has_listener(host, &conn->end[1].address)) {
        push_step(conn, SY_SIM_EV_REFUSED, conn->pipe[1].latency);
        return;
    }
    sy_sim_end_join(&conn->end[1], host);
    conn->pipe[1].mute_after = host->mute_after;
    push_step(conn, SY_SIM_EV_SYN_ACK, conn->pipe[1].latency);
}

static void on_syn_ack(sy_sim_conn *conn) {
    sy_sim_end *end = &conn->end[0];
    conn->established = true;
    conn->accept_pending = true;
    if (end->raw != NULL) {
        end->raw->connected = true;
    } else {
        end->connected_due = true;
        sy_sim_ready(end);
    }
    push_step(conn, SY_SIM_EV_ACK, conn->pipe[0].latency);
    conn->pipe[0].last_at = sy_time_after(conn->net->now, conn->pipe[0].latency);
}

/* The last word of the opening reaches the listener; data may bring it too. */
static void accept_now(sy_sim_conn *conn) {
    sy_sim_end *end = &conn->end[1];
    sy_sim_node *host = end->node;
    if (!conn->accept_pending) {
        return;
    }
    if (cannot_reach(conn->net, conn->end[0].node, host) && conn->end[0].open) {
        push_step(conn, SY_SIM_EV_ACK, SY_SEC);
        return;
    }
    conn->accept_pending = false;
    if (end->life != host->life || !has_listener(host, &end->address)) {
        send_reset(conn, 0);
        sy_sim_conn_tidy(conn);
        return;
    }
    end->open = true;
    end->accept_due = true;
    sy_sim_ready(end);
}

static void on_connect_failure(sy_sim_conn *conn, sy_err err) {
    sy_sim_end *end = &conn->end[0];
    if (end->raw != NULL) {
        end->raw->ended = true;
        return;
    }
    end->failed_due = err;
    sy_sim_ready(end);
}

/* ---- Arrivals ----------------------------------------------------------------------------------
 */

static bool is_unreachable(const sy_sim_conn *conn, uint32_t from) {
    const sy_sim_end *sender = &conn->end[from];
    const sy_sim_end *receiver = &conn->end[1 - from];
    if (receiver->vanished && (receiver->forgotten || !receiver->node->host_up)) {
        return true;
    }
    return sender->node != NULL && receiver->node != NULL &&
           sy_sim_is_blocked(conn->net, sender->node, receiver->node);
}

static void swallow(sy_sim_end *end) {
    sy_sim_pipe *in = &end->conn->pipe[1 - end->index];
    end->raw->received += in->arrived;
    in->head += in->arrived;
    in->len -= in->arrived;
    in->arrived = 0;
    end->raw->ended = end->raw->ended || end->fin_seen;
}

static void take_piece(sy_sim_conn *conn, uint32_t from) {
    sy_sim_pipe *pipe = &conn->pipe[from];
    const sy_sim_piece piece = pipe->pieces[pipe->piece_head];
    pipe->piece_head = (pipe->piece_head + 1) % pipe->piece_cap;
    pipe->piece_count--;
    pipe->arrived += piece.len;
    if (piece.fin) {
        conn->end[1 - from].fin_seen = true;
    }
}

/* Bytes for an end that is gone: the sender learns it. */
static void bounce(sy_sim_conn *conn, uint32_t from) {
    sy_sim_pipe *pipe = &conn->pipe[from];
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

static void on_piece(sy_sim_conn *conn, uint32_t from) {
    sy_sim_net *net = conn->net;
    sy_sim_pipe *pipe = &conn->pipe[from];
    sy_sim_end *receiver = &conn->end[1 - from];

    pipe->event_due = false;
    if (pipe->piece_count == 0) {
        return;
    }
    if (is_unreachable(conn, from)) {
        pipe->held = true;
        return;
    }
    if (receiver->index == 1 && conn->accept_pending) {
        const uint64_t ref = sy_sim_conn_ref(conn);
        accept_now(conn);
        if (sy_sim_conn_of(net, ref) == NULL) {
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
        sy_sim_ready(receiver);
    }
}

static void on_space(sy_sim_conn *conn, uint32_t index) {
    sy_sim_end *end = &conn->end[index];
    conn->pipe[index].space_due = false;
    if (end->open && end->blocked && !end->reset_seen) {
        end->blocked = false;
        end->writable_due = true;
        sy_sim_ready(end);
    }
}

static void on_reset(sy_sim_conn *conn, uint32_t index) {
    const sy_sim_end *end = &conn->end[index];
    const sy_sim_end *other = &conn->end[1 - index];
    if (end->node != NULL && other->node != NULL &&
        sy_sim_is_blocked(conn->net, other->node, end->node)) {
        return; /* lost; the next byte will bring another one */
    }
    lose(&conn->end[index]);
}

void sy_sim_on_conn_event(sy_sim_net *net, const sy_sim_event *event) {
    sy_sim_conn *conn = sy_sim_conn_of(net, event->conn);
    if (conn == NULL) {
        return;
    }
    switch (event->kind) {
    case SY_SIM_EV_PIECE:
        on_piece(conn, event->index);
        return;
    case SY_SIM_EV_SPACE:
        on_space(conn, event->index);
        return;
    case SY_SIM_EV_SYN:
        on_syn(conn);
        return;
    case SY_SIM_EV_SYN_ACK:
        on_syn_ack(conn);
        return;
    case SY_SIM_EV_ACK:
        accept_now(conn);
        return;
    case SY_SIM_EV_REFUSED:
        on_connect_failure(conn, SY_ERR_CONNECT);
        return;
    case SY_SIM_EV_NO_ANSWER:
        on_connect_failure(conn, SY_ERR_CONNECT_TIMEOUT);
        return;
    case SY_SIM_EV_RESET:
        on_reset(conn, event->index);
        return;
    case SY_SIM_EV_TURN:
    case SY_SIM_EV_NAME:
    case SY_SIM_EV_WORKER:
    case SY_SIM_EV_ACTION:
        break;
    }
    sy_sim_fail("event kind %d is not of a connection", (int)event->kind);
}
