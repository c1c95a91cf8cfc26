/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest reactor: it answers every message on channel 0x70 with its length. */
#include <stdio.h>
#include <switchyard/reactor.h>

static void on_message(void *reactor, sy_peer *peer, void *state, sy_channel channel,
                       const uint8_t *data, size_t len, sy_time now) {
    (void)reactor, (void)state, (void)data, (void)now;
    char text[32];
    const int n = snprintf(text, sizeof text, "%zu bytes", len);
    if (sy_peer_send(peer, channel, text, (size_t)n) == SY_SEND_FULL) {
        sy_peer_stop(peer, SY_ERR_REACTOR_CAUSE, "asks faster than it reads");
    }
}

static const sy_channel_desc channels[] = {
    {.id = 0x70, .name = "count", .priority = 5, .send_queue_max = 64, .recv_message_max = 65536},
};

const sy_reactor_ops count_reactor = {
    .size = sizeof(sy_reactor_ops),
    .name = "count",
    .channels = channels,
    .channel_count = 1,
    .receive = on_message,
};
