/* SPDX-License-Identifier: Apache-2.0 */
/* The one session behind the profiles tendermint, cometbft and plain: a plaintext stream that
 * begins with a NodeInfo in each direction and goes on with packets.  What tells the three apart is
 * data: the transport below the stream and the two codecs.  For the tables in profile.c only. */
#ifndef SY_P2P_SESSION_STREAM_H
#define SY_P2P_SESSION_STREAM_H

#include "p2p/session.h"
#include "p2p/session_transport.h"

/* Static. */
typedef struct sy_stream_wire {
    const sy_transport_ops *transport;
    sy_packet_codec packets;
} sy_stream_wire;

sy_err sy_stream_session_new(const sy_profile *profile, const sy_stream_wire *wire,
                             const sy_session_config *config, sy_session **ret_session)
    __attribute__((warn_unused_result));

/* The functions of sy_profile. */
void sy_stream_session_del(sy_session *session);
sy_err sy_stream_session_recv(sy_session *session, const uint8_t *in, size_t in_len,
                              size_t *ret_consumed, sy_session_event *ret_event, sy_detail *detail,
                              sy_time now) __attribute__((warn_unused_result));
sy_err sy_stream_session_send(sy_session *session, uint8_t *out, size_t out_cap, size_t *ret_len,
                              sy_time now) __attribute__((warn_unused_result));
bool sy_stream_session_wants_send(const sy_session *session, sy_time now);
sy_err sy_stream_session_accept(sy_session *session, sy_time now)
    __attribute__((warn_unused_result));
sy_mux *sy_stream_session_mux(sy_session *session);
bool sy_stream_session_at_boundary(const sy_session *session);
sy_time sy_stream_session_recv_ready_at(const sy_session *session);

#endif
