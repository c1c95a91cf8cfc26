/* SPDX-License-Identifier: Apache-2.0 */
/* The channels of one switch, resolved once: defaults filled in, class and weight decided, index by
 * id.  Shared read-only by every multiplexer.
 *
 * Numeric priority -> class and weight (weight = priority):
 *   1..3 bulk, 4..9 normal, 10..255 urgent.   A reactor that names a class keeps its weight. */
#ifndef SY_CONN_CHANNEL_SET_H
#define SY_CONN_CHANNEL_SET_H

#include <switchyard/channel.h>
#include <switchyard/err.h>

#include "conn/limits.h"

#define SY_CHANNEL_NONE 0xffff

typedef struct sy_channel_set {
    sy_channel_desc desc[SY_CHANNELS_MAX]; /* in order of registration */
    uint16_t count;
    uint16_t index_of[SY_CHANNELS_MAX]; /* id -> index, SY_CHANNEL_NONE when not registered */
    size_t packet_payload_max;          /* 1 .. SY_PACKET_PAYLOAD_CAP */
} sy_channel_set;

void sy_channel_set_init(sy_channel_set *set, size_t packet_payload_max);

/*   SY_ERR_CHANNEL_TAKEN  the id is registered;  SY_ERR_INVALID  a field out of range */
sy_err sy_channel_set_add(sy_channel_set *set, const sy_channel_desc *desc)
    __attribute__((warn_unused_result));

#endif
