/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/nodeinfo/nodeinfo_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t channels[] = {0x40, 0x20, 0x00};

sy_node_info test_info(void) {
    return (sy_node_info){
        .id = T(TEST_ID),
        .listen_addr = T("1.2.3.4:26656"),
        .network = T("test-chain"),
        .version = T("0.22.8"),
        .p2p_version = 8,
        .block_version = 11,
        .channels = channels,
        .channel_count = sizeof channels,
        .moniker = T("alice"),
        .tx_index = T("on"),
        .rpc_address = T("tcp://0.0.0.0:26657"),
        .other_count = 2,
        .other = {T("tx_index=on"), T("rpc_addr=tcp://0.0.0.0:26657")},
    };
}

static bool bytes_equal(const void *a, size_t a_len, const void *b, size_t b_len) {
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool text_equal(sy_text a, sy_text b) {
    return bytes_equal(a.data, a.len, b.data, b.len);
}

bool text_is(sy_text text, const char *expected) {
    return bytes_equal(text.data, text.len, expected, strlen(expected));
}

static size_t kept(const sy_node_info *info) {
    return info->other_count < SY_NODE_INFO_OTHER_KEPT ? info->other_count
                                                       : SY_NODE_INFO_OTHER_KEPT;
}

bool info_equal(const sy_node_info *a, const sy_node_info *b) {
    bool equal = text_equal(a->id, b->id) && text_equal(a->listen_addr, b->listen_addr) &&
                 text_equal(a->network, b->network) && text_equal(a->version, b->version) &&
                 text_equal(a->moniker, b->moniker) && text_equal(a->tx_index, b->tx_index) &&
                 text_equal(a->rpc_address, b->rpc_address) && a->p2p_version == b->p2p_version &&
                 a->block_version == b->block_version && a->app_version == b->app_version &&
                 bytes_equal(a->channels, a->channel_count, b->channels, b->channel_count) &&
                 a->other_count == b->other_count;
    for (size_t i = 0; equal && i < kept(a); i++) {
        equal = text_equal(a->other[i], b->other[i]);
    }
    return equal;
}

static bool inside(const void *view, size_t view_len, const uint8_t *data, size_t len) {
    const uintptr_t start = (uintptr_t)view;
    return view_len == 0 || (start >= (uintptr_t)data && view_len <= len &&
                             start - (uintptr_t)data <= len - view_len);
}

bool info_inside(const sy_node_info *info, const uint8_t *data, size_t len) {
    const sy_text texts[] = {info->id,      info->listen_addr, info->network,     info->version,
                             info->moniker, info->tx_index,    info->rpc_address, info->other_rest};
    bool ok = inside(info->channels, info->channel_count, data, len);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ok = ok && inside(texts[i].data, texts[i].len, data, len);
    }
    for (size_t i = 0; i < kept(info); i++) {
        ok = ok && inside(info->other[i].data, info->other[i].len, data, len);
    }
    return ok;
}

static void fail(const char *what, size_t len) {
    (void)fprintf(stderr, "decode_exact: %s (input of %zu bytes)\n", what, len);
    abort();
}

/* Encodes info and decodes the result: the values must be the same. */
static bool survives(sy_node_info_codec codec, const sy_node_info *info) {
    uint8_t *out = malloc(SY_NODE_INFO_LEN_MAX);
    size_t out_len = 0;
    sy_node_info again;
    const bool ok =
        sy_node_info_encode(codec, info, out, SY_NODE_INFO_LEN_MAX, &out_len) == SY_OK &&
        sy_node_info_decode(codec, out, out_len, &again, NULL) == SY_OK && info_equal(info, &again);
    free(out);
    return ok;
}

sy_err decode_exact(sy_node_info_codec codec, const uint8_t *data, size_t len, bool *ret_again) {
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    sy_node_info info;
    sy_detail detail = {"stale"};
    memset(&info, 0xa5, sizeof info);
    sy_node_info untouched;
    memset(&untouched, 0xa5, sizeof untouched);

    const sy_err err = sy_node_info_decode(codec, len > 0 ? copy : NULL, len, &info, &detail);
    if (err == SY_OK) {
        if (!info_inside(&info, copy, len)) {
            fail("a view leaves the input", len);
        }
        if (detail.text[0] != '\0') {
            fail("detail on success", len);
        }
        *ret_again = survives(codec, &info);
    } else {
        if (memcmp(&info, &untouched, sizeof info) != 0) {
            fail("output written on failure", len);
        }
        if (detail.text[0] == '\0' || strcmp(detail.text, "stale") == 0) {
            fail("no detail on failure", len);
        }
    }
    free(copy);
    return err;
}

size_t cut_and_damage(sy_node_info_codec codec, const uint8_t *body, size_t len) {
    static const uint8_t values[] = {0x00, 0x01, 0x07, 0x0a, 0x3a, 0x7f, 0x80, 0xff, 0x42};
    uint8_t *damaged = malloc(len);
    size_t bad = SIZE_MAX;
    bool again = true;

    for (size_t cut = 0; cut < len && bad == SIZE_MAX; cut++) {
        const sy_err err = decode_exact(codec, body, cut, &again);
        if (err != SY_OK && err != SY_ERR_NI_MALFORMED) {
            fail("another error than NI_MALFORMED", cut);
        }
        if (err == SY_OK && !again) {
            bad = cut;
        }
    }
    for (size_t at = 0; at < len; at++) {
        for (size_t v = 0; v < sizeof values; v++) {
            memcpy(damaged, body, len);
            damaged[at] = values[v];
            (void)decode_exact(codec, damaged, len, &again);
        }
    }
    free(damaged);
    return bad;
}
