/* SPDX-License-Identifier: Apache-2.0 */
/* A peer: a connection that passed every check.  `sy_peer *` is valid only inside a callback on the
 * loop; across turns and threads a peer is named by sy_peer_ref, by value, and every call with it
 * may answer SY_ERR_GONE.  All functions here: never block, may be called in any reactor callback;
 * loop thread only, but an isolated reactor may call them with the peer that it was given. */
#ifndef SWITCHYARD_PEER_H
#define SWITCHYARD_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/channel.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/msg.h>
#include <switchyard/node_id.h>
#include <switchyard/node_info.h>
#include <switchyard/reason.h>
#include <switchyard/send_result.h>
#include <switchyard/time.h>

SY_BEGIN_DECLS

typedef struct sy_peer sy_peer;

typedef struct sy_peer_ref {
    uint32_t slot;
    uint32_t generation;
} sy_peer_ref;

/* A channel of the switch, resolved once at registration: an index, not the byte on the wire. */
typedef uint16_t sy_channel;

#define SY_NO_CHANNEL ((sy_channel)0xffff)

SY_API sy_peer_ref sy_peer_ref_of(const sy_peer *peer);
SY_API const sy_node_id *sy_peer_id(const sy_peer *peer);
SY_API bool sy_peer_is_outbound(const sy_peer *peer);
SY_API bool sy_peer_is_persistent(const sy_peer *peer);

/* What the remote said of itself; borrows until peer_fini. */
SY_API const sy_node_info *sy_peer_info(const sy_peer *peer);

/* The socket's remote address, not the self-reported one. */
SY_API const sy_endpoint *sy_peer_remote(const sy_peer *peer);

/* Outbound: the address that was dialed, as configured or learned; NULL when inbound or forgotten.
 * Borrows for the turn. */
SY_API const sy_addr *sy_peer_dialed_addr(const sy_peer *peer);

/* When it became a peer. */
SY_API sy_time sy_peer_since(const sy_peer *peer);

/* Its admission class: "inbound", "outbound", "persistent", "unconditional"; static. */
SY_API const char *sy_peer_class_text(const sy_peer *peer);

/* The wire profile, "tendermint" or "cometbft" ..., and the encoding of reactor messages that exist
 * in several ("amino", "proto").  Static text. */
SY_API const char *sy_peer_profile(const sy_peer *peer);
SY_API const char *sy_peer_encoding(const sy_peer *peer);

/* The remote announced this channel. */
SY_API bool sy_peer_has_channel(const sy_peer *peer, sy_channel channel);

/* Messages that wait in its send queue of this channel; 0 for the peer of an isolated reactor. */
SY_API size_t sy_peer_queued(const sy_peer *peer, sy_channel channel);

/* Queues len bytes, copied.  QUEUED: they will be sent unless the connection ends first.  FULL:
 * nothing happened, `writable` will be called.  REFUSED: the remote has no such channel, the
 * message is longer than the channel's capacity, memory is short, or the peer is going. */
SY_API sy_send_result sy_peer_send(sy_peer *peer, sy_channel channel, const void *data, size_t len);

/* The same with a shared message; takes a reference of its own when QUEUED. */
SY_API sy_send_result sy_peer_send_msg(sy_peer *peer, sy_channel channel, sy_msg *msg);

/* Ends the connection at the end of this turn, after which peer_removed and peer_fini follow.
 * Repeated calls do nothing: the first reason stays.  For cause: code SY_ERR_REACTOR_CAUSE with a
 * text that the operators of both ends can understand; orderly: SY_ERR_STOPPED, queued messages
 * are flushed first. */
SY_API void sy_peer_stop(sy_peer *peer, sy_err code, const char *text);

/* Sends a ping at once; the answer shows in the round-trip time. */
SY_API void sy_peer_ping(sy_peer *peer, sy_time now);

/* Of the last answered ping, 0 when none was answered yet. */
SY_API sy_duration sy_peer_rtt(const sy_peer *peer);

SY_END_DECLS

#endif
