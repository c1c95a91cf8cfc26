/* SPDX-License-Identifier: Apache-2.0 */
/* The admission ledger: how many connections past IDENTITY there are, in which class, from which
 * IP and prefix, and whether one more fits.  It knows no connections, only what they were counted
 * as: each keeps its ticket and gives it back at its end.
 *
 *     sy_admission_request request = {.peer_class = sy_peer_class_of(...), .id = link->id,
 *                                     .remote = link->remote};
 *     sy_err err = sy_admission_admit(&sw->admission, &request, &link->ticket, &detail);
 *     if (err != SY_OK) {
 *         sy_link_end(link, err, &detail);   // ADMIT_FULL, ADMIT_TOTAL, ADMIT_IP, ADMIT_PREFIX
 *         return;
 *     }
 *     ... at the end, in every case; a ticket that was never filled in is harmless:
 *     sy_admission_release(&sw->admission, &link->ticket);
 *
 * After a reload:
 *
 *     sy_admission_set_limits(&sw->admission, &limits);
 *     while (sy_admission_over(&sw->admission, &over_class)) {
 *         end_youngest_of_class(sw, over_class, SY_ERR_EVICTED);   // releases its ticket
 *     }
 *
 * Invariants: used never grows beyond a limit by sy_admission_admit; the counts of the classes sum
 * up to the total.  Source: docs/spec/switch.md, SW-13 to SW-20, SW-57. */
#ifndef SY_P2P_ADMISSION_H
#define SY_P2P_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/mem.h>
#include <switchyard/node_id.h>

#include "p2p/count_map.h"

/* The higher class wins.  A connection gets the highest one that fits it; the class of a dialed
 * connection to a persistent ID is PERSISTENT, and so is that of an accepted one. */
typedef enum sy_peer_class {
    SY_PEER_INBOUND,
    SY_PEER_OUTBOUND,
    SY_PEER_PERSISTENT,
    SY_PEER_UNCONDITIONAL,
} sy_peer_class;

#define SY_PEER_CLASS_COUNT 4

/* "inbound", "outbound", "persistent", "unconditional"; static. */
const char *sy_peer_class_name(sy_peer_class peer_class);

/* SPEC SW-13.  The class from what is known at IDENTITY. */
sy_peer_class sy_peer_class_of(bool outbound, bool persistent_id, bool unconditional_id);

typedef struct sy_admission_limits {
    size_t max_inbound;
    size_t max_outbound;
    size_t total;          /* hard, all classes; 0: max_inbound + max_outbound + reserved */
    size_t reserved;       /* distinct IDs configured as persistent or unconditional */
    size_t max_per_ip;     /* 0: no limit; allow_duplicate_ip = false is 1 */
    size_t max_per_prefix; /* 0: no limit */
} sy_admission_limits;

typedef struct sy_admission_request {
    sy_peer_class peer_class;
    sy_node_id id;
    sy_endpoint remote; /* the port does not matter */
} sy_admission_request;

/* What a connection was counted as.  By value in the connection; all zero: not counted. */
typedef struct sy_admission_ticket {
    bool held;
    sy_peer_class peer_class;
    sy_node_id id;
    sy_endpoint remote;
} sy_admission_ticket;

#define SY_ADMISSION_KEY_LEN SY_HASH_KEY_LEN

/* Open struct, embedded in its owner; members are private. */
typedef struct sy_admission {
    sy_admission_limits limits;
    size_t used[SY_PEER_CLASS_COUNT];
    size_t filled;     /* distinct IDs of class persistent and unconditional that have one */
    sy_count_map keys; /* per IP, prefix, both with ID, and ID */
} sy_admission;

typedef struct sy_admission_counts {
    size_t used[SY_PEER_CLASS_COUNT];
    size_t total_used;
    size_t total_limit;       /* the effective one */
    size_t reserved_unfilled; /* places of the total that outbound and inbound must leave free */
} sy_admission_counts;

/* mem borrows until fini; key (random, secret) makes the table's layout unpredictable.  Allocates
 * nothing yet. */
void sy_admission_init(sy_admission *admission, const sy_admission_limits *limits,
                       const sy_mem *mem, const uint8_t key[SY_ADMISSION_KEY_LEN]);
void sy_admission_fini(sy_admission *admission);

/* Would one more fit?  Changes nothing.  detail (may be NULL) names the limit and its value.
 * Connections of the same ID do not count against per-IP and per-prefix numbers: a crossed dial is
 * decided elsewhere.
 *   SY_ERR_ADMIT_FULL    the class is full, or only reserved places are left
 *   SY_ERR_ADMIT_TOTAL   the hard total
 *   SY_ERR_ADMIT_IP, SY_ERR_ADMIT_PREFIX  inbound and outbound only */
sy_err sy_admission_may_admit(const sy_admission *admission, const sy_admission_request *request,
                              sy_detail *detail) __attribute__((warn_unused_result));

/* The same, then counts; *ret_ticket must not be held.
 *   also SY_ERR_NOMEM */
sy_err sy_admission_admit(sy_admission *admission, const sy_admission_request *request,
                          sy_admission_ticket *ret_ticket, sy_detail *detail)
    __attribute__((warn_unused_result));

/* Uncounts and clears the ticket; nothing when it is not held.  Never fails. */
void sy_admission_release(sy_admission *admission, sy_admission_ticket *ticket);

/* The class changes without a check, because the operator changed a list; the ticket is held.  Call
 * it for every connection concerned, then sy_admission_over. */
void sy_admission_reclass(sy_admission *admission, sy_admission_ticket *ticket,
                          sy_peer_class peer_class);

/* New limits; what is counted stays counted. */
void sy_admission_set_limits(sy_admission *admission, const sy_admission_limits *limits);

/* Is a class over the limits?  The caller ends one connection of *ret_class (the youngest) and asks
 * again, at most as often as there are connections.  Lower classes come first. */
bool sy_admission_over(const sy_admission *admission, sy_peer_class *ret_class);

/* Is this one's IP or prefix over its number (after a reload)?  Ask for each connection, youngest
 * first, and end those that are refused.
 *   SY_ERR_ADMIT_IP, SY_ERR_ADMIT_PREFIX */
sy_err sy_admission_check_ticket(const sy_admission *admission, const sy_admission_ticket *ticket)
    __attribute__((warn_unused_result));

void sy_admission_get_counts(const sy_admission *admission, sy_admission_counts *ret_counts);
size_t sy_admission_ip_count(const sy_admission *admission, const sy_endpoint *remote);
size_t sy_admission_prefix_count(const sy_admission *admission, const sy_endpoint *remote);

#endif
