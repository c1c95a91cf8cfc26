/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static uint8_t pattern[BENCH_SIZE_MAX];

void bench_die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void make_pattern(void) {
    uint64_t x = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < sizeof pattern; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        pattern[i] = (uint8_t)(x >> 56);
    }
}

static uint64_t number(const char *flag, const char *text) {
    char *end = NULL;
    const unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0') {
        bench_die("%s: %s is not a number", flag, text);
    }
    return value;
}

/* Cuts the list at its commas, in place. */
static void split_addresses(char *list, bench_args *args) {
    char *at = list;
    while (at != NULL) {
        if (args->addr_count == sizeof args->addrs / sizeof args->addrs[0]) {
            bench_die("too many addresses");
        }
        args->addrs[args->addr_count++] = at;
        at = strchr(at, ',');
        if (at != NULL) {
            *at++ = '\0';
        }
    }
}

void bench_parse(int argc, char **argv, bench_args *ret_args) {
    bench_args args = {
        .row = "bulk", .profile = "cometbft", .size = 65536, .nodes = 1, .frame_cipher = "auto"};
    if (argc < 2 || (strcmp(argv[1], "serve") != 0 && strcmp(argv[1], "run") != 0)) {
        bench_die("usage: %s serve|run [--flag value]...", argv[0]);
    }
    args.serve = strcmp(argv[1], "serve") == 0;
    for (int i = 2; i + 1 < argc; i += 2) {
        const char *flag = argv[i];
        char *value = argv[i + 1];
        if (strcmp(flag, "--row") == 0) {
            args.row = value;
        } else if (strcmp(flag, "--profile") == 0) {
            args.profile = value;
        } else if (strcmp(flag, "--addr") == 0) {
            split_addresses(value, &args);
        } else if (strcmp(flag, "--size") == 0) {
            args.size = (size_t)number(flag, value);
        } else if (strcmp(flag, "--warm") == 0) {
            args.warm = number(flag, value);
        } else if (strcmp(flag, "--count") == 0) {
            args.count = number(flag, value);
        } else if (strcmp(flag, "--nodes") == 0) {
            args.nodes = (size_t)number(flag, value);
        } else if (strcmp(flag, "--defaults") == 0) {
            args.defaults = number(flag, value) != 0;
        } else if (strcmp(flag, "--frame-cipher") == 0) {
            args.frame_cipher = value;
        } else {
            bench_die("unknown flag %s", flag);
        }
    }
    if (args.size < BENCH_HEADER || args.size > BENCH_SIZE_MAX) {
        bench_die("--size %zu", args.size);
    }
    make_pattern();
    setvbuf(stdout, NULL, _IOLBF, 0);
    *ret_args = args;
}

bool bench_is_row(const bench_args *args, const char *row) {
    return strcmp(args->row, row) == 0;
}

uint64_t bench_wall_ns(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t tv_ns(struct timeval tv) {
    return (uint64_t)tv.tv_sec * 1000000000u + (uint64_t)tv.tv_usec * 1000u;
}

uint64_t bench_cpu_ns(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return tv_ns(usage.ru_utime) + tv_ns(usage.ru_stime);
}

uint64_t bench_load(const uint8_t *at) {
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

void bench_store(uint8_t *at, uint64_t value) {
    for (unsigned i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

void bench_fill(uint8_t *msg, size_t len) {
    memcpy(msg, pattern, len);
}

void bench_stamp(uint8_t *msg, uint64_t n) {
    bench_store(msg, n);
    bench_store(msg + 8, bench_wall_ns());
}

void bench_check(const uint8_t *msg, size_t len, size_t want_len, uint64_t n) {
    if (len != want_len || bench_load(msg) != n ||
        memcmp(msg + BENCH_HEADER, pattern + BENCH_HEADER, len - BENCH_HEADER) != 0) {
        bench_die("message %" PRIu64 " of %zu bytes arrived wrong (%zu bytes)", n, want_len, len);
    }
}

void bench_sample(bench_samples *samples, uint64_t ns) {
    if (samples->len == samples->cap) {
        samples->cap = samples->cap == 0 ? 1024 : 2 * samples->cap;
        samples->ns = realloc(samples->ns, samples->cap * sizeof samples->ns[0]);
        if (samples->ns == NULL) {
            bench_die("out of memory");
        }
    }
    samples->ns[samples->len++] = ns;
}

static int compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t bench_percentile(bench_samples *samples, double percent) {
    if (samples->len == 0) {
        return 0;
    }
    qsort(samples->ns, samples->len, sizeof samples->ns[0], compare);
    size_t at = (size_t)((double)samples->len * percent / 100.0);
    return samples->ns[at < samples->len ? at : samples->len - 1];
}

void bench_ack_write(const bench_ack *ack, uint8_t out[BENCH_ACK_LEN]) {
    const uint64_t values[6] = {ack->kind, ack->samples, ack->p50,
                                ack->p99,  ack->p999,    ack->cpu_ns};
    for (size_t i = 0; i < 6; i++) {
        bench_store(out + 8 * i, values[i]);
    }
}

void bench_ack_read(const uint8_t *in, size_t len, bench_ack *ret_ack) {
    if (len != BENCH_ACK_LEN) {
        bench_die("acknowledgement of %zu bytes", len);
    }
    *ret_ack = (bench_ack){.kind = bench_load(in),
                           .samples = bench_load(in + 8),
                           .p50 = bench_load(in + 16),
                           .p99 = bench_load(in + 24),
                           .p999 = bench_load(in + 32),
                           .cpu_ns = bench_load(in + 40)};
}

bool bench_take_bulk(bench_receiver *r, const bench_args *args, const uint8_t *msg, size_t len,
                     bench_ack *ret_ack) {
    bench_check(msg, len, args->size, r->got);
    r->got++;
    if (r->got == args->warm) {
        r->cpu_at_warm = bench_cpu_ns();
        *ret_ack = (bench_ack){.kind = BENCH_ACK_WARM};
        return true;
    }
    if (r->got == args->warm + args->count) {
        *ret_ack = (bench_ack){.kind = BENCH_ACK_DONE,
                               .samples = r->urgent.len,
                               .p50 = bench_percentile(&r->urgent, 50),
                               .p99 = bench_percentile(&r->urgent, 99),
                               .p999 = bench_percentile(&r->urgent, 99.9),
                               .cpu_ns = bench_cpu_ns() - r->cpu_at_warm};
        return true;
    }
    return false;
}

void bench_take_urgent(bench_receiver *r, const uint8_t *msg, size_t len) {
    const uint64_t now = bench_wall_ns();
    bench_check(msg, len, BENCH_URGENT_SIZE, r->urgent_got);
    r->urgent_got++;
    const uint64_t sent = bench_load(msg + 8);
    bench_sample(&r->urgent, now > sent ? now - sent : 0);
}

void bench_report(const bench_args *args, size_t connections, uint64_t elapsed_ns, uint64_t cpu_ns,
                  const bench_ack *last) {
    printf("result elapsed_ns=%" PRIu64 " bytes=%" PRIu64 " messages=%" PRIu64 " cpu_ns=%" PRIu64
           " peer_cpu_ns=%" PRIu64 " samples=%" PRIu64 " p50_ns=%" PRIu64 " p99_ns=%" PRIu64
           " p999_ns=%" PRIu64 "\n",
           elapsed_ns, args->count * args->size * connections, args->count * connections, cpu_ns,
           last->cpu_ns, last->samples, last->p50, last->p99, last->p999);
}
