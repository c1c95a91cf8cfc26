/* SPDX-License-Identifier: Apache-2.0 */
/* A driver on plain epoll: all of switchyard/driver.h for one switch, but for the threads of
 * isolated reactors, which epoll_workers.c adds.  The loop stays the program's own; each round of
 * it is
 *
 *     n = epoll_wait(fd, events, max, epoll_driver_timeout(d));
 *     epoll_driver_turn_begin(d);
 *     for each event: one of the program's own, or else epoll_driver_event(d, &event);
 *     epoll_driver_turn_end(d);
 *
 * Begin with a first turn_begin, and fini after sy_switch_del. */
#ifndef EPOLL_DRIVER_H
#define EPOLL_DRIVER_H

#include <switchyard/driver.h>

#include "epoll_names.h"

struct epoll_event;

/* Zeroed but for the first two, which the program sets: sw once there is a switch. */
typedef struct epoll_driver {
    int epoll_fd; /* borrowed */
    sy_switch *sw;
    sy_time now; /* of this turn: the `now` for calls to the switch */
    struct epoll_source *sources;
    epoll_name *names;
    int post_fd; /* of epoll_workers.c */
    uint8_t area[65536];
} epoll_driver;

/* For sy_switch_new, with the epoll_driver as driver. */
extern const sy_driver_ops epoll_driver_ops;

/* Milliseconds for epoll_wait. */
int epoll_driver_timeout(const epoll_driver *d);
void epoll_driver_turn_begin(epoll_driver *d);
void epoll_driver_event(epoll_driver *d, const struct epoll_event *event);
void epoll_driver_turn_end(epoll_driver *d);
void epoll_driver_fini(epoll_driver *d);

#endif
