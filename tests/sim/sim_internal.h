/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the simulator.
 *
 *   sim_net.c       event heap, clock, run loop, hosts and partitions
 *   sim_stream.c    TCP: connections, pieces, buffers, ends, resets
 *   sim_driver.c    the driver operations and the turns of a node
 *   sim_node.c      nodes: settings, start, stop, crash, dialing
 *   sim_worker.c    workers of isolated reactors
 *   sim_names.c     the scripted resolver
 *   sim_recorder.c  the recording reactors and what they check
 *   sim_watch.c     events and ends of connections, limits, leftovers
 *   sim_trace.c     the trace and its hash
 *   sim_scenario.c  programs of scenarios, failures */
#ifndef SY_TESTS_SIM_INTERNAL_H
#define SY_TESTS_SIM_INTERNAL_H

#include <sodium.h>

#include "base/prng.h"
#include "tests/sim/sim.h"
#include "tests/support/test_mem.h"

typedef struct sim_conn sim_conn;
typedef struct sim_worker sim_worker;

/* ---- Events ------------------------------------------------------------------------------------
 */

typedef enum sim_event_kind {
    SIM_EV_TURN,      /* of a node */
    SIM_EV_PIECE,     /* the next piece of a pipe is there */
    SIM_EV_SPACE,     /* the sender of a pipe hears of free space */
    SIM_EV_SYN,       /* reaches the listener */
    SIM_EV_SYN_ACK,   /* reaches the dialer */
    SIM_EV_ACK,       /* reaches the listener: accepted */
    SIM_EV_REFUSED,   /* reaches the dialer */
    SIM_EV_NO_ANSWER, /* the dialer's system gives up */
    SIM_EV_RESET,     /* reaches an end */
    SIM_EV_NAME,      /* an answer of the resolver */
    SIM_EV_WORKER,    /* of an isolated reactor; conn is its number */
    SIM_EV_ACTION,    /* of the scenario */
} sim_event_kind;

typedef struct sim_event {
    sy_time at;
    uint64_t seq; /* order among equals */
    sim_event_kind kind;
    uint32_t index; /* end, pipe */
    uint64_t conn;  /* reference: slot and generation */
    sim_node *node;
    sim_action action;
    void *user;
} sim_event;

/* ---- TCP ---------------------------------------------------------------------------------------
 */

typedef struct sim_piece {
    sy_time at;
    size_t len;
    bool fin;
} sim_piece;

/* One direction.  bytes[head..] are first those that arrived and were not read, then those under
 * way. */
typedef struct sim_pipe {
    uint8_t *bytes;
    size_t head;
    size_t len; /* bytes behind head */
    size_t cap;
    size_t arrived;    /* of len */
    size_t scheduled;  /* of len: in pieces or arrived; the rest is held by `mute_after` */
    size_t buffer;     /* limit of len */
    size_t mute_after; /* bytes that ever leave */
    size_t sent_total;
    sim_piece *pieces; /* ring */
    size_t piece_head;
    size_t piece_count;
    size_t piece_cap;
    sy_time last_at; /* of the last piece: order is kept */
    sy_duration latency;
    bool event_due; /* a PIECE event stands in the heap */
    bool held;      /* the next piece waits for a partition, or for a dead host */
    bool space_due;
} sim_pipe;

typedef struct sim_end {
    sim_conn *conn;
    uint32_t index; /* 0 dialed, 1 accepted */
    sim_node *node; /* NULL: raw */
    sim_raw *raw;
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
    bool blocked; /* a write was short */
    bool writable_due;
    bool fin_sent;
    bool fin_seen;
    bool reset_seen;
    bool end_told;
    bool in_ready;
    struct sim_end *next_ready;
} sim_end;

/* Messages that were queued on a connection and not yet delivered, per direction and channel. */
typedef struct sim_sent {
    struct sim_sent *next;
    uint64_t hash;
    size_t len;
} sim_sent;

typedef struct sim_sent_queue {
    struct sim_sent_queue *next;
    uint8_t channel;
    sim_sent *first;
    sim_sent *last;
} sim_sent_queue;

struct sim_conn {
    sim_net *net;
    uint32_t slot;
    uint32_t generation;
    uint64_t number;     /* for the trace */
    bool established;    /* the dialer has its answer */
    bool accept_pending; /* the listener waits for the last word */
    unsigned syn_tries;
    sim_end end[2];
    sim_pipe pipe[2]; /* pipe[i]: from end[i] */
    sim_sent_queue *sent[2];
};

struct sim_raw {
    sim_net *net;
    sim_raw *next;
    uint64_t conn;
    bool connected;
    bool ended;
    size_t received;
};

/* ---- Names -------------------------------------------------------------------------------------
 */

typedef struct sim_name_window {
    struct sim_name_window *next;
    sim_name_fault fault;
    sy_time from;
    sy_time until;
} sim_name_window;

typedef struct sim_name {
    struct sim_name *next;
    char text[SY_HOST_MAX + 1];
    sy_endpoint address[SY_RESOLVE_MAX];
    size_t count;
    uint64_t asked;
    sim_name_window *windows;
} sim_name;

typedef struct sim_lookup {
    struct sim_lookup *next;
    sy_resolve_ref ref;
    sim_node *node;
    uint32_t life;
    char host[SY_HOST_MAX + 1];
    bool answered; /* waits for the turn */
    sy_err err;
    sy_endpoint address[SY_RESOLVE_MAX];
    size_t count;
} sim_lookup;

/* ---- Recording ---------------------------------------------------------------------------------
 */

typedef struct sim_peer_note {
    struct sim_peer_note *next;
    sy_peer_ref ref;
    sy_node_id id;
    int phase;
} sim_peer_note;

typedef struct sim_recorder {
    sim_node *node;
    size_t index;
    sy_reactor_ops ops;
    sy_channel_desc channels[16];
    size_t channel_count;
    sim_peer_note *peers;
    unsigned fail_inits;
    sy_err fail_code;
    bool started;
} sim_recorder;

/* What the events of one connection of a node have said so far. */
typedef struct sim_event_note {
    uint32_t generation;
    unsigned seen; /* bits of sy_event_kind */
    bool ended;
} sim_event_note;

typedef struct sim_post_note {
    struct sim_post_note *next;
    sy_peer_ref ref;
    uint8_t channel;
    size_t len;
} sim_post_note;

typedef struct sim_listener {
    struct sim_listener *next;
    sim_node *node;
    sy_endpoint address;
} sim_listener;

typedef struct sim_config_peer {
    struct sim_config_peer *next;
    sy_addr addr;
} sim_config_peer;

struct sim_node {
    sim_net *net;
    sim_node *next;
    uint32_t index;
    char name[32];
    sy_settings settings;
    sy_node_key key;
    sy_node_id id;
    sy_endpoint endpoint;
    sy_endpoint wildcard;
    bool listens_anywhere;
    uint16_t next_port;
    size_t mute_after;
    unsigned fail_connects;
    struct {
        sy_event_kind kind;
        sy_duration delay;
        sim_action fn; /* NULL: none */
        void *user;
    } on_event;
    sim_attach_fn attach; /* may be NULL */
    void *attach_user;

    test_mem tm;
    sy_switch *sw;      /* NULL: not running */
    uint32_t life;      /* counts starts */
    size_t idle_memory; /* budget of the switch without connections */
    bool host_up;
    bool stopping;
    bool dropping; /* sy_switch_del runs: it is not told the time */
    bool in_turn;
    sy_prng prng; /* the driver's random bytes */
    sim_listener *listeners;
    sim_config_peer *config_peers;

    sy_time wake_at;   /* SY_NEVER: asleep */
    sy_time pushed_at; /* a TURN event of this instant is in the heap */
    sy_time timer_for; /* the deadline that timer_at was drawn for */
    sy_time timer_at;
    sy_time paused_until;
    sim_end *ready_first;
    sim_end *ready_last;
    bool answers_due;

    sim_end **ends_by_slot; /* streams by the slot of their ref */
    size_t ends_cap;

    sim_worker *workers;
    sy_time workers_asleep_until;
    bool posted; /* the next turn is to report it */

    sim_recorder recorder[SIM_REACTORS];
    struct {
        const sy_reactor_ops *ops;
        void *reactor;
        bool isolated;
    } own[SIM_OWN_REACTORS_MAX];
    size_t own_count;
    sim_event_note *events;
    size_t events_cap;
    size_t open_notes; /* connections that began and have not ended */
    sim_post_note *posts;
    sim_totals totals;
    sim_end_note *end_notes; /* ring of SIM_ENDS_KEPT */
    uint64_t end_note_count;
    uint64_t end_note_base; /* forgotten */
};

typedef struct sim_block_note {
    struct sim_block_note *next;
    const sim_node *from;
    const sim_node *to;
} sim_block_note;

struct sim_net {
    sim_options options;
    sy_time now;
    uint64_t next_seq;
    uint64_t event_count;
    sim_event *heap;
    size_t heap_count;
    size_t heap_cap;

    sy_prng tcp; /* one generator per concern, all from the seed */
    sy_prng turns;
    sy_prng names_prng;
    sy_prng scenario;

    sim_node *nodes; /* in order of making */
    sim_node *last_node;
    uint32_t node_count;
    sim_conn **conns;
    uint32_t *conn_generations;
    uint32_t conn_cap;
    uint32_t *free_conns;
    uint32_t free_conn_count;
    uint32_t conn_count;
    uint64_t conn_number;
    uint64_t worker_number;
    sim_block_note *blocks;
    sim_name *names;
    sim_lookup *lookups;
    sim_raw *raws;
    uint8_t *read_area;

    crypto_hash_sha256_state hash;
};

#define SIM_WALL_EPOCH_NS INT64_C(1500000000000000000) /* wall clock at virtual instant 0 */

#define SIM_READ_CAP      65536
#define SIM_READ_TURN     ((size_t)256 * 1024) /* bytes reported of one stream in a turn */

/* ---- sim_net.c */
void *sim_alloc(size_t size);
void *sim_grow(void *ptr, size_t count, size_t size);
sim_event *sim_push(sim_net *net, sy_time at, sim_event_kind kind);
bool sim_is_blocked(const sim_net *net, const sim_node *from, const sim_node *to);
sim_node *sim_host_at(const sim_net *net, const sy_endpoint *endpoint);
sy_duration sim_between(sy_prng *prng, sy_duration from, sy_duration to);
uint64_t sim_seed_for(const sim_net *net, const char *concern, uint64_t number);

/* ---- sim_worker.c */
void sim_on_worker_event(const sim_event *event);
sy_err sim_worker_start(void *driver, sy_switch *sw, const char *name, sy_worker_run run, void *arg,
                        void **ret_worker);
void sim_worker_wake(void *driver, void *worker);
void sim_worker_lock(void *driver, void *worker);
void sim_worker_unlock(void *driver, void *worker);
void sim_worker_stop(void *driver, void *worker);
void sim_post_to_loop(void *driver, sy_switch *sw);

/* ---- sim_stream.c */
uint64_t sim_conn_ref(const sim_conn *conn);
sim_conn *sim_conn_of(const sim_net *net, uint64_t ref);
sim_end *sim_connect(sim_net *net, sim_node *node, sim_raw *raw, const sy_endpoint *from,
                     const sy_endpoint *to);
size_t sim_end_write(sim_end *end, const uint8_t *data, size_t len);
size_t sim_end_read(sim_end *end, uint8_t *out, size_t cap);
size_t sim_end_unread(const sim_end *end);
void sim_end_shutdown(sim_end *end);
void sim_end_close(sim_end *end, bool abort);
void sim_end_vanish(sim_end *end, bool forgotten);
void sim_conn_reset(sim_conn *conn);
void sim_conn_release(sim_conn *conn);
void sim_conn_tidy(sim_conn *conn);
void sim_conn_host_back(sim_conn *conn, uint32_t index);
void sim_conn_unheld(sim_conn *conn);
void sim_on_conn_event(sim_net *net, const sim_event *event);

/* ---- sim_driver.c */
extern const sy_driver_ops sim_driver_ops;
void sim_wake(sim_node *node, sy_time at);
void sim_ready(sim_end *end);
void sim_turn(sim_node *node);
void sim_forget_streams(sim_node *node);
sim_end *sim_end_of_ref(const sim_node *node, uint32_t slot, uint32_t generation);
void sim_remember_end(sim_node *node, sim_end *end);

/* ---- sim_names.c */
sy_err sim_resolve(void *driver, sy_resolve_ref ref, const char *host);
void sim_resolve_cancel(void *driver, sy_resolve_ref ref);
void sim_on_name_event(sim_net *net, sim_lookup *lookup);
void sim_report_answers(sim_node *node);
void sim_names_forget(sim_node *node);
void sim_names_del(sim_net *net);

/* ---- sim_recorder.c */
void sim_recorder_init(sim_node *node);
void sim_recorder_check_over(const sim_node *node);
void sim_posts_drop(sim_node *node, const sy_peer_ref *ref);
void sim_sent_del(sim_conn *conn);

/* ---- sim_watch.c */
void sim_watch(void *user, const sy_event *event, sy_time now);
void sim_watch_turn(sim_node *node);
void sim_watch_over(sim_node *node);
void sim_watch_del(sim_node *node);
void sim_log_sink(void *user, const sy_log_record *record);

/* ---- sim_node.c */
void sim_node_finish(sim_node *node);
void sim_node_del(sim_node *node);

/* ---- sim_trace.c */
void sim_trace_init(sim_net *net);
void sim_trace(sim_net *net, const sim_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sim_trace_show_tail(FILE *out);

#endif
