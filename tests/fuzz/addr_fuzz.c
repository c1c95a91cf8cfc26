/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and lists of them.  The first byte gives the form; from 0xc0 on it is followed by what
 * an address is made of, ID, IP and port, and up to three edits of two bytes each (place, value),
 * for few mutations find 40 digits.  What is read can be written and read again as the same
 * address, and a list is read as its items are. */
#include <switchyard/addr.h>

#include <string.h>

#include "tests/fuzz/support/fuzz.h"

#define LIST_CAP 8

static void check_endpoint(const sy_endpoint *endpoint, const char *host) {
    char text[SY_ENDPOINT_TEXT_CAP];
    sy_endpoint ip;
    const size_t len = sy_endpoint_format(endpoint, text);
    FUZZ_CHECK(len < sizeof text && strlen(text) == len);
    const sy_endpoint prefix = sy_endpoint_prefix(endpoint);
    FUZZ_CHECK(sy_endpoint_is_v4(&prefix) == sy_endpoint_is_v4(endpoint) && prefix.port == 0);
    FUZZ_CHECK(!sy_endpoint_is_loopback(endpoint) || sy_endpoint_is_private(endpoint));
    FUZZ_CHECK(!sy_endpoint_is_any(endpoint) || !sy_endpoint_is_private(endpoint));
    if (host[0] != '\0') {
        FUZZ_CHECK(sy_endpoint_parse_ip(host, strlen(host), &ip) == SY_OK);
        FUZZ_CHECK(sy_endpoint_same_ip(&ip, endpoint));
    }
}

static void check_format(const sy_addr *addr, sy_addr_form form) {
    char text[SY_ADDR_TEXT_CAP];
    sy_addr again;
    const size_t len = sy_addr_format(addr, text);
    FUZZ_CHECK(len < sizeof text && strlen(text) == len);
    FUZZ_CHECK(sy_addr_parse(text, len, form, &again, NULL) == SY_OK);
    FUZZ_CHECK(sy_addr_same_target(addr, &again) && again.port == addr->port);
    FUZZ_CHECK(again.has_id == addr->has_id && again.is_ip == addr->is_ip);
    FUZZ_CHECK(!addr->has_id || sy_node_id_equal(&addr->id, &again.id));
    FUZZ_CHECK(strcmp(again.host, addr->host) == 0);
    if (addr->is_ip) {
        FUZZ_CHECK(sy_endpoint_equal(&addr->endpoint, &again.endpoint));
        check_endpoint(&addr->endpoint, addr->host);
    }
}

static bool one(const char *text, size_t len, sy_addr_form form, sy_addr *ret_addr) {
    sy_detail detail = {.text = ""};
    const sy_err err = sy_addr_parse(text, len, form, ret_addr, &detail);
    fuzz_check_detail(&detail);
    if (err != SY_OK) {
        FUZZ_CHECK(sy_err_class_of(err) == SY_ERR_CLASS_USAGE && detail.text[0] != '\0');
        return false;
    }
    FUZZ_CHECK(memchr(ret_addr->host, '\0', sizeof ret_addr->host) != NULL);
    FUZZ_CHECK(ret_addr->has_id || form != SY_ADDR_ID_REQUIRED);
    FUZZ_CHECK(ret_addr->port != 0 || form == SY_ADDR_LISTEN);
    check_format(ret_addr, form);
    return true;
}

static void list(const char *text, size_t len, sy_addr_form form) {
    sy_addr addrs[LIST_CAP];
    sy_addr addr;
    sy_detail detail = {.text = ""};
    size_t count = SIZE_MAX;
    const sy_err err = sy_addr_list_parse(text, len, form, addrs, LIST_CAP, &count, &detail);
    fuzz_check_detail(&detail);

    size_t cursor = 0;
    size_t seen = 0;
    bool all = true;
    const char *item = NULL;
    size_t item_len = 0;
    while (seen <= LIST_CAP && sy_addr_list_next(text, len, &cursor, &item, &item_len)) {
        FUZZ_CHECK(item_len > 0 && fuzz_is_inside(item, item_len, text, len));
        all = all && one(item, item_len, form, &addr);
        seen++;
    }
    FUZZ_CHECK((err == SY_OK) == (all && seen <= LIST_CAP));
    FUZZ_CHECK(err != SY_OK ? count == SIZE_MAX : count == seen);
}

/* An address, edited; returns its length. */
static size_t make_text(fuzz_in *in, char out[SY_ADDR_TEXT_CAP]) {
    const uint8_t kind = fuzz_u8(in);
    size_t len = 0;
    if (kind % 4 != 0) {
        sy_node_id id = {0};
        const sy_bytes given = fuzz_take(in, SY_NODE_ID_LEN);
        memcpy(id.bytes, given.data, given.len);
        sy_node_id_format(&id, out);
        len = SY_NODE_ID_TEXT_LEN;
        out[len++] = '@';
    }
    sy_endpoint endpoint = {.ip = {[10] = 0xff, [11] = 0xff}}; /* an IPv4 address */
    const size_t ip_at = kind / 4 % 2 == 1 ? 0 : 12;
    const sy_bytes given = fuzz_take(in, sizeof endpoint.ip - ip_at);
    memcpy(endpoint.ip + ip_at, given.data, given.len);
    endpoint.port = fuzz_u16(in);
    len += sy_endpoint_format(&endpoint, out + len);
    fuzz_edit(in, out, len, kind / 8 % 4);
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const sy_addr_form forms[] = {SY_ADDR_ID_REQUIRED, SY_ADDR_ID_OPTIONAL, SY_ADDR_LISTEN};
    fuzz_in in = fuzz_in_of(data, size);
    const uint8_t first = fuzz_u8(&in);
    const sy_addr_form form = forms[first % 3];
    const char *text = (const char *)in.pos;
    size_t len = fuzz_left(&in);
    char made[SY_ADDR_TEXT_CAP];
    if (first >= 0xc0) {
        len = make_text(&in, made);
        text = made;
    }
    sy_addr addr;
    fuzz_count(one(text, len, form, &addr));
    sy_endpoint ip;
    if (sy_endpoint_parse_ip(text, len, &ip) == SY_OK) {
        check_endpoint(&ip, "");
    }
    list(text, len, form);
    return 0;
}
