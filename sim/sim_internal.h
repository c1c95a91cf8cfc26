/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the simulator.
 *
 *   sim_net.c       clock, run loop, hosts and partitions
 *   sim_heap.c      the event heap
 *   sim_conn.c      the table of connections
 *   sim_stream.c    TCP: pieces, buffers, ends, resets
 *   sim_driver.c    the driver operations and the turns of a node
 *   sim_node.c      nodes: settings, start, stop, crash, dialing
 *   sim_worker.c    workers of isolated reactors
 *   sim_names.c     the scripted resolver
 *   sim_recorder.c  the recording reactors and what they check
 *   sim_watch.c     events and ends of connections, limits, leftovers
 *   sim_trace.c     the trace and its hash, failures
 *   sim_files.c     files of a node
 *   sim_faults.c    faults by chance
 *   sim_mem.c       memory of a node
 *   sim_discovery.c address book and peer exchange */
#ifndef SY_SIM_INTERNAL_H
#define SY_SIM_INTERNAL_H

#include <sodium.h>

#include <switchyard/sim_faults.h>

#include "base/prng.h"
#include "sim/sim_mem.h"
#include "sim/sim_stream.h"

typedef struct sy_sim_worker sy_sim_worker;

/* ---- Names -------------------------------------------------------------------------------------
 */

typedef struct sy_sim_name_window {
    struct sy_sim_name_window *next;
    sy_sim_name_fault fault;
    sy_time from;
    sy_time until;
} sy_sim_name_window;

typedef struct sy_sim_name {
    struct sy_sim_name *next;
    char text[SY_HOST_MAX + 1];
    sy_endpoint address[SY_RESOLVE_MAX];
    size_t count;
    uint64_t asked;
    sy_sim_name_window *windows;
} sy_sim_name;

typedef struct sy_sim_lookup {
    struct sy_sim_lookup *next;
    sy_resolve_ref ref;
    sy_sim_node *node;
    uint32_t life;
    char host[SY_HOST_MAX + 1];
    bool answered; /* waits for the turn */
    sy_err err;
    sy_endpoint address[SY_RESOLVE_MAX];
    size_t count;
} sy_sim_lookup;

/* ---- Recording ---------------------------------------------------------------------------------
 */

typedef struct sy_sim_peer_note {
    struct sy_sim_peer_note *next;
    sy_peer_ref ref;
    sy_node_id id;
    int phase;
} sy_sim_peer_note;

typedef struct sy_sim_recorder {
    sy_sim_node *node;
    size_t index;
    sy_reactor_ops ops;
    sy_channel_desc channels[16];
    size_t channel_count;
    sy_sim_peer_note *peers;
    unsigned fail_inits;
    sy_err fail_code;
    bool started;
} sy_sim_recorder;

/* What the events of one connection of a node have said so far. */
typedef struct sy_sim_event_note {
    uint32_t generation;
    unsigned seen; /* bits of sy_event_kind */
    bool ended;
} sy_sim_event_note;

typedef struct sy_sim_post_note {
    struct sy_sim_post_note *next;
    sy_peer_ref ref;
    uint8_t channel;
    size_t len;
} sy_sim_post_note;

typedef struct sy_sim_listener {
    struct sy_sim_listener *next;
    sy_sim_node *node;
    sy_endpoint address;
} sy_sim_listener;

typedef struct sy_sim_file {
    struct sy_sim_file *next;
    char name[32];
    char *data; /* and a NUL */
    size_t len;
} sy_sim_file;

typedef struct sy_sim_config_peer {
    struct sy_sim_config_peer *next;
    sy_addr addr;
} sy_sim_config_peer;

struct sy_sim_node {
    sy_sim_net *net;
    sy_sim_node *next;
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
        sy_sim_action fn; /* NULL: none */
        void *user;
    } on_event;
    sy_sim_attach_fn attach; /* may be NULL */
    void *attach_user;

    sy_sim_mem tm;
    sy_switch *sw;      /* NULL: not running */
    uint32_t life;      /* counts starts */
    size_t idle_memory; /* budget of the switch without connections */
    bool host_up;
    bool stopping;
    bool dropping; /* sy_switch_del runs: it is not told the time */
    bool in_turn;
    sy_prng prng; /* the driver's random bytes */
    sy_sim_listener *listeners;
    sy_sim_config_peer *config_peers;

    sy_time wake_at;   /* SY_NEVER: asleep */
    size_t turn_pos;   /* 1 + index of its TURN event in the heap, 0: none */
    sy_time timer_for; /* the deadline that timer_at was drawn for */
    sy_time timer_at;
    sy_time paused_until;
    sy_sim_end *ready_first;
    sy_sim_end *ready_last;
    bool answers_due;
    size_t more_due; /* streams with more_due */

    sy_sim_end *first_end; /* every connection that it has to do with */
    sy_sim_end *last_end;
    sy_sim_end **ends_by_slot; /* streams by the slot of their ref */
    size_t ends_cap;

    sy_sim_worker *workers;
    sy_time workers_asleep_until;
    bool posted; /* the next turn is to report it */

    sy_sim_recorder recorder[SY_SIM_REACTORS];
    struct {
        const sy_reactor_ops *ops;
        void *reactor;
        bool isolated;
    } own[SY_SIM_OWN_REACTORS_MAX];
    size_t own_count;
    sy_sim_event_note *events;
    size_t events_cap;
    size_t open_notes; /* connections that began and have not ended */
    sy_sim_post_note *posts;
    sy_sim_totals totals;
    sy_sim_end_note *end_notes; /* ring of SY_SIM_ENDS_KEPT */
    uint64_t end_note_count;
    uint64_t end_note_base; /* forgotten */

    int64_t clock_ahead; /* of its wall clock */
    sy_sim_file *files;
    bool disk_full;
    bool has_discovery;
    sy_sim_discovery discovery;
    sy_addr_book *book; /* from start to stop */
    sy_pex *pex;
    uint64_t saves;
    uint64_t failed_saves;
};

typedef struct sy_sim_block_note {
    struct sy_sim_block_note *next;
    const sy_sim_node *from;
    const sy_sim_node *to;
} sy_sim_block_note;

#define SY_SIM_TAIL_LINES 60
#define SY_SIM_LINE_CAP   768

struct sy_sim_net {
    sy_sim_options options;
    sy_time now;
    uint64_t next_seq;
    uint64_t event_count;
    sy_sim_event *heap;
    size_t heap_count;
    size_t heap_cap;

    sy_prng tcp; /* one generator per concern, all from the seed */
    sy_prng turns;
    sy_prng names_prng;
    sy_prng scenario;

    sy_scratch *scratch; /* of all switches: there is one loop */
    sy_sim_node **hosts; /* by IP, open addressing; a power of two */
    size_t host_cap;     /* 0: to be built */
    sy_sim_node *nodes;  /* in order of making */
    sy_sim_node *last_node;
    uint32_t node_count;
    uint32_t running_count; /* that have a switch */
    sy_sim_conn **conns;
    uint32_t *conn_generations;
    uint32_t conn_cap;
    uint32_t *free_conns;
    uint32_t free_conn_count;
    uint32_t conn_count;
    uint64_t conn_number;
    uint64_t worker_number;
    sy_sim_block_note *blocks;
    sy_sim_name *names;
    sy_sim_lookup *lookups;
    sy_sim_raw *raws;
    uint8_t *read_area;
    bool finished;
    char (*tail)[SY_SIM_LINE_CAP]; /* the last lines of the trace */
    size_t tail_next;

    crypto_hash_sha256_state hash;
};

#define SY_SIM_WALL_EPOCH_NS INT64_C(1500000000000000000) /* wall clock at virtual instant 0 */

#define SY_SIM_READ_CAP      65536
#define SY_SIM_READ_TURN     ((size_t)256 * 1024) /* bytes reported of one stream in a turn */

/* ---- sim_net.c */
void *sy_sim_alloc(size_t size);
void *sy_sim_grow(void *ptr, size_t count, size_t size);
bool sy_sim_is_blocked(const sy_sim_net *net, const sy_sim_node *from, const sy_sim_node *to);
sy_sim_node *sy_sim_host_at(sy_sim_net *net, const sy_endpoint *endpoint);
sy_duration sy_sim_between(sy_prng *prng, sy_duration from, sy_duration to);
uint64_t sy_sim_seed_for(const sy_sim_net *net, const char *concern, uint64_t number);

/* ---- sim_worker.c */
void sy_sim_on_worker_event(const sy_sim_event *event);
sy_err sy_sim_worker_start(void *driver, sy_switch *sw, const char *name, sy_worker_run run,
                           void *arg, void **ret_worker);
void sy_sim_worker_wake(void *driver, void *worker);
void sy_sim_worker_lock(void *driver, void *worker);
void sy_sim_worker_unlock(void *driver, void *worker);
void sy_sim_worker_stop(void *driver, void *worker);
void sy_sim_post_to_loop(void *driver, sy_switch *sw);

/* ---- sim_driver.c */
extern const sy_driver_ops sy_sim_driver_ops;
void sy_sim_wake(sy_sim_node *node, sy_time at);
void sy_sim_ready(sy_sim_end *end);
void sy_sim_turn(sy_sim_node *node);
void sy_sim_forget_streams(sy_sim_node *node);
sy_sim_end *sy_sim_end_of_ref(const sy_sim_node *node, uint32_t slot, uint32_t generation);
void sy_sim_remember_end(sy_sim_node *node, sy_sim_end *end);

/* ---- sim_names.c */
sy_err sy_sim_resolve(void *driver, sy_resolve_ref ref, const char *host);
void sy_sim_resolve_cancel(void *driver, sy_resolve_ref ref);
void sy_sim_on_name_event(sy_sim_net *net, sy_sim_lookup *lookup);
void sy_sim_report_answers(sy_sim_node *node);
void sy_sim_names_forget(sy_sim_node *node);
void sy_sim_names_del(sy_sim_net *net);

/* ---- sim_recorder.c */
void sy_sim_recorder_init(sy_sim_node *node);
void sy_sim_recorder_check_over(const sy_sim_node *node);
void sy_sim_posts_drop(sy_sim_node *node, const sy_peer_ref *ref);
void sy_sim_sent_del(sy_sim_conn *conn);

/* ---- sim_watch.c */
void sy_sim_watch(void *user, const sy_event *event, sy_time now);
void sy_sim_watch_turn(sy_sim_node *node);
void sy_sim_watch_over(sy_sim_node *node);
void sy_sim_watch_del(sy_sim_node *node);
void sy_sim_log_sink(void *user, const sy_log_record *record);

/* ---- sim_node.c */
void sy_sim_node_finish(sy_sim_node *node);
void sy_sim_node_del(sy_sim_node *node);

/* ---- sim_files.c */
void sy_sim_files_del(sy_sim_node *node);

/* ---- sim_discovery.c */
sy_err sy_sim_discovery_start(sy_sim_node *node);
void sy_sim_discovery_stop(sy_sim_node *node);

/* ---- sim_trace.c */
void sy_sim_trace_init(sy_sim_net *net);
void sy_sim_trace_fini(sy_sim_net *net);
void sy_sim_trace(sy_sim_net *net, const sy_sim_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
