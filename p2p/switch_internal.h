/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the switch, shared by its files and by its tests.
 *
 *   switch.c        settings, start and stop, turns and timers
 *   slots.c         the table of connections
 *   link.c          one connection from accept or dial to the end
 *   link_io.c       bytes in and out of a connection
 *   rivals.c        two connections to one ID
 *   dialing.c       the dial table put to work
 *   lookup.c        names being resolved
 *   roster.c        peers and reactors: init, added, removed, fini
 *   peer.c          the public face of a connection
 *   reconfigure.c   new settings while it runs
 *   gate.c          filters and bans
 *   own_addr.c      the address that we advertise
 *   verdict.c       the judge: questions that wait for an answer
 *   app_filter.c    the judge that is an ABCI application
 *   reports.c       the driver's reports about streams
 *   isolated*.c     reactors on threads of their own (isolated.h)
 *
 * A connection is a `sy_peer` from its first byte on; reactors see it only in state UP.
 *
 *   CONNECTING -> HANDSHAKE -> NODE_INFO -> [LISTEN_NAME] -> [PARKED] -> UP -> FLUSHING -> DEAD
 *   RECOGNIZE  ->     |            |             |              |        |        |
 *                     +------------+-------------+--------------+--------+--------+--> DEAD
 *
 * With a judge it waits in ASK_ADDR before HANDSHAKE, and in ASK_ID before NODE_INFO.
 *
 * Timers of a connection: `deadline` (the handshake as a whole, then parking, then lingering) and
 * `clock` (the session's keepalive and rates).  Nothing is freed before the end of the turn. */
#ifndef SY_P2P_SWITCH_INTERNAL_H
#define SY_P2P_SWITCH_INTERNAL_H

#include <switchyard/switch.h>
#include <switchyard/verdict.h>

#include "base/buf.h"
#include "base/prng.h"
#include "base/text.h"
#include "base/timers.h"
#include "base/token_bucket.h"
#include "conn/channel_set.h"
#include "conn/scratch.h"
#include "p2p/admission.h"
#include "p2p/bans.h"
#include "p2p/dial_table.h"
#include "p2p/history.h"
#include "p2p/pending.h"
#include "p2p/resolve_cache.h"
#include "p2p/session.h"

#define SY_PREAUTH_MEMORY_MAX 4096  /* bytes a connection may cost before IDENTITY; SPEC SW-05 */
#define SY_PREAUTH_PLAIN_MAX  32768 /* in plain the whole NodeInfo comes before IDENTITY */
#define SY_REACTORS_MAX       32    /* reactors of one switch */
#define SY_SLOT_NONE          UINT32_MAX
#define SY_FLUSH_BATCHES      16   /* batches of 16 frames sent to one connection per turn */
#define SY_NODE_INFO_TEXT_MAX 1024 /* bytes of each configured text of NodeInfo */

typedef enum sy_link_state {
    SY_LINK_CONNECTING,
    SY_LINK_ASK_ADDR,
    SY_LINK_RECOGNIZE,
    SY_LINK_HANDSHAKE,
    SY_LINK_ASK_ID,
    SY_LINK_NODE_INFO,
    SY_LINK_LISTEN_NAME,
    SY_LINK_PARKED,
    SY_LINK_UP,
    SY_LINK_FLUSHING,
    SY_LINK_DEAD,
} sy_link_state;

#define SY_LINK_STATE_COUNT 11

typedef struct sy_isolated sy_isolated;
typedef struct sy_iso_peer sy_iso_peer;
typedef struct sy_app sy_app;

/* A complete message that waits for its connection to become a peer. */
typedef struct sy_held_message {
    struct sy_held_message *next;
    sy_msg *msg;
    sy_channel channel;
} sy_held_message;

struct sy_peer {
    sy_switch *sw; /* owner */
    uint32_t slot;
    uint32_t generation;
    sy_link_state state;
    bool outbound;
    bool dirty;         /* stands in the flush list */
    bool write_blocked; /* the stream took less than given; on_writable will come */
    bool reading;
    bool read_ended; /* the remote sent its end */
    bool shut;       /* our end was sent */
    bool confirmed;  /* a packet came since the link was parked */
    bool reported_confirmed;
    bool has_id;
    bool in_pending;
    bool identified;   /* IDENTITY was reported */
    bool info_checked; /* NodeInfo passed its rules */
    bool feeding;      /* the session is being run: no second run inside it */
    bool in_roster;    /* peer_init has run for every reactor */
    bool added;        /* peer_added is due to have run */
    bool was_up;       /* was a peer at some time */

    sy_endpoint remote;
    sy_endpoint local;
    void *stream; /* the driver's; NULL once given up */

    sy_node_id id; /* dialed, then proven */
    sy_peer_class peer_class;
    sy_admission_ticket ticket;
    sy_pending_entry pending;
    sy_dial_ref dial; /* outbound: the target being dialed; all zero otherwise */

    const sy_profile *profile; /* NULL while not recognised */
    sy_session *session;
    const sy_node_info *info; /* owned by the session */
    uint8_t hello[SY_RECOGNIZE_MAX];
    uint8_t hello_len;

    uint64_t bytes_received; /* from the stream */
    uint64_t packets_when_parked;
    size_t pauses;         /* full mailboxes that hold the reading; see sy_link_pause */
    sy_iso_peer *iso_peer; /* NULL: the connection itself; else an isolated reactor's view of it */
    uint32_t rival;        /* slot of the other connection to this ID while both are parked */
    sy_held_message *held_first;
    sy_held_message *held_last;

    sy_budget budget;
    sy_buf backlog; /* received, not yet taken by the session */
    sy_buf unsent;  /* sealed, not yet taken by the stream */

    sy_timer deadline;
    sy_timer clock;
    sy_timer verdict;  /* set: the judge has been asked and has not answered */
    sy_time opened_at; /* UP since */
    sy_duration last_rtt;

    sy_reason reason; /* set once, when the end is decided */
    bool has_reason;

    sy_resolve_ref resolve; /* LISTEN_NAME */

    void *reactor_state; /* one block, divided by reactor */
    sy_peer *next_dirty;
    sy_peer *next_dead;
    sy_peer *roster_prev;
    sy_peer *roster_next;
};

typedef struct sy_reactor_slot {
    const sy_reactor_ops *ops;
    void *reactor;
    size_t state_offset;
    uint16_t first_channel; /* index into the channel set */
    bool started;
    sy_timer timer;
    sy_isolated *iso; /* NULL: runs on the loop */
} sy_reactor_slot;

/* A look-up in progress, for a dial or for the ListenAddr of a connection.  Several connections may
 * wait for one name: only one of their look-ups is with the driver. */
typedef struct sy_lookup {
    uint32_t generation;
    bool used;
    bool started; /* with the driver */
    bool for_dial;
    bool for_app; /* for the application: as a dial neither shared nor rationed */
    char host[SY_HOST_MAX + 1];
    sy_dial_ref dial;
    sy_stream_ref link;
    sy_timer deadline;
    sy_timer retry; /* rationed: ask again */
} sy_lookup;

#define SY_LOOKUPS_MAX 64 /* names being resolved at once */

typedef enum sy_timer_kind {
    SY_TIMER_DEADLINE,
    SY_TIMER_CLOCK,
    SY_TIMER_REACTOR,
    SY_TIMER_LOOKUP_DEADLINE,
    SY_TIMER_LOOKUP_RETRY,
    SY_TIMER_VERDICT,
    SY_TIMER_APP,
} sy_timer_kind;

typedef enum sy_switch_state {
    SY_SWITCH_NEW,
    SY_SWITCH_RUNNING,
    SY_SWITCH_STOPPING,
    SY_SWITCH_STOPPED,
} sy_switch_state;

struct sy_switch {
    sy_settings settings; /* what it points to is owned: `text` and `ids` */
    char *text;
    sy_node_id *ids;
    uint8_t extra_channels[SY_NODE_INFO_CHANNELS_MAX];
    sy_mem mem;
    sy_driver_ops ops;
    void *driver;
    sy_switch_state state;

    sy_node_key key;
    sy_node_id id;
    sy_node_info ours;
    uint8_t our_channels[SY_NODE_INFO_CHANNELS_MAX];
    char listen_text[SY_ENDPOINT_TEXT_CAP];
    sy_endpoint own_addr;  /* advertised, when it is not configured */
    bool own_addr_wanted;  /* we listen at a wildcard */
    bool own_addr_v4_only; /* ... of IPv4 */
    bool own_addr_learned;
    char id_text[SY_NODE_ID_TEXT_CAP];
    bool has_admission; /* made, to be freed */
    bool has_pending;
    bool has_history;
    bool has_dials;
    const sy_profile *profiles[SY_PROFILES_MAX];

    sy_budget memory;
    sy_scratch *scratch;
    sy_mux_batch *mux_batch;
    sy_channel_set channels;
    sy_timers timers;
    sy_prng prng;
    sy_time now; /* of the turn, for queries and for calls without one */

    sy_peer **slots;
    uint32_t slot_count;
    uint32_t *free_slots; /* stack */
    uint32_t free_count;
    uint32_t *generations;
    size_t link_count;

    sy_admission admission;
    sy_pending pending;
    sy_gate gate;                  /* filters and bans */
    const sy_judge_ops *judge_ops; /* NULL: nobody is asked */
    void *judge;
    sy_judge_settings judge_settings;
    sy_app *app; /* NULL, or the judge that is an application */
    sy_dial_table dials;
    sy_history history;
    struct sy_lookups *lookups; /* NULL: no name was met yet */
    sy_token_bucket refusal_log;
    uint64_t log_left_out; /* lines since the last one that passed */

    sy_reactor_slot reactors[SY_REACTORS_MAX];
    size_t reactor_count;
    size_t peer_state_size;

    void *listeners[8];
    size_t listener_count;

    sy_peer *dirty; /* to be flushed at the end of the turn */
    sy_peer *dead;  /* to be reaped at the end of the turn */
    bool again;     /* work was left over: the next turn is due at once */
    sy_peer *roster_first;
    sy_peer *roster_last;
    size_t roster_count;
    uint64_t accepted_count;
    uint64_t dialed_count;
};

/* ---- settings.c */

/* Texts and numbers, each for itself.
 *   SY_ERR_CONFIG */
sy_err sy_settings_check(const sy_settings *settings, sy_detail *detail);

/* Frees what sy_switch_new made; nothing may be alive in it any more. */
void sy_switch_free(sy_switch *sw);

/* The number of reserved places follows the configured IDs. */
void sy_switch_refresh_limits(sy_switch *sw);

/* ---- switch.c */
void sy_switch_observe(sy_switch *sw, const sy_event *event);
sy_event sy_link_event(const sy_peer *link, sy_event_kind kind);

/* ---- slots.c */

/* NULL: gone. */
sy_peer *sy_link_of_ref(sy_switch *sw, sy_stream_ref ref);

/* false: no memory for one more. */
bool sy_slot_has_room(sy_switch *sw);

/* A slot that belongs to no connection between peers.  false: no memory. */
bool sy_slot_take(sy_switch *sw, uint32_t *ret_slot);

/* ---- link.c */
sy_peer *sy_link_new(sy_switch *sw, bool outbound, const sy_endpoint *remote);
void sy_link_set_state(sy_peer *link, sy_link_state next);
sy_err sy_link_begin_session(sy_peer *link, const sy_profile *profile);
void sy_link_on_event(sy_peer *link, const sy_session_event *event);
void sy_link_leave_pending(sy_peer *link);

/* The ID is wanted: a place for it, then NodeInfo. */
void sy_link_admit(sy_peer *link);

/* The class that what is known now gives it. */
sy_peer_class sy_link_class(const sy_peer *link);
void sy_link_info_accepted(sy_peer *link);
void sy_link_on_deadline(sy_peer *link);
void sy_link_on_clock(sy_peer *link);
void sy_link_on_listen_resolved(sy_peer *link, sy_err err, const sy_detail *detail);
void sy_link_refresh_clock(sy_peer *link);

/* Decides the end of a connection; the first decision stays.  Orderly ends flush first; everything
 * else is dead at once and reaped at the end of the turn.  detail may be NULL. */
void sy_link_end(sy_peer *link, sy_err code, const sy_detail *detail);

/* Gives everything back and frees the link; at the end of a turn only. */
void sy_link_reap(sy_peer *link);
sy_stage sy_link_stage(const sy_peer *link);

/* ---- gate.c */

/* By what is known of it: the address, and the ID (dialed or proven).
 *   SY_ERR_BANNED, SY_ERR_FILTERED */
sy_err sy_link_check_gate(const sy_peer *link, sy_detail *detail);

/* A line about a connection that never was a peer, rationed. */
void sy_log_refusal(sy_switch *sw, const char *event, const sy_node_id *id,
                    const sy_endpoint *remote, bool outbound, const char *profile,
                    const sy_reason *why, uint32_t in_a_row);

/* ---- verdict.c */

/* Asks the judge, if there is one; the connection goes on, waits or ends. */
void sy_link_ask(sy_peer *link, sy_question_kind kind);
void sy_link_on_verdict_time(sy_peer *link);

/* The connection is over: an open question is none any more. */
void sy_link_drop_question(sy_peer *link);

/* ---- link_io.c */

/* An accepted connection: begins the session when there is nothing to recognise. */
void sy_link_begin_inbound(sy_peer *link);

/* The address is wanted, after a wait in which bytes may have come. */
void sy_link_begin_late(sy_peer *link);

void sy_link_feed(sy_peer *link, const uint8_t *data, size_t len);
void sy_link_resume(sy_peer *link);
void sy_link_mark_dirty(sy_peer *link);
void sy_link_flush(sy_peer *link);
void sy_link_hold_message(sy_peer *link, const sy_mux_message *message);
void sy_link_drop_held(sy_peer *link);

/* A mailbox is full: nothing more is read until as many unpause as there were pauses. */
void sy_link_pause(sy_peer *link);
void sy_link_unpause(sy_peer *link, size_t count);

/* The remote's end was read and everything before it delivered. */
void sy_link_on_all_read(sy_peer *link);

/* ---- rivals.c */
sy_peer *sy_rivals_find(sy_switch *sw, const sy_peer *link);
void sy_rivals_meet(sy_peer *link, sy_peer *other);
void sy_rivals_on_packet(sy_peer *link);
void sy_rivals_on_timeout(sy_peer *link);
void sy_rivals_settle(sy_switch *sw, sy_peer *loser);
void sy_rivals_clear_way(sy_peer *link);
bool sy_rivals_has_other(const sy_peer *link);

/* ---- dialing.c */
void sy_dialing_run(sy_switch *sw);
void sy_dialing_on_resolved(sy_switch *sw, sy_dial_ref dial, const sy_endpoint *endpoints,
                            size_t count);
void sy_dialing_on_link_ended(sy_peer *link);
void sy_dialing_on_link_up(sy_peer *link);

/* ---- own_addr.c */
void sy_own_addr_on_listen(sy_switch *sw, const sy_endpoint *bound);
void sy_own_addr_on_connected(sy_switch *sw, const sy_endpoint *local);

/* ---- roster.c */
void sy_roster_add(sy_peer *link);
void sy_roster_remove(sy_peer *link);
void sy_roster_deliver(sy_peer *link, sy_channel channel, const uint8_t *data, size_t len);
void sy_roster_writable(sy_peer *link, sy_channel channel);
void sy_reactor_refresh(sy_switch *sw, sy_reactor_slot *slot);
void *sy_roster_state(const sy_peer *link, const sy_reactor_slot *slot);

#endif
