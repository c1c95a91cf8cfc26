/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/yardspec/run.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/wr.h"

/* ---- Verdicts -------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 0))) static void
say(spec_run *run, spec_verdict verdict, const char *expected, const char *format, va_list args) {
    if (run->verdict != SPEC_UNDECIDED) {
        return; /* the first one counts */
    }
    char came[400];
    (void)vsnprintf(came, sizeof came, format, args);
    run->verdict = verdict;
    (void)snprintf(run->detail, sizeof run->detail, "%s%s%s%s%s%s%s",
                   run->sent[0] != '\0' ? "sent " : "", run->sent, run->sent[0] != '\0' ? "; " : "",
                   expected != NULL ? "expected " : "", expected != NULL ? expected : "",
                   expected != NULL ? "; came: " : "", came);
}

void spec_pass(spec_run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(run, SPEC_PASS, NULL, format, args);
    va_end(args);
}

void spec_fail(spec_run *run, const char *expected, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(run, SPEC_FAIL, expected, format, args);
    va_end(args);
}

void spec_skip(spec_run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    run->sent[0] = '\0';
    say(run, SPEC_SKIP, NULL, format, args);
    va_end(args);
}

void spec_note_sent(spec_run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(run->sent, sizeof run->sent, format, args);
    va_end(args);
}

const char *spec_came_text(const spec_run *run, const spec_peer *peer, spec_came came) {
    static char text[240];
    switch (came) {
    case SPEC_CAME_DATA:
        return "an answer";
    case SPEC_CAME_CLOSED:
        (void)snprintf(text, sizeof text, "the connection was closed after %zu bytes",
                       peer->received);
        return text;
    case SPEC_CAME_NOTHING:
        (void)snprintf(text, sizeof text, "nothing within %d ms, the connection is open",
                       peer->timeout_ms > 0 ? peer->timeout_ms : run->timeout_ms);
        return text;
    case SPEC_CAME_WRONG:
        return peer->wrong;
    }
    return "";
}

/* ---- Connections ----------------------------------------------------------------------------- */

spec_peer *spec_new(spec_run *run) {
    if (run->peer_count == SPEC_PEERS_MAX) {
        spec_die("a case wants more than %d connections", SPEC_PEERS_MAX);
    }
    spec_peer *peer = &run->peers[run->peer_count++];
    spec_peer_init(peer, run->target.profile, run->timeout_ms);
    if (run->trace_count < SPEC_TRACES_MAX) {
        peer->trace = spec_trace_new();
        run->traces[run->trace_count++] = peer->trace;
    }
    return peer;
}

void spec_clear_traces(spec_run *run) {
    for (size_t i = 0; i < run->trace_count; i++) {
        spec_trace_del(run->traces[i]);
    }
    run->trace_count = 0;
}

static spec_peer *wait_for_dial(spec_run *run) {
    const int fd = spec_accept(run);
    if (fd < 0) {
        spec_fail(run, "that the target dials", "it did not within %ld s", run->wait_ms / 1000);
        return NULL;
    }
    spec_peer *peer = spec_new(run);
    peer->key = run->key;
    spec_peer_adopt(peer, fd);
    return peer;
}

spec_peer *spec_dial(spec_run *run) {
    if (run->listen_fd >= 0) {
        return wait_for_dial(run);
    }
    spec_peer *peer = spec_new(run);
    if (!spec_peer_connect(peer, &run->target.endpoint)) {
        spec_fail(run, "a TCP connection", "none within the time-out");
        return NULL;
    }
    return peer;
}

static bool wanted(spec_run *run, const spec_peer *peer, spec_came came, const char *what) {
    if (came != SPEC_CAME_DATA) {
        spec_fail(run, what, "%s", spec_came_text(run, peer, came));
    }
    return came == SPEC_CAME_DATA;
}

bool spec_do_keys(spec_run *run, spec_peer *peer) {
    uint8_t out[SY_EPH_MSG_MAX];
    spec_peer_send(peer, out, spec_peer_encode_ephemeral(peer, out));
    return wanted(run, peer, spec_peer_recv_ephemeral(peer), "the target's ephemeral key");
}

bool spec_do_auth(spec_run *run, spec_peer *peer) {
    uint8_t out[SY_AUTH_MSG_MAX];
    spec_peer_send_stream(peer, out, spec_peer_encode_auth(peer, out));
    if (!wanted(run, peer, spec_peer_recv_auth(peer), "the target's authentication message")) {
        return false;
    }
    const sy_node_id id = sy_node_id_of_pubkey(peer->remote_pub);
    if (!run->target.id_known) {
        run->target.id = id;
        run->target.id_known = true;
    }
    if (!sy_node_id_equal(&id, &run->target.id)) {
        char text[SY_NODE_ID_TEXT_CAP];
        sy_node_id_format(&id, text);
        spec_fail(run, "the target's own ID", "the ID %s", text);
        return false;
    }
    return true;
}

bool spec_do_info(spec_run *run, spec_peer *peer) {
    spec_bytes info = {0};
    spec_add_info(run, peer, &info);
    spec_peer_send_stream(peer, info.data, info.len);
    spec_bytes_fini(&info);
    return wanted(run, peer, spec_peer_recv_info(peer), "the target's NodeInfo");
}

bool spec_do_open(spec_run *run, spec_peer *peer) {
    spec_peer_send_ping(peer);
    return wanted(run, peer, spec_wait_pong(peer), "a pong");
}

spec_peer *spec_dial_keys(spec_run *run) {
    spec_peer *peer = spec_dial(run);
    return peer != NULL && spec_do_keys(run, peer) ? peer : NULL;
}

spec_peer *spec_dial_auth(spec_run *run) {
    spec_peer *peer = spec_dial_keys(run);
    return peer != NULL && spec_do_auth(run, peer) ? peer : NULL;
}

spec_peer *spec_dial_info(spec_run *run) {
    spec_peer *peer = spec_dial_auth(run);
    return peer != NULL && spec_do_info(run, peer) ? peer : NULL;
}

spec_peer *spec_dial_open(spec_run *run) {
    spec_peer *peer = spec_dial_info(run);
    return peer != NULL && spec_do_open(run, peer) ? peer : NULL;
}

/* ---- Templates ------------------------------------------------------------------------------- */

static const char *const info_fields[2][8] = {
    {"0a[$I]", "12['127.0.0.1:26656']", "1a[$N]", "22[$V]", "2a[$C]", "32['yardspec']", "", ""},
    {"0a[$W]", "12[$I]", "1a['tcp://127.0.0.1:26656']", "22[$N]", "2a[$V]", "32[$C]",
     "3a['yardspec']", "42[0a['on']]"},
};

typedef struct naming {
    spec_run *run;
    spec_peer *peer;
} naming;

static void add_signature(naming *n, char kind, spec_bytes *out) {
    /* The order of the base point, little endian. */
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    uint8_t sig[SY_SIGNATURE_LEN];
    uint8_t challenge[32];
    sy_node_key key = n->peer->key;
    memcpy(challenge, n->peer->challenge, sizeof challenge);
    if (kind == 'O') {
        challenge[0] ^= 1;
    } else if (kind == 'Q') {
        static const uint8_t other_seed[SY_SEED_LEN] = {7};
        sy_node_key_from_seed(other_seed, &key);
    }
    sy_node_key_sign(&key, challenge, sizeof challenge, sig);
    sig[5] ^= kind == 'B';
    if (kind == 'H') {
        sodium_add(sig + 32, order, sizeof order);
    }
    spec_bytes_add(out, sig, sizeof sig);
    sy_node_key_wipe(&key);
}

static void add_id(const spec_peer *peer, bool upper, spec_bytes *out) {
    const sy_node_id id = spec_peer_id(peer);
    char text[SY_NODE_ID_TEXT_CAP];
    sy_node_id_format(&id, text);
    for (size_t i = 0; upper && i < SY_NODE_ID_TEXT_LEN; i++) {
        text[i] = text[i] >= 'a' ? (char)(text[i] - 'a' + 'A') : text[i];
    }
    spec_bytes_add(out, text, SY_NODE_ID_TEXT_LEN);
}

static void add_versions(const spec_target *target, spec_bytes *out) {
    uint8_t buf[40];
    sy_wr wr;
    sy_wr_init(&wr, buf, sizeof buf);
    sy_wr_field_uvarint(&wr, 1, target->p2p_version);
    sy_wr_field_uvarint(&wr, 2, target->block_version);
    sy_wr_field_uvarint(&wr, 3, target->app_version);
    spec_bytes_add(out, buf, wr.len);
}

static bool expand_name(void *user, char name, spec_bytes *out) {
    naming *n = user;
    const spec_target *target = &n->run->target;
    char id[SY_NODE_ID_TEXT_CAP];
    const char *network = n->run->chain_id != NULL ? n->run->chain_id : target->network;
    switch (name) {
    case 'E':
        spec_bytes_add(out, n->peer->eph_pub, 32);
        return true;
    case 'R':
        spec_bytes_add(out, n->peer->remote_eph, 32);
        return true;
    case 'P':
        spec_bytes_add(out, n->peer->key.pubkey, 32);
        return true;
    case 'S':
    case 'B':
    case 'O':
    case 'Q':
    case 'H':
        add_signature(n, name, out);
        return true;
    case 'I':
    case 'J':
        add_id(n->peer, name == 'J', out);
        return true;
    case 'N':
        spec_bytes_add(out, network, strlen(network));
        return true;
    case 'V':
        spec_bytes_add(out, target->version, strlen(target->version));
        return true;
    case 'W':
        add_versions(target, out);
        return true;
    case 'C':
        spec_bytes_add(out, target->channels, target->channel_count);
        return true;
    case 'c':
        spec_bytes_uvarint(out, spec_served_channel(n->run));
        return true;
    case 'T':
        sy_node_id_format(&target->id, id);
        spec_bytes_add(out, id, SY_NODE_ID_TEXT_LEN);
        return true;
    case 'd': /* $c in one byte more than it needs */
        spec_bytes_uvarint(out, spec_served_channel(n->run));
        out->data[out->len - 1] |= 0x80;
        spec_bytes_fill(out, 1, 0);
        return true;
    case 'u':
        spec_bytes_uvarint(out, spec_unserved_channel(n->run));
        return true;
    case 'h':
        spec_bytes_uvarint(out, spec_high_channel(n->run));
        return true;
    default:
        return false;
    }
}

static void expand_field(void *user, unsigned number, spec_bytes *out) {
    naming *n = user;
    if (number < 1 || number > 8) {
        spec_die("NodeInfo has no field %u", number);
    }
    spec_expand(n->run, n->peer, info_fields[n->peer->profile == SPEC_COMETBFT][number - 1], out);
}

void spec_expand(spec_run *run, spec_peer *peer, const char *text, spec_bytes *out) {
    naming n = {run, peer};
    const spec_names names = {expand_name, expand_field, &n};
    spec_template(text, &names, out);
}

void spec_add_info(const spec_run *run, const spec_peer *peer, spec_bytes *out) {
    spec_expand((spec_run *)(uintptr_t)run, (spec_peer *)(uintptr_t)peer, "[{1-8}]", out);
}

static bool serves(const spec_target *target, uint8_t channel) {
    return target->channel_count > 0 &&
           memchr(target->channels, channel, target->channel_count) != NULL;
}

bool spec_serves(const spec_run *run, uint8_t channel) {
    return serves(&run->target, channel);
}

uint8_t spec_high_channel(const spec_run *run) {
    const spec_target *target = &run->target;
    for (size_t i = 0; i < target->echo_count; i++) {
        if (target->echo[i] >= 0x80) {
            return target->echo[i];
        }
    }
    for (size_t i = 0; i < target->channel_count; i++) {
        if (target->channels[i] >= 0x80) {
            return target->channels[i];
        }
    }
    return 0;
}

uint8_t spec_unserved_channel(const spec_run *run) {
    uint8_t channel = 0x7d;
    while (serves(&run->target, channel)) {
        channel--;
    }
    return channel;
}

/* An echo channel below 80 where there is one, then the first channel that is served. */
uint8_t spec_served_channel(const spec_run *run) {
    const spec_target *target = &run->target;
    for (size_t i = 0; i < target->echo_count; i++) {
        if (target->echo[i] < 0x80) {
            return target->echo[i];
        }
    }
    return target->echo_count > 0      ? target->echo[0]
           : target->channel_count > 0 ? target->channels[0]
                                       : 0;
}

/* ---- What came ------------------------------------------------------------------------------- */

/* A node with traffic of its own never lets a single read time out: the whole wait ends too. */
spec_came spec_wait_pong(spec_peer *peer) {
    const long until = spec_now_ms() + 2 * (long)peer->timeout_ms;
    for (;;) {
        if (spec_now_ms() > until) {
            return SPEC_CAME_NOTHING;
        }
        sy_packet packet;
        const spec_came came = spec_peer_recv_packet(peer, &packet);
        if (came != SPEC_CAME_DATA || packet.kind == SY_PACKET_KIND_PONG) {
            return came;
        }
        if (packet.kind == SY_PACKET_KIND_PING) {
            spec_peer_send_pong(peer);
        }
    }
}

spec_came spec_wait_message(spec_peer *peer, uint8_t channel, spec_bytes *ret) {
    const long until = spec_now_ms() + 4 * (long)peer->timeout_ms;
    ret->len = 0;
    for (;;) {
        if (spec_now_ms() > until) {
            return SPEC_CAME_NOTHING;
        }
        sy_packet packet;
        const spec_came came = spec_peer_recv_packet(peer, &packet);
        if (came != SPEC_CAME_DATA) {
            return came;
        }
        if (packet.kind == SY_PACKET_KIND_PING) {
            spec_peer_send_pong(peer);
        } else if (packet.kind == SY_PACKET_KIND_MSG && packet.channel == channel) {
            spec_bytes_add(ret, packet.data.data, packet.data.len);
            if (packet.eof) {
                return SPEC_CAME_DATA;
            }
        }
    }
}

void spec_serve(spec_peer *const *peers, size_t count, int ms) {
    for (int at = 0; at < ms; at += 20 * (int)count) {
        for (size_t i = 0; i < count; i++) {
            sy_packet packet;
            peers[i]->timeout_ms = 20;
            while (spec_peer_recv_packet(peers[i], &packet) == SPEC_CAME_DATA) {
                if (packet.kind == SY_PACKET_KIND_PING) {
                    spec_peer_send_pong(peers[i]);
                }
            }
            if (peers[i]->ended) {
                return;
            }
        }
    }
}

void spec_judge_open(spec_run *run, spec_peer *peer) {
    spec_peer_send_ping(peer);
    const spec_came came = spec_wait_pong(peer);
    if (came == SPEC_CAME_DATA) {
        spec_pass(run, "a ping after it was answered");
    } else {
        spec_fail(run, "that it is accepted and a ping after it is answered", "%s",
                  spec_came_text(run, peer, came));
    }
}

void spec_judge_closed(spec_run *run, spec_peer *peer) {
    spec_peer_send_ping(peer);
    const spec_came came = spec_wait_pong(peer);
    if (came == SPEC_CAME_CLOSED) {
        spec_pass(run, "the connection was closed");
    } else {
        spec_fail(run, "that the connection is closed", "%s",
                  came == SPEC_CAME_DATA ? "it was accepted, and a ping after it answered"
                                         : spec_came_text(run, peer, came));
    }
}

bool spec_do_echo(spec_run *run, spec_peer *peer, uint8_t channel, const uint8_t *data,
                  size_t len) {
    spec_bytes out = {0};
    spec_bytes back = {0};
    spec_peer_add_message(peer, channel, data, len, &out);
    spec_peer_send_stream(peer, out.data, out.len);
    const spec_came came = spec_wait_message(peer, channel, &back);
    const bool same = came == SPEC_CAME_DATA && back.len == len &&
                      (len == 0 || memcmp(back.data, data, len) == 0);
    if (came != SPEC_CAME_DATA) {
        spec_fail(run, "the message back", "%s", spec_came_text(run, peer, came));
    } else if (!same) {
        spec_fail(run, "the message back", "%zu bytes that are not the %zu sent", back.len, len);
    }
    spec_bytes_fini(&out);
    spec_bytes_fini(&back);
    return same;
}
