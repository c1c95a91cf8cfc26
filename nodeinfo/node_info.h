/* SPDX-License-Identifier: Apache-2.0 */
/* NodeInfo: what a node says of itself in the version handshake.  One struct for all Tendermint
 * profiles; two codecs (amino 0.10, protobuf), read by our own reader in place and without
 * allocation; validation and compatibility with a reason that names field and value.
 * Source: docs/spec/node-info.md. */
#ifndef SWITCHYARD_NODE_INFO_H
#define SWITCHYARD_NODE_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/mem.h>
#include <switchyard/node_id.h>

SY_BEGIN_DECLS

#define SY_NODE_INFO_LEN_MAX      10240
#define SY_NODE_INFO_CHANNELS_MAX 16
#define SY_NODE_INFO_OTHER_KEPT   32 /* entries kept of `other`; more are checked and counted */

/* Borrowed text, not NUL-terminated, any bytes until validated. */
typedef struct sy_text {
    const char *data;
    size_t len;
} sy_text;

#define SY_TEXT(literal) ((sy_text){(literal), sizeof(literal) - 1})

/* Views into the bytes that were decoded, or into whatever the caller filled in. */
typedef struct sy_node_info {
    sy_text id;           /* as declared: 40 lower-case hex digits in an honest message */
    sy_text listen_addr;  /* host:port, CometBFT with tcp:// in front */
    sy_text network;      /* chain id */
    sy_text version;      /* software version text */
    uint64_t p2p_version; /* these three: CometBFT only, 0 when read from amino */
    uint64_t block_version;
    uint64_t app_version;
    const uint8_t *channels; /* one byte per channel id */
    size_t channel_count;
    sy_text moniker;
    sy_text tx_index;    /* amino: the value of the "tx_index=" entry of other */
    sy_text rpc_address; /* amino: the value of the "rpc_addr=" entry of other */
    size_t other_count;  /* entries present; the first SY_NODE_INFO_OTHER_KEPT are in other */
    sy_text other[SY_NODE_INFO_OTHER_KEPT]; /* amino only */
    sy_text other_rest; /* amino: the encoded entries behind those; set by decode and copy only */
} sy_node_info;

typedef enum sy_node_info_codec {
    SY_NODE_INFO_AMINO, /* profiles tendermint and plain */
    SY_NODE_INFO_PROTO, /* profile cometbft */
} sy_node_info_codec;

/* The longest body that a remote accepts.  Tendermint counts the length prefix into its limit of
 * SY_NODE_INFO_LEN_MAX, so that amino loses the two bytes of it; CometBFT counts the body alone.
 * Whoever reads the prefix compares with this.  Any thread. */
SY_API size_t sy_node_info_body_max(sy_node_info_codec codec);

/* Decodes one NodeInfo body (without length prefix).  The result borrows from data.  Syntax only:
 * follow with validate.  Any thread.
 *   SY_ERR_NI_TOO_LONG   len > SY_NODE_INFO_LEN_MAX
 *   SY_ERR_NI_MALFORMED  with the cause in detail (may be NULL) */
SY_API sy_err sy_node_info_decode(sy_node_info_codec codec, const uint8_t *data, size_t len,
                                  sy_node_info *ret_info, sy_detail *detail) SY_MUST_USE;

/* Encodes the body (without length prefix).  Amino: entries of other are written as they are;
 * tx_index and rpc_address are not written unless they stand in other.  Any thread.
 *   SY_ERR_NO_SPACE     cap too small
 *   SY_ERR_NI_TOO_LONG  the encoding exceeds sy_node_info_body_max(codec) */
SY_API sy_err sy_node_info_encode(sy_node_info_codec codec, const sy_node_info *info, uint8_t *out,
                                  size_t cap, size_t *ret_len) SY_MUST_USE;

/* Copies info and everything it points to into one block, charged to budget (may be NULL); every
 * data pointer of the copy is valid, also those of empty texts.
 * Returns owned: free with sy_node_info_del and the same mem and budget.
 *   SY_ERR_NOMEM, SY_ERR_LIMIT */
SY_API sy_err sy_node_info_copy(const sy_mem *mem, sy_budget *budget, const sy_node_info *info,
                                sy_node_info **ret_copy) SY_MUST_USE;
SY_API void sy_node_info_del(const sy_mem *mem, sy_budget *budget, sy_node_info *copy);

/* The rules on one NodeInfo alone, in the order of the codec's reference implementation.
 * listen_err is the caller's verdict on listen_addr (SY_OK or SY_ERR_NI_LISTEN_ADDR; parsing
 * addresses is not this module's business), reported at its place in the order.  detail (may be
 * NULL) names field and value.  Any thread.
 *   SY_ERR_NI_CHANNELS_MAX, NI_CHANNELS_DUP, NI_MONIKER, NI_OTHER, NI_VERSION_TEXT, NI_TX_INDEX,
 *   NI_RPC_ADDRESS, NI_LISTEN_ADDR */
SY_API sy_err sy_node_info_validate(sy_node_info_codec codec, const sy_node_info *info,
                                    sy_err listen_err, sy_detail *detail) SY_MUST_USE;

/* The declared ID against the authenticated one: exact lower-case text.
 *   SY_ERR_NI_ID_MISMATCH */
SY_API sy_err sy_node_info_check_id(const sy_node_info *info, const sy_node_id *authenticated,
                                    sy_detail *detail) SY_MUST_USE;

/* Do these two belong together?  Amino: version form and major, network, a common channel.
 * Protobuf: block version, network, a common channel.  Not symmetric in the empty channel list:
 * ours empty accepts, theirs empty refuses.  Any thread.
 *   SY_ERR_NI_VERSION_FORM, NI_VERSION_MAJOR, NI_BLOCK_VERSION, NI_NETWORK,
 *   NI_NO_COMMON_CHANNEL */
SY_API sy_err sy_node_info_compatible(sy_node_info_codec codec, const sy_node_info *ours,
                                      const sy_node_info *theirs, sy_detail *detail) SY_MUST_USE;

/* Is channel_id in the list of info? */
SY_API bool sy_node_info_has_channel(const sy_node_info *info, uint8_t channel_id);

SY_END_DECLS

#endif
