/* SPDX-License-Identifier: Apache-2.0 */
/* What does not depend on the rules: dispatch to the codecs, the copy in one block, look-up. */
#include <switchyard/node_info.h>

#include <stdint.h>
#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "base/rd.h"
#include "base/wr.h"
#include "nodeinfo/node_info_internal.h"

/* A copy: one allocation, the bytes right behind the struct. */
typedef struct copy_block {
    size_t size; /* of the whole block, as charged */
    sy_node_info info;
} copy_block;

static bool codec_is_valid(sy_node_info_codec codec) {
    return codec == SY_NODE_INFO_AMINO || codec == SY_NODE_INFO_PROTO;
}

static size_t kept_count(const sy_node_info *info) {
    return info->other_count < SY_NODE_INFO_OTHER_KEPT ? info->other_count
                                                       : SY_NODE_INFO_OTHER_KEPT;
}

/* SPEC NI-03, NI-08 */
size_t sy_node_info_body_max(sy_node_info_codec codec) {
    SY_REQUIRE(codec_is_valid(codec));
    return codec == SY_NODE_INFO_AMINO && !SY_MUTANT(NI_LIMIT_HIGH) ? SY_NODE_INFO_LEN_MAX - 2
                                                                    : SY_NODE_INFO_LEN_MAX;
}

sy_err sy_node_info_decode(sy_node_info_codec codec, const uint8_t *data, size_t len,
                           sy_node_info *ret_info, sy_detail *detail) {
    SY_REQUIRE(codec_is_valid(codec));
    SY_REQUIRE(data != NULL || len == 0);

    sy_detail_clear(detail);
    if (len > SY_NODE_INFO_LEN_MAX) {
        sy_detail_set(detail, "NodeInfo of %zu bytes, at most %d", len, SY_NODE_INFO_LEN_MAX);
        return SY_ERR_NI_TOO_LONG;
    }

    sy_node_info info = {0};
    const sy_err err = codec == SY_NODE_INFO_AMINO ? ni_amino_decode(data, len, &info, detail)
                                                   : ni_proto_decode(data, len, &info, detail);
    if (err == SY_OK) {
        *ret_info = info;
    }
    return err;
}

sy_err sy_node_info_encode(sy_node_info_codec codec, const sy_node_info *info, uint8_t *out,
                           size_t cap, size_t *ret_len) {
    SY_REQUIRE(codec_is_valid(codec));
    SY_REQUIRE(out != NULL || cap == 0);

    sy_wr wr;
    sy_wr_init(&wr, out, cap);
    if (codec == SY_NODE_INFO_AMINO) {
        ni_amino_encode(info, &wr);
    } else {
        ni_proto_encode(info, &wr);
    }
    if (wr.len > sy_node_info_body_max(codec)) {
        return SY_ERR_NI_TOO_LONG;
    }
    return sy_wr_finish(&wr, ret_len);
}

void ni_other_begin(ni_other_iter *it, const sy_node_info *info) {
    it->info = info;
    it->index = 0;
    sy_rd_init(&it->rest, (const uint8_t *)info->other_rest.data, info->other_rest.len);
}

bool ni_other_next(ni_other_iter *it, sy_text *ret_entry) {
    if (it->index >= it->info->other_count) {
        return false;
    }
    if (it->index < SY_NODE_INFO_OTHER_KEPT) {
        *ret_entry = it->info->other[it->index];
    } else {
        sy_field field;
        if (!sy_rd_field(&it->rest, &field)) {
            return false; /* other_count was set without other_rest, by hand */
        }
        *ret_entry = ni_text_of(&field);
    }
    it->index++;
    return true;
}

/* The texts of info as one array, for the copy. */
static size_t text_count(const sy_node_info *info) {
    return 8 + kept_count(info);
}

static sy_text *text_at(sy_node_info *info, size_t i) {
    sy_text *const fixed[] = {&info->id,          &info->listen_addr, &info->network,
                              &info->version,     &info->moniker,     &info->tx_index,
                              &info->rpc_address, &info->other_rest};
    return i < 8 ? fixed[i] : &info->other[i - 8];
}

sy_err sy_node_info_copy(const sy_mem *mem, sy_budget *budget, const sy_node_info *info,
                         sy_node_info **ret_copy) {
    sy_node_info view = *info;
    const size_t texts = text_count(&view);

    size_t size = sizeof(copy_block);
    for (size_t i = 0; i <= texts; i++) {
        const size_t len = i < texts ? text_at(&view, i)->len : view.channel_count;
        if (len > SIZE_MAX - size) {
            return SY_ERR_LIMIT;
        }
        size += len;
    }
    if (budget != NULL) {
        const sy_err err = sy_budget_reserve(budget, size);
        if (err != SY_OK) {
            return err;
        }
    }
    copy_block *block = sy_mem_zalloc(mem, size);
    if (block == NULL) {
        if (budget != NULL) {
            sy_budget_release(budget, size);
        }
        return SY_ERR_NOMEM;
    }

    char *pos = (char *)(block + 1);
    for (size_t i = 0; i < texts; i++) {
        sy_text *text = text_at(&view, i);
        if (text->len > 0) {
            memcpy(pos, text->data, text->len);
        }
        text->data = pos;
        pos += text->len;
    }
    if (view.channel_count > 0) {
        memcpy(pos, view.channels, view.channel_count);
    }
    view.channels = (const uint8_t *)pos;
    SY_ASSERT(pos + view.channel_count == (const char *)block + size);

    block->size = size;
    block->info = view;
    *ret_copy = &block->info;
    return SY_OK;
}

void sy_node_info_del(const sy_mem *mem, sy_budget *budget, sy_node_info *copy) {
    if (copy == NULL) {
        return;
    }
    void *start = (char *)copy - offsetof(copy_block, info);
    copy_block *block = start;
    if (budget != NULL) {
        sy_budget_release(budget, block->size);
    }
    sy_mem_release(mem, block);
}

bool sy_node_info_has_channel(const sy_node_info *info, uint8_t channel_id) {
    return info->channel_count > 0 &&
           memchr(info->channels, channel_id, info->channel_count) != NULL;
}
