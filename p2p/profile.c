/* SPDX-License-Identifier: Apache-2.0 */
/* The table of profiles. */
#include <string.h>

#include <switchyard/assert.h>

#include "p2p/profile_recognize.h"
#include "p2p/session.h"
#include "p2p/session_stream.h"

#define STREAM_SESSION                                                                             \
    .del = sy_stream_session_del, .recv = sy_stream_session_recv, .send = sy_stream_session_send,  \
    .wants_send = sy_stream_session_wants_send, .accept = sy_stream_session_accept,                \
    .mux = sy_stream_session_mux, .at_boundary = sy_stream_session_at_boundary,                    \
    .recv_ready_at = sy_stream_session_recv_ready_at

static sy_err tendermint_new(const sy_profile *profile, const sy_session_config *config,
                             sy_time now, sy_session **ret_session) {
    static const sy_stream_wire wire = {&sy_transport_secretbox, SY_PACKET_AMINO};
    (void)now;
    return sy_stream_session_new(profile, &wire, config, ret_session);
}

const sy_profile sy_profile_tendermint = {
    .name = "tendermint",
    .encoding = "amino",
    .codec = SY_NODE_INFO_AMINO,
    .recognize = sy_recognize_tendermint,
    .session_new = tendermint_new,
    STREAM_SESSION,
};

static sy_err cometbft_new(const sy_profile *profile, const sy_session_config *config, sy_time now,
                           sy_session **ret_session) {
    static const sy_stream_wire wire = {&sy_transport_cometbft, SY_PACKET_PROTO};
    (void)now;
    return sy_stream_session_new(profile, &wire, config, ret_session);
}

const sy_profile sy_profile_cometbft = {
    .name = "cometbft",
    .encoding = "proto",
    .codec = SY_NODE_INFO_PROTO,
    .recognize = sy_recognize_cometbft,
    .session_new = cometbft_new,
    STREAM_SESSION,
};

static sy_err plain_new(const sy_profile *profile, const sy_session_config *config, sy_time now,
                        sy_session **ret_session) {
    /* SPEC PL-02 */
    static const sy_stream_wire wire = {&sy_transport_bare, SY_PACKET_AMINO};
    (void)now;
    return sy_stream_session_new(profile, &wire, config, ret_session);
}

const sy_profile sy_profile_plain = {
    .name = "plain",
    .encoding = "amino",
    .codec = SY_NODE_INFO_AMINO,
    .recognize = sy_recognize_plain,
    .session_new = plain_new,
    STREAM_SESSION,
};

static const sy_profile *const profiles[] = {
    &sy_profile_tendermint,
    &sy_profile_cometbft,
    &sy_profile_plain,
};

const sy_profile *sy_profile_by_name(const char *name, size_t len) {
    SY_REQUIRE(name != NULL || len == 0);
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        if (strlen(profiles[i]->name) == len && memcmp(profiles[i]->name, name, len) == 0) {
            return profiles[i];
        }
    }
    return NULL;
}
