/* SPDX-License-Identifier: Apache-2.0 */
/* The switch: the one owner of the peer table.  It accepts and dials, admits or refuses, keeps
 * persistent peers, and carries channel messages between peers and reactors.  A pure state machine:
 * a driver (driver.h) moves its bytes and its time.
 *
 *     sy_settings settings;
 *     sy_settings_default(&settings);
 *     settings.node_key = &key;
 *     settings.network = "my-chain";
 *     sy_switch *sw;
 *     sy_err err = sy_switch_new(&settings, &ops, driver, &sw, &detail);
 *     err = sy_switch_add_reactor(sw, &my_reactor_ops, &my_reactor, &detail);
 *     err = sy_switch_start(sw, now);
 *     err = sy_switch_listen(sw, &endpoint, &bound, &detail);
 *     err = sy_switch_dial(sw, &addr, SY_DIAL_PERSISTENT, now);
 *     ... the loop runs; later ...
 *     sy_switch_stop(sw, now);  until sy_switch_is_stopped(sw) (or settings.stopped), then
 *     sy_switch_del(sw);
 *
 * Loop thread only, but for the functions of the section "Other threads" at the end.
 * Source: docs/spec/switch.md, docs/spec/reactors.md. */
#ifndef SWITCHYARD_SWITCH_H
#define SWITCHYARD_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/driver.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/log.h>
#include <switchyard/mem.h>
#include <switchyard/node_id.h>
#include <switchyard/node_info.h>
#include <switchyard/node_key.h>
#include <switchyard/peer.h>
#include <switchyard/reactor.h>
#include <switchyard/reason.h>

SY_BEGIN_DECLS

#define SY_PROFILES_MAX 4

/* What happened to a connection, for programs that show or record it (`yard probe`, `yard peers`,
 * tests).  Reactors do not need it. */
typedef enum sy_event_kind {
    SY_EVENT_DIALING,   /* a TCP connection attempt begins; endpoint */
    SY_EVENT_CONNECTED, /* TCP is up (outbound) or accepted (inbound) */
    SY_EVENT_IDENTITY,  /* id proven */
    SY_EVENT_INFO,      /* NodeInfo received (before it is checked) */
    SY_EVENT_PEER_UP,   /* added to the set */
    SY_EVENT_CONFIRMED, /* the first packet came: the remote has accepted us too */
    SY_EVENT_PONG,      /* a ping was answered; rtt_ns */
    SY_EVENT_ENDED,     /* reason; before or after PEER_UP */
} sy_event_kind;

typedef struct sy_event {
    sy_event_kind kind;
    sy_peer_ref ref; /* names the connection through all its events */
    bool outbound;
    bool has_id;
    sy_node_id id;             /* dialed or proven */
    const sy_endpoint *remote; /* borrows for the call */
    const char *profile;       /* "" while unknown */
    const sy_node_info *info;  /* INFO and later, else NULL; borrows for the call */
    const sy_reason *reason;   /* ENDED */
    sy_duration rtt_ns;        /* PONG */
} sy_event;

typedef void (*sy_observer)(void *user, const sy_event *event, sy_time now);

/* The work areas that all connections of a loop share: 129 KiB, and two cipher contexts.  A switch
 * makes its own; a program with many switches on one loop makes one for all of them and hands it to
 * each (settings.scratch).
 *   SY_ERR_NOMEM, SY_ERR_CRYPTO_LIB */
typedef struct sy_scratch sy_scratch;
SY_API sy_err sy_scratch_new(const sy_mem *mem, sy_scratch **ret_scratch) SY_MUST_USE;
SY_API void sy_scratch_del(sy_scratch *scratch); /* NULL is allowed */

/* Everything a switch is made from.  Copied, with all text, by sy_switch_new.  Fill with
 * sy_settings_default first; fields are only ever appended. */
typedef struct sy_settings {
    size_t size;

    const sy_mem *mem; /* NULL: the C library's; borrows until del */
    sy_log log;
    sy_observer observer; /* may be NULL; may ask the switch, not change it */
    void *observer_user;

    const sy_node_key *node_key; /* required; copied into the switch and wiped with it */

    /* What NodeInfo says. */
    const char *network;           /* required: the chain id */
    const char *moniker;           /* default "anonymous" */
    const char *version;           /* default "0.22.8"; the protocol version spoken, not
                                    * Switchyard's own */
    const char *listen_addr;       /* advertised host:port; NULL: see sy_switch_listen_addr */
    uint64_t p2p_version;          /* default 8 */
    uint64_t block_version;        /* default 11 */
    uint64_t app_version;          /* default 0 */
    const char *rpc_address;       /* default "" */
    const uint8_t *extra_channels; /* sinks: announced so that a remote finds a common channel,
                                    * received bytes are counted and dropped */
    size_t extra_channel_count;

    /* Profiles, in the order in which a dialer tries them; a listener allows all of them. */
    const char *profiles[SY_PROFILES_MAX];
    size_t profile_count;
    bool plain_anywhere; /* the profile plain also beyond loopback and private networks */

    /* Admission. */
    size_t max_inbound;       /* default 40 */
    size_t max_outbound;      /* default 10: a target for discovery, a limit for admission */
    size_t total_connections; /* hard total of peers; 0: sum of the limits and the reservations */
    size_t max_pending;       /* handshakes in progress; default 256 */
    size_t max_per_ip;        /* 0: no limit (default) */
    size_t max_per_prefix;    /* 0: no limit (default) */
    const sy_node_id *unconditional_ids;
    size_t unconditional_count;

    /* Deadlines. */
    sy_duration dial_timeout;      /* TCP connect; default 3 s */
    sy_duration handshake_timeout; /* accept or connect until NodeInfo accepted; default 20 s */
    sy_duration resolve_timeout;   /* of a name in a remote's ListenAddr; default 5 s */
    sy_duration park_timeout;      /* crossed dials; default 2 s */
    sy_duration linger_timeout;    /* flushing before an orderly close; default 5 s */
    sy_duration persistent_peers_max_dial_period; /* cap of the back-off; 0: 60 s */
    sy_duration ping_interval;                    /* default 60 s */
    sy_duration pong_timeout;                     /* default 45 s */

    /* Packets and rates. */
    size_t packet_payload_max; /* default 1024; both ends must agree */
    uint64_t send_rate;        /* bytes per second and peer; 0: no limit (default) */
    uint64_t recv_rate;

    /* Memory. */
    size_t memory_max;      /* whole switch; default 4 GiB */
    size_t peer_memory_max; /* one peer's buffers; default 64 MiB */

    /* Who seals and opens frames: "avx512" or "avx2" (several frames at once, for processors that
     * have it), "library" (OpenSSL and libsodium, frame by frame), or "auto" (default; the best one
     * that this processor has).  The bytes on the wire are the same. */
    const char *frame_cipher;

    /* Called once when what sy_switch_stop began is over, as the last thing of a turn; may be NULL.
     * May end the loop; may not call into the switch. */
    void (*stopped)(void *user, sy_time now);
    void *stopped_user;

    sy_scratch *scratch; /* NULL: its own (default); borrows until del */
} sy_settings;

#define sy_settings_default(settings) sy_settings_default_sized((settings), sizeof(sy_settings))
SY_API void sy_settings_default_sized(sy_settings *settings, size_t size);

/* Makes a stopped switch.  ops and driver borrow until del.  detail (may be NULL) names the field.
 *   SY_ERR_CONFIG, SY_ERR_NOMEM, SY_ERR_CRYPTO_LIB */
SY_API sy_err sy_switch_new(const sy_settings *settings, const sy_driver_ops *ops, void *driver,
                            sy_switch **ret_switch, sy_detail *detail) SY_MUST_USE;

/* Drops everything at once; call sy_switch_stop first for an orderly end.  Not inside a callback.
 * Blocks for as long as an operation of an isolated reactor does, unless sy_switch_is_stopped.
 * NULL is allowed. */
SY_API void sy_switch_del(sy_switch *sw);

/* Before start.  ops borrows until del; reactor is handed to every operation.
 *   SY_ERR_STATE  started;  SY_ERR_CHANNEL_TAKEN, SY_ERR_INVALID (detail), SY_ERR_NOMEM */
SY_API sy_err sy_switch_add_reactor(sy_switch *sw, const sy_reactor_ops *ops, void *reactor,
                                    sy_detail *detail) SY_MUST_USE;

/* How a reactor is isolated; fields are only ever appended. */
typedef struct sy_isolation {
    size_t size;
    size_t mailbox_max;     /* bytes of all peers' messages together, each counted with 128 more;
                             * 0: no limit of its own (default), memory_max is one in any case */
    sy_duration slow_after; /* age of the oldest thing that waits at which the log warns; 0: never;
                             * default 5 s */
} sy_isolation;

#define sy_isolation_default(isolation)                                                            \
    sy_isolation_default_sized((isolation), sizeof(sy_isolation))
SY_API void sy_isolation_default_sized(sy_isolation *isolation, size_t size);

/* The same for a reactor that may block: it gets a thread of its own and a mailbox.
 *
 *     static const sy_channel_desc channels[] = {{
 *         .id = 0x60, .priority = 3,
 *         .recv_budget = 8u << 20,              // bytes that may wait, for each peer
 *         .full_policy = SY_FULL_DROP_OLDEST,   // and then
 *     }};
 *     sy_isolation isolation;
 *     sy_isolation_default(&isolation);
 *     isolation.slow_after = 2 * SY_SEC;
 *     err = sy_switch_add_reactor_isolated(sw, &store_ops, &store, &isolation, &detail);
 *
 * The table of operations is the same as on the loop; reactor.h says what is different.  While the
 * reactor sleeps no peer is lost and no other channel is delayed, until a channel's recv_budget is
 * full; then its full_policy acts (channel.h).  isolation NULL: the defaults; copied.
 *   as sy_switch_add_reactor;  SY_ERR_INVALID  also when the driver has no threads, or for an
 *   operation that isolated reactors cannot have (dial_failed) */
SY_API sy_err sy_switch_add_reactor_isolated(sy_switch *sw, const sy_reactor_ops *ops,
                                             void *reactor, const sy_isolation *isolation,
                                             sy_detail *detail) SY_MUST_USE;

/* Starts the reactors; from now on listening and dialing are possible.
 *   SY_ERR_STATE; the error of a reactor's start (those started before it are stopped) */
SY_API sy_err sy_switch_start(sy_switch *sw, sy_time now) SY_MUST_USE;

/* Adds a listener.  *ret_bound (may be NULL) is the real address.
 *   SY_ERR_STATE, SY_ERR_SYSTEM, SY_ERR_NOMEM */
SY_API sy_err sy_switch_listen(sy_switch *sw, const sy_endpoint *local, sy_endpoint *ret_bound,
                               sy_detail *detail) SY_MUST_USE;

/* New settings for a running switch, from a complete value: checked as a whole, then in force at
 * once, or nothing has changed.  Peers over a new limit leave at the end of the turn, lower classes
 * first, the youngest of a class first (SY_ERR_EVICTED).  Deadlines, rates and keepalive hold for
 * connections made from now on.  *ret_restart names the keys that differ but need a restart (empty:
 * none); they keep their old values.  mem, the log's function, the observer and `stopped` stay as
 * they are. SY_ERR_STATE, SY_ERR_CONFIG (detail), SY_ERR_NOMEM */
SY_API sy_err sy_switch_reconfigure(sy_switch *sw, const sy_settings *settings,
                                    sy_detail *ret_restart, sy_detail *detail,
                                    sy_time now) SY_MUST_USE;

/* Orderly end: no new connections, queues flushed within linger_timeout, peers removed, reactors
 * stopped.  Messages that still wait for an isolated reactor are dropped; its last operations are
 * waited for, however long it sleeps.  Idempotent. */
SY_API void sy_switch_stop(sy_switch *sw, sy_time now);
SY_API bool sy_switch_is_stopped(const sy_switch *sw);

typedef enum sy_dial_kind {
    SY_DIAL_ONCE,       /* the operator asked: one round over its addresses and profiles */
    SY_DIAL_PERSISTENT, /* never given up */
    SY_DIAL_LEARNED,    /* found by discovery: one round, gives way to everything else */
} sy_dial_kind;

/* Dials this address, soon.  The name is resolved at each attempt.  An entry for the same ID is
 * upgraded to persistent, never downgraded; a persistent entry in back-off is dialed at once.
 *   SY_ERR_STATE, SY_ERR_SELF, SY_ERR_NOMEM, SY_ERR_LIMIT (too many learned ones)
 *   SY_ERR_DUPLICATE_ID  connected or being dialed (not for PERSISTENT) */
SY_API sy_err sy_switch_dial(sy_switch *sw, const sy_addr *addr, sy_dial_kind kind,
                             sy_time now) SY_MUST_USE;

/* Forgets an address (a connection stays).   SY_ERR_GONE */
SY_API sy_err sy_switch_forget(sy_switch *sw, const sy_node_id *id, sy_time now);

/* The profile that this ID is known to speak (from an address book): dialed with it first.  An
 * unknown name or one that is not allowed here is ignored. */
SY_API void sy_switch_remember_profile(sy_switch *sw, const sy_node_id *id, const char *profile);

/* The protocol versions that NodeInfo says to connections made from now on: for a node that mirrors
 * its network (docs/spec/seed.md, SEED-07).  Connections that are open stay. */
SY_API void sy_switch_set_versions(sy_switch *sw, uint64_t p2p_version, uint64_t block_version,
                                   uint64_t app_version);

SY_API const sy_node_id *sy_switch_id(const sy_switch *sw);

/* Who seals and opens frames on this processor: "avx512", "avx2" or "library".  A literal. */
SY_API const char *sy_switch_frame_cipher(const sy_switch *sw);

/* Where NodeInfo says that we listen: settings.listen_addr, else the first listener's address; when
 * that is a wildcard, from the first outgoing connection on whose local IP is routable, that IP
 * with the listener's port.  "0.0.0.0:0" without a listener.  Borrows until the next call that is
 * no query. */
SY_API const char *sy_switch_listen_addr(const sy_switch *sw);

/* The handle of a channel id, SY_NO_CHANNEL when not registered; and back. */
SY_API sy_channel sy_switch_channel(const sy_switch *sw, uint8_t channel_id);
SY_API uint8_t sy_switch_channel_id(const sy_switch *sw, sy_channel channel);

/* The peer of a reference or an ID; NULL when gone.  Valid until the end of the turn. */
SY_API sy_peer *sy_switch_peer(sy_switch *sw, sy_peer_ref ref);
SY_API sy_peer *sy_switch_peer_by_id(sy_switch *sw, const sy_node_id *id);

/* Walks the peers in order of arrival: pass NULL first; NULL at the end.  Peers must not be stopped
 * by del in between (stopping by sy_peer_stop is fine). */
SY_API sy_peer *sy_switch_next_peer(sy_switch *sw, const sy_peer *previous);

typedef struct sy_switch_counts {
    size_t inbound;
    size_t outbound; /* without persistent */
    size_t persistent;
    size_t unconditional;
    size_t pending; /* inbound handshakes in progress */
    size_t dialing; /* outbound connections that are not peers yet */
    size_t peers;   /* all */
    size_t memory_used;
    uint64_t accepted;
    uint64_t dialed;
    uint64_t ended; /* connections that ended, for any reason */
} sy_switch_counts;

SY_API void sy_switch_get_counts(const sy_switch *sw, sy_switch_counts *ret_counts);

/* How often connections ended at this stage with this code. */
SY_API uint64_t sy_switch_ended_count(const sy_switch *sw, sy_stage stage, sy_err code);

/* Sends one shared copy to every peer that has the channel, except one (may be NULL).  Returns how
 * many queued it; *ret_full (may be NULL) counts the full queues. */
SY_API size_t sy_switch_broadcast(sy_switch *sw, sy_channel channel, const void *data, size_t len,
                                  const sy_peer *except, size_t *ret_full);

/* The same to a chosen set.  References to peers that have gone are passed over; one that stands
 * there twice gets it twice. */
SY_API size_t sy_switch_broadcast_to(sy_switch *sw, sy_channel channel, const void *data,
                                     size_t len, const sy_peer_ref *refs, size_t ref_count,
                                     size_t *ret_full);

/* Random bytes, and the wall clock (for files and people; zero when the driver has none), both from
 * the driver: reactors have no source of their own. */
SY_API void sy_switch_random(sy_switch *sw, void *out, size_t len);
SY_API sy_walltime sy_switch_walltime(sy_switch *sw);

/* A reactor's next_expiry changed outside its operations.  For an isolated reactor: any thread. */
SY_API void sy_switch_reactor_touch(sy_switch *sw, const void *reactor);

typedef struct sy_mailbox_stats {
    size_t messages;        /* waiting */
    size_t bytes;           /* waiting or being handled, each message counted with 128 more */
    size_t peers;           /* that the reactor has, or has still to be told of */
    sy_duration oldest_age; /* of what has waited, or been handled, longest */
    uint64_t dropped_newest;
    uint64_t dropped_oldest;
    size_t paused; /* connections that are not read because of it */
} sy_mailbox_stats;

/* The mailbox of an isolated reactor.
 *   SY_ERR_INVALID  no isolated reactor of this switch */
SY_API sy_err sy_switch_mailbox_stats(const sy_switch *sw, const void *reactor,
                                      sy_mailbox_stats *ret_stats) SY_MUST_USE;

/* ---- Other threads -----------------------------------------------------------------------------
 *
 * The functions below, and sy_switch_reactor_touch for isolated reactors, are the only ones that
 * may be called on any thread, from the return of sy_switch_start until sy_switch_del is called.
 * They never block.  The channel must be one of an isolated reactor.
 *
 *     switch (sy_switch_post_send(sw, ref, channel, data, len)) {
 *     case SY_SEND_QUEUED:  break;                 // will be sent unless the connection ends first
 *     case SY_SEND_FULL:    wait_for_writable();   // the reactor's `writable` will be called
 *     case SY_SEND_REFUSED: break;                 // no such channel there, too long, no memory
 *     case SY_SEND_GONE:    break;                 // not a peer any more
 *     }
 *
 * The answer is final at once: the loop has granted each (peer, channel) the limits of its send
 * queue, and a send spends of them until the message has left. */

/* Any thread.  Sends len bytes, copied. */
SY_API sy_send_result sy_switch_post_send(sy_switch *sw, sy_peer_ref ref, sy_channel channel,
                                          const void *data, size_t len);

/* Any thread.  The same with a shared message, made with a NULL budget; takes a reference of its
 * own when QUEUED. */
SY_API sy_send_result sy_switch_post_msg(sy_switch *sw, sy_peer_ref ref, sy_channel channel,
                                         sy_msg *msg);

/* Any thread.  One shared copy to every peer of the channel's reactor but one (may be NULL).
 * Returns how many queued it; *ret_full (may be NULL) counts the full queues. */
SY_API size_t sy_switch_post_broadcast(sy_switch *sw, sy_channel channel, const void *data,
                                       size_t len, const sy_peer_ref *except, size_t *ret_full);

/* Any thread.  The same to a chosen set, as sy_switch_broadcast_to. */
SY_API size_t sy_switch_post_broadcast_to(sy_switch *sw, sy_channel channel, const void *data,
                                          size_t len, const sy_peer_ref *refs, size_t ref_count,
                                          size_t *ret_full);

/* Any thread.  As sy_peer_stop, soon.  The first request stays.
 *   SY_ERR_GONE  no isolated reactor has this peer any more */
SY_API sy_err sy_switch_post_stop(sy_switch *sw, sy_peer_ref ref, sy_err code,
                                  const char *text) SY_MUST_USE;

SY_END_DECLS

#endif
