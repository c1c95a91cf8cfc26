/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of peer exchange in both encodings.  Decoding is in place, without allocation and
 * syntax only; what an address means is judged by sy_pex_addr_read.
 *
 * Source: docs/spec/pex.md. */
#ifndef SY_REACTORS_PEX_CODEC_H
#define SY_REACTORS_PEX_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr_source.h>
#include <switchyard/detail.h>
#include <switchyard/err.h>

#include "base/rd.h"

#define SY_PEX_MESSAGE_MAX 64000 /* 250 addresses of at most 256 bytes, both projects */

typedef enum sy_pex_encoding {
    SY_PEX_AMINO, /* Tendermint 0.22 */
    SY_PEX_PROTO, /* CometBFT */
} sy_pex_encoding;

typedef enum sy_pex_kind {
    SY_PEX_REQUEST,
    SY_PEX_ADDRS,
} sy_pex_kind;

/* One element as it stands in the message; borrows from it. */
typedef struct sy_pex_addr {
    sy_bytes id;
    sy_bytes ip; /* amino: bytes; protobuf: text */
    uint32_t port;
} sy_pex_addr;

typedef struct sy_pex_message {
    sy_pex_kind kind;
    size_t count;
    sy_pex_addr addrs[SY_ADDR_SAMPLE_MAX];
} sy_pex_message;

/* detail (may be NULL) says what and where.  *ret_message is undefined on failure.
 *   SY_ERR_PREFIX        no message of peer exchange
 *   SY_ERR_NO_SPACE      more than SY_ADDR_SAMPLE_MAX addresses
 *   SY_ERR_MESSAGE_TOO_LONG, TRUNCATED, VARINT, VARINT_MINIMAL, FIELD_NUMBER, FIELD_TYPE,
 *   FIELD_RANGE, FIELD_LENGTH */
sy_err sy_pex_decode(sy_pex_encoding encoding, const uint8_t *data, size_t len,
                     sy_pex_message *ret_message, sy_detail *detail)
    __attribute__((warn_unused_result));

/* false: no address that could be dialed (ID, length of the IP, port). */
bool sy_pex_addr_read(sy_pex_encoding encoding, const sy_pex_addr *raw, sy_net_addr *ret_addr);

#define SY_PEX_REQUEST_CAP 4
size_t sy_pex_encode_request(sy_pex_encoding encoding, uint8_t out[SY_PEX_REQUEST_CAP]);

/*   SY_ERR_NO_SPACE */
sy_err sy_pex_encode_addrs(sy_pex_encoding encoding, const sy_net_addr *addrs, size_t count,
                           uint8_t *out, size_t cap, size_t *ret_len)
    __attribute__((warn_unused_result));

#endif
