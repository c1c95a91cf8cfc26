/* SPDX-License-Identifier: Apache-2.0 */
/* Profile recognition: the first byte is the set of allowed profiles, the rest the stream.  The
 * verdict comes within SY_RECOGNIZE_MAX bytes, never changes when more bytes come, and is the same
 * as that of the profile alone. */
#include <string.h>

#include "p2p/profile_recognize.h"
#include "tests/fuzz/support/fuzz.h"

static const sy_profile *const all[] = {&sy_profile_tendermint, &sy_profile_cometbft,
                                        &sy_profile_plain};

static sy_err ask(unsigned mask, const uint8_t *data, size_t len, const sy_profile **ret_profile) {
    const sy_profile *allowed[3];
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        if (mask >> i & 1) {
            allowed[count++] = all[i];
        }
    }
    sy_detail detail = {.text = ""};
    const sy_err err = sy_profile_recognize(allowed, count, data, len, ret_profile, &detail);
    FUZZ_CHECK(err == SY_OK || (err == SY_ERR_PROFILE_UNKNOWN && detail.text[0] != '\0'));
    fuzz_check_detail(&detail);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    const unsigned mask = fuzz_u8(&in) % 8;
    const size_t len = fuzz_left(&in);
    const sy_profile *final = NULL;
    const sy_err final_err = ask(mask, in.pos, len, &final);
    FUZZ_CHECK(final_err != SY_OK || final != NULL || len < SY_RECOGNIZE_MAX);

    for (size_t n = 0; n <= len && n <= SY_RECOGNIZE_MAX; n++) {
        uint8_t *exact = fuzz_exact(in.pos, n);
        const sy_profile *profile = NULL;
        const sy_err err = ask(mask, exact, n, &profile);
        if (err != SY_OK || profile != NULL || n == SY_RECOGNIZE_MAX) {
            FUZZ_CHECK(err == final_err && profile == final);
        }
        bool certain = false;
        const char *name = sy_profile_lookalike(exact, n, &certain);
        FUZZ_CHECK(n > 0 || name == NULL);
        fuzz_exact_del(exact);
    }
    for (size_t i = 0; i < 3; i++) {
        const bool is_this = all[i]->recognize(in.pos, len) == SY_RECOGNIZED_YES;
        FUZZ_CHECK(final != all[i] || is_this);
        FUZZ_CHECK(!is_this || (mask >> i & 1) == 0 || final != NULL);
    }
    fuzz_count(final != NULL);
    return 0;
}
