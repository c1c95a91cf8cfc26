/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/channel_set.h"

#include <switchyard/assert.h>

#define SEND_QUEUE_DEFAULT       1
#define SEND_QUEUE_CAP           1000000
#define SEND_QUEUE_BYTES_DEFAULT ((size_t)8 << 20)
#define RECV_BUDGET_DEFAULT      ((size_t)4 << 20)
#define SIZE_CAP                 ((size_t)PTRDIFF_MAX / 2) /* sums of two sizes cannot overflow */
#define PRIORITY_MAX             255
#define PRIORITY_NORMAL          4
#define PRIORITY_URGENT          10

void sy_channel_set_init(sy_channel_set *set, size_t packet_payload_max) {
    SY_REQUIRE(packet_payload_max >= 1 && packet_payload_max <= SY_PACKET_PAYLOAD_CAP);
    set->count = 0;
    set->packet_payload_max = packet_payload_max;
    for (size_t i = 0; i < SY_CHANNELS_MAX; i++) {
        set->index_of[i] = SY_CHANNEL_NONE;
    }
}

static bool is_valid(const sy_channel_desc *desc) {
    return desc->priority >= 0 && desc->priority <= PRIORITY_MAX &&
           (int)desc->traffic_class >= SY_CLASS_BY_PRIORITY &&
           desc->traffic_class <= SY_CLASS_BULK && (int)desc->full_policy >= SY_FULL_DISCONNECT &&
           desc->full_policy <= SY_FULL_PAUSE && desc->send_queue_max <= SEND_QUEUE_CAP &&
           desc->send_queue_bytes_max <= SIZE_CAP && desc->recv_message_max <= SIZE_CAP &&
           desc->recv_budget <= SIZE_CAP;
}

static sy_class class_of_priority(int priority) {
    if (priority >= PRIORITY_URGENT) {
        return SY_CLASS_URGENT;
    }
    return priority >= PRIORITY_NORMAL ? SY_CLASS_NORMAL : SY_CLASS_BULK;
}

static size_t or_default(size_t value, size_t fallback) {
    return value == 0 ? fallback : value;
}

static size_t at_least(size_t value, size_t least) {
    return value > least ? value : least;
}

sy_err sy_channel_set_add(sy_channel_set *set, const sy_channel_desc *desc) {
    if (!is_valid(desc)) { /* SPEC MX-47 */
        return SY_ERR_INVALID;
    }
    if (set->index_of[desc->id] != SY_CHANNEL_NONE) {
        return SY_ERR_CHANNEL_TAKEN;
    }
    SY_ASSERT(set->count < SY_CHANNELS_MAX);

    sy_channel_desc full = *desc;
    full.priority = desc->priority == 0 ? 1 : desc->priority;
    if (full.traffic_class == SY_CLASS_BY_PRIORITY) { /* SPEC MX-46 */
        full.traffic_class = class_of_priority(full.priority);
    }
    full.send_queue_max = or_default(desc->send_queue_max, SEND_QUEUE_DEFAULT);
    full.recv_message_max = or_default(desc->recv_message_max, SY_MESSAGE_CAPACITY);
    /* By default any message that the channel may carry fits, in both directions. */
    full.send_queue_bytes_max = or_default(
        desc->send_queue_bytes_max, at_least(SEND_QUEUE_BYTES_DEFAULT, full.recv_message_max));
    full.recv_budget =
        or_default(desc->recv_budget, at_least(RECV_BUDGET_DEFAULT, full.recv_message_max));

    set->desc[set->count] = full;
    set->index_of[desc->id] = set->count;
    set->count++;
    return SY_OK;
}
