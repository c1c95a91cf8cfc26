/* SPDX-License-Identifier: Apache-2.0 */
/* NodeInfo in amino 0.10: an unregistered structure of seven length-delimited fields.
 *
 *   1 ID   2 ListenAddr   3 Network   4 Version   5 Channels   6 Moniker   7 Other, repeated
 *
 * Field numbers must grow; field 7 alone may repeat, in one run; higher ones are skipped. */
#include <stdint.h>
#include <string.h>

#include "base/mutant.h"
#include "base/rd.h"
#include "base/wr.h"
#include "nodeinfo/node_info_internal.h"

enum {
    FIELD_ID = 1,
    FIELD_LISTEN_ADDR = 2,
    FIELD_NETWORK = 3,
    FIELD_VERSION = 4,
    FIELD_CHANNELS = 5,
    FIELD_MONIKER = 6,
    FIELD_OTHER = 7,
};

#define TX_INDEX_KEY SY_TEXT("tx_index=")
#define RPC_ADDR_KEY SY_TEXT("rpc_addr=")

static bool has_prefix(sy_text text, sy_text prefix) {
    return text.len >= prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0;
}

/* SPEC NI-43: the value behind key, when *view is still unset. */
static void take_view(sy_text entry, sy_text key, sy_text *view) {
    if (view->data == NULL && has_prefix(entry, key)) {
        *view = (sy_text){entry.data + key.len, entry.len - key.len};
    }
}

/* `start` is where the field's key stands: the entries that are not kept stay readable as the
 * encoded run that begins at the first of them. */
static void take_other(sy_node_info *info, sy_text entry, const uint8_t *start,
                       const uint8_t *end) {
    if (info->other_count < SY_NODE_INFO_OTHER_KEPT) {
        info->other[info->other_count] = entry;
    } else {
        if (info->other_count == SY_NODE_INFO_OTHER_KEPT) {
            info->other_rest.data = (const char *)start;
        }
        info->other_rest.len = (size_t)((const char *)end - info->other_rest.data);
    }
    info->other_count++;
    take_view(entry, TX_INDEX_KEY, &info->tx_index);
    take_view(entry, RPC_ADDR_KEY, &info->rpc_address);
}

static void take_field(sy_node_info *info, const sy_field *field, const uint8_t *start,
                       const uint8_t *end) {
    const sy_text text = ni_text_of(field);
    switch (field->number) {
    case FIELD_ID:
        info->id = text;
        break;
    case FIELD_LISTEN_ADDR:
        info->listen_addr = text;
        break;
    case FIELD_NETWORK:
        info->network = text;
        break;
    case FIELD_VERSION:
        info->version = text;
        break;
    case FIELD_CHANNELS:
        info->channels = field->bytes.data;
        info->channel_count = field->bytes.len;
        break;
    case FIELD_MONIKER:
        info->moniker = text;
        break;
    default:
        take_other(info, text, start, end);
        break;
    }
}

/* SPEC NI-04, NI-05, NI-06 */
sy_err ni_amino_decode(const uint8_t *data, size_t len, sy_node_info *info, sy_detail *detail) {
    sy_rd rd;
    sy_rd_init(&rd, data, len);
    uint32_t last = 0;

    for (;;) {
        const uint8_t *start = rd.pos;
        sy_field field;
        if (!sy_rd_field(&rd, &field)) {
            break;
        }
        if ((field.number < last || (field.number == last && last != FIELD_OTHER)) &&
            !SY_MUTANT(NI_ORDER)) {
            sy_detail_set(detail, "field %u after field %u", (unsigned)field.number,
                          (unsigned)last);
            return SY_ERR_NI_MALFORMED;
        }
        last = field.number;
        if (field.number > FIELD_OTHER && !SY_MUTANT(NI_UNKNOWN)) {
            continue;
        }
        if (field.type != SY_WIRE_BYTES) {
            sy_detail_set(detail, "field %u has wire type %u, not 2", (unsigned)field.number,
                          (unsigned)field.type);
            return SY_ERR_NI_MALFORMED;
        }
        take_field(info, &field, start, rd.pos);
    }
    if (rd.err != SY_OK && !SY_MUTANT(NI_REST)) {
        sy_detail_set(detail, "byte %zu of %zu: %s", (size_t)(rd.pos - data), len,
                      sy_strerror(rd.err));
        return SY_ERR_NI_MALFORMED;
    }
    return SY_OK;
}

/* SPEC NI-02 */
void ni_amino_encode(const sy_node_info *info, sy_wr *wr) {
    sy_wr_field_bytes(wr, FIELD_ID, info->id.data, info->id.len);
    sy_wr_field_bytes(wr, FIELD_LISTEN_ADDR, info->listen_addr.data, info->listen_addr.len);
    sy_wr_field_bytes(wr, FIELD_NETWORK, info->network.data, info->network.len);
    sy_wr_field_bytes(wr, FIELD_VERSION, info->version.data, info->version.len);
    sy_wr_field_bytes(wr, FIELD_CHANNELS, info->channels, info->channel_count);
    sy_wr_field_bytes(wr, FIELD_MONIKER, info->moniker.data, info->moniker.len);

    ni_other_iter it;
    sy_text entry;
    ni_other_begin(&it, info);
    while (ni_other_next(&it, &entry)) {
        sy_wr_field_bytes_always(wr, FIELD_OTHER, entry.data, entry.len);
    }
}
