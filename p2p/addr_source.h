/* SPDX-License-Identifier: Apache-2.0 */
/* What a dial policy needs to know about addresses, and tells about them.  The address book
 * (addr_book.h) implements it; a program with its own idea of discovery may implement it too.
 *
 * An address is ID, IP and port, always all three; names are for operators.  Wall-clock time comes
 * in as the last parameter: what is known of an address outlives the process.  Loop thread only. */
#ifndef SWITCHYARD_ADDR_SOURCE_H
#define SWITCHYARD_ADDR_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/export.h>
#include <switchyard/node_id.h>
#include <switchyard/time.h>

SY_BEGIN_DECLS

typedef struct sy_net_addr {
    sy_node_id id;
    sy_endpoint endpoint;
} sy_net_addr;

/* Whose word an address is. */
typedef enum sy_addr_told {
    SY_ADDR_TOLD_HEARSAY,  /* a peer says it of another */
    SY_ADDR_TOLD_SELF,     /* the owner of the ID, which it has proven, says it of itself */
    SY_ADDR_TOLD_OPERATOR, /* configuration */
} sy_addr_told;

/* An address and where it comes from.  `source` is the *socket's* remote address of the teller: a
 * self-reported one would let one host pose as many.  Borrows for the call. */
typedef struct sy_addr_news {
    sy_net_addr addr;
    sy_net_addr source;
    sy_addr_told told;
    const char *profile; /* that the teller speaks, "" when unknown */
} sy_addr_news;

typedef enum sy_addr_verdict {
    SY_ADDR_ADDED,
    SY_ADDR_KNOWN,   /* nothing new, or nothing worth keeping */
    SY_ADDR_MOVED,   /* the ID was known elsewhere; this address took its place */
    SY_ADDR_INVALID, /* no such host, or port 0 */
    SY_ADDR_BANNED,
    SY_ADDR_PRIVATE,        /* the ID is configured as private */
    SY_ADDR_PRIVATE_SOURCE, /* the teller is */
    SY_ADDR_OWN,
    SY_ADDR_NOT_ROUTABLE, /* only while the source is strict */
    SY_ADDR_CROWDED,      /* its group has its share already */
    SY_ADDR_NO_MEMORY,
} sy_addr_verdict;

#define SY_ADDR_VERDICT_COUNT 11

/* Asked of each candidate; false skips it.  May not call the source. */
typedef bool (*sy_addr_allow_fn)(void *user, const sy_net_addr *addr);

typedef struct sy_addr_query {
    unsigned new_bias;      /* 0..100: how much untested addresses are preferred */
    sy_addr_allow_fn allow; /* NULL: everything */
    void *user;
} sy_addr_query;

typedef struct sy_addr_sizes {
    size_t all;
    size_t untested; /* "new" */
    size_t tested;   /* "old" */
} sy_addr_sizes;

typedef struct sy_addr_source_ops {
    sy_addr_verdict (*add)(void *source, const sy_addr_news *news, sy_walltime now);

    /* One to dial, whose back-off has passed; false when there is none. */
    bool (*pick)(void *source, const sy_addr_query *query, sy_net_addr *ret_addr, sy_walltime now);

    /* One to test: connect, see whether it is what it should be, leave. */
    bool (*pick_test)(void *source, const sy_addr_query *query, sy_net_addr *ret_addr,
                      sy_walltime now);

    /* The one whose last attempt is longest ago, and before `before`: for a crawler. */
    bool (*pick_stale)(void *source, const sy_addr_query *query, sy_walltime before,
                       sy_net_addr *ret_addr, sy_walltime now);

    void (*on_attempt)(void *source, const sy_node_id *id, sy_walltime now);

    /* It proved its ID at this address and belongs to our network. */
    void (*on_good)(void *source, const sy_net_addr *addr, const char *profile, sy_walltime now);
    void (*on_failed)(void *source, const sy_node_id *id, sy_walltime now);

    /* Forgets it and refuses it for so long. */
    void (*on_bad)(void *source, const sy_node_id *id, sy_duration ban, sy_walltime now);

    /* Addresses for an answer, without repeats, at most cap; only such as speak the profile or are
     * not known to speak another one.  new_bias: percent of untested ones; above 100: whatever
     * comes. */
    size_t (*sample)(void *source, unsigned new_bias, const char *profile, sy_net_addr *out,
                     size_t cap, sy_walltime now);

    sy_addr_sizes (*sizes)(const void *source);
    bool (*wants_more)(const void *source);

    /* Two addresses of one group are likely under one control. */
    uint64_t (*group)(const void *source, const sy_endpoint *endpoint);

    /* The profile that this ID was last seen to speak, "" when unknown; static. */
    const char *(*profile)(const void *source, const sy_node_id *id);

    /* Peers to dial first at the next start. */
    size_t (*anchors)(const void *source, sy_net_addr *out, size_t cap);
    void (*set_anchors)(void *source, const sy_net_addr *anchors, size_t count);

    /* Goes up with every change that is worth saving. */
    uint64_t (*changes)(const void *source);
} sy_addr_source_ops;

/* By value: both borrow until the user of the source is gone. */
typedef struct sy_addr_source {
    const sy_addr_source_ops *ops;
    void *source;
} sy_addr_source;

#define SY_ADDR_SAMPLE_MAX  250 /* addresses in one answer, both projects */
#define SY_ADDR_ANCHORS_MAX 8   /* peers dialed first after a restart */

/* "ADDED", "KNOWN" ...; static. */
SY_API const char *sy_addr_verdict_name(sy_addr_verdict verdict);

/* May this address be dialed from elsewhere?  Not private, loopback, link-local, unspecified,
 * broadcast or one of IPv6's documentation and ORCHID ranges; IPv4 mapped into IPv6 is judged as
 * IPv4.  Any thread. */
SY_API bool sy_endpoint_is_routable(const sy_endpoint *endpoint);

SY_END_DECLS

#endif
