/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for isolated reactors, added to the driver on epoll: the worker operations of
 * switchyard/driver.h.  A program without such reactors leaves this file out.
 *
 *     sy_driver_ops ops;                            // outlives the switch
 *     epoll_workers_init(&driver, &ops);            // then sy_switch_new(&settings, &ops, ...)
 *     for each event: if its data.ptr is &driver.post_fd, epoll_workers_event(&driver);
 *     epoll_workers_fini(&driver);                  // after sy_switch_del */
#ifndef EPOLL_WORKERS_H
#define EPOLL_WORKERS_H

#include <stdbool.h>

#include "epoll_driver.h"

/* epoll_driver_ops and the workers; false when the system has no more descriptors. */
bool epoll_workers_init(epoll_driver *d, sy_driver_ops *ret_ops);
void epoll_workers_event(epoll_driver *d);
void epoll_workers_fini(epoll_driver *d);

#endif
