/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: endpoints (IP and port), and the text form ID@host:port in which a host may be a name.
 * A name is kept as a name: it is resolved at each dial, never when an address is parsed.
 * Source: docs/spec/identity.md, clauses AD-. */
#ifndef SWITCHYARD_ADDR_H
#define SWITCHYARD_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/node_id.h>

SY_BEGIN_DECLS

/* An IP address as 16 bytes (IPv4 mapped, ::ffff:a.b.c.d) and a port in host byte order. */
typedef struct sy_endpoint {
    uint8_t ip[16];
    uint16_t port;
} sy_endpoint;

#define SY_ENDPOINT_TEXT_CAP 56 /* "[8 groups]:65535" and a NUL */
#define SY_HOST_MAX          253
#define SY_ADDR_TEXT_CAP     (SY_NODE_ID_TEXT_LEN + 1 + SY_HOST_MAX + 8 + 1)

typedef struct sy_addr {
    bool has_id;
    sy_node_id id;
    bool is_ip;                 /* host is an IP literal, endpoint is valid */
    char host[SY_HOST_MAX + 1]; /* without brackets, lower case for names; may be empty (any) */
    uint16_t port;
    sy_endpoint endpoint; /* when is_ip; an empty host gives :: */
} sy_addr;

typedef enum sy_addr_form {
    SY_ADDR_ID_REQUIRED, /* ID@host:port: peers and seeds */
    SY_ADDR_ID_OPTIONAL, /* host:port or ID@host:port */
    SY_ADDR_LISTEN,      /* host:port, host may be empty: laddr and the remote's ListenAddr */
} sy_addr_form;

/* Parses one address.  One scheme, letters and "://", in front is dropped.  The split into host and
 * port is OpenSSL's BIO_parse_hostserv, the rest strict rules of ours: a port of one to five digits
 * up to 65535 (not 0 unless LISTEN), IPv6 in brackets, names of letters, digits, '-', '_' and '.',
 * at most 253 bytes.
 * detail (may be NULL) names the part, the value and the limit.  Any thread.
 *   SY_ERR_ADDR_NO_ID, ADDR_ID, ADDR_HOST, ADDR_PORT, ADDR_SYNTAX */
SY_API sy_err sy_addr_parse(const char *text, size_t len, sy_addr_form form, sy_addr *ret_addr,
                            sy_detail *detail) SY_MUST_USE;

/* Walks a comma-separated list: blanks around items are trimmed, empty items skipped.  Returns
 * false at the end.  *cursor starts at 0 and is moved. */
SY_API bool sy_addr_list_next(const char *list, size_t len, size_t *cursor, const char **ret_item,
                              size_t *ret_item_len);

/* Parses a whole list into addrs (cap items).  A bad item refuses the list; detail names the item
 * and its position, from 1.
 *   the error of the item; SY_ERR_NO_SPACE  more than cap items */
SY_API sy_err sy_addr_list_parse(const char *list, size_t len, sy_addr_form form, sy_addr *addrs,
                                 size_t cap, size_t *ret_count, sy_detail *detail) SY_MUST_USE;

/* Same host and port, names compared without regard to case; the IDs do not matter. */
SY_API bool sy_addr_same_target(const sy_addr *a, const sy_addr *b);

/* "id@host:port" (brackets for IPv6), NUL-terminated; returns the length. */
SY_API size_t sy_addr_format(const sy_addr *addr, char out[SY_ADDR_TEXT_CAP]);

SY_API size_t sy_endpoint_format(const sy_endpoint *endpoint, char out[SY_ENDPOINT_TEXT_CAP]);
/* An IP literal (no brackets).
 *   SY_ERR_ADDR_HOST */
SY_API sy_err sy_endpoint_parse_ip(const char *text, size_t len,
                                   sy_endpoint *ret_endpoint) SY_MUST_USE;
SY_API bool sy_endpoint_equal(const sy_endpoint *a, const sy_endpoint *b);
SY_API bool sy_endpoint_same_ip(const sy_endpoint *a, const sy_endpoint *b);
SY_API bool sy_endpoint_is_v4(const sy_endpoint *endpoint);
SY_API bool sy_endpoint_is_any(const sy_endpoint *endpoint);
SY_API bool sy_endpoint_is_loopback(const sy_endpoint *endpoint);

/* Loopback, RFC 1918, link-local, unique-local. */
SY_API bool sy_endpoint_is_private(const sy_endpoint *endpoint);

/* The network prefix that admission counts by: IPv4 /24, IPv6 /48; port 0, host bits 0. */
SY_API sy_endpoint sy_endpoint_prefix(const sy_endpoint *endpoint);

SY_END_DECLS

#endif
