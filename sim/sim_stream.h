/* SPDX-License-Identifier: Apache-2.0 */
/* Events and connections of the simulated network; part of sim_internal.h. */
#ifndef SY_SIM_STREAM_H
#define SY_SIM_STREAM_H

#include <switchyard/sim.h>

typedef struct sy_sim_conn sy_sim_conn;

/* ---- Events ------------------------------------------------------------------------------------
 */

typedef enum sy_sim_event_kind {
    SY_SIM_EV_TURN,      /* of a node */
    SY_SIM_EV_PIECE,     /* the next piece of a pipe is there */
    SY_SIM_EV_SPACE,     /* the sender of a pipe hears of free space */
    SY_SIM_EV_SYN,       /* reaches the listener */
    SY_SIM_EV_SYN_ACK,   /* reaches the dialer */
    SY_SIM_EV_ACK,       /* reaches the listener: accepted */
    SY_SIM_EV_REFUSED,   /* reaches the dialer */
    SY_SIM_EV_NO_ANSWER, /* the dialer's system gives up */
    SY_SIM_EV_RESET,     /* reaches an end */
    SY_SIM_EV_NAME,      /* an answer of the resolver */
    SY_SIM_EV_WORKER,    /* of an isolated reactor; conn is its number */
    SY_SIM_EV_ACTION,    /* of the scenario */
} sy_sim_event_kind;

typedef struct sy_sim_event {
    sy_time at;
    uint64_t seq; /* order among equals */
    sy_sim_event_kind kind;
    uint32_t index; /* end, pipe */
    union {
        uint64_t conn; /* reference: slot and generation; of WORKER its number */
        sy_sim_action action;
    };
    union {
        sy_sim_node *node; /* TURN, WORKER */
        void *user;        /* NAME, ACTION */
    };
} sy_sim_event;

/* ---- TCP ---------------------------------------------------------------------------------------
 */

typedef struct sy_sim_piece {
    sy_time at;
    size_t len;
    bool fin;
} sy_sim_piece;

/* One direction.  bytes[head..] are first those that arrived and were not read, then those under
 * way. */
typedef struct sy_sim_pipe {
    uint8_t *bytes;
    size_t head;
    size_t len; /* bytes behind head */
    size_t cap;
    size_t arrived;    /* of len */
    size_t scheduled;  /* of len: in pieces or arrived; the rest is held by `mute_after` */
    size_t buffer;     /* limit of len */
    size_t mute_after; /* bytes that ever leave */
    size_t sent_total;
    sy_sim_piece *pieces; /* ring */
    size_t piece_head;
    size_t piece_count;
    size_t piece_cap;
    sy_time last_at; /* of the last piece: order is kept */
    sy_duration latency;
    bool event_due; /* a PIECE event stands in the heap */
    bool held;      /* the next piece waits for a partition, or for a dead host */
    bool space_due;
    uint64_t read_total; /* bytes that were read */
    uint64_t flip_at;    /* offset of the first changed byte; UINT64_MAX: none */
} sy_sim_pipe;

typedef struct sy_sim_end {
    sy_sim_conn *conn;
    uint32_t index;    /* 0 dialed, 1 accepted */
    sy_sim_node *node; /* NULL: raw */
    sy_sim_raw *raw;
    uint32_t life; /* of the node */
    sy_stream_ref ref;
    sy_endpoint address;
    bool open;      /* held by its driver */
    bool vanished;  /* its host went down with it */
    bool forgotten; /* vanished, and will not even be reset */
    bool accept_due;
    bool connected_due;
    sy_err failed_due; /* SY_OK: not */
    bool told;         /* the switch knows its stream */
    bool reading;
    bool dry_due;
    bool blocked;  /* a write was short */
    bool more_due; /* a write said that more follows */
    bool writable_due;
    bool fin_sent;
    bool fin_seen;
    bool reset_seen;
    bool end_told;
    bool in_ready;
    struct sy_sim_end *next_ready;
    struct sy_sim_end *node_prev; /* of the ends of its node, oldest first */
    struct sy_sim_end *node_next;
} sy_sim_end;

/* Messages that were queued on a connection and not yet delivered, per direction and channel. */
typedef struct sy_sim_sent {
    struct sy_sim_sent *next;
    uint64_t hash;
    size_t len;
} sy_sim_sent;

typedef struct sy_sim_sent_queue {
    struct sy_sim_sent_queue *next;
    uint8_t channel;
    sy_sim_sent *first;
    sy_sim_sent *last;
} sy_sim_sent_queue;

struct sy_sim_conn {
    sy_sim_net *net;
    uint32_t slot;
    uint32_t generation;
    uint64_t number;     /* for the trace */
    bool established;    /* the dialer has its answer */
    bool accept_pending; /* the listener waits for the last word */
    unsigned syn_tries;
    sy_sim_end end[2];
    sy_sim_pipe pipe[2]; /* pipe[i]: from end[i] */
    sy_sim_sent_queue *sent[2];
};

struct sy_sim_raw {
    sy_sim_net *net;
    sy_sim_raw *next;
    uint64_t conn;
    bool connected;
    bool ended;
    size_t received;
};

/* ---- sim_heap.c */

/* Not for TURN.  The caller fills in the rest at once: what it sets does not matter for the order.
 */
sy_sim_event *sy_sim_push(sy_sim_net *net, sy_time at, sy_sim_event_kind kind);
sy_sim_event sy_sim_pop(sy_sim_net *net);

/* The one TURN event of a node, made or moved; and away with it. */
void sy_sim_set_turn(sy_sim_node *node, sy_time at);
void sy_sim_clear_turn(sy_sim_node *node);

/* ---- sim_conn.c, sim_stream.c */
sy_sim_conn *sy_sim_conn_new(sy_sim_net *net);
uint64_t sy_sim_conn_ref(const sy_sim_conn *conn);
sy_sim_conn *sy_sim_conn_of(const sy_sim_net *net, uint64_t ref);
sy_sim_end *sy_sim_connect(sy_sim_net *net, sy_sim_node *node, sy_sim_raw *raw,
                           const sy_endpoint *from, const sy_endpoint *to);
size_t sy_sim_end_write(sy_sim_end *end, const uint8_t *data, size_t len);
size_t sy_sim_end_read(sy_sim_end *end, uint8_t *out, size_t cap);
size_t sy_sim_end_unread(const sy_sim_end *end);
void sy_sim_end_shutdown(sy_sim_end *end);
void sy_sim_end_close(sy_sim_end *end, bool abort);
void sy_sim_end_vanish(sy_sim_end *end, bool forgotten);
void sy_sim_conn_reset(sy_sim_conn *conn);
void sy_sim_conn_release(sy_sim_conn *conn);
void sy_sim_conn_tidy(sy_sim_conn *conn);
void sy_sim_conn_host_back(sy_sim_conn *conn, uint32_t index);
void sy_sim_end_join(sy_sim_end *end, sy_sim_node *node);
void sy_sim_conn_unheld(sy_sim_conn *conn);
void sy_sim_on_conn_event(sy_sim_net *net, const sy_sim_event *event);

#endif
