/* SPDX-License-Identifier: Apache-2.0 */
/* The libev driver: sockets, the monotonic clock, name resolution (c-ares on the same loop) and the
 * random source for one switch on one libev loop.  The loop may be the caller's own and may carry
 * other watchers and other switches.  No policy lives here.
 *
 *     sy_ev *ev;
 *     err = sy_ev_new(loop, NULL, &ev);
 *     err = sy_switch_new(&settings, sy_ev_ops(), ev, &sw, &detail);
 *     sy_ev_attach(ev, sw);
 *     err = sy_switch_start(sw, sy_ev_now(ev));
 *     ... ev_run(loop, 0) ...
 *     sy_switch_del(sw);
 *     sy_ev_del(ev);
 *
 * Lifetimes, on top of those of driver.h:
 *   1. The loop outlives the sy_ev; the sy_ev outlives the switch.
 *   2. Between sy_ev_attach and sy_switch_del the loop calls into the switch; sy_ev_detach stops
 * that.
 *   3. A stream closed inside one of its own callbacks is freed at the end of the turn.
 *
 * No signal is handled, no process-wide state is changed; writes to broken sockets do not
 * raise SIGPIPE.  Loop thread only. */
#ifndef SWITCHYARD_EV_H
#define SWITCHYARD_EV_H

#include <switchyard/driver.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/mem.h>
#include <switchyard/time.h>

SY_BEGIN_DECLS

struct ev_loop;

typedef struct sy_ev sy_ev;

/* mem NULL: the C library's.
 *   SY_ERR_NOMEM, SY_ERR_SYSTEM (the resolver cannot be set up) */
SY_API sy_err sy_ev_new(struct ev_loop *loop, const sy_mem *mem, sy_ev **ret_ev) SY_MUST_USE;

/* Closes what is left.  The switch must be deleted or detached.  NULL is allowed. */
SY_API void sy_ev_del(sy_ev *ev);

/* The table to give to sy_switch_new, with the sy_ev as driver.  Static. */
SY_API const sy_driver_ops *sy_ev_ops(void);

/* From now on the loop runs this switch. */
SY_API void sy_ev_attach(sy_ev *ev, sy_switch *sw);
SY_API void sy_ev_detach(sy_ev *ev);

/* Now on the monotonic clock.  Also inside callbacks; what the turn reports after it carries this
 * instant. */
SY_API sy_time sy_ev_now(sy_ev *ev);

SY_END_DECLS

#endif
