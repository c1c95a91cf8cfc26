/* SPDX-License-Identifier: Apache-2.0 */
/* Hex and base64, whole values only. */
#ifndef SY_BASE_TEXT_H
#define SY_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>

/* Writes 2 * len lower-case digits and a NUL: out has 2 * len + 1 bytes. */
void sy_hex_encode(const uint8_t *data, size_t len, char *out);

/* Exactly 2 * out_len digits of either case.
 *   SY_ERR_INVALID  another length or a character that is no digit */
sy_err sy_hex_decode(const char *text, size_t text_len, uint8_t *out, size_t out_len)
    __attribute__((warn_unused_result));

/* Standard alphabet with padding, NUL-terminated; needs 4 * ((len + 2) / 3) + 1 bytes. */
void sy_base64_encode(const uint8_t *data, size_t len, char *out);

/* Standard alphabet, padding required, no white space.  *ret_len <= cap.
 *   SY_ERR_INVALID  not base64;  SY_ERR_NO_SPACE */
sy_err sy_base64_decode(const char *text, size_t text_len, uint8_t *out, size_t cap,
                        size_t *ret_len) __attribute__((warn_unused_result));

/* The rule of Tendermint for names given by peers: every byte 0x20..0x7e, and not only spaces.
 * An empty text is not printable. */
bool sy_text_is_printable(const char *text, size_t len);

/* Decimal 0..65535, digits only, leading zeros allowed, 1..16 digits.
 *   SY_ERR_ADDR_PORT */
sy_err sy_text_port(const char *text, size_t len, uint16_t *ret_port)
    __attribute__((warn_unused_result));

#endif
