/* SPDX-License-Identifier: Apache-2.0 */
/* Finding out what the target is, in the way of `yard probe`: which profile, then what its NodeInfo
 * says, then whether it accepts one that says the same, then which channels echo. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "cmd/yardspec/run.h"

#define FIRST_BYTE_MS 300
#define ECHO_MS       400

static void reset(spec_run *run) {
    for (size_t i = 0; i < run->peer_count; i++) {
        spec_peer_fini(&run->peers[i]);
    }
    run->peer_count = 0;
    spec_clear_traces(run);
    run->verdict = SPEC_UNDECIDED;
    run->sent[0] = '\0';
}

static void copy_text(char *out, size_t cap, sy_text text) {
    (void)snprintf(out, cap, "%.*s", (int)text.len, text.data != NULL ? text.data : "");
}

static bool take_info(spec_run *run, const spec_peer *peer) {
    spec_target *target = &run->target;
    sy_node_info info;
    const sy_node_info_codec codec =
        peer->profile == SPEC_TENDERMINT ? SY_NODE_INFO_AMINO : SY_NODE_INFO_PROTO;
    if (sy_node_info_decode(codec, peer->info.data, peer->info.len, &info, NULL) != SY_OK ||
        info.channel_count > SY_NODE_INFO_CHANNELS_MAX) {
        spec_fail(run, "a NodeInfo that can be decoded", "%s",
                  spec_show(peer->info.data, peer->info.len));
        return false;
    }
    copy_text(target->network, sizeof target->network, info.network);
    copy_text(target->version, sizeof target->version, info.version);
    target->has_listen = sy_addr_parse(info.listen_addr.data, info.listen_addr.len, SY_ADDR_LISTEN,
                                       &target->listen, NULL) == SY_OK;
    target->p2p_version = info.p2p_version;
    target->block_version = info.block_version;
    target->app_version = info.app_version;
    target->channel_count = info.channel_count;
    if (info.channel_count > 0) {
        memcpy(target->channels, info.channels, info.channel_count);
    }
    return true;
}

/* A first connection, of which the target's NodeInfo is wanted only. */
static bool learn_as(spec_run *run, spec_profile profile) {
    run->target.profile = profile;
    spec_peer *peer = spec_dial_auth(run);
    bool ok = peer != NULL;
    if (ok && spec_peer_recv_info(peer) != SPEC_CAME_DATA) {
        spec_fail(run, "the target's NodeInfo", "none");
        ok = false;
    }
    return ok && take_info(run, peer);
}

/* The profile that the target's first byte shows; 0 when it waits for ours. */
static unsigned first_byte(spec_run *run) {
    spec_peer *peer = spec_new(run);
    peer->timeout_ms = FIRST_BYTE_MS;
    unsigned profile = 0;
    if (spec_peer_connect(peer, &run->target.endpoint) &&
        spec_peer_need_raw(peer, 1) == SPEC_CAME_DATA) {
        profile = peer->raw.data[0] == 0x21   ? SPEC_TENDERMINT
                  : peer->raw.data[0] == 0x22 ? SPEC_COMETBFT
                                              : 0;
    }
    return profile;
}

/* One channel after the other on one connection, for as long as the target bears it. */
static void find_echo(spec_run *run) {
    spec_target *target = &run->target;
    const int timeout_ms = run->timeout_ms;
    spec_peer *peer = NULL;
    target->echo_count = 0;
    for (size_t i = 0; i < target->channel_count; i++) {
        uint8_t text[16];
        if (target->channels[i] == 0 && target->channel_count > 1) {
            continue; /* peer exchange: noise would be held against us */
        }
        randombytes_buf(text, sizeof text);
        if (peer == NULL || peer->ended) {
            reset(run);
            peer = spec_dial_open(run);
        }
        if (peer == NULL) {
            continue;
        }
        peer->timeout_ms = timeout_ms < ECHO_MS ? timeout_ms : ECHO_MS;
        run->verdict = SPEC_UNDECIDED;
        if (spec_do_echo(run, peer, target->channels[i], text, sizeof text)) {
            target->echo[target->echo_count++] = target->channels[i];
        }
    }
    target->capacity = target->echo_count > 0 ? run->capacity : 0;
}

/* A target that dials shows its profile; else both are tried. */
static bool learn_first(spec_run *run, spec_profile wanted) {
    if (run->listen_fd >= 0) {
        run->target.profile = wanted;
        run->next_fd = spec_accept(run);
        if (run->next_fd >= 0) {
            return learn_as(run, run->target.profile);
        }
        spec_fail(run, "that the target dials", "it did not within %ld s", run->wait_ms / 1000);
        return false;
    }
    unsigned try_first = wanted;
    if (wanted == SPEC_BOTH) {
        try_first = first_byte(run);
        reset(run);
    }
    if (try_first != 0) {
        return learn_as(run, try_first == SPEC_TENDERMINT ? SPEC_TENDERMINT : SPEC_COMETBFT);
    }
    if (learn_as(run, SPEC_COMETBFT)) {
        return true;
    }
    reset(run);
    return learn_as(run, SPEC_TENDERMINT);
}

bool spec_learn(spec_run *run, spec_profile wanted, const char **ret_why) {
    bool ok = learn_first(run, wanted);
    if (ok) {
        reset(run);
        ok = spec_dial_open(run) != NULL;
    }
    if (!ok) {
        *ret_why = run->detail;
        return false;
    }
    find_echo(run);
    reset(run);
    return true;
}
