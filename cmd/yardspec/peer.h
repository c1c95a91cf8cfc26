/* SPDX-License-Identifier: Apache-2.0 */
/* The client whose every byte can be bent: one TCP connection, and below it handshake messages,
 * frames and packets that are made by hand.  Key schedules, node keys and packet parsing are the
 * library's; frames are sealed here, with libsodium's own constructions, because a frame with a
 * wrong length, nonce or padding is what the library refuses to make.
 *
 * Reads wait for at most the time-out that the peer was given; nothing waits for ever. */
#ifndef YARDSPEC_PEER_H
#define YARDSPEC_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <switchyard/addr.h>
#include <switchyard/node_info.h>
#include <switchyard/node_key.h>

#include "cmd/yardspec/bytes.h"
#include "cmd/yardspec/evidence.h"
#include "conn/packet.h"
#include "conn/suite.h"

typedef enum spec_profile {
    SPEC_TENDERMINT = 1,
    SPEC_COMETBFT = 2,
    SPEC_BOTH = 3,
} spec_profile;

/* Monotonic. */
long spec_now_ms(void);
long spec_now_us(void);

const char *spec_profile_name(spec_profile profile);

/* What a wait ended with. */
typedef enum spec_came {
    SPEC_CAME_DATA,    /* what was waited for */
    SPEC_CAME_CLOSED,  /* the target closed or reset the connection */
    SPEC_CAME_NOTHING, /* the time-out */
    SPEC_CAME_WRONG,   /* bytes that break the protocol; peer->wrong says how */
} spec_came;

/* How a frame differs from an honest one; all zero is honest. */
typedef struct spec_frame {
    bool has_length; /* else the length of the data */
    uint32_t length;
    uint8_t padding;   /* value of each padding byte */
    bool bad_tag;      /* one bit of the tag is turned over */
    bool bad_body;     /* one bit of the ciphertext */
    bool again;        /* sealed with the nonce of the frame before; the counter stays */
    bool skip;         /* one nonce is left out */
    bool other_key;    /* sealed with the key (tendermint: the nonces) of the other direction */
    bool little_wrong; /* the length in the wrong byte order */
} spec_frame;

typedef struct spec_peer {
    int fd;        /* -1: none */
    uint16_t port; /* ours: the target's log names it */
    spec_profile profile;
    int timeout_ms;
    sy_node_key key;
    uint8_t eph_secret[32];
    uint8_t eph_pub[32];
    uint8_t remote_eph[32];
    bool has_keys;
    sy_frame_key send_key;
    sy_frame_key recv_key;
    uint8_t challenge[32];
    uint8_t remote_pub[32];
    bool accepted;        /* the target dialed */
    bool deaf;            /* nothing is read while we send */
    bool ended;           /* the target closed */
    spec_bytes raw;       /* received, not yet looked at */
    size_t received;      /* bytes in all */
    spec_bytes plain;     /* opened, not yet looked at */
    size_t frames;        /* opened in all */
    size_t frames_empty;  /* ... without data */
    size_t frames_padded; /* ... with padding that is not zero */
    size_t first_len;     /* data bytes of the first frame: the authentication message */
    spec_bytes info;      /* the remote's NodeInfo body */
    spec_trace *trace;    /* borrowed; NULL: nobody wants to know */
    char wrong[160];
} spec_peer;

/* A new node key and ephemeral key; no connection yet. */
void spec_peer_init(spec_peer *peer, spec_profile profile, int timeout_ms);
void spec_peer_fini(spec_peer *peer);

socklen_t spec_sockaddr(const sy_endpoint *endpoint, struct sockaddr_storage *ret);
uint16_t spec_local_port(int fd);
uint16_t spec_remote_port(int fd);

/* TCP.  false: not connected within the time-out. */
bool spec_peer_connect(spec_peer *peer, const sy_endpoint *endpoint);

/* Takes over a connection that the target made. */
void spec_peer_adopt(spec_peer *peer, int fd);

/* The end of our half. */
void spec_peer_shut(spec_peer *peer);
void spec_peer_close(spec_peer *peer);

/* Sends as much as the target takes; a target that has closed is not an error of the sender, the
 * next read tells.  What arrives meanwhile is kept. */
void spec_peer_send(spec_peer *peer, const void *data, size_t len);

/* One frame, or as many honest ones as the data needs. */
void spec_peer_seal(spec_peer *peer, const spec_frame *frame, const void *data, size_t len,
                    spec_bytes *out);
void spec_peer_seal_stream(spec_peer *peer, const void *data, size_t len, spec_bytes *out);
void spec_peer_send_frame(spec_peer *peer, const spec_frame *frame, const void *data, size_t len);
void spec_peer_send_stream(spec_peer *peer, const void *data, size_t len);

/* Waits until so many raw bytes, or so many opened ones, are there. */
spec_came spec_peer_need_raw(spec_peer *peer, size_t len);
spec_came spec_peer_need_plain(spec_peer *peer, size_t len);

/* The steps of an honest handshake.  encode_* only make the bytes. */
size_t spec_peer_encode_ephemeral(const spec_peer *peer, uint8_t out[SY_EPH_MSG_MAX]);
size_t spec_peer_encode_auth(const spec_peer *peer, uint8_t out[SY_AUTH_MSG_MAX]);
spec_came spec_peer_recv_ephemeral(spec_peer *peer); /* and derives the keys */
spec_came spec_peer_recv_auth(spec_peer *peer);      /* and verifies */
spec_came spec_peer_recv_info(spec_peer *peer);

/* The next packet; its data is valid until the next call. */
spec_came spec_peer_recv_packet(spec_peer *peer, sy_packet *ret_packet);
sy_packet_codec spec_peer_codec(const spec_peer *peer);
void spec_peer_send_ping(spec_peer *peer);
void spec_peer_send_pong(spec_peer *peer);

/* Adds the packets of a message. */
void spec_peer_add_message(const spec_peer *peer, uint8_t channel, const uint8_t *data, size_t len,
                           spec_bytes *out);
const sy_suite *spec_peer_suite(const spec_peer *peer);
sy_node_id spec_peer_id(const spec_peer *peer);

#endif
