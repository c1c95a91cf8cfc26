/* SPDX-License-Identifier: Apache-2.0 */
/* Two switches on one libev loop, over real sockets: "server" has an isolated reactor (the sleeper)
 * and an echo on the loop, "client" sends to both.  The loop is the main thread's.
 *
 * Messages carry a sequence number in their first 8 bytes. */
#ifndef SY_TESTS_THREADS_RIG_H
#define SY_TESTS_THREADS_RIG_H

#include <pthread.h>
#include <stdatomic.h>

#include <ev.h>

#include <switchyard/ev.h>
#include <switchyard/switch.h>

#define CHANNEL_SLEEPER 0x60
#define CHANNEL_ECHO    0x20
#define RIG_SEEN_MAX    65536

#define expect(cond)    expect_at((cond), #cond, __FILE__, __LINE__)
void expect_at(bool cond, const char *text, const char *file, int line);

/* The isolated reactor.  Its thread writes `seen`, guarded by `mutex`. */
typedef struct sleeper {
    sy_channel_desc desc;
    sy_reactor_ops ops;
    sy_switch *sw;
    sy_channel channel;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool asleep;                 /* mutex: receive blocks while it is set */
    bool in_receive;             /* mutex: receive is blocked now */
    uint64_t seen[RIG_SEEN_MAX]; /* mutex: sequence numbers in order of delivery */
    size_t seen_count;
    atomic_size_t inits;
    atomic_size_t finis;
    atomic_size_t addeds;
    atomic_size_t removeds;
    atomic_size_t writables;
    atomic_size_t full;
    atomic_size_t answered;
    atomic_bool stopped;
    atomic_bool answers; /* send each message back */
    atomic_uint fail_inits;
    atomic_uint nap_us_max;
    sy_peer_ref last_ref; /* mutex */
    pthread_t thread;     /* of its operations; set by the first one */
    atomic_bool has_thread;
    void *starter;
} sleeper;

/* The client's side of both channels, and the server's echo. */
typedef struct talker {
    sy_channel_desc descs[2];
    sy_reactor_ops ops;
    sy_switch *sw;
    sy_channel channels[2];
    uint64_t next_seq; /* to the sleeper */
    uint64_t next_echo;
    sy_duration *rtts; /* of echoes, in order */
    size_t rtt_count;
    size_t rtt_cap;
    size_t answers;
    bool is_server;
} talker;

typedef struct end_note {
    size_t count;
    sy_err code;
    char text[256];
} end_note;

typedef struct node {
    sy_ev *ev;
    sy_switch *sw;
    sy_node_key key;
    sy_settings settings;
    sy_endpoint bound;
    end_note ends;
    size_t slow_warnings;
    char slow_text[512];
} node;

typedef struct rig {
    struct ev_loop *loop;
    node server;
    node client;
    sleeper sleeper;
    talker echo;
    talker talker;
    ev_timer tick;
    uint64_t rate; /* bytes per second to the sleeper */
    size_t message_len;
    sy_time next_send_at;
    sy_time next_echo_at;
    uint64_t sent;
    size_t ends_before; /* of the server, at the last rig_connect */
} rig;

typedef struct rig_options {
    sy_full_policy policy;
    size_t recv_budget;
    sy_duration slow_after;
    size_t send_queue_max;
} rig_options;

void rig_start(rig *r, const rig_options *options);

/* Deletes the client, then the server (unless they are gone). */
void rig_end(rig *r);
/* Until both have the peer, or have had it. */
void rig_connect(rig *r);
bool rig_is_connected(const rig *r);

/* Runs the loop for so long, sending as `rate` says and an echo every 5 ms. */
void rig_run(rig *r, sy_duration duration);
bool rig_run_until(rig *r, bool (*condition)(rig *r), sy_duration timeout);

void rig_sleep(rig *r);
void rig_wake(rig *r);
size_t rig_seen(rig *r);

/* The p-th percentile of the echoes from index `from` on; 0 without any. */
sy_duration rig_percentile(const rig *r, size_t from, unsigned p);

#endif
