/* SPDX-License-Identifier: Apache-2.0 */
/* The rules on a received NodeInfo, in the order of the reference implementations: Tendermint and
 * CometBFT check the same things in a different order.  Each refusal names field, value and
 * limit. */
#include <switchyard/node_info.h>

#include <string.h>

#include <switchyard/assert.h>

#include "base/mutant.h"
#include "base/text.h"
#include "nodeinfo/node_info_internal.h"

/* Columns of one quoted text: two of them and the words around fit into a detail. */
#define QUOTE_COLUMNS 64

static bool text_equal(sy_text a, sy_text b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Quotes text, cut so that what stands behind it in the detail is never lost.  SPEC NI-42 */
static void quote(sy_detail *detail, sy_text text) {
    size_t shown = 0;
    size_t columns = 0;
    for (; shown < text.len; shown++) {
        const unsigned char byte = (unsigned char)text.data[shown];
        const bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
        columns += plain ? 1 : 4;
        if (columns > QUOTE_COLUMNS) {
            break;
        }
    }
    sy_detail_quote(detail, text.data, shown);
    if (shown < text.len) {
        sy_detail_add(detail, "...");
    }
}

/* The offset of the first byte outside 0x20..0x7e, or len. */
static size_t unprintable_at(sy_text text) {
    size_t i = 0;
    while (i < text.len && text.data[i] >= 0x20 && text.data[i] < 0x7f) {
        i++;
    }
    return i;
}

/* Fails with err unless text is printable; `name` is already the start of the detail. */
static sy_err check_printable(sy_text text, sy_err err, sy_detail *detail) {
    if (text.len > 0 && sy_text_is_printable(text.data, text.len)) {
        return SY_OK;
    }
    if (text.len == 0) {
        sy_detail_add(detail, " is empty");
        return err;
    }
    sy_detail_add(detail, " ");
    quote(detail, text);
    const size_t at = unprintable_at(text);
    if (at < text.len) {
        sy_detail_add(detail, ": byte 0x%02x at %zu is not printable",
                      (unsigned)(unsigned char)text.data[at], at);
    } else {
        if (SY_MUTANT(NI_BLANK)) {
            return SY_OK;
        }
        sy_detail_add(detail, ": only spaces");
    }
    return err;
}

/* SPEC NI-23 */
static sy_err check_channel_count(const sy_node_info *info, sy_detail *detail) {
    if (info->channel_count > SY_NODE_INFO_CHANNELS_MAX + SY_MUTANT(NI_CHANNELS_17)) {
        sy_detail_set(detail, "%zu channels, at most %d", info->channel_count,
                      SY_NODE_INFO_CHANNELS_MAX);
        return SY_ERR_NI_CHANNELS_MAX;
    }
    return SY_OK;
}

/* SPEC NI-24 */
static sy_err check_channels_distinct(const sy_node_info *info, sy_detail *detail) {
    bool seen[256] = {false};
    for (size_t i = 0; i < info->channel_count; i++) {
        const uint8_t channel_id = info->channels[i];
        if (seen[channel_id] && !SY_MUTANT(NI_CHANNELS_DUP)) {
            sy_detail_set(detail, "channel 0x%02x listed twice", (unsigned)channel_id);
            return SY_ERR_NI_CHANNELS_DUP;
        }
        seen[channel_id] = true;
    }
    return SY_OK;
}

/* SPEC NI-25 */
static sy_err check_moniker(const sy_node_info *info, sy_detail *detail) {
    if (SY_MUTANT(NI_MONIKER)) {
        return SY_OK;
    }
    sy_detail_set(detail, "moniker");
    return check_printable(info->moniker, SY_ERR_NI_MONIKER, detail);
}

/* SPEC NI-26 */
static sy_err check_other(const sy_node_info *info, sy_detail *detail) {
    ni_other_iter it;
    sy_text entry;
    ni_other_begin(&it, info);
    while (!SY_MUTANT(NI_OTHER) && ni_other_next(&it, &entry)) {
        sy_detail_set(detail, "other[%zu]", it.index - 1);
        const sy_err err = check_printable(entry, SY_ERR_NI_OTHER, detail);
        if (err != SY_OK) {
            return err;
        }
    }
    return SY_OK;
}

/* SPEC NI-31 */
static sy_err check_version_text(const sy_node_info *info, sy_detail *detail) {
    if (info->version.len == 0 || SY_MUTANT(NI_VERSION_TEXT)) {
        return SY_OK;
    }
    sy_detail_set(detail, "version");
    return check_printable(info->version, SY_ERR_NI_VERSION_TEXT, detail);
}

/* SPEC NI-27 */
static sy_err check_tx_index(const sy_node_info *info, sy_detail *detail) {
    const sy_text value = info->tx_index;
    if (value.len == 0 || text_equal(value, SY_TEXT("on")) || text_equal(value, SY_TEXT("off")) ||
        SY_MUTANT(NI_TX_INDEX)) {
        return SY_OK;
    }
    sy_detail_set(detail, "tx_index ");
    quote(detail, value);
    sy_detail_add(detail, ": not \"on\", \"off\" or empty");
    return SY_ERR_NI_TX_INDEX;
}

/* SPEC NI-28 */
static sy_err check_rpc_address(const sy_node_info *info, sy_detail *detail) {
    if (info->rpc_address.len == 0 || SY_MUTANT(NI_RPC)) {
        return SY_OK;
    }
    sy_detail_set(detail, "rpc_address");
    return check_printable(info->rpc_address, SY_ERR_NI_RPC_ADDRESS, detail);
}

/* SPEC NI-32: the verdict comes from whoever parses addresses. */
static sy_err check_listen(const sy_node_info *info, sy_err listen_err, sy_detail *detail) {
    if (listen_err == SY_OK || SY_MUTANT(NI_LISTEN)) {
        return SY_OK;
    }
    sy_detail_set(detail, "listen address ");
    quote(detail, info->listen_addr);
    sy_detail_add(detail, ": not host:port");
    return listen_err;
}

static sy_err validate_amino(const sy_node_info *info, sy_err listen_err, sy_detail *detail) {
    sy_err err = check_channel_count(info, detail);
    if (err == SY_OK) {
        err = check_moniker(info, detail);
    }
    if (err == SY_OK) {
        err = check_other(info, detail);
    }
    if (err == SY_OK) {
        err = check_channels_distinct(info, detail);
    }
    if (err == SY_OK) {
        err = check_listen(info, listen_err, detail);
    }
    return err;
}

static sy_err validate_proto(const sy_node_info *info, sy_err listen_err, sy_detail *detail) {
    sy_err err = check_listen(info, listen_err, detail);
    if (err == SY_OK) {
        err = check_version_text(info, detail);
    }
    if (err == SY_OK) {
        err = check_channel_count(info, detail);
    }
    if (err == SY_OK) {
        err = check_channels_distinct(info, detail);
    }
    if (err == SY_OK) {
        err = check_moniker(info, detail);
    }
    if (err == SY_OK) {
        err = check_tx_index(info, detail);
    }
    if (err == SY_OK) {
        err = check_rpc_address(info, detail);
    }
    return err;
}

sy_err sy_node_info_validate(sy_node_info_codec codec, const sy_node_info *info, sy_err listen_err,
                             sy_detail *detail) {
    SY_REQUIRE(listen_err == SY_OK || listen_err == SY_ERR_NI_LISTEN_ADDR);

    const sy_err err = codec == SY_NODE_INFO_AMINO ? validate_amino(info, listen_err, detail)
                                                   : validate_proto(info, listen_err, detail);
    if (err == SY_OK) {
        sy_detail_clear(detail);
    }
    return err;
}

/* SPEC NI-22 */
sy_err sy_node_info_check_id(const sy_node_info *info, const sy_node_id *authenticated,
                             sy_detail *detail) {
    char text[SY_NODE_ID_TEXT_CAP];
    sy_node_id other;
    if (SY_MUTANT(NI_ID_CASE) && sy_node_id_parse(info->id.data, info->id.len, &other) == SY_OK &&
        sy_node_id_equal(&other, authenticated)) {
        return SY_OK;
    }
    sy_node_id_format(authenticated, text);
    if (text_equal(info->id, (sy_text){text, SY_NODE_ID_TEXT_LEN}) || SY_MUTANT(NI_ID)) {
        return SY_OK;
    }
    sy_detail_set(detail, "id ");
    quote(detail, info->id);
    sy_detail_add(detail, ": authenticated as %s", text);
    return SY_ERR_NI_ID_MISMATCH;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* SPEC NI-29.  The first part of a text of the form X.X.X; false when the text has another form.
 * "0.22.8-abcd", as builds with a commit say it, has it. */
static bool version_major(sy_text version, sy_text *ret_major) {
    size_t part = 0;
    size_t digits = 0; /* in a row since the part began */
    size_t begin = 0;
    for (size_t i = 0; i < version.len; i++) {
        const char c = version.data[i];
        if (c == '.') {
            if (digits == 0 || part == 2) {
                return false;
            }
            if (part == 0) {
                *ret_major = (sy_text){version.data, i};
            }
            part++;
            digits = 0;
            begin = i + 1;
        } else if (is_digit(c) && i == begin + digits) {
            digits++;
        } else if (part < 2 || digits == 0) {
            return false;
        }
    }
    return (part == 2 || SY_MUTANT(NI_VERSION_FORM)) && digits > 0;
}

static sy_err check_versions(const sy_node_info *ours, const sy_node_info *theirs,
                             sy_detail *detail) {
    sy_text our_major;
    sy_text their_major;
    if (SY_MUTANT(NI_VERSION_ALL) && !text_equal(ours->version, theirs->version)) {
        return SY_ERR_NI_VERSION_MAJOR;
    }
    if (!version_major(ours->version, &our_major)) {
        sy_detail_set(detail, "our version ");
        quote(detail, ours->version);
        sy_detail_add(detail, ": not of the form X.X.X");
        return SY_ERR_NI_VERSION_FORM;
    }
    if (!version_major(theirs->version, &their_major)) {
        sy_detail_set(detail, "version ");
        quote(detail, theirs->version);
        sy_detail_add(detail, ": not of the form X.X.X");
        return SY_ERR_NI_VERSION_FORM;
    }
    /* SPEC NI-36 */
    if (!text_equal(our_major, their_major) && !SY_MUTANT(NI_VERSION_MAJOR)) {
        sy_detail_set(detail, "version ");
        quote(detail, theirs->version);
        sy_detail_add(detail, ": our major version is ");
        quote(detail, our_major);
        return SY_ERR_NI_VERSION_MAJOR;
    }
    return SY_OK;
}

/* SPEC NI-37, NI-38 */
static sy_err check_block_version(const sy_node_info *ours, const sy_node_info *theirs,
                                  sy_detail *detail) {
    if (SY_MUTANT(NI_P2P) && ours->p2p_version != theirs->p2p_version) {
        return SY_ERR_NI_BLOCK_VERSION;
    }
    if (ours->block_version == theirs->block_version || SY_MUTANT(NI_BLOCK)) {
        return SY_OK;
    }
    sy_detail_set(detail, "block version %llu: ours is %llu",
                  (unsigned long long)theirs->block_version,
                  (unsigned long long)ours->block_version);
    return SY_ERR_NI_BLOCK_VERSION;
}

/* SPEC NI-39 */
static sy_err check_network(const sy_node_info *ours, const sy_node_info *theirs,
                            sy_detail *detail) {
    if (SY_MUTANT(NI_NETWORK_TEXT) && theirs->network.len > ours->network.len &&
        theirs->network.data[ours->network.len] == '\0') {
        return SY_OK;
    }
    if (text_equal(ours->network, theirs->network) || SY_MUTANT(NI_NETWORK)) {
        return SY_OK;
    }
    sy_detail_set(detail, "network ");
    quote(detail, theirs->network);
    sy_detail_add(detail, ": ours is ");
    quote(detail, ours->network);
    return SY_ERR_NI_NETWORK;
}

static void add_channels(sy_detail *detail, const sy_node_info *info) {
    const size_t shown = info->channel_count < SY_NODE_INFO_CHANNELS_MAX
                             ? info->channel_count
                             : SY_NODE_INFO_CHANNELS_MAX;
    for (size_t i = 0; i < shown; i++) {
        sy_detail_add(detail, " %02x", (unsigned)info->channels[i]);
    }
    sy_detail_add(detail, shown == 0 ? " none" : shown < info->channel_count ? " ..." : "");
}

/* SPEC NI-40 */
static sy_err check_common_channel(const sy_node_info *ours, const sy_node_info *theirs,
                                   sy_detail *detail) {
    if (ours->channel_count == 0 || SY_MUTANT(NI_COMMON)) {
        return SY_OK;
    }
    bool is_ours[256] = {false};
    for (size_t i = 0; i < ours->channel_count; i++) {
        is_ours[ours->channels[i]] = true;
    }
    for (size_t i = 0; i < theirs->channel_count; i++) {
        if (is_ours[theirs->channels[i]]) {
            return SY_OK;
        }
    }
    sy_detail_set(detail, "channels (hex)");
    add_channels(detail, theirs);
    sy_detail_add(detail, ": ours are");
    add_channels(detail, ours);
    return SY_ERR_NI_NO_COMMON_CHANNEL;
}

sy_err sy_node_info_compatible(sy_node_info_codec codec, const sy_node_info *ours,
                               const sy_node_info *theirs, sy_detail *detail) {
    sy_err err = codec == SY_NODE_INFO_AMINO ? check_versions(ours, theirs, detail)
                                             : check_block_version(ours, theirs, detail);
    if (err == SY_OK) {
        err = check_network(ours, theirs, detail);
    }
    if (err == SY_OK) {
        err = check_common_channel(ours, theirs, detail);
    }
    if (err == SY_OK) {
        sy_detail_clear(detail);
    }
    return err;
}
