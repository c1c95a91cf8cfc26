/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of NodeInfo share.  Private to nodeinfo/ and its tests. */
#ifndef SY_NODEINFO_NODE_INFO_INTERNAL_H
#define SY_NODEINFO_NODE_INFO_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/node_info.h>

#include "base/rd.h"
#include "base/wr.h"

/* Decoders: *info starts zeroed; on failure its content is meaningless. */
sy_err ni_amino_decode(const uint8_t *data, size_t len, sy_node_info *info, sy_detail *detail);
sy_err ni_proto_decode(const uint8_t *data, size_t len, sy_node_info *info, sy_detail *detail);

/* Encoders: write what fits, the writer counts the whole. */
void ni_amino_encode(const sy_node_info *info, sy_wr *wr);
void ni_proto_encode(const sy_node_info *info, sy_wr *wr);

/* The entries of other in order, kept ones first, then those in other_rest. */
typedef struct ni_other_iter {
    const sy_node_info *info;
    size_t index; /* of the entry that comes next */
    sy_rd rest;
} ni_other_iter;

void ni_other_begin(ni_other_iter *it, const sy_node_info *info);
bool ni_other_next(ni_other_iter *it, sy_text *ret_entry);

/* The text of a bytes field, exactly as it came.  SPEC NI-15 */
static inline sy_text ni_text_of(const sy_field *field) {
    return (sy_text){(const char *)field->bytes.data, field->bytes.len};
}

#endif
