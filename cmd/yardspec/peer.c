/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yardspec/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/rd.h"

#define READ_SIZE    65536
#define LAST_LOOK_MS 25 /* some dialers never forget a peer that left while they took it in */
#define RAW_KEPT_MAX ((size_t)128 << 20)

const char *spec_profile_name(spec_profile profile) {
    return profile == SPEC_TENDERMINT ? "tendermint" : "cometbft";
}

long spec_now_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

long spec_now_ms(void) {
    return spec_now_us() / 1000;
}

const sy_suite *spec_peer_suite(const spec_peer *peer) {
    return peer->profile == SPEC_TENDERMINT ? &sy_suite_secretbox : &sy_suite_cometbft;
}

sy_packet_codec spec_peer_codec(const spec_peer *peer) {
    return peer->profile == SPEC_TENDERMINT ? SY_PACKET_AMINO : SY_PACKET_PROTO;
}

sy_node_id spec_peer_id(const spec_peer *peer) {
    return sy_node_key_id(&peer->key);
}

void spec_peer_init(spec_peer *peer, spec_profile profile, int timeout_ms) {
    uint8_t seed[SY_SEED_LEN];
    *peer = (spec_peer){.fd = -1, .profile = profile, .timeout_ms = timeout_ms};
    randombytes_buf(seed, sizeof seed);
    sy_node_key_from_seed(seed, &peer->key);
    randombytes_buf(peer->eph_secret, sizeof peer->eph_secret);
    (void)crypto_scalarmult_base(peer->eph_pub, peer->eph_secret);
    sodium_memzero(seed, sizeof seed);
}

void spec_peer_close(spec_peer *peer) {
    if (peer->fd >= 0) {
        if (peer->accepted) {
            (void)poll(NULL, 0, LAST_LOOK_MS);
        }
        spec_trace_end(peer->trace, SPEC_END_US);
        (void)close(peer->fd);
        peer->fd = -1;
    }
}

void spec_peer_fini(spec_peer *peer) {
    spec_peer_close(peer);
    spec_bytes_fini(&peer->raw);
    spec_bytes_fini(&peer->plain);
    spec_bytes_fini(&peer->info);
    sodium_memzero(peer, sizeof *peer);
    peer->fd = -1;
}

/* ---- TCP ------------------------------------------------------------------------------------- */

socklen_t spec_sockaddr(const sy_endpoint *endpoint, struct sockaddr_storage *ret) {
    memset(ret, 0, sizeof *ret);
    if (sy_endpoint_is_v4(endpoint)) {
        struct sockaddr_in *in = (void *)ret;
        in->sin_family = AF_INET;
        in->sin_port = htons(endpoint->port);
        memcpy(&in->sin_addr, endpoint->ip + 12, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (void *)ret;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(endpoint->port);
    memcpy(&in6->sin6_addr, endpoint->ip, 16);
    return sizeof *in6;
}

static uint16_t port_of(const struct sockaddr_storage *addr) {
    return ntohs(addr->ss_family == AF_INET
                     ? ((const struct sockaddr_in *)(const void *)addr)->sin_port
                     : ((const struct sockaddr_in6 *)(const void *)addr)->sin6_port);
}

uint16_t spec_local_port(int fd) {
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;
    return getsockname(fd, (struct sockaddr *)&addr, &len) == 0 ? port_of(&addr) : 0;
}

uint16_t spec_remote_port(int fd) {
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;
    return getpeername(fd, (struct sockaddr *)&addr, &len) == 0 ? port_of(&addr) : 0;
}

static void note_port(spec_peer *peer) {
    peer->port = spec_local_port(peer->fd);
    if (peer->trace != NULL) {
        peer->trace->port = peer->port;
    }
}

void spec_peer_adopt(spec_peer *peer, int fd) {
    const int one = 1;
    peer->fd = fd;
    peer->accepted = true;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    note_port(peer);
    if (peer->trace != NULL) {
        peer->trace->accepted = true;
    }
}

bool spec_peer_connect(spec_peer *peer, const sy_endpoint *endpoint) {
    struct sockaddr_storage addr;
    const socklen_t len = spec_sockaddr(endpoint, &addr);
    const int one = 1;
    peer->fd = socket(addr.ss_family, SOCK_STREAM, 0);
    if (peer->fd < 0) {
        return false;
    }
    (void)fcntl(peer->fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(peer->fd, F_SETFD, FD_CLOEXEC);
    (void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const int connected = connect(peer->fd, (const struct sockaddr *)&addr, len);
    note_port(peer);
    if (connected == 0) {
        return true;
    }
    struct pollfd wait = {.fd = peer->fd, .events = POLLOUT};
    int err = 0;
    socklen_t err_len = sizeof err;
    return errno == EINPROGRESS && poll(&wait, 1, peer->timeout_ms) == 1 &&
           getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &err, &err_len) == 0 && err == 0;
}

void spec_peer_shut(spec_peer *peer) {
    (void)shutdown(peer->fd, SHUT_WR);
}

/* Takes what the socket has. */
static void take(spec_peer *peer) {
    uint8_t buf[READ_SIZE];
    const ssize_t n = recv(peer->fd, buf, sizeof buf, 0);
    if (n > 0) {
        peer->received += (size_t)n;
        spec_trace_wire(peer->trace, SPEC_THEIRS, buf, (size_t)n);
        spec_bytes_add(&peer->raw, buf, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        peer->ended = true;
        spec_trace_end(peer->trace, SPEC_END_TARGET);
    }
}

void spec_peer_send(spec_peer *peer, const void *data, size_t len) {
    const uint8_t *at = data;
    long until = spec_now_ms() + peer->timeout_ms;
    while (len > 0 && spec_now_ms() < until) {
        const bool may_read = !peer->ended && !peer->deaf && peer->raw.len < RAW_KEPT_MAX;
        struct pollfd wait = {.fd = peer->fd, .events = (short)(POLLOUT | (may_read ? POLLIN : 0))};
        if (poll(&wait, 1, peer->timeout_ms) <= 0) {
            return;
        }
        if (may_read && (wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            take(peer);
        }
        if ((wait.revents & POLLOUT) == 0) {
            continue;
        }
        const ssize_t n = send(peer->fd, at, len, MSG_NOSIGNAL);
        if (n > 0) {
            spec_trace_wire(peer->trace, SPEC_OURS, at, (size_t)n);
            at += n;
            len -= (size_t)n;
            until = spec_now_ms() + peer->timeout_ms;
        } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            return;
        }
    }
}

spec_came spec_peer_need_raw(spec_peer *peer, size_t len) {
    long until = spec_now_ms() + peer->timeout_ms;
    while (peer->raw.len < len) {
        const long left = until - spec_now_ms();
        if (peer->ended) {
            return SPEC_CAME_CLOSED;
        }
        struct pollfd wait = {.fd = peer->fd, .events = POLLIN};
        if (left <= 0 || poll(&wait, 1, (int)left) == 0) {
            return SPEC_CAME_NOTHING;
        }
        const size_t before = peer->raw.len;
        take(peer);
        if (peer->raw.len > before) {
            until = spec_now_ms() + peer->timeout_ms;
        }
    }
    return SPEC_CAME_DATA;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static void add_to_nonce(spec_profile profile, uint8_t nonce[SY_NONCE_LEN], unsigned amount) {
    unsigned carry = amount;
    for (size_t i = 0; i < 8 && carry != 0; i++) {
        uint8_t *byte = profile == SPEC_TENDERMINT ? &nonce[23 - i] : &nonce[4 + i];
        carry += *byte;
        *byte = (uint8_t)carry;
        carry >>= 8;
    }
}

static unsigned step(spec_profile profile) {
    return profile == SPEC_TENDERMINT ? 2 : 1;
}

static void put_length(uint8_t out[4], uint32_t value, bool big_endian) {
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (big_endian ? 24 - 8 * i : 8 * i));
    }
}

static uint32_t get_length(const uint8_t in[4], bool big_endian) {
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        value |= (uint32_t)in[i] << (big_endian ? 24 - 8 * i : 8 * i);
    }
    return value;
}

static void seal_plain(spec_profile profile, const sy_frame_key *key,
                       const uint8_t nonce[SY_NONCE_LEN], const uint8_t plain[SY_FRAME_LEN],
                       uint8_t out[SY_SEALED_LEN]) {
    if (profile == SPEC_TENDERMINT) {
        (void)crypto_secretbox_easy(out, plain, SY_FRAME_LEN, nonce, key->key);
    } else {
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, SY_FRAME_LEN, NULL, 0,
                                                        NULL, nonce, key->key);
    }
}

void spec_peer_seal(spec_peer *peer, const spec_frame *frame, const void *data, size_t len,
                    spec_bytes *out) {
    const bool big = (peer->profile == SPEC_TENDERMINT) != frame->little_wrong;
    uint8_t plain[SY_FRAME_LEN];
    uint8_t sealed[SY_SEALED_LEN];
    uint8_t nonce[SY_NONCE_LEN];
    const sy_frame_key *key = frame->other_key ? &peer->recv_key : &peer->send_key;
    memset(plain, frame->padding, sizeof plain);
    put_length(plain, frame->has_length ? frame->length : (uint32_t)len, big);
    if (len > 0) {
        memcpy(plain + 4, data, len);
    }
    if (frame->skip) {
        add_to_nonce(peer->profile, peer->send_key.nonce, step(peer->profile));
    }
    memcpy(nonce, frame->other_key ? key->nonce : peer->send_key.nonce, sizeof nonce);
    if (frame->again) {
        memset(nonce, 0, sizeof nonce);
        memcpy(nonce, peer->send_key.nonce, sizeof nonce);
        const unsigned back = step(peer->profile);
        uint8_t *last = peer->profile == SPEC_TENDERMINT ? &nonce[23] : &nonce[4];
        *last = (uint8_t)(*last - back);
    }
    seal_plain(peer->profile, key, nonce, plain, sealed);
    spec_trace_frame(peer->trace, SPEC_OURS, frame->has_length ? frame->length : len, data, len);
    const bool tag_first = peer->profile == SPEC_TENDERMINT;
    if (frame->bad_tag) {
        sealed[tag_first ? 0 : SY_SEALED_LEN - 1] ^= 1;
    }
    if (frame->bad_body) {
        sealed[SY_SEALED_LEN / 2] ^= 0x10;
    }
    if (!frame->again) {
        add_to_nonce(peer->profile, peer->send_key.nonce, step(peer->profile));
    }
    spec_bytes_add(out, sealed, sizeof sealed);
}

void spec_peer_send_frame(spec_peer *peer, const spec_frame *frame, const void *data, size_t len) {
    spec_bytes out = {0};
    spec_peer_seal(peer, frame, data, len, &out);
    spec_peer_send(peer, out.data, out.len);
    spec_bytes_fini(&out);
}

void spec_peer_seal_stream(spec_peer *peer, const void *data, size_t len, spec_bytes *out) {
    static const spec_frame honest = {0};
    const uint8_t *at = data;
    while (len > 0) {
        const size_t n = len < SY_FRAME_DATA_MAX ? len : SY_FRAME_DATA_MAX;
        spec_peer_seal(peer, &honest, at, n, out);
        at += n;
        len -= n;
    }
}

void spec_peer_send_stream(spec_peer *peer, const void *data, size_t len) {
    spec_bytes out = {0};
    spec_peer_seal_stream(peer, data, len, &out);
    spec_peer_send(peer, out.data, out.len);
    spec_bytes_fini(&out);
}

static spec_came wrong(spec_peer *peer, const char *what) {
    (void)snprintf(peer->wrong, sizeof peer->wrong, "%s", what);
    return SPEC_CAME_WRONG;
}

/* Opens the frame at the start of the raw bytes. */
static spec_came open_frame(spec_peer *peer) {
    uint8_t plain[SY_FRAME_LEN];
    int failed;
    if (peer->profile == SPEC_TENDERMINT) {
        failed = crypto_secretbox_open_easy(plain, peer->raw.data, SY_SEALED_LEN,
                                            peer->recv_key.nonce, peer->recv_key.key);
    } else {
        failed = crypto_aead_chacha20poly1305_ietf_decrypt(
            plain, NULL, NULL, peer->raw.data, SY_SEALED_LEN, NULL, 0, peer->recv_key.nonce,
            peer->recv_key.key);
    }
    if (failed != 0) {
        return wrong(peer, "a frame whose tag does not verify");
    }
    const uint32_t len = get_length(plain, peer->profile == SPEC_TENDERMINT);
    if (len > SY_FRAME_DATA_MAX) {
        return wrong(peer, "a frame that declares more than 1024 bytes");
    }
    add_to_nonce(peer->profile, peer->recv_key.nonce, step(peer->profile));
    spec_bytes_drop(&peer->raw, SY_SEALED_LEN);
    if (peer->frames++ == 0) {
        peer->first_len = len;
    }
    peer->frames_empty += len == 0;
    peer->frames_padded += !sodium_is_zero(plain + 4 + len, SY_FRAME_DATA_MAX - len);
    spec_bytes_add(&peer->plain, plain + 4, len);
    spec_trace_frame(peer->trace, SPEC_THEIRS, len, plain + 4, len);
    return SPEC_CAME_DATA;
}

spec_came spec_peer_need_plain(spec_peer *peer, size_t len) {
    while (peer->plain.len < len) {
        spec_came came = spec_peer_need_raw(peer, SY_SEALED_LEN);
        if (came == SPEC_CAME_DATA) {
            came = open_frame(peer);
        }
        if (came != SPEC_CAME_DATA) {
            return came;
        }
    }
    return SPEC_CAME_DATA;
}

/* ---- Handshake ------------------------------------------------------------------------------- */

size_t spec_peer_encode_ephemeral(const spec_peer *peer, uint8_t out[SY_EPH_MSG_MAX]) {
    spec_peer_suite(peer)->encode_ephemeral(peer->eph_pub, out);
    return spec_peer_suite(peer)->eph_msg_len;
}

size_t spec_peer_encode_auth(const spec_peer *peer, uint8_t out[SY_AUTH_MSG_MAX]) {
    sy_auth_msg auth;
    memcpy(auth.pubkey, peer->key.pubkey, sizeof auth.pubkey);
    sy_node_key_sign(&peer->key, peer->challenge, sizeof peer->challenge, auth.sig);
    spec_peer_suite(peer)->encode_auth(&auth, out);
    return spec_peer_suite(peer)->auth_msg_len;
}

spec_came spec_peer_recv_ephemeral(spec_peer *peer) {
    const sy_suite *suite = spec_peer_suite(peer);
    const spec_came came = spec_peer_need_raw(peer, suite->eph_msg_len);
    size_t used = 0;
    sy_key_schedule keys;
    if (came != SPEC_CAME_DATA) {
        return came;
    }
    if (suite->decode_ephemeral(peer->raw.data, peer->raw.len, &used, peer->remote_eph, NULL) !=
            SY_OK ||
        used == 0) {
        return wrong(peer, "no ephemeral key message of this profile");
    }
    if (suite->derive(peer->eph_secret, peer->eph_pub, peer->remote_eph, &keys) != SY_OK) {
        return wrong(peer, "an ephemeral key that gives no keys");
    }
    spec_bytes_drop(&peer->raw, used);
    peer->send_key = keys.send;
    peer->recv_key = keys.recv;
    memcpy(peer->challenge, keys.challenge, sizeof peer->challenge);
    peer->has_keys = true;
    sodium_memzero(&keys, sizeof keys);
    return SPEC_CAME_DATA;
}

/* A message with its length in front, at most max bytes. */
static spec_came need_delimited(spec_peer *peer, size_t max, size_t *ret_prefix, size_t *ret_len) {
    uint64_t len = 0;
    bool minimal = false;
    for (size_t want = 1;; want++) {
        const spec_came came = spec_peer_need_plain(peer, want);
        if (came != SPEC_CAME_DATA) {
            return came;
        }
        const sy_prefix_state state =
            sy_uvarint_peek(peer->plain.data, peer->plain.len, &len, ret_prefix, &minimal);
        if (state == SY_PREFIX_DONE) {
            break;
        }
        if (state == SY_PREFIX_BAD) {
            return wrong(peer, "a length prefix of more than 64 bits");
        }
    }
    if (len > max) {
        return wrong(peer, "a message longer than any of its kind may be");
    }
    *ret_len = (size_t)len;
    return spec_peer_need_plain(peer, *ret_prefix + (size_t)len);
}

spec_came spec_peer_recv_auth(spec_peer *peer) {
    size_t prefix = 0;
    size_t len = 0;
    sy_auth_msg auth;
    const spec_came came = need_delimited(peer, SY_AUTH_MSG_MAX, &prefix, &len);
    if (came != SPEC_CAME_DATA) {
        return came;
    }
    if (spec_peer_suite(peer)->decode_auth(peer->plain.data + prefix, len, &auth, NULL) != SY_OK) {
        return wrong(peer, "an authentication message that cannot be decoded");
    }
    if (crypto_sign_verify_detached(auth.sig, peer->challenge, sizeof peer->challenge,
                                    auth.pubkey) != 0) {
        return wrong(peer, "a signature that does not verify over the challenge");
    }
    memcpy(peer->remote_pub, auth.pubkey, sizeof peer->remote_pub);
    spec_bytes_drop(&peer->plain, prefix + len);
    return SPEC_CAME_DATA;
}

spec_came spec_peer_recv_info(spec_peer *peer) {
    size_t prefix = 0;
    size_t len = 0;
    const spec_came came = need_delimited(peer, SY_NODE_INFO_LEN_MAX, &prefix, &len);
    if (came != SPEC_CAME_DATA) {
        return came;
    }
    peer->info.len = 0;
    spec_bytes_add(&peer->info, peer->plain.data + prefix, len);
    spec_bytes_drop(&peer->plain, prefix + len);
    return SPEC_CAME_DATA;
}

/* ---- Packets --------------------------------------------------------------------------------- */

spec_came spec_peer_recv_packet(spec_peer *peer, sy_packet *ret_packet) {
    static spec_bytes kept; /* what the last packet's data points into */
    for (size_t want = 1;;) {
        const spec_came came = spec_peer_need_plain(peer, want);
        if (came != SPEC_CAME_DATA) {
            return came;
        }
        sy_detail why;
        const sy_err err = sy_packet_parse(spec_peer_codec(peer), peer->plain.data, peer->plain.len,
                                           SY_PACKET_PAYLOAD_CAP, ret_packet, &why);
        if (err != SY_OK) {
            return wrong(peer, sy_strerror(err));
        }
        if (ret_packet->kind != SY_PACKET_KIND_MORE) {
            break;
        }
        want = peer->plain.len + 1;
    }
    kept.len = 0;
    spec_bytes_add(&kept, ret_packet->data.data, ret_packet->data.len);
    ret_packet->data.data = kept.data;
    spec_bytes_drop(&peer->plain, ret_packet->len);
    return SPEC_CAME_DATA;
}

void spec_peer_send_ping(spec_peer *peer) {
    uint8_t out[SY_PACKET_OVERHEAD];
    spec_peer_send_stream(peer, out, sy_packet_write_ping(spec_peer_codec(peer), out));
}

void spec_peer_send_pong(spec_peer *peer) {
    uint8_t out[SY_PACKET_OVERHEAD];
    spec_peer_send_stream(peer, out, sy_packet_write_pong(spec_peer_codec(peer), out));
}

void spec_peer_add_message(const spec_peer *peer, uint8_t channel, const uint8_t *data, size_t len,
                           spec_bytes *out) {
    const sy_packet_codec codec = spec_peer_codec(peer);
    const size_t most = sy_packet_piece_max(codec, channel, SY_PACKET_PAYLOAD_MAX);
    do {
        const size_t n = len < most ? len : most;
        uint8_t head[SY_PACKET_OVERHEAD];
        const size_t head_len = sy_packet_write_header(codec, channel, n == len, n, head);
        spec_bytes_add(out, head, head_len);
        spec_bytes_add(out, data, n);
        data += n;
        len -= n;
    } while (len > 0);
}
