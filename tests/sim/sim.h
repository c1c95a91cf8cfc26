/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator: the second implementation of p2p/driver.h.  An in-memory network with a virtual
 * clock on which real switches run; equal seeds give equal runs, byte for byte.
 *
 *     sim_options options;
 *     sim_options_default(&options, seed);
 *     sim_net *net = sim_net_new(&options);
 *     sim_node *a = sim_node_new(net, "a");
 *     sim_node *b = sim_node_new(net, "b");
 *     sim_start(a);
 *     sim_start(b);
 *     sim_dial(a, b, SY_DIAL_PERSISTENT);
 *     sim_expect(sim_wait_until_connected(a, b, 5 * SY_SEC));
 *     sim_send(a, b, 0x20, 1000);
 *     sim_run_for(net, SY_MIN);
 *     sim_net_del(net);          // stops what still runs, and checks that nothing is left
 *
 * Time moves only to the next event.  Faults are those of TCP and of hosts: latency, pieces down to
 * one byte, finite buffers, refused and unanswered connects, resets, half-closes, stalls,
 * partitions, crashes.  Loss and reordering inside a stream do not exist.
 *
 * Every node carries two recording reactors, and these checks are always on:
 *   - what is delivered was sent on that connection and channel, in order, once;
 *   - hooks are strictly paired, in order; one peer per ID and node; no message outside
 *     peer_added .. peer_removed;
 *   - the events of a connection come in order, each at most once, and end with one ENDED;
 *   - the limits of admission; at the end no stream, no byte of budget, no live block.
 * A check that fails prints the seed and the command that replays it, and ends the program. */
#ifndef SY_TESTS_SIM_H
#define SY_TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <switchyard/switch.h>

typedef struct sim_net sim_net;
typedef struct sim_node sim_node;

/* ---- The network -------------------------------------------------------------------------------
 */

typedef struct sim_options {
    uint64_t seed;

    /* TCP, drawn per connection or per write from these ranges. */
    sy_duration latency_min; /* one way */
    sy_duration latency_max;
    sy_duration jitter_max; /* more, per piece; order is kept */
    size_t piece_max;       /* a write travels in pieces of 1..piece_max bytes; 0: whole */
    size_t read_max;        /* a read gives 1..read_max bytes; 0: all there is */
    size_t buffer_min;      /* bytes of one direction that may be under way or unread */
    size_t buffer_max;
    uint64_t bandwidth;         /* bytes per second and connection; 0: no limit */
    sy_duration turn_delay_max; /* how late a loop wakes up */

    /* Runs are finite. */
    uint64_t event_max;

    sy_log_level log_level; /* of the switches, into the trace */
    FILE *trace;            /* the trace as text; NULL: only its hash */
} sim_options;

/* A quick, kind network: 1 to 20 ms, pieces and reads of any size, 64 to 256 KiB of buffer. */
void sim_options_default(sim_options *options, uint64_t seed);

sim_net *sim_net_new(const sim_options *options);

/* Stops every node in order, waits for them, checks that nothing is left, frees. */
void sim_net_del(sim_net *net);

sy_time sim_now(const sim_net *net);

/* From the scenario's own generator. */
uint64_t sim_draw(sim_net *net, uint64_t bound);
sy_duration sim_draw_duration(sim_net *net, sy_duration from, sy_duration to);

void sim_run_until(sim_net *net, sy_time at);
void sim_run_for(sim_net *net, sy_duration duration);

/* Runs until the condition holds (asked after every event); false when time is over. */
typedef bool (*sim_condition)(void *user);
bool sim_wait(sim_net *net, sim_condition condition, void *user, sy_duration timeout);

/* Calls fn at that instant. */
typedef void (*sim_action)(void *user);
void sim_at(sim_net *net, sy_time at, sim_action action, void *user);

/* SHA-256 of everything that has happened, in hex. */
#define SIM_HASH_CAP 65
void sim_trace_hash(const sim_net *net, char out[SIM_HASH_CAP]);
uint64_t sim_event_count(const sim_net *net);

/* Bytes from one node do not reach the other for now; connections stay, TCP tries again. */
void sim_block(sim_node *from, sim_node *to);
void sim_unblock(sim_node *from, sim_node *to);
void sim_partition(sim_node *a, sim_node *b);
void sim_heal(sim_node *a, sim_node *b);
void sim_heal_all(sim_net *net);

/* Breaks the connections between two nodes: both ends see a reset, in the middle of whatever is
 * under way.  Returns how many there were. */
size_t sim_reset(sim_node *a, sim_node *b);

/* Open streams, seen from the network. */
size_t sim_stream_count(const sim_net *net);

/* ---- Names -------------------------------------------------------------------------------------
 */

/* An unknown name fails.  Adding an address of a node to its name. */
void sim_name_add(sim_net *net, const char *name, const sy_endpoint *address);
void sim_name_add_node(sim_net *net, const char *name, const sim_node *node);
void sim_name_clear(sim_net *net, const char *name);

/* In [from, until) the name does not resolve: the resolver says so, or says nothing at all. */
typedef enum sim_name_fault {
    SIM_NAME_FAILS,
    SIM_NAME_SILENT
} sim_name_fault;
void sim_name_break(sim_net *net, const char *name, sim_name_fault fault, sy_time from,
                    sy_time until);
uint64_t sim_name_asked(const sim_net *net, const char *name);

/* ---- Nodes -------------------------------------------------------------------------------------
 */

#define SIM_PORT     26656
#define SIM_REACTORS 2 /* "alpha": 0x20 0x21, "beta": 0x40 0x80, unless changed */

/* Not running yet.  Its key follows from the seed and the name, its address is 10.0.x.y. */
sim_node *sim_node_new(sim_net *net, const char *name);

/* May be changed while the node is not running; used at each start. */
sy_settings *sim_settings(sim_node *node);
void sim_set_profile(sim_node *node, const char *profile);
void sim_set_ip(sim_node *node, const char *ip);
void sim_set_wildcard(sim_node *node, const char *ip); /* listens at 0.0.0.0 or :: */
void sim_set_key_of(sim_node *node, const sim_node *other);
void sim_set_channels(sim_node *node, size_t reactor, const uint8_t *ids, size_t count);

/* One more reactor, registered after the recording ones at every start; both borrow.  Its messages
 * are its own business. */
#define SIM_OWN_REACTORS_MAX 4
void sim_add_reactor(sim_node *node, const sy_reactor_ops *ops, void *reactor);

/* Of each stream of this node only the first so many bytes ever leave it.  SIZE_MAX: all. */
void sim_set_mute_after(sim_node *node, size_t bytes);

/* Called at each start, between making the switch and starting it: adds reactors of its own. */
typedef sy_err (*sim_attach_fn)(void *user, sim_node *node, sy_switch *sw);
void sim_set_attach(sim_node *node, sim_attach_fn attach, void *user);

void sim_start(sim_node *node);
sy_err sim_try_start(sim_node *node);
bool sim_is_running(const sim_node *node);

/* Orderly: begins the stop; the node is not running once it has finished. */
void sim_stop(sim_node *node);
void sim_stop_and_wait(sim_node *node);

typedef enum sim_crash_kind {
    SIM_CRASH_PROCESS, /* the kernel closes the connections (kill -9) */
    SIM_CRASH_HOST,    /* nothing is heard; resets come once the host is back and is spoken to */
    SIM_CRASH_MUTE,    /* nothing is ever heard of the old connections */
} sim_crash_kind;
void sim_crash(sim_node *node, sim_crash_kind kind);

/* Its loop does not run until then; everything waits. */
void sim_pause(sim_node *node, sy_duration duration);

/* The k-th allocation from now fails, and with `from` every later one. */
void sim_fail_alloc(sim_node *node, size_t k);
void sim_fail_allocs_from(sim_node *node, size_t k);
void sim_heal_allocs(sim_node *node);

/* The next `times` attempts to open a stream fail for lack of descriptors. */
void sim_fail_connects(sim_node *node, unsigned times);

/* The next `times` calls of that reactor's peer_init fail with that code. */
void sim_fail_peer_init(sim_node *node, size_t reactor, unsigned times, sy_err code);

/* The next time that a connection of this node reports such an event, fn is called so much later,
 * outside any turn of a node.  One at a time; fn NULL: not any more. */
void sim_on_event(sim_node *node, sy_event_kind kind, sy_duration delay, sim_action fn, void *user);

/* The same, isolated: its worker runs inline at drawn instants. */
void sim_add_isolated(sim_node *node, const sy_reactor_ops *ops, void *reactor);

/* The workers of the node do nothing until then. */
void sim_sleep_workers(sim_node *node, sy_duration duration);

/* The scenario has called the switch by itself: the node's loop runs a turn. */
void sim_nudge(sim_node *node);

/* Dials the other at its address; persistent peers are dialed again at each start of the node. */
void sim_dial(sim_node *node, const sim_node *other, sy_dial_kind kind);
sy_err sim_try_dial(sim_node *node, const sim_node *other, sy_dial_kind kind);
sy_err sim_dial_text(sim_node *node, const char *addr, sy_dial_kind kind);

sy_switch *sim_switch(sim_node *node);
const sy_node_id *sim_id(const sim_node *node);
const char *sim_name_of(const sim_node *node);
sim_net *sim_net_of(const sim_node *node);
const sy_endpoint *sim_endpoint(const sim_node *node);
size_t sim_live_bytes(const sim_node *node);
size_t sim_alloc_calls(const sim_node *node);

/* A peer of this ID is in the set. */
bool sim_has_peer(sim_node *node, const sim_node *other);

/* Each has the other as a peer, and over the same connection. */
bool sim_are_connected(sim_node *a, sim_node *b);
bool sim_wait_until_connected(sim_node *a, sim_node *b, sy_duration timeout);
size_t sim_peer_count(sim_node *node);

/* Sends drawn bytes to the peer of that ID.  sim_post sends when the queue has room, in order. */
sy_send_result sim_send(sim_node *node, const sim_node *to, uint8_t channel, size_t len);
void sim_post(sim_node *node, const sim_node *to, uint8_t channel, size_t len);
size_t sim_broadcast(sim_node *node, uint8_t channel, size_t len, size_t *ret_full);

void sim_stop_peer(sim_node *node, const sim_node *other, sy_err code, const char *text);

typedef struct sim_totals {
    uint64_t queued;    /* messages that sy_peer_send took */
    uint64_t delivered; /* messages that reactors of this node received */
    uint64_t delivered_bytes;
    uint64_t waiting;  /* posted, not yet taken */
    uint64_t peers_up; /* PEER_UP events */
    uint64_t dials;    /* DIALING events */
    uint64_t pongs;
    uint64_t confirmed;
    uint64_t ends;
    uint64_t inits; /* peer_init calls, all reactors */
    uint64_t starts;
} sim_totals;

/* Since the node was made, over all its lives. */
sim_totals sim_totals_of(const sim_node *node);

/* ---- How connections ended ---------------------------------------------------------------------
 */

#define SIM_ENDS_KEPT 256

typedef struct sim_end_note {
    sy_time at;
    bool outbound;
    bool was_up;
    bool has_id;
    sy_node_id id;
    const char *profile;
    sy_endpoint remote;
    sy_reason reason;
    const char *clause;
} sim_end_note;

/* Index 0 is the last one; NULL beyond the last SIM_ENDS_KEPT. */
const sim_end_note *sim_end_at(const sim_node *node, size_t back);
size_t sim_count_ends(const sim_node *node, sy_stage stage, sy_err code);

/* Fails unless the last end was this one, under this clause (may be NULL). */
void sim_expect_end(const sim_node *node, sy_stage stage, sy_err code, const char *clause);
void sim_forget_ends(sim_node *node);

/* ---- Connections without a switch --------------------------------------------------------------
 */

typedef struct sim_raw sim_raw;

/* A TCP client at that address which says nothing of its own. */
sim_raw *sim_raw_connect(sim_net *net, const char *ip, const sim_node *to);
void sim_raw_send(sim_raw *raw, const void *data, size_t len);
void sim_raw_close(sim_raw *raw); /* at its end, at the latest before sim_net_del */
bool sim_raw_is_connected(const sim_raw *raw);
bool sim_raw_has_ended(const sim_raw *raw);
size_t sim_raw_received(const sim_raw *raw);

/* ---- Failing -----------------------------------------------------------------------------------
 */

/* Prints the text, the place, the seed and the replay command, and ends the program. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define sim_expect(cond)                                                                           \
    ((cond) ? (void)0 : sim_fail("%s:%d: not so: %s", __FILE__, __LINE__, #cond))
#define sim_expect_eq(a, b)                                                                        \
    ((a) == (b) ? (void)0                                                                          \
                : sim_fail("%s:%d: %s is %llu, not %llu (%s)", __FILE__, __LINE__, #a,             \
                           (unsigned long long)(a), (unsigned long long)(b), #b))

#endif
