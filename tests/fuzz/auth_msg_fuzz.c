/* SPDX-License-Identifier: Apache-2.0 */
/* The decoders of the two handshake messages alone, without keys.  FUZZ_SUITE says which suite, the
 * first byte which message, and whether the rest is the message or what a whole one is made of and
 * then edited.  What is accepted is what we would have written, or means the same. */
#include <string.h>

#include "conn/suite.h"
#include "tests/fuzz/support/fuzz.h"

static bool ephemeral(const uint8_t *data, size_t len) {
    uint8_t pub[32];
    uint8_t again[SY_EPH_MSG_MAX];
    sy_detail detail = {.text = ""};
    size_t used = SIZE_MAX;
    const sy_err err = FUZZ_SUITE.decode_ephemeral(data, len, &used, pub, &detail);
    fuzz_check_detail(&detail);
    if (err != SY_OK) {
        FUZZ_CHECK(err == SY_ERR_EPH_LENGTH || err == SY_ERR_EPH_MALFORMED);
        FUZZ_CHECK(used == SIZE_MAX);
        return false;
    }
    if (used == 0) {
        FUZZ_CHECK(len < FUZZ_SUITE.eph_msg_len);
        return false;
    }
    FUZZ_CHECK(used == FUZZ_SUITE.eph_msg_len);
    FUZZ_SUITE.encode_ephemeral(pub, again);
    FUZZ_CHECK(memcmp(again, data, used) == 0);
    return true;
}

static bool auth(const uint8_t *data, size_t len) {
    sy_auth_msg msg;
    sy_auth_msg back;
    uint8_t again[SY_AUTH_MSG_MAX];
    sy_detail detail = {.text = ""};
    const sy_err err = FUZZ_SUITE.decode_auth(data, len, &msg, &detail);
    fuzz_check_detail(&detail);
    if (err != SY_OK) {
        FUZZ_CHECK(err <= SY_ERR_AUTH_MALFORMED && err >= SY_ERR_AUTH_SIG_TYPE);
        return false;
    }
    FUZZ_SUITE.encode_auth(&msg, again);
    FUZZ_CHECK(again[0] == FUZZ_SUITE.auth_msg_len - 1);
    FUZZ_CHECK(FUZZ_SUITE.decode_auth(again + 1, again[0], &back, &detail) == SY_OK);
    FUZZ_CHECK(memcmp(&msg, &back, sizeof msg) == 0);
    return true;
}

static bool made_ephemeral(unsigned edits, fuzz_in *in) {
    uint8_t pub[32] = {0};
    uint8_t made[SY_EPH_MSG_MAX];
    const sy_bytes from = fuzz_take(in, sizeof pub);
    memcpy(pub, from.data, from.len);
    FUZZ_SUITE.encode_ephemeral(pub, made);
    fuzz_edit(in, made, FUZZ_SUITE.eph_msg_len, edits);
    const bool is_taken = ephemeral(made, FUZZ_SUITE.eph_msg_len);
    FUZZ_CHECK(is_taken || edits > 0);
    return is_taken;
}

static bool made_auth(unsigned edits, fuzz_in *in) {
    sy_auth_msg msg = {.pubkey = {0}};
    uint8_t made[SY_AUTH_MSG_MAX];
    const sy_bytes key = fuzz_take(in, sizeof msg.pubkey);
    const sy_bytes sig = fuzz_take(in, sizeof msg.sig);
    memcpy(msg.pubkey, key.data, key.len);
    memcpy(msg.sig, sig.data, sig.len);
    FUZZ_SUITE.encode_auth(&msg, made);
    fuzz_edit(in, made + 1, FUZZ_SUITE.auth_msg_len - 1, edits);
    const bool is_taken = auth(made + 1, FUZZ_SUITE.auth_msg_len - 1);
    FUZZ_CHECK(is_taken || edits > 0);
    return is_taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    const uint8_t first = fuzz_u8(&in);
    const bool is_auth = first % 2 == 0;
    bool is_taken;
    if (first / 2 % 2 == 0) {
        is_taken = is_auth ? auth(in.pos, fuzz_left(&in)) : ephemeral(in.pos, fuzz_left(&in));
    } else {
        const unsigned edits = first / 4 % 4;
        is_taken = is_auth ? made_auth(edits, &in) : made_ephemeral(edits, &in);
    }
    fuzz_count(is_taken);
    return 0;
}
