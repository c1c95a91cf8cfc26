/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of peer exchange.  FUZZ_ENCODING says in which form.  What is taken lies inside the
 * message, and those of its addresses that could be dialed are written and read again as the same
 * ones. */
#include "reactors/pex/pex_codec.h"

#include <string.h>

#include "tests/fuzz/support/fuzz.h"

static sy_err decode(const uint8_t *data, size_t len, sy_pex_message *ret_message) {
    sy_detail detail = {.text = ""};
    const sy_err err = sy_pex_decode(FUZZ_ENCODING, data, len, ret_message, &detail);
    fuzz_check_detail(&detail);
    FUZZ_CHECK(err == SY_OK || detail.text[0] != '\0');
    return err;
}

static void check_same(const sy_net_addr *addrs, size_t count, const sy_pex_message *again) {
    FUZZ_CHECK(again->kind == SY_PEX_ADDRS && again->count == count);
    for (size_t i = 0; i < count; i++) {
        sy_net_addr addr;
        FUZZ_CHECK(sy_pex_addr_read(FUZZ_ENCODING, &again->addrs[i], &addr));
        FUZZ_CHECK(sy_node_id_equal(&addr.id, &addrs[i].id));
        FUZZ_CHECK(sy_endpoint_equal(&addr.endpoint, &addrs[i].endpoint));
    }
}

static void check_written(const sy_net_addr *addrs, size_t count) {
    static uint8_t out[SY_PEX_MESSAGE_MAX];
    static sy_pex_message again;
    size_t len = 0;
    FUZZ_CHECK(sy_pex_encode_addrs(FUZZ_ENCODING, addrs, count, out, sizeof out, &len) == SY_OK);
    FUZZ_CHECK(len <= sizeof out && decode(out, len, &again) == SY_OK);
    check_same(addrs, count, &again);
    if (len > 0) {
        size_t unused = SIZE_MAX;
        FUZZ_CHECK(sy_pex_encode_addrs(FUZZ_ENCODING, addrs, count, out, len - 1, &unused) ==
                   SY_ERR_NO_SPACE);
        FUZZ_CHECK(unused == SIZE_MAX);
    }
}

static void check_message(const uint8_t *data, size_t len, const sy_pex_message *message) {
    sy_net_addr addrs[SY_ADDR_SAMPLE_MAX];
    size_t count = 0;
    FUZZ_CHECK(message->count <= SY_ADDR_SAMPLE_MAX);
    FUZZ_CHECK(message->kind == SY_PEX_ADDRS || message->count == 0);
    for (size_t i = 0; i < message->count; i++) {
        const sy_pex_addr *raw = &message->addrs[i];
        FUZZ_CHECK(fuzz_is_inside(raw->id.data, raw->id.len, data, len));
        FUZZ_CHECK(fuzz_is_inside(raw->ip.data, raw->ip.len, data, len));
        FUZZ_CHECK(raw->port <= UINT16_MAX);
        if (sy_pex_addr_read(FUZZ_ENCODING, raw, &addrs[count])) {
            FUZZ_CHECK(addrs[count].endpoint.port == raw->port && raw->port != 0);
            count++;
        }
    }
    check_written(addrs, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static sy_pex_message message;
    uint8_t request[SY_PEX_REQUEST_CAP];
    uint8_t *exact = fuzz_exact(data, size);
    const bool is_taken = decode(exact, size, &message) == SY_OK;
    if (is_taken) {
        check_message(exact, size, &message);
    }
    if (is_taken && message.kind == SY_PEX_REQUEST) {
        const size_t len = sy_pex_encode_request(FUZZ_ENCODING, request);
        FUZZ_CHECK(decode(request, len, &message) == SY_OK && message.kind == SY_PEX_REQUEST);
    }
    fuzz_exact_del(exact);
    fuzz_count(is_taken);
    return 0;
}
