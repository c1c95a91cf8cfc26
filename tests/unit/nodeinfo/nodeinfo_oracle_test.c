/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf-c as the oracle of valid input: random NodeInfos go through it and through our codecs in
 * both directions; bytes and values must be the same.  It is trusted with valid bytes only. */
#include <string.h>

#include <criterion/criterion.h>
#include <p2p.pb-c.h>

#include <switchyard/node_info.h>

#include "base/prng.h"
#include "tests/support/test_hex.h"
#include "tests/unit/nodeinfo/nodeinfo_util.h"

enum {
    ROUNDS = 2000,
    ARENA = 8192
};

typedef struct arena {
    char bytes[ARENA];
    size_t used;
} arena;

/* Lengths around the one- and two-byte varints, and mostly short ones. */
static sy_text random_text(sy_prng *prng, arena *a, bool printable) {
    static const size_t lens[] = {0, 0, 1, 5, 20, 40, 126, 127, 128, 129, 200};
    const size_t len = lens[sy_prng_below(prng, sizeof lens / sizeof lens[0])];
    char *data = a->bytes + a->used;
    for (size_t i = 0; i < len; i++) {
        data[i] = (char)(printable ? 0x20 + sy_prng_below(prng, 0x5f) : sy_prng_below(prng, 256));
    }
    a->used += len;
    return (sy_text){data, len};
}

/* Zero, small, around the powers of 2^7, or anything. */
static uint64_t random_number(sy_prng *prng) {
    switch (sy_prng_below(prng, 4)) {
    case 0:
        return 0;
    case 1:
        return sy_prng_below(prng, 20);
    case 2:
        return (((uint64_t)1 << (7 * (1 + sy_prng_below(prng, 9)))) - 1) + sy_prng_below(prng, 2);
    default:
        return sy_prng_next(prng);
    }
}

static sy_node_info random_info(sy_prng *prng, arena *a) {
    const bool printable = sy_prng_below(prng, 2) == 0;
    a->used = 0;
    sy_node_info info = {0};
    info.id = random_text(prng, a, printable);
    info.listen_addr = random_text(prng, a, printable);
    info.network = random_text(prng, a, printable);
    info.version = random_text(prng, a, printable);
    info.moniker = random_text(prng, a, printable);
    info.channel_count = sy_prng_below(prng, SY_NODE_INFO_CHANNELS_MAX + 1);
    info.channels = (const uint8_t *)a->bytes + a->used;
    for (size_t i = 0; i < info.channel_count; i++) {
        a->bytes[a->used++] = (char)sy_prng_next(prng);
    }
    return info;
}

static ProtobufCBinaryData binary(sy_text text) {
    return (ProtobufCBinaryData){text.len, (uint8_t *)(uintptr_t)text.data};
}

static bool binary_is(ProtobufCBinaryData data, sy_text text) {
    return data.len == text.len && (text.len == 0 || memcmp(data.data, text.data, text.len) == 0);
}

static bool message_is(const Switchyard__Oracle__NodeInfo *msg, const sy_node_info *info) {
    return binary_is(msg->default_node_id, info->id) &&
           binary_is(msg->listen_addr, info->listen_addr) &&
           binary_is(msg->network, info->network) && binary_is(msg->version, info->version) &&
           binary_is(msg->channels, (sy_text){(const char *)info->channels, info->channel_count}) &&
           binary_is(msg->moniker, info->moniker) &&
           binary_is(msg->other->tx_index, info->tx_index) &&
           binary_is(msg->other->rpc_address, info->rpc_address) &&
           msg->protocol_version->p2p == info->p2p_version &&
           msg->protocol_version->block == info->block_version &&
           msg->protocol_version->app == info->app_version;
}

/* SPEC-TEST NI-07, NI-09 */
Test(node_info_oracle, protobuf_c_writes_and_reads_the_same_node_info) {
    static arena a;
    static uint8_t ours[SY_NODE_INFO_LEN_MAX];
    static uint8_t theirs[SY_NODE_INFO_LEN_MAX];
    sy_prng prng;
    sy_prng_init(&prng, 1);

    for (int round = 0; round < ROUNDS; round++) {
        sy_node_info info = random_info(&prng, &a);
        info.tx_index = random_text(&prng, &a, true);
        info.rpc_address = random_text(&prng, &a, true);
        info.p2p_version = random_number(&prng);
        info.block_version = random_number(&prng);
        info.app_version = random_number(&prng);

        Switchyard__Oracle__ProtocolVersion version = SWITCHYARD__ORACLE__PROTOCOL_VERSION__INIT;
        version.p2p = info.p2p_version;
        version.block = info.block_version;
        version.app = info.app_version;
        Switchyard__Oracle__NodeInfoOther other = SWITCHYARD__ORACLE__NODE_INFO_OTHER__INIT;
        other.tx_index = binary(info.tx_index);
        other.rpc_address = binary(info.rpc_address);
        Switchyard__Oracle__NodeInfo msg = SWITCHYARD__ORACLE__NODE_INFO__INIT;
        msg.protocol_version = &version;
        msg.default_node_id = binary(info.id);
        msg.listen_addr = binary(info.listen_addr);
        msg.network = binary(info.network);
        msg.version = binary(info.version);
        msg.channels = binary((sy_text){(const char *)info.channels, info.channel_count});
        msg.moniker = binary(info.moniker);
        msg.other = &other;

        size_t len = 0;
        cr_assert_eq(sy_node_info_encode(SY_NODE_INFO_PROTO, &info, ours, sizeof ours, &len), SY_OK,
                     "round %d", round);
        cr_assert_leq(switchyard__oracle__node_info__get_packed_size(&msg), sizeof theirs);
        const size_t their_len = switchyard__oracle__node_info__pack(&msg, theirs);
        cr_assert(len == their_len && memcmp(ours, theirs, len) == 0, "round %d: bytes %s", round,
                  test_hex_of(ours, len));

        sy_node_info back;
        cr_assert_eq(sy_node_info_decode(SY_NODE_INFO_PROTO, theirs, their_len, &back, NULL), SY_OK,
                     "round %d", round);
        cr_assert(info_equal(&back, &info), "round %d: values", round);

        Switchyard__Oracle__NodeInfo *got = switchyard__oracle__node_info__unpack(NULL, len, ours);
        cr_assert_not_null(got, "round %d", round);
        cr_assert(message_is(got, &info), "round %d: values in protobuf-c", round);
        switchyard__oracle__node_info__free_unpacked(got, NULL);
    }
}

/* SPEC-TEST NI-02, NI-04 */
Test(node_info_oracle, protobuf_c_writes_and_reads_the_same_amino_structure) {
    static arena a;
    static uint8_t ours[SY_NODE_INFO_LEN_MAX];
    static uint8_t theirs[SY_NODE_INFO_LEN_MAX];
    sy_prng prng;
    sy_prng_init(&prng, 2);

    for (int round = 0; round < ROUNDS; round++) {
        sy_node_info info = random_info(&prng, &a);
        ProtobufCBinaryData other[SY_NODE_INFO_OTHER_KEPT];
        info.other_count = sy_prng_below(&prng, SY_NODE_INFO_OTHER_KEPT + 1);
        for (size_t i = 0; i < info.other_count; i++) {
            info.other[i] = random_text(&prng, &a, true);
            other[i] = binary(info.other[i]);
        }

        Switchyard__Oracle__AminoNodeInfo msg = SWITCHYARD__ORACLE__AMINO_NODE_INFO__INIT;
        msg.id = binary(info.id);
        msg.listen_addr = binary(info.listen_addr);
        msg.network = binary(info.network);
        msg.version = binary(info.version);
        msg.channels = binary((sy_text){(const char *)info.channels, info.channel_count});
        msg.moniker = binary(info.moniker);
        msg.n_other = info.other_count;
        msg.other = other;

        size_t len = 0;
        cr_assert_eq(sy_node_info_encode(SY_NODE_INFO_AMINO, &info, ours, sizeof ours, &len), SY_OK,
                     "round %d", round);
        cr_assert_leq(switchyard__oracle__amino_node_info__get_packed_size(&msg), sizeof theirs);
        const size_t their_len = switchyard__oracle__amino_node_info__pack(&msg, theirs);
        cr_assert(len == their_len && memcmp(ours, theirs, len) == 0, "round %d: bytes %s", round,
                  test_hex_of(ours, len));

        sy_node_info back;
        cr_assert_eq(sy_node_info_decode(SY_NODE_INFO_AMINO, theirs, their_len, &back, NULL), SY_OK,
                     "round %d", round);
        cr_assert(info_equal(&back, &info), "round %d: values", round);

        Switchyard__Oracle__AminoNodeInfo *got =
            switchyard__oracle__amino_node_info__unpack(NULL, len, ours);
        cr_assert_not_null(got, "round %d", round);
        cr_assert_eq(got->n_other, info.other_count, "round %d", round);
        for (size_t i = 0; i < info.other_count; i++) {
            cr_assert(binary_is(got->other[i], info.other[i]), "round %d: other %zu", round, i);
        }
        cr_assert(binary_is(got->id, info.id) && binary_is(got->moniker, info.moniker) &&
                      binary_is(got->listen_addr, info.listen_addr) &&
                      binary_is(got->network, info.network) &&
                      binary_is(got->version, info.version),
                  "round %d: values in protobuf-c", round);
        switchyard__oracle__amino_node_info__free_unpacked(got, NULL);
    }
}
