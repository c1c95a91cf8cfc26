/* SPDX-License-Identifier: Apache-2.0 */
/* The common face of sessions: checks the caller, then asks the profile. */
#include "p2p/session.h"

#include <switchyard/assert.h>

#include "p2p/session_internal.h"

sy_err sy_session_new(const sy_profile *profile, const sy_session_config *config, sy_time now,
                      sy_session **ret_session) {
    SY_REQUIRE(profile != NULL && ret_session != NULL);
    SY_REQUIRE(config->mem != NULL && config->budget != NULL && config->scratch != NULL);
    SY_REQUIRE(config->ours != NULL && config->channels != NULL);
    SY_REQUIRE(now != SY_NEVER);
    return profile->session_new(profile, config, now, ret_session);
}

void sy_session_del(sy_session *session) {
    if (session != NULL) {
        session->profile->del(session);
    }
}

const sy_profile *sy_session_profile(const sy_session *session) {
    return session->profile;
}

sy_err sy_session_recv(sy_session *session, const uint8_t *in, size_t in_len, size_t *ret_consumed,
                       sy_session_event *ret_event, sy_detail *detail, sy_time now) {
    SY_REQUIRE(in != NULL || in_len == 0);
    SY_REQUIRE(ret_consumed != NULL && ret_event != NULL);
    SY_REQUIRE(now != SY_NEVER);
    return session->profile->recv(session, in, in_len, ret_consumed, ret_event, detail, now);
}

sy_err sy_session_send(sy_session *session, uint8_t *out, size_t out_cap, size_t *ret_len,
                       sy_time now) {
    SY_REQUIRE(out != NULL && ret_len != NULL);
    SY_REQUIRE(out_cap >= SY_SESSION_SEND_MIN);
    SY_REQUIRE(now != SY_NEVER);
    return session->profile->send(session, out, out_cap, ret_len, now);
}

bool sy_session_wants_send(const sy_session *session, sy_time now) {
    return session->profile->wants_send(session, now);
}

sy_err sy_session_accept(sy_session *session, sy_time now) {
    SY_REQUIRE(now != SY_NEVER);
    return session->profile->accept(session, now);
}

sy_mux *sy_session_mux(sy_session *session) {
    return session->profile->mux(session);
}

bool sy_session_at_boundary(const sy_session *session) {
    return session->profile->at_boundary(session);
}

sy_time sy_session_recv_ready_at(const sy_session *session) {
    return session->profile->recv_ready_at(session);
}
