/* SPDX-License-Identifier: Apache-2.0 */
/* NodeInfo bodies.  FUZZ_CODEC says in which encoding.  Whatever is decoded can be judged, copied,
 * and encoded again without loss. */
#include <switchyard/node_info.h>

#include <string.h>

#include "tests/fuzz/support/fuzz.h"

static uint8_t encoded[2 * SY_NODE_INFO_LEN_MAX];
static uint8_t encoded_again[2 * SY_NODE_INFO_LEN_MAX];

static bool same_text(sy_text a, sy_text b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void check_same(const sy_node_info *a, const sy_node_info *b) {
    FUZZ_CHECK(same_text(a->id, b->id) && same_text(a->listen_addr, b->listen_addr));
    FUZZ_CHECK(same_text(a->network, b->network) && same_text(a->version, b->version));
    FUZZ_CHECK(same_text(a->moniker, b->moniker) && same_text(a->tx_index, b->tx_index));
    FUZZ_CHECK(same_text(a->rpc_address, b->rpc_address));
    FUZZ_CHECK(a->p2p_version == b->p2p_version && a->block_version == b->block_version);
    FUZZ_CHECK(a->app_version == b->app_version && a->other_count == b->other_count);
    FUZZ_CHECK(same_text((sy_text){(const char *)a->channels, a->channel_count},
                         (sy_text){(const char *)b->channels, b->channel_count}));
    for (size_t i = 0; i < a->other_count && i < SY_NODE_INFO_OTHER_KEPT; i++) {
        FUZZ_CHECK(same_text(a->other[i], b->other[i]));
    }
}

static void check_inside(const sy_node_info *info, const uint8_t *data, size_t size) {
    const sy_text texts[] = {info->id,      info->listen_addr, info->network,     info->version,
                             info->moniker, info->tx_index,    info->rpc_address, info->other_rest};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        FUZZ_CHECK(fuzz_is_inside(texts[i].data, texts[i].len, data, size));
    }
    FUZZ_CHECK(fuzz_is_inside(info->channels, info->channel_count, data, size));
    FUZZ_CHECK(info->channel_count == 0 || sy_node_info_has_channel(info, info->channels[0]));
}

static void judge(const sy_node_info *info) {
    static const sy_err verdicts[] = {SY_OK, SY_ERR_NI_LISTEN_ADDR};
    sy_detail detail = {.text = ""};
    for (size_t i = 0; i < 2; i++) {
        const sy_err err = sy_node_info_validate(FUZZ_CODEC, info, verdicts[i], &detail);
        FUZZ_CHECK(i == 0 || err != SY_OK);
        fuzz_check_detail(&detail);
    }
    const sy_node_id id = {.bytes = {0}};
    const sy_err id_err = sy_node_info_check_id(info, &id, &detail);
    FUZZ_CHECK(id_err == SY_OK || id_err == SY_ERR_NI_ID_MISMATCH);
    static const uint8_t channels[] = {0x00, 0x20, 0x40};
    const sy_node_info plain = {.network = SY_TEXT("test-chain"),
                                .version = SY_TEXT("0.22.8"),
                                .block_version = 11,
                                .channels = channels,
                                .channel_count = sizeof channels};
    const sy_node_info *const ours[] = {&plain, info, info};
    const sy_node_info *const theirs[] = {info, &plain, info};
    for (size_t i = 0; i < 3; i++) {
        const sy_err err = sy_node_info_compatible(FUZZ_CODEC, ours[i], theirs[i], &detail);
        if (err != SY_OK) {
            fuzz_check_err(err, NULL);
        }
        fuzz_check_detail(&detail);
    }
}

static void copy_and_encode(const sy_node_info *info, size_t size, fuzz_world *world) {
    size_t len = 0;
    size_t len_again = 0;
    sy_node_info back;
    sy_node_info *copy = NULL;
    const sy_err err = sy_node_info_encode(FUZZ_CODEC, info, encoded, sizeof encoded, &len);
    if (err == SY_OK) {
        /* Sub-messages that protobuf always writes may be new. */
        FUZZ_CHECK(len <= size + 4 && len <= sy_node_info_body_max(FUZZ_CODEC));
        FUZZ_CHECK(sy_node_info_decode(FUZZ_CODEC, encoded, len, &back, NULL) == SY_OK);
        check_same(info, &back);
    } else {
        FUZZ_CHECK(err == SY_ERR_NI_TOO_LONG && size + 4 > sy_node_info_body_max(FUZZ_CODEC));
    }
    if (sy_node_info_copy(&world->tm.mem, &world->conn, info, &copy) == SY_OK) {
        check_same(info, copy);
        FUZZ_CHECK(sy_node_info_encode(FUZZ_CODEC, copy, encoded_again, sizeof encoded_again,
                                       &len_again) == err);
        FUZZ_CHECK(len == len_again && memcmp(encoded, encoded_again, len) == 0);
        fuzz_world_check(world);
        sy_node_info_del(&world->tm.mem, &world->conn, copy);
    } else {
        FUZZ_CHECK(world->is_tight);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_in in = fuzz_in_of(data, size);
    fuzz_world world;
    fuzz_world_init(&world, &in);
    sy_node_info info;
    sy_detail detail = {.text = ""};
    const size_t len = fuzz_left(&in);
    const sy_err err = sy_node_info_decode(FUZZ_CODEC, in.pos, len, &info, &detail);
    fuzz_check_detail(&detail);
    if (err == SY_OK) {
        FUZZ_CHECK(len <= SY_NODE_INFO_LEN_MAX);
        check_inside(&info, in.pos, len);
        judge(&info);
        copy_and_encode(&info, len, &world);
    } else {
        FUZZ_CHECK(err == SY_ERR_NI_MALFORMED ||
                   (err == SY_ERR_NI_TOO_LONG && len > SY_NODE_INFO_LEN_MAX));
    }
    fuzz_world_fini(&world);
    fuzz_count(err == SY_OK);
    return 0;
}
