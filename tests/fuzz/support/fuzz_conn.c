/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/support/fuzz_conn.h"

#include <string.h>

sy_scratch *fuzz_scratch(void) {
    static sy_scratch *scratch;
    if (scratch == NULL) {
        FUZZ_CHECK(sy_scratch_new(sy_mem_libc(), &scratch) == SY_OK);
    }
    return scratch;
}

/* A failure: judged once, and the same from then on. */
static void failed(fuzz_conn *fc, sy_err err) {
    static const uint8_t byte[1] = {0x21};
    fuzz_check_err(err, &fc->world);
    fc->err = err;
    if (fc->conn != NULL) {
        size_t n = SIZE_MAX;
        uint8_t out[SY_SEALED_LEN];
        sy_sc_event event;
        FUZZ_CHECK(sy_secret_conn_recv(fc->conn, fuzz_scratch(), byte, 1, &n, &event, NULL) == err);
        FUZZ_CHECK(sy_secret_conn_send(fc->conn, fuzz_scratch(), out, sizeof out, &n) == err);
        FUZZ_CHECK(n == SIZE_MAX && !sy_secret_conn_wants_send(fc->conn));
        FUZZ_CHECK(!sy_secret_conn_is_open(fc->conn) && !sy_secret_conn_at_boundary(fc->conn));
    }
}

void fuzz_conn_init(fuzz_conn *fc, const sy_suite *suite, const sy_signer *signer,
                    const uint8_t eph_secret[32], fuzz_in *in) {
    *fc = (fuzz_conn){.conn = NULL};
    fuzz_world_init(&fc->world, in);
    (void)fuzz_scratch();
    const sy_err err = sy_secret_conn_new(&fc->world.tm.mem, &fc->world.conn, suite, signer,
                                          eph_secret, &fc->conn);
    if (err != SY_OK) {
        failed(fc, err);
    }
    fuzz_world_check(&fc->world);
}

void fuzz_conn_fini(fuzz_conn *fc) {
    sy_secret_conn_del(fc->conn);
    fuzz_world_fini(&fc->world);
    fuzz_bytes_free(&fc->received);
    fuzz_bytes_free(&fc->sent);
}

static void take_event(fuzz_conn *fc, const sy_sc_event *event) {
    switch (event->kind) {
    case SY_SC_NONE:
        return;
    case SY_SC_AUTHENTICATED:
        FUZZ_CHECK(!fc->is_authenticated && fc->received.len == 0);
        fc->is_authenticated = true;
        memcpy(fc->remote_pubkey, event->remote_pubkey, sizeof fc->remote_pubkey);
        return;
    case SY_SC_DATA:
        FUZZ_CHECK(fc->is_authenticated && event->plain_len > 0);
        fuzz_bytes_add(&fc->received, event->plain, event->plain_len);
        return;
    }
    FUZZ_CHECK(event->kind == SY_SC_NONE);
}

void fuzz_conn_feed(fuzz_conn *fc, const uint8_t *data, size_t len) {
    uint8_t *in = fuzz_exact(data, len);
    size_t done = 0;
    while (done < len && fc->err == SY_OK) {
        size_t consumed = SIZE_MAX;
        sy_sc_event event = {.kind = SY_SC_NONE, .plain_len = SIZE_MAX};
        sy_detail detail = {.text = ""};
        const sy_err err = sy_secret_conn_recv(fc->conn, fuzz_scratch(), in + done, len - done,
                                               &consumed, &event, &detail);
        fuzz_check_detail(&detail);
        fuzz_world_check(&fc->world);
        FUZZ_CHECK(fc->is_authenticated || fc->world.conn.used <= SY_PRE_AUTH_MAX);
        if (err != SY_OK) {
            FUZZ_CHECK(consumed == SIZE_MAX && event.plain_len == SIZE_MAX);
            failed(fc, err);
            break;
        }
        FUZZ_CHECK(consumed <= len - done);
        FUZZ_CHECK(consumed > 0 || event.kind == SY_SC_AUTHENTICATED);
        done += consumed;
        take_event(fc, &event);
    }
    FUZZ_CHECK(len == 0 || memcmp(in, data, len) == 0);
    fuzz_exact_del(in);
}

void fuzz_conn_feed_from(fuzz_conn *fc, fuzz_bytes *wire, size_t len) {
    const size_t n = len < wire->len ? len : wire->len;
    fuzz_conn_feed(fc, wire->data, n);
    fuzz_bytes_drop_front(wire, n);
}

void fuzz_conn_send(fuzz_conn *fc) {
    while (fc->err == SY_OK && sy_secret_conn_wants_send(fc->conn)) {
        uint8_t out[SY_SEALED_LEN];
        size_t len = 0;
        const sy_err err = sy_secret_conn_send(fc->conn, fuzz_scratch(), out, sizeof out, &len);
        if (err != SY_OK) {
            failed(fc, err);
            return;
        }
        FUZZ_CHECK(len > 0 && len <= sizeof out);
        fuzz_bytes_add(&fc->sent, out, len);
        fuzz_world_check(&fc->world);
    }
}
