/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of nodeinfo/ share. */
#ifndef SY_TESTS_NODEINFO_UTIL_H
#define SY_TESTS_NODEINFO_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/node_info.h>

/* A static initialiser of sy_text. */
#define T(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

#define TEST_ID "56475aa75463474c0285df5dbf2bcab73da65135"

/* A NodeInfo that passes every rule of both codecs: TEST_ID, network test-chain, version 0.22.8,
 * block version 11, channels 40 20 00, moniker alice, other tx_index=on and rpc_addr=..., */
sy_node_info test_info(void);

bool text_is(sy_text text, const char *expected);

/* Every value equal; the views tx_index and rpc_address too. */
bool info_equal(const sy_node_info *a, const sy_node_info *b);

/* Every non-empty view of info lies inside data[0..len). */
bool info_inside(const sy_node_info *info, const uint8_t *data, size_t len);

/* sy_node_info_decode on an exact copy on the heap, so that the sanitizer sees each read beyond the
 * end; checks that success gives views inside the input and that failure names a cause and leaves
 * the output alone.  On success *ret_again tells whether the values survive another encoding. */
sy_err decode_exact(sy_node_info_codec codec, const uint8_t *data, size_t len, bool *ret_again);

/* Cuts a valid body at every byte and sets each byte of it to 9 other values: whatever comes out,
 * decode_exact must be content.  Returns the offset of the first cut that decoded to values which
 * do not survive another encoding, or SIZE_MAX. */
size_t cut_and_damage(sy_node_info_codec codec, const uint8_t *body, size_t len);

#endif
