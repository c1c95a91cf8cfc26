/* SPDX-License-Identifier: Apache-2.0 */
/* What the C subjects of the benchmark share: arguments, the messages and their check, the figures.
 *
 * A subject runs as two processes.  `serve` listens, prints "ready HOST:PORT[@ID] ..." (one address
 * per node) and answers; `run` connects, does the work of one row, prints one line
 * "result key=value ..." and ends.  Everything that is wrong ends the process with status 1.
 *
 * A message is a number (8 bytes, little endian, counting from 0 on its channel), a time stamp (8
 * bytes, wall clock in nanoseconds) and a fixed pattern; the receiver compares all of it.  Of
 * `warm`
 * + `count` messages the receiver acknowledges number warm and the last one. */
#ifndef SY_BENCH_H
#define SY_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_SIZE_MAX    (4u << 20)
#define BENCH_HEADER      16
#define BENCH_URGENT_SIZE 200
#define BENCH_URGENT_GAP  2000000 /* ns between urgent messages */
#define BENCH_RTT_SIZE    100
#define BENCH_RTT_GAP     2000000 /* ns of silence between round trips */
#define BENCH_ACK_LEN     48

enum {
    BENCH_ACK_WARM = 1,
    BENCH_ACK_DONE = 2
};

typedef struct bench_args {
    bool serve;
    const char *row; /* bulk, rtt, urgent, handshakes, idle */
    const char *profile;
    const char *addrs[4096]; /* HOST:PORT or ID@HOST:PORT */
    size_t addr_count;
    size_t size;
    uint64_t warm;
    uint64_t count;
    size_t nodes;             /* nodes of this process, each with a connection of its own */
    bool defaults;            /* the implementation's own limits stay on */
    const char *frame_cipher; /* ours alone */
} bench_args;

void bench_parse(int argc, char **argv, bench_args *ret_args);
bool bench_is_row(const bench_args *args, const char *row);

void bench_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

uint64_t bench_wall_ns(void);
uint64_t bench_cpu_ns(void); /* of this process, user and system */

uint64_t bench_load(const uint8_t *at);
void bench_store(uint8_t *at, uint64_t value);

/* Fills a message of len bytes; once filled, only number and stamp change. */
void bench_fill(uint8_t *msg, size_t len);
void bench_stamp(uint8_t *msg, uint64_t number);

/* Ends the process when anything but the stamp differs. */
void bench_check(const uint8_t *msg, size_t len, size_t want_len, uint64_t number);

/* Durations, for percentiles. */
typedef struct bench_samples {
    uint64_t *ns;
    size_t len;
    size_t cap;
} bench_samples;

void bench_sample(bench_samples *samples, uint64_t ns);
uint64_t bench_percentile(bench_samples *samples, double percent); /* sorts */

/* Acknowledgement of the receiver, with its figures of the urgent channel. */
typedef struct bench_ack {
    uint64_t kind;
    uint64_t samples, p50, p99, p999;
    uint64_t cpu_ns;
} bench_ack;

void bench_ack_write(const bench_ack *ack, uint8_t out[BENCH_ACK_LEN]);
void bench_ack_read(const uint8_t *in, size_t len, bench_ack *ret_ack);

/* A receiver's account of one connection. */
typedef struct bench_receiver {
    uint64_t got;
    uint64_t urgent_got;
    uint64_t cpu_at_warm;
    bench_samples urgent;
} bench_receiver;

/* Take a message; bulk tells whether an acknowledgement is due. */
bool bench_take_bulk(bench_receiver *r, const bench_args *args, const uint8_t *msg, size_t len,
                     bench_ack *ret_ack);
void bench_take_urgent(bench_receiver *r, const uint8_t *msg, size_t len);

/* The line of a bulk, urgent or broadcast run. */
void bench_report(const bench_args *args, size_t connections, uint64_t elapsed_ns, uint64_t cpu_ns,
                  const bench_ack *last);

#endif
