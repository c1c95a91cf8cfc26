/* SPDX-License-Identifier: Apache-2.0 */
/* Length prefixes against a slow second decoder, at every cut. */
#include <string.h>

#include "base/wr.h"
#include "tests/fuzz/support/fuzz.h"

typedef struct answer {
    sy_prefix_state state;
    uint64_t value;
    size_t size;
    bool minimal;
} answer;

/* The same by bits: bit k of the value is bit k % 7 of byte k / 7. */
static answer slow(const uint8_t *data, size_t len) {
    size_t size = 0;
    while (size < len && size < 10 && data[size] >= 0x80) {
        size++;
    }
    if (size == 10 || (size == 9 && size < len && data[9] > 1)) {
        return (answer){.state = SY_PREFIX_BAD};
    }
    if (size == len) {
        return (answer){.state = SY_PREFIX_MORE};
    }
    size++;
    answer a = {.state = SY_PREFIX_DONE, .size = size, .minimal = size == 1 || data[size - 1] != 0};
    for (unsigned k = 0; k < 7 * size && k < 64; k++) {
        a.value |= (uint64_t)(data[k / 7] >> k % 7 & 1) << k;
    }
    return a;
}

static answer peek(const uint8_t *data, size_t len) {
    answer a = {.state = SY_PREFIX_MORE};
    a.state = sy_uvarint_peek(data, len, &a.value, &a.size, &a.minimal);
    return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const answer whole = peek(data, size);
    for (size_t len = 0; len <= size && len <= 12; len++) {
        uint8_t *exact = fuzz_exact(data, len);
        const answer fast = peek(exact, len);
        const answer want = slow(exact, len);
        FUZZ_CHECK(fast.state == want.state && fast.value == want.value);
        FUZZ_CHECK(fast.size == want.size && fast.minimal == want.minimal);
        FUZZ_CHECK(fast.state == SY_PREFIX_MORE || fast.state == whole.state);
        fuzz_exact_del(exact);
    }
    if (whole.state == SY_PREFIX_DONE) {
        uint8_t out[10];
        sy_wr wr;
        sy_wr_init(&wr, out, sizeof out);
        sy_wr_uvarint(&wr, whole.value);
        FUZZ_CHECK(wr.len == sy_uvarint_size(whole.value) && wr.len <= whole.size);
        FUZZ_CHECK(whole.minimal == (wr.len == whole.size && memcmp(out, data, wr.len) == 0));
    }
    fuzz_count(whole.state == SY_PREFIX_DONE);
    return 0;
}
