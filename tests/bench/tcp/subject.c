/* SPDX-License-Identifier: Apache-2.0 */
/* Plain TCP as a subject: the floor.  Blocking sockets, one write per message (length, channel,
 * message), reads of up to 64 KiB.  Nothing is encrypted or authenticated. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define HEAD 5

enum {
    BULK,
    URGENT,
    CTL
};

typedef struct stream {
    int fd;
    uint8_t *in;
    size_t at;
    size_t len;
    uint8_t *out;
} stream;

static bench_args args;

static void open_stream(stream *s, int fd) {
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *s = (stream){.fd = fd, .in = malloc(2 * BENCH_SIZE_MAX), .out = malloc(BENCH_SIZE_MAX + HEAD)};
}

static void close_stream(stream *s) {
    (void)close(s->fd);
    free(s->in);
    free(s->out);
}

static void send_all(int fd, const uint8_t *data, size_t len) {
    while (len > 0) {
        const ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0) {
            bench_die("send failed");
        }
        data += n;
        len -= (size_t)n;
    }
}

/* The message stands at out + HEAD. */
static void send_message(stream *s, uint8_t channel, size_t len) {
    const uint32_t size = htonl((uint32_t)len);
    memcpy(s->out, &size, 4);
    s->out[4] = channel;
    send_all(s->fd, s->out, HEAD + len);
}

static bool fill(stream *s, size_t need) {
    if (s->at + need > 2 * (size_t)BENCH_SIZE_MAX || s->at == s->len) {
        memmove(s->in, s->in + s->at, s->len - s->at);
        s->len -= s->at;
        s->at = 0;
    }
    while (s->len - s->at < need) {
        const size_t room = 2 * (size_t)BENCH_SIZE_MAX - s->len;
        const ssize_t n = recv(s->fd, s->in + s->len, room < 65536 ? room : 65536, 0);
        if (n <= 0) {
            return false;
        }
        s->len += (size_t)n;
    }
    return true;
}

static const uint8_t *next_message(stream *s, uint8_t *ret_channel, size_t *ret_len) {
    uint32_t size;
    if (!fill(s, HEAD)) {
        return NULL;
    }
    memcpy(&size, s->in + s->at, 4);
    *ret_channel = s->in[s->at + 4];
    *ret_len = ntohl(size);
    if (*ret_len > BENCH_SIZE_MAX || !fill(s, HEAD + *ret_len)) {
        return NULL;
    }
    const uint8_t *msg = s->in + s->at + HEAD;
    s->at += HEAD + *ret_len;
    return msg;
}

static void *serve_connection(void *user) {
    stream s;
    bench_receiver r = {0};
    uint8_t channel;
    size_t len;
    const uint8_t *msg;
    open_stream(&s, (int)(intptr_t)user);
    while ((msg = next_message(&s, &channel, &len)) != NULL) {
        bench_ack ack;
        if (channel == URGENT) {
            bench_check(msg, len, BENCH_RTT_SIZE, r.got++);
            memcpy(s.out + HEAD, msg, len);
            send_message(&s, URGENT, len);
        } else if (bench_take_bulk(&r, &args, msg, len, &ack)) {
            bench_ack_write(&ack, s.out + HEAD);
            send_message(&s, CTL, BENCH_ACK_LEN);
        }
    }
    close_stream(&s);
    return NULL;
}

static void *accept_all(void *user) {
    const int listener = (int)(intptr_t)user;
    for (uint64_t got = 1;; got++) {
        pthread_t thread;
        const int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            bench_die("accept failed");
        }
        if (bench_is_row(&args, "handshakes")) {
            /* A byte each way stands for the handshake. */
            char byte;
            if (recv(fd, &byte, 1, 0) == 1) {
                send_all(fd, (const uint8_t *)"x", 1);
            }
            (void)close(fd);
            if (got == args.count) {
                printf("done\n");
            }
            continue;
        }
        if (pthread_create(&thread, NULL, serve_connection, (void *)(intptr_t)fd) != 0) {
            bench_die("thread");
        }
        (void)pthread_detach(thread);
    }
}

static void serve(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    pthread_t thread;
    char line[64];
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0 ||
        pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)fd) != 0) {
        bench_die("listen failed");
    }
    printf("ready 127.0.0.1:%u\n", ntohs(at.sin_port));
    while (fgets(line, sizeof line, stdin) != NULL) {
    }
}

static int connect_to(const char *addr) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *colon = strrchr(addr, ':');
    to.sin_port = htons((uint16_t)strtoul(colon == NULL ? "0" : colon + 1, NULL, 10));
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        bench_die("cannot connect to %s", addr);
    }
    return fd;
}

static void *shake(void *user) {
    uint64_t *left = user;
    while (__atomic_fetch_sub(left, 1, __ATOMIC_RELAXED) - 1 < args.count) {
        char byte;
        const int fd = connect_to(args.addrs[0]);
        send_all(fd, (const uint8_t *)"x", 1);
        if (recv(fd, &byte, 1, 0) != 1) {
            bench_die("no answer");
        }
        (void)close(fd);
    }
    return NULL;
}

static void run_handshakes(void) {
    uint64_t left = args.count;
    pthread_t threads[64];
    const uint64_t start = bench_wall_ns();
    for (size_t i = 0; i < args.nodes; i++) {
        if (pthread_create(&threads[i], NULL, shake, &left) != 0) {
            bench_die("thread");
        }
    }
    for (size_t i = 0; i < args.nodes; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    printf("result elapsed_ns=%" PRIu64 " messages=%" PRIu64 "\n", bench_wall_ns() - start,
           args.count);
}

static bench_ack await_ack(stream *s, uint64_t kind) {
    bench_ack ack;
    uint8_t channel;
    size_t len;
    const uint8_t *msg = next_message(s, &channel, &len);
    if (msg == NULL || channel != CTL) {
        bench_die("no acknowledgement");
    }
    bench_ack_read(msg, len, &ack);
    if (ack.kind != kind) {
        bench_die("acknowledgement of another kind");
    }
    return ack;
}

static void send_bulk(stream *s, uint64_t from, uint64_t to) {
    for (uint64_t i = from; i < to; i++) {
        bench_stamp(s->out + HEAD, i);
        send_message(s, BULK, args.size);
    }
}

static void run_bulk(stream *s) {
    bench_fill(s->out + HEAD, args.size);
    send_bulk(s, 0, args.warm);
    (void)await_ack(s, BENCH_ACK_WARM);
    const uint64_t start = bench_wall_ns();
    const uint64_t cpu = bench_cpu_ns();
    send_bulk(s, args.warm, args.warm + args.count);
    const bench_ack last = await_ack(s, BENCH_ACK_DONE);
    bench_report(&args, 1, bench_wall_ns() - start, bench_cpu_ns() - cpu, &last);
}

static void run_trips(stream *s) {
    bench_samples trips = {0};
    const struct timespec gap = {.tv_nsec = BENCH_RTT_GAP};
    bench_fill(s->out + HEAD, BENCH_RTT_SIZE);
    while (trips.len < args.count) {
        uint8_t channel;
        size_t len;
        bench_stamp(s->out + HEAD, trips.len);
        send_message(s, URGENT, BENCH_RTT_SIZE);
        const uint8_t *msg = next_message(s, &channel, &len);
        if (msg == NULL) {
            bench_die("no echo");
        }
        const uint64_t now = bench_wall_ns();
        bench_check(msg, len, BENCH_RTT_SIZE, trips.len);
        bench_sample(&trips, now - bench_load(msg + 8));
        (void)nanosleep(&gap, NULL);
    }
    printf("result messages=%zu p50_ns=%" PRIu64 " p99_ns=%" PRIu64 "\n", trips.len,
           bench_percentile(&trips, 50), bench_percentile(&trips, 99));
}

int main(int argc, char **argv) {
    bench_parse(argc, argv, &args);
    if (args.serve) {
        serve();
        return 0;
    }
    if (bench_is_row(&args, "handshakes")) {
        run_handshakes();
        return 0;
    }
    stream s;
    open_stream(&s, connect_to(args.addrs[0]));
    if (bench_is_row(&args, "rtt")) {
        run_trips(&s);
    } else {
        run_bulk(&s);
    }
    return 0;
}
