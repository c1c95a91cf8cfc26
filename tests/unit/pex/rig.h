/* SPDX-License-Identifier: Apache-2.0 */
/* The real reactor of peer exchange on a switch that is a table: no bytes of a handshake, no
 * sockets, only peers that come and go on a virtual clock.  So a test can look at each decision of
 * the reactor, and a simulation can afford years.  It defines the functions of switch.h and peer.h
 * that the reactor calls; everything that asks for another one fails to link.
 *
 *     rig *r = rig_new(&config, &world, seed);
 *     sy_peer *peer = rig_accept(r, &id, &remote, "1.2.3.4:26656", RIG_INBOUND);
 *     rig_run_until(r, SY_MIN);
 *     rig_del(r);        // an orderly stop: anchors are kept, the book is saved */
#ifndef SY_TESTS_PEX_RIG_H
#define SY_TESTS_PEX_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/pex.h>
#include <switchyard/switch.h>

#include "reactors/pex/pex_codec.h"

#define RIG_PEERS_MAX 512
#define RIG_DIALS_MAX 128
#define RIG_LATENCY   (50 * SY_MSEC) /* a dial takes so long */

/* Wall-clock time at the start of the virtual clock. */
#define RIG_T0 ((int64_t)1700000000 * 1000000000)

typedef struct rig rig;

typedef enum rig_class {
    RIG_INBOUND,
    RIG_OUTBOUND,
    RIG_PERSISTENT,
    RIG_UNCONDITIONAL,
} rig_class;

/* Who the others are.  Every function may be NULL. */
typedef struct rig_world {
    void *user;

    /* What a dial comes to: SY_OK, a peer; else its end.  NULL: a peer. */
    sy_err (*dial)(void *user, const sy_addr *addr, sy_stage *ret_stage);

    void (*up)(void *user, rig *r, sy_peer *peer);
    void (*down)(void *user, rig *r, sy_peer *peer);

    /* The reactor has asked this peer; at the end of the turn. */
    void (*asked)(void *user, rig *r, sy_peer *peer);
} rig_world;

/* Starts the reactor.  The world is copied. */
rig *rig_new(const sy_pex_config *config, const rig_world *world, uint64_t seed, sy_time now);
void rig_del(rig *r); /* stops it in order first */

/* NULL when memory is short or the configuration is refused. */
rig *rig_try_new(const sy_pex_config *config, const rig_world *world, uint64_t seed, sy_time now);

sy_pex *rig_pex(rig *r);
sy_pex_counts rig_counts(const rig *r);
sy_time rig_now(const rig *r);
sy_walltime rig_wall(const rig *r);
void rig_run_until(rig *r, sy_time at);
void rig_run_for(rig *r, sy_duration duration);

/* A connection that somebody else made; listen_addr is what the remote says of itself. */
sy_peer *rig_accept(rig *r, const sy_node_id *id, const sy_endpoint *remote,
                    const char *listen_addr, rig_class peer_class);
void rig_drop(rig *r, sy_peer *peer, sy_err code);
sy_peer *rig_find(rig *r, const sy_node_id *id);

/* A message of the peer arrives.  The peer may be gone afterwards. */
void rig_receive(rig *r, sy_peer *peer, const void *data, size_t len);
void rig_request(rig *r, sy_peer *peer);
void rig_list(rig *r, sy_peer *peer, const sy_net_addr *addrs, size_t count);

/* What has been seen of a peer. */
typedef struct rig_seen {
    unsigned requests; /* from us */
    unsigned lists;    /* from us */
    size_t last_list;  /* addresses in the last one */
} rig_seen;

rig_seen rig_seen_of(const sy_peer *peer);
size_t rig_peer_count(const rig *r);
size_t rig_outbound(rig *r, sy_net_addr *out, size_t cap); /* dialed ones that discovery found */

/* How the last peer that the reactor stopped was stopped; SY_OK: none yet. */
sy_err rig_last_stop(const rig *r);

typedef struct rig_dialed {
    sy_addr addr;
    sy_dial_kind kind;
    sy_time at;
} rig_dialed;

/* The last dials, the latest first; NULL beyond. */
size_t rig_dial_count(const rig *r);
const rig_dialed *rig_dial_at(const rig *r, size_t back);

/* The next sy_switch_dial answers this; SY_OK: as usual. */
void rig_refuse_dials(rig *r, sy_err err);

/* An IPv4 address (host order) as an endpoint, and a node at it. */
sy_endpoint rig_ip(uint32_t ip, uint16_t port);
sy_net_addr rig_node(uint64_t n, uint32_t ip);

#define RIG_IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

#endif
