/* SPDX-License-Identifier: Apache-2.0 */
/* NodeInfo in protobuf, as CometBFT declares it.
 *
 *   1 protocol_version {1 p2p, 2 block, 3 app}   2 default_node_id   3 listen_addr   4 network
 *   5 version   6 channels   7 moniker   8 other {1 tx_index, 2 rpc_address}
 *
 * Any order, unknown fields skipped, the last copy of a scalar counts; messages 1 and 8 at most
 * once. */
#include <stdint.h>

#include "base/mutant.h"
#include "base/rd.h"
#include "base/wr.h"
#include "nodeinfo/node_info_internal.h"

enum {
    FIELD_PROTOCOL_VERSION = 1,
    FIELD_ID = 2,
    FIELD_LISTEN_ADDR = 3,
    FIELD_NETWORK = 4,
    FIELD_VERSION = 5,
    FIELD_CHANNELS = 6,
    FIELD_MONIKER = 7,
    FIELD_OTHER = 8,
};

enum {
    VERSION_P2P = 1,
    VERSION_BLOCK = 2,
    VERSION_APP = 3,
};

enum {
    OTHER_TX_INDEX = 1,
    OTHER_RPC_ADDRESS = 2,
};

static sy_err malformed(const sy_rd *rd, const uint8_t *data, const char *where,
                        sy_detail *detail) {
    sy_detail_set(detail, "%sbyte %zu: %s", where, (size_t)(rd->pos - data), sy_strerror(rd->err));
    return SY_ERR_NI_MALFORMED;
}

/* Known fields of NodeInfo and of other are all bytes, those of protocol_version all varints. */
static sy_err check_type(const sy_field *field, sy_wire_type type, uint32_t number_max,
                         const char *where, sy_detail *detail) {
    if (field->number > number_max || field->type == type) {
        return SY_OK;
    }
    sy_detail_set(detail, "%sfield %u has wire type %u, not %u", where, (unsigned)field->number,
                  (unsigned)field->type, (unsigned)type);
    return SY_ERR_NI_MALFORMED;
}

static sy_err decode_versions(sy_bytes bytes, sy_node_info *info, sy_detail *detail) {
    static const char where[] = "protocol_version: ";
    sy_rd rd;
    sy_field field;
    sy_rd_init(&rd, bytes.data, bytes.len);
    while (sy_rd_field(&rd, &field)) {
        const sy_err err = check_type(&field, SY_WIRE_VARINT, VERSION_APP, where, detail);
        if (err != SY_OK) {
            return err;
        }
        switch (field.number) {
        case VERSION_P2P:
            info->p2p_version = field.varint;
            break;
        case VERSION_BLOCK:
            info->block_version = field.varint;
            break;
        case VERSION_APP:
            info->app_version = field.varint;
            break;
        default:
            break;
        }
    }
    return rd.err == SY_OK ? SY_OK : malformed(&rd, bytes.data, where, detail);
}

static sy_err decode_other(sy_bytes bytes, sy_node_info *info, sy_detail *detail) {
    static const char where[] = "other: ";
    sy_rd rd;
    sy_field field;
    sy_rd_init(&rd, bytes.data, bytes.len);
    while (sy_rd_field(&rd, &field)) {
        const sy_err err = check_type(&field, SY_WIRE_BYTES, OTHER_RPC_ADDRESS, where, detail);
        if (err != SY_OK) {
            return err;
        }
        switch (field.number) {
        case OTHER_TX_INDEX:
            info->tx_index = ni_text_of(&field);
            break;
        case OTHER_RPC_ADDRESS:
            info->rpc_address = ni_text_of(&field);
            break;
        default:
            break;
        }
    }
    return rd.err == SY_OK ? SY_OK : malformed(&rd, bytes.data, where, detail);
}

/* SPEC NI-11: a message that comes twice would have to be merged; nobody honest sends one. */
static sy_err check_once(bool *seen, const char *name, sy_detail *detail) {
    if (*seen && !SY_MUTANT(NI_ONCE)) {
        sy_detail_set(detail, "%s given twice", name);
        return SY_ERR_NI_MALFORMED;
    }
    *seen = true;
    return SY_OK;
}

/* A field other than the two messages; unknown ones are skipped. */
static void take_scalar(sy_node_info *info, const sy_field *field) {
    const sy_text text = ni_text_of(field);
    switch (field->number) {
    case FIELD_ID:
        info->id = text;
        break;
    case FIELD_LISTEN_ADDR:
        info->listen_addr = text;
        break;
    case FIELD_NETWORK:
        info->network = SY_MUTANT(NI_FIRST) && info->network.len > 0 ? info->network : text;
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
        break;
    }
}

/* SPEC NI-09, NI-10, NI-12 */
sy_err ni_proto_decode(const uint8_t *data, size_t len, sy_node_info *info, sy_detail *detail) {
    bool versions_seen = false;
    bool other_seen = false;
    sy_rd rd;
    sy_field field;
    sy_rd_init(&rd, data, len);
    while (sy_rd_field(&rd, &field)) {
        sy_err err = check_type(&field, SY_WIRE_BYTES, FIELD_OTHER, "", detail);
        if (err == SY_OK && field.number == FIELD_PROTOCOL_VERSION) {
            err = check_once(&versions_seen, "protocol_version", detail);
            if (err == SY_OK) {
                err = decode_versions(field.bytes, info, detail);
            }
        } else if (err == SY_OK && field.number == FIELD_OTHER) {
            err = check_once(&other_seen, "other", detail);
            if (err == SY_OK) {
                err = decode_other(field.bytes, info, detail);
            }
        } else if (err == SY_OK) {
            take_scalar(info, &field);
        }
        if (err != SY_OK) {
            return err;
        }
    }
    return rd.err == SY_OK ? SY_OK : malformed(&rd, data, "", detail);
}

static void encode_versions(const sy_node_info *info, sy_wr *wr) {
    sy_wr_field_uvarint(wr, VERSION_P2P, info->p2p_version);
    sy_wr_field_uvarint(wr, VERSION_BLOCK, info->block_version);
    sy_wr_field_uvarint(wr, VERSION_APP, info->app_version);
}

static void encode_other(const sy_node_info *info, sy_wr *wr) {
    sy_wr_field_bytes(wr, OTHER_TX_INDEX, info->tx_index.data, info->tx_index.len);
    sy_wr_field_bytes(wr, OTHER_RPC_ADDRESS, info->rpc_address.data, info->rpc_address.len);
}

/* A message field is written also when it is empty, so it is measured first. */
static void encode_message(const sy_node_info *info, uint32_t number,
                           void (*encode)(const sy_node_info *, sy_wr *), sy_wr *wr) {
    sy_wr measure;
    sy_wr_init(&measure, NULL, 0);
    encode(info, &measure);

    sy_wr_key(wr, number, SY_WIRE_BYTES);
    sy_wr_uvarint(wr, measure.len);
    encode(info, wr);
}

/* SPEC NI-07 */
void ni_proto_encode(const sy_node_info *info, sy_wr *wr) {
    encode_message(info, FIELD_PROTOCOL_VERSION, encode_versions, wr);
    sy_wr_field_bytes(wr, FIELD_ID, info->id.data, info->id.len);
    sy_wr_field_bytes(wr, FIELD_LISTEN_ADDR, info->listen_addr.data, info->listen_addr.len);
    sy_wr_field_bytes(wr, FIELD_NETWORK, info->network.data, info->network.len);
    sy_wr_field_bytes(wr, FIELD_VERSION, info->version.data, info->version.len);
    sy_wr_field_bytes(wr, FIELD_CHANNELS, info->channels, info->channel_count);
    sy_wr_field_bytes(wr, FIELD_MONIKER, info->moniker.data, info->moniker.len);
    encode_message(info, FIELD_OTHER, encode_other, wr);
}
