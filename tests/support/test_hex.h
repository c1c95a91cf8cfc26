/* SPDX-License-Identifier: Apache-2.0 */
/* Hex literals for tests: white space is ignored, anything else aborts the test program. */
#ifndef SY_TESTS_TEST_HEX_H
#define SY_TESTS_TEST_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Decodes into out (cap bytes) and returns the length. */
size_t test_hex(const char *hex, uint8_t *out, size_t cap);

/* Encodes into a static ring of 8 buffers (at most 8 KiB of text each), for messages. */
const char *test_hex_of(const void *data, size_t len);

#endif
