/* SPDX-License-Identifier: Apache-2.0 */
/* The driver: the only part that acts.  It owns sockets, the clock, the random source and the
 * resolver; the switch decides.  p2p/ev/ implements it on libev, the simulator in memory with a
 * virtual clock; a caller with a loop of another kind implements the same table.
 *
 * Order inside one turn of the loop, for every driver:
 *   1. read the monotonic clock once: the `now` of every call of this turn;
 *   2. report what happened: accepted, connected, readable (all received bytes), writable,
 * resolved;
 *   3. sy_switch_on_expiry when sy_switch_next_expiry() <= now;
 *   4. sy_switch_turn_end: sends are drained, the dead are reaped;
 *   5. arm one timer for sy_switch_next_expiry() (rounded up) and wait.
 *
 * Lifetime rules:
 *   a. A stream is named by the switch with a sy_stream_ref and by the driver with a void pointer.
 *      Both are valid from stream_connect / sy_switch_on_accepted until stream_close.
 *   b. After stream_close the driver reports nothing more for that ref and may free the stream.
 *   c. stream_close may be called from inside any of the driver's own reports; the driver must not
 *      touch the stream afterwards.
 *   d. Every operation is called on the loop thread and must not block; the exceptions are the
 *      worker operations, whose comments say so. */
#ifndef SWITCHYARD_DRIVER_H
#define SWITCHYARD_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/time.h>

SY_BEGIN_DECLS

typedef struct sy_switch sy_switch;

/* The switch's name of a stream: a slot and its generation, by value.  A report with a stale ref is
 * ignored, so that a late event can never reach a newer connection. */
typedef struct sy_stream_ref {
    uint32_t slot;
    uint32_t generation;
} sy_stream_ref;

typedef struct sy_resolve_ref {
    uint32_t slot;
    uint32_t generation;
} sy_resolve_ref;

/* What a worker runs: one step of work, on the worker's own thread, with `now` of the monotonic
 * clock.  True: call again at *ret_next at the latest (in the past: at once), or when woken.
 * False: there will be no more work; it is not called again. */
typedef bool (*sy_worker_run)(void *arg, sy_time now, sy_time *ret_next);

#define SY_RESOLVE_MAX 16 /* addresses taken from one answer; more are ignored */

typedef struct sy_driver_ops {
    size_t size; /* sizeof(sy_driver_ops) of the implementer */

    /* Starts a TCP connection.  Reported later, never from inside, by sy_switch_on_connected or
     * sy_switch_on_connect_failed.
     *   SY_ERR_SYSTEM (descriptors, interfaces), SY_ERR_NOMEM: then nothing is reported. */
    sy_err (*stream_connect)(void *driver, sy_stream_ref ref, const sy_endpoint *remote,
                             void **ret_stream);

    /* Writes what fits, at once; *ret_written < len (also 0) means the stream is full: the driver
     * then watches it and reports sy_switch_on_writable once.  more: if all of it fits, another
     * write or the end of the stream follows before sy_switch_turn_end returns, and the bytes may
     * wait for that (MSG_MORE); a driver may ignore it.
     *   SY_ERR_REMOTE_RESET  the connection is broken; the driver reports nothing more on its own
     */
    sy_err (*stream_write)(void *driver, void *stream, const uint8_t *data, size_t len, bool more,
                           size_t *ret_written);

    /* Reading is on after connect and accept; off means no sy_switch_on_readable until on again. */
    void (*stream_set_reading)(void *driver, void *stream, bool on);

    /* Read until nothing is left, report it, then report sy_switch_on_read_dry; in this turn or a
     * later one, never from inside. */
    void (*stream_check_dry)(void *driver, void *stream);

    /* No more writes; the remote sees the end after what was written. */
    void (*stream_shutdown_write)(void *driver, void *stream);

    /* Ends the stream and gives it up (rules b, c).  abort: discard unsent bytes (RST). */
    void (*stream_close)(void *driver, void *stream, bool abort);

    /* Listens; port 0 takes a free one; *ret_bound is the real address.
     *   SY_ERR_SYSTEM with the cause in detail */
    sy_err (*listen)(void *driver, sy_switch *sw, const sy_endpoint *local, sy_endpoint *ret_bound,
                     void **ret_listener, sy_detail *detail);
    void (*listener_close)(void *driver, void *listener);

    /* Looks up the addresses of a name (borrowed for the call); reported later, never from inside,
     * by sy_switch_on_resolved. */
    sy_err (*resolve)(void *driver, sy_resolve_ref ref, const char *host);
    void (*resolve_cancel)(void *driver, sy_resolve_ref ref);

    /* Cryptographically secure random bytes. */
    void (*random)(void *driver, void *out, size_t len);

    /* The wall clock, for files and people only.  NULL: this driver has none. */
    sy_walltime (*walltime)(void *driver);

    /* Workers: one thread for each isolated reactor.  All NULL: this driver has none, and isolated
     * reactors are refused at registration.  A driver without threads may run a worker inline,
     * between the turns of the loop, and have locks that do nothing.
     *
     * Starts a worker.  name (static) is for people; `run` is called as soon as possible, but
     * not before *ret_worker has been written.
     *   SY_ERR_SYSTEM, SY_ERR_NOMEM */
    sy_err (*worker_start)(void *driver, sy_switch *sw, const char *name, sy_worker_run run,
                           void *arg, void **ret_worker);

    /* Run it soon.  Any thread; also with the lock held.  A wake-up during `run` is not lost. */
    void (*worker_wake)(void *driver, void *worker);

    /* The worker's lock.  Any thread; held for moments only; not recursive. */
    void (*worker_lock)(void *driver, void *worker);
    void (*worker_unlock)(void *driver, void *worker);

    /* Waits until `run` has returned false, then frees the worker and its lock.  The only operation
     * that may block, as long as the reactor does; the switch has made sure that `run` will end. */
    void (*worker_stop)(void *driver, void *worker);

    /* Have the loop call sy_switch_on_posted soon; several posts may become one call.  Any thread,
     * from worker_start to worker_stop; also with a worker's lock held. */
    void (*post)(void *driver, sy_switch *sw);

    /* As stream_connect, to a local (Unix) socket; the endpoints of sy_switch_on_connected are then
     * all zero.  NULL: this driver has none, and only an application's address needs it.
     *   SY_ERR_CONNECT (nobody listens there), SY_ERR_SYSTEM, SY_ERR_NOMEM */
    sy_err (*stream_connect_local)(void *driver, sy_stream_ref ref, const char *path,
                                   void **ret_stream);
} sy_driver_ops;

/* ---- Reports of the driver to the switch -------------------------------------------------------
 * All on the loop thread; `now` never decreases. */

/* A connection came in on a listener.  On SY_OK the switch has taken the stream and names it
 * *ret_ref; otherwise the driver closes it (the switch has counted and logged the refusal).
 *   SY_ERR_BANNED, FILTERED, NOMEM, SHUTDOWN */
SY_API sy_err sy_switch_on_accepted(sy_switch *sw, void *stream, const sy_endpoint *local,
                                    const sy_endpoint *remote, sy_stream_ref *ret_ref,
                                    sy_time now) SY_MUST_USE;

SY_API void sy_switch_on_connected(sy_switch *sw, sy_stream_ref ref, const sy_endpoint *local,
                                   sy_time now);

/* The attempt failed; the stream is already gone on the driver's side.  err: SY_ERR_CONNECT,
 * CONNECT_TIMEOUT; detail (may be NULL) has the system's words. */
SY_API void sy_switch_on_connect_failed(sy_switch *sw, sy_stream_ref ref, sy_err err,
                                        const sy_detail *detail, sy_time now);

/* Bytes came; borrowed for the call.  Returns false when the switch wants no more bytes of this
 * stream for now (it has then called stream_set_reading or stream_close). */
SY_API bool sy_switch_on_readable(sy_switch *sw, sy_stream_ref ref, const uint8_t *data, size_t len,
                                  sy_time now);

/* The answer to stream_check_dry. */
SY_API void sy_switch_on_read_dry(sy_switch *sw, sy_stream_ref ref, sy_time now);

/* The remote sent its end (SY_ERR_REMOTE_CLOSED) or the connection broke (SY_ERR_REMOTE_RESET).
 * The switch answers with stream_close, perhaps later. */
SY_API void sy_switch_on_read_end(sy_switch *sw, sy_stream_ref ref, sy_err err, sy_time now);

SY_API void sy_switch_on_writable(sy_switch *sw, sy_stream_ref ref, sy_time now);

/* err SY_OK with 1..SY_RESOLVE_MAX endpoints (port 0), or SY_ERR_RESOLVE with none. */
SY_API void sy_switch_on_resolved(sy_switch *sw, sy_resolve_ref ref, sy_err err,
                                  const sy_endpoint *endpoints, size_t count,
                                  const sy_detail *detail, sy_time now);

/* The answer to `post`, on the loop thread like every report. */
SY_API void sy_switch_on_posted(sy_switch *sw, sy_time now);

/* The next instant at which sy_switch_on_expiry has something to do; SY_NEVER when none.  May lie
 * in the past. */
SY_API sy_time sy_switch_next_expiry(const sy_switch *sw);
SY_API void sy_switch_on_expiry(sy_switch *sw, sy_time now);

/* Drains sends and reaps what died in this turn.  Call it before the loop waits, also when nothing
 * was reported: the embedder may have queued messages. */
SY_API void sy_switch_turn_end(sy_switch *sw, sy_time now);

SY_END_DECLS

#endif
