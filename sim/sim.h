/* SPDX-License-Identifier: Apache-2.0 */
/* A network of real switches in one process: an in-memory TCP and a virtual clock take the place of
 * sockets and time (p2p/driver.h).  Equal seeds give equal runs, byte for byte, with every
 * compiler; a month takes as long as what happens in it.  Link with libswitchyard-sim.
 *
 *     sy_sim_options options;
 *     sy_sim_options_default(&options, seed);
 *     options.record = false;                        // only reactors of our own
 *     sy_sim_net *net = sy_sim_net_new(&options);
 *     sy_sim_node *a = sy_sim_node_new(net, "a");
 *     sy_sim_node *b = sy_sim_node_new(net, "b");
 *     sy_sim_add_reactor(a, &my_reactor_ops, &mine_of_a);
 *     sy_sim_add_reactor(b, &my_reactor_ops, &mine_of_b);
 *     sy_sim_start(a);
 *     sy_sim_start(b);
 *     sy_sim_dial(a, b, SY_DIAL_PERSISTENT);
 *     sy_sim_expect(sy_sim_wait_until_connected(a, b, 5 * SY_SEC));
 *     sy_sim_run_for(net, SY_MIN);
 *     sy_sim_net_del(net);          // stops what still runs, and checks that nothing is left
 *
 * Faults by chance are in sim_faults.h.
 *
 * Time moves only to the next event.  Faults are those of TCP and of hosts: latency, pieces down to
 * one byte, finite buffers, refused and unanswered connects, resets, half-closes, stalls,
 * partitions, changed bits; crashes, pauses, failing allocations, jumps of the wall clock, full
 * disks.  Loss and reordering inside a stream do not exist.
 *
 * These checks are always on:
 *   - the events of a connection come in order, each at most once, and end with one ENDED;
 *   - the limits of admission, after every turn; nothing is accepted behind a changed bit;
 *   - a write with more to come is followed by another one, or by the end, in the same turn;
 *   - at the end of a node no stream, no byte of budget, no live block.
 * With options.record every node carries two recording reactors, "alpha" on channels 0x20 0x21 and
 * "beta" on 0x40 0x80, and these are checked too:
 *   - what is delivered was sent on that connection and channel, in order, once;
 *   - hooks are strictly paired, in order; one peer per ID and node; no message outside
 *     peer_added .. peer_removed.
 * A check that fails prints what, the last lines of the trace and the seed, and ends the program.
 *
 * Not thread-safe: one thread for all nets.  Functions that do not return an error end the program
 * when they are used wrongly (a node that is started twice ...). */
#ifndef SWITCHYARD_SIM_H
#define SWITCHYARD_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <switchyard/addr_book.h>
#include <switchyard/export.h>
#include <switchyard/pex.h>
#include <switchyard/switch.h>

SY_BEGIN_DECLS

typedef struct sy_sim_net sy_sim_net;
typedef struct sy_sim_node sy_sim_node;

typedef struct sy_sim_options {
    size_t size;
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
    uint64_t event_max; /* default 20 million */

    bool record;      /* the recording reactors; default true */
    bool poison;      /* memory of nodes is filled with a pattern, blocks that grow move; default
                       * true, false is faster */
    size_t ends_kept; /* per node; default SY_SIM_ENDS_KEPT */

    sy_log_level log_level; /* of the switches, into the trace */
    FILE *trace;            /* the trace as text; NULL: only its hash */
} sy_sim_options;

/* A quick, kind network: 1 to 20 ms, whole pieces, 64 to 256 KiB of buffer. */
#define sy_sim_options_default(options, seed)                                                      \
    sy_sim_options_default_sized((options), sizeof(sy_sim_options), (seed))
SY_API void sy_sim_options_default_sized(sy_sim_options *options, size_t size, uint64_t seed);

SY_API sy_sim_net *sy_sim_net_new(const sy_sim_options *options);

/* Ends all faults, stops every node in order, waits for them, checks that nothing is left.  The
 * trace is complete after it.  Idempotent. */
SY_API void sy_sim_finish(sy_sim_net *net);

/* The same, and frees. */
SY_API void sy_sim_net_del(sy_sim_net *net);

SY_API sy_time sy_sim_now(const sy_sim_net *net);

/* From the scenario's own generator. */
SY_API uint64_t sy_sim_draw(sy_sim_net *net, uint64_t bound);
SY_API sy_duration sy_sim_draw_duration(sy_sim_net *net, sy_duration from, sy_duration to);

SY_API void sy_sim_run_until(sy_sim_net *net, sy_time at);
SY_API void sy_sim_run_for(sy_sim_net *net, sy_duration duration);

/* Runs until the condition holds (asked after every event); false when time is over. */
typedef bool (*sy_sim_condition)(void *user);
SY_API bool sy_sim_wait(sy_sim_net *net, sy_sim_condition condition, void *user,
                        sy_duration timeout);

/* Calls fn at that instant. */
typedef void (*sy_sim_action)(void *user);
SY_API void sy_sim_at(sy_sim_net *net, sy_time at, sy_sim_action action, void *user);

/* SHA-256 of everything so far, in hex. */
#define SY_SIM_HASH_CAP 65
SY_API void sy_sim_trace_hash(const sy_sim_net *net, char out[SY_SIM_HASH_CAP]);
SY_API uint64_t sy_sim_event_count(const sy_sim_net *net);

/* Bytes from one node do not reach the other for now; connections stay, TCP tries again. */
SY_API void sy_sim_block(sy_sim_node *from, sy_sim_node *to);
SY_API void sy_sim_unblock(sy_sim_node *from, sy_sim_node *to);
SY_API void sy_sim_partition(sy_sim_node *a, sy_sim_node *b);
SY_API void sy_sim_heal(sy_sim_node *a, sy_sim_node *b);
SY_API void sy_sim_heal_all(sy_sim_net *net);

/* Breaks the connections between two nodes; returns how many there were. */
SY_API size_t sy_sim_reset(sy_sim_node *a, sy_sim_node *b);

SY_API size_t sy_sim_stream_count(const sy_sim_net *net);

/* Changes one bit of what is under way between two nodes, if anything is and neither speaks plain.
 * The connection has to end, before anything behind that bit is believed.  Returns how many. */
SY_API size_t sy_sim_flip(sy_sim_node *a, sy_sim_node *b);

/* Walks the nodes in order of making: pass NULL first. */
SY_API sy_sim_node *sy_sim_next_node(const sy_sim_net *net, const sy_sim_node *previous);

/* ---- Names -------------------------------------------------------------------------------------
 */

/* An unknown name fails. */
SY_API void sy_sim_name_add(sy_sim_net *net, const char *name, const sy_endpoint *address);
SY_API void sy_sim_name_add_node(sy_sim_net *net, const char *name, const sy_sim_node *node);
SY_API void sy_sim_name_clear(sy_sim_net *net, const char *name);

/* In [from, until) the name does not resolve: the resolver says so, or says nothing at all. */
typedef enum sy_sim_name_fault {
    SY_SIM_NAME_FAILS,
    SY_SIM_NAME_SILENT
} sy_sim_name_fault;
SY_API void sy_sim_name_break(sy_sim_net *net, const char *name, sy_sim_name_fault fault,
                              sy_time from, sy_time until);
SY_API uint64_t sy_sim_name_asked(const sy_sim_net *net, const char *name);

/* ---- Nodes -------------------------------------------------------------------------------------
 */

#define SY_SIM_PORT     26656
#define SY_SIM_REACTORS 2 /* recording ones */

/* Not running yet.  Its key follows from the seed and the name, its address is 10.0.x.y. */
SY_API sy_sim_node *sy_sim_node_new(sy_sim_net *net, const char *name);

/* May be changed while the node is not running; used at each start. */
SY_API sy_settings *sy_sim_settings(sy_sim_node *node);
SY_API void sy_sim_set_profile(sy_sim_node *node, const char *profile);
SY_API void sy_sim_set_ip(sy_sim_node *node, const char *ip);
SY_API void sy_sim_set_wildcard(sy_sim_node *node, const char *ip); /* listens at 0.0.0.0 or :: */
SY_API void sy_sim_set_key_of(sy_sim_node *node, const sy_sim_node *other);
SY_API void sy_sim_set_channels(sy_sim_node *node, size_t reactor, const uint8_t *ids,
                                size_t count);

/* One more reactor, registered after the recording ones at every start; both borrow.  Its messages
 * are its own business. */
#define SY_SIM_OWN_REACTORS_MAX 4
SY_API void sy_sim_add_reactor(sy_sim_node *node, const sy_reactor_ops *ops, void *reactor);

/* Of each stream of this node only the first so many bytes ever leave it.  SIZE_MAX: all. */
SY_API void sy_sim_set_mute_after(sy_sim_node *node, size_t bytes);

/* Called at each start, between making the switch and starting it: adds reactors of its own. */
typedef sy_err (*sy_sim_attach_fn)(void *user, sy_sim_node *node, sy_switch *sw);
SY_API void sy_sim_set_attach(sy_sim_node *node, sy_sim_attach_fn attach, void *user);

SY_API void sy_sim_start(sy_sim_node *node);
SY_API sy_err sy_sim_try_start(sy_sim_node *node);
SY_API bool sy_sim_is_running(const sy_sim_node *node);

/* Orderly: begins the stop; the node is not running once it has finished. */
SY_API void sy_sim_stop(sy_sim_node *node);
SY_API void sy_sim_stop_and_wait(sy_sim_node *node);

typedef enum sy_sim_crash_kind {
    SY_SIM_CRASH_PROCESS, /* the kernel closes the connections (kill -9) */
    SY_SIM_CRASH_HOST,    /* nothing is heard; resets come once the host is back and is spoken to */
    SY_SIM_CRASH_MUTE,    /* nothing is ever heard of the old connections */
} sy_sim_crash_kind;
SY_API void sy_sim_crash(sy_sim_node *node, sy_sim_crash_kind kind);

/* Its loop does not run until then; everything waits. */
SY_API void sy_sim_pause(sy_sim_node *node, sy_duration duration);

/* Its wall clock is that much ahead of the others' (behind, when negative) from now on; the
 * monotonic clock does not care. */
SY_API void sy_sim_set_clock(sy_sim_node *node, int64_t ahead_ns);

/* The k-th allocation from now fails, and with `from` every later one. */
SY_API void sy_sim_fail_alloc(sy_sim_node *node, size_t k);
SY_API void sy_sim_fail_allocs_from(sy_sim_node *node, size_t k);
SY_API void sy_sim_heal_allocs(sy_sim_node *node);

/* The next `times` attempts to open a stream fail for lack of descriptors. */
SY_API void sy_sim_fail_connects(sy_sim_node *node, unsigned times);

/* The next `times` calls of that reactor's peer_init fail with that code. */
SY_API void sy_sim_fail_peer_init(sy_sim_node *node, size_t reactor, unsigned times, sy_err code);

/* The next time that a connection of this node reports such an event, fn is called so much later,
 * outside any turn of a node.  One at a time; fn NULL: not any more. */
SY_API void sy_sim_on_event(sy_sim_node *node, sy_event_kind kind, sy_duration delay,
                            sy_sim_action fn, void *user);

/* The same, isolated: its worker runs inline at drawn instants. */
SY_API void sy_sim_add_isolated(sy_sim_node *node, const sy_reactor_ops *ops, void *reactor);

/* The workers of the node do nothing until then. */
SY_API void sy_sim_sleep_workers(sy_sim_node *node, sy_duration duration);

/* The scenario has called the switch by itself: the node's loop runs a turn. */
SY_API void sy_sim_nudge(sy_sim_node *node);

/* Persistent peers are dialed again at each start of the node. */
SY_API void sy_sim_dial(sy_sim_node *node, const sy_sim_node *other, sy_dial_kind kind);
SY_API sy_err sy_sim_try_dial(sy_sim_node *node, const sy_sim_node *other, sy_dial_kind kind);
SY_API sy_err sy_sim_dial_text(sy_sim_node *node, const char *addr, sy_dial_kind kind);

SY_API sy_switch *sy_sim_switch(sy_sim_node *node);
SY_API const sy_node_id *sy_sim_id(const sy_sim_node *node);
SY_API const char *sy_sim_name_of(const sy_sim_node *node);
SY_API sy_sim_net *sy_sim_net_of(const sy_sim_node *node);
SY_API const sy_endpoint *sy_sim_endpoint(const sy_sim_node *node);
SY_API size_t sy_sim_live_bytes(const sy_sim_node *node);
SY_API size_t sy_sim_alloc_calls(const sy_sim_node *node);
SY_API bool sy_sim_has_peer(sy_sim_node *node, const sy_sim_node *other);

/* Each has the other as a peer, and over the same connection. */
SY_API bool sy_sim_are_connected(sy_sim_node *a, sy_sim_node *b);
SY_API bool sy_sim_wait_until_connected(sy_sim_node *a, sy_sim_node *b, sy_duration timeout);
SY_API size_t sy_sim_peer_count(sy_sim_node *node);

/* Sends drawn bytes to the peer of that ID.  sy_sim_post sends when the queue has room, in order.
 */
SY_API sy_send_result sy_sim_send(sy_sim_node *node, const sy_sim_node *to, uint8_t channel,
                                  size_t len);
SY_API void sy_sim_post(sy_sim_node *node, const sy_sim_node *to, uint8_t channel, size_t len);
SY_API size_t sy_sim_broadcast(sy_sim_node *node, uint8_t channel, size_t len, size_t *ret_full);

SY_API void sy_sim_stop_peer(sy_sim_node *node, const sy_sim_node *other, sy_err code,
                             const char *text);

typedef struct sy_sim_totals {
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
    uint64_t sent_bytes; /* written to streams */
    uint64_t read_bytes;
    uint64_t flips; /* bits changed on their way to this node */
} sy_sim_totals;

/* Since the node was made, over all its lives. */
SY_API sy_sim_totals sy_sim_totals_of(const sy_sim_node *node);

/* ---- Files of a node ---------------------------------------------------------------------------
 *
 * What a node saves outlives it, until it is lost.  Writing replaces a file as a whole, or fails
 * and leaves the old one. */

/*   SY_ERR_SYSTEM  the disk is full */
SY_API sy_err sy_sim_file_write(sy_sim_node *node, const char *name, const void *data,
                                size_t len) SY_MUST_USE;

/* NULL: there is none.  Borrows until the next write or loss. */
SY_API const char *sy_sim_file_read(const sy_sim_node *node, const char *name, size_t *ret_len);
SY_API void sy_sim_lose_files(sy_sim_node *node);
SY_API void sy_sim_set_disk_full(sy_sim_node *node, bool full);

/* ---- Discovery ---------------------------------------------------------------------------------
 *
 *     sy_sim_discovery discovery;
 *     sy_sim_discovery_default(&discovery);
 *     discovery.seeds[0] = seed;
 *     discovery.seed_count = 1;
 *     sy_sim_discover(node, &discovery);
 *
 * At each start the node gets an address book, read from its files, and the peer exchange reactor;
 * both go when it stops or crashes. */

#define SY_SIM_SEEDS_MAX 8

typedef struct sy_sim_discovery {
    size_t size;
    size_t max_outbound; /* the target, and the limit of admission; default 10 */
    const sy_sim_node *seeds[SY_SIM_SEEDS_MAX];
    size_t seed_count;
    bool seed_mode;
    bool strict;               /* only routable addresses; default false */
    bool forgetful;            /* saves nothing: for large networks without crashes */
    sy_duration feeler_period; /* as in sy_pex_config; 0: none */
} sy_sim_discovery;

#define sy_sim_discovery_default(discovery)                                                        \
    sy_sim_discovery_default_sized((discovery), sizeof(sy_sim_discovery))
SY_API void sy_sim_discovery_default_sized(sy_sim_discovery *discovery, size_t size);

/* The node must not be running. */
SY_API void sy_sim_discover(sy_sim_node *node, const sy_sim_discovery *discovery);

/* NULL while the node is not running, or has no discovery. */
SY_API sy_addr_book *sy_sim_book(const sy_sim_node *node);
SY_API sy_pex *sy_sim_pex(const sy_sim_node *node);

/* How often the book was saved, and could not be, over all lives. */
SY_API uint64_t sy_sim_saves(const sy_sim_node *node);
SY_API uint64_t sy_sim_failed_saves(const sy_sim_node *node);

/* ---- How connections ended ---------------------------------------------------------------------
 */

#define SY_SIM_ENDS_KEPT 256

typedef struct sy_sim_end_note {
    sy_time at;
    bool outbound;
    bool was_up;
    bool has_id;
    sy_node_id id;
    const char *profile;
    sy_endpoint remote;
    sy_reason reason;
    const char *clause;
} sy_sim_end_note;

/* Index 0 is the last one; NULL beyond the last SY_SIM_ENDS_KEPT. */
SY_API const sy_sim_end_note *sy_sim_end_at(const sy_sim_node *node, size_t back);
SY_API size_t sy_sim_count_ends(const sy_sim_node *node, sy_stage stage, sy_err code);

/* Fails unless the last end was this one, under this clause (may be NULL). */
SY_API void sy_sim_expect_end(const sy_sim_node *node, sy_stage stage, sy_err code,
                              const char *clause);
SY_API void sy_sim_forget_ends(sy_sim_node *node);

/* ---- Connections without a switch --------------------------------------------------------------
 */

typedef struct sy_sim_raw sy_sim_raw;

/* A TCP client at that address which says nothing of its own. */
SY_API sy_sim_raw *sy_sim_raw_connect(sy_sim_net *net, const char *ip, const sy_sim_node *to);
SY_API void sy_sim_raw_send(sy_sim_raw *raw, const void *data, size_t len);
SY_API void sy_sim_raw_close(sy_sim_raw *raw); /* at its end, at the latest before sy_sim_net_del */
SY_API bool sy_sim_raw_is_connected(const sy_sim_raw *raw);
SY_API bool sy_sim_raw_has_ended(const sy_sim_raw *raw);
SY_API size_t sy_sim_raw_received(const sy_sim_raw *raw);

/* ---- Failing -----------------------------------------------------------------------------------
 */

/* Prints the text, the last lines of the trace and the seed, and ends the program. */
SY_API void sy_sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The last lines of the trace of the net that was made last. */
SY_API void sy_sim_show_trace(FILE *out);

/* Called by sy_sim_fail after it has printed, with the seed of the last net that was made; NULL:
 * none.  The program ends when it returns. */
SY_API void sy_sim_set_failure_handler(void (*handler)(uint64_t seed));

#define sy_sim_expect(cond)                                                                        \
    ((cond) ? (void)0 : sy_sim_fail("%s:%d: not so: %s", __FILE__, __LINE__, #cond))
#define sy_sim_expect_eq(a, b)                                                                     \
    ((a) == (b) ? (void)0                                                                          \
                : sy_sim_fail("%s:%d: %s is %llu, not %llu (%s)", __FILE__, __LINE__, #a,          \
                              (unsigned long long)(a), (unsigned long long)(b), #b))

SY_END_DECLS

#endif
