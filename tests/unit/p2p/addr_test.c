/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses in text: which forms are taken, the exact code of each refusal, and the text out. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include <switchyard/addr.h>

#include "base/prng.h"

#define ID      "56475aa75463474c0285df5dbf2bcab73da65135"
#define ID_CAPS "56475AA75463474C0285DF5DBF2BCAB73DA65135"
#define L63     "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"
#define N191    L63 "." L63 "." L63

typedef struct row {
    const char *text;
    sy_addr_form form;
    sy_err err;
    const char *out; /* the text form of what was parsed; NULL when refused */
} row;

#define REQ SY_ADDR_ID_REQUIRED
#define OPT SY_ADDR_ID_OPTIONAL
#define LIS SY_ADDR_LISTEN

static const row rows[] = {
    /* SPEC-TEST AD-01 */
    {ID "@127.0.0.1:26656", REQ, SY_OK, ID "@127.0.0.1:26656"},
    {ID "@127.0.0.1:26656", OPT, SY_OK, ID "@127.0.0.1:26656"},
    {"127.0.0.1:26656", OPT, SY_OK, "127.0.0.1:26656"},
    {"127.0.0.1:26656", REQ, SY_ERR_ADDR_NO_ID, NULL},
    {"", REQ, SY_ERR_ADDR_SYNTAX, NULL},
    {"", LIS, SY_ERR_ADDR_SYNTAX, NULL},
    {"@127.0.0.1:26656", REQ, SY_ERR_ADDR_ID, NULL},
    {"@127.0.0.1:26656", OPT, SY_ERR_ADDR_ID, NULL},
    {ID "@a@127.0.0.1:26656", REQ, SY_ERR_ADDR_SYNTAX, NULL},
    {ID "@@127.0.0.1:26656", REQ, SY_ERR_ADDR_SYNTAX, NULL},
    {ID "@127.0.0.1:26656", LIS, SY_ERR_ADDR_SYNTAX, NULL},
    {"5647@127.0.0.1:26656", REQ, SY_ERR_ADDR_ID, NULL},
    {ID "0@127.0.0.1:26656", REQ, SY_ERR_ADDR_ID, NULL},
    {"g6475aa75463474c0285df5dbf2bcab73da65135@127.0.0.1:1", REQ, SY_ERR_ADDR_ID, NULL},
    {ID_CAPS "@127.0.0.1:26656", REQ, SY_OK, ID "@127.0.0.1:26656"}, /* SPEC-TEST ID-04 */
    /* SPEC-TEST AD-02 AD-03 NI-33 */
    {"tcp://" ID "@127.0.0.1:26656", REQ, SY_OK, ID "@127.0.0.1:26656"},
    {"udp://" ID "@127.0.0.1:26656", REQ, SY_OK, ID "@127.0.0.1:26656"},
    {"tcp://1.2.3.4:1", LIS, SY_OK, "1.2.3.4:1"},
    {ID "@tcp://1.2.3.4:5", REQ, SY_ERR_ADDR_SYNTAX, NULL},
    {"tcp://tcp://" ID "@1.2.3.4:5", REQ, SY_ERR_ADDR_SYNTAX, NULL},
    {"://" ID "@1.2.3.4:5", REQ, SY_ERR_ADDR_SYNTAX, NULL},
    {"t p://1.2.3.4:5", LIS, SY_ERR_ADDR_SYNTAX, NULL},
    {"tcp://", LIS, SY_ERR_ADDR_SYNTAX, NULL},
    {"tcp:/1.2.3.4:5", LIS, SY_ERR_ADDR_HOST, NULL},
    /* SPEC-TEST AD-05 AD-06 */
    {ID "@1.2.3.4:1", REQ, SY_OK, ID "@1.2.3.4:1"},
    {ID "@1.2.3.4:65535", REQ, SY_OK, ID "@1.2.3.4:65535"},
    {ID "@1.2.3.4:00080", REQ, SY_OK, ID "@1.2.3.4:80"},
    {ID "@1.2.3.4:000080", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:65536", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:70000", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:99999999999999999999", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:+80", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:-1", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4: 80", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:80 ", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:0x50", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:http", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:*", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@[::1]", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@[::1]:", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@[::1]80", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@[::1]:80:90", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@1.2.3.4:0", REQ, SY_ERR_ADDR_PORT, NULL},
    {"1.2.3.4:0", OPT, SY_ERR_ADDR_PORT, NULL},
    {"0.0.0.0:0", LIS, SY_OK, "0.0.0.0:0"},
    {"1.2.3.4:70000", LIS, SY_ERR_ADDR_PORT, NULL},
    {"1.2.3.4", LIS, SY_ERR_ADDR_PORT, NULL},
    /* SPEC-TEST AD-07 AD-09 */
    {ID "@[2001:db9::1]:80", REQ, SY_OK, ID "@[2001:db9::1]:80"},
    {ID "@[2001:DB9:0:0::0:1]:80", REQ, SY_OK, ID "@[2001:db9::1]:80"},
    {ID "@2001:db9::1:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@::1:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@[1.2.3.4]:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@[example.org]:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@[]:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {"[]:80", LIS, SY_ERR_ADDR_HOST, NULL},
    {"[*]:80", LIS, SY_ERR_ADDR_HOST, NULL},
    {ID "@[::1:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@::1]:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@[[::1]]:80", REQ, SY_ERR_ADDR_PORT, NULL},
    {ID "@[fe80::1%eth0]:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@[:::1]:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@[1:2:3:4:5:6:7:8:9]:80", REQ, SY_ERR_ADDR_HOST, NULL},
    /* SPEC-TEST AD-08 */
    {ID "@255.255.255.255:80", REQ, SY_OK, ID "@255.255.255.255:80"},
    {ID "@256.1.1.1:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@1.2.3:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@1.2.3.4.5:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@01.2.3.4:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@1.2.3.04:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@1.2.3.00:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@0.2.3.0:80", REQ, SY_OK, ID "@0.2.3.0:80"},
    {ID "@16909060:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@example.123:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@123.example:80", REQ, SY_OK, ID "@123.example:80"},
    {ID "@1.2.3.4.:80", REQ, SY_ERR_ADDR_HOST, NULL},
    /* SPEC-TEST AD-10 AD-13 */
    {ID "@seed.example.org:26656", REQ, SY_OK, ID "@seed.example.org:26656"},
    {ID "@Seed-1.Example_2.ORG:26656", REQ, SY_OK, ID "@seed-1.example_2.org:26656"},
    {ID "@localhost:1", REQ, SY_OK, ID "@localhost:1"},
    {ID "@:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@", REQ, SY_ERR_ADDR_HOST, NULL},
    {":26656", OPT, SY_ERR_ADDR_HOST, NULL},
    {ID "@*:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {"*:80", LIS, SY_ERR_ADDR_HOST, NULL},
    {"*:*", LIS, SY_ERR_ADDR_HOST, NULL},
    {ID "@a..b:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@.a:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@a.:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@-a.b:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@a-.b:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@a b:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@a/b:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@caf\xc3\xa9:80", REQ, SY_ERR_ADDR_HOST, NULL},
    {ID "@" L63 ":80", REQ, SY_OK, ID "@" L63 ":80"},
    {ID "@" L63 "4:80", REQ, SY_ERR_ADDR_HOST, NULL},
    /* SPEC-TEST NI-34: an empty host in ListenAddr; what cometbft makes of it is not ours. */
    {":26656", LIS, SY_OK, ":26656"},
    {":0", LIS, SY_OK, ":0"},
    {"[::]:0", LIS, SY_OK, "[::]:0"},
    /* SPEC-TEST AD-11 AD-12 */
    {ID "@[::ffff:1.2.3.4]:80", REQ, SY_OK, ID "@1.2.3.4:80"},
    {ID "@[::ffff:102:304]:80", REQ, SY_OK, ID "@1.2.3.4:80"},
    {ID "@[0:0:0:0:0:0:0:1]:80", REQ, SY_OK, ID "@[::1]:80"},
    {ID "@[1:0:0:2:0:0:0:3]:80", REQ, SY_OK, ID "@[1:0:0:2::3]:80"},
    {ID "@[1:0:0:2:3:0:0:4]:80", REQ, SY_OK, ID "@[1::2:3:0:0:4]:80"},
    {ID "@[1:0:2:3:4:5:6:7]:80", REQ, SY_OK, ID "@[1:0:2:3:4:5:6:7]:80"},
    {ID "@[1:2:3:4:5:6:0:0]:80", REQ, SY_OK, ID "@[1:2:3:4:5:6::]:80"},
    {ID "@[00FE:0D::0]:80", REQ, SY_OK, ID "@[fe:d::]:80"},
};

Test(addr, parses_and_refuses) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *r = &rows[i];
        sy_addr addr;
        sy_detail detail = {""};
        memset(&addr, 0xa5, sizeof addr);
        const sy_addr before = addr;
        const sy_err err = sy_addr_parse(r->text, strlen(r->text), r->form, &addr, &detail);
        cr_expect_eq(err, r->err, "row %zu \"%s\": %s, expected %s (%s)", i, r->text,
                     sy_err_name(err), sy_err_name(r->err), detail.text);
        if (err != SY_OK) {
            cr_expect_eq(memcmp(&addr, &before, sizeof addr), 0, "row \"%s\": output changed",
                         r->text);
            cr_expect_neq(detail.text[0], '\0', "row \"%s\": no detail", r->text);
            cr_expect_eq(sy_addr_parse(r->text, strlen(r->text), r->form, &addr, NULL), r->err);
            continue;
        }
        char text[SY_ADDR_TEXT_CAP];
        cr_expect_eq(sy_addr_format(&addr, text), strlen(text));
        cr_expect_str_eq(text, r->out, "row %zu \"%s\": %s", i, r->text, text);

        sy_addr again;
        cr_assert_eq(sy_addr_parse(text, strlen(text), r->form, &again, NULL), SY_OK, "%s", text);
        cr_expect(sy_addr_same_target(&addr, &again), "row \"%s\"", r->text);
        cr_expect_eq(addr.is_ip, again.is_ip, "row \"%s\"", r->text);
        cr_expect(sy_endpoint_equal(&addr.endpoint, &again.endpoint), "row \"%s\"", r->text);
    }
}

Test(addr, leaves_no_error_in_the_queue_of_openssl) {
    sy_addr addr;
    cr_expect_eq(sy_addr_parse("::1:80", 6, LIS, &addr, NULL), SY_ERR_ADDR_HOST);
    cr_expect_eq(ERR_peek_error(), 0UL);
    ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
    cr_expect_eq(sy_addr_parse("::1:80", 6, LIS, &addr, NULL), SY_ERR_ADDR_HOST);
    cr_expect_neq(ERR_peek_error(), 0UL, "the caller's own error stays");
}

Test(addr, a_byte_that_ends_a_string_is_seen) {
    sy_addr addr;
    static const char in_host[] = ID "@a\0b:80";
    static const char in_port[] = ID "@a:8\0";
    cr_expect_eq(sy_addr_parse(in_host, sizeof in_host - 1, REQ, &addr, NULL), SY_ERR_ADDR_HOST);
    cr_expect_eq(sy_addr_parse(in_port, sizeof in_port - 1, REQ, &addr, NULL), SY_ERR_ADDR_PORT);
    cr_expect_eq(sy_addr_parse(in_port, sizeof in_port - 2, REQ, &addr, NULL), SY_OK);
}

/* SPEC-TEST AD-04 AD-10: 253 bytes of name, 300 of address, each at -1, 0, +1. */
Test(addr, limits_of_length) {
    char text[512];
    sy_addr addr;
    for (int extra = -1; extra <= 1; extra++) {
        const int tail = 253 - (int)strlen(N191 ".") + extra;
        char last[80] = "";
        memset(last, 'z', (size_t)tail);
        const int n = snprintf(text, sizeof text, ID "@" N191 ".%s:1", last);
        cr_expect_eq(sy_addr_parse(text, (size_t)n, REQ, &addr, NULL),
                     extra <= 0 ? SY_OK : SY_ERR_ADDR_HOST, "name of %d bytes", 253 + extra);
    }
    static const struct {
        int len;
        sy_err err;
    } sizes[] = {{299, SY_ERR_ADDR_HOST}, {300, SY_ERR_ADDR_HOST}, {301, SY_ERR_ADDR_SYNTAX}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(text, 'a', sizeof text);
        memcpy(text, "tcp://" ID "@", 47);
        const size_t len = (size_t)sizes[i].len + 6;
        memcpy(text + len - 2, ":1", 2);
        cr_expect_eq(sy_addr_parse(text, len, REQ, &addr, NULL), sizes[i].err, "%d bytes",
                     sizes[i].len);
    }
}

Test(addr, fields) {
    sy_addr addr;
    cr_assert_eq(sy_addr_parse(":26656", 6, LIS, &addr, NULL), SY_OK);
    cr_expect(addr.is_ip);
    cr_expect_str_eq(addr.host, "");
    cr_expect(sy_endpoint_is_any(&addr.endpoint));
    cr_expect_eq(addr.endpoint.port, 26656);

    const char *name = ID "@Example.org:7";
    cr_assert_eq(sy_addr_parse(name, strlen(name), REQ, &addr, NULL), SY_OK);
    cr_expect(addr.has_id);
    cr_expect_not(addr.is_ip);
    cr_expect_eq(addr.port, 7);
    cr_expect_str_eq(addr.host, "example.org");

    const char *ip = "[2001:db9::1]:8";
    cr_assert_eq(sy_addr_parse(ip, strlen(ip), OPT, &addr, NULL), SY_OK);
    cr_expect_not(addr.has_id);
    cr_expect(addr.is_ip);
    cr_expect_eq(addr.endpoint.ip[0], 0x20);
    cr_expect_eq(addr.endpoint.ip[15], 1);
    cr_expect_eq(addr.endpoint.port, 8);
}

/* SPEC-TEST AD-14 */
Test(addr, same_target) {
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } pairs[] = {
        {ID "@example.org:80", "EXAMPLE.org:80", true},
        {"example.org:80", "example.org:81", false},
        {"example.org:80", "example.com:80", false},
        {"[::ffff:1.2.3.4]:80", "1.2.3.4:80", true},
        {"[2001:db9:0::1]:80", "[2001:db9::1]:80", true},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        sy_addr a;
        sy_addr b;
        cr_assert_eq(sy_addr_parse(pairs[i].a, strlen(pairs[i].a), OPT, &a, NULL), SY_OK);
        cr_assert_eq(sy_addr_parse(pairs[i].b, strlen(pairs[i].b), OPT, &b, NULL), SY_OK);
        cr_expect_eq(sy_addr_same_target(&a, &b), pairs[i].same, "%s %s", pairs[i].a, pairs[i].b);
    }
}

/* SPEC-TEST AD-15 */
Test(addr, list_walk) {
    static const struct {
        const char *list;
        const char *items; /* joined by '|' */
    } lists[] = {
        {"", ""},
        {",", ""},
        {" , ,\t", ""},
        {"a", "a"},
        {"a,b", "a|b"},
        {" a ,\tb\t,", "a|b"},
        {",,a,,b c,", "a|b c"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char joined[64] = "";
        size_t cursor = 0;
        const char *item;
        size_t len;
        while (sy_addr_list_next(lists[i].list, strlen(lists[i].list), &cursor, &item, &len)) {
            const size_t used = strlen(joined);
            (void)snprintf(joined + used, sizeof joined - used, "%s%.*s", used > 0 ? "|" : "",
                           (int)len, item);
        }
        cr_expect_str_eq(joined, lists[i].items, "list \"%s\": %s", lists[i].list, joined);
        cr_expect_not(
            sy_addr_list_next(lists[i].list, strlen(lists[i].list), &cursor, &item, &len));
    }
}

/* SPEC-TEST AD-16 */
Test(addr, list_is_refused_as_a_whole) {
    sy_addr addrs[3];
    size_t count = 77;
    sy_detail detail = {""};
    const char *good = ID "@a:1, " ID "@1.2.3.4:2 ,";
    cr_assert_eq(sy_addr_list_parse(good, strlen(good), REQ, addrs, 3, &count, &detail), SY_OK);
    cr_expect_eq(count, 2);
    cr_expect_str_eq(addrs[0].host, "a");
    cr_expect_eq(addrs[1].port, 2);

    count = 77;
    const char *bad = ID "@a:1,, " ID "@b:99999," ID "@c:1";
    cr_expect_eq(sy_addr_list_parse(bad, strlen(bad), REQ, addrs, 3, &count, &detail),
                 SY_ERR_ADDR_PORT);
    cr_expect_eq(count, 77);
    cr_expect(strstr(detail.text, "item 2") != NULL, "%s", detail.text);
    cr_expect(strstr(detail.text, "@b:99999") != NULL, "%s", detail.text);

    const char *many = "a:1,a:1,a:1,a:1";
    cr_expect_eq(sy_addr_list_parse(many, strlen(many), OPT, addrs, 3, &count, NULL),
                 SY_ERR_NO_SPACE);
    cr_expect_eq(sy_addr_list_parse(many, strlen(many) - 4, OPT, addrs, 3, &count, NULL), SY_OK);
}

typedef struct ip_row {
    const char *ip;
    bool v4;
    bool any;
    bool loopback;
    bool is_private;
    const char *prefix;
} ip_row;

/* SPEC-TEST PL-05 SW-23 */
static const ip_row ip_rows[] = {
    {"0.0.0.0", true, true, false, false, "0.0.0.0:0"},
    {"::", false, true, false, false, "[::]:0"},
    {"127.0.0.1", true, false, true, true, "127.0.0.0:0"},
    {"127.255.255.255", true, false, true, true, "127.255.255.0:0"},
    {"126.255.255.255", true, false, false, false, "126.255.255.0:0"},
    {"128.0.0.0", true, false, false, false, "128.0.0.0:0"},
    {"::1", false, false, true, true, "[::]:0"},
    {"::2", false, false, false, false, "[::]:0"},
    {"::ffff:127.0.0.1", true, false, true, true, "127.0.0.0:0"},
    {"9.255.255.255", true, false, false, false, "9.255.255.0:0"},
    {"10.0.0.0", true, false, false, true, "10.0.0.0:0"},
    {"10.255.255.255", true, false, false, true, "10.255.255.0:0"},
    {"11.0.0.0", true, false, false, false, "11.0.0.0:0"},
    {"172.15.255.255", true, false, false, false, "172.15.255.0:0"},
    {"172.16.0.0", true, false, false, true, "172.16.0.0:0"},
    {"172.31.255.255", true, false, false, true, "172.31.255.0:0"},
    {"172.32.0.0", true, false, false, false, "172.32.0.0:0"},
    {"192.167.255.255", true, false, false, false, "192.167.255.0:0"},
    {"192.168.7.9", true, false, false, true, "192.168.7.0:0"},
    {"192.169.0.0", true, false, false, false, "192.169.0.0:0"},
    {"169.254.1.1", true, false, false, true, "169.254.1.0:0"},
    {"169.255.0.0", true, false, false, false, "169.255.0.0:0"},
    {"100.64.0.1", true, false, false, false, "100.64.0.0:0"},
    {"fe7f::1", false, false, false, false, "[fe7f::]:0"},
    {"fe80::1", false, false, false, true, "[fe80::]:0"},
    {"febf:1:2:3::1", false, false, false, true, "[febf:1:2::]:0"},
    {"fec0::1", false, false, false, false, "[fec0::]:0"},
    {"fbff::1", false, false, false, false, "[fbff::]:0"},
    {"fc00::1", false, false, false, true, "[fc00::]:0"},
    {"fdff:ffff:ffff:ffff::1", false, false, false, true, "[fdff:ffff:ffff::]:0"},
    {"fe00::1", false, false, false, false, "[fe00::]:0"},
    {"2001:db9:1:2:3:4:5:6", false, false, false, false, "[2001:db9:1::]:0"},
};

Test(addr, kinds_of_ip) {
    for (size_t i = 0; i < sizeof ip_rows / sizeof ip_rows[0]; i++) {
        const ip_row *r = &ip_rows[i];
        sy_endpoint e;
        char text[SY_ENDPOINT_TEXT_CAP];
        cr_assert_eq(sy_endpoint_parse_ip(r->ip, strlen(r->ip), &e), SY_OK, "%s", r->ip);
        e.port = 99;
        cr_expect_eq(sy_endpoint_is_v4(&e), r->v4, "%s v4", r->ip);
        cr_expect_eq(sy_endpoint_is_any(&e), r->any, "%s any", r->ip);
        cr_expect_eq(sy_endpoint_is_loopback(&e), r->loopback, "%s loopback", r->ip);
        cr_expect_eq(sy_endpoint_is_private(&e), r->is_private, "%s private", r->ip);
        const sy_endpoint prefix = sy_endpoint_prefix(&e);
        (void)sy_endpoint_format(&prefix, text);
        cr_expect_str_eq(text, r->prefix, "%s prefix %s", r->ip, text);
    }
    static const char *const refused[] = {"",  "1.2.3",  "1.2.3.4 ",  "[::1]", "01.2.3.4",
                                          "a", "::1%lo", "1.2.3.4:5", ":::",   "12345::"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        sy_endpoint e;
        cr_expect_eq(sy_endpoint_parse_ip(refused[i], strlen(refused[i]), &e), SY_ERR_ADDR_HOST,
                     "%s", refused[i]);
    }
}

Test(addr, endpoint_text_and_comparison) {
    sy_endpoint a;
    sy_endpoint b;
    char text[SY_ENDPOINT_TEXT_CAP];
    const char *longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe";
    cr_assert_eq(sy_endpoint_parse_ip(longest, strlen(longest), &a), SY_OK);
    a.port = 65535;
    b = a;
    cr_expect_eq(sy_endpoint_format(&a, text), strlen(longest) + 8);
    cr_expect_str_eq(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535");
    cr_expect(sy_endpoint_equal(&a, &b));
    b.port = 1;
    cr_expect_not(sy_endpoint_equal(&a, &b));
    cr_expect(sy_endpoint_same_ip(&a, &b));
    b.ip[15] = 0;
    cr_expect_not(sy_endpoint_same_ip(&a, &b));
}

/* SPEC-TEST AD-12: every address that parses has a text that parses to the same.  Random edits of
 * good texts reach the corners of the parser. */
Test(addr, random_edits_round_trip) {
    static const char alphabet[] = "019af.:[]@-_*/ %tcpGZ";
    sy_prng prng;
    size_t accepted = 0;
    sy_prng_init(&prng, 7);
    for (int n = 0; n < 40000; n++) {
        const row *r = &rows[sy_prng_below(&prng, sizeof rows / sizeof rows[0])];
        char text[400];
        size_t len = strlen(r->text);
        memcpy(text, r->text, len);
        for (uint64_t edits = sy_prng_below(&prng, 3) + 1; edits > 0 && len > 0; edits--) {
            text[sy_prng_below(&prng, len)] = alphabet[sy_prng_below(&prng, sizeof alphabet - 1)];
        }
        sy_addr addr;
        if (sy_addr_parse(text, len, r->form, &addr, NULL) != SY_OK) {
            continue;
        }
        accepted++;
        char out[SY_ADDR_TEXT_CAP];
        char again_out[SY_ADDR_TEXT_CAP];
        sy_addr again;
        const size_t out_len = sy_addr_format(&addr, out);
        cr_assert_eq(sy_addr_parse(out, out_len, r->form, &again, NULL), SY_OK, "%.*s: %s",
                     (int)len, text, out);
        (void)sy_addr_format(&again, again_out);
        cr_assert_str_eq(out, again_out);
        cr_assert(sy_addr_same_target(&addr, &again));
    }
    cr_expect_gt(accepted, 1000, "only %zu accepted", accepted);
}
