/* SPDX-License-Identifier: Apache-2.0 */
/* ZeroMQ with CURVE as a subject: a ROUTER that answers, DEALERs that connect.  The first byte of a
 * message is its channel.  High-water marks are sized to 64 MiB. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zmq.h>

#include "bench.h"

#define QUEUE_BYTES (64u << 20)

enum {
    BULK,
    URGENT,
    CTL
};

/* Keys of the server, public knowledge: this is about speed, not secrecy. */
static const char server_public[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
static const char server_secret[] = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";

static bench_args args;
static void *context;

static void must(int status, const char *what) {
    if (status < 0) {
        bench_die("%s: %s", what, zmq_strerror(zmq_errno()));
    }
}

static void tune(void *socket) {
    const int mark = (int)(QUEUE_BYTES / args.size);
    const int linger = 0;
    must(zmq_setsockopt(socket, ZMQ_SNDHWM, &mark, sizeof mark), "option");
    must(zmq_setsockopt(socket, ZMQ_RCVHWM, &mark, sizeof mark), "option");
    must(zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger), "option");
}

static void *new_dealer(void) {
    char public_key[41];
    char secret_key[41];
    void *socket = zmq_socket(context, ZMQ_DEALER);
    tune(socket);
    must(zmq_curve_keypair(public_key, secret_key), "key");
    must(zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_public, 40), "server key");
    must(zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, 40), "public key");
    must(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, 40), "secret key");
    return socket;
}

static void connect_socket(void *socket) {
    char text[128];
    (void)snprintf(text, sizeof text, "tcp://%s", args.addrs[0]);
    must(zmq_connect(socket, text), "connect");
}

static void *connect_one(void) {
    void *socket = new_dealer();
    connect_socket(socket);
    return socket;
}

/* data has its channel in front. */
static void send_bytes(void *socket, const uint8_t *data, size_t len) {
    must(zmq_send(socket, data, len, 0), "send");
}

/* ---- serve ---- */

typedef struct client {
    uint8_t id[16];
    size_t id_len;
    bench_receiver receiver;
} client;

static client *clients;
static size_t client_count;

static client *client_of(const uint8_t *id, size_t len) {
    for (size_t i = client_count; i-- > 0;) {
        if (clients[i].id_len == len && memcmp(clients[i].id, id, len) == 0) {
            return &clients[i];
        }
    }
    clients = realloc(clients, (client_count + 1) * sizeof *clients);
    client *c = &clients[client_count++];
    memset(c, 0, sizeof *c);
    memcpy(c->id, id, len);
    c->id_len = len;
    return c;
}

static void answer(void *socket, const client *c, const uint8_t *data, size_t len) {
    must(zmq_send(socket, c->id, c->id_len, ZMQ_SNDMORE), "send");
    send_bytes(socket, data, len);
}

static void serve_message(void *socket, client *c, const uint8_t *data, size_t len) {
    bench_ack ack;
    if (bench_is_row(&args, "idle")) {
        bench_check(data + 1, len - 1, args.size, 0);
        answer(socket, c, data, len);
    } else if (data[0] == URGENT && bench_is_row(&args, "rtt")) {
        bench_check(data + 1, len - 1, BENCH_RTT_SIZE, c->receiver.got++);
        answer(socket, c, data, len);
    } else if (data[0] == URGENT) {
        bench_take_urgent(&c->receiver, data + 1, len - 1);
    } else if (bench_take_bulk(&c->receiver, &args, data + 1, len - 1, &ack)) {
        uint8_t out[1 + BENCH_ACK_LEN] = {CTL};
        bench_ack_write(&ack, out + 1);
        answer(socket, c, out, sizeof out);
    }
}

static void *serve_all(void *socket) {
    for (uint64_t got = 1; got > 0; got++) {
        zmq_msg_t id;
        zmq_msg_t body;
        (void)zmq_msg_init(&id);
        (void)zmq_msg_init(&body);
        must(zmq_msg_recv(&id, socket, 0), "receive");
        must(zmq_msg_recv(&body, socket, 0), "receive");
        if (bench_is_row(&args, "handshakes")) {
            must(zmq_msg_send(&id, socket, ZMQ_SNDMORE), "send");
            must(zmq_msg_send(&body, socket, 0), "send");
        } else {
            serve_message(socket, client_of(zmq_msg_data(&id), zmq_msg_size(&id)),
                          zmq_msg_data(&body), zmq_msg_size(&body));
        }
        (void)zmq_msg_close(&id);
        (void)zmq_msg_close(&body);
        if (bench_is_row(&args, "handshakes") && got == args.count) {
            printf("done\n");
        }
    }
    return NULL;
}

static void serve(void) {
    const int on = 1;
    char text[128];
    size_t len = sizeof text;
    char line[64];
    pthread_t thread;
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    tune(socket);
    must(zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof on), "server");
    must(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, server_secret, 40), "secret key");
    must(zmq_bind(socket, "tcp://127.0.0.1:*"), "bind");
    must(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, text, &len), "endpoint");
    if (pthread_create(&thread, NULL, serve_all, socket) != 0) {
        bench_die("thread");
    }
    printf("ready %s\n", text + strlen("tcp://"));
    while (fgets(line, sizeof line, stdin) != NULL) {
    }
    exit(0);
}

/* ---- run ---- */

static void *shake(void *user) {
    uint64_t *left = user;
    while (__atomic_fetch_sub(left, 1, __ATOMIC_RELAXED) - 1 < args.count) {
        uint8_t byte = CTL;
        void *socket = connect_one();
        send_bytes(socket, &byte, 1);
        must(zmq_recv(socket, &byte, 1, 0), "receive");
        (void)zmq_close(socket);
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

static bench_ack await_ack(void *socket, uint64_t kind) {
    uint8_t in[1 + BENCH_ACK_LEN];
    bench_ack ack;
    if (zmq_recv(socket, in, sizeof in, 0) != (int)sizeof in) {
        bench_die("no acknowledgement");
    }
    bench_ack_read(in + 1, sizeof in - 1, &ack);
    if (ack.kind != kind) {
        bench_die("acknowledgement of another kind");
    }
    return ack;
}

/* A socket belongs to one thread, so urgent messages go out between two of bulk. */
static void send_bulk(void *socket, uint8_t *msg, uint64_t from, uint64_t to) {
    static uint8_t urgent[1 + BENCH_URGENT_SIZE] = {URGENT};
    const bool with_urgent = bench_is_row(&args, "urgent") && from > 0;
    uint64_t next = bench_wall_ns();
    uint64_t number = 0;
    bench_fill(urgent + 1, BENCH_URGENT_SIZE);
    for (uint64_t i = from; i < to; i++) {
        bench_stamp(msg + 1, i);
        send_bytes(socket, msg, 1 + args.size);
        if (with_urgent && bench_wall_ns() >= next) {
            next += BENCH_URGENT_GAP;
            bench_stamp(urgent + 1, number++);
            send_bytes(socket, urgent, sizeof urgent);
        }
    }
}

static void run_bulk(void) {
    uint8_t *msg = malloc(1 + args.size);
    void *socket = connect_one();
    msg[0] = BULK;
    bench_fill(msg + 1, args.size);
    send_bulk(socket, msg, 0, args.warm);
    (void)await_ack(socket, BENCH_ACK_WARM);
    const uint64_t start = bench_wall_ns();
    const uint64_t cpu = bench_cpu_ns();
    send_bulk(socket, msg, args.warm, args.warm + args.count);
    const bench_ack last = await_ack(socket, BENCH_ACK_DONE);
    bench_report(&args, 1, bench_wall_ns() - start, bench_cpu_ns() - cpu, &last);
}

static void run_trips(void) {
    bench_samples trips = {0};
    uint8_t msg[1 + BENCH_RTT_SIZE] = {URGENT};
    const struct timespec gap = {.tv_nsec = BENCH_RTT_GAP};
    void *socket = connect_one();
    bench_fill(msg + 1, BENCH_RTT_SIZE);
    while (trips.len < args.count) {
        bench_stamp(msg + 1, trips.len);
        send_bytes(socket, msg, sizeof msg);
        const int len = zmq_recv(socket, msg, sizeof msg, 0);
        const uint64_t now = bench_wall_ns();
        bench_check(msg + 1, len < 1 ? 0 : (size_t)len - 1, BENCH_RTT_SIZE, trips.len);
        bench_sample(&trips, now - bench_load(msg + 9));
        (void)nanosleep(&gap, NULL);
    }
    printf("result messages=%zu p50_ns=%" PRIu64 " p99_ns=%" PRIu64 "\n", trips.len,
           bench_percentile(&trips, 50), bench_percentile(&trips, 99));
}

static void run_idle(void) {
    void **sockets = calloc(args.nodes, sizeof *sockets);
    uint8_t *msg = malloc(1 + args.size);
    uint8_t *back = malloc(1 + args.size);
    char line[64];
    for (size_t i = 0; i < args.nodes; i++) {
        void *monitor = zmq_socket(context, ZMQ_PAIR);
        char name[64];
        sockets[i] = new_dealer();
        (void)snprintf(name, sizeof name, "inproc://monitor-%zu", i);
        must(zmq_socket_monitor(sockets[i], name, ZMQ_EVENT_HANDSHAKE_SUCCEEDED), "monitor");
        must(zmq_connect(monitor, name), "monitor");
        connect_socket(sockets[i]);
        must(zmq_recv(monitor, line, sizeof line, 0), "handshake");
        (void)zmq_socket_monitor(sockets[i], NULL, 0);
        (void)zmq_close(monitor);
    }
    printf("connected\n");
    while (fgets(line, sizeof line, stdin) != NULL) {
        msg[0] = BULK;
        bench_fill(msg + 1, args.size);
        bench_stamp(msg + 1, 0);
        for (size_t i = 0; i < args.nodes; i++) {
            send_bytes(sockets[i], msg, 1 + args.size);
            const int len = zmq_recv(sockets[i], back, 1 + args.size, 0);
            bench_check(back + 1, len < 1 ? 0 : (size_t)len - 1, args.size, 0);
        }
        printf("touched\n");
    }
}

int main(int argc, char **argv) {
    bench_parse(argc, argv, &args);
    context = zmq_ctx_new();
    must(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 20000), "sockets");
    if (args.serve) {
        serve();
    } else if (bench_is_row(&args, "handshakes")) {
        run_handshakes();
    } else if (bench_is_row(&args, "idle")) {
        run_idle();
    } else if (bench_is_row(&args, "rtt")) {
        run_trips();
    } else {
        run_bulk();
    }
    fflush(stdout);
    exit(0);
}
