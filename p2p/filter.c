/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: an ID, an address, a prefix.
 *
 * SPEC FL-01 FL-02 FL-03 */
#include <switchyard/filter.h>

#include <string.h>

#include <switchyard/assert.h>

#define V4_OFFSET 12 /* of an IPv4 address inside its mapped form */

static const uint8_t *address_of(const sy_net_rule *rule) {
    return rule->kind == SY_RULE_IPV4 ? rule->ip + V4_OFFSET : rule->ip;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, size_t bits) {
    const size_t whole = bits / 8;
    if (memcmp(a, b, whole) != 0) {
        return false;
    }
    const unsigned rest = bits % 8;
    if (rest == 0) {
        return true;
    }
    const unsigned mask = 0xffu << (8 - rest) & 0xffu;
    return (a[whole] & mask) == (b[whole] & mask);
}

static sy_err bad_rule(sy_detail *detail, const char *text, size_t len, const char *why) {
    sy_detail_set(detail, "rule ");
    sy_detail_quote(detail, text, len);
    sy_detail_add(detail, ": %s", why);
    return SY_ERR_INVALID;
}

/* 1 to 3 digits without leading zeros, at most max. */
static bool parse_bits(const char *text, size_t len, unsigned max, uint8_t *ret_bits) {
    unsigned value = 0;
    if (len == 0 || len > 3 || (text[0] == '0' && len > 1)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > max) {
        return false;
    }
    *ret_bits = (uint8_t)value;
    return true;
}

static bool has_host_bits(const sy_net_rule *rule) {
    const size_t len = rule->kind == SY_RULE_IPV4 ? 4 : 16;
    uint8_t masked[16] = {0};
    const uint8_t *address = address_of(rule);
    for (size_t i = 0; i < len * 8 && i < rule->bits; i++) {
        masked[i / 8] |= (uint8_t)(address[i / 8] & (0x80u >> (i % 8)));
    }
    return memcmp(masked, address, len) != 0;
}

sy_err sy_net_rule_parse(const char *text, size_t len, sy_net_rule *ret_rule, sy_detail *detail) {
    sy_net_rule rule = {.kind = SY_RULE_ID};
    sy_endpoint endpoint;

    SY_REQUIRE(text != NULL || len == 0);
    if (len == SY_NODE_ID_TEXT_LEN && sy_node_id_parse(text, len, &rule.id) == SY_OK) {
        *ret_rule = rule;
        return SY_OK;
    }
    const char *slash = len == 0 ? NULL : memchr(text, '/', len);
    const size_t host_len = slash == NULL ? len : (size_t)(slash - text);
    if (sy_endpoint_parse_ip(text, host_len, &endpoint) != SY_OK) {
        return bad_rule(detail, text, len, "neither an ID nor an IP address or prefix");
    }
    const bool is_v4 = sy_endpoint_is_v4(&endpoint);
    const unsigned most = is_v4 ? 32 : 128;
    rule.kind = is_v4 ? SY_RULE_IPV4 : SY_RULE_IPV6;
    memcpy(rule.ip, endpoint.ip, sizeof rule.ip);
    rule.bits = (uint8_t)most;
    if (slash != NULL && !parse_bits(slash + 1, len - host_len - 1, most, &rule.bits)) {
        return bad_rule(detail, text, len,
                        is_v4 ? "prefix length is not 0 to 32" : "prefix length is not 0 to 128");
    }
    if (has_host_bits(&rule)) {
        return bad_rule(detail, text, len, "address bits behind the prefix are not 0");
    }
    *ret_rule = rule;
    return SY_OK;
}

size_t sy_net_rule_format(const sy_net_rule *rule, char out[SY_NET_RULE_TEXT_CAP]) {
    char text[SY_ENDPOINT_TEXT_CAP];
    sy_detail whole;
    if (rule->kind == SY_RULE_ID) {
        sy_node_id_format(&rule->id, out);
        return SY_NODE_ID_TEXT_LEN;
    }
    sy_endpoint endpoint = {.port = 1};
    memcpy(endpoint.ip, rule->ip, sizeof endpoint.ip);
    size_t len = sy_endpoint_format(&endpoint, text) - 2; /* without ":1" */
    const char *from = text;
    if (rule->kind == SY_RULE_IPV6) {
        from++; /* and without brackets */
        len -= 2;
    }
    sy_detail_set(&whole, "%.*s", (int)len, from);
    if (rule->bits != (rule->kind == SY_RULE_IPV4 ? 32 : 128)) {
        sy_detail_add(&whole, "/%u", (unsigned)rule->bits);
    }
    const size_t total = strlen(whole.text);
    SY_ASSERT(total < SY_NET_RULE_TEXT_CAP);
    memcpy(out, whole.text, total + 1);
    return total;
}

bool sy_net_rule_equal(const sy_net_rule *a, const sy_net_rule *b) {
    if (a->kind != b->kind) {
        return false;
    }
    if (a->kind == SY_RULE_ID) {
        return sy_node_id_equal(&a->id, &b->id);
    }
    return a->bits == b->bits && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool sy_net_rule_matches(const sy_net_rule *rule, const sy_node_id *id, const sy_endpoint *remote) {
    switch (rule->kind) {
    case SY_RULE_ID:
        return id != NULL && sy_node_id_equal(&rule->id, id);
    case SY_RULE_IPV4:
        return sy_endpoint_is_v4(remote) &&
               same_bits(address_of(rule), remote->ip + V4_OFFSET, rule->bits);
    case SY_RULE_IPV6:
        return !sy_endpoint_is_v4(remote) && same_bits(rule->ip, remote->ip, rule->bits);
    }
    SY_UNREACHABLE();
}
