/* SPDX-License-Identifier: Apache-2.0 */
#include "p2p/session_transport.h"

#include <switchyard/assert.h>

/* ------------------------------------------------------------------ sealed */

static sy_err sealed_init(sy_transport *transport, const sy_session_config *config) {
    return sy_secret_conn_new(config->mem, config->budget, transport->ops->suite, &config->signer,
                              config->eph_secret, &transport->secret);
}

static void sealed_fini(sy_transport *transport) {
    sy_secret_conn_del(transport->secret);
    transport->secret = NULL;
}

static sy_err sealed_recv(sy_transport *transport, const uint8_t *in, size_t in_len,
                          size_t *ret_consumed, sy_transport_event *ret_event, sy_detail *detail) {
    sy_sc_event event;
    const sy_err err = sy_secret_conn_recv(transport->secret, transport->scratch, in, in_len,
                                           ret_consumed, &event, detail);
    if (err != SY_OK) {
        return err;
    }
    switch (event.kind) {
    case SY_SC_NONE:
        *ret_event = (sy_transport_event){.kind = SY_TRANSPORT_NONE};
        return SY_OK;
    case SY_SC_AUTHENTICATED:
        *ret_event = (sy_transport_event){.kind = SY_TRANSPORT_PROVEN,
                                          .id = sy_node_id_of_pubkey(event.remote_pubkey)};
        return SY_OK;
    case SY_SC_DATA:
        *ret_event = (sy_transport_event){.kind = SY_TRANSPORT_DATA,
                                          .plain = {.data = event.plain, .len = event.plain_len}};
        return SY_OK;
    }
    SY_UNREACHABLE();
}

static bool sealed_wants_send(const sy_transport *transport) {
    return sy_secret_conn_wants_send(transport->secret);
}

static sy_err sealed_send(sy_transport *transport, uint8_t *out, size_t out_cap, size_t *ret_len) {
    return sy_secret_conn_send(transport->secret, transport->scratch, out, out_cap, ret_len);
}

static bool sealed_is_open(const sy_transport *transport) {
    return sy_secret_conn_is_open(transport->secret);
}

static uint8_t *sealed_plain_area(const sy_transport *transport, uint8_t *out, size_t out_cap,
                                  size_t *ret_cap) {
    (void)out;
    const size_t frames = out_cap / SY_SEALED_LEN;
    *ret_cap = (frames < SY_SEAL_BATCH ? frames : SY_SEAL_BATCH) * SY_FRAME_DATA_MAX;
    return sy_scratch_plain_out(transport->scratch);
}

static sy_err sealed_emit(sy_transport *transport, size_t plain_len, uint8_t *out, size_t out_cap,
                          size_t *ret_len) {
    return sy_secret_conn_seal(transport->secret, transport->scratch, plain_len, out, out_cap,
                               ret_len);
}

static bool sealed_at_boundary(const sy_transport *transport) {
    return sy_secret_conn_at_boundary(transport->secret);
}

#define SEALED_OPS                                                                                 \
    .proves_id = true, .init = sealed_init, .fini = sealed_fini, .recv = sealed_recv,              \
    .wants_send = sealed_wants_send, .send = sealed_send, .is_open = sealed_is_open,               \
    .plain_area = sealed_plain_area, .emit = sealed_emit, .at_boundary = sealed_at_boundary

const sy_transport_ops sy_transport_secretbox = {.suite = &sy_suite_secretbox, SEALED_OPS};
const sy_transport_ops sy_transport_cometbft = {.suite = &sy_suite_cometbft, SEALED_OPS};

/* ------------------------------------------------------------------ bare */

static sy_err bare_init(sy_transport *transport, const sy_session_config *config) {
    (void)transport;
    (void)config;
    return SY_OK;
}

static void bare_fini(sy_transport *transport) {
    (void)transport;
}

static sy_err bare_recv(sy_transport *transport, const uint8_t *in, size_t in_len,
                        size_t *ret_consumed, sy_transport_event *ret_event, sy_detail *detail) {
    (void)transport;
    (void)detail;
    *ret_consumed = in_len;
    *ret_event = (sy_transport_event){.kind = in_len > 0 ? SY_TRANSPORT_DATA : SY_TRANSPORT_NONE,
                                      .plain = {.data = in, .len = in_len}};
    return SY_OK;
}

static bool bare_wants_send(const sy_transport *transport) {
    (void)transport;
    return false;
}

static sy_err bare_send(sy_transport *transport, uint8_t *out, size_t out_cap, size_t *ret_len) {
    (void)transport;
    (void)out;
    (void)out_cap;
    *ret_len = 0;
    return SY_OK;
}

static bool bare_is_open(const sy_transport *transport) {
    (void)transport;
    return true;
}

static uint8_t *bare_plain_area(const sy_transport *transport, uint8_t *out, size_t out_cap,
                                size_t *ret_cap) {
    (void)transport;
    *ret_cap = out_cap;
    return out;
}

static sy_err bare_emit(sy_transport *transport, size_t plain_len, uint8_t *out, size_t out_cap,
                        size_t *ret_len) {
    (void)transport;
    (void)out;
    SY_ASSERT(plain_len <= out_cap);
    *ret_len = plain_len;
    return SY_OK;
}

static bool bare_at_boundary(const sy_transport *transport) {
    (void)transport;
    return true;
}

const sy_transport_ops sy_transport_bare = {
    .proves_id = false,
    .init = bare_init,
    .fini = bare_fini,
    .recv = bare_recv,
    .wants_send = bare_wants_send,
    .send = bare_send,
    .is_open = bare_is_open,
    .plain_area = bare_plain_area,
    .emit = bare_emit,
    .at_boundary = bare_at_boundary,
};
