/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses in text.  BIO_parse_hostserv splits host and port; it is lax ("*" and an empty part are
 * wildcards, brackets may hold anything, a missing port is fine), so that what it must not see is
 * refused before the call and both parts are judged after it.
 *
 * Order of judgement: scheme, length, '@', ID, split, port, host. */
#include <switchyard/addr.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "base/text.h"

#define ADDR_TEXT_MAX 300 /* SPEC AD-04: without the scheme */
#define LABEL_MAX     63
#define PORT_DIGITS   5

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* A piece of the caller's text. */
typedef struct span {
    const char *text;
    size_t len;
} span;

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static sy_err refuse(sy_detail *detail, sy_err err, const char *part, span value, const char *why) {
    sy_detail_set(detail, "%s ", part);
    sy_detail_quote(detail, value.text, value.len);
    sy_detail_add(detail, ": %s", why);
    return err;
}

/* ---- IP literals ------------------------------------------------------------------------------*/

static bool parse_v4(span s, uint8_t out[16]) {
    char text[INET_ADDRSTRLEN];
    if (s.len >= sizeof text) {
        return false;
    }
    memcpy(text, s.text, s.len);
    text[s.len] = '\0';
    if (strlen(text) != s.len) {
        return false;
    }
    /* Not every inet_pton refuses a leading zero, which some programs take for octal. */
    for (size_t i = 0; i + 1 < s.len; i++) {
        const bool part_begins = i == 0 || text[i - 1] == '.';
        if (part_begins && text[i] == '0' && is_digit(text[i + 1])) {
            return false;
        }
    }
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) != 1) {
        return false;
    }
    memcpy(out, v4_mapped, sizeof v4_mapped);
    memcpy(out + sizeof v4_mapped, &v4, 4);
    return true;
}

/* SPEC AD-09: inet_pton knows no zones. */
static bool parse_v6(span s, uint8_t out[16]) {
    char text[INET6_ADDRSTRLEN];
    if (s.len >= sizeof text) {
        return false;
    }
    memcpy(text, s.text, s.len);
    text[s.len] = '\0';
    if (strlen(text) != s.len) {
        return false;
    }
    struct in6_addr v6;
    if (inet_pton(AF_INET6, text, &v6) != 1) {
        return false;
    }
    memcpy(out, &v6, 16);
    return true;
}

sy_err sy_endpoint_parse_ip(const char *text, size_t len, sy_endpoint *ret_endpoint) {
    SY_REQUIRE(text != NULL || len == 0);
    const span s = {len == 0 ? "" : text, len};
    sy_endpoint endpoint = {.port = 0};
    if (!parse_v4(s, endpoint.ip) && !parse_v6(s, endpoint.ip)) {
        return SY_ERR_ADDR_HOST;
    }
    *ret_endpoint = endpoint;
    return SY_OK;
}

/* The longest run of at least two zero groups, the first of equals: the part that RFC 5952 writes
 * as "::".  Length 0 when there is none. */
static void find_zero_run(const uint8_t ip[16], int *ret_start, int *ret_len) {
    int best_start = 0;
    int best_len = 1;
    for (int i = 0; i < 8;) {
        int end = i;
        while (end < 8 && ip[2 * end] == 0 && ip[2 * end + 1] == 0) {
            end++;
        }
        if (end - i > best_len) {
            best_start = i;
            best_len = end - i;
        }
        i = end == i ? i + 1 : end;
    }
    *ret_start = best_start;
    *ret_len = best_len > 1 ? best_len : 0;
}

/* SPEC AD-11 AD-12.  Writes the literal without brackets; returns its length. */
static size_t format_ip(const uint8_t ip[16], char out[INET6_ADDRSTRLEN]) {
    if (memcmp(ip, v4_mapped, sizeof v4_mapped) == 0) {
        return (size_t)snprintf(out, INET6_ADDRSTRLEN, "%u.%u.%u.%u", ip[12], ip[13], ip[14],
                                ip[15]);
    }
    int run_start;
    int run_len;
    size_t used = 0;
    find_zero_run(ip, &run_start, &run_len);
    for (int i = 0; i < 8; i++) {
        if (run_len > 0 && i == run_start) {
            used += (size_t)snprintf(out + used, INET6_ADDRSTRLEN - used, "::");
            i += run_len - 1;
            continue;
        }
        const bool colon = i > 0 && !(run_len > 0 && i == run_start + run_len);
        const unsigned group = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
        used += (size_t)snprintf(out + used, INET6_ADDRSTRLEN - used, colon ? ":%x" : "%x", group);
    }
    SY_ASSERT(used < INET6_ADDRSTRLEN);
    return used;
}

/* ---- Parsing ----------------------------------------------------------------------------------*/

static bool find_scheme_mark(span s, size_t *ret_at) {
    for (size_t i = 0; i + 3 <= s.len; i++) {
        if (memcmp(s.text + i, "://", 3) == 0) {
            *ret_at = i;
            return true;
        }
    }
    return false;
}

static bool is_all_letters(span s) {
    for (size_t i = 0; i < s.len; i++) {
        if (!is_letter(s.text[i])) {
            return false;
        }
    }
    return s.len > 0;
}

/* SPEC AD-02 AD-03 NI-33 */
static sy_err drop_scheme(span *text, sy_detail *detail) {
    size_t at;
    if (!find_scheme_mark(*text, &at)) {
        return SY_OK;
    }
    const span scheme = {text->text, at};
    const span rest = {text->text + at + 3, text->len - at - 3};
    if (!is_all_letters(scheme)) {
        return refuse(detail, SY_ERR_ADDR_SYNTAX, "address", *text,
                      "a scheme has letters only and stands in front");
    }
    if (find_scheme_mark(rest, &at)) {
        return refuse(detail, SY_ERR_ADDR_SYNTAX, "address", *text, "has two schemes");
    }
    *text = rest;
    return SY_OK;
}

/* SPEC AD-01.  Takes the ID off the front of *text. */
static sy_err take_id(span *text, sy_addr_form form, sy_addr *addr, sy_detail *detail) {
    const char *at = memchr(text->text, '@', text->len);
    if (at == NULL) {
        if (form == SY_ADDR_ID_REQUIRED) {
            return refuse(detail, SY_ERR_ADDR_NO_ID, "address", *text, "ID@host:port is needed");
        }
        return SY_OK;
    }
    const span id = {text->text, (size_t)(at - text->text)};
    const span rest = {at + 1, text->len - id.len - 1};
    if (memchr(rest.text, '@', rest.len) != NULL) {
        return refuse(detail, SY_ERR_ADDR_SYNTAX, "address", *text, "has more than one '@'");
    }
    if (form == SY_ADDR_LISTEN) {
        return refuse(detail, SY_ERR_ADDR_SYNTAX, "address", *text, "must not have an ID");
    }
    if (sy_node_id_parse(id.text, id.len, &addr->id) != SY_OK) {
        return refuse(detail, SY_ERR_ADDR_ID, "ID", id, "is not 40 hexadecimal digits");
    }
    addr->has_id = true;
    *text = rest;
    return SY_OK;
}

/* What would end a C string, or mean a wildcard to BIO_parse_hostserv, or cannot be in any host or
 * port.  Which part it belongs to is told by the last colon. */
static sy_err check_bytes(span s, sy_detail *detail) {
    size_t colon = s.len;
    for (size_t i = 0; i < s.len; i++) {
        colon = s.text[i] == ':' ? i : colon;
    }
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.text[i];
        if (c > 0x20 && c < 0x7f && c != '*') {
            continue;
        }
        if (i > colon) {
            const span port = {s.text + colon + 1, s.len - colon - 1};
            return refuse(detail, SY_ERR_ADDR_PORT, "port", port, "is not a decimal number");
        }
        return refuse(detail, SY_ERR_ADDR_HOST, "host", (span){s.text, colon},
                      "has a character that no host has");
    }
    return SY_OK;
}

/* SPEC AD-05 AD-06 */
static sy_err read_port(span s, sy_addr_form form, uint16_t *ret_port, sy_detail *detail) {
    uint16_t port;
    if ((s.len > PORT_DIGITS && !SY_MUTANT(AD_PORT)) ||
        sy_text_port(s.text, s.len, &port) != SY_OK) {
        return refuse(detail, SY_ERR_ADDR_PORT, "port", s,
                      "is not one to five digits of at most 65535");
    }
    if (port == 0 && form != SY_ADDR_LISTEN) {
        return refuse(detail, SY_ERR_ADDR_PORT, "port", s, "0 cannot be dialed");
    }
    *ret_port = port;
    return SY_OK;
}

static void set_ip(sy_addr *addr, const uint8_t ip[16]) {
    addr->is_ip = true;
    memcpy(addr->endpoint.ip, ip, 16);
    (void)format_ip(ip, addr->host);
}

/* SPEC AD-10.  NULL, or what is wrong. */
static const char *name_fault(span s) {
    if (s.len > SY_HOST_MAX) {
        return "has more than 253 bytes";
    }
    size_t label_at = 0;
    for (size_t i = 0; i <= s.len; i++) {
        if (i < s.len && s.text[i] != '.') {
            const char c = s.text[i];
            if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_') {
                return "has a character that no name has";
            }
            continue;
        }
        const size_t label_len = i - label_at;
        if (label_len == 0 || label_len > LABEL_MAX) {
            return "has a label that is empty or longer than 63 bytes";
        }
        if (s.text[label_at] == '-' || s.text[i - 1] == '-') {
            return "has a label that begins or ends with '-'";
        }
        label_at = i + 1;
    }
    return NULL;
}

static bool last_label_is_number(span s) {
    size_t i = s.len;
    while (i > 0 && is_digit(s.text[i - 1])) {
        i--;
    }
    return i < s.len && (i == 0 || s.text[i - 1] == '.');
}

/* SPEC AD-07 AD-08 AD-10 AD-11 */
static sy_err read_host(span s, bool bracketed, sy_addr_form form, sy_addr *addr,
                        sy_detail *detail) {
    uint8_t ip[16] = {0};
    if (bracketed) {
        const bool zone = SY_MUTANT(AD_ZONE) && memchr(s.text, '%', s.len) != NULL;
        if (!parse_v6(s, ip) && !(SY_MUTANT(AD_BRACKETS) && parse_v4(s, ip)) && !zone) {
            return refuse(detail, SY_ERR_ADDR_HOST, "host", s, "is not an IPv6 address");
        }
        set_ip(addr, ip);
        return SY_OK;
    }
    if (s.len == 0) {
        if (form != SY_ADDR_LISTEN) {
            return refuse(detail, SY_ERR_ADDR_HOST, "host", s, "is empty");
        }
        addr->is_ip = true; /* any: the endpoint stays all zero */
        return SY_OK;
    }
    if (last_label_is_number(s)) {
        if (!parse_v4(s, ip) && !SY_MUTANT(AD_V4)) {
            return refuse(detail, SY_ERR_ADDR_HOST, "host", s, "is not an IPv4 address");
        }
        set_ip(addr, ip);
        return SY_OK;
    }
    const char *fault = name_fault(s);
    if (fault != NULL && SY_MUTANT(AD_LABEL)) {
        addr->is_ip = true;
        return SY_OK;
    }
    if (fault != NULL) {
        return refuse(detail, SY_ERR_ADDR_HOST, "host", s, fault);
    }
    for (size_t i = 0; i < s.len; i++) {
        addr->host[i] = to_lower(s.text[i]);
    }
    return SY_OK;
}

static sy_err read_parts(span whole, const char *host, const char *port, sy_addr_form form,
                         sy_addr *addr, sy_detail *detail) {
    if (port == NULL) {
        return refuse(detail, SY_ERR_ADDR_PORT, "address", whole, "the port is missing");
    }
    const sy_err err = read_port((span){port, strlen(port)}, form, &addr->port, detail);
    if (err != SY_OK) {
        return err;
    }
    const span host_span = host == NULL ? (span){"", 0} : (span){host, strlen(host)};
    return read_host(host_span, whole.text[0] == '[', form, addr, detail);
}

static sy_err read_hostserv(span s, sy_addr_form form, sy_addr *addr, sy_detail *detail) {
    char text[ADDR_TEXT_MAX + 1];
    if (s.len == 0) {
        return refuse(detail, SY_ERR_ADDR_HOST, "host", s, "is empty");
    }
    sy_err err = check_bytes(s, detail);
    if (err != SY_OK) {
        return err;
    }
    SY_ASSERT(s.len <= ADDR_TEXT_MAX);
    memcpy(text, s.text, s.len);
    text[s.len] = '\0';

    char *host = NULL;
    char *port = NULL;
    (void)ERR_set_mark(); /* a refusal is no error of OpenSSL's next user */
    const int split = BIO_parse_hostserv(text, &host, &port, BIO_PARSE_PRIO_HOST);
    (void)ERR_pop_to_mark();

    if (split == 1) {
        err = read_parts((span){text, s.len}, host, port, form, addr, detail);
    } else if (text[0] == '[' && strchr(text, ']') != NULL) {
        err = refuse(detail, SY_ERR_ADDR_PORT, "address", s,
                     "a colon and a port must follow the bracket");
    } else {
        err = refuse(detail, SY_ERR_ADDR_HOST, "host", s, "IPv6 must be in brackets");
    }
    OPENSSL_free(host);
    OPENSSL_free(port);
    return err;
}

sy_err sy_addr_parse(const char *text, size_t len, sy_addr_form form, sy_addr *ret_addr,
                     sy_detail *detail) {
    SY_REQUIRE(text != NULL || len == 0);
    SY_REQUIRE(ret_addr != NULL);
    sy_addr addr = {.has_id = false};
    span rest = {len == 0 ? "" : text, len};

    sy_err err = drop_scheme(&rest, detail);
    if (err != SY_OK) {
        return err;
    }
    if (rest.len == 0) {
        return refuse(detail, SY_ERR_ADDR_SYNTAX, "address", rest, "is empty");
    }
    if (rest.len > ADDR_TEXT_MAX) { /* SPEC AD-04 */
        return refuse(detail, SY_ERR_ADDR_SYNTAX, "address", rest, "has more than 300 bytes");
    }
    err = take_id(&rest, form, &addr, detail);
    if (err != SY_OK) {
        return err;
    }
    err = read_hostserv(rest, form, &addr, detail);
    if (err != SY_OK) {
        return err;
    }
    addr.endpoint.port = addr.is_ip ? addr.port : 0;
    *ret_addr = addr;
    return SY_OK;
}

/* ---- Lists ------------------------------------------------------------------------------------*/

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* SPEC AD-15 */
bool sy_addr_list_next(const char *list, size_t len, size_t *cursor, const char **ret_item,
                       size_t *ret_item_len) {
    SY_REQUIRE(*cursor <= len);
    size_t at = *cursor;
    while (at < len) {
        size_t end = at;
        while (end < len && list[end] != ',') {
            end++;
        }
        const size_t next = end < len ? end + 1 : len;
        while (at < end && is_blank(list[at])) {
            at++;
        }
        while (end > at && is_blank(list[end - 1])) {
            end--;
        }
        if (end > at) {
            *ret_item = list + at;
            *ret_item_len = end - at;
            *cursor = next;
            return true;
        }
        at = next;
    }
    *cursor = len;
    return false;
}

/* SPEC AD-16 */
sy_err sy_addr_list_parse(const char *list, size_t len, sy_addr_form form, sy_addr *addrs,
                          size_t cap, size_t *ret_count, sy_detail *detail) {
    size_t cursor = 0;
    size_t count = 0;
    const char *item;
    size_t item_len;
    while (sy_addr_list_next(list, len, &cursor, &item, &item_len)) {
        if (count == cap) {
            sy_detail_set(detail, "more than %zu addresses", cap);
            return SY_ERR_NO_SPACE;
        }
        sy_detail why;
        const sy_err err = sy_addr_parse(item, item_len, form, &addrs[count], &why);
        if (err != SY_OK) {
            sy_detail_set(detail, "item %zu ", count + 1);
            sy_detail_quote(detail, item, item_len);
            sy_detail_add(detail, ": %s", why.text);
            return err;
        }
        count++;
    }
    *ret_count = count;
    return SY_OK;
}

/* SPEC AD-14: names are kept in lower case, literals in one form. */
bool sy_addr_same_target(const sy_addr *a, const sy_addr *b) {
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* ---- Text out ---------------------------------------------------------------------------------*/

/* SPEC AD-12 */
size_t sy_addr_format(const sy_addr *addr, char out[SY_ADDR_TEXT_CAP]) {
    char id[SY_NODE_ID_TEXT_CAP] = "";
    if (addr->has_id) {
        sy_node_id_format(&addr->id, id);
    }
    const bool bracketed = strchr(addr->host, ':') != NULL;
    const int n =
        snprintf(out, SY_ADDR_TEXT_CAP, "%s%s%s%s%s:%u", id, addr->has_id ? "@" : "",
                 bracketed ? "[" : "", addr->host, bracketed ? "]" : "", (unsigned)addr->port);
    SY_ASSERT(n > 0 && (size_t)n < SY_ADDR_TEXT_CAP);
    return (size_t)n;
}

size_t sy_endpoint_format(const sy_endpoint *endpoint, char out[SY_ENDPOINT_TEXT_CAP]) {
    char ip[INET6_ADDRSTRLEN];
    (void)format_ip(endpoint->ip, ip);
    const bool v4 = sy_endpoint_is_v4(endpoint);
    const int n =
        snprintf(out, SY_ENDPOINT_TEXT_CAP, v4 ? "%s:%u" : "[%s]:%u", ip, (unsigned)endpoint->port);
    SY_ASSERT(n > 0 && (size_t)n < SY_ENDPOINT_TEXT_CAP);
    return (size_t)n;
}

/* ---- Endpoints --------------------------------------------------------------------------------*/

bool sy_endpoint_same_ip(const sy_endpoint *a, const sy_endpoint *b) {
    return memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool sy_endpoint_equal(const sy_endpoint *a, const sy_endpoint *b) {
    return a->port == b->port && sy_endpoint_same_ip(a, b);
}

bool sy_endpoint_is_v4(const sy_endpoint *endpoint) {
    return memcmp(endpoint->ip, v4_mapped, sizeof v4_mapped) == 0;
}

bool sy_endpoint_is_any(const sy_endpoint *endpoint) {
    static const uint8_t zero[16];
    const size_t skip = sy_endpoint_is_v4(endpoint) ? sizeof v4_mapped : 0;
    return memcmp(endpoint->ip + skip, zero, sizeof zero - skip) == 0;
}

bool sy_endpoint_is_loopback(const sy_endpoint *endpoint) {
    static const uint8_t v6_loopback[16] = {[15] = 1};
    if (sy_endpoint_is_v4(endpoint)) {
        return endpoint->ip[12] == 127;
    }
    return memcmp(endpoint->ip, v6_loopback, sizeof v6_loopback) == 0;
}

/* SPEC PL-05 names the ranges. */
bool sy_endpoint_is_private(const sy_endpoint *endpoint) {
    const uint8_t *ip = endpoint->ip;
    if (sy_endpoint_is_loopback(endpoint)) {
        return true;
    }
    if (sy_endpoint_is_v4(endpoint)) {
        return ip[12] == 10 || (ip[12] == 172 && (ip[13] & 0xf0) == 16) ||
               (ip[12] == 192 && ip[13] == 168) || (ip[12] == 169 && ip[13] == 254);
    }
    const bool link_local = ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
    const bool unique_local = (ip[0] & 0xfe) == 0xfc;
    return link_local || unique_local;
}

/* SPEC SW-23 */
sy_endpoint sy_endpoint_prefix(const sy_endpoint *endpoint) {
    const size_t kept = sy_endpoint_is_v4(endpoint) ? sizeof v4_mapped + 3 : 6;
    sy_endpoint prefix = {.port = 0};
    memcpy(prefix.ip, endpoint->ip, kept);
    return prefix;
}
