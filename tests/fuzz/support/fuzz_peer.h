/* SPDX-License-Identifier: Apache-2.0 */
/* A session under test with what a switch would do around it: accepts after INFO, queues, moves
 * time.  Checks what every call must keep and hands messages to the owner. */
#ifndef SY_TESTS_FUZZ_PEER_H
#define SY_TESTS_FUZZ_PEER_H

#include "p2p/session.h"
#include "tests/fuzz/support/fuzz_mux.h"

/* What the sessions of one run share. */
typedef struct fuzz_loop {
    fuzz_world world;
    sy_channel_set channels;
    sy_mux_batch *batch; /* NULL: each session has its own */
    sy_time now;
    bool has_rates;
} fuzz_loop;

typedef struct fuzz_peer {
    fuzz_loop *loop;
    sy_budget budget; /* child of the loop's conn budget */
    sy_node_info ours;
    char id_text[SY_NODE_ID_TEXT_CAP];
    sy_session *session; /* NULL before fuzz_peer_open and when memory did not suffice */
    sy_err err;
    bool accepts_late; /* accept waits for fuzz_peer_accept */
    bool is_identified;
    bool has_info;
    bool is_open;
    sy_node_id remote_id;
    fuzz_bytes out; /* bytes for the wire */
    void (*on_message)(void *user, uint16_t channel, const uint8_t *data, size_t len);
    void *user;
} fuzz_peer;

/* Flags: 1 a shared batch, 2 rates; then two bytes about memory. */
void fuzz_loop_init(fuzz_loop *loop, uint8_t flags, fuzz_in *in);
void fuzz_loop_fini(fuzz_loop *loop);

/* A NodeInfo for the holder of pubkey; every peer is compatible with every other. */
void fuzz_peer_init(fuzz_peer *peer, fuzz_loop *loop, const uint8_t pubkey[32]);
void fuzz_peer_fini(fuzz_peer *peer);

void fuzz_peer_open(fuzz_peer *peer, const sy_profile *profile, const sy_signer *signer,
                    const uint8_t eph_secret[32]);

/* Offers the first len bytes of wire until none of them is taken; drops what was taken. */
void fuzz_peer_feed(fuzz_peer *peer, fuzz_bytes *wire, size_t len);

/* Has the session write once, or until it has nothing more. */
bool fuzz_peer_send(fuzz_peer *peer);
void fuzz_peer_send_all(fuzz_peer *peer);

void fuzz_peer_accept(fuzz_peer *peer);

/* Queues a pattern; true when the session took it. */
bool fuzz_peer_queue(fuzz_peer *peer, uint16_t channel, size_t len, uint8_t seed);

/* The timers, and that nothing is left to read when is_dry. */
void fuzz_peer_time(fuzz_peer *peer, bool is_dry);

/* Nothing to send, nothing waits for the receive rate. */
bool fuzz_peer_is_quiet(fuzz_peer *peer);

#endif
