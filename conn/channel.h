/* SPDX-License-Identifier: Apache-2.0 */
/* The description of a channel: what a reactor declares once, before the switch starts. */
#ifndef SWITCHYARD_CHANNEL_H
#define SWITCHYARD_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/export.h>

SY_BEGIN_DECLS

/* Scheduling class, highest first.  A higher class is sent and delivered first; each lower class
 * that has something to send is guaranteed SY_CLASS_SHARE_MIN percent of the bytes, so that
 * strictness cannot starve it.  Inside a class channels share by weight. */
typedef enum sy_class {
    SY_CLASS_BY_PRIORITY = 0, /* take it from the numeric priority */
    SY_CLASS_CONTROL = 1,
    SY_CLASS_URGENT = 2,
    SY_CLASS_NORMAL = 3,
    SY_CLASS_BULK = 4,
} sy_class;

#define SY_CLASS_COUNT     4
#define SY_CLASS_SHARE_MIN 5 /* percent */

/* What happens when a message for an isolated reactor does not fit into recv_budget; ignored for
 * reactors on the loop.  A message on a channel on which none waits fits always. */
typedef enum sy_full_policy {
    SY_FULL_DISCONNECT = 0,  /* the connection ends (SY_ERR_RECV_BUDGET) */
    SY_FULL_DROP_NEWEST = 1, /* it is dropped, and counted */
    SY_FULL_DROP_OLDEST = 2, /* the oldest of the channel are dropped, and counted, until it fits */
    SY_FULL_PAUSE = 3,       /* nothing is lost: the whole connection is not read until half of the
                              * budget is free again.  One TCP stream has no flow control per
                              * channel, so its other channels and pings wait too, and the remote
                              * will drop us after its ping time-out */
} sy_full_policy;

/* Zero in a size field means its default.  Copied by the switch. */
typedef struct sy_channel_desc {
    uint8_t id;
    const char *name; /* for logs and metrics; static text, may be NULL */
    int priority;     /* 1..255, the numeric priority of the Go interface; default 1 */
    sy_class traffic_class;
    size_t send_queue_max;       /* messages waiting for one peer; default 1 */
    size_t send_queue_bytes_max; /* bytes waiting for one peer; default 8 MiB or the capacity */
    size_t recv_message_max;     /* capacity: longest message, both ways; default 21 MiB */
    size_t recv_budget; /* bytes held for one peer, each message counted with 128 more (only
                         * isolated reactors hold any); default 4 MiB or the capacity */
    sy_full_policy full_policy;
    bool sink; /* advertised only to be accepted: received bytes are counted, never assembled */
} sy_channel_desc;

SY_END_DECLS

#endif
