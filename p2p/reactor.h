/* SPDX-License-Identifier: Apache-2.0 */
/* The reactor interface: a const table of operations.  By default they run on the loop's thread and
 * must not block.
 *
 * For each peer, in this order, whatever happens in between:
 *
 *   peer_init -> peer_added -> (receive | writable)* -> peer_removed -> peer_fini
 *
 * peer_init and peer_fini are strictly paired, peer_added and peer_removed likewise; when some
 * reactor's peer_init fails, or stops the peer, all that ran get peer_fini without peer_added.  An
 * operation may queue messages and stop peers (also the one it is called for); it never sees a call
 * from inside one of its own: stopping takes effect at the end of the turn.
 *
 * Any operation but `name` and `channels` may be NULL.
 *
 * A reactor registered with sy_switch_add_reactor_isolated may block: its operations run on a
 * thread of its own, one at a time, behind a mailbox.  What is different there:
 *
 *   - start runs on the loop, before the thread exists; everything else runs on that thread, stop
 *     as its last operation.
 *   - The sy_peer that an operation is given is the reactor's own view: every function of peer.h
 *     may be called with it, until peer_fini.  The description in it is that of the moment when the
 *     peer was added; sends answer from the channel's credit; stop and ping take effect soon.
 *   - Of switch.h only the functions of the section "Other threads" may be called.
 *   - The switch does not wait for peer_init: other reactors may have the peer earlier.  When it
 *     fails, the connection ends.
 *   - A peer whose connection ends while its messages wait stays: they are delivered first, then
 *     peer_removed and peer_fini follow; sends to it are refused.  A peer that came and went before
 *     its peer_init ran is not shown at all.  A second connection of the same ID is shown after
 *     peer_fini of the first.
 *   - Messages come by priority class; their order within a channel of a peer is kept.
 *   - dial_failed must be NULL. */
#ifndef SWITCHYARD_REACTOR_H
#define SWITCHYARD_REACTOR_H

#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/channel.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/peer.h>
#include <switchyard/reason.h>
#include <switchyard/time.h>

SY_BEGIN_DECLS

typedef struct sy_switch sy_switch;

typedef struct sy_reactor_ops {
    size_t size;      /* sizeof(sy_reactor_ops) of the implementer */
    const char *name; /* unique in a switch, static */
    const sy_channel_desc *channels;
    size_t channel_count;
    size_t peer_state_size; /* zeroed memory per peer, given to every peer operation; 0: none */

    /* The switch starts.  channels are handles, in the order of the table above. */
    sy_err (*start)(void *reactor, sy_switch *sw, const sy_channel *channels, sy_time now);
    void (*stop)(void *reactor, sy_time now);

    /* A failure ends the connection with that code.  Nothing may be sent yet. */
    sy_err (*peer_init)(void *reactor, sy_peer *peer, void *state, sy_time now);
    void (*peer_fini)(void *reactor, sy_peer *peer, void *state);

    /* The peer is in the set and may be sent to. */
    void (*peer_added)(void *reactor, sy_peer *peer, void *state, sy_time now);
    void (*peer_removed)(void *reactor, sy_peer *peer, void *state, const sy_reason *reason,
                         sy_time now);

    /* data borrows for the call; never NULL, len may be 0. */
    void (*receive)(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                    const uint8_t *data, size_t len, sy_time now);

    /* A channel that answered FULL has room again. */
    void (*writable)(void *reactor, sy_peer *peer, void *state, sy_channel channel, sy_time now);

    /* A round of dialing this address ended without a peer: all that its name resolved to and all
     * profiles were tried.  addr borrows for the call. */
    void (*dial_failed)(void *reactor, const sy_addr *addr, const sy_reason *reason, sy_time now);

    /* The reactor's own clock work.  next_expiry is read after every operation of this reactor;
     * after changes made elsewhere call sy_switch_reactor_touch. */
    sy_time (*next_expiry)(void *reactor);
    void (*on_expiry)(void *reactor, sy_time now);
} sy_reactor_ops;

SY_END_DECLS

#endif
