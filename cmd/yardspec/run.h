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
#define SPEC_PEERS_MAX  6

typedef struct spec_target {
    sy_node_id id;
    sy_endpoint endpoint;
    const char *text; /* as given */
    spec_profile profile;
    char network[128];
    char version[128];
    uint64_t p2p_version;
    uint64_t block_version;
    uint64_t app_version;
    uint8_t channels[SY_NODE_INFO_CHANNELS_MAX];
    size_t channel_count;
    uint8_t echo[SY_NODE_INFO_CHANNELS_MAX]; /* channels that echo what they are sent */
    size_t echo_count;
    uint64_t capacity; /* of the first echo channel; 0: unknown */
} spec_target;

typedef struct spec_run {
    spec_target target;
    const char *chain_id; /* NULL: the one that the target names */
    int timeout_ms;
    bool slow;
    uint64_t capacity;
    spec_peer peers[SPEC_PEERS_MAX]; /* of the present case */
    size_t peer_count;
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

/* A connection, with everything honest as far as the name says.  NULL: the case has failed. */
spec_peer *spec_dial(spec_run *run);
spec_peer *spec_dial_keys(spec_run *run); /* ephemeral keys exchanged */
spec_peer *spec_dial_auth(spec_run *run); /* both authenticated */
spec_peer *spec_dial_info(spec_run *run); /* NodeInfo sent and received */
spec_peer *spec_dial_open(spec_run *run); /* a ping was answered */

/* The single steps, for peers whose earlier steps were bent. */
bool spec_do_keys(spec_run *run, spec_peer *peer);
bool spec_do_auth(spec_run *run, spec_peer *peer);
bool spec_do_info(spec_run *run, spec_peer *peer);
bool spec_do_open(spec_run *run, spec_peer *peer);

/* The NodeInfo that the target accepts, with its length. */
void spec_add_info(const spec_run *run, const spec_peer *peer, spec_bytes *out);

/* Bytes of a template for this peer. */
void spec_expand(spec_run *run, spec_peer *peer, const char *text, spec_bytes *out);

/* A channel id that the target does not serve; the first one that it serves. */
uint8_t spec_unserved_channel(const spec_run *run);
uint8_t spec_served_channel(const spec_run *run);

/* ---- What came ------------------------------------------------------------------------------- */

/* Reads packets until a pong; pings are answered, messages go by. */
spec_came spec_wait_pong(spec_peer *peer);

/* Reads packets until a whole message on this channel is there; pings are answered. */
spec_came spec_wait_message(spec_peer *peer, uint8_t channel, spec_bytes *ret);

/* After the last byte of a case whose peer has come up to packets: ends the case by whether a ping
 * is answered. */
void spec_judge_open(spec_run *run, spec_peer *peer);
void spec_judge_closed(spec_run *run, spec_peer *peer);

/* Sends a message and wants it back. */
bool spec_do_echo(spec_run *run, spec_peer *peer, uint8_t channel, const uint8_t *data, size_t len);

/* ---- The target ------------------------------------------------------------------------------ */

/* Finds profile, network, versions, channels.  false: *ret_why says why not. */
bool spec_learn(spec_run *run, spec_profile wanted, const char **ret_why);

#endif
