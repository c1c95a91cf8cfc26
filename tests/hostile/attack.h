/* SPDX-License-Identifier: Apache-2.0 */
/* The attacker of the hostile tests: many connections from many addresses of 127.0.0.0/8, each
 * brought to some stage and then made to misbehave.  Its handshake and frames are those of
 * yardspec's client, whose every byte can be bent. */
#ifndef SY_TESTS_HOSTILE_ATTACK_H
#define SY_TESTS_HOSTILE_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/yardspec/peer.h"

/* How far each connection comes by honest means. */
typedef enum attack_stage {
    ATTACK_EPH,  /* connected */
    ATTACK_AUTH, /* ephemeral keys exchanged */
    ATTACK_INFO, /* authentication messages exchanged */
    ATTACK_UP,   /* NodeInfo exchanged: a peer */
} attack_stage;

/* What it does then. */
typedef enum attack_act {
    ATTACK_HOLD,    /* nothing, or the stage's own message byte by byte (--drip) */
    ATTACK_DECLARE, /* says that something huge follows; at UP also a frame that does */
    ATTACK_PING,    /* UP: pings as fast as the socket takes them */
    ATTACK_MUTE,    /* UP: messages that are echoed, and reads nothing */
    ATTACK_HALF,    /* UP: the first part of a message, then nothing */
    ATTACK_CHURN,   /* connects and closes, over and over */
} attack_act;

typedef struct attack_options {
    sy_endpoint to;
    spec_profile profile;
    const char *network;
    size_t count;  /* connections */
    size_t spread; /* /24s that they come from */
    size_t net;    /* the first of these */
    attack_stage stage;
    attack_act act;
    size_t first; /* bytes of the stage's own message that are sent at once */
    long drip_ms; /* then one byte each time; 0: none */
    size_t size;  /* HALF: bytes of the message; MUTE: of all messages, 0: no end */
    unsigned channel;
    long seconds; /* CHURN: how long; 0: count connections */
} attack_options;

typedef struct attack_conn {
    spec_peer peer;
    spec_bytes out; /* to be sent when the socket takes it */
    size_t asked;   /* MUTE: bytes of messages so far */
    bool open;
} attack_conn;

typedef struct attack_counts {
    size_t open;
    size_t refused; /* did not come as far as wanted */
    size_t closed;  /* by the target, later */
    uint64_t sent;
    uint64_t received;
} attack_counts;

/* ---- attack_conn.c */

/* TCP from an address of its own. */
bool attack_connect(const attack_options *options, size_t number, spec_peer *peer);

/* Connects and comes to the stage; what is to follow waits in conn->out. */
bool attack_open(const attack_options *options, size_t number, attack_conn *conn);

/* More of the same for the acts that never end. */
void attack_refill(const attack_options *options, attack_conn *conn);

/* Connects and closes in different ways; returns how many times. */
size_t attack_churn(const attack_options *options);

#endif
