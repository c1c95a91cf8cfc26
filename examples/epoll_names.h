/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up names for the epoll driver; nothing here has to do with epoll. */
#ifndef EPOLL_NAMES_H
#define EPOLL_NAMES_H

#include <netinet/in.h>

#include <switchyard/driver.h>

typedef struct epoll_name epoll_name;

/* An endpoint is the address of an IPv6 socket, IPv4 mapped. */
sy_endpoint epoll_names_endpoint(const struct sockaddr_in6 *addr);

/* Starts; the look-up joins the list. */
sy_err epoll_names_look_up(epoll_name **list, sy_resolve_ref ref, const char *host);

/* Reports what is finished.  sw NULL: waits for all and forgets them. */
void epoll_names_report(epoll_name **list, sy_switch *sw, sy_time now);

#endif
