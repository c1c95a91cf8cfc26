/* SPDX-License-Identifier: Apache-2.0 */
/* The second step of the handshake and the stream behind it: the input is what the remote says
 * inside its frames, sealed here with the right keys, or spoilt on the way.  FUZZ_SUITE says which
 * suite; the first byte says which ephemeral key is ours.  Only who signed the challenge is
 * reported, and what is delivered is what was said behind the auth message.
 *
 * Both sides sign the same challenge, so a remote can send our own proof back to us: it is then
 * reported as the holder of our key, and whoever owns the connection finds that it is itself. */
#include <string.h>

#include "tests/fuzz/support/fuzz_conn.h"

/* Length of the auth message at the head of what was said. */
static size_t auth_len(const fuzz_bytes *plain) {
    uint64_t body = 0;
    size_t prefix = 0;
    bool minimal = false;
    FUZZ_CHECK(sy_uvarint_peek(plain->data, plain->len, &body, &prefix, &minimal) ==
               SY_PREFIX_DONE);
    FUZZ_CHECK(minimal && body <= plain->len - prefix);
    return prefix + (size_t)body;
}

static void check_received(const fuzz_conn *fc, const fuzz_hand *hand, const fuzz_script *script) {
    if (!fc->is_authenticated) {
        FUZZ_CHECK(fc->received.len == 0);
        return;
    }
    FUZZ_CHECK(memcmp(fc->remote_pubkey, hand->remote_pubkey, 32) == 0 ||
               memcmp(fc->remote_pubkey, hand->local_pubkey, 32) == 0);
    const size_t auth = auth_len(&script->plain);
    const size_t said = script->plain.len - auth;
    FUZZ_CHECK(fc->received.len <= said);
    FUZZ_CHECK(fc->received.len == 0 ||
               memcmp(fc->received.data, script->plain.data + auth, fc->received.len) == 0);
    FUZZ_CHECK(script->is_spoilt || fc->world.is_tight ||
               (fc->err == SY_OK && fc->received.len == said));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    fuzz_hand hand;
    fuzz_conn fc;
    const uint8_t flags = fuzz_u8(&in);
    fuzz_hand_init(&hand, &FUZZ_SUITE, flags);
    fuzz_conn_init(&fc, hand.suite, &hand.local_signer, hand.local_eph_secret, &in);
    fuzz_script script = {.hand = &hand, .has_proof = true};
    fuzz_bytes_add(&script.wire, hand.remote_eph_msg, hand.suite->eph_msg_len);

    while (fuzz_left(&in) > 0 && fc.err == SY_OK) {
        const uint8_t op = fuzz_u8(&in);
        if (op < FUZZ_SCRIPT_OPS) {
            fuzz_script_step(&script, op, &in);
        } else if (op < 0xf8) {
            fuzz_conn_feed_from(&fc, &script.wire, fuzz_u8(&in));
        } else if (op < 0xfc) {
            fuzz_conn_feed_from(&fc, &script.wire, fuzz_u16(&in));
        } else {
            fuzz_conn_send(&fc);
        }
    }
    fuzz_conn_feed_from(&fc, &script.wire, script.wire.len);
    fuzz_conn_send(&fc);
    check_received(&fc, &hand, &script);
    if (fc.err == SY_OK && fc.is_authenticated) {
        FUZZ_CHECK(sy_secret_conn_is_open(fc.conn));
    }
    fuzz_count(fc.is_authenticated);
    fuzz_script_free(&script);
    fuzz_conn_fini(&fc);
    return 0;
}
