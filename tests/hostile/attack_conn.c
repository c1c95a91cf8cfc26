/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hostile/attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS  10000
#define MUTE_LEN    16000 /* bytes of a message that is to be echoed */
#define MUTE_PIECE  1000
#define MESSAGES    8 /* of them at a time */
#define HUGE_LENGTH UINT64_C(0x4000000000000000)

/* ---- TCP ------------------------------------------------------------------------------------- */

/* 127.x.y.z, number by number: spread different x.y, and never the target's 127.0.0. */
static struct sockaddr_in source_of(const attack_options *options, size_t number) {
    const size_t net = options->net + number % options->spread;
    const size_t host = number / options->spread % 250;
    const uint32_t ip = UINT32_C(127) << 24 | (uint32_t)(1 + net / 250) << 16 |
                        (uint32_t)(1 + net % 250) << 8 | (uint32_t)(1 + host);
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(ip);
    return source;
}

static bool wait_connected(int fd) {
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int err = 0;
    socklen_t len = sizeof err;
    return poll(&wait, 1, TIMEOUT_MS) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0;
}

bool attack_connect(const attack_options *options, size_t number, spec_peer *peer) {
    const struct sockaddr_in source = source_of(options, number);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(options->to.port)};
    const int on = 1;
    memcpy(&to.sin_addr, options->to.ip + 12, 4);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (peer->fd < 0) {
        return false;
    }
    (void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(peer->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(peer->fd, (const struct sockaddr *)&source, sizeof source) != 0) {
        return false;
    }
    return connect(peer->fd, (const struct sockaddr *)&to, sizeof to) == 0 ||
           (errno == EINPROGRESS && wait_connected(peer->fd));
}

/* ---- Messages of the stages ------------------------------------------------------------------ */

static void add_node_info(const attack_options *options, const spec_peer *peer, spec_bytes *out) {
    const uint8_t channels[] = {(uint8_t)options->channel};
    char id[SY_NODE_ID_TEXT_CAP];
    uint8_t body[SY_NODE_INFO_LEN_MAX];
    size_t len = 0;
    const sy_node_id node_id = spec_peer_id(peer);
    sy_node_id_format(&node_id, id);
    const bool proto = peer->profile == SPEC_COMETBFT;
    const sy_node_info info = {
        .id = {id, strlen(id)},
        .listen_addr = proto ? SY_TEXT("tcp://127.0.0.1:1") : SY_TEXT("127.0.0.1:1"),
        .network = {options->network, strlen(options->network)},
        .version = SY_TEXT("0.22.8"),
        .p2p_version = 8,
        .block_version = 11,
        .channels = channels,
        .channel_count = 1,
        .moniker = SY_TEXT("attacker"),
    };
    if (sy_node_info_encode(proto ? SY_NODE_INFO_PROTO : SY_NODE_INFO_AMINO, &info, body,
                            sizeof body, &len) != SY_OK) {
        spec_die("the attacker's NodeInfo cannot be encoded");
    }
    spec_bytes_uvarint(out, len);
    spec_bytes_add(out, body, len);
}

/* The message with which an honest dialer goes on from this stage. */
static void add_honest(const attack_options *options, attack_stage stage, attack_conn *conn) {
    spec_peer *peer = &conn->peer;
    uint8_t bytes[SY_AUTH_MSG_MAX];
    spec_bytes info = {0};
    switch (stage) {
    case ATTACK_EPH:
        spec_bytes_add(&conn->out, bytes, spec_peer_encode_ephemeral(peer, bytes));
        return;
    case ATTACK_AUTH:
        spec_peer_seal_stream(peer, bytes, spec_peer_encode_auth(peer, bytes), &conn->out);
        return;
    case ATTACK_INFO:
        add_node_info(options, peer, &info);
        spec_peer_seal_stream(peer, info.data, info.len, &conn->out);
        spec_bytes_fini(&info);
        return;
    case ATTACK_UP:
        return;
    }
}

static void send_out(attack_conn *conn) {
    spec_peer_send(&conn->peer, conn->out.data, conn->out.len);
    spec_bytes_drop(&conn->out, conn->out.len);
}

static bool advance(attack_stage stage, attack_conn *conn) {
    spec_came came = SPEC_CAME_DATA;
    send_out(conn);
    switch (stage) {
    case ATTACK_EPH:
        came = spec_peer_recv_ephemeral(&conn->peer);
        break;
    case ATTACK_AUTH:
        came = spec_peer_recv_auth(&conn->peer);
        break;
    case ATTACK_INFO:
        came = spec_peer_recv_info(&conn->peer);
        break;
    case ATTACK_UP:
        break;
    }
    return came == SPEC_CAME_DATA;
}

/* ---- Acts ------------------------------------------------------------------------------------ */

static void declare(const attack_options *options, attack_conn *conn) {
    static const spec_frame huge = {.has_length = true, .length = UINT32_C(0xfffffff0)};
    spec_bytes length = {0};
    spec_bytes_uvarint(&length, HUGE_LENGTH);
    if (options->stage == ATTACK_EPH) {
        /* Behind the byte that recognises the profile. */
        const uint8_t start = options->profile == SPEC_COMETBFT ? 0x22 : 0x21;
        spec_bytes_add(&conn->out, &start, 1);
        spec_bytes_add(&conn->out, length.data, length.len);
    } else if (options->stage == ATTACK_UP && options->first > 0) {
        spec_peer_seal(&conn->peer, &huge, "", 0, &conn->out);
    } else {
        spec_peer_seal_stream(&conn->peer, length.data, length.len, &conn->out);
    }
    spec_bytes_fini(&length);
}

static void add_packet(const attack_options *options, const attack_conn *conn, bool eof, size_t len,
                       spec_bytes *plain) {
    uint8_t head[SY_PACKET_OVERHEAD];
    const size_t head_len = sy_packet_write_header(spec_peer_codec(&conn->peer),
                                                   (uint8_t)options->channel, eof, len, head);
    spec_bytes_add(plain, head, head_len);
    spec_bytes_fill(plain, len, 0x61);
}

static void half(const attack_options *options, attack_conn *conn) {
    spec_bytes plain = {0};
    for (size_t left = options->size; left > 0;) {
        const size_t len = left < 1000 ? left : 1000;
        add_packet(options, conn, false, len, &plain);
        left -= len;
    }
    spec_peer_seal_stream(&conn->peer, plain.data, plain.len, &conn->out);
    spec_bytes_fini(&plain);
}

void attack_refill(const attack_options *options, attack_conn *conn) {
    spec_bytes plain = {0};
    uint8_t ping[SY_PACKET_OVERHEAD];
    if (options->act == ATTACK_PING) {
        const size_t len = sy_packet_write_ping(spec_peer_codec(&conn->peer), ping);
        while (plain.len + len <= (size_t)4 * SY_FRAME_DATA_MAX) {
            spec_bytes_add(&plain, ping, len);
        }
    } else if (options->size == 0 || conn->asked < options->size) {
        for (size_t i = 0; i < MESSAGES; i++) {
            for (size_t left = MUTE_LEN; left > 0; left -= MUTE_PIECE) {
                add_packet(options, conn, left == MUTE_PIECE, MUTE_PIECE, &plain);
            }
        }
        conn->asked += (size_t)MESSAGES * MUTE_LEN;
    }
    if (plain.len > 0) {
        spec_peer_seal_stream(&conn->peer, plain.data, plain.len, &conn->out);
    }
    spec_bytes_fini(&plain);
}

bool attack_open(const attack_options *options, size_t number, attack_conn *conn) {
    spec_peer_init(&conn->peer, options->profile, TIMEOUT_MS);
    if (!attack_connect(options, number, &conn->peer)) {
        return false;
    }
    for (attack_stage stage = ATTACK_EPH; stage < options->stage; stage++) {
        add_honest(options, stage, conn);
        if (!advance(stage, conn)) {
            return false;
        }
    }
    if (options->act == ATTACK_DECLARE) {
        declare(options, conn);
    } else if (options->act == ATTACK_HALF) {
        half(options, conn);
    } else {
        add_honest(options, options->stage, conn);
    }
    if (options->act == ATTACK_HOLD && options->first > 0) {
        const size_t len = options->first < conn->out.len ? options->first : conn->out.len;
        spec_peer_send(&conn->peer, conn->out.data, len);
        spec_bytes_drop(&conn->out, len);
    }
    return true;
}

/* ---- Connecting and closing ------------------------------------------------------------------ */

/* Four ways to leave: silently, by a reset, after half of a greeting, after a wrong one. */
static void leave(spec_peer *peer, size_t number) {
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (number % 4 == 1) {
        (void)setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    } else if (number % 4 >= 2) {
        (void)send(peer->fd, number % 4 == 2 ? "\x22\x0a" : "GET /", number % 4 == 2 ? 2 : 5,
                   MSG_NOSIGNAL);
    }
    spec_peer_close(peer);
}

size_t attack_churn(const attack_options *options) {
    const long until = spec_now_ms() + options->seconds * 1000;
    size_t made = 0;
    for (size_t i = 0; options->seconds > 0 ? spec_now_ms() < until : i < options->count; i++) {
        spec_peer peer = {.fd = -1};
        if (attack_connect(options, i, &peer)) {
            made++;
        }
        leave(&peer, i);
    }
    return made;
}
