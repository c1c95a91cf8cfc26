/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the peer exchange reactor.
 *
 *   pex.c       life, messages, peers
 *   pex_dial.c  outbound target, back-off, diversity, feelers, seeds
 *   pex_seed.c  seed mode: crawl and let go */
#ifndef SY_REACTORS_PEX_INTERNAL_H
#define SY_REACTORS_PEX_INTERNAL_H

#include <switchyard/pex.h>
#include <switchyard/switch.h>

#include "base/hash.h"
#include "base/prng.h"
#include "base/token_bucket.h"
#include "reactors/pex/pex_codec.h"

#define PEX_SOURCES 1024 /* token buckets of source groups; power of two */

/* SPEC PEX-14: tokens of our patience with requests.  A stock node asks every 30 s, some at once
 * after an answer; none may ask more often than every 10 s. */
#define PEX_ASK_COST  1000
#define PEX_ASK_RATE  125 /* a request each 8 s: slack */
#define PEX_ASK_BURST (4 * PEX_ASK_COST)

/* SPEC PEX-23: the first pause of a node that is short of outbound peers. */
#define PEX_SHORT_PAUSE (2 * SY_SEC)

/* SPEC PEX-20: addresses of one source group. */
#define PEX_SOURCE_RATE  1
#define PEX_SOURCE_BURST 1000

typedef enum pex_dial_purpose {
    PEX_DIAL_PEER,
    PEX_DIAL_ANCHOR,
    PEX_DIAL_FEELER,
    PEX_DIAL_SEED,
    PEX_DIAL_CRAWL,
} pex_dial_purpose;

typedef struct pex_dial {
    sy_node_id id;
    sy_net_addr addr; /* endpoint all zero when the host is a name */
    uint64_t group;
    pex_dial_purpose purpose;
    sy_time since;
} pex_dial;

/* A peer that left soon after we had dialed it: a seed, or one that is full. */
typedef struct pex_rest {
    sy_node_id id;
    sy_time until;
    unsigned times; /* in a row; 0: unused */
} pex_rest;

#define PEX_RESTS_MAX 64

/* What the switch keeps for us per peer; linked while it is in the set. */
typedef struct pex_peer {
    sy_peer_ref ref;
    struct pex_peer *prev;
    struct pex_peer *next;
    sy_net_addr remote;
    uint64_t group;
    sy_token_bucket asks;
    sy_time asked_at;   /* by us, SY_NEVER: not yet */
    sy_time may_ask_at; /* we may ask again */
    sy_time leave_at;   /* SY_NEVER: stays */
    bool awaiting;      /* our request is not answered yet */
    bool answered;      /* seed mode: it has had its answer */
    bool linked;
    bool counts; /* among the outbound ones */
    bool was_dialed;
    pex_dial_purpose purpose; /* when was_dialed */
} pex_peer;

/* A token bucket of addresses per source group, packed. */
typedef struct pex_source {
    sy_time at;
    uint32_t tokens;
} pex_source;

struct sy_pex {
    sy_mem mem;
    sy_log log;
    sy_pex_config config; /* its seeds point to ours */
    sy_addr *seeds;
    sy_reactor_ops ops;
    sy_channel_desc desc;
    sy_channel channel;
    sy_switch *sw; /* borrows from start to stop */
    sy_prng prng;
    uint8_t hash_key[SY_HASH_KEY_LEN];

    pex_peer *peers;
    size_t peer_count;
    pex_dial dials[SY_PEX_DIALING_MAX];
    size_t dial_count;
    pex_rest rests[PEX_RESTS_MAX];
    uint8_t seed_order[SY_PEX_SEEDS_MAX];
    size_t seed_next; /* of seed_order; seed_count: none is being tried */
    sy_time seeds_at; /* they may be tried again */
    sy_time alone_at; /* the same while there is no peer at all */
    sy_duration alone_pause;
    bool anchors_done;
    bool anchors_kept; /* at the shutdown */

    sy_time ensure_at;
    sy_duration short_pause; /* to the next round while nobody is left to dial */
    sy_time feeler_at;
    sy_time save_at;
    sy_time sweep_at;
    uint64_t saved_changes;

    pex_source *sources;
    bool useful; /* some learned address was taken */
    bool said_strict;
    sy_pex_counts counts;
    sy_time now; /* of the round of choices that is under way */

    sy_pex_message message; /* being decoded */
    sy_net_addr sample[SY_ADDR_SAMPLE_MAX];
    uint8_t out[SY_PEX_MESSAGE_MAX];
};

/* now of the address source. */
sy_walltime pex_wall(sy_pex *pex, sy_time now);
sy_pex_encoding pex_encoding_of(const sy_peer *peer);
void pex_on_request(sy_pex *pex, sy_peer *peer, pex_peer *entry, sy_time now);
sy_duration pex_jitter(sy_pex *pex, sy_duration max);
void pex_ensure_soon(sy_pex *pex, sy_duration at_most, sy_time now);
bool pex_is_connected(sy_pex *pex, const sy_node_id *id);

/* Asks when nothing speaks against it. */
bool pex_ask(sy_pex *pex, sy_peer *peer, pex_peer *entry, sy_time now);
void pex_leave_at(sy_pex *pex, pex_peer *entry, sy_time at);

/* pex_dial.c */
pex_dial *pex_dial_find(sy_pex *pex, const sy_node_id *id);
void pex_dial_forget(sy_pex *pex, const sy_node_id *id);
bool pex_dial_start(sy_pex *pex, const sy_net_addr *addr, pex_dial_purpose purpose, sy_time now);
bool pex_is_free(sy_pex *pex, const sy_net_addr *addr);
bool pex_is_seed(const sy_pex *pex, const sy_node_id *id);
void pex_dial_failed(sy_pex *pex, const sy_addr *addr, const sy_reason *reason, sy_time now);
bool pex_is_short(const sy_pex *pex); /* of outbound peers */
void pex_keep_anchors(sy_pex *pex);
void pex_ensure(sy_pex *pex, sy_time now);
void pex_feel(sy_pex *pex, sy_time now);
/*   SY_ERR_CONFIG */
sy_err pex_check_seeds(const sy_addr *seeds, size_t count);
bool pex_try_seeds(sy_pex *pex, sy_time now);
void pex_let_rest(sy_pex *pex, const sy_node_id *id, sy_time now);
void pex_expire_dials(sy_pex *pex, sy_time now);

/* pex_seed.c */
void pex_crawl(sy_pex *pex, sy_time now);
void pex_sweep(sy_pex *pex, sy_time now);

#endif
