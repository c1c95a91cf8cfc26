/* SPDX-License-Identifier: Apache-2.0 */
/* SPEC PEX-01 PEX-02 PEX-03 PEX-04 PEX-05 PEX-06 PEX-07 PEX-08 PEX-09 */
#include "reactors/pex/pex_codec.h"

#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "base/wr.h"

static const uint8_t amino_request[4] = {0x72, 0x3a, 0x31, 0xcd};
static const uint8_t amino_addrs[4] = {0x1c, 0xbb, 0x67, 0x6b};
static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

enum {
    PROTO_REQUEST = 1,
    PROTO_ADDRS = 2,
};

enum {
    LIST_ADDR = 1,
};

enum {
    ADDR_ID = 1,
    ADDR_IP = 2,
    ADDR_PORT = 3,
};

static sy_err refuse(sy_detail *detail, sy_err err, const char *what) {
    sy_detail_set(detail, "%s: %s", what, sy_strerror(err));
    return err;
}

static sy_err take_member(const sy_field *field, sy_pex_addr *addr) {
    const sy_wire_type want = field->number == ADDR_PORT ? SY_WIRE_VARINT : SY_WIRE_BYTES;
    if (field->number > ADDR_PORT) {
        return SY_OK;
    }
    if (field->type != want) {
        return SY_ERR_FIELD_TYPE;
    }
    switch (field->number) {
    case ADDR_ID:
        addr->id = field->bytes;
        break;
    case ADDR_IP:
        addr->ip = field->bytes;
        break;
    default:
        if (field->varint > UINT16_MAX && !SY_MUTANT(PEX_PORT)) {
            return SY_ERR_FIELD_RANGE;
        }
        addr->port = (uint32_t)field->varint;
        break;
    }
    return SY_OK;
}

/* Amino wants its fields in order, each once; protobuf takes them as they come. */
static sy_err read_addr(sy_pex_encoding encoding, sy_bytes bytes, sy_pex_addr *addr) {
    sy_rd rd;
    sy_field field;
    uint32_t last = 0;
    *addr = (sy_pex_addr){.port = 0};
    sy_rd_init(&rd, bytes.data, bytes.len);
    while (sy_rd_field(&rd, &field)) {
        if (encoding == SY_PEX_AMINO && field.number <= last && !SY_MUTANT(PEX_ORDER)) {
            return SY_ERR_FIELD_NUMBER;
        }
        last = field.number;
        const sy_err err = take_member(&field, addr);
        if (err != SY_OK) {
            return err;
        }
    }
    return rd.err;
}

static sy_err check_element(sy_pex_encoding encoding, const uint8_t *start, const sy_field *field,
                            sy_detail *detail) {
    if (field->type != SY_WIRE_BYTES) {
        return refuse(detail, SY_ERR_FIELD_TYPE, "list");
    }
    if (encoding == SY_PEX_PROTO) {
        return SY_OK;
    }
    if (field->bytes.len == 0 && !SY_MUTANT(PEX_NIL)) { /* the reference decodes a nil address */
        return refuse(detail, SY_ERR_FIELD_LENGTH, "nil address");
    }
    if ((size_t)(field->bytes.data - start) != 1 + sy_uvarint_size(field->bytes.len) &&
        !SY_MUTANT(PEX_LENGTH)) {
        return refuse(detail, SY_ERR_VARINT_MINIMAL, "length of an address");
    }
    return SY_OK;
}

/* SPEC PEX-06: a CometBFT node refuses a whole list for one IP that is none. */
static sy_err check_ip(sy_pex_encoding encoding, const sy_pex_addr *addr, sy_detail *detail) {
    sy_endpoint endpoint;
    if (SY_MUTANT(PEX_IP_4) && encoding == SY_PEX_AMINO && addr->ip.len == 4) {
        return refuse(detail, SY_ERR_FIELD_LENGTH, "IP of an address"); /* against PEX-02 */
    }
    if (encoding == SY_PEX_PROTO && !SY_MUTANT(PEX_IP) &&
        sy_endpoint_parse_ip((const char *)addr->ip.data, addr->ip.len, &endpoint) != SY_OK) {
        return refuse(detail, SY_ERR_FIELD_RANGE, "IP of an address");
    }
    return SY_OK;
}

static sy_err read_list(sy_pex_encoding encoding, sy_bytes bytes, sy_pex_message *message,
                        sy_detail *detail) {
    sy_rd rd;
    sy_field field;
    uint32_t last = 0;
    message->kind = SY_PEX_ADDRS;
    message->count = 0;
    sy_rd_init(&rd, bytes.data, bytes.len);
    for (;;) {
        const uint8_t *start = rd.pos;
        if (!sy_rd_field(&rd, &field)) {
            break;
        }
        const bool in_order =
            field.number > last || (field.number == LIST_ADDR && last == LIST_ADDR);
        if (encoding == SY_PEX_AMINO && !in_order) {
            return refuse(detail, SY_ERR_FIELD_NUMBER, "list");
        }
        last = field.number;
        if (field.number != LIST_ADDR) {
            continue;
        }
        sy_err err = check_element(encoding, start, &field, detail);
        if (err != SY_OK) {
            return err;
        }
        if (message->count == SY_ADDR_SAMPLE_MAX && SY_MUTANT(PEX_251)) {
            continue;
        }
        if (message->count == SY_ADDR_SAMPLE_MAX - SY_MUTANT(PEX_249)) {
            return refuse(detail, SY_ERR_NO_SPACE, "more than 250 addresses");
        }
        sy_pex_addr *addr = &message->addrs[message->count];
        err = read_addr(encoding, field.bytes, addr);
        if (err != SY_OK) {
            return refuse(detail, err, "address");
        }
        err = check_ip(encoding, addr, detail);
        sy_net_addr whole;
        if (SY_MUTANT(PEX_STRICT) && !sy_pex_addr_read(encoding, addr, &whole)) {
            err = SY_ERR_FIELD_RANGE; /* against PEX-07 */
        }
        if (err != SY_OK) {
            return err;
        }
        message->count++;
    }
    return rd.err == SY_OK ? SY_OK : refuse(detail, rd.err, "list");
}

/* Unknown fields are skipped, but they must be fields. */
static sy_err read_nothing(sy_pex_encoding encoding, sy_bytes bytes, sy_detail *detail) {
    sy_rd rd;
    sy_field field;
    uint32_t last = 0;
    sy_rd_init(&rd, bytes.data, bytes.len);
    while (sy_rd_field(&rd, &field)) {
        if (encoding == SY_PEX_AMINO && field.number <= last) {
            return refuse(detail, SY_ERR_FIELD_NUMBER, "request");
        }
        last = field.number;
    }
    return rd.err == SY_OK ? SY_OK : refuse(detail, rd.err, "request");
}

static sy_err decode_amino(const uint8_t *data, size_t len, sy_pex_message *message,
                           sy_detail *detail) {
    if (len < sizeof amino_request) {
        return refuse(detail, SY_ERR_TRUNCATED, "prefix");
    }
    const sy_bytes body = {data + 4, len - 4};
    if (memcmp(data, amino_request, 4) == 0) {
        message->kind = SY_PEX_REQUEST;
        message->count = 0;
        return read_nothing(SY_PEX_AMINO, body, detail);
    }
    if (memcmp(data, amino_addrs, 4) == 0) {
        return read_list(SY_PEX_AMINO, body, message, detail);
    }
    return refuse(detail, SY_ERR_PREFIX, "message");
}

/* SPEC PEX-04: of two members of the choice the last one counts. */
static sy_err decode_proto(const uint8_t *data, size_t len, sy_pex_message *message,
                           sy_detail *detail) {
    sy_rd rd;
    sy_field field;
    bool found = false;
    message->kind = SY_PEX_REQUEST;
    sy_rd_init(&rd, data, len);
    while (sy_rd_field(&rd, &field)) {
        if (field.number > PROTO_ADDRS && SY_MUTANT(PEX_UNKNOWN)) {
            return refuse(detail, SY_ERR_FIELD_NUMBER, "message");
        }
        if (found && SY_MUTANT(PEX_FIRST)) {
            break;
        }
        if (field.number > PROTO_ADDRS) {
            continue;
        }
        if (field.type != SY_WIRE_BYTES) {
            return refuse(detail, SY_ERR_FIELD_TYPE, "message");
        }
        message->kind = SY_PEX_REQUEST;
        message->count = 0;
        const sy_err err = field.number == PROTO_REQUEST
                               ? read_nothing(SY_PEX_PROTO, field.bytes, detail)
                               : read_list(SY_PEX_PROTO, field.bytes, message, detail);
        if (err != SY_OK) {
            return err;
        }
        found = true;
    }
    if (rd.err != SY_OK) {
        return refuse(detail, rd.err, "message");
    }
    return found || SY_MUTANT(PEX_NONE) ? SY_OK : refuse(detail, SY_ERR_PREFIX, "message");
}

sy_err sy_pex_decode(sy_pex_encoding encoding, const uint8_t *data, size_t len,
                     sy_pex_message *ret_message, sy_detail *detail) {
    SY_REQUIRE(data != NULL || len == 0);
    if (len > SY_PEX_MESSAGE_MAX - SY_MUTANT(PEX_SHORT)) {
        return refuse(detail, SY_ERR_MESSAGE_TOO_LONG, "message");
    }
    return encoding == SY_PEX_AMINO ? decode_amino(data, len, ret_message, detail)
                                    : decode_proto(data, len, ret_message, detail);
}

/* ---- What an address means ---------------------------------------------------------------------
 */

/* SPEC PEX-07: lower case only, for IDs are compared as text elsewhere. */
static bool read_id(sy_bytes text, sy_node_id *ret_id) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] >= 'A' && text.data[i] <= 'F') {
            return false;
        }
    }
    return sy_node_id_parse((const char *)text.data, text.len, ret_id) == SY_OK;
}

static bool read_ip(sy_pex_encoding encoding, sy_bytes ip, sy_endpoint *ret_endpoint) {
    if (encoding == SY_PEX_PROTO) {
        return sy_endpoint_parse_ip((const char *)ip.data, ip.len, ret_endpoint) == SY_OK;
    }
    if (ip.len == 16) {
        memcpy(ret_endpoint->ip, ip.data, 16);
        return true;
    }
    if (ip.len == 4) {
        memcpy(ret_endpoint->ip, v4_mapped, sizeof v4_mapped);
        memcpy(ret_endpoint->ip + 12, ip.data, 4);
        return true;
    }
    return false;
}

bool sy_pex_addr_read(sy_pex_encoding encoding, const sy_pex_addr *raw, sy_net_addr *ret_addr) {
    sy_net_addr addr = {.endpoint = {.port = 0}};
    if (raw->port == 0 || !read_id(raw->id, &addr.id) ||
        !read_ip(encoding, raw->ip, &addr.endpoint)) {
        return false;
    }
    addr.endpoint.port = (uint16_t)raw->port;
    *ret_addr = addr;
    return true;
}

/* ---- Encoding ----------------------------------------------------------------------------------
 */

size_t sy_pex_encode_request(sy_pex_encoding encoding, uint8_t out[SY_PEX_REQUEST_CAP]) {
    if (encoding == SY_PEX_AMINO) {
        memcpy(out, amino_request, sizeof amino_request);
        return sizeof amino_request;
    }
    out[0] = PROTO_REQUEST << 3 | SY_WIRE_BYTES;
    out[1] = 0;
    return 2;
}

/* An IP in text, without brackets. */
static size_t ip_text(const sy_endpoint *endpoint, char out[SY_ENDPOINT_TEXT_CAP]) {
    char whole[SY_ENDPOINT_TEXT_CAP];
    sy_endpoint ip = *endpoint;
    ip.port = 0;
    const size_t len = sy_endpoint_format(&ip, whole) - 2; /* ":0" */
    const size_t brackets = whole[0] == '[' ? 1 : 0;
    memcpy(out, whole + brackets, len - 2 * brackets);
    return len - 2 * brackets;
}

#define ADDR_BODY_CAP 128 /* 2 + 40, 2 + 45, 4 */

static size_t encode_addr(sy_pex_encoding encoding, const sy_net_addr *addr,
                          uint8_t out[ADDR_BODY_CAP]) {
    sy_wr wr;
    char id[SY_NODE_ID_TEXT_CAP];
    char ip[SY_ENDPOINT_TEXT_CAP];
    sy_node_id_format(&addr->id, id);
    sy_wr_init(&wr, out, ADDR_BODY_CAP);
    sy_wr_field_bytes(&wr, ADDR_ID, id, SY_NODE_ID_TEXT_LEN);
    if (encoding == SY_PEX_AMINO) {
        sy_wr_field_bytes(&wr, ADDR_IP, addr->endpoint.ip, sizeof addr->endpoint.ip);
    } else {
        sy_wr_field_bytes(&wr, ADDR_IP, ip, ip_text(&addr->endpoint, ip));
    }
    sy_wr_field_uvarint(&wr, ADDR_PORT, addr->endpoint.port);
    SY_ASSERT(wr.len <= ADDR_BODY_CAP);
    return wr.len;
}

static void put_list(sy_wr *wr, sy_pex_encoding encoding, const sy_net_addr *addrs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint8_t body[ADDR_BODY_CAP];
        const size_t len = encode_addr(encoding, &addrs[i], body);
        sy_wr_field_bytes_always(wr, LIST_ADDR, body, len);
    }
}

sy_err sy_pex_encode_addrs(sy_pex_encoding encoding, const sy_net_addr *addrs, size_t count,
                           uint8_t *out, size_t cap, size_t *ret_len) {
    sy_wr wr;
    sy_wr_init(&wr, out, cap);
    if (encoding == SY_PEX_AMINO) {
        sy_wr_bytes(&wr, amino_addrs, sizeof amino_addrs);
    } else {
        sy_wr list;
        sy_wr_init(&list, NULL, 0);
        put_list(&list, encoding, addrs, count);
        sy_wr_key(&wr, PROTO_ADDRS, SY_WIRE_BYTES);
        sy_wr_uvarint(&wr, list.len);
    }
    put_list(&wr, encoding, addrs, count);
    return sy_wr_finish(&wr, ret_len);
}
