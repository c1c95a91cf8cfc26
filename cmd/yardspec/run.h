/* SPDX-License-Identifier: Apache-2.0 */
/* A run: the target and what is known of it, the connections that a case makes, and the verdict.
 *
 * A case ends in exactly one of spec_pass, spec_fail and spec_skip; the helpers below end it when
 * something does not go as the case needs it, and answer false. */
#ifndef YARDSPEC_RUN_H
#define YARDSPEC_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/node_info.h>

#include "cmd/yardspec/peer.h"

typedef enum spec_verdict {
    SPEC_UNDECIDED,
    SPEC_PASS,
    SPEC_FAIL,
    SPEC_SKIP,
    SPEC_DEVIATION,
} spec_verdict;

#define SPEC_VERDICTS   5
#define SPEC_DETAIL_CAP 700
#define SPEC_PEERS_MAX  104
#define SPEC_TRACES_MAX 12

typedef struct spec_target {
    sy_node_id id;
    sy_endpoint endpoint;
    const char *text; /* as given */
    bool id_known;    /* a target that dials shows it */
    spec_profile profile;
    char network[128];
    char version[128];
    sy_addr listen; /* where it says that it listens */
    bool has_listen;
    uint64_t p2p_version;
    uint64_t block_version;
    uint64_t app_version;
    uint8_t channels[SY_NODE_INFO_CHANNELS_MAX];
    size_t channel_count;
    uint8_t echo[SY_NODE_INFO_CHANNELS_MAX]; /* channels that echo what they are sent */
    size_t echo_count;
    uint64_t capacity; /* of the first echo channel; 0: unknown */
} spec_target;

/* What the target is configured with and no byte on the wire tells; 0: not known. */
typedef struct spec_settings {
    long handshake_ms; /* handshake_timeout */
    long ping_ms;      /* ping_interval */
    long pong_ms;      /* pong_timeout */
    long inbound_max;  /* max_num_inbound_peers */
    long pending_max;  /* pending_handshakes */
    long total_max;    /* total_connections */
    long prefix_max;   /* max_peers_per_prefix */
    long redial_ms;    /* persistent_peers_max_dial_period */
    long visit_ms;     /* seed_visit */
    bool one_per_ip;   /* allow_duplicate_ip is false */
    bool seed_mode;
} spec_settings;

typedef struct spec_run {
    spec_target target;
    spec_settings settings;
    const char *chain_id; /* NULL: the one that the target names */
    int timeout_ms;
    bool slow;
    uint64_t capacity;
    long target_pid;                 /* 0: to be found */
    int listen_fd;                   /* -1: we dial; else the target does */
    int next_fd;                     /* -1, or a connection that came already */
    long wait_ms;                    /* how long a target may take to dial */
    sy_node_key key;                 /* ours when the target dials: it knows the ID */
    bool gone;                       /* the target neither listens nor dials any more */
    size_t dials;                    /* connections that the target made */
    size_t case_dials;               /* ... until the present case ended */
    spec_peer peers[SPEC_PEERS_MAX]; /* of the present case */
    size_t peer_count;
    spec_trace *traces[SPEC_TRACES_MAX]; /* of its first connections; owned */
    size_t trace_count;
    uint16_t ports[SPEC_PEERS_MAX]; /* of the connections of the last case, the newest last */
    size_t port_count;
    spec_verdict verdict;
    char sent[200]; /* what the case sent, for the detail */
    char detail[SPEC_DETAIL_CAP];
} spec_run;

/* ---- Verdicts -------------------------------------------------------------------------------- */

void spec_pass(spec_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
void spec_fail(spec_run *run, const char *expected, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void spec_skip(spec_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
void spec_note_sent(spec_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "closed the connection", "nothing within 3 s", ... */
const char *spec_came_text(const spec_run *run, const spec_peer *peer, spec_came came);

/* ---- Connections ----------------------------------------------------------------------------- */

/* A peer of the present case: freed when it ends. */
spec_peer *spec_new(spec_run *run);

/* A connection, with everything honest as far as the name says, dialed by us or by the target.
 * NULL: the case has failed. */
spec_peer *spec_dial(spec_run *run);
spec_peer *spec_dial_keys(spec_run *run); /* ephemeral keys exchanged */
spec_peer *spec_dial_auth(spec_run *run); /* both authenticated */
spec_peer *spec_dial_info(spec_run *run); /* NodeInfo sent and received */
spec_peer *spec_dial_open(spec_run *run); /* a ping was answered */

/* The evidence of the present case is given up. */
void spec_clear_traces(spec_run *run);

/* The single steps, for peers whose earlier steps were bent. */
bool spec_do_keys(spec_run *run, spec_peer *peer);
bool spec_do_auth(spec_run *run, spec_peer *peer);
bool spec_do_info(spec_run *run, spec_peer *peer);
bool spec_do_open(spec_run *run, spec_peer *peer);

/* The NodeInfo that the target accepts, with its length. */
void spec_add_info(const spec_run *run, const spec_peer *peer, spec_bytes *out);

/* Bytes of a template for this peer. */
void spec_expand(spec_run *run, spec_peer *peer, const char *text, spec_bytes *out);

/* A channel id that the target does not serve; the first one that it serves; the first one from 80
 * on that it serves, one that echoes if there is one, or 0. */
uint8_t spec_unserved_channel(const spec_run *run);
uint8_t spec_served_channel(const spec_run *run);
uint8_t spec_high_channel(const spec_run *run);
bool spec_serves(const spec_run *run, uint8_t channel);

/* ---- What came ------------------------------------------------------------------------------- */

/* Reads packets until a pong; pings are answered, messages go by. */
spec_came spec_wait_pong(spec_peer *peer);

/* Reads packets until a whole message on this channel is there; pings are answered. */
spec_came spec_wait_message(spec_peer *peer, uint8_t channel, spec_bytes *ret);

/* Reads what is there of each, answers pings, for so many milliseconds or until one has ended. */
void spec_serve(spec_peer *const *peers, size_t count, int ms);

/* After the last byte of a case whose peer has come up to packets: ends the case by whether a ping
 * is answered. */
void spec_judge_open(spec_run *run, spec_peer *peer);
void spec_judge_closed(spec_run *run, spec_peer *peer);

/* Sends a message and wants it back. */
bool spec_do_echo(spec_run *run, spec_peer *peer, uint8_t channel, const uint8_t *data, size_t len);

/* ---- The target dials ------------------------------------------------------------------------ */

/* false: *ret_why says why not. */
bool spec_listen(spec_run *run, const sy_endpoint *endpoint, const char **ret_why);

/* Waits for a connection in the profile of the target, any when it is SPEC_BOTH.  -1: none came. */
int spec_accept(spec_run *run);
void spec_unlisten(spec_run *run);

/* ---- The target ------------------------------------------------------------------------------ */

/* The process at the other end of the peer's connection when it runs on this machine, else 0. */
long spec_target_pid(const spec_run *run, const spec_peer *peer);

/* Its private memory, or -1. */
long spec_process_memory(long pid);

/* Finds profile, network, versions, channels.  false: *ret_why says why not. */
bool spec_learn(spec_run *run, spec_profile wanted, const char **ret_why);

#endif
