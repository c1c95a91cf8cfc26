/* SPDX-License-Identifier: Apache-2.0 */
/* Merlin transcripts over STROBE-128, as far as the CometBFT handshake needs them: append a
 * message, draw a challenge.  Source: docs/spec/handshake-cometbft.md; https://merlin.cool. */
#ifndef SY_CONN_MERLIN_H
#define SY_CONN_MERLIN_H

#include <stddef.h>
#include <stdint.h>

typedef struct sy_merlin {
    uint8_t state[200];
    uint8_t pos;
    uint8_t pos_begin;
    uint8_t cur_flags;
} sy_merlin;

void sy_merlin_init(sy_merlin *transcript, const char *protocol_label);
void sy_merlin_append(sy_merlin *transcript, const char *label, const uint8_t *msg, size_t len);
void sy_merlin_challenge(sy_merlin *transcript, const char *label, uint8_t *out, size_t len);
void sy_merlin_wipe(sy_merlin *transcript);

/* The permutation below, by itself for its vectors. */
void sy_keccak_f1600(uint8_t state[200]);

#endif
