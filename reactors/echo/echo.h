/* SPDX-License-Identifier: Apache-2.0 */
/* The echo reactor: a complete small reactor with a client side.  On each of its channels it sends
 * received messages back unchanged; as a client it sends probes of its own and measures their round
 * trip.
 *
 * A probe is 24 bytes at least: "SYECHO?\n", a 64-bit number (little endian), the sender's nonce
 * (64 bits), then padding to the wanted length.  The answer is the same with "SYECHO!\n" in front.
 * Anything else that arrives is echoed byte for byte; answers to our own probes are not. */
#ifndef SWITCHYARD_ECHO_H
#define SWITCHYARD_ECHO_H

#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/mem.h>
#include <switchyard/reactor.h>
#include <switchyard/switch.h>

SY_BEGIN_DECLS

typedef struct sy_echo sy_echo;

#define SY_ECHO_CHANNELS_MAX 16
#define SY_ECHO_PROBE_MIN    24
#define SY_ECHO_MESSAGE_MAX  (4 * 1024 * 1024)

/* Of one peer and channel; an echo beyond is dropped and counted. */
#define SY_ECHO_QUEUE_MAX       4096
#define SY_ECHO_QUEUE_BYTES_MAX (32 * 1024 * 1024)

/* An answer to one of our probes came.  Loop thread; may send. */
typedef void (*sy_echo_answer_fn)(void *user, sy_peer *peer, sy_channel channel, uint64_t number,
                                  size_t len, sy_duration round_trip);

typedef struct sy_echo_config {
    const sy_mem *mem;       /* NULL: the C library's */
    const uint8_t *channels; /* ids, 1..SY_ECHO_CHANNELS_MAX */
    size_t channel_count;
    uint64_t nonce;              /* random: tells our answers from others' */
    sy_duration probe_interval;  /* 0: no probes of our own */
    size_t probe_len;            /* at least SY_ECHO_PROBE_MIN */
    sy_echo_answer_fn on_answer; /* may be NULL */
    void *user;
} sy_echo_config;

/* Makes the reactor; config is copied.  Delete it after the switch.
 *   SY_ERR_INVALID, SY_ERR_NOMEM */
SY_API sy_err sy_echo_new(const sy_echo_config *config, sy_echo **ret_echo) SY_MUST_USE;
SY_API void sy_echo_del(sy_echo *echo);

/* The table for sy_switch_add_reactor, with the sy_echo as reactor.  Borrows until sy_echo_del. */
SY_API const sy_reactor_ops *sy_echo_ops(sy_echo *echo);

/* Echoes that were not sent because a send queue was full or memory was short. */
SY_API uint64_t sy_echo_dropped_count(const sy_echo *echo);

SY_END_DECLS

#endif
