/* SPDX-License-Identifier: Apache-2.0 */
/* SPEC-TEST FL-01 FL-02 FL-03 */
#include <criterion/criterion.h>

#include <string.h>

#include <switchyard/filter.h>

#define ID_TEXT "0123456789abcdef0123456789abcdef01234567"

Test(filter, rules_as_text) {
    static const struct row {
        const char *text;
        const char *back; /* NULL: refused */
        sy_net_rule_kind kind;
        unsigned bits;
    } rows[] = {
        {ID_TEXT, ID_TEXT, SY_RULE_ID, 0},
        {"1.2.3.4", "1.2.3.4", SY_RULE_IPV4, 32},
        {"1.2.3.4/32", "1.2.3.4", SY_RULE_IPV4, 32},
        {"1.2.3.4/31", "1.2.3.4/31", SY_RULE_IPV4, 31},
        {"0.0.0.0/0", "0.0.0.0/0", SY_RULE_IPV4, 0},
        {"10.0.0.0/8", "10.0.0.0/8", SY_RULE_IPV4, 8},
        {"2001:db8::1", "2001:db8::1", SY_RULE_IPV6, 128},
        {"2001:db8::/32", "2001:db8::/32", SY_RULE_IPV6, 32},
        {"::/0", "::/0", SY_RULE_IPV6, 0},
        {"::ffff:1.2.3.4", "1.2.3.4", SY_RULE_IPV4, 32},
        {"1.2.3.4/33", NULL, 0, 0},
        {"2001:db8::/129", NULL, 0, 0},
        {"1.2.3.4/", NULL, 0, 0},
        {"1.2.3.4/08", NULL, 0, 0},
        {"1.2.3.4/+8", NULL, 0, 0},
        {"1.2.3.4/1000", NULL, 0, 0},
        {"1.2.3.4/31/1", NULL, 0, 0},
        {"1.2.3.5/31", NULL, 0, 0},
        {"10.0.0.1/8", NULL, 0, 0},
        {"0.0.0.1/0", NULL, 0, 0},
        {"2001:db8::1/127", NULL, 0, 0},
        {"1.2.3", NULL, 0, 0},
        {"[::1]", NULL, 0, 0},
        {"1.2.3.4:80", NULL, 0, 0},
        {"example.org", NULL, 0, 0},
        {"0123456789ABCDEF0123456789abcdef01234567", ID_TEXT, SY_RULE_ID, 0},
        {"0123456789abcdef0123456789abcdef0123456", NULL, 0, 0},
        {" 1.2.3.4", NULL, 0, 0},
        {"/8", NULL, 0, 0},
        {"", NULL, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_net_rule rule;
        sy_detail detail;
        char text[SY_NET_RULE_TEXT_CAP];
        const sy_err err = sy_net_rule_parse(rows[i].text, strlen(rows[i].text), &rule, &detail);
        if (rows[i].back == NULL) {
            cr_expect_eq(err, SY_ERR_INVALID, "row '%s'", rows[i].text);
            continue;
        }
        cr_assert_eq(err, SY_OK, "row '%s'", rows[i].text);
        cr_expect_eq(rule.kind, rows[i].kind, "row '%s'", rows[i].text);
        cr_expect_eq(rule.bits, rows[i].bits, "row '%s'", rows[i].text);
        cr_expect_eq(sy_net_rule_format(&rule, text), strlen(rows[i].back), "row '%s'",
                     rows[i].text);
        cr_expect_str_eq(text, rows[i].back, "row '%s'", rows[i].text);
    }
}

Test(filter, matching_at_the_edges_of_prefixes) {
    static const struct row {
        const char *rule;
        const char *ip;
        bool want;
    } rows[] = {
        {"1.2.3.4", "1.2.3.4", true},
        {"1.2.3.4", "1.2.3.5", false},
        {"1.2.3.0/24", "1.2.3.0", true},
        {"1.2.3.0/24", "1.2.3.255", true},
        {"1.2.3.0/24", "1.2.4.0", false},
        {"1.2.3.0/24", "1.2.2.255", false},
        {"1.2.3.128/25", "1.2.3.127", false},
        {"1.2.3.128/25", "1.2.3.128", true},
        {"1.2.3.4/31", "1.2.3.5", true},
        {"1.2.3.4/31", "1.2.3.6", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "1.2.3.4", false},
        {"::/0", "ffff::1", true},
        {"::/64", "1.2.3.4", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"2001:db8::1", "2001:db8::1", true},
        {"2001:db8::1", "2001:db8::2", false},
        {ID_TEXT, "1.2.3.4", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_net_rule rule;
        sy_endpoint remote;
        const sy_node_id other = {{9}};
        cr_assert_eq(sy_net_rule_parse(rows[i].rule, strlen(rows[i].rule), &rule, NULL), SY_OK);
        cr_assert_eq(sy_endpoint_parse_ip(rows[i].ip, strlen(rows[i].ip), &remote), SY_OK);
        remote.port = 80;
        cr_expect_eq(sy_net_rule_matches(&rule, NULL, &remote), rows[i].want, "%s of %s",
                     rows[i].rule, rows[i].ip);
        cr_expect_eq(sy_net_rule_matches(&rule, &other, &remote), rows[i].want, "%s of %s",
                     rows[i].rule, rows[i].ip);
    }
    sy_net_rule rule;
    const sy_endpoint any = {.port = 1};
    cr_assert_eq(sy_net_rule_parse(ID_TEXT, strlen(ID_TEXT), &rule, NULL), SY_OK);
    const sy_node_id id = rule.id;
    cr_expect(sy_net_rule_matches(&rule, &id, &any));
    cr_expect(!sy_net_rule_matches(&rule, NULL, &any));
}
